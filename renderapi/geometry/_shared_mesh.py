"""World coordinates back to local ones in many tiles at once, by one mesh for all tiles of a shape.

The meshes of tiles whose transforms end in affine ones differ by these alone. So the mesh before them is made
once; a point goes back to it by the inverse of its tile's affine transforms, roughly, which tells the few
triangles that may contain it. Only their corners are mapped, and tested as those of `CoordinateMesh` are: the
answers are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.geometry.chains import AFFINE_KINDS, apply_step, has_numbers
from renderapi.geometry.meshes import (
    Grid,
    edges_of,
    is_inside,
    mapped_back,
    topology,
    transforms_back,
    triangle_weight,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# rounding errors in units of the largest number, with room for some thousands of them
_ROUNDING = 1e-10
# of the length of an edge: how far from a triangle a point is looked for
_MARGIN = 1e-2
# thinner triangles may contain points far away, by rounding
_THINNEST = 1e-2
# transforms that stretch one direction so many times more than another are too thin as well
_MOST_STRETCHED = 100.0


def split(steps: Sequence[Any]) -> int | None:
    """Return how many steps all tiles share before those that are affine; None if it is otherwise."""
    shared = next((i for i, step in enumerate(steps) if has_numbers(step)), len(steps))
    return shared if all(has_numbers(s) and s in AFFINE_KINDS for s in steps[shared:]) else None


class SharedMesh:
    """The mesh of all tiles of a size, before their affine transforms.

    Parameters
    ----------
    size : tuple of float
        Width, height and mesh cell size.
    steps : sequence
        The steps that all tiles share.

    Attributes
    ----------
    usable : bool
        Whether its triangles are such that few may contain a point.
    """

    def __init__(self, size: tuple[float, float, float], steps: Sequence[Any]) -> None:
        vertices, triangles = topology(*size)
        self._weight = triangle_weight(*size)
        x, y = np.array(vertices.T, order="C")[:, None, :]
        with np.errstate(all="ignore"):
            for step in steps:
                x, y = apply_step(step, None, x, y)
        self._local: Array = vertices[triangles]
        self._corners: Array = np.column_stack([x[0], y[0]])[triangles]
        edges = edges_of(self._corners)[:, 6:].reshape(-1, 3, 2)
        longest = np.square(edges).sum(axis=2).max(axis=1)
        area = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
        self.usable = bool((area > _THINNEST * longest).all())
        if self.usable:
            self._largest = np.abs(self._corners).max()
            self._margin = _MARGIN * np.sqrt(np.median(longest))
            self._grid = Grid(self._corners, self._margin)

    def to_local(self, steps: Sequence[Any], own: Sequence[Array], x: Array, y: Array) -> Array:
        """Map one point of each tile back.

        Parameters
        ----------
        steps : sequence of hashable
            The affine steps.
        own : sequence of (N, 6) array
            Their numbers for each tile.
        x, y : (N,) array
            World coordinates.

        Returns
        -------
        (N, 2) array
            Local coordinates, NaN where there are none; infinite where this is no way to find out.
        """
        with np.errstate(all="ignore"):
            before_x, before_y, sure = self._roughly(own, x, y)

            def corners(triangle: NDArray[np.intp], point: NDArray[np.intp]) -> Array:
                cx, cy = np.moveaxis(self._corners[triangle], -1, 0)
                for step, numbers in zip(steps, own):
                    cx, cy = apply_step(step, numbers[point], cx, cy)
                return np.stack([cx, cy], axis=-1)

            def inside(triangle: NDArray[np.intp], point: NDArray[np.intp]) -> NDArray[np.bool_]:
                return is_inside(edges_of(corners(triangle, point)), x[point], y[point])

            found = self._grid.search(np.where(sure, before_x, np.nan), before_y, inside)
            out = np.full((len(x), 2), np.nan)
            out[~sure] = np.inf
            rows = np.flatnonzero(found >= 0)
            triangle = found[rows]
            inverse = transforms_back(self._local[triangle], corners(triangle, rows), self._weight)
            out[rows] = mapped_back(inverse, x[rows], y[rows])
        return out

    def _roughly(self, own: Sequence[Array], x: Array, y: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        # where points come from, before the affine transforms, and whether that is near enough
        a00, a01, a10, a11, b0, b1 = 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
        largest: Any = self._largest
        for numbers in own:
            m00, m01, m10, m11, t0, t1 = numbers.T
            a00, a01, a10, a11, b0, b1 = (
                m00 * a00 + m01 * a10,
                m00 * a01 + m01 * a11,
                m10 * a00 + m11 * a10,
                m10 * a01 + m11 * a11,
                m00 * b0 + m01 * b1 + t0,
                m10 * b0 + m11 * b1 + t1,
            )
            most = np.abs(numbers).T
            largest = largest * 2 * most[:4].max(axis=0) + most[4:].max(axis=0)
        det = a00 * a11 - a01 * a10
        forward = np.abs(np.broadcast_arrays(a00, a01, a10, a11)).max(axis=0)
        back = forward / np.abs(det)
        largest = np.maximum(np.maximum(largest, np.abs(x)), np.abs(y))
        sure = (_ROUNDING * largest * back <= self._margin) & (forward * back <= _MOST_STRETCHED)
        dx, dy = x - b0, y - b1
        return (a11 * dx - a01 * dy) / det, (a00 * dy - a10 * dx) / det, sure
