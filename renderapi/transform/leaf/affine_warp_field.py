"""A field of affine transforms between which render interpolates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import SpecError
from renderapi.transform import data_strings
from renderapi.transform.leaf.common import as_points, blocks
from renderapi.transform.leaf.transform import ParsedTransform
from renderapi.utils import encodeBase64

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["AffineWarpFieldTransform"]

_LINEAR = "net.imglib2.interpolation.randomaccess.NLinearInterpolatorFactory"
_NEAREST = "net.imglib2.interpolation.randomaccess.NearestNeighborInterpolatorFactory"
# fields with fewer values are written as plain numbers
_BASE64_FROM = 64


class AffineWarpFieldTransform(ParsedTransform):
    """Affine transforms on a grid, interpolated in between and extended beyond the border.

    Parameters
    ----------
    dataString : str, optional
        ``offsetX offsetY width height rowCount columnCount interpolator encoding values``; the encoding
        is ``base64`` or ``none``.
    json : dict, optional
        Document to read.
    transformId : str, optional
        Id.
    labels : list of str, optional
        Labels.

    Attributes
    ----------
    offsetX, offsetY, width, height : float
        Box that the grid covers, in world coordinates.
    interpolator : str
        Class of imglib2 that interpolates: linear or nearest neighbour.
    values : (6, rowCount, columnCount) float64 array
        m00, m10, m01, m11, m02, m12 of the transform of every cell, which counts at the centre of the cell.
    """

    className = "org.janelia.alignment.transform.AffineWarpFieldTransform"
    offsetX: float
    offsetY: float
    width: float
    height: float
    interpolator: str
    values: Array

    def _parse_text(self, text: str) -> None:
        fields = data_strings.split_fields(text)
        if len(fields) < 9:
            raise SpecError("warp field data must contain at least 8 fields")
        box = [data_strings.parse_double(field) for field in fields[:4]]
        rows, columns = (data_strings.parse_integer(field) for field in fields[4:6])
        interpolator, encoding = fields[6:8]
        if rows < 1 or columns < 1:
            raise SpecError(f"a warp field cannot have {rows} rows and {columns} columns")
        if interpolator not in (_LINEAR, _NEAREST):
            raise SpecError(f"there is no interpolator '{interpolator}'")
        count = 6 * rows * columns
        if encoding == "base64":
            values = data_strings.parse_block(fields[8], count)
        else:
            if len(fields) != 8 + count:
                raise SpecError(
                    f"expected warp field data to contain {8 + count} fields but found {len(fields)} instead"
                )
            values = np.array([data_strings.parse_double(field) for field in fields[8:]])
        self.offsetX, self.offsetY, self.width, self.height = box
        self.interpolator = interpolator
        self.values = values.reshape(6, rows, columns)

    def _format_text(self) -> str | None:
        if not hasattr(self, "values"):
            return None
        values = np.asarray(self.values, dtype=np.float64)
        box = data_strings.format_doubles(
            [float(v) for v in (self.offsetX, self.offsetY, self.width, self.height)]
        )
        if values.size < _BASE64_FROM:
            field = f"none {data_strings.format_doubles(values.ravel().tolist())}"
        else:
            field = f"base64 {encodeBase64(values.ravel())}"
        return f"{box} {values.shape[1]} {values.shape[2]} {self.interpolator} {field}"

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
        """
        p = as_points(points)
        values = np.asarray(self.values, dtype=np.float64)
        _, rows, columns = values.shape
        table = np.ascontiguousarray(values.reshape(6, -1).T)
        out = np.empty(p.shape)
        sample = self._nearest if self.interpolator == _NEAREST else self._linear
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            for part in blocks(len(p), 4096):
                x, y = np.ascontiguousarray(p[part].T)
                u = _grid_position(x, self.offsetX, self.width / columns)
                v = _grid_position(y, self.offsetY, self.height / rows)
                m00, m10, m01, m11, m02, m12 = sample(table, u, v, rows, columns).T
                out[part, 0] = x * m00 + y * m01 + m02
                out[part, 1] = x * m10 + y * m11 + m12
        return out

    @staticmethod
    def _nearest(table: Array, u: Array, v: Array, rows: int, columns: int) -> Array:
        index = _clamped(np.floor(v + 0.5), rows) * columns + _clamped(np.floor(u + 0.5), columns)
        found: Array = table[index]
        return found

    @staticmethod
    def _linear(table: Array, u: Array, v: Array, rows: int, columns: int) -> Array:
        left, top = np.floor(u), np.floor(v)
        a, b = (u - left)[:, None], (v - top)[:, None]
        x0, x1 = _clamped(left, columns), _clamped(left + 1, columns)
        y0, y1 = _clamped(top, rows) * columns, _clamped(top + 1, rows) * columns
        # imglib2 goes around the cell, and so adds in this order
        mixed: Array = (
            table[y0 + x0] * ((1 - a) * (1 - b))
            + table[y0 + x1] * (a * (1 - b))
            + table[y1 + x1] * (a * b)
            + table[y1 + x0] * ((1 - a) * b)
        )
        return mixed

    def _values(self) -> Any:
        if not hasattr(self, "values"):
            return None
        box = tuple(float(v) for v in (self.offsetX, self.offsetY, self.width, self.height))
        return box, self.interpolator, np.shape(self.values), tuple(np.ravel(self.values).tolist())

    def _summary(self) -> str:
        if not hasattr(self, "values"):
            return ""
        _, rows, columns = np.shape(self.values)
        return f"{rows} rows, {columns} columns, {self.interpolator.rpartition('.')[2]}"


def _grid_position(v: Array, offset: float, scale: float) -> Array:
    # cell centres are at whole numbers; imglib2 scales and then shifts
    factor = 1 / scale
    return factor * (v - offset) + -(0.5 * scale) * factor


def _clamped(index: Array, count: int) -> NDArray[np.intp]:
    # the border values go on outwards; NaN takes the first
    return np.clip(np.nan_to_num(index), 0, count - 1).astype(np.intp)
