"""What notebooks show of transforms: a grid and what it becomes, and the numbers below."""

from __future__ import annotations

from typing import Any

import numpy as np

from renderapi import _pages

#: Attributes that hold the numbers of transforms, with the names they have in formulas.
_NUMBERS = ("M", "params", "coefficients", "aMtx", "bVec", "beta", "srcPts", "p", "q", "values")


def transform_html(transform: Any) -> str:
    """Return a transform as HTML; what cannot be evaluated alone has no drawing."""
    from renderapi.errors import RenderError
    from renderapi.transform.grids import map_grid

    try:
        grid = map_grid(transform, lines=7)
    except (RenderError, AttributeError, TypeError):
        drawn = ""  # references, classes that are not known, transforms that have no numbers yet
    else:
        # where it goes is in the numbers: the straight grid is moved as far as all points are in the mean
        straight = grid.before + np.nanmean((grid.after - grid.before).reshape(-1, 2), axis=0)
        name = f"a grid before and after {type(transform).__name__}"
        drawn = _pages.lines_svg(name, [list(straight), list(grid.after)])
    rows = [
        ("class", getattr(transform, "className", None)),
        ("id", getattr(transform, "transformId", None)),
        ("labels", ", ".join(map(str, getattr(transform, "labels", None) or ())) or None),
        ("reference to", getattr(transform, "refId", None)),
        ("parts", ", ".join(type(part).__name__ for part in _parts(transform)) or None),
    ]
    arrays = ((name, getattr(transform, name, None)) for name in _NUMBERS)
    below = "".join(
        _pages.numbers_table(name, values) for name, values in arrays if isinstance(values, np.ndarray)
    )
    if not below and getattr(transform, "className", None):
        rows.append(("data", getattr(transform, "dataString", None)))
    return _pages.card(type(transform).__name__, rows, picture=drawn, below=below)


def _parts(transform: Any) -> list[Any]:
    inner = [getattr(transform, name, None) for name in ("a", "b")]
    return list(getattr(transform, "tforms", None) or [part for part in inner if part is not None])
