"""Made-up tissue on a server: photographed by a stage that errs, and where the images truly are."""

import numpy as np
from PIL import Image

import renderapi
from renderapi.demo.montage import tissue
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

#: Side of a tile in pixels, and how much of it neighbours share.
SIZE, OVERLAP = 400, 100
#: Pixels by which the stage errs at most, noise of the camera in gray values.
STAGE_ERROR, NOISE = 25, 4


def photographed(folder, count, z=1, seed=0, size=SIZE, overlap=OVERLAP):
    """Write the images of a section of count x count tiles; return tile specs, and where the tiles truly are."""
    rng = np.random.default_rng([seed, z])
    step = size - overlap
    side = step * (count - 1) + size + 2 * STAGE_ERROR + 2
    section = tissue(0.1 * z, side, side)
    # a field that is lighter in its middle
    light = 1.05 - 0.2 * ((np.mgrid[:size, :size] / size - 0.5) ** 2).sum(axis=0)
    specs, truth = [], {}
    for row in range(count):
        for column in range(count):
            tile_id = f"{z}_{row}_{column}"
            place = np.array([column, row]) * step
            x, y = place + STAGE_ERROR + np.round(rng.uniform(-STAGE_ERROR, STAGE_ERROR, 2)).astype(int)
            seen = section[y : y + size, x : x + size] * light + rng.normal(0, NOISE, (size, size))
            path = folder / f"{tile_id}.png"
            Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8)).save(path, compress_level=1)
            truth[tile_id] = np.array([x, y], float)
            specs.append(
                TileSpec(
                    tileId=tile_id, z=float(z), width=size, height=size, sectionId=f"{z}.0", imageUrl=path.as_uri(),
                    minint=0, maxint=255, tforms=[AffineModel(B0=float(place[0]), B1=float(place[1]))],
                )
            )  # fmt: skip
    return specs, truth


def distance_to_truth(specs, truth):
    """Return the root mean square of what is left when the tiles as a whole are moved onto the truth."""
    corners = specs[0].width * np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.5]])
    solved = np.concatenate([_world(tile, corners) for tile in specs])
    true = np.concatenate([corners + truth[tile.tileId] for tile in specs])
    whole = AffineModel()
    whole.estimate(solved, true)
    return float(np.sqrt(((whole.tform(solved) - true) ** 2).sum(axis=1).mean()))


def _world(tile, points):
    for transform in tile.tforms:
        points = transform.tform(points)
    return points


def stored(render, stack, specs):
    """Store tiles in a stack of their own."""
    renderapi.stack.create_stack(
        stack, stackResolutionX=4, stackResolutionY=4, stackResolutionZ=35, render=render
    )
    renderapi.client.import_tilespecs(stack, specs, render=render)
    renderapi.stack.set_stack_state(stack, "COMPLETE", render=render)
