"""Schemas of configuration: connection settings and the parameter groups of the Java clients.

marshmallow classes (3.13 up to 4) for command line tools and configuration files. ``load()`` checks
types and ranges and gives a dict of what was set, nothing added, ready to be spread into
``renderapi.connect(**...)``, ``SiftPointMatchOptions(**...)`` or ``tilePairClient(**...)``; a key that
is not known is an error unless the schema is made with ``unknown="exclude"``. What a Java client takes
when a parameter is absent, and one line on what it means, are in each field's ``metadata`` (``default``,
``description``): defaults are left to Java, so that they follow its version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

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
_POSITIVE = Range(min=0, min_inclusive=False)
_PAIR = 2


def _about(description: str, default: Any = None) -> dict[str, Any]:
    return {"description": description, "default": default}


class Timeout(fields.Field):  # type: ignore[type-arg]
    """Seconds for connecting and reading alike, or a list of the two; null is the default."""

    default_error_messages = {"invalid": "Must be a number of seconds above 0, or [connect, read]."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, (list, tuple)):
            if len(value) != _PAIR:
                raise self.make_error("invalid")
            return tuple(None if item is None else self._seconds(item) for item in value)
        return self._seconds(value)

    def _seconds(self, value: Any) -> float:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid") from None
        if isinstance(value, bool) or not seconds > 0:
            raise self.make_error("invalid")
        return seconds


class Verify(fields.Field):  # type: ignore[type-arg]
    """True, false, or the path of a bundle of certificates."""

    default_error_messages = {"invalid": "Must be true, false or the path of a certificate bundle."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, str) and value):
            return value
        raise self.make_error("invalid")


class Credentials(fields.Field):  # type: ignore[type-arg]
    """User and password as a list of two."""

    default_error_messages = {"invalid": "Must be [user, password]."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, (list, tuple)) and [type(item) for item in value] == [str, str]:
            return tuple(value)
        raise self.make_error("invalid")


class ConnectionSchema(Schema):
    """Settings of a connection to render-ws, for ``renderapi.connect(**...)``.

    Examples
    --------
    >>> ConnectionSchema().load({"host": "localhost", "port": "8080", "timeout": [10, 600]})
    {'host': 'localhost', 'port': 8080, 'timeout': (10.0, 600.0)}
    """

    host = fields.String(metadata=_about("Name of the server, may start with http:// or https://."))
    port = fields.Integer(
        allow_none=True, validate=Range(min=1, max=65535), metadata=_about("Port of the server.")
    )
    owner = fields.String(metadata=_about("Owner of the stacks."))
    project = fields.String(metadata=_about("Project of the stacks."))
    url = fields.String(
        validate=Regexp(r"https?://", error="Must start with http:// or https://."),
        metadata=_about(
            "Whole address of the service, instead of host and port: https://host/prefix/render-ws."
        ),
    )
    client_scripts = fields.String(metadata=_about("Directory of the Java client scripts."))
    client_script = fields.String(metadata=_about("Path of run_ws_client.sh, if not in client_scripts."))
    memGB = fields.String(
        validate=Regexp(
            r"[1-9][0-9]*[kKmMgGtT]?$", error="Must be a size that Java understands, like 1G or 512m."
        ),
        metadata=_about("Memory of a Java client.", "1G"),
    )
    auth = Credentials(metadata=_about("User and password for HTTP basic authentication."))
    timeout = Timeout(
        allow_none=True, metadata=_about("Seconds to wait: one number or [connect, read].", (10, 600))
    )
    retries = fields.Integer(
        validate=Range(min=0), metadata=_about("How often a failed request is sent again.", 5)
    )
    verify = Verify(metadata=_about("Check the server's certificate, or the bundle to check it with.", True))
    pool = fields.Integer(
        validate=Range(min=1), metadata=_about("Connections that each thread keeps open.", 16)
    )
    headers = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata=_about("HTTP headers sent with each request.")
    )
    errors = fields.String(
        validate=OneOf(("raise", "return")),
        metadata=_about("What image functions do with an answer that is no image.", "raise"),
    )
    force_http = fields.Boolean(metadata=_about("Put http:// before a host without a scheme.", True))
    validate_client = fields.Boolean(metadata=_about("Look whether the client script exists.", True))
    web_only = fields.Boolean(metadata=_about("Do without client scripts.", False))


class FeatureExtractionSchema(Schema):
    """How SIFT features are found (``FeatureExtractionParameters``)."""

    SIFTfdSize = fields.Integer(
        validate=Range(min=1), metadata=_about("Samples per row and column of a descriptor.", 8)
    )
    SIFTminScale = fields.Float(
        validate=_FRACTION, metadata=_about("Smallest scale: octaves above minScale * size.", 0.5)
    )
    SIFTmaxScale = fields.Float(
        validate=_FRACTION, metadata=_about("Largest scale: octaves up to maxScale * size.", 0.85)
    )
    SIFTsteps = fields.Integer(validate=Range(min=1), metadata=_about("Steps per octave.", 3))

    @validates_schema
    def _scales_in_order(self, data: Mapping[str, Any], **_: Any) -> None:
        _in_order(data, "SIFTminScale", "SIFTmaxScale")


class FeatureRenderSchema(Schema):
    """How a canvas is rendered before features are extracted."""

    renderScale = fields.Float(validate=_POSITIVE, metadata=_about("Scale of the rendered canvas.", 1.0))
    renderWithFilter = fields.Boolean(metadata=_about("Apply the default filters.", True))
    renderFilterListName = fields.String(
        metadata=_about("Named filter list of the server, instead of the default.")
    )
    renderWithoutMask = fields.Boolean(metadata=_about("Leave masks out.", True))
    renderFullScaleWidth = fields.Integer(
        validate=Range(min=1), metadata=_about("Width at full scale, pixels.")
    )
    renderFullScaleHeight = fields.Integer(
        validate=Range(min=1), metadata=_about("Height at full scale, pixels.")
    )
    fillWithNoise = fields.Boolean(metadata=_about("Fill what no tile covers with noise."))


class MatchDerivationSchema(Schema):
    """How matches are derived from features (``MatchDerivationParameters``)."""

    matchRod = fields.Float(
        validate=Range(min=0, max=1, min_inclusive=False),
        metadata=_about("Ratio of distances, best to second best, below which a match counts.", 0.92),
    )
    matchModelType = fields.String(
        validate=OneOf(_MODELS), metadata=_about("Model that inliers must fit.", "AFFINE")
    )
    matchRegularizerModelType = fields.String(
        validate=OneOf(_MODELS), metadata=_about("Second model that the first is interpolated with.")
    )
    matchInterpolatedModelLambda = fields.Float(
        validate=_FRACTION, metadata=_about("Weight of the second model, 0 to 1.")
    )
    matchIterations = fields.Integer(validate=Range(min=1), metadata=_about("Iterations of RANSAC.", 1000))
    matchMaxEpsilon = fields.Float(
        validate=_POSITIVE, metadata=_about("Largest error of an inlier, pixels at renderScale (deprecated).")
    )
    matchMaxEpsilonFullScale = fields.Float(
        validate=_POSITIVE, metadata=_about("Largest error of an inlier, pixels at full scale.")
    )
    matchMinInlierRatio = fields.Float(
        validate=_FRACTION, metadata=_about("Smallest ratio of inliers to candidates.", 0.0)
    )
    matchMinNumInliers = fields.Integer(
        validate=Range(min=0), metadata=_about("Smallest number of inliers.", 4)
    )
    matchMaxNumInliers = fields.Integer(
        validate=Range(min=0), metadata=_about("Largest number of inliers kept, 0 for all of them.")
    )
    matchMaxTrust = fields.Float(
        validate=_POSITIVE,
        metadata=_about("Reject candidates with a cost above maxTrust * median cost.", 3.0),
    )
    matchFilter = fields.String(
        validate=OneOf(_FILTERS), metadata=_about("Which sets of matches are kept.", "SINGLE_SET")
    )
    matchFullScaleCoverageRadius = fields.Float(
        validate=_POSITIVE, metadata=_about("Radius that one match covers, pixels at full scale.", 300.0)
    )
    matchMinCoveragePercentage = fields.Float(
        validate=Range(min=0, max=100), metadata=_about("Smallest covered part of the overlap, percent.")
    )

    @validates_schema
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

    renderScale = fields.Float(
        validate=_POSITIVE, metadata=_about("Scale at which features are extracted.", 1.0)
    )
    fillWithNoise = fields.Boolean(metadata=_about("Read by older Java versions only.", True))


class ZRangeSchema(Schema):
    """Layers, both ends included; loads as the ``minz`` and ``maxz`` of ``tilePairClient``."""

    minZ = fields.Float(attribute="minz", metadata=_about("First layer."))
    maxZ = fields.Float(attribute="maxz", metadata=_about("Last layer."))

    @validates_schema
    def _ends_in_order(self, data: Mapping[str, Any], **_: Any) -> None:
        _in_order(data, "minz", "maxz")


class LayerBoundsSchema(Schema):
    """A box in each layer; loads as the ``minx`` ... ``maxy`` of ``tilePairClient``."""

    minX = fields.Float(attribute="minx", metadata=_about("Left of the box, world pixels."))
    maxX = fields.Float(attribute="maxx", metadata=_about("Right of the box."))
    minY = fields.Float(attribute="miny", metadata=_about("Top of the box."))
    maxY = fields.Float(attribute="maxy", metadata=_about("Bottom of the box."))

    @validates_schema
    def _box(self, data: Mapping[str, Any], **_: Any) -> None:
        names = ("minx", "maxx", "miny", "maxy")
        given = [name for name in names if name in data]
        if given and len(given) < len(names):
            raise ValidationError("minX, maxX, minY and maxY must be given together, or none of them.")
        _in_order(data, "minx", "maxx")
        _in_order(data, "miny", "maxy")


class TileSpecValidatorSchema(Schema):
    """Which tiles an import refuses."""

    validatorClass = fields.String(
        validate=Length(min=1),
        metadata=_about("Java class, as org.janelia.alignment.spec.validator.TemTileSpecValidator."),
    )
    validatorData = fields.String(
        metadata=_about("Its limits, like minCoordinate:-500,maxCoordinate:100000.")
    )

    @validates_schema
    def _limits_are_numbers(self, data: Mapping[str, Any], **_: Any) -> None:
        for entry in filter(None, data.get("validatorData", "").split(",")):
            if not re.fullmatch(r"[A-Za-z]\w*:[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", entry):
                raise ValidationError(f"{entry!r} is not a limit like minSize:500.", "validatorData")
        if "validatorData" in data and "validatorClass" not in data:
            raise ValidationError("Java ignores validatorData without validatorClass.", "validatorClass")


def _in_order(data: Mapping[str, Any], low: str, high: str) -> None:
    if low in data and high in data and data[low] > data[high]:
        raise ValidationError(f"Must not be above {high}, {data[high]}.", low)
