"""Point matches: what is sent and refused, what comes back, and documents in memory."""

import copy
import json
import re
import time

import numpy as np
import pytest
import requests
import responses

from renderapi import pointmatch
from renderapi.errors import NotFoundError, RenderError, RenderWarning, SpecError
from renderapi.render import connect

ROOT = "http://render.example:8080/render-ws/v1"
BASE = f"{ROOT}/owner/own/matchCollection/coll"

#: Functions that read matches, their arguments, and the path that they ask for.
READERS = [
    (pointmatch.get_matches_with_group, ("g 1",), "pGroup/g%201/matches/"),
    (pointmatch.get_matches_within_group, ("g 1",), "group/g%201/matchesWithinGroup"),
    (pointmatch.get_matches_outside_group, ("g 1",), "group/g%201/matchesOutsideGroup"),
    (pointmatch.get_matches_from_group_to_group, ("g 1", "h/2"), "group/g%201/matchesWith/h%2F2"),
    (
        pointmatch.get_matches_from_tile_to_tile,
        ("g 1", "a?", "h/2", "b#"),
        "group/g%201/id/a%3F/matchesWith/h%2F2/id/b%23",
    ),
    (pointmatch.get_matches_involving_tile, ("g 1", "a?"), "group/g%201/id/a%3F/"),
    (pointmatch.get_match_groupIds_from_only, (), "pGroupIds"),
    (pointmatch.get_match_groupIds_to_only, (), "qGroupIds"),
]
WITHOUT_DETAILS = READERS[:4]


@pytest.fixture
def render():
    return connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


@pytest.fixture
def server():
    with responses.RequestsMock() as mock:
        yield mock


def match(**changes):
    return {
        "pGroupId": "1.0",
        "qGroupId": "2.0",
        "pId": "a",
        "qId": "b",
        "matches": {
            "p": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]],
            "q": [[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]],
            "w": [1.0, 0.5, 0.25],
        },
        "matchCount": 3,
        "consensusSetData": {"index": 0, "originalPId": "a", "originalQId": "b"},
        "unknown": {"deep": [1]},
        **changes,
    }


def points(p, q, w):
    return match(matches={"p": p, "q": q, "w": w})


# ------------------------------------------------------------------------------ documents in memory


def test_a_copy_shares_nothing_with_the_original():
    original = match()
    untouched = copy.deepcopy(original)
    copied = pointmatch.copy_match_explicit(original)
    assert copied == original
    copied["matches"]["p"][0][0] = 99
    copied["matches"]["q"][1].append(99)
    copied["matches"]["w"].clear()
    copied["matches"]["more"] = 1
    copied["unknown"]["deep"].append(2)
    copied["consensusSetData"]["index"] = 5
    copied["pId"] = "z"
    assert original == untouched


def test_numpy_points_are_copied_too():
    original = points(np.zeros((2, 3)), (np.ones(3), np.ones(3)), np.ones(3))
    copied = pointmatch.copy_match_explicit(original)
    for side in "pq":
        assert isinstance(copied["matches"][side], list)
        for row in copied["matches"][side]:
            row[:] = 7
    copied["matches"]["w"][:] = 7
    assert not original["matches"]["p"].any()
    assert (original["matches"]["q"][1] == 1).all()
    assert (original["matches"]["w"] == 1).all()


def test_tuples_become_lists_and_other_keys_of_matches_are_kept():
    document = points(((0, 1), (2, 3)), ((4, 5), (6, 7)), (1, 1))
    document["matches"].update(extra={"a": [1]}, w=None)
    copied = pointmatch.copy_match_explicit(document)
    assert copied["matches"] == {
        "p": [[0, 1], [2, 3]], "q": [[4, 5], [6, 7]], "w": None, "extra": {"a": [1]}
    }  # fmt: skip
    assert copied["matches"]["extra"] is not document["matches"]["extra"]


def test_a_document_without_points_is_copied_and_swapped():
    document = {"pGroupId": "1", "qGroupId": "2", "pId": "a", "qId": "b", "matchCount": 3}
    assert pointmatch.copy_match_explicit(document) == document
    for as_copy in (True, False):
        assert pointmatch.swap_matchpair(document, as_copy) == {
            "pGroupId": "2", "qGroupId": "1", "pId": "b", "qId": "a", "matchCount": 3
        }  # fmt: skip


def test_copy_matches_explicit_takes_any_iterable():
    originals = [match(pId=str(i)) for i in range(3)]
    copies = pointmatch.copy_matches_explicit(iter(originals))
    assert copies == originals
    assert copies[0]["matches"]["p"] is not originals[0]["matches"]["p"]


@pytest.mark.parametrize("as_copy", [True, False])
def test_swap_matchpair_exchanges_p_and_q(as_copy):
    original = match()
    untouched = copy.deepcopy(original)
    swapped = pointmatch.swap_matchpair(original, copy=as_copy)
    assert original == untouched
    assert swapped == {
        **untouched,
        "pGroupId": "2.0",
        "qGroupId": "1.0",
        "pId": "b",
        "qId": "a",
        "matches": {**untouched["matches"], "p": untouched["matches"]["q"], "q": untouched["matches"]["p"]},
    }
    assert (swapped["matches"]["p"] is original["matches"]["q"]) is not as_copy
    assert pointmatch.swap_matchpair(swapped) == untouched


def test_swap_matchpair_shares_nothing_by_default():
    original = match()
    swapped = pointmatch.swap_matchpair(original)
    swapped["matches"]["p"][0][0] = 99
    swapped["matches"]["w"][0] = 99
    swapped["unknown"]["deep"].append(2)
    assert original == match()


def test_swap_matchpair_needs_the_ids():
    with pytest.raises(KeyError, match="qGroupId"):
        pointmatch.swap_matchpair({"pId": "a"})


# ------------------------------------------------------------------------------ reading


@pytest.mark.parametrize(
    ("collections", "query"),
    [
        (None, ""),
        ([], ""),
        (["a", "b"], "?mergeCollection=a&mergeCollection=b"),
        (("a", "b"), "?mergeCollection=a&mergeCollection=b"),
        ("abc", "?mergeCollection=abc"),
        ({"a"}, "?mergeCollection=a"),
        ((name for name in "ab"), "?mergeCollection=a&mergeCollection=b"),
        (np.array(["a"]), "?mergeCollection=a"),
        (["a&b", "c d"], "?mergeCollection=a%26b&mergeCollection=c%20d"),
    ],
)
def test_merge_collections_may_be_any_iterable_or_one_name(collections, query):
    assert pointmatch.add_merge_collections("http://x", collections) == f"http://x{query}"


def test_merge_collections_are_appended_to_a_query():
    assert pointmatch.add_merge_collections("http://x?y=1", ["a"]) == "http://x?y=1&mergeCollection=a"


@pytest.mark.parametrize(("function", "arguments", "path"), READERS)
def test_readers_quote_ids_and_give_what_the_server_says(server, render, function, arguments, path):
    answer = [match()]
    server.get(f"{BASE}/{path}", json=answer)
    assert function("coll", *arguments, render=render) == answer
    assert server.calls[0].request.url == f"{BASE}/{path}"


@pytest.mark.parametrize(("function", "arguments", "path"), READERS)
def test_readers_send_merge_collections(server, render, function, arguments, path):
    server.get(f"{BASE}/{path}", json=[])
    function("coll", *arguments, mergeCollections=("c2", "c3"), render=render)
    assert server.calls[0].request.url == f"{BASE}/{path}?mergeCollection=c2&mergeCollection=c3"


@pytest.mark.parametrize(("function", "arguments", "path"), WITHOUT_DETAILS)
def test_points_can_be_left_out(server, render, function, arguments, path):
    server.get(re.compile(re.escape(f"{BASE}/{path}") + ".*"), json=[])
    function("coll", *arguments, excludeMatchDetails=True, mergeCollections="c2", render=render)
    assert server.calls[0].request.params == {"excludeMatchDetails": "true", "mergeCollection": "c2"}
    function("coll", *arguments, excludeMatchDetails=False, render=render)
    assert server.calls[1].request.params == {"excludeMatchDetails": "false"}


@pytest.mark.parametrize(("function", "arguments", "path"), READERS)
def test_a_collection_that_is_not_there_is_not_found(server, render, function, arguments, path):
    server.get(f"{BASE}/{path}", status=404, body="match collection 'own__coll' does not exist")
    with pytest.raises(NotFoundError, match="own__coll"):
        function("coll", *arguments, render=render)


@pytest.mark.parametrize(("function", "arguments", "path"), READERS)
def test_readers_use_the_callers_session(server, function, arguments, path):
    server.get(f"{BASE}/{path}", json=[])
    session = requests.Session()
    session.headers["X-Mine"] = "yes"
    function("coll", *arguments, owner="own", host="http://render.example", port=8080, session=session)
    assert server.calls[0].request.headers["X-Mine"] == "yes"


def test_matches_are_plain_documents_that_can_be_edited_and_sent_back(server, render):
    server.get(f"{BASE}/pGroup/1.0/matches/", json=[match()])
    server.put(f"{BASE}/matches", status=201)
    matches = pointmatch.get_matches_with_group("coll", "1.0", stream=False, render=render)
    matches[0]["matches"]["w"][0] = 0
    pointmatch.import_matches("coll", matches, render=render)
    expected = match()
    expected["matches"]["w"][0] = 0
    assert json.loads(server.calls[1].request.body) == [expected]


def test_positional_arguments_keep_their_order(server):
    host = ("http://render.example", 8080)
    server.get(f"{BASE}/group/1/matchesWith/2", json=[])
    server.get(f"{BASE}/group/1/id/a/matchesWith/2/id/b", json=[])
    server.get(f"{BASE}/groupIds", json=[])
    server.get(f"{ROOT}/owner/own/matchCollections", json=[])
    server.delete(BASE)
    pointmatch.get_matches_from_group_to_group("coll", "1", "2", None, True, None, "own", *host)
    pointmatch.get_matches_from_tile_to_tile("coll", "1", "a", "2", "b", None, None, "own", *host)
    pointmatch.get_match_groupIds("coll", "own", *host)
    pointmatch.get_matchcollections("own", *host)
    pointmatch.delete_collection("coll", "own", *host)
    assert len(server.calls) == 5


def test_lists_of_owners_collections_and_groups(server, render):
    collections = [{"collectionId": {"owner": "own", "name": "coll"}, "pairCount": 3}]
    server.get(f"{ROOT}/matchCollectionOwners", json=["own"])
    server.get(f"{ROOT}/owner/own/matchCollections", json=collections)
    server.get(f"{BASE}/groupIds", json=["1.0", "2.0"])
    assert pointmatch.get_matchcollection_owners(render=render) == ["own"]
    assert pointmatch.get_matchcollections(render=render) == collections
    assert pointmatch.get_match_groupIds("coll", render=render) == ["1.0", "2.0"]


def test_get_match_counts(server, render):
    counts = [{"pGroupId": "1", "pId": "a", "qGroupId": "2", "qId": "b", "matchCount": 7}]
    server.get(f"{BASE}/pGroup/1/matchCounts", json=counts)
    assert pointmatch.get_match_counts("coll", "1", render=render) == counts


# ------------------------------------------------------------------------------ deleting


def test_deleting_gives_the_response(server, render):
    server.delete(BASE, status=200)
    server.delete(f"{BASE}/group/1/matchesWith/2", status=200)
    server.delete(f"{BASE}/group/1/id/a%20b/matchesWith/2/id/c", status=200)
    answers = [
        pointmatch.delete_collection("coll", render=render),
        pointmatch.delete_point_matches_between_groups("coll", "1", "2", render=render),
        pointmatch.delete_point_matches_between_tiles("coll", "1", "a b", "2", "c", render=render),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


def test_deleting_a_collection_that_is_not_there_is_not_found(server, render):
    server.delete(BASE, status=404, body="match collection 'own__coll' does not exist")
    with pytest.raises(NotFoundError):
        pointmatch.delete_collection("coll", render=render)


# ------------------------------------------------------------------------------ import_matches


def test_import_matches_sends_the_documents_as_they_are(server, render):
    server.put(f"{BASE}/matches", status=201)
    documents = [match(), match(pId="c", matches={"p": [[], []], "q": [[], []], "w": []}), match(pId=7)]
    answer = pointmatch.import_matches("coll", documents, render=render)
    assert answer.status_code == 201
    assert json.loads(server.calls[0].request.body) == documents
    assert server.calls[0].request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("data", [[], (), iter([])])
def test_no_matches_are_sent_as_an_empty_list(server, render, data):
    server.put(f"{BASE}/matches", status=201)
    pointmatch.import_matches("coll", data, render=render)
    assert json.loads(server.calls[0].request.body) == []


def test_numpy_points_and_any_iterable_are_sent(server, render):
    server.put(f"{BASE}/matches", status=201)
    arrays = points(np.arange(6.0).reshape(2, 3), np.ones((2, 3), np.float32), np.ones(3, int))
    pointmatch.import_matches("coll", (document for document in [arrays]), render=render)
    assert json.loads(server.calls[0].request.body)[0]["matches"] == {
        "p": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], "q": [[1.0] * 3] * 2, "w": [1, 1, 1]
    }  # fmt: skip


@pytest.mark.parametrize("empty", [[], [[], []], np.zeros((2, 0))])
def test_a_pair_without_points_is_stored(server, render, empty):
    server.put(f"{BASE}/matches", status=201)
    pointmatch.import_matches("coll", [points(empty, empty, [])], render=render)
    assert len(server.calls) == 1


@pytest.mark.parametrize("key", ["pGroupId", "qGroupId", "pId", "qId"])
@pytest.mark.parametrize("how", ["missing", "None"])
def test_a_missing_id_is_refused_with_the_pair(server, render, key, how):
    document = match()
    if how == "missing":
        del document[key]
    else:
        document[key] = None
    with pytest.raises(SpecError, match=rf"match document 1 \(.*\) lacks {key}$"):
        pointmatch.import_matches("coll", [match(), document], render=render)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None])
@pytest.mark.parametrize(("key", "place"), [("p", (1, 2)), ("q", (0, 0)), ("w", (1,))])
def test_a_number_that_is_not_finite_is_refused_with_pair_and_place(server, render, key, place, value):
    document = match()
    row = document["matches"][key]
    for index in place[:-1]:
        row = row[index]
    row[place[-1]] = value
    where = re.escape(f"{key}{''.join(f'[{i}]' for i in place)} of match document 1 (1.0/a to 2.0/b) is")
    with pytest.raises(SpecError, match=where) as caught:
        pointmatch.import_matches("coll", [match(), document], render=render)
    assert isinstance(caught.value, (RenderError, ValueError))


@pytest.mark.parametrize(
    ("p", "q", "w", "message"),
    [
        ([[0, 1], [0, 1]], [[0, 1], [0, 1]], [1], r"not parallel \(p: 2 lists of 2, q: 2 lists of 2, w: 1\)"),
        ([[0, 1], [0, 1]], [[0], [0]], [1, 1], r"p: 2 lists of 2, q: 2 lists of 1, w: 2"),
        ([[0, 1], [0]], [[0, 1], [0, 1]], [1, 1], r"not equally long \(p: 2 lists of 1 and 2"),
        ([0, 1], [0, 1], [1, 1], r"not parallel \(p: 2, q: 2, w: 2\)"),
        ([[0], [0]], [[0], [0]], 1.0, "w: a float"),
        ([[0], [0]], [[0], [0]], np.array(1.0), "w: a ndarray"),
        ([], [], [1], "p: 0, q: 0, w: 1"),
        ([["x"], [0]], [[0], [0]], [1], "are no numbers"),
        ([[0, 0, 0, 0]] * 5, [[0, 0, 0, 0]] * 5, [1] * 5, "not parallel"),
    ],
)
def test_points_that_are_not_parallel_are_refused_with_the_pair(server, render, p, q, w, message):
    with pytest.raises(SpecError, match=message) as caught:
        pointmatch.import_matches("coll", [match(), points(p, q, w)], render=render)
    assert "match document 1 (1.0/a to 2.0/b)" in str(caught.value)


@pytest.mark.parametrize(
    ("matches", "message"),
    [({"p": [[0], [0]], "w": [1]}, "lack q$"), ({}, "lack p, q, w$"), ([1, 2], "lack p, q, w$")],
)
def test_matches_without_their_parts_are_refused(server, render, matches, message):
    with pytest.raises(SpecError, match=message):
        pointmatch.import_matches("coll", [match(matches=matches)], render=render)


def test_pairs_read_without_points_are_not_written_over_those_with(server, render):
    document = match()
    del document["matches"]
    with pytest.raises(SpecError, match="excludeMatchDetails"):
        pointmatch.import_matches("coll", [document], render=render)
    del document["matchCount"]
    server.put(f"{BASE}/matches", status=201)
    pointmatch.import_matches("coll", [document], render=render)
    assert json.loads(server.calls[0].request.body) == [document]


@pytest.mark.parametrize("data", [match(), "[]", b"[]", 5, None])
def test_what_is_no_list_of_documents_is_refused(server, render, data):
    with pytest.raises(SpecError, match="must be a list of match documents"):
        pointmatch.import_matches("coll", data, render=render)
    with pytest.raises(SpecError, match="match document 0 is a"):
        pointmatch.import_matches("coll", [["no document"]], render=render)


def test_points_given_one_by_one_as_in_the_user_guide_are_stored_with_a_warning(server, render):
    corners = [[0, 0], [1000, 1000], [1000, 0], [0, 1000]]
    document = points(corners, corners, [1, 1, 1, 1])
    server.put(f"{BASE}/matches", status=201)
    with pytest.warns(RenderWarning, match=r"match document 1 .* one by one.*1 of 2 documents") as caught:
        pointmatch.import_matches("coll", [match(), document], render=render)
    assert caught[0].filename == __file__
    assert json.loads(server.calls[0].request.body)[1]["matches"]["p"] == corners


def test_a_refused_import_does_not_show_the_payload(server, render):
    server.put(f"{BASE}/matches", status=400, body="x" * 10_000)
    documents = [match(pId=str(i)) for i in range(1000)]
    with pytest.raises(RenderError) as caught:
        pointmatch.import_matches("coll", documents, render=render)
    assert len(str(caught.value)) < 2048


def test_checking_is_cheap(server, render):
    server.put(f"{BASE}/matches", status=201)
    row = [float(i) + 0.125 for i in range(100)]
    documents = [match(pId=str(i), matches={"p": [row, row], "q": [row, row], "w": row}) for i in range(1000)]
    start = time.process_time()
    pointmatch.import_matches("coll", documents, render=render)
    # measured: 0.04 s with orjson, 0.2 s without
    assert time.process_time() - start < 3
