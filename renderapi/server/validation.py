"""ValidationService: whether documents can be read, and what they name exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from renderapi.server.boxes import derive_boxes
from renderapi.server.documents import Document, references, tile_spec, transform
from renderapi.server.endpoint import OWNER, TEXT, Answer, Context, Service, decode, text_of
from renderapi.server.refusals import Refusal
from renderapi.server.resolving import SharedTransforms
from renderapi.server.values import as_list, as_object

service = Service("ValidationService", "Checking documents")

_PACKAGE = "org.janelia.alignment"


def check_tile(server: Context, tile: Document) -> None:
    """Refuse (400) a resolved tile whose images cannot be read or whose transforms cannot be made."""
    check_images(server, tile)
    check_transforms(tile["transforms"]["specList"])


def check_transforms(specs: list[Document]) -> None:
    """Refuse (400) transforms that cannot be made."""
    probe = {"tileId": "", "width": 2.0, "height": 2.0, "transforms": {"type": "list", "specList": specs}}
    derive_boxes([probe], {})


def check_images(server: Context, tile: Document) -> None:
    """Refuse (400) a tile without images, or with local ones that are not there, not readable or empty."""
    from renderapi.rendering import ImageReference

    for channel in tile.get("channels") or [tile]:
        if not channel["mipmapLevels"]:
            raise Refusal(400, f"tile '{tile.get('tileId')}' does not contain any mipmapLevel elements")
        for image in channel["mipmapLevels"].values():
            for part in ("image", "mask"):
                if f"{part}Url" in image:
                    loader = image.get(f"{part}LoaderType", "IMAGEJ_DEFAULT")
                    reference = ImageReference(image[f"{part}Url"], loader, image.get(f"{part}SliceNumber"))
                    with server.drawing.reading():
                        server.drawing.sources.check(reference, f"{part}Url")


def _resolved(spec: Document, shared: SharedTransforms) -> list[Document]:
    missing = sorted({ident for ident in references(spec) if ident not in shared.specs})
    if missing:
        raise Refusal(400, f"the following transform ids are not defined: [{', '.join(missing)}]")
    return shared.flatten({"type": "list", "specList": [spec]})


def _render(server: Context, raw: Any) -> str:
    parameters = as_object(raw, "render parameters")
    if parameters is None:
        raise Refusal(400, "there are no render parameters")
    tiles = as_list(parameters.get("tileSpecs"), "tileSpecs", lambda item, _: tile_spec(item)) or []
    for tile in tiles:
        _check_any_tile(server, tile)
    return f"[{', '.join(str(tile.get('tileId')) for tile in tiles)}]"


def _check_any_tile(server: Context, tile: Document) -> None:
    check_images(server, tile)
    check_transforms(_resolved(tile["transforms"], SharedTransforms({})))


def _tile(server: Context, raw: Any) -> str:
    tile = tile_spec(raw)
    _check_any_tile(server, tile)
    return str(tile.get("tileId"))


def _tile_array(server: Context, raw: Any) -> str:
    tiles = as_list(raw, "tile specs", lambda item, _: tile_spec(item))
    if tiles is None:
        raise Refusal(400, "there are no tile specs")
    for tile in tiles:
        check_images(server, tile)
    return f"[{', '.join(str(tile.get('tileId')) for tile in tiles)}]"


def _transform(server: Context, raw: Any) -> str:
    spec = transform(raw)
    check_transforms(_resolved(spec, SharedTransforms({})))
    return str(spec.get("id"))


def _transform_array(server: Context, raw: Any) -> str:
    specs = as_list(raw, "transform specs", lambda item, _: transform(item))
    if specs is None:
        raise Refusal(400, "there are no transform specs")
    shared = SharedTransforms({spec["id"]: spec for spec in specs if "id" in spec})
    for spec in specs:
        check_transforms(_resolved(spec, shared))
    return f"[{', '.join(str(spec.get('id')) for spec in specs)}]"


def _declare(kind: str, class_name: str, check: Callable[[Context, Any], str], what: str) -> None:
    def validate(server: Context, owner: str, body: str) -> Answer:
        try:
            value = check(server, decode(body.encode()))
        except Refusal as refusal:
            return text_of(
                f"Failed to parse {class_name} from JSON text.  Specific error is: {refusal.message}\n", 400
            )
        return text_of(f"Successfully parsed {class_name} from JSON text.  Parsed value is: {value}.\n")

    validate.__doc__ = f"Check {what}."
    service.put(f"{OWNER}/validate-json/{kind}", takes="*/*", gives=TEXT)(validate)


_declare("render", f"{_PACKAGE}.RenderParameters instance", _render, "render parameters")
_declare("tile", f"{_PACKAGE}.spec.TileSpec instance", _tile, "a tile spec")
_declare("tile-array", f"array of {_PACKAGE}.spec.TileSpec instances", _tile_array, "a list of tile specs")
_declare("transform", f"{_PACKAGE}.spec.TransformSpec instance", _transform, "a transform")
_declare(
    "transform-array",
    f"array of {_PACKAGE}.spec.TransformSpec instances",
    _transform_array,
    "a list of transforms, with references among them",
)
