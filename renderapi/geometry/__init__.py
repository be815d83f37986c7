"""Geometry of tiles: bounding boxes in world coordinates. Arrays in, arrays out, many tiles at once.

Boxes are (N, 4) float64 arrays of minX, minY, maxX, maxY in pixels at scale 1.
"""

from renderapi.geometry._boxes import bounding_boxes, derive_bounding_boxes
from renderapi.geometry._chain import TileSpecError

__all__ = ["TileSpecError", "bounding_boxes", "derive_bounding_boxes"]
