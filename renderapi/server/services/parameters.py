"""Render parameters: the document that tells a renderer what to draw.

One piece of code makes them for those who ask for the document and for the images that are drawn by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from renderapi import _json
from renderapi._names import TILE_ORDERS
from renderapi._ordering import java_key
from renderapi.errors import SpecError
from renderapi.geometry.chains import DEFAULT_MESH_CELL_SIZE
from renderapi.server.documents.boxes import derive_boxes
from renderapi.server.documents.keys import StackKey, tile_missing
from renderapi.server.documents.tiles import (
    Document,
    channel,
    filter_spec,
    mipmap_path_builder,
    tile_spec,
)
from renderapi.server.documents.values import (
    Rules,
    as_boolean,
    as_int,
    as_integer,
    as_list,
    as_number,
    as_text,
)
from renderapi.server.endpoints.declaring import (
    Context,
    Query,
    boolean,
    double,
    enumeration,
    integer,
    newer,
    string,
    strings,
)
from renderapi.server.endpoints.refusals import QueryRefusal, Refusal
from renderapi.server.services.layers import box_query, no_tiles_in_layer
from renderapi.server.store import metadata
from renderapi.server.store.database import Transaction
from renderapi.server.store.resolved import resolved_content, resolved_tile
from renderapi.server.store.tile_rows import TileQuery, tile_document
from renderapi.transform.flattening import cut_by_labels, normalized_for_matching

# what every render-parameters and image endpoint takes
RENDER_QUERY: dict[str, Query] = {
    "scale": double,
    "minIntensity": double,
    "maxIntensity": double,
    "channels": string,
    "filter": boolean,
    "filterListName": string,
    "binaryMask": boolean,
    "excludeMask": boolean,
    "convertToGray": boolean,
    "fillWithNoise": boolean,
    "maskMinX": newer(integer),
    "maskMinY": newer(integer),
    "tileSpecOrder": newer(enumeration(*TILE_ORDERS)),
}
# and what those of a tile take beside it
TILE_QUERY: dict[str, Query] = {
    **RENDER_QUERY,
    "x": integer,
    "y": integer,
    "width": integer,
    "height": integer,
    "normalizeForMatching": boolean,
    "excludeTransformsAfterLast": strings,
    "excludeFirstTransformAndAllAfter": strings,
    "excludeAllTransforms": boolean,
}
NEIGHBOR_QUERY: dict[str, Query] = {**RENDER_QUERY, "widthFactor": double, "heightFactor": double}


#: How render parameters that a client sends are read.
RENDER_PARAMETERS: Rules = {
    "meshCellSize": as_number,
    "minMeshCellSize": as_number,
    "x": as_number,
    "y": as_number,
    "width": as_integer,
    "height": as_integer,
    "scale": as_number,
    "minIntensity": as_number,
    "maxIntensity": as_number,
    "convertToGray": as_boolean,
    "quality": as_number,
    "skipInterpolation": as_boolean,
    "binaryMask": as_boolean,
    "excludeMask": as_boolean,
    "maskMinX": as_integer,
    "maskMinY": as_integer,
    "doFilter": as_boolean,
    "addWarpFieldDebugOverlay": as_boolean,
    "backgroundRGBColor": as_integer,
    "fillWithNoise": as_boolean,
    "channels": as_text,
    "mipmapPathBuilder": lambda value, where: mipmap_path_builder(value),
    "filterSpecs": lambda value, where: as_list(value, where, filter_spec),
    "tileSpecs": lambda value, where: as_list(value, where, lambda item, _: tile_spec(item)),
    # documents and images that the server would have to fetch for a client
    "tileSpecUrl": as_text,
    "in": as_text,
}


@dataclass(frozen=True)
class RenderParameters:
    """Render parameters, their tile specs apart.

    Attributes
    ----------
    values : dict
        The document without its tile specs.
    tiles : bytes or list of Document
        Resolved tile specs: encoded and separated by commas, or decoded.
    only_boxes : bool
        Whether there are more tiles than were asked for; `tiles` then has nothing but their bounds.
    """

    values: Document
    tiles: bytes | list[Document]
    only_boxes: bool = False

    def content(self) -> bytes:
        """Encode the document as it is answered."""
        tiles = self.tiles if isinstance(self.tiles, bytes) else b",".join(map(_json.dumps, self.tiles))
        tail = _json.dumps({"minBoundsMeshCellSize": DEFAULT_MESH_CELL_SIZE})
        return b"".join([_json.dumps(self.values)[:-1], b',"tileSpecs":[', tiles, b"],", tail[1:]])

    def document(self) -> Document:
        """Return the document as it is rendered."""
        tiles = _json.loads(b"[" + self.tiles + b"]") if isinstance(self.tiles, bytes) else self.tiles
        return {**self.values, "tileSpecs": tiles}


def _check_channels(channels: str) -> None:
    # loaded with the first request that needs it
    from renderapi.rendering.channels import channel_weights

    try:
        channel_weights(channels)
    except SpecError as problem:
        raise QueryRefusal(400, str(problem)) from None


def in_order(tiles: list[Document], order: str) -> list[Document]:
    """Sort tiles as one of `TILE_ORDERS` has them painted, later ones over earlier."""
    found = sorted(
        tiles, key=lambda tile: java_key(tile["tileId"]), reverse=order == "DESCENDING_TILE_ID_ORDER"
    )
    if order == "CLUSTER_GROUP_ID_ORDER":
        # the least group comes over the greater ones, what has none over all
        found.sort(key=lambda tile: ("groupId" in tile, java_key(tile.get("groupId", ""))), reverse=True)
    return found


def render_parameters(
    server: Context,
    box: tuple[float, float, int, int],
    scale: float,
    query: dict[str, Any],
    tiles: bytes | list[Document],
    version: Document,
    skip_interpolation: bool = False,
) -> RenderParameters:
    """Make render parameters.

    Parameters
    ----------
    box : tuple
        x, y, width and height at full scale.
    scale : float
        Scale that the path asks for; a scale in the query wins.
    query : dict
        Values of `RENDER_QUERY`.
    tiles : bytes or list of Document
        Resolved tile specs: encoded and separated by commas, or decoded.
    version : dict
        Current version of the stack: its default channel and mipmap path builder.
    skip_interpolation : bool
        Whether sources are shown pixel by pixel.

    Returns
    -------
    RenderParameters

    Raises
    ------
    QueryRefusal
        For a filter list that there is not, or channels that cannot be read.
    """
    filters = None
    name = query.get("filterListName")
    if name is not None:
        filters = server.filter_lists.get(name)
        if filters is None:
            raise QueryRefusal(
                400,
                f"Filter list with name '{name}' not found.  This could be caused by usage of an incorrect name "
                "or by a problem with the system filter configuration file "
                f"(this server has {', '.join(server.filter_lists) or 'no lists'}).",
            )
    channels = query.get("channels")
    if channels is None:
        channels = version.get("defaultChannel")
    elif channels:
        _check_channels(channels)
    order = query.get("tileSpecOrder")
    if order is not None:
        tiles = in_order(_json.loads(b"[" + tiles + b"]") if isinstance(tiles, bytes) else tiles, order)
    x, y, width, height = box
    wanted = query.get("scale")
    document = {
        "meshCellSize": DEFAULT_MESH_CELL_SIZE,
        "minMeshCellSize": 0.0,
        "x": float(x),
        "y": float(y),
        "width": width,
        "height": height,
        "scale": scale if wanted is None else wanted,
        "areaOffset": False,
        "minIntensity": query.get("minIntensity"),
        "maxIntensity": query.get("maxIntensity"),
        "convertToGray": bool(query.get("convertToGray")),
        "quality": 0.85,
        "numberOfThreads": 1,
        "skipInterpolation": skip_interpolation,
        "binaryMask": bool(query.get("binaryMask")),
        "excludeMask": bool(query.get("excludeMask")),
        "maskMinX": query.get("maskMinX"),
        "maskMinY": query.get("maskMinY"),
        "doFilter": bool(query.get("filter")),
        "addWarpFieldDebugOverlay": False,
        "fillWithNoise": bool(query.get("fillWithNoise")),
        "channels": channels,
        "mipmapPathBuilder": version.get("mipmapPathBuilder"),
        "filterSpecs": filters,
    }
    return RenderParameters({key: value for key, value in document.items() if value is not None}, tiles)


def _tiles(
    server: Context, connection: Transaction, row: int, query: TileQuery, most: int | None
) -> tuple[bytes | list[Document], bool]:
    """Return tiles resolved, or only the bounds of all of them if there are more than `most`."""
    if most is not None and query.count(connection, most + 1) > most:
        query.check_breadth(connection, server.most_tiles)
        return query.tile_bounds(connection, ordered=True), True
    return resolved_content(connection, row, query.read(connection, server.most_tiles)), False


def layer_parameters(
    server: Context,
    key: StackKey,
    z: float,
    query: dict[str, Any],
    scale: float = 1.0,
    most: int | None = None,
) -> RenderParameters:
    """Make the render parameters of a whole layer, or of those of its tiles whose ids match a pattern."""
    pattern = query.get("tileIdPattern")
    with server.store.read() as connection:
        row = metadata.content_row(connection, key)
        version = metadata.get(connection, key).version
        chosen = TileQuery(row, z=z).narrow(connection, "tileIdPattern", pattern)
        bounds = chosen.bounds(connection)
        if bounds is None:
            if pattern is None:
                raise no_tiles_in_layer(key, z)
            bounds = (0.0, 0.0, 0.0, 0.0)
        tiles, only_boxes = _tiles(server, connection, row, chosen, most)
    min_x, min_y, max_x, max_y = bounds
    box = (min_x, min_y, as_int(max_x - min_x), as_int(max_y - min_y))
    found = render_parameters(server, box, scale, query, tiles, version)
    return replace(found, only_boxes=only_boxes)


def box_parameters(
    server: Context,
    key: StackKey,
    z: float,
    box: tuple[float, float, int, int],
    scale: float,
    query: dict[str, Any],
    group: str | None = None,
    most: int | None = None,
) -> RenderParameters:
    """Make the render parameters of a box of a layer, perhaps of one group of its tiles."""
    with server.store.read() as connection:
        # a box of an OFFLINE stack is one without tiles
        stack = metadata.get(connection, key)
        touching = box_query(connection, stack.row, z, box, group)
        tiles, only_boxes = _tiles(server, connection, stack.row, touching, most)
    found = render_parameters(server, box, scale, query, tiles, stack.version)
    return replace(found, only_boxes=only_boxes)


def stored_tile(connection: Transaction, key: StackKey, tile_id: str) -> bytes:
    """Return a tile as it is stored; refuse (404) if there is none, or no such stack."""
    row = metadata.contents(connection, key)
    tile = None if row is None else tile_document(connection, row, tile_id)
    if tile is None:
        raise tile_missing(key, tile_id)
    return tile


def get_tile(connection: Transaction, key: StackKey, tile_id: str) -> Document:
    """Return a tile resolved and flattened, refuse (404) if there is none."""
    tile = stored_tile(connection, key, tile_id)
    return resolved_tile(connection, metadata.content_row(connection, key), tile)


def set_transforms(tile: Document, transforms: list[Document]) -> None:
    """Replace the transforms of a tile, and the bounding box that follows from them."""
    tile["transforms"] = {"type": "list", "specList": transforms}
    derive_boxes([tile], {})


def tile_parameters(
    server: Context,
    key: StackKey,
    tile_id: str,
    x: int | None,
    y: int | None,
    width: int | None,
    height: int | None,
    normalizeForMatching: bool | None,
    excludeTransformsAfterLast: Sequence[str],
    excludeFirstTransformAndAllAfter: Sequence[str],
    excludeAllTransforms: bool | None,
    **query: Any,
) -> RenderParameters:
    """Make the render parameters of one tile, of the values of `TILE_QUERY`.

    Labels decide which transforms are left out as soon as ``excludeAllTransforms`` is given, even as false,
    or any label is; ``normalizeForMatching`` then only moves the box to the origin, where render's branch
    newsolver leaves it where it is.
    """
    with server.store.read() as connection:
        tile = get_tile(connection, key, tile_id)
        version = metadata.get(connection, key).version
    specs = tile["transforms"]["specList"]
    keep_through, cut_from = set(excludeTransformsAfterLast), set(excludeFirstTransformAndAllAfter)
    if excludeAllTransforms is not None or keep_through or cut_from:
        set_transforms(tile, cut_by_labels(specs, bool(excludeAllTransforms), keep_through, cut_from))
    elif normalizeForMatching:
        set_transforms(tile, normalized_for_matching(specs, server.newsolver))
    at_origin = normalizeForMatching and not server.newsolver
    box = (
        (0.0 if at_origin else tile["minX"]) + (x or 0),
        (0.0 if at_origin else tile["minY"]) + (y or 0),
        as_int(tile["maxX"] - tile["minX"]) if width is None else width,
        as_int(tile["maxY"] - tile["minY"]) if height is None else height,
    )
    return render_parameters(server, box, 1.0, query, [tile], version)


def neighbor_parameters(
    server: Context,
    key: StackKey,
    tile_id: str,
    widthFactor: float | None,
    heightFactor: float | None,
    most: int | None = None,
    **query: Any,
) -> RenderParameters:
    """Make the render parameters of a tile and what lies around it, of the values of `NEIGHBOR_QUERY`.

    The factors are parts of the tile's width and height, 0.3 by default.
    """
    by_width = 0.3 if widthFactor is None else widthFactor
    by_height = 0.3 if heightFactor is None else heightFactor
    with server.store.read() as connection:
        tile = get_tile(connection, key, tile_id)
        width, height = _size(tile)
        box = (
            tile["minX"] - width * by_width,
            tile["minY"] - height * by_height,
            width + as_int(2 * width * by_width),
            height + as_int(2 * height * by_height),
        )
        return box_parameters(server, key, tile.get("z", 0.0), box, 1.0, query, most=most)


def first_image(tile: Document) -> tuple[str, Document]:
    """Return level and document of the first mipmap of a tile, of its first channel if it has channels."""
    channels = tile.get("channels")
    levels = channels[0]["mipmapLevels"] if channels else tile["mipmapLevels"]
    if not levels:
        # nobody has looked at the tile there
        raise Refusal(500, f"tile '{tile.get('tileId')}' does not contain any mipmapLevel elements")
    first: tuple[str, Document] = next(iter(levels.items()))
    return first


def source_parameters(
    server: Context, key: StackKey, tile_id: str, scale: float, query: dict[str, Any], part: str
) -> RenderParameters:
    """Make the render parameters of the bare image (``part="image"``) or mask (``"mask"``) of a tile."""
    with server.store.read() as connection:
        tile = _json.loads(stored_tile(connection, key, tile_id))
    level, image = first_image(tile)
    names = {
        f"{part}Url": "imageUrl",
        f"{part}LoaderType": "imageLoaderType",
        f"{part}SliceNumber": "imageSliceNumber",
    }
    shown = {new: image[old] for old, new in names.items() if old in image}
    anonymous = {
        "mipmapLevels": {},
        "channels": [channel({"mipmapLevels": {level: shown}})],
        "transforms": {"type": "list", "specList": []},
        "meshCellSize": DEFAULT_MESH_CELL_SIZE,
    }
    box = (0.0, 0.0, *_size(tile))
    try:
        return render_parameters(server, box, scale, query, [anonymous], {}, skip_interpolation=True)
    except QueryRefusal as refusal:
        raise Refusal(500, refusal.message) from None


def _size(tile: Document) -> tuple[int, int]:
    try:
        return as_int(float(tile["width"])), as_int(float(tile["height"]))
    except KeyError as missing:
        raise Refusal(500, f"tile '{tile.get('tileId')}' has no {missing.args[0]}") from None
