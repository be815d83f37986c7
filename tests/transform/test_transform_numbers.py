"""Numbers of data strings, as Java reads and writes them."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderapi.errors import SpecError
from renderapi.transform import data_strings
from renderapi.utils import encodeBase64


@pytest.fixture(params=["orjson", "plain"])
def any_json(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(data_strings, "_fast_dumps", None)
        monkeypatch.setattr(data_strings, "_fast_loads", None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("+1.", 1.0),
        (".5", 0.5),
        ("-1e-3", -0.001),
        ("1E7", 1e7),
        ("1f", 1.0),
        ("2.5D", 2.5),
        ("1e400", math.inf),
        ("1e-400", 0.0),
        ("0x1p0", 1.0),
        ("-0x.8P1d", -1.0),
        ("0x1.8p3", 12.0),
        ("0x1p5000", math.inf),
        ("-0x1p5000", -math.inf),
        ("0x1p-5000", 0.0),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("0.1000000000000000055511151231257827", 0.1),
    ],
)
def test_what_java_reads_as_a_double(text, value):
    assert data_strings.parse_double(text) == value
    assert data_strings.parse_doubles(f"{text} 2 {text} ") == [value, 2.0, value]


@pytest.mark.parametrize("text", ["NaN", "+NaN", "-NaN"])
def test_not_a_number_is_read(text):
    assert math.isnan(data_strings.parse_double(text))
    assert math.isnan(data_strings.parse_float32(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "1_0",
        "inf",
        "nan",
        "infinity",
        "Inf",
        "1e",
        "0x",
        "0xp1",
        "0x1",
        "--1",
        "+-NaN",
        "1,5",
        "\u0661",
        "null",
        "true",
        "[1]",
        '"1"',
        "{}",
    ],
)
def test_what_java_does_not_read_is_refused(text, any_json):
    with pytest.raises(SpecError):
        data_strings.parse_double(text)
    with pytest.raises(SpecError):
        data_strings.parse_doubles(text)
    with pytest.raises(SpecError):
        data_strings.parse_doubles(f"1 {text or ','} 2")
    with pytest.raises(SpecError):
        data_strings.parse_rows(["1 2 3", f"1 {text or ','} 2"], 3)


def test_fields_are_split_at_ascii_blanks_as_in_java(any_json):
    assert data_strings.split_fields("1\t2 \n\x0b\f\r3 ") == ["1", "2", "3"]
    assert data_strings.parse_doubles("1\t2  3\n") == [1.0, 2.0, 3.0]
    for text in (" 1 2", "1\xa02", "1\x1c2", "", " ", None, 5):
        with pytest.raises(SpecError):
            data_strings.parse_doubles(text)


def test_no_data_string_says_so():
    with pytest.raises(SpecError, match="no dataString defined"):
        data_strings.require_text(None)
    with pytest.raises(SpecError, match="is no text"):
        data_strings.require_text([1.0])


@given(st.lists(st.floats(), min_size=1, max_size=8))
def test_doubles_are_written_so_that_they_are_read_back(values):
    text = data_strings.format_doubles(values)
    np.testing.assert_equal(data_strings.parse_doubles(text), values)
    assert text.split(" ") == [data_strings.format_double(value) for value in values]


@given(st.lists(st.floats(width=32), min_size=1, max_size=8))
def test_float32_values_are_written_so_that_they_are_read_back(values):
    text = data_strings.format_floats32(values)
    assert [data_strings.parse_float32(field) for field in text.split(" ")] == pytest.approx(
        values, abs=0, nan_ok=True
    )


def test_one_spelling_whatever_is_installed(monkeypatch):
    values = [
        1.0,
        -0.0,
        1e-5,
        1.2345e-7,
        0.0001,
        1e16,
        1e22,
        123456789.125,
        10.00001,
        math.inf,
        -math.inf,
        math.nan,
    ]
    written = data_strings.format_doubles(values)
    monkeypatch.setattr(data_strings, "_fast_dumps", None)
    assert data_strings.format_doubles(values) == written
    assert written == (
        "1.0 -0.0 1e-05 1.2345e-07 0.0001 1e+16 1e+22 123456789.125 10.00001 Infinity -Infinity NaN"
    )


def nearest_float32(exact):
    # the definition: the closest float32, the even one if there are two
    near = np.float32(float(exact))
    candidates = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    finite = [c for c in candidates if np.isfinite(c)]
    return float(min(finite, key=lambda c: (abs(Fraction(float(c)) - exact), int(c.view(np.int32)) & 1)))


@given(st.integers(0, 2**24), st.integers(-160, 100), st.sampled_from(["", "0000000001", "-"]), st.booleans())
def test_float32_are_rounded_once(mantissa, exponent, tail, negative):
    # texts at, just above and just below the middle of two float32 values
    middle = Fraction(2 * mantissa + 1) * Fraction(2) ** (exponent - 25)
    scaled = middle * 10**200
    digits = str(scaled.numerator // scaled.denominator)
    if tail == "-":
        digits = str(int(digits) - 1)
        tail = "9999999999"
    text = f"{'-' if negative else ''}{digits}{tail}e-{200 + len(tail)}"
    assert data_strings.parse_float32(text) == nearest_float32(Fraction(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.4028235677973366e38", 2.0**128 - 2.0**104),  # just below what rounds to infinity
        ("-3.4028235677973366e38", -(2.0**128 - 2.0**104)),
        ("340282356779733661637539395458142568448", math.inf),  # exactly there
        ("3.41e38", math.inf),
        ("-1e300", -math.inf),
        ("0x1.000001p0", 1.0),
        ("0x1.0000010000000000001p0", 1.0 + 2.0**-23),
        ("10.1", 10.100000381469727),
    ],
)
def test_float32_at_the_edges(text, value):
    assert data_strings.parse_float32(text) == value
    np.testing.assert_array_equal(data_strings.parse_rows([f"{text} 1"], 2, single=True), [[value, 1.0]])


def test_many_texts_are_read_at_once(any_json):
    texts = ["1 2.5 -3e2", "+4 5. .6", "7 8 9"]
    np.testing.assert_array_equal(data_strings.parse_rows(texts, 3), [[1, 2.5, -300], [4, 5, 0.6], [7, 8, 9]])
    np.testing.assert_array_equal(data_strings.parse_rows([*texts, "1f\t2 3 "], 3)[3], [1, 2, 3])
    for bad in ("1 2", "1 2 3 4", " 1 2", "1 2 ", "1  2"):
        with pytest.raises(SpecError):
            data_strings.parse_rows([*texts, bad], 3)


@given(st.lists(st.floats(1e-46, 1e39), min_size=1, max_size=5))
def test_many_float32_are_read_as_single_ones(values):
    texts = [f"{value!r} {value:.9g}" for value in values]
    expected = [[data_strings.parse_float32(field) for field in text.split(" ")] for text in texts]
    np.testing.assert_array_equal(data_strings.parse_rows(texts, 2, single=True), expected)


def test_integers_as_in_java():
    assert [data_strings.parse_integer(t) for t in ("12", "-3", "+4", "2147483647")] == [
        12,
        -3,
        4,
        2147483647,
    ]
    for text in ("1.0", "", "2147483648", "1e3", "\u0661"):
        with pytest.raises(SpecError):
            data_strings.parse_integer(text)


def test_base64_blocks():
    values = np.array([1.5, -2.0, 1e-300])
    np.testing.assert_array_equal(data_strings.parse_block(encodeBase64(values), 3), values)
    with pytest.raises(SpecError, match="should hold 4 numbers, it holds 3"):
        data_strings.parse_block(encodeBase64(values), 4)
    with pytest.raises(SpecError, match="cannot be decoded"):
        data_strings.parse_block("x$$", 3)


def test_what_is_a_float32():
    assert data_strings.is_float32(0.5)
    assert data_strings.is_float32(10.100000381469727)
    assert not data_strings.is_float32(10.1)
    assert not data_strings.is_float32(1e39)
    assert not data_strings.is_float32(math.nan)
