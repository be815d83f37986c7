"""The least squares problem of all tiles, with weights of pairs that are found on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi._extras import sparse
from renderapi.solve.errors import SingularSystemError, some
from renderapi.solve.models import MODELS, Model, brought_back, derivatives, free_motions, moved, nearest
from renderapi.solve.moments import Moments
from renderapi.solve.system import (
    BlockPattern,
    Multigrid,
    conjugate_gradients,
    diagonal_blocks,
    factorise,
    solves_directly,
)
from renderapi.solve.tiles import Tiles

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

logger = logging.getLogger("renderapi.solve")

#: Residuals of this many scales count half (cauchy), or less than in full (huber).
_TUNING = 3.0
#: From the median of lengths of normal residuals to their scale.
_TO_SCALE = 1.4826
#: No scale is less than this many pixels.
_LEAST_SCALE = 1e-4
_MOST_ROUNDS = 30
#: With a lesser factor a pair is taken for false at first.
_DOUBTFUL = 0.1
#: Pixels at the edge of tiles, and parts of weights, by which nothing changes any more.
_STILL, _SAME_WEIGHT = 1e-3, 0.02
#: Of a motion that nothing holds, energy as part of that of the tiles for themselves.
_NOTHING = 1e-12
_FEW_STEPS = 40


@dataclass
class Fit:
    """What was found.

    Attributes
    ----------
    change : (n, k, 2) array
        Of the coefficients that may change.
    factors : (m,) array
        Factor of the weight of each pair.
    scale : float or None
        Scale of residuals by which pairs were judged.
    rounds, steps : int
        How often it was solved, and how many steps that took, where it was solved in steps.
    direct : bool
        Whether matrices were factorised.
    """

    change: Array
    factors: Array
    scale: float | None = None
    rounds: int = 0
    steps: int = 0
    direct: bool = True


def robust_factors(residuals: Array, rule: str, scale: float) -> Array:
    """Return the factors of weights of pairs with these residuals.

    With u = residual / (3 scale): ``1 / (1 + u^2)`` of "cauchy", ``min(1, 1 / u)`` of "huber".
    """
    u = residuals / (_TUNING * scale)
    if rule == "cauchy":
        return 1 / (1 + u * u)
    return 1 / np.maximum(u, 1)


def robust_scale(residuals: Array) -> float:
    """Return 1.4826 times the median of residuals, their absolute deviation from 0."""
    return max(_TO_SCALE * float(np.median(residuals)), _LEAST_SCALE)


def is_outlier(residuals: Array, scale: float) -> NDArray[np.bool_]:
    """Say which residuals are above three scales."""
    return residuals > _TUNING * scale


class Problem:
    """Tiles that have matches and are not fixed, and what holds them.

    Parameters
    ----------
    moments : Moments
        The pairs.
    tiles : Tiles
        The tiles.
    prior : (n, k) array
        Weight with which each coefficient is held where it starts.
    fixed : (n,) bool array
        Tiles that stay.
    components : (n,) int array
        Component of each tile, -1 for those without matches.
    method : {"auto", "direct", "iterative"}
        How it is solved.
    reference : (n, k, 2) array, optional
        Change that the prior holds, instead of none.
    model : Model, optional
        What is found, instead of the model of the tiles; one that has no other terms.
    """

    def __init__(
        self,
        moments: Moments,
        tiles: Tiles,
        prior: Array,
        fixed: NDArray[np.bool_],
        components: Indices,
        method: str,
        reference: Array | None = None,
        model: Model | None = None,
    ) -> None:
        self.moments, self.tiles, self.model = moments, tiles, model or tiles.model
        self.reference = np.zeros((*prior.shape, 2)) if reference is None else reference
        self._parts = prior, fixed, components, method
        self.prior, self.method = prior, method
        self.free = np.flatnonzero(~fixed & (components >= 0))
        self.components = components
        #: tiles that could turn, grow or shrink together
        self.loose = np.array([], np.intp)
        if self.model.name != "translation":
            self.loose = np.flatnonzero((components >= 0) & ~np.isin(components, components[fixed]))
        row = np.full(len(tiles.ids), -1, np.intp)
        row[self.free] = np.arange(len(self.free))
        self.row_p, self.row_q = row[moments.p], row[moments.q]
        self.both = np.flatnonzero((self.row_p >= 0) & (self.row_q >= 0))
        self.pattern = BlockPattern(self.row_p[self.both], self.row_q[self.both], len(self.free))
        layers = tiles.z[moments.p] != tiles.z[moments.q]
        unknowns = len(self.free) * self.model.parameters
        self.direct = solves_directly(unknowns, bool(layers.any()), method)
        self._sum_p, self._sum_q = self._incidence(self.row_p), self._incidence(self.row_q)
        self._solve: Callable[[Array], Array] | None = None
        self.steps = 0

    def turned(self) -> Array:
        """Return the change that a similarity would make, without its growth: rotations may be large."""
        other = Problem(self.moments, self.tiles, *self._parts, model=MODELS["similarity"])
        change = other.step(self.reference, np.ones(len(self.moments.p)))
        return nearest(self.model, self.tiles.start + change, self.tiles.scale) - self.tiles.start

    def _incidence(self, rows: Indices) -> Any:
        csr_array = sparse("sparse").csr_array

        there = np.flatnonzero(rows >= 0)
        return csr_array((np.ones(len(there)), (rows[there], there)), shape=(len(self.free), len(rows)))

    def _summed(self, by: Any, values: Array) -> Array:
        return np.asarray(by @ values.reshape(len(values), -1)).reshape(len(self.free), *values.shape[1:])

    def gradient(self, change: Array, weights: Array) -> Array:
        """Return half the gradient of the sum of squares by the coefficients of free tiles."""
        m = self.moments
        a, b = change[m.p], change[m.q]
        w = weights[:, None, None]
        of_p = w * (m.pp @ a - m.pq @ b + m.pe)
        of_q = w * (m.qq @ b - m.pq.transpose(0, 2, 1) @ a - m.qe)
        held = self.prior[self.free, :, None] * (change - self.reference)[self.free]
        return self._summed(self._sum_p, of_p) + self._summed(self._sum_q, of_q) + held

    def matrix(self, weights: Array, J: Array | None) -> Any:
        """Return the matrix of the system; J are derivatives by the parameters of a coupled model."""
        m, w = self.moments, weights[:, None, None]
        diagonal = self._summed(self._sum_p, w * m.pp) + self._summed(self._sum_q, w * m.qq)
        k = np.arange(self.prior.shape[1])
        diagonal[:, k, k] += self.prior[self.free]
        pairs = -(w * m.pq)[self.both]
        if J is not None:
            diagonal = _between(J, diagonal, J)
            pairs = _between(J[self.row_p[self.both]], pairs, J[self.row_q[self.both]])
        return self.pattern.matrix(diagonal, pairs)

    def step(self, change: Array, weights: Array) -> Array:
        """Return where the coefficients of all tiles go next."""
        tiles, model = self.tiles, self.model
        now = tiles.start.copy()
        now[:, : change.shape[1]] += change
        J = (
            derivatives(model, now[self.free, : change.shape[1]], tiles.scale[self.free])
            if model.coupled
            else None
        )
        A = self.matrix(weights, J)
        g = -self.gradient(change, weights)
        b = g if J is None else np.einsum("nkdp,nkd->np", J, g)
        x = self._solved(A, b.reshape(len(self.free) * model.parameters, -1), now)
        result = change.copy()
        if J is None:
            result[self.free] += x.reshape(len(self.free), model.terms, 2)
        else:
            after = moved(model, now[self.free], tiles.scale[self.free], J, x.reshape(len(self.free), -1))
            result[self.free] = after - tiles.start[self.free, : change.shape[1]]
        if self.loose.size:
            loose, start = self.loose, tiles.start[self.loose, : change.shape[1]]
            back = brought_back(
                model,
                start + result[loose],
                start + self.reference[loose],
                self.prior[loose],
                self.components[loose],
            )
            result[loose] = back - start
        return result

    def _solved(self, A: Any, b: Array, now: Array) -> Array:
        if self._solve is not None:
            # what was made for other weights is nearly right
            x, steps, done = conjugate_gradients(A, b, self._solve, most=_FEW_STEPS if self.direct else 3000)
            self.steps += steps
            if done:
                return x
        else:
            self.check(A, now)
        try:
            if self.direct:
                self._solve = factorise(A)
                x = self._solve(b)
                self._check_solution(A, x, b)
                return x
            self._solve = self._multigrid(A, now)
        except np.linalg.LinAlgError as error:
            raise self._singular(np.arange(len(self.free)), str(error)) from None
        x, steps, done = conjugate_gradients(A, b, self._solve)
        self.steps += steps
        if not done:
            logger.warning("after %d steps the system is not solved exactly", steps)
        return x

    def _multigrid(self, A: Any, now: Array) -> Multigrid:
        where = now[self.free, 0]
        scale = self.tiles.scale[self.free]
        # layers are as far from each other as neighbours, and components are not near
        z = (
            np.unique(self.tiles.z[self.free], return_inverse=True)[1].reshape(-1)
            * 2
            * float(np.median(scale))
        )
        extent = np.ptp(where, axis=0).max(initial=0) + 1
        apart = self.components[self.free] * extent * 4
        motions = free_motions(self.model, now[self.free], scale, where.mean(axis=0), float(extent))
        return Multigrid(A, np.column_stack([where[:, 0] + apart, where[:, 1], z]), motions)

    # ------------------------------------------------------------------------------ what is not held

    def check(self, A: Any, now: Array) -> None:
        """Raise SingularSystemError if a tile or a component can move without changing anything."""
        own = diagonal_blocks(A)
        trace = np.einsum("nkk->n", own)
        loose = np.linalg.eigvalsh(own)[:, 0] <= _NOTHING * trace
        if loose.any():
            raise self._singular(
                np.flatnonzero(loose),
                "their matches do not determine the model: there are too few, or they lie on one spot or line",
            )
        component = self.components[self.free]
        middle = _means(now[self.free, 0], component)
        size = float(np.hypot(*(now[self.free, 0] - middle).T).max(initial=0)) + float(self.tiles.scale.max())
        motions = free_motions(self.model, now[self.free], self.tiles.scale[self.free], middle, size)
        ways = motions.shape[2]
        flat = motions.reshape(-1, ways)
        pushed = np.asarray(A @ flat).reshape(motions.shape)
        alone = own @ motions
        count = int(component.max(initial=-1)) + 1
        energy, size_of = (
            _sums(np.einsum("nkc,nkd->ncd", motions, force), component, count) for force in (pushed, alone)
        )
        for number in np.unique(component):
            root = np.linalg.cholesky(size_of[number] + 1e-300 * np.eye(ways))
            inverse = np.linalg.inv(root)
            least = np.linalg.eigvalsh(inverse @ energy[number] @ inverse.T)[0]
            if least <= _NOTHING:
                raise self._singular(
                    np.flatnonzero(component == number),
                    "nothing holds them together in their place: fix a tile, or give the prior a weight",
                )

    def _check_solution(self, A: Any, x: Array, b: Array) -> None:
        error = np.abs(A @ x - b).max(initial=0)
        if not error <= 1e-6 * (np.abs(b).max(initial=0) + 1e-30):
            worst = int(np.argmax(np.nan_to_num(np.abs(x), nan=np.inf).max(axis=1)))
            raise self._singular(np.array([worst // self.model.parameters]), "the system is singular")

    def _singular(self, rows: Indices, reason: str) -> SingularSystemError:
        ids = [self.tiles.ids[tile] for tile in self.free[rows]]
        return SingularSystemError(f"{len(ids)} tiles cannot be placed ({some(ids)}): {reason}", tile_ids=ids)


def _between(J: Array, blocks: Array, other: Array) -> Array:
    # J^T blocks J of blocks (n, k, k) that are the same for x and y, by derivatives (n, k, 2, parameters)
    n, k, _, parameters = J.shape
    right = (blocks @ other.reshape(n, k, -1)).reshape(n, 2 * k, parameters)
    product: Array = J.reshape(n, 2 * k, parameters).swapaxes(1, 2) @ right
    return product


def _sums(values: Array, groups: Indices, count: int) -> Array:
    result = np.zeros((count, *values.shape[1:]))
    np.add.at(result, groups, values)
    return result


def _means(values: Array, groups: Indices) -> Array:
    # for each item the mean of its group
    count = np.bincount(groups)
    sums = np.stack([np.bincount(groups, column) for column in values.T], axis=1)
    result: Array = (sums / np.maximum(count, 1)[:, None])[groups]
    return result


def fit(problem: Problem, robust: str | None, still: float = _STILL) -> Fit:
    """Solve a problem.

    Parameters
    ----------
    problem : Problem
        The problem.
    robust : {"cauchy", "huber"} or None
        How pairs that do not fit lose weight.
    still : float
        Pixels by which nothing changes any more.

    Returns
    -------
    Fit
        What was found.
    """
    moments, model = problem.moments, problem.model
    found = Fit(problem.reference.copy(), np.ones(len(moments.p)))
    if not len(problem.free):
        return found
    residuals = moments.residuals(found.change)
    if model.name == "rigid":
        turned = problem.turned()
        after = moments.residuals(turned)
        if np.median(after) < np.median(residuals):
            found.change, residuals = turned, after
    if robust:
        found.factors = _first_factors(problem, found.change, residuals, robust)
    for found.rounds in range(1, _MOST_ROUNDS + 1):
        before, factors = found.change, found.factors
        found.change = problem.step(before, factors)
        moves = float(np.abs(found.change - before).max())
        if robust:
            residuals = moments.residuals(found.change)
            found.scale = robust_scale(residuals)
            found.factors = robust_factors(residuals, robust, found.scale)
            settled = float(np.abs(found.factors - factors).max()) < _SAME_WEIGHT
        else:
            settled = model.name != "rigid"
        logger.debug("round %d: tiles move by %g pixels", found.rounds, moves)
        if moves < still or (settled and model.name != "rigid"):
            break
    found.steps, found.direct = problem.steps, problem.direct
    return found


def _first_factors(problem: Problem, change: Array, residuals: Array, robust: str) -> Array:
    # a pair that is far off already must not pull the others away; but if tiles are just not where they belong, no
    # pair is worse than another: what fits better in the end is right
    factors, same = robust_factors(residuals, robust, robust_scale(residuals)), np.ones(len(residuals))
    if factors.min() > _DOUBTFUL:
        return same
    after = [problem.moments.residuals(problem.step(change, some)) for some in (same, factors)]
    scale = min(map(robust_scale, after))
    costs = [float(np.log1p((some / (_TUNING * scale)) ** 2).sum()) for some in after]
    return same if costs[0] <= costs[1] else factors
