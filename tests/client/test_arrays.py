"""Images and coordinates by way of the Java clients."""

import json
import subprocess

import numpy as np
import pytest
from PIL import Image

from renderapi.client import (
    ClientArgumentError,
    local_to_world_array,
    materialize_renderparameters_image,
    materialize_tilespec_image,
    render_renderparameters,
    render_tilespec,
    world_to_local_array,
)
from renderapi.errors import ClientScriptError, RenderWarning
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel


@pytest.fixture
def tile():
    return TileSpec(
        tileId="a",
        z=1.0,
        width=10.0,
        height=8.0,
        imageUrl="file:/a.png",
        tforms=[AffineModel(B0=5.5, B1=-2.5)],
    )


@pytest.fixture
def image(tmp_path):
    """Picture that the stand-in copies to ``--out``."""
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    for ending in ("png", "tif"):
        Image.fromarray(pixels).save(tmp_path / f"picture.{ending}")
    return pixels


def keeps_input(tmp_path, option):
    return f'cp "$(value {option} "$@")" {tmp_path}/input.json\n'


def copies_picture(tmp_path):
    return f'out="$(value --out "$@")"; cp {tmp_path}/picture.${{out##*.}} "$out"\n'


# ------------------------------------------------------------------------------------------------ images


def test_a_tile_is_rendered_in_its_own_box(script, connection, tmp_path, tile, temporary_folder):
    tile.minX, tile.minY = 5.0, -2.0
    script.write(keeps_input(tmp_path, "--tile_spec_url"))
    assert materialize_tilespec_image(tile, "/o.png", **connection) is None
    words = script.only_call()[2:]
    assert words[2:] == [
        "--height", "8", "--width", "10", "--out", "/o.png", "--x", "5.0", "--y", "-2.0", "--res", "32",
    ]  # fmt: skip
    assert [spec["tileId"] for spec in json.loads((tmp_path / "input.json").read_text())] == ["a"]
    assert list(temporary_folder.iterdir()) == []


def test_a_tile_without_a_box_gets_that_of_its_transforms(script, connection, tile):
    materialize_tilespec_image(tile, "/o.png", **connection)
    assert script.only_call()[-6:] == ["--x", "5.0", "--y", "-2.0", "--res", "32"]


def test_another_box(script, connection, tile):
    materialize_tilespec_image(tile, "/o.png", 3, 4, 5, 6, res=7, **connection)
    assert script.only_call()[4:] == [
        "--height", "3", "--width", "4", "--out", "/o.png", "--x", "5", "--y", "6", "--res", "7",
    ]  # fmt: skip


def test_a_tile_without_a_size(script, connection, tile):
    tile.minX, tile.minY, tile.width = 0.0, 0.0, None
    with pytest.raises(ClientArgumentError, match="tile 'a' has no width: give width="):
        materialize_tilespec_image(tile, "/o.png", **connection)


def test_render_parameters(script, connection, tmp_path, temporary_folder):
    script.write(keeps_input(tmp_path, "--parameters_url"))
    materialize_renderparameters_image({"x": 1.0}, "/o.png", scale=0.5, **connection)
    words = script.only_call()[2:]
    assert words[:5] == ["--out", "/o.png", "--scale", "0.5", "--parameters_url"]
    assert json.loads((tmp_path / "input.json").read_text()) == {"x": 1.0}
    assert list(temporary_folder.iterdir()) == []


def test_images_are_arrays(script, connection, tmp_path, tile, image, temporary_folder):
    script.write(copies_picture(tmp_path))
    np.testing.assert_array_equal(render_tilespec(tile, **connection), image)
    np.testing.assert_array_equal(render_renderparameters({}, **connection), image)
    assert [call[call.index("--out") + 1][-4:] for call in script.calls] == [".tif", ".png"]
    assert list(temporary_folder.iterdir()) == []


def test_an_image_file_of_ones_own_stays(script, connection, tmp_path, tile, image):
    script.write(copies_picture(tmp_path))
    render_tilespec(tile, out_fn=str(tmp_path / "mine.png"), **connection)
    assert (tmp_path / "mine.png").exists()
    # also by its place, as the functions that write files take it
    render_tilespec(tile, str(tmp_path / "other.png"), **connection)
    assert (tmp_path / "other.png").exists()
    np.testing.assert_array_equal(render_tilespec(tile, None, 5, **connection), image)


@pytest.mark.parametrize("body", ["exit 0", 'echo text > "$(value --out "$@")"', 'rm "$(value --out "$@")"'])
def test_an_image_that_is_none(script, connection, tile, temporary_folder, body):
    script.write(body)
    with pytest.raises(ClientScriptError, match="wrote no image"):
        render_tilespec(tile, **connection)
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.parametrize("mode", [None, "call", "check_output"])
def test_nothing_is_left_when_the_script_fails(script, connection, tile, temporary_folder, mode):
    script.write("exit 1")
    for render, what in ((render_tilespec, tile), (render_renderparameters, {})):
        with pytest.raises(ClientScriptError, match="exit status 1"):
            render(what, subprocess_mode=mode, **connection)
    assert list(temporary_folder.iterdir()) == []


def test_streams_are_handed_on(script, connection, tile, capfd):
    script.write("echo much")
    materialize_tilespec_image(tile, "/o.png", stdout=subprocess.DEVNULL, **connection)
    materialize_renderparameters_image({}, "/o.png", stdout=subprocess.DEVNULL, **connection)
    assert capfd.readouterr().out == ""


# ------------------------------------------------------------------------------------------- coordinates


def answers(tmp_path, document):
    (tmp_path / "answer.json").write_text(json.dumps(document))
    return keeps_input(tmp_path, "--fromJson") + f'cp {tmp_path}/answer.json "$(value --toJson "$@")"'


def test_points_of_a_tile_in_the_world(script, connection, tmp_path, temporary_folder):
    world = [{"tileId": "a", "world": [11.0, 12.0, 3.0]}, {"tileId": "a", "error": "too far"}]
    script.write(answers(tmp_path, world))
    with pytest.warns(RenderWarning, match="1 of 2 points cannot be mapped: too far"):
        points = local_to_world_array("stk", [[1, 2], [3, 4]], "a", z=3.0, **connection)
    np.testing.assert_array_equal(points, [[11.0, 12.0], [np.nan, np.nan]])
    assert json.loads((tmp_path / "input.json").read_text()) == [
        [{"tileId": "a", "local": [1.0, 2.0]}],
        [{"tileId": "a", "local": [3.0, 4.0]}],
    ]
    words = script.only_call()
    assert words[10:12] == ["--z", "3.0"]
    assert words[-1] == "--localToWorld"
    assert list(temporary_folder.iterdir()) == []


def test_points_of_the_world_in_tiles(script, connection, tmp_path):
    local = [
        [
            {"tileId": "a", "local": [1.0, 2.0, 3.0]},
            {"tileId": "b", "local": [4.0, 5.0, 3.0], "visible": True},
        ],
        [{"tileId": "c", "local": [6.0, 7.0, 3.0]}],
        [{"world": [1, 2, 3], "error": "no tile"}],
        [],
    ]
    script.write(answers(tmp_path, local))
    with pytest.warns(RenderWarning, match="2 of 4 points cannot be mapped: no tile"):
        tile_ids, points = world_to_local_array("stk", np.ones((4, 2)), z=3.0, **connection)
    assert tile_ids == ["b", "c", None, None]
    np.testing.assert_array_equal(points[:2], [[4.0, 5.0], [6.0, 7.0]])
    assert np.isnan(points[2:]).all()
    assert json.loads((tmp_path / "input.json").read_text()) == [{"world": [1.0, 1.0]}] * 4


def test_z_of_each_point(script, connection, tmp_path):
    script.write(answers(tmp_path, [[{"tileId": "a", "local": [1.0, 2.0, 3.0]}]]))
    world_to_local_array("stk", [[1, 2, 3]], **connection)
    assert "--z" not in script.only_call()
    assert json.loads((tmp_path / "input.json").read_text()) == [{"world": [1.0, 2.0, 3.0]}]


def test_no_points(script, connection):
    assert local_to_world_array("stk", [], "a", **connection).shape == (0, 2)
    tile_ids, points = world_to_local_array("stk", np.empty((0, 2)), z=1, **connection)
    assert (tile_ids, points.shape) == ([], (0, 2))
    assert script.calls == []


def test_points_of_a_wrong_shape(connection):
    with pytest.raises(ClientArgumentError, match=r"shape \(N, 2\), not \(2,\)"):
        local_to_world_array("stk", [1, 2], "a", **connection)
    with pytest.raises(ClientArgumentError, match=r"\(N, 2\) or \(N, 3\), not \(1, 4\)"):
        world_to_local_array("stk", [[1, 2, 3, 4]], z=1, **connection)
    with pytest.raises(ClientArgumentError, match="needs z="):
        world_to_local_array("stk", [[1, 2]], **connection)


def test_points_leave_nothing_when_the_script_fails(script, connection, temporary_folder):
    script.write("exit 1")
    with pytest.raises(ClientScriptError):
        local_to_world_array("stk", [[1, 2]], "a", **connection)
    assert list(temporary_folder.iterdir()) == []
