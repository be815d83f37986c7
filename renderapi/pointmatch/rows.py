"""Points of many match documents, one behind the other: what long tables of matches are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi._names import PAIR
from renderapi.pointmatch._tools import match_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PAIR", "MatchRows", "rows_of"]

#: What names a pair.


class MatchRows(NamedTuple):
    """Points of M match documents.

    Attributes
    ----------
    ids : (M, 4) object array of str
        ``pGroupId``, ``pId``, ``qGroupId``, ``qId``.
    counts : (M,) int array
        Number of points of each.
    points : (5, N) float64 array
        x and y of p, x and y of q, and weight of all points, document by document.
    """

    ids: NDArray[np.object_]
    counts: NDArray[np.intp]
    points: NDArray[np.float64]


def rows_of(documents: Iterable[Mapping[str, Any]]) -> MatchRows:
    """Put the points of match documents one behind the other.

    Raises
    ------
    SpecError
        If an id is missing, points are not parallel or not in the plane, or a number is not finite.
    """
    ids: list[list[str]] = []
    points: list[NDArray[np.float64]] = []
    for document in documents:
        p, q, w = match_arrays(document)
        points.append(np.vstack([p.T, q.T, w]))
        ids.append([str(document[name]) for name in PAIR])
    return MatchRows(
        np.array(ids, object).reshape(-1, 4),
        np.array([part.shape[1] for part in points], np.intp),
        np.concatenate(points, axis=1) if points else np.empty((5, 0)),
    )
