"""Stacks: what is sent for each function, what comes back, and how refusals show."""

import copy
import json
import pickle
import re
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
import requests
import responses
from responses import matchers

from renderapi import stack
from renderapi.errors import (
    BadAnswerError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    RenderError,
    RenderWarning,
    ServerUnreachableError,
    SpecError,
    StackStateError,
)
from renderapi.render import Render, connect
from renderapi.stack import StackVersion

ROOT = "http://render.example:8080/render-ws/v1"
BASE = f"{ROOT}/owner/own/project/proj/stack"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
VERSION = {
    "createTimestamp": "2017-06-01T10:20:30.005Z",
    "versionNotes": "n",
    "cycleNumber": 1,
    "cycleStepNumber": 2,
    "stackResolutionX": 4.0,
    "alignmentQuality": 0.25,
    "defaultChannel": "DAPI",
    "mipmapPathBuilder": {"rootPath": "/m/", "numberOfLevels": 3, "extension": "tif"},
    "somethingNew": {"deep": [1, 2]},
}


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


@pytest.fixture
def server():
    with responses.RequestsMock() as mock:
        yield mock


def sent(server, index=-1):
    body = server.calls[index].request.body
    return json.loads(body) if body else None


# ------------------------------------------------------------------------------ StackVersion


def test_a_stack_version_keeps_everything_that_was_read():
    version = StackVersion()
    version.from_dict(VERSION)
    assert version.to_dict() == VERSION
    assert version.alignmentQuality == 0.25
    assert version.defaultChannel == "DAPI"
    assert version.somethingNew == {"deep": [1, 2]}


def test_the_timestamp_is_utc_with_milliseconds():
    before = datetime.now(timezone.utc) - timedelta(milliseconds=2)
    text = StackVersion().createTimestamp
    assert TIMESTAMP.fullmatch(text)
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert before <= moment <= datetime.now(timezone.utc)


def test_a_date_is_written_as_render_reads_it():
    summer = timezone(timedelta(hours=2))
    assert StackVersion(createTimestamp=datetime(2020, 1, 2, 3, 4, 5, 6789)).createTimestamp == (
        "2020-01-02T03:04:05.006Z"
    )
    assert StackVersion(createTimestamp=datetime(2020, 1, 2, 3, tzinfo=summer)).createTimestamp == (
        "2020-01-02T01:00:00.000Z"
    )
    assert StackVersion(createTimestamp="as given").createTimestamp == "as given"


def test_reading_a_document_invents_nothing():
    version = StackVersion(cycleNumber=7)
    version.from_dict({"stackResolutionX": 2.0})
    assert version.to_dict() == {"stackResolutionX": 2.0}
    version.from_dict(None)
    assert version.to_dict() == {}


def test_attributes_can_be_set_and_are_written():
    version = StackVersion(1, 2, 3.0, 4.0, 5.0, "/box", {"rootPath": "/"}, "notes", "t", defaultChannel="c")
    version.stackResolutionZ = 35.0
    assert version.to_dict() == {
        "cycleNumber": 1,
        "cycleStepNumber": 2,
        "stackResolutionX": 3.0,
        "stackResolutionY": 4.0,
        "stackResolutionZ": 35.0,
        "materializedBoxRootPath": "/box",
        "mipmapPathBuilder": {"rootPath": "/"},
        "versionNotes": "notes",
        "createTimestamp": "t",
        "defaultChannel": "c",
    }


def test_connection_settings_spread_into_a_version_are_no_part_of_it(render):
    version = StackVersion(createTimestamp="t", extra=1, **render.make_kwargs())
    assert version.to_dict() == {"createTimestamp": "t", "extra": 1}


def test_versions_compare_copy_pickle_and_show_what_they_are():
    version = StackVersion(cycleNumber=3, createTimestamp="t")
    for other in (copy.deepcopy(version), pickle.loads(pickle.dumps(version))):
        assert other == version
        assert hash(other) == hash(version)
    assert version != StackVersion(cycleNumber=4, createTimestamp="t")
    assert version != "t"
    assert repr(version) == "StackVersion(cycleNumber=3, createTimestamp='t')"


# ------------------------------------------------------------------------------ create and describe


def test_create_stack_sends_resolutions_of_1_where_none_is_given(server, render):
    server.post(f"{BASE}/s", status=201)
    answer = stack.create_stack("s", stackResolutionY=3, render=render)
    assert answer.status_code == 201
    body = sent(server)
    assert TIMESTAMP.fullmatch(body.pop("createTimestamp"))
    assert body == {"stackResolutionX": 1.0, "stackResolutionY": 3, "stackResolutionZ": 1.0}


def test_create_stack_without_force_resolution_sends_none(server, render):
    server.post(f"{BASE}/s", status=201)
    stack.create_stack("s", force_resolution=False, createTimestamp="t", render=render)
    assert sent(server) == {"createTimestamp": "t"}


def test_create_stack_sends_every_field_of_a_version(server, render):
    server.post(f"{BASE}/s", status=201)
    fields = {
        "versionNotes": "n",
        "createTimestamp": "2020-01-02T03:04:05.000Z",
        "mipmapPathBuilder": {"rootPath": "/"},
        "materializedBoxRootPath": "/box",
        "alignmentQuality": np.float32(0.5),
        "defaultChannel": "c",
    }
    stack.create_stack("s", 1, 2, 3.0, 4.0, 5.0, render=render, **fields)
    assert sent(server) == {
        **fields,
        "cycleNumber": 1,
        "cycleStepNumber": 2,
        "stackResolutionX": 3.0,
        "stackResolutionY": 4.0,
        "stackResolutionZ": 5.0,
    }


def test_numpy_values_in_a_version_are_numbers(server, render):
    server.post(f"{BASE}/s", status=201)
    stack.create_stack("s", np.int64(1), stackResolutionX=np.float32(4), createTimestamp="t", render=render)
    assert sent(server)["cycleNumber"] == 1
    assert sent(server)["stackResolutionX"] == 4.0


def test_a_resolution_that_is_no_number_is_refused_before_anything_is_sent(server, render):
    with pytest.raises(SpecError, match="stackResolutionX is nan"):
        stack.create_stack("s", stackResolutionX=float("nan"), render=render)
    assert not server.calls


def test_set_stack_metadata_sends_what_was_read_and_edited(server, render):
    server.get(f"{BASE}/s", json={"state": "COMPLETE", "currentVersion": VERSION})
    server.post(f"{BASE}/s", status=201)
    version = stack.get_stack_metadata("s", render=render)
    version.stackResolutionX = np.float64(8)
    stack.set_stack_metadata("s", version, render=render)
    assert sent(server) == {**VERSION, "stackResolutionX": 8.0}


def test_set_stack_metadata_takes_changes_by_keyword(server, render):
    server.post(f"{BASE}/s", status=201)
    version = StackVersion(cycleNumber=1, createTimestamp="t")
    stack.set_stack_metadata("s", version, versionNotes="new", cycleNumber=None, render=render)
    assert sent(server) == {"cycleNumber": 1, "createTimestamp": "t", "versionNotes": "new"}
    assert version.versionNotes is None
    stack.set_stack_metadata("s", {"cycleNumber": 2}, render=render)
    assert sent(server) == {"cycleNumber": 2}


def test_get_stack_metadata_without_a_version_is_empty(server, render):
    server.get(f"{BASE}/s", json={"state": "LOADING"})
    assert stack.get_stack_metadata("s", render=render).to_dict() == {}


def test_get_full_stack_metadata_is_the_document(server, render):
    server.get(f"{BASE}/s", json={"state": "COMPLETE", "stats": {"tileCount": 3}})
    metadata = stack.get_full_stack_metadata("s", render=render)
    assert metadata == {"state": "COMPLETE", "stats": {"tileCount": 3}}


@pytest.mark.parametrize(
    "function",
    [
        stack.get_full_stack_metadata,
        stack.get_stack_metadata,
        stack.get_stack_bounds,
        stack.get_stack_sectionData,
    ],
)
def test_a_stack_that_is_not_there_is_not_found(server, render, function):
    text = "stack with owner 'own', project 'proj', and name 's' does not exist"
    server.get(re.compile(f"{BASE}/s.*"), status=404, body=text)
    with pytest.raises(NotFoundError, match="does not exist") as caught:
        function("s", render=render)
    assert isinstance(caught.value, (RenderError, LookupError))
    assert caught.value.status_code == 404
    assert caught.value.server_text == text


# ------------------------------------------------------------------------------ states


@pytest.mark.parametrize("state", ["LOADING", "COMPLETE", "READ_ONLY", "OFFLINE"])
def test_set_stack_state(server, render, state):
    server.put(f"{BASE}/s/state/{state}", status=201)
    assert stack.set_stack_state("s", state, render=render).status_code == 201
    assert sent(server) is None
    assert server.calls[0].request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("state", "closest"), [("complete", "'COMPLETE'"), ("READONLY", "'READ_ONLY'"), ("LOADNG", "'LOADING'")]
)
def test_an_unknown_state_is_refused_with_the_closest_one(server, render, state, closest):
    with pytest.raises(RenderError, match=f"did you mean {closest}") as caught:
        stack.set_stack_state("s", state, render=render)
    assert isinstance(caught.value, ValueError)
    for known in ("LOADING", "COMPLETE", "READ_ONLY", "OFFLINE"):
        assert known in str(caught.value)
    assert not server.calls


@pytest.mark.parametrize("state", ["xyz", None, 3])
def test_a_state_that_resembles_none_gets_no_suggestion(server, render, state):
    with pytest.raises(BadRequestError, match="is no state of a stack") as caught:
        stack.set_stack_state("s", state, render=render)
    assert "did you mean" not in str(caught.value)


def test_a_state_that_cannot_be_reached_is_a_state_error(server, render):
    text = "The s stack's state is currently LOADING and must first be transitioned to COMPLETE"
    server.put(f"{BASE}/s/state/READ_ONLY", status=400, body=text)
    with pytest.raises(StackStateError, match="currently LOADING"):
        stack.set_stack_state("s", "READ_ONLY", render=render)


# ------------------------------------------------------------------------------ clone, rename, delete


def test_clone_stack_copies_and_closes_the_copy(server, render):
    server.put(
        f"{BASE}/s/cloneTo/t", status=201, match=[matchers.query_param_matcher({"skipTransforms": "false"})]
    )
    server.put(f"{BASE}/t/state/COMPLETE", status=201)
    answer = stack.clone_stack("s", "t", render=render)
    assert "cloneTo" in answer.request.url
    body = sent(server, 0)
    assert TIMESTAMP.fullmatch(body.pop("createTimestamp"))
    assert body == {}


def test_clone_stack_closes_the_copy_in_its_own_project(server, render):
    expected = {"skipTransforms": "true", "toProject": "other"}
    server.put(f"{BASE}/s/cloneTo/t", status=201, match=[matchers.query_param_matcher(expected)])
    server.put(f"{ROOT}/owner/own/project/other/stack/t/state/COMPLETE", status=201)
    stack.clone_stack("s", "t", skipTransforms=True, toProject="other", versionNotes="n", render=render)
    assert sent(server, 0)["versionNotes"] == "n"


@pytest.mark.parametrize(
    ("zs", "expected"),
    [
        ([1, 2.5], ["1", "2.5"]),
        (np.array([1.0, 1e-7]), ["1.0", "1e-07"]),
        (range(2), ["0", "1"]),
        (3.25, ["3.25"]),
        ("4.0", ["4.0"]),
        ([], []),
        (None, []),
    ],
)
def test_clone_stack_of_some_sections(server, render, zs, expected):
    server.put(re.compile(f"{BASE}/s/cloneTo/t.*"), status=201)
    stack.clone_stack("s", "t", zs=zs, close_stack=False, render=render)
    (call,) = server.calls
    assert call.request.params.get("z", []) == (expected[0] if len(expected) == 1 else expected)


def test_a_z_that_is_no_number_is_refused_before_anything_is_sent(server, render):
    for zs in ([1, float("nan")], [None]):
        with pytest.raises(ValueError, match="number is needed"):
            stack.clone_stack("s", "t", zs=zs, render=render)


def test_clone_stack_that_fails_does_not_close_anything(server, render):
    text = "Tiles cannot be cloned to stack t because it is READ_ONLY."
    server.put(re.compile(f"{BASE}/s/cloneTo/t.*"), status=500, body=text)
    with pytest.raises(StackStateError):
        stack.clone_stack("s", "t", render=render)
    assert len(server.calls) == 1


def test_every_request_of_clone_stack_goes_through_the_callers_session(server):
    server.put(re.compile(f"{ROOT}/.*"), status=201)
    session = requests.Session()
    session.auth = ("user", "secret")
    stack.clone_stack(
        "s", "t", host="http://render.example", port=8080, owner="own", project="proj", session=session
    )
    assert len(server.calls) == 2
    assert all("Authorization" in call.request.headers for call in server.calls)


def test_rename_stack(server, render):
    server.put(f"{BASE}/s/stackId", status=200)
    stack.rename_stack("s", "t", render=render)
    assert sent(server) == {"owner": "own", "project": "proj", "stack": "t"}
    stack.rename_stack("s", "t", to_project="p2", to_owner="o2", render=render)
    assert sent(server) == {"owner": "o2", "project": "p2", "stack": "t"}


def test_renaming_to_a_name_that_is_taken_is_a_conflict(server, render):
    server.put(f"{BASE}/s/stackId", status=400, body="stack t already exists")
    with pytest.raises(ConflictError):
        stack.rename_stack("s", "t", render=render)


def test_delete_functions_give_the_response(server, render):
    server.delete(f"{BASE}/s", status=200)
    server.delete(f"{BASE}/s/z/1.5", status=200)
    server.delete(f"{BASE}/s/tile/a%20b%2Fc", status=200)
    assert stack.delete_stack("s", render=render).status_code == 200
    assert stack.delete_section("s", 1.5, render=render).status_code == 200
    assert stack.delete_tile("s", "a b/c", render=render).status_code == 200


@pytest.mark.parametrize(("function", "path"), [(stack.delete_section, "z/1"), (stack.delete_tile, "tile/1")])
def test_deleting_from_a_complete_stack_is_a_state_error(server, render, function, path):
    text = "stack state is COMPLETE but must be LOADING to delete data"
    server.delete(f"{BASE}/s/{path}", status=400, body=text)
    with pytest.raises(StackStateError):
        function("s", "1", render=render)


# ------------------------------------------------------------------------------ bounds, layers, sections


def test_bounds_are_a_plain_dict_in_the_servers_order(server, render):
    body = '{"minX":1.0,"minY":2.0,"minZ":3.0,"maxX":4.0,"maxY":5.0,"maxZ":6.0}'
    server.get(f"{BASE}/s/bounds", body=body)
    server.get(f"{BASE}/s/z/0.1/bounds", body=body)
    for bounds in (
        stack.get_stack_bounds("s", render=render),
        stack.get_bounds_from_z("s", 0.1, render=render),
    ):
        assert type(bounds) is dict
        assert list(bounds.items()) == [
            ("minX", 1.0), ("minY", 2.0), ("minZ", 3.0), ("maxX", 4.0), ("maxY", 5.0), ("maxZ", 6.0)
        ]  # fmt: skip


def test_bounds_of_a_stack_that_was_never_complete_say_what_to_do(server, render):
    text = "Stats for stack with owner 'own', project 'proj', and name 's' have not been stored."
    server.get(f"{BASE}/s/bounds", status=400, body=text)
    with pytest.raises(StackStateError, match="COMPLETE"):
        stack.get_stack_bounds("s", render=render)


@pytest.mark.parametrize(
    ("z", "text"),
    [(1, "1"), (1.0, "1.0"), (1.5, "1.5"), (-0.1, "-0.1"), (1e22, "1e+22"), ("2.0", "2.0"),
     (np.float64(0.1), "0.1"), (np.int64(7), "7"), (123456.789, "123456.789")],
)  # fmt: skip
def test_z_is_exact_in_the_url(server, render, z, text):
    server.get(f"{BASE}/s/z/{text}/bounds", json={})
    server.get(f"{BASE}/s/z/{text}/tileBounds", json=[])
    stack.get_bounds_from_z("s", z, render=render)
    assert stack.get_tilebounds_for_z("s", z, render=render) == []
    server.delete(f"{BASE}/s/z/{text}")
    stack.delete_section("s", z, render=render)


def test_names_and_ids_are_quoted(server, render):
    server.get(f"{BASE}/a%20b%3F/section/1%2F2%23/z", json=4.0)
    assert stack.get_section_z_value("a b?", "1/2#", render=render) == 4.0
    assert server.calls[0].request.url == f"{BASE}/a%20b%3F/section/1%2F2%23/z"


def test_z_values_are_floats(server, render):
    server.get(f"{BASE}/s/zValues/", json=[1, 2.5])
    values = stack.get_z_values_for_stack("s", render=render)
    assert values == [1.0, 2.5]
    assert all(type(z) is float for z in values)


def test_z_values_take_project_before_host(server):
    server.get(f"{BASE}/s/zValues/", json=[])
    assert stack.get_z_values_for_stack("s", "proj", "http://render.example", 8080, "own") == []


@pytest.mark.parametrize(
    ("function", "path"),
    [
        (stack.get_z_values_for_stack, "zValues/"),
        (stack.get_stack_sectionData, "sectionData"),
        (stack.get_stack_tileIds, "tileIds"),
    ],
)
def test_lists_can_be_limited_to_a_range_of_z(server, render, function, path):
    expected = {"minZ": "0.5", "maxZ": "2"}
    server.get(f"{BASE}/s/{path}", json=[], match=[matchers.query_param_matcher(expected)])
    assert function("s", minZ=0.5, maxZ=2, render=render) == []


def test_section_data_that_was_never_made_say_what_to_do(server, render):
    text = "section data not aggregated for stack with owner 'own' ..., set stack state to COMPLETE"
    server.get(f"{BASE}/s/sectionData", status=400, body=text)
    with pytest.raises(StackStateError):
        stack.get_stack_sectionData("s", render=render)


def test_tile_ids_are_what_the_server_says(server, render):
    ids = ["plain", "it's", 'a "quoted" one', "ü"]
    server.get(f"{BASE}/s/tileIds", json=ids)
    assert stack.get_stack_tileIds("s", render=render) == ids


def test_tile_ids_can_be_asked_for_by_pattern(server, render):
    expected = {"matchPattern": "^1_.*&$"}
    server.get(f"{BASE}/s/tileIds", json=["1_a"], match=[matchers.query_param_matcher(expected)])
    assert stack.get_stack_tileIds("s", matchPattern="^1_.*&$", render=render) == ["1_a"]


def test_sectionId_of_a_layer(server, render):
    server.get(f"{BASE}/s/z/1/tileBounds", json=[{"tileId": "a"}, {"tileId": "b", "sectionId": "5.0"}])
    assert stack.get_sectionId_for_z("s", 1, render=render) == "5.0"


@pytest.mark.parametrize("boxes", [[], [{"tileId": "a"}]])
def test_a_layer_without_section_is_not_found(server, render, boxes):
    server.get(f"{BASE}/s/z/1/tileBounds", json=boxes)
    with pytest.raises(NotFoundError, match="stack s at z 1 "):
        stack.get_sectionId_for_z("s", 1, render=render)


def test_names_of_earlier_releases(server, render):
    server.get(f"{BASE}/s/section/5.0/z", json=7.0)
    server.get(f"{BASE}/s/sectionData", json=[{"sectionId": "5.0", "z": 7.0}])
    assert stack.get_z_value_for_section("s", "5.0", render=render) == 7.0
    assert stack.get_sectionData_for_stack("s", render=render) == [{"sectionId": "5.0", "z": 7.0}]


# ------------------------------------------------------------------------------ ids, connections, keywords


def test_likelyUniqueId(server, render):
    server.get(f"{ROOT}/likelyUniqueId", body="5a1b2c3d4e5f60718293a4b5\n", content_type="text/plain")
    assert stack.likelyUniqueId(render=render) == "5a1b2c3d4e5f60718293a4b5"


@pytest.mark.parametrize("status", [404, 500])
def test_likelyUniqueId_looks_at_the_status(server, render, status):
    server.get(f"{ROOT}/likelyUniqueId", status=status, body="no")
    with pytest.raises(RenderError) as caught:
        stack.likelyUniqueId(render=render)
    assert caught.value.status_code == status


@pytest.mark.parametrize("body", ["", "<html><body>log in</body></html>"])
def test_likelyUniqueId_refuses_what_is_no_id(server, render, body):
    server.get(f"{ROOT}/likelyUniqueId", body=body)
    with pytest.raises(BadAnswerError, match="not an id"):
        stack.likelyUniqueId(render=render)


def test_a_server_that_cannot_be_reached_is_no_render_error(server, render):
    server.get(f"{BASE}/s/bounds", body=requests.exceptions.ConnectionError("refused"))
    with pytest.raises(ServerUnreachableError) as caught:
        stack.get_stack_bounds("s", render=render)
    assert isinstance(caught.value, requests.exceptions.ConnectionError)
    assert not isinstance(caught.value, RenderError)


def test_every_request_has_a_timeout(server, render):
    server.get(
        f"{BASE}/s/bounds", json={}, match=[matchers.request_kwargs_matcher({"timeout": (10.0, 600.0)})]
    )
    stack.get_stack_bounds("s", render=render)


def test_an_unknown_keyword_is_ignored_with_a_warning(server, render):
    server.get(f"{BASE}/s/bounds", json={"minX": 1.0})
    with pytest.warns(RenderWarning, match="'projct'.*did you mean project"):
        assert stack.get_stack_bounds("s", projct="other", render=render) == {"minX": 1.0}


def test_connection_settings_can_be_spread_into_every_function(server, render):
    server.get(f"{BASE}/s/bounds", json={})
    stack.get_stack_bounds("s", **render.make_kwargs(), client_script="/x", memGB="2G", validate_client=False)


def test_functions_work_by_run_and_without_decoration(server, render):
    server.get(f"{BASE}/s/bounds", json={"minX": 1.0})
    assert render.run(stack.get_stack_bounds, "s") == {"minX": 1.0}
    plain = stack.get_stack_bounds.__wrapped__
    assert plain("s", host="http://render.example", port=8080, owner="own", project="proj") == {"minX": 1.0}


def test_owner_and_project_of_the_call_count_before_those_of_the_connection(server, render):
    server.get(f"{ROOT}/owner/o2/project/p2/stack/s/bounds", json={})
    stack.get_stack_bounds("s", owner="o2", project="p2", render=render)


def test_a_missing_setting_is_named(monkeypatch):
    for name in ("RENDER_OWNER", "DEFAULT_RENDER_OWNER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="owner is not known"):
        stack.get_stack_bounds("s", render=Render("http://render.example", 8080, None, "proj"))


def test_make_stack_params():
    assert stack.make_stack_params("http://h", 1, "o", "p", "s") == [
        "--baseDataUrl", "http://h:1/render-ws/v1", "--owner", "o", "--project", "p", "--stack", "s"
    ]  # fmt: skip
