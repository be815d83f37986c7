"""Sparse symmetric systems of blocks, one row of blocks for each tile, and how they are solved.

Small ones are factorised. Large ones are solved by conjugate gradients, with a multigrid method as preconditioner: how
groups of neighbouring tiles move as a whole is a smaller system of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi._extras import sparse

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Unknowns up to which a system is factorised: where tiles have neighbours in one layer, and where in several.
_DIRECT_FLAT, _DIRECT_DEEP = 150_000, 30_000
#: At most so many tiles are a group of the preconditioner; systems up to this size are factorised there.
_GROUP, _COARSEST = 9, 20_000
#: Relative error at which conjugate gradients stop, and after how many steps at the latest.
_TOLERANCE, _MOST_STEPS = 1e-6, 3000


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
        bsr_array = sparse("sparse").bsr_array

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
    """Factorise a symmetric matrix, and return what solves with it.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is singular.
    """
    splu = sparse("sparse.linalg").splu

    try:
        factors = splu(
            A.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
    except RuntimeError as error:
        raise np.linalg.LinAlgError(str(error)) from None
    solve: Callable[[Array], Array] = factors.solve
    return solve


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


class Multigrid:
    """The preconditioner: an algebraic multigrid method, smoothed aggregation.

    Neighbouring tiles make groups, which move as a whole; neighbouring groups make larger ones, until the system of
    the groups is small enough to be factorised.

    Parameters
    ----------
    A : bsr_array
        The matrix.
    positions : (n, d) array
        Where the tiles are.
    motions : (n, k, c) array
        How each tile moves when all tiles move as a whole, in c ways.
    """

    def __init__(self, A: Any, positions: Array, motions: Array) -> None:
        self._levels: list[tuple[Any, Any, Any, Any]] = []
        while A.shape[0] > _COARSEST:
            groups = grouped(positions, _GROUP)
            spread, motions = _aggregated(groups, motions)
            inverse = _block_inverse(A)
            smoother = inverse * (4 / 3 / _largest(A, inverse))
            spread = spread - smoother @ (A @ spread)
            gather = spread.T.tobsr(blocksize=spread.blocksize[::-1])
            self._levels.append((A, smoother, spread, gather))
            A = (gather @ (A @ spread)).tobsr(blocksize=(motions.shape[1],) * 2)
            positions = np.stack([np.bincount(groups, column) for column in positions.T], axis=1)
            positions = positions / np.bincount(groups)[:, None]
        self._coarsest = factorise(A)

    def __call__(self, r: Array) -> Array:
        """Return about A^-1 r."""
        return self._cycle(0, r)

    def _cycle(self, number: int, r: Array) -> Array:
        if number == len(self._levels):
            return self._coarsest(r)
        A, smoother, spread, gather = self._levels[number]
        z: Array = smoother @ r
        z += spread @ self._cycle(number + 1, gather @ (r - A @ z))
        z += smoother @ (r - A @ z)
        return z


def _aggregated(groups: Indices, motions: Array) -> tuple[Any, Array]:
    # a matrix with the motions of each group, orthogonal, and what motions of all are of these
    bsr_array = sparse("sparse").bsr_array

    n, k, ways = motions.shape
    count = int(groups.max()) + 1
    products = np.zeros((count, ways, ways))
    np.add.at(products, groups, motions.swapaxes(1, 2) @ motions)
    trace = np.einsum("gcc->g", products)
    products += 1e-13 * trace[:, None, None] * np.eye(ways)
    roots: Any = np.linalg.cholesky(products).swapaxes(1, 2)
    spread = bsr_array(
        (motions @ np.linalg.inv(roots)[groups], groups.astype(np.int32), np.arange(n + 1, dtype=np.int32)),
        shape=(n * k, count * ways),
    )
    return spread, roots


def diagonal_blocks(A: Any) -> Array:
    """Return the blocks on the diagonal of a matrix that has all of them, (n, k, k)."""
    rows = np.repeat(np.arange(len(A.indptr) - 1), np.diff(A.indptr))
    blocks: Array = A.data[rows == A.indices]
    return blocks


def _block_inverse(A: Any) -> Any:
    bsr_array = sparse("sparse").bsr_array

    own = diagonal_blocks(A)
    everyone = np.arange(len(own) + 1, dtype=np.int32)
    return bsr_array((np.linalg.inv(own), everyone[:-1], everyone), shape=A.shape)


def _largest(A: Any, inverse: Any) -> float:
    # about the largest eigenvalue of inverse A
    v = np.random.default_rng(0).normal(size=(A.shape[0], 1))
    size = 1.0
    for _ in range(15):
        v = inverse @ (A @ v)
        size = float(np.linalg.norm(v))
        v /= size
    return 1.05 * size
