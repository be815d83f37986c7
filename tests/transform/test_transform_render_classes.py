"""The classes that render adds: homography, moving least squares, exponential corrections, warp fields."""

import numpy as np
import pytest

from renderapi.errors import EstimationError, SpecError
from renderapi.transform import (
    AffineModel,
    AffineWarpFieldTransform,
    ExponentialFunctionOffsetTransform,
    ExponentialRecoveryOffsetTransform,
    HomographyModel2D,
    MovingLeastSquaresTransform,
    MovingLeastSquaresTransform2,
    RigidModel,
    SEMDistortionTransformA,
    SimilarityModel,
    TranslationModel,
    load_transform_json,
)
from renderapi.utils import encodeBase64

RNG = np.random.default_rng(0)
P = RNG.uniform(0, 1000, (50, 2))
LINEAR = "net.imglib2.interpolation.randomaccess.NLinearInterpolatorFactory"
NEAREST = "net.imglib2.interpolation.randomaccess.NearestNeighborInterpolatorFactory"


def refused(cls, text, message):
    with pytest.raises(SpecError, match=message):
        load_transform_json({"className": cls.className, "dataString": text})


# ------------------------------------------------------------------------------------- homography


def test_homography():
    transform = HomographyModel2D("1 0.1 5 -0.1 1 6 1e-4 2e-4 1", transformId="h")
    w = 1e-4 * P[:, 0] + 2e-4 * P[:, 1] + 1
    expected = np.column_stack([P[:, 0] + 0.1 * P[:, 1] + 5, -0.1 * P[:, 0] + P[:, 1] + 6]) / w[:, None]
    np.testing.assert_allclose(transform.tform(P), expected, rtol=1e-14)
    np.testing.assert_allclose(transform.inverse_tform(transform.tform(P)), P, atol=1e-9)
    np.testing.assert_allclose(transform.invert().tform(transform.tform(P)), P, atol=1e-9)
    transform.M[0, 2] = 7.0
    again = load_transform_json(transform.to_dict())
    assert again == transform
    assert hash(again) == hash(transform)
    assert again.M[0, 2] == 7.0
    np.testing.assert_array_equal(HomographyModel2D().tform(P), P)
    assert (
        repr(HomographyModel2D())
        == "HomographyModel2D(M=[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])"
    )


def test_homography_at_its_limits():
    refused(HomographyModel2D, "1 2 3 4 5 6 7 8", "9 numbers are needed, 8 found")
    horizon = HomographyModel2D(M=[[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    assert np.isinf(horizon.tform([[0.0, 1.0]])[0, 1])
    with pytest.raises(EstimationError, match="singular"):
        HomographyModel2D(M=np.ones((3, 3))).inverse_tform(P)


# --------------------------------------------------------------------------- moving least squares

MATCHES = np.column_stack(
    [P[:12], P[:12] @ [[0.9, 0.1], [-0.1, 0.9]] + RNG.normal(size=(12, 2)), np.ones(12)]
)
MATCHES = MATCHES.astype(np.float32).astype(np.float64)


def matches_text(model, alpha=1.0, matches=MATCHES):
    return f"{model} 2 {alpha} {' '.join(map(repr, matches.ravel().tolist()))}"


@pytest.mark.parametrize("cls", [MovingLeastSquaresTransform, MovingLeastSquaresTransform2])
@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
def test_moving_least_squares(cls, model):
    transform = cls(matches_text(model))
    assert (transform.model, transform.alpha) == (model, 1.0)
    # a match is mapped exactly; elsewhere the weighted fit counts
    np.testing.assert_array_equal(transform.tform(MATCHES[:, :2]), MATCHES[:, 2:4])
    location = np.array([[333.0, 444.0]])
    weights = MATCHES[:, 4] / ((MATCHES[:, :2] - location) ** 2).sum(axis=1)
    fitted = {
        "translation": TranslationModel,
        "rigid": RigidModel,
        "similarity": SimilarityModel,
        "affine": AffineModel,
    }
    there = AffineModel()
    there.M = fitted[model]().estimate(MATCHES[:, :2], MATCHES[:, 2:4], weights=weights)
    np.testing.assert_allclose(transform.tform(location), there.tform(location), rtol=1e-6)
    many = RNG.uniform(0, 1000, (3001, 2))
    got = transform.tform(many)
    for row in (0, 1, 1500, 3000):
        np.testing.assert_array_equal(transform.tform(many[row : row + 1])[0], got[row])
    again = load_transform_json(transform.to_dict())
    assert again == transform
    np.testing.assert_array_equal(again.tform(many), got)
    assert f"model='{model}', alpha=1.0, 12 matches" in repr(transform)
    if cls is MovingLeastSquaresTransform:
        near = MATCHES[:, :2].mean(axis=0) + RNG.normal(size=(5, 2))
        np.testing.assert_allclose(transform.inverse_tform(transform.tform(near)), near, atol=1e-4)


@pytest.mark.parametrize(("model", "count"), [("rigid", 1), ("similarity", 1), ("affine", 2)])
def test_too_few_matches_leave_locations_where_they_are(model, count):
    transform = MovingLeastSquaresTransform2(matches_text(model, matches=MATCHES[:count]))
    np.testing.assert_array_equal(transform.tform(P[20:]), P[20:])
    np.testing.assert_array_equal(transform.tform(MATCHES[:1, :2]), MATCHES[:1, 2:4])


def test_single_precision_is_that_of_the_class():
    text = "rigid 2 0.1 1.1 2.2 3.3 4.4 0.7 5.5 6.6 7.7 8.8 0.9"
    assert MovingLeastSquaresTransform(text).dataString == text
    single = MovingLeastSquaresTransform2(text)
    assert single.dataString == text
    assert single.p[0, 0] == float(np.float32(1.1))
    assert single.alpha == float(np.float32(0.1))


def test_bad_matches():
    for text in ("rigid 2 1.0", "rigid 2 1.0 1 2 3 4", "rigid 2", ""):
        refused(MovingLeastSquaresTransform, text, "5 for every match")
    refused(MovingLeastSquaresTransform2, "bent 2 1.0 1 2 3 4 5", "no model 'bent'")
    refused(MovingLeastSquaresTransform2, "affine 3 1.0 1 2 3 4 5", "of 3 dimensions")
    empty = MovingLeastSquaresTransform()
    assert empty.dataString is None
    assert empty == MovingLeastSquaresTransform()
    assert repr(empty) == "MovingLeastSquaresTransform()"


# ------------------------------------------------------------------------ functions of a dimension


@pytest.mark.parametrize(
    ("cls", "coefficients", "function"),
    [
        (ExponentialFunctionOffsetTransform, [20.0, 0.01, 3.0], lambda v: v - (20 * np.exp(-0.01 * v) + 3)),
        (
            ExponentialRecoveryOffsetTransform,
            [20.0, 0.01, 3.0],
            lambda v: v - (20 * (1 - np.exp(-0.01 * v)) + 3),
        ),
        (
            SEMDistortionTransformA,
            [20.0, 60.0, 5.0, 900.0],
            lambda v: v + 20 * np.exp(-v / 60) + 5 * np.exp(-v / 900),
        ),
    ],
)
@pytest.mark.parametrize("dimension", [0, 1])
def test_functions_of_one_dimension(cls, coefficients, function, dimension):
    text = ",".join(map(repr, coefficients)) + f",{dimension}"
    for spelling in (text, text.replace(",", " , "), text.replace(",", " ")):
        transform = cls(spelling)
        assert transform.dataString == text
    assert (transform.coefficients, transform.dimension) == (coefficients, dimension)
    got = transform.tform(P)
    np.testing.assert_allclose(got[:, dimension], function(P[:, dimension]), rtol=1e-12)
    np.testing.assert_array_equal(got[:, 1 - dimension], P[:, 1 - dimension])
    np.testing.assert_allclose(transform.inverse_tform(got), P, atol=1e-6)
    assert load_transform_json(transform.to_dict()) == transform
    assert f"coefficients={coefficients}, dimension={dimension}" in repr(transform)
    assert repr(cls()) == f"{cls.__name__}()"
    assert cls().dataString is None
    refused(
        cls, "1,2", rf"must contain {len(coefficients) + 1} comma separated values .* found 2 values instead"
    )
    refused(cls, text[:-1] + "2", "dimension must be 0")
    refused(cls, text.replace("20.0", "x"), "For input string")


# ------------------------------------------------------------------------------------- warp fields


def field(rows, columns, interpolator=LINEAR, encoding="none"):
    values = np.zeros((6, rows, columns))
    values[0] = values[3] = 1
    values += RNG.normal(size=values.shape) * [[[1e-3]], [[1e-3]], [[1e-3]], [[1e-3]], [[5]], [[5]]]
    text = (
        encodeBase64(values.ravel()) if encoding == "base64" else " ".join(map(repr, values.ravel().tolist()))
    )
    return (
        values,
        f"100.0 200.0 {columns * 10.0} {rows * 20.0} {rows} {columns} {interpolator} {encoding} {text}",
    )


@pytest.mark.parametrize("encoding", ["none", "base64", "other"])
def test_warp_fields_are_exact_at_the_centres_of_cells(encoding):
    values, text = field(3, 4, encoding=encoding)
    transform = AffineWarpFieldTransform(text)
    np.testing.assert_array_equal(transform.values, values)
    assert (transform.offsetX, transform.offsetY, transform.width, transform.height) == (100, 200, 40, 60)
    for row, column in ((0, 0), (1, 2), (2, 3)):
        centre = np.array([[100 + 10 * column + 5, 200 + 20 * row + 10.0]])
        m00, m10, m01, m11, m02, m12 = values[:, row, column]
        np.testing.assert_allclose(
            transform.tform(centre), AffineModel(m00, m01, m10, m11, m02, m12).tform(centre)
        )
    # half way between, and far outside
    middle = np.array([[110.0, 220.0]])
    m00, m10, m01, m11, m02, m12 = values[:, :2, :2].mean(axis=(1, 2))
    np.testing.assert_allclose(
        transform.tform(middle), AffineModel(m00, m01, m10, m11, m02, m12).tform(middle)
    )
    outside = np.array([[-1e4, 1e5]])
    m00, m10, m01, m11, m02, m12 = values[:, 2, 0]
    np.testing.assert_allclose(
        transform.tform(outside), AffineModel(m00, m01, m10, m11, m02, m12).tform(outside)
    )


def test_nearest_cells():
    values, text = field(2, 2, NEAREST)
    transform = AffineWarpFieldTransform(text)
    point = np.array([[108.0, 222.0]])
    m00, m10, m01, m11, m02, m12 = values[:, 1, 0]
    np.testing.assert_array_equal(
        transform.tform(point), AffineModel(m00, m01, m10, m11, m02, m12).tform(point)
    )


def test_warp_fields_are_written_short():
    for rows, columns, encoding in ((2, 2, "none"), (3, 4, "base64")):
        transform = AffineWarpFieldTransform(field(rows, columns)[1])
        assert transform.dataString.split()[7] == encoding
        again = load_transform_json(transform.to_dict())
        assert again == transform
        assert hash(again) == hash(transform)
        np.testing.assert_array_equal(again.tform(P), transform.tform(P))
    assert repr(transform) == "AffineWarpFieldTransform(3 rows, 4 columns, NLinearInterpolatorFactory)"
    empty = AffineWarpFieldTransform()
    assert (empty.dataString, repr(empty), empty._values()) == (None, "AffineWarpFieldTransform()", None)


def test_warp_fields_backwards():
    transform = AffineWarpFieldTransform(field(2, 2)[1])
    inside = RNG.uniform([100, 200], [120, 240], (20, 2))
    np.testing.assert_allclose(transform.tform(transform.inverse_tform(inside)), inside, atol=1e-6)


def test_bad_warp_fields():
    text = field(1, 1)[1]
    refused(AffineWarpFieldTransform, "1 2 3 4 1 1 x none", "at least 8 fields")
    refused(AffineWarpFieldTransform, text + " 1", "to contain 14 fields but found 15")
    refused(AffineWarpFieldTransform, text.replace(LINEAR, "x"), "no interpolator 'x'")
    refused(AffineWarpFieldTransform, text.replace(" 1 1 ", " 0 1 "), "0 rows")
    refused(AffineWarpFieldTransform, text.replace("none", "base64"), "base64 block")
