"""Point matches of overlapping tiles: what render's Java match clients find, without Java.

Tiles are drawn by `renderapi.rendering` as the Java clients draw them, features are found by OpenCV's SIFT once for
each tile, and random sample consensus decides with mpicbg's meaning of every parameter. Parameters are those of
the Java clients, by their names.
"""

from renderapi.match._cache import FeatureCache
from renderapi.match._candidates import find_candidates, ratio_test
from renderapi.match._canvas import Canvas, draw_canvas
from renderapi.match._consensus import Consensus, filter_candidates
from renderapi.match._features import Features, extract_features
from renderapi.match._pair import PairMatches, match_canvases, match_features
from renderapi.match._pairs import MatchReport, match_pairs
from renderapi.match._parameters import (
    CanvasId,
    FeatureExtraction,
    FeatureRender,
    FeatureRenderClip,
    MatchDerivation,
    Pair,
    PairList,
    Stage,
    read_pairs,
    read_stages,
)
from renderapi.match._quality import MatchQuality, match_quality
from renderapi.match.errors import (
    BlankImageError,
    CanvasError,
    CoverageError,
    MatchError,
    MatchParametersError,
    NoOverlapError,
    TooFewMatchesError,
)

__all__ = [
    "BlankImageError",
    "Canvas",
    "CanvasError",
    "CanvasId",
    "Consensus",
    "CoverageError",
    "FeatureCache",
    "FeatureExtraction",
    "FeatureRender",
    "FeatureRenderClip",
    "Features",
    "MatchDerivation",
    "MatchError",
    "MatchParametersError",
    "MatchQuality",
    "MatchReport",
    "NoOverlapError",
    "Pair",
    "PairList",
    "PairMatches",
    "Stage",
    "TooFewMatchesError",
    "draw_canvas",
    "extract_features",
    "filter_candidates",
    "find_candidates",
    "match_canvases",
    "match_features",
    "match_pairs",
    "match_quality",
    "ratio_test",
    "read_pairs",
    "read_stages",
]
