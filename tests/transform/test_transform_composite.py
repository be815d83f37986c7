"""Lists, references and interpolations; points through all of them."""

import copy
import json
import pickle

import numpy as np
import pytest

from renderapi.errors import ConversionError, EstimationError, RenderError, SpecError
from renderapi.transform import (
    AffineModel,
    InterpolatedTransform,
    Polynomial2DTransform,
    ReferenceTransform,
    RigidModel,
    Transform,
    TransformList,
    TranslationModel,
    estimate_dstpts,
    estimate_transformsum,
    load_transform_json,
)
from renderapi.transform.utils import resolve_references

P = np.array([[1.0, 2.0], [3.0, 4.5], [7.0, 1.0]])
A = AffineModel(1, 2, 3, 4, 5, 6)
B = AffineModel(0, 1, -1, 0, 10, 20)
Q = Polynomial2DTransform(params=[[0, 1, 0, 1e-3, 0, 0], [0, 0, 1, 0, 0, 2e-3]])
LEAF = A.to_dict()
LIST = {"type": "list", "specList": [LEAF]}
REFERENCE = {"type": "ref", "refId": "x"}
BETWEEN = {"type": "interpolated", "a": LEAF, "b": B.to_dict(), "lambda": 0.25}
MANY = np.random.default_rng(0).uniform(0, 100, (40, 2))


# --------------------------------------------------------------------------------------- defects


def test_an_empty_list_is_whole():
    for empty in (TransformList(), TransformList(tforms=[])):
        assert vars(empty) == {"tforms": [], "transformId": None, "labels": None}
    other = TransformList([A], "x")
    other.from_dict(None)
    assert (other.tforms, other.transformId) == ([], None)
    assert other.to_dict() == {"type": "list", "specList": []}
    assert TransformList(json=LIST).transformId is None


@pytest.mark.parametrize("document", [LIST, REFERENCE, BETWEEN])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"id": "i"},
        {"metaData": {"labels": ["a", "b"]}},
        {"metaData": {"labels": ["a"], "c": 1}, "id": "i", "unknown": [1, {"d": 2}]},
        {"metaData": {}},
    ],
)
def test_id_metadata_and_unknown_keys_survive(document, more):
    document = {**document, **more}
    before = copy.deepcopy(document)
    transform = load_transform_json(document)
    assert transform.to_dict() == document == before
    assert transform.transformId == more.get("id")
    if document["type"] != "list":
        assert dict(transform) == document
    for other in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        assert other == transform
        assert hash(other) == hash(transform)
        assert other.to_dict() == document


def test_an_interpolation_can_be_evaluated():
    between = InterpolatedTransform(a=A, b=TransformList([B, Q]), lambda_=0.25)
    expected = A.tform(P) + 0.25 * (Q.tform(B.tform(P)) - A.tform(P))
    np.testing.assert_array_equal(between.tform(P), expected)
    np.testing.assert_array_equal(estimate_dstpts([between], P), expected)
    np.testing.assert_allclose(between.inverse_tform(between.tform(P)), P, atol=1e-6)
    for wrong in (None, "x"):
        with pytest.raises(SpecError, match="lambda of an interpolated transform"):
            InterpolatedTransform(A, B, wrong).tform(P)
    with pytest.raises(SpecError, match="'x' is needed to evaluate a reference"):
        InterpolatedTransform(A, ReferenceTransform("x"), 0.5).tform(P)


@pytest.mark.parametrize(
    "nested", [[[A], B], [TransformList([A]), B], [[[A, [B]]]], (A, [(B,)]), TransformList([A, B])]
)
def test_the_sum_of_nested_affine_lists_is_affine(nested):
    total = estimate_transformsum(nested)
    assert type(total) is AffineModel
    np.testing.assert_array_equal(total.M, B.concatenate(A).M)


def test_the_sum_of_nested_lists_that_are_not_affine_is_a_polynomial():
    for nested in ([A, [Q]], [TransformList([Q]), A], [[Q, [A]]]):
        total = estimate_transformsum(nested, MANY, order=2)
        assert type(total) is Polynomial2DTransform
        np.testing.assert_allclose(total.tform(MANY), estimate_dstpts(nested, MANY), atol=1e-8)
    assert estimate_transformsum([A, Q], MANY, order=3).order == 3
    with pytest.raises(ConversionError, match="src="):
        estimate_transformsum([A, Q])
    with pytest.raises(EstimationError):
        estimate_transformsum([A, Q], P, order=2)


# ------------------------------------------------------------------------------------------ lists


def test_lists_keep_the_list_that_they_were_given():
    tforms = [A]
    transform = TransformList(tforms, transformId="t")
    assert transform.tforms is tforms
    tforms.append(B)
    assert transform.to_dict() == {"type": "list", "specList": [LEAF, B.to_dict()], "id": "t"}
    assert json.loads(transform.to_json()) == transform.to_dict()
    assert TransformList((A, B)).tforms == [A, B]
    transform.labels = ["m"]
    assert repr(transform) == f"TransformList([{A!r}, {B!r}], transformId='t', labels=['m'])"
    with pytest.raises(RenderError, match="unexpected type"):
        TransformList(tforms=3)


def test_lists_map_points_both_ways():
    transform = TransformList([A, TransformList([B])])
    np.testing.assert_array_equal(transform.tform(P), B.tform(A.tform(P)))
    np.testing.assert_allclose(transform.inverse_tform(transform.tform(P)), P, atol=1e-9)
    mapped = TransformList().tform(P)
    assert mapped is not P
    np.testing.assert_array_equal(mapped, P)
    with pytest.raises(SpecError, match="cannot be evaluated backwards"):
        TransformList([Transform("c", "d")]).inverse_tform(P)


def test_equality_of_composites():
    assert TransformList([A]) == TransformList([AffineModel(1, 2, 3, 4, 5, 6)])
    assert TransformList([A]) != TransformList([B])
    assert TransformList([A]) != [A]
    assert ReferenceTransform("x") == ReferenceTransform("x")
    assert ReferenceTransform("x") != ReferenceTransform("y")
    assert len({ReferenceTransform("x"), ReferenceTransform("x")}) == 1
    assert InterpolatedTransform(A, B, 0.5) == InterpolatedTransform(A, B, 0.5)
    assert InterpolatedTransform(A, B, 0.5) != InterpolatedTransform(A, B, 0.6)


def test_references_and_interpolations_as_text_and_pairs():
    reference = ReferenceTransform("x")
    assert str(reference) == repr(reference) == "ReferenceTransform(x)"
    assert list(reference) == [("type", "ref"), ("refId", "x")]
    assert not hasattr(reference, "tform")
    assert ReferenceTransform(refId="y", json=REFERENCE).refId == "x"
    between = InterpolatedTransform(json=BETWEEN)
    assert dict(between) == BETWEEN
    assert repr(between) == f"InterpolatedTransform(a={A!r}, b={B!r}, lambda_=0.25)"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"type": "list"}, "needs specList"),
        ({"type": "list", "specList": None}, "is no list"),
        (
            {"type": "list", "specList": [LEAF, None], "id": "l"},
            "A null spec is part of the transform spec list with id 'l'",
        ),
        ({"type": "ref"}, "needs refId"),
        ({"type": "interpolated", "a": LEAF, "b": LEAF}, "needs lambda"),
        ({"type": "interpolated", "a": LEAF, "lambda": 1}, "needs b"),
        (
            {"type": "list", "specList": [{"type": "interpolated", "a": 3, "b": LEAF, "lambda": 0}]},
            "JSON object",
        ),
    ],
)
def test_bad_documents(document, message):
    with pytest.raises(SpecError, match=message):
        load_transform_json(document)
    with pytest.raises(SpecError, match="JSON object"):
        TransformList(json=[LEAF])


# ----------------------------------------------------------------------------------------- points


SHARED = [AffineModel(transformId="x", B0=10), TransformList([ReferenceTransform("x"), A], transformId="y")]


@pytest.mark.parametrize(
    "reference_tforms", [SHARED, {t.transformId: t for t in SHARED}, [t.to_dict() for t in SHARED]]
)
def test_references_are_followed(reference_tforms):
    expected = A.tform(P + [10, 0]) + [10, 0]
    transforms = [ReferenceTransform("y"), [ReferenceTransform("x")]]
    np.testing.assert_array_equal(estimate_dstpts(transforms, P, reference_tforms), expected)
    np.testing.assert_array_equal(
        estimate_dstpts(transforms, src=P, reference_tforms=reference_tforms), expected
    )
    between = InterpolatedTransform(ReferenceTransform("x"), ReferenceTransform("y"), 0.5)
    resolved = resolve_references([between], reference_tforms)
    assert isinstance(resolved[0].a, AffineModel)
    assert isinstance(resolved[0].b, TransformList)
    np.testing.assert_array_equal(
        estimate_dstpts([between], P, reference_tforms),
        (P + [10, 0]) + 0.5 * (A.tform(P + [10, 0]) - (P + [10, 0])),
    )
    plain = InterpolatedTransform(A, B, 0.5)
    assert resolve_references([plain])[0] is plain


@pytest.mark.parametrize(
    ("shared", "message"),
    [
        (None, "give the shared transforms"),
        ([], "'y' that is not given"),
        ([TransformList([ReferenceTransform("y")], transformId="y")], "refers to itself"),
        (
            [TransformList([ReferenceTransform("z")], "y"), TransformList([[ReferenceTransform("y")]], "z")],
            "refers to itself",
        ),
    ],
)
def test_references_to_nowhere(shared, message):
    with pytest.raises(RenderError, match=message):
        estimate_dstpts([ReferenceTransform("y")], P, shared)


def test_what_cannot_be_evaluated():
    with pytest.raises(SpecError, match="transform class 'c' cannot be evaluated"):
        estimate_dstpts([A, Transform("c", "d")], P)
    with pytest.raises(SpecError, match="'c' cannot be evaluated"):
        estimate_transformsum([A, Transform("c", "d")], P)
    with pytest.raises(SpecError, match="'int' cannot be evaluated"):
        estimate_dstpts([3], P)
    with pytest.raises(ConversionError, match="src="):
        estimate_dstpts([A])
    with pytest.raises(ConversionError):
        estimate_dstpts([A], [[1, 2, 3]])


def test_points_are_not_changed():
    before = P.copy()
    mapped = estimate_dstpts([], P)
    mapped += 1
    np.testing.assert_array_equal(P, before)
    np.testing.assert_array_equal(estimate_dstpts(TransformList([A]), P), A.tform(P))


def test_foreign_transforms_are_used_by_their_method():
    class Shift:
        def tform(self, points):
            return points + 1

    np.testing.assert_array_equal(estimate_dstpts([Shift(), A], P), A.tform(P + 1))


def test_sums_without_points():
    assert estimate_transformsum([]).M.tolist() == np.eye(3).tolist()
    total = estimate_transformsum([RigidModel(), TranslationModel(B0=3)])
    assert type(total) is AffineModel
    assert total.M[0, 2] == 3


@pytest.mark.parametrize(
    "document",
    [A.to_dict(), InterpolatedTransform(A, B, 0.5).to_dict(), TransformList([A]).to_dict()],
    ids=["leaf", "interpolation", "list"],
)
def test_documents_among_transforms_are_told_of(document):
    with pytest.raises(SpecError, match="'dict' cannot be evaluated"):
        estimate_dstpts([document], P)
