"""Arrays kept in memory."""

import os
import threading
import time
import tracemalloc

import numpy as np
import pytest

from renderapi.rendering._cache import ByteCache, halve

COST = 1000 + 512


def block(value=0, size=1000):
    return np.full(size, value, np.uint8)


def counted(value=0, size=1000):
    """Return a function that makes an array, and the list of its calls."""
    calls = []

    def make():
        calls.append(value)
        return block(value, size)

    return make, calls


def test_what_is_kept_is_not_made_again():
    cache, (make, calls) = ByteCache(10 * COST), counted()
    first = cache.get("a", make)
    assert cache.get("a", make) is first
    assert len(calls) == 1
    assert not first.flags.writeable
    assert cache.usage() == (1, COST)


def test_what_was_not_used_longest_goes_first():
    cache = ByteCache(3 * COST)
    for key in "abc":
        cache.get(key, block)
    cache.get("a", block)
    cache.get("d", block)
    assert cache.usage() == (3, 3 * COST)
    for key, made in (("a", 0), ("c", 0), ("d", 0), ("b", 1)):
        make, calls = counted()
        cache.get(key, make)
        assert len(calls) == made, key


def test_the_bytes_are_bounded():
    cache = ByteCache(10_000)
    for number in range(50):
        cache.get(number, lambda: block(size=int(np.random.default_rng(number).integers(1, 6000))))
        assert cache.usage()[1] <= 10_000


def test_an_array_larger_than_the_cache_is_given_but_not_kept():
    cache = ByteCache(COST)
    cache.get("small", block)
    make, calls = counted(size=1001)
    cache.get("large", make)
    cache.get("large", make)
    assert len(calls) == 2
    assert cache.usage() == (1, COST)


def test_an_array_under_two_keys_counts_once():
    cache, shared = ByteCache(4 * COST), block()
    cache.get("a", lambda: shared)
    cache.get("b", lambda: shared)
    assert cache.usage() == (2, 1000 + 2 * 512)
    for key in "cdefg":
        cache.get(key, block)
        count, size = cache.usage()
        assert size <= 4 * COST
    assert (count, size) == (4, 4 * COST)
    cache.clear()
    assert cache.usage() == (0, 0)
    cache.get("a", lambda: shared)
    assert cache.usage() == (1, COST)


def test_a_cache_of_no_bytes():
    cache, (make, calls) = ByteCache(0), counted()
    cache.get("a", make)
    cache.get("a", make)
    assert len(calls) == 2 and cache.usage() == (0, 0)


def together(count, function):
    """Call a function in threads that all begin at once; give what it returned or raised."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(number):
        barrier.wait()
        try:
            results[number] = function(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return results


def test_threads_wait_for_the_one_that_makes_it():
    cache, calls = ByteCache(10 * COST), []

    def make():
        calls.append(1)
        time.sleep(0.1)
        return block(7)

    results = together(8, lambda _: cache.get("a", make))
    assert len(calls) == 1
    assert all(result is results[0] for result in results)


def test_different_keys_do_not_wait_for_each_other():
    cache, barrier = ByteCache(10 * COST), threading.Barrier(2, timeout=10)

    def make():
        barrier.wait()  # breaks unless both are here at once
        return block()

    results = together(2, lambda number: cache.get(number, make))
    assert all(isinstance(result, np.ndarray) for result in results)


def test_an_error_reaches_all_who_wait_and_is_forgotten():
    cache, calls = ByteCache(10 * COST), []

    def fail():
        calls.append(1)
        time.sleep(0.1)
        raise ValueError("no")

    results = together(6, lambda _: cache.get("a", fail))
    assert [str(result) for result in results] == ["no"] * 6
    assert len(calls) == 1
    assert cache.get("a", lambda: block(3))[0] == 3


def test_who_waits_for_an_interrupted_thread_makes_it_itself():
    cache, begun = ByteCache(10 * COST), threading.Event()

    def interrupted():
        begun.set()
        time.sleep(0.1)
        raise KeyboardInterrupt

    def run():
        with pytest.raises(KeyboardInterrupt):
            cache.get("a", interrupted)

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(10)
    assert cache.get("a", lambda: block(5))[0] == 5
    thread.join()


def test_what_began_before_clear_is_not_kept_after_it():
    cache, begun, go_on = ByteCache(10 * COST), threading.Event(), threading.Event()

    def old():
        begun.set()
        go_on.wait(10)
        return block(1)

    got = []
    thread = threading.Thread(target=lambda: got.append(cache.get("a", old)))
    thread.start()
    begun.wait(10)
    cache.clear()
    # a load of now does not join the old one either
    assert cache.get("a", lambda: block(2))[0] == 2
    go_on.set()
    thread.join()
    assert got[0][0] == 1
    assert cache.get("a", lambda: block(3))[0] == 2


def test_many_threads_and_keys():
    cache = ByteCache(5 * COST)

    def work(number):
        rng = np.random.default_rng(number)
        for key in rng.integers(0, 12, 300).tolist():
            assert cache.get(key, lambda: block(key))[0] == key
            if key == 0:
                cache.clear()
        return True

    assert together(8, work) == [True] * 8
    count, size = cache.usage()
    assert size == count * COST <= 5 * COST


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork_nobody_waits_for_a_thread_that_is_not_there():
    cache, begun, go_on = ByteCache(10 * COST), threading.Event(), threading.Event()

    def slow():
        begun.set()
        go_on.wait(20)
        return block(1)

    thread = threading.Thread(target=cache.get, args=("a", slow))
    thread.start()
    begun.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if cache.get("a", lambda: block(9))[0] == 9 else 1)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
    go_on.set()
    thread.join()
    assert done and os.waitstatus_to_exitcode(status) == 0


# ---------------------------------------------------------------------------------- halving


def by_definition(image):
    rows, columns = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    wide = image[:rows, :columns].astype(np.float64 if image.dtype == np.float32 else np.int64)
    total = wide[0::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 0::2] + wide[1::2, 1::2]
    return total / 4 if image.dtype == np.float32 else total // 4


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (64, 64), (301, 402), (1700, 33), (2, 70_001)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_halving_truncates_the_mean_of_four(shape, dtype):
    image = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    image[:2, :2] = np.iinfo(dtype).max
    small = halve(image)
    assert small.dtype == dtype and small.shape == (shape[0] // 2, shape[1] // 2)
    assert np.array_equal(small, by_definition(image))


def test_halving_colour_and_floating_point_numbers():
    colour = np.random.default_rng(2).integers(0, 256, (41, 30, 3), dtype=np.uint8)
    assert np.array_equal(halve(colour), by_definition(colour))
    numbers = np.random.default_rng(3).normal(size=(41, 30)).astype(np.float32)
    small = halve(numbers)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, by_definition(numbers), atol=1e-6)


def test_halving_takes_little_memory():
    image = np.zeros((2048, 2048), np.uint8)
    tracemalloc.start()
    try:
        halve(image)
        assert tracemalloc.get_traced_memory()[1] < image.nbytes
    finally:
        tracemalloc.stop()
