"""Match documents in memory: copies, sides exchanged, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from renderapi.errors import SpecError

_ID_KEYS = ("pGroupId", "qGroupId", "pId", "qId")


def copy_match_explicit(match: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a match document, so that changes of the copy do not reach the original.

    Parameters
    ----------
    match : dict
        A match document. Keys that are not named in the documentation of this module are copied too.

    Returns
    -------
    dict
        Its ``p`` and ``q`` are lists of lists (or of arrays, if they were arrays).
    """
    copied = {key: deepcopy(value) for key, value in match.items() if key != "matches"}
    if match.get("matches") is not None:
        # much faster than deepcopy, which looks at every number
        copied["matches"] = {
            key: [_copied(row) for row in value]
            if key in ("p", "q") and value is not None
            else _copied(value)
            for key, value in match["matches"].items()
        }
    return copied


def _copied(values: Any) -> Any:
    if isinstance(values, (list, np.ndarray)):
        return values.copy()
    return list(values) if isinstance(values, tuple) else deepcopy(values)


def copy_matches_explicit(matches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copy match documents, so that changes of the copies do not reach the originals.

    Parameters
    ----------
    matches : iterable of dict
        Match documents.

    Returns
    -------
    list of dict
    """
    return [copy_match_explicit(match) for match in matches]


def swap_matchpair(match: Mapping[str, Any], copy: bool = True) -> dict[str, Any]:
    """Exchange p and q of a match document.

    Parameters
    ----------
    match : dict
        A match document; it stays as it is.
    copy : bool
        Whether the points are copied, or shared with `match`.

    Returns
    -------
    dict
        The document seen from the other side. Like the server, this leaves ``consensusSetData`` alone.

    Raises
    ------
    KeyError
        If an id is missing.
    """
    swapped = copy_match_explicit(match) if copy else dict(match)
    swapped.update(pGroupId=match["qGroupId"], qGroupId=match["pGroupId"], pId=match["qId"], qId=match["pId"])
    points = swapped.get("matches")
    if points is not None:
        swapped["matches"] = {**points, "p": points["q"], "q": points["p"]}
    return swapped


def is_per_dimension(index: int, document: Any) -> bool:
    """Check a match document; False if it is sound but for points that are given one by one.

    The user guide of render-python writes its example like that, and render-ws stores it.
    """
    if not isinstance(document, Mapping):
        raise SpecError(f"match document {index} is a {type(document).__name__}, not a dict")
    missing = [key for key in _ID_KEYS if document.get(key) is None]
    if missing:
        raise SpecError(f"{pair_name(index, document)} lacks {', '.join(missing)}")
    points = document.get("matches")
    if points is None:
        if document.get("matchCount"):
            raise SpecError(
                f"{pair_name(index, document)} has a matchCount but no matches: was it read with "
                f"excludeMatchDetails=True? Storing it would remove its points."
            )
        return True
    lacking = [key for key in ("p", "q", "w") if not isinstance(points, Mapping) or points.get(key) is None]
    if lacking:
        raise SpecError(f"the matches of {pair_name(index, document)} lack {', '.join(lacking)}")
    try:
        p, q, w = (np.asarray(points[key], dtype=np.float64) for key in ("p", "q", "w"))
    except (TypeError, ValueError):
        raise SpecError(
            f"the matches of {pair_name(index, document)} are no numbers, or the lists in p or in q are not "
            f"equally long ({_sizes(points)})"
        ) from None
    for name, values in (("p", p), ("q", q), ("w", w)):
        if not np.isfinite(values).all():
            place = tuple(np.argwhere(~np.isfinite(values))[0])
            raise SpecError(
                f"{name}{''.join(f'[{i}]' for i in place)} of {pair_name(index, document)} is {values[place]}: "
                f"render accepts finite numbers only"
            )
    if w.ndim == 1 and p.shape == q.shape and (p.ndim == 2 or p.size == 0):
        if p.shape[-1] == w.size:
            return True
        if p.shape[0] == w.size and p.shape[1] in (2, 3):
            return False
    raise SpecError(
        f"p, q and w of {pair_name(index, document)} are not parallel ({_sizes(points)}); they must be "
        f"[[x, ...], [y, ...]], [[x, ...], [y, ...]] and [weight, ...], all equally long"
    )


def pair_name(index: int, document: Mapping[str, Any]) -> str:
    """Return how messages name a match document."""
    p, q = (f"{document.get(f'{side}GroupId')}/{document.get(f'{side}Id')}" for side in "pq")
    return f"match document {index} ({p} to {q})"


def _sizes(points: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {_size(points[key])}" for key in ("p", "q", "w"))


def _size(values: Any) -> str:
    if not isinstance(values, (list, tuple, np.ndarray)) or getattr(values, "shape", None) == ():
        return f"a {type(values).__name__}"
    rows = [len(row) for row in values if isinstance(row, (list, tuple, np.ndarray))]
    return f"{len(values)} lists of {' and '.join(map(str, sorted(set(rows))))}" if rows else str(len(values))
