"""Coordinates: from the raw image of a tile (local) to the aligned space of a stack (world), and back.

Local coordinates are pixels of the raw image, x to the right and y down; world coordinates are those of the
layer. Local to world applies the transforms of the tile. World to local is found by the server in a mesh of
triangles: a point outside of it, which leaves out the last pixel row and column of a tile, has no answer.

The ``..._clientside`` functions, and ``doClientSide=True``, do the same on this machine, for so many points
that they would keep the server busy: with a Java client where the connection is a `RenderClient`, else in
Python.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi import _json
from renderapi.errors import BadAnswerError, NotFoundError, RenderError, SpecError
from renderapi.http.transport import decode_json
from renderapi.render import accepts, format_preamble, owner_url, renderaccess, stack_url
from renderapi.utils import NullHandler, get_json, put_json, renderdump, renderdumps

if TYPE_CHECKING:
    import requests
    from numpy.typing import ArrayLike, NDArray

    from renderapi.render import Render

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "NullHandler",
    "RenderError",
    "coordinateClient",  # noqa: F822  (see __getattr__)
    "format_preamble",
    "get_json",
    "get_tile_ids_for_coordinates",
    "get_tile_ids_for_coordinates_from_z",
    "local_to_world_coordinates",
    "local_to_world_coordinates_array",
    "local_to_world_coordinates_batch",
    "local_to_world_coordinates_clientside",
    "local_to_world_coordinates_of_stack",
    "local_to_world_coordinates_of_tilespec",
    "logger",
    "map_coordinates_clientside",
    "map_world_coordinates_to_stack",
    "package_point_match_data_into_json",
    "renderdump",
    "renderdumps",
    "unpackage_local_to_world_point_match_from_json",
    "unpackage_world_to_local_point_match_from_json",
    "world_to_local_coordinates",
    "world_to_local_coordinates_array",
    "world_to_local_coordinates_batch",
    "world_to_local_coordinates_clientside",
    "world_to_local_coordinates_of_stack",
    "world_to_local_coordinates_of_tilespec",
]


def __getattr__(name: str) -> Any:
    # programs import it from here; this module is below the clients and must not load them itself
    if name == "coordinateClient":
        from renderapi.client.calls.coordinates import coordinateClient

        return coordinateClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ------------------------------------------------------------------------------ one point


@renderaccess
def local_to_world_coordinates(
    stack: str,
    tileId: str,
    x: float,
    y: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Map one point of a tile to the world.

    Parameters
    ----------
    stack : str
        Name of the stack.
    tileId : str
        The tile.
    x, y : float
        Local coordinates.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        ``{"tileId": ..., "world": [x, y, z]}``

    Raises
    ------
    NotFoundError
        If there is no such tile or stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "tile", tileId, "local-to-world-coordinates", (x, y))
    answer: dict[str, Any] = get_json(session, url)
    return answer


@renderaccess
def world_to_local_coordinates(
    stack: str,
    z: float,
    x: float,
    y: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Map one point of the world to every tile that shows it.

    Parameters
    ----------
    stack : str
        Name of the stack.
    z : float
        The layer.
    x, y : float
        World coordinates.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of dict
        ``{"tileId": ..., "local": [x, y, z]}``, ordered by tile id; the tile that is rendered on top has
        ``"visible": True``.

    Raises
    ------
    BadRequestError
        If no tile is there.
    ServerError
        If tiles are there, but the point cannot be mapped into any of them.
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "world-to-local-coordinates", (x, y))
    answer: list[dict[str, Any]] = get_json(session, url)
    return answer


# ------------------------------------------------------------------------------ many points, as documents


@renderaccess
def local_to_world_coordinates_batch(
    stack: str,
    d: Sequence[Mapping[str, Any]],
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Map many points of tiles to the world, in one request.

    Parameters
    ----------
    stack : str
        Name of the stack.
    d : list of dict
        ``{"tileId": ..., "local": [x, y]}`` for each point.
    z : float
        A layer; the server does not look at it.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of dict
        ``{"tileId": ..., "world": [x, y, z]}`` for each point, in the same order. What cannot be mapped comes
        back as it was given, with the reason as ``error``.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "local-to-world-coordinates")
    answer: list[dict[str, Any]] = decode_json(put_json(session, url, d))
    return answer


@renderaccess
def world_to_local_coordinates_batch(
    stack: str,
    d: Sequence[Mapping[str, Any]],
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    execute_local: bool = False,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[list[dict[str, Any]]]:
    """Map many points of the world to the tiles that show them, in one request.

    Parameters
    ----------
    stack : str
        Name of the stack.
    d : list of dict
        ``{"world": [x, y]}`` for each point.
    z : float
        The layer.
    host, port, owner, project, session, render
        Connection.
    execute_local : bool
        Do it on this machine instead: this is `world_to_local_coordinates_clientside` then.

    Returns
    -------
    list of list of dict
        For each point, in the same order, what `world_to_local_coordinates` gives. A point that cannot be
        mapped has one dict, as it was given, with the reason as ``error``.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    if execute_local:
        answer: list[list[dict[str, Any]]] = world_to_local_coordinates_clientside(
            stack, d, z, host=host, port=port, owner=owner, project=project, render=render, **kwargs
        )
        return answer
    url = stack_url(host, port, owner, project, stack, "z", z, "world-to-local-coordinates")
    answer = decode_json(put_json(session, url, d))
    return answer


# ------------------------------------------------------------------------------ many points, as arrays


@renderaccess
def local_to_world_coordinates_array(
    stack: str,
    dataarray: ArrayLike,
    tileId: str,
    z: float,
    render: Render | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    doClientSide: bool = False,
    number_of_threads: int = 20,
    session: requests.Session | None = None,
    **kwargs: Any,
) -> NDArray[np.float64]:
    """Map points of one tile to the world, in one request.

    Parameters
    ----------
    stack : str
        Name of the stack.
    dataarray : (N, 2) array_like
        Local coordinates x, y; a third column is left out.
    tileId : str
        The tile.
    z : float
        Its layer.
    render, host, port, owner, project, session
        Connection.
    client_script : str, optional
        The script that runs a Java client; default that of the connection.
    doClientSide : bool
        Do the work on this machine: see `local_to_world_coordinates_clientside`.
    number_of_threads : int
        Threads of a Java client.

    Returns
    -------
    (N, 2) float64 array
        World coordinates x, y.

    Raises
    ------
    NotFoundError
        If a point has no world coordinates, for instance because there is no such tile (also a
        `LookupError`); the message names the point.
    SpecError
        If `dataarray` is no such array, or holds NaN or infinity; nothing is sent.
    RenderError
        If the server refuses.
    """
    points = package_point_match_data_into_json(dataarray, tileId, "local")
    at: dict[str, Any] = {"host": host, "port": port, "owner": owner, "project": project}
    if doClientSide:
        # the Java client reads what world to local writes: a list for each point
        answer = local_to_world_coordinates_clientside(
            stack, [[point] for point in points], z, client_script=client_script,
            number_of_threads=number_of_threads, session=session, render=render, **at,
        )  # fmt: skip
    else:
        answer = local_to_world_coordinates_batch(stack, points, z, session=session, **at)
    _same_number(answer, points)
    return unpackage_local_to_world_point_match_from_json(answer)


@renderaccess
def world_to_local_coordinates_array(
    stack: str,
    dataarray: ArrayLike,
    tileId: str,
    z: float,
    render: Render | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    doClientSide: bool = False,
    number_of_threads: int = 20,
    session: requests.Session | None = None,
    **kwargs: Any,
) -> NDArray[np.float64]:
    """Map points of the world to one tile, in one request.

    Parameters
    ----------
    stack : str
        Name of the stack.
    dataarray : (N, 2) array_like
        World coordinates x, y; a third column is left out.
    tileId : str
        The tile.
    z : float
        Its layer.
    render, host, port, owner, project, session
        Connection.
    client_script : str, optional
        The script that runs a Java client; default that of the connection.
    doClientSide : bool
        Do the work on this machine: see `world_to_local_coordinates_clientside`.
    number_of_threads : int
        Threads of a Java client.

    Returns
    -------
    (N, 2) float64 array
        Local coordinates x, y.

    Raises
    ------
    NotFoundError
        If a point is not in the tile (also a `LookupError`); the message names the point.
    SpecError
        If `dataarray` is no such array, or holds NaN or infinity; nothing is sent.
    RenderError
        If the server refuses.
    """
    points = package_point_match_data_into_json(dataarray, tileId, "world")
    at: dict[str, Any] = {"host": host, "port": port, "owner": owner, "project": project}
    if doClientSide:
        answer = world_to_local_coordinates_clientside(
            stack, points, z, client_script=client_script,
            number_of_threads=number_of_threads, session=session, render=render, **at,
        )  # fmt: skip
    else:
        answer = world_to_local_coordinates_batch(stack, points, z, session=session, **at)
    _same_number(answer, points)
    return unpackage_world_to_local_point_match_from_json(answer, tileId)


def package_point_match_data_into_json(
    dataarray: ArrayLike, tileId: str, local_or_world: str = "local"
) -> list[dict[str, Any]]:
    """Return the documents of points of a tile, as the batch functions take them.

    Parameters
    ----------
    dataarray : (N, 2) array_like
        Coordinates x, y; a third column is left out.
    tileId : str
        The tile.
    local_or_world : {"local", "world"}
        What the coordinates are.

    Returns
    -------
    list of dict
        ``{"tileId": tileId, local_or_world: [x, y]}`` for each point.

    Raises
    ------
    SpecError
        If the shape or `local_or_world` is another.
    """
    if local_or_world not in ("local", "world"):
        raise SpecError(f"local_or_world is {local_or_world!r}; it must be 'local' or 'world'")
    try:
        points = np.asarray(dataarray, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SpecError(f"points must be numbers, one row x, y for each: {error}") from None
    if points.size == 0:
        return []
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise SpecError(f"points must be an array of shape (N, 2), one row x, y for each, not {points.shape}")
    return [{"tileId": tileId, local_or_world: point} for point in points[:, :2].tolist()]


def unpackage_world_to_local_point_match_from_json(
    json_answer: Sequence[Sequence[Mapping[str, Any]]], tileId: str
) -> NDArray[np.float64]:
    """Return the local coordinates in one tile from an answer of `world_to_local_coordinates_batch`.

    Parameters
    ----------
    json_answer : list of list of dict
        The answer.
    tileId : str
        The tile.

    Returns
    -------
    (N, 2) float64 array
        Local coordinates x, y.

    Raises
    ------
    NotFoundError
        If a point is not in the tile (also a `LookupError`); the message names the point.
    """
    coordinates = []
    for index, candidates in enumerate(json_answer):
        for candidate in candidates:
            if candidate.get("tileId") == tileId and "local" in candidate:
                coordinates.append(candidate["local"][:2])
                break
        else:
            elsewhere = [c["tileId"] for c in candidates if "tileId" in c and "local" in c]
            reason = _reason(candidates) or (f"it is in {', '.join(elsewhere[:5])}" if elsewhere else "")
            raise NotFoundError(
                f"point {index} has no local coordinates in tile {tileId}{f': {reason}' if reason else ''}"
            )
    return np.array(coordinates, dtype=np.float64).reshape(-1, 2)


def unpackage_local_to_world_point_match_from_json(
    json_answer: Sequence[Mapping[str, Any]],
) -> NDArray[np.float64]:
    """Return the world coordinates from an answer of `local_to_world_coordinates_batch`.

    Parameters
    ----------
    json_answer : list of dict
        The answer.

    Returns
    -------
    (N, 2) float64 array
        World coordinates x, y.

    Raises
    ------
    NotFoundError
        If a point has no world coordinates (also a `LookupError`); the message names the point.
    """
    coordinates = []
    for index, answer in enumerate(json_answer):
        if "world" not in answer or "error" in answer:
            reason = _reason([answer])
            raise NotFoundError(
                f"point {index} of tile {answer.get('tileId')} has no world coordinates"
                f"{f': {reason}' if reason else ''}"
            )
        coordinates.append(answer["world"][:2])
    return np.array(coordinates, dtype=np.float64).reshape(-1, 2)


def _reason(answers: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(str(answer["error"]) for answer in answers if "error" in answer)


def _same_number(answer: Sequence[Any], points: Sequence[Any]) -> None:
    if len(answer) != len(points):
        raise BadAnswerError(f"{len(points)} points were sent, and {len(answer)} came back")


# ------------------------------------------------------------------------------ on this machine


@renderaccess
@accepts("memGB", "engine")
def local_to_world_coordinates_clientside(
    stack: str,
    jsondata: Sequence[Any],
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    number_of_threads: int = 20,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Map many points of tiles to the world on this machine.

    The Java client ``CoordinateClient`` does it where a client script is configured, else Python.

    Parameters
    ----------
    stack : str
        Name of the stack.
    jsondata : list of list of dict
        For each point a list of ``{"tileId": ..., "local": [x, y]}``, as world to local gives it: of
        several, the visible one counts, else the first.
    z : float
        The layer.
    host, port, owner, project, render
        Connection.
    client_script : str, optional
        The script that runs a Java client; default that of the connection.
    number_of_threads : int
        Threads of a Java client.
    **kwargs
        ``engine``, "java" or "python", chooses explicitly; ``memGB`` is the memory of the Java machine.

    Returns
    -------
    list of dict
        As `local_to_world_coordinates_batch`.

    Raises
    ------
    ClientScriptError
        If the client script fails, or Java is asked for and none is configured.
    RenderError
        In Python, if the server refuses.
    """
    answer: list[dict[str, Any]] = _run_client(
        stack, jsondata, z, localToWorld=True, numberOfThreads=number_of_threads, host=host, port=port,
        owner=owner, project=project, client_script=client_script, memGB=kwargs.get("memGB"),
        client_scripts=kwargs.get("client_scripts"), engine=kwargs.get("engine"),
        session=kwargs.get("session"), render=render,
    )  # fmt: skip
    return answer


@renderaccess
@accepts("memGB", "engine")
def world_to_local_coordinates_clientside(
    stack: str,
    jsondata: Sequence[Any],
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    number_of_threads: int = 20,
    render: Render | None = None,
    **kwargs: Any,
) -> list[list[dict[str, Any]]]:
    """Map many points of the world to tiles on this machine.

    The Java client ``CoordinateClient`` does it where a client script is configured, else Python.

    Parameters
    ----------
    stack : str
        Name of the stack.
    jsondata : list of dict
        ``{"world": [x, y]}`` for each point.
    z : float
        The layer.
    host, port, owner, project, render
        Connection.
    client_script : str, optional
        The script that runs a Java client; default that of the connection.
    number_of_threads : int
        Threads of a Java client.
    **kwargs
        ``engine``, "java" or "python", chooses explicitly; ``memGB`` is the memory of the Java machine.

    Returns
    -------
    list of list of dict
        As `world_to_local_coordinates_batch`.

    Raises
    ------
    ClientScriptError
        If the client script fails, or Java is asked for and none is configured.
    RenderError
        In Python, if the server refuses.
    """
    answer: list[list[dict[str, Any]]] = _run_client(
        stack, jsondata, z, localToWorld=False, numberOfThreads=number_of_threads, host=host, port=port,
        owner=owner, project=project, client_script=client_script, memGB=kwargs.get("memGB"),
        client_scripts=kwargs.get("client_scripts"), engine=kwargs.get("engine"),
        session=kwargs.get("session"), render=render,
    )  # fmt: skip
    return answer


def map_coordinates_clientside(
    stack: str,
    jsondata: Sequence[Any],
    z: float,
    host: str | None,
    port: int | None,
    owner: str | None,
    project: str | None,
    client_script: str | None,
    isLocalToWorld: bool = False,
    store_injson: bool = False,
    store_outjson: bool = False,
    number_of_threads: int = 20,
    memGB: str | None = "1G",
) -> Any:
    """Map documents in memory with the Java client ``CoordinateClient``, or in Python without a script.

    Parameters
    ----------
    stack : str
        Name of the stack.
    jsondata : list
        The points.
    z : float
        The layer.
    host, port, owner, project
        Connection.
    client_script : str or None
        The script that runs a Java client; default that of the environment.
    isLocalToWorld : bool
        From local to world; default from world to local.
    store_injson, store_outjson : bool
        Keep the temporary file that the client reads, or writes.
    number_of_threads : int
        Threads of a Java client.
    memGB : str
        Memory of the Java machine.

    Returns
    -------
    list
        What the client writes.

    Raises
    ------
    ClientScriptError
        If the script cannot be run, or fails.
    RenderError
        In Python, if the server refuses.
    """
    return _run_client(
        stack, jsondata, z, store_injson, store_outjson, localToWorld=isLocalToWorld,
        numberOfThreads=number_of_threads, host=host, port=port, owner=owner, project=project,
        client_script=client_script, memGB=memGB,
    )  # fmt: skip


def _run_client(
    stack: str,
    jsondata: Sequence[Any],
    z: float,
    keep_input: bool = False,
    keep_output: bool = False,
    **options: Any,
) -> Any:
    from renderapi.client.calls.coordinates import coordinateClient

    content = _json.dumps(jsondata)
    with _temporary_json("in", keep_input) as source, _temporary_json("out", keep_output) as target:
        source.write_bytes(content)
        return coordinateClient(stack, z, fromJson=str(source), toJson=str(target), **options)


@contextmanager
def _temporary_json(role: str, keep: bool) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(
        prefix=f"render_coordinates_{role}_", suffix=".json", delete=False
    ) as file:
        path = Path(file.name)
    try:
        yield path
    finally:
        if keep:
            logger.info("kept %s", path)
        else:
            path.unlink(missing_ok=True)


@renderaccess
def get_tile_ids_for_coordinates(
    stack: str,
    coordinates: Sequence[Mapping[str, Any]],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[list[dict[str, Any]]]:
    """Find a tile at each of some points of any layers.

    Parameters
    ----------
    stack : str
        Stack.
    coordinates : list of dict
        TileCoordinates documents: ``world`` of x, y and z.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of list of dict
        For each point its document once for every tile that it lies in, with the ``tileId``; once without where
        there is none.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "tileIdsForCoordinates")
    answer: list[list[dict[str, Any]]] = decode_json(put_json(session, url, coordinates))
    return answer


@renderaccess
def get_tile_ids_for_coordinates_from_z(
    stack: str,
    z: float,
    coordinates: Sequence[Mapping[str, Any]],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[list[dict[str, Any]]]:
    """Find a tile at each of some points of a layer.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    coordinates : list of dict
        TileCoordinates documents: ``world`` of x and y.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of list of dict
        For each point its document once for every tile that it lies in, with the ``tileId``; once without where
        there is none.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "tileIdsForCoordinates")
    answer: list[list[dict[str, Any]]] = decode_json(put_json(session, url, coordinates))
    return answer


@renderaccess
def local_to_world_coordinates_of_stack(
    stack: str,
    coordinates: Sequence[Mapping[str, Any]],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Map points of tiles of any layers into the world.

    Parameters
    ----------
    stack : str
        Stack.
    coordinates : list of dict
        TileCoordinates documents: ``tileId`` and ``local``.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of dict
        TileCoordinates documents with ``world``, or with ``error``.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "local-to-world-coordinates")
    answer: list[dict[str, Any]] = decode_json(put_json(session, url, coordinates))
    return answer


@renderaccess
def world_to_local_coordinates_of_stack(
    stack: str,
    coordinates: Sequence[Mapping[str, Any]],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[list[dict[str, Any]]]:
    """Map points of the world in any layers into tiles.

    Parameters
    ----------
    stack : str
        Stack.
    coordinates : list of dict
        TileCoordinates documents: ``tileId`` and ``world``.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of list of dict
        TileCoordinates documents with ``local``, or with ``error``, for each point.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "world-to-local-coordinates")
    answer: list[list[dict[str, Any]]] = decode_json(put_json(session, url, coordinates))
    return answer


@renderaccess
def map_world_coordinates_to_stack(
    stack: str,
    z: float,
    x: float,
    y: float,
    toStack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    toOwner: str | None = None,
    toProject: str | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Map a point of the world of one stack to that of another, by the tile that lies there.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    x, y : float
        The point.
    toStack : str
        The other stack.
    host, port, owner, project, session, render
        Connection.
    toOwner, toProject : str, optional
        Of the other stack; default: the same.

    Returns
    -------
    dict
        TileCoordinates document with ``world``.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(
        host, port, owner, project, stack, "z", z, "world-coordinates", (x, y), "mapped-to-stack", toStack
    )
    answer: dict[str, Any] = get_json(session, url, params={"toOwner": toOwner, "toProject": toProject})
    return answer


@renderaccess
def local_to_world_coordinates_of_tilespec(
    tilespec: Any,
    x: float,
    y: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[float]:
    """Map a point of a tile that need not be stored into the world.

    Parameters
    ----------
    tilespec : TileSpec or dict
        The tile, which need not be stored; its transforms are resolved.
    x, y : float
        The point.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    list of float

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "local-to-world-coordinates", (x, y))
    answer: list[float] = decode_json(put_json(session, url, tilespec))
    return answer


@renderaccess
def world_to_local_coordinates_of_tilespec(
    tilespec: Any,
    x: float,
    y: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    meshCellSize: float | None = None,
    **kwargs: Any,
) -> list[float]:
    """Map a point of the world into a tile that need not be stored.

    Parameters
    ----------
    tilespec : TileSpec or dict
        The tile, which need not be stored; its transforms are resolved.
    x, y : float
        The point.
    host, port, owner, session, render
        Connection.
    meshCellSize : float, optional
        Size of the triangles that invert transforms without an inverse, in pixels.

    Returns
    -------
    list of float

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "world-to-local-coordinates", (x, y))
    answer: list[float] = decode_json(put_json(session, url, tilespec, params={"meshCellSize": meshCellSize}))
    return answer
