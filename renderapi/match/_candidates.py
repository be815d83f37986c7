"""Which features of two canvases look alike: matrix products, the ratio test, and nothing ambiguous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.match._features import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]

# distances in an array at once
_BLOCK = 2**22


def ratio_test(p: Any, q: Any, q_points: Any, rod: float) -> tuple[Indices, Indices]:
    """Find the pairs of descriptors that are much more alike than others, as mpicbg does.

    Parameters
    ----------
    p, q : (N, D), (M, D) array
        Descriptors.
    q_points : (M, 2) array
        Where those of q are: of candidates that share a place in q, all are dropped.
    rod : float
        Ratio of distances; a descriptor of p is kept if its distance to the best of q is below `rod` times that
        to the second best. Single precision, as in Java.

    Returns
    -------
    tuple of (C,) int array
        Indices in p, ascending, and in q.

    Examples
    --------
    >>> p, q = [[0.0, 0.0]], [[0.0, 1.0], [5.0, 0.0]]
    >>> [found.tolist() for found in ratio_test(p, q, [[10, 20], [30, 40]], 0.92)]
    [[0], [0]]
    """
    ours, theirs = np.asarray(p), np.asarray(q)
    if len(theirs) < 2 or not len(ours):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    best, second = _two_nearest(ours, theirs)
    least, next_least = _distances(ours, theirs[best]), _distances(ours, theirs[second])
    # products of numbers that are no integers round: what is nearer is told by the differences
    swapped = next_least < least
    best[swapped], least[swapped], next_least[swapped] = (
        second[swapped], next_least[swapped], least[swapped],
    )  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.flatnonzero(least / next_least < float(np.float32(rod)))
    chosen = best[kept]
    _, place, times = np.unique(
        np.asarray(q_points, np.float64)[chosen], axis=0, return_inverse=True, return_counts=True
    )
    alone = times[place.ravel()] == 1
    return kept[alone], chosen[alone]


def _two_nearest(p: NDArray[Any], q: NDArray[Any]) -> tuple[Indices, Indices]:
    # descriptors of SIFT are whole numbers: their products are exact in single precision
    kind: Any = np.float32 if p.dtype == np.uint8 else np.float64
    ours: NDArray[Any] = p.astype(kind)
    theirs: Any = q.astype(kind)
    # what is the same for all of q does not decide which is nearest
    squares = (theirs * theirs).sum(axis=1)
    turned = np.ascontiguousarray(-2 * theirs.T)
    best, second = np.empty(len(p), np.intp), np.empty(len(p), np.intp)
    step = max(1, _BLOCK // len(q))
    for start in range(0, len(p), step):
        part = slice(start, start + step)
        distances: Any = ours[part] @ turned
        distances += squares
        rows = np.arange(len(distances))
        best[part] = distances.argmin(axis=1)
        distances[rows, best[part]] = np.inf
        second[part] = distances.argmin(axis=1)
    return best, second


def _distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    difference = a.astype(np.float64) - b
    distances: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return distances


def find_candidates(p: Features, q: Features, rod: float = 0.92) -> tuple[Indices, Indices]:
    """Find the features of two canvases that may show the same thing.

    Parameters
    ----------
    p, q : Features
        Features; each of p looks for a partner in q.
    rod : float
        Ratio of distances, as for mpicbg: 0.92 by default.

    Returns
    -------
    tuple of (C,) int array
        Indices in p, ascending, and in q.

    Notes
    -----
    The descriptors of mpicbg have 512 numbers, those of OpenCV 128, which lie farther apart: with equal ratios
    several times as many false candidates would pass. Taken as a ratio of squared distances, `rod` lets about as
    many pass as it does with mpicbg.
    """
    return ratio_test(p.descriptors, q.descriptors, q.points, rod * rod)
