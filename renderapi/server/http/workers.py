"""The threads that answer requests at a socket: those of images apart, so that nobody else waits for them."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from renderapi.server.endpoints.drawing import cores

# each keeps the memory of the largest body that it has read
THREADS = 4
# requests with larger bodies have workers of their own
LARGE_BODY = 1 << 16
# those without are many, so that some slow ones leave others free
SMALL_THREADS = 16

# a match trial draws two
_IMAGE = re.compile(r"(-image|/(jpg|png|tif)|/largeDataTileSource/.*\.(jpg|png)|/matchTrial)/*\Z")


class Workers(ThreadedTaskDispatcher):
    """Worker threads that can be waited for.

    Parameters
    ----------
    name : str
        What the threads are called, before their number.
    count : int
        How many there are.
    """

    # it warns of every request that has to wait, which is what images do
    queue_logger = logging.getLogger("renderapi.server.queue")
    queue_logger.setLevel(logging.ERROR)

    def __init__(self, name: str, count: int) -> None:
        super().__init__()
        self.name = name
        self.count = count
        self.workers: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        self.set_thread_count(self.count)

    def start_new_thread(self, target: Any, thread_no: int) -> None:
        """Start a thread, which `join` will know."""
        worker = threading.Thread(
            target=target, name=f"{self.name}-{thread_no}", args=(thread_no,), daemon=True
        )
        self.workers.append(worker)
        worker.start()

    def stop(self) -> None:
        """Let every worker go when it has finished the request that it is at."""
        self.set_thread_count(0)

    def join(self, seconds: float) -> None:
        """Wait until every worker is gone, but not longer than that, and drop what was never begun."""
        end = time.monotonic() + seconds
        for worker in self.workers:
            worker.join(max(end - time.monotonic(), 0.0))
        waiting: Any = self.queue
        while waiting:
            waiting.popleft().cancel()


class Lanes:
    """Three kinds of workers: for images, for large bodies, and for everything else.

    A browser asks for six images at a time, and all of them may wait for a core; whoever asks for a tile
    spec meanwhile is answered at once. So it is while large bodies are worked on.
    """

    def __init__(self) -> None:
        self.documents = Workers("renderapi-server", SMALL_THREADS)
        self.bodies = Workers("renderapi-server-bodies", THREADS)
        # while some draw, others look whether the client has the image already, and send
        self.images = Workers("renderapi-server-images", 2 * cores())

    def add_task(self, task: Any) -> None:
        """Queue a connection that has a request."""
        request = task.requests[0] if task.requests else None
        if is_image(getattr(request, "path", "")):
            self.images.add_task(task)
        elif getattr(request, "body_bytes_received", 0) > LARGE_BODY:
            self.bodies.add_task(task)
        else:
            self.documents.add_task(task)

    def _all(self) -> tuple[Workers, ...]:
        return self.documents, self.bodies, self.images

    def start(self) -> None:
        """Start all threads."""
        for workers in self._all():
            workers.start()

    def join(self, seconds: float) -> None:
        """Let every worker finish the request that it is at, but not for longer than that."""
        end = time.monotonic() + seconds
        for workers in self._all():
            workers.stop()
        for workers in self._all():
            workers.join(max(end - time.monotonic(), 0.0))


def is_image(path: str) -> bool:
    """Tell whether a path is that of an endpoint that draws."""
    return _IMAGE.search(path) is not None
