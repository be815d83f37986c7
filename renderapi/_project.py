"""A project of a server as bulk work takes it along: to threads, to other processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from renderapi._parallel import thread_session
from renderapi.http import transport
from renderapi.http.urls import format_baseurl, owner_url, stack_url

if TYPE_CHECKING:
    import requests


@dataclass
class Project:
    """A project of a server, and how it is reached: what bulk work reads from and writes to."""

    host: str | None
    port: int | None
    owner: str | None
    project: str | None
    session: requests.Session | None
    render: Any = None

    def keywords(self) -> dict[str, Any]:
        """Return the connection keywords of the endpoint functions."""
        return {
            "host": self.host,
            "port": self.port,
            "owner": self.owner,
            "project": self.project,
            "session": self.session,
            "render": self.render,
        }

    def thread_session(self) -> requests.Session | None:
        """Return the session for the running thread: a caller's own, else one for each thread."""
        return thread_session(self.session, self.render)

    def portable(self) -> Project:
        """Return a project that other processes can use: a session of the connection itself is left to it."""
        return replace(self, session=None) if isinstance(self.session, transport.RenderSession) else self

    def other(self, render: Any = None, *, owner: str | None = None, project: str | None = None) -> Project:
        """Return another project: of another connection, if one is given, with its defaults."""
        side = self
        if render is not None:
            known = render.call_defaults()
            side = Project(known["host"], known["port"], known["owner"], known["project"], None, render)
        return replace(side, owner=owner or side.owner, project=project or side.project)

    def stack_url(self, stack: str, *segments: object) -> str:
        """Return the URL of something in a stack of the project."""
        return stack_url(self.host, self.port, self.owner, self.project, stack, *segments)

    def owner_url(self, *segments: object) -> str:
        """Return the URL of something that belongs to the owner."""
        return owner_url(self.host, self.port, self.owner, *segments)


def make_stack_params(host: str, port: int | str | None, owner: str, project: str, stack: str) -> list[str]:
    """Return the arguments of a Java client that say which stack it works on.

    Parameters
    ----------
    host, port, owner, project, stack
        The stack.

    Returns
    -------
    list of str
        ``["--baseDataUrl", URL, "--owner", ...]``
    """
    return [
        "--baseDataUrl", format_baseurl(host, port),
        "--owner", owner,
        "--project", project,
        "--stack", stack,
    ]  # fmt: skip
