"""The image of a tile as it is, small enough to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.rendering._parameters import number_of
from renderapi.rendering._renderer import render
from renderapi.rendering.errors import RenderParametersError
from renderapi.rendering.sources import Sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: An image of more pixels is not read for a thumbnail: some tenths of a second.
_MOST_PIXELS = 32_000_000


def thumbnail(tile: Any, side: int = 128, *, sources: Sources | None = None) -> NDArray[np.uint8]:
    """Draw the image of a tile without its transforms, in its display range, from the best mipmap level.

    Parameters
    ----------
    tile : TileSpec or dict
        The tile; its width and height must be known. Its mask is left out.
    side : int
        Longer side of the result in pixels, unless the tile is smaller. Default 128.
    sources : Sources, optional
        Where images are read from. By default local files of at most 32 million pixels: what is larger must have
        mipmaps, and nothing is fetched from elsewhere.

    Returns
    -------
    (H, W, 3) uint8 array
        Red, green and blue.

    Raises
    ------
    RenderParametersError
        If the tile has no size or no image.
    ImageSourceError
        If the image cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from renderapi.rendering import thumbnail
    >>> from renderapi.tilespec import TileSpec
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.png")
    ...     Image.fromarray(np.full((200, 400), 90, np.uint8)).save(path)
    ...     thumbnail(TileSpec("a", 1.0, 400, 200, imageUrl=path, maxint=255), 100).shape
    (50, 100, 3)
    """
    document = dict(tile) if isinstance(tile, Mapping) else tile.to_dict()
    width, height = (number_of(document, name, 0.0) for name in ("width", "height"))
    if not (width >= 1 and height >= 1):
        raise RenderParametersError(f"tile {document.get('tileId')} has no width and height")
    # the last row and column of a tile stay black: drawn a pixel larger, they are cut off
    scale = min(1.0, side / max(width, height))
    parameters = {
        "width": width,
        "height": height,
        "scale": scale,
        "excludeMask": True,
        "tileSpecs": [{**document, "transforms": {"type": "list", "specList": []}}],
    }
    # numba would have to be loaded first, which takes longer than a small image
    used = Sources(http=False, cache_bytes=0, max_pixels=_MOST_PIXELS) if sources is None else sources
    return np.ascontiguousarray(render(parameters, sources=used, engine="numpy")[..., :3])
