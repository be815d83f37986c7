"""Geometry of tiles: bounding boxes, and points between local and world coordinates. Arrays in, arrays out.

Points are (N, 2) float64 arrays of x, y in pixels at scale 1, boxes (N, 4) of minX, minY, maxX, maxY.
*Local* is the raw image of a tile, *world* the aligned space of a stack.
"""

from renderapi.geometry._boxes import bounding_boxes, derive_bounding_boxes
from renderapi.geometry._chain import TileSpecError
from renderapi.geometry._mesh import CoordinateMesh, local_to_world, world_to_local

__all__ = [
    "CoordinateMesh",
    "TileSpecError",
    "bounding_boxes",
    "derive_bounding_boxes",
    "local_to_world",
    "world_to_local",
]
