"""Residuals of point matches: how far apart the two ends of a match lie in the world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderapi.errors import SpecError
from renderapi.geometry._points import points_to_local, points_to_world
from renderapi.geometry.chains import document_of, tile_id_of
from renderapi.transform.trees import by_id, passed_count

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


class MatchResiduals(NamedTuple):
    """Where the ends of point matches lie in the world.

    Attributes
    ----------
    p, q : (N, 2) float64 array
        World coordinates of both ends; NaN where a point cannot be mapped.
    weights : (N,) float64 array
        Weights of the matches.
    document : (N,) int array
        Index of the match document that each comes from.
    """

    p: Array
    q: Array
    weights: Array
    document: Indices

    @property
    def vectors(self) -> Array:
        """From the end in p to that in q, (N, 2)."""
        return self.q - self.p

    @property
    def distances(self) -> Array:
        """Distance of the ends in pixels, (N,)."""
        distances: Array = np.hypot(*self.vectors.T)
        return distances


def match_residuals(
    matches: Iterable[Mapping[str, Any]],
    tilespecs: Any,
    shared_transforms: Any = None,
    *,
    matched: Any = None,
    points: str | int = "raw",
) -> MatchResiduals:
    """Map the points of matches through the transforms of their tiles.

    Parameters
    ----------
    matches : iterable of dict
        Match documents ``{"pId": ..., "qId": ..., "matches": {"p": [[x...], [y...]], "q": ..., "w": ...}}``.
        Those of which a tile is not among `tilespecs` have no points in the result.
    tilespecs : mapping or iterable
        Tiles, as documents or objects: a mapping from id, or a collection.
    shared_transforms : mapping or iterable, optional
        Shared transforms of the tiles, as documents or objects.
    matched : mapping or iterable, optional
        The tiles with those transforms that they had when the matches were found, where points are not pixels
        of the raw images (render leaves only the lens correction for matching).
    points : {"raw", "matching", "world"} or int
        Without `matched`, the transforms of its tile that a point has gone through already: none, those that render
        leaves for matching (through the last one labelled ``lens``; without that label all but the last and at most
        two), all, or the first so many. Default "raw".

    Returns
    -------
    MatchResiduals
        Points in the order of the documents.

    Raises
    ------
    SpecError
        If arrays of a document differ in length, or a tile has fewer transforms than `points` says.
    TileSpecError
        If the transforms of a tile cannot be evaluated.

    Examples
    --------
    >>> from renderapi.geometry import match_residuals
    >>> shift = {"className": "mpicbg.trakem2.transform.TranslationModel2D", "dataString": "90 4"}
    >>> tiles = [
    ...     {"tileId": "a", "transforms": {"specList": []}},
    ...     {"tileId": "b", "transforms": {"specList": [shift]}},
    ... ]
    >>> match = {"pId": "a", "qId": "b", "matches": {"p": [[95], [50]], "q": [[5], [49]], "w": [1]}}
    >>> match_residuals([match], tiles).distances.tolist()
    [3.0]
    """
    if isinstance(matches, Mapping):
        raise SpecError("matches is one document: give a list, [match]")
    tiles = _by_id(tilespecs)
    number = {tile_id: index for index, tile_id in enumerate(tiles)}
    ends: dict[str, list[Array]] = {"p": [], "q": []}
    tile: dict[str, list[int]] = {"p": [], "q": []}
    weights, counts, documents = [], [], []
    for index, document in enumerate(matches):
        _check_match(index, document)
        content = document.get("matches")
        names = {side: document.get(f"{side}Id") for side in ("p", "q")}
        if content is None or any(name not in number for name in names.values()):
            continue
        weight = np.asarray(content["w"], dtype=np.float64)
        for side, name in names.items():
            both = np.asarray(content[side], dtype=np.float64)
            if both.shape != (2, len(weight)):
                raise SpecError(
                    f"matches of {names['p']} and {names['q']}: {side} has the shape {both.shape}, "
                    f"which {len(weight)} weights do not fit"
                )
            ends[side].append(both)
            tile[side].append(number[name])
        weights.append(weight)
        counts.append(len(weight))
        documents.append(index)
    specs = list(tiles.values())
    if matched is None and points != "raw":
        shared = by_id(shared_transforms)
        specs = [_without_passed(spec, points, shared) for spec in specs]
    raw = None if matched is None else _by_id(matched)
    worlds = {}
    for side in ("p", "q"):
        local = np.concatenate([np.empty((2, 0)), *ends[side]], axis=1).T
        of = np.repeat(np.array(tile[side], np.intp), counts)
        if raw is not None:
            local = points_to_local(_same_tiles(raw, tiles, set(tile[side])), of, local, shared_transforms)
        worlds[side] = points_to_world(specs, of, local, shared_transforms)
    return MatchResiduals(
        worlds["p"],
        worlds["q"],
        np.concatenate([np.empty(0), *weights]),
        np.repeat(np.array(documents, np.intp), counts),
    )


def _without_passed(tile: Any, points: str | int, shared: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tile with those transforms alone that its points have not gone through."""
    found = document_of(tile)
    document = found if isinstance(found, Mapping) else found.to_dict()
    specs = (document.get("transforms") or {}).get("specList") or []
    passed = passed_count(specs, points, shared)
    if not 0 <= passed <= len(specs):
        raise SpecError(
            f"points is {points!r}; tile {document.get('tileId')} has {len(specs)} transforms: it must be 'raw', "
            f"'matching', 'world' or a number of them"
        )
    return {**document, "transforms": {"type": "list", "specList": specs[passed:]}}


def _check_match(index: int, document: Any) -> None:
    if isinstance(document, Mapping) and "pId" in document and "qId" in document:
        return
    if tile_id_of(document) is not None:
        raise SpecError(
            f"item {index} of matches is the tile spec {tile_id_of(document)!r}: the order is "
            f"match_residuals(matches, tilespecs)"
        )
    raise SpecError(f"item {index} of matches is no match document with pId and qId: {document!r:.100}")


def _by_id(tilespecs: Any) -> dict[Any, Any]:
    if isinstance(tilespecs, Mapping):
        return dict(tilespecs)
    return {tile_id_of(tile): tile for tile in tilespecs}


def _same_tiles(raw: dict[Any, Any], tiles: dict[Any, Any], used: set[int]) -> list[Any]:
    for index, tile_id in enumerate(tiles):
        if index in used and tile_id not in raw:
            raise SpecError(f"tile {tile_id} is not among the matched tiles")
    return [raw.get(tile_id) for tile_id in tiles]


class ResidualStatistics(NamedTuple):
    """Statistics of residuals, arrays with one element per group; NaN where a group has no residual.

    Attributes
    ----------
    number : int array
        Number of residuals that are not NaN.
    mean, median, rms, maximum : float64 array
        In pixels; rms is the root of the mean square.
    """

    number: Indices
    mean: Array
    median: Array
    rms: Array
    maximum: Array


def residual_statistics(distances: Any, groups: Any = None, count: int | None = None) -> ResidualStatistics:
    """Summarise residuals, for each group of them.

    Parameters
    ----------
    distances : array_like, (N,)
        Residuals in pixels; NaN is left out.
    groups : array_like of int, (N,), optional
        Group of each residual, for instance the match document or the cluster of its tile; negative for none.
        By default all are one group.
    count : int, optional
        Number of groups; default as many as occur.

    Returns
    -------
    ResidualStatistics

    Raises
    ------
    SpecError
        If lengths differ, or a group is not below `count`.

    Examples
    --------
    >>> from renderapi.geometry import residual_statistics
    >>> residual_statistics([3.0, 4.0, 1.0], [0, 0, 1]).mean.tolist()
    [3.5, 1.0]
    """
    values = np.asarray(distances, dtype=np.float64).reshape(-1)
    labels = np.zeros(len(values), np.intp) if groups is None else np.asarray(groups, np.intp).reshape(-1)
    if len(labels) != len(values):
        raise SpecError(f"{len(values)} residuals need as many groups, not {len(labels)}")
    total = (int(labels.max(initial=-1)) + 1 if groups is not None else 1) if count is None else count
    if labels.max(initial=-1) >= max(total, 0) and len(labels):
        raise SpecError(f"group {labels.max()} is not among {total} groups")
    usable = ~np.isnan(values) & (labels >= 0)
    values, labels = values[usable], labels[usable]
    order = np.lexsort([values, labels])
    values, labels = values[order], labels[order]
    number = np.bincount(labels, minlength=total)
    filled = number > 0
    starts = (np.cumsum(number) - number)[filled]
    result = np.full((4, total), np.nan)
    if len(values):
        sizes = number[filled]
        result[0, filled] = np.add.reduceat(values, starts) / sizes
        result[1, filled] = (values[starts + (sizes - 1) // 2] + values[starts + sizes // 2]) / 2
        result[2, filled] = np.sqrt(np.add.reduceat(values * values, starts) / sizes)
        result[3, filled] = values[starts + sizes - 1]
    return ResidualStatistics(number, *result)
