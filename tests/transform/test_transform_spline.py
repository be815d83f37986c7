"""ThinPlateSplineTransform."""

import logging
import subprocess
import sys

import numpy as np
import pytest

from renderapi.errors import ConversionError, EstimationError, SpecError
from renderapi.transform import ThinPlateSplineTransform, _spline, load_transform_json
from renderapi.utils import encodeBase64

NAME = "mpicbg.trakem2.transform.ThinPlateSplineTransform"
RNG = np.random.default_rng(0)
SRC = RNG.uniform(0, 1000, (30, 2))
DST = SRC + RNG.normal(size=SRC.shape) * 5


@pytest.fixture
def spline():
    transform = ThinPlateSplineTransform()
    transform.estimate(SRC, DST)
    return transform


def test_refinement_adds_the_points_that_are_missed_most():
    src = ThinPlateSplineTransform.src_array(0, 0, 100, 100, 11, 11)
    dst = src.copy()
    bumps = [17, 44, 71, 103]
    dst[bumps] += [[20.0, 0], [3.0, 0], [2.0, 0], [10.0, 0]]
    corners = src[[0, 10, 110, 120]]
    refined = ThinPlateSplineTransform.mesh_refine(corners, src, dst, nworst=1, tol=5.0)
    landmarks = refined.srcPts.T.tolist()
    assert landmarks[4] == src[17].tolist()  # the worst comes first
    assert np.hypot(*(refined.tform(src) - dst).T).max() <= 5.0
    assert src[71].tolist() not in landmarks
    with pytest.raises(EstimationError, match=r"no thin plate spline within 0\.001 px after 1 rounds"):
        ThinPlateSplineTransform.mesh_refine(corners, src, dst, nworst=1, tol=1e-3, max_iter=1)


@pytest.mark.filterwarnings("error")
def test_an_inverse_converges_or_says_that_it_does_not(spline):
    # linear parts that are far from the identity
    for linear in ([[1.5, 0.5], [-0.5, 1.0]], [[-2.5, 0.0], [0.0, -2.2]], [[9.0, 0], [0, 9.0]]):
        transform = ThinPlateSplineTransform()
        transform.estimate(SRC, SRC @ (np.eye(2) + linear).T + RNG.normal(size=SRC.shape))
        np.testing.assert_allclose(transform.inverse_tform(transform.tform(SRC)), SRC, atol=1e-6)
    np.testing.assert_allclose(spline.gradient_descent(spline.tform(SRC)), SRC, atol=1e-7)
    folded = ThinPlateSplineTransform()
    folded.srcPts, folded.dMtxDat = np.zeros((2, 1)), np.zeros((2, 1))
    folded.aMtx, folded.bVec = -np.eye(2), np.zeros(2)  # everything goes to the origin
    with pytest.raises(EstimationError, match="2 of 2 points cannot be mapped backwards"):
        folded.inverse_tform([[1.0, 2.0], [3.0, 4.0]], max_iters=50)
    with pytest.raises(EstimationError, match=r"after 1 steps \(max_iters\)"):
        spline.inverse_tform(spline.tform(SRC + 17), max_iters=1, precision=1e-9)


def test_an_inverse_has_no_more_plain_steps_than_it_may_take():
    shrinking = ThinPlateSplineTransform.identity()
    shrinking.aMtx, shrinking.bVec = -0.5 * np.eye(2), np.zeros(2)  # each step halves what is missed
    target = [[512.0, 0.0], [0.0, -512.0]]
    with pytest.raises(EstimationError, match=r"2 of 2 points are not mapped backwards .* after 10 steps"):
        shrinking.inverse_tform(target, max_iters=10)
    found = shrinking.inverse_tform(target, max_iters=30)
    np.testing.assert_allclose(found, 2 * np.array(target), atol=1e-6)
    assert shrinking.inverse_tform(np.empty((0, 2))).shape == (0, 2)


def test_apply_takes_one_point_and_leaves_it_without_weights(spline):
    point = np.array([1.25, 40.5])
    np.testing.assert_array_equal(spline.apply(point), spline.tform(point[None])[0])
    del spline.dMtxDat
    np.testing.assert_array_equal(spline.apply(point), point)
    np.testing.assert_array_equal(spline.apply([point, 2 * point]), [point, 2 * point])


def test_nothing_is_printed_because_of_an_import():
    name = "renderapi.transform.leaf.thin_plate_spline"
    code = f"import logging, renderapi; logging.getLogger('{name}').warning('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    logger = logging.getLogger(name)
    assert not any(type(handler) is logging.StreamHandler for handler in logger.handlers)


def test_a_spline_goes_through_its_points(spline):
    np.testing.assert_allclose(spline.tform(SRC), DST, atol=1e-9)
    np.testing.assert_array_equal(spline.apply(SRC), spline.tform(SRC))
    assert (spline.ndims, spline.nLm, spline.srcPts.shape, spline.dMtxDat.shape) == (2, 30, (2, 30), (2, 30))
    assert (spline.aMtx.shape, spline.bVec.shape) == ((2, 2), (2,))
    # weights are at right angles to every affine function
    np.testing.assert_allclose(spline.dMtxDat @ np.column_stack([SRC, np.ones(30)]), 0, atol=1e-9)
    affine = spline.tform(SRC) - spline.computeDeformationContribution(SRC)
    np.testing.assert_allclose(affine, SRC + SRC @ spline.aMtx.T + spline.bVec, atol=1e-9)


def test_far_from_the_origin():
    shift = np.array([3e5, -2e5])
    transform = ThinPlateSplineTransform()
    transform.estimate(SRC + shift, DST + shift)
    np.testing.assert_allclose(transform.tform(SRC + shift), DST + shift, atol=1e-6, rtol=0)


def test_without_affine_part():
    transform = ThinPlateSplineTransform()
    transform.estimate(SRC / 100, DST / 100, computeAffine=False)
    assert transform.aMtx is None
    assert transform.bVec is None
    assert transform.dataString.split()[3] == "null"
    np.testing.assert_allclose(transform.tform(SRC / 100), DST / 100, atol=1e-8)
    again = load_transform_json(transform.to_dict())
    np.testing.assert_array_equal(again.tform(SRC), transform.tform(SRC))
    assert again.aMtx is None
    np.testing.assert_allclose(transform.inverse_tform(DST / 100), SRC / 100, atol=1e-4)


def test_writing_is_exact(spline):
    spline.transformId, spline.labels = "t", ["a"]
    again = load_transform_json(spline.to_dict())
    assert again == spline
    assert hash(again) == hash(spline)
    np.testing.assert_array_equal(again.tform(SRC), spline.tform(SRC))
    again.srcPts[0, 0] += 1  # arrays that were read can be edited
    assert again != spline
    assert (
        repr(spline) == "ThinPlateSplineTransform(30 landmarks, affine part, transformId='t', labels=['a'])"
    )


def test_made_by_hand():
    transform = ThinPlateSplineTransform()
    assert transform.to_dict() == {"type": "leaf", "className": NAME, "dataString": None}
    np.testing.assert_array_equal(transform.tform(SRC), SRC)
    np.testing.assert_array_equal(transform.computeDeformationContribution(SRC), 0 * SRC)
    np.testing.assert_allclose(transform.inverse_tform(SRC), SRC)
    with pytest.raises(ConversionError, match="no landmarks yet"):
        transform.adaptive_mesh_estimate()
    assert repr(transform) == "ThinPlateSplineTransform()"
    transform.ndims, transform.nLm = 2, 30
    transform.srcPts = SRC.T
    transform.dMtxDat = np.zeros((2, 30))
    transform.aMtx = [[0.5, 0], [0, 1]]
    transform.bVec = np.array([3, 4])
    np.testing.assert_allclose(transform.tform(SRC), SRC * [1.5, 2] + [3, 4])
    np.testing.assert_array_equal(load_transform_json(transform.to_dict()).tform(SRC), transform.tform(SRC))
    transform.aMtx = None
    np.testing.assert_allclose(transform.tform(SRC), SRC + [3, 4])
    np.testing.assert_array_equal(load_transform_json(transform.to_dict()).tform(SRC), transform.tform(SRC))


@pytest.mark.parametrize(
    "text",
    [
        "x 2 3",
        f"x 3 1 null {encodeBase64(np.zeros(6))}",
        f"x 2 0 null {encodeBase64(np.zeros(0))}",
        f"x 2 2 null {encodeBase64(np.zeros(7))}",
        f"x 2 1 {encodeBase64(np.zeros(5))} {encodeBase64(np.zeros(4))}",
        "x 2 1 null abc$",
        None,
    ],
)
def test_bad_data_strings(text):
    with pytest.raises(SpecError, match="Inappropriate parameters"):
        load_transform_json({"className": NAME, "dataString": text})


@pytest.mark.parametrize(
    ("src", "affine", "message"),
    [
        (SRC[:2], True, "at least 3"),
        (np.repeat(SRC[:3], 2, axis=0), True, "nearly"),
        (np.repeat(SRC[:3], 2, axis=0), False, "nearly"),
        (SRC[[0, 0, 0]], True, "are the same"),
        (np.column_stack([np.arange(5.0), np.arange(5.0)]), True, "on one line"),
    ],
)
def test_what_determines_no_spline(src, affine, message):
    with pytest.raises(EstimationError, match=message):
        ThinPlateSplineTransform.fit(src, src + RNG.normal(size=src.shape), computeAffine=affine)


def test_a_grid_of_points():
    grid = ThinPlateSplineTransform.src_array(0, 0, 10, 20, 3, 2)
    assert grid.tolist() == [[0, 0], [0, 20], [5, 0], [5, 20], [10, 0], [10, 20]]


def test_scaled_coordinates(spline):
    scaled = spline.scale_coordinates(2.0, ngrid=5)
    assert scaled.nLm == 25
    grid = ThinPlateSplineTransform.src_array(*SRC.min(axis=0), *SRC.max(axis=0), 5, 5)
    np.testing.assert_allclose(scaled.tform(2 * grid), 2 * spline.tform(grid), atol=1e-8)
    whole = spline.scale_coordinates(0.5, ngrid=5, preserve_srcPts=True)
    corners = (grid[:, None] == SRC[None]).all(axis=2).sum()  # must not be there twice
    assert whole.nLm == 55 - corners
    np.testing.assert_allclose(whole.tform(0.5 * SRC), 0.5 * DST, atol=1e-8)
    again = scaled.scale_coordinates(0.5, ngrid=5, preserve_srcPts=True)
    assert again.nLm == 25


def test_fewer_landmarks(spline):
    fewer = spline.adaptive_mesh_estimate(starting_grid=4, tol=0.5, nworst=3)
    assert np.hypot(*(fewer.tform(SRC) - DST).T).max() <= 0.5
    assert fewer.nLm <= 16 + 30
    wide = spline.adaptive_mesh_estimate(starting_grid=4, tol=1000.0)
    assert wide.nLm == 16


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("branch", ["master", "newsolver"])
def test_few_and_many_points_are_mapped_alike(spline, monkeypatch, loaded, branch):
    monkeypatch.setattr(spline, "compat", branch)
    if loaded:
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr(_spline, "_compiled", lambda kernels: None)
    points = np.vstack([RNG.uniform(0, 1000, (3000, 2)), SRC, SRC + 1e-9, [[np.nan, 5.0]]])
    many = spline.tform(points)
    monkeypatch.setattr(_spline, "_MUCH_WORK", 1)
    monkeypatch.setattr(_spline, "_LONG_BLOCK", 700)
    monkeypatch.setattr(_spline, "_processors", lambda: 3)
    np.testing.assert_array_equal(spline.tform(points), many)
    monkeypatch.setattr(_spline, "_MANY_POINTS", 10_000)
    few = spline.tform(points)
    np.testing.assert_array_equal(many, few)
    for row in (0, 2999, 3005):
        np.testing.assert_array_equal(spline.tform(points[row : row + 1])[0], many[row])


def test_the_compiler_is_loaded_after_much_work(monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr(_spline, "_done", [0])
    monkeypatch.delitem(sys.modules, "numba")
    assert _spline._compiled(_spline._LOADING - 1) is None
    monkeypatch.undo()
    monkeypatch.setattr(_spline, "_done", [0])
    assert _spline._compiled(_spline._LOADING) is not None


def test_processors_are_counted(monkeypatch):
    assert _spline._processors() >= 1
    monkeypatch.delattr(_spline.os, "sched_getaffinity", raising=False)
    assert _spline._processors() >= 1


def test_derivatives(spline):
    points = np.vstack([RNG.uniform(0, 1000, (50, 2)), SRC[:3] + 1e-3])
    steps = np.array([[1e-4, 0], [0, 1e-4]])
    numeric = np.stack([(spline.tform(points + s) - spline.tform(points - s)) / 2e-4 for s in steps], axis=2)
    np.testing.assert_allclose(spline._jacobians(points), numeric, atol=1e-5)
