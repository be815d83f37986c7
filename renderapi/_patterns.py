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


@lru_cache(maxsize=32)
def compiled(text: str) -> Pattern:
    """Compile a pattern.

    Raises
    ------
    ValueError
        If it is none.
    """
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
