"""Pairs of neighbouring tiles, by the rules of render's TilePairClient; arrays in, arrays out.

A tile reaches another when the circle around its centre touches the other's bounding box. Render searches
with an R-tree of 32 bit numbers, so positions are compared in those; everything else is 64 bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderapi._ordering import java_key
from renderapi.errors import SpecError
from renderapi.geometry._overlaps import BoxIndex, Doubles, Indices, as_floats, checked_boxes, overlap

Flags = NDArray[np.bool_]

#: Positions of the tiles of a pair in one layer relative to each other, in the order in which render sorts
#: them; 0 is that of tiles in different layers.
POSITIONS = (None, "TOP", "BOTTOM", "LEFT", "RIGHT")
_TOP, _BOTTOM, _LEFT, _RIGHT = 1, 2, 3, 4

# cells of covered area that are looked at at once
_CELLS = 2**22


class Pairs(NamedTuple):
    """Pairs of tiles of one layer, or of two.

    Attributes
    ----------
    first, second : PairLayer
        Layers of the two tiles, the same or that with the larger z second.
    rows : (M, 2) int array
        Rows of the tiles in `first` and `second`, ascending; in one layer the smaller row comes first.
    forward, backward : (M,) bool array
        Whether the first tile reaches the second, and the second the first. Of two layers only that with
        the smaller z is searched from.
    """

    first: PairLayer
    second: PairLayer
    rows: Indices
    forward: Flags
    backward: Flags


class PairLayer:
    """Tiles of one layer, ready to be paired.

    Parameters
    ----------
    boxes : array_like, (N, 4)
        minX, minY, maxX, maxY of the tiles in pixels.
    z : float
        The layer.
    xy_neighbor_factor : float
        Search radius of a tile as a part of the larger side of its box.
    radius : float, optional
        Search radius in pixels, instead.
    exclude_corner_neighbors : bool
        Leave out a neighbour whose centre is beside the box of a tile in x and also in y.
    sources : array_like of bool, (N,), optional
        Tiles that are searched from; default all.

    Raises
    ------
    SpecError
        If a box is none, or a number that decides the radius is no finite number from 0 on.
    """

    def __init__(
        self,
        boxes: Any,
        z: float,
        *,
        xy_neighbor_factor: float = 0.9,
        radius: float | None = None,
        exclude_corner_neighbors: bool = True,
        sources: Any = None,
    ) -> None:
        for name, value in (("xy_neighbor_factor", xy_neighbor_factor), ("radius", radius)):
            if value is not None and not 0 <= value < np.inf:
                raise SpecError(f"{name} must be a finite number from 0 on, not {value!r}")
        self.boxes = checked_boxes(boxes)
        self.z = float(z)
        self._index = BoxIndex(as_floats(self.boxes))
        self._corners = not exclude_corner_neighbors
        min_x, min_y, max_x, max_y = self.boxes.T
        self._columns = np.ascontiguousarray(self.boxes.T)
        self._centres = min_x + (max_x - min_x) / 2, min_y + (max_y - min_y) / 2
        self._sources = np.flatnonzero(np.ones(len(self), bool) if sources is None else sources)
        own = self._sources
        if radius is None:
            radii = np.maximum(max_x - min_x, max_y - min_y)[own] * xy_neighbor_factor
        else:
            radii = np.full(len(own), float(radius))
        with np.errstate(over="ignore"):
            self._x, self._y, self._r = (
                v.astype(np.float32) for v in (self._centres[0][own], self._centres[1][own], radii)
            )
            # the box around the circle, in the arithmetic of the R-tree
            self._squares = np.column_stack(
                [self._x - self._r, self._y - self._r, self._x + self._r, self._y + self._r]
            )

    def __len__(self) -> int:
        return len(self.boxes)

    def reached(self, other: PairLayer) -> tuple[Indices, Indices]:
        """Return the tiles of a layer that tiles of this one reach.

        Parameters
        ----------
        other : PairLayer
            That layer, which may be this one.

        Returns
        -------
        source, target : (M,) int arrays
            Rows of the tiles of this layer and of the other, in no order that means something.
        """
        found = [self._hits(other, row, target) for row, target in other._index.overlapping(self._squares)]
        if not found:
            return np.empty(0, np.intp), np.empty(0, np.intp)
        return np.concatenate([s for s, _ in found]), np.concatenate([t for _, t in found])

    def _hits(self, other: PairLayer, row: Indices, target: Indices) -> tuple[Indices, Indices]:
        x1, y1, x2, y2 = (column[target] for column in other._index.columns)
        x, y = self._x[row], self._y[row]
        # how far the box is from the centre: 32 bit differences, squared and added in 64 bits
        dx = np.maximum(np.maximum(x1 - x, x - x2), np.float32(0)).astype(np.float64)
        dy = np.maximum(np.maximum(y1 - y, y - y2), np.float32(0)).astype(np.float64)
        hit = np.sqrt(dx * dx + dy * dy) - self._r[row] <= 0
        source, target = self._sources[row[hit]], target[hit]
        if self is other:
            apart = source != target
            source, target = source[apart], target[apart]
        if not self._corners:
            beside = np.ones(len(source), bool)
            for axis in (0, 1):
                centre = other._centres[axis][target]
                low, high = self._columns[axis][source], self._columns[axis + 2][source]
                beside &= (centre < low) | (centre > high)
            source, target = source[~beside], target[~beside]
        return source, target


def pairs_within(layer: PairLayer) -> Pairs:
    """Return the pairs of neighbouring tiles in a layer."""
    source, target = layer.reached(layer)
    count = len(layer)
    forward = source < target
    keys = np.where(forward, source * count + target, target * count + source)
    order = np.argsort(keys, kind="stable")
    keys, forward = keys[order], forward[order]
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    starts = np.flatnonzero(first)
    rows = np.column_stack(np.divmod(keys[starts], max(count, 1)))
    if not len(starts):
        return Pairs(layer, layer, rows, np.zeros(0, bool), np.zeros(0, bool))
    return Pairs(
        layer, layer, rows, np.logical_or.reduceat(forward, starts), np.logical_or.reduceat(~forward, starts)
    )


def pairs_between(lower: PairLayer, upper: PairLayer) -> Pairs:
    """Return the pairs of tiles of two layers in which the tile of the lower layer reaches the other."""
    source, target = lower.reached(upper)
    order = np.argsort(source * max(len(upper), 1) + target, kind="stable")
    rows = np.column_stack([source[order], target[order]])
    return Pairs(lower, upper, rows, np.ones(len(rows), bool), np.zeros(len(rows), bool))


def layer_pairs(
    layers: Iterable[PairLayer], z_neighbor_distance: float = 2, exclude_same_layer_neighbors: bool = False
) -> Iterator[list[Pairs]]:
    """Pair the tiles of layers that come one after the other, holding those within the distance.

    Parameters
    ----------
    layers : iterable of PairLayer
        Layers, ascending in z. They are asked for when they are needed.
    z_neighbor_distance : float
        Largest difference of z.
    exclude_same_layer_neighbors : bool
        Only pairs of different layers.

    Yields
    ------
    list of Pairs
        For each layer the pairs in it, and those with each later layer within the distance.

    Raises
    ------
    SpecError
        If a layer comes out of order.
    """
    source = iter(layers)
    window: deque[PairLayer] = deque()
    more = True
    while more or window:
        while more and (not window or window[-1].z <= window[0].z + z_neighbor_distance):
            layer = next(source, None)
            if layer is None:
                more = False
            elif window and layer.z <= window[-1].z:
                raise SpecError(f"layer {layer.z} comes after layer {window[-1].z}; layers must ascend in z")
            else:
                window.append(layer)
        if window:
            lower = window.popleft()
            found = [] if exclude_same_layer_neighbors else [pairs_within(lower)]
            found += [
                pairs_between(lower, upper) for upper in window if upper.z <= lower.z + z_neighbor_distance
            ]
            yield found


def tile_pairs(
    boxes: Any,
    z: Any,
    *,
    ids: Sequence[str] | None = None,
    sections: Sequence[Any] | None = None,
    xy_neighbor_factor: float = 0.9,
    radius: float | None = None,
    z_neighbor_distance: float = 2,
    exclude_corner_neighbors: bool = True,
    exclude_completely_obscured_tiles: bool = True,
    exclude_same_layer_neighbors: bool = False,
    exclude_same_section_neighbors: bool = False,
    exclude_same_layer_pairs_with_position: str | None = None,
    bounds: Sequence[float] | None = None,
    sources: Any = None,
) -> Indices:
    """Find the pairs of neighbouring tiles of a stack, those of render's TilePairClient.

    Defaults are those of that client.

    Parameters
    ----------
    boxes : array_like, (N, 4)
        minX, minY, maxX, maxY of each tile in world coordinates.
    z : array_like, (N,)
        Layer of each tile, in any order.
    ids : sequence of str, (N,), optional
        Tile ids: two tiles with one id are no pair, and of tiles that cover each other the one with the
        greatest id is on top. By default all tiles differ, and later ones are on top.
    sections : sequence, (N,), optional
        Section of each tile, for `exclude_same_section_neighbors`.
    xy_neighbor_factor : float
        Search radius of a tile as a part of the larger side of its box.
    radius : float, optional
        Search radius in pixels, instead.
    z_neighbor_distance : float
        Largest difference of z.
    exclude_corner_neighbors : bool
        Leave out a neighbour whose centre is beside the box of a tile in x and also in y.
    exclude_completely_obscured_tiles : bool
        Leave out tiles that others of the layer cover, see `obscured_tiles`.
    exclude_same_layer_neighbors, exclude_same_section_neighbors : bool
        Leave out pairs in one layer, or in one section.
    exclude_same_layer_pairs_with_position : {"TOP", "BOTTOM", "LEFT", "RIGHT"}, optional
        Leave out pairs in one layer in which a tile has this position relative to the other.
    bounds : sequence of 4 float, optional
        minX, minY, maxX, maxY: only tiles that touch this box.
    sources : array_like of bool, (N,), optional
        Tiles that are searched from: pairs of which none is such a tile are left out (in different layers
        it must be that of the lower layer).

    Returns
    -------
    (M, 2) int array
        Indices of the tiles of each pair, each pair once: the tile of the lower layer first, in one layer
        that with the lower index. They are ordered by layer of the first, layer of the second, index of the
        first and of the second.

    Raises
    ------
    SpecError
        If a box is none, or lengths differ.

    Examples
    --------
    >>> from renderapi.geometry import tile_pairs
    >>> boxes = [[0, 0, 100, 100], [90, 0, 190, 100], [5, 3, 105, 103]]
    >>> tile_pairs(boxes, [1, 1, 2], z_neighbor_distance=1).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    array = checked_boxes(boxes)
    layer_of = np.asarray(z, dtype=np.float64)
    for name, given in (("z", layer_of), ("ids", ids), ("sections", sections), ("sources", sources)):
        if given is not None and len(given) != len(array):
            raise SpecError(f"{len(array)} boxes need as many {name}, not {len(given)}")
    if not np.isfinite(layer_of).all():
        raise SpecError("z must be finite numbers")
    position = _position(exclude_same_layer_pairs_with_position)
    names = None if ids is None else codes(ids)
    section = _sections(sections) if exclude_same_section_neighbors else None
    keep = np.ones(len(array), bool) if bounds is None else touching(array, bounds)
    order = np.flatnonzero(keep)
    order = order[np.argsort(layer_of[order], kind="stable")]
    starts = np.flatnonzero(np.diff(layer_of[order])) + 1
    tiles: dict[float, Indices] = {}

    def layers() -> Iterator[PairLayer]:
        for rows in np.split(order, starts) if len(order) else ():
            if exclude_completely_obscured_tiles:
                rows = rows[~obscured_tiles(array[rows], None if names is None else names[rows])]
            if len(rows):
                layer = PairLayer(
                    array[rows],
                    layer_of[rows[0]],
                    xy_neighbor_factor=xy_neighbor_factor,
                    radius=radius,
                    exclude_corner_neighbors=exclude_corner_neighbors,
                    sources=None if sources is None else np.asarray(sources, bool)[rows],
                )
                tiles[layer.z] = rows
                yield layer

    result = [np.empty((0, 2), np.intp)]
    for group in layer_pairs(layers(), z_neighbor_distance, exclude_same_layer_neighbors):
        for pairs in group:
            rows = pairs.rows
            if position and pairs.first is pairs.second:
                rows = rows[~with_position(pairs, position)]
            found = np.column_stack([tiles[pairs.first.z][rows[:, 0]], tiles[pairs.second.z][rows[:, 1]]])
            for label in (names, section):
                if label is not None:
                    found = found[label[found[:, 0]] != label[found[:, 1]]]
            result.append(found)
    return np.concatenate(result)


def _position(name: str | None) -> int:
    if name not in POSITIONS:
        raise SpecError(f"a position is {name!r}; it must be one of {', '.join(filter(None, POSITIONS))}")
    return POSITIONS.index(name)


def _sections(sections: Sequence[Any] | None) -> Indices:
    if sections is None:
        raise SpecError("exclude_same_section_neighbors needs sections")
    if any(section is None for section in sections):
        raise SpecError("a tile has no section, so that it cannot be told which tiles are of the same one")
    return codes([str(section) for section in sections])


def codes(texts: Sequence[str]) -> Indices:
    """Number texts in the order of Java's strings, equal ones alike."""
    order = {text: number for number, text in enumerate(sorted(set(texts), key=java_key))}
    return np.fromiter((order[text] for text in texts), np.intp, len(texts))


def touching(boxes: Any, bounds: Sequence[float]) -> Flags:
    """Tell which boxes touch a box, in the 32 bit numbers in which render compares them.

    Parameters
    ----------
    boxes : array_like, (N, 4)
        minX, minY, maxX, maxY.
    bounds : sequence of 4 float
        minX, minY, maxX, maxY.

    Returns
    -------
    (N,) bool array
    """
    return overlap(as_floats(checked_boxes(boxes)), as_floats(checked_boxes([bounds]))[0])


# ------------------------------------------------------------------------------------------- positions


def relative_positions(first: Any, second: Any) -> NDArray[np.int8]:
    """Tell where boxes are relative to others.

    Parameters
    ----------
    first, second : array_like, (M, 4)
        minX, minY, maxX, maxY.

    Returns
    -------
    (M,) int8 array
        Position of the first box of each pair, as an index of `POSITIONS`. Boxes with the same upper left
        corner are at the top, whichever is first.
    """
    difference = np.asarray(first, dtype=np.float64)[:, :2] - np.asarray(second, dtype=np.float64)[:, :2]
    dx, dy = difference.T
    beside = np.where(dx > 0, _RIGHT, _LEFT)
    above = np.where(dy > 0, _BOTTOM, _TOP)
    return np.where(np.abs(dx) > np.abs(dy), beside, above).astype(np.int8)


#: The position that the other tile has.
OPPOSITE = np.array([0, _BOTTOM, _TOP, _RIGHT, _LEFT], dtype=np.int8)


def with_position(pairs: Pairs, position: int) -> Flags:
    """Tell in which pairs of a layer one of the tiles has a position."""
    of_first = relative_positions(pairs.first.boxes[pairs.rows[:, 0]], pairs.second.boxes[pairs.rows[:, 1]])
    found: Flags = (of_first == position) | (OPPOSITE[of_first] == position)
    return found


# ------------------------------------------------------------------------------------------- obscured


def obscured_tiles(boxes: Any, order: Any = None) -> Flags:
    """Tell which tiles of a layer cannot be seen, because tiles on top of them cover them.

    Parameters
    ----------
    boxes : array_like, (N, 4)
        minX, minY, maxX, maxY of the tiles of one layer.
    order : array_like, (N,), optional
        Numbers, larger for tiles that are drawn later (in render those with the greater id); default the
        index.

    Returns
    -------
    (N,) bool array
        True for tiles that the union of those on top of them covers, and for tiles without area.

    Raises
    ------
    SpecError
        If a box is none.
    """
    array = checked_boxes(boxes)
    rank = np.arange(len(array)) if order is None else np.asarray(order)
    low, high = array[:, :2], array[:, :2] + (array[:, 2:] - array[:, :2])
    area = (high - low).prod(axis=1)
    hidden: Flags = area == 0
    floats = as_floats(array)
    found = [
        (under[above], over[above])
        for under, over in BoxIndex(floats).overlapping(floats)
        for above in [rank[over] > rank[under]]
    ]
    under = np.concatenate([np.empty(0, np.intp), *(u for u, _ in found)])
    over = np.concatenate([np.empty(0, np.intp), *(o for _, o in found)])
    # what each covers of the tile under it
    left_top = np.maximum(low[under], low[over])
    right_bottom = np.minimum(high[under], high[over])
    part = (right_bottom > left_top).all(axis=1)
    under, left_top, right_bottom = under[part], left_top[part], right_bottom[part]
    whole = (left_top == low[under]).all(axis=1) & (right_bottom == high[under]).all(axis=1)
    hidden[under[whole]] = True
    covered = np.bincount(under, (right_bottom - left_top).prod(axis=1), minlength=len(array))
    # the areas of the parts, which may overlap, must be enough in any case
    open_question = ~hidden & (covered >= area * (1 - 1e-9))
    chosen = open_question[under]
    under, parts = under[chosen], np.hstack([left_top[chosen], right_bottom[chosen]])
    by_tile = np.argsort(under, kind="stable")
    tiles, starts, counts = np.unique(under[by_tile], return_index=True, return_counts=True)
    for count in np.unique(counts):
        step = max(1, _CELLS // int(2 * count + 1) ** 2)
        those = np.flatnonzero(counts == count)
        for begin in range(0, len(those), step):
            some = those[begin : begin + step]
            covers = parts[by_tile[starts[some][:, None] + np.arange(count)]]
            own = np.hstack([low, high])[tiles[some]]
            hidden[tiles[some]] = _is_covered(own, covers)
    return hidden


def _is_covered(boxes: Doubles, parts: Doubles) -> Flags:
    """Tell which boxes (T, 4) their parts (T, K, 4) cover entirely: every cell between the edges of parts."""
    lines = [
        np.sort(np.hstack([boxes[:, axis::2], parts[:, :, axis], parts[:, :, axis + 2]]), axis=1)
        for axis in (0, 1)
    ]
    (x1, x2), (y1, y2) = ((line[:, :-1], line[:, 1:]) for line in lines)
    covered = (x1 == x2)[:, :, None] | (y1 == y2)[:, None, :]
    for part in parts.transpose(1, 2, 0)[..., None]:
        columns = (part[0] <= x1) & (x2 <= part[2])
        rows = (part[1] <= y1) & (y2 <= part[3])
        covered |= columns[:, :, None] & rows[:, None, :]
    hidden: Flags = covered.all(axis=(1, 2))
    return hidden
