"""The order in which a Java ``HashSet`` of strings comes out, which the answers of render-ws show."""

from __future__ import annotations

from collections.abc import Iterable


def _hash(text: str) -> int:
    value = 0
    for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"):
        value = (31 * value + unit) & 0xFFFFFFFF
    return value ^ (value >> 16)


def as_hash_set(texts: Iterable[str]) -> list[str]:
    """Return strings, each once, in the order of a set that they were put into one by one."""
    distinct = list(dict.fromkeys(texts))
    size = 16
    while len(distinct) > 0.75 * size:
        size *= 2
    return sorted(distinct, key=lambda text: _hash(text) & (size - 1))
