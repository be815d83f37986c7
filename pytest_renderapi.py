"""A pytest plugin: a render-ws for tests, without a port and without anything to start.

``render_server`` is an embedded server that lasts as long as the tests. Override ``render_server_transport`` to
have it listen at a socket, for programs that cannot be given a session, and ``render_server_image_roots`` to have
it draw images of yours. The plugin also makes markers of what the
conformance tests say about themselves, so that some can be left out with ``-m``.

It lies beside the package, so that pytest, which loads it wherever the package is installed, does not load the package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from renderapi.server import BackgroundServer

MARKERS = {
    "render_inferred": "a rule of render-ws that was inferred, not seen; a full render-ws may differ",
    "render_configurable": "depends on the configuration of the server, or on being its only user",
    "render_superset": "the embedded server answers, or says, more than a full render-ws does",
    "render_master": "a server of render's branch newsolver answers otherwise",
}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that say that a marker holds for them."""
    for item in items:
        function = getattr(item, "function", None)
        for name in MARKERS:
            if hasattr(function, name):
                item.add_marker(name)


@pytest.fixture(scope="session")
def render_server_transport() -> str:
    """Say how the embedded server is reached: ``"memory"``, or ``"socket"``."""
    return "memory"


@pytest.fixture(scope="session")
def render_server_image_roots() -> Iterable[str]:
    """Name the folders whose images the embedded server may open: none."""
    return ()


@pytest.fixture(scope="session")
def render_server(
    render_server_transport: str, render_server_image_roots: Iterable[str]
) -> Iterator[BackgroundServer]:
    """Run an embedded render-ws, empty at first, for all tests; its ``connect`` gives connections."""
    from renderapi.server import serve_background

    with serve_background(transport=render_server_transport, image_roots=render_server_image_roots) as server:
        yield server
