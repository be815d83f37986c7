"""Names of `renderapi.client` that programs use, and replace."""

import subprocess
import sys

import pytest

import renderapi
from renderapi.external.processpools.stdlib_pool import WithMultiprocessingPool, WithThreadPool


def test_the_pool_of_the_client():
    assert renderapi.client.WithPool is WithMultiprocessingPool
    assert renderapi.client.client.WithPool is WithMultiprocessingPool
    assert renderapi.client.client.WithMultiprocessingPool is WithMultiprocessingPool


def test_the_pool_can_be_replaced_right_after_the_import():
    code = (
        "import renderapi\n"
        "renderapi.client.WithPool = renderapi.external.processpools.stdlib_pool.WithThreadPool\n"
        "with renderapi.client.WithPool(1) as pool:\n"
        "    print(type(pool).__name__, pool.map(abs, [-1]))"
    )
    printed = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, check=True)
    assert printed.stdout.decode().strip() == f"{WithThreadPool.__name__} [1]"


@pytest.mark.parametrize("module", [renderapi.client, renderapi.client.client, renderapi.client.client_calls])
def test_all_names_are_there(module):
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize(
    ("function", "raw"),
    [
        ("import_tilespecs", "import_tilespecs"),
        ("tilePairClient", "tilePairClient"),
        ("render_tilespec", None),
    ],
)
def test_bare_functions_are_within_reach(function, raw):
    decorated = getattr(renderapi.client, function)
    assert getattr(decorated, "__wrapped__", decorated).__name__ == function
    assert hasattr(decorated, "__wrapped__") == (raw is not None)
