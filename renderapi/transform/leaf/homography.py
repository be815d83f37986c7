"""Projective transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import EstimationError, SpecError
from renderapi.transform import data_strings
from renderapi.transform.leaf.common import NotInvertibleError, as_points, blocks, point_pairs
from renderapi.transform.leaf.transform import ParsedTransform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["HomographyModel2D"]


class HomographyModel2D(ParsedTransform):
    """Projective transform: x' = (m00 x + m01 y + m02) / w, y' = (m10 x + m11 y + m12) / w, w = m20 x +
    m21 y + m22.

    Parameters
    ----------
    dataString : str, optional
        The nine numbers of the matrix, row by row. Default: the identity.
    json : dict, optional
        Document to read.
    transformId : str, optional
        Id.
    labels : list of str, optional
        Labels.
    M : (3, 3) array, optional
        The matrix, used if neither document nor data string is given.

    Attributes
    ----------
    M : (3, 3) float64 array
        The transform. It may be edited in place.
    """

    className = "mpicbg.trakem2.transform.HomographyModel2D"
    M: Array

    def __init__(
        self,
        dataString: str | None = None,
        json: dict[str, Any] | None = None,
        transformId: str | None = None,
        labels: list[str] | None = None,
        M: ArrayLike | None = None,
    ) -> None:
        self.M = np.eye(3) if M is None else np.array(M, dtype=np.float64).reshape(3, 3)
        super().__init__(dataString, json, transformId, labels)

    @classmethod
    def identity(cls) -> HomographyModel2D:
        """Return the transform that maps every point to itself."""
        return cls()

    @staticmethod
    def fit(src: ArrayLike, dst: ArrayLike, weights: ArrayLike | None = None) -> Array:
        """Fit a projective transform to point pairs by the normalised direct linear transform.

        Parameters
        ----------
        src, dst : (N, 2) array
            Points, and the points that they should be mapped to; at least four, no three on a line.
        weights : (N,) array, optional
            Weight of each pair; default 1.

        Returns
        -------
        (3, 3) array
            The matrix; m22 is 1 unless the origin goes to infinity.

        Raises
        ------
        EstimationError
            If the points do not determine a projective transform.

        Notes
        -----
        Minimises the weighted squares of the linear equations, not the distances in pixels, after moving
        both point sets to the origin and scaling them (R. Hartley, In defense of the eight-point
        algorithm, 1997). With exact pairs the result is exact but for rounding.
        """
        model = "a projective transform"
        p, q, w = point_pairs(src, dst, weights, 4, model)
        used = slice(None) if w is None else w > 0
        forward, backward = _normalisation(p[used], model), _normalisation(q[used], model)
        (x, y), (u, v) = _moved(forward, p).T, _moved(backward, q).T
        zero, one = np.zeros_like(x), np.ones_like(x)
        rows = np.concatenate(
            [
                np.column_stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u]),
                np.column_stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v]),
            ]
        )
        if w is not None:
            rows *= np.sqrt(np.concatenate([w, w]) / w.max())[:, None]
        # a square system has the last singular vector too
        rows = np.concatenate([rows, np.zeros((1, 9))])
        _, singular, vectors = np.linalg.svd(rows, full_matrices=False)
        if singular[7] <= singular[0] * np.finfo(float).eps * len(rows):
            raise EstimationError(
                f"{model} cannot be estimated: four points are needed of which no three are on one line"
            )
        matrix = np.linalg.inv(backward) @ vectors[-1].reshape(3, 3) @ forward
        scale = matrix[2, 2] if abs(matrix[2, 2]) > 1e-12 * np.abs(matrix).max() else 1.0
        return np.asarray(matrix / scale, dtype=np.float64)

    def estimate(
        self,
        src: ArrayLike,
        dst: ArrayLike,
        return_params: bool = True,
        weights: ArrayLike | None = None,
    ) -> Array | None:
        """Set this transform to the one fitted to point pairs.

        Parameters
        ----------
        src, dst, weights
            As for `fit`.
        return_params : bool
            Give the matrix.

        Returns
        -------
        (3, 3) array or None
            `M`, if `return_params`.

        Raises
        ------
        EstimationError
            If the points do not determine a projective transform; it stays as it is.
        """
        self.M = self.fit(src, dst, weights=weights)
        return self.M if return_params else None

    def concatenate(self, model: HomographyModel2D) -> HomographyModel2D:
        """Return the transform that applies `model` first and this one then.

        Parameters
        ----------
        model : HomographyModel2D or AffineModel
            Transform to apply first.

        Returns
        -------
        HomographyModel2D
            A new transform without id or labels.
        """
        return HomographyModel2D(M=np.asarray(self.M) @ np.asarray(model.M))

    def _parse_text(self, text: str) -> None:
        found = len(data_strings.split_fields(text))
        if found != 9:
            raise SpecError(f"9 numbers are needed, {found} found")
        self.M = np.array(data_strings.parse_doubles(text)).reshape(3, 3)

    def _format_text(self) -> str:
        return data_strings.format_doubles(np.asarray(self.M, dtype=np.float64).ravel().tolist())

    def tform(self, points: ArrayLike) -> Array:
        """Map points.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
            The mapped points, bit for bit what render computes; NaN or infinite where w is 0.

        Raises
        ------
        ConversionError
            If the points have another shape.
        """
        p = as_points(points)
        (m00, m01, m02), (m10, m11, m12), (m20, m21, m22) = self.M.tolist()
        out = np.empty(p.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            for part in blocks(len(p), 8192):
                x, y = np.ascontiguousarray(p[part].T)
                w = m20 * x + m21 * y + m22
                out[part, 0] = (m00 * x + m01 * y + m02) / w
                out[part, 1] = (m10 * x + m11 * y + m12) / w
        return out

    def invert(self) -> HomographyModel2D:
        """Return the inverse transform.

        Returns
        -------
        HomographyModel2D
            A new transform without id or labels.

        Raises
        ------
        NotInvertibleError
            If the matrix is singular (an EstimationError and a numpy LinAlgError).
        """
        try:
            return HomographyModel2D(M=np.linalg.inv(self.M))
        except np.linalg.LinAlgError:
            raise NotInvertibleError(f"a projective transform is singular: {self.M.tolist()}") from None

    def inverse_tform(self, points: ArrayLike, precision: float = 1e-6, max_iters: int = 100) -> Array:
        """Map points backwards, with the inverse matrix.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.
        precision, max_iters
            Not needed here.

        Returns
        -------
        (N, 2) array

        Raises
        ------
        NotInvertibleError
            If the matrix is singular.
        """
        return self.invert().tform(points)

    def _values(self) -> Any:
        return tuple(np.ravel(self.M).tolist())

    def _summary(self) -> str:
        return f"M={np.asarray(self.M).tolist()!r}"


def _normalisation(p: Array, model: str) -> Array:
    # matrix that moves the centre of points to the origin, and their mean distance from it to 1
    centre = p.mean(axis=0)
    size = float(np.hypot(*(p - centre).T).mean())
    if size <= 4 * np.finfo(float).eps * np.abs(p).max():
        raise EstimationError(f"{model} cannot be estimated: all points are the same")
    return np.array([[1.0, 0.0, -centre[0]], [0.0, 1.0, -centre[1]], [0.0, 0.0, size]]) / size


def _moved(matrix: Array, p: Array) -> Array:
    moved: Array = p * matrix[0, 0] + matrix[:2, 2]
    return moved
