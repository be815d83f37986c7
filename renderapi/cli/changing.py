"""Verbs that change a stack as a whole: create, state."""

from __future__ import annotations

import argparse

from renderapi.cli import addresses
from renderapi.cli.addresses import connect, shown
from renderapi.cli.options import Commands, Exit, UsageError, add_connection, add_dry_run, add_json, verb
from renderapi.cli.screen import show


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
