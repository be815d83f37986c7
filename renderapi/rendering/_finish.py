"""Display ranges, conversions between kinds of images, and the last step from canvas to answer.

The arithmetic is that of ImageJ (ranges, conversions) and Java2D (composition), step by step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from renderapi.rendering._parameters import Parameters

    Image = NDArray[Any]
    Bytes = NDArray[np.uint8]


# ------------------------------------------------------------------------------ display ranges


def range_table8(low: float, high: float) -> Bytes:
    """Look up table of an 8-bit display range, for 0 ... 255."""
    values = np.arange(256, dtype=np.uint8)
    if high < low:
        return values
    bottom, top = int(np.floor(low + 0.5)), int(np.floor(high + 0.5))
    if bottom == 0 and top == 255:
        return values
    levels = np.arange(256) - bottom
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = np.trunc(256.0 * levels / (top - bottom))
    table: Bytes = np.nan_to_num(np.clip(shown, 0, 255), nan=0.0).astype(np.uint8)
    return table


@lru_cache(maxsize=4)
def range_table16(low: float, high: float) -> Bytes:
    """Look up table of the display range of a 16-bit image, as `imagej_range`: 8-bit values for 0 ... 65535.

    Only what is above 255 is cut: a range whose end lies before its begin gives what is left in 8 bits of
    negative values.
    """
    bottom, top = int(low), int(high)
    values = np.maximum(np.arange(65536) - bottom, 0).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        table = _cut8(values * (np.float64(256.0) / (top - bottom + 1)) + 0.5)
    table.flags.writeable = False
    return table


def _limits16(low: float, high: float) -> tuple[int, int]:
    return int(max(low, 0.0)), int(min(high, 65535.0))


def _cut8(values: Image) -> Bytes:
    # Java's cast to an integer, at most 255, and the lowest 8 bits of it
    whole = np.clip(np.nan_to_num(values, nan=0.0), -(2.0**31), 255.0).astype(np.int64)
    lowest: Bytes = (whole & 255).astype(np.uint8)
    return lowest


def imagej_range(image: Image, low: float, high: float, compat: str) -> tuple[float, float] | None:
    """Round a display range to what ImageJ remembers of it for an image.

    Parameters
    ----------
    image : array
        Its kind decides: limits of 8-bit images are rounded, those of 16-bit and colour images truncated, those
        of floating point images single precision.
    low, high : float
        Display range. (0, 0) stands for the extremes of 16-bit and floating point images.
    compat : {"master", "newsolver"}
        With newsolver, whose ImageJ is a later one, limits of 16-bit images are rounded, and may lie outside
        of what pixels can be.

    Returns
    -------
    tuple of float or None
        None if the range ends before it begins and the image keeps the one it has.
    """
    if image.dtype == np.uint8:
        if high < low:
            return None
        if image.ndim == 3:
            return float(int(low)), float(int(high))
        return float(np.floor(low + 0.5)), float(np.floor(high + 0.5))
    if low == 0 and high == 0:
        shown = image[np.isfinite(image)] if image.dtype == np.float32 else image
        return (float(shown.min()), float(shown.max())) if shown.size else (0.0, 0.0)
    if image.dtype == np.uint16 and compat == "newsolver":
        return float(np.floor(low + 0.5)), float(np.floor(high + 0.5))
    if image.dtype == np.uint16:
        bottom, top = _limits16(low, high)
        return float(bottom), float(top)
    return float(np.float32(low)), float(np.float32(high))


def in_range_of_colour(pixels: Bytes, low: float, high: float) -> Bytes:
    """Apply a display range to the pixels of a colour image; the range that changes nothing gives the same array.

    The limits are truncated, but not the span between them.
    """
    if high < low:
        return pixels
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = 256.0 * (np.arange(256) - int(low)) / np.float64(high - low)
    table = np.clip(np.trunc(np.nan_to_num(scaled, nan=0.0)), 0, 255).astype(np.uint8)
    if pixels.size == 0 or np.array_equal(table, np.arange(256)):
        return pixels
    return _looked_up(table, pixels.reshape(len(pixels), -1)).reshape(pixels.shape)


def _in_range8(pixels: Bytes, low: float, high: float) -> Bytes:
    # the range that changes nothing gives the same array
    table = range_table8(low, high)
    return pixels if np.array_equal(table, np.arange(256)) else _looked_up(table, pixels)


def _shown(gray: Image, low: float, high: float) -> Bytes:
    # 8-bit values of a gray image in its display range
    if gray.dtype == np.uint8:
        return _in_range8(gray, low, high)
    if gray.dtype == np.uint16:
        return _looked_up(range_table16(low, high), gray)
    bottom = float(np.float32(low))
    with np.errstate(all="ignore"):
        scale = np.float64(255.0) / (float(np.float32(high)) - bottom)
        return _cut8(np.fmax(gray.astype(np.float64) - bottom, 0.0) * scale + 0.5)


# ------------------------------------------------------------------------------ kinds of images


def as_planes(image: Image, canvas: Image, low: float, high: float) -> Image:
    """Bring an image to planes of the kind of a canvas.

    Parameters
    ----------
    image : (h, w) or (h, w, 3) array
        Image.
    canvas : (P, H, W) array
        Canvas, one or three planes.
    low, high : float
        Display range of the image, by which it becomes an 8-bit one.

    Returns
    -------
    (P, h, w) array
        uint8, uint16 or float32, as the canvas.
    """
    if len(canvas) == 3:
        if image.ndim == 3:
            return np.ascontiguousarray(np.moveaxis(image, -1, 0))
        return np.stack([_shown(image, low, high)] * 3)
    gray = gray_of_colour(image) if image.ndim == 3 else image
    if gray.dtype != canvas.dtype:
        if canvas.dtype == np.uint8:
            gray = _shown(gray, low, high)
        elif gray.dtype == np.float32:
            gray = _scaled16(gray, low, high)
        else:
            gray = gray.astype(canvas.dtype)
    return gray[None]


def _scaled16(values: Image, low: float, high: float) -> NDArray[np.uint16]:
    # the display range of a floating point image becomes 0 ... 65535
    span = float(np.float32(high)) - float(np.float32(low))
    with np.errstate(all="ignore"):
        scaled = (values.astype(np.float64) - float(np.float32(low))) * (65535.0 / span if span else 1.0)
        whole = np.clip(np.nan_to_num(scaled, nan=0.0), 0, 65535) + 0.5
    scaled16: NDArray[np.uint16] = whole.astype(np.uint16)
    return scaled16


@dataclass
class Canvas:
    """What tiles are painted on.

    Attributes
    ----------
    pixels : (1, H, W) uint8, uint16 or float32 array, or (3, H, W) uint8 array
        Values: one plane of gray, or red, green and blue.
    alpha : (H, W) uint8 array or None
        How opaque they are; None without masks.
    low, high : float
        Display range of the last tile.
    """

    pixels: Image
    alpha: Image | None
    low: float
    high: float

    @property
    def colour(self) -> bool:
        """Whether the canvas has three planes."""
        return len(self.pixels) == 3

    def show(self, low: float, high: float, compat: str) -> None:
        """Take over the display range that the image of a tile has; colours are changed by it at once."""
        planes = np.moveaxis(self.pixels, 0, -1) if self.colour else self.pixels[0]
        self.low, self.high = imagej_range(planes, low, high, compat) or (self.low, self.high)
        if self.colour:
            self.pixels = in_range_of_colour(self.pixels, low, high)


def planes_for(canvas: Canvas, first: Canvas) -> Image:
    """Return the planes of a canvas to be averaged with another one: gray values are taken as they are."""
    if not canvas.colour and not first.colour:
        return canvas.pixels
    image = np.moveaxis(canvas.pixels, 0, -1) if canvas.colour else canvas.pixels[0]
    return as_planes(image, first.pixels, canvas.low, canvas.high)


def gray_of_colour(image: Image) -> Bytes:
    """Return the unweighted mean of red, green and blue, as ImageJ's conversion to gray."""
    red, green, blue = (image[..., band].astype(np.float64) for band in range(3))
    return np.asarray(red / 3 + green / 3 + blue / 3 + 0.5).astype(np.uint8)


def to_gray(rgba: Bytes) -> Bytes:
    """Make an 8-bit gray image as a server does for ``convertToGray``.

    Parameters
    ----------
    rgba : (H, W, 4) uint8 array
        Image, as `render` gives it.

    Returns
    -------
    (H, W) uint8 array
        Luminance over black.
    """
    # at most 256 * 255 + 128
    sums = np.full(rgba.shape[:2], 128, np.uint16)
    for band, weight in enumerate((77, 150, 29)):
        sums += np.multiply(rgba[..., band], weight, dtype=np.uint16)
    gray = (sums >> 8).astype(np.uint8)
    alpha = rgba[..., 3]
    over_black: Bytes = gray if (alpha == 255).all() else _MULTIPLIED[alpha, gray]
    return over_black


# ------------------------------------------------------------------------------ composition of Java2D


def product(a: Bytes, b: Bytes) -> Bytes:
    """Multiply bytes that stand for 0 ... 1, and round, as Java2D does."""
    products = a * b.astype(np.uint32)
    products *= np.uint32(0x10101)
    products += np.uint32(0x800000)
    products >>= np.uint32(24)
    return products.astype(np.uint8)


def _quotient_table() -> Bytes:
    # [a, v]: v * 255 / a as Java2D rounds it, 255 where v is at least a
    a, v = np.arange(256, dtype=np.uint64)[:, None], np.arange(256, dtype=np.uint64)[None, :]
    inverse = (np.uint64(0xFF000000) + (a >> 1)) // np.maximum(a, 1)
    divided = (np.uint64(0x800000) + v * inverse) >> 24
    return np.where(v >= a, 255, divided).astype(np.uint8)


_BYTES = np.arange(256, dtype=np.uint8)
_MULTIPLIED = product(_BYTES[:, None], _BYTES[None])
_DIVIDED = _quotient_table()
# [a, v]: the colour that is left of v with alpha a on a transparent image
_UNCOMPOSED = np.take_along_axis(_DIVIDED, _MULTIPLIED, axis=1)
_UNCOMPOSED[0] = 0


def rgba(canvas: Canvas, parameters: Parameters) -> Bytes:
    """Return the final image of a canvas: display range, alpha, background; cut to the size of the answer."""
    height, width = parameters.size
    planes = canvas.pixels[:, :height, :width]
    if canvas.alpha is None and not canvas.colour and planes.dtype != np.float32:
        wide = planes.dtype == np.uint16
        table = (range_table16 if wide else range_table8)(canvas.low, canvas.high)
        return _looked_up(np.stack([table] * 3 + [np.full_like(table, 255)], axis=-1), planes[0])
    background = None if canvas.alpha is None else _background(parameters)
    out = np.empty((height, width, 4), np.uint8)
    # the steps between need several times the memory of what they work on
    count = max(1, _BAND // width)
    for row in range(0, height, count):
        rows = slice(row, row + count)
        alpha = None if canvas.alpha is None else canvas.alpha[:height, :width][rows]
        if alpha is not None and parameters.binary_mask:
            alpha = np.where(alpha == 255, np.uint8(255), np.uint8(0))
        behind = None if background is None else background[:, rows]
        out[rows] = _composed(_displayed(planes[:, rows], canvas), alpha, behind)
    return out


_BAND = 1 << 18


def _displayed(planes: Image, canvas: Canvas) -> Bytes:
    # 8-bit planes, one or three, in the display range
    return planes if canvas.colour else _shown(planes[0], canvas.low, canvas.high)[None]


def _gray_with_alpha() -> Bytes:
    table = np.empty((256, 256, 4), np.uint8)
    table[..., :3] = _UNCOMPOSED[..., None]
    table[..., 3] = np.arange(256)[:, None]
    return table.reshape(-1, 4)


_GRAY_WITH_ALPHA = _gray_with_alpha()


def _looked_up(table: Bytes, index: Image) -> Bytes:
    """Look up (H, W) values in a table of (N,) values or (N, 4) bytes."""
    # one look-up of four bytes is several times faster than four of one
    entries = np.ascontiguousarray(table).view(np.uint32)[:, 0] if table.ndim == 2 else table
    out = np.empty(index.shape, entries.dtype)
    # numpy makes wide indices of narrow ones: of a few rows they stay in the cache of a core
    for row in range(0, len(index), _ROWS):
        part = slice(row, row + _ROWS)
        np.take(entries, index[part], out=out[part], mode="clip")
    return out.view(np.uint8).reshape(*index.shape, 4) if table.ndim == 2 else out


_ROWS = 32


def _composed(planes: Bytes, alpha: Bytes | None, background: Bytes | None) -> Bytes:
    if len(planes) == 1 and background is None and alpha is not None:
        return _looked_up(_GRAY_WITH_ALPHA, alpha.astype(np.uint16) << 8 | planes[0])
    out = np.empty((*planes.shape[1:], 4), np.uint8)
    for band in range(3):
        plane = planes[band % len(planes)]
        if alpha is None:
            out[..., band] = plane
        elif background is None:
            out[..., band] = _UNCOMPOSED[alpha, plane]
        else:
            out[..., band] = _MULTIPLIED[alpha, plane] + _MULTIPLIED[255 - alpha, background[band]]
    out[..., 3] = 255 if alpha is None or background is not None else alpha
    return out


def _background(parameters: Parameters) -> Bytes | None:
    # three planes
    height, width = parameters.size
    if parameters.background is not None:
        colour = [parameters.background >> shift & 255 for shift in (16, 8, 0)]
        return np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, height, width))
    if parameters.noise:
        noise = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
        return np.broadcast_to(noise, (3, height, width))
    return None


@dataclass(frozen=True)
class Painting:
    """What was painted, before anything is made of it for the eye.

    Attributes
    ----------
    values : (H, W) uint8, uint16 or float32 array
        Gray values as they are in the sources, whatever the display range; of colours their luminance. 0 where
        no tile is. Masks leave their mark on the values: what is half opaque is half as bright.
    opacity : (H, W) uint8 array or None
        How opaque the values are, 255 where fully; None if no tile has a mask.
    low, high : float
        Display range of the last tile that was painted.
    blank : bool
        Whether every image is of one value, before filters and masks.
    """

    values: Image
    opacity: Bytes | None
    low: float
    high: float
    blank: bool = False


def painting(canvas: Canvas) -> Painting:
    """Return a canvas as it was painted: not cut, no display range applied but to colours."""
    if canvas.colour:
        red, green, blue = (plane.astype(np.float32) for plane in canvas.pixels)
        values: Image = np.float32(0.3) * red + np.float32(0.6) * green + np.float32(0.1) * blue
        return Painting(values, canvas.alpha, 0.0, 255.0)
    return Painting(canvas.pixels[0], canvas.alpha, canvas.low, canvas.high)


def gray8(canvas: Canvas, parameters: Parameters) -> Bytes:
    """Return the 8-bit gray image of a canvas."""
    height, width = parameters.size
    planes = canvas.pixels[:, :height, :width]
    if canvas.colour:
        return gray_of_colour(np.moveaxis(planes, 0, -1))
    # an 8-bit image needs no conversion, which is what applies the range
    return planes[0].copy() if planes.dtype == np.uint8 else _shown(planes[0], canvas.low, canvas.high)


def gray16(canvas: Canvas, parameters: Parameters) -> NDArray[np.uint16]:
    """Return the 16-bit gray image of a canvas; display ranges count for floating point images only."""
    height, width = parameters.size
    planes = canvas.pixels[:, :height, :width]
    if canvas.colour:
        return gray_of_colour(np.moveaxis(planes, 0, -1)).astype(np.uint16)
    if planes.dtype == np.float32:
        return _scaled16(planes[0], canvas.low, canvas.high)
    raw: NDArray[np.uint16] = planes[0].astype(np.uint16)
    return raw
