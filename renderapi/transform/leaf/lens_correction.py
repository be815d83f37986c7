"""The lens correction of TrakEM2: a polynomial of normalised monomials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import EstimationError, SpecError
from renderapi.transform import data_strings
from renderapi.transform.leaf.common import as_points, blocks, point_pairs, term_count
from renderapi.transform.leaf.transform import ParsedTransform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["LensCorrection", "NonLinearCoordinateTransform", "NonLinearTransform"]


def _powers(v: Array, exponent: int) -> list[Any]:
    # 1, v, v^2 ... v^exponent, rounded once, as a good pow() does and numpy's does not in 5 of 100 cases
    powers: list[Any] = [1.0, v, v * v]
    wide = v.astype(np.longdouble)
    power = wide * wide
    for _ in range(3, exponent + 1):
        power = power * wide
        powers.append(power.astype(np.float64))
    return powers


class NonLinearCoordinateTransform(ParsedTransform):
    """Lens correction of TrakEM2: a polynomial of normalised monomials.

    x' and y' are sums over k of ``beta[k] * (term[k] - normMean[k]) / normVar[k]`` for the terms x, y,
    x^2, xy, y^2, x^3, ..., and of ``beta[-1] * 100``.

    Parameters
    ----------
    dataString : str, optional
        dimension, length, beta (x and y of each term), normMean, normVar, width, height, separated by
        single blanks.
    json : dict, optional
        Document to read.
    transformId : str, optional
        Id.
    labels : list of str, optional
        Labels.

    Attributes
    ----------
    dimension : int
        Order of the polynomial.
    length : int
        Number of terms, (dimension + 1)(dimension + 2) / 2.
    beta : (length, 2) float64 array
        Coefficients.
    normMean, normVar : (length,) float64 array
        What is subtracted from a term, and what it is divided by.
    width, height : int
        Size of the images that the correction was made from; unused in the mapping.
    """

    className = "mpicbg.trakem2.transform.NonLinearCoordinateTransform"
    dimension: int
    length: int
    beta: Array
    normMean: Array
    normVar: Array
    width: int
    height: int

    @classmethod
    def identity(cls) -> NonLinearCoordinateTransform:
        """Return the correction of dimension 1 that maps every point to itself."""
        transform = cls()
        transform.dimension, transform.length = 1, 3
        transform.beta = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
        transform.normMean, transform.normVar = np.array([0.0, 0.0, 100.0]), np.array([1.0, 1.0, 100.0])
        transform.width = transform.height = 0
        return transform

    def _parse_text(self, text: str) -> None:
        # Java splits at every single blank here, so a double one makes a field that is no number
        fields = text.split(" ")
        while fields and not fields[-1]:
            fields.pop()
        if len(fields) < 2:
            raise SpecError("at least dimension and length are needed")
        dimension, length = data_strings.parse_integer(fields[0]), data_strings.parse_integer(fields[1])
        if len(fields) != 4 + 4 * length or length != term_count(dimension):
            raise SpecError(
                f"dimension {dimension} needs length {term_count(dimension)} and "
                f"{4 + 4 * term_count(dimension)} fields, found length {length} and {len(fields)} fields"
            )
        values = np.array([data_strings.parse_double(field) for field in fields[2:-2]])
        width, height = data_strings.parse_integer(fields[-2]), data_strings.parse_integer(fields[-1])
        self.dimension, self.length, self.width, self.height = dimension, length, width, height
        self.beta = values[: 2 * length].reshape(length, 2)
        self.normMean = values[2 * length : 3 * length]
        self.normVar = values[3 * length :]

    def _format_text(self) -> str | None:
        if not hasattr(self, "beta"):
            return None
        numbers = [np.asarray(a, dtype=np.float64).ravel() for a in (self.beta, self.normMean, self.normVar)]
        text = data_strings.format_doubles(np.concatenate(numbers).tolist())
        return f"{self.dimension} {self.length} {text} {self.width} {self.height}"

    def _expanded(self, x: Array, y: Array, mean: Any, var: Any) -> list[Array]:
        # features in order, without the constant
        xs, ys = _powers(x, self.dimension), _powers(y, self.dimension)
        features: list[Array] = []
        for i in range(1, self.dimension + 1):
            for j in range(i, -1, -1):
                k = len(features)
                features.append((xs[j] * ys[i - j] - mean[k]) / var[k])
        return features

    def kernelExpand(
        self, src: ArrayLike, normMean: ArrayLike | None = None, normVar: ArrayLike | None = None
    ) -> Array:
        """Return the normalised terms of points.

        Parameters
        ----------
        src : (N, 2) array
            Points x, y.
        normMean, normVar : (length,) array, optional
            What is subtracted and divided by; default: that of this transform.

        Returns
        -------
        (N, length) array
            The last column is 100.
        """
        x, y = as_points(src).T
        mean = self.normMean if normMean is None else np.asarray(normMean, dtype=np.float64)
        var = self.normVar if normVar is None else np.asarray(normVar, dtype=np.float64)
        return np.column_stack([*self._expanded(x, y, mean, var), np.full(len(x), 100.0)])

    def tform(self, src: ArrayLike) -> Array:
        """Map points.

        Parameters
        ----------
        src : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
            The mapped points as render computes them (powers may differ in the last bit).

        Raises
        ------
        ConversionError
            If the points have another shape.
        """
        p = as_points(src)
        beta = np.asarray(self.beta, dtype=np.float64).tolist()
        mean = np.asarray(self.normMean, dtype=np.float64).tolist()
        var = np.asarray(self.normVar, dtype=np.float64).tolist()
        out = np.empty(p.shape)
        for part in blocks(len(p), 4096):
            x, y = np.ascontiguousarray(p[part].T)
            sum_x, sum_y = np.zeros_like(x), np.zeros_like(y)
            for feature, (bx, by) in zip([*self._expanded(x, y, mean, var), 100.0], beta):
                sum_x += feature * bx
                sum_y += feature * by
            out[part, 0], out[part, 1] = sum_x, sum_y
        return out

    def fit(self, A: ArrayLike, B: ArrayLike, weights: ArrayLike | None = None) -> tuple[Array, Array, Array]:
        """Fit coefficients of the dimension of this transform to point pairs by (weighted) least squares.

        Parameters
        ----------
        A, B : (N, 2) array
            Points, and the points that they should be mapped to; at least `length`.
        weights : (N,) array, optional
            Weight of each pair; default 1.

        Returns
        -------
        beta : (length, 2) array
        normMean, normVar : (length,) array
            Means and standard deviations of the terms; the last entry, of the constant, is 100.

        Raises
        ------
        EstimationError
            If the points do not determine the coefficients.
        """
        dimension = getattr(self, "dimension", None)
        if dimension is None:
            raise EstimationError("the transform has no dimension yet: give estimate() one with ndim=")
        length = term_count(dimension)
        model = f"a lens correction of dimension {dimension}"
        p, q, w = point_pairs(A, B, weights, length, model)
        raw = self.kernelExpand(p, normMean=np.zeros(length), normVar=np.ones(length))
        mean, var = raw.mean(axis=0), raw.std(axis=0)
        mean[-1] = var[-1] = 100.0
        if not var.all():
            raise EstimationError(f"{model} cannot be estimated: all points have the same x or y")
        design = self.kernelExpand(p, normMean=mean, normVar=var)
        target = q
        if w is not None:
            root = np.sqrt(w)[:, None]
            design, target = root * design, root * q
        beta, _, rank, _ = np.linalg.lstsq(design, target, rcond=None)
        if rank < length:
            raise EstimationError(
                f"{model} cannot be estimated: {len(p)} points determine only {rank} of {length} coefficients"
            )
        return np.asarray(beta, dtype=np.float64), mean, var

    def estimate(
        self,
        A: ArrayLike,
        B: ArrayLike,
        ndim: int | None = None,
        return_params: bool = True,
        **kwargs: Any,
    ) -> str | None:
        """Set this transform to the one fitted to point pairs.

        Parameters
        ----------
        A, B : (N, 2) array
            Points, and the points that they should be mapped to.
        ndim : int, optional
            Dimension of the polynomial; default: that of this transform, or 5 (as TrakEM2) if it has
            none yet.
        return_params : bool
            Give the data string.
        **kwargs
            As for `fit` (``weights=``).

        Returns
        -------
        str or None
            `dataString`, if `return_params`.

        Raises
        ------
        EstimationError
            If the points do not determine the coefficients.
        """
        before = getattr(self, "dimension", None)
        dimension = ndim or before or 5
        self.dimension = dimension
        try:
            self.beta, self.normMean, self.normVar = self.fit(A, B, **kwargs)
        except EstimationError:
            if before is None:
                del self.dimension
            else:
                self.dimension = before
            raise
        self.length = term_count(dimension)
        self.width, self.height = getattr(self, "width", 0), getattr(self, "height", 0)
        return self.dataString if return_params else None

    def _summary(self) -> str:
        if not hasattr(self, "beta"):
            return ""
        return f"dimension={self.dimension}, width={self.width}, height={self.height}"


class NonLinearTransform(NonLinearCoordinateTransform):
    """Lens correction under another class name."""

    className = "mpicbg.trakem2.transform.nonLinearTransform"


class LensCorrection(NonLinearCoordinateTransform):
    """Lens correction under the class name of TrakEM2's plugin.

    Render servers have not known the class since 2020; here, and by the embedded server, it is computed as its
    successor `NonLinearCoordinateTransform`, which has the same data and the same mapping.
    """

    className = "lenscorrection.NonLinearTransform"
