"""Boxes of tiles drawn in the place of their pixels, for layers with more tiles than one waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from renderapi._names import BOX
from renderapi.rendering import _parameters
from renderapi.rendering._parameters import number_of
from renderapi.rendering.errors import RenderParametersError

if TYPE_CHECKING:
    from PIL import ImageDraw

#: Opaque green.
COLOUR = (0, 255, 0, 255)
CHARACTERS_IN_LINE = 12

# between the lines of an id, in pixels
_LINE_GAP = 2
# width of a line of the original's font, and what a box must be wider than: 1.3 lines, truncated, plus 1
_LINE_WIDTH = 84
_LEAST_WIDTH = 110
# what begins farther away, in pixels, is not seen
_FAR = 1 << 20


def image_size(render_parameters: Mapping[str, Any]) -> tuple[int, int]:
    """Return width and height of the image that render parameters ask for: scaled, and truncated.

    Parameters
    ----------
    render_parameters : mapping
        A RenderParameters document; only ``width``, ``height`` and ``scale`` are looked at.

    Returns
    -------
    tuple of int
        Width and height in pixels, both at least 1.

    Raises
    ------
    RenderParametersError
        If there would be no pixel in one direction, or a value is no finite number.
    """
    width, height = (int(number_of(render_parameters, name, 256)) for name in ("width", "height"))
    return _parameters.image_size(number_of(render_parameters, "scale", 1.0), width, height)


def draw_outlines(render_parameters: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
    """Draw the bounding boxes of tiles on a transparent image.

    The outlines are green and 1 pixel wide. A box of more than 110 pixels shows the id of its tile, in lines of
    12 characters. Nothing but the boxes is looked at: images need not be there, transforms not be known.

    Parameters
    ----------
    render_parameters : mapping
        A RenderParameters document; its ``tileSpecs`` need ``minX``, ``minY``, ``maxX``, ``maxY`` in world
        coordinates, and ``tileId`` to be named.

    Returns
    -------
    (H, W, 4) uint8 array
        RGBA, of the size that rendering the parameters would give.

    Raises
    ------
    RenderParametersError
        If the image has no pixel, or a tile has no box.
    """
    from PIL import Image, ImageDraw

    columns, rows = image_size(render_parameters)
    image = Image.new("RGBA", (columns, rows))
    tiles = render_parameters.get("tileSpecs") or ()
    corners = _corners(render_parameters, tiles)
    first, last = corners[:, :2], corners[:, 2:]
    visible = ((last >= 0) & (first < (columns, rows)) & (first <= last)).all(axis=1)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    height = int(draw.textbbox((0, 0), "A")[3])
    for index in np.flatnonzero(visible):
        # an edge beyond the image stays beyond it, at a coordinate that Pillow can hold
        left, top, right, bottom = np.clip(corners[index], -2, [columns + 1, rows + 1] * 2).tolist()
        draw.rectangle((left, top, right, bottom), outline=COLOUR)
        text = tiles[index].get("tileId")
        if text:
            _write_id(draw, str(text), corners[index], height)
    return np.array(image)


def _corners(parameters: Mapping[str, Any], tiles: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
    """Return first and last column and row of boxes: corner and size are scaled, and each is truncated."""
    boxes = np.array([_box(tile) for tile in tiles], np.float64).reshape(-1, 4)
    scale = number_of(parameters, "scale", 1.0)
    offset = [number_of(parameters, name, 0.0) for name in "xy"]
    with np.errstate(over="ignore", invalid="ignore"):
        corner, opposite = ((part - offset) * scale for part in (boxes[:, :2], boxes[:, 2:]))
        first = np.trunc(corner)
        found = np.hstack([first, first + np.trunc(opposite - corner)])
    found[np.isnan(found)] = np.inf
    return found


def _box(tile: Mapping[str, Any]) -> list[float]:
    missing = [key for key in BOX if tile.get(key) is None]
    if missing:
        raise RenderParametersError(f"tile {tile.get('tileId')} has no {', '.join(missing)}")
    return [number_of(tile, key, 0.0) for key in BOX]


def _write_id(draw: ImageDraw.ImageDraw, text: str, corners: npt.NDArray[np.float64], height: int) -> None:
    """Write an id into its box if it is wide enough: lines in its middle, the first on a quarter of its height."""
    rows = draw.im.size[1]
    left, top, right, bottom = corners
    if right - left <= _LEAST_WIDTH:
        return
    # a line feed in an id is no line of its own
    text = "".join(character if character.isprintable() else "?" for character in text)
    x = left + (right - left - _LINE_WIDTH) // 2
    y = top + (bottom - top) // 4 - height
    for first in range(0, len(text), CHARACTERS_IN_LINE):
        if not (abs(x) < _FAR and y < rows):
            return
        if y + 2 * height >= 0:
            draw.text((int(x), int(y)), text[first : first + CHARACTERS_IN_LINE], fill=COLOUR)
        y += height + _LINE_GAP
