"""Filters that change every pixel by itself: its value, or its value and its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.rendering._filter import Filter, FilterParameters, Image, require_gray
from renderapi.rendering.errors import RenderParametersError
from renderapi.transform import data_strings

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_INT = 2**31 - 1


def cast_wrapping(values: NDArray[np.float32], dtype: np.dtype[Any]) -> Image:
    """Store values as the service does: rounded, then only their lowest bits; nothing is clamped.

    Parameters
    ----------
    values : float32 array
        Values.
    dtype : dtype
        uint8, uint16 or float32.

    Returns
    -------
    array
        Of that dtype.
    """
    if dtype.kind == "f":
        return values
    rounded = np.trunc(values + np.float32(0.5)).astype(np.float64)
    integers = np.clip(np.nan_to_num(rounded, nan=0.0), -_MOST_INT - 1, _MOST_INT).astype(np.int64)
    stored: Image = integers.astype(dtype)
    return stored


def clamped(values: NDArray[np.float64], dtype: np.dtype[Any]) -> Image:
    """Store values between the least and the largest that the pixels can have, rounded; NaN is 0."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limited = np.clip(values, 0, np.iinfo(dtype).max) + 0.5
    stored: Image = np.nan_to_num(limited, nan=0.0).astype(dtype)
    return stored


class AffineIntensityFilter(Filter):
    """Replaces a value v by a v + b, of which integer pixels keep the lowest bits (300 is 44).

    Parameters
    ----------
    a, b : float
        Factor, and what is added after it.
    """

    def __init__(self, a: float, b: float) -> None:
        self.a, self.b = a, b

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> AffineIntensityFilter:
        """Read `a` and `b`."""
        return cls(parameters.double("a"), parameters.double("b"))

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; only the pixels matter."""
        require_gray(image, self)
        with np.errstate(all="ignore"):
            if image.dtype.kind == "f":
                return (self.a * image.astype(np.float64) + self.b).astype(np.float32)
            values = np.arange(np.iinfo(image.dtype).max + 1, dtype=np.float64)
            table = cast_wrapping((self.a * values + self.b).astype(np.float32), image.dtype)
        return table[image]


class ExponentialIntensityFilter(Filter):
    """Multiplies the pixels of row j by 1 + exp(-a ((j + 0.5) / scale - b)).

    Parameters
    ----------
    a, b : float
        How fast the factor falls, per pixel, and where it is 2.
    """

    def __init__(self, a: float, b: float) -> None:
        self.a, self.b = a, b

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> ExponentialIntensityFilter:
        """Read `a` and `b`."""
        return cls(parameters.double("a"), parameters.double("b"))

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; integer pixels keep the lowest bits of what they become."""
        require_gray(image, self)
        with np.errstate(all="ignore"):
            y = (np.arange(len(image)) + 0.5) / np.float64(scale)
            factors = (1.0 + np.exp(-self.a * (y - self.b))).astype(np.float32)
            return cast_wrapping(image.astype(np.float32) * factors[:, None], image.dtype)


class ShadingCorrectionFilter(Filter):
    """Subtracts a polynomial of the place of a pixel; x and y go from -1 to just below 1.

    Parameters
    ----------
    method : {"QUADRATIC", "FOURTH_ORDER"}
        Kind of polynomial.
    coefficients : sequence of float
        6 or 9, the constant first.
    """

    def __init__(self, method: str, coefficients: list[float]) -> None:
        count = {"QUADRATIC": 6, "FOURTH_ORDER": 9}.get(method.upper())
        if count is None:
            raise RenderParametersError(f"Unknown shading correction method: {method}")
        if len(coefficients) < count:
            raise RenderParametersError(
                f"a {method} shading correction has {count} coefficients, not {len(coefficients)}"
            )
        self.coefficients = coefficients[:count]

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> ShadingCorrectionFilter:
        """Read `correctionMethod` and `coefficients`, which are separated by commas."""
        method = parameters.text("correctionMethod")
        fields = parameters.text("coefficients").split(",")
        while fields and not fields[-1]:
            fields.pop()
        return cls(method, [data_strings.parse_double(field.strip()) for field in fields])

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; colours become gray."""
        height, width = image.shape[:2]
        c = self.coefficients
        x = (2.0 * np.arange(width) / width - 1.0)[None, :]
        y = (2.0 * np.arange(height) / height - 1.0)[:, None]
        with np.errstate(all="ignore"):
            if len(c) == 6:
                shade = c[5] * x * x + c[4] * x * y + c[3] * y * y + c[2] * x + c[1] * y + c[0]
            else:
                xx, yy = x * x, y * y
                shade = (
                    c[8] * xx * xx + c[7] * xx * yy + c[6] * yy * yy + c[5] * xx + c[4] * x * y + c[3] * yy
                )
                shade = shade + c[2] * x + c[1] * y + c[0]
            if image.ndim == 3:
                values = image.astype(np.float64).sum(axis=2) / 3
                return np.repeat(clamped(values - shade, image.dtype)[..., None], 3, axis=2)
            return clamped(image.astype(np.float64) - shade, image.dtype)


class Invert(Filter):
    """Exchanges dark and bright: all bits of a pixel, also those of floating point numbers."""

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> Invert:
        """Make one; there are no parameters."""
        return cls()

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; only the pixels matter."""
        if image.dtype.kind == "f":
            return (~image.astype(np.float32).view(np.uint32)).view(np.float32)
        return np.invert(image)


class EqualizeHistogram(Filter):
    """Spreads values so that the square roots of their frequencies are equal (ImageJ's equalization)."""

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> EqualizeHistogram:
        """Read `saturatedPixels`, which has no effect."""
        parameters.double("saturatedPixels")
        return cls()

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; scale and display range do not matter."""
        require_gray(image, self)
        if image.dtype.kind == "f":
            raise RenderParametersError(
                "the filter EqualizeHistogram is for 8-bit and 16-bit images, not for 32-bit ones"
            )
        top = int(np.iinfo(image.dtype).max)
        counts = np.bincount(image.ravel(), minlength=top + 1).astype(np.float64)
        g = np.where(counts < 2, counts, np.sqrt(counts))
        # sums from left to right, as the original adds them
        total = np.cumsum(np.concatenate([g[:1], 2 * g[1:top], g[top:]]))[-1]
        table = np.zeros(top + 1, image.dtype)
        table[top] = top
        running = np.cumsum(np.concatenate([g[:1], np.repeat(g[1:top], 2)]))[1::2]
        with np.errstate(all="ignore"):
            table[1:top] = clamped(np.floor(running * (top / total) + 0.5) - 0.5, image.dtype)
        return table[image]
