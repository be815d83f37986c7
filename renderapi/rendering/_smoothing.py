"""Smoothing of single-precision images as ImageJ and ImgLib2 do it, operation by operation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi.rendering._filter import compiled_windows

# single precision
Plane = NDArray[Any]
#: Values of neighbours that are held at a time.
_AT_ONCE = 4_000_000

# ------------------------------------------------------------------------------ sizes


def resized(image: Plane, width: int, height: int) -> Plane:
    """Return an image at another size: weighted means where a side shrinks, bilinear where it grows."""
    rows, columns = image.shape
    if (width, height) == (columns, rows):
        return image.copy()
    if width < columns:
        image = _shrunk(image.T, width).T
    if height < rows:
        image = _shrunk(image, height)
    if (image.shape[1], image.shape[0]) == (width, height):
        return np.ascontiguousarray(image)
    return _enlarged(image, width, height)


def _shrunk(image: Plane, count: int) -> Plane:
    # along the first axis
    length = len(image)
    s = length / count
    targets = np.arange(count)

    def source(d: NDArray[np.int64]) -> NDArray[Any]:
        return -0.5 + (d + 0.5) * s

    first = np.ceil(1e-8 + source(targets - 1)).astype(np.int64)
    last = np.floor(-1e-8 + source(targets + 1)).astype(np.int64)
    most = int((last - first).max()) + 1
    weights = np.zeros((count, most), np.float32)
    totals = np.zeros(count)
    start = np.clip(first, 0, length - 1)
    for n in range(most):
        i = first + n
        used = np.flatnonzero(i <= last)
        t = (i + 0.5) / s - 0.5
        w = np.float32(1) - np.abs(targets - t).astype(np.float32)
        slot = (np.clip(i, 0, length - 1) - start)[used]
        weights[used, slot] += w[used]
        totals[used] += w[used]
    weights = (weights / totals[:, None]).astype(np.float32)
    out = np.zeros((count, *image.shape[1:]), np.float32)
    for n in range(most):
        out += image[np.minimum(start + n, length - 1)] * weights[:, n, None]
    return out


def _enlarged(image: Plane, width: int, height: int) -> Plane:
    x, fx = _between(image.shape[1], width)
    y, fy = _between(image.shape[0], height)
    right, below = np.minimum(x + 1, image.shape[1] - 1), np.minimum(y + 1, image.shape[0] - 1)
    values = image.astype(np.float64)
    lower = values[y][:, x] + fx * (values[y][:, right] - values[y][:, x])
    upper = values[below][:, x] + fx * (values[below][:, right] - values[below][:, x])
    result: Plane = (lower + fy[:, None] * (upper - lower)).astype(np.float32)
    return result


def _between(size: int, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    q = wanted / size
    centre = wanted / 2.0 + (q / 4.0 if wanted != size else 0.0)
    position = (np.arange(wanted) - centre) / q + size / 2.0
    position = np.where(position < 0, 0.0, np.where(position >= size - 1, size - 1.001, position))
    position = np.maximum(position, 0.0)
    index = position.astype(np.int64)
    return index, position - index


# ------------------------------------------------------------------------------ Gaussian

_ACCURACY = 0.0002


def gaussian(image: Plane, sigma: float) -> Plane:
    """Smooth with a Gaussian of a standard deviation in pixels, rows first."""
    if not sigma > 0:
        return image
    rows = _lines(np.ascontiguousarray(image.T), sigma).T
    return _lines(np.ascontiguousarray(rows), sigma)


def _kernel(sigma: float, most: int) -> tuple[Plane, Plane]:
    k = math.ceil(sigma * math.sqrt(-2 * math.log(_ACCURACY))) + 1
    most = max(most, 50)
    k = min(k, most)
    i = np.arange(k, dtype=np.float64)
    kernel = np.exp(-0.5 * i * i / sigma / sigma).astype(np.float32)
    if k < most and k > 3:
        # the end falls to zero as a parabola
        best, j = math.inf, k
        while j > k // 2:
            j -= 1
            a = math.sqrt(float(kernel[j])) / (k - j)
            if a >= best:
                break
            best = a
        tail = np.arange(j + 2, k)
        kernel[j + 2 :] = ((k - tail) * (k - tail) * best * best).astype(np.float32)
    if k < most:
        total = float(kernel[0])
        for value in kernel[1:].astype(np.float64):
            total += 2 * float(value)
    else:
        total = sigma * math.sqrt(2 * math.pi)
    rest = 0.5 + 0.5 * float(kernel[0]) / total
    edge = np.empty(k, np.float32)
    for n in range(k):
        v = float(kernel[n]) / total
        kernel[n] = v
        rest -= v
        edge[n] = rest
    return kernel, edge


def _lines(image: Plane, sigma: float) -> Plane:
    # along the first axis
    if sigma <= 8.5:
        kernel, edge = _kernel(sigma, len(image))
        return _convolved(image, kernel, edge, 0, len(image))
    n = len(image)
    m = min(math.floor(sigma / 4), n)
    small_sigma = math.sqrt(sigma * sigma / (m * m) - 1 / 3 - 1 / 4)
    count = (n + m - 1) // m + 6
    kernel, edge = _kernel(small_sigma, count)
    coarse = _downscaled(image, m, count)
    inner = np.zeros_like(coarse)
    inner[1:-1] = _convolved(coarse, kernel, edge, 1, count - 1)
    return _upscaled(inner, m, n)


def _convolved(line: Plane, kernel: Plane, edge: Plane, first: int, end: int) -> Plane:
    n, k = len(line), len(kernel)
    i = np.arange(first, end)
    result: Plane = line[i] * kernel[0]
    left = np.flatnonzero(i < min(k, n))
    result[left] += edge[i[left]][:, None] * line[0]
    right = np.flatnonzero(np.where(i < min(k, n), i + k > n, i + k >= n))
    result[right] += edge[n - i[right] - 1][:, None] * line[n - 1]
    for j in range(1, k):
        total = np.zeros_like(result)
        before, after = np.flatnonzero(i - j >= 0), np.flatnonzero(i + j < n)
        total[before] += line[i[before] - j]
        total[after] += line[i[after] + j]
        result += kernel[j] * total
    return result


def _downscaled(image: Plane, m: int, count: int) -> Plane:
    weights = np.zeros(3 * m, np.float32)
    mid = 3 * m // 2
    for i in range(m // 2 + 1):
        x = i / m
        weights[mid - i] = weights[min(mid + i, 3 * m - 1)] = np.float32((0.75 - x * x) / m)
    for i in range(m // 2 + 1, (3 * m + 1) // 2):
        x = i / m
        value = np.float32((0.125 + 0.5 * (x - 1) * (x - 2)) / m)
        weights[mid - i] = weights[min(mid + i, 3 * m - 1)] = value
    out = np.zeros((count, image.shape[1]), np.float32)
    start = -(3 * m) - (3 * m) // 2
    sums = np.zeros((count + 2, 3, image.shape[1]), np.float32)
    blocks = np.arange(-1, count + 1)
    for x in range(m):
        v = image[np.clip(start + (blocks + 1) * m + x, 0, len(image) - 1)]
        sums[:, 0] += v * weights[x + 2 * m]
        sums[:, 1] += v * weights[x + m]
        sums[:, 2] += v * weights[x]
    for number, b in enumerate(blocks):
        if 0 <= b - 1 < count:
            out[b - 1] += sums[number, 0]
        if 0 <= b < count:
            out[b] += sums[number, 1]
        if 0 <= b + 1 < count:
            out[b + 1] = sums[number, 2]
    return out


def _upscaled(coarse: Plane, m: int, n: int) -> Plane:
    weights = np.zeros(4 * m, np.float32)
    for i in range(2 * m):
        x = i / m
        if i < m:
            value = np.float32(2 / 3 - x * x * (1 - 0.5 * x))
        else:
            value = np.float32((2 - x) * (2 - x) * (2 - x) / 6)
        weights[2 * m + i] = weights[2 * m - i] = value
    q = np.arange(n) + 3 * m + m - 1
    p, at = q // m, m - 1 - q % m
    out: Plane = coarse[p - 2] * weights[at][:, None] + coarse[p - 1] * weights[at + m][:, None]
    out = out + coarse[p] * weights[at + 2 * m][:, None]
    out = out + coarse[np.minimum(p + 1, len(coarse) - 1)] * weights[at + 3 * m][:, None]
    return out


# ------------------------------------------------------------------------------ discs


def disc(radius: float) -> NDArray[np.int64]:
    """Return the half widths of the rows of a disc."""
    if 1.5 <= radius < 1.75:
        radius = 1.75
    elif 2.5 <= radius < 2.85:
        radius = 2.85
    square = int(radius * radius) + 1
    k = int(math.sqrt(square + 1e-10))
    y = np.arange(-k, k + 1)
    widths: NDArray[np.int64] = np.sqrt(square - y * y + 1e-10).astype(np.int64)
    return widths


def ranked(image: Plane, radius: float, kind: str) -> Plane:
    """Return the mean, minimum, maximum, variance or median over a disc; border pixels are repeated."""
    widths = disc(radius)
    if kind in ("mean", "variance"):
        return _moments(image, widths, kind)
    k = len(widths) // 2
    footprint = np.abs(np.arange(-k, k + 1))[None, :] <= widths[:, None]
    padded = np.pad(image.astype(np.float32, copy=False), k, mode="edge")
    out: Plane = np.empty(image.shape, np.float32)
    rows = max(1, _AT_ONCE // (image.shape[1] * int(footprint.sum())))
    for top in range(0, len(image), rows):
        part = padded[top : top + rows + 2 * k]
        seen = np.lib.stride_tricks.sliding_window_view(part, footprint.shape)[..., footprint]
        if kind == "median":
            rank = seen.shape[-1] // 2
            out[top : top + rows] = np.partition(seen, rank, axis=-1)[..., rank]
        else:
            out[top : top + rows] = seen.min(axis=-1) if kind == "minimum" else seen.max(axis=-1)
    return out


def _moments(image: Plane, widths: NDArray[np.int64], kind: str) -> Plane:
    # running sums along the rows, in the order of the original
    height, width = image.shape
    k = len(widths) // 2
    padded = np.pad(image, k + 1, mode="edge").astype(np.float64)
    count = int((2 * widths + 1).sum())
    sums = []
    for values in (padded, padded * padded) if kind == "variance" else (padded,):
        steps = np.zeros((height, width))
        for row, half in enumerate(widths):
            line = values[row + 1 : row + 1 + height]
            for column in range(k + 1 - half, k + 2 + half):
                steps[:, 0] += line[:, column]
        for row, half in enumerate(widths):
            line = values[row + 1 : row + 1 + height]
            steps[:, 1:] -= line[:, k + 1 - half : k + 1 - half + width - 1]
            steps[:, 1:] += line[:, k + 2 + half : k + 2 + half + width - 1]
        sums.append(np.add.accumulate(steps, axis=1))
    if kind == "mean":
        return (sums[0] / count).astype(np.float32)
    return ((sums[1] - sums[0] * sums[0] / count) / count).astype(np.float32)


# ------------------------------------------------------------------------------ rolling ball


def rolling_ball(image: Plane, radius: float) -> Plane:
    """Return the background that a ball of that radius can reach from below."""
    if radius <= 10:
        shrink, trim = 1, 24
    elif radius <= 30:
        shrink, trim = 2, 24
    elif radius <= 100:
        shrink, trim = 4, 32
    else:
        shrink, trim = 8, 40
    small_radius = max(radius / shrink, 1.0)
    half = math.floor(small_radius - int(trim * small_radius) // 100 + 0.5)
    x = np.arange(-half, half + 1)
    square = small_radius * small_radius - x[None, :] ** 2 - x[:, None] ** 2
    ball = np.sqrt(np.maximum(square, 0.0)).astype(np.float32)
    smooth = _mean3x3(image)
    if shrink == 1:
        return _rolled(smooth, ball)
    height, width = image.shape
    rows, columns = -(-height // shrink), -(-width // shrink)
    padded = np.pad(
        smooth,
        ((0, rows * shrink - height), (0, columns * shrink - width)),
        constant_values=np.float32(np.inf),
    )
    small = padded.reshape(rows, shrink, columns, shrink).min(axis=(1, 3))
    return _magnified(_rolled(small, ball), width, height, shrink)


def _mean3x3(image: Plane) -> Plane:
    def along(lines: Plane) -> Plane:
        padded = np.pad(lines, ((0, 0), (1, 1)), mode="edge")
        third = np.float32(1) / np.float32(3)
        means: Plane = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) * third
        return means

    return along(along(image).T).T


def _rolled(image: Plane, ball: Plane) -> Plane:
    compiled = compiled_windows()
    if compiled is not None and not np.isnan(image).any():
        lowered: Plane = compiled.rolled(image, ball)
        return lowered
    half = len(ball) // 2
    height, width = image.shape
    outside = np.pad(image, 2 * half, constant_values=np.float32(np.inf))
    centres = np.full((height + 2 * half, width + 2 * half), np.inf, np.float32)
    for row in range(len(ball)):
        for column in range(len(ball)):
            part = outside[row : row + height + 2 * half, column : column + width + 2 * half]
            np.minimum(centres, part - ball[row, column], out=centres)
    out = np.full(image.shape, -np.inf, np.float32)
    for row in range(len(ball)):
        for column in range(len(ball)):
            part = centres[row : row + height, column : column + width]
            np.maximum(out, part + ball[row, column], out=out)
    return out


def _magnified(small: Plane, width: int, height: int, shrink: int) -> Plane:
    def weights(size: int, count: int) -> tuple[NDArray[np.int64], Plane]:
        i = np.arange(size)
        index = np.minimum(np.trunc((i - shrink // 2) / shrink).astype(np.int64), count - 2)
        distance = (i + np.float32(0.5)) / np.float32(shrink) - (index + np.float32(0.5))
        return index, (np.float32(1) - distance.astype(np.float32)).astype(np.float32)

    x, wx = weights(width, small.shape[1])
    y, wy = weights(height, small.shape[0])
    one = np.float32(1)
    lines = small[:, x] * wx + small[:, x + 1] * (one - wx)
    return lines[y] * wy[:, None] + lines[y + 1] * (one - wy)[:, None]
