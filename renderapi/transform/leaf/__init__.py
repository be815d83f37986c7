"""Leaf transforms: those with a class name and parameters of their own."""

from renderapi.transform.leaf import (
    affine_models,
    common,
    polynomial_models,
    thin_plate_spline,
    transform,
    utils,
)
from renderapi.transform.leaf.affine_models import AffineModel, RigidModel, SimilarityModel, TranslationModel
from renderapi.transform.leaf.affine_warp_field import AffineWarpFieldTransform
from renderapi.transform.leaf.homography import HomographyModel2D
from renderapi.transform.leaf.moving_least_squares import (
    MovingLeastSquaresTransform,
    MovingLeastSquaresTransform2,
)
from renderapi.transform.leaf.polynomial_models import (
    LensCorrection,
    NonLinearCoordinateTransform,
    NonLinearTransform,
    Polynomial2DTransform,
)
from renderapi.transform.leaf.single_dimension import (
    ExponentialFunctionOffsetTransform,
    ExponentialFunctionOffsetTransformWithWrongSign,
    ExponentialRecoveryOffsetTransform,
    SEMDistortionTransformA,
    StageCreepCorrectionTransform,
)
from renderapi.transform.leaf.thin_plate_spline import ThinPlateSplineTransform
from renderapi.transform.leaf.transform import Transform
from renderapi.transform.leaf.utils import load_leaf_json

__all__ = [
    "AffineModel",
    "AffineWarpFieldTransform",
    "ExponentialFunctionOffsetTransform",
    "ExponentialFunctionOffsetTransformWithWrongSign",
    "ExponentialRecoveryOffsetTransform",
    "HomographyModel2D",
    "LensCorrection",
    "MovingLeastSquaresTransform",
    "MovingLeastSquaresTransform2",
    "NonLinearCoordinateTransform",
    "NonLinearTransform",
    "Polynomial2DTransform",
    "RigidModel",
    "SEMDistortionTransformA",
    "SimilarityModel",
    "StageCreepCorrectionTransform",
    "ThinPlateSplineTransform",
    "Transform",
    "TranslationModel",
    "affine_models",
    "common",
    "load_leaf_json",
    "polynomial_models",
    "thin_plate_spline",
    "transform",
    "utils",
]
