"""Regular expressions that somebody else has written: one that never ends must not stop a server.

The standard library has no limit of time and keeps the interpreter while it searches; ``regex`` has one,
and is used where it is installed (the extra ``server`` brings it along).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

SECONDS = 2.0
#: Bounds of a pattern, found before it is compiled: compiling ``a{999999999}`` alone fills the memory.
MOST_CHARACTERS = 1000
MOST_REPEATS = 10_000
MOST_NESTED = 50

_COUNT = re.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}")


class Pattern(NamedTuple):
    """A compiled pattern.

    Attributes
    ----------
    search, fullmatch : callable
        As those of ``re``; they raise `TimeoutError` after a while where that can be told.
    groups : int
        Number of groups.
    """

    search: Callable[[str], Any]
    fullmatch: Callable[[str], Any]
    groups: int


def check(text: str) -> None:
    """Refuse a pattern that may be too large to compile.

    Wherever they stand, numbers of repeats are taken for nested ones, so that nothing can hide them.

    Raises
    ------
    ValueError
        If it is too long, repeats too often or is nested too deeply.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has more than {MOST_CHARACTERS} characters")
    repeats = 1
    for least, most in _COUNT.findall(text):
        # more digits than that are no number of repeats, and may be too many to be read
        counts = [int(digits) if len(digits) < 9 else MOST_REPEATS + 1 for digits in (least, most) if digits]
        repeats *= max(counts, default=1) or 1
        if repeats > MOST_REPEATS:
            raise ValueError(f"it repeats more than {MOST_REPEATS} times")
    if text.count("(") > MOST_NESTED:
        raise ValueError(f"it has more than {MOST_NESTED} groups")


@lru_cache(maxsize=32)
def compiled(text: str) -> Pattern:
    """Compile a pattern.

    Raises
    ------
    ValueError
        If it is none, or larger than `check` allows.
    """
    check(text)
    try:
        import regex
    except ImportError:
        try:
            plain = re.compile(text)
        except (re.error, RecursionError, OverflowError) as problem:
            raise ValueError(str(problem)) from None
        return Pattern(plain.search, plain.fullmatch, plain.groups)
    try:
        limited: Any = regex.compile(text)
    except (regex.error, RecursionError, OverflowError) as problem:
        raise ValueError(str(problem)) from None
    return Pattern(
        partial(limited.search, timeout=SECONDS), partial(limited.fullmatch, timeout=SECONDS), limited.groups
    )
