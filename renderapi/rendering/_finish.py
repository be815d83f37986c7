"""Display ranges, conversions between kinds of images, and the last step from canvas to answer.

The arithmetic is that of ImageJ (ranges, conversions) and Java2D (composition), step by step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from renderapi.rendering._parameters import Parameters
    from renderapi.rendering._renderer import Canvas

    Image = NDArray[Any]
    Bytes = NDArray[np.uint8]


# ------------------------------------------------------------------------------ display ranges


def range_table8(low: float, high: float) -> Bytes:
    """Give what an 8-bit display range makes of 0 ... 255."""
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
    """Give what the display range of a 16-bit image makes of 0 ... 65535, as 8-bit values."""
    bottom, top = (int(np.clip(np.trunc(limit), 0, 65535)) for limit in (low, high))
    values = np.maximum(np.arange(65536) - bottom, 0)
    table = np.clip(np.trunc(values * (256.0 / (top - bottom + 1)) + 0.5), 0, 255).astype(np.uint8)
    table.flags.writeable = False
    return table


def in_range(pixels: Bytes, low: float, high: float) -> Bytes:
    """Apply a display range to 8-bit pixels; the range that changes nothing gives the same array."""
    table = range_table8(low, high)
    if np.array_equal(table, np.arange(256)):
        return pixels
    return _looked_up(table, pixels.reshape(len(pixels), -1)).reshape(pixels.shape)


def _shown(gray: Image, low: float, high: float) -> Bytes:
    # 8-bit values of a gray image in its display range
    if gray.dtype == np.uint8:
        return in_range(gray, low, high)
    if gray.dtype == np.uint16:
        return _looked_up(range_table16(low, high), gray)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = (gray - np.float32(low)) * np.float32(256.0 / (high - low))
    shown: Bytes = np.nan_to_num(np.clip(np.trunc(scaled), 0, 255)).astype(np.uint8)
    return shown


# ------------------------------------------------------------------------------ kinds of images


def converted(image: Image, canvas: Image, low: float, high: float) -> Image:
    """Give an image as planes (P, h, w) of the kind of a canvas.

    Parameters
    ----------
    image : (h, w) or (h, w, 3) array
        Image.
    canvas : (P, H, W) array
        Canvas, one or three planes.
    low, high : float
        Display range of the image, by which it becomes an 8-bit one.
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
            gray = _rounded16(gray)
        else:
            gray = gray.astype(canvas.dtype)
    return gray[None]


def _rounded16(values: Image) -> Image:
    return np.clip(np.floor(values + np.float32(0.5)), 0, 65535).astype(np.uint16)


def planes_for(canvas: Canvas, first: Canvas) -> Image:
    """Give the planes of a canvas as those of another one, to be averaged with it."""
    image = np.moveaxis(canvas.pixels, 0, -1) if canvas.colour else canvas.pixels[0]
    return converted(image, first.pixels, canvas.low, canvas.high)


def gray_of_colour(image: Image) -> Bytes:
    """Give the unweighted mean of red, green and blue, as ImageJ's conversion to gray."""
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
        sums += rgba[..., band] * np.uint16(weight)
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
    """Give the final image of a canvas: display range, alpha, background; cut to the size of the answer."""
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


def gray8(canvas: Canvas, parameters: Parameters) -> Bytes:
    """Give the 8-bit gray image of a canvas."""
    height, width = parameters.size
    planes = canvas.pixels[:, :height, :width]
    if canvas.colour:
        return gray_of_colour(np.moveaxis(planes, 0, -1))
    return _shown(planes[0], canvas.low, canvas.high)


def gray16(canvas: Canvas, parameters: Parameters) -> NDArray[np.uint16]:
    """Give the 16-bit gray image of a canvas; display ranges do not count."""
    height, width = parameters.size
    planes = canvas.pixels[:, :height, :width]
    if canvas.colour:
        return gray_of_colour(np.moveaxis(planes, 0, -1)).astype(np.uint16)
    return _rounded16(planes[0]) if planes.dtype == np.float32 else planes[0].astype(np.uint16)
