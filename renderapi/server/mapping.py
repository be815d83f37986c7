"""Points of tiles to the world and back, by `renderapi.geometry`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from renderapi.server.documents import Document

Points = NDArray[np.float64]


def to_world(tile: Document, points: Points) -> Points:
    """Map local points of a resolved tile to the world.

    Parameters
    ----------
    points : ndarray, shape (N, 2)
        x and y in pixels of the tile.
    """
    raise NotImplementedError


def to_local(tile: Document, points: Points) -> Points:
    """Map world points into a resolved tile, through its triangle mesh.

    Returns
    -------
    ndarray, shape (N, 2)
        NaN where the mesh does not cover a point.
    """
    raise NotImplementedError
