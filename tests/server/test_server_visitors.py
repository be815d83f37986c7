"""Who is answered: names that lead here, pages that are trusted, and programs in any case."""

import functools
import http.server
import threading

import pytest
import requests
from embedded import Api
from test_dashboard import BROWSER_FLAGS, chromium  # noqa: F401 (a fixture)

from renderapi.server import Store, serve_background
from renderapi.server.http.visitors import Visitors, is_loopback, origin_of

EVIL = "http://evil.example"
LOCAL = "http://localhost:3000"
LAB = "https://viewer.lab"


def ask(method="GET", options=None, path="", **headers):
    """Return the answer to a request for a stack, and whether the stack is still there."""
    with Store() as store:
        api = Api(store, **(options or {}))
        api.create()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = api(method, path, headers=sent, **({"body": {}} if method in ("POST", "PUT") else {}))
        return answer, api.client.get(api.url("")).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "LOCALHOST.", "127.0.0.1:8080", "127.9.9.9", "[::1]:80", "a.localhost"],
)
def test_names_of_this_machine(host):
    assert ask(Host=host)[0].status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "10.0.0.1",
        "localhost.evil.example",
        "x@localhost",
        "localhost/x",
        "[",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_names(host, method):
    answer, there = ask(method, Host=host)
    assert answer.status_code == 403 and there
    assert "--allow-host" in answer.text and "allow_hosts" in answer.text


def test_names_that_are_allowed():
    hosts = {"allow_hosts": ["render.lab", "10.1.2.3"]}
    assert ask(options=hosts, Host="Render.lab:8080")[0].status_code == 200
    assert ask(options=hosts, Host="10.1.2.3:8080")[0].status_code == 200
    assert ask(options=hosts, Host="other.lab")[0].status_code == 403
    assert ask(options={"allow_hosts": ["*"]}, Host="other.lab")[0].status_code == 200
    # bound to all addresses: any of them, but no name
    assert ask(options={"allow_hosts": ["0.0.0.0"]}, Host="10.1.2.3")[0].status_code == 200
    assert ask(options={"allow_hosts": ["0.0.0.0"]}, Host="evil.example")[0].status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": LOCAL},
        {"Origin": "null"},
        {"Origin": "https://localhost.evil.example"},
        {"Origin": "chrome-extension://abc"},
        {"Referer": EVIL + "/page"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate"},
    ],
)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_pages_of_others_change_nothing(method, headers):
    answer, there = ask(method, path="" if method != "PUT" else "state/OFFLINE", **headers)
    assert answer.status_code == 403 and there
    assert "--cors-origin" in answer.text and "Access-Control-Allow-Origin" not in answer.headers
    # nor where everybody may read
    assert ask(method, {"cors_origins": ["*"]}, **headers)[0].status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_forms_change_nothing(kind):
    with Store() as store:
        api = Api(store)
        answer = api("POST", "", data="", content_type=kind, headers={"Origin": EVIL})
        assert answer.status_code == 403
        assert api.get("/owners") == []


def test_who_may_read():
    for headers in (
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Referer": EVIL + "/"},
    ):
        answer, _ = ask(**headers)
        assert answer.status_code == 403 and "Access-Control-Allow-Origin" not in answer.headers
        answer, _ = ask(options={"cors_origins": ["*"]}, **headers)
        assert answer.status_code == 200
        assert answer.headers.get("Access-Control-Allow-Origin") == headers.get("Origin")
    for origin in (LOCAL, "http://127.0.0.1:1", "http://[::1]:3000", "http://localhost"):
        answer, _ = ask(Origin=origin)
        assert answer.status_code == 200 and answer.headers["Access-Control-Allow-Origin"] == origin
    # a picture in a local page, and a link anywhere
    picture = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Referer": LOCAL + "/"}
    assert ask(**picture)[0].status_code == 200
    assert ask(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0].status_code == 200


def test_origins_that_are_allowed_may_read_and_change():
    options = {"cors_origins": [LAB + "/", "null"]}
    for origin in (LAB, "null"):
        assert ask("GET", options, Origin=origin)[0].headers["Access-Control-Allow-Origin"] == origin
        answer, there = ask("DELETE", options, Origin=origin)
        assert answer.status_code == 200 and not there
    assert ask("DELETE", options, Origin=EVIL)[0].status_code == 403


def test_pages_of_the_server_itself_and_programs():
    for headers in (
        {"Host": "localhost:8080", "Origin": "http://localhost:8080"},
        {"Host": "localhost", "Origin": "https://localhost"},
        {"Host": "127.0.0.1:8080", "Referer": "http://127.0.0.1:8080/render-ws/view/stacks.html"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"User_Agent": "Apache-HttpClient/4.5 (Java/17)"},
        {},
    ):
        answer, there = ask("DELETE", **headers)
        assert answer.status_code == 200 and not there


def test_preflights_say_what_is_allowed():
    wanted = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Private_Network": "true"}
    options = {"cors_origins": [LAB]}
    answer, _ = ask("OPTIONS", options, Origin=LAB, **wanted)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,POST,PUT,OPTIONS,HEAD"
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    answer, _ = ask("OPTIONS", options, Origin=LOCAL, **wanted)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS,HEAD"
    answer, _ = ask("OPTIONS", options, Origin=EVIL, **wanted)
    assert answer.status_code == 403 and "Access-Control-Allow-Methods" not in answer.headers


@pytest.mark.parametrize("host", ["", "a b", "http://a", "a:80", "a/b", "@"])
def test_a_host_that_is_none(host):
    with pytest.raises(ValueError, match="name of a host"):
        Visitors.of([host], [])


@pytest.mark.parametrize("origin", ["", "a.example", "http://", "http://a/b", "//a", "http://a:x"])
def test_an_origin_that_is_none(origin):
    with pytest.raises(ValueError, match="is no origin"):
        Visitors.of([], [origin])


def test_origins_and_names():
    assert origin_of("HTTP://A.b:80/x?y") == "http://a.b"
    assert origin_of("http://[::1]:90/") == "http://[::1]:90"
    assert origin_of("data:x") == origin_of("http://[") == origin_of("") == "null"
    assert is_loopback("127.0.0.1") and not is_loopback("localhost.example")


def test_on_a_socket():
    with (
        serve_background(cors_origins=[LAB], allow_hosts=["render.lab"]) as server,
        requests.Session() as session,
    ):
        url = server.url + "/v1/owner/o/project/p/stack/s"
        assert session.post(url, json={}).status_code == 201
        for host, status in (("render.lab", 200), ("evil.example", 403)):
            assert session.get(url, headers={"Host": host}).status_code == status
        assert session.delete(url, headers={"Origin": EVIL}).status_code == 403
        assert session.delete(url, headers={"Origin": LAB}).status_code == 200
    with serve_background(transport="memory") as server, server.session() as session:
        url = server.url + "/v1/owner/o/project/p/stack/s"
        assert session.post(url, json={}).status_code == 201
        assert session.delete(url, headers={"Origin": EVIL}).status_code == 403


# ---- in a browser

TRY = """
const [url, method, options, done] = arguments;
fetch(url, { method, ...options })
  .then(async (answer) => done(`${answer.type} ${answer.status} ${await answer.text()}`))
  .catch((problem) => done(`refused: ${problem}`));
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the port of another server, whose pages are of another origin."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "index.html").write_text("<!doctype html><title>page</title>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *values):
            pass

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=other.serve_forever)
    thread.start()
    yield other.server_address[1]
    other.shutdown()
    thread.join()
    other.server_close()


@pytest.fixture(scope="module")
def driver(chromium, tmp_path_factory):  # noqa: F811
    webdriver = pytest.importorskip("selenium.webdriver")

    options = webdriver.ChromeOptions()
    options.binary_location = chromium[0]
    profile = f"--user-data-dir={tmp_path_factory.mktemp('profile')}"
    names = "--host-resolver-rules=MAP evil.example 127.0.0.1,MAP viewer.lab 127.0.0.1"
    for flag in (*BROWSER_FLAGS, profile, names):
        options.add_argument(flag)
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromium[1]))
    found.set_script_timeout(30)
    yield found
    found.quit()


@pytest.fixture
def full():
    with serve_background() as server:
        url = server.url + "/v1/owner/o/project/p/stack/s"
        assert requests.post(url, json={"versionNotes": "secret"}).status_code == 201
        server.stack = url
        yield server
        assert requests.get(url).json()["currentVersion"] == {"versionNotes": "secret"}
        assert requests.get(server.url + "/v1/owner/o/stackIds").json() == [
            {"owner": "o", "project": "p", "stack": "s"}
        ]


def test_a_browser_keeps_pages_of_others_away(driver, pages, full):
    driver.get(f"http://evil.example:{pages}/index.html")
    json_body = {"headers": {"Content-Type": "application/json"}, "body": "{}"}
    for method, options in [
        ("GET", {}),
        ("DELETE", {}),
        ("PUT", json_body),
        ("POST", json_body),
        ("POST", {"body": "{}"}),
        ("GET", {"mode": "no-cors"}),
        ("POST", {"mode": "no-cors", "body": ""}),
    ]:
        told = driver.execute_async_script(TRY, full.stack, method, options)
        assert "secret" not in told and told.startswith(("refused", "opaque")), (method, options, told)
    # a form is sent without a question
    driver.execute_script(
        "const form = document.createElement('form'); form.method = 'post'; form.action = arguments[0];"
        "document.body.append(form); form.submit()",
        full.stack,
    )
    driver.get(f"http://evil.example:{pages}/index.html")


def test_a_browser_with_a_name_that_was_made_to_lead_here(driver, full):
    port = full.url.split(":")[2].split("/")[0]
    rebound = f"http://evil.example:{port}/render-ws/v1/owner/o/project/p/stack/s"
    driver.get(rebound)
    assert "does not answer to the name" in driver.page_source
    for method in ("GET", "DELETE"):
        told = driver.execute_async_script(TRY, rebound, method, {})
        assert told.startswith("basic 403"), told


def test_a_browser_lets_local_pages_read_and_allowed_ones_change(driver, pages, full):
    driver.get(f"http://localhost:{pages}/index.html")
    assert "secret" in driver.execute_async_script(TRY, full.stack, "GET", {})
    assert driver.execute_async_script(TRY, full.stack, "DELETE", {}).startswith("refused")
    with serve_background(cors_origins=[f"http://viewer.lab:{pages}"]) as server:
        driver.get(f"http://viewer.lab:{pages}/index.html")
        url = server.url + "/v1/owner/o/project/p/stack/s"
        body = {"headers": {"Content-Type": "application/json"}, "body": "{}"}
        assert driver.execute_async_script(TRY, url, "POST", body).startswith("cors 201")
        assert '"state":"LOADING"' in driver.execute_async_script(TRY, url, "GET", {})
