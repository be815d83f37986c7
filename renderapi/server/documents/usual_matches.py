"""Bodies of usual matches, read at once: as `renderapi.server.documents.matches` would, in a fraction of the time.

Usual are pairs with four ids and lists of numbers, and nothing else but a number of matches. Whatever needs a
coercion, or an answer that says what is wrong with it, is none of this: the body is read again, value by value.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from renderapi import _json
from renderapi.server.documents.matches import is_turned


class _Known(Struct, forbid_unknown_fields=True, gc=False):
    """An object that has no other keys than its fields."""


class _Points(_Known):
    p: list[list[float]]
    q: list[list[float]]
    w: list[float]


class _Ids(_Known):
    pGroupId: str
    pId: str
    qGroupId: str
    qId: str


class _Pair(_Ids):
    matches: _Points
    # what is said of it does not count
    matchCount: int | None = None


_decoder = msgspec.json.Decoder(list[_Pair])
_encoder = msgspec.json.Encoder()

#: p group, q group, p id and q id, whether there is a consensus set, the bytes before the matches, the matches, and
#: their number.
_Row: TypeAlias = tuple[str, str, str, str, int, bytes, bytes, int]


class UsualMatches(list[_Pair]):
    """The pairs of a body of matches that are all usual ones."""

    def rows(self) -> list[_Row]:
        """Encode them, with p and q in the order in which render-ws keeps them."""
        ids, points = [], []
        for pair in self:
            p_group, p_id, q_group, q_id = pair.pGroupId, pair.pId, pair.qGroupId, pair.qId
            matches = pair.matches
            if is_turned(p_group, p_id, q_group, q_id):
                p_group, p_id, q_group, q_id = q_group, q_id, p_group, p_id
                matches.p, matches.q = matches.q, matches.p
            ids.append(_Ids(p_group, p_id, q_group, q_id))
            points.append(matches)
        # no line feed is written inside of a document
        heads = _encoder.encode_lines(ids).split(b"\n")[:-1]
        return [
            (
                pair.pGroupId,
                pair.qGroupId,
                pair.pId,
                pair.qId,
                0,
                head[:-1],
                _written(matches),
                len(matches.w),
            )
            for pair, head, matches in zip(ids, heads, points)
        ]


def _written(matches: _Points) -> bytes:
    # of many numbers this is faster than to encode the structure
    return _json.dumps({"p": matches.p, "q": matches.q, "w": matches.w})


def usual_matches(content: bytes) -> UsualMatches | None:
    """Read the body of a PUT of matches, or give None where one of them is not usual, or there are none."""
    try:
        return UsualMatches(_decoder.decode(content)) or None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
