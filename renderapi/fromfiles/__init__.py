"""Tiles from the files of a microscope: images become tile specs that can be looked at before they are sent.

`from_images` reads image files, and is `renderapi.tilespec.from_images` too. `from_trakem2` reads projects of TrakEM2,
`from_serialem` what SerialEM wrote.
"""

from renderapi.fromfiles.errors import FileProblem, TileFilesError
from renderapi.fromfiles.images import from_images
from renderapi.fromfiles.planes import write_planes
from renderapi.fromfiles.serialem import from_serialem
from renderapi.fromfiles.tiles import LayerSummary, TilesFromFiles
from renderapi.fromfiles.trakem2 import TrakEM2Project, from_trakem2

__all__ = [
    "FileProblem",
    "LayerSummary",
    "TileFilesError",
    "TilesFromFiles",
    "TrakEM2Project",
    "from_images",
    "from_serialem",
    "from_trakem2",
    "write_planes",
]
