"""Long tables of matches: one row for each pair of points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._names import PAIR
from renderapi._ordering import java_key
from renderapi.pointmatch.rows import rows_of
from renderapi.tables._columns import Columns, arrow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

POINTS = ("px", "py", "qx", "qy", "w")
MATCH_KINDS: dict[str, str] = {**dict.fromkeys(PAIR, "text"), **dict.fromkeys(POINTS, "double")}
_PAIRS_AT_ONCE = 1000


def match_table(documents: Iterable[Mapping[str, Any]]) -> Any:
    """Return the points of match documents as an Arrow table."""
    pa = arrow()
    rows = rows_of(documents)
    columns = {}
    for name, ids in zip(PAIR, rows.ids.T):
        # each text once, then its number for each point
        values, numbers = np.unique(ids, return_inverse=True)
        texts = pa.array(values.tolist(), pa.large_string())
        columns[name] = texts.take(pa.array(np.repeat(numbers, rows.counts)))
    columns.update(zip(POINTS, map(pa.array, rows.points)))
    return pa.table(columns)


class MatchTable:
    """The rows of a long table, put together by pairs, each in the order in which a server keeps it."""

    def __init__(self, columns: Columns) -> None:
        for name in (*PAIR, *POINTS[:4]):
            columns.required(name)
        if "w" in columns.numbers:
            columns.required("w")
        columns.problems.tell()
        self.count = 0
        if not columns.count:
            return
        self._groups, group = _numbered(columns.texts["pGroupId"], columns.texts["qGroupId"])
        self._ids, tile = _numbered(columns.texts["pId"], columns.texts["qId"])
        canvas = group * len(self._ids) + tile
        turned = canvas[0] > canvas[1]
        p, q = np.where(turned, canvas[::-1], canvas)
        weights = columns.numbers.get("w", np.ones(columns.count))
        points = np.stack([*(columns.numbers[name] for name in POINTS[:4]), weights])
        points[:4] = np.where(turned, points[[2, 3, 0, 1]], points[:4])
        order = np.lexsort((q, p))  # stable: points of a pair stay in their order
        p, q = p[order], q[order]
        first = np.flatnonzero(np.r_[True, (np.diff(p) != 0) | (np.diff(q) != 0)])
        self._points = points[:, order]
        self._starts = np.r_[first, columns.count]
        self._p, self._q = p[first], q[first]
        self.count = len(first)

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield the match documents, ordered by group and id of p and of q as Java orders texts."""
        for start in range(0, self.count, _PAIRS_AT_ONCE):
            part = slice(start, min(start + _PAIRS_AT_ONCE, self.count))
            bounds = self._starts[part.start : part.stop + 1]
            px, py, qx, qy, w = self._points[:, bounds[0] : bounds[-1]].tolist()
            cuts = (bounds - bounds[0]).tolist()
            for p, q, a, b in zip(self._p[part].tolist(), self._q[part].tolist(), cuts, cuts[1:]):
                (p_group, p_id), (q_group, q_id) = divmod(p, len(self._ids)), divmod(q, len(self._ids))
                yield {
                    "pGroupId": self._groups[p_group],
                    "pId": self._ids[p_id],
                    "qGroupId": self._groups[q_group],
                    "qId": self._ids[q_id],
                    "matches": {"p": [px[a:b], py[a:b]], "q": [qx[a:b], qy[a:b]], "w": w[a:b]},
                    "matchCount": b - a,
                }


def _numbered(*columns: Any) -> tuple[list[str], Indices]:
    """Return the texts of columns in Java's order, and for each column the numbers of its rows."""
    parts = []
    for column in columns:
        chunks = column.dictionary_encode().unify_dictionaries().chunks
        parts.append(
            (chunks[0].dictionary.to_pylist(), np.concatenate([part.indices.to_numpy() for part in chunks]))
        )
    texts = sorted({text for values, _ in parts for text in values}, key=java_key)
    number = {text: index for index, text in enumerate(texts)}
    return texts, np.stack(
        [np.array([number[text] for text in values], np.int64)[rows] for values, rows in parts]
    )
