"""What is said of a stack, part by part: its voxels, its mipmaps, its channel.

The whole of it is a `renderapi.stack.StackVersion`. To set or delete a part opens no new version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from renderapi.http import transport
from renderapi.http.transport import confirmed
from renderapi.render import renderaccess, stack_url
from renderapi.utils import get_json, put_json, rest_delete

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

__all__ = [
    "delete_cycle",
    "delete_default_channel",
    "delete_materialized_box_root_path",
    "delete_mipmap_path_builder",
    "delete_resolution_values",
    "get_cycle",
    "get_default_channel",
    "get_materialized_box_root_path",
    "get_mipmap_path_builder",
    "get_resolution_values",
    "set_cycle",
    "set_default_channel",
    "set_materialized_box_root_path",
    "set_mipmap_path_builder",
    "set_resolution_values",
]


@renderaccess
def get_resolution_values(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[float | None] | None:
    """Tell the size of a voxel of a stack.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of float or None
        x, y and z, in nm by convention, None for what is not set; None if none of them is.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "resolutionValues")
    answer: list[float | None] = get_json(session, url)
    # a server has three values, or nothing at all, of which none may be set
    return None if all(value is None for value in answer) else answer


@renderaccess
def set_resolution_values(
    stack: str,
    value: Sequence[float],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Say the size of a voxel of a stack.

    Parameters
    ----------
    stack : str
        Stack.
    value : list of float
        x, y and z, in nm by convention.
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
        put_json(session, stack_url(host, port, owner, project, stack, "resolutionValues"), list(value))
    )


@renderaccess
def delete_resolution_values(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Forget the size of a voxel of a stack.

    Parameters
    ----------
    stack : str
        Stack.
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
    return confirmed(rest_delete(session, stack_url(host, port, owner, project, stack, "resolutionValues")))


@renderaccess
def get_materialized_box_root_path(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str | None:
    """Tell the folder of images of a stack that were rendered before.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    str or None
        As the server sees it. None if it is not set.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "materializedBoxRootPath")
    return transport.decode_text(transport.send(session, "GET", url)) or None


@renderaccess
def set_materialized_box_root_path(
    stack: str,
    value: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Say the folder of images of a stack that were rendered before.

    Parameters
    ----------
    stack : str
        Stack.
    value : str
        As the server sees it.
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
    url = stack_url(host, port, owner, project, stack, "materializedBoxRootPath")
    text = {"Content-Type": "text/plain"}
    return confirmed(transport.send(session, "PUT", url, document=value.encode(), headers=text))


@renderaccess
def delete_materialized_box_root_path(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Forget the folder of images of a stack that were rendered before.

    Parameters
    ----------
    stack : str
        Stack.
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
        rest_delete(session, stack_url(host, port, owner, project, stack, "materializedBoxRootPath"))
    )


@renderaccess
def get_mipmap_path_builder(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any] | None:
    """Tell how file names of the mipmaps of a stack are made.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict or None
        ``rootPath``, ``numberOfLevels`` and ``extension``. None if it is not set.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "mipmapPathBuilder")
    answer: dict[str, Any] | None = transport.decode_optional(transport.send(session, "GET", url))
    return answer


@renderaccess
def set_mipmap_path_builder(
    stack: str,
    value: Mapping[str, Any],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Say how file names of the mipmaps of a stack are made.

    Parameters
    ----------
    stack : str
        Stack.
    value : dict
        ``rootPath``, ``numberOfLevels`` and ``extension``.
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
        put_json(session, stack_url(host, port, owner, project, stack, "mipmapPathBuilder"), dict(value))
    )


@renderaccess
def delete_mipmap_path_builder(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Forget how file names of the mipmaps of a stack are made.

    Parameters
    ----------
    stack : str
        Stack.
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
    return confirmed(rest_delete(session, stack_url(host, port, owner, project, stack, "mipmapPathBuilder")))


@renderaccess
def get_default_channel(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str | None:
    """Tell the channel of a stack that is drawn where none is named.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    str or None
        Name of a channel. None if it is not set.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "defaultChannel")
    return transport.decode_text(transport.send(session, "GET", url)) or None


@renderaccess
def set_default_channel(
    stack: str,
    value: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Say the channel of a stack that is drawn where none is named.

    Parameters
    ----------
    stack : str
        Stack.
    value : str
        Name of a channel.
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
    url = stack_url(host, port, owner, project, stack, "defaultChannel")
    return confirmed(transport.send(session, "PUT", url, document=value.encode()))


@renderaccess
def delete_default_channel(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Forget the channel of a stack that is drawn where none is named.

    Parameters
    ----------
    stack : str
        Stack.
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
    return confirmed(rest_delete(session, stack_url(host, port, owner, project, stack, "defaultChannel")))


@renderaccess
def get_cycle(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any] | None:
    """Tell the place of a stack in a series of reconstructions.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict or None
        ``number`` and ``stepNumber``. None if it is not set.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "cycle")
    answer: dict[str, Any] = get_json(session, url)
    return answer or None


@renderaccess
def set_cycle(
    stack: str,
    value: Mapping[str, Any],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Say the place of a stack in a series of reconstructions.

    Parameters
    ----------
    stack : str
        Stack.
    value : dict
        ``number`` and ``stepNumber``.
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
    return confirmed(put_json(session, stack_url(host, port, owner, project, stack, "cycle"), dict(value)))


@renderaccess
def delete_cycle(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Forget the place of a stack in a series of reconstructions.

    Parameters
    ----------
    stack : str
        Stack.
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
    return confirmed(rest_delete(session, stack_url(host, port, owner, project, stack, "cycle")))
