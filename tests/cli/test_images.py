"""Verbs that make images, against the embedded server."""

import numpy as np
import pytest
from PIL import Image

import renderapi
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server with two tiles of noise beside each other."""
    folder = tmp_path_factory.mktemp("images")
    tiles = []
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (60, 80), dtype=np.uint8)
        path = folder / f"{index}.png"
        Image.fromarray(pixels).save(path)
        tiles.append(
            TileSpec(
                tileId=str(index), z=1.0, width=80, height=60, imageUrl=f"file:{path}", minint=0, maxint=255,
                tforms=[AffineModel(B0=100.0 + 80 * index, B1=50.0)],
            )
        )  # fmt: skip
    with serve_background(image_roots=[folder]) as running:
        render = running.connect(owner="me", project="p", web_only=True)
        renderapi.stack.create_stack("full", render=render)
        renderapi.client.import_tilespecs("full", tiles, render=render)
        yield running


class TestRender:
    def test_a_layer_is_saved(self, run, render, tmp_path):
        path = tmp_path / "layer.png"
        assert run("render", "full", 1, "-o", path) == (
            0, f"saved z 1 of me/p/full, 160 x 60 pixels, as {path}\n", "")  # fmt: skip
        with Image.open(path) as image:
            drawn = renderapi.image.get_section_image("full", 1, render=render)
            assert np.array_equal(np.asarray(image), drawn[..., 0])

    def test_a_box_in_colour_and_at_a_scale(self, run, read, tmp_path):
        words = ["--box", 110, 60, 40, 20, "--scale", 0.5, "--colour", "--min", 0, "--max", 128, "--block", 8]
        found = read("render", "full", 1, "-o", tmp_path / "box.png", *words)
        assert (found["x"], found["width"], found["dryRun"]) == (110.0, 40.0, False)
        with Image.open(tmp_path / "box.png") as image:
            assert (image.size, image.mode) == ((20, 10), "RGB")

    def test_a_dry_run_writes_nothing(self, run, tmp_path):
        path = tmp_path / "layer.tif"
        assert run("render", "full", 1, "-o", path, "--dry-run")[1] == (
            f"would save z 1 of me/p/full, 160 x 60 pixels, as {path}\n")  # fmt: skip
        assert not path.exists()

    def test_a_file_is_written_over_only_if_that_is_wanted(self, run, tmp_path):
        path = tmp_path / "layer.png"
        path.write_text("mine")
        status, _, errors = run("render", "full", 1, "-o", path)
        assert (status, path.read_text()) == (1, "mine") and "--force" in errors
        assert run("render", "full", 1, "-o", path, "--force")[0] == 0
        assert path.read_bytes()[:4] == b"\x89PNG"

    def test_options_reach_the_library(self, run, monkeypatch, tmp_path):
        given = {}
        monkeypatch.setattr(renderapi.image, "save_section", lambda *args, **options: given.update(options))
        words = "--channel a --filter --bits16 --threads 2"
        assert run("render", "full", 1, "-o", tmp_path / "a.tif", *words.split())[0] == 0
        assert given.items() >= {
            "channel": "a", "filter": True, "img_format": "png16", "threads": 2, "gray": True, "block": 2048,
            "minIntensity": None, "x": 100.0, "width": 160.0,
        }.items()  # fmt: skip

    def test_what_cannot_be_is_an_error(self, run, tmp_path):
        assert "must end in" in run("render", "full", 1, "-o", tmp_path / "a.gif")[2]
        assert run("render", "full", 9, "-o", tmp_path / "a.png")[0] == 1
        assert run("render", "full", 1)[0] == 2
