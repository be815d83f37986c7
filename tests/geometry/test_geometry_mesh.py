"""World coordinates back to local ones through triangle meshes."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from renderapi.errors import SpecError
from renderapi.geometry import CoordinateMesh, local_to_world, meshes, world_to_local
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, HomographyModel2D, Polynomial2DTransform

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
with gzip.open(GOLDEN / "original" / "inverse.json.gz") as file:
    CASES = json.load(file)["cases"]
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
RNG = np.random.default_rng(0)


def tile(*tforms, width=2048.0, height=1500.0, **more):
    specs = [t if isinstance(t, dict) else t.to_dict() for t in tforms]
    transforms = {"type": "list", "specList": specs}
    return {"tileId": "t", "width": width, "height": height, "transforms": transforms, **more}


def undefined_order(spec):
    return 'MovingLeastSquaresTransform"' in json.dumps(spec)


@pytest.mark.parametrize("few", [0, 24, 10_000])
def test_points_are_inverted_as_by_java(monkeypatch, few):
    monkeypatch.setattr(meshes, "_FEW_POINTS", few)
    inverted = refused = 0
    for case in CASES:
        if case["kind"] != "tile":
            continue
        mesh = CoordinateMesh(case["tileSpec"])
        limit = 1e-9 if undefined_order(case["tileSpec"]) else 0.0
        world = np.array([point["world"][:2] for point in case["points"]])
        for point, local in zip(case["points"], mesh.world_to_local(world)):
            if "local" in point:
                np.testing.assert_allclose(local, point["local"][:2], atol=limit, rtol=0)
                inverted += 1
            else:
                assert "error" in point
                assert np.isnan(local).all()
                refused += 1
            if "fromLocal" in point:
                forward = mesh.local_to_world([point["fromLocal"][:2]])
                np.testing.assert_allclose(forward, [point["world"][:2]], atol=limit, rtol=0)
    assert inverted > 200
    assert refused > 50


def test_overlapping_tiles():
    for case in CASES:
        if case["kind"] != "list":
            continue
        mesh_of = {spec["tileId"]: CoordinateMesh(spec) for spec in case["tileSpecs"]}
        for point in case["points"]:
            answers = {entry["tileId"]: entry["local"][:2] for entry in point.get("local", ())}
            for tile_id in point["containingTileIds"]:
                local = mesh_of[tile_id].world_to_local([point["world"][:2]])[0]
                if tile_id in answers:
                    np.testing.assert_array_equal(local, answers[tile_id])
                else:
                    assert np.isnan(local).all()


def test_small_examples():
    for case in json.loads((GOLDEN / "coordinates.json").read_text()):
        names, texts = case["transforms"][::2], case["transforms"][1::2]
        leaves = [{"className": name, "dataString": text} for name, text in zip(names, texts)]
        spec = tile(*leaves, width=case["width"], height=case["height"])
        for point in case["points"]:
            world = local_to_world(spec, [point["local"]])
            np.testing.assert_array_equal(world, [point["world"][:2]])
            local = world_to_local(spec, world)
            if "inverse_error" in point:
                assert np.isnan(local).all()
            else:
                np.testing.assert_array_equal(local, [point["back_to_local"][:2]])
        if leaves:
            assert np.isnan(world_to_local(spec, [[1e7, 1e7]])).all()


@pytest.mark.parametrize(("nx", "ny"), [(2, 2), (2, 3), (3, 2), (5, 7)])
def test_the_mesh_covers_the_tile_once(nx, ny):
    vertices, triangles = meshes.mesh_vertices(100, 80, nx, ny), meshes.mesh_triangles(nx, ny)
    assert len(vertices) == nx + (ny - 1) * (2 * nx - 1)
    assert len(triangles) == 4 * (nx - 1) * (ny - 1)
    assert set(triangles.ravel()) == set(range(len(vertices)))
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (areas > 0).all()
    assert areas.sum() == pytest.approx(99 * 79)
    assert vertices.min(axis=0).tolist() == [0, 0]
    assert vertices.max(axis=0).tolist() == [99, 79]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2048, 2048, 64), (32, 19)),
        ((100, 80, 64), (2, 2)),
        ((1, 1, 64), (2, 2)),
        ((100, 100, float("nan")), (2, 2)),
        ((0, 10, 64), (2, 2147483648)),
    ],
)
def test_mesh_sizes(size, expected):
    assert meshes.mesh_size(*size) == expected


def test_few_and_many_points_give_the_same():
    mesh = CoordinateMesh(tile(AffineModel(0.9, 0.2, -0.2, 1.1, 500, 600)))
    local = np.vstack([RNG.uniform(-100, 2200, (5000, 2)), mesh.vertices[:100]])
    world = mesh.local_to_world(local)
    many = mesh.world_to_local(world)
    other = CoordinateMesh(tile(AffineModel(0.9, 0.2, -0.2, 1.1, 500, 600)))
    np.testing.assert_array_equal(
        np.vstack([other.world_to_local(world[:20]), mesh.world_to_local(world[20:])]), many
    )
    found = ~np.isnan(many[:, 0])
    inside = ((local >= 0) & (local <= [2047, 1499])).all(axis=1)
    assert (found == inside)[:5000].all()
    np.testing.assert_allclose(many[found], local[found], atol=1e-9)


def test_mirrored_tiles_are_never_invertible():
    spec = tile(AffineModel(1, 0, 0, -1))
    assert np.isnan(world_to_local(spec, [[5.0, -5.0]])).all()
    assert np.isnan(world_to_local(spec, RNG.uniform(-100, 100, (50, 2)))).all()


def test_tiles_without_transforms_are_the_identity_everywhere():
    points = np.array([[-5.0, 1e6], [3.25, 4.5]])
    for spec in (
        tile(),
        {"tileId": "t", "width": 10, "height": 10},
        SimpleNamespace(width=10, height=10, tforms=[]),
    ):
        np.testing.assert_array_equal(world_to_local(spec, points), points)
        np.testing.assert_array_equal(local_to_world(spec, points), points)
    answer = world_to_local(tile(), points)
    answer += 1
    assert points[1, 0] == 3.25


def test_objects_and_shared_transforms():
    shift = {**AffineModel(B0=100).to_dict(), "id": "s"}
    spec = tile({"type": "ref", "refId": "s"}, AffineModel(2, 0, 0, 2))
    points = RNG.uniform(0, 1000, (30, 2))
    for form in (spec, TileSpec(json={**spec, "z": 1})):
        np.testing.assert_allclose(
            world_to_local(form, local_to_world(form, points, [shift]), [shift]), points
        )
    edited = TileSpec(json={**spec, "z": 1})
    edited.tforms[1].M[0, 2] += 50
    np.testing.assert_allclose(local_to_world(edited, points, [shift]), 2 * points + [250, 0])


def test_curved_tiles_are_inverted_by_their_triangles():
    params = np.array([[5.0, 1.0, 0.01, 2e-5, 0, 0], [6.0, 0.01, 1.0, 0, 1e-5, 1e-5]])
    points = RNG.uniform(0, 1499, (2000, 2))
    errors = {}
    for cell in (16.0, 128.0):
        mesh = CoordinateMesh(tile(Polynomial2DTransform(params=params), meshCellSize=cell))
        back = mesh.world_to_local(mesh.local_to_world(points))
        errors[cell] = np.nanmax(np.abs(back - points))
        vertices = mesh.world_to_local(mesh.mapped)
        np.testing.assert_allclose(
            vertices[~np.isnan(vertices[:, 0])], mesh.vertices[~np.isnan(vertices[:, 0])], atol=1e-8
        )
    assert errors[16.0] < errors[128.0] < 1.0


def test_triangles_that_cover_much_of_the_world():
    # a horizon inside the tile: mapped triangles reach from everywhere to everywhere
    wild = HomographyModel2D(M=[[1, 0, 0], [0, 1, 0], [1.7e-3, 0, -1.0]])
    mesh = CoordinateMesh(tile(wild))
    world = np.vstack([mesh.local_to_world(RNG.uniform(0, 1400, (200, 2))), RNG.normal(size=(100, 2)) * 1e4])
    by_grid = mesh.world_to_local(world)
    one_by_one = np.array(
        [CoordinateMesh(tile(wild)).world_to_local(point[None])[0] for point in world[::10]]
    )
    assert np.array_equal(np.isnan(by_grid[::10]), np.isnan(one_by_one))
    np.testing.assert_array_equal(by_grid[::10], one_by_one)


@pytest.mark.filterwarnings("error")
def test_collapsed_and_undefined_tiles():
    for text in ("0 0 0 0 5 5", "NaN 0 0 1 0 0", "1e400 0 0 1 0 0"):
        mesh = CoordinateMesh(tile({"className": AFFINE, "dataString": text}))
        points = np.vstack([[[5.0, 5.0]], RNG.uniform(0, 10, (40, 2))])
        assert not np.isfinite(mesh.world_to_local(points)).any()
        assert mesh.world_to_local(points[:0]).shape == (0, 2)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (tile({"className": "x.Y", "dataString": "1"}), "transform class 'x.Y' cannot be found"),
        (tile({"className": AFFINE, "dataString": "1"}), "Inappropriate parameters"),
        ({"tileId": "t", "width": 5}, "width and height must be set"),
        (tile(AffineModel(), meshCellSize=1e-3), "mesh cells"),
        (tile(AffineModel(), width=0.0), "mesh cells"),
    ],
)
def test_tiles_that_have_no_mesh(spec, reason):
    with pytest.raises(SpecError, match=reason) as caught:
        CoordinateMesh(spec)
    assert caught.value.tileId == "t"


def test_forward_needs_no_size():
    spec = {"tileId": "t", "transforms": {"specList": [AffineModel(B0=3).to_dict()]}}
    np.testing.assert_array_equal(local_to_world(spec, [[1, 2]]), [[4, 2]])
    with pytest.raises(SpecError, match="cannot be found"):
        local_to_world(tile({"className": "x.Y", "dataString": "1"}), [[1, 2]])


def test_meshes_of_large_tiles_are_not_kept(monkeypatch):
    monkeypatch.setattr(meshes, "_KEPT_VERTICES", 10)
    before = meshes._kept_topology.cache_info().currsize
    CoordinateMesh(tile(AffineModel(), width=1234.0))
    assert meshes._kept_topology.cache_info().currsize == before


@pytest.mark.parametrize("size, point", [((1, 300), (10.0, 25.0)), ((300, 1), (25.0, 10.0))])
def test_a_tile_of_one_pixel_gives_the_world_back(size, point):
    leaf = {
        "type": "leaf",
        "className": "mpicbg.trakem2.transform.AffineModel2D",
        "dataString": "1 0 0 1 10 10",
    }
    tile = {"tileId": "t", "width": size[0], "height": size[1], "transforms": {"specList": [leaf]}}
    assert world_to_local(tile, [point]).tolist() == [list(point)]
