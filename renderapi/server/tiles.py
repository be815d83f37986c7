"""TileDataService and the render parameters of RenderDataService."""

from __future__ import annotations

from typing import Any

from renderapi.server import metadata
from renderapi.server.endpoint import (
    OK,
    STACK,
    TEXT,
    Answer,
    Context,
    Service,
    boolean,
    double,
    integer,
    json_bytes,
    strings,
)
from renderapi.server.layers import DVID_BOX, LAYER, LAYER_BOX
from renderapi.server.layers import service as layer_service
from renderapi.server.parameters import (
    RENDER_QUERY,
    box_parameters,
    get_tile,
    layer_parameters,
    neighbor_parameters,
    source_parameters,
    tile_parameters,
)
from renderapi.server.refusals import StackKey, tile_missing
from renderapi.server.stacks import delete_tiles
from renderapi.server.tile_rows import tile_document
from renderapi.server.validation import check_tile

service = Service("TileDataService", "Single tiles")

TILE = STACK + "/tile/{tileId}"
GROUP = STACK + "/group/{groupId}"


@service.get(TILE)
def stored_tile(server: Context, stack: StackKey, tileId: str) -> Answer:
    """Give a tile spec as it is stored, references kept."""
    with server.store.read() as connection:
        tile = tile_document(connection, metadata.content_row(connection, stack), tileId)
    if tile is None:
        raise tile_missing(stack, tileId)
    return json_bytes(tile)


@service.delete(TILE)
def delete_tile(server: Context, stack: StackKey, tileId: str) -> Answer:
    """Delete a tile."""
    return delete_tiles(server, stack, "tile_id", tileId)


@service.get(
    TILE + "/render-parameters",
    query={
        **RENDER_QUERY,
        "x": integer,
        "y": integer,
        "width": integer,
        "height": integer,
        "normalizeForMatching": boolean,
        "excludeTransformsAfterLast": strings,
        "excludeFirstTransformAndAllAfter": strings,
        "excludeAllTransforms": boolean,
    },
)
def tile_render_parameters(
    server: Context,
    stack: StackKey,
    tileId: str,
    x: int | None,
    y: int | None,
    width: int | None,
    height: int | None,
    normalizeForMatching: bool | None,
    excludeTransformsAfterLast: list[str],
    excludeFirstTransformAndAllAfter: list[str],
    excludeAllTransforms: bool | None,
    **query: Any,
) -> Answer:
    """Give the render parameters of a tile."""
    return tile_parameters(
        server,
        stack,
        tileId,
        query,
        x=x,
        y=y,
        width=width,
        height=height,
        normalize=normalizeForMatching,
        keep_through=excludeTransformsAfterLast,
        cut_from=excludeFirstTransformAndAllAfter,
        exclude_all=excludeAllTransforms,
    )


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
    """Give the render parameters of a tile's bare image."""
    return source_parameters(server, stack, tileId, path_scale, {**query, "scale": scale}, "image")


@service.get(TILE + "/mask/scale/{scale:double}/render-parameters", query=RENDER_QUERY)
def mask_render_parameters(
    server: Context, stack: StackKey, tileId: str, *, scale: float | None, path_scale: float, **query: Any
) -> Answer:
    """Give the render parameters of a tile's mask."""
    return source_parameters(server, stack, tileId, path_scale, {**query, "scale": scale}, "mask")


@service.get(
    TILE + "/withNeighbors/render-parameters",
    query={**RENDER_QUERY, "widthFactor": double, "heightFactor": double},
)
def neighbors_render_parameters(
    server: Context,
    stack: StackKey,
    tileId: str,
    widthFactor: float | None,
    heightFactor: float | None,
    **query: Any,
) -> Answer:
    """Give the render parameters of a tile and its surroundings."""
    return neighbor_parameters(
        server,
        stack,
        tileId,
        query,
        0.3 if widthFactor is None else widthFactor,
        0.3 if heightFactor is None else heightFactor,
    )


@layer_service.get(LAYER + "/render-parameters", query=RENDER_QUERY)
def layer_render_parameters(server: Context, stack: StackKey, z: float, **query: Any) -> Answer:
    """Give the render parameters of a layer."""
    return layer_parameters(server, stack, z, query)


@layer_service.get(LAYER_BOX + ",{scale:double}/render-parameters", query=RENDER_QUERY)
@layer_service.get(
    GROUP
    + "/z/{z:double}/box/{x:double},{y:double},{width:int},{height:int},{scale:double}/render-parameters",
    query=RENDER_QUERY,
)
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
    """Give the render parameters of a box."""
    return box_parameters(server, stack, z, (x, y, width, height), path_scale, query, groupId)
