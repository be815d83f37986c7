"""Sparse symmetric systems of blocks, one row of blocks for each tile, and how they are solved.

Small ones are factorised. Large ones are solved by conjugate gradients; their preconditioner solves groups of
neighbouring tiles each for itself, and how the groups move against each other as a whole (an additive Schwarz
method with a coarse space).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Unknowns up to which a system is factorised: where tiles have neighbours in one layer, and where in several.
_DIRECT_FLAT, _DIRECT_DEEP = 150_000, 30_000
#: Tiles in a group of the preconditioner.
GROUP = 200
#: Relative error at which conjugate gradients stop, and after how many steps at the latest.
_TOLERANCE, _MOST_STEPS = 1e-8, 3000


class BlockPattern:
    """Where a matrix of k x k blocks has some: on the diagonal, and for each pair.

    Parameters
    ----------
    p, q : (m,) int array
        The pairs; one may occur several times.
    count : int
        Number of rows of blocks.
    """

    def __init__(self, p: Indices, q: Indices, count: int) -> None:
        everyone = np.arange(count)
        rows, columns = np.concatenate([everyone, p, q]), np.concatenate([everyone, q, p])
        order = np.lexsort([columns, rows])
        rows, columns = rows[order], columns[order]
        first = np.ones(len(rows), bool)
        first[1:] = (np.diff(rows) != 0) | (np.diff(columns) != 0)
        place = np.empty(len(rows), np.intp)
        place[order] = np.cumsum(first) - 1
        self.count = count
        self._place = place
        self.indices = columns[first].astype(np.int32)
        self.indptr = np.searchsorted(rows[first], np.arange(count + 1)).astype(np.int32)
        self._doubled = not first.all()

    def matrix(self, diagonal: Array, pairs: Array) -> Any:
        """Return the symmetric matrix with these blocks, (n, k, k) and (m, k, k) in row p and column q."""
        from scipy.sparse import bsr_array

        k = diagonal.shape[1]
        data = np.zeros((len(self.indices), k, k))
        n, m = len(diagonal), len(pairs)
        for place, blocks in (
            (self._place[:n], diagonal),
            (self._place[n : n + m], pairs),
            (self._place[n + m :], pairs.transpose(0, 2, 1)),
        ):
            if self._doubled:
                np.add.at(data, place, blocks)
            else:
                data[place] = blocks
        return bsr_array((data, self.indices, self.indptr), shape=(n * k, n * k))


def solves_directly(unknowns: int, deep: bool, method: str) -> bool:
    """Say whether a system is to be factorised.

    Parameters
    ----------
    unknowns : int
        Size of the matrix.
    deep : bool
        Whether tiles have neighbours in several layers, which makes factors much larger.
    method : {"auto", "direct", "iterative"}
        What was asked for.

    Returns
    -------
    bool
    """
    if method != "auto":
        return method == "direct"
    return unknowns <= (_DIRECT_DEEP if deep else _DIRECT_FLAT)


def factorise(A: Any) -> Callable[[Array], Array]:
    """Factorise a matrix, and return what solves with it.

    CHOLMOD does it where scikit-sparse is installed, else SuperLU.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is singular.
    """
    matrix = A.tocsc()
    try:
        from sksparse.cholmod import CholmodError, cholesky
    except ImportError:
        from scipy.sparse.linalg import splu

        try:
            factors = splu(
                matrix,
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
        except RuntimeError as error:
            raise np.linalg.LinAlgError(str(error)) from None
        solve: Callable[[Array], Array] = factors.solve
        return solve
    try:
        factor: Callable[[Array], Array] = cholesky(matrix)
    except CholmodError as error:
        raise np.linalg.LinAlgError(str(error)) from None
    return factor


def conjugate_gradients(
    A: Any,
    b: Array,
    precondition: Callable[[Array], Array],
    tolerance: float = _TOLERANCE,
    most: int = _MOST_STEPS,
) -> tuple[Array, int, bool]:
    """Solve A x = b for all columns of b together.

    Returns
    -------
    x : array
        As `b`.
    steps : int
        How many it took.
    done : bool
        Whether every column is as exact as wanted.
    """
    x = np.zeros_like(b)
    r = b.copy()
    z = precondition(r)
    d = z.copy()
    product = (r * z).sum(axis=0)
    wanted = product * tolerance**2
    for step in range(most):
        if (product <= wanted).all():
            return x, step, True
        Ad = A @ d
        curvature = (d * Ad).sum(axis=0)
        alpha = np.divide(product, curvature, out=np.zeros_like(product), where=curvature > 0)
        x += alpha * d
        r -= alpha * Ad
        z = precondition(r)
        following = (r * z).sum(axis=0)
        d = z + np.divide(following, product, out=np.zeros_like(product), where=product > 0) * d
        product = following
    return x, most, False


def grouped(positions: Array, size: int) -> Indices:
    """Cut tiles into groups of neighbours, by halving them along their longer side again and again.

    Parameters
    ----------
    positions : (n, d) array
        Where they are.
    size : int
        Most tiles in a group.

    Returns
    -------
    (n,) int array
        Group of each tile.
    """
    groups = np.zeros(len(positions), np.intp)
    waiting, number = [np.arange(len(positions))], 0
    while waiting:
        some = waiting.pop()
        if len(some) <= size:
            groups[some] = number
            number += 1
            continue
        there = positions[some]
        axis = int(np.argmax(np.ptp(there, axis=0)))
        order = np.argpartition(there[:, axis], len(some) // 2)
        waiting += [some[order[: len(some) // 2]], some[order[len(some) // 2 :]]]
    return groups


class Groups:
    """The preconditioner: groups of tiles each for itself, and all of them against each other.

    Parameters
    ----------
    A : bsr_array
        The matrix.
    groups : (n,) int array
        Group of each row of blocks.
    motions : (n, k, c) array
        How each tile moves when its group moves as a whole, in c ways.
    """

    def __init__(self, A: Any, groups: Indices, motions: Array) -> None:
        from scipy.sparse import bsr_array

        n, k, ways = motions.shape
        count = int(groups.max()) + 1
        order = np.argsort(groups, kind="stable")
        self._parts = []
        mark = np.full(n, -1, np.intp)
        for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
            self._parts.append(_banded(A, members, mark, k))
        spread = bsr_array((motions, groups.astype(np.int32), np.arange(n + 1, dtype=np.int32)),
                           shape=(n * k, count * ways))  # fmt: skip
        self._spread = spread.tocsr()
        self._gather = self._spread.T.tocsr()
        coarse = (self._gather @ (A.tocsr() @ self._spread)).tocsc()
        # motions that are the same for a small group
        diagonal = coarse.diagonal()
        coarse.setdiag(diagonal * (1 + 1e-10) + 1e-12 * diagonal.max(initial=0))
        self._coarse = factorise(coarse)

    def __call__(self, r: Array) -> Array:
        """Return about A^-1 r."""
        from scipy.linalg.lapack import dpbtrs

        z: Array = self._spread @ self._coarse(self._gather @ r)
        for rows, band in self._parts:
            z[rows] += dpbtrs(band, r[rows], lower=1)[0]
        return z


def _banded(A: Any, members: Indices, mark: Indices, k: int) -> tuple[Indices, Array]:
    # the rows of a group in an order that keeps them near to the diagonal, and the Cholesky factor there
    from scipy.linalg import cholesky_banded
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    size = len(members)
    starts, ends = A.indptr[members], A.indptr[members + 1]
    counts = ends - starts
    entries = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    rows = np.repeat(np.arange(size), counts)
    mark[members] = np.arange(size)
    columns = mark[A.indices[entries]]
    mark[members] = -1
    inside = columns >= 0
    rows, columns, entries = rows[inside], columns[inside], entries[inside]
    graph = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(size, size))
    order = reverse_cuthill_mckee(graph, symmetric_mode=True)
    rank = np.empty(size, np.intp)
    rank[order] = np.arange(size)
    i = rank[rows][:, None, None] * k + np.arange(k)[:, None]
    j = rank[columns][:, None, None] * k + np.arange(k)
    i, j = np.broadcast_arrays(i, j)
    lower = i >= j
    band = np.zeros((int((i - j).max()) + 1, size * k))
    band[(i - j)[lower], j[lower]] = A.data[entries][lower]
    which = (members[order][:, None] * k + np.arange(k)).ravel()
    return which, cholesky_banded(band, lower=True, overwrite_ab=True)
