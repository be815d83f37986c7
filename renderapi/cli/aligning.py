"""Verbs that align: align, report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

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
    positive,
    verb,
)
from renderapi.cli.screen import check_output, progress, show


def add(commands: Commands) -> None:
    """Add the verbs."""
    align = verb(
        commands,
        "align",
        _align,
        help="place tiles by their images",
        description="Find the point matches of neighbouring tiles, place the tiles by them, and write them to another "
        "stack. What is there already is not done again, so that the same command goes on where it ended.",
        library="renderapi.align.align_montage renderapi.align.align_sections renderapi.align.plan_montage "
        "renderapi.align.plan_sections",
    )
    align.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    align.add_argument(
        "target", metavar="TARGET", help="name of the stack that is written, in the same project"
    )
    align.add_argument(
        "--sections",
        action="store_true",
        help="place whole sections by those beside them, instead of tiles in each section",
    )
    align.add_argument(
        "--z",
        action="append",
        type=float,
        metavar="Z",
        help="a layer; may be given several times (default all)",
    )
    align.add_argument(
        "--collection", metavar="NAME", help="match collection of the same owner (default TARGET_matches)"
    )
    align.add_argument("--stages", metavar="FILE", help="JSON file of stages of matching")
    align.add_argument(
        "--model",
        choices=["translation", "rigid", "similarity", "affine", "polynomial2", "polynomial3"],
        help="transform of a tile or section (default affine, with --sections rigid)",
    )
    align.add_argument(
        "--neighbors",
        type=positive,
        metavar="N",
        help="with --sections: match with so many behind (default 1)",
    )
    align.add_argument(
        "--scale",
        type=float,
        metavar="S",
        help="with --sections: scale of their small images (default 1024 pixels for the largest)",
    )
    align.add_argument(
        "--folder",
        metavar="DIR",
        help="with --sections: where small images are kept (default not at all)",
    )
    align.add_argument(
        "--report",
        metavar="DIR",
        help="folder that gets a page of each section, with --sections one page about all",
    )
    align.add_argument("--again", action="store_true", help="do what is there already once more")
    align.add_argument(
        "--threads", type=positive, metavar="N", help="threads (default one for each core, up to 8)"
    )
    add_dry_run(align)
    add_json(align)
    add_connection(align)

    report = verb(
        commands,
        "report",
        _report,
        help="write a page about how well the tiles of a section fit",
        description="Write an HTML file with a map of residuals, the seams that fit worst, components and histograms "
        "of a section. It needs no other file.",
        library="renderapi.align.report_section",
    )
    report.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    report.add_argument("z", type=float, metavar="Z", help="the layer")
    report.add_argument(
        "--collection", required=True, metavar="NAME", help="match collection of the same owner"
    )
    report.add_argument("-o", "--output", required=True, metavar="FILE", help="HTML file that is written")
    report.add_argument(
        "--before", metavar="STACK", help="stack of the project with the tiles as they were before"
    )
    report.add_argument(
        "--seams", type=count, default=6, metavar="N", help="seams that are drawn (default 6)"
    )
    report.add_argument("--force", action="store_true", help="write over a file that is there")
    add_json(report)
    add_connection(report)


def _align(options: argparse.Namespace) -> int:
    from renderapi.align import align_montage, align_sections, plan_montage, plan_sections

    render = connect(options, options.stack)
    given: dict[str, Any] = {
        "z": options.z,
        "matchCollection": options.collection,
        "stages": options.stages,
        "threads": options.threads,
        "render": render,
    }
    of_sections = {
        name: value
        for name in ("neighbors", "scale", "folder")
        if (value := getattr(options, name)) is not None
    }
    if of_sections and not options.sections:
        raise UsageError(f"--{next(iter(of_sections))} is for --sections")
    if not options.dry_run:
        given |= {
            "model": options.model or ("rigid" if options.sections else "affine"),
            "report": options.report,
            "again": options.again,
            "progress": progress("sections"),
        }
    # what is done, or only planned, and with which of both
    call: Any = (
        (plan_sections if options.dry_run else align_sections)
        if options.sections
        else (plan_montage if options.dry_run else align_montage)
    )
    done = call(options.stack.name, options.target, **given, **of_sections)
    show(options, {**done.to_dict(), "dryRun": options.dry_run}, str(done))
    return Exit.OK


def _report(options: argparse.Namespace) -> int:
    from renderapi.align import report_section

    render = connect(options, options.stack)
    check_output(options.output, options.force)
    made = report_section(
        options.stack.name,
        options.z,
        options.collection,
        Path(options.output),
        before=options.before,
        seams=options.seams,
        render=render,
    )
    document = {**made.to_dict(), "file": options.output}
    before = "" if made.before is None else f"{made.before.rms_before:.2f} -> "
    show(
        options,
        document,
        f"z {options.z:g} of {shown(render, options.stack)}: {document['tiles']} tiles, {document['pairs']} pairs, "
        f"residual {before}{made.after.rms_before:.2f} px; see {options.output}",
    )
    return Exit.OK
