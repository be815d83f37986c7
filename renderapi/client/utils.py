"""What lets a function take ``render=`` and find the Java client script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from renderapi.errors import ClientScriptError
from renderapi.http.access import access, fill_in_connection
from renderapi.render import Render, RenderClient, check_client_script, environment_setting
from renderapi.utils import fitargspec

__all__ = ["ClientScriptError", "Render", "RenderClient", "fitargspec", "renderclientaccess"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def renderclientaccess(f: Decorated) -> Decorated:
    """Let a function that runs a Java client take ``render=``, or connection settings, or neither.

    Like `renderapi.render.renderaccess`; beside host, port, owner, project and session it fills in

    - ``client_script``: that of the call, else ``run_ws_client.sh`` in the call's ``client_scripts``, else
      that of the connection, else that of ``RENDER_CLIENT_SCRIPT`` or ``RENDER_CLIENT_SCRIPTS``;
    - ``memGB``: that of the call, of the connection or of ``RENDER_CLIENT_HEAP``.

    Parameters
    ----------
    f : callable
        A function with any of those parameters, or ``**kwargs``; it is reached as ``.__wrapped__``.

    Returns
    -------
    callable
        Raises `ClientScriptError` when no client script is configured, or when there is no such file.
        Whether it can be executed is judged when it is run.
    """
    return access(f, fill_in_client)


def find_client_script(render: Any = None, **settings: Any) -> str | None:
    """Return the client script that a call should run, or None where none is configured.

    Parameters
    ----------
    render : Render, optional
        Connection.
    **settings
        ``client_script`` and ``client_scripts`` of the call; the rest is ignored.

    Returns
    -------
    str or None
        Path of the script; whether it is there is not looked at.
    """
    places = [
        settings,
        {"client_script": getattr(render, "client_script", None)},
        {"client_scripts": getattr(render, "DEFAULT_CLIENT_SCRIPTS", None)},
        {name: environment_setting(name) for name in ("client_script", "client_scripts")},
    ]
    for place in places:
        if place.get("client_script"):
            return str(place["client_script"])
        if place.get("client_scripts"):
            return RenderClient.clientscript_from_clientscripts(place["client_scripts"])
    return None


def fill_in_client(callee: Any, render: Any, kwargs: dict[str, Any]) -> None:
    """Complete a call as `renderapi.http.access.fill_in_connection` does, and with the script and its memory.

    Parameters
    ----------
    callee : renderapi.http.access.Callee
        The function that is called.
    render : Render, optional
        Connection.
    kwargs : dict
        Keywords of the call; those that are missing or None are filled in.

    Raises
    ------
    ClientScriptError
        If no client script is configured, or there is no such file.
    """
    script = find_client_script(**{"render": render, **kwargs})
    if script is None or script != getattr(render, "client_script", None):
        # the script of a RenderClient was looked at when the connection was made, unless that was not wanted
        check_client_script(script, runs_now=False)
    fill_in_connection(callee, render, kwargs)
    if "client_script" in callee.accepts:
        kwargs["client_script"] = script
    if "memGB" in callee.accepts and not kwargs.get("memGB"):
        kwargs["memGB"] = environment_setting("memGB")
