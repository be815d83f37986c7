"""Long calculations: a slice at a time, one beside the others' requests, and only while somebody waits for them.

Threads of Python take turns. One that calculates gives the others theirs only after an interval, and several of
them together let a request of a hundred short steps wait a hundred times for all of theirs. So there is one slice
of a calculation, or one large body that is read, at a time in this process, and between two slices everybody else
has a turn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from renderapi.server.endpoints.collecting import MANY, reading
from renderapi.server.endpoints.refusals import Refusal

T = TypeVar("T")
R = TypeVar("R")

#: What is worked on at a time: some milliseconds.
SLICE = 1000
# long enough for threads that wait to wake up
_PAUSE = 0.0005

_request = threading.local()


def begin(is_gone: Callable[[], bool] | None) -> None:
    """Begin a request in this thread, whose client may go away; None where that cannot be known."""
    _request.is_gone = is_gone


def check() -> None:
    """Stop (499) the work for a client that does not wait for it any more."""
    is_gone = getattr(_request, "is_gone", None)
    if is_gone is not None and is_gone():
        raise Refusal(499, "the client is gone")


def by_slices(work: Callable[[Sequence[T]], R], items: Sequence[T], size: int = SLICE) -> Iterator[R]:
    """Work on some items at a time, and yield what is made; nobody's turn is kept between two of them."""
    for start in range(0, len(items), size):
        if start:
            time.sleep(_PAUSE)
        check()
        # not around a yield: an error in between would leave the turn with a suspended generator
        with reading(MANY):
            made = work(items[start : start + size])
        yield made
