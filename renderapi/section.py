"""Layers and sections: which tiles lie where, and how they are moved.

A layer is all that has one z; a section is what was cut and imaged at once, and several may lie in a layer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from renderapi.http import transport
from renderapi.http.transport import confirmed
from renderapi.http.urls import dvid_segments, whole_pixels
from renderapi.render import renderaccess, stack_url
from renderapi.stack import z_range
from renderapi.utils import get_json, put_json, rest_delete

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

__all__ = [
    "delete_section_by_id",
    "get_last_tile_transforms",
    "get_layout_file",
    "get_layout_file_from_z",
    "get_layout_file_from_z_range",
    "get_mergeable_data",
    "get_mergeable_z_values",
    "get_merged_z_values",
    "get_reordered_sectionData",
    "get_sectionData_from_z",
    "get_tile_count_of_box",
    "get_tile_count_of_dvid_box",
    "get_tilebounds_for_section",
    "set_section_z_value",
    "set_z_of_tiles",
]


@renderaccess
def get_reordered_sectionData(
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
    """List the sections whose layer is not that of their id.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.
    minZ, maxZ : float, optional
        First and last layer; default all.

    Returns
    -------
    list of dict
        SectionData documents.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "reorderedSectionData")
    answer: list[dict[str, Any]] = get_json(session, url, params=z_range(minZ, maxZ))
    return answer


@renderaccess
def get_merged_z_values(
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
) -> list[float]:
    """List the layers that hold more than one section.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.
    minZ, maxZ : float, optional
        First and last layer; default all.

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
    url = stack_url(host, port, owner, project, stack, "mergedZValues")
    answer: list[float] = get_json(session, url, params=z_range(minZ, maxZ))
    return answer


@renderaccess
def get_mergeable_z_values(
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
) -> list[float]:
    """List the layers whose sections can be merged into another.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.
    minZ, maxZ : float, optional
        First and last layer; default all.

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
    url = stack_url(host, port, owner, project, stack, "mergeableZValues")
    answer: list[float] = get_json(session, url, params=z_range(minZ, maxZ))
    return answer


@renderaccess
def get_mergeable_data(
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
) -> str:
    """Describe in lines of text which sections can be merged.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.
    minZ, maxZ : float, optional
        First and last layer; default all.

    Returns
    -------
    str

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "mergeableData")
    return transport.decode_text(transport.send(session, "GET", url, params=z_range(minZ, maxZ)))


@renderaccess
def get_layout_file(
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
    format: str | None = None,
    **kwargs: Any,
) -> str:
    """Get the layout of the tiles of a stack, a line for each.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.
    minZ, maxZ : float, optional
        First and last layer; default all.
    format : str, optional
        ``KARSH``, ``SCHEFFER`` or ``SCHEFFER_RAW_STAGE``; default: that of the server.

    Returns
    -------
    str

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "layoutFile")
    return transport.decode_text(
        transport.send(session, "GET", url, params={**z_range(minZ, maxZ), "format": format})
    )


@renderaccess
def get_layout_file_from_z(
    stack: str,
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    format: str | None = None,
    **kwargs: Any,
) -> str:
    """Get the layout of the tiles of a layer, a line for each.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    host, port, owner, project, session, render
        Connection.
    format : str, optional
        ``KARSH``, ``SCHEFFER`` or ``SCHEFFER_RAW_STAGE``; default: that of the server.

    Returns
    -------
    str

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "layoutFile")
    return transport.decode_text(transport.send(session, "GET", url, params={"format": format}))


@renderaccess
def get_layout_file_from_z_range(
    stack: str,
    minZ: float,
    maxZ: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    format: str | None = None,
    **kwargs: Any,
) -> str:
    """Get the layout of the tiles of some layers, a line for each.

    Parameters
    ----------
    stack : str
        Stack.
    minZ, maxZ : float
        First and last layer.
    host, port, owner, project, session, render
        Connection.
    format : str, optional
        ``KARSH``, ``SCHEFFER`` or ``SCHEFFER_RAW_STAGE``; default: that of the server.

    Returns
    -------
    str

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "zRange", (minZ, maxZ), "layoutFile")
    return transport.decode_text(transport.send(session, "GET", url, params={"format": format}))


@renderaccess
def get_sectionData_from_z(
    stack: str,
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """List the sections of a layer with their tile count and bounds.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of dict
        SectionData documents.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "sectionData")
    answer: list[dict[str, Any]] = get_json(session, url)
    return answer


@renderaccess
def get_last_tile_transforms(
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
    """List the last transform of each tile of a layer.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    host, port, owner, project, session, render
        Connection.
    tileIdPattern : str, optional
        Only tiles whose id contains a match of this regular expression, for servers of newsolver only.

    Returns
    -------
    list of dict
        ``tileId`` and ``lastTransform``.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "last-tile-transforms")
    answer: list[dict[str, Any]] = get_json(session, url, params={"tileIdPattern": tileIdPattern})
    return answer


@renderaccess
def set_z_of_tiles(
    stack: str,
    z: float,
    tileIds: Iterable[str],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Move tiles to a layer. The stack must be LOADING.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    tileIds : iterable of str
        The tiles.
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
    return confirmed(
        put_json(session, stack_url(host, port, owner, project, stack, "z", z, "tileIds"), list(tileIds))
    )


@renderaccess
def set_section_z_value(
    stack: str,
    sectionId: str,
    z: float,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Move the tiles of a section to a layer. The stack must be LOADING.

    Parameters
    ----------
    stack : str
        Stack.
    sectionId : str
        Section.
    z : float
        Layer.
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
    return confirmed(
        put_json(session, stack_url(host, port, owner, project, stack, "section", sectionId, "z"), z)
    )


@renderaccess
def get_tilebounds_for_section(
    stack: str,
    sectionId: str,
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
    """List the bounds of the tiles of a section.

    Parameters
    ----------
    stack : str
        Stack.
    sectionId : str
        Section.
    host, port, owner, project, session, render
        Connection.
    tileIdPattern : str, optional
        As for `get_last_tile_transforms`.

    Returns
    -------
    list of dict
        TileBounds documents.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "section", sectionId, "tileBounds")
    answer: list[dict[str, Any]] = get_json(session, url, params={"tileIdPattern": tileIdPattern})
    return answer


@renderaccess
def delete_section_by_id(
    stack: str,
    sectionId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete the tiles of a section. The stack must be LOADING.

    Parameters
    ----------
    stack : str
        Stack.
    sectionId : str
        Section.
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
    return confirmed(rest_delete(session, stack_url(host, port, owner, project, stack, "section", sectionId)))


@renderaccess
def get_tile_count_of_box(
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
    **kwargs: Any,
) -> int:
    """Count the tiles that a box touches.

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

    Returns
    -------
    int

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    box = x, y, whole_pixels("width", width), whole_pixels("height", height)
    url = stack_url(host, port, owner, project, stack, "z", z, "box", box, "tile-count")
    return _count(session, url)


@renderaccess
def get_tile_count_of_dvid_box(
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
    **kwargs: Any,
) -> int:
    """Count the tiles that a box touches, by the path that DVID has.

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

    Returns
    -------
    int

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, *dvid_segments(x, y, z, width, height), "tile-count")
    return _count(session, url)


def _count(session: requests.Session | None, url: str) -> int:
    response = transport.send(session, "GET", url)
    count = transport.decode_json(response)
    if type(count) is not int:
        raise transport.not_as_asked(response, "a number of tiles")
    return count
