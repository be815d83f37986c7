"""Points of many tiles at once, between local and world coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi.errors import SpecError
from renderapi.geometry._boxes import tile_size
from renderapi.geometry._shared_mesh import SharedMesh, split
from renderapi.geometry.chains import (
    BadNumbersError,
    Chains,
    TileSpecError,
    apply_step,
    document_of,
    has_numbers,
    read_numbers,
)
from renderapi.geometry.meshes import CoordinateMesh, has_no_transforms, mesh_size
from renderapi.transform.leaf.common import as_points, blocks

Array = NDArray[np.float64]

# points that are mapped at once
_BLOCK = 65536
# a mesh of its own is worth while for a tile with more points, or where fewer tiles have the same shape
_FEW_POINTS = 100
_MANY_TILES = 16
# larger meshes are made for one tile after the other
_MOST_VERTICES = 250_000


@lru_cache(8)
def _mesh_of_affine_tiles(size: tuple[float, float, float]) -> SharedMesh:
    # kept, because who maps points in slices asks for it again and again
    return SharedMesh(size, ())


def points_to_world(tilespecs: Sequence[Any], tile: Any, points: Any, shared_transforms: Any = None) -> Array:
    """Map points of many tiles to the world, tiles of the same kind of transforms together.

    Parameters
    ----------
    tilespecs : sequence
        TileSpec documents or objects.
    tile : array_like of int, (N,)
        Index of the tile that each point is in.
    points : array_like, (N, 2)
        Local coordinates x, y.
    shared_transforms : mapping or iterable, optional
        Shared transforms, as documents or objects: a mapping from id, or a collection.

    Returns
    -------
    (N, 2) array
        World coordinates.

    Raises
    ------
    TileSpecError
        If the transforms of a tile cannot be evaluated.
    """
    local = as_points(points)
    index = _indices(tile, len(local), len(tilespecs))
    chains = Chains(shared_transforms)
    used, place = np.unique(index, return_inverse=True)
    place = place.reshape(-1)
    groups: dict[Any, tuple[int, list[int], list[Any]]] = {}
    group_of = np.empty(len(used), np.intp)
    row_of = np.empty(len(used), np.intp)
    for number, one in enumerate(used.tolist()):
        chain = chains.of_tile(document_of(tilespecs[one]))
        group, members, numbers = groups.setdefault(chain.steps, (len(groups), [], []))
        group_of[number], row_of[number] = group, len(members)
        members.append(one)
        numbers.append(chain.numbers)
    world = np.empty(local.shape)
    for steps, (group, members, given) in groups.items():
        rows = np.flatnonzero(group_of[place] == group)
        try:
            own = _numbers(steps, given)
        except BadNumbersError as error:
            raise TileSpecError.of(tilespecs[members[error.index]], error) from None
        with np.errstate(all="ignore"):
            for part in blocks(len(rows), _BLOCK):
                some = rows[part]
                of = row_of[place[some]]
                x, y = local[some, 0][:, None], local[some, 1][:, None]
                for step, values in zip(steps, own):
                    x, y = apply_step(step, None if values is None else values[of], x, y)
                world[some, 0], world[some, 1] = x[:, 0], y[:, 0]
    return world


def _numbers(steps: Sequence[Any], given: Sequence[Any]) -> list[Array | None]:
    columns = iter(range(len(given[0])))
    result: list[Array | None] = []
    for step in steps:
        if has_numbers(step):
            column = next(columns)
            result.append(read_numbers(step, [numbers[column] for numbers in given]))
        else:
            result.append(None)
    return result


def points_to_local(
    tilespecs: Sequence[Any],
    tile: Any,
    points: Any,
    shared_transforms: Any = None,
    make_mesh: Callable[[Any], CoordinateMesh] | None = None,
) -> Array:
    """Map world points back to the pixels of many tiles, each through the triangle mesh of its tile.

    Parameters
    ----------
    tilespecs : sequence
        TileSpec documents or objects.
    tile : array_like of int, (N,)
        Index of the tile for each point.
    points : array_like, (N, 2)
        World coordinates x, y.
    shared_transforms : mapping or iterable, optional
        Shared transforms, as documents or objects: a mapping from id, or a collection.
    make_mesh : callable, optional
        Gives the `CoordinateMesh` of a tile spec, for programs that keep some; it is asked for those tiles that
        have a mesh of their own.

    Returns
    -------
    (N, 2) array
        Local coordinates; NaN where render says that the location is not invertible.

    Raises
    ------
    TileSpecError
        If width or height of a tile is missing or its transforms cannot be evaluated.
    """
    world = as_points(points)
    index = _indices(tile, len(world), len(tilespecs))
    used, place, counts = np.unique(index, return_inverse=True, return_counts=True)
    few = np.flatnonzero(counts <= _FEW_POINTS)
    local = np.full(world.shape, np.inf)
    if len(few) >= _MANY_TILES:
        _by_shared_meshes(tilespecs, used, place.reshape(-1), few, world, local, shared_transforms)
    rest = np.flatnonzero(np.isinf(local[:, 0]))
    order = rest[np.argsort(index[rest], kind="stable")]
    starts = np.flatnonzero(np.diff(index[order])) + 1
    for rows in np.split(order, starts) if len(order) else ():
        one = tilespecs[index[rows[0]]]
        mesh = CoordinateMesh(one, shared_transforms) if make_mesh is None else make_mesh(one)
        local[rows] = mesh.world_to_local(world[rows])
    return local


def _by_shared_meshes(
    tilespecs: Sequence[Any],
    used: NDArray[np.intp],
    place: NDArray[np.intp],
    few: NDArray[np.intp],
    world: Array,
    local: Array,
    shared_transforms: Any,
) -> None:
    # set the local points of the tiles used[few] that have company of their shape
    chains = Chains(shared_transforms)
    groups: dict[Any, tuple[list[int], list[Any]]] = {}
    for number in few.tolist():
        document = document_of(tilespecs[used[number]])
        chain = chains.of_tile(document)
        if not has_no_transforms(document):
            members, numbers = groups.setdefault((tile_size(document), chain.steps), ([], []))
            members.append(number)
            numbers.append(chain.numbers)
    row_of = np.empty(len(used), np.intp)
    for (size, steps), (members, given) in groups.items():
        shared = split(steps)
        if len(members) < _MANY_TILES or shared is None or np.prod(mesh_size(*size)) > _MOST_VERTICES:
            continue
        mesh = SharedMesh(size, steps[:shared]) if shared else _mesh_of_affine_tiles(size)
        if not mesh.usable:
            continue
        try:
            own = [numbers for numbers in _numbers(steps, given) if numbers is not None]
        except BadNumbersError as error:
            raise TileSpecError.of(tilespecs[used[members[error.index]]], error) from None
        row_of[:] = -1
        row_of[members] = np.arange(len(members))
        rows = np.flatnonzero(row_of[place] >= 0)
        for part in blocks(len(rows), _BLOCK):
            some = rows[part]
            of = row_of[place[some]]
            x, y = np.ascontiguousarray(world[some].T)
            local[some] = mesh.to_local(steps[shared:], [numbers[of] for numbers in own], x, y)


def _indices(tile: Any, points: int, tiles: int) -> NDArray[np.intp]:
    index = np.asarray(tile, dtype=np.intp).reshape(-1)
    if len(index) != points:
        raise SpecError(f"{points} points need as many indices of tiles, not {len(index)}")
    if points and not 0 <= index.min() <= index.max() < tiles:
        raise SpecError(f"indices of {tiles} tiles must not be {index.min()} ... {index.max()}")
    return index
