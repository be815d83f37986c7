"""Planes of HDF5 and N5 volumes.

The URLs are those of render-ws's loaders H5_SLICE and N5_SLICE (from the examples in its tile specs and
documentation)::

    file:///data/Merlin-6262_23-10-06_195119.uint8.h5?dataSet=/0-0-0/mipmap.0&z=0
    file:///data/VNC-align.n5?dataSet=/align/slab-26/raw/s0&x=512&y=640&z=1656&w=384&h=640

x, y and z are pixels of the data set and default to 0, the width w and height h to all that is right of x
and below y. Coordinates come in the order x, y, z, which is the order of an N5 data set and the reverse of
that of an HDF5 data set.
"""

from __future__ import annotations

import bz2
import itertools
import lzma
import math
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import parse_qsl

import numpy as np

from renderapi import _json
from renderapi.rendering._cache import Array
from renderapi.rendering._formats import UnreadableImageError, check_size

_INSTALL = 'pip install "render-python[sources]"'
_TYPES = ("uint8", "uint16", "float32")

Opener = Callable[[str], BinaryIO]


class Box(NamedTuple):
    """What a URL asks for; ``w`` and ``h`` are None for all there is."""

    dataset: str
    x: int = 0
    y: int = 0
    z: int = 0
    w: int | None = None
    h: int | None = None

    @classmethod
    def of(cls, query: str) -> Box:
        """Read the query of a URL."""
        values = dict(parse_qsl(query, keep_blank_values=True))
        dataset = values.get("dataSet", "").strip("/")
        if not dataset:
            raise UnreadableImageError("its URL names no dataSet")
        numbers = {}
        for name in ("x", "y", "z", "w", "h"):
            if name in values:
                if not re.fullmatch(r"[0-9]{1,15}", values[name]):
                    raise UnreadableImageError(f"{name} of its URL is no whole number of pixels")
                numbers[name] = int(values[name])
        return cls(dataset, **numbers)

    def within(self, size: tuple[int, ...], max_pixels: int) -> tuple[int, int, int, int]:
        """Give x, y, width and height in a volume of the size (x, y[, z])."""
        if not 2 <= len(size) <= 3:
            raise UnreadableImageError(f"its data set has {len(size)} dimensions, not 2 or 3")
        width = size[0] - self.x if self.w is None else self.w
        height = size[1] - self.y if self.h is None else self.h
        depth = size[2] if len(size) == 3 else 1
        if self.z >= depth or self.x + width > size[0] or self.y + height > size[1] or min(width, height) < 1:
            raise UnreadableImageError(f"there is no such box in its data set of {size} pixels (x, y, z)")
        check_size(height, width, max_pixels)
        return self.x, self.y, width, height


def h5_slice(path: str, box: Box, opened: Opener, max_pixels: int, limited: bool) -> Array:
    """Read a plane of an HDF5 file.

    Parameters
    ----------
    path : str
    box : Box
    opened : callable
        Opens a file if it may be read.
    max_pixels : int
    limited : bool
        Whether links to other files are refused.
    """
    try:
        import h5py
    except ImportError:
        raise UnreadableImageError(f"HDF5 files are read with h5py: {_INSTALL}") from None
    with opened(path) as file:
        try:
            # opened by its name it can follow links into other files
            with h5py.File(file if limited else path, "r") as volume:
                dataset = _h5_dataset(h5py, volume, box.dataset, limited)
                x, y, width, height = box.within(dataset.shape[::-1], max_pixels)
                _check_type(dataset.dtype.name)
                _check_chunk(dataset.chunks or (), max_pixels)
                plane = (slice(y, y + height), slice(x, x + width))
                pixels = dataset[plane if dataset.ndim == 2 else (box.z, *plane)]
        except UnreadableImageError:
            raise
        except MemoryError:
            raise UnreadableImageError("there is not enough memory for it") from None
        except Exception as error:  # the library raises whatever a garbled file leads it into
            raise UnreadableImageError(f"it is damaged or cut off ({str(error)[:200]})") from error
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))


def _h5_dataset(h5py: Any, volume: Any, name: str, limited: bool) -> Any:
    found, missing = volume, f"there is no data set {name!r} in it"
    for part in filter(None, name.split("/")):
        try:
            # not "part in found": a link may lead into another file, and that would look there
            links = found.id.links
        except AttributeError:
            raise UnreadableImageError(missing) from None
        if not links.exists(part.encode()):
            raise UnreadableImageError(missing)
        if limited and links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            raise UnreadableImageError(f"data set {name!r} is behind a link, which is not followed here")
        found = found[part]
    if not isinstance(found, h5py.Dataset):
        raise UnreadableImageError(missing)
    if limited and (found.is_virtual or found.external):
        raise UnreadableImageError(f"data set {name!r} is in other files, which are not read here")
    return found


def _check_type(name: str) -> None:
    if name not in _TYPES:
        raise UnreadableImageError(f"its pixels are {name}, not one of {', '.join(_TYPES)}")


def _check_chunk(shape: tuple[int, ...], max_pixels: int) -> None:
    if math.prod(shape) > max_pixels:
        raise UnreadableImageError(f"its chunks of {shape} pixels are more than the {max_pixels} allowed")


# ---------------------------------------------------------------------------------------- N5


def attributes_path(path: str, dataset: str) -> str:
    """Give the file that describes a data set of an N5 volume."""
    return str(Path(path, dataset, "attributes.json"))


def check_n5(path: str) -> None:
    """Refuse what is no folder, or may not be looked into, with an OSError."""
    with os.scandir(path):
        pass


def n5_slice(path: str, box: Box, opened: Opener, max_pixels: int, limited: bool) -> Array:
    """Read a plane of an N5 volume (https://github.com/saalfeldlab/n5, file system specification).

    A block that is not there is 0. Compressions: raw, gzip, bzip2 and xz, and with imagecodecs also blosc
    and zstd. Parameters as for `h5_slice`; `opened` sees to the limits.
    """
    with opened(attributes_path(path, box.dataset)) as file:
        dimensions, block, kind, compression = _attributes(file.read(1 << 20))
    x, y, width, height = box.within(dimensions, max_pixels)
    _check_type(kind)
    _check_chunk(block, max_pixels)
    dtype = np.dtype(kind)
    result: Array = np.zeros((height, width), dtype)
    folder = Path(path, box.dataset)
    columns = range(x // block[0], (x + width - 1) // block[0] + 1)
    rows = range(y // block[1], (y + height - 1) // block[1] + 1)
    plane, depth = divmod(box.z, block[2]) if len(block) == 3 else (None, 0)
    for column, row in itertools.product(columns, rows):
        place = (column, row) if plane is None else (column, row, plane)
        try:
            with opened(str(folder.joinpath(*map(str, place)))) as file:
                pixels = _block(file, block, dtype, compression)
        except FileNotFoundError:
            continue
        if depth >= len(pixels):
            continue
        left, top = column * block[0], row * block[1]
        part = pixels[depth, max(0, y - top) : y + height - top, max(0, x - left) : x + width - left]
        first_row, first_column = max(0, top - y), max(0, left - x)
        target = result[first_row : first_row + part.shape[0], first_column : first_column + part.shape[1]]
        target[...] = part[: target.shape[0], : target.shape[1]]
    return result


def _attributes(text: bytes) -> tuple[tuple[int, ...], tuple[int, ...], str, dict[str, Any]]:
    try:
        document = _json.loads(text)
        dimensions = tuple(int(n) for n in document["dimensions"])
        block = tuple(int(n) for n in document["blockSize"])
        kind = str(document["dataType"])
        compression = document.get("compression", document.get("compressionType", "raw"))
        compression = compression if isinstance(compression, dict) else {"type": str(compression)}
        # compression is raw where nothing else is said
        if len(dimensions) != len(block) or min(*dimensions, *block) < 1:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise UnreadableImageError("its attributes.json describes no data set") from None
    return dimensions, block, kind, compression


def _block(file: BinaryIO, size: tuple[int, ...], dtype: np.dtype[Any], compression: dict[str, Any]) -> Array:
    """Read a block as (z, y, x) array, z being 1 for two dimensions."""
    header = np.frombuffer(file.read(4), ">u2")
    if len(header) != 2 or header[0] not in (0, 1) or header[1] != len(size):
        raise UnreadableImageError("a block is damaged")
    sides = np.frombuffer(file.read(4 * len(size)), ">u4").tolist()
    if header[0] == 1:
        file.read(4)  # the number of pixels, which is that of the box for all types that can be images
    # blocks at the border may be smaller
    if len(sides) != len(size) or any(side > most for side, most in zip(sides, size)):
        raise UnreadableImageError("a block is damaged")
    length = math.prod(sides) * dtype.itemsize
    data = _decompressed(file, compression, length)
    if len(data) < length:
        raise UnreadableImageError("a block is cut off")
    shape = (1, *sides[::-1]) if len(sides) == 2 else tuple(sides[::-1])
    pixels: Array = np.frombuffer(data[:length], dtype.newbyteorder(">")).reshape(shape)
    return pixels


def _decompressed(file: BinaryIO, compression: dict[str, Any], length: int) -> bytes:
    kind = compression.get("type", "raw")
    try:
        if kind == "raw":
            return file.read(length)
        packed = file.read(2 * length + (1 << 16))  # no compression makes it so much longer
        if kind == "gzip":
            # zlib's own format with useZlib; both are told by their beginning
            return zlib.decompressobj(wbits=47).decompress(packed, length)
        if kind == "bzip2":
            return bz2.BZ2Decompressor().decompress(packed, length)
        if kind == "xz":
            return lzma.LZMADecompressor().decompress(packed, length)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UnreadableImageError(f"a block is damaged ({error})") from None
    return _decompressed_by_imagecodecs(str(kind), packed, length)


def _decompressed_by_imagecodecs(kind: str, packed: bytes, length: int) -> bytes:
    names = {"blosc": "blosc_decode", "zstd": "zstd_decode"}
    if kind not in names:
        raise UnreadableImageError(f"its blocks are compressed by {kind[:30]!r}, which cannot be read")
    try:
        import imagecodecs
    except ImportError:
        raise UnreadableImageError(
            f"blocks compressed by {kind} are read with imagecodecs: {_INSTALL}"
        ) from None
    try:
        return bytes(getattr(imagecodecs, names[kind])(packed, out=length))
    except Exception as error:  # each codec has an exception of its own
        raise UnreadableImageError(f"a block is damaged ({error})") from None
