"""Sessions: how often and how long a request is tried, with which credentials.

What a request is allowed to do belongs to the *session* that sends it, so that functions that are handed a
session need nothing else:

* `RenderSession` is made from `Settings`, with pooled, retrying adapters;
* `SessionView` lays settings over a session that the caller made, which stays as it is;
* `SessionPool` keeps one `RenderSession` for each thread.
"""

from __future__ import annotations

import inspect
import logging
import math
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import urljoin

import requests
from urllib3.exceptions import InvalidHeader, MaxRetryError, ProtocolError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from renderapi import errors
from renderapi.http.deadline import BoundedAdapter, Deadline, current, until
from renderapi.http.urls import is_loopback, once, redacted

logger = logging.getLogger(__name__)

Timeout = float | tuple[float | None, float | None] | None

#: Seconds to wait for a connection and between two pieces of an answer. Rendering a large box or cloning
#: a stack takes minutes before the first byte comes.
DEFAULT_TIMEOUT: tuple[float, float] = (10.0, 600.0)
DEFAULT_RETRIES = 5
_DEFAULT_CONNECT_RETRIES = 3
DEFAULT_POOL = 16
#: Seconds from the first byte of an answer to its last (a timeout that was asked for may be longer), and
#: bytes a second that it must come with on the average to take longer: those of 2 MB and more may.
_ANSWER = 120.0
_SLOWEST = 16 * 1024
#: An answer that unpacks to more bytes than this, and to more than this many times its own, is refused.
_LARGEST_UNPACKED, _LARGEST_RATIO = 64 * 2**20, 100
_PIECE = 64 * 1024
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_RETRIED_METHODS = READING_METHODS | {"PUT", "DELETE"}
_RETRIED_STATUSES = frozenset({502, 503, 504})


class _GaveUpError(MaxRetryError):
    """What urllib3 raises when no attempt is left, with their number."""

    attempts = 1


class RetryPolicy(Retry):
    """Repeat what may be repeated without harm: never a POST, never what took too long already.

    Connection failures and the statuses 502, 503 and 504 of GET, PUT and DELETE are repeated after a
    growing, jittered pause, or the one that the server asks for with ``Retry-After``, but no longer than
    ``backoff_max``, nor than is left of the call. Most PUT and DELETE of render-ws replace and remove by id,
    so that a repetition has no further effect; `renderapi.http.urls.once` knows the others.
    """

    #: Unlike a policy of the caller's, which counts as it is.
    knows_endpoints = True

    @classmethod
    def of(cls, retries: int | None) -> RetryPolicy:
        """Return the policy that repeats a request at most `retries` times.

        None stands for the default: `DEFAULT_RETRIES`, but 3 where no connection can be made at all,
        so that a server that is not running, or a mistyped name, is reported within a few seconds.
        """
        return cls(
            total=DEFAULT_RETRIES if retries is None else retries,
            connect=_DEFAULT_CONNECT_RETRIES if retries is None else None,
            redirect=5,
            other=0,
            status_forcelist=_RETRIED_STATUSES,
            allowed_methods=_RETRIED_METHODS,
            backoff_factor=0.5,
            backoff_jitter=0.5,
            backoff_max=60,
            respect_retry_after_header=True,
            raise_on_status=False,
        )

    def increment(
        self, method: str | None = None, url: str | None = None, *args: Any, **kwargs: Any
    ) -> RetryPolicy:
        """Count one attempt, or raise its error where no other may follow."""
        error = kwargs.get("error") or (args[1] if len(args) > 1 else None)
        if isinstance(error, ReadTimeoutError):
            raise error
        try:
            if error is not None and not (method is None or method.upper() in _RETRIED_METHODS):
                # wrapped as urllib3 does it: a bare error of a connection goes past requests
                raise MaxRetryError(kwargs.get("_pool"), url or "", error) from error  # type: ignore[arg-type]
            policy = super().increment(method, url, *args, **kwargs)
        except MaxRetryError as last:
            gave_up = _GaveUpError(last.pool, last.url or "", last.reason)
            gave_up.attempts = len(self.history) + 1
            raise gave_up from last.reason
        deadline, response = current(), kwargs.get("response")
        if deadline is not None:
            deadline.expect()
        if deadline is not None and policy._pause(response) >= deadline.remaining():
            # with an answer: it is given back as it is
            raise _GaveUpError(kwargs.get("_pool"), url or "", error)  # type: ignore[arg-type]
        logger.info("repeating %s %s: %s", method, redacted(url or ""), error or "server busy")
        return policy

    def _pause(self, response: BaseHTTPResponse | None) -> float:
        asked = None if response is None else self.get_retry_after(response)
        return self.get_backoff_time() if asked is None else asked

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the pause that the server asks for, if it makes sense."""
        try:
            seconds = super().get_retry_after(response)
        except (InvalidHeader, ValueError, OverflowError):
            return None
        return None if seconds is None else min(seconds, self.backoff_max)


@dataclass(frozen=True)
class Settings:
    """How requests are made; None stands for the default.

    Attributes
    ----------
    timeout : float or (float, float), optional
        Seconds to wait for the connection and for the answer; default `DEFAULT_TIMEOUT`.
    retries : int or urllib3.util.Retry, optional
        How often a failed GET, PUT or DELETE is repeated; default `DEFAULT_RETRIES`.
    verify : bool or str, optional
        TLS verification, or the path of a bundle of certificates; default True.
    auth : object, optional
        As for `requests`: ``(user, password)`` or an authentication object.
    headers : dict, optional
        Sent with every request.
    pool : int, optional
        Connections kept open per host and thread; default `DEFAULT_POOL`.
    total : float, optional
        Seconds for a whole call: repetitions, pauses between them, and the answer to its last byte. Default:
        a minute and twice the read timeout until an answer begins; two minutes, or the read timeout that was
        asked for if that is longer, from there to its end, and more for one that comes with 16 kB a second.
    direct : bool, optional
        Go to the server without the proxy that the environment names; default for loopback addresses.
    """

    timeout: Timeout = None
    retries: int | Retry | None = None
    verify: bool | str | None = None
    auth: Any = field(default=None, repr=False)
    headers: Mapping[str, str | bytes] | None = field(default=None, repr=False)
    pool: int | None = None
    total: float | None = None
    direct: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what would fail later, or hang for ever."""
        timeouts = self.timeout if isinstance(self.timeout, tuple) else (self.timeout,)
        if len(timeouts) > 2 or any(t is not None and not _is_duration(t) for t in timeouts):
            raise errors.ConnectionSettingsError(
                f"timeout is {self.timeout!r}; it must be seconds > 0, or a tuple (connect, read) of such"
            )
        if not (self.retries is None or isinstance(self.retries, Retry) or _is_count(self.retries)):
            raise errors.ConnectionSettingsError(f"retries is {self.retries!r}; it must be a count >= 0")
        if not (self.total is None or _is_duration(self.total)):
            raise errors.ConnectionSettingsError(f"total is {self.total!r}; it must be seconds > 0")
        if not (self.pool is None or (_is_count(self.pool) and self.pool > 0)):
            raise errors.ConnectionSettingsError(f"pool is {self.pool!r}; it must be a count > 0")
        for name, value in (self.headers or {}).items():
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            # requests would refuse it too, but show the value, which may be secret
            if not isinstance(text, str) or text != text.lstrip() or {"\r", "\n"} & set(text):
                raise errors.ConnectionSettingsError(
                    f"header {name!r} is not a text without line breaks and leading blanks"
                )

    def effective_timeout(self) -> tuple[float, float]:
        """Return the pair (connect, read) in seconds; what is not set is the default, never endless."""
        given = self.timeout if isinstance(self.timeout, tuple) else (self.timeout, self.timeout)
        connect, read = (given + (None, None))[:2]
        return connect or DEFAULT_TIMEOUT[0], read or DEFAULT_TIMEOUT[1]

    def deadline(self, timeout: Any = None) -> Deadline:
        """Return the bound of a call that begins now, with the timeout of the call if it has one."""
        if self.total is not None:
            return Deadline(self.total)
        read = timeout[1] if isinstance(timeout, tuple) else timeout
        asked = isinstance(read, (int, float)) or self.timeout is not None
        if not isinstance(read, (int, float)):
            read = self.effective_timeout()[1]
        return Deadline(60 + 2 * read, max(_ANSWER, read) if asked else _ANSWER, _SLOWEST)

    def goes_direct(self, url: Any) -> bool:
        """Tell whether a proxy of the environment is left aside."""
        return is_loopback(url) if self.direct is None else self.direct

    def has_authorization(self) -> bool:
        """Tell whether `headers` has credentials, which then count."""
        return any(name.lower() == "authorization" for name in self.headers or ())

    def retry_policy(self) -> Retry:
        """Return the policy for the adapters."""
        if isinstance(self.retries, Retry):
            return self.retries
        # int: urllib3 takes False for something else than 0
        return RetryPolicy.of(None if self.retries is None else int(self.retries))

    def credentials(self) -> Any:
        """Return `auth` as requests can send it: a user or password beyond Latin-1 in UTF-8 (RFC 7617)."""
        if isinstance(self.auth, (tuple, list)):
            return tuple(part.encode() if isinstance(part, str) else part for part in self.auth)
        return self.auth

    def changed(self, **changes: Any) -> Settings:
        """Return a copy with other values."""
        return replace(self, **changes)

    def is_default(self) -> bool:
        """Tell whether nothing was set."""
        return self == Settings()


#: Keywords of a connection that `Settings` takes.
SETTING_NAMES = tuple(f.name for f in fields(Settings))


def _is_duration(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


_NO_PROXY = {"http": None, "https": None, "all": None}
#: Headers that say nothing about who asks.
_PLAIN_HEADERS = frozenset(
    {
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "host",
        "content-type",
        "content-length",
        "range",
    }
)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authenticate with what is in the headers already."""
    return request


def _names_authorization(*headers: Any) -> bool:
    return any(str(name).lower() == "authorization" for given in headers for name in given or ())


def _leaves(response: requests.Response, target: Any) -> bool:
    """Tell whether a redirect goes to another server."""
    session: Any = requests.Session()
    return bool(session.should_strip_auth(response.request.url or "", target))


def _drop_given(headers: Any, given: Any) -> None:
    """Remove what was given for one server; credentials for the new one come from elsewhere."""
    mine = {name.lower() for name in given or ()}
    for name in list(headers):
        if name.lower() in mine or name.lower() not in _PLAIN_HEADERS | {"authorization"}:
            del headers[name]


def _with_hook(given: Any, of_session: Any, hook: Any) -> dict[str, Any]:
    hooks = dict(given or {})
    before = hooks.get("response") or (of_session or {}).get("response") or []
    return {**hooks, "response": [*(before if isinstance(before, (list, tuple)) else [before]), hook]}


def _read_whole(response: requests.Response) -> None:
    """Read the body of an answer, which must not unpack to much more than came."""
    if response.raw is None:
        return
    pieces = []
    size = 0
    for piece in response.iter_content(_PIECE):
        size += len(piece)
        if size > _LARGEST_UNPACKED and size > _LARGEST_RATIO * _bytes_on_the_way(response):
            response.close()
            raise requests.exceptions.ContentDecodingError(
                f"its packed body unpacks to more than {_LARGEST_RATIO} times as many bytes",
                response=response,
            )
        pieces.append(piece)
    response._content = b"".join(pieces)
    response._content_consumed = True  # type: ignore[attr-defined]


def _bytes_on_the_way(response: requests.Response) -> float:
    count = getattr(response.raw, "_fp_bytes_read", 0)
    return count if "Content-Encoding" in response.headers and count else math.inf


class RenderSession(requests.Session):
    """A `requests.Session` with the timeouts, retries and credentials of some `Settings`."""

    __attrs__ = [*requests.Session.__attrs__, "settings"]

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self._pid = os.getpid()
        self.settings = settings or Settings()
        pool = self.settings.pool or DEFAULT_POOL
        for prefix in ("http://", "https://"):
            self.mount(
                prefix,
                BoundedAdapter(
                    pool_connections=4, pool_maxsize=pool, max_retries=self.settings.retry_policy()
                ),
            )
        if self.settings.auth is not None:
            self.auth = self.settings.credentials()
        if self.settings.headers:
            self.headers.update(self.settings.headers)
        if self.settings.verify is not None:
            self.verify = self.settings.verify

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request; one without a timeout gets that of the settings."""
        if self._pid != os.getpid():  # after a fork: never share the parent's sockets
            self._pid = os.getpid()
            self.close()
        deadline = self.settings.deadline(kwargs.get("timeout"))
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.settings.effective_timeout()
        if kwargs.get("stream"):
            return super().send(request, **kwargs)
        kwargs["stream"] = True
        with until(deadline):
            try:
                return self._whole_answer(request, kwargs)
            except (requests.Timeout, requests.ConnectionError) as error:
                if deadline.remaining() > 0:
                    raise
                late = f"the call was not complete after {deadline.seconds:g} s, see total= of connect"
                raise requests.ReadTimeout(late, request=request) from error

    def _whole_answer(self, request: requests.PreparedRequest, kwargs: dict[str, Any]) -> requests.Response:
        """Send a request until its answer came to the last byte, where it may be repeated."""
        policy = getattr(self.get_adapter(request.url or ""), "max_retries", None) or Retry(0)
        again = once(request.method, request.url) is None
        attempts = 1
        while True:
            response = super().send(request, **kwargs)
            try:
                _read_whole(response)
                return response
            except requests.exceptions.ChunkedEncodingError as error:
                error.attempts = attempts  # type: ignore[attr-defined]
                if not again:
                    raise
                try:
                    policy = policy.increment(request.method, request.url, error=ProtocolError(str(error)))
                except MaxRetryError:
                    raise error from None
                policy.sleep()
                attempts += 1
            finally:
                if not response._content_consumed and response.raw is not None:  # type: ignore[attr-defined]
                    response.close()

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request; credentials of a ``.netrc`` never replace an Authorization that was given."""
        if not (request.auth or self.auth) and _names_authorization(self.headers, request.headers):
            request.auth = _as_it_is
        return super().prepare_request(request)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Hand on nothing that was given for one host to another that it redirects to."""
        given = prepared_request.headers.get("Authorization")
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        if _leaves(response, prepared_request.url):
            _drop_given(prepared_request.headers, self.settings.headers)
        elif given is not None:
            prepared_request.headers["Authorization"] = given

    def rebuild_proxies(self, prepared_request: requests.PreparedRequest, proxies: Any) -> Any:
        """Return the proxies for the target of a redirect."""
        if self.settings.goes_direct(prepared_request.url):
            return dict(self.proxies)
        return super().rebuild_proxies(prepared_request, proxies)  # type: ignore[no-untyped-call]

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Fill in what the environment says.

        ``REQUESTS_CA_BUNDLE`` yields to a `verify` of this session, ``HTTP_PROXY`` to an address of this
        machine.
        """
        if verify is None and self.verify is not True:
            verify = self.verify
        if self.settings.goes_direct(url):
            proxies = {**_NO_PROXY, **self.proxies, **(proxies or {})}
        return super().merge_environment_settings(url, proxies, stream, verify, cert)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        self._pid = os.getpid()


class SessionView(requests.Session):
    """A caller's session, as it is, with the caller's settings filled into each request.

    Everything not set by `settings` (adapters, cookies, authentication, hooks ...) is the session's own,
    also what is changed on it later, or through this view.
    """

    session: requests.Session
    settings: Settings

    def __init__(self, session: requests.Session, settings: Settings) -> None:
        # no super().__init__(): every attribute that is not here is looked up in the caller's session
        self.__dict__.update(session=session, settings=settings)

    def __getattr__(self, name: str) -> Any:
        if name == "session":  # not there yet while unpickling
            raise AttributeError(name)
        return getattr(self.session, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.session, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request through the caller's session."""
        settings = self.settings
        kwargs.update(zip(_REQUEST_PARAMETERS, args))
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = settings.effective_timeout()
        if settings.auth is not None and kwargs.get("auth") is None:
            kwargs["auth"] = settings.credentials()
        if settings.headers:
            kwargs["headers"] = {**settings.headers, **(kwargs.get("headers") or {})}
            if settings.has_authorization() and not (kwargs.get("auth") or self.session.auth):
                kwargs["auth"] = _as_it_is
            kwargs["hooks"] = _with_hook(kwargs.get("hooks"), self.session.hooks, self._keep_headers_here)
        if settings.goes_direct(url) and not kwargs.get("proxies"):
            kwargs["proxies"] = {**_NO_PROXY, **self.session.proxies}
        if settings.verify is not None and kwargs.get("verify") is None:
            kwargs["verify"] = settings.verify
        return self.session.request(method, url, **kwargs)

    def _keep_headers_here(self, response: requests.Response, **kwargs: Any) -> None:
        target = self.session.get_redirect_target(response)
        # requests copies this request for the one to the target
        if target is not None and _leaves(response, urljoin(response.url, target)):
            _drop_given(response.request.headers, self.settings.headers)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare a request as the caller's session does."""
        return self.session.prepare_request(request)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a prepared request through the caller's session."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.settings.effective_timeout()
        return self.session.send(request, **kwargs)

    def close(self) -> None:
        """Leave the caller's session open: it is theirs to close."""


#: Parameters of `requests.Session.request` after method and url, for those who give them by position.
_REQUEST_PARAMETERS = tuple(inspect.signature(requests.Session.request).parameters)[3:]


class SessionPool:
    """One `RenderSession` per thread and process, made when first asked for.

    A session is not promised to be safe between threads, nor are its sockets between processes.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._reset()

    def _reset(self) -> None:
        self._local = threading.local()
        self._made: weakref.WeakSet[RenderSession] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._answers: dict[str, Any] = {}
        self._pid = os.getpid()

    def get(self) -> RenderSession:
        """Return the session of the running thread."""
        if self._pid != os.getpid():  # after a fork: never share the parent's sockets
            self._reset()
        session: RenderSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = RenderSession(self.settings)
            with self._lock:
                self._made.add(session)
        return session

    def remembered(self, key: str, ask: Callable[[], Any]) -> Any:
        """Return what `ask` finds out, which is asked once for all threads; a failure is not kept."""
        if self._pid != os.getpid():
            self._reset()
        with self._asking:
            if key not in self._answers:
                self._answers[key] = ask()
            return self._answers[key]

    def close(self) -> None:
        """Close the connections of every thread; the next request opens new ones."""
        if self._pid != os.getpid():  # a parent's connections are not ours to close
            return
        with self._lock:
            sessions = list(self._made)
        for session in sessions:
            session.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.settings = state["settings"]
        self._reset()


_default_pool = SessionPool(Settings())


def default_session() -> RenderSession:
    """Return the session of the running thread for calls that name no connection."""
    return _default_pool.get()
