"""Where a verb works: addresses of stacks and match collections, and the connection to their server."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from renderapi.cli.options import UsageError, meant

if TYPE_CHECKING:
    from renderapi.render import Render

_SHOWN = 10
_SERVER = r"(https?://[^?#]*?/render-ws/v1)/owner/([^/?#]+)"
_STACK_URL = re.compile(_SERVER + r"/project/([^/?#]+)/stack/([^/?#]+)/?$")
_COLLECTION_URL = re.compile(_SERVER + r"/matchCollection/([^/?#]+)/?$")


class Address(NamedTuple):
    """A stack or match collection as the command names it; what is None is that of the connection."""

    name: str
    project: str | None = None
    owner: str | None = None
    url: str | None = None
    #: A match collection, which belongs to an owner alone.
    matches: bool = False


def stack(text: str) -> Address:
    """Read ``[[OWNER/]PROJECT/]STACK``, or the URL of a stack."""
    if "://" in text:
        if not (found := _STACK_URL.match(text)):
            raise argparse.ArgumentTypeError(f"{text!r} is not .../render-ws/v1/owner/O/project/P/stack/S")
        url, owner, project, name = found.groups()
        return Address(unquote(name), unquote(project), unquote(owner), url)
    names = [None, None, *_names(text, 3, "[[OWNER/]PROJECT/]STACK")]
    return Address(str(names[-1]), names[-2], names[-3])


def collection(text: str) -> Address:
    """Read ``[OWNER/]COLLECTION``, or the URL of a match collection."""
    if "://" in text:
        if not (found := _COLLECTION_URL.match(text)):
            raise argparse.ArgumentTypeError(f"{text!r} is not .../render-ws/v1/owner/O/matchCollection/C")
        url, owner, name = found.groups()
        return Address(unquote(name), None, unquote(owner), url, matches=True)
    *owners, name = _names(text, 2, "[OWNER/]COLLECTION")
    return Address(name, None, owners[0] if owners else None, matches=True)


def _names(text: str, most: int, form: str) -> list[str]:
    names = text.split("/")
    if len(names) > most or not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not {form}")
    return names


def either(options: argparse.Namespace, text: str) -> Address:
    """Read the address of a match collection with ``--matches``, else that of a stack."""
    try:
        return (collection if options.matches else stack)(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(str(error)) from None


def beside(address: Address, render: Render, source: Address) -> Address:
    """Complete the address of a target: what it does not name is that of the source.

    Parameters
    ----------
    address : Address
        The target.
    render : Render
        Connection of the source.
    source : Address
        The source.

    Returns
    -------
    Address
    """
    if address.url:
        return address
    return address._replace(
        url=source.url,
        owner=address.owner or render.DEFAULT_OWNER,
        project=None if address.matches else address.project or render.DEFAULT_PROJECT,
    )


def add_matches(parser: argparse.ArgumentParser) -> None:
    """Let a verb work on a match collection instead of a stack."""
    parser.add_argument(
        "--matches", action="store_true", help="a match collection, [OWNER/]COLLECTION, instead of a stack"
    )


def connect(options: argparse.Namespace, address: Address | None = None) -> Render:
    """Connect to the server of an address, with its owner and project for defaults.

    What ``--user`` and ``--header`` say is for the first server that a verb connects to, not for one that it copies to.

    Raises
    ------
    UsageError
        If the server, the owner or the project of the address is not named anywhere.
    """
    from renderapi.render import connect, environment_setting

    url = (address.url if address else None) or options.url
    if url and (options.host or options.port):
        raise UsageError("--url names host and port: give it without --host and --port")
    host = None if url else options.host or environment_setting("host")
    if not (url or host):
        raise UsageError(
            "which server? Give --url or --host, or set RENDER_HOST and RENDER_PORT. "
            "For one of your own: renderapi serve"
        )
    names = {}
    for name in ("owner", "project"):
        # the owner and the project of the environment belong together with one that is given
        given = getattr(address, name, None) or getattr(options, name, None)
        names[name] = given or environment_setting(name)
    if address is not None:
        for name in ("owner",) if address.matches else ("owner", "project"):
            if not names[name]:
                form = "OWNER/COLLECTION" if address.matches else "OWNER/PROJECT/STACK"
                raise UsageError(
                    f"which {name}? Write {form}, give --{name} or set RENDER_{name.upper()} "
                    "(renderapi ls / lists the owners)"
                )
    port = "" if url else options.port or environment_setting("port") or ""
    if options.insecure:
        import warnings

        # it was asked for; once for every request would only hide what else is printed
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    render = connect(
        host,
        port,
        names["owner"] or "",
        names["project"] or "",
        client_scripts=getattr(options, "client_scripts", None),
        web_only=not hasattr(options, "engine"),
        url=url,
        timeout=options.timeout,
        total=options.total,
        retries=options.retries,
        verify=False if options.insecure else options.verify,
        direct=options.direct or None,
    )
    server = (render.DEFAULT_HOST, render.DEFAULT_PORT)
    if not options.asked:
        options.secrets = {"auth": _credentials(options.user), "headers": dict(options.header) or None}
        options.server = server
    if server == options.server:  # another one has no business with them
        render = render.options(**options.secrets)
    options.asked.append((render, address))
    return render


def _credentials(user: str | None) -> tuple[str, str] | None:
    if user is None:
        return None
    name, colon, password = user.partition(":")
    if not colon:
        if not sys.stdin.isatty():
            raise UsageError(
                "--user without a password asks for it: there is nobody to ask. See also ~/.netrc"
            )
        from getpass import getpass

        password = getpass(f"password of {name}: ")
    return name, password


def shown(render: Render, address: Address) -> str:
    """Write an address in full."""
    names = (render.DEFAULT_OWNER, None if address.matches else render.DEFAULT_PROJECT, address.name)
    return "/".join(str(name) for name in names if name)


# ------------------------------------------------------------------------- what a misspelt name was meant to be


def suggestions(asked: list[tuple[Render, Address | None]]) -> Iterator[str]:
    """Say what there is at the server, where a name that was asked for is not."""
    import requests

    from renderapi.errors import RenderError

    for render, address in asked:
        if address is None:
            continue
        with suppress(RenderError, requests.RequestException):
            look: Callable[[Render, Address], str] = _other_collections if address.matches else _other_stacks
            if text := look(render, address):
                yield text


def _other_stacks(render: Render, address: Address) -> str:
    from renderapi.render import get_owners, get_stack_ids_by_owner

    owner, project = str(render.DEFAULT_OWNER), str(render.DEFAULT_PROJECT)
    found = [(s["project"], s["stack"]) for s in get_stack_ids_by_owner(render=render)]
    if (project, address.name) in found:
        return ""
    if not found:
        owners = get_owners(render=render)
        return f"Owner {owner!r} has no stacks here{_near(owner, owners)} Owners: {_some(owners)}"
    here = [name for where, name in found if where == project]
    if not here:
        projects = sorted({where for where, _ in found})
        return (
            f"Project {owner}/{project} has no stacks{_near(project, projects)} Projects: {_some(projects)}"
        )
    elsewhere = [f"{owner}/{where}/{name}" for where, name in found if name == address.name]
    if elsewhere:
        return f"A stack of that name is elsewhere: {_some(elsewhere)}"
    return f"Stacks of {owner}/{project}: {_some(here)}{meant(address.name, here)}"


def _other_collections(render: Render, address: Address) -> str:
    from renderapi.pointmatch import get_matchcollection_owners, get_matchcollections

    names = [c["collectionId"]["name"] for c in get_matchcollections(render=render)]
    if address.name in names:
        return ""
    if not names:
        owners = get_matchcollection_owners(render=render)
        return f"Owner {render.DEFAULT_OWNER!r} has no match collections. Owners: {_some(owners)}"
    return f"Match collections of {render.DEFAULT_OWNER}: {_some(names)}{meant(address.name, names)}"


def _near(word: str, known: list[str]) -> str:
    return meant(word, known) or "."


def _some(names: list[Any]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(map(str, names[:_SHOWN])) or "none") + more
