"""A server without sockets for the tests of its endpoints."""

import pytest
from embedded import Api

from renderapi.server import Store


@pytest.fixture
def api():
    """Return an application over a store in memory."""
    with Store() as store:
        yield Api(store)


@pytest.fixture
def loading(api):
    """Return an application with an empty stack."""
    api.create()
    return api
