"""Selections: some tiles of a stack, or some pairs of a match collection, that are read when they are needed.

`renderapi.stack.tiles` and `renderapi.pointmatch.select` make them. A selection holds what was asked for, not what
was found: it is counted, listed and read as often as it is used, a layer or a group at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from renderapi import _pages
from renderapi._extras import install_line
from renderapi._names import BOX, PAIR
from renderapi._parallel import in_threads, thread_session
from renderapi.coordinate import local_to_world_coordinates_of_stack
from renderapi.errors import BadRequestError, SpecError
from renderapi.image import get_group_bb_renderparams
from renderapi.pointmatch import (
    get_match_groupIds_from_only,
    get_matchcollections,
    get_matches_from_group_to_group,
    get_matches_from_tile_to_tile,
    get_matches_outside_group,
    get_matches_with_group,
    get_matches_within_group,
)
from renderapi.pointmatch.rows import rows_of
from renderapi.section import get_tile_count_of_box
from renderapi.stack import (
    get_full_stack_metadata,
    get_stack_tileIds,
    get_tilebounds_for_z,
    get_z_values_for_stack,
)
from renderapi.tilespec import (
    TileSpec,
    get_tile_specs_from_box,
    get_tile_specs_from_z,
    get_tile_specs_with_ids,
)
from renderapi.transform import AffineModel

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["MatchSelection", "TileSelection"]

Unit = TypeVar("Unit")
Result = TypeVar("Result")
Canvas = tuple[str, str]
#: p and q, each by group and id.
Pair = tuple[Canvas, Canvas]

#: Ids of a request.
_IDS_AT_ONCE = 1000
#: A box around everything: the sides of a box are 32-bit integers on a server.
_EVERYWHERE = (-1e9, -1e9, 1e9, 1e9)
_AFFINE = ("M00", "M01", "B0", "M10", "M11", "B1")
#: States in which a stack has statistics that hold for its tiles.
_CLOSED = ("COMPLETE", "READ_ONLY")


class _Selection:
    """What is asked for with the settings of one call, by several threads ahead of who reads."""

    def __init__(self, connection: Mapping[str, Any], threads: int) -> None:
        if type(threads) is not int or threads < 1:
            raise BadRequestError(f"threads is {threads!r}; it must be a count of at least 1")
        self._connection = dict(connection)
        self._threads = threads

    def _ask(self, function: Callable[..., Any], *args: Any, **words: Any) -> Any:
        """Call a function of an endpoint with the connection, from any thread."""
        call = self._connection
        session = thread_session(call["session"], call["render"])
        return function(*args, **{**call, "session": session}, **words)

    def _ahead(self, work: Callable[[Unit], Result], units: Iterable[Unit]) -> Generator[Result, None, None]:
        return in_threads(work, units, self._threads)

    @property
    def connection(self) -> dict[str, Any]:
        """Keywords of the connection, for other calls: ``get_stack_bounds(tiles.stack, **tiles.connection)``."""
        return dict(self._connection)

    @_pages.never_failing
    def _repr_html_(self) -> str:
        count = _pages.within(_pages.PATIENCE, self.count) if self._counts_at_once() else None
        told = "as count() tells, with more than one request" if count is None else f"{count:,}"
        what, _, chosen = repr(self).strip("<>").partition(": ")
        return _pages.card(what, [("chosen", chosen), ("number", told)])

    def _counts_at_once(self) -> bool:
        """Tell whether a request or two are enough to count."""
        raise NotImplementedError

    def count(self) -> int:
        """Count what is selected."""
        raise NotImplementedError

    def _where(self) -> str:
        call = self._connection
        return "/".join(str(call[name]) for name in ("owner", "project") if call.get(name) is not None)


def _batches(values: Iterable[str], size: int = _IDS_AT_ONCE) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def _texts(values: Iterable[Any]) -> NDArray[Any]:
    """Return an array of texts and None: each is held once, however long the longest is."""
    listed = list(values)
    array = np.empty(len(listed), object)
    array[:] = listed
    return array


def _frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"a table needs pandas: {install_line('tables')}") from error
    return pd.DataFrame(columns)


# ---------------------------------------------------------------------------------------------- tiles


class TileSelection(_Selection):
    """Some tiles of a stack; made by `renderapi.stack.tiles`.

    Iterating gives each tile once, as a `renderapi.tilespec.TileSpec` with references resolved and transform lists
    flattened, layer by layer and ordered by id within each; selected by ids, in their order. At most twice as many
    layers (or batches of 1000 ids) as there are threads are held at a time.
    """

    def __init__(
        self,
        stack: str,
        *,
        z: Any = None,
        box: Iterable[float] | None = None,
        group: str | None = None,
        pattern: str | None = None,
        ids: Iterable[str] | None = None,
        threads: int = 4,
        **connection: Any,
    ) -> None:
        super().__init__(connection, threads)
        self._stack = stack
        self._range, self._zs = _layers(z)
        self._box = None if box is None else _box(box)
        self._group = None if group is None else str(group)
        self._pattern = pattern
        self._ids: list[str] | None = None
        if ids is not None:
            if isinstance(ids, str):
                raise SpecError(f"ids are a list of tile ids, not the text {ids!r:.100}")
            if not (box is None and group is None and pattern is None):
                raise BadRequestError(
                    "of tiles that are named by ids only z= is chosen too: leave the others out"
                )
            self._ids = list(dict.fromkeys(map(str, ids)))

    @property
    def stack(self) -> str:
        """Name of the stack."""
        return self._stack

    def __repr__(self) -> str:
        if self._zs is not None:
            layers = ", ".join(f"{z:g}" for z in self._zs[:5]) + (", ..." if len(self._zs) > 5 else "")
            parts = [f"z {layers}" if self._zs else "no layer"]
        elif self._range == (None, None):
            parts = []
        else:
            first, last = ("" if z is None else f"{z:g}" for z in self._range)
            parts = [f"z from {first or 'the first'} to {last or 'the last'}"]
        if self._box is not None:
            parts.append("box ({:g}, {:g}, {:g}, {:g})".format(*self._box))
        if self._group is not None:
            parts.append(f"group {self._group!r}")
        if self._pattern is not None:
            parts.append(f"ids that match {self._pattern!r}")
        if self._ids is not None:
            parts.append(f"{len(self._ids)} ids")
        chosen = "; ".join(parts) or "all tiles"
        return f"<tiles of stack {self._stack!r} of {self._where()}: {chosen}>"

    # ------------------------------------------------------------------------------ what there is

    def layers(self) -> list[float]:
        """List the selected layers that hold a tile of the stack, in one request.

        Returns
        -------
        list of float
            z, ascending; of layers that were named one by one, in their order.

        Raises
        ------
        NotFoundError
            If there is no such stack.
        """
        first, last = self._range
        if self._zs is not None:
            if not self._zs:
                return []
            first, last = min(self._zs), max(self._zs)
        there = self._ask(get_z_values_for_stack, self._stack, minZ=first, maxZ=last)
        if self._zs is None:
            return sorted(there)
        known = set(there)
        return [z for z in self._zs if z in known]

    def _counts_at_once(self) -> bool:
        whole = self._zs is None and self._range == (None, None)
        few = self._zs is not None and len(self._zs) <= self._threads
        chosen = (self._ids, self._pattern, self._group)
        return all(part is None for part in chosen) and (few or (whole and self._box is None))

    def count(self) -> int:
        """Count the tiles without reading them.

        Of a whole stack that is COMPLETE or READ_ONLY its statistics are asked for, else the count of each layer.
        A pattern is counted by the ids that match it, a box whose sides are no whole numbers by the boxes of the
        tiles, and ids by a point of each. Only those of a group are read, as no server counts by group.

        Returns
        -------
        int
        """
        if self._ids is not None or self._pattern is not None or self._group is not None:
            return sum(1 for _ in self.ids())
        if self._box is None and self._zs is None and self._range == (None, None):
            metadata = self._ask(get_full_stack_metadata, self._stack)
            count = (metadata.get("stats") or {}).get("tileCount")
            if metadata.get("state") in _CLOSED and count is not None:
                return int(count)
        return sum(self._ahead(self._count_of_layer, self.layers()))

    def exists(self) -> bool:
        """Tell whether there is any such tile, as `count` does, but no further than the first that is found.

        Returns
        -------
        bool
        """
        if self._ids is not None or self._pattern is not None or self._group is not None:
            return next(self._ids_found(1), None) is not None
        if self._box is None:
            return bool(self.layers())
        return any(map(self._count_of_layer, self.layers()))

    def ids(self) -> Iterator[str]:
        """Yield the ids of the tiles, in the order of iteration, without reading tiles but those of a group.

        Yields
        ------
        str
        """
        return self._ids_found(self._threads)

    def _ids_found(self, threads: int) -> Generator[str, None, None]:
        if self._ids is not None:
            self._check_stack()
            if self._range == (None, None) and self._zs is None:
                for batch in in_threads(self._existing, _batches(self._ids), threads):
                    yield from batch
                return
            there = set().union(*in_threads(self._ids_of_layer, self.layers(), threads))
            yield from (name for name in self._ids if name in there)
            return
        for found in in_threads(self._ids_of_layer, self.layers(), threads):
            yield from found

    def _check_stack(self) -> None:
        # servers have no tile of any id in a stack that is not there, without a word
        self._ask(get_full_stack_metadata, self._stack)

    def _existing(self, batch: list[str]) -> list[str]:
        points = [{"tileId": name, "local": [0, 0]} for name in batch]
        answers = self._ask(local_to_world_coordinates_of_stack, self._stack, points)
        return [
            name
            for name, answer in zip(batch, answers)
            if "does not exist" not in str(answer.get("error", ""))
        ]

    def _count_of_layer(self, z: float) -> int:
        x, y, right, bottom = self._box or _EVERYWHERE
        width, height = right - x, bottom - y
        if width == int(width) and height == int(height):
            count: int = self._ask(get_tile_count_of_box, self._stack, z, x, y, width, height)
            return count
        return len(self._ids_of_layer(z))

    def _ids_of_layer(self, z: float) -> list[str]:
        if self._group is not None:
            return [str(tile.tileId) for tile in self._tiles_of_layer(z)]
        if self._box is None:
            return self._matching(z)
        boxes = self._ask(get_tilebounds_for_z, self._stack, z)
        names = sorted(box["tileId"] for box in boxes if self._meets([box[name] for name in BOX]))
        return names if self._pattern is None else sorted(set(names).intersection(self._matching(z)))

    def _matching(self, z: float) -> list[str]:
        names: list[str] = self._ask(
            get_stack_tileIds, self._stack, minZ=z, maxZ=z, matchPattern=self._pattern
        )
        return names

    def _meets(self, bounds: Any) -> bool:
        x, y, right, bottom = self._box or _EVERYWHERE
        return bool(bounds[0] <= right and bounds[1] <= bottom and bounds[2] >= x and bounds[3] >= y)

    # ------------------------------------------------------------------------------ reading

    def __iter__(self) -> Iterator[TileSpec]:
        for tiles in self._parts():
            yield from tiles

    def _parts(self) -> Generator[list[TileSpec], None, None]:
        if self._ids is None:
            yield from self._ahead(self._tiles_of_layer, self.layers())
            return
        self._check_stack()
        for tiles in self._ahead(self._tiles_with_ids, _batches(self._ids)):
            yield [tile for tile in tiles if self._in_layers(tile.z)]

    def _in_layers(self, z: Any) -> bool:
        if self._zs is not None:
            return z in self._zs
        first, last = self._range
        return (first is None or z >= first) and (last is None or z <= last)

    def _tiles_with_ids(self, batch: list[str]) -> list[TileSpec]:
        found = self._ask(get_tile_specs_with_ids, self._stack, batch)
        by_id = {tile.tileId: tile for tile in found}
        return [by_id[name] for name in batch if name in by_id]

    def _tiles_of_layer(self, z: float) -> list[TileSpec]:
        if self._box is None and self._group is None:
            if self._pattern is None:
                try:
                    whole: list[TileSpec] = self._ask(get_tile_specs_from_z, self._stack, z)
                    return whole
                except BadRequestError as error:
                    # of more than some ten thousand tiles a server gives none: take them by id
                    if "query too broad" not in str(error):
                        raise
            return [tile for batch in _batches(self._matching(z)) for tile in self._tiles_with_ids(batch)]
        tiles = [tile for tile in self._tiles_of_box(z) if self._meets(tile.bbox)]
        if self._pattern is None:
            return tiles
        wanted = set(self._matching(z))
        return [tile for tile in tiles if tile.tileId in wanted]

    def _tiles_of_box(self, z: float) -> list[TileSpec]:
        left, top, right, bottom = self._box or _EVERYWHERE
        x, y = math.floor(left), math.floor(top)
        sides = x, y, math.ceil(right) - x, math.ceil(bottom) - y
        if self._group is None:
            tiles: list[TileSpec] = self._ask(get_tile_specs_from_box, self._stack, z, *sides)
            return tiles
        parameters = self._ask(get_group_bb_renderparams, self._stack, self._group, z, *sides)
        return [TileSpec(json=document) for document in parameters.get("tileSpecs") or ()]

    # ------------------------------------------------------------------------------ tables

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Read what is mostly asked of tiles into arrays, one entry a tile in the order of iteration.

        Returns
        -------
        dict of array
            ``tileId``, ``sectionId``, ``groupId``: (N,) object arrays of text, or None where a tile has none.
            ``z``, ``width``, ``height``, ``stageX``, ``stageY``: (N,) float64, NaN where a tile has none; width
            and height are those of the image, stage positions as its layout has them.
            ``box``: (N, 4) float64, minX, minY, maxX, maxY in the world.
            ``affine``: (N, 2, 3) float64, ``[[M00, M01, B0], [M10, M11, B1]]``: all transforms in one; NaN where
            one of them is not affine.
        """
        texts: dict[str, list[Any]] = {name: [] for name in ("tileId", "sectionId", "groupId")}
        numbers: list[NDArray[np.float64]] = []
        for tiles in self._parts():
            rows = np.empty((len(tiles), 9 + len(_AFFINE)))
            for row, tile in zip(rows, tiles):
                layout = tile.layout
                texts["tileId"].append(tile.tileId)
                texts["sectionId"].append(layout.sectionId)
                texts["groupId"].append(tile.groupId)
                row[:9] = [
                    math.nan if value is None else value
                    for value in (tile.z, tile.width, tile.height, layout.stageX, layout.stageY, *tile.bbox)
                ]
                row[9:] = _affine_of(tile)
            numbers.append(rows)
        table = np.concatenate(numbers) if numbers else np.empty((0, 9 + len(_AFFINE)))
        return {
            **{name: _texts(values) for name, values in texts.items()},
            **{
                name: table[:, i].copy()
                for i, name in enumerate(("z", "width", "height", "stageX", "stageY"))
            },
            "box": table[:, 5:9].copy(),
            "affine": table[:, 9:].reshape(-1, 2, 3).copy(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Read the arrays of `to_arrays` into a table of pandas, a row for each tile.

        Returns
        -------
        pandas.DataFrame
            Columns ``tileId, sectionId, groupId, z, width, height, stageX, stageY, minX, minY, maxX, maxY, M00, M01,
            B0, M10, M11, B1``.

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``tables``).
        """
        arrays = self.to_arrays()
        box, affine = arrays.pop("box"), arrays.pop("affine").reshape(-1, 6)
        return _frame(
            {
                **arrays,
                **{name: box[:, i] for i, name in enumerate(BOX)},
                **{name: affine[:, i] for i, name in enumerate(_AFFINE)},
            }
        )


def _layers(z: Any) -> tuple[tuple[float | None, float | None], list[float] | None]:
    """Return a range of layers, and the layers that were named one by one."""
    if z is None:
        return (None, None), None
    if isinstance(z, tuple):
        if len(z) != 2:
            raise SpecError(f"a tuple is the first and the last z, not {z!r:.100}; single layers are a list")
        first, last = (None if value is None else _number("z", value) for value in z)
        if first is not None and last is not None and first > last:
            raise SpecError(f"z is from {first:g} to {last:g}, where no layer is")
        return (first, last), None
    several = z if isinstance(z, Iterable) and not isinstance(z, str) else [z]
    return (None, None), list(dict.fromkeys(_number("z", value) for value in several))


def _number(name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise SpecError(f"{name} must be a finite number, not {value!r:.100}: nothing was sent")
    return number


def _box(box: Iterable[float]) -> tuple[float, float, float, float]:
    numbers = [_number("box", side) for side in box]
    if len(numbers) != 4 or numbers[0] > numbers[2] or numbers[1] > numbers[3]:
        raise SpecError(f"box is {numbers}; it must be minX, minY, maxX, maxY")
    x, y, right, bottom = numbers
    return x, y, right, bottom


def _affine_of(tile: TileSpec) -> NDArray[np.float64]:
    """Return M00, M01, B0, M10, M11, B1 of all transforms of a tile; NaN if one of them is not affine."""
    whole = np.eye(3)
    for transform in tile.tforms:
        if not isinstance(transform, AffineModel):
            return np.full(6, np.nan)
        whole = transform.M @ whole
    return whole[:2].reshape(6)


# ---------------------------------------------------------------------------------------------- matches


class MatchSelection(_Selection):
    """Some pairs of a match collection; made by `renderapi.pointmatch.select`.

    Iterating gives the match documents, each pair once, group by group. At most twice as many groups as there are
    threads are held at a time.
    """

    def __init__(
        self,
        matchCollection: str,
        *,
        group: Any = None,
        pgroup: Any = None,
        qgroup: Any = None,
        pairs: Iterable[Any] | None = None,
        min_matches: int = 0,
        threads: int = 4,
        **connection: Any,
    ) -> None:
        super().__init__(connection, threads)
        self._collection = matchCollection
        self._group, self._pgroup, self._qgroup = map(_groups, (group, pgroup, qgroup))
        if group is not None and not (pgroup is None and qgroup is None):
            raise BadRequestError("group= is all pairs of a group: leave pgroup= and qgroup= out")
        self._pairs: list[Pair] | None = None
        if pairs is not None:
            if not (group is None and pgroup is None and qgroup is None):
                raise BadRequestError("of pairs that are named no groups can be chosen: leave them out")
            self._pairs = list(dict.fromkeys(map(_pair, pairs)))
        if type(min_matches) is not int or min_matches < 0:
            raise BadRequestError(f"min_matches is {min_matches!r}; it must be a count")
        self._least = min_matches

    @property
    def collection(self) -> str:
        """Name of the match collection."""
        return self._collection

    def __repr__(self) -> str:
        named = {"group": self._group, "p in group": self._pgroup, "q in group": self._qgroup}
        parts = [
            f"{what} {', '.join(map(repr, groups[:5]))}{', ...' if len(groups) > 5 else ''}"
            for what, groups in named.items()
            if groups is not None
        ]
        if self._pairs is not None:
            parts.append(f"{len(self._pairs)} pairs")
        if self._least:
            parts.append(f"at least {self._least} matches")
        chosen = "; ".join(parts) or "all pairs"
        return (
            f"<pairs of match collection {self._collection!r} of {self._connection.get('owner')}: {chosen}>"
        )

    def _counts_at_once(self) -> bool:
        chosen = (self._pairs, self._group, self._pgroup, self._qgroup)
        return self._least == 0 and all(part is None for part in chosen)

    def count(self) -> int:
        """Count the pairs without reading points.

        Of a whole collection the server knows the count, which is one request; else ids are asked for.

        Returns
        -------
        int

        Raises
        ------
        NotFoundError
            If there is no such collection.
        """
        chosen = (self._pairs, self._group, self._pgroup, self._qgroup)
        if self._least == 0 and all(part is None for part in chosen):
            for found in self._ask(get_matchcollections):
                if found["collectionId"]["name"] == self._collection:
                    return int(found["pairCount"])
        return sum(1 for _ in self.pairs())

    def exists(self) -> bool:
        """Tell whether there is any such pair, without reading points.

        Returns
        -------
        bool
        """
        return any(map(partial(self._read, details=False), self._units(details=False)))

    def pairs(self) -> Iterator[Pair]:
        """Yield the pairs without reading points: ``((pGroupId, pId), (qGroupId, qId))``.

        Yields
        ------
        tuple
            As ``pairs=`` of `renderapi.pointmatch.select` takes it.
        """
        for documents in self._ahead(partial(self._read, details=False), self._units(details=False)):
            yield from map(_pair, documents)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for documents in self._parts():
            yield from documents

    def _parts(self) -> Generator[list[dict[str, Any]], None, None]:
        yield from self._ahead(partial(self._read, details=True), self._units(details=True))

    def _units(
        self, details: bool
    ) -> list[tuple[Callable[..., Any], tuple[str, ...], Callable[[Any], bool]]]:
        """Return the requests: a function, its arguments, and which of its documents count."""
        if self._pairs is not None:
            if details:
                return [
                    (get_matches_from_tile_to_tile, (*p, *q), lambda document: True) for p, q in self._pairs
                ]
            wanted = {frozenset(pair) for pair in self._pairs}
            between = dict.fromkeys(tuple(sorted((p[0], q[0]))) for p, q in self._pairs)
            return [
                (
                    get_matches_from_group_to_group,
                    groups,
                    lambda document: frozenset(_pair(document)) in wanted,
                )
                for groups in between
            ]
        if self._group is not None:
            units: list[tuple[Callable[..., Any], tuple[str, ...], Callable[[Any], bool]]] = []
            for number, group in enumerate(self._group):
                earlier = frozenset(self._group[:number])
                units.append((get_matches_within_group, (group,), lambda document: True))
                units.append((get_matches_outside_group, (group,), partial(_without, earlier)))
            return units
        if self._pgroup is not None and self._qgroup is not None:
            between = dict.fromkeys(tuple(sorted((p, q))) for p in self._pgroup for q in self._qgroup)
            return [(get_matches_from_group_to_group, groups, lambda document: True) for groups in between]
        if self._qgroup is not None:
            return [
                (function, (group,), lambda document, group=group: document["qGroupId"] == group)  # type: ignore[misc]
                for group in self._qgroup
                for function in (get_matches_within_group, get_matches_outside_group)
            ]
        groups = self._pgroup
        if groups is None:
            groups = self._ask(get_match_groupIds_from_only, self._collection)
        return [(get_matches_with_group, (group,), lambda document: True) for group in groups]

    def _read(
        self, unit: tuple[Callable[..., Any], tuple[str, ...], Callable[[Any], bool]], details: bool
    ) -> list[dict[str, Any]]:
        function, groups, counts = unit
        words = {} if details else {"excludeMatchDetails": True}
        documents = self._ask(function, self._collection, *groups, **words)
        return [document for document in documents if counts(document) and self._is_large(document)]

    def _is_large(self, document: Mapping[str, Any]) -> bool:
        count = document.get("matchCount")
        if count is None:
            count = len((document.get("matches") or {}).get("w") or ())
        return bool(count >= self._least)

    # ------------------------------------------------------------------------------ tables

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Read the matches into long arrays, one entry a match.

        Returns
        -------
        dict of array
            ``p_group``, ``p_id``, ``q_group``, ``q_id``: (N,) object arrays of text. ``px``, ``py``, ``qx``, ``qy``:
            (N,) float64, pixels of the raw images at scale 1. ``w``: (N,) float64, weights.

        Raises
        ------
        SpecError
            If the points of a pair are not parallel, or not in the plane.
        """
        rows = rows_of(document for documents in self._parts() for document in documents)
        return {
            **{
                column: np.repeat(rows.ids[:, i], rows.counts)
                for i, column in enumerate(("p_group", "p_id", "q_group", "q_id"))
            },
            **{column: rows.points[i].copy() for i, column in enumerate(("px", "py", "qx", "qy", "w"))},
        }

    def to_frame(self) -> pd.DataFrame:
        """Read the arrays of `to_arrays` into a table of pandas, a row for each match.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed (extra ``tables``).
        """
        return _frame(self.to_arrays())


def _groups(given: Any) -> list[str] | None:
    if given is None:
        return None
    several = [given] if isinstance(given, str) or not isinstance(given, Iterable) else given
    return list(dict.fromkeys(map(str, several)))


def _pair(given: Any) -> Pair:
    """Return a pair, given as such, as four texts or as a document."""
    try:
        if isinstance(given, Mapping):
            given = [given[name] for name in PAIR]
        parts = list(given)
        p_group, p_id, q_group, q_id = parts if len(parts) == 4 else (*parts[0], *parts[1])
        if len(parts) not in (2, 4) or isinstance(given, str):
            raise ValueError
    except (KeyError, IndexError, TypeError, ValueError):
        raise SpecError(
            f"a pair is ((pGroupId, pId), (qGroupId, qId)) or a match document, not {given!r:.100}"
        ) from None
    return (str(p_group), str(p_id)), (str(q_group), str(q_id))


def _without(groups: frozenset[str], document: Mapping[str, Any]) -> bool:
    return groups.isdisjoint((document["pGroupId"], document["qGroupId"]))
