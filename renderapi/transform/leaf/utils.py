"""Documents of leaf transforms to objects."""

from __future__ import annotations

import logging
from typing import Any

from renderapi.errors import RenderError, SpecError
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
from renderapi.utils import NullHandler

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = ["RenderError", "load_leaf_json"]

LEAF_CLASSES: dict[str, type[Transform]] = {
    str(cls.className): cls
    for cls in (
        AffineModel,
        TranslationModel,
        RigidModel,
        SimilarityModel,
        Polynomial2DTransform,
        NonLinearCoordinateTransform,
        NonLinearTransform,
        LensCorrection,
        ThinPlateSplineTransform,
        HomographyModel2D,
        MovingLeastSquaresTransform,
        MovingLeastSquaresTransform2,
        ExponentialFunctionOffsetTransform,
        ExponentialFunctionOffsetTransformWithWrongSign,
        ExponentialRecoveryOffsetTransform,
        SEMDistortionTransformA,
        StageCreepCorrectionTransform,
        AffineWarpFieldTransform,
    )
}

# what a render server finds under these names; the lens correction of TrakEM2's plugin, which newer ones no longer
# have, is computed as its successor
SERVER_CLASSES: dict[Any, type[Transform]] = {
    name: cls for name, cls in LEAF_CLASSES.items() if cls is not NonLinearTransform
}
_BY_SIMPLE_NAME = {name.rpartition(".")[2].lower(): name for name in SERVER_CLASSES}


def unknown_class(name: Any) -> SpecError:
    """Say that a render server would not find a class, and which one may have been meant, whatever its package."""
    # loaded with the first such class
    from difflib import get_close_matches

    simple = str(name).rpartition(".")[2].lower()
    near = get_close_matches(simple, _BY_SIMPLE_NAME, n=1, cutoff=0.8)
    meant = f"; the nearest is '{_BY_SIMPLE_NAME[near[0]]}'" if near else ""
    return SpecError(f"transform class '{name}' cannot be found{meant}")


def load_leaf_json(d: dict[str, Any]) -> Transform:
    """Make the transform of a leaf document.

    Parameters
    ----------
    d : dict
        Document; ``type`` may be missing.

    Returns
    -------
    Transform
        An object of the class of this package for that ``className``, or a plain `Transform`, which keeps
        the data string as it is, if there is none.

    Raises
    ------
    SpecError
        If it is no leaf, or if className, dataString or the format of the latter is not as it should be.
    """
    if not isinstance(d, dict):
        raise SpecError(f"a transform must be a JSON object, not {d!r:.100}")
    kind = d.get("type", "leaf")
    if kind in ("list", "ref", "interpolated"):
        raise SpecError(f"Unexpected or unknown Transform Type {kind}")
    try:
        cls = LEAF_CLASSES.get(d["className"], Transform)
    except KeyError:
        raise SpecError(
            f"no className defined for leaf transform spec with id '{d.get('id', 'null')}'"
        ) from None
    except TypeError:
        raise SpecError(f"className {d['className']!r:.100} is no text") from None
    return cls(json=d)
