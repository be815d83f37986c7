"""Small tools: JSON of render documents, requests by URL, and helpers that programs import from here.

The functions that take a session and a URL are what the endpoint functions of the package are built on;
they are public because programs use them for endpoints of their own.
"""

from __future__ import annotations

import json
import logging
import math
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import requests

from renderapi import _json
from renderapi.errors import ConversionError, RenderError, RenderWarning
from renderapi.http import transport

# a name for programs: this package writes and reads by renderapi._json
_judged_again = "requests_json" in globals()
requests_json: Any
try:
    # a statement, which programs can intercept
    import ujson as requests_json  # type: ignore[import-not-found,import-untyped,no-redef,unused-ignore]
except ImportError:
    requests_json = json
if _judged_again:
    # A program that reloads this module wants its choice to count. Importing alone must not change what
    # every other user of requests in the process decodes with.
    requests.models.complexjson = requests_json  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class NullHandler(logging.Handler):
    """A log handler that does nothing, so that a library stays silent until it is asked to speak."""

    def emit(self, record: logging.LogRecord) -> None:
        """Drop the record.

        Parameters
        ----------
        record : logging.LogRecord
            The record.
        """


logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "NullHandler",
    "RenderEncoder",
    "RenderError",
    "decodeBase64",
    "defaultifNone",
    "encodeBase64",
    "fitargspec",
    "get_json",
    "jbool",
    "logger",
    "post_json",
    "put_json",
    "renderdump",
    "renderdump_temp",
    "renderdumps",
    "requests_json",
    "rest_delete",
    "stripLogger",
]


class BareArrayError(ConversionError, AttributeError):
    """An array was given where a document of render is needed."""


class RenderEncoder(json.JSONEncoder):
    """A `json.JSONEncoder` that also writes numpy values and everything with a ``to_dict`` method."""

    def default(self, obj: Any) -> Any:
        """Return what an object that JSON does not know is written as.

        Parameters
        ----------
        obj : object
            An object with ``to_dict``, or a number or array of numpy.

        Returns
        -------
        object
            What JSON knows.
        """
        return _json.encode_unknown(obj)


def renderdumps(obj: Any, *args: Any, **kwargs: Any) -> str:
    """Write render objects (tile specs, transforms, lists of them ...) as JSON text.

    Parameters
    ----------
    obj : object
        What to write.
    *args, **kwargs
        As for `json.dumps` (``indent=``, ``sort_keys=``, ``cls=`` ...).

    Returns
    -------
    str
        The text that `json.dumps` gives for the documents of the objects.

    Raises
    ------
    ConversionError
        That is also an AttributeError, for an array: it is no document.

    Warns
    -----
    RenderWarning
        If a number is NaN or infinite: it is written as such, and no render server will read it. With
        ``allow_nan=False`` it is an error that names its place.
    """
    if isinstance(obj, np.ndarray):
        raise BareArrayError("an array is no document of render: give array.tolist(), or what it belongs to")
    if not args and not kwargs:
        text = _json.spaced_text(obj)
        if text is not None:
            return text
    if kwargs.get("allow_nan") is False:
        return _json.dumps_text(obj, *args, **kwargs)
    if "cls" not in kwargs:
        kwargs.setdefault("default", _json.encode_unknown)
    text = json.dumps(obj, *args, **kwargs)
    if "NaN" in text or "Infinity" in text:
        _warn_nonfinite(obj)
    return text


def renderdump(obj: Any, *args: Any, **kwargs: Any) -> None:
    """Write render objects as JSON to an open text file.

    Parameters
    ----------
    obj : object
        What to write.
    *args, **kwargs
        The file (``fp``), then as for `json.dump`; see `renderdumps`.
    """
    if args:
        fp, *args = args  # type: ignore[assignment]
    elif "fp" in kwargs:
        fp = kwargs.pop("fp")
    else:
        raise TypeError("renderdump needs the open file to write to as second argument (fp)")
    fp.write(renderdumps(obj, *args, **kwargs))


def renderdump_temp(obj: Any, *args: Any, **kwargs: Any) -> str:
    """Write render objects as JSON to a new temporary file, which the caller removes.

    Parameters
    ----------
    obj : object
        What to write; NaN and infinity are refused, because the file is for a Java client.
    *args, **kwargs
        As for `json.dumps`.

    Returns
    -------
    str
        Path of the file; its name ends in ``.json``.
    """
    if args or kwargs:
        content = renderdumps(obj, *args, **{"allow_nan": False, **kwargs}).encode()
    else:
        content = _json.dumps(obj)
    with tempfile.NamedTemporaryFile(suffix=".json", delete=False) as file:
        try:
            file.write(content)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return file.name


def _warn_nonfinite(obj: Any) -> None:
    for path, value, tile_id in _json.nonfinite_numbers(obj):
        tile = f" of tile {tile_id!r}" if tile_id is not None else ""
        warnings.warn(
            f"{path or 'the value'}{tile} is {value}: no render server reads this document",
            RenderWarning,
            stacklevel=3,
        )
        return


def jbool(val: Any) -> str:
    """Write a boolean as Java reads it: ``"true"`` or ``"false"``; the word "false" stays false.

    Parameters
    ----------
    val : object
        The boolean, or a word for it.

    Returns
    -------
    str
    """
    if isinstance(val, str):
        val = val.strip().lower() not in ("", "false")
    return "true" if val else "false"


def defaultifNone(val: Any, default: Any = None) -> Any:
    """Return `val`, or `default` if it is None.

    Parameters
    ----------
    val : object
        Value, or None.
    default : object, optional
        What stands for None.

    Returns
    -------
    object
    """
    return default if val is None else val


def stripLogger(logger_tostrip: logging.Logger) -> None:
    """Remove every handler of a logger.

    Parameters
    ----------
    logger_tostrip : logging.Logger
        The logger.
    """
    for handler in list(logger_tostrip.handlers):
        logger_tostrip.removeHandler(handler)


def fitargspec(
    f: Callable[..., Any], oldargs: tuple[Any, ...], oldkwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sort the arguments of a call into those without a default (positional) and those with one (by name).

    Parameters
    ----------
    f : callable
        The function that will be called.
    oldargs, oldkwargs : tuple, dict
        The call as it was written.

    Returns
    -------
    args : tuple
    kwargs : dict
        The same call: parameters that have a default, given positionally, have moved to their names.
    """
    import inspect

    parameters = inspect.signature(f).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return tuple(oldargs), dict(oldkwargs)
    required = sum(p.default is p.empty for p in positional)
    if len(oldargs) > len(positional):
        name = getattr(f, "__name__", f)
        raise TypeError(f"{name}() takes {len(positional)} positional arguments, {len(oldargs)} given")
    kwargs = dict(oldkwargs)
    for parameter, value in zip(positional[required:], oldargs[required:]):
        if parameter.name in kwargs:
            raise TypeError(f"{getattr(f, '__name__', f)}() got two values for {parameter.name!r}")
        kwargs[parameter.name] = value
    return tuple(oldargs[:required]), kwargs


def get_json(
    session: requests.Session | None,
    request_url: str,
    params: Any = None,
    stream: bool = False,
    **kwargs: Any,
) -> Any:
    """GET a JSON document.

    Parameters
    ----------
    session : requests.Session or None
        Session to use; None for the default one of the thread.
    request_url : str
        Full URL.
    params : dict or list of tuple, optional
        Query parameters.
    stream : bool
        Accepted for old programs; the answer is read as a whole either way.
    **kwargs
        Handed to `requests.Session.request` (``headers=``, ``timeout=`` ...).

    Returns
    -------
    object
        The decoded document.

    Raises
    ------
    RenderError
        One of its subclasses, if the server refuses or the answer is not JSON.
    requests.exceptions.ConnectionError, requests.exceptions.Timeout
        If the server cannot be reached or does not answer in time.
    """
    return transport.decode_json(transport.send(session, "GET", request_url, params=params, **kwargs))


def put_json(
    session: requests.Session | None, request_url: str, d: Any, params: Any = None
) -> requests.Response:
    """PUT a document as JSON and give the answer; errors as for `get_json`.

    Parameters
    ----------
    session, request_url, params
        As for `get_json`.
    d : object
        Document: what JSON knows, and objects with ``to_dict``.

    Returns
    -------
    requests.Response
    """
    return transport.send(session, "PUT", request_url, params=params, document=d)


def post_json(
    session: requests.Session | None, request_url: str, d: Any, params: Any = None
) -> requests.Response:
    """POST a document as JSON and give the answer; errors as for `get_json`. Never sent twice.

    Parameters
    ----------
    session, request_url, d, params
        As for `put_json`.

    Returns
    -------
    requests.Response
    """
    return transport.send(session, "POST", request_url, params=params, document=d)


def rest_delete(session: requests.Session | None, request_url: str, params: Any = None) -> requests.Response:
    """Send a DELETE and give the answer; errors as for `get_json`.

    Parameters
    ----------
    session, request_url, params
        As for `get_json`.

    Returns
    -------
    requests.Response
    """
    return transport.send(session, "DELETE", request_url, params=params)


def encodeBase64(src: ArrayLike) -> str:
    """Write numbers as the blocks of a thin plate spline dataString.

    Parameters
    ----------
    src : array_like
        Numbers of any shape, written in C order.

    Returns
    -------
    str
        Base64 of the zlib-compressed big-endian doubles (trakem2 ``ThinPlateSplineTransform``).
    """
    import base64
    import zlib

    return base64.b64encode(zlib.compress(np.asarray(src, dtype=">f8").tobytes())).decode("ascii")


def decodeBase64(src: str) -> NDArray[np.float64]:
    """Read a block of a thin plate spline dataString; the inverse of `encodeBase64`.

    Parameters
    ----------
    src : str
        Base64 text; a leading ``@`` says that the doubles are not compressed.

    Returns
    -------
    (N,) float64 array

    Raises
    ------
    ConversionError
        If it is not such a block.
    """
    import base64
    import binascii
    import zlib

    try:
        if src[:1] == "@":
            content = base64.b64decode(src[1:], validate=True)
        else:
            content = zlib.decompress(base64.b64decode(src, validate=True))
        return np.frombuffer(content, dtype=">f8").astype(np.float64)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ConversionError(f"not a base64 block of doubles ({error}): {src[:60]!r}") from None


def java_double(value: float) -> str:
    """Write a number as Java's ``Double.toString`` does: ``1.0``, ``1.0E7``, ``1.0E-5``."""
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        # repr changes to exponents only above 1e16 and below 1e-4, so never here
        return repr(value)
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    power = int(exponent or 0) + len(whole) - 1
    digits = whole + fraction
    shift = len(digits) - len(digits.lstrip("0"))
    digits = digits[shift:].rstrip("0")
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power - shift}"


def open_text(path: str | Path, mode: str = "r") -> IO[str]:
    """Open a JSON file for reading or writing text, gzipped if its name ends in ``.gz``."""
    import gzip

    if str(path).endswith(".gz"):
        return gzip.open(path, mode + "t", encoding="utf-8")  # type: ignore[return-value]
    return Path(path).open(mode, encoding="utf-8")
