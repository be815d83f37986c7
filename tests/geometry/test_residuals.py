"""Points of many tiles at once, and residuals of matches."""

import made_montage
import numpy as np
import pytest

from renderapi.errors import SpecError
from renderapi.geometry import (
    TileSpecError,
    local_to_world,
    match_residuals,
    points_to_local,
    points_to_world,
    residual_statistics,
    world_to_local,
)
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, RigidModel, TranslationModel

LENS = {
    "type": "leaf", "id": "lens", "className": "mpicbg.trakem2.transform.PolynomialTransform2D",
    "dataString": "1 1.01 0.001 2 0.002 0.99",
}  # fmt: skip


def affine(*numbers):
    text = " ".join(map(str, numbers))
    return {"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D", "dataString": text}


def tile(tile_id, *specs):
    return {
        "tileId": tile_id,
        "width": 200.0,
        "height": 160.0,
        "transforms": {"type": "list", "specList": list(specs)},
    }


TILES = [
    tile("a", affine(1, 0.1, -0.1, 1, 10.5, -3)),
    tile("b", affine(0.9, 0, 0.05, 1.1, 200, 7)),
    tile("c", {"type": "ref", "refId": "lens"}, affine(1, 0, 0, 1, 3, 4)),
    tile("d"),
    tile("e", {"type": "ref", "refId": "lens"}, affine(1, 0.2, 0, 1, 30, 40)),
    TileSpec(tileId="f", width=200.0, height=160.0, tforms=[AffineModel(B0=7.0, M01=0.25)]),
]


@pytest.fixture
def points():
    random = np.random.default_rng(3)
    return random.integers(0, len(TILES), 500), random.uniform(5, 150, (500, 2))


def test_points_of_many_tiles_are_those_of_each(points):
    index, local = points
    world = points_to_world(TILES, index, local, [LENS])
    back = points_to_local(TILES, index, world, [LENS])
    for number, spec in enumerate(TILES):
        of = index == number
        np.testing.assert_array_equal(world[of], local_to_world(spec, local[of], [LENS]))
        np.testing.assert_array_equal(back[of], world_to_local(spec, world[of], [LENS]))
    np.testing.assert_allclose(back, local, atol=0.1)


def test_no_points():
    assert points_to_world(TILES, [], np.empty((0, 2))).shape == (0, 2)
    assert points_to_local(TILES, [], np.empty((0, 2))).shape == (0, 2)


def test_bad_indices_of_tiles():
    with pytest.raises(SpecError, match="1 points need as many indices of tiles, not 2"):
        points_to_world(TILES, [0, 1], [[1, 2]])
    with pytest.raises(SpecError, match="indices of 6 tiles must not be 6"):
        points_to_local(TILES, [6], [[1, 2]])


def test_the_tile_that_cannot_be_evaluated_is_named():
    bad = tile("bad", affine(1, 2, "x", 4, 5, 6))
    with pytest.raises(TileSpecError, match="tile bad: ") as caught:
        points_to_world([TILES[0], bad], [0, 1], [[1, 2], [1, 2]])
    assert caught.value.tileId == "bad"


# --------------------------------------------------------------------------------------- residuals


def match(p, q, p_points, q_points, weights=None):
    points = {"p": np.transpose(p_points).tolist(), "q": np.transpose(q_points).tolist()}
    points["w"] = [1.0] * len(p_points) if weights is None else weights
    return {"pGroupId": "1", "qGroupId": "1", "pId": p, "qId": q, "matches": points}


def test_residuals_of_aligned_tiles():
    left, right = tile("l", affine(1, 0, 0, 1, 10, 20)), tile("r", affine(1, 0, 0, 1, 110, 20))
    found = match_residuals(
        [
            match("l", "r", [[100, 5], [105, 9]], [[3, 9], [5, 9]], [1.0, 0.5]),
            match("l", "elsewhere", [[1, 1]], [[2, 2]]),
            {"pId": "l", "qId": "r"},
            match("r", "l", [[1, 1]], [[101, 2]]),
        ],
        [left, right],
    )
    assert found.document.tolist() == [0, 0, 3]
    assert found.weights.tolist() == [1.0, 0.5, 1.0]
    assert found.p.tolist() == [[110, 25], [115, 29], [111, 21]]
    assert found.vectors.tolist() == [[3, 4], [0, 0], [0, 1]]
    assert found.distances.tolist() == [5, 0, 1]


def test_tiles_by_id_and_no_matches():
    assert match_residuals([], {"l": tile("l")}).distances.shape == (0,)
    assert match_residuals([match("l", "l", [[1, 1]], [[1, 2]])], {"l": tile("l")}).distances.tolist() == [1]


def test_points_of_tiles_as_they_were_matched():
    lens = {"lens": LENS}
    tiles = [TILES[2], TILES[4]]
    lens_only = [tile("c", {"type": "ref", "refId": "lens"}), tile("e", {"type": "ref", "refId": "lens"})]
    local = np.array([[50.0, 60.0], [90.0, 100.0]])
    corrected = [local_to_world(spec, local, lens) for spec in lens_only]
    found = match_residuals([match("c", "e", *corrected)], tiles, lens, matched=lens_only)
    np.testing.assert_allclose(found.p, local_to_world(tiles[0], local, lens), atol=0.05)
    np.testing.assert_allclose(found.q, local_to_world(tiles[1], local, lens), atol=0.05)
    outside = match_residuals([match("c", "e", [[1e4, 0]], [[50, 60]])], tiles, lens, matched=lens_only)
    assert np.isnan(outside.distances).all()
    with pytest.raises(SpecError, match="tile e is not among the matched tiles"):
        match_residuals([match("c", "e", *corrected)], tiles, lens, matched=lens_only[:1])


def test_arrays_of_different_lengths():
    with pytest.raises(SpecError, match=r"matches of l and l: q has the shape \(2, 1\)"):
        match_residuals([match("l", "l", [[1, 1], [2, 2]], [[1, 1]])], [tile("l")])


def test_statistics_of_groups():
    found = residual_statistics([3, 1, np.nan, 2, 8, 4, 9], [0, 0, 0, 0, 2, 2, -1])
    assert found.number.tolist() == [3, 0, 2]
    np.testing.assert_array_equal(found.mean, [2, np.nan, 6])
    np.testing.assert_array_equal(found.median, [2, np.nan, 6])
    np.testing.assert_allclose(found.rms, [np.sqrt(14 / 3), np.nan, np.sqrt(40)])
    np.testing.assert_array_equal(found.maximum, [3, np.nan, 8])


def test_statistics_of_all():
    assert residual_statistics([1, 5]).median.tolist() == [3]
    assert residual_statistics([]).number.tolist() == [0]
    assert residual_statistics([], []).number.tolist() == []
    assert residual_statistics([1], [0], count=3).number.tolist() == [1, 0, 0]
    with pytest.raises(SpecError, match="group 3 is not among 3 groups"):
        residual_statistics([1], [3], count=3)
    with pytest.raises(SpecError, match="2 residuals need as many groups, not 1"):
        residual_statistics([1, 2], [0])


def test_fitting_models_brings_the_montage_together():
    tiles, matches = made_montage.tiles(), made_montage.matches()
    stage = match_residuals(matches, tiles)
    before = residual_statistics(stage.distances, stage.document)
    after = {}
    for model in (TranslationModel, RigidModel, AffineModel):
        rms = []
        for number in range(len(matches)):
            of = stage.document == number
            fitted = model()
            fitted.estimate(stage.p[of], stage.q[of])
            rms.append(np.sqrt(np.mean(np.sum((fitted.tform(stage.p[of]) - stage.q[of]) ** 2, axis=1))))
        after[model] = np.array(rms)
    assert len(before.rms) == 12
    assert (after[TranslationModel] < before.rms).all()
    assert (after[RigidModel] <= after[TranslationModel] + 1e-6).all()
    assert (after[AffineModel] <= after[RigidModel] + 1e-6).all()
