"""What TilePairClient does, in Python: pairs of neighbouring tiles of a stack, in files.

The search is `renderapi.geometry.pairs`; here are the layers as the server has them, the filters that need
ids, the order and the files. Render sorts pairs by p and q, each by group id, tile id and position, with
tiles that have none first. (Its master branch leaves the order open where pairs of one layer and of several
are mixed; its newer branch has this one.)
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import numpy as np

from renderapi import _json
from renderapi._ordering import java_key
from renderapi._parallel import progress_reporter
from renderapi._project import Project
from renderapi.client.checks import (
    ClientArgumentError,
    as_list,
    boolean_word,
    bounds_of,
    check_choice,
    check_compat,
    whole_number,
)
from renderapi.client.documents import Document
from renderapi.client.files import stem_and_ending
from renderapi.errors import NotFoundError, RenderWarning, SpecError
from renderapi.geometry.pairs import (
    OPPOSITE,
    POSITIONS,
    PairLayer,
    Pairs,
    codes,
    layer_pairs,
    obscured_tiles,
    relative_positions,
    touching,
    with_position,
)
from renderapi.pointmatch import get_matches_with_group
from renderapi.resolvedtiles import get_resolved_tiles_from_z
from renderapi.stack import get_tilebounds_for_z, get_z_values_for_stack
from renderapi.utils import java_double, jbool, open_text

logger = logging.getLogger("renderapi.client")

# group id and tile id as texts that sort as Java sorts them, then as they are
Canvas = tuple[str, str, str, str]
# p, position of p, q, position of q, difference of z (-1 in one layer)
Pair = tuple[Canvas, int, Canvas, int, float]

#: Pairs in a file where the caller does not say.
PAIRS_PER_FILE = 100_000
_WRITTEN_AT_ONCE = 10_000
# side of the squares that stand for tiles by row and column
_CELL = 10


@dataclass
class PairSearch:
    """A search for the tile pairs of a stack.

    Parameters
    ----------
    connection : Project
        Where the stack is.
    stack : str
        Stack.
    min_z, max_z : float
        First and last layer.
    z : sequence of float, optional
        Only these layers.
    factor, radius, z_distance, exclude_corners, exclude_obscured, exclude_same_layer, exclude_same_section
        As for `renderapi.geometry.tile_pairs`.
    position : int
        Pairs in a layer in which a tile has it are left out; 0 for none.
    bounds : sequence of 4 float, optional
        minX, minY, maxX, maxY: only tiles that touch this box.
    by_row_and_column : bool
        Positions are rows and columns of the layout.
    existing : tuple of (str, str, int), optional
        Owner and name of a match collection, and the number of matches above which (from 1 on) its pairs are
        left out; 0 for all.
    only_from : str, optional
        Only tiles that this stack has in the same layer: name, ``project::name`` or ``owner::project::name``.
    near : frozenset of str, optional
        Tiles that are searched from.
    newsolver : bool
        Tiles with one corner are one pair, as in render's branch newsolver, not one for each side.
    """

    connection: Project
    stack: str
    min_z: float | None
    max_z: float | None
    z: Sequence[float] | None = None
    factor: float = 0.9
    radius: float | None = None
    z_distance: float = 2
    exclude_corners: bool = True
    exclude_obscured: bool = True
    exclude_same_layer: bool = False
    exclude_same_section: bool = False
    position: int = 0
    bounds: Sequence[float] | None = None
    by_row_and_column: bool = False
    existing: tuple[str, str, int] | None = None
    only_from: str | None = None
    near: frozenset[str] | None = None
    newsolver: bool = False
    _canvases: dict[float, list[Canvas]] = field(default_factory=dict, init=False)
    _paired: dict[float, set[tuple[str, ...]]] = field(default_factory=dict, init=False)

    def run(self, progress: Any = None) -> Iterator[list[Pair]]:
        """Return the pairs of one layer after the other: those in it, and those with later layers.

        Raises
        ------
        NotFoundError
            If there is no such stack, or it has no layers there.
        SpecError
            If a tile has no section, or no row and column where those are asked for.
        """
        zs = sorted(
            get_z_values_for_stack(self.stack, minZ=self.min_z, maxZ=self.max_z, **self.connection.keywords())
        )
        if self.z is not None:
            wanted = set(map(float, self.z))
            zs = [z for z in zs if z in wanted]
        if not zs:
            raise NotFoundError(f"stack {self.stack} has no layers from z {self.min_z} to {self.max_z}")
        with progress_reporter(progress, len(zs), "finding tile pairs") as advance:
            for group in layer_pairs((self._layer(z) for z in zs), self.z_distance, self.exclude_same_layer):
                yield [pair for pairs in group for pair in self._kept(pairs)]
                # layers are searched in their order, so this one is not asked for again
                done = min(self._canvases)
                del self._canvases[done], self._paired[done]
                advance(1)

    # ------------------------------------------------------------------------------- layers

    def _layer(self, z: float) -> PairLayer:
        if self.by_row_and_column:
            tiles, boxes = self._cells(z)
        else:
            tiles, boxes = self._tiles(z)
        self._canvases[z] = [_canvas(tile) for tile in tiles]
        self._paired[z] = self._existing_pairs({tile["sectionId"] for tile in tiles})
        return PairLayer(
            boxes,
            z,
            xy_neighbor_factor=self.factor,
            radius=self.radius,
            exclude_corner_neighbors=self.exclude_corners,
            sources=None if self.near is None else [tile["tileId"] in self.near for tile in tiles],
        )

    def _tiles(self, z: float) -> tuple[list[Document], Any]:
        tiles = get_tilebounds_for_z(self.stack, z, **self.connection.keywords())
        if self.only_from is not None:
            others = {tile["tileId"] for tile in self._tiles_of_other_stack(z)}
            tiles = [tile for tile in tiles if tile["tileId"] in others]
        boxes = np.array([_box(tile) for tile in tiles], dtype=np.float64).reshape(-1, 4)
        if self.bounds is not None:
            tiles, boxes = _chosen(tiles, boxes, touching(boxes, self.bounds))
        if self.exclude_obscured:
            seen = ~obscured_tiles(boxes, codes([tile["tileId"] for tile in tiles]))
            tiles, boxes = _chosen(tiles, boxes, seen)
        return tiles, boxes

    def _tiles_of_other_stack(self, z: float) -> list[Document]:
        *place, name = str(self.only_from).split("::")
        if len(place) > 2:
            raise ClientArgumentError(
                f"onlyIncludeTilesFromStack is {self.only_from!r}; it must be stack, project::stack or "
                "owner::project::stack"
            )
        keywords = {**self.connection.keywords(), **dict(zip(("project", "owner"), reversed(place)))}
        return get_tilebounds_for_z(name, z, **keywords)

    def _cells(self, z: float) -> tuple[list[Document], Any]:
        """Tiles of a layer as squares at their rows and columns."""
        resolved = get_resolved_tiles_from_z(self.stack, z, **self.connection.keywords())
        tiles, corners = [], []
        for tile in resolved.tilespecs:
            layout = tile.layout
            row, column = getattr(layout, "imageRow", None), getattr(layout, "imageCol", None)
            if row is None or column is None:
                raise SpecError(f"tile {tile.tileId} of layer {z} has no row and column in its layout")
            tiles.append({"tileId": tile.tileId, "sectionId": layout.sectionId})
            corners.append((column * _CELL, row * _CELL))
        low = np.array(corners, dtype=np.float64).reshape(-1, 2)
        return tiles, np.hstack([low, low + _CELL])

    def _existing_pairs(self, sections: set[str]) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        if self.existing is None:
            return found
        owner, collection, least = self.existing
        keywords = {**self.connection.keywords(), "owner": owner}
        for section in sorted(sections):
            try:
                matches = get_matches_with_group(collection, section, excludeMatchDetails=True, **keywords)
            except NotFoundError:
                warnings.warn(
                    f"there is no match collection {collection} of {owner}: no pairs are left out for it",
                    RenderWarning,
                    stacklevel=2,
                )
                self.existing = None
                return found
            found.update(
                (match["pGroupId"], match["pId"], match["qGroupId"], match["qId"])
                for match in matches
                if not least or (match.get("matchCount") or 0) > least
            )
        return found

    # ------------------------------------------------------------------------------- pairs

    def _kept(self, pairs: Pairs) -> Iterator[Pair]:
        p_canvases, q_canvases = self._canvases[pairs.first.z], self._canvases[pairs.second.z]
        for p_row, q_row, p_position, q_position, distance in self._places(pairs):
            p, q = p_canvases[p_row], q_canvases[q_row]
            if p[1] == q[1] or (self.exclude_same_section and p[0] == q[0]):
                continue
            if q < p:
                p, q, p_position, q_position = q, p, q_position, p_position
            if not any((*p[2:], *q[2:]) in paired for paired in self._paired.values() if paired):
                yield p, p_position, q, q_position, distance

    def _places(self, pairs: Pairs) -> Iterator[tuple[int, int, int, int, float]]:
        if pairs.first is not pairs.second:
            distance = abs(pairs.second.z - pairs.first.z)
            for p, q in pairs.rows.tolist():
                yield p, q, 0, 0, distance
            return
        keep = ~with_position(pairs, self.position) if self.position else np.ones(len(pairs.rows), bool)
        rows = pairs.rows[keep]
        first, second = pairs.first.boxes[rows[:, 0]], pairs.first.boxes[rows[:, 1]]
        positions = relative_positions(first, second)
        # tiles with one corner are both at the top of the other, so that render has a pair for each side
        same = (first[:, :2] == second[:, :2]).all(axis=1)
        if self.newsolver:
            # there the smaller one is at the top
            canvases = self._canvases[pairs.first.z]
            for row in np.flatnonzero(same).tolist():
                if canvases[rows[row, 1]] < canvases[rows[row, 0]]:
                    positions[row] = POSITIONS.index("BOTTOM")
            same[:] = False
        there, back = pairs.forward[keep] | ~same, pairs.backward[keep] & same
        opposite = OPPOSITE[positions]
        for chosen, p, q in ((there, positions, opposite), (back, opposite, positions)):
            columns = (rows[chosen, 0], rows[chosen, 1], p[chosen], q[chosen])
            for place in zip(*(column.tolist() for column in columns)):
                yield (*place, -1.0)


def _chosen(tiles: list[Document], boxes: Any, mask: Any) -> tuple[list[Document], Any]:
    return [tile for tile, keep in zip(tiles, mask.tolist()) if keep], boxes[mask]


def _box(tile: Document) -> tuple[float, ...]:
    return tile["minX"], tile["minY"], tile["maxX"], tile["maxY"]


def _canvas(tile: Document) -> Canvas:
    if tile.get("sectionId") is None:
        raise SpecError(f"tile {tile['tileId']} has no sectionId in its layout, which is its group in a pair")
    section, tile_id = str(tile["sectionId"]), tile["tileId"]
    return java_key(section), java_key(tile_id), section, tile_id


# ------------------------------------------------------------------------------------------- the client


def find_tile_pairs(
    connection: Project,
    stack: str,
    outjson: str | Path,
    template: str,
    *,
    minz: float | None,
    maxz: float | None,
    z: Any,
    xyNeighborFactor: float | None,
    explicitRadius: float | None,
    zNeighborDistance: int | None,
    excludeCornerNeighbors: Any,
    excludeCompletelyObscuredTiles: Any,
    excludeSameLayerNeighbors: Any,
    excludeSameSectionNeighbors: Any,
    excludeSameLayerPairsWithPosition: str | None,
    excludePairsInMatchCollection: str | None,
    existingMatchOwner: str | None,
    minExistingMatchCount: int | None,
    onlyIncludeTilesFromStack: str | None,
    onlyIncludeTilesNearTileIdsJson: str | None,
    useRowColPositions: Any,
    box: dict[str, float | None],
    maxPairsPerFile: int | None,
    compat: str,
    progress: Any,
) -> None:
    """Write the files that TilePairClient would write.

    Parameters
    ----------
    connection, stack
        Where the tiles are.
    outjson : path
        The file.
    template : str
        ``renderParametersUrlTemplate`` of the files.
    progress : optional
        As for `renderapi.client.import_tilespecs`, told of layers.
    **options
        Those of `renderapi.client.tilePairClient`; None for the default of Java.

    Raises
    ------
    ClientArgumentError
        If an option cannot be understood; nothing was asked of the server.
    """
    check_choice(excludeSameLayerPairsWithPosition, POSITIONS[1:], "excludeSameLayerPairsWithPosition")
    distance = whole_number(zNeighborDistance, "zNeighborDistance")
    distance = 2 if distance is None else distance
    by_cell = jbool(useRowColPositions) == "true"
    if by_cell and distance:
        warnings.warn(
            "useRowColPositions has no effect without zNeighborDistance=0", RenderWarning, stacklevel=4
        )
    existing = None
    if excludePairsInMatchCollection is not None:
        least = whole_number(minExistingMatchCount, "minExistingMatchCount") or 0
        existing = (existingMatchOwner or str(connection.owner), excludePairsInMatchCollection, least)
    search = PairSearch(
        connection,
        stack,
        minz,
        maxz,
        z=None if z is None else [float(value) for value in as_list(z)],
        factor=0.9 if xyNeighborFactor is None else float(xyNeighborFactor),
        radius=None if explicitRadius is None else float(explicitRadius),
        z_distance=distance,
        exclude_corners=_is_true(excludeCornerNeighbors, True),
        exclude_obscured=_is_true(excludeCompletelyObscuredTiles, True),
        exclude_same_layer=_is_true(excludeSameLayerNeighbors, False),
        exclude_same_section=_is_true(excludeSameSectionNeighbors, False),
        position=POSITIONS.index(excludeSameLayerPairsWithPosition),
        bounds=bounds_of(box),
        by_row_and_column=by_cell and not distance,
        existing=existing,
        only_from=onlyIncludeTilesFromStack,
        near=_ids_in(onlyIncludeTilesNearTileIdsJson),
        newsolver=check_compat(compat) == "newsolver",
    )
    most = whole_number(maxPairsPerFile, "maxPairsPerFile")
    files = PairFiles(outjson, template, PAIRS_PER_FILE if most is None else most)
    for pairs in search.run(progress):
        files.add(pairs)
    files.finish()


def _is_true(value: Any, default: bool) -> bool:
    word = boolean_word(value)
    return default if word is None else word.strip().lower() == "true"


def _ids_in(path: str | None) -> frozenset[str] | None:
    if path is None:
        return None
    try:
        with open_text(path) as file:
            ids = _json.loads(file.read())
    except (OSError, ValueError) as error:
        raise ClientArgumentError(f"onlyIncludeTilesNearTileIdsJson {path} cannot be read: {error}") from None
    if not isinstance(ids, list) or not all(isinstance(tile_id, str) for tile_id in ids):
        raise ClientArgumentError(f"onlyIncludeTilesNearTileIdsJson {path} must hold a JSON list of tile ids")
    return frozenset(ids)


# ------------------------------------------------------------------------------------------- files


class PairFiles:
    """Writes pairs as TilePairClient does: into one file, or numbered parts beside it.

    Parameters
    ----------
    outjson : path
        The file; gzipped if its name ends in ``.gz``.
    template : str
        ``renderParametersUrlTemplate`` of the files.
    most : int
        Largest number of pairs in a file.
    """

    def __init__(self, outjson: str | Path, template: str, most: int = PAIRS_PER_FILE) -> None:
        self._path = Path(outjson)
        self._template = template
        self._most = max(1, most)
        self._waiting: list[Pair] = []
        self._parts = 0

    def add(self, pairs: list[Pair]) -> None:
        """Take the pairs of a layer; full parts are written as soon as there are more than one file holds."""
        merged = sorted(self._waiting + pairs)
        # of two that differ only in the difference of z one stays
        self._waiting = [
            pair for index, pair in enumerate(merged) if not index or pair[:4] != merged[index - 1][:4]
        ]
        if len(self._waiting) > self._most:
            full = len(self._waiting) // self._most * self._most
            for start in range(0, full, self._most):
                self._write_part(self._waiting[start : start + self._most])
            del self._waiting[:full]

    def finish(self) -> None:
        """Write what is left: to the file itself if there are no parts; without any pair there is no file."""
        if self._waiting and self._parts:
            self._write_part(self._waiting)
        elif self._waiting:
            self._write(self._path, self._waiting)
        self._waiting = []

    def _write_part(self, pairs: list[Pair]) -> None:
        stem, ending = stem_and_ending(self._path.name)
        self._write(self._path.with_name(f"{stem}_p{self._parts:03d}{ending}"), pairs)
        self._parts += 1

    def _write(self, path: Path, pairs: list[Pair]) -> None:
        with open_text(path, "w") as file:
            # laid out as render does, so that one can look at the files side by side
            template = encode_basestring(self._template)
            file.write(f'{{\n  "renderParametersUrlTemplate" : {template},\n  "neighborPairs" : [')
            for start in range(0, len(pairs), _WRITTEN_AT_ONCE):
                some = pairs[start : start + _WRITTEN_AT_ONCE]
                file.write(("," if start else "") + ",".join(map(_pair_text, some)))
            file.write("\n  ]\n}")
        logger.info("wrote %d tile pairs to %s", len(pairs), path)


def _pair_text(pair: Pair) -> str:
    p, p_position, q, q_position, distance = pair
    difference = "" if distance < 0 else f',\n      "absoluteDeltaZ" : {java_double(distance)}'
    return f"\n    {{{_side('p', p, p_position)},{_side('q', q, q_position)}{difference}\n    }}"


def _side(name: str, canvas: Canvas, position: int) -> str:
    group, tile_id = encode_basestring(canvas[2]), encode_basestring(canvas[3])
    place = f',\n        "relativePosition" : "{POSITIONS[position]}"' if position else ""
    return f'\n      "{name}" : {{\n        "groupId" : {group},\n        "id" : {tile_id}{place}\n      }}'
