"""What cannot be solved: each has an exception of its own, which names what it is about."""

import copy
import pickle

import numpy as np
import pytest
from planted import SIDE, Planted

from renderapi.errors import SpecError
from renderapi.geometry import TileSpecError
from renderapi.solve import (
    ComponentsError,
    MatchCoordinatesError,
    NoMatchesError,
    SingularSystemError,
    SolveError,
    TooFewMatchesError,
    UnknownTileError,
    solve_matches,
)


@pytest.fixture
def planted():
    return Planted(2, 3)


def without(planted, *names):
    return [m for m in planted.matches if not {m["pId"], m["qId"]} & set(names)]


def test_tiles_without_any_matches(planted):
    with pytest.raises(NoMatchesError, match=r"none of 6 tiles .* there are none") as caught:
        solve_matches(planted.tiles, [])
    assert caught.value.tile_ids == list(planted.truth)
    other_names = [{**m, "pId": "p" + m["pId"], "qId": "q" + m["qId"]} for m in planted.matches]
    with pytest.raises(NoMatchesError, match="7 pairs are with tiles that are not there"):
        solve_matches(planted.tiles, other_names)


def test_a_tile_without_matches(planted):
    matches = without(planted, "z0_r0_c0")
    assert solve_matches(planted.tiles, matches).report.unmatched == ["z0_r0_c0"]
    with pytest.raises(NoMatchesError, match="1 of 6 tiles have no matches: z0_r0_c0") as caught:
        solve_matches(planted.tiles, matches, refuse="unmatched")
    assert caught.value.tile_ids == ["z0_r0_c0"]


def test_a_pair_with_too_few_matches(planted):
    few = copy.deepcopy(planted.matches)
    content = few[0]["matches"]
    few[0]["matches"] = {"p": [r[:2] for r in content["p"]], "q": [r[:2] for r in content["q"]], "w": [1, 1]}
    pair = (few[0]["pId"], few[0]["qId"])
    report = solve_matches(planted.tiles, few).report
    assert report.few == [pair] and len(report.pairs) == len(few) - 1
    assert solve_matches(planted.tiles, few, min_matches=2).report.few == []
    with pytest.raises(TooFewMatchesError, match=f"{pair[0]} and {pair[1]}") as caught:
        solve_matches(planted.tiles, few, refuse=["few"])
    assert caught.value.pairs == [pair]


def test_matches_whose_weights_are_zero_are_none(planted):
    weightless = copy.deepcopy(planted.matches)
    weightless[0]["matches"]["w"] = [0.0] * 40
    assert len(solve_matches(planted.tiles, weightless).report.few) == 1


def test_a_match_with_a_tile_that_is_nowhere(planted):
    stray = {**planted.matches[0], "qId": "nowhere"}
    report = solve_matches(planted.tiles, [*planted.matches, stray]).report
    assert report.unknown == [(stray["pId"], "nowhere")] and report.unknown_tiles == ["nowhere"]
    with pytest.raises(UnknownTileError, match="nowhere") as caught:
        solve_matches(planted.tiles, [*planted.matches, stray], refuse={"unknown"})
    assert caught.value.tile_ids == ["nowhere"] and caught.value.pairs == report.unknown


def test_two_components(planted):
    matches = [m for m in planted.matches if {m["pId"][-1], m["qId"][-1]} != {"1", "2"}]
    with pytest.raises(ComponentsError, match=r"2 components .* 2 tiles, and begin with z0_r0_c2") as caught:
        solve_matches(planted.tiles, matches, refuse=["components"])
    assert [len(component) for component in caught.value.components] == [4, 2]
    assert caught.value.tile_ids == ["z0_r0_c2", "z0_r1_c2"]


def in_world(planted):
    found = copy.deepcopy(planted.matches)
    for match in found:
        for side in "pq":
            M = planted.truth[match[f"{side}Id"]]
            points = np.array(match["matches"][side])
            match["matches"][side] = (M[:2, :2] @ points + M[:2, 2:] + 5000).tolist()
    return found


def test_a_collection_of_other_coordinates(planted):
    with pytest.raises(
        MatchCoordinatesError, match=r"of 7 of 7 pairs .* outside of the tiles.*points="
    ) as caught:
        solve_matches(planted.tiles, in_world(planted))
    assert len(caught.value.pairs) == 7


def test_a_pair_of_other_coordinates(planted):
    matches = [in_world(planted)[0], *planted.matches[1:]]
    pair = (matches[0]["pId"], matches[0]["qId"])
    assert solve_matches(planted.tiles, matches).report.elsewhere == [pair]
    with pytest.raises(MatchCoordinatesError, match="1 pairs") as caught:
        solve_matches(planted.tiles, matches, refuse="elsewhere")
    assert caught.value.pairs == [pair]


@pytest.mark.parametrize("method", ["direct", "iterative"])
@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine", "polynomial2"])
def test_tiles_that_nothing_holds(planted, model, method):
    nothing = {"translation": 0, "linear": 0, "quadratic": 0}
    with pytest.raises(SingularSystemError, match=r"6 tiles .*fix a tile") as caught:
        solve_matches(planted.tiles, planted.matches, model, prior=nothing, method=method)
    assert caught.value.tile_ids == list(planted.truth)
    if model in ("translation", "affine"):
        solve_matches(planted.tiles, planted.matches, model, prior=nothing, fixed=["z0_r0_c0"], method=method)


def test_a_component_that_nothing_holds_is_named(planted):
    matches = [m for m in planted.matches if {m["pId"][-1], m["qId"][-1]} != {"1", "2"}]
    nothing = {"translation": 0, "linear": 0}
    with pytest.raises(SingularSystemError) as caught:
        solve_matches(planted.tiles, matches, prior=nothing, fixed=["z0_r0_c0"])
    assert caught.value.tile_ids == ["z0_r0_c2", "z0_r1_c2"]


def test_a_tile_whose_matches_lie_on_a_line(planted):
    matches = without(planted, "z0_r0_c0")
    on_line = copy.deepcopy(planted.matches[0])
    on_line["matches"]["p"][1] = [500.0] * 40
    matches.append(on_line)
    with pytest.raises(SingularSystemError, match=r"z0_r0_c0.*one spot or line") as caught:
        solve_matches(planted.tiles, matches, prior={"linear": 0}, fixed=["z0_r1_c2"])
    assert caught.value.tile_ids == ["z0_r0_c0"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"p": [[1.0], [2.0]]}, "has the shape"),
        ({"p": [[float("nan")] * 40] * 2}, "not finite"),
        ({"w": [-1.0] * 40}, "negative"),
        ({"w": ["a"] * 40}, "of numbers"),
        ({"q": None}, "of numbers|shape"),
    ],
)
def test_match_documents_with_bad_numbers(planted, change, said):
    bad = copy.deepcopy(planted.matches)
    bad[1]["matches"].update(change)
    with pytest.raises(SpecError, match=f"{bad[1]['pId']} and {bad[1]['qId']}.*({said})"):
        solve_matches(planted.tiles, bad)


def test_what_is_no_match_document(planted):
    with pytest.raises(SpecError, match="one document"):
        solve_matches(planted.tiles, planted.matches[0])
    with pytest.raises(SpecError, match="item 0 of matches"):
        solve_matches(planted.tiles, [planted.tiles[0]])
    with pytest.raises(SpecError, match="without their details"):
        solve_matches(planted.tiles, [{k: v for k, v in planted.matches[0].items() if k != "matches"}])
    with pytest.raises(SpecError, match="with itself"):
        solve_matches(planted.tiles, [{**planted.matches[0], "qId": planted.matches[0]["pId"]}])


def test_what_is_no_tile(planted):
    with pytest.raises(SpecError, match="one tile spec"):
        solve_matches(planted.tiles[0], planted.matches)
    with pytest.raises(SpecError, match="two tiles with the id 'z0_r0_c0'"):
        solve_matches([*planted.tiles, planted.tiles[0]], planted.matches)
    with pytest.raises(SpecError, match="tile 0 has the tileId None"):
        solve_matches([{**planted.tiles[0], "tileId": None}], planted.matches)
    with pytest.raises(TileSpecError, match="width and height"):
        solve_matches([{**planted.tiles[0], "width": None}], planted.matches)


def test_errors_come_back_whole_from_other_processes():
    error = SolveError("said", tile_ids=["a"], pairs=[("a", "b")])
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.tile_ids, back.pairs) == ("said", ["a"], [("a", "b")])
    back = pickle.loads(pickle.dumps(ComponentsError("said", components=[["a"]])))
    assert back.components == [["a"]]


def test_a_point_slightly_outside_is_no_matter(planted):
    planted.matches[0]["matches"]["p"][0][0] = SIDE + 5.0
    assert solve_matches(planted.tiles, planted.matches).report.elsewhere == []
