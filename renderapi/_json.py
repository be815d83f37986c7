"""Encoding and decoding of JSON, in one place.

orjson writes and reads when it is installed (extra ``fast``), the standard library otherwise; both give
the same documents. msgspec, when installed, cuts an answer of many documents into the bytes of each,
so that only those that are touched need decoding.

Numbers that JSON does not have (NaN, infinity) are refused when writing, naming the place: a render
server answers a bare ``NaN`` with an error that does not say which of 5,000 tiles was bad.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from contextlib import contextmanager
from datetime import date, datetime, timezone
from enum import Enum
from functools import partial
from importlib.util import find_spec
from os import PathLike, fspath
from types import ModuleType
from typing import Any

import numpy as np

from renderapi.errors import SpecError

_orjson: ModuleType | None
try:
    import orjson as _orjson
except ImportError:
    _orjson = None
# loads when there is something to cut: it takes as long as half of this package
_HAS_MSGSPEC = find_spec("msgspec") is not None

if _orjson is not None and tuple(map(int, _orjson.__version__.split(".")[:3])) < (3, 10, 1):
    _orjson = None  # it writes arrays whose bytes are in the other order as other numbers

_ORJSON_OPTIONS = 0
if _orjson is not None:
    # what orjson would write in a way of its own goes through encode_unknown, as without orjson
    _ORJSON_OPTIONS = (
        _orjson.OPT_SERIALIZE_NUMPY | _orjson.OPT_PASSTHROUGH_DATETIME | _orjson.OPT_PASSTHROUGH_DATACLASS
    )


def encode_unknown(obj: Any) -> Any:
    """Return what an object that JSON does not know is written as.

    numpy scalars and arrays become numbers and lists (numbers of less than 64 bit in the shortest text that
    reads back as the same number of their type), sets sorted lists, other sequences lists, paths text,
    enumerations their value, dates render's timestamp; otherwise ``obj.to_dict()``, ``dict(obj)`` and the
    attributes of the object are tried in that order.

    Raises
    ------
    TypeError
        If none of them is possible.
    """
    if isinstance(obj, np.generic):
        return _encode_scalar(obj)
    if isinstance(obj, np.ndarray):
        if obj.dtype.kind == "f" and obj.itemsize < 8:
            obj = obj.astype(np.float32).astype(str).astype(np.float64)
        return obj.tolist()
    to_dict = getattr(obj, "to_dict", None)
    if callable(to_dict) and not isinstance(obj, type):
        return to_dict()
    if isinstance(obj, float):
        return float(obj)
    if isinstance(obj, (set, frozenset)):
        return _sorted(obj)
    if isinstance(obj, datetime):
        return timestamp(obj)
    if isinstance(obj, date):
        return obj.isoformat()
    if isinstance(obj, PathLike):
        return fspath(obj)
    if isinstance(obj, Enum):
        return obj.value
    if isinstance(obj, (str, bytes, bytearray, memoryview, type, ModuleType, Iterator)) or callable(obj):
        raise _not_json(obj)
    if isinstance(obj, (Sequence, Set, ValuesView)):
        return list(obj)
    if dataclasses.is_dataclass(obj):
        return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}
    try:
        return dict(obj)
    except (TypeError, ValueError):
        if hasattr(obj, "__dict__"):
            return vars(obj)
    raise _not_json(obj)


def _encode_scalar(number: np.generic) -> Any:
    if isinstance(number, np.floating):
        return float(str(np.float32(number))) if number.itemsize < 8 else float(number)
    if isinstance(number, np.datetime64):
        return number.astype("datetime64[us]").item().isoformat()
    return number.item()


def _sorted(values: Set[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:  # of several types
        return sorted(values, key=lambda value: (type(value).__name__, value))


def _not_json(obj: Any) -> TypeError:
    return TypeError(f"a {type(obj).__name__} cannot be written as JSON: {obj!r:.200}")


def _encode_fast(obj: Any, copied: list[bool] | None = None) -> Any:
    # a document that was read and not touched is copied as the bytes that it came as
    untouched = getattr(obj, "_untouched_json", None)
    if untouched is not None:
        content = untouched()
        if content is not None:
            if copied is not None:
                copied.append(True)
            return _orjson.Fragment(content)  # type: ignore[union-attr]
    return encode_unknown(obj)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector while many documents are read or written.

    Documents are trees, which reference counting alone frees; the collector would walk over all objects of
    the program again and again meanwhile. It runs again afterwards, also after an error; threads that do
    this at the same time end with it running, too.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def timestamp(moment: datetime | None = None) -> str:
    """Return a moment (default: now) as render writes it: UTC with milliseconds and a ``Z``.

    A moment without a time zone is taken for UTC.
    """
    moment = moment or datetime.now(timezone.utc)
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def dumps(obj: Any, copied: list[bool] | None = None) -> bytes:
    """Write a document as compact JSON in UTF-8.

    Parameters
    ----------
    obj : object
        Builtins, numpy values, and objects with a ``to_dict`` method, nested in any way.
    copied : list, optional
        Gets an item where bytes that came from elsewhere are in it as they came.

    Returns
    -------
    bytes
        UTF-8, without blanks or line ends between tokens.

    Raises
    ------
    SpecError
        If a number is NaN or infinite; the message names its place and the tile.
    TypeError
        If something cannot be written as JSON.
    """
    if _orjson is not None:
        if type(obj) is list and obj and (write_list := getattr(type(obj[0]), "_list_json", None)):
            try:
                with collector_paused():
                    return write_list(obj) if copied is None else write_list(obj, copied)  # type: ignore[no-any-return]
            except SpecError:
                _refuse_nonfinite(obj)  # which knows the place in the whole list
                raise
        encode = _encode_fast if copied is None else partial(_encode_fast, copied=copied)
        try:
            content: bytes = _orjson.dumps(obj, encode, _ORJSON_OPTIONS)
        except TypeError:
            pass  # integers over 64 bit and keys that are no text: the standard library writes those
        else:
            # orjson writes NaN as null, so only documents with a null need the search
            if b"null" in content:
                _refuse_nonfinite(obj)
            return content
    try:
        return dumps_text(obj, separators=(",", ":"), ensure_ascii=False).encode()
    except RecursionError:
        raise SpecError("a document is nested too deeply to be written, or holds itself") from None


def dumps_each(documents: list[Any]) -> list[bytes]:
    """Write each of many documents as `dumps` does."""
    if _orjson is not None:
        try:
            contents = [_orjson.dumps(document, _encode_fast, _ORJSON_OPTIONS) for document in documents]
        except TypeError:
            pass  # one of them is for the standard library
        else:
            for content, document in zip(contents, documents):
                if b"null" in content:
                    _refuse_nonfinite(document)
            return contents
    return list(map(dumps, documents))


def dumps_texts(texts: Iterable[str]) -> list[str]:
    """Write each of many texts as JSON, all in ASCII."""
    return list(map(json.encoder.encode_basestring_ascii, texts))


def encoded(document: dict[str, Any]) -> bytes:
    """Write a document as `dumps` does, as bytes to be kept, which `loads` reads back without loss.

    Raises
    ------
    SpecError, TypeError
        As for `dumps`; also of what would not come back, such as whole numbers over 64 bit.
    """
    if _orjson is None:
        return dumps(document)
    content = _orjson.dumps(document, _encode_fast, _ORJSON_OPTIONS)
    if b"null" in content:
        _refuse_nonfinite(document)
    # a copy, because the encoder gives a part of its buffer, and a fresh buffer costs more than this
    return bytes(memoryview(content))


#: Where a number has an exponent, perhaps, or looks as if it should have one; literals first make it fast.
_exponents = re.compile(rb"e(?<=[0-9]e)[-+0-9]").finditer
_LONGEST_NUMBER = 32
_string_or_number = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')


def canonical(document: Any) -> bytes:
    """Write a document so that equal ones have equal bytes, whoever wrote them first.

    Keys are sorted, there is no space, text is UTF-8 with no more escapes than JSON demands, and a number with a
    fraction or an exponent is written as Python does: the shortest text that reads back as the same double.

    Raises
    ------
    SpecError
        If a number is NaN or infinite.
    """
    content = _sorted_keys(document)
    return _string_or_number.sub(_respelt, content) if _is_spelt_otherwise(content) else content


def canonical_list(documents: list[Any]) -> bytes:
    """Write a list of documents as `canonical` does; a few hundred at a time are the fastest.

    Raises
    ------
    SpecError
        If a number is NaN or infinite.
    """
    content = _sorted_keys(documents)
    if _is_spelt_otherwise(content):  # one of them, perhaps
        return b"[%b]" % b",".join(map(canonical, documents))
    return content


def _sorted_keys(document: Any) -> bytes:
    if _orjson is None:
        return dumps_text(document, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()
    content: bytes = _orjson.dumps(document, option=_orjson.OPT_SORT_KEYS)
    if b"null" in content:
        _refuse_nonfinite(document)
    return content


def is_spelt_alike(content: bytes) -> bool:
    """Tell whether every writer spells the numbers of a text as `canonical` does, as far as it has exponents."""
    return not _is_spelt_otherwise(content)


def _is_spelt_otherwise(content: bytes) -> bool:
    # writers spell numbers with an exponent in different ways, and begin to use one at different sizes
    return bool((_small(content) or _may_have_exponent(content)) and _has_exponent(content))


def _may_have_exponent(content: bytes) -> bool:
    """Say whether something looks like a number with an exponent; those in texts, as of transforms, mostly do not."""
    for found in _exponents(content):
        end = found.start()
        before = content[max(end - _LONGEST_NUMBER, 0) : end].rstrip(b"0123456789.-")
        if not before or before[-1] in b":,[":
            return True
    return False


def _respelt(found: re.Match[bytes]) -> bytes:
    text = found[0]
    return text if text[:1] == b'"' or text.lstrip(b"-").isdigit() else repr(float(text)).encode()


_WRITTEN_AT_ONCE = 256


def spaced_text(obj: Any) -> str | None:
    """Write a document as `json.dumps` does without options, or give None where only that can do it.

    Lists are written some at a time, so that what only the standard library can write costs no more than
    its neighbours.
    """
    if _orjson is None or not _HAS_MSGSPEC:
        return None
    try:
        with collector_paused():
            if type(obj) is not list or len(obj) <= _WRITTEN_AT_ONCE:
                return _spaced(obj)
            parts = []
            for start in range(0, len(obj), _WRITTEN_AT_ONCE):
                part = obj[start : start + _WRITTEN_AT_ONCE]
                text = _spaced(part)
                parts.append((dumps_text(part) if text is None else text)[1:-1])
            return f"[{', '.join(parts)}]"
    except SpecError:
        return None  # numbers that JSON does not have


def _spaced(obj: Any) -> str | None:
    import msgspec

    copied: list[bool] = []
    content = dumps(obj, copied)
    if not content.isascii() or b"\x7f" in content:
        return None
    # bytes from elsewhere may spell numbers and escapes in a way of their own
    if copied and not _as_written_here(content):
        try:
            return json.dumps(json.loads(content), allow_nan=False)
        except ValueError:
            return None  # numbers beyond a double among others, which are told of elsewhere
    if _has_exponent(content):  # which Python writes in another way
        return None
    text: str = msgspec.json.format(content, indent=0).decode()
    return text


def _as_written_here(content: bytes) -> bool:
    try:
        return bool(_orjson.dumps(_orjson.loads(content)) == content)  # type: ignore[union-attr]
    except ValueError:
        return False


def _has_exponent(content: bytes) -> bool:
    """Say whether compact JSON may have numbers that Python writes with an exponent."""
    codes = np.frombuffer(content, np.uint8)
    # most documents have none even in their texts, which is found sooner
    if (
        codes[0] in _LISTS_AND_OBJECTS
        and not (((codes[1:] | 0x20) == ord("e")) & (codes[:-1] - ord("0") < 10)).any()
        and _small(content) is None
    ):
        return False
    if b"\\" in content:
        content = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    return _exponent(b'"'.join(content.split(b'"')[::2])) is not None


_LISTS_AND_OBJECTS = b"[{"
#: Begins with the text itself, which is what makes it fast.
_small = re.compile(rb"0\.0000(?:(?<=[:,\[]0\.0000)|(?<=[:,\[]-0\.0000))").search
_exponent = re.compile(rb"[0-9][eE]|(?<![0-9])0\.0000").search


def dumps_text(obj: Any, allow_nan: bool = False, **options: Any) -> str:
    """Write a document with the standard library, with any option of `json.dumps`."""
    if "cls" not in options:  # an encoder class has its own idea of unknown objects
        options.setdefault("default", encode_unknown)
    try:
        return json.dumps(obj, allow_nan=allow_nan, **options)
    except ValueError as error:
        if "float" in str(error):
            _refuse_nonfinite(obj)
        raise


def loads(content: bytes | bytearray | memoryview | str) -> Any:
    """Read JSON; the tokens ``NaN`` and ``Infinity`` of lenient writers become floats.

    Whole numbers over 64 bit, which no Java server writes, are exact only without orjson.

    Raises
    ------
    ValueError
        If it is not JSON (a `json.JSONDecodeError`), or nested too deeply to be read.
    """
    if _orjson is not None:
        try:
            return _orjson.loads(content)
        except ValueError:
            pass  # NaN, or numbers that orjson refuses: let the standard library decide
    if isinstance(content, memoryview):
        content = bytes(content)
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def split_list(content: bytes) -> list[bytes] | None:
    """Cut a JSON array into the bytes of its elements, or give None where that is not possible."""
    parts = _split(content, lambda raw: list[raw])  # type: ignore[valid-type]
    # copies, because a Raw keeps the whole content in memory
    return None if parts is None else list(map(bytes, parts))


def split_maps(content: bytes) -> dict[str, dict[str, bytes]] | None:
    """Cut a JSON object of objects into the bytes of their values, or give None where it is not one."""
    parts = _split(content, lambda raw: dict[str, dict[str, raw]])  # type: ignore[valid-type]
    if parts is None:
        return None
    return {key: dict(zip(part, map(bytes, part.values()))) for key, part in parts.items()}


def _split(content: bytes, kind: Callable[[Any], Any]) -> Any:
    if not _HAS_MSGSPEC:
        return None
    import msgspec

    try:
        if not content.isascii():
            content.decode()  # msgspec does not look into the texts that it cuts out
        return msgspec.json.decode(content, type=kind(msgspec.Raw))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # not of that kind, or not strict JSON: the caller decodes it as a whole


def _refuse_nonfinite(obj: Any) -> None:
    for path, value, tile_id in nonfinite_numbers(obj):
        tile = f" of tile {tile_id!r}" if tile_id is not None else ""
        raise SpecError(f"{path or 'the value'}{tile} is {value}: render accepts finite numbers only")


def nonfinite_numbers(obj: Any) -> Iterator[tuple[str, float, str | None]]:
    """Walk a document and give the path, value and tile id of each number that is NaN or infinite."""
    return _walk(obj, "", None)


def _walk(obj: Any, path: str, tile_id: str | None) -> Iterator[tuple[str, float, str | None]]:
    if isinstance(obj, float):  # also numpy.float64
        if not math.isfinite(obj):
            yield path, float(obj), tile_id
    elif isinstance(obj, (str, bytes, int, type(None))):
        return
    elif isinstance(obj, Mapping):
        tile_id = obj.get("tileId", tile_id)
        for key, value in obj.items():
            yield from _walk(value, f"{path}.{key}" if path else str(key), tile_id)
    elif isinstance(obj, (list, tuple)):
        for index, value in enumerate(obj):
            yield from _walk(value, f"{path}[{index}]", tile_id)
    elif isinstance(obj, np.ndarray):
        if obj.dtype.kind == "f":
            for place in np.argwhere(~np.isfinite(obj)):
                yield path + "".join(f"[{i}]" for i in place), float(obj[tuple(place)]), tile_id
        elif obj.dtype.kind == "O":
            yield from _walk(obj.tolist(), path, tile_id)
    else:
        yield from _walk(encode_unknown(obj), path, tile_id)
