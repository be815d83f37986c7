"""Where the pixels of a mipmap go: level choice, the triangle mesh and the way back from each triangle.

Orders of operations are those of the original, so that results are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from renderapi.errors import SpecError
from renderapi.geometry.chains import Chains, mapping
from renderapi.geometry.meshes import mesh_columns, mesh_rows, mesh_triangles, mesh_vertices
from renderapi.rendering.errors import RenderParametersError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from renderapi.rendering._parameters import Parameters, Tile

    Array = NDArray[np.float64]

# larger meshes than this would fill the memory; those of tiles have some thousands
_MOST_VERTICES = 1_000_000
_KEPT_VERTICES = 100_000


class Triangles(NamedTuple):
    """Triangles on the canvas, in the order in which they are painted.

    Attributes
    ----------
    corners : (T, 6) array
        x and y of the three corners on the canvas.
    inverse : (T, 6) array
        i00, i01, i02, i10, i11, i12 of the affine transform from canvas to mipmap.
    stepping : bool
        Whether rows are painted as newsolver does: between the edges, each pixel one step from the last.
    """

    corners: Array
    inverse: Array
    stepping: bool


class Fitted(NamedTuple):
    """Triangles on the canvas, and the affine transforms fitted to them.

    Attributes
    ----------
    corners : (T, 6) array
        As of `Triangles`.
    affine : (T, 6) array
        m00, m01, m10, m11, m02, m12 from mipmap to canvas.
    inverse : (T, 6) array
        As of `Triangles`.
    det : (T,) array
        Determinants, 0 where there is no way back.
    """

    corners: Array
    affine: Array
    inverse: Array
    det: Array


class Warp:
    """Maps the pixels of one tile, at full size, to the canvas.

    Parameters
    ----------
    tile : Tile
        The tile.
    parameters : Parameters
        Box, scale and mesh cell size.
    chains : Chains
        What the transforms of many tiles are read by.
    brush : module
        The painter, which fits as fast as it paints.

    Raises
    ------
    RenderParametersError
        If the transforms cannot be evaluated.
    """

    def __init__(self, tile: Tile, parameters: Parameters, chains: Chains, brush: ModuleType) -> None:
        try:
            self._forward: Callable[[Array], Array] = mapping(chains.of_tile(tile.document))
        except SpecError as error:
            raise RenderParametersError(str(error)) from error
        self._parameters, self._brush = parameters, brush

    def to_canvas(self, points: Array) -> Array:
        """Map points of the tile (N, 2) to the canvas."""
        p = self._parameters
        with np.errstate(all="ignore"):
            mapped = self._forward(points)  # which is new
            mapped *= p.scale
            mapped += (-(p.x * p.scale), -(p.y * p.scale))
            return mapped

    def level(self, width: int, height: int) -> int:
        """Choose the mipmap level of a tile of that size: the one nearest above the scale on the canvas."""
        grid = _grid(width, height, self._parameters.cell)
        if len(grid) < 3:
            return 0
        with np.errstate(all="ignore"):
            m00, m01, m10, m11, _, _ = self._brush.affine(grid, self.to_canvas(grid))
            scale = np.sqrt(max(m00 * m00 + m10 * m10, m01 * m01 + m11 * m11))
        if not np.isfinite(scale) or scale <= 0:
            # one row or column of points determines no scale
            return 0
        return max(int(min(1.0 / scale, 2.0**31 - 1)).bit_length() - 1, 0)

    def triangles(self, width: int, level: int, shape: tuple[int, ...], canvas: tuple[int, int]) -> Triangles:
        """Make the triangles of a mipmap that touch the canvas.

        Parameters
        ----------
        width : int
            Width of the tile at full size, which decides the number of mesh cells.
        level : int
            Level of the mipmap.
        shape : tuple of int
            Height and width of the mipmap.
        canvas : tuple of int
            Height and width of the canvas.

        Returns
        -------
        Triangles
            Their vertices on the mipmap and on the canvas.
        """
        vertices, corners = _mesh(shape[1], shape[0], width, self._parameters.cell)
        step = float(1 << level)
        shift = (step - 1) / 2
        mapped = self.to_canvas(vertices * step + shift if level else vertices)
        with np.errstate(all="ignore"):
            fitted: Fitted = self._brush.fit_triangles(vertices, corners, mapped, canvas)
            if self._parameters.compat == "newsolver":
                return _stepping(fitted, canvas[0])
        # what has no way back is passed over; a NaN is no 0, and what it leads to is the first pixel
        usable = fitted.det != 0
        if usable.all():
            return Triangles(fitted.corners, fitted.inverse, False)
        return Triangles(fitted.corners[usable], fitted.inverse[usable], False)


# keeps positions inside of the source: of a tile on whole pixels the last row and column are drawn too
_SHRINK = 1e-8


def _stepping(fitted: Fitted, rows: int) -> Triangles:
    det = fitted.det
    m00, m01, m10, m11, m02, m12 = fitted.affine.T
    d = 1.0 / det
    values = [m11 * d, -m01 * d, (m01 * m12 - m02 * m11) * d, -m10 * d, m00 * d, (m02 * m10 - m00 * m12) * d]
    inverse = np.stack(values, axis=-1) * (1.0 - _SHRINK)
    inverse[:, 2] += _SHRINK / 2
    inverse[:, 5] += _SHRINK / 2
    x, y = fitted.corners.reshape(-1, 3, 2).transpose(2, 1, 0)
    # one orientation for all
    turned = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]) > 0
    first, second = np.where(turned, 1, 0), np.where(turned, 0, 1)
    every = np.arange(x.shape[1])
    order = (first, second, np.full(len(every), 2))
    corners = np.stack([axis[which, every] for which in order for axis in (x, y)], axis=-1)
    corners, inverse = corners[det != 0], inverse[det != 0]
    edges = corners - np.roll(corners, 2, axis=1)
    shown = ~(
        (np.trunc(corners[:, 1::2] + 0.5) < 0).all(axis=1) | (corners[:, 1::2] + 0.5 >= rows).all(axis=1)
    )
    if np.isnan(edges[:, ::2] / edges[:, 1::2])[shown].any():
        # so the original calls corners that are not finite too
        raise RenderParametersError("zero length triangle edge")
    finite = np.isfinite(corners).all(axis=1)
    return Triangles(corners[finite], inverse[finite], True)


def _grid(width: int, height: int, cell: float) -> Array:
    columns, rows = (int(min(size / cell, _MOST_VERTICES)) + 1 for size in (width, height))
    _check_mesh(columns, rows, cell)
    make = _kept_grid if columns * rows <= _KEPT_VERTICES else _kept_grid.__wrapped__
    return make(width, height, cell)


@lru_cache(maxsize=8)
def _kept_grid(width: int, height: int, cell: float) -> Array:
    x, y = np.meshgrid(*(_sums(size, cell) for size in (width, height)))
    grid = np.column_stack([x.ravel(), y.ravel()])
    grid.flags.writeable = False
    return grid


def _sums(size: int, cell: float) -> Array:
    # sums of the cell, as the original makes them, not multiples of it
    sums = np.concatenate([[0.0], np.full(int(size / cell) + 1, cell).cumsum()])
    return sums[sums < size]


@lru_cache(maxsize=16)
def _mesh_size(width: int, height: int, full_width: int, cell: float) -> tuple[int, int]:
    # the number of columns follows from the full width, that of rows from the mipmap
    nx = mesh_columns(full_width, cell)
    return nx, mesh_rows(width, height, nx)


def _mesh(width: int, height: int, full_width: int, cell: float) -> tuple[Array, NDArray[np.intp]]:
    nx, ny = _mesh_size(width, height, full_width, cell)
    _check_mesh(nx, 2 * ny, cell)
    make = _kept_mesh if 2 * nx * ny <= _KEPT_VERTICES else _kept_mesh.__wrapped__
    return make(width, height, nx, ny)


def _check_mesh(columns: int, rows: int, cell: float) -> None:
    if columns * rows > _MOST_VERTICES:
        raise RenderParametersError(
            f"a mesh cell size of {cell} makes {columns} x {rows} mesh cells, too many for one tile"
        )


@lru_cache(maxsize=16)
def _kept_mesh(width: int, height: int, nx: int, ny: int) -> tuple[Array, NDArray[np.intp]]:
    vertices = mesh_vertices(width, height, nx, ny)
    corners = np.ascontiguousarray(mesh_triangles(nx, ny).T)
    vertices.flags.writeable = corners.flags.writeable = False
    return vertices, corners
