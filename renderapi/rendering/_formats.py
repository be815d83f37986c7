"""Image files become arrays: PNG, JPEG, GIF, BMP and PGM with Pillow, TIFF with tifffile, also in ZIP archives.

What a file becomes is what ImageJ's ``Opener`` makes of it, because that is what render-ws reads with, as
far as arrays can say it:

* gray images of 1, 2, 4 or 8 bits become uint8 (0 ... 255), of 12 or 16 bits uint16; signed 16-bit TIFFs are
  raised by 32768; other integers and floating point numbers become float32;
* colour becomes (H, W, 3) uint8; alpha is dropped; a JPEG whose three channels are equal is a gray image;
* images with a palette become the colours of the palette, or gray where all its colours are gray;
* samples of a gray TIFF are taken as they are stored: that white is zero, and a palette of gray (what Fiji's
  "Convert to Mask" writes), are for display only.

A file that is cut off is an error, never half an image.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast
from zipfile import ZipFile

import numpy as np

from renderapi import _pillow
from renderapi._extras import install_line
from renderapi.rendering._cache import Array

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile
    from tifffile import TiffFile, TiffPage

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_ZIP_SIGNATURE = b"PK\3\4"
_MOST_BYTES_OF_PIXEL = 8

# CCITT, LZW, JPEG, deflate and PackBits; zstd knows no bound
_BOUNDED_COMPRESSIONS = (2, 3, 4, 5, 6, 7, 8, 32773, 32946)
_INSTALL = install_line("render")


class UnreadableImageError(ValueError):
    """Why an image cannot be read."""


def decode(file: BinaryIO, *, slice_number: int | None = None, max_pixels: int) -> Array:
    """Read an image.

    Parameters
    ----------
    file : binary file
        At its beginning; it is left open.
    slice_number : int, optional
        Which image of a TIFF stack, counted from 1 as ImageJ does; None for the first image of any file.
    max_pixels : int
        Images of more pixels are refused before memory is taken for them.

    Returns
    -------
    (H, W) uint8, uint16 or float32, or (H, W, 3) uint8 array
        In native byte order and C order.

    Raises
    ------
    UnreadableImageError
        If it is no image, damaged, cut off, too large, or of a kind that cannot be read.
    """
    file, start, size = _unpacked(file, max_pixels)
    try:
        if start.startswith(TIFF_SIGNATURES):
            array = _tiff(file, size, slice_number, max_pixels)
        elif slice_number is not None:
            raise UnreadableImageError("it is not a TIFF stack")
        else:
            array = _picture(file, start, size, max_pixels)
    except UnreadableImageError:
        raise
    except MemoryError:
        raise UnreadableImageError("there is not enough memory for it") from None
    except Exception as error:  # over garbled bytes a decoder may stumble in any way
        raise UnreadableImageError(f"it is damaged or cut off ({_short(error)})") from error
    if array.dtype.byteorder not in "=|" or not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return np.ascontiguousarray(array)


def _unpacked(file: BinaryIO, max_pixels: int) -> tuple[BinaryIO, bytes, int]:
    """Return an image file, its first bytes and its size; of a ZIP archive the first file, as ImageJ opens it."""
    start = file.read(8)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if not start.startswith(_ZIP_SIGNATURE):
        return file, start, size
    try:
        with ZipFile(file) as archive:
            first = archive.infolist()[0]
            # of a file that may be a bomb no more is unpacked than the largest image has
            if first.file_size > _MOST_BYTES_OF_PIXEL * max_pixels:
                raise UnreadableImageError(
                    f"it unpacks to {first.file_size} bytes, more than an image may have"
                )
            content = archive.read(first)
    except UnreadableImageError:
        raise
    except Exception as error:  # zipfile and zlib have many kinds of errors
        raise UnreadableImageError(f"it is damaged or cut off ({_short(error)})") from error
    return io.BytesIO(content), content[:8], len(content)


class Description(NamedTuple):
    """What the header of an image file says: its size, the pixels that `decode` makes of it, and how many images."""

    width: int
    height: int
    dtype: str
    colour: bool
    slices: int


def describe(file: BinaryIO, *, max_pixels: int) -> Description:
    """Read the header of an image; its pixels are not looked at.

    Parameters
    ----------
    file : binary file
        At its beginning; it is left open.
    max_pixels : int
        Larger images are refused.

    Returns
    -------
    Description
        Of the first image, and how many there are.

    Raises
    ------
    UnreadableImageError
        If it is no image, damaged, too large, or of a kind that cannot be read.
    """
    file, start, size = _unpacked(file, max_pixels)
    try:
        found = _described_tiff(file, size) if start.startswith(TIFF_SIGNATURES) else None
        if found is None:
            found = _described_picture(file, start)
    except UnreadableImageError:
        raise
    except Exception as error:  # over garbled bytes a decoder may stumble in any way
        raise UnreadableImageError(f"it is damaged or cut off ({_short(error)})") from error
    check_size(found.height, found.width, max_pixels)
    return found


def _described_tiff(file: BinaryIO, size: int) -> Description | None:
    try:
        import tifffile
    except ImportError:
        return None
    with tifffile.TiffFile(file) as tiff:
        page = _page(tiff, None)
        _check_page(page, size, max_pixels=page.imagelength * page.imagewidth)
        count = len(tiff.pages)
        if _is_one_block(tiff):
            count = int((tiff.imagej_metadata or {})["images"])
        # what the pixels would become is asked of one of them
        colour = int(page.photometric) in (2, 6)
        one = np.zeros((1, 1), page.dtype)
        dtype = np.uint8 if colour or int(page.photometric) == 3 else _gray(one, page.bitspersample).dtype
        return Description(page.imagewidth, page.imagelength, np.dtype(dtype).name, colour, count)


_DTYPES = {"F": "float32", "I": "float32"}


def _described_picture(file: BinaryIO, start: bytes) -> Description:
    made = _decoder(start)
    with made(_WholeFile(file)) as image:
        mode, count = image.mode, getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        wide = mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM"))
        dtype = "uint16" if wide else _DTYPES.get(mode, "uint8")
        return Description(image.width, image.height, dtype, mode in ("RGB", "RGBA", "RGBX"), count)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def check_size(height: int, width: int, max_pixels: int) -> None:
    """Refuse a size that is none, or too large.

    Raises
    ------
    UnreadableImageError
        If it is so.
    """
    if height < 1 or width < 1:
        raise UnreadableImageError(f"it has {width} x {height} pixels")
    if height * width > max_pixels:
        raise UnreadableImageError(f"its {width} x {height} pixels are more than the {max_pixels} allowed")


# ---------------------------------------------------------------------------------------- Pillow


class _WholeFile(io.RawIOBase):
    """A file of which nobody may want more than it has.

    Pillow fills up what is missing if a program has set ``LOAD_TRUNCATED_IMAGES``; half an image that looks
    whole is worse than none.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        if size != 0 and not data:
            raise UnreadableImageError("it is cut off")
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _picture(file: BinaryIO, start: bytes, size: int, max_pixels: int) -> Array:
    with _decoder(start)(_WholeFile(file)) as image:
        return _loaded(image, size, max_pixels)


def _decoder(start: bytes) -> Callable[[Any], ImageFile]:
    made = _pillow.decoder(start)
    if made is None:
        raise UnreadableImageError("it is neither PNG nor JPEG nor TIFF nor GIF nor BMP nor PGM")
    return made


def _check_packed(height: int, width: int, size: int) -> None:
    """Refuse what no compression could have packed into so few bytes."""
    if not _pillow.can_hold(size, width, height):
        raise UnreadableImageError(
            f"it is damaged or cut off ({width} x {height} pixels cannot be in {size} bytes)"
        )


def _loaded(image: ImageFile, size: int, max_pixels: int) -> Array:
    check_size(image.height, image.width, max_pixels)
    _check_packed(image.height, image.width, size)
    image.load()
    pixels = np.asarray(image)
    mode = image.mode
    if mode in ("P", "PA"):
        palette = np.frombuffer(bytes(image.getpalette("RGB") or []), np.uint8).reshape(-1, 3)
        return _coloured(pixels if pixels.ndim == 2 else pixels[..., 0], palette, raw=image.format == "TIFF")
    if mode in ("RGB", "RGBA", "RGBX"):
        pixels = pixels[..., :3]
        return _gray_if_equal(pixels) if image.format == "JPEG" else pixels
    if mode == "1":
        return np.asarray(image.convert("L"))
    if mode in ("L", "LA"):
        return pixels if pixels.ndim == 2 else pixels[..., 0]
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")):
        return pixels.astype(np.uint16)  # Pillow before 10.3 has 16-bit PNGs in 32 bits
    if mode in ("I", "F"):
        return pixels.astype(np.float32, copy=False)
    raise UnreadableImageError(f"images of {mode} colour cannot be read")


def _coloured(indices: Array, palette: Array, *, raw: bool) -> Array:
    """Return the colours of a palette; where all of them are gray, one gray value: ``raw`` the index itself."""
    whole = np.zeros((256, 3), np.uint8)
    whole[: len(palette)] = palette[:256]
    used = whole[: len(palette)]
    gray = bool(np.all(used[:, :1] == used))
    if gray and raw:
        return indices
    return np.take(whole[:, 0] if gray else whole, indices, axis=0)


def _gray_if_equal(pixels: Array) -> Array:
    red, green, blue = (pixels[..., colour] for colour in range(3))
    # most colour images are known by their first rows
    for rows in (slice(0, 16), slice(16, None)):
        if not (np.array_equal(red[rows], green[rows]) and np.array_equal(red[rows], blue[rows])):
            return pixels
    return red


# ---------------------------------------------------------------------------------------- TIFF


def _tiff(file: BinaryIO, size: int, slice_number: int | None, max_pixels: int) -> Array:
    try:
        import tifffile
    except ImportError:
        return _tiff_by_pillow(file, size, slice_number, max_pixels)
    with tifffile.TiffFile(file) as tiff:
        if slice_number is not None and slice_number > 1 and _is_one_block(tiff):
            return _slice_of_block(tiff, file, size, slice_number, max_pixels)
        page = _page(tiff, slice_number)
        _check_page(page, size, max_pixels)
        try:
            pixels = page.asarray(maxworkers=1)
        except (ValueError, NotImplementedError) as error:
            if isinstance(error, ValueError) and "imagecodecs" not in str(error):
                raise
        else:
            return _of_page(page, pixels)
    # what needs imagecodecs is often what libtiff knows
    return _tiff_by_pillow(file, size, slice_number, max_pixels)


def _page(tiff: TiffFile, slice_number: int | None) -> TiffPage:
    number = 1 if slice_number is None else slice_number
    count = len(tiff.pages) if number > 1 else 1
    if not 1 <= number <= count:
        raise UnreadableImageError(_no_slice(number, len(tiff.pages)))
    tiff.pages.useframes = False
    return cast("TiffPage", tiff.pages[number - 1])


def _no_slice(number: int, count: int) -> str:
    return f"there is no slice {number}: its slices are 1 to {count}"


def _is_one_block(tiff: TiffFile) -> bool:
    """Tell a stack that ImageJ wrote with the first image's entry only, because it has 4 GB or more."""
    if not tiff.is_imagej or len(tiff.pages) > 1:
        return False
    return int((tiff.imagej_metadata or {}).get("images", 1)) > 1


def _slice_of_block(tiff: TiffFile, file: BinaryIO, size: int, number: int, max_pixels: int) -> Array:
    page = _page(tiff, None)
    count = int((tiff.imagej_metadata or {})["images"])
    if number > count:
        raise UnreadableImageError(_no_slice(number, count))
    _check_page(page, size, max_pixels)
    if page.compression != 1:
        raise UnreadableImageError("its slices are compressed, but only the first one is described")
    dtype = np.dtype(page.dtype).newbyteorder(tiff.byteorder)
    length = math.prod(page.shape) * dtype.itemsize
    file.seek(page.dataoffsets[0] + (number - 1) * length)
    data = file.read(length)
    if len(data) < length:
        raise UnreadableImageError("it is cut off")
    return _of_page(page, np.frombuffer(data, dtype).reshape(page.shape))


def _check_page(page: TiffPage, size: int, max_pixels: int) -> None:
    check_size(page.imagelength, page.imagewidth, max_pixels)
    if page.dtype is None or not 1 <= page.samplesperpixel <= 4 or page.imagedepth != 1:
        raise UnreadableImageError(
            f"{page.samplesperpixel} samples of {page.bitspersample} bits cannot be read"
        )
    offsets, counts = page.dataoffsets, page.databytecounts
    # a missing strip or tile would become black pixels, or those of an earlier image
    if not offsets or len(offsets) != len(counts) or len(offsets) < math.prod(page.chunked):
        raise UnreadableImageError("it is damaged (strips or tiles are not listed)")
    if any(offset <= 0 or count <= 0 for offset, count in zip(offsets, counts)):
        raise UnreadableImageError("it is damaged or cut off (strips or tiles are empty)")
    if max(offset + count for offset, count in zip(offsets, counts)) > size:
        raise UnreadableImageError("it is cut off")
    bits = page.imagelength * page.imagewidth * page.samplesperpixel * page.bitspersample
    if page.compression in _BOUNDED_COMPRESSIONS:
        _check_packed(page.imagelength, page.imagewidth, size)
    if page.compression == 1 and sum(counts) * 8 < bits:
        raise UnreadableImageError("it is damaged or cut off (there are fewer pixels than it says)")


def _of_page(page: TiffPage, pixels: Array) -> Array:
    photometric = int(page.photometric)
    if photometric == 3:
        if page.colormap is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
            raise UnreadableImageError("its palette is damaged")
        return _coloured(pixels, (page.colormap >> 8).astype(np.uint8).T, raw=True)
    if photometric in (2, 6):
        return _colour(pixels, planar=int(page.planarconfig) == 2)
    if photometric not in (0, 1):
        raise UnreadableImageError(f"TIFF images of photometric interpretation {photometric} cannot be read")
    if pixels.ndim == 3:  # further samples are alpha or the like
        pixels = pixels[0] if int(page.planarconfig) == 2 else pixels[..., 0]
    return _gray(pixels, page.bitspersample)


def _colour(pixels: Array, *, planar: bool) -> Array:
    if pixels.ndim == 3 and planar:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != 3 or pixels.shape[-1] < 3 or pixels.dtype != np.uint8:
        raise UnreadableImageError("colour images can be read only with 8 bits per colour")
    return pixels[..., :3]


def _gray(pixels: Array, bits: int) -> Array:
    kind, itemsize = pixels.dtype.kind, pixels.dtype.itemsize
    if kind == "b":
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif kind == "u" and itemsize == 1 and bits in (2, 4):
        pixels = pixels * np.uint8(255 // (2**bits - 1))
    elif kind == "i" and itemsize == 2:
        return (pixels.astype(np.int32) + 32768).astype(np.uint16)
    elif kind == "f" or (kind in "ui" and itemsize in (4, 8)):
        return pixels.astype(np.float32)
    elif kind != "u" or itemsize > 2:
        raise UnreadableImageError(f"pixels of type {pixels.dtype} cannot be read")
    return pixels


def _tiff_by_pillow(file: BinaryIO, size: int, slice_number: int | None, max_pixels: int) -> Array:
    file.seek(0)
    try:
        made: Any = _pillow.decoder(TIFF_SIGNATURES[0])
        with made(_WholeFile(file)) as image:
            if slice_number is not None:
                count = image.n_frames
                if not 1 <= slice_number <= count:
                    raise UnreadableImageError(_no_slice(slice_number, count))
                image.seek(slice_number - 1)
            pixels = _loaded(image, size, max_pixels)
            # Pillow inverts those of 8 bits by itself
            inverted = image.tag_v2.get(262) == 0 and pixels.dtype == np.uint8
            return np.uint8(255) - pixels if inverted else pixels
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(
            f"Pillow cannot read this TIFF ({_short(error)}); {_INSTALL} reads more kinds"
        ) from error
