"""World to local in many tiles at once: the answers of a mesh for each, to the last bit, without making it."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderapi.errors import SpecError
from renderapi.geometry import CoordinateMesh, TileSpecError, _points, points_to_local, points_to_world
from renderapi.transform import AffineModel, HomographyModel2D, NonLinearCoordinateTransform, TransformList

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "original" / "inverse.json.gz"
RNG = np.random.default_rng(0)


def lens():
    points = RNG.uniform(0, 500, (400, 2))
    transform = NonLinearCoordinateTransform(transformId="lens")
    transform.estimate(points, points + RNG.normal(size=points.shape), ndim=5)
    return transform


LENS = lens()
SHARED = [LENS.to_dict()]


def tile(*tforms, width=500.0, height=400.0, **more):
    specs = [t if isinstance(t, dict) else t.to_dict() for t in tforms]
    return {"width": width, "height": height, "transforms": {"type": "list", "specList": specs}, **more}


def places(tiles, count=3):
    """Return tile numbers and world points: some at vertices, some beside the tile."""
    index = np.repeat(np.arange(len(tiles)), count)
    local = RNG.uniform(-20, 520, (len(index), 2))
    vertices = CoordinateMesh(tiles[0], SHARED).vertices
    local[::3] = vertices[RNG.integers(0, len(vertices), len(local[::3]))]
    return index, points_to_world(tiles, index, local, SHARED)


def one_by_one(tiles, index, world):
    return np.vstack(
        [CoordinateMesh(tiles[i], SHARED).world_to_local(point[None]) for i, point in zip(index, world)]
    )


def affines(spread, offset=2000.0, count=20):
    return [
        AffineModel(*(RNG.normal(size=6) * spread + [1, 0, 0, 1, offset * i, -offset])) for i in range(count)
    ]


REF = {"type": "ref", "refId": "lens"}
KINDS = {
    "nearly upright": [tile(a) for a in affines(1e-3)],
    "turned, mirrored, stretched": [tile(a) for a in affines(2.0)],
    "far away": [tile(a) for a in affines(1e-3, 1e7)],
    "too far away": [tile(a) for a in affines(1e-3, 1e15)],
    "two affine": [tile(a, b) for a, b in zip(affines(0.1), affines(0.1))],
    "lens": [tile(REF, a) for a in affines(1e-2)],
    "lens and two": [tile(REF, a, TransformList([b])) for a, b in zip(affines(0.1), affines(0.1))],
    "lens between": [tile(a, REF) for a in affines(1e-3, 1.0)],
    "homography": [tile(HomographyModel2D(f"1 0 {i} 0 1 0 0 0 1")) for i in range(20)],
    "singular": [tile(AffineModel(1, 2, 2, 4, i)) for i in range(20)],
    "not finite": [tile(AffineModel(1, 0, 0, 1, np.nan)) for i in range(20)],
    "no transforms": [tile() for _ in range(20)],
    "empty lists": [tile({"type": "list", "specList": []}) for _ in range(20)],
    "one pixel wide": [tile(a, width=1.0) for a in affines(1e-3)],
    "fine": [tile(a, meshCellSize=5.0) for a in affines(1e-2)],
    "few of a shape": [tile(a, width=400.0 + i) for i, a in enumerate(affines(1e-3))],
    "mixed": [t for a in affines(1e-2) for t in (tile(a), tile(REF, a), tile(), tile(a, height=40.0))],
}


@pytest.mark.parametrize("kind", KINDS)
def test_points_in_many_tiles_are_mapped_as_by_the_mesh_of_each(kind):
    tiles = KINDS[kind]
    index, world = places(tiles)
    world[::17] = [np.nan, 5.0]
    world[5::17] = [np.inf, -np.inf]
    order = RNG.permutation(len(index))
    got = points_to_local(tiles, index[order], world[order], SHARED)
    np.testing.assert_array_equal(got, one_by_one(tiles, index[order], world[order]))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(-3, 3, allow_subnormal=False), min_size=6, max_size=6), min_size=16, max_size=20
    ),
    st.sampled_from([1.0, 1e3, 1e6]),
)
def test_points_in_tiles_of_any_affine_transform(numbers, far):
    tiles = [tile(AffineModel(*row[:4], row[4] * far, row[5] * far)) for row in numbers]
    index, world = places(tiles, 2)
    np.testing.assert_array_equal(points_to_local(tiles, index, world), one_by_one(tiles, index, world))


@pytest.mark.parametrize("kind", ["nearly upright", "two affine", "lens", "lens and two", "far away", "fine"])
def test_tiles_of_a_shape_share_one_mesh(kind, monkeypatch):
    tiles = KINDS[kind]
    index, world = places(tiles)

    def alone(*_):
        raise AssertionError("a mesh of its own")

    monkeypatch.setattr(_points, "CoordinateMesh", alone)
    assert np.isfinite(points_to_local(tiles, index, world, SHARED)).any()


def test_tiles_of_java():
    with gzip.open(GOLDEN) as file:
        cases = [case for case in json.load(file)["cases"] if case["kind"] == "tile"]
    compared = 0
    for case in cases:
        if "MovingLeastSquaresTransform" in json.dumps(case["tileSpec"]):
            continue
        tiles = [case["tileSpec"]] * _points._MANY_TILES
        world = [point["world"][:2] for point in case["points"]]
        index = np.resize(np.arange(len(tiles)), max(len(world), len(tiles)))
        local = points_to_local(tiles, index, np.resize(world, (len(index), 2)))
        expected = [point["local"][:2] if "local" in point else [np.nan] * 2 for point in case["points"]]
        np.testing.assert_array_equal(local[: len(world)], expected)
        compared += len(world)
    assert compared > 200


def test_a_tile_that_cannot_be_read_is_named_among_many():
    tiles = [tile(AffineModel(), tileId=str(i)) for i in range(20)]
    index, world = np.arange(20), np.zeros((20, 2))
    tiles[7]["transforms"]["specList"][0]["dataString"] = "1 2"
    with pytest.raises(TileSpecError) as caught:
        points_to_local(tiles, index, world)
    assert caught.value.tileId == "7"
    del tiles[7]["width"]
    with pytest.raises(SpecError, match="width"):
        points_to_local(tiles, index, world)
