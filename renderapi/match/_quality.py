"""How much of the overlap the matches of two canvases cover, and how far they scatter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.match.errors import TooFewMatchesError
from renderapi.transform.least_squares import fit_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

# rows of circles that are worked on at once
_BLOCK = 2**20


@dataclass(frozen=True)
class MatchQuality:
    """How good the matches of a pair are.

    Attributes
    ----------
    overlap, covered : int
        Pixels of the overlap of the two canvases, and of those near to a match, at full scale.
    deviations : list of (float, float)
        Of each set the standard deviation in x and in y of what its transform misses, in pixels at full scale.
    deviation : tuple of (float, float)
        The same of all sets together.
    """

    overlap: int
    covered: int
    deviations: list[tuple[float, float]]
    deviation: tuple[float, float]

    @property
    def coverage(self) -> float:
        """Percentage of the overlap that is covered; NaN without any overlap."""
        return 100.0 * self.covered / self.overlap if self.overlap else math.nan


def match_quality(
    sets: Sequence[tuple[Any, Any]],
    models: Sequence[Any],
    p_size: tuple[int, int],
    q_size: tuple[int, int],
    radius: float,
    render_scale: float = 1.0,
    p_mask: Any = None,
    q_mask: Any = None,
) -> MatchQuality:
    """Measure the coverage and scatter of matches.

    Parameters
    ----------
    sets : list of tuple of (N, 2) array
        Points p and q of each set, in pixels of the canvases.
    models : list of (2, 3) array, (N, 2, 3) array or None
        The transform of each set, or of each of its points, as `filter_candidates` gives it.
    p_size, q_size : tuple of int
        Width and height of the canvases, in pixels at full scale.
    radius : float
        A match covers what is so near to it, in pixels at full scale.
    render_scale : float
        Scale of the canvases.
    p_mask, q_mask : (H, W) bool array, optional
        Where the canvases count.

    Returns
    -------
    MatchQuality

    Raises
    ------
    TooFewMatchesError
        If the matches do not determine an affine transform: there are fewer than 3, or they lie on a line.
    """
    p, q = (np.concatenate([pair[side] for pair in sets]) for side in (0, 1))
    (p_height, p_width), (q_height, q_width) = (
        (math.ceil(size[1] * render_scale), math.ceil(size[0] * render_scale)) if mask is None else mask.shape
        for size, mask in ((p_size, p_mask), (q_size, q_mask))
    )
    overlap, near = _coverage(
        p, q, (p_width, p_height), (q_width, q_height), radius * render_scale, p_mask, q_mask
    )
    scattered = []
    for (one, other), model in zip(sets, models):
        moved = one if model is None else (model[..., :2] @ one[..., None])[..., 0] + model[..., 2]
        scattered.append((moved - other) / render_scale)
    deviations = [(float(x), float(y)) for x, y in (part.std(axis=0) for part in scattered)]
    area = render_scale * render_scale
    x, y = np.concatenate(scattered).std(axis=0)
    together = deviations[0] if len(sets) == 1 else (float(x), float(y))
    return MatchQuality(math.ceil(overlap / area), math.ceil(near / area), deviations, together)


def _coverage(
    p: Array,
    q: Array,
    p_size: tuple[int, int],
    q_size: tuple[int, int],
    radius: float,
    p_mask: Any,
    q_mask: Any,
) -> tuple[int, int]:
    with np.errstate(all="ignore"):
        m00, m01, m10, m11, m02, m12 = fit_points("affine", p, q, None) if len(p) >= 3 else [math.nan] * 6
    if not math.isfinite(m00 + m01 + m02 + m10 + m11 + m12):
        raise TooFewMatchesError(
            f"{len(p)} matches are insufficient to align the pair: an affine transform needs 3 that are not on a line"
        )
    x, y = np.arange(p_size[0], dtype=np.float64), np.arange(p_size[1], dtype=np.float64)[:, None]
    there_x, there_y = m00 * x + m01 * y + m02, m10 * x + m11 * y + m12
    inside = (there_x >= 0) & (there_x <= q_size[0] - 1) & (there_y >= 0) & (there_y <= q_size[1] - 1)
    if p_mask is not None:
        inside &= p_mask
    if q_mask is not None:
        rows, columns = (np.floor(there[inside] + 0.5).astype(int) for there in (there_y, there_x))
        inside[inside] = q_mask[rows, columns]
    return int(inside.sum()), int((inside & _near(p, p_size, radius)).sum())


def _near(points: Array, size: tuple[int, int], radius: float) -> Mask:
    # the pixels within a radius of any point, (H, W): of each row what lies between the two sides of a circle, as
    # one more where it begins and one less where it has ended
    width, height = size
    changes = np.zeros((height, width + 1), np.int32)
    rows = np.arange(height)
    step = max(1, _BLOCK // height)
    for start in range(0, len(points), step):
        x, y = (side[:, None] for side in points[start : start + step].T)
        left = radius**2 - (rows - y) ** 2
        _, row = touched = np.nonzero(left >= 0)
        half, middle = np.sqrt(left[touched]), np.broadcast_to(x, left.shape)[touched]
        first = np.clip(np.ceil(middle - half), 0, width).astype(np.intp)
        after = np.clip(np.floor(middle + half) + 1, 0, width).astype(np.intp)
        np.add.at(changes, (row, first), 1)
        np.add.at(changes, (row, after), -1)
    near: Mask = changes[:, :width].cumsum(axis=1) > 0
    return near
