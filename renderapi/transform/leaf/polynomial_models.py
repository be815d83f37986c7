"""Polynomial transforms: of any order in x and y, and the lens correction of TrakEM2."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.linalg import LinAlgError

from renderapi.errors import ConversionError, EstimationError, RenderError, SpecError
from renderapi.transform import data_strings
from renderapi.transform.leaf.affine_models import AffineModel
from renderapi.transform.leaf.common import (
    as_points,
    blocks,
    calc_first_order_properties,
    current_svd,
    point_pairs,
    polynomial_order,
    term_count,
)
from renderapi.transform.leaf.lens_correction import (
    LensCorrection,
    NonLinearCoordinateTransform,
    NonLinearTransform,
)
from renderapi.transform.leaf.transform import InvertedByIteration, Transform
from renderapi.utils import NullHandler

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "LensCorrection",
    "LinAlgError",
    "NonLinearCoordinateTransform",
    "NonLinearTransform",
    "Polynomial2DTransform",
    "RenderError",
]


def __getattr__(name: str) -> Any:
    if name == "svd":
        return current_svd()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def apply_polynomial(cx: Any, cy: Any, order: int, x: Array, y: Array) -> tuple[Array, Array]:
    """Evaluate polynomials as mpicbg's PolynomialTransform2D.

    Parameters
    ----------
    cx, cy : sequence
        Coefficients of 1, x, y, x^2, xy, y^2, ... for both coordinates: numbers, or arrays that
        broadcast with x.
    order : int
        Order.
    x, y : array
        Coordinates, of any shape.

    Returns
    -------
    x, y : array
        Summed from the constant upward; every row of powers is made of the one before.
    """
    out_x: Array = cx[0] + np.zeros_like(x)
    out_y: Array = cy[0] + np.zeros_like(y)
    row = [np.ones_like(x)]
    scratch = np.empty_like(out_x)
    k = 1
    for degree in range(1, order + 1):
        if degree == 1:
            row = [x, y]
        else:
            row = [power * x for power in row] + [row[-1] * y]
        for power in row:
            np.multiply(cx[k], power, out=scratch)
            out_x += scratch
            np.multiply(cy[k], power, out=scratch)
            out_y += scratch
            k += 1
    return out_x, out_y


def powers(p: Array, order: int) -> Array:
    """Return the terms 1, x, y, x^2, xy, y^2, ... of points (..., 2), as (..., k)."""
    x, y = p[..., 0], p[..., 1]
    columns = [np.ones_like(x)]
    for degree in range(1, order + 1):
        columns += [x ** (degree - j) * y**j for j in range(degree + 1)]
    return np.stack(columns, axis=-1)


def shifted(coefficients: Array, order: int, centre: Array, scale: Any) -> Array:
    """Rewrite polynomials in (x - cx)/s, (y - cy)/s as polynomials in x, y.

    Parameters
    ----------
    coefficients : (..., 2, k) array
        A row for x' and one for y', of one polynomial or of many.
    order : int
        Order.
    centre : (..., 2) array
        cx and cy of each.
    scale : float or (..., 1) array
        s of each.

    Returns
    -------
    (..., 2, k) array
        Their coefficients.
    """
    index: dict[tuple[int, int], int] = {}
    for degree in range(order + 1):
        for j in range(degree + 1):
            index[degree - j, j] = len(index)
    out = np.zeros_like(coefficients)
    for (i, j), k in index.items():
        for a in range(i + 1):
            for b in range(j + 1):
                factor = math.comb(i, a) * math.comb(j, b) / scale ** (i + j)
                out[..., index[a, b]] += (
                    coefficients[..., k]
                    * factor
                    * (-centre[..., :1]) ** (i - a)
                    * (-centre[..., 1:]) ** (j - b)
                )
    return out


def _bytes(params: Any) -> bytes:
    return np.asarray(params, dtype=np.float64).tobytes()


def _by_coordinate(params: Any) -> Array:
    # (2, k), also of an array that has a row per term, as solvers have them
    rows = np.asarray(params, dtype=np.float64)
    return rows.T if rows.ndim == 2 and rows.shape[1] == 2 else rows


class Polynomial2DTransform(InvertedByIteration, Transform):
    """Polynomial of any order in x and y for both coordinates.

    Of the sources of parameters the first that is given counts: `json`, `dataString`, `identity`,
    `src` and `dst`, `params`.

    Parameters
    ----------
    dataString : str, optional
        Coefficients of x', then those of y', of 1, x, y, x^2, xy, y^2, x^3, ...
    src, dst : (N, 2) array, optional
        Point pairs to estimate the transform from.
    order : int
        Order of the estimate.
    force_polynomial : bool
        Accepted for compatibility; the transform is always a polynomial.
    params : (2, k) array, optional
        Coefficients: a row for x' and one for y'. A (k, 2) array, a row per term as solvers have
        them, means the same.
    identity : bool
        Make an identity of order 1.
    labels : list of str, optional
        Labels.
    transformId : str, optional
        Id.
    json : dict, optional
        Document to read.
    force_shear : {'x', 'y'}
        Along which axis the shear of the linear part is.
    **kwargs
        As for `estimate`.

    Attributes
    ----------
    params : (2, k) float64 array
        The transform. It may be edited or replaced.
    """

    className = "mpicbg.trakem2.transform.PolynomialTransform2D"
    params: Array

    def __init__(
        self,
        dataString: str | None = None,
        src: ArrayLike | None = None,
        dst: ArrayLike | None = None,
        order: int = 2,
        force_polynomial: bool = True,
        params: ArrayLike | None = None,
        identity: bool = False,
        labels: list[str] | None = None,
        transformId: str | None = None,
        json: dict[str, Any] | None = None,
        force_shear: str = "x",
        **kwargs: Any,
    ) -> None:
        self.force_shear = force_shear
        if json is not None:
            self.from_dict(json)
            return
        self.className = type(self).className
        self.transformId = transformId
        self.labels = labels
        if dataString is not None:
            self._parse(dataString)
        elif identity:
            self.params = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        elif src is not None and dst is not None:
            self.estimate(src, dst, order, return_params=False, **kwargs)
        elif params is not None:
            self.params = np.array(params, dtype=np.float64)

    @classmethod
    def identity(cls) -> Polynomial2DTransform:
        """Return the transform of order 1 that maps every point to itself."""
        return cls(identity=True)

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything over from a document.

        Parameters
        ----------
        d : dict
            Document of a leaf transform; it is not changed.

        Raises
        ------
        SpecError
            If className or dataString is missing, or the latter holds something else than numbers.
        """
        self._parse(text := self._read(d))
        self._read_text = text, _bytes(self.params)

    def _parse(self, text: Any) -> None:
        try:
            values = data_strings.parse_doubles(text)
        except SpecError as error:
            raise self._refusal(error) from None
        if len(values) < 2:
            raise self._refusal("at least 2 numbers are needed")
        # a count that fits no order is read as Java reads it: y begins where x of the next lower order ends
        terms = term_count(polynomial_order(len(values) // 2))
        self.params = np.array(values[: 2 * terms]).reshape(2, terms)

    @property
    def dataString(self) -> str:
        """Coefficients of x', then those of y': the text that was read, or the shortest that says the same."""
        rows = self._rows()
        text, values = self.__dict__.get("_read_text", (None, None))
        if values is not None and values == _bytes(rows):
            return text  # type: ignore[no-any-return]
        return data_strings.format_doubles(rows.ravel().tolist())

    @dataString.setter
    def dataString(self, text: str | None) -> None:
        self._parse(text)

    def _rows(self) -> Array:
        rows = _by_coordinate(getattr(self, "params", ()))
        if (
            rows.ndim != 2
            or rows.shape[0] != 2
            or term_count(polynomial_order(rows.shape[1])) != rows.shape[1]
        ):
            shape = np.shape(getattr(self, "params", ()))
            raise SpecError(
                "params of a polynomial transform must be 2 x 1, 2 x 3, 2 x 6 ... "
                f"(or transposed), not {shape or 'missing'}"
            )
        return rows

    def _checked_order(self) -> int:
        return polynomial_order(self._rows().shape[1])

    @property
    def order(self) -> int:
        """Order of the polynomial."""
        return polynomial_order(np.size(self.params) // 2)

    @property
    def is_affine(self) -> bool:
        """Whether the order is 1."""
        return self.order == 1

    def coefficients(self, order: int | None = None) -> int:
        """Return the number of coefficients of both coordinates for an order (default: that of this one).

        Parameters
        ----------
        order : int, optional
            The order.

        Returns
        -------
        int
        """
        return 2 * term_count(self.order if order is None else order)

    @staticmethod
    def fit(
        src: ArrayLike,
        dst: ArrayLike,
        order: int = 2,
        weights: ArrayLike | None = None,
    ) -> Array:
        """Fit a polynomial to point pairs by (weighted) least squares.

        Coordinates are centred and scaled for the fit, so that pixels far from the origin do no harm.

        Parameters
        ----------
        src, dst : (N, 2) array
            Points, and the points that they should be mapped to; at least (order + 1)(order + 2) / 2.
        order : int
            Order of the polynomial.
        weights : (N,) array, optional
            Weight of each pair; default 1.

        Returns
        -------
        (2, k) array
            Coefficients.

        Raises
        ------
        EstimationError
            If the points do not determine the polynomial.
        """
        if order < 0:
            raise EstimationError(f"a polynomial cannot have the order {order}")
        model = f"a polynomial of order {order}"
        terms = term_count(order)
        p, q, w = point_pairs(src, dst, weights, terms, model)
        size = float(np.abs(p).max())
        if order * math.log2(max(size, 1.0)) > 1000:
            raise EstimationError(f"{model} cannot be estimated: the coordinates are too large ({size})")
        centre = (p.min(axis=0) + p.max(axis=0)) / 2
        scale = float(np.abs(p - centre).max()) or 1.0
        design = powers((p - centre) / scale, order)
        target = q - (shift := q.mean(axis=0))
        if w is not None:
            root = np.sqrt(w)[:, None]
            design, target = root * design, root * target
        u, singular, vh = np.linalg.svd(design, full_matrices=False)
        rank = int((singular > singular[0] * np.finfo(float).eps * len(p)).sum())
        if rank < terms:
            raise EstimationError(
                f"{model} cannot be estimated: {len(p)} points determine only {rank} of {terms} coefficients "
                "(too few different points, or all on one line or curve)"
            )
        coefficients = ((target.T @ u) / singular) @ vh
        coefficients[:, 0] += shift
        return shifted(coefficients, order, centre, scale)

    def estimate(
        self,
        src: ArrayLike,
        dst: ArrayLike,
        order: int = 2,
        test_coords: bool = True,
        max_tries: int = 100,
        return_params: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Set this transform to the one fitted to point pairs.

        Parameters
        ----------
        src, dst : (N, 2) array
            Points, and the points that they should be mapped to.
        order : int
            Order of the polynomial.
        test_coords : bool
            Check that the points are mapped to finite coordinates.
        max_tries : int
            Accepted for compatibility: the fit is deterministic and done once.
        return_params : bool
            Give the coefficients.
        **kwargs
            As for `fit` (``weights=``).

        Returns
        -------
        (2, k) array or None
            `params`, if `return_params`.

        Raises
        ------
        EstimationError
            If the points do not determine the polynomial.
        """
        params = self.fit(src, dst, order=order, **kwargs)
        if test_coords:
            x, y = as_points(src).T
            if not np.isfinite(apply_polynomial(params[0], params[1], order, x, y)).all():
                raise EstimationError(
                    f"a polynomial of order {order} cannot be estimated: numbers are too large"
                )
        self.params = params
        return self.params if return_params else None

    def tform(self, points: ArrayLike) -> Array:
        """Map points.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
            The mapped points, bit for bit what render computes.

        Raises
        ------
        ConversionError
            If the points have another shape.
        SpecError
            If `params` has a shape that no order has.
        """
        p = as_points(points)
        order = self._checked_order()
        cx, cy = self._rows().tolist()
        out = np.empty(p.shape)
        for part in blocks(len(p), 16384):
            x, y = np.ascontiguousarray(p[part].T)
            out[part, 0], out[part, 1] = apply_polynomial(cx, cy, order, x, y)
        return out

    def asorder(self, order: int) -> Polynomial2DTransform:
        """Return the same transform with the coefficients of a higher order, which are 0.

        Parameters
        ----------
        order : int
            Order, not below that of this transform.

        Returns
        -------
        Polynomial2DTransform
            A new transform without id or labels.

        Raises
        ------
        ConversionError
            If the order is below that of this transform.
        """
        if order < self.order:
            raise ConversionError(
                f"transformation {self.dataString} is order {self.order} -- "
                f"conversion to order {order} not supported"
            )
        params = np.zeros((2, term_count(order)))
        old = self._rows()
        params[:, : old.shape[1]] = old
        return Polynomial2DTransform(params=params)

    @staticmethod
    def fromAffine(aff: AffineModel) -> Polynomial2DTransform:
        """Return a polynomial of order 1 that does what an affine transform does.

        Parameters
        ----------
        aff : AffineModel
            Affine transform.

        Returns
        -------
        Polynomial2DTransform
            A new transform without id or labels.

        Raises
        ------
        ConversionError
            If it is none.
        """
        if not isinstance(aff, AffineModel):
            raise ConversionError("attempting to convert a nonaffine model!")
        return Polynomial2DTransform(params=aff.M[:2, [2, 0, 1]])

    def _linear(self) -> Array:
        rows = self._rows()
        params = np.zeros((2, 3))
        params[:, : rows.shape[1]] = rows[:, :3]
        return params

    def calc_properties(self) -> tuple[float, float, float, float, float]:
        """Return scales, shears and rotation of the linear part: sx, sy, cx, cy, theta."""
        return calc_first_order_properties(self._linear()[:, 1:], force_shear=self.force_shear)

    @property
    def scale(self) -> tuple[float, float]:
        """Scale of the linear part along x and y; 1 where there is none (order 0)."""
        if self.order == 0:
            return 1.0, 1.0
        return self.calc_properties()[:2]

    @property
    def shear(self) -> float:
        """Shear of the linear part along the axis of `force_shear`."""
        return self.calc_properties()[2 if self.force_shear == "x" else 3]

    @property
    def translation(self) -> tuple[float, float]:
        """Constant terms: where the origin goes."""
        x, y = self._rows()[:, 0]
        return x, y

    @property
    def rotation(self) -> float:
        """Rotation of the linear part in radians."""
        return self.calc_properties()[4]

    def _values(self) -> Any:
        params = getattr(self, "params", None)
        return None if params is None else tuple(map(tuple, _by_coordinate(params).tolist()))

    def _summary(self) -> str:
        return f"params={np.asarray(self.params).tolist()!r}" if hasattr(self, "params") else ""

    def __str__(self) -> str:
        return (
            f"className:{self.className}\ndataString:{self.dataString if hasattr(self, 'params') else None}"
        )
