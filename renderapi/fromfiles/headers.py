"""What images are: headers read by several threads, each file once, and ranges of pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from renderapi._parallel import in_threads, progress_reporter
from renderapi.fromfiles.planes import WRITTEN_SUFFIXES
from renderapi.rendering import ImageDescription, ImageReference, ImageSourceError, Sources

#: Volumes by the end of their names -> the loader of render that reads their planes.
VOLUME_LOADERS = {".h5": "H5_SLICE", ".hdf5": "H5_SLICE", ".hdf": "H5_SLICE", ".n5": "N5_SLICE"}
#: Display ranges of pixels whose source says none.
RANGES = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}


def volume_url(path: Path, dataset: str, plane: int | None = None) -> str:
    """Return the URL of a plane of a volume, as render's loaders read it."""
    from urllib.parse import quote

    url = f"{path.as_uri()}?dataSet=/{quote(dataset.strip('/'))}"
    return url if plane is None else f"{url}&z={plane}"


def reference_of(path: Path, dataset: str | None) -> ImageReference:
    """Return what names an image to the renderer.

    Raises
    ------
    ValueError
        If it is a volume, and no data set is named, or of a kind that render does not read.
    """
    loader = VOLUME_LOADERS.get(path.suffix.lower())
    if path.suffix.lower() in WRITTEN_SUFFIXES:
        raise ValueError("render does not read it: renderapi.fromfiles.write_planes makes TIFF files of it")
    if loader is None:
        return ImageReference(path.as_uri())
    if not dataset:
        raise ValueError("it is a volume: say which data set of it (dataset=)")
    return ImageReference(volume_url(path, dataset), loader)


def read_headers(
    paths: Iterable[Path], dataset: str | None, sources: Sources, threads: int, progress: Any
) -> dict[Path, ImageDescription | str]:
    """Read the header of every file once.

    Returns
    -------
    dict
        Path -> what the header says, or why it cannot be read.
    """

    def read(path: Path) -> ImageDescription | str:
        try:
            if not path.exists():
                return "there is no such file"
            return sources.describe(reference_of(path, dataset))
        except ImageSourceError as error:
            return str(error).rpartition("cannot be described: ")[2]
        except ValueError as error:
            return str(error)

    wanted = list(dict.fromkeys(paths))
    found: dict[Path, ImageDescription | str] = {}
    with progress_reporter(progress, len(wanted), "reading headers", " images") as advance:
        for path, header in zip(wanted, in_threads(read, wanted, threads)):
            found[path] = header
            advance(1)
    return found


def read_ranges(
    references: list[ImageReference], sources: Sources, threads: int, progress: Any
) -> list[tuple[float, float] | str]:
    """Read the least and the largest pixel of images, or why they cannot be read; NaN and infinities do not count."""

    def read(reference: ImageReference) -> tuple[float, float] | str:
        try:
            pixels = sources.image(reference)
        except ImageSourceError as error:
            return str(error).rpartition("from cache: ")[2]
        if pixels.dtype.kind == "f":
            pixels = pixels[np.isfinite(pixels)]
        return (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 0.0)

    found = []
    with progress_reporter(progress, len(references), "reading pixels", " images") as advance:
        for spread in in_threads(read, references, threads):
            found.append(spread)
            advance(1)
    return found
