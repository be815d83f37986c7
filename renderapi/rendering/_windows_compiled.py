"""Filters that look at the pixels around each, compiled by numba: the pixels of what numpy gives for them.

Sums of whole numbers are exact, minima and ranks have no rounding, so the order in which they are found is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._compiler import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[Any]


def normalized(
    image: Image, radius: tuple[int, int], factor: float, low: float, high: float, center: bool, stretch: bool
) -> Image:
    """Normalize the local contrast of an image of whole numbers; see `NormalizeLocalContrast`."""
    result = np.empty(image.shape, image.dtype)
    _normalize(image, result, radius[0], radius[1], factor, low, high, center, stretch)
    return result


def median(image: Image, widths: NDArray[np.int64], rank: int) -> Image:
    """Return the value of a rank over a disc, of an image of whole numbers; border pixels are repeated."""
    half = len(widths) // 2
    padded = np.pad(image, half, mode="edge")
    result = np.empty(image.shape, image.dtype)
    _median(padded, widths, rank, np.zeros(int(np.iinfo(image.dtype).max) + 1, np.int32), result)
    return result


def rolled(image: Image, ball: Image) -> Image:
    """Return the surface that a ball reaches from below an image without NaN."""
    half = len(ball) // 2
    outside = np.pad(image, 2 * half, constant_values=np.float32(np.inf))
    height, width = image.shape
    centres = np.full((height + 2 * half, width + 2 * half), np.inf, np.float32)
    _lowest(outside, ball, centres)
    result = np.full(image.shape, -np.inf, np.float32)
    _highest(centres, ball, result)
    return result


@compiled
def _normalize(
    image: Any,
    result: Any,
    radius_x: int,
    radius_y: int,
    factor: float,
    low: float,
    high: float,
    center: bool,
    stretch: bool,
) -> None:
    height, width = image.shape
    length = high - low
    middle = length / 2 + low
    top = 255.0 if image.itemsize == 1 else 65535.0
    sums, squares = np.zeros(width), np.zeros(width)
    for y in range(-radius_y, height):
        entering, leaving = y + radius_y, y - radius_y - 1
        for sign, row in ((1.0, entering), (-1.0, leaving)):
            if 0 <= row < height:
                for x in range(width):
                    # to numba, float() of single precision is single precision
                    single = np.float32(image[row, x])
                    double = np.float64(single)
                    # squares are in single precision, but in the first column
                    squares[x] += sign * (double * double if x == 0 else np.float64(single * single))
                    sums[x] += sign * double
        if y < 0:
            continue
        rows = min(y + radius_y + 1, height) - max(y - radius_y, 0)
        total, square = 0.0, 0.0
        for x in range(min(radius_x, width)):
            total += sums[x]
            square += squares[x]
        for x in range(width):
            if x + radius_x < width:
                total += sums[x + radius_x]
                square += squares[x + radius_x]
            if x - radius_x - 1 >= 0:
                total -= sums[x - radius_x - 1]
                square -= squares[x - radius_x - 1]
            count = float(rows * (min(x + radius_x + 1, width) - max(x - radius_x, 0)))
            value = float(image[y, x])
            if not stretch:
                value = value - total * (1.0 / count) + middle
            else:
                variance = 1.0 / (count - 1) * square - 1.0 / (count * count - count) * total * total
                deviation = factor * np.sqrt(0.0 if variance < 0 else variance)
                base = total * (1.0 / count) - deviation if center else middle
                value = (value - base) / 2 / deviation * length + (low if center else middle)
            rounded = np.floor(np.float64(np.float32(value)) + 0.5)
            # NaN is 0
            result[y, x] = int(top) if rounded > top else int(rounded) if rounded > 0 else 0


@compiled
def _median(padded: Any, widths: Any, rank: int, counts: Any, result: Any) -> None:
    height, width = result.shape
    half = len(widths) // 2
    blocks = np.zeros(256, np.int32)
    shift = 0 if padded.itemsize == 1 else 8
    for y in range(height):
        here, below = 0, 0  # a value, and how many are less
        for x in range(-1, width):
            for row in range(2 * half + 1):
                reach = widths[row]
                if x < 0:
                    first, last, leaving = half - reach, half + reach, -1
                else:
                    first = last = x + half + reach
                    leaving = x + half - reach - 1
                    if x == 0:
                        continue
                for column in range(first, last + 1):
                    value = padded[y + row, column]
                    counts[value] += 1
                    blocks[value >> shift] += 1
                    below += value < here
                if leaving >= 0:
                    value = padded[y + row, leaving]
                    counts[value] -= 1
                    blocks[value >> shift] -= 1
                    below -= value < here
            if x < 0:
                continue
            while below > rank:
                here -= 1
                below -= counts[here]
                while (
                    shift
                    and here & 255 == 0
                    and here
                    and below > rank
                    and below - blocks[(here >> 8) - 1] > rank
                ):
                    here -= 256
                    below -= blocks[here >> 8]
            while below + counts[here] <= rank:
                if shift and here & 255 == 0 and below + blocks[here >> 8] <= rank:
                    below += blocks[here >> 8]
                    here += 256
                else:
                    below += counts[here]
                    here += 1
            result[y, x] = here
        for row in range(2 * half + 1):
            for column in range(width - 1 + half - widths[row], width + half + widths[row]):
                value = padded[y + row, column]
                counts[value] -= 1
                blocks[value >> shift] -= 1


@compiled
def _lowest(outside: Any, ball: Any, centres: Any) -> None:
    for y in range(centres.shape[0]):
        for row in range(ball.shape[0]):
            for column in range(ball.shape[1]):
                depth = ball[row, column]
                for x in range(centres.shape[1]):
                    value = outside[y + row, x + column] - depth
                    centres[y, x] = value if value < centres[y, x] else centres[y, x]


@compiled
def _highest(centres: Any, ball: Any, result: Any) -> None:
    for y in range(result.shape[0]):
        for row in range(ball.shape[0]):
            for column in range(ball.shape[1]):
                depth = ball[row, column]
                for x in range(result.shape[1]):
                    value = centres[y + row, x + column] + depth
                    result[y, x] = value if value > result[y, x] else result[y, x]
