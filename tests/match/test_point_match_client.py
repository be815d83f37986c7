"""`renderapi.client.pointMatchClient` without Java: the same pairs, names and places as with it."""

import json

import numpy as np
import pytest

pytest.importorskip("cv2")

from golden import case, load, residuals, specs

import renderapi
from renderapi.client import pointMatchClient
from renderapi.client.checks import ClientArgumentError
from renderapi.errors import NotFoundError
from renderapi.match import MatchParametersError
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec


@pytest.fixture(scope="module")
def render():
    with serve_background() as server:
        render = server.connect(owner="m", project="p")
        renderapi.stack.create_stack("tissue", render=render)
        renderapi.client.import_tilespecs("tissue", [TileSpec(json=spec) for spec in specs()], render=render)
        yield render


def run(wanted, render, collection, **more):
    options = {
        name: value
        for name, value in wanted["options"].items()
        if name[0] != "c" and name != "firstCanvasPosition"
    }
    view = dict(part.split("=") for part in wanted["query"].split("&"))
    keywords = {
        "normalizeForMatching": view.get("normalizeForMatching") == "true",
        "filter": view.get("filter") == "true",
    }
    if "excludeMask" in view:
        keywords["renderWithoutMask"] = True
    if "excludeAllTransforms" in view:
        keywords["excludeAllTransforms"] = True
    if "excludeTransformsAfterLast" in view:
        keywords["excludeTransformsAfterLast"] = view["excludeTransformsAfterLast"]
    rest = {name: value for name, value in wanted["options"].items() if name not in options}
    pointMatchClient(
        "tissue", collection, wanted["pairs"], sift_options=options, render=render, **keywords, **rest, **more
    )


def stored(collection, render):
    found = []
    for group in renderapi.pointmatch.get_match_groupIds(collection, render=render):
        found += renderapi.pointmatch.get_matches_within_group(collection, group, render=render)
    return {(d["pId"], d["qId"]): d for d in found}


@pytest.mark.parametrize(
    "name",
    ["base", "full_transforms", "exclude_mask", "clip_left_half", "swapped_pair", "group_z_id_name"],
)
def test_what_java_stores_is_stored(name, render):
    wanted = case(name)
    run(wanted, render, name)
    java = {(d["pId"], d["qId"]): d for d in wanted["runs"][0]["docs"]}
    ours = stored(name, render)
    assert ours.keys() == java.keys()
    for pair, document in ours.items():
        assert (document["pGroupId"], document["qGroupId"]) == (
            java[pair]["pGroupId"],
            java[pair]["qGroupId"],
        )
        assert len(document["matches"]["w"]) >= java[pair]["matchCount"] / 2
        # the same space: points are of the same part of the canvas
        for side in "pq":
            low, high = (np.quantile(java[pair]["matches"][side], part, axis=1) for part in (0.1, 0.9))
            middle = np.median(document["matches"][side], axis=1)
            assert (middle > low).all() and (middle < high).all()


def test_sets_of_a_fold_have_the_names_that_java_gives_them(render):
    wanted = {**case("consensus"), "pairs": [["t0", "t8"]]}
    run(wanted, render, "sets")
    names = {(f"t0_set_1.0_1.0_{n}", f"t8_set_1.0_1.0_{n}") for n in range(2)}
    assert names <= stored("sets", render).keys()


def test_matches_go_into_a_file_instead(render, tmp_path):
    wanted = {**case("base"), "pairs": [["t0", "t1"]]}
    run(
        wanted,
        render,
        "nowhere",
        matchStorageFile=str(tmp_path / "m.json"),
        debugDirectory=str(tmp_path / "seen"),
        numberOfThreads=2,
    )
    [document] = json.loads((tmp_path / "m.json").read_text())
    assert np.median(residuals(document)) < 0.3
    assert len(list((tmp_path / "seen").iterdir())) == 2
    with pytest.raises(NotFoundError):
        renderapi.pointmatch.get_match_groupIds("nowhere", render=render)


def test_pairs_that_are_not_connected_make_no_collection(render):
    run({**case("base"), "pairs": [["t0", "t5"], ["t0", "t6"]]}, render, "nothing")
    with pytest.raises(NotFoundError):
        renderapi.pointmatch.get_match_groupIds("nothing", render=render)


def test_a_missing_tile_is_told_and_nothing_is_stored(render):
    with pytest.raises(NotFoundError, match="nobody"):
        run({**case("base"), "pairs": [["t0", "t1"], ["t0", "nobody"]]}, render, "half")
    with pytest.raises(NotFoundError):
        renderapi.pointmatch.get_match_groupIds("half", render=render)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"sift_options": {}}, ClientArgumentError),
        ({"sift_options": {"matchMaxEpsilon": 4, "matchModelType": "PROJECTIVE"}}, MatchParametersError),
        ({"clipWidth": 10}, ClientArgumentError),
        ({"firstCanvasPosition": "MIDDLE"}, ClientArgumentError),
        ({"canvasIdAlgorithm": "NAME"}, ClientArgumentError),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is(more, error, render):
    options = {"sift_options": {"matchMaxEpsilon": 4}, **more}
    with pytest.raises(error):
        pointMatchClient("tissue", "none", [("t0", "t1")], render=render, **options)


def test_the_case_without_an_error_limit_fails_in_java_too():
    [wanted] = [c for c in load("client")["cases"] if c["name"] == "no_epsilon"]
    assert wanted["runs"][0]["rc"] == 1
