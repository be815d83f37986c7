"""Verbs about neighbours and their point matches: pairs, match-stats."""

from __future__ import annotations

import argparse

from renderapi.cli import addresses
from renderapi.cli.addresses import connect, shown
from renderapi.cli.options import (
    Commands,
    Exit,
    add_connection,
    add_dry_run,
    add_engine,
    add_json,
    count,
    number_text,
    positive,
    verb,
)
from renderapi.cli.screen import check_output, progress, show

_EXCLUDED = {
    "corner-neighbors": "pairs that only touch at a corner (default: they are left out)",
    "completely-obscured-tiles": "tiles that others hide (default: they are left out)",
    "same-layer-neighbors": "pairs in one layer",
    "same-section-neighbors": "pairs in one section",
}


def add(commands: Commands) -> None:
    """Add the verbs."""
    pairs = verb(
        commands,
        "pairs",
        _pairs,
        help="find pairs of neighbouring tiles",
        description="Find the pairs of neighbouring tiles of some layers, and write them to a JSON file, which point "
        "matches are then searched for.",
        library="renderapi.client.tilePairClient",
    )
    pairs.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    pairs.add_argument("minz", type=float, metavar="MINZ", help="first layer")
    pairs.add_argument("maxz", type=float, metavar="MAXZ", help="last layer")
    pairs.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="JSON file that is written (.gz too)"
    )
    pairs.add_argument(
        "--xy-factor",
        type=float,
        metavar="F",
        help="search radius as a part of the larger side of a tile (default 0.9)",
    )
    pairs.add_argument("--radius", type=float, metavar="PIXELS", help="search radius, instead of --xy-factor")
    pairs.add_argument("--z-distance", type=count, metavar="N", help="how many layers apart (default 2)")
    for name, text in _EXCLUDED.items():
        pairs.add_argument(
            f"--exclude-{name}", action=argparse.BooleanOptionalAction, default=None, help=f"leave out {text}"
        )
    pairs.add_argument(
        "--exclude-pairs-in",
        metavar="COLLECTION",
        help="leave out pairs that have matches in this collection",
    )
    pairs.add_argument(
        "--box",
        nargs=4,
        type=float,
        metavar=("MINX", "MINY", "MAXX", "MAXY"),
        help="only tiles that touch this box",
    )
    pairs.add_argument("--per-file", type=positive, metavar="N", help="pairs in one file (default 100,000)")
    pairs.add_argument("--force", action="store_true", help="write over a file that is there")
    add_engine(pairs)
    add_dry_run(pairs)
    add_json(pairs)
    add_connection(pairs, scripts=True)


def _pairs(options: argparse.Namespace) -> int:
    from renderapi.client import tilePairClient
    from renderapi.stack import get_z_values_for_stack

    render = connect(options, options.stack)
    name = shown(render, options.stack)
    check_output(options.output, options.force)
    if options.dry_run:
        zs = get_z_values_for_stack(options.stack.name, minZ=options.minz, maxZ=options.maxz, render=render)
        document = {"stack": name, "zs": zs, "files": [options.output], "dryRun": True}
        show(
            options,
            document,
            f"would look for pairs in {len(zs)} layers of {name}, and write {options.output}",
        )
        return Exit.OK
    minx, miny, maxx, maxy = options.box or (None,) * 4
    found, files = tilePairClient(
        options.stack.name,
        options.minz,
        options.maxz,
        outjson=options.output,
        xyNeighborFactor=options.xy_factor,
        explicitRadius=options.radius,
        zNeighborDistance=options.z_distance,
        excludeCornerNeighbors=options.exclude_corner_neighbors,
        excludeCompletelyObscuredTiles=options.exclude_completely_obscured_tiles,
        excludeSameLayerNeighbors=options.exclude_same_layer_neighbors,
        excludeSameSectionNeighbors=options.exclude_same_section_neighbors,
        excludePairsInMatchCollection=options.exclude_pairs_in,
        minx=minx,
        miny=miny,
        maxx=maxx,
        maxy=maxy,
        maxPairsPerFile=options.per_file,
        return_jsonfiles=True,
        engine=options.engine,
        progress=progress("layers"),
        render=render,
    )
    pairs = len(found["neighborPairs"])
    document = {"stack": name, "pairs": pairs, "files": files, "dryRun": False}
    show(options, document, f"{number_text(pairs)} pairs of {name} in {', '.join(files) or 'no file'}")
    return Exit.OK
