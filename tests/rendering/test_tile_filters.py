"""Filters that tiles and channels bring with them (``filterSpec``)."""

import numpy as np
import pytest
from PIL import Image

from renderapi import rendering

PACKAGE = "org.janelia.alignment.filter."
INVERT = {"className": PACKAGE + "Invert"}


def affine(a, b):
    return {"className": PACKAGE + "AffineIntensityFilter", "parameters": {"a": str(a), "b": str(b)}}


@pytest.fixture
def tile(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 120, (40, 60), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "i.png")
    levels = {"0": {"imageUrl": f"file:{tmp_path}/i.png"}}
    return {"tileId": "t", "width": 60, "height": 40, "mipmapLevels": levels}


def rendered(tile, engine="numpy", **more):
    parameters = {"x": 0, "y": 0, "width": 59, "height": 39, "scale": 1.0, "tileSpecs": [tile], **more}
    return rendering.render(parameters, engine=engine)[..., 0]


def test_the_filter_of_a_tile_changes_its_pixels_and_its_file_stays_in_the_cache(tile):
    plain = rendered(tile)
    np.testing.assert_array_equal(rendered({**tile, "filterSpec": affine(2, 5)}), 2 * plain + 5)
    np.testing.assert_array_equal(rendered(tile), plain)


def test_channels_have_their_own_filter_and_that_of_the_tile_does_not_count(tile):
    channel = {"name": "A", "mipmapLevels": tile["mipmapLevels"], "filterSpec": INVERT}
    plain = rendered(tile)
    of_channel = rendered({**tile, "channels": [channel], "filterSpec": affine(0, 9)})
    np.testing.assert_array_equal(of_channel, 255 - plain)
    del channel["filterSpec"]
    np.testing.assert_array_equal(
        rendered({**tile, "channels": [channel], "filterSpec": affine(0, 9)}), plain
    )


def test_filters_of_the_request_come_after_that_of_the_tile(tile):
    plain = rendered(tile)
    got = rendered({**tile, "filterSpec": affine(2, 5)}, filterSpecs=[INVERT])
    np.testing.assert_array_equal(got, 255 - (2 * plain + 5))


def test_a_wrong_filter_of_a_tile_is_told_of(tile):
    wrong = {"className": PACKAGE + "NoSuchFilter", "parameters": {}}
    with pytest.raises(rendering.RenderParametersError, match=r"NoSuchFilter' cannot be found"):
        rendered({**tile, "filterSpec": wrong})


def test_destreak_filters_are_refused_by_name(tile):
    name = "org.janelia.alignment.destreak.SmoothMaskStreakCorrector"
    with pytest.raises(rendering.RenderParametersError, match="SmoothMaskStreakCorrector' is not available"):
        rendered({**tile, "filterSpec": {"className": name, "parameters": {"dataString": "1,1,1,1,1"}}})
