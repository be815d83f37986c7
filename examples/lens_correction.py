"""Store a lens correction once, and let all tiles of a section refer to it.

A polynomial of order 3 is fitted to points that the camera sees displaced. It goes into the stack as a
*shared transform*; every tile begins its transforms with a reference to it. The connection comes from the
environment.

    python lens_correction.py --stack corrected
"""

import argparse

import numpy as np

import renderapi
from renderapi.layout import Layout
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, Polynomial2DTransform, ReferenceTransform

SIZE = 2048


def calibration():
    """Give points as the camera sees them, and where they are: (N, 2) arrays, a simulated distortion."""
    x, y = np.meshgrid(np.linspace(0, SIZE, 17), np.linspace(0, SIZE, 17))
    true = np.column_stack([x.ravel(), y.ravel()])
    offset = (true - SIZE / 2) / SIZE
    seen = true - 12.0 * offset * (offset**2).sum(axis=1, keepdims=True)
    return seen, true


def main():
    """Fit the lens correction, import tiles that refer to it, and show both sides of the reference."""
    parser = argparse.ArgumentParser(description="Import tiles with a shared lens correction.")
    parser.add_argument("--stack", required=True)
    options = parser.parse_args()

    seen, true = calibration()
    # the label tells the server which part belongs to the camera, when it renders tiles for matching
    lens = Polynomial2DTransform(transformId="lens_2026_03", labels=["lens"])
    lens.estimate(seen, true, order=3)
    before = np.abs(seen - true).max()
    after = np.abs(lens.tform(seen) - true).max()
    print(f"lens correction: largest error {before:.2f} px before, {after:.4f} px after")

    tilespecs = [
        TileSpec(
            tileId=f"tile_{row}_{column}",
            z=1.0,
            width=SIZE,
            height=SIZE,
            imageUrl=f"/data/images/tile_{row}_{column}.tif",
            layout=Layout(sectionId="1.0", imageRow=row, imageCol=column, pixelsize=3.0),
            tforms=[ReferenceTransform(lens.transformId), AffineModel(B0=1640.0 * column, B1=1640.0 * row)],
        )
        for row in range(3)
        for column in range(4)
    ]
    render = renderapi.connect()
    renderapi.stack.create_stack(options.stack, render=render)
    renderapi.client.import_tilespecs(options.stack, tilespecs, sharedTransforms=[lens], render=render)
    renderapi.stack.set_stack_state(options.stack, "COMPLETE", render=render)

    raw = renderapi.tilespec.get_tile_spec_raw(options.stack, "tile_1_2", render=render)
    resolved = renderapi.tilespec.get_tile_spec(options.stack, "tile_1_2", render=render)
    print("stored:  ", ", ".join(type(tform).__name__ for tform in raw.tforms))
    print("resolved:", ", ".join(type(tform).__name__ for tform in resolved.tforms))


if __name__ == "__main__":
    main()
