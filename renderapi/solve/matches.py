"""Tiles and match documents in, transforms and a report out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi._extras import sparse
from renderapi.errors import SpecError
from renderapi.geometry import cluster_labels
from renderapi.solve.errors import (
    ComponentsError,
    MatchCoordinatesError,
    NoMatchesError,
    TooFewMatchesError,
    UnknownTileError,
    some,
)
from renderapi.solve.fitting import Fit, Problem, fit, is_outlier
from renderapi.solve.models import Model, model_of, nearest, raw_coefficients, term_names, transform_of
from renderapi.solve.moments import Moments, condense
from renderapi.solve.report import SolveReport
from renderapi.solve.tiles import Tiles, indices_of
from renderapi.transform.leaf.common import calc_first_order_properties

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: What terms of a degree are called.
_DEGREES = ("translation", "linear", "quadratic", "cubic")
#: How strongly shifts are held by default.
_SHIFT_PRIOR = 1e-8
#: What can be refused, and what is in the report if it is not.
PROBLEMS = ("unmatched", "few", "unknown", "elsewhere", "components")
#: Parts of a tile by which pairs are apart that are not yet where they belong.
_FAR = 0.1
#: Pixels by which a start may be from where it would end: the prior holds with a thousandth part only.
_NEAR = 0.1
#: By so many tiles a tile without matches is placed.
_NEIGHBORS = 4


class Solution:
    """Where tiles belong; made by `solve`.

    Attributes
    ----------
    tile_ids : list of str
        The tiles, in the order in which they were given.
    coefficients : (n, 2, k) array
        The transform of each: coefficients of 1, x, y, x^2, xy, y^2, ... for x' and y'. It comes after the
        transforms that stay.
    report : SolveReport
        How well they fit.
    """

    def __init__(self, tiles: Tiles, solved: Array, written: Indices, kept: Indices, report: SolveReport):
        self._tiles, self._solved, self._written, self._kept = tiles, solved, written, kept
        self.tile_ids = tiles.ids
        self.report = report
        self.coefficients = raw_coefficients(tiles.model, solved, tiles.centre, tiles.scale)

    def transform(self, tile_id: str) -> Any:
        """Return the transform that was found for a tile.

        Parameters
        ----------
        tile_id : str
            The tile.

        Returns
        -------
        AffineModel or Polynomial2DTransform

        Raises
        ------
        SpecError
            If there is no such tile.
        """
        (index,) = indices_of(self._tiles, [tile_id], "transform()")
        return transform_of(self.coefficients[index])

    def tilespecs(self) -> Iterator[Any]:
        """Make the tile specs with the transforms that were found.

        Yields
        ------
        TileSpec or dict
            What was given for the tile, with other transforms: objects for objects, documents for documents.
            Tiles that are left out are not among them, tiles that stay as they are come last.
        """
        yield from self._tiles.written(self._solved, self._written)
        for tile in self._kept:
            yield self._tiles.given[tile]

    def __repr__(self) -> str:
        return f"<Solution: {str(self.report).splitlines()[0]}>"


def solve_matches(
    tiles: Any,
    matches: Iterable[Mapping[str, Any]],
    model: str = "affine",
    *,
    shared_transforms: Any = None,
    points: str | int = "matching",
    place: str | int = "replace",
    prior: float | Mapping[str, float] | None = None,
    tile_priors: Mapping[str, float] | None = None,
    label_priors: Mapping[str, float] | None = None,
    fixed: Iterable[str] = (),
    robust: str | None = "cauchy",
    start: str | None = "auto",
    cross_weight: float = 1.0,
    min_matches: int | None = None,
    unmatched: str = "neighbors",
    refuse: Iterable[str] = (),
    method: str = "auto",
) -> Solution:
    """Place tiles so that their point matches fit, by least squares over all of them.

    Parameters
    ----------
    tiles : ResolvedTiles, or iterable of TileSpec or dict
        The tiles, where they are now.
    matches : iterable of dict
        Match documents (:mod:`renderapi.pointmatch`); each is read once. Those of a pair count together.
    model : {"affine", "translation", "rigid", "similarity", "polynomial2", "polynomial3"}
        What is found for each tile.
    shared_transforms : mapping or iterable, optional
        Shared transforms of the tiles, as documents or objects.
    points : {"matching", "raw", "world"} or int
        Through which transforms of its tile a point of a match has gone: those that render leaves for matching
        (through the last one labelled ``lens``; without that label all but the last and at most two), none,
        all, or the first so many.
    place : {"replace", "last", "append"} or int
        Where the transform is put: in place of all that points have not gone through, of the last one only, after
        all of them, or after the first so many.
    prior : float or dict, optional
        How strongly coefficients are held where they are: weights as parts of the mean weight of the matches of
        a tile. A number is for all but shifts; a dict has some of ``translation``, ``linear``, ``quadratic``,
        ``cubic``, or of single terms: ``1``, ``x``, ``y``, ``xx``, ``xy`` ... Default 1e-8 for shifts; for
        the others 1e-8 (rigid), 1e-5 (similarity) or 1e-3.
    tile_priors, label_priors : dict, optional
        Factors of the prior by tile id, and by label of tiles. A tile with several has their product.
    fixed : iterable of str, optional
        Tiles that stay where they are.
    robust : {"cauchy", "huber"} or None
        How pairs that do not fit the others lose weight. The scale is 1.4826 times the median residual of the
        pairs; with u = residual / (3 scale) their weights get the factor ``1 / (1 + u^2)``, or
        ``min(1, 1 / u)``, again and again until nothing changes.
    start : {"auto", "rigid", "similarity"} or None
        With an affine model or a polynomial: what tiles are solved for first. The prior holds them where that puts
        them, instead of where they are. "auto" is "rigid" for tiles that are turned, or far from where they belong:
        where half of the pairs are further apart than a tenth of a tile.
    cross_weight : float
        Factor of the weights of pairs across layers. Default 1.
    min_matches : int, optional
        Pairs with fewer matches are left out. Default what the model needs: 1, 2 (rigid, similarity) or 3.
    unmatched : {"neighbors", "keep", "omit"}
        What becomes of tiles without matches: they move as their neighbours in the layer do, stay as they are,
        or are left out.
    refuse : iterable of str
        What is an error, instead of a line of the report: ``unmatched``, ``few``, ``unknown``, ``elsewhere``,
        ``components``.
    method : {"auto", "direct", "iterative"}
        How systems are solved: factorised, or by conjugate gradients. Default by size.

    Returns
    -------
    Solution
        The transforms, and a report.

    Raises
    ------
    NoMatchesError
        If no tile has matches; with ``refuse`` if one has none.
    TooFewMatchesError, UnknownTileError, ComponentsError
        With ``refuse``: a pair with too few matches, a match with a tile that is not there, several components.
    MatchCoordinatesError
        If most matches have points outside of their tiles; with ``refuse`` if one has.
    SingularSystemError
        If tiles can move without changing anything.
    SpecError
        If a document or an argument is wrong.

    Notes
    -----
    The points of a pair are condensed to sums of products when they are read, so that time and memory go with
    pairs. Where x and y do not depend on each other they are solved with one factorisation. The prior is measured
    in matches: a linear coefficient is by how many pixels the edge of the tile moves, and a prior of 1e-3 holds
    it like one match for every thousand that the tile has.

    Examples
    --------
    >>> from renderapi.solve import solve_matches
    >>> shift = {"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D"}
    >>> tiles = [
    ...     {"tileId": name, "width": 100, "height": 100,
    ...      "transforms": {"type": "list", "specList": [{**shift, "dataString": f"1 0 0 1 {x} 0"}]}}
    ...     for name, x in (("a", 0), ("b", 90))
    ... ]
    >>> match = {"pId": "a", "qId": "b",
    ...          "matches": {"p": [[85, 95], [10, 90]], "q": [[5, 15], [12, 92]], "w": [1, 1]}}
    >>> solution = solve_matches(tiles, [match], "translation", fixed=["a"])
    >>> [round(value, 3) for value in (solution.transform("b").B0, solution.transform("b").B1)]
    [80.0, -2.0]
    >>> print(solution.report)
    2 tiles, 1 pairs, 2 matches: translation
    residual 10.20 -> 0.00 px
    """
    refused = {refuse} if isinstance(refuse, str) else set(refuse)
    kind = check_arguments(
        model,
        points=points,
        place=place,
        prior=prior,
        tile_priors=tile_priors,
        label_priors=label_priors,
        robust=robust,
        start=start,
        cross_weight=cross_weight,
        min_matches=min_matches,
        unmatched=unmatched,
        refuse=refused,
        method=method,
    )
    by_itself = kind.coupled or kind.terms == 1
    table = Tiles(tiles, shared_transforms, kind, points, place)
    weights = _prior_weights(kind, prior)
    factors = _prior_factors(table, tile_priors, label_priors)
    stays = np.zeros(len(table.ids), bool)
    stays[indices_of(table, fixed, "fixed")] = True
    moments = condense(matches, table, kind.minimum if min_matches is None else min_matches, cross_weight)
    components = cluster_labels(np.column_stack([moments.p, moments.q]), len(table.ids))
    _refuse(refused, table, moments, components)
    held = factors[:, None] * weights * 2 * moments.weight.sum() / max((components >= 0).sum(), 1)
    reference = None
    if start == "auto":
        far = len(moments.p) and np.median(moments.rms(moments.before)) > _FAR * 2 * np.median(table.scale)
        start = "rigid" if far and not by_itself else None
    if start is not None:
        reference = _started(start, moments, table, held, stays, components, method, robust)
    found = fit(Problem(moments, table, held, stays, components, method, reference), robust)
    solved = table.start.copy()
    solved[:, : kind.terms] += found.change
    solved[stays] = table.now[stays]
    alone = np.flatnonzero((components < 0) & ~stays)
    by_neighbors = np.array([], np.intp)
    if unmatched == "neighbors":
        by_neighbors = _place_by_neighbors(table, solved, components >= 0, alone)
    as_it_is = stays.copy()
    as_it_is[np.setdiff1d(alone, by_neighbors)] = True
    solved[as_it_is] = table.now[as_it_is]
    report = _report(table, moments, found, solved, components, by_neighbors)
    kept = np.flatnonzero(as_it_is)
    if unmatched == "omit":
        kept = np.setdiff1d(kept, alone)
    return Solution(table, solved, np.flatnonzero(~as_it_is), kept, report)


def check_arguments(
    model: str,
    *,
    points: str | int = "matching",
    place: str | int = "replace",
    prior: float | Mapping[str, float] | None = None,
    tile_priors: Mapping[str, float] | None = None,
    label_priors: Mapping[str, float] | None = None,
    fixed: Iterable[str] = (),
    robust: str | None = "cauchy",
    start: str | None = "auto",
    cross_weight: float = 1.0,
    min_matches: int | None = None,
    unmatched: str = "neighbors",
    refuse: Iterable[str] = (),
    method: str = "auto",
) -> Model:
    """Check arguments of `solve_matches` without tiles, and return the model.

    Raises
    ------
    SpecError
        If one cannot be used whatever the tiles are.
    """
    kind = model_of(model)
    _check_choices(
        points=(points, ("matching", "raw", "world"), True),
        place=(place, ("replace", "last", "append"), True),
        robust=(robust, ("cauchy", "huber", None), False),
        unmatched=(unmatched, ("neighbors", "keep", "omit"), False),
        start=(start, ("auto", "rigid", "similarity", None), False),
        method=(method, ("auto", "direct", "iterative"), False),
    )
    if min_matches is not None and min_matches < 1:
        raise SpecError(f"min_matches is {min_matches!r}: a pair without matches says nothing")
    if not (np.isfinite(cross_weight) and cross_weight >= 0):
        raise SpecError(f"cross_weight is {cross_weight!r}: it must be finite, and not negative")
    if start in ("rigid", "similarity") and (kind.coupled or kind.terms == 1):
        raise SpecError(f"start={start!r} is for affine models and polynomials, not for {model}")
    for word in ({refuse} if isinstance(refuse, str) else set(refuse)) - set(PROBLEMS):
        raise SpecError(f"refuse names {word!r}, which is none of {', '.join(PROBLEMS)}")
    if isinstance(fixed, str):
        raise SpecError(f"fixed is the text {fixed!r}: give a list of tile ids")
    _prior_weights(kind, prior)
    for factors in (tile_priors, label_priors):
        given = np.array(list((factors or {}).values()), np.float64)
        if not (np.isfinite(given).all() and (given >= 0).all()):
            raise SpecError("factors of the prior must be finite, and not negative")
    return kind


def _started(
    start: str,
    moments: Moments,
    tiles: Tiles,
    held: Array,
    stays: NDArray[np.bool_],
    components: Indices,
    method: str,
    robust: str | None,
) -> Array:
    # the change that another model makes of the tiles
    first = model_of(start)
    share = np.divide(first.prior, tiles.model.prior)
    other = held * np.r_[1.0, np.full(held.shape[1] - 1, share)]
    before = nearest(first, tiles.start, tiles.scale) - tiles.start
    return fit(Problem(moments, tiles, other, stays, components, method, before, first), robust, _NEAR).change


def _check_choices(**choices: tuple[Any, tuple[Any, ...], bool]) -> None:
    for name, (given, allowed, number) in choices.items():
        if given in allowed or (number and isinstance(given, int) and not isinstance(given, bool)):
            continue
        raise SpecError(
            f"{name} is {given!r}: it must be one of {', '.join(map(repr, allowed))}"
            + (", or a number of transforms" if number else "")
        )


def _prior_weights(model: Model, prior: float | Mapping[str, float] | None) -> Array:
    # one for each term that may change
    by_name = {**dict.fromkeys(_DEGREES, model.prior), "translation": _SHIFT_PRIOR}
    if isinstance(prior, Mapping):
        names = term_names(3)
        for name in prior.keys() - set(names) - set(_DEGREES):
            raise SpecError(
                f"prior names {name!r}, which is neither of {', '.join(_DEGREES)} nor a term as 'xy'"
            )
        by_name.update(prior)
    elif prior is not None:
        by_name.update(dict.fromkeys(_DEGREES[1:], prior))
    terms = term_names(model.order)[: model.terms]
    degrees = [0 if term == "1" else len(term) for term in terms]
    weights = np.array([by_name.get(t, by_name[_DEGREES[d]]) for t, d in zip(terms, degrees)], np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise SpecError(f"prior is {prior!r}: weights must be finite, and not negative")
    return weights


def _prior_factors(
    tiles: Tiles, by_tile: Mapping[str, float] | None, by_label: Mapping[str, float] | None
) -> Array:
    factors = np.ones(len(tiles.ids))
    for label, factor in (by_label or {}).items():
        which = [label in labels for labels in tiles.labels]
        if not any(which):
            raise SpecError(f"label_priors names the label {label!r}, which none of the tiles has")
        factors[which] *= factor
    if by_tile:
        factors[indices_of(tiles, by_tile, "tile_priors")] *= list(by_tile.values())
    return factors


def _refuse(refused: set[str], tiles: Tiles, moments: Moments, components: Indices) -> None:
    def names(which: Any) -> list[str]:
        return [tiles.ids[tile] for tile in np.flatnonzero(which)]

    alone = names(components < 0)
    if not len(moments.p) and len(tiles.ids) != 1:
        why = [
            f"{len(found)} pairs {what} ({some(found, 3)})"
            for found, what in (
                (moments.few, "have too few"),
                (moments.unknown, "are with tiles that are not there"),
                (moments.elsewhere, "have points outside of their tiles"),
            )
            if found
        ]
        raise NoMatchesError(
            f"none of {len(tiles.ids)} tiles has matches that can be used: "
            f"{'; '.join(why) or 'there are none'}",
            tile_ids=alone,
            pairs=[*moments.few, *moments.unknown, *moments.elsewhere],
        )
    if "few" in refused and moments.few:
        raise TooFewMatchesError(
            f"{len(moments.few)} pairs have too few matches: {some(moments.few)}",
            pairs=moments.few,
        )
    if "unknown" in refused and moments.unknown:
        missing = sorted(moments.unknown_tiles)
        raise UnknownTileError(
            f"{len(moments.unknown)} pairs have matches with tiles that are not there: {some(missing)}",
            tile_ids=missing,
            pairs=moments.unknown,
        )
    if "elsewhere" in refused and moments.elsewhere:
        raise MatchCoordinatesError(
            f"{len(moments.elsewhere)} pairs have points outside of their tiles: {some(moments.elsewhere)}",
            pairs=moments.elsewhere,
        )
    if "unmatched" in refused and alone:
        raise NoMatchesError(
            f"{len(alone)} of {len(tiles.ids)} tiles have no matches: {some(alone)}",
            tile_ids=alone,
        )
    count = int(components.max()) + 1
    if "components" in refused and count > 1:
        raise ComponentsError(
            f"matches connect tiles to {count} components instead of one; the smaller ones have "
            f"{some([len(names(components == number)) for number in range(1, count)])} tiles, and begin with "
            f"{some([names(components == number)[0] for number in range(1, count)])}",
            tile_ids=names(components > 0),
            components=[names(components == number) for number in range(count)],
        )


def _place_by_neighbors(tiles: Tiles, solved: Array, matched: NDArray[np.bool_], alone: Indices) -> Indices:
    # move tiles without matches as the nearest tiles of their layer move, and return which could be
    cKDTree = sparse("spatial").cKDTree

    placed = []
    for z in np.unique(tiles.z[alone]) if len(alone) else ():
        layer = tiles.z == z if np.isfinite(z) else np.isnan(tiles.z)
        here, known = alone[layer[alone]], np.flatnonzero(layer & matched)
        if not len(known):
            continue
        count = min(_NEIGHBORS, len(known))
        found = cKDTree(tiles.now[known, 0]).query(tiles.now[here, 0], k=count)
        distances, nearest_ones = (np.reshape(part, (len(here), count)) for part in found)
        weights = 1 / (distances + tiles.scale[here, None])
        weights /= weights.sum(axis=1, keepdims=True)
        others = known[nearest_ones]
        changes = solved[others] - tiles.start[others]
        solved[here] += np.einsum("as,askd->akd", weights, changes)
        placed.append(here)
    return np.concatenate([np.array([], np.intp), *placed])


def _report(
    tiles: Tiles, moments: Moments, found: Fit, solved: Array, components: Indices, placed: Indices
) -> SolveReport:
    n = len(tiles.ids)
    squares = moments.squares(found.change)
    after = moments.rms(squares)
    linear = np.moveaxis(solved[:, 1:3], 0, -1).swapaxes(0, 1) / tiles.scale
    sx, sy, shear, _, rotation = calc_first_order_properties(linear)
    order = np.argsort(components, kind="stable")
    order = order[components[order] >= 0]
    parts = np.split(order, np.flatnonzero(np.diff(components[order])) + 1)

    def of_tiles(values: Array) -> Array:
        total, weight = (
            np.bincount(moments.p, v, n) + np.bincount(moments.q, v, n) for v in (values, moments.weight)
        )
        rms: Array = np.sqrt(np.divide(total, weight, out=np.full(n, np.nan), where=weight > 0))
        return rms

    return SolveReport(
        model=tiles.model.name,
        tile_ids=tiles.ids,
        layers=np.unique(tiles.z[np.isfinite(tiles.z)]).tolist(),
        pairs=np.column_stack([moments.p, moments.q]),
        matches=moments.count,
        pair_before=moments.rms(moments.before),
        pair_after=after,
        weights=moments.weight,
        factors=found.factors,
        outliers=np.zeros(len(after), bool) if found.scale is None else is_outlier(after, found.scale),
        scale=found.scale,
        tile_before=of_tiles(moments.before),
        tile_after=of_tiles(squares),
        components=[[tiles.ids[tile] for tile in part] for part in parts],
        unmatched=[tiles.ids[tile] for tile in np.flatnonzero(components < 0)],
        placed=[tiles.ids[tile] for tile in placed],
        scales=np.column_stack([sx, sy]),
        shears=np.asarray(shear),
        rotations=np.asarray(rotation),
        moved=np.hypot(*(solved[:, 0] - tiles.now[:, 0]).T),
        method="direct" if found.direct else "iterative",
        rounds=found.rounds,
        steps=found.steps,
        few=moments.few,
        unknown=moments.unknown,
        unknown_tiles=sorted(moments.unknown_tiles),
        elsewhere=moments.elsewhere,
    )
