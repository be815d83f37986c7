"""DeploymentConfigurationService: what the server says of itself."""

from __future__ import annotations

import pytest

from renderapi.testing.conformance._base import Call, ServiceConformance, check, configurable, keys
from renderapi.testing.rest import Rest

ENDPOINTS = [
    Call("GET", "/namedFilterSpecLists", keys("namedFilterSpecLists")),
    Call("GET", "/serverProperties", keys("filePath", "properties")),
    Call("GET", "/versionInfo", lambda found, owner: any(key.startswith("git.") for key in found)),
    Call("DELETE", "/imageProcessorCache/allEntries"),
]


class DeploymentConformance(ServiceConformance):
    """Configuration, section 7 of the behaviour of render-ws."""

    @configurable
    @pytest.mark.parametrize("call", ENDPOINTS, ids=str)
    def test_endpoint(self, api: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        check(api, call)
