"""Validators that decide which tile specs an import takes, with the rules of the Java classes of those names.

Source of the rules: ``org.janelia.alignment.spec.validator`` of render-app.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import numpy as np

from renderapi.errors import RenderWarning, SpecError
from renderapi.geometry import bounding_boxes

logger = logging.getLogger("renderapi.client")

Document = dict[str, Any]
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
        """Give the settings as text, without blanks, which the client scripts cannot hand on."""
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
        for tile, box in zip(tiles, self._boxes(tiles, shared)):
            problem = box if isinstance(box, str) else next(self.problems(tile, box), None)
            if problem is None:
                kept.append(tile)
            else:
                problems[str(tile.get("tileId"))] = problem
                logger.error("tile %s is left out: %s", tile.get("tileId"), problem)
        if problems:
            shown = "; ".join(f"{tile_id}: {why}" for tile_id, why in list(problems.items())[:5])
            more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
            warnings.warn(
                f"{type(self).__name__} leaves out {len(problems)} of {len(tiles)} tiles: {shown}{more}",
                RenderWarning,
                stacklevel=2,
            )
        return kept, list(problems)

    @staticmethod
    def _boxes(tiles: Sequence[Document], shared: Mapping[str, Document]) -> list[np.ndarray[Any, Any] | str]:
        """Give the bounding box of each tile, or why it has none."""
        try:
            return list(bounding_boxes(tiles, shared))
        except SpecError:
            pass  # at least one is bad: find out which
        result: list[np.ndarray[Any, Any] | str] = []
        for tile in tiles:
            try:
                result.append(bounding_boxes([tile], shared)[0])
            except SpecError as error:
                result.append(str(error))
        return result

    def problems(self, tile: Document, box: np.ndarray[Any, Any]) -> Iterator[str]:
        """Give what is wrong with a tile, in the order in which it is looked for.

        Parameters
        ----------
        tile : dict
            TileSpec document.
        box : (4,) float64 array
            minX, minY, maxX, maxY.
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

    def problems(self, tile: Document, box: np.ndarray[Any, Any]) -> Iterator[str]:
        """Give what is wrong with a tile, in the order in which it is looked for."""
        yield from super().problems(tile, box)
        min_x, min_y, max_x, max_y = box.tolist()
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
