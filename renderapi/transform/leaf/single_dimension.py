"""Corrections of one coordinate by a function of itself, for distortions of scanning electron microscopes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.errors import SpecError
from renderapi.transform import data_strings
from renderapi.transform.leaf.common import as_points
from renderapi.transform.leaf.transform import ParsedTransform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = [
    "ExponentialFunctionOffsetTransform",
    "ExponentialFunctionOffsetTransformWithWrongSign",
    "ExponentialRecoveryOffsetTransform",
    "SEMDistortionTransformA",
    "SingleDimensionTransform",
    "StageCreepCorrectionTransform",
]

_MOST_STEPS = 10
_NEAR = 1e-9
_SEPARATORS = re.compile(r"[, ]+")


def _exp(v: Array) -> Array:
    # rounded once, as a good exp() does and numpy's does not in 5 of 100 cases
    return np.exp(v.astype(np.longdouble)).astype(np.float64)


class SingleDimensionTransform(ParsedTransform):
    """A transform that changes x or y by a function of the same coordinate.

    Parameters
    ----------
    dataString : str, optional
        Coefficients and dimension, separated by commas or blanks.
    json : dict, optional
        Document to read.
    transformId : str, optional
        Id.
    labels : list of str, optional
        Labels.

    Attributes
    ----------
    coefficients : list of float
        Coefficients a, b, c ... of the function.
    dimension : int
        0 if x is changed, 1 if y is.
    """

    coefficient_count = 0
    coefficients: list[float]
    dimension: int

    def _parse_text(self, text: str) -> None:
        fields = _SEPARATORS.split(text.strip())
        while fields and not fields[-1]:
            fields.pop()
        count = self.coefficient_count
        if len(fields) != count + 1:
            raise SpecError(
                f"transform data must contain {count + 1} comma separated values ({count} coefficients "
                f"followed by dimension), found {len(fields)} values instead"
            )
        coefficients = [data_strings.parse_double(field.strip()) for field in fields[:-1]]
        dimension = data_strings.parse_integer(fields[-1])
        if dimension not in (0, 1):
            raise SpecError(f"dimension must be 0 (x) or 1 (y), not {dimension}")
        self.coefficients, self.dimension = coefficients, dimension

    def _format_text(self) -> str | None:
        if not hasattr(self, "coefficients"):
            return None
        return ",".join(
            [*(data_strings.format_double(float(value)) for value in self.coefficients), str(self.dimension)]
        )

    def _function(self, v: Array) -> Array:
        raise NotImplementedError

    def tform(self, points: ArrayLike) -> Array:
        """Map points.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
            The mapped points as render computes them (exponentials may differ in the last bit).

        Raises
        ------
        ConversionError
            If the points have another shape.
        """
        out = as_points(points).copy()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            out[:, self.dimension] = self._function(np.ascontiguousarray(out[:, self.dimension]))
        return out

    def _values(self) -> Any:
        return tuple(getattr(self, "coefficients", ())), getattr(self, "dimension", None)

    def _summary(self) -> str:
        if not hasattr(self, "coefficients"):
            return ""
        return f"coefficients={list(self.coefficients)!r}, dimension={self.dimension}"


class ExponentialFunctionOffsetTransform(SingleDimensionTransform):
    """v' = v - (a exp(-b v) + c)."""

    className = "org.janelia.alignment.transform.ExponentialFunctionOffsetTransform"
    coefficient_count = 3

    def _function(self, v: Array) -> Array:
        a, b, c = self.coefficients
        return v - (a * _exp(-b * v) + c)


class ExponentialFunctionOffsetTransformWithWrongSign(SingleDimensionTransform):
    """v' = v + (a exp(-b v) + c), which render's branch newsolver keeps for stacks that were made with it."""

    className = "org.janelia.alignment.transform.ExponentialFunctionOffsetTransformWithWrongSign"
    coefficient_count = 3

    def _function(self, v: Array) -> Array:
        a, b, c = self.coefficients
        return v + (a * _exp(-b * v) + c)


class ExponentialRecoveryOffsetTransform(SingleDimensionTransform):
    """v' = v - (a (1 - exp(-b v)) + c)."""

    className = "org.janelia.alignment.transform.ExponentialRecoveryOffsetTransform"
    coefficient_count = 3

    def _function(self, v: Array) -> Array:
        a, b, c = self.coefficients
        return v - (a * (1 - _exp(-b * v)) + c)


class SEMDistortionTransformA(SingleDimensionTransform):
    """v' = v + a exp(-v / b) + c exp(-v / d)."""

    className = "org.janelia.alignment.transform.SEMDistortionTransformA"
    coefficient_count = 4

    def _function(self, v: Array) -> Array:
        a, b, c, d = self.coefficients
        return v + (a * _exp(-v / b) + c * _exp(-v / d))


class StageCreepCorrectionTransform(SingleDimensionTransform):
    """The v' of which v = v' + a exp(-v' / b) + c exp(-v' / d), for the creep of a piezo stage.

    It is found by at most ten steps of Newton's method that begin at v, as in render's branch newsolver.
    """

    className = "org.janelia.alignment.transform.StageCreepCorrectionTransform"
    coefficient_count = 4

    def _function(self, v: Array) -> Array:
        # a division by zero is Java's: infinite or not a number
        a, b, c, d = (np.float64(value) for value in self.coefficients)
        w = v.copy()
        active = np.ones(len(v), bool)
        for _ in range(_MOST_STEPS):
            at = w[active]
            first, second = _exp(-at / b), _exp(-at / d)
            missed = at + a * first + c * second - v[active]
            near = np.abs(missed) < _NEAR
            slope = 1.0 - (a / b) * first - (c / d) * second
            w[active] = np.where(near, at, at - missed / slope)
            active[active] = ~near
            if not active.any():
                break
        return w
