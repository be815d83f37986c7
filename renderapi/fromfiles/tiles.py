"""What files became: tile specs, and what to look at before they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from renderapi.geometry import bounding_boxes, tile_pairs
from renderapi.tilespec import TileSpec

_ROWS = 5
_LAYERS = 20


class LayerSummary(NamedTuple):
    """A layer of tiles in numbers.

    Attributes
    ----------
    z : float
        The layer.
    tiles : int
        How many tiles it has.
    bounds : tuple of 4 float
        minX, minY, maxX, maxY in world pixels.
    pairs : int
        How many pairs of neighbours overlap.
    overlap : float or None
        Median width of the overlap of such a pair, across its shorter side, in pixels.
    alone : int
        Tiles that overlap with no other.
    """

    z: float
    tiles: int
    bounds: tuple[float, float, float, float]
    pairs: int
    overlap: float | None
    alone: int


class TilesFromFiles(list[TileSpec]):
    """Tile specs made of files: a list, which says what it holds before it is sent.

    Parameters
    ----------
    tilespecs : iterable of TileSpec
        The tiles.
    notes : iterable of str, optional
        What the files hold that tile specs do not, and what was decided.
    resolution : tuple of 3 float or None, optional
        nm of a voxel in x, y and z, as far as the files say.

    Attributes
    ----------
    notes : list of str
        As given.
    resolution : tuple of 3 float or None
        For `renderapi.stack.create_stack`.
    """

    def __init__(
        self,
        tilespecs: Iterable[TileSpec] = (),
        notes: Iterable[str] = (),
        resolution: tuple[float | None, float | None, float | None] | None = None,
    ) -> None:
        super().__init__(tilespecs)
        self.notes = list(notes)
        self.resolution = resolution

    def layers(self) -> list[LayerSummary]:
        """Sum up each layer: its tiles, bounds and overlaps.

        Returns
        -------
        list of LayerSummary
            By z.
        """
        boxes, zs = self._boxes()
        return [_summary(z, boxes[zs == z]) for z in np.unique(zs).tolist()]

    def preview(self) -> str:
        """Describe the tiles for people: layers, first tiles, notes.

        Returns
        -------
        str
            Lines of text.
        """
        layers = self.layers()
        count = f"{len(self)} tile{'s' * (len(self) != 1)} in {len(layers)} layer{'s' * (len(layers) != 1)}"
        if self.resolution is not None:
            known = " x ".join("?" if size is None else f"{size:g}" for size in self.resolution)
            count += f", {known} nm"
        rows: list[tuple[str, ...]] = [
            ("z", "tiles", "minX", "minY", "maxX", "maxY", "overlapping", "overlap", "alone")
        ]
        for layer in layers[:_LAYERS]:
            overlap = "-" if layer.overlap is None else f"{layer.overlap:g}"
            numbers = (layer.z, layer.tiles, *layer.bounds)
            rows.append((*(f"{n:.10g}" for n in numbers), str(layer.pairs), overlap, str(layer.alone)))
        lines = [count, *_columns(rows)]
        if len(layers) > _LAYERS:
            lines.append(f"... and {len(layers) - _LAYERS} more layers")
        boxes, _ = self._boxes(_ROWS)
        first: list[tuple[str, ...]] = [("tileId", "z", "size", "x", "y", "range", "image")]
        for tile, box in zip(self[:_ROWS], boxes.tolist()):
            size = f"{tile.width:g} x {tile.height:g}"
            spread = f"{tile.minint:g} - {tile.maxint:g}"
            image = next(iter(tile.ip.values())).imageUrl if tile.ip else ""
            first.append(
                (str(tile.tileId), f"{tile.z:g}", size, f"{box[0]:g}", f"{box[1]:g}", spread, str(image))
            )
        lines += ["", *_columns(first, left=(0, 6))]
        if len(self) > _ROWS:
            lines.append(f"... and {len(self) - _ROWS} more tiles")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def picture(self, z: float | None = None, size: int = 400) -> NDArray[np.uint8]:
        """Draw where the tiles of a layer lie.

        Parameters
        ----------
        z : float, optional
            The layer; default the first.
        size : int, optional
            Pixels of the longer side.

        Returns
        -------
        (H, W) uint8 array
            How many tiles lie on each pixel.

        Raises
        ------
        ValueError
            If there is no such layer.
        """
        boxes, zs = self._boxes()
        layer = min(zs, default=None) if z is None else z
        boxes = boxes[zs == layer]
        if not len(boxes):
            raise ValueError(f"there are no tiles with z {layer}")
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        scale = size / max(*(high - low), 1.0)
        width, height = np.maximum(np.ceil((high - low) * scale), 1).astype(int)
        corners = np.rint((boxes - np.tile(low, 2)) * scale).astype(int)
        # what begins and ends where; the sums of it are how many are there
        steps = np.zeros((height + 1, width + 1), np.int64)
        left, top, right, bottom = np.clip(corners, 0, [width, height, width, height]).T
        for rows, columns, step in (
            (top, left, 1),
            (top, right, -1),
            (bottom, left, -1),
            (bottom, right, 1),
        ):
            np.add.at(steps, (rows, columns), step)
        counts = steps.cumsum(axis=0).cumsum(axis=1)[:height, :width]
        picture: NDArray[np.uint8] = np.minimum(counts, 255).astype(np.uint8)
        return picture

    def _boxes(self, most: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        tiles = self[:most]
        return bounding_boxes(tiles).reshape(-1, 4), np.array([tile.z for tile in tiles], np.float64)


def _summary(z: float, boxes: NDArray[np.float64]) -> LayerSummary:
    pairs = tile_pairs(
        boxes, np.zeros(len(boxes)), exclude_corner_neighbors=False, exclude_completely_obscured_tiles=False
    )
    a, b = boxes[pairs[:, 0]], boxes[pairs[:, 1]]
    common = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    met = (common > 0).all(axis=1)
    alone = len(boxes) - len(np.unique(pairs[met]))
    overlap = float(np.median(common[met].min(axis=1))) if met.any() else None
    low, high = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    return LayerSummary(z, len(boxes), (*low, *high), int(met.sum()), overlap, alone)


def _columns(rows: list[tuple[str, ...]], left: tuple[int, ...] = ()) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
