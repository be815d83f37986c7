"""Transforms that render's branch newsolver has beside those of master, against its own classes."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from renderapi.errors import SpecError
from renderapi.transform import estimate_dstpts, load_transform_json

GOLDEN = Path(__file__).parent.parent / "data" / "golden" / "newsolver"
with gzip.open(GOLDEN / "transforms.json.gz", "rt", encoding="utf-8") as file:
    CASES = json.load(file)["cases"]
SINGLE = [case for case in CASES if case["kind"] == "leaf" and "Spline" not in case["className"]]
SPLINES = [case for case in CASES if case["kind"] == "leaf" and "Spline" in case["className"]]
TILES = [case for case in CASES if case["kind"] == "tileSpec"]


def numbers(points):
    return np.array([[float(value) for value in point] for point in points])


def loaded(case):
    document = {"type": "leaf", "className": case["className"], "dataString": case["dataString"]}
    return load_transform_json(document)


@pytest.mark.parametrize("number", range(len(SINGLE)))
def test_points_are_mapped_as_by_java(number):
    case = SINGLE[number]
    if "error" in case:
        with pytest.raises(SpecError, match=case["className"].replace(".", r"\.")):
            loaded(case)
        return
    np.testing.assert_allclose(loaded(case).tform(numbers(case["in"])), numbers(case["out"]), rtol=1e-12)


@pytest.mark.parametrize("number", range(len(SPLINES)))
def test_splines_differ_by_less_than_a_billionth_of_a_pixel(number):
    case = SPLINES[number]
    np.testing.assert_allclose(
        loaded(case).tform(numbers(case["in"])), numbers(case["out"]), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("number", range(len(TILES)))
def test_tile_specs_are_mapped_as_by_java(number):
    case = TILES[number]
    transforms = load_transform_json(case["tileSpec"]["transforms"])
    got = estimate_dstpts(transforms, numbers(case["in"]), reference_tforms=case.get("sharedTransforms", []))
    np.testing.assert_allclose(got, numbers(case["out"])[:, :2], rtol=1e-12, atol=1e-9)


def test_nothing_is_left_out():
    assert (len(SINGLE), len(SPLINES), len(TILES)) == (62, 8, 24)
    assert sum("error" in case for case in CASES) == 30
