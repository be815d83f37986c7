"""Work that nobody waits for, done in small steps by a thread that is there only while there is some."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable

# what failed for want of space, or because another process writes, is tried again
RETRY_SECONDS = 30.0
# of the time of a step: others who write go first
_PAUSE = 1.0
_LEAST_PAUSE = 0.001

logger = logging.getLogger("renderapi.server")


class Sweeper:
    """A thread that takes steps until nothing is left to do.

    Parameters
    ----------
    step : callable
        Does a little, in a few milliseconds; tells whether there may be more.
    what : str
        What the steps do, for the log: "remove what was deleted".
    """

    def __init__(self, step: Callable[[], bool], what: str) -> None:
        self._step = step
        self._what = what
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._wanted = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Say that there may be something to do; returns at once."""
        with self._lock:
            self._wanted = True
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="renderapi-sweeper", daemon=True)
                self._thread.start()

    def stop(self, seconds: float) -> None:
        """Let the thread end after the step that it is at, and wait so long for it."""
        self._stopping.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while self._is_wanted():
            pause = 0.0
            try:
                while not self._stopping.wait(pause):
                    begun = time.monotonic()
                    if not self._step():
                        break
                    pause = max((time.monotonic() - begun) * _PAUSE, _LEAST_PAUSE)
            except Exception as problem:
                if self._stopping.is_set():
                    continue
                again = isinstance(problem, sqlite3.OperationalError)
                logger.warning(
                    "cannot %s: %s; %s", self._what, problem, "later" if again else "at the next start"
                )
                if again:
                    self._wanted = not self._stopping.wait(RETRY_SECONDS)

    def _is_wanted(self) -> bool:
        """Take what was wanted; without that, or when it is to stop, the thread is none any more."""
        with self._lock:
            wanted, self._wanted = self._wanted and not self._stopping.is_set(), False
            if not wanted:
                self._thread = None
            return wanted
