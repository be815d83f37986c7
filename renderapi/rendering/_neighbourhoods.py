"""Filters that look at the pixels around each: backgrounds, and the ranks and means over a disc."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from renderapi.rendering import _smoothing
from renderapi.rendering._filter import Filter, FilterParameters, Image, compiled_windows, require_gray
from renderapi.rendering.errors import RenderParametersError

Plane = NDArray[np.float32]

_MOST_PIXELS = 1 << 28


class BackgroundCorrectionFilter(Filter):
    """Subtracts a smoothed image, made at smaller size, and stretches what is left to 0 ... 255.

    Parameters
    ----------
    radius : float
        Standard deviation of the Gaussian, or radius of the disc of the median, in pixels of the full image.
    factor : float
        Size of the smoothed image by that of the full one.
    method : {"GAUSSIAN", "MEDIAN"}
        How it is smoothed.
    """

    def __init__(self, radius: float, factor: float, method: str) -> None:
        if method.upper() not in ("GAUSSIAN", "MEDIAN"):
            raise RenderParametersError(f"Unknown smooth method: {method}")
        self.radius, self.factor, self.median = radius, factor, method.upper() == "MEDIAN"

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> BackgroundCorrectionFilter:
        """Read `radius`, `downSamplingFactor` and `smoothMethod`."""
        return cls(
            parameters.double("radius"),
            parameters.double("downSamplingFactor"),
            parameters.text("smoothMethod"),
        )

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; values are 0 to 255 afterwards, also of 16-bit and floating point images.

        Raises
        ------
        RenderParametersError
            If the smaller image would have no pixels, or too many.
        """
        require_gray(image, self)
        height, width = image.shape
        factor = self.factor / scale
        radius = self.radius * factor
        if not math.isfinite(factor) or not math.isfinite(radius):
            raise RenderParametersError(
                "radius and downSamplingFactor of BackgroundCorrectionFilter are not finite"
            )
        # truncated
        size = int(factor * width), int(factor * height)
        edge = max(math.ceil(radius), 0)
        if min(size) <= 0 or (size[0] + 2 * edge) * (size[1] + 2 * edge) > _MOST_PIXELS:
            raise RenderParametersError(
                f"BackgroundCorrectionFilter cannot smooth at {size[0]} x {size[1]} pixels with a radius of "
                f"{radius} pixels; give another downSamplingFactor or radius"
            )
        pixels = image.astype(np.float32)
        small = np.pad(_smoothing.resized(pixels, *size), edge, mode="reflect")
        if self.median:
            small = _smoothing.ranked(small, radius, "median")
        else:
            small = _smoothing.gaussian(small, radius)
        small = small[edge : edge + size[1], edge : edge + size[0]]
        difference = pixels - _smoothing.resized(np.ascontiguousarray(small), width, height)
        least, most = float(difference.min()), float(difference.max())
        with np.errstate(all="ignore"):
            factor = np.divide(255.0, np.float64(most) - least)
            values = np.maximum(difference - np.float32(least), np.float32(0)) * factor + 0.5
        shown: Image = np.minimum(np.trunc(np.nan_to_num(values, nan=0.0)), 255).astype(image.dtype)
        return shown


_RANKS = ("mean", "minimum", "maximum", "variance", "median")


class Rank(Filter):
    """Replaces every pixel by a mean, extreme, variance or median over a disc (ImageJ's rank filters).

    Parameters
    ----------
    radius : float
        Radius of the disc, in pixels of the full image.
    kind : int
        0 mean, 1 minimum, 2 maximum, 3 variance, 4 median.
    """

    def __init__(self, radius: float, kind: int) -> None:
        if not 0 <= kind < len(_RANKS):
            raise RenderParametersError("'filterType' parameter must be between 0 and 4 (inclusive)")
        self.radius, self.kind = radius, kind

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> Rank:
        """Read `radius` and `filterType`."""
        return cls(parameters.double("radius"), parameters.integer("filterType"))

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; variances are cut to the largest value of the pixels."""
        require_gray(image, self)
        radius = _rounded_radius(self.radius * scale, image)
        kind = _RANKS[self.kind]
        compiled = compiled_windows()
        if compiled is not None and kind == "median" and image.dtype.kind == "u":
            widths = _smoothing.disc(float(radius))
            median: Image = compiled.median(image, widths, int((2 * widths + 1).sum()) // 2)
            return median
        values = _smoothing.ranked(image.astype(np.float32), float(radius), kind)
        if image.dtype.kind == "f":
            return values
        stored: Image = np.clip(np.trunc(values + np.float32(0.5)), 0, np.iinfo(image.dtype).max).astype(
            image.dtype
        )
        return stored


class RollingBallSubtraction(Filter):
    """Subtracts the surface that a ball can reach from below, rolling under the image (ImageJ's).

    Parameters
    ----------
    radius : float
        Radius of the ball, in pixels of the full image.
    """

    def __init__(self, radius: float) -> None:
        self.radius = radius

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> RollingBallSubtraction:
        """Read `radius`."""
        return cls(parameters.double("radius"))

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; negative differences are 0."""
        require_gray(image, self)
        radius = _rounded_radius(self.radius * scale, image)
        pixels = image.astype(np.float32)
        background = _smoothing.rolling_ball(pixels, float(radius))
        difference = pixels - background
        if image.dtype.kind == "f":
            return difference
        stored: Image = np.clip(np.trunc(difference + np.float32(0.5)), 0, np.iinfo(image.dtype).max).astype(
            image.dtype
        )
        return stored


def _rounded_radius(radius: float, image: Image) -> int:
    if not radius < 2**31:
        raise RenderParametersError(f"a radius of {radius} pixels is out of range")
    # no disc needs to be larger than this to hold the whole image
    return min(max(math.floor(radius + 0.5), 0), 2 * sum(image.shape))
