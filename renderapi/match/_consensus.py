"""Which candidates agree on a transform, as render's match filters choose them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import EstimationError
from renderapi.match._parameters import MatchDerivation
from renderapi.transform.least_squares import Model, model_of
from renderapi.transform.ransac import Ransac, inliers, trusted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Indices = NDArray[np.intp]

# mpicbg's own, where several sets are looked for
_TRUST_OF_SETS = 4.0


@dataclass(frozen=True)
class Consensus:
    """Candidates that agree.

    Attributes
    ----------
    sets : list of (N,) int array
        Indices of candidates, ascending; each set agrees on one transform. Empty where none do.
    models : list of (2, 3) array, (N, 2, 3) array or None
        The transform of p to q of each set, in pixels of the canvas; of each candidate where several sets are one;
        None where nothing was fitted.
    most : int
        How many candidates agreed at best, if those were too few.
    """

    sets: list[Indices] = field(default_factory=list)
    models: list[Array | None] = field(default_factory=list)
    most: int = 0


def filter_candidates(
    p: Any,
    q: Any,
    derivation: MatchDerivation,
    render_scale: float = 1.0,
    *,
    check: Callable[[], object] | None = None,
) -> Consensus:
    """Choose the candidates that agree on a transform, by random sample consensus as mpicbg has it.

    Parameters
    ----------
    p, q : (N, 2) array
        Points of candidates, in pixels of the canvases.
    derivation : MatchDerivation
        What has to agree, and how many.
    render_scale : float
        Scale of the canvases, for `matchMaxEpsilonFullScale`.
    check : callable, optional
        Called before each set that is looked for; what it raises ends the work.

    Returns
    -------
    Consensus

    Raises
    ------
    MatchParametersError
        If no largest error is given.

    Notes
    -----
    Random choices have a seed: equal candidates give equal results.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.random.default_rng(0).uniform(0, 100, (20, 2))
    >>> q = p + [30, 5]
    >>> q[:4] += 50 * p[:4]
    >>> derivation = MatchDerivation(matchModelType="TRANSLATION", matchMaxEpsilon=2)
    >>> filter_candidates(p, q, derivation).sets[0].tolist() == list(range(4, 20))
    True
    """
    p, q = np.asarray(p, np.float64).reshape(-1, 2), np.asarray(q, np.float64).reshape(-1, 2)
    epsilon = derivation.max_epsilon(render_scale)
    everything = np.arange(len(p))
    if derivation.matchFilter == "NONE":
        return Consensus([everything], [None]) if len(p) else Consensus()
    regularizer = derivation.matchRegularizerModelType
    model = model_of(
        derivation.matchModelType.lower(),
        None if regularizer is None else regularizer.lower(),
        derivation.matchInterpolatedModelLambda or 0.0,
    )
    if derivation.matchFilter == "SINGLE_SET":
        found, most = _one_set(p, q, everything, model, derivation, epsilon, derivation.matchMaxTrust)
        sets = [found] if len(found) else []
    else:
        sets, most = _several_sets(p, q, everything, model, derivation, epsilon, check)
    fitted = [_fitted(model, p[chosen], q[chosen]) for chosen in sets]
    sets = [_at_most(chosen, derivation.matchMaxNumInliers) for chosen in sets]
    if derivation.matchFilter == "AGGREGATED_CONSENSUS_SETS" and len(sets) > 1:
        each = [np.broadcast_to(model, (len(chosen), 2, 3)) for chosen, model in zip(sets, fitted)]
        return Consensus([np.concatenate(sets)], [np.concatenate(each)], most)
    return Consensus(sets, list(fitted), most)


def _several_sets(
    p: Array,
    q: Array,
    left: Indices,
    model: Model,
    derivation: MatchDerivation,
    epsilon: float,
    check: Callable[[], object] | None,
) -> tuple[list[Indices], int]:
    sets: list[Indices] = []
    most = 0
    while True:
        if check is not None:
            check()
        found, best = _one_set(p, q, left, model, derivation, epsilon, _TRUST_OF_SETS)
        most = max(most, best)
        if not len(found):
            return sets, most
        sets.append(found)
        left = np.setdiff1d(left, found, assume_unique=True)


def _one_set(
    p: Array,
    q: Array,
    among: Indices,
    model: Model,
    derivation: MatchDerivation,
    epsilon: float,
    trust: float,
) -> tuple[Indices, int]:
    # the largest set, and how many agreed before those that cannot be trusted were dropped
    least = derivation.matchMinNumInliers
    p, q = p[among], q[among]
    ransac = Ransac(
        iterations=derivation.matchIterations, max_epsilon=epsilon, min_num_inliers=1, max_trust=None
    )
    try:
        mask = inliers(model, p, q, None, ransac)
    except EstimationError:
        return among[:0], 0
    count = int(mask.sum())
    # more than the ratio, in single precision
    enough = count >= least and np.float32(count) / np.float32(len(p)) > np.float32(
        derivation.matchMinInlierRatio
    )
    if enough:
        mask = trusted(model, p, q, mask, trust)
    if not enough or mask.sum() < max(least, model.minimum):
        return among[:0], count
    return among[mask], count


def _fitted(model: Model, p: Array, q: Array) -> Array:
    fitted = model.fit(*np.ascontiguousarray(p.T), *np.ascontiguousarray(q.T), None)
    m00, m01, m10, m11, m02, m12 = (float(value) for value in fitted)
    return np.array([[m00, m01, m02], [m10, m11, m12]])


def _at_most(chosen: Indices, most: int | None) -> Indices:
    if not most or most <= 0 or len(chosen) <= most:
        return chosen
    return np.sort(np.random.default_rng(0).permutation(chosen)[:most])
