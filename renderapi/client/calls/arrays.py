"""Images and coordinates as arrays: by the Java clients, or in Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.client.calls.coordinates import coordinateClient
from renderapi.client.calls.engine import ENGINE_OPTIONS, Run, engineaccess, java_keywords, run_of, uses_java
from renderapi.client.calls.images import renderClient, rendererClient
from renderapi.client.checks import ClientArgumentError
from renderapi.client.files import temporary_file, temporary_json
from renderapi.client.java.arguments import JavaRun, needs_result
from renderapi.client.java.script import RUN_OPTIONS
from renderapi.errors import ClientScriptError, RenderWarning
from renderapi.render import Render, accepts
from renderapi.tilespec import TileSpec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "local_to_world_array",
    "materialize_renderparameters_image",
    "materialize_tilespec_image",
    "render_renderparameters",
    "render_tilespec",
    "world_to_local_array",
]

#: Keywords that decide which engine renders.
_CHOOSES = ("render", "engine", "client_script", "client_scripts")
_PLANE = 2
_SPACE = 3


# ------------------------------------------------------------------------------------------------ images


@engineaccess
@accepts(*RUN_OPTIONS)
def materialize_tilespec_image(
    tilespec: TileSpec | Mapping[str, Any],
    out_fn: str | None = None,
    height: int | None = None,
    width: int | None = None,
    x: float | None = None,
    y: float | None = None,
    res: float | None = 32,
    subprocess_mode: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    engine: str | None = None,
    compat: str = "master",
    **kwargs: Any,
) -> None:
    """Render one tile into an image file.

    Parameters
    ----------
    tilespec : TileSpec or dict
        The tile, or its document; its image must be readable where it is rendered, its transforms must not
        be references.
    out_fn : str
        Image file to write; its ending is the format.
    height, width : int, optional
        Size of the box, at full scale; default that of the tile.
    x, y : float, optional
        Upper left of the box, in the world; default that of the tile's bounding box.
    res : float
        Size of the cells of the triangle mesh.
    engine : {"java", "python"}, optional
        Who renders; by default Java where a client script is configured.
    compat, subprocess_mode, client_script, memGB, render
        As for `renderapi.client.renderClient`.
    """
    if isinstance(tilespec, Mapping):
        tilespec = TileSpec(json=dict(tilespec))
    corner = getattr(tilespec, "minX", None), getattr(tilespec, "minY", None)
    if None in corner and None in (x, y):
        from renderapi.geometry import bounding_boxes

        box = bounding_boxes([tilespec])[0]
        corner = float(box[0]), float(box[1])
    with temporary_json([tilespec]) as tile_spec_url:
        renderClient(
            tile_spec_url=tile_spec_url,
            height=int(_required(tilespec, "height")) if height is None else height,
            width=int(_required(tilespec, "width")) if width is None else width,
            out_fn=out_fn,
            x=corner[0] if x is None else x,
            y=corner[1] if y is None else y,
            res=res,
            render=render,
            engine=engine,
            compat=compat,
            **JavaRun.of(client_script, memGB, subprocess_mode, **kwargs).keywords(),
        )


def _required(tilespec: TileSpec, name: str) -> float:
    value: float | None = getattr(tilespec, name)
    if value is None:
        raise ClientArgumentError(f"tile {tilespec.tileId!r} has no {name}: give {name}=")
    return value


@engineaccess
@accepts(*RUN_OPTIONS, *signature(rendererClient).parameters)
def materialize_renderparameters_image(
    obj: Any,
    out_fn: str | None = None,
    subprocess_mode: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    engine: str | None = None,
    **kwargs: Any,
) -> None:
    """Render render parameters into an image file.

    Parameters
    ----------
    obj : dict
        Render parameters, as the server gives them.
    out_fn : str
        Image file to write; its ending is the format.
    engine : {"java", "python"}, optional
        Who renders; by default Java where a client script is configured.
    subprocess_mode, client_script, memGB, render
        As for `renderapi.client.rendererClient`.
    **kwargs
        Options of `renderapi.client.rendererClient` that override the render parameters.
    """
    with temporary_json(obj) as parameters_url:
        rendererClient(
            out_fn=out_fn,
            parameters_url=parameters_url,
            subprocess_mode=subprocess_mode,
            client_script=client_script,
            memGB=memGB,
            render=render,
            engine=engine,
            **kwargs,
        )


def render_tilespec(*args: Any, **kwargs: Any) -> NDArray[Any]:
    """Render one tile.

    Parameters
    ----------
    *args, **kwargs
        Those of `materialize_tilespec_image`, without `out_fn`.

    Returns
    -------
    ndarray
        As Java writes it into a tif file, with either engine: (height, width, 3) uint8.
    """
    return _rendered(materialize_tilespec_image, ".tif", args, kwargs)


def render_renderparameters(*args: Any, **kwargs: Any) -> NDArray[Any]:
    """Render render parameters.

    Parameters
    ----------
    *args, **kwargs
        Those of `materialize_renderparameters_image`, without `out_fn`.

    Returns
    -------
    ndarray
        As Java writes it into a png file, with either engine: (height, width, 4) uint8; (height, width) with
        ``gray=True``.
    """
    return _rendered(materialize_renderparameters_image, ".png", args, kwargs)


def _rendered(
    materialize: Callable[..., None], suffix: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> NDArray[Any]:
    given = signature(materialize).bind_partial(*args, **kwargs).arguments
    given.update(given.pop("kwargs", {}))
    if given.get("out_fn") is None and not uses_java(**{name: given.get(name) for name in _CHOOSES}):
        from renderapi.client.local.rendering import ImageInMemory

        made = ImageInMemory(suffix.removeprefix("."))
        materialize(**{**given, "out_fn": made, "engine": "python"})
        return made.pixels

    from PIL import Image, UnidentifiedImageError

    with temporary_file(suffix) as path:
        out = path if given.get("out_fn") is None else given["out_fn"]
        mode = needs_result(given.get("subprocess_mode"))
        materialize(**{**given, "out_fn": out, "subprocess_mode": mode})
        try:
            with Image.open(out) as image:
                return np.array(image)
        except (UnidentifiedImageError, FileNotFoundError):
            raise ClientScriptError("the Java client ended without an error but wrote no image") from None


# ------------------------------------------------------------------------------------------- coordinates


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
def local_to_world_array(
    stack: str,
    points: ArrayLike,
    tileId: str,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    z: float | None = None,
    engine: str | None = None,
    **kwargs: Any,
) -> NDArray[np.float64]:
    """Map points of a tile to the world, on this machine.

    `renderapi.coordinate.local_to_world_coordinates_array` asks the server instead.

    Parameters
    ----------
    stack : str
        Stack.
    points : array_like, (N, 2)
        x and y in the tile, pixels.
    tileId : str
        Tile.
    z : float, optional
        Layer of the tile.
    engine : {"java", "python"}, optional
        Who maps; by default Java where a client script is configured.
    subprocess_mode, host, port, owner, project, client_script, memGB, render
        As for `renderapi.client.coordinateClient`.

    Returns
    -------
    ndarray, (N, 2) float64
        x and y in the world; NaN, and a warning, where a point cannot be mapped.
    """
    local = _points(points, (_PLANE,))
    if not len(local):
        return np.empty((0, _PLANE))
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    if run.java is None:
        from renderapi.client.local.coordinates import Place, tile_to_world

        world = tile_to_world(Place(run.project, stack, z), tileId, local)
        if world is not None:
            return world
    document = [[{"tileId": tileId, "local": point}] for point in local.tolist()]
    answers = _mapped(run, stack, document, z, True, kwargs.get("progress"))
    return _coordinates(answers, "world")


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
def world_to_local_array(
    stack: str,
    points: ArrayLike,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    z: float | None = None,
    engine: str | None = None,
    **kwargs: Any,
) -> tuple[list[str | None], NDArray[np.float64]]:
    """Map points of the world to the tiles that are on top there, on this machine.

    Parameters
    ----------
    stack : str
        Stack.
    points : array_like, (N, 2) or (N, 3)
        x and y in the world; z too where it is not given for all of them.
    z : float, optional
        Layer.
    engine : {"java", "python"}, optional
        Who maps; by default Java where a client script is configured.
    subprocess_mode, host, port, owner, project, client_script, memGB, render
        As for `renderapi.client.coordinateClient`.

    Returns
    -------
    tileIds : list of str or None
        The visible tile at each point, None where there is none that can be inverted.
    local : ndarray, (N, 2) float64
        x and y in that tile; NaN, and a warning, where there is none.
    """
    world = _points(points, (_PLANE, _SPACE))
    if z is None and world.shape[1] == _PLANE:
        raise ClientArgumentError("world_to_local_array needs z=, or points of x, y and z")
    if not len(world):
        return [], np.empty((0, _PLANE))
    document = [{"world": point} for point in world.tolist()]
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    answers = _mapped(run, stack, document, z, False, kwargs.get("progress"))
    # the tile that is drawn last is marked
    on_top = [
        next((tile for tile in tiles if tile.get("visible")), tiles[0] if tiles else {}) for tiles in answers
    ]
    tile_ids = [tile.get("tileId") if tile.get("local") else None for tile in on_top]
    return tile_ids, _coordinates(on_top, "local")


def _points(points: ArrayLike, columns: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, columns[-1]))
    if array.ndim != _PLANE or array.shape[1] not in columns:
        shapes = " or ".join(f"(N, {n})" for n in columns)
        raise ClientArgumentError(f"points must have the shape {shapes}, not {array.shape}")
    return array


def _mapped(
    run: Run, stack: str, document: list[Any], z: float | None, from_local: bool, progress: Any
) -> list[Any]:
    if run.java is None:
        from renderapi.client.local.coordinates import Place, map_coordinates

        return map_coordinates(Place(run.project, stack, z), document, from_local, None, progress)
    with ExitStack() as files:
        return coordinateClient(
            stack,
            z,
            fromJson=files.enter_context(temporary_json(document)),
            toJson=files.enter_context(temporary_file(".json")),
            localToWorld=from_local,
            **java_keywords(run.project, run.java),
        )


def _coordinates(answers: list[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    unknown = (np.nan, np.nan)
    array = np.array([(answer.get(key) or unknown)[:_PLANE] for answer in answers], dtype=np.float64)
    errors = [str(answer.get("error")) for answer in answers if not answer.get(key)]
    if errors:
        warnings.warn(
            f"{len(errors)} of {len(answers)} points cannot be mapped: {errors[0]}",
            RenderWarning,
            stacklevel=4,
        )
    return array.reshape(-1, _PLANE)
