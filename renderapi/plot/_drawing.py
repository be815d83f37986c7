"""What all plots have in common: axes, colours, and boxes of any number."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from operator import mul
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi._extras import install_line
from renderapi.plot._given import corners_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Colours that everybody can tell apart: Okabe and Ito, "Color Universal Design" (2008).
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, BLACK, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#000000", "#999999"
PALETTE = (BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, YELLOW, BLACK)
#: A tile without a value, and what is wrong.
NO_VALUE, WRONG = "#d9d9d9", VERMILLION
#: Longer side of images, in pixels.
SHOWN = 1024
#: More polygons than this take longer to draw than one waits for, and are smaller than a pixel.
MOST_POLYGONS = 50_000
#: Longer side of the raster that stands for them, in cells.
_CELLS = 1200
#: As many categories have a colour of their own.
_NAMED = len(PALETTE)


def axes_of(ax: Axes | None) -> Axes:
    """Return the axes to draw into; without any, those of a new figure of pyplot.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(f"plots need matplotlib: {install_line('plot')}") from error
    return pyplot.subplots(layout="constrained")[1]


def in_space(ax: Axes, corners: Array, size: tuple[float, float] | None = None, margin: bool = True) -> None:
    """Make axes those of pixels: x right, y down, one scale for both, labelled; in nm too if that is known.

    Parameters
    ----------
    ax : Axes
    corners : (N, 2) array
        Points that must be seen; what was seen before stays so.
    size : (float, float), optional
        nm of a pixel along x and y.
    margin : bool
        Whether there is some room around them.
    """
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    there = corners[np.isfinite(corners).all(axis=1)]
    ax.set_aspect("equal")
    if not margin:
        ax.margins(0)
    if len(there):
        ax.update_datalim([there.min(axis=0), there.max(axis=0)])
    ax.autoscale_view()
    if not ax.yaxis_inverted():
        ax.invert_yaxis()
    for axis, name in ((ax.xaxis, "x"), (ax.yaxis, "y")):
        if not axis.get_label_text():
            axis.set_label_text(f"{name} (pixels)")
        # what a caller chose for the axis stays
        formatter, locator = axis.get_major_formatter(), axis.get_major_locator()
        if isinstance(formatter, ScalarFormatter):
            formatter.set_useOffset(False)
            formatter.set_scientific(False)
        if isinstance(locator, MaxNLocator):
            locator.set_params(nbins=6)
    if size is not None:
        _in_nm(ax, size)


def _in_nm(ax: Axes, size: tuple[float, float]) -> None:
    if any(child.get_gid() == "nm" for child in ax.child_axes):
        return
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    for name, nm in zip("xy", size):
        # parts of functions and no lambdas, so that figures can be pickled
        both = partial(mul, nm), partial(mul, 1 / nm)
        if name == "x":
            other = ax.secondary_xaxis("top", functions=both)
        else:
            other = ax.secondary_yaxis("right", functions=both)
        other.set_gid("nm")
        axis = other.xaxis if name == "x" else other.yaxis
        axis.set_label_text(f"{name} (nm)")
        axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
        axis.set_major_locator(MaxNLocator(6))


# ------------------------------------------------------------------------------ colours


class Coloring(NamedTuple):
    """How values become colours.

    Attributes
    ----------
    numbers : (N,) float64 array
        Numbers that a colour map takes; NaN without a value.
    cmap, norm : object
        Of matplotlib.
    names : list of str or None
        Categories, where values are texts.
    """

    numbers: Array
    cmap: Any
    norm: Any
    names: list[str] | None

    @property
    def listed(self) -> bool:
        """Whether there are so few categories that each has a colour that can be told from the others."""
        return self.names is not None and len(self.names) <= _NAMED

    def explain(self, ax: Axes, mappable: Any, label: str) -> None:
        """Say what the colours mean, by a colour bar; of many categories it names some."""
        bar = ax.figure.colorbar(mappable, ax=ax, label=label, shrink=0.8)
        if self.names is not None:
            most = len(self.names) if self.listed else 6
            places = np.unique(np.linspace(0, len(self.names) - 1, most).round().astype(int))
            bar.set_ticks(places.tolist(), labels=[self.names[place] for place in places])


def coloring(
    values: NDArray[Any], cmap: Any, vmin: float | None = None, vmax: float | None = None
) -> Coloring:
    """Choose colours: a colour map for numbers, colours that can be told apart for texts."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    chosen = colormaps[cmap] if isinstance(cmap, str) else cmap
    if values.dtype.kind in "OUS" and not _are_numbers(values):
        names, numbers = _categories(values)
        if len(names) <= _NAMED:
            few = ListedColormap(PALETTE[: max(len(names), 1)])
            return Coloring(numbers, few, BoundaryNorm(np.arange(len(names) + 1 or 2) - 0.5, few.N), names)
        return Coloring(numbers, chosen, Normalize(0, len(names) - 1), names)
    numbers = np.asarray(values, np.float64)
    there = numbers[np.isfinite(numbers)]
    low = (there.min() if len(there) else 0.0) if vmin is None else vmin
    high = (there.max() if len(there) else 1.0) if vmax is None else vmax
    return Coloring(np.where(np.isfinite(numbers), numbers, np.nan), chosen, Normalize(low, high), None)


def _categories(values: NDArray[Any]) -> tuple[list[str], Array]:
    """Return the texts that occur, sorted, and which of them each value is; NaN for None and NaN."""
    if values.dtype.kind == "O":
        texts = [value if value is None or value != value else str(value) for value in values.tolist()]  # noqa: PLR0124
        names = sorted({text for text in texts if isinstance(text, str)})
        place = {name: float(i) for i, name in enumerate(names)}
        return names, np.array([place.get(text, np.nan) for text in texts], np.float64)
    found, of = np.unique(values, return_inverse=True)
    return [str(name) for name in found.tolist()], of.reshape(-1).astype(np.float64)


def _are_numbers(values: NDArray[Any]) -> bool:
    return values.dtype == object and not any(isinstance(value, str) for value in values.tolist())


# ------------------------------------------------------------------------------ boxes


def draw_polygons(ax: Axes, corners: Array, coloring: Coloring | None, **how: Any) -> Any:
    """Draw polygons as one collection, and return it.

    Parameters
    ----------
    ax : Axes
    corners : (N, K, 2) array
        Corners of each.
    coloring : Coloring or None
        Their colours; without, what `how` says.
    **how
        As for ``PolyCollection``.

    Returns
    -------
    PolyCollection
    """
    from matplotlib.collections import PolyCollection

    made: Any = PolyCollection(corners, **how)  # type: ignore[arg-type]
    if coloring is not None:
        cmap = coloring.cmap.with_extremes(bad=NO_VALUE)
        made.set(array=np.ma.masked_invalid(coloring.numbers), cmap=cmap, norm=coloring.norm)
    # limits are set by who draws: to look at each polygon would take longer than to draw it
    ax.add_collection(made, autolim=False)
    return made


def draw_boxes(ax: Axes, boxes: Array, coloring: Coloring | None, **how: Any) -> Any:
    """Draw boxes: as polygons, or of so many that they are smaller than a pixel, a raster of them.

    Returns
    -------
    PolyCollection or AxesImage
        Cells of the image have the mean of the boxes that cover them; of categories, the one that covers most.
    """
    if len(boxes) <= MOST_POLYGONS:
        return draw_polygons(ax, corners_of(boxes), coloring, **how)
    from matplotlib.colors import ListedColormap, Normalize

    numbers = np.zeros(len(boxes)) if coloring is None else coloring.numbers
    names = None if coloring is None else coloring.names
    raster, extent = rasterized(
        boxes, numbers, len(names) if names is not None and coloring and coloring.listed else 0
    )
    # without colours each is drawn in one
    cmap = ListedColormap([how.get("facecolor", SKY)]) if coloring is None else coloring.cmap
    norm = Normalize(0, 1) if coloring is None else coloring.norm
    cmap = cmap.with_extremes(bad=(0.0, 0.0, 0.0, 0.0))
    # nearest, as a mean of neighbours would be of boxes that lie beside each other
    return ax.imshow(
        np.ma.masked_invalid(raster), extent=extent, cmap=cmap, norm=norm, interpolation="nearest", zorder=1
    )


def rasterized(
    boxes: Array, numbers: Array, categories: int = 0
) -> tuple[Array, tuple[float, float, float, float]]:
    """Paint boxes onto a raster, all at once.

    Each box adds its number at its corners, from which sums along both axes fill it: see Crow, "Summed-area tables
    for texture mapping" (SIGGRAPH 1984), backwards.

    Parameters
    ----------
    boxes : (N, 4) array
        minX, minY, maxX, maxY.
    numbers : (N,) array
        What is painted; NaN is passed over.
    categories : int
        How many categories there are, if `numbers` are such.

    Returns
    -------
    raster : (H, W) array
        Mean of the boxes that cover a cell, or the category of most of them; NaN where no box is.
    extent : tuple of float
        Left, right, bottom, top of the raster, as ``imshow`` takes them.
    """
    usable = np.isfinite(boxes).all(axis=1) & np.isfinite(numbers)
    boxes, numbers = boxes[usable], numbers[usable]
    if not len(boxes):
        return np.full((1, 1), np.nan), (0.0, 1.0, 1.0, 0.0)
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    cell = max((high - low).max() / _CELLS, np.finfo(np.float64).tiny)
    columns, rows = np.maximum(np.ceil((high - low) / cell), 1).astype(np.intp)
    # a box has at least one cell
    first = np.floor((boxes[:, :2] - low) / cell).astype(np.intp).clip(0, [columns - 1, rows - 1])
    last = np.ceil((boxes[:, 2:] - low) / cell - 1e-9).astype(np.intp).clip(first + 1, [columns, rows])
    shape = (int(rows) + 1, int(columns) + 1)
    left, right = (columns_of[:, 0] for columns_of in (first, last))
    top, bottom = (rows_of[:, 1] for rows_of in (first, last))
    corners = ((left, top, 1), (right, top, -1), (left, bottom, -1), (right, bottom, 1))
    places = [(y * shape[1] + x, sign) for x, y, sign in corners]

    def covered(weights: Array | None, some: Any = slice(None)) -> Array:
        flat = np.zeros(shape[0] * shape[1])
        for place, sign in places:
            own = None if weights is None else weights[some]
            flat += sign * np.bincount(place[some], own, minlength=len(flat))
        summed: Array = flat.reshape(shape).cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
        return summed

    count = covered(None)
    if categories:
        each = np.stack([covered(None, numbers == category) for category in range(categories)])
        raster = each.argmax(axis=0).astype(np.float64)
    else:
        # around a middle value, so that little is lost in the sums
        middle = float(numbers.mean())
        raster = covered(numbers - middle) / np.maximum(count, 1) + middle
    raster[count < 0.5] = np.nan
    x, y = low
    return raster, (x, x + columns * cell, y + rows * cell, y)


def write_names(ax: Axes, ids: Iterable[str], boxes: Array) -> None:
    """Write the id of each tile into its middle, to be read over any image."""
    from matplotlib.patheffects import withStroke

    edge = [withStroke(linewidth=2, foreground="white")]
    for tile_id, (x, y, right, bottom) in zip(ids, boxes.tolist()):
        x, y = (x + right) / 2, (y + bottom) / 2
        ax.text(x, y, tile_id, ha="center", va="center", size=6, clip_on=True, path_effects=edge)
