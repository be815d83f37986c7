"""Bodies of usual matches are stored as they are read value by value, and all others are left to that."""

import json

import pytest
from embedded import Api
from hypothesis import given, settings
from hypothesis import strategies as st

from renderapi.server import Store
from renderapi.server.documents.matches import canvas_matches
from renderapi.server.endpoints.declaring import decode
from renderapi.server.services import matches as service
from renderapi.server.store.matches import columns_of

pytest.importorskip("msgspec")

from renderapi.server.documents.usual_matches import usual_matches

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70), st.just(0)
)
ODD = st.sampled_from([None, True, "1.5", "NaN", [], {}, 5, "\ud800"])
# surrogates and what is beyond them: Java sorts by UTF-16
IDS = st.sampled_from(["", "a", "b", "9", "é", "\uffee", "😀", 'x"\\\n\u2028\x00'])


def sometimes(usual):
    return st.integers(0, 30).flatmap(lambda number: ODD if number == 30 else usual)


AXIS = st.lists(sometimes(NUMBERS), max_size=3)
POINTS = st.fixed_dictionaries({"q": st.lists(AXIS, max_size=3), "p": st.lists(AXIS, max_size=3), "w": AXIS})
PAIRS = st.fixed_dictionaries(
    {**dict.fromkeys(("qId", "pGroupId", "qGroupId", "pId"), sometimes(IDS)), "matches": sometimes(POINTS)},
    optional={"matchCount": sometimes(st.integers(-3, 3)), "other": sometimes(NUMBERS)},
)


def rows(found):
    """Return what is stored; a number may be spelt in two ways, and its value counts."""
    return [(*row[:6], json.loads(row[6]), *row[7:]) for row in found]


@settings(max_examples=80, deadline=None)
@given(st.lists(PAIRS, max_size=3))
def test_what_is_read_at_once_is_what_is_read_value_by_value(pairs):
    content = json.dumps(pairs).encode()
    usual = usual_matches(content)
    if usual is not None:
        assert rows(usual.rows()) == rows([columns_of(canvas_matches(pair)) for pair in decode(content)])


def pair(**keys):
    points = {"p": [[1, 2.5], [-0.0, 1e300]], "q": [[3.5, 4.5], [5.0, 6.0]], "w": [1.0, 0]}
    return {"pGroupId": "1.0", "pId": "a", "qGroupId": "2.0", "qId": "b", "matches": points, **keys}


def test_pairs_of_an_import_are_usual_and_are_turned_where_q_comes_first():
    usual = usual_matches(json.dumps([pair(matchCount=2), pair(pGroupId="3.0")]).encode())
    assert usual is not None
    first, second = usual.rows()
    assert first[:6] == ("1.0", "2.0", "a", "b", 0, b'{"pGroupId":"1.0","pId":"a","qGroupId":"2.0","qId":"b"')
    assert json.loads(first[6]) == {
        "p": [[1.0, 2.5], [-0.0, 1e300]],
        "q": [[3.5, 4.5], [5.0, 6.0]],
        "w": [1.0, 0.0],
    }
    assert first[7] == 2
    assert second[:4] == ("2.0", "3.0", "b", "a")
    assert json.loads(second[6])["p"] == [[3.5, 4.5], [5.0, 6.0]]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"{}", b"[", *(json.dumps([pair(), other]).encode() for other in (
            pair(pId=None), pair(consensusSetData={}), pair(matches=None), pair(other=1), pair(matchCount=1.5), None,
            pair(matches={"p": [[1]], "q": [[1]]}), pair(matches={"p": [["1"]], "q": [[1]], "w": [1]}),
        )), json.dumps([pair()]).encode() + b"x", json.dumps([pair()]).replace("1e+300", "1e400").encode(),
        json.dumps([pair()]).encode().replace(b'"a"', b'"\xff"'),
    ],
)  # fmt: skip
def test_any_other_body_is_not(content):
    assert usual_matches(content) is None


@pytest.mark.parametrize(
    "odd",
    [
        pair(pId=None),
        pair(matches=None),
        pair(consensusSetData={"index": 1}),
        pair(matches={"p": []}),
        pair(),
    ],
)
def test_the_answer_to_a_body_is_the_same_whichever_way_it_is_read(odd, monkeypatch):
    answers = []
    for _ in range(2):
        with Store() as store:
            api = Api(store)
            put = api("PUT", "/owner/o/matchCollection/c/matches", [pair(), odd])
            stored = api("GET", "/owner/o/matchCollection/c/pGroup/1.0/matches")
            answers.append([(answer.status_code, answer.data) for answer in (put, stored)])
        monkeypatch.setattr(service, "usual", None)  # as without msgspec
    assert answers[0] == answers[1]
