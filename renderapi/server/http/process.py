"""A render-ws in a process of its own, which a program starts, uses and stops.

It works on another core than the program, which a server in a thread of it cannot.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi.errors import RenderError

if TYPE_CHECKING:
    from renderapi.render import Render

_START_SECONDS = 60
_STOP_SECONDS = 30


class ServerProcess:
    """``renderapi serve`` as a child process; use it in a ``with`` statement, or call `shutdown`.

    Parameters
    ----------
    data : str or path
        Folder that keeps the data; made if it is not there.
    port : int
        Port to listen at; 0, the default, takes a free one.
    durable : bool
        Wait for the disk at every write.
    image_roots : iterable of path
        Folders whose files may be opened when a tile spec names them.

    Attributes
    ----------
    url : str
        Address for `renderapi.connect`.

    Raises
    ------
    RenderError
        If the server does not start; the error has what it printed.
    """

    def __init__(
        self,
        data: str | Path,
        port: int = 0,
        *,
        durable: bool = False,
        image_roots: Iterable[str | Path] = (),
    ) -> None:
        command = [sys.executable, "-m", "renderapi", "serve", "--data", str(data), "--port", str(port)]
        if durable:
            command.append("--durable")
        for root in image_roots:
            command += ["--image-root", str(root)]
        # stdin is a pipe that nobody writes to: it closes when this process is gone, however it ends, and
        # the server stops with it
        self._process = subprocess.Popen(  # noqa: S603
            [*command, "--with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the server in its turn
        )
        self._printed: deque[str] = deque(maxlen=20)
        self._drain = threading.Thread(target=self._read_errors, name="renderapi-server-log", daemon=True)
        self._drain.start()
        watchdog = threading.Timer(_START_SECONDS, self._process.kill)
        watchdog.start()
        try:
            assert self._process.stdout is not None  # noqa: S101 - for the type checker
            line = self._process.stdout.readline()
        except BaseException:
            self.shutdown()
            raise
        finally:
            watchdog.cancel()
        if not line.startswith("render-ws at "):
            self.shutdown()
            raise RenderError(f"the server did not start: {line}{''.join(self._printed)}".strip())
        self.url = line.removeprefix("render-ws at ").partition(",")[0].strip()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - for the type checker
        for line in self._process.stderr:
            self._printed.append(line)

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
        """
        from renderapi.render import connect

        return connect(url=self.url, owner=owner, project=project, **settings)

    def shutdown(self) -> None:
        """Let the server finish the requests under way, and wait until it is gone; safe to call again."""
        process = self._process
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        self._drain.join()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        state = "running" if self._process.poll() is None else "stopped"
        return f"<ServerProcess {self.url}, {state}>"
