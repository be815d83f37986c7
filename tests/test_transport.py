"""Requests and their answers: every status, and every way in which a server can go wrong."""

import gzip
import json
import pickle
import time
import traceback
from contextlib import suppress
from unittest import mock

import numpy as np
import pytest
import requests
import responses
import urllib3
from loopback import Loopback, answer, closed_port, reset

from renderapi import errors
from renderapi.http import transport
from renderapi.http.sessions import RenderSession, RetryPolicy, SessionView, Settings
from renderapi.http.transport import confirmed, decode_json, decode_text, not_as_asked, redacted, send

URL = "http://localhost:8080/render-ws/v1/owner/o"
PATIENT = (5, 5)


@pytest.fixture
def session():
    """Return a session that repeats twice, without pauses."""
    retries = RetryPolicy.of(2).new(backoff_factor=0, backoff_jitter=0)
    with RenderSession(Settings(retries=retries, timeout=PATIENT)) as made:
        yield made


@pytest.fixture
def hasty():
    """Return a session that waits 0.2 s for an answer, and repeats twice."""
    retries = RetryPolicy.of(2).new(backoff_factor=0, backoff_jitter=0)
    with RenderSession(Settings(retries=retries, timeout=(5, 0.2))) as made:
        yield made


def refusal(status, body="", method="GET", **options):
    """Return the error that an answer becomes."""
    with responses.RequestsMock() as mocked:
        mocked.add(method, URL, status=status, body=body, **options)
        with pytest.raises(errors.RenderError) as caught:
            send(None, method, URL)
    return caught.value


# --------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AccessDeniedError),
        (403, errors.AccessDeniedError),
        (404, errors.NotFoundError),
        (405, errors.BadRequestError),
        (409, errors.ConflictError),
        (413, errors.BadRequestError),
        (415, errors.BadRequestError),
        (429, errors.BadRequestError),
        (500, errors.ServerError),
        (501, errors.ServerError),
        (599, errors.ServerError),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_each_status_has_its_error(status, kind, method):
    error = refusal(status, "why", method)
    assert type(error) is kind
    assert str(error).startswith(f"{method} {URL} answered {status}: why")
    assert (error.method, error.url, error.status_code) == (method, URL, status)
    assert (error.server_text, error.attempts) == ("why", 1)
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is kind
    assert vars(other) == vars(error)


@pytest.mark.parametrize(
    ("status", "text", "kind", "hint"),
    [
        (500, "java.lang.OutOfMemoryError: Java heap space", errors.ServerOutOfMemoryError, "smaller box"),
        (500, "java.lang.NegativeArraySizeException: -1", errors.ServerOutOfMemoryError, "ask for less"),
        (500, "GC overhead limit exceeded", errors.ServerOutOfMemoryError, "ask for less"),
        (500, "stack state is COMPLETE but must be LOADING", errors.StackStateError, "set_stack_state"),
        (400, "the stack is READ_ONLY", errors.StackStateError, "COMPLETE, then LOADING"),
        (400, "the stats have not been stored", errors.StackStateError, "COMPLETE"),
        (400, "collection c already exists", errors.ConflictError, ""),
        (500, "while waiting to connect. Client view of cluster state is", errors.ServerError, "MongoDB"),
        (400, "Upscaling is not currently supported", errors.BadRequestError, "mipmap level 0"),
        (400, "query too broad", errors.BadRequestError, "by box"),
    ],
)  # fmt: skip
def test_a_known_text_says_more_than_its_status(status, text, kind, hint):
    error = refusal(status, text)
    assert type(error) is kind
    assert text in str(error)
    assert hint in str(error)


OF_A_SERVER = [
    (404, "stack with owner 'o', project 'p', and name 's' does not exist", errors.NotFoundError),
    (500, "Data for stack s cannot be modified because it is READ_ONLY.", errors.StackStateError),
    (500, "Resolved tiles can only be saved to stacks in the LOADING state, but this stack's state is X.",
     errors.StackStateError),
    (500, "Z values can only be updated for stacks in the LOADING state, but this stack's state is OFFLINE.",
     errors.StackStateError),
    (400, "stack state is COMPLETE but must be LOADING to delete data", errors.StackStateError),
    (500, "Tiles cannot be cloned to stack s because it is COMPLETE.", errors.StackStateError),
    (400, "The s stack's state is currently LOADING and must first be transitioned to COMPLETE before "
          "transitioning it to READ_ONLY.", errors.StackStateError),
    (400, "Stats for stack with owner 'o' have not been stored.", errors.StackStateError),
    (400, "section data not aggregated for stack with owner 'o', set stack state to COMPLETE",
     errors.StackStateError),
    (400, "query too broad, over 50001 tiles match {}", errors.BadRequestError),
    (400, "no resolved tiles provided", errors.BadRequestError),
    (500, "width and height must be set to create a bounding box", errors.ServerError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "text", "kind"), OF_A_SERVER)
def test_what_a_render_server_says_has_its_error(status, text, kind):
    assert type(refusal(status, text)) is kind


@pytest.mark.parametrize("status", [401, 413])
def test_a_known_status_says_what_to_do(status):
    assert {401: "auth=(user, password)", 413: "smaller batches"}[status] in str(refusal(status))


def test_the_message_of_a_json_error_is_shown_alone():
    error = refusal(400, json.dumps({"message": "bad z", "code": 400}), content_type="application/json")
    assert error.server_text == "bad z"
    assert str(error).endswith("answered 400: bad z")


@pytest.mark.parametrize("body", ['{"message": 5}', '["message"]', '{"message": "cut'])
def test_another_json_error_is_shown_as_it_is(body):
    assert refusal(400, body, content_type="application/json").server_text == body


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("<html><head><title> 502 Bad\nGateway </title>...", "a web page titled '502 Bad\\nGateway'"),
        ("<!DOCTYPE html><p>" + "x" * 5000, "answered 500: a web page"),
    ],
)
def test_a_web_page_is_named_not_shown(body, shown):
    error = refusal(500, body)
    assert shown in str(error)
    assert "<" not in str(error)


def test_an_empty_refusal_shows_the_reason_of_the_status():
    assert str(refusal(404)).endswith("answered 404: Not Found")


@pytest.mark.parametrize(
    "body", ["x" * 100_000, "<html><title>" + "t" * 100_000 + "</title>", b"\xff" * 100_000]
)
@pytest.mark.parametrize("status", [400, 500])
def test_messages_show_at_most_2_kB(body, status):
    error = refusal(status, body)
    assert len(str(error)) < 2000
    assert len(error.server_text) <= 2000
    assert len(pickle.dumps(error)) < 10_000


def test_a_long_url_is_cut():
    with responses.RequestsMock() as mocked:
        mocked.get(URL + "/" + "i" * 50_000, status=404)
        with pytest.raises(errors.NotFoundError) as caught:
            send(None, "GET", URL + "/" + "i" * 50_000)
    assert len(str(caught.value)) < 2000
    assert caught.value.url.startswith(URL)
    assert len(caught.value.url) < 600


def test_the_charset_of_a_binary_refusal_is_not_guessed(monkeypatch):
    def guess(response):
        raise AssertionError("the charset is guessed from the whole body")

    monkeypatch.setattr(requests.Response, "apparent_encoding", property(guess))
    error = refusal(500, bytes(range(256)) * 1000, content_type="image/png")
    assert len(error.server_text) <= 2000


# ------------------------------------------------------------------------------------------ what is sent


@responses.activate
def test_json_documents_are_sent_as_json():
    responses.put(URL)
    send(None, "PUT", URL, document={"z": np.float64(1)}, params={"a": 1, "b": None})
    send(None, "PUT", URL, document=b'{"as":"is"}')
    send(None, "PUT", URL)
    first, second, third = (call.request for call in responses.calls)
    assert (first.body, second.body, third.body) == (b'{"z":1.0}', b'{"as":"is"}', None)
    assert first.url == f"{URL}?a=1"
    assert {r.headers["Content-Type"] for r in (first, second, third)} == {"application/json"}


@responses.activate
@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_the_content_type_of_the_caller_counts(name):
    responses.put(URL)
    send(None, "PUT", URL, data=b"PNG", headers={name: "image/png"})
    assert responses.calls[0].request.headers["Content-Type"] == "image/png"


@responses.activate
def test_files_are_sent_as_a_form():
    responses.post(URL)
    send(None, "POST", URL, files={"f": b"content"})
    assert responses.calls[0].request.headers["Content-Type"].startswith("multipart/form-data")


@responses.activate
def test_reading_declares_no_body():
    responses.get(URL)
    headers = {"X-A": "1"}
    send(None, "GET", URL, headers=headers)
    assert "Content-Type" not in responses.calls[0].request.headers
    assert headers == {"X-A": "1"}


@responses.activate
def test_a_host_without_scheme_is_http():
    responses.get("http://localhost:8080/x?u=a://b")
    assert send(None, "GET", "localhost:8080/x?u=a://b").status_code == 200


def test_nothing_is_sent_of_a_document_with_a_bad_number():
    with Loopback(answer()) as server:
        with pytest.raises(errors.SpecError, match="z of tile 't' is nan"):
            send(None, "PUT", server.url, document={"tileId": "t", "z": float("nan")})
        assert server.received == []


def test_every_request_has_a_timeout():
    plain = mock.Mock(spec=requests.Session)
    plain.request.return_value = requests.Response()
    plain.request.return_value.status_code = 200
    send(plain, "GET", URL)
    assert plain.request.call_args.kwargs["timeout"] == (10, 600)
    send(plain, "GET", URL, timeout=3)
    assert plain.request.call_args.kwargs["timeout"] == 3


# ------------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_a_redirect_never_drops_what_was_to_be_done(session, status, method):
    target = "https://user:secret@elsewhere/render-ws"
    with Loopback(answer(status, Location=target), answer()) as server:
        with pytest.raises(errors.BadRequestError) as caught:
            send(session, method, f"{server.url}/x", document={"a": 1})
        assert [(r.method, r.path) for r in server.received] == [(method, "/x")]
    assert caught.value.status_code == status
    assert "https://***@elsewhere/render-ws" in str(caught.value)
    assert "Nothing was done" in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_reading_follows_a_redirect(session, status):
    with Loopback(answer(status, Location="/there"), answer(body=b"[1]")) as server:
        assert decode_json(send(session, "GET", f"{server.url}/here")) == [1]
        assert [r.path for r in server.received] == ["/here", "/there"]


def test_redirects_in_circles_end(session):
    with (
        Loopback(answer(302, Location="/x")) as server,
        pytest.raises(errors.BadAnswerError, match="in circles"),
    ):
        send(session, "GET", f"{server.url}/x")


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("target", ["http://[", "http://a:99999/", "ftp://a/", "http://.a/"])
def test_a_redirect_to_nonsense_is_an_error_of_the_address(session, method, target):
    wanted = pytest.raises((errors.ServerUnreachableError, errors.BadRequestError), match="redirect")
    with Loopback(answer(301, Location=target)) as server, wanted:
        send(session, method, f"{server.url}/x")


def test_an_unasked_for_not_modified_is_refused(session):
    with Loopback(answer(304)) as server, pytest.raises(errors.BadRequestError, match="answered 304"):
        send(session, "GET", server.url)


# ----------------------------------------------------------------------------------------- no connection


def host_of(url):
    return url.partition("://")[2]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_server_that_is_not_there_is_unreachable(session, method):
    url = f"http://127.0.0.1:{closed_port()}/x"
    with pytest.raises(requests.exceptions.ConnectionError) as caught:
        send(session, method, url, document={})
    error = caught.value
    assert type(error) is errors.ServerUnreachableError
    assert not isinstance(error, errors.RenderError)
    assert f"no connection to {host_of(url)[:-2]}" in str(error)
    assert "refused" in str(error)
    assert "object at 0x" not in str(error)
    assert error.attempts == (1 if method == "POST" else 3)
    assert ("3 attempts" in str(error)) == (method != "POST")
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


@pytest.mark.parametrize("retries", [0, False, urllib3.Retry(0), urllib3.Retry(False)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_retries_it_is_unreachable_too(retries, method):
    with RenderSession(Settings(retries=retries)) as session, pytest.raises(errors.ServerUnreachableError):
        send(session, method, f"http://127.0.0.1:{closed_port()}")


@pytest.mark.parametrize("url", ["http://nowhere.invalid", "http://nowhere.invalid:80/x"])
def test_a_name_that_nobody_knows_is_unreachable(session, url):
    with pytest.raises(errors.ServerUnreachableError, match=r"no connection to nowhere.invalid"):
        send(session, "GET", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///x",
        "http://[::1",
        "http://[zz]:80/",
        "http://a:99999/",
        "http://a:b/",
        "http://.x/",
        "x://a/",
    ],
)
def test_an_impossible_address_is_unreachable(session, url):
    with pytest.raises(errors.ServerUnreachableError, match="cannot be used"):
        send(session, "GET", url)


@pytest.mark.parametrize(
    "step", [reset, b"", b"not http\r\n\r\n", answer()[:9]], ids=["reset", "closed", "no http", "cut"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_connection_that_breaks_off(session, step, method):
    with Loopback(step) as server:
        with pytest.raises(errors.ServerUnreachableError, match="broke off before an answer") as caught:
            send(session, method, server.url, document={"a": 1})
        attempts = 1 if method == "POST" else 3
        assert len(server.received) == attempts
        assert caught.value.attempts == attempts
        assert {r.body for r in server.received} == {b'{"a":1}'}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_broken_connection_is_repeated_with_its_body(session, method):
    with Loopback(reset, b"", answer(body=b"{}")) as server:
        assert send(session, method, f"{server.url}/x", document={"a": 1}).content == b"{}"
        assert [(r.method, r.path, r.body) for r in server.received] == [(method, "/x", b'{"a":1}')] * 3


def silent(server_or_connection):
    """Answer nothing until the client has given up."""
    server_or_connection.settimeout(5)
    server_or_connection.recv(1)


def slow_body(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1")
    silent(connection)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("step", [silent, slow_body])
def test_a_silent_server_times_out_once(hasty, method, step):
    with Loopback(step) as server:
        start = time.monotonic()
        with pytest.raises(requests.exceptions.Timeout) as caught:
            send(hasty, method, server.url)
        assert time.monotonic() - start < 2
        assert len(server.received) == 1  # what took too long would take too long again
    assert type(caught.value) is errors.ServerTimeoutError
    assert "Whether the server did the work is unknown" in str(caught.value)
    assert not isinstance(caught.value, (errors.RenderError, requests.ConnectionError))


def test_a_host_that_does_not_accept_times_out(session):
    with responses.RequestsMock() as mocked:
        mocked.get(URL, body=requests.exceptions.ConnectTimeout("slow"))
        with pytest.raises(errors.ServerConnectTimeoutError, match="no connection to localhost:8080 in time"):
            send(session, "GET", URL)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.exceptions.SSLError("self-signed certificate"), errors.ServerCertificateError),
        (requests.exceptions.ProxyError("Cannot connect to proxy"), errors.ServerUnreachableError),
        (requests.exceptions.ReadTimeout("slow"), errors.ServerTimeoutError),
        (requests.exceptions.Timeout("slow"), errors.ServerTimeoutError),
        (requests.exceptions.ChunkedEncodingError("cut"), errors.ServerUnreachableError),
        (requests.exceptions.RequestException("odd"), errors.ServerUnreachableError),
        (urllib3.exceptions.SSLError("self-signed"), errors.ServerCertificateError),
        (urllib3.exceptions.ConnectTimeoutError("slow"), errors.ServerConnectTimeoutError),
        (urllib3.exceptions.ReadTimeoutError(None, None, "slow"), errors.ServerTimeoutError),
        (urllib3.exceptions.ProtocolError("broken"), errors.ServerUnreachableError),
        (urllib3.exceptions.MaxRetryError(None, "/x", None), errors.ServerUnreachableError),
        (urllib3.exceptions.HTTPError("odd"), errors.ServerUnreachableError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)  # fmt: skip
def test_every_failure_below_has_its_error(error, kind):
    with responses.RequestsMock() as mocked:
        mocked.get(URL, body=error)
        with pytest.raises(kind) as caught:
            send(None, "GET", URL)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert (caught.value.method, caught.value.url) == ("GET", URL)


def test_the_certificate_error_says_what_to_give():
    with responses.RequestsMock() as mocked:
        mocked.get(URL, body=requests.exceptions.SSLError("self-signed certificate"))
        with pytest.raises(requests.exceptions.SSLError, match=r"verify='ca.pem'.*self-signed"):
            send(None, "GET", URL)


def test_http_spoken_on_https(session):
    with Loopback(b"", greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        with pytest.raises(errors.ServerCertificateError, match="no trusted connection to 127"):
            send(session, "GET", server.url.replace("http", "https"))
        assert server.accepted == 1  # trust does not come by asking again


def test_a_session_that_raises_by_itself_gives_the_same_error():
    with requests.Session() as session, responses.RequestsMock() as mocked:
        session.hooks["response"].append(lambda response, *args, **kwargs: response.raise_for_status())
        mocked.get(URL, status=404, body="no stack")
        with pytest.raises(errors.NotFoundError, match="no stack"):
            send(session, "GET", URL)


# ---------------------------------------------------------------------------------------- server busy


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_busy_server_is_asked_again(session, status, method):
    with Loopback(answer(status), answer(status), answer(body=b"[1]")) as server:
        assert decode_json(send(session, method, server.url, document={})) == [1]
        assert len(server.received) == 3


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_busy_server_that_stays_busy(session, status):
    wanted = pytest.raises(errors.ServerError, match=r"try later \(after 3 attempts\)")
    with Loopback(answer(status, b"try later")) as server, wanted as caught:
        send(session, "GET", server.url)
    assert (caught.value.status_code, caught.value.attempts) == (status, 3)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_post_is_never_sent_again(session, status):
    with Loopback(answer(status, Retry_After="0"), answer()) as server:
        with pytest.raises(errors.ServerError):
            send(session, "POST", server.url, document={})
        assert len(server.received) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 500, 501])
def test_other_refusals_are_not_repeated(session, status):
    with Loopback(answer(status)) as server:
        with pytest.raises(errors.RenderError):
            send(session, "GET", server.url)
        assert len(server.received) == 1


def test_a_retry_policy_of_the_callers_own():
    retries = urllib3.Retry(1, status_forcelist=[500], allowed_methods=None)
    with RenderSession(Settings(retries=retries)) as session, Loopback(answer(500)) as server:
        with pytest.raises(errors.ServerError, match="too many 500 error responses"):
            send(session, "POST", server.url)
        assert len(server.received) == 2


# ----------------------------------------------------------------------------------- answers gone wrong


@pytest.mark.parametrize(
    "step",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1, 2",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1, 2\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[1]",
    ],
    ids=["short body", "cut chunks", "bad chunk"],
)
def test_a_body_that_breaks_off_is_a_broken_connection_and_repeated(session, step):
    with Loopback(step) as server:
        with pytest.raises(errors.ServerUnreachableError, match="broke off") as caught:
            send(session, "GET", server.url)
        assert len(server.received) == caught.value.attempts == 3
    with Loopback(step, answer(body=b"[1]")) as server:
        assert decode_json(send(session, "GET", server.url)) == [1]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/owner/o/project/p/stack/s"),
        ("PUT", "/owner/o/project/p/stack/s/stackId"),
        ("PUT", "/owner/o/project/p/stack/s/cloneTo/t?skipTransforms=false"),
        ("PUT", "/owner/o/matchCollection/c/collectionId"),
        ("DELETE", "/owner/o/matchCollection/c"),
    ],
)
@pytest.mark.parametrize(
    "step", [reset, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1, 2"], ids=["before", "in"]
)
def test_what_must_not_be_done_twice_is_not_repeated_and_its_outcome_unknown(session, method, path, step):
    with Loopback(step) as server:
        with pytest.raises(errors.ServerUnreachableError, match=r"is unknown.*get_"):
            send(session, method, server.url + path, document={})
        assert len(server.received) == 1
    with Loopback(answer(504), answer()) as server:
        with pytest.raises(errors.ServerError, match="is unknown: get_"):
            send(session, method, server.url + path, document={})
        assert len(server.received) == 1


@pytest.mark.parametrize(
    "step",
    [
        answer(body=b"\x1f\x8bgarbage", Content_Encoding="gzip"),
        answer(body=b"garbage", Content_Encoding="deflate"),
    ],
    ids=["bad gzip", "bad deflate"],
)
def test_a_body_that_is_garbled(session, step):
    with Loopback(step) as server:
        with pytest.raises(errors.BadAnswerError, match="garbled"):
            send(session, "GET", server.url)
        assert len(server.received) == 1


def test_an_answer_that_unpacks_without_end_is_refused(session):
    bomb = gzip.compress(bytes(100 * 2**20))
    with (
        Loopback(answer(body=bomb, Content_Encoding="gzip")) as server,
        pytest.raises(errors.BadAnswerError, match="times as many bytes"),
    ):
        send(session, "GET", server.url)


def test_by_default_a_small_answer_has_two_minutes_from_its_first_byte(monkeypatch):
    from renderapi.http import deadline as deadlines

    now = [0.0]
    monkeypatch.setattr(deadlines.time, "monotonic", lambda: now[0])
    deadline = Settings().deadline()
    now[0] = 600  # a long computation
    assert deadline.remaining() > 600
    deadline.arrived(1)
    assert deadline.remaining() == 120
    now[0] = 700
    deadline.arrived(100_000)
    assert deadline.remaining() == 20
    deadline.arrived(16 * 1024 * 200)
    assert 100 < deadline.remaining() < 110  # 16 kB a second since the first byte
    deadline.expect()
    assert deadline.remaining() == 60 + 2 * 600 - 700
    for asked in (Settings(timeout=500).deadline(), Settings().deadline((10, 500))):
        asked.arrived(1)
        assert asked.remaining() == 500


def test_a_small_answer_that_trickles_in_ends_by_default(monkeypatch):
    from renderapi.http import sessions

    monkeypatch.setattr(sessions, "_ANSWER", 0.3)

    def trickle(connection):
        with suppress(OSError):
            for byte in answer(200, b"x" * 1000):
                connection.sendall(bytes([byte]))
                time.sleep(0.02)

    with (
        RenderSession() as session,
        Loopback(trickle) as server,
        pytest.raises(errors.ServerTimeoutError, match=r"not complete after 0\.3 s"),
    ):
        send(session, "GET", server.url)


@pytest.mark.parametrize("where", ["headers", "body"])
def test_an_answer_that_trickles_in_ends_with_the_total(where):
    def trickle(connection):
        text = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n" + (b"\r\n" if where == "body" else b"X: ")
        connection.sendall(text)
        for _ in range(4000):
            connection.sendall(b" ")
            time.sleep(0.02)

    with RenderSession(Settings(total=0.3)) as bounded, Loopback(trickle) as server:
        with pytest.raises(errors.ServerTimeoutError, match=r"not complete after 0\.3 s"):
            send(bounded, "GET", server.url)
        assert len(server.received) == 1


def test_a_pause_that_the_server_wants_is_capped_by_the_total():
    with RenderSession(Settings(total=5)) as bounded, Loopback(answer(503, Retry_After="3600")) as server:
        with pytest.raises(errors.ServerError, match="answered 503"):
            send(bounded, "GET", server.url)
        assert len(server.received) == 1


@pytest.mark.parametrize("own", [False, True], ids=["our session", "caller's session"])
def test_nothing_that_was_given_for_one_host_goes_to_another(own):
    settings = Settings(headers={"X-Token": "secret", "Authorization": "Bearer secret", "Cookie": "a=secret"})
    ours = RenderSession(settings)
    with Loopback(answer(body=b"[]")) as other:
        here = Loopback(answer(302, Location=other.url.replace("127.0.0.1", "localhost") + "/x"))
        with here, SessionView(requests.Session(), settings) if own else ours as given:
            send(given, "GET", here.url)
            assert "secret" not in str(other.received[0].headers)
            assert here.received[0].headers["X-Token"] == "secret"
        with Loopback(answer(302, Location="/again"), answer(body=b"[]")) as here:
            send(SessionView(requests.Session(), settings) if own else ours, "GET", here.url)
            assert here.received[1].headers["X-Token"] == "secret"
            assert here.received[1].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize("own", [False, True], ids=["our session", "caller's session"])
def test_a_netrc_never_replaces_an_authorization_that_was_given(own, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pass\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    settings = Settings(headers={"authorization": "Bearer mine"})
    with Loopback(answer()) as server:
        send(SessionView(requests.Session(), settings) if own else RenderSession(settings), "GET", server.url)
        received = {name.lower(): value for name, value in server.received[0].headers.items()}
    assert received["authorization"] == "Bearer mine"


def test_loopback_goes_past_a_proxy_and_an_unreachable_proxy_is_named(session, monkeypatch):
    proxy = f"http://user:word@127.0.0.1:{closed_port()}"
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with Loopback(answer(body=b"[]")) as server:
        for given in (
            session,
            SessionView(requests.Session(), Settings(timeout=3)),
            requests.Session(),
            None,
        ):
            send(given, "GET", server.url)
    with pytest.raises(errors.ServerUnreachableError, match=r"through the proxy http://[*]{3}@127") as caught:
        send(session, "GET", "http://render.example.org/x")
    assert "word" not in str(caught.value)
    assert "NO_PROXY" in str(caught.value)


def test_what_is_no_empty_answer_confirms_nothing(session):
    page = b"<html><title>Log in</title></html>"
    with Loopback(answer(body=page)) as server, pytest.raises(errors.BadAnswerError, match="log-in page"):
        confirmed(send(session, "PUT", server.url, document={}))
    with Loopback(answer(201)) as server:
        assert confirmed(send(session, "PUT", server.url, document={})).status_code == 201


@pytest.mark.parametrize("status", [503, 500])
def test_a_refusal_with_a_garbled_body_is_an_error_as_well(session, status):
    garbled = answer(status, body=b"garbage", Content_Encoding="gzip")
    with Loopback(garbled) as server, pytest.raises(errors.RenderError):
        send(session, "GET", server.url)


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"", None),
        (b"[1, 2", "was it cut off on the way?"),
        (b'{"a": [1, 2]', "was it cut off on the way?"),
        (b"[" * 100_000, "was it cut off on the way?"),
        (b"<!DOCTYPE html><html>log in</html>", "is a proxy or a log-in page in front of the server"),
        (b" <html>log in</html>", "is a proxy or a log-in page in front of the server"),
        (b"\x89PNG" + bytes(1000), None),
        (b'"\xff"', None),
        (b"plain words", None),
    ],
    ids=lambda value: repr(value[:10]) if value else "",
)
def test_what_is_no_json_is_a_bad_answer(session, body, hint):
    with Loopback(answer(body=body, Content_Type="text/x")) as server:
        response = send(session, "GET", f"{server.url}/x")
    with pytest.raises(errors.BadAnswerError, match="which are not JSON") as caught:
        decode_json(response)
    error = caught.value
    assert f"answered 200 with {len(body)} bytes of text/x" in str(error)
    assert hint is None or hint in str(error)
    assert ("?" in str(error).partition("begins with")[0]) == (hint is not None)
    assert (error.method, error.url, error.status_code) == ("GET", f"{server.url}/x", 200)
    assert len(str(error)) < 2000
    assert type(pickle.loads(pickle.dumps(error))) is errors.BadAnswerError


def test_a_content_length_that_is_too_small_cuts_the_answer(session):
    with Loopback(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n[1, 2]") as server:
        response = send(session, "GET", server.url)
    with pytest.raises(errors.BadAnswerError, match="cut off"):
        decode_json(response)


@pytest.mark.parametrize("length", ["-5", "abc", "4, 4"])
def test_a_content_length_that_makes_no_sense_is_left_aside(session, length):
    with Loopback(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n[12]".encode()) as server:
        assert decode_json(send(session, "GET", server.url)) == [12]


@pytest.mark.parametrize("head", [b"X: y\r\n" * 300, b"X: " + b"y" * 70_000 + b"\r\n"], ids=["many", "long"])
def test_headers_without_end_are_not_read(session, head):
    with (
        Loopback(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n") as server,
        pytest.raises(errors.ServerUnreachableError),
    ):
        send(session, "GET", server.url)


def test_an_answer_for_which_there_is_no_request_is_described_too():
    response = requests.Response()
    response.status_code = 200
    response.url = URL
    response._content = b"\x89PNG"
    error = not_as_asked(response, "an image")
    assert "4 bytes of no content type, which are not an image" in str(error)
    assert (error.method, error.url) == ("GET", URL)


def test_a_body_that_cannot_be_read_any_more_is_described(session):
    step = b"HTTP/1.1 400 OK\r\nContent-Length: 10\r\n\r\n[1, 2"
    with Loopback(step) as server, pytest.raises(errors.BadRequestError, match="answer cannot be read"):
        send(session, "GET", server.url, stream=True)


# -------------------------------------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@host:80/a@b", "http://***@host:80/a@b"),
        ("user:secret@host", "***@host"),
        ("https://tok@en@host/x?q=a@b", "https://***@host/x?q=a@b"),
        ("http://host/owner/a@b", "http://host/owner/a@b"),
        ("/render-ws/v1/owner/a@b", "/render-ws/v1/owner/a@b"),
        ("http://host?q=a@b", "http://host?q=a@b"),
        ("http://[::1", "http://[::1"),
        ("", ""),
    ],
)
def test_passwords_are_taken_out_of_urls(url, shown):
    assert redacted(url) == shown


def everything_shown(error):
    """Return all that a log or another process may see of an error."""
    return "".join([str(error), repr(error), *traceback.format_exception(error), str(pickle.dumps(error))])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_passwords_are_in_no_error(session, method, caplog):
    caplog.set_level("DEBUG", logger="renderapi")
    session.auth = ("user", "secret")
    session.headers["X-Token"] = "secret"
    with Loopback(answer(503), answer(404), answer(body=b"<html>")) as server:
        url = server.url.replace("://", "://user:secret@")
        addresses = [url, "http://user:secret@a:99999/", "http://user:secret@[::1", "http://user:secret@.x/",
                     f"http://user:secret@127.0.0.1:{closed_port()}/"]  # fmt: skip
        for address in addresses:
            with pytest.raises((errors.RenderError, requests.RequestException)) as caught:
                decode_json(send(session, method, address))
            assert "secret" not in everything_shown(caught.value)
        assert server.received[0].headers["Authorization"].startswith("Basic ")
    assert "secret" not in caplog.text


def test_a_password_in_the_url_of_a_bad_answer_is_not_shown(session):
    with Loopback(answer(body=b"<html>")) as server:
        response = send(session, "GET", server.url.replace("://", "://user:secret@"))
    with pytest.raises(errors.BadAnswerError) as caught:
        decode_json(response)
    assert "secret" not in everything_shown(caught.value)


# ------------------------------------------------------------------------------------ sessions of others


def test_the_default_session_is_used_where_none_is_given(monkeypatch):
    chosen = mock.Mock(spec=RenderSession)
    chosen.request.return_value.status_code = 204
    monkeypatch.setattr(transport, "default_session", lambda: chosen)
    assert send(None, "GET", URL).status_code == 204


@pytest.mark.parametrize("status", [200, 404])
def test_a_stand_in_for_a_session_will_do(status):
    """Programs test with mocks: what they leave out is not asked for."""
    response = mock.Mock(status_code=status, content=b'{"a": 1}', headers={}, reason="Why")
    session = mock.Mock()
    session.request.return_value = response
    if status == 200:
        assert decode_json(send(session, "GET", URL)) == {"a": 1}
    else:
        with pytest.raises(errors.NotFoundError) as caught:
            send(session, "GET", URL)
        assert caught.value.attempts == 1


def test_text_is_utf_8_and_a_web_page_is_none():
    with responses.RequestsMock() as mocked:
        mocked.get(URL, body="ü\t1\n".encode(), content_type="text/plain")
        assert decode_text(send(None, "GET", URL)) == "ü\t1\n"
        mocked.get(URL, body="\n <!DOCTYPE html><html>log in</html>", content_type="text/html")
        with pytest.raises(errors.BadAnswerError, match=r"not the text of a render server.*It is a web page"):
            decode_text(send(None, "GET", URL))
