"""The threads that answer requests at a socket: those of images apart, so that nobody else waits for them."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from renderapi.server.drawing import cores

# each keeps the memory of the largest body that it has read
THREADS = 4

_IMAGE = re.compile(r"(-image|/(jpg|png|tif)|/largeDataTileSource/.*\.(jpg|png))/*\Z")


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

    def join(self) -> None:
        """Wait until every worker is gone, and drop what was never begun."""
        for worker in self.workers:
            worker.join()
        waiting: Any = self.queue
        while waiting:
            waiting.popleft().cancel()


class Lanes:
    """Two kinds of workers, one for images.

    A browser asks for six images at a time, and all of them may wait for a core; whoever asks for a tile
    spec meanwhile is answered at once.
    """

    def __init__(self) -> None:
        self.documents = Workers("renderapi-server", THREADS)
        # while some draw, others look whether the client has the image already, and send
        self.images = Workers("renderapi-server-images", 2 * cores())

    def add_task(self, task: Any) -> None:
        """Queue a connection that has a request."""
        path = getattr(task.requests[0], "path", "") if task.requests else ""
        (self.images if is_image(path) else self.documents).add_task(task)

    def start(self) -> None:
        """Start all threads."""
        self.documents.start()
        self.images.start()

    def join(self) -> None:
        """Wait until every worker has finished the request that it is at, and is gone."""
        self.documents.stop()
        self.images.stop()
        self.documents.join()
        self.images.join()


def is_image(path: str) -> bool:
    """Tell whether a path is that of an image endpoint."""
    return _IMAGE.search(path) is not None
