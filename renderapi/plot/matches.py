"""Plots of point matches: between two tiles, over a montage, and how far apart their ends lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import RenderError, SpecError
from renderapi.geometry import residual_statistics
from renderapi.geometry.residuals import MatchResiduals
from renderapi.plot import _drawing
from renderapi.plot._drawing import axes_of, coloring, draw_polygons, in_space
from renderapi.plot._given import Tiles, around, corners_of, documents_of, pixel_size, residuals_of, tiles_of
from renderapi.plot._reports import residuals_of_pairs, series_of
from renderapi.pointmatch import match_arrays
from renderapi.rendering import Sources, thumbnail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: More vectors than these are drawn as means of the cells of a grid.
_MOST_VECTORS = 20_000
_OUTLINE: dict[str, Any] = {"facecolor": "none", "edgecolor": _drawing.GREY, "linewidth": 0.6}


def tile_pair_matches(
    match: Mapping[str, Any],
    tiles: Any = None,
    *,
    images: tuple[Any, Any] | None = None,
    weights: bool = False,
    cmap: Any = "viridis",
    sources: Sources | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw two tiles side by side, and lines between the points that match.

    Parameters
    ----------
    match : dict
        A match document with its points, which are pixels of the raw images.
    tiles : ResolvedTiles, iterable of TileSpec or dict, or TileSelection, optional
        Tiles among which both are: their sizes, and their images where these can be read here.
    images : tuple of array, optional
        Images of p and q, in place of those of `tiles`: (H, W) gray or (H, W, 3) uint8. They are stretched to the
        sizes of the tiles, where these are known.
    weights : bool
        Colour the lines by the weights of the matches. Default False: all are orange.
    cmap : str or Colormap
        Colour map of the weights. Default ``"viridis"``.
    sources : Sources, optional
        Where images are read from, as for `renderapi.rendering.thumbnail`: by default nothing is fetched from
        elsewhere.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        p is on the left. Both have the local coordinates of their tile, in pixels at scale 1.

    Raises
    ------
    SpecError
        If the match document is wrong.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> from renderapi.pointmatch import match_from_arrays
    >>> match = match_from_arrays("1.0", "a", "1.0", "b", [[95, 10], [93, 90]], [[5, 12], [3, 92]])
    >>> tiles = [{"tileId": name, "width": 100, "height": 100} for name in "ab"]
    >>> ax = plot.tile_pair_matches(match, tiles, ax=Figure().subplots())
    >>> len(ax.collections[0].get_segments())
    2
    """
    p, q, w = match_arrays(match)
    found = {} if tiles is None else _by_id(tiles)
    ids = str(match["pId"]), str(match["qId"])
    ax = axes_of(ax)
    left, edges = 0.0, []
    for number, (tile_id, points) in enumerate(zip(ids, (p, q))):
        spec = found.get(tile_id)
        image, why = (None, "") if images is None else (np.asarray(images[number]), "")
        if image is None and spec is not None:
            image, why = _image_of(spec, sources)
        width, height = _size(spec, image, points)
        _draw_tile(ax, left, width, height, tile_id, image, why)
        edges.append((left, width, height))
        left += 1.04 * width
    ends = np.stack([p + [edges[0][0], 0.0], q + [edges[1][0], 0.0]], axis=1)
    _draw_lines(ax, ends, w if weights else None, cmap)
    corners = [[x + part * width, part * height] for x, width, height in edges for part in (0, 1)]
    in_space(ax, np.array(corners, np.float64), margin=False)
    _local_ticks(ax, edges)
    return ax


def _by_id(tiles: Any) -> dict[str, Any]:
    if isinstance(tiles, Mapping) and "tileId" not in tiles:
        return {str(tile_id): spec for tile_id, spec in tiles.items()}
    given = getattr(tiles, "tilespecs", tiles)
    listed = [given] if isinstance(given, Mapping) or hasattr(given, "tileId") else given
    return {str(tile["tileId"] if isinstance(tile, Mapping) else tile.tileId): tile for tile in listed}


def _image_of(spec: Any, sources: Sources | None) -> tuple[Any, str]:
    try:
        return thumbnail(spec, _drawing.SHOWN, sources=sources), ""
    except (RenderError, ValueError):
        return None, "no image that can be read here"


def _size(spec: Any, image: Any, points: Array) -> tuple[float, float]:
    if spec is not None:
        width, height = (
            spec.get(name) if isinstance(spec, Mapping) else getattr(spec, name, None)
            for name in ("width", "height")
        )
        if width and height:
            return float(width), float(height)
    if image is not None:
        return float(image.shape[1]), float(image.shape[0])
    # nothing is known but the points: some room around them
    far = points.max(axis=0) if len(points) else np.ones(2)
    return float(max(1.05 * far[0], 1.0)), float(max(1.05 * far[1], 1.0))


def _draw_tile(ax: Axes, x: float, width: float, height: float, name: str, image: Any, why: str) -> None:
    from matplotlib.patches import Rectangle

    if image is not None:
        ax.imshow(image, extent=(x, x + width, height, 0.0), cmap="gray", zorder=0)
    ax.add_patch(Rectangle((x, 0), width, height, facecolor="none", edgecolor=_drawing.GREY, linewidth=0.8))
    if why:
        ax.text(x + width / 2, height / 2, why, ha="center", va="center", color=_drawing.GREY, size="small")
    ax.annotate(
        name, (x + width / 2, 0), xytext=(0, 4), textcoords="offset points", ha="center", va="bottom",
        size="small", annotation_clip=False,
    )  # fmt: skip


def _draw_lines(ax: Axes, ends: Array, weights: Array | None, cmap: Any) -> None:
    from matplotlib.collections import LineCollection

    lines: Any = LineCollection(ends, linewidth=0.7, alpha=0.8, zorder=2)  # type: ignore[arg-type]
    if weights is None:
        lines.set_color(_drawing.ORANGE)
    else:
        chosen = coloring(weights, cmap)
        lines.set(array=chosen.numbers, cmap=chosen.cmap, norm=chosen.norm)
    ax.add_collection(lines, autolim=False)
    for side in (0, 1):
        ax.scatter(
            ends[:, side, 0],
            ends[:, side, 1],
            s=9,
            facecolor="none",
            edgecolor=_drawing.SKY,
            linewidth=0.8,
            zorder=3,
        )
    if weights is not None:
        chosen.explain(ax, lines, "weight")


def _local_ticks(ax: Axes, edges: list[tuple[float, float, float]]) -> None:
    """Number both tiles from their own left edge."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

    places, texts = [], []
    for x, width, _ in edges:
        for tick in MaxNLocator(4).tick_values(0, width):
            if 0 <= tick <= 0.95 * width:
                places.append(x + tick)
                texts.append(f"{tick:g}")
    ax.xaxis.set_major_locator(FixedLocator(places))
    ax.xaxis.set_major_formatter(FixedFormatter(texts))


# ------------------------------------------------------------------------------ a montage


def montage_matches(
    tiles: Any,
    matches: Any,
    color: Any = "matches",
    *,
    label: str | None = None,
    cmap: Any = "viridis",
    dots: bool = False,
    points: str | int = "matching",
    resolution: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which tiles of a montage are connected by matches: a line between the middles of each pair.

    Parameters
    ----------
    tiles : TileSelection, ResolvedTiles, iterable of TileSpec or dict, table with ids
        The tiles.
    matches : MatchSelection, iterable of dict, or MatchReport
        Match documents; those of other tiles are left out. Without their points (``excludeMatchDetails``) their
        ``matchCount`` counts.
    color : {"matches", "residual"} or (M,) array_like
        What colours the lines: the number of matches, the root mean square of their residuals in the world (for
        which tile specs are needed), or a number for each document.
    label : str, optional
        What the colours mean.
    cmap : str or Colormap
        Colour map. Default ``"viridis"``.
    dots : bool
        Draw the points too, where those of p lie in the world; needs tile specs. Default False.
    points : {"matching", "raw", "world"} or int
        Transforms of its tile that a point has gone through already, as for `renderapi.geometry.match_residuals`.
        Default those that render leaves for matching.
    resolution : float, (x, y), StackVersion or StackInfo, optional
        nm of a pixel; of a selection the default is that of its stack.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Tiles without matches are filled with red (vermillion).

    Raises
    ------
    SpecError
        If tiles or matches are not what they should be.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> tiles = {"tileId": ["a", "b", "c"], "box": [[0, 0, 100, 80], [90, 0, 190, 80], [0, 70, 100, 150]]}
    >>> match = {"pGroupId": "1.0", "pId": "a", "qGroupId": "1.0", "qId": "b", "matchCount": 12}
    >>> ax = plot.montage_matches(tiles, [match], ax=Figure().subplots())
    >>> ax.get_legend().get_texts()[0].get_text()
    '1 tile without matches'
    """
    by_residual = isinstance(color, str) and color == "residual"
    read = tiles_of(tiles, need_specs=dots or by_residual)
    size = pixel_size(tiles, resolution)
    documents = documents_of(matches)
    p, q = _pairs(read, documents)
    known = (p >= 0) & (q >= 0)
    residuals = residuals_of(read, documents, points) if dots or by_residual else None
    counts = np.array([_count(document) for document in documents], np.float64)
    if by_residual and residuals is not None:
        values = residual_statistics(residuals.distances, residuals.document, len(documents)).rms
        label = label or "residual (pixels)"
    elif isinstance(color, str):
        if color != "matches":
            raise SpecError(
                f"color is {color!r}; it must be 'matches', 'residual' or a number for each document"
            )
        values, label = counts, label or "matches"
    else:
        values = np.asarray(color, np.float64)
        if values.shape != (len(documents),):
            raise SpecError(
                f"color has the shape {values.shape}; {len(documents)} documents need as many values"
            )
    ax = axes_of(ax)
    connected = np.zeros(len(read.boxes), bool)
    some = known & (counts > 0)
    connected[p[some]] = connected[q[some]] = True
    _outlines(ax, read)
    _unconnected(ax, read.borders[~connected])
    chosen = coloring(values[known], cmap)
    drawn = _connections(ax, read, p[known], q[known], chosen)
    if dots and residuals is not None:
        ax.scatter(
            residuals.p[:, 0],
            residuals.p[:, 1],
            s=3,
            color=_drawing.SKY,
            linewidth=0,
            zorder=3,
            rasterized=len(residuals.p) > 5000,
        )
    in_space(ax, around(read.boxes), size)
    if len(chosen.numbers):
        chosen.explain(ax, drawn, label or "")
    return ax


def _pairs(read: Tiles, documents: list[Mapping[str, Any]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if read.ids is None:
        raise SpecError("matches name tiles by id, but these tiles have none: give tile specs")
    number = {tile_id: index for index, tile_id in enumerate(read.ids)}
    ends = np.array(
        [[number.get(str(d["pId"]), -1), number.get(str(d["qId"]), -1)] for d in documents], np.intp
    )
    return ends.reshape(-1, 2)[:, 0], ends.reshape(-1, 2)[:, 1]


def _count(document: Mapping[str, Any]) -> int:
    points = document.get("matches")
    return len(points["w"]) if points else int(document.get("matchCount") or 0)


def _outlines(ax: Axes, read: Tiles) -> None:
    draw_polygons(ax, read.borders, None, rasterized=len(read.boxes) > 5000, **_OUTLINE)


def _unconnected(ax: Axes, borders: Array) -> None:
    if not len(borders):
        return
    text = f"{len(borders):,} tile{'s' if len(borders) > 1 else ''} without matches"
    draw_polygons(
        ax, borders, None, facecolor=_drawing.WRONG, alpha=0.5, edgecolor=_drawing.WRONG, label=text
    )
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, -0.12), frameon=False, fontsize="small")


def _connections(ax: Axes, read: Tiles, p: Any, q: Any, chosen: _drawing.Coloring) -> Any:
    from matplotlib.collections import LineCollection

    middles = read.borders.mean(axis=1)
    ends = np.stack([middles[p], middles[q]], axis=1)
    drawn: Any = LineCollection(ends, linewidth=2.5, capstyle="round", zorder=2)  # type: ignore[arg-type]
    drawn.set(array=np.ma.masked_invalid(chosen.numbers), cmap=chosen.cmap, norm=chosen.norm)
    ax.add_collection(drawn, autolim=False)
    return drawn


# ------------------------------------------------------------------------------ residuals


def residual_vectors(
    tiles: Any,
    matches: Any,
    *,
    exaggeration: float | None = None,
    cmap: Any = "viridis",
    vmax: float | None = None,
    points: str | int = "matching",
    resolution: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how far apart the ends of matches lie in the world, as vectors from p to q.

    Parameters
    ----------
    tiles : TileSelection, ResolvedTiles, or iterable of TileSpec or dict
        The tiles, where they are now; None is fine if `matches` are residuals already.
    matches : MatchSelection, iterable of dict, MatchReport, or MatchResiduals
        Match documents, or what `renderapi.geometry.match_residuals` made of them.
    exaggeration : float, optional
        How many times as long vectors are drawn; default what makes the long ones a twentieth of the picture.
    cmap : str or Colormap
        Colour map of their lengths. Default ``"viridis"``.
    vmax : float, optional
        Length in pixels at the upper end of the colour map; default that of the longest.
    points : {"matching", "raw", "world"} or int
        Transforms of its tile that a point has gone through already, as for `renderapi.geometry.match_residuals`.
        Default those that render leaves for matching.
    resolution : float, (x, y), StackVersion or StackInfo, optional
        nm of a pixel; of a selection the default is that of its stack.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With one ``Quiver``. Of more than 20000 matches those in a cell of a grid are drawn as their mean.

    Raises
    ------
    SpecError
        If tiles or matches are not what they should be, or no match has both tiles.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> from renderapi.pointmatch import match_from_arrays
    >>> from renderapi.tilespec import TileSpec
    >>> from renderapi.transform import AffineModel
    >>> tiles = [TileSpec(name, 1.0, 100, 100, tforms=[AffineModel(B0=x)]) for name, x in (("a", 0), ("b", 90))]
    >>> match = match_from_arrays("1.0", "a", "1.0", "b", [[95, 10], [93, 90]], [[5, 12], [3, 92]])
    >>> ax = plot.residual_vectors(tiles, [match], ax=Figure().subplots())
    >>> ax.collections[-1].V.tolist()
    [2.0, 2.0]
    """
    read = None if tiles is None else tiles_of(tiles, need_specs=not isinstance(matches, MatchResiduals))
    residuals = residuals_of(read, matches, points)
    size = pixel_size(tiles, resolution)
    there = np.isfinite(residuals.p).all(axis=1) & np.isfinite(residuals.q).all(axis=1)
    if not there.any():
        raise SpecError("no match has points in both of its tiles: are these the tiles that were matched?")
    at, vectors = residuals.p[there], residuals.vectors[there]
    longest = float(np.hypot(*vectors.T).max())
    if len(at) > _MOST_VECTORS:
        at, vectors = _means(at, vectors)
    lengths = np.hypot(*vectors.T)
    extent = float(max(np.ptp(at, axis=0).max(), 1.0))
    factor = (
        _nice(0.05 * extent / max(float(np.percentile(lengths, 95)), 1e-9))
        if exaggeration is None
        else exaggeration
    )
    ax = axes_of(ax)
    if read is not None:
        _outlines(ax, read)
    drawn = ax.quiver(
        *at.T,
        *vectors.T,
        lengths,
        angles="xy",
        scale_units="xy",
        scale=1 / factor,
        cmap=cmap,
        width=0.003,
        zorder=3,
    )
    drawn.set_clim(0, longest if vmax is None else vmax)
    seen = [at, at + factor * vectors, *(() if read is None else (read.borders.reshape(-1, 2),))]
    in_space(ax, np.concatenate(seen), size)
    ax.figure.colorbar(drawn, ax=ax, label="residual (pixels)", shrink=0.8)
    ax.annotate(
        f"vectors × {factor:g}", (0, 0), xycoords="axes fraction", xytext=(4, 4), textcoords="offset points",
        size="small", bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1},
    )  # fmt: skip
    return ax


def _means(at: Array, vectors: Array) -> tuple[Array, Array]:
    """Return the mean places and vectors of the cells of a grid."""
    low, across = at.min(axis=0), max(float(np.ptp(at, axis=0).max()), 1e-9)
    side = int(np.sqrt(_MOST_VECTORS))
    cell = ((at - low) / across * (side - 1)).astype(np.intp)
    _, of, counts = np.unique(cell @ np.array([side, 1]), return_inverse=True, return_counts=True)
    of = of.reshape(-1)
    means = [
        np.column_stack([np.bincount(of, column) for column in values.T]) / counts[:, None]
        for values in (at, vectors)
    ]
    return means[0], means[1]


def _nice(number: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not above a number; at least 1."""
    if number <= 1:
        return 1.0
    power = 10.0 ** np.floor(np.log10(number))
    return float(power * max(step for step in (1, 2, 5) if step * power <= number * (1 + 1e-9)))


def residual_histogram(
    residuals: Any,
    tiles: Any = None,
    *,
    of: str = "pairs",
    points: str | int = "matching",
    bins: int = 50,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw how residuals are distributed, those of before and after one over the other.

    Parameters
    ----------
    residuals : SolveReport, Solution, AlignReport, SectionReport, MatchResiduals, matches, array_like or mapping
        A report of solving or aligning; residuals of matches, or match documents with their `tiles`; numbers, in
        pixels; or several of these by the name that each has in the legend.
    tiles : TileSelection, ResolvedTiles, or iterable of TileSpec or dict, optional
        Tiles of match documents.
    of : {"pairs", "tiles"}
        Whose residuals of a report: root mean squares of pairs of tiles, or of tiles. Default pairs.
    points : {"matching", "raw", "world"} or int
        Transforms of its tile that a point has gone through already, as for `renderapi.geometry.match_residuals`.
        Default those that render leaves for matching.
    bins : int
        Number of bins, the same for all. Default 50.
    log : bool
        Logarithmic counts. Default False.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The legend has the median of each, which a dashed line marks.

    Raises
    ------
    SpecError
        If there is no residual.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> ax = plot.residual_histogram({"stage": [9.0, 12.0, 10.5], "solved": [0.4, 0.6, 0.5]}, ax=Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['stage: median 10.5', 'solved: median 0.5']
    """
    what, series = series_of(residuals, tiles, of, points)
    series = {name: values[np.isfinite(values)] for name, values in series.items()}
    series = {name: values for name, values in series.items() if len(values)}
    if not series:
        raise SpecError("there is no residual to draw")
    ax = axes_of(ax)
    edges = np.histogram_bin_edges(np.concatenate(list(series.values())), bins)
    colours = (_drawing.ORANGE, _drawing.BLUE) if len(series) == 2 else (_drawing.BLUE, *_drawing.PALETTE[1:])
    for number, (name, values) in enumerate(series.items()):
        colour = colours[number % len(colours)]
        median = float(np.median(values))
        told = f"median {median:.3g}"
        ax.hist(
            values, edges.tolist(), histtype="stepfilled", alpha=0.45, facecolor=colour, edgecolor=colour, log=log,
            label=f"{name}: {told}" if name else told,
        )  # fmt: skip
        ax.axvline(median, color=colour, linestyle="--", linewidth=1)
    ax.set_xlabel(f"residual{what} (pixels)")
    ax.set_ylabel("number")
    ax.legend(fontsize="small")
    return ax


def seams(
    tiles: Any,
    residuals: Any,
    *,
    when: str = "after",
    cmap: Any = "viridis",
    vmax: float | None = None,
    points: str | int = "matching",
    resolution: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw where tiles overlap, in colours of how far apart their matches are there.

    Parameters
    ----------
    tiles : TileSelection, ResolvedTiles, iterable of TileSpec or dict, table with ids
        The tiles, where they are now.
    residuals : SolveReport, Solution, AlignReport, SectionReport, MatchSelection or iterable of dict
        A report of solving or aligning; or match documents, whose residuals are computed here and need tile specs.
    when : {"after", "before"}
        Which residuals of a report. Default those of after.
    cmap : str or Colormap
        Colour map. Default ``"viridis"``.
    vmax : float, optional
        Residual in pixels at the upper end of the colour map; default the largest.
    points : {"matching", "raw", "world"} or int
        Transforms of its tile that a point has gone through already, as for `renderapi.geometry.match_residuals`.
        Default those that render leaves for matching.
    resolution : float, (x, y), StackVersion or StackInfo, optional
        nm of a pixel; of a selection the default is that of its stack.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With a polygon for each pair whose bounding boxes overlap, the worst on top; pairs that do not are lines
        between the middles of their tiles.

    Raises
    ------
    SpecError
        If there is no pair of these tiles.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> from renderapi.pointmatch import match_from_arrays
    >>> from renderapi.tilespec import TileSpec
    >>> from renderapi.transform import AffineModel
    >>> tiles = [TileSpec(name, 1.0, 100, 100, tforms=[AffineModel(B0=x)]) for name, x in (("a", 0), ("b", 90))]
    >>> match = match_from_arrays("1.0", "a", "1.0", "b", [[95, 10], [93, 90]], [[5, 12], [3, 92]])
    >>> ax = plot.seams(tiles, [match], ax=Figure().subplots())
    >>> ax.collections[-1].get_array().tolist()
    [2.0]
    """
    found = residuals_of_pairs(residuals, when)
    read = tiles_of(tiles, need_specs=found is None)
    size = pixel_size(tiles, resolution)
    if found is None:
        documents = documents_of(residuals)
        at = residuals_of(read, documents, points)
        rms = residual_statistics(at.distances, at.document, len(documents)).rms
        found = [(str(d["pId"]), str(d["qId"])) for d in documents], rms
    names, values = found
    p, q = _pairs(read, [{"pId": one, "qId": other} for one, other in names])
    known = (p >= 0) & (q >= 0) & np.isfinite(values)
    if not known.any():
        raise SpecError("no pair with a residual is of these tiles")
    order = np.flatnonzero(known)[np.argsort(values[known], kind="stable")]
    p, q, values = p[order], q[order], values[order]
    low = np.maximum(read.boxes[p, :2], read.boxes[q, :2])
    high = np.minimum(read.boxes[p, 2:], read.boxes[q, 2:])
    touch = (high > low).all(axis=1)
    ax = axes_of(ax)
    _outlines(ax, read)
    chosen = coloring(values, cmap, 0.0, vmax)
    apart, over = (chosen._replace(numbers=chosen.numbers[some]) for some in (~touch, touch))
    drawn = None
    if not touch.all():
        drawn = _connections(ax, read, p[~touch], q[~touch], apart)
    if touch.any():
        corners = corners_of(np.hstack([low, high])[touch])
        drawn = draw_polygons(ax, corners, over, edgecolor="none", zorder=2)
    in_space(ax, around(read.boxes), size)
    chosen.explain(ax, drawn, "residual (pixels)")
    return ax
