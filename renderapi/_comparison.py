"""What differs between two stacks, found layer by layer from the boxes of their tiles."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from renderapi._names import BOX


@dataclass(frozen=True)
class StackComparison:
    """What differs between a stack and another one.

    Attributes
    ----------
    tiles, other_tiles : int
        Number of tiles of each.
    added, removed : int
        Number of tiles that only the other stack has, and that only the first has. A tile that is in another
        layer is among both.
    moved : int
        Number of tiles whose bounding box is another.
    largest_shift : float
        The farthest that a corner of a box moved, in pixels; 0.0 if none did.
    layers_added, layers_removed : list of float
        z of layers that only the other stack has, and that only the first has.
    added_ids, removed_ids : list of str
        Ids of the first of those tiles.
    moved_ids : dict
        Ids of the tiles that moved farthest, the farthest first, with how far.
    """

    tiles: int
    other_tiles: int
    added: int
    removed: int
    moved: int
    largest_shift: float
    layers_added: list[float]
    layers_removed: list[float]
    added_ids: list[str]
    removed_ids: list[str]
    moved_ids: dict[str, float]

    @property
    def equal(self) -> bool:
        """Whether both have the same tiles with the same boxes in the same layers."""
        return not (self.added or self.removed or self.moved)


class Comparison:
    """Counts what differs, one layer after the other; some ids are kept as a sample."""

    def __init__(self, tolerance: float, sample: int) -> None:
        self._tolerance = tolerance
        self._sample = sample
        self._counts = [0] * 5
        self._shift = 0.0
        self._layers: tuple[list[float], list[float]] = ([], [])
        self._ids: tuple[list[str], list[str]] = ([], [])
        self._farthest: list[tuple[float, str]] = []

    def layer(self, z: float, tiles: Iterable[Mapping[str, Any]], others: Iterable[Mapping[str, Any]]) -> int:
        """Compare the TileBounds documents of one layer; gives the number of tiles of both."""
        here, there = ({tile["tileId"]: tile for tile in part} for part in (tiles, others))
        added, removed = sorted(there.keys() - here.keys()), sorted(here.keys() - there.keys())
        for place, (ids, own) in enumerate(((added, here), (removed, there))):
            kept = self._ids[place]
            kept += ids[: self._sample - len(kept)]
            if ids and not own:
                self._layers[place].append(z)
        common = sorted(here.keys() & there.keys())
        moves = np.abs(_boxes(here, common) - _boxes(there, common))
        shifts = np.hypot(np.maximum(moves[:, 0], moves[:, 2]), np.maximum(moves[:, 1], moves[:, 3]))
        moved = np.flatnonzero(shifts > self._tolerance)
        self._shift = max(self._shift, float(shifts[moved].max(initial=0.0)))
        farthest = moved[np.argsort(-shifts[moved], kind="stable")[: self._sample]]
        self._farthest = heapq.nlargest(
            self._sample, [*self._farthest, *((float(shifts[row]), common[row]) for row in farthest)]
        )
        found = (len(here), len(there), len(added), len(removed), len(moved))
        self._counts = [count + more for count, more in zip(self._counts, found)]
        return len(here) + len(there)

    def result(self) -> StackComparison:
        """Return what was found until now."""
        moved = {tile_id: shift for shift, tile_id in self._farthest}
        tiles, others, added, removed, moves = self._counts
        return StackComparison(
            tiles, others, added, removed, moves, self._shift, *self._layers, *self._ids, moved
        )


def _boxes(tiles: Mapping[str, Mapping[str, Any]], ids: list[str]) -> Any:
    rows = [[tiles[tile_id].get(name, np.nan) for name in BOX] for tile_id in ids]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
