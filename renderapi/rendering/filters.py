"""Filters of source images: the classes that the `filterSpecs` of render parameters name.

A filter changes the pixels of a mipmap before they are mapped; masks are not filtered. Its parameters are
text in a filter spec (``{"className": ..., "parameters": {"blockRadius": "50", ...}}``); numbers and booleans
are taken as well.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderapi.errors import SpecError
from renderapi.rendering import _clahe
from renderapi.rendering._errors import RenderParametersError
from renderapi.transform import _numbers

Image = NDArray[Any]

_PACKAGE = "org.janelia.alignment.filter."
_UNAVAILABLE = tuple(_PACKAGE + name for name in ("EqualizeHistogram", "Rank", "RollingBallSubtraction"))
_MOST_BINS = 4096
_LARGEST_INT = 2**31 - 1

# pixels handled at once: few enough to stay in the cache, enough to make numpy's overhead small
_PIXELS_AT_ONCE = 1 << 17


def filters_of(render_parameters: Mapping[str, Any]) -> list[Filter]:
    """Give the filters that render parameters ask for, in the order in which they are applied.

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
        return _default_filters() if _flag(render_parameters.get("doFilter", False), "doFilter") else []
    if not isinstance(specs, Sequence) or isinstance(specs, (str, bytes)):
        raise RenderParametersError(f"filterSpecs must be a JSON array, not {specs!r:.100}")
    return [_filter_of(spec) for spec in specs]


def _default_filters() -> list[Filter]:
    return [
        ValueToNoise(0, 64, 191),
        ValueToNoise(255, 64, 191),
        NormalizeLocalContrast(500, 500, 3.0, center=True, stretch=True),
    ]


def _filter_of(spec: Any) -> Filter:
    if not isinstance(spec, Mapping):
        raise RenderParametersError(f"a filter spec must be a JSON object, not {spec!r:.100}")
    name = spec.get("className")
    if not isinstance(name, str) or name not in _CLASSES:
        supported = ", ".join(_CLASSES)
        problem = "is not available here" if name in _UNAVAILABLE else "is not known"
        raise RenderParametersError(f"the filter class {name!r:.200} {problem}; there are {supported}")
    parameters = spec.get("parameters")
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, Mapping):
        raise RenderParametersError(f"parameters of {name} must be a JSON object, not {parameters!r:.100}")
    return _CLASSES[name].from_parameters(_Parameters(name, parameters))


class _Parameters(NamedTuple):
    """Reads the parameters of a filter spec."""

    class_name: str
    values: Mapping[str, Any]

    def number(self, name: str) -> float:
        """Read a finite number."""
        return self._number(name, single=False)

    def single(self, name: str) -> float:
        """Read a finite number as Java reads a float: rounded to single precision."""
        return self._number(name, single=True)

    def size(self, name: str, least: int, most: int) -> int:
        """Read a whole number, least <= number <= most."""
        value, text = self._value(name)
        try:
            number = float(_numbers.parse_integer(value.strip()) if isinstance(value, str) else value)
        except (SpecError, TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not number.is_integer():
            raise RenderParametersError(f"{text}; it must be a whole number")
        if not least <= number <= most:
            raise RenderParametersError(f"{text}; it must be from {least} to {most}")
        return int(number)

    def flag(self, name: str) -> bool:
        """Read true or false."""
        value, text = self._value(name)
        return _flag(value, text.rpartition(" is ")[0])

    def _number(self, name: str, *, single: bool) -> float:
        value, text = self._value(name)
        read = _numbers.parse_float32 if single else _numbers.parse_double
        try:
            number = read(value.strip() if isinstance(value, str) else repr(float(value)))
        except (SpecError, TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not math.isfinite(number):
            raise RenderParametersError(f"{text}; it must be a number")
        return number

    def _value(self, name: str) -> tuple[Any, str]:
        value = self.values.get(name)
        if value is None:
            raise RenderParametersError(f"the filter {self.class_name} needs the parameter {name}")
        return value, f"the parameter {name} of the filter {self.class_name} is {value!r:.100}"


def _flag(value: Any, what: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise RenderParametersError(f"{what} is {value!r:.100}; it must be true or false")


def _scaled_radius(radius: int, scale: float) -> int:
    # Java's Math.round
    return math.floor(radius * scale + 0.5)


def _display_range(image: Image, low: float, high: float) -> tuple[float, float]:
    # what ImageJ remembers of a display range: by the type of pixels, and 0 to 0 stands for their extremes
    if low == 0 and high == 0 and image.size:
        finite = image[np.isfinite(image)] if image.dtype.kind == "f" else image
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if image.dtype == np.uint8:
        return (0.0, 255.0) if high < low else (math.floor(low + 0.5), math.floor(high + 0.5))
    if image.dtype == np.uint16:
        return float(int(max(low, 0.0))), float(int(min(high, 65535.0)))
    return float(np.float32(low)), float(np.float32(high))


class Filter(ABC):
    """A filter of the pixels of one mipmap."""

    @classmethod
    @abstractmethod
    def from_parameters(cls, parameters: _Parameters) -> Filter:
        """Make one from the parameters of a filter spec."""

    @abstractmethod
    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """Filter an image.

        Parameters
        ----------
        image : (H, W) uint8, uint16 or float32, or (H, W, 3) uint8
            Gray or RGB pixels of a mipmap. Not changed.
        low, high : float
            Display range of the channel, in units of the pixels.
        scale : float
            Pixels of this mipmap per pixel of the full image, ``2**-level``. Radii are multiplied by it and
            rounded, ties up.
        rng : numpy.random.Generator
            Where noise comes from. It is best seeded with what names the image, the mipmap level and the place
            of the filter in the list, and nothing else: then an image has the same noise wherever it is
            rendered.

        Returns
        -------
        array of the shape and dtype of `image`
            Always a new one.
        """


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
    def from_parameters(cls, parameters: _Parameters) -> ValueToNoise:
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
    """Gives every pixel the same mean, or the same contrast, or both, by the pixels around it.

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
    def from_parameters(cls, parameters: _Parameters) -> NormalizeLocalContrast:
        """Read `blockRadiusX`, `blockRadiusY`, `meanFactor`, `center` and `stretch`."""
        return cls(
            parameters.size("blockRadiusX", 0, _LARGEST_INT),
            parameters.size("blockRadiusY", 0, _LARGEST_INT),
            parameters.single("meanFactor"),
            center=parameters.flag("center"),
            stretch=parameters.flag("stretch"),
        )

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; nothing is random."""
        filtered = image.copy()
        if self.center or self.stretch:
            planes = np.moveaxis(image, 2, 0) if image.ndim == 3 else [image]
            results = np.moveaxis(filtered, 2, 0) if image.ndim == 3 else [filtered]
            for plane, result in zip(planes, results):
                self._normalize(plane, result, *_display_range(plane, low, high), scale)
        return filtered

    def _normalize(self, image: Image, result: Image, low: float, high: float, scale: float) -> None:
        length = high - low
        middle = length / 2 + low
        radius_x, radius_y = _scaled_radius(self.radius_x, scale), _scaled_radius(self.radius_y, scale)
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
    """Give, for some rows at a time, the window of every pixel: how many pixels, their sum, sum of squares."""
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
    def from_parameters(cls, parameters: _Parameters) -> CLAHE:
        """Read `fast`, `blockRadius`, `bins` and `slope`."""
        return cls(
            parameters.size("blockRadius", 0, _LARGEST_INT),
            parameters.size("bins", 1, _MOST_BINS),
            parameters.single("slope"),
            fast=parameters.flag("fast"),
        )

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; nothing is random.

        Raises
        ------
        RenderParametersError
            If the fast variant is asked for an image that is not larger than the block radius.
        """
        radius = _scaled_radius(self.radius, scale)
        height, width = image.shape[:2]
        if self.fast and min(height, width) <= radius:
            raise RenderParametersError(
                f"CLAHE with fast=true needs an image larger than its block radius of {radius} pixels; "
                f"this one is {width} x {height}"
            )
        radius = min(radius, max(height, width))
        low, high = _display_range(image, low, high)
        return _clahe.equalized(image, low, high, radius, self.bins, self.slope, self.fast)


_CLASSES: dict[str, type[Filter]] = {
    _PACKAGE + found.__name__: found for found in (ValueToNoise, NormalizeLocalContrast, CLAHE)
}
