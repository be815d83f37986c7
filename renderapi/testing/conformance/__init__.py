"""How a render-ws behaves, as classes of pytest tests: one module per service, and some for what they share.

Every class has one test per endpoint of its service, from a table of calls, and one per rule. A subclass whose name
begins with ``Test`` gives the fixture ``render_url`` and, where requests need something special, ``http``.
"""

from __future__ import annotations

from renderapi.testing.conformance._base import ServiceConformance
from renderapi.testing.conformance.coordinates import CoordinateConformance
from renderapi.testing.conformance.deployment import DeploymentConformance
from renderapi.testing.conformance.documents import DocumentConformance
from renderapi.testing.conformance.hierarchical import HierarchicalConformance
from renderapi.testing.conformance.images import ImageConformance
from renderapi.testing.conformance.layers import RenderDataConformance
from renderapi.testing.conformance.matches import MatchConformance
from renderapi.testing.conformance.messages import MessageConformance
from renderapi.testing.conformance.resolving import ResolvingConformance
from renderapi.testing.conformance.stacks import StackMetaDataConformance
from renderapi.testing.conformance.states import StackStateConformance
from renderapi.testing.conformance.tiles import TileDataConformance
from renderapi.testing.conformance.validation import ValidationConformance

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
    "ServiceConformance",
    "StackMetaDataConformance",
    "StackStateConformance",
    "TileDataConformance",
    "ValidationConformance",
]
