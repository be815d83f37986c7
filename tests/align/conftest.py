"""A made-up section on a server."""

import pytest
import tissue_on_server

from renderapi.rendering import _numpy
from renderapi.server import serve_background


@pytest.fixture(scope="module", autouse=True)
def painted_by_numpy():
    """Have numpy paint, whose pixels are the same: compiling another painter takes longer than all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("renderapi.rendering._renderer.painter", lambda engine: _numpy)
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return a folder of images."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def section(images):
    """Return the tile specs of a section of 2 x 2 tiles, and where the tiles truly are."""
    return tissue_on_server.photographed(images, 2)


@pytest.fixture(scope="module")
def render(images, section):
    """Return a connection to a server that has the section as stack raw."""
    with serve_background(image_roots=[images]) as server:
        connection = server.connect(owner="me", project="p", web_only=True)
        tissue_on_server.stored(connection, "raw", section[0])
        with connection:
            yield connection
