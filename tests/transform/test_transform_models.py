"""What the transforms have in common: residuals, identities, composition; fits of projective transforms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderapi.errors import ConversionError, EstimationError
from renderapi.transform import (
    AffineModel,
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
    estimate_dstpts,
    estimate_transformsum,
    load_transform_json,
)

WITH_IDENTITY = [
    AffineModel,
    TranslationModel,
    RigidModel,
    SimilarityModel,
    HomographyModel2D,
    Polynomial2DTransform,
    ThinPlateSplineTransform,
    NonLinearCoordinateTransform,
    NonLinearTransform,
    LensCorrection,
    TransformList,
]
POINTS = np.array([[0.0, 0.0], [100.0, 50.0], [-3.25, 1e6]])


@pytest.mark.parametrize("cls", WITH_IDENTITY)
def test_identities_change_nothing_and_can_be_written(cls):
    identity = cls.identity()
    assert type(identity) is cls
    np.testing.assert_array_equal(identity.tform(POINTS), POINTS)
    np.testing.assert_array_equal(identity.inverse_tform(POINTS), POINTS)
    np.testing.assert_array_equal(identity.residuals(POINTS, POINTS), [0, 0, 0])
    again = load_transform_json(identity.to_dict())
    np.testing.assert_array_equal(again.tform(POINTS), POINTS)
    assert again.to_dict() == identity.to_dict()
    assert repr(identity)


@pytest.mark.parametrize(
    "transform",
    [
        AffineModel(B0=3.0, B1=4.0),
        TransformList([AffineModel(B0=3.0), AffineModel(B1=4.0)]),
        InterpolatedTransform(AffineModel(), AffineModel(B0=6.0, B1=8.0), 0.5),
        Polynomial2DTransform(params=[[3.0, 1.0, 0.0], [4.0, 0.0, 1.0]]),
    ],
)
def test_residuals_are_distances(transform):
    found = transform.residuals(POINTS[:2], POINTS[:2])
    np.testing.assert_array_equal(found, [5.0, 5.0])
    assert found.dtype == np.float64
    assert transform.residuals(np.empty((0, 2)), np.empty((0, 2))).shape == (0,)
    assert transform.residuals([[1, 2]], [[4, 6]]).tolist() == [0.0]
    for src, dst in ((POINTS, POINTS[:2]), (POINTS.T[:2, :3], POINTS), (POINTS, 3.0)):
        with pytest.raises(ConversionError):
            transform.residuals(src, dst)


def test_what_cannot_be_evaluated_has_no_residuals():
    assert not hasattr(ReferenceTransform("lens"), "residuals")
    assert not hasattr(Transform("my.own", "1"), "residuals")


def test_lists_are_put_before_lists():
    move, turn = AffineModel(B0=5.0, transformId="move"), AffineModel(0, -1, 1, 0)
    bend = Polynomial2DTransform(params=[[0, 1, 0, 1e-4, 0, 0], [0, 0, 1, 0, 0, 0]])
    first, then = TransformList([bend, move], transformId="first"), TransformList([turn])
    both = then.concatenate(first)
    assert both.tforms == [bend, move, turn]
    assert both.transformId is None
    assert (first.tforms, then.tforms) == ([bend, move], [turn])
    np.testing.assert_array_equal(both.tform(POINTS), turn.tform(move.tform(bend.tform(POINTS))))
    np.testing.assert_array_equal(both.tform(POINTS), estimate_dstpts([first, then], POINTS))
    assert then.concatenate(move).tforms == [move, turn]
    assert TransformList.identity().concatenate(then) == then
    affine = TransformList([turn]).concatenate(move)
    assert estimate_transformsum(affine) == turn.concatenate(AffineModel(B0=5.0))


PROJECTIVE = HomographyModel2D(M=[[1.1, 0.05, 30.0], [-0.02, 0.95, -12.0], [2e-5, -1e-5, 1.0]])


def test_projective_transforms_are_composed():
    affine = AffineModel(1.1, 0.2, -0.1, 0.9, 5.0, 6.0)
    for first in (affine, PROJECTIVE):
        both = PROJECTIVE.concatenate(first)
        np.testing.assert_allclose(both.tform(POINTS), PROJECTIVE.tform(first.tform(POINTS)), rtol=1e-12)
    np.testing.assert_allclose(
        PROJECTIVE.concatenate(PROJECTIVE.invert()).tform(POINTS), POINTS, rtol=1e-9, atol=1e-9
    )


@given(st.integers(0, 2**32), st.integers(4, 30), st.sampled_from([0.0, 1e4]), st.booleans())
def test_projective_transforms_are_found_again(seed, count, offset, weighted):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0, 2000, (count, 2)) + offset
    p[:4] = np.array([[0, 0], [2000, 0], [2000, 2000], [0, 2000]]) + offset
    q = PROJECTIVE.tform(p)
    weights = rng.uniform(0.1, 5, count) if weighted else None
    transform = HomographyModel2D()
    assert transform.estimate(p, q, weights=weights) is transform.M
    assert transform.M[2, 2] == 1.0
    assert transform.residuals(p, q).max() < 1e-6
    assert HomographyModel2D().estimate(p, q, return_params=False) is None


def test_pairs_without_weight_do_not_count_in_projective_fits():
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 2000, (20, 2))
    q = PROJECTIVE.tform(p)
    q[:5] += 300
    weights = np.r_[np.zeros(5), np.ones(15)]
    np.testing.assert_allclose(HomographyModel2D.fit(p, q, weights), PROJECTIVE.M, atol=1e-7)
    # noise is averaged, not followed
    noisy = PROJECTIVE.tform(p) + rng.normal(size=p.shape)
    fitted = HomographyModel2D(M=HomographyModel2D.fit(p, noisy))
    assert 0.3 < np.sqrt((fitted.residuals(p, noisy) ** 2).mean()) < 1.6


def test_projective_transforms_that_send_the_origin_away():
    away = HomographyModel2D(M=[[1, 0, 5], [0, 1, 7], [1e-3, 0, 0]])
    p = np.array([[100.0, 0], [2000, 30], [1900, 2000], [300, 1800], [900, 900]])
    fitted = HomographyModel2D(M=HomographyModel2D.fit(p, away.tform(p)))
    np.testing.assert_allclose(fitted.tform(p), away.tform(p), rtol=1e-8)


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([[0, 0], [1, 0], [1, 1]], "at least 4"),
        ([[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]], "no three are on one line"),
        ([[0, 0], [1, 1], [2, 2], [5, 1]], "no three are on one line"),
        ([[2, 2]] * 5, "all points are the same"),
        ([[0, 0], [1, 0], [1, 1], [0, np.nan]], "not finite"),
    ],
)
def test_what_does_not_determine_a_projective_transform(p, message):
    transform = HomographyModel2D()
    with pytest.raises(EstimationError, match=message):
        transform.estimate(p, np.array(p) + 1.0)
    np.testing.assert_array_equal(transform.M, np.eye(3))
