"""Running the application: on a socket until it is stopped, or in the background of a program."""

from __future__ import annotations

import contextlib
import gc
import logging
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import requests
from waitress import wasyncore
from waitress.server import create_server

from renderapi.errors import RenderError
from renderapi.http.urls import dashboard_url
from renderapi.server.http.app import MAX_BODY, Application, create_app
from renderapi.server.http.memory import MemoryAdapter
from renderapi.server.http.visitors import is_loopback
from renderapi.server.http.workers import Lanes
from renderapi.server.store import metadata
from renderapi.server.store.database import Store

if TYPE_CHECKING:
    from renderapi.render import Render

# bodies and answers up to this size stay in memory on their way, larger ones go through a file
_BUFFER = 16 << 20
# a client that reads slowly never stops a worker
_MOST_UNSENT = 1 << 40
_SWITCH_SECONDS = 0.001
# a client that has not sent its headers by then never will
HEADER_SECONDS = 10.0
# after that its body must have come faster, in bytes per second
BODY_RATE = 1000.0
# how long requests under way may go on when the server stops; what is cut off was not acknowledged
STOP_SECONDS = 3.0

logger = logging.getLogger("renderapi.server")


class ListenError(RenderError, OSError):
    """The server cannot listen at that address."""


class Listener:
    """An application on a socket.

    Parameters
    ----------
    app : WSGI application
        What answers.
    host : str
        Address to listen at; ``localhost`` is 127.0.0.1.
    port : int
        Port to listen at, 0 for a free one.
    max_body : int
        Largest body of a request, in bytes.

    Attributes
    ----------
    url : str
        Address of the application, with the port that was found.
    """

    def __init__(
        self, app: Application, host: str = "127.0.0.1", port: int = 0, max_body: int = MAX_BODY
    ) -> None:
        if host == "localhost":
            host = "127.0.0.1"
        self._workers = Lanes()
        self._map: dict[int, Any] = {}
        self._stopping = threading.Event()
        self._closed = False
        # since when the request of a connection is awaited
        self._awaited: dict[Any, tuple[Any, float]] = {}
        try:
            self._socket = _bind(host, port)
            self._server: Any = create_server(
                app,
                map=self._map,
                _dispatcher=cast(Any, self._workers),
                sockets=[self._socket],
                ident="renderapi",
                max_request_body_size=max_body,
                inbuf_overflow=_BUFFER,
                outbuf_overflow=_BUFFER,
                outbuf_high_watermark=_MOST_UNSENT,
                recv_bytes=1 << 18,
                connection_limit=1000,
                channel_timeout=600,
                # so that it is seen when a client goes away, and what it asked for is not begun
                channel_request_lookahead=1,
                log_socket_errors=False,
                clear_untrusted_proxy_headers=True,
                asyncore_use_poll=hasattr(select, "poll"),
            )
        except OSError as problem:
            raise ListenError(f"cannot listen at {host} port {port}: {problem}") from problem
        self._workers.start()
        self.host, self.port = self._socket.getsockname()[:2]
        # an address that means all of this machine's is none to connect to
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        shown = f"[{shown}]" if ":" in shown else shown
        self.url = f"http://{shown}:{self.port}/render-ws"

    def run(self) -> None:
        """Answer requests until `stop` is called or a signal is raised; then close everything."""
        try:
            while not self._stopping.is_set():
                wasyncore.loop(
                    timeout=1.0, use_poll=self._server.adj.asyncore_use_poll, map=self._map, count=1
                )
                self._cut_slow_requests()
        finally:
            self.close()

    def close(self) -> None:
        """Close everything, also of a listener that never ran; safe to call again."""
        if self._closed:
            return
        self._closed = True
        self._workers.join(STOP_SECONDS)
        # what the last requests answered is still sent
        for channel in list(self._server.active_channels.values()):
            if channel.total_outbufs_len and channel.connected:
                channel.socket.settimeout(1.0)
                channel.handle_write()
        wasyncore.close_all(self._map)

    def _cut_slow_requests(self) -> None:
        """Close connections that say nothing, or send too slowly; those kept alive may be silent."""
        now = time.monotonic()
        awaited = {}
        for channel in list(self._server.active_channels.values()):
            request = channel.request
            silent = (
                request is None and not channel.requests and channel.last_activity == channel.creation_time
            )
            if request is None and not silent:
                continue
            before, since = self._awaited.get(channel, (request, now))
            # the first bytes of a connection are no new beginning
            awaited[channel] = (request, since if before in (request, None) else now)
            late = now - awaited[channel][1] - HEADER_SECONDS
            in_body = request is not None and request.headers_finished
            if late > (request.body_bytes_received / BODY_RATE if in_body else 0):
                channel.will_close = True
        self._awaited = awaited

    def stop(self) -> None:
        """Let `run` return; may be called from any thread."""
        self._stopping.set()
        # the loop may have seen the event already, and closed the trigger that wakes it
        with contextlib.suppress(OSError):
            self._server.pull_trigger()


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except BaseException:
        listening.close()
        raise
    return listening


class BackgroundServer:
    """A render-ws beside a program, made by `serve_background`; use it in a ``with`` statement, or call `shutdown`.

    Attributes
    ----------
    url : str
        Address for `renderapi.connect`.
    store : Store
        Its database.
    app : Application
        Its application.
    """

    def __init__(self, store: Store, app: Application, listener: Listener | None) -> None:
        self.store = store
        self.app = app
        self._listener = listener
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self.url = "http://render-ws.memory/render-ws" if listener is None else listener.url
        if listener is not None:
            self._thread = threading.Thread(target=listener.run, name="renderapi-server", daemon=True)
            self._thread.start()

    def connect(self, owner: str | None = None, project: str | None = None, **settings: Any) -> Render:
        """Connect to this server.

        Parameters
        ----------
        owner, project : str, optional
            Default owner and project of the connection.
        **settings
            Further settings of `renderapi.connect`.

        Returns
        -------
        renderapi.render.Render
            A connection.
        """
        from renderapi.render import connect

        if self._listener is None and settings.get("session") is None:
            settings["session"] = self.session()
        if self._listener is not None:
            settings.setdefault("direct", True)  # no proxy of the environment is in between
        return connect(url=self.url, owner=owner, project=project, **settings)

    def session(self) -> requests.Session:
        """Make a session whose requests to `url` arrive here, in whatever way this server is reached."""
        session = requests.Session()
        if self._listener is None:
            session.mount(self.url, MemoryAdapter(self.app))
        return session

    def shutdown(self) -> None:
        """Finish the requests under way, then close sockets, threads and database; safe to call again."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            if self._listener is not None and self._thread is not None:
                self._listener.stop()
                self._thread.join()
            self.app.close()
            self.store.close()

    def __enter__(self) -> BackgroundServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        state = "stopped" if self._stopped else "running"
        return f"<BackgroundServer {self.url} over {self.store.folder or 'memory'}, {state}>"


def serve_background(
    path: str | Path | None = None,
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    transport: str = "socket",
    durable: bool = False,
    image_roots: Iterable[str | Path] = (),
    max_body: int = MAX_BODY,
    allow_hosts: Iterable[str] = (),
    **options: Any,
) -> BackgroundServer:
    """Start a render-ws in the background of this program.

    Parameters
    ----------
    path : str or path, optional
        Folder that keeps the data; by default they are in memory and gone with the server.
    port : int
        Port to listen at; 0, the default, takes a free one.
    host : str
        Address to listen at; the default can only be reached from this machine.
    transport : {"socket", "memory"}
        ``"memory"`` opens no socket: connections made with `BackgroundServer.connect` call the application
        directly.
    durable : bool
        Wait for the disk at every write; see `renderapi.server.Store`.
    image_roots : iterable of path
        Folders whose files may be opened when a tile spec names them.
    max_body : int
        Largest body of a request, in bytes.
    allow_hosts : iterable of str
        Names under which clients may come, beside ``host`` and those of this machine alone; see `create_app`.
    **options
        Further options of `create_app`, such as ``cors_origins``.

    Returns
    -------
    BackgroundServer
        Listening already; a context manager that shuts it down at the end.

    Raises
    ------
    StoreError
        If the folder cannot be used.
    ListenError
        If the address cannot be used.
    """
    if transport not in ("socket", "memory"):
        raise ValueError(f"transport is {transport!r}, not 'socket' or 'memory'")
    store = Store(path, durable)
    try:
        app = create_app(
            store, image_roots=image_roots, max_body=max_body, allow_hosts=(*allow_hosts, host), **options
        )
        _warn_of_no_folders(app)
        listener = None
        if transport == "socket":
            _warn_if_open(host)
            listener = Listener(app, host, port, max_body)
        return BackgroundServer(store, app, listener)
    except BaseException:
        store.close()
        raise


def _warn_if_open(host: str) -> None:
    if not is_loopback(host):
        print(
            f"Warning: listening at {host}, so every machine that reaches this one can read, change and "
            "delete the data: the server asks nobody for a password.",
            file=sys.stderr,
        )


def _warn_of_no_folders(app: Application) -> None:
    for root in app.server.drawing.roots:
        if not root.is_dir():
            print(
                f"Warning: the image root {root} is no folder, so no image can be read from it.",
                file=sys.stderr,
            )


def serve(
    data: str | Path,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    durable: bool = False,
    image_roots: Iterable[str | Path] = (),
    max_body: int = MAX_BODY,
    allow_hosts: Iterable[str] = (),
    **options: Any,
) -> None:
    """Run a render-ws until it is interrupted (Ctrl-C or SIGTERM).

    Parameters
    ----------
    data : str or path
        Folder that keeps the data; made if it is not there.
    host : str
        Address to listen at; the default can only be reached from this machine.
    port : int
        Port to listen at, 0 for a free one.
    durable, image_roots, max_body, allow_hosts, **options
        As for `serve_background`.
    """
    with Store(data, durable) as store:
        app = create_app(
            store, image_roots=image_roots, max_body=max_body, allow_hosts=(*allow_hosts, host), **options
        )
        _warn_of_no_folders(app)
        _warn_if_open(host)
        try:
            # who reads the address may stop the server at once
            with _stopped_by_signals(lambda: Listener(app, host, port, max_body)) as listener:
                print(
                    f"render-ws at {listener.url}, data in {Path(data).resolve()}\n"
                    f"dashboard at {listener.url}/view/index.html{_newest_stack(app, listener)}",
                    flush=True,
                )
                app.server.drawing.prepare()
                with _quick_turns():
                    listener.run()
        except KeyboardInterrupt:
            logger.info("interrupted")
        finally:
            app.close()


def _newest_stack(app: Application, listener: Listener) -> str:
    # what somebody who starts it again most likely wants to see
    with app.server.store.read() as connection:
        found = metadata.newest(connection)
    if found is None:
        return ""
    page = dashboard_url(
        listener.url.removesuffix("/render-ws"), None, "viewer", found.owner, found.project, found.stack
    )
    return f"\nnewest stack {found.owner}/{found.project}/{found.stack} at {page}"


@contextmanager
def _quick_turns() -> Iterator[None]:
    # whoever asks for a tile should not wait long for those who read a large body
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    # nor for the garbage collector to walk over the whole program, which stays as it is
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)


@contextmanager
def _stopped_by_signals(make: Callable[[], Listener]) -> Iterator[Listener]:
    """Make a listener that Ctrl-C and SIGTERM stop, from its first moment; in the end it is closed.

    An exception in the middle of the loop would leave what it was just at, a socket perhaps, to nobody. What is
    done before, such as opening the database, is interrupted as ever.
    """
    made: list[Listener] = []
    early: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if made:
            made[0].stop()
        else:
            early.append(number)

    before = {}
    try:
        # only the main thread may have signal handlers
        if threading.current_thread() is threading.main_thread():
            # a shell lets its background jobs ignore Ctrl-C, but whoever sends the signal to this process means it
            for number in (signal.SIGTERM, signal.SIGINT):
                before[number] = signal.signal(number, stop)
        listener = make()
        try:
            made.append(listener)
            if early:
                listener.stop()
            yield listener
        finally:
            listener.close()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
