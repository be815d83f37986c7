"""Contrast limited adaptive histogram equalization as mpicbg's plugin for ImageJ does it.

The method is that of K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV
(1994), 474-485; the number of bins, the way clipped entries are spread, the layout of the blocks and the
single precision of the arithmetic are those of mpicbg 1.4, because they decide every pixel. All of it works
on 8 bits; images with more bits or colours are multiplied with the change of their 8-bit image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]

# pixels handled at once: few enough to stay in the cache, enough to make numpy's overhead small
_PIXELS_AT_ONCE = 1 << 18
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_NO_LIMIT = np.float32(1 << 30)  # more than any histogram counts
_BYTE = np.float32(255)


def equalized(
    image: Image, low: float, high: float, radius: int, bins: int, slope: float, fast: bool
) -> Image:
    """Equalize an image locally.

    Parameters
    ----------
    image : (H, W) uint8, uint16 or float32, or (H, W, 3) uint8
        Not changed.
    low, high : float
        Display range, which maps 16-bit and float images to 8 bits.
    radius : int
        Blocks are ``2 * radius + 1`` pixels wide and high.
    bins : int
        Steps of the histograms.
    slope : float
        Largest slope of the transfer function (single precision).
    fast : bool
        Interpolate between the transfer functions of a grid of blocks (the image must be larger than
        `radius`), instead of making one from the block around every pixel.

    Returns
    -------
    array of the shape and dtype of `image`
    """
    before = _eight_bit(image, low, high)
    # (int)(a + 0.5f) of a single precision value, here and below: ties go up
    levels = np.arange(256, dtype=np.float32)
    binned = (levels / _BYTE * np.float32(bins) + _HALF).astype(np.uint16)[before]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        after = before.copy()
        if fast:
            _equalize_by_blocks(after, binned, radius, bins, np.float32(slope))
        else:
            _equalize_by_pixels(after, binned, radius, bins, np.float32(slope))
        return after if image.dtype == np.uint8 and image.ndim == 2 else _scaled(image, before, after, low)


def _eight_bit(image: Image, low: float, high: float) -> NDArray[np.uint8]:
    # the conversions of ImageJ 1.53
    if image.ndim == 3:
        third = 1.0 / 3.0
        red, green, blue = (image[..., channel].astype(np.float64) for channel in range(3))
        return (red * third + green * third + blue * third + 0.5).astype(np.uint8)
    if image.dtype == np.uint8:
        return image
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if image.dtype == np.uint16:
            above = np.maximum(np.arange(1 << 16) - low, 0)
            return _truncated(above * (np.float64(256) / np.float64(high - low + 1)) + 0.5, np.uint8)[image]
        least = np.float32(low)
        return _truncated(
            np.maximum(image - least, np.float32(0)) * (_BYTE / (np.float32(high) - least)) + _HALF, np.uint8
        )


def _truncated(values: Image, dtype: type[np.integer[Any]]) -> Image:
    # Java's cast makes 0 of NaN
    integers: Image = np.nan_to_num(np.clip(values, 0, np.iinfo(dtype).max), nan=0).astype(dtype)
    return integers


def _scaled(image: Image, before: Image, after: Image, low: float) -> Image:
    ratio = np.where(before == 0, _ONE, after.astype(np.float32) / before.astype(np.float32))
    values = image.astype(np.float32)
    if image.ndim == 3:
        values *= (_ONE + (ratio - _ONE))[..., None]
        return _truncated(values + _HALF, np.uint8)
    least = np.float32(low)
    # in this order, each step rounded to single precision
    change: Image = ratio * (values - least) + least - values
    values = change + values
    return _truncated(values + _HALF, np.uint16) if image.dtype == np.uint16 else values


def _cumulated(histograms: NDArray[np.int32], limits: NDArray[np.int32]) -> tuple[Image, Image, Image]:
    """Clip histograms (N, bins + 1) at their limits (N,); give their sums, the first and the last that count.

    What is cut off is spread evenly, the rest of that division over equally spaced bins. Bins that exceed
    the limit by it are clipped again, until as much is cut off as the time before. The histograms are changed.
    """
    size = histograms.shape[1]
    at = np.arange(size, dtype=np.int32)
    cut_before = np.zeros(len(histograms), np.int32)
    active = np.arange(len(histograms))
    part, limit = histograms, limits[:, None]
    while len(active):
        kept = np.minimum(part, limit)
        cut = (part - kept).sum(axis=1, dtype=np.int32)
        share, rest = np.divmod(cut, np.int32(size))
        kept += share[:, None]
        spread = np.flatnonzero(rest)
        step = (size - 1) // rest[spread][:, None]
        offset = at - step // 2
        kept[spread] += (offset >= 0) & (offset % step == 0)
        histograms[active] = kept
        unsettled = cut != cut_before[active]
        cut_before[active] = cut
        active, part, limit = active[unsettled], kept[unsettled], limit[unsettled]
    sums = np.cumsum(histograms, axis=1, dtype=np.int32)
    filled = histograms[:, :-1] != 0
    first = np.where(filled.any(axis=1), filled.argmax(axis=1), size - 1)
    return sums, sums[np.arange(len(sums)), first], sums[:, -1]


# --- one histogram for every pixel ---------------------------------------------------------------------------


def _equalize_by_pixels(after: Image, binned: Image, radius: int, bins: int, slope: np.float32) -> None:
    height, width = binned.shape
    size = bins + 1
    columns = np.arange(width)
    left, right = np.maximum(columns - radius, 0), np.minimum(columns + radius + 1, width)
    # counts of every column over the rows of the window, which moves down
    counts = np.zeros((width, size), np.int32)
    for row in binned[:radius]:
        counts[columns, row] += 1
    sums = np.zeros((width + 1, size), np.int32)
    for y in range(height):
        if y + radius < height:
            counts[columns, binned[y + radius]] += 1
        if y > radius:
            counts[columns, binned[y - radius - 1]] -= 1
        np.cumsum(counts, axis=0, out=sums[1:])
        rows = min(y + radius + 1, height) - max(y - radius, 0)
        pixels = ((right - left) * rows).astype(np.float32)
        limits = np.minimum(slope * pixels / np.float32(bins) + _HALF, _NO_LIMIT).astype(np.int32)
        cumulated, first, last = _cumulated(sums[right] - sums[left], limits)
        here = cumulated[columns, binned[y]]
        transferred = (here - first).astype(np.float32) / (last - first).astype(np.float32)
        # no clamping here: the lowest 8 bits count. Only 0 / 0 and less than 0 / 0 are not finite
        values = np.nan_to_num(transferred * _BYTE + _HALF, nan=0, neginf=0)
        after[y] = values.astype(np.int64).astype(np.uint8)


# --- interpolation between blocks ----------------------------------------------------------------------------


class _Cell(NamedTuple):
    # pixels start <= x < stop lie between the centres of two blocks, or beside the outermost one
    start: int
    stop: int
    block: int
    next_block: int


def _centres(size: int, radius: int) -> list[int]:
    # as many blocks as fit, in the middle; if pixels remain, one more at either side over them
    block = 2 * radius + 1
    count, rest = divmod(size, block)
    first = radius + 1
    inner = [first + index * block for index in range(count)]
    if rest == 0:
        return inner
    last = size - radius - 1
    if rest == 1:
        return [*inner, last]
    return [first, *(centre + rest // 2 for centre in inner), last]


def _cells(centres: list[int], size: int) -> Iterator[_Cell]:
    # the last pixel belongs to no cell: it keeps its value
    last = len(centres) - 1
    yield _Cell(0, centres[0], 0, 0)
    for index in range(last):
        yield _Cell(centres[index], centres[index + 1], index, index + 1)
    yield _Cell(centres[last], size - 1, last, last)


def _weights(cell: _Cell, centres: list[int]) -> NDArray[np.float32]:
    # of the first of the two blocks
    positions = np.arange(cell.start, cell.stop)
    if cell.block == cell.next_block:
        return np.ones(len(positions), np.float32)
    end = centres[cell.next_block]
    return (end - positions).astype(np.float32) / np.float32(end - centres[cell.block])


class _Columns:
    """The columns that lie in cells, and the blocks on either side of each."""

    def __init__(self, centres: list[int], size: int) -> None:
        block, next_block = np.full(size, -1), np.full(size, -1)
        weight = np.ones(size, np.float32)
        # cells of images smaller than a block overlap; the later one counts
        for cell in _cells(centres, size):
            if cell.start < cell.stop:
                inside = slice(cell.start, cell.stop)
                block[inside], next_block[inside] = cell.block, cell.next_block
                weight[inside] = _weights(cell, centres)
        self.index = np.flatnonzero(block >= 0)
        self.block, self.next_block = block[self.index], next_block[self.index]
        self.weight = weight[self.index]


def _equalize_by_blocks(after: Image, binned: Image, radius: int, bins: int, slope: np.float32) -> None:
    height, width = binned.shape
    side = np.float32(2 * radius + 1)
    limit = int(min(slope * side * side / np.float32(bins) + _HALF, _NO_LIMIT))
    centres, rows = _centres(width, radius), _centres(height, radius)
    columns = _Columns(centres, width)
    at_once = max(1, _PIXELS_AT_ONCE // width)
    known: dict[int, NDArray[np.float32]] = {}
    for cell in _cells(rows, height):
        known = {
            index: known[index]
            if index in known
            else _transfers(binned, rows[index], centres, radius, bins, limit)
            for index in (cell.block, cell.next_block)
        }
        above, below = known[cell.block], known[cell.next_block]
        weights = _weights(cell, rows)[:, None]
        for start in range(cell.start, cell.stop, at_once):
            stop = min(start + at_once, cell.stop)
            weight = weights[start - cell.start : stop - cell.start]
            values = binned[start:stop, columns.index]
            upper = _between(above, values, columns)
            lower = upper if below is above else _between(below, values, columns)
            mixed = weight * upper + (_ONE - weight) * lower
            after[start:stop, columns.index] = _truncated(mixed * _BYTE + _HALF, np.uint8)


def _between(transfers: NDArray[np.float32], values: Image, columns: _Columns) -> NDArray[np.float32]:
    size = transfers.shape[1]
    flat = transfers.ravel()
    left, right = flat[values + columns.block * size], flat[values + columns.next_block * size]
    mixed: NDArray[np.float32] = columns.weight * left + (_ONE - columns.weight) * right
    return mixed


def _transfers(
    binned: Image, row: int, centres: list[int], radius: int, bins: int, limit: int
) -> NDArray[np.float32]:
    # (blocks, bins + 1): transfer functions of the blocks of one row
    height, width = binned.shape
    size, blocks, side = bins + 1, len(centres), 2 * radius + 1
    columns = (np.array(centres)[:, None] + np.arange(-radius, radius + 1)).ravel()
    inside = (columns >= 0) & (columns < width)
    columns, offsets = columns[inside], np.repeat(np.arange(blocks) * size, side)[inside]
    counts = np.zeros(blocks * size, np.intp)
    top, bottom = max(0, row - radius), min(height, row + radius + 1)
    at_once = max(1, _PIXELS_AT_ONCE // width)
    for start in range(top, bottom, at_once):
        keys = binned[start : min(start + at_once, bottom), columns] + offsets
        counts += np.bincount(keys.ravel(), minlength=len(counts))
    histograms = counts.reshape(blocks, size).astype(np.int32)
    sums, first, last = _cumulated(histograms, np.full(blocks, limit, np.int32))
    return (sums - first[:, None]).astype(np.float32) / (last - first).astype(np.float32)[:, None]
