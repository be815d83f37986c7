import gzip
import json
import random
from pathlib import Path

import pytest
from embedded import wait_until

from renderapi._ordering import java_key
from renderapi.server.documents.matches import canvas_matches, merge_pairs
from renderapi.server.documents.problems import FailedError, InvalidError, Problem

DATA = Path(__file__).parents[1] / "data/golden"
GOLDEN = json.loads((DATA / "json_shapes.json").read_text())
CASES = json.loads(gzip.decompress((DATA / "original/pointmatch.json.gz").read_bytes()))["cases"]
C = "/owner/o/matchCollection/c"


def pair(p_group="g1", p="p", q_group="g2", q="q", count=2, start=0.0, **more):
    x = [start + number for number in range(count)]
    points = [x, [value + 0.5 for value in x]]
    matches = {"p": points, "q": [[value + 100 for value in row] for row in points], "w": [1.0] * count}
    return {"pGroupId": p_group, "pId": p, "qGroupId": q_group, "qId": q, "matches": matches, **more}


def stored(document):
    return {**document, "matchCount": len(document["matches"]["w"])}


def put(api, *pairs, collection="c"):
    api.send("PUT", f"/owner/o/matchCollection/{collection}/matches", list(pairs), 201)


def ids(documents):
    return [(d["pGroupId"], d["pId"], d["qGroupId"], d["qId"]) for d in documents]


def numbers(value):
    """Make all numbers doubles, which is all that the golden file means."""
    if isinstance(value, dict):
        return {key: part if key == "consensusSetData" else numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return list(map(numbers, value))
    return float(value) if isinstance(value, int) else value


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["op"] == "normalize"], ids=lambda case: case["name"]
)
def test_normalization_of_the_original(case):
    if "error" in case:
        with pytest.raises(Problem) as refused:
            canvas_matches(case["input"])
        kind, _, message = case["error"].partition(": ")
        if kind == "IllegalArgumentException":
            assert (refused.type, refused.value.message) == (InvalidError, message)
        else:
            assert refused.type is FailedError
    else:
        assert numbers(canvas_matches(case["input"])) == numbers(case["result"])


def test_merging_of_the_original():
    for case in CASES:
        if case["op"] != "merge":
            continue
        documents = [
            canvas_matches(document) if case["normalizeFirst"] else document for document in case["inputs"]
        ]
        if "error" in case:
            with pytest.raises(FailedError):
                merge_pairs(documents)
        else:
            assert numbers(merge_pairs(documents)) == numbers(case["result"])


def test_sorting_of_the_original():
    checked = 0
    for case in CASES:
        if case["op"] == "sort":
            keys = [
                [d["pGroupId"], d["qGroupId"], d["pId"], d["qId"]]
                for d in map(canvas_matches, case["inputs"])
            ]
            assert sorted(keys, key=lambda key: list(map(java_key, key))) == case["result"]
            checked += 1
    assert checked


@pytest.mark.parametrize(
    "sent, name",
    [
        (("10.0", "x", "9.0", "y", False), "CanvasMatches_10_before_9"),
        (("9.0", "x", "10.0", "y", False), "CanvasMatches_9_then_10_is_flipped"),
        (("9.0", "x", "9.0", "b", False), "CanvasMatches_same_group_flipped_by_id"),
    ],
)
def test_shapes_of_the_original(api, sent, name):
    p_group, p, q_group, q, _ = sent
    matches = {"p": [[1, 2], [3, 4]], "q": [[5, 6], [7, 8]], "w": [1, 0.5], "x": 1}
    put(
        api,
        {
            "matchCount": 99,
            "unknown": 1,
            "matches": matches,
            "qId": q,
            "qGroupId": q_group,
            "pId": p,
            "pGroupId": p_group,
        },
    )
    (found,) = api.get(f"{C}/pGroup/{GOLDEN[name]['pGroupId']}/matches")
    assert found == GOLDEN[name]
    assert list(found) == list(GOLDEN[name])


def test_pairs_without_points(api):
    ids = {"pGroupId": "a", "pId": "x", "qGroupId": "b", "qId": "b"}
    put(api, ids)
    assert api.get(f"{C}/pGroup/a/matches") == [GOLDEN["CanvasMatches_without_matches"]]
    put(api, {**ids, "matches": {"p": [[], []], "q": [[], []], "w": []}})
    assert api.get(f"{C}/pGroup/a/matches") == [GOLDEN["CanvasMatches_empty_matches"]]
    put(api, {**ids, "matches": {"w": ["NaN", None, "2"]}})
    assert api.get(f"{C}/pGroup/a/matches")[0]["matches"] == {"w": ["NaN", 0.0, 2.0]}


@pytest.mark.parametrize(
    "change, status, message",
    [
        ({"pId": None}, 400, GOLDEN["CanvasMatches_missing_id"]),
        ({"qGroupId": None}, 400, GOLDEN["CanvasMatches_missing_id"]),
        ({"matches": {"p": [[]], "q": [[]]}}, 500, "the matches of p and q have no weights"),
        ({"matches": []}, 400, "Cannot read [] as an object for matches"),
        ({"matches": {"p": [1], "w": []}}, 400, "Cannot read 1 as an array for p"),
        ({"matches": {"p": [None], "w": []}}, 400, "Cannot read null as an array of p"),
        ({"matches": {"w": ["x"]}}, 400, "Cannot read 'x' as a double for w"),
        ({"consensusSetData": 5}, 400, "Cannot read 5 as an object for consensusSetData"),
    ],
)
def test_matches_that_cannot_be_stored(api, change, status, message):
    assert api.refused("PUT", f"{C}/matches", [pair("a"), pair(**change) | change]) == (status, message)
    # all or nothing, but for the collection that is there as soon as pairs are looked at
    found = api.get("/owner/o/matchCollections")
    assert [one["pairCount"] for one in found] == ([] if message.startswith("Cannot read") else [0])


def test_saving(api):
    for body in ("", "null"):
        assert api.refused("PUT", f"{C}/matches", data=body, content_type="application/json") == (
            400,
            "no matches provided",
        )
    put(api)
    assert api.refused("GET", f"{C}/groupIds") == (404, "match collection 'o__c' does not exist")
    assert api.refused("PUT", f"{C}/matches", [None])[0] == 500
    assert api.get(f"{C}/groupIds") == []
    put(api, pair())
    put(
        api,
        pair(count=3, consensusSetData={"index": 1.0, "originalPId": "p", "originalQId": 5}),
        pair(p="p2"),
    )
    found = api.get(f"{C}/pGroup/g1/matches")
    # replaced, not appended
    assert [d["matchCount"] for d in found] == [3, 2]
    assert found[0]["consensusSetData"] == {"index": 1, "originalPId": "p", "originalQId": "5"}
    assert list(found[0])[4:] == ["consensusSetData", "matches", "matchCount"]
    # the ids of the consensus set are not swapped with p and q
    put(api, pair("z", "p", "a", "q", consensusSetData={"originalPId": "p", "originalQId": "q"}))
    (found,) = api.get(f"{C}/pGroup/a/matches")
    assert found["consensusSetData"] == {"originalPId": "p", "originalQId": "q"}
    assert found["matches"]["p"] == pair()["matches"]["q"]


@pytest.fixture
def collection(api):
    """Some pairs of groups 1, 2 and 10, put in any order."""
    pairs = [
        pair("1", "a", "1", "b"),
        pair("1", "a", "2", "c"),
        pair("1", "b", "2", "c"),
        pair("1", "b", "2", "d"),
        pair("10", "e", "2", "c"),
        pair("1", "a", "10", "e"),
        pair("10", "e", "10", "f"),
        pair("2", "c", "2", "d"),
        pair("2", "d", "3", "g"),
    ]
    random.Random(1).shuffle(pairs)
    put(api, *pairs)
    return api


SELECTIONS = {
    "pGroup/1/matches": "1a1b 1a10e 1a2c 1b2c 1b2d",
    "pGroup/3/matches": "",
    "group/1/matchesWithinGroup": "1a1b",
    "group/2/matchesWithinGroup": "2c2d",
    "group/2/matchesOutsideGroup": "1a2c 1b2c 1b2d 10e2c 2d3g",
    "group/10/matchesOutsideGroup": "1a10e 10e2c",
    "group/2/matchesWith/1": "1a2c 1b2c 1b2d",
    "group/1/matchesWith/2": "1a2c 1b2c 1b2d",
    "group/2/matchesWith/10": "10e2c",
    "group/10/matchesWith/10": "10e10f",
    "group/2/id/c/matchesWith/1/id/b": "1b2c",
    "group/1/id/b/matchesWith/2/id/c": "1b2c",
    "group/1/id/b/matchesWith/1/id/a": "1a1b",
    "group/1/id/b/matchesWith/3/id/a": "",
    "group/2/id/c/matchesWith/1": "1a2c 1b2c",
    "group/2/id/c/matchesWith/2": "2c2d",
    "group/2/id/d/matchesWith/2": "2c2d",
    "group/2/id/d/matchesWith/3": "2d3g",
    "group/2/id/c": "1a2c 1b2c 10e2c 2c2d",
    "group/10/id/e": "1a10e 10e10f 10e2c",
    "group/1/id/nothing": "",
}


def short(documents):
    return " ".join("".join(key) for key in ids(documents))


@pytest.mark.parametrize("path", SELECTIONS)
def test_selections(collection, path):
    found = collection.get(f"{C}/{path}")
    assert short(found) == SELECTIONS[path]
    keys = [(d["pGroupId"], d["qGroupId"], d["pId"], d["qId"]) for d in found]
    assert keys == sorted(keys)
    assert collection.refused("GET", f"/owner/o/matchCollection/none/{path}") == (
        404,
        "match collection 'o__none' does not exist",
    )


@pytest.mark.parametrize(
    "path",
    [path for path in SELECTIONS if "/id/" not in path or (path.count("/id/") == 1 and "With" in path)],
)
def test_points_can_be_left_out(collection, path):
    full = collection.get(f"{C}/{path}")
    bare = collection.get(f"{C}/{path}?excludeMatchDetails=True")
    assert bare == [{key: value for key, value in d.items() if key != "matches"} for d in full]


def test_match_counts(collection):
    assert collection.get(f"{C}/pGroup/1/matchCounts") == collection.get(
        f"{C}/pGroup/1/matches?excludeMatchDetails=true"
    )
    collection.send("PUT", f"{C}/pGroup/1/matchCounts", status=201)
    assert collection.refused("PUT", f"{C}/pGroup/none/matchCounts")[0] == 400
    without = {"pGroupId": "x", "pId": "p", "qGroupId": "x", "qId": "q"}
    put(collection, without)
    assert collection.refused("PUT", f"{C}/pGroup/x/matchCounts")[0] == 500
    assert collection.refused("PUT", "/owner/o/matchCollection/none/pGroup/1/matchCounts")[0] == 404


DELETIONS = [
    "pGroup/1/matches",
    "group/2/matchesOutsideGroup",
    "group/2/matchesWith/1",
    "group/2/id/c/matchesWith/1/id/b",
    "group/10/id/e",
]


@pytest.mark.parametrize("path", DELETIONS)
def test_deleting(collection, path):
    def everything():
        return {
            key
            for group in collection.get(f"{C}/pGroupIds")
            for key in ids(collection.get(f"{C}/pGroup/{group}/matches"))
        }

    before, doomed = everything(), set(ids(collection.get(f"{C}/{path}")))
    assert doomed
    for _ in range(2):
        collection.send("DELETE", f"{C}/{path}")
        assert everything() == before - doomed
    assert collection.refused("DELETE", f"/owner/o/matchCollection/none/{path}")[0] == 404


def test_a_collection_stays_when_it_is_empty(api):
    put(api, pair())
    api.send("DELETE", f"{C}/pGroup/g1/matches")
    assert api.get("/owner/o/matchCollections") == [
        {"collectionId": {"owner": "o", "name": "c"}, "pairCount": 0}
    ]
    assert api.get(f"{C}/groupIds") == []
    # there is no such deletion
    assert api.refused("DELETE", f"{C}/group/1/matchesWithinGroup")[0] == 405


def test_groups(collection):
    put(
        collection,
        pair("9", "x", "99", "y", consensusSetData={"index": 0}),
        pair("1", "x", "2", "y", consensusSetData={}),
    )
    assert collection.get(f"{C}/pGroupIds") == ["1", "10", "2", "9"]
    assert collection.get(f"{C}/qGroupIds") == ["1", "10", "2", "3", "99"]
    assert collection.get(f"{C}/groupIds") == ["1", "10", "2", "3", "9", "99"]
    assert collection.get(f"{C}/multiConsensusPGroupIds") == ["1", "9"]
    assert collection.get(f"{C}/multiConsensusGroupIds") == ["1", "2", "9", "99"]


def test_collections(api):
    assert api.get("/matchCollectionOwners") == [] and api.get("/owner/o/matchCollections") == []
    for number, (owner, name) in enumerate([("o", "b"), ("o", "a"), ("n", "z")]):
        pairs = [pair(p=str(i)) for i in range(number + 1)]
        api.send("PUT", f"/owner/{owner}/matchCollection/{name}/matches", pairs, 201)
    assert api.get("/matchCollectionOwners") == ["n", "o"]
    found = api.get("/owner/o/matchCollections")
    assert [(c["collectionId"]["name"], c["pairCount"]) for c in found] == [("a", 2), ("b", 1)]
    assert list(found[0]) == list(GOLDEN["MatchCollectionMetaData"])
    api.send("DELETE", "/owner/o/matchCollection/a")
    assert api.refused("DELETE", "/owner/o/matchCollection/a")[0] == 404
    assert [c["collectionId"]["name"] for c in api.get("/owner/o/matchCollections")] == ["b"]

    def pairs_kept():
        with api.store.read() as connection:
            return connection.execute("SELECT count(*) FROM pair").fetchone()[0]

    wait_until(lambda: pairs_kept() == 4)


def test_renaming_a_collection(api):
    put(api, pair())
    put(api, pair(), collection="other")
    assert api.refused("PUT", f"{C}/collectionId", {"owner": "o", "name": "other"}) == (
        400,
        "match collection with owner 'o', and name 'other' already exists",
    )
    assert api.refused("PUT", "/owner/o/matchCollection/gone/collectionId", {"owner": "o", "name": "x"}) == (
        404,
        "match collection with owner 'o', and name 'gone' does not exist",
    )
    for body in ({"name": "x"}, "null"):
        options = {"data": body, "content_type": "application/json"} if body == "null" else {"body": body}
        gone = api.refused("PUT", "/owner/o/matchCollection/gone/collectionId", **options)
        assert gone == (404, "match collection with owner 'o', and name 'gone' does not exist")
    assert api.refused("PUT", f"{C}/collectionId", {"name": "x"})[0] == 400
    assert api.refused("PUT", f"{C}/collectionId", {"owner": "o", "name": "x" * 112})[0] == 400
    api.send("PUT", f"{C}/collectionId", {"owner": "n", "name": "new"})
    assert api.get("/owner/n/matchCollection/new/groupIds") == ["g1", "g2"]
    assert api.refused("GET", f"{C}/groupIds")[0] == 404


def test_bad_names(api):
    for path in ("/owner/o/matchCollection/a__b/matches", "/owner/o-o/matchCollection/a/matches"):
        status, text = api.refused("PUT", path, [pair()])
        assert status == 400 and "names may only contain alphanumeric or underscore" in text
    put(api, pair())
    assert api.refused("GET", f"{C}/pGroup/g1/matches?mergeCollection=a-b")[0] == 400


class TestMerging:
    @pytest.fixture
    def two(self, api):
        put(api, pair(p="a"), pair(p="b", consensusSetData={"index": 1}), pair(p="empty"))
        put(api, pair(p="b", count=3, start=10.0), pair(p="c"), collection="d")
        return api

    def test_equal_pairs_are_appended(self, two):
        found = two.get(f"{C}/pGroup/g1/matches?mergeCollection=d")
        assert [d["pId"] for d in found] == ["a", "b", "c", "empty"]
        both = found[1]
        assert both["matchCount"] == 5 and both["consensusSetData"] == {"index": 1}
        assert list(both) == [
            "pGroupId",
            "pId",
            "qGroupId",
            "qId",
            "consensusSetData",
            "matches",
            "matchCount",
        ]
        assert both["matches"]["p"] == [[0.0, 1.0, 10.0, 11.0, 12.0], [0.5, 1.5, 10.5, 11.5, 12.5]]
        assert both["matches"]["q"][0] == [100.0, 101.0, 110.0, 111.0, 112.0]
        assert found[0] == stored(pair(p="a"))

    def test_the_collection_of_the_path_comes_first(self, two):
        found = two.get("/owner/o/matchCollection/d/pGroup/g1/matches?mergeCollection=c")
        assert found[1]["matches"]["p"][0] == [10.0, 11.0, 12.0, 0.0, 1.0]
        assert "consensusSetData" not in found[1]

    def test_a_collection_is_merged_once(self, two):
        query = "?mergeCollection=d&mergeCollection=c&mergeCollection=d"
        assert two.get(f"{C}/pGroup/g1/matches{query}") == two.get(f"{C}/pGroup/g1/matches?mergeCollection=d")

    def test_every_list_can_be_merged(self, two):
        for path in SELECTIONS:
            if not path.startswith("pGroup/3"):
                two.get(f"{C}/{path.replace('1', 'g1').replace('2', 'g2')}?mergeCollection=d")
        (found,) = two.get(f"{C}/group/g2/id/q/matchesWith/g1/id/b?mergeCollection=d")
        assert found["matchCount"] == 5

    def test_a_missing_collection(self, two):
        assert two.refused("GET", f"{C}/pGroup/g1/matches?mergeCollection=none") == (
            404,
            "match collection 'o__none' does not exist",
        )

    def test_without_points_equal_pairs_cannot_be_merged(self, two):
        path = f"{C}/pGroup/g1/matches?mergeCollection=d&excludeMatchDetails=true"
        assert two.refused("GET", path)[0] == 500
        two.send("DELETE", "/owner/o/matchCollection/d/group/g1/id/b")
        assert [d["pId"] for d in two.get(path)] == ["a", "b", "c", "empty"]

    def test_pairs_that_have_none_cannot_be_merged_either(self, two):
        document = pair(p="a")
        del document["matches"]
        put(two, document, collection="d")
        assert two.refused("GET", f"{C}/pGroup/g1/matches?mergeCollection=d")[0] == 500


def test_long_answers_are_sent_in_parts(api):
    put(api, *(pair(p=f"{number:04d}", count=100) for number in range(500)))
    answer = api("GET", f"{C}/pGroup/g1/matches")
    parts = list(answer.iter_encoded())
    assert len(parts) == 3
    assert [d["pId"] for d in json.loads(b"".join(parts))] == [f"{number:04d}" for number in range(500)]


TRIALS = "/owner/o/matchTrial"


def trial(derivation, **more):
    """Make the parameters of a trial, but for the addresses of what is matched."""
    how = {"siftFeatureParameters": {}, "matchDerivationParameters": derivation, **more}
    return {"featureAndMatchParameters": how}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (None, "no parameters provided"),
        ({}, "featureAndMatchParameters are not defined"),
        ({"featureAndMatchParameters": {}}, "siftFeatureParameters must be defined"),
        (
            {"featureAndMatchParameters": {"siftFeatureParameters": {}}},
            "feature matchDerivationParameters must be defined",
        ),
        (
            trial({"matchInterpolatedModelLambda": 0.1}),
            "feature matchRegularizerModelType must be defined since matchInterpolatedModelLambda is defined",
        ),
        (
            trial({"matchRegularizerModelType": "RIGID"}),
            "feature matchInterpolatedModelLambda must be defined since matchRegularizerModelType is defined",
        ),
        (trial({}, pClipPosition="TOP"), "clipPixels must be defined when pClipPosition is defined"),
        (trial({}, clipPixels=5), "pClipPosition must be defined when clipPixels is defined"),
        (trial({}), "pRenderParametersUrl is not defined"),
        ({**trial({}), "pRenderParametersUrl": "x"}, "qRenderParametersUrl is not defined"),
    ],
)
def test_trials_without_what_they_need_are_refused(api, parameters, words):
    body = json.dumps(parameters)
    assert api.refused("POST", TRIALS, data=body, content_type="application/json") == (400, words)


def test_there_are_no_trials(api):
    some = "5F" * 12
    assert api.refused("GET", f"{TRIALS}/{some}") == (
        404,
        f"match trial with id '{some}' does not exist in the match.aaa_match_trial collection",
    )
    api.send("DELETE", f"{TRIALS}/{some}")
    for method in ("GET", "DELETE"):
        assert api.refused(method, f"{TRIALS}/none") == (
            400,
            "invalid hexadecimal representation of an ObjectId: [none]",
        )
