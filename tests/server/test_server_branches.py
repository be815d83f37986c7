"""What the embedded server does differently for the two branches of render, and what it does for both."""

import io

import pytest
import requests
import responses
from PIL import Image

from renderapi import image
from renderapi.errors import BadAnswerError, BadRequestError, NotFoundError
from renderapi.pointmatch import import_matches
from renderapi.render import get_branch
from renderapi.resolvedtiles import (
    get_resolved_tiles_from_z,
    get_resolved_tiles_with_matches,
    put_tilespecs,
)
from renderapi.server import serve_background
from renderapi.server.endpoints.declaring import Context
from renderapi.server.endpoints.drawing import Drawing
from renderapi.stack import create_stack, get_tilebounds_for_z
from renderapi.tilespec import TileSpec, get_tile_specs_from_z

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


def test_the_branch_decides_what_gray_images_are(branch, tmp_path):
    # colours: the mean of the bands with newsolver, weighed with master
    Image.new("RGB", (8, 6), (30, 60, 150)).save(tmp_path / "i.png")
    levels = {"0": {"imageUrl": f"file:{tmp_path}/i.png"}}
    spec = {"tileId": "t", "width": 8, "height": 6, "mipmapLevels": levels}
    body = {"x": 0, "y": 0, "width": 7, "height": 5, "convertToGray": True, "tileSpecs": [spec]}
    newsolver = branch == "newsolver"
    with serve_background(transport="memory", compat=branch, image_roots=[tmp_path]) as server:
        found = {}
        with server.session() as session:
            for kind in ("jpeg", "tiff", "png"):
                found[kind] = session.put(f"{server.url}/v1/owner/o/{kind}-image", json=body)
    assert found["png"].status_code == (500 if newsolver else 200)
    for kind in ("jpeg", "tiff"):
        with Image.open(io.BytesIO(found[kind].content)) as image:
            assert image.mode == ("L" if newsolver or kind == "jpeg" else "RGB")
            shown = image.getpixel((3, 3))
        if image.mode == "L":
            assert abs(shown - (80 if newsolver else 61)) <= 1


def test_the_branch_decides_how_many_tiles_an_answer_has(api, branch, monkeypatch):
    assert (
        Context(None, Drawing(compat=branch)).most_tiles == {"master": 50_001, "newsolver": 500_001}[branch]
    )
    monkeypatch.setattr(Context, "most_tiles", 2)
    for path in ("/z/1/resolvedTiles", "/resolvedTiles", "/z/1/tile-specs", "/z/1/last-tile-transforms"):
        answer = api(path)
        assert answer.status_code == 400 and answer.text.startswith("query too broad, over 2 tiles match"), (
            path
        )
    assert api("/resolvedTilesWithMatchesFrom/m").status_code == 400
    assert api("/z/1/render-parameters").status_code == 400
    assert api("/z/2/resolvedTiles").status_code == 200


# ------------------------------------------------------------------------------ the client


@pytest.fixture(params=["memory", "socket"])
def client(branch, request):
    """A connection to a server of a branch with the stack ``s``, and the images of its tiles."""
    with (
        serve_background(transport=request.param, compat=branch) as server,
        server.connect(owner="o", project="p") as render,
    ):
        create_stack("s", render=render)
        put_tilespecs("s", tilespecs=[TileSpec(json=spec) for spec in TILES], render=render)
        pairs = [("1.0", "a1", "1.0", "b1"), ("1.0", "b2", "2.0", "c2"), ("1.0", "x", "1.0", "y")]
        names = ("pGroupId", "pId", "qGroupId", "qId")
        matches = {"p": [[1.0], [2.0]], "q": [[3.0], [4.0]], "w": [1.0]}
        import_matches("m", [{**dict(zip(names, pair)), "matches": matches} for pair in pairs], render=render)
        yield render


def test_the_client_tells_the_branch(client, branch):
    assert get_branch(render=client) == branch


def test_the_client_chooses_tiles_by_pattern(client):
    def ids(tiles):
        return sorted(tile["tileId"] if isinstance(tile, dict) else tile.tileId for tile in tiles)

    wanted = ["b1", "b2"]
    assert ids(get_tilebounds_for_z("s", 1, tileIdPattern="^b", render=client)) == wanted
    assert ids(get_tile_specs_from_z("s", 1, tileIdPattern="^b", render=client)) == wanted
    assert get_tile_specs_from_z("s", 1, tileIdPattern="none", render=client) == []
    assert ids(get_resolved_tiles_from_z("s", 1, matchPattern="^b", render=client).tilespecs) == wanted
    found = image.get_section_renderparams("s", 1, tileIdPattern="^b", render=client)
    assert ids(found["tileSpecs"]) == wanted


def test_the_client_asks_for_an_order_and_for_masks(client):
    more = {"tileSpecOrder": "DESCENDING_TILE_ID_ORDER", "maskMinX": 3, "maskMinY": 4.0}
    for found in (
        image.get_section_renderparams("s", 1, **more, render=client),
        image.get_bb_renderparams("s", 1, 0, 0, 200, 100, **more, render=client),
    ):
        assert [tile["tileId"] for tile in found["tileSpecs"]] == ["b2", "b1", "a1"]
        assert (found["maskMinX"], found["maskMinY"]) == (3, 4)
    found = image.get_tile_renderparams("s", "a1", maskMinX=3, render=client)
    assert found["maskMinX"] == 3
    with pytest.raises(BadRequestError, match="tileSpecOrder is 'descending'; it must be one of"):
        image.get_bb_renderparams("s", 1, 0, 0, 200, 100, tileSpecOrder="descending", render=client)


def test_the_client_gets_tiles_with_their_matches(client):
    tiles, matches = get_resolved_tiles_with_matches("s", "m", maxZ=1, matchPattern="2", render=client)
    assert [tile.tileId for tile in tiles.tilespecs] == ["b2"]
    assert [(pair["pId"], pair["qId"]) for pair in matches] == [("b2", "c2")]
    tiles, matches = get_resolved_tiles_with_matches("s", "m", render=client)
    assert len(tiles.tilespecs) == 4 and len(matches) == 2
    with pytest.raises(NotFoundError):
        get_resolved_tiles_with_matches("s", "m", minZ=9, render=client)


HOST = "http://render"
BASE = f"{HOST}/render-ws"
NEW = {"/v1/owner/{owner}/project/{project}/stack/{stack}/resolvedTilesWithMatchesFrom/{matchCollection}": {}}
OLD = {"/v1/owner/{owner}/project/{project}/stack/{stack}/hierarchicalData": {}}


@responses.activate
@pytest.mark.parametrize(("paths", "branch"), [(NEW, "newsolver"), (OLD, "master")])
def test_a_description_is_enough(paths, branch):
    responses.get(f"{BASE}/swagger.json", json={"paths": {"/v1/owners": {}, **paths}})
    assert get_branch(HOST, None, session=requests.Session()) == branch
    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize(
    ("answer", "branch"),
    [
        ({"status": 404, "body": ""}, "newsolver"),
        ({"status": 404, "body": "stack with owner 'o', project 'p', and name 's' does not exist"}, "master"),
        ({"status": 204, "body": ""}, "master"),
        ({"status": 200, "json": {"tier": 1}}, "master"),
    ],
)
@pytest.mark.parametrize("description", [{"status": 404}, {"body": "<html>"}, {"json": {"paths": None}}])
def test_without_a_description_a_stack_tells(answer, branch, description):
    responses.get(f"{BASE}/swagger.json", **description)
    responses.get(f"{BASE}/v1/owners/", json=["e", "o"])
    responses.get(f"{BASE}/v1/owner/e/stacks/", json=[])
    stack = {"stackId": {"owner": "o", "project": "p", "stack": "s"}}
    responses.get(f"{BASE}/v1/owner/o/stacks/", json=[stack])
    responses.get(f"{BASE}/v1/owner/o/project/p/stack/s/hierarchicalData", **answer)
    assert get_branch(HOST, None, session=requests.Session()) == branch


@responses.activate
def test_without_description_and_stacks_nothing_tells():
    responses.get(f"{BASE}/swagger.json", status=404)
    responses.get(f"{BASE}/v1/owners/", json=[])
    assert get_branch(HOST, None, session=requests.Session()) is None


@responses.activate
def test_pairs_that_a_server_gives_twice_come_once():
    pair = {"pGroupId": "1", "pId": "a", "qGroupId": "1", "qId": "b", "matches": {"p": [[], []]}}
    url = f"{BASE}/v1/owner/o/project/p/stack/s/resolvedTilesWithMatchesFrom/m"
    responses.get(url, json={"resolvedTileSpecs": {"tileIdToSpecMap": {"a": {}}}, "matchPairs": [pair, pair]})
    responses.get(url, json={"tiles": []})
    where = {"host": HOST, "port": None, "owner": "o", "project": "p", "session": requests.Session()}
    tiles, matches = get_resolved_tiles_with_matches("s", "m", **where)
    assert [tile.tileId for tile in tiles.tilespecs] == ["a"] and matches == [pair]
    with pytest.raises(BadAnswerError, match="did not answer with tiles and matches"):
        get_resolved_tiles_with_matches("s", "m", **where)


PNG = io.BytesIO()
Image.new("RGBA", (1, 1)).save(PNG, "PNG")
MASK = {"maskMinX": 3, "maskMinY": 4}
ORDER = {"tileSpecOrder": "CLUSTER_GROUP_ID_ORDER"}


@responses.activate
@pytest.mark.parametrize(
    ("function", "place", "path", "newer"),
    [
        (image.get_tile_image_data, ("s", "t"), "tile/t/png-image", MASK),
        (image.get_bb_image, ("s", 1, 0, 0, 1, 1), "z/1/box/0,0,1,1,1.0/png-image", {**MASK, **ORDER}),
        (
            image.get_section_image,
            ("s", 1),
            "z/1/png-image",
            {**MASK, **ORDER, "tileIdPattern": "^a|b$"},
        ),
    ],
)
def test_images_are_asked_for_with_what_newsolver_knows(function, place, path, newer):
    responses.get(f"{BASE}/v1/owner/o/project/p/stack/s/{path}", PNG.getvalue(), content_type="image/png")
    where = {"host": HOST, "port": None, "owner": "o", "project": "p", "session": requests.Session()}
    for wanted in ({}, newer):
        function(*place, **wanted, **where)
        sent = responses.calls[-1].request.params
        assert {
            key: value for key, value in sent.items() if key in {**MASK, **ORDER, "tileIdPattern": 0}
        } == {key: str(value) for key, value in wanted.items()}
