"""Work that makes many objects, without the garbage collector in between.

Documents are trees: reference counting alone frees them. The collector, which would walk over all of them
again and again while a large body is read, costs a third of the time.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0
_overlaps = 0
_was_enabled = False
# after so many pauses that overlap it is done all the same, for the little that is not freed otherwise
_MOST_OVERLAPS = 100


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the garbage collector, for the whole process, until the last of those who asked is done."""
    global _overlaps, _pauses, _was_enabled  # noqa: PLW0603
    with _lock:
        if not _pauses:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            _overlaps = _overlaps + 1 if _pauses else 0
            if not _pauses and _was_enabled:
                gc.enable()
            elif _overlaps == _MOST_OVERLAPS:
                _overlaps = 0
                gc.collect()
