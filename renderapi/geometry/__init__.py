"""Geometry of tiles: bounding boxes, points between local and world coordinates, pairs of neighbours,
clusters and residuals of matches. Arrays in, arrays out.

Points are (N, 2) float64 arrays of x, y in pixels at scale 1, boxes (N, 4) of minX, minY, maxX, maxY.
*Local* is the raw image of a tile, *world* the aligned space of a stack.
"""

from renderapi.geometry._boxes import affine_bounding_boxes, bounding_boxes, derive_bounding_boxes
from renderapi.geometry._points import points_to_local, points_to_world
from renderapi.geometry.chains import TileSpecError
from renderapi.geometry.clusters import cluster_labels, clusters, tile_clusters
from renderapi.geometry.meshes import CoordinateMesh, local_to_world, world_to_local
from renderapi.geometry.pairs import obscured_tiles, tile_pairs
from renderapi.geometry.residuals import match_residuals, residual_statistics

__all__ = [
    "CoordinateMesh",
    "TileSpecError",
    "affine_bounding_boxes",
    "bounding_boxes",
    "cluster_labels",
    "clusters",
    "derive_bounding_boxes",
    "local_to_world",
    "match_residuals",
    "obscured_tiles",
    "points_to_local",
    "points_to_world",
    "residual_statistics",
    "tile_clusters",
    "tile_pairs",
    "world_to_local",
]
