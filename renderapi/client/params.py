"""Parameters of the Java clients as objects: every attribute becomes an option of the command line.

Attribute names are the option names of the Java client, so that
``SiftPointMatchOptions(**other.__dict__)`` and attributes added later work. Types, ranges and Java's defaults
are in `renderapi.schemas` (for instance ``renderapi.schemas.SiftPointMatchOptionsSchema``).
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable
from typing import Any

from renderapi.errors import ClientScriptError, RenderWarning

__all__ = [
    "ArgumentParameters",
    "FeatureExtractionParameters",
    "MatchDerivationParameters",
    "SiftPointMatchOptions",
]


class ArgumentParameters:
    """Base class of parameter objects; subclasses set attributes named like the options they stand for.

    Parameters
    ----------
    *args, **kwargs
        Accepted, so that subclasses can hand on what they do not know themselves.

    Warns
    -----
    RenderWarning
        A keyword that no class of the object knows, which is ignored.

    Examples
    --------
    >>> parameters = ArgumentParameters()
    >>> parameters.rootDirectory, parameters.maxLevel, parameters.label = "/boxes", 9, True
    >>> parameters.to_java_args()
    ['--rootDirectory', '/boxes', '--maxLevel', '9', '--label', 'true']
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            from difflib import get_close_matches

            close = get_close_matches(name, _keywords(type(self)), n=1, cutoff=0.6)
            hint = f"; did you mean {close[0]}?" if close else ""
            warnings.warn(
                f"{type(self).__name__} does not know {name!r}, which is ignored{hint}",
                RenderWarning,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if value is not None)
        return f"{type(self).__name__}({given})"

    @staticmethod
    def get_cmd_opt(v: Any, flag: str | None = None) -> list[Any]:
        """Return option and value, just the value without `flag`, or nothing where the value is None.

        Parameters
        ----------
        v : object
            Value of the option.
        flag : str, optional
            The option, such as ``--memGB``. Default: none, only the value.

        Returns
        -------
        list
            The words.
        """
        if v is None:
            return []
        return [v] if flag is None else [flag, v]

    @staticmethod
    def get_flag_cmd(v: Any, flag: str | None = None) -> list[str | None]:
        """Return an option that takes no value, or nothing where `v` is false.

        Parameters
        ----------
        v : object
            Whether the option is given.
        flag : str, optional
            The option.

        Returns
        -------
        list
            The words.
        """
        return [flag] if v else []

    @staticmethod
    def sanitize_cmd(cmd: Iterable[Any]) -> list[str]:
        """Make the words of a command line text; booleans as Java writes them.

        Parameters
        ----------
        cmd : iterable of object
            The words.

        Returns
        -------
        list of str
            The words as texts.

        Raises
        ------
        ClientScriptError
            A word is None.
        """
        words = list(cmd)
        if any(word is None for word in words):
            raise ClientScriptError(f"an argument is missing (None) in the command {words}")
        return [str(word).lower() if isinstance(word, bool) else str(word) for word in words]

    def to_java_args(self) -> list[str]:
        """Return the options and values of all attributes that are not None, in the order they were set."""
        options = [
            word
            for name, value in vars(self).items()
            if name != "kwargs"
            for word in self.get_cmd_opt(value, f"--{name}")
        ]
        return self.sanitize_cmd(options)


def _keywords(cls: type) -> list[str]:
    """Names of the keywords that the constructors of a class and its bases know."""
    names: dict[str, None] = {}
    for base in cls.__mro__[:-1]:
        for name, parameter in inspect.signature(base.__init__).parameters.items():  # type: ignore[misc]
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self":
                names[name] = None
    return list(names)


class FeatureExtractionParameters(ArgumentParameters):
    """How SIFT features are found.

    Parameters
    ----------
    SIFTfdSize : int, optional
        Samples per row and column of a feature descriptor; Java's default is 8.
    SIFTmaxScale, SIFTminScale : float, optional
        Largest and smallest scale, as parts of the image size; Java's defaults are 0.85 and 0.5.
    SIFTsteps : int, optional
        Steps per scale octave; Java's default is 3.
    **kwargs
        For other classes of the object.
    """

    def __init__(
        self,
        SIFTfdSize: int | None = None,
        SIFTmaxScale: float | None = None,
        SIFTminScale: float | None = None,
        SIFTsteps: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.SIFTfdSize = SIFTfdSize
        self.SIFTmaxScale = SIFTmaxScale
        self.SIFTminScale = SIFTminScale
        self.SIFTsteps = SIFTsteps


class MatchDerivationParameters(ArgumentParameters):
    """How matches are derived from features.

    Parameters
    ----------
    matchIterations : int, optional
        Iterations of RANSAC; Java's default is 1000.
    matchMaxEpsilon : float, optional
        Largest error of an inlier in pixels at the scale of rendering. Java has had no default since May
        2022: give this or `matchMaxEpsilonFullScale`.
    matchMaxNumInliers : int, optional
        Largest number of inliers that are kept (a random choice); default all of them.
    matchMaxTrust : float, optional
        Candidates with a cost above this many times the median are rejected; Java's default is 3.
    matchMinInlierRatio : float, optional
        Smallest ratio of inliers to candidates; Java's default is 0.
    matchMinNumInliers : int, optional
        Smallest number of inliers; Java's default is 4.
    matchModelType : {"TRANSLATION", "RIGID", "SIMILARITY", "AFFINE"}, optional
        Model that inliers fit; Java's default is AFFINE.
    matchRod : float, optional
        Ratio of distances of the best to the second best candidate; Java's default is 0.92.
    matchRegularizerModelType, matchInterpolatedModelLambda : str, float, optional
        Second model and its weight, for an interpolated one; both or neither.
    matchMaxEpsilonFullScale : float, optional
        Largest error of an inlier in pixels at full scale.
    matchFilter : {"SINGLE_SET", "NONE", "CONSENSUS_SETS", "AGGREGATED_CONSENSUS_SETS"}, optional
        Which sets of matches are kept.
    matchFullScaleCoverageRadius, matchMinCoveragePercentage : float, optional
        Radius that a match covers, and the part of the overlap that must be covered.
    **kwargs
        For other classes of the object.
    """

    def __init__(
        self,
        matchIterations: int | None = None,
        matchMaxEpsilon: float | None = None,
        matchMaxNumInliers: int | None = None,
        matchMaxTrust: float | None = None,
        matchMinInlierRatio: float | None = None,
        matchMinNumInliers: int | None = None,
        matchModelType: str | None = None,
        matchRod: float | None = None,
        *,
        matchRegularizerModelType: str | None = None,
        matchInterpolatedModelLambda: float | None = None,
        matchMaxEpsilonFullScale: float | None = None,
        matchFilter: str | None = None,
        matchFullScaleCoverageRadius: float | None = None,
        matchMinCoveragePercentage: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.matchIterations = matchIterations
        self.matchMaxEpsilon = matchMaxEpsilon
        self.matchMaxNumInliers = matchMaxNumInliers
        self.matchMaxTrust = matchMaxTrust
        self.matchMinInlierRatio = matchMinInlierRatio
        self.matchMinNumInliers = matchMinNumInliers
        self.matchModelType = matchModelType
        self.matchRod = matchRod
        self.matchRegularizerModelType = matchRegularizerModelType
        self.matchInterpolatedModelLambda = matchInterpolatedModelLambda
        self.matchMaxEpsilonFullScale = matchMaxEpsilonFullScale
        self.matchFilter = matchFilter
        self.matchFullScaleCoverageRadius = matchFullScaleCoverageRadius
        self.matchMinCoveragePercentage = matchMinCoveragePercentage


class SiftPointMatchOptions(MatchDerivationParameters, FeatureExtractionParameters):
    """Options of `renderapi.client.pointMatchClient`.

    Parameters
    ----------
    renderScale : float, optional
        Scale at which tiles are rendered for feature extraction; Java's default is 1.
    fillWithNoise : bool, optional
        Accepted by Java and not used by its current version.
    **kwargs
        Those of `MatchDerivationParameters` and `FeatureExtractionParameters`.

    Examples
    --------
    >>> SiftPointMatchOptions(renderScale=0.5, SIFTsteps=5, matchMaxEpsilon=10.0).to_java_args()
    ['--SIFTsteps', '5', '--matchMaxEpsilon', '10.0', '--renderScale', '0.5']
    """

    def __init__(
        self, renderScale: float | None = None, fillWithNoise: bool | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.renderScale = renderScale
        self.fillWithNoise = fillWithNoise
