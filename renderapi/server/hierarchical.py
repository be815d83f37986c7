"""HierarchicalDataService: clustered bounds and residuals; the bookkeeping of tiers is not offered."""

from __future__ import annotations

from typing import Any

from renderapi.server.endpoint import PROJECT, STACK, TEXT, Answer, Context, Service, integer, string
from renderapi.server.refusals import not_built

service = Service("HierarchicalDataService", "Hierarchical alignment")

_WARP = {"consensusRows": integer, "consensusColumns": integer, "consensusBuildMethod": string}


def _not_offered(server: Context, **values: Any) -> Answer:
    """Keep track of a hierarchical alignment."""
    raise not_built("hierarchical alignment")


def _declare() -> None:
    service.delete(PROJECT + "/tierData", gives=TEXT)(_not_offered)
    service.get(STACK + "/missingTierMatchLayers")(_not_offered)
    service.get(PROJECT + "/missingTierMatchLayers")(_not_offered)
    service.get(STACK + "/hierarchicalData")(_not_offered)
    service.put(STACK + "/hierarchicalData")(_not_offered)
    service.delete(STACK + "/hierarchicalData")(_not_offered)
    service.get(PROJECT + "/z/{z:double}/affineWarpFieldTransform", query=_WARP)(_not_offered)
    service.get(PROJECT + "/z/{z:double}/affineWarpFieldTransformDebug", query=_WARP)(_not_offered)


_declare()
