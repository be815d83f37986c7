"""Affine transforms and the models that are special cases of them.

`AffineModel.M` is the source of truth: it may be edited in place, and data string, properties and mapped
points follow. ``M00`` ... ``B1`` are what was given, and count only when `AffineModel.load_M` is called.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.linalg import LinAlgError

from renderapi.errors import ConversionError, EstimationError, SpecError
from renderapi.transform import least_squares
from renderapi.transform.data_strings import (
    format_doubles,
    format_floats32,
    parse_loosely,
    parse_native,
    split_fields,
)
from renderapi.transform.leaf.common import (
    as_points,
    blocks,
    calc_first_order_properties,
    current_svd,
    point_pairs,
    write_extras,
)
from renderapi.transform.leaf.transform import MapsPoints, Transform
from renderapi.transform.native import (
    AFFINE as _AFFINE,
)
from renderapi.transform.native import (
    NATIVE_COUNTS,
    native_matrix,
    native_numbers,
)
from renderapi.transform.native import (
    RIGID as _RIGID,
)
from renderapi.transform.native import (
    SIMILARITY as _SIMILARITY,
)
from renderapi.transform.native import (
    TRANSLATION as _TRANSLATION,
)
from renderapi.transform.ransac import Ransac, as_ransac, inliers
from renderapi.utils import NullHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    RansacLike = Ransac | Mapping[str, Any] | bool | None

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = ["AffineModel", "LinAlgError", "RigidModel", "SimilarityModel", "TranslationModel"]


def __getattr__(name: str) -> Any:
    if name == "svd":
        return current_svd()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_fill_matrix: Callable[..., None] = struct.Struct("9d").pack_into


def _matrix(m00: Any, m01: Any, m10: Any, m11: Any, b0: Any, b1: Any) -> NDArray[np.float64]:
    # of numbers or their text
    M = np.empty((3, 3))
    try:
        _fill_matrix(M, 0, m00, m01, b0, m10, m11, b1, 0.0, 0.0, 1.0)
    except struct.error:
        try:
            numbers = [float(value) for value in (m00, m01, b0, m10, m11, b1)]
        except (TypeError, ValueError) as error:
            raise ConversionError(f"parameters of an affine transform must be numbers: {error}") from None
        _fill_matrix(M, 0, *numbers, 0.0, 0.0, 1.0)
    return M


def _agreeing(
    model: str,
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    w: NDArray[np.float64] | None,
    ransac: RansacLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.bool_] | None]:
    # the pairs that agree on a model, and which they are; all where RANSAC is not wanted
    options = as_ransac(ransac)
    if options is None:
        return p, q, w, None
    mask = inliers(model, p, q, w, options)
    return p[mask], q[mask], None if w is None else w[mask], mask


class AffineModel(MapsPoints, Transform):
    """Affine transform: x' = M00*x + M01*y + B0, y' = M10*x + M11*y + B1.

    Parameters
    ----------
    M00, M01, M10, M11 : float
        Linear part.
    B0, B1 : float
        Translation.
    transformId : str, optional
        Id, needed by transforms that others refer to.
    labels : list of str, optional
        Labels.
    json : dict, optional
        Document to read; everything else but `force_shear` is ignored if it is given. Documents of
        TranslationModel2D, RigidModel2D and SimilarityModel2D are read too, with 2, 3 or 4 numbers or
        with the six that old clients wrote.
    force_shear : {'x', 'y'}
        Along which axis the shear of `shear`, `scale` and `rotation` is.

    Attributes
    ----------
    M : (3, 3) float64 array
        The transform. It may be edited in place.
    className : str
        Class that `to_dict` writes. What was read as Translation, Rigid or Similarity is written back in
        its own
        class and format as long as that says exactly what `M` says, as AffineModel2D with six numbers
        otherwise. New and estimated models are AffineModel2D.
    inliers : (N,) bool array or None
        The point pairs that the last `estimate` with ``ransac=`` was fitted to; None after one without.

    Raises
    ------
    SpecError
        If the document cannot be read.
    ConversionError
        If a parameter is no number.
    """

    className: str = _AFFINE
    M: NDArray[np.float64]
    inliers: NDArray[np.bool_] | None = None
    _was_read: tuple[str, bytes, str | None, list[float] | None] | None = None

    def __init__(
        self,
        M00: float = 1.0,
        M01: float = 0.0,
        M10: float = 0.0,
        M11: float = 1.0,
        B0: float = 0.0,
        B1: float = 0.0,
        transformId: str | None = None,
        labels: list[str] | None = None,
        json: dict[str, Any] | None = None,
        force_shear: str = "x",
    ) -> None:
        self.force_shear = force_shear
        if json is not None:
            self.from_dict(json)
            return
        self.M00 = M00
        self.M01 = M01
        self.M10 = M10
        self.M11 = M11
        self.B0 = B0
        self.B1 = B1
        self.className = _AFFINE
        self.labels = labels
        self.transformId = transformId
        self.load_M()

    @classmethod
    def identity(cls) -> AffineModel:
        """Return the transform that maps every point to itself."""
        return cls()

    def load_M(self) -> None:
        """Make `M` anew of the attributes ``M00`` ... ``B1``, which may be numbers or their text.

        Raises
        ------
        ConversionError
            If one of them is no number.
        """
        self.M = _matrix(self.M00, self.M01, self.M10, self.M11, self.B0, self.B1)

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything over from a document.

        Parameters
        ----------
        d : dict
            Document of an AffineModel2D, TranslationModel2D, RigidModel2D or SimilarityModel2D; it is
            not changed.

        Raises
        ------
        SpecError
            If className or dataString is missing, or the numbers are not those of the class.
        """
        self._parse(self._read(d))

    @property
    def dataString(self) -> str:
        """Parameters as text: what was read, or the shortest that is read back as the same numbers.

        Six numbers ``M00 M10 M01 M11 B0 B1``, or those of the class that the transform was read as.
        """
        was_read = self._was_read
        if (
            was_read is not None
            and was_read[2] is not None
            and was_read[0] == self.className
            and was_read[1] == self.M.tobytes()
        ):
            return was_read[2]
        if self.className in NATIVE_COUNTS:
            numbers = self._native_numbers()
            if numbers is not None:
                return format_floats32(numbers)
        (m00, m01, b0), (m10, m11, b1), _ = self.M.tolist()
        return format_doubles([m00, m10, m01, m11, b0, b1])

    @dataString.setter
    def dataString(self, text: str | None) -> None:
        self._parse(text)
        if self._was_read is not None:
            # the text of a document counts, not the one that a program wrote
            self._was_read = (*self._was_read[:2], None, self._was_read[3])

    def _parse(self, text: Any) -> None:
        numbers = None
        try:
            if self.className in NATIVE_COUNTS:
                numbers = parse_native(text, NATIVE_COUNTS[self.className])
            if numbers is None:
                values = parse_loosely(text)
                if len(values) != 6:
                    raise SpecError(f"6 numbers are needed, {len(values)} found")
                m00, m10, m01, m11, b0, b1 = values
            else:
                m00, m01, m10, m11, b0, b1 = native_matrix(self.className, numbers)
            self.M = _matrix(m00, m01, m10, m11, b0, b1)
        except (SpecError, ConversionError) as error:
            count = NATIVE_COUNTS.get(self.className)
            hint = "" if count is None else f" ({count} numbers, or 6 as old clients wrote)"
            # Java counts before it reads
            found = len(split_fields(text)) if isinstance(text, str) else 6
            reason = error if found in (6, count) else f"6 numbers are needed, {found} found"
            raise self._refusal(f"{reason}{hint}") from None
        self.M00, self.M01, self.M10, self.M11, self.B0, self.B1 = m00, m01, m10, m11, b0, b1
        # what was read, for writing it back while M is the same; but six numbers of a class that has fewer are
        # what no server reads
        self._was_read = None
        if numbers is not None or self.className not in NATIVE_COUNTS:
            self._was_read = self.className, self.M.tobytes(), text, numbers

    def _native_numbers(self) -> list[float] | None:
        # the numbers of a class with a format of its own, None where they cannot say exactly what M says
        was_read = self._was_read
        if was_read is not None and was_read[0] == self.className and was_read[1] == self.M.tobytes():
            # an angle cannot always be found again in M; six numbers are none of a class of its own
            return was_read[3]
        (m00, m01, b0), (m10, m11, b1), _ = self.M.tolist()
        return native_numbers(self.className, (m00, m01, m10, m11, b0, b1))

    def to_dict(self) -> dict[str, Any]:
        """Return the document of the transform.

        Returns
        -------
        dict
            ``type``, ``className``, ``dataString``, ``id`` and ``metaData`` if there are any, and what
            else the document had that this transform was read from.
        """
        className = self.className
        if className in NATIVE_COUNTS and self._native_numbers() is None:
            className = _AFFINE
        d: dict[str, Any] = {"type": "leaf", "className": className, "dataString": self.dataString}
        if self.transformId is not None:
            d["id"] = self.transformId
        if self.labels is not None or "_extras" in self.__dict__:
            write_extras(self, d)
        return d

    @staticmethod
    def fit(
        A: ArrayLike,
        B: ArrayLike,
        return_all: bool = False,
        weights: ArrayLike | None = None,
        ransac: RansacLike = None,
    ) -> Any:
        """Fit an affine transform to point pairs by (weighted) least squares, as mpicbg's AffineModel2D does.

        Parameters
        ----------
        A, B : (N, 2) array
            Points, and the points that they should be mapped to; at least three that are not on a line.
        return_all : bool
            Also give residual, rank and singular values of the linear system of 2 N equations.
        weights : (N,) array, optional
            Weight of each pair; default 1.
        ransac : Ransac, dict or bool, optional
            Leave out pairs that do not agree with most of the others, see `Ransac`.

        Returns
        -------
        parameters : (6, 1) array
            M00, M01, M10, M11, B0, B1.
        residuals : (1,) array
            Sum of squared residuals (with `return_all`, like what follows).
        rank : int
            Rank of the system.
        singular_values : (6,) array
            Singular values of the system, largest first.

        Raises
        ------
        EstimationError
            If the points do not determine an affine transform, or too few agree on one.
        """
        p, q, w = point_pairs(A, B, weights, 3, "an affine transform")
        p, q, w, _ = _agreeing("affine", p, q, w, ransac)
        m00, m01, m10, m11, b0, b1 = least_squares.fit_points("affine", p, q, w)
        least_squares.require_spread(p, w, "an affine transform", line=True)
        T = np.array([[m00], [m01], [m10], [m11], [b0], [b1]])
        if not np.isfinite(T).all():
            raise EstimationError("an affine transform cannot be estimated: the numbers are too large")
        if not return_all:
            return T
        design = np.column_stack([p, np.ones(len(p))])
        root = np.ones((len(p), 1)) if w is None else np.sqrt(w)[:, None]
        residuals = root * (design @ np.array([[m00, m10], [m01, m11], [b0, b1]]) - q)
        # x and y make the same three columns each, so every singular value counts twice
        singular = np.repeat(np.linalg.svd(root * design, compute_uv=False), 2)
        rank = int((singular > singular[0] * np.finfo(float).eps * 2 * len(p)).sum())
        return T, np.array([(residuals**2).sum()]), rank, singular

    def estimate(self, A: ArrayLike, B: ArrayLike, return_params: bool = True, **kwargs: Any) -> Any:
        """Set this transform to the one fitted to point pairs.

        Parameters
        ----------
        A, B : (N, 2) array
            Points, and the points that they should be mapped to.
        return_params : bool
            Give the matrix.
        **kwargs
            As for `fit` (``weights=``, ``ransac=``). With ``ransac=`` the pairs that the transform was fitted
            to are kept as `inliers`.

        Returns
        -------
        (3, 3) array or None
            `M`, if `return_params`.

        Raises
        ------
        EstimationError
            If the points do not determine the transform, or too few agree on one; it stays as it is.
        """
        agreeing = None
        if as_ransac(ransac := kwargs.pop("ransac", None)) is not None:
            model = self._model(**kwargs)
            p, q, w = point_pairs(
                A, B, kwargs.get("weights"), least_squares.MODELS[model][1], f"the {model} model"
            )
            A, B, w, agreeing = _agreeing(model, p, q, w, ransac)
            if w is not None:
                kwargs["weights"] = w
        fitted = self.fit(A, B, **kwargs)
        self.inliers = agreeing
        parameters = np.asarray(fitted[0] if isinstance(fitted, tuple) else fitted, dtype=np.float64)
        if parameters.size == 6:
            m00, m01, m10, m11, b0, b1 = parameters.ravel().tolist()
        else:
            (m00, m01, b0), (m10, m11, b1) = parameters[:2].tolist()
        self._set_parameters(m00, m01, m10, m11, b0, b1)
        return self.M if return_params else None

    @staticmethod
    def _model(**kwargs: Any) -> str:
        # what `fit` fits with these keywords
        return "affine"

    def _set_parameters(self, *parameters: float) -> None:
        # estimated parameters are double precision, which only the affine class can write
        if self.className in NATIVE_COUNTS:
            self.className = _AFFINE
        self.M00, self.M01, self.M10, self.M11, self.B0, self.B1 = parameters
        self.load_M()

    def concatenate(self, model: AffineModel) -> AffineModel:
        """Return the transform that applies `model` first and this one then.

        Parameters
        ----------
        model : AffineModel
            Transform to apply first.

        Returns
        -------
        AffineModel
            A new transform without id or labels.
        """
        (n00, n01, n02), (n10, n11, n12), _ = self.M.tolist()
        (l00, l01, l02), (l10, l11, l12), _ = model.M.tolist()
        return AffineModel(
            n00 * l00 + n01 * l10,
            n00 * l01 + n01 * l11,
            n10 * l00 + n11 * l10,
            n10 * l01 + n11 * l11,
            n00 * l02 + n01 * l12 + n02,
            n10 * l02 + n11 * l12 + n12,
        )

    def invert(self) -> AffineModel:
        """Return the inverse transform.

        Returns
        -------
        AffineModel
            A new transform without id or labels.

        Raises
        ------
        NotInvertibleError
            If the transform is singular (an EstimationError and a numpy LinAlgError).
        """
        m00, m01, m02, m10, m11, m12 = least_squares.invert(*self.M[:2].ravel().tolist())
        return AffineModel(m00, m01, m10, m11, m02, m12)

    @staticmethod
    def convert_to_point_vector(points: ArrayLike) -> tuple[NDArray[np.float64], int]:
        """Return points with a third column of ones, and their number.

        Parameters
        ----------
        points : (N, 2) array
            Points.

        Returns
        -------
        (N, 3) array, int
            Homogeneous points, and N.
        """
        p = as_points(points)
        return np.column_stack([p, np.ones(len(p))]), len(p)

    @staticmethod
    def convert_points_vector_to_array(points: ArrayLike, Nd: int = 2) -> NDArray[np.float64]:
        """Return homogeneous points without their last column.

        Parameters
        ----------
        points : (N, Nd + 1) array
            Homogeneous points.
        Nd : int
            Number of coordinates.

        Returns
        -------
        (N, Nd) array
            The coordinates divided by the last column.
        """
        vector = np.asarray(points, dtype=np.float64)
        return vector[:, :Nd] / vector[:, Nd : Nd + 1]

    def tform(self, points: ArrayLike) -> NDArray[np.float64]:
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
        (m00, m01, b0), (m10, m11, b1), _ = self.M.tolist()
        out = np.empty(p.shape)
        for part in blocks(len(p), 16384):
            x, y = np.ascontiguousarray(p[part].T)
            # no matrix product: Java adds from left to right and does not fuse
            out[part, 0] = x * m00 + y * m01 + b0
            out[part, 1] = x * m10 + y * m11 + b1
        return out

    def inverse_tform(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points backwards.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array

        Raises
        ------
        NotInvertibleError
            If the transform is singular.
        """
        return self.invert().tform(points)

    def calc_properties(self) -> tuple[float, float, float, float, float]:
        """Return scales, shears and rotation: sx, sy, cx, cy, theta (see `calc_first_order_properties`)."""
        return calc_first_order_properties(self.M, force_shear=self.force_shear)

    @property
    def scale(self) -> tuple[float, float]:
        """Scale along x and y."""
        return self.calc_properties()[:2]

    @property
    def shear(self) -> float:
        """Shear along the axis of `force_shear`."""
        return self.calc_properties()[2 if self.force_shear == "x" else 3]

    @property
    def translation(self) -> tuple[float, float]:
        """Translation along x and y in pixels."""
        return self.M[0, 2], self.M[1, 2]

    @property
    def rotation(self) -> float:
        """Rotation in radians."""
        return self.calc_properties()[4]

    def _values(self) -> Any:
        return tuple(self.M[:2].ravel().tolist())

    def _summary(self) -> str:
        (m00, m01, b0), (m10, m11, b1), _ = self.M.tolist()
        return f"M00={m00!r}, M01={m01!r}, M10={m10!r}, M11={m11!r}, B0={b0!r}, B1={b1!r}"

    def __str__(self) -> str:
        (m00, m01, b0), (m10, m11, b1), _ = self.M.tolist()
        return f"M=[[{m00:f},{m01:f}],[{m10:f},{m11:f}]] B=[{b0:f},{b1:f}]"


class TranslationModel(AffineModel):
    """Translation: an affine transform whose fit moves only.

    Parameters
    ----------
    *args, **kwargs
        As for `AffineModel`.

    Notes
    -----
    A new or estimated translation is written as AffineModel2D; one that was read as TranslationModel2D is
    written back as ``B0 B1``. Java reads those as float32.
    """

    className = _TRANSLATION

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    @staticmethod
    def fit(  # type: ignore[override]
        src: ArrayLike, dst: ArrayLike, weights: ArrayLike | None = None, ransac: RansacLike = None
    ) -> NDArray[np.float64]:
        """Fit a translation to point pairs by (weighted) least squares.

        Parameters
        ----------
        src, dst : (N, 2) array
            Points, and the points that they should be mapped to; at least one.
        weights : (N,) array, optional
            Weight of each pair; default 1.
        ransac : Ransac, dict or bool, optional
            Leave out pairs that do not agree with most of the others, see `Ransac`.

        Returns
        -------
        (3, 3) array

        Raises
        ------
        EstimationError
            If there are no points, or too few agree on a translation.
        """
        p, q, w = point_pairs(src, dst, weights, 1, "a translation")
        p, q, w, _ = _agreeing("translation", p, q, w, ransac)
        return least_squares.matrix(least_squares.fit_points("translation", p, q, w))

    def estimate(  # type: ignore[override]
        self,
        src: ArrayLike,
        dst: ArrayLike,
        return_params: bool = True,
        weights: ArrayLike | None = None,
        ransac: RansacLike = None,
    ) -> Any:
        """Set this transform to the translation fitted to point pairs.

        Parameters
        ----------
        src, dst : (N, 2) array
            Points, and the points that they should be mapped to.
        return_params : bool
            Give the matrix.
        weights : (N,) array, optional
            Weight of each pair; default 1.
        ransac : Ransac, dict or bool, optional
            Leave out pairs that do not agree with most of the others, see `Ransac`.

        Returns
        -------
        (3, 3) array or None
            `M`, if `return_params`.
        """
        return super().estimate(src, dst, return_params, weights=weights, ransac=ransac)

    @staticmethod
    def _model(**kwargs: Any) -> str:
        return "translation"


class RigidModel(AffineModel):
    """Rigid transform: an affine transform whose fit rotates and moves only.

    Parameters
    ----------
    *args, **kwargs
        As for `AffineModel`.

    Notes
    -----
    A new or estimated model is written as AffineModel2D; one that was read as RigidModel2D is written
    back as ``theta B0 B1``. Java reads those as float32.
    """

    className = _RIGID

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    @staticmethod
    def fit(  # type: ignore[override]
        src: ArrayLike,
        dst: ArrayLike,
        rigid: bool = True,
        weights: ArrayLike | None = None,
        ransac: RansacLike = None,
        **kwargs: Any,
    ) -> NDArray[np.float64]:
        """Fit a rotation and translation, with `rigid` false also a scale, to point pairs by least squares.

        Parameters
        ----------
        src, dst : (N, 2) array
            Points, and the points that they should be mapped to; at least two.
        rigid : bool
            Keep the scale at 1.
        weights : (N,) array, optional
            Weight of each pair; default 1.
        ransac : Ransac, dict or bool, optional
            Leave out pairs that do not agree with the others; see `AffineModel.fit`. Default: use all.
        **kwargs
            Ignored.

        Returns
        -------
        (3, 3) array
            The best transform that does not mirror, also for mirrored point sets.

        Raises
        ------
        EstimationError
            If the points do not determine a rotation, or too few agree on one.
        """
        kind = "rigid" if rigid else "similarity"
        model = f"a {kind} model"
        p, q, w = point_pairs(src, dst, weights, 2, model)
        p, q, w, _ = _agreeing(kind, p, q, w, ransac)
        least_squares.require_spread(p, w, model)
        M = least_squares.matrix(least_squares.fit_points(kind, p, q, w))
        if not np.isfinite(M).all() or (rigid and not least_squares.determines_rotation(p, q, w)):
            raise EstimationError(
                f"{model} cannot be estimated: the target points do not determine a rotation"
            )
        return M

    @staticmethod
    def _model(**kwargs: Any) -> str:
        return "rigid" if kwargs.get("rigid", True) else "similarity"


class SimilarityModel(RigidModel):
    """Similarity: an affine transform whose fit rotates, scales alike in x and y, and moves.

    Parameters
    ----------
    *args, **kwargs
        As for `AffineModel`.

    Notes
    -----
    A new or estimated model is written as AffineModel2D; one that was read as SimilarityModel2D is
    written back as ``s*cos(theta) s*sin(theta) B0 B1``. Java reads those as float32.
    """

    className = _SIMILARITY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    @staticmethod
    def fit(  # type: ignore[override]
        src: ArrayLike,
        dst: ArrayLike,
        rigid: bool = False,
        weights: ArrayLike | None = None,
        ransac: RansacLike = None,
        **kwargs: Any,
    ) -> NDArray[np.float64]:
        """Fit a rotation, scale and translation to point pairs by (weighted) least squares.

        Parameters
        ----------
        src, dst : (N, 2) array
            Points, and the points that they should be mapped to; at least two.
        rigid : bool
            Keep the scale at 1.
        weights : (N,) array, optional
            Weight of each pair; default 1.
        ransac : Ransac, dict or bool, optional
            Leave out pairs that do not agree with the others; see `AffineModel.fit`. Default: use all.
        **kwargs
            Ignored.

        Returns
        -------
        (3, 3) array

        Raises
        ------
        EstimationError
            If the points do not determine a similarity, or too few agree on one.
        """
        return RigidModel.fit(src, dst, rigid=rigid, weights=weights, ransac=ransac)

    @staticmethod
    def _model(**kwargs: Any) -> str:
        return "rigid" if kwargs.get("rigid", False) else "similarity"
