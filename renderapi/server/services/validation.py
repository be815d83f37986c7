"""ValidationService: whether documents can be read, and what they name exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from renderapi.server.documents.boxes import derive_boxes
from renderapi.server.documents.problems import Problem
from renderapi.server.documents.resolving import SharedTransforms
from renderapi.server.documents.tiles import Document, tile_spec, transform
from renderapi.server.documents.values import as_list, fields
from renderapi.server.endpoints.declaring import OWNER, TEXT, Answer, Context, Service, decode, text_of
from renderapi.server.endpoints.refusals import Refusal
from renderapi.server.services.parameters import RENDER_PARAMETERS
from renderapi.transform.trees import references

service = Service("ValidationService", "Checking documents")

_PACKAGE = "org.janelia.alignment"


def _null(method: str) -> str:
    """Say that null was sent, as the Java of render-ws does."""
    return f'Cannot invoke "{_PACKAGE}.{method}()" because "<local5>" is null'


def check_tile(server: Context, tile: Document) -> None:
    """Refuse (400) a resolved tile whose images cannot be read or whose transforms cannot be made."""
    server.drawing.check_images(tile)
    check_transforms(tile["transforms"]["specList"])


def check_transforms(specs: list[Document]) -> None:
    """Refuse (400) transforms that cannot be made."""
    probe = {"tileId": "", "width": 2.0, "height": 2.0, "transforms": {"type": "list", "specList": specs}}
    derive_boxes([probe], {})


def _flatten(spec: Document, shared: SharedTransforms) -> list[Document]:
    missing = sorted({ident for ident in references(spec) if ident not in shared.shared})
    if missing:
        raise Refusal(400, f"the following transform ids are not defined: [{', '.join(missing)}]")
    return shared.flatten({"type": "list", "specList": [spec]})


def _render(server: Context, raw: Any) -> str:
    parameters = fields(raw, "render parameters", RENDER_PARAMETERS)
    if parameters is None:
        raise Refusal(400, _null("RenderParameters.initializeDerivedValues"))
    tiles = parameters.get("tileSpecs") or []
    for tile in tiles:
        _check_any_tile(server, tile)
    sizes = "".join(f", {name}={parameters[name]}" for name in ("width", "height") if name in parameters)
    return f"{{tileSpecs=[{len(tiles)} items]{sizes}}}"


def _check_any_tile(server: Context, tile: Document) -> None:
    server.drawing.check_images(tile)
    check_transforms(_flatten(tile["transforms"], SharedTransforms({})))


def _tile(server: Context, raw: Any) -> str:
    if raw is None:
        raise Refusal(400, _null("spec.TileSpec.validate"))
    tile = tile_spec(raw)
    _check_any_tile(server, tile)
    return str(tile.get("tileId", "null"))


def _tile_array(server: Context, raw: Any) -> str:
    tiles = as_list(raw, "tile specs", lambda item, _: tile_spec(item))
    if tiles is None:
        raise Refusal(400, "there are no tile specs")
    for tile in tiles:
        server.drawing.check_images(tile)
    return f"array of {len(tiles)} tile specifications"


def _transform(server: Context, raw: Any) -> str:
    spec = transform(raw)
    check_transforms(_flatten(spec, SharedTransforms({})))
    return str(spec.get("id", "null"))


def _transform_array(server: Context, raw: Any) -> str:
    specs = as_list(raw, "transform specs", lambda item, _: transform(item))
    if specs is None:
        raise Refusal(400, "null")
    shared = SharedTransforms({spec["id"]: spec for spec in specs if "id" in spec})
    for spec in specs:
        check_transforms(_flatten(spec, shared))
    return f"array of {len(specs)} transform specifications"


def _decode_body(body: str, kind: str) -> Any:
    """Decode a body; of render parameters render-ws says no more than that it cannot be read."""
    try:
        raw = decode(body.encode())
        if kind == "render":
            if not body.strip():
                raise Refusal(400, "there is nothing")
            fields(raw, "render parameters", RENDER_PARAMETERS)
    except Problem as problem:
        if kind == "render":
            raise Refusal(400, "failed to parse json text") from problem
        raise
    return raw


def _declare(kind: str, class_name: str, check: Callable[[Context, Any], str], what: str) -> None:
    def validate(server: Context, owner: str, body: str) -> Answer:
        try:
            value = check(server, _decode_body(body, kind))
        except Problem as problem:
            return text_of(
                f"Failed to parse {class_name} from JSON text.  Specific error is: {problem.message}\n", 400
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
