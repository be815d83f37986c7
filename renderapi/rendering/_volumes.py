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

import contextlib
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import parse_qsl

import numpy as np

from renderapi._extras import install_line
from renderapi.rendering._cache import Array
from renderapi.rendering._formats import UnreadableImageError, check_size

_INSTALL = install_line("sources")
_READ_SECONDS = 120
_TYPES = ("uint8", "uint16", "int16", "float32")

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
        """Return x, y, width and height in a volume of the size (x, y[, z])."""
        if not 2 <= len(size) <= 3:
            raise UnreadableImageError(f"its data set has {len(size)} dimensions, not 2 or 3")
        width = size[0] - self.x if self.w is None else self.w
        height = size[1] - self.y if self.h is None else self.h
        depth = size[2] if len(size) == 3 else 1
        if self.z >= depth or self.x + width > size[0] or self.y + height > size[1] or min(width, height) < 1:
            raise UnreadableImageError(f"there is no such box in its data set of {size} pixels (x, y, z)")
        check_size(height, width, max_pixels)
        return self.x, self.y, width, height


def h5_description(path: str, dataset: str, opened: Opener, limited: bool) -> tuple[tuple[int, ...], str]:
    """Return the size (x, y[, z]) and the type of the pixels of a data set of an HDF5 file."""
    with _h5(path, opened, limited) as (h5py, volume):
        found = _h5_dataset(h5py, volume, dataset, limited)
        _check_type(found.dtype.name)
        return found.shape[::-1], _type_read(found.dtype.name)


def n5_description(path: str, dataset: str, opened: Opener, limited: bool) -> tuple[tuple[int, ...], str]:
    """Return the size (x, y[, z]) and the type of the pixels of a data set of an N5 volume."""
    volume = _n5(path, dataset, opened)
    return tuple(volume.shape), _type_read(volume.dtype.name)


def _type_read(name: str) -> str:
    return "uint16" if name == "int16" else name


@contextlib.contextmanager
def _h5(path: str, opened: Opener, limited: bool) -> Iterator[tuple[Any, Any]]:
    """Open an HDF5 file; what the library says of a garbled one becomes a reason."""
    try:
        import h5py
    except ImportError:
        raise UnreadableImageError(f"HDF5 files are read with h5py: {_INSTALL}") from None
    with opened(path) as file:
        try:
            # opened by its name it can follow links into other files
            with h5py.File(file if limited else path, "r") as volume:
                yield h5py, volume
        except UnreadableImageError:
            raise
        except MemoryError:
            raise UnreadableImageError("there is not enough memory for it") from None
        except Exception as error:  # the library raises whatever a garbled file leads it into
            raise UnreadableImageError(f"it is damaged or cut off ({str(error)[:200]})") from error


def h5_slice(
    path: str, box: Box, opened: Opener, max_pixels: int, limited: bool, compat: str = "master"
) -> Array:
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
    compat : {"master", "newsolver"}
        Branch of render that decides what signed pixels of 16 bits become.

    Returns
    -------
    (H, W) array
        The part of the plane in the box.
    """
    with _h5(path, opened, limited) as (h5py, volume):
        dataset = _h5_dataset(h5py, volume, box.dataset, limited)
        x, y, width, height = box.within(dataset.shape[::-1], max_pixels)
        _check_type(dataset.dtype.name)
        _check_chunk(dataset.chunks or (), max_pixels)
        plane = (slice(y, y + height), slice(x, x + width))
        pixels = dataset[plane if dataset.ndim == 2 else (box.z, *plane)]
    return _unsigned(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("=")), compat)


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


def _unsigned(pixels: Array, compat: str) -> Array:
    """Return signed pixels of 16 bits as render does: their bits with master, 32768 - v with newsolver."""
    if pixels.dtype != np.int16:
        return pixels
    if compat == "master":
        return pixels.view(np.uint16)
    unsigned: Array = np.minimum(32768 - pixels.astype(np.int32), 65535).astype(np.uint16)
    return unsigned


def _check_chunk(shape: tuple[int, ...], max_pixels: int) -> None:
    if math.prod(shape) > max_pixels:
        raise UnreadableImageError(f"its chunks of {shape} pixels are more than the {max_pixels} allowed")


# ---------------------------------------------------------------------------------------- N5


def attributes_path(path: str, dataset: str) -> str:
    """Return the file that describes a data set of an N5 volume."""
    return str(Path(path, dataset, "attributes.json"))


def check_n5(path: str) -> None:
    """Refuse what is no folder, or may not be looked into, with an OSError."""
    with os.scandir(path):
        pass


def _n5(path: str, dataset: str, opened: Opener) -> Any:
    """Open a data set of an N5 volume."""
    try:
        import tensorstore
    except ImportError:
        raise UnreadableImageError(f"N5 volumes are read with tensorstore: {_INSTALL}") from None
    opened(attributes_path(path, dataset)).close()
    folder = Path(path, dataset)
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{folder.as_posix()}/"}}
    try:
        volume: Any = tensorstore.open(spec, open=True, read=True).result(timeout=_READ_SECONDS)
    except Exception as error:  # the library has a reason for every kind of garbage
        raise UnreadableImageError(
            f"its attributes.json describes no data set that can be read ({str(error)[:200]})"
        ) from error
    _check_type(volume.dtype.name)
    return volume


def n5_slice(
    path: str, box: Box, opened: Opener, max_pixels: int, limited: bool, compat: str = "master"
) -> Array:
    """Read a plane of an N5 volume; a block that is not there is 0.

    Parameters as for `h5_slice`; every file that is read is looked at by `opened` before.
    """
    volume = _n5(path, box.dataset, opened)
    x, y, width, height = box.within(tuple(volume.shape), max_pixels)
    folder = Path(path, box.dataset)
    block = tuple(volume.chunk_layout.read_chunk.shape)
    _check_chunk(block, max_pixels)
    if limited:
        columns = range(x // block[0], (x + width - 1) // block[0] + 1)
        rows = range(y // block[1], (y + height - 1) // block[1] + 1)
        planes = [box.z // block[2]] if len(block) == 3 else []
        for place in itertools.product(columns, rows, *([plane] for plane in planes)):
            with contextlib.suppress(FileNotFoundError):
                opened(str(folder.joinpath(*map(str, place)))).close()
    part = volume[x : x + width, y : y + height]
    try:
        pixels = (part if part.ndim == 2 else part[..., box.z]).read().result(timeout=_READ_SECONDS)
    except Exception as error:
        raise UnreadableImageError(f"a block is damaged ({str(error)[:200]})") from error
    return _unsigned(np.ascontiguousarray(np.transpose(pixels)), compat)
