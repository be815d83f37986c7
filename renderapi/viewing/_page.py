"""Pages of Neuroglancer, and what they are made of: its own files, and the stacks they show."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import tornado.web
from neuroglancer.server import Server
from neuroglancer.viewer_base import ViewerBase

from renderapi._parallel import DaemonExecutor
from renderapi.errors import NotFoundError, RenderError

# images that are asked for at a time
_THREADS = 6

logger = logging.getLogger("renderapi.viewing")

#: What answers for a part of a page, by its path: text as JSON, bytes, or None for what is not there.
Answering = Callable[[str], "Mapping[str, Any] | bytes | None"]


class _Viewer(ViewerBase):  # type: ignore[misc]
    # `neuroglancer.Viewer` belongs to the one server of the process, which others may have started or may stop
    def __init__(self, server: Server) -> None:
        self._server = server
        super().__init__(allow_credentials=False)  # those of its user's clouds are no business of this page

    def defer_callback(self, callback: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        self._server.loop.call_soon_threadsafe(lambda: callback(*arguments, **keywords))


class _Part(tornado.web.RequestHandler):
    """Answers for what a page asks of the stacks that it shows."""

    def initialize(self, parts: Mapping[str, Answering], executor: DaemonExecutor) -> None:
        self._parts, self._executor = parts, executor

    async def get(self, name: str, path: str) -> None:
        answering = self._parts.get(name)
        try:
            answer = (
                None
                if answering is None
                else await asyncio.wrap_future(self._executor.submit(answering, path))
            )
        except NotFoundError:
            answer = None
        except (RenderError, OSError, ValueError) as error:
            # the page itself shows no more than that something is missing
            logger.warning("%s of %s cannot be shown: %s", path, name, error)
            self.set_status(500)
            self.finish(str(error))
            return
        if answer is None:
            self.set_status(404)
            self.finish()
            return
        self.set_header("Cache-Control", "no-store")
        if isinstance(answer, bytes):
            self.set_header("Content-Type", "application/octet-stream")
        self.finish(answer)


class Page:
    """A page of Neuroglancer at this machine, until it is closed.

    Its address has a token that cannot be guessed, and so has all that the page asks for.

    Parameters
    ----------
    parts : mapping
        What answers for each name in the addresses that `source` gives.
    port : int
        Port to listen at; 0 for any that is free.

    Attributes
    ----------
    viewer
        State of the page, as `neuroglancer.Viewer` has it: ``with viewer.txn() as state: ...``.
    url : str
        Address of the page.
    """

    def __init__(self, parts: Mapping[str, Answering], port: int) -> None:
        # a port that is taken would leave a socket to tornado, which does not close it
        socket.create_server(("127.0.0.1", port)).close()
        self._executor = DaemonExecutor(_THREADS)
        self._lock = threading.Lock()
        self._open = True
        try:
            self._server = Server(bind_address="127.0.0.1", bind_port=port)
        except BaseException:
            self._executor.shutdown()
            raise
        try:
            self.viewer = _Viewer(self._server)
            self._server.viewers[self.viewer.token] = self.viewer
            self._base = f"{self._server.regular_server_url}/render/{self.viewer.token}"
            self._server.app.add_handlers(
                ".*",
                [
                    (
                        rf"/render/{self.viewer.token}/([^/]+)/(.+)",
                        _Part,
                        {"parts": parts, "executor": self._executor},
                    )
                ],
            )
            self.url = f"{self._server.regular_server_url}/v/{self.viewer.token}/"
        except BaseException:
            self.close()
            raise

    def source(self, name: str) -> str:
        """Return the address of a source of data, as a layer has it."""
        return f"precomputed://{self._base}/{name}"

    @property
    def is_open(self) -> bool:
        """Whether the page can be looked at."""
        return self._open

    def close(self) -> None:
        """Let the page go, its socket and its threads; safe to call again."""
        with self._lock:
            if self._open:
                self._open = False
                self._server.stop()
                self._server.executor.shutdown(wait=False)
                self._executor.shutdown()
