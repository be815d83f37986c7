import multiprocessing
import multiprocessing.pool
import subprocess
import sys
import threading
import time
import types

import pytest

from renderapi.external.processpools import pool_pathos, stdlib_pool
from renderapi.external.processpools.stdlib_pool import (
    WithDummyMapPool,
    WithMultiprocessingPool,
    WithThreadPool,
)


def processes():
    # a forked child of a threaded test runner is a warning since Python 3.12
    return WithMultiprocessingPool(1, context=multiprocessing.get_context("spawn"))


def pools_of_the_standard_library():
    return [processes, lambda: WithThreadPool(2)]


def test_pools_are_those_of_the_standard_library():
    assert issubclass(WithMultiprocessingPool, multiprocessing.pool.Pool)
    assert issubclass(WithThreadPool, multiprocessing.pool.ThreadPool)


@pytest.mark.parametrize("make", pools_of_the_standard_library())
def test_map_gives_a_list_and_takes_generators(make):
    with make() as pool:
        assert pool.map(abs, (i - 2 for i in range(4))) == [2, 1, 0, 1]
        assert pool.map(abs, [-1], 1) == [1]


@pytest.mark.parametrize("make", pools_of_the_standard_library())
def test_pool_may_be_closed_and_joined_inside_the_block(make):
    with make() as pool:
        assert pool.map(abs, [-1]) == [1]
        pool.close()
        pool.join()


def test_leaving_the_block_waits_for_the_work():
    done = []

    def work(item):
        time.sleep(0.05)
        done.append(item)

    with WithThreadPool(2) as pool:
        pool.map_async(work, range(4))
    assert sorted(done) == [0, 1, 2, 3]


def test_leaving_the_block_ends_all_threads():
    before = threading.active_count()
    with WithThreadPool(3) as pool:
        pool.map(abs, range(3))
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="not running"):
        pool.map(abs, [1])


def test_leaving_the_block_ends_all_processes():
    with processes() as pool:
        pool.map(abs, [1])
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("make", pools_of_the_standard_library())
def test_an_exception_ends_the_pool_and_comes_through(make):
    start = time.monotonic()
    with pytest.raises(KeyError, match="mine"), make() as pool:
        pool.map_async(time.sleep, [0.3] * 100)
        raise KeyError("mine")
    assert time.monotonic() - start < 10
    assert multiprocessing.active_children() == []


def test_an_error_of_the_work_is_raised_in_the_block():
    with pytest.raises(ValueError, match="invalid literal"), WithThreadPool(1) as pool:
        pool.map(int, ["x"])


def test_exit_without_arguments_is_a_normal_end():
    pool = WithThreadPool(1)
    pool.__exit__()
    with pytest.raises(ValueError, match="not running"):
        pool.__enter__()


def test_dummy_pool_works_in_the_caller():
    with WithDummyMapPool(3, maxtasksperchild=1) as pool:
        assert pool.map(lambda item: threading.get_ident(), [1]) == [threading.get_ident()]
        assert pool.map(abs, (i for i in [-1, 2]), chunksize=5) == [1, 2]
        assert pool.map(max, [1, 5], [4, 2]) == [4, 5]
        pool.close()
        pool.join()
    pool.terminate()
    assert WithDummyMapPool.map(abs, [-3]) == [3]


def test_pools_are_within_reach_after_importing_the_package():
    code = (
        "import renderapi; pool = renderapi.external.processpools.stdlib_pool.WithThreadPool(1); "
        "pool.__exit__(); from renderapi.external.processpools import pool_pathos"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_unknown_pool_module():
    import renderapi.external

    assert renderapi.external.processpools.stdlib_pool is stdlib_pool
    with pytest.raises(AttributeError, match="no attribute 'ray_pool'"):
        _ = renderapi.external.processpools.ray_pool


def test_pathos_missing_is_said_when_a_pool_is_made(monkeypatch):
    monkeypatch.setitem(sys.modules, "pathos", None)
    monkeypatch.setitem(sys.modules, "pathos.multiprocessing", None)
    with pytest.raises(ImportError, match="pip install pathos"):
        pool_pathos.PathosWithPool(2)


class StandInForPathos:
    """What `PathosWithPool` uses of a pathos pool, recorded."""

    calls: list[str] = []

    def __init__(self, nodes):
        self.calls[:] = [f"made {nodes}"]

    def map(self, function, *iterables):
        return list(map(function, *iterables))

    def __getattr__(self, name):
        return lambda: self.calls.append(name)


@pytest.fixture
def stand_in(monkeypatch):
    module = types.ModuleType("pathos.multiprocessing")
    module.ProcessPool = StandInForPathos
    monkeypatch.setitem(sys.modules, "pathos", types.ModuleType("pathos"))
    monkeypatch.setitem(sys.modules, "pathos.multiprocessing", module)
    return StandInForPathos


def test_pathos_pool_is_closed_joined_and_forgotten(stand_in):
    with pool_pathos.PathosWithPool(2) as pool:
        assert pool.map(lambda a, b: a + b, [1, 2], [3, 4]) == [4, 6]
    assert stand_in.calls == ["made 2", "close", "join", "clear"]


def test_pathos_pool_is_terminated_on_error(stand_in):
    with pytest.raises(KeyError), pool_pathos.PathosWithPool(2):
        raise KeyError
    assert stand_in.calls == ["made 2", "terminate", "join", "clear"]


def test_pathos_pool_that_was_never_made_has_no_attributes():
    with pytest.raises(AttributeError):
        _ = pool_pathos.PathosWithPool.__new__(pool_pathos.PathosWithPool).map
