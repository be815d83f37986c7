"""Every transform class against the original Java classes."""

import copy
import gzip
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from renderapi.errors import SpecError
from renderapi.geometry import bounding_boxes
from renderapi.tilespec import TileSpec
from renderapi.transform import Transform, estimate_dstpts, load_transform_json

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
# classes whose mathematical functions may differ in the last place between libraries
TRANSCENDENTAL = (
    "RigidModel2D",
    "NonLinearCoordinateTransform",
    "MovingLeastSquaresTransform2",
    "ThinPlateSplineTransform",
    "ExponentialFunctionOffsetTransform",
    "ExponentialRecoveryOffsetTransform",
    "SEMDistortionTransformA",
)


def cases(name):
    with gzip.open(GOLDEN / "original" / f"{name}.json.gz") as file:
        return json.load(file)["cases"]


def numbers(points):
    return np.array([[float(v) for v in point[:2]] for point in points])


def small_cases():
    found = []
    for case in json.loads((GOLDEN / "transforms.json").read_text()):
        points = case.pop("points", [])
        case.update({"in": [p["in"] for p in points], "out": [p["out"] for p in points]})
        found.append(case)
    return found


LEAVES = [c for c in cases("transforms") if c["kind"] == "leaf"] + small_cases()
TILES = [c for c in cases("transforms") if c["kind"] == "tileSpec"]
# their parameters are plain numbers
WITHOUT_ARRAYS = (
    "ExponentialFunctionOffsetTransform",
    "ExponentialRecoveryOffsetTransform",
    "SEMDistortionTransformA",
)
NAMES = sorted({c["className"] for c in LEAVES})


def document(case):
    return {"type": "leaf", "className": case["className"], "dataString": case["dataString"]}


def units_in_last_place(got, want):
    with np.errstate(invalid="ignore"):
        return np.nanmax(
            np.where(got == want, 0.0, np.abs(got - want) / np.spacing(np.abs(want))), initial=0.0
        )


@pytest.mark.parametrize("name", [n for n in NAMES if "NoSuch" not in n and "String" not in n])
def test_points_are_mapped_as_by_java(name):
    done = 0
    for case in LEAVES:
        if case["className"] != name or "error" in case or not case["in"]:
            continue
        transform = load_transform_json(document(case))
        assert type(transform) is not Transform
        got, want = transform.tform(numbers(case["in"])), numbers(case["out"])
        if name.endswith("MovingLeastSquaresTransform"):
            assert np.abs(got - want).max() <= max(1e-6, 20 * float(case.get("spread", 0)))
        elif name.endswith(TRANSCENDENTAL):
            if name.endswith("ThinPlateSplineTransform") and np.__version__ < "2":
                # its logarithm is more often the neighbour of the nearest double, and sums of kernels cancel
                np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * np.nanmax(np.abs(want)))
            else:
                assert units_in_last_place(got, want) <= 2, case["dataString"][:100]
        else:
            np.testing.assert_array_equal(got, want)
        done += 1
    assert done >= 10


@pytest.mark.parametrize("name", [n for n in NAMES if "NoSuch" not in n and "String" not in n])
def test_what_java_writes_and_what_we_write_say_the_same(name):
    for case in LEAVES:
        if case["className"] != name or "error" in case:
            continue
        transform = load_transform_json(document(case))
        written = transform.to_dict()
        assert written["className"] == name
        again = load_transform_json(written)
        np.testing.assert_equal(again._values(), transform._values())
        assert again.dataString == transform.dataString
        java = case.get("toDataString")
        if java is None:
            continue
        theirs = load_transform_json({**written, "dataString": java})
        if name.endswith("RigidModel2D"):  # Java's angle goes through atan2 in float32
            np.testing.assert_allclose(theirs.M, transform.M, rtol=1e-6)
        elif name.endswith("MovingLeastSquaresTransform"):  # without an order of matches
            columns = [np.column_stack([t.p, t.q, t.w]) for t in (theirs, transform)]
            np.testing.assert_array_equal(*(c[np.lexsort(c.T)] for c in columns))
        else:
            np.testing.assert_equal(theirs._values(), transform._values())


@pytest.mark.parametrize("name", NAMES)
def test_what_was_read_and_not_changed_keeps_its_very_text(name):
    changed = 0
    for case in LEAVES:
        if case["className"] != name or "error" in case:
            continue
        read = document(case)
        transform = load_transform_json(read)
        assert transform.to_dict() == read
        nested = {"type": "list", "specList": [{"type": "interpolated", "a": read, "b": read, "lambda": 1}]}
        tile = TileSpec(json={"tileId": "t", "transforms": nested})
        assert len(tile.tforms) == 1
        assert tile.to_dict()["transforms"] == nested
        assert pickle.loads(pickle.dumps(transform)).to_dict() == copy.deepcopy(transform).to_dict() == read
        for value in vars(transform).values():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
                value.flat[0] += 0.25
                assert transform.to_dict()["dataString"] != read["dataString"]
                changed += 1
                break
    known = not all(
        type(load_transform_json(document(c))) is Transform for c in LEAVES if c["className"] == name
    )
    assert changed or not known or name.rpartition(".")[2] in WITHOUT_ARRAYS


def test_data_strings_that_java_refuses_are_refused():
    refused = [c for c in LEAVES if "error" in c]
    assert len(refused) >= 15
    for case in refused:
        if "cannot be found" in case["error"] or "does not implement" in case["error"]:
            # a class that is not known is kept as it is
            kept = load_transform_json(document(case))
            assert type(kept) is Transform
            assert kept.to_dict() == document(case)
            continue
        with pytest.raises(SpecError, match=case["className"].replace(".", r"\.")):
            load_transform_json(document(case))


def test_tile_specs_are_mapped_as_by_java():
    done = 0
    for case in TILES:
        transforms = load_transform_json(case["tileSpec"]["transforms"])
        if "error" in case:
            with pytest.raises(SpecError, match="refers to itself"):
                estimate_dstpts(transforms, numbers(case["in"]), reference_tforms=case["sharedTransforms"])
            continue
        got = estimate_dstpts(transforms, numbers(case["in"]), reference_tforms=case["sharedTransforms"])
        if "MovingLeastSquaresTransform'" in str(case):
            np.testing.assert_allclose(got, numbers(case["out"]), atol=1e-6)
        else:
            assert units_in_last_place(got, numbers(case["out"])) <= 2
        box = bounding_boxes([case["tileSpec"]], case["sharedTransforms"])[0]
        np.testing.assert_array_equal(box, case["box"])
        done += 1
    assert done >= 30


def test_references_that_a_server_refuses_to_store():
    done = 0
    for case in TILES:
        if case["uploadResolves"]:
            continue
        with pytest.raises(SpecError) as caught:
            bounding_boxes([case["tileSpec"]], case["sharedTransforms"], nested_references=False)
        assert case["uploadError"] == f"IllegalArgumentException: {caught.value.reason}"
        done += 1
    assert done >= 4
