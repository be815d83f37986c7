"""The pixels of render-ws: render parameters in, arrays out.

``render`` gives what a server answers as PNG, ``render16`` what it answers in 16-bit formats, ``render8``
an 8-bit gray image. None of them needs a server or Java.
"""

from renderapi.rendering._finish import Painting, to_gray
from renderapi.rendering._renderer import paint, prepare, render, render8, render16
from renderapi.rendering._thumbnail import thumbnail
from renderapi.rendering._tile_images import TileImage, tile_images
from renderapi.rendering.errors import ImageSourceError, RenderParametersError
from renderapi.rendering.sources import ImageDescription, ImageReference, Sources, default_sources

__all__ = [
    "ImageDescription",
    "ImageReference",
    "ImageSourceError",
    "Painting",
    "RenderParametersError",
    "Sources",
    "TileImage",
    "default_sources",
    "paint",
    "prepare",
    "render",
    "render8",
    "render16",
    "thumbnail",
    "tile_images",
    "to_gray",
]
