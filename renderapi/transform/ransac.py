"""Which point pairs agree on one transform: random sample consensus as mpicbg does it, in arrays.

mpicbg draws minimal sets of pairs, fits a model to each, refits it to the pairs that it maps well until
their number does not grow any more, keeps the model with most of them, and then drops pairs that are worse
than a multiple of the median (``filterRansac``). Here all minimal sets are fitted and judged together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import EstimationError
from renderapi.transform.least_squares import Model, Parameters, model_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

# numbers in an array at once: hypotheses times pairs
_BLOCK = 2**19
# hypotheses that are refitted to their inliers
_REFITTED = 50


@dataclass(frozen=True)
class Ransac:
    """How point pairs that do not belong are left out of a fit, by random sample consensus.

    Give it as ``ransac=`` to ``fit`` or ``estimate`` of `TranslationModel`, `RigidModel`, `SimilarityModel`
    or `AffineModel`; ``True`` stands for the defaults, and a dict for some of the parameters.

    Parameters
    ----------
    iterations : int
        Number of minimal sets of pairs that are tried.
    max_epsilon : float
        A pair agrees with a transform if that misses the target by less than this, in pixels.
    min_inlier_ratio : float
        Fraction of the pairs that must agree, from 0 to 1.
    min_num_inliers : int
        Number of pairs that must agree.
    max_trust : float or None
        Of those that agree, pairs that are missed by more than this times the median distance are dropped,
        and the transform is fitted again, until none is. None keeps all.
    rng : int, numpy.random.Generator or None
        Seed of the random choice, or where it comes from. With a seed equal input gives equal results;
        None gives others each time.

    Notes
    -----
    The procedure and the default parameters are those that render filters matches with (mpicbg's
    ``filterRansac``; Fischler and Bolles, 1981). Results agree with Java statistically only, which does not
    repeat itself exactly either. Only the 50 best of the minimal sets are refitted.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    iterations: int = 1000
    max_epsilon: float = 20.0
    min_inlier_ratio: float = 0.0
    min_num_inliers: int = 4
    max_trust: float | None = 3.0
    rng: int | np.random.Generator | None = 0

    def __post_init__(self) -> None:
        """Check the parameters."""
        ranges = {
            "iterations": self.iterations >= 1,
            "max_epsilon": self.max_epsilon > 0,
            "min_inlier_ratio": 0 <= self.min_inlier_ratio <= 1,
            "min_num_inliers": self.min_num_inliers >= 1,
            "max_trust": self.max_trust is None or self.max_trust > 0,
        }
        for name, good in ranges.items():
            if not good:
                raise ValueError(f"{name}={getattr(self, name)!r} is out of range for RANSAC")


def as_ransac(ransac: Ransac | Mapping[str, Any] | bool | None) -> Ransac | None:
    """Take what a caller says of RANSAC: an object, or None where it is not wanted."""
    if ransac is None or ransac is False:
        return None
    if ransac is True:
        return Ransac()
    return ransac if isinstance(ransac, Ransac) else Ransac(**ransac)


def inliers(model: str | Model, p: Array, q: Array, w: Array | None, ransac: Ransac) -> Mask:
    """Find the pairs that agree on one transform.

    Parameters
    ----------
    model : str or Model
        What is fitted: a key of `renderapi.transform.least_squares.MODELS`, or a model of its own.
    p, q : (N, 2) array
        Points, and the points that they should be mapped to; finite.
    w : (N,) array or None
        Weights. Pairs of weight 0 never agree.
    ransac : Ransac
        Parameters.

    Returns
    -------
    (N,) bool array
        True for pairs that agree.

    Raises
    ------
    EstimationError
        If there are too few pairs, or too few of them agree on any transform that was tried.
    """
    model = model_of(model) if isinstance(model, str) else model
    usable = np.arange(len(p)) if w is None else np.flatnonzero(w)
    count = len(usable)
    needed = max(ransac.min_num_inliers, model.minimum)
    if count < needed:
        raise EstimationError(
            f"RANSAC for the {model.name} model needs at least {needed} point pairs with a weight, {count} given"
        )
    pairs = _Pairs(model, p[usable], q[usable], None if w is None else w[usable])
    needed = max(needed, int(np.ceil(ransac.min_inlier_ratio * count - 1e-9)))
    best = pairs.refitted(pairs.hypotheses(ransac), ransac.max_epsilon)
    agreed = int(best.sum())
    if agreed < needed:
        raise EstimationError(
            f"no consensus on a {model.name} model: at most {agreed} of {count} point pairs agree within "
            f"{ransac.max_epsilon} px after {ransac.iterations} iterations, {needed} are needed "
            f"(min_num_inliers={ransac.min_num_inliers}, min_inlier_ratio={ransac.min_inlier_ratio})"
        )
    if ransac.max_trust is not None:
        best = pairs.trusted(best, ransac.max_trust)
        if best.sum() < needed:
            raise EstimationError(
                f"no consensus on a {model.name} model: of {agreed} of {count} point pairs that agree within "
                f"{ransac.max_epsilon} px only {best.sum()} lie within {ransac.max_trust} times the median "
                f"(max_trust), {needed} are needed"
            )
    mask = np.zeros(len(p), dtype=bool)
    mask[usable[best]] = True
    return mask


def trusted(model: str | Model, p: Array, q: Array, mask: Mask, max_trust: float) -> Mask:
    """Drop pairs that are far worse than the others, until none is.

    Parameters
    ----------
    model : str or Model
        As for `inliers`.
    p, q : (N, 2) array
        Points, and the points that they should be mapped to; finite.
    mask : (N,) bool array
        Pairs that agree.
    max_trust : float
        A pair that a fit to those that are left misses by more than this times the median is dropped.

    Returns
    -------
    (N,) bool array
        What is left of `mask`; it may be less than the model needs.
    """
    model = model_of(model) if isinstance(model, str) else model
    return _Pairs(model, p, q, None).trusted(mask, max_trust)


class _Pairs:
    # point pairs, and fits of one model to subsets of them

    def __init__(self, model: Model, p: Array, q: Array, w: Array | None) -> None:
        self.fit, self.minimum = model.fit, model.minimum
        # centred, so that what rounding makes of pixels far from the origin is no residual
        self.points = [np.ascontiguousarray(c) for a in (p, q) for c in (a - a.mean(axis=0)).T]
        self.w = w
        size = float(max(np.abs(c).max() for c in self.points))
        self.noise = 1e-12 * size

    def _squared(self, parameters: Parameters) -> Array:
        # (B, N) squared distances of the targets and mapped points
        m00, m01, m10, m11, m02, m12 = (np.reshape(value, (-1, 1)) for value in parameters)
        px, py, qx, qy = self.points
        squared: Array = (m00 * px + m01 * py + (m02 - qx)) ** 2 + (m10 * px + m11 * py + (m12 - qy)) ** 2
        return squared

    def _fitted(self, masks: Mask) -> Array:
        # (B, N) squared distances from the fits to B subsets
        weights = masks.T.astype(np.float64)
        if self.w is not None:
            weights *= self.w[:, None]
        return self._squared(self.fit(*(column[:, None] for column in self.points), weights))

    def hypotheses(self, ransac: Ransac) -> Mask:
        """Return the pairs that agree with the most promising minimal sets, (B, N)."""
        count = len(self.points[0])
        sets = _choices(np.random.default_rng(ransac.rng), count, self.minimum, ransac.iterations)
        limit = ransac.max_epsilon**2
        with np.errstate(all="ignore"):
            parameters = self.fit(*(column[sets] for column in self.points), None)
            spread = [np.broadcast_to(np.asarray(value), (ransac.iterations,)) for value in parameters]
            step = max(1, _BLOCK // count)
            numbers = np.concatenate(
                [
                    (self._squared(tuple(v[i : i + step] for v in spread)) < limit).sum(axis=1)  # type: ignore[arg-type]
                    for i in range(0, ransac.iterations, step)
                ]
            )
            best = np.argsort(-numbers, kind="stable")[:_REFITTED]
            return self._squared(tuple(v[best] for v in spread)) < limit  # type: ignore[arg-type]

    def refitted(self, masks: Mask, max_epsilon: float) -> Mask:
        """Refit to the pairs that agree as long as their number grows, and give the best set, (N,)."""
        limit = max_epsilon**2
        numbers = masks.sum(axis=1)
        error = np.full(len(masks), np.inf)
        step = max(1, _BLOCK // masks.shape[1])
        active = np.flatnonzero(numbers >= self.minimum)
        with np.errstate(all="ignore"):
            while len(active):
                growing = []
                for i in range(0, len(active), step):
                    part = active[i : i + step]
                    squared = self._fitted(masks[part])
                    agree = squared < limit
                    error[part] = np.where(masks[part], squared, 0.0).sum(axis=1)
                    grown = agree.sum(axis=1) > numbers[part]
                    masks[part[grown]] = agree[grown]
                    growing.append(part[grown])
                active = np.concatenate(growing)
                numbers = masks.sum(axis=1)
        best: Mask = masks[np.lexsort([error, -numbers])[0]]
        return best

    def trusted(self, mask: Mask, max_trust: float) -> Mask:
        """Drop pairs that are far worse than the median until none is, (N,)."""
        while mask.sum() >= self.minimum:
            with np.errstate(all="ignore"):
                distances = np.sqrt(self._fitted(mask[None])[0])
            # of exact pairs what rounding makes of them says nothing
            limit = max(float(np.median(distances[mask])) * max_trust, self.noise)
            kept = mask & (distances <= limit)
            if kept.sum() == mask.sum():
                break
            mask = kept
        return mask


def _choices(rng: np.random.Generator, count: int, size: int, times: int) -> NDArray[np.intp]:
    """Choose `size` different ones of `count`, `times` times: (size, times)."""
    chosen = np.empty((size, times), dtype=np.intp)
    for i in range(size):
        draw = rng.integers(0, count - i, times)
        for taken in np.sort(chosen[:i], axis=0):
            draw += draw >= taken
        chosen[i] = draw
    return chosen
