"""Planes of volumes that render does not read, MRC stacks and Zarr arrays, written as TIFF files that it does."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderapi._extras import install_line
from renderapi._parallel import in_threads, progress_reporter
from renderapi.fromfiles.errors import FileProblem, refuse
from renderapi.fromfiles.names import absolute

MRC_SUFFIXES = (".mrc", ".mrcs", ".st", ".map", ".rec", ".ali")
#: What render does not read, and `write_planes` does.
WRITTEN_SUFFIXES = (*MRC_SUFFIXES, ".zarr")
_INSTALL = install_line("sources")
_IMOD_STAMP = 1146047817
_BIG_ENDIAN = 0x11  # first byte of the machine stamp
_TYPES = ("uint8", "int8", "uint16", "int16", "float16", "float32")


class MrcHeader(NamedTuple):
    """What the header of an MRC stack says beside its pixels.

    Attributes
    ----------
    pixel_size : float or None
        nm of a pixel; None if it says nothing.
    pieces : list of tuple of 3 int, or None
        Piece coordinates of every slice, of an extended header of SerialEM.
    """

    pixel_size: float | None
    pieces: list[tuple[int, int, int]] | None


class _Volume(NamedTuple):
    planes: int
    dtype: str
    plane: Callable[[int], NDArray[Any]]
    header: MrcHeader | None = None


def write_planes(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    dataset: str | None = None,
    threads: int = 4,
    progress: Any = None,
) -> list[Path]:
    """Write each plane of an MRC stack or a Zarr array as a TIFF file, for `from_images`.

    Parameters
    ----------
    path : path
        A file of MRC, or a folder of Zarr.
    folder : path
        Where to; it is made. Files of the same names are replaced.
    dataset : str, optional
        Array in a group of Zarr.
    threads : int, optional
        How many planes are written at a time; default 4.
    progress : bool, str, callable or object with ``update``, optional
        Counts planes.

    Returns
    -------
    list of Path
        ``STEM.s00000.tif`` and so on, from 0.

    Raises
    ------
    TileFilesError
        If it cannot be read: damaged, cut off, not of 2 or 3 dimensions, pixels of another type.
    ImportError
        If mrcfile or zarr is not installed.

    Notes
    -----
    Rows of MRC begin at the bottom, those of TIFF at the top: they are turned round. Bytes are unsigned where the
    header has the stamp of IMOD and says so, else signed. Signed pixels are raised by half their range, as
    ImageJ does with signed TIFF files of 16 bits; float16 becomes float32.
    """
    source, target = absolute(path), absolute(folder)
    with open_volume(source, dataset) as volume:
        target.mkdir(parents=True, exist_ok=True)

        def write(number: int) -> Path:
            from PIL import Image

            to = target / f"{source.stem}.s{number:05d}.tif"
            part = to.with_name(f".{to.name}.{os.getpid()}")
            try:
                Image.fromarray(volume.plane(number)).save(part, format="TIFF")
                part.replace(to)
            finally:
                part.unlink(missing_ok=True)
            return to

        written = []
        with progress_reporter(progress, volume.planes, "writing planes", " images") as advance:
            for to in in_threads(write, range(volume.planes), threads):
                written.append(to)
                advance(1)
        return written


@contextmanager
def open_volume(path: Path, dataset: str | None = None) -> Iterator[_Volume]:
    """Open an MRC stack or a Zarr array; why it cannot be read becomes a problem."""
    if path.suffix.lower() in MRC_SUFFIXES:
        with _mrc(path) as volume:
            yield volume
    elif path.suffix.lower() == ".zarr":
        yield _zarr(path, dataset)
    else:
        refuse([FileProblem(str(path), None, f"it is no MRC stack ({', '.join(MRC_SUFFIXES)}) and no .zarr")])


@contextmanager
def _mrc(path: Path) -> Iterator[_Volume]:
    try:
        import mrcfile
    except ImportError:
        raise ImportError(f"MRC stacks are read with mrcfile: {_INSTALL}") from None
    problem: str | None = None
    opened: Any = None
    try:
        with warnings.catch_warnings():
            # headers of many programs are not to the letter; what matters is looked at below
            warnings.simplefilter("ignore")
            opened = mrcfile.mmap(path, mode="r", permissive=True)
        data, start = opened.data, _first_bytes(path)
        if data is None or data.size == 0:
            problem = "it is damaged or cut off: its size is not that of its header"
        elif data.ndim not in (2, 3) or data.dtype.name not in _TYPES:
            problem = f"its {data.ndim}-dimensional pixels of {data.dtype.name} cannot be read"
    except OSError as error:
        problem = f"it cannot be read ({error.strerror or error})"
    except ValueError as error:
        problem = f"it is no MRC stack, damaged or cut off ({str(error)[:200]})"
    try:
        if problem is not None:
            refuse([FileProblem(str(path), None, problem)])
        data = data if data.ndim == 3 else data[np.newaxis]
        stamp, flags = struct.unpack_from(f"{_order(start)}2i", start, 152)
        if data.dtype == np.int8 and stamp == _IMOD_STAMP and not flags & 1:
            data = data.view(np.uint8)
        header = MrcHeader(_pixel_size(opened), _pieces(path, start, data))
        yield _Volume(len(data), data.dtype.name, lambda number: _readable(data[number, ::-1]), header)
    finally:
        if opened is not None:
            opened.close()


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1024)


def _order(start: bytes) -> str:
    return ">" if start[212] == _BIG_ENDIAN else "<"


def _pixel_size(opened: Any) -> float | None:
    size = float(opened.voxel_size.x)
    return size / 10 if np.isfinite(size) and size > 0 else None


def _pieces(path: Path, start: bytes, data: Any) -> list[tuple[int, int, int]] | None:
    """Read piece coordinates of the extended header that SerialEM writes."""
    order = _order(start)
    length = struct.unpack_from(f"{order}i", start, 92)[0]
    each, flags = struct.unpack_from(f"{order}2h", start, 128)
    offset = 2 if flags & 1 else 0
    if start[104:108] != b"SERI" or not flags & 2 or each < offset + 6 or length < each * len(data):
        return None
    with path.open("rb") as file:
        file.seek(1024)
        extended = file.read(each * len(data))
    return [struct.unpack_from(f"{order}3h", extended, each * i + offset) for i in range(len(data))]


def _zarr(path: Path, dataset: str | None) -> _Volume:
    try:
        import zarr
    except ImportError:
        raise ImportError(f"Zarr arrays are read with zarr: {_INSTALL}") from None
    problem = None
    try:
        found: Any = zarr.open(str(path), mode="r")
        array: Any = found[dataset.strip("/")] if dataset else found
        if not hasattr(array, "dtype"):
            problem = "it is a group: say which array of it (dataset=)"
        elif array.ndim not in (2, 3) or array.dtype.name not in _TYPES:
            problem = f"its {array.ndim}-dimensional pixels of {array.dtype.name} cannot be read"
    except Exception as error:  # the library raises whatever a garbled folder leads it into
        problem = f"it cannot be read ({type(error).__name__}: {str(error)[:200]})"
    if problem is not None:
        refuse([FileProblem(str(path), None, problem)])
    if array.ndim == 2:
        return _Volume(1, array.dtype.name, lambda number: _readable(np.asarray(array[...])))
    return _Volume(array.shape[0], array.dtype.name, lambda number: _readable(np.asarray(array[number])))


def _readable(plane: NDArray[Any]) -> NDArray[Any]:
    """Return pixels in the types that render reads, in native order."""
    if plane.dtype.kind == "i":
        unsigned = np.uint16 if plane.dtype.itemsize == 2 else np.uint8
        raised: NDArray[Any] = (plane.astype(np.int32) + (int(np.iinfo(unsigned).max) + 1) // 2).astype(
            unsigned
        )
        return raised
    kind = np.float32 if plane.dtype.kind == "f" else plane.dtype.newbyteorder("=")
    return np.ascontiguousarray(plane, kind)
