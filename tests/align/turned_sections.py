"""Made-up sections that a microtome turned and shifted."""

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates

from renderapi.demo.montage import tissue
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

SIDE = 420


def turned(folder, count, name="t"):
    """Write sections that are turned and shifted; return tile specs without that, and the transforms."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1).astype(float)
    specs, truth = [], []
    for z in range(count):
        angle, (dx, dy) = rng.uniform(-0.05, 0.05), rng.uniform(-20, 20, 2) + 60
        place = AffineModel(np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle), dx, dy)
        seen = place.tform(np.column_stack([x, y]))
        image = map_coordinates(
            tissue(0.1 * z, SIDE + 140, SIDE + 140), seen.T[::-1], order=1, mode="reflect"
        )
        path = folder / f"turned_{name}_{z}.png"
        noisy = image.reshape(SIDE, SIDE) + rng.normal(0, 4, (SIDE, SIDE))
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)
        specs.append(
            TileSpec(
                tileId=f"{name}{z}", z=float(z), width=SIDE, height=SIDE, sectionId=f"{z}.0", imageUrl=path.as_uri(),
                minint=0, maxint=255, tforms=[AffineModel()],
            )
        )  # fmt: skip
        truth.append(place)
    return specs, truth
