"""Who may talk to the server: only names that are this machine's, and pages that its user trusts.

Whoever can reach a socket of this machine can use the server, and every page that is open in a browser here
can reach it. A browser says for which name it came (``Host``: a page may let its own name lead to this
machine) and which page sent it (``Origin``, ``Referer``, ``Sec-Fetch-Site``), and no page can make it say
anything else. Programs - requests, the Java clients - say no more than the name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from renderapi.server.endpoints.refusals import Refusal

ANY = "*"
_READING = ("GET", "HEAD", "OPTIONS")
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - nothing is bound here
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Tell whether a name or address can only be reached from this machine."""
    name = host.lower().rstrip(".")
    # a browser resolves names below localhost by itself, to this machine
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host_and_port(netloc: str, scheme: str = "http") -> tuple[str, int] | None:
    """Return name and port of ``name:port``, or None if that is none."""
    try:
        parts = urlsplit(f"//{netloc}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.path or parts.query or "@" in netloc or any(map(str.isspace, netloc)):
        return None
    return host.lower().rstrip("."), _DEFAULT_PORTS.get(scheme, 0) if port is None else port


def origin_of(url: str) -> str:
    """Return the origin of a URL as browsers write it; of what has none, ``null``.

    Examples
    --------
    >>> origin_of("https://Viewer.example:443/path?query")
    'https://viewer.example'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "null"
    place = _host_and_port(parts.netloc.rpartition("@")[2], parts.scheme)
    if place is None or not parts.scheme:
        return "null"
    host, port = place
    host = f"[{host}]" if ":" in host else host
    scheme = parts.scheme.lower()
    return f"{scheme}://{host}" + ("" if port in (0, _DEFAULT_PORTS.get(scheme)) else f":{port}")


@dataclass(frozen=True)
class Visitors:
    """The names that the server answers to, and the pages that it answers.

    Attributes
    ----------
    hosts : frozenset of str
        Names and addresses beside those of loopback; ``*`` is any.
    origins : frozenset of str
        Pages of these origins may read and change; ``*`` lets those of all others read. Pages of this machine
        may always read.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, hosts: Iterable[str], origins: Iterable[str]) -> Visitors:
        """Check the options and make them comparable.

        Raises
        ------
        ValueError
            If a host is none, or an origin is none.
        """
        return cls(frozenset(map(_checked_host, hosts)), frozenset(map(_checked_origin, origins)))

    def check(self, method: str, headers: Mapping[str, str]) -> str | None:
        """Refuse (403) a request for another name, or of a page that may not send it.

        Returns
        -------
        str or None
            The origin that the browser may give the answer to, if it asked.
        """
        host = headers.get("Host", "")
        if not self._knows(host):
            raise Refusal(
                403,
                f"this server does not answer to the name '{host:.100}'; start it with "
                f"--allow-host {_name(host):.100} (allow_hosts=...) if that is its name",
            )
        origin = headers.get("Origin")
        page = _page(method, headers) if origin is None else origin
        if page is None or _same(page, host):
            return origin
        if method in _READING:
            if not self._may_read(page):
                raise self._refusal("read from", page)
        elif page not in self.origins:
            raise self._refusal("change anything in", page)
        return origin

    def may_change(self, origin: str) -> bool:
        """Tell whether a page of another origin may send requests that change something."""
        return origin in self.origins

    def _knows(self, host: str) -> bool:
        # programs of HTTP/1.0, and those that call the application, need not give a name; browsers do
        if not host or ANY in self.hosts:
            return True
        place = _host_and_port(host)
        if place is None:
            return False
        name = place[0]
        if name in self.hosts or is_loopback(name):
            return True
        # an address cannot be made to lead elsewhere, as a name can
        return _address(name) is not None and not self.hosts.isdisjoint(_WILDCARDS)

    def _may_read(self, page: str) -> bool:
        return ANY in self.origins or page in self.origins or is_loopback(urlsplit(page).hostname or "")

    @staticmethod
    def _refusal(what: str, page: str) -> Refusal:
        shown = f"{page:.200}"
        return Refusal(
            403,
            f"pages of {shown} may not {what} this server; start it with --cors-origin {shown} "
            "(cors_origins=...) if you trust them",
        )


def _name(host: str) -> str:
    place = _host_and_port(host)
    return "NAME" if place is None else place[0]


def _page(method: str, headers: Mapping[str, str]) -> str | None:
    """Return the origin of the page that sent a request without Origin; None if no other page did."""
    site = headers.get("Sec-Fetch-Site")
    referer = headers.get("Referer")
    if site in ("same-origin", "none"):
        return None
    if method in _READING:
        # a link may lead here; what is part of another page comes with a site and without mode navigate
        if site is None or headers.get("Sec-Fetch-Mode") == "navigate":
            return None
    elif site is None and referer is None:
        return None
    return origin_of(referer or "")


def _same(page: str, host: str) -> bool:
    parts = urlsplit(page)
    place = _host_and_port(parts.netloc, parts.scheme)
    # a proxy that speaks https has the default port of that
    return place is not None and place == _host_and_port(host, parts.scheme)


def _checked_host(host: str) -> str:
    if host == ANY or _address(host) is not None:
        return host.lower()
    place = _host_and_port(host)
    if place is None or host != host.strip() or ":" in host:
        raise ValueError(f"{host!r} is no name of a host: one like render.example.org, without port")
    return place[0]


def _checked_origin(origin: str) -> str:
    if origin in (ANY, "null"):
        return origin
    given = origin.rstrip("/")
    found = origin_of(given)
    if found == "null" or urlsplit(given).path or not urlsplit(given).netloc:
        raise ValueError(f"{origin!r} is no origin: one like https://viewer.example.org, or '*'")
    return found
