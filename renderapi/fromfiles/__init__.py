"""Tiles from the files of a microscope: images become tile specs that can be looked at before they are sent.

`from_images` reads image files, and is `renderapi.tilespec.from_images` too.
"""

from renderapi.fromfiles.errors import FileProblem, TileFilesError
from renderapi.fromfiles.images import from_images
from renderapi.fromfiles.tiles import LayerSummary, TilesFromFiles

__all__ = ["FileProblem", "LayerSummary", "TileFilesError", "TilesFromFiles", "from_images"]
