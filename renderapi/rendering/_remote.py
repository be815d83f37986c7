"""Image files fetched over HTTP, or from S3 with fsspec: with limits of size and time."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import weakref
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from renderapi._extras import install_line
from renderapi.errors import RenderError
from renderapi.http import transport
from renderapi.rendering._formats import UnreadableImageError
from renderapi.rendering.locations import shown

REMOTE_SCHEMES = ("http", "https", "s3")

_MOST_REDIRECTS = 5
_PIECE = 1 << 16
_INSTALL = install_line("sources")


class _ImageSession(transport.RenderSession):
    """Follows redirects by itself: not from https to http, and not reading what comes with them."""

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> Any:
        options.update(stream=True, allow_redirects=False)
        secure = False
        for _ in range(_MOST_REDIRECTS + 1):
            scheme = urlsplit(url).scheme.lower()
            if scheme not in ("http", "https") or (secure and scheme == "http"):
                raise ValueError(f"it is redirected to an address of the scheme {scheme[:30]!r}")
            secure = scheme == "https"
            response = super().request(method, url, *args, **options)
            target = response.headers.get("Location")
            if not (response.is_redirect and target):
                if response.status_code >= 300:
                    # the text of an error may be endless
                    head = response.raw.read(2000, decode_content=True)
                    response.close()
                    response.raw = io.BytesIO(head)
                return response
            response.close()
            url = urljoin(url, target)
        raise ValueError("it is redirected too often")


class Remote:
    """Fetches image files.

    Parameters
    ----------
    connect_timeout, download_timeout : float
        Seconds until there must be a connection, and until a file must have arrived.
    max_download : int
        Bytes of a file.
    """

    def __init__(self, connect_timeout: float, download_timeout: float, max_download: int) -> None:
        self.connect_timeout = connect_timeout
        self.download_timeout = download_timeout
        self.max_download = max_download
        self._settings = transport.Settings(timeout=(connect_timeout, download_timeout), retries=1)
        self._local = threading.local()
        self._sessions: weakref.WeakSet[_ImageSession] = weakref.WeakSet()
        self._lock = threading.Lock()

    def open(self, url: str) -> BinaryIO:
        """Fetch a file.

        Raises
        ------
        UnreadableImageError
            If it does not come, or is too large.
        """
        if url[:5].lower() == "s3://":
            return self._from_s3(url)
        return self._from_http(url)

    def exists(self, url: str) -> bool:
        """Tell whether there is such a file."""
        try:
            if url[:5].lower() == "s3://":
                with _s3_errors():
                    return bool(self._s3().exists(url))
            transport.send(self._session(), "HEAD", url).close()
        except (RenderError, UnreadableImageError, OSError):
            return False
        return True

    def close(self) -> None:
        """Close the connections that are kept for the next file."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def _session(self) -> _ImageSession:
        session: _ImageSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _ImageSession(self._settings)
            with self._lock:
                self._sessions.add(session)
        return session

    # ------------------------------------------------------------------------------ HTTP

    def _from_http(self, url: str) -> BinaryIO:
        late = _Deadline(self.download_timeout)
        try:
            with late:
                headers = {"Accept-Encoding": "identity"}
                response = transport.send(self._session(), "GET", url, headers=headers)
                with contextlib.closing(response):
                    late.watch(response.raw)
                    return self._received(response, late)
        except RenderError as error:
            status = (
                f"the server answered {error.status_code}" if error.status_code else "the answer broke off"
            )
            raise UnreadableImageError(status) from None
        except (OSError, ValueError) as error:
            if isinstance(error, UnreadableImageError):
                raise
            if late.passed:
                raise UnreadableImageError(self._too_slow()) from None
            raise UnreadableImageError(f"it cannot be fetched ({_reason(error)})") from None

    def _received(self, response: Any, late: _Deadline) -> BinaryIO:
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > self.max_download:
            raise UnreadableImageError(self._too_large())
        file = io.BytesIO()
        for piece in response.iter_content(_PIECE):
            if file.tell() + len(piece) > self.max_download:
                raise UnreadableImageError(self._too_large())
            file.write(piece)
        if late.passed:
            raise UnreadableImageError(self._too_slow())
        file.seek(0)
        return file

    def _too_large(self) -> str:
        return f"its file is larger than the {self.max_download} bytes that are fetched"

    def _too_slow(self) -> str:
        return f"it did not arrive within {self.download_timeout:g} seconds"

    # ------------------------------------------------------------------------------ S3

    def _s3(self) -> Any:
        try:
            import fsspec

            return fsspec.filesystem(
                "s3",
                config_kwargs={
                    "connect_timeout": self.connect_timeout,
                    "read_timeout": self.download_timeout,
                    "retries": {"max_attempts": 2},
                },
            )
        except ImportError:
            raise UnreadableImageError(f"images in S3 are read with fsspec and s3fs: {_INSTALL}") from None

    def _from_s3(self, url: str) -> BinaryIO:
        files = self._s3()
        with _s3_errors():
            size = int(files.info(url)["size"])
            if size > self.max_download:
                raise UnreadableImageError(self._too_large())
            data = bytes(files.cat_file(url, end=self.max_download))
        if len(data) != size:
            raise UnreadableImageError("it is cut off")
        return io.BytesIO(data)


@contextlib.contextmanager
def _s3_errors() -> Iterator[None]:
    try:
        yield
    except UnreadableImageError:
        raise
    except FileNotFoundError:
        raise UnreadableImageError("there is no such object") from None
    except Exception as error:  # those of botocore are of no common kind
        raise UnreadableImageError(f"it cannot be fetched ({_reason(error)})") from None


def _reason(error: BaseException) -> str:
    text = shown(str(error))
    return f"{type(error).__name__}: {(text.partition(': ')[2] or text)[:200]}"


class _Deadline:
    """Ends a download that takes too long, also one that waits for the next byte."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def watch(self, raw: Any) -> None:
        """Shut the connection of an answer down when the time is over."""
        try:
            duplicate = socket.fromfd(raw.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        except (OSError, ValueError):
            return  # all of it is here already
        with self._lock:
            self._socket = duplicate
        if self.passed:
            self._end()

    def _end(self) -> None:
        self.passed = True
        with self._lock:
            if self._socket is not None:
                # who waits in recv() wakes up only by this
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
