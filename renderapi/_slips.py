"""Answers to obvious slips of a call: what is no list, and warnings that point at the caller's line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from renderapi.errors import RenderWarning, SpecError


def warn_caller(text: str) -> None:
    """Return a `RenderWarning` that names the line outside of this package from which it was called."""
    package = __name__.partition(".")[0]
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, RenderWarning, stacklevel=level)


def check_tile_list(tilespecs: Any, stack: Any = "", first: int = 0) -> None:
    """Raise `SpecError` for what is no collection of tiles, or one with something else in it.

    Parameters
    ----------
    tilespecs : object
        What was given. Of what is no list or tuple the items are not looked at.
    stack : object
        What was given as the stack before it.
    first : int
        Number of the first item, where they are some of many.
    """
    if isinstance(tilespecs, str) and not isinstance(stack, str):
        raise SpecError(f"stack and tile specs are swapped: the stack {tilespecs!r:.100} comes first")
    check_list(tilespecs, "tilespecs", "tile specs")
    if isinstance(tilespecs, (list, tuple)):
        _check_items(tilespecs, "tilespecs", "tile spec", first)


def check_transform_list(transforms: Any, name: str) -> None:
    """Raise `SpecError` for what is no collection of transforms, or a list with something else in it."""
    check_list(transforms, name, "transforms")
    if isinstance(transforms, (list, tuple)):
        _check_items(transforms, name, "transform", 0)


def check_list(given: Any, name: str, what: str) -> None:
    """Raise `SpecError` for one thing where several are expected."""
    if (
        isinstance(given, (str, bytes, Mapping))
        or hasattr(given, "to_dict")
        or not isinstance(given, Iterable)
    ):
        raise SpecError(
            f"{name} must be a list of {what}, not {given!r:.100} of type {type(given).__name__}: "
            f"give a list, {name}=[...]"
        )


def _check_items(items: Sequence[Any], name: str, what: str, first: int) -> None:
    # most lists hold one kind only, so that a million items cost no more than a set of their types
    strange = {kind for kind in set(map(type, items)) if not _is_document_kind(kind)}
    if strange:
        index, item = next((i, item) for i, item in enumerate(items) if type(item) in strange)
        hint = ""
        if isinstance(item, type):
            hint = f" (the class; is {item.__name__}() meant?)"
        raise SpecError(
            f"item {first + index} of {name} is {_shown(item)} of type {type(item).__name__}, "
            f"not a {what}{hint}"
        )


def _shown(item: Any) -> str:
    try:
        return f"{item!r:.100}"
    except RecursionError:
        return "[...]"


def _is_document_kind(kind: type) -> bool:
    return not issubclass(kind, type) and (issubclass(kind, Mapping) or hasattr(kind, "to_dict"))
