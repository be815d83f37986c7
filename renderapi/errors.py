"""What can go wrong, as a tree::

    Exception
    ├── RenderError                     the server or the caller did something wrong
    │   ├── NotFoundError               (LookupError) 404: no such stack, tile, collection
    │   │   └── EndpointMissingError    ... no such thing on servers of this branch of render
    │   ├── BadRequestError             (ValueError) 4xx: the server refuses the request
    │   ├── AccessDeniedError           (PermissionError) 401, 403
    │   ├── StackStateError             (ValueError) the stack is not in the state needed
    │   ├── ConflictError               (ValueError) what should be new exists already
    │   ├── ServerError                 5xx: the server failed
    │   │   └── ServerOutOfMemoryError  (MemoryError) ... because its memory is full
    │   ├── BadAnswerError              (ValueError) an answer that is not what was asked for
    │   ├── ConnectionSettingsError     (ValueError) a connection cannot be made of these settings
    │   ├── ImportFailedError           some batches of an import did not arrive
    │   ├── TransferError               the two sides of a transfer are not the same
    │   ├── ClientScriptError           a Java client script failed or cannot be run
    │   ├── ConversionError             (ValueError) a document cannot become that object
    │   ├── EstimationError             (ValueError) a model cannot be fitted to these points
    │   └── SpecError                   (ValueError) a document that render would refuse
    │       └── TableError              ... some rows of a table
    └── requests.RequestException
        ├── requests.ConnectionError
        │   └── ServerUnreachableError  no connection to the server
        │       ├── ServerConnectTimeoutError  (also ServerTimeoutError) ... in time
        │       └── ServerCertificateError     (also requests' SSLError) ... that is trusted
        └── requests.Timeout
            └── ServerTimeoutError      the server did not answer in time
    Warning
    └── RenderWarning                   something suspicious that did not stop the work

A server that cannot be reached is deliberately *not* a `RenderError`: programs take
``except RenderError`` to mean "the stack or tile is not there" and go on to create it.
"""

from __future__ import annotations

from typing import Any

from requests.exceptions import ConnectionError as _RequestsConnectionError
from requests.exceptions import SSLError as _RequestsSSLError
from requests.exceptions import Timeout as _RequestsTimeout

__all__ = [
    "AccessDeniedError",
    "BadAnswerError",
    "BadRequestError",
    "ClientScriptError",
    "ConflictError",
    "ConnectionSettingsError",
    "ConversionError",
    "EndpointMissingError",
    "EstimationError",
    "ImportFailedError",
    "NotFoundError",
    "RenderError",
    "RenderWarning",
    "ServerCertificateError",
    "ServerConnectTimeoutError",
    "ServerError",
    "ServerOutOfMemoryError",
    "ServerTimeoutError",
    "ServerUnreachableError",
    "SpecError",
    "StackStateError",
    "TableError",
    "TransferError",
]


class _RequestDetails:
    """What every error of a request carries, beside its message.

    Attributes
    ----------
    method, url : str or None
        The request that failed; credentials inside the URL are removed.
    status_code : int or None
        HTTP status of the answer, None if there was none.
    server_text : str or None
        Text of the answer, at most 2 kB of it.
    attempts : int or None
        How often the request was sent.
    """

    method: str | None = None
    url: str | None = None
    status_code: int | None = None
    server_text: str | None = None
    attempts: int | None = None

    def __init__(
        self,
        *args: Any,
        method: str | None = None,
        url: str | None = None,
        status_code: int | None = None,
        server_text: str | None = None,
        attempts: int | None = None,
    ) -> None:
        # set only what is known, so that an error without a request pickles and compares as plainly
        # as any other exception
        super().__init__(*args)
        details = {
            "method": method,
            "url": url,
            "status_code": status_code,
            "server_text": server_text,
            "attempts": attempts,
        }
        self.__dict__.update({name: value for name, value in details.items() if value is not None})


class RenderError(_RequestDetails, Exception):
    """Something that the render server or its caller did wrong."""


class NotFoundError(RenderError, LookupError):
    """There is no such stack, tile, section, transform or match collection (404)."""


class EndpointMissingError(NotFoundError):
    """Servers of this branch of render do not have what a function asks for."""


class BadRequestError(RenderError, ValueError):
    """The server refuses the request (a 4xx status)."""


class AccessDeniedError(RenderError, PermissionError):
    """The server, or the proxy in front of it, wants other credentials (401, 403)."""


class StackStateError(RenderError, ValueError):
    """The stack is not in the state that the operation needs."""


class ConflictError(RenderError, ValueError):
    """What should be made exists already (409, or the server says so)."""


class ServerError(RenderError):
    """The server failed (a 5xx status)."""


class ServerOutOfMemoryError(ServerError, MemoryError):
    """The server failed because its memory is full: ask for less at a time."""


class BadAnswerError(RenderError, ValueError):
    """The answer is not what was asked for: HTML for JSON, truncated, no image."""


class ConnectionSettingsError(RenderError, ValueError):
    """A connection cannot be made of the settings that were given."""


class ImportFailedError(RenderError):
    """Some batches of an import were not stored.

    Attributes
    ----------
    failures : list of tuple (list, Exception)
        For each batch that failed, its tile ids and why; of matches its pairs, ``((pGroupId, pId), (qGroupId, qId))``.
    stored : int
        Number of tile specs, or pairs, that were stored.
    unknown : list
        Of the tile ids, or pairs, in `failures` those of which it is unknown whether they are stored, because the
        answer was lost.
    """

    def __init__(
        self,
        *args: Any,
        failures: list[tuple[list[Any], Exception]] | None = None,
        stored: int = 0,
        unknown: list[Any] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(*args, **details)
        self.failures = failures or []
        self.stored = stored
        self.unknown = unknown or []


class TransferError(RenderError):
    """What arrived is not what was sent, or a file does not hold what was written to it."""


class ClientScriptError(RenderError):
    """A Java client script failed, or cannot be run.

    Attributes
    ----------
    returncode : int or None
        Exit status of the script; negative: the signal that ended it.
    output : str or None
        The end of what the script printed.
    """

    returncode: int | None = None
    output: str | None = None

    def __init__(
        self,
        *args: Any,
        returncode: int | None = None,
        output: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(*args, **details)
        self.returncode = returncode
        self.output = output


class ConversionError(RenderError, ValueError):
    """A document or object cannot be made into another."""


class EstimationError(RenderError, ValueError):
    """A model cannot be fitted to the given points."""


class SpecError(RenderError, ValueError):
    """A document that render would refuse or misunderstand."""


class TableError(SpecError):
    """Rows of a table cannot be imported; nothing of it was sent.

    Attributes
    ----------
    problems : list of (int or None, str, str)
        Row (from 0; None for a whole column), column and reason of everything that is wrong.
    """

    def __init__(
        self, *args: Any, problems: list[tuple[int | None, str, str]] | None = None, **details: Any
    ) -> None:
        super().__init__(*args, **details)
        self.problems = problems or []


class ServerUnreachableError(_RequestDetails, _RequestsConnectionError):
    """There is no connection to the render server."""


class ServerTimeoutError(_RequestDetails, _RequestsTimeout):
    """The render server did not answer in time."""


class ServerConnectTimeoutError(ServerUnreachableError, ServerTimeoutError):
    """The render server did not accept a connection in time."""


class ServerCertificateError(ServerUnreachableError, _RequestsSSLError):
    """The certificate of the render server is not trusted."""


class RenderWarning(UserWarning):
    """Something suspicious that did not stop the work."""
