"""Connections: where settings come from, what a connection remembers, what it gives away."""

import copy
import copyreg
import functools
import io
import json
import multiprocessing
import pickle
import sys
import threading
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import responses
from loopback import Loopback, answer

import renderapi.render
from renderapi import errors
from renderapi.client import call_run_ws_client
from renderapi.errors import BadAnswerError, ClientScriptError, ConnectionSettingsError, RenderWarning
from renderapi.http.environment import ENVIRONMENT
from renderapi.http.sessions import RenderSession, SessionView
from renderapi.render import (
    Render,
    RenderClient,
    connect,
    get_owners,
    get_projects_by_owner,
    get_stack_metadata_by_owner,
    get_stacks_by_owner_project,
    renderaccess,
)

HERE = ("localhost", 8080, "o", "p")
SETTINGS = {"host": "http://localhost", "port": 8080, "owner": "o", "project": "p", "client_scripts": None}
BASE = "http://localhost:8080/render-ws/v1"


@pytest.fixture
def scripts(tmp_path):
    """Return a folder of client scripts."""
    script = tmp_path / "run_ws_client.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return str(tmp_path)


@pytest.fixture
def keyboard(monkeypatch):
    """Let somebody sit at a terminal, who answers what a test puts into the list."""
    answers, asked = [], []

    def ask(prompt=""):
        asked.append(prompt)
        if not answers:
            raise EOFError
        return answers.pop(0)

    monkeypatch.setattr("builtins.input", ask)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    return types.SimpleNamespace(answers=answers, asked=asked)


def settings_of(render):
    return {name: value for name, value in render.make_kwargs().items() if name != "session"}


# ----------------------------------------------------------------------------- where settings come from


def test_settings_given():
    assert settings_of(connect(*HERE)) == SETTINGS
    assert settings_of(connect(host="localhost", port="8080", owner="o", project="p")) == SETTINGS
    assert type(connect(*HERE)) is Render


@pytest.mark.parametrize(
    ("host", "force_http", "used"),
    [
        ("h", True, "http://h"),
        ("h", False, "h"),
        ("http://h", True, "http://h"),
        ("https://h", True, "https://h"),
        ("http://[::1]", True, "http://[::1]"),
        ("h/lab", True, "http://h/lab"),
    ],
)
def test_the_scheme_of_the_host(host, force_http, used):
    render = connect(host, 80, "o", "p", force_http=force_http)
    assert settings_of(render)["host"] == used


def set_all(monkeypatch, prefix, **values):
    for name, value in values.items():
        monkeypatch.setenv(f"{prefix}_{name.upper()}", value)


def test_settings_from_the_environment(monkeypatch):
    set_all(monkeypatch, "RENDER", host="rh", port="1", owner="ro", project="rp", client_scripts="/r")
    assert settings_of(connect(web_only=True)) == {
        "host": "http://rh", "port": 1, "owner": "ro", "project": "rp", "client_scripts": "/r",
    }  # fmt: skip
    set_all(monkeypatch, "DEFAULT_RENDER", host="dh", port="2", owner="do", project="dp", client_scripts="/d")
    assert settings_of(connect(web_only=True)) == {
        "host": "http://dh", "port": 2, "owner": "do", "project": "dp", "client_scripts": "/d",
    }  # fmt: skip
    assert settings_of(connect("h", 3, "o", "p", "/s", web_only=True)) == {
        "host": "http://h", "port": 3, "owner": "o", "project": "p", "client_scripts": "/s",
    }  # fmt: skip


def test_a_port_of_the_environment_is_a_number(monkeypatch):
    monkeypatch.setenv("RENDER_PORT", "8080")
    assert connect("h", None, "o", "p").DEFAULT_PORT == 8080
    assert f"{connect('h', None, 'o', 'p').DEFAULT_PORT:d}" == "8080"


@pytest.mark.parametrize("name", ["host", "port", "owner", "project"])
def test_what_is_missing_is_named_with_keyword_and_variables(name):
    given = {**dict(zip(("host", "port", "owner", "project"), HERE)), name: None}
    with pytest.raises(ValueError) as caught:
        connect(**given)
    text = str(caught.value)
    assert f"{name}=  or  {' / '.join(ENVIRONMENT[name])}" in text
    assert all(f"{other}=" not in text for other in given if other != name)


def test_everything_missing_is_named_at_once():
    with pytest.raises(ConnectionSettingsError) as caught:
        connect()
    for name in ("HOST", "PORT", "OWNER", "PROJECT"):
        assert f"DEFAULT_RENDER_{name} / RENDER_{name}" in str(caught.value)
    assert "renderapi serve" in str(caught.value)


def test_an_empty_variable_is_not_set(monkeypatch):
    monkeypatch.setenv("RENDER_OWNER", "")
    with pytest.raises(ConnectionSettingsError, match="owner="):
        connect("h", 80, project="p")


@pytest.mark.parametrize("stdin", [None, io.StringIO("typed\n"), object()])
def test_a_batch_job_is_never_asked(monkeypatch, stdin):
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(ConnectionSettingsError):
        connect()


def test_a_closed_standard_input_is_no_terminal(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdin", closed)
    with pytest.raises(ConnectionSettingsError, match="settings are missing"):
        connect()


def test_a_terminal_is_asked_for_what_is_missing(keyboard):
    keyboard.answers += ["h ", "80"]
    assert settings_of(connect(owner="o", project="p")) == {**SETTINGS, "host": "http://h", "port": 80}
    assert len(keyboard.asked) == 2
    assert "host" in keyboard.asked[0]


def test_an_empty_answer_leaves_the_port_to_the_scheme(keyboard):
    keyboard.answers += [""]
    assert connect("https://h", owner="o", project="p").DEFAULT_PORT is None


def test_a_terminal_that_is_closed_while_asking(keyboard):
    with pytest.raises(ConnectionSettingsError, match="project="):
        connect("h", 80, "o")
    assert len(keyboard.asked) == 1


def test_a_notebook_is_asked_unless_it_runs_by_itself(keyboard, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    keyboard.answers += ["p"]
    assert connect("h", 80, "o").DEFAULT_PROJECT == "p"

    def unattended(prompt):
        raise NotImplementedError("raw_input was called, but this frontend does not support input requests")

    monkeypatch.setattr("builtins.input", unattended)
    with pytest.raises(ConnectionSettingsError, match="project="):
        connect("h", 80, "o")


def test_ipython_without_a_notebook_is_not_asked(keyboard, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    with pytest.raises(ConnectionSettingsError):
        connect("h", 80, "o")
    assert keyboard.asked == []


def test_empty_texts_are_settings_and_never_asked_for(keyboard):
    render = connect("localhost", 8080, "", "", client_scripts="")
    assert settings_of(render) == {**SETTINGS, "owner": "", "project": "", "client_scripts": ""}
    assert connect("https://h", "", "o", "p").DEFAULT_PORT is None
    assert keyboard.asked == []


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://h/render-ws", "https://h", None),
        ("https://h/lab/render-ws/v1", "https://h/lab", None),
        ("http://[::1]:8080/render-ws/v1/", "http://[::1]", 8080),
        ("h:8080", "http://h", 8080),
    ],
)
@responses.activate
def test_a_server_by_its_url(url, host, port, monkeypatch):
    monkeypatch.setenv("RENDER_PORT", "1")  # of another server
    render = connect(url=url, owner="o", project="p")
    assert (settings_of(render)["host"], settings_of(render)["port"]) == (host, port)
    base = f"{host}{f':{port}' if port else ''}/render-ws/v1"
    responses.get(f"{base}/owners/", json=["o"])
    assert get_owners(render=render) == ["o"]


def test_a_url_still_needs_owner_and_project():
    with pytest.raises(ConnectionSettingsError) as caught:
        connect(url="https://h/render-ws")
    assert "owner=" in str(caught.value)
    assert "port=" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{"port": 0}, {"port": "x"}, {"timeout": 0}, {"retries": -1}, {"pool": 0}, {"errors": "ignore"},
     {"headers": {"a": "b\n"}}, {"url": "ftp://h"}],
)  # fmt: skip
def test_impossible_settings_are_refused_at_once(settings):
    with pytest.raises(ConnectionSettingsError):
        connect(**{"host": "h", "port": 80, "owner": "o", "project": "p", **settings})


def test_a_likely_misspelling_gets_one_warning():
    with pytest.warns(
        RenderWarning, match=r"connect\(\) does not know the keyword 'projct'.*project"
    ) as caught:
        connect(*HERE, projct="x")
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_whole_configurations_are_spread_into_connect():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        connect(
            *HERE, collection_type="stack", db_interface="render", mongo_host="", mongo_port=27017,
            name=["a"], input_file=None, validate_client=False, use_rest=True, create_session=True,
        )  # fmt: skip


def test_connecting_sends_nothing_and_opens_nothing(monkeypatch):
    monkeypatch.setattr(RenderSession, "__init__", lambda *args: pytest.fail("a session was made"))
    connect(*HERE, timeout=3)


# ------------------------------------------------------------------------------------------ Java clients


def test_client_scripts_make_a_render_client(scripts):
    client = connect(*HERE, scripts)
    assert type(client) is RenderClient
    assert settings_of(client) == {
        **SETTINGS, "client_scripts": scripts, "client_script": f"{scripts}/run_ws_client.sh", "memGB": "1G",
    }  # fmt: skip


@pytest.mark.parametrize("variable", ["RENDER_CLIENT_SCRIPTS", "DEFAULT_RENDER_CLIENT_SCRIPTS"])
def test_client_scripts_of_the_environment(scripts, variable, monkeypatch):
    monkeypatch.setenv(variable, scripts)
    monkeypatch.setenv("RENDER_CLIENT_HEAP", "7G")
    client = connect(*HERE)
    assert (client.client_script, client.memGB) == (f"{scripts}/run_ws_client.sh", "7G")
    assert connect(*HERE, memGB="9G").memGB == "9G"


def test_the_script_itself_may_be_given(scripts, monkeypatch):
    client = connect(*HERE, client_script=f"{scripts}/run_ws_client.sh")
    assert isinstance(client, RenderClient)
    assert client.DEFAULT_CLIENT_SCRIPTS is None
    monkeypatch.setenv("RENDER_CLIENT_SCRIPT", f"{scripts}/run_ws_client.sh")
    assert isinstance(connect(*HERE), RenderClient)


@pytest.mark.parametrize("given", [{}, {"client_scripts": "/s"}, {"client_script": "/s/run"}])
def test_web_only_needs_no_scripts(given):
    assert type(connect(*HERE, **given, web_only=True)) is Render


def test_a_script_that_is_not_there_leaves_a_plain_connection():
    with pytest.warns(RenderWarning, match="/nowhere/run_ws_client.sh not found"):
        render = connect(*HERE, client_scripts="/nowhere")
    assert type(render) is Render
    assert render.DEFAULT_CLIENT_SCRIPTS == "/nowhere"


def test_a_script_that_is_not_checked_is_believed():
    client = connect(*HERE, client_scripts="/nowhere", validate_client=False)
    assert type(client) is RenderClient
    assert client.client_script == "/nowhere/run_ws_client.sh"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "no Java client script is configured"),
        ("", "no Java client script is configured"),
        ("/nowhere/run", "not found"),
        (".", "not a file"),
    ],
)
def test_a_client_without_its_script_says_so(script, why):
    with pytest.raises(ClientScriptError, match=why):
        RenderClient(script)


def test_a_script_must_be_executable_when_it_is_run(scripts):
    script = f"{scripts}/other.sh"
    Path(script).touch()
    client = RenderClient(script, None, True, "http://h", 80, "o", "p")
    with pytest.raises(ClientScriptError, match=r"cannot be run: .*Permission denied"):
        call_run_ws_client("org.example.Client", render=client)


def test_a_client_takes_connection_arguments_by_position():
    client = RenderClient("/s/run", "2G", False, "http://h", 80, "o", "p", "/s")
    assert settings_of(client) == {
        "host": "http://h", "port": 80, "owner": "o", "project": "p", "client_scripts": "/s",
        "client_script": "/s/run", "memGB": "2G",
    }  # fmt: skip


def test_the_wrapper_script_of_a_subclass():
    class Cluster(RenderClient):
        client_script_wrapper = "run_on_cluster.sh"

    assert Cluster.clientscript_from_clientscripts("/s") == "/s/run_on_cluster.sh"
    assert Cluster(validate_client=False, client_scripts="/s").client_script == "/s/run_on_cluster.sh"


# -------------------------------------------------------------------------------------- what it gives away


def test_a_connection_takes_its_settings_by_position():
    assert settings_of(Render("http://h", 80, "o", "p", "/s")) == {
        "host": "http://h", "port": 80, "owner": "o", "project": "p", "client_scripts": "/s",
    }  # fmt: skip
    assert settings_of(Render()) == dict.fromkeys(SETTINGS)


def test_make_kwargs_changes_what_is_given():
    render = connect(*HERE)
    assert render.make_kwargs(owner="me", project=None, stack="s", session=None) == {
        **SETTINGS, "owner": "me", "stack": "s", "session": render.session,
    }  # fmt: skip
    assert render.make_kwargs("http://x", 1, "a", "b", "/s")["client_scripts"] == "/s"
    assert render.make_kwargs() == render.DEFAULT_KWARGS
    assert render.DEFAULT_KWARGS is not render.DEFAULT_KWARGS
    client = RenderClient("/s/run", "2G", False, *HERE)
    assert client.make_kwargs(memGB="3G", client_script=None)["memGB"] == "3G"
    assert client.make_kwargs(client_script="/x")["client_script"] == "/x"


@pytest.mark.parametrize("settings", [{}, {"timeout": 3, "auth": ("u", "p"), "errors": "return"}])
def test_make_kwargs_makes_the_same_connection_again(settings, scripts):
    for render in (connect(*HERE, **settings), connect(*HERE, scripts, memGB="3G", **settings)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again = connect(**render.make_kwargs())
        assert again == render
        assert again.make_kwargs() == render.make_kwargs()
        assert again.session.settings.timeout == settings.get("timeout")


def test_settings_laid_over_the_kwargs_of_another_connection_count():
    again = connect(**connect(*HERE, timeout=3, auth=("u", "p")).make_kwargs(), timeout=7)
    assert again.timeout == (7, 7)
    assert again.session.settings.timeout == 7
    assert again.session.auth == (b"u", b"p")


def test_a_connection_is_json_without_session_and_credentials():
    render = connect("https://user:secret@h/lab", 80, "o", "p", auth=("u", "secret"), headers={"X": "secret"})
    assert json.loads(json.dumps(render.to_dict())) == {**SETTINGS, "host": "https://h/lab", "port": 80}
    assert render.make_kwargs()["host"] == "https://user:secret@h/lab"
    client = RenderClient("/s/run", "2G", False, *HERE)
    assert client.to_dict()["client_script"] == "/s/run"


@pytest.mark.parametrize("shown", [repr, str, "{}".format])
def test_credentials_are_never_shown(shown):
    render = connect("user:secret@h", 80, "o", "p", auth=("u", "secret"), headers={"X": "secret"})
    assert shown(render) == "Render(host='http://h', port=80, owner='o', project='p')"
    assert "secret" not in shown(render.options(timeout=3))
    assert repr(Render()) == "Render()"
    client = RenderClient("/s/run", "2G", False, *HERE)
    assert "client_script='/s/run', memGB='2G'" in shown(client)


def test_connections_compare_by_their_settings(scripts):
    assert connect(*HERE) == connect(*HERE, timeout=3)
    assert hash(connect(*HERE)) == hash(connect(*HERE, timeout=3))
    assert connect(*HERE) != connect("localhost", 8080, "o", "q")
    assert connect(*HERE) != connect(*HERE, scripts)
    assert connect(*HERE) != SETTINGS
    assert len({connect(*HERE), connect(*HERE)}) == 1


def test_run_calls_any_function_with_the_connection():
    render = connect(*HERE)
    assert render.run(lambda *args, **kwargs: (args, kwargs), 1, a=2) == ((1,), {"a": 2, "render": render})
    assert render.run(renderaccess(lambda owner=None, render=None: owner)) == "o"


# ----------------------------------------------------------------------------------------------- options


def test_options_give_a_changed_copy():
    render = connect(*HERE)
    other = render.options(timeout=5, retries=0, owner="me", port="81", auth=("u", "p"), errors="return")
    assert other.timeout == (5, 5)
    assert (other.DEFAULT_OWNER, other.DEFAULT_PORT, other.DEFAULT_PROJECT) == ("me", 81, "p")
    assert other.session.auth == (b"u", b"p")
    assert other.session.get_adapter("http://h").max_retries.total == 0
    assert other.make_kwargs()["errors"] == "return"
    assert render == connect(*HERE)
    assert render.timeout == (10, 600)
    assert render.session is not other.session
    assert "errors" not in render.make_kwargs()
    assert other.options(errors="raise").timeout == (5, 5)


def test_options_of_a_client():
    client = RenderClient("/s/run", "2G", False, *HERE)
    other = client.options(memGB="8G", client_script="/t/run", client_scripts="/t")
    assert type(other) is RenderClient
    assert (other.memGB, other.client_script, other.DEFAULT_CLIENT_SCRIPTS) == ("8G", "/t/run", "/t")
    assert client.memGB == "2G"


@pytest.mark.parametrize(
    ("change", "error"),
    [({"tiemout": 5}, TypeError), ({"memGB": "1G"}, TypeError), ({"timeout": 0}, ValueError),
     ({"port": "x"}, ValueError), ({"errors": "x"}, ValueError)],
)  # fmt: skip
def test_impossible_options_are_refused(change, error):
    with pytest.raises(error):
        connect(*HERE).options(**change)


def test_options_keep_a_session_of_ones_own():
    with requests.Session() as session:
        render = connect(*HERE, session=session)
        assert render.session is session
        first = render.options(timeout=5)
        assert isinstance(first.session, SessionView)
        second = first.options(timeout=7, auth=("u", "p"))
        assert (second.session.session, second.session.settings.timeout) == (session, 7)
        assert second.options(session=None).session.settings.auth == ("u", "p")
        assert type(second.options(session=None).session) is RenderSession
        with requests.Session() as other:
            assert second.options(session=other).session.session is other


@pytest.mark.parametrize("settings", [{"retries": 2}, {"pool": 4}])
def test_what_cannot_apply_to_a_session_of_ones_own_is_said_once(settings):
    with requests.Session() as session:
        with pytest.warns(RenderWarning, match="mount a requests.adapters.HTTPAdapter") as caught:
            render = connect(*HERE, session=session, **settings)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        renderaccess(lambda session=None, render=None: None)(session=session, render=render)
        with pytest.warns(RenderWarning, match="mount a requests.adapters.HTTPAdapter"):
            connect(*HERE, session=session).options(**settings)
        connect(*HERE, **settings).options(**settings)


# -------------------------------------------------------------------------------------------- sessions


def test_a_session_of_ones_own_is_used_as_it_is():
    class Own(requests.Session):
        pass

    with Own() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=5))
        session.auth = ("u", "p")
        render = Render(*HERE, session=session)
        assert render.session is session
        assert render.make_kwargs()["session"] is session
        with responses.RequestsMock() as mocked:
            mocked.get("http://localhost:8080/render-ws/v1/owners/", json=["o"])
            assert get_owners(render=render) == ["o"]
            assert mocked.calls[0].request.headers["Authorization"] == "Basic dTpw"


def test_a_session_may_be_set_later():
    render = connect(*HERE, timeout=3)
    with requests.Session() as session:
        render.session = session
        assert render.session.session is session
        assert render.session.settings.timeout == 3
    render.session = None
    assert type(render.session) is RenderSession


def test_threads_have_sessions_of_their_own():
    render = connect(*HERE)
    barrier = threading.Barrier(3)

    def session_here(_):
        barrier.wait(10)
        return render.session

    with ThreadPoolExecutor(3) as threads:
        sessions = [render.session, *threads.map(session_here, range(3))]
    assert len({id(session) for session in sessions}) == 4
    assert render.session is sessions[0]
    render.close()


def test_closing_leaves_a_session_of_ones_own_open(monkeypatch):
    closed = []
    monkeypatch.setattr(requests.Session, "close", lambda self: closed.append(self) or None)
    session = requests.Session()
    with connect(*HERE, session=session):
        pass
    with connect(*HERE, session=session, timeout=3) as render:
        render.session.close()
    assert closed == []
    with connect(*HERE) as render:
        used = render.session
    assert closed == [used]


@pytest.mark.parametrize("copied", [lambda r: pickle.loads(pickle.dumps(r)), copy.copy, copy.deepcopy])
def test_a_connection_pickles_and_copies(copied):
    for render in (
        connect(*HERE, timeout=3, retries=1, auth=("u", "p"), headers={"X-A": "b"}, errors="return"),
        RenderClient(
            "/s/run", "2G", False, *HERE, timeout=3, auth=("u", "p"), headers={"X-A": "b"}, errors="return"
        ),
    ):
        used = render.session
        other = copied(render)
        assert type(other) is type(render)
        assert other == render
        assert other.timeout == (3, 3)
        assert (other.session.auth, other.session.headers["X-A"]) == ((b"u", b"p"), "b")
        assert other.make_kwargs()["errors"] == "return"
        assert render.session is used


class PickledBy2:
    """Pickles as a connection of render-python 2.4.2: the class, and nothing but its attributes."""

    def __init__(self, name, state):
        self.parts = getattr(renderapi.render, name), state

    def __reduce__(self):
        return copyreg._reconstructor, (self.parts[0], object, None), self.parts[1]


@pytest.mark.parametrize("name", ["Render", "RenderClient"])
@pytest.mark.parametrize("own", [False, True])
def test_a_connection_pickled_by_render_python_2_loads(name, own):
    session = requests.Session() if own else None
    state = {
        "DEFAULT_HOST": "http://h", "DEFAULT_PORT": 8080, "DEFAULT_PROJECT": "p", "DEFAULT_OWNER": "o",
        "DEFAULT_CLIENT_SCRIPTS": "/s", "session": session,
    }  # fmt: skip
    java = {"client_script": "/s/run_ws_client.sh", "memGB": "2G"} if name == "RenderClient" else {}
    if own:
        session.headers["X-Of-The-User"] = "1"
    loaded = pickle.loads(pickle.dumps(PickledBy2(name, {**state, **java}), 2))
    assert type(loaded) is getattr(renderapi.render, name)
    kwargs = loaded.make_kwargs()
    assert {key: kwargs[key] for key in ("host", "port", "owner", "project", "client_scripts", *java)} == {
        "host": "http://h", "port": 8080, "owner": "o", "project": "p", "client_scripts": "/s", **java,
    }  # fmt: skip
    assert (loaded.session.headers.get("X-Of-The-User") == "1") is own
    assert loaded.timeout == renderapi.Render().timeout
    assert loaded.options(timeout=3).timeout == (3, 3)
    assert pickle.loads(pickle.dumps(loaded)).make_kwargs()["owner"] == "o"


def test_a_connection_with_a_session_of_ones_own_pickles():
    with requests.Session() as session:
        session.auth = ("u", "p")
        for settings in ({}, {"timeout": 3}):
            other = pickle.loads(pickle.dumps(connect(*HERE, session=session, **settings)))
            assert other.session.auth == ("u", "p")


def owners_of(render):
    return get_owners(render=render)


@pytest.mark.parametrize("method", sorted({"spawn", "fork"} & set(multiprocessing.get_all_start_methods())))
@pytest.mark.parametrize("used_before", [True, False])
def test_a_connection_works_in_another_process(method, used_before):
    with Loopback(answer(body=b'["me"]')) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: forking with threads about
        render = connect(url=server.url, owner="o", project="p", timeout=30)
        if used_before:
            assert owners_of(render) == ["me"]
        with multiprocessing.get_context(method).Pool(2) as processes:
            assert processes.map(functools.partial(owners_of), [render] * 3) == [["me"]] * 3
            processes.close()
            processes.join()
        render.close()


def failing(render):
    render.request("GET", "nothing")


def test_errors_come_back_from_another_process():
    with Loopback(answer(404, b"no stack")) as server:
        render = connect(url=server.url, owner="o", project="p", auth=("user", "secret"))
        with multiprocessing.get_context("spawn").Pool(1) as processes:
            with pytest.raises(errors.NotFoundError, match="no stack") as caught:
                processes.apply(failing, (render,))
            processes.close()
            processes.join()
    assert caught.value.status_code == 404
    assert "secret" not in str(caught.value) + str(caught.value.__cause__)


# ------------------------------------------------------------------------------------------ escape hatch


@responses.activate
@pytest.mark.parametrize("path", ["owner/o/stackIds", "/owner/o/stackIds"])
def test_any_request_can_be_sent(path):
    responses.put(f"{BASE}/owner/o/stackIds", json={"a": 1}, status=201)
    render = connect(*HERE, auth=("u", "p"), headers={"X-A": "b"})
    response = render.request("put", path, params={"q": 1}, document={"d": 1})
    assert response.json() == {"a": 1}
    render.request("PUT", path, json={"d": 1})
    for call in responses.calls:
        assert call.request.body == b'{"d":1}'
        assert call.request.headers["Authorization"] == "Basic dTpw"
        assert call.request.headers["X-A"] == "b"
    assert responses.calls[0].request.url.endswith("?q=1")


@responses.activate
def test_any_request_can_fail():
    responses.get(f"{BASE}/x", status=404)
    with pytest.raises(errors.NotFoundError):
        connect(*HERE).request("GET", "x")
    with pytest.raises(ConnectionSettingsError, match="host is not known"):
        Render().request("GET", "x")


def test_timeout_and_retries_of_a_connection_are_used():
    with Loopback(lambda connection: connection.recv(1)) as server:
        render = connect(url=server.url, owner="o", project="p", timeout=(5, 0.2))
        with pytest.raises(requests.exceptions.Timeout), render:
            render.request("GET", "x")
    for retries in (0, 1):
        with Loopback(answer(503)) as server:
            render = connect(url=server.url, owner="o", project="p", retries=retries)
            with pytest.raises(errors.ServerError), render:
                render.request("GET", "x")
            assert len(server.received) == retries + 1


@responses.activate
def test_verify_of_a_connection_is_used():
    responses.get("https://h/render-ws/v1/owners/", json=[])
    get_owners(render=connect(url="https://h", owner="o", project="p", verify="ca.pem"))
    assert responses.calls[0].request.req_kwargs["verify"] == "ca.pem"


# --------------------------------------------------------------------------------------- owners, projects

STACKS = [
    {"stackId": {"owner": "o", "project": project, "stack": stack}, "state": "COMPLETE"}
    for project, stack in [("p", "s1"), ("q", "s2"), ("p", "s3")]
]


@responses.activate
def test_owners_projects_and_stacks():
    responses.get(f"{BASE}/owners/", json=["o", "me"])
    responses.get(f"{BASE}/owner/o/stacks/", json=STACKS)
    responses.get(f"{BASE}/owner/a%2Fb/stacks/", json=[])
    render = connect(*HERE)
    assert get_owners(render=render) == ["o", "me"]
    assert get_stack_metadata_by_owner(render=render) == STACKS
    assert get_projects_by_owner(render=render) == ["p", "q"]
    assert get_stacks_by_owner_project(render=render) == ["s1", "s3"]
    assert get_stacks_by_owner_project("o", "q", render=render) == ["s2"]
    assert get_projects_by_owner("a/b", render=render) == []
    assert get_owners("http://localhost", 8080) == ["o", "me"]


def test_owners_projects_and_stacks_need_to_know_whose():
    with pytest.raises(ConnectionSettingsError, match="owner is not known"):
        get_projects_by_owner(host="h", port=80)
    with pytest.raises(ConnectionSettingsError, match="project is not known"):
        get_stacks_by_owner_project("o", host="h", port=80)
    with pytest.raises(ConnectionSettingsError, match="host is not known"):
        get_owners()


@responses.activate
@pytest.mark.parametrize("answered", ['{"message": "odd"}', "[1]", '[{"stackId": {}}]', "5", "[null]"])
def test_an_answer_that_is_no_list_of_stacks(answered):
    responses.get(f"{BASE}/owner/o/stacks/", body=answered)
    with pytest.raises(BadAnswerError, match="list of stack metadata") as caught:
        get_projects_by_owner(render=connect(*HERE))
    assert caught.value.url == f"{BASE}/owner/o/stacks/"


def test_names_that_programs_look_for_here_are_here():
    for name in renderapi.render.__all__:
        assert hasattr(renderapi.render, name)
