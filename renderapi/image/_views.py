"""Images and render parameters of groups, pyramids, sources and neighbors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from renderapi.errors import BadRequestError
from renderapi.http.urls import dvid_segments, format_number
from renderapi.image._formats import Wanted
from renderapi.image._requests import DRAWING, box_of, drawing_query, fetched, query_boolean
from renderapi.render import accepts, renderaccess, stack_url
from renderapi.utils import get_json

if TYPE_CHECKING:
    import requests
    from numpy.typing import NDArray

    from renderapi.render import Render

__all__ = [
    "get_dvid_image",
    "get_dvid_renderparams",
    "get_group_bb_image",
    "get_group_bb_renderparams",
    "get_large_data_overview",
    "get_large_data_tile",
    "get_tile_mask_image",
    "get_tile_mask_renderparams",
    "get_tile_source_image",
    "get_tile_source_renderparams",
    "get_tile_with_neighbors_image",
    "get_tile_with_neighbors_renderparams",
]

_SHORT = {"png-image": "png", "jpeg-image": "jpg", "tiff-image": "tif"}


def _short(wanted: Wanted) -> str:
    """Return the name of a format as paths of other viewers have it."""
    try:
        return _SHORT[wanted.ending]
    except KeyError:
        raise BadRequestError(f"render-ws has no {wanted.ending} of {wanted.of}") from None


def _dvid(group: str | None, x: float, y: float, z: float, width: float, height: float) -> tuple[str, ...]:
    return (*(() if group is None else ("group", group)), *dvid_segments(x, y, z, width, height))


@renderaccess
@accepts(*DRAWING, "maxTileSpecsToRender")
def get_group_bb_image(
    stack: str,
    groupId: str,
    z: float,
    x: float,
    y: float,
    width: float,
    height: float,
    scale: float = 1.0,
    img_format: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> NDArray[Any]:
    """Get the image of a box of the tiles of a group.

    Parameters
    ----------
    stack : str
        Stack.
    groupId : str
        Only tiles of this group.
    z : float
        Layer.
    x, y, width, height : float
        The box, in pixels of the world.
    scale : float
        Pixels per unit of the world.
    img_format : str, optional
        ``png`` (default), ``jpg`` or ``tif``.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        How it is drawn: `DRAWING`, and ``maxTileSpecsToRender``.

    Returns
    -------
    array

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    wanted = Wanted.like(img_format, "a box of a group")
    url = stack_url(
        host,
        port,
        owner,
        project,
        stack,
        "group",
        groupId,
        "z",
        z,
        "box",
        (*box_of(x, y, width, height), scale),
        wanted.ending,
    )
    return fetched(wanted, session, "GET", url, drawing_query(kwargs))


@renderaccess
@accepts(*DRAWING)
def get_group_bb_renderparams(
    stack: str,
    groupId: str,
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
) -> dict[str, Any]:
    """Get the render parameters of a box of the tiles of a group.

    Parameters
    ----------
    stack : str
        Stack.
    groupId : str
        Only tiles of this group.
    z : float
        Layer.
    x, y, width, height : float
        The box, in pixels of the world.
    scale : float
        Pixels per unit of the world.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        How it is drawn: `DRAWING`.

    Returns
    -------
    dict
        RenderParameters document.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(
        host,
        port,
        owner,
        project,
        stack,
        "group",
        groupId,
        "z",
        z,
        "box",
        (*box_of(x, y, width, height), scale),
        "render-parameters",
    )
    answer: dict[str, Any] = get_json(session, url, params=drawing_query(kwargs))
    return answer


@renderaccess
@accepts(*DRAWING, "maxTileSpecsToRender")
def get_dvid_image(
    stack: str,
    z: float,
    x: float,
    y: float,
    width: float,
    height: float,
    img_format: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    groupId: str | None = None,
    **kwargs: Any,
) -> NDArray[Any]:
    """Get the image of a box, by the path that DVID has.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    x, y, width, height : float
        The box, in pixels of the world.
    img_format : str, optional
        ``png`` (default), ``jpg`` or ``tif``.
    host, port, owner, project, session, render
        Connection.
    groupId : str, optional
        Only tiles of this group.
    **kwargs
        How it is drawn: `DRAWING`, and ``maxTileSpecsToRender``.

    Returns
    -------
    array

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    wanted = Wanted.like(img_format, "a box by DVID")
    url = stack_url(
        host, port, owner, project, stack, *_dvid(groupId, x, y, z, width, height), _short(wanted)
    )
    return fetched(wanted, session, "GET", url, drawing_query(kwargs))


@renderaccess
@accepts(*DRAWING)
def get_dvid_renderparams(
    stack: str,
    z: float,
    x: float,
    y: float,
    width: float,
    height: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    groupId: str | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the render parameters of a box, by the path that DVID has.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    x, y, width, height : float
        The box, in pixels of the world.
    host, port, owner, project, session, render
        Connection.
    groupId : str, optional
        Only tiles of this group.
    **kwargs
        How it is drawn: `DRAWING`.

    Returns
    -------
    dict
        RenderParameters document.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(
        host, port, owner, project, stack, *_dvid(groupId, x, y, z, width, height), "render-parameters"
    )
    answer: dict[str, Any] = get_json(session, url, params=drawing_query(kwargs))
    return answer


@renderaccess
@accepts(*DRAWING, "maxTileSpecsToRender")
def get_large_data_tile(
    stack: str,
    z: float,
    width: int,
    height: int,
    level: int,
    row: int,
    column: int,
    img_format: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> NDArray[Any]:
    """Get a tile of the pyramid of images of a layer, as CATMAID asks for it.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    width, height : int
        Size of the tiles of the pyramid, in pixels.
    level : int
        Level; each is half as large as the one before.
    row, column : int
        Place of the tile.
    img_format : str, optional
        ``png`` (default), ``jpg`` or ``tif``.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        How it is drawn: `DRAWING`, and ``maxTileSpecsToRender``.

    Returns
    -------
    array

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    wanted = Wanted.like(img_format, "a tile of a pyramid")
    url = stack_url(
        host,
        port,
        owner,
        project,
        stack,
        "largeDataTileSource",
        width,
        height,
        level,
        z,
        row,
        f"{format_number(column)}.{_short(wanted)}",
    )
    return fetched(wanted, session, "GET", url, drawing_query(kwargs))


@renderaccess
@accepts(*DRAWING, "maxTileSpecsToRender")
def get_large_data_overview(
    stack: str,
    z: float,
    width: int,
    height: int,
    img_format: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    maxOverviewWidthAndHeight: int | None = None,
    translateOrigin: bool | None = None,
    **kwargs: Any,
) -> NDArray[Any]:
    """Get a layer in small, as CATMAID asks for it.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    width, height : int
        Size of the tiles of the pyramid, in pixels.
    img_format : str, optional
        ``png`` (default), ``jpg`` or ``tif``.
    host, port, owner, project, session, render
        Connection.
    maxOverviewWidthAndHeight : int, optional
        Limit of its larger side, in pixels.
    translateOrigin : bool, optional
        Whether it begins at the bounds of the stack, instead of at 0.
    **kwargs
        How it is drawn: `DRAWING`, and ``maxTileSpecsToRender``.

    Returns
    -------
    array

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    wanted = Wanted.like(img_format, "a tile of a pyramid")
    url = stack_url(
        host,
        port,
        owner,
        project,
        stack,
        "largeDataTileSource",
        width,
        height,
        "small",
        f"{format_number(z)}.{_short(wanted)}",
    )
    return fetched(
        wanted,
        session,
        "GET",
        url,
        {
            **drawing_query(kwargs),
            "maxOverviewWidthAndHeight": maxOverviewWidthAndHeight,
            "translateOrigin": query_boolean(translateOrigin),
        },
    )


@renderaccess
@accepts(*DRAWING)
def get_tile_source_image(
    stack: str,
    tileId: str,
    img_format: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> NDArray[Any]:
    """Get the image of a tile, not transformed.

    Parameters
    ----------
    stack : str
        Stack.
    tileId : str
        Tile.
    img_format : str, optional
        ``png`` (default), ``jpg`` or ``tif``.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        How it is drawn: `DRAWING`.

    Returns
    -------
    array

    Raises
    ------
    NotFoundError
        If there is no such tile.
    RenderError
        If the server refuses.
    """
    wanted = Wanted.like(img_format, "a source")
    url = stack_url(host, port, owner, project, stack, "tile", tileId, "source", wanted.ending)
    return fetched(wanted, session, "GET", url, drawing_query(kwargs))


@renderaccess
@accepts(*DRAWING)
def get_tile_source_renderparams(
    stack: str,
    tileId: str,
    scale: float = 1.0,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the render parameters of the image of a tile, not transformed.

    Parameters
    ----------
    stack : str
        Stack.
    tileId : str
        Tile.
    scale : float
        Pixels per unit of the world.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        How it is drawn: `DRAWING`.

    Returns
    -------
    dict
        RenderParameters document.

    Raises
    ------
    NotFoundError
        If there is no such tile.
    RenderError
        If the server refuses.
    """
    url = stack_url(
        host, port, owner, project, stack, "tile", tileId, "source", "scale", scale, "render-parameters"
    )
    answer: dict[str, Any] = get_json(session, url, params=drawing_query(kwargs))
    return answer


@renderaccess
@accepts(*DRAWING)
def get_tile_mask_image(
    stack: str,
    tileId: str,
    img_format: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> NDArray[Any]:
    """Get the mask of a tile, not transformed.

    Parameters
    ----------
    stack : str
        Stack.
    tileId : str
        Tile.
    img_format : str, optional
        ``png`` (default), ``jpg`` or ``tif``.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        How it is drawn: `DRAWING`.

    Returns
    -------
    array

    Raises
    ------
    NotFoundError
        If there is no such tile.
    RenderError
        If the server refuses.
    """
    wanted = Wanted.like(img_format, "a source")
    url = stack_url(host, port, owner, project, stack, "tile", tileId, "mask", wanted.ending)
    return fetched(wanted, session, "GET", url, drawing_query(kwargs))


@renderaccess
@accepts(*DRAWING)
def get_tile_mask_renderparams(
    stack: str,
    tileId: str,
    scale: float = 1.0,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the render parameters of the mask of a tile, not transformed.

    Parameters
    ----------
    stack : str
        Stack.
    tileId : str
        Tile.
    scale : float
        Pixels per unit of the world.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        How it is drawn: `DRAWING`.

    Returns
    -------
    dict
        RenderParameters document.

    Raises
    ------
    NotFoundError
        If there is no such tile.
    RenderError
        If the server refuses.
    """
    url = stack_url(
        host, port, owner, project, stack, "tile", tileId, "mask", "scale", scale, "render-parameters"
    )
    answer: dict[str, Any] = get_json(session, url, params=drawing_query(kwargs))
    return answer


@renderaccess
@accepts(*DRAWING)
def get_tile_with_neighbors_image(
    stack: str,
    tileId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    widthFactor: float | None = None,
    heightFactor: float | None = None,
    boundingBoxesOnly: bool | None = None,
    **kwargs: Any,
) -> NDArray[Any]:
    """Get the image of a tile and those around it.

    Parameters
    ----------
    stack : str
        Stack.
    tileId : str
        Tile.
    host, port, owner, project, session, render
        Connection.
    widthFactor, heightFactor : float, optional
        How much of the surroundings is shown, in sizes of the tile.
    boundingBoxesOnly : bool, optional
        Draw only their outlines.
    **kwargs
        How it is drawn: `DRAWING`.

    Returns
    -------
    array

    Raises
    ------
    NotFoundError
        If there is no such tile.
    RenderError
        If the server refuses.
    """
    wanted = Wanted.like("jpg", "a tile with neighbors")
    url = stack_url(host, port, owner, project, stack, "tile", tileId, "withNeighbors", wanted.ending)
    return fetched(
        wanted,
        session,
        "GET",
        url,
        {
            **drawing_query(kwargs),
            "widthFactor": widthFactor,
            "heightFactor": heightFactor,
            "boundingBoxesOnly": query_boolean(boundingBoxesOnly),
        },
    )


@renderaccess
@accepts(*DRAWING)
def get_tile_with_neighbors_renderparams(
    stack: str,
    tileId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    widthFactor: float | None = None,
    heightFactor: float | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the render parameters of a tile and those around it.

    Parameters
    ----------
    stack : str
        Stack.
    tileId : str
        Tile.
    host, port, owner, project, session, render
        Connection.
    widthFactor, heightFactor : float, optional
        How much of the surroundings is shown, in sizes of the tile.
    **kwargs
        How it is drawn: `DRAWING`.

    Returns
    -------
    dict
        RenderParameters document.

    Raises
    ------
    NotFoundError
        If there is no such tile.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "tile", tileId, "withNeighbors", "render-parameters")
    answer: dict[str, Any] = get_json(
        session,
        url,
        params={
            **drawing_query(kwargs),
            "widthFactor": widthFactor,
            "heightFactor": heightFactor,
        },
    )
    return answer
