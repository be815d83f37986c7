"""Where the render parameters of canvases come from: a server, tile specs in memory, or documents."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from renderapi import _json
from renderapi._project import Project
from renderapi.geometry import bounding_boxes
from renderapi.http.urls import format_baseurl, required
from renderapi.match._parameters import CanvasId, FeatureRender
from renderapi.match.errors import CanvasError, MatchParametersError
from renderapi.transform.flattening import Flattener, normalized_for_matching
from renderapi.transform.trees import by_id
from renderapi.utils import get_json

Document = dict[str, Any]

# how some pipelines name a box of a layer
_BOX = re.compile(r"z_.*_box_([^_]*)_([^_]*)_([^_]*)_([^_]*)_([^_]*)")


class Source:
    """Where the render parameters of canvases come from. Pickles, so that other processes can have it."""

    def parameters(self, canvas: CanvasId, render: FeatureRender) -> Document:
        """Return render parameters; their scale does not count.

        Raises
        ------
        CanvasError
            If there is no such tile.
        """
        raise NotImplementedError

    def identity(self, canvas: CanvasId) -> Any:
        """Return what tells a canvas from others of its name, as JSON; None if there is no such canvas."""
        raise NotImplementedError

    def of(self, canvases: Iterable[CanvasId]) -> Source:
        """Return a source that has at least those canvases, to be sent elsewhere."""
        return self

    def apart(self, p: CanvasId, q: CanvasId) -> bool:
        """Tell whether it is known that two canvases do not touch."""
        return False


class ServerSource(Source):
    """Asks a server, by a URL template of a file of tile pairs."""

    def __init__(self, at: Project, template: str) -> None:
        self.at = at
        self.template = template
        if "{id}" not in template:
            raise MatchParametersError(f"the URL template {template} of tile pairs has no {{id}} in it")

    def __getstate__(self) -> Document:
        at = self.at
        return {**self.__dict__, "at": Project(at.host, at.port, at.owner, at.project, None, at.render)}

    def url(self, canvas: CanvasId, render: FeatureRender) -> str:
        """Return the URL of the render parameters of a canvas."""
        box = _BOX.fullmatch(canvas.id)
        name = ",".join(box.groups()) if box else quote(canvas.id, safe="")
        url = self.template.replace("{id}", name).replace("{groupId}", quote(canvas.groupId, safe=""))
        if "{baseDataUrl}" in url:
            url = url.replace("{baseDataUrl}", format_baseurl(required("host", self.at.host), self.at.port))
        query = {
            "width": render.renderFullScaleWidth,
            "height": render.renderFullScaleHeight,
            "filter": "true" if render.renderWithFilter else None,
            "filterListName": render.renderFilterListName,
            "excludeMask": "true" if render.renderWithoutMask else None,
            "normalizeForMatching": "true",
        }
        words = urlencode({key: value for key, value in query.items() if value is not None}, quote_via=quote)
        return f"{url}{'&' if '?' in url else '?'}{words}"

    def parameters(self, canvas: CanvasId, render: FeatureRender) -> Document:
        """Ask the server."""
        found: Document = get_json(self.at.thread_session(), self.url(canvas, render))
        return found

    def identity(self, canvas: CanvasId) -> Any:
        """Return its URL."""
        return self.url(canvas, FeatureRender())


class TileSource(Source):
    """Makes render parameters of tile specs as a server does for ``normalizeForMatching``."""

    def __init__(self, tiles: Mapping[str, Any], shared: Mapping[str, Document]) -> None:
        self.tiles, self.shared = tiles, shared
        self._boxes: dict[str, Any] = {}

    @classmethod
    def of_tiles(cls, tilespecs: Iterable[Any], transforms: Any = None) -> TileSource:
        """Make a source of tile specs, and the shared transforms that they refer to."""
        documents = [_document(tile) for tile in tilespecs]
        shared = by_id([_document(transform) for transform in transforms or ()])
        return cls({tile.get("tileId"): tile for tile in documents}, shared)  # type: ignore[misc]

    def groups(self) -> dict[str, str]:
        """Return the section of each tile."""
        return {name: str((tile.get("layout") or {}).get("sectionId")) for name, tile in self.tiles.items()}

    def parameters(self, canvas: CanvasId, render: FeatureRender) -> Document:
        """Make the document."""
        tile = self._tile(canvas)
        if render.renderFilterListName is not None:
            raise MatchParametersError(
                f"renderFilterListName={render.renderFilterListName!r}: lists of filters are known to servers only"
            )
        flat = Flattener(deepcopy(dict(self.shared))).flatten(
            deepcopy(tile.get("transforms") or {"type": "list", "specList": []})
        )
        kept = {**tile, "transforms": {"type": "list", "specList": normalized_for_matching(flat)}}
        [box] = bounding_boxes([kept])
        width, height = int(box[2] - box[0]), int(box[3] - box[1])
        return {
            "x": 0.0,
            "y": 0.0,
            "width": render.renderFullScaleWidth or width,
            "height": render.renderFullScaleHeight or height,
            "doFilter": render.renderWithFilter,
            "excludeMask": render.renderWithoutMask,
            "tileSpecs": [kept],
        }

    def identity(self, canvas: CanvasId) -> Any:
        """Return its tile spec, and a digest of the shared transforms."""
        return [self.tiles.get(canvas.id), self._digest]

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(_json.dumps(self.shared)).hexdigest()

    def of(self, canvases: Iterable[CanvasId]) -> TileSource:
        """Return a source of those tiles only."""
        wanted = {canvas.id for canvas in canvases}
        return TileSource({name: self.tiles[name] for name in wanted & self.tiles.keys()}, self.shared)

    def apart(self, p: CanvasId, q: CanvasId) -> bool:
        """Compare the boxes of two tiles in the world."""
        ours, theirs = self._box(p), self._box(q)
        gap = max(ours[0] - theirs[2], theirs[0] - ours[2], ours[1] - theirs[3], theirs[1] - ours[3])
        return bool(gap > 0) and math.isfinite(gap)

    def _box(self, canvas: CanvasId) -> Any:
        if canvas.id not in self._boxes:
            [self._boxes[canvas.id]] = bounding_boxes([self._tile(canvas)], list(self.shared.values()))
        return self._boxes[canvas.id]

    def _tile(self, canvas: CanvasId) -> Document:
        tile = self.tiles.get(canvas.id)
        if tile is None:
            raise CanvasError(f"there is no tile {canvas.id} among those that were given")
        found: Document = tile
        return found


class DocumentSource(Source):
    """Has render parameters already; they say what filters and masks are applied."""

    def __init__(self, documents: Mapping[tuple[str, str], Document]) -> None:
        self.documents = documents

    def parameters(self, canvas: CanvasId, render: FeatureRender) -> Document:
        """Return the document."""
        try:
            return self.documents[canvas.key]
        except KeyError:
            raise CanvasError(
                f"there are no render parameters of {canvas.id} of {canvas.groupId} among those that were given"
            ) from None

    def identity(self, canvas: CanvasId) -> Any:
        """Return the document."""
        return self.documents.get(canvas.key)

    def of(self, canvases: Iterable[CanvasId]) -> DocumentSource:
        """Return a source of those documents only."""
        wanted = {canvas.key for canvas in canvases}
        return DocumentSource({key: self.documents[key] for key in wanted & self.documents.keys()})


def _document(given: Any) -> Document:
    document: Document = given if isinstance(given, Mapping) else given.to_dict()  # type: ignore[assignment]
    return document
