"""Projective transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import SpecError
from renderapi.transform import _numbers
from renderapi.transform.leaf.common import NotInvertibleError, as_points, blocks
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

    def _parse_text(self, text: str) -> None:
        values = _numbers.parse_doubles(text)
        if len(values) != 9:
            raise SpecError(f"9 numbers are needed, {len(values)} found")
        self.M = np.array(values).reshape(3, 3)

    def _format_text(self) -> str:
        return _numbers.format_doubles(np.asarray(self.M, dtype=np.float64).ravel().tolist())

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
        """Give the inverse transform.

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
        except np.linalg.LinAlgError as error:
            raise NotInvertibleError(f"a projective transform is singular: {self.M.tolist()}") from error

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
