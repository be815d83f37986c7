"""Work that makes many objects: one at a time, and without the garbage collector in between.

Documents are trees: reference counting alone frees them. The collector, which would walk over all of them
again and again while a large body is read, costs a third of the time. Two large bodies at once would only
take turns at the one interpreter, and need twice the memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from renderapi._json import collector_paused

MANY = 200

_lock = threading.RLock()


@contextmanager
def reading(documents: int) -> Iterator[None]:
    """Read so many documents.

    For many of them the garbage collector pauses, for the whole process, and whoever else wants that waits.
    """
    if documents < MANY:
        yield
        return
    with _lock, collector_paused():
        yield
