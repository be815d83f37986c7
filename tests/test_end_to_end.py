"""A known image, cut into tiles as a microscope would see it, comes back from the server."""

import numpy as np
import pytest
from PIL import Image

import renderapi
from renderapi.layout import Layout
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, Polynomial2DTransform, ReferenceTransform

SIZE = 240
#: decibels: the tiles' own interpolation and rounding, and that of rendering them
LEAST_PSNR = 56.0


def specimen(x, y):
    """Return the brightness at world points, smooth enough for interpolation to be true."""
    waves = np.sin(x / 9) * np.cos(y / 7) + np.sin((x + 2 * y) / 23) + np.cos((x - y) / 31)
    return 128 + 38 * waves


def psnr(got, wanted):
    return 10 * np.log10(255**2 / np.mean((got.astype(float) - wanted) ** 2))


@pytest.fixture
def lens():
    """Pull the corners of a tile inwards by some pixels, and label it as a lens."""
    return Polynomial2DTransform(
        params=np.array([[0.0, 1.004, 0.003, -1.2e-5, 8e-6, -5e-6], [0.0, -0.002, 1.003, 6e-6, 7e-6, -9e-6]]),
        transformId="lens",
        labels=["lens"],
    )


def photographed(lens, place, folder, name):
    """Return the tile spec of what a camera sees through a lens at a place: an image and its transforms."""
    y, x = np.mgrid[:SIZE, :SIZE].reshape(2, -1).astype(float)
    world = place.tform(lens.tform(np.column_stack([x, y])))
    image = np.floor(specimen(*world.T).reshape(SIZE, SIZE) + 0.5).astype(np.uint8)
    Image.fromarray(image).save(folder / f"{name}.png")
    # the outermost pixels are rendered black, as render-ws does, so they are left out
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[2:-3, 2:-3] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return TileSpec(
        tileId=name,
        z=7.0,
        width=SIZE,
        height=SIZE,
        imageUrl=f"file:{folder / name}.png",
        maskUrl=str(folder / "mask.png"),
        layout=Layout(sectionId="7.0"),
        tforms=[ReferenceTransform(refId="lens"), place],
    )


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_known_image_comes_back(tmp_path, lens, scale):
    rng = np.random.default_rng(3)
    tiles = []
    for number in range(9):
        row, column = divmod(number, 3)
        angle = rng.uniform(-0.08, 0.08)
        cos, sin = np.cos(angle), np.sin(angle)
        place = AffineModel(
            cos, -sin, sin, cos, column * 180 + rng.uniform(-8, 8), row * 180 + rng.uniform(-8, 8)
        )
        tiles.append(photographed(lens, place, tmp_path, f"tile_{number}"))
    with serve_background(image_roots=[tmp_path]) as server:
        render = server.connect(owner="o", project="p", web_only=True)
        renderapi.stack.create_stack("section", render=render)
        renderapi.client.import_tilespecs("section", tiles, sharedTransforms=[lens], render=render)
        renderapi.stack.set_stack_state("section", "COMPLETE", render=render)
        bounds = renderapi.stack.get_bounds_from_z("section", 7.0, render=render)
        box = (
            bounds["minX"],
            bounds["minY"],
            int(bounds["maxX"] - bounds["minX"]),
            int(bounds["maxY"] - bounds["minY"]),
        )
        image = renderapi.image.get_bb_image("section", 7.0, *box, scale=scale, render=render)
        whole = renderapi.image.get_section_image("section", 7.0, scale=scale, render=render)
    assert image.shape == whole.shape == (int(box[3] * scale), int(box[2] * scale), 4)
    np.testing.assert_array_equal(image, whole)
    opaque = image[..., 3] == 255
    assert opaque.mean() > 0.85  # all but the corners that the turned tiles leave
    y, x = np.nonzero(opaque)
    wanted = specimen(x / scale + box[0], y / scale + box[1])
    quality = psnr(image[opaque][:, 0], wanted)
    assert quality > LEAST_PSNR, f"PSNR {quality:.1f} dB"
