"""ValidationService: documents that are looked at, and not stored."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

import re
from typing import Any

import pytest

from renderapi.testing.conformance._base import Call, ServiceConformance, check, rows
from renderapi.testing.documents import affine, make_tile
from renderapi.testing.rest import Rest

PATH = "/owner/{owner}/validate-json/"
GOOD = r"Successfully parsed .*{} from JSON text\.  Parsed value is: .*\n"
# no file is looked for at an address of another kind
TILE = make_tile("t", mipmapLevels={"0": {"imageUrl": "s3://bucket/t.png"}})

ENDPOINTS = [
    Call("PUT", PATH + "tile", re.compile(GOOD.format(r"spec\.TileSpec instance")), TILE),
    Call("PUT", PATH + "tile-array", re.compile(GOOD.format(".*TileSpec.*")), [TILE]),
    Call("PUT", PATH + "transform", re.compile(GOOD.format(r"spec\.TransformSpec instance")), affine(id="x")),
    Call("PUT", PATH + "transform-array", re.compile(GOOD.format(".*TransformSpec.*")), [affine(id="x")]),
    Call(
        "PUT", PATH + "render", re.compile(GOOD.format(r"RenderParameters instance")), {"tileSpecs": [TILE]}
    ),
]

BAD_SPEC = {"type": "leaf", "className": "x.Y", "dataString": ""}
BAD_TILE = {**TILE, "transforms": {"type": "list", "specList": [BAD_SPEC]}}
REF = {"type": "ref", "refId": "x"}

# what is wrong, kind, document, part of the text
BAD: list[tuple[str, str, Any, str]] = [
    ("no images", "tile", {"tileId": "t"}, "tile 't' does not contain any mipmapLevel elements"),
    ("no images in a list", "tile-array", [{"tileId": "t"}], "does not contain any mipmapLevel elements"),
    ("unknown class", "tile", BAD_TILE, "transform class 'x.Y' cannot be found"),
    ("unknown class of a transform", "transform", BAD_SPEC, "transform class 'x.Y' cannot be found"),
    ("unknown class in a list", "transform-array", [BAD_SPEC], "transform class 'x.Y' cannot be found"),
    ("reference to nothing", "transform-array", [REF], ""),
    ("an object for a list", "tile-array", {}, ""),
    (
        "missing image",
        "tile",
        make_tile("t", mipmapLevels={"0": {"imageUrl": "/nowhere/x.png"}}),
        "/nowhere/x.png",
    ),
]


class ValidationConformance(ServiceConformance):
    """Validation of documents, section 7 of the behaviour of render-ws."""

    @pytest.mark.parametrize("call", ENDPOINTS, ids=str)
    def test_endpoint(self, api: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        check(api, call)

    @rows(*BAD, names="kind, document, reason")
    def test_bad_documents(self, api: Rest, kind: str, document: Any, reason: str) -> None:
        """A bad document is refused with the reason."""
        status, text = api.refused("PUT", PATH + kind, document)
        assert status == 400
        assert text.startswith("Failed to parse ")
        assert "from JSON text.  Specific error is: " in text
        assert reason in text

    @pytest.mark.parametrize("kind", ["render", "tile", "tile-array", "transform", "transform-array"])
    def test_bodies_that_are_no_json(self, api: Rest, kind: str) -> None:
        """What cannot be read is refused in the same way, whatever it is said to be."""
        answer = api("PUT", PATH + kind, data="{", content_type="text/plain")
        assert answer.status_code == 400
        assert answer.text.startswith("Failed to parse ")

    def test_tiles_of_a_list_may_have_any_transforms(self, api: Rest) -> None:
        """Of a list of tiles only the images are looked at."""
        assert api.status("PUT", PATH + "tile-array", [BAD_TILE]) == 200

    def test_references_within_a_list(self, api: Rest) -> None:
        """Transforms of a list may refer to each other."""
        specs = [{"type": "list", "id": "l", "specList": [REF]}, affine(id="x")]
        assert api.status("PUT", PATH + "transform-array", specs) == 200
