"""Tile specs as bytes from columns, and columns from the documents of tile specs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi import _json
from renderapi.errors import SpecError
from renderapi.geometry import affine_bounding_boxes
from renderapi.tables._columns import (
    AFFINE,
    BOX,
    IMAGES,
    KINDS,
    LAYOUT,
    REQUIRED,
    Columns,
    affine_of,
    arrow,
)
from renderapi.transform.data_strings import format_each, parse_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Rows = slice | NDArray[np.intp]
    # what is the same in all rows, or a text of each
    _Pieces = list[str | list[str]]

#: Documents that become columns at a time: few enough to stay in the cache of a processor from decoding on.
_AT_ONCE = 100
_CLASS = "mpicbg.trakem2.transform.AffineModel2D"
_LEAF = f'{{"type":"leaf","className":"{_CLASS}","dataString":"'
_OF_TILE = frozenset(
    {"tileId", "layout", "groupId", "z", "width", "height", "minIntensity", "maxIntensity", "meshCellSize"}
    | {"mipmapLevels", "transforms", *BOX}
)
_OF_LAYOUT, _OF_IMAGES, _OF_LEAF = (
    frozenset(LAYOUT),
    frozenset(IMAGES),
    frozenset({"type", "className", "dataString"}),
)


class TileRows:
    """The rows of a table, checked, as tile specs.

    Parameters
    ----------
    columns : Columns
        The columns of `KINDS`.
    stage_scale : float
        Pixels per unit of the stage, for tables without affine columns.
    derive : bool
        Whether boxes are derived; else the table must have them.

    Raises
    ------
    TableError
        If rows cannot be used.
    """

    def __init__(self, columns: Columns, stage_scale: float = 1.0, derive: bool = True) -> None:
        self.count = columns.count
        for name in (*REQUIRED, *(() if derive else BOX)):
            columns.required(name)
        self.affine = affine_of(columns, stage_scale)
        self.texts, self.numbers = columns.texts, columns.numbers
        self.problems = columns.problems
        self._check_sizes(columns)
        self._check_ids(columns)
        other = self.texts.pop("other", None)
        self.others: dict[int, dict[str, Any]] = {} if other is None else _read_others(columns, other)
        self.problems.tell()
        if derive and self.count:
            self._derive()
        present: dict[str, NDArray[np.bool_]] = {
            name: column.is_valid().to_numpy() for name, column in self.texts.items()
        }
        present |= {name: ~np.isnan(values) for name, values in self.numbers.items() if name not in AFFINE}
        if self.affine is not None:
            present["affine"] = ~np.isnan(self.affine[:, 0])
        # most tables have all values or none of a column
        self._always = frozenset(name for name, mask in present.items() if mask.all())
        self._sometimes = {
            name: mask for name, mask in present.items() if name not in self._always and mask.any()
        }

    def _check_sizes(self, columns: Columns) -> None:
        for name in ("width", "height", "meshCellSize"):
            values = self.numbers.get(name)
            if values is None:
                continue
            for row in np.flatnonzero(values <= 0).tolist():
                columns.problems.add(row, columns.called[name], f"{values[row]} is no size")

    def _check_ids(self, columns: Columns) -> None:
        ids = self.texts.get("tileId")
        if ids is None:
            return
        codes = ids.dictionary_encode().unify_dictionaries()
        numbers = np.concatenate(
            [np.empty(0), *(part.indices.to_numpy(zero_copy_only=False) for part in codes.chunks)]
        )
        known = np.flatnonzero(~np.isnan(numbers))
        _, first, inverse = np.unique(numbers[known], return_index=True, return_inverse=True)
        before = np.arange(self.count)
        before[known] = known[first[inverse.reshape(-1)]]
        columns.problems.rows(
            before != np.arange(self.count),
            columns.called["tileId"],
            lambda row: f"{ids[row].as_py()!r:.100} is the tile of row {before[row]} already",
        )

    def _derive(self) -> None:
        matrices = np.zeros((self.count, 2, 3))
        matrices[:] = np.eye(2, 3)
        if self.affine is not None:
            placed = ~np.isnan(self.affine[:, 0])
            m00, m10, m01, m11, m02, m12 = self.affine[placed].T
            matrices[placed] = np.array([[m00, m01, m02], [m10, m11, m12]]).transpose(2, 0, 1)
        boxes = affine_bounding_boxes(
            matrices, self.numbers["width"], self.numbers["height"], self.numbers.get("meshCellSize")
        )
        # what other transforms make of a tile is for others to say
        others = [row for row, other in self.others.items() if "transforms" in other]
        for name, derived in zip(BOX, boxes.T):
            derived[others] = self.numbers[name][others] if name in self.numbers else np.nan
            self.numbers[name] = derived

    def ids(self, rows: Rows) -> list[str]:
        """Return the ids of the tiles of some rows."""
        return self._texts("tileId", rows)

    def _texts(self, name: str, rows: Rows) -> list[Any]:
        column = self.texts[name]
        if isinstance(rows, slice):
            part = column.slice(rows.start, rows.stop - rows.start)
        else:
            part = column.take(arrow().array(rows))
        texts: list[Any] = part.to_pylist()
        return texts

    def plain(self, start: int, stop: int) -> Rows:
        """Return those rows of a range that have nothing but columns."""
        if not self.others:
            return slice(start, stop)
        return np.array([row for row in range(start, stop) if row not in self.others], np.intp)

    def members(self, rows: Rows) -> list[str]:
        """Write rows as members of a ``tileIdToSpecMap``, ``"id":{...}``; what is ``other`` is left out."""
        masks = [mask[rows] for mask in self._sometimes.values()]
        ids = _json.dumps_texts(self.ids(rows))
        written: dict[str, list[str] | str] = {}
        affine: list[list[str] | str] = []
        for name in (*self._always, *self._sometimes):
            if name == "affine":
                assert self.affine is not None  # noqa: S101 - it is, where it is present
                affine = [_numbers(column[rows]) for column in self.affine.T]
            elif name in self.numbers:
                written[name] = _numbers(self.numbers[name][rows], whole=KINDS[name] == "int")
            elif name != "tileId":
                written[name] = _json.dumps_texts(text or "" for text in self._texts(name, rows))
        if not masks:
            return _formatted(self._always, ids, written, affine, None)
        patterns, group = np.unique(np.column_stack(masks), axis=0, return_inverse=True)
        group = group.reshape(-1)
        members = [""] * len(ids)
        for number, pattern in enumerate(patterns):
            present = self._always | {name for name, there in zip(self._sometimes, pattern) if there}
            chosen = np.flatnonzero(group == number).tolist()
            for row, text in zip(chosen, _formatted(present, ids, written, affine, chosen)):
                members[row] = text
        return members

    def documents(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return the documents of some rows."""
        if not len(rows):  # columns without a value may have no type
            return []
        members = ",".join(self.members(np.array(rows, np.intp)))
        documents = list(_json.loads(f"{{{members}}}").values())
        return [_merged(document, self.others.get(row, {})) for row, document in zip(rows, documents)]

    def doubtful(self, most_images: int) -> list[int]:
        """Return the rows that an import may have to warn of; the search for that looks closer."""
        pc = arrow().compute
        bad = np.zeros(self.count, bool)
        for name in IMAGES:
            if name in self.texts:
                urls = pc.fill_null(self.texts[name], "/")
                absolute = pc.or_(pc.starts_with(urls, "/"), pc.match_substring_regex(urls, r":[/\\]"))
                bad |= ~absolute.to_numpy().astype(bool)
        if self.affine is not None:
            m00, m10, m01, m11 = self.affine[:, :4].T
            with np.errstate(all="ignore"):
                bad |= np.abs(m00 * m11 - m10 * m01) <= 1e-9 * (np.abs(m00 * m11) + np.abs(m10 * m01))
        if "maxIntensity" in self.numbers and "imageUrl" in self.texts:
            wide = np.flatnonzero(self.numbers["maxIntensity"] > 255)
            bad[wide[:most_images]] = True
        rows: list[int] = np.flatnonzero(bad).tolist()
        return [row for row in rows if row not in self.others]


def _numbers(values: Array, whole: bool = False) -> list[str] | str:
    """Write numbers, those that are missing as 0; where all are the same, it alone."""
    values = np.nan_to_num(values)
    bits = np.ascontiguousarray(values).view(np.int64)  # 0.0 and -0.0 differ
    same = len(bits) > 0 and bool((bits == bits[0]).all())
    if same:
        values = values[:1]
    texts = list(map(str, values.astype(np.int64).tolist())) if whole else format_each(values.tolist())
    return texts[0] if same else texts


def _formatted(
    present: Iterable[str],
    ids: list[str],
    written: dict[str, list[str] | str],
    affine: list[list[str] | str],
    chosen: list[int] | None,
) -> list[str]:
    there = frozenset(present)

    def values(names: Iterable[str]) -> list[_Pieces]:
        return [[f'"{name}":', written[name]] for name in names if name in there]

    members: list[_Pieces] = [['"tileId":', ids]]
    if layout := values(LAYOUT):
        members.append(['"layout":{', *_between(",", layout), "}"])
    members += values(("groupId", "z", *BOX, "width", "height", "minIntensity", "maxIntensity"))
    images = values(IMAGES)
    level_0 = ['"0":{', *_between(",", images), "}"] if images else []
    members.append(['"mipmapLevels":{', *level_0, "}"])
    specs = [_LEAF, *_between(" ", [[column] for column in affine]), '"}'] if "affine" in there else []
    members.append(['"transforms":{"type":"list","specList":[', *specs, "]}"])
    members += values(("meshCellSize",))
    pieces: _Pieces = [ids, ":{", *_between(",", members), "}\n"]
    if chosen is not None:
        pieces = [piece if type(piece) is str else [piece[row] for row in chosen] for piece in pieces]
    return _rows_of_text(pieces, len(ids) if chosen is None else len(chosen))


def _between(separator: str, parts: Iterable[_Pieces]) -> _Pieces:
    """Chain pieces, with a separator between the parts."""
    pieces: _Pieces = []
    for part in parts:
        pieces += [separator, *part]
    return pieces[1:]


def _rows_of_text(pieces: _Pieces, count: int) -> list[str]:
    """Put together the text of each row, of pieces that are the same in all rows, or one for each.

    All rows are made by one ``join``, a fraction of the time that formatting each takes. The last piece ends with
    a line feed, of which JSON has no other.
    """
    merged: _Pieces = []
    for piece in pieces:
        if type(piece) is str and merged and type(merged[-1]) is str:
            merged[-1] += piece
        else:
            merged.append(piece)
    rows = [""] * (count * len(merged))
    for place, piece in enumerate(merged):
        rows[place :: len(merged)] = [piece] * count if type(piece) is str else piece
    return "".join(rows).split("\n")[:-1]


def _read_others(columns: Columns, other: Any) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    valid = np.flatnonzero(other.is_valid().to_numpy())
    for row, text in zip(valid.tolist(), other.drop_null().to_pylist()):
        try:
            document = _json.loads(text)
        except ValueError as error:
            columns.problems.add(row, columns.called["other"], f"is no JSON: {error}")
            continue
        if not isinstance(document, dict):
            columns.problems.add(row, columns.called["other"], f"is no JSON object: {text:.60}")
        elif document:
            found[row] = document
    return found


def _merged(document: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Add what columns do not say to what they say; transforms are one or the other."""
    for key, value in other.items():
        known = document.get(key)
        if isinstance(known, dict) and isinstance(value, dict) and key != "transforms":
            _merged(known, value)
        else:
            document[key] = value
    return document


# ------------------------------------------------------------------------------ documents to columns


def tiles_table(documents: Iterable[Mapping[str, Any]], other: bool, left_out: Counter[str]) -> Any:
    """Make an Arrow table of tile documents; what its columns do not say is counted, by its key."""
    lists: dict[str, list[Any]] = {name: [] for name in KINDS if name not in AFFINE}
    affines = [np.empty((0, 6))]
    waiting = iter(documents)
    with _json.collector_paused():
        while some := list(islice(waiting, _AT_ONCE)):
            rests = [_rest(document) for document in some]
            layouts: list[Any] = [document.get("layout") or {} for document in some]
            levels: list[Any] = [(document.get("mipmapLevels") or {}).get("0") or {} for document in some]
            sources = dict.fromkeys(LAYOUT, layouts) | dict.fromkeys(IMAGES, levels)
            affines.append(_affine_rows(some, rests))
            for name, values in lists.items():
                if name != "other":
                    values.extend([part.get(name) for part in sources.get(name, some)])
            if other:
                lists["other"].extend(_json.dumps(rest).decode() if rest else None for rest in rests)
            else:
                for rest in filter(None, rests):
                    left_out.update(rest.keys())
        return _arrow_table(lists, np.concatenate(affines).T, other)


def _arrow_table(lists: Mapping[str, list[Any]], affine: Array, other: bool) -> Any:
    pa = arrow()
    schema = tile_schema(other)
    arrays = []
    for field in schema:
        if field.name in AFFINE:
            arrays.append(pa.array(affine[AFFINE.index(field.name)], field.type, from_pandas=True))
            continue
        values = lists[field.name]
        try:
            arrays.append(pa.array(values, field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError) as error:
            bad = _first_bad(values, field.type)
            raise SpecError(
                f"{field.name} of tile {lists['tileId'][bad]!r} is {values[bad]!r:.60}, "
                f"which a column of {field.type} cannot hold"
            ) from error
    return pa.table(arrays, schema=schema)


def tile_schema(other: bool) -> Any:
    """Return the Arrow schema of tables of tiles."""
    pa = arrow()
    types = {"text": pa.string(), "double": pa.float64(), "int": pa.int32()}
    return pa.schema([(name, types[kind]) for name, kind in KINDS.items() if other or name != "other"])


def _first_bad(values: Sequence[Any], kind: Any) -> int:
    pa = arrow()
    for index, value in enumerate(values):
        try:
            pa.array([value], kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError):
            return index
    return 0


def _affine_rows(documents: Sequence[Mapping[str, Any]], rests: list[dict[str, Any]]) -> Array:
    """Return the affine transforms of tiles, (N, 6), NaN of those without; what cannot be read is a rest."""
    rows = [
        row
        for row, (document, rest) in enumerate(zip(documents, rests))
        if "transforms" not in rest and (document.get("transforms") or {}).get("specList")
    ]
    values = np.full((len(documents), 6), np.nan)
    texts = [documents[row]["transforms"]["specList"][0]["dataString"] for row in rows]
    try:
        values[rows] = parse_rows(texts, 6)
    except SpecError:
        for row, text in zip(rows, texts):
            try:
                values[row] = parse_rows([text], 6)
            except SpecError:
                rests[row] = {**rests[row], "transforms": documents[row]["transforms"]}
    return values


def _rest(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the columns do not say of a tile."""
    rest: dict[str, Any] = {}
    if not document.keys() <= _OF_TILE:
        rest = {key: value for key, value in document.items() if key not in _OF_TILE and value is not None}
    layout = document.get("layout")
    if layout and not layout.keys() <= _OF_LAYOUT:
        rest["layout"] = {key: value for key, value in layout.items() if key not in _OF_LAYOUT}
    levels = document.get("mipmapLevels")
    if levels and not (len(levels) == 1 and "0" in levels and levels["0"].keys() <= _OF_IMAGES):
        more = {key: value for key, value in levels.items() if key != "0"}
        if first := {k: v for k, v in (levels.get("0") or {}).items() if k not in _OF_IMAGES}:
            more["0"] = first
        if more:
            rest["mipmapLevels"] = more
    transforms = document.get("transforms")
    if transforms:
        specs = transforms.get("specList")
        if len(transforms) > 2 or (
            specs
            and not (
                len(specs) == 1
                and specs[0].get("className") == _CLASS
                and specs[0].keys() <= _OF_LEAF
                and specs[0].get("type", "leaf") == "leaf"
                and isinstance(specs[0].get("dataString"), str)
            )
        ):
            rest["transforms"] = transforms
    return rest
