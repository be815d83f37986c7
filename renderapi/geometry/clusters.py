"""Clusters of tiles that matches connect, however many others are between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi._ordering import java_key
from renderapi.errors import SpecError

Indices = NDArray[np.intp]


def cluster_labels(pairs: Any, count: int) -> Indices:
    """Number the clusters that pairs make of tiles.

    Parameters
    ----------
    pairs : array_like, (M, 2)
        Indices of the tiles of each pair, as `tile_pairs` gives them.
    count : int
        Number of tiles.

    Returns
    -------
    (count,) int array
        Cluster of each tile: 0 for the largest, of several as large for that with the smallest index;
        -1 for tiles that are in no pair.

    Raises
    ------
    SpecError
        If an index is none.

    Examples
    --------
    >>> from renderapi.geometry import cluster_labels
    >>> cluster_labels([[1, 4], [2, 3], [3, 5]], 7).tolist()
    [-1, 1, 0, 0, 1, 0, -1]
    """
    links = np.asarray(pairs, dtype=np.intp).reshape(-1, 2)
    if links.size and not 0 <= links.min() <= links.max() < count:
        raise SpecError(f"pairs must hold indices of {count} tiles, not {links.min()} ... {links.max()}")
    component = _components(links, count)
    # in whatever order they were found: components by size, then by their first tile
    labels = np.full(count, -1)
    paired = np.unique(links)
    _, first, inverse, sizes = np.unique(
        component[paired], return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), np.intp)
    rank[np.lexsort([first, -sizes])] = np.arange(len(sizes))
    labels[paired] = rank[inverse.reshape(-1)]
    return labels


def _components(links: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    # the smallest index that each tile is connected with; scipy would be loaded for this alone
    smallest = np.arange(count)
    while len(links):
        low, high = np.sort(links, axis=1).T
        np.minimum.at(smallest, high, low)
        while not np.array_equal(further := smallest[smallest], smallest):
            smallest = further
        links = smallest[links]
        links = links[links[:, 0] != links[:, 1]]
    return smallest


def clusters(pairs: Any, count: int) -> list[Indices]:
    """Return the tiles of each cluster that pairs make, the largest cluster first.

    Parameters
    ----------
    pairs : array_like, (M, 2)
        Indices of the tiles of each pair.
    count : int
        Number of tiles.

    Returns
    -------
    list of int arrays
        Ascending indices of each cluster; tiles that are in no pair are left out.

    Raises
    ------
    SpecError
        If an index is none.
    """
    labels = cluster_labels(pairs, count)
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    if not len(order):
        return []
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def tile_clusters(pairs: Iterable[tuple[str, str]], tile_ids: Iterable[str] | None = None) -> list[list[str]]:
    """Return the ids of the tiles of each cluster that pairs make, as render does for the tiles of a layer.

    Parameters
    ----------
    pairs : iterable of (str, str)
        Tile ids p and q, for instance of match documents.
    tile_ids : iterable of str, optional
        Tiles that count; pairs with others are left out. Default all.

    Returns
    -------
    list of list of str
        Largest cluster first, of several as large that with the smallest id; ids ascending as in Java.
        Tiles that are in no pair are left out.

    Examples
    --------
    >>> from renderapi.geometry import tile_clusters
    >>> tile_clusters([("a", "c"), ("d", "e"), ("c", "b")])
    [['a', 'b', 'c'], ['d', 'e']]
    """
    links: Sequence[tuple[str, str]] = [(p, q) for p, q in pairs]
    if tile_ids is not None:
        wanted = set(tile_ids)
        links = [(p, q) for p, q in links if p in wanted and q in wanted]
    names = sorted({name for pair in links for name in pair}, key=java_key)
    number = {name: index for index, name in enumerate(names)}
    found = clusters([(number[p], number[q]) for p, q in links], len(names))
    return [[names[index] for index in group] for group in found]
