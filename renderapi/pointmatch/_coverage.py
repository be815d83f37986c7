"""How well point matches cover tiles, the pairs that are expected, and where tiles overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi.pointmatch.rows import rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MatchCoverage", "match_coverage"]


class MatchCoverage(NamedTuple):
    """Coverage of tiles, pairs and overlaps by matches.

    Attributes
    ----------
    tiles : float
        Share of the tiles that are in a pair with matches; NaN without tiles.
    pairs : float
        Share of the expected pairs that have matches; NaN if none is expected.
    expected : (M, 2) int array
        Indices of the tiles of each expected pair.
    matched : (M,) bool array
        Which of them have matches.
    spread : (M,) float64 array
        Share of the overlap of each pair that its points are spread over, from 0 to 1; NaN where the bounding boxes do
        not overlap.
    """

    tiles: float
    pairs: float
    expected: NDArray[np.intp]
    matched: NDArray[np.bool_]
    spread: NDArray[np.float64]


def match_coverage(
    matches: Iterable[Mapping[str, Any]],
    tiles: Sequence[Mapping[str, Any]],
    *,
    shared_transforms: Any = None,
    grid: int = 8,
    **rules: Any,
) -> MatchCoverage:
    """Tell how well matches cover tiles, the pairs that are expected, and where tiles overlap.

    ``tiles`` is tiles in pairs with matches / all tiles, ``pairs`` is expected pairs with matches / expected pairs.
    For the spread the overlap of the bounding boxes of a pair is cut into `grid` x `grid` cells; it is cells that hold
    a point of p, mapped to the world, / all cells. Points outside of the overlap do not count.

    Parameters
    ----------
    matches : iterable of dict
        Match documents. Those of tiles that are not in `tiles` do not count.
    tiles : sequence of dict
        Tile documents; a tile is known by ``layout.sectionId`` and ``tileId``.
    shared_transforms : mapping or iterable, optional
        Shared transforms that tiles refer to.
    grid : int
        Cells of the overlap along x and along y. Default 8: 64 points at best cover all.
    **rules
        Which pairs are expected: keywords of `renderapi.geometry.tile_pairs`.

    Returns
    -------
    MatchCoverage

    Raises
    ------
    SpecError
        If a match document is wrong, or tiles cannot be paired.
    TileSpecError
        If the transforms of a tile cannot be evaluated.
    ValueError
        If `grid` is no count.

    Examples
    --------
    >>> from renderapi.pointmatch import match_coverage, match_from_arrays
    >>> tiles = [{"tileId": name, "z": 1, "layout": {"sectionId": "1.0"}, "width": 100, "height": 100,
    ...           "transforms": {"type": "list", "specList": [
    ...               {"className": "mpicbg.trakem2.transform.AffineModel2D", "dataString": f"1 0 0 1 {x} 0"}]}}
    ...          for name, x in (("a", 0), ("b", 80))]
    >>> match = match_from_arrays("1.0", "a", "1.0", "b", [[85, 10], [85, 90]], [[5, 10], [5, 90]])
    >>> found = match_coverage([match], tiles, grid=2)
    >>> found.pairs, found.spread.tolist()
    (1.0, [0.5])
    """
    from renderapi.geometry import bounding_boxes, points_to_world, tile_pairs

    if type(grid) is not int or grid < 1:
        raise ValueError(f"grid is {grid!r}; it must be a count of at least 1")
    ids = [str(tile["tileId"]) for tile in tiles]
    number = {
        (str((tile.get("layout") or {}).get("sectionId")), tile_id): index
        for index, (tile, tile_id) in enumerate(zip(tiles, ids))
    }
    boxes = bounding_boxes(tiles, shared_transforms)
    expected = tile_pairs(boxes, [tile["z"] for tile in tiles], ids=ids, **rules)
    rows = rows_of(matches)
    p, q = (
        np.array([number.get((group, tile), -1) for group, tile in rows.ids[:, side]], np.intp)
        for side in ((0, 1), (2, 3))
    )
    counts = (p >= 0) & (q >= 0) & (rows.counts > 0)
    linked = np.zeros(len(tiles), bool)
    linked[p[counts]] = linked[q[counts]] = True
    # the expected pair of each document, -1 if it is none
    keys = np.sort(expected, axis=1) @ np.array([len(tiles), 1])
    order = np.argsort(keys)
    wanted = np.sort(np.column_stack([p, q]), axis=1) @ np.array([len(tiles), 1])
    place = np.searchsorted(keys, wanted, sorter=order).clip(max=max(len(keys) - 1, 0))
    pair = np.full(len(wanted), -1)
    if len(keys):
        hit = counts & (keys[order[place]] == wanted)
        pair[hit] = order[place[hit]]
    matched = np.zeros(len(expected), bool)
    matched[pair[pair >= 0]] = True
    # points in the world, as a part of the overlap of their pair
    low = np.maximum(*(boxes[expected[:, side], :2] for side in (0, 1)))
    size = np.minimum(*(boxes[expected[:, side], 2:] for side in (0, 1))) - low
    overlaps = np.asarray((size > 0).all(axis=1))
    of = np.repeat(pair, rows.counts)
    used = (of >= 0) & overlaps[of] if len(expected) else np.zeros(len(of), bool)
    of = of[used]
    world = points_to_world(
        tiles, np.repeat(p, rows.counts)[used], rows.points[:2, used].T, shared_transforms
    )
    cell = np.floor((world - low[of]) / size[of] * grid).astype(np.intp)
    inside = ((cell >= 0) & (cell < grid)).all(axis=1)
    occupied = np.unique(of[inside] * grid**2 + cell[inside] @ np.array([grid, 1]))
    spread = np.bincount(occupied // grid**2, minlength=len(expected)) / grid**2
    return MatchCoverage(
        float(linked.mean()) if len(tiles) else np.nan,
        float(matched.mean()) if len(expected) else np.nan,
        expected,
        matched,
        np.where(overlaps, spread, np.nan),
    )
