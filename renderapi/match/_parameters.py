"""Parameters of matching, as the Java clients name them, and files of stages."""

from __future__ import annotations

import gzip
import math
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from renderapi import _json
from renderapi.errors import RenderWarning
from renderapi.match.errors import MatchParametersError

MODELS = ("TRANSLATION", "RIGID", "SIMILARITY", "AFFINE")
FILTERS = ("NONE", "SINGLE_SET", "CONSENSUS_SETS", "AGGREGATED_CONSENSUS_SETS")
POSITIONS = ("TOP", "BOTTOM", "LEFT", "RIGHT")

Read = TypeVar("Read", bound="_Parameters")


@dataclass(frozen=True)
class _Parameters:
    # reads documents; what is null there has its default

    @classmethod
    def of(cls: type[Read], given: Any) -> Read:
        """Read a document; an object of the class is returned as it is.

        Raises
        ------
        MatchParametersError
            If it is no JSON object, or a value is out of range.

        Warns
        -----
        RenderWarning
            A key that is not known, which is ignored.
        """
        if isinstance(given, cls):
            return given
        if given is None:
            return cls()
        if not isinstance(given, Mapping):
            raise MatchParametersError(f"{cls.__name__} must be a JSON object, not {given!r:.100}")
        known = {entry.name for entry in fields(cls)}
        values = {name: value for name, value in given.items() if name in known and value is not None}
        unknown = sorted(set(given) - known)
        if unknown:
            warnings.warn(
                f"{cls.__name__} does not know {', '.join(map(repr, unknown))}, which is ignored",
                RenderWarning,
                stacklevel=3,
            )
        return cls(**values)

    def _require(self, **good: bool) -> None:
        for name, fine in good.items():
            if not fine:
                raise MatchParametersError(
                    f"{name} is {getattr(self, name)!r:.100}, which {type(self).__name__} cannot have"
                )

    def _numbers(self, *names: str, whole: bool = False) -> None:
        # numbers are made what they are; None stays
        for name in names:
            value = getattr(self, name)
            if value is None:
                continue
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = math.nan
            if isinstance(value, bool) or not math.isfinite(number) or (whole and number != int(number)):
                kind = "a whole number" if whole else "a number"
                raise MatchParametersError(f"{name} is {value!r:.100}; it must be {kind}")
            object.__setattr__(self, name, int(number) if whole else number)


@dataclass(frozen=True)
class FeatureExtraction(_Parameters):
    """Which features are found.

    Parameters
    ----------
    fdSize : int
        Accepted; descriptors here always have 4 x 4 x 8 numbers. It changes no locations.
    minScale, maxScale : float
        Smallest and largest scale, as parts of the size of the canvas. With `maxScale` up to 0.9 the canvas is
        reduced by it, with more but less than 1 its first octave is left out.
    steps : int
        Steps per octave.
    """

    fdSize: int = 8
    minScale: float = 0.5
    maxScale: float = 0.85
    steps: int = 3

    def __post_init__(self) -> None:
        self._numbers("fdSize", "steps", whole=True)
        self._numbers("minScale", "maxScale")
        self._require(
            fdSize=self.fdSize >= 1, steps=1 <= self.steps <= 100,
            minScale=self.minScale >= 0, maxScale=self.maxScale > 0,
        )  # fmt: skip


@dataclass(frozen=True)
class MatchDerivation(_Parameters):
    """Which candidates become matches; the meaning of every parameter is that of render's match clients.

    Parameters
    ----------
    matchRod : float
        Ratio of distances: a feature is a candidate's if its best partner is nearer than this part of the
        distance to the second best.
    matchModelType : {"AFFINE", "TRANSLATION", "RIGID", "SIMILARITY"}
        Transform that matches have to agree on.
    matchRegularizerModelType, matchInterpolatedModelLambda : str, float, optional
        A second transform, and its weight from 0 to 1: the two are interpolated. Both or neither.
    matchIterations : int
        Number of minimal sets that are tried.
    matchMaxEpsilonFullScale : float, optional
        Largest error of a match in pixels at full scale. This or `matchMaxEpsilon` must be given.
    matchMaxEpsilon : float, optional
        The same in pixels of the canvas.
    matchMinInlierRatio : float
        More than this part of the candidates must agree.
    matchMinNumInliers : int
        So many must agree.
    matchMaxNumInliers : int, optional
        At most so many are kept, chosen at random.
    matchMaxTrust : float
        Matches that are worse than this times the median are dropped.
    matchFilter : {"SINGLE_SET", "NONE", "CONSENSUS_SETS", "AGGREGATED_CONSENSUS_SETS"}
        One transform for all; no check; several transforms, each with a document of its own; or several
        transforms in one document.
    matchFullScaleCoverageRadius : float
        A match covers the overlap so far around it, in pixels at full scale.
    matchMinCoveragePercentage : float, optional
        So much of the overlap must be covered.
    """

    matchRod: float = 0.92
    matchModelType: str = "AFFINE"
    matchRegularizerModelType: str | None = None
    matchInterpolatedModelLambda: float | None = None
    matchIterations: int = 1000
    matchMaxEpsilon: float | None = None
    matchMaxEpsilonFullScale: float | None = None
    matchMinInlierRatio: float = 0.0
    matchMinNumInliers: int = 4
    matchMaxNumInliers: int | None = None
    matchMaxTrust: float = 3.0
    matchFilter: str = "SINGLE_SET"
    matchFullScaleCoverageRadius: float = 300.0
    matchMinCoveragePercentage: float | None = None

    def __post_init__(self) -> None:
        self._numbers("matchIterations", "matchMinNumInliers", "matchMaxNumInliers", whole=True)
        self._numbers(
            "matchRod", "matchInterpolatedModelLambda", "matchMaxEpsilon", "matchMaxEpsilonFullScale",
            "matchMinInlierRatio", "matchMaxTrust", "matchFullScaleCoverageRadius", "matchMinCoveragePercentage",
        )  # fmt: skip
        weight = self.matchInterpolatedModelLambda
        self._require(
            matchModelType=self.matchModelType in MODELS,
            matchRegularizerModelType=self.matchRegularizerModelType in (None, *MODELS),
            matchInterpolatedModelLambda=weight is None or 0 <= weight <= 1,
            matchFilter=self.matchFilter in FILTERS,
            matchRod=self.matchRod > 0,
            matchIterations=self.matchIterations >= 1,
            matchMinNumInliers=self.matchMinNumInliers >= 1,
            matchMaxTrust=self.matchMaxTrust > 0,
            matchMaxEpsilon=(self.matchMaxEpsilon or 1) > 0,
            matchMaxEpsilonFullScale=(self.matchMaxEpsilonFullScale or 1) > 0,
        )
        if (self.matchRegularizerModelType is None) != (weight is None):
            raise MatchParametersError(
                "matchRegularizerModelType and matchInterpolatedModelLambda belong together: give both or neither"
            )

    def max_epsilon(self, render_scale: float) -> float:
        """Return the largest error of a match in pixels of the canvas.

        Parameters
        ----------
        render_scale : float
            Scale at which the canvas was drawn; it makes pixels of the canvas of those at full scale.

        Returns
        -------
        float

        Raises
        ------
        MatchParametersError
            If none is given; Java has had no default for it since May 2022.
        """
        if self.matchMaxEpsilonFullScale is not None:
            # in single precision, as in Java
            return float(_single(self.matchMaxEpsilonFullScale) * _single(render_scale))
        if self.matchMaxEpsilon is None:
            raise MatchParametersError(
                "the largest error of a match has no default: give matchMaxEpsilonFullScale (pixels at full scale) "
                "or matchMaxEpsilon (pixels of the canvas)"
            )
        return self.matchMaxEpsilon


def _single(value: float) -> Any:
    import numpy as np

    return np.float32(value)


@dataclass(frozen=True)
class FeatureRender(_Parameters):
    """How tiles are drawn for matching.

    Parameters
    ----------
    renderScale : float
        Scale.
    renderWithFilter : bool
        Apply the filters that the server has for matching.
    renderFilterListName : str, optional
        Name of a list of filters of the server.
    renderWithoutMask : bool
        Leave masks out.
    renderFullScaleWidth, renderFullScaleHeight : int, optional
        Size of the canvas at full scale, where it is not that of the tile.
    """

    renderScale: float = 1.0
    renderWithFilter: bool = True
    renderFilterListName: str | None = None
    renderWithoutMask: bool = True
    renderFullScaleWidth: int | None = None
    renderFullScaleHeight: int | None = None

    def __post_init__(self) -> None:
        self._numbers("renderScale")
        self._numbers("renderFullScaleWidth", "renderFullScaleHeight", whole=True)
        self._require(
            renderScale=self.renderScale > 0,
            renderWithFilter=isinstance(self.renderWithFilter, bool),
            renderWithoutMask=isinstance(self.renderWithoutMask, bool),
        )


@dataclass(frozen=True)
class FeatureRenderClip(_Parameters):
    """How much is left of a canvas, so that only the side to its partner is searched.

    Parameters
    ----------
    clipWidth, clipHeight : int, optional
        Pixels at full scale that are left of canvases at the left or right, and at the top or bottom.
    """

    clipWidth: int | None = None
    clipHeight: int | None = None

    def __post_init__(self) -> None:
        self._numbers("clipWidth", "clipHeight", whole=True)

    def __bool__(self) -> bool:
        """Tell whether anything is cut."""
        return self.clipWidth is not None or self.clipHeight is not None


@dataclass(frozen=True)
class Stage(_Parameters):
    """One way to look for matches; pairs that it does not connect are left to the next stage.

    Parameters
    ----------
    stageName : str
        Name in messages.
    featureRender : FeatureRender or dict
        How tiles are drawn.
    featureRenderClip : FeatureRenderClip or dict
        How much is left of them.
    featureExtraction : FeatureExtraction or dict
        Which features are found.
    featureMatchDerivation : MatchDerivation or dict
        Which candidates become matches.
    geometricDescriptorAndMatch : dict, optional
        Geometric descriptors are not offered: with ``gdEnabled`` there is a warning, and SIFT is used alone.
    maxNeighborDistance : int, optional
        Not for pairs whose sections are farther apart; nor are the stages after this one.

    Examples
    --------
    >>> stage = Stage(featureRender={"renderScale": 0.5}, featureMatchDerivation={"matchMaxEpsilonFullScale": 5})
    >>> stage.featureRender.renderScale, stage.featureMatchDerivation.matchModelType
    (0.5, 'AFFINE')
    """

    stageName: str = "stage"
    featureRender: FeatureRender = field(default_factory=FeatureRender)
    featureRenderClip: FeatureRenderClip = field(default_factory=FeatureRenderClip)
    featureExtraction: FeatureExtraction = field(default_factory=FeatureExtraction)
    featureMatchDerivation: MatchDerivation = field(default_factory=MatchDerivation)
    geometricDescriptorAndMatch: Any = None
    maxNeighborDistance: int | None = None

    def __post_init__(self) -> None:
        self._numbers("maxNeighborDistance", whole=True)
        for name, kind in (
            ("featureRender", FeatureRender), ("featureRenderClip", FeatureRenderClip),
            ("featureExtraction", FeatureExtraction), ("featureMatchDerivation", MatchDerivation),
        ):  # fmt: skip
            object.__setattr__(self, name, kind.of(getattr(self, name)))
        self.featureMatchDerivation.max_epsilon(self.featureRender.renderScale)
        geometric = self.geometricDescriptorAndMatch
        if isinstance(geometric, Mapping) and geometric.get("gdEnabled"):
            warnings.warn(
                f"geometric descriptors of stage {self.stageName!r} are not offered: SIFT is used alone",
                RenderWarning,
                stacklevel=3,
            )


Stages = Stage | Mapping[str, Any] | str | os.PathLike[str] | Iterable[Any]


def read_stages(stages: Any) -> list[Stage]:
    """Read stages of matching, as ``--stageJson`` of MultiStagePointMatchClient has them.

    Parameters
    ----------
    stages : path, dict, Stage, or iterable of dict or Stage
        A JSON file (also ``.json.gz``) with an array of stages; one stage or several; or a document that has
        them as ``matchStageParametersList``.

    Returns
    -------
    list of Stage
        At least one.

    Raises
    ------
    MatchParametersError
        If there is none, or one cannot be used. The message names file and stage.

    Warns
    -----
    RenderWarning
        Keys that are not known, and geometric descriptors.

    Examples
    --------
    >>> [stage] = read_stages({"stageName": "fine", "featureMatchDerivation": {"matchMaxEpsilonFullScale": 4}})
    >>> stage.stageName
    'fine'
    """
    where = ""
    if isinstance(stages, (str, os.PathLike)):
        where, stages = f" of {stages}", read_json(stages)
    if isinstance(stages, Mapping) and "matchStageParametersList" in stages:
        stages = stages["matchStageParametersList"]
    if isinstance(stages, (Stage, Mapping)):
        stages = [stages]
    if not isinstance(stages, Iterable) or isinstance(stages, (str, bytes)):
        raise MatchParametersError(f"the stages{where} must be a JSON array, not {stages!r:.100}")
    found = []
    for number, stage in enumerate(stages):
        if not isinstance(stage, (Stage, Mapping)):
            raise MatchParametersError(f"stage {number}{where} must be a JSON object, not {stage!r:.100}")
        try:
            found.append(Stage.of(stage))
        except MatchParametersError as error:
            raise MatchParametersError(f"stage {number}{where}: {error}") from None
    if not found:
        raise MatchParametersError(f"there is no stage{where}: give at least one")
    return found


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file, compressed or not.

    Raises
    ------
    MatchParametersError
        If it cannot be read.
    """
    try:
        content = Path(path).read_bytes()
        return _json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    except (OSError, EOFError, ValueError) as error:
        raise MatchParametersError(f"{path} cannot be read as JSON: {error}") from None


# ------------------------------------------------------------------------------ pairs


@dataclass(frozen=True)
class CanvasId:
    """One side of a pair.

    Parameters
    ----------
    groupId, id : str
        Group (section) and tile id.
    relativePosition : {"TOP", "BOTTOM", "LEFT", "RIGHT"}, optional
        Where the tile lies, seen from the other one.
    """

    groupId: str
    id: str
    relativePosition: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Group and id."""
        return self.groupId, self.id

    def document(self) -> dict[str, Any]:
        """Return it as files of pairs have it."""
        position = {} if self.relativePosition is None else {"relativePosition": self.relativePosition}
        return {"groupId": self.groupId, "id": self.id, **position}


@dataclass(frozen=True)
class Pair:
    """Two tiles whose matches are looked for.

    Parameters
    ----------
    p, q : CanvasId
        The two.
    absoluteDeltaZ : float, optional
        How far apart their sections are.
    """

    p: CanvasId
    q: CanvasId
    absoluteDeltaZ: float | None = None

    def document(self) -> dict[str, Any]:
        """Return it as files of pairs have it."""
        delta = {} if self.absoluteDeltaZ is None else {"absoluteDeltaZ": self.absoluteDeltaZ}
        return {"p": self.p.document(), "q": self.q.document(), **delta}


@dataclass(frozen=True)
class PairList:
    """Pairs, and the URL template that their file names.

    Attributes
    ----------
    pairs : list of Pair
        Pairs in order, without repetitions.
    template : str or None
        ``renderParametersUrlTemplate``.
    """

    pairs: list[Pair]
    template: str | None = None


def read_pairs(pairs: Any, groups: Mapping[str, str] | None = None) -> PairList:
    """Read pairs of tiles.

    Parameters
    ----------
    pairs : path, iterable of paths, dict, or iterable
        Files or a document of `renderapi.client.tilePairClient`; or pairs: as such a document has them, or two
        tile ids, or two of (group id, tile id).
    groups : dict of str to str, optional
        Group (section) of each tile id, where pairs are two tile ids.

    Returns
    -------
    PairList
        p of each pair is the one whose (group id, tile id) is less.

    Raises
    ------
    MatchParametersError
        If a pair is none, or two files name different templates.

    Examples
    --------
    >>> read_pairs([(("1.0", "b"), ("1.0", "a"))]).pairs[0].p.id
    'a'
    """
    template = None
    if isinstance(pairs, (str, os.PathLike)):
        pairs = [pairs]
    if isinstance(pairs, Mapping):
        template, pairs = pairs.get("renderParametersUrlTemplate"), pairs.get("neighborPairs")
        if not isinstance(pairs, Sequence) or isinstance(pairs, str):
            raise MatchParametersError("a document of tile pairs must have a list neighborPairs")
    found: dict[Pair, None] = {}
    for number, given in enumerate(pairs):
        if isinstance(given, (str, os.PathLike)):
            part = read_pairs(read_json(given))
            if template not in (None, part.template):
                raise MatchParametersError(
                    f"{given} has the template {part.template}, files before it have {template}: match them apart"
                )
            template = part.template
            found.update(dict.fromkeys(part.pairs))
        else:
            found[_pair(given, number, groups)] = None
    return PairList(list(found), template)


def _pair(given: Any, number: int, groups: Mapping[str, str] | None) -> Pair:
    delta = None
    p: CanvasId | None = None
    q: CanvasId | None = None
    if isinstance(given, Pair):
        p, q, delta = given.p, given.q, given.absoluteDeltaZ
    elif isinstance(given, Mapping) and "p" in given and "q" in given:
        p, q, delta = _side(given["p"], groups), _side(given["q"], groups), given.get("absoluteDeltaZ")
    elif isinstance(given, Sequence) and not isinstance(given, (str, bytes)) and len(given) == 2:
        p, q = _side(given[0], groups), _side(given[1], groups)
    if p is None or q is None:
        raise MatchParametersError(
            f"pair {number} is {given!r:.200}; it must be two tile ids, two of (group id, tile id), or a pair as "
            "tilePairClient writes it"
        )
    if p.key == q.key:
        raise MatchParametersError(f"pair {number} is tile {p.id} of {p.groupId} with itself")
    if q.key < p.key:
        p, q = q, p
    return Pair(p, q, delta)


def _side(given: Any, groups: Mapping[str, str] | None) -> CanvasId | None:
    if isinstance(given, CanvasId):
        return given
    if isinstance(given, Mapping):
        group, name, position = (given.get(key) for key in ("groupId", "id", "relativePosition"))
        if group is None or name is None or position not in (None, *POSITIONS):
            return None
        return CanvasId(str(group), str(name), position)
    if isinstance(given, str) and groups is not None:
        if given not in groups:
            raise MatchParametersError(f"there is no tile {given} among those that were given")
        return CanvasId(groups[given], given)
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2:
        return CanvasId(str(given[0]), str(given[1]))
    return None
