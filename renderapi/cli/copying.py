"""Verbs between two stacks or match collections: diff."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from renderapi.cli import addresses
from renderapi.cli.addresses import connect, shown
from renderapi.cli.options import Commands, Exit, add_connection, add_json, number_text, verb
from renderapi.cli.screen import pairs, progress, show


def add(commands: Commands) -> None:
    """Add the verbs."""
    diff = verb(
        commands,
        "diff",
        _diff,
        help="compare two stacks",
        description="Tell which tiles of two stacks were added, removed or moved, from their bounding boxes; also on "
        "two servers, if one is a URL. Ends with 3 if the stacks differ.",
        library="renderapi.stack.compare_stacks",
    )
    diff.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    diff.add_argument(
        "other", type=addresses.stack, metavar="OTHER", help="the stack that it is compared with"
    )
    diff.add_argument(
        "--tolerance", type=float, default=0.0, metavar="PIXELS", help="what a corner may be off (default 0)"
    )
    diff.add_argument(
        "--sample", type=int, default=10, metavar="N", help="ids of each kind to show (default 10)"
    )
    add_json(diff)
    add_connection(diff)


def _diff(options: argparse.Namespace) -> int:
    from renderapi.stack import compare_stacks

    render = connect(options, options.stack)
    other = connect(options, options.other)
    found = compare_stacks(
        options.stack.name,
        options.other.name,
        other_project=other.DEFAULT_PROJECT,
        other_owner=other.DEFAULT_OWNER,
        other_render=other,
        tolerance=options.tolerance,
        sample=options.sample,
        progress=progress("comparing"),
        render=render,
    )
    text = pairs([
        (shown(render, options.stack), f"{number_text(found.tiles)} tiles"),
        (shown(other, options.other), f"{number_text(found.other_tiles)} tiles"),
        ("added", _some(found.added, found.added_ids)),
        ("removed", _some(found.removed, found.removed_ids)),
        ("moved", _some(found.moved, [f"{tile_id} ({far:g})" for tile_id, far in found.moved_ids.items()])),
        ("largest shift", f"{found.largest_shift:g} pixels" if found.moved else None),
        ("layers added", ", ".join(f"{z:g}" for z in found.layers_added)),
        ("layers removed", ", ".join(f"{z:g}" for z in found.layers_removed)),
    ])  # fmt: skip
    show(options, {**asdict(found), "equal": found.equal}, text)
    return Exit.OK if found.equal else Exit.DIFFERS


def _some(count: int, names: list[str]) -> str:
    more = " ..." if count > len(names) else ""
    return f"{number_text(count)}{': ' if names else ''}{', '.join(names)}{more}"
