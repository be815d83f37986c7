"""Pixels as files: the formats in which render-ws gives its images."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from renderapi.rendering._finish import product
from renderapi.rendering.errors import RenderParametersError

JPEG_QUALITY = 0.85
#: Kinds of images of 16 bits; `encode` wants (H, W) uint16 for them.
SIXTEEN_BIT = frozenset({"tiff16", "png16", "raw16"})
#: Every kind that `encode` knows.
KINDS = ("jpeg", "png", "tiff", "tiff16", "png16", "raw", "raw16")

# a part of an image of about this size is converted at once, so that a large image is not copied as a whole
_BAND_BYTES = 1 << 20
# what libjpeg takes in each direction, in Java too
_JPEG_SIDE = 65500
# ITU-T T.81, tables K.1 and K.2
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)
_TIFF_BYTES = (1 << 32) - 1024


def encode(
    pixels: npt.NDArray[Any], kind: str, *, quality: float = JPEG_QUALITY, gray: bool = False
) -> bytes:
    """Encode an image as render-ws does.

    =========================  ==========================================================================
    kind                       content
    =========================  ==========================================================================
    ``jpeg``                   RGB, drawn over black; 8-bit gray if `gray`
    ``png``                    8-bit RGBA
    ``tiff``                   24-bit RGB, uncompressed; alpha is dropped, not applied
    ``tiff16``, ``png16``      16-bit gray, the TIFF uncompressed
    ``raw``                    4 bytes per pixel, row by row: alpha, red, green, blue
    ``raw16``                  2 bytes per pixel, row by row, big-endian
    =========================  ==========================================================================

    Parameters
    ----------
    pixels : (H, W, 4) uint8 array, or (H, W) uint16 or uint8 array
        RGBA, not premultiplied; for the kinds of 16 bits the gray values. Of 8-bit gray values ``jpeg`` and
        ``tiff`` are 8-bit gray, and ``raw`` has 1 byte per pixel.
    kind : str
        One of the table.
    quality : float
        Quality of a JPEG, from 0 to 1.
    gray : bool
        Whether a JPEG is to be gray (``convertToGray``); the other kinds ignore it.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ValueError
        If `kind` is none of these, or `pixels` do not fit it.
    RenderParametersError
        If the image is larger than the format allows, or `quality` is not from 0 to 1.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, not one of {', '.join(KINDS)}")
    fits = (
        pixels.ndim == 2 and pixels.dtype == np.uint16
        if kind in SIXTEEN_BIT
        else pixels.dtype == np.uint8 and (pixels.shape[2:] == (4,) or (pixels.ndim == 2 and kind != "png"))
    )
    if not fits or not pixels.size:
        raise ValueError(f"{kind} cannot hold an array of shape {pixels.shape} and type {pixels.dtype}")
    check_size(pixels.shape[1], pixels.shape[0], kind)
    if kind == "jpeg":
        if not 0 <= quality <= 1:
            raise RenderParametersError(f"quality is {quality}; it must be from 0 to 1")
        return _jpeg(pixels, quality, gray)
    if kind in ("raw", "raw16"):
        return _raw(pixels, kind)
    from PIL import Image

    out = BytesIO()
    if kind in ("png", "png16"):
        # on micrographs level 1 is nearly as small as level 6, and four times as fast
        Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    elif kind == "tiff16":
        # as ImageJ writes them: big-endian
        order = np.ascontiguousarray(pixels.astype(">u2"))
        size = (pixels.shape[1], pixels.shape[0])
        Image.frombytes("I;16B", size, order.tobytes()).save(out, "TIFF")
    else:
        Image.fromarray(np.ascontiguousarray(pixels[..., :3] if pixels.ndim == 3 else pixels)).save(
            out, "TIFF"
        )
    return out.getvalue()


def check_size(width: int, height: int, kind: str) -> None:
    """Tell whether an image fits into its format, before it is made.

    Parameters
    ----------
    width, height : int
        Pixels in each direction.
    kind : str
        One of `KINDS`.

    Raises
    ------
    RenderParametersError
        If it does not.
    """
    if kind == "jpeg" and max(width, height) > _JPEG_SIDE:
        raise RenderParametersError(
            f"a JPEG image has at most {_JPEG_SIDE} pixels in each direction, not {width} x {height}"
        )
    if kind in ("tiff", "tiff16") and width * height * (3 if kind == "tiff" else 2) > _TIFF_BYTES:
        raise RenderParametersError(f"an image of {width} x {height} pixels is too large for a TIFF file")


def over_black(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Draw an image over black, with the multiplication of bytes that Java2D has.

    Parameters
    ----------
    rgba : (H, W, 4) uint8 array
        The image, not premultiplied.

    Returns
    -------
    (H, W, 4) uint8 array
        ``round(alpha * value / 255)``, opaque.
    """
    drawn = np.empty_like(rgba, order="C")
    for rows in _band_slices(rgba):
        drawn[rows, :, :3] = product(rgba[rows, :, :3], rgba[rows, :, 3:])
    # the encoder takes rows of four bytes as they are, and would copy rows of three
    drawn[:, :, 3] = 255
    return drawn


def _jpeg(rgba: npt.NDArray[np.uint8], quality: float, gray: bool) -> bytes:
    from PIL import Image

    height, width = rgba.shape[:2]
    shown: npt.NDArray[np.uint8]
    gray |= rgba.ndim == 2
    if rgba.ndim == 2:
        mode, shown = "L", rgba
    elif gray:
        from renderapi.rendering import to_gray

        mode, shown = "L", to_gray(rgba)
    else:
        mode, shown = "RGBX", rgba if rgba[:, :, 3].min() == 255 else over_black(rgba)
    image = Image.frombuffer(mode, (width, height), np.ascontiguousarray(shown), "raw", mode, 0, 1)
    out = BytesIO()
    image.save(out, "JPEG", qtables=jpeg_tables(quality, gray), subsampling="4:2:0")
    return out.getvalue()


def jpeg_tables(quality: float, gray: bool = False) -> list[list[int]]:
    """Return the quantisation tables of a JPEG as Java writes them.

    The tables of the standard (ITU-T T.81, K.1), scaled as libjpeg scales them, but in single precision and
    truncated after a half was added: at 0.85 some entries are one less than libjpeg's.

    Parameters
    ----------
    quality : float
        From 0 to 1.
    gray : bool
        Whether only the table of luminance is wanted.

    Returns
    -------
    list of list of int
        64 values each, from 1 to 255, row by row.
    """
    value = np.float32(max(quality, 0.01))
    scale = np.float32(2) - value * np.float32(2) if value >= 0.5 else np.float32(0.5) / value
    tables = (_LUMINANCE,) if gray else (_LUMINANCE, _CHROMINANCE)
    return [
        np.clip((np.array(table, np.float32) * scale + np.float32(0.5)).astype(np.int64), 1, 255).tolist()
        for table in tables
    ]


def _band_slices(pixels: npt.NDArray[Any]) -> Iterator[slice]:
    rows = max(1, _BAND_BYTES // pixels[0].nbytes)
    for first in range(0, len(pixels), rows):
        yield slice(first, first + rows)


def _raw(pixels: npt.NDArray[Any], kind: str) -> bytes:
    if kind == "raw16":
        return pixels.astype(">u2").tobytes()
    if pixels.ndim == 2:
        return pixels.tobytes()
    argb = np.empty_like(pixels)
    argb[:, :, 0] = pixels[:, :, 3]
    argb[:, :, 1:] = pixels[:, :, :3]
    return argb.tobytes()
