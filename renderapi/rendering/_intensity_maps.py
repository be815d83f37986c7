"""Maps of intensities: coefficients for every region of a tile, interpolated between the centres of regions.

The order of operations is that of the original, which differs between 8-bit pixels and wider ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from renderapi.rendering._filter import Filter, FilterParameters, Image
from renderapi.rendering.errors import RenderParametersError
from renderapi.transform import data_strings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]
    Positions = NDArray[Any]

_BLOCK = 256  # columns that the original goes through at once: its rounding starts anew with each
_ROWS = 64
_MOST_REGIONS = 1 << 24


class _IntensityMap(Filter):
    """What maps have in common.

    Parameters
    ----------
    coefficients : (rows, columns, k) float array
        Of every region, for intensities from 0 to 1.
    """

    needed: ClassVar[int]

    def __init__(self, coefficients: NDArray[np.float64]) -> None:
        if coefficients.shape[2] < self.needed:
            raise RenderParametersError(
                f"the filter {type(self).__name__} needs {self.needed} coefficients for each region, not "
                f"{coefficients.shape[2]}"
            )
        with np.errstate(all="ignore"):
            self.planes: list[Plane] = [plane.astype(np.float32) for plane in self._scaled(coefficients)]

    @classmethod
    def from_parameters(cls, parameters: FilterParameters) -> _IntensityMap:
        """Read `dataString`: ``rows,columns,coefficients per region,coefficient,...``."""
        fields = parameters.text("dataString").split(",")
        while fields and not fields[-1]:
            fields.pop()
        if len(fields) < 4:
            raise RenderParametersError(
                "dataString must have pattern <numberOfRegionRows>,<numberOfRegionColumns>,"
                "<coefficientsPerRegion>,[coefficient]..."
            )
        rows, columns, count = (data_strings.parse_integer(field) for field in fields[:3])
        if len(fields) - 3 != rows * columns * count:
            raise RenderParametersError(
                f"dataString contains {len(fields) - 3} coefficient values instead of {rows * columns * count}"
            )
        if min(rows, columns, count) < 1:
            raise RenderParametersError("dataString must have at least one row, column and coefficient")
        values = [data_strings.parse_double(field.strip()) for field in fields[3:]]
        return cls(np.array(values).reshape(rows, columns, count))

    def _scaled(self, c: NDArray[np.float64]) -> Sequence[NDArray[np.float64]]:
        raise NotImplementedError

    def _value(self, v: Any, planes: Sequence[Any]) -> Any:
        raise NotImplementedError

    def _positions(self, size: tuple[int, int], region: tuple[int, int]) -> tuple[Positions, Positions]:
        raise NotImplementedError

    def apply(self, image: Image, low: float, high: float, scale: float, rng: np.random.Generator) -> Image:
        """See `Filter.apply`; of colours the red becomes the gray value as filtered."""
        if image.ndim == 3:
            result = image.copy()
            total = image.sum(axis=2, dtype=np.uint16)
            result[..., 0] = self.apply(((2 * total + 3) // 6).astype(np.uint8), low, high, scale, rng)
            return result
        rows, columns = self.planes[0].shape
        height, width = image.shape
        region = width // columns, height // rows
        if min(region) == 0:
            return self._of_narrow_regions(image)
        with np.errstate(all="ignore"):
            return self._bytes(image, region) if image.dtype == np.uint8 else self._wide(image, region)

    def _of_narrow_regions(self, image: Image) -> Image:
        # regions of less than a pixel: the original divides by zero
        return np.zeros_like(image)

    def _bytes(self, image: Image, region: tuple[int, int]) -> Image:
        result = np.empty_like(image)
        for left in range(0, image.shape[1], _BLOCK):
            columns = slice(left, min(left + _BLOCK, image.shape[1]))
            for top in range(0, image.shape[0], _ROWS):
                part = (slice(top, min(top + _ROWS, image.shape[0])), columns)
                coefficients = [self._coefficients(plane, region, part) for plane in self.planes]
                values = self._value(image[part].astype(np.float32), coefficients)
                rounded = np.floor(values.astype(np.float64) + 0.5)
                result[part] = np.nan_to_num(np.clip(rounded, 0, 255), nan=0.0).astype(np.uint8)
        return result

    @staticmethod
    def _coefficients(plane: Plane, region: tuple[int, int], part: tuple[slice, slice]) -> Plane:
        rows, columns = plane.shape
        gx, gy = 1.0 / region[0], 1.0 / region[1]
        hx, hy = -(0.5 * region[0]) * gx, -(0.5 * region[1]) * gy
        left, count = part[1].start, part[1].stop - part[1].start
        fx = np.float32(gx * left + hx)
        fy = (gy * np.arange(part[0].start, part[0].stop) + hy).astype(np.float32)
        ix, iy = int(np.floor(fx)), np.floor(fy).astype(np.int64)
        length = int(np.floor(count * gx + float(fx))) + 2 - ix
        wanted = np.arange(ix, ix + max(length, 2))
        inner = np.clip(wanted, 0, columns - 1)
        beyond = wanted >= columns

        def row(index: NDArray[np.int64]) -> Plane:
            values = plane[index][:, inner]
            # right of the last region the original takes the first row
            values[:, beyond] = plane[0, columns - 1]
            return values

        table = row(np.clip(iy, 0, rows - 1))
        between = (iy >= 0) & (iy <= rows - 2)
        below = row(np.clip(iy + 1, 0, rows - 1))
        r = (fy - iy.astype(np.float32))[:, None]
        table = np.where(between[:, None], table + r * (below - table), table)
        steps = np.full(count, np.float32(gx), np.float32)
        steps[0] = fx - np.float32(ix)
        s = np.add.accumulate(steps, dtype=np.float32)
        q = s.astype(np.int64)
        r = s - q.astype(np.float32)
        first, second = (table[:, np.clip(q + n, 0, table.shape[1] - 1)] for n in (0, 1))
        coefficients: Plane = first + r * (second - first)
        return coefficients

    def _wide(self, image: Image, region: tuple[int, int]) -> Image:
        result = np.empty_like(image)
        rows, columns = self.planes[0].shape
        px, py = self._positions(image.shape, region)
        ix, iy = np.floor(px), np.floor(py)
        wx, wy = px - ix, py - iy
        x0, x1 = (np.clip(ix + n, 0, columns - 1).astype(np.int64) for n in (0, 1))
        y0, y1 = (np.clip(iy + n, 0, rows - 1).astype(np.int64) for n in (0, 1))
        for top in range(0, len(image), _ROWS):
            part = slice(top, top + _ROWS)
            v, u = wy[part, None], wx[None]
            corners = (
                (y0, x0, (1 - u) * (1 - v)),
                (y0, x1, u * (1 - v)),
                (y1, x1, u * v),
                (y1, x0, (1 - u) * v),
            )
            coefficients = []
            for plane in self.planes:
                total = np.float32(0)
                for y, x, weight in corners:
                    total = total + (plane[y[part]][:, x] * weight).astype(np.float32)
                coefficients.append(np.asarray(total, np.float64))
            values = self._value(image[part].astype(np.float64), coefficients).astype(np.float32)
            if image.dtype.kind == "u":
                values = np.nan_to_num(np.clip(np.trunc(values + np.float32(0.5)), 0, 65535), nan=0.0)
            result[part] = values.astype(image.dtype)
        return result


class LinearIntensityMap8BitFilter(_IntensityMap):
    """Maps intensities x, from 0 to 1 for 0 to 255, to a x + b, with a and b interpolated between regions.

    Parameters
    ----------
    coefficients : (rows, columns, k) float array
        a and b of every region; more are ignored.
    """

    needed = 2

    def _scaled(self, c: NDArray[np.float64]) -> Sequence[NDArray[np.float64]]:
        return c[..., 0], 255 * c[..., 1]

    def _value(self, v: Any, planes: Sequence[Any]) -> Any:
        return v * planes[0] + planes[1]

    def _positions(self, size: tuple[int, int], region: tuple[int, int]) -> tuple[Positions, Positions]:
        sx, sy = region
        d = 1.0 / (sx * sy)
        shift_x, shift_y = (0.0 - 0.5 * sx * sy) * d, (0.0 - sx * (0.5 * sy)) * d
        return np.arange(size[1]) * (sy * d) + shift_x, np.arange(size[0]) * (sx * d) + shift_y

    def _of_narrow_regions(self, image: Image) -> Image:
        if image.dtype != np.uint8:
            raise RenderParametersError(
                f"Matrix is singular: the intensity map has more regions than the image of "
                f"{image.shape[1]} x {image.shape[0]} pixels can have"
            )
        return super()._of_narrow_regions(image)


class QuadraticIntensityMap8BitFilter(_IntensityMap):
    """Maps intensities x, from 0 to 1 for 0 to 255, to a x^2 + b x + c, interpolated between regions.

    Parameters
    ----------
    coefficients : (rows, columns, k) float array
        a, b and c of every region; more are ignored.
    """

    needed = 3

    def _scaled(self, c: NDArray[np.float64]) -> Sequence[NDArray[np.float64]]:
        return c[..., 0] / 255, c[..., 1], 255 * c[..., 2]

    def _value(self, v: Any, planes: Sequence[Any]) -> Any:
        return (v * v * planes[0] + v * planes[1]) + planes[2]

    def _positions(self, size: tuple[int, int], region: tuple[int, int]) -> tuple[Positions, Positions]:
        return np.arange(size[1]) / region[0] - 0.5, np.arange(size[0]) / region[1] - 0.5
