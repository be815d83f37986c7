"""Images as files that are written from above to below: tiled TIFF, arrays of Zarr, and PNG of what fits the memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._extras import install_line
from renderapi._replacing import replacing
from renderapi.errors import BadRequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bands = Iterator[NDArray[Any]]

#: Rows and columns of the tiles of a TIFF and of the chunks of a Zarr array.
TILE = 512
TIFF_ENDINGS = (".tif", ".tiff")
ZARR_ENDING = ".zarr"
PNG_ENDING = ".png"
#: An array or a group of Zarr has one of these.
_ZARR_FILES = (".zarray", ".zgroup", "zarr.json")
# offsets of 32 bits, less the room that the directory needs
_CLASSIC_TIFF = 2**32 - 2**25
_NANOMETERS = 1e7  # per centimeter, the largest unit of a TIFF


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # a full disk does not say what it was written to
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from None


def check_target(path: Path) -> None:
    """Refuse what cannot be written, before anything is fetched.

    Raises
    ------
    BadRequestError
        If the ending stands for no format.
    FileNotFoundError
        If there is no such folder.
    FileExistsError
        If something else than an image is there.
    ImportError
        If the package that writes the format is not installed.
    """
    ending = path.suffix.lower()
    if ending not in (*TIFF_ENDINGS, PNG_ENDING, ZARR_ENDING):
        raise BadRequestError(f"{path} must end in {', '.join((*TIFF_ENDINGS, PNG_ENDING))} or {ZARR_ENDING}")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}")
    if ending == ZARR_ENDING:
        if path.exists() and not any((path / name).exists() for name in _ZARR_FILES):
            raise FileExistsError(f"{path} is there already, and is no Zarr array")
        _import("zarr", "sources")
    else:
        if path.is_dir():
            raise FileExistsError(f"{path} is a folder")
        if ending in TIFF_ENDINGS:
            _import("tifffile", "render")


def _import(package: str, extra: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"this needs {package}: {install_line(extra)}") from error


def write(
    target: Path,
    shape: tuple[int, int],
    bands: Bands,
    pixel: tuple[float, float] | None,
    about: Mapping[str, Any],
) -> None:
    """Write an image band by band; it is there when it is whole.

    Parameters
    ----------
    target : Path
        File or folder that `check_target` has seen.
    shape : (int, int)
        Rows and columns of the image.
    bands : iterator of array
        Rows over the whole width, (N, W) or (N, W, 3).
    pixel : (float, float), optional
        Width and height of a pixel, nanometers.
    about : dict
        Where the image is from: kept as description of the TIFF or PNG, or attributes of the array.
    """
    writer = {ZARR_ENDING: _write_zarr, PNG_ENDING: _write_png}.get(target.suffix.lower(), _write_tiff)
    with replacing(target) as temporary, _naming(target):
        first = next(bands)
        strips = _strips(itertools.chain((first,), bands))
        writer(temporary, (*shape, *first.shape[2:]), first.dtype, strips, pixel, about)


def _strips(bands: Bands) -> Bands:
    """Cut bands anew, so that each but the last has the rows of a tile."""
    rest: list[NDArray[Any]] = []
    for band in bands:
        start = 0
        while start < len(band):
            part = band[start : start + TILE - sum(map(len, rest))]
            rest.append(part)
            start += len(part)
            if sum(map(len, rest)) == TILE:
                yield rest[0] if len(rest) == 1 else np.concatenate(rest)
                rest = []
    if rest:
        yield np.concatenate(rest)


def _write_tiff(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    strips: Bands,
    pixel: tuple[float, float] | None,
    about: Mapping[str, Any],
) -> None:
    tifffile = _import("tifffile", "render")

    def tiles() -> Bands:
        for strip in strips:
            for start in range(0, shape[1], TILE):
                part = strip[:, start : start + TILE]
                tile = np.zeros((TILE, TILE, *shape[2:]), dtype)
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile

    size = int(np.prod(shape)) * dtype.itemsize
    resolution: dict[str, Any] = {}
    if pixel is not None:
        resolution = {
            "resolution": tuple(_NANOMETERS / side for side in pixel),
            "resolutionunit": "CENTIMETER",
        }
    with tifffile.TiffWriter(path, bigtiff=size > _CLASSIC_TIFF) as file:
        file.write(
            tiles(),
            shape=shape,
            dtype=dtype,
            tile=(TILE, TILE),
            photometric="rgb" if len(shape) == 3 else "minisblack",
            compression="zlib",
            compressionargs={"level": 1},  # of micrographs 6 makes little less, in several times the time
            maxworkers=1,  # more take hundreds of strips at once
            description=json.dumps(about),
            software="render-python",
            metadata=None,
            **resolution,
        )


def _write_png(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    strips: Bands,
    pixel: tuple[float, float] | None,
    about: Mapping[str, Any],
) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Description", json.dumps(about))
    image = np.empty(shape, dtype)
    row = 0
    for strip in strips:
        image[row : row + len(strip)] = strip
        row += len(strip)
    Image.fromarray(image).save(path, "PNG", pnginfo=text)


def _write_zarr(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    strips: Bands,
    pixel: tuple[float, float] | None,
    about: Mapping[str, Any],
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    zarr = _import("zarr", "sources")
    chunks = tuple(min(TILE, size) for size in shape[:2]) + shape[2:]
    # keywords that versions 2 and 3 both know
    array = zarr.open(str(path), mode="w", shape=shape, chunks=chunks, dtype=dtype.name, fill_value=0)
    attributes = dict(about, axes=["y", "x", "channel"][: len(shape)])
    if pixel is not None:
        attributes["pixel_nm"] = [pixel[1], pixel[0]]
    array.attrs.update(attributes)
    row = 0
    # a thread of its own: what breaks off here waits for the chunks that are being written
    with ThreadPoolExecutor(1) as thread:
        for strip in strips:
            thread.submit(array.__setitem__, slice(row, row + len(strip)), strip).result()
            row += len(strip)
