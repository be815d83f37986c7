"""What is said when something is refused: statuses and texts that programs may look at."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

import json
from typing import Any

import pytest

from renderapi.testing.conformance._base import (
    KEY,
    MISSING,
    ServiceConformance,
    configurable,
    inferred,
    of_master,
    rows,
    superset,
)
from renderapi.testing.documents import make_pair, make_tile
from renderapi.testing.rest import ABSENT, Rest

C = "/owner/{owner}/matchCollection/c"
GONE = "/owner/{owner}/project/p/stack/gone/"
GONE_TEXT = "stack with owner '{owner}', project 'p', and name 'gone' does not exist"
TILES = {"tileIdToSpecMap": {"u": make_tile("u")}}
BAD = "names may only contain alphanumeric or underscore '_' characters and may not contain consecutive underscores '_'"
BAD_STACK = f"invalid stack 'a__b' specified, {BAD}"

# situation, state of the stack s with the tile t, method, path, body, status, text (its beginning, if it ends with …;
# None where it is the framework that refuses, which may say nothing)
MESSAGES: list[tuple[str, str, str, str, Any, int, str | None]] = [
    ("stack missing", "LOADING", "GET", GONE + "cycle", ABSENT, 404, GONE_TEXT),
    ("data missing", "LOADING", "GET", GONE + "z/1/bounds", ABSENT, 404, GONE_TEXT),
    ("data of OFFLINE missing", "OFFLINE", "GET", "z/1/tile-specs", ABSENT, 404, MISSING),
    (
        "tile missing",
        "LOADING",
        "GET",
        "tile/x",
        ABSENT,
        404,
        "tile spec with id 'x' does not exist in the render.{owner}__p__s__tile collection",
    ),
    (
        "transform missing",
        "LOADING",
        "GET",
        "transform/x",
        ABSENT,
        404,
        f"transform spec with id 'x' does not exist in the {KEY}",
    ),
    (
        "section missing",
        "LOADING",
        "GET",
        "section/x/z",
        ABSENT,
        404,
        f"sectionId 'x' does not exist in the {KEY}",
    ),
    (
        "collection missing",
        "LOADING",
        "GET",
        C + "/pGroupIds",
        ABSENT,
        404,
        "match collection '{owner}__c' does not exist",
    ),
    (
        "read only",
        "READ_ONLY",
        "PUT",
        "cycle",
        {},
        500,
        "Data for stack s cannot be modified because it is READ_ONLY.",
    ),
    (
        "tiles put in a wrong state",
        "COMPLETE",
        "PUT",
        "resolvedTiles",
        TILES,
        500,
        "Resolved tiles can only be saved to stacks in the LOADING state, but this stack's state is COMPLETE.",
    ),
    (
        "z put in a wrong state",
        "READ_ONLY",
        "PUT",
        "z/1/tileIds",
        ["t"],
        500,
        "Z values can only be updated for stacks in the LOADING state, but this stack's state is READ_ONLY.",
    ),
    (
        "tiles deleted in a wrong state",
        "COMPLETE",
        "DELETE",
        "z/1",
        ABSENT,
        400,
        "stack state is COMPLETE but must be LOADING to delete data",
    ),
    (
        "clone to a wrong state",
        "COMPLETE",
        "PUT",
        "cloneTo/s",
        {},
        500,
        "Tiles cannot be cloned to stack s because it is COMPLETE.",
    ),
    (
        "bad transition",
        "LOADING",
        "PUT",
        "state/OFFLINE",
        ABSENT,
        400,
        "The s stack's state is currently LOADING and must first be transitioned to COMPLETE before "
        "transitioning it to OFFLINE.",
    ),
    (
        "no stats",
        "LOADING",
        "GET",
        "bounds",
        ABSENT,
        400,
        f"Stats for {KEY} have not been stored.  If all data has been loaded for this stack, setting its state to "
        "COMPLETE will trigger derivation and storage of all the stack's stats.",
    ),
    (
        "no section data",
        "LOADING",
        "GET",
        "sectionData",
        ABSENT,
        400,
        f"section data not aggregated for {KEY}, set stack state to COMPLETE to generate the aggregate collection",
    ),
    ("bad name", "LOADING", "GET", "/owner/{owner}/project/p/stack/a__b", ABSENT, 400, BAD_STACK),
    # the body is not there, or null
    ("no version", "LOADING", "POST", "", None, 400, "no stack version provided"),
    ("no version of a clone", "LOADING", "PUT", "cloneTo/t", None, 400, "no stack version provided"),
    ("no tiles", "LOADING", "PUT", "resolvedTiles", None, 400, "no resolved tiles provided"),
    ("no tiles of a layer", "LOADING", "PUT", "z/1/resolvedTiles", None, 400, "no resolved tiles provided"),
    ("no matches", "LOADING", "PUT", C + "/matches", None, 400, "no matches provided"),
    ("no coordinates", "LOADING", "PUT", "local-to-world-coordinates", None, 500, None),
    ("no coordinates of the world", "LOADING", "PUT", "world-to-local-coordinates", None, 500, None),
    ("no coordinates for tile ids", "LOADING", "PUT", "tileIdsForCoordinates", None, 500, None),
    ("no ids", "LOADING", "PUT", "tile-specs-with-ids", None, 500, None),
    # 400 where the documentation promises 404
    ("layer without specs", "LOADING", "GET", "z/9/tile-specs", ABSENT, 400, "…"),
    ("layer without parameters", "LOADING", "GET", "z/9/render-parameters", ABSENT, 400, "…"),
    ("layer without transforms", "LOADING", "GET", "z/9/last-tile-transforms", ABSENT, 400, "…"),
    ("layer without bounds", "LOADING", "GET", "z/9/bounds", ABSENT, 400, "…"),
]

CONVERSIONS = [
    ("GET", "z/one/bounds"),
    ("GET", "z/1/box/0,0,a,10/tile-count"),
    ("GET", "z/1/box/0,0,1.5,10/tile-count"),
    ("GET", "zValues?minZ=low"),
    ("GET", "layoutFile?format=OTHER"),
    ("PUT", "state/DONE"),
    ("PUT", "state/complete"),
    ("GET", "tile/t/render-parameters?scale=big"),
    ("GET", "tile/t/render-parameters?width=1.5"),
]

NOT_JSON = ["{", "[1,", "{'a': 1}", '{"tileIdToSpecMap": {"t": {"z": NaN}}}', "nothing"]
BATCHES = ["local-to-world-coordinates", "world-to-local-coordinates", "z/1/local-to-world-coordinates"]


class MessageConformance(ServiceConformance):
    """Statuses and texts of refusals, section 1.3 of the behaviour of render-ws."""

    @rows(*MESSAGES, names="state, method, path, body, status, text")
    def test_messages(
        self, loading: Rest, state: str, method: str, path: str, body: Any, status: int, text: str | None
    ) -> None:
        """Every situation of the table has its status, and its text as plain text."""
        loading.put_tiles(make_tile())
        loading.bring_to(state)
        if text is None:
            assert loading.status(method, path, body) == status
            return
        found, words = loading.refused(method, path, body)
        assert found == status
        expected = loading.fill(text)
        assert words.startswith(expected[:-1]) if expected.endswith("…") else words == expected

    def test_an_empty_stack_cannot_be_complete(self, loading: Rest) -> None:
        """COMPLETE without tiles fails, and the state stays."""
        status, text = loading.refused("PUT", "state/COMPLETE")
        assert status == 500
        assert text.startswith(
            "Stack data aggregation returned no results because the stack has no tiles.  The"
        )
        assert loading.get("")["state"] == "LOADING"

    @configurable
    @of_master
    def test_more_tiles_than_fit_in_one_answer(self, loading: Rest) -> None:
        """Answers with tiles have 50,001 of them at most; ids, boxes and counts have no limit."""
        tile = json.dumps(make_tile("%s"))
        tiles = ",".join(f'"{number}":' + tile.replace("%s", str(number)) for number in range(50_002))
        answer = loading("PUT", "resolvedTiles", data=f'{{"tileIdToSpecMap":{{{tiles}}}}}')
        assert answer.status_code == 201
        for path in (
            "z/1/resolvedTiles",
            "resolvedTiles",
            "z/1/tile-specs",
            "z/1/box/0,0,9,9,1/render-parameters",
        ):
            status, text = loading.refused("GET", path)
            assert status == 400
            assert text.startswith("query too broad, over 50001 tiles match")
        assert loading.get("z/1/box/0,0,9,9/tile-count") == 50_002
        loading.send("DELETE", "tile/0")
        assert len(loading("GET", "tileIds").json()) == 50_001
        assert loading.status("HEAD", "z/1/resolvedTiles") == 200

    @inferred
    @pytest.mark.parametrize(("method", "path"), CONVERSIONS)
    def test_words_that_are_no_values(self, loading: Rest, method: str, path: str) -> None:
        """A path or query value that cannot be converted makes the address unknown."""
        loading.put_tiles(make_tile())
        assert loading.status(method, path) == 404

    @inferred
    @pytest.mark.parametrize("text", NOT_JSON)
    def test_bodies_that_are_no_json(self, loading: Rest, text: str) -> None:
        """Malformed JSON is a bad request; so is a bare NaN."""
        assert loading("PUT", "resolvedTiles", data=text).status_code == 400
        assert loading.get("tileIds") == []

    @inferred
    @pytest.mark.parametrize("content_type", ["text/plain", "application/xml"])
    def test_content_types(self, loading: Rest, content_type: str) -> None:
        """JSON must be called JSON."""
        answer = loading("PUT", "resolvedTiles", data="{}", content_type=content_type)
        assert answer.status_code == 415

    @inferred
    @pytest.mark.parametrize("path", BATCHES)
    def test_bad_names_in_batches(self, loading: Rest, path: str) -> None:
        """A bad name in a batch of coordinates is a failure, not a bad request."""
        assert loading.status("PUT", path, [], stack="a__b") == 500

    @superset
    @pytest.mark.parametrize("path", BATCHES)
    def test_what_is_wrong_with_a_name_of_a_batch(self, loading: Rest, path: str) -> None:
        """The embedded server says what is wrong with the name; a full render-ws says nothing."""
        assert loading.refused("PUT", path, [], stack="a__b") == (500, BAD_STACK)

    @inferred
    @pytest.mark.parametrize(
        "path", ["/owners/", "/owner/{owner}/stacks/", "zValues/", "tile/t/", "z/1/bounds/"]
    )
    def test_slashes_at_the_end(self, loading: Rest, path: str) -> None:
        """A slash at the end of a path does not matter."""
        loading.put_tiles(make_tile())
        assert loading.get(path) == loading.get(path[:-1])

    @pytest.mark.parametrize(
        "path", ["/nowhere", "/owner/{owner}/nowhere", "tile/t/nowhere", "z/1/tiff16-image"]
    )
    def test_paths_that_there_are_not(self, loading: Rest, path: str) -> None:
        """Any other path is not there."""
        assert loading.status("GET", path) == 404

    @inferred
    @pytest.mark.parametrize(
        ("word", "meaning"), [("true", True), ("True", True), ("yes", False), ("1", False)]
    )
    def test_booleans(self, loading: Rest, word: str, meaning: bool) -> None:
        """Booleans are read in any case; all other words are false."""
        loading.put_tiles(make_tile())
        assert loading.get(f"tile/t/render-parameters?filter={word}")["doFilter"] is meaning

    def test_created(self, api: Rest) -> None:
        """What was created has its address in ``Location``."""
        answer = api("POST", "", {})
        assert (answer.status_code, answer.content) == (201, b"")
        assert answer.headers["Location"] == api.url("")
        answer = api("PUT", C + "/matches", [make_pair()])
        assert answer.headers["Location"] == api.url(C + "/matches")

    @configurable
    def test_other_origins(self, api: Rest) -> None:
        """Pages of other servers of the same machine may read."""
        answer = api.session.get(
            api.url("/owners"), headers={"Origin": "http://localhost:9000"}, timeout=api.timeout
        )
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://localhost:9000")

    def test_description(self, api: Rest) -> None:
        """The endpoints are described as Swagger 2.0."""
        found = api.session.get(api.base.removesuffix("/v1") + "/swagger.json", timeout=api.timeout).json()
        assert found["swagger"] == "2.0"
        assert any(path.endswith("/owners") for path in found["paths"])
