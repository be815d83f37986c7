"""Render parameters in, pixels out: what is painted on which canvas, and what becomes of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._extras import install_line
from renderapi._names import BRANCHES
from renderapi.geometry.chains import Chains
from renderapi.rendering import _finish, _mipmaps, _parameters
from renderapi.rendering._filter import Filter
from renderapi.rendering._finish import Canvas, Painting
from renderapi.rendering._mipmaps import Mipmap
from renderapi.rendering._parameters import Channel, Parameters, Tile
from renderapi.rendering._warp import Triangles, Warp
from renderapi.rendering.errors import ChannelsError
from renderapi.rendering.filters import filter_of, filters_of, own_range
from renderapi.rendering.sources import Sources, default_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[Any]

ENGINES = ("numpy", "numba")


def render(
    render_parameters: Mapping[str, Any],
    *,
    sources: Sources | None = None,
    engine: str | None = None,
    compat: str = "master",
) -> NDArray[np.uint8]:
    """Render an image in colour, as a server answers it as PNG.

    Parameters
    ----------
    render_parameters : dict
        RenderParameters document, as `renderapi.image.get_bb_renderparams` gives it. Its ``tileSpecs`` are
        resolved, as documents or as `TileSpec`, and are painted in their order, later ones over earlier.
    sources : Sources, optional
        Where images are read from; default one that reads every local file that this program may read, and
        keeps what it has read.
    engine : {None, "numpy", "numba"}
        What paints: with None the compiled painter where numba is installed (``pip install
        "render-python[fast]"``), else numpy. Both give the same pixels.
    compat : {"master", "newsolver"}
        Which branch of render the pixels are those of: newsolver goes through the rows of triangles in
        another way, so that tiles have no black last row and column, rounds the display ranges of 16-bit
        images, and refuses masks of another size than their image. Filters, loaders and transforms of
        newsolver are known to both.

    Returns
    -------
    (H, W, 4) uint8 array
        Red, green, blue and alpha, not premultiplied; H and W are ``int(scale * height)`` and
        ``int(scale * width)``. Without masks every pixel is opaque, and black where no tile is; without
        any tile (or any that has the channel) the image is transparent.

    Raises
    ------
    RenderParametersError
        If the parameters cannot be rendered.
    ImageSourceError
        If an image or mask cannot be read.

    Notes
    -----
    The pixels are those of render-ws, to the last bit (``server_semantics`` of the render service): also
    its last row and column of every tile, which are black. Random are `fillWithNoise` and the filter
    ``ValueToNoise``; their generators are seeded (`render` of the same parameters gives the same pixels, and
    the noise of a tile does not depend on the box that is rendered).
    """
    parameters, canvas, _ = _painted(render_parameters, sources, engine, compat)
    if canvas is None:
        return np.zeros((*parameters.size, 4), np.uint8)
    return _finish.rgba(canvas, parameters)


def render8(
    render_parameters: Mapping[str, Any],
    *,
    sources: Sources | None = None,
    engine: str | None = None,
    compat: str = "master",
) -> NDArray[np.uint8]:
    """Render an 8-bit gray image, as the original's ``ByteRenderer`` does.

    Parameters
    ----------
    render_parameters, sources, engine, compat
        As for `render`.

    Returns
    -------
    (H, W) uint8 array
        Values of 8-bit images as they are, those of others in the display range; 0 where no tile is.
        Masks leave their mark on the values only.

    Raises
    ------
    RenderParametersError, ImageSourceError
        As for `render`.
    """
    parameters, canvas, _ = _painted(render_parameters, sources, engine, compat)
    if canvas is None:
        return np.zeros(parameters.size, np.uint8)
    return _finish.gray8(canvas, parameters)


def render16(
    render_parameters: Mapping[str, Any],
    *,
    sources: Sources | None = None,
    engine: str | None = None,
    compat: str = "master",
) -> NDArray[np.uint16]:
    """Render a 16-bit gray image, as a server answers it as 16-bit TIFF or PNG.

    Parameters
    ----------
    render_parameters, sources, engine, compat
        As for `render`.

    Returns
    -------
    (H, W) uint16 array
        Values as they are in the sources, whatever the display range, which counts for floating point
        sources only: it becomes 0 to 65535. 0 where no tile is. 8-bit sources
        give 0 to 255, unless the maximum intensity of their channel is above 255: then values times 256.

    Raises
    ------
    RenderParametersError, ImageSourceError
        As for `render`.
    """
    parameters, canvas, _ = _painted(render_parameters, sources, engine, compat)
    if canvas is None:
        return np.zeros(parameters.size, np.uint16)
    return _finish.gray16(canvas, parameters)


def paint(
    render_parameters: Mapping[str, Any],
    *,
    sources: Sources | None = None,
    engine: str | None = None,
    compat: str = "master",
) -> Painting:
    """Paint tiles for those who compute with the values, as the original's match clients see them.

    Parameters
    ----------
    render_parameters, sources, engine, compat
        As for `render`.

    Returns
    -------
    Painting
        Values as they are in the sources, of ``int(scale * height + 0.5)`` and ``int(scale * width + 0.5)``
        pixels, and how opaque they are. Without any tile all is 0.

    Raises
    ------
    RenderParametersError, ImageSourceError
        As for `render`.
    """
    parameters, canvas, blank = _painted(render_parameters, sources, engine, compat)
    if canvas is None:
        return Painting(np.zeros(parameters.canvas_size, np.uint8), None, 0.0, 255.0, blank)
    found = _finish.painting(canvas)
    low = found.low if parameters.low is None else parameters.low
    high = found.high if parameters.high is None else parameters.high
    return Painting(found.values, found.opacity, low, high, blank)


def painter(engine: str | None) -> ModuleType:
    """Return the module that paints.

    Raises
    ------
    ValueError
        If there is no such engine.
    ImportError
        If it is not installed.
    """
    if engine not in (None, *ENGINES):
        raise ValueError(f"engine is {engine!r}; it must be 'numpy' or 'numba'")
    if engine != "numpy":
        try:
            from renderapi.rendering import _compiled

            return _compiled
        except ImportError as error:
            if engine == "numba":
                raise ImportError(f'engine="numba" needs numba: {install_line("fast")}') from error
    from renderapi.rendering import _numpy

    return _numpy


def prepare() -> None:
    """Compile the painter, or load what was compiled, so that the first image need not wait for that.

    Compiling takes some seconds, the first time on a machine; afterwards loading takes most of a second, once
    a process. Without numba there is nothing to prepare.

    Examples
    --------
    >>> prepare()
    """
    brush = painter(None)
    if brush.__name__.endswith("._compiled"):
        brush.prepare()


# ------------------------------------------------------------------------------ painting


def _painted(
    render_parameters: Mapping[str, Any], sources: Sources | None, engine: str | None, compat: str
) -> tuple[Parameters, Canvas | None, bool]:
    # also whether no image showed anything
    if compat not in BRANCHES:
        raise ValueError(f"compat is {compat!r}; it must be 'master' or 'newsolver'")
    parameters = _parameters.read(render_parameters, compat)
    filters = filters_of(render_parameters)
    used = default_sources() if sources is None else sources
    for reference, what in dict.fromkeys(parameters.references()):
        used.check(reference, what)
    job = _Job(parameters, filters, used, painter(engine))
    for tile in parameters.tiles:
        job.paint(tile)
    return parameters, _averaged(parameters, job.canvases), job.blank


def _shows_nothing(image: Image) -> bool:
    # a few pixels tell of nearly every image that it does
    return all(bool((part == part[:1, :1]).all()) for part in (image[::61, ::61], image))


class _Job:
    # one request: a canvas for every channel, made when its first tile is painted

    def __init__(
        self, parameters: Parameters, filters: list[Filter], sources: Sources, brush: ModuleType
    ) -> None:
        self.parameters, self.filters, self.sources, self.brush = parameters, filters, sources, brush
        self.masked = parameters.masked
        self.chains = Chains(compat=parameters.compat)
        self.canvases: dict[str | None, Canvas] = {}
        self.blank = True

    def paint(self, tile: Tile) -> None:
        names = [name for name, _ in self.parameters.channels]
        channels = [channel for channel in (tile.channel(name) for name in names) if channel is not None]
        if not channels:
            return
        warp = Warp(tile, self.parameters, self.chains, self.brush)
        width, height = self._size(tile, channels[0])
        level = warp.level(width, height)
        triangles: Triangles | None = None
        first_shape: tuple[int, ...] = ()
        for channel in channels:
            # newsolver refuses masks of another size, but looks at those of the first channel only
            compat = self.parameters.compat
            strict = tile.tile_id if compat == "newsolver" and channel is channels[0] else None
            builder, exclude_mask = self.parameters.builder, self.parameters.exclude_mask
            mipmap = _mipmaps.load(channel, level, builder, exclude_mask, self.sources, compat, strict)
            shape = mipmap.image.shape[:2]
            if 0 in shape:
                # halved until nothing is left: the original passes over it, and its range does not count
                if triangles is None:
                    return
                continue
            if triangles is None:
                triangles = warp.triangles(width, level, shape, self.parameters.canvas_size)
                first_shape = shape
            elif shape[1] != first_shape[0]:
                # a slip of the original, which stops with a null pointer there
                raise ChannelsError(
                    f"tile {tile.tile_id}: render averages the channels of square images only, not of "
                    f"{first_shape[1]} x {first_shape[0]} pixels"
                )
            self._paint_channel(tile, channel, level, mipmap, triangles)

    def _size(self, tile: Tile, channel: Channel) -> tuple[int, int]:
        width, height = tile.width, tile.height
        if width is None or height is None or width < 0 or height < 0:
            rows, columns = self.sources.image(next(iter(channel.levels.values())).image).shape[:2]
            width = columns if width is None or width < 0 else width
            height = rows if height is None or height < 0 else height
        return width, height

    def _paint_channel(
        self, tile: Tile, channel: Channel, level: int, mipmap: Mipmap, triangles: Triangles
    ) -> None:
        p = self.parameters
        low = channel.low if p.low is None else p.low
        high = channel.high if p.high is None else p.high
        image = mipmap.image
        self.blank = self.blank and _shows_nothing(image)
        if channel.filter_spec is not None and image.size:
            # before a range is set; with the scale of the request, whatever the level
            own = filter_of(channel.filter_spec)
            image = own.apply(image, *own_range(image), p.scale, _noise(tile, level, -1))
        if image.ndim == 3:
            # ImageJ applies the range of a colour image to its pixels; others only remember it
            image = _finish.in_range_of_colour(image, low, high)
        shown = _finish.imagej_range(image, low, high, p.compat) or (0.0, 255.0)
        if p.compat == "newsolver" and image.dtype == np.uint16:
            low, high = shown
        for number, step in enumerate(self.filters):
            image = step.apply(image, low, high, 2.0**-level, _noise(tile, level, number))
        canvas = self.canvases.get(channel.name)
        new = canvas is None
        if canvas is None:
            canvas = self.canvases[channel.name] = self._new_canvas(image)
        source = _finish.as_planes(image, canvas.pixels, *shown)
        pixels, alpha, nearest = canvas.pixels, canvas.alpha, self.parameters.nearest
        if alpha is None:
            self.brush.paint(pixels, source, triangles, nearest)
        elif self.parameters.binary_mask:
            self.brush.paint_with_binary_mask(pixels, alpha, source, mipmap.mask, triangles, nearest)
        else:
            # no pixel of a colour canvas counts as unpainted once a tile's range has been applied to it
            over = canvas.colour and not new
            self.brush.paint_with_mask(pixels, alpha, source, mipmap.mask, triangles, nearest, over)
        canvas.show(*shown, p.compat)

    def _new_canvas(self, image: Image) -> Canvas:
        size = self.parameters.canvas_size
        shape = (3 if image.ndim == 3 else 1, *size)
        alpha = np.zeros(size, np.uint8) if self.masked else None
        return Canvas(np.zeros(shape, image.dtype), alpha, 0.0, 255.0)


def _noise(tile: Tile, level: int, number: int) -> np.random.Generator:
    # the seed is of the tile, so that its noise is the same in every box; its own filter counts as the first
    return np.random.default_rng([zlib.crc32(str(tile.tile_id).encode()), level, number % (1 << 32)])


def _averaged(parameters: Parameters, canvases: dict[str | None, Canvas]) -> Canvas | None:
    """Return the canvas of the only channel, or the average of several."""
    if len(parameters.channels) == 1 or not parameters.tiles:
        return next(iter(canvases.values()), None)
    if not canvases:
        wanted = [name for name, _ in parameters.channels]
        if any(tile.channel(name) is not None for tile in parameters.tiles for name in wanted):
            return None  # halved until nothing was left
        names = " or ".join(map(str, wanted))
        raise ChannelsError(f"no tile has anything to average: none shows a channel {names}")
    painted = [(canvases[name], weight) for name, weight in parameters.channels if name in canvases]
    first = painted[0][0]
    values = np.zeros(first.pixels.shape, np.float32)
    alphas = np.zeros(parameters.canvas_size, np.float32)
    one = np.float32(255)
    for canvas, weight in painted:
        share = np.float32(weight)
        opacity = share if canvas.alpha is None else canvas.alpha / one * share
        values = _finish.planes_for(canvas, first).astype(np.float32) * opacity + values
        if first.pixels.dtype != np.float32:
            # the lowest 8 or 16 bits are kept at every step
            values = np.trunc(values) % np.float32(np.iinfo(first.pixels.dtype).max + 1)
        alphas = np.trunc((opacity + alphas / one) * one)
    return Canvas(values.astype(first.pixels.dtype), alphas.astype(np.uint8), first.low, first.high)
