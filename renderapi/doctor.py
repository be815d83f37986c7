"""Why it does not work: a set-up looked at step by step, from the name of the server to Java.

`examine` says of each step what was found and what to do about it; ``renderapi doctor`` prints that. Nothing is
changed anywhere.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from renderapi import errors
from renderapi.client.utils import find_client_script
from renderapi.http import transport
from renderapi.http.sessions import RenderSession
from renderapi.http.urls import join_url, redacted
from renderapi.render import ENVIRONMENT, check_client_script, format_baseurl, renderaccess

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

__all__ = ["Finding", "examine"]

#: A MongoDB that is away is noticed by render-ws after 30 s.
_DATABASE_SECONDS = 45.0
_JAVA_SECONDS = 20.0
#: A stack that nobody has written to for so long is not being loaded any more.
_STUCK = timedelta(hours=1)
_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """What was found in one step.

    Attributes
    ----------
    subject : str
        ``"address"``, ``"proxy"``, ``"name"``, ``"port"``, ``"certificate"``, ``"server"``, ``"access"``,
        ``"database"``, ``"owner"``, ``"state"``, ``"scripts"`` or ``"Java"``.
    state : {"ok", "note", "wrong", "unknown"}
        Whether it works; ``"note"`` for what may be meant so, ``"unknown"`` for what could not be looked at.
    text : str
        What was found.
    advice : str
        What to do; empty where there is nothing.
    """

    subject: str
    state: str
    text: str
    advice: str = ""


class _StopError(Exception):
    """What follows cannot be looked at."""


@renderaccess
def examine(
    stack: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_scripts: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    client_script: str | None = None,
    seconds: float = 5.0,
    report: Callable[[Finding], Any] | None = None,
    **kwargs: Any,
) -> list[Finding]:
    """Look at everything between this program and the tiles of a stack.

    Parameters
    ----------
    stack : str, optional
        Stack whose state is looked at. Default: those of the project that are LOADING are named.
    host, port, owner, project, session, render
        Connection. Its timeouts and repetitions are not used, its credentials and certificates are.
    client_scripts, client_script : str, optional
        Folder of the Java client scripts, or the script itself; default those of the connection or the
        environment.
    seconds : float
        How long a connection may take. Default 5.0. The data base gets 45 s, because render-ws itself waits
        30 s for it.
    report : callable, optional
        Called with each finding when it is there.

    Returns
    -------
    list of Finding
        In the order of the way to the tiles. After something on it that is wrong the rest of it is not looked at.

    Examples
    --------
    >>> import renderapi
    >>> from renderapi import doctor
    >>> from renderapi.server import serve_background
    >>> with serve_background() as server:
    ...     render = server.connect(owner="me", project="p", web_only=True)
    ...     findings = doctor.examine(render=render)
    >>> [finding.subject for finding in findings if finding.state == "ok"]
    ['address', 'name', 'port', 'server', 'access', 'database']
    """
    found: list[Finding] = []

    def add(finding: Finding) -> None:
        found.append(finding)
        if report is not None:
            report(finding)

    probe = _probe(session, seconds)
    try:
        with suppress(_StopError):
            url = _Way(add, probe, seconds).look(host, port, owner, project)
            _Tiles(add, probe, url, owner, project).look(stack)
    finally:
        if probe is not session:
            probe.close()
    _look_at_java(add, find_client_script(render, client_script=client_script, client_scripts=client_scripts))
    return found


def _probe(session: requests.Session | None, seconds: float) -> requests.Session:
    """Return a session that tries once; a caller's own is used as it is."""
    if session is not None and not isinstance(session, RenderSession):
        return session
    settings = transport.Settings() if session is None else session.settings
    return RenderSession(
        settings.changed(retries=0, timeout=(seconds, _DATABASE_SECONDS), total=_DATABASE_SECONDS + seconds)
    )


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0]


# ---------------------------------------------------------------------------------- the way to the server


class _Way:
    """The way to a server, up to its data base."""

    def __init__(self, add: Callable[[Finding], None], session: requests.Session, seconds: float) -> None:
        self._add = add
        self._session = session
        self._seconds = seconds
        self._proxy: str | None = None

    def _wrong(self, subject: str, text: str, advice: str) -> _StopError:
        self._add(Finding(subject, "wrong", text, advice))
        return _StopError(subject)

    def look(self, host: str | None, port: int | None, owner: str | None, project: str | None) -> str:
        """Go the way, and return the URL of the services."""
        url = self._address(host, port, owner, project)
        parts = urlsplit(url)
        name = parts.hostname or ""
        number = parts.port or (443 if parts.scheme == "https" else 80)
        self._proxy = _proxy_for(url, self._session)
        if self._proxy:
            self._look_at_proxy(name)
        else:
            self._look_up(name, number)
            self._connect("port", name, number, _port_advice(number))
        self._ask(url, parts.scheme == "https")
        return url

    def _address(self, host: str | None, port: int | None, owner: str | None, project: str | None) -> str:
        if not host:
            variables = " and ".join(ENVIRONMENT[name][-1] for name in ("host", "port"))
            raise self._wrong(
                "address",
                "no server is named",
                f"Give host= and port=, or set {variables}. One of your own: renderapi serve",
            )
        try:
            url = format_baseurl(host, port)
            parts = urlsplit(url)
            if not (parts.hostname and parts.port != 0):
                raise ValueError(f"{redacted(url)} names no host")
        except ValueError as error:
            raise self._wrong("address", _first_line(error), "Correct host and port.") from None
        names = ", ".join(f"{kind} {name}" for kind, name in (("owner", owner), ("project", project)) if name)
        self._add(Finding("address", "ok", f"{redacted(url)}{', ' if names else ''}{names}"))
        return url

    def _look_at_proxy(self, name: str) -> None:
        proxy = urlsplit(self._proxy or "")
        shown = redacted(self._proxy or "")
        advice = (
            f"HTTP_PROXY and HTTPS_PROXY name it. If {name} is reached without: set NO_PROXY={name}, "
            "or connect(direct=True)."
        )
        self._connect("proxy", proxy.hostname or "", proxy.port or 80, advice, f"the proxy {shown}: ")
        self._add(Finding("proxy", "note", f"requests go through the proxy {shown}", advice))

    def _look_up(self, name: str, number: int) -> None:
        try:
            found = socket.getaddrinfo(name, number, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self._wrong(
                "name",
                f"no address is known for {name} ({_reason(error)})",
                "Is it spelt right? Names of a lab are often known in its network only: is the VPN on?",
            ) from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._add(Finding("name", "ok", f"{name} is {', '.join(addresses[:_SHOWN])}"))

    def _connect(self, subject: str, name: str, number: int, advice: str, what: str = "") -> None:
        try:
            socket.create_connection((name, number), self._seconds).close()
        except ConnectionRefusedError:
            raise self._wrong(subject, f"{what}nothing listens at port {number} of {name}", advice) from None
        except TimeoutError:
            raise self._wrong(
                subject,
                f"{what}port {number} of {name} does not answer within {self._seconds:g} s",
                f"A firewall may be between here and there. {advice}",
            ) from None
        except OSError as error:
            raise self._wrong(
                subject, f"{what}no way to port {number} of {name} ({_reason(error)})", advice
            ) from None
        if not what:
            self._add(Finding(subject, "ok", f"port {number} accepts connections"))

    # ------------------------------------------------------------------------------------ requests

    def _ask(self, url: str, secure: bool) -> None:
        """Ask what needs no data base, then what needs one."""
        try:
            response = transport.send(
                self._session, "GET", join_url(url, "versionInfo"), timeout=(self._seconds, 3 * self._seconds)
            )
        except errors.ServerCertificateError as error:
            raise self._wrong("certificate", _tls_reason(error), _tls_advice(str(error))) from None
        except errors.NotFoundError:
            response = None  # older servers do not tell their version: the owners will say who this is
        except errors.ServerError as error:
            if error.status_code in (502, 503, 504) or self._proxy:
                self._refused(error, secure)
            response = None
        except (errors.RenderError, errors.ServerUnreachableError, errors.ServerTimeoutError) as error:
            self._refused(error, secure)
        if secure:
            self._add(Finding("certificate", "ok", "the certificate is trusted"))
        if response is not None and response.status_code != 204:
            self._is_from_render(response)
        try:
            answer = transport.send(self._session, "GET", join_url(url, "owners", ""))
            owners = transport.decode_json(answer)
            if not isinstance(owners, list):
                raise transport.not_as_asked(answer, "a list of owners")
        except errors.NotFoundError as error:
            raise self._wrong(
                "server",
                f"a web server answers, but has no render-ws at {redacted(url)} (status {error.status_code})",
                "Is the path right? A proxy may have put render-ws below another one: https://host/PREFIX/render-ws.",
            ) from None
        except errors.BadAnswerError as error:
            raise self._no_render(error) from None
        except errors.ServerError as error:
            self._add(Finding("server", "ok", "a render server answers"))
            raise self._database(error) from None
        except errors.ServerTimeoutError:
            raise self._wrong(
                "database",
                f"the server answers, but not within {_DATABASE_SECONDS:g} s what its data base has to be asked for",
                "Is its MongoDB overloaded, or is an index missing? Its administrator has to look.",
            ) from None
        except (errors.RenderError, errors.ServerUnreachableError) as error:
            self._refused(error, secure)
        self._add(Finding("server", "ok", "a render server answers"))
        sent = answer.request is not None and "Authorization" in answer.request.headers
        self._add(
            Finding(
                "access", "ok", "the credentials are accepted" if sent else "no credentials are asked for"
            )
        )
        self._add(Finding("database", "ok", f"it answers: {len(owners)} owner{'s' * (len(owners) != 1)}"))

    def _is_from_render(self, response: requests.Response) -> None:
        try:
            known = isinstance(transport.decode_json(response), dict)
        except errors.BadAnswerError as error:
            raise self._no_render(error) from None
        if not known:
            raise self._no_render(transport.not_as_asked(response, "the version of a render server"))

    def _no_render(self, error: errors.BadAnswerError) -> _StopError:
        title = re.search(r"<title>\s*(.*?)\s*</title>", error.server_text or "", re.IGNORECASE | re.DOTALL)
        page = re.match(r"\s*<", error.server_text or "")
        what = f"a web page{f' titled {title[1][:80]!r}' if title else ''}" if page else "something else"
        who = "the proxy, or what is behind it," if self._proxy else "what listens there"
        return self._wrong(
            "server",
            f"{who} answers, but with {what}: it is no render server",
            "Are host, port and path right? A log-in page, or a proxy, may be in front of the server.",
        )

    def _refused(self, error: Exception, secure: bool) -> None:
        """Say what an answer that ends the way means.

        Raises
        ------
        _StopError
            Always.
        """
        status = getattr(error, "status_code", None)
        text = str(error)
        through = f" through the proxy {redacted(self._proxy)}" if self._proxy else ""
        if self._proxy and (
            status in (403, 407, 502, 503, 504) or isinstance(error, errors.ServerUnreachableError)
        ):
            said = f"answers {status}" if status else f"lets nothing through ({_cause(text)})"
            raise self._wrong(
                "proxy",
                f"the proxy {redacted(self._proxy)} {said} instead of the server",
                "It may not know the host, or not let you through. If the server is reached without it: set NO_PROXY "
                "to the host, or connect(direct=True). A proxy with a password is http://user:password@host:port.",
            ) from None
        if isinstance(error, errors.AccessDeniedError):
            raise self._wrong(
                "access",
                f"the server answers {status}: it wants {'other ' if status == 403 else ''}credentials",
                "Give them with connect(auth=(user, password)), or in a ~/.netrc file; --user for the command.",
            ) from None
        if status in (502, 503, 504):
            raise self._wrong(
                "server",
                f"what is in front of the render server answers {status}: it does not reach it",
                "The render server itself is down or starting: its administrator has to look.",
            ) from None
        if isinstance(error, errors.ServerTimeoutError):
            raise self._wrong(
                "server",
                f"it accepts connections{through}, but does not answer",
                ("Does it speak TLS at all? Try http:// instead of https://. " if secure else "")
                + "It hangs, or is overloaded, or it is no render server that listens there.",
            ) from None
        if not secure and ("HTTPS port" in text or isinstance(error, errors.ServerUnreachableError)):
            advice = "Does it want TLS? Write https:// before the host. Or it is no render server that listens there."
        else:
            advice = "Perhaps it is no render server that listens there: are host and port right?"
        raise self._wrong("server", f"no answer of HTTP that can be used: {_cause(text)}", advice) from None

    def _database(self, error: errors.ServerError) -> _StopError:
        if "MongoDB" in str(error):
            return self._wrong(
                "database",
                f"the render server runs, but does not reach its MongoDB: {shorten(error.server_text or '', 120)}",
                "Start MongoDB, or correct its host in the render server's conf/render-db.properties: nothing on "
                "this side helps.",
            )
        return self._wrong(
            "database",
            f"the list of owners is answered {error.status_code}: {shorten(error.server_text or 'no text', 200)}",
            "The log of the render server says why: its administrator has to look.",
        )


def _proxy_for(url: str, session: requests.Session) -> str | None:
    """Return the proxy that a request to a URL goes through."""
    from requests.utils import select_proxy

    settings = session.merge_environment_settings(url, {}, None, None, None)
    proxy = select_proxy(url, settings["proxies"])
    return None if proxy is None else proxy if "://" in proxy else f"http://{proxy}"


def _port_advice(number: int) -> str:
    usual = "" if number == 8080 else " render-ws mostly listens at 8080."
    return (
        f"Is the server running, and the port right?{usual} One of your own: renderapi serve --port {number}"
    )


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _cause(text: str) -> str:
    """Return what stands in the last parentheses of a message of the transport: the cause."""
    text = re.sub(r" \(_ssl\.c:\d+\)", "", text)
    found = re.search(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*$", text)
    return (found[1] if found else text)[:200]


def _tls_reason(error: Exception) -> str:
    return f"no trusted connection: {_cause(str(error))}"


def _tls_advice(text: str) -> str:
    if re.search(r"WRONG_VERSION|record layer|wrong version number", text, re.IGNORECASE):
        return "That port speaks plain HTTP: write http:// before the host, or give the port of TLS."
    if "expired" in text:
        return "The certificate has expired: its administrator has to renew it. Is the clock of this machine right?"
    if re.search(r"hostname|doesn't match|not valid for", text, re.IGNORECASE):
        return "The certificate is of another name: use that one for the host."
    return (
        "Give the file of the authority that signed it with connect(verify='ca.pem'), --verify ca.pem for the command. "
        "verify=False (--insecure) looks at no certificate."
    )


# ------------------------------------------------------------------------------------- owner and stacks


class _Tiles:
    """What the server has of an owner, a project and a stack."""

    def __init__(
        self,
        add: Callable[[Finding], None],
        session: requests.Session,
        url: str,
        owner: str | None,
        project: str | None,
    ) -> None:
        self._add = add
        self._session = session
        self._url = url
        self._owner = owner
        self._project = project

    def look(self, stack: str | None) -> None:
        """Look at what is named."""
        if not self._owner:
            return
        try:
            stacks = self._get("owner", self._owner, "stacks", "")
            if not stacks:
                owners = self._get("owners", "")
                self._add(
                    _not_there("owner", "owner", self._owner, owners, "The first stack makes the owner.")
                )
                return
            projects = sorted({metadata["stackId"]["project"] for metadata in stacks})
            if self._project and self._project not in projects:
                missing = f"project of {self._owner}"
                self._add(
                    _not_there(
                        "owner", missing, self._project, projects, "The first stack makes the project."
                    )
                )
                return
            mine = [m for m in stacks if not self._project or m["stackId"]["project"] == self._project]
            where = "/".join(name for name in (self._owner, self._project) if name)
            self._add(Finding("owner", "ok", f"{where} has {len(mine)} stack{'s' * (len(mine) != 1)}"))
            if stack is None:
                self._look_at_all(mine)
            else:
                self._look_at_one(stack, mine)
        except (errors.RenderError, OSError, KeyError, TypeError) as error:
            self._add(Finding("owner", "unknown", f"its stacks cannot be listed: {_first_line(error)}"))

    def _get(self, *segments: str) -> Any:
        return transport.decode_json(transport.send(self._session, "GET", join_url(self._url, *segments)))

    def _look_at_all(self, stacks: Sequence[dict[str, Any]]) -> None:
        loading = [m["stackId"]["stack"] for m in stacks if m.get("state") == "LOADING" and _is_stuck(m)]
        if loading:
            names = ", ".join(loading[:_SHOWN]) + (" ..." if len(loading) > _SHOWN else "")
            text = f"{len(loading)} LOADING, and not written to for an hour or more: {names}"
            self._add(Finding("state", "note", text, _CLOSE))

    def _look_at_one(self, stack: str, stacks: Sequence[dict[str, Any]]) -> None:
        for metadata in stacks:
            if metadata["stackId"]["stack"] == stack:
                break
        else:
            names = [m["stackId"]["stack"] for m in stacks]
            finding = _not_there("state", "stack", stack, names, "renderapi create makes it.")
            self._add(Finding("state", "wrong", finding.text, finding.advice))
            return
        state = metadata.get("state")
        if state == "LOADING":
            since = str(metadata.get("lastModifiedTimestamp") or "")[:16].replace("T", " ")
            text = f"{stack} is LOADING, last written to {since or 'at a time that is not known'}"
            if _is_stuck(metadata):
                self._add(Finding("state", "wrong", text, _CLOSE))
            else:
                self._add(Finding("state", "note", text, "Boxes and counts are there when it is COMPLETE."))
        elif state == "OFFLINE":
            self._add(
                Finding("state", "wrong", f"{stack} is OFFLINE: its tiles were removed", "Import them again.")
            )
        else:
            self._add(Finding("state", "ok", f"{stack} is {state}"))


_CLOSE = (
    "An import may have ended half-way: run it again. If all tiles are there: set_stack_state(stack, 'COMPLETE'), "
    "or renderapi state STACK COMPLETE."
)


def _is_stuck(metadata: dict[str, Any]) -> bool:
    text = str(metadata.get("lastModifiedTimestamp") or "")
    with suppress(ValueError):
        then = datetime.fromisoformat(re.sub(r"(\.\d+)?Z?$", "", text)).replace(tzinfo=timezone.utc)
        return datetime.now(timezone.utc) - then > _STUCK
    return False


def _not_there(subject: str, kind: str, name: str, known: list[str], advice: str) -> Finding:
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    there = ", ".join(map(str, known[:_SHOWN])) + (" ..." if len(known) > _SHOWN else "")
    meant = (
        f"; did you mean {near[0]!r}?"
        if near
        else f"; there {'are' if known else 'is nothing'} {there}".rstrip()
    )
    return Finding(subject, "note", f"there is no {kind} {name!r}{meant}", "" if near else advice)


# ------------------------------------------------------------------------------------------------- Java


def _look_at_java(add: Callable[[Finding], None], script: str | None) -> None:
    if script is None:
        text = "no Java client scripts are configured: bulk work is done in Python"
        advice = "That is all right. To have it done in Java: connect(client_scripts=...) or RENDER_CLIENT_SCRIPTS."
        add(Finding("scripts", "note", text, advice))
        return
    try:
        check_client_script(script)
    except errors.ClientScriptError as error:
        advice = "Correct client_scripts= or RENDER_CLIENT_SCRIPTS, or leave it out: bulk work is done in Python then."
        add(Finding("scripts", "wrong", _first_line(error), advice))
        return
    add(Finding("scripts", "ok", script))
    java = _java_of(Path(script))
    advice = (
        "Install Java 8 or later, and set RENDER_JAVA_HOME to its folder: the scripts look there, in deploy/jdk* of "
        "the checkout of render, then on the PATH (JAVA_HOME is ignored). Or engine='python'."
    )
    try:
        done = subprocess.run(  # noqa: S603
            [java, "-version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=_JAVA_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        add(Finding("Java", "wrong", "there is no java for the client scripts", advice))
        return
    except (OSError, subprocess.TimeoutExpired) as error:
        add(Finding("Java", "wrong", f"{java} cannot be run ({_reason(error)})", advice))
        return
    said = _first_line((done.stderr or done.stdout).strip())
    if done.returncode:
        add(Finding("Java", "wrong", f"{java} -version ends with {done.returncode}: {said}", advice))
    else:
        add(Finding("Java", "ok", said))


def _java_of(script: Path) -> str:
    """Return the java that the client scripts run, as their setup_java_env.sh finds it."""
    home = os.environ.get("RENDER_JAVA_HOME")
    homes = (
        [home] if home else sorted(map(str, (script.resolve().parent / "../../../../deploy").glob("jdk*")))
    )
    for folder in homes:
        if (found := Path(folder, "bin", "java")).is_file():
            return str(found)
    return "java"
