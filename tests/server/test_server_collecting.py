import gc
import threading

import pytest

from renderapi.server.endpoints.collecting import MANY, reading
from renderapi.server.endpoints.turns import by_slices


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


def others_have_their_turn():
    def take():
        with reading(MANY):
            taken.set()

    taken = threading.Event()
    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return taken.wait(10)


def test_an_error_in_a_slice_of_work_leaves_the_turn_to_others():
    def fail(items):
        raise ValueError(items)

    with pytest.raises(ValueError) as caught:
        list(by_slices(fail, [1]))
    assert others_have_their_turn()
    assert caught.value.args == ([1],)  # its traceback holds the frames until here
    assert gc.isenabled()


def test_between_two_slices_of_work_others_have_their_turn():
    found = by_slices(len, range(5), 2)
    assert next(found) == 2
    assert others_have_their_turn()
    assert gc.isenabled()
    assert list(found) == [2, 1]
