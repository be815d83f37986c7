"""What lets a function take ``render=``: the decorator that fills connection settings into a call."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from renderapi.errors import RenderWarning
from renderapi.http import transport
from renderapi.http.environment import ENVIRONMENT, as_port, environment_setting
from renderapi.http.transport import SETTING_NAMES

if TYPE_CHECKING:
    import requests

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

#: What a program may spread into any function of the package: settings of connections and of client runs.
CONNECTION_KEYWORDS = (
    frozenset(ENVIRONMENT)
    | frozenset(SETTING_NAMES)
    | {
        "create_session",
        "errors",
        "force_http",
        "render",
        "session",
        "url",
        "validate_client",
        "web_only",
    }
)
_FROM_ENVIRONMENT = ("host", "port", "owner", "project", "client_scripts")


class Connection:
    """What a function may be given as ``render=``: the side of a `Render` that `renderaccess` needs."""

    def session_for(self, session: requests.Session | None) -> requests.Session:
        """Return the session to send with: this connection's, or `session` under this connection's settings."""
        raise NotImplementedError

    def call_defaults(self) -> dict[str, Any]:
        """Return what is filled into a call, but for the session."""
        raise NotImplementedError

    @property
    def server(self) -> Any:
        """What the server can do."""
        raise NotImplementedError


def renderaccess(f: Decorated) -> Decorated:
    """Let a function take ``render=`` for the connection settings among its parameters.

    Parameters that the caller leaves at None are filled in from the connection: host, port, owner, project,
    client_scripts, session (for a `RenderClient` also client_script and memGB); without a connection from
    the environment. Works on functions of your own; the bare function is ``f.__wrapped__``.

    Parameters
    ----------
    f : callable
        A function with any of those parameters, or ``**kwargs``.

    Returns
    -------
    callable

    Examples
    --------
    >>> import renderapi
    >>> from renderapi.render import renderaccess
    >>> @renderaccess
    ... def where(host=None, port=None, render=None):
    ...     return f"{host}:{port}"
    >>> where(render=renderapi.Render("http://localhost", 8080))
    'http://localhost:8080'
    """
    return access(f, fill_in_connection)


def access(f: Decorated, complete: Callable[..., Any]) -> Decorated:
    """Bind a function's signature once, and give a wrapper that completes the keywords of each call.

    Parameters
    ----------
    f : callable
        The function.
    complete : callable
        Called as ``complete(callee, render, kwargs)`` with a `Callee`, the connection or None, and the keywords
        of the call, which it fills in.

    Returns
    -------
    callable
        The wrapper; the function itself is its ``__wrapped__``.
    """
    callee = Callee(f)
    connection_index = callee.first_connection_index
    names = callee.positional

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for index, value in enumerate(args):
            if isinstance(value, Connection):
                callee.refuse_misplaced(index)
        if len(args) > connection_index:
            # connection parameters given by position: move them to their names, so that a None is filled in
            if len(args) > len(names):
                return f(*args, **kwargs)  # raises the TypeError that Python has for it
            for name, value in zip(names[connection_index:], args[connection_index:]):
                if name in kwargs:
                    raise TypeError(f"{wrapper.__name__}() got multiple values for argument {name!r}")
                kwargs[name] = value
            args = args[:connection_index]
        render = kwargs.get("render")
        if render is not None and not isinstance(render, Connection):
            raise ValueError(
                f"render must be a renderapi Render, as renderapi.connect() gives it, not {render!r:.100} "
                f"of type {type(render).__name__}"
            )
        complete(callee, render, kwargs)
        if callee.known is not None and not callee.known.issuperset(kwargs):
            warn_unknown(kwargs, f, callee.known)
        return f(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


class Callee:
    """What the decorator needs to know about a function, read once from its signature."""

    def __init__(self, f: Callable[..., Any]) -> None:
        parameters = inspect.signature(f).parameters
        self.positional = tuple(
            name for name, p in parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        )
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
        fillable = CONNECTION_KEYWORDS - {"render"}
        indices = [i for i, name in enumerate(self.positional) if name in fillable or name == "render"]
        self.first_connection_index = sys.maxsize if variadic or not indices else indices[0]
        self.accepts: frozenset[str] = frozenset(
            # `errors` is an option of the functions that declare it
            name
            for name in fillable
            if name in parameters or (takes_any and name != "errors")
        )
        self.wants_session = "session" in self.accepts
        #: connection settings among its parameters: without a connection they come from the environment
        self.settings = tuple(name for name in _FROM_ENVIRONMENT if name in parameters)
        self._name = getattr(f, "__name__", repr(f))
        self._ours = f.__module__.partition(".")[0] == __name__.partition(".")[0]
        #: keywords that the function knows; None where it is not ours to judge
        self.known: frozenset[str] | None = None
        if takes_any and self._ours:
            self.known = CONNECTION_KEYWORDS | frozenset(parameters) | frozenset(getattr(f, "accepts", ()))

    def refuse_misplaced(self, index: int) -> None:
        """Raise `TypeError` for a connection that stands where another positional argument is expected."""
        name = self.positional[index] if index < len(self.positional) else None
        # what functions of others do with connections is their affair, unless it is taken for a setting
        if name in (None, "render") or not (self._ours or index >= self.first_connection_index):
            return
        raise TypeError(
            f"{self._name}() got a connection by position, where {name} is expected: give it by name, render=..."
        )


def fill_in_connection(callee: Callee, render: Connection | None, kwargs: dict[str, Any]) -> None:
    """Complete a call with the settings of a connection, without one with those of the environment.

    Parameters
    ----------
    callee : Callee
        The function that is called.
    render : Render, optional
        Connection.
    kwargs : dict
        Keywords of the call; those that are missing or None are filled in.
    """
    if render is None:
        for name in callee.settings:
            if kwargs.get(name) is None:
                value = environment_setting(name)
                kwargs[name] = as_port(value) if name == "port" else value
        if callee.wants_session and kwargs.get("session") is None:
            kwargs["session"] = transport.default_session()
        return
    for name, value in render.call_defaults().items():
        if name in callee.accepts and kwargs.get(name) is None:
            kwargs[name] = value
    if callee.wants_session:
        kwargs["session"] = render.session_for(kwargs.get("session"))


def accepts(*names: str) -> Callable[[Decorated], Decorated]:
    """Declare keywords that a function reads from its ``**kwargs``, so that they get no warning.

    Parameters
    ----------
    *names : str
        The keywords.

    Returns
    -------
    callable
        Decorator.
    """

    def declare(f: Decorated) -> Decorated:
        f.accepts = names  # type: ignore[attr-defined]
        return f

    return declare


def warn_unknown(
    names: Iterable[str], f: Callable[..., Any], known: frozenset[str], only_misspelt: bool = False
) -> None:
    """Warn of keywords that a function does not know and will ignore.

    Parameters
    ----------
    names : iterable of str
        Keywords of the call.
    f : callable
        The function, for its name.
    known : frozenset of str
        What it knows.
    only_misspelt : bool
        Stay silent about keywords that resemble none of the known ones.
    """
    for name in names:
        if name in known:
            continue
        closest = _closest(name, known)
        if only_misspelt and closest is None:
            continue
        hint = f"; did you mean {closest}?" if closest else ""
        warnings.warn(
            f"{f.__name__}() does not know the keyword {name!r}, which is ignored{hint}",
            RenderWarning,
            stacklevel=3,
        )


@functools.lru_cache(maxsize=256)  # the comparison takes as long as a request
def _closest(name: str, known: frozenset[str]) -> str | None:
    from difflib import get_close_matches

    close = get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return close[0] if close else None
