"""Points backwards through transforms that have no inverse in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from renderapi.errors import EstimationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# half the distance in pixels over which derivatives are taken
_STEP = 0.01


def numeric_jacobians(tform: Callable[[Array], Array], points: Array) -> Array:
    """Return the derivatives of mapped points, (N, 2, 2), by coordinate of the result and of the point."""
    J = np.empty((len(points), 2, 2))
    for axis in (0, 1):
        shift = np.zeros(2)
        shift[axis] = _STEP
        J[:, :, axis] = (tform(points + shift) - tform(points - shift)) / (2 * _STEP)
    return J


def plain_steps(
    tform: Callable[[Array], Array], target: Array, gamma: float, precision: float, max_iters: int
) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_], Array]:
    """Move points again and again by what their images miss, from the targets themselves.

    Parameters
    ----------
    tform : callable
        Maps (N, 2) points to (N, 2) points.
    target : (N, 2) array
        What the points should be mapped to.
    gamma : float
        Length of a step as fraction of what is missed.
    precision : float
        A point is found when a step was not longer.
    max_iters : int
        Number of steps by which every point must have been found before.

    Returns
    -------
    guess : (N, 2) array
        The points.
    diverged : (N,) bool array
        Those that missed more than in the beginning on the way, or not less in the end.
    unfinished : (N,) bool array
        The others that were not found.
    missed : (N,) array
        How far each misses its target.
    """
    guess = target.copy()
    residual = target - tform(guess)
    missed = np.hypot(*residual.T)
    first = missed.copy()
    diverged = ~np.isfinite(missed)
    found = np.zeros(len(target), dtype=bool)
    for _ in range(max_iters - 1):
        rows = np.flatnonzero(~diverged & ~found)
        if not len(rows):
            break
        with np.errstate(invalid="ignore", over="ignore"):
            found[rows] = gamma * missed[rows] <= precision
            guess[rows] += gamma * residual[rows]
            residual[rows] = target[rows] - tform(guess[rows])
            missed[rows] = np.hypot(*residual[rows].T)
        diverged[rows] = ~found[rows] & ~(missed[rows] <= first[rows])
    # what goes round in circles is not on its way either
    diverged |= ~found & ~(missed < first) & (max_iters > 2)
    return guess, diverged, ~found & ~diverged, missed


def newton(
    tform: Callable[[Array], Array],
    jacobians: Callable[[Array], Array],
    target: Array,
    guess: Array,
    what: str,
    gamma: float = 1.0,
    precision: float = 1e-4,
    max_iters: int = 100,
) -> Array:
    """Find the points that are mapped to given ones, by damped Newton iteration.

    Parameters
    ----------
    tform, jacobians : callable
        Map (N, 2) points to (N, 2) points, and to (N, 2, 2) derivatives.
    target : (N, 2) array
        What the points should be mapped to.
    guess : (N, 2) array
        Where to start.
    what : str
        Name of the transform, for messages.
    gamma : float
        Length of the first trial step as fraction of the Newton step.
    precision : float
        Largest distance between a target and what its point is mapped to. Iteration goes on below it as
        long as coordinates of that size can tell a difference.
    max_iters : int
        Largest number of steps.

    Returns
    -------
    (N, 2) array
        The points.

    Raises
    ------
    EstimationError
        If some point is not reached.
    """
    residual = target - tform(guess)
    distance = np.hypot(*residual.T)
    factor = np.full(len(target), float(gamma))
    size = np.maximum(np.abs(target), np.abs(guess)).max(axis=1, initial=1.0)
    goal = np.minimum(precision, np.maximum(1e-9, 64 * np.finfo(float).eps * size))
    for _ in range(max_iters):
        rows = np.flatnonzero(~(distance <= goal) & (factor > 1e-6))
        if not len(rows):
            break
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            J = jacobians(guess[rows])
            det = J[:, 0, 0] * J[:, 1, 1] - J[:, 0, 1] * J[:, 1, 0]
            rx, ry = residual[rows].T
            step_x = (J[:, 1, 1] * rx - J[:, 0, 1] * ry) / det
            step_y = (J[:, 0, 0] * ry - J[:, 1, 0] * rx) / det
            trial = guess[rows] + factor[rows, None] * np.column_stack([step_x, step_y])
            left = target[rows] - tform(trial)
            reached = np.hypot(*left.T)
        better = reached < distance[rows]
        taken = rows[better]
        guess[taken], residual[taken], distance[taken] = trial[better], left[better], reached[better]
        factor[taken] = np.minimum(1.0, 2 * factor[taken])
        factor[rows[~better]] /= 2
    missed = ~(distance <= precision)
    if missed.any():
        worst = int(np.argmax(np.where(missed, np.nan_to_num(distance, nan=np.inf), -1.0)))
        raise EstimationError(
            f"{int(missed.sum())} of {len(target)} points cannot be mapped backwards through {what} to "
            f"{precision} px in {max_iters} iterations; the worst, {tuple(target[worst].tolist())}, "
            f"is missed by {distance[worst]} px"
        )
    return guess
