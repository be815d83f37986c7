"""Every filter of the original Java classes, pixel for pixel."""

import base64
import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from renderapi.errors import SpecError
from renderapi.rendering.filters import filter_of, own_range

GOLDEN = Path(__file__).parent.parent / "data" / "golden" / "newsolver"
with gzip.open(GOLDEN / "filters.json.gz", "rt", encoding="utf-8") as file:
    CASES = json.load(file)["cases"]


def pixels(image):
    kind = {"L8": "u1", "L16be": ">u2", "F32be": ">f4"}[image["format"]]
    content = zlib.decompress(base64.b64decode(image["pixels"]))
    values = np.frombuffer(content, kind).reshape(image["height"], image["width"])
    return values.astype(values.dtype.newbyteorder("="))


def applied(case):
    image = pixels(case["input"])
    scale = float(case["scale"])
    step = filter_of(case["filterSpec"])
    return step.apply(image, *own_range(image), scale, np.random.default_rng(0))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_filter(number):
    case = CASES[number]
    if "error" not in case:
        got, wanted = applied(case), pixels(case["result"])
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)
        return
    with pytest.raises(SpecError) as raised:
        applied(case)
    kind, _, message = case["error"].partition(": ")
    if kind == "IllegalArgumentException":
        assert str(raised.value) == message


def test_nothing_is_left_out():
    assert len(CASES) == 188
    assert sum("error" in case for case in CASES) == 27
