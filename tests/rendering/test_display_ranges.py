"""What display ranges make of pixels: odd limits, every depth, tiles of mixed depth.

The numbers were made by ImageJ 1.53c, which render uses, run beside.
"""

import numpy as np
import pytest
import tifffile
from PIL import Image

from renderapi import rendering

VALUES = np.array([0, 1, 5, 10, 11, 49, 50, 51, 199, 200, 201, 255, 1000, 5000, 65535])
FLOATS = (VALUES + 0.3 - 20 * (VALUES == 0)).astype(np.float32)
NARROW = np.minimum(VALUES, 255).astype(np.uint8)
both = pytest.mark.parametrize("engine", ["numpy", None])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for name, values in (("byte", NARROW), ("short", VALUES.astype(np.uint16)), ("float", FLOATS)):
        tifffile.imwrite(folder / f"{name}.tif", np.tile(values, (4, 1)))
    Image.fromarray(np.tile(NARROW[:, None], (4, 1, 3))).save(folder / "colour.png")
    return folder


def tile(folder, image, low=None, high=None, x=0):
    matrix = f"1 0 0 1 {x} 0"
    leaf = {"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D", "dataString": matrix}
    spec = {
        "tileId": image,
        "width": len(VALUES),
        "height": 4,
        "mipmapLevels": {"0": {"imageUrl": str(folder / image)}},
        "transforms": {"type": "list", "specList": [leaf]},
    }
    return spec | ({} if low is None else {"minIntensity": low, "maxIntensity": high})


def row(render, *tiles, engine, compat="master", **more):
    width = len(VALUES) * len(tiles)
    document = {
        "x": 0,
        "y": 0,
        "width": width,
        "height": 4,
        "skipInterpolation": True,
        "tileSpecs": list(tiles),
    }
    got = render(document | more, engine=engine, compat=compat)
    return (got[1, :, 0] if got.ndim == 3 else got[1]).tolist()


SHORT = {
    (10, 9): [0, 0, 0, 0, *[255] * 11],
    (10, 10): [0, 0, 0, 0, *[255] * 11],
    (10, 11): [0, 0, 0, 0, 128, *[255] * 10],
    (0, 0): [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 4, 20, 255],
    (200, 50): [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 163, 163, 202, 132],
    (-5.5, 70000): [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 4, 20, 255],
    (10.7, 200.9): [0, 0, 0, 0, 1, 52, 54, 55, 253, 255, 255, 255, 255, 255, 255],
    (-20, -3): [0, 129, 129, 1, 129, 129, 1, 129, 129, 1, 129, 129, 1, 1, 129],
    (10.6, 5.2): [0, 0, 0, 0, 193, 65, 1, 193, 193, 129, 65, 193, 129, 129, 193],
}
FLOAT = {
    (10, 9): [0, 0, 0, 180, 181, 220, 221, 222, 113, 114, 115, 169, 147, 51, 169],
    (10, 10): [0, 0, 0, *[255] * 12],
    (10, 11): [0, 0, 0, 77, *[255] * 11],
    (0, 0): [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 4, 20, 255],
    (-5.5, 70000): [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 4, 18, 239],
    (10.7, 200.9): [0, 0, 0, 0, 1, 52, 53, 54, 253, 254, *[255] * 5],
}
FLOAT16 = {
    (10, 9): [65535, 65535, 65535, *[0] * 12],
    (10, 10): [0, 0, 0, 0, 1, 39, 40, 41, 189, 190, 191, 245, 990, 4990, 65525],
    (10, 11): [0, 0, 0, 19661, *[65535] * 11],
    (0, 0): [0, 21, 25, 30, 31, 69, 70, 71, 219, 220, 221, 275, 1020, 5018, 65535],
    (0, 255): [
        0,
        334,
        1362,
        2647,
        2904,
        12670,
        12927,
        13184,
        51220,
        51477,
        51734,
        65535,
        65535,
        65535,
        65535,
    ],
}


@both
@pytest.mark.parametrize("limits", SHORT)
def test_ranges_of_16_bit_images(folder, limits, engine):
    for render in (rendering.render, rendering.render8):
        assert row(render, tile(folder, "short.tif", *limits), engine=engine) == SHORT[limits]


@both
@pytest.mark.parametrize("limits", FLOAT)
def test_ranges_of_floating_point_images(folder, limits, engine):
    for render in (rendering.render, rendering.render8):
        assert row(render, tile(folder, "float.tif", *limits), engine=engine) == FLOAT[limits]


@both
@pytest.mark.parametrize("limits", FLOAT16)
def test_16_bit_output_of_floating_point_images_is_scaled_by_their_range(folder, limits, engine):
    assert row(rendering.render16, tile(folder, "float.tif", *limits), engine=engine) == FLOAT16[limits]


@both
def test_8_bit_output_of_8_bit_images_is_raw(folder, engine):
    assert row(rendering.render8, tile(folder, "byte.tif", 40, 90), engine=engine) == NARROW.tolist()


@both
def test_limits_of_colour_images_are_truncated_but_not_their_span(folder, engine):
    # once to the image, with limits 10.7 and 200.9, and once to the canvas, with 10 and 200
    got = row(rendering.render, tile(folder, "colour.png", 10.7, 200.9), engine=engine)
    assert got == [0, 0, 0, 0, 0, 56, 57, 60, 255, 255, 255, 255, 255, 255, 255]


@both
def test_a_range_that_ends_before_it_begins_is_none_for_bytes(folder, engine):
    for image in ("byte.tif", "colour.png"):
        assert row(rendering.render, tile(folder, image, 200, 50), engine=engine) == NARROW.tolist()


@both
def test_a_canvas_of_mixed_depth_has_the_range_that_its_last_image_remembers(folder, engine):
    count = len(VALUES)
    # limits of 16-bit images are truncated, those of 8-bit images rounded
    byte = tile(folder, "byte.tif")
    got = row(rendering.render, byte, tile(folder, "short.tif", 10.7, 200.9, x=count), engine=engine)
    assert got[:count] == row(rendering.render, tile(folder, "byte.tif", 10, 200), engine=engine)
    # the extremes of the image, not those of the canvas
    got = row(rendering.render, byte, tile(folder, "short.tif", 0, 0, x=count), engine=engine)
    assert got[:count] == row(rendering.render, byte, engine=engine, minIntensity=0, maxIntensity=65535)
    # none: the canvas keeps its range
    got = row(
        rendering.render,
        tile(folder, "byte.tif", 5, 50),
        tile(folder, "short.tif", 200, 50, x=count),
        engine=engine,
    )
    assert got[:count] == row(rendering.render, tile(folder, "byte.tif", 5, 50), engine=engine)


@both
def test_channels_of_16_bits_wrap_in_an_average_that_began_with_8(folder, engine):
    square = np.full((64, 64), 77, np.uint8)
    tifffile.imwrite(folder / "square8.tif", square)
    tifffile.imwrite(folder / "square16.tif", square.astype(np.uint16) * 10)
    channels = [
        {"name": name, "mipmapLevels": {"0": {"imageUrl": str(folder / image)}}}
        for name, image in (("A", "square8.tif"), ("B", "square16.tif"))
    ]
    spec = tile(folder, "byte.tif") | {"width": 64, "height": 64, "channels": channels}
    document = {"width": 64, "height": 64, "tileSpecs": [spec], "channels": "A__0.5__B__0.5"}
    got = rendering.render8(document, engine=engine)
    assert got[9, 9] == (int(77 * 0.5) + int(770 * 0.5)) % 256


@both
@pytest.mark.parametrize(
    ("low", "high", "same_as"),
    [
        # limits are rounded, half up, where those of master are truncated
        (9.5, 199.5, (10, 200)),
        (10.4, 200.4, (10, 200)),
        (0.5, 0.4, (1, 0)),
        (-0.6, 0.2, (-1, 0)),
    ],
)
def test_limits_of_short_images_are_rounded_by_newsolver(folder, engine, low, high, same_as):
    def shown(*limits):
        return row(rendering.render, tile(folder, "short.tif", *limits), engine=engine, compat="newsolver")

    assert shown(low, high) == shown(*same_as)


@both
def test_limits_of_short_images_may_lie_outside_of_pixels_with_newsolver(folder, engine):
    def shown(branch):
        return row(rendering.render, tile(folder, "short.tif", -20, 235), engine=engine, compat=branch)

    # one level is a gray value: 20 levels are below 0
    assert shown("newsolver")[:4] == [20, 21, 25, 30]
    assert shown("master")[:4] == [0, 1, 5, 11]
