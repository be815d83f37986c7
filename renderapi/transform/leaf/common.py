"""What the transform classes share: points, sums, first order properties, ids and labels."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import ConversionError, EstimationError, SpecError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class NotInvertibleError(EstimationError, np.linalg.LinAlgError):
    """A transform that maps different points to one has no inverse."""


def current_svd() -> Callable[..., Any]:
    """Return the svd of scipy.linalg where that can be imported, else numpy's: programs take it from here."""
    try:
        from scipy.linalg import svd
    except ImportError:
        return np.linalg.svd
    return svd


def calc_first_order_properties(
    M: NDArray[np.float64], force_shear: str = "x"
) -> tuple[float, float, float, float, float]:
    """Split the linear part of a transform into scales, one shear and a rotation.

    With ``R = [[cos t, -sin t], [sin t, cos t]]`` the linear part is ``[[sx, sx*cx], [0, sy]] @ R`` for a
    shear along x and ``[[sx, 0], [sy*cy, sy]] @ R`` for a shear along y. Scales come from projections on
    the rotated axes, so nothing is divided by the sine of a small angle.

    Parameters
    ----------
    M : (2, 2) or larger array
        Matrix whose upper left 2 x 2 block is used.
    force_shear : {'x', 'y'}
        Axis along which the shear is.

    Returns
    -------
    sx, sy : float
        Scale along x and y; the one along the sheared axis is negative in mirrored transforms.
    cx, cy : float
        Shear along x and y; one of them is 0. NaN or infinite if the matrix is singular.
    theta : float
        Rotation in radians.

    Raises
    ------
    ValueError
        If `force_shear` is neither.
    """
    m00, m01, m10, m11 = (np.float64(M[i, j]) for i in (0, 1) for j in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        if force_shear == "x":
            theta = np.arctan2(m10, m11)
            cos, sin = np.cos(theta), np.sin(theta)
            sx = m00 * cos - m01 * sin
            return sx, np.hypot(m10, m11), (m00 * sin + m01 * cos) / sx, 0.0, theta
        if force_shear == "y":
            theta = np.arctan2(-m01, m00)
            cos, sin = np.cos(theta), np.sin(theta)
            sy = m10 * sin + m11 * cos
            return np.hypot(m00, m01), sy, 0.0, (m10 * cos - m11 * sin) / sy, theta
    raise ValueError(f"{force_shear!r} is not a valid option for force_shear, should be 'x' or 'y'")


def as_points(points: ArrayLike, what: str = "Points") -> NDArray[np.float64]:
    """Return points as an (N, 2) float64 array; the array itself if it is one already.

    Raises
    ------
    ConversionError
        If they have another shape.
    """
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{what} must be numbers of shape (:, 2) -- {error}") from None
    if array.ndim != 2 or array.shape[1] != 2:
        raise ConversionError(f"{what} must be of shape (:, 2) -- got {array.shape}")
    return array


def point_pairs(
    src: ArrayLike, dst: ArrayLike, weights: ArrayLike | None, minimum: int, model: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Check the points that a model is fitted to.

    Parameters
    ----------
    src, dst : (N, 2) array
        Points and what they should be mapped to.
    weights : (N,) array or None
        Weight of each pair.
    minimum : int
        Number of pairs that the model needs.
    model : str
        What is fitted, for messages.

    Returns
    -------
    src, dst : (N, 2) float64 array
        The points.
    weights : (N,) float64 array or None
        The weights.

    Raises
    ------
    EstimationError
        If there are too few pairs, if shapes differ, or if something is not finite.
    """
    try:
        p, q = as_points(src, "source points"), as_points(dst, "target points")
        w = None if weights is None else np.asarray(weights, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise EstimationError(f"{model} cannot be estimated: {error}") from None
    if p.shape != q.shape:
        raise EstimationError(f"shape mismatch! A shape: {p.shape}, B shape {q.shape}")
    if w is not None and len(w) != len(p):
        raise EstimationError(f"{len(p)} point pairs need as many weights, {len(w)} given")
    if len(p) < minimum:
        raise EstimationError(f"{model} needs at least {minimum} point pairs, {len(p)} given")
    if not (np.isfinite(p).all() and np.isfinite(q).all() and (w is None or np.isfinite(w).all())):
        raise EstimationError(f"{model} cannot be estimated: some coordinates or weights are not finite")
    if w is not None and not ((w >= 0).all() and w.any()):
        raise EstimationError(
            f"{model} cannot be estimated: weights must be positive or zero, and not all zero"
        )
    return p, q, w


def polynomial_order(count: int) -> int:
    """Return the order of a polynomial with `count` coefficients per coordinate, as Java computes it."""
    return int(math.nextafter(math.sqrt(2 * count + 0.25) - 1.5, math.inf))


def term_count(order: int) -> int:
    """Return the number of terms of a polynomial in x and y: (order + 1)(order + 2) / 2."""
    return (order + 1) * (order + 2) // 2


def blocks(count: int, size: int) -> list[slice]:
    """Cut `count` items into slices of `size`, so that what is computed of each fits into the cache."""
    return [slice(start, start + size) for start in range(0, count, size)] or [slice(0, 0)]


def read_extras(transform: Any, d: dict[str, Any], known: tuple[str, ...]) -> None:
    """Take labels, and everything that has no attribute of its own, over from a document."""
    transform.labels = None
    transform.__dict__.pop("_extras", None)
    meta = d.get("metaData")
    extras = {key: value for key, value in d.items() if key not in known and key != "metaData"}
    if isinstance(meta, dict):
        meta = dict(meta)
        labels = meta.pop("labels", None)
        if labels is not None:
            try:
                transform.labels = list(labels)
            except TypeError:
                raise SpecError(
                    f"the labels of transform {d.get('id')!r} are no list: {labels!r:.100}"
                ) from None
        if meta or labels is None:
            extras["metaData"] = meta
    elif "metaData" in d:
        extras["metaData"] = meta
    if extras:
        transform._extras = copy.deepcopy(extras)


def write_extras(transform: Any, d: dict[str, Any]) -> None:
    """Write labels, and what `read_extras` kept, into a document."""
    # attributes may be missing in subclasses that do not call the constructor
    labels = getattr(transform, "labels", None)
    if labels is not None:
        d["metaData"] = {"labels": list(labels)}
    extras = transform.__dict__.get("_extras")
    if extras is not None:
        extras = copy.deepcopy(extras)
        meta = extras.pop("metaData", None)
        if isinstance(meta, dict):
            d["metaData"] = {**meta, **d.get("metaData", {})}
        elif "metaData" in transform._extras:
            d.setdefault("metaData", meta)
        d.update(extras)
