"""Bounding boxes of tiles by sampling their borders, as render derives them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._slips import check_list
from renderapi.geometry.chains import (
    AFFINE_KINDS,
    DEFAULT_MESH_CELL_SIZE,
    BadNumbersError,
    Chains,
    TileSpecError,
    apply_step,
    document_of,
    has_numbers,
    read_numbers,
)
from renderapi.transform.native import AFFINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_INT_MIN, _INT_MAX = -(2.0**31), 2.0**31 - 1
_DOUBLE_MAX = np.finfo(np.float64).max
# samples that are mapped at once: a few arrays of so many doubles stay in the cache
_BLOCK = 16384
# a tile with more would fill the memory; the largest mosaics have some 10^5 pixels a side
_MOST_SAMPLES = 10_000_000


def bounding_boxes(
    tilespecs: Sequence[Any], shared_transforms: Any = None, *, nested_references: bool = True
) -> Array:
    """Return the bounding boxes of tiles in world coordinates, exactly as render derives them.

    The four edges of a tile are sampled about every ``meshCellSize`` pixels and mapped through its
    transforms. Minima are truncated toward zero; maxima are the minima plus the extent rounded up
    (``TileSpec.deriveBoundingBox`` of render, with its default of sloppy sampling).

    Parameters
    ----------
    tilespecs : sequence
        TileSpec documents, or objects with ``tileId``, ``width``, ``height``, ``tforms`` and, if they like,
        ``meshCellSize``.
    shared_transforms : mapping or iterable, optional
        Shared transforms, as documents or objects: a mapping from id, or a collection.
    nested_references : bool
        Follow references inside shared transforms too. A server does so when it reads a tile, but
        refuses such tiles when they are stored.

    Returns
    -------
    (N, 4) float64 array
        minX, minY, maxX, maxY of each tile, integral numbers of pixels.

    Raises
    ------
    TileSpecError
        A SpecError with ``tileId`` and ``reason``: if width or height is missing, a transform class is
        not known to render, a data string cannot be read, or a shared transform is missing.
    """
    check_list(tilespecs, "tilespecs", "tile specs")
    tiles = list(tilespecs)
    boxes = np.empty((len(tiles), 4))
    groups = _grouped(tiles, Chains(shared_transforms, nested_references))
    for (size, steps), (rows, numbers) in groups.items():
        try:
            boxes[rows] = _group_boxes(size, steps, numbers, len(rows))
        except BadNumbersError as error:
            raise TileSpecError.of(tiles[rows[error.index]], error) from None
        except _TooManySamplesError as error:
            raise TileSpecError.of(tiles[rows[0]], error) from None
    return boxes


_Size = tuple[float, float, float]
# the numbers of tiles in the list, and for each step with numbers those of all of them
_Group = tuple[list[int], list[list[Any]]]


def _grouped(tiles: list[Any], chains: Chains) -> dict[tuple[_Size, Any], _Group]:
    """Return the tiles of each size that have the same steps."""
    groups: dict[tuple[_Size, Any], _Group] = {}
    # groups of tiles with one affine transform by what their documents say: most are of one of them
    plain: dict[Any, tuple[list[int], list[Any]]] = {}
    for index, tile in enumerate(tiles):
        document = tile if type(tile) is dict else document_of(tile)
        said = text = None
        try:
            (spec,) = document["transforms"]["specList"]
            text = spec["dataString"]
            said = (
                spec["className"],
                spec.get("type"),
                document["width"],
                document["height"],
                document.get("meshCellSize"),
            )
            rows, texts = plain[said]
            if type(text) is str:
                rows.append(index)
                texts.append(text)
                continue
        except (LookupError, TypeError, ValueError, AttributeError):
            pass
        size = tile_size(document)
        chain = chains.of_tile(document)
        rows, columns = groups.setdefault((size, chain.steps), ([], [[] for _ in chain.numbers]))
        rows.append(index)
        for column, given in zip(columns, chain.numbers):
            column.append(given)
        if said is not None and said[0] in AFFINE_KINDS and said[1] in (None, "leaf"):
            plain[said] = rows, columns[0]
    return groups


def affine_bounding_boxes(matrices: Any, width: Any, height: Any, mesh_cell_size: Any = None) -> Array:
    """Return the bounding boxes of tiles that have one affine transform each, as `bounding_boxes` does.

    Parameters
    ----------
    matrices : array_like, (N, 2, 3)
        ``[[m00, m01, m02], [m10, m11, m12]]`` of each tile, local to world.
    width, height : array_like, (N,) or one number
        Size of the tiles in pixels.
    mesh_cell_size : array_like, (N,) or one number, optional
        About the distance between the samples of a border; default 64, also where it is NaN or 0.

    Returns
    -------
    (N, 4) float64 array
        minX, minY, maxX, maxY of each tile, integral numbers of pixels.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> from renderapi.geometry import affine_bounding_boxes
    >>> affine_bounding_boxes([[[1, 0, 100.5], [0, 1, -3]]], 2048, 1024).tolist()
    [[100.0, -3.0, 2148.0, 1021.0]]
    """
    numbers = np.asarray(matrices, dtype=np.float64)
    if numbers.ndim != 3 or numbers.shape[1:] != (2, 3):
        raise ValueError(f"matrices of shape (N, 2, 3) are needed, not {numbers.shape}")
    count = len(numbers)
    rows = numbers[:, [0, 0, 1, 1, 0, 1], [0, 1, 0, 1, 2, 2]]
    cells = np.nan_to_num(np.asarray(0.0 if mesh_cell_size is None else mesh_cell_size, dtype=np.float64))
    sizes = np.empty((count, 3))
    for column, given in enumerate((width, height, np.where(cells == 0, DEFAULT_MESH_CELL_SIZE, cells))):
        sizes[:, column] = given
    boxes = np.empty((count, 4))
    if count and (sizes == sizes[0]).all():
        # most often; telling sizes apart takes longer than all the rest
        known, group = sizes[:1], np.zeros(count, np.intp)
    else:
        known, group = np.unique(sizes, axis=0, return_inverse=True)
        group = group.reshape(-1)
    for number, (one_width, one_height, cell) in enumerate(known.tolist()):
        of_size = np.flatnonzero(group == number) if len(known) > 1 else slice(None)
        own = rows[of_size]
        boxes[of_size] = _boxes_of_steps((one_width, one_height, cell), (AFFINE,), [own], len(own))
    return boxes


def derive_bounding_boxes(
    tilespecs: Sequence[Any], shared_transforms: Any = None, *, nested_references: bool = True
) -> Array:
    """Set minX, minY, maxX and maxY of tiles to what `bounding_boxes` gives.

    Parameters
    ----------
    tilespecs : sequence
        TileSpec documents, whose keys are set, or objects, whose attributes are.
    shared_transforms, nested_references
        As for `bounding_boxes`.

    Returns
    -------
    (N, 4) float64 array
        The boxes.

    Raises
    ------
    TileSpecError
        As `bounding_boxes`; then no tile is changed.
    """
    check_list(tilespecs, "tilespecs", "tile specs")
    tiles = list(tilespecs)
    boxes = bounding_boxes(tiles, shared_transforms, nested_references=nested_references)
    for tile, (min_x, min_y, max_x, max_y) in zip(tiles, boxes.tolist()):
        if isinstance(tile, MutableMapping):
            tile["minX"], tile["minY"], tile["maxX"], tile["maxY"] = min_x, min_y, max_x, max_y
        else:
            tile.minX, tile.minY, tile.maxX, tile.maxY = min_x, min_y, max_x, max_y
    return boxes


def tile_size(tile: Any) -> tuple[float, float, float]:
    """Return width, height and mesh cell size of a tile spec, a document or an object."""
    if isinstance(tile, Mapping):
        width, height, cell = tile.get("width"), tile.get("height"), tile.get("meshCellSize")
    else:
        width, height = getattr(tile, "width", None), getattr(tile, "height", None)
        cell = getattr(tile, "meshCellSize", None)
    # null is read as 0 by render, which then spoils the box: neither can be meant
    cell = cell or DEFAULT_MESH_CELL_SIZE
    if type(width) is float and type(height) is float and type(cell) is float:
        return width, height, cell
    if width is None or height is None:
        raise TileSpecError.of(tile, "width and height must be set to create a bounding box")
    try:
        return float(width), float(height), float(cell)
    except (TypeError, ValueError, OverflowError) as error:
        raise TileSpecError.of(tile, f"width, height and meshCellSize must be numbers: {error}") from None


class _TooManySamplesError(ValueError):
    pass


def _sample_count(extent: float, cell: float) -> int:
    # Math.round, then a cast to int: half up, not a number is 0, saturating
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        count = np.floor(np.float64(extent) / np.float64(cell) + 0.5)
    return max(2, int(min(count, _INT_MAX))) if count == count else 2  # noqa: PLR0124


def border_samples(width: float, height: float, cell: float, ends: bool = False) -> Array:
    """Return the points of the border of a tile that render samples.

    Parameters
    ----------
    width, height : float
        Size of the tile in pixels.
    cell : float
        Mesh cell size: about the distance between samples.
    ends : bool
        Only the first and last of each edge.

    Returns
    -------
    (S, 2) array
        Top, bottom, left and right edge. Bottom and right are at height and width, but end, as the others,
        one pixel short of the corner.
    """
    nx, ny = _sample_count(width, cell), _sample_count(height, cell)
    if not ends and nx + ny > _MOST_SAMPLES:
        raise _TooManySamplesError(f"a mesh cell size of {cell} makes {2 * (nx + ny)} samples of its border")
    x = np.array([0.0, nx - 1.0] if ends else np.arange(nx)) * ((width - 1) / (nx - 1))
    y = np.array([0.0, ny - 1.0] if ends else np.arange(ny)) * ((height - 1) / (ny - 1))
    return np.concatenate(
        [
            np.column_stack([x, np.zeros_like(x)]),
            np.column_stack([x, np.full_like(x, height)]),
            np.column_stack([np.zeros_like(y), y]),
            np.column_stack([np.full_like(y, width), y]),
        ]
    )


def _group_boxes(size: _Size, steps: tuple[Any, ...], numbers: list[list[Any]], count: int) -> Array:
    # boxes of tiles that have the same size and the same steps
    columns = iter(numbers)
    own = [read_numbers(step, next(columns)) if has_numbers(step) else None for step in steps]
    return _boxes_of_steps(size, steps, own, count)


def _boxes_of_steps(size: _Size, steps: tuple[Any, ...], own: Sequence[Array | None], count: int) -> Array:
    if len(steps) == 1 and steps[0] in AFFINE_KINDS:
        # along an edge one coordinate is constant, and rounding keeps order: the extremes are at the ends
        low, high = _extremes(border_samples(*size, ends=True), steps, own, count)
        odd = ~(np.isfinite(low) & np.isfinite(high)).all(axis=1)
        if odd.any():
            again = _extremes(border_samples(*size), steps, [own[0][odd]], int(odd.sum()))  # type: ignore[index]
            low[odd], high[odd] = again
    else:
        low, high = _extremes(border_samples(*size), steps, own, count)
    return _integral(low, high)


def _extremes(
    samples: Array, steps: Sequence[Any], own: Sequence[Array | None], count: int
) -> tuple[Array, Array]:
    # smallest and largest mapped coordinates, (count, 2) each; NaN is passed over
    x, y = np.ascontiguousarray(samples.T)[:, None, :]
    with np.errstate(all="ignore"):
        first = 0
        while first < len(steps) and own[first] is None:
            x, y = apply_step(steps[first], None, x, y)
            first += 1
        low, high = np.empty((count, 2)), np.empty((count, 2))
        rows = max(1, _BLOCK // len(samples))
        for start in range(0, count, rows):
            part = slice(start, start + rows)
            px, py = x, y
            for step, numbers in zip(steps[first:], own[first:]):
                px, py = apply_step(step, None if numbers is None else numbers[part], px, py)
            for axis, values in enumerate((px, py)):
                low[part, axis] = np.fmin.reduce(values, axis=1)
                high[part, axis] = np.fmax.reduce(values, axis=1)
    return low, high


def _integral(low: Array, high: Array) -> Array:
    # comparisons start from the largest doubles, so infinities and NaN leave those
    low = np.fmin(low, _DOUBLE_MAX)
    high = np.fmax(high, -_DOUBLE_MAX)
    with np.errstate(over="ignore"):
        extent = np.ceil(high - low)
    corner = np.clip(np.trunc(low), _INT_MIN, _INT_MAX) + 0.0
    return np.concatenate([corner, corner + np.clip(extent, _INT_MIN, _INT_MAX)], axis=1)
