import gc

import pytest

from renderapi.server.collecting import no_collection


@pytest.fixture(autouse=True)
def enabled():
    gc.enable()
    yield
    gc.enable()


def test_it_is_paused_and_goes_on():
    with no_collection():
        assert not gc.isenabled()
        with no_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), no_collection():
        raise KeyError
    assert gc.isenabled()


def test_who_has_none_gets_none():
    gc.disable()
    with no_collection():
        pass
    assert not gc.isenabled()


def test_pauses_that_never_end_do_not_fill_the_memory(monkeypatch):
    collections = []
    monkeypatch.setattr(gc, "collect", lambda: collections.append(1))
    monkeypatch.setattr("renderapi.server.collecting._MOST_OVERLAPS", 5)
    with no_collection():
        for _ in range(12):
            with no_collection():
                pass
    assert len(collections) == 2
