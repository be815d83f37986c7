"""Which engine does a piece of bulk work: the Java clients, or the same work in Python with numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from renderapi._parallel import thread_session
from renderapi.client.java.arguments import box_words
from renderapi.client.utils import fill_in_client, find_client_script
from renderapi.http.access import access, fill_in_connection
from renderapi.http.urls import required
from renderapi.render import environment_setting

if TYPE_CHECKING:
    import requests

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

ENGINES = ("java", "python")
#: Keywords that the functions of both engines read beside those of their signature.
ENGINE_OPTIONS = ("progress", "batch_size")


@dataclass
class Project:
    """A project of a server, and how it is reached: what bulk work reads from and writes to."""

    host: str | None
    port: int | None
    owner: str | None
    project: str | None
    session: requests.Session | None
    render: Any = None

    def keywords(self) -> dict[str, Any]:
        """Return the connection keywords of the endpoint functions."""
        return {
            "host": self.host,
            "port": self.port,
            "owner": self.owner,
            "project": self.project,
            "session": self.session,
            "render": self.render,
        }

    def thread_session(self) -> requests.Session | None:
        """Return the session for the running thread: a caller's own, else one for each thread."""
        return thread_session(self.session, self.render)


def engineaccess(f: Decorated) -> Decorated:
    """Let a function take ``render=`` as `renderclientaccess` does, and work without a Java client script.

    Parameters
    ----------
    f : callable
        A function with the parameter ``engine``, which it gets as ``"java"`` or ``"python"``.

    Returns
    -------
    callable
        With ``engine=None`` it uses Java where a client script is configured (a folder counts if it holds the
        script), else Python.
    """
    return access(f, _call_with_engine)


def _call_with_engine(callee: Any, render: Any, kwargs: dict[str, Any]) -> None:
    if uses_java(**{"render": render, **kwargs}):
        fill_in_client(callee, render, kwargs)
        kwargs["engine"] = "java"
    else:
        fill_in_connection(callee, render, kwargs)
        kwargs["engine"] = "python"


def uses_java(render: Any = None, engine: str | None = None, **settings: Any) -> bool:
    """Tell whether a call is for Java.

    Parameters
    ----------
    render : Render, optional
        Connection.
    engine : {None, "java", "python"}
        What the caller wants.
    **settings
        ``client_script`` and ``client_scripts`` of the call; the rest is ignored.

    Raises
    ------
    ValueError
        If there is no such engine.
    """
    if engine is not None:
        if engine not in ENGINES:
            raise ValueError(f"engine is {engine!r}; it must be 'java' or 'python'")
        return engine == "java"
    script = find_client_script(render, **settings)
    named = (
        settings.get("client_script")
        or getattr(render, "client_script", None)
        or environment_setting("client_script")
    )
    return bool(named) or (script is not None and Path(script).is_file())


def connection_of(values: dict[str, Any], **changes: Any) -> Project:
    """Return the connection of a call.

    Parameters
    ----------
    values : dict
        ``host``, ``port``, ``owner``, ``project``, ``session`` and ``render`` of the call.
    **changes
        What of it is different.

    Raises
    ------
    ConnectionSettingsError
        If a setting is not known.
    """
    settings = {name: values.get(name) for name in ("host", "port", "owner", "project", "session", "render")}
    settings.update({name: value for name, value in changes.items() if value is not None})
    for name in ("host", "owner", "project"):
        required(name, settings[name])
    return Project(**settings)


def bounds_of(box: Mapping[str, Any] | None) -> tuple[float, float, float, float] | None:
    """Return minX, minY, maxX, maxY of a box in a layer, None where there is none.

    Raises
    ------
    ClientArgumentError
        If not all of its sides are given, or a minimum is above its maximum.
    """
    if box is None or not box_words(box):
        return None
    return float(box["minX"]), float(box["minY"]), float(box["maxX"]), float(box["maxY"])
