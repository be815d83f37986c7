"""The pytest plugin of renderapi under the name that programs give to ``pytest_plugins``.

It is the module ``pytest_renderapi``, which pytest finds by itself where the package is installed.
"""

from pytest_renderapi import (
    MARKERS,
    pytest_collection_modifyitems,
    pytest_configure,
    render_server,
    render_server_image_roots,
    render_server_transport,
)

__all__ = [
    "MARKERS",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "render_server",
    "render_server_image_roots",
    "render_server_transport",
]
