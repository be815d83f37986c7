"""A bound for the whole of a call: every wait for a byte of its answer ends in time.

The timeout of a socket bounds the wait for one piece; an answer that trickles in would never end.
`Deadline` is set for the running thread by the session; connections made through `BoundedAdapter` read
under it, headers and body alike.
"""

from __future__ import annotations

import http.client
import io
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from renderapi.http.urls import once

_now = threading.local()


class Deadline:
    """When a call must be over.

    Parameters
    ----------
    seconds : float
        From now. With `answer`, until the first byte of an answer.
    answer : float, optional
        Seconds from the first byte of an answer to its last; None: `seconds` is for all.
    rate : float
        Bytes a second: an answer that comes faster on the average may take longer than `answer`.
    """

    def __init__(self, seconds: float, answer: float | None = None, rate: float = math.inf) -> None:
        self.seconds = self._given = seconds
        self._whole = self._end = time.monotonic() + seconds
        self._answer, self._rate = answer, rate
        self._begun: float | None = None
        self._count = 0

    def remaining(self) -> float:
        """Return the seconds that are left."""
        return self._end - time.monotonic()

    def expect(self) -> None:
        """Wait for an answer, the first or that of a repetition."""
        self.seconds, self._end = self._given, self._whole
        self._begun, self._count = None, 0

    def arrived(self, count: int) -> None:
        """Count bytes of the answer."""
        if self._answer is None:
            return
        if self._begun is None:
            self._begun = time.monotonic()
        self._count += count
        self.seconds = max(self._answer, self._count / self._rate)
        self._end = self._begun + self.seconds


def current() -> Deadline | None:
    """Return the deadline of the running thread's call, if it has one."""
    return getattr(_now, "deadline", None)


@contextmanager
def until(deadline: Deadline | None) -> Iterator[None]:
    """Put the running thread under a deadline."""
    before = current()
    _now.deadline = deadline
    try:
        yield
    finally:
        _now.deadline = before


class _BoundedReader(io.RawIOBase):
    """What is read from a socket, with its timeout cut to what is left of the call."""

    def __init__(self, raw: Any, sock: Any, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline
        self._timeout = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.remaining()
        if left <= 0:
            raise TimeoutError(f"the answer is not complete after {self._deadline.seconds:g} s")
        self._sock.settimeout(left if self._timeout is None else min(left, self._timeout))
        count: int | None = self._raw.readinto(buffer)
        self._deadline.arrived(count or 0)
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        deadline = current()
        if deadline is not None:
            deadline.expect()
            self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock, deadline))


class _Connection(HTTPConnection):
    response_class = _BoundedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _BoundedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class BoundedAdapter(HTTPAdapter):
    """An adapter that reads under the deadline of the call, and repeats nothing that must not be."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the pools of connections through a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request as often as its endpoint allows."""
        policy = self.max_retries
        if once(request.method, request.url) is None or not getattr(policy, "knows_endpoints", False):
            return super().send(request, *args, **kwargs)
        # the same connections, under another policy
        careful = object.__new__(HTTPAdapter)
        careful.__dict__.update(self.__dict__)
        careful.max_retries = policy.new(total=0, connect=0)
        return careful.send(request, *args, **kwargs)
