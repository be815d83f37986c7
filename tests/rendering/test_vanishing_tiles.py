"""Tiles of which nothing is left at the scale of the request: nobody sees them, nor memory in their place."""

import numpy as np
import pytest
from PIL import Image

from renderapi import rendering
from renderapi.rendering import _numpy
from renderapi.rendering._warp import Triangles

_compiled = pytest.importorskip("renderapi.rendering._compiled")

ENGINES = ("numpy", "numba")
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
HOMOGRAPHY = "mpicbg.trakem2.transform.HomographyModel2D"
both = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    Image.fromarray(np.full((1, 4000), 200, np.uint8)).save(folder / "row.png")
    Image.fromarray(np.full((4000, 1), 200, np.uint8)).save(folder / "column.png")
    Image.fromarray(np.full((128, 128), 200, np.uint8)).save(folder / "gray.png")
    Image.fromarray(np.full((128, 128, 3), 200, np.uint8)).save(folder / "colour.png")
    Image.fromarray(np.full((128, 128), 2000, np.uint16)).save(folder / "wide.png")
    return folder


def tile(folder, image="gray.png", data="1 0 0 1 0 0", size=(128, 128), name=AFFINE, mask=None, **more):
    level = {"imageUrl": str(folder / image)} | ({"maskUrl": str(folder / mask)} if mask else {})
    leaf = {"type": "leaf", "className": name, "dataString": data}
    return {
        "tileId": "t",
        "width": size[0],
        "height": size[1],
        "mipmapLevels": {"0": level},
        "transforms": {"type": "list", "specList": [leaf]},
        **more,
    }


def box(*tiles, width=4000, height=4000, scale=0.002, **more):
    document = {"x": 0, "y": 0, "width": width, "height": height, "scale": scale, "tileSpecs": list(tiles)}
    return document | more


@both
@pytest.mark.parametrize("image", ["row.png", "column.png"])
@pytest.mark.parametrize("mask", [None, "row.png"])
@pytest.mark.parametrize("binary", [False, True])
def test_no_memory_is_shown_in_place_of_a_tile(folder, engine, image, mask, binary):
    spec = tile(folder, image, "0.5 0 0 -0.5 3.3 3.7", (4000, 4000), mask=mask)
    document = box(spec, x=-100, y=-20, width=2200, height=60, scale=1, skipInterpolation=True)
    assert not rendering.render(document | {"binaryMask": binary}, engine=engine).any()


@both
def test_a_homography_that_shrinks_all_to_a_point(folder, engine):
    spec = tile(folder, data="1 0 0 0 1 0 0 0 3e9", name=HOMOGRAPHY)
    document = box(spec, width=128, height=128, scale=1, skipInterpolation=True)
    assert not rendering.render(document, engine=engine).any()


@both
@pytest.mark.parametrize("render", [rendering.render, rendering.render8, rendering.render16])
@pytest.mark.parametrize("image", ["gray.png", "colour.png", "wide.png"])
def test_an_overview_without_a_visible_tile_is_transparent(folder, engine, image, render):
    assert not render(box(tile(folder, image)), engine=engine).any()


@both
@pytest.mark.parametrize("image", ["gray.png", "colour.png"])
def test_filters_see_no_image_without_pixels(folder, engine, image):
    parameters = {"blockRadiusX": 5, "blockRadiusY": 5, "meanFactor": 3, "center": True, "stretch": True}
    name = "org.janelia.alignment.filter.NormalizeLocalContrast"
    specs = [{"className": name, "parameters": parameters}]
    document = box(tile(folder, image, maxIntensity=100), filterSpecs=specs)
    assert not rendering.render(document, engine=engine).any()


@both
def test_the_range_of_a_vanished_tile_is_not_that_of_the_others(folder, engine):
    large = tile(folder, "gray.png", "40 0 0 40 0 0")
    vanished = tile(folder, "gray.png", minIntensity=10, maxIntensity=20)
    alone = rendering.render(box(large), engine=engine)
    assert alone[..., 0].max() == 200
    assert np.array_equal(rendering.render(box(large, vanished), engine=engine), alone)


@both
def test_a_vanished_tile_does_not_choose_the_kind_of_the_canvas(folder, engine):
    large = tile(folder, "gray.png", "40 0 0 40 0 0")
    document = box(tile(folder, "colour.png", maxIntensity=50), large)
    assert np.array_equal(
        rendering.render(document, engine=engine), rendering.render(box(large), engine=engine)
    )


@both
def test_no_mesh_is_made_of_a_vanished_tile(folder, engine):
    spec = tile(folder, "column.png", "0.4 0 0 0.4 0 0", (128, 4000))
    assert not rendering.render(box(spec, width=100, height=100, scale=1), engine=engine).any()


@both
def test_a_channel_that_vanishes_leaves_the_others(folder, engine):
    channels = [
        {"name": name, "mipmapLevels": {"0": {"imageUrl": str(folder / image)}}}
        for name, image in (("A", "row.png"), ("B", "gray.png"))
    ]
    document = box(
        tile(folder, "gray.png", "0.5 0 0 0.5 0 0", channels=channels),
        width=64,
        height=64,
        scale=1,
        channels="A__0.5__B__0.5",
    )
    assert not rendering.render(document, engine=engine).any()


TRIANGLES = Triangles(np.array([[0.0, 0, 9, 0, 0, 9]]), np.array([[1.0, 0, 0, 0, 1, 0]]), False)


@pytest.mark.parametrize("brush", [_numpy, _compiled])
@pytest.mark.parametrize("shape", [(1, 0, 0), (1, 0, 5), (1, 5, 0)])
@pytest.mark.parametrize("nearest", [False, True])
def test_painters_leave_the_canvas_alone_without_source_pixels(brush, shape, nearest):
    canvas, alpha = np.full((1, 8, 8), 7, np.uint8), np.full((8, 8), 7, np.uint8)
    source = np.empty(shape, np.uint8)
    brush.paint(canvas, source, TRIANGLES, nearest)
    brush.paint_with_mask(canvas, alpha, source, None, TRIANGLES, nearest, False)
    brush.paint_with_binary_mask(canvas, alpha, source, source[0], TRIANGLES, nearest)
    assert (canvas == 7).all()
    assert (alpha == 7).all()


@pytest.mark.parametrize("brush", [_numpy, _compiled])
def test_painters_refuse_arrays_that_do_not_fit(brush):
    canvas, alpha = np.zeros((3, 8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    with pytest.raises(ValueError, match="cannot be painted on a canvas"):
        brush.paint(canvas, np.zeros((1, 5, 5), np.uint8), TRIANGLES, True)
    with pytest.raises(ValueError, match="cannot be painted on a canvas"):
        brush.paint_with_mask(canvas, alpha[:4], np.zeros((3, 5, 5), np.uint8), None, TRIANGLES, True, False)
    with pytest.raises(ValueError, match="mask of shape"):
        brush.paint_with_binary_mask(canvas, alpha, np.zeros((3, 5, 5), np.uint8), alpha, TRIANGLES, True)
