"""Validators that decide which tile specs an import takes, with the rules of the Java classes of those names.

Tiles are never left out silently: log and warning say which and why, and their ids are returned.

Source of the rules: ``org.janelia.alignment.spec.validator`` of render-app.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from renderapi._slips import warn_caller
from renderapi.client.documents import Document
from renderapi.errors import SpecError
from renderapi.geometry import bounding_boxes, points_to_world
from renderapi.transform.least_squares import rigid

logger = logging.getLogger("renderapi.client")

Array = NDArray[np.float64]
V = TypeVar("V", bound="TileSpecValidator")


@dataclass
class TileSpecValidator:
    """What every validator asks of a tile: a z, images that exist, transforms that can be evaluated.

    Image and mask files without a scheme, or with ``file:``, must exist, be readable and not be empty on this
    machine; other URLs are not looked at.
    """

    @classmethod
    def from_data(cls: type[V], data: str) -> V:
        """Make a validator of settings as text.

        Parameters
        ----------
        data : str
            ``name:number`` pairs separated by commas. Unknown names are ignored, and of two the last counts.

        Returns
        -------
        TileSpecValidator
            One of this class; what is not set has the default of Java.

        Raises
        ------
        ValueError
            If a number cannot be read.
        """
        known = {f.name for f in fields(cls)}
        values: dict[str, float] = {}
        for entry in data.split(","):
            name, separator, number = entry.strip().partition(":")
            if separator and name in known:
                try:
                    values[name] = float(number)
                except ValueError:
                    raise ValueError(f"{name} of a {cls.__name__} is {number!r}, not a number") from None
        return cls(**values)

    def data(self) -> str:
        """Return the settings as text, without blanks, which the client scripts cannot hand on."""
        return ",".join(f"{name}:{value:.17g}" for name, value in asdict(self).items())

    def split(
        self, tiles: Sequence[Document], shared: Mapping[str, Document]
    ) -> tuple[list[Document], list[str]]:
        """Part the good tiles from the bad.

        Parameters
        ----------
        tiles : list of dict
            TileSpec documents.
        shared : dict
            Shared transform documents by id.

        Returns
        -------
        kept : list of dict
        rejected : list of str
            Ids of the others, which a `RenderWarning` and the log name with the reason.
        """
        kept: list[Document] = []
        problems: dict[str, str] = {}
        for tile, problem in zip(tiles, self.judge(tiles, shared)):
            if problem is None:
                kept.append(tile)
            else:
                problems[str(tile.get("tileId"))] = problem
                logger.error("tile %s is left out: %s", tile.get("tileId"), problem)
        if problems:
            shown = "; ".join(f"{tile_id}: {why}" for tile_id, why in list(problems.items())[:5])
            more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
            warn_caller(
                f"{type(self).__name__} leaves out {len(problems)} of {len(tiles)} tiles: {shown}{more}"
            )
        return kept, list(problems)

    def judge(self, tiles: Sequence[Document], shared: Mapping[str, Document]) -> list[str | None]:
        """Tell what is wrong with each tile.

        Parameters
        ----------
        tiles : list of dict
            TileSpec documents.
        shared : dict
            Shared transform documents by id.

        Returns
        -------
        list of str or None
            The first thing that is wrong, None for a good tile.
        """
        return [
            measured if isinstance(measured, str) else next(self.problems(tile, measured), None)
            for tile, measured in zip(tiles, self._measured(tiles, shared))
        ]

    def _measured(self, tiles: Sequence[Document], shared: Mapping[str, Document]) -> list[Array | str]:
        """Return what is measured of each tile, or why that is not possible."""
        try:
            return list(self.measure(tiles, shared))
        except SpecError:
            pass  # at least one is bad: find out which
        result: list[Array | str] = []
        for tile in tiles:
            try:
                result += list(self.measure([tile], shared))
            except SpecError as error:
                result.append(str(error))
        return result

    def measure(self, tiles: Sequence[Document], shared: Mapping[str, Document]) -> Array:
        """Return the numbers by which the validator judges tiles, one row for each: here their boxes.

        Parameters
        ----------
        tiles : list of dict
            TileSpec documents.
        shared : dict
            Shared transform documents by id.

        Returns
        -------
        (N, 4) float64 array
            minX, minY, maxX, maxY.

        Raises
        ------
        SpecError
            If transforms cannot be evaluated.
        """
        return bounding_boxes(tiles, shared)

    def problems(self, tile: Document, measured: Array) -> Iterator[str]:
        """Look for what is wrong with a tile, in the order in which Java looks for it.

        Parameters
        ----------
        tile : dict
            TileSpec document.
        measured : float64 array
            What `measure` gave for it.

        Yields
        ------
        str
            One thing that is wrong; nothing for a tile that is valid.
        """
        for channel in tile.get("channels") or [tile]:
            levels = channel.get("mipmapLevels") or {}
            if not levels:
                yield "it has no mipmap levels"
            for level, mipmap in levels.items():
                if not mipmap.get("imageUrl"):
                    yield f"mipmap level {level} has no imageUrl"
                for key in ("imageUrl", "maskUrl"):
                    if mipmap.get(key):
                        yield from _file_problems(key, mipmap[key])
        if tile.get("z") is None:
            yield "it has no z"


def _file_problems(key: str, url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme not in ("", "file"):
        return
    path = unquote(parts.path) if parts.scheme else url
    if not os.path.isfile(path):  # noqa: PTH113 - 10^4 tiles a section
        yield f"cannot find {key} file {path!r}"
    elif not os.access(path, os.R_OK):
        yield f"no read access for {key} file {path!r}"
    elif os.path.getsize(path) == 0:  # noqa: PTH202
        yield f"{key} file {path!r} is empty"


@dataclass
class TemTileSpecValidator(TileSpecValidator):
    """For tiles of transmission electron microscopes: coordinates and sizes within (inclusive) limits.

    Parameters
    ----------
    minCoordinate, maxCoordinate : float
        Limits of the bounding box in pixels.
    minSize, maxSize : float
        Limits of its width and height in pixels.
    """

    minCoordinate: float = 0.0
    maxCoordinate: float = 400000.0
    minSize: float = 500.0
    maxSize: float = 5000.0

    def problems(self, tile: Document, measured: Array) -> Iterator[str]:
        """Look for what is wrong with a tile, in the order in which Java looks for it.

        Parameters
        ----------
        tile : dict
            TileSpec document.
        measured : (4,) float64 array
            Its box: minX, minY, maxX, maxY.

        Yields
        ------
        str
            One thing that is wrong; nothing for a tile that is valid.
        """
        yield from super().problems(tile, measured)
        min_x, min_y, max_x, max_y = measured.tolist()
        for name, value, limit, bad in (
            ("minX", min_x, self.minCoordinate, min_x < self.minCoordinate),
            ("minY", min_y, self.minCoordinate, min_y < self.minCoordinate),
            ("maxX", max_x, self.maxCoordinate, max_x > self.maxCoordinate),
            ("maxY", max_y, self.maxCoordinate, max_y > self.maxCoordinate),
        ):
            if bad:
                yield f"{name} {value:g} is {'below' if value < limit else 'above'} {limit:g}"
        for name, size in (("width", max_x - min_x), ("height", max_y - min_y)):
            if not self.minSize <= size <= self.maxSize:
                yield f"{name} {size:g} is not between {self.minSize:g} and {self.maxSize:g}"


# sampled points that are mapped at once
_SAMPLES = 2**18


@dataclass
class WarpedTileSpecValidator(TileSpecValidator):
    """For tiles that are warped: none may be bent far from the rotation and translation that fits it best.

    Parameters
    ----------
    maxDeltaThreshold : float
        Tiles with a point that is more pixels than this from where the rigid transform has it are left out.
    warnDeltaThreshold : float
        Tiles with a point beyond this are kept, with a warning in the log.
    samplesPerDimension : float
        Number of points along x and y, the fraction cut off.
    """

    maxDeltaThreshold: float = 1000.0
    warnDeltaThreshold: float = 600.0
    samplesPerDimension: float = 64.0

    def measure(self, tiles: Sequence[Document], shared: Mapping[str, Document]) -> Array:
        """Return how far each tile is bent: (N, 1), the largest distance in pixels."""
        # sizes must be there, and transforms such that a box can be derived
        bounding_boxes(tiles, shared)
        count = int(self.samplesPerDimension)
        sizes = np.array([[int(float(tile[name])) for name in ("width", "height")] for tile in tiles])
        steps = np.arange(count)[None, :, None] * (sizes[:, None, :] - 1) / max(count - 1, 1)  # (N, count, 2)
        result = np.empty((len(tiles), 1))
        at_once = max(1, _SAMPLES // count**2)
        for start in range(0, len(tiles), at_once):
            part = slice(start, start + at_once)
            x, y = (np.tile(steps[part, :, 0], count), np.repeat(steps[part, :, 1], count, axis=1))
            points = np.column_stack([x.ravel(), y.ravel()])
            owner = np.repeat(np.arange(len(x)), count**2)
            world = points_to_world(tiles[part], owner, points, shared).reshape(len(x), -1, 2)
            # points along the first axis, tiles along the second
            px, py, qx, qy = (np.ascontiguousarray(v.T) for v in (x, y, world[..., 0], world[..., 1]))
            m00, m01, m10, m11, m02, m12 = rigid(px, py, qx, qy, None)
            dx, dy = qx - (m00 * px + m01 * py + m02), qy - (m10 * px + m11 * py + m12)
            result[part, 0] = np.sqrt(dx * dx + dy * dy).max(axis=0)
        return result

    def problems(self, tile: Document, measured: Array) -> Iterator[str]:
        """Look for what is wrong with a tile, in the order in which Java looks for it."""
        yield from super().problems(tile, measured)
        delta = float(measured[0])
        if delta > self.maxDeltaThreshold:
            yield f"it is bent by {delta:g} pixels, which is more than {self.maxDeltaThreshold:g}"
        elif delta > self.warnDeltaThreshold:
            logger.warning(
                "tile %s is bent by %g pixels, which is more than %g",
                tile.get("tileId"), delta, self.warnDeltaThreshold,
            )  # fmt: skip


_VALIDATORS: dict[str, type[TileSpecValidator]] = {
    kind.__name__: kind for kind in (TemTileSpecValidator, WarpedTileSpecValidator)
}


def validator_of(class_name: str | None, data: str | None) -> TileSpecValidator | None:
    """Make the validator that a Java class name and its settings stand for.

    Parameters
    ----------
    class_name : str, optional
        Name of the class, with or without package; None for no validator, whatever the settings.
    data : str, optional
        Settings, see `TileSpecValidator.from_data`.

    Returns
    -------
    TileSpecValidator or None
        The validator; None without a class.

    Raises
    ------
    ValueError
        If there is no such validator, or a number cannot be read.
    """
    if class_name is None:
        return None
    kind = _VALIDATORS.get(class_name.rpartition(".")[2])
    if kind is None:
        raise ValueError(
            f"validatorClass {class_name!r} is not known in Python; known are {', '.join(_VALIDATORS)}"
        )
    return kind.from_data(data or "")
