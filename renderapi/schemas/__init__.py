"""What the documents of render-ws look like, as JSON Schema, and a check that says what is wrong.

One schema file (JSON Schema, draft 2020-12) per document lies beside this module. They describe
what a client may *send* so that a real render-ws accepts and understands it: numbers may be written
as text, keys that the server does not know are let through (it drops them), but a document that
would be refused, or fail later when it is rendered, is not valid.

The schemas of configuration (`ConnectionSchema`, `SiftPointMatchOptionsSchema`, ...) are marshmallow
classes and live in `renderapi.schemas.config`. jsonschema and marshmallow are imported when they are
first needed.

Three annotations are ours; other validators may ignore them: ``x-error`` is what is said of a value that
does not fit, ``x-parallel`` names arrays that must have one length, ``x-joinedLength`` limits the
length of several names together. ``additionalProperties`` is used without ``properties`` beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module, resources
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._json import encode_unknown
from renderapi.errors import SpecError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator
    from referencing import Registry

__all__ = [
    "ConnectionSchema",
    "FeatureExtractionSchema",
    "FeatureRenderSchema",
    "LayerBoundsSchema",
    "MatchDerivationSchema",
    "SiftPointMatchOptionsSchema",
    "TileSpecValidatorSchema",
    "ZRangeSchema",
    "kinds",
    "load",
    "problems",
    "registry",
    "validate",
]

_SHOWN = 5
_LONGEST_VALUE = 60


def __getattr__(name: str) -> Any:
    # marshmallow costs more to import than the rest of the package
    if name in __all__ or name == "config":
        config = import_module("renderapi.schemas.config")
        return config if name == "config" else getattr(config, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


@cache
def kinds() -> tuple[str, ...]:
    """Names of the documents that can be checked.

    Examples
    --------
    >>> "tilespec" in kinds()
    True
    """
    files = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name[:-5] for name in files if name.endswith(".json") and name[0] != "_"))


def load(kind: str) -> dict[str, Any]:
    """JSON Schema of a document, as a new dict.

    Its references are relative (``layout.json#/$defs/fields``); `registry` resolves them.

    Parameters
    ----------
    kind : str
        Kind of document; one of `kinds`.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        There is no such kind of document.
    """
    return _read(f"{_known(kind)}.json")


def _known(kind: str) -> str:
    if kind not in kinds():
        raise ValueError(f"there is no kind of document {kind!r}; known are {', '.join(kinds())}")
    return kind


def _read(name: str) -> dict[str, Any]:
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def registry() -> Registry[Any]:
    """All schemas under their file names, for `jsonschema` (``registry=``); it never looks elsewhere."""
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    contents = {f"{name}.json": _read(f"{name}.json") for name in (*kinds(), "_common")}
    for schema in contents.values():
        # jsonschema would leave our validator for the one that $schema names
        del schema["$schema"]
    return Registry().with_resources((n, DRAFT202012.create_resource(s)) for n, s in contents.items())


def validate(kind: str, document: Any) -> None:
    """Check that render-ws would accept and understand a document.

    Parameters
    ----------
    kind
        One of `kinds`.
    document
        The decoded JSON; objects with ``to_dict()`` (a `TileSpec`, a `ResolvedTiles`), numpy arrays
        and numbers stand for what they would be sent as.

    Raises
    ------
    SpecError
        Says where the document is wrong and why; of many errors the number and the first few.
    ValueError
        There is no such kind of document.

    Examples
    --------
    >>> validate("stack_id", {"owner": "o", "project": "p", "stack": "a.b"})
    Traceback (most recent call last):
        ...
    renderapi.errors.SpecError: stack_id is not valid at stack: 'a.b' is not a name that render-ws can \
address: letters, digits and single underscores between them
    """
    found = problems(kind, document)
    if not found:
        return
    shown = [f" at {path}: {why}" if path else f": {why}" for path, why in found[:_SHOWN]]
    text = f"{kind} is not valid{shown[0]}" + "".join(f"\n  and{line}" for line in shown[1:])
    if len(found) > 1:
        text += f"\n  ({len(found)} errors in all)"
    raise SpecError(text)


def problems(kind: str, document: Any) -> list[tuple[str, str]]:
    """Every error of a document, as pairs of path and reason; the path of the whole document is empty.

    Parameters
    ----------
    kind : str
        Kind of document; one of `kinds`.
    document : object
        The document, or an object of this package that is written as one.

    Returns
    -------
    list of (str, str)
        None of a document that is right.

    Examples
    --------
    >>> problems("tile_coordinates", {"world": [1.0, "a"]})
    [('world[1]', "'a' is not a finite number")]
    """
    validator = _validator(_known(kind))
    try:
        errors = list(validator.iter_errors(_plain(document)))
    except RecursionError:
        return [("", "is nested too deeply")]
    first: dict[str, str] = {}
    for error in errors:
        # several schemas may look at one value, and would only repeat each other
        first.setdefault(_path(error.absolute_path), _reason(error))
    return list(first.items())


@cache
def _validator(kind: str) -> Validator:
    validator: Validator = _validator_class()(registry().contents(f"{kind}.json"), registry=registry())
    return validator


@cache
def _validator_class() -> Any:
    """Draft 2020-12 for which NaN is no number, and which puts a missing key into the path."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    def required(_: Any, keys: list[str], instance: Any, __: Any) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            for key in keys:
                if key not in instance:
                    yield ValidationError("is missing", path=[key])

    def additional(validator: Any, schema: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
        # jsonschema's own goes through the keys as through a set: errors would come in random order
        if isinstance(instance, dict):
            for key, value in instance.items():
                yield from validator.descend(value, schema, path=key)

    def parallel(_: Any, keys: list[str], instance: Any, __: Any) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            lengths = dict(_lengths(instance, keys))
            if len(set(lengths.values())) > 1:
                listing = ", ".join(f"{key} has {length}" for key, length in lengths.items())
                yield ValidationError(f"lists that belong together differ in length: {listing}")

    def joined(_: Any, limit: dict[str, Any], instance: Any, __: Any) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            parts = [str(instance.get(key, "")) for key in limit["keys"]]
            if len("__".join(parts)) > limit["maximum"]:
                yield ValidationError(f"{', '.join(limit['keys'])} {limit['x-error']}")

    checker = Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number)
    return extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {
            "required": required,
            "additionalProperties": additional,
            "x-parallel": parallel,
            "x-joinedLength": joined,
        },
        type_checker=checker,
    )


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _lengths(instance: dict[str, Any], keys: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Length of each list, or of each of its lists where it holds one per dimension."""
    for key in keys:
        value = instance.get(key)
        if not isinstance(value, list):
            continue
        if value and isinstance(value[0], list):
            yield from ((f"{key}[{i}]", len(row)) for i, row in enumerate(value) if isinstance(row, list))
        else:
            yield key, len(value)


def _plain(value: Any) -> Any:
    """What `value` is once it has been through JSON, except that NaN stays NaN."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, (str, int, float)) and not isinstance(value, np.generic):
        return value
    try:
        return _plain(encode_unknown(value))
    except TypeError:
        # it cannot be sent at all: the type that the schema asks for is what is wrong with it
        return value


def _path(keys: Iterable[str | int]) -> str:
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.isidentifier():
            text += f".{key}" if text else key
        else:
            text += f"[{json.dumps(key, ensure_ascii=False)}]"
    return text


def _reason(error: ValidationError) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    limit: Any = error.validator_value
    instance: Any = error.instance
    match error.validator:
        case "required" | "x-parallel" | "x-joinedLength":
            return error.message
        case "enum":
            return f"{_show(instance)} is none of {', '.join(_show(v) for v in limit if v is not None)}"
        case "const":
            return f"must be {_show(limit)}, not {_show(instance)}"
        case "minProperties":
            return "is empty"
        case "minItems" | "maxItems":
            word = "at least" if error.validator == "minItems" else "at most"
            return f"has {len(instance)} entries, but must have {word} {limit}"
        case "dependentRequired":
            return f"{', '.join(limit)} must be given together or not at all"
        case "anyOf" if "x-error" in schema:
            return str(schema["x-error"])
        case "type" if "object" in limit:
            return f"{_show(instance)} is not an object"
        case _ if "x-error" in schema:
            return f"{_show(instance)} {schema['x-error']}"
        case _:
            return error.message


def _show(value: Any) -> str:
    """A value as it is written in JSON, texts in single quotes, shortened."""
    if isinstance(value, (bool, type(None))):
        return json.dumps(value)
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
