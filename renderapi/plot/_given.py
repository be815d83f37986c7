"""What plots are given: tiles, matches and reports of many kinds become arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import SpecError
from renderapi.geometry import bounding_boxes, match_residuals, points_to_world
from renderapi.geometry.residuals import MatchResiduals
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.selections import MatchSelection, TileSelection
from renderapi.stack import StackInfo, StackVersion, get_stack_metadata, resolution_of
from renderapi.tilespec import TileSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

BOUNDS = ("minX", "minY", "maxX", "maxY")
_AFFINE = ("M00", "M01", "B0", "M10", "M11", "B1")
#: Attributes of tile specs and layouts that are called otherwise in documents and tables.
_OTHERWISE = {
    "camera": "cameraId",
    "temca": "scopeId",
    "minIntensity": "minint",
    "maxIntensity": "maxint",
}


@dataclass
class Tiles:
    """Tiles that are to be drawn.

    Attributes
    ----------
    boxes : (N, 4) array
        minX, minY, maxX, maxY in the world.
    column : callable
        Gives the values of a column by its name.
    """

    given: Any
    boxes: Array
    column: Callable[[str], Any]
    ids: list[str] | None = None
    specs: Sequence[Any] | None = None
    shared: Any = field(default=None, repr=False)

    def values(self, color: Any) -> NDArray[Any]:
        """Return a value for each tile, of an array, a mapping by tile id, or the name of a column."""
        if isinstance(color, str):
            return np.asarray(self.column(color))
        if isinstance(color, Mapping) or (hasattr(color, "index") and hasattr(color, "to_dict")):
            return self._of_mapping(color)
        values = np.asarray(color)
        if values.shape != (len(self.boxes),):
            raise SpecError(
                f"color has the shape {values.shape}; {len(self.boxes)} tiles need as many values"
            )
        return values

    def _of_mapping(self, color: Any) -> NDArray[Any]:
        if self.ids is None:
            raise SpecError("color is by tile id, but these tiles have none: give an array")
        # of a pandas Series too, whose index has the ids
        given = color if isinstance(color, Mapping) else color.to_dict()
        found = [given.get(tile_id) for tile_id in self.ids]
        if all(value is None for value in found):
            some = f"{next(iter(given), None)!r:.60}" if len(given) else "none"
            raise SpecError(f"no tile has an id that color knows: {some} is no id like {self.ids[0]!r:.60}")
        if any(isinstance(value, str) for value in found):
            return np.array(found, object)
        return np.array([np.nan if value is None else value for value in found], np.float64)

    @cached_property
    def borders(self) -> Array:
        """Corners of the tiles where their transforms put them, (N, 4, 2); of boxes where transforms are not known."""
        if self.specs is None or any(_of(spec, "width") is None for spec in self.specs):
            return corners_of(self.boxes)
        sizes = np.array([[_of(spec, "width"), _of(spec, "height")] for spec in self.specs], np.float64)
        unit = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        local = (sizes.reshape(-1, 1, 2) * unit).reshape(-1, 2)
        of = np.repeat(np.arange(len(self.specs)), 4)
        return points_to_world(self.specs, of, local, self.shared).reshape(-1, 4, 2)


def corners_of(boxes: Array) -> Array:
    """Return the corners of boxes, (N, 4, 2)."""
    corners: Array = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    return corners


def around(boxes: Array) -> Array:
    """Return the corners of the box around all boxes that are finite, (2, 2); without any, none."""
    there = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(there):
        return np.empty((0, 2))
    return np.array([[there[:, 0].min(), there[:, 1].min()], [there[:, 2].max(), there[:, 3].max()]])


def _of(spec: Any, name: str) -> Any:
    return spec.get(name) if isinstance(spec, Mapping) else getattr(spec, name, None)


def tiles_of(given: Any, *, need_specs: bool = False) -> Tiles:
    """Read tiles, of whatever kind.

    Parameters
    ----------
    given : TileSelection, ResolvedTiles, iterable of TileSpec or dict, TileSpec, table, or (N, 4) array_like
        The tiles; a table is a pandas.DataFrame, a pyarrow.Table or a mapping of arrays.
    need_specs : bool
        Whether transforms are needed, so that boxes alone will not do.

    Returns
    -------
    Tiles

    Raises
    ------
    SpecError
        If it is nothing of that.
    """
    if isinstance(given, Tiles):
        tiles = given
    elif isinstance(given, TileSelection):
        tiles = _specs(given, list(given)) if need_specs else _arrays(given, given.to_arrays())
    elif isinstance(given, ResolvedTiles):
        tiles = _specs(given, given.tilespecs, given.transforms)
    elif isinstance(given, TileSpec) or (isinstance(given, Mapping) and "tileId" in given and _is_one(given)):
        tiles = _specs(given, [given])
    elif isinstance(given, Mapping) or hasattr(given, "columns"):
        tiles = _arrays(given, given)
    elif isinstance(given, str) or not isinstance(given, Iterable):
        raise SpecError(f"these are no tiles: {given!r:.100} (give renderapi.stack.tiles(...) or tile specs)")
    else:
        tiles = _listed(given)
    if need_specs and tiles.specs is None:
        raise SpecError("the transforms of the tiles are needed here: give tile specs, not boxes")
    return tiles


def _is_one(given: Mapping[str, Any]) -> bool:
    return isinstance(given["tileId"], str)


def _listed(given: Iterable[Any]) -> Tiles:
    items = given if isinstance(given, np.ndarray) else list(given)
    if not isinstance(items, np.ndarray) and all(isinstance(item, (TileSpec, Mapping)) for item in items):
        return _specs(given, items)
    try:
        boxes = np.asarray(items, np.float64)
    except (TypeError, ValueError):
        boxes = np.empty(0)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise SpecError(
            f"tiles are tile specs, or boxes of the shape (N, 4): minX, minY, maxX, maxY; not {items!r:.100}"
        )
    return Tiles(given, boxes, _no_column)


def _no_column(name: str) -> Any:
    raise SpecError(f"boxes have no column {name!r}: give color as an array")


def _specs(given: Any, specs: Sequence[Any], shared: Any = None) -> Tiles:
    sized = all(_of(spec, "width") is not None and _of(spec, "height") is not None for spec in specs)
    if sized:
        boxes = bounding_boxes(specs, shared)
    else:
        # what a server tells of bounds has no size and no transforms
        boxes = np.array([[_of(spec, side) for side in BOUNDS] for spec in specs], np.float64).reshape(-1, 4)
        if np.isnan(boxes).any():
            bad = _of(specs[int(np.isnan(boxes).any(axis=1).argmax())], "tileId")
            raise SpecError(f"tile {bad} has neither width and height nor minX, minY, maxX and maxY")
    ids = [str(_of(spec, "tileId")) for spec in specs]

    def column(name: str) -> Any:
        if name in BOUNDS:
            return boxes[:, BOUNDS.index(name)]
        return _column([spec if isinstance(spec, TileSpec) else TileSpec(json=spec) for spec in specs], name)

    return Tiles(given, boxes, column, ids, specs, shared)


def _column(tiles: list[TileSpec], name: str) -> Any:
    name = _OTHERWISE.get(name, name)
    values = [getattr(tile, name, None) for tile in tiles]
    if all(value is None for value in values):
        values = [getattr(tile.layout, name, None) for tile in tiles]
    if all(value is None for value in values):
        raise SpecError(f"no tile has {name!r}: color is an attribute of TileSpec or Layout, such as stageX")
    if any(isinstance(value, str) for value in values):
        return np.array(values, object)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _arrays(given: Any, table: Any) -> Tiles:
    # pyarrow.Table names its columns so, pandas and mappings do by keys()
    names = getattr(table, "column_names", None)
    names = list(table.keys()) if names is None else list(names)
    if "box" in names:
        boxes = np.asarray(table["box"], np.float64).reshape(-1, 4)
    elif set(BOUNDS) <= set(names):
        boxes = np.column_stack([np.asarray(table[side], np.float64) for side in BOUNDS])
    else:
        raise SpecError(
            f"a table of tiles needs {', '.join(BOUNDS)} (or box), and has {', '.join(names):.200}"
        )

    def column(name: str) -> Any:
        if name in names:
            return np.asarray(table[name])
        if name in BOUNDS:
            return boxes[:, BOUNDS.index(name)]
        if name in _AFFINE and "affine" in names:
            return np.asarray(table["affine"], np.float64).reshape(-1, 6)[:, _AFFINE.index(name)]
        raise SpecError(f"there is no column {name!r}, but {', '.join(map(str, names)):.200}")

    ids = [str(tile_id) for tile_id in np.asarray(table["tileId"])] if "tileId" in names else None
    return Tiles(given, boxes, column, ids)


def pixel_size(given: Any, resolution: Any) -> tuple[float, float] | None:
    """Tell the size of a pixel along x and y in nm, or None if it is not known.

    Parameters
    ----------
    given : object
        The tiles; of a selection the server is asked.
    resolution : number, (x, y), StackVersion, StackInfo, dict or None
        What a caller says of it. A dict is a StackVersion document, or one of metadata that has it.

    Returns
    -------
    tuple of float, or None

    Raises
    ------
    SpecError
        If it is nothing of that.
    """
    if resolution is None:
        if isinstance(given, StackInfo):
            resolution = given
        elif isinstance(given, TileSelection):
            resolution = get_stack_metadata(given.stack, **given.connection)
        else:
            return None
    if isinstance(resolution, StackInfo):
        resolution = resolution.version
    if isinstance(resolution, (StackVersion, Mapping)):
        if isinstance(resolution, Mapping):
            resolution = resolution.get("currentVersion", resolution)
        found = resolution_of(resolution)
        return None if found is None else found[:2]
    try:
        numbers = np.asarray(resolution, np.float64).reshape(-1)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if len(numbers) not in (1, 2, 3) or not (numbers > 0).all() or not np.isfinite(numbers).all():
        raise SpecError(
            f"resolution is {resolution!r:.100}; it must be nm in a pixel, or those along x and y"
        )
    return float(numbers[0]), float(numbers[min(1, len(numbers) - 1)])


def documents_of(matches: Any) -> list[Mapping[str, Any]]:
    """Return match documents, of a selection, a list, one document, or a report of matching.

    Raises
    ------
    SpecError
        If they are none.
    """
    if isinstance(matches, Mapping):
        return [matches]
    found = getattr(matches, "documents", None)
    if isinstance(found, list):
        matches = found  # renderapi.match.MatchReport
    if isinstance(matches, (str, np.ndarray)) or not isinstance(matches, (MatchSelection, Iterable)):
        raise SpecError(
            f"these are no matches: {matches!r:.100} (give renderapi.pointmatch.select(...) or match documents)"
        )
    documents = list(matches)
    for document in documents:
        if not isinstance(document, Mapping) or "pId" not in document:
            raise SpecError(f"{document!r:.100} is no match document with pId and qId")
    return documents


def residuals_of(tiles: Any, matches: Any, points: str | int) -> MatchResiduals:
    """Return where matches lie in the world, by the transforms of their tiles."""
    if isinstance(matches, MatchResiduals):
        return matches
    read = tiles_of(tiles, need_specs=True)
    return match_residuals(documents_of(matches), read.specs, read.shared, points=points)
