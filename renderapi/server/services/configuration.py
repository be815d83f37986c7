"""DeploymentConfigurationService: what the server is and how it is set up."""

from __future__ import annotations

import platform
from typing import Any

from renderapi._version import __version__
from renderapi.server.endpoints.declaring import OK, Answer, Context, Service, json_of
from renderapi.server.store.database import FILE_NAME, SQLITE_VERSION

#: The filter lists that render ships.
FILTER_LISTS: dict[str, list[dict[str, Any]]] = {
    "simpleTest": [
        {
            "className": "org.janelia.alignment.filter.CLAHE",
            "parameters": {"fast": "true", "blockRadius": "500", "bins": "256", "slope": "2.5"},
        }
    ],
    "default": [
        {
            "className": "org.janelia.alignment.filter.ValueToNoise",
            "parameters": {"value": "0.0", "min": "64.0", "max": "191.0"},
        },
        {
            "className": "org.janelia.alignment.filter.ValueToNoise",
            "parameters": {"value": "255.0", "min": "64.0", "max": "191.0"},
        },
        {
            "className": "org.janelia.alignment.filter.NormalizeLocalContrast",
            "parameters": {
                "blockRadiusX": "500",
                "blockRadiusY": "500",
                "meanFactor": "3.0",
                "center": "true",
                "stretch": "true",
            },
        },
    ],
}

service = Service("DeploymentConfigurationService", "The server itself")


@service.get("/namedFilterSpecLists")
def named_filter_spec_lists(server: Context) -> Answer:
    """Return the filter lists that render parameters may name."""
    return json_of({"namedFilterSpecLists": server.filter_lists})


@service.get("/serverProperties")
def server_properties(server: Context) -> Answer:
    """Return the properties of the server."""
    folder = server.store.folder
    return json_of(
        {
            "filePath": ":memory:" if folder is None else str(folder / FILE_NAME),
            "properties": dict(sorted(server.properties.items())),
        }
    )


@service.get("/versionInfo")
def version_info(server: Context) -> Answer:
    """Return the versions of the server and of what it runs on."""
    return json_of(
        {
            "git.build.version": __version__,
            "renderapi.python": platform.python_version(),
            "renderapi.sqlite": SQLITE_VERSION,
        }
    )


@service.delete("/imageProcessorCache/allEntries")
def clear_image_cache(server: Context) -> Answer:
    """Forget the images that are kept in memory."""
    server.drawing.clear()
    return OK
