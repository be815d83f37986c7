"""The states of stacks: which follow each other, and what each allows."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

import time
from typing import Any

import pytest

from renderapi.testing.conformance._base import KEY, ServiceConformance
from renderapi.testing.documents import make_tile
from renderapi.testing.rest import ABSENT, Rest

STATES = ("LOADING", "COMPLETE", "READ_ONLY", "OFFLINE")

# what PUT state answers: 201, or 400 and 500 for what is refused; rows are the states before
TRANSITIONS = {
    "LOADING": (201, 201, 400, 400),
    "COMPLETE": (201, 201, 201, 201),
    "READ_ONLY": (400, 201, 201, 201),
    "OFFLINE": (400, 500, 400, 201),
}

# what has a new time of modification afterwards
TOUCHED = [
    ("LOADING", "LOADING", False),
    ("LOADING", "COMPLETE", True),
    ("COMPLETE", "LOADING", True),
    ("COMPLETE", "COMPLETE", False),
    ("COMPLETE", "READ_ONLY", False),
    ("READ_ONLY", "COMPLETE", False),
    ("READ_ONLY", "READ_ONLY", False),
    ("COMPLETE", "OFFLINE", True),
]

TILES = {"tileIdToSpecMap": {"u": make_tile("u")}}
BUILDER = {"rootPath": "/r", "numberOfLevels": 1, "extension": "png"}
PUT_TILES = (
    "Resolved tiles can only be saved to stacks in the LOADING state, but this stack's state is {state}."
)
PUT_Z = "Z values can only be updated for stacks in the LOADING state, but this stack's state is {state}."
DELETE = "stack state is {state} but must be LOADING to delete data"
CLONE = "Tiles cannot be cloned to stack s because it is {state}."
READ_ONLY = "Data for stack s cannot be modified because it is READ_ONLY."
RENAME = f"{KEY} cannot be modified because it is {{state}}."
TO_CLONE = "/owner/{owner}/project/p/stack/source/cloneTo/s?z=7"
RENAMED = {"owner": "{owner}", "project": "p", "stack": "renamed"}

# method, path, body, the statuses by state, what is said where it is refused
OPERATIONS: list[tuple[str, str, Any, tuple[int, int, int, int], str]] = [
    ("PUT", "resolvedTiles", TILES, (201, 500, 500, 500), PUT_TILES),
    ("PUT", "z/1/resolvedTiles", TILES, (201, 500, 500, 500), PUT_TILES),
    ("PUT", "z/2/tileIds", ["t"], (201, 500, 500, 500), PUT_Z),
    ("PUT", "section/1.0/z", 2, (201, 500, 500, 500), PUT_Z),
    ("DELETE", "z/1", ABSENT, (200, 400, 400, 400), DELETE),
    ("DELETE", "section/1.0", ABSENT, (200, 400, 400, 400), DELETE),
    ("DELETE", "tile/t", ABSENT, (200, 400, 400, 400), DELETE),
    ("PUT", TO_CLONE, {}, (201, 500, 500, 500), CLONE),
    ("PUT", "resolutionValues", [1, 2, 3], (200, 200, 500, 200), READ_ONLY),
    ("DELETE", "resolutionValues", ABSENT, (200, 200, 500, 200), READ_ONLY),
    ("PUT", "materializedBoxRootPath", "/boxes", (200, 200, 500, 200), READ_ONLY),
    ("DELETE", "materializedBoxRootPath", ABSENT, (200, 200, 500, 200), READ_ONLY),
    ("PUT", "mipmapPathBuilder", BUILDER, (200, 200, 500, 200), READ_ONLY),
    ("DELETE", "mipmapPathBuilder", ABSENT, (200, 200, 500, 200), READ_ONLY),
    ("PUT", "defaultChannel", "DAPI", (200, 200, 500, 200), READ_ONLY),
    ("DELETE", "defaultChannel", ABSENT, (200, 200, 500, 200), READ_ONLY),
    ("PUT", "cycle", {"number": 1}, (200, 200, 500, 200), READ_ONLY),
    ("DELETE", "cycle", ABSENT, (200, 200, 500, 200), READ_ONLY),
    ("POST", "", {}, (201, 201, 500, 201), READ_ONLY),
    ("DELETE", "", ABSENT, (200, 200, 500, 200), READ_ONLY),
    ("PUT", "stackId", RENAMED, (200, 200, 400, 400), RENAME),
]

# what can be read in every state but OFFLINE, and what is said there
READS: list[tuple[str, str, Any, int]] = [
    ("GET", "tile/t", ABSENT, 404),
    ("GET", "z/1/tile-specs", ABSENT, 404),
    ("GET", "z/1/resolvedTiles", ABSENT, 404),
    ("GET", "resolvedTiles", ABSENT, 404),
    ("GET", "z/1/bounds", ABSENT, 404),
    ("GET", "z/1/tileBounds", ABSENT, 404),
    ("GET", "z/1/render-parameters", ABSENT, 404),
    ("GET", "z/1/box/0,0,9,9,1/render-parameters", ABSENT, 200),
    ("GET", "z/1/world-to-local-coordinates/1,1", ABSENT, 400),
    ("PUT", "z/1/tileIdsForCoordinates", [{"world": [1, 1]}], 200),
    ("PUT", "cloneTo/{state}", {}, 201),
    ("GET", "tileIds", ABSENT, 200),
    ("PUT", "tile-specs-with-ids", ["t"], 200),
    ("PUT", "local-to-world-coordinates", [{"tileId": "t", "local": [1, 1]}], 200),
    ("GET", "", ABSENT, 200),
    ("GET", "cycle", ABSENT, 200),
]


def refusal_of_transition(before: str, after: str) -> str:
    """Return the words in which a transition is refused."""
    return (
        f"The s stack's state is currently {before} and must first be transitioned to COMPLETE before "
        f"transitioning it to {after}."
    )


class StackStateConformance(ServiceConformance):
    """The state matrix, section 2.2 of the behaviour of render-ws."""

    @pytest.fixture
    def tiled(self, loading: Rest) -> Rest:
        """Return a stack with one tile."""
        loading.put_tiles(make_tile())
        return loading

    @pytest.mark.parametrize("after", STATES)
    @pytest.mark.parametrize("before", STATES)
    def test_transitions(self, tiled: Rest, before: str, after: str) -> None:
        """Which state can follow which; a refused transition changes nothing."""
        tiled.bring_to(before)
        expected = TRANSITIONS[before][STATES.index(after)]
        answer = tiled("PUT", f"state/{after}")
        assert answer.status_code == expected
        assert tiled.get("")["state"] == (after if expected == 201 else before)
        if expected == 400:
            assert answer.text == refusal_of_transition(before, after)
        elif expected == 500:
            assert answer.text.startswith(
                "Stack data aggregation returned no results because the stack has no tiles."
            )

    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize(
        ("method", "path", "body", "statuses", "words"),
        OPERATIONS,
        ids=[f"{o[0]} {o[1]}" for o in OPERATIONS],
    )
    def test_changes(
        self,
        tiled: Rest,
        state: str,
        method: str,
        path: str,
        body: Any,
        statuses: tuple[int, int, int, int],
        words: str,
    ) -> None:
        """Which state allows which change, and in which words it is refused."""
        if path == TO_CLONE:
            tiled.create("source")
            tiled.put_tiles(make_tile("other", 7.0), stack="source")
        tiled.bring_to(state)
        before = tiled.get("")
        if path == "materializedBoxRootPath" and method == "PUT":
            answer = tiled(method, path, data=body, content_type="text/plain")
        else:
            answer = tiled(method, path, body)
        assert answer.status_code == statuses[STATES.index(state)], answer.text
        if answer.status_code >= 400:
            assert answer.text == tiled.fill(words.replace("{state}", state))
            assert tiled.get("") == before
        else:
            assert answer.content == b""

    @pytest.mark.parametrize(
        ("method", "path", "body", "offline"), READS, ids=[f"{r[0]} {r[1]}" for r in READS]
    )
    def test_reads(self, tiled: Rest, method: str, path: str, body: Any, offline: int) -> None:
        """Everything can be read in every state, but the data of an OFFLINE stack are gone."""
        for state in STATES:
            tiled.send("PUT", f"state/{state}", status=201)
            expected = offline if state == "OFFLINE" else 201 if "cloneTo" in path else 200
            # a clone of every state
            assert tiled.status(method, path.replace("{state}", state), body) == expected, state

    @pytest.mark.parametrize(("before", "after", "touched"), TOUCHED)
    def test_time_of_modification(self, tiled: Rest, before: str, after: str, touched: bool) -> None:
        """Which transitions count as a modification."""
        tiled.bring_to(before)
        first = tiled.get("")["lastModifiedTimestamp"]
        time.sleep(0.003)  # times have milliseconds
        tiled.send("PUT", f"state/{after}", status=201)
        assert (tiled.get("")["lastModifiedTimestamp"] != first) == touched

    def test_back_to_loading(self, tiled: Rest) -> None:
        """Stats are dropped and a version begins; the section data stay as they were."""
        tiled.bring_to("COMPLETE")
        tiled.bring_to("LOADING")
        tiled.send("PUT", "state/LOADING", status=201)
        found = tiled.get("")
        assert found["currentVersionNumber"] == 1
        assert "stats" not in found
        tiled.put_tiles(make_tile("new", 2.0, section="2"))
        assert [section["sectionId"] for section in tiled.get("sectionData")] == ["1.0"]
        tiled.bring_to("COMPLETE")
        assert [section["sectionId"] for section in tiled.get("sectionData")] == ["1.0", "2"]

    def test_an_offline_stack_keeps_its_stats(self, tiled: Rest) -> None:
        """Only the data are dropped; a new version makes the stack usable again."""
        tiled.bring_to("OFFLINE")
        assert tiled.get("")["stats"]["tileCount"] == 1
        tiled.create()
        assert tiled.get("")["state"] == "LOADING"
        tiled.put_tiles(make_tile("new"))
        assert tiled.get("tileIds") == ["new"]
