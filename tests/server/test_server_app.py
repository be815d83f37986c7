import json
import logging
import re
import sqlite3
from pathlib import Path

import pytest
from embedded import Api, make_tile

import renderapi.server
from renderapi import _json
from renderapi.server import Store, create_app
from renderapi.server.endpoints.declaring import decode
from renderapi.server.endpoints.refusals import Refusal
from renderapi.server.http.app import SERVICES

NOT_OFFERED = ("hierarchical alignment",)


def documented():
    """Return service, method, path and query of every endpoint of render-ws."""
    for line in Path(__file__).with_name("endpoints.txt").read_text().splitlines():
        service, method, path, *query = line.split(" ")
        yield service, method, re.sub(r"{\w+", "{", path), query


def declared():
    for service in SERVICES:
        for endpoint in filter(lambda endpoint: endpoint.is_part_of("master"), service.endpoints):
            path = re.sub(r"{\w+", "{", endpoint.path)
            query = sorted(name + "*" * rule.many for name, rule in endpoint.query.items() if not rule.newer)
            yield service.name, endpoint.method, path, query, endpoint


def test_every_endpoint_of_render_ws_is_there_and_no_other():
    assert sorted(line[:3] for line in declared()) == sorted(line[:3] for line in documented())


def test_every_query_parameter_is_known():
    expected = {line[:3]: sorted(set(line[3])) for line in documented()}
    for service, method, path, query, _ in declared():
        assert query == expected[service, method, path], path


def example(endpoint):
    """Return a path of an endpoint, with values for its variables."""
    values = {"string": "x", "double": "1.5", "int": "2", "state": "LOADING"}
    path = endpoint.path
    for name, kind in endpoint.variables:
        path = re.sub(rf"{{{name}:?\w*}}", values[kind], path)
    return path


def test_every_endpoint_answers_or_says_that_it_is_not_offered(api):
    for _, method, path, _, endpoint in declared():
        answer = api(method, example(endpoint), data="null", content_type=endpoint.takes or "")
        assert answer.status_code != 405, path
        if answer.status_code == 501:
            assert answer.text in {
                f"The embedded server does not offer {what}; use a full render-ws for it."
                for what in NOT_OFFERED
            }
        elif answer.status_code >= 500:
            # what render-ws fails at, too
            assert answer.text.endswith("must not be null") or "must be provided" in answer.text, (
                path,
                answer.text,
            )
        else:
            assert "Could not find resource" not in answer.text, path


def test_names_that_are_none_fail_otherwise_in_images_and_batches(api):
    for path, method in [
        ("z/1/jpeg-image", "GET"),
        ("tile/t/png-image", "GET"),
        ("local-to-world-coordinates", "PUT"),
    ]:
        status, text = api.refused(method, path, [] if method == "PUT" else None, stack="a-b")
        assert status == 500 and text.startswith("invalid stack 'a-b' specified")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/owner/o/nowhere",
        "/owner/o/project/p/stack/s/z/one/tile-specs",
        "/owner/o/project/p/stack/s/z/1/tiff16-image",
    ],
)
def test_paths_that_there_are_not(api, path):
    status, text = api.refused("GET", path)
    assert (status, text) == (404, f"Could not find resource for path: /render-ws/v1{path}")


def test_methods_that_there_are_not(api):
    status, _ = api.refused("POST", "/owners")
    assert status == 405
    assert set(api("POST", "/owners").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert api("HEAD", "/owners").status_code == 200


@pytest.mark.parametrize("path", ["/owners/", "/owner/o/stacks/"])
def test_a_slash_at_the_end_is_taken(api, path):
    assert api.get(path) == []


@pytest.mark.parametrize(
    "path, text",
    [
        ("/owner//projects", "Ambiguous URI empty segment"),
        ("/owners//", "Ambiguous URI empty segment"),
        ("/owner/o/%2e%2e/stacks", "Ambiguous URI path segment"),
    ],
)
def test_ambiguous_paths(api, path, text):
    assert api.refused("GET", path) == (400, text)


def test_paths_are_tidied(loading):
    for path in ("tile/../zValues", "./zValues", "zValues;a=b", "%7AValues", "zValues/"):
        assert loading("GET", path).status_code == 200, path
    assert loading.refused("GET", "z/x/resolvedTiles")[0] == 404
    assert loading.refused("POST", "zValues")[0] == 405


def test_what_a_client_accepts(loading):
    for accept, status in (("text/html", 406), ("garbage", 400), ("text/html, application/*", 200)):
        assert loading("GET", "zValues", headers={"Accept": accept}).status_code == status
    assert loading("GET", "", stack="gone", headers={"Accept": "text/html"}).status_code == 406


def test_methods_of_a_path_are_named(loading):
    answer = loading("OPTIONS", "")
    assert answer.text == "HEAD, DELETE, POST, GET, OPTIONS"
    assert loading("OPTIONS", "state/COMPLETE").text == "OPTIONS, PUT"
    assert loading("TRACE", "zValues").status_code == 403


def test_what_follows_a_document_is_not_looked_at(api):
    api.send("POST", "", data="{}{}", content_type="application/json", status=201)
    api.send("POST", "", data="{} more", content_type="application/json", status=201)


def test_bodies_that_are_no_json(loading):
    for body in (
        b"{",
        b"[1,]",
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"\xff",
        b"nothing",
        b"[" * 100_000,
    ):
        status, text = loading.refused("PUT", "resolvedTiles", data=body, content_type="application/json")
        assert status == 400 and text.startswith("Cannot read the body as JSON: ")
    assert decode(b" \n") is None
    assert decode(b'["NaN", "Infinity"]') == ["NaN", "Infinity"]


@pytest.mark.parametrize("separator", [",", " ,\n "])
def test_long_bodies_are_decoded_in_parts(monkeypatch, separator):
    monkeypatch.setattr("renderapi.server.endpoints.declaring._PART", 10)
    decoded = []
    loads = _json.loads
    monkeypatch.setattr(
        "renderapi.server.endpoints.declaring._json.loads", lambda part: decoded.append(part) or loads(part)
    )

    def is_read(document):
        decoded.clear()
        content = separator.join(json.dumps(document).split(", ")).encode()
        assert decode(content) == json.loads(content)
        return len(decoded)

    points = [{"world": [number, -1.5]} for number in range(20)]
    assert is_read(points) > 10
    assert is_read([*points, {"tileId": "NaN"}]) == 0  # by the other decoder
    # a comma that does not separate the elements
    for odd in ({"x": "},{"}, {"x": [{}, {}, {"y": [{}, {}]}]}, [{}, {}], "},{", '"},{"', "\\},{\\"):
        is_read([odd] * 20)
        is_read([points[0], odd, *points])
    for bad in (b'[{"a":1},{"a":1},{"a":1},{"a":', b'[{"a":1},{"a":1},{"a":1}]]', b'[{"a":1},{"a":1}}]' * 3):
        with pytest.raises(Refusal):
            assert decode(bad) == [{"a": 1}] * 3  # what comes after a document is not looked at
            raise Refusal(400, "")


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
def test_numbers_that_are_too_large(loading, number):
    body = json.dumps({"tileIdToSpecMap": {"a": make_tile("a", width=0)}}).replace(
        '"width": 0', f'"width": {number}'
    )
    assert number in body
    assert loading.refused("PUT", "resolvedTiles", data=body, content_type="application/json")[0] == 400
    body = body.replace('"minX": 0.0', f'"minX": {number}')
    assert loading.refused("PUT", "resolvedTiles", data=body, content_type="application/json")[0] == 400
    assert loading.get("tileIds") == []


def test_half_characters_are_refused(loading):
    body = json.dumps({"tileIdToSpecMap": {"a": make_tile("\ud800")}})
    assert loading.refused("PUT", "resolvedTiles", data=body, content_type="application/json")[0] == 400
    pair = {"pGroupId": "\udc00", "pId": "p", "qGroupId": "q", "qId": "q"}
    assert loading.refused("PUT", "/owner/o/matchCollection/c/matches", [pair])[0] == 400


def test_content_types(loading):
    body = json.dumps({"tileIdToSpecMap": {"a": make_tile("a")}})
    for kind in ("text/plain", "", "application/xml"):
        assert loading.refused("PUT", "resolvedTiles", data=body, content_type=kind)[0] == 415
    loading.send(
        "PUT", "resolvedTiles", status=201, data=body, content_type="application/json; charset=UTF-8"
    )
    # where there is no body there is no type either
    assert loading.refused("PUT", "resolvedTiles") == (400, "no resolved tiles provided")
    assert loading("GET", "z/1/tile-specs").headers["Content-Type"] == "application/json"


def test_where_something_was_created(api):
    answer = api.send("POST", "", {}, 201)
    assert answer.headers["Location"] == "http://localhost/render-ws/v1/owner/o/project/p/stack/s"
    assert "Content-Type" not in answer.headers
    path = "resolvedTiles?deriveData=true"
    answer = api.send("PUT", path, {"tileIdToSpecMap": {"a": make_tile("a")}}, 201)
    assert answer.headers["Location"] == f"http://localhost/render-ws/v1/owner/o/project/p/stack/s/{path}"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("%2B1", "+1"),
        ("1,5", "1,5"),
        ("a%20b%C3%BC", "a%20b%C3%BC"),
        ("a%2fb%3F%25", "a%2Fb%3F%25"),
        ("%0D%0Ax", "%0D%0Ax"),
    ],
)
def test_the_place_of_what_was_created_is_encoded_as_little_as_possible(loading, sent, told):
    answer = loading.send("PUT", f"section/{sent}/z", 1, 201)
    assert (
        answer.headers["Location"]
        == f"http://localhost/render-ws/v1/owner/o/project/p/stack/s/section/{told}/z"
    )


def test_other_origins():
    with Store() as store:
        of_other_origins(Api(store, cors_origins=["http://else.where"]))


def of_other_origins(api):
    answer = api("GET", "/owners", headers={"Origin": "http://else.where"})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://else.where"
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    headers = {"Origin": "http://else.where", "Access-Control-Request-Method": "PUT"}
    answer = api("OPTIONS", "/owner/o/project/p/stack/s/state/LOADING", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,POST,PUT,OPTIONS,HEAD"
    assert answer.headers["Access-Control-Allow-Headers"] == "X-Requested-With,Content-Type,Accept,Origin"
    assert answer.headers["Access-Control-Max-Age"] == "1800"
    answer = api("GET", "/owners")
    assert "Access-Control-Allow-Origin" not in answer.headers and answer.headers["Vary"] == "Origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_body_that_is_too_large():
    with Store() as store:
        api = Api(store, max_body=100)
        status, text = api.refused("POST", "", {"versionNotes": "x" * 100})
        assert (status, text) == (413, "the body is larger than the 100 bytes that this server takes")
        api.create()


def test_failures_tell_the_client_nothing_but_that_they_are(api, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr("renderapi.server.store.metadata.get", fail)
    assert api.refused("GET", "bounds") == (500, "the server failed, see its log")
    assert "RuntimeError: /secret/path" in caplog.text

    def lock(*_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("renderapi.server.store.metadata.get", lock)
    assert api.refused("GET", "bounds") == (500, "database problem: database is locked")


def test_a_refusal_is_one_line_in_the_log(api, caplog):
    caplog.set_level(logging.INFO, "renderapi.server")
    api.refused("GET", "tile/a%0Ab", stack="gone")
    api.refused("PUT", "resolvedTiles", data=b"{\n\n]", content_type="application/json")
    assert len(caplog.records) == 2
    for record in caplog.records:
        assert "\n" not in record.getMessage() and record.exc_info is None


def test_identifiers_are_never_more_than_that(loading):
    name = "x' OR 1=1; DROP TABLE tile; --"
    loading.put_tiles(make_tile(name, section=name), make_tile("other"))
    quoted = name.replace(" ", "%20").replace(";", "%3B")
    assert loading.get(f"tile/{quoted}")["tileId"] == name
    assert loading.get(f"section/{quoted}/tileBounds")[0]["tileId"] == name
    loading.send("DELETE", f"section/{quoted}")
    assert loading.get("tileIds") == ["other"]
    assert loading.refused("GET", "resolvedTiles?groupId=%27+OR+1=1")[0] == 404


def test_below_another_prefix(api):
    answer = api.client.get(
        "/prefix/render-ws/v1/owner/o/stacks", environ_overrides={"SCRIPT_NAME": "/prefix"}
    )
    assert answer.status_code == 404
    environ = {"SCRIPT_NAME": "/prefix", "REQUEST_URI": "/prefix/render-ws/v1/owner/a%2Fb/stacks"}
    answer = api.client.get("/render-ws/v1/owner/a%2Fb/stacks", environ_overrides=environ)
    assert (answer.status_code, answer.json) == (200, [])


@pytest.mark.parametrize(
    "sent",
    [
        "http://host:80/render-ws/v1/owner/a%2Fb/projects?x=/",
        "/render-ws/v1/owner/a%2Fb/projects",
    ],
)
def test_the_path_as_it_was_sent(api, sent):
    with api.store.write() as connection:
        connection.execute(
            "INSERT INTO stack (owner, project, name, state, document) "
            "VALUES ('a/b', 'p', 's', 'LOADING', '')"
        )
    answer = api.client.get("/render-ws/v1/owner/a%2Fb/projects", environ_overrides={"REQUEST_URI": sent})
    assert answer.json == ["p"]


def test_a_server_that_does_not_tell_the_path_as_it_was_sent(api):
    def start(status, headers, exc_info=None):
        begun.append(status)

    begun = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/render-ws/v1/owner/\xc3\xbc b/projects",
        "SERVER_NAME": "h",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "QUERY_STRING": "",
    }
    assert b"".join(api.app(environ, start)) == b"[]"
    assert begun == ["200 OK"]


def test_configuration(tmp_path):
    with Store(tmp_path) as store:
        api = Api(store, properties={"view.defaultOwner": "o", "a": "b"})
        found = api.get("/serverProperties")
        assert list(found["properties"]) == ["a", "view.defaultOwner"]
        assert found["filePath"] == str(tmp_path / "render-ws.sqlite3")
        assert sorted(api.get("/namedFilterSpecLists")["namedFilterSpecLists"]) == ["default", "simpleTest"]
        assert api.get("/versionInfo")["git.build.version"] == renderapi.__version__
        api.send("DELETE", "/imageProcessorCache/allEntries")


def test_pages(api, monkeypatch, tmp_path):
    for path in ("/render-ws/view", "/render-ws/view/"):
        answer = api.client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/render-ws/view/index.html")
    folder = tmp_path / "dashboard"
    folder.mkdir()
    (folder / "a b.html").write_text("<p>page</p>")
    (tmp_path / "secret.html").write_text("secret")
    monkeypatch.setattr("renderapi.server.http.app.PAGES", folder)
    answer = api.client.get("/render-ws/view/a%20b.html")
    assert (answer.text, answer.mimetype) == ("<p>page</p>", "text/html")
    answer.close()
    for path in ("none.html", "../secret.html", "%2e%2e/secret.html", "..%2fsecret.html", "/etc/passwd"):
        assert api.client.get(f"/render-ws/view/{path}").status_code == 404


@pytest.mark.parametrize("path", ["/", "/render-ws", "/render-ws/", "/render-ws/view", "/render-ws/view/"])
def test_short_addresses_lead_to_the_dashboard(api, path):
    answer = api.client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/render-ws/view/index.html")
    with api.client.get(path, follow_redirects=True) as page:
        assert page.mimetype == "text/html"


def test_the_description_says_what_is_served(api):
    answer = api.client.get("/render-ws/swagger.json")
    assert answer.headers["Content-Type"] == "application/json"
    description = answer.json
    assert (description["swagger"], description["basePath"]) == ("2.0", "/render-ws")
    operations = {(m.upper(), path) for path, methods in description["paths"].items() for m in methods}
    expected = {
        (method, "/v1" + re.sub(r":\w+}", "}", endpoint.path)) for _, method, _, _, endpoint in declared()
    }
    assert operations == expected
    ids = description["paths"]["/v1/owner/{owner}/project/{project}/stack/{stack}/tileIds"]["get"]
    assert ids["summary"] == "List the ids of tiles, sorted; a stack that does not exist has none."
    assert {(p["name"], p["in"], p["type"]) for p in ids["parameters"]} == {
        ("owner", "path", "string"),
        ("project", "path", "string"),
        ("stack", "path", "string"),
        ("minZ", "query", "number"),
        ("maxZ", "query", "number"),
        ("matchPattern", "query", "string"),
    }
    tiles = description["paths"]["/v1/owner/{owner}/project/{project}/stack/{stack}/resolvedTiles"]["put"]
    assert tiles["consumes"] == ["application/json"] and tiles["parameters"][-1]["in"] == "body"
    clone = description["paths"]["/v1/owner/{owner}/project/{project}/stack/{stack}/cloneTo/{toStack}"]["put"]
    assert next(p for p in clone["parameters"] if p["name"] == "z")["type"] == "array"
    for methods in description["paths"].values():
        assert all(operation["summary"] for operation in methods.values())


def test_refusals_pickle():
    import pickle

    copied = pickle.loads(pickle.dumps(Refusal(404, "gone")))
    assert (copied.status, copied.message, str(copied)) == (404, "gone", "gone")


def test_what_the_package_offers(monkeypatch):
    assert set(renderapi.server.__all__) <= set(dir(renderapi.server))
    assert renderapi.server.create_app is create_app
    with pytest.raises(AttributeError, match="nothing"):
        renderapi.server.nothing


def test_without_flask_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'flask'", name="flask")

    monkeypatch.delitem(vars(renderapi.server), "create_app", raising=False)
    monkeypatch.setattr("renderapi.server.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "render-python\[server\]>=3"'):
        renderapi.server.create_app

    def broken(name):
        raise ModuleNotFoundError("No module named 'other'", name="other")

    monkeypatch.setattr("renderapi.server.import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="other"):
        renderapi.server.create_app


@pytest.mark.parametrize(
    "path", ["tileIds?matchPattern=t", "tile/t/png-image", "z/1/world-to-local-coordinates"]
)
def test_nothing_is_begun_for_a_client_that_is_gone(api, path):
    api.in_state("LOADING", make_tile("t"))
    method, body = ("PUT", [{"world": [1, 1]}]) if "coordinates" in path else ("GET", None)
    for gone, status in ((lambda: True, 499), (lambda: False, None), (None, None)):
        found = api(method, path, body, environ_overrides={"waitress.client_disconnected": gone}).status_code
        assert found == 499 if status else found != 499
