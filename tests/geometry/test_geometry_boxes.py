"""Bounding boxes of tiles."""

import copy
import gzip
import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderapi.errors import RenderError, SpecError
from renderapi.geometry import TileSpecError, _boxes, bounding_boxes, chains, derive_bounding_boxes
from renderapi.tilespec import TileSpec
from renderapi.transform import (
    AffineModel,
    InterpolatedTransform,
    NonLinearCoordinateTransform,
    Polynomial2DTransform,
    ReferenceTransform,
    Transform,
    TransformList,
    TranslationModel,
    estimate_dstpts,
    load_transform_json,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
with gzip.open(GOLDEN / "original" / "boxes.json.gz") as file:
    CASES = [c for c in json.load(file)["cases"] if "error" not in c]
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
LENS = NonLinearCoordinateTransform(
    "2 6 900.0 0 0 900.0 30.0 0 0 0 0 30.0 5 5 1000.0 1000.0 1e6 1e6 1e6 100.0 "
    "900.0 900.0 1e6 1e6 1e6 1.0 2048 2048"
)


def leaf(text, name=AFFINE, **more):
    return {"type": "leaf", "className": name, "dataString": text, **more}


def tile(*specs, tileId="t", width=100.0, height=80.0, **more):
    transforms = {"type": "list", "specList": list(specs)}
    return {"tileId": tileId, "width": width, "height": height, "transforms": transforms, **more}


def expected_numbers(values):
    return [float(v) for v in values]


def test_boxes_are_those_of_the_original():
    boxes = bounding_boxes([case["tileSpec"] for case in CASES])
    assert len(boxes) >= 500
    np.testing.assert_array_equal(boxes, [expected_numbers(case["box"]) for case in CASES])


def test_boxes_of_single_tiles_and_of_objects_are_the_same():
    for case in CASES[::7]:
        spec = case["tileSpec"]
        np.testing.assert_array_equal(bounding_boxes([spec])[0], expected_numbers(case["box"]))
        made = SimpleNamespace(**{**spec, "tforms": load_transform_json(spec["transforms"]).tforms})
        np.testing.assert_array_equal(bounding_boxes((made,))[0], expected_numbers(case["box"]))


def test_small_examples():
    cases = json.loads((GOLDEN / "bounding_boxes.json").read_text())
    assert len(cases) > 10
    for case in cases:
        names, texts = case["transforms"][::2], case["transforms"][1::2]
        spec = tile(
            *map(leaf, texts, names),
            width=case["width"],
            height=case["height"],
            meshCellSize=case["meshCellSize"],
        )
        np.testing.assert_array_equal(bounding_boxes([spec])[0], case["server_default_box"])


def test_no_tiles():
    assert bounding_boxes([]).shape == (0, 4)


def test_tile_specs_read_made_and_edited():
    documents = [tile(leaf(f"1 0 0 1 {i}.5 0"), tileId=str(i), z=1.0) for i in range(5)]
    expected = np.array([[i, 0, i + 100, 80] for i in range(5)], dtype=float)
    read = [TileSpec(json=document) for document in documents]
    np.testing.assert_array_equal(bounding_boxes(read), expected)
    for spec in read:
        spec.tforms[0].M[1, 2] += 7
    np.testing.assert_array_equal(bounding_boxes(read), expected + [0, 7, 0, 7])
    read[2].tforms.append(TranslationModel(B0=-100))
    np.testing.assert_array_equal(bounding_boxes(read)[2], [-97, 7, 3, 87])
    made = TileSpec(tileId="m", z=1, width=10, height=10, tforms=[AffineModel(B0=2)])
    np.testing.assert_array_equal(bounding_boxes(iter([made]))[0], [2, 0, 12, 10])


@pytest.mark.parametrize(
    "transforms", [{}, {"transforms": None}, {"transforms": {"type": "list", "specList": []}}]
)
def test_no_transforms(transforms):
    spec = {"tileId": "t", "width": 100, "height": "80", **transforms}
    np.testing.assert_array_equal(bounding_boxes([spec])[0], [0, 0, 100, 80])


SHARED = [
    leaf("1 0 0 1 10 20", id="shift"),
    {"type": "list", "id": "two", "specList": [leaf("2 0 0 2 0 0"), {"type": "ref", "refId": "shift"}]},
    {**LENS.to_dict(), "id": "lens"},
]


@pytest.mark.parametrize(
    "shared",
    [SHARED, {s["id"]: s for s in SHARED}, [load_transform_json(s) for s in SHARED], tuple(SHARED)],
)
def test_shared_transforms_in_any_form(shared):
    for make in (
        lambda s: s,
        lambda s: SimpleNamespace(**s, tforms=load_transform_json(s["transforms"]).tforms),
    ):
        spec = make(tile({"type": "ref", "refId": "two"}, {"type": "ref", "refId": "shift"}))
        np.testing.assert_array_equal(bounding_boxes([spec], shared)[0], [20, 40, 220, 200])
        curved = make(tile({"type": "ref", "refId": "lens"}, leaf("1 0 0 1 3 4")))
        inline = make(tile(LENS.to_dict(), leaf("1 0 0 1 3 4")))
        np.testing.assert_array_equal(*bounding_boxes([curved, inline], shared))


def test_missing_shared_transforms_are_all_named():
    spec = tile(
        {"type": "ref", "refId": "b"},
        {"type": "list", "specList": [{"type": "ref", "refId": "a"}]},
        tileId="t1",
    )
    with pytest.raises(SpecError) as caught:
        bounding_boxes([tile(), spec])
    assert str(caught.value) == "tile t1 requires the following transform ids [a, b]"
    assert caught.value.tileId == "t1"
    assert caught.value.reason == str(caught.value)
    shared = {"a": {"type": "ref", "refId": "b"}, "b": {"type": "ref", "refId": "a"}}
    with pytest.raises(SpecError, match=r"requires the following transform ids \[a, b\]"):
        bounding_boxes([spec], shared)


def test_references_inside_shared_transforms():
    spec = tile({"type": "ref", "refId": "two"})
    np.testing.assert_array_equal(bounding_boxes([spec], SHARED)[0], [10, 20, 210, 180])
    with pytest.raises(SpecError, match=r"requires the following transform ids \[shift\]"):
        bounding_boxes([spec], SHARED, nested_references=False)
    direct = tile({"type": "ref", "refId": "shift"})
    np.testing.assert_array_equal(
        bounding_boxes([direct], SHARED, nested_references=False)[0], [10, 20, 110, 100]
    )


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (tile(leaf("1", "x.Y")), "transform class 'x.Y' cannot be found"),
        (
            tile(leaf("1 2 3", "lenscorrection.NonlinearTransform")),
            "transform class 'lenscorrection.NonlinearTransform' cannot be found; the nearest is "
            "'lenscorrection.NonLinearTransform'",
        ),
        (tile(leaf("1 2 3")), f"Inappropriate parameters for {AFFINE}: 6 numbers are needed, 3 found"),
        (tile(leaf("a b c d e f")), "For input string"),
        (tile(leaf("1 2", "mpicbg.trakem2.transform.SimilarityModel2D")), "Inappropriate parameters"),
        (tile(leaf("1 0 0 1 5 5", "mpicbg.trakem2.transform.TranslationModel2D")), "2 numbers are needed"),
        (tile(leaf("1", "mpicbg.trakem2.transform.PolynomialTransform2D")), "Inappropriate parameters"),
        (tile(leaf("1 2", "mpicbg.trakem2.transform.ThinPlateSplineTransform")), "Inappropriate parameters"),
        (
            tile({"type": "leaf", "dataString": "1", "id": "i"}),
            "no className defined for leaf transform spec with id 'i'",
        ),
        (
            tile({"type": "leaf", "className": AFFINE, "id": "i"}),
            "no dataString defined for leaf transform spec with id 'i'",
        ),
        (
            tile({"type": "interpolated", "a": leaf("1 2"), "b": leaf("1 0 0 1 0 0"), "lambda": 0.5}),
            "Inappropriate parameters",
        ),
        (tile({"type": "interpolated", "a": leaf("1 0 0 1 0 0"), "lambda": 0.5}), "no transform list"),
        (
            tile(None),
            "A null spec is part of the transform spec list with id 'null'.  Check for an extraneous",
        ),
        (
            tile({"type": "list", "specList": [None], "id": "l"}),
            "part of the transform spec list with id 'l'.",
        ),
        (tile(3), "is no transform"),
        ({**tile(), "transforms": [leaf("1 0 0 1 0 0")]}, "no transform list"),
        ({"tileId": "t", "width": 5.0}, "width and height must be set to create a bounding box"),
        ({**tile(), "height": None}, "width and height must be set to create a bounding box"),
        ({**tile(), "height": [1]}, "must be numbers"),
        (tile(LENS.to_dict(), meshCellSize=1e-9), "samples of its border"),
        (
            SimpleNamespace(tileId="t", width=5, height=5, tforms=[Transform("x.Y", "1")]),
            "transform class 'x.Y' cannot be found",
        ),
        (
            SimpleNamespace(
                tileId="t", width=5, height=5, tforms=[AffineModel(json=leaf("1 0 0 1 0 0", "x.Y"))]
            ),
            "'x.Y' cannot be found",
        ),
    ],
)
def test_tiles_that_render_would_refuse(spec, reason):
    good = [tile(tileId=str(i)) for i in range(3)]
    with pytest.raises(TileSpecError) as caught:
        bounding_boxes([*good, spec])
    assert reason in caught.value.reason
    assert caught.value.tileId == "t"
    assert str(caught.value) == f"tile t: {caught.value.reason}"
    assert isinstance(caught.value, RenderError)
    assert isinstance(caught.value, ValueError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.tileId, again.reason) == (str(caught.value), "t", caught.value.reason)
    # nothing is half done
    specs = [*copy.deepcopy(good), spec]
    with pytest.raises(TileSpecError):
        derive_bounding_boxes(specs)
    assert "minX" not in specs[0]


def test_a_bad_text_among_many_is_found():
    specs = [tile(leaf(f"1 0 0 1 {i} 0"), tileId=str(i)) for i in range(100)]
    specs[63]["transforms"]["specList"][0]["dataString"] = "1 0 0 1 63"
    with pytest.raises(SpecError, match=r"^tile 63: Inappropriate parameters .* 5 found"):
        bounding_boxes(specs)
    specs[63]["transforms"]["specList"][0]["dataString"] = "1f 0\t0 1 63 0 "
    np.testing.assert_array_equal(bounding_boxes(specs)[:, 0], np.arange(100))


def test_boxes_are_set():
    documents = [tile(leaf("1 0 0 1 5.5 -5.5"), minX=3), tile()]
    objects = [SimpleNamespace(tileId="t", width=10, height=10, tforms=[])]
    boxes = derive_bounding_boxes(documents)
    assert boxes.tolist() == [[5, -5, 105, 75], [0, 0, 100, 80]]
    assert [documents[0][key] for key in ("minX", "minY", "maxX", "maxY")] == [5.0, -5.0, 105.0, 75.0]
    derive_bounding_boxes(objects)
    assert (objects[0].minX, objects[0].maxY) == (0.0, 10.0)
    spec = TileSpec(json=documents[0])
    derive_bounding_boxes([spec])
    assert (spec.minX, spec.maxX) == (5.0, 105.0)


@pytest.mark.parametrize(
    ("text", "size", "box"),
    [
        ("1 0 0 1 -0.7 -0.7", (10, 10), [0, 0, 10, 10]),
        ("1 0 0 1 3e9 -3e9", (10, 10), [2147483647, -2147483648, 2147483657, -2147483638]),
        ("NaN 0 0 1 0 0", (10, 10), [2147483647, 0, -1, 10]),
        ("1e308 0 0 1 0 0", (1e6, 10), [0, 0, 2147483647, 10]),
        ("Infinity 0 0 1 0 0", (10, 10), [2147483647, 0, 4294967294, 10]),
        ("1 0 0 1 0 0", (1, 1), [0, 0, 1, 1]),
        ("1 0 0 1 0 0", (0, 0), [-1, -1, 0, 0]),
        ("1 0 0 1 0 0", (-20, 5), [-21, 0, 0, 5]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_extremes(text, size, box):
    spec = tile(leaf(text), width=size[0], height=size[1])
    np.testing.assert_array_equal(bounding_boxes([spec])[0], box)
    if "N" not in text and "I" not in text:
        # the same through all samples as through the corners alone
        longer = tile(leaf(text), leaf("1 0 0 1 0 0"), width=size[0], height=size[1])
        np.testing.assert_array_equal(bounding_boxes([longer])[0], box)


@pytest.mark.parametrize(
    ("cell", "count"), [(64, 2), (50, 2), (39, 3), (-5, 2), (float("nan"), 2), (0.5, 200)]
)
def test_mesh_cell_sizes(cell, count):
    samples = _boxes.border_samples(100, 90, cell)
    assert (samples[:, 1] == 90).sum() >= 1
    # along the upper edge, and the upper end of the right one
    assert len(np.unique(samples[samples[:, 1] == 0, 0])) == count + 1
    assert samples.max(axis=0).tolist() == [100, 90]


@pytest.mark.parametrize("cell", [None, 0, 0.0])
def test_no_mesh_cell_size_is_the_default(cell):
    spec = tile(LENS.to_dict(), width=2048.0, height=1000.0)
    np.testing.assert_array_equal(*bounding_boxes([spec, {**spec, "meshCellSize": cell}]))


numbers = st.floats(-1e5, 1e5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(-2, 2)] * 4, numbers, numbers), min_size=1, max_size=4),
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.sampled_from([32.0, 64.0, 100.5]),
)
def test_boxes_contain_every_sample(parameters, width, height, cell):
    affine = [AffineModel(*p) for p in parameters]
    for tforms in (affine[:1], affine, [Polynomial2DTransform.fromAffine(affine[0]).asorder(2), *affine]):
        spec = SimpleNamespace(tileId="t", width=width, height=height, meshCellSize=cell, tforms=tforms)
        document = tile(*(t.to_dict() for t in tforms), width=width, height=height, meshCellSize=cell)
        box = bounding_boxes([spec])[0]
        np.testing.assert_array_equal(bounding_boxes([document])[0], box)
        mapped = estimate_dstpts(tforms, _boxes.border_samples(float(width), float(height), cell))
        low, high = mapped.min(axis=0), mapped.max(axis=0)
        # minima are truncated toward zero, maxima are a whole number of pixels from there
        np.testing.assert_array_equal(box[:2], np.trunc(low))
        np.testing.assert_array_equal(box[2:], np.trunc(low) + np.ceil(high - low))
        assert (box[2:] > high - 1).all()


def test_tiles_with_polynomials_of_their_own_are_evaluated_together(monkeypatch):
    rng = np.random.default_rng(0)
    polynomials = [
        Polynomial2DTransform(params=np.array([[i, 1, 0.1, 1e-5, 0, 0], [0, 0, 1, 0, 0, 1e-5]]))
        for i in range(50)
    ]
    specs = [
        tile(p.to_dict(), leaf(f"1 0 0 1 {rng.uniform()} 0"), tileId=str(i))
        for i, p in enumerate(polynomials)
    ]
    groups = []
    original = _boxes._group_boxes
    monkeypatch.setattr(_boxes, "_group_boxes", lambda *args: groups.append(args) or original(*args))
    together = bounding_boxes(specs)
    assert len(groups) == 1
    np.testing.assert_array_equal(together, [bounding_boxes([spec])[0] for spec in specs])


def test_large_groups_are_cut_into_blocks(monkeypatch):
    specs = [tile(LENS.to_dict(), leaf(f"1 0.1 0 1 {i} 0"), tileId=str(i), width=2048.0) for i in range(40)]
    whole = bounding_boxes(specs)
    monkeypatch.setattr(_boxes, "_BLOCK", 300)
    np.testing.assert_array_equal(bounding_boxes(specs), whole)


def test_interpolated_transforms():
    a, b = leaf("1 0 0 1 10 0"), leaf("1 0 0 1 30 0")
    between = {
        "type": "interpolated",
        "a": {"type": "ref", "refId": "a"},
        "b": {"type": "list", "specList": [b]},
        "lambda": 0.25,
    }
    boxes = bounding_boxes([tile(between), tile(copy.deepcopy(between)), tile(between, between)], {"a": a})
    assert boxes[:, 0].tolist() == [15, 15, 30]
    inner = InterpolatedTransform(ReferenceTransform("a"), TransformList([load_transform_json(b)]), 0.25)
    made = SimpleNamespace(tileId="m", width=10, height=10, tforms=[inner, [AffineModel(B0=1)]])
    assert bounding_boxes([made], {"a": a})[0].tolist() == [16, 0, 26, 10]


def test_derived_classes_count_by_their_documents():
    class Doubled(AffineModel):
        def tform(self, points):
            return 2 * super().tform(points)

    class Foreign:
        def to_dict(self):
            return leaf("1 0 0 1 7 7")

    for transform, first in ((Doubled(B0=5), 5), (Foreign(), 7), (leaf("1 0 0 1 9 9"), 9)):
        spec = SimpleNamespace(tileId="t", width=10, height=10, tforms=[transform])
        assert bounding_boxes([spec])[0, 0] == first


def test_numbers_of_steps_that_are_read_one_by_one(monkeypatch):
    # what is refused together but not one by one would be an error of this package
    monkeypatch.setattr(chains, "AffineModel", lambda json: None)
    calls = []

    def once(texts, count, single=False):
        calls.append(texts)
        if len(texts) > 1:
            raise SpecError("together")
        return np.zeros((1, count))

    monkeypatch.setattr(chains.data_strings, "parse_rows", once)
    with pytest.raises(SpecError, match="together"):
        chains.read_numbers(AFFINE, ["a", "b"])
    assert len(calls) == 3


def test_a_translation_after_an_infinite_coordinate():
    leaves = [
        {"type": "leaf", "className": f"mpicbg.trakem2.transform.{name}", "dataString": text}
        for name, text in (("AffineModel2D", "1e308 0 0 1 1e308 0"), ("TranslationModel2D", "5 7"))
    ]
    tile = {"tileId": "t", "width": 100, "height": 80, "transforms": {"specList": leaves}}
    assert bounding_boxes([tile])[0, 1::2].tolist() == [7, 87]


def test_a_polynomial_with_a_row_per_term_has_the_box_of_one_with_a_row_per_coordinate():
    rows = np.array([[5.0, 1.1, 0.2], [-7.0, 0.3, 0.9]])
    tiles = [
        TileSpec(tileId=name, z=1, width=30, height=20, tforms=[Polynomial2DTransform(params=params)])
        for name, params in (("rows", rows), ("terms", rows.T))
    ]
    boxes = bounding_boxes(tiles)
    np.testing.assert_array_equal(boxes[0], boxes[1])


def test_documents_of_one_affine_transform_are_read_in_one_go_and_all_others_as_what_they_are():
    text = "1 0 0 1 10 20"
    plain = {"className": AFFINE, "dataString": text}
    size = {"width": 100.0, "height": 50.0}

    def of(spec, **more):
        return {**size, "transforms": {"type": "list", "specList": [spec]}, **more}

    shared = {"a": {"type": "leaf", "className": AFFINE, "dataString": "1 0 0 1 0 0"}}
    tiles = [
        of(plain),
        of({"type": "leaf", **plain}),
        of({"type": "ref", "refId": "a", **plain}),
        of({"type": "list", "specList": [], **plain}),
        of({"type": "whatever", **plain}),
        of(plain, width=200),
        of(plain, meshCellSize=5.0),
        of({"className": "mpicbg.trakem2.transform.TranslationModel2D", "dataString": "10 20"}),
        TileSpec("t", 0.0, 100.0, 50.0, tforms=[AffineModel(B0=10, B1=20)]),
    ] * 2
    alone = np.vstack([bounding_boxes([tile], shared) for tile in tiles])
    np.testing.assert_array_equal(bounding_boxes(tiles, shared), alone)
    assert alone[:9, 0].tolist() == [10, 10, 0, 0, 10, 10, 10, 10, 10]
    for broken in (
        {"className": "matrix", "dataString": text},
        {"className": ["matrix"], "dataString": text},
        {"className": AFFINE, "dataString": [1, 0, 0, 1, 10, 20]},
        {"className": AFFINE, "dataString": None},
    ):
        with pytest.raises(TileSpecError) as caught:
            bounding_boxes([*tiles, of(broken, tileId="b")], shared)
        assert caught.value.tileId == "b"
