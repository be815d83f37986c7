"""Least squares of mpicbg: closed forms, summed in the order of the points.

Sums run from left to right (`numpy.cumsum`), because numpy's own summation adds in another order and so
gives another last bit. Parameters are m00, m01, m10, m11, m02, m12.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from renderapi.errors import EstimationError
from renderapi.transform.leaf.common import NotInvertibleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Parameters = tuple[float, float, float, float, float, float]


def _sum(values: Array) -> np.float64:
    total: np.float64 = values.cumsum()[-1]
    return total


def _centres(p: Array, q: Array, w: Array | None) -> tuple[Array, Array]:
    # weighted means of both point sets, (2,) each; divided once at the end
    if w is None:
        total: np.float64 = np.float64(len(p))
        sums = p.cumsum(axis=0)[-1], q.cumsum(axis=0)[-1]
    else:
        total = _sum(w)
        sums = (w[:, None] * p).cumsum(axis=0)[-1], (w[:, None] * q).cumsum(axis=0)[-1]
    return sums[0] / total, sums[1] / total


def _centred(p: Array, q: Array, w: Array | None) -> tuple[Array, Array, Array, Array, Array, Array]:
    # centres, and source and target coordinates relative to them
    pc, qc = _centres(p, q, w)
    x1, y1 = np.ascontiguousarray((p - pc).T)
    x2, y2 = np.ascontiguousarray((q - qc).T)
    return pc, qc, x1, y1, x2, y2


def translation(p: Array, q: Array, w: Array | None) -> Parameters:
    """Fit a translation to (N, 2) points p, q with weights w (N,) or None."""
    pc, qc = _centres(p, q, w)
    return 1.0, 0.0, 0.0, 1.0, float(qc[0] - pc[0]), float(qc[1] - pc[1])


def _rotation(p: Array, q: Array, w: Array | None, scale: bool) -> Parameters:
    pc, qc, x1, y1, x2, y2 = _centred(p, q, w)
    # mpicbg adds the offset of the centres here, which changes nothing but the last bits of the sums
    x2, y2 = x2 + (pc[0] - qc[0]), y2 + (pc[1] - qc[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        if w is None:
            cos, sin = _sum(x1 * x2 + y1 * y2), _sum(x1 * y2 - y1 * x2)
            norm = _sum(x1 * x1 + y1 * y1)
        else:
            cos, sin = _sum(w * (x1 * x2 + y1 * y2)), _sum(w * (x1 * y2 - y1 * x2))
            norm = _sum(w * (x1 * x1 + y1 * y1))
        if not scale:
            norm = np.sqrt(cos * cos + sin * sin)
        cos, sin = cos / norm, sin / norm
    m02 = qc[0] - cos * pc[0] + sin * pc[1]
    m12 = qc[1] - sin * pc[0] - cos * pc[1]
    return float(cos), -float(sin), float(sin), float(cos), float(m02), float(m12)


def rigid(p: Array, q: Array, w: Array | None) -> Parameters:
    """Fit a rotation and translation to (N, 2) points p, q with weights w (N,) or None."""
    return _rotation(p, q, w, scale=False)


def similarity(p: Array, q: Array, w: Array | None) -> Parameters:
    """Fit a rotation, scale and translation to (N, 2) points p, q with weights w (N,) or None."""
    return _rotation(p, q, w, scale=True)


def affine(p: Array, q: Array, w: Array | None) -> Parameters:
    """Fit an affine transform to (N, 2) points p, q with weights w (N,) or None."""
    pc, qc, x1, y1, x2, y2 = _centred(p, q, w)
    wx, wy = (x1, y1) if w is None else (w * x1, w * y1)
    a00, a01, a11 = _sum(wx * x1), _sum(wx * y1), _sum(wy * y1)
    b00, b01, b10, b11 = _sum(wx * x2), _sum(wx * y2), _sum(wy * x2), _sum(wy * y2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        det = a00 * a11 - a01 * a01
        m00 = (a11 * b00 - a01 * b10) / det
        m01 = (a00 * b10 - a01 * b00) / det
        m10 = (a11 * b01 - a01 * b11) / det
        m11 = (a00 * b11 - a01 * b01) / det
        m02 = qc[0] - m00 * pc[0] - m01 * pc[1]
        m12 = qc[1] - m10 * pc[0] - m11 * pc[1]
    return float(m00), float(m01), float(m10), float(m11), float(m02), float(m12)


def matrix(parameters: Parameters) -> Array:
    """Give the 3 x 3 matrix of parameters."""
    m00, m01, m10, m11, m02, m12 = parameters
    return np.array([[m00, m01, m02], [m10, m11, m12], [0.0, 0.0, 1.0]])


def invert(m00: float, m01: float, m02: float, m10: float, m11: float, m12: float) -> Parameters:
    """Invert an affine transform given row by row; i00, i01, i02, i10, i11, i12 come back.

    Raises
    ------
    NotInvertibleError
        If it is singular.
    """
    det = m00 * m11 - m01 * m10
    if det == 0 or math.isnan(det):
        raise NotInvertibleError(
            f"a transform with the linear part [[{m00}, {m01}], [{m10}, {m11}]] has no inverse"
        )
    return (
        m11 / det,
        -m01 / det,
        (m01 * m12 - m02 * m11) / det,
        -m10 / det,
        m00 / det,
        (m02 * m10 - m00 * m12) / det,
    )


def require_spread(p: Array, w: Array | None, model: str, line: bool = False) -> None:
    """Raise EstimationError if points that count lie on one spot, or with `line` on one line."""
    if w is not None:
        p = p[w > 0]
    size = np.abs(p).max()
    singular = np.linalg.svd(p - p.mean(axis=0), compute_uv=False)
    # what rounding of the coordinates alone can make of points on a line
    noise = 4 * np.finfo(float).eps * size * np.sqrt(len(p))
    if singular[0] <= noise:
        raise EstimationError(f"{model} cannot be estimated: all points are the same")
    if line and (len(singular) < 2 or singular[1] <= noise):
        raise EstimationError(f"{model} cannot be estimated: all points are on one line")
