"""Tile specs: what render knows of one image tile, and the functions that read them from a stack."""

from __future__ import annotations

import copy
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from renderapi import _json, _pages
from renderapi._names import BOX
from renderapi._parallel import progress_reporter
from renderapi._slips import check_transform_list
from renderapi.channel import Channel
from renderapi.errors import NotFoundError, RenderWarning, SpecError
from renderapi.http import transport
from renderapi.image_pyramid import ImagePyramid, MipMap, MipMapLevel
from renderapi.layout import Layout
from renderapi.render import Render, format_preamble, renderaccess, stack_url
from renderapi.stack import get_z_values_for_stack
from renderapi.transform import TransformList, estimate_dstpts, load_transform_json
from renderapi.utils import NullHandler, get_json

if TYPE_CHECKING:
    import requests
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "Channel",
    "ImagePyramid",
    "Layout",
    "MipMap",
    "MipMapLevel",
    "NullHandler",
    "TileSpec",
    "TransformList",
    "combined_filter_specs",
    "estimate_dstpts",
    "format_preamble",
    "from_images",
    "get_json",
    "get_tile_spec",
    "get_tile_spec_raw",
    "get_tile_spec_renderparameters",
    "get_tile_specs_from_box",
    "get_tile_specs_from_minmax_box",
    "get_tile_specs_from_stack",
    "get_tile_specs_from_z",
    "get_tile_specs_with_ids",
    "get_tile_validation_info",
    "get_z_values_for_stack",
    "logger",
    "read_tilespecs",
]

T = TypeVar("T")
#: The bytes of a tile, and where its bounds and its meshCellSize begin and end.
_CutBytes = tuple[bytes, int, int, int, int]

#: Attributes that are values of the document as they stand -> their key.
_SCALARS = {
    "tileId": "tileId",
    "z": "z",
    "width": "width",
    "height": "height",
    "minint": "minIntensity",
    "maxint": "maxIntensity",
    "frameId": "frameId",
    "groupId": "groupId",
    "meshCellSize": "meshCellSize",
}
#: What every server adds to a tile when it derives its bounds.
_DERIVED_MESH_CELL_SIZE = 64
_COMPOSITE_FILTER = "org.janelia.alignment.filter.CompositeFilter"
_WRITTEN_AT_ONCE = 64
_BOUND_KEY = re.compile(rb'"m(?:in|ax)[XY]"')
#: Attributes that a tile that was read builds when they are first touched.
_BUILT = frozenset(
    {"layout", "ip", "tforms", "channels", "labels", "inputfilters", "imageUrl", "maskUrl", "filterSpec"}
)
#: Keywords of old programs that were never stored.
_IGNORED_KEYWORDS = frozenset(
    {"mipMapLevels", "scale1Url", "scale2Url", "scale3Url", "maskUrl", "force_pixelsize", "inputfilters"}
)
_LAYOUT_KEYWORDS = (
    "sectionId", "scopeId", "cameraId", "imageRow", "imageCol", "stageX", "stageY", "rotation", "pixelsize",
    "distanceZ", "force_pixelsize",
)  # fmt: skip


class TileSpec:
    """The metadata of one image tile: images, size, layout, and the transforms into the world of a stack.

    Parameters
    ----------
    tileId : str, optional
        Id, unique in a stack.
    z : float, optional
        Layer.
    width, height : float, optional
        Size of the image in pixels.
    imageUrl, maskUrl : str, optional
        Image and mask of mipmap level 0, where no `imagePyramid` is given.
    minint, maxint : float, optional
        Display range; default 0 to 65535.
    layout : Layout, optional
        Acquisition metadata; default: made of the keywords of `Layout` among `kwargs`.
    tforms : list of transform, optional
        Transforms, in order of application.
    labels : list of str, optional
        Labels.
    groupId : str, optional
        Group, for queries by group.
    inputfilters : list, optional
        Kept on the object; render-ws has no such key.
    json : dict, optional
        A TileSpec document to take everything from.
    channels : list of Channel, optional
        Channels; where there are any, a server ignores the tile's own images and range.
    mipMapLevels : list of MipMapLevel, optional
        Images by level, in the way of old programs.
    imagePyramid : ImagePyramid, optional
        Images by level.
    **kwargs
        Keywords of `Layout`; ``frameId``, ``meshCellSize``, ``filterSpec`` (a FilterSpec document) and
        ``minX``, ``minY``, ``maxX``, ``maxY`` are set as attributes. Everything else is ignored.

    Notes
    -----
    All attributes are plain and may be changed, replaced and edited in place. A tile that was read from a
    document keeps it: keys that are not listed here survive, and layout, images, channels and
    transforms are built when they are first touched.
    """

    def __init__(
        self,
        tileId: str | None = None,
        z: float | None = None,
        width: float | None = None,
        height: float | None = None,
        imageUrl: str | None = None,
        maskUrl: str | None = None,
        minint: float | None = 0,
        maxint: float | None = 65535,
        layout: Layout | None = None,
        tforms: list[Any] | None = None,
        labels: list[str] | None = None,
        groupId: str | None = None,
        inputfilters: Any = None,
        json: dict[str, Any] | None = None,
        channels: list[Channel] | None = None,
        mipMapLevels: Iterable[Any] | None = None,
        imagePyramid: ImagePyramid | None = None,
        **kwargs: Any,
    ) -> None:
        if json is not None:
            self.from_dict(json)
            return
        self.tileId = tileId
        self.z = z
        self.width = width
        self.height = height
        self.minint = minint
        self.maxint = maxint
        if hasattr(tforms, "to_dict") or isinstance(tforms, (str, dict)):
            check_transform_list(tforms, "tforms")
        self.tforms = [] if tforms is None else tforms
        self.groupId = groupId
        # lists that most tiles never use are made when they are touched
        if labels is not None:
            self.labels = labels
        if inputfilters is not None:
            self.inputfilters = inputfilters
        self.imageUrl = imageUrl
        self.maskUrl = maskUrl
        self.channels = channels
        if imagePyramid is not None:
            self.ip = imagePyramid
        elif mipMapLevels:
            self.ip = ImagePyramid(mipMapLevels)
        else:
            self._level_0 = imageUrl, maskUrl
        if layout is None:
            layout = Layout(**{key: kwargs.pop(key) for key in _LAYOUT_KEYWORDS if key in kwargs})
        self.layout = layout
        if kwargs:
            self._set_keywords(kwargs)

    def _set_keywords(self, keywords: dict[str, Any]) -> None:
        for name in ("frameId", "meshCellSize", "filterSpec", *BOX):
            if name in keywords:
                setattr(self, name, keywords[name])
        known = {*_SCALARS, *BOX, *_BUILT, *_LAYOUT_KEYWORDS, "imagePyramid", "json"}
        for name in keywords.keys() - known - _IGNORED_KEYWORDS:
            from difflib import get_close_matches

            if close := get_close_matches(name, known, n=1, cutoff=0.8):
                warnings.warn(
                    f"TileSpec() ignores the keyword {name!r}; did you mean {close[0]}?",
                    RenderWarning,
                    stacklevel=3,
                )

    _raw: bytes | _CutBytes
    _doc: dict[str, Any]
    #: Of a tile that was made of the URLs of an image and a mask: `ip` until that is touched.
    _level_0: tuple[str | None, str | None]
    # A tile that was read holds its document in one of two attributes until it is needed:
    #   _raw  bytes; or, where `to_dict` leaves out nothing but two parts of them, (bytes, start, end, start, end):
    #         cut when it is read from bytes, which are mostly written again, else when it is written;
    #   _doc  the decoded document, once anything was touched. It is never changed.
    # An attribute that was touched or set is in __dict__ and wins over the document.

    def __getattr__(self, name: str) -> Any:
        # called only for what is not in __dict__
        if name in _SCALARS or name in BOX:
            document = self._source()
            if document is None:
                return None
            for attribute, key in _SCALARS.items():
                self.__dict__.setdefault(attribute, document.get(key))
            for key in BOX:
                self.__dict__.setdefault(key, document.get(key))
            return self.__dict__[name]
        if name in _BUILT:
            document = self._source()
            if document is not None:
                # of what several threads build at once all get the same, or a change would be lost
                return self.__dict__.setdefault(name, self._build(name, document))
            if name in ("labels", "inputfilters"):
                return self.__dict__.setdefault(name, [])
            if name == "ip":
                return self.__dict__.setdefault(name, ImagePyramid.from_dict(self._new_levels()))
            if name in ("imageUrl", "maskUrl", "filterSpec"):
                return None  # render-python 2 pickled tiles without
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _source(self) -> dict[str, Any] | None:
        values = self.__dict__
        document: dict[str, Any] | None = values.get("_doc")
        if document is None:
            # several threads may come here at once: the first document counts, and _raw goes last
            raw = values.get("_raw")
            if raw is None:
                return values.get("_doc")
            document = values.setdefault("_doc", _json.loads(raw if isinstance(raw, bytes) else raw[0]))
            values.pop("_raw", None)
        return document

    def _build(self, name: str, document: dict[str, Any]) -> Any:
        try:
            return self._built(name, document)
        except SpecError:
            raise
        except (AttributeError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise SpecError(
                f"{name} of tile {document.get('tileId')!r:.200} cannot be read: {what}"
            ) from None

    def _built(self, name: str, document: dict[str, Any]) -> Any:
        if name == "layout":
            layout = Layout(force_pixelsize=False)
            layout.from_dict(document.get("layout"))
            return layout
        if name == "ip":
            return ImagePyramid.from_dict(document.get("mipmapLevels"))
        if name == "tforms":
            return _read_transforms(document.get("transforms"))
        if name == "channels":
            channels = document.get("channels")
            return None if channels is None else [Channel(json=channel) for channel in channels]
        if name == "labels":
            return list(document.get("labels") or [])
        if name == "inputfilters":
            return document.get("inputfilters") or []
        if name == "filterSpec":
            return copy.deepcopy(document.get("filterSpec"))
        level_0 = self.ip.get("0")  # imageUrl, maskUrl
        return None if level_0 is None else getattr(level_0, name, None)

    def _document(self) -> dict[str, Any] | None:
        """Return the document of a tile that was read and not changed since, which must not be changed."""
        values = self.__dict__
        document = self._source()
        if document is None or not values.keys().isdisjoint(_BUILT):
            return None
        for name in ("width", "height", "tileId", "meshCellSize"):
            if name in values and values[name] != document.get(name):
                return None
        return document

    def _untouched_json(self) -> bytes | None:
        """Return the bytes of a tile that was read and not touched, as `to_dict` gives them; else None."""
        values = self.__dict__
        if len(values) == 1 and type(self).to_dict is TileSpec.to_dict:
            raw = values.get("_raw")
            if type(raw) is bytes:
                raw = _cut(raw)
            if type(raw) is tuple:
                return b"".join(_kept(*raw))
        return None

    @staticmethod
    def _list_json(tilespecs: list[Any], copied: list[bool] | None = None) -> bytes:
        """Return the JSON list of tiles and whatever else, as `to_dict` gives each.

        Faster than asking the encoder for one after the other: runs of tiles that were not touched are
        copied, the others are written some at a time, so that their documents live only for a moment.
        """
        parts: list[bytes] = []
        documents: list[Any] = []
        for tilespec in tilespecs:
            if type(tilespec) is TileSpec:
                values = tilespec.__dict__
                raw = values.get("_raw") if len(values) == 1 else None
                if type(raw) is bytes:
                    raw = _cut(raw)  # written by this package: others are cut already, if they can be
                elif copied is not None and raw is not None:
                    copied.append(True)
                if type(raw) is not tuple:
                    documents.append(tilespec.to_dict())
                else:
                    if documents:
                        parts.append(_json.dumps(documents, copied)[1:-1])
                        documents = []
                    parts.append(b"".join(_kept(*raw)))
            else:
                documents.append(tilespec.to_dict() if hasattr(tilespec, "to_dict") else tilespec)
            if len(documents) >= _WRITTEN_AT_ONCE:
                parts.append(_json.dumps(documents, copied)[1:-1])
                documents = []
        if documents:
            parts.append(_json.dumps(documents, copied)[1:-1])
        return b"[" + b",".join(parts) + b"]"

    def to_dict(self, bounds: bool = False) -> dict[str, Any]:
        """Return the TileSpec document.

        Parameters
        ----------
        bounds : bool
            Whether to write minX, minY, maxX and maxY, as far as they are known, and the meshCellSize 64 that
            comes with them. A server derives them with ``deriveData``; without, it needs them.

        Returns
        -------
        dict
            Plain JSON types.
        """
        document = self._source()
        if document is None:
            result = self._new_document()
        else:
            result = self._changed_document(document)
            for key in BOX:
                result.pop(key, None)
        if not bounds:
            if result.get("meshCellSize") == _DERIVED_MESH_CELL_SIZE:
                del result["meshCellSize"]
        else:
            result.update({key: value for key in BOX if (value := getattr(self, key)) is not None})
        return result

    def _new_document(self) -> dict[str, Any]:
        get = self.__dict__.get
        tile_id, z, width, height = get("tileId"), get("z"), get("width"), get("height")
        minimum, maximum, frame = get("minint"), get("maxint"), get("frameId")
        result: dict[str, Any] = {
            "tileId": tile_id,
            "z": z,
            "width": width,
            "height": height,
            "minIntensity": minimum,
            "maxIntensity": maximum,
        }
        if (
            tile_id is None
            or z is None
            or width is None
            or height is None
            or minimum is None
            or maximum is None
        ):
            result = {key: value for key, value in result.items() if value is not None}
        if frame is not None:
            result["frameId"] = frame
        if (layout := get("layout")) is not None:
            result["layout"] = layout.to_dict()
        result["mipmapLevels"] = self._new_levels()
        tforms = get("tforms")
        try:
            if tforms and len(tforms) == 1:
                spec_list = [tforms[0].to_dict()]
            else:
                spec_list = [tform.to_dict() for tform in tforms or ()]
        except (AttributeError, TypeError, KeyError):
            self._refuse_transforms()
            raise
        result["transforms"] = {"type": "list", "specList": spec_list}
        if channels := get("channels"):
            result["channels"] = [channel.to_dict() for channel in channels]
        if (filter_spec := get("filterSpec")) is not None:
            result["filterSpec"] = filter_spec
        if labels := get("labels"):
            result["labels"] = list(labels)
        if (group := get("groupId")) is not None:
            result["groupId"] = group
        if (size := get("meshCellSize")) is not None:
            result["meshCellSize"] = size
        return result

    def _new_levels(self) -> dict[str, Any]:
        """Return the ``mipmapLevels`` of a tile that was made in Python."""
        values = self.__dict__
        if "ip" in values:
            ip: ImagePyramid | None = values["ip"]
            return {} if ip is None else ip.to_dict()
        image, mask = values.get("_level_0", (None, None))
        if mask is None:
            return {} if image is None else {"0": {"imageUrl": image}}
        return {"0": {"maskUrl": mask} if image is None else {"imageUrl": image, "maskUrl": mask}}

    def _refuse_transforms(self) -> None:
        """Raise `SpecError` if it is the transforms that are no list of transforms."""
        try:
            check_transform_list(self.tforms, "tforms")
        except SpecError as error:
            raise SpecError(
                f"the transforms of tile {self.tileId!r:.200} cannot be written: {error}"
            ) from None

    def _changed_document(self, document: dict[str, Any]) -> dict[str, Any]:
        values = self.__dict__
        result = dict(document)
        if "tforms" not in values and "transforms" in result:
            result["transforms"] = _typed(result["transforms"])
        for name, key in _SCALARS.items():
            if name in values:
                if values[name] is not None:
                    result[key] = values[name]
                else:
                    result.pop(key, None)
        if "layout" in values:
            layout = {} if self.layout is None else self.layout.to_dict()
            _set(result, "layout", layout, keep_empty="layout" in document)
        if "ip" in values:
            levels = {} if self.ip is None else self.ip.to_dict()
            if levels or document.get("mipmapLevels"):
                result["mipmapLevels"] = levels
        if "tforms" in values:
            try:
                spec_list = [tform.to_dict() for tform in self.tforms]
            except (AttributeError, TypeError):
                self._refuse_transforms()
                raise
            old = document.get("transforms")
            rest = old if isinstance(old, dict) and old.get("type", "list") == "list" else {}
            result["transforms"] = {**rest, "type": "list", "specList": spec_list}
        if "channels" in values:
            channels = [channel.to_dict() for channel in self.channels or ()]
            _set(result, "channels", channels, keep_empty="channels" in document)
        if "filterSpec" in values:
            _set(result, "filterSpec", self.filterSpec, keep_empty=self.filterSpec is not None)
        if "labels" in values:
            _set(result, "labels", list(self.labels or ()), keep_empty="labels" in document)
        if "inputfilters" in values and "inputfilters" in document:
            result["inputfilters"] = self.inputfilters
        return result

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything from a TileSpec document; a key it lacks becomes None.

        Parameters
        ----------
        d : dict
            The document; it is not kept. Raw MongoDB documents are fine: their ``_id`` is dropped.
        """
        values = self.__dict__
        if values:
            for name in {*_SCALARS, *BOX, *_BUILT, "_raw", "_doc", "_level_0"} & values.keys():
                del values[name]
        if not hasattr(d, "items"):
            given: Any = d
            hint = ""
            if isinstance(given, TileSpec):
                hint = ": give its to_dict(bounds=True), or copy it with copy.deepcopy"
            elif isinstance(given, (str, bytes)):
                hint = ": give the decoded document, json.loads(...)"
            raise SpecError(f"a tile spec is a JSON object, not {d!r:.80}{hint}")
        document = d
        if "_id" in d or not isinstance(d, dict):
            document = {key: value for key, value in d.items() if key != "_id"}
        try:
            # the fastest copy that the caller cannot change
            values["_raw"] = _json.encoded(document)
        except (TypeError, ValueError):
            try:
                self._doc = copy.deepcopy(document)
            except RecursionError:
                raise SpecError(f"tile {d.get('tileId')!r:.200} is nested too deeply to be read") from None

    def set_filter_spec(self, filter_spec: Mapping[str, Any] | None) -> None:
        """Let one filter correct the images of the tile: its own, and those of every channel.

        Parameters
        ----------
        filter_spec : dict or None
            FilterSpec document (``className``, ``parameters``); None takes the filters away. Servers of
            render's branch newsolver apply it, and the embedded server.
        """
        for owner in (self, *(self.channels or ())):
            owner.filterSpec = None if filter_spec is None else copy.deepcopy(dict(filter_spec))

    def add_filter_spec(self, filter_spec: Mapping[str, Any] | None) -> None:
        """Let a filter follow the one that the tile has, as `combined_filter_specs`; channels get the same.

        Parameters
        ----------
        filter_spec : dict or None
            FilterSpec document.
        """
        self.set_filter_spec(combined_filter_specs(self.filterSpec, filter_spec))

    @property
    def bbox(self) -> tuple[Any, Any, Any, Any]:
        """Bounding box in the world of the stack: minX, minY, maxX, maxY, each None if it is not known."""
        return self.minX, self.minY, self.maxX, self.maxY

    def bbox_transformed(
        self,
        ndiv_inner: int = 0,
        tf_limit: int | None = None,
        reference_tforms: list[Any] | None = None,
    ) -> NDArray[np.float64]:
        """Return the border of the tile after its transforms.

        Parameters
        ----------
        ndiv_inner : int
            How often every side is halved: 2**ndiv_inner parts. Default 0.
        tf_limit : int, optional
            Number of transforms to apply. Default all.
        reference_tforms : list of transform, optional
            Shared transforms that the tile refers to.

        Returns
        -------
        (4 * 2**ndiv_inner + 1, 2) float64 array
            From the upper left corner down the left side, around, and back to it.
        """
        steps = np.linspace(0.0, 1.0, 2 ** max(0, ndiv_inner) + 1)[:-1]
        corners = np.array([[0, 0], [0, self.height], [self.width, self.height], [self.width, 0]], float)
        sides = [a + steps[:, None] * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0))]
        border = np.vstack([*sides, corners[:1]])
        result: NDArray[np.float64] = estimate_dstpts(self.tforms[:tf_limit], border, reference_tforms)
        return result

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TileSpec):
            return NotImplemented
        return self.to_dict(bounds=True) == other.to_dict(bounds=True)

    def __hash__(self) -> int:
        return hash((self.tileId, self.z))

    @_pages.never_failing
    def _repr_html_(self) -> str:
        from renderapi.rendering import thumbnail

        # a copy: what is looked at stays as it was read
        tile = TileSpec(json=self.to_dict(bounds=True))
        image = _pages.within(_pages.PATIENCE, lambda: thumbnail(tile))
        drawn = "" if image is None else _pages.picture(image, f"image of tile {tile.tileId}")
        return _pages.card(f"TileSpec {tile.tileId}", _shown(tile), picture=drawn)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("tileId", "z", "width", "height"))
        return f"{type(self).__name__}({values})"


def _shown(tile: TileSpec) -> Iterator[tuple[str, Any]]:
    """Yield what a notebook shows of a tile."""
    from renderapi.rendering.locations import shown

    layout = tile.layout
    yield "z", tile.z
    yield "size", f"{tile.width:g} × {tile.height:g} pixels" if tile.width and tile.height else None
    if None not in tile.bbox:
        yield "box", "{:g}, {:g} to {:g}, {:g}".format(*tile.bbox)
    if None not in (tile.minint, tile.maxint):
        yield "intensity", f"{tile.minint:g} to {tile.maxint:g}"
    yield "section", layout.sectionId
    yield "group", tile.groupId
    if None not in (layout.imageRow, layout.imageCol):
        yield "row, column", f"{layout.imageRow}, {layout.imageCol}"
    if None not in (layout.stageX, layout.stageY):
        yield "stage", f"{layout.stageX:g}, {layout.stageY:g}"
    yield "transforms", ", ".join(type(transform).__name__ for transform in tile.tforms) or "none"
    yield "channels", ", ".join(str(channel.name) for channel in tile.channels or ()) or None
    yield "image", shown(str(tile.imageUrl)) if tile.imageUrl else None
    levels = sorted(map(int, tile.ip))
    yield "mipmap levels", f"{levels[0]} to {levels[-1]}" if len(levels) > 1 else None


def _set(document: dict[str, Any], key: str, value: Any, keep_empty: bool) -> None:
    if value or keep_empty:
        document[key] = value
    else:
        document.pop(key, None)


def combined_filter_specs(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Put two filters together, as render's branch newsolver does.

    Parameters
    ----------
    first, second : dict or None
        FilterSpec documents; the second is applied after the first.

    Returns
    -------
    dict or None
        A CompositeFilter whose parameters ``filter0``, ``filter1``, ... are JSON texts; the filters of a
        CompositeFilter become its own. Of one filter and None the filter as it is.

    Examples
    --------
    >>> combined_filter_specs({"className": "a", "parameters": {}}, {"className": "b", "parameters": {}})
    {'className': 'org.janelia.alignment.filter.CompositeFilter', 'parameters': \
{'filter0': '{"className":"a","parameters":{}}', 'filter1': '{"className":"b","parameters":{}}'}}
    """
    given = [spec for spec in (first, second) if spec is not None]
    if len(given) < 2:
        return dict(given[0]) if given else None
    texts: list[str] = []
    for spec in given:
        if spec.get("className") == _COMPOSITE_FILTER:
            parts = dict(spec.get("parameters") or {})
            texts += [parts[f"filter{number}"] for number in range(len(parts))]
        else:
            texts.append(_json.dumps(spec).decode())
    return {
        "className": _COMPOSITE_FILTER,
        "parameters": {f"filter{number}": text for number, text in enumerate(texts)},
    }


def _typed(transforms: Any) -> Any:
    """Return a document of transforms in which every leaf says that it is one; the old one is not changed."""
    if isinstance(transforms, list):
        return [_typed(part) for part in transforms]
    if not isinstance(transforms, dict):
        return transforms
    if "className" in transforms:
        return transforms if "type" in transforms else {"type": "leaf", **transforms}
    nested = {key: _typed(transforms[key]) for key in ("specList", "a", "b") if key in transforms}
    return {**transforms, **nested}


def _read_transforms(document: Any) -> list[Any]:
    if not document:
        return []
    if isinstance(document, list):
        return [load_transform_json(spec) for spec in document]
    if "specList" in document:
        return [load_transform_json(spec) for spec in document["specList"]]
    return [load_transform_json(document)]


def read_tilespecs(content: bytes) -> list[TileSpec]:
    """Read a JSON list of tile specs; each is decoded when it is first touched.

    Parameters
    ----------
    content : bytes
        JSON.

    Returns
    -------
    list of TileSpec

    Raises
    ------
    ValueError
        If it is not a JSON list of objects.
    """
    with _json.collector_paused():
        parts = _json.split_list(content)
        if parts is not None:
            return from_raw_parts(parts)
        documents = _json.loads(content)
        if not isinstance(documents, list):
            raise SpecError(f"a list of tile specs is needed, not a {type(documents).__name__}")
        return [_from_document(document) for document in documents]


def _read_parameters(content: bytes) -> list[TileSpec]:
    """Read the tile specs of a RenderParameters document."""
    parameters = _json.loads(content)
    if not isinstance(parameters, dict) or not isinstance(parameters.get("tileSpecs", []), list):
        raise SpecError("render parameters are a JSON object with a list of tileSpecs")
    return [_from_document(document) for document in parameters.get("tileSpecs", ())]


def _read_parameters_of_tile(content: bytes) -> TileSpec:
    tilespecs = _read_parameters(content)
    if not tilespecs:
        raise SpecError("there are no tileSpecs")
    return tilespecs[0]


def _from_document(document: dict[str, Any]) -> TileSpec:
    if not isinstance(document, dict):
        raise SpecError(f"a tile spec is a JSON object, not {document!r:.80}")
    tilespec = TileSpec.__new__(TileSpec)
    tilespec.__dict__["_doc"] = document
    return tilespec


def _kept(raw: bytes, start: int, end: int, mesh_start: int, mesh_end: int) -> tuple[bytes, bytes, bytes]:
    return raw[:start], raw[end:mesh_start], raw[mesh_end:]


#: As a server writes it: at the end of the tile.
_LAST_MESH = b',"meshCellSize":64.0}'
_match_mesh = re.compile(rb',"meshCellSize":64(?:\.0)?(?=[,}])').match
_match_other_mesh = re.compile(rb'"meshCellSize":(?!64[.,}])[1-9][0-9]*(?:\.[0-9]+)?[,}]').match
#: The bounds as a server writes them: together and in this order.
_match_bounds = re.compile(rb'"minX":[^",{}]+,"minY":[^",{}]+,"maxX":[^",{}]+,"maxY":[^",{}]+,').match


def from_raw_parts(parts: Iterable[bytes]) -> list[TileSpec]:
    """Make lazy tile specs of the bytes of each."""
    new = TileSpec.__new__
    tilespecs = []
    for raw in parts:
        if raw[:1] != b"{":
            raise SpecError(f"a tile spec is a JSON object, not {raw[:80]!r}")
        tilespec = new(TileSpec)
        tilespec._raw = _cut(raw)
        tilespecs.append(tilespec)
    return tilespecs


def _cut(raw: bytes) -> bytes | _CutBytes:
    """Return the bytes of a tile with the places of what `TileSpec.to_dict` leaves out, if they are all it changes."""
    start = end = 0
    mesh_start = mesh_end = len(raw)
    if (place := raw.find(b'"minX":')) >= 0:
        bounds = _match_bounds(raw, place)
        if bounds is None or not _of_the_tile(raw, place):
            return raw
        start, end = bounds.span()
    elif _BOUND_KEY.search(raw):
        return raw
    if raw.endswith(_LAST_MESH):
        mesh_start, mesh_end = mesh_end - len(_LAST_MESH), mesh_end - 1
        if mesh_start < end - 1:
            return raw  # right after the bounds, whose comma is cut already
    elif (place := raw.rfind(b'"meshCellSize"')) >= 0:
        mesh = _match_mesh(raw, place - 1)
        if mesh is None:
            if _match_other_mesh(raw, place) is None:
                return raw
        elif place <= end or not _of_the_tile(raw, place):
            return raw
        else:
            mesh_start, mesh_end = mesh.span()
    if raw.count(b'"className"') > raw.count(b'"type":"leaf"'):
        return raw  # a leaf that does not say that it is one
    return raw, start, end, mesh_start, mesh_end


def _of_the_tile(raw: bytes, place: int) -> bool:
    """Say whether a key is one of the tile itself, not of some object inside: one brace is open."""
    return raw.count(b"{", 0, place) - raw.count(b"}", 0, place) == 1


# ------------------------------------------------------------------------------------------ endpoints


@renderaccess
def get_tile_spec_renderparameters(
    stack: str,
    tile: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the render parameters of a tile.

    Parameters
    ----------
    stack, tile : str
        Stack and tile id.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        RenderParameters document; its ``tileSpecs`` hold the tile with references resolved and transform
        lists flattened.

    Raises
    ------
    NotFoundError
        If the stack or the tile does not exist.
    """
    url = stack_url(host, port, owner, project, stack, "tile", tile, "render-parameters")
    return get_json(session, url)  # type: ignore[no-any-return]


@renderaccess
def get_tile_spec(
    stack: str,
    tile: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> TileSpec | None:
    """Get a tile with its references resolved and transform lists flattened.

    Parameters
    ----------
    stack, tile : str
        Stack and tile id.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    TileSpec or None
        None if the stack has no such tile.

    Raises
    ------
    RenderError
        If anything else is wrong: `NotFoundError` if there is no such stack.
    """
    url = stack_url(host, port, owner, project, stack, "tile", tile, "render-parameters")
    try:
        response = transport.send(session, "GET", url)
    except NotFoundError as error:
        if (error.server_text or "").startswith("stack with"):
            raise
        return None
    return read_answer(response, _read_parameters_of_tile, "render parameters of a tile")


@renderaccess
def get_tile_spec_raw(
    stack: str,
    tile: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> TileSpec:
    """Get a tile as it is stored, with references to shared transforms.

    Parameters
    ----------
    stack, tile : str
        Stack and tile id.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    TileSpec

    Raises
    ------
    NotFoundError
        If the stack or the tile does not exist.
    """
    response = transport.send(session, "GET", stack_url(host, port, owner, project, stack, "tile", tile, ""))
    return read_answer(response, lambda content: _from_document(_json.loads(content)), "a tile spec")


@renderaccess
def get_tile_specs_from_minmax_box(
    stack: str,
    z: float,
    xmin: float,
    xmax: float,
    ymin: float,
    ymax: float,
    scale: float = 1.0,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[TileSpec]:
    """Get the tiles that meet a box, given by its borders.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    xmin, xmax, ymin, ymax : float
        Borders of the box in world coordinates; a tile that only touches it is included.
    scale : float
        Scale of the render parameters that are asked for; it does not change which tiles are found.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of TileSpec
        Ordered by tile id, references resolved and transform lists flattened.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    box = (xmin, ymin, xmax - xmin, ymax - ymin, scale)
    return _tile_specs_from_box(session, host, port, owner, project, stack, z, box)


@renderaccess
def get_tile_specs_from_box(
    stack: str,
    z: float,
    x: float,
    y: float,
    width: float,
    height: float,
    scale: float = 1.0,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[TileSpec]:
    """Get the tiles that meet a box, given by its upper left corner and size.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    x, y, width, height : float
        The box in world coordinates; a tile that only touches it is included.
    scale : float
        Scale of the render parameters that are asked for; it does not change which tiles are found.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of TileSpec
        Ordered by tile id, references resolved and transform lists flattened.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    box = (x, y, width, height, scale)
    return _tile_specs_from_box(session, host, port, owner, project, stack, z, box)


def _tile_specs_from_box(
    session: requests.Session | None,
    host: str | None,
    port: int | None,
    owner: str | None,
    project: str | None,
    stack: str,
    z: float,
    box: tuple[float, ...],
) -> list[TileSpec]:
    x, y, width, height, scale = box
    # a server reads width and height as whole numbers: round up, so that no tile is missed
    box = (x, y, math.ceil(width), math.ceil(height), scale)
    url = stack_url(host, port, owner, project, stack, "z", z, "box", box, "render-parameters")
    return read_answer(transport.send(session, "GET", url), _read_parameters, "render parameters")


@renderaccess
def get_tile_specs_from_z(
    stack: str,
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    tileIdPattern: str | None = None,
    **kwargs: Any,
) -> list[TileSpec]:
    """Get all tiles of a layer, with references resolved and transform lists flattened.

    `renderapi.resolvedtiles.get_resolved_tiles_from_z` keeps references and shared transforms.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    host, port, owner, project, session, render
        Connection.
    tileIdPattern : str, optional
        Only tiles whose id contains a match of this regular expression. Servers of render's branch newsolver know
        it, others ignore it (`renderapi.render.get_branch`).

    Returns
    -------
    list of TileSpec
        Ordered by tile id. A render server answers a layer without tiles with an error, but not where
        only a pattern finds none.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    return _tile_specs_from_z(session, host, port, owner, project, stack, z, tileIdPattern)


def _tile_specs_from_z(
    session: requests.Session | None,
    host: str | None,
    port: int | None,
    owner: str | None,
    project: str | None,
    stack: str,
    z: float,
    pattern: str | None = None,
) -> list[TileSpec]:
    url = stack_url(host, port, owner, project, stack, "z", z, "tile-specs")
    return read_answer(
        transport.send(session, "GET", url, params={"tileIdPattern": pattern}), read_tilespecs, "tile specs"
    )


def read_answer(response: requests.Response, read: Callable[[bytes], T], what: str) -> T:
    """Read the documents of an answer; one that does not hold them is a `BadAnswerError`."""
    try:
        return read(response.content)
    except ValueError as error:
        raise transport.not_as_asked(response, f"JSON of {what}", str(error)) from None


@renderaccess
def get_tile_specs_from_stack(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> list[TileSpec]:
    """Get all tiles of a stack, layer by layer: one request for each z.

    The whole stack is held in memory; for large ones work by layer.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.
    progress : optional
        True for a bar (extra ``progress``), or a function that is called with the number of layers that have
        come and their total.

    Returns
    -------
    list of TileSpec
        Ordered by z and tile id, references resolved and transform lists flattened.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    zs = get_z_values_for_stack(
        stack, host=host, port=port, owner=owner, project=project, session=session, render=render
    )
    tilespecs: list[TileSpec] = []
    with progress_reporter(progress, len(zs), "reading tile specs", " layers") as advance:
        for z in zs:
            tilespecs += _tile_specs_from_z(session, host, port, owner, project, stack, z)
            advance(1)
    return tilespecs


@renderaccess
def get_tile_specs_with_ids(
    stack: str,
    tileIds: Iterable[str],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[TileSpec]:
    """Get tile specs by id, in one request.

    Parameters
    ----------
    stack : str
        Stack.
    tileIds : iterable of str
        The tiles.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of TileSpec
        In the order of the server; tiles that do not exist are left out.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "tile-specs-with-ids")
    response = transport.send(session, "PUT", url, document=list(tileIds))
    return read_answer(response, read_tilespecs, "tile specs")


@renderaccess
def get_tile_validation_info(
    stack: str,
    tileId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str:
    """Have the server check a stored tile.

    Parameters
    ----------
    stack : str
        Stack.
    tileId : str
        Tile.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    str
        What it found.

    Raises
    ------
    NotFoundError
        If there is no such tile.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "tile", tileId, "validation-info")
    return transport.decode_text(transport.send(session, "GET", url))


def from_images(images: Any = None, positions: Any = None, **options: Any) -> Any:
    """Make tile specs of image files, see `renderapi.fromfiles.from_images`.

    Parameters
    ----------
    images : path, glob pattern, or iterable of them, optional
        The files.
    positions : path, DataFrame or iterable of dict, optional
        Where they lie.
    **options
        Those of `renderapi.fromfiles.from_images`.

    Returns
    -------
    renderapi.fromfiles.TilesFromFiles
        A list of TileSpec, with ``preview()``.

    Raises
    ------
    renderapi.fromfiles.TileFilesError
        With all that is wrong, each with its file and row.
    """
    from renderapi.fromfiles import from_images

    return from_images(images, positions, **options)
