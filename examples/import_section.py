"""Import one section from a CSV file of tile positions.

The file has a header, and for each tile its id, image, position of the upper left corner in pixels, row
and column: see ``tile_positions.csv``. The connection comes from the environment (RENDER_HOST,
RENDER_PORT, RENDER_OWNER, RENDER_PROJECT). The stack is made if it is not there, and other sections in it
stay as they are.

    python import_section.py tile_positions.csv --stack montage --z 1
"""

import argparse
import csv
from pathlib import Path

import renderapi
from renderapi.errors import NotFoundError
from renderapi.layout import Layout
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel


def read_tiles(path, z, size, pixelsize):
    """Give a tile spec for each line of the file."""
    with Path(path).open(newline="") as file:
        for row in csv.DictReader(file):
            x, y = float(row["x"]), float(row["y"])
            yield TileSpec(
                tileId=row["tileId"],
                z=z,
                width=size,
                height=size,
                imageUrl=row["image"],
                layout=Layout(
                    sectionId=f"{z:.1f}",
                    imageRow=int(row["row"]),
                    imageCol=int(row["column"]),
                    stageX=x * pixelsize,
                    stageY=y * pixelsize,
                    pixelsize=pixelsize,
                ),
                tforms=[AffineModel(B0=x, B1=y)],
            )


def main():
    """Read the command line, import the section, and say what the stack holds then."""
    parser = argparse.ArgumentParser(description="Import one section from a CSV file of tile positions.")
    parser.add_argument("csv", help="file of tile positions")
    parser.add_argument("--stack", required=True)
    parser.add_argument("--z", type=float, required=True)
    parser.add_argument(
        "--size", type=int, default=2048, help="width and height of the images (default 2048)"
    )
    parser.add_argument("--pixelsize", type=float, default=3.0, help="nm (default 3)")
    options = parser.parse_args()

    render = renderapi.connect()
    try:
        renderapi.stack.get_full_stack_metadata(options.stack, render=render)
    except NotFoundError:
        renderapi.stack.create_stack(options.stack, render=render)

    tilespecs = list(read_tiles(options.csv, options.z, options.size, options.pixelsize))
    renderapi.client.import_tilespecs(options.stack, tilespecs, render=render)
    renderapi.stack.set_stack_state(options.stack, "COMPLETE", render=render)

    bounds = renderapi.stack.get_bounds_from_z(options.stack, options.z, render=render)
    print(f"{len(tilespecs)} tiles imported into {options.stack}")
    print(f"section {options.z:g} spans x {bounds['minX']:g} to {bounds['maxX']:g}", end=", ")
    print(f"y {bounds['minY']:g} to {bounds['maxY']:g}")


if __name__ == "__main__":
    main()
