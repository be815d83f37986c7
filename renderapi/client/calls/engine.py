"""Which engine does a piece of bulk work: the Java clients, or the same work in Python with numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from renderapi.client.utils import fill_in_client, find_client_script
from renderapi.http.access import access, fill_in_connection
from renderapi.render import environment_setting

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

ENGINES = ("java", "python")
#: Keywords that the functions of both engines read beside those of their signature.
ENGINE_OPTIONS = ("progress", "batch_size")


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

    Returns
    -------
    bool
        Without ``engine``: whether a client script is named, or lies in the folder of scripts.

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
