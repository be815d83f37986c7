"""Sessions: what they repeat, how long they wait, and who shares one."""

import gc
import logging
import multiprocessing
import os
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from unittest import mock

import pytest
import requests
import responses
import urllib3
from loopback import Loopback, answer
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ReadTimeoutError
from urllib3.response import HTTPResponse

from renderapi.errors import ConnectionSettingsError
from renderapi.http.sessions import (
    DEFAULT_TIMEOUT,
    RenderSession,
    RetryPolicy,
    SessionPool,
    SessionView,
    Settings,
    default_session,
)

URL = "http://localhost:8080/x"


# --------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("timeout", "effective"),
    [
        (None, DEFAULT_TIMEOUT),
        (5, (5, 5)),
        (0.5, (0.5, 0.5)),
        ((3, 30), (3, 30)),
        ((None, 30), (10, 30)),
        ((3, None), (3, 600)),
        ((3,), (3, 600)),
        ((), (10, 600)),
    ],
)
def test_there_is_always_a_timeout(timeout, effective):
    assert Settings(timeout=timeout).effective_timeout() == effective


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": "10"},
        {"timeout": True},
        {"timeout": (1, 2, 3)},
        {"timeout": (1, 0)},
        {"retries": -1},
        {"retries": 1.5},
        {"retries": "3"},
        {"pool": 0},
        {"pool": "16"},
    ],
)
def test_impossible_settings_are_refused(settings):
    (name,) = settings
    with pytest.raises(ConnectionSettingsError, match=f"^{name} is .*must be"):
        Settings(**settings)


@pytest.mark.parametrize("value", ["secret\r\nX: y", " secret", 5, None, "secret\n", b"secret\r"])
def test_impossible_headers_are_refused_without_showing_them(value):
    with pytest.raises(ConnectionSettingsError, match="header 'X-Token'") as caught:
        Settings(headers={"X-Token": value})
    assert "secret" not in str(caught.value)


def test_headers_are_text_or_bytes():
    assert Settings(headers={"X-A": b"b", "X-C": "", "X-D": "d e "}).headers["X-A"] == b"b"


def test_credentials_are_not_shown():
    settings = Settings(auth=("user", "secret"), headers={"Authorization": "secret"}, verify="ca.pem")
    assert "secret" not in repr(settings)
    assert "ca.pem" in repr(settings)


def test_settings_are_changed_by_copying():
    settings = Settings(timeout=5)
    assert settings.changed(retries=0) == Settings(timeout=5, retries=0)
    assert settings == Settings(timeout=5)
    assert Settings().is_default()
    assert not settings.is_default()
    assert not Settings(retries=0).is_default()


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (("user", "pässword"), "Basic dXNlcjpww6Rzc3dvcmQ="),
        (["u", "ł"], "Basic dTrFgg=="),
        ((b"u", b"p"), "Basic dTpw"),
        (HTTPBasicAuth("u", "p"), "Basic dTpw"),
    ],
)
@responses.activate
def test_credentials_beyond_latin_1_are_sent_in_utf_8(auth, header):
    responses.get(URL)
    with RenderSession(Settings(auth=auth)) as session:
        session.get(URL)
    SessionView(requests.Session(), Settings(auth=auth)).get(URL)
    assert [call.request.headers["Authorization"] for call in responses.calls] == [header, header]


# ---------------------------------------------------------------------------------------------- retries


def test_pauses_grow_and_end():
    policy = RetryPolicy.of(9)
    pauses = []
    for _ in range(9):
        policy = policy.increment("GET", "/x", response=HTTPResponse(status=503))
        pauses.append(policy.get_backoff_time())
    assert pauses[0] == 0
    assert all(0.5 * 2**n <= pause <= 0.5 * 2**n + 0.5 for n, pause in enumerate(pauses[1:7], start=1))
    assert pauses[-1] == 60
    assert len({round(pause % 1, 6) for pause in pauses[1:7]}) > 1  # no two clients in step


def test_retries_end_with_the_error_and_the_number_of_attempts():
    error = ConnectTimeoutError("slow")
    policy = RetryPolicy.of(1).increment("PUT", "/x", error=error)
    with pytest.raises(MaxRetryError) as caught:
        policy.increment("PUT", "/x", error=error)
    assert caught.value.reason is error
    assert caught.value.attempts == 2


@pytest.mark.parametrize("method", ["POST", "PATCH", "post"])
def test_a_post_is_never_repeated(method):
    with pytest.raises(MaxRetryError) as caught:
        RetryPolicy.of(5).increment(method, "/x", error=ConnectTimeoutError("slow"))
    assert caught.value.attempts == 1


@pytest.mark.parametrize("method", ["GET", "POST", None])
@pytest.mark.parametrize("positional", [True, False])
def test_what_took_too_long_is_not_repeated(method, positional):
    error = ReadTimeoutError(None, "/x", "slow")
    with pytest.raises(ReadTimeoutError):
        if positional:
            RetryPolicy.of(5).increment(method, "/x", None, error)
        else:
            RetryPolicy.of(5).increment(method, "/x", error=error)


def test_repetitions_are_logged_without_passwords(caplog):
    caplog.set_level(logging.INFO, logger="renderapi")
    RetryPolicy.of(1).increment("GET", "http://u:secret@h/x", response=HTTPResponse(status=503))
    assert "repeating GET http://***@h/x: server busy" in caplog.text


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("86400", 60),
        ("9" * 6000, None),
        ("soon", None),
        ("", None),
        ("-5", None),
        pytest.param(format_datetime(datetime.now(timezone.utc) + timedelta(days=1)), 60, id="tomorrow"),
        pytest.param(format_datetime(datetime.now(timezone.utc) - timedelta(days=1)), 0, id="yesterday"),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", None),
        (None, None),
    ],
)
def test_a_server_may_ask_for_a_pause_but_not_for_any(value, pause):
    response = HTTPResponse(status=503, headers={} if value is None else {"Retry-After": value})
    assert RetryPolicy.of(5).get_retry_after(response) == pause


def test_the_pause_that_the_server_asks_for_is_kept(monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    steps = answer(503, Retry_After="7"), answer(503, Retry_After="soon"), answer()
    with Loopback(*steps) as server, RenderSession() as session:
        assert session.get(server.url).status_code == 200
    assert pauses[0] == 7
    assert all(pause < 10 for pause in pauses)


def test_the_number_of_retries_is_that_of_the_settings():
    assert Settings().retry_policy().total == 5
    assert Settings(retries=2).retry_policy().total == 2
    assert Settings(retries=False).retry_policy().total == 0
    own = urllib3.Retry(3)
    assert Settings(retries=own).retry_policy() is own


# --------------------------------------------------------------------------------------------- sessions


def test_a_session_has_what_its_settings_say():
    with RenderSession(Settings(pool=3, headers={"X-A": "b"}, verify="ca.pem", auth=("u", "p"))) as session:
        adapter = session.get_adapter("https://h")
        assert adapter._pool_maxsize == 3
        assert session.headers["X-A"] == "b"
        assert "python-requests" in session.headers["User-Agent"]
        assert session.verify == "ca.pem"
        assert session.auth == (b"u", b"p")
    with RenderSession() as session:
        assert session.get_adapter("http://h")._pool_maxsize == 16
        assert session.verify is True
        assert session.auth is None


def sent_with(session, url=URL, **kwargs):
    """Return the options that a session hands to its adapter."""
    adapter = mock.Mock(spec=requests.adapters.BaseAdapter)
    adapter.send.return_value = response = requests.Response()
    response.status_code = 200
    response._content = b""
    session.mount("http://", adapter)
    session.request("GET", url, **kwargs)
    return adapter.send.call_args


def test_the_timeout_of_the_settings_is_sent():
    assert sent_with(RenderSession()).kwargs["timeout"] == DEFAULT_TIMEOUT
    assert sent_with(RenderSession(Settings(timeout=3))).kwargs["timeout"] == (3, 3)
    assert sent_with(RenderSession(Settings(timeout=3)), timeout=4).kwargs["timeout"] == 4


@pytest.mark.parametrize("verify", [False, "ca.pem"])
def test_verify_counts_more_than_the_environment(verify, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/machine.pem")
    assert sent_with(RenderSession(Settings(verify=verify))).kwargs["verify"] == verify
    assert sent_with(SessionView(requests.Session(), Settings(verify=verify))).kwargs["verify"] == verify
    assert sent_with(RenderSession()).kwargs["verify"] == "/of/the/machine.pem"
    assert sent_with(RenderSession(Settings(verify=verify)), verify="mine.pem").kwargs["verify"] == "mine.pem"


def test_a_netrc_file_is_honoured_unless_credentials_are_given(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login me password pass\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    def authorization(settings):
        return sent_with(RenderSession(settings)).args[0].headers["Authorization"]

    assert authorization(Settings()) == "Basic bWU6cGFzcw=="
    assert authorization(Settings(auth=("u", "p"))) == "Basic dTpw"


def test_a_session_pickles_with_its_settings():
    with RenderSession(Settings(timeout=3, auth=("u", "p"), retries=1)) as session:
        session.headers["X-A"] = "b"
        other = pickle.loads(pickle.dumps(session))
    assert other.settings == Settings(timeout=3, auth=("u", "p"), retries=1)
    assert (other.auth, other.headers["X-A"]) == ((b"u", b"p"), "b")
    assert type(other.get_adapter("http://h").max_retries) is RetryPolicy
    with Loopback(answer(body=b"x")) as server, other:
        assert other.get(server.url).content == b"x"


# ------------------------------------------------------------------------------------ a caller's session


class OwnSession(requests.Session):
    """A session as programs write them."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def request(self, method, url, **kwargs):
        self.seen.append(kwargs)
        return super().request(method, url, **kwargs)

    def send(self, request, **kwargs):
        self.seen.append("send")
        return super().send(request, **kwargs)

    def prepare_request(self, request):
        self.seen.append("prepare")
        return super().prepare_request(request)

    def helper(self):
        return "help"


@responses.activate
def test_a_view_fills_the_settings_into_each_request():
    responses.get(URL)
    session = OwnSession()
    view = SessionView(
        session, Settings(timeout=3, auth=("u", "p"), headers={"X-A": "a", "X-B": "b"}, verify=False)
    )
    view.get(URL, headers={"X-B": "mine"})
    filled_in = {
        "timeout": (3, 3), "auth": (b"u", b"p"), "verify": False, "headers": {"X-A": "a", "X-B": "mine"},
    }  # fmt: skip
    assert {name: session.seen[0][name] for name in filled_in} == filled_in
    assert session.seen[0].keys() - filled_in <= {"allow_redirects", "params", "hooks", "proxies"}
    view.request("GET", URL, {"q": 1}, None, {"X-B": "mine"}, None, None, ("x", "y"), 9)
    used = session.seen[3]
    assert (used["params"], used["timeout"], used["auth"]) == ({"q": 1}, 9, ("x", "y"))
    assert used["headers"] == {"X-A": "a", "X-B": "mine"}


@responses.activate
def test_a_view_leaves_everything_else_to_the_session():
    responses.get(URL)
    session = OwnSession()
    session.auth = ("me", "x")
    session.headers["X-Own"] = "1"
    view = SessionView(session, Settings(timeout=3))
    assert view.helper() == "help"
    assert view.headers is session.headers
    view.get(URL)
    request = responses.calls[0].request
    assert request.headers["Authorization"] == "Basic bWU6eA=="
    assert request.headers["X-Own"] == "1"


def test_what_is_changed_on_a_view_is_changed_on_the_session():
    session = requests.Session()
    view = SessionView(session, Settings(timeout=3))
    view.auth = ("u", "p")
    view.verify = False
    adapter = requests.adapters.HTTPAdapter()
    view.mount("http://", adapter)
    assert session.auth == ("u", "p")
    assert session.verify is False
    assert session.get_adapter(URL) is adapter
    assert view.get_adapter(URL) is adapter


@responses.activate
def test_prepared_requests_go_through_the_session():
    responses.get(URL)
    session = OwnSession()
    view = SessionView(session, Settings(timeout=3))
    assert view.send(view.prepare_request(requests.Request("GET", URL))).status_code == 200
    assert view.send(view.prepare_request(requests.Request("GET", URL)), timeout=9).status_code == 200
    assert session.seen == ["prepare", "send", "prepare", "send"]
    assert [call.request.req_kwargs["timeout"] for call in responses.calls] == [(3, 3), 9]


def test_a_view_does_not_close_what_is_not_its_own():
    session = mock.Mock(spec=requests.Session)
    with SessionView(session, Settings(timeout=3)) as view:
        view.close()
    session.close.assert_not_called()


def test_a_view_pickles_with_the_session():
    session = requests.Session()
    session.auth = ("u", "p")
    view = pickle.loads(pickle.dumps(SessionView(session, Settings(timeout=3))))
    assert view.settings == Settings(timeout=3)
    assert type(view.session) is requests.Session
    assert view.auth == ("u", "p")
    with pytest.raises(AttributeError):
        _ = view.nothing_of_this_name


def test_a_view_that_is_not_made_yet_has_no_attributes():
    with pytest.raises(AttributeError):
        _ = SessionView.__new__(SessionView).headers


# -------------------------------------------------------------------------------- threads and processes


def test_a_thread_keeps_its_session():
    pool = SessionPool(Settings(timeout=3))
    assert pool.get() is pool.get()
    assert pool.get().settings is pool.settings
    assert default_session() is default_session()
    pool.close()


def test_threads_have_sessions_of_their_own():
    pool = SessionPool(Settings())
    barrier = threading.Barrier(4)

    def session_of(_):
        barrier.wait(10)
        return pool.get()

    with ThreadPoolExecutor(4) as threads:
        sessions = list(threads.map(session_of, range(4)))
    assert len({id(session) for session in [*sessions, pool.get()]}) == 5
    pool.close()


def test_closing_closes_the_sessions_of_all_threads(monkeypatch):
    pool = SessionPool(Settings())
    closed = []
    monkeypatch.setattr(RenderSession, "close", lambda self: closed.append(self) or None)
    with ThreadPoolExecutor(2) as threads:
        sessions = [pool.get(), *threads.map(lambda _: pool.get(), range(2))]
        pool.close()
        assert {id(session) for session in closed} == {id(session) for session in sessions}


def test_a_pool_pickles_without_its_sessions():
    pool = SessionPool(Settings(timeout=3))
    session = pool.get()
    other = pickle.loads(pickle.dumps(pool))
    assert other.settings == pool.settings
    assert other.get() is not session


def keeps_connections(connection):
    """Answer any number of requests on one connection."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
    connection.sendall(head)
    connection.settimeout(10)
    while connection.recv(65536):
        connection.sendall(head)


def in_forked_child(function):
    """Run a function in a forked process and give what it returns."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: forking with threads about
        child = os.fork()
    if child == 0:
        try:
            os.write(writing, repr(function()).encode())
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        result = pipe.read().decode()
    os.waitpid(child, 0)
    return result


def test_a_session_of_another_process_starts_anew(monkeypatch):
    with Loopback(keeps_connections) as server:
        pool = SessionPool(Settings(retries=0))
        session = pool.get()
        session.get(server.url)
        monkeypatch.setattr(os, "getpid", lambda: -1)  # as in a forked process
        pool.close()
        session.get(server.url)
        session.get(server.url)
        assert server.accepted == 2
        assert pool.get() is not session
        pool.close()
        session.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
class TestFork:
    def test_a_forked_process_has_a_session_of_its_own(self):
        pool = SessionPool(Settings())
        session = pool.get()
        assert in_forked_child(lambda: pool.get() is session) == "False"
        assert pool.get() is session
        pool.close()

    def test_a_forked_process_never_shares_a_socket(self):
        with Loopback(keeps_connections) as server, RenderSession(Settings(retries=0)) as session:
            session.get(server.url)
            assert server.accepted == 1
            assert in_forked_child(lambda: session.get(server.url).content) == "b'[]'"
            assert server.accepted == 2
            assert session.get(server.url).content == b"[]"
            assert server.accepted == 2  # the parent still has its own

    def test_a_forked_process_leaves_the_connections_of_the_parent_open(self):
        pool = SessionPool(Settings(retries=0))
        with Loopback(keeps_connections) as server:
            pool.get().get(server.url)
            assert in_forked_child(pool.close) == "None"
            pool.get().get(server.url)
            assert server.accepted == 1
            pool.close()


def fetch(session, url):
    return session.get(url).content


@pytest.mark.parametrize(
    "method", sorted({"spawn", "fork", "forkserver"} & set(multiprocessing.get_all_start_methods()))
)
def test_sessions_travel_to_other_processes(method):
    view = SessionView(requests.Session(), Settings(timeout=30))
    with Loopback(answer(body=b"x")) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context(method).Pool(1) as processes:
            calls = [(RenderSession(Settings(timeout=30)), server.url), (view, server.url)]
            assert processes.starmap(fetch, calls) == [b"x", b"x"]
            processes.close()
            processes.join()


def test_nothing_is_left_open():
    with Loopback(keeps_connections) as server, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def use_and_forget():
            pool = SessionPool(Settings())
            with ThreadPoolExecutor(2) as threads:
                list(threads.map(lambda _: pool.get().get(server.url), range(4)))
            pool.get().get(server.url)

        use_and_forget()
        gc.collect()
    assert [w for w in caught if issubclass(w.category, ResourceWarning)] == []


def test_a_closed_pool_opens_new_connections():
    pool = SessionPool(Settings(retries=0))
    with Loopback(keeps_connections) as server:
        pool.get().get(server.url)
        pool.close()
        pool.get().get(server.url)
        assert server.accepted == 2
        pool.close()
