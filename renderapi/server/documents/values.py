"""Numbers, texts and dates as render-ws reads them from paths, queries and bodies, and prints them.

`as_...` take decoded JSON values with the coercions of Jackson: numbers in strings, numbers where text is
declared, fractions cut off for integers. `..._of_text` take the text of a path segment or query value.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeVar

from renderapi.server.documents.java_order import as_hash_set
from renderapi.server.documents.problems import InvalidError
from renderapi.transform.data_strings import parse_double

T = TypeVar("T")
Rule = Callable[[Any, str], Any]
Rules = Mapping[str, Rule]

_BLANKS = " \t\n\x0b\f\r"
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DATE = re.compile(r"\s*(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d+)Z", re.ASCII)
_NONFINITE = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "INF": "Infinity",
    "-INF": "-Infinity",
}
_MAX_INT = 2**31 - 1
_shortened = reprlib.Repr()
_shortened.maxstring = _shortened.maxother = 100
_MAX_LONG = 2**63 - 1


def double_of_text(text: str) -> float:
    """Read a number as ``Double.valueOf`` does, with blanks around it.

    Raises
    ------
    ValueError
        If it is none.
    """
    return parse_double(text.strip(_BLANKS))


def integer_of_text(text: str) -> int:
    """Read a 32 bit integer as ``Integer.valueOf`` does.

    Raises
    ------
    ValueError
        If it is none.
    """
    if _INTEGER.fullmatch(text):
        value = int(text)
        if -_MAX_INT - 1 <= value <= _MAX_INT:
            return value
    raise ValueError(f'For input string: "{text}"')


def boolean_of_text(text: str) -> bool:
    """Read a boolean as ``Boolean.valueOf`` does: every word but *true*, in any case, is false."""
    return text.lower() == "true"


def as_int(value: float) -> int:
    """Cut a number off to 32 bit like a cast ``(int)`` of Java: NaN is 0, too large is the largest."""
    if math.isnan(value):
        return 0
    return int(min(max(value, -_MAX_INT - 1), _MAX_INT))


def brief(value: Any) -> str:
    """Write a value for a message: in short, however large and nested it is."""
    return f"{_shortened.repr(value):.100}"


def _bad(value: Any, kind: str, where: str) -> NoReturn:
    raise InvalidError(f"Cannot read {brief(value)} as {kind} for {where}")


def as_double(value: Any, where: str) -> float | str | None:
    """Read a value declared double; NaN and infinity, which only strings can say, stay those strings."""
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            _bad(value, "a double", where)
    if value is None:
        return None
    if type(value) is str:
        text = value.strip()
        if not text:
            return None
        if text in _NONFINITE:
            return _NONFINITE[text]
        try:
            return double_of_text(text)
        except ValueError:
            pass
    _bad(value, "a double", where)


def as_number(value: Any, where: str) -> float | None:
    """Read a value declared double that is calculated with, so that NaN and infinity are numbers too."""
    number = as_double(value, where)
    return float(number) if isinstance(number, str) else number


def as_integer(value: Any, where: str, limit: int = _MAX_INT) -> int | None:
    """Read a value declared int; a fraction is cut off."""
    if value is None or type(value) is int:
        number = value
    elif type(value) is float and math.isfinite(value):
        number = int(value)
    elif type(value) is str and not value.strip():
        return None
    elif type(value) is str and _INTEGER.fullmatch(value.strip()):
        number = int(value)
    else:
        _bad(value, "an integer", where)
    if number is not None and not -limit - 1 <= number <= limit:
        _bad(value, "an integer", where)
    return number


def as_long(value: Any, where: str) -> int | None:
    """Read a value declared long; a fraction is cut off."""
    return as_integer(value, where, _MAX_LONG)


def as_text(value: Any, where: str) -> str | None:
    """Read a value declared string; a number or boolean becomes its text."""
    if value is None or type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (int, float):
        return repr(value)
    _bad(value, "a string", where)


def as_boolean(value: Any, where: str) -> bool | None:
    """Read a value declared boolean."""
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        return value != 0
    if type(value) is str:
        text = value.strip()
        if text in ("true", "True", "TRUE"):
            return True
        if text in ("false", "False", "FALSE"):
            return False
        if not text:
            return None
    _bad(value, "a boolean", where)


def as_date(value: Any, where: str) -> str | None:
    """Read a date: ``yyyy-MM-dd'T'HH:mm:ss.SSS'Z'``, read leniently as Java does, or milliseconds.

    The fraction counts milliseconds whatever its length: `.5Z` is 5 ms and printed `.005Z`. Values beyond
    their range roll over.
    """
    if value is None:
        return None
    try:
        if type(value) is int:
            return _date_text(datetime(1970, 1, 1) + timedelta(milliseconds=value))
        if type(value) is str:
            if not value.strip():
                return None
            match = _DATE.match(value)
            if match is not None:
                year, month, day, hour, minute, second, fraction = map(int, match.groups())
                months = year * 12 + month - 1
                return _date_text(
                    datetime(months // 12, months % 12 + 1, 1)
                    + timedelta(
                        days=day - 1, hours=hour, minutes=minute, seconds=second, milliseconds=fraction
                    )
                )
    except (OverflowError, ValueError):
        pass
    _bad(value, "a date (yyyy-MM-dd'T'HH:mm:ss.SSS'Z')", where)


def _date_text(moment: datetime) -> str:
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def as_list(value: Any, where: str, element: Callable[[Any, str], T]) -> list[T] | None:
    """Read an array with one rule for its elements."""
    if value is None:
        return None
    if type(value) is not list:
        _bad(value, "an array", where)
    return [element(item, where) for item in value]


def as_labels(value: Any, where: str) -> list[str | None] | None:
    """Read a set of strings, in the order in which render-ws answers it."""
    texts = as_list(value, where, as_text)
    if texts is None or len(texts) < 2:
        return texts
    return [*([None] if None in texts else []), *as_hash_set(text for text in texts if text is not None)]


def as_object(value: Any, where: str) -> dict[str, Any] | None:
    """Read an object."""
    if value is None or type(value) is dict:
        return value
    _bad(value, "an object", where)


def one_of(words: tuple[str, ...]) -> Callable[[Any, str], str | None]:
    """Make the rule for a value declared as an enumeration."""

    def read(value: Any, where: str) -> str | None:
        if value is None or value in words:
            return value  # type: ignore[no-any-return]
        raise InvalidError(f"Cannot read {brief(value)} for {where}: it is none of {', '.join(words)}")

    return read


def fields(document: Any, where: str, rules: Rules) -> dict[str, Any] | None:
    """Read an object by the rules of its known keys: declared order, nulls left out, the rest dropped."""
    raw = as_object(document, where)
    if raw is None:
        return None
    read = {}
    for key, rule in rules.items():
        value = raw.get(key)
        if value is not None:
            value = rule(value, key)
            if value is not None:
                read[key] = value
    return read
