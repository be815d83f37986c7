"""Verbs that change a stack as a whole: create, state, rm."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from renderapi.cli import addresses
from renderapi.cli.addresses import connect, shown
from renderapi.cli.options import (
    Commands,
    Exit,
    UsageError,
    add_connection,
    add_dry_run,
    add_json,
    count,
    counted,
    verb,
)
from renderapi.cli.screen import confirm, note, show

if TYPE_CHECKING:
    from renderapi.render import Render


def add(commands: Commands) -> None:
    """Add the verbs."""
    create = verb(
        commands,
        "create",
        _create,
        help="make a stack, or describe one anew",
        description="Make a stack, which is LOADING then. Of one that exists already a new version is opened, if that "
        "is wanted (--again): its tiles stay.",
        library="renderapi.stack.create_stack",
    )
    create.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    create.add_argument(
        "--resolution",
        nargs=3,
        type=float,
        metavar=("X", "Y", "Z"),
        help="size of a voxel in nm (default 1 1 1)",
    )
    create.add_argument("--notes", metavar="TEXT", help="what is to be known of the stack")
    create.add_argument(
        "--cycle", nargs=2, type=int, metavar=("NUMBER", "STEP"), help="place in a series of reconstructions"
    )
    create.add_argument("--again", action="store_true", help="open a new version of a stack that exists")
    add_dry_run(create)
    add_json(create)
    add_connection(create)

    state = verb(
        commands,
        "state",
        _state,
        help="show or set the state of a stack",
        description="Show the state of a stack, or set it: LOADING accepts tiles; COMPLETE makes the server derive "
        "boxes; READ_ONLY is reached from COMPLETE, and left to it; OFFLINE removes all tiles.",
        library="renderapi.stack.set_stack_state renderapi.stack.get_full_stack_metadata",
    )
    state.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    state.add_argument(
        "state", nargs="?", type=str.upper, choices=["LOADING", "COMPLETE", "READ_ONLY", "OFFLINE"]
    )
    state.add_argument("--yes", action="store_true", help="also OFFLINE, which removes all tiles")
    add_dry_run(state)
    add_json(state)
    add_connection(state)

    rm = verb(
        commands,
        "rm",
        _rm,
        help="delete a stack or match collection",
        description="Delete a stack with all its tiles, or a match collection. At a terminal the number of its tiles "
        "(or pairs) has to be typed; a program gives it with --tiles, and another number deletes nothing.",
        library="renderapi.stack.delete_stack renderapi.pointmatch.delete_collection renderapi.stack.tiles",
    )
    rm.add_argument("stack", metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL")
    addresses.add_matches(rm)
    how = rm.add_mutually_exclusive_group()
    how.add_argument("--tiles", type=count, metavar="N", help="delete it if it holds so many tiles, or pairs")
    how.add_argument("--yes", action="store_true", help="delete it, however much it holds")
    add_dry_run(rm)
    add_json(rm)
    add_connection(rm)


def _create(options: argparse.Namespace) -> int:
    from renderapi.errors import ConflictError, NotFoundError
    from renderapi.stack import create_stack, get_full_stack_metadata

    render = connect(options, options.stack)
    name = shown(render, options.stack)
    try:
        found = get_full_stack_metadata(options.stack.name, render=render)
    except NotFoundError:
        found = None
    if found and not options.again:
        raise ConflictError(
            f"stack {name} exists already, it is {found['state']}: nothing was done. --again opens a new version of it"
        )
    x, y, z = options.resolution or (None, None, None)
    cycle, step = options.cycle or (None, None)
    if not options.dry_run:
        create_stack(
            options.stack.name,
            cycleNumber=cycle,
            cycleStepNumber=step,
            stackResolutionX=x,
            stackResolutionY=y,
            stackResolutionZ=z,
            versionNotes=options.notes,
            render=render,
        )
    what = f"a new version of {name}, with its tiles" if found else f"stack {name}"
    text = f"would make {what}" if options.dry_run else f"made {what}: it is LOADING"
    show(options, {"stack": name, "existed": found is not None, "dryRun": options.dry_run}, text)
    return Exit.OK


def _state(options: argparse.Namespace) -> int:
    from renderapi.stack import get_full_stack_metadata, set_stack_state

    render = connect(options, options.stack)
    name = shown(render, options.stack)
    before = get_full_stack_metadata(options.stack.name, render=render)["state"]
    if options.state is None:
        show(options, {"stack": name, "state": before}, before)
        return Exit.OK
    if options.state == "OFFLINE" and not (options.yes or options.dry_run):
        raise UsageError("OFFLINE removes all tiles and transforms of the stack: give --yes too")
    if not options.dry_run:
        set_stack_state(options.stack.name, options.state, render=render)
    document = {"stack": name, "before": before, "state": options.state, "dryRun": options.dry_run}
    would = "would be" if options.dry_run else "is"
    show(options, document, f"{name} {would} {options.state} (it was {before})")
    return Exit.OK


def _rm(options: argparse.Namespace) -> int:
    from renderapi.errors import ConflictError
    from renderapi.pointmatch import delete_collection
    from renderapi.stack import delete_stack

    address = addresses.either(options, options.stack)
    render = connect(options, address)
    name = shown(render, address)
    unit = "pairs" if address.matches else "tiles"
    held = _pairs_held(render, address, name) if address.matches else _tiles_held(render, address)
    document = {"name": name, unit: held, "dryRun": options.dry_run}
    if options.tiles is not None and options.tiles != held:
        raise ConflictError(f"{name} holds {counted(held, unit)}, not {options.tiles}: nothing was deleted")
    if options.dry_run:
        show(options, document, f"would delete {name} with {counted(held, unit)}")
        return Exit.OK
    asked = f"delete {name}? It holds {counted(held, unit)}: type that number"
    if options.tiles is None and not options.yes and not confirm(asked, str(held), "--tiles N or --yes"):
        note("another answer: nothing was deleted")
        return Exit.ERROR
    if address.matches:
        delete_collection(address.name, render=render)
    else:
        delete_stack(
            address.name, expected_tiles=None if options.yes else held, must_exist=True, render=render
        )
    show(options, document, f"deleted {name} with {counted(held, unit)}")
    return Exit.OK


def _tiles_held(render: Render, address: addresses.Address) -> int:
    from renderapi.stack import get_full_stack_metadata, tiles

    get_full_stack_metadata(address.name, render=render)  # one that is not there is told from an empty one
    return int(tiles(address.name, render=render).count())


def _pairs_held(render: Render, address: addresses.Address, name: str) -> int:
    from renderapi.errors import NotFoundError
    from renderapi.pointmatch import get_matchcollections

    for found in get_matchcollections(render=render):
        if found["collectionId"]["name"] == address.name:
            return int(found["pairCount"])
    raise NotFoundError(f"there is no match collection {name}: nothing was deleted")
