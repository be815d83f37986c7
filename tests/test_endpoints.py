"""Every endpoint of render-ws has a function, which asks for just that."""

import json
import re
from urllib.parse import parse_qs, quote

import endpoint_table
import pytest
import requests
import responses
from endpoint_table import (
    NEWER_WORDS,
    PAGE,
    PATH,
    QUERY,
    REFUSED,
    ROWS,
    arguments_of,
    endpoints,
    fill,
    function_of,
    newer_words,
    prepare,
    served_arguments,
)

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
                prepare(render, endpoint, tmp_path)
            function = function_of(name)
            try:
                function(**served_arguments(function, given), render=render)
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
