"""The verb that shows stacks in a browser: view."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from renderapi.cli import addresses
from renderapi.cli.addresses import connect, shown
from renderapi.cli.options import Commands, Exit, UsageError, add_connection, any_port, verb
from renderapi.cli.screen import note

if TYPE_CHECKING:
    from renderapi.render import Render


def add(commands: Commands) -> None:
    """Add the verb."""
    view = verb(
        commands,
        "view",
        _view,
        help="look at a stack in a browser, or at two",
        description="Show a stack in Neuroglancer until Ctrl-C: images, outlines of tiles, matches; or two stacks, one "
        "beside the other or blended. Or open the viewer of the server's own dashboard.",
        library="renderapi.view",
    )
    view.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    view.add_argument(
        "beside",
        type=addresses.stack,
        nargs="?",
        metavar="OTHER",
        help="another one to compare with; what it does not name is that of STACK",
    )
    view.add_argument(
        "--blended",
        action="store_true",
        help="two stacks over each other: the first magenta, the second green, gray where they agree",
    )
    view.add_argument(
        "--matches",
        type=addresses.collection,
        metavar="COLLECTION",
        help="draw the matches of this collection, [OWNER/]COLLECTION",
    )
    view.add_argument("--no-outlines", action="store_true", help="draw no outlines of tiles")
    view.add_argument(
        "--at", nargs=3, type=float, metavar=("X", "Y", "Z"), help="where to begin (default: the middle)"
    )
    view.add_argument("--channel", metavar="NAME", help="channel, or NAME__0.5__OTHER__0.5")
    view.add_argument("--min", type=float, metavar="V", help="value that is black")
    view.add_argument("--max", type=float, metavar="V", help="value that is white")
    view.add_argument(
        "--viewer",
        choices=["neuroglancer", "dashboard"],
        default="neuroglancer",
        help="dashboard: that of the embedded server, which needs no WebGL and nothing installed",
    )
    view.add_argument(
        "--page-port",
        type=any_port,
        default=0,
        metavar="PORT",
        help="port of the page on this machine (default: any that is free)",
    )
    view.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    add_connection(view)


def _view(options: argparse.Namespace) -> int:
    render = connect(options, options.stack)
    if options.viewer == "dashboard":
        return _dashboard(options, render)
    from renderapi.viewing import view

    beside, beside_render = None, None
    if options.beside:
        address = addresses.beside(options.beside, render, options.stack)
        beside, beside_render = address.name, connect(options, address)
    elif options.blended:
        raise UsageError("--blended is for two stacks: renderapi view STACK OTHER --blended")
    matches = options.matches
    if matches is not None and matches.url:
        raise UsageError("--matches is of the server of STACK: [OWNER/]COLLECTION")
    with view(
        options.stack.name,
        beside,
        layout="blended" if options.blended else "side by side",
        matches=matches and matches.name,
        match_owner=matches and matches.owner,
        outlines=not options.no_outlines,
        position=options.at,
        page_port=options.page_port,
        beside_render=beside_render,
        channel=options.channel,
        minIntensity=options.min,
        maxIntensity=options.max,
        render=render,
    ) as page:
        print(f"{shown(render, options.stack)} in Neuroglancer: {page.url}", flush=True)
        note("Press Ctrl-C to stop.")
        _open(options, page.url)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return Exit.OK


def _dashboard(options: argparse.Namespace, render: Render) -> int:
    from renderapi.errors import NotFoundError
    from renderapi.http.transport import send
    from renderapi.http.urls import dashboard_url
    from renderapi.stack import get_full_stack_metadata

    if options.beside or options.matches:
        raise UsageError("the dashboard shows one stack, without matches: leave --viewer out")
    get_full_stack_metadata(options.stack.name, render=render)  # one that is not there is an error here
    names = render.DEFAULT_OWNER, render.DEFAULT_PROJECT, options.stack.name
    server = render.DEFAULT_HOST, render.DEFAULT_PORT
    url = dashboard_url(*server, "viewer", *names)
    try:
        send(render.session, "GET", url)
    except NotFoundError:
        # the dashboard of Java's render-ws has no such page, but one of the stack
        url = dashboard_url(*server, "stack-details", *names)
    print(f"{shown(render, options.stack)} in the dashboard: {url}", flush=True)
    _open(options, url)
    return Exit.OK


def _open(options: argparse.Namespace, url: str) -> None:
    import webbrowser

    if not options.no_browser and not webbrowser.open(url):
        note("No browser could be started: open the address in one.")
