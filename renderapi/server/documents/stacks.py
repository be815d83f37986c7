"""Stacks: their states, and the versions that are read from bodies."""

from __future__ import annotations

from typing import Any

from renderapi.server.documents.problems import InvalidError
from renderapi.server.documents.tiles import Document, mipmap_path_builder
from renderapi.server.documents.values import Rules, as_date, as_double, as_integer, as_text, fields

LOADING, COMPLETE, READ_ONLY, OFFLINE = STATES = ("LOADING", "COMPLETE", "READ_ONLY", "OFFLINE")

_VERSION_RULES: Rules = {
    "createTimestamp": as_date,
    "versionNotes": as_text,
    "cycleNumber": as_integer,
    "cycleStepNumber": as_integer,
    "stackResolutionX": as_double,
    "stackResolutionY": as_double,
    "stackResolutionZ": as_double,
    "materializedBoxRootPath": as_text,
    "mipmapPathBuilder": mipmap_path_builder,
    "alignmentQuality": as_double,
    "defaultChannel": as_text,
}
#: Place of each value among those of a version.
VERSION_ORDER = {key: place for place, key in enumerate(_VERSION_RULES)}


def stack_version(raw: Any) -> Document:
    """Read a stack version from a body."""
    version = fields(raw, "stack version", _VERSION_RULES)
    if version is None:
        raise InvalidError("no stack version provided")
    return version
