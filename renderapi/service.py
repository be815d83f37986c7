"""A server as a whole: its version, its settings, its caches, its checks of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from renderapi.http import transport
from renderapi.http.transport import confirmed
from renderapi.http.urls import server_url
from renderapi.render import owner_url, renderaccess
from renderapi.utils import get_json, put_json, rest_delete

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

__all__ = [
    "delete_image_cache",
    "get_named_filter_spec_lists",
    "get_server_properties",
    "get_version_info",
    "validate_json",
]


@renderaccess
def get_version_info(
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, str] | None:
    """Tell of which source a server was built.

    Parameters
    ----------
    host, port, session, render
        Connection.

    Returns
    -------
    dict or None
        Properties ``git.branch``, ``git.commit.id`` ...; None if it does not know.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = server_url(host, port, "versionInfo")
    answer: dict[str, str] | None = transport.decode_optional(transport.send(session, "GET", url))
    return answer


@renderaccess
def get_server_properties(
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Tell the settings of a server.

    Parameters
    ----------
    host, port, session, render
        Connection.

    Returns
    -------
    dict

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = server_url(host, port, "serverProperties")
    answer: dict[str, Any] = get_json(session, url)
    return answer


@renderaccess
def get_named_filter_spec_lists(
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """List the filters that ``filterListName`` can name.

    Parameters
    ----------
    host, port, session, render
        Connection.

    Returns
    -------
    dict
        FilterFactory document.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = server_url(host, port, "namedFilterSpecLists")
    answer: dict[str, Any] = get_json(session, url)
    return answer


@renderaccess
def delete_image_cache(
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Have a server forget the images of tiles that it keeps in memory.

    Parameters
    ----------
    host, port, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    RenderError
        If the server refuses.
    """
    return confirmed(rest_delete(session, server_url(host, port, "imageProcessorCache", "allEntries")))


@renderaccess
def validate_json(
    kind: str,
    document: Any,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str:
    """Have a server check a document without storing it.

    Parameters
    ----------
    kind : {"render", "tile", "tile-array", "transform", "transform-array"}
        What it is.
    document : object
        The document, or objects of this package.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    str
        What the server says of it.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "validate-json", kind)
    return transport.decode_text(put_json(session, url, document))
