"""Work on several threads."""

import os
import signal
import threading
import time

import pytest
import requests

from renderapi._parallel import in_threads, thread_session, with_note
from renderapi.errors import NotFoundError, ServerTimeoutError
from renderapi.http.transport import RenderSession
from renderapi.render import connect


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads):
    def work(item):
        time.sleep(0.002 * (item % 3))
        return item * 2

    assert list(in_threads(work, range(20), threads)) == [2 * item for item in range(20)]
    assert list(in_threads(work, [], threads)) == []


def test_several_are_under_way_at_a_time():
    together = threading.Barrier(3, timeout=10)
    list(in_threads(lambda item: together.wait(), range(3), 3))


def test_few_items_are_taken_ahead():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = in_threads(lambda item: item, items(), 2)
    for _ in range(10):
        next(results)
        assert len(taken) <= 14
    results.close()
    assert len(taken) <= 14


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_error_ends_it(threads):
    done = []

    def work(item):
        done.append(item)
        if item == 4:
            raise NotFoundError("no four")
        time.sleep(0.005)
        return item

    results = in_threads(work, range(1000), threads)
    with pytest.raises(NotFoundError, match="no four"):
        list(results)
    time.sleep(0.05)
    assert len(done) < 20


def test_an_interrupt_waits_for_nothing():
    release = threading.Event()
    begun = []

    def items():
        yield from range(3)
        raise KeyboardInterrupt

    def work(item):
        begun.append(item)
        release.wait(10)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(in_threads(work, items(), 2))
    assert time.monotonic() - start < 5
    release.set()
    time.sleep(0.02)
    assert len(begun) <= 2
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("renderapi-"))


def test_ctrl_c_is_noticed_while_results_are_awaited():
    release = threading.Event()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(in_threads(lambda item: release.wait(10), range(5), 2))
    assert time.monotonic() - start < 5
    release.set()


def test_the_session_of_a_thread():
    render = connect("render.example", 80, "own", "proj", web_only=True)
    mine = requests.Session()
    assert thread_session(mine, render) is mine
    assert thread_session(render.session, render) is render.session
    assert thread_session(RenderSession(), None) is None
    assert thread_session(None, None) is None
    [other] = in_threads(lambda item: thread_session(render.session, render), [1], 2)
    assert isinstance(other, RenderSession)
    assert other is not render.session


@pytest.mark.parametrize("kind", [NotFoundError, ServerTimeoutError])
def test_an_error_with_a_note_is_of_the_same_kind(kind):
    error = with_note(kind("what", url="u", status_code=404), "where")
    assert type(error) is kind
    assert str(error) == "what\nwhere"
    assert (error.url, error.status_code) == ("u", 404)
