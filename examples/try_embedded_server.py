"""Try render without installing one: a server in this program, a stack, some tiles, a look at them.

Nothing is kept: with ``serve_background("some/folder")`` it would be. The lines of ``main`` can be pasted
into a notebook one after the other.

    python try_embedded_server.py
"""

from renderapi import client, stack, tilespec
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel


def main():
    """Start a server, make a stack, and ask what is in it."""
    with serve_background() as server:
        render = server.connect(owner="me", project="first_steps")
        stack.create_stack("toy", render=render)

        tiles = [
            TileSpec(
                tileId=f"{z}_{column}",
                z=float(z),
                width=1024,
                height=1024,
                tforms=[AffineModel(B0=900.0 * column)],
            )
            for z in range(3)
            for column in range(4)
        ]
        client.import_tilespecs_parallel("toy", tiles, render=render)

        print("state: ", stack.get_full_stack_metadata("toy", render=render)["state"])
        print("layers:", stack.get_z_values_for_stack("toy", render=render))
        print("bounds:", stack.get_stack_bounds("toy", render=render))

        # which tiles meet this box?
        found = tilespec.get_tile_specs_from_box("toy", 1.0, 850.0, 0.0, 100.0, 100.0, render=render)
        print("in box:", [tile.tileId for tile in found])


if __name__ == "__main__":
    main()
