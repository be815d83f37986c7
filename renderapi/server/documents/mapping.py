"""Points of tiles to the world and back, by `renderapi.geometry`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from renderapi import _json
from renderapi.geometry import (
    CoordinateMesh,
    match_residuals,
    points_to_local,
    points_to_world,
    residual_statistics,
)
from renderapi.geometry.residuals import ResidualStatistics
from renderapi.server.documents.boxes import NO_SIZE, NOT_CALCULABLE, problem_of
from renderapi.server.documents.problems import FailedError, InvalidError
from renderapi.server.documents.tiles import Document
from renderapi.utils import java_double

Points = NDArray[np.float64]

_SHAPE = ("width", "height", "meshCellSize", "transforms")
# a tile of 10,000 by 10,000 pixels has 25,000 cells of 64; a million of them take half a gigabyte
_MOST_CELLS = 1e6
# meshes that are kept, if they have no more cells than this
_KEPT, _MOST_CELLS_KEPT = 64, 1e4


def check_mesh(tile: Document) -> float:
    """Refuse a tile whose mesh cannot be made.

    Returns
    -------
    float
        About how many cells the mesh has.

    Raises
    ------
    FailedError
        Without a size.
    InvalidError
        If the mesh is too large.
    """
    if "width" not in tile or "height" not in tile:
        raise FailedError(NO_SIZE)
    width, height, cell = (float(tile[key]) for key in _SHAPE[:3])
    size = max(abs(cell), 1e-300)
    cells = (abs(width) / size + 1) * (abs(height) / size + 1)
    if not cells < _MOST_CELLS:
        raise InvalidError(
            f"a tile of {java_double(width)} x {java_double(height)} pixels cannot have a mesh with "
            f"a meshCellSize of {java_double(cell)}",
        )
    return cells


def _make_mesh(shape: bytes) -> CoordinateMesh:
    return CoordinateMesh(_json.loads(shape))


_kept_mesh = lru_cache(_KEPT)(_make_mesh)


def to_world(tiles: Sequence[Document], index: ArrayLike, points: ArrayLike) -> Points:
    """Map local points of resolved tiles to the world.

    Parameters
    ----------
    tiles : sequence of dict
        Tile specs without references.
    index : array_like of int, shape (N,)
        Which of the tiles each point belongs to.
    points : array_like, shape (N, 2)
        x and y in pixels of the tile.

    Returns
    -------
    ndarray, shape (N, 2)
        World coordinates.

    Raises
    ------
    Problem
        If a transform cannot be made.
    """
    try:
        return points_to_world(tiles, index, points)
    except NOT_CALCULABLE as problem:
        raise problem_of(problem) from problem


def to_local(tiles: Sequence[Document], index: ArrayLike, points: ArrayLike) -> Points:
    """Map world points into resolved tiles, through the triangle mesh of each.

    The meshes of the last tiles are kept, because a viewer asks for the same tile again and again.

    Parameters
    ----------
    tiles : sequence of dict
        Tile specs without references.
    index : array_like of int, shape (N,)
        Which of the tiles each point is mapped into.
    points : array_like, shape (N, 2)
        World coordinates.

    Returns
    -------
    ndarray, shape (N, 2)
        x and y in pixels of the tile; NaN where the mesh does not cover a point.

    Raises
    ------
    Problem
        If a transform or the mesh cannot be made, or for a tile without width or height.
    """
    cells = {number: check_mesh(tiles[number]) for number in np.unique(np.asarray(index, np.intp)).tolist()}
    small = {id(tiles[number]) for number, count in cells.items() if count < _MOST_CELLS_KEPT}

    def make_mesh(tile: Document) -> CoordinateMesh:
        make = _kept_mesh if id(tile) in small else _make_mesh
        return make(_json.dumps({key: tile[key] for key in _SHAPE if key in tile}))

    try:
        return points_to_local(tiles, index, points, make_mesh=make_mesh)
    except NOT_CALCULABLE as problem:
        raise problem_of(problem) from problem


def is_singular(tile: Document) -> bool:
    """Tell whether the transforms of a tile bring no triangle of its mesh to an area that can be inverted."""
    width, height = float(tile["width"]), float(tile["height"])
    corners = to_world([tile], [0, 0, 0], [(0, 0), (max(width - 1, 1), 0), (0, max(height - 1, 1))])
    (a, b), (c, d) = corners[1:] - corners[0]
    return not np.isfinite(corners).all() or a * d - b * c == 0


def pair_distances(
    pair: Document, matched: list[Document], aligned: list[Document]
) -> tuple[ResidualStatistics, Points]:
    """Measure how far apart the matches of two tiles lie.

    Parameters
    ----------
    pair : dict
        Matches, as positions after the transforms of the ``matched`` tiles.
    matched : list of dict
        Both tiles with the transforms that they were matched with.
    aligned : list of dict
        Both tiles with the transforms that bring them to the world.

    Returns
    -------
    ResidualStatistics, ndarray
        Of the distances that there are; and these, ascending.

    Raises
    ------
    Problem
        As for `to_local`.
    """
    for tile in matched:
        check_mesh(tile)
    try:
        distances = match_residuals([pair], aligned, matched=matched).distances
    except NOT_CALCULABLE as problem:
        raise problem_of(problem) from problem
    return residual_statistics(distances), np.sort(distances[np.isfinite(distances)])
