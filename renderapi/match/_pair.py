"""One pair of canvases: from features to matches, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.match._candidates import find_candidates
from renderapi.match._canvas import draw_canvas
from renderapi.match._consensus import filter_candidates
from renderapi.match._features import Features, extract_features
from renderapi.match._parameters import CanvasId, MatchDerivation, read_stages
from renderapi.match._quality import MatchQuality, match_quality
from renderapi.match.errors import BlankImageError, CoverageError, MatchError, TooFewMatchesError
from renderapi.rendering import Sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairMatches:
    """What was found of a pair.

    Attributes
    ----------
    sets : list of tuple of (N, 2) array
        Points p and q of each set of matches, in pixels at full scale of the unclipped canvases; empty if the
        two were not connected.
    features : tuple of int
        Number of features of p and of q.
    candidates : int
        Number of candidates.
    set_sizes : list of int
        Number of matches of each set before coverage was looked at.
    quality : MatchQuality or None
        Coverage and scatter, where they were asked for and there are matches.
    failure : MatchError or None
        Why the two were not connected.
    seconds : dict of str to float
        How long the steps took: ``matches`` and ``quality``, and with `match_canvases` also ``p`` and ``q``, until
        the features of each were found.
    """

    sets: list[tuple[Array, Array]]
    features: tuple[int, int]
    candidates: int
    set_sizes: list[int] = field(default_factory=list)
    quality: MatchQuality | None = None
    failure: MatchError | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of matches of all sets."""
        return sum(len(p) for p, _ in self.sets)

    def documents(self, p: CanvasId | Sequence[str], q: CanvasId | Sequence[str]) -> list[dict[str, Any]]:
        """Return match documents, as they are stored: one for each set.

        Parameters
        ----------
        p, q : CanvasId or (str, str)
            Group and id of the two. What is less becomes the p of the document.

        Returns
        -------
        list of dict
            Several sets have ids ending in ``_set_PGROUP_QGROUP_NUMBER`` and ``consensusSetData``.
        """
        ours, theirs = (side.key if isinstance(side, CanvasId) else (side[0], side[1]) for side in (p, q))
        turned = theirs < ours
        (p_group, p_id), (q_group, q_id) = (theirs, ours) if turned else (ours, theirs)
        found = []
        for number, pair in enumerate(self.sets):
            one, other = pair[::-1] if turned else pair
            ids = {"pGroupId": p_group, "pId": p_id, "qGroupId": q_group, "qId": q_id}
            matches = {"p": one.T.tolist(), "q": other.T.tolist(), "w": [1.0] * len(one)}
            document: dict[str, Any] = {**ids, "matches": matches, "matchCount": len(one)}
            if len(self.sets) > 1:
                ending = f"_set_{p_group}_{q_group}_{number}"
                document.update(pId=p_id + ending, qId=q_id + ending)
                document["consensusSetData"] = {"index": number, "originalPId": p_id, "originalQId": q_id}
            found.append(document)
        return found


def match_features(
    p: Features,
    q: Features,
    derivation: MatchDerivation,
    *,
    quality: bool = False,
    check: Callable[[], object] | None = None,
) -> PairMatches:
    """Match the features of two canvases.

    Parameters
    ----------
    p, q : Features
        Features, of canvases of one scale.
    derivation : MatchDerivation
        Which candidates become matches.
    quality : bool
        Measure coverage and scatter; done in any case where a coverage is asked for.
    check : callable, optional
        Called between steps, of which there may be many; what it raises ends the work.

    Returns
    -------
    PairMatches
    """
    began = time.perf_counter()
    found, measured_from = _matched(p, q, derivation, quality, check or _go_on)
    ended = time.perf_counter()
    between = ended if measured_from is None else measured_from
    return replace(found, seconds={"matches": between - began, "quality": ended - between})


def _go_on() -> None:
    pass


def _matched(
    p: Features, q: Features, derivation: MatchDerivation, quality: bool, check: Callable[[], object]
) -> tuple[PairMatches, float | None]:
    # and when the measuring of the quality began
    for side in (p, q):
        if not len(side):
            what = "shows one gray only" if side.blank else "has no features"
            width, height = side.size
            failure = BlankImageError(f"the image, {width} x {height} pixels as it is drawn, {what}")
            return PairMatches([], (len(p), len(q)), 0, [0], failure=failure), None
    ours, theirs = find_candidates(p, q, derivation.matchRod)
    here, there = p.points[ours], q.points[theirs]
    counts = (len(p), len(q)), len(ours)
    check()
    consensus = filter_candidates(here, there, derivation, p.scale, check=check)
    if not consensus.sets:
        too_few = TooFewMatchesError(
            f"{consensus.most} of {len(ours)} candidates agree on a {derivation.matchModelType} transform "
            f"within {derivation.max_epsilon(p.scale):g} pixels of the canvas; {derivation.matchMinNumInliers} "
            f"and more than {derivation.matchMinInlierRatio:g} of all are needed"
        )
        return PairMatches([], *counts, [0], failure=too_few), None
    sets = [(here[chosen], there[chosen]) for chosen in consensus.sets]
    sizes = [len(chosen) for chosen in consensus.sets]
    least = derivation.matchMinCoveragePercentage
    measured = measured_from = None
    if quality or least is not None:
        check()
        measured_from = time.perf_counter()
        try:
            measured = match_quality(
                sets, consensus.models, p.extent, q.extent, derivation.matchFullScaleCoverageRadius, p.scale,
                p.mask, q.mask,
            )  # fmt: skip
        except TooFewMatchesError as error:
            return PairMatches([], *counts, sizes, failure=error), measured_from
        if least is not None and not measured.coverage >= least:
            uncovered = CoverageError(
                f"{sum(sizes)} matches cover {measured.coverage:.1f} % of the overlap; {least:g} % are needed"
            )
            return PairMatches([], *counts, sizes, measured, uncovered), measured_from
    scaled = [(p.to_full_scale(one), q.to_full_scale(other)) for one, other in sets]
    return PairMatches(scaled, *counts, sizes, measured), measured_from


def match_canvases(
    p: Mapping[str, Any],
    q: Mapping[str, Any],
    stage: Any,
    *,
    p_position: str | None = None,
    quality: bool = False,
    sources: Sources | None = None,
    check: Callable[[Features | None], object] | None = None,
) -> PairMatches:
    """Match two canvases.

    Parameters
    ----------
    p, q : dict
        RenderParameters documents, as for `renderapi.rendering.render`; the scale is that of the stage.
    stage : Stage or dict
        How; of `featureRender` the scale only, because filters and masks are in the documents.
    p_position : {"TOP", "BOTTOM", "LEFT", "RIGHT"}, optional
        Where p lies, seen from q; needed if the stage clips.
    quality : bool
        Measure coverage and scatter.
    sources : renderapi.rendering.Sources, optional
        Where images are read from.
    check : callable, optional
        Called between steps, with the features of a canvas when these were found, else with None; what it raises
        ends the work.

    Returns
    -------
    PairMatches

    Raises
    ------
    MatchParametersError
        If the stage cannot be used.
    RenderParametersError, ImageSourceError
        As for `renderapi.rendering.render`.
    ImportError
        If OpenCV is not installed (extra ``match``).
    """
    [how] = read_stages(stage)
    tell = check or (lambda features: None)
    found, seconds = [], {}
    for side, document, position in (("p", p, p_position), ("q", q, opposite(p_position))):
        began = time.perf_counter()
        canvas = draw_canvas(
            document, how.featureRender.renderScale, how.featureRenderClip, position, sources
        )
        tell(None)
        found.append(extract_features(canvas, how.featureExtraction))
        seconds[side] = time.perf_counter() - began
        tell(found[-1])
    result = match_features(
        found[0], found[1], how.featureMatchDerivation, quality=quality, check=lambda: tell(None)
    )
    return replace(result, seconds={**seconds, **result.seconds})


def opposite(position: str | None) -> str | None:
    """Return where the partner of a canvas lies."""
    sides = {"TOP": "BOTTOM", "BOTTOM": "TOP", "LEFT": "RIGHT", "RIGHT": "LEFT"}
    return None if position is None else sides[position]
