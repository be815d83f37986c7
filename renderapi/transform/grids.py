"""What transforms do to a grid of straight lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi.errors import ConversionError
from renderapi.transform.transform import TransformList
from renderapi.transform.utils import estimate_dstpts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["TransformGrid", "map_grid", "own_box"]

#: Where transforms do not say for which pixels they were made.
_DEFAULT_BOX = (0.0, 0.0, 2048.0, 2048.0)


class TransformGrid(NamedTuple):
    """Lines of a grid, as points one after the other.

    Attributes
    ----------
    before, after : (L, S, 2) float64 array
        S points x, y of each of the L lines, before and after the transforms: first the horizontal lines from top
        to bottom, then the vertical ones from left to right.
    """

    before: Array
    after: Array


def own_box(transforms: Any) -> tuple[float, float, float, float]:
    """Return the box of pixels that a transform was made for, as far as it says.

    Parameters
    ----------
    transforms : transform or iterable of transform
        Of several, the first that says anything counts.

    Returns
    -------
    tuple of float
        minX, minY, maxX, maxY: the size of a lens correction, the region of a warp field, the box around landmarks;
        else that of an image of 2048 x 2048 pixels.

    Examples
    --------
    >>> from renderapi.transform import AffineModel
    >>> from renderapi.transform.grids import own_box
    >>> own_box(AffineModel())
    (0.0, 0.0, 2048.0, 2048.0)
    """
    if isinstance(transforms, TransformList):
        transforms = transforms.tforms
    for transform in [transforms] if hasattr(transforms, "to_dict") else transforms:
        width, height = (getattr(transform, side, None) for side in ("width", "height"))
        if width and height:
            x, y = (float(getattr(transform, name, 0.0)) for name in ("offsetX", "offsetY"))
            return x, y, x + float(width), y + float(height)
        points = getattr(transform, "srcPts", None)
        landmarks = getattr(transform, "p", None) if points is None else np.asarray(points).T
        if landmarks is not None and len(landmarks) > 1:
            low, high = np.min(landmarks, axis=0), np.max(landmarks, axis=0)
            if (high > low).all():
                return float(low[0]), float(low[1]), float(high[0]), float(high[1])
    return _DEFAULT_BOX


def map_grid(
    transforms: Any,
    box: ArrayLike | None = None,
    lines: int = 9,
    samples: int = 33,
    reference_tforms: Any = None,
) -> TransformGrid:
    """Map the lines of a grid through transforms.

    Parameters
    ----------
    transforms : transform or iterable of transform
        Transforms, in order of application.
    box : (4,) array_like, optional
        minX, minY, maxX, maxY of the grid in pixels; default `own_box`.
    lines : int
        Lines along x, and as many along y. Default 9.
    samples : int
        Points of each line. Default 33.
    reference_tforms : iterable or mapping, optional
        Shared transforms that others refer to.

    Returns
    -------
    TransformGrid

    Raises
    ------
    SpecError
        If a transform cannot be evaluated.
    ConversionError
        If the box is none, or there are less than two lines or points.

    Examples
    --------
    >>> from renderapi.transform import AffineModel
    >>> from renderapi.transform.grids import map_grid
    >>> map_grid(AffineModel(B0=5.0), (0, 0, 10, 20), lines=2, samples=2).after[0].tolist()
    [[5.0, 0.0], [15.0, 0.0]]
    """
    x, y, right, bottom = _numbers(own_box(transforms) if box is None else box)
    if lines < 2 or samples < 2:
        raise ConversionError(f"a grid needs at least 2 lines of 2 points, not {lines} of {samples}")
    along_x, along_y = np.linspace(x, right, samples), np.linspace(y, bottom, samples)
    rows = [np.column_stack([along_x, np.full(samples, at)]) for at in np.linspace(y, bottom, lines)]
    columns = [np.column_stack([np.full(samples, at), along_y]) for at in np.linspace(x, right, lines)]
    before = np.stack([*rows, *columns])
    after = estimate_dstpts(transforms, before.reshape(-1, 2), reference_tforms)
    return TransformGrid(before, after.reshape(before.shape))


def _numbers(box: ArrayLike) -> tuple[float, float, float, float]:
    numbers = np.asarray(box, dtype=np.float64).reshape(-1)
    if len(numbers) != 4 or not np.isfinite(numbers).all() or not (numbers[:2] < numbers[2:]).all():
        raise ConversionError(f"a box is minX, minY, maxX, maxY, not {np.asarray(box).tolist()!r:.100}")
    x, y, right, bottom = numbers.tolist()
    return x, y, right, bottom
