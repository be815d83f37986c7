"""Which engine does a piece of bulk work: the Java clients, or the same work in Python with numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from renderapi._project import Project
from renderapi.client.java.arguments import JavaRun
from renderapi.client.utils import fill_in_client, find_client_script
from renderapi.http.access import access, fill_in_connection
from renderapi.http.urls import required
from renderapi.render import Render, RenderClient, environment_setting

if TYPE_CHECKING:
    import requests

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


@dataclass(frozen=True)
class Run:
    """A piece of bulk work: the project that it is for, and who does it.

    Attributes
    ----------
    project : Project
        What it reads from and writes to.
    java : JavaRun or None
        How Java does it; None where it is done here, in Python.
    """

    project: Project
    java: JavaRun | None


def run_of(
    host: str | None,
    port: int | None,
    owner: str | None,
    project: str | None,
    render: Render | None,
    client_script: str | None = None,
    memGB: str | None = None,
    subprocess_mode: str | None = None,
    *,
    engine: str | None = None,
    use_rest: bool = False,
    session: requests.Session | None = None,
    client_scripts: str | None = None,
    **options: Any,
) -> Run:
    """Make one value of the connection of a call and of its choice of an engine.

    Parameters
    ----------
    host, port, owner, project, render, session
        Connection.
    client_script, memGB, subprocess_mode : str, optional
        How Java is run, see `renderapi.client.java.arguments.JavaRun`.
    engine : {None, "java", "python"}
        What the caller wants, see `uses_java`.
    use_rest : bool
        Do it here, whatever the engine.
    client_scripts : str, optional
        Folder of the client script, where that is not named itself.
    **options
        What else there is in the call: of it the streams and the time limit of Java are taken.

    Returns
    -------
    Run
        The value.

    Raises
    ------
    ConnectionSettingsError
        If a setting is not known.
    ValueError
        If there is no such engine.
    """
    for name, value in (("host", host), ("owner", owner), ("project", project)):
        required(name, value)
    at = Project(host, port, owner, project, session, render)
    if use_rest or not uses_java(render, engine, client_script=client_script, client_scripts=client_scripts):
        return Run(at, None)
    if client_script is None and client_scripts:
        client_script = RenderClient.clientscript_from_clientscripts(client_scripts)
    return Run(at, JavaRun.of(client_script, memGB, subprocess_mode, **options))


def java_keywords(at: Project, java: JavaRun) -> dict[str, Any]:
    """Return the keywords with which a function of a client runs Java; other processes can have them too."""
    place = {"host": at.host, "port": at.port, "owner": at.owner, "project": at.project}
    return {**place, "engine": "java", **java.keywords()}
