"""Points of tiles to the world and back, by `renderapi.geometry`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from renderapi import _json
from renderapi.errors import SpecError
from renderapi.server.boxes import refusal_of
from renderapi.server.documents import Document

if TYPE_CHECKING:
    from renderapi.geometry import CoordinateMesh

Points = NDArray[np.float64]

_SHAPE = ("width", "height", "meshCellSize", "transforms")
_KEPT = 64


@lru_cache(_KEPT)
def _mesh(shape: bytes) -> CoordinateMesh:
    # scipy is loaded with it, which a server that maps nothing does without
    from renderapi.geometry import CoordinateMesh

    return CoordinateMesh(_json.loads(shape))


def to_world(tile: Document, points: Points) -> Points:
    """Map local points of a resolved tile to the world.

    Parameters
    ----------
    tile : dict
        Tile spec without references.
    points : ndarray, shape (N, 2)
        x and y in pixels of the tile.

    Returns
    -------
    ndarray, shape (N, 2)
        World coordinates.

    Raises
    ------
    Refusal
        400 if a transform cannot be made.
    """
    from renderapi.geometry import local_to_world

    try:
        return local_to_world(tile, points)
    except SpecError as problem:
        raise refusal_of(problem) from problem


def to_local(tile: Document, points: Points) -> Points:
    """Map world points into a resolved tile, through its triangle mesh.

    The meshes of the last tiles are kept, because a viewer asks for the same tile again and again.

    Parameters
    ----------
    tile : dict
        Tile spec without references.
    points : ndarray, shape (N, 2)
        World coordinates.

    Returns
    -------
    ndarray, shape (N, 2)
        x and y in pixels of the tile; NaN where the mesh does not cover a point.

    Raises
    ------
    Refusal
        400 if a transform cannot be made, 500 for a tile without width or height.
    """
    try:
        return _mesh(_json.dumps({key: tile[key] for key in _SHAPE if key in tile})).world_to_local(points)
    except SpecError as problem:
        raise refusal_of(problem) from problem
