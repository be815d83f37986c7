"""Every request that render-python 2.4.2 makes is made still, but for the defects in `CORRECTED`.

``data/golden/requests.json`` holds, for each public function called with given arguments, the requests that
render-python sent. Numbers may be spelt otherwise (``3.0`` for ``3.000000``). Calls that run client scripts
are compared in ``tests/client``.
"""

import importlib
import io
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pytest
import responses
from PIL import Image

from renderapi.stack import StackVersion
from renderapi.tilespec import TileSpec

RECORDED = json.loads((Path(__file__).parent / "data" / "golden" / "requests.json").read_text())["calls"]
CALLS = [call for call in RECORDED if call["requests"] and not call["script_calls"]]
ROOT = "http://render.example:8080/render-ws/v1"
CONNECTION = {"host": "http://render.example", "port": 8080, "owner": "own", "project": "proj"}
TILE = {"tileId": "tile_1", "z": 1.0, "width": 10, "height": 10, "mipmapLevels": {},
        "transforms": {"type": "list", "specList": []}}  # fmt: skip

#: What differs on purpose: (function, part of the call) -> the defect that is mended.
CORRECTED = {
    ("renderapi.pointmatch.delete_collection", "returns"): "H16",
    ("renderapi.pointmatch.delete_point_matches_between_groups", "returns"): "H16",
}
#: Kinds of results that do not depend on what the server answers.
KINDS = {"Response", "ndarray", "StackVersion", "TileSpec", "ResolvedTiles"}


def png():
    file = io.BytesIO()
    Image.fromarray(np.zeros((3, 4, 4), np.uint8)).save(file, "PNG")
    return file.getvalue()


def mapped(request, key):
    points = json.loads(request.body)
    answers = [{"tileId": point["tileId"], key: [1.0, 2.0, 3.0]} for point in points]
    return answers if key == "world" else [[answer] for answer in answers]


def reply(request):
    """Answer as a server would, in as far as the functions look at it."""
    path = urlsplit(request.url).path
    end = path.rstrip("/").rpartition("/")[2]
    status = 201 if request.method in ("PUT", "POST") else 200
    if end.endswith("-image"):
        return 200, {"Content-Type": "image/png"}, png()
    if end == "likelyUniqueId":
        return 200, {}, "5a1b2c3d4e5f60718293a4b5"
    if request.method == "PUT" and end.endswith("-coordinates"):
        return 200, {}, json.dumps(mapped(request, "world" if end.startswith("local") else "local"))
    if request.method != "GET":
        return status, {}, ""
    answers = {
        "zValues": [1.0, 2.0],
        "tile-specs": [TILE],
        "render-parameters": {"tileSpecs": [TILE]},
        "tile_1": TILE,
        "tileBounds": [{"tileId": "tile_1", "sectionId": "5.0", "z": 1.0}],
        "resolvedTiles": {"transformIdToSpecMap": {}, "tileIdToSpecMap": {"tile_1": TILE}},
        "stk": {"currentVersion": {}},
        "stacks": [{"stackId": {"owner": "own", "project": "proj", "stack": "stk"}}],
        "z": 3.0,
    }
    return 200, {}, json.dumps(answers.get(end, []))


def arguments_of(call):
    arguments = dict(call["arguments"])
    if "sv" in arguments:
        arguments["sv"] = StackVersion(**arguments["sv"])
    if "tilespecs" in arguments:
        arguments["tilespecs"] = [TileSpec(json=tile) for tile in arguments["tilespecs"]]
    if "dataarray" in arguments:
        arguments["dataarray"] = np.array(arguments["dataarray"])
    return arguments


def spelling(text):
    """Return text with each number, alone or between blanks and commas, in one spelling."""
    parts = re.split(r"([,\s])", text)
    return "".join(repr(float(part)) if re.fullmatch(r"-?\d+(\.\d+)?", part) else part for part in parts)


def comparable(value):
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, str):
        # when a call was recorded is not what is compared
        return re.sub(r"\b2026-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "NOW", spelling(value))
    return value


def comparable_request(method, url, body):
    parts = urlsplit(url)
    return {
        "method": method,
        "host": parts.netloc,
        "path": [spelling(unquote(segment)) for segment in parts.path.split("/")],
        "query": sorted((key, spelling(value)) for key, value in parse_qsl(parts.query)),
        "body": comparable(body),
    }


def made(request):
    # the clock of this test is that of the recording
    body = json.loads(request.body) if request.body else None
    if isinstance(body, dict) and re.fullmatch(r"[\d-]+T[\d:]+\.\d{3}Z", body.get("createTimestamp", "")):
        body["createTimestamp"] = "NOW"
    return comparable_request(request.method, request.url, body)


def name_of(call):
    return f"{call['function'].removeprefix('renderapi.')}-{call['variant']}"


@pytest.mark.parametrize("call", CALLS, ids=name_of)
def test_recorded_requests_are_made(call):
    module, _, name = call["function"].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    with responses.RequestsMock() as server:
        for method in ("GET", "PUT", "POST", "DELETE"):
            server.add_callback(method, re.compile(f"{ROOT}/.*"), callback=reply)
        server.assert_all_requests_are_fired = False
        result = function(**arguments_of(call), **CONNECTION)
        requests_made = [made(sent.request) for sent in server.calls]
    recorded = [comparable_request(r["method"], r["url"], r["body"]) for r in call["requests"]]
    if (call["function"], "requests") not in CORRECTED:
        assert requests_made == recorded
    if call["returns"] in KINDS and (call["function"], "returns") not in CORRECTED:
        assert type(result).__name__ == call["returns"]


def test_bodies_are_sent_as_json_where_they_were():
    with responses.RequestsMock() as server:
        for method in ("GET", "PUT", "POST", "DELETE"):
            server.add_callback(method, re.compile(f"{ROOT}/.*"), callback=reply)
        server.assert_all_requests_are_fired = False
        for call in CALLS:
            module, _, name = call["function"].rpartition(".")
            before = len(server.calls)
            getattr(importlib.import_module(module), name)(**arguments_of(call), **CONNECTION)
            for recorded, sent in zip(call["requests"], list(server.calls)[before:]):
                if recorded["content_type"] == "application/json":
                    assert sent.request.headers["Content-Type"] == "application/json"


def test_every_function_that_makes_requests_is_compared():
    compared = {call["function"] for call in CALLS}
    for function in ("clone_stack", "create_stack", "get_z_values_for_stack", "set_stack_state"):
        assert f"renderapi.stack.{function}" in compared
    assert len(CALLS) == 83


def test_every_correction_is_of_a_recorded_call():
    functions = {call["function"] for call in CALLS}
    assert {function for function, _ in CORRECTED} <= functions


@pytest.mark.parametrize(
    ("one", "other"),
    [("3", "3.000000"), ("10,20,300,400,1.00", "10.0,20,300,400.0,1"), ("1.0 0.0", "1 0"), ("-0.50", "-0.5")],
)
def test_numbers_are_compared_by_value(one, other):
    assert spelling(one) == spelling(other)
    assert spelling(one) != spelling(f"{other}1")


@pytest.mark.parametrize("text", ["tile_1", "true", "1a", "2020-01-02T03:04:05.00Z", ""])
def test_what_is_no_number_is_compared_exactly(text):
    assert spelling(text) == text
