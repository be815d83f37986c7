"""Plots of transforms, of values of pixels, and of sections as they are rendered."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from PIL import Image

from renderapi import plot, stack
from renderapi.client import import_tilespecs
from renderapi.errors import ConversionError, SpecError
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec
from renderapi.transform import (
    AffineModel,
    AffineWarpFieldTransform,
    Polynomial2DTransform,
    ReferenceTransform,
    ThinPlateSplineTransform,
    TransformList,
)
from renderapi.transform.grids import map_grid, own_box

BEND = Polynomial2DTransform(params=[[0, 1, 0, 1e-4, 0, 0], [0, 0, 1, 0, 0, 0]])


def test_a_grid_is_drawn_as_the_transform_bends_it(ax):
    assert plot.transform_grid(BEND, (0, 0, 100, 100), lines=3, ax=ax) is ax
    straight, bent = (artist for artist in ax.collections if type(artist) is LineCollection)
    assert len(straight.get_segments()) == 6 and len(bent.get_segments()) == 6 * 64
    ends = np.array(bent.get_segments())
    assert ends[..., 0].max() == pytest.approx(101) and ends[..., 0].min() == 0
    # of a straight grid that is moved as far as all points are in the mean
    moved = np.array(straight.get_segments())[0, 0, 0]
    assert moved == pytest.approx(np.mean((map_grid(BEND, (0, 0, 100, 100), 3, 65).after
                                           - map_grid(BEND, (0, 0, 100, 100), 3, 65).before)[..., 0]))  # fmt: skip
    assert bent.get_array().max() == pytest.approx(1 - moved, rel=0.05)
    assert ax.yaxis_inverted() and ax.get_aspect() == 1


def test_what_a_transform_does_can_be_exaggerated(ax):
    plot.transform_grid(BEND, (0, 0, 100, 100), exaggeration=10, straight=False, ax=ax)
    ends = np.array(ax.collections[0].get_segments())
    assert np.ptp(ends[..., 0]) == pytest.approx(110)
    assert ax.texts[0].get_text() == "displacement × 10"


def test_the_grid_of_a_tile_has_its_size_and_all_its_transforms(ax):
    tile = TileSpec("a", 1.0, 40, 20, tforms=[ReferenceTransform("shift"), AffineModel(B1=7)])
    plot.transform_grid(tile, shared_transforms=[AffineModel(B0=5, transformId="shift")], ax=ax)
    ends = np.array(ax.collections[-1].get_segments()).reshape(-1, 2)
    assert ends.min(axis=0).tolist() == [5, 7] and ends.max(axis=0).tolist() == [45, 27]


def test_what_rounding_leaves_of_a_translation_is_not_made_large_by_its_colours(ax):
    plot.transform_grid(AffineModel(B0=1e5 / 3, B1=-1e5 / 7), (0, 0, 100, 100), ax=ax)
    assert ax.collections[-1].get_clim() == (0, 1)


def test_transforms_say_for_which_pixels_they_were_made():
    field = AffineWarpFieldTransform()
    field.offsetX, field.offsetY, field.width, field.height = 50, 10, 300, 200
    spline = ThinPlateSplineTransform()
    points = np.array([[10, 20], [110, 20], [10, 220], [110, 221.0]])
    spline.estimate(points, points + 1)
    assert own_box(field) == (50, 10, 350, 210)
    assert own_box([AffineModel(), spline]) == (10, 20, 110, 221)
    assert own_box(TransformList([AffineModel()])) == (0, 0, 2048, 2048)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, np.nan, 5), (1, 2, 3)])
def test_a_box_that_is_none_is_refused(ax, box):
    with pytest.raises(ConversionError, match="minX"):
        plot.transform_grid(BEND, box, ax=ax)
    with pytest.raises(ConversionError, match="at least 2 lines"):
        plot.transform_grid(BEND, lines=1, ax=ax)


# ------------------------------------------------------------------------------ values


@pytest.fixture
def pictured(tiles, tmp_path):
    """Return tiles with images: the value of all pixels is the number of the tile, times ten."""
    for number, tile in enumerate(tiles):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((100, 100), 10 * number, np.uint8)).save(path)
        tile.update(
            mipmapLevels={"0": {"imageUrl": path.as_uri()}}, minIntensity=5, maxIntensity=60.0 + number
        )
    return tiles


def test_values_of_tiles_are_counted_and_their_ranges_marked(ax, pictured):
    assert plot.intensity_histogram(pictured[1:3], ax=ax) is ax
    assert [stairs.get_label() for stairs in ax.patches] == ["r0c1", "r0c2"]
    counts = [stairs.get_data().values for stairs in ax.patches]
    assert [(c.sum(), c.argmax()) for c in counts] == [(10_000, 0), (10_000, 10)]
    assert [(line.get_xdata()[0], line.get_label()) for line in ax.lines] == [
        (5, "minint 5"), (61, "maxint 61, far above"), (62, "maxint 62, far above"),
    ]  # fmt: skip
    assert ax.get_xlim()[1] < 30 and ax.get_yscale() == "log"


def test_pixels_may_be_given_and_colours_are_counted_apart(ax, tmp_path):
    red = np.zeros((4, 5, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(tmp_path / "red.png")
    tile = TileSpec("red", 1.0, 5, 4, imageUrl=str(tmp_path / "red.png"), maxint=255)
    plot.intensity_histogram(tile, log=False, ax=ax)
    assert [stairs.get_label() for stairs in ax.patches] == ["red red", "red green", "red blue"]
    assert ax.patches[0].get_data().values[-1] == 20


def test_floating_point_values_and_limits_have_a_histogram(ax):
    pixels = {"a": np.linspace(0, 1, 101), "b": np.array([[0.5, np.nan]])}
    plot.intensity_histogram(pixels, bins=10, limits=(0.25, 0.75), ax=ax)
    assert [stairs.get_data().values.sum() for stairs in ax.patches] == [101, 1]
    assert [line.get_xdata()[0] for line in ax.lines] == [0.25, 0.75]


def test_no_pixels_have_no_histogram(ax):
    with pytest.raises(SpecError, match="no pixel"):
        plot.intensity_histogram(np.empty((0, 5)), ax=ax)
    with pytest.raises(SpecError, match="neither tiles nor pixels"):
        plot.intensity_histogram("a.tif", ax=ax)


# ------------------------------------------------------------------------------ a section


def test_a_section_is_painted_here_with_the_outlines_of_its_tiles(ax, pictured):
    shared = AffineModel(B0=10.0, transformId="shift")
    specs = [TileSpec(json=tile) for tile in pictured]
    for spec in specs:
        spec.tforms.append(ReferenceTransform("shift"))
    assert plot.rendered_section(ResolvedTiles(specs, [shared]), names=True, ax=ax) is ax
    (image,) = ax.images
    assert image.get_extent() == [10, 290, 190, 0]
    assert image.get_array().shape[:2] == (190, 280)
    outlines = ax.collections[0]
    assert type(outlines) is PolyCollection and len(outlines.get_paths()) == 6
    assert ax.get_ylim() == (190, 0) and len(ax.texts) == 6


def test_the_image_of_a_selection_is_that_of_its_server(ax, pictured, tmp_path):
    with serve_background(image_roots=[tmp_path]) as server, server.connect(owner="o", project="p") as render:
        stack.create_stack("s", render=render)
        import_tilespecs("s", [TileSpec(json=tile) for tile in pictured], render=render)
        plot.rendered_section(stack.tiles("s", z=3, render=render), scale=0.5, outlines=False, ax=ax)
    (image,) = ax.images
    assert image.get_extent() == [0, 280, 190, 0] and image.get_array().shape[:2] == (95, 140)
    assert not ax.collections


def test_a_section_is_of_one_layer_and_of_some_tiles(ax, tiles):
    tiles[0]["z"] = 4.0
    with pytest.raises(SpecError, match="2 layers, z 3, 4"):
        plot.rendered_section(tiles, ax=ax)
    with pytest.raises(SpecError, match="no tiles"):
        plot.rendered_section([], ax=ax)


def test_a_box_of_an_image_that_is_there_already_is_kept(ax, tiles):
    plot.rendered_section(tiles, image=np.zeros((10, 20)), box=(10, 10, 210, 110), ax=ax)
    assert ax.images[0].get_extent() == [10, 210, 110, 10]
