"""A made-up section on a server."""

import pytest
import tissue_on_server

from renderapi.server import serve_background


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return a folder of images."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def section(images):
    """Return the tile specs of a section of 3 x 3 tiles, and where the tiles truly are."""
    return tissue_on_server.photographed(images, 3)


@pytest.fixture(scope="module")
def render(images, section):
    """Return a connection to a server that has the section as stack raw."""
    with serve_background(image_roots=[images]) as server:
        connection = server.connect(owner="me", project="p", web_only=True)
        tissue_on_server.stored(connection, "raw", section[0])
        with connection:
            yield connection
