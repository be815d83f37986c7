"""A made-up montage of 3 x 3 tiles with lens correction, and its point matches, as documents."""

import numpy as np

from renderapi.transform import AffineModel, Polynomial2DTransform

Z = 1015.0
SIDE, STEP = 2048, 1840
ROWS = COLUMNS = 3
#: Pixels by which the stage errs, and point matches do.
STAGE_ERROR, NOISE = 12.0, 0.3


def _numbers(seed):
    return np.random.default_rng(seed)


def tile_id(row, column):
    return f"{int(Z)}_{row}_{column}"


def lens():
    """Return the correction that all tiles have."""
    params = np.array([[0.8, 1.0003, 0.0002, 4e-6, -8e-6, 4e-6], [-0.5, -0.0001, 0.9996, 8e-6, 4e-6, -4e-6]])
    return Polynomial2DTransform(params=params)


def truth(row, column):
    """Return the transform from corrected pixels to the world."""
    rng = _numbers([row, column])
    turn, (sx, sy) = rng.normal(0, 1e-3), rng.normal(1, 1e-3, 2)
    x, y = np.array([column, row]) * STEP + rng.normal(0, STAGE_ERROR, 2)
    return AffineModel(sx * np.cos(turn), -np.sin(turn), np.sin(turn), sy * np.cos(turn), x, y)


def tiles():
    """Return the tile specs, placed where the stage was."""
    return [
        {
            "tileId": tile_id(row, column),
            "layout": {
                "sectionId": str(Z), "temca": "scope", "camera": "camera", "imageRow": row, "imageCol": column,
                "stageX": column * STEP * 4.0, "stageY": row * STEP * 4.0, "rotation": 0.0, "pixelsize": 4.0,
            },
            "z": Z, "width": float(SIDE), "height": float(SIDE), "minIntensity": 0.0, "maxIntensity": 255.0,
            "mipmapLevels": {
                str(level): {"imageUrl": f"file:/montage/{level}/{row}_{column}.tif",
                             "maskUrl": f"file:/montage/{level}/mask.tif"}
                for level in range(4)
            },
            "transforms": {"type": "list", "specList": [
                {**lens().to_dict(), "metaData": {"labels": ["lens"]}},
                AffineModel(B0=column * STEP, B1=row * STEP).to_dict(),
            ]},
        }
        for row in range(ROWS)
        for column in range(COLUMNS)
    ]  # fmt: skip


def matches():
    """Return a match document for each pair of neighbours in a row or column, points in corrected pixels."""
    found = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            for other in ((row, column + 1), (row + 1, column)):
                if other[0] < ROWS and other[1] < COLUMNS:
                    found.append(_match((row, column), other))
    return found


def _match(p, q):
    rng = _numbers([*p, *q])
    # not so near to the borders that one of them could be outside of a tile
    low = np.array([q[1], q[0]]) * STEP + 80
    high = np.array([p[1], p[0]]) * STEP + SIDE - 80
    world = rng.uniform(low, high, (int(rng.integers(60, 200)), 2))
    ends = [truth(*tile).inverse_tform(world) + rng.normal(0, NOISE, world.shape) for tile in (p, q)]
    return {
        "pGroupId": str(Z), "pId": tile_id(*p), "qGroupId": str(Z), "qId": tile_id(*q),
        "matches": {"p": ends[0].T.tolist(), "q": ends[1].T.tolist(), "w": [1.0] * len(world)},
    }  # fmt: skip
