"""What render-ws calls things that several rooms spell."""

from __future__ import annotations

#: Sides of a bounding box, in the order of the columns of an array of boxes.
BOX = ("minX", "minY", "maxX", "maxY")
#: What tells a pair of tiles of a match document.
PAIR = ("pGroupId", "pId", "qGroupId", "qId")
#: The order in which the tiles of a section are painted, later ones over earlier.
TILE_ORDERS = ("ASCENDING_TILE_ID_ORDER", "DESCENDING_TILE_ID_ORDER", "CLUSTER_GROUP_ID_ORDER")
#: The branches of render that labs run.
BRANCHES = ("master", "newsolver")
