"""Images: formats, pixels, what is asked of the server, and what is no image."""

import io
import pickle
import random
import re
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import requests
import responses
from PIL import Image

from renderapi import image
from renderapi.errors import (
    BadAnswerError,
    NotFoundError,
    RenderError,
    ServerOutOfMemoryError,
    ServerUnreachableError,
    SpecError,
)
from renderapi.image import _formats
from renderapi.image._formats import Wanted
from renderapi.render import connect
from renderapi.tilespec import TileSpec

ROOT = "http://render.example:8080/render-ws/v1/owner/own"
STACK = f"{ROOT}/project/proj/stack/stk"
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 4), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (5, 4), dtype=np.uint16)

#: Every function that gives pixels, with its arguments and the path before the format.
FETCHERS = [
    (image.get_tile_image_data, ("stk", "t"), "/project/proj/stack/stk/tile/t"),
    (image.get_bb_image, ("stk", 1, 0, 0, 4, 5), "/project/proj/stack/stk/z/1/box/0,0,4,5,1.0"),
    (image.get_section_image, ("stk", 1), "/project/proj/stack/stk/z/1"),
    (image.get_renderparameters_image, ({"tileSpecs": []},), ""),
]


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


@pytest.fixture
def server():
    with responses.RequestsMock() as mock:
        yield mock


def encoded(pixels, form="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def big_endian_tiff(pixels):
    """As ImageJ writes 16-bit images: big-endian, uncompressed, one strip."""
    height, width = pixels.shape
    strip = pixels.astype(">u2").tobytes()
    entries = [(256, 4, width), (257, 4, height), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 0),
               (277, 3, 1), (278, 4, height), (279, 4, len(strip))]  # fmt: skip
    start = 8 + 2 + 12 * len(entries) + 4
    directory = len(entries).to_bytes(2, "big")
    for tag, kind, value in entries:
        value = start if tag == 273 else value
        content = value.to_bytes(4, "big") if kind == 4 else value.to_bytes(2, "big") + b"\0\0"
        directory += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + (1).to_bytes(4, "big") + content
    return b"MM\0*" + (8).to_bytes(4, "big") + directory + b"\0" * 4 + strip


def received(content):
    response = requests.Response()
    response.status_code, response.url, response._content = 200, STACK, content
    return response


def answer(server, body, status=200, content_type="image/png"):
    for method in ("GET", "PUT"):
        server.add(method, re.compile(f"{ROOT}/.*"), body=body, status=status, content_type=content_type)
    server.assert_all_requests_are_fired = False


# ------------------------------------------------------------------------------ formats


@pytest.mark.parametrize(
    ("img_format", "endpoint"),
    [
        (None, "png-image"), ("png", "png-image"), (".png", "png-image"), ("PNG", "png-image"),
        ("jpg", "jpeg-image"), (".jpg", "jpeg-image"), ("jpeg", "jpeg-image"), (".jpeg", "jpeg-image"),
        ("tif", "tiff-image"), (".tif", "tiff-image"), ("tiff", "tiff-image"), (".tiff", "tiff-image"),
        ("tiff16", "tiff16-image"), (".tiff16", "tiff16-image"),
        ("png16", "png16-image"), (".png16", "png16-image"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_every_format_has_its_endpoint(server, render, function, arguments, path, img_format, endpoint):
    answer(server, encoded(PIXELS))
    function(*arguments, img_format=img_format, render=render)
    assert server.calls[0].request.url.partition("?")[0] == f"{ROOT}{path}/{endpoint}"


@pytest.mark.parametrize("img_format", ["gif", "", 5, ["png"]])
@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_an_unknown_format_lists_the_known_ones(server, render, function, arguments, path, img_format):
    with pytest.raises(ValueError, match="there are png, jpg, jpeg, tif, tiff, tiff16, png16, raw, raw16"):
        function(*arguments, img_format=img_format, errors="return", render=render)
    assert not server.calls


@pytest.mark.parametrize("img_format", ["raw", ".raw", "raw16"])
@pytest.mark.parametrize(("function", "arguments", "path"), [FETCHERS[0], *FETCHERS[2:]])
def test_raw_images_are_refused_where_their_size_is_not_known(
    server, render, function, arguments, path, img_format
):
    with pytest.raises(ValueError, match=rf"no {img_format} image of .*, only of a box \(get_bb_image\)"):
        function(*arguments, img_format=img_format, render=render)
    assert not server.calls


@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_a_format_that_render_ws_has_no_path_for_is_explained(server, render, function, arguments, path):
    answer(server, "HTTP 404 Not Found", 404, "text/plain")
    with pytest.raises(NotFoundError) as caught:
        function(*arguments, img_format="png16", render=render)
    hint = "render-ws 4 has no png16-image of "
    assert (hint in str(caught.value)) == (function is not image.get_bb_image)
    assert (caught.value.status_code, caught.value.server_text) == (404, "HTTP 404 Not Found")
    with pytest.raises(NotFoundError) as caught:
        function(*arguments, render=render)
    assert hint not in str(caught.value)


# ------------------------------------------------------------------------------ pixels


@pytest.mark.parametrize(
    ("content", "pixels"),
    [
        (encoded(PIXELS), PIXELS),
        (encoded(PIXELS[..., :3]), PIXELS[..., :3]),
        (encoded(PIXELS[..., 0]), PIXELS[..., 0]),
        (encoded(PIXELS[..., :3], "TIFF"), PIXELS[..., :3]),
        (encoded(PIXELS[..., 0], "TIFF", compression="packbits"), PIXELS[..., 0]),
        (encoded(DEEP), DEEP),
        (encoded(DEEP, "TIFF"), DEEP),
        (big_endian_tiff(DEEP), DEEP),
    ],
    ids=["rgba", "rgb", "gray", "tiff-rgb", "tiff-gray", "png16", "tiff16", "tiff16-big-endian"],
)
@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_pixels_come_as_they_are_stored(server, render, function, arguments, path, content, pixels):
    answer(server, content)
    fetched = function(*arguments, render=render)
    assert fetched.dtype == pixels.dtype
    assert fetched.dtype.isnative
    np.testing.assert_array_equal(fetched, pixels)
    fetched[0] = 0  # a new array that belongs to the caller


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_raw_images_get_their_shape_from_the_request(server, render, scale):
    argb = np.roll(PIXELS, 1, axis=2).tobytes()
    answer(server, argb, content_type="application/octet-stream")
    box = ("stk", 1, 0, 0, 4 / scale, 5 / scale, scale)
    pixels = image.get_bb_image(*box, img_format="raw", render=render)
    np.testing.assert_array_equal(pixels, PIXELS)
    pixels[0] = 0
    server.reset()
    answer(server, DEEP.astype(">u2").tobytes(), content_type="application/octet-stream")
    deep = image.get_bb_image(*box, img_format="raw16", gray=True, render=render)
    assert deep.dtype == np.uint16
    assert deep.dtype.isnative
    np.testing.assert_array_equal(deep, DEEP)
    with pytest.raises(BadAnswerError, match=r"not a raw image of 4 x 5 pixels \(it would have 80 bytes\)"):
        image.get_bb_image(*box, img_format="raw", render=render)


SOME_COLOURS = np.array([[[10, 20, 30], [255, 255, 255]], [[0, 0, 0], [200, 100, 50]]], np.uint8)
SAME_GRAY = np.array([[18, 255], [0, 124]], np.uint8)


@pytest.mark.parametrize(
    ("pixels", "gray"),
    [
        (SOME_COLOURS, SAME_GRAY),
        (np.dstack([SOME_COLOURS, np.full((2, 2), 255, np.uint8)]), SAME_GRAY),
        (PIXELS[..., :1].repeat(3, axis=2), PIXELS[..., 0]),
        (np.dstack([PIXELS[..., :1].repeat(3, axis=2), np.full((5, 4), 255, np.uint8)]), PIXELS[..., 0]),
        (np.full((1, 1, 4), (200, 200, 200, 128), np.uint8), [[100]]),
        (np.full((1, 1, 4), (200, 200, 200, 0), np.uint8), [[0]]),
        (PIXELS[..., 0], PIXELS[..., 0]),
        (DEEP, DEEP),
    ],
    ids=["rgb", "rgba", "gray rgb", "gray rgba", "half", "transparent", "gray", "16 bit"],
)
@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_gray_gives_one_channel_of_anything(
    server, render, monkeypatch, function, arguments, path, pixels, gray
):
    monkeypatch.setattr(_formats, "_GRAY_PIXELS", 6)
    answer(server, encoded(pixels))
    fetched = function(*arguments, gray=True, render=render)
    assert fetched.dtype == pixels.dtype
    np.testing.assert_array_equal(fetched, gray)


@pytest.mark.parametrize("shape", [(16, 24, 3), (16, 24)])
def test_jpeg_is_decoded(server, render, shape):
    flat = np.full(shape, 200, np.uint8)
    answer(server, encoded(flat, "JPEG"), content_type="image/jpeg")
    fetched = image.get_bb_image("stk", 1, 0, 0, 24, 16, img_format="jpg", render=render)
    assert fetched.shape == shape
    assert np.abs(fetched.astype(int) - 200).max() <= 2


def test_png_of_16_bits_is_uint16_with_any_pillow(monkeypatch):
    # Pillow before 10.3 opens it with 32 bits
    class OldPng(Image.Image):
        format = "PNG"

    old = OldPng()
    old.__dict__.update(Image.fromarray(DEEP.astype(np.int32)).__dict__)
    monkeypatch.setattr(_formats, "_opened", lambda content: old)
    pixels = Wanted.like("png16", "a box").decoded(received(b""))
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, DEEP)


@pytest.mark.parametrize(
    "content",
    [
        encoded(np.zeros((300, 400), np.uint8)),
        encoded(np.zeros((300, 400, 3), np.uint8), "JPEG"),
        encoded(np.zeros((300, 400, 3), np.uint8), "TIFF"),
        big_endian_tiff(np.zeros((300, 400), np.uint16)),
    ],
    ids=["png", "jpeg", "tiff", "tiff16"],
)
def test_a_large_box_is_no_attack_and_the_limit_of_the_program_stays(server, render, monkeypatch, content):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    answer(server, content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetched = image.get_bb_image("stk", 1, 0, 0, 400, 300, render=render)
    assert fetched.shape[:2] == (300, 400)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_header_that_claims_the_impossible_takes_no_memory(server, render):
    content = bytearray(encoded(PIXELS, "TIFF"))
    width = content.index((256).to_bytes(2, "little")) + 8
    content[width : width + 4] = (4_000_000).to_bytes(4, "little")
    answer(server, bytes(content))
    with pytest.raises(BadAnswerError, match="4000000 x 5 pixels cannot be in"):
        image.get_bb_image("stk", 1, 0, 0, 4, 5, render=render)


def test_importing_the_module_does_not_load_pillow():
    code = "import sys, renderapi.image; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------------------------ what is asked for


def test_the_box_is_exact_in_the_url(server, render):
    answer(server, encoded(PIXELS))
    image.get_bb_image("stk", 1.5, 10.25, -0.1, np.float64(300.0), 400, np.float32(0.125), render=render)
    server.get(re.compile(f"{STACK}/z/.*/render-parameters"), json={"tileSpecs": []})
    image.get_bb_renderparams("stk", "1.5", 1e-7, 2, 300.9, 400, 1 / 3, render=render)
    assert [call.request.url.removeprefix(STACK) for call in server.calls] == [
        "/z/1.5/box/10.25,-0.1,300,400,0.125/png-image",
        f"/z/1.5/box/1e-07,2,300,400,{1 / 3!r}/render-parameters",
    ]


@pytest.mark.parametrize("width", [float("nan"), float("inf"), None, "wide"])
def test_a_size_that_is_no_number_is_refused_before_anything_is_sent(server, render, width):
    with pytest.raises(ValueError, match=r"width is .*; it must be a number of pixels"):
        image.get_bb_image("stk", 1, 0, 0, width, 5, render=render)


@pytest.mark.parametrize("name", ["scale", "minIntensity", "maxIntensity"])
def test_an_option_that_is_no_number_is_refused_before_anything_is_sent(server, render, name):
    for function, arguments, _ in FETCHERS[:3]:
        with pytest.raises(ValueError, match="finite number is needed"):
            function(*arguments, **{name: float("nan")}, render=render)
    assert not server.calls


def test_tile_ids_are_quoted(server, render):
    answer(server, encoded(PIXELS))
    image.get_tile_image_data("stk", "a b/c?d", render=render)
    assert server.calls[0].request.url.partition("?")[0] == f"{STACK}/tile/a%20b%2Fc%3Fd/png-image"


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, {"normalizeForMatching": "true", "excludeAllTransforms": "false"}),
        ({"normalizeForMatching": False, "excludeAllTransforms": None}, {}),
        (
            {"channel": "A__0.5__B__0.5", "normalizeForMatching": None, "excludeAllTransforms": True,
             "scale": 0.1, "minIntensity": 0, "maxIntensity": np.float64(65535), "filter": False},
            {"channels": "A__0.5__B__0.5", "excludeAllTransforms": "true", "scale": "0.1",
             "minIntensity": "0", "maxIntensity": "65535.0", "filter": "false"},
        ),
    ],
)  # fmt: skip
def test_options_of_a_tile_image(server, render, options, query):
    answer(server, encoded(PIXELS))
    image.get_tile_image_data("stk", "t", **options, render=render)
    assert server.calls[0].request.params == query


def test_options_of_a_box_and_a_layer(server, render):
    answer(server, encoded(PIXELS))
    image.get_bb_image("stk", 1, 0, 0, 4, 5, 1.0, "c", 1, 2, False, True, 9, render=render)
    assert server.calls[0].request.params == {
        "channels": "c", "minIntensity": "1", "maxIntensity": "2", "binaryMask": "false", "filter": "true",
        "maxTileSpecsToRender": "9",
    }  # fmt: skip
    image.get_section_image("stk", 1, filter=None, render=render)
    assert server.calls[1].request.params == {"scale": "1.0", "filter": "false"}


def test_labels_of_render_parameters_may_be_one_or_several(server, render):
    server.get(f"{STACK}/tile/t/render-parameters", json={"x": 0.0})
    parameters = image.get_tile_renderparams(
        "stk", "t", excludeTransformsAfterLast=["a", "b"], excludeFirstTransformAndAllAfter="c", width=10.0,
        height=20, filter=False, render=render,
    )  # fmt: skip
    assert parameters == {"x": 0.0}
    assert server.calls[0].request.params == {
        "excludeTransformsAfterLast": ["a", "b"], "excludeFirstTransformAndAllAfter": "c", "width": "10",
        "height": "20", "filter": "False",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("function", "arguments", "path"),
    [
        (image.get_tile_renderparams, ("stk", "t"), "tile/t"),
        (image.get_bb_renderparams, ("stk", 1, 0, 0, 4, 5), "z/1/box/0,0,4,5,1.0"),
        (image.get_section_renderparams, ("stk", 1), "z/1"),
    ],
)
def test_render_parameters(server, render, function, arguments, path):
    server.get(f"{STACK}/{path}/render-parameters", json={"tileSpecs": [], "width": 4})
    assert function(*arguments, render=render) == {"tileSpecs": [], "width": 4}
    server.replace("GET", f"{STACK}/{path}/render-parameters", status=404, body="does not exist")
    with pytest.raises(NotFoundError):
        function(*arguments, render=render)


def test_render_parameters_may_hold_tile_specs(server, render):
    answer(server, encoded(PIXELS))
    tile = TileSpec(tileId="t", z=1.0, width=4, height=5)
    image.get_renderparameters_image({"tileSpecs": [tile], "scale": np.float32(0.5)}, render=render)
    assert b'"tileId":"t"' in server.calls[0].request.body
    with pytest.raises(SpecError, match="scale is nan"):
        image.get_renderparameters_image({"scale": np.nan}, errors="return", render=render)


# ------------------------------------------------------------------------------ what is no image


@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_a_refusal_raises(server, render, function, arguments, path):
    answer(server, "Java heap space", 500, "text/plain")
    with pytest.raises(ServerOutOfMemoryError, match="Java heap space"):
        function(*arguments, render=render)


NO_IMAGES = {
    "html": b"<html><title>log in</title></html>",
    "empty": b"",
    "text": b"tile spec with id 't' does not exist",
    "truncated png": encoded(PIXELS)[:60],
    "header of a png": encoded(PIXELS)[:20],
    "truncated jpeg": encoded(np.zeros((64, 64, 3), np.uint8), "JPEG")[:200],
    "truncated tiff": big_endian_tiff(DEEP)[:-10],
    "header of a tiff": b"MM\0*",
}


@pytest.mark.parametrize("content", NO_IMAGES.values(), ids=NO_IMAGES)
@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_an_answer_that_is_no_image_raises(server, render, function, arguments, path, content):
    answer(server, content)
    with pytest.raises(BadAnswerError, match="not an image") as caught:
        function(*arguments, render=render)
    assert caught.value.status_code == 200
    assert len(str(caught.value)) < 2048


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_garbled_images_are_bad_answers_and_nothing_else(form):
    options = {"compression": "raw"} if form == "TIFF" else {}
    content = encoded(np.random.default_rng(2).integers(0, 256, (40, 30, 3), dtype=np.uint8), form, **options)
    chance = random.Random(3)
    outcomes = set()
    for _ in range(400):
        garbled = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            garbled[chance.randrange(4, chance.choice([60, len(garbled)]))] = chance.randrange(256)
        response = received(bytes(garbled[: chance.choice([len(garbled), chance.randrange(len(garbled))])]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcomes.add(type(Wanted.like("png", "a box").decoded(response)))
            except BadAnswerError:
                outcomes.add(BadAnswerError)
    assert BadAnswerError in outcomes
    assert outcomes <= {np.ndarray, BadAnswerError}


def test_a_large_answer_that_is_no_image_is_refused_at_once(server, render):
    answer(server, random.Random(4).randbytes(4_000_000), content_type="application/octet-stream")
    start = time.process_time()
    with pytest.raises(BadAnswerError) as caught:
        image.get_bb_image("stk", 1, 0, 0, 4, 5, render=render)
    assert time.process_time() - start < 2
    assert len(caught.value.server_text) <= 2000


@pytest.mark.parametrize(
    ("status", "content"),
    [(500, b"Java heap space"), (404, b"does not exist"), (200, b"no image"), (204, b"")],
)
@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_errors_may_be_given_back_as_exactly_a_RenderError(
    server, render, function, arguments, path, status, content
):
    answer(server, content, status, "text/plain")
    error = function(*arguments, errors="return", render=render)
    assert type(error) is RenderError
    assert error.status_code == status
    assert error.server_text == content.decode()
    assert content.decode() in str(error)
    assert isinstance(error.__cause__, RenderError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_connection_may_say_what_to_do_with_errors(server, render):
    answer(server, b"no image")
    assert (
        type(image.get_bb_image("stk", 1, 0, 0, 4, 5, render=render.options(errors="return"))) is RenderError
    )
    with pytest.raises(BadAnswerError):
        image.get_bb_image("stk", 1, 0, 0, 4, 5, errors="raise", render=render.options(errors="return"))


def test_an_image_is_given_as_always_where_errors_are_returned(server, render):
    answer(server, encoded(PIXELS))
    fetched = image.get_bb_image("stk", 1, 0, 0, 4, 5, errors="return", render=render)
    np.testing.assert_array_equal(fetched, PIXELS)


def test_an_unknown_error_mode_is_refused(server, render):
    with pytest.raises(ValueError, match="'raise' or 'return'"):
        image.get_bb_image("stk", 1, 0, 0, 4, 5, errors="ignore", render=render)


@pytest.mark.parametrize("errors", ["raise", "return"])
@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_no_connection_always_raises(server, render, function, arguments, path, errors):
    answer(server, requests.exceptions.ConnectionError("refused"))
    with pytest.raises(ServerUnreachableError):
        function(*arguments, errors=errors, render=render)


@pytest.mark.parametrize(("function", "arguments", "path"), FETCHERS)
def test_images_come_through_the_callers_session(server, function, arguments, path):
    answer(server, encoded(PIXELS))
    session = requests.Session()
    session.auth = ("user", "secret")
    project = {} if function is image.get_renderparameters_image else {"project": "proj"}
    at = {"host": "http://render.example", "port": 8080, "owner": "own", **project}
    function(*arguments, session=session, **at)
    assert "Authorization" in server.calls[0].request.headers
