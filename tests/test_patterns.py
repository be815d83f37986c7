"""Patterns that clients send are searched with a limit of time."""

import time

import pytest

from renderapi import _patterns

ENDLESS = r"(a|aa)+$"
VICTIM = "a" * 60 + "b"


def test_a_pattern_is_what_it_is_for_re():
    pattern = _patterns.compiled(r"(a+)(\d)")
    assert pattern.groups == 2
    assert pattern.search("..aa1..")[0] == "aa1"
    assert pattern.fullmatch("..aa1..") is None
    assert pattern.fullmatch("aa1")[2] == "1"


@pytest.mark.parametrize("library", ["regex", "re"])
@pytest.mark.parametrize("text", ["(", "[z-a]", "(?P<a>x)(?P=b)"])
def test_what_is_no_pattern_is_refused(text, library, monkeypatch):
    if library == "re":
        monkeypatch.setitem(__import__("sys").modules, "regex", None)
    with pytest.raises(ValueError, match=r"."):
        _patterns.compiled.__wrapped__(text)


def test_without_regex_the_standard_library_searches(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "regex", None)
    pattern = _patterns.compiled.__wrapped__("(b)")
    assert (pattern.search("abc")[1], pattern.groups, pattern.fullmatch("abc")) == ("b", 1, None)


def test_a_pattern_that_never_ends_is_stopped(monkeypatch):
    pytest.importorskip("regex")
    monkeypatch.setattr(_patterns, "SECONDS", 0.3)
    start = time.monotonic()
    pattern = _patterns.compiled.__wrapped__(ENDLESS)
    for search in (pattern.search, pattern.fullmatch):
        with pytest.raises(TimeoutError):
            search(VICTIM)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "text",
    [
        "a{999999999}",
        "(?:a{1000}){1000}",
        "(?x) a { 999999999 }",
        "[{]a{,20000}",
        "a{" + "9" * 900 + "}",
        "(" * 51 + ")" * 51,
        "a" * 1001,
    ],
)
@pytest.mark.parametrize("library", ["regex", "re"])
def test_a_pattern_that_would_be_too_large_is_not_compiled(text, library, monkeypatch):
    if library == "re":
        monkeypatch.setitem(__import__("sys").modules, "regex", None)
    with pytest.raises(ValueError, match="more than"):
        _patterns.compiled.__wrapped__(text)


@pytest.mark.parametrize("text", [r"^\d{14}_\d{6}_(\d{2,})\.0$", "a{0,3}b{}", "{x}", "a{10000}"])
def test_common_patterns_are_not_too_large(text):
    assert _patterns.compiled(text)
