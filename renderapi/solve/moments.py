"""Match documents condensed to their moments: sums of products, with which all is said for least squares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi.errors import SpecError
from renderapi.solve.errors import MatchCoordinatesError, some
from renderapi.solve.tiles import Tiles
from renderapi.transform.leaf.polynomial_models import powers

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Pair = tuple[str, str]

_POINTS_AT_ONCE = 100_000
#: By which part of its size a point may lie outside of its tile.
_MARGIN = 0.25


@dataclass
class Moments:
    """Of each pair of tiles the weighted sums of products of the terms of p, of those of q, and of their distance.

    With the terms m(p) and m(q) of a match, and e the vector from q to p in the world where the tiles start,
    changes d of coefficients leave ``e + d_p m(p) - d_q m(q)`` of it.

    Attributes
    ----------
    p, q : (m,) int array
        Tiles of each pair.
    count : (m,) int array
        Number of matches.
    weight : (m,) array
        Sum of their weights.
    pp, qq, pq : (m, k, k) array
        Sums of w m(p) m(p)^T and so on.
    pe, qe : (m, k, 2) array
        Sums of w m(p) e^T and so on.
    ee : (m,) array
        Sums of w |e|^2.
    before : (m,) array
        The same, of the tiles as they are: where they start may not be where they are, because the model cannot
        say that.
    few, unknown, elsewhere : list of (str, str)
        Pairs that were left out: with too few matches, with a tile that is not there, with points that are not in
        the tile.
    """

    p: Indices
    q: Indices
    count: Indices
    weight: Array
    pp: Array
    qq: Array
    pq: Array
    pe: Array
    qe: Array
    ee: Array
    before: Array
    few: list[Pair] = field(default_factory=list)
    unknown: list[Pair] = field(default_factory=list)
    unknown_tiles: set[str] = field(default_factory=set)
    elsewhere: list[Pair] = field(default_factory=list)

    def residuals(self, change: Array) -> Array:
        """Return the root mean square of what is left of each pair, in pixels, after a change (n, k, 2)."""
        return self.rms(self.squares(change))

    def squares(self, change: Array) -> Array:
        """Return the weighted sum of squares that is left of each pair after a change (n, k, 2)."""
        a, b = change[self.p], change[self.q]
        left = self.ee + 2 * (np.einsum("mkd,mkd->m", a, self.pe) - np.einsum("mkd,mkd->m", b, self.qe))
        left += np.einsum("mkd,mkd->m", a, self.pp @ a - 2 * (self.pq @ b))
        left += np.einsum("mkd,mkd->m", b, self.qq @ b)
        squares: Array = np.maximum(left, 0)
        return squares

    def rms(self, squares: Array) -> Array:
        """Return the root mean square of weighted sums of squares."""
        rms: Array = np.sqrt(squares / self.weight)
        return rms


class _Batch:
    # documents until there are enough points to work on

    def __init__(self) -> None:
        self.tiles: list[tuple[int, int]] = []
        self.p: list[Array] = []
        self.q: list[Array] = []
        self.w: list[Array] = []
        self.points = 0


def condense(
    matches: Iterable[Mapping[str, Any]], tiles: Tiles, minimum: int, cross_weight: float
) -> Moments:
    """Condense match documents, each once.

    Parameters
    ----------
    matches : iterable of dict
        Match documents.
    tiles : Tiles
        The tiles.
    minimum : int
        How many matches a pair needs.
    cross_weight : float
        Factor of the weights of pairs across layers.

    Returns
    -------
    Moments
        Those of all pairs that can be used.

    Raises
    ------
    SpecError
        If a document is none, or has numbers that cannot be used.
    MatchCoordinatesError
        If most pairs have points outside of their tiles.
    """
    if isinstance(matches, Mapping):
        raise SpecError("matches is one document: give a list, [match]")
    few: list[Pair] = []
    unknown: list[Pair] = []
    unknown_tiles: set[str] = set()
    done: list[tuple[Any, ...]] = []
    batch = _Batch()
    for index, document in enumerate(matches):
        pair, ends = _ends(index, document, tiles)
        content = document.get("matches")
        if None in ends:
            unknown.append(pair)
            unknown_tiles.update(name for name, end in zip(pair, ends) if end is None)
            continue
        if ends[0] == ends[1]:
            raise SpecError(f"matches of {pair[0]} are with itself")
        if content is None:
            raise SpecError(
                f"matches of {some([pair])} have no points: they were asked for without their details"
            )
        p, q, w = _points(pair, content)
        if np.count_nonzero(w) < minimum:
            few.append(pair)
            continue
        batch.tiles.append(ends)  # type: ignore[arg-type]
        batch.p.append(p)
        batch.q.append(q)
        batch.w.append(w)
        batch.points += len(w)
        if batch.points >= _POINTS_AT_ONCE:
            done.append(_sums(batch, tiles))
            batch = _Batch()
    done.append(_sums(batch, tiles))
    columns: list[NDArray[Any]] = [np.concatenate(column) for column in zip(*done)]
    outside = columns.pop()
    inside = _inside(columns[0], columns[1], outside, tiles)
    outsiders = [(tiles.ids[a], tiles.ids[b]) for a, b in zip(columns[0][~inside], columns[1][~inside])]
    parts: list[Any] = [column[inside] for column in columns]
    found = Moments(*parts)
    found.few, found.unknown, found.unknown_tiles, found.elsewhere = few, unknown, unknown_tiles, outsiders
    if cross_weight != 1:
        factor = np.where(tiles.z[found.p] == tiles.z[found.q], 1.0, cross_weight)
        for name in ("weight", "pp", "qq", "pq", "pe", "qe", "ee", "before"):
            values = getattr(found, name)
            values *= factor.reshape(-1, *[1] * (values.ndim - 1))
    return found


def _ends(index: int, document: Any, tiles: Tiles) -> tuple[Pair, tuple[int | None, int | None]]:
    try:
        pair = document["pId"], document["qId"]
    except (KeyError, TypeError):
        raise SpecError(
            f"item {index} of matches is no match document with pId and qId: {document!r:.100}"
        ) from None
    if document.get("consensusSetData"):
        # the second set of points of a pair has tiles of its own only by name
        original = document["consensusSetData"]
        pair = original.get("originalPId", pair[0]), original.get("originalQId", pair[1])
    return pair, (tiles.number.get(pair[0]), tiles.number.get(pair[1]))


def _points(pair: Pair, content: Mapping[str, Any]) -> tuple[Array, Array, Array]:
    try:
        p, q, w = (np.asarray(content[key], dtype=np.float64) for key in "pqw")
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"matches of {some([pair])} are no p, q and w of numbers: {error}") from None
    if p.shape != (2, w.size) or q.shape != (2, w.size):
        raise SpecError(
            f"matches of {some([pair])}: p has the shape {p.shape} and q {q.shape}, which {w.size} weights "
            "do not fit"
        )
    return p, q, w


def _sums(batch: _Batch, tiles: Tiles) -> tuple[Any, ...]:
    k = tiles.model.terms
    ends = np.array(batch.tiles, np.intp).reshape(-1, 2)
    sizes = np.array([len(w) for w in batch.w], np.intp)
    starts = np.cumsum(sizes) - sizes
    w = np.concatenate([np.empty(0), *batch.w])

    good = np.isfinite(w) & (w >= 0)
    for side in (batch.p, batch.q):
        good &= np.isfinite(np.concatenate([np.empty((2, 0)), *side], axis=1)).all(axis=0)
    if not good.all():
        bad = int(np.searchsorted(starts, np.argmin(good), side="right")) - 1
        pair = tuple(tiles.ids[tile] for tile in ends[bad])
        raise SpecError(f"matches of {some([pair])} have numbers that are not finite, or negative weights")

    def total(values: Array) -> Array:
        return np.add.reduceat(values, starts) if len(starts) else values[:0]

    outside = np.zeros(len(w), bool)
    terms: list[Array] = []
    worlds: list[Array] = []
    nows: list[Array] = []
    same = tiles.start is tiles.now
    for side, tile in ((batch.p, ends[:, 0]), (batch.q, ends[:, 1])):
        points = np.concatenate([np.empty((2, 0)), *side], axis=1).T
        of = np.repeat(tile, sizes)
        box = tiles.box[tile]
        room = _MARGIN * (box[:, 2:] - box[:, :2])
        low, high = np.repeat(box[:, :2] - room, sizes, axis=0), np.repeat(box[:, 2:] + room, sizes, axis=0)
        outside |= ((points < low) | (points > high)).any(axis=1)
        base = tiles.to_base(of, points)
        base = (base - tiles.centre[of]) / tiles.scale[of, None]
        # a row for each term, so that sums run along memory
        own = np.ascontiguousarray(powers(base, tiles.model.order).T)
        terms.append(own[:k])
        worlds.append(_evaluated(own, tiles.start, tile, sizes))
        nows.append(worlds[-1] if same else _evaluated(own, tiles.now, tile, sizes))
    p, q = terms
    e = worlds[0] - worlds[1]
    before = nows[0] - nows[1]
    m = len(ends)
    pp, qq, pq = np.empty((m, k, k)), np.empty((m, k, k)), np.empty((m, k, k))
    pe, qe = np.empty((m, k, 2)), np.empty((m, k, 2))
    for i in range(k):
        wp, wq = w * p[i], w * q[i]
        for j in range(k):
            pq[:, i, j] = total(wp * q[j])
            if j >= i:
                pp[:, i, j] = pp[:, j, i] = total(wp * p[j])
                qq[:, i, j] = qq[:, j, i] = total(wq * q[j])
        for d in range(2):
            pe[:, i, d], qe[:, i, d] = total(wp * e[d]), total(wq * e[d])
    ee = total(w * (e * e).sum(axis=0))
    ee_before = ee if same else total(w * (before * before).sum(axis=0))
    share = total(w * outside) / total(w)
    return ends[:, 0], ends[:, 1], sizes, total(w), pp, qq, pq, pe, qe, ee, ee_before.copy(), share


def _evaluated(terms: Array, coefficients: Array, tile: Indices, sizes: Indices) -> Array:
    # (2, N): where points with these terms are in the world
    world = np.zeros((2, terms.shape[1]))
    for k, term in enumerate(terms):
        for d in range(2):
            world[d] += np.repeat(coefficients[tile, k, d], sizes) * term
    return world


def _inside(p: Indices, q: Indices, outside: Array, tiles: Tiles) -> NDArray[np.bool_]:
    # which pairs have their points where the tiles are, of the part of each that is not
    wrong = outside > 0.5
    if wrong.any() and wrong.mean() > 0.5:
        pairs = [(tiles.ids[a], tiles.ids[b]) for a, b in zip(p[wrong], q[wrong])]
        raise MatchCoordinatesError(
            f"the matches are in other coordinates: of {wrong.sum()} of {len(wrong)} pairs most points lie "
            f"outside of the tiles, for instance of {some(pairs, 3)}. Say through which transforms of a tile its "
            "points went when they were found (points=), or match anew",
            pairs=pairs,
        )
    return ~wrong
