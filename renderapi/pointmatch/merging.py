"""Points of several match documents of one pair, one behind the other, as render-ws merges collections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from renderapi.errors import SpecError

__all__ = ["merged_pair"]


def merged_pair(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Append the points of several documents of one pair to those of the first, which may have none.

    Parameters
    ----------
    documents : sequence of dict
        Match documents, at least one; each names the pair in the same order.

    Returns
    -------
    dict
        A new document with lists of numbers; of the rest that of the first counts.

    Raises
    ------
    SpecError
        If another one than the first has no matches.
    """
    first = documents[0]
    if any(document.get("matches") is None for document in documents[1:]):
        raise SpecError(
            f"matches of {first['pId']} and {first['qId']} without their details cannot be merged"
        )
    together: dict[str, Any] = {}
    for document in documents:
        for name, values in (document.get("matches") or {}).items():
            if name == "w":
                together[name] = [*together.get(name, []), *values]
            else:
                before = together.get(name) or [[] for _ in values]
                together[name] = [[*old, *new] for old, new in zip(before, values)]
    answer = {name: value for name, value in first.items() if name != "matchCount"}
    answer["matches"] = together
    answer["matchCount"] = len(together["w"])
    return answer
