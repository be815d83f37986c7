"""Pictures of stacks, tiles, matches and transforms, drawn with matplotlib.

Every function draws into the ``ax`` that it is given and returns it, so that several can draw one over the other.
Without ``ax`` it makes a figure with ``matplotlib.pyplot``, which notebooks show by themselves and scripts with
``pyplot.show()``; with it pyplot is not even loaded, and any backend will do. World and local coordinates have y
downwards. Axes are labelled in pixels, and in nm on the opposite sides where the size of a pixel is known.
"""

from renderapi.plot.images import intensity_histogram, rendered_section
from renderapi.plot.matches import (
    montage_matches,
    residual_histogram,
    residual_vectors,
    seams,
    tile_pair_matches,
)
from renderapi.plot.tiles import section_layout, stack_overview
from renderapi.plot.transforms import transform_grid

__all__ = [
    "intensity_histogram",
    "montage_matches",
    "rendered_section",
    "residual_histogram",
    "residual_vectors",
    "seams",
    "section_layout",
    "stack_overview",
    "tile_pair_matches",
    "transform_grid",
]
