import math

import pytest

from renderapi.server.documents.problems import InvalidError
from renderapi.server.documents.values import (
    as_boolean,
    as_date,
    as_double,
    as_int,
    as_integer,
    as_labels,
    as_long,
    as_number,
    as_object,
    as_text,
    boolean_of_text,
    double_of_text,
    integer_of_text,
    one_of,
)
from renderapi.utils import java_double


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (2.5, "2.5"),
        (-1234.5678, "-1234.5678"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-1e7, "-1.0E7"),
        (12345678.9, "1.23456789E7"),
        (123456789012345680000.0, "1.2345678901234568E20"),
        (1e16, "1.0E16"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (0.00012345, "1.2345E-4"),
        (1e-5, "1.0E-5"),
        (1.5e-7, "1.5E-7"),
        (1e300, "1.0E300"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_numbers_are_printed_as_java_prints_them(value, text):
    assert java_double(value) == text
    assert double_of_text(text) == value or math.isnan(value)


@pytest.mark.parametrize(
    "text, value", [(" 1.5 ", 1.5), ("1d", 1.0), ("1e3f", 1000.0), (".5", 0.5), ("-3.", -3.0), ("+2", 2.0)]
)
def test_numbers_are_read_as_java_reads_them(text, value):
    assert double_of_text(text) == value


@pytest.mark.parametrize("text", ["", " ", "x", "1_0", "nan", "inf", "1,5", "1 2", "e5", "."])
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match=r"For input string|empty String"):
        double_of_text(text)


@pytest.mark.parametrize("text", ["", "1.0", " 1", "2147483648", "-2147483649", "1_0", "٣"])
def test_what_is_no_integer(text):
    with pytest.raises(ValueError, match="For input string"):
        integer_of_text(text)


def test_integers_and_booleans_of_paths():
    assert integer_of_text("-2147483648") == -(2**31)
    assert integer_of_text("+7") == 7
    assert [boolean_of_text(word) for word in ("true", "True", "TRUE", "yes", "1", "")] == [True] * 3 + [
        False
    ] * 3


def test_casts_cut_off():
    assert [as_int(value) for value in (1.9, -1.9, math.nan, 1e300, -math.inf)] == [
        1,
        -1,
        0,
        2**31 - 1,
        -(2**31),
    ]


@pytest.mark.parametrize(
    "value, number",
    [
        (1, 1.0),
        (1.5, 1.5),
        ("1.5", 1.5),
        (" 2 ", 2.0),
        ("", None),
        (None, None),
        ("NaN", "NaN"),
        ("-INF", "-Infinity"),
    ],
)
def test_doubles_of_bodies(value, number):
    read = as_double(value, "z")
    assert read == number and type(read) is type(number)


def test_a_number_that_is_calculated_with_is_a_number():
    assert as_number("Infinity", "z") == math.inf
    assert as_number("2", "z") == 2.0
    assert as_number(None, "z") is None


@pytest.mark.parametrize("value, number", [(1.7, 1), (-1.7, -1), ("5", 5), (3, 3), (None, None), ("", None)])
def test_a_fraction_given_for_an_integer_is_cut_off(value, number):
    assert as_integer(value, "imageCol") == number


def test_longs_are_longer():
    assert as_long(2**40, "savedMatchPairCount") == 2**40


@pytest.mark.parametrize(
    "value, text", [(5, "5"), (5.0, "5.0"), (True, "true"), (False, "false"), ("x", "x"), (None, None)]
)
def test_numbers_become_text_where_text_is_declared(value, text):
    assert as_text(value, "sectionId") == text


@pytest.mark.parametrize(
    "value, truth",
    [(True, True), (0, False), (2, True), ("true", True), ("False", False), (" ", None), (None, None)],
)
def test_booleans_of_bodies(value, truth):
    assert as_boolean(value, "includeDetails") is truth


@pytest.mark.parametrize(
    "value, text",
    [
        ("2017-06-01T10:20:30.005Z", "2017-06-01T10:20:30.005Z"),
        ("2017-06-01T10:20:30.5Z", "2017-06-01T10:20:30.005Z"),
        ("2017-06-01T10:20:30.123456Z", "2017-06-01T10:22:33.456Z"),
        ("2017-13-32T25:00:00.0Z", "2018-02-02T01:00:00.000Z"),
        ("2017-6-1T1:2:3.4Z and more", "2017-06-01T01:02:03.004Z"),
        (1496312430005, "2017-06-01T10:20:30.005Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (None, None),
        ("", None),
    ],
)
def test_dates_are_read_leniently_and_printed_exactly(value, text):
    assert as_date(value, "createTimestamp") == text


@pytest.mark.parametrize(
    "rule, value",
    [
        (as_double, "x"),
        (as_double, True),
        (as_double, [1]),
        (as_double, 10**400),
        (as_integer, "1.5"),
        (as_integer, 2**31),
        (as_integer, math.inf),
        (as_integer, {}),
        (as_text, []),
        (as_text, {}),
        (as_boolean, "yes"),
        (as_boolean, 1.5),
        (as_date, "2017-06-01"),
        (as_date, "2017-06-01T10:20:30Z"),
        (as_date, "99999-06-01T10:20:30.0Z"),
        (as_date, 1.5),
        (as_date, 10**30),
        (as_labels, "lens"),
        (as_object, []),
        (one_of(("A", "B")), "C"),
    ],
)
def test_what_cannot_be_read_is_a_bad_request_that_names_the_field(rule, value):
    with pytest.raises(InvalidError, match="field"):
        rule(value, "field")


def test_labels_are_a_set():
    assert as_labels(["a", "b", "a", 1], "labels") == ["a", "1", "b"]  # by hash, as in Java
    assert one_of(("A", "B"))("B", "word") == "B"
