"""Render parameters in, pixels out: both painters, every rule that the reference renders leave open."""

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from renderapi import rendering
from renderapi.rendering import _numpy
from renderapi.tilespec import TileSpec

ENGINES = ("numpy", "numba") if find_spec("numba") else ("numpy",)
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(1)
    gray = rng.integers(0, 256, (90, 120), np.uint8)
    Image.fromarray(gray).save(folder / "gray.png")
    Image.fromarray(rng.integers(0, 65536, (90, 120)).astype(np.uint16)).save(folder / "wide.png")
    Image.fromarray(rng.integers(0, 256, (90, 120, 3), np.uint8)).save(folder / "colour.png")
    Image.fromarray(rng.random((90, 120)).astype(np.float32) * 255).save(folder / "float.tif")
    mask = rng.choice(np.array([0, 1, 100, 254, 255], np.uint8), (90, 120))
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(np.full((200, 200), 100, np.uint8)).save(folder / "flat.png")
    Image.fromarray(np.tile(np.arange(128, dtype=np.uint8), (128, 1))).save(folder / "ramp.png")
    return folder


def tile(folder, image="gray.png", matrix="1 0 0 1 0 0", mask=None, size=(120, 90), **more):
    level = {"imageUrl": str(folder / image)}
    if mask:
        level["maskUrl"] = str(folder / mask)
    return {
        "tileId": "t",
        "width": size[0],
        "height": size[1],
        "mipmapLevels": {"0": level},
        "transforms": {
            "type": "list",
            "specList": [{"type": "leaf", "className": AFFINE, "dataString": matrix}],
        },
        **more,
    }


def box(*tiles, width=120, height=90, **more):
    return {"x": 0, "y": 0, "width": width, "height": height, "tileSpecs": list(tiles), **more}


def pixels(folder, name):
    return np.array(Image.open(folder / name))


# ------------------------------------------------------------------------------ both painters


numbers = st.floats(-1.5, 1.5, allow_subnormal=False)


@st.composite
def requests(draw):
    """Boxes of a few tiles of all kinds, turned, sheared, mirrored, degenerate."""
    tiles = []
    for _ in range(draw(st.integers(1, 3))):
        whole = draw(st.booleans())
        matrix = [1, 0, 0, 1] if whole else [draw(numbers) for _ in range(4)]
        shift = [draw(st.integers(-60, 60) if whole else st.floats(-60, 60)) for _ in range(2)]
        tiles.append(
            {
                "image": draw(st.sampled_from(["gray.png", "wide.png", "colour.png", "float.tif"])),
                "mask": draw(st.sampled_from([None, None, "mask.png"])),
                "matrix": " ".join(str(number) for number in [*matrix, *shift]),
                "minIntensity": draw(st.sampled_from([None, 0, 40])),
                "maxIntensity": draw(st.sampled_from([None, 200, 255, 65535])),
            }
        )
    options = {
        "scale": draw(st.sampled_from([1.0, 0.5, 0.37, 0.25, 1.7])),
        "skipInterpolation": draw(st.booleans()),
        "binaryMask": draw(st.booleans()),
        "excludeMask": draw(st.booleans()),
        "meshCellSize": draw(st.sampled_from([64.0, 16.0, 200.0])),
        "backgroundRGBColor": draw(st.sampled_from([None, 0x0080FF])),
        "x": draw(st.floats(-20, 20)),
    }
    return tiles, options


@pytest.mark.skipif(len(ENGINES) == 1, reason="compares two painters")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests())
def test_both_painters_agree_in_every_pixel(folder, request_):
    tiles, options = request_
    parameters = box(*(tile(folder, **each) for each in tiles), **options)
    for render in (rendering.render, rendering.render8, rendering.render16):
        np.testing.assert_array_equal(render(parameters, engine="numpy"), render(parameters, engine="numba"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tile_moved_by_whole_pixels_keeps_them(folder, engine):
    got = rendering.render(box(tile(folder, matrix="1 0 0 1 7 5")), engine=engine)
    np.testing.assert_array_equal(got[6:, 8:, 1], pixels(folder, "gray.png")[1:-5, 1:-7])
    assert (got[:5] == (0, 0, 0, 255)).all() and (got[:, :7] == (0, 0, 0, 255)).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("nearest", [False, True])
def test_a_coordinate_that_is_no_number_counts_as_0(folder, engine, nearest):
    # casts of the original: the columns of its triangles are 0 to 0, and what they show is the first pixel,
    # or 0 between pixels
    below = tile(folder, image="flat.png", matrix="1 0 0 1 -50 -50", size=(200, 200))
    odd = tile(folder, matrix="NaN 0 0 1 0 10")
    got = rendering.render(box(below, odd, skipInterpolation=nearest), engine=engine)[..., 0]
    first = pixels(folder, "gray.png")[0, 0]
    assert (got[10:, 0] == (first if nearest else 0)).all()
    assert (got[:10] == 100).all() and (got[:, 1:] == 100).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_coordinate_that_is_no_number_is_an_edge_without_length_in_newsolver(folder, engine):
    with pytest.raises(rendering.RenderParametersError, match="zero length triangle edge"):
        rendering.render(box(tile(folder, matrix="NaN 0 0 1 0 0")), engine=engine, compat="newsolver")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tile_one_pixel_wide_shows_the_pixels_of_the_place_it_is_drawn_at(folder, engine):
    # its triangles define no transform: that back to the image is the identity, wherever the tile lies
    Image.fromarray(np.arange(60, 150, dtype=np.uint8)[:, None]).save(folder / "thin.png")
    thin = tile(folder, image="thin.png", matrix="1 0 0 1 5 10", size=(1, 90))
    got = rendering.render(box(thin, skipInterpolation=True), engine=engine)[..., 0]
    assert got[10:90, 5].tolist() == list(range(70, 150))
    assert not got[:, :5].any() and not got[:, 6:].any()
    with pytest.raises(rendering.RenderParametersError, match="zero length triangle edge"):
        rendering.render(box(thin), engine=engine, compat="newsolver")
    above = tile(folder, image="thin.png", matrix="1 0 0 1 5 -200", size=(1, 90))
    assert not rendering.render(box(above), engine=engine, compat="newsolver")[..., 0].any()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "matrix", ["0 0 0 0 10 10", "1 0 1 0 0 0", "1e300 0 0 1e300 0 0", "1e-300 0 0 1 0 0"]
)
def test_a_collapsed_or_boundless_tile_does_no_harm(folder, matrix, engine):
    assert rendering.render(box(tile(folder, matrix=matrix)), engine=engine).shape == (90, 120, 4)


def test_many_small_triangles_are_painted_in_blocks(folder, monkeypatch):
    parameters = box(tile(folder, matrix="0.9 0.1 -0.1 0.9 10 3", mask="mask.png"), meshCellSize=6)
    whole = rendering.render(parameters, engine="numpy")
    monkeypatch.setattr(_numpy, "_BLOCK", 50)
    np.testing.assert_array_equal(rendering.render(parameters, engine="numpy"), whole)


# ------------------------------------------------------------------------------ which engine


def test_engines():
    empty = {"width": 2, "height": 2}
    with pytest.raises(ValueError, match="engine is 'java'; it must be 'numpy' or 'numba'"):
        rendering.render(empty, engine="java")


@pytest.mark.skipif(len(ENGINES) == 1, reason="needs the compiled painter")
def test_what_was_prepared_is_all_that_images_need(folder):
    from renderapi.rendering import _compiled

    rendering.prepare()
    for image in ("gray.png", "colour.png", "wide.png"):
        for options in ({}, {"binaryMask": True}, {"excludeMask": True}, {"scale": 0.5}):
            parameters = box(tile(folder, image=image, mask="mask.png"), **options)
            for draw in (rendering.render, rendering.render8, rendering.render16):
                draw(parameters, engine="numba")
    for kernel in (_compiled._paint, _compiled._paint_masked, _compiled._blend):
        assert len(kernel.signatures) == 2, kernel.signatures  # of 8 and of 16 bits
    for kernel in (_compiled._affine, _compiled._fit_triangles):
        assert len(kernel.signatures) == 1, kernel.signatures


def leave_out_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    for module in ("renderapi._compiler", "renderapi.rendering._compiled"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delattr(rendering, "_compiled", raising=False)


def test_without_numba_there_is_nothing_to_prepare(monkeypatch):
    leave_out_numba(monkeypatch)
    rendering.prepare()


def test_without_numba_numpy_paints(folder, monkeypatch):
    leave_out_numba(monkeypatch)
    parameters = box(tile(folder))
    np.testing.assert_array_equal(rendering.render(parameters), rendering.render(parameters, engine="numpy"))
    with pytest.raises(ImportError, match=r'pip install "render-python\[fast\]>=3"'):
        rendering.render(parameters, engine="numba")


# ------------------------------------------------------------------------------ documents


def test_tile_specs_may_be_objects(folder):
    document = tile(folder, z=1.0)
    np.testing.assert_array_equal(
        rendering.render(box(TileSpec(json=document))), rendering.render(box(document))
    )


def test_the_document_is_not_changed(folder):
    parameters = box(tile(folder))
    before = json.dumps(parameters)
    rendering.render(parameters)
    assert json.dumps(parameters) == before


def test_a_tile_spec_is_not_taken_for_render_parameters(folder):
    with pytest.raises(rendering.RenderParametersError, match="this is a tile spec"):
        rendering.render(tile(folder))


def test_size_is_cut_not_rounded(folder):
    assert rendering.render(box(tile(folder), width=33, height=21, scale=0.5)).shape == (10, 16, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, r"Width \(0\) and height \(90\) must be > 0"),
        ({"scale": 0.001}, r"Width \(0\) and height \(0\) must be > 0"),
        ({"scale": -1}, r"Width \(-120\) and height \(-90\) must be > 0"),
        ({"scale": float("nan")}, "scale is nan; it must be a finite number"),
        ({"width": 1e12}, "width is 1000000000000.0; that is out of range"),
        ({"scale": 1e7}, "an image of 1200000000 x 900000000 pixels is too large"),
        ({"x": "left"}, "x is 'left'; it must be a finite number"),
        ({"meshCellSize": 0}, "meshCellSize is 0.0; it must be above 0"),
        ({"meshCellSize": 1e-4}, "a mesh cell size of 0.0001 makes .* mesh cells"),
        ({"binaryMask": "perhaps"}, "binaryMask is 'perhaps'; it must be true or false"),
        ({"channels": 3}, "channels are 3; they must be a text"),
        ({"channels": "A__much"}, 'For input string: "much"'),
        (
            {"channels": "A__0.7__B__0.7"},
            r"Channel B weight 0.7 is too large.*Current weights are: \{A=0.7\}",
        ),
        ({"tileSpecs": {}}, "tileSpecs must be a JSON array"),
        ({"tileSpecs": ["t"]}, r"tileSpecs\[0\] must be a JSON object"),
        ({"tileSpecs": [{"tileId": "t"}]}, "tile 't' does not contain any mipmapLevel elements"),
        ({"tileSpecs": [{"tileId": "t", "mipmapLevels": {"a": {}}}]}, "tile t: mipmap level 'a' is no whole"),
        (
            {"tileSpecs": [{"tileId": "t", "mipmapLevels": {"-1": {}}}]},
            "tile t: mipmap level -1 is out of range",
        ),
        (
            {"tileSpecs": [{"tileId": "t", "mipmapLevels": {"0": {}}}]},
            "tile t: mipmap level 0 has no imageUrl",
        ),
        ({"tileSpecs": [{"mipmapLevels": {"0": {"imageUrl": 3}}}]}, "image 3 must be a text"),
        ({"mipmapPathBuilder": {}}, "a mipmapPathBuilder needs rootPath and extension"),
    ],
)
def test_what_cannot_be_rendered(folder, changes, message):
    with pytest.raises(rendering.RenderParametersError, match=message):
        rendering.render({**box(tile(folder)), **changes})


def test_transforms_that_cannot_be_evaluated_name_the_tile(folder):
    spec = tile(folder)
    spec["transforms"]["specList"].append({"type": "ref", "refId": "lens"})
    with pytest.raises(rendering.RenderParametersError, match=r"tile t requires .* transform ids \[lens\]"):
        rendering.render(box(spec))


def test_a_flag_may_be_a_word(folder):
    spec = tile(folder, mask="mask.png")
    np.testing.assert_array_equal(
        rendering.render(box(spec, excludeMask="true")), rendering.render(box(spec, excludeMask=True))
    )


# ------------------------------------------------------------------------------ images


def test_only_deeper_levels_are_no_source(folder):
    spec = tile(folder)
    spec["mipmapLevels"] = {"1": spec["mipmapLevels"]["0"]}
    with pytest.raises(rendering.RenderParametersError, match=r"gray\.png is level 1 but a level 0 mipmap"):
        rendering.render(box(spec))


def test_images_are_looked_for_before_anything_is_rendered(folder):
    missing = tile(folder)
    missing["mipmapLevels"]["3"] = {"imageUrl": "/nowhere/3.png"}
    with pytest.raises(rendering.ImageSourceError, match=r"cannot find imageUrl file ./nowhere/3\.png."):
        rendering.render(box(missing, x=1e6))


@pytest.mark.parametrize("pattern", [None, r"(.*/)\d+(/.*)"])
def test_mipmaps_of_a_path_builder(folder, tmp_path, pattern):
    root = tmp_path / "mipmaps"
    original = folder / "flat.png"
    if pattern is None:
        derived = root / "1" / original.relative_to("/")
        derived = derived.with_name(derived.name + ".png")
    else:
        (tmp_path / "0").mkdir()
        Image.fromarray(pixels(folder, "flat.png")).save(tmp_path / "0" / "flat.png")
        original = tmp_path / "0" / "flat.png"
        derived = tmp_path / "1" / "flat.png"
    spec = tile(folder, size=(200, 200))
    spec["mipmapLevels"]["0"] = {"imageUrl": f"file:{original}"}
    builder = {
        "rootPath": str(root),
        "numberOfLevels": 2,
        "extension": "png",
        "imageMipmapPatternString": pattern,
    }
    parameters = box(spec, width=200, height=200, scale=0.5, mipmapPathBuilder=builder)
    assert rendering.render(parameters)[50, 50, 0] == 100  # made of level 0: the other is not there
    derived.parent.mkdir(parents=True)
    Image.fromarray(np.full((100, 100), 7, np.uint8)).save(derived)
    assert rendering.render(parameters)[50, 50, 0] == 7
    # the first mipmap stands in for deeper levels that are not there
    assert rendering.render({**parameters, "scale": 0.25})[25, 25, 0] == 100
    # levels beyond the deepest are made of it
    builder["numberOfLevels"] = 1
    assert rendering.render({**parameters, "scale": 0.25})[25, 25, 0] == 7


def test_a_pattern_that_does_not_fit_derives_nothing(folder):
    builder = {"rootPath": "/", "numberOfLevels": 2, "extension": "png", "imageMipmapPatternString": "(a)(b)"}
    parameters = box(tile(folder, "flat.png", size=(200, 200)), scale=0.5, mipmapPathBuilder=builder)
    assert rendering.render(parameters)[20, 20, 0] == 100
    builder["imageMipmapPatternString"] = "("
    with pytest.raises(rendering.RenderParametersError, match="imageMipmapPatternString"):
        rendering.render(parameters)


def test_averaging_channels_needs_square_images(folder):
    levels = {"0": {"imageUrl": str(folder / "gray.png")}}
    spec = tile(folder, channels=[{"name": name, "mipmapLevels": levels} for name in "AB"])
    with pytest.raises(rendering.RenderParametersError, match="square images only, not of 120 x 90"):
        rendering.render(box(spec, channels="A__0.5__B__0.5"))


def test_16_bit_images_of_float_and_colour_sources(folder):
    values = np.floor(np.clip(pixels(folder, "float.tif").astype(float) * (65535 / 200), 0, 65535) + 0.5)
    got = rendering.render16(box(tile(folder, "float.tif", maxIntensity=200)))
    np.testing.assert_array_equal(got[1:-1, 1:-1], values[1:-1, 1:-1])
    gray = np.floor(pixels(folder, "colour.png").astype(float).sum(axis=-1) / 3 + 0.5)
    got = rendering.render16(box(tile(folder, "colour.png")))
    assert abs(got[1:-1, 1:-1] - gray[1:-1, 1:-1]).max() <= 1


# ------------------------------------------------------------------------------ noise


def test_noise_behind_the_tiles_is_uniform_and_repeatable(folder):
    parameters = box(
        tile(folder, mask="mask.png", matrix="1 0 0 1 500 0"), width=600, height=600, fillWithNoise=True
    )
    first = rendering.render(parameters)
    noise = first[:, :480, 0]
    assert (first[..., 3] == 255).all() and (first[..., 0] == first[..., 2]).all()
    assert abs(noise.mean() - 127.5) < 1 and abs(noise.std() - 73.9) < 1
    np.testing.assert_array_equal(rendering.render(parameters), first)


def test_noise_needs_a_tile():
    assert (rendering.render({"width": 4, "height": 4, "fillWithNoise": True}) == 0).all()


def test_value_to_noise_is_of_the_tile_not_of_the_box(folder):
    filters = [
        {
            "className": "org.janelia.alignment.filter.ValueToNoise",
            "parameters": {"value": "100", "min": "64", "max": "191"},
        }
    ]
    spec = tile(folder, "flat.png", size=(200, 200))
    whole = rendering.render(box(spec, width=200, height=200, filterSpecs=filters))[..., 0]
    inner = whole[:-1, :-1]
    assert inner.min() == 64 and inner.max() == 191
    assert abs(inner.mean() - 127.5) < 1 and abs(inner.std() - 36.95) < 0.7
    part = rendering.render(box(spec, width=60, height=50, filterSpecs=filters, x=30, y=40))[..., 0]
    np.testing.assert_array_equal(part, whole[40:90, 30:90])
    other = rendering.render(box({**spec, "tileId": "u"}, width=200, height=200, filterSpecs=filters))[..., 0]
    assert (other != whole).mean() > 0.9


def test_gray_of_an_image():
    colours = np.array(
        [[[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [255, 255, 255, 128]]], np.uint8
    )
    assert rendering.to_gray(colours).tolist() == [[77, 149, 29, 128]]
