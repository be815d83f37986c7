"""RenderImageService and TileImageService: images of layers, boxes and tiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from renderapi.server.documents.keys import StackKey
from renderapi.server.documents.values import as_int, fields, integer_of_text
from renderapi.server.endpoints.declaring import (
    OWNER,
    STACK,
    Answer,
    Context,
    Query,
    Service,
    boolean,
    false_by_default,
    integer,
)
from renderapi.server.endpoints.refusals import QueryRefusal, Refusal, not_built
from renderapi.server.services.layers import DVID_BOX, ID_PATTERN, LAYER, LAYER_BOX
from renderapi.server.services.parameters import (
    NEIGHBOR_QUERY,
    RENDER_PARAMETERS,
    RENDER_QUERY,
    TILE_QUERY,
    RenderParameters,
    box_parameters,
    layer_parameters,
    neighbor_parameters,
    source_parameters,
    tile_parameters,
)
from renderapi.server.services.tiles import GROUP, TILE
from renderapi.server.store import metadata

render_service = Service("RenderImageService", "Images of layers and boxes")
tile_service = Service("TileImageService", "Images of tiles")
services = (render_service, tile_service)

#: Name of the server property that limits the tiles of an image; more are drawn as boxes.
TILE_LIMIT_PROPERTY = "webService.maxTileSpecsToRender"

_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tiff": "image/tiff",
    "tiff16": "image/tiff",
    "png16": "image/png",
    "raw16": "application/octet-stream",
    "raw": "application/octet-stream",
}
_KINDS_OF_EXTENSIONS = {"jpg": "jpeg", "png": "png", "tif": "tiff"}
_COMMON = ("jpeg", "png", "tiff")
_LAYER_SCALE = 0.01
_LARGE = STACK + "/largeDataTileSource/{width:int}/{height:int}"
_LARGE_LIMIT = Query("integer", integer_of_text, default=40)
_OVERVIEW_SIZE = Query("integer", integer_of_text, default=192)
_LIMITED_QUERY = {**RENDER_QUERY, "maxTileSpecsToRender": integer}
# of a level, in powers of two
_MOST_LEVEL = 31

Find = Callable[..., RenderParameters]


def tile_limit(server: Context, wanted: int | None = None) -> int | None:
    """Return the number of tiles above which boxes are drawn: the one of a request, or that of the server.

    Raises
    ------
    Refusal
        501 for a negative one, which asks for an overlay that is not offered.
    """
    limit = wanted
    if limit is None:
        text = server.properties.get(TILE_LIMIT_PROPERTY)
        limit = None if text is None else int(text)
    if limit is not None and limit < 0:
        raise not_built("the overlay of warp fields (a negative maxTileSpecsToRender)")
    return limit


def check_properties(server: Context) -> None:
    """Look whether the limit of the server is a number.

    Raises
    ------
    ValueError
        If it is none.
    """
    text = server.properties.get(TILE_LIMIT_PROPERTY)
    if text is not None and not (text.isdecimal() and text.isascii()):
        raise ValueError(f"{TILE_LIMIT_PROPERTY} is {text!r}; it must be a number of tiles")


def _find(find: Find, *args: Any, **values: Any) -> RenderParameters:
    try:
        return find(*args, **values)
    except QueryRefusal as refusal:
        raise Refusal(500, refusal.message) from None


def _answer(server: Context, found: RenderParameters, kind: str) -> Answer:
    return Answer(server.drawing.draw(found.document(), kind, found.only_boxes), _TYPES[kind])


# ------------------------------------------------------------------------------ layers and boxes


def _layer(server: Context, stack: StackKey, most: int | None, z: float, **query: Any) -> RenderParameters:
    return layer_parameters(server, stack, z, query, _LAYER_SCALE, most)


def _box(
    server: Context,
    stack: StackKey,
    most: int | None,
    z: float,
    x: float,
    y: float,
    width: int,
    height: int,
    path_scale: float = 1.0,
    groupId: str | None = None,
    **query: Any,
) -> RenderParameters:
    return box_parameters(server, stack, z, (x, y, width, height), path_scale, query, groupId, most)


def _declare_limited(
    path: str, kind: str, find: Find, what: str, query: Mapping[str, Query] = _LIMITED_QUERY
) -> None:
    def image(server: Context, stack: StackKey, maxTileSpecsToRender: int | None, **values: Any) -> Answer:
        most = tile_limit(server, maxTileSpecsToRender)
        return _answer(server, _find(find, server, stack, most, **values), kind)

    image.__doc__ = f"Draw {what} ({kind})."
    render_service.get(path, query=query, gives=_TYPES[kind], name_status=500, of_stack=True)(image)


# ------------------------------------------------------------------------------ large data


def _read_materialized(server: Context, stack: StackKey, place: str) -> bytes | None:
    """Return the contents of a file below the materialized boxes of a stack, if there is one.

    Folder and file must, links followed, lie below an image root: the folder is whatever somebody has put
    into the metadata of the stack.
    """
    with server.store.read() as connection:
        folder = metadata.get(connection, stack).version.get("materializedBoxRootPath")
    if not folder:
        return None
    try:
        root = Path(folder).resolve()
        path = (root / place).resolve()
        for inside in (root, path):
            if not any(inside.is_relative_to(allowed) for allowed in server.drawing.roots):
                return None
        return path.read_bytes() if path.is_file() else None
    except (OSError, ValueError):
        # what cannot be read is drawn
        return None


def _declare_large(place: str, extension: str, find: Find, more_query: dict[str, Query], what: str) -> None:
    kind = _KINDS_OF_EXTENSIONS[extension]

    def image(
        server: Context,
        stack: StackKey,
        width: int,
        height: int,
        z: float,
        maxTileSpecsToRender: int,
        **values: Any,
    ) -> Answer:
        most = tile_limit(server, maxTileSpecsToRender)
        if most != 0:
            parts = {**values, "z": as_int(z)}
            stored = _read_materialized(
                server, stack, f"{width}x{height}/{place.format(**parts)}.{extension}"
            )
            if stored is not None:
                return Answer(stored, _TYPES[kind])
        return _answer(server, _find(find, server, stack, most, width, height, z, **values), kind)

    image.__doc__ = f"Draw {what}, or send its file if boxes were materialized ({kind})."
    template = place.replace("{z}", "{z:double}")
    for name in ("level", "row", "column"):
        template = template.replace(f"{{{name}}}", f"{{{name}:int}}")
    render_service.get(
        f"{_LARGE}/{template}.{extension}",
        query={**_LIMITED_QUERY, "maxTileSpecsToRender": _LARGE_LIMIT, **more_query},
        gives=_TYPES[kind],
        name_status=500,
        of_stack=True,
    )(image)


def _large_tile(
    server: Context,
    stack: StackKey,
    most: int | None,
    width: int,
    height: int,
    z: float,
    level: int,
    row: int,
    column: int,
    **query: Any,
) -> RenderParameters:
    if abs(level) > _MOST_LEVEL:
        raise Refusal(400, f"level {level} is beyond the levels that there can be ({_MOST_LEVEL})")
    # of Java's shift only the last five bits count, and the last of these makes it negative
    shift = level & _MOST_LEVEL
    factor = -(2.0**shift) if shift == _MOST_LEVEL else 2.0**shift
    box = (
        column * width * factor,
        row * height * factor,
        as_int(width * factor),
        as_int(height * factor),
    )
    return box_parameters(server, stack, z, box, 1 / factor, query, most=most)


def _overview(
    server: Context,
    stack: StackKey,
    most: int | None,
    width: int,
    height: int,
    z: float,
    maxOverviewWidthAndHeight: int,
    translateOrigin: bool,
    **query: Any,
) -> RenderParameters:
    with server.store.read() as connection:
        stats = metadata.get(connection, stack).metadata.get("stats")
    x = y = 0.0
    extent = (1, 1)
    if stats is not None:
        bounds = stats["stackBounds"]
        if translateOrigin or bounds["minX"] < 0 or bounds["minY"] < 0:
            x, y = bounds["minX"], bounds["minY"]
        extent = (as_int(bounds["maxX"] - x), as_int(bounds["maxY"] - y))
    longer = max(extent)
    scale = maxOverviewWidthAndHeight / longer if longer > 0 else 0.0
    return box_parameters(server, stack, z, (x, y, *extent), scale, query, most=most)


# ------------------------------------------------------------------------------ tiles


def _one_tile(server: Context, stack: StackKey, tileId: str, **query: Any) -> RenderParameters:
    return tile_parameters(server, stack, tileId, **query)


def _bare(part: str) -> Find:
    def find(server: Context, stack: StackKey, tileId: str, **query: Any) -> RenderParameters:
        found = source_parameters(server, stack, tileId, 1.0, query, part)
        for tile in found.document()["tileSpecs"]:
            if not all("imageUrl" in image for image in tile["channels"][0]["mipmapLevels"].values()):
                raise Refusal(400, "no imageUrl specified")
        return found

    return find


def _neighbors(
    server: Context, stack: StackKey, tileId: str, boundingBoxesOnly: bool | None, **query: Any
) -> RenderParameters:
    most = 0 if boundingBoxesOnly else tile_limit(server)
    return neighbor_parameters(server, stack, tileId, most=most, **query)


def _declare_tile(folder: str, kind: str, find: Find, query: dict[str, Query], what: str) -> None:
    def image(server: Context, stack: StackKey, tileId: str, **values: Any) -> Answer:
        found = _find(find, server, stack, tileId, **values)
        limit = tile_limit(server)
        only_boxes = found.only_boxes or (limit is not None and limit < 1)
        return _answer(server, replace(found, only_boxes=only_boxes), kind)

    image.__doc__ = f"Draw {what} ({kind})."
    tile_service.get(
        f"{folder}/{kind}-image", query=query, gives=_TYPES[kind], name_status=500, of_stack=True
    )(image)


# ------------------------------------------------------------------------------ render parameters of a client


def _declare_body(kind: str) -> None:
    def image(server: Context, owner: str, body: Any) -> Answer:
        document = fields(body, "render parameters", RENDER_PARAMETERS)
        if document is None:
            raise Refusal(500, "the render parameters must not be null")
        # what is null, not absent, is no default
        if body.get("tileSpecs", ()) is None:
            raise Refusal(500, "the tileSpecs must not be null")
        for name in ("width", "height"):
            if body.get(name, 1) is None:
                document[name] = 0
        for name in ("tileSpecUrl", "in"):
            if name in document:
                raise Refusal(400, f"{name} is not followed: tile specs must be in the render parameters")
        limit = tile_limit(server)
        tiles = document.setdefault("tileSpecs", [])
        only_boxes = limit is not None and len(tiles) > limit
        return Answer(server.drawing.draw(document, kind, only_boxes), _TYPES[kind])

    image.__doc__ = f"Draw what render parameters describe ({kind})."
    render_service.put(f"{OWNER}/{kind}-image", gives=_TYPES[kind])(image)


def _declare() -> None:
    box = LAYER_BOX + ",{scale:double}"
    for kind in _COMMON:
        _declare_body(kind)
        _declare_limited(f"{LAYER}/{kind}-image", kind, _layer, "a layer", {**_LIMITED_QUERY, **ID_PATTERN})
        _declare_limited(
            f"{GROUP}{box[len(STACK) :]}/{kind}-image", kind, _box, "the tiles of a group in a box"
        )
        for part in ("source", "mask"):
            what = "the image of a tile as it is" if part == "source" else "the mask of a tile"
            find = _bare("image" if part == "source" else part)
            _declare_tile(f"{TILE}/{part}", kind, find, RENDER_QUERY, what)
    for kind in _TYPES:
        _declare_limited(f"{box}/{kind}-image", kind, _box, "a box of a layer")
    for extension, kind in _KINDS_OF_EXTENSIONS.items():
        _declare_limited(f"{STACK}{DVID_BOX}/{extension}", kind, _box, "a box of a layer")
        _declare_limited(f"{GROUP}{DVID_BOX}/{extension}", kind, _box, "the tiles of a group in a box")
    overview_query = {"maxOverviewWidthAndHeight": _OVERVIEW_SIZE, "translateOrigin": false_by_default}
    for extension in ("jpg", "png"):
        _declare_large("{level}/{z}/{row}/{column}", extension, _large_tile, {}, "a tile of a pyramid")
        _declare_large("small/{z}", extension, _overview, overview_query, "a layer in small")
    for kind in (*_COMMON, "tiff16"):
        _declare_tile(TILE, kind, _one_tile, TILE_QUERY, "a tile")
    neighbors = {**NEIGHBOR_QUERY, "boundingBoxesOnly": boolean}
    _declare_tile(f"{TILE}/withNeighbors", "jpeg", _neighbors, neighbors, "a tile and its surroundings")


_declare()
