"""Uploading many matches: batches, what is skipped, what is refused, what an error says."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import renderapi
from renderapi import pointmatch
from renderapi.errors import ImportFailedError, SpecError
from renderapi.http import transport
from renderapi.pointmatch import match_from_arrays
from renderapi.server import serve_background


@pytest.fixture(scope="module")
def render():
    with serve_background() as server:
        yield server.connect(owner="own", project="proj")


def made(count, value=0.0, group="1.0"):
    return [match_from_arrays(group, f"p{i:03d}", "2.0", "q", [[value, i]], [[i, 1]]) for i in range(count)]


@pytest.fixture
def sent(monkeypatch):
    """The bodies of what is stored."""
    bodies = []
    real = transport.send

    def send(session, method, url, **words):
        if method == "PUT":
            bodies.append(words["document"])
        return real(session, method, url, **words)

    monkeypatch.setattr(transport, "send", send)
    return bodies


def stored(name, render):
    return list(pointmatch.select(name, render=render))


@pytest.mark.parametrize("as_given", [list, iter])
def test_all_pairs_are_stored_in_batches_of_limited_count(render, sent, as_given):
    name = f"count_{as_given.__name__.replace('_', '')}"
    assert pointmatch.upload_matches(name, as_given(made(25)), batch_size=10, render=render) == (25, 0)
    assert len(sent) == 3
    assert stored(name, render) == made(25)


def test_batches_are_limited_by_bytes(render, sent):
    pointmatch.upload_matches("bytes", made(20), batch_bytes=500, render=render)
    assert len(sent) > 5
    assert all(len(body) < 600 for body in sent)
    assert len(stored("bytes", render)) == 20


def test_an_executor_sends_them_and_stays_open(render):
    with ThreadPoolExecutor(2) as executor:
        pointmatch.upload_matches("executor", made(25), batch_size=4, executor=executor, render=render)
        assert executor.submit(int).result() == 0
    assert len(stored("executor", render)) == 25


def test_of_a_pair_that_comes_twice_the_later_counts(render):
    twice = [*made(9), *[pointmatch.swap_matchpair(match) for match in made(9, value=7.0)]]
    pointmatch.upload_matches("twice", iter(twice), batch_size=1, poolsize=8, render=render)
    assert stored("twice", render) == made(9, value=7.0)


def test_pairs_that_the_collection_has_are_left_out(render, sent):
    pointmatch.upload_matches("resumed", made(5), render=render)
    sent.clear()
    done = pointmatch.upload_matches("resumed", made(8, value=3.0), skip_existing=True, render=render)
    assert done == (3, 5)
    assert b"p004" not in sent[0]
    assert stored("resumed", render) == [*made(5), *made(8, value=3.0)[5:]]


def test_nothing_of_a_list_with_a_bad_document_is_sent(render, sent):
    bad = made(3)
    bad[2]["matches"]["w"] = [float("nan")]
    with pytest.raises(SpecError, match="match document 2"):
        pointmatch.upload_matches("bad", bad, batch_size=1, render=render)
    assert not sent


def test_a_bad_document_of_a_stream_says_what_was_stored(render):
    bad = made(5)
    del bad[4]["qId"]
    with pytest.raises(SpecError, match=r"match document 4.*lacks qId\n\(4 pairs before it were stored\)"):
        pointmatch.upload_matches("stream", iter(bad), batch_size=2, render=render)
    assert len(stored("stream", render)) == 4


def test_points_one_by_one_are_refused(render):
    bad = made(1)
    bad[0]["matches"] = {"p": [[1, 2]] * 3, "q": [[1, 2]] * 3, "w": [1, 1, 1]}
    with pytest.raises(SpecError, match="one by one"):
        pointmatch.upload_matches("onebyone", bad, render=render)


def test_an_error_names_the_pairs_that_were_not_stored_and_the_same_call_ends_it(render, monkeypatch):
    real = transport.send

    def send(session, method, url, **words):
        if method == "PUT" and b"p003" in words["document"]:
            raise renderapi.errors.RenderError("no room")
        return real(session, method, url, **words)

    with monkeypatch.context() as patch:
        patch.setattr(transport, "send", send)
        with pytest.raises(ImportFailedError, match=r"2 pairs in 1 batch .*1\.0/p002 to 2\.0/q") as caught:
            pointmatch.upload_matches("failing", made(6), batch_size=2, render=render)
    ((pairs, reason),) = caught.value.failures
    assert pairs == [(("1.0", "p002"), ("2.0", "q")), (("1.0", "p003"), ("2.0", "q"))]
    assert str(reason) == "no room"
    assert (caught.value.stored, caught.value.unknown) == (4, [])
    assert pointmatch.upload_matches("failing", made(6), skip_existing=True, render=render) == (2, 4)
    assert stored("failing", render) == made(6)


def test_a_server_that_is_gone_ends_the_upload_at_once():
    with serve_background() as server:
        gone = server.connect(owner="own", project="proj")
    drawn = []

    def stream():
        for match in made(200):
            drawn.append(match)
            yield match

    with pytest.raises(renderapi.errors.ServerUnreachableError, match="neither read nor sent") as caught:
        pointmatch.upload_matches("gone", stream(), batch_size=1, poolsize=1, render=gone)
    assert caught.value.stored == 0
    assert len(drawn) < 20


@pytest.mark.parametrize("words", [{"batch_size": 0}, {"batch_bytes": -1}, {"poolsize": True}])
def test_counts_that_are_none_are_refused(render, words):
    with pytest.raises(ValueError, match="must be a count"):
        pointmatch.upload_matches("counts", made(1), render=render, **words)
