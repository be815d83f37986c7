"""Where an image lies: URLs, the folders that may be read, and files opened without surprises."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote_to_bytes

_WINDOWS = os.name == "nt"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # two letters or more: C: is a drive
_SECRETS = re.compile(
    r"([?&;][^=&;#\s]*(?:sig|token|key|secret|credential|password|passwd|auth)[^=&;#\s]*=)[^&;#\s]*",
    re.IGNORECASE,
)
_USER = re.compile(r"^([A-Za-z][\w+.-]*:/*)[^/?#]*@")


class LocationError(ValueError):
    """Why there is nothing to be read at a place."""


class Location(NamedTuple):
    """A URL taken apart.

    Attributes
    ----------
    scheme : str
        In lower case; ``file`` for paths too.
    path : str
        Of local files as the operating system takes it, otherwise the whole URL.
    query : str
        What follows the ``?`` of a local URL.
    """

    scheme: str
    path: str
    query: str = ""


class Status(NamedTuple):
    """What tells one content of a file from the next one."""

    path: str
    modified: int
    size: int
    inode: int


def shown(url: str) -> str:
    """Return a URL for a message: without passwords and signatures."""
    return _SECRETS.sub(r"\1***", _USER.sub(r"\1***@", url))


def locate(url: str, *, has_query: bool = False) -> Location:
    """Take a URL apart as render-ws does.

    Parameters
    ----------
    url : str
        Without a scheme it is a path; one letter is no scheme, but a drive.
    has_query : bool
        Whether a path may be followed by ``?`` and a query too.

    Returns
    -------
    Location
        Scheme, path and query.

    Raises
    ------
    LocationError
        If it cannot be a URL.
    """
    match = _SCHEME.match(url)
    if match is None:
        path, _, query = url.partition("?") if has_query else (url, "", "")
        return Location("file", _checked(path), query)
    scheme = match[1].lower()
    if scheme != "file":
        return Location(scheme, url)
    rest, _, query = url[match.end() :].partition("#")[0].partition("?")
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            raise LocationError(f"file URLs of another host ({host[:100]}) are not read")
        rest = slash + rest
    try:
        path = os.fsdecode(unquote_to_bytes(rest))
    except UnicodeError:
        raise LocationError("its path cannot be decoded") from None
    if _WINDOWS and re.match(r"/[A-Za-z]:", path):
        path = path[1:]
    return Location("file", _checked(path), query)


def _checked(path: str) -> str:
    if not path:
        raise LocationError("it is empty")
    if "\0" in path:
        raise LocationError("there is a null character in its path")
    try:
        os.fsencode(path)
    except UnicodeError:
        raise LocationError("its path cannot be encoded") from None
    return path


class Folders:
    """The folders below which files may be read.

    Parameters
    ----------
    roots : iterable of path, optional
        None: any file; empty: none.
    """

    def __init__(self, roots: Iterable[str | os.PathLike[str]] | None) -> None:
        if isinstance(roots, (str, os.PathLike)):
            raise TypeError(f"roots is {roots!r}; it must be a list of folders")
        self.roots = None if roots is None else tuple(os.path.realpath(root) for root in roots)

    def resolved(self, path: str) -> str | None:
        """Return the true path of a file; None if it lies outside.

        Symbolic links and ``..`` are followed first, so that they lead nowhere else.
        """
        if self.roots is None:
            return path
        if _WINDOWS and path.replace("/", "\\").startswith("\\\\"):
            return None  # only to look at a network share sends credentials
        try:
            true = os.path.realpath(path)
        except (OSError, ValueError):
            return None
        return true if any(Path(true).is_relative_to(root) for root in self.roots) else None

    def status(self, path: str) -> Status:
        """Look at a regular file.

        Raises
        ------
        FileNotFoundError
            If there is none: directories and devices do not count.
        PermissionError
            If it may not be looked at.
        """
        found = os.stat(path)  # noqa: PTH116 (a third of the time, for each of thousands of images)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(path)
        return Status(path, found.st_mtime_ns, found.st_size, found.st_ino)


def open_regular(path: str, *, follow: bool = True) -> BinaryIO:
    """Open a regular file; never wait for what is none, such as a named pipe.

    Parameters
    ----------
    path : str
    follow : bool
        Whether a symbolic link at its end is followed. Of a path that was resolved, nothing is one unless
        somebody exchanged it since.

    Returns
    -------
    file
        Opened for reading bytes; the caller closes it.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    # not Path.open(), which takes no opener
    file = open(path, "rb", opener=lambda name, _: os.open(name, flags))  # noqa: SIM115
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise FileNotFoundError(path)
