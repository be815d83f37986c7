"""Every render of the classes of render's branch newsolver, pixel for pixel, by both painters."""

import gzip
import json
import re

import numpy as np
import pytest
from test_golden_renders import ENGINES, FIRST, GOLDEN, ORIGINAL, _same_colours, expected_pixels

from renderapi import rendering

FOLDER = GOLDEN / "newsolver"
RENDERS = {"argb": rendering.render, "byte": rendering.render8, "short": rendering.render16}


def _read(name):
    with gzip.open(FOLDER / name, "rt", encoding="utf-8") as file:
        return json.load(file)["cases"]


def _new():
    folder = (FOLDER / "render_src").as_posix()
    for number, case in enumerate(_read("render.json.gz")):
        text = json.dumps(case["renderParameters"]).replace('"render_src/', f'"file:{folder}/')
        yield f"{case['category']} {number}", {**case, "renderParameters": json.loads(text)}


NEW = dict(_new())
AGAIN = _read("master_renders.json.gz")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NEW)
def test_render(name, engine):
    case = NEW[name]

    def call():
        return RENDERS[case["renderer"]](case["renderParameters"], engine=engine, compat="newsolver")

    if "error" in case:
        with pytest.raises((rendering.RenderParametersError, rendering.ImageSourceError)) as raised:
            call()
        kind, _, message = case["error"].partition(": ")
        if kind == "IllegalArgumentException" and "from cache" not in message:
            assert re.sub(r"(file:)?/\S*/(render(_src)?/)", r"\2", str(raised.value)) == message
        elif "rootError" in case:
            # loaders are named in another way: the reason is the same
            assert case["rootError"].partition(": ")[2] in str(raised.value)
        return
    got, wanted = call(), expected_pixels(case)
    if case["renderer"] == "argb":
        _same_colours(got, wanted)
    else:
        np.testing.assert_array_equal(got, wanted)


def _of_master(entry):
    if entry["of"].startswith("original") or "original/" in entry["of"]:
        case = list(ORIGINAL.values())[entry["index"]]
        return case, case["renderer"]
    case = list(FIRST.values())[entry["index"]]
    return case, "short" if case["render16bit"] else "argb"


def _to_gray(*args, **options):
    return rendering.to_gray(rendering.render(*args, **options))


def _wanted(case):
    if "pixels" in case:
        return expected_pixels(case)
    if case["render16bit"]:
        return np.array(case["gray16"], np.uint16)
    red, alpha = np.array(case["rgba_r"], np.uint8), np.array(case["rgba_a"], np.uint8)
    return np.stack([red, red, red, alpha], axis=-1)


def _changed(wanted, entry):
    flat = wanted.reshape(-1, *wanted.shape[2:]).copy()
    for at, value in zip(entry["at"], entry["values"]):
        if wanted.ndim == 3 and not isinstance(value, list):
            flat[at] = [value, value, value, 255]
        else:
            flat[at] = value
    return flat.reshape(wanted.shape)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", range(len(AGAIN)))
def test_render_of_master_again(number, engine):
    entry = AGAIN[number]
    case, renderer = _of_master(entry)
    render = _to_gray if renderer == "argbGray" else RENDERS[renderer]

    def call():
        return render(case["renderParameters"], engine=engine, compat="newsolver")

    if "error" in entry or "error" in case:
        with pytest.raises((rendering.RenderParametersError, rendering.ImageSourceError)):
            call()
        return
    got, wanted = call(), _wanted(case)
    if not entry["same"]:
        wanted = _changed(wanted, entry)
    if got.ndim == 3 and case.get("r_equals_g_equals_b") is False:
        # of the one case over a coloured background only red and alpha are given
        got, wanted = got[..., ::3], wanted[..., ::3]
    if got.ndim == 3 and got.shape[2] == 4:
        _same_colours(got, wanted)
    else:
        np.testing.assert_array_equal(got, wanted)


def test_nothing_is_left_out():
    assert len(NEW) == 155 and len(AGAIN) == 175
    assert sum("error" in case for case in NEW.values()) == 13
