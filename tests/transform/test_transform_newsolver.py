"""Transforms that render's branch newsolver has beside those of master, against its own classes."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from renderapi.errors import SpecError
from renderapi.geometry.chains import Chains
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


# the logarithm of numpy 1 is less exact
exact_logarithms = pytest.mark.skipif(np.__version__ < "2", reason="numpy 1 has another logarithm")


@exact_logarithms
@pytest.mark.parametrize("number", range(len(SPLINES)))
def test_splines_are_mapped_bit_by_bit_where_the_branch_is_told(number):
    case = SPLINES[number]
    spline = loaded(case)
    text = spline.dataString
    spline.compat = "newsolver"
    points, wanted = numbers(case["in"]), numbers(case["out"])
    np.testing.assert_array_equal(spline.tform(points), wanted)
    # of many points at once too
    times = 2048 // len(points) + 1
    np.testing.assert_array_equal(spline.tform(np.tile(points, (times, 1))), np.tile(wanted, (times, 1)))
    assert spline.dataString == text and spline == loaded(case)


@exact_logarithms
@pytest.mark.parametrize("branch", ["master", "newsolver"])
def test_splines_of_an_image_are_those_of_its_branch(branch):
    case = SPLINES[1]
    leaf = {"type": "leaf", "className": case["className"], "dataString": case["dataString"]}
    chain = Chains(compat=branch).of_tile({"transforms": {"type": "list", "specList": [leaf]}})
    spline = loaded(case)
    spline.compat = branch
    points = numbers(case["in"])
    [step] = chain.steps
    np.testing.assert_array_equal(step.tform(points), spline.tform(points))
    assert (step.tform(points) == numbers(case["out"])).all() == (branch == "newsolver")


@pytest.mark.parametrize("number", range(len(TILES)))
def test_tile_specs_are_mapped_as_by_java(number):
    case = TILES[number]
    transforms = load_transform_json(case["tileSpec"]["transforms"])
    got = estimate_dstpts(transforms, numbers(case["in"]), reference_tforms=case.get("sharedTransforms", []))
    np.testing.assert_allclose(got, numbers(case["out"])[:, :2], rtol=1e-12, atol=1e-9)


def test_nothing_is_left_out():
    assert (len(SINGLE), len(SPLINES), len(TILES)) == (62, 8, 24)
    assert sum("error" in case for case in CASES) == 30
