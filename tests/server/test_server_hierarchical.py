import numpy as np
import pytest
from embedded import affine, make_tile

CLUSTERS = "z/1/clusteredTileBoundsForCollection/c"


def connect(api, *pairs, owner="o"):
    documents = [
        {
            "pGroupId": p[0],
            "pId": p[1],
            "qGroupId": q[0],
            "qId": q[1],
            "matches": {"p": [[]], "q": [[]], "w": []},
        }
        for p, q in pairs
    ]
    api.send("PUT", f"/owner/{owner}/matchCollection/c/matches", documents, 201)


def test_clusters_of_a_layer(loading):
    loading.put_tiles(
        *(make_tile(name, section="1") for name in "abcde"),
        *(make_tile(name, section="1.1") for name in "xyz"),
        make_tile("other", 2.0, section="2"),
        make_tile("bare", section=None),
    )
    connect(
        loading,
        (("1", "a"), ("1", "b")),
        (("1", "b"), ("1.1", "x")),
        (("1", "d"), ("1", "e")),
        (("1.1", "x"), ("1.1", "y")),
        (("1", "c"), ("2", "other")),
        (("1", "d"), ("1", "gone")),
        (("3", "d"), ("3", "a")),
    )
    found = loading.get(CLUSTERS)
    assert [[bounds["tileId"] for bounds in cluster] for cluster in found] == [
        ["a", "b", "x", "y"],
        ["d", "e"],
    ]
    assert found[0][2] == {
        "minX": 0.0,
        "minY": 0.0,
        "maxX": 100.0,
        "maxY": 80.0,
        "tileId": "x",
        "sectionId": "1.1",
        "z": 1.0,
    }
    assert loading.get(CLUSTERS.replace("1", "9")) == []


def test_clusters_by_the_matches_of_another_owner(loading):
    loading.put_tiles(make_tile("a"), make_tile("b"))
    connect(loading, (("1.0", "a"), ("1.0", "b")), owner="n")
    assert len(loading.get(CLUSTERS + "?matchOwner=n")) == 1
    assert loading.refused("GET", CLUSTERS) == (404, "match collection 'o__c' does not exist")
    assert loading.refused("GET", CLUSTERS + "?matchOwner=n", stack="gone")[0] == 404
    assert loading.refused("GET", CLUSTERS + "?matchOwner=n-n")[0] == 400


@pytest.fixture
def aligned(loading):
    """Return two tiles that were matched in one stack and lie elsewhere in another."""
    lens = affine("1 0 0 1 5 0", metaData={"labels": ["lens"]})
    loading.put_tiles(make_tile("a", specs=[lens, affine("1 0 0 1 1000 0")]), make_tile("b", specs=[lens]))
    loading.create("aligned")
    loading.put_tiles(
        make_tile("a", specs=[affine("1 0 0 1 10 0")]),
        make_tile("b", specs=[affine("1 0 0 1 10 3")]),
        stack="aligned",
    )
    return loading


def matches(p, q, p_id="a", q_id="b"):
    return {
        "pGroupId": "1.0",
        "pId": p_id,
        "qGroupId": "1.0",
        "qId": q_id,
        "matches": {"p": np.transpose(p).tolist(), "q": np.transpose(q).tolist(), "w": [1.0] * len(p)},
    }


def question(p="a", q="b", details=True, **more):
    return {
        "pTileId": p,
        "qTileId": q,
        "matchRenderStackId": {"owner": "o", "project": "p", "stack": "s"},
        "matchCollectionId": {"owner": "o", "name": "c"},
        "includeDetails": details,
        **more,
    }


def ask(api, body, stack="aligned"):
    return api("POST", "pairResidualCalculation", body, stack=stack)


def test_residuals(aligned):
    # positions behind the lens, which shifts by 5; in the aligned stack q lies 3 below p
    p = [[15, 10], [25, 20], [35, 30], [3, 3], [45, 40]]
    q = [[15, 10], [21, 20], [35, 34], [15, 10], [45, 300]]
    aligned.send("PUT", "/owner/o/matchCollection/c/matches", [matches(p, q)], 201)
    answer = ask(aligned, question()).json
    assert list(answer) == [
        "alignedStackId",
        "inputData",
        "medianDistance",
        "meanDistance",
        "maxDistance",
        "rootMeanSquareError",
        "distanceList",
    ]
    assert answer["alignedStackId"] == {"owner": "o", "project": "p", "stack": "aligned"}
    assert answer["inputData"] == question()
    # the last two points cannot be inverted
    assert answer["distanceList"] == pytest.approx([3.0, 5.0, 7.0])
    assert (answer["medianDistance"], answer["meanDistance"], answer["maxDistance"]) == pytest.approx(
        (5, 5, 7)
    )
    assert answer["rootMeanSquareError"] == pytest.approx(np.sqrt((9 + 25 + 49) / 3))
    swapped = ask(aligned, question("b", "a", details=False)).json
    assert "distanceList" not in swapped
    assert swapped["meanDistance"] == pytest.approx(5)


def test_residuals_that_there_are_not(aligned):
    aligned.send("PUT", "/owner/o/matchCollection/c/matches", [matches([[1e6, 0]], [[0, 0]])], 201)
    assert ask(aligned, question()).status_code == 400
    assert ask(aligned, question("a", "a")).status_code == 404
    assert ask(aligned, question("a", "x")).status_code == 404
    assert ask(aligned, question(), stack="gone").status_code == 404
    assert ask(aligned, question(matchCollectionId={"owner": "o", "name": "none"})).status_code == 404
    assert ask(aligned, question(details=None)).status_code == 500
    assert ask(aligned, question(matchCollectionId={"owner": "o"})).status_code == 400
    pair = {"pGroupId": "1.0", "pId": "a", "qGroupId": "1.0", "qId": "b"}
    aligned.send("PUT", "/owner/o/matchCollection/c/matches", [pair], 201)
    assert ask(aligned, question()).status_code == 404


# ------------------------------------------------------------------------------ tiers

NOT_OFFERED = (501, "The embedded server does not offer hierarchical alignment; use a full render-ws for it.")
PROJECT = "/owner/o/project/p"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, {}),
        (
            {
                "roughTilesStackId": {"owner": "o", "project": "p", "stack": "s", "more": 1},
                "tier": "1",
                "row": 2,
            },
            {"roughTilesStackId": {"owner": "o", "project": "p", "stack": "s"}, "tier": 1},
        ),
        (
            {"splitGroupIds": ["b", "a", "b"], "fullScaleBounds": {"minX": 0, "minY": None}, "scale": 1},
            {"splitGroupIds": ["a", "b"], "fullScaleBounds": {"minX": 0.0}, "scale": 1.0},
        ),
    ],
)
def test_the_place_of_a_stack_in_a_hierarchy_is_kept(loading, sent, kept):
    before = loading.get("")
    loading.send("PUT", "hierarchicalData", sent)
    assert loading.get("hierarchicalData") == kept
    assert loading.get("") == {**before, "hierarchicalData": kept}
    for body in ([], "x", {"tier": "x"}, {"splitGroupIds": 1}):
        assert loading("PUT", "hierarchicalData", body).status_code == 400
    assert loading.get("hierarchicalData") == kept
    loading.send("DELETE", "hierarchicalData")
    assert loading("GET", "hierarchicalData").status_code == 204
    loading.send("PUT", "hierarchicalData", sent)
    loading.send("PUT", "hierarchicalData", data="null", content_type="application/json")
    assert loading.get("") == before


def test_a_read_only_stack_keeps_its_place_in_a_hierarchy(api):
    api.in_state("READ_ONLY")
    refused = (500, "Data for stack s cannot be modified because it is READ_ONLY.")
    assert api.refused("PUT", "hierarchicalData", {}) == api.refused("DELETE", "hierarchicalData") == refused


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_stacks_that_are_not_there_have_no_place_in_a_hierarchy(api, method):
    missing = (404, "stack with owner 'o', project 'p', and name 's' does not exist")
    assert api.refused(method, "hierarchicalData", {} if method == "PUT" else None) == missing
    assert api.refused("GET", "missingTierMatchLayers") == missing


def test_what_is_asked_of_tiers_without_any_is_answered(loading):
    removed = f"{PROJECT}/tierData"
    assert loading.get(f"{PROJECT}/missingTierMatchLayers") == []
    assert loading("DELETE", removed).text == (
        "removed 0 stacks and 0 match collections for project 'p' owned by 'o'"
    )
    assert loading.refused("GET", "missingTierMatchLayers") == (
        400,
        "stack with owner 'o', project 'p', and name 's' does not have hierarchical data",
    )
    for path in ("affineWarpFieldTransform", "affineWarpFieldTransformDebug"):
        nothing = (404, "No aligned stacks exist for owner 'o' and project 'p'.")
        assert loading.refused("GET", f"{PROJECT}/z/1/{path}?consensusBuildMethod=SIMPLE") == nothing
        assert loading.refused("GET", f"{PROJECT}/z/1/{path}?consensusBuildMethod=simple")[0] == 404
    assert loading.get("")["state"] == "LOADING"


def test_tiers_are_not_aligned(loading):
    aligned = {"owner": "o", "project": "p", "stack": "s"}
    loading.send("PUT", "hierarchicalData", {"alignedStackId": aligned, "savedMatchPairCount": 1})
    assert loading.refused("DELETE", f"{PROJECT}/tierData") == NOT_OFFERED
    for path in ("z/1/affineWarpFieldTransform", "missingTierMatchLayers", "stack/s/missingTierMatchLayers"):
        assert loading.refused("GET", f"{PROJECT}/{path}") == NOT_OFFERED
    assert loading.get("")["state"] == "LOADING"
