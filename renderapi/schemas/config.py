"""Schemas of configuration: connection settings and the parameter groups of the Java clients.

marshmallow classes (2.21 up to 4) for command line tools and configuration files. ``load()`` checks
types and ranges and gives a dict of what was set, nothing added, ready to be spread into
``renderapi.connect(**...)``, ``SiftPointMatchOptions(**...)`` or ``tilePairClient(**...)``; a key that
is not known is an error unless the schema is made with ``unknown="exclude"``. Beside marshmallow 2, whose
``load()`` answers ``(data, errors)``, the dict is its ``data``, and what is wrong is raised there too
(``strict=False`` leaves it in ``errors``). What a Java client takes when a parameter is absent, and one
line on what it means, are in each field's ``metadata`` (``default``, ``description``): defaults are left
to Java, so that they follow its version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import marshmallow
from marshmallow import Schema, ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf, Range, Regexp

__all__ = [
    "ConnectionSchema",
    "FeatureExtractionSchema",
    "FeatureRenderSchema",
    "LayerBoundsSchema",
    "MatchDerivationSchema",
    "SiftPointMatchOptionsSchema",
    "TileSpecValidatorSchema",
    "ZRangeSchema",
]

_MODELS = ("TRANSLATION", "RIGID", "SIMILARITY", "AFFINE")
_FILTERS = ("NONE", "SINGLE_SET", "CONSENSUS_SETS", "AGGREGATED_CONSENSUS_SETS")
_FRACTION = Range(min=0, max=1)
_PAIR = 2

_Field = TypeVar("_Field", bound="fields.Field[Any]")


def _about(field: _Field, description: str, default: Any = None) -> _Field:
    # every marshmallow keeps it here, but they differ in how a constructor takes it
    field.metadata = {"description": description, "default": default}
    return field


def _positive(value: float) -> None:
    # a Range without its end, which marshmallow 2 does not know
    if not value > 0:
        raise ValidationError("Must be greater than 0.")


class _Configuration(Schema):
    """What marshmallow 3 and 4 do by themselves, also beside marshmallow 2."""

    class Meta:
        strict = True

    if not hasattr(marshmallow, "EXCLUDE"):

        def __init__(self, *args: Any, unknown: str = "raise", **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._unknown = unknown

        @validates_schema(pass_original=True)
        def _known(self, _data: Mapping[str, Any], given: Any) -> None:
            names = set(given) - set(self.fields) if isinstance(given, Mapping) else ()
            if names and self._unknown == "raise":
                raise ValidationError("Unknown field.", sorted(map(str, names)))  # type: ignore[arg-type]


class Timeout(fields.Field):  # type: ignore[type-arg]
    """Seconds for connecting and reading alike, or a list of the two; null is the default."""

    default_error_messages = {"invalid": "Must be a number of seconds above 0, or [connect, read]."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, (list, tuple)):
            if len(value) != _PAIR:
                raise ValidationError(self.error_messages["invalid"])
            return tuple(None if item is None else self._seconds(item) for item in value)
        return self._seconds(value)

    def _seconds(self, value: Any) -> float:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            raise ValidationError(self.error_messages["invalid"]) from None
        if isinstance(value, bool) or not seconds > 0:
            raise ValidationError(self.error_messages["invalid"])
        return seconds


class Verify(fields.Field):  # type: ignore[type-arg]
    """True, false, or the path of a bundle of certificates."""

    default_error_messages = {"invalid": "Must be true, false or the path of a certificate bundle."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, str) and value):
            return value
        raise ValidationError(self.error_messages["invalid"])


class Credentials(fields.Field):  # type: ignore[type-arg]
    """User and password as a list of two."""

    default_error_messages = {"invalid": "Must be [user, password]."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, (list, tuple)) and [type(item) for item in value] == [str, str]:
            return tuple(value)
        raise ValidationError(self.error_messages["invalid"])


class Headers(fields.Field):  # type: ignore[type-arg]
    """An object whose values are text."""

    default_error_messages = {"invalid": "Must be an object of strings."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, Mapping) and all(
            isinstance(text, str) for pair in value.items() for text in pair
        ):
            return dict(value)
        raise ValidationError(self.error_messages["invalid"])


class ConnectionSchema(_Configuration):
    """Settings of a connection to render-ws, for ``renderapi.connect(**...)``.

    Examples
    --------
    >>> ConnectionSchema().load({"host": "localhost", "port": "8080", "timeout": [10, 600]})
    {'host': 'localhost', 'port': 8080, 'timeout': (10.0, 600.0)}
    """

    host = _about(fields.String(), "Name of the server, may start with http:// or https://.")
    port = _about(fields.Integer(allow_none=True, validate=Range(min=1, max=65535)), "Port of the server.")
    owner = _about(fields.String(), "Owner of the stacks.")
    project = _about(fields.String(), "Project of the stacks.")
    url = _about(
        fields.String(validate=Regexp(r"https?://", error="Must start with http:// or https://.")),
        "Whole address of the service, instead of host and port: https://host/prefix/render-ws.",
    )
    client_scripts = _about(fields.String(), "Directory of the Java client scripts.")
    client_script = _about(fields.String(), "Path of run_ws_client.sh, if not in client_scripts.")
    memGB = _about(
        fields.String(
            validate=Regexp(
                r"[1-9][0-9]*[kKmMgGtT]?$", error="Must be a size that Java understands, like 1G or 512m."
            )
        ),
        "Memory of a Java client.",
        "1G",
    )
    auth = _about(Credentials(), "User and password for HTTP basic authentication.")
    timeout = _about(Timeout(allow_none=True), "Seconds to wait: one number or [connect, read].", (10, 600))
    retries = _about(fields.Integer(validate=Range(min=0)), "How often a failed request is sent again.", 5)
    verify = _about(Verify(), "Check the server's certificate, or the bundle to check it with.", True)
    pool = _about(fields.Integer(validate=Range(min=1)), "Connections that each thread keeps open.", 16)
    headers = _about(Headers(), "HTTP headers sent with each request.")
    total = _about(
        fields.Float(allow_none=True, validate=_positive),
        "Seconds for a whole call, repetitions included; null is a minute and twice the timeout.",
    )
    direct = _about(
        fields.Boolean(allow_none=True),
        "Go past the proxy of the environment; null does so for addresses of this machine only.",
    )
    errors = _about(
        fields.String(validate=OneOf(("raise", "return"))),
        "What image functions do with an answer that is no image.",
        "raise",
    )
    force_http = _about(fields.Boolean(), "Put http:// before a host without a scheme.", True)
    validate_client = _about(fields.Boolean(), "Look whether the client script exists.", True)
    web_only = _about(fields.Boolean(), "Do without client scripts.", False)


class FeatureExtractionSchema(_Configuration):
    """How SIFT features are found (``FeatureExtractionParameters``)."""

    SIFTfdSize = _about(
        fields.Integer(validate=Range(min=1)), "Samples per row and column of a descriptor.", 8
    )
    SIFTminScale = _about(
        fields.Float(validate=_FRACTION), "Smallest scale: octaves above minScale * size.", 0.5
    )
    SIFTmaxScale = _about(
        fields.Float(validate=_FRACTION), "Largest scale: octaves up to maxScale * size.", 0.85
    )
    SIFTsteps = _about(fields.Integer(validate=Range(min=1)), "Steps per octave.", 3)

    @validates_schema(skip_on_field_errors=True)
    def _scales_in_order(self, data: Mapping[str, Any], **_: Any) -> None:
        _in_order(data, "SIFTminScale", "SIFTmaxScale")


class FeatureRenderSchema(_Configuration):
    """How a canvas is rendered before features are extracted."""

    renderScale = _about(fields.Float(validate=_positive), "Scale of the rendered canvas.", 1.0)
    renderWithFilter = _about(fields.Boolean(), "Apply the default filters.", True)
    renderFilterListName = _about(fields.String(), "Named filter list of the server, instead of the default.")
    renderWithoutMask = _about(fields.Boolean(), "Leave masks out.", True)
    renderFullScaleWidth = _about(fields.Integer(validate=Range(min=1)), "Width at full scale, pixels.")
    renderFullScaleHeight = _about(fields.Integer(validate=Range(min=1)), "Height at full scale, pixels.")
    fillWithNoise = _about(fields.Boolean(), "Fill what no tile covers with noise.")


class MatchDerivationSchema(_Configuration):
    """How matches are derived from features (``MatchDerivationParameters``)."""

    matchRod = _about(
        fields.Float(validate=[_positive, Range(max=1)]),
        "Ratio of distances, best to second best, below which a match counts.",
        0.92,
    )
    matchModelType = _about(fields.String(validate=OneOf(_MODELS)), "Model that inliers must fit.", "AFFINE")
    matchRegularizerModelType = _about(
        fields.String(validate=OneOf(_MODELS)), "Second model that the first is interpolated with."
    )
    matchInterpolatedModelLambda = _about(
        fields.Float(validate=_FRACTION), "Weight of the second model, 0 to 1."
    )
    matchIterations = _about(fields.Integer(validate=Range(min=1)), "Iterations of RANSAC.", 1000)
    matchMaxEpsilon = _about(
        fields.Float(validate=_positive), "Largest error of an inlier, pixels at renderScale (deprecated)."
    )
    matchMaxEpsilonFullScale = _about(
        fields.Float(validate=_positive), "Largest error of an inlier, pixels at full scale."
    )
    matchMinInlierRatio = _about(
        fields.Float(validate=_FRACTION), "Smallest ratio of inliers to candidates.", 0.0
    )
    matchMinNumInliers = _about(fields.Integer(validate=Range(min=0)), "Smallest number of inliers.", 4)
    matchMaxNumInliers = _about(
        fields.Integer(validate=Range(min=0)), "Largest number of inliers kept, 0 for all of them."
    )
    matchMaxTrust = _about(
        fields.Float(validate=_positive), "Reject candidates with a cost above maxTrust * median cost.", 3.0
    )
    matchFilter = _about(
        fields.String(validate=OneOf(_FILTERS)), "Which sets of matches are kept.", "SINGLE_SET"
    )
    matchFullScaleCoverageRadius = _about(
        fields.Float(validate=_positive), "Radius that one match covers, pixels at full scale.", 300.0
    )
    matchMinCoveragePercentage = _about(
        fields.Float(validate=Range(min=0, max=100)), "Smallest covered part of the overlap, percent."
    )

    @validates_schema(skip_on_field_errors=True)
    def _regularizer_complete(self, data: Mapping[str, Any], **_: Any) -> None:
        pair = ("matchRegularizerModelType", "matchInterpolatedModelLambda")
        missing = [name for name in pair if name not in data]
        if len(missing) == 1:
            raise ValidationError(f"{pair[0]} and {pair[1]} must be given together.", missing[0])


class SiftPointMatchOptionsSchema(MatchDerivationSchema, FeatureExtractionSchema):
    """Options of ``pointMatchClient``, for ``SiftPointMatchOptions(**...)``.

    Examples
    --------
    >>> SiftPointMatchOptionsSchema().load({"SIFTsteps": "5"})
    {'SIFTsteps': 5}
    """

    renderScale = _about(fields.Float(validate=_positive), "Scale at which features are extracted.", 1.0)
    fillWithNoise = _about(fields.Boolean(), "Read by older Java versions only.", True)


class ZRangeSchema(_Configuration):
    """Layers, both ends included; loads as the ``minz`` and ``maxz`` of ``tilePairClient``."""

    minZ = _about(fields.Float(attribute="minz"), "First layer.")
    maxZ = _about(fields.Float(attribute="maxz"), "Last layer.")

    @validates_schema(skip_on_field_errors=True)
    def _ends_in_order(self, data: Mapping[str, Any], **_: Any) -> None:
        _in_order(data, "minz", "maxz")


class LayerBoundsSchema(_Configuration):
    """A box in each layer; loads as the ``minx`` ... ``maxy`` of ``tilePairClient``."""

    minX = _about(fields.Float(attribute="minx"), "Left of the box, world pixels.")
    maxX = _about(fields.Float(attribute="maxx"), "Right of the box.")
    minY = _about(fields.Float(attribute="miny"), "Top of the box.")
    maxY = _about(fields.Float(attribute="maxy"), "Bottom of the box.")

    @validates_schema(skip_on_field_errors=True)
    def _box(self, data: Mapping[str, Any], **_: Any) -> None:
        names = ("minx", "maxx", "miny", "maxy")
        given = [name for name in names if name in data]
        if given and len(given) < len(names):
            raise ValidationError("minX, maxX, minY and maxY must be given together, or none of them.")
        _in_order(data, "minx", "maxx")
        _in_order(data, "miny", "maxy")


class TileSpecValidatorSchema(_Configuration):
    """Which tiles an import refuses."""

    validatorClass = _about(
        fields.String(validate=Length(min=1)),
        "Java class, as org.janelia.alignment.spec.validator.TemTileSpecValidator.",
    )
    validatorData = _about(fields.String(), "Its limits, like minCoordinate:-500,maxCoordinate:100000.")

    @validates_schema(skip_on_field_errors=True)
    def _limits_are_numbers(self, data: Mapping[str, Any], **_: Any) -> None:
        for entry in filter(None, data.get("validatorData", "").split(",")):
            if not re.fullmatch(r"[A-Za-z]\w*:[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", entry):
                raise ValidationError(f"{entry!r} is not a limit like minSize:500.", "validatorData")
        if "validatorData" in data and "validatorClass" not in data:
            raise ValidationError("Java ignores validatorData without validatorClass.", "validatorClass")


def _in_order(data: Mapping[str, Any], low: str, high: str) -> None:
    if low in data and high in data and data[low] > data[high]:
        raise ValidationError(f"Must not be above {high}, {data[high]}.", low)
