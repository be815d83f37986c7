"""Properties of every transform class: what is written is read back, and points come back."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import renderapi.transform
from renderapi.geometry import _boxes, bounding_boxes
from renderapi.transform import (
    AffineModel,
    AffineWarpFieldTransform,
    HomographyModel2D,
    InterpolatedTransform,
    LensCorrection,
    NonLinearCoordinateTransform,
    NonLinearTransform,
    Polynomial2DTransform,
    ReferenceTransform,
    RigidModel,
    SimilarityModel,
    ThinPlateSplineTransform,
    Transform,
    TransformList,
    TranslationModel,
    load_transform_json,
)

numbers = st.floats(-1e9, 1e9)
small = st.floats(-0.2, 0.2)


@st.composite
def lenses(draw, cls):
    dimension = draw(st.integers(1, 5))
    length = (dimension + 1) * (dimension + 2) // 2
    lens = cls.identity()
    lens.dimension, lens.length = dimension, length
    lens.beta = draw(arrays(float, (length, 2), elements=numbers))
    lens.normMean = draw(arrays(float, length, elements=numbers))
    lens.normVar = draw(arrays(float, length, elements=numbers.filter(bool)))
    lens.width, lens.height = draw(st.integers(0, 10**5)), draw(st.integers(0, 10**5))
    return lens


@st.composite
def splines(draw):
    count = draw(st.integers(1, 12))
    spline = ThinPlateSplineTransform.identity()
    spline.srcPts = draw(arrays(float, (2, count), elements=numbers))
    spline.dMtxDat = draw(arrays(float, (2, count), elements=numbers))
    spline.nLm = count
    if draw(st.booleans()):
        spline.aMtx = draw(arrays(float, (2, 2), elements=numbers))
        spline.bVec = draw(arrays(float, 2, elements=numbers))
    return spline


def polynomials():
    return st.integers(0, 4).flatmap(
        lambda order: arrays(float, (2, (order + 1) * (order + 2) // 2), elements=numbers).map(
            lambda params: Polynomial2DTransform(params=params)
        )
    )


affine = st.builds(AffineModel, *[numbers] * 6)
native = {TranslationModel: 2, RigidModel: 3, SimilarityModel: 4}
EVERY = {
    "AffineModel": affine,
    **{
        cls.__name__: st.lists(st.floats(-1e6, 1e6, width=32), min_size=n, max_size=n).map(
            lambda v, cls=cls: cls(json={"className": cls.className, "dataString": " ".join(map(repr, v))})
        )
        for cls, n in native.items()
    },
    "HomographyModel2D": arrays(float, (3, 3), elements=numbers).map(lambda M: HomographyModel2D(M=M)),
    "Polynomial2DTransform": polynomials(),
    "ThinPlateSplineTransform": splines(),
    "NonLinearCoordinateTransform": lenses(NonLinearCoordinateTransform),
    "NonLinearTransform": lenses(NonLinearTransform),
    "LensCorrection": lenses(LensCorrection),
    "Transform": st.builds(Transform, st.text(min_size=1), st.text()),
    "ReferenceTransform": st.builds(ReferenceTransform, st.text(min_size=1)),
    "InterpolatedTransform": st.builds(InterpolatedTransform, affine, polynomials(), st.floats(0, 1)),
    "TransformList": st.lists(st.one_of(affine, polynomials(), st.builds(ReferenceTransform, st.text())))
    .map(TransformList),
}  # fmt: skip

annotations = st.fixed_dictionaries(
    {},
    optional={"id": st.text(min_size=1), "metaData": st.fixed_dictionaries({"labels": st.lists(st.text())})},
)


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=50)
@given(st.data())
def test_what_is_written_is_read_back(name, data):
    transform = data.draw(EVERY[name])
    # as it travels: through JSON, with what else documents have
    document = json.loads(json.dumps({**transform.to_dict(), **data.draw(annotations)}))
    again = load_transform_json(document)
    assert again.to_dict() == document
    assert load_transform_json(again.to_dict()) == again
    if "id" not in document and "metaData" not in document:
        assert again == transform or type(again) is not type(transform)
    if hasattr(transform, "tform") and '"ref"' not in json.dumps(document):
        points = np.array([[0.0, 0.0], [10.0, -3.5], [1e4, 2e4]])
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(again.tform(points), transform.tform(points))


def test_no_class_is_forgotten():
    classes = {
        name for name in renderapi.transform.__all__ if hasattr(getattr(renderapi.transform, name), "to_dict")
    }
    # the written forms of these are compared with those of Java: test_transform_golden.py
    by_text = {
        "AffineWarpFieldTransform", "ExponentialFunctionOffsetTransform", "ExponentialRecoveryOffsetTransform",
        "ExponentialFunctionOffsetTransformWithWrongSign", "StageCreepCorrectionTransform",
        "MovingLeastSquaresTransform", "MovingLeastSquaresTransform2", "SEMDistortionTransformA",
    }  # fmt: skip
    assert classes - by_text == set(EVERY)
    assert issubclass(AffineWarpFieldTransform, Transform)


# transforms as they occur: not far from the identity, over a tile
grid = np.stack(np.meshgrid(np.linspace(0, 2000, 5), np.linspace(0, 2000, 5)), axis=-1).reshape(-1, 2)
near_affine = st.builds(
    lambda a, b, c, d, e, f: AffineModel(1 + a, b, c, 1 + d, 1e4 * e, 1e4 * f), *[small] * 6
)
BENT = {
    "affine": near_affine,
    "projective": st.builds(
        lambda m, g, h: HomographyModel2D(M=[*m.M[:2].tolist(), [g * 1e-3, h * 1e-3, 1.0]]),
        near_affine, small, small,
    ),
    "polynomial": st.builds(
        lambda m, v: Polynomial2DTransform(params=np.column_stack([m.M[:2, [2, 0, 1]], v * 5e-5])),
        near_affine, arrays(float, (2, 3), elements=small),
    ),
    "spline": st.builds(
        lambda m, v: ThinPlateSplineTransform(dataString=_spline(m.tform(grid) + 100 * v)),
        near_affine, arrays(float, (25, 2), elements=small),
    ),
}  # fmt: skip
BENT["list"] = st.builds(lambda *t: TransformList(list(t)), BENT["polynomial"], BENT["affine"])
BENT["interpolated"] = st.builds(InterpolatedTransform, BENT["affine"], BENT["polynomial"], st.floats(0, 1))


def _spline(target):
    spline = ThinPlateSplineTransform()
    spline.estimate(grid, target)
    return spline.dataString


@pytest.mark.parametrize("name", BENT)
@settings(max_examples=40)
@given(st.data())
def test_points_come_back(name, data):
    transform = data.draw(BENT[name])
    points = data.draw(arrays(float, (7, 2), elements=st.floats(0, 2000)))
    np.testing.assert_allclose(transform.inverse_tform(transform.tform(points)), points, atol=1e-3)
    np.testing.assert_allclose(transform.residuals(points, transform.tform(points)), 0.0)


@pytest.mark.parametrize("name", BENT)
@settings(max_examples=25)
@given(st.data(), st.integers(1, 3000), st.integers(1, 3000))
def test_boxes_contain_the_border(name, data, width, height):
    transform = data.draw(BENT[name])
    document = {
        "tileId": "t", "width": width, "height": height, "meshCellSize": 64.0,
        "transforms": {"type": "list", "specList": [transform.to_dict()]},
    }  # fmt: skip
    [[min_x, min_y, max_x, max_y]] = bounding_boxes([document])
    x, y = transform.tform(_boxes.border_samples(float(width), float(height), 64.0)).T
    # minima are truncated toward zero, maxima are a whole number of pixels from there
    assert np.trunc(x.min()) == min_x
    assert np.trunc(y.min()) == min_y
    # (the two round the border differently, so 3529 may be 3528.9999999999995 to the other)
    assert max_x > x.max() - 1 - 1e-9 * abs(x).max()
    assert max_y > y.max() - 1 - 1e-9 * abs(y).max()
