"""Leaf transforms of any class, and their documents."""

import copy
import pickle

import numpy as np
import pytest

import renderapi
from renderapi.errors import ConversionError, EstimationError, RenderError, SpecError
from renderapi.transform import (
    AffineModel,
    Polynomial2DTransform,
    Transform,
    TransformList,
    load_leaf_json,
    load_transform_json,
)
from renderapi.transform.leaf.common import as_points, blocks, point_pairs
from renderapi.transform.leaf.transform import ParsedTransform
from renderapi.transform.leaf.utils import LEAF_CLASSES

UNKNOWN = {"type": "leaf", "className": "some.Class", "dataString": " 1,2;3  "}
EXAMPLES = {
    "mpicbg.trakem2.transform.AffineModel2D": "1.0 0.0 0.5 1.0 2.0 3.0",
    "mpicbg.trakem2.transform.TranslationModel2D": "1.0 2.0",
    "mpicbg.trakem2.transform.RigidModel2D": "0.5 1.0 2.0",
    "mpicbg.trakem2.transform.SimilarityModel2D": "0.5 0.25 1.0 2.0",
    "mpicbg.trakem2.transform.HomographyModel2D": "1.0 0.0 0.0 0.0 1.0 0.0 0.0 0.0 1.0",
    "mpicbg.trakem2.transform.PolynomialTransform2D": "0.0 1.0 0.0 0.0 0.0 1.0",
    "mpicbg.trakem2.transform.NonLinearCoordinateTransform": (
        "1 3 1.0 0.0 0.0 1.0 0.0 0.0 0.0 0.0 1.0 1.0 1.0 1.0 9 9"
    ),
    "mpicbg.trakem2.transform.MovingLeastSquaresTransform": "affine 2 1.0 1.0 2.0 3.0 4.0 1.0",
    "mpicbg.trakem2.transform.MovingLeastSquaresTransform2": "affine 2 1.0 1.0 2.0 3.0 4.0 1.0",
    "org.janelia.alignment.transform.ExponentialFunctionOffsetTransform": "1.0,2.0,3.0,0",
    "org.janelia.alignment.transform.ExponentialRecoveryOffsetTransform": "1.0,2.0,3.0,0",
    "org.janelia.alignment.transform.ExponentialFunctionOffsetTransformWithWrongSign": "1.0,2.0,3.0,0",
    "org.janelia.alignment.transform.StageCreepCorrectionTransform": "1.0,2.0,3.0,4.0,1",
    "org.janelia.alignment.transform.SEMDistortionTransformA": "1.0,2.0,3.0,4.0,1",
}


@pytest.mark.parametrize(
    "document", [UNKNOWN, *({"type": "leaf", "className": k, "dataString": v} for k, v in EXAMPLES.items())]
)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"id": "i"},
        {"metaData": {"labels": ["lens", "a"]}},
        {"metaData": {"labels": []}},
        {"metaData": {}},
        {"metaData": None},
        {"metaData": {"labels": ["a"], "note": {"b": [1]}}},
        {"metaData": {"note": 1}, "id": "q", "other": {"c": [1, 2]}, "z": None},
    ],
)
def test_documents_survive_unchanged(document, more):
    document = {**document, **more}
    before = copy.deepcopy(document)
    transform = load_transform_json(document)
    written = transform.to_dict()
    assert written == document
    assert document == before
    if more:
        # what is written may be changed without changing the transform
        for value in written.values():
            if isinstance(value, dict):
                value["new"] = 1
        assert transform.to_dict() == document
    for other in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform)), copy.copy(transform)):
        assert other.to_dict() == document
        assert other == transform
    transform.from_dict({key: document[key] for key in ("type", "className", "dataString")})
    assert set(transform.to_dict()) == {"type", "className", "dataString"}


def test_examples_cover_all_classes_with_plain_parameters():
    others = {
        "ThinPlateSplineTransform",
        "AffineWarpFieldTransform",
        "nonLinearTransform",
        "NonLinearTransform",
    }
    assert {name for name in LEAF_CLASSES if name.rpartition(".")[2] not in others} == set(EXAMPLES)
    for name, cls in LEAF_CLASSES.items():
        assert cls.className == name


def test_labels_belong_to_the_transform():
    document = {**UNKNOWN, "metaData": {"labels": ["a"]}}
    transform = load_transform_json(document)
    transform.labels.append("b")
    assert document["metaData"] == {"labels": ["a"]}
    assert transform.to_dict()["metaData"] == {"labels": ["a", "b"]}
    assert Transform("c", "d", labels={"x"}).to_dict()["metaData"] == {"labels": ["x"]}


def test_a_transform_of_any_class():
    transform = Transform("c", "d", "i", ["l"])
    assert vars(transform) == {"className": "c", "dataString": "d", "transformId": "i", "labels": ["l"]}
    assert Transform().to_dict() == {"type": "leaf", "className": None, "dataString": None}
    assert str(transform) == "className:c\ndataString:d"
    assert repr(transform) == "Transform(className='c', dataString='d', transformId='i', labels=['l'])"
    assert "200 characters" in repr(Transform("c", "x" * 200))
    assert not hasattr(transform, "tform")


def test_equality_of_plain_transforms():
    a = Transform("c", "d", "i", ["l"])
    assert a == Transform("c", "d", "i", ["l"])
    assert hash(a) == hash(Transform("c", "d", "i", ["l"]))
    for other in (
        Transform("c", "d", "i"),
        Transform("c", "e", "i", ["l"]),
        Transform("c", "d", "j", ["l"]),
        3,
        None,
    ):
        assert a != other


@pytest.mark.parametrize(
    "loader",
    [
        load_transform_json,
        load_leaf_json,
        lambda d: Transform(json=d),
        lambda d: AffineModel(json=d),
        lambda d: Polynomial2DTransform(json=d),
    ],
)
def test_a_missing_key_is_named(loader):
    with pytest.raises(SpecError, match=r"no className defined for leaf transform spec with id 'i'"):
        loader({"type": "leaf", "dataString": "1", "id": "i"})
    with pytest.raises(SpecError, match=r"no dataString defined for leaf transform spec with id 'null'"):
        loader({"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D"})
    for document in (3, "x", [1]):
        with pytest.raises(SpecError, match="must be a JSON object"):
            loader(document)


def test_types():
    with pytest.raises(RenderError, match="Unknown Transform Type 'foo'"):
        load_transform_json({"type": "foo"})
    # render takes what it does not know for a leaf
    assert load_transform_json({**UNKNOWN, "type": "foo"}).to_dict() == UNKNOWN
    assert type(load_transform_json({"className": "c", "dataString": "d"})) is Transform
    assert load_transform_json({"refId": "x"}, default_type="ref").refId == "x"
    assert type(load_transform_json({"specList": []}, "list")) is TransformList
    for kind in ("list", "ref", "interpolated"):
        with pytest.raises(RenderError, match=f"Unexpected or unknown Transform Type {kind}"):
            load_leaf_json({"type": kind})
    with pytest.raises(SpecError, match="is no text"):
        load_leaf_json({"className": ["x"], "dataString": "d"})
    with pytest.raises(SpecError, match="no list"):
        load_leaf_json({**UNKNOWN, "metaData": {"labels": 5}})


def test_classes_are_the_same_under_all_their_names():
    transform = renderapi.transform
    assert transform.AffineModel is transform.leaf.AffineModel is transform.affine_models.AffineModel
    assert transform.leaf.affine_models is transform.affine_models
    assert transform.polynomial_models.LensCorrection is transform.LensCorrection
    assert transform.transform.Transform is transform.leaf.transform.Transform is Transform
    assert transform.transform.TransformList is TransformList
    assert transform.common.calc_first_order_properties is transform.leaf.common.calc_first_order_properties
    for name in transform.__all__:
        assert hasattr(transform, name)
    for name in transform.leaf.__all__:
        assert hasattr(transform.leaf, name)


def test_parsed_transforms_say_what_they_need():
    transform = ParsedTransform()
    for attempt in (
        lambda: transform.dataString,
        lambda: transform.tform([[0, 0]]),
        lambda: ParsedTransform("x"),
    ):
        with pytest.raises(NotImplementedError):
            attempt()


def test_point_arrays():
    array = np.zeros((3, 2))
    assert as_points(array) is array
    with pytest.raises(ConversionError, match=r"source points must be of shape \(:, 2\) -- got \(3,\)"):
        as_points([1, 2, 3], "source points")
    with pytest.raises(EstimationError, match="weights"):
        point_pairs(array, array, [1.0], 1, "a model")
    assert [s.stop for s in blocks(5, 2)] == [2, 4, 6]
    assert len(blocks(0, 2)) == 1
