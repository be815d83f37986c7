"""Least squares fits against mpicbg, and what cannot be fitted."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from renderapi.errors import EstimationError
from renderapi.transform import (
    AffineModel,
    Polynomial2DTransform,
    RigidModel,
    SimilarityModel,
    ThinPlateSplineTransform,
    TranslationModel,
    least_squares,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "original" / "modelfit.json.gz"
with gzip.open(GOLDEN) as file:
    CASES = json.load(file)["cases"]
MODELS = {
    "TranslationModel2D": (TranslationModel, "translation"),
    "RigidModel2D": (RigidModel, "rigid"),
    "SimilarityModel2D": (SimilarityModel, "similarity"),
    "AffineModel2D": (AffineModel, "affine"),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["unit", "weighted"])
def test_models_are_fitted_as_by_mpicbg(model, kind):
    cls, name = MODELS[model]
    exact = fitted = 0
    for case in CASES:
        if case["kind"] != "fit":
            continue
        p, q = np.array(case["p"]).T, np.array(case["q"]).T
        w = np.array(case["w"]) if kind == "weighted" else None
        want = case["fits"][kind][model]
        if "error" in want:
            with pytest.raises(EstimationError, match=r"needs at least|on one line|the same"):
                cls.fit(p, q, weights=w)
            continue
        m00, m10, m01, m11, m02, m12 = (float(v) for v in want["params"])
        with np.errstate(all="ignore"):
            got = least_squares.fit_points(name, p, q, w)
        np.testing.assert_array_equal(got, [m00, m01, m10, m11, m02, m12])
        exact += 1
        try:
            transform = cls()
            M = transform.estimate(p, q, weights=w)
        except EstimationError:
            continue  # Java answers NaN, or what noise makes of points on a line
        np.testing.assert_array_equal(M, [[m00, m01, m02], [m10, m11, m12], [0, 0, 1]])
        assert transform.M is M
        fitted += 1
    assert exact >= 27
    assert fitted >= 20


def test_splines_are_fitted_as_by_jitk_tps():
    done = 0
    for case in CASES:
        if case["kind"] != "tps":
            continue
        src, dst = np.array(case["src"]).T, np.array(case["dst"]).T
        transform = ThinPlateSplineTransform()
        transform.estimate(src, dst, computeAffine=case["affine"])
        np.testing.assert_allclose(transform.tform(case["in"]), case["out"], atol=2e-8, rtol=0)
        np.testing.assert_allclose(transform.tform(src), dst, atol=1e-7, rtol=0)
        assert (transform.aMtx is None) == (not case["affine"])
        done += 1
    assert done >= 10


def test_weights_are_the_same_as_repeated_points():
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 100, (6, 2))
    q = p @ np.array([[1.1, 0.2], [-0.1, 0.9]]) + rng.normal(size=p.shape)
    times = np.array([1, 2, 3, 1, 2, 3])
    repeated = np.repeat(p, times, axis=0), np.repeat(q, times, axis=0)
    for cls in (TranslationModel, RigidModel, SimilarityModel, AffineModel):
        np.testing.assert_allclose(cls.fit(p, q, weights=times), cls.fit(*repeated), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        Polynomial2DTransform.fit(p, q, order=1, weights=times),
        Polynomial2DTransform.fit(*repeated, order=1),
        rtol=1e-9,
        atol=1e-9,
    )


SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
LINE = np.column_stack([np.arange(5.0), np.arange(5.0) * 0.1 + 1e5])


@pytest.mark.parametrize(
    ("cls", "p", "q", "weights", "message"),
    [
        (TranslationModel, np.zeros((0, 2)), np.zeros((0, 2)), None, "at least 1"),
        (RigidModel, SQUARE[:1], SQUARE[:1], None, "at least 2"),
        (SimilarityModel, SQUARE[:1], SQUARE[:1], None, "at least 2"),
        (AffineModel, SQUARE[:2], SQUARE[:2], None, "at least 3"),
        (AffineModel, LINE, LINE, None, "on one line"),
        (AffineModel, SQUARE[[0, 0, 0]], SQUARE[:3], None, "all points are the same"),
        (RigidModel, SQUARE[[1, 1, 1]], SQUARE[:3], None, "all points are the same"),
        (RigidModel, SQUARE[:3], SQUARE[[1, 1, 1]], None, "do not determine a rotation"),
        (AffineModel, SQUARE, SQUARE[:3], None, "shape mismatch"),
        (AffineModel, SQUARE[:, :1], SQUARE, None, "must be of shape"),
        (AffineModel, SQUARE, [["a", "b"]] * 4, None, "must be numbers"),
        (AffineModel, SQUARE, SQUARE * np.nan, None, "not finite"),
        (AffineModel, SQUARE * 1e200, SQUARE * 1e200, None, "cannot be estimated"),
        (RigidModel, SQUARE, SQUARE, [1, 1], "as many weights"),
        (RigidModel, SQUARE, SQUARE, [0, 0, 0, 0], "not all zero"),
        (RigidModel, SQUARE, SQUARE, [1, 1, -1, 1], "must be positive"),
        (AffineModel, SQUARE, SQUARE, [1, 1, 0, 0], "on one line"),
        (RigidModel, SQUARE, SQUARE, [1, 0, 0, 0], "all points are the same"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_what_does_not_determine_a_model_is_refused(cls, p, q, weights, message):
    with pytest.raises(EstimationError, match=message):
        cls.fit(p, q, weights=weights)
    transform = cls(B0=5.0)
    with pytest.raises(EstimationError):
        transform.estimate(p, q, weights=weights)
    assert transform.M[0, 2] == 5.0


def test_sums_run_in_the_order_of_the_points():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(1000, 5)) * 10.0 ** rng.integers(-8, 8, (1000, 5))
    expected = []
    for column in values.T:
        total = 0.0
        for value in column.tolist():
            total += value
        expected.append(total)
    for width in (1, 2, 3, 5):
        np.testing.assert_array_equal(least_squares.ordered_sum(values[:, :width].copy()), expected[:width])
    np.testing.assert_array_equal(least_squares.ordered_sum(values[:, 0].copy()), expected[0])
