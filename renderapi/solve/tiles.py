"""What a solver needs to know of tiles: where their points are, and where they are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi._names import BOX
from renderapi.errors import SpecError
from renderapi.geometry import points_to_world
from renderapi.geometry.chains import TileSpecError, document_of, tile_id_of
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.solve.models import Model, nearest, raw_coefficients, transform_of
from renderapi.tilespec import TileSpec
from renderapi.transform.leaf.common import blocks
from renderapi.transform.leaf.polynomial_models import powers
from renderapi.transform.trees import by_id, passed_count

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

_TILES_AT_ONCE = 20_000


class Tiles:
    """Tiles, and what of them stays as it is.

    Points of matches have gone through the first ``matched`` transforms of their tile. The first ``kept`` ones
    stay; what a solver finds takes the place of all others. *Base* coordinates are those after the kept ones.

    Attributes
    ----------
    ids : list of str
    number : dict
        Index of each id.
    z : (n,) array
        NaN where a tile has none.
    labels : list of frozenset
        Labels of tiles.
    centre : (n, 2) array
        Of the tile in base coordinates.
    scale : (n,) array
        Half its size there.
    now : (n, k, 2) array
        Coefficients of its transforms as they are, from base coordinates to the world.
    start : (n, k, 2) array
        The same, of the nearest transforms of the model.
    box : (n, 4) array
        Of the tile in the coordinates of its matches: minX, minY, maxX, maxY.
    """

    def __init__(self, tiles: Any, shared_transforms: Any, model: Model, points: Any, place: Any) -> None:
        if isinstance(tiles, ResolvedTiles):
            tiles, shared_transforms = tiles.tilespecs, shared_transforms or tiles.transforms
        elif isinstance(tiles, Mapping):
            if tile_id_of(tiles) is not None:
                raise SpecError("tiles is one tile spec: give a list, [tile]")
            tiles = tiles.values()
        self.given: list[Any] = list(tiles)
        self.shared = by_id(shared_transforms)
        self.model = model
        self.ids: list[str] = []
        self.number: dict[str, int] = {}
        self.labels: list[frozenset[str]] = []
        n = len(self.given)
        self.z = np.full(n, np.nan)
        size = np.empty((n, 2))
        self.matched, self.kept = np.empty(n, np.intp), np.empty(n, np.intp)
        for index, tile in enumerate(self.given):
            document = _document(tile)
            tile_id = document.get("tileId")
            if not isinstance(tile_id, str) or not tile_id:
                raise SpecError(f"tile {index} has the tileId {tile_id!r}: an id is a text that is not empty")
            if self.number.setdefault(tile_id, index) != index:
                raise SpecError(f"there are two tiles with the id {tile_id!r}")
            self.ids.append(tile_id)
            if document.get("z") is not None:
                self.z[index] = document["z"]
            self.labels.append(frozenset(document.get("labels") or ()))
            try:
                size[index] = document["width"], document["height"]
            except (KeyError, TypeError, ValueError):
                size[index] = np.nan
            self.matched[index], self.kept[index] = self._counts(document, points, place)
        if not np.isfinite(size).all():
            bad = int(np.argmin(np.isfinite(size).all(axis=1)))
            raise TileSpecError.of(_document(self.given[bad]), "width and height must be numbers")
        self._measure(size)

    def _counts(self, document: Any, points: Any, place: Any) -> tuple[int, int]:
        # through how many transforms points have gone, and how many stay
        specs = specs_of(document)
        matched = passed_count(specs, points, self.shared)
        kept = {"replace": matched, "last": len(specs) - 1, "append": len(specs)}.get(place, place)
        if not 0 <= matched <= len(specs):
            raise TileSpecError.of(
                document,
                f"it has {len(specs)} transforms, fewer than the {matched} that its points went through",
            )
        if not matched <= kept <= len(specs):
            raise TileSpecError.of(
                document,
                f"its points went through {matched} of {len(specs)} transforms, so a transform cannot be put "
                f"after the first {kept}",
            )
        return matched, kept

    def _measure(self, size: Array) -> None:
        n, side = len(self.given), self.model.order + 2
        self.centre, self.scale, self.box = np.empty((n, 2)), np.empty(n), np.empty((n, 4))
        self.now = np.empty((n, (self.model.order + 1) * (self.model.order + 2) // 2, 2))
        unit = np.stack(np.meshgrid(*[np.linspace(0, 1, side)] * 2), axis=-1).reshape(-1, 2)
        for part in blocks(n, _TILES_AT_ONCE):
            raw = unit * size[part, None]
            here = np.arange(n)[part]
            matched = self._through(raw, here, np.zeros(len(here), np.intp), self.matched[part])
            self.box[part] = np.concatenate([matched.min(axis=1), matched.max(axis=1)], axis=1)
            base = self._through(matched, here, self.matched[part], self.kept[part])
            world = self._through(base, here, self.kept[part], np.full(len(here), -1))
            low, high = base.min(axis=1), base.max(axis=1)
            self.centre[part] = (low + high) / 2
            self.scale[part] = np.maximum((high - low).max(axis=1) / 2, 1e-9)
            design = powers((base - self.centre[part, None]) / self.scale[part, None, None], self.model.order)
            self.now[part] = np.linalg.pinv(design) @ world
        self.start = nearest(self.model, self.now, self.scale)

    def _through(self, points: Array, tiles: Indices, first: Indices, end: Indices) -> Array:
        # points (n, s, 2) of tiles through the transforms from the first to before the end; -1 for all
        ends = [len(specs_of(_document(self.given[t]))) if e < 0 else e for t, e in zip(tiles, end)]
        if np.array_equal(first, ends):
            return points
        parts = [
            _with_specs(_document(self.given[tile]), slice(a, b)) for tile, a, b in zip(tiles, first, ends)
        ]
        of = np.repeat(np.arange(len(tiles)), points.shape[1])
        return points_to_world(parts, of, points.reshape(-1, 2), self.shared).reshape(points.shape)

    def to_base(self, tile: Indices, points: Array) -> Array:
        """Map points of matches (N, 2) to base coordinates of their tiles."""
        used, place = np.unique(tile, return_inverse=True)
        if np.array_equal(self.matched[used], self.kept[used]):
            return points
        parts = [
            _with_specs(_document(self.given[t]), slice(self.matched[t], self.kept[t])) for t in used.tolist()
        ]
        return points_to_world(parts, place.reshape(-1), points, self.shared)

    def written(self, coefficients: Array, which: Indices) -> Iterator[Any]:
        """Make tile specs with transforms of these coefficients, of the kind that was given.

        Parameters
        ----------
        coefficients : (n, k, 2) array
            Of all tiles.
        which : array of int
            Which tiles to make.

        Yields
        ------
        TileSpec or dict
            One for each.
        """
        for part in blocks(len(which), _TILES_AT_ONCE):
            some = which[part]
            raw = raw_coefficients(self.model, coefficients[some], self.centre[some], self.scale[some])
            for tile, own in zip(some.tolist(), raw):
                given = self.given[tile]
                document = _with_specs(_document(given), slice(0, self.kept[tile]))
                document["transforms"]["specList"].append(transform_of(own).to_dict())
                for key in BOX:
                    document.pop(key, None)
                yield document if isinstance(given, Mapping) else TileSpec(json=document)


def _document(tile: Any) -> Any:
    found = document_of(tile)
    return found if isinstance(found, Mapping) else found.to_dict()


def specs_of(document: Mapping[str, Any]) -> list[Any]:
    """Return the documents of the transforms of a tile."""
    return (document.get("transforms") or {}).get("specList") or []


def _with_specs(document: Mapping[str, Any], which: slice) -> dict[str, Any]:
    return {**document, "transforms": {"type": "list", "specList": specs_of(document)[which]}}


def indices_of(tiles: Tiles, ids: Iterable[str], what: str) -> Indices:
    """Return the indices of tiles.

    Raises
    ------
    SpecError
        If one is not there.
    """
    if isinstance(ids, str):
        raise SpecError(f"{what} is the text {ids!r}: give a list of tile ids")
    found = []
    for tile_id in ids:
        if tile_id not in tiles.number:
            raise SpecError(f"{what} names the tile {tile_id!r}, which is not among the tiles")
        found.append(tiles.number[tile_id])
    return np.array(found, np.intp)
