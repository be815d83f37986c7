"""Stacks: create, describe, open and close, copy, delete; their sections and bounds.

A stack is LOADING while tiles are imported and COMPLETE when it is ready to be used; bounds and section data
are derived by the server when it becomes COMPLETE.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from renderapi import _json
from renderapi._comparison import Comparison, StackComparison
from renderapi._pages import card, never_failing
from renderapi._parallel import in_threads, progress_reporter
from renderapi._project import Project, make_stack_params
from renderapi.errors import BadRequestError, ConflictError, NotFoundError, RenderError, StackStateError
from renderapi.http import transport
from renderapi.http.transport import confirmed
from renderapi.http.urls import server_url
from renderapi.render import (
    CONNECTION_KEYWORDS,
    accepts,
    format_baseurl,
    format_number,
    format_preamble,
    join_url,
    renderaccess,
    stack_url,
)
from renderapi.utils import NullHandler, get_json, jbool, post_json, put_json, rest_delete

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "NullHandler",
    "RenderError",
    "StackComparison",
    "StackInfo",
    "StackVersion",
    "clone_stack",
    "compare_stacks",
    "create_stack",
    "delete_section",
    "delete_stack",
    "delete_tile",
    "derive_stack",
    "ensure_stack",
    "format_baseurl",
    "format_preamble",
    "get_bounds_from_z",
    "get_full_stack_metadata",
    "get_json",
    "get_sectionData_for_stack",
    "get_sectionId_for_z",
    "get_section_z_value",
    "get_stack_bounds",
    "get_stack_metadata",
    "get_stack_sectionData",
    "get_stack_tileIds",
    "get_tilebounds_for_z",
    "get_z_value_for_section",
    "get_z_values_for_stack",
    "info",
    "jbool",
    "likelyUniqueId",
    "loading",
    "logger",
    "make_stack_params",
    "missing_layers",
    "post_json",
    "put_json",
    "rename_stack",
    "resolution_of",
    "rest_delete",
    "set_stack_metadata",
    "set_stack_state",
    "tiles",
]

STATES = ("LOADING", "COMPLETE", "OFFLINE", "READ_ONLY")

#: Keys of a StackVersion document.
_VERSION_KEYS = (
    "cycleNumber",
    "cycleStepNumber",
    "stackResolutionX",
    "stackResolutionY",
    "stackResolutionZ",
    "materializedBoxRootPath",
    "mipmapPathBuilder",
    "versionNotes",
    "createTimestamp",
    "alignmentQuality",
    "defaultChannel",
)


class StackVersion:
    """What its maker says about a stack.

    Parameters
    ----------
    cycleNumber, cycleStepNumber : int, optional
        Place of the stack in a series of reconstructions.
    stackResolutionX, stackResolutionY, stackResolutionZ : float, optional
        Size of a voxel, in nm by convention.
    materializedBoxRootPath : str, optional
        Folder, as the server sees it, of images that were rendered before.
    mipmapPathBuilder : dict, optional
        How file names of mipmaps are made: ``rootPath``, ``numberOfLevels``, ``extension``.
    versionNotes : str, optional
        Free text.
    createTimestamp : str or datetime, optional
        UTC, as ``2026-01-31T12:00:00.000Z``; a date without time zone is taken for UTC. Default: now.
    **kwargs
        ``alignmentQuality`` (float), ``defaultChannel`` (str), and keys of documents that are not listed
        here.

    Notes
    -----
    Every key is an attribute that can be read and set. Keys of a document that are not listed here survive
    reading and writing, as attributes too.
    """

    cycleNumber: int | None
    cycleStepNumber: int | None
    stackResolutionX: float | None
    stackResolutionY: float | None
    stackResolutionZ: float | None
    materializedBoxRootPath: str | None
    mipmapPathBuilder: dict[str, Any] | None
    versionNotes: str | None
    createTimestamp: str | None
    alignmentQuality: float | None
    defaultChannel: str | None

    def __init__(
        self,
        cycleNumber: int | None = None,
        cycleStepNumber: int | None = None,
        stackResolutionX: float | None = None,
        stackResolutionY: float | None = None,
        stackResolutionZ: float | None = None,
        materializedBoxRootPath: str | None = None,
        mipmapPathBuilder: dict[str, Any] | None = None,
        versionNotes: str | None = None,
        createTimestamp: str | datetime | None = None,
        **kwargs: Any,
    ) -> None:
        self.cycleNumber = cycleNumber
        self.cycleStepNumber = cycleStepNumber
        self.stackResolutionX = stackResolutionX
        self.stackResolutionY = stackResolutionY
        self.stackResolutionZ = stackResolutionZ
        self.materializedBoxRootPath = materializedBoxRootPath
        self.mipmapPathBuilder = mipmapPathBuilder
        self.versionNotes = versionNotes
        self.createTimestamp = (
            createTimestamp if isinstance(createTimestamp, str) else _json.timestamp(createTimestamp)
        )
        self.alignmentQuality = None
        self.defaultChannel = None
        # programs spread connection settings into everything
        self.__dict__.update({k: v for k, v in kwargs.items() if k not in CONNECTION_KEYWORDS})

    def to_dict(self) -> dict[str, Any]:
        """Return the StackVersion document; what is None is left out."""
        return {k: v for k, v in self.__dict__.items() if v is not None and not k.startswith("_")}

    def from_dict(self, d: Mapping[str, Any] | None) -> None:
        """Take everything from a StackVersion document; what it lacks becomes None.

        Parameters
        ----------
        d : dict or None
            The document.
        """
        self.__dict__.update({**dict.fromkeys(_VERSION_KEYS), **(d or {})})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StackVersion):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.cycleNumber, self.cycleStepNumber, self.createTimestamp))

    def __repr__(self) -> str:
        return f"StackVersion({', '.join(f'{k}={v!r}' for k, v in self.to_dict().items())})"


@dataclass
class StackInfo:
    """What a stack is: its state, and what there is in it; made by `info`.

    Attributes
    ----------
    name, owner, project : str
        Which stack.
    state : str
        LOADING, COMPLETE, READ_ONLY or OFFLINE.
    version : StackVersion
        What its maker said about it.
    tile_count : int or None
        Number of tiles when the stack was COMPLETE last; None if it never was.
    bounds : dict or None
        ``minX, minY, minZ, maxX, maxY, maxZ`` of then, in pixels and layers.
    sections : list of dict
        SectionData documents of then (``sectionId, z, tileCount, minX, minY, maxX, maxY``), by z.
    layers : list of float
        z of all layers that hold a tile, ascending.
    """

    name: str
    owner: str | None
    project: str | None
    state: str
    version: StackVersion
    tile_count: int | None = None
    bounds: dict[str, float] | None = None
    sections: list[dict[str, Any]] = field(default_factory=list)
    layers: list[float] = field(default_factory=list)

    @property
    def resolution(self) -> tuple[float, float, float] | None:
        """Size of a voxel along x, y and z in nm, as `resolution_of` tells it; None if it is not known."""
        return resolution_of(self.version)

    @property
    def missing(self) -> list[float]:
        """Layers that seem to be missing between the first and the last, as `missing_layers` tells them."""
        return missing_layers(self.layers)

    @never_failing
    def _repr_html_(self) -> str:
        box, size, missing = self.bounds, self.resolution, self.missing
        layers = f"{len(self.layers):,}"
        if self.layers:
            layers += f", z {self.layers[0]:g} to {self.layers[-1]:g}"
        some = ", ".join(f"{z:g}" for z in missing[:8])
        rows = [
            ("owner, project", f"{self.owner}, {self.project}"),
            ("state", self.state),
            ("tiles", None if self.tile_count is None else f"{self.tile_count:,}"),
            ("layers", layers),
            (
                "missing",
                f"{len(missing):,}: z {some}{', ...' if len(missing) > 8 else ''}" if missing else None,
            ),
            ("x", None if not box else f"{box['minX']:,.0f} to {box['maxX']:,.0f} pixels"),
            ("y", None if not box else f"{box['minY']:,.0f} to {box['maxY']:,.0f} pixels"),
            ("voxel", None if size is None else f"{size[0]:g} × {size[1]:g} × {size[2]:g} nm"),
            ("notes", self.version.versionNotes),
        ]
        return card(f"stack {self.name}", rows)

    def __repr__(self) -> str:
        where = "/".join(str(part) for part in (self.owner, self.project, self.name) if part is not None)
        tiles = "" if self.tile_count is None else f"{self.tile_count:,} tiles in "
        return f"<stack {where}: {self.state}, {tiles}{len(self.layers):,} layers>"


def resolution_of(version: StackVersion | Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Return the size of a voxel along x, y and z in nm, as the maker of a stack said it.

    Parameters
    ----------
    version : StackVersion or dict
        What its maker said of the stack.

    Returns
    -------
    tuple of float or None
        None if a side is not said or not above 0; or if all are 1, which `create_stack` writes where nothing is
        said.

    Examples
    --------
    >>> from renderapi.stack import StackVersion, resolution_of
    >>> resolution_of(StackVersion(stackResolutionX=4, stackResolutionY=4, stackResolutionZ=35))
    (4.0, 4.0, 35.0)
    """
    document = version if isinstance(version, Mapping) else version.to_dict()
    try:
        x, y, z = (float(document[f"stackResolution{side}"]) for side in "XYZ")
    except (KeyError, TypeError, ValueError):
        return None
    known = all(0 < side < float("inf") for side in (x, y, z)) and (x, y, z) != (1.0, 1.0, 1.0)
    return (x, y, z) if known else None


def missing_layers(layers: Iterable[float]) -> list[float]:
    """Return the layers that seem to be missing, where most follow each other at one distance.

    Parameters
    ----------
    layers : iterable of float
        z of those that are there.

    Returns
    -------
    list of float
        z between the first and the last, at the distance that occurs most often, without those that are there.

    Examples
    --------
    >>> from renderapi.stack import missing_layers
    >>> missing_layers([1, 2, 3, 6, 7])
    [4.0, 5.0]
    """
    there = sorted(set(map(float, layers)))
    steps = [round(after - before, 9) for before, after in pairwise(there)]
    if not steps:
        return []
    step = min(set(steps), key=lambda one: (-steps.count(one), one))
    return [z + step * number for z, gap in zip(there, steps) for number in range(1, int(gap / step + 0.5))]


def _version_document(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the StackVersion document of the keywords of a call, which hold other keywords too."""
    return StackVersion(**{key: given[key] for key in _VERSION_KEYS if key in given}).to_dict()


def _number(value: Any) -> str:
    """Write a number for a query; text is believed."""
    return value if isinstance(value, str) else format_number(value)


def _as_list(values: Any) -> list[Any]:
    if values is None:
        return []
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]


def z_range(minZ: float | None, maxZ: float | None) -> dict[str, str]:
    """Return the query for some layers of a stack."""
    return {name: _number(z) for name, z in (("minZ", minZ), ("maxZ", maxZ)) if z is not None}


# ------------------------------------------------------------------------------ the life of a stack


@renderaccess
@accepts(*_VERSION_KEYS)
def create_stack(
    stack: str,
    cycleNumber: int | None = None,
    cycleStepNumber: int | None = None,
    stackResolutionX: float | None = None,
    stackResolutionY: float | None = None,
    stackResolutionZ: float | None = None,
    force_resolution: bool = True,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Create a stack, or open a new version of one that exists; its tiles stay. It is LOADING then.

    Parameters
    ----------
    stack : str
        Name: letters, digits and single underscores.
    cycleNumber, cycleStepNumber : int, optional
        Place in a series of reconstructions.
    stackResolutionX, stackResolutionY, stackResolutionZ : float, optional
        Size of a voxel, in nm by convention.
    force_resolution : bool
        Take 1.0 for a resolution that is not given, as some programs need one.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        Everything else that `StackVersion` knows: ``versionNotes``, ``createTimestamp``,
        ``mipmapPathBuilder``, ``materializedBoxRootPath``, ``alignmentQuality``, ``defaultChannel``.

    Returns
    -------
    requests.Response
        Status 201.

    Raises
    ------
    StackStateError
        If the stack is READ_ONLY.
    RenderError
        If the server refuses, for instance the name.
    """
    resolutions = [stackResolutionX, stackResolutionY, stackResolutionZ]
    if force_resolution:
        resolutions = [1.0 if resolution is None else resolution for resolution in resolutions]
    version = _version_document(
        {
            **kwargs,
            "cycleNumber": cycleNumber,
            "cycleStepNumber": cycleStepNumber,
            **dict(zip(("stackResolutionX", "stackResolutionY", "stackResolutionZ"), resolutions)),
        }
    )
    return confirmed(post_json(session, stack_url(host, port, owner, project, stack), version))


@renderaccess
@accepts(*_VERSION_KEYS)
def set_stack_metadata(
    stack: str,
    sv: StackVersion | Mapping[str, Any],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Describe a stack anew. This opens a new version: the stack is LOADING then, its tiles stay.

    Parameters
    ----------
    stack : str
        Name of the stack.
    sv : StackVersion or dict
        The description, for instance from `get_stack_metadata`.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        Any key of `StackVersion`, to be sent instead of what `sv` says; `sv` stays as it is.

    Returns
    -------
    requests.Response
        Status 201.

    Raises
    ------
    StackStateError
        If the stack is READ_ONLY.
    RenderError
        If the server refuses.
    """
    version = dict(sv) if isinstance(sv, Mapping) else sv.to_dict()
    version.update({key: kwargs[key] for key in _VERSION_KEYS if kwargs.get(key) is not None})
    return confirmed(post_json(session, stack_url(host, port, owner, project, stack), version))


@renderaccess
@accepts(*_VERSION_KEYS)
def ensure_stack(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> bool:
    """Make a stack if it is not there; of one that is there, look whether it is described as asked for.

    The tiles, state and version of a stack that is there stay as they are.

    Parameters
    ----------
    stack : str
        Name of the stack.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        Any key of `StackVersion`, for instance ``stackResolutionX=4.0``. ``createTimestamp`` and
        ``versionNotes`` describe a stack that is made, and are not compared.

    Returns
    -------
    bool
        Whether it was made; it is LOADING then.

    Raises
    ------
    ConflictError
        If the stack is there and says something else; nothing was changed.
    RenderError
        If the server refuses.

    Examples
    --------
    >>> import renderapi
    >>> from renderapi.server import serve_background
    >>> with serve_background() as server:
    ...     render = server.connect(owner="me", project="p")
    ...     [renderapi.stack.ensure_stack("raw", stackResolutionZ=35.0, render=render) for _ in range(2)]
    [True, False]
    """
    version = _version_document(kwargs)
    url = stack_url(host, port, owner, project, stack)
    try:
        found = get_json(session, url)
    except NotFoundError:
        confirmed(post_json(session, url, version))
        return True
    different = version_differences(version, found.get("currentVersion") or {})
    if different:
        raise ConflictError(
            f"stack {stack} is there, and says something else: {different}. Nothing was changed. Take another "
            "name, or describe it anew with renderapi.stack.set_stack_metadata",
            method="GET",
            url=transport.redacted(url),
        )
    return False


def version_differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Say in words what of a StackVersion document is not as wanted; when and why it was made is no matter."""
    return ", ".join(
        f"{key} is {found.get(key)!r}, not {value!r}"
        for key, value in wanted.items()
        if key not in ("createTimestamp", "versionNotes") and found.get(key) != value
    )


@renderaccess
@accepts(*_VERSION_KEYS)
def derive_stack(
    stack: str,
    to_stack: str,
    to_project: str | None = None,
    to_owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> bool:
    """Make a stack without tiles that is described like another, for what will be derived from that.

    Parameters
    ----------
    stack : str
        Stack whose resolution, cycle, mipmap path builder and so on are taken.
    to_stack : str
        Stack to make; if it is there it must be described so.
    to_project, to_owner : str, optional
        Project and owner of it; default those of `stack`.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        Any key of `StackVersion`, to be said instead. Default of ``versionNotes``: which stack it is
        derived from.

    Returns
    -------
    bool
        Whether it was made; it is LOADING then.

    Raises
    ------
    ConflictError
        If `to_stack` is there and says something else; nothing was changed.
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    version = get_json(session, stack_url(host, port, owner, project, stack)).get("currentVersion") or {}
    inherited = {key: value for key, value in version.items() if key in _VERSION_KEYS}
    inherited |= {
        "createTimestamp": None,
        "versionNotes": f"derived from stack with owner '{owner}', project '{project}', and name '{stack}'",
    }
    made: bool = ensure_stack(
        to_stack,
        host=host,
        port=port,
        owner=owner if to_owner is None else to_owner,
        project=project if to_project is None else to_project,
        session=session,
        render=render,
        **{**inherited, **{key: kwargs[key] for key in _VERSION_KEYS if key in kwargs}},
    )
    return made


@renderaccess
def loading(
    stack: str,
    close: bool = True,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> AbstractContextManager[None]:
    """Keep a stack LOADING for the block of a ``with`` statement, and set it COMPLETE when that ends well.

    After an error or Ctrl-C the stack is left LOADING, so that nobody takes what is half done for the whole; a
    note of the error (and the log) says so.

    Parameters
    ----------
    stack : str
        Name of the stack.
    close : bool
        Set it COMPLETE in the end. Default True.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    context manager

    Raises
    ------
    NotFoundError
        If there is no such stack.
    StackStateError
        If it is READ_ONLY; or, in the end, if it has no tiles.
    RenderError
        If the server refuses.

    Examples
    --------
    >>> import renderapi
    >>> from renderapi.server import serve_background
    >>> from renderapi.tilespec import TileSpec
    >>> with serve_background() as server:
    ...     render = server.connect(owner="me", project="p")
    ...     made = renderapi.stack.ensure_stack("raw", render=render)
    ...     with renderapi.stack.loading("raw", render=render):
    ...         tiles = [TileSpec(tileId="a", z=1.0, width=10, height=10)]
    ...         renderapi.client.import_tilespecs("raw", tiles, render=render)
    ...     renderapi.stack.get_full_stack_metadata("raw", render=render)["state"]
    'COMPLETE'
    """
    return _loading(session, stack_url(host, port, owner, project, stack), stack, close)


@contextmanager
def _loading(session: requests.Session | None, url: str, stack: str, close: bool) -> Iterator[None]:
    state = get_json(session, url).get("state")
    if state == "READ_ONLY":
        raise StackStateError(
            f"stack {stack} is READ_ONLY: nothing was done. To change it, set it COMPLETE first"
        )
    if state != "LOADING":
        _put_state(session, url, "LOADING")
    try:
        yield
        if close:
            _put_state(session, url, "COMPLETE")
    except BaseException as error:
        note = f"stack {stack} is left LOADING, because its loading did not end well"
        logger.error("%s: %s", note, str(error) or type(error).__name__)
        # what add_note does, which Python has since 3.11
        error.__notes__ = [*getattr(error, "__notes__", ()), note]
        raise


@renderaccess
def set_stack_state(
    stack: str,
    state: str = "LOADING",
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Open a stack for changes, close it, or protect it.

    Parameters
    ----------
    stack : str
        Name of the stack.
    state : {"LOADING", "COMPLETE", "READ_ONLY", "OFFLINE"}
        LOADING accepts tiles. COMPLETE makes the server derive bounds and section data; it needs tiles.
        READ_ONLY is reached from COMPLETE, and left to it. **OFFLINE removes all tiles and transforms.**
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    requests.Response
        Status 201.

    Raises
    ------
    BadRequestError
        If there is no such state (also a `ValueError`); nothing is sent.
    StackStateError
        If the stack cannot go from its state to that one.
    RenderError
        If the server refuses.
    """
    if state not in STATES:
        from difflib import get_close_matches

        close = get_close_matches(str(state).upper(), STATES, n=1, cutoff=0.6)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise BadRequestError(f"{state!r} is no state of a stack; there are {', '.join(STATES)}{hint}")
    return _put_state(session, stack_url(host, port, owner, project, stack), state)


def _put_state(session: requests.Session | None, url: str, state: str) -> requests.Response:
    return confirmed(put_json(session, join_url(url, "state", state), None))


@renderaccess
@accepts(*_VERSION_KEYS)
def clone_stack(
    inputstack: str,
    outputstack: str,
    skipTransforms: bool = False,
    toProject: str | None = None,
    zs: Iterable[float] | float | None = None,
    close_stack: bool = True,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Copy a stack, or some sections of it, to a stack of the same owner.

    Parameters
    ----------
    inputstack : str
        Stack to copy.
    outputstack : str
        Stack to make; one that is LOADING is added to.
    skipTransforms : bool
        Leave the shared transforms out, because the target has them: one that exists there already
        makes the copy fail.
    toProject : str, optional
        Project of the copy; default that of `inputstack`.
    zs : float or iterable of float, optional
        Sections to copy, compared exactly. None, or none at all, stands for all.
    close_stack : bool
        Set the copy COMPLETE.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        Any key of `StackVersion`, to describe the copy.

    Returns
    -------
    requests.Response
        Status 201, of the copying.

    Raises
    ------
    StackStateError
        If the target exists and is not LOADING.
    RenderError
        If the server refuses.
    """
    params = [("z", _number(z)) for z in _as_list(zs)]
    params.append(("skipTransforms", jbool(skipTransforms)))
    if toProject is not None:
        params.append(("toProject", toProject))
    url = stack_url(host, port, owner, project, inputstack, "cloneTo", outputstack)
    response = confirmed(put_json(session, url, _version_document(kwargs), params=params))
    if close_stack:
        target_project = project if toProject is None else toProject
        _put_state(session, stack_url(host, port, owner, target_project, outputstack), "COMPLETE")
    return response


@renderaccess
def rename_stack(
    stack: str,
    to_stack: str,
    to_project: str | None = None,
    to_owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Rename a stack, or move it to another project or owner.

    Parameters
    ----------
    stack : str
        Name of the stack.
    to_stack : str
        New name: letters, digits and single underscores. render-ws accepts others here, and the stack cannot
        be reached afterwards.
    to_project, to_owner : str, optional
        New project and owner; default the old ones.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    requests.Response
        Status 200.

    Raises
    ------
    ConflictError
        If there is a stack of the new name.
    StackStateError
        If the stack is READ_ONLY or OFFLINE.
    RenderError
        If the server refuses.
    """
    target = {
        "owner": owner if to_owner is None else to_owner,
        "project": project if to_project is None else to_project,
        "stack": to_stack,
    }
    return confirmed(put_json(session, stack_url(host, port, owner, project, stack, "stackId"), target))


@renderaccess
def delete_stack(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    must_exist: bool = False,
    expected_tiles: int | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete a stack with all its tiles and transforms.

    A stack that does not exist is no error: a server answers its deletion as any other, so that a misspelt
    name is not noticed without `must_exist`.

    Parameters
    ----------
    stack : str
        Name of the stack.
    host, port, owner, project, session, render
        Connection.
    must_exist : bool
        Look for the stack first, with a request of its own, and raise if it is not there. Default False.
    expected_tiles : int, optional
        How many tiles it holds. They are counted first, and a stack with another number is not deleted.

    Returns
    -------
    requests.Response
        Status 200.

    Raises
    ------
    ConflictError
        If the stack does not hold the `expected_tiles`; nothing was deleted.
    NotFoundError
        If the stack does not exist and `must_exist` or `expected_tiles` is set; nothing was deleted.
    StackStateError
        If the stack is READ_ONLY.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack)
    if expected_tiles is not None:
        held = _number_of_tiles(session, url)
        if held != expected_tiles:
            raise ConflictError(
                f"stack {stack} holds {held} tiles, not the expected {expected_tiles}: it was not deleted",
                url=transport.redacted(url),
            )
    elif must_exist:
        get_json(session, url)
    return confirmed(rest_delete(session, url))


def _number_of_tiles(session: requests.Session | None, url: str) -> int:
    """Count the tiles of a stack, without fetching any."""
    metadata = get_json(session, url)
    if metadata.get("state") in ("COMPLETE", "READ_ONLY"):
        return int((metadata.get("stats") or {}).get("tileCount", 0))
    # what is loaded counts in the statistics when the stack is COMPLETE again
    layers = get_json(session, join_url(url, "zValues", ""))
    ids = join_url(url, "tileIds")
    return sum(len(get_json(session, ids, params=z_range(z, z))) for z in layers)


@renderaccess
def delete_section(
    stack: str,
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete all tiles of a layer.

    Parameters
    ----------
    stack : str
        Name of the stack, which must be LOADING.
    z : float
        The layer; one without tiles is no error.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    requests.Response
        Status 200.

    Raises
    ------
    StackStateError
        If the stack is not LOADING.
    RenderError
        If the server refuses.
    """
    return confirmed(rest_delete(session, stack_url(host, port, owner, project, stack, "z", z)))


@renderaccess
def delete_tile(
    stack: str,
    tileId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete a tile.

    Parameters
    ----------
    stack : str
        Name of the stack, which must be LOADING.
    tileId : str
        The tile; one that does not exist is no error.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    requests.Response
        Status 200.

    Raises
    ------
    StackStateError
        If the stack is not LOADING.
    RenderError
        If the server refuses.
    """
    return confirmed(rest_delete(session, stack_url(host, port, owner, project, stack, "tile", tileId)))


# ------------------------------------------------------------------------------ what a stack is


@renderaccess
def get_full_stack_metadata(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Return everything that the server knows about a stack: its state, version and statistics.

    Parameters
    ----------
    stack : str
        Name of the stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        StackMetaData document; ``stats`` is there once the stack was COMPLETE.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    metadata: dict[str, Any] = get_json(session, stack_url(host, port, owner, project, stack))
    return metadata


@renderaccess
def info(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> StackInfo:
    """Say what a stack is: its state, tiles, bounds, sections and resolution.

    Parameters
    ----------
    stack : str
        Name of the stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    StackInfo
        A notebook shows it as a table.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.

    Examples
    --------
    >>> import renderapi
    >>> from renderapi.server import serve_background
    >>> tile = renderapi.tilespec.TileSpec(tileId="a", z=1.0, width=100, height=80, sectionId="1.0")
    >>> with serve_background() as server, server.connect(owner="me", project="p") as render:
    ...     made = renderapi.stack.ensure_stack("v1", render=render)
    ...     renderapi.client.import_tilespecs("v1", [tile], render=render)
    ...     closed = renderapi.stack.set_stack_state("v1", "COMPLETE", render=render)
    ...     found = renderapi.stack.info("v1", render=render)
    >>> found, found.bounds["maxX"]
    (<stack me/p/v1: COMPLETE, 1 tiles in 1 layers>, 100.0)
    """
    base = stack_url(host, port, owner, project, stack)
    metadata = get_json(session, base)
    version = StackVersion()
    version.from_dict(metadata.get("currentVersion"))
    statistics = metadata.get("stats") or {}
    try:
        sections = get_json(session, stack_url(host, port, owner, project, stack, "sectionData"))
    except StackStateError:
        sections = []  # never COMPLETE
    ident = metadata.get("stackId") or {}
    return StackInfo(
        name=stack,
        owner=ident.get("owner", owner),
        project=ident.get("project", project),
        state=str(metadata.get("state")),
        version=version,
        tile_count=statistics.get("tileCount"),
        bounds=statistics.get("stackBounds"),
        sections=sorted(sections, key=lambda section: (section.get("z") or 0, str(section.get("sectionId")))),
        layers=sorted(
            float(z) for z in get_json(session, stack_url(host, port, owner, project, stack, "zValues", ""))
        ),
    )


@renderaccess
def get_stack_metadata(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> StackVersion:
    """Return what its maker said about a stack.

    Parameters
    ----------
    stack : str
        Name of the stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    StackVersion
        To be edited and sent back with `set_stack_metadata`, if need be.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    metadata = get_json(session, stack_url(host, port, owner, project, stack))
    version = StackVersion()
    version.from_dict(metadata.get("currentVersion"))
    return version


@renderaccess
def get_stack_bounds(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, float]:
    """Return the box around all tiles of a stack.

    Parameters
    ----------
    stack : str
        Name of the stack, which must have been COMPLETE.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        ``minX, minY, minZ, maxX, maxY, maxZ``, in the server's order.

    Raises
    ------
    StackStateError
        If the stack is LOADING: it has no bounds yet.
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    bounds: dict[str, float] = get_json(session, stack_url(host, port, owner, project, stack, "bounds"))
    return bounds


@renderaccess
def get_z_values_for_stack(
    stack: str,
    project: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    minZ: float | None = None,
    maxZ: float | None = None,
    **kwargs: Any,
) -> list[float]:
    """List the z of all layers that hold a tile.

    Parameters
    ----------
    stack : str
        Name of the stack.
    project, host, port, owner, session, render
        Connection. Note the order.
    minZ, maxZ : float, optional
        First and last z to list.

    Returns
    -------
    list of float

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "zValues", "")
    return [float(z) for z in get_json(session, url, params=z_range(minZ, maxZ))]


@renderaccess
def get_stack_sectionData(
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
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """List the sections of a stack with their z, tile count and bounds.

    Parameters
    ----------
    stack : str
        Name of the stack, which must have been COMPLETE; what is imported later counts when it is again.
    host, port, owner, project, session, render
        Connection.
    minZ, maxZ : float, optional
        First and last z to list.

    Returns
    -------
    list of dict
        SectionData documents.

    Raises
    ------
    StackStateError
        If the stack never was COMPLETE.
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "sectionData")
    sections: list[dict[str, Any]] = get_json(session, url, params=z_range(minZ, maxZ))
    return sections


@renderaccess
def get_stack_tileIds(
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
    matchPattern: str | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the ids of the tiles of a stack.

    Parameters
    ----------
    stack : str
        Name of the stack; for one that does not exist the list is empty.
    host, port, owner, project, session, render
        Connection.
    minZ, maxZ : float, optional
        First and last z to list.
    matchPattern : str, optional
        Regular expression that must match somewhere in the id.

    Returns
    -------
    list of str
        Sorted.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "tileIds")
    ids: list[str] = get_json(session, url, params={**z_range(minZ, maxZ), "matchPattern": matchPattern})
    return ids


@renderaccess
def compare_stacks(
    stack: str,
    other_stack: str,
    other_project: str | None = None,
    other_owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    other_render: Render | None = None,
    tolerance: float = 0.0,
    sample: int = 10,
    poolsize: int = 2,
    progress: Any = None,
    **kwargs: Any,
) -> StackComparison:
    """Tell which tiles of two stacks were added, removed or moved, from their bounding boxes.

    Layers are read one after the other, so that stacks of any size can be compared. Whether the documents are
    the same to the last letter is what `renderapi.transfer.digest_stack` tells.

    Parameters
    ----------
    stack : str
        Stack.
    other_stack : str
        Stack that it is compared with, an aligned or a copied one for instance.
    other_project, other_owner : str, optional
        Project and owner of that; default those of its connection.
    host, port, owner, project, session, render
        Connection.
    other_render : Render, optional
        Connection of the other stack, if it is on another server.
    tolerance : float
        Pixels that a corner of a box may be off before the tile counts as moved. Default 0.0.
    sample : int
        How many ids of each kind are told. Default 10.
    poolsize : int
        Threads that read. Default 2.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of layers done and
        of all.

    Returns
    -------
    StackComparison

    Raises
    ------
    NotFoundError
        If one of them does not exist.
    RenderError
        If a server refuses.
    """
    here = Project(host, port, owner, project, session, render)
    there = here.other(other_render, owner=other_owner, project=other_project)

    def layers(side: Project, name: str) -> set[float]:
        url = side.stack_url(name, "zValues", "")
        return {float(z) for z in get_json(side.thread_session(), url)}

    of_stack, of_other = layers(here, stack), layers(there, other_stack)

    def boxes(z: float) -> tuple[float, list[Any], list[Any]]:
        sides = ((here, stack, of_stack), (there, other_stack, of_other))
        found = [
            get_json(side.thread_session(), side.stack_url(name, "z", z, "tileBounds")) if z in known else []
            for side, name, known in sides
        ]
        return z, found[0], found[1]

    comparison = Comparison(tolerance, sample)
    every = sorted(of_stack | of_other)
    with progress_reporter(progress, len(every), "comparing layers", " layers") as advance:
        for z, tiles, others in in_threads(boxes, every, poolsize):
            comparison.layer(z, tiles, others)
            advance(1)
    return comparison.result()


@renderaccess
def tiles(
    stack: str,
    z: Any = None,
    box: Iterable[float] | None = None,
    group: str | None = None,
    pattern: str | None = None,
    ids: Iterable[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    threads: int = 4,
    **kwargs: Any,
) -> Any:
    """Select tiles of a stack, to count them, list their ids, or read them a layer at a time.

    Nothing is sent before that. What is chosen by several words must hold for all of them; without any it is the
    whole stack.

    Parameters
    ----------
    stack : str
        Stack.
    z : float, tuple (first, last) or iterable of float, optional
        One layer; all from the first to the last, either of which may be None; or single layers, of which those
        that are not there are passed over. A tuple is always a range, a list never.
    box : (4,) array_like, optional
        minX, minY, maxX, maxY in the world; a tile that only touches it is included.
    group : str, optional
        Only tiles of this ``groupId``.
    pattern : str, optional
        Only tiles whose id contains a match of this regular expression, as the server understands it.
    ids : iterable of str, optional
        Tiles by id, which can be chosen by `z` only; those that do not exist are passed over.
    host, port, owner, project, session, render
        Connection.
    threads : int
        Threads that read ahead. Default 4.

    Returns
    -------
    renderapi.selections.TileSelection

    Raises
    ------
    SpecError
        If z or box is no number of such; nothing is sent.
    BadRequestError
        If what was chosen does not go together; nothing is sent.

    Examples
    --------
    >>> import renderapi
    >>> render = renderapi.Render("http://localhost", 8080, "me", "project")
    >>> renderapi.stack.tiles("v1", z=(1, None), box=(0, 0, 500, 500), render=render)
    <tiles of stack 'v1' of me/project: z from 1 to the last; box (0, 0, 500, 500)>
    """
    from renderapi.selections import TileSelection

    return TileSelection(
        stack, z=z, box=box, group=group, pattern=pattern, ids=ids, threads=threads,
        host=host, port=port, owner=owner, project=project, session=session, render=render,
    )  # fmt: skip


# ------------------------------------------------------------------------------ layers and sections


@renderaccess
def get_bounds_from_z(
    stack: str,
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, float]:
    """Return the box around all tiles of a layer; the stack may be LOADING.

    Parameters
    ----------
    stack : str
        Name of the stack.
    z : float
        The layer.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        ``minX, minY, minZ, maxX, maxY, maxZ``, in the server's order.

    Raises
    ------
    BadRequestError
        If the layer has no tiles.
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "bounds")
    bounds: dict[str, float] = get_json(session, url)
    return bounds


@renderaccess
def get_tilebounds_for_z(
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
) -> list[dict[str, Any]]:
    """List the boxes of the tiles of a layer.

    Parameters
    ----------
    stack : str
        Name of the stack.
    z : float
        The layer; for one without tiles the list is empty.
    host, port, owner, project, session, render
        Connection.
    tileIdPattern : str, optional
        Only tiles whose id contains a match of this regular expression. Servers of render's branch newsolver know
        it, others ignore it (`renderapi.render.get_branch`).

    Returns
    -------
    list of dict
        TileBounds documents (``tileId, sectionId, z, minX, minY, maxX, maxY``; ``minZ, maxZ`` too from servers
        of newsolver), in no particular order.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "tileBounds")
    boxes: list[dict[str, Any]] = get_json(session, url, params={"tileIdPattern": tileIdPattern})
    return boxes


@renderaccess
def get_sectionId_for_z(
    stack: str,
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str:
    """Return the id of the section that a layer holds; of several, any.

    Parameters
    ----------
    stack : str
        Name of the stack.
    z : float
        The layer.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    str

    Raises
    ------
    NotFoundError
        If the layer has no tile with a section id, or there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "tileBounds")
    for tile in get_json(session, url):
        section = tile.get("sectionId")
        if section is not None:
            return str(section)
    raise NotFoundError(f"no tile of stack {stack} at z {z} has a section id", method="GET", url=url)


@renderaccess
def get_section_z_value(
    stack: str,
    sectionId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> float:
    """Return the z of a section.

    Parameters
    ----------
    stack : str
        Name of the stack.
    sectionId : str
        The section, as the layout of its tiles names it.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    float

    Raises
    ------
    NotFoundError
        If there is no such section, or no such stack.
    RenderError
        If the server refuses.
    """
    z: float = get_json(session, stack_url(host, port, owner, project, stack, "section", sectionId, "z"))
    return z


@renderaccess
def likelyUniqueId(
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str:
    """Ask the server for an id that it has not given before.

    Parameters
    ----------
    host, port, session, render
        Connection.

    Returns
    -------
    str
        24 hexadecimal digits.

    Raises
    ------
    BadAnswerError
        If the answer is no id.
    RenderError
        If the server refuses.
    """
    url = server_url(host, port, "likelyUniqueId")
    response = transport.send(session, "GET", url)
    text = response.content[:200].decode("ascii", errors="replace").strip()
    if not text.isalnum():
        raise transport.not_as_asked(response, "an id")
    return text


#: Names of earlier releases that programs still use.
get_z_value_for_section = get_section_z_value
get_sectionData_for_stack = get_stack_sectionData
