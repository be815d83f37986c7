"""Coordinate transforms of render: one class for each, lists and references, and estimation.

Points are (N, 2) float64 arrays of x, y in pixels.
"""

from typing import Any

from renderapi.transform import leaf, transform, utils
from renderapi.transform.leaf import (
    AffineModel,
    AffineWarpFieldTransform,
    ExponentialFunctionOffsetTransform,
    ExponentialFunctionOffsetTransformWithWrongSign,
    ExponentialRecoveryOffsetTransform,
    HomographyModel2D,
    LensCorrection,
    MovingLeastSquaresTransform,
    MovingLeastSquaresTransform2,
    NonLinearCoordinateTransform,
    NonLinearTransform,
    Polynomial2DTransform,
    RigidModel,
    SEMDistortionTransformA,
    SimilarityModel,
    StageCreepCorrectionTransform,
    ThinPlateSplineTransform,
    Transform,
    TranslationModel,
    affine_models,
    common,
    load_leaf_json,
    polynomial_models,
    thin_plate_spline,
)
from renderapi.transform.ransac import Ransac
from renderapi.transform.transform import (
    InterpolatedTransform,
    ReferenceTransform,
    TransformList,
    load_transform_json,
)
from renderapi.transform.utils import estimate_dstpts, estimate_transformsum

__all__ = [
    "AffineModel",
    "AffineWarpFieldTransform",
    "ExponentialFunctionOffsetTransform",
    "ExponentialFunctionOffsetTransformWithWrongSign",
    "ExponentialRecoveryOffsetTransform",
    "HomographyModel2D",
    "InterpolatedTransform",
    "LensCorrection",
    "MovingLeastSquaresTransform",
    "MovingLeastSquaresTransform2",
    "NonLinearCoordinateTransform",
    "NonLinearTransform",
    "Polynomial2DTransform",
    "Ransac",
    "ReferenceTransform",
    "RigidModel",
    "SEMDistortionTransformA",
    "SimilarityModel",
    "StageCreepCorrectionTransform",
    "ThinPlateSplineTransform",
    "Transform",
    "TransformList",
    "TranslationModel",
    "affine_models",
    "common",
    "estimate_dstpts",
    "estimate_transformsum",
    "leaf",
    "load_leaf_json",
    "load_transform_json",
    "polynomial_models",
    "thin_plate_spline",
    "transform",
    "utils",
]


def __getattr__(name: str) -> Any:
    if name == "AffineTransform":
        import warnings

        warnings.warn(
            "renderapi.transform.AffineTransform is called AffineModel", DeprecationWarning, stacklevel=2
        )
        return AffineModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
