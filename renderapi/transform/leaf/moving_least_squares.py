"""Moving least squares: at every location the model that fits the matches best, near ones counting more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import SpecError
from renderapi.transform import data_strings, least_squares
from renderapi.transform.leaf.common import as_points, blocks
from renderapi.transform.leaf.transform import ParsedTransform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["MovingLeastSquaresTransform", "MovingLeastSquaresTransform2"]

# weights that are computed at once: some tens of arrays of that many doubles stay in the cache
_BLOCK = 16384


class MovingLeastSquaresTransform(ParsedTransform):
    """At each location l the model that maps points p to q best with weights w / |p - l|^(2 alpha).

    Parameters
    ----------
    dataString : str, optional
        ``model 2 alpha``, then ``px py qx qy w`` of every match.
    json : dict, optional
        Document to read.
    transformId : str, optional
        Id.
    labels : list of str, optional
        Labels.

    Attributes
    ----------
    model : {'translation', 'rigid', 'similarity', 'affine'}
        Model that is fitted.
    alpha : float
        How fast weights fall with distance.
    p, q : (N, 2) float64 array
        Points, and the points that they are mapped to.
    w : (N,) float64 array
        Weights.

    Notes
    -----
    A location that is one of the points is mapped to its match exactly. Where the model cannot be fitted,
    because there are too few matches, the location stays where it is.
    """

    className = "mpicbg.trakem2.transform.MovingLeastSquaresTransform"
    model: str
    alpha: float
    p: Array
    q: Array
    w: Array
    _single = False

    def _parse_text(self, text: str) -> None:
        fields = data_strings.split_fields(text)
        if len(fields) < 3 or (len(fields) - 3) % 5 or len(fields) == 3:
            raise SpecError(f"3 fields and 5 for every match are needed, {len(fields)} found")
        model, dimensions = fields[0], data_strings.parse_integer(fields[1])
        if model not in least_squares.MODELS or dimensions != 2:
            raise SpecError(f"there is no model '{model}' of {dimensions} dimensions for points x, y")
        read = data_strings.parse_float32 if self._single else data_strings.parse_double
        alpha = read(fields[2])
        values = np.array([read(field) for field in fields[3:]]).reshape(-1, 5)
        self.model, self.alpha = model, alpha
        self.p, self.q, self.w = values[:, :2].copy(), values[:, 2:4].copy(), values[:, 4].copy()

    def _format_text(self) -> str | None:
        if not hasattr(self, "p"):
            return None
        matches = np.column_stack([self.p, self.q, self.w]).ravel().tolist()
        numbers = [float(self.alpha), *matches]
        text = data_strings.format_floats32(numbers) if self._single else data_strings.format_doubles(numbers)
        return f"{self.model} 2 {text}"

    def tform(self, points: ArrayLike) -> Array:
        """Map points.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
            The mapped points as render computes them (powers may differ in the last bit; in the double
            precision class render itself adds in an order that changes from run to run).

        Raises
        ------
        ConversionError
            If the points have another shape.
        """
        locations = as_points(points)
        out = locations.copy()
        fit, minimum = least_squares.MODELS[self.model]
        p, q = (np.asarray(a, dtype=np.float64) for a in (self.p, self.q))
        weights = np.asarray(self.w, dtype=np.float64)[:, None]
        columns = [np.ascontiguousarray(a)[:, None] for a in (*p.T, *q.T)]
        with np.errstate(all="ignore"):
            for part in blocks(len(locations), max(2, _BLOCK // len(p))):
                x, y = np.ascontiguousarray(locations[part].T)
                dx, dy = columns[0] - x, columns[1] - y
                d2 = dx * dx + dy * dy
                hit = d2 == 0
                if len(p) >= minimum:
                    w = weights / np.power(d2, float(self.alpha))
                    if self._single:
                        w = w.astype(np.float32).astype(np.float64)
                    m00, m01, m10, m11, m02, m12 = fit(*columns, w)
                    mapped = np.column_stack([x * m00 + y * m01 + m02, x * m10 + y * m11 + m12])
                    out[part] = mapped
                rows = np.flatnonzero(hit.any(axis=0))
                out[part][rows] = q[hit[:, rows].argmax(axis=0)]
        return out

    def _values(self) -> Any:
        if not hasattr(self, "p"):
            return None
        return self.model, float(self.alpha), *(tuple(np.ravel(a).tolist()) for a in (self.p, self.q, self.w))

    def _summary(self) -> str:
        return (
            f"model={self.model!r}, alpha={self.alpha!r}, {len(self.p)} matches" if hasattr(self, "p") else ""
        )


class MovingLeastSquaresTransform2(MovingLeastSquaresTransform):
    """Moving least squares in the form that is common in practice: matches and weights are float32.

    Parameters
    ----------
    dataString : str, optional
        ``model 2 alpha``, then ``px py qx qy w`` of every match.
    json : dict, optional
        Document to read.
    transformId : str, optional
        Id.
    labels : list of str, optional
        Labels.

    Notes
    -----
    Attributes are those of `MovingLeastSquaresTransform`; numbers set by a program are written, and read by
    render, as float32.
    """

    className = "mpicbg.trakem2.transform.MovingLeastSquaresTransform2"
    _single = True
