"""Formats of translation, rigid and similarity models, whose numbers Java reads as float32."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from renderapi.transform.data_strings import is_float32

AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
TRANSLATION = "mpicbg.trakem2.transform.TranslationModel2D"
RIGID = "mpicbg.trakem2.transform.RigidModel2D"
SIMILARITY = "mpicbg.trakem2.transform.SimilarityModel2D"
# how many numbers the data strings of each hold
NATIVE_COUNTS = {TRANSLATION: 2, RIGID: 3, SIMILARITY: 4}

Parameters = tuple[float, float, float, float, float, float]


def native_matrix(className: str, numbers: Sequence[float]) -> Parameters:
    """Return m00, m01, m10, m11, b0, b1 of the numbers of a translation, rigid or similarity model."""
    if className == TRANSLATION:
        return 1.0, 0.0, 0.0, 1.0, numbers[0], numbers[1]
    if className == RIGID:
        theta, b0, b1 = numbers
        cos, sin = (math.cos(theta), math.sin(theta)) if math.isfinite(theta) else (math.nan, math.nan)
    else:
        cos, sin, b0, b1 = numbers
    return cos, -sin, sin, cos, b0, b1


def native_numbers(className: str, parameters: Parameters) -> list[float] | None:
    """Return the numbers of a model from m00, m01, m10, m11, b0, b1; None if none say exactly that."""
    m00, _, m10, _, b0, b1 = parameters
    if className == TRANSLATION:
        numbers = [b0, b1]
    elif className == RIGID:
        numbers = [float(np.float32(math.atan2(m10, m00))), b0, b1]
    else:
        numbers = [m00, m10, b0, b1]
    if all(map(is_float32, numbers)) and native_matrix(className, numbers) == parameters:
        return numbers
    return None
