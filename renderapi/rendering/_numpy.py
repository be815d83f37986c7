"""The painter in plain numpy: slow, simple, and what the compiled one is measured against.

Both painters have the same three functions. A canvas is a (1, H, W) array of the kind of the sources, of
colour (3, H, W); the triangles come in the order in which they are painted, and so do pixels that lie in two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi.rendering._warp import Fitted
from renderapi.transform import least_squares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from renderapi.rendering._warp import Triangles

    Image = NDArray[Any]

# pixels that are looked at together: large enough for numpy, small enough for the cache of a core
_BLOCK = 1 << 16


# triangles may be larger than numbers
_QUIET = np.errstate(all="ignore")


def affine(p: NDArray[np.float64], q: NDArray[np.float64]) -> tuple[float, ...]:
    """Fit an affine transform of points p to q, (N, 2) each: m00, m01, m10, m11, m02, m12."""
    (px, py), (qx, qy) = np.ascontiguousarray(p.T), np.ascontiguousarray(q.T)
    return least_squares.affine(px, py, qx, qy, None)


def fit_triangles(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.intp],
    mapped: NDArray[np.float64],
    canvas: tuple[int, int],
) -> Fitted:
    """Fit affine transforms to the triangles of a mesh that touch a canvas.

    Parameters
    ----------
    vertices, mapped : (V, 2) array
        Vertices on the mipmap and on the canvas.
    triangles : (3, T) array of int
        Vertices of each triangle.
    canvas : tuple of int
        Height and width.

    Returns
    -------
    Fitted
        The triangles that touch it, and their transforms.
    """
    x, y = mapped[:, 0][triangles], mapped[:, 1][triangles]
    # a pixel more than the painter looks at, so that no triangle is left out by rounding; NaN is kept
    beside = (x < -1).all(0) | (x > canvas[1] + 1).all(0) | (y < -1).all(0) | (y > canvas[0] + 1).all(0)
    if beside.any():
        chosen = np.flatnonzero(~beside)
        triangles, x, y = triangles[:, chosen], x[:, chosen], y[:, chosen]
    px, py = vertices[:, 0][triangles], vertices[:, 1][triangles]
    m00, m01, m10, m11, m02, m12 = least_squares.affine_or_identity(px, py, x, y, None)
    corners = np.stack([x[0], y[0], x[1], y[1], x[2], y[2]], axis=-1)
    parameters = np.stack([m00, m01, m10, m11, m02, m12], axis=-1)
    inverse = np.stack(least_squares.invert(m00, m01, m02, m10, m11, m12), axis=-1)
    return Fitted(corners, parameters, inverse, m00 * m11 - m01 * m10)


class _Hits(NamedTuple):
    """Pixels of the canvas inside of triangles, in the order in which they are painted."""

    pixels: NDArray[np.intp]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def paintable(canvas: Image, alpha: Image, source: Image, mask: Image | None) -> bool:
    """Tell whether there is anything to paint, of arrays that fit each other.

    Raises
    ------
    ValueError
        If they do not fit: the compiled painter would read what is not theirs.
    """
    if len(canvas) != len(source) or canvas.shape[1:] != alpha.shape:
        raise ValueError(f"a source of shape {source.shape} cannot be painted on a canvas of {canvas.shape}")
    if mask is not None and mask.shape != source.shape[1:]:
        raise ValueError(f"a mask of shape {mask.shape} does not fit a source of {source.shape}")
    return source.size > 0 and canvas.size > 0


@_QUIET
def paint(canvas: Image, source: Image, triangles: Triangles, nearest: bool) -> None:
    """Paint a source over the canvas.

    Parameters
    ----------
    canvas : (P, H, W) array
        What is painted on.
    source : (P, h, w) array
        Mipmap, of the same dtype.
    triangles : Triangles
        Where its parts go.
    nearest : bool
        Take the nearest pixel instead of interpolating.
    """
    if not paintable(canvas, canvas[0], source, None):
        return
    flat = canvas.reshape(len(canvas), -1)
    for hits in _hits(triangles, canvas.shape[1:]):
        for values, plane in zip(flat, source):
            # of equal indices the last one counts
            values[hits.pixels] = _sampled(plane, hits, nearest)


@_QUIET
def paint_with_mask(
    canvas: Image,
    alpha: Image,
    source: Image,
    mask: Image | None,
    triangles: Triangles,
    nearest: bool,
    over: bool,
) -> None:
    """Blend a source into the canvas by its mask.

    Parameters
    ----------
    canvas : (P, H, W) array
        What is painted on: one plane of gray, or three of colour.
    alpha : (H, W) uint8 array
        How opaque it is.
    source : (P, h, w) array
        Mipmap, of the dtype of the canvas.
    mask : (h, w) uint8 array or None
        How opaque the mipmap is; None is 255 everywhere.
    triangles, nearest
        As for `paint`.
    over : bool
        Blend with black pixels of the canvas too. Otherwise they count as not yet painted, and the value
        is multiplied by the mask.
    """
    if not paintable(canvas, alpha, source, mask):
        return
    values, alphas = canvas.reshape(len(canvas), -1), alpha.reshape(-1)
    top = np.iinfo(canvas.dtype).max if canvas.dtype.kind == "u" else None
    # the original rounds the opacity of gray images only
    half = np.float32(0.5 if len(canvas) == 1 else 0.0)
    for hits in _hits(triangles, alpha.shape):
        v = np.stack([_sampled(plane, hits, nearest) for plane in source]).astype(np.float64)
        a = _opacity(source[0], mask, hits, nearest) / 255.0
        for turn in _turns(hits.pixels):
            pixels, v_, a_ = hits.pixels[turn], v[:, turn], a[turn]
            t, b = values[:, pixels].astype(np.float64), alphas[pixels] / 255.0
            blended = a_ + b * (1 - a_)
            mixed = np.where(blended == 0, 0.0, (v_ * a_ + t * b * (1 - a_)) / blended)
            empty = np.zeros(len(pixels), bool) if over else (t == 0).all(axis=0)
            value = np.where(empty, v_ * a_, mixed).astype(np.float32)
            opacity = (np.where(empty, a_, blended) * 255.0).astype(np.float32)
            if top is not None:
                value = np.minimum(np.floor(value + np.float32(0.5)), np.float32(top))
            values[:, pixels] = value.astype(canvas.dtype)
            alphas[pixels] = np.floor(opacity + half).astype(np.uint8)


@_QUIET
def paint_with_binary_mask(
    canvas: Image, alpha: Image, source: Image, mask: Image | None, triangles: Triangles, nearest: bool
) -> None:
    """Paint a source over the canvas where its mask is not 0; as for `paint_with_mask`."""
    if not paintable(canvas, alpha, source, mask):
        return
    flat, alphas = canvas.reshape(len(canvas), -1), alpha.reshape(-1)
    for hits in _hits(triangles, alpha.shape):
        shown = np.flatnonzero(_opacity(source[0], mask, hits, nearest))
        pixels = hits.pixels[shown]
        for values, plane in zip(flat, source):
            values[pixels] = _sampled(plane, hits, nearest)[shown]
        alphas[pixels] = 255


def _opacity(source: Image, mask: Image | None, hits: _Hits, nearest: bool) -> Image:
    if mask is not None:
        return _sampled(mask, hits, nearest)
    if nearest:
        return np.full(len(hits.pixels), 255, np.uint8)
    height, width = source.shape
    return np.where(_inside(hits, width, height), 255, 0).astype(np.uint8)


def _turns(pixels: NDArray[np.intp]) -> Iterator[NDArray[np.intp] | slice]:
    # a pixel on the edge of two triangles is blended twice: first all first times, then all second ones
    if len(pixels) == 0:
        return
    order = np.argsort(pixels, kind="stable")
    ordered = pixels[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(starts, len(pixels)))
    for turn in range(counts.max()):
        yield order[starts[counts > turn] + turn]


def _inside(hits: _Hits, width: int, height: int) -> NDArray[np.bool_]:
    return (hits.x >= 0) & (hits.y >= 0) & (hits.x < width - 1) & (hits.y < height - 1)


def _sampled(source: Image, hits: _Hits, nearest: bool) -> Image:
    height, width = source.shape
    if nearest:
        return source[_rounded(hits.y, height), _rounded(hits.x, width)]
    out = np.zeros(len(hits.pixels), source.dtype)
    inside = np.flatnonzero(_inside(hits, width, height))
    x, y = hits.x[inside], hits.y[inside]
    column, row = x.astype(np.intp), y.astype(np.intp)
    fx, fy = x - column, y - row
    pixels = source.reshape(-1)
    at = row * width + column
    ll, lr, ul, ur = (pixels[at + step].astype(np.float64) for step in (0, 1, width, width + 1))
    upper = ul + fx * (ur - ul)
    lower = ll + fx * (lr - ll)
    value = lower + fy * (upper - lower)
    out[inside] = value if source.dtype.kind == "f" else np.floor(value + 0.5)
    return out


def _rounded(locations: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    # rounding errors may put a location outside; NaN is the first
    return np.fmin(np.fmax(locations + 0.5, 0), size - 1).astype(np.intp)


def _hits(triangles: Triangles, shape: tuple[int, ...]) -> Iterator[_Hits]:
    if triangles.stepping:
        yield from _hits_of_rows(triangles, shape)
        return
    height, width = shape
    corners, inverse, _ = triangles
    x, y = corners[:, ::2], corners[:, 1::2]
    left, right = _range(x, width)
    top, bottom = _range(y, height)
    columns, rows = right - left + 1, bottom - top + 1
    chosen = np.flatnonzero((columns > 0) & (rows > 0))
    count = (columns * rows)[chosen]
    ends = np.cumsum(count)
    start = 0
    while start < len(chosen):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + _BLOCK, side="right")), start + 1)
        part = chosen[start:stop]
        # one entry for every pixel of the box around every triangle
        own = np.repeat(np.arange(len(part)), count[start:stop])
        within = np.arange(len(own)) - np.repeat(
            ends[start:stop] - count[start:stop] - done, count[start:stop]
        )
        row, column = np.divmod(within, columns[part][own])
        tx, ty = column + left[part][own], row + top[part][own]
        hit = np.flatnonzero(_in_triangle(corners[part], own, tx, ty))
        own, tx, ty = own[hit], tx[hit], ty[hit]
        i00, i01, i02, i10, i11, i12 = (c[own] for c in np.ascontiguousarray(inverse[part].T))
        yield _Hits(ty * width + tx, tx * i00 + ty * i01 + i02, tx * i10 + ty * i11 + i12)
        start = stop


def _hits_of_rows(triangles: Triangles, shape: tuple[int, ...]) -> Iterator[_Hits]:
    height, width = shape
    # no number tells where the others are
    finite = np.isfinite(triangles.corners).all(axis=1)
    triangles = triangles._replace(corners=triangles.corners[finite], inverse=triangles.inverse[finite])
    corners = triangles.corners
    left, right = _range(corners[:, ::2], width)
    top, bottom = _range(corners[:, 1::2], height)
    count = np.where(right >= left, np.maximum(bottom - top + 1, 0), 0)
    ends = np.cumsum(count)
    start = 0
    most = max(1, _BLOCK // max(width, 1))
    while start < len(corners):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + most, side="right")), start + 1)
        own = np.repeat(np.arange(start, stop), count[start:stop])
        row = np.arange(len(own)) - np.repeat(ends[start:stop] - count[start:stop] - done, count[start:stop])
        yield _of_rows(triangles, own, row + top[own], left[own], right[own] + 1, width)
        start = stop


def _of_rows(
    triangles: Triangles,
    own: NDArray[np.intp],
    row: NDArray[np.intp],
    left: NDArray[np.intp],
    end: NDArray[np.intp],
    width: int,
) -> _Hits:
    # the pixels of one row of one triangle each
    corners = triangles.corners[own]
    low, high = left.astype(np.float64), end.astype(np.float64)
    for a, b in ((0, 2), (2, 4), (4, 0)):
        ax, ay, bx, by = corners[:, a], corners[:, a + 1], corners[:, b], corners[:, b + 1]
        flip = ay > by
        px, py = np.where(flip, ax, bx), np.where(flip, ay, by)
        qx, qy = np.where(flip, bx, ax), np.where(flip, by, ay)
        slope = (qx - px) / (qy - py)
        at = px + slope * (row - py)
        bound = np.isfinite(slope)
        high = np.where(bound & flip, np.minimum(high, at), high)
        low = np.where(bound & ~flip, np.maximum(low, at), low)
    # clamped before they become integers, which an edge may exceed
    first = np.ceil(np.minimum(low, end)).astype(np.intp)
    last = np.minimum(end, np.floor(np.maximum(high, left - 2.0) + 1).astype(np.intp))
    length = np.maximum(last - first, 0)
    i00, i01, i02, i10, i11, i12 = triangles.inverse[own].T
    most = int(length.max(initial=0))
    within = np.arange(most)[None, :] < length[:, None]
    positions = []
    for step, across, shift in ((i00, i01, i02), (i10, i11, i12)):
        steps = np.repeat(step[:, None], most, axis=1)
        steps[:, :1] = (first * step + row * across + shift)[:, None]
        positions.append(np.add.accumulate(steps, axis=1)[within])
    pixels = (row * width + first)[:, None] + np.arange(most)[None, :]
    return _Hits(pixels[within], positions[0], positions[1])


def _range(values: NDArray[np.float64], size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    # the original compares with the first corner, whose NaN stays; casts in Java go toward zero, and NaN is 0
    first = values[:, 0]
    low, high = (np.where(np.isnan(first), first, best.reduce(values, axis=1)) for best in (np.fmin, np.fmax))
    low = np.trunc(np.clip(low + 0.5, -2.0, size))
    high = np.trunc(np.clip(high + 0.5, -2.0, size))
    low, high = (np.nan_to_num(bound).astype(np.intp) for bound in (low, high))
    return np.maximum(low, 0), np.minimum(high, size - 1)


def _in_triangle(
    corners: NDArray[np.float64], own: NDArray[np.intp], tx: NDArray[np.intp], ty: NDArray[np.intp]
) -> NDArray[np.bool_]:
    # edges belong to a triangle if it is not mirrored
    sides = []
    for a, b in ((0, 2), (2, 4), (4, 0)):
        ax, ay = np.ascontiguousarray(corners[:, a]), np.ascontiguousarray(corners[:, a + 1])
        ex, ey = corners[:, b] - ax, corners[:, b + 1] - ay
        sides.append(ex[own] * (ty - ay[own]) - ey[own] * (tx - ax[own]) < 0)
    same: NDArray[np.bool_] = (sides[0] == sides[1]) & (sides[1] == sides[2])
    return same
