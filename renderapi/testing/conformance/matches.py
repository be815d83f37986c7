"""MatchService without trials: point matches of tiles."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest

from renderapi.testing.conformance._base import Call, ServiceConformance, check, has, rows
from renderapi.testing.documents import make_pair
from renderapi.testing.rest import Rest

C = "/owner/{owner}/matchCollection/{matchCollection}"
HERE = "/owner/{owner}/matchCollection/c"
ONE = [{**make_pair(), "matchCount": 2}]
BARE = [{key: value for key, value in ONE[0].items() if key != "matches"}]
MISSING = "match collection '{owner}__none' does not exist"

_WHERE = {
    "matchCollection": "c",
    "fromMatchCollection": "c",
    "groupId": "g1",
    "id": "p",
    "pGroupId": "g1",
    "pId": "p",
    "qGroupId": "g2",
    "qId": "q",
    "trialId": "5f" * 12,
}


def call(method: str, path: str, gives: Any = None, body: Any = ..., status: int = 200) -> Call:
    """Make a call to a collection of one pair, of p in g1 and q in g2."""
    more = {} if body is ... else {"body": body}
    return Call(method, path, gives, status=status, where=_WHERE, **more)


ENDPOINTS = [
    call("GET", "/matchCollectionOwners", has("{owner}")),
    call(
        "GET",
        "/owner/{owner}/matchCollections",
        [{"collectionId": {"owner": "{owner}", "name": "c"}, "pairCount": 1}],
    ),
    call("PUT", C + "/matches", None, [make_pair("g3")], 201),
    call("GET", C + "/pGroupIds", ["g1"]),
    call("GET", C + "/qGroupIds", ["g2"]),
    call("GET", C + "/groupIds", ["g1", "g2"]),
    call("GET", C + "/multiConsensusPGroupIds", []),
    call("GET", C + "/multiConsensusGroupIds", []),
    call("GET", C + "/pGroup/{pGroupId}/matches", ONE),
    call("GET", C + "/pGroup/{pGroupId}/matchCounts", BARE),
    call("PUT", C + "/pGroup/{pGroupId}/matchCounts", status=201),
    call("GET", C + "/group/{groupId}/matchesWithinGroup", []),
    call("GET", C + "/group/{groupId}/matchesOutsideGroup", ONE),
    call("GET", C + "/group/{groupId}/id/{id}", ONE),
    call("GET", C + "/group/{pGroupId}/matchesWith/{qGroupId}", ONE),
    call("GET", C + "/group/{pGroupId}/id/{pId}/matchesWith/{qGroupId}", ONE),
    call("GET", C + "/group/{pGroupId}/id/{pId}/matchesWith/{qGroupId}/id/{qId}", ONE),
    call("DELETE", C + "/pGroup/{pGroupId}/matches"),
    call("DELETE", C + "/group/{groupId}/matchesOutsideGroup"),
    call("DELETE", C + "/group/{groupId}/id/{id}"),
    call("DELETE", C + "/group/{pGroupId}/matchesWith/{qGroupId}"),
    call("DELETE", C + "/group/{pGroupId}/id/{pId}/matchesWith/{qGroupId}/id/{qId}"),
    call("DELETE", C),
    call(
        "PUT",
        "/owner/{owner}/matchCollection/{fromMatchCollection}/collectionId",
        None,
        {"owner": "{owner}", "name": "d"},
    ),
    call("POST", "/owner/{owner}/matchTrial", "featureAndMatchParameters are not defined", {}, 400),
    call(
        "GET",
        "/owner/{owner}/matchTrial/{trialId}",
        f"match trial with id '{_WHERE['trialId']}' does not exist in the match.aaa_match_trial collection",
        status=404,
    ),
    call("DELETE", "/owner/{owner}/matchTrial/{trialId}"),
]

# all pairs of a collection: p group, p, q group, q, as they are stored
PAIRS = [
    ("1", "a", "1", "b"),
    ("1", "a", "10", "e"),
    ("1", "a", "2", "c"),
    ("1", "b", "2", "c"),
    ("1", "b", "2", "d"),
    ("10", "e", "10", "f"),
    ("10", "e", "2", "c"),
    ("2", "c", "2", "d"),
    ("2", "d", "3", "g"),
]
TILES = sorted({pair[:2] for pair in PAIRS} | {pair[2:] for pair in PAIRS})
Pair = tuple[str, str, str, str]

# path of a selection; which pairs it selects, given groups g, h and tiles i, j; can be deleted; has excludeMatchDetails
SELECTIONS: list[tuple[str, Callable[[Pair, str, str, str, str], bool], bool, bool]] = [
    ("pGroup/{g}/matches", lambda pair, g, i, h, j: pair[0] == g, True, True),
    ("group/{g}/matchesWithinGroup", lambda pair, g, i, h, j: pair[0] == g == pair[2], False, True),
    ("group/{g}/matchesOutsideGroup", lambda pair, g, i, h, j: (pair[0] == g) != (pair[2] == g), True, True),
    ("group/{g}/matchesWith/{h}", lambda pair, g, i, h, j: {pair[0], pair[2]} == {g, h}, True, True),
    (
        "group/{g}/id/{i}/matchesWith/{h}/id/{j}",
        lambda pair, g, i, h, j: {pair[:2], pair[2:]} == {(g, i), (h, j)},
        True,
        False,
    ),
    (
        "group/{g}/id/{i}/matchesWith/{h}",
        lambda pair, g, i, h, j: (
            (pair[:2] == (g, i) and pair[2] == h) or (pair[2:] == (g, i) and pair[0] == h)
        ),
        False,
        True,
    ),
    ("group/{g}/id/{i}", lambda pair, g, i, h, j: (g, i) in (pair[:2], pair[2:]), True, False),
]

# ids that are sent as p and q, and whether they are swapped when they are stored
FLIPS = [
    ("in order", ("a", "x", "b", "y"), False),
    ("groups decide", ("b", "x", "a", "y"), True),
    ("groups decide before ids", ("a", "y", "b", "x"), False),
    ("ids decide in a group", ("a", "y", "a", "x"), True),
    ("numbers are texts", ("9.0", "x", "10.0", "y"), True),
    ("ten before nine", ("10.0", "x", "9.0", "y"), False),
    ("capitals first", ("a", "x", "B", "y"), True),
    ("UTF-16 code units", ("\ufffd", "x", "\U0001f600", "y"), True),
]

# what is wrong with a pair, status, text if it is known
MISSING_IDS = "CanvasMatches are missing required pGroupId, qGroupId, pId, and/or qId values"
BAD_PAIRS = [
    ("no p", make_pair(pId=None), 400, MISSING_IDS),
    ("no q", make_pair(qId=None), 400, MISSING_IDS),
    ("no group of p", make_pair(pGroupId=None), 400, MISSING_IDS),
    ("no group of q", make_pair(qGroupId=None), 400, MISSING_IDS),
    ("no weights", make_pair(matches={"p": [[1.0]], "q": [[1.0]]}), 500, None),
]


def ids_of(found: list[dict[str, Any]]) -> list[Pair]:
    """Return the ids of documents."""
    return [(pair["pGroupId"], pair["pId"], pair["qGroupId"], pair["qId"]) for pair in found]


class MatchConformance(ServiceConformance):
    """Point matches, section 5 of the behaviour of render-ws."""

    @pytest.fixture
    def collection(self, api: Rest) -> Rest:
        """Return a collection of all pairs, which were put in another order and direction."""
        api.put_pairs(*(make_pair(*pair[2:], *pair[:2]) for pair in reversed(PAIRS)))
        return api

    @pytest.fixture
    def two(self, api: Rest) -> Rest:
        """Return collections c, of a and b, and d, of b and e."""
        api.put_pairs(make_pair(p="a"), make_pair(p="b", consensusSetData={"index": 1}))
        api.put_pairs(make_pair(p="b", points=[(7, 8)]), make_pair(p="e"), collection="d")
        return api

    @pytest.mark.parametrize("call", ENDPOINTS, ids=str)
    def test_endpoint(self, api: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        api.put_pairs(make_pair())
        check(api, call)

    @rows(*FLIPS, names="sent, flipped")
    def test_p_and_q(self, api: Rest, sent: Pair, flipped: bool) -> None:
        """The smaller of two is p, compared as texts; points go along, weights and origins do not."""
        data = {"index": 0, "originalPId": sent[1], "originalQId": sent[3]}
        pair = make_pair(*sent, consensusSetData=data)
        api.put_pairs(pair)
        (p_group, p, q_group, q) = (*sent[2:], *sent[:2]) if flipped else sent
        (found,) = api.get(f"{HERE}/group/{quote(sent[0])}/matchesWith/{quote(sent[2])}")
        points = pair["matches"]
        assert found == {
            **make_pair(p_group, p, q_group, q),
            "consensusSetData": data,
            "matches": {
                "p": points["q" if flipped else "p"],
                "q": points["p" if flipped else "q"],
                "w": points["w"],
            },
            "matchCount": 2,
        }

    @pytest.mark.parametrize(
        ("path", "selects", "deletable", "bare"), SELECTIONS, ids=[s[0] for s in SELECTIONS]
    )
    def test_selections(self, collection: Rest, path: str, selects: Any, deletable: bool, bare: bool) -> None:
        """Which pairs are selected, in the order of their ids; all groups and tiles are tried."""
        for (g, i), (h, j) in product(TILES, TILES):
            selection = path.format(g=g, i=i, h=h, j=j)
            if "{h}" not in path and (h, j) != TILES[0]:
                continue
            expected = sorted(
                (pair for pair in PAIRS if selects(pair, g, i, h, j)), key=lambda p: p[::2] + p[1::2]
            )
            found = collection.get(f"{HERE}/{selection}")
            assert ids_of(found) == expected, selection
        if bare:
            without = collection.get(f"{HERE}/{selection}?excludeMatchDetails=true")
            assert without == [{k: v for k, v in pair.items() if k != "matches"} for pair in found]
        gone = f"/owner/{{owner}}/matchCollection/none/{selection}"
        assert collection.refused("GET", gone) == (404, collection.fill(MISSING))

    @pytest.mark.parametrize(
        ("path", "selects"),
        [(s[0], s[1]) for s in SELECTIONS if s[2]],
        ids=[s[0] for s in SELECTIONS if s[2]],
    )
    def test_deletions(self, collection: Rest, path: str, selects: Any) -> None:
        """What is deleted is what would have been selected; the collection stays."""
        g, i, h, j = "10", "e", "2", "c"
        selection = f"{HERE}/{path.format(g=g, i=i, h=h, j=j)}"
        left = {pair for pair in PAIRS if not selects(pair, g, i, h, j)}
        assert len(left) < len(PAIRS)
        for _ in range(2):
            collection.send("DELETE", selection)
            found = [collection.get(f"{HERE}/pGroup/{group}/matches") for group in ("1", "10", "2")]
            assert {pair for group in found for pair in ids_of(group)} == left
        gone = f"/owner/{{owner}}/matchCollection/none/{path.format(g=g, i=i, h=h, j=j)}"
        assert collection.refused("DELETE", gone) == (404, collection.fill(MISSING))

    def test_an_empty_collection_stays(self, api: Rest) -> None:
        """A collection is there from the first pair until it is deleted itself."""
        api.put_pairs()
        assert api.get("/owner/{owner}/matchCollections") == []
        api.put_pairs(make_pair())
        api.send("DELETE", f"{HERE}/pGroup/g1/matches")
        (found,) = api.get("/owner/{owner}/matchCollections")
        assert found["pairCount"] == 0
        assert api.get(f"{HERE}/groupIds") == []
        api.send("DELETE", HERE)
        assert api.refused("DELETE", HERE)[0] == 404

    def test_pairs_are_replaced(self, api: Rest) -> None:
        """A pair that is put again takes the place of the old one."""
        api.put_pairs(make_pair(), make_pair(p="other"))
        api.put_pairs(make_pair(points=[(0, 0)] * 3))
        found = api.get(f"{HERE}/pGroup/g1/matches")
        assert [(pair["pId"], pair["matchCount"]) for pair in found] == [("other", 2), ("p", 3)]

    def test_pairs_without_points(self, api: Rest) -> None:
        """A pair may have no matches, or none in them."""
        empty: dict[str, Any] = {"p": [[], []], "q": [[], []], "w": []}
        api.put_pairs(make_pair(p="a", matches=None), make_pair(p="b", matches=empty))
        a, b = api.get(f"{HERE}/pGroup/g1/matches")
        assert (a["matchCount"], b["matchCount"], b["matches"]) == (0, 0, empty)
        assert "matches" not in a

    @rows(*BAD_PAIRS, names="pair, status, text")
    def test_pairs_that_cannot_be_stored(self, api: Rest, pair: Any, status: int, text: str | None) -> None:
        """All four ids are needed, and weights where there are points; lengths are not compared."""
        found, words = api.refused("PUT", f"{HERE}/matches", [pair])
        assert found == status
        assert text is None or words == text
        uneven = make_pair(matches={"p": [[1.0, 2.0]], "q": [[]], "w": [1.0]})
        api.put_pairs(uneven)
        assert api.get(f"{HERE}/pGroup/g1/matches") == [{**uneven, "matchCount": 1}]

    def test_groups(self, collection: Rest) -> None:
        """Groups of p, of q and of both; those with several sets of consensus."""
        collection.put_pairs(make_pair("1", "x", "9", "y", consensusSetData={"index": 0}))
        assert sorted(collection.get(f"{HERE}/pGroupIds")) == ["1", "10", "2"]
        assert sorted(collection.get(f"{HERE}/qGroupIds")) == ["1", "10", "2", "3", "9"]
        assert collection.get(f"{HERE}/groupIds") == ["1", "10", "2", "3", "9"]
        assert collection.get(f"{HERE}/multiConsensusPGroupIds") == ["1"]
        assert collection.get(f"{HERE}/multiConsensusGroupIds") == ["1", "9"]

    def test_counting_again(self, api: Rest) -> None:
        """Counts are right already; a group without pairs is refused."""
        api.put_pairs(make_pair())
        api.send("PUT", f"{HERE}/pGroup/g1/matchCounts", status=201)
        assert api.refused("PUT", f"{HERE}/pGroup/none/matchCounts")[0] == 400

    def test_a_new_name(self, api: Rest) -> None:
        """A collection is renamed unless the name is taken."""
        api.put_pairs(make_pair())
        api.put_pairs(make_pair(), collection="d")
        text = api.fill("match collection with owner '{owner}', and name 'd' already exists")
        assert api.refused("PUT", f"{HERE}/collectionId", {"owner": "{owner}", "name": "d"}) == (400, text)
        api.send("PUT", f"{HERE}/collectionId", {"owner": "{owner}", "name": "e"})
        assert api.get("/owner/{owner}/matchCollection/e/pGroup/g1/matches") == ONE
        text = api.fill("match collection with owner '{owner}', and name 'c' does not exist")
        assert api.refused("PUT", f"{HERE}/collectionId", {"owner": "{owner}", "name": "f"}) == (404, text)

    @pytest.mark.parametrize("name", ["a__b", "a-b", "_a", "x" * 112])
    def test_bad_names(self, api: Rest, name: str) -> None:
        """Names of collections follow the rule for stacks; with the owner they have 112 characters at most."""
        assert api.refused("PUT", f"/owner/{{owner}}/matchCollection/{name}/matches", [make_pair()])[0] == 400

    def test_merging(self, two: Rest) -> None:
        """Equal pairs are joined, the collection of the path first, and each collection once."""
        for first, second, points in [("c", "d", [1.0, 3.0, 7.0]), ("d", "c", [7.0, 1.0, 3.0])]:
            path = f"/owner/{{owner}}/matchCollection/{first}/pGroup/g1/matches"
            found = two.get(f"{path}?mergeCollection={second}")
            assert [(pair["pId"], pair["matchCount"]) for pair in found] == [("a", 2), ("b", 3), ("e", 2)]
            assert found[1]["matches"]["p"][0] == points
            assert found[1]["matches"]["q"][0] == [x + 100 for x in points]
            again = f"?mergeCollection={second}&mergeCollection={first}&mergeCollection={second}"
            assert two.get(path + again) == found

    @pytest.mark.parametrize("path", [selection[0] for selection in SELECTIONS])
    def test_every_selection_can_be_merged(self, two: Rest, path: str) -> None:
        """All lists of pairs take collections to merge, which must be there."""
        selection = f"{HERE}/{path.format(g='g1', i='b', h='g2', j='q')}"
        found = two.get(f"{selection}?mergeCollection=d")
        assert {pair["matchCount"] for pair in found if pair["pId"] == "b"} <= {3}
        assert two.refused("GET", f"{selection}?mergeCollection=none") == (404, two.fill(MISSING))

    def test_a_pair_without_points_takes_those_of_the_others(self, api: Rest) -> None:
        """The first collection may have a pair without matches; the others may not."""
        api.put_pairs(make_pair(matches=None))
        api.put_pairs(make_pair(points=[(1, 2), (3, 4), (5, 6)]), collection="d")
        merged = f"{HERE}/pGroup/g1/matches?mergeCollection=d"
        (found,) = api.get(merged)
        (other,) = api.get("/owner/{owner}/matchCollection/d/pGroup/g1/matches")
        assert found == other and found["matchCount"] == 3
        assert api.get(merged + "&mergeCollection=c") == [found]
        assert (
            api.status("GET", "/owner/{owner}/matchCollection/d/pGroup/g1/matches?mergeCollection=c") == 500
        )

    def test_merging_without_points(self, two: Rest) -> None:
        """Without points equal pairs cannot be joined."""
        path = f"{HERE}/pGroup/g1/matches?mergeCollection=d&excludeMatchDetails=true"
        assert two.status("GET", path) == 500
        two.send("DELETE", "/owner/{owner}/matchCollection/d/group/g1/id/b")
        assert [pair["pId"] for pair in two.get(path)] == ["a", "b", "e"]
