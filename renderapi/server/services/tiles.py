"""TileDataService, and of RenderDataService the render parameters and the tiles with their matches."""

from __future__ import annotations

from itertools import chain
from typing import Any

from renderapi.server.documents.keys import CollectionKey, StackKey
from renderapi.server.endpoints.declaring import (
    OK,
    STACK,
    TEXT,
    Answer,
    Context,
    Service,
    json_bytes,
)
from renderapi.server.services.layers import (
    DVID_BOX,
    ID_PATTERN,
    LAYER,
    LAYER_BOX,
    SELECTION,
    SelectedTiles,
    resolved_tiles,
)
from renderapi.server.services.layers import service as layer_service
from renderapi.server.services.matches import matches_content
from renderapi.server.services.parameters import (
    NEIGHBOR_QUERY,
    RENDER_QUERY,
    TILE_QUERY,
    box_parameters,
    get_tile,
    layer_parameters,
    neighbor_parameters,
    source_parameters,
    tile_parameters,
)
from renderapi.server.services.parameters import stored_tile as tile_as_stored
from renderapi.server.services.stacks import delete_tiles
from renderapi.server.services.validation import check_tile
from renderapi.server.store import matches as match_rows

service = Service("TileDataService", "Single tiles")

TILE = STACK + "/tile/{tileId}"
GROUP = STACK + "/group/{groupId}"


@service.get(TILE)
def stored_tile(server: Context, stack: StackKey, tileId: str) -> Answer:
    """Return a tile spec as it is stored, references kept."""
    with server.store.read() as connection:
        return json_bytes(tile_as_stored(connection, stack, tileId))


@service.delete(TILE)
def delete_tile(server: Context, stack: StackKey, tileId: str) -> Answer:
    """Delete a tile."""
    return delete_tiles(server, stack, tile=tileId)


@service.get(TILE + "/render-parameters", query=TILE_QUERY)
def tile_render_parameters(server: Context, stack: StackKey, tileId: str, **query: Any) -> Answer:
    """Return the render parameters of a tile."""
    return json_bytes(tile_parameters(server, stack, tileId, **query).content())


@service.get(TILE + "/validation-info", gives=TEXT)
def validation_info(server: Context, stack: StackKey, tileId: str) -> Answer:
    """Tell whether a tile's images can be read and its transforms made."""
    with server.store.read() as connection:
        tile = get_tile(connection, stack, tileId)
    check_tile(server, tile)
    return OK


@service.get(TILE + "/source/scale/{scale:double}/render-parameters", query=RENDER_QUERY)
def source_render_parameters(
    server: Context, stack: StackKey, tileId: str, *, scale: float | None, path_scale: float, **query: Any
) -> Answer:
    """Return the render parameters of a tile's bare image."""
    found = source_parameters(server, stack, tileId, path_scale, {**query, "scale": scale}, "image")
    return json_bytes(found.content())


@service.get(TILE + "/mask/scale/{scale:double}/render-parameters", query=RENDER_QUERY)
def mask_render_parameters(
    server: Context, stack: StackKey, tileId: str, *, scale: float | None, path_scale: float, **query: Any
) -> Answer:
    """Return the render parameters of a tile's mask."""
    found = source_parameters(server, stack, tileId, path_scale, {**query, "scale": scale}, "mask")
    return json_bytes(found.content())


@service.get(TILE + "/withNeighbors/render-parameters", query=NEIGHBOR_QUERY)
def neighbors_render_parameters(server: Context, stack: StackKey, tileId: str, **query: Any) -> Answer:
    """Return the render parameters of a tile and its surroundings."""
    return json_bytes(neighbor_parameters(server, stack, tileId, **query).content())


@layer_service.get(LAYER + "/render-parameters", query={**RENDER_QUERY, **ID_PATTERN})
def layer_render_parameters(server: Context, stack: StackKey, z: float, **query: Any) -> Answer:
    """Return the render parameters of a layer."""
    return json_bytes(layer_parameters(server, stack, z, query).content())


@layer_service.get(LAYER_BOX + ",{scale:double}/render-parameters", query=RENDER_QUERY)
@layer_service.get(GROUP + LAYER_BOX[len(STACK) :] + ",{scale:double}/render-parameters", query=RENDER_QUERY)
@layer_service.get(STACK + DVID_BOX + "/render-parameters", query=RENDER_QUERY)
@layer_service.get(GROUP + DVID_BOX + "/render-parameters", query=RENDER_QUERY)
def box_render_parameters(
    server: Context,
    stack: StackKey,
    z: float,
    x: float,
    y: float,
    width: int,
    height: int,
    path_scale: float = 1.0,
    groupId: str | None = None,
    **query: Any,
) -> Answer:
    """Return the render parameters of a box."""
    box = (x, y, width, height)
    return json_bytes(box_parameters(server, stack, z, box, path_scale, query, groupId).content())


@layer_service.get(
    STACK + "/resolvedTilesWithMatchesFrom/{matchCollection}", query=SELECTION, branch="newsolver"
)
def tiles_with_matches(server: Context, stack: StackKey, matchCollection: str, **selection: Any) -> Answer:
    """Return the tiles of a range, group and box, and every pair of a collection that one of them is part of.

    Of a pair the other tile need not be among them. Render answers in batches, so that it may give a pair
    more than once; here each comes once.
    """
    with server.store.read() as connection:
        chosen = SelectedTiles(connection, stack, **selection)
        tiles = resolved_tiles(connection, stack, chosen.query, chosen.description, server.most_tiles)
        row = match_rows.get(connection, CollectionKey(stack.owner, matchCollection).checked())
        pairs = matches_content(server, row, match_rows.of_objects(chosen.query.objects(connection)))
    return json_bytes(chain([b'{"resolvedTileSpecs":', *tiles, b',"matchPairs":'], pairs, [b"}"]))
