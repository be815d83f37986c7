"""Points of many tiles at once, between local and world coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi.errors import SpecError
from renderapi.geometry._chain import (
    BadNumbersError,
    Chains,
    TileSpecError,
    apply_step,
    document_of,
    has_numbers,
    read_numbers,
)
from renderapi.geometry._mesh import CoordinateMesh
from renderapi.transform.leaf.common import as_points, blocks

Array = NDArray[np.float64]

# points that are mapped at once
_BLOCK = 65536


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


def points_to_local(tilespecs: Sequence[Any], tile: Any, points: Any, shared_transforms: Any = None) -> Array:
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
    local = np.empty(world.shape)
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order])) + 1
    for rows in np.split(order, starts) if len(order) else ():
        local[rows] = CoordinateMesh(tilespecs[index[rows[0]]], shared_transforms).world_to_local(world[rows])
    return local


def _indices(tile: Any, points: int, tiles: int) -> NDArray[np.intp]:
    index = np.asarray(tile, dtype=np.intp).reshape(-1)
    if len(index) != points:
        raise SpecError(f"{points} points need as many indices of tiles, not {len(index)}")
    if points and not 0 <= index.min() <= index.max() < tiles:
        raise SpecError(f"indices of {tiles} tiles must not be {index.min()} ... {index.max()}")
    return index
