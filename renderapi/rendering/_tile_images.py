"""The images that a tile names, and the ranges in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from renderapi.rendering._parameters import read
from renderapi.rendering.sources import ImageReference


class TileImage(NamedTuple):
    """An image of a tile as it is stored.

    Attributes
    ----------
    channel : str or None
        Channel that it belongs to; None for the image of a tile without channels.
    reference : ImageReference
        What `Sources.image` reads.
    low, high : float
        ``minIntensity`` and ``maxIntensity``: values that are shown black and white.
    """

    channel: str | None
    reference: ImageReference
    low: float
    high: float


def tile_images(tile: Any) -> list[TileImage]:
    """Return the images of a tile at its largest mipmap level, one for each channel.

    Parameters
    ----------
    tile : TileSpec or dict
        The tile.

    Returns
    -------
    list of TileImage

    Raises
    ------
    RenderParametersError
        If the tile has no image, or what it says of one cannot be read.

    Examples
    --------
    >>> from renderapi.rendering import tile_images
    >>> from renderapi.tilespec import TileSpec
    >>> (found,) = tile_images(TileSpec("a", imageUrl="file:/data/a.tif", minint=100, maxint=4000))
    >>> found.reference.url, found.low, found.high
    ('file:/data/a.tif', 100.0, 4000.0)
    """
    document = tile if isinstance(tile, Mapping) else tile.to_dict()
    (read_tile,) = read({"tileSpecs": [document]}).tiles
    return [
        TileImage(channel.name, next(iter(channel.levels.values())).image, channel.low, channel.high)
        for channel in read_tile.channels
    ]
