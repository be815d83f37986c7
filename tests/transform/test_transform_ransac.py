"""Fits that leave out pairs which do not belong."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderapi.errors import EstimationError
from renderapi.transform import AffineModel, Ransac, RigidModel, SimilarityModel, TranslationModel, ransac

TRUE = {
    TranslationModel: AffineModel(1, 0, 0, 1, 50, -20),
    RigidModel: AffineModel(np.cos(0.1), -np.sin(0.1), np.sin(0.1), np.cos(0.1), 50, -20),
    SimilarityModel: AffineModel(1.2 * np.cos(0.1), -1.2 * np.sin(0.1), 1.2 * np.sin(0.1), 1.2 * np.cos(0.1)),
    AffineModel: AffineModel(1.1, 0.1, -0.2, 0.9, 50, -20),
}


def pairs(cls, good=60, bad=40, noise=0.5, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0, 2000, (good + bad, 2)) + offset
    q = TRUE[cls].tform(p) + rng.normal(scale=noise, size=p.shape)
    q[good:] += rng.choice([-1, 1], (bad, 2)) * rng.uniform(100, 900, (bad, 2))
    order = rng.permutation(len(p))
    return p[order], q[order], order < good


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("cls", TRUE)
def test_the_fit_is_that_of_the_pairs_that_belong(cls, offset):
    p, q, good = pairs(cls, offset=offset)
    ransac = Ransac(max_epsilon=10.0, max_trust=None)
    transform = cls()
    transform.estimate(p, q, ransac=ransac)
    np.testing.assert_array_equal(transform.inliers, good)
    np.testing.assert_array_equal(cls.fit(p, q, ransac=ransac), cls.fit(p[good], q[good]))
    alone = cls()
    alone.estimate(p[good], q[good])
    np.testing.assert_array_equal(transform.M, alone.M)
    assert transform.residuals(p[good], q[good]).max() < 3
    assert transform.residuals(p[~good], q[~good]).min() > 50
    # without, they spoil it; and what was kept before is not kept
    transform.estimate(p, q)
    assert transform.inliers is None
    assert np.median(transform.residuals(p[good], q[good])) > 3


@pytest.mark.parametrize("ransac", [True, {}, {"iterations": 200}, Ransac()])
def test_what_may_be_given(ransac):
    p, q, good = pairs(RigidModel)
    transform = RigidModel()
    assert transform.estimate(p, q, ransac=ransac) is transform.M
    assert good[transform.inliers].all()


@pytest.mark.parametrize("ransac", [None, False])
def test_not_wanted(ransac):
    p, q, _ = pairs(AffineModel)
    np.testing.assert_array_equal(AffineModel.fit(p, q, ransac=ransac), AffineModel.fit(p, q))


def test_rigid_models_can_be_asked_for_a_scale_and_the_other_way_round():
    p, q, good = pairs(SimilarityModel)
    for cls in (RigidModel, SimilarityModel):
        transform = cls()
        transform.estimate(p, q, rigid=False, ransac={"max_trust": None})
        np.testing.assert_array_equal(transform.inliers, good)
    p, q, good = pairs(RigidModel)
    transform = SimilarityModel()
    transform.estimate(p, q, rigid=True, ransac={"max_trust": None})
    np.testing.assert_array_equal(transform.inliers, good)
    assert np.linalg.det(transform.M) == pytest.approx(1.0)


def test_everything_about_the_fit_is_of_the_pairs_that_belong():
    p, q, good = pairs(AffineModel)
    got = AffineModel.fit(p, q, return_all=True, ransac={"max_trust": None})
    for ours, alone in zip(got, AffineModel.fit(p[good], q[good], return_all=True)):
        np.testing.assert_array_equal(ours, alone)


def test_weights_count_in_the_fit_and_pairs_without_weight_not_at_all():
    p, q, good = pairs(AffineModel)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(p))
    weights[np.flatnonzero(good)[:10]] = 0.0
    transform = AffineModel()
    transform.estimate(p, q, weights=weights, ransac={"max_trust": None})
    np.testing.assert_array_equal(transform.inliers, good & (weights > 0))
    chosen = transform.inliers
    want = AffineModel.fit(p[chosen], q[chosen], weights=weights[chosen])
    np.testing.assert_array_equal(AffineModel.fit(p, q, weights=weights, ransac={"max_trust": None}), want)


def test_equal_seeds_give_equal_results_and_generators_go_on():
    p, q, _ = pairs(AffineModel, good=30, bad=70, noise=4.0)
    options = {"iterations": 3, "min_num_inliers": 3}
    first, again = (AffineModel.fit(p, q, ransac={**options, "rng": 5}) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    rng = np.random.default_rng(5)
    results = {AffineModel.fit(p, q, ransac={**options, "rng": rng}).tobytes() for _ in range(8)}
    assert len(results) > 1
    assert first.tobytes() in results


def test_pairs_that_are_much_worse_than_the_median_are_dropped():
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1000, (50, 2))
    q = TRUE[TranslationModel].tform(p) + rng.normal(scale=0.1, size=p.shape)
    q[:3] += 8.0  # within max_epsilon
    found = {}
    for trust in (None, 3.0):
        transform = TranslationModel()
        transform.estimate(p, q, ransac=Ransac(max_trust=trust))
        found[trust] = transform.inliers
    assert found[None].all()
    assert not found[3.0][:3].any()
    assert found[3.0].sum() >= 40
    distances = np.hypot(*(q - p - (q - p)[found[3.0]].mean(axis=0)).T)
    assert distances[found[3.0]].max() <= 3 * np.median(distances[found[3.0]])


@pytest.mark.parametrize("cls", TRUE)
def test_exact_pairs_all_belong(cls):
    p, q, good = pairs(cls, noise=0.0, offset=1e5)
    transform = cls()
    transform.estimate(p, q, ransac=True)
    np.testing.assert_array_equal(transform.inliers, good)


def test_what_gives_no_consensus_says_why():
    p, q, _ = pairs(AffineModel, good=10, bad=90)
    transform = AffineModel(B0=5.0)
    cases = [
        ({"min_inlier_ratio": 0.5}, r"at most 10 of 100 point pairs agree within 20.0 px .* 50 are needed"),
        ({"min_num_inliers": 11}, r"at most 10 of 100 .* 11 are needed"),
        ({"min_num_inliers": 101}, r"needs at least 101 point pairs with a weight, 100 given"),
        ({"max_trust": 1e-3}, r"of 10 of 100 point pairs .* within 0.001 times the median"),
    ]
    for options, message in cases:
        with pytest.raises(EstimationError, match=message):
            transform.estimate(p, q, ransac={"iterations": 5000, **options})
        with pytest.raises(EstimationError, match=message):
            AffineModel.fit(p, q, ransac={"iterations": 5000, **options})
    assert transform.M[0, 2] == 5.0
    assert transform.inliers is None


def test_points_on_a_line_have_no_affine_consensus():
    p = np.column_stack([np.arange(20.0), 2 * np.arange(20.0)])
    with pytest.raises(EstimationError, match=r"no consensus|on one line"):
        AffineModel.fit(p, p + 3, ransac=True)
    np.testing.assert_allclose(RigidModel.fit(p, p + 3, ransac=True)[:2, 2], 3, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"iterations": 0},
        {"max_epsilon": 0},
        {"min_inlier_ratio": 1.1},
        {"min_num_inliers": 0},
        {"max_trust": 0},
    ],
)
def test_parameters_out_of_range(options):
    [name] = options
    with pytest.raises(ValueError, match=f"{name}=.* is out of range"):
        TranslationModel.fit([[0, 0]], [[1, 1]], ransac=options)


def test_unknown_parameters():
    with pytest.raises(TypeError, match="epsilon"):
        TranslationModel.fit([[0, 0]], [[1, 1]], ransac={"epsilon": 3})


@given(st.integers(1, 3), st.integers(0, 5), st.integers(0, 2**32))
def test_minimal_sets_hold_different_pairs(size, more, seed):
    chosen = ransac._choices(np.random.default_rng(seed), size + more, size, 50)
    assert chosen.shape == (size, 50)
    assert chosen.min() >= 0
    assert chosen.max() < size + more
    assert all(len(set(column)) == size for column in chosen.T.tolist())


def test_minimal_sets_are_drawn_evenly():
    chosen = ransac._choices(np.random.default_rng(0), 5, 3, 20_000)
    names, counts = np.unique(np.sort(chosen, axis=0).T @ [25, 5, 1], return_counts=True)
    assert len(names) == 10
    assert np.abs(counts - 2000).max() < 250


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(12, 60), st.integers(0, 30))
def test_never_worse_than_what_belongs(seed, good, bad):
    p, q, truth = pairs(RigidModel, good, bad, seed=seed)
    transform = RigidModel()
    transform.estimate(p, q, ransac={"max_trust": None})
    assert transform.inliers.sum() >= truth.sum()
    assert transform.residuals(p, q)[transform.inliers].max() < 20


def test_large_inputs_are_judged_in_blocks(monkeypatch):
    p, q, _ = pairs(AffineModel, noise=5.0)
    whole = AffineModel.fit(p, q, ransac=True)
    monkeypatch.setattr(ransac, "_BLOCK", 300)
    np.testing.assert_array_equal(AffineModel.fit(p, q, ransac=True), whole)


def test_many_pairs_are_quick():
    p, q, good = pairs(AffineModel, good=6000, bad=4000)
    start = time.perf_counter()
    transform = AffineModel()
    transform.estimate(p, q, ransac={"max_trust": None})
    assert time.perf_counter() - start < 10
    assert (transform.inliers == good).mean() > 0.999
