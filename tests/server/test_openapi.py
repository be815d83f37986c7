"""The published description of the server: complete, and requests made from it do no harm."""

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from renderapi.server import serve_background

# what the specification lets end with 500 whatever the body or the data are
EXPECTED = (
    "Data for stack s cannot be modified because it is",
    "Resolved tiles can only be saved to stacks in the LOADING state",
    "Z values can only be updated for stacks in the LOADING state",
    "Tiles cannot be cloned to stack",
    "Stack data aggregation returned no results because the stack has no tiles",
    "width and height must be set to create a bounding box",
    "A null spec is part of the transform spec list",
    "Noninvertible location (",
    "includeDetails must be provided",
    # of newsolver only
    "render's branch newsolver makes no PNG image with convertToGray",
    "without includeDetails the residuals",
)
EXPECTED_PATTERNS = (
    r"invalid (owner|project|stack|toProject|collection|name) .* specified, names may only contain",
    r"tile spec .* is not fully resolved after applying",
    r"world coordinate .* cannot be inverted",
    r".*must not be null",
)


@pytest.fixture(scope="module", params=["master", "newsolver"])
def branch(request):
    return request.param


@pytest.fixture(scope="module")
def server(branch):
    # an image of many pixels is no failure, but takes its time
    with (
        serve_background(transport="memory", max_pixels=1 << 20, compat=branch) as server,
        server.session() as session,
    ):
        yield server.url, session


@pytest.fixture(scope="module")
def described(server):
    url, session = server
    answer = session.get(url + "/swagger.json")
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def unnamed(path):
    return re.sub(r"{[^}]*}", "{}", path)


GONE = ("/hierarchicalData", "/tierData", "/missingTierMatchLayers", "/affineWarpFieldTransform")
OF_STACK = "/v1/owner/{}/project/{}/stack/{}"
#: What newsolver takes of whole layers and sections.
WITH_PATTERN = tuple(
    f"{OF_STACK}/{place}"
    for place in (
        *("section/{}/tileBounds", "z/{}/tileBounds", "z/{}/tile-specs", "z/{}/last-tile-transforms"),
        *("z/{}/render-parameters", "z/{}/jpeg-image", "z/{}/png-image", "z/{}/tiff-image"),
    )
)
MATCHED = {"minZ", "maxZ", "groupId", "minX", "maxX", "minY", "maxY", "matchPattern"}


def documented(branch):
    """Return service, method, path with unnamed variables, and query parameters of every endpoint of render-ws."""
    for line in Path(__file__).with_name("endpoints.txt").read_text().splitlines():
        service, method, path, *query = line.split(" ")
        path, query = "/v1" + unnamed(path), {name.rstrip("*") for name in query}
        if branch == "newsolver":
            if any(word in path for word in GONE):
                continue
            if {"scale", "filter"} <= query:
                query |= {"tileSpecOrder", "maskMinX", "maskMinY"}
            if path in WITH_PATTERN:
                query.add("tileIdPattern")
            if path.endswith("/resolvedTiles") and method == "GET":
                query.add("matchPattern")
        yield service, method, path, query
    if branch == "newsolver":
        yield "RenderDataService", "GET", f"{OF_STACK}/resolvedTilesWithMatchesFrom/{{}}", MATCHED


def test_every_documented_path_is_described(described, branch):
    assert (described["swagger"], described["basePath"]) == ("2.0", "/render-ws")
    found = {(method, unnamed(path)) for method, path, _ in operations(described)}
    assert found == {(method, path) for _, method, path, _ in documented(branch)}


def test_every_parameter_is_described(described, branch):
    expected = {(method, path): query for _, method, path, query in documented(branch)}
    for method, path, operation in operations(described):
        query = expected[method, unnamed(path)]
        places = {"path": set(), "query": set(), "body": set()}
        for parameter in operation["parameters"]:
            places[parameter["in"]].add(parameter["name"])
        assert places["path"] == set(re.findall(r"{(\w+)}", path))
        assert places["query"] == query, path
        assert bool(places["body"]) == ("consumes" in operation)


def test_every_operation_says_what_it_is(described):
    tags = {tag["name"] for tag in described["tags"]}
    for _, path, operation in operations(described):
        assert operation["summary"].strip() and set(operation["tags"]) <= tags, path
        assert operation["responses"]
        if operation.get("produces", [""])[0].startswith("image/"):
            assert operation["responses"]["200"]["schema"] == {"type": "file"}
            assert ("304" in operation["responses"]) == ("consumes" not in operation)


# values that mean something to the stack and the collection below, and others
NAMES = st.sampled_from(["o", "p", "s", "c", "a", "b", "1.0", "x", "none", "a__b"]) | st.text(
    min_size=1, max_size=8
)
NUMBERS = (
    st.sampled_from([0, 1, 1.0, -1, 1e300, 2.5, 70, 30])
    | st.floats(allow_nan=True)
    | st.integers(-(2**40), 2**40)
)
WORDS = [
    "tileId",
    "z",
    "width",
    "height",
    "minX",
    "transforms",
    "specList",
    "type",
    "refId",
    "id",
    "className",
    "dataString",
    "tileIdToSpecMap",
    "world",
    "local",
    "transformIdToSpecMap",
    "layout",
    "sectionId",
    "matches",
    "p",
    "q",
    "w",
    "pId",
    "qId",
    "pGroupId",
    "qGroupId",
    "mipmapLevels",
    "owner",
    "stack",
    "name",
    "project",
    "rootPath",
    "numberOfLevels",
    "extension",
    "number",
    "channels",
    "metaData",
    "labels",
    "a",
    "b",
    "lambda",
]
KEYS = st.sampled_from(WORDS) | st.text(max_size=4)
SCALARS = st.none() | st.booleans() | NUMBERS | NAMES
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
TILE = {"tileId": "a", "z": 1.0, "minX": 0, "minY": 0, "maxX": 9, "maxY": 9, "width": 9, "height": 9}
PAIR = {
    "pGroupId": "1.0",
    "pId": "a",
    "qGroupId": "1.0",
    "qId": "b",
    "matches": {"p": [[1]], "q": [[2]], "w": [1]},
}


def value_of(draw, parameter):
    if "enum" in parameter:
        return draw(st.sampled_from([*parameter["enum"], "OTHER"]))
    if parameter["in"] == "path" and parameter["name"] in (
        "owner",
        "project",
        "stack",
        "fromStack",
        "fromProject",
    ):
        # mostly what is there, so that requests get somewhere
        there = parameter["name"].removeprefix("from")[0].lower()
        return draw(st.sampled_from([there] * 6 + ["none", "a-b"]))
    kind = parameter["type"]
    if kind in ("number", "integer"):
        return str(draw(NUMBERS | NAMES))
    if kind == "boolean":
        return draw(st.sampled_from(["true", "False", "", "maybe"]))
    return draw(NAMES)


@st.composite
def requests_of(draw, method, path, operation):
    query, body = [], None
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(value_of(draw, parameter), safe=""))
        elif parameter["in"] == "body":
            # documents of the right kind, of any kind, and what is no document at all
            body = draw(BODIES.map(json.dumps) | st.sampled_from(["", "{", "[1,", "null", "[]", "{}"]))
        elif draw(st.integers(0, 3)) == 0:
            item = {**parameter, **parameter.get("items", {})}
            query.append(f"{parameter['name']}={quote(value_of(draw, item), safe='')}")
    content_type = draw(
        st.sampled_from((operation.get("consumes") or ["text/plain"]) * 5 + ["", "application/xml"])
    )
    return (
        method,
        path + ("?" + "&".join(query) if query else ""),
        body,
        content_type.replace("*/*", "text/plain"),
    )


def begin(url, session):
    """Put the stack and the collection there that requests may meet, or may have changed."""
    stack = url + "/v1/owner/o/project/p/stack/s"
    session.put(stack + "/state/COMPLETE")
    session.delete(stack)
    assert session.post(stack, json={}).status_code == 201
    tiles = {"tileIdToSpecMap": {"a": TILE, "b": {**TILE, "tileId": "b"}}}
    assert session.put(stack + "/resolvedTiles", json=tiles).status_code == 201
    assert session.put(url + "/v1/owner/o/matchCollection/c/matches", json=[PAIR]).status_code == 201


def is_expected(text):
    return text.startswith(EXPECTED) or any(
        re.match(pattern, text, re.DOTALL) for pattern in EXPECTED_PATTERNS
    )


HOW = {"deadline": 2000, "database": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=50, **HOW)
@seed(20)
@given(data=st.data())
def test_no_request_of_the_description_makes_the_server_fail(server, described, data):
    try_requests(server, described, data)


@pytest.mark.slow
@settings(max_examples=250, **HOW)
@seed(21)
@given(data=st.data())
def test_none_of_many_requests_of_the_description_makes_the_server_fail(server, described, data):
    try_requests(server, described, data)


def try_requests(server, described, data):
    url, session = server
    method, path, operation = data.draw(st.sampled_from(list(operations(described))))
    begin(url, session)
    for _ in range(3):
        method, address, body, content_type = data.draw(requests_of(method, path, operation))
        answer = session.request(
            method,
            url + "/v1" + address,
            data=None if body is None else body.encode("utf-8", "surrogatepass"),
            headers={"Content-Type": content_type} if content_type else {},
        )
        assert "Traceback" not in answer.text
        assert answer.status_code < 500 or answer.status_code == 501 or is_expected(answer.text), (
            method,
            address,
            body,
            answer.text,
        )
