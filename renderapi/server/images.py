"""RenderImageService and TileImageService, which the embedded server does not have yet."""

from __future__ import annotations

from typing import Any

from renderapi.server.endpoint import OWNER, STACK, Answer, Context, Service
from renderapi.server.layers import DVID_BOX, LAYER, LAYER_BOX
from renderapi.server.refusals import not_built
from renderapi.server.tiles import GROUP, TILE

render_service = Service("RenderImageService", "Images of layers and boxes")
tile_service = Service("TileImageService", "Images of tiles")
services = (render_service, tile_service)

_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tiff": "image/tiff",
    "tiff16": "image/tiff",
    "png16": "image/png",
    "raw16": "application/octet-stream",
    "raw": "application/octet-stream",
}
_DVID = {"jpg": "image/jpeg", "png": "image/png", "tif": "image/tiff"}
_COMMON = ("jpeg", "png", "tiff")
_LARGE = STACK + "/largeDataTileSource/{width:int}/{height:int}"


def _no_image(server: Context, **values: Any) -> Answer:
    """Render an image."""
    raise not_built("images")


def _declare() -> None:
    group_box = GROUP + LAYER_BOX[len(STACK) :]
    paths = {
        render_service: {
            LAYER: _COMMON,
            LAYER_BOX + ",{scale:double}": tuple(_TYPES),
            group_box + ",{scale:double}": _COMMON,
        },
        tile_service: {
            TILE: (*_COMMON, "tiff16"),
            TILE + "/source": _COMMON,
            TILE + "/mask": _COMMON,
            TILE + "/withNeighbors": ("jpeg",),
        },
    }
    for service, folders in paths.items():
        for folder, formats in folders.items():
            for name in formats:
                service.get(f"{folder}/{name}-image", gives=_TYPES[name], name_status=500)(_no_image)
    for name in _COMMON:
        render_service.put(f"{OWNER}/{name}-image", gives=_TYPES[name])(_no_image)
    for extension, kind in _DVID.items():
        for start in (STACK, GROUP):
            render_service.get(f"{start}{DVID_BOX}/{extension}", gives=kind, name_status=500)(_no_image)
    for extension in ("jpg", "png"):
        for place in ("{level:int}/{z:double}/{row:int}/{column:int}", "small/{z:double}"):
            render_service.get(f"{_LARGE}/{place}.{extension}", gives=_DVID[extension], name_status=500)(
                _no_image
            )


_declare()
