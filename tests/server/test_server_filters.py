"""Filters of tiles and channels (``filterSpec``) on the embedded server."""

import io

import numpy as np
import pytest
import requests
from PIL import Image

from renderapi.server import serve_background

BOX = {"minX": 0.0, "minY": 0.0, "maxX": 30.0, "maxY": 20.0}
INVERT = {"className": "org.janelia.alignment.filter.Invert"}


@pytest.fixture
def stack(tmp_path):
    pixels = np.random.default_rng(5).integers(0, 256, (20, 30), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "i.png")
    levels = {"0": {"imageUrl": f"file:{tmp_path}/i.png"}}
    tile = {"tileId": "t", "z": 1.0, "width": 30, "height": 20, **BOX, "mipmapLevels": levels}
    tile = {
        **tile,
        "layout": {"sectionId": "1.0"},
        "filterSpec": {**INVERT, "parameters": {"a": 1, "b": None}},
    }
    with serve_background(image_roots=[tmp_path]) as server:
        url = f"{server.url}/v1/owner/o/project/p/stack/s"
        assert requests.post(url, json={}, timeout=60).status_code == 201
        body = {"tileIdToSpecMap": {"t": tile}, "transformIdToSpecMap": {}}
        assert requests.put(f"{url}/resolvedTiles", json=body, timeout=60).status_code == 201
        yield url, tile, pixels


def shown(url):
    answer = requests.get(url, timeout=60)
    assert answer.status_code == 200, answer.text
    return np.array(Image.open(io.BytesIO(answer.content)))[:19, :29, 0]


def test_a_filter_spec_is_kept_with_its_parameters_as_text(stack):
    url, _, _ = stack
    tile = requests.get(f"{url}/tile/t", timeout=60).json()
    assert tile["filterSpec"] == {**INVERT, "parameters": {"a": "1"}}
    found = requests.get(f"{url}/tile/t/render-parameters", timeout=60).json()
    assert found["tileSpecs"][0]["filterSpec"] == tile["filterSpec"]


def test_images_are_filtered_and_the_source_of_a_tile_is_not(stack):
    url, _, pixels = stack
    box = "z/1.0/box/0,0,29,19,1.0/png-image"
    np.testing.assert_array_equal(shown(f"{url}/{box}"), 255 - pixels[:19, :29])
    np.testing.assert_array_equal(shown(f"{url}/tile/t/source/png-image"), pixels[:19, :29])


def test_the_branch_decides_the_last_row_and_column(tmp_path):
    Image.fromarray(np.full((20, 30), 77, np.uint8)).save(tmp_path / "i.png")
    levels = {"0": {"imageUrl": f"file:{tmp_path}/i.png"}}
    tile = {"tileId": "t", "width": 30, "height": 20, "mipmapLevels": levels}
    body = {"x": 0, "y": 0, "width": 30, "height": 20, "scale": 1.0, "tileSpecs": [tile]}
    shown = {}
    for branch in ("master", "newsolver"):
        with serve_background(image_roots=[tmp_path], compat=branch) as server:
            answer = requests.put(f"{server.url}/v1/owner/o/png-image", json=body, timeout=60)
            shown[branch] = np.array(Image.open(io.BytesIO(answer.content)))[..., 0]
    assert (shown["master"][-1] == 0).all() and (shown["master"][:, -1] == 0).all()
    assert (shown["newsolver"] == 77).all()


def test_a_branch_that_is_none_is_refused():
    with pytest.raises(ValueError, match="compat is 'main'"), serve_background(compat="main"):
        pass


@pytest.mark.parametrize("wrong", ["Invert", ["Invert"]])
def test_a_filter_spec_that_is_no_object_is_refused(stack, wrong):
    url, tile, _ = stack
    body = {"tileIdToSpecMap": {"t": {**tile, "filterSpec": wrong}}, "transformIdToSpecMap": {}}
    assert requests.put(f"{url}/resolvedTiles", json=body, timeout=60).status_code == 400
