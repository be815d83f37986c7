"""Layers saved as files: tiled TIFF and Zarr."""

import errno
import io
import json
import re
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import responses
from PIL import Image

from renderapi import image
from renderapi.errors import BadRequestError, NotFoundError, ServerError
from renderapi.image import _files
from renderapi.render import connect

tifffile = pytest.importorskip("tifffile")

STACK = "http://render.example:8080/render-ws/v1/owner/own/project/proj/stack/stk"
HEIGHT, WIDTH = 700, 1300
GRAY = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
COLOUR[..., 3] = 255


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


@pytest.fixture
def server():
    """Answers boxes of one large image at 10, 20, or refuses those that begin at `refused`."""
    state = {"refused": None, "version": {"stackResolutionX": 4.0, "stackResolutionY": 8.0}, "asked": []}

    def answer(request):
        x, y, width, height, scale = map(float, re.search(r"box/([^/]+)/", request.url)[1].split(","))
        column, row = int(x) - 10, int(y) - 20
        state["asked"].append((column, row))
        if (column, row) == state["refused"]:
            return 500, {}, "broken"
        source = GRAY if "16-image" in request.url else COLOUR
        file = io.BytesIO()
        step = int(1 / scale)
        part = np.ascontiguousarray(
            source[row : row + int(height) : step, column : column + int(width) : step]
        )
        Image.fromarray(part).save(file, "PNG", compress_level=0)
        return 200, {}, file.getvalue()

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(
            f"{STACK}/z/1.5/bounds",
            json={"minX": 10.0, "minY": 20.0, "maxX": 10.5 + WIDTH, "maxY": 20.0 + HEIGHT},
        )
        mock.add_callback(
            "GET", STACK, lambda request: (200, {}, json.dumps({"currentVersion": state["version"]}))
        )
        mock.add_callback("GET", re.compile(f"{STACK}/z/1.5/box/.*"), callback=answer)
        yield state


def gray_of(colour):
    weighed = (colour[..., :3].astype(int) * [77, 150, 29]).sum(axis=2) + 128
    return (weighed >> 8).astype(np.uint8)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, gray_of(COLOUR)),
        ({"gray": False}, COLOUR[..., :3]),
        ({"img_format": "png16"}, GRAY),
    ],
    ids=["gray", "colour", "16 bit"],
)
@pytest.mark.parametrize("ending", [".tif", ".tiff", ".zarr"])
def test_a_layer_is_saved_whole(server, render, tmp_path, ending, options, expected):
    if ending == ".zarr":
        zarr = pytest.importorskip("zarr")
    told = []
    path = image.save_section(
        "stk", 1.5, tmp_path / f"layer{ending}", block=300, progress=lambda *n: told.append(n), render=render,
        **options,
    )  # fmt: skip
    assert path == tmp_path / f"layer{ending}"
    assert list(tmp_path.iterdir()) == [path]
    assert told[-1] == (15, 15)
    if ending == ".zarr":
        array = zarr.open(str(path), mode="r")
        pixels, about = array[:], dict(array.attrs)
        assert about.pop("axes") == ["y", "x", "channel"][: expected.ndim]
        assert about.pop("pixel_nm") == [8.0, 4.0]
        assert array.chunks[:2] == (512, 512)
    else:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            pixels, about = page.asarray(), json.loads(page.description)
            assert page.is_tiled
            assert not file.is_bigtiff
            assert page.resolutionunit == 3
            assert [10**7 * d / n for n, d in (page.tags[282].value, page.tags[283].value)] == [4.0, 8.0]
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)
    assert about == {"stack": "stk", "z": 1.5, "x": 10.0, "y": 20.0, "scale": 1.0}


def test_a_box_of_a_layer_is_saved(server, render, tmp_path):
    server["version"] = {}
    path = image.save_section(
        "stk",
        "1.5",
        tmp_path / "a.tif",
        x=15,
        y=30,
        width=60,
        height=40.9,
        img_format="tiff16",
        render=render,
    )
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(file.asarray(), GRAY[10:50, 5:65])
        assert file.pages[0].tags[296].value == 1  # no unit
    assert server["asked"] == [(5, 10)]


def test_the_size_of_a_pixel_follows_the_scale(server, render, tmp_path):
    path = image.save_section("stk", 1.5, tmp_path / "a.tif", 0.5, 10, 20, 8, 8, render=render)
    with tifffile.TiffFile(path) as file:
        numerator, denominator = file.pages[0].tags[282].value
    assert 1e7 * denominator / numerator == 8.0


def test_it_becomes_a_BigTIFF_where_it_must(server, render, tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "_CLASSIC_TIFF", 100_000)
    with tifffile.TiffFile(image.save_section("stk", 1.5, tmp_path / "a.tif", render=render)) as file:
        assert file.is_bigtiff


def test_few_rows_of_blocks_are_held(server, render, tmp_path, monkeypatch):
    held = []
    write = _files._strips

    def watched(bands):
        for strip in write(bands):
            held.append((strip.shape, len(server["asked"])))
            yield strip

    monkeypatch.setattr(_files, "_strips", watched)
    image.save_section("stk", 1.5, tmp_path / "a.tif", block=100, threads=2, render=render)
    assert [shape for shape, _ in held] == [(512, WIDTH), (188, WIDTH)]
    assert held[0][1] <= 6 * 13 + 4


@pytest.mark.parametrize("ending", [".tif", ".zarr"])
def test_after_an_error_what_was_there_stays_and_nothing_else(server, render, tmp_path, ending):
    if ending == ".zarr":
        pytest.importorskip("zarr")
    path = tmp_path / f"layer{ending}"
    server["refused"] = (0, 600)
    for _ in range(2):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ServerError, match=r"broken\nThat was block 11 of 15"):
            image.save_section("stk", 1.5, path, block=300, render=render)
        assert sorted(tmp_path.rglob("*")) == before
        server["refused"] = None
        image.save_section("stk", 1.5, path, 0.5 if before else 1.0, 10, 20, 20, 20, render=render)
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
        server["refused"] = (0, 600)


@pytest.mark.parametrize("ending", [".tif", ".zarr"])
def test_sigterm_while_a_layer_is_written_leaves_nothing(tmp_path, ending):
    if ending == ".zarr":
        pytest.importorskip("zarr")
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import os, time
            import numpy as np
            from renderapi.image import _save
            from renderapi.render import connect

            class Blocks(_save.Boxes):
                def block(self, *box):
                    os.write(1, b"a block\\n")
                    time.sleep(0.05)
                    return np.full((512, 512), 7, np.uint8)

            _save.Boxes = Blocks
            _save.get_json = lambda session, url: {{}}
            render = connect("render.example", 8080, "own", "proj", web_only=True)
            path = {str(tmp_path / "out" / f"a{ending}")!r}
            _save.save_section("s", 1, path, x=0, y=0, width=1024, height=512 * 400, block=512, render=render)
            """
        )
    )
    (tmp_path / "out").mkdir()
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(30):
            assert process.stdout.readline() == "a block\n"
        written = [entry.name for entry in (tmp_path / "out").iterdir()]
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(20) == 128 + signal.SIGTERM
    assert len(written) == 1
    assert written[0].endswith(".part")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "pixels"),
    [({"gray": False}, COLOUR[..., :3]), ({"img_format": "png16"}, GRAY)],
)
def test_a_png_has_the_pixels_and_says_where_they_are_from(server, render, tmp_path, options, pixels):
    path = image.save_section("stk", 1.5, tmp_path / "a.png", block=512, render=render, **options)
    with Image.open(path) as opened:
        assert np.array_equal(np.asarray(opened), pixels)
        assert json.loads(opened.text["Description"])["stack"] == "stk"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_files, "_write_tiff", full)
    path = tmp_path / "a.tif"
    with pytest.raises(OSError, match=re.escape(f"No space left on device: '{path}'")) as caught:
        _files.write(path, (1, 1), iter([np.zeros((1, 1), np.uint8)]), None, {})
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("path", "options", "error", "message"),
    [
        ("a.jpg", {}, BadRequestError, "must end in .tif, .tiff, .png or .zarr"),
        ("no/a.tif", {}, FileNotFoundError, "there is no folder"),
        ("folder.tif", {}, FileExistsError, "is a folder"),
        ("folder.zarr", {}, FileExistsError, "no Zarr array"),
        ("a.tif", {"x": 1, "y": 2}, BadRequestError, "all of x, y, width and height"),
        ("a.tif", {"img_format": "gif"}, BadRequestError, "no image format"),
        ("a.tif", {"scale": 0.001, "x": 1, "y": 2, "width": 9, "height": 9}, BadRequestError, "0 x 0 pixels"),
    ],
)
def test_what_cannot_be_saved_is_refused_before_anything_is_fetched(
    server, render, tmp_path, path, options, error, message
):
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "folder.zarr").mkdir()
    with pytest.raises(error, match=message):
        image.save_section("stk", 1.5, tmp_path / path, render=render, **options)
    assert not server["asked"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("path", "module", "extra"), [("a.tif", "tifffile", "render"), ("a.zarr", "zarr", "sources")]
)
def test_a_package_that_is_missing_is_named(server, render, tmp_path, monkeypatch, path, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module}: pip install \"render-python\[{extra}\]>=3\""):
        image.save_section("stk", 1.5, tmp_path / path, render=render)


def test_a_layer_that_is_not_there(render, tmp_path):
    with responses.RequestsMock() as mock:
        mock.get(f"{STACK}/z/2/bounds", status=404, body="no stack")
        with pytest.raises(NotFoundError):
            image.save_section("stk", 2, tmp_path / "a.tif", render=render)
    assert not list(tmp_path.iterdir())
