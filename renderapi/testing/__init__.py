"""Tests of a render-ws for whoever has one, and a server for the tests of programs that use renderapi.

`renderapi.testing.conformance` states how a render-ws behaves as classes of pytest tests: a subclass says where a
server is, and inherits the tests. `renderapi.testing.plugin` is a pytest plugin with the fixture
``render_server``. `Rest` and the functions that make documents are what those tests are written with.

pytest is needed here, and nowhere else in renderapi: ``pip install ".[test]"`` in a checkout.
"""

from __future__ import annotations

import pytest

# the asserts of the conformance tests are to say as much as those of any other test
pytest.register_assert_rewrite("renderapi.testing.conformance")

from renderapi.testing.conformance import (  # noqa: E402 (after the registration)
    CoordinateConformance,
    DeploymentConformance,
    DocumentConformance,
    HierarchicalConformance,
    ImageConformance,
    MatchConformance,
    MessageConformance,
    RenderDataConformance,
    ResolvingConformance,
    ServiceConformance,
    StackMetaDataConformance,
    StackStateConformance,
    TileDataConformance,
    ValidationConformance,
)
from renderapi.testing.documents import affine, make_pair, make_tile  # noqa: E402
from renderapi.testing.rest import Rest  # noqa: E402

__all__ = [
    "CoordinateConformance",
    "DeploymentConformance",
    "DocumentConformance",
    "HierarchicalConformance",
    "ImageConformance",
    "MatchConformance",
    "MessageConformance",
    "RenderDataConformance",
    "ResolvingConformance",
    "Rest",
    "ServiceConformance",
    "StackMetaDataConformance",
    "StackStateConformance",
    "TileDataConformance",
    "ValidationConformance",
    "affine",
    "make_pair",
    "make_tile",
]
