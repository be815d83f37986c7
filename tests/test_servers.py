"""What a server can do: told once for a connection, and said instead of a bare 404."""

import copy
import pickle
import threading

import endpoint_table
import pytest
import requests
import responses
from endpoint_table import ROWS, arguments_of, function_of

import renderapi
from renderapi.errors import (
    BadRequestError,
    EndpointMissingError,
    NotFoundError,
    ServerTimeoutError,
    ServerUnreachableError,
    StackStateError,
)
from renderapi.http.capabilities import branch_of
from renderapi.render import Render, ServerInfo, connect
from renderapi.server import serve_background

ROOT = "http://render.example:8080/render-ws"
NEW = "/v1/owner/{owner}/project/{project}/stack/{stack}/resolvedTilesWithMatchesFrom/{matchCollection}"
OLD = "/v1/owner/{owner}/project/{project}/stack/{stack}/hierarchicalData"
STACK = {"get": {}, "delete": {}, "parameters": []}
SIGN = {"newsolver": NEW, "master": OLD}
#: Endpoints of one branch, with the branch: newsolver.md 2.1 and 2.2 of the specification.
GONE = ("hierarchicalData", "tierData", "missingTierMatchLayers", "affineWarpFieldTransform")


def branch_that_has(endpoint):
    if endpoint in endpoint_table.NEWSOLVER:
        return "newsolver"
    return "master" if any(word in endpoint for word in GONE) else None


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


def describe_as(branch, version="4.1"):
    """Let a made-up server tell what it is."""
    paths = {"/v1/owner/{owner}/project/{project}/stack/{stack}": STACK, SIGN[branch]: {"get": {}}}
    responses.get(f"{ROOT}/swagger.json", json={"swagger": "2.0", "info": {"version": "v1"}, "paths": paths})
    responses.get(f"{ROOT}/v1/versionInfo", json={"git.build.version": version, "git.branch": "a_fork"})


@responses.activate
@pytest.mark.parametrize("branch", ["master", "newsolver"])
def test_a_connection_tells_branch_version_and_endpoints(render, branch):
    describe_as(branch)
    server = render.server
    assert (server.kind, server.branch, server.version, str(server)) == (
        branch,
        branch,
        "4.1",
        f"{branch} 4.1",
    )
    path = "/owner/{owner}/project/{project}/stack/{stack}"
    assert server.endpoints == {f"GET {path}", f"DELETE {path}", "GET " + SIGN[branch].removeprefix("/v1")}
    assert server.has("get", "/owner/a/project/b/stack/c/") and not server.has("PUT", path)
    assert not server.has("GET", "/owner/a/project/b/stack/c/more")


@responses.activate
def test_it_is_asked_once_for_all_threads_and_not_before(render):
    describe_as("master")
    assert len(responses.calls) == 0
    found = []
    threads = [threading.Thread(target=lambda: found.append(render.server)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [found[0]] * 6
    assert len(responses.calls) == 2


@responses.activate
def test_copies_of_a_connection_ask_for_themselves(render):
    describe_as("master")
    responses.get("http://other:8080/render-ws/swagger.json", status=404)
    responses.get("http://other:8080/render-ws/v1/versionInfo", status=204)
    assert render.server.kind == "master"
    other = pickle.loads(pickle.dumps(render))
    assert b"hierarchicalData" not in pickle.dumps(render)
    assert other.server == render.server
    assert render.options(host="http://other").server.kind == "unknown"
    assert len(responses.calls) == 6


@responses.activate
@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404},
        {"status": 403, "body": "no"},
        {"status": 200, "body": "<html>log in</html>"},
        {"status": 200, "body": "[]"},
        {"status": 200, "body": '{"paths": 3, "info": "x"}'},
        {"status": 500},
        {"status": 204},
        {"body": requests.ConnectionError("reset")},
    ],
)
def test_a_server_that_does_not_describe_itself_is_unknown(render, answer):
    responses.get(f"{ROOT}/swagger.json", **answer)
    responses.get(f"{ROOT}/v1/versionInfo", json={"git.build.version": "9"})
    server = render.server
    assert (server.kind, server.branch, server.version, server.endpoints) == (
        "unknown",
        None,
        "9",
        frozenset(),
    )
    assert server.has("GET", "/owners") is None


@responses.activate
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (requests.ConnectionError("gone"), ServerUnreachableError),
        (requests.ReadTimeout("late"), ServerTimeoutError),
    ],
)
def test_a_server_that_is_not_there_is_no_unknown_one_and_is_asked_again(render, failure, kind):
    broken = [responses.get(f"{ROOT}/{path}", body=failure) for path in ("swagger.json", "v1/versionInfo")]
    with pytest.raises(kind):
        _ = render.server
    for response in broken:
        responses.remove(response)
    describe_as("newsolver")
    assert render.server.kind == "newsolver"


@pytest.mark.parametrize("branch", ["master", "newsolver"])
def test_the_embedded_server_is_told_from_a_real_one(branch):
    with serve_background(compat=branch) as running:
        server = running.connect("o", "p").server
    assert (server.kind, server.branch, server.version) == ("embedded", branch, renderapi.__version__)
    assert str(server) == f"embedded as {branch} {renderapi.__version__}"
    listed = {endpoint for endpoint, *_ in ROWS if branch_that_has(endpoint) in (None, branch)}
    assert {endpoint for endpoint, *_ in ROWS if server.has(*endpoint.split(" ", 1))} == listed


def test_every_function_of_an_endpoint_of_one_branch_says_which():
    for endpoint, name, _, _ in ROWS:
        assert getattr(function_of(name), "only_of", None) == branch_that_has(endpoint), endpoint


def test_no_server_of_newsolver_is_asked_in_vain_without_saying_so(tmp_path):
    with serve_background(compat="newsolver") as running:
        render = running.connect("own", "proj", web_only=True)
        for endpoint, name, _, given in ROWS:
            if branch_that_has(endpoint) == "master":
                function = function_of(name)
                with pytest.raises(
                    EndpointMissingError, match=r"this server \(embedded as newsolver .*\) has no"
                ):
                    function(**arguments_of(function, given), render=render)


@responses.activate
def test_a_server_of_master_says_what_to_use_for_tiles_with_matches(render):
    describe_as("master")
    url = f"{ROOT}/v1/owner/own/project/proj/stack/s/resolvedTilesWithMatchesFrom/m"
    responses.get(url, status=404)
    for _ in range(2):
        with pytest.raises(EndpointMissingError) as caught:
            renderapi.resolvedtiles.get_resolved_tiles_with_matches("s", "m", render=render)
    error = caught.value
    assert f"GET {url} answered 404: this server (master 4.1) has no tiles with matches." in str(error)
    assert "renderapi.resolvedtiles.get_resolved_tiles, then" in str(error)
    assert (error.method, error.url, error.status_code, error.attempts) == ("GET", url, 404, 1)
    assert len(responses.calls) == 4  # the description is asked for once
    with pytest.raises(EndpointMissingError):
        renderapi.resolvedtiles.get_resolved_tiles_with_matches(
            "s", "m", host="http://render.example", port=8080, owner="own", project="proj"
        )


@responses.activate
@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(
    "body", ["", "<html>not here</html>", "RESTEASY003210: Could not find resource for x"]
)
def test_an_unknown_path_is_known_by_how_little_is_said(render, status, body):
    describe_as("newsolver")
    responses.delete(f"{ROOT}/v1/owner/own/project/proj/tierData", status=status, body=body)
    with pytest.raises(
        EndpointMissingError, match=r"newsolver 4.1.*tier data.*renderapi\.stack\.delete_stack"
    ):
        renderapi.hierarchical.delete_tier_data(render=render)


@responses.activate
def test_a_stack_that_is_not_there_costs_no_further_request(render):
    url = f"{ROOT}/v1/owner/own/project/proj/stack/s/hierarchicalData"
    responses.get(url, status=404, body="stack with owner 'own', project 'proj', and name 's' does not exist")
    with pytest.raises(NotFoundError, match="does not exist") as caught:
        renderapi.hierarchical.get_hierarchical_data("s", render=render)
    assert type(caught.value) is NotFoundError
    responses.put(url, status=500, body="cannot be modified because it is READ_ONLY.")
    with pytest.raises(StackStateError):
        renderapi.hierarchical.set_hierarchical_data("s", {}, render=render)
    assert len(responses.calls) == 2


@responses.activate
def test_a_server_that_has_the_endpoint_answers_for_itself(render):
    describe_as("master")
    responses.delete(f"{ROOT}/v1/owner/own/project/proj/tierData", status=404)
    with pytest.raises(NotFoundError) as caught:
        renderapi.hierarchical.delete_tier_data(render=render)
    assert type(caught.value) is NotFoundError


@responses.activate
@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (405, BadRequestError)])
@pytest.mark.parametrize("silence", [{"status": 403}, {"body": requests.ConnectionError("dropped")}])
def test_where_a_server_does_not_tell_the_branch_is_named_but_not_claimed(render, status, kind, silence):
    for path in ("swagger.json", "v1/versionInfo"):
        responses.get(f"{ROOT}/{path}", **silence)
    responses.delete(f"{ROOT}/v1/owner/own/project/proj/tierData", status=status)
    with pytest.raises(kind, match="Only servers of render's branch master have tier data") as caught:
        renderapi.hierarchical.delete_tier_data(render=render)
    assert type(caught.value) is kind and caught.value.status_code == status


def test_a_session_of_the_caller_s_asks_too():
    class Mine(Render):
        pass

    with serve_background(transport="socket") as running, requests.Session() as session:
        mine = Mine(host=running.url.removesuffix("/render-ws"), owner="o", project="p", session=session)
        assert mine.server.kind == "embedded"


@responses.activate
def test_a_subclass_may_have_something_of_its_own_called_server():
    class Named(Render):
        def __init__(self, *args, **kwargs):
            self.server = "the fast one"
            super().__init__(*args, **kwargs)

    named = Named("render.example", 8080, "own", "proj", retries=0)
    assert copy.deepcopy(named).server == "the fast one"
    describe_as("newsolver")
    responses.get(f"{ROOT}/v1/owner/own/project/proj/stack/s/hierarchicalData", status=404)
    with pytest.raises(EndpointMissingError, match="newsolver"):
        renderapi.hierarchical.get_hierarchical_data("s", render=named)


def test_what_knows_nothing_claims_nothing():
    assert (ServerInfo().kind, ServerInfo().has("GET", "/owners"), branch_of([])) == ("unknown", None, None)
