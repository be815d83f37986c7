"""Images in blocks: the arithmetic of blocks, and that they are what one request gives."""

import io
import re
import threading

import numpy as np
import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import renderapi
from renderapi import image
from renderapi.errors import BadAnswerError, BadRequestError, RenderError, ServerError, ServerUnreachableError
from renderapi.image._blocks import Grid
from renderapi.render import connect
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

STACK = "http://render.example:8080/render-ws/v1/owner/own/project/proj/stack/stk"
SCALES = [1.0, 0.5, 0.25, 1 / 3, 0.3, 0.1, 0.02, 0.9, 0.999, 1.5, 2.0, 1.7, 7.3]


# ------------------------------------------------------------------------------ arithmetic


@given(
    scale=st.one_of(st.sampled_from(SCALES), st.floats(0.01, 8)),
    width=st.integers(1, 5000),
    height=st.integers(1, 50),
    block=st.integers(8, 600),
    x=st.floats(-1e6, 1e6),
)
def test_blocks_cover_every_pixel_once(scale, width, height, block, x):
    grid = Grid(x, 0.5, width, height, scale, block)
    assert grid.shape == (int(scale * height), int(scale * width))
    assert len(list(grid)) == len(grid)
    ends = [0]
    for piece in (piece for piece in grid if piece.row == 0):
        span = piece.x
        assert span.start == ends[-1]
        ends.append(span.stop)
        asked = int(scale * span.size)
        assert span.stop - span.start <= asked <= block
        if scale <= 1:
            assert asked == span.stop - span.start
        # the block begins at a pixel of the image
        assert (span.origin - x) * scale == pytest.approx(span.start, abs=1e-4)
    if len(grid):
        assert ends[-1] == int(scale * width)


def test_sizes_and_origins_are_whole_where_they_can_be():
    for scale in (0.1, 0.02, 0.25, 0.3, 1 / 3):
        for piece in Grid(10.0, 20.0, 60_000, 10, scale, 900):
            assert piece.x.origin == round(piece.x.origin)
    assert [(p.x.origin, p.x.size) for p in Grid(0.0, 0.0, 5000, 1, 1.0, 2048)] == [
        (0.0, 2048), (2048.0, 2048), (4096.0, 904),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scale", "block", "message"),
    [(1.0, 7, "at least 8"), (20.0, 12, "at least 20"), (0.0, 99, "above 0"), (-1.0, 99, "above 0")],
)
def test_what_is_no_grid(scale, block, message):
    with pytest.raises(BadRequestError, match=message):
        Grid(0.0, 0.0, 10, 10, scale, block)


def test_an_image_without_pixels_has_no_blocks():
    with pytest.raises(BadRequestError, match="0 x 5 pixels"):
        Grid(0.0, 0.0, 0, 5, 1.0, 99).assembled(None, 1, None)


# ------------------------------------------------------------------------------ a real renderer


def montage(folder, rng, masked=False):
    """Six tiles that overlap, a bit rotated, of 8 bits."""
    tiles = []
    for number in range(6):
        height, width = (int(size) for size in rng.integers(60, 90, 2))
        coarse = rng.integers(1, 255, (height // 3 + 1, width // 3 + 1), dtype=np.uint8)
        pixels = coarse.repeat(3, 0).repeat(3, 1)[:height, :width]
        Image.fromarray(pixels).save(folder / f"{number}.png")
        angle = rng.normal(0, 0.1)
        cos, sin = 1.01 * np.cos(angle), 1.01 * np.sin(angle)
        x, y = number % 3 * 55 + rng.normal(), number // 3 * 50 + rng.normal()
        mask = {}
        if masked:
            Image.fromarray(np.full((height, width), 200, np.uint8)).save(folder / f"m{number}.png")
            mask = {"maskUrl": f"file:{folder}/m{number}.png"}
        tiles.append(
            TileSpec(
                tileId=f"t{number}", z=1.0, width=width, height=height, minint=0, maxint=255,
                imageUrl=f"file:{folder}/{number}.png", **mask,
                tforms=[AffineModel(cos, -sin, sin, cos, x, y)],
            )
        )  # fmt: skip
    return tiles


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    with renderapi.server.serve_background(transport="memory", image_roots=[folder]) as server:
        render = server.connect(owner="own", project="proj")
        for stack, masked in (("stk", False), ("masked", True)):
            (folder / stack).mkdir()
            renderapi.stack.create_stack(stack, render=render)
            tiles = montage(folder / stack, np.random.default_rng(7), masked)
            renderapi.client.import_tilespecs(stack, tiles, render=render)
            renderapi.stack.set_stack_state(stack, "COMPLETE", render=render)
        yield render


@pytest.mark.parametrize("scale", [1.0, 0.9, 0.3, 1 / 3, 0.24, 1.5, 2.0])
@pytest.mark.parametrize("stack", ["stk", "masked"])
def test_blocks_are_what_one_request_gives(served, stack, scale):
    box = (1, -20.25, -10.5, 230, 170, scale)
    whole = image.get_bb_image(stack, *box, render=served)
    in_blocks = image.get_bb_image(stack, *box, block=37, threads=2, render=served)
    assert whole.any()
    np.testing.assert_array_equal(in_blocks, whole)


@pytest.mark.parametrize("img_format", ["raw", "tif", "tiff16", "png16", "raw16"])
@pytest.mark.parametrize("gray", [False, True])
def test_every_lossless_format_may_come_in_blocks(served, img_format, gray):
    box = (1, -20, -10, 230, 170, 0.9)
    options = {"img_format": img_format, "gray": gray, "render": served}
    whole = image.get_bb_image("stk", *box, **options)
    in_blocks = image.get_bb_image("stk", *box, block=50, **options)
    assert in_blocks.dtype == whole.dtype
    np.testing.assert_array_equal(in_blocks, whole)


def test_where_there_is_no_tile_is_black_or_transparent_as_in_one_image(served):
    # the last columns of blocks have no tile at all
    whole = image.get_bb_image("stk", 1, 0, 0, 400, 100, render=served)
    in_blocks = image.get_bb_image("stk", 1, 0, 0, 400, 100, block=40, render=served)
    assert (whole[..., 3] == 255).all()
    np.testing.assert_array_equal(in_blocks, whole)
    empty = image.get_bb_image("stk", 1, 1000, 0, 400, 100, block=40, render=served)
    assert not empty.any()
    masked = image.get_bb_image("masked", 1, 0, 0, 400, 100, block=40, render=served)
    assert not masked[:, -40:].any()


def test_formats_of_the_server_hold_the_same_pixels(served):
    box = ("stk", 1, -5, -5, 100, 80)
    png, raw, tif, gray = (
        image.get_bb_image(*box, img_format=form, gray=form == "jpg", render=served)
        for form in ("png", "raw", "tif", "jpg")
    )
    assert png.shape == (80, 100, 4)
    np.testing.assert_array_equal(raw, png)
    np.testing.assert_array_equal(tif, png[..., :3])
    assert gray.shape == (80, 100)
    deep = [image.get_bb_image(*box, img_format=form, render=served) for form in ("raw16", "png16", "tiff16")]
    assert all(pixels.dtype == np.uint16 and pixels.dtype.isnative for pixels in deep)
    for pixels in deep:
        np.testing.assert_array_equal(pixels, png[..., 0])


# ------------------------------------------------------------------------------ requests


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


def encoded(height, width):
    file = io.BytesIO()
    Image.fromarray(np.full((height, width), 9, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def answers():
    """A server that answers boxes; what it was asked for, and what should be refused."""
    asked, refused = [], {}
    lock = threading.Lock()

    def answer(request):
        x, y, width, height, scale = map(float, re.search(r"box/([^/]+)/", request.url)[1].split(","))
        with lock:
            asked.append((x, y, width, height))
        if (x, y) in refused:
            return refused[x, y]
        return 200, {"Content-Type": "image/png"}, encoded(int(scale * height), int(scale * width))

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_callback("GET", re.compile(f"{STACK}/z/.*"), callback=answer)
        yield asked, refused


def test_a_box_that_is_no_larger_is_one_request(answers, render):
    asked, _ = answers
    pixels = image.get_bb_image("stk", 1, 3, 4, 20, 10, block=20, progress=pytest.fail, render=render)
    assert pixels.shape == (10, 20)
    assert asked == [(3, 4, 20, 10)]


def test_blocks_are_asked_for_with_all_options(answers, render):
    asked, _ = answers
    told = []
    pixels = image.get_bb_image(
        "stk", 1, 3, 4, 50, 20, 0.5, "c", 1, 2, True, False, 9, block=10,
        progress=lambda done, total: told.append((done, total)), render=render,
    )  # fmt: skip
    assert pixels.shape == (10, 25)
    assert sorted(asked) == [(3, 4, 20, 20), (23, 4, 20, 20), (43, 4, 10, 20)]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_bar_of_tqdm(answers, render, capsys):
    pytest.importorskip("tqdm")
    image.get_bb_image("stk", 1, 3, 4, 50, 20, block=10, progress=True, render=render)
    assert "fetching blocks" in capsys.readouterr().err


def test_an_error_names_the_block_and_ends_it(answers, render):
    asked, refused = answers
    refused[10, 0] = (500, {}, "broken")
    box = ("stk", 1, 0, 0, 10_000, 10)
    with pytest.raises(
        ServerError, match=r"broken\nThat was block 2 of 1000 \(row 1 of 1, column 2"
    ) as caught:
        image.get_bb_image(*box, block=10, render=render)
    assert caught.value.status_code == 500
    assert len(asked) < 30
    error = image.get_bb_image(*box, block=10, errors="return", render=render)
    assert type(error) is RenderError
    assert "block 2 of 1000" in str(error)


def test_a_server_that_is_gone_is_no_render_error(render):
    with responses.RequestsMock(), pytest.raises(ServerUnreachableError, match="block 1 of 4"):
        image.get_bb_image("stk", 1, 0, 0, 20, 20, block=10, threads=1, render=render)


def test_an_answer_of_another_size_is_refused(answers, render):
    _, refused = answers
    refused[10, 0] = (200, {"Content-Type": "image/png"}, encoded(10, 9))
    with pytest.raises(BadAnswerError, match=r"image of 10 x 10 pixels \(the image has 9 x 10\)"):
        image.get_bb_image("stk", 1, 0, 0, 30, 10, block=10, render=render)


@pytest.mark.parametrize(("name", "value"), [("block", "wide"), ("block", 0), ("scale", "big"), ("x", None)])
def test_numbers_that_are_none_are_refused_before_anything_is_sent(render, name, value):
    options = {"x": 0, "scale": 1.0, "block": 10, name: value}
    with responses.RequestsMock(), pytest.raises(ValueError):
        image.get_bb_image("stk", 1, y=0, width=20, height=20, render=render, **options)


def test_an_image_larger_than_the_memory_says_what_to_do(monkeypatch):
    def full(*args):
        raise MemoryError("Unable to allocate")

    grid = Grid(0, 0, 300, 300, 1.0, 100)
    with pytest.raises(MemoryError, match=r"300 x 300 pixels .*save_section") as caught:
        monkeypatch.setattr("renderapi.image._blocks.np.empty", full)
        grid.assembled(lambda x, y, width, height: np.zeros((height, width), np.uint8), 1, None)
    monkeypatch.undo()
    assert "Unable to allocate" in str(caught.value)
