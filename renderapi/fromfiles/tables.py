"""Tables of positions: CSV and TSV files, DataFrames, lists of dicts."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from renderapi.fromfiles.errors import FileProblem
from renderapi.fromfiles.names import absolute

Positions = Any  # a path, a DataFrame, or an iterable of mappings

_NUMBERS = (
    "x", "y", "z", "width", "height", "minIntensity", "maxIntensity", "stageX", "stageY", "rotation", "pixelsize",
)  # fmt: skip
_WHOLE = ("row", "col", "page")
_TEXTS = ("path", "tileId", "sectionId", "groupId", "mask")
#: Names of columns that say the same.
_SAME = {
    "file": "path", "filename": "path", "file_name": "path", "image": "path", "imageurl": "path",
    "tile_id": "tileId", "section": "sectionId", "section_id": "sectionId", "group": "groupId",
    "group_id": "groupId", "column": "col", "imagerow": "row", "imagecol": "col", "min": "minIntensity",
    "max": "maxIntensity", "stage_x": "stageX", "stage_y": "stageY", "slice": "page",
    **{name.lower(): name for name in (*_NUMBERS, *_WHOLE, *_TEXTS)},
}  # fmt: skip


class Row(NamedTuple):
    """A row of a table: its number for people, and what its cells hold."""

    number: Any
    values: dict[str, Any]


class Table(NamedTuple):
    """Rows, the name of what they were read from, and the folder that their paths begin in."""

    name: str
    folder: Path
    rows: list[Row]


def read_table(positions: Positions, columns: Mapping[str, str] | None, problems: list[FileProblem]) -> Table:
    """Read a table; what is wrong with its cells is added to the problems.

    Parameters
    ----------
    positions : path, DataFrame or iterable of mapping
        What to read.
    columns : mapping, optional
        Names of its columns -> what they are here.
    problems : list of FileProblem
        Added to.

    Returns
    -------
    Table
        Rows with numbers where numbers belong; empty cells are left out.

    Raises
    ------
    ValueError
        If there is no header, or a column that is named is not there.
    """
    if isinstance(positions, (str, os.PathLike)):
        path = absolute(positions)
        name, folder = str(positions), path.parent
        raw: list[tuple[Any, Any]] = list(_read_file(path))
    elif hasattr(positions, "to_dict") and hasattr(positions, "index"):
        name, folder = "positions", Path.cwd()
        raw = list(zip(positions.index.tolist(), positions.to_dict("records")))
    elif isinstance(positions, Iterable):
        name, folder, raw = "positions", Path.cwd(), list(enumerate(positions))
    else:
        raise TypeError(
            f"positions must be a file, a table or a list of dicts, not {type(positions).__name__}"
        )
    if missing := set(columns or {}) - {
        key for _, cells in raw if isinstance(cells, Mapping) for key in cells
    }:
        raise ValueError(f"{name} has no column {', '.join(map(repr, sorted(missing)))}, which columns names")
    rows = []
    for number, cells in raw:
        if not isinstance(cells, Mapping):
            problems.append(FileProblem(name, number, f"it is {cells!r:.100}, not a dict"))
            continue
        values, texts = _values(cells, columns or {})
        problems += [FileProblem(name, number, text) for text in texts]
        rows.append(Row(number, values))
    return Table(name, folder, rows)


def _read_file(path: Path) -> list[tuple[Any, Mapping[str, Any]]]:
    rows: list[tuple[Any, Mapping[str, Any]]] = []
    names: list[str] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}") from None
    lines = text.splitlines(keepends=True)
    head = next((line for line in lines if not _is_remark(line)), "")
    reader = csv.reader(lines, delimiter=max(",\t;", key=head.count))
    for cells in reader:
        if _is_remark("".join(cells)):
            continue
        cells = [cell.strip() for cell in cells]
        if not names:
            names = cells
        elif len(cells) > len(names):
            rows.append((reader.line_num, {"": f"{len(cells)} cells, but the header names {len(names)}"}))
        else:
            rows.append((reader.line_num, dict(zip(names, cells))))
    if not names or any(map(_is_number, names)) or len(set(names)) < len(names):
        raise ValueError(f"{path} has no header: its first line must name the columns, such as path,x,y")
    return rows


def _is_remark(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _values(cells: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    texts = []
    for key, cell in cells.items():
        if key == "":
            texts.append(f"has {cell}")
            continue
        name = columns.get(key) or _SAME.get(str(key).strip().lower(), str(key).strip())
        if cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell)):
            continue
        if name in _NUMBERS or name in _WHOLE:
            try:
                number = float(cell)
                if not math.isfinite(number) or (name in _WHOLE and number != int(number)):
                    raise ValueError
            except (TypeError, ValueError):
                kind = "a whole number" if name in _WHOLE else "a number"
                texts.append(f"{key} is {cell!r}, not {kind}")
                continue
            values[name] = int(number) if name in _WHOLE else number
        else:
            values[name] = str(cell) if name in _TEXTS else cell
    return values, texts
