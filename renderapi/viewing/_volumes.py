"""Stacks as volumes in the precomputed format of Neuroglancer: what there is, and the bytes of each part.

Formats: https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed, ``volume.md`` and
``annotations.md``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi._project import Project
from renderapi.errors import NotFoundError
from renderapi.geometry import points_to_world
from renderapi.image import get_bb_image
from renderapi.pointmatch import get_matches_with_group
from renderapi.resolvedtiles import get_resolved_tiles_from_z
from renderapi.solve.models import MODELS
from renderapi.solve.tiles import Tiles
from renderapi.stack import get_full_stack_metadata, get_stack_bounds, get_stack_sectionData, resolution_of

Array = NDArray[np.float64]

#: Side of the images that a page asks for, in pixels.
CHUNK = 512
#: With more tiles in such an image, the server draws their boxes instead, as in the dashboard.
MOST_TILES = 256
#: Tiles of a section of which outlines are drawn, and lines of its matches: what a page bears.
MOST_OUTLINES = 20_000
MOST_MATCHES = 100_000
# along each side of a tile, so that outlines of tiles that are bent are bent
_STEPS = 2
_LINE = np.dtype([("ends", "<f4", (2, 3))])


class Volume:
    """A stack as a volume: images of boxes, outlines of tiles, matches between them.

    A section lies in the plane ``floor(z)``.

    Parameters
    ----------
    stack : str
        Name of the stack.
    at : Project
        Where it is.
    drawn : dict
        Further arguments of `renderapi.image.get_bb_image`: channel, display range.

    Attributes
    ----------
    planes : dict
        z of the section that each plane shows.
    hidden : list of float
        Sections whose plane shows another one.
    low, high : tuple of int
        Corners in voxels; the second is outside.
    resolution : tuple of float or None
        Size of a voxel along x, y and z in nm, where the stack has it.
    """

    def __init__(self, stack: str, at: Project, drawn: dict[str, Any]) -> None:
        self.stack, self._at, self._drawn = stack, at, drawn
        sections = get_stack_sectionData(stack, **at.keywords())
        if not sections:
            raise NotFoundError(f"stack {stack} has no sections to look at")
        self.planes: dict[int, float] = {}
        self.hidden: list[float] = []
        self._groups: dict[float, list[str]] = {}
        self._z_of: dict[str, float] = {}
        for section in sections:
            z, group = float(section["z"]), str(section["sectionId"])
            self._groups.setdefault(z, []).append(group)
            self._z_of[group] = z
        for z in sorted(self._groups):
            if self.planes.setdefault(math.floor(z), z) != z:
                self.hidden.append(z)
        bounds = get_stack_bounds(stack, **at.keywords())
        self.low = (math.floor(bounds["minX"]), math.floor(bounds["minY"]), min(self.planes))
        self.high = (
            max(math.ceil(bounds["maxX"]), self.low[0] + 1),
            max(math.ceil(bounds["maxY"]), self.low[1] + 1),
            max(self.planes) + 1,
        )
        version = get_full_stack_metadata(stack, **at.keywords()).get("currentVersion") or {}
        self.resolution = resolution_of(version)

    @property
    def middle(self) -> tuple[float, float, float]:
        """The middle of the box, in the section that is nearest to it."""
        plane = sorted(self.planes)[len(self.planes) // 2]
        return (self.low[0] + self.high[0]) / 2, (self.low[1] + self.high[1]) / 2, plane + 0.5

    # ---------------------------------------------------------------------------------------- images

    @cached_property
    def _levels(self) -> int:
        side = max(self.high[0] - self.low[0], self.high[1] - self.low[1])
        return max(0, math.ceil(math.log2(side / CHUNK))) + 1

    def _box(self, level: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        factor = np.array([1 << level, 1 << level, 1])
        return np.floor_divide(self.low, factor), -np.floor_divide(np.negative(self.high), factor)

    def info(self) -> dict[str, Any]:
        """Describe the volume, its levels each half as large as the one before."""
        scales = []
        nm = self.resolution or (1.0, 1.0, 1.0)
        for level in range(self._levels):
            low, high = self._box(level)
            scales.append(
                {
                    "key": str(level),
                    "size": (high - low).tolist(),
                    "voxel_offset": low.tolist(),
                    "resolution": [nm[0] * 2**level, nm[1] * 2**level, nm[2]],
                    "chunk_sizes": [[CHUNK, CHUNK, 1]],
                    "encoding": "raw",
                }
            )
        return {
            "@type": "neuroglancer_multiscale_volume",
            "type": "image",
            "data_type": "uint8",
            "num_channels": 1,
            "scales": scales,
        }

    def image(self, level: int, name: str) -> bytes | None:
        """Draw a part of a section.

        Parameters
        ----------
        level : int
            The image is ``2 ** level`` times smaller than the box.
        name : str
            The box, ``x0-x1_y0-y1_z0-z1`` in voxels of the level.

        Returns
        -------
        bytes or None
            A gray value, 0 to 255, for each pixel, row by row; None for what is not there.
        """
        found = re.fullmatch(r"(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)", name)
        if not found or not 0 <= level < self._levels:
            return None
        x0, x1, y0, y1, plane, end = map(int, found.groups())
        low, high = self._box(level)
        inside = low[0] <= x0 < x1 <= high[0] and low[1] <= y0 < y1 <= high[1]
        if not inside or x1 - x0 > CHUNK or y1 - y0 > CHUNK or end != plane + 1 or plane not in self.planes:
            return None
        factor = 1 << level
        image = get_bb_image(
            self.stack,
            self.planes[plane],
            x0 * factor,
            y0 * factor,
            (x1 - x0) * factor,
            (y1 - y0) * factor,
            scale=1 / factor,
            maxTileSpecsToRender=MOST_TILES,
            gray=True,
            **self._drawn,
            **self._at.keywords(),
        )
        return np.ascontiguousarray(image, dtype=np.uint8).tobytes()

    # ----------------------------------------------------------------------------------------- lines

    def lines_info(self, dimensions: Mapping[str, Any]) -> dict[str, Any]:
        """Describe lines in the volume, a part for each section; dimensions are as `dimensions_of` gives them."""
        return {
            "@type": "neuroglancer_annotations_v1",
            "dimensions": dict(dimensions),
            "lower_bound": list(self.low),
            "upper_bound": list(self.high),
            "annotation_type": "LINE",
            "properties": [],
            "relationships": [],
            "by_id": {"key": "by_id"},
            "spatial": [
                {
                    "key": "sections",
                    "grid_shape": [1, 1, self.high[2] - self.low[2]],
                    "chunk_size": [self.high[0] - self.low[0], self.high[1] - self.low[1], 1],
                    # of how many there are at most a page would conclude that they are too many to be seen
                    "limit": 1,
                }
            ],
        }

    def outlines(self, plane: int) -> bytes:
        """Draw outlines of the tiles of a section."""
        if plane not in self.planes:
            return _lines(np.empty((0, 2, 3)))
        resolved = get_resolved_tiles_from_z(self.stack, self.planes[plane], **self._at.keywords())
        tiles = resolved.tilespecs[:MOST_OUTLINES]
        along = np.arange(_STEPS) / _STEPS
        start, end = np.zeros(_STEPS), np.ones(_STEPS)
        unit = np.stack(
            [
                np.concatenate([along, end, 1 - along, start]),
                np.concatenate([start, along, end, 1 - along]),
            ],
            axis=1,
        )
        sizes = np.array([(tile.width, tile.height) for tile in tiles], dtype=np.float64).reshape(-1, 1, 2)
        local = (unit * sizes).reshape(-1, 2)
        world = points_to_world(
            tiles, np.repeat(np.arange(len(tiles)), len(unit)), local, resolved.transforms
        )
        corners = np.full((len(tiles), len(unit), 3), plane + 0.5)
        corners[..., :2] = world.reshape(len(tiles), len(unit), 2)
        return _lines(np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2, 3))

    def matches(self, collection: str, owner: str | None, plane: int) -> bytes:
        """Draw matches of a section, each a line between its ends: within it, and to the sections that follow.

        Of more than `MOST_MATCHES` every so many are left out, from all pairs alike.
        """
        z = self.planes.get(plane)
        found: list[dict[str, Any]] = []
        for group in self._groups.get(z, ()) if z is not None else ():
            keywords = {**self._at.keywords(), "owner": owner or self._at.owner}
            found += get_matches_with_group(collection, group, **keywords)
        planes = {z: plane for plane, z in self.planes.items()}
        count = sum(len(match["matches"]["w"]) for match in found)
        step = max(1, -(-count // MOST_MATCHES))
        parts = [np.empty((0, 2, 3))]
        by_group: dict[str, list[dict[str, Any]]] = {}
        for match in found:
            by_group.setdefault(match["qGroupId"], []).append(match)
        for group, some in by_group.items():
            other = self._z_of.get(group)
            if z is None or other not in planes:
                continue
            p, q = (self._ends(some, side, at, step) for side, at in (("p", z), ("q", other)))
            ends = np.stack(
                [
                    np.column_stack([xy, np.full(len(xy), planes[at] + 0.5)])
                    for xy, at in ((p, z), (q, other))
                ],
                axis=1,
            )
            parts.append(ends[np.isfinite(ends).all(axis=(1, 2))])
        return _lines(np.concatenate(parts))

    def _ends(self, matches: list[dict[str, Any]], side: str, z: float, step: int) -> Array:
        # in the world; NaN of tiles that are not there
        tiles = self._tiles(z)
        points = [np.asarray(match["matches"][side], dtype=np.float64).T[::step] for match in matches]
        number = [tiles.number.get(match[f"{side}Id"], -1) for match in matches]
        of = np.repeat(number, [len(some) for some in points])
        ends = np.full((len(of), 2), np.nan)
        if (there := of >= 0).any():
            ends[there] = tiles.to_base(of[there], np.concatenate(points)[there])
        return ends

    @lru_cache(4)  # noqa: B019 - a volume lives as long as its page
    def _tiles(self, z: float) -> Tiles:
        # with nothing to be found, all transforms stay: base coordinates are the world
        resolved = get_resolved_tiles_from_z(self.stack, z, **self._at.keywords())
        return Tiles(resolved, None, MODELS["translation"], "matching", "append")


def dimensions_of(volume: Volume) -> dict[str, list[Any]]:
    """Return size and unit of a voxel along each axis; without unit where the stack has no resolution."""
    if volume.resolution is None:
        return {axis: [1, ""] for axis in "xyz"}
    return {axis: [size * 1e-9, "m"] for axis, size in zip("xyz", volume.resolution)}


def _lines(ends: Array) -> bytes:
    """Encode lines (N, 2, 3) in voxels."""
    count = len(ends)
    ids: NDArray[np.uint64] = np.arange(1, count + 1, dtype="<u8")
    return count.to_bytes(8, "little") + ends.astype("<f4").tobytes() + ids.tobytes()
