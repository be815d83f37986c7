"""The painter compiled by numba; the pixels are those of `renderapi.rendering._numpy`, which see.

A triangle is painted row by row. Where its row begins and ends is guessed, then corrected with the exact
test of the reference: its rounded arithmetic still is monotonous along a row, so the pixels between two
that pass the test pass it too.

Nothing here is read or written outside of its array: `renderapi.rendering._numpy.paintable` has looked at the
shapes, `_limits` keeps to the canvas, `_inside` and `_nearest` to an image that has pixels, and the ends of a
row speak for what lies between them (rounded sums are monotonous). The tests run it with bounds checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._compiler import compiled
from renderapi.rendering import _numpy
from renderapi.rendering._warp import Fitted, Triangles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[Any]

# a location this near to a whole pixel has its value: 65535 grey levels times this are far below a half
_ON_PIXEL = 1e-6
# of so few pixels each is looked at
_NARROW = 6


def paint(canvas: Image, source: Image, triangles: Triangles, nearest: bool) -> None:
    """Paint a source over the canvas."""
    if not _numpy.paintable(canvas, canvas[0], source, None):
        return
    if canvas.dtype.kind == "f":
        _numpy.paint(canvas, source, triangles, nearest)
        return
    for plane, pixels in zip(canvas, _frozen(source)):
        _paint(plane, pixels, *triangles, nearest)


def paint_with_mask(
    canvas: Image,
    alpha: Image,
    source: Image,
    mask: Image | None,
    triangles: Triangles,
    nearest: bool,
    over: bool,
) -> None:
    """Blend a source into the canvas by its mask."""
    if not _numpy.paintable(canvas, alpha, source, mask):
        return
    if canvas.dtype.kind == "f":
        _numpy.paint_with_mask(canvas, alpha, source, mask, triangles, nearest, over)
        return
    opaque, given = _mask_of(source, mask)
    _blend(canvas, alpha, _frozen(source), opaque, given, *triangles, nearest, over)


def paint_with_binary_mask(
    canvas: Image, alpha: Image, source: Image, mask: Image | None, triangles: Triangles, nearest: bool
) -> None:
    """Paint a source over the canvas where its mask is not 0."""
    if not _numpy.paintable(canvas, alpha, source, mask):
        return
    if canvas.dtype.kind == "f":
        _numpy.paint_with_binary_mask(canvas, alpha, source, mask, triangles, nearest)
        return
    opaque, given = _mask_of(source, mask)
    _paint_masked(canvas, alpha, _frozen(source), opaque, given, *triangles, nearest)


def prepare() -> None:
    """Paint one pixel of every kind, which compiles what images will need."""
    # those of meshes that are kept may not be written
    vertices, corners = _frozen(np.zeros((3, 2))), _frozen(np.zeros((3, 1), np.intp))
    affine(vertices, np.zeros((3, 2)))
    fit_triangles(vertices, corners, np.zeros((3, 2)), (1, 1))
    triangles = Triangles(np.zeros((1, 6)), np.zeros((1, 6)), False)
    for kind in (np.uint8, np.uint16):
        for planes in (1, 3):
            source = np.zeros((planes, 1, 1), kind)
            canvas, alpha = np.zeros_like(source), np.zeros((1, 1), np.uint8)
            paint(canvas, source, triangles, False)
            paint_with_mask(canvas, alpha, source, None, triangles, False, False)
            paint_with_binary_mask(canvas, alpha, source, None, triangles, False)


_NO_MASK = np.zeros((1, 1), np.uint8)
_NO_MASK.flags.writeable = False


def _mask_of(source: Image, mask: Image | None) -> tuple[Image, bool]:
    return (_NO_MASK, False) if mask is None else (_frozen(mask), True)


def _frozen(pixels: Image) -> Image:
    # numba compiles apart for arrays that may be written; images of the cache may not
    view = pixels.view()
    view.flags.writeable = False
    return view


# ------------------------------------------------------------------------------ affine transforms


def affine(p: NDArray[np.float64], q: NDArray[np.float64]) -> tuple[float, ...]:
    """Fit an affine transform of points p to q, (N, 2) each: m00, m01, m10, m11, m02, m12."""
    return _affine(p, q)


def fit_triangles(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.intp],
    mapped: NDArray[np.float64],
    canvas: tuple[int, int],
) -> Fitted:
    """Fit affine transforms to the triangles of a mesh that touch a canvas."""
    count = triangles.shape[1]
    out = Fitted(np.empty((count, 6)), np.empty((count, 6)), np.empty((count, 6)), np.empty(count))
    count = _fit_triangles(vertices, triangles, mapped, canvas[0] + 1.0, canvas[1] + 1.0, *out)
    return Fitted._make(values[:count] for values in out)


@compiled
def _solved(
    pcx: float, pcy: float, qcx: float, qcy: float,
    a00: float, a01: float, a11: float, b00: float, b01: float, b10: float, b11: float,
) -> tuple[float, ...]:  # fmt: skip
    """Return the affine transform that sums of least squares determine, and their determinant."""
    det = a00 * a11 - a01 * a01
    m00, m01 = (a11 * b00 - a01 * b10) / det, (a00 * b10 - a01 * b00) / det
    m10, m11 = (a11 * b01 - a01 * b11) / det, (a00 * b11 - a01 * b01) / det
    return m00, m01, m10, m11, qcx - m00 * pcx - m01 * pcy, qcy - m10 * pcx - m11 * pcy, det


@compiled
def _affine(p: Any, q: Any) -> tuple[float, ...]:
    # sums begin with their first term, as those of numpy do
    count = len(p)
    pcx, pcy, qcx, qcy = p[0, 0], p[0, 1], q[0, 0], q[0, 1]
    for i in range(1, count):
        pcx += p[i, 0]
        pcy += p[i, 1]
        qcx += q[i, 0]
        qcy += q[i, 1]
    pcx, pcy, qcx, qcy = pcx / count, pcy / count, qcx / count, qcy / count
    a00 = a01 = a11 = b00 = b01 = b10 = b11 = -0.0
    for i in range(count):
        x1, y1, x2, y2 = p[i, 0] - pcx, p[i, 1] - pcy, q[i, 0] - qcx, q[i, 1] - qcy
        a00 += x1 * x1
        a01 += x1 * y1
        a11 += y1 * y1
        b00 += x1 * x2
        b01 += x1 * y2
        b10 += y1 * x2
        b11 += y1 * y2
    return _solved(pcx, pcy, qcx, qcy, a00, a01, a11, b00, b01, b10, b11)[:6]


@compiled
def _fit_triangles(
    vertices: Any,
    triangles: Any,
    mapped: Any,
    bottom: float,
    right: float,
    corners: Any,
    parameters: Any,
    inverse: Any,
    det: Any,
) -> int:
    kept = 0
    px, py, qx, qy = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for triangle in range(triangles.shape[1]):
        for corner in range(3):
            vertex = triangles[corner, triangle]
            px[corner], py[corner] = vertices[vertex, 0], vertices[vertex, 1]
            qx[corner], qy[corner] = mapped[vertex, 0], mapped[vertex, 1]
        # with NaN, nothing is beside
        if (
            (qx[0] < -1 and qx[1] < -1 and qx[2] < -1)
            or (qx[0] > right and qx[1] > right and qx[2] > right)
            or (qy[0] < -1 and qy[1] < -1 and qy[2] < -1)
            or (qy[0] > bottom and qy[1] > bottom and qy[2] > bottom)
        ):
            continue
        pcx, pcy = (px[0] + px[1] + px[2]) / 3.0, (py[0] + py[1] + py[2]) / 3.0
        qcx, qcy = (qx[0] + qx[1] + qx[2]) / 3.0, (qy[0] + qy[1] + qy[2]) / 3.0
        a00 = a01 = a11 = b00 = b01 = b10 = b11 = -0.0
        for corner in range(3):
            x1, y1, x2, y2 = px[corner] - pcx, py[corner] - pcy, qx[corner] - qcx, qy[corner] - qcy
            a00 += x1 * x1
            a01 += x1 * y1
            a11 += y1 * y1
            b00 += x1 * x2
            b01 += x1 * y2
            b10 += y1 * x2
            b11 += y1 * y2
        m00, m01, m10, m11, m02, m12, determined = _solved(
            pcx, pcy, qcx, qcy, a00, a01, a11, b00, b01, b10, b11
        )
        if determined == 0.0:
            # of points on a line mpicbg leaves the identity
            m00, m01, m10, m11, m02, m12 = 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
        area = m00 * m11 - m01 * m10
        for corner in range(3):
            corners[kept, 2 * corner], corners[kept, 2 * corner + 1] = qx[corner], qy[corner]
        for column, value in enumerate((m00, m01, m10, m11, m02, m12)):
            parameters[kept, column] = value
        back = (m11, -m01, m01 * m12 - m02 * m11, -m10, m00, m02 * m10 - m00 * m12)
        for column, value in enumerate(back):
            inverse[kept, column] = value / area
        det[kept] = area
        kept += 1
    return kept


# ------------------------------------------------------------------------------ rows of triangles


@compiled
def _outside(ex: float, ey: float, ax: float, ay: float, tx: int, ty: int) -> bool:
    return ex * (ty - ay) - ey * (tx - ax) < 0


@compiled
def _in_triangle(corners: Any, tx: int, ty: int) -> bool:
    ax, ay, bx, by, cx, cy = corners[0], corners[1], corners[2], corners[3], corners[4], corners[5]
    side = _outside(bx - ax, by - ay, ax, ay, tx, ty)
    return bool(
        side == _outside(cx - bx, cy - by, bx, by, tx, ty)
        and side == _outside(ax - cx, ay - cy, cx, cy, tx, ty)
    )


@compiled
def _split(ex: float, ey: float, ax: float, ay: float, first: int, end: int, ty: int) -> int:
    """Return the first pixel of a row on the other side of an edge, ``end`` if there is none."""
    if not (ey > 0.0 or ey < 0.0):
        return first if _outside(ex, ey, ax, ay, first, ty) else end
    rising = ey > 0
    at = ax + ex * (ty - ay) / ey
    if at < first:
        split = first
    elif not at < end:
        split = end
    else:
        split = int(at) + 1
    # before the split, pixels are outside exactly if y falls along the edge
    while split < end and _outside(ex, ey, ax, ay, split, ty) != rising:
        split += 1
    while split > first and _outside(ex, ey, ax, ay, split - 1, ty) == rising:
        split -= 1
    return split


@compiled
def _row(corners: Any, first: int, end: int, ty: int) -> tuple[int, int]:
    """Return the pixels of a row that are in a triangle, from - to."""
    if end - first <= _NARROW:
        low = first
        while low < end and not _in_triangle(corners, low, ty):
            low += 1
        high = low
        while high < end and _in_triangle(corners, high, ty):
            high += 1
        return low, high
    low, high = first, end  # not outside of any edge
    mirrored_low, mirrored_high = first, end  # outside of all of them
    for edge in range(3):
        ax, ay = corners[2 * edge], corners[2 * edge + 1]
        following = (2 * edge + 2) % 6
        ex, ey = corners[following] - ax, corners[following + 1] - ay
        split = _split(ex, ey, ax, ay, first, end, ty)
        if ey > 0.0:
            high, mirrored_low = min(high, split), max(mirrored_low, split)
        elif ey < 0.0:
            low, mirrored_high = max(low, split), min(mirrored_high, split)
        elif split == end:
            mirrored_high = first
        else:
            high = first
    if low < high:
        return low, high
    return mirrored_low, mirrored_high


@compiled
def _span(corners: Any, first: int, end: int, ty: int) -> tuple[int, int]:
    """Return the pixels of a row between the edges of a triangle, from - to, as newsolver counts them."""
    low, high = float(first), float(end)
    for edge in range(3):
        ax, ay = corners[2 * edge], corners[2 * edge + 1]
        following = (2 * edge + 2) % 6
        bx, by = corners[following], corners[following + 1]
        flip = ay > by
        px, py = (ax, ay) if flip else (bx, by)
        qx, qy = (bx, by) if flip else (ax, ay)
        slope = (qx - px) / (qy - py)
        # horizontal edges are no limit
        if not np.isfinite(slope):
            continue
        at = px + slope * (ty - py)
        if flip:
            high = min(high, at)
        else:
            low = max(low, at)
    # clamped before they become integers, which an edge may exceed, and after: no index may be outside
    from_ = max(int(np.ceil(min(low, float(end)))), first)
    return from_, min(int(np.floor(max(high, first - 2.0) + 1)), end)


@compiled
def _limits(corners: Any, axis: int, size: int) -> tuple[int, int]:
    """Return the rows or columns that a triangle may touch, from - to."""
    low = high = corners[axis]
    for corner in (2, 4):
        value = corners[axis + corner]
        if value < low:
            low = value
        elif value > high:
            high = value
    low, high = low + 0.5, high + 0.5
    # casts go toward zero, and NaN is 0
    first = size if low >= size else int(low) if low > 0.0 else 0
    end = 0 if high <= -1.0 else size if high >= size else int(high) + 1 if high > 0.0 else 1
    return first, end


@compiled
def _finite(corners: Any) -> bool:
    finite = True
    for index in range(6):
        finite &= np.isfinite(corners[index])
    return finite


# ------------------------------------------------------------------------------ single pixels


@compiled
def _inside(x: float, y: float, width: int, height: int) -> bool:
    return x >= 0.0 and y >= 0.0 and x < width - 1 and y < height - 1


@compiled
def _nearest(size: int, location: float) -> int:
    rounded = location + 0.5
    if not rounded > 0.0:
        return 0
    return int(rounded) if rounded < size else size - 1


@compiled
def _between(source: Any, x: float, y: float) -> int:
    # unsigned, so that no index is taken for one from the end
    column, row = np.uintp(x), np.uintp(y)
    fx, fy = x - column, y - row
    one = np.uintp(1)
    ll, lr = float(source[row, column]), float(source[row, column + one])
    ul, ur = float(source[row + one, column]), float(source[row + one, column + one])
    upper = ul + fx * (ur - ul)
    lower = ll + fx * (lr - ll)
    return int(lower + fy * (upper - lower) + 0.5)


@compiled
def _sampled(source: Any, x: float, y: float, nearest: bool) -> int:
    height, width = source.shape
    if nearest:
        return int(source[_nearest(height, y), _nearest(width, x)])
    if _inside(x, y, width, height):
        return _between(source, x, y)
    return 0


@compiled
def _opacity(mask: Any, given: bool, shape: Any, x: float, y: float, nearest: bool) -> int:
    if given:
        return _sampled(mask, x, y, nearest)
    return 255 if nearest or _inside(x, y, shape[1], shape[0]) else 0


# ------------------------------------------------------------------------------ painters


@compiled
def _paint(canvas: Any, source: Any, corners: Any, inverse: Any, stepping: bool, nearest: bool) -> None:
    rows, columns = canvas.shape
    height, width = source.shape
    for triangle in range(len(corners)):
        own, back = corners[triangle], inverse[triangle]
        if stepping and not _finite(own):
            continue
        i00, i01, i02, i10, i11, i12 = back[0], back[1], back[2], back[3], back[4], back[5]
        left, right = _limits(own, 0, columns)
        top, bottom = _limits(own, 1, rows)
        if right - left <= _NARROW and not stepping:
            _paint_small(canvas, source, own, back, (left, right, top, bottom), nearest)
            continue
        for ty in range(top, bottom):
            low, high = _span(own, left, right, ty) if stepping else _row(own, left, right, ty)
            if low >= high:
                continue
            rx, ry = ty * i01, ty * i11
            x, y = low * i00 + rx + i02, low * i10 + ry + i12
            if stepping:
                for tx in range(low, high):
                    canvas[ty, tx] = _sampled(source, x, y, nearest)
                    x += i00
                    y += i10
                continue
            last = high - 1
            to_x, to_y = last * i00 + rx + i02, last * i10 + ry + i12
            if nearest or not _inside(x, y, width, height) or not _inside(to_x, to_y, width, height):
                for tx in range(low, high):
                    canvas[ty, tx] = _sampled(source, tx * i00 + rx + i02, tx * i10 + ry + i12, nearest)
            elif (
                abs(x - np.rint(x)) < _ON_PIXEL
                and abs(y - np.rint(y)) < _ON_PIXEL
                and abs(to_x - (np.rint(x) + (last - low))) < _ON_PIXEL
                and abs(to_y - np.rint(y)) < _ON_PIXEL
            ):
                # the fast lane of tiles that were only moved by whole pixels
                column, row = int(np.rint(x)), int(np.rint(y))
                for step in range(high - low):
                    canvas[ty, low + step] = source[row, column + step]
            else:
                for tx in range(low, high):
                    canvas[ty, tx] = _between(source, tx * i00 + rx + i02, tx * i10 + ry + i12)


@compiled
def _paint_small(canvas: Any, source: Any, own: Any, back: Any, box: Any, nearest: bool) -> None:
    left, right, top, bottom = box
    ax, ay, bx, by, cx, cy = own[0], own[1], own[2], own[3], own[4], own[5]
    abx, aby, bcx, bcy, cax, cay = bx - ax, by - ay, cx - bx, cy - by, ax - cx, ay - cy
    for ty in range(top, bottom):
        rx, ry = ty * back[1], ty * back[4]
        for tx in range(left, right):
            side = _outside(abx, aby, ax, ay, tx, ty)
            if side == _outside(bcx, bcy, bx, by, tx, ty) and side == _outside(cax, cay, cx, cy, tx, ty):
                x, y = tx * back[0] + rx + back[2], tx * back[3] + ry + back[5]
                canvas[ty, tx] = _sampled(source, x, y, nearest)


@compiled
def _opaque_around(mask: Any, given: bool, x: float, y: float) -> bool:
    """Tell whether a mask is 255 at all pixels that a location inside is interpolated from."""
    if not given:
        return True
    column, row, one = np.uintp(x), np.uintp(y), np.uintp(1)
    upper = mask[row, column] & mask[row, column + one]
    lower = mask[row + one, column] & mask[row + one, column + one]
    return bool((upper & lower) == 255)


@compiled
def _paint_masked(
    canvas: Any,
    alpha: Any,
    source: Any,
    mask: Any,
    given: bool,
    corners: Any,
    inverse: Any,
    stepping: bool,
    nearest: bool,
) -> None:
    rows, columns = alpha.shape
    shape = source.shape[1:]
    for triangle in range(len(corners)):
        own, back = corners[triangle], inverse[triangle]
        if stepping and not _finite(own):
            continue
        left, right = _limits(own, 0, columns)
        top, bottom = _limits(own, 1, rows)
        for ty in range(top, bottom):
            low, high = _span(own, left, right, ty) if stepping else _row(own, left, right, ty)
            next_x = low * back[0] + ty * back[1] + back[2]
            next_y = low * back[3] + ty * back[4] + back[5]
            within = not nearest and not stepping and _row_inside(back, low, high, ty, shape)
            for tx in range(low, high):
                if stepping:
                    x, y = next_x, next_y
                    next_x += back[0]
                    next_y += back[3]
                else:
                    x = tx * back[0] + ty * back[1] + back[2]
                    y = tx * back[3] + ty * back[4] + back[5]
                if (
                    within or (stepping and not nearest and _inside(x, y, shape[1], shape[0]))
                ) and _opaque_around(mask, given, x, y):
                    for plane in range(len(canvas)):
                        canvas[plane, ty, tx] = _between(source[plane], x, y)
                    alpha[ty, tx] = 255
                elif _opacity(mask, given, shape, x, y, nearest) > 0:
                    for plane in range(len(canvas)):
                        canvas[plane, ty, tx] = _sampled(source[plane], x, y, nearest)
                    alpha[ty, tx] = 255


@compiled
def _row_inside(back: Any, low: int, high: int, ty: int, shape: Any) -> bool:
    """Tell whether both ends of a row, and so all of it, come from inside of the image."""
    if low >= high:
        return False
    height, width = shape
    for tx in (low, high - 1):
        x = tx * back[0] + ty * back[1] + back[2]
        y = tx * back[3] + ty * back[4] + back[5]
        if not _inside(x, y, width, height):
            return False
    return True


@compiled
def _blend(
    canvas: Any,
    alpha: Any,
    source: Any,
    mask: Any,
    given: bool,
    corners: Any,
    inverse: Any,
    stepping: bool,
    nearest: bool,
    over: bool,
) -> None:
    rows, columns = alpha.shape
    shape = source.shape[1:]
    planes = len(canvas)
    for triangle in range(len(corners)):
        own, back = corners[triangle], inverse[triangle]
        if stepping and not _finite(own):
            continue
        left, right = _limits(own, 0, columns)
        top, bottom = _limits(own, 1, rows)
        for ty in range(top, bottom):
            low, high = _span(own, left, right, ty) if stepping else _row(own, left, right, ty)
            next_x = low * back[0] + ty * back[1] + back[2]
            next_y = low * back[3] + ty * back[4] + back[5]
            within = not nearest and not stepping and _row_inside(back, low, high, ty, shape)
            for tx in range(low, high):
                if stepping:
                    x, y = next_x, next_y
                    next_x += back[0]
                    next_y += back[3]
                else:
                    x = tx * back[0] + ty * back[1] + back[2]
                    y = tx * back[3] + ty * back[4] + back[5]
                if (
                    within or (stepping and not nearest and _inside(x, y, shape[1], shape[0]))
                ) and _opaque_around(mask, given, x, y):
                    for plane in range(planes):
                        canvas[plane, ty, tx] = _between(source[plane], x, y)
                    alpha[ty, tx] = 255
                    continue
                opaque = _opacity(mask, given, shape, x, y, nearest)
                if opaque == 255:
                    # what the arithmetic of other pixels comes to
                    for plane in range(planes):
                        canvas[plane, ty, tx] = _sampled(source[plane], x, y, nearest)
                    alpha[ty, tx] = 255
                else:
                    _blend_pixel(canvas, alpha, source, opaque, tx, ty, x, y, nearest, over)


@compiled
def _blend_pixel(
    canvas: Any,
    alpha: Any,
    source: Any,
    opaque: int,
    tx: int,
    ty: int,
    x: float,
    y: float,
    nearest: bool,
    over: bool,
) -> None:
    planes = len(canvas)
    top_value = 255 if canvas.itemsize == 1 else 65535
    half = np.float32(0.5) if planes == 1 else np.float32(0.0)
    a = opaque / 255.0
    empty = not over
    for plane in range(planes):
        if canvas[plane, ty, tx] != 0:
            empty = False
    b = alpha[ty, tx] / 255.0
    blended = a + b * (1 - a)
    for plane in range(planes):
        v = float(_sampled(source[plane], x, y, nearest))
        if empty:
            value = v * a
        elif blended == 0.0:
            value = 0.0
        else:
            value = (v * a + canvas[plane, ty, tx] * b * (1 - a)) / blended
        canvas[plane, ty, tx] = min(int(np.float32(value) + np.float32(0.5)), top_value)
    opacity = a if empty else blended
    alpha[ty, tx] = int(np.float32(opacity * 255.0) + half)
