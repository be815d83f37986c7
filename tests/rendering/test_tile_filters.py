"""Filters that tiles and channels bring with them (``filterSpec``)."""

import json

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


def rendered(tile, engine="numpy", compat="master", **more):
    parameters = {"x": 0, "y": 0, "width": 59, "height": 39, "scale": 1.0, "tileSpecs": [tile], **more}
    return rendering.render(parameters, engine=engine, compat=compat)[..., 0]


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


@pytest.mark.parametrize(
    "kind", ["ConfigurableMask", "LocalConfigurableMask", "SmoothMask", "LocalSmoothMask"]
)
def test_destreak_filters_are_refused_by_name(tile, kind):
    name = f"org.janelia.alignment.destreak.{kind}StreakCorrector"
    spec = {"className": name, "parameters": {"dataString": "1,1,1,1,1"}}
    inside = {"className": PACKAGE + "CompositeFilter", "parameters": {"filter0": json.dumps(spec)}}
    said = f"the filter class '{name}' is not available here: .* branch newsolver draw the tile"
    for wanted in (
        lambda: rendered({**tile, "filterSpec": spec}),
        lambda: rendered({**tile, "filterSpec": inside}),
        lambda: rendered(tile, filterSpecs=[spec]),
    ):
        with pytest.raises(rendering.RenderParametersError, match=said):
            wanted()


# ------------------------------------------------------------------------------ masks of another size


@pytest.fixture
def masked(tile, tmp_path):
    """The tile with a mask that is 10 rows too short, which is black."""
    Image.fromarray(np.zeros((30, 60), np.uint8)).save(tmp_path / "m.png")
    levels = {"0": {**tile["mipmapLevels"]["0"], "maskUrl": f"file:{tmp_path}/m.png"}}
    return {**tile, "mipmapLevels": levels}


@pytest.mark.parametrize("engine", ["numpy", None])
def test_a_mask_of_another_size_is_an_error_with_newsolver_only(tile, masked, engine):
    plain = rendered(tile, engine)
    np.testing.assert_array_equal(rendered(masked, engine), plain)
    said = "^imageProcessor height 40 differs from maskProcessor height 30 for tile 't'$"
    with pytest.raises(rendering.RenderParametersError, match=said):
        rendered(masked, engine, compat="newsolver")
    np.testing.assert_array_equal(
        rendered(masked, engine, compat="newsolver", excludeMask=True),
        rendered(tile, engine, compat="newsolver"),
    )


def test_a_mask_of_another_size_counts_in_the_first_channel_only(tile, masked):
    first, second = ({"name": name, "mipmapLevels": tile["mipmapLevels"]} for name in "AB")
    wrong = {"name": "B", "mipmapLevels": masked["mipmapLevels"]}
    # channels of images that are no square are not averaged
    square = {"width": 60, "height": 60}
    for spec in (first, second, wrong):
        for level in spec["mipmapLevels"].values():
            path = level["imageUrl"].removeprefix("file:")
            Image.open(path).resize((60, 60)).save(path)
    more = {"channels": "A__0.5__B__0.5", "compat": "newsolver"}
    plain = rendered({**tile, **square, "channels": [first, second]}, **more)
    got = rendered({**tile, **square, "channels": [first, wrong]}, **more)
    # that there is a mask makes what no tile covers transparent, but does not darken the tile
    np.testing.assert_array_equal(got, plain)
    with pytest.raises(rendering.RenderParametersError, match="differs from maskProcessor"):
        rendered({**tile, **square, "channels": [{**wrong, "name": "A"}, second]}, **more)
