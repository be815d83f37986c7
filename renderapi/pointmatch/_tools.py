"""Work on match documents: arrays, order, merging, filters, statistics, clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi._ordering import java_key
from renderapi.errors import EstimationError, SpecError
from renderapi.pointmatch._documents import is_per_dimension, pair_name, swap_matchpair
from renderapi.pointmatch.merging import merged_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from renderapi.transform import Ransac

    Array = NDArray[np.float64]

_MODELS = {
    "translation": "TranslationModel",
    "rigid": "RigidModel",
    "similarity": "SimilarityModel",
    "affine": "AffineModel",
}


class MatchArrays(NamedTuple):
    """The points of a match document.

    Attributes
    ----------
    p, q : (N, 2) float64 array
        Points of both tiles in pixels at scale 1.
    w : (N,) float64 array
        Weights.
    """

    p: NDArray[np.float64]
    q: NDArray[np.float64]
    w: NDArray[np.float64]


def match_arrays(match: Mapping[str, Any]) -> MatchArrays:
    """Return the points of a match document as arrays.

    Parameters
    ----------
    match : dict
        A match document; one without points gives empty arrays.

    Returns
    -------
    MatchArrays
        ``p``, ``q`` and ``w``; of what are arrays already, views.

    Raises
    ------
    SpecError
        If an id is missing, the points are not parallel or not in the plane, or a number is not finite.

    Examples
    --------
    >>> from renderapi.pointmatch import match_arrays, match_from_arrays
    >>> match = match_from_arrays("1.0", "a", "2.0", "b", [[1, 2], [3, 4]], [[5, 6], [7, 8]])
    >>> match_arrays(match).q.tolist()
    [[5.0, 6.0], [7.0, 8.0]]
    """
    per_dimension = is_per_dimension(0, match)
    points = match.get("matches")
    if points is None:
        return MatchArrays(np.empty((0, 2)), np.empty((0, 2)), np.empty(0))
    p, q, w = (np.asarray(points[side], dtype=np.float64) for side in ("p", "q", "w"))
    if not len(w):
        return MatchArrays(np.empty((0, 2)), np.empty((0, 2)), w)
    if not per_dimension or len(p) != 2:
        raise SpecError(f"the points of {pair_name(0, match)} are not [[x, ...], [y, ...]], in the plane")
    return MatchArrays(p.T, q.T, w)


def match_from_arrays(
    pGroupId: str,
    pId: str,
    qGroupId: str,
    qId: str,
    p: ArrayLike,
    q: ArrayLike,
    w: ArrayLike | None = None,
) -> dict[str, Any]:
    """Make a match document of arrays, with p and q in the order in which render-ws keeps them.

    Parameters
    ----------
    pGroupId, pId, qGroupId, qId : str
        Group and id of both tiles.
    p, q : (N, 2) array_like
        Points in pixels at scale 1.
    w : (N,) array_like, optional
        Weights; default 1.

    Returns
    -------
    dict
        A match document with lists. If the pair is ordered otherwise, p and q are exchanged.

    Raises
    ------
    SpecError
        If shapes do not fit, or a number is not finite.
    """
    one, other = (np.asarray(points, dtype=np.float64) for points in (p, q))
    weights = np.ones(len(one)) if w is None else np.asarray(w, dtype=np.float64)
    if one.ndim != 2 or one.shape[1:] != (2,) or one.shape != other.shape or weights.shape != (len(one),):
        raise SpecError(
            f"points of {pId} and {qId} must have the shape (N, 2) and weights (N,), not {one.shape}, "
            f"{other.shape} and {weights.shape}"
        )
    ids = {"pGroupId": str(pGroupId), "pId": str(pId), "qGroupId": str(qGroupId), "qId": str(qId)}
    points = {"p": one.T.tolist(), "q": other.T.tolist(), "w": weights.tolist()}
    match = {**ids, "matches": points, "matchCount": len(weights)}
    is_per_dimension(0, match)
    return order_matchpair(match)


def order_matchpair(match: Mapping[str, Any]) -> dict[str, Any]:
    """Return a match document with p and q in the order in which render-ws keeps them: by group and id, as text.

    Parameters
    ----------
    match : dict
        A match document; it stays as it is.

    Returns
    -------
    dict
        A new document that shares the points.
    """
    p, q = ((java_key(str(match[f"{side}GroupId"])), java_key(str(match[f"{side}Id"]))) for side in "pq")
    return swap_matchpair(match, copy=False) if p > q else dict(match)


def merge_matches(*collections: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put the matches of each pair together, as a server does for ``mergeCollections``.

    Parameters
    ----------
    *collections : iterable of dict
        Match documents; they stay as they are.

    Returns
    -------
    list of dict
        One document per pair, p and q as `order_matchpair` has them, in the order in which pairs first occur. Points
        of a later document come behind those of an earlier one.

    Raises
    ------
    SpecError
        If another document of a pair than the first has no matches.
    """
    pairs: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for collection in collections:
        for match in collection:
            ordered = order_matchpair(match)
            key = tuple(ordered[name] for name in ("pGroupId", "pId", "qGroupId", "qId"))
            pairs.setdefault(key, []).append(ordered)
    return [merged_pair(several) if len(several) > 1 else several[0] for several in pairs.values()]


def filter_matches(
    matches: Iterable[Mapping[str, Any]],
    min_weight: float | None = None,
    model: str | None = None,
    ransac: Ransac | Mapping[str, Any] | bool = True,
    min_count: int = 1,
) -> list[dict[str, Any]]:
    """Keep the matches of each pair that weigh enough, and agree on one transform.

    Parameters
    ----------
    matches : iterable of dict
        Match documents; they stay as they are.
    min_weight : float, optional
        Matches of less weight are dropped.
    model : {"translation", "rigid", "similarity", "affine"}, optional
        Matches that do not agree on such a transform are dropped, by RANSAC.
    ransac : Ransac, dict or bool
        Its parameters, see `renderapi.transform.Ransac`.
    min_count : int
        Pairs that have fewer matches left are dropped.

    Returns
    -------
    list of dict
        New documents with lists. Pairs without consensus are left out.

    Raises
    ------
    SpecError
        If a document is wrong.
    ValueError
        If there is no such model.
    """
    if model is not None:
        _model(model)
    kept = []
    for match in matches:
        p, q, w = match_arrays(match)
        keep = np.ones(len(w), bool) if min_weight is None else w >= min_weight
        if model is not None and keep.any():
            fitted = _model(model)
            try:
                fitted.estimate(p[keep], q[keep], weights=w[keep], ransac=ransac)
            except EstimationError:
                continue
            if fitted.inliers is not None:
                keep[np.flatnonzero(keep)[~fitted.inliers]] = False
        count = int(keep.sum())
        if count >= min_count:
            points = {"p": p[keep].T.tolist(), "q": q[keep].T.tolist(), "w": w[keep].tolist()}
            if not count:
                points = {"p": [[], []], "q": [[], []], "w": []}
            kept.append({**match, "matches": points, "matchCount": count})
    return kept


def _model(name: str) -> Any:
    from renderapi import transform

    if name not in _MODELS:
        raise ValueError(f"model must be one of {', '.join(_MODELS)}, not {name!r}")
    return getattr(transform, _MODELS[name])()


class MatchStatistics(NamedTuple):
    """Statistics of match documents, one element for each.

    Attributes
    ----------
    number : (M,) int array
        Number of matches.
    weight : (M,) float64 array
        Mean weight; NaN without matches.
    mean, maximum : (M,) float64 array
        Distance in pixels of q and of p mapped by the model that fits the pair best; NaN where none can be fitted.
    """

    number: NDArray[np.intp]
    weight: NDArray[np.float64]
    mean: NDArray[np.float64]
    maximum: NDArray[np.float64]


def match_statistics(matches: Iterable[Mapping[str, Any]], model: str = "affine") -> MatchStatistics:
    """Summarise the matches of each pair: how many there are, and how well they fit one transform.

    Parameters
    ----------
    matches : iterable of dict
        Match documents.
    model : {"translation", "rigid", "similarity", "affine"}
        Transform that is fitted to each pair by weighted least squares.

    Returns
    -------
    MatchStatistics

    Raises
    ------
    SpecError
        If a document is wrong.
    ValueError
        If there is no such model.

    Examples
    --------
    >>> from renderapi.pointmatch import match_from_arrays, match_statistics
    >>> match = match_from_arrays("1.0", "a", "2.0", "b", [[0, 0], [9, 9]], [[5, 0], [14, 11]])
    >>> match_statistics([match], "translation").mean.tolist()
    [1.0]
    """
    _model(model)
    rows = []
    for match in matches:
        p, q, w = match_arrays(match)
        fitted = _model(model)
        try:
            fitted.estimate(p, q, weights=w)
            distances = np.hypot(*(fitted.tform(p) - q).T)
        except EstimationError:
            distances = np.full(1, np.nan)
        rows.append((len(w), w.mean() if len(w) else np.nan, distances.mean(), distances.max()))
    count, weight, mean, maximum = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return MatchStatistics(count.astype(np.intp), weight, mean, maximum)


def match_clusters(matches: Iterable[Mapping[str, Any]], min_count: int = 1) -> list[list[tuple[str, str]]]:
    """Return which tiles hang together by matches.

    Parameters
    ----------
    matches : iterable of dict
        Match documents, also without their points (``excludeMatchDetails``).
    min_count : int
        Pairs with fewer matches do not count.

    Returns
    -------
    list of list of (str, str)
        Group and id of the tiles of each cluster, the largest cluster first. Tiles without matches are left out.

    Examples
    --------
    >>> from renderapi.pointmatch import match_clusters
    >>> match = {"pGroupId": "1", "pId": "a", "qGroupId": "2", "qId": "b", "matchCount": 5}
    >>> match_clusters([match])
    [[('1', 'a'), ('2', 'b')]]
    """
    from renderapi.geometry import clusters

    number: dict[tuple[str, str], int] = {}
    links = []
    for match in matches:
        count = match.get("matchCount")
        if count is None:
            count = len((match.get("matches") or {}).get("w") or ())
        if count >= min_count:
            ends = ((str(match[f"{side}GroupId"]), str(match[f"{side}Id"])) for side in "pq")
            links.append([number.setdefault(end, len(number)) for end in ends])
    tiles = list(number)
    return [sorted(tiles[index] for index in group) for group in clusters(links, len(tiles))]
