"""Thin plate splines with the kernel G(r) = r^2 log r: evaluation, derivatives and fit on arrays."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from renderapi.errors import EstimationError
from renderapi.transform.leaf.common import blocks
from renderapi.transform.least_squares import ordered_sum, require_spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# points evaluated at once: kernels of a block and of a few hundred landmarks stay in the cache
_BLOCK = 512
# from so many points on landmarks are gone through one by one, each for a long block of points
_MANY_POINTS = 2048
_LONG_BLOCK = 25_000
# as many kernels, some 50 ms of work, are worth a thread per processor
_MUCH_WORK = 8_000_000
# as many take as long as it takes to load the compiler
_LOADING = 100_000_000
# the kernel is 0 up to this distance, or its square where that is what is computed with
_NEAR = 1e-8


def kernel(x: Array, y: Array, src: Array, squared: bool = False) -> Array:
    """Return G of the distances between landmarks (2, L) and points x, y (n,), as (L, n).

    With `squared` it is computed of the square of the distance, s log(s) / 2, as in later versions of jitk-tps.
    """
    dx = x - src[0][:, None]
    dy = y - src[1][:, None]
    dx *= dx
    dy *= dy
    dx += dy
    r: Array = dx if squared else np.sqrt(dx, out=dx)
    near = r <= _NEAR
    if near.any():
        r[near] = 1.0  # log 1 = 0
    log = np.log(r, out=dy)
    r *= 0.5 if squared else r
    r *= log
    return r


def deformation(points: Array, src: Array, weights: Array, squared: bool = False) -> Array:
    """Return the sums of weights times G, (N, 2), at points (N, 2); landmarks and weights are (2, L)."""
    if len(points) > _MANY_POINTS:
        return _deformation_of_many(points, src, weights, squared)
    out = np.zeros(points.shape)
    for part in blocks(len(points), _BLOCK):
        x, y = np.ascontiguousarray(points[part].T)
        values = kernel(x, y, src, squared)
        for axis in (0, 1):
            out[part, axis] = ordered_sum(values * weights[axis][:, None])
    return out


def _deformation_of_many(points: Array, src: Array, weights: Array, squared: bool) -> Array:
    # the same numbers in the same order, landmark by landmark: less traffic than whole kernels
    compiled = _compiled(points.shape[0] * src.shape[1])
    landmarks = list(zip(*src.tolist(), *weights.tolist()))
    out = np.empty(points.shape)

    def evaluate(part: slice) -> None:
        if compiled is not None:
            out[part] = compiled.deformation(points[part], src, weights, _NEAR, squared)
            return
        x, y = np.ascontiguousarray(points[part].T)
        r, scratch, sum_x, sum_y = np.empty_like(x), np.empty_like(x), np.zeros_like(x), np.zeros_like(x)
        for source_x, source_y, weight_x, weight_y in landmarks:
            np.subtract(x, source_x, out=r)
            np.multiply(r, r, out=r)
            np.subtract(y, source_y, out=scratch)
            np.multiply(scratch, scratch, out=scratch)
            np.add(r, scratch, out=r)
            if not squared:
                np.sqrt(r, out=r)
            if np.fmin.reduce(r) <= _NEAR:
                r[r <= _NEAR] = 1.0
            np.log(r, out=scratch)
            np.multiply(r, 0.5 if squared else r, out=r)
            np.multiply(r, scratch, out=r)
            sum_x += np.multiply(r, weight_x, out=scratch)
            sum_y += np.multiply(r, weight_y, out=scratch)
        out[part, 0], out[part, 1] = sum_x, sum_y

    workers = _processors() if len(points) * len(landmarks) >= _MUCH_WORK else 1
    if workers == 1:
        for part in blocks(len(points), _LONG_BLOCK):
            evaluate(part)
        return out
    # numpy lets other threads run while it computes; short blocks would wait for each other all the time
    from concurrent.futures import ThreadPoolExecutor

    size = min(max(_LONG_BLOCK, -(-len(points) // workers)), 2 * _LONG_BLOCK)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(evaluate, blocks(len(points), size)))
    return out


_done = [0]


def _compiled(kernels: int) -> ModuleType | None:
    """Return the compiled sums, if numba is installed: loading it pays after as much work as that takes."""
    _done[0] += kernels
    if _done[0] < _LOADING and "numba" not in sys.modules:
        return None
    try:
        from renderapi.transform import _spline_compiled

        return _spline_compiled
    except ImportError:
        return None


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def gradient(points: Array, src: Array, weights: Array) -> Array:
    """Return the derivatives of `deformation`, (N, 2, 2), by coordinate of the result and of the point."""
    out = np.empty((len(points), 2, 2))
    for part in blocks(len(points), _BLOCK):
        dx, dy = (points[part, axis] - src[axis][:, None] for axis in (0, 1))
        r2 = dx * dx + dy * dy
        # the gradient of G is (2 log r + 1) times the difference, and 0 at the landmark
        slope = np.log(np.where(r2 > 1e-16, r2, 1.0)) + 1.0
        for axis, difference in enumerate((dx, dy)):
            out[part, :, axis] = (weights @ (slope * difference)).T
    return out


def nearest(points: Array, candidates: Array) -> NDArray[np.intp]:
    """Return the index of the closest of candidates (K, 2) for each of points (N, 2)."""
    out = np.empty(len(points), dtype=np.intp)
    for part in blocks(len(points), _BLOCK):
        dx, dy = (points[part, axis, None] - candidates[:, axis] for axis in (0, 1))
        out[part] = np.argmin(dx * dx + dy * dy, axis=1)
    return out


def fit(p: Array, q: Array, affine: bool) -> tuple[Array, Array | None, Array | None]:
    """Find the spline that maps landmarks p to q, (N, 2) each: weights (2, N), linear part, translation.

    Raises
    ------
    EstimationError
        If there is none.
    """
    if not affine:
        return np.ascontiguousarray(_solve(kernel(p[:, 0], p[:, 1], p.T), q - p).T), None, None
    # centred and scaled: at stage coordinates the system cannot be solved as it stands
    require_spread(p, None, "a thin plate spline", line=True)
    centre = p.mean(axis=0)
    size = float(np.abs(p - centre).max())
    n = (p - centre) / size
    count = len(n)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = kernel(n[:, 0], n[:, 1], n.T)
    system[:count, count:] = np.column_stack([n, np.ones(count)])
    system[count:, :count] = system[:count, count:].T
    shift = (q - p).mean(axis=0)
    solution = _solve(system, np.vstack([q - p - shift, np.zeros((3, 2))]))
    weights = solution[:count]
    linear = np.ascontiguousarray(solution[count : count + 2].T) / size
    # G(size * rho) = size^2 (G(rho) + rho^2 log size); the weights add up to nothing over 1, x and y,
    # so that the second term makes a constant
    constant = np.log(size) * ((n * n).sum(axis=1) @ weights)
    translation = solution[count + 2] + shift - constant - linear @ centre
    return np.ascontiguousarray(weights.T) / size**2, linear, translation


def _solve(system: Array, target: Array) -> Array:
    try:
        solution: Array = np.linalg.solve(system, target).astype(np.float64, copy=False)
        missed = np.abs(system @ solution - target).max()
    except np.linalg.LinAlgError:
        missed = np.inf
    if not missed <= 1e-6 * max(1.0, np.abs(target).max()):
        raise EstimationError(
            "a thin plate spline cannot be estimated: some landmarks are the same, or nearly the same"
        )
    return solution
