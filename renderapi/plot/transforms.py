"""Plots of transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.plot import _drawing
from renderapi.plot._drawing import axes_of, in_space
from renderapi.tilespec import TileSpec
from renderapi.transform.grids import map_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


def transform_grid(
    transform: Any,
    box: ArrayLike | None = None,
    *,
    lines: int = 11,
    exaggeration: float = 1.0,
    straight: bool = True,
    cmap: Any = "viridis",
    shared_transforms: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a transform makes of a straight grid, in colours of how far it moves each place.

    Parameters
    ----------
    transform : transform, iterable of transform, or TileSpec
        The transform; several are applied one after the other; of a tile all that it has, in its own size.
    box : (4,) array_like, optional
        minX, minY, maxX, maxY of the grid in pixels, before the transform; default what
        `renderapi.transform.grids.own_box` tells.
    lines : int
        Lines along x, and as many along y. Default 11.
    exaggeration : float
        How many times as far as the transform does lines are moved from the straight grid: a correction of a lens
        is too small to be seen otherwise. Default 1.
    straight : bool
        Draw the straight grid too, moved as far as the grid is moved in the mean. Default True.
    cmap : str or Colormap
        Colour map. Default ``"viridis"``.
    shared_transforms : mapping or iterable, optional
        Shared transforms that others refer to.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its last ``LineCollection`` has the mapped lines in pieces, whose values are how far they lie from the straight
        grid, in pixels.

    Raises
    ------
    SpecError
        If the transform cannot be evaluated.
    ConversionError
        If the box is none.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> from renderapi.transform import Polynomial2DTransform
    >>> lens = Polynomial2DTransform(params=[[0, 1, 0, 1e-5, 0, 0], [0, 0, 1, 0, 0, 1e-5]])
    >>> ax = plot.transform_grid(lens, (0, 0, 1000, 1000), ax=Figure().subplots())
    >>> round(float(ax.collections[-1].get_array().max()), 1)
    9.2
    """
    from matplotlib.collections import LineCollection

    if isinstance(transform, TileSpec):
        if box is None and transform.width and transform.height:
            box = (0.0, 0.0, transform.width, transform.height)
        transform = transform.tforms
    grid = map_grid(transform, box, lines, 65, shared_transforms)
    base = grid.before + np.nanmean((grid.after - grid.before).reshape(-1, 2), axis=0)
    moved = grid.after - base
    shown = base + exaggeration * moved
    distances = np.hypot(moved[..., 0], moved[..., 1])
    pieces = np.stack([shown[:, :-1], shown[:, 1:]], axis=2).reshape(-1, 2, 2)
    ax = axes_of(ax)
    if straight:
        ax.add_collection(
            LineCollection(base, color=_drawing.GREY, linewidth=0.6, linestyle="--"),
            autolim=False,
        )
    drawn: Any = LineCollection(pieces, cmap=cmap, linewidth=1.3)  # type: ignore[arg-type]
    drawn.set_array(((distances[:, :-1] + distances[:, 1:]) / 2).reshape(-1))
    farthest = float(np.nanmax(distances))
    # what rounding leaves of a translation is nothing to be seen
    drawn.set_clim(0, farthest if farthest > 1e-6 else 1.0)
    ax.add_collection(drawn, autolim=False)
    in_space(ax, np.concatenate([shown.reshape(-1, 2), *([base.reshape(-1, 2)] if straight else [])]))
    ax.figure.colorbar(drawn, ax=ax, label="displacement but for the mean (pixels)", shrink=0.8)
    if exaggeration != 1.0:
        ax.annotate(
            f"displacement × {exaggeration:g}", (0, 0), xycoords="axes fraction", xytext=(4, 4),
            textcoords="offset points", size="small",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1},
        )  # fmt: skip
    return ax
