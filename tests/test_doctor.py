"""What is found out about broken set-ups, as `renderapi.doctor` and the command tell it."""

import json
import re
import shlex
import socket
import ssl
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest
from loopback import Loopback, answer, closed_port

import renderapi
from renderapi import cli, doctor
from renderapi.server import serve_background

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "command.rst"
HOST = "render.example.org"
JSON = "application/json"
NO_VERSION = answer(204)
#: what a render server says 30 s after its data base went away
MONGO = (
    "Timed out after 30000 ms while waiting to connect. Client view of cluster state is {type=UNKNOWN, "
    "servers=[{address=localhost:27017, type=UNKNOWN, state=CONNECTING, exception={com.mongodb."
    "MongoSocketOpenException: Exception opening socket}, caused by {java.net.ConnectException: Connection refused}}]"
)


def documents(*values):
    """Return answers with JSON documents."""
    return [answer(200, json.dumps(value).encode(), Content_Type=JSON) for value in values]


def metadata(state="LOADING", when="2026-01-31T12:00:00.000Z", stack="montage", project="project"):
    stack_id = {"owner": "me", "project": project, "stack": stack}
    return {"stackId": stack_id, "state": state, "lastModifiedTimestamp": when}


@pytest.fixture
def names(monkeypatch):
    """Let one name of another machine stand for this one; nobody knows any other."""
    look_up = socket.getaddrinfo

    def found(host, *args, **kwargs):
        if host not in (HOST, "127.0.0.1"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", found)


class SecureLoopback(Loopback):
    """The same with a certificate that nobody has signed."""

    def _serve(self, connection):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(HERE / "data" / "tls" / f"{HOST}.pem")
        try:
            secure = context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()  # the client does not trust it
        else:
            super()._serve(secure)


@contextmanager
def unknown_name(patch, folder):
    yield "--url http://redner.example.org:8080", 8080


@contextmanager
def closed(patch, folder):
    port = closed_port()
    yield f"--url http://{HOST}:{port}", port


@contextmanager
def proxy_in_the_way(patch, folder):
    page = b"<html><head><title>ERROR: The requested URL could not be retrieved</title></head></html>"
    with Loopback(answer(403, page, Content_Type="text/html")) as proxy:
        patch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        yield f"--url http://{HOST}:8080", proxy.port


@contextmanager
def bad_certificate(patch, folder):
    with SecureLoopback(NO_VERSION) as running:
        yield f"--url https://{HOST}:{running.port}", running.port


@contextmanager
def no_render_server(patch, folder):
    page = b"<!DOCTYPE html><html><head><title>Lab wiki</title></head><body>Welcome</body></html>"
    with Loopback(answer(200, page, Content_Type="text/html")) as running:
        yield f"--url http://{HOST}:{running.port}", running.port


@contextmanager
def credentials_missing(patch, folder):
    with Loopback(answer(401, b"", WWW_Authenticate='Basic realm="render"')) as running:
        yield f"--url http://{HOST}:{running.port}", running.port


@contextmanager
def database_down(patch, folder):
    with Loopback(NO_VERSION, answer(500, MONGO.encode(), Content_Type="text/plain")) as running:
        yield f"--url http://{HOST}:{running.port}", running.port


@contextmanager
def stack_and_java(patch, folder):
    scripts = folder / "scripts"
    scripts.mkdir()
    (scripts / "run_ws_client.sh").write_text("#!/bin/sh\n")
    (scripts / "run_ws_client.sh").chmod(0o755)
    patch.setenv("PATH", str(folder))
    with Loopback(NO_VERSION, *documents(["me"], [metadata()])) as running:
        words = f"me/project/montage --url http://{HOST}:{running.port} --client-scripts {scripts}"
        yield words, running.port


#: Each with the step that is wrong, in the order of the page.
SETUPS = {
    unknown_name: ["name"],
    closed: ["port"],
    proxy_in_the_way: ["proxy"],
    bad_certificate: ["certificate"],
    no_render_server: ["server"],
    credentials_missing: ["access"],
    database_down: ["database"],
    stack_and_java: ["state", "Java"],
}


def told(setup, monkeypatch, capsys, tmp_path, *more):
    """Return the words of the command for a set-up, how it ended and what it printed, as on the page."""
    with setup(monkeypatch, tmp_path) as (words, port):
        status = cli.main(["doctor", *shlex.split(words), *more])
    proxy = setup is proxy_in_the_way
    wanted = {proxy_in_the_way: 3128, bad_certificate: 8443, closed: 8000}.get(setup, 8080)

    def shown(text):
        text = text.replace("http://127.0.0.1", "http://proxy.example.org") if proxy else text
        text = text.replace("self signed", "self-signed")  # in older versions of OpenSSL
        return re.sub(rf"\b{port}\b", str(wanted), text.replace(str(tmp_path), "/render"))

    return shown(words), status, shown(capsys.readouterr().out)


def on_the_page():
    """Return the words and outputs of ``renderapi doctor`` that the page shows, in order."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^   \$ renderapi doctor (.*)\n((?:   .*\n)+)", text, re.MULTILINE)
    return [(words, re.sub("^   ", "", output, flags=re.MULTILINE)) for words, output in found]


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.__name__)
def test_a_broken_setup_is_found_out_as_the_page_shows(setup, names, monkeypatch, capsys, tmp_path):
    words, status, output = told(setup, monkeypatch, capsys, tmp_path)
    assert status == 3
    wrong = [line.split()[1] for line in output.splitlines() if line.startswith("wrong")]
    assert wrong == SETUPS[setup]
    assert on_the_page()[list(SETUPS).index(setup)] == (words, output)


def test_the_page_shows_all_of_them():
    assert len(on_the_page()) == len(SETUPS)


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.__name__)
def test_programs_get_the_same_as_json(setup, names, monkeypatch, capsys, tmp_path):
    _, status, output = told(setup, monkeypatch, capsys, tmp_path, "--json")
    findings = json.loads(output)
    assert status == 3
    assert [f["subject"] for f in findings if f["state"] == "wrong"] == SETUPS[setup]
    assert all(f["advice"] for f in findings if f["state"] == "wrong")


# ------------------------------------------------------------------------------------------ the library


def examine(*steps, stack=None, **settings):
    """Examine a fake, and return the findings by subject."""
    with Loopback(*steps) as running, renderapi.connect(
        url=running.url, owner="me", project="project", web_only=True, **settings
    ) as render:  # fmt: skip
        return {finding.subject: finding for finding in doctor.examine(stack, render=render)}


def test_a_healthy_server_is_all_well():
    with serve_background() as server:
        render = server.connect(owner="me", project="p", web_only=True)
        renderapi.stack.create_stack("raw", render=render)
        findings = doctor.examine("raw", render=render)
    assert [(f.subject, f.state) for f in findings] == [
        ("address", "ok"), ("name", "ok"), ("port", "ok"), ("server", "ok"), ("access", "ok"), ("database", "ok"),
        ("owner", "ok"), ("state", "note"), ("scripts", "note"),
    ]  # fmt: skip
    assert [f.subject for f in findings if f.state != "ok" and not f.advice] == []


def test_findings_are_told_as_they_are_made():
    told = []
    with serve_background() as server, server.connect(owner="me", project="p", web_only=True) as render:
        assert doctor.examine(render=render, report=told.append) == told


def test_credentials_that_are_accepted_are_told():
    found = examine(NO_VERSION, *documents(["me"], [metadata("COMPLETE")]), auth=("a", "b"), stack="montage")
    assert found["access"].text == "the credentials are accepted"
    assert found["state"] == doctor.Finding("state", "ok", "montage is COMPLETE")


@pytest.mark.parametrize(
    ("steps", "subject", "said"),
    [
        ([answer(404, b"", Content_Type="text/html")], "server", "has no render-ws at"),
        ([answer(502, b"bad gateway")], "server", "what is in front of the render server answers 502"),
        ([answer(403, b"no")], "access", "answers 403: it wants other credentials"),
        ([NO_VERSION, answer(401, b"")], "access", "answers 401: it wants credentials"),
        ([NO_VERSION, answer(500, b"disk full")], "database", "is answered 500: disk full"),
        ([NO_VERSION, *documents({"owners": []})], "server", "something else: it is no render server"),
        (documents(["no", "version"]), "server", "something else: it is no render server"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "server", "no answer of HTTP that can be used"),
        ([answer(400, b"The plain HTTP request was sent to HTTPS port")], "server", "no answer of HTTP"),
    ],
)
def test_what_answers_otherwise_is_told(steps, subject, said):
    found = examine(*steps)
    assert said in found[subject].text
    assert (found[subject].state, [s for s, f in found.items() if f.state == "wrong"]) == ("wrong", [subject])
    assert found[subject].advice


def test_a_server_that_does_not_tell_its_version_is_one_all_the_same():
    found = examine(answer(404, b""), *documents(["me"], []))
    assert found["server"].state == found["database"].state == "ok"


@pytest.mark.parametrize(
    ("stacks", "stack", "subject", "state", "said"),
    [
        ([metadata("OFFLINE")], "montage", "state", "wrong", "its tiles were removed"),
        ([metadata("READ_ONLY")], "montage", "state", "ok", "montage is READ_ONLY"),
        ([metadata()], "montaeg", "state", "wrong", "there is no stack 'montaeg'; did you mean 'montage'?"),
        ([metadata()], None, "state", "note", "1 LOADING, and not written to for an hour or more: montage"),
        ([metadata(when=None)], "montage", "state", "note", "at a time that is not known"),
        ([metadata(project="projekt")], "montage", "owner", "note", "did you mean 'projekt'?"),
    ],
)  # fmt: skip
def test_stacks_are_looked_at(stacks, stack, subject, state, said):
    found = examine(NO_VERSION, *documents(["me"], stacks), stack=stack)
    assert (found[subject].state, said in found[subject].text) == (
        "wrong" if state == "wrong" else state,
        True,
    )


def test_a_stack_that_was_just_written_to_is_being_loaded():
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    found = examine(NO_VERSION, *documents(["me"], [metadata(when=now)]), stack="montage")
    assert found["state"].state == "note"


def test_an_owner_that_is_not_there_is_compared_with_those_that_are():
    found = examine(NO_VERSION, *documents(["mee", "you"], [], ["mee", "you"]))
    assert found["owner"].text == "there is no owner 'me'; did you mean 'mee'?"


def test_without_a_server_the_variables_are_named():
    [address, scripts] = doctor.examine()
    assert (address.state, address.text) == ("wrong", "no server is named")
    assert "RENDER_HOST and RENDER_PORT" in address.advice
    assert scripts.subject == "scripts"


def test_a_host_that_cannot_be_is_wrong():
    assert doctor.examine(host="http://")[0].state == "wrong"


def test_a_proxy_that_does_not_run_is_told_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@127.0.0.1:{closed_port()}")
    findings = doctor.examine(host=f"http://{HOST}", port=8080)
    assert [f.subject for f in findings if f.state == "wrong"] == ["proxy"]
    assert not any("secret" in f.text + f.advice for f in findings)


def test_a_proxy_that_reaches_the_server_is_a_note(monkeypatch):
    with Loopback(NO_VERSION, *documents([])) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        findings = {f.subject: f for f in doctor.examine(host=f"http://{HOST}", port=8080)}
        assert proxy.received[0].path == f"http://{HOST}:8080/render-ws/v1/versionInfo"
    assert (findings["proxy"].state, findings["database"].state) == ("note", "ok")


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "plain HTTP"),
        ("certificate verify failed: certificate has expired", "has expired"),
        ("certificate verify failed: Hostname mismatch", "another name"),
        ("certificate verify failed: unable to get local issuer certificate", "verify='ca.pem'"),
    ],
)
def test_certificates_are_wrong_in_several_ways(reason, advice, monkeypatch):
    def refused(*args, **options):
        raise renderapi.errors.ServerCertificateError(f"GET https://h: no trusted connection ({reason})")

    monkeypatch.setattr(doctor.transport, "send", refused)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        findings = {f.subject: f for f in doctor.examine(host="https://127.0.0.1", port=port)}
    assert findings["certificate"].state == "wrong"
    assert advice in findings["certificate"].advice


def test_a_certificate_that_is_trusted_is_all_well(names):
    with SecureLoopback(NO_VERSION, *documents([])) as running:
        render = renderapi.connect(
            url=f"https://{HOST}:{running.port}", owner="", project="",
            verify=str(HERE / "data" / "tls" / f"{HOST}.pem"), web_only=True,
        )  # fmt: skip
        findings = {f.subject: f.state for f in doctor.examine(render=render)}
    assert findings["certificate"] == findings["database"] == "ok"


class TestJava:
    @pytest.fixture
    def scripts(self, tmp_path):
        path = tmp_path / "repo" / "a" / "b" / "c" / "scripts"
        path.mkdir(parents=True)
        script = path / "run_ws_client.sh"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        return path

    @staticmethod
    def java(folder, text):
        path = folder / "bin" / "java"
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    @staticmethod
    def found(scripts):
        return {f.subject: f for f in doctor.examine(client_scripts=str(scripts))}

    def test_that_of_the_checkout_is_found(self, scripts, tmp_path):
        self.java(tmp_path / "repo" / "deploy" / "jdk17", "echo 'openjdk version \"17\"' >&2")
        assert self.found(scripts)["Java"] == doctor.Finding("Java", "ok", 'openjdk version "17"')

    def test_that_of_the_environment_goes_before_it(self, scripts, tmp_path, monkeypatch):
        self.java(tmp_path / "mine", "echo mine >&2; exit 3")
        monkeypatch.setenv("RENDER_JAVA_HOME", str(tmp_path / "mine"))
        finding = self.found(scripts)["Java"]
        assert finding.state == "wrong" and finding.text.endswith("-version ends with 3: mine")

    def test_one_that_hangs_is_left(self, scripts, tmp_path, monkeypatch):
        self.java(tmp_path / "mine", "exec sleep 60")
        monkeypatch.setenv("RENDER_JAVA_HOME", str(tmp_path / "mine"))
        monkeypatch.setattr(doctor, "_JAVA_SECONDS", 0.1)
        assert self.found(scripts)["Java"].state == "wrong"

    def test_scripts_that_are_not_there_are_wrong(self, tmp_path):
        finding = self.found(tmp_path)["scripts"]
        assert finding.state == "wrong" and "not found" in finding.text
