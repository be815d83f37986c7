"""URLs: what is put in is what the server gets, whatever it is."""

import decimal
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from renderapi.errors import ConnectionSettingsError
from renderapi.http.environment import as_port
from renderapi.http.urls import (
    format_baseurl,
    format_number,
    format_preamble,
    join_url,
    owner_url,
    required,
    split_url,
    stack_url,
    without_credentials,
)


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("localhost", 8080, "localhost:8080/render-ws/v1"),
        ("http://localhost", 8080, "http://localhost:8080/render-ws/v1"),
        ("https://h", 443, "https://h:443/render-ws/v1"),
        ("https://h", None, "https://h/render-ws/v1"),
        ("https://h", "", "https://h/render-ws/v1"),
        ("https://h", "8443", "https://h:8443/render-ws/v1"),
        ("http://h/", 80, "http://h:80/render-ws/v1"),
        (" http://h ", 80, "http://h:80/render-ws/v1"),
        ("https://h/lab/em/", 80, "https://h:80/lab/em/render-ws/v1"),
        ("h/lab", None, "h/lab/render-ws/v1"),
        ("http://[::1]", 8080, "http://[::1]:8080/render-ws/v1"),
        ("[::1]", 8080, "[::1]:8080/render-ws/v1"),
        ("https://user:pw@h", 80, "https://user:pw@h:80/render-ws/v1"),
    ],
)
def test_the_url_of_a_server(host, port, url):
    assert format_baseurl(host, port) == url


def test_the_url_of_a_stack():
    url = "http://h:80/render-ws/v1/owner/o/project/p/stack/s"
    assert format_preamble("http://h", 80, "o", "p", "s") == url
    assert format_preamble(host="http://h", port=80, owner="o", project="p", stack="s") == url
    assert stack_url("http://h", 80, "o", "p", "s", "z", 1.5, "tile-specs") == f"{url}/z/1.5/tile-specs"
    assert format_preamble("h", 80, "o", "p", 7) == "h:80/render-ws/v1/owner/o/project/p/stack/7"


def test_the_url_of_what_belongs_to_an_owner():
    assert owner_url("http://h", 80, "o", "stacks", "") == "http://h:80/render-ws/v1/owner/o/stacks/"


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        ("a,b", "a,b"),
        ("%2F", "%252F"),
        ("a?b#c&d=e", "a%3Fb%23c%26d%3De"),
        ("é", "%C3%A9"),
        ("a..b", "a..b"),
        ("...", "..."),
        ("\\", "%5C"),
        ("\n", "%0A"),
        ("", ""),
        (3, "3"),
        (3.0, "3.0"),
        (np.float64(0.1), "0.1"),
        ((1, 2.5, "x"), "1,2.5,x"),
    ],
)
def test_segments_are_quoted(segment, text):
    assert join_url("http://h", "x", segment, "y") == f"http://h/x/{text}/y"


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda s: s not in (".", ".."))))
def test_any_name_arrives_as_it_is(names):
    url = join_url("http://h/v1", *names)
    sent = requests.Request("GET", url).prepare().url
    assert [unquote(part) for part in urlsplit(sent).path.split("/")[2:]] == names


@pytest.mark.parametrize("name", [".", ".."])
def test_steps_in_the_path_are_no_names(name):
    # requests would send DELETE .../stack/.. as DELETE .../project/p
    with pytest.raises(ValueError, match="cannot be a name"):
        stack_url("http://h", 80, "o", "p", name)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3, "3"),
        (-3, "-3"),
        (3.0, "3.0"),
        (0.1, "0.1"),
        (1 / 3, repr(1 / 3)),
        (1e22, "1e+22"),
        (2**53 + 1, "9007199254740993"),
        (np.int64(7), "7"),
        (np.uint8(7), "7"),
        (np.float64(1.25), "1.25"),
        (np.float32(0.5), "0.5"),
        (np.array(3), "3"),
        (np.array(2.5), "2.5"),
        (decimal.Decimal("1.5"), "1.5"),
        ("1.0", "1.0"),
        ("1 0", "1%200"),
    ],
)
def test_numbers_are_written_in_full(number, text):
    assert format_number(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_read_back_the_same(number):
    text = format_number(number)
    assert (int(text) if isinstance(number, int) else float(text)) == number


@pytest.mark.parametrize(
    "number",
    [float("nan"), float("inf"), -np.inf, np.float32("nan"), None, True, b"", b"1", [1], 1j, object()],
)
def test_what_is_no_finite_number_is_refused(number):
    with pytest.raises(ValueError, match="number is needed"):
        format_number(number)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("host", "host=, or set DEFAULT_RENDER_HOST or RENDER_HOST"),
        ("owner", "owner=, or set DEFAULT_RENDER_OWNER or RENDER_OWNER"),
        ("stack", "stack="),
    ],
)
def test_a_missing_setting_is_named(name, hint):
    with pytest.raises(ConnectionSettingsError) as caught:
        required(name, None)
    assert str(caught.value) == f"{name} is not known: give render= or {hint}"


@pytest.mark.parametrize("missing", ["host", "owner", "project", "stack"])
def test_a_url_lacks_nothing(missing):
    settings = {"host": "h", "owner": "o", "project": "p", "stack": "s", missing: None}
    with pytest.raises(ConnectionSettingsError, match=f"^{missing} is not known"):
        format_preamble(port=80, **settings)


@pytest.mark.parametrize(
    ("port", "number"),
    [(8080, 8080), ("8080", 8080), (" 80 ", 80), (80.0, 80), (np.int64(80), 80), (None, None), ("", None)],
)
def test_a_port_is_a_number(port, number):
    assert as_port(port) == number
    assert number is None or type(as_port(port)) is int


@pytest.mark.parametrize(
    "port", [0, -1, 65536, "http", "80.5", 80.5, float("nan"), float("inf"), [80], "9" * 5000, True * 0]
)
def test_an_impossible_port_is_refused(port):
    with pytest.raises(ConnectionSettingsError, match="whole number from 1 to 65535"):
        as_port(port)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://h/render-ws", "https://h", None),
        ("https://h:8443/render-ws/", "https://h", 8443),
        ("https://h/lab/em/render-ws/v1/", "https://h/lab/em", None),
        ("https://h", "https://h", None),
        ("h:8080", "http://h", 8080),
        ("h:0080", "http://h", 80),
        ("http://h:/render-ws", "http://h", None),
        ("http://[::1]:8080/render-ws/v1", "http://[::1]", 8080),
        ("http://[::1]", "http://[::1]", None),
        ("https://u:p@h:1/render-ws?q=1#f", "https://u:p@h", 1),
    ],
)
def test_a_url_is_taken_apart(url, host, port):
    assert split_url(url) == (host, port)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "http://:80/x",
        "ftp://h/",
        "http://u:secret@h:99999/",
        "http://u:secret@[::1",
        "http://h:x",
    ],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ConnectionSettingsError, match="should look like https://host/render-ws") as caught:
        split_url(url)
    assert "secret" not in str(caught.value)


def test_a_host_without_credentials():
    assert without_credentials("https://u:p@h/x") == "https://h/x"
    assert without_credentials("u@h") == "h"
    assert without_credentials("https://h/a@b") == "https://h/a@b"
