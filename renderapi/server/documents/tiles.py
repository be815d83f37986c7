"""Tile specs and transforms as a render-ws would have stored them.

Known keys only, in the order in which render-ws writes them, numbers and dates coerced to what is
declared, defaults always written, nulls left out. What was stored is what is answered.

Most tiles of a large import are already in that form; `tile_spec` therefore tests types instead of calling
a rule per value.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, get_args

from renderapi.geometry.chains import DEFAULT_MESH_CELL_SIZE
from renderapi.server.documents.problems import FailedError, InvalidError
from renderapi.server.documents.values import (
    Rule,
    Rules,
    as_double,
    as_integer,
    as_labels,
    as_list,
    as_object,
    as_text,
    brief,
    fields,
    integer_of_text,
    one_of,
)
from renderapi.transform.trees import references

Document = dict[str, Any]

MOST_NESTED = 100

LoaderType = Literal[
    "IMAGEJ_DEFAULT",
    "IMAGEJ_DEFAULT_W_TIMEOUT",
    "IMAGEJ_TIFF_STACK",
    "H5_SLICE",
    "N5_SLICE",
    "IMAGEJ_COMPOSITE",
    "DYNAMIC_MASK",
    "MULTI_BOX_DYNAMIC_MASK",
]
_LOADER_TYPE = one_of(get_args(LoaderType))
_IMAGE_AND_MASK: Rules = {
    "imageUrl": as_text,
    "imageLoaderType": _LOADER_TYPE,
    "imageSliceNumber": as_integer,
    "maskUrl": as_text,
    "maskLoaderType": _LOADER_TYPE,
    "maskSliceNumber": as_integer,
}
MIPMAP_PATH_BUILDER: Rules = {
    "rootPath": as_text,
    "numberOfLevels": as_integer,
    "extension": as_text,
    "imageMipmapPatternString": as_text,
}
_LAYOUT_RULES: tuple[tuple[str, type, Rule], ...] = (
    ("sectionId", str, as_text),
    ("temca", str, as_text),
    ("camera", str, as_text),
    ("imageRow", int, as_integer),
    ("imageCol", int, as_integer),
    ("stageX", float, as_double),
    ("stageY", float, as_double),
    ("rotation", float, as_double),
    ("pixelsize", float, as_double),
    ("distanceZ", float, as_double),
)
_LAYOUT_KEYS = {key for key, _, _ in _LAYOUT_RULES}
_SMALL = 1 << 30
_PLAIN_LEAF = {"type", "className", "dataString"}
BOX = ("minX", "minY", "maxX", "maxY")
_NO_BOX = dict.fromkeys(BOX, 0.0)
_SIZE_AND_RANGE = ("width", "height", "minIntensity", "maxIntensity")
# the keys that most tiles have, in their declared order, and their types
_USUAL_KINDS: dict[str, type] = {
    "tileId": str,
    "layout": dict,
    "groupId": str,
    "z": float,
    **dict.fromkeys((*BOX, *_SIZE_AND_RANGE), float),
    "mipmapLevels": dict,
    "transforms": dict,
    "meshCellSize": float,
}


def mipmap_path_builder(raw: Any, where: str = "mipmapPathBuilder") -> Document | None:
    """Read a mipmap path builder without checking it."""
    return fields(raw, where, MIPMAP_PATH_BUILDER)


def filter_spec(raw: Any, where: str = "filterSpec") -> Document | None:
    """Read a filter spec; class and parameters are looked at when something is drawn."""
    given = as_object(raw, where)
    if given is None:
        return None
    document: Document = {}
    name = as_text(given.get("className"), "className")
    if name is not None:
        document["className"] = name
    parameters = as_object(given.get("parameters"), "parameters")
    if parameters is not None:
        texts = ((key, as_text(value, key)) for key, value in parameters.items())
        document["parameters"] = {key: text for key, text in texts if text is not None}
    return document


def _mipmap_levels(raw: Any) -> Document:
    if len(raw) == 1:
        level = raw.get("0")
        # the usual pyramid: one image, perhaps with a mask, at level 0
        if type(level) is dict and type(level.get("imageUrl")) is str:
            if len(level) == 1:
                return raw  # type: ignore[no-any-return]
            if len(level) == 2 and type(level.get("maskUrl")) is str:
                return {"0": {"imageUrl": level["imageUrl"], "maskUrl": level["maskUrl"]}}
    levels: dict[int, Document] = {}
    for key, value in raw.items():
        try:
            level = integer_of_text(key)
        except ValueError as problem:
            raise InvalidError(f"Cannot read {brief(key)} as a mipmap level: {problem}") from None
        image = fields(value, "mipmapLevels", _IMAGE_AND_MASK)
        if image is not None:
            levels[level] = image
    return {str(level): levels[level] for level in sorted(levels)}


def mipmap_levels(raw: Any, where: str = "mipmapLevels") -> Document:
    """Read mipmap levels, sorted by level."""
    return _mipmap_levels(as_object(raw, where) or {})


def channel(raw: Any, where: str = "channels") -> Document:
    """Read a channel; its intensity range is written unless it is null."""
    given = as_object(raw, where)
    if given is None:
        raise InvalidError("Cannot read null as a channel")
    document: Document = {}
    name = as_text(given.get("name"), "name")
    if name is not None:
        document["name"] = name
    for key, default in (("minIntensity", 0.0), ("maxIntensity", 255.0)):
        value = as_double(given.get(key, default), key)
        if value is not None:
            document[key] = value
    document["mipmapLevels"] = mipmap_levels(given.get("mipmapLevels"))
    builder = mipmap_path_builder(given.get("mipmapPathBuilder"))
    if builder is not None:
        document["mipmapPathBuilder"] = builder
    own_filter = filter_spec(given.get("filterSpec"))
    if own_filter is not None:
        document["filterSpec"] = own_filter
    return document


@lru_cache(64)
def _integers_of_layout(keys: tuple[str, ...], kinds: tuple[type, ...]) -> tuple[str, ...] | None:
    """Return the integers of a layout that has the declared order and types already, None for any other."""
    declared = [(key, kind) for key, kind, _ in _LAYOUT_RULES if key in keys]
    return tuple(key for key, kind in declared if kind is int) if declared == list(zip(keys, kinds)) else None


def _layout(raw: Any) -> Document:
    given: Document = as_object(raw, "layout") or {}
    if _LAYOUT_KEYS.issuperset(given):
        integers = _integers_of_layout(tuple(given), tuple(map(type, given.values())))
        if integers is not None and all(-_SMALL < given[key] < _SMALL for key in integers):
            return given
    get = given.get
    document: Document = {}
    for key, kind, rule in _LAYOUT_RULES:
        value: Any = get(key)
        if value is not None:
            # only a large integer needs to be asked whether it fits
            fits = type(value) is kind
            if not fits or (kind is int and abs(value) > _SMALL):
                value = rule(value, key)
                if value is None:
                    continue
            document[key] = value
    return document


@lru_cache(64)
def _usual_tile(keys: tuple[str, ...], kinds: tuple[type, ...], derive: bool) -> Document | None:
    """Make what a tile that has the declared types already is put into: keys in their order, and defaults."""
    if any(_USUAL_KINDS[key] is not kind for key, kind in zip(keys, kinds)):
        return None
    defaults: Document = {"mipmapLevels": {}, "meshCellSize": DEFAULT_MESH_CELL_SIZE}
    if derive:
        defaults.update(_NO_BOX)
    return {key: defaults.get(key) for key in _USUAL_KINDS if key in defaults or key in keys}


def tile_spec(raw: Any, derive: bool = False) -> Document:
    """Read a tile spec.

    Parameters
    ----------
    raw : object
        The decoded document.
    derive : bool
        Leave room for the bounding box, which is going to be derived, in the place where render-ws has it.

    Returns
    -------
    Document
        Known keys in the order of render-ws; what was sent is left as it is, and may be part of it.

    Raises
    ------
    InvalidError
        If it cannot be read.
    FailedError
        For a null where there must be a transform.
    """
    if type(raw) is not dict:
        raise InvalidError(f"Cannot read {brief(raw)} as a tile spec")
    if _USUAL_KINDS.keys() >= raw.keys() and "transforms" in raw:
        usual = _usual_tile(tuple(raw), tuple(map(type, raw.values())), derive)
        if usual is not None:
            document = {**usual, **raw}
            if derive:
                document.update(_NO_BOX)
            if "layout" in raw:
                document["layout"] = _layout(raw["layout"])
            document["mipmapLevels"] = _mipmap_levels(document["mipmapLevels"])
            document["transforms"] = _transform_list(raw["transforms"])
            return document
    get = raw.get
    document = {}
    tile_id = get("tileId")
    if tile_id is not None:
        document["tileId"] = tile_id if type(tile_id) is str else as_text(tile_id, "tileId")
    layout = get("layout")
    if layout is not None:
        document["layout"] = _layout(layout)
    group = get("groupId")
    if group is not None:
        document["groupId"] = group if type(group) is str else as_text(group, "groupId")
    z = get("z")
    if z is not None:
        document["z"] = z if type(z) is float else as_double(z, "z")
    for key in BOX:
        value = get(key)
        if type(value) is not float and value is not None:
            value = as_double(value, key)
        if derive:
            document[key] = 0.0
        elif value is not None:
            document[key] = value
    for key in _SIZE_AND_RANGE:
        value = get(key)
        if value is not None:
            if type(value) is not float:
                value = as_double(value, key)
                if value is None:
                    continue
            document[key] = value
    levels = get("mipmapLevels")
    document["mipmapLevels"] = {} if levels is None else _mipmap_levels(as_object(levels, "mipmapLevels"))
    channels = get("channels")
    if channels is not None:
        document["channels"] = as_list(channels, "channels", channel)
    builder = get("mipmapPathBuilder")
    if builder is not None:
        document["mipmapPathBuilder"] = mipmap_path_builder(builder)
    own_filter = get("filterSpec")
    if own_filter is not None:
        document["filterSpec"] = filter_spec(own_filter)
    if "transforms" in raw:
        document["transforms"] = _transform_list(raw["transforms"])
    else:
        document["transforms"] = {"type": "list", "specList": []}
    cell = get("meshCellSize", DEFAULT_MESH_CELL_SIZE)
    if type(cell) is not float:
        cell = as_double(cell, "meshCellSize")
        # render-ws stores 0.0 for null and then derives garbage boxes
        if cell is None:
            cell = DEFAULT_MESH_CELL_SIZE
    document["meshCellSize"] = cell
    labels = get("labels")
    if labels is not None:
        document["labels"] = as_labels(labels, "labels")
    return document


def _transform_list(raw: Any) -> Document:
    if raw is None:
        raise FailedError("the transforms of a tile spec must not be null", late=True)
    if type(raw) is not dict:
        raise InvalidError(f"Cannot read {brief(raw)} as a list of transforms")
    if raw.get("type") != "list":
        raise InvalidError('the transforms of a tile spec must be of "type": "list"')
    return transform(raw)


def transform(raw: Any, depth: int = 0) -> Document:
    """Read a transform; one without type, or with an unknown one, is a leaf.

    Parameters
    ----------
    raw : object
        The decoded document.
    depth : int
        How many transforms it is part of; more than the database of a render-ws could keep are refused.

    Returns
    -------
    Document
        Known keys in the order of render-ws, a list with all that it contains.

    Raises
    ------
    InvalidError
        If it cannot be read.
    FailedError
        For a null where there must be a transform.
    """
    if depth > MOST_NESTED:
        raise InvalidError(f"transforms cannot be nested more than {MOST_NESTED} times")
    if type(raw) is not dict:
        raise InvalidError(f"Cannot read {brief(raw)} as a transform")
    get = raw.get
    kind = get("type")
    if kind not in ("list", "ref", "interpolated"):
        kind = "leaf"
    document: Document = {"type": kind}
    ident = get("id")
    if ident is not None:
        document["id"] = as_text(ident, "id")
    meta = get("metaData")
    if meta is not None:
        document["metaData"] = fields(meta, "metaData", {"labels": as_labels})
    if kind == "leaf":
        for key in ("className", "dataString"):
            value = get(key)
            if value is not None:
                document[key] = value if type(value) is str else as_text(value, key)
    elif kind == "list":
        specs = []
        for spec in _specs(get("specList")):
            if type(spec) is dict and spec.keys() == _PLAIN_LEAF and spec["type"] == "leaf":
                class_name, data = spec["className"], spec["dataString"]
                if type(class_name) is str and type(data) is str:
                    specs.append({"type": "leaf", "className": class_name, "dataString": data})
                    continue
            if spec is None:
                raise FailedError(
                    "A null spec is part of the transform spec list with id "
                    f"'{document.get('id', 'null')}'.  Check for an extraneous comma at the end of the list.",
                    late=True,
                )
            specs.append(transform(spec, depth + 1))
        document["specList"] = specs
    elif kind == "ref":
        reference = as_text(get("refId"), "refId")
        if reference is not None:
            document["refId"] = reference
    else:
        for key in ("a", "b"):
            part = get(key)
            if part is None:
                raise FailedError(f"an interpolated transform has no {key}", late=True)
            document[key] = transform(part, depth + 1)
        fraction = as_double(get("lambda"), "lambda")
        if fraction is not None:
            document["lambda"] = fraction
    return document


def _specs(value: Any) -> list[Any]:
    if value is None:
        return []
    if type(value) is not list:
        raise InvalidError(f"Cannot read {brief(value)} as an array for specList")
    return value


def references_of_tile(transforms: Document) -> list[str]:
    """Return the ids that a tile's list refers to, each once."""
    for spec in transforms["specList"]:
        if spec["type"] != "leaf":
            return list(dict.fromkeys(references(transforms)))
    return []


def kinds_of_references(transforms: Document) -> tuple[list[str], bool]:
    """Ask `references_of_tile` and `is_nested` at once, in short for most tiles: they have nothing but leaves."""
    if len(transforms) == 2:
        for spec in transforms["specList"]:
            if spec["type"] != "leaf":
                break
        else:
            return [], False
    return references_of_tile(transforms), is_nested(transforms)


def is_nested(transforms: Document) -> bool:
    """Tell whether flattening a tile's list does more than to replace references.

    It does for lists in the list, for references inside of interpolations, and for labels of the list itself.
    """
    return len(transforms) > 2 or not all(map(_stays, transforms["specList"]))


def _stays(spec: Document) -> bool:
    kind = spec["type"]
    return kind == "leaf" or (kind == "ref" and len(spec) == 2) or _is_flat(spec)


def _is_flat(spec: Document) -> bool:
    if spec["type"] == "leaf":
        return True
    return spec["type"] == "interpolated" and _is_flat(spec["a"]) and _is_flat(spec["b"])


def unresolved_references(transforms: Mapping[str, Document]) -> dict[str, list[str]]:
    """Return, of each shared transform of a body, the ids that it refers to: with any it resolves nothing."""
    return {ident: sorted(set(references(spec))) for ident, spec in transforms.items()}


class ResolvedTiles:
    """The body of a PUT of resolved tiles, read; perhaps with room for boxes that are derived.

    Attributes
    ----------
    transforms : dict of str to Document
        Shared transforms by their own id; the keys of the body do not count.
    tiles : list of Document
        In the order of the body.
    """

    def __init__(self, raw: Any, derive: bool = False) -> None:
        given = as_object(raw, "resolved tiles")
        if given is None:
            raise InvalidError("no resolved tiles provided")
        self.transforms: dict[str, Document] = {}
        for value in (as_object(given.get("transformIdToSpecMap"), "transformIdToSpecMap") or {}).values():
            # not one that render-ws would find something by
            if value is None:
                continue
            spec = transform(value)
            if "id" in spec:
                self.transforms[spec["id"]] = spec
        self.tiles: list[Document] = []
        if given.get("tileIdToSpecMap", {}) is None:
            raise FailedError("tileIdToSpecMap must not be null", late=True)
        for key, value in (as_object(given.get("tileIdToSpecMap"), "tileIdToSpecMap") or {}).items():
            if value is None:
                raise FailedError(f"the tile spec with key '{key}' must not be null", late=True)
            tile = tile_spec(value, derive)
            if "tileId" not in tile:
                raise InvalidError(f"tile spec with key '{key}' has no tileId")
            self.tiles.append(tile)

    def check_references(self) -> None:
        """Refuse a tile whose references this body does not resolve in one step.

        A reference to a reference, or to a list that contains one, counts as unresolved.
        """
        remaining = unresolved_references(self.transforms)
        for tile in self.tiles:
            missing: set[str] = set()
            for ident in references_of_tile(tile["transforms"]):
                missing.update(remaining.get(ident, (ident,)))
            if missing:
                ids = ", ".join(sorted(missing))
                raise InvalidError(f"tile {tile['tileId']} requires the following transform ids [{ids}]")
