"""Every endpoint of render-ws has a function, which asks for just that."""

import json
import re
from urllib.parse import parse_qs, quote

import endpoint_table
import pytest
import requests
import responses
from endpoint_table import (
    MATCH,
    NEWER_WORDS,
    PAGE,
    PATH,
    QUERY,
    ROWS,
    TILE,
    O,
    P,
    S,
    arguments_of,
    endpoints,
    function_of,
    newer_words,
)
from PIL import Image

import renderapi
from renderapi.errors import BadAnswerError, RenderError
from renderapi.render import connect
from renderapi.server import serve_background

ROOT = "http://render.example:8080/render-ws/v1"
ENDPOINTS = endpoints()


def path_of(endpoint):
    path = endpoint.partition(" ")[2]
    return re.sub(r"{(\w+)}", lambda name: quote(str(PATH[name[1]])), path)


def test_every_endpoint_has_a_function():
    assert {endpoint for endpoint, *_ in ROWS} == set(ENDPOINTS)


def test_the_page_of_endpoints_is_current():
    assert PAGE.read_text(encoding="utf-8") == endpoint_table.page()


@pytest.mark.parametrize(
    ("endpoint", "name", "body", "given"), ROWS, ids=[f"{row[1]}-{n}" for n, row in enumerate(ROWS)]
)
def test_a_function_asks_for_its_endpoint(endpoint, name, body, given):
    function = function_of(name)
    render = connect("render.example", 8080, "own", "proj", web_only=True, retries=0)
    with responses.RequestsMock() as server:
        server.add(endpoint.partition(" ")[0], re.compile(".*"), status=400, body="no")
        with pytest.raises(RenderError):
            function(**arguments_of(function, given), render=render)
        (call,) = server.calls
    url, _, query = call.request.url.partition("?")
    assert url.rstrip("/") == ROOT + path_of(endpoint)
    names = ENDPOINTS[endpoint] - set(re.findall(r"{(\w+)}", endpoint))
    sent = parse_qs(query)
    assert set(sent) == names
    for key, values in sent.items():
        assert [value.removesuffix(".0") for value in values] in ([QUERY[key]], [QUERY[key].title()]), key
    if body is ...:
        assert isinstance(json.loads(call.request.body), dict)
    elif isinstance(body, str):
        assert call.request.body == body.encode()
    else:
        assert (json.loads(call.request.body) if call.request.body else None) == body


@pytest.mark.parametrize(
    ("endpoint", "name", "given"),
    [(endpoint, name, given) for endpoint, name, _, given in ROWS if newer_words(endpoint)],
)
def test_a_function_sends_the_words_that_only_newsolver_knows(endpoint, name, given):
    function = function_of(name)
    words = newer_words(endpoint)
    numbers = {word: int(text) if text.isdigit() else text for word, text in NEWER_WORDS.items()}
    more = {word: numbers[word] for word in words}
    render = connect("render.example", 8080, "own", "proj", web_only=True, retries=0)
    with responses.RequestsMock() as server:
        server.add("GET", re.compile(".*"), status=400, body="no")
        with pytest.raises(RenderError):
            function(**{**arguments_of(function, given), **more}, render=render)
        (call,) = server.calls
    sent = parse_qs(call.request.url.partition("?")[2])
    assert {word: sent[word] for word in words} == {word: [NEWER_WORDS[word]] for word in words}


def test_the_embedded_server_describes_those_words_as_newsolver_s():
    described = {}
    for compat in ("master", "newsolver"):
        with serve_background(transport="socket", compat=compat) as server:
            described[compat] = requests.get(f"{server.url}/swagger.json", timeout=10).json()["paths"]
    for path, methods in described["newsolver"].items():
        for method, operation in methods.items():
            endpoint = f"{method.upper()} {path.removeprefix('/v1')}"
            if endpoint in endpoint_table.NEWSOLVER:
                continue
            older = described["master"][path][method]["parameters"]
            names = {p["name"] for p in operation["parameters"]} - {p["name"] for p in older}
            assert names == set(newer_words(endpoint)), endpoint


#: Arguments that the stack of the test has nothing for.
NOT_THERE = {"channel", "filterListName", "mergeCollections", "excludeTransformsAfterLast"}
#: What the embedded server refuses of the calls below, and with which words.
REFUSED = {
    f"GET {S}/missingTierMatchLayers": "does not have hierarchical data",
    f"GET {P}/z/{{z}}/affineWarpFieldTransform": "No aligned stacks exist",
    f"GET {P}/z/{{z}}/affineWarpFieldTransformDebug": "No aligned stacks exist",
    f"GET {O}/matchTrial/{{trialId}}": "does not exist",
    f"POST {O}/matchTrial": "featureAndMatchParameters are not defined",
    f"POST {S}/pairResidualCalculation": "stackId value must be specified",
    f"PUT {O}/validate-json/tile": "is not in an allowed folder",
    f"PUT {O}/validate-json/tile-array": "is not in an allowed folder",
    f"PUT {O}/validate-json/render": "is not in an allowed folder",
}


def fill(render, folder):
    """Make two stacks of a tile in each of two layers, and a collection of a pair."""
    Image.new("L", (30, 20), 90).save(folder / "t.png")
    level = {"imageUrl": (folder / "t.png").as_uri(), "maskUrl": (folder / "t.png").as_uri()}
    lens = {"type": "leaf", "id": "lens", "className": "mpicbg.trakem2.transform.AffineModel2D",
            "dataString": "1 0 0 1 0 0"}  # fmt: skip
    transforms = {"type": "list", "specList": [{"type": "ref", "refId": "lens"}]}
    tiles = {
        name: {**TILE, "tileId": name, "z": z, "layout": {"sectionId": str(z)}, "groupId": str(z),
               "mipmapLevels": {"0": level}, "transforms": transforms}
        for name, z in (("t 1", 7.5), ("t 2", 8.5))
    }  # fmt: skip
    document = {"tileIdToSpecMap": tiles, "transformIdToSpecMap": {"lens": lens}}
    for stack in ("st", "to"):
        renderapi.stack.create_stack(stack, render=render)
        collection = renderapi.resolvedtiles.ResolvedTiles(json=document)
        renderapi.resolvedtiles.put_tilespecs(stack, collection, render=render)
    renderapi.stack.set_stack_state("st", "COMPLETE", render=render)
    renderapi.pointmatch.import_matches("mc", [MATCH], render=render)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_the_embedded_server_answers_every_function(method, tmp_path):
    refused = {}
    with serve_background(image_roots=[tmp_path]) as server:
        render = server.connect(owner="own", project="proj", web_only=True)
        if method == "GET":
            fill(render, tmp_path)
        for endpoint, name, _, given in ROWS:
            if not endpoint.startswith(method + " "):
                continue
            if method != "GET":  # each changes what the next one needs
                for stack in renderapi.render.get_stacks_by_owner_project(render=render):
                    renderapi.stack.delete_stack(stack, render=render)
                for collection in renderapi.pointmatch.get_matchcollections(render=render):
                    renderapi.pointmatch.delete_collection(collection["collectionId"]["name"], render=render)
                fill(render, tmp_path)
                if "cloneTo" in endpoint:
                    renderapi.stack.delete_stack("to", render=render)
                if not re.search("cloneTo|cycle|Path|Channel|Values|Data", endpoint):
                    renderapi.stack.set_stack_state("st", "LOADING", render=render)
            function = function_of(name)
            arguments = {k: v for k, v in arguments_of(function, given).items() if k not in NOT_THERE}
            try:
                function(**arguments, render=render)
            except RenderError as error:
                refused[endpoint] = str(error)
    expected = {endpoint: words for endpoint, words in REFUSED.items() if endpoint.startswith(method)}
    assert set(refused) == set(expected), refused
    assert all(words in refused[endpoint] for endpoint, words in expected.items()), refused


@pytest.mark.parametrize("answer", ["{}", '"3"', "null", "<html>"])
def test_a_number_of_tiles_that_is_none_is_a_bad_answer(answer):
    render = connect("http://render.example", 8080, "o", "p", web_only=True)
    with responses.mock:
        responses.add("GET", re.compile(".*/tile-count"), body=answer)
        with pytest.raises(BadAnswerError):
            renderapi.section.get_tile_count_of_box("s", 1, 0, 0, 5, 5, render=render)
