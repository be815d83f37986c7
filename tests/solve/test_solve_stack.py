"""Stacks in, stacks out: montages, layers together, and what is left when it does not end well."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from planted import Planted

import renderapi
from renderapi.errors import ConflictError, NotFoundError, SpecError
from renderapi.server import serve_background
from renderapi.solve import ComponentsError, NoMatchesError, solve_matches, solve_stack
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, ReferenceTransform


@pytest.fixture(scope="module")
def server():
    with serve_background() as running:
        yield running


@pytest.fixture
def render(server, request):
    return server.connect(owner="me", project=request.node.name.split("[")[0])


def stored(planted, render, *, matches=None, tiles=None, shared=None):
    renderapi.stack.create_stack("raw", stackResolutionX=4.0, render=render)
    made = planted.tiles if tiles is None else tiles
    renderapi.client.import_tilespecs(
        "raw",
        [TileSpec(json=tile) if isinstance(tile, dict) else tile for tile in made],
        sharedTransforms=shared,
        render=render,
    )
    renderapi.stack.set_stack_state("raw", "COMPLETE", render=render)
    renderapi.pointmatch.import_matches(
        render.DEFAULT_PROJECT, planted.matches if matches is None else matches, render=render
    )
    return render.DEFAULT_PROJECT


def state(stack, render):
    return renderapi.stack.get_full_stack_metadata(stack, render=render)["state"]


def transforms(stack, render):
    found = {}
    for z in renderapi.stack.get_z_values_for_stack(stack, render=render):
        for tile in renderapi.tilespec.get_tile_specs_from_z(stack, z, render=render):
            found[tile.tileId] = tile.tforms[-1]
    return found


@pytest.mark.parametrize("threads", [0, 2])
def test_every_layer_is_a_montage(server, threads):
    render = server.connect(owner="me", project=f"montages{threads}")
    planted = Planted(2, 3, 3, noise=0.1, kind="rigid")
    collection = stored(planted, render)
    if threads:
        with ThreadPoolExecutor(threads) as executor:
            reports = solve_stack("raw", collection, "montage", "rigid", executor=executor, render=render)
    else:
        reports = solve_stack("raw", collection, "montage", "rigid", render=render)
    assert [report.layers for report in reports] == [[1.0], [2.0], [3.0]]
    assert state("montage", render) == "COMPLETE"
    version = renderapi.stack.get_stack_metadata("montage", render=render)
    assert version.stackResolutionX == 4.0
    solved = transforms("montage", render)
    assert solved.keys() == planted.truth.keys()
    for layer in range(3):
        ids = [name for name in planted.truth if name.startswith(f"z{layer}")]
        assert planted.error(solved.__getitem__, ids) < 0.1
    # boxes are those of the new transforms
    (tile,) = (t for t in renderapi.tilespec.get_tile_specs_from_z("montage", 1.0, render=render)
               if t.tileId == "z0_r0_c0")  # fmt: skip
    assert tile.minX == pytest.approx(tile.tforms[0].tform([[0, 0], [0, 1000]])[:, 0].min(), abs=1)


def test_layers_can_be_chosen_and_the_stack_left_open(render):
    collection = stored(Planted(2, 2, 3), render)
    solve_stack("raw", collection, "some", zs=[2.0], close_stack=False, render=render)
    assert state("some", render) == "LOADING"
    assert renderapi.stack.get_z_values_for_stack("some", render=render) == [2.0]


def test_layers_are_solved_together(render):
    planted = Planted(2, 2, 3, noise=0.1, kind="rigid")
    collection = stored(planted, render)
    (report,) = solve_stack("raw", collection, "aligned", "rigid", across=True, render=render)
    assert report.layers == [1.0, 2.0, 3.0] and len(report.components) == 1
    solved = transforms("aligned", render)
    assert planted.error(solved.__getitem__) < 0.1
    whole = solve_matches(planted.tiles, planted.matches, "rigid")
    for name, transform in solved.items():
        assert np.allclose(transform.M, whole.transform(name).M, atol=1e-3)


def test_matches_with_layers_that_were_not_asked_for_are_passed_over(render):
    collection = stored(Planted(2, 2, 4), render)
    (report,) = solve_stack("raw", collection, "two", across=True, zs=[2, 3], refuse="unknown", render=render)
    assert report.layers == [2.0, 3.0] and report.unknown == []


def test_blocks_of_layers_join(render):
    planted = Planted(2, 2, 9, noise=0.05, kind="rigid", stage=5)
    collection = stored(planted, render)
    reports = solve_stack(
        "raw", collection, "blocks", "rigid", across=True, block=5, overlap=2, render=render
    )
    # 1-5, then 4-8 with 2 and 3 fixed, then 7-9 with 5 and 6 fixed
    assert [report.layers for report in reports] == [
        [1.0, 2.0, 3.0, 4.0, 5.0],
        [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        [5.0, 6.0, 7.0, 8.0, 9.0],
    ]
    solved = transforms("blocks", render)
    assert solved.keys() == planted.truth.keys()
    assert planted.error(solved.__getitem__) < 0.3
    assert state("blocks", render) == "COMPLETE"


def test_shared_transforms_stay_shared(render):
    planted = Planted(2, 2)
    lens = AffineModel(B0=3.0, transformId="lens", labels=["lens"])
    tiles = [TileSpec(json=tile) for tile in planted.tiles]
    for tile in tiles:
        tile.tforms = [ReferenceTransform("lens"), *tile.tforms]
    collection = stored(planted, render, tiles=tiles, shared=[lens])
    solve_stack("raw", collection, "montage", render=render)
    resolved = renderapi.resolvedtiles.get_resolved_tiles_from_z("montage", 1.0, render=render)
    assert [transform.transformId for transform in resolved.transforms] == ["lens"]
    assert all(len(tile.tforms) == 2 and tile.tforms[0].refId == "lens" for tile in resolved.tilespecs)


def test_matches_may_belong_to_another_owner(server):
    render = server.connect(owner="me", project="others")
    planted = Planted(2, 2)
    stored(planted, render)
    renderapi.pointmatch.import_matches("theirs", planted.matches, owner="them", render=render)
    with pytest.raises(NotFoundError):
        solve_stack("raw", "theirs", "montage", render=render)
    solve_stack("raw", "theirs", "montage", match_owner="them", target_project="elsewhere", render=render)
    assert state("montage", server.connect(owner="me", project="elsewhere")) == "COMPLETE"


def test_what_cannot_be_solved_leaves_nothing_behind(render):
    planted = Planted(2, 2)
    apart = [m for m in planted.matches if m["pId"][-1] == m["qId"][-1]]
    collection = stored(planted, render, matches=apart)
    with pytest.raises(ComponentsError, match="layer 1 of stack raw: matches connect tiles to 2 components"):
        solve_stack("raw", collection, "montage", refuse="components", render=render)
    with pytest.raises(NotFoundError):
        state("montage", render)


def test_what_fails_later_leaves_the_target_loading_and_says_so(render):
    planted = Planted(2, 2, 2)
    matches = [m for m in planted.matches if m["pGroupId"] == m["qGroupId"] == "1.0"]
    collection = stored(planted, render, matches=matches)
    with pytest.raises(
        NoMatchesError, match=r"layer 2 of stack raw: none of 4 tiles .* in the groups '2.0' of collection"
    ) as caught:
        solve_stack("raw", collection, "montage", render=render)
    assert any("stack montage is left LOADING" in note for note in caught.value.__notes__)
    assert state("montage", render) == "LOADING"
    assert renderapi.stack.get_z_values_for_stack("raw", render=render) == [1.0, 2.0]


def test_a_layer_with_one_tile_stays_as_it_is(render):
    planted = Planted(1, 2, 2)
    tiles = [tile for tile in planted.tiles if tile["tileId"] != "z1_r0_c1"]
    matches = [m for m in planted.matches if "z1_r0_c1" not in (m["pId"], m["qId"])]
    collection = stored(planted, render, tiles=tiles, matches=matches)
    solve_stack("raw", collection, "montage", "translation", render=render)
    assert transforms("montage", render)["z1_r0_c0"] == transforms("raw", render)["z1_r0_c0"]


def test_the_target_is_not_the_source_and_not_another_stack(render):
    collection = stored(Planted(2, 2), render)
    with pytest.raises(SpecError, match="stack raw itself"):
        solve_stack("raw", collection, "raw", render=render)
    renderapi.stack.create_stack("other", stackResolutionX=8.0, render=render)
    with pytest.raises(ConflictError, match="stackResolutionX"):
        solve_stack("raw", collection, "other", render=render)


def test_arguments_that_mean_nothing_are_refused_before_anything_is_stored(render):
    planted = Planted(2, 2, 2)
    collection = stored(planted, render)
    for keywords in (
        {"zs": []},
        {"across": True, "block": 2, "overlap": 2},
        {"model": "warp"},
        {"prior": -1.0},
    ):
        with pytest.raises(SpecError):
            solve_stack("raw", collection, "montage", render=render, **keywords)
    without = [copy.deepcopy(tile) for tile in planted.tiles]
    for tile in without:
        tile["layout"] = {}
    renderapi.stack.create_stack("nameless", render=render)
    renderapi.client.import_tilespecs("nameless", [TileSpec(json=tile) for tile in without], render=render)
    with pytest.raises(SpecError, match="has no section id"):
        solve_stack("nameless", collection, "montage", render=render)
    with pytest.raises(NotFoundError):
        state("montage", render)


def test_tiles_that_are_fixed_are_in_some_layer(render):
    planted = Planted(2, 2, 2)
    collection = stored(planted, render)
    fixed = iter(["z1_r0_c0"])  # read once, though there are two layers
    solve_stack("raw", collection, "held", fixed=fixed, tile_priors={"z0_r0_c0": 2.0}, render=render)
    assert transforms("held", render)["z1_r0_c0"] == transforms("raw", render)["z1_r0_c0"]


@pytest.mark.parametrize(
    ("named", "error", "text"),
    [
        ({"fixed": ["z1_r0_c0", "nobody"]}, SpecError, "fixed names the tile 'nobody'"),
        ({"fixed": "z1_r0_c0"}, SpecError, "give a list of tile ids"),
        ({"tile_priors": {"nobody": 2.0}}, SpecError, "tile_priors names the tile 'nobody'"),
        ({"label_priors": {"nothing": 2.0}}, SpecError, "label_priors names the label 'nothing'"),
        ({"zs": [1.0, 7.0]}, NotFoundError, "no layer 7"),
        ({"mergeCollections": ["nowhere"]}, NotFoundError, "nowhere"),
    ],
)
def test_what_is_named_and_not_there_is_said_before_anything_is_stored(server, named, error, text):
    render = server.connect(owner="me", project="named")
    if "raw" not in renderapi.render.get_stacks_by_owner_project(render=render):
        stored(Planted(2, 2, 2), render)
    with pytest.raises(error, match=text):
        solve_stack("raw", "named", "other", render=render, **named)
    with pytest.raises(NotFoundError):
        state("other", render)


def test_labels_of_some_layers_hold_tiles_of_these(render):
    planted = Planted(2, 2, 2)
    tiles = copy.deepcopy(planted.tiles)
    tiles[-1]["labels"] = ["good"]
    collection = stored(planted, render, tiles=tiles)
    solve_stack("raw", collection, "held", label_priors={"good": 1e14}, render=render)
    before, after = (transforms(stack, render)[tiles[-1]["tileId"]] for stack in ("raw", "held"))
    assert np.allclose(before.M, after.M, atol=1e-3)
