"""Point matches of pairs of canvases: normalised as render-ws stores them, and merged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from renderapi._ordering import java_key
from renderapi.errors import SpecError
from renderapi.pointmatch.merging import merged_pair
from renderapi.server.documents.problems import FailedError, InvalidError
from renderapi.server.documents.tiles import Document
from renderapi.server.documents.values import (
    Rules,
    as_double,
    as_integer,
    as_list,
    as_object,
    as_text,
    fields,
)

_CONSENSUS: Rules = {"index": as_integer, "originalPId": as_text, "originalQId": as_text}
_IDS = ("pGroupId", "pId", "qGroupId", "qId")


def is_turned(p_group: str, p_id: str, q_group: str, q_id: str) -> bool:
    """Tell whether render-ws keeps a pair the other way round: p is the one that Java sorts first."""
    return (java_key(p_group), java_key(p_id)) > (java_key(q_group), java_key(q_id))


def _numbers(raw: Any, where: str) -> list[Any]:
    if type(raw) is list and set(map(type, raw)) <= {float}:
        return raw
    values = as_list(raw, where, as_double)
    if values is None:
        raise InvalidError(f"Cannot read null as an array of {where}")
    # a null in an array of Java's primitive numbers is zero
    return [0.0 if value is None else value for value in values]


def _points(raw: Any, where: str) -> list[list[Any]] | None:
    return as_list(raw, where, _numbers)


def canvas_matches(raw: Any) -> Document:
    """Read the matches of one pair, with p and q in the order in which render-ws keeps them.

    Raises
    ------
    InvalidError
        Without all four ids.
    FailedError
        For matches without weights.
    """
    given = as_object(raw, "canvas matches")
    if given is None:
        raise FailedError("canvas matches must not be null", late=True)
    ids = {key: as_text(given.get(key), key) for key in _IDS}
    p_group, p_id, q_group, q_id = ids.values()
    if p_group is None or p_id is None or q_group is None or q_id is None:
        raise InvalidError(
            "CanvasMatches are missing required pGroupId, qGroupId, pId, and/or qId values", late=True
        )
    flip = is_turned(p_group, p_id, q_group, q_id)
    if flip:
        p_group, p_id, q_group, q_id = q_group, q_id, p_group, p_id
    document: Document = {"pGroupId": p_group, "pId": p_id, "qGroupId": q_group, "qId": q_id}
    consensus = fields(given.get("consensusSetData"), "consensusSetData", _CONSENSUS)
    if consensus is not None:
        document["consensusSetData"] = consensus
    matches = as_object(given.get("matches"), "matches")
    count = 0
    if matches is not None:
        p, q = _points(matches.get("p"), "p"), _points(matches.get("q"), "q")
        if matches.get("w") is None:
            raise FailedError(f"the matches of {p_id} and {q_id} have no weights", late=True)
        w = _numbers(matches["w"], "w")
        if flip:
            p, q = q, p
        points = {"p": p, "q": q, "w": w}
        document["matches"] = {key: value for key, value in points.items() if value is not None}
        count = len(w)
    document["matchCount"] = count
    return document


def merge_pairs(documents: Sequence[Document]) -> Document:
    """Append the points of several documents of one pair to those of the first, which may have none.

    Raises
    ------
    FailedError
        If another one has no matches.
    """
    try:
        return merged_pair(documents)
    except SpecError as error:
        raise FailedError(str(error)) from None
