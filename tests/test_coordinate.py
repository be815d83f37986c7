"""Coordinates: requests, documents and arrays of points, and the way over the Java client."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import requests
import responses

from renderapi import coordinate
from renderapi.errors import (
    BadAnswerError,
    BadRequestError,
    ClientScriptError,
    NotFoundError,
    RenderError,
    ServerError,
    SpecError,
)
from renderapi.render import RenderClient, connect

ROOT = "http://render.example:8080/render-ws/v1/owner/own/project/proj/stack/stk"
POINTS = np.array([[1.0, 2.0], [3.5, -4.25], [1e-7, 123456.789]])


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


@pytest.fixture
def server():
    with responses.RequestsMock() as mock:
        yield mock


def locals_of(points, tile="t", **more):
    return [[{"tileId": tile, "local": [x, y, 3.0], **more}] for x, y in points]


def worlds_of(points, tile="t"):
    return [{"tileId": tile, "world": [x, y, 3.0]} for x, y in points]


# ------------------------------------------------------------------------------ one point


def test_single_points_are_exact_in_the_url(server, render):
    server.get(
        f"{ROOT}/tile/a%2Fb/local-to-world-coordinates/0.1,-2.5", json={"tileId": "a/b", "world": [1, 2]}
    )
    server.get(
        f"{ROOT}/z/1.5/world-to-local-coordinates/1e-07,123456.789", json=[{"tileId": "t", "local": [1]}]
    )
    assert coordinate.local_to_world_coordinates("stk", "a/b", 0.1, np.float64(-2.5), render=render) == {
        "tileId": "a/b",
        "world": [1, 2],
    }
    assert coordinate.world_to_local_coordinates("stk", 1.5, 1e-7, 123456.789, render=render) == [
        {"tileId": "t", "local": [1]}
    ]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_a_coordinate_that_is_no_number_is_refused_before_anything_is_sent(server, render, bad):
    with pytest.raises(ValueError, match="number is needed"):
        coordinate.local_to_world_coordinates("stk", "t", 1, bad, render=render)
    with pytest.raises(ValueError, match="number is needed"):
        coordinate.world_to_local_coordinates("stk", 1, bad, 1, render=render)


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (400, BadRequestError, "no tile specifications found in stack"),
        (500, ServerError, "world coordinate (1.0, 2.0) found in tile id(s) [a, b] cannot be inverted"),
        (404, NotFoundError, "does not exist"),
    ],
)
def test_a_point_without_local_coordinates_raises(server, render, status, kind, text):
    server.get(re.compile(f"{ROOT}/z/1/.*"), status=status, body=text)
    with pytest.raises(kind, match=re.escape(text)):
        coordinate.world_to_local_coordinates("stk", 1, 1, 2, render=render)


# ------------------------------------------------------------------------------ documents


def test_batches_are_one_request_and_give_what_the_server_says(server, render):
    worlds = [{"tileId": "t", "world": [1.0, 2.0, 3.0]}, {"tileId": "u", "local": [0, 0], "error": "gone"}]
    found = [[{"tileId": "t", "visible": True, "local": [1.0, 2.0, 3.0]}], [{"world": [5, 6], "error": "no"}]]
    server.put(f"{ROOT}/z/3.5/local-to-world-coordinates", json=worlds)
    server.put(f"{ROOT}/z/3.5/world-to-local-coordinates", json=found)
    sent = [{"tileId": "t", "local": np.array([1.0, 2.0])}, {"tileId": "u", "local": [0, 0]}]
    assert coordinate.local_to_world_coordinates_batch("stk", sent, 3.5, render=render) == worlds
    assert (
        coordinate.world_to_local_coordinates_batch("stk", [{"world": [1, 2]}], 3.5, render=render) == found
    )
    assert json.loads(server.calls[0].request.body)[0] == {"tileId": "t", "local": [1.0, 2.0]}
    assert json.loads(server.calls[1].request.body) == [{"world": [1, 2]}]


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize(
    "function",
    [coordinate.local_to_world_coordinates_batch, coordinate.world_to_local_coordinates_batch],
)
def test_batches_look_at_the_status(server, render, function, status):
    server.put(re.compile(f"{ROOT}/z/1/.*"), status=status, json=[])
    with pytest.raises(RenderError) as caught:
        function("stk", [], 1, render=render)
    assert caught.value.status_code == status


@pytest.mark.parametrize(
    "function",
    [coordinate.local_to_world_coordinates_batch, coordinate.world_to_local_coordinates_batch],
)
def test_an_answer_that_is_not_json_raises(server, render, function):
    server.put(re.compile(f"{ROOT}/z/1/.*"), body="[[{")
    with pytest.raises(BadAnswerError):
        function("stk", [{"world": [1, 2]}], 1, render=render)


# ------------------------------------------------------------------------------ arrays


def test_arrays_are_mapped_in_one_request(server, render):
    server.put(f"{ROOT}/z/3/local-to-world-coordinates", json=worlds_of(POINTS + 1))
    server.put(f"{ROOT}/z/3/world-to-local-coordinates", json=locals_of(POINTS - 1))
    world = coordinate.local_to_world_coordinates_array("stk", POINTS, "t", 3, render=render)
    local = coordinate.world_to_local_coordinates_array("stk", POINTS.tolist(), "t", 3, render=render)
    np.testing.assert_array_equal(world, POINTS + 1)
    np.testing.assert_array_equal(local, POINTS - 1)
    assert world.dtype == local.dtype == np.float64
    assert json.loads(server.calls[0].request.body) == [
        {"tileId": "t", "local": point} for point in POINTS.tolist()
    ]
    assert json.loads(server.calls[1].request.body) == [
        {"tileId": "t", "world": point} for point in POINTS.tolist()
    ]


def test_arrays_are_sent_through_the_callers_session(server):
    server.put(re.compile(f"{ROOT}/z/3/.*"), json=[])
    session = requests.Session()
    session.headers["X-Mine"] = "yes"
    at = {
        "host": "http://render.example",
        "port": 8080,
        "owner": "own",
        "project": "proj",
        "session": session,
    }
    for function in (
        coordinate.local_to_world_coordinates_array,
        coordinate.world_to_local_coordinates_array,
    ):
        assert function("stk", np.empty((0, 2)), "t", 3, **at).shape == (0, 2)
    assert [call.request.headers["X-Mine"] for call in server.calls] == ["yes", "yes"]


def test_of_several_tiles_the_one_asked_for_counts(server, render):
    answer = [[
        {"tileId": "s", "local": [9.0, 9.0, 3.0]},
        {"tileId": "t", "local": [1.0, 2.0, 3.0]},
        {"tileId": "t", "visible": True, "local": [7.0, 7.0, 3.0]},
    ]]  # fmt: skip
    server.put(f"{ROOT}/z/3/world-to-local-coordinates", json=answer)
    local = coordinate.world_to_local_coordinates_array("stk", [[5, 5]], "t", 3, render=render)
    assert local.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ([{"tileId": "u", "local": [1.0, 2.0]}, {"tileId": "v", "local": [1.0, 2.0]}], "it is in u, v"),
        ([{"tileId": "t", "world": [3.5, -4.25], "error": "cannot be inverted"}], "cannot be inverted"),
        ([], "$"),
    ],
)
def test_a_point_outside_the_tile_is_named(server, render, second, reason):
    answer = [*locals_of(POINTS[:1]), second, *locals_of(POINTS[2:])]
    server.put(f"{ROOT}/z/3/world-to-local-coordinates", json=answer)
    with pytest.raises(
        NotFoundError, match=f"point 1 has no local coordinates in tile t.*{reason}"
    ) as caught:
        coordinate.world_to_local_coordinates_array("stk", POINTS, "t", 3, render=render)
    assert isinstance(caught.value, (RenderError, LookupError))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [({"tileId": "t", "local": [1, 2], "error": "gone"}, ": gone$"), ({"tileId": "t"}, "$")],
)
def test_a_point_without_world_coordinates_is_named(server, render, answer, reason):
    server.put(f"{ROOT}/z/3/local-to-world-coordinates", json=[*worlds_of(POINTS[:2]), answer])
    with pytest.raises(NotFoundError, match=f"point 2 of tile t has no world coordinates.*{reason}"):
        coordinate.local_to_world_coordinates_array("stk", POINTS, "t", 3, render=render)


@pytest.mark.parametrize(
    "function", [coordinate.local_to_world_coordinates_array, coordinate.world_to_local_coordinates_array]
)
def test_an_answer_of_another_length_is_no_answer(server, render, function):
    server.put(re.compile(f"{ROOT}/z/3/.*"), json=[])
    with pytest.raises(BadAnswerError, match="3 points were sent, and 0 came back"):
        function("stk", POINTS, "t", 3, render=render)


@pytest.mark.parametrize(
    "bad",
    [[1.0, 2.0], [[1.0], [2.0]], np.zeros((2, 4)), np.zeros((1, 2, 2)), [["a", "b"]], [[1], [1, 2]], 5.0],
)
@pytest.mark.parametrize(
    "function", [coordinate.local_to_world_coordinates_array, coordinate.world_to_local_coordinates_array]
)
def test_an_array_of_another_shape_is_refused(server, render, function, bad):
    with pytest.raises(SpecError, match="points must be"):
        function("stk", bad, "t", 3, render=render)


def test_nan_is_refused_with_its_place(server, render):
    with pytest.raises(SpecError, match=r"\[1\].local\[0\] of tile 't' is nan"):
        coordinate.local_to_world_coordinates_array("stk", [[1, 2], [np.nan, 3]], "t", 3, render=render)


def test_packaging_gives_plain_numbers_and_leaves_a_third_column_out():
    packed = coordinate.package_point_match_data_into_json(np.array([[1, 2, 9], [3, 4, 9]]), "t")
    assert packed == [{"tileId": "t", "local": [1.0, 2.0]}, {"tileId": "t", "local": [3.0, 4.0]}]
    assert json.loads(json.dumps(packed)) == packed
    assert coordinate.package_point_match_data_into_json([[1, 2]], "t", "world") == [
        {"tileId": "t", "world": [1.0, 2.0]}
    ]
    with pytest.raises(SpecError, match="'wrld'; it must be 'local' or 'world'"):
        coordinate.package_point_match_data_into_json([[1, 2]], "t", "wrld")


def test_unpackaging_nothing_gives_an_empty_array():
    assert coordinate.unpackage_local_to_world_point_match_from_json([]).shape == (0, 2)
    assert coordinate.unpackage_world_to_local_point_match_from_json([], "t").shape == (0, 2)


# ------------------------------------------------------------------------------ on this machine


class Client:
    """In place of the function that runs the Java client: notes how it is called, and answers."""

    def __init__(self, answer):
        self.answer = answer
        self.calls = []

    def __call__(self, stack, z, fromJson=None, toJson=None, **options):
        source, target = Path(fromJson), Path(toJson)
        assert target.is_file()
        self.calls.append({"stack": stack, "z": z, "input": json.loads(source.read_bytes()), **options})
        self.files = (source, target)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def client(monkeypatch):
    def install(answer):
        module = ModuleType("renderapi.client.calls.coordinates")
        module.coordinateClient = Client(answer)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module.coordinateClient

    return install


@pytest.fixture
def java():
    return RenderClient(
        client_script="/scripts/run_ws_client.sh", memGB="3G", validate_client=False,
        host="http://render.example", port=8080, owner="own", project="proj",
    )  # fmt: skip


EXPECTED = {
    "host": "http://render.example",
    "port": 8080,
    "owner": "own",
    "project": "proj",
    "client_script": "/scripts/run_ws_client.sh",
    "memGB": "3G",
    "client_scripts": None,
}


def test_clientside_functions_run_the_java_client(client, java):
    run = client(worlds_of(POINTS))
    data = [[{"tileId": "t", "local": [1, 2]}]]
    answer = coordinate.local_to_world_coordinates_clientside(
        "stk", data, 1.5, number_of_threads=3, render=java
    )
    assert answer == worlds_of(POINTS)
    run.answer = locals_of(POINTS)
    answer = coordinate.world_to_local_coordinates_clientside("stk", [{"world": [1, 2]}], 1.5, render=java)
    assert answer == locals_of(POINTS)
    expected = {**EXPECTED, "engine": None, "session": java.session, "render": java}
    assert run.calls == [
        {"stack": "stk", "z": 1.5, "input": data, "localToWorld": True, "numberOfThreads": 3, **expected},
        {
            "stack": "stk",
            "z": 1.5,
            "input": [{"world": [1, 2]}],
            "localToWorld": False,
            "numberOfThreads": 20,
            **expected,
        },
    ]
    assert not any(file.exists() for file in run.files)


def test_doClientSide_maps_arrays_with_the_java_client(client, java):
    run = client(worlds_of(POINTS))
    world = coordinate.local_to_world_coordinates_array("stk", POINTS, "t", 3, doClientSide=True, render=java)
    np.testing.assert_array_equal(world, POINTS)
    assert run.calls[0]["input"] == [[{"tileId": "t", "local": point}] for point in POINTS.tolist()]
    run.answer = locals_of(POINTS)
    local = coordinate.world_to_local_coordinates_array(
        "stk", POINTS, "t", 3, doClientSide=True, client_script="/mine.sh", number_of_threads=2, render=java
    )
    np.testing.assert_array_equal(local, POINTS)
    assert run.calls[1]["input"] == [{"tileId": "t", "world": point} for point in POINTS.tolist()]
    assert run.calls[1]["client_script"] == "/mine.sh"
    assert run.calls[1]["numberOfThreads"] == 2


def test_execute_local_is_done_on_this_machine(client, java, server):
    run = client(locals_of(POINTS))
    points = [{"world": [1, 2]}]
    answer = coordinate.world_to_local_coordinates_batch("stk", points, 3, execute_local=True, render=java)
    assert answer == locals_of(POINTS)
    assert run.calls[0]["input"] == points
    assert not server.calls


def test_the_folder_of_the_scripts_is_enough(client):
    run = client([])
    at = {"host": "http://h", "port": 1, "owner": "o", "project": "p"}
    coordinate.world_to_local_coordinates_clientside("stk", [], 3, client_scripts="/scripts", **at)
    assert run.calls[0]["client_scripts"] == "/scripts"


def test_map_coordinates_clientside_keeps_the_files_if_told_to(client):
    run = client([1])
    at = ("http://h", 1, "o", "p", "/run.sh")
    assert coordinate.map_coordinates_clientside("stk", [{"a": 1}], 3, *at) == [1]
    assert run.calls[0]["memGB"] == "1G"
    assert run.calls[0]["localToWorld"] is False
    assert not any(file.exists() for file in run.files)
    coordinate.map_coordinates_clientside(
        "stk", [{"a": 1}], 3, *at, isLocalToWorld=True, store_injson=True, store_outjson=True
    )
    assert run.calls[1]["localToWorld"] is True
    for file in run.files:
        assert re.fullmatch(r"render_coordinates_(in|out)_.*\.json", file.name)
        file.unlink()


def test_no_file_is_left_when_the_client_fails(client, java):
    run = client(ClientScriptError("failed"))
    with pytest.raises(ClientScriptError):
        coordinate.local_to_world_coordinates_clientside("stk", [], 1, render=java)
    assert not any(file.exists() for file in run.files)


def test_no_file_is_left_when_the_points_cannot_be_written(client, java, tmp_path, monkeypatch):
    run = client([])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SpecError):
        coordinate.local_to_world_coordinates_clientside("stk", [{"local": [np.nan]}], 1, render=java)
    assert not run.calls
    assert not list(tmp_path.iterdir())


def test_coordinateClient_is_still_found_here(client):
    run = client([])
    assert coordinate.coordinateClient is run
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        coordinate.nothing
