"""What the embedded server does differently for the two branches of render, and what it does for both."""

import pytest

from renderapi.server import serve_background

AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
STACK = "/v1/owner/{owner}/project/{project}/stack/{stack}"
MATCHED = STACK + "/resolvedTilesWithMatchesFrom/{matchCollection}"


def tile(tile_id, x, group=None, z=1.0, labels=()):
    first = {"type": "leaf", "className": AFFINE, "dataString": f"1 0 0 1 {x} 7"}
    if labels:
        first["metaData"] = {"labels": list(labels)}
    document = {
        "tileId": tile_id,
        "layout": {"sectionId": f"{z}"},
        "z": z,
        "width": 40,
        "height": 30,
        "mipmapLevels": {"0": {"imageUrl": "file:/none.png"}},
        "transforms": {
            "type": "list",
            "specList": [first] + [{"type": "leaf", "className": AFFINE, "dataString": "1 0 0 1 2 3"}] * 3,
        },
    }
    return document if group is None else {**document, "groupId": group}


TILES = [
    tile("a1", 0, "g2"),
    tile("b1", 30, "g1"),
    tile("b2", 60, labels=["include"]),
    tile("c2", 0, z=2.0),
]


@pytest.fixture(params=["master", "newsolver"])
def branch(request):
    return request.param


@pytest.fixture(params=["memory", "socket"])
def api(branch, request):
    """A function that asks a server of a branch with a stack of some tiles and a collection of matches."""
    with serve_background(transport=request.param, compat=branch) as server, server.session() as session:

        def ask(method, path, **options):
            return session.request(method, f"{server.url}{path}", **options)

        stack = "/v1/owner/o/project/p/stack/s"
        assert ask("POST", stack, json={}).status_code == 201
        tiles = {"tileIdToSpecMap": {spec["tileId"]: spec for spec in TILES}, "transformIdToSpecMap": {}}
        path = f"{stack}/resolvedTiles?deriveData=true"
        assert ask("PUT", path, json=tiles).status_code == 201
        matches = {"p": [[20.0], [25.0]], "q": [[40.0], [25.0]], "w": [1.0]}
        pairs = [("1.0", "a1", "1.0", "b1"), ("1.0", "b2", "2.0", "c2"), ("1.0", "x", "1.0", "y")]
        pairs += [("9.0", "a1", "9.0", "b1")]
        names = ("pGroupId", "pId", "qGroupId", "qId")
        body = [{**dict(zip(names, pair)), "matches": matches} for pair in pairs]
        assert ask("PUT", "/v1/owner/o/matchCollection/m/matches", json=body).status_code == 201
        yield lambda path, method="GET", **options: ask(method, stack + path, **options)


def test_the_description_tells_the_branch(branch):
    with serve_background(transport="memory", compat=branch) as server, server.session() as session:
        paths = session.get(f"{server.url}/swagger.json").json()["paths"]
    newsolver = branch == "newsolver"
    assert (MATCHED in paths) == newsolver
    assert (STACK + "/hierarchicalData" in paths) != newsolver
    assert sum(map(len, paths.values())) == (157 if newsolver else 164)
    assert len(paths) == (134 if newsolver else len(paths))

    def described(path):
        return {parameter["name"] for parameter in paths[path]["get"]["parameters"]}

    for path, newer in {
        f"{STACK}/z/{{z}}/tileBounds": {"tileIdPattern"},
        f"{STACK}/section/{{sectionId}}/tileBounds": {"tileIdPattern"},
        f"{STACK}/z/{{z}}/tile-specs": {"tileIdPattern"},
        f"{STACK}/z/{{z}}/last-tile-transforms": {"tileIdPattern"},
        f"{STACK}/z/{{z}}/render-parameters": {"tileIdPattern", "tileSpecOrder", "maskMinX", "maskMinY"},
        f"{STACK}/z/{{z}}/png-image": {"tileIdPattern", "tileSpecOrder", "maskMinX", "maskMinY"},
        f"{STACK}/resolvedTiles": {"matchPattern"},
        f"{STACK}/z/{{z}}/resolvedTiles": {"matchPattern"},
        f"{STACK}/tile/{{tileId}}/render-parameters": {"tileSpecOrder", "maskMinX", "maskMinY"},
    }.items():
        assert newer & described(path) == (newer if newsolver else set()), path


def test_bounds_have_a_depth_with_newsolver(api, branch):
    for path in ("/z/1/tileBounds", "/section/1.0/tileBounds"):
        for bounds in api(path).json():
            assert (bounds.get("minZ"), bounds.get("maxZ")) == (
                (1, 1) if branch == "newsolver" else (None,) * 2
            )


def test_bookkeeping_of_tiers_is_gone_with_newsolver(api, branch):
    assert api("/hierarchicalData").status_code == (404 if branch == "newsolver" else 204)


def test_matching_moves_a_tile_to_the_origin_with_master(api, branch):
    found = api("/tile/a1/render-parameters?normalizeForMatching=true").json()
    assert (found["x"], found["y"]) == ((2, 10) if branch == "newsolver" else (0, 0))


def test_the_label_include_counts_with_newsolver(api, branch):
    found = api("/tile/b2/render-parameters?normalizeForMatching=true").json()
    left = found["tileSpecs"][0]["transforms"]["specList"]
    assert len(left) == (1 if branch == "newsolver" else 2)


def test_both_choose_tiles_by_pattern(api):
    def ids(path):
        return [spec["tileId"] for spec in api(path).json()]

    for path in (
        "/z/1/tileBounds",
        "/section/1.0/tileBounds",
        "/z/1/tile-specs",
        "/z/1/last-tile-transforms",
    ):
        assert sorted(ids(path + "?tileIdPattern=%5Eb")) == ["b1", "b2"]
        assert ids(path + "?tileIdPattern=none") == []
    assert list(api("/resolvedTiles?matchPattern=2%24").json()["tileIdToSpecMap"]) == ["b2", "c2"]
    assert list(api("/z/1/resolvedTiles?matchPattern=2%24").json()["tileIdToSpecMap"]) == ["b2"]
    found = api("/z/1/render-parameters?tileIdPattern=b").json()
    assert (found["x"], found["width"], len(found["tileSpecs"])) == (36.0, 70, 2)


@pytest.mark.parametrize("path", ["/z/1/tileBounds?tileIdPattern=", "/resolvedTiles?matchPattern="])
def test_an_expression_that_is_none_is_refused(api, path):
    answer = api(path + "(")
    assert answer.status_code == 400 and "is no regular expression" in answer.text


def test_both_paint_in_an_order_that_is_asked_for(api):
    def ids(order):
        found = api(f"/z/1/render-parameters?tileSpecOrder={order}").json()
        return [spec["tileId"] for spec in found["tileSpecs"]]

    assert ids("DESCENDING_TILE_ID_ORDER") == ["b2", "b1", "a1"]
    assert ids("CLUSTER_GROUP_ID_ORDER") == ["a1", "b1", "b2"]
    assert api("/z/1/render-parameters?tileSpecOrder=other").status_code == 404


def test_both_put_the_place_of_computed_masks_into_the_document(api):
    found = api("/z/1/render-parameters?maskMinX=3").json()
    assert found["maskMinX"] == 3 and "maskMinY" not in found
    assert list(found)[list(found).index("excludeMask") + 1] == "maskMinX"


def test_both_give_tiles_with_their_matches(api):
    found = api("/resolvedTilesWithMatchesFrom/m").json()
    assert list(found["resolvedTileSpecs"]["tileIdToSpecMap"]) == ["a1", "b1", "b2", "c2"]
    assert [(pair["pId"], pair["qId"]) for pair in found["matchPairs"]] == [("a1", "b1"), ("b2", "c2")]
    assert found["matchPairs"][0]["matches"]["p"] == [[20.0], [25.0]]
    # pairs of which only one tile is chosen are given too
    for query in ("maxZ=1&matchPattern=2", "minZ=2"):
        pairs = api(f"/resolvedTilesWithMatchesFrom/m?{query}").json()["matchPairs"]
        assert [(pair["pId"], pair["qId"]) for pair in pairs] == [("b2", "c2")]
    assert api("/resolvedTilesWithMatchesFrom/m?groupId=g7").status_code == 404


def test_tiles_without_a_section_have_no_matches(api):
    bare = {key: value for key, value in tile("d", 0, z=3.0).items() if key != "layout"}
    body = {"tileIdToSpecMap": {"d": bare}, "transformIdToSpecMap": {}}
    assert api("/resolvedTiles?deriveData=true", "PUT", json=body).status_code == 201
    assert api("/resolvedTilesWithMatchesFrom/m?minZ=3").json()["matchPairs"] == []


def test_residuals_need_their_details_with_newsolver(api, branch):
    where = {"matchRenderStackId": {"owner": "o", "project": "p", "stack": "s"}}
    body = {"pTileId": "a1", "qTileId": "b1", **where, "matchCollectionId": {"owner": "o", "name": "m"}}
    path = "/pairResidualCalculation"
    statuses = [
        api(path, "POST", json={**body, **more}).status_code
        for more in ({}, {"includeDetails": False}, {"includeDetails": True})
    ]
    assert statuses == [500, 500 if branch == "newsolver" else 200, 200]
