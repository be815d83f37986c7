"""Tile specs together with the shared transforms that they refer to."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi import _json, _pages
from renderapi._doubts import Doubts
from renderapi._names import PAIR
from renderapi._slips import check_tile_list, check_transform_list
from renderapi.errors import BadAnswerError, RenderError, SpecError
from renderapi.http import transport
from renderapi.http.capabilities import only_of
from renderapi.http.transport import confirmed
from renderapi.render import Render, format_number, format_preamble, renderaccess, stack_url
from renderapi.tilespec import TileSpec, from_raw_parts, read_answer
from renderapi.transform import load_transform_json
from renderapi.transform.trees import references
from renderapi.utils import NullHandler, get_json, jbool, put_json

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "NullHandler",
    "RenderError",
    "ResolvedTiles",
    "TileSpec",
    "combine_resolvedtiles",
    "format_preamble",
    "get_json",
    "get_resolved_tiles",
    "get_resolved_tiles_from_z",
    "get_resolved_tiles_with_matches",
    "get_shared_transform",
    "jbool",
    "load_transform_json",
    "logger",
    "put_json",
    "put_tilespecs",
    "put_tilespecs_of_z",
]


_HAS_ID = re.compile(rb'"tileId"')
#: Of more tiles than this a notebook shows no drawing.
_DRAWN = 600
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})


class ResolvedTiles:
    """Tile specs, and the shared transforms that they refer to: a ResolvedTileSpecCollection.

    Parameters
    ----------
    tilespecs : list of TileSpec, optional
        The tiles.
    transformList : list of transform, optional
        The shared transforms; each needs a ``transformId``.
    json : dict, optional
        A ResolvedTileSpecCollection document to take both from. It is not changed.

    Attributes
    ----------
    tilespecs : list of TileSpec
        The tiles.
    transforms : list of transform
        The shared transforms.
    """

    def __init__(
        self,
        tilespecs: list[TileSpec] | None = None,
        transformList: list[Any] | None = None,
        json: dict[str, Any] | None = None,
    ) -> None:
        self.tilespecs = [] if tilespecs is None else tilespecs
        self.transforms = [] if transformList is None else transformList
        if json is not None:
            self.from_dict(json)

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything from a ResolvedTileSpecCollection document.

        A tile or transform without an id of its own gets the key that it stands under.

        Parameters
        ----------
        d : dict
            The document; it is neither kept nor changed.
        """
        self.tilespecs = []
        for key, document in (d.get("tileIdToSpecMap") or {}).items():
            self.tilespecs.append(TileSpec(json={"tileId": key, **document}))
        self.transforms = _read_shared(d.get("transformIdToSpecMap") or {})

    @classmethod
    def from_json(cls, content: bytes) -> ResolvedTiles:
        """Read a collection from JSON; each tile is decoded when it is first touched.

        Parameters
        ----------
        content : bytes
            JSON.

        Returns
        -------
        ResolvedTiles
            The collection.

        Raises
        ------
        ValueError
            If it is not the JSON of a collection.
        """
        resolved = cls()
        with _json.collector_paused():
            resolved._read(content)
        return resolved

    def _read(self, content: bytes) -> None:
        parts = _json.split_maps(content) or {}
        tiles = list(parts.get("tileIdToSpecMap", {}).values())
        if not tiles or not all(map(_HAS_ID.search, tiles)):
            document = _json.loads(content)
            if not isinstance(document, dict):
                raise SpecError(f"a collection of tiles is a JSON object, not a {type(document).__name__}")
            self.from_dict(document)
            return
        self.tilespecs = from_raw_parts(tiles)
        transforms = parts.get("transformIdToSpecMap", {})
        self.transforms = _read_shared({key: _json.loads(raw) for key, raw in transforms.items()})

    def to_dict(self, bounds: bool = False) -> dict[str, Any]:
        """Return the ResolvedTileSpecCollection document.

        Parameters
        ----------
        bounds : bool
            Whether to write the bounding boxes of the tiles, as in `TileSpec.to_dict`.

        Returns
        -------
        dict
            ``tileIdToSpecMap`` and ``transformIdToSpecMap``, each by id.

        Raises
        ------
        SpecError
            If a tile or a shared transform has no id.
        """
        check_tile_list(self.tilespecs)
        check_transform_list(self.transforms, "transforms")
        return _collection([_as_dict(tile, bounds) for tile in self.tilespecs], self.transforms)

    @_pages.never_failing
    def _repr_html_(self) -> str:
        rows: list[tuple[str, Any]] = [
            ("tile specs", f"{len(self.tilespecs):,}"),
            ("transforms", f"{len(self.transforms):,}"),
            ("their ids", ", ".join(str(one.transformId) for one in self.transforms[:5]) or None),
        ]
        drawn = ""
        if 0 < len(self.tilespecs) <= _DRAWN:
            from renderapi.geometry import bounding_boxes

            # copies: what is looked at stays as it was read
            tiles = [TileSpec(json=tile.to_dict(bounds=True)) for tile in self.tilespecs]
            layers = sorted({tile.z for tile in tiles if tile.z is not None})
            if layers:
                rows.append(
                    ("z", f"{layers[0]:g}" if len(layers) == 1 else f"{layers[0]:g} to {layers[-1]:g}")
                )
            some = ", ".join(str(tile.tileId) for tile in tiles[:3])
            rows.append(("tiles", f"{some}, ..." if len(tiles) > 3 else some))
            boxes = bounding_boxes(tiles, self.transforms)
            drawn = _pages.boxes_svg(f"boxes of {len(tiles)} tiles", boxes)
        return _pages.card(type(self).__name__, rows, picture=drawn)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.tilespecs)} tile specs, {len(self.transforms)} transforms)"


def _read_shared(documents: Mapping[str, Any]) -> list[Any]:
    transforms = []
    for key, document in documents.items():
        transform = load_transform_json(document)
        if getattr(transform, "transformId", None) is None:
            transform.transformId = key
        transforms.append(transform)
    return transforms


def id_text(given: Any) -> Any:
    """Return an id as it is stored: that of a number is its text, as for Java."""
    if isinstance(given, (int, float, np.integer)) and not isinstance(given, bool):
        return str(given)
    return given


def _as_dict(tile: Any, bounds: bool) -> dict[str, Any]:
    if isinstance(tile, Mapping):
        document = dict(tile)
    else:
        # a subclass may have a to_dict of the old kind, without arguments
        document = tile.to_dict(bounds=True) if bounds and _is_plain(tile) else tile.to_dict()
    if type(document.get("tileId")) is not str and "tileId" in document:
        document["tileId"] = id_text(document["tileId"])
    return document


def _is_plain(tile: Any) -> bool:
    return isinstance(tile, TileSpec) and type(tile).to_dict is TileSpec.to_dict


def _collection(tiles: list[dict[str, Any]], transforms: Iterable[Any]) -> dict[str, Any]:
    by_tile = {}
    for index, tile in enumerate(tiles):
        tile_id = tile.get("tileId")
        if not isinstance(tile_id, str) or not tile_id:
            raise SpecError(
                f"tile spec {index} has the tileId {tile_id!r}: an id is a text that is not empty"
            )
        by_tile[tile_id] = tile
    by_id = {}
    for index, transform in enumerate(transforms):
        document = transform if isinstance(transform, Mapping) else transform.to_dict()
        transform_id = document.get("id") or getattr(transform, "transformId", None)
        if not transform_id:
            raise SpecError(
                f"shared transform {index} has no transformId, so no tile can refer to it: {document!r:.200}"
            )
        check_finite(document, f"the shared transform {transform_id!r}")
        by_id[transform_id] = document
    return {"transformIdToSpecMap": by_id, "tileIdToSpecMap": by_tile}


def combine_resolvedtiles(rts_l: Iterable[ResolvedTiles]) -> ResolvedTiles:
    """Put several collections together.

    Parameters
    ----------
    rts_l : iterable of ResolvedTiles
        Collections; of tiles and shared transforms with one id, the last counts. Transforms without an id
        are all kept.

    Returns
    -------
    ResolvedTiles
    """
    tiles: dict[Any, TileSpec] = {}
    transforms: dict[Any, Any] = {}
    for resolved in rts_l:
        tiles.update({tile.tileId: tile for tile in resolved.tilespecs})
        for transform in resolved.transforms:
            transform_id = getattr(transform, "transformId", None)
            transforms[id(transform) if transform_id is None else transform_id] = transform
    return ResolvedTiles(list(tiles.values()), list(transforms.values()))


def check_tiles(tiles: Iterable[Mapping[str, Any]], shared_ids: Iterable[str]) -> None:
    """Raise `SpecError` for a tile document that no server can use.

    That is one without id or size, with a reference to nowhere, or with a transform that is not finite.

    Parameters
    ----------
    tiles : iterable of dict
        TileSpec documents.
    shared_ids : iterable of str
        Ids of the shared transforms that are sent with them.
    """
    known = frozenset(shared_ids)
    for index, tile in enumerate(tiles):
        tile_id = tile.get("tileId")
        if not isinstance(tile_id, str) or not tile_id:
            raise SpecError(
                f"tile spec {index} has the tileId {tile_id!r}: an id is a text that is not empty"
            )
        if tile.get("width") is None or tile.get("height") is None:
            raise SpecError(f"tile {tile_id!r} has no width or height")
        z = tile.get("z")
        if type(z) is not int and not (type(z) is float and -math.inf < z < math.inf):
            check_layer(tile_id, z)
        try:
            _check_transforms(tile_id, tile.get("transforms"), known)
        except (AttributeError, TypeError) as error:
            raise SpecError(f"the transforms of tile {tile_id!r} are no transform list: {error}") from None
        except RecursionError:
            raise SpecError(f"the transforms of tile {tile_id!r} are nested too deeply") from None


def check_layer(tile_id: Any, z: Any) -> None:
    """Raise `SpecError` for a z that is neither None nor a finite number."""
    if z is None:
        return
    try:
        if isinstance(z, bool) or not math.isfinite(float(z)):
            raise ValueError(z)
    except (TypeError, ValueError, OverflowError):
        raise SpecError(f"z of tile {tile_id!r} is {z!r:.100}: it must be a finite number") from None


def _check_transforms(tile_id: str, transforms: Any, known: frozenset[str]) -> None:
    for spec in (transforms or {}).get("specList") or ():
        if spec.get("type") in ("ref", "list", "interpolated"):
            missing = sorted(set(references(spec)) - known)
            if missing:
                raise SpecError(
                    f"tile {tile_id} requires the following transform ids [{', '.join(missing)}], which "
                    f"are not among the shared transforms sent with it: a server looks nowhere else"
                )
        check_finite(spec, f"a transform of tile {tile_id!r}")


def check_finite(spec: Mapping[str, Any], what: str) -> None:
    """Raise `SpecError` for a transform document with a number that is NaN or infinite.

    Parameters
    ----------
    spec : dict
        TransformSpec document.
    what : str
        What to call it.
    """
    data = spec.get("dataString")
    # every spelling of those numbers has an n in it, and hardly any other number has
    if isinstance(data, str) and ("n" in data or "N" in data):
        bad = [word for word in re.split(r"[\s,]+", data) if word.lower().lstrip("+-") in _NOT_FINITE]
        if bad:
            raise SpecError(f"{what} holds {bad[0]}, render accepts finite numbers only: {data!r:.200}")
    if "specList" in spec or "a" in spec:
        for part in (*(spec.get("specList") or ()), spec.get("a"), spec.get("b")):
            if part:
                check_finite(part, what)


@renderaccess
def get_resolved_tiles_from_z(
    stack: str,
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    matchPattern: str | None = None,
    **kwargs: Any,
) -> ResolvedTiles:
    """Get the tiles of a layer as they are stored, with the shared transforms that they refer to.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    host, port, owner, project, session, render
        Connection.
    matchPattern : str, optional
        Only tiles whose id contains a match of this regular expression. Servers of render's branch newsolver know
        it, others ignore it (`renderapi.render.get_branch`).

    Returns
    -------
    ResolvedTiles

    Raises
    ------
    NotFoundError
        If the stack does not exist or has no such tiles there.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "resolvedTiles")
    response = transport.send(session, "GET", url, params={"matchPattern": matchPattern})
    return read_answer(response, ResolvedTiles.from_json, "resolved tiles")


@renderaccess
@only_of(
    "newsolver",
    "tiles with matches",
    "Ask for them one after the other: renderapi.resolvedtiles.get_resolved_tiles, then "
    "renderapi.pointmatch.get_matches_with_group and get_matches_outside_group for the sections.",
)
def get_resolved_tiles_with_matches(
    stack: str,
    matchCollection: str,
    *,
    minZ: float | None = None,
    maxZ: float | None = None,
    groupId: str | None = None,
    minX: float | None = None,
    maxX: float | None = None,
    minY: float | None = None,
    maxY: float | None = None,
    matchPattern: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> tuple[ResolvedTiles, list[dict[str, Any]]]:
    """Get tiles together with the point matches of each, from a server of render's branch newsolver.

    Parameters
    ----------
    stack : str
        Stack.
    matchCollection : str
        Match collection of the owner of the stack.
    minZ, maxZ : float, optional
        First and last layer.
    groupId : str, optional
        Only tiles of this group.
    minX, maxX, minY, maxY : float, optional
        Only tiles that touch this box.
    matchPattern : str, optional
        Only tiles whose id contains a match of this regular expression.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    ResolvedTiles
        The tiles as they are stored.
    list of dict
        Match documents of every pair of which one tile at least is among them, each once.

    Raises
    ------
    NotFoundError
        If there are no such tiles or no such collection.
    EndpointMissingError
        If the server is one of master, which does not have this.
    """
    query = {"minZ": minZ, "maxZ": maxZ, "minX": minX, "maxX": maxX, "minY": minY, "maxY": maxY}
    params: dict[str, str | None] = {
        name: None if value is None else format_number(value) for name, value in query.items()
    }
    url = stack_url(host, port, owner, project, stack, "resolvedTilesWithMatchesFrom", matchCollection)
    params |= {"groupId": groupId, "matchPattern": matchPattern}
    answer = transport.decode_json(transport.send(session, "GET", url, params=params))
    try:
        tiles = ResolvedTiles(json=answer["resolvedTileSpecs"])
        # the server looks for matches of some tiles at a time, and finds some pairs twice
        pairs = {tuple(pair[key] for key in PAIR): pair for pair in answer["matchPairs"]}
    except (AttributeError, KeyError, TypeError):
        raise BadAnswerError(
            f"GET {transport.redacted(url)} did not answer with tiles and matches", url=url
        ) from None
    return tiles, list(pairs.values())


@renderaccess
def put_tilespecs(
    stack: str,
    resolved_tiles: ResolvedTiles | list[TileSpec] | None = None,
    deriveData: bool = True,
    tilespecs: list[TileSpec] | None = None,
    shared_transforms: list[Any] | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Store tiles and shared transforms in a stack, in one request.

    Parameters
    ----------
    stack : str
        Stack; it must be LOADING.
    resolved_tiles : ResolvedTiles or list of TileSpec, optional
        What to store; anything with a ``to_dict`` that gives a ResolvedTileSpecCollection is fine.
    deriveData : bool
        Let the server derive the bounding boxes. Without, the tiles' own are sent, and the server refuses
        tiles that have none.
    tilespecs : list of TileSpec, optional
        Instead of `resolved_tiles`.
    shared_transforms : list of transform, optional
        With `tilespecs`: every transform that they refer to, also those the stack has already.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    SpecError
        If a tile has no id or size, refers to a transform that is not sent, or holds a number that is not
        finite. Nothing is sent.
    StackStateError
        If the stack is not LOADING.
    RenderError
        If the server refuses otherwise; nothing was stored.

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL.
    """
    document = _to_store(stack, resolved_tiles, deriveData, tilespecs, shared_transforms)
    url = stack_url(host, port, owner, project, stack, "resolvedTiles")
    return confirmed(put_json(session, url, document, params={"deriveData": jbool(deriveData)}))


def _to_store(
    stack: str,
    resolved_tiles: ResolvedTiles | list[TileSpec] | None,
    deriveData: bool,
    tilespecs: list[TileSpec] | None = None,
    shared_transforms: list[Any] | None = None,
) -> dict[str, Any]:
    """Return the document of what is to be stored, which is checked."""
    given: Any = resolved_tiles
    if isinstance(given, (TileSpec, Mapping, str)):
        check_tile_list(given, stack)
    if shared_transforms is not None:
        check_transform_list(shared_transforms, "shared_transforms")
    if resolved_tiles is None or isinstance(resolved_tiles, (list, tuple)):
        resolved_tiles = ResolvedTiles(list(resolved_tiles or tilespecs or ()), list(shared_transforms or ()))
    if type(resolved_tiles).to_dict is ResolvedTiles.to_dict:
        document = resolved_tiles.to_dict(bounds=not deriveData)
    else:
        document = resolved_tiles.to_dict()
    check_tiles(document["tileIdToSpecMap"].values(), document["transformIdToSpecMap"])
    doubts = Doubts()
    doubts.look(document["tileIdToSpecMap"].values())
    doubts.look_at_shared(document["transformIdToSpecMap"])
    doubts.warn()
    return document


@renderaccess
def get_resolved_tiles(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    minZ: float | None = None,
    maxZ: float | None = None,
    minX: float | None = None,
    maxX: float | None = None,
    minY: float | None = None,
    maxY: float | None = None,
    groupId: str | None = None,
    matchPattern: str | None = None,
    **kwargs: Any,
) -> ResolvedTiles:
    """Get tiles of any layers as they are stored, with the shared transforms that they refer to.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.
    minZ, maxZ, minX, maxX, minY, maxY : float, optional
        Limits of the tiles; default none.
    groupId : str, optional
        Only tiles of this group.
    matchPattern : str, optional
        As for `get_resolved_tiles_from_z`.

    Returns
    -------
    ResolvedTiles

    Raises
    ------
    NotFoundError
        If the stack does not exist or has no such tiles.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "resolvedTiles")
    limits = {"minZ": minZ, "maxZ": maxZ, "minX": minX, "maxX": maxX, "minY": minY, "maxY": maxY}
    params = {name: None if value is None else format_number(value) for name, value in limits.items()}
    response = transport.send(
        session, "GET", url, params={**params, "groupId": groupId, "matchPattern": matchPattern}
    )
    return read_answer(response, ResolvedTiles.from_json, "resolved tiles")


@renderaccess
def put_tilespecs_of_z(
    stack: str,
    z: float,
    resolved_tiles: ResolvedTiles | list[TileSpec],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    deriveData: bool = True,
    **kwargs: Any,
) -> requests.Response:
    """Store tiles of one layer, in one request; the server refuses those of another.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    resolved_tiles, deriveData
        As for `put_tilespecs`.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "resolvedTiles")
    document = _to_store(stack, resolved_tiles, deriveData)
    return confirmed(put_json(session, url, document, params={"deriveData": jbool(deriveData)}))


@renderaccess
def get_shared_transform(
    stack: str,
    transformId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> Any:
    """Get a shared transform of a stack.

    Parameters
    ----------
    stack : str
        Stack.
    transformId : str
        Its id.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    transform

    Raises
    ------
    NotFoundError
        If there is no such transform.
    RenderError
        If the server refuses.
    """
    return load_transform_json(
        get_json(session, stack_url(host, port, owner, project, stack, "transform", transformId))
    )
