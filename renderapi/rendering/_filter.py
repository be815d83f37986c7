"""What a filter of source images is, and how its parameters are read."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderapi.errors import SpecError
from renderapi.rendering._parameters import boolean_of
from renderapi.rendering.errors import RenderParametersError
from renderapi.transform import data_strings

Image = NDArray[Any]


class FilterParameters(NamedTuple):
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
            number = float(data_strings.parse_integer(value.strip()) if isinstance(value, str) else value)
        except (SpecError, TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not number.is_integer():
            raise RenderParametersError(f"{text}; it must be a whole number")
        if not least <= number <= most:
            raise RenderParametersError(f"{text}; it must be from {least} to {most}")
        return int(number)

    def boolean(self, name: str) -> bool:
        """Read true or false."""
        value, text = self._value(name)
        return boolean_of(value, text.rpartition(" is ")[0])

    def text(self, name: str) -> str:
        """Return the text of a parameter, in which numbers may have been sent as such."""
        value = self.values.get(name)
        if value is None:
            raise RenderParametersError(f"'{name}' is not defined")
        if isinstance(value, bool):
            return str(value).lower()
        return value if isinstance(value, str) else str(value)

    def double(self, name: str) -> float:
        """Read a number as Java's ``Double.parseDouble``, which may be NaN or infinite."""
        try:
            return data_strings.parse_double(self.text(name).strip())
        except SpecError:
            if self.values.get(name) is None:
                raise
            raise RenderParametersError(f"failed to parse '{name}' parameter") from None

    def integer(self, name: str) -> int:
        """Read a number as Java's ``Integer.parseInt``."""
        text = self.text(name)
        try:
            return data_strings.parse_integer(text)
        except SpecError:
            raise RenderParametersError(f"failed to parse '{name}' parameter") from None

    def _number(self, name: str, *, single: bool) -> float:
        value, text = self._value(name)
        read = data_strings.parse_float32 if single else data_strings.parse_double
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
            raise RenderParametersError(f"'{name}' is not defined")
        return value, f"the parameter {name} of the filter {self.class_name} is {value!r:.100}"


def compiled_windows() -> ModuleType | None:
    """Return the compiled filters where numba is loaded already, as it is when it paints."""
    if sys.modules.get("numba") is None:
        return None
    from renderapi.rendering import _windows_compiled

    return _windows_compiled


def scaled_radius(radius: int, scale: float) -> int:
    # Java's Math.round
    return math.floor(radius * scale + 0.5)


def display_range(image: Image, low: float, high: float) -> tuple[float, float]:
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
    def from_parameters(cls, parameters: FilterParameters) -> Filter:
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


def require_gray(image: Image, step: Filter) -> None:
    """Refuse a colour image for a filter of gray ones.

    Raises
    ------
    RenderParametersError
        If it is one.
    """
    if image.ndim == 3:
        raise RenderParametersError(
            f"the filter {type(step).__name__} is for gray images; this one is in colour"
        )
