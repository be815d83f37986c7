"""Tiles of ``renderapi import`` from the files of a microscope: images, TrakEM2 projects, what SerialEM wrote."""

from __future__ import annotations

import argparse
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from renderapi.cli.options import Exit, UsageError, counted, positive
from renderapi.cli.screen import note, progress, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from renderapi.fromfiles import TilesFromFiles
    from renderapi.tilespec import TileSpec


def add(parser: argparse.ArgumentParser) -> None:
    """Let import take such files."""
    sources = parser.add_argument_group("instead of JSON files", "What the tiles are made of.")
    sources.add_argument(
        "--images", nargs="+", metavar="FILE", help="image files, or patterns of their names"
    )
    sources.add_argument("--trakem2", metavar="FILE", help="a TrakEM2 project")
    sources.add_argument("--mdoc", metavar="FILE", help="of SerialEM: an MRC stack, its .mdoc, or an .idoc")
    sources.add_argument("--converted", metavar="DIR", help="where slices of an MRC stack go as TIFF files")
    places = parser.add_argument_group("with --images", "As for renderapi.fromfiles.from_images.")
    places.add_argument("--positions", metavar="FILE", help="CSV or TSV file with the columns path, x, y ...")
    places.add_argument("--pattern", metavar="PATTERN", help="what names say: 's{z}_r{row}_c{col}.tif'")
    places.add_argument("--grid", type=_grid, metavar="ROWSxCOLUMNS", help="files fill a grid of this size")
    places.add_argument("--order", choices=["rows", "columns"], default="rows", help="how --grid is filled")
    places.add_argument("--snake", action="store_true", help="--grid is filled to and fro")
    places.add_argument(
        "--overlap", type=_overlap, metavar="N[,N]", help="of neighbours: a part below 1, pixels from 1 on"
    )
    places.add_argument(
        "--units",
        choices=["pixel", "nm", "um", "mm", "m"],
        default="pixel",
        help="of x and y (default pixel)",
    )
    places.add_argument(
        "--pixel-size", type=float, metavar="NM", help="of a pixel in nm; with --create of the stack"
    )
    places.add_argument("--flip-x", action="store_true", help="x of positions runs to the left")
    places.add_argument("--flip-y", action="store_true", help="y of positions runs up")
    places.add_argument("--rotation", type=float, default=0.0, metavar="DEGREES", help="turn positions")
    places.add_argument("--z", type=float, default=0.0, metavar="Z", help="layer of images that have none")
    places.add_argument("--tile-id", metavar="TEMPLATE", help="what tiles are called (default {stem})")
    places.add_argument(
        "--section-id", metavar="TEMPLATE", help="section ids of tiles: 'S{z:.0f}' (default the text of z)"
    )
    places.add_argument("--group-id", metavar="TEMPLATE", help="group ids of tiles (default none)")
    places.add_argument("--masks", metavar="TEMPLATE", help="mask images: 'masks/{stem}.png'")
    places.add_argument("--mipmaps", metavar="TEMPLATE", help="mipmap images: 'mipmaps/{level}/{stem}.jpg'")
    places.add_argument(
        "--intensity", choices=["type", "measured", "section", "tile"], help="how the display range is found"
    )
    places.add_argument("--dataset", metavar="PATH", help="data set of HDF5 and N5 volumes")
    project = parser.add_argument_group("with --trakem2")
    project.add_argument("--invisible", action="store_true", help="take patches that are not visible too")
    project.add_argument(
        "--replace", action="append", default=[], type=assigned, metavar="THERE=HERE",
        help="beginning of paths, such as D:/em=/data/em; may be given several times",
    )  # fmt: skip


def is_asked(options: argparse.Namespace) -> bool:
    """Tell whether the tiles are made of such files.

    Raises
    ------
    UsageError
        If there is more than one source of tiles, or none.
    """
    sources = ("files", "images", "trakem2", "mdoc")
    given = [name for name in sources if getattr(options, name)]
    if len(given) != 1:
        what = " and ".join(name if name == "files" else f"--{name}" for name in given)
        raise UsageError(
            f"give one of {what}"
            if given
            else "give files, or --images, --trakem2 or --mdoc: there is nothing to import"
        )
    return given != ["files"]


def preview(options: argparse.Namespace, name: str, into: str) -> int:
    """Show what would be imported."""
    from renderapi.fromfiles import TileFilesError

    with TemporaryDirectory() as folder:  # slices of a stack are not kept
        try:
            tiles = _made(options, folder)
        except TileFilesError as error:
            document = {"stack": name, "problems": [p._asdict() for p in error.problems], "dryRun": True}
            show(options, document, str(error))
            return Exit.DIFFERS
        document = {"stack": name, **_document(tiles), "dryRun": True}
        show(options, document, f"{tiles.preview()}\nwould be imported into {into}")
    return Exit.OK


def tiles_of(options: argparse.Namespace) -> tuple[Iterable[TileSpec], dict[str, Any]]:
    """Make the tiles, and the keys of a stack that is made for them; all files are looked at before any is there."""
    if options.trakem2:
        from renderapi.fromfiles import TrakEM2Project

        project = TrakEM2Project(options.trakem2, invisible=options.invisible, replace=dict(options.replace))
        count = project.check(progress("reading the project"))
        notes, resolution = project.notes, project.resolution
        tiles: Iterable[TileSpec] = project
    else:
        made = _made(options, options.converted)
        count, notes, resolution, tiles = len(made), made.notes, made.resolution, made
    for text in (counted(count, "tiles"), *notes):
        note(text)
    names = ("stackResolutionX", "stackResolutionY", "stackResolutionZ")
    return tiles, {key: size for key, size in zip(names, resolution or ()) if size is not None}


def _made(options: argparse.Namespace, converted: str | None) -> TilesFromFiles:
    from renderapi.fromfiles import from_images, from_serialem, from_trakem2

    if options.trakem2:
        return from_trakem2(
            options.trakem2,
            invisible=options.invisible,
            replace=dict(options.replace),
            progress=progress("reading the project"),
        )
    words: dict[str, Any] = {"threads": options.threads, "progress": progress("reading files")}
    if options.mdoc:
        return from_serialem(options.mdoc, converted=converted, intensity=options.intensity, **words)
    names = (
        "pattern", "grid", "order", "snake", "overlap", "units", "pixel_size", "flip_x", "flip_y", "rotation", "z",
        "tile_id", "section_id", "group_id", "masks", "mipmaps", "dataset",
    )  # fmt: skip
    return from_images(
        options.images,
        options.positions,
        columns=dict(options.column),
        intensity=options.intensity or "type",
        **{name: getattr(options, name) for name in names},
        **words,
    )


def _document(tiles: TilesFromFiles) -> dict[str, Any]:
    return {
        "tiles": len(tiles),
        "layers": [layer._asdict() for layer in tiles.layers()],
        "resolution": tiles.resolution,
        "notes": tiles.notes,
    }


def assigned(text: str) -> tuple[str, str]:
    """Read ``NAME=NAME``."""
    before, equals, after = text.partition("=")
    if not equals or not before:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NAME")
    return before, after


def _grid(text: str) -> tuple[int, int]:
    rows, _, columns = text.lower().partition("x")
    return positive(rows), positive(columns)


def _overlap(text: str) -> float | tuple[float, float]:
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) > 2 or min(numbers) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not one number from 0, or two")
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])
