"""Verbs that make images: render."""

from __future__ import annotations

import argparse

from renderapi.cli import addresses
from renderapi.cli.addresses import connect, shown
from renderapi.cli.options import (
    Commands,
    Exit,
    add_connection,
    add_dry_run,
    add_json,
    number_text,
    positive,
    verb,
)
from renderapi.cli.screen import check_output, progress, show


def add(commands: Commands) -> None:
    """Add the verbs."""
    render = verb(
        commands,
        "render",
        _render,
        help="save the image of a layer, or of a box in it",
        description="Have the server draw a layer of a stack, or a box in it, and save that: .tif, .png or a .zarr "
        "array. It is fetched in blocks, so that it may be larger than the memory.",
        library="renderapi.image.save_section",
    )
    render.add_argument(
        "stack", type=addresses.stack, metavar="STACK", help="[[OWNER/]PROJECT/]STACK, or its URL"
    )
    render.add_argument("z", type=float, metavar="Z", help="the layer")
    render.add_argument("-o", "--output", required=True, metavar="FILE", help=".tif, .png or .zarr")
    render.add_argument(
        "--scale", type=float, default=1.0, metavar="S", help="pixels of the image per unit (default 1)"
    )
    render.add_argument(
        "--box",
        nargs=4,
        type=float,
        metavar=("X", "Y", "WIDTH", "HEIGHT"),
        help="a box (default: the whole layer)",
    )
    render.add_argument("--channel", metavar="NAME", help="channel, or NAME__0.5__OTHER__0.5")
    render.add_argument("--min", type=float, metavar="V", help="value that is black")
    render.add_argument("--max", type=float, metavar="V", help="value that is white")
    render.add_argument("--colour", action="store_true", help="red, green and blue instead of gray")
    render.add_argument("--bits16", action="store_true", help="gray of 16 bits")
    render.add_argument("--filter", action="store_true", help="apply the default filters of the server")
    render.add_argument(
        "--block", type=positive, default=2048, metavar="N", help="side of a block (default 2048)"
    )
    render.add_argument(
        "--threads", type=positive, default=4, metavar="N", help="threads that fetch (default 4)"
    )
    render.add_argument("--force", action="store_true", help="write over a file that is there")
    add_dry_run(render)
    add_json(render)
    add_connection(render)


def _render(options: argparse.Namespace) -> int:
    from renderapi.image import save_section
    from renderapi.stack import get_bounds_from_z

    render = connect(options, options.stack)
    name = shown(render, options.stack)
    check_output(options.output, options.force)
    if options.box is None:
        bounds = get_bounds_from_z(options.stack.name, options.z, render=render)
        x, y = bounds["minX"], bounds["minY"]
        width, height = bounds["maxX"] - x, bounds["maxY"] - y
    else:
        x, y, width, height = options.box
    document = {
        "stack": name, "z": options.z, "x": x, "y": y, "width": width, "height": height, "scale": options.scale,
        "file": options.output, "dryRun": options.dry_run,
    }  # fmt: skip
    pixels = " x ".join(number_text(int(side * options.scale)) for side in (width, height))
    what = f"z {options.z:g} of {name}, {pixels} pixels"
    if options.dry_run:
        show(options, document, f"would save {what}, as {options.output}")
        return Exit.OK
    save_section(
        options.stack.name,
        options.z,
        options.output,
        scale=options.scale,
        x=x,
        y=y,
        width=width,
        height=height,
        channel=options.channel,
        minIntensity=options.min,
        maxIntensity=options.max,
        filter=options.filter or None,
        img_format="png16" if options.bits16 else None,
        gray=not options.colour,
        block=options.block,
        threads=options.threads,
        progress=progress("blocks"),
        render=render,
    )
    show(options, document, f"saved {what}, as {options.output}")
    return Exit.OK
