"""Plots of where tiles are: a section, and a stack by its layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import SpecError
from renderapi.plot import _drawing
from renderapi.plot._drawing import axes_of, coloring, draw_boxes, draw_polygons, in_space
from renderapi.plot._given import BOUNDS, around, corners_of, pixel_size, tiles_of
from renderapi.stack import StackInfo, missing_layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def section_layout(
    tiles: Any,
    color: Any = None,
    *,
    label: str | None = None,
    cmap: Any = "viridis",
    vmin: float | None = None,
    vmax: float | None = None,
    border: bool = False,
    names: bool = False,
    resolution: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw where tiles lie, in colours of any of their values.

    Parameters
    ----------
    tiles : TileSelection, ResolvedTiles, iterable of TileSpec or dict, table, or (N, 4) array_like
        The tiles, for instance ``renderapi.stack.tiles("v1", z=1, render=render)``: a table has columns ``minX``,
        ``minY``, ``maxX`` and ``maxY``, an array their boxes in that order. Boxes of tile specs are derived from
        their transforms.
    color : str, mapping or (N,) array_like, optional
        Name of a column of the table, or of an attribute of tile specs and their layouts (``"stageX"``,
        ``"sectionId"``, ``"camera"``); values by tile id; or values in the order of the tiles. Texts get colours
        that can be told apart, up to 8 of them; numbers a colour map, and grey where they are not finite.
    label : str, optional
        What the colours mean; default the name of the column.
    cmap : str or Colormap
        Colour map of matplotlib. Default ``"viridis"``.
    vmin, vmax : float, optional
        Values at the ends of the colour map; default the least and the largest.
    border : bool
        Draw tiles as their transforms turn them, not their bounding boxes. Needs tile specs; of a selection they
        are read. Default False.
    names : bool
        Write the id of each tile into it. Default False.
    resolution : float, (x, y), StackVersion or StackInfo, optional
        nm of a pixel; of a selection the default is that of its stack.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With one ``PolyCollection`` of all tiles; of more than 50000 boxes with an image in their place, in which a
        pixel has the mean of the tiles there (of at most 8 categories, the one of most of them).

    Raises
    ------
    SpecError
        If tiles or colours are not what they should be.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> boxes = [[0, 0, 100, 80], [90, 0, 190, 80], [0, 70, 100, 150]]
    >>> ax = plot.section_layout(boxes, color=[0.1, 0.7, 0.3], label="residual (pixels)", ax=Figure().subplots())
    >>> len(ax.collections[0].get_paths()), ax.get_xlabel()
    (3, 'x (pixels)')
    """
    read = tiles_of(tiles, need_specs=border)
    size = pixel_size(tiles, resolution)
    chosen = None if color is None else coloring(read.values(color), cmap, vmin, vmax)
    ax = axes_of(ax)
    look: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.4, "alpha": 0.8}
    if chosen is None:
        look["facecolor"] = _drawing.SKY
        look["alpha"] = 0.4
    elif len(read.boxes) > 2000:
        look["linewidth"] = 0  # lines would be all that is seen
    drawn = (
        draw_polygons(ax, read.borders, chosen, **look)
        if border
        else draw_boxes(ax, read.boxes, chosen, **look)
    )
    in_space(ax, around(read.boxes), size)
    if chosen is not None:
        chosen.explain(ax, drawn, label or (color if isinstance(color, str) else ""))
    if names:
        _drawing.write_names(ax, read.ids or (), read.boxes)
    return ax


def stack_overview(
    sections: StackInfo | Iterable[Mapping[str, Any]],
    *,
    bounds: bool = True,
    missing: Iterable[float] | None = None,
    resolution: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a stack by its layers: how many tiles each has, which are missing, and how far they reach.

    Parameters
    ----------
    sections : StackInfo or iterable of dict
        ``renderapi.stack.info("v1", render=render)``, or the SectionData documents of
        `renderapi.stack.get_stack_sectionData`. The sections of one layer are counted together.
    bounds : bool
        Draw below how far the layers reach along x and y. Default True.
    missing : iterable of float, optional
        Layers to mark as missing; default those that `renderapi.stack.missing_layers` tells.
    resolution : float, (x, y), StackVersion or StackInfo, optional
        nm of a pixel; of a `StackInfo` the default is its own.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure. For the bounds it is divided.

    Returns
    -------
    matplotlib.axes.Axes
        That of the counts; it shares its z axis with that of the bounds, if there is one.

    Raises
    ------
    SpecError
        If there is no section: a stack has none before it was COMPLETE.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> sections = [
    ...     {"z": z, "tileCount": 12, "minX": 0, "minY": 0, "maxX": 4000, "maxY": 3000} for z in (1, 2, 4)
    ... ]
    >>> ax = plot.stack_overview(sections, ax=Figure().subplots())
    >>> [int(bar.get_height()) for bar in ax.patches[:3]]
    [12, 12, 12]
    """
    documents = sections.sections if isinstance(sections, StackInfo) else list(sections)
    if not documents:
        raise SpecError("there is no section to draw: a stack has sections once it was COMPLETE")
    try:
        z = np.array([section["z"] for section in documents], np.float64)
        counts = np.array([section["tileCount"] for section in documents], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"a section is a SectionData document with z and tileCount: {error}") from None
    size = pixel_size(sections, resolution)
    layers, of = np.unique(z, return_inverse=True)
    gaps = missing_layers(layers.tolist()) if missing is None else [float(gap) for gap in missing]
    step = float(np.median(np.diff(layers))) if len(layers) > 1 else 1.0
    ax = axes_of(ax)
    total = np.bincount(of, counts)
    if len(layers) > 2000:
        ax.fill_between(layers, total, step="mid", color=_drawing.BLUE, linewidth=0)
    else:
        ax.bar(layers, total, width=0.9 * step, color=_drawing.BLUE)
    ax.set_ylabel("tiles")
    # there are no halves of tiles
    ax.locator_params(axis="y", integer=True)
    # room for the legend above the bars
    ax.set_ylim(0, max(1.0, (1.35 if gaps else 1.1) * float(total.max())))
    panels = [ax]
    known = [section for section in documents if all(section.get(side) is not None for side in BOUNDS)]
    if bounds and known:
        below = _below(ax)
        _extents(below, known, step, size)
        panels.append(below)
    for panel in panels:
        for number, (first, last) in enumerate(_runs(gaps, step)):
            panel.axvspan(
                first - step / 2, last + step / 2, color=_drawing.WRONG, alpha=0.35, linewidth=0,
                label=f"{len(gaps):,} missing" if number == 0 else None,
            )  # fmt: skip
    panels[-1].set_xlabel("z")
    if gaps:
        ax.legend(loc="upper right", fontsize="small")
    return ax


def _below(ax: Axes) -> Axes:
    """Divide axes in two, and return the lower one."""
    whole = ax.get_subplotspec()
    figure: Any = ax.figure
    below: Axes
    if whole is not None:
        # so that layouts know both of them
        rows = whole.subgridspec(2, 1, hspace=0.05)
        ax.set_subplotspec(rows[0])
        below = figure.add_subplot(rows[1], sharex=ax)
    else:
        x, y, width, height = ax.get_position().bounds
        ax.set_position((x, y + 0.52 * height, width, 0.48 * height))
        below = figure.add_axes((x, y, width, 0.48 * height), sharex=ax)
    ax.tick_params(labelbottom=False)
    return below


def _extents(
    ax: Axes, sections: list[Mapping[str, Any]], step: float, size: tuple[float, float] | None
) -> None:
    rows = np.array([[section["z"], *(section[side] for side in BOUNDS)] for section in sections], np.float64)
    layers, of = np.unique(rows[:, 0], return_inverse=True)
    low, high = np.full((len(layers), 2), np.inf), np.full((len(layers), 2), -np.inf)
    np.minimum.at(low, of, rows[:, 1:3])
    np.maximum.at(high, of, rows[:, 3:5])
    half = step / 2
    for axis, (name, colour) in enumerate((("x", _drawing.BLUE), ("y", _drawing.ORANGE))):
        bars = np.column_stack([layers - half, low[:, axis], layers + half, high[:, axis]])
        draw_polygons(
            ax, corners_of(bars), None, facecolor=colour, alpha=0.35, linewidth=0,
            label=f"{name} from least to largest",
        )  # fmt: skip
    ax.update_datalim([(layers[0] - half, low.min()), (layers[-1] + half, high.max())])
    ax.autoscale_view()
    ax.set_ylabel("bounds (pixels)")
    ax.ticklabel_format(axis="y", useOffset=False, style="plain")
    ax.legend(loc="upper right", fontsize="small")
    if size is not None and size[0] == size[1]:
        from functools import partial
        from operator import mul

        other = ax.secondary_yaxis("right", functions=(partial(mul, size[0]), partial(mul, 1 / size[0])))
        other.set_ylabel("bounds (nm)")


def _runs(values: list[float], step: float) -> list[tuple[float, float]]:
    """Return the first and last of each run of layers that follow each other."""
    runs: list[tuple[float, float]] = []
    for value in sorted(values):
        if runs and value - runs[-1][1] <= 1.5 * step:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs
