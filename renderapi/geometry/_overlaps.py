"""Boxes that overlap, found for all boxes of a layer at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderapi.errors import SpecError

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

# candidates that are looked at at once: the arrays of their coordinates stay in the cache
_BLOCK = 2**18
# how finely the x of centres is counted, and where the number of the strip stands above that count
_X_LEVELS, _STRIP_SHIFT = 2**30, 32
# rounding must not put a box into the strip beyond those that are searched
_STRIP_MARGIN = 1e-6
# boxes are searched together whose larger sides differ by up to this factor
_SIZES = 4.0


def checked_boxes(boxes: Any) -> Doubles:
    """Take boxes as an array, refusing what is none.

    Parameters
    ----------
    boxes : array_like, (N, 4)
        minX, minY, maxX, maxY.

    Returns
    -------
    (N, 4) float64 array
        As given.

    Raises
    ------
    SpecError
        If the shape is another, a number is not finite, or a minimum is above its maximum.
    """
    array = np.asarray(boxes, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, 4))
    if array.ndim != 2 or array.shape[1] != 4:
        raise SpecError(f"boxes must have the shape (N, 4), not {array.shape}")
    bad = ~(np.isfinite(array).all(axis=1) & (array[:, :2] <= array[:, 2:]).all(axis=1))
    if bad.any():
        row = int(np.argmax(bad))
        raise SpecError(f"box {row} is none: minX, minY, maxX, maxY are {array[row].tolist()}")
    return array


def as_floats(boxes: Doubles) -> Floats:
    """Round boxes to the 32 bit numbers in which render compares them."""
    with np.errstate(over="ignore"):
        return boxes.astype(np.float32)


def overlap(a: Any, b: Any) -> NDArray[np.bool_]:
    """Tell whether boxes (..., 4) overlap others; those that touch do."""
    touching: NDArray[np.bool_] = (
        (a[..., 2] >= b[..., 0])
        & (a[..., 0] <= b[..., 2])
        & (a[..., 3] >= b[..., 1])
        & (a[..., 1] <= b[..., 3])
    )
    return touching


class _Strips(NamedTuple):
    """Boxes of about one size, sorted by horizontal strips of their centres and by x in each strip."""

    origin: tuple[float, float]
    half: tuple[float, float]
    height: float
    unit: float
    last: int
    keys: NDArray[np.int64]
    rows: Indices

    @classmethod
    def of(cls, boxes: Doubles, rows: Indices) -> _Strips:
        own = boxes[rows]
        x, y = (own[:, 0] + own[:, 2]) / 2, (own[:, 1] + own[:, 3]) / 2
        half_width, half_height = ((own[:, 2:] - own[:, :2]) / 2).max(axis=0).tolist()
        left, top = float(x.min()), float(y.min())
        # as high as the boxes, so that few strips are searched; but not so low that most are empty
        height = max(2 * half_height, (float(y.max()) - top) / (2 * np.sqrt(len(rows)))) or 1.0
        unit = (float(x.max()) - left) / _X_LEVELS or 1.0
        strip = np.floor((y - top) / height).astype(np.int64)
        keys = (strip << _STRIP_SHIFT) + np.floor((x - left) / unit).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        return cls(
            (left, top), (half_width, half_height), height, unit, int(strip.max()), keys[order], rows[order]
        )

    def ranges(self, asked: Doubles) -> tuple[Indices, Indices, Indices]:
        """Return where in the sorted rows there may be boxes that overlap those asked for.

        Returns
        -------
        asking, start, count : (R,) int arrays
            Row of the asking box, first place, and number of places; there may be several for each box.
        """
        (left, top), (half_width, half_height) = self.origin, self.half
        first = np.floor((asked[:, 1] - half_height - top) / self.height - _STRIP_MARGIN)
        last = np.floor((asked[:, 3] + half_height - top) / self.height + _STRIP_MARGIN)
        first, last = np.maximum(first, 0.0), np.minimum(last, float(self.last))
        number = np.maximum(last - first + 1, 0.0).astype(np.intp)
        asking = np.repeat(np.arange(len(asked)), number)
        strip = expanded(first.clip(max=self.last).astype(np.int64), number) << _STRIP_SHIFT
        levels = [
            np.clip(np.floor((x - left) / self.unit), -1.0, _X_LEVELS + 1.0).astype(np.int64)
            for x in (asked[:, 0] - half_width, asked[:, 2] + half_width)
        ]
        # one level more on each side, for what rounding may have done
        start = np.searchsorted(self.keys, strip + (levels[0] - 1)[asking])
        end = np.searchsorted(self.keys, strip + (levels[1] + 1)[asking], side="right")
        return asking, start, np.maximum(end - start, 0)


def expanded(starts: Any, counts: Indices) -> Any:
    """Return start, start + 1 ... for each start, as many as its count."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - counts), counts)


class BoxIndex:
    """Finds those of some boxes that overlap others.

    Parameters
    ----------
    boxes : (N, 4) float32 array
        minX, minY, maxX, maxY.

    Attributes
    ----------
    columns : (4, N) float32 array
        The boxes, one coordinate after the other.
    """

    def __init__(self, boxes: Floats) -> None:
        self.columns = np.ascontiguousarray(boxes.T)
        wide = boxes.astype(np.float64)
        extent = (wide[:, 2:] - wide[:, :2]).max(axis=1, initial=0.0)
        # large boxes apart, so that one of them does not make the search of the small ones wide
        rest = np.arange(len(boxes))
        self._parts = []
        while len(rest):
            large = extent[rest] >= extent[rest].max() / _SIZES
            self._parts.append(_Strips.of(wide, rest[large]))
            rest = rest[~large]

    def overlapping(self, asked: Floats) -> Iterator[tuple[Indices, Indices]]:
        """Return the boxes that overlap (or touch) those asked for, some at a time.

        Parameters
        ----------
        asked : (M, 4) float32 array
            minX, minY, maxX, maxY.

        Yields
        ------
        asking, found : (K,) int arrays
            Rows of `asked`, and of the boxes that overlap them; ascending in `asking` only for boxes of
            one size.
        """
        wide = asked.astype(np.float64)
        for strips in self._parts:
            asking, start, count = strips.ranges(wide)
            ends = np.cumsum(count)
            place = 0
            while place < len(asking):
                done = int(ends[place - 1]) if place else 0
                stop = max(place + 1, int(np.searchsorted(ends, done + _BLOCK, side="right")))
                part = slice(place, stop)
                row = np.repeat(asking[part], count[part])
                found = strips.rows[expanded(start[part], count[part])]
                x1, y1, x2, y2 = (column[found] for column in self.columns)
                of = asked[row]
                hit = (of[:, 2] >= x1) & (of[:, 0] <= x2) & (of[:, 3] >= y1) & (of[:, 1] <= y2)
                yield row[hit], found[hit]
                place = stop
