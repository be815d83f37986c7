"""Verbs between two stacks or match collections, and between one and a folder: cp, mv, export, diff."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from renderapi.cli import addresses
from renderapi.cli.addresses import Address, connect, shown
from renderapi.cli.options import (
    Commands,
    Exit,
    add_connection,
    add_dry_run,
    add_json,
    counted,
    number_text,
    positive,
    verb,
)
from renderapi.cli.screen import pairs, progress, show

if TYPE_CHECKING:
    from renderapi.render import Render
    from renderapi.transfer import TransferResult


_TO = (
    "; to another server, if the target is a URL. What was interrupted is finished by the same command. A target that "
    "holds something of its own is refused, unless --overwrite."
)


def add(commands: Commands) -> None:
    """Add the verbs."""
    cp = verb(
        commands,
        "cp",
        _cp,
        help="copy a stack or match collection",
        description=f"Copy a stack, with its shared transforms and description, or a match collection{_TO}",
        library="renderapi.transfer.copy_stack renderapi.transfer.copy_matches",
    )
    mv = verb(
        commands,
        "mv",
        _mv,
        help="move or rename a stack or match collection",
        description="Move a stack or a match collection: rename it where that can be done, else copy it, prove the "
        f"copy, and delete the source{_TO}",
        library="renderapi.transfer.move_stack renderapi.transfer.move_matches",
    )
    for carry in (cp, mv):
        carry.add_argument("source", metavar="SOURCE", help="[[OWNER/]PROJECT/]STACK, or its URL")
        carry.add_argument(
            "target", metavar="TARGET", help="the same; owner and project of the source, if not named"
        )
        addresses.add_matches(carry)
        _add_carrying(carry)
        carry.add_argument("--leave-open", action="store_true", help="leave the target LOADING in the end")
        add_connection(carry)

    export = verb(
        commands,
        "export",
        _export,
        help="write a stack or match collection to a folder, or as a table",
        description="Write a stack to a folder: a file for each layer, and a manifest with counts and digests, which "
        "renderapi import reads; or a match collection. What was interrupted is finished by the same command. A target "
        "that ends in .csv, .tsv, .parquet or .feather becomes one table instead.",
        library="renderapi.transfer.export_stack renderapi.transfer.export_matches renderapi.tables.stack_tables "
        "renderapi.tables.matches_tables renderapi.tables.write_table",
    )
    export.add_argument("stack", metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL")
    export.add_argument(
        "target", metavar="TARGET", help="folder, made if it is not there; or file of a table"
    )
    export.add_argument(
        "--format", choices=["jsonl.gz", "jsonl.zst", "parquet"], default="jsonl.gz",
        help="JSON lines packed by gzip (default) or zstd, or Parquet",
    )  # fmt: skip
    addresses.add_matches(export)
    _add_carrying(export)
    add_connection(export)

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


def _add_carrying(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--overwrite", action="store_true", help="replace and remove what the target holds of its own"
    )
    parser.add_argument(
        "--threads",
        type=positive,
        default=2,
        metavar="N",
        help="layers that are carried at the same time (default 2)",
    )
    add_dry_run(parser)
    add_json(parser)


# ------------------------------------------------------------------------------------------- cp, mv


def _cp(options: argparse.Namespace) -> int:
    from renderapi.transfer import copy_matches, copy_stack

    return _carried(options, copy_matches if options.matches else copy_stack, "copied", "would copy")


def _mv(options: argparse.Namespace) -> int:
    from renderapi.transfer import move_matches, move_stack

    return _carried(options, move_matches if options.matches else move_stack, "moved", "would move")


def _carried(options: argparse.Namespace, carry: Callable[..., TransferResult], done: str, would: str) -> int:
    source = addresses.either(options, options.source)
    render = connect(options, source)
    target = addresses.beside(addresses.either(options, options.target), render, source)
    to_render = connect(options, target)
    names = {"to_owner": to_render.DEFAULT_OWNER}
    if not target.matches:
        names["to_project"] = to_render.DEFAULT_PROJECT
    result = carry(
        source.name,
        target.name,
        render=render,
        to_render=to_render,
        **names,
        **({} if target.matches else {"close_stack": not options.leave_open}),
        overwrite=options.overwrite,
        dry_run=options.dry_run,
        poolsize=options.threads,
        progress=progress(done),
    )
    show_transfer(options, result, would if options.dry_run else done)
    return Exit.OK


def _export(options: argparse.Namespace) -> int:
    from renderapi.tables import is_table_file
    from renderapi.transfer import export_matches, export_stack

    address = addresses.either(options, options.stack)
    render = connect(options, address)
    if is_table_file(options.target) and not Path(options.target).is_dir():
        return _export_table(options, address, render)
    export = export_matches if address.matches else export_stack
    result = export(
        address.name,
        options.target,
        render=render,
        format=options.format,
        overwrite=options.overwrite,
        dry_run=options.dry_run,
        poolsize=options.threads,
        progress=progress("exporting"),
    )
    show_transfer(options, result, "would write" if options.dry_run else "wrote")
    return Exit.OK


def _export_table(options: argparse.Namespace, address: Address, render: Render) -> int:
    from renderapi.tables import matches_tables, stack_tables, write_table

    if Path(options.target).exists() and not options.overwrite:
        raise FileExistsError(f"{options.target} is there already: --overwrite replaces it")
    name = shown(render, address)
    rows = None
    if not options.dry_run:
        if address.matches:
            parts = matches_tables(address.name, kind="arrow", render=render)
        else:
            parts = stack_tables(
                address.name, other=True, kind="arrow", poolsize=options.threads, progress=progress("exporting"),
                render=render,
            )  # fmt: skip
        rows = write_table(parts, options.target)
    done = "would write" if rows is None else f"wrote {counted(rows, 'rows')} of"
    document = {"source": name, "target": options.target, "rows": rows, "dryRun": options.dry_run}
    show(options, document, f"{done} {name} to table {options.target}")
    return Exit.OK


def show_transfer(options: argparse.Namespace, result: TransferResult, done: str) -> None:
    """Show what a transfer did, or would do.

    Parameters
    ----------
    options : argparse.Namespace
        Options of the verb, with ``json`` and ``matches``.
    result : renderapi.transfer.TransferResult
        What it gave.
    done : str
        The verb in the past, or with would.
    """
    document = {
        "source": result.source, "target": result.target, "written": result.written, "kept": result.kept,
        "removed": result.removed, "dryRun": result.dry_run,
        "count": result.content and result.content.count, "digest": result.content and result.content.digest,
    }  # fmt: skip
    part, unit = ("groups", "pairs") if options.matches else ("layers", "tiles")
    text = f"{done} {result.source} to {result.target}"
    if result.content is not None or result.written or result.kept or result.removed:
        text += f": {counted(len(result.written), part)}"
        if result.kept:
            text += f", {number_text(len(result.kept))} were there already"
        if result.removed:
            text += f", {number_text(len(result.removed))} removed"
    if result.content is not None:
        text += f"\n{counted(result.content.count, unit)} on both sides, digest {result.content.digest}"
    show(options, document, text)


# ---------------------------------------------------------------------------------------------- diff


def _diff(options: argparse.Namespace) -> int:
    from renderapi.stack import compare_stacks

    render = connect(options, options.stack)
    options.other = addresses.beside(options.other, render, options.stack)
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
        (shown(render, options.stack), counted(found.tiles, "tiles")),
        (shown(other, options.other), counted(found.other_tiles, "tiles")),
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
