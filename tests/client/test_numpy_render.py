"""Rendering into files and arrays without Java."""

import gzip
import json

import numpy as np
import pytest
import requests
import responses
from PIL import Image

import renderapi
from renderapi.client import (
    ClientArgumentError,
    materialize_renderparameters_image,
    materialize_tilespec_image,
    render_renderparameters,
    render_tilespec,
    renderClient,
    rendererClient,
    renderSectionClient,
)
from renderapi.errors import ClientScriptError, NotFoundError, RenderError, RenderWarning, SpecError
from renderapi.rendering import ImageSourceError, to_gray
from renderapi.rendering import render as rendered
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

RNG = np.random.default_rng(5)
PIXELS = RNG.integers(1, 255, (40, 60), dtype=np.uint8)
MASK = np.repeat(np.arange(40, dtype=np.uint8)[:, None] * 6, 60, axis=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("images")
    Image.fromarray(PIXELS).save(made / "a.png")
    Image.fromarray(MASK).save(made / "mask.png")
    return made


@pytest.fixture
def tile(folder):
    return TileSpec(
        tileId="a", z=1.0, width=60, height=40, minint=0, maxint=255, imageUrl=f"file:{folder}/a.png",
        tforms=[AffineModel(B0=5.5, B1=-2.25)],
    )  # fmt: skip


@pytest.fixture
def masked(folder, tile):
    document = tile.to_dict()
    document["mipmapLevels"]["0"]["maskUrl"] = f"file:{folder}/mask.png"
    return document


def parameters(*tiles, **more):
    specs = [tile if isinstance(tile, dict) else tile.to_dict() for tile in tiles]
    return {"x": 5.0, "y": -3.0, "width": 64, "height": 44, "scale": 1.0, "tileSpecs": specs, **more}


def written(path, document):
    path.write_text(json.dumps(document))
    return str(path)


def opened(path):
    with Image.open(path) as image:
        return np.array(image)


# ------------------------------------------------------------------------------ the renderer


def test_python_renders_where_no_script_is_configured(tmp_path, tile):
    specs = written(tmp_path / "tiles.json", [tile.to_dict()])
    renderClient(specs, 30, 50, None, str(tmp_path / "new" / "folder" / "o.png"), 6, -2, 16)
    expected = rendered({"x": 6, "y": -2, "width": 50, "height": 30, "meshCellSize": 16, "tileSpecs": [tile]})
    np.testing.assert_array_equal(opened(tmp_path / "new" / "folder" / "o.png"), expected)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["o.png"]


def test_the_box_has_the_size_that_java_gives_it(tmp_path, tile):
    renderClient(written(tmp_path / "tiles.json", [tile.to_dict()]), out_fn=str(tmp_path / "o.png"))
    assert opened(tmp_path / "o.png").shape == (256, 256, 4)


@pytest.mark.parametrize(
    ("ending", "options", "shape"),
    [
        ("png", {}, (44, 64, 4)), ("png", {"gray": True}, (44, 64)), ("tif", {}, (44, 64, 3)),
        ("TIFF", {"gray": True}, (44, 64, 3)), ("jpg", {"quality": 1.0}, (44, 64, 3)),
        ("jpeg", {"gray": True, "quality": 1.0}, (44, 64)),
    ],
)  # fmt: skip
def test_formats_hold_what_java_writes(tmp_path, masked, ending, options, shape):
    document = parameters(masked)
    url, out = written(tmp_path / "p.json", document), tmp_path / f"o.{ending}"
    rendererClient(parameters_url=url, out_fn=str(out), **options)
    pixels, rgba = opened(out), rendered(document)
    assert pixels.shape == shape
    if ending in ("jpg", "jpeg"):
        assert np.abs(opened(out).reshape(44, 64, -1)[..., 0].astype(int) - to_gray(rgba)).mean() < 6
    else:
        expected = to_gray(rgba) if len(shape) == 2 else rgba[..., : shape[2]]
        np.testing.assert_array_equal(pixels, expected)


def test_the_quality_of_a_jpeg(tmp_path, tile):
    url = written(tmp_path / "p.json", parameters(tile))
    for quality in (0.2, 0.9):
        rendererClient(parameters_url=url, out_fn=str(tmp_path / f"{quality}.jpg"), quality=quality)
    assert (tmp_path / "0.2.jpg").stat().st_size < (tmp_path / "0.9.jpg").stat().st_size


@pytest.mark.parametrize("out", [None, "o.gif", "o"])
def test_an_image_file_that_python_does_not_write(out):
    with pytest.raises(ClientArgumentError, match=r"out_fn|must end in one of png, jpg, jpeg, tif, tiff"):
        rendererClient(out_fn=out)


def test_options_become_render_parameters(tmp_path, masked):
    options = {
        "x": 7, "y": 1, "width": 20, "height": 10, "scale": 1.5, "minIntensity": 20, "maxIntensity": 200,
    }  # fmt: skip
    rendererClient(
        written(tmp_path / "t.json", [masked]), 10, 1, out_fn=str(tmp_path / "o.png"),
        skip_interpolation=True, binary_mask=True, background_color=0x102030, **options,
    )  # fmt: skip
    expected = rendered(
        {
            **options, "meshCellSize": 10, "minMeshCellSize": 1, "skipInterpolation": True,
            "binaryMask": True, "backgroundRGBColor": 0x102030, "tileSpecs": [masked],
        }
    )  # fmt: skip
    np.testing.assert_array_equal(opened(tmp_path / "o.png"), expected)
    rendererClient(
        written(tmp_path / "t.json", [masked]), out_fn=str(tmp_path / "o.png"), exclude_mask=True,
        do_filter=True, fill_with_noise=True, channels="none",
    )  # fmt: skip
    assert not opened(tmp_path / "o.png").any()


def test_options_and_render_parameters_are_merged_as_in_java(tmp_path, tile):
    stored = parameters(tile, scale=0.5, minIntensity=50, skipInterpolation=True, minMeshCellSize=3.0)
    url, out = written(tmp_path / "p.json", stored), str(tmp_path / "o.png")
    with pytest.warns(RenderWarning) as caught:
        rendererClient(parameters_url=url, out_fn=out, scale=1.0, x=8.0, width=64)
    assert sorted(str(warning.message) for warning in caught) == [
        "minIntensity 50 of the render parameters is not used: give minIntensity= for it "
        "(as in the Java client)",
        "minMeshCellSize 3.0 of the render parameters is not used: give minMeshCellSize= for it "
        "(as in the Java client)",
        "scale=1.0 is the default, which gives way to 0.5 of the render parameters (as in the Java client)",
    ]
    del stored["minIntensity"], stored["minMeshCellSize"]
    np.testing.assert_array_equal(opened(out), rendered({**stored, "x": 8.0}))


def test_tile_specs_of_a_url_count_where_render_parameters_have_none(tmp_path, tile):
    specs = tmp_path / "t.json.gz"
    with gzip.open(specs, "wt") as file:
        json.dump([tile.to_dict()], file)
    out = str(tmp_path / "o.png")
    empty = written(tmp_path / "p.json", parameters(tileSpecUrl=f"file://{specs}"))
    rendererClient(parameters_url=empty, out_fn=out)
    np.testing.assert_array_equal(opened(out), rendered(parameters(tile)))
    full = written(tmp_path / "q.json", parameters(tile))
    rendererClient("/not/there.json", parameters_url=f"file:{full}", out_fn=out)
    np.testing.assert_array_equal(opened(out), rendered(parameters(tile)))


def test_a_file_at_a_url_comes_with_the_credentials_of_its_server_only(tmp_path, tile):
    session = requests.Session()
    session.auth = ("user", "secret")
    render = renderapi.connect("http://render.example", 8080, "own", "proj", web_only=True, session=session)
    out = str(tmp_path / "o.png")
    with responses.RequestsMock() as server:
        for url in ("http://render.example:8080/render-ws/v1/tiles", "http://elsewhere.example/tiles"):
            server.get(url, json=[tile.to_dict()])
            rendererClient(url, out_fn=out, render=render)
        credentials = ["Authorization" in call.request.headers for call in server.calls]
        assert credentials == [True, False]
        server.get("http://elsewhere.example/none", status=404)
        with pytest.raises(NotFoundError):
            rendererClient("http://elsewhere.example/none", out_fn=out, render=render)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("[", "tile_spec_url", "is not JSON"),
        ("{}", "tile_spec_url", "must hold a JSON list of tile specs"),
        ("[]", "parameters_url", "must hold a JSON object"),
    ],
)
def test_files_that_hold_something_else(tmp_path, content, name, message):
    (tmp_path / "f.json").write_text(content)
    with pytest.raises(SpecError, match=message):
        rendererClient(out_fn="o.png", **{name: str(tmp_path / "f.json")})


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        rendererClient(str(tmp_path / "none.json"), out_fn="o.png")
    with pytest.raises(ClientArgumentError, match=r"file: and http\(s\):"):
        rendererClient("s3://bucket/tiles.json", out_fn="o.png")


def test_area_offset_is_for_java(tmp_path, tile):
    with pytest.raises(ClientArgumentError, match="only Java knows area_offset"):
        rendererClient(out_fn="o.png", area_offset=True)
    url = written(tmp_path / "p.json", parameters(tile, areaOffset=True))
    with pytest.raises(ClientArgumentError, match="only Java knows area_offset"):
        rendererClient(parameters_url=url, out_fn="o.png")


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_image_to_draw_onto(tmp_path, masked, mode):
    below = RNG.integers(0, 256, (30, 100, 3)[: 3 if mode == "RGB" else 2], dtype=np.uint8)
    Image.fromarray(below).save(tmp_path / "in.png")
    document = parameters(masked)
    url, out = written(tmp_path / "p.json", document), str(tmp_path / "o.png")
    rendererClient(parameters_url=url, in_fn=str(tmp_path / "in.png"), out_fn=out)
    pixels = opened(out)
    colours = below if below.ndim == 3 else np.dstack([below] * 3)
    assert pixels.shape == (30, 100, 4)
    assert (pixels[..., 3] == 255).all()
    np.testing.assert_array_equal(pixels[:, 64:, :3], colours[:, 64:])
    rgba = rendered(document)[:30].astype(float)
    alpha = rgba[..., 3:] / 255
    assert 0 < alpha.max() < 1
    blended = rgba[..., :3] * alpha + colours[:, :64] * (1 - alpha)
    np.testing.assert_allclose(pixels[:, :64, :3], blended, atol=1)


def test_an_image_of_one_colour_is_like_a_background(tmp_path, masked):
    Image.fromarray(np.full((44, 64, 3), (16, 32, 48), np.uint8)).save(tmp_path / "in.png")
    url, out = written(tmp_path / "p.json", parameters(masked)), str(tmp_path / "o.png")
    rendererClient(parameters_url=url, in_fn=f"file:{tmp_path}/in.png", out_fn=out)
    np.testing.assert_array_equal(opened(out), rendered(parameters(masked, backgroundRGBColor=0x102030)))


def test_an_image_to_draw_onto_has_8_bits(tmp_path, tile):
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "in.png")
    url = written(tmp_path / "p.json", parameters(tile))
    with pytest.raises(ClientArgumentError, match="must be an image of 8 bits"):
        rendererClient(parameters_url=url, in_fn=str(tmp_path / "in.png"), out_fn="o.png")


def test_an_image_of_a_tile_that_is_missing(tmp_path, tile):
    document = json.loads(json.dumps(tile.to_dict()).replace("a.png", "none.png"))
    with pytest.raises(ImageSourceError, match=r"none\.png"):
        renderClient(written(tmp_path / "t.json", [document]), out_fn=str(tmp_path / "o.png"))
    assert not (tmp_path / "o.png").exists()


def test_a_file_stays_where_the_new_one_cannot_be_written(tmp_path, tile, monkeypatch):
    (tmp_path / "o.png").write_bytes(b"old")
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda self, content: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        materialize_tilespec_image(tile, str(tmp_path / "o.png"))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("o.png", b"old")]


# ------------------------------------------------------------------------------ arrays


def test_a_tile_is_an_array_of_three_colours(tile, temporary_folder):
    array = render_tilespec(tile)
    expected = rendered(
        {"x": 5.0, "y": -2.0, "width": 60, "height": 40, "meshCellSize": 32, "tileSpecs": [tile]}
    )
    np.testing.assert_array_equal(array, expected[..., :3])
    np.testing.assert_array_equal(render_tilespec(tile.to_dict()), array)
    assert render_tilespec(tile, None, 10, 20, engine="python").shape == (10, 20, 3)
    array[0] = 0
    assert list(temporary_folder.iterdir()) == []


def test_render_parameters_are_an_array_with_alpha(masked, temporary_folder):
    document = parameters(masked)
    np.testing.assert_array_equal(render_renderparameters(document), rendered(document))
    gray = render_renderparameters(document, gray=True)
    np.testing.assert_array_equal(gray, to_gray(rendered(document)))
    assert render_renderparameters(document, scale=0.5).shape == (22, 32, 4)
    assert list(temporary_folder.iterdir()) == []


def test_an_array_may_be_a_file_too(tmp_path, tile):
    array = render_tilespec(tile, out_fn=str(tmp_path / "o.tif"))
    np.testing.assert_array_equal(opened(tmp_path / "o.tif"), array)
    np.testing.assert_array_equal(array, render_tilespec(tile))


def test_render_parameters_are_a_file(tmp_path, tile):
    materialize_renderparameters_image(parameters(tile), str(tmp_path / "o.png"), engine="python")
    np.testing.assert_array_equal(opened(tmp_path / "o.png"), rendered(parameters(tile)))


def test_the_engine_may_be_chosen(tile, script, connection, tmp_path):
    assert render_tilespec(tile, engine="python", **connection).shape == (40, 60, 3)
    assert script.calls == []
    for function, arguments in (
        (render_tilespec, (tile,)), (render_renderparameters, ({},)), (renderClient, ()), (rendererClient, ()),
        (renderSectionClient, ("stk", tmp_path, 1)),
    ):  # fmt: skip
        with pytest.raises(ClientScriptError, match="client_scripts=FOLDER"):
            function(*arguments, engine="java")
        with pytest.raises(ValueError, match="must be 'java' or 'python'"):
            function(*arguments, engine="matlab")


def test_the_branch_decides_the_last_row_and_column(tmp_path, tile):
    document = parameters(tile, x=5, y=-2)
    plain, other = (rendered(document, compat=branch) for branch in ("master", "newsolver"))
    assert (plain != other).any()
    np.testing.assert_array_equal(render_renderparameters(document, compat="newsolver"), other)
    np.testing.assert_array_equal(render_renderparameters(document), plain)
    assert (render_tilespec(tile, compat="newsolver") != render_tilespec(tile)).any()
    with pytest.raises(ClientArgumentError, match="compat is 'main'"):
        render_renderparameters(document, compat="main")


def test_the_place_of_a_computed_mask_counts(tile):
    document = tile.to_dict()
    url = "mask://outside-box?minX=0&minY=0&maxX=60&maxY=40&width=60&height=40"
    document["mipmapLevels"]["0"] |= {"maskUrl": url, "maskLoaderType": "DYNAMIC_MASK"}
    moved = parameters(document, maskMinX=30)
    np.testing.assert_array_equal(render_renderparameters(moved), rendered(moved))
    assert (rendered(moved) != rendered(parameters(document))).any()


# ------------------------------------------------------------------------------ sections


@pytest.fixture(scope="module")
def connected(folder):
    with renderapi.server.serve_background(transport="memory", image_roots=[folder]) as server:
        render = server.connect(owner="own", project="proj")
        renderapi.stack.create_stack("stk", stackResolutionX=4.0, stackResolutionY=8.0, render=render)
        renderapi.stack.create_stack("plain", force_resolution=False, render=render)
        for stack in ("stk", "plain"):
            tiles = [
                TileSpec(
                    tileId=f"t{z}", z=z, width=60, height=40, minint=0, maxint=255,
                    imageUrl=f"file:{folder}/a.png", tforms=[AffineModel(B0=5.5 + z, B1=-2.25)],
                )
                for z in (1.0, 2.5, 1234.0)
            ]  # fmt: skip
            renderapi.client.import_tilespecs(stack, tiles, render=render)
            renderapi.stack.set_stack_state(stack, "COMPLETE", render=render)
        yield render


PLAIN = {"doFilter": False, "fillWithNoise": False}


def section(render, stack="stk", z=1.0, **more):
    box = {"x": 6.0, "y": -3.0, "width": 61, "height": 41, **more}
    found = renderapi.image.get_bb_renderparams(stack, z, *box.values(), render=render)
    return found


def layer_box(render, z):
    bounds = renderapi.stack.get_bounds_from_z("stk", z, render=render)
    size = [int(bounds[f"max{axis}"] - bounds[f"min{axis}"] + 0.5) for axis in "XY"]
    return bounds["minX"], bounds["minY"], *size


def test_sections_are_files_as_java_names_them(connected, tmp_path):
    told = []
    renderSectionClient(
        "stk",
        tmp_path,
        [1, 2.5, 1234],
        scale=1,
        progress=lambda *n: told.append(n),
        render=connected,
        **PLAIN,
    )
    root = tmp_path / "proj" / "stk" / "sections_at_1.0"
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*"))
    assert files == ["000/0/1.0.png", "000/0/2.5.png", "001/2/1234.0.png"]
    assert told[-1] == (3, 3)
    for z, file in ((1, files[0]), (2.5, files[1]), (1234, files[2])):
        found = renderapi.image.get_bb_renderparams("stk", z, *layer_box(connected, z), render=connected)
        np.testing.assert_array_equal(opened(root / file), to_gray(rendered(found)))


def test_the_branch_decides_the_pixels_of_sections(connected, tmp_path):
    found = []
    for branch in ("master", "newsolver"):
        options = {"scale": 1, "customOutputFolder": branch, "compat": branch, "render": connected, **PLAIN}
        renderSectionClient("stk", tmp_path, 1, **options)
        found.append(opened(tmp_path / branch / "1.0.png"))
        document = renderapi.image.get_bb_renderparams("stk", 1, *layer_box(connected, 1), render=connected)
        np.testing.assert_array_equal(found[-1], to_gray(rendered(document, compat=branch)))
    assert (found[0] != found[1]).any()


def test_the_scale_of_sections_is_that_of_java(connected, tmp_path):
    bounds = {"minX": 0, "maxX": 1000, "minY": 0, "maxY": 500}
    renderSectionClient(
        "stk", tmp_path, 1234, bounds=bounds, padFileNamesWithZeros=True, render=connected, **PLAIN
    )
    file = tmp_path / "proj" / "stk" / "sections_at_0.02" / "001" / "2" / "01234.png"
    assert opened(file).shape == (10, 20)


@pytest.mark.parametrize(
    ("options", "file"),
    [
        ({"customOutputFolder": "here"}, "here/1.0.tif"),
        ({"customOutputFolder": "here", "customSubFolder": "sub"}, "here/sub/1.0.tif"),
    ],
)
def test_folders_of_ones_own(connected, tmp_path, options, file):
    renderSectionClient("stk", tmp_path, 1, 0.5, format="TIF", render=connected, **options, **PLAIN)
    assert opened(tmp_path / file).shape[2] == 3


def test_bounds_are_widened_and_intensities_applied(connected, tmp_path):
    bounds = {"minX": 7.5, "maxX": 29.1, "minY": 0, "maxY": 9.9}
    renderSectionClient(
        "stk", tmp_path, [1.0], 1.0, 200, 50, bounds, customOutputFolder="o", render=connected, **PLAIN
    )
    found = renderapi.image.get_bb_renderparams(
        "stk", 1, 7, 0, 23, 10, minIntensity=50, maxIntensity=200, render=connected
    )
    expected = to_gray(rendered(found))
    assert expected.shape == (10, 23)
    assert expected.max() == 255
    np.testing.assert_array_equal(opened(tmp_path / "o" / "1.0.png"), expected)


def test_the_bounds_of_the_stack(connected, tmp_path):
    renderSectionClient(
        "stk",
        tmp_path,
        [1.0, 2.5],
        0.1,
        useStackBounds=True,
        customOutputFolder="o",
        render=connected,
        **PLAIN,
    )
    bounds = renderapi.stack.get_stack_bounds("stk", render=connected)
    shape = tuple(int(0.1 * int(bounds[f"max{axis}"] - bounds[f"min{axis}"] + 0.5)) for axis in "YX")
    assert {opened(path).shape for path in (tmp_path / "o").iterdir()} == {shape}


def test_the_default_filters_are_on_unless_they_are_refused(connected, tmp_path):
    for name, options in (("filtered", {}), ("again", {}), ("plain", PLAIN)):
        renderSectionClient("stk", tmp_path, 1, 1.0, customOutputFolder=name, render=connected, **options)
    filtered, again, plain = (opened(tmp_path / name / "1.0.png") for name in ("filtered", "again", "plain"))
    np.testing.assert_array_equal(filtered, again)
    assert (filtered != plain).mean() > 0.5


def test_a_channel_and_a_filter_list(connected, tmp_path, monkeypatch):
    asked = {}

    def parameters_of(stack, z, *box, **options):
        asked.update(options)
        return section(connected)

    seen = []
    monkeypatch.setattr("renderapi.client.local.rendering.get_bb_renderparams", parameters_of)
    monkeypatch.setattr(
        "renderapi.rendering.render",
        lambda given, **options: seen.append(given) or rendered(section(connected)),
    )
    renderSectionClient(
        "stk", tmp_path, 1, 1.0, filterListName="favourite", minIntensity=3, channel="c", render=connected
    )
    assert (asked["filterListName"], asked["minIntensity"]) == ("favourite", 3)
    assert {key: seen[0][key] for key in ("channels", "doFilter", "fillWithNoise")} == {
        "channels": "c", "doFilter": True, "fillWithNoise": True,
    }  # fmt: skip


def test_the_resolution_of_a_tiff(connected, tmp_path):
    renderSectionClient(
        "stk", tmp_path, 1, 0.5, format="tif", resolutionUnit="nm", customOutputFolder="o", render=connected,
        **PLAIN,
    )  # fmt: skip
    with Image.open(tmp_path / "o" / "1.0.tif") as image:
        assert (float(image.tag_v2[282]), float(image.tag_v2[283]), image.tag_v2[296]) == (0.125, 0.0625, 1)
        assert "unit=nm" in image.tag_v2[270]
        assert image.mode == "RGB"
    with pytest.warns(RenderWarning, match="stack plain has no resolution values"):
        renderSectionClient(
            "plain", tmp_path, 1, 0.5, format="tif", resolutionUnit="nm", render=connected, **PLAIN
        )


def test_an_error_names_the_section(connected, tmp_path):
    with pytest.raises(RenderError, match=r"That was section 7\.0 of stack stk"):
        renderSectionClient("stk", tmp_path, [1, 7], 1.0, threads=1, render=connected, **PLAIN)
    with pytest.raises(NotFoundError, match=r"That was section 1\.0 of stack none"):
        renderSectionClient("none", tmp_path, [1], 1.0, render=connected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"renderTileLabels": True}, "only Java knows renderTileLabels"),
        ({"format": "gif"}, "^format is 'gif'; it must be one of png, jpg, jpeg, tif, tiff$"),
        ({"doFilter": "perhaps"}, "neither true nor false"),
        ({"minIntensity": 0.5}, "whole number"),
        ({"bounds": {}}, "bounds needs"),
    ],
)
def test_what_python_cannot_render(connected, tmp_path, options, message):
    with pytest.raises(ClientArgumentError, match=message):
        renderSectionClient("stk", tmp_path, 1, render=connected, **options)
    assert not list(tmp_path.iterdir())
