"""A small specimen with pictures: what the demonstration renders.

Tissue is made up, photographed through a lens by a stage that is not quite where it should be, and
described by tile specs that put every picture into its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.geometry import bounding_boxes, points_to_local, tile_pairs
from renderapi.layout import Layout
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, Polynomial2DTransform, ReferenceTransform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ROWS, COLUMNS = 3, 4
SIZE = 512
STEP = 440  # from one tile to the next: 14 % overlap
MARGIN = 40
HEIGHT, WIDTH = (MARGIN * 2 + STEP * (count - 1) + SIZE for count in (ROWS, COLUMNS))


# Waves between two lengths in pixels: two sets of cells, bodies inside of them, vesicles, light and shade;
# and how fast each of them changes from section to section.
_WAVES = ((85, 330, 0.3), (85, 330, 0.26), (34, 110, 0.5), (7, 15, 0.9), (200, 1200, 0.1))


def tissue(z: float, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
    """Make up a section of tissue: cells with dark membranes, mitochondria and vesicles inside of them.

    Parameters
    ----------
    z : float
        Which section; neighbours look alike.
    height, width : int
        Size in pixels.

    Returns
    -------
    (height, width) float32 array
        Brightness, 0 to 255.
    """
    rng = np.random.default_rng(11)
    # half the size is a quarter of the work, and as sharp as a microscope would see it
    half = -(-height // 2), -(-width // 2)
    frequency = np.hypot(np.fft.fftfreq(half[0])[:, None], np.fft.rfftfreq(half[1])[None])

    def waves(shortest: float, longest: float) -> NDArray[np.float64]:
        band = np.exp(-((frequency * shortest / 2) ** 2)) - np.exp(-((frequency * longest / 2) ** 2))
        field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(half)) * band, half)
        return np.asarray(field / field.std())

    one, other, bodies, fine, large = (
        waves(low, high) * np.cos(pace * z) + waves(low, high) * np.sin(pace * z)
        for low, high, pace in _WAVES
    )
    image = 178 + 9 * large + 8 * fine
    image -= np.where(bodies > 1.3, 48 + 24 * np.sin(10 * bodies + 2 * fine), 0)
    image -= 80 * np.exp(-(((bodies - 1.3) / 0.07) ** 2))
    image -= 45 * ((fine > 1.8) & (other > 0.5) & (bodies < 1.2))
    for cells in (one, other):
        image -= 115 * np.exp(-((cells / 0.05) ** 2))
    small = np.clip(image, 0, 255).astype(np.float32)
    return _twice_as_high(_twice_as_high(small).T).T[:height, :width]


def _twice_as_high(image: NDArray[np.float32]) -> NDArray[np.float32]:
    # between the first row and the last
    lower, part = np.divmod(np.linspace(0, len(image) - 1, 2 * len(image)), 1)
    row = lower.astype(int)
    after = np.minimum(row + 1, len(image) - 1)
    taller: NDArray[np.float32] = image[row] + (image[after] - image[row]) * part[:, None].astype(np.float32)
    return taller


def look_up(image: ArrayLike, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Return the brightness of an image between its pixels, bilinear.

    Parameters
    ----------
    image : (h, w) array
        Brightness.
    x, y : array
        Where, in pixels; what lies outside has the brightness of the nearest border pixel.

    Returns
    -------
    float64 array
        As many values as places.

    Examples
    --------
    >>> look_up([[0, 10], [20, 30]], [0.5, 9], [0, 0.5]).tolist()
    [5.0, 20.0]
    """
    pixels = np.asarray(image, np.float64)
    height, width = pixels.shape
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = x - left, y - top
    upper = pixels[top, left] * (1 - across) + pixels[top, right] * across
    lower = pixels[below, left] * (1 - across) + pixels[below, right] * across
    return np.asarray(upper * (1 - down) + lower * down)


def lens() -> Polynomial2DTransform:
    """Make the lens correction that all tiles share."""
    parameters = [[0.0, 1.003, 0.002, -6e-6, 4e-6, -2e-6], [0.0, -0.002, 1.004, 3e-6, 4e-6, -5e-6]]
    return Polynomial2DTransform(params=np.array(parameters), transformId="lens", labels=["lens"])


def photograph(folder: Path, z: int) -> list[TileSpec]:
    """Write the pictures of a section into a folder.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    z : int
        Which section.

    Returns
    -------
    list of TileSpec
        Their tile specs; they refer to the transform of `lens`.
    """
    from PIL import Image

    rng = np.random.default_rng(z)
    section, correction = tissue(z), lens()
    y, x = np.mgrid[:SIZE, :SIZE].reshape(2, -1).astype(np.float64)
    corrected = correction.tform(np.column_stack([x, y]))
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[2:-2, 2:-2] = 255  # the outermost pixels of a tile are rendered black
    Image.fromarray(mask).save(folder / "mask.png")
    tilespecs = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            tile_id = f"{z}_{row}_{column}"
            angle, scale = rng.normal(0, 0.012), rng.normal(1, 0.003)
            cos, sin = scale * np.cos(angle), scale * np.sin(angle)
            shift_x, shift_y = np.array([column, row]) * STEP + MARGIN + rng.uniform(-12, 12, 2)
            place = AffineModel(cos, -sin, sin, cos, shift_x, shift_y)
            world_x, world_y = place.tform(corrected).T
            seen = look_up(section, world_x, world_y).reshape(SIZE, SIZE)
            noisy = np.clip(seen + rng.normal(0, 5, seen.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / f"{tile_id}.png", compress_level=1)
            layout = Layout(
                sectionId=f"{z}.0",
                imageRow=row,
                imageCol=column,
                stageX=float(column * STEP),
                stageY=float(row * STEP),
                rotation=0.0,
                pixelsize=4.0,
            )
            tilespecs.append(
                TileSpec(
                    tileId=tile_id,
                    z=float(z),
                    width=SIZE,
                    height=SIZE,
                    imageUrl=f"file:{(folder / tile_id).as_posix()}.png",
                    maskUrl=f"file:{(folder / 'mask').as_posix()}.png",
                    layout=layout,
                    tforms=[ReferenceTransform(refId="lens"), place],
                )
            )
    return tilespecs


def point_matches(tilespecs: list[TileSpec]) -> Iterator[dict[str, Any]]:
    """Return where neighbouring tiles show the same thing, as a perfect matcher would find it.

    Parameters
    ----------
    tilespecs : list of TileSpec
        Tiles of neighbouring sections.

    Yields
    ------
    dict
        Point match document; its points are in the space after the lens correction.
    """
    correction = lens()
    boxes = bounding_boxes(tilespecs, [correction])
    pairs = tile_pairs(boxes, [tile.z for tile in tilespecs], z_neighbor_distance=1)
    rng = np.random.default_rng(0)
    for p, q in pairs:
        low = np.maximum(boxes[p, :2], boxes[q, :2])
        high = np.minimum(boxes[p, 2:], boxes[q, 2:])
        if (high - low).min() < 1:
            continue
        world = rng.uniform(low, high, (60, 2))
        ends = [points_to_local(tilespecs, np.full(len(world), end), world, [correction]) for end in (p, q)]
        seen = np.isfinite(ends).all(axis=(0, 2))
        if seen.sum() < 8:
            continue
        one, other = (correction.tform(end[seen]).T.round(2).tolist() for end in ends)
        yield {
            "pGroupId": tilespecs[p].layout.sectionId,
            "pId": tilespecs[p].tileId,
            "qGroupId": tilespecs[q].layout.sectionId,
            "qId": tilespecs[q].tileId,
            "matches": {"p": one, "q": other, "w": [1.0] * int(seen.sum())},
        }
