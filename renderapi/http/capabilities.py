"""What a server can do: which render-ws it is, and which endpoints it has.

Two branches of render are in use, ``master`` and ``newsolver``, and the embedded server of this package follows
either. Each has endpoints that the other lacks: `only_of` marks the functions for them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests

from renderapi import errors
from renderapi.http import transport
from renderapi.http.access import Connection
from renderapi.http.urls import format_baseurl, required

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

#: Seconds for a connection and an answer: a description comes at once, or a proxy does not let it through.
_PATIENCE = (5.0, 15.0)
#: Paths that only one branch has.
_SIGNS = (("newsolver", "/resolvedTilesWithMatchesFrom/"), ("master", "/hierarchicalData"))
_EMBEDDED = "embedded server of renderapi"
_METHODS = ("get", "put", "post", "delete")


@dataclass(frozen=True)
class ServerInfo:
    """What a server says of itself, as `renderapi.render.Render.server` has it.

    Attributes
    ----------
    kind : {"master", "newsolver", "embedded", "unknown"}
        A render-ws of one of its branches, or the server of this package. One that describes no endpoints, or
        whose description a proxy keeps back, is unknown.
    version : str or None
        Version of the server, if it tells.
    branch : {"master", "newsolver"} or None
        Branch of render that it is of, or, of an embedded server, that it follows; None where it is unknown.
    endpoints : frozenset of str
        Method and path of each endpoint that it lists, as in :doc:`/endpoints`; empty where it is unknown.
    """

    kind: str = "unknown"
    version: str | None = None
    branch: str | None = None
    endpoints: frozenset[str] = field(default=frozenset(), repr=False)

    def has(self, method: str, path: str) -> bool | None:
        """Tell whether the server lists an endpoint.

        Parameters
        ----------
        method : str
            ``"GET"``, ``"PUT"``, ``"POST"`` or ``"DELETE"``.
        path : str
            Below ``/render-ws/v1``, with names in braces for what varies, or with values for them.

        Returns
        -------
        bool or None
            None if the server lists nothing.

        Examples
        --------
        >>> server = ServerInfo("master", endpoints=frozenset({"GET /owner/{owner}/stackIds"}))
        >>> server.has("GET", "/owner/{owner}/stackIds"), server.has("GET", "/owner/me/stackIds")
        (True, True)
        >>> server.has("DELETE", "/owner/me/stackIds")
        False
        """
        if not self.endpoints:
            return None
        wanted = f"{method.upper()} /{path.strip('/')}"
        return wanted in self.endpoints or any(
            re.fullmatch(_pattern(endpoint), wanted) for endpoint in self.endpoints
        )

    def __str__(self) -> str:
        kind = f"{self.kind} as {self.branch}" if self.kind == "embedded" else self.kind
        return f"{kind} {self.version}" if self.version else kind


@functools.lru_cache(maxsize=1024)
def _pattern(endpoint: str) -> str:
    return "[^/]+".join(map(re.escape, re.split(r"{[^}]*}", endpoint)))


def branch_of(paths: Iterable[str]) -> str | None:
    """Return the branch of render that has such paths, or None if none of them tells."""
    found = list(paths)
    return next((branch for branch, sign in _SIGNS if any(sign in path for path in found)), None)


def describe(session: requests.Session | None, base: str) -> ServerInfo:
    """Ask a server what it is.

    Parameters
    ----------
    session : requests.Session or None
        Session to ask with.
    base : str
        URL that its services begin with, as `renderapi.render.format_baseurl` gives it.

    Returns
    -------
    ServerInfo
        What is known of it.

    Raises
    ------
    ServerUnreachableError, ServerTimeoutError
        If it answers nothing at all. A refusal is an answer: the server stays unknown.
    """
    described, failure = _ask(session, f"{base.removesuffix('/v1')}/swagger.json")
    info, paths = described.get("info"), described.get("paths")
    endpoints = frozenset(
        f"{method.upper()} {path.removeprefix('/v1').rstrip('/')}"
        for path, methods in (paths.items() if isinstance(paths, dict) else ())
        for method in _METHODS
        if method in methods
    )
    branch = branch_of(endpoints)
    info = info if isinstance(info, dict) else {}
    if _EMBEDDED in str(info.get("title")):
        return ServerInfo("embedded", str(info.get("version")), branch, endpoints)
    versions, silence = _ask(session, f"{base}/versionInfo")
    if failure is not None and silence is not None:
        raise silence
    version = versions.get("git.build.version")
    return ServerInfo(branch or "unknown", None if version is None else str(version), branch, endpoints)


def _ask(session: requests.Session | None, url: str) -> tuple[dict[str, Any], Exception | None]:
    """Return a document, empty if the server has none to give, and why there was no answer."""
    try:
        document = transport.decode_optional(transport.send(session, "GET", url, timeout=_PATIENCE))
    except errors.RenderError:
        return {}, None
    except requests.RequestException as error:
        return {}, error
    return (document if isinstance(document, dict) else {}), None


def is_unknown_path(error: errors.RenderError) -> bool:
    """Tell whether it is the path that a server does not know, not what it names.

    Of a stack or tile that is not there a render-ws says so in words; of a path it says little.
    """
    text = (error.server_text or "").strip()
    nothing = not text or text.startswith("<") or "Could not find resource" in text
    return error.status_code == 405 or (error.status_code == 404 and nothing)


def only_of(branch: str, what: str, instead: str) -> Callable[[Decorated], Decorated]:
    """Declare that only one branch of render has the endpoint that a function asks for.

    Where a server does not know the path it is asked, once for its connection, what it is; in the good case
    nothing more is sent.

    Parameters
    ----------
    branch : {"master", "newsolver"}
        The branch.
    what : str
        What others lack, for ``has no ...``.
    instead : str
        What to do there: a sentence.

    Returns
    -------
    callable
        Decorator of such a function.

    Raises
    ------
    EndpointMissingError
        By the function, if the server is one of those that lack it.
    """

    def declare(f: Decorated) -> Decorated:
        @functools.wraps(f)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                return f(*args, **kwargs)
            except (errors.NotFoundError, errors.BadRequestError) as error:
                if not is_unknown_path(error):
                    raise
                server = _server_of(kwargs)
                if server.branch == branch:
                    raise
                request = f"{error.method} {error.url} answered {error.status_code}"
                if server.branch is None:
                    kind: type[errors.RenderError] = type(error)
                    text = f"{request}. Only servers of render's branch {branch} have {what}. {instead}"
                else:
                    kind = errors.EndpointMissingError
                    text = f"{request}: this server ({server}) has no {what}. {instead}"
                lacking = kind(text)
                lacking.__dict__.update(error.__dict__)
                raise lacking from None

        wrapper.only_of = branch  # type: ignore[attr-defined]
        return wrapper  # type: ignore[return-value]

    return declare


def _server_of(call: dict[str, Any]) -> ServerInfo:
    """Return what is known of the server of a call; that it cannot be found out is no further error."""
    try:
        render = call.get("render")
        if isinstance(render, Connection):
            defaults = render.call_defaults()
            if all(call.get(name) == defaults[name] for name in ("host", "port")):
                info: Any = render.server
                if isinstance(info, ServerInfo):  # subclasses may have something else of that name
                    return info
        base = format_baseurl(required("host", call.get("host")), call.get("port"))
        return describe(call.get("session"), base)
    except (errors.RenderError, requests.RequestException):
        return ServerInfo()
