"""Documents of points: what render-ws and its CoordinateClient say of them, each for itself and in a batch.

A point is a document like ``{"tileId": "t", "local": [x, y]}`` or ``{"world": [x, y, z]}``; what cannot be mapped is
echoed with its ``error``. The embedded server and the clients of this package both answer by these functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from renderapi.utils import java_double

# what is echoed of a point, in the order of render-ws
_KNOWN = ("tileId", "visible", "local", "world")


def local_problem(item: Mapping[str, Any] | None) -> str | None:
    """Say what a point lacks to be mapped to the world.

    Parameters
    ----------
    item : dict or None
        Document with ``tileId`` and ``local``.

    Returns
    -------
    str or None
        The words of render-ws; None if nothing is missing.

    Examples
    --------
    >>> local_problem({"tileId": "t", "local": [1.0]})
    'local values must include both x and y'
    """
    if item is None:
        return "coordinates are missing"
    if item.get("tileId") is None:
        return "tileId is missing"
    if item.get("local") is None:
        return "local values are missing"
    return None if _are_numbers(item["local"], 2) else "local values must include both x and y"


def world_problem(item: Mapping[str, Any] | None, z: float | None) -> str | None:
    """Say what a point lacks to be mapped into tiles.

    Parameters
    ----------
    item : dict or None
        Document with ``world``.
    z : float or None
        The layer; without one the point has to have its own z.

    Returns
    -------
    str or None
        The words of render-ws; None if nothing is missing.

    Examples
    --------
    >>> world_problem({"world": [1.0, 2.0]}, z=None)
    'world values must include x, y, and z'
    """
    if item is None:
        return "coordinates are missing"
    if item.get("world") is None:
        return "world values are missing"
    if z is None:
        return None if _are_numbers(item["world"], 3) else "world values must include x, y, and z"
    return None if _are_numbers(item["world"], 2) else "world values must include both x and y"


def _are_numbers(values: Sequence[Any], count: int) -> bool:
    return len(values) >= count and None not in values[:count]


def failed(item: Mapping[str, Any] | None, error: str) -> dict[str, Any]:
    """Echo a point with what is wrong with it.

    Parameters
    ----------
    item : dict or None
        Document of the point; of its keys those that render-ws knows come back.
    error : str
        What is wrong.

    Returns
    -------
    dict

    Examples
    --------
    >>> failed({"local": [1, None], "error": "an older one"}, "tileId is missing")
    {'local': [1.0, 0.0], 'error': 'tileId is missing'}
    """
    echo = {name: item[name] for name in _KNOWN if item.get(name) is not None} if item else {}
    for name in ("local", "world"):
        if name in echo:
            # in an array of Java's primitive numbers null is zero; NaN and infinity are words
            echo[name] = [value if isinstance(value, str) else float(value or 0.0) for value in echo[name]]
    return {**echo, "error": error}


def is_finite(point: Sequence[float]) -> bool:
    """Tell whether x and y are numbers, neither infinite nor NaN."""
    x, y = point
    return math.isfinite(x) and math.isfinite(y)


def position(point: Sequence[float], z: float | None, *, words: bool = False) -> list[float | str]:
    """Make the array of a point.

    Parameters
    ----------
    point : sequence of float
        x and y.
    z : float or None
        z of its tile, if that has one.
    words : bool
        Write what JSON has not as words, as Java does: ``"NaN"``, ``"Infinity"``.

    Returns
    -------
    list
        x and y, with z three values. There is no negative zero in it.

    Examples
    --------
    >>> position([-0.0, float("inf")], 3.0, words=True)
    [0.0, 'Infinity', 3.0]
    """
    found: list[float | str] = [value or 0.0 for value in point]
    if words and not is_finite(point):
        found = [java_double(value) if not math.isfinite(value) else value for value in map(float, found)]
    return found if z is None else [*found, float(z)]


def in_tiles(
    places: Iterable[tuple[str, Sequence[float], float | None]],
    world: Sequence[float],
    echo: Mapping[str, Any] | None,
) -> list[dict[str, Any]]:
    """Answer a point of the world by where it lies in the tiles that contain it.

    Parameters
    ----------
    places : iterable of (str, sequence of float, float or None)
        Tile id, local x and y (not finite where the tile's mesh does not cover the point), and z.
    world : sequence of float
        The point.
    echo : dict or None
        What comes back if no tile covers it.

    Returns
    -------
    list of dict
        A document for each tile that covers the point, the last of which lies on top and is ``visible``;
        else one with an ``error``.

    Examples
    --------
    >>> in_tiles([("a", (1.0, 2.0), 3.0)], (5.0, 6.0), None)
    [{'tileId': 'a', 'visible': True, 'local': [1.0, 2.0, 3.0]}]
    """
    tried: list[str] = []
    found: list[dict[str, Any]] = []
    for tile_id, point, z in places:
        tried.append(tile_id)
        if is_finite(point):
            found.append({"tileId": tile_id, "local": position(point, z)})
    if not found:
        x, y = map(java_double, world[:2])
        names = ", ".join(tried)
        return [failed(echo, f"world coordinate ({x}, {y}) found in tile id(s) [{names}] cannot be inverted")]
    last = found[-1]
    found[-1] = {"tileId": last["tileId"], "visible": True, "local": last["local"]}
    return found
