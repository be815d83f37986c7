"""What is asked of the arguments of bulk work, whoever does it: nothing is started, or sent, with a bad one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from renderapi.errors import ClientScriptError

BOX = ("minX", "maxX", "minY", "maxY")


class ClientArgumentError(ClientScriptError, ValueError):
    """An argument that the Java client, or the script that starts it, would not understand."""


def boolean_word(value: Any) -> str | None:
    """Return a boolean as an option takes it that wants ``true`` or ``false``, which Java reads in any case."""
    if value is None or (isinstance(value, str) and value.strip().lower() in ("true", "false")):
        return value
    if isinstance(value, str):
        raise ClientArgumentError(f"{value!r} is neither true nor false")
    return str(bool(value))


def whole_number(value: Any, name: str) -> int | None:
    """Return a whole number as an integer, because Java refuses ``255.0``; fractions are refused here."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not number.is_integer():
        raise ClientArgumentError(f"{name} must be a whole number, not {value!r}")
    return int(number)


def finite_number(value: Any, name: str) -> Any:
    """Return a number as it is, one that is written as text as a number, and None as None.

    Raises
    ------
    ClientArgumentError
        If it is no finite number.
    """
    if value is None:
        return None
    try:
        number = float(value)
        if math.isfinite(number) and not isinstance(value, bool):
            return number if isinstance(value, str) else value
    except (TypeError, ValueError, OverflowError):
        pass
    raise ClientArgumentError(f"{name} is {value!r:.100}: it must be a finite number; nothing was started")


def as_list(values: Any) -> list[Any]:
    """Return one value, or a list, tuple, array or iterable of values, as a list."""
    if isinstance(values, np.ndarray):
        return list(np.atleast_1d(values).tolist())
    if isinstance(values, (str, PathLike)) or not isinstance(values, Iterable):
        return [values]
    return list(values)


def check_choice(value: str | None, allowed: Sequence[str], name: str) -> str | None:
    """Refuse a value that is none of the allowed ones; None stands for Java's default."""
    if value is not None and value not in allowed:
        raise ClientArgumentError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")
    return value


def check_compat(compat: str) -> str:
    """Return a branch of render, which must be one."""
    check_choice(compat, ("master", "newsolver"), "compat")
    return compat


def checked_box(box: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the four sides of a box in a layer, None where none of them is given.

    Raises
    ------
    ClientArgumentError
        If not all of its sides are given, or a minimum is above its maximum.
    """
    given: dict[str, Any] = {name: (box or {}).get(name) for name in BOX}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(BOX):
        return None
    if missing:
        raise ClientArgumentError(f"a box needs all of {', '.join(BOX)}; missing: {', '.join(missing)}")
    for low, high in (("minX", "maxX"), ("minY", "maxY")):
        if float(given[low]) > float(given[high]):
            raise ClientArgumentError(f"{low} ({given[low]}) is above {high} ({given[high]})")
    return given


def bounds_of(box: Mapping[str, Any] | None) -> tuple[float, float, float, float] | None:
    """Return minX, minY, maxX, maxY of a box as `checked_box` does."""
    given = checked_box(box)
    if given is None:
        return None
    return float(given["minX"]), float(given["minY"]), float(given["maxX"]), float(given["maxY"])
