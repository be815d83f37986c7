"""Connections to a render server.

`connect` makes a `Render` (or a `RenderClient`, where Java client scripts are configured) that every function
of the package takes as ``render=``; `renderaccess` is the decorator that lets them. URLs, decorator and
environment have rooms of their own (`renderapi.http`) and are named here too,
because here is where programs look for them.
"""

from __future__ import annotations

import inspect
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from renderapi._pages import card, never_failing
from renderapi.errors import (
    BadAnswerError,
    ClientScriptError,
    ConnectionSettingsError,
    NotFoundError,
    RenderWarning,
)
from renderapi.http import transport
from renderapi.http.access import (
    CONNECTION_KEYWORDS,
    Connection,
    accepts,
    access,
    renderaccess,
    warn_unknown,
)
from renderapi.http.capabilities import ServerInfo, branch_of, describe, is_unknown_path
from renderapi.http.environment import ENVIRONMENT, as_port, ask_for, environment_setting, set_by
from renderapi.http.transport import SETTING_NAMES, RenderSession, SessionPool, SessionView, Settings
from renderapi.http.urls import (
    format_baseurl,
    format_number,
    format_preamble,
    host_and_port,
    join_url,
    owner_url,
    required,
    server_url,
    split_url,
    stack_url,
    without_credentials,
)
from renderapi.utils import NullHandler, defaultifNone, fitargspec, get_json

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "CONNECTION_KEYWORDS",
    "ENVIRONMENT",
    "ClientScriptError",
    "NullHandler",
    "Render",
    "RenderClient",
    "ServerInfo",
    "accepts",
    "access",
    "check_client_script",
    "connect",
    "defaultifNone",
    "environment_setting",
    "fitargspec",
    "format_baseurl",
    "format_number",
    "format_preamble",
    "get_branch",
    "get_json",
    "get_owners",
    "get_projects",
    "get_projects_by_owner",
    "get_stack_ids_by_owner",
    "get_stack_ids_by_project",
    "get_stack_metadata_by_owner",
    "get_stack_metadata_by_project",
    "get_stacks_by_owner_project",
    "join_url",
    "logger",
    "owner_url",
    "renderaccess",
    "stack_url",
]

_DEFAULT_HEAP = "1G"


class Render(Connection):
    """A connection: which server, which owner and project by default, and how to ask.

    Parameters
    ----------
    host : str, optional
        Host with scheme, and path prefix if a proxy has one.
    port : int, optional
        Port; None for that of the scheme.
    owner, project : str, optional
        Used where a function is given none.
    client_scripts : str, optional
        Folder of the render-ws-java-client scripts.
    session : requests.Session, optional
        A session of your own, used as it is. Default: one pooled, retrying session for each thread.
    create_session : bool
        Accepted for old programs; sessions are made when needed.
    **kwargs
        ``timeout=``, ``retries=``, ``verify=``, ``auth=``, ``headers=``, ``pool=``, ``total=``,
        ``direct=`` and ``errors=`` as for `connect`; everything else is ignored.

    Notes
    -----
    A connection is cheap, immutable in practice, safe to share between threads, and pickles: another process
    opens connections of its own.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | str | None = None,
        owner: str | None = None,
        project: str | None = None,
        client_scripts: str | None = None,
        session: requests.Session | None = None,
        create_session: bool = True,
        **kwargs: Any,
    ) -> None:
        self.DEFAULT_PORT = as_port(port)
        self.DEFAULT_HOST = host_and_port(host, self.DEFAULT_PORT)[0] if isinstance(host, str) else host
        self.DEFAULT_PROJECT = project
        self.DEFAULT_OWNER = owner
        self.DEFAULT_CLIENT_SCRIPTS = client_scripts
        self._settings = Settings(**{name: kwargs[name] for name in SETTING_NAMES if name in kwargs})
        self._errors = _error_mode(kwargs.get("errors"))
        self._own_session = None if session is None else self._with_settings(session)
        self._sessions = SessionPool(self._settings)
        if not (self._settings.retries is None and self._settings.pool is None):
            self._warn_of_own_session()

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "session" in state:
            # pickled by render-python 2: no settings, and a session that may carry headers of the user
            session = state.pop("session")
            settings = Settings()
            state |= {"_settings": settings, "_errors": "raise", "_own_session": session,
                      "_sessions": SessionPool(settings)}  # fmt: skip
        self.__dict__.update(state)

    def _warn_of_own_session(self) -> None:
        if isinstance(self._own_session, SessionView):
            warnings.warn(
                "retries= and pool= do not apply to a session of your own: mount a "
                "requests.adapters.HTTPAdapter(max_retries=..., pool_maxsize=...) on it",
                RenderWarning,
                stacklevel=4,
            )

    def _with_settings(self, session: requests.Session) -> requests.Session:
        ours = isinstance(session, (SessionView, RenderSession)) and session.settings == self._settings
        if ours or self._settings.is_default():
            return session
        return SessionView(session, self._settings)

    @property
    def session(self) -> requests.Session:
        """The session of the running thread, or the caller's own.

        What is changed on the session of a thread counts for that thread only: settings for all of them
        are given to `connect` or `options`.
        """
        return self._own_session if self._own_session is not None else self._sessions.get()

    @session.setter
    def session(self, session: requests.Session | None) -> None:
        self._own_session = None if session is None else self._with_settings(session)

    @property
    def timeout(self) -> tuple[float, float]:
        """Seconds to wait for a connection, and for an answer."""
        return self._settings.effective_timeout()

    @property
    def server(self) -> ServerInfo:
        """What the server can do: which render-ws it is, its version, its endpoints.

        It is asked when this is first read, by two requests at most, for all threads; after pickling again.

        Returns
        -------
        ServerInfo
            Of kind ``"unknown"`` where the server, or a proxy in front of it, tells nothing.

        Raises
        ------
        ServerUnreachableError, ServerTimeoutError
            If there is no answer at all.
        """
        if "server" in self.__dict__:
            info: ServerInfo = self.__dict__["server"]
            return info
        base = format_baseurl(required("host", self.DEFAULT_HOST), self.DEFAULT_PORT)
        info = self._sessions.remembered(base, lambda: describe(self.session, base))
        return info

    @server.setter
    def server(self, server: Any) -> None:
        # subclasses of programs had this name to themselves
        self.__dict__["server"] = server

    @property
    def DEFAULT_KWARGS(self) -> dict[str, Any]:
        """What `make_kwargs` gives without arguments."""
        return self.make_kwargs()

    def make_kwargs(
        self,
        host: str | None = None,
        port: int | None = None,
        owner: str | None = None,
        project: str | None = None,
        client_scripts: str | None = None,
        session: requests.Session | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the keyword arguments of a call: what is given here, else the defaults of this connection.

        Parameters
        ----------
        host, port, owner, project, client_scripts, session
            What differs from this connection; None does not.
        **kwargs
            Added as they are.

        Returns
        -------
        dict
            Ready to be spread into any function of the package, and into `connect`.
        """
        if self._errors != "raise":
            kwargs.setdefault("errors", self._errors)
        return {
            "host": defaultifNone(host, self.DEFAULT_HOST),
            "port": defaultifNone(port, self.DEFAULT_PORT),
            "owner": defaultifNone(owner, self.DEFAULT_OWNER),
            "project": defaultifNone(project, self.DEFAULT_PROJECT),
            "client_scripts": defaultifNone(client_scripts, self.DEFAULT_CLIENT_SCRIPTS),
            "session": self.session_for(session),
            **kwargs,
        }

    def session_for(self, session: requests.Session | None) -> requests.Session:
        """Return the session to send with: this connection's, or `session` under this connection's settings.

        Parameters
        ----------
        session : requests.Session or None
            A session of the caller; it is not changed.

        Returns
        -------
        requests.Session
        """
        return self.session if session is None else self._with_settings(session)

    def call_defaults(self) -> dict[str, Any]:
        """Say what `renderaccess` fills into a call, but for the session.

        Returns
        -------
        dict
            Keywords and values; None where the connection has no default.
        """
        return {
            "host": self.DEFAULT_HOST,
            "port": self.DEFAULT_PORT,
            "owner": self.DEFAULT_OWNER,
            "project": self.DEFAULT_PROJECT,
            "client_scripts": self.DEFAULT_CLIENT_SCRIPTS,
            "errors": self._errors,
        }

    def run(self, f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function with this connection: ``f(*args, render=self, **kwargs)``.

        Parameters
        ----------
        f : callable
            A function that takes ``render=``.
        *args, **kwargs
            Its other arguments.

        Returns
        -------
        object
            What the function returned.
        """
        kwargs["render"] = self
        return f(*args, **kwargs)

    def options(self, **changes: Any) -> Render:
        """Return a copy of this connection with other settings.

        Parameters
        ----------
        **changes
            ``timeout=``, ``retries=``, ``verify=``, ``auth=``, ``headers=``, ``pool=``, ``total=``,
            ``direct=``, ``errors=``, ``session=``, ``host=``, ``port=``, ``owner=``, ``project=``,
            ``client_scripts=``, and for a `RenderClient` ``client_script=`` and ``memGB=``.

        Returns
        -------
        Render
            Of the same class; this one stays as it is.

        Examples
        --------
        >>> import renderapi
        >>> render = renderapi.Render("http://localhost", 8080, "me", "project")
        >>> render.options(timeout=5).timeout
        (5, 5)
        """
        settings = {name: changes.pop(name) for name in SETTING_NAMES if name in changes}
        attributes = {name: f"DEFAULT_{name.upper()}" for name in
                      ("host", "port", "owner", "project", "client_scripts")}  # fmt: skip
        attributes.update({name: name for name in ("client_script", "memGB") if hasattr(self, name)})
        unknown = changes.keys() - attributes.keys() - {"session", "errors"}
        if unknown:
            known = sorted({*SETTING_NAMES, *attributes, "session", "errors"})
            raise TypeError(f"no option {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._settings = self._settings.changed(**settings)
        for name, value in changes.items():
            if name == "errors":
                other._errors = _error_mode(value)
            elif name != "session":
                setattr(other, attributes[name], as_port(value) if name == "port" else value)
        base = changes.get("session", self._own_session)
        if isinstance(base, SessionView):
            base = base.session
        other._own_session = None if base is None else other._with_settings(base)
        other._sessions = SessionPool(other._settings)
        if "retries" in settings or "pool" in settings:
            other._warn_of_own_session()
        return other

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send any request to the server, for what has no function here.

        Parameters
        ----------
        method : str
            ``"GET"``, ``"PUT"``, ``"POST"`` or ``"DELETE"``.
        path : str
            Path below ``/render-ws/v1``, for instance ``"owner/me/stackIds"``; parts that may hold slashes
            or blanks must be quoted.
        **kwargs
            ``params=`` (query), ``document=`` (a JSON body), and what `requests.Session.request` takes.

        Returns
        -------
        requests.Response
            The answer, if it is a success.

        Raises
        ------
        RenderError
            The subclass that the status stands for.
        requests.exceptions.ConnectionError, requests.exceptions.Timeout
            If there is no answer.
        """
        base = format_baseurl(required("host", self.DEFAULT_HOST), self.DEFAULT_PORT)
        if "json" in kwargs:
            kwargs["document"] = kwargs.pop("json")
        return transport.send(self.session, method.upper(), f"{base}/{path.lstrip('/')}", **kwargs)

    def close(self) -> None:
        """Close the connections that were opened; a session of the caller's stays open."""
        self._sessions.close()

    def __enter__(self) -> Render:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, without session and credentials: for JSON and comparison."""
        return {
            "host": without_credentials(self.DEFAULT_HOST) if self.DEFAULT_HOST else self.DEFAULT_HOST,
            "port": self.DEFAULT_PORT,
            "owner": self.DEFAULT_OWNER,
            "project": self.DEFAULT_PROJECT,
            "client_scripts": self.DEFAULT_CLIENT_SCRIPTS,
        }

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.to_dict().values()))

    @never_failing
    def _repr_html_(self) -> str:
        # of the settings that have no secrets in them
        return card(type(self).__name__, self.to_dict().items())

    def __repr__(self) -> str:
        values = (f"{name}={value!r}" for name, value in self.to_dict().items() if value is not None)
        return f"{type(self).__name__}({', '.join(values)})"


class RenderClient(Render):
    """A connection that also knows the Java client scripts.

    Parameters
    ----------
    client_script : str, optional
        Path of ``run_ws_client.sh``; default: the one in `client_scripts`.
    memGB : str, optional
        Memory of the Java machine (``"2G"``); default ``RENDER_CLIENT_HEAP``, else 1G.
    validate_client : bool
        Whether the script must exist.
    *args, **kwargs
        As for `Render`.

    Raises
    ------
    ClientScriptError
        If there is no such script and `validate_client` is set.
    """

    client_script_wrapper: ClassVar[str] = "run_ws_client.sh"

    def __init__(
        self,
        client_script: str | None = None,
        memGB: str | None = None,
        validate_client: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if client_script is None and self.DEFAULT_CLIENT_SCRIPTS:
            client_script = self.clientscript_from_clientscripts(self.DEFAULT_CLIENT_SCRIPTS)
        if validate_client:
            check_client_script(client_script, runs_now=False)
        self.client_script = client_script
        self.memGB = memGB or environment_setting("memGB") or _DEFAULT_HEAP

    @classmethod
    def clientscript_from_clientscripts(cls, client_scripts: str) -> str:
        """Return the path of the script that runs any client, in a folder of client scripts.

        Parameters
        ----------
        client_scripts : str
            The folder.

        Returns
        -------
        str
        """
        return str(Path(client_scripts) / cls.client_script_wrapper)

    def make_kwargs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As `Render.make_kwargs`, with ``client_script`` and ``memGB``."""
        client_script = kwargs.pop("client_script", None)
        memGB = kwargs.pop("memGB", None)
        return {
            **super().make_kwargs(*args, **kwargs),
            "client_script": defaultifNone(client_script, self.client_script),
            "memGB": defaultifNone(memGB, self.memGB),
        }

    def call_defaults(self) -> dict[str, Any]:
        """Say what `renderaccess` fills into a call: of a `Render`, and the script and memory of Java."""
        return {**super().call_defaults(), "client_script": self.client_script, "memGB": self.memGB}

    def to_dict(self) -> dict[str, Any]:
        """As `Render.to_dict`, with ``client_script`` and ``memGB``."""
        return {**super().to_dict(), "client_script": self.client_script, "memGB": self.memGB}


def check_client_script(client_script: str | None, runs_now: bool = True) -> None:
    """Raise `ClientScriptError` unless a client script is a file and, if it `runs_now`, can be run.

    Parameters
    ----------
    client_script : str or None
        Path of the script.
    runs_now : bool
        Whether it must be executable, too. Default True.
    """
    if not client_script:
        raise ClientScriptError(
            "no Java client script is configured: give connect(client_scripts=FOLDER), or set "
            "RENDER_CLIENT_SCRIPTS to the folder that holds run_ws_client.sh"
        )
    if not Path(client_script).is_file():
        named = set_by("client_script", client_script) or set_by(
            "client_scripts", str(Path(client_script).parent)
        )
        raise ClientScriptError(f"client script {client_script} not found: it is not a file{named}")
    if runs_now and not os.access(client_script, os.X_OK):
        raise ClientScriptError(f"client script {client_script} is not executable: chmod +x it")


def _error_mode(mode: str | None) -> str:
    if mode not in (None, "raise", "return"):
        raise ConnectionSettingsError(f"errors is {mode!r}; it must be 'raise' or 'return'")
    return mode or "raise"


def connect(
    host: str | None = None,
    port: int | str | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_scripts: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    force_http: bool = True,
    validate_client: bool = True,
    web_only: bool = False,
    session: requests.Session | None = None,
    *,
    url: str | None = None,
    timeout: transport.Timeout = None,
    retries: Any = None,
    verify: bool | str | None = None,
    auth: Any = None,
    headers: dict[str, str] | None = None,
    pool: int | None = None,
    errors: str | None = None,
    total: float | None = None,
    direct: bool | None = None,
    **kwargs: Any,
) -> Render:
    """Make a connection to a render server; nothing is sent yet.

    What is not given is looked up in the environment: ``DEFAULT_RENDER_HOST``, ``..._PORT``, ``..._OWNER``,
    ``..._PROJECT``, ``..._CLIENT_SCRIPTS``, then ``RENDER_HOST`` and so on, ``RENDER_CLIENT_SCRIPT`` and
    ``RENDER_CLIENT_HEAP``. In a terminal or notebook what is still missing is asked for.

    Parameters
    ----------
    host : str, optional
        Host, with or without ``http://`` or ``https://``.
    port : int, optional
        Port.
    owner, project : str, optional
        Used where a function is given none; an empty text is accepted.
    client_scripts : str, optional
        Folder of the render-ws-java-client scripts, for work to be done by Java.
    client_script : str, optional
        The script itself, if it is not ``run_ws_client.sh`` in `client_scripts`.
    memGB : str, optional
        Memory of the Java machine, for instance ``"2G"``.
    force_http : bool
        Put ``http://`` before a host without a scheme.
    validate_client : bool
        Whether a client script that does not exist is left out. Without, it is believed.
    web_only : bool
        Make a plain `Render` even where client scripts are configured.
    session : requests.Session, optional
        A session of your own, used as it is.
    url : str, optional
        Instead of host and port: ``https://em.example.org/lab/render-ws``.
    timeout : float or (float, float), optional
        Seconds to wait for a connection, and for an answer. Default (10, 600).
    retries : int or urllib3.util.Retry, optional
        How often GET, PUT and DELETE are repeated when the connection fails or the server answers 502, 503
        or 504, with growing pauses. Default 5, or 3 where there is no connection
        at all. A POST is never repeated.
    verify : bool or str, optional
        TLS verification, or the file of certificates to trust. Default True.
    auth : tuple or requests authentication, optional
        For instance ``(user, password)``. A ``.netrc`` file is honoured without.
    headers : dict, optional
        Sent with every request.
    pool : int, optional
        Connections kept open for each thread. Default 16.
    errors : {"raise", "return"}, optional
        What image functions do with an answer that is no image: raise it, or give the `RenderError` back as
        render-python 2 did.
    total : float, optional
        Seconds for a whole call, with its repetitions and the last byte of its answer. Default: a minute and
        twice the timeout until an answer begins, and two minutes (or the timeout that is given here, if that is
        longer) from there to its end; an answer of 2 MB and more a second for each 16 kB.
    direct : bool, optional
        Go past the proxy of the environment (``HTTP_PROXY``). Default: only to addresses of this machine.
    **kwargs
        Ignored, so that a whole configuration can be spread here; a likely misspelling gets a warning.

    Returns
    -------
    Render
        A `RenderClient` where a client script is configured.

    Raises
    ------
    ConnectionSettingsError
        If settings are missing or impossible; a `ValueError` that names all of them. (A `ValueError`.)

    Examples
    --------
    >>> import renderapi
    >>> renderapi.connect("localhost", 8080, "me", "project", web_only=True)
    Render(host='http://localhost', port=8080, owner='me', project='project')
    """
    # whole configurations are spread into this function
    warn_unknown(kwargs, connect, _CONNECT_KEYWORDS, only_misspelt=True)
    if url is not None:
        host, port = split_url(url)
    given = {"host": host, "port": port, "owner": owner, "project": project}
    found = {name: environment_setting(name) if value is None else value for name, value in given.items()}
    if url is not None:
        found["port"] = port
    missing = [name for name, value in found.items() if value is None and not (url and name == "port")]
    if missing:
        found.update(ask_for(missing, {"port": as_port}))

    host = str(found["host"])
    if force_http and "://" not in host:
        host = f"http://{host}"
    connection: dict[str, Any] = {
        **found,
        "host": host,
        "client_scripts": defaultifNone(client_scripts, environment_setting("client_scripts")),
        "session": session,
        "timeout": timeout,
        "retries": retries,
        "verify": verify,
        "auth": auth,
        "headers": headers,
        "pool": pool,
        "errors": errors,
        "total": total,
        "direct": direct,
    }
    if web_only:
        return Render(**connection)
    if client_script is None and client_scripts is None:
        client_script = environment_setting("client_script")
    if not (client_script or connection["client_scripts"]):
        return Render(**connection)
    try:
        return RenderClient(
            client_script=client_script, memGB=memGB, validate_client=validate_client, **connection
        )
    except ClientScriptError as error:
        warnings.warn(f"no Java clients on this connection: {error}", RenderWarning, stacklevel=2)
        return Render(**connection)


_CONNECT_KEYWORDS = frozenset(inspect.signature(connect).parameters) | CONNECTION_KEYWORDS


@renderaccess
def get_branch(
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str | None:
    """Tell which branch of render a server is of.

    Labs run two: ``master``, and since 2022 ``newsolver``, which has filters of tiles, knows more queries and
    draws other pixels. Of an embedded server it is the branch that it follows (``compat``).

    Parameters
    ----------
    host, port, session, render
        Connection.

    Returns
    -------
    {"master", "newsolver"} or None
        By the paths that the server describes; where it describes none, by what it says of some stack. None if
        there is no stack either.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    services = format_baseurl(required("host", host), port)
    try:
        paths = list(get_json(session, f"{services.removesuffix('/v1')}/swagger.json")["paths"])
    except (BadAnswerError, NotFoundError, KeyError, TypeError):
        paths = []  # not shipped, or a proxy lets the services through only
    if branch := branch_of(paths):
        return branch
    for owner in get_json(session, join_url(services, "owners", "")):
        for found in _stack_ids(host, port, owner, session):
            url = stack_url(host, port, owner, found["project"], found["stack"], "hierarchicalData")
            try:
                transport.send(session, "GET", url)
            except NotFoundError as error:
                return "newsolver" if is_unknown_path(error) else "master"
            return "master"
    return None


@renderaccess
def get_owners(
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the owners of stacks.

    Parameters
    ----------
    host, port, session, render
        Connection.

    Returns
    -------
    list of str

    Raises
    ------
    RenderError
        If the server refuses.
    """
    return get_json(session, server_url(host, port, "owners", ""))  # type: ignore[no-any-return]


@renderaccess
def get_stack_metadata_by_owner(
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """List the metadata of all stacks of an owner.

    Parameters
    ----------
    owner : str, optional
        Owner; default that of the connection.
    host, port, session, render
        Connection.

    Returns
    -------
    list of dict
        StackMetaData documents, ordered by project and cycle.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    return get_json(session, owner_url(host, port, owner, "stacks", ""))  # type: ignore[no-any-return]


@renderaccess
def get_projects_by_owner(
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the projects of an owner that hold a stack.

    Parameters
    ----------
    owner : str, optional
        Owner; default that of the connection.
    host, port, session, render
        Connection.

    Returns
    -------
    list of str
        In the order of the server's stack list, each once.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    return list(dict.fromkeys(s["project"] for s in _stack_ids(host, port, owner, session)))


@renderaccess
def get_stacks_by_owner_project(
    owner: str | None = None,
    project: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the names of the stacks of a project.

    Parameters
    ----------
    owner, project : str, optional
        Default: those of the connection.
    host, port, session, render
        Connection.

    Returns
    -------
    list of str

    Raises
    ------
    RenderError
        If the server refuses.
    """
    wanted = required("project", project)
    return [s["stack"] for s in _stack_ids(host, port, owner, session) if s["project"] == wanted]


def _stack_ids(
    host: str | None, port: int | None, owner: str | None, session: requests.Session | None
) -> list[dict[str, str]]:
    url = owner_url(host, port, owner, "stacks", "")
    answer = get_json(session, url)
    try:
        return [{"project": m["stackId"]["project"], "stack": m["stackId"]["stack"]} for m in answer]
    except (KeyError, TypeError):
        raise BadAnswerError(
            f"GET {transport.redacted(url)} did not answer with a list of stack metadata", url=url
        ) from None


@renderaccess
def get_projects(
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the projects of an owner, as the server does.

    Parameters
    ----------
    host, port, owner, session, render
        Connection.

    Returns
    -------
    list of str

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "projects")
    answer: list[str] = get_json(session, url)
    return answer


@renderaccess
def get_stack_ids_by_owner(
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """List the ids of all stacks of an owner.

    Parameters
    ----------
    host, port, owner, session, render
        Connection.

    Returns
    -------
    list of dict
        ``owner``, ``project`` and ``stack`` of each.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "stackIds")
    answer: list[dict[str, Any]] = get_json(session, url)
    return answer


@renderaccess
def get_stack_ids_by_project(
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """List the ids of the stacks of a project.

    Parameters
    ----------
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of dict
        ``owner``, ``project`` and ``stack`` of each.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "project", required("project", project), "stackIds")
    answer: list[dict[str, Any]] = get_json(session, url)
    return answer


@renderaccess
def get_stack_metadata_by_project(
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """List the metadata of the stacks of a project.

    Parameters
    ----------
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of dict
        StackMetaData documents.

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "project", required("project", project), "stacks")
    answer: list[dict[str, Any]] = get_json(session, url)
    return answer
