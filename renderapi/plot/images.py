"""Plots of pixels: how their values are distributed, and sections as they are rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import SpecError
from renderapi.image import get_bb_image
from renderapi.plot import _drawing
from renderapi.plot._drawing import axes_of, draw_polygons, in_space
from renderapi.plot._given import Tiles, pixel_size, tiles_of
from renderapi.rendering import Sources, default_sources, render, tile_images
from renderapi.selections import TileSelection
from renderapi.tilespec import TileSpec
from renderapi.transform.flattening import Flattener

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray


def intensity_histogram(
    images: Any,
    *,
    bins: int = 256,
    log: bool = True,
    limits: tuple[float, float] | None = None,
    sources: Sources | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how the values of pixels are distributed, with lines at minint and maxint.

    Parameters
    ----------
    images : TileSpec, dict, iterable of them, TileSelection, ResolvedTiles, array, or mapping of arrays
        Tiles, whose images are read here at full size, each channel by itself; or pixels of any shape, or several
        arrays by the name that each has in the legend.
    bins : int
        Number of bins, the same for all. Default 256.
    log : bool
        Logarithmic counts, so that the rare values at the ends are seen. Default True.
    limits : (float, float), optional
        Values that are shown black and white, in place of minint and maxint of the tiles.
    sources : Sources, optional
        Where images are read from; default `renderapi.rendering.default_sources`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A dashed line marks minint, a dotted one maxint; tiles that have the same share them. What lies far away from
        all values is in the legend alone.

    Raises
    ------
    ImageSourceError
        If an image cannot be read.
    SpecError
        If there is no pixel.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> pixels = np.random.default_rng(1).normal(20000, 3000, (100, 100)).astype(np.uint16)
    >>> ax = plot.intensity_histogram(pixels, limits=(12000, 28000), ax=Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['minint 12000', 'maxint 28000']
    """
    values, ranges = _pixels(images, default_sources() if sources is None else sources)
    values = {name: pixels[np.isfinite(pixels)] for name, pixels in values.items()}
    if not any(len(pixels) for pixels in values.values()):
        raise SpecError("there is no pixel whose value could be counted")
    ranges = ranges if limits is None else [(float(limits[0]), float(limits[1]))]
    ax = axes_of(ax)
    low = min(float(pixels.min()) for pixels in values.values() if len(pixels))
    high = max(float(pixels.max()) for pixels in values.values() if len(pixels))
    whole = all(pixels.dtype.kind in "ui" for pixels in values.values())
    if whole and high - low < bins:
        # a bin for each value, so that none is empty for want of values
        edges = np.arange(low - 0.5, high + 1.5)
    elif whole:
        width = int(np.ceil((high - low + 1) / bins))
        edges = low - 0.5 + width * np.arange(int(np.ceil((high - low + 1) / width)) + 1)
    else:
        edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    for number, (name, pixels) in enumerate(values.items()):
        counts, _ = np.histogram(pixels, edges)
        colour = _drawing.PALETTE[number % len(_drawing.PALETTE)]
        ax.stairs(counts, edges, color=colour, fill=len(values) == 1, alpha=0.8, label=name or None)
    span = max(high - low, 1.0)
    outer = [float(edges[0]), float(edges[-1])]
    for shown, style, what in zip(zip(*ranges), ("--", ":"), ("minint", "maxint")):
        for value in dict.fromkeys(shown):
            # far away it would leave no room for the values
            seen = low - span <= value <= high + span
            told = (
                f"{what} {value:g}"
                if seen
                else f"{what} {value:g}, far {'below' if value < low else 'above'}"
            )
            ax.axvline(value, color=_drawing.VERMILLION, linestyle=style, linewidth=1.3, label=told)
            outer += [value] if seen else []
    room = 0.03 * (max(outer) - min(outer))
    ax.set_xlim(min(outer) - room, max(outer) + room)
    if log:
        ax.set_yscale("log")
    ax.set_xlabel("intensity")
    ax.set_ylabel("pixels")
    if ranges or any(values):
        ax.legend(fontsize="small")
    return ax


def _pixels(images: Any, sources: Sources) -> tuple[dict[str, NDArray[Any]], list[tuple[float, float]]]:
    """Return the values of each name, and the display ranges of tiles."""
    if isinstance(images, Mapping) and "tileId" not in images and "mipmapLevels" not in images:
        return {str(name): np.asarray(pixels).reshape(-1) for name, pixels in images.items()}, []
    tiles = _tile_list(images)
    if tiles is None:
        pixels = np.asarray(images)
        if pixels.dtype.kind not in "uif":
            raise SpecError(f"these are neither tiles nor pixels: {images!r:.100}")
        return {"": pixels.reshape(-1)}, []
    values: dict[str, NDArray[Any]] = {}
    ranges: list[tuple[float, float]] = []
    for tile in tiles:
        tile_id = tile.get("tileId") if isinstance(tile, Mapping) else tile.tileId
        for channel, reference, low, high in tile_images(tile):
            name = " ".join(str(part) for part in (tile_id, channel) if part is not None)
            pixels = sources.image(reference)
            planes = (
                zip(("red", "green", "blue"), np.moveaxis(pixels, 2, 0))
                if pixels.ndim == 3
                else [("", pixels)]
            )
            for colour, plane in planes:
                values[f"{name} {colour}".strip()] = plane.reshape(-1)
            ranges.append((low, high))
    return values, list(dict.fromkeys(ranges))


def _tile_list(images: Any) -> list[Any] | None:
    given = getattr(images, "tilespecs", images)
    if isinstance(given, (TileSpec, Mapping)):
        return [given]
    if isinstance(given, np.ndarray) or not isinstance(given, Iterable):
        return None
    listed = list(given)
    return listed if all(isinstance(one, (TileSpec, Mapping)) for one in listed) else None


def rendered_section(
    tiles: Any,
    *,
    image: Any = None,
    box: ArrayLike | None = None,
    scale: float | None = None,
    outlines: bool = True,
    names: bool = False,
    sources: Sources | None = None,
    resolution: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a section as it is rendered, with the outlines of its tiles.

    Parameters
    ----------
    tiles : TileSelection, ResolvedTiles, or iterable of TileSpec or dict
        Tiles of one layer. The image of a selection is asked of its server, which paints all tiles of the layer that
        are in the box; other tiles are painted here, later ones over earlier.
    image : (H, W), (H, W, 3) or (H, W, 4) array, optional
        The image, if it is there already; it is that of `box`.
    box : (4,) array_like, optional
        minX, minY, maxX, maxY in the world; default the box around the tiles.
    scale : float, optional
        Scale of the image; default what makes its longer side 1024 pixels, at most 1.
    outlines : bool
        Draw the outlines of the tiles, as their transforms turn them. Default True.
    names : bool
        Write the id of each tile into it. Default False.
    sources : Sources, optional
        Where images of tiles that are painted here are read from; default
        `renderapi.rendering.default_sources`.
    resolution : float, (x, y), StackVersion or StackInfo, optional
        nm of a pixel; of a selection the default is that of its stack.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default the axes of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    SpecError
        If there are no tiles, or some of another layer.
    RenderError
        If the server refuses.
    ImageSourceError
        If an image cannot be read here.
    ImportError
        If matplotlib is not installed (extra ``plot``).

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from renderapi import plot
    >>> tiles = [{"tileId": "a", "z": 1, "width": 100, "height": 80}]
    >>> ax = plot.rendered_section(tiles, image=np.zeros((40, 50), np.uint8), ax=Figure().subplots())
    >>> ax.images[0].get_extent()
    [0.0, 100.0, 80.0, 0.0]
    """
    read = tiles_of(tiles, need_specs=True)
    if not len(read.boxes):
        raise SpecError("there are no tiles to draw")
    layers = {float(z) for z in read.column("z")}
    if len(layers) > 1:
        some = ", ".join(f"{z:g}" for z in sorted(layers)[:5])
        raise SpecError(f"the tiles are of {len(layers)} layers, z {some}: choose one of them")
    size = pixel_size(tiles, resolution)
    x, y, right, bottom = (
        np.concatenate([read.boxes[:, :2].min(axis=0), read.boxes[:, 2:].max(axis=0)])
        if box is None
        else np.asarray(box, np.float64)
    ).tolist()
    x, y, right, bottom = (
        float(np.floor(x)),
        float(np.floor(y)),
        float(np.ceil(right)),
        float(np.ceil(bottom)),
    )
    if image is None:
        factor = min(1.0, _drawing.SHOWN / max(right - x, bottom - y)) if scale is None else scale
        sides = x, y, int(right - x), int(bottom - y)
        if isinstance(tiles, TileSelection):
            image = get_bb_image(tiles.stack, layers.pop(), *sides, factor, **tiles.connection)
        else:
            image = _painted(read, sides, factor, sources)
    ax = axes_of(ax)
    pixels = np.asarray(image)
    ax.imshow(pixels, extent=(x, right, bottom, y), cmap="gray", zorder=0)
    if outlines:
        draw_polygons(
            ax, read.borders, None, facecolor="none", edgecolor=_drawing.ORANGE, linewidth=0.8, zorder=2
        )
    if names:
        _drawing.write_names(ax, read.ids or (), read.boxes)
    in_space(ax, np.array([[x, y], [right, bottom]]), size, margin=False)
    return ax


def _painted(read: Tiles, box: tuple[float, float, int, int], scale: float, sources: Sources | None) -> Any:
    flattener = Flattener(_documents(read.shared or ()))
    specs = []
    for tile in map(_document, read.specs or ()):
        flat = flattener.flatten(tile.get("transforms") or {"type": "list", "specList": []})
        specs.append({**tile, "transforms": {"type": "list", "specList": flat}})
    x, y, width, height = box
    parameters = {"x": x, "y": y, "width": width, "height": height, "scale": scale, "tileSpecs": specs}
    return render(parameters, sources=sources)


def _document(tile: Any) -> dict[str, Any]:
    return dict(tile) if isinstance(tile, Mapping) else tile.to_dict()


def _documents(transforms: Iterable[Any]) -> list[Any]:
    return [one if isinstance(one, Mapping) else one.to_dict() for one in transforms]
