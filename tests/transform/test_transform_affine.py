"""AffineModel and the models derived from it."""

import copy
import importlib
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import renderapi
from renderapi.errors import ConversionError, EstimationError, RenderError, SpecError
from renderapi.transform import (
    AffineModel,
    RigidModel,
    SimilarityModel,
    TranslationModel,
    load_transform_json,
)
from renderapi.transform.leaf.common import calc_first_order_properties

AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
TRANSLATION = "mpicbg.trakem2.transform.TranslationModel2D"
RIGID = "mpicbg.trakem2.transform.RigidModel2D"
SIMILARITY = "mpicbg.trakem2.transform.SimilarityModel2D"
POINTS = np.array([[0.0, 0.0], [1.0, 2.0], [-3.5, 10.25]])


def leaf(class_name, text, **more):
    return {"type": "leaf", "className": class_name, "dataString": text, **more}


def turned(points, angle, scale=1.0, shift=(0.0, 0.0)):
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return points @ np.array([[c, s], [-s, c]]) + shift


# ---------------------------------------------------------------------------------------- defects


@pytest.mark.parametrize("theta", [0.3, -2.5, math.pi / 2, 7.0])
def test_a_rigid_data_string_is_a_rotation(theta):
    transform = load_transform_json(leaf(RIGID, f"{theta} 10 -20"))
    t = float(np.float32(theta))
    expected = [[math.cos(t), -math.sin(t), 10], [math.sin(t), math.cos(t), -20], [0, 0, 1]]
    np.testing.assert_array_equal(transform.M, expected)
    assert type(transform) is RigidModel


def test_a_similarity_data_string_holds_scaled_cosine_and_sine():
    transform = load_transform_json(leaf(SIMILARITY, "0.5 0.25 3 4"))
    np.testing.assert_array_equal(transform.M, [[0.5, -0.25, 3], [0.25, 0.5, 4], [0, 0, 1]])
    assert type(transform) is SimilarityModel
    assert transform.to_dict() == leaf(SIMILARITY, "0.5 0.25 3 4")


@pytest.mark.parametrize(
    ("class_name", "text"),
    [
        (TRANSLATION, "10.1 -20"),
        (RIGID, "0.1 1e2 3"),
        (RIGID, "7.25 1 2"),
        (SIMILARITY, "1.5 -0.125 3 16777217"),
    ],
)
@pytest.mark.parametrize("reader", [load_transform_json, lambda d: AffineModel(json=d)])
def test_translation_is_written_back_in_its_own_format(class_name, text, reader):
    document = leaf(class_name, text, id="x", metaData={"labels": ["lens"]})
    transform = reader(document)
    assert transform.className == class_name
    assert transform.to_dict() == document
    np.testing.assert_array_equal(reader(transform.to_dict()).M, transform.M)


@pytest.mark.parametrize("class_name", [TRANSLATION, RIGID, SIMILARITY])
def test_six_numbers_of_old_clients_are_read_under_every_class(class_name):
    text = "1.0000000000 0.0000000000 0.0000000000 1.0000000000 5.5000000000 6.0000000000"
    for transform in (load_transform_json(leaf(class_name, text)), AffineModel(json=leaf(class_name, text))):
        np.testing.assert_array_equal(transform.M, [[1, 0, 5.5], [0, 1, 6], [0, 0, 1]])
        # what is written is what a server can read, and says the same
        np.testing.assert_array_equal(AffineModel(json=transform.to_dict()).M, transform.M)
        assert transform.to_dict()["className"] == class_name
    sheared = AffineModel(json=leaf(class_name, "1 0.5 0.25 1 5 6"))
    assert sheared.to_dict() == leaf(AFFINE, "1.0 0.5 0.25 1.0 5.0 6.0")


def test_an_edit_that_the_format_cannot_say_is_written_as_affine():
    transform = load_transform_json(leaf(TRANSLATION, "10 20"))
    transform.M[0, 2] += 5
    assert transform.to_dict() == leaf(TRANSLATION, "15.0 20.0")
    transform.M[0, 2] += 0.1  # no float32
    assert transform.to_dict() == leaf(AFFINE, "1.0 0.0 0.0 1.0 15.1 20.0")
    transform.M[0, 2] = 15.0
    transform.M[0, 0] = 2.0
    assert transform.to_dict()["className"] == AFFINE
    rigid = load_transform_json(leaf(RIGID, "0.5 1 2"))
    rigid.M[0, 2] = 8.0
    assert rigid.to_dict() == leaf(RIGID, "0.5 8.0 2.0")
    far = load_transform_json(leaf(TRANSLATION, "1 1"))
    far.M[0, 2] = 1e39
    assert far.to_dict()["className"] == AFFINE


@pytest.mark.parametrize("cls", [RigidModel, SimilarityModel, TranslationModel])
def test_new_and_estimated_models_are_affine(cls):
    assert cls.className != AFFINE
    fresh = cls(B0=1.5)
    assert fresh.className == AFFINE
    assert fresh.to_dict() == leaf(AFFINE, "1.0 0.0 0.0 1.0 1.5 0.0")
    read = cls(json=leaf(TRANSLATION, "1 2"))
    read.estimate(POINTS, POINTS + 0.1)
    assert read.className == AFFINE
    assert len(read.dataString.split()) == 6


@pytest.mark.parametrize("cls", [AffineModel, RigidModel, SimilarityModel, TranslationModel])
def test_an_estimate_sets_every_attribute(cls):
    transform = cls(M00=9, M01=9, M10=9, M11=9, B0=9, B1=9)
    M = transform.estimate(POINTS, turned(POINTS, 0.2, shift=(5, 6)))
    assert M is transform.M
    before = M.copy()
    assert before[0].tolist() == [transform.M00, transform.M01, transform.B0]
    assert before[1].tolist() == [transform.M10, transform.M11, transform.B1]
    transform.load_M()
    np.testing.assert_array_equal(transform.M, before)
    assert cls().estimate(POINTS, POINTS, return_params=False) is None


def test_a_fit_never_mirrors():
    rng = np.random.default_rng(3)
    src = rng.uniform(0, 100, (30, 2)) * [1.0, 0.2]
    for cls in (RigidModel, SimilarityModel):
        M = cls.fit(src, src * [1, -1])
        assert np.linalg.det(M[:2, :2]) > 0
        # no other rotation fits better
        angle = math.atan2(M[1, 0], M[0, 0])
        scale = math.hypot(M[0, 0], M[1, 0])
        mean_src, mean_dst = src.mean(axis=0), (src * [1, -1]).mean(axis=0)

        def missed(turn):
            return ((turned(src - mean_src, turn, scale) + mean_dst - src * [1, -1]) ** 2).sum()

        assert all(missed(angle) <= missed(angle + other) for other in np.linspace(-3, 3, 61))


def test_equality_is_exact_and_agrees_with_the_hash():
    a = AffineModel(1, 2, 3, 4, 5, 6, transformId="x", labels=["a", "b"])
    same = AffineModel(1, 2, 3, 4, 5, 6, transformId="x", labels=["b", "a"])
    assert a == same
    assert hash(a) == hash(same)
    assert a == a
    for other in (
        AffineModel(1, 2, 3, 4, 5, 6 + 1e-9, transformId="x", labels=["a", "b"]),
        AffineModel(1, 2, 3, 4, 5, 6, transformId="y", labels=["a", "b"]),
        AffineModel(1, 2, 3, 4, 5, 6, transformId="x", labels=["a"]),
        AffineModel(1, 2, 3, 4, 5, 6, transformId="x"),
        RigidModel(1, 2, 3, 4, 5, 6, transformId="x", labels=["a", "b"]),
        None,
        "x",
    ):
        assert a != other
    assert AffineModel(labels=[]) == AffineModel()
    a.M[0, 0] = 7
    assert a != same
    assert len({a, same, copy.copy(same)}) == 2


@given(st.lists(st.floats(allow_nan=False), min_size=6, max_size=6))
def test_the_data_string_is_exact_and_shortest(numbers):
    transform = AffineModel(*numbers)
    again = AffineModel(json=transform.to_dict())
    np.testing.assert_array_equal(again.M, transform.M)
    assert again == transform
    m00, m01, m10, m11, b0, b1 = numbers
    shortest = " ".join(repr(v).replace("inf", "Infinity") for v in (m00, m10, m01, m11, b0, b1))
    assert transform.dataString == shortest


@pytest.mark.parametrize("angle", [0.0, 1e-17, -1e-17, 1e-9, math.pi, math.pi / 2])
@pytest.mark.parametrize("force_shear", ["x", "y"])
def test_properties_are_stable_for_small_rotations(angle, force_shear):
    c, s = math.cos(angle), math.sin(angle)
    shear = np.array([[2.0, 0.5], [0.0, 3.0]]) if force_shear == "x" else np.array([[2.0, 0.0], [0.75, 3.0]])
    M = shear @ np.array([[c, -s], [s, c]])
    transform = AffineModel(*M.ravel(), force_shear=force_shear)
    np.testing.assert_allclose(transform.scale, (2.0, 3.0), rtol=1e-12)
    assert transform.shear == pytest.approx(0.25, abs=1e-12)
    assert math.remainder(transform.rotation - angle, 2 * math.pi) == pytest.approx(0, abs=1e-12)


def test_a_fit_of_many_points_is_fast_and_small():
    rng = np.random.default_rng(0)
    src = rng.uniform(0, 1e5, (200_000, 2))
    model = AffineModel(1.01, 0.02, -0.03, 0.98, 500, -700)
    fitted = AffineModel.fit(src, model.tform(src))
    np.testing.assert_allclose(fitted.ravel(), [1.01, 0.02, -0.03, 0.98, 500, -700], rtol=1e-9)


# ----------------------------------------------------------------------------------- programs do


class Aligner(AffineModel):
    def __init__(self, transform=None, fullsize=False):
        self.fullsize = fullsize
        self.order = 3
        if transform is None:
            super().__init__()
        else:
            super().__init__(json=transform.to_dict())

    @property
    def scale(self):
        return 42.0


@pytest.mark.parametrize(
    "transform",
    [
        AffineModel(1.5, 2, 3, 4, 5, 6),
        TranslationModel(B0=2.5),
        RigidModel(0, -1, 1, 0, 7, 8),
        TranslationModel(json=leaf(TRANSLATION, "1.5 2")),
        RigidModel(json=leaf(RIGID, "0.25 1 2")),
        SimilarityModel(json=leaf(SIMILARITY, "0.5 0.25 1 2")),
    ],
)
def test_programs_derive_classes_and_set_attributes_first(transform):
    derived = Aligner(transform, fullsize=True)
    np.testing.assert_array_equal(derived.M, transform.M)
    assert [transform.M[0, 2], transform.M[1, 2], transform.M[0, 0]] == [derived.B0, derived.B1, derived.M00]
    assert derived.fullsize
    assert derived.scale == 42.0
    assert isinstance(derived, renderapi.transform.leaf.AffineModel)
    derived.transformId = "z"
    derived.labels = ["q"]
    assert derived.to_dict() == {**transform.to_dict(), "id": "z", "metaData": {"labels": ["q"]}}


def test_programs_change_the_class_of_an_object():
    class Plain:
        pass

    plain = Plain()
    plain.__class__ = Aligner
    plain.__init__(AffineModel(2, 0, 0, 2))
    assert plain.M[0, 0] == 2.0


def test_the_matrix_is_what_counts():
    transform = AffineModel(1, 2, 3, 4, 5, 6)
    transform.M[0:2, 0:2] *= 2
    transform.M[:2, -1] /= 2
    assert transform.to_dict()["dataString"] == "2.0 6.0 4.0 8.0 2.5 3.0"
    np.testing.assert_array_equal(transform.tform([[1.0, 1.0]]), [[8.5, 17.0]])
    assert transform.translation == (2.5, 3.0)
    transform.M00 = "7"  # counts only after load_M, and may be text
    assert transform.M[0, 0] == 2.0
    transform.load_M()
    assert transform.M.tolist() == [[7, 2, 5], [3, 4, 6], [0, 0, 1]]
    transform.M = np.eye(3)
    assert transform.dataString == "1.0 0.0 0.0 1.0 0.0 0.0"


def test_the_data_string_may_be_set():
    transform = AffineModel()
    transform.dataString = "1 3 2 4 5 6"
    assert (transform.M01, transform.B1, transform.M[1, 0]) == (2, 6, 3.0)
    with pytest.raises(SpecError):
        transform.dataString = "1 2 3"
    assert transform.M[1, 0] == 3.0


@pytest.mark.parametrize("value", ["a", None, [1.0]])
def test_a_parameter_that_is_no_number(value):
    with pytest.raises(ConversionError, match="must be numbers"):
        AffineModel(M00=value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1 0 0 1 0 0",
        "1 2 3 4 5",
        "1 2 3 4 5 6 7",
        "a b c d e f",
        "1,0,0,1,0,0",
        "null 0 0 1 0 0",
        None,
        5,
    ],
)
@pytest.mark.parametrize("class_name", [AFFINE, SIMILARITY, "some.other.Class"])
def test_bad_data_strings_name_class_and_id(text, class_name):
    with pytest.raises(SpecError, match=rf"Inappropriate parameters for {class_name} with id 'q'"):
        AffineModel(json=leaf(class_name, text, id="q"))


def test_text_and_repr():
    transform = AffineModel(1, 2, 3, 4, 5, 6, transformId="x", labels=["a"])
    assert str(transform) == "M=[[1.000000,2.000000],[3.000000,4.000000]] B=[5.000000,6.000000]"
    assert repr(transform) == (
        "AffineModel(M00=1.0, M01=2.0, M10=3.0, M11=4.0, B0=5.0, B1=6.0, transformId='x', labels=['a'])"
    )
    assert eval(repr(transform)) == transform


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
@pytest.mark.parametrize("document", [leaf(AFFINE, "1 2 3 4 5 6", id="i", extra=[1]), leaf(RIGID, "7 1 2")])
def test_copies_are_whole(copied, document):
    transform = load_transform_json(document)
    transform.note = "kept"
    other = copied(transform)
    assert other == transform
    assert other.to_dict() == transform.to_dict()
    assert other.note == "kept"


# ------------------------------------------------------------------------------------ mathematics


def test_points_in_any_form():
    transform = AffineModel(1, 2, 3, 4, 5, 6)
    expected = [[10.0, 17.0], [16.0, 31.0]]
    for points in ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]], dtype="f4")):
        got = transform.tform(points)
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, expected)
    assert transform.tform(np.zeros((0, 2))).shape == (0, 2)
    many = np.random.default_rng(0).uniform(size=(20_001, 2))
    np.testing.assert_array_equal(transform.tform(many)[:3], transform.tform(many[:3]))
    for points in ([1, 2], [[1, 2, 1]], [["a", "b"]], 3):
        with pytest.raises(ConversionError):
            transform.tform(points)


def test_homogeneous_points():
    vector, count = AffineModel.convert_to_point_vector(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert count == 2
    np.testing.assert_array_equal(vector, [[1, 2, 1], [3, 4, 1]])
    np.testing.assert_array_equal(
        AffineModel.convert_points_vector_to_array([[1, 2, 2], [3, 4, 4]]), [[0.5, 1], [0.75, 1]]
    )


def test_composition_and_inverse():
    rng = np.random.default_rng(5)
    first, second = (AffineModel(*rng.normal(size=6)) for _ in range(2))
    np.testing.assert_allclose(
        second.concatenate(first).tform(POINTS), second.tform(first.tform(POINTS)), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(first.inverse_tform(first.tform(POINTS)), POINTS, atol=1e-9)
    np.testing.assert_allclose(first.invert().concatenate(first).M, np.eye(3), atol=1e-9)
    assert type(RigidModel().concatenate(RigidModel())) is AffineModel


def test_a_singular_transform_has_no_inverse():
    transform = AffineModel(1, 2, 2, 4)
    for attempt in (transform.invert, lambda: transform.inverse_tform(POINTS)):
        with pytest.raises(EstimationError, match="no inverse") as caught:
            attempt()
        assert isinstance(caught.value, np.linalg.LinAlgError)
        assert isinstance(caught.value, RenderError)
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), EstimationError)
    with pytest.raises(EstimationError):
        AffineModel(M00=math.nan).invert()


def test_a_fit_tells_all():
    rng = np.random.default_rng(2)
    src = rng.uniform(0, 10, (12, 2))
    dst = src @ np.array([[1.0, 0.1], [0.2, 1.1]]) + rng.normal(size=src.shape)
    T, residuals, rank, singular = AffineModel.fit(src, dst, return_all=True)
    design = np.zeros((24, 6))
    design[::2, 0:2], design[::2, 4] = src, 1
    design[1::2, 2:4], design[1::2, 5] = src, 1
    expected = np.linalg.lstsq(design, dst.ravel(), rcond=None)
    assert T.shape == (6, 1)
    np.testing.assert_allclose(T.ravel(), expected[0], rtol=1e-9)
    np.testing.assert_allclose(residuals, expected[1], rtol=1e-9)
    assert rank == expected[2] == 6
    np.testing.assert_allclose(singular, expected[3], rtol=1e-9)
    weighted = AffineModel.fit(src, dst, return_all=True, weights=np.full(12, 4.0))
    np.testing.assert_allclose(weighted[1], 4 * residuals, rtol=1e-9)
    transform = AffineModel()
    transform.estimate(src, dst, return_all=True)
    np.testing.assert_array_equal(transform.M[0], T.ravel()[[0, 1, 4]])


def test_models_find_what_made_the_points():
    rng = np.random.default_rng(4)
    src = rng.uniform(0, 1000, (20, 2))
    rigid, similarity, translation = RigidModel(), SimilarityModel(), TranslationModel()
    rigid.estimate(src, turned(src, 0.3, shift=(5, 6)))
    assert rigid.rotation == pytest.approx(0.3)
    assert rigid.translation == pytest.approx((5, 6))
    similarity.estimate(src, turned(src, -0.3, 1.5, (5, 6)))
    assert similarity.scale == pytest.approx((1.5, 1.5))
    np.testing.assert_allclose(
        SimilarityModel.fit(src, turned(src, 1.0), rigid=True), RigidModel.fit(src, turned(src, 1.0))
    )
    translation.estimate(src, src + [3, -4])
    np.testing.assert_allclose(translation.M, [[1, 0, 3], [0, 1, -4], [0, 0, 1]])


def test_first_order_properties():
    M = np.array([[1.0, 2.0], [3.0, 4.0]])
    sx, sy, cx, cy, theta = calc_first_order_properties(M)
    c, s = math.cos(theta), math.sin(theta)
    np.testing.assert_allclose(np.array([[sx, sx * cx], [0, sy]]) @ [[c, -s], [s, c]], M)
    assert cy == 0
    sx, sy, cx, cy, theta = calc_first_order_properties(M, "y")
    c, s = math.cos(theta), math.sin(theta)
    np.testing.assert_allclose(np.array([[sx, 0], [sy * cy, sy]]) @ [[c, -s], [s, c]], M)
    assert cx == 0
    assert math.isnan(calc_first_order_properties(np.zeros((2, 2)))[2])
    for odd in ("z", None):
        with pytest.raises(ValueError, match="force_shear"):
            calc_first_order_properties(M, odd)


def test_numbers_that_are_no_float32_angles():
    transform = load_transform_json(leaf(RIGID, "NaN 1 2"))
    assert np.isnan(transform.M[0, 0])
    assert transform.to_dict() == leaf(RIGID, "NaN 1 2")


def test_the_module_can_be_loaded_again_without_scipy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy", None)
    module = renderapi.transform.affine_models
    before = dict(vars(module))
    try:
        assert importlib.reload(module).AffineModel().M.tolist() == np.eye(3).tolist()
    finally:
        vars(module).update(before)
