"""Keypoints: extrema of differences of blurred images, where mpicbg would look for them.

OpenCV's own finder begins with an image of twice the size, which it cannot be kept from: four times the pixels, and
features that are thrown away. So its filters are used here, and arrays for what is left of an image after them.
Descriptors, which are most of the arithmetic of what remains, are OpenCV's.

D. G. Lowe, Distinctive image features from scale-invariant keypoints, IJCV 60, 2004.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Image = NDArray[np.float32]
    Whole = NDArray[np.intp]

# mpicbg's: blur of an image as it comes, blur that an octave begins with, least contrast of an image from 0 to 1,
# curvature of edges, how often a place is corrected
ASSUMED_BLUR = 0.5
INITIAL_BLUR = 1.6
_CONTRAST = 0.025
_EDGE = 10.0
_CORRECTIONS = 5
# Lowe's: bins of directions, how wide they are looked for, and the part of the highest that makes another keypoint
_BINS = 36
_WINDOW = 1.5
_ALSO = 0.8
# pixels at the border where nothing is looked for, as neighbours of a place are needed
_BORDER = 5


@dataclass(frozen=True)
class Keypoints:
    """Keypoints of an octave, in its pixels.

    Attributes
    ----------
    x, y : (N,) float64 array
        Places.
    layer : (N,) float64 array
        Layer among the blurs of the octave, with its fraction.
    angle : (N,) float64 array
        Direction in degrees, as OpenCV counts it.
    """

    x: Array
    y: Array
    layer: Array
    angle: Array


def find_keypoints(
    cv2: Any, image: Image, steps: int, octaves: int, skipped: int = 0
) -> list[tuple[int, Keypoints]]:
    """Find the keypoints of an image.

    Parameters
    ----------
    cv2 : module
        OpenCV.
    image : (H, W) float32 array
        Gray values, 0 to 1.
    steps : int
        Steps per octave.
    octaves, skipped : int
        How many octaves there are, and how many of the first are left out.

    Returns
    -------
    list of (int, Keypoints)
        Octaves, each half as large as the one before, and their keypoints.
    """
    factor = 2.0 ** (1 / steps)
    blurs = INITIAL_BLUR * factor ** np.arange(steps + 3)
    more = np.sqrt(blurs[1:] ** 2 - blurs[:-1] ** 2)
    limit = _CONTRAST * (factor - 1)
    base = _blurred(cv2, image, float(np.sqrt(INITIAL_BLUR**2 - ASSUMED_BLUR**2)))
    found = []
    for octave in range(octaves):
        layers = [base]
        needed = more[:steps] if octave < skipped else more
        for sigma in needed:
            layers.append(_blurred(cv2, layers[-1], float(sigma)))
        if octave >= skipped:
            differences = np.empty((steps + 2, *base.shape), np.float32)
            for number, difference in enumerate(differences):
                cv2.subtract(layers[number + 1], layers[number], dst=difference)
            places, offsets = _refined(differences, _extrema(cv2, differences, limit / 2), limit)
            if len(places):
                found.append((octave, _directed(cv2, layers, places, offsets, steps)))
        base = np.ascontiguousarray(layers[steps][::2, ::2])
    return found


def _blurred(cv2: Any, image: Image, sigma: float) -> Image:
    size = 2 * int(3 * sigma + 0.5) + 1
    blurred: Image = cv2.GaussianBlur(image, (size, size), sigma)
    return blurred


def _extrema(cv2: Any, differences: Image, limit: float) -> Whole:
    # layer, row and column of what is greatest or least among its 26 neighbours, (N, 3)
    around = np.ones((3, 3), np.uint8)
    found = [np.zeros((0, 3), np.intp)]
    for layer in range(1, len(differences) - 1):
        below, here, above = differences[layer - 1 : layer + 2]
        greatest = cv2.dilate(cv2.max(cv2.max(below, above), here), around)
        least = cv2.erode(cv2.min(cv2.min(below, above), here), around)
        high = cv2.bitwise_and(cv2.compare(here, greatest, cv2.CMP_GE), cv2.compare(here, limit, cv2.CMP_GT))
        low = cv2.bitwise_and(cv2.compare(here, least, cv2.CMP_LE), cv2.compare(here, -limit, cv2.CMP_LT))
        inner = slice(_BORDER, -_BORDER)
        there = cv2.findNonZero(np.ascontiguousarray(cv2.bitwise_or(high, low)[inner, inner]))
        if there is not None:
            columns, rows = there.reshape(-1, 2).T + _BORDER
            found.append(np.stack([np.full(len(rows), layer), rows, columns], axis=1))
    return np.concatenate(found)


def _refined(differences: Image, places: Whole, limit: float) -> tuple[Whole, Array]:
    """Fit parabolas; return places that are sharp enough, (N, 3), and what is to be added to them, (N, 3)."""
    count, height, width = differences.shape
    values = differences.ravel()
    strides = np.array([height * width, width, 1])
    low = np.array([1, _BORDER, _BORDER])
    high = np.array([count - 2, height - 1 - _BORDER, width - 1 - _BORDER])
    kept, added = [np.zeros((0, 3), np.intp)], [np.zeros((0, 3))]
    # corrected together, and several that meet become one
    for _ in range(_CORRECTIONS):
        if not len(places):
            break
        at = places @ strides
        middle = values[at].astype(np.float64)
        gradient, hessian = np.empty((len(at), 3)), np.empty((len(at), 3, 3))
        for i, one in enumerate(strides):
            after, before = values[at + one].astype(np.float64), values[at - one].astype(np.float64)
            gradient[:, i] = (after - before) / 2
            hessian[:, i, i] = after + before - 2 * middle
            for j, other in enumerate(strides[:i]):
                mixed = (
                    values[at + one + other].astype(np.float64)
                    - values[at + one - other]
                    - values[at - one + other]
                    + values[at - one - other]
                ) / 4
                hessian[:, i, j] = hessian[:, j, i] = mixed
        offset = _solved(hessian, gradient)
        near = (np.abs(offset) < 0.5).all(axis=1)
        value = middle + 0.5 * (gradient * offset).sum(axis=1)
        (yy, yx), (_, xx) = (hessian[:, i, 1:].T for i in (1, 2))
        curvature = yy * xx - yx * yx
        sharp = (yy + xx) ** 2 * _EDGE < curvature * (_EDGE + 1) ** 2
        good = near & sharp & (np.abs(value) >= limit)
        kept.append(places[good])
        added.append(offset[good])
        # what is far off, or of no extremum, moves out of the image
        moved = places[~near] + np.clip(np.rint(offset[~near]), -1e6, 1e6).astype(np.intp)
        places = moved[((moved >= low) & (moved <= high)).all(axis=1)]
    found, first = np.unique(np.concatenate(kept), axis=0, return_index=True)
    return found, np.concatenate(added)[first]


def _solved(hessian: Array, gradient: Array) -> Array:
    # where parabolas have their extrema, by cofactors: many small systems, of which some have no solution
    (a, b, c), (_, d, e), (_, _, f) = hessian.transpose(1, 2, 0)
    g, h, i = gradient.T
    p, q, r, s, t, u = (
        d * f - e * e,
        c * e - b * f,
        b * e - c * d,
        a * f - c * c,
        b * c - a * e,
        a * d - b * b,
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        solved = np.stack([p * g + q * h + r * i, q * g + s * h + t * i, r * g + t * h + u * i], axis=1)
        offset: Array = -solved / (a * p + b * q + c * r)[:, None]
    offset[~np.isfinite(offset)] = 1e6
    return offset


def _directed(cv2: Any, layers: list[Image], places: Whole, offsets: Array, steps: int) -> Keypoints:
    """Find the main directions of places; those that have several become several keypoints."""
    blurs = INITIAL_BLUR * 2.0 ** ((places[:, 0] + offsets[:, 0]) / steps)
    radii = np.rint(3 * _WINDOW * blurs).astype(np.intp)
    which, histograms = [], []
    for layer in np.unique(places[:, 0]):
        strength, direction = _gradients(cv2, layers[layer])
        for radius in np.unique(radii[places[:, 0] == layer]):
            chosen = np.flatnonzero((places[:, 0] == layer) & (radii == radius))
            which.append(chosen)
            histograms.append(
                _histograms(strength, direction, places[chosen, 1:], int(radius), _WINDOW * blurs[chosen])
            )
    histogram = np.concatenate(histograms)
    before, after = np.roll(histogram, 1, axis=1), np.roll(histogram, -1, axis=1)
    most = histogram.max(axis=1, keepdims=True)
    row, peak = np.nonzero((histogram > before) & (histogram > after) & (histogram >= _ALSO * most))
    low, middle, high = (of[row, peak] for of in (before, histogram, after))
    turn = (peak + 0.5 * (low - high) / (low - 2 * middle + high)) * (360 / _BINS)
    number = np.concatenate(which)[row]
    exact = places[number] + offsets[number]
    return Keypoints(exact[:, 2], exact[:, 1], exact[:, 0], (360 - turn) % 360)


def _gradients(cv2: Any, image: Image) -> tuple[Image, NDArray[np.uint8]]:
    # strength, none at the border, and number of the bin of the direction
    x, y = np.zeros_like(image), np.zeros_like(image)
    cv2.subtract(image[1:-1, 2:], image[1:-1, :-2], dst=x[1:-1, 1:-1])
    cv2.subtract(image[:-2, 1:-1], image[2:, 1:-1], dst=y[1:-1, 1:-1])
    strength, angle = cv2.cartToPolar(x, y, angleInDegrees=True)
    direction: NDArray[np.uint8] = cv2.convertScaleAbs(angle, alpha=_BINS / 360)
    direction[direction == _BINS] = 0
    return strength, direction


def _histograms(
    strength: Image, direction: NDArray[np.uint8], places: Whole, radius: int, sigmas: Array
) -> Array:
    # directions within a window about each place, weighted, (N, 36)
    height, width = strength.shape
    reach = np.arange(-radius, radius + 1)
    fall = np.exp(-(reach**2) / (2 * sigmas[:, None] ** 2))
    rows, columns = (places[:, i, None] + reach for i in (0, 1))
    row_weights = (fall * ((rows > 0) & (rows < height - 1))).astype(np.float32)
    column_weights = (fall * ((columns > 0) & (columns < width - 1))).astype(np.float32)
    at = (np.clip(rows, 0, height - 1) * width)[:, :, None] + np.clip(columns, 0, width - 1)[:, None, :]
    weights = strength.ravel()[at]
    weights *= row_weights[:, :, None]
    weights *= column_weights[:, None, :]
    bins = direction.ravel()[at] + (np.arange(len(places)) * _BINS)[:, None, None]
    counted: Any = np.bincount(bins.ravel(), weights.ravel(), len(places) * _BINS)
    histograms: Array = counted.reshape(-1, _BINS)
    return histograms
