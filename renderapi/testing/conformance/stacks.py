"""StackMetaDataService: stacks, their versions and values, lists, clones and names."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

import re
from typing import Any

import pytest

from renderapi.testing.conformance._base import (
    KEY,
    MISSING,
    RESOLVED_A,
    STACK,
    A,
    B,
    C,
    Call,
    ServiceConformance,
    check,
    configurable,
    has,
    keys,
    rows,
)
from renderapi.testing.documents import affine, make_tile
from renderapi.testing.rest import Rest

ID = {"owner": "{owner}", "project": "p", "stack": "s"}
METADATA = ("stackId", "state", "lastModifiedTimestamp", "currentVersionNumber", "currentVersion")
BUILDER = {"rootPath": "/mips/", "numberOfLevels": 3, "extension": "tif"}
STATS = {
    "stackBounds": {"minX": 0.0, "minY": 0.0, "minZ": 1.0, "maxX": 160.0, "maxY": 100.0, "maxZ": 1.5},
    "sectionCount": 2,
    "nonIntegralSectionCount": 1,
    "tileCount": 3,
    "transformCount": 1,
    "minTileWidth": 100,
    "maxTileWidth": 100,
    "minTileHeight": 80,
    "maxTileHeight": 80,
    "channelNames": [],
}

ENDPOINTS = [
    Call("GET", "/likelyUniqueId", re.compile("[0-9a-f]{24}")),
    Call("GET", "/owners", has("{owner}")),
    Call("GET", "/owner/{owner}/projects", ["p"]),
    Call("GET", "/owner/{owner}/stackIds", [ID]),
    Call("GET", "/owner/{owner}/stacks", lambda found, owner: [set(s) for s in found] == [set(METADATA)]),
    Call("GET", "/owner/{owner}/project/{project}/stackIds", [ID]),
    Call(
        "GET",
        "/owner/{owner}/project/{project}/stacks",
        lambda found, owner: [stack["state"] for stack in found] == ["LOADING"],
    ),
    Call("GET", STACK, keys(*METADATA)),
    Call("POST", STACK, body={"versionNotes": "second"}, status=201),
    Call("DELETE", STACK),
    Call("PUT", STACK + "/state/{state}", status=201, where={"state": "COMPLETE"}),
    Call("GET", STACK + "/bounds", STATS["stackBounds"], state="COMPLETE"),
    Call("PUT", STACK + "/stackId", body={**ID, "stack": "renamed"}),
    Call("PUT", STACK + "/cloneTo/{toStack}", body={}, status=201, where={"toStack": "copy"}),
    Call("GET", STACK + "/cycle", {}),
    Call("PUT", STACK + "/cycle", body={"number": 1, "stepNumber": 2}),
    Call("DELETE", STACK + "/cycle"),
    Call("GET", STACK + "/resolutionValues", [None, None, None]),
    Call("PUT", STACK + "/resolutionValues", body=[4, 4, 35]),
    Call("DELETE", STACK + "/resolutionValues"),
    Call("GET", STACK + "/defaultChannel", status=204),
    Call("PUT", STACK + "/defaultChannel", text="DAPI"),
    Call("DELETE", STACK + "/defaultChannel"),
    Call("GET", STACK + "/materializedBoxRootPath", status=204),
    Call("PUT", STACK + "/materializedBoxRootPath", text="/boxes"),
    Call("DELETE", STACK + "/materializedBoxRootPath"),
    Call("GET", STACK + "/mipmapPathBuilder", status=204),
    Call("PUT", STACK + "/mipmapPathBuilder", body=BUILDER),
    Call("DELETE", STACK + "/mipmapPathBuilder"),
    Call("DELETE", STACK + "/section/{sectionId}", where={"sectionId": "1.0"}),
    Call("DELETE", STACK + "/z/{z}", where={"z": "1"}),
    Call("GET", STACK + "/tileIds", ["a", "b", "c"]),
    Call("PUT", STACK + "/tile-specs-with-ids", [RESOLVED_A, C], body=["c", "a", "unknown"]),
]

NAMES = [
    ("a", True),
    ("A1", True),
    ("a_b_c", True),
    ("9", True),
    ("_a", False),
    ("a_", False),
    ("a__b", False),
    ("a-b", False),
    ("a.b", False),
    ("a b", False),
    ("é", False),
]
BAD_NAME = (
    "invalid {kind} '{name}' specified, names may only contain alphanumeric or underscore '_' characters and may "
    "not contain consecutive underscores '_'"
)

VALUES = [
    # name, path, what is put, what it then is, what it is in the current version
    ("resolution", "resolutionValues", [4, 4.5, 35], [4.0, 4.5, 35.0], {"stackResolutionX": 4.0}),
    ("one resolution", "resolutionValues", [8], [8.0, None, None], {"stackResolutionX": 8.0}),
    ("too many", "resolutionValues", [1, 2, 3, 4], [1.0, 2.0, 3.0], {"stackResolutionZ": 3.0}),
    ("cycle", "cycle", {"number": 3, "stepNumber": 2}, {"number": 3, "stepNumber": 2}, {"cycleNumber": 3}),
    (
        "mipmaps",
        "mipmapPathBuilder",
        {**BUILDER, "rootPath": "/mips"},
        BUILDER,
        {"mipmapPathBuilder": BUILDER},
    ),
]

ORDER = [
    # project, stack, version, in the order of lists
    ("p", "newest", {"cycleNumber": 2, "cycleStepNumber": 1}),
    ("p", "no_step", {"cycleNumber": 2}),
    ("p", "old", {"cycleNumber": 1, "cycleStepNumber": 5}),
    ("p", "no_cycle", {}),
    ("q", "other", {"cycleNumber": 9}),
]

TILE_IDS = [
    ("", ["B2", "a1", "b1", "q1"]),
    ("?minZ=2&maxZ=2.5", ["a1"]),
    ("?minZ=3", ["B2", "q1"]),
    ("?matchPattern=1", ["a1", "b1", "q1"]),
    ("?matchPattern=^B", ["B2"]),
    ("?matchPattern=nothing", []),
]

CLONES = [
    ("everything", "", ["a", "b", "c"], True),
    ("a layer", "?z=1.5", ["c"], True),
    ("layers", "?z=1.0&z=1.5&z=9", ["a", "b", "c"], True),
    ("no such layer", "?z=1.49", [], True),
    ("no transforms", "?z=1.5&skipTransforms=true", ["c"], False),
]


class StackMetaDataConformance(ServiceConformance):
    """Stacks: sections 2.1, 2.3, 2.4 and 1.4 of the behaviour of render-ws."""

    @pytest.mark.parametrize("call", ENDPOINTS, ids=str)
    def test_endpoint(self, stack: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        stack.bring_to(call.state)
        check(stack, call)

    @pytest.mark.parametrize(("name", "good"), NAMES)
    def test_names(self, api: Rest, name: str, good: bool) -> None:
        """Names are words of letters and digits joined by single underscores."""
        answer = api("POST", "", {}, stack=name)
        if good:
            assert answer.status_code == 201
        else:
            assert (answer.status_code, answer.text) == (400, BAD_NAME.format(kind="stack", name=name))

    @pytest.mark.parametrize("kind", ["owner", "project"])
    def test_names_of_owners_and_projects(self, api: Rest, kind: str) -> None:
        """The rule for names holds for owners and projects, too."""
        parts = {"owner": "{owner}", "project": "p", kind: "a__b"}
        path = f"/owner/{parts['owner']}/project/{parts['project']}/stack/s"
        assert api.refused("GET", path) == (400, BAD_NAME.format(kind=kind, name="a__b"))

    def test_length_of_names(self, api: Rest) -> None:
        """Owner, project and stack share 111 characters with what joins them to ``__transform``."""
        room = 111 - len(f"{api.owner}__p__") - len("__transform")
        assert api.status("POST", "", {}, stack="x" * room) == 201
        assert api.status("POST", "", {}, stack="x" * (room + 1)) == 400

    def test_a_version_is_kept_as_it_was_sent(self, api: Rest) -> None:
        """The current version is stored as posted; nothing is filled in."""
        version: dict[str, Any] = {
            "createTimestamp": "2017-06-01T10:20:30.005Z",
            "versionNotes": "n",
            "cycleNumber": 1,
            "cycleStepNumber": 2,
            "stackResolutionX": 4.0,
            "stackResolutionY": 4.0,
            "stackResolutionZ": 35.0,
        }
        api.create(**version, unknown="dropped")
        found = api.get("")
        assert found["currentVersion"] == version
        assert (found["state"], found["currentVersionNumber"]) == ("LOADING", 0)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["lastModifiedTimestamp"])

    def test_a_new_version(self, stack: Rest) -> None:
        """A POST to a stack that is there begins a version and keeps its tiles."""
        stack.bring_to("COMPLETE")
        stack.create(versionNotes="second")
        found = stack.get("")
        assert (found["state"], found["currentVersionNumber"]) == ("LOADING", 1)
        assert found["currentVersion"] == {"versionNotes": "second"}
        assert "stats" not in found
        assert stack.get("tileIds") == ["a", "b", "c"]

    def test_stats(self, stack: Rest) -> None:
        """COMPLETE counts layers, tiles and transforms, and measures boxes."""
        stack.bring_to("COMPLETE")
        assert stack.get("")["stats"] == STATS

    def test_stats_of_unusual_tiles(self, loading: Rest) -> None:
        """Sizes are truncated, negative fractions of z are not counted, channels are sorted."""
        channels = [{"name": "GFP"}, {"name": "DAPI"}]
        loading.put_tiles(
            make_tile("a", -1.5, (0.5, 1, 100.4, 81.9), section="1", channels=channels),
            make_tile("b", -1.5, (0, 0, 10.9, 10), section="2", channels=channels[:1]),
            transforms=[affine(id="unused")],
        )
        loading.bring_to("COMPLETE")
        stats = loading.get("")["stats"]
        assert (stats["sectionCount"], stats["nonIntegralSectionCount"], stats["transformCount"]) == (1, 0, 1)
        assert [stats[key] for key in ("minTileWidth", "maxTileWidth", "minTileHeight", "maxTileHeight")] == [
            10,
            99,
            10,
            80,
        ]
        assert stats["channelNames"] == ["GFP", "DAPI"]

    def test_a_deleted_stack_is_gone(self, stack: Rest) -> None:
        """Deletion takes tiles along; a stack that is not there is deleted, too."""
        stack.send("DELETE", "")
        stack.send("DELETE", "")
        assert stack.refused("GET", "") == (404, stack.fill(MISSING))
        stack.create()
        assert stack.get("tileIds") == []
        assert stack.status("GET", "transform/x") == 404

    def test_a_new_name(self, stack: Rest) -> None:
        """A rename keeps state, number, version, stats and contents, also in another project."""
        stack.bring_to("COMPLETE")
        before = stack.get("")
        stack.send("PUT", "stackId", {**ID, "project": "q", "stack": "t"})
        assert stack.status("GET", "") == 404
        path = "/owner/{owner}/project/q/stack/t"
        after = stack.get(path)
        for key in ("state", "currentVersionNumber", "currentVersion", "stats"):
            assert after[key] == before[key]
        assert stack.get(path + "/tileIds") == ["a", "b", "c"]
        assert len(stack.get(path + "/sectionData")) == 2

    def test_a_name_that_is_taken(self, stack: Rest) -> None:
        """A stack cannot be renamed to one that is there."""
        stack.create("taken")
        text = "stack with owner '{owner}', project 'p', and name 'taken' already exists"
        assert stack.refused("PUT", "stackId", {**ID, "stack": "taken"}) == (400, stack.fill(text))
        assert stack.refused("PUT", "stackId", ID, stack="gone")[0] == 404

    @configurable
    def test_a_new_name_is_not_checked(self, api: Rest) -> None:
        """A stack can be given a name that cannot be addressed; nobody could remove it from a shared server."""
        api.create()
        api.send("PUT", "stackId", {**ID, "stack": "not-a-name"})
        assert [key["stack"] for key in api.get("/owner/{owner}/stackIds")] == ["not-a-name"]
        assert api.refused("GET", "", stack="not-a-name")[0] == 400

    @rows(*VALUES, names="path, sent, found, version")
    def test_values(self, loading: Rest, path: str, sent: Any, found: Any, version: dict[str, Any]) -> None:
        """Values of a version can be put, read and deleted, which does not count as a modification."""
        before, unset = loading.get(""), loading(("GET"), path)
        loading.send("PUT", path, sent)
        assert loading.get(path) == found
        metadata = loading.get("")
        assert version.items() <= metadata["currentVersion"].items()
        assert metadata["lastModifiedTimestamp"] == before["lastModifiedTimestamp"]
        loading.send("DELETE", path)
        again = loading("GET", path)
        assert (again.status_code, again.text) == (unset.status_code, unset.text)

    def test_resolution_keeps_what_is_not_sent(self, loading: Rest) -> None:
        """The first one to three elements set X, Y and Z; the others stay."""
        loading.send("PUT", "resolutionValues", [4, 5, 6])
        loading.send("PUT", "resolutionValues", [8])
        assert loading.get("resolutionValues") == [8.0, 5.0, 6.0]

    @pytest.mark.parametrize("missing", sorted(BUILDER))
    def test_a_mipmap_path_builder_is_complete(self, loading: Rest, missing: str) -> None:
        """A mipmap path builder needs all of its values."""
        builder = {key: value for key, value in BUILDER.items() if key != missing}
        assert loading.refused("PUT", "mipmapPathBuilder", builder)[0] == 400

    def test_texts_are_not_decoded(self, loading: Rest) -> None:
        """Channel and path are bare texts: quotes stay; the path is trimmed, and nothing if empty."""
        loading("PUT", "defaultChannel", data='"DAPI"')
        assert loading("GET", "defaultChannel").text == '"DAPI"'
        loading("PUT", "materializedBoxRootPath", data="  /boxes ", content_type="text/plain")
        assert loading("GET", "materializedBoxRootPath").text == "/boxes"
        loading("PUT", "materializedBoxRootPath", data="  ", content_type="text/plain")
        assert loading.status("GET", "materializedBoxRootPath") == 204

    def test_order_of_lists(self, api: Rest) -> None:
        """Stacks are listed by project, then the newest cycle, step and modification first."""
        for project, name, version in reversed(ORDER):
            api.send("POST", f"/owner/{{owner}}/project/{project}/stack/{name}", version, 201)
        expected = [{"owner": api.owner, "project": project, "stack": name} for project, name, _ in ORDER]
        assert api.get("/owner/{owner}/stackIds") == expected
        assert [stack["stackId"] for stack in api.get("/owner/{owner}/stacks")] == expected
        assert api.get("/owner/{owner}/project/q/stackIds") == expected[-1:]
        assert sorted(api.get("/owner/{owner}/projects")) == ["p", "q"]

    @pytest.mark.parametrize(
        "path", ["projects", "stacks", "stackIds", "project/p/stacks", "project/p/stackIds"]
    )
    def test_an_owner_who_has_nothing(self, api: Rest, path: str) -> None:
        """Lists of an unknown owner are empty."""
        assert api.get(f"/owner/{{owner}}/{path}") == []

    @pytest.mark.parametrize(("query", "expected"), TILE_IDS)
    def test_tile_ids(self, loading: Rest, query: str, expected: list[str]) -> None:
        """Ids in binary order, of a range of layers, or that match an unanchored pattern."""
        loading.put_tiles(
            *(make_tile(name, z) for name, z in [("b1", 1.0), ("a1", 2.0), ("q1", 3.0), ("B2", 3.0)])
        )
        assert loading.get("tileIds" + query) == expected

    def test_ids_of_a_stack_that_is_not_there(self, api: Rest) -> None:
        """Nobody asks whether the stack is there: no ids, no tile specs."""
        assert api.get("tileIds") == []
        assert api.ask("PUT", "tile-specs-with-ids", ["a"]) == []

    @rows(*CLONES, names="query, expected, with_transforms")
    def test_clones(self, stack: Rest, query: str, expected: list[str], with_transforms: bool) -> None:
        """A clone has all shared transforms and the tiles of the layers asked for; it is a new stack."""
        stack.bring_to("READ_ONLY")
        stack.send("PUT", "cloneTo/t" + query, {"versionNotes": "copy"}, 201)
        found = stack.get("", stack="t")
        assert (found["state"], found["currentVersionNumber"]) == ("LOADING", 0)
        assert found["currentVersion"] == {"versionNotes": "copy"}
        assert stack.get("tileIds", stack="t") == expected
        assert stack.status("GET", "transform/x", stack="t") == (200 if with_transforms else 404)
        for tile_id in expected:
            assert stack.get(f"tile/{tile_id}", stack="t") == stack.get(f"tile/{tile_id}")

    def test_a_clone_in_another_project(self, stack: Rest) -> None:
        """The project of the clone can be another."""
        stack.send("PUT", "cloneTo/t?toProject=q", {}, 201)
        assert stack.get("/owner/{owner}/project/q/stack/t/tileIds") == ["a", "b", "c"]

    def test_a_clone_is_added_to_what_is_there(self, stack: Rest) -> None:
        """Layers are added to a LOADING stack, but not tiles that it already has."""
        stack.create("t")
        stack.put_tiles(make_tile("z", 9.0), stack="t")
        stack.send("PUT", "cloneTo/t?z=1.5", {}, 201)
        assert stack.get("tileIds", stack="t") == ["c", "z"]
        assert stack.refused("PUT", "cloneTo/t?z=1.5&skipTransforms=true", {})[0] == 500

    def test_a_whole_clone_must_be_one(self, stack: Rest) -> None:
        """Copying everything into a stack that has other tiles fails."""
        stack.create("t")
        stack.put_tiles(make_tile("z", 9.0), stack="t")
        assert stack.refused("PUT", "cloneTo/t", {})[0] == 500

    def test_specs_with_ids_are_resolved(self, stack: Rest) -> None:
        """Tile specs by id are resolved and sorted, each once."""
        assert stack.ask("PUT", "tile-specs-with-ids", ["b", "a", "b"]) == [RESOLVED_A, B]
        assert stack.get("tile/a") == A

    def test_stats_must_have_been_derived(self, loading: Rest) -> None:
        """There are no bounds before the stack was COMPLETE."""
        status, text = loading.refused("GET", "bounds")
        assert status == 400
        assert text.startswith(loading.fill(f"Stats for {KEY} have not been stored."))
