r"""Numbers in the data strings of transforms, read and written as Java reads and writes them.

Java's ``Double.parseDouble`` and ``Float.parseFloat`` accept what Python's ``float`` refuses (``1f``,
``0x1p0``) and refuse what it accepts (``1_0``, ``inf``); fields are separated by ``\s+``, which is ASCII
white space only, and a leading blank makes an empty first field, which is no number.
"""

from __future__ import annotations

import math
import re
import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from renderapi.errors import SpecError
from renderapi.utils import decodeBase64

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

_fast_dumps: Callable[[list[float]], bytes] | None
_fast_loads: Callable[[str], list[float]] | None
try:
    from orjson import dumps as _fast_dumps
    from orjson import loads as _fast_loads
except ImportError:
    _fast_dumps = _fast_loads = None

_COMMAS_TO_BLANKS = bytes.maketrans(b",", b" ")
_BLANKS = re.compile(r"[ \t\n\x0b\f\r]+")
_DECIMAL = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fFdD]?", re.ASCII)
_HEXADECIMAL = re.compile(
    r"([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)[fFdD]?",
    re.ASCII,
)
_WORDS = {"NaN": float("nan"), "Infinity": float("inf")}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)

# halfway between the largest float32 and the power of two above it: from here on Java says Infinity
_FLOAT32_OVERFLOW = 2.0**128 - 2.0**103
_FLOAT32_MAX = 2.0**128 - 2.0**104


def split_fields(text: str) -> list[str]:
    r"""Split at white space as Java's ``split("\\s+")``: trailing blanks vanish, a leading one does not."""
    fields = _BLANKS.split(text)
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _no_number(field: str) -> SpecError:
    return SpecError(f'For input string: "{field:.100}"' if field else "empty String")


def parse_double(field: str) -> float:
    """Read one number as ``Double.parseDouble``.

    Raises
    ------
    SpecError
        If Java would refuse it.
    """
    decimal = _DECIMAL.fullmatch(field)
    if decimal:
        return float(decimal[1])
    word = _WORDS.get(field.lstrip("+-") if field[:2] not in ("+-", "-+", "--", "++") else "")
    if word is not None:
        return -word if field[0] == "-" else word
    return _from_hexadecimal(field)


def _hexadecimal_parts(field: str) -> tuple[str, str, str, str]:
    # sign, digits before and after the point, exponent
    match = _HEXADECIMAL.fullmatch(field)
    if match is None or not match[2] + match[3]:
        raise _no_number(field)
    sign, whole, fraction, exponent = match.groups()
    return sign, whole or "0", fraction or "0", exponent


def _from_hexadecimal(field: str) -> float:
    sign, whole, fraction, exponent = _hexadecimal_parts(field)
    try:
        return float.fromhex(f"{sign}0x{whole}.{fraction}p{exponent}")
    except OverflowError:
        return float(f"{sign}inf")


def require_text(text: object) -> str:
    """Return a data string, or raise SpecError if it is none."""
    if not isinstance(text, str):
        raise SpecError(
            "no dataString defined" if text is None else f"the dataString {text!r:.100} is no text"
        )
    return text


def parse_doubles(text: str | None) -> list[float]:
    """Read all numbers of a text that is separated by white space, as doubles.

    Raises
    ------
    SpecError
        If Java would refuse one of them.
    """
    values = parse_loosely(text)
    try:
        return [float(value) for value in values]
    except TypeError:
        raise SpecError(f"{text!r:.100} holds something else than numbers") from None


def parse_loosely(text: str | None) -> list[float]:
    """Read numbers as `parse_doubles`; the caller makes integers floats and refuses what is no number."""
    if type(text) is not str:
        text = require_text(text)
    # JSON has commas, words, text and blanks at the beginning, which this format has not
    plain = "," not in text and "t" not in text and '"' not in text and text[:1] > " "
    if _fast_loads is not None and plain:
        # plain JSON numbers are read in one go; whatever is none goes the slow way
        try:
            return _fast_loads(f"[{text.replace(' ', ',')}]")
        except ValueError:
            pass
    return [parse_double(field) for field in split_fields(text)] or [parse_double("")]


def parse_block(field: str, count: int) -> NDArray[np.float64]:
    """Read a base64 block of doubles (`renderapi.utils.decodeBase64`).

    Raises
    ------
    SpecError
        If it cannot be decoded, or holds another number of doubles.
    """
    try:
        values = np.array(decodeBase64(field), dtype=np.float64)
    except ValueError as error:
        raise SpecError(f"a base64 block cannot be decoded: {error}") from None
    if values.size != count:
        raise SpecError(f"a base64 block should hold {count} numbers, it holds {values.size}")
    return values


def parse_integer(field: str) -> int:
    """Read one integer as ``Integer.parseInt``."""
    if not _INTEGER.fullmatch(field) or not -(2**31) <= int(field) < 2**31:
        raise _no_number(field)
    return int(field)


def parse_float32(field: str) -> float:
    """Read one number as ``Float.parseFloat`` and widen it to a double.

    The decimal text is rounded to float32 once. Rounding it to a double first gives another float32
    where the double happens to be the middle of two of them, so those are decided on the exact text.
    """
    value = parse_double(field)
    size = abs(value)
    if math.isnan(value) or size > _FLOAT32_OVERFLOW:
        return value * float("inf")
    if size == _FLOAT32_OVERFLOW:
        return math.copysign(_FLOAT32_MAX if abs(_exact(field)) < size else float("inf"), value)
    single: float = array("f", [value])[0]
    if single == value:
        return single
    with np.errstate(over="ignore"):
        other = float(np.nextafter(np.float32(single), np.float32("inf" if value > single else "-inf")))
    if (single + other) / 2 != value:
        return single
    exact = _exact(field)
    if exact == value:
        return single  # a true tie: already rounded to even
    return max(single, other) if exact > value else min(single, other)


def _exact(field: str) -> Fraction:
    # of texts near the middle of two float32 values, which are neither huge nor tiny
    from fractions import Fraction

    decimal = _DECIMAL.fullmatch(field)
    if decimal:
        return Fraction(decimal[1])
    sign, whole, fraction, exponent = _hexadecimal_parts(field)
    return Fraction(int(sign + whole + fraction, 16)) * Fraction(2) ** (int(exponent) - 4 * len(fraction))


def parse_native(text: str | None, count: int) -> list[float] | None:
    """Read `count` numbers as ``Float.parseFloat``; None if there is another number of fields."""
    fields = split_fields(require_text(text))
    return [parse_float32(field) for field in fields] if len(fields) == count else None


def parse_rows(texts: Sequence[str], count: int, single: bool = False) -> NDArray[np.float64]:
    """Read many texts of the same number of numbers at once.

    Parameters
    ----------
    texts : sequence of str
        The texts.
    count : int
        Number of numbers in each.
    single : bool
        Read them as float32.

    Returns
    -------
    (len(texts), count) array

    Raises
    ------
    SpecError
        If one of them cannot be read, or has another number of numbers.
    """
    rows = None
    # digits, signs, points, exponents and blanks only: then a JSON parser reads what Java reads, or nothing
    if not "".join(texts).encode(errors="replace").translate(None, b"0123456789+-.eE "):
        rows = _plain_rows(texts, count)
    if rows is None:
        fields = [split_fields(text) for text in texts]
        if any(len(row) != count for row in fields):
            raise SpecError(f"{count} numbers are needed")
        read = parse_float32 if single else parse_double
        return np.array([[read(field) for field in row] for row in fields]).reshape(-1, count)
    if not single:
        return rows
    with np.errstate(over="ignore"):
        narrowed = rows.astype(np.float32).astype(np.float64)
    # doubles that may be the middle of two float32 values are decided on the text
    halves = rows.view(np.int64) & 0x1FFFFFFF == 0x10000000
    doubtful = halves | ((np.abs(rows) < 2.0**-125) & (rows != 0)) | (np.abs(rows) >= _FLOAT32_MAX)
    for row, column in zip(*np.nonzero(doubtful)):
        narrowed[row, column] = parse_float32(split_fields(texts[row])[column])
    return narrowed


def _plain_rows(texts: Sequence[str], count: int) -> NDArray[np.float64] | None:
    # texts of plain decimal numbers with single blanks between them; None if one is something else
    if any(text.count(" ") != count - 1 for text in texts):
        return None
    if _fast_loads is not None:
        with suppress(ValueError):  # JSON does not have +1 and 1.
            values = _fast_loads(f"[{','.join(texts).replace(' ', ',')}]")
            return np.array(values, dtype=np.float64).reshape(len(texts), count)
    try:
        values = [float(field) for text in texts for field in text.split(" ")]
    except ValueError:
        return None
    return np.array(values, dtype=np.float64).reshape(len(texts), count)


def format_doubles(values: list[float]) -> str:
    """Write doubles, separated by blanks, as the shortest text that Java reads as the same doubles."""
    if _fast_dumps is not None:
        text = _fast_dumps(values).translate(_COMMAS_TO_BLANKS, b"[]").decode()
        # where orjson would spell a number otherwise than Python the slow way decides: one spelling
        if "e" not in text and "0.0000" not in text and "n" not in text:
            return text
    return " ".join([format_double(value) for value in values])


def format_each(values: list[float]) -> list[str]:
    """Write each of many doubles as `format_double` does."""
    if _fast_dumps is not None and values:
        text = _fast_dumps(values)[1:-1].decode()
        if "n" not in text:
            texts = text.split(",")
            if "e" in text or "0.0000" in text:
                # only those that may be spelt otherwise are written anew
                for index, one in enumerate(texts):
                    if "e" in one or "0.0000" in one:
                        texts[index] = format_double(values[index])
            return texts
    return list(map(format_double, values))


def format_double(value: float) -> str:
    """Write one double as the shortest text that Java reads as the same double."""
    text = repr(value)
    if text[-1] in "fn":  # inf, nan
        return text.replace("inf", "Infinity").replace("nan", "NaN")
    return text


def format_floats32(values: Iterable[float]) -> str:
    """Write numbers that are float32 values as the shortest text that Java reads as the same float32."""
    # the digits are those of the float32, their spelling that of a double
    with np.errstate(over="ignore"):
        return " ".join(format_double(float(str(np.float32(value)))) for value in values)


def is_float32(value: float) -> bool:
    """Say whether a double is a float32 value."""
    try:
        narrowed: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return False
    return narrowed == value
