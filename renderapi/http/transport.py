"""HTTP: requests sent, statuses turned into errors, bodies decoded. It knows no endpoint.

Only this module and `sessions` below it talk through `requests`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    ResponseError,
    SSLError,
)
from urllib3.util import Retry

from renderapi import _json, errors
from renderapi._server_words import meaning_of
from renderapi.http.sessions import (
    DEFAULT_TIMEOUT,
    READING_METHODS,
    SETTING_NAMES,
    RenderSession,
    SessionPool,
    SessionView,
    Settings,
    Timeout,
    default_session,
)
from renderapi.http.urls import is_loopback, once, redacted

__all__ = [
    "SETTING_NAMES",
    "RenderSession",
    "SessionPool",
    "SessionView",
    "Settings",
    "Timeout",
    "confirmed",
    "decode_json",
    "decode_text",
    "default_session",
    "not_as_asked",
    "outcome_is_unknown",
    "redacted",
    "send",
]

_WEB_PAGE = re.compile(r"\s*<(!doctype|html)", re.IGNORECASE)
_SHOWN_TEXT = 2000
_SHOWN_URL = 500
#: What is said where a request may have arrived.
_UNKNOWN = "Whether the server did the work is unknown"
_GATEWAY_STATUSES = frozenset({502, 503, 504})


def _without_password(text: str) -> str:
    return re.sub(r"://[^/?#\s]*@", "://***@", text)


def _shown(url: str) -> str:
    url = redacted(url)
    return url if len(url) <= _SHOWN_URL else f"{url[:_SHOWN_URL]} ..."


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
    """Send one request, and raise what its answer stands for if it is no success.

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

    Returns
    -------
    requests.Response
        The answer, with a status below 300.

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
    if method in ("PUT", "POST") and not _names_content_type(headers, options):
        headers["Content-Type"] = "application/json"  # render-ws answers 415 without
    if method not in READING_METHODS:
        # requests follows a redirect of these with a GET: nothing would be done, without a word
        options.setdefault("allow_redirects", False)
    if not isinstance(session, (RenderSession, SessionView)):
        options.setdefault("timeout", DEFAULT_TIMEOUT)
        if is_loopback(url) and not getattr(session, "proxies", None):
            options.setdefault("proxies", {"http": None, "https": None, "all": None})
    try:
        response = session.request(method, url, params=params, headers=headers, **options)
    except (requests.RequestException, HTTPError, ValueError) as error:
        # what repeats a password is left out of the traceback
        shown_cause = error if str(error) == _without_password(str(error)) else None
        answer = _unanswered(error, method, url, _proxy_of(error, session, url))
        raise answer from (None if shown_cause is None else alone(shown_cause))
    if response.status_code < 300:
        return response
    raise _refused(response, method, url)


Failure = TypeVar("Failure", bound=Exception)


def alone(error: Failure) -> Failure:
    """Return an error without those that led to it, whose text it repeats: one traceback instead of many."""
    error.__cause__ = None  # which suppresses the context too
    return error


def _names_content_type(headers: dict[str, str], options: dict[str, Any]) -> bool:
    return "files" in options or any(name.lower() == "content-type" for name in headers)


def confirmed(response: requests.Response) -> requests.Response:
    """Return the answer to a request that changes something, which a render server leaves empty.

    Raises
    ------
    BadAnswerError
        If it is not: somebody else answered, a log-in page for instance.
    """
    if response.content.strip():
        raise not_as_asked(response, "the empty answer of a render server: nothing may have been done")
    return response


def outcome_is_unknown(error: Exception) -> bool:
    """Tell whether a request that changes something may have done so, though it failed."""
    if isinstance(error, errors.ServerConnectTimeoutError):
        return False
    if isinstance(error, (errors.ServerTimeoutError, errors.BadAnswerError)):
        return True
    if isinstance(error, errors.ServerUnreachableError):
        return _UNKNOWN in str(error)
    return isinstance(error, errors.ServerError) and error.status_code in _GATEWAY_STATUSES


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
        raise not_as_asked(response, "JSON", str(error)) from None


def decode_optional(response: requests.Response) -> Any:
    """Return the document of an answer, or None if there is none to give."""
    return None if response.status_code == 204 else decode_json(response)


def decode_text(response: requests.Response) -> str:
    """Return the text of an answer, which is UTF-8 whatever its headers say.

    Raises
    ------
    BadAnswerError
        If it is a web page: somebody else answered.
    """
    text = response.content.decode("utf-8", errors="replace")
    if _WEB_PAGE.match(text):
        raise not_as_asked(response, "the text of a render server")
    return text


def not_as_asked(response: requests.Response, wanted: str, why: str = "") -> errors.BadAnswerError:
    """Make the error for an answer that is not what was asked for."""
    content_type = response.headers.get("Content-Type", "no content type")
    method, url = _request_line(response)
    text = _text(response)
    hint = ""
    if _WEB_PAGE.match(text):
        hint = " It is a web page: is a proxy or a log-in page in front of the server, or the path wrong?"
    elif wanted == "JSON" and text.startswith(("[", "{")):
        hint = " It begins like JSON: was it cut off on the way?"
    return errors.BadAnswerError(
        f"{method} {_shown(url)} answered {response.status_code} with {len(response.content)} bytes of "
        f"{content_type[:100]}, which are not {wanted}{f' ({why[:200]})' if why else ''}.{hint} "
        f"It begins with: {text[:200]!r}",
        **_details(response, method, url, text),
    )


def _proxy_of(error: Exception, session: requests.Session, url: str) -> str:
    """Name the proxy that a failed request went through."""
    if not isinstance(error, requests.exceptions.ProxyError):
        return ""
    given = {**requests.utils.get_environ_proxies(url), **(session.proxies or {})}
    proxy = requests.utils.select_proxy(url, given)
    return _shown(proxy) if proxy else "of the session"


def _unanswered(error: Exception, method: str, url: str, proxy: str = "") -> Exception:
    """Make the error for a request that got no answer, or none that can be read."""
    response = getattr(error, "response", None)
    if isinstance(error, requests.HTTPError) and response is not None:
        return _refused(response, method, url)  # a session of the caller's that raises by itself
    cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    attempts = getattr(error, "attempts", None) or getattr(cause, "attempts", None)
    if isinstance(cause, MaxRetryError):
        cause = cause.reason or cause
    kind, message = _kind_of_failure(error, cause)
    # the wrappings of urllib3 repeat the URL and object addresses
    reason = re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>: |[\w.]+\(host='[^']*', port=\d+\): ", "", str(cause))
    reason = _without_password(reason)[:300] + (f"; {attempts} attempts" if (attempts or 1) > 1 else "")
    shown = _shown(url)
    host = shown.partition("://")[2].partition("/")[0].rpartition("@")[2]
    text = message.format(host=host)
    if proxy:
        text = (
            f"no connection to {host} through the proxy {proxy}. Is it the one to use? HTTP_PROXY and "
            "HTTPS_PROXY name it, NO_PROXY the hosts to reach without it."
        )
    look = once(method, url)
    if look and _UNKNOWN in text:
        text += f" It was not repeated, because a second time it would do something else: {look}."
    return kind(
        f"{method} {shown}: {text} ({reason})",
        method=method,
        url=shown,
        attempts=attempts,
    )


def _kind_of_failure(error: Exception, cause: Exception) -> tuple[Callable[..., Exception], str]:
    if isinstance(error, requests.ConnectTimeout) or (
        isinstance(cause, ConnectTimeoutError) and not isinstance(cause, NewConnectionError)
    ):
        return errors.ServerConnectTimeoutError, (
            "no connection to {host} in time. Is the host right, and reachable from here?"
        )
    if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):
        return errors.ServerTimeoutError, (
            "connected, but no whole answer in time. Ask for less at a time, or give more time with "
            "connect(timeout=(10, seconds)). " + _UNKNOWN + "."
        )
    if isinstance(error, requests.exceptions.SSLError) or isinstance(cause, SSLError):
        return errors.ServerCertificateError, (
            "no trusted connection to {host}. For a certificate of your own give its file with "
            "connect(verify='ca.pem')."
        )
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return (
            errors.BadAnswerError,
            f"the answer is garbled on the way. {_UNKNOWN}.",
        )
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return errors.ServerUnreachableError, ("the answer of {host} broke off. " + _UNKNOWN + ".")
    if isinstance(error, requests.TooManyRedirects):
        return errors.BadAnswerError, "redirected in circles. Is a log-in page in front of the server?"
    if isinstance(cause, ResponseError):
        return errors.ServerError, "the server keeps failing"
    if isinstance(cause, ProtocolError):
        return errors.ServerUnreachableError, (
            "the connection to {host} broke off before an answer. " + _UNKNOWN + "."
        )
    if isinstance(error, ValueError) or isinstance(cause, ValueError):
        return errors.ServerUnreachableError, (
            "this address, or one that the server redirects to, cannot be used. Are host and port right?"
        )
    return errors.ServerUnreachableError, (
        "no connection to {host}. Is the server running, and host and port right?"
    )


def _refused(response: requests.Response, method: str, url: str) -> errors.RenderError:
    status = response.status_code
    text = _text(response)
    details = _details(response, method, url, text)
    target = response.headers.get("Location")
    if status < 400 and target:
        return errors.BadRequestError(
            f"{method} {_shown(url)} was redirected to {_shown(target)!r}. Nothing was done, because only a "
            "GET survives a redirect. Connect to that address instead.",
            **details,
        )
    kind, hint = _kind_of(status, text)
    shown = text.strip()
    if re.match(r"<(!doctype|html)", shown, re.IGNORECASE):
        title = re.search(r"<title>(.*?)</title>", shown, re.IGNORECASE | re.DOTALL)
        shown = f"a web page{f' titled {title[1].strip()[:200]!r}' if title else ''}"
    if len(shown) > 500:
        shown = shown[:500] + " ..."
    message = f"{method} {_shown(url)} answered {status}: {shown or response.reason or 'no text'}"
    if status in _GATEWAY_STATUSES and method not in READING_METHODS:
        look = once(method, url)
        hint = _UNKNOWN + (f": {look}." if look else ".")
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
    meaning = meaning_of(text)
    if meaning is not None:
        return meaning
    return (errors.ServerError, "") if status >= 500 else (errors.BadRequestError, "")


def _details(response: requests.Response, method: str, url: str, text: str) -> dict[str, Any]:
    retries = getattr(response.raw, "retries", None)
    return {
        "method": method,
        "url": _shown(url),
        "status_code": response.status_code,
        "server_text": text,
        "attempts": len(retries.history) + 1 if isinstance(retries, Retry) else 1,
    }


def _request_line(response: requests.Response) -> tuple[str, str]:
    request = response.request
    return (request.method or "GET", request.url or response.url) if request else ("GET", response.url)


def _text(response: requests.Response) -> str:
    # never response.text: where no charset is declared requests guesses it from the whole body, which takes
    # minutes for an image
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
