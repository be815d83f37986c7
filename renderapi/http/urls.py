"""URLs of what a render server serves: every part of them is quoted here, and nowhere else."""

from __future__ import annotations

import math
import operator
import re
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from renderapi.errors import BadRequestError, ConnectionSettingsError, SpecError
from renderapi.http.environment import ENVIRONMENT, as_port

#: What must not be asked for twice, by the end of its path: a second time it fails, or does more than was
#: asked for. And how to find out what became of it, when the answer is lost.
_ONCE = (
    ("PUT", re.compile(r"/stack/[^/]+/stackId/*$"), "get_stacks_by_owner_project lists the stacks by name"),
    (
        "PUT",
        re.compile(r"/cloneTo/[^/]+/*$"),
        "get_full_stack_metadata and get_z_values_for_stack show the copy",
    ),
    ("PUT", re.compile(r"/collectionId/*$"), "get_matchcollections lists the collections by name"),
    (
        "DELETE",
        re.compile(r"/matchCollection/[^/]+/*$"),
        "get_matchcollections lists the collections by name",
    ),
    ("POST", re.compile(r"/stack/[^/]+/*$"), "get_full_stack_metadata shows the stack and its version"),
    ("POST", re.compile(""), ""),
)


def once(method: str | None, url: str | None) -> str | None:
    """Tell whether a request must not be repeated: how to look for its outcome if so, else None."""
    path = (url or "").partition("?")[0]
    for unique, pattern, look in _ONCE:
        if unique == (method or "").upper() and pattern.search(path):
            return look
    return None


def redacted(url: str) -> str:
    """Return a URL without the user and password that it may hold."""
    return re.sub(r"^([a-zA-Z][\w+.-]*://)?[^/?#]*@", r"\1***@", url)


def is_loopback(url: str | bytes) -> bool:
    """Tell whether a URL is one of this very machine, which no proxy reaches."""
    text = url.decode("latin-1") if isinstance(url, bytes) else url
    try:
        host = urlsplit(text if "://" in text else f"http://{text}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def format_baseurl(host: str, port: int | str | None) -> str:
    """Return the URL that the REST services of a render server begin with.

    Parameters
    ----------
    host : str
        Name of the host, with or without scheme; it may end in the path prefix of a proxy
        (``https://em.example.org/lab``).
    port : int or None
        None or an empty text leaves the port to the scheme.

    Returns
    -------
    str
        For instance ``http://localhost:8080/render-ws/v1``.
    """
    if not isinstance(host, str):
        raise ConnectionSettingsError(f"host must be a text, not {host!r:.100} of type {type(host).__name__}")
    host, port = host_and_port(host, port)
    scheme, separator, rest = host.strip().rstrip("/").rpartition("://")
    authority, slash, prefix = rest.partition("/")
    if port not in (None, ""):
        authority = f"{authority}:{port}"
    return f"{scheme}{separator}{authority}{slash}{prefix}/render-ws/v1"


def format_preamble(host: str, port: int | str | None, owner: str, project: str, stack: str) -> str:
    """Return the URL that everything about one stack begins with.

    Parameters
    ----------
    host, port
        As for `format_baseurl`.
    owner, project, stack : str
        Names; what a URL cannot hold is quoted.

    Returns
    -------
    str
        For instance ``http://localhost:8080/render-ws/v1/owner/me/project/p/stack/s``.
    """
    return join_url(
        format_baseurl(required("host", host), port),
        "owner", required("owner", owner),
        "project", required("project", project),
        "stack", required("stack", stack),
    )  # fmt: skip


def server_url(host: str | None, port: int | str | None, *segments: object) -> str:
    """Return the URL of something that belongs to the server as a whole."""
    return join_url(format_baseurl(required("host", host), port), *segments)


def owner_url(host: str | None, port: int | str | None, owner: str | None, *segments: object) -> str:
    """Return the URL of something that belongs to an owner.

    Parameters
    ----------
    host, port
        As for `format_baseurl`; the host must be given.
    owner : str or None
        Owner; it must be given.
    *segments : object
        Further segments of the path.

    Returns
    -------
    str
    """
    return server_url(host, port, "owner", required("owner", owner), *segments)


def stack_url(
    host: str | None,
    port: int | str | None,
    owner: str | None,
    project: str | None,
    stack: str,
    *segments: object,
) -> str:
    """Return the URL of something in a stack.

    Parameters
    ----------
    host, port, owner
        As for `owner_url`.
    project : str or None
        Project; it must be given.
    stack : str
        Stack.
    *segments : object
        Further segments of the path; after ``"z"`` comes a number.

    Returns
    -------
    str
    """
    if len(segments) > 1 and segments[0] == "z":
        _check_z(segments[1])
    return join_url(
        format_preamble(host, port, owner, project, stack),  # type: ignore[arg-type]
        *segments,
    )


def dashboard_url(
    host: str | None,
    port: int | str | None,
    page: str = "index",
    owner: str | None = None,
    project: str | None = None,
    stack: str | None = None,
) -> str:
    """Return the URL of a page of the server's dashboard, with what it shows.

    Examples
    --------
    >>> dashboard_url("http://localhost", 8080, "viewer", "me", "p", "v 1")
    'http://localhost:8080/render-ws/view/viewer.html?renderStackOwner=me&renderStackProject=p&renderStack=v+1'
    """
    chosen = {"renderStackOwner": owner, "renderStackProject": project, "renderStack": stack}
    query = urlencode({name: value for name, value in chosen.items() if value})
    address = f"{format_baseurl(required('host', host), port).removesuffix('/v1')}/view/{page}.html"
    return f"{address}?{query}" if query else address


def _check_z(z: object) -> None:
    if type(z) is int or (type(z) is float and math.isfinite(z)):
        return
    try:
        if isinstance(z, str):
            format_number(float(z))
        else:
            format_number(z)
    except ValueError:
        raise SpecError(f"z must be a finite number, not {z!r:.100}: nothing was sent") from None


def join_url(base: str, *segments: object) -> str:
    """Append path segments to a URL, each quoted; numbers are written so that they read back exactly.

    Parameters
    ----------
    base : str
        URL that they are appended to.
    *segments : object
        Texts and numbers.

    Returns
    -------
    str
    """
    return "/".join([base, *(_segment(segment) for segment in segments)])


def _segment(value: object) -> str:
    if isinstance(value, str):
        if value in (".", ".."):
            # quoted or not, HTTP takes these for steps in the path: the request would go elsewhere
            raise SpecError(f"{value!r} cannot be a name on a render server: nothing was sent")
        return quote(value, safe=",")
    if isinstance(value, tuple):
        return ",".join(_segment(part) for part in value)
    return format_number(value)


def format_number(value: object) -> str:
    """Write a number for a URL: the shortest text that reads back as the same value.

    Parameters
    ----------
    value : number or str
        The number; a text is quoted and otherwise kept.

    Returns
    -------
    str

    Raises
    ------
    SpecError
        If it is NaN, infinite or no number. (A `ValueError`.)
    """
    if isinstance(value, str):
        return quote(value, safe="")
    if value is None or isinstance(value, (bool, bytes)):
        raise SpecError(f"a number is needed here, not {value!r}")
    with suppress(TypeError):
        return str(operator.index(value))  # type: ignore[arg-type]
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise SpecError(f"a number is needed here, not {value!r}") from None
    if not math.isfinite(number):
        raise SpecError(f"a finite number is needed here, not {value!r}")
    return repr(number)


def whole_pixels(name: str, size: Any) -> int:
    """Cut a size in pixels down to whole pixels, as the URL of a box has it."""
    # render-ws reads the size of a box as integers and answers 404 to a fraction
    try:
        return int(float(size))
    except (TypeError, ValueError, OverflowError):
        raise BadRequestError(f"{name} is {size!r}; it must be a number of pixels") from None


def dvid_segments(x: float, y: float, z: float, width: float, height: float) -> tuple[str, ...]:
    """Return the segments of the path of a box as DVID has them."""
    size = f"{whole_pixels('width', width)}_{whole_pixels('height', height)}"
    return "dvid", "imagetile", "raw", "xy", size, "_".join(map(format_number, (x, y, z)))


def required(name: str, value: Any) -> Any:
    """Return a connection setting, or say how to set it if it is None."""
    if value is None:
        variables = ENVIRONMENT.get(name)
        where = f", or set {' or '.join(variables)}" if variables else ""
        raise ConnectionSettingsError(f"{name} is not known: give render= or {name}={where}")
    if name == "host" or type(value) is str:
        return value
    if isinstance(value, (list, tuple, set, dict, bytes)) or hasattr(value, "to_dict"):
        raise ConnectionSettingsError(
            f"{name} must be a text, not {value!r:.100} of type {type(value).__name__}: nothing was sent"
        )
    return str(value)


_AUTHORITY_WITH_PORT = re.compile(r"(.*?(?:\]|[^:\]])):(\d+)")


def host_and_port(host: str, port: int | str | None) -> tuple[str, int | str | None]:
    """Take the port out of a host that names one beside a port given for itself.

    Raises
    ------
    ConnectionSettingsError
        If they contradict each other.
    """
    scheme, separator, rest = host.strip().rpartition("://")
    authority, slash, path = rest.partition("/")
    named = _AUTHORITY_WITH_PORT.fullmatch(authority) if ":" in authority else None
    # an address of IPv6 without brackets has colons, but no port
    if named is None or port in (None, "") or (":" in named[1].rpartition("@")[2] and named[1][-1] != "]"):
        return host, port
    if int(named[2]) != as_port(port):
        raise ConnectionSettingsError(
            f"host {redacted(host)!r} names port {named[2]}, but port is {port!r}: give one of them only"
        )
    return f"{scheme}{separator}{named[1]}{slash}{path}", port


def split_url(url: str) -> tuple[str, int | None]:
    """Take the URL of a render server apart: host with scheme and path prefix, and port."""
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(full)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("http", "https"):
        raise ConnectionSettingsError(f"url is {redacted(url)!r}; it should look like https://host/render-ws")
    path = re.sub(r"(/render-ws)?(/v1)?/*$", "", parts.path)
    return urlunsplit((parts.scheme, re.sub(r":\d*$", "", parts.netloc), path, "", "")), port


def without_credentials(host: str) -> str:
    """Return a host without the user and password that it may begin with."""
    return redacted(host).replace("***@", "", 1)
