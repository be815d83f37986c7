"""Verbs about neighbours and their point matches: pairs, match-stats."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

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
    counted,
    number_text,
    positive,
    verb,
)
from renderapi.cli.screen import check_output, pairs, progress, show, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXCLUDED = {
    "corner-neighbors": "pairs that only touch at a corner (default: they are left out)",
    "completely-obscured-tiles": "tiles that others hide (default: they are left out)",
    "same-layer-neighbors": "pairs in one layer",
    "same-section-neighbors": "pairs in one section",
}


def add(commands: Commands) -> None:
    """Add the verbs."""
    neighbours = verb(
        commands,
        "pairs",
        _pairs,
        help="find pairs of neighbouring tiles",
        description="Find the pairs of neighbouring tiles of some layers, and write them to a JSON file, which point "
        "matches are then searched for.",
        library="renderapi.client.tilePairClient",
    )
    neighbours.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    neighbours.add_argument("minz", type=float, metavar="MINZ", help="first layer")
    neighbours.add_argument("maxz", type=float, metavar="MAXZ", help="last layer")
    neighbours.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="JSON file that is written (.gz too)"
    )
    neighbours.add_argument(
        "--xy-factor",
        type=float,
        metavar="F",
        help="search radius as a part of the larger side of a tile (default 0.9)",
    )
    neighbours.add_argument(
        "--radius", type=float, metavar="PIXELS", help="search radius, instead of --xy-factor"
    )
    neighbours.add_argument("--z-distance", type=count, metavar="N", help="how many layers apart (default 2)")
    for name, text in _EXCLUDED.items():
        neighbours.add_argument(
            f"--exclude-{name}", action=argparse.BooleanOptionalAction, default=None, help=f"leave out {text}"
        )
    neighbours.add_argument(
        "--exclude-pairs-in",
        metavar="COLLECTION",
        help="leave out pairs that have matches in this collection",
    )
    neighbours.add_argument(
        "--box",
        nargs=4,
        type=float,
        metavar=("MINX", "MINY", "MAXX", "MAXY"),
        help="only tiles that touch this box",
    )
    neighbours.add_argument(
        "--per-file", type=positive, metavar="N", help="pairs in one file (default 100,000)"
    )
    neighbours.add_argument("--force", action="store_true", help="write over a file that is there")
    add_engine(neighbours)
    add_dry_run(neighbours)
    add_json(neighbours)
    add_connection(neighbours, scripts=True)

    stats = verb(
        commands,
        "match-stats",
        _match_stats,
        help="summarise the point matches of a collection",
        description="Read the pairs of a match collection, fit a transform to each, and say how many matches there "
        "are, how well they fit, and which tiles hang together by them.",
        library="renderapi.pointmatch.match_statistics renderapi.pointmatch.match_clusters renderapi.pointmatch.select",
    )
    stats.add_argument(
        "collection", type=addresses.collection, metavar="COLLECTION", help="[OWNER/]COLLECTION, or its URL"
    )
    stats.add_argument(
        "--group",
        action="append",
        metavar="GROUP",
        help="only pairs of this group; may be given several times",
    )
    stats.add_argument(
        "--model", choices=["translation", "rigid", "similarity", "affine"], default="affine",
        help="transform that is fitted to each pair (default affine)",
    )  # fmt: skip
    stats.add_argument(
        "--min-matches", type=count, default=0, metavar="N", help="only pairs with so many matches"
    )
    stats.add_argument(
        "--worst", type=count, default=5, metavar="N", help="pairs that fit worst, to list (default 5)"
    )
    add_json(stats)
    add_connection(stats)


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
    number = len(found["neighborPairs"])
    document = {"stack": name, "pairs": number, "files": files, "dryRun": False}
    show(options, document, f"{counted(number, 'pairs')} of {name} in {', '.join(files) or 'no file'}")
    return Exit.OK


# --------------------------------------------------------------------------------------- match-stats


def _match_stats(options: argparse.Namespace) -> int:
    import numpy as np

    from renderapi._parallel import progress_reporter
    from renderapi.pointmatch import match_clusters, match_statistics, select

    render = connect(options, options.collection)
    selection = select(options.collection.name, options.group, min_matches=options.min_matches, render=render)
    links: list[dict[str, Any]] = []  # what is kept of each pair: no points
    bar = progress("reading")
    with progress_reporter(bar, selection.count() if bar else None, "reading", " pairs") as advance:

        def read() -> Iterator[dict[str, Any]]:
            for match in selection:
                ends = {name: match[name] for name in ("pGroupId", "pId", "qGroupId", "qId")}
                links.append({**ends, "matchCount": len(match["matches"]["w"])})
                yield match
                advance(1)

        found = match_statistics(read(), options.model)
    clusters = match_clusters(links, min_count=1)
    fitted = np.flatnonzero(~np.isnan(found.maximum))
    worst = fitted[np.argsort(-found.maximum[fitted], kind="stable")][: options.worst]
    document = {
        "collection": shown(render, options.collection),
        "pairs": len(links),
        "matches": int(found.number.sum()),
        "model": options.model,
        "fitted": len(fitted),
        "matchesOfPair": _spread(found.number),
        "weight": _spread(found.weight[~np.isnan(found.weight)]),
        "meanDistance": _spread(found.mean[fitted]),
        "largestDistance": _spread(found.maximum[fitted]),
        "clusters": [len(cluster) for cluster in clusters],
        "worst": [{**links[row], "largestDistance": float(found.maximum[row])} for row in worst.tolist()],
    }
    show(options, document, _statistics_text(document))
    return Exit.OK


def _spread(values: NDArray[Any]) -> dict[str, float] | None:
    """Return the least, the middle and the largest of some numbers."""
    import numpy as np

    if not len(values):
        return None
    return {"min": float(values.min()), "median": float(np.median(values)), "max": float(values.max())}


def _statistics_text(document: dict[str, Any]) -> str:
    def span(name: str, unit: str = "") -> str | None:
        spread = document[name]
        return spread and f"{spread['min']:.4g} to {spread['max']:.4g}{unit}, median {spread['median']:.4g}"

    sizes = document["clusters"]
    largest = f", the largest of {counted(sizes[0], 'tiles')}" if sizes else ""
    values: list[tuple[str, Any]] = [
        ("match collection", document["collection"]),
        ("pairs", document["pairs"]),
        ("matches", document["matches"]),
        ("matches of a pair", span("matchesOfPair")),
        ("weights", span("weight")),
        ("pairs with a fit", f"{number_text(document['fitted'])} ({document['model']})"),
        ("mean distances", span("meanDistance", " pixels")),
        ("largest distances", span("largestDistance", " pixels")),
        ("clusters", f"{number_text(len(sizes))}{largest}"),
    ]
    rows = [(w["pGroupId"], w["pId"], w["qGroupId"], w["qId"], w["matchCount"], f"{w['largestDistance']:.4g}")
            for w in document["worst"]]  # fmt: skip
    worst = table(("p group", "p", "q group", "q", "matches", "largest distance"), rows)
    return pairs(values) + (f"\n\n{worst}" if worst else "")
