"""Every render of the original Java classes, pixel for pixel, by both painters."""

import base64
import gzip
import json
import re
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from renderapi import rendering

GOLDEN = Path(__file__).parent.parent / "data" / "golden"
# without numba, the suite shows that the package does without it
ENGINES = ("numpy", "numba") if find_spec("numba") else ("numpy",)


def _read(name):
    with gzip.open(GOLDEN / name, "rt", encoding="utf-8") as file:
        return json.load(file)


def _original():
    cases = _read("original/render.json.gz")["cases"]
    folder = (GOLDEN / "original" / "render_src").as_posix()
    for number, case in enumerate(cases):
        text = json.dumps(case["renderParameters"]).replace('"render_src/', f'"file:{folder}/')
        yield f"{case['category']} {number}", {**case, "renderParameters": json.loads(text)}


def _first():
    folder = (GOLDEN / "render").as_posix()
    for case in _read("render_cases.json.gz"):
        text = json.dumps(case["renderParameters"]).replace('"file:', f'"file:{folder}/')
        yield case["name"], {**case, "renderParameters": json.loads(text)}


ORIGINAL, FIRST = dict(_original()), dict(_first())


def expected_pixels(case):
    """Return gray (H, W) pixels, 8 or 16 bit, or RGBA ones (H, W, 4)."""
    shape = case["height"], case["width"]
    content = zlib.decompress(base64.b64decode(case["pixels"]))
    if case["format"] == "L16be":
        return np.frombuffer(content, ">u2").reshape(shape).astype(np.uint16)
    planes = np.frombuffer(content, np.uint8).reshape(-1, *shape)
    if case["format"] == "RGBA8planes":
        return np.moveaxis(planes, 0, -1)
    if case["renderer"] == "argb":
        alpha = planes[1] if case["format"] == "LA8planes" else np.full(shape, 255, np.uint8)
        return np.stack([planes[0]] * 3 + [alpha], axis=-1)
    return planes[0]


def _same_colours(got, wanted):
    # where the image is transparent its colour has no meaning
    assert got.dtype == wanted.dtype == np.uint8 and got.shape == wanted.shape
    np.testing.assert_array_equal(got[..., 3], wanted[..., 3])
    seen = wanted[..., 3] > 0
    np.testing.assert_array_equal(got[seen], wanted[seen])


def _fails_alike(error, call):
    kind, _, message = error.partition(": ")
    with pytest.raises((rendering.RenderParametersError, rendering.ImageSourceError)) as raised:
        call()
    if kind == "IllegalArgumentException":  # what a server answers; the others are accidents of the original
        assert re.sub(r"(file:)?/\S*/(render(_src)?/)", r"\2", str(raised.value)) == message


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ORIGINAL)
def test_original_render(name, engine):
    case = ORIGINAL[name]
    parameters = case["renderParameters"]
    render = {
        "argb": rendering.render,
        "argbGray": lambda *args, **options: rendering.to_gray(rendering.render(*args, **options)),
        "byte": rendering.render8,
        "short": rendering.render16,
    }[case["renderer"]]
    if "error" in case:
        _fails_alike(case["error"], lambda: render(parameters, engine=engine))
        return
    got, wanted = render(parameters, engine=engine), expected_pixels(case)
    if case["renderer"] == "argb":
        _same_colours(got, wanted)
    else:
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", FIRST)
def test_first_render(name, engine):
    case = FIRST[name]
    parameters = case["renderParameters"]
    render = rendering.render16 if case["render16bit"] else rendering.render
    if "error" in case:
        _fails_alike(case["error"], lambda: render(parameters, engine=engine))
        return
    got = render(parameters, engine=engine)
    assert got.shape[:2] == (case["height"], case["width"])
    if case["render16bit"]:
        np.testing.assert_array_equal(got, np.array(case["gray16"], np.uint16))
        return
    red, alpha = np.array(case["rgba_r"], np.uint8), np.array(case["rgba_a"], np.uint8)
    if case["r_equals_g_equals_b"]:
        _same_colours(got, np.stack([red, red, red, alpha], axis=-1))
    else:
        # of the one case over a coloured background only red is given
        np.testing.assert_array_equal(got[..., 0], red)
        np.testing.assert_array_equal(got[..., 3], alpha)


def test_nothing_is_left_out():
    assert len(ORIGINAL) == 127 and len(FIRST) == 48
    assert sum("error" in case for case in [*ORIGINAL.values(), *FIRST.values()]) == 5
