"""Tiles placed by their matches: right, whatever is done to the input that should not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import SIDE, STEP, Planted

from renderapi.errors import SpecError
from renderapi.geometry import match_residuals, residual_statistics
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.solve import solve_matches
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, Polynomial2DTransform, ReferenceTransform, TransformList

MODELS = ("translation", "rigid", "similarity", "affine", "polynomial2", "polynomial3")
#: Hardly any prior, where truth is wanted to the last digit.
WEAK = {"linear": 1e-9, "quadratic": 1e-9, "cubic": 1e-9}


def rms(matches, tiles, **keywords):
    return float(residual_statistics(match_residuals(matches, tiles, **keywords).distances).rms[0])


@pytest.mark.parametrize("method", ["direct", "iterative"])
@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
def test_without_noise_the_truth_is_found(model, method):
    planted = Planted(4, 5, kind=model)
    solution = solve_matches(planted.tiles, planted.matches, model, prior=WEAK, method=method)
    assert planted.error(solution.transform) < 0.02
    assert rms(planted.matches, list(solution.tilespecs())) < 0.02


# matches lie in narrow seams: the more a tile may turn and shear, the further its far corners go with their noise
@pytest.mark.parametrize(
    ("model", "most"), [("translation", 0.15), ("rigid", 0.3), ("similarity", 0.3), ("affine", 1.5)]
)
def test_with_noise_the_error_is_that_of_the_noise(model, most):
    planted = Planted(6, 6, kind=model, noise=0.3, stage=25)
    solution = solve_matches(planted.tiles, planted.matches, model)
    assert planted.error(solution.transform) < most
    # two ends, two dimensions
    assert solution.report.rms_after == pytest.approx(0.6, rel=0.05)
    assert solution.report.rms_before > 20


def test_an_affine_montage_of_tiles_that_are_only_displaced_is_as_good():
    planted = Planted(6, 6, kind="translation", noise=0.3, stage=25)
    solution = solve_matches(planted.tiles, planted.matches)
    assert planted.error(solution.transform) < 0.5


@pytest.mark.parametrize("model", ["similarity", "affine", "polynomial2"])
def test_noise_does_not_shrink_tiles(model):
    planted = Planted(4, 4, kind="translation", noise=3.0)
    scales = solve_matches(planted.tiles, planted.matches, model).report.scales
    assert scales.mean() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("model", ["polynomial2", "polynomial3"])
def test_polynomials_straighten_what_an_affine_transform_cannot(model):
    planted = Planted(3, 3)
    for match in planted.matches:
        for side in "pq":
            # one that all tiles have in common is no matter in a montage
            rng = np.random.default_rng([ord(letter) for letter in match[f"{side}Id"]])
            bend = rng.normal(0, 1e-5, (2, 3))
            lens = Polynomial2DTransform(params=np.hstack([[[0, 1, 0], [0, 0, 1]], bend]))
            points = np.array(match["matches"][side]).T
            match["matches"][side] = lens.inverse_tform(points).T.tolist()
    straight = solve_matches(planted.tiles, planted.matches, "affine", prior=1e-6)
    bent = solve_matches(planted.tiles, planted.matches, model, prior=1e-6)
    assert isinstance(bent.transform("z0_r0_c0"), Polynomial2DTransform)
    assert bent.report.rms_after < 0.05 < 0.5 < straight.report.rms_after
    assert rms(planted.matches, list(bent.tilespecs())) == pytest.approx(bent.report.rms_after, abs=1e-3)


def test_across_layers_all_tiles_come_together():
    planted = Planted(2, 3, 4, noise=0.2, kind="similarity")
    solution = solve_matches(planted.tiles, planted.matches, "similarity")
    assert planted.error(solution.transform) < 0.2
    assert solution.report.layers == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(("model", "free"), [("translation", 0), ("rigid", 1), ("similarity", 2)])
def test_the_result_is_of_the_model(model, free):
    planted = Planted(3, 3, kind="affine", noise=0.5)
    for tile in planted.tiles:  # the stage turns and shears, which a rigid transform cannot say
        M = tile["transforms"]["specList"][0]["dataString"].split()
        tile["transforms"]["specList"][0]["dataString"] = " ".join(["1.02", "0.03", "0.01", "0.98", *M[4:]])
    solution = solve_matches(planted.tiles, planted.matches, model)
    for name in planted.truth:
        M = solution.transform(name).M[:2, :2]
        assert M[0, 0] == pytest.approx(M[1, 1], abs=1e-12)
        assert M[0, 1] == pytest.approx(-M[1, 0], abs=1e-12)
        if free < 2:
            assert np.linalg.det(M) == pytest.approx(1, abs=1e-12)
        if free < 1:
            assert np.allclose(M, np.eye(2), atol=1e-12)


def test_large_turns_are_found_by_rigid_transforms():
    planted = Planted(1, 1, 3, kind="rigid", noise=0.1)
    turns = {"z0_r0_c0": 0.0, "z1_r0_c0": 2.0, "z2_r0_c0": -2.5}
    for match in planted.matches:
        world = np.array(match["matches"]["p"]).T
        for side in "pq":
            turn = turns[match[f"{side}Id"]]
            R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            # turned about the middle of the tile
            match["matches"][side] = ((world - SIDE / 2) @ R + SIDE / 2).T.tolist()
    report = solve_matches(planted.tiles, planted.matches, "rigid", fixed=["z0_r0_c0"]).report
    assert report.rms_after < 0.1
    assert np.allclose(sorted(np.abs(report.rotations)), [0, 2.0, 2.5], atol=1e-2)


@pytest.mark.parametrize("model", ["affine", "polynomial2"])
def test_tiles_that_are_turned_start_from_a_rigid_solution(model):
    planted = Planted(3, 3, 2, kind="rigid", noise=0.1)
    R = np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]])
    for match in planted.matches:  # images of the second layer are turned, but the stage does not know
        for side in "pq":
            if match[f"{side}Id"].startswith("z1"):
                points = np.array(match["matches"][side]) - SIDE / 2
                match["matches"][side] = (R @ points + SIDE / 2).tolist()
    poor = solve_matches(planted.tiles, planted.matches, model, start=None)
    good = solve_matches(planted.tiles, planted.matches, model, start="rigid")
    told = solve_matches(planted.tiles, planted.matches, model)
    assert np.array_equal(good.coefficients, told.coefficients)
    assert good.report.rms_after < poor.report.rms_after
    assert good.report.rms_after < 0.3


@pytest.mark.parametrize("model", ["rigid", "similarity", "affine"])
@pytest.mark.parametrize("robust", ["cauchy", None])
def test_tiles_may_be_far_from_where_they_belong(model, robust):
    planted = Planted(4, 4, kind="rigid", noise=0.2, stage=3000, seed=3)
    solution = solve_matches(planted.tiles, planted.matches, model, robust=robust)
    assert not solution.report.outliers.any()
    assert solution.report.rms_after < 0.5
    assert solution.report.scales.mean() == pytest.approx(1, abs=2e-3)


def test_reported_residuals_are_those_of_the_points():
    planted = Planted(3, 3, noise=1.0)
    solution = solve_matches(planted.tiles, planted.matches, "affine", robust=None)
    for tiles, reported in ((planted.tiles, solution.report.pair_before),
                            (list(solution.tilespecs()), solution.report.pair_after)):  # fmt: skip
        ends = match_residuals(planted.matches, tiles)
        by_pair = residual_statistics(ends.distances, ends.document).rms
        assert np.allclose(by_pair, reported, rtol=1e-6)
    worst = solution.report.worst_seams(1)[0]
    assert worst.after == solution.report.pair_after.max()
    of_tile = [m for m in planted.matches if "z0_r1_c1" in (m["pId"], m["qId"])]
    index = solution.report.tile_ids.index("z0_r1_c1")
    assert solution.report.tile_after[index] == pytest.approx(rms(of_tile, list(solution.tilespecs())))


# ------------------------------------------------------------------------------ what does not matter


@given(
    seed=st.integers(0, 50),
    model=st.sampled_from(MODELS),
    factor=st.floats(0.01, 100),
    shift=st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)),
)
@settings(max_examples=15)
def test_order_direction_weights_and_origin_do_not_matter(seed, model, factor, shift):
    planted = Planted(2, 3, noise=0.5, points=20, seed=seed)
    expected = solve_matches(planted.tiles, planted.matches, model)
    rng = np.random.default_rng(seed)
    tiles = [dict(planted.tiles[i]) for i in rng.permutation(len(planted.tiles))]
    for tile in tiles:
        spec = tile["transforms"]["specList"][0]
        *linear, x, y = spec["dataString"].split()
        moved = {
            **spec,
            "dataString": " ".join([*linear, repr(float(x) + shift[0]), repr(float(y) + shift[1])]),
        }
        tile["transforms"] = {"type": "list", "specList": [moved]}
    matches = []
    for i in rng.permutation(len(planted.matches)):
        m = planted.matches[i]
        if rng.random() < 0.5:
            m = {"pId": m["qId"], "qId": m["pId"],
                 "matches": {**m["matches"], "p": m["matches"]["q"], "q": m["matches"]["p"]}}  # fmt: skip
        matches.append({**m, "matches": {**m["matches"], "w": [factor] * 20}})
    found = solve_matches(tiles, matches, model)
    corners = np.array([[0.0, 0.0], [SIDE, 0.0], [0.0, SIDE]])
    for name in planted.truth:
        difference = found.transform(name).tform(corners) - expected.transform(name).tform(corners) - shift
        assert np.abs(difference).max() < 1e-2


def test_a_pair_may_come_in_several_documents():
    planted = Planted(2, 2, noise=0.5)
    whole = solve_matches(planted.tiles, planted.matches)
    halves = []
    for match in planted.matches:
        for part in (slice(None, 20), slice(20, None)):
            content = match["matches"]
            halves.append({**match, "matches": {
                "p": [row[part] for row in content["p"]], "q": [row[part] for row in content["q"]],
                "w": content["w"][part],
            }})  # fmt: skip
    apart = solve_matches(planted.tiles, halves, robust=None)
    whole = solve_matches(planted.tiles, planted.matches, robust=None)
    assert np.allclose(apart.coefficients, whole.coefficients, atol=1e-6)


def test_objects_documents_and_collections_are_solved_alike():
    planted = Planted(2, 2)
    lens = AffineModel(B0=3.0, transformId="lens", labels=["lens"])
    objects = []
    for tile in planted.tiles:
        one = TileSpec(json=tile)
        one.tforms = [ReferenceTransform("lens"), *one.tforms]
        objects.append(one)
    of_objects = solve_matches(ResolvedTiles(objects, [lens]), planted.matches)
    documents = [tile.to_dict() for tile in objects]
    of_documents = solve_matches(documents, planted.matches, shared_transforms=[lens.to_dict()])
    assert np.array_equal(of_objects.coefficients, of_documents.coefficients)
    made, written = list(of_objects.tilespecs()), list(of_documents.tilespecs())
    assert all(isinstance(tile, TileSpec) for tile in made)
    assert all(isinstance(tile, dict) for tile in written)
    # the reference stays: matches are points after the lens
    assert [spec["type"] for spec in written[0]["transforms"]["specList"]] == ["ref", "leaf"]
    assert "minX" not in written[0]
    assert planted.tiles[0]["transforms"]["specList"][0] == documents[0]["transforms"]["specList"][1]


# ------------------------------------------------------------------------------ where it goes


def test_points_and_places_of_transforms_can_be_said():
    planted = Planted(2, 2, kind="affine")
    before = AffineModel(1.01, 0.02, -0.01, 0.99, 5.0, -3.0)
    for tile in planted.tiles:
        tile["transforms"]["specList"].insert(0, before.to_dict())
    raw = [
        {**m, "matches": {**m["matches"], **{
            side: before.inverse_tform(np.array(m["matches"][side]).T).T.tolist() for side in "pq"}}}
        for m in planted.matches
    ]  # fmt: skip
    counts = {"replace": (1, 2), "last": (2, 2), "append": (3, 3)}
    for place, (from_raw, from_kept) in counts.items():
        for matches, points, count in ((raw, "raw", from_raw), (planted.matches, "matching", from_kept)):
            solution = solve_matches(planted.tiles, matches, points=points, place=place, prior=WEAK)
            tiles = list(solution.tilespecs())
            assert [len(tile["transforms"]["specList"]) for tile in tiles] == [count] * 4
            assert rms(raw, tiles) < 0.02
    # an appended shift leaves turns of the stage alone
    (appended,) = {
        tile["transforms"]["specList"][0]["dataString"]
        for tile in solve_matches(planted.tiles, raw, "translation", points=0, place="append").tilespecs()
    }
    assert appended == before.dataString


def test_points_of_the_world_are_moved_on():
    planted = Planted(2, 2)
    world = [
        {**m, "matches": {**m["matches"], **{
            side: AffineModel(json=next(t for t in planted.tiles if t["tileId"] == m[f"{side}Id"])
                              ["transforms"]["specList"][0]).tform(np.array(m["matches"][side]).T).T.tolist()
            for side in "pq"}}}
        for m in planted.matches
    ]  # fmt: skip
    solution = solve_matches(planted.tiles, world, points="world", place="append", prior=WEAK)
    assert rms(planted.matches, list(solution.tilespecs())) < 0.02


def test_lens_corrections_between_points_and_transform_count():
    lens = TransformList([Polynomial2DTransform(params=[[1.0, 1.0, 0, 1e-5, 0, 0], [0, 0, 1.0, 0, 1e-5, 0]])])
    planted = Planted(2, 2)
    raw = [
        {**m, "matches": {**m["matches"], **{
            side: lens.inverse_tform(np.array(m["matches"][side]).T).T.tolist() for side in "pq"}}}
        for m in planted.matches
    ]  # fmt: skip
    for tile in planted.tiles:
        tile["transforms"]["specList"].insert(0, lens.to_dict())
    solution = solve_matches(planted.tiles, raw, points="raw", place="last", prior=WEAK)
    assert rms(raw, list(solution.tilespecs())) < 0.02


# ------------------------------------------------------------------------------ what holds tiles


def test_fixed_tiles_stay_and_the_others_come_to_them():
    planted = Planted(2, 3, kind="affine")
    at = planted.truth["z0_r0_c1"]
    planted.tiles[1]["transforms"]["specList"] = [AffineModel(*at[:2, :2].ravel(), *at[:2, 2]).to_dict()]
    solution = solve_matches(planted.tiles, planted.matches, fixed=["z0_r0_c1"], prior=WEAK)
    assert np.allclose(solution.transform("z0_r0_c1").M, at)
    corners = np.array([[0.0, 0.0], [SIDE, SIDE]])
    for name, M in planted.truth.items():
        assert np.allclose(
            solution.transform(name).tform(corners), corners @ M[:2, :2].T + M[:2, 2], atol=0.02
        )
    last = list(solution.tilespecs())[-1]
    assert last is planted.tiles[1]


def test_a_prior_holds_tiles_labels_and_coefficients():
    planted = Planted(3, 3, kind="affine")
    for tile in planted.tiles[:3]:
        tile["labels"] = ["good"]

    def moves(**keywords):
        found = solve_matches(planted.tiles, planted.matches, robust=None, **keywords)
        linear = np.abs(found.coefficients[:, :, 1:] - np.eye(2)).max(axis=(1, 2))
        return found.report.moved, linear, found

    free, linear, _ = moves()
    held, _, _ = moves(tile_priors={"z0_r1_c1": 1e14})
    assert held[4] < 1e-3 < 1 < free[4]
    held, _, _ = moves(label_priors={"good": 1e14})
    assert (held[:3] < 1e-3).all()
    _, stiff, _ = moves(prior=1e6)
    assert stiff.max() < 1e-5 < 1e-4 < linear.min()
    _, _, one = moves(prior={"x": 1e9, "y": 1e-3})
    assert np.allclose(one.coefficients[:, 0, 1], 1, atol=1e-6)
    assert not np.allclose(one.coefficients[:, 1, 2], 1, atol=1e-4)


@pytest.mark.parametrize("robust", ["cauchy", "huber"])
def test_false_pairs_lose_their_weight_and_are_named(robust):
    planted = Planted(5, 5, kind="rigid", noise=0.3)
    false = planted.document("z0_r0_c0", "z0_r0_c1", np.full((40, 2), 500.0) + [STEP, 0])
    false["matches"]["p"] = np.random.default_rng(1).uniform(100, 900, (2, 40)).tolist()
    false["pId"], false["qId"] = "z0_r0_c0", "z0_r4_c4"
    plain = solve_matches(planted.tiles, [*planted.matches, false], "rigid", robust=None)
    solution = solve_matches(planted.tiles, [*planted.matches, false], "rigid", robust=robust)
    (outlier,) = solution.report.outlier_seams()
    assert (outlier.p, outlier.q) == ("z0_r0_c0", "z0_r4_c4")
    assert outlier.factor < 0.1
    error = {"cauchy": 0.3, "huber": planted.error(plain.transform) / 3}[robust]
    assert planted.error(solution.transform) < error


def test_weights_of_pairs_across_layers_have_a_factor():
    planted = Planted(2, 2, 2, noise=2.0)
    across = {
        factor: solve_matches(planted.tiles, planted.matches, cross_weight=factor, robust=None).report
        for factor in (0.01, 1.0)
    }
    deep = np.array([m["pGroupId"] != m["qGroupId"] for m in planted.matches])
    assert across[0.01].pair_after[deep].mean() > across[1.0].pair_after[deep].mean()
    assert across[0.01].pair_after[~deep].mean() < across[1.0].pair_after[~deep].mean()


# ------------------------------------------------------------------------------ tiles without matches


def test_tiles_without_matches_go_with_their_neighbors_or_not():
    planted = Planted(3, 3, kind="translation", stage=0.0)
    alone = "z0_r1_c1"
    matches = [m for m in planted.matches if alone not in (m["pId"], m["qId"])]
    for tile in planted.tiles:  # all the others belong 300 px further
        if tile["tileId"] != alone:
            planted.truth[tile["tileId"]][:2, 2] += 300
    fixed = AffineModel(1, 0, 0, 1, *planted.truth["z0_r2_c2"][:2, 2])
    planted.tiles[-1]["transforms"]["specList"] = [fixed.to_dict()]

    def solved(**keywords):
        return solve_matches(planted.tiles, matches, "translation", fixed=["z0_r2_c2"], **keywords)

    placed = solved()
    x, y = (STEP + 300 - getattr(placed.transform(alone), name) for name in ("B0", "B1"))
    assert np.hypot(x, y) < 20
    assert placed.report.unmatched == placed.report.placed == [alone]
    kept = solved(unmatched="keep")
    assert [getattr(kept.transform(alone), name) for name in ("B0", "B1")] == pytest.approx([STEP, STEP])
    assert kept.report.placed == []
    assert len(list(kept.tilespecs())) == 9
    assert alone not in [tile["tileId"] for tile in solved(unmatched="omit").tilespecs()]


def test_components_are_solved_apart_and_named():
    planted = Planted(2, 4, noise=0.2, kind="rigid")
    matches = [m for m in planted.matches if {m["pId"][-1], m["qId"][-1]} != {"1", "2"}]
    solution = solve_matches(planted.tiles, matches, "rigid", robust=None)
    assert [len(component) for component in solution.report.components] == [4, 4]
    for component in solution.report.components:
        assert planted.error(solution.transform, component) < 0.2
        alone = solve_matches(
            [tile for tile in planted.tiles if tile["tileId"] in component],
            [match for match in matches if match["pId"] in component],
            "rigid",
            robust=None,
        )
        for name in component:
            assert np.allclose(alone.transform(name).M, solution.transform(name).M, atol=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_one_component_may_be_fixed_and_the_other_not(model):
    planted = Planted(2, 4, kind="translation")
    matches = [m for m in planted.matches if {m["pId"][-1], m["qId"][-1]} != {"1", "2"}]
    solution = solve_matches(planted.tiles, matches, model, fixed=["z0_r0_c0"], prior=WEAK)
    assert solution.report.moved[0] == 0
    assert solution.report.rms_after < 0.02


def test_one_tile_alone_stays_where_it_is():
    planted = Planted(1, 1)
    solution = solve_matches(planted.tiles, [])
    assert list(solution.tilespecs()) == planted.tiles
    assert np.isnan(solution.report.rms_after)
    assert solution.report.unmatched == ["z0_r0_c0"]


def test_the_report_can_be_written_as_json():
    import json

    planted = Planted(2, 2)
    document = json.loads(json.dumps(solve_matches(planted.tiles, planted.matches).report.to_dict()))
    assert document["tiles"] == 4 and document["pairs"] == 4 and document["matches"] == 160
    assert document["components"] == [4]
    assert document["scaleX"]["mean"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    "keywords",
    [
        {"model": "homography"},
        {"points": "lens"},
        {"place": "first"},
        {"robust": "tukey"},
        {"unmatched": "guess"},
        {"method": "magic"},
        {"refuse": "all"},
        {"prior": -1.0},
        {"prior": {"shear": 1.0}},
        {"prior": float("nan")},
        {"fixed": "z0_r0_c0"},
        {"fixed": ["nobody"]},
        {"tile_priors": {"nobody": 2.0}},
        {"tile_priors": {"z0_r0_c0": -2.0}},
        {"points": 2},
        {"points": "world"},
        {"place": 5},
        {"min_matches": 0},
        {"start": "affine"},
        {"start": "rigid", "model": "translation"},
    ],
)
def test_arguments_that_mean_nothing_are_refused(keywords):
    planted = Planted(2, 2)
    if keywords == {"points": "world"}:
        keywords = {"points": "world", "place": 0}
    with pytest.raises(SpecError):
        solve_matches(planted.tiles, planted.matches, **keywords)
