"""Triangle meshes: world coordinates back to local ones, as render does it.

A tile is covered by triangles whose corners are mapped through its transforms. A world point is inverted
by the affine transform of the triangle that it lies in. Order and arithmetic are those of mpicbg's
TransformMesh, so that results are equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.geometry._boxes import tile_size
from renderapi.geometry.chains import BadNumbersError, Chains, TileSpecError, document_of, mapping
from renderapi.transform import least_squares
from renderapi.transform.leaf.common import as_points, blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# a triangle that covers more cells of the search grid than this is looked at for every point
_MOST_CELLS = 64
# points that are located at once
_BLOCK = 65536
# larger meshes are not kept for the next tile of that size; far larger ones would fill the memory
_KEPT_VERTICES = 250_000
_MOST_VERTICES = 20_000_000
# up to so many points a search through all triangles is faster than making a search grid
_FEW_POINTS = 24


def mesh_size(width: float, height: float, cell: float) -> tuple[int, int]:
    """Count the vertices of the mesh of a tile.

    Parameters
    ----------
    width, height : float
        Size of the tile in pixels.
    cell : float
        Mesh cell size: about the length of an edge.

    Returns
    -------
    columns, rows : int
        Vertices of an even row, and even rows.
    """
    nx = mesh_columns(width, cell)
    return nx, mesh_rows(width, height, nx)


def mesh_columns(width: float, cell: float) -> int:
    """Return the number of vertices per even row of the mesh of a tile of that width."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return max(2, _as_int(np.float64(width) / cell + 0.5))


def mesh_rows(width: float, height: float, nx: int) -> int:
    """Return the number of even rows of a mesh of that many vertices per even row."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        edge = np.float64(width) / (nx - 1)
        # the height of two rows of equilateral triangles
        return max(2, _as_int(np.float64(height) / (2 * np.sqrt(0.75 * edge * edge)) + 0.5) + 1)


def _as_int(value: Any) -> int:
    # a cast in Java: toward zero, saturating, NaN is 0
    return 0 if np.isnan(value) else int(np.clip(value, -(2.0**31), 2.0**31 - 1))


def mesh_vertices(width: float, height: float, nx: int, ny: int) -> Array:
    """Return the vertices of the mesh of a tile, row by row.

    Parameters
    ----------
    width, height : float
        Size of the tile in pixels; the mesh ends one pixel before right and bottom edge.
    nx : int
        Vertices of an even row; the rows between, at half the distance, have one less.
    ny : int
        Number of even rows.

    Returns
    -------
    (nx + (ny - 1) * (2 * nx - 1), 2) array
    """
    dx, dy = (width - 1) / (nx - 1), (height - 1) / (ny - 1)
    even = np.arange(nx) * dx
    first = even.copy()
    even[-1] = width - 1
    odd = np.arange(1, nx) * dx - dx / 2
    y = np.arange(1, ny) * dy
    bands = np.empty((ny - 1, 2 * nx - 1, 2))
    bands[:, : nx - 1, 0], bands[:, nx - 1 :, 0] = odd, even
    bands[:, : nx - 1, 1], bands[:, nx - 1 :, 1] = (y - dy / 2)[:, None], y[:, None]
    top = np.column_stack([first, np.zeros(nx)])
    return np.concatenate([top, bands.reshape(-1, 2)])


def mesh_triangles(nx: int, ny: int) -> NDArray[np.intp]:
    """Return the triangles of a mesh as vertex numbers, in the order in which mpicbg makes them.

    Parameters
    ----------
    nx, ny : int
        Vertices of an even row, and number of even rows.

    Returns
    -------
    (4 * (nx - 1) * (ny - 1), 3) array
    """
    band = [(0, 1, nx)]
    for i in range(nx + 1, 2 * nx - 1):
        u = i - nx
        band += [(u, u + 1, i), (u, i, i - 1)]
    i = 2 * nx - 1
    u = i - nx + 1
    band.append((u - nx, u, i))
    for i in range(2 * nx, 3 * nx - 2):
        u = i - nx
        band += [(u, i, i - 1), (u, u + 1, i)]
    i = 3 * nx - 2
    u = i - nx
    band += [(i - 1, u, i), (u, u - nx + 1, i)]
    offsets = np.arange(ny - 1) * (2 * nx - 1)
    return (np.array(band)[None] + offsets[:, None, None]).reshape(-1, 3)


def topology(width: float, height: float, cell: float) -> tuple[Array, NDArray[np.intp]]:
    """Return vertices and triangles of the mesh of a tile: the same for all tiles of that size."""
    nx, ny = mesh_size(width, height, cell)
    make = _kept_topology if nx * ny <= _KEPT_VERTICES else _kept_topology.__wrapped__
    return make(width, height, nx, ny)


@lru_cache(maxsize=8)
def _kept_topology(width: float, height: float, nx: int, ny: int) -> tuple[Array, NDArray[np.intp]]:
    vertices, triangles = mesh_vertices(width, height, nx, ny), mesh_triangles(nx, ny)
    vertices.flags.writeable = triangles.flags.writeable = False
    return vertices, triangles


def triangle_weight(width: float, height: float, cell: float) -> float:
    """Return the weight of the corners of triangles when they are inverted."""
    nx, ny = mesh_size(width, height, cell)
    return width * height / nx / ny


def has_no_transforms(document: Any) -> bool:
    """Tell whether a tile has no transforms at all, and is inverted without a mesh."""
    if isinstance(document, dict):
        return not (document.get("transforms") or {}).get("specList")
    return not document.tforms


class CoordinateMesh:
    """Maps points of one tile both ways: forward through its transforms, backward through a triangle mesh.

    Parameters
    ----------
    tilespec : dict or object
        TileSpec document, or an object with ``width``, ``height``, ``tforms`` and, if it likes,
        ``meshCellSize``.
    shared_transforms : mapping or iterable, optional
        Shared transforms, as documents or objects: a mapping from id, or a collection.

    Attributes
    ----------
    vertices : (V, 2) array
        Vertices in local coordinates.
    triangles : (T, 3) array
        Vertices of each triangle.
    mapped : (V, 2) array
        Vertices in world coordinates.

    Raises
    ------
    TileSpecError
        If width or height is missing or the transforms cannot be evaluated.

    Notes
    -----
    The mesh covers 0 ... width - 1 and 0 ... height - 1. What it answers differs from the exact inverse of
    curved transforms by what a triangle differs from the curve: up to pixels for a large ``meshCellSize``.
    A tile without transforms is the identity everywhere.

    The transforms are taken as they are when the mesh is made; the mesh itself is made when it is first
    needed, and kept.
    """

    def __init__(self, tilespec: Any, shared_transforms: Any = None) -> None:
        document = document_of(tilespec)
        self._forward = _forward(tilespec, document, shared_transforms)
        self._size = tile_size(document)
        self._identity = has_no_transforms(document)
        nx, ny = mesh_size(*self._size)
        if nx * ny > _MOST_VERTICES:
            raise TileSpecError.of(
                tilespec, f"a mesh cell size of {self._size[2]} makes {nx} x {ny} mesh cells"
            )
        self.vertices, self.triangles = topology(*self._size)
        self._mapped: Array | None = None
        self._faces: _Faces | None = None
        self._asked = 0

    @property
    def mapped(self) -> Array:
        """Vertices in world coordinates."""
        if self._mapped is None:
            self._mapped = self.local_to_world(self.vertices)
        return self._mapped

    def local_to_world(self, points: Any) -> Array:
        """Map local points through the transforms.

        Parameters
        ----------
        points : (N, 2) array
            Pixels x, y of the tile.

        Returns
        -------
        (N, 2) array
            World coordinates; there are some for points outside of the tile too.
        """
        with np.errstate(all="ignore"):
            return self._forward(as_points(points))

    def world_to_local(self, points: Any) -> Array:
        """Map world points back through the mesh.

        Parameters
        ----------
        points : (N, 2) array
            World coordinates x, y.

        Returns
        -------
        (N, 2) array
            Pixels of the tile; NaN where render says that the location is not invertible: outside of the
            mesh, and everywhere in mirrored tiles.
        """
        world = as_points(points)
        if self._identity:
            return world.copy()
        if self._faces is None:
            weight = triangle_weight(*self._size)
            self._faces = _Faces(self.vertices, self.mapped, self.triangles, weight)
        self._asked += len(world)
        out = np.empty(world.shape)
        with np.errstate(all="ignore"):
            for part in blocks(len(world), _BLOCK):
                x, y = np.ascontiguousarray(world[part].T)
                few = self._asked <= _FEW_POINTS
                found = self._faces.search(x, y) if few else self._faces.search_grid(x, y)
                out[part] = self._faces.map_back(found, x, y)
        return out


class Grid:
    """Cells of the plane, and the triangles that may contain the points of each.

    Parameters
    ----------
    corners : (T, 3, 2) array
        Corners of the triangles; those that are not finite contain nothing.
    margin : float
        How far from a triangle a point is still taken for one that may be in it.
    """

    def __init__(self, corners: Array, margin: float) -> None:
        low, high = corners.min(axis=1), corners.max(axis=1)  # (T, 2)
        usable = np.flatnonzero(np.isfinite(low).all(axis=1) & np.isfinite(high).all(axis=1))
        low, high = low[usable] - margin, high[usable] + margin
        self._origin = low.min(axis=0, initial=np.inf)
        extent = high.max(axis=0, initial=-np.inf) - self._origin
        # half as wide as a triangle, so that a cell has few of them
        self._cell = (
            np.maximum(np.median(high - low, axis=0) / 2, extent / 4096) if len(usable) else np.ones(2)
        )
        self._shape = (np.floor(extent / self._cell) + 1).astype(np.intp) if len(usable) else (0, 0)
        first = np.floor((low - self._origin) / self._cell).astype(np.intp)
        count = np.floor((high - self._origin) / self._cell).astype(np.intp) - first + 1
        small = count.prod(axis=1) <= _MOST_CELLS
        self._large = usable[~small]
        first, count = first[small], count[small]
        # one entry for every cell that the box of a triangle touches
        total = count.prod(axis=1)
        owner = np.repeat(np.arange(len(total)), total)
        within = np.arange(total.sum()) - np.repeat(np.cumsum(total) - total, total)
        column = first[owner, 0] + within % count[owner, 0]
        row = first[owner, 1] + within // count[owner, 0]
        cells = row * self._shape[0] + column
        order = np.lexsort([-owner, cells])
        self._entries = usable[small][owner[order]]
        self._starts = np.searchsorted(cells[order], np.arange(self._shape[0] * self._shape[1] + 1))

    def search(
        self, x: Array, y: Array, inside: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.bool_]]
    ) -> NDArray[np.intp]:
        """Find the last triangle that each point is in.

        Parameters
        ----------
        x, y : (N,) array
            The points.
        inside : callable
            Tells of triangles (K,) and numbers of points (K,) which are in which.

        Returns
        -------
        (N,) array of int
            Numbers of the triangles, -1 where there is none.
        """
        found = np.full(len(x), -1)
        column = np.floor((x - self._origin[0]) / self._cell[0])
        row = np.floor((y - self._origin[1]) / self._cell[1])
        columns, rows = self._shape
        points = np.flatnonzero((column >= 0) & (column < columns) & (row >= 0) & (row < rows))
        cell = (row[points] * columns + column[points]).astype(np.intp)
        at, end = self._starts[cell], self._starts[cell + 1]
        while len(points):
            left = at < end
            points, at, end = points[left], at[left], end[left]
            triangle = self._entries[at]
            hit = inside(triangle, points)
            found[points[hit]] = triangle[hit]
            points, at, end = points[~hit], at[~hit] + 1, end[~hit]
        for large in self._large:
            points = np.flatnonzero(found < large)
            hit = inside(np.full(len(points), large), points)
            found[points[hit]] = large
        return found


def edges_of(corners: Array) -> Array:
    """Return corners (..., 3, 2) and edges of triangles as one axis: (..., 12)."""
    with np.errstate(invalid="ignore"):
        edges = np.roll(corners, -1, axis=-2) - corners
    flat = (*corners.shape[:-2], 6)
    return np.concatenate([corners.reshape(flat), edges.reshape(flat)], axis=-1)


def is_inside(triangles: Array, x: Array, y: Array) -> NDArray[np.bool_]:
    """Tell which points are in triangles, given as `edges_of` gives them; the edges belong to these."""
    ax, ay, bx, by, cx, cy, abx, aby, bcx, bcy, cax, cay = np.moveaxis(triangles, -1, 0)
    outside: NDArray[np.bool_] = abx * (y - ay) - aby * (x - ax) < 0
    outside = outside | (bcx * (y - by) - bcy * (x - bx) < 0)
    outside = outside | (cax * (y - cy) - cay * (x - cx) < 0)
    return ~outside


def transforms_back(local: Array, world: Array, weight: float) -> Array:
    """Return the affine transforms from world to local of triangles.

    Parameters
    ----------
    local, world : (K, 3, 2) array
        Corners.
    weight : float
        Weight of each corner, which does not cancel in floating point.

    Returns
    -------
    (K, 6) array
        i00, i01, i02, i10, i11, i12.
    """
    px, py = local.transpose(2, 1, 0)
    qx, qy = world.transpose(2, 1, 0)
    m00, m01, m10, m11, m02, m12 = least_squares.affine_or_identity(px, py, qx, qy, np.full((3, 1), weight))
    return np.column_stack(least_squares.invert(m00, m01, m02, m10, m11, m12))


def mapped_back(inverse: Array, x: Array, y: Array) -> Array:
    """Map points by what `transforms_back` gave for each."""
    i00, i01, i02, i10, i11, i12 = inverse.T
    return np.column_stack([x * i00 + y * i01 + i02, x * i10 + y * i11 + i12])


class _Faces:
    """Triangles in world coordinates, ways to find the one that a point is in, and the transforms back."""

    def __init__(self, vertices: Array, mapped: Array, triangles: NDArray[np.intp], weight: float) -> None:
        self._local, self._weight = vertices[triangles], weight
        self._corners: Array = mapped[triangles]  # (T, 3, 2)
        self._numbers = edges_of(self._corners)
        self._inverse: Array | None = None
        self._grid: Grid | None = None

    def search(self, x: Array, y: Array) -> NDArray[np.intp]:
        """Return the triangle that each of a few points is in, -1 for none, by looking at all of them."""
        found = np.full(len(x), -1)
        for row in range(len(x)):
            # on an edge any neighbour may answer in Java, which looks at triangles in the order of identity
            # hashes: here it is the last
            hits = np.flatnonzero(is_inside(self._numbers, x[row], y[row]))
            if len(hits):
                found[row] = hits[-1]
        return found

    def search_grid(self, x: Array, y: Array) -> NDArray[np.intp]:
        """Return the triangle that each point is in, -1 for none, with the help of a grid that is kept."""
        if self._grid is None:
            # the test of a point rounds, so it may succeed a little beyond the corners
            finite = self._corners[np.isfinite(self._corners).all(axis=(1, 2))]
            self._grid = Grid(self._corners, 1e-9 * np.abs(finite).max(initial=1.0))
        return self._grid.search(
            x, y, lambda triangle, point: is_inside(self._numbers[triangle], x[point], y[point])
        )

    def map_back(self, found: NDArray[np.intp], x: Array, y: Array) -> Array:
        """Map points back by the triangles they are in: (N, 2), NaN where there is none."""
        out = np.full((len(x), 2), np.nan)
        rows = np.flatnonzero(found >= 0)
        if self._grid is None:
            inverse = self._inverted(found[rows])
        else:
            if self._inverse is None:
                self._inverse = self._inverted(np.arange(len(self._corners)))
            inverse = self._inverse[found[rows]]
        out[rows] = mapped_back(inverse, x[rows], y[rows])
        return out

    def _inverted(self, triangles: NDArray[np.intp]) -> Array:
        return transforms_back(self._local[triangles], self._corners[triangles], self._weight)


def _forward(tilespec: Any, document: Any, shared_transforms: Any) -> Callable[[Array], Array]:
    try:
        return mapping(Chains(shared_transforms).of_tile(document))
    except BadNumbersError as error:
        raise TileSpecError.of(tilespec, error) from None


def world_to_local(tilespec: Any, points: Any, shared_transforms: Any = None) -> Array:
    """Map world points back to the pixels of a tile, through its triangle mesh.

    Keep a `CoordinateMesh` to map points of the same tile again.

    Parameters
    ----------
    tilespec : dict or object
        The tile, as for `CoordinateMesh`.
    points : (N, 2) array
        World coordinates x, y.
    shared_transforms : mapping or iterable, optional
        Shared transforms.

    Returns
    -------
    (N, 2) array
        Pixels of the tile; NaN where render says that the location is not invertible.

    Raises
    ------
    TileSpecError
        If width or height is missing or the transforms cannot be evaluated.
    """
    return CoordinateMesh(tilespec, shared_transforms).world_to_local(points)


def local_to_world(tilespec: Any, points: Any, shared_transforms: Any = None) -> Array:
    """Map pixels of a tile through its transforms.

    Parameters
    ----------
    tilespec : dict or object
        The tile, as for `CoordinateMesh`; its size does not matter.
    points : (N, 2) array
        Pixels x, y of the tile.
    shared_transforms : mapping or iterable, optional
        Shared transforms.

    Returns
    -------
    (N, 2) array
        World coordinates.

    Raises
    ------
    TileSpecError
        If the transforms cannot be evaluated.
    """
    forward = _forward(tilespec, document_of(tilespec), shared_transforms)
    with np.errstate(all="ignore"):
        return forward(as_points(points))
