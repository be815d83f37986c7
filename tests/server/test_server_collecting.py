import gc
import threading

import pytest

from renderapi.server.collecting import MANY, reading


@pytest.fixture(autouse=True)
def enabled():
    gc.enable()
    yield
    gc.enable()


def test_it_is_paused_and_goes_on():
    with reading(MANY):
        assert not gc.isenabled()
        with reading(MANY):
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), reading(MANY):
        raise KeyError
    assert gc.isenabled()


def test_a_few_documents_are_not_worth_it():
    with reading(MANY - 1):
        assert gc.isenabled()


def test_who_has_none_gets_none():
    gc.disable()
    with reading(MANY):
        pass
    assert not gc.isenabled()


def test_many_are_read_one_after_another_but_few_do_not_wait():
    done = []

    def read(number):
        with reading(number):
            done.append(number)

    with reading(MANY):
        threads = [threading.Thread(target=read, args=(number,)) for number in (MANY, 1)]
        for thread in threads:
            thread.start()
        threads[1].join(10)
        assert done == [1]
    threads[0].join(10)
    assert done == [1, MANY]
