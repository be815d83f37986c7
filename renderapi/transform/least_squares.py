"""Least squares of mpicbg: closed forms, summed in the order of the points.

Numpy's own summation adds in another order and so gives another last bit. Parameters are m00, m01, m10,
m11, m02, m12. Every model can be fitted to one set of points (arrays of shape (N,)) or to the same points
with many sets of weights at once (points (N, 1), weights (N, B)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi.errors import EstimationError
from renderapi.transform.leaf.common import NotInvertibleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Parameters = tuple[Any, Any, Any, Any, Any, Any]


def ordered_sum(values: Array) -> Any:
    """Add up the first axis from the first to the last."""
    # numpy adds the rows of an outer axis one after the other, but a single column or row in its own order
    if values.ndim == 1 or values.shape[1] == 1:
        return values.cumsum(axis=0)[-1]
    return np.add.reduce(values, axis=0)


class _Sums:
    # weighted centres, and coordinates relative to them

    def __init__(self, px: Array, py: Array, qx: Array, qy: Array, w: Array | None) -> None:
        self._w = w
        total = len(px) if w is None else ordered_sum(w)
        self.pcx, self.pcy, self.qcx, self.qcy = (self.of(c) / total for c in (px, py, qx, qy))
        self.x1, self.y1 = px - self.pcx, py - self.pcy
        self.x2, self.y2 = qx - self.qcx, qy - self.qcy

    def of(self, values: Array) -> Any:
        return ordered_sum(values if self._w is None else self._w * values)

    def weighted(self, values: Array) -> Array:
        return values if self._w is None else self._w * values


def translation(px: Array, py: Array, qx: Array, qy: Array, w: Array | None) -> Parameters:
    """Fit a translation of points p to points q with weights w."""
    sums = _Sums(px, py, qx, qy, w)
    return 1.0, 0.0, 0.0, 1.0, sums.qcx - sums.pcx, sums.qcy - sums.pcy


def _rotation(px: Array, py: Array, qx: Array, qy: Array, w: Array | None, scale: bool) -> Parameters:
    s = _Sums(px, py, qx, qy, w)
    # mpicbg adds the offset of the centres here, which changes nothing but the last bits of the sums
    x2, y2 = s.x2 + (s.pcx - s.qcx), s.y2 + (s.pcy - s.qcy)
    cos = s.of(s.x1 * x2 + s.y1 * y2)
    sin = s.of(s.x1 * y2 - s.y1 * x2)
    norm = s.of(s.x1 * s.x1 + s.y1 * s.y1) if scale else np.sqrt(cos * cos + sin * sin)
    with np.errstate(divide="ignore", invalid="ignore"):
        cos, sin = cos / norm, sin / norm
    m02 = s.qcx - cos * s.pcx + sin * s.pcy
    m12 = s.qcy - sin * s.pcx - cos * s.pcy
    return cos, -sin, sin, cos, m02, m12


def rigid(px: Array, py: Array, qx: Array, qy: Array, w: Array | None) -> Parameters:
    """Fit a rotation and translation of points p to points q with weights w."""
    return _rotation(px, py, qx, qy, w, scale=False)


def similarity(px: Array, py: Array, qx: Array, qy: Array, w: Array | None) -> Parameters:
    """Fit a rotation, scale and translation of points p to points q with weights w."""
    return _rotation(px, py, qx, qy, w, scale=True)


def affine(px: Array, py: Array, qx: Array, qy: Array, w: Array | None) -> Parameters:
    """Fit an affine transform of points p to points q with weights w."""
    return _affine(px, py, qx, qy, w)[0]


def affine_or_identity(px: Array, py: Array, qx: Array, qy: Array, w: Array | None) -> Parameters:
    """Fit affine transforms as `affine` does; where points p lie on a line, mpicbg leaves the identity."""
    fitted, det = _affine(px, py, qx, qy, w)
    return tuple(np.where(det == 0, own, value) for own, value in zip((1, 0, 0, 1, 0, 0), fitted))  # type: ignore[return-value]


def _affine(px: Array, py: Array, qx: Array, qy: Array, w: Array | None) -> tuple[Parameters, Any]:
    # and the determinant, which is 0 if nothing is determined
    s = _Sums(px, py, qx, qy, w)
    wx, wy = s.weighted(s.x1), s.weighted(s.y1)
    a00, a01, a11 = ordered_sum(wx * s.x1), ordered_sum(wx * s.y1), ordered_sum(wy * s.y1)
    b00, b01 = ordered_sum(wx * s.x2), ordered_sum(wx * s.y2)
    b10, b11 = ordered_sum(wy * s.x2), ordered_sum(wy * s.y2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        det = a00 * a11 - a01 * a01
        m00 = (a11 * b00 - a01 * b10) / det
        m01 = (a00 * b10 - a01 * b00) / det
        m10 = (a11 * b01 - a01 * b11) / det
        m11 = (a00 * b11 - a01 * b01) / det
        m02 = s.qcx - m00 * s.pcx - m01 * s.pcy
        m12 = s.qcy - m10 * s.pcx - m11 * s.pcy
    return (m00, m01, m10, m11, m02, m12), det


# what fits each model of mpicbg, and how many point pairs it needs
MODELS: dict[str, tuple[Callable[..., Parameters], int]] = {
    "translation": (translation, 1),
    "rigid": (rigid, 2),
    "similarity": (similarity, 2),
    "affine": (affine, 3),
}


class Model(NamedTuple):
    """A transform as it is fitted to point pairs.

    Attributes
    ----------
    name : str
        What messages call it.
    fit : callable
        As the functions of this module.
    minimum : int
        How many pairs it needs.
    """

    name: str
    fit: Callable[..., Parameters]
    minimum: int


def model_of(name: str, regularizer: str | None = None, weight: float = 0.0) -> Model:
    """Return a model, or one between two models.

    Parameters
    ----------
    name : {"translation", "rigid", "similarity", "affine"}
        The model.
    regularizer : str, optional
        A second one.
    weight : float
        Weight of the second one, 0 to 1: coefficients are ``(1 - weight) * first + weight * second``, as those of
        mpicbg's ``InterpolatedAffineModel2D``.

    Returns
    -------
    Model

    Raises
    ------
    KeyError
        If there is no such model.
    """
    fit, minimum = MODELS[name]
    if regularizer is None:
        return Model(name, fit, minimum)
    other, needed = MODELS[regularizer]

    def between(px: Array, py: Array, qx: Array, qy: Array, w: Array | None) -> Parameters:
        a00, a01, a10, a11, a02, a12 = (value * (1 - weight) for value in fit(px, py, qx, qy, w))
        b00, b01, b10, b11, b02, b12 = (value * weight for value in other(px, py, qx, qy, w))
        return a00 + b00, a01 + b01, a10 + b10, a11 + b11, a02 + b02, a12 + b12

    return Model(f"{name} and {regularizer}", between, max(minimum, needed))


def fit_points(model: str, p: Array, q: Array, w: Array | None) -> tuple[float, ...]:
    """Fit a model to points p, q (N, 2) with weights w (N,) or None: m00, m01, m10, m11, m02, m12."""
    px, py, qx, qy = (np.ascontiguousarray(column) for column in (*p.T, *q.T))
    return tuple(float(value) for value in MODELS[model][0](px, py, qx, qy, w))


def matrix(parameters: tuple[float, ...]) -> Array:
    """Return the 3 x 3 matrix of parameters."""
    m00, m01, m10, m11, m02, m12 = parameters
    return np.array([[m00, m01, m02], [m10, m11, m12], [0.0, 0.0, 1.0]])


def invert(m00: Any, m01: Any, m02: Any, m10: Any, m11: Any, m12: Any) -> Parameters:
    """Invert affine transforms given row by row, as numbers or arrays; i00, i01, i02, i10, i11, i12 come
    back.

    Singular ones give infinities and NaN in arrays.

    Raises
    ------
    NotInvertibleError
        If a single one is singular.
    """
    det = m00 * m11 - m01 * m10
    if isinstance(det, float) and (det == 0 or math.isnan(det)):
        raise NotInvertibleError(
            f"a transform with the linear part [[{m00}, {m01}], [{m10}, {m11}]] has no inverse"
        )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return (
            m11 / det,
            -m01 / det,
            (m01 * m12 - m02 * m11) / det,
            -m10 / det,
            m00 / det,
            (m02 * m10 - m00 * m12) / det,
        )


def determines_rotation(p: Array, q: Array, w: Array | None) -> bool:
    """Say whether points p, q (N, 2) with weights w favour one rotation.

    They do not if q is one spot, or a mirror image that fits equally badly in every direction.
    """
    weights = np.ones(len(p)) if w is None else w
    (x1, y1), (x2, y2) = ((a - np.average(a, axis=0, weights=weights)).T for a in (p, q))
    turned = np.hypot((weights * (x1 * x2 + y1 * y2)).sum(), (weights * (x1 * y2 - y1 * x2)).sum())
    size_p, size_q = (weights * (x1 * x1 + y1 * y1)).sum(), (weights * (x2 * x2 + y2 * y2)).sum()
    noise = 4 * np.finfo(float).eps * np.abs(q).max() * np.sqrt(size_p * weights.sum())
    return bool(turned > max(1e-12 * np.sqrt(size_p * size_q), noise))


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
