"""Tile specs of SerialEM: MRC stacks with ``.mdoc`` files, and series of TIFF files with an ``.idoc``."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from renderapi.fromfiles.errors import FileProblem, refuse
from renderapi.fromfiles.images import from_images
from renderapi.fromfiles.names import absolute
from renderapi.fromfiles.planes import MRC_SUFFIXES, MrcHeader, open_volume, write_planes
from renderapi.fromfiles.tiles import TilesFromFiles

_SECTION = re.compile(r"\[\s*(\w+)\s*=\s*(.*?)\s*\]$")
_ALIGNED = ("AlignedPieceCoordsVS", "AlignedPieceCoords")


class _Entry(NamedTuple):
    """An image of a metadata file: its slice or file, its keys, and its line."""

    name: str
    values: dict[str, str]
    line: int


def from_serialem(
    path: str | os.PathLike[str],
    *,
    converted: str | os.PathLike[str] | None = None,
    mdoc: str | os.PathLike[str] | None = None,
    label_sections: bool = False,
    intensity: str | tuple[float, float] | None = None,
    threads: int = 4,
    progress: Any = None,
) -> TilesFromFiles:
    """Make tile specs of what SerialEM wrote; nothing is sent.

    Tiles are placed by the piece coordinates of the montage, those that SerialEM aligned where all pieces of a
    section have them; y runs down, as everywhere in render. Single images are a layer each.

    Parameters
    ----------
    path : path
        An MRC stack, its ``.mdoc``, or the ``.idoc`` of a series of TIFF files.
    converted : path, optional
        Folder for the slices of an MRC stack, which render does not read: they are written as TIFF files, see
        `write_planes`. Not for TIFF files.
    mdoc : path, optional
        Metadata of an MRC stack; default the file of its name with ``.mdoc`` behind it, if there is one. Without,
        the extended header says where pieces lie.
    label_sections : bool, optional
        Whether sections are called by their ``NavigatorLabel``.
    intensity : str or tuple of 2 float, optional
        As for `from_images`. Default: ``"measured"`` for signed and floating point pixels, else ``"type"``.
    threads : int, optional
        How many files are worked on at a time; default 4.
    progress : bool, str, callable or object with ``update``, optional
        As everywhere: True for a bar.

    Returns
    -------
    TilesFromFiles
        A list of TileSpec, with ``preview()``.

    Raises
    ------
    TileFilesError
        With all that is wrong: files that are missing or damaged, metadata of slices that are not there, values that
        are no numbers. The lines of metadata are its rows.
    ValueError
        If `converted` is missing.
    """
    source = absolute(path)
    problems: list[FileProblem] = []
    if source.suffix.lower() == ".mdoc" and source.with_suffix("").suffix.lower() in (*MRC_SUFFIXES, ""):
        mdoc, source = source, source.with_suffix("")
    header = MrcHeader(None, None)
    if source.suffix.lower() in MRC_SUFFIXES:
        if converted is None:
            raise ValueError("render does not read MRC: converted= says where its slices go as TIFF files")
        beside = Path(f"{source}.mdoc")
        document = absolute(mdoc) if mdoc is not None else beside if beside.exists() else None
        with open_volume(source) as volume:
            count, dtype = volume.planes, volume.dtype
            header = volume.header or header
        common, entries = ({}, []) if document is None else _read(document, "ZValue", problems)
        if document is None:
            entries = [_Entry(str(i), {}, i) for i in range(count)]
        names = _slices(entries, count, document or source, problems)
        signed = dtype in ("int8", "int16", "float16", "float32")
    else:
        document = source
        common, entries = _read(source, "Image", problems)
        names = [str(source.parent / Path(entry.name.replace("\\", "/")).name) for entry in entries]
        signed = common.get("DataMode") in ("1", "2")
    if not entries and not problems:
        problems.append(FileProblem(str(document), None, "it describes no images"))
    rows, notes = _rows(entries, common, header, document or source, label_sections, problems)
    refuse(problems)
    if source.suffix.lower() in MRC_SUFFIXES:
        files = write_planes(source, str(converted), threads=threads, progress=progress)
        names = [str(files[int(name)]) for name in names]
    for row, name in zip(rows, names):
        row["path"] = name
    found = from_images(
        positions=_turned_over(rows, names),
        intensity=intensity if intensity is not None else "measured" if signed else "type",
        threads=threads,
        progress=progress,
    )
    sizes = {row["pixelsize"] for row in rows if "pixelsize" in row}
    size = sizes.pop() if len(sizes) == 1 else None
    found.resolution = None if size is None else (size, size, None)
    found.notes = [*notes, *found.notes]
    return found


def _slices(entries: list[_Entry], count: int, document: Path, problems: list[FileProblem]) -> list[str]:
    seen: dict[str, int] = {}
    for entry in entries:
        if not entry.name.isdigit() or int(entry.name) >= count:
            text = f"there is no slice {entry.name}: the stack has 0 to {count - 1}"
            problems.append(FileProblem(str(document), entry.line, text))
        elif (earlier := seen.setdefault(entry.name, entry.line)) != entry.line:
            text = f"slice {entry.name} is in line {earlier} too"
            problems.append(FileProblem(str(document), entry.line, text))
    return [entry.name for entry in entries]


def _read(path: Path, kind: str, problems: list[FileProblem]) -> tuple[dict[str, str], list[_Entry]]:
    """Read metadata: what stands before all sections, and the sections of a kind; others are skipped."""
    common: dict[str, str] = {}
    entries: list[_Entry] = []
    values: dict[str, str] | None = common
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                line = line.strip()
                if section := _SECTION.match(line):
                    if section[1] == "T":  # a title, which may stand anywhere
                        continue
                    values = {} if section[1] == kind else None
                    if values is not None:
                        entries.append(_Entry(section[2], values, number))
                elif values is not None and "=" in line:
                    key, _, value = line.partition("=")
                    values[key.strip()] = value.strip()
    except OSError as error:
        problems.append(FileProblem(str(path), None, f"it cannot be read ({error.strerror or error})"))
    return common, entries


def _rows(
    entries: list[_Entry],
    common: dict[str, str],
    header: MrcHeader,
    document: Path,
    label_sections: bool,
    problems: list[FileProblem],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Make a row of positions of each image; y is still up."""
    layers: dict[float, list[tuple[_Entry, dict[str, Any], dict[str, list[float]]]]] = defaultdict(list)
    rows = []
    slices = set(map(str, range(len(header.pieces or ()))))
    for number, entry in enumerate(entries):
        read: dict[str, list[float]] = {}
        for key, least in _NUMBERS.items():
            text = entry.values.get(key, common.get(key) if key == "PixelSpacing" else None)
            if text is None:
                continue
            try:
                read[key] = [float(part) for part in text.split()]
                if len(read[key]) < least:
                    raise ValueError
            except ValueError:
                problems.append(
                    FileProblem(str(document), entry.line, f"{key} is {text!r}, not {least} numbers")
                )
                read.pop(key, None)
        row: dict[str, Any] = {}
        rows.append(row)
        if "PieceCoordinates" not in read and header.pieces is not None and entry.name in slices:
            read["PieceCoordinates"] = [float(place) for place in header.pieces[int(entry.name)]]
        piece = read.get("PieceCoordinates")
        row["z"] = piece[2] if piece else float(entry.name) if entry.name.isdigit() else float(number)
        if "PixelSpacing" in read:
            row["pixelsize"] = read["PixelSpacing"][0] / 10
        elif header.pixel_size is not None:
            row["pixelsize"] = header.pixel_size
        if "StagePosition" in read:
            row["stageX"], row["stageY"] = read["StagePosition"][:2]
        if "RotationAngle" in read:
            row["rotation"] = read["RotationAngle"][0]
        if label_sections and "NavigatorLabel" in entry.values:
            row["sectionId"] = entry.values["NavigatorLabel"]
        layers[row["z"]].append((entry, row, read))
    notes = []
    for z, layer in layers.items():
        aligned = [next((read[key] for key in _ALIGNED if key in read), None) for _, _, read in layer]
        use = all(place is not None for place in aligned)
        if not use and any(place is not None for place in aligned):
            notes.append(
                f"layer {z:g} has aligned coordinates of some pieces only: all are placed by PieceCoordinates"
            )
        for (_, row, read), place in zip(layer, aligned):
            piece = read.get("PieceCoordinates", [0.0, 0.0, z])
            best = place if use and place is not None else piece
            start = read.get("SuperMontCoords")
            for axis, name in enumerate("xy"):
                row[name] = best[axis] if start is None else start[axis] + best[axis] - piece[axis]
    return rows, notes


#: Keys that hold numbers, and how many at least.
_NUMBERS = {
    "PieceCoordinates": 3, "AlignedPieceCoords": 2, "AlignedPieceCoordsVS": 2, "SuperMontCoords": 2,
    "StagePosition": 2, "RotationAngle": 1, "PixelSpacing": 1,
}  # fmt: skip


def _turned_over(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """Let y run down: each section begins with 0 at its highest edge."""
    from renderapi.fromfiles.headers import read_headers
    from renderapi.rendering import Sources

    with Sources(cache_bytes=0) as sources:
        headers = read_headers((Path(name) for name in names), None, sources, 4, None)
    heights = [0 if isinstance(header := headers[Path(name)], str) else header.height for name in names]
    highest: dict[float, float] = defaultdict(lambda: float("-inf"))
    for row, height in zip(rows, heights):
        highest[row["z"]] = max(highest[row["z"]], row["y"] + height)
    return [{**row, "y": highest[row["z"]] - row["y"] - height} for row, height in zip(rows, heights)]
