"""Sums of thin plate splines compiled by numba: the numbers of `renderapi.transform._spline`, which see.

The logarithms are numpy's, which computes many at once, and so the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._compiler import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# kernels of so many points and landmarks stay in the cache
_POINTS, _LANDMARKS = 1024, 16


def deformation(points: Array, src: Array, weights: Array, near: float, squared: bool) -> Array:
    """Return the sums of weights times G, (N, 2), at points (N, 2); landmarks and weights are (2, L)."""
    out = np.empty(points.shape)
    r, log = np.empty((_LANDMARKS, _POINTS)), np.empty((_LANDMARKS, _POINTS))
    for start in range(0, len(points), _POINTS):
        x, y = np.ascontiguousarray(points[start : start + _POINTS].T)
        sums = np.zeros((2, len(x)))
        for first in range(0, src.shape[1], _LANDMARKS):
            some = slice(first, first + _LANDMARKS)
            count = src[:, some].shape[1]
            _distances(x, y, src[:, some], near, squared, r)
            np.log(r[:count, : len(x)], out=log[:count, : len(x)])
            _add(r, log, weights[:, some], squared, sums)
        out[start : start + _POINTS] = sums.T
    return out


@compiled
def _distances(x: Any, y: Any, src: Any, near: float, squared: bool, r: Any) -> None:
    for landmark in range(src.shape[1]):
        source_x, source_y = src[0, landmark], src[1, landmark]
        for point in range(len(x)):
            dx, dy = x[point] - source_x, y[point] - source_y
            square = dx * dx + dy * dy
            distance = square if squared else np.sqrt(square)
            r[landmark, point] = 1.0 if distance <= near else distance


@compiled
def _add(r: Any, log: Any, weights: Any, squared: bool, sums: Any) -> None:
    for landmark in range(weights.shape[1]):
        weight_x, weight_y = weights[0, landmark], weights[1, landmark]
        for point in range(sums.shape[1]):
            distance = r[landmark, point]
            kernel = distance * (0.5 if squared else distance) * log[landmark, point]
            sums[0, point] += kernel * weight_x
            sums[1, point] += kernel * weight_y
