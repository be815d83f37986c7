"""HTTP: the only module that talks through `requests`.

It knows sessions, retries, timeouts, statuses and bodies, and no endpoint. What a request is allowed to do
(how long it may take, how often it is repeated, with which credentials) belongs to the *session* that sends
it, so that functions that are handed a session need nothing else:

* `RenderSession` is made from `Settings`, with pooled, retrying adapters;
* `SessionView` lays settings over a session that the caller made, which stays as it is.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import warnings
import weakref
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from renderapi import _json, errors

logger = logging.getLogger(__name__)

Timeout = float | tuple[float | None, float | None] | None

#: Seconds to wait for a connection and between two pieces of an answer. Rendering a large box or cloning
#: a stack takes minutes before the first byte comes.
DEFAULT_TIMEOUT: tuple[float, float] = (10.0, 600.0)
DEFAULT_RETRIES = 5
DEFAULT_POOL = 16
_RETRIED_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_RETRIED_STATUSES = frozenset({502, 503, 504})
_SHOWN_TEXT = 2000


class RetryPolicy(Retry):
    """Repeat what may be repeated without harm: never a POST, never what took too long already.

    Connection failures and the statuses 502, 503 and 504 of GET, PUT and DELETE are repeated after a
    growing, jittered pause. PUT and DELETE of render-ws replace and remove by id, so that a repetition has
    no further effect; creating and cloning a stack are not of that kind.
    """

    @classmethod
    def of(cls, retries: int) -> RetryPolicy:
        """Give the policy that repeats a request at most `retries` times."""
        return cls(
            total=retries,
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
        if error is not None:
            repeatable = method is None or method.upper() in _RETRIED_METHODS
            if not repeatable or isinstance(error, ReadTimeoutError):
                raise error
        policy = super().increment(method, url, *args, **kwargs)
        logger.info("repeating %s %s: %s", method, redacted(url or ""), error or "server busy")
        return policy


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
    """

    timeout: Timeout = None
    retries: int | Retry | None = None
    verify: bool | str | None = None
    auth: Any = field(default=None, repr=False)
    headers: dict[str, str] | None = field(default=None, repr=False)
    pool: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would fail later, or hang for ever."""
        timeouts = self.timeout if isinstance(self.timeout, tuple) else (self.timeout,)
        if len(timeouts) > 2 or any(t is not None and not (_is_number(t) and t > 0) for t in timeouts):
            raise errors.ConnectionSettingsError(
                f"timeout is {self.timeout!r}; it must be seconds > 0, or a tuple (connect, read) of such"
            )
        if self.retries is not None and not isinstance(self.retries, Retry):
            if not (isinstance(self.retries, int) and self.retries >= 0):
                raise errors.ConnectionSettingsError(f"retries is {self.retries!r}; it must be a count >= 0")
        if self.pool is not None and not (isinstance(self.pool, int) and self.pool > 0):
            raise errors.ConnectionSettingsError(f"pool is {self.pool!r}; it must be a count > 0")

    def effective_timeout(self) -> tuple[float, float]:
        """Give the pair (connect, read) in seconds; what is not set is the default, never endless."""
        given = self.timeout if isinstance(self.timeout, tuple) else (self.timeout, self.timeout)
        connect, read = (given + (None, None))[:2]
        return connect or DEFAULT_TIMEOUT[0], read or DEFAULT_TIMEOUT[1]

    def retry_policy(self) -> Retry:
        """Give the policy for the adapters."""
        if isinstance(self.retries, Retry):
            return self.retries
        return RetryPolicy.of(DEFAULT_RETRIES if self.retries is None else self.retries)

    def changed(self, **changes: Any) -> Settings:
        """Give a copy with other values."""
        return replace(self, **changes)

    def is_default(self) -> bool:
        """Tell whether nothing was set."""
        return self == Settings()


#: Keywords of a connection that `Settings` takes.
SETTING_NAMES = tuple(f.name for f in fields(Settings))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class RenderSession(requests.Session):
    """A `requests.Session` with the timeouts, retries and credentials of some `Settings`."""

    __attrs__ = [*requests.Session.__attrs__, "settings"]

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self.settings = settings or Settings()
        pool = self.settings.pool or DEFAULT_POOL
        for prefix in ("http://", "https://"):
            self.mount(
                prefix,
                HTTPAdapter(pool_connections=4, pool_maxsize=pool, max_retries=self.settings.retry_policy()),
            )
        if self.settings.auth is not None:
            self.auth = self.settings.auth
        if self.settings.headers:
            self.headers.update(self.settings.headers)
        if self.settings.verify is not None:
            self.verify = self.settings.verify

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request; one without a timeout gets that of the settings."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.settings.effective_timeout()
        return super().send(request, **kwargs)


class SessionView(requests.Session):
    """A caller's session, as it is, with the caller's settings filled into each request.

    Everything not set by `settings` (adapters, cookies, authentication, hooks ...) is the session's own,
    also what is changed on it later.
    """

    def __init__(self, session: requests.Session, settings: Settings) -> None:
        # no super().__init__(): every attribute that is not here is looked up in the caller's session
        self.session = session
        self.settings = settings
        if settings.retries is not None or settings.pool is not None:
            warnings.warn(
                "retries= and pool= do not apply to a session of your own: mount a "
                "requests.adapters.HTTPAdapter(max_retries=..., pool_maxsize=...) on it",
                errors.RenderWarning,
                stacklevel=4,
            )

    def __getattr__(self, name: str) -> Any:
        if name == "session":  # not there yet while unpickling
            raise AttributeError(name)
        return getattr(self.session, name)

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Send a request through the caller's session."""
        settings = self.settings
        if len(args) < 7 and kwargs.get("timeout") is None:
            kwargs["timeout"] = settings.effective_timeout()
        if settings.auth is not None and kwargs.get("auth") is None:
            kwargs["auth"] = settings.auth
        if settings.headers:
            kwargs["headers"] = {**settings.headers, **(kwargs.get("headers") or {})}
        if settings.verify is not None and kwargs.get("verify") is None:
            kwargs["verify"] = settings.verify
        return self.session.request(method, url, *args, **kwargs)

    def close(self) -> None:
        """Leave the caller's session open: it is theirs to close."""


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
        self._pid = os.getpid()

    def get(self) -> RenderSession:
        """Give the session of the running thread."""
        if self._pid != os.getpid():  # after a fork: never share the parent's sockets
            self._reset()
        session: RenderSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = RenderSession(self.settings)
            self._made.add(session)
        return session

    def close(self) -> None:
        """Close the connections of every thread; the next request opens new ones."""
        for session in list(self._made):
            session.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.settings = state["settings"]
        self._reset()


_default_pool = SessionPool(Settings())


def default_session() -> RenderSession:
    """Give the session of the running thread for calls that name no connection."""
    return _default_pool.get()


def redacted(url: str) -> str:
    """Give a URL without the user and password that it may hold."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


def send(
    session: requests.Session | None,
    method: str,
    url: str,
    *,
    params: Any = None,
    document: Any = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> requests.Response:
    """Send one request and give its answer, if it is a success.

    Parameters
    ----------
    session : requests.Session or None
        None for the default session of the thread.
    method, url : str
        The URL may lack ``http://``.
    params : dict or list of tuple, optional
        Query parameters; None values are left out.
    document : object, optional
        Sent as JSON; bytes are sent as they are, as JSON too. A PUT or POST without one has an empty body.
    headers : dict, optional
        Additional headers.
    **options
        Handed to `requests.Session.request`.

    Raises
    ------
    RenderError
        The subclass that the status stands for.
    SpecError
        If the document holds NaN or infinity; nothing is sent.
    ServerUnreachableError, ServerTimeoutError
        If there is no answer.
    """
    if "://" not in url.partition("?")[0]:
        url = "http://" + url
    if session is None:
        session = default_session()
    headers = dict(headers or {})
    if document is not None:
        options["data"] = document if isinstance(document, bytes) else _json.dumps(document)
    if method in ("PUT", "POST"):
        # render-ws answers 415 to a body without it; requests follows a redirect of these with a GET,
        # which would drop the body without a word
        headers.setdefault("Content-Type", "application/json")
        options.setdefault("allow_redirects", False)
    if not isinstance(session, (RenderSession, SessionView)):
        options.setdefault("timeout", DEFAULT_TIMEOUT)
    try:
        response = session.request(method, url, params=params, headers=headers, **options)
    except requests.RequestException as error:
        raise _unanswered(error, method, url) from error
    if response.status_code < 300:
        return response
    raise _refused(response, method, url)


def decode_json(response: requests.Response) -> Any:
    """Decode the body of an answer.

    Raises
    ------
    BadAnswerError
        If it is not JSON.
    """
    try:
        return _json.loads(response.content)
    except ValueError as error:
        raise not_as_asked(response, "JSON", str(error)) from error


def not_as_asked(response: requests.Response, wanted: str, why: str = "") -> errors.BadAnswerError:
    """Make the error for an answer that is not what was asked for."""
    content_type = response.headers.get("Content-Type", "no content type")
    method, url = _request_line(response)
    text = _text(response)
    hint = ""
    if re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE):
        hint = " It is a web page: is a proxy or a log-in page in front of the server, or the path wrong?"
    elif isinstance(why, str) and wanted == "JSON" and text[:1] in "[{":
        hint = " It begins like JSON: was it cut off on the way?"
    return errors.BadAnswerError(
        f"{method} {redacted(url)} answered {response.status_code} with {len(response.content)} bytes of "
        f"{content_type}, which are not {wanted}{f' ({why})' if why else ''}.{hint} "
        f"It begins with: {text[:200]!r}",
        **_details(response, method, url, text),
    )


def _unanswered(error: requests.RequestException, method: str, url: str) -> Exception:
    shown = redacted(url)
    details: dict[str, Any] = {"method": method, "url": shown}
    host = urlsplit(url).netloc.rpartition("@")[2]
    reason = _innermost(error)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return errors.ServerConnectTimeoutError(
            f"{method} {shown}: no connection to {host} in time. Is the host right, and reachable from "
            f"here? ({reason})",
            **details,
        )
    if isinstance(error, requests.exceptions.Timeout):
        return errors.ServerTimeoutError(
            f"{method} {shown}: connected, but no answer in time. Ask for less at a time, or give more time "
            f"with connect(timeout=(10, seconds)). Whether the server did the work is unknown. ({reason})",
            **details,
        )
    if isinstance(error, requests.exceptions.SSLError):
        return errors.ServerCertificateError(
            f"{method} {shown}: no trusted connection to {host}. For a certificate of your own give its "
            f"file with connect(verify='ca.pem'). ({reason})",
            **details,
        )
    if isinstance(error, requests.exceptions.ConnectionError):
        return errors.ServerUnreachableError(
            f"{method} {shown}: no connection to {host}. Is the server running, and host and port right? "
            f"({reason})",
            **details,
        )
    if isinstance(
        error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
    ):
        return errors.BadAnswerError(
            f"{method} {shown}: the answer broke off or is garbled ({reason})", **details
        )
    return error


def _innermost(error: BaseException) -> str:
    """Give the reason below the wrappings of urllib3, which repeat the URL and object addresses."""
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    text = re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>: |[\w.]+\(host='[^']*', port=\d+\): ", "", str(inner))
    return text[:300]


#: What the text of an error answer says, more exactly than its status.
_KNOWN_TEXTS: list[tuple[str, type[errors.RenderError] | None, str]] = [
    (
        r"Java heap space|OutOfMemory|GC overhead|NegativeArraySize",
        errors.ServerOutOfMemoryError,
        "The server ran out of memory: ask for less at a time (a smaller box or scale).",
    ),
    (
        r"READ_ONLY",
        errors.StackStateError,
        "A read-only stack must first be set COMPLETE, then LOADING.",
    ),
    (
        r"LOADING state|must be LOADING|cannot be cloned to stack|must first be transitioned|because it is ",
        errors.StackStateError,
        "Change the state first: renderapi.stack.set_stack_state(stack, 'LOADING').",
    ),
    (
        r"have not been stored|section data not aggregated|Stack data aggregation|cannot set stats",
        errors.StackStateError,
        "Stats exist once tiles are imported and the stack was set COMPLETE: "
        "renderapi.stack.set_stack_state(stack, 'COMPLETE').",
    ),
    (r"already exists", errors.ConflictError, ""),
    (
        r"waiting to connect. Client view of cluster state|MongoTimeout|MongoSocket",
        errors.ServerError,
        "The render server runs, but its MongoDB does not answer.",
    ),
    (
        r"Upscaling is not currently supported",
        errors.BadRequestError,
        "Tiles lack the mipmap level 0 that this scale needs.",
    ),
    (r"query too broad", errors.BadRequestError, "Ask by section (z) or by box."),
]


def _refused(response: requests.Response, method: str, url: str) -> errors.RenderError:
    status = response.status_code
    text = _text(response)
    details = _details(response, method, url, text)
    if status < 400:
        target = response.headers.get("Location", "")
        return errors.BadRequestError(
            f"{method} {redacted(url)} was redirected to {redacted(target)!r}. Nothing was done: "
            f"a body does not survive a redirect. Connect to that address instead.",
            **details,
        )
    kind, hint = _kind_of(status, text)
    shown = text.strip()
    if re.match(r"<(!doctype|html)", shown, re.IGNORECASE):
        title = re.search(r"<title>(.*?)</title>", shown, re.IGNORECASE | re.DOTALL)
        shown = f"a web page{f' titled {title[1].strip()!r}' if title else ''}"
    if len(shown) > 500:
        shown = shown[:500] + " ..."
    message = f"{method} {redacted(url)} answered {status}: {shown or response.reason or 'no text'}"
    if details.get("attempts", 1) > 1:
        message += f" (after {details['attempts']} attempts)"
    return kind(f"{message}\n{hint}" if hint else message, **details)


def _kind_of(status: int, text: str) -> tuple[type[errors.RenderError], str]:
    if status == 404:
        return errors.NotFoundError, ""
    if status in (401, 403):
        return (
            errors.AccessDeniedError,
            "Give credentials with connect(auth=(user, password)), or a session that has them.",
        )
    if status == 409:
        return errors.ConflictError, ""
    if status == 413:
        return errors.BadRequestError, "The request is too large: send it in smaller batches."
    for pattern, kind, hint in _KNOWN_TEXTS:
        if kind is not None and re.search(pattern, text):
            return kind, hint
    return (errors.ServerError, "") if status >= 500 else (errors.BadRequestError, "")


def _details(response: requests.Response, method: str, url: str, text: str) -> dict[str, Any]:
    retries = getattr(response.raw, "retries", None)
    return {
        "method": method,
        "url": redacted(url),
        "status_code": response.status_code,
        "server_text": text,
        "attempts": len(retries.history) + 1 if retries is not None else 1,
    }


def _request_line(response: requests.Response) -> tuple[str, str]:
    request = response.request
    return (request.method or "GET", request.url or response.url) if request else ("GET", response.url)


def _text(response: requests.Response) -> str:
    # never response.text: without a declared charset requests guesses it from the whole body, minutes for an image
    try:
        content = response.content[:_SHOWN_TEXT]
    except requests.RequestException as error:
        return f"(the answer cannot be read: {error})"
    if response.headers.get("Content-Type", "").startswith("application/json"):
        try:
            message = json.loads(response.content)
        except ValueError:
            pass
        else:
            if isinstance(message, dict) and isinstance(message.get("message"), str):
                return str(message["message"])[:_SHOWN_TEXT]
    return content.decode("utf-8", errors="replace")
