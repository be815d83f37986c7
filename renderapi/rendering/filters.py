"""Filters of source images: the classes that the `filterSpecs` of render parameters name.

A filter changes the pixels of a mipmap before they are mapped; masks are not filtered. Its parameters are
text in a filter spec (``{"className": ..., "parameters": {"blockRadius": "50", ...}}``); numbers and booleans
are taken as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi.rendering import _clahe
from renderapi.rendering._filter import (
    Filter,
    FilterParameters,
    Image,
    compiled_windows,
    display_range,
    scaled_radius,
)
from renderapi.rendering._intensity import (
    AffineIntensityFilter,
    EqualizeHistogram,
    ExponentialIntensityFilter,
    Invert,
    ShadingCorrectionFilter,
)
from renderapi.rendering._intensity_maps import LinearIntensityMap8BitFilter, QuadraticIntensityMap8BitFilter
from renderapi.rendering._neighbourhoods import BackgroundCorrectionFilter, Rank, RollingBallSubtraction
from renderapi.rendering._parameters import boolean_of
from renderapi.rendering.errors import RenderParametersError

_PACKAGE = "org.janelia.alignment.filter."
_DESTREAK = tuple(
    f"org.janelia.alignment.destreak.{name}StreakCorrector"
    for name in ("ConfigurableMask", "LocalConfigurableMask", "SmoothMask", "LocalSmoothMask")
)
_ABSTRACT = (_PACKAGE + "IntensityMap8BitFilter",)
_MOST_BINS = 4096
_LARGEST_INT = 2**31 - 1

# pixels handled at once: few enough to stay in the cache, enough to make numpy's overhead small
_PIXELS_AT_ONCE = 1 << 17


def filters_of(render_parameters: Mapping[str, Any]) -> list[Filter]:
    """Return the filters that render parameters ask for, in the order in which they are applied.

    Parameters
    ----------
    render_parameters : mapping
        Render parameters. If they have `filterSpecs`, these count; otherwise a true `doFilter` means
        the default list of render: noise for the values 0 and 255 (64 to 191), then local contrast
        (block radius 500, mean factor 3, center and stretch).

    Returns
    -------
    list of Filter
        Empty if nothing is to be filtered.

    Raises
    ------
    RenderParametersError
        If a class is not known or not available, or its parameters are missing or wrong.
    """
    specs = render_parameters.get("filterSpecs")
    if specs is None or (isinstance(specs, Sequence) and not specs):
        return _default_filters() if boolean_of(render_parameters.get("doFilter", False), "doFilter") else []
    if not isinstance(specs, Sequence) or isinstance(specs, (str, bytes)):
        raise RenderParametersError(f"filterSpecs must be a JSON array, not {specs!r:.100}")
    return [filter_of(spec) for spec in specs]


def _default_filters() -> list[Filter]:
    return [
        ValueToNoise(0, 64, 191),
        ValueToNoise(255, 64, 191),
        NormalizeLocalContrast(500, 500, 3.0, center=True, stretch=True),
    ]


def filter_of(spec: Any) -> Filter:
    """Make the filter of a filter spec: an entry of `filterSpecs`, or the `filterSpec` of a tile or channel.

    Parameters
    ----------
    spec : mapping
        ``{"className": ..., "parameters": {...}}``.

    Returns
    -------
    Filter

    Raises
    ------
    RenderParametersError
        If the class is not known, or its parameters are missing or wrong. The words are those of render-ws
        where it has some.
    """
    if not isinstance(spec, Mapping):
        raise RenderParametersError(f"a filter spec must be a JSON object, not {spec!r:.100}")
    name = spec.get("className")
    if name is None:
        raise RenderParametersError("no className defined for filter spec")
    if not isinstance(name, str):
        raise RenderParametersError(f"the className of a filter spec is {name!r:.100}; it must be a text")
    if name in _DESTREAK:
        raise RenderParametersError(
            f"the filter class '{name}' is not available here: it works on a Fourier transform of single "
            "precision that only render itself computes. Take it out of the filterSpec, or let a render-ws of "
            "branch newsolver draw the tile"
        )
    if name in _ABSTRACT:
        raise RenderParametersError(f"failed to create instance of filter class '{name}'")
    if name not in _CLASSES:
        if name.startswith(("java.lang.", "org.janelia.alignment.Render")):
            raise RenderParametersError(
                f"class '{name}' does not implement the 'interface org.janelia.alignment.filter.Filter' interface"
            )
        raise RenderParametersError(f"filter class '{name}' cannot be found")
    parameters = spec.get("parameters")
    if parameters is None:
        if _CLASSES[name] is not Invert:
            raise RenderParametersError(f"the filter spec of {name} has no parameters")
        parameters = {}
    if not isinstance(parameters, Mapping):
        raise RenderParametersError(f"parameters of {name} must be a JSON object, not {parameters!r:.100}")
    return _CLASSES[name].from_parameters(FilterParameters(name, parameters))


def own_range(image: Image) -> tuple[float, float]:
    """Return the display range that ImageJ takes an image to have before one is set: (0, 0) for its extremes."""
    return (0.0, 255.0) if image.dtype == np.uint8 else (0.0, 0.0)


class CompositeFilter(Filter):
    """Applies filters one after the other.

    Parameters
    ----------
    members : sequence of Filter
        Filters.
    """

    def __init__(self, members: Sequence[Filter]) -> None:
        self.members = members

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> CompositeFilter:
        """Read `filter0`, `filter1`, ...: filter specs as JSON text."""
        members = []
        for number in range(len(parameters.values)):
            text = parameters.values.get(f"filter{number}")
            if text is None:
                raise RenderParametersError('argument "content" is null')
            if isinstance(text, str):
                try:
                    text = json.loads(text)
                except (ValueError, RecursionError):
                    raise RenderParametersError(f"filter{number} of a CompositeFilter is no JSON") from None
            members.append(filter_of(text))
        return cls(members)

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; an intensity map leaves the display range 0 to 255 to what follows."""
        filtered = image.copy()
        for member in self.members:
            filtered = member.apply(filtered, low, high, scale, rng)
            if isinstance(member, (LinearIntensityMap8BitFilter, QuadraticIntensityMap8BitFilter)):
                low, high = 0.0, 255.0
        return filtered


class ValueToNoise(Filter):
    """Replaces all pixels of one value by noise.

    Parameters
    ----------
    value : float
        Pixels equal to it are replaced; colours if red, green and blue are equal to it (by gray).
    least, most : float
        The noise is made of whole numbers, ``least <= number <= most``, all equally likely. What exceeds
        the range of the pixels is cut to their lowest 8 or 16 bits.

    Raises
    ------
    RenderParametersError
        If no whole number lies between `least` and `most`.
    """

    def __init__(self, value: float, least: float, most: float) -> None:
        self.value = value
        self.least, self.most = math.ceil(least), math.floor(most)
        if self.least > self.most:
            raise RenderParametersError(f"there is no noise from {least} to {most}: min must not exceed max")
        if max(-self.least, self.most) > _LARGEST_INT:
            raise RenderParametersError(f"noise from {least} to {most} is out of range")

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> ValueToNoise:
        """Read `value`, `min` and `max`."""
        return cls(*(parameters.number(name) for name in ("value", "min", "max")))

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; display range and scale do not matter."""
        found = image == self.value
        if image.ndim == 3:
            found = found.all(axis=2)
        noise = rng.integers(self.least, self.most, size=np.count_nonzero(found), endpoint=True)
        filtered = image.copy()
        filtered[found] = noise.astype(image.dtype)[(...,) + (None,) * (image.ndim - 2)]
        return filtered


class NormalizeLocalContrast(Filter):
    """Level the contrast: every pixel gets the same mean, or the same contrast, or both, by the pixels around it.

    With mean m and standard deviation s of the ``2 * radius + 1`` pixels wide and high window (clipped to the
    image), the display range [a, b] and the mean factor f, a pixel v becomes (mpicbg's
    ``NormalizeLocalContrast``)::

        center and stretch:  (v - (m - f s)) / (2 f s) (b - a) + a
        center:              v - m + (a + b) / 2
        stretch:             (v - (a + b) / 2) / (2 f s) (b - a) + (a + b) / 2

    Parameters
    ----------
    radius_x, radius_y : int
        Radii of the window, in pixels of the full image. Where a window is one pixel, s is not defined:
        stretching makes integer pixels 0, float pixels NaN.
    factor : float
        Half the display range in standard deviations (single precision).
    center, stretch : bool
        What is done; if nothing, the image stays as it is.

    Notes
    -----
    Integer pixels are rounded, ties up, after passing through single precision, and clamped; float pixels are
    not. The sums are running sums in double precision: exact for integers up to ``2**53``. Squares are in
    single precision except in the first column, as in mpicbg 1.4. Colours are filtered one by one.
    """

    def __init__(self, radius_x: int, radius_y: int, factor: float, *, center: bool, stretch: bool) -> None:
        self.radius_x, self.radius_y = radius_x, radius_y
        self.factor, self.center, self.stretch = factor, center, stretch

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> NormalizeLocalContrast:
        """Read `blockRadiusX`, `blockRadiusY`, `meanFactor`, `center` and `stretch`."""
        return cls(
            parameters.size("blockRadiusX", 0, _LARGEST_INT),
            parameters.size("blockRadiusY", 0, _LARGEST_INT),
            parameters.single("meanFactor"),
            center=parameters.boolean("center"),
            stretch=parameters.boolean("stretch"),
        )

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; nothing is random."""
        filtered = image.copy()
        if self.center or self.stretch:
            planes = np.moveaxis(image, 2, 0) if image.ndim == 3 else [image]
            results = np.moveaxis(filtered, 2, 0) if image.ndim == 3 else [filtered]
            for plane, result in zip(planes, results):
                self._normalize(plane, result, *display_range(plane, low, high), scale)
        return filtered

    def _normalize(self, image: Image, result: Image, low: float, high: float, scale: float) -> None:
        length = high - low
        middle = length / 2 + low
        radius_x, radius_y = scaled_radius(self.radius_x, scale), scaled_radius(self.radius_y, scale)
        compiled = compiled_windows()
        if compiled is not None and image.dtype.kind == "u":
            radius = min(radius_x, image.shape[1]), min(radius_y, image.shape[0])
            result[:] = compiled.normalized(image, radius, self.factor, low, high, self.center, self.stretch)
            return
        # the order of the operations decides pixels of constant areas: see mean and deviation
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for rows, count, total, squares in _windows(image, radius_x, radius_y):
                values = image[rows].astype(np.float64)
                if not self.stretch:
                    values = values - total * (1.0 / count) + middle
                else:
                    variance = 1.0 / (count - 1) * squares - 1.0 / (count * count - count) * total * total
                    deviation = self.factor * np.sqrt(np.where(variance < 0, 0.0, variance))
                    base = total * (1.0 / count) - deviation if self.center else middle
                    values = (values - base) / 2 / deviation * length + (low if self.center else middle)
                result[rows] = _in_type(values.astype(np.float32), image.dtype)


def _in_type(values: NDArray[np.float32], dtype: np.dtype[Any]) -> Image:
    if dtype.kind == "f":
        return values
    # Java's Math.round of a float: not off by one next to a half, 0 for NaN
    rounded = np.floor(values.astype(np.float64) + 0.5)
    integers: Image = np.nan_to_num(np.clip(rounded, 0, np.iinfo(dtype).max), nan=0).astype(dtype)
    return integers


def _windows(
    image: Image, radius_x: int, radius_y: int
) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Yield rows, some at a time, with the window of each pixel: how many pixels, their sum, sum of squares."""
    height, width = image.shape
    radius_x, radius_y = min(radius_x, width), min(radius_y, height)
    columns = np.arange(width)
    left, right = np.maximum(columns - radius_x, 0), np.minimum(columns + radius_x + 1, width)
    at_once = max(1, _PIXELS_AT_ONCE // width)
    # sums over the rows of the window, which enters the image from above
    last = np.zeros((2, width))
    for start in range(-radius_y, height, at_once):
        stop = min(start + at_once, height)
        sums = np.zeros((2, stop - start, width))
        entering = _powers(image[start + radius_y : stop + radius_y])
        sums[:, : entering.shape[1]] = entering
        leaving = _powers(image[max(start - radius_y - 1, 0) : max(stop - radius_y - 1, 0)])
        if leaving.shape[1]:
            sums[:, -leaving.shape[1] :] -= leaving
        sums[:, 0] += last
        np.cumsum(sums, axis=1, out=sums)
        last = sums[:, -1].copy()
        if stop <= 0:
            continue
        first = max(start, 0)
        integral = np.zeros((2, stop - first, width + 1))
        np.cumsum(sums[:, first - start :], axis=2, out=integral[:, :, 1:])
        total, squares = integral.take(right, axis=2) - integral.take(left, axis=2)
        rows = np.arange(first, stop)
        heights = np.minimum(rows + radius_y + 1, height) - np.maximum(rows - radius_y, 0)
        count = (heights[:, None] * (right - left)).astype(np.float64)
        yield slice(first, stop), count, total, squares


def _powers(rows: Image) -> NDArray[np.float64]:
    # (2, N, W): values and squares
    values = rows.astype(np.float32)
    powers = np.empty((2, *rows.shape))
    powers[0] = values
    np.multiply(values, values, out=values)
    powers[1] = values
    powers[1, :, 0] = powers[0, :, 0] ** 2
    return powers


class CLAHE(Filter):
    """Contrast limited adaptive histogram equalization (mpicbg's plugin for ImageJ).

    Parameters
    ----------
    radius : int
        Blocks of ``2 * radius + 1`` pixels of the full image.
    bins : int
        Steps of the histograms, 1 to 4096; the equalization works on 8 bits.
    slope : float
        Largest slope of the transfer function (single precision), not negative.
    fast : bool
        Interpolate between the transfer functions of a grid of blocks, instead of making one for every pixel.
        The last row and the last column then stay as they are. Without it, a megapixel takes seconds.

    Notes
    -----
    8-bit gray is equalized directly. 16 bit and float are mapped to 8 bits by the display range, and their
    distance from its lower end is multiplied with the ratio of that 8-bit image after to before; colours
    with that ratio of their gray value (the mean of red, green and blue).
    """

    def __init__(self, radius: int, bins: int, slope: float, *, fast: bool) -> None:
        if slope < 0:
            raise RenderParametersError(f"the slope {slope} of CLAHE is negative")
        self.radius, self.bins, self.slope, self.fast = radius, bins, slope, fast

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> CLAHE:
        """Read `fast`, `blockRadius`, `bins` and `slope`."""
        return cls(
            parameters.size("blockRadius", 0, _LARGEST_INT),
            parameters.size("bins", 1, _MOST_BINS),
            parameters.single("slope"),
            fast=parameters.boolean("fast"),
        )

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; nothing is random.

        Raises
        ------
        RenderParametersError
            If the fast variant is asked for an image that is not larger than the block radius.
        """
        radius = scaled_radius(self.radius, scale)
        height, width = image.shape[:2]
        if self.fast and min(height, width) <= radius:
            raise RenderParametersError(
                f"CLAHE with fast=true needs an image larger than its block radius of {radius} pixels; "
                f"this one is {width} x {height}"
            )
        radius = min(radius, max(height, width))
        low, high = display_range(image, low, high)
        return _clahe.equalized(image, low, high, radius, self.bins, self.slope, self.fast)


_CLASSES: dict[str, type[Filter]] = {
    _PACKAGE + found.__name__: found
    for found in (
        ValueToNoise,
        NormalizeLocalContrast,
        CLAHE,
        AffineIntensityFilter,
        ExponentialIntensityFilter,
        ShadingCorrectionFilter,
        Invert,
        CompositeFilter,
        LinearIntensityMap8BitFilter,
        QuadraticIntensityMap8BitFilter,
        BackgroundCorrectionFilter,
        EqualizeHistogram,
        Rank,
        RollingBallSubtraction,
    )
}
