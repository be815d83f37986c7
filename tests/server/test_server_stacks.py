import json
import re
from pathlib import Path

import pytest
from embedded import Api, affine, make_tile, wait_until

from renderapi.server import Store
from renderapi.server.documents.keys import CollectionKey, StackKey, check_name
from renderapi.server.documents.problems import InvalidError

GOLDEN = json.loads((Path(__file__).parents[1] / "data/golden/json_shapes.json").read_text())
STATES = ("LOADING", "COMPLETE", "READ_ONLY", "OFFLINE")
KEY = "stack with owner 'o', project 'p', and name 's'"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.mark.parametrize("name", sorted(key for key in GOLDEN if key.startswith("stack_name_")))
def test_names_that_the_original_takes(name):
    expected = GOLDEN[name]
    stack = name.removeprefix("stack_name_")
    if expected == "ok":
        StackKey("o", "p", stack).checked()
    else:
        with pytest.raises(InvalidError) as refusal:
            # the golden file shortens the names of its keys, the messages hold the real ones
            StackKey("o", "p", re.search("'(.*?)'", expected)[1]).checked()
        assert refusal.value.message == expected


@pytest.mark.parametrize(
    "path", ["/owner/a-b/project/p/stack/s", "/owner/o/project/a__b/stack/s", "/owner/o/project/p/stack/s_"]
)
def test_bad_names_in_a_path_are_bad_requests(api, path):
    status, text = api.refused("GET", path)
    assert status == 400
    assert text.endswith(
        "specified, names may only contain alphanumeric or underscore '_' characters and may "
        "not contain consecutive underscores '_'"
    )


def test_names_must_not_be_too_long():
    StackKey("o" * 30, "p" * 30, "s" * 36).checked()
    with pytest.raises(InvalidError):
        StackKey("o" * 30, "p" * 30, "s" * 37).checked()
    CollectionKey("o", "c" * 109).checked()
    with pytest.raises(InvalidError, match="112 characters"):
        CollectionKey("o", "c" * 110).checked()
    with pytest.raises(InvalidError, match="invalid owner 'ö'"):
        check_name("owner", "ö")


def test_metadata_has_the_shape_of_the_original(api):
    golden = GOLDEN["StackMetaData_LOADING"]
    answer = api.create(**golden["currentVersion"], unknown=1)
    found = api.get("")
    assert list(found) == list(golden)
    assert list(found["currentVersion"].items()) == list(golden["currentVersion"].items())
    assert DATE.fullmatch(found["lastModifiedTimestamp"])
    assert (found["stackId"], found["state"]) == ({"owner": "o", "project": "p", "stack": "s"}, "LOADING")
    assert answer is None and found["currentVersionNumber"] == 0


def test_a_complete_stack_has_stats_of_the_original_shape(api):
    api.create()
    api.put_tiles(
        make_tile("a", 1.0, (0.5, 1, 100.9, 81.9), channels=[{"name": "GFP"}, {"name": "DAPI"}, {}]),
        make_tile("b", 1.0, (-3, 1, 90, 90), section="1.1", channels=[{"name": "DAPI"}]),
        make_tile("c", 2.5, (0, -7, 200, 20)),
        make_tile("d", -1.5, (0, 0, 10, 10), section=None),
        transforms=[affine(id="used"), affine(id="unused")],
    )
    api.state("COMPLETE")
    found = api.get("")
    golden = GOLDEN["StackMetaData_COMPLETE"]
    assert list(found) == list(golden)
    assert list(found["stats"]) == list(golden["stats"])
    assert list(found["stats"]["stackBounds"]) == list(golden["stats"]["stackBounds"])
    assert found["stats"] == {
        "stackBounds": {"minX": -3.0, "minY": -7.0, "minZ": -1.5, "maxX": 200.0, "maxY": 90.0, "maxZ": 2.5},
        "sectionCount": 3,
        # fractions below zero are not counted
        "nonIntegralSectionCount": 1,
        "tileCount": 4,
        "transformCount": 2,
        "minTileWidth": 10,
        "maxTileWidth": 200,
        "minTileHeight": 10,
        "maxTileHeight": 89,
        # a set of Java, in the order of its hash
        "channelNames": ["GFP", "DAPI"],
    }
    assert api.get("bounds") == found["stats"]["stackBounds"]


def test_stats_of_tiles_without_z_have_no_z(api):
    api.in_state("COMPLETE", make_tile(z=None))
    assert set(api.get("bounds")) == {"minX", "minY", "maxX", "maxY"}


def test_back_to_loading_begins_a_version_and_drops_the_stats(api):
    api.in_state("COMPLETE")
    api.state("LOADING")
    found = api.get("")
    assert list(found) == [
        "stackId",
        "state",
        "lastModifiedTimestamp",
        "currentVersionNumber",
        "currentVersion",
    ]
    assert (found["state"], found["currentVersionNumber"]) == ("LOADING", 1)
    assert len(api.get("sectionData")) == 1  # the aggregate stays, stale
    api.put_tiles(make_tile("new", 2.0))
    assert len(api.get("sectionData")) == 1


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_state_transitions(api, before, after):
    api.in_state(before)
    expected = GOLDEN["state_transitions"][f"{before}->{after}"]
    if (before, after) == ("OFFLINE", "COMPLETE"):
        # the transition itself is allowed, but there is nothing left to derive stats of
        status, text = api.refused("PUT", "state/COMPLETE")
        assert status == 500
        assert text.startswith(
            "Stack data aggregation returned no results because the stack has no tiles.  The"
        )
    elif expected == "ok":
        api.state(after)
        assert api.get("")["state"] == after
        return
    else:
        assert api.refused("PUT", f"state/{after}") == (400, expected.partition(": ")[2])
    assert api.get("")["state"] == before


def test_offline_stack_with_restored_data_cannot_be_complete(api):
    api.in_state("OFFLINE")
    with api.store.write() as connection:
        connection.execute(
            "INSERT INTO tile (stack, tile_id, min_y, max_y, min_x, max_x, document) "
            "SELECT id, 't', 0, 0, 0, 0, x'7b7d' FROM stack WHERE owner IS NOT NULL"
        )
    assert api.refused("PUT", "state/COMPLETE") == (400, GOLDEN["setStats_on_OFFLINE"].partition(": ")[2])
    assert api.get("")["state"] == "OFFLINE"


def test_which_transitions_change_the_time(api, monkeypatch):
    times = iter(range(100))
    monkeypatch.setattr("renderapi._json.timestamp", lambda: f"2020-01-01T00:00:00.{next(times):03d}Z")

    def time():
        return int(api.get("")["lastModifiedTimestamp"][-4:-1])

    api.create()
    api.put_tiles(make_tile())
    changes = []
    for state in (
        "LOADING",
        "COMPLETE",
        "COMPLETE",
        "READ_ONLY",
        "READ_ONLY",
        "COMPLETE",
        "LOADING",
        "COMPLETE",
        "OFFLINE",
    ):
        before = time()
        api.state(state)
        changes.append(time() != before)
    assert changes == [False, True, False, False, False, False, True, True, True]


def test_read_only_to_complete_does_not_derive_again(api):
    api.in_state("READ_ONLY")
    with api.store.write() as connection:
        connection.execute("DELETE FROM tile")
    api.state("COMPLETE")
    assert api.get("")["stats"]["tileCount"] == 1


def test_complete_to_complete_derives_again(api):
    api.in_state("COMPLETE")
    with api.store.write() as connection:
        connection.execute("UPDATE tile SET max_x = 500")
    api.state("COMPLETE")
    assert api.get("bounds")["maxX"] == 500.0


def test_an_empty_stack_cannot_be_complete(loading):
    status, text = loading.refused("PUT", "state/COMPLETE")
    assert status == 500
    assert text.startswith("Stack data aggregation returned no results because the stack has no tiles.  ")
    assert loading.get("")["state"] == "LOADING"


def test_an_unknown_state_is_no_path(loading):
    assert loading.refused("PUT", "state/DONE")[0] == 404
    assert loading.refused("PUT", "state/complete")[0] == 404


CONTENT_CHANGES = {
    "put tiles": ("PUT", "resolvedTiles", {"tileIdToSpecMap": {"u": make_tile("u")}}, 201),
    "put layer": ("PUT", "z/1/resolvedTiles", {"tileIdToSpecMap": {"u": make_tile("u")}}, 201),
    "put z of tiles": ("PUT", "z/2/tileIds", ["t"], 201),
    "put z of section": ("PUT", "section/1.0/z", 2, 201),
    "delete layer": ("DELETE", "z/1", None, 200),
    "delete section": ("DELETE", "section/1.0", None, 200),
    "delete tile": ("DELETE", "tile/t", None, 200),
    "clone to it": ("PUT", "/owner/o/project/p/stack/source/cloneTo/s?z=1", {}, 201),
}
WORDS = {
    "put tiles": (
        500,
        "Resolved tiles can only be saved to stacks in the LOADING state, but this stack's state is {}.",
    ),
    "put layer": (
        500,
        "Resolved tiles can only be saved to stacks in the LOADING state, but this stack's state is {}.",
    ),
    "put z of tiles": (
        500,
        "Z values can only be updated for stacks in the LOADING state, but this stack's state is {}.",
    ),
    "put z of section": (
        500,
        "Z values can only be updated for stacks in the LOADING state, but this stack's state is {}.",
    ),
    "delete layer": (400, "stack state is {} but must be LOADING to delete data"),
    "delete section": (400, "stack state is {} but must be LOADING to delete data"),
    "delete tile": (400, "stack state is {} but must be LOADING to delete data"),
    "clone to it": (500, "Tiles cannot be cloned to stack s because it is {}."),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("change", CONTENT_CHANGES)
def test_which_state_allows_contents_to_change(api, state, change):
    api.in_state("LOADING", make_tile("other"), stack="source")
    api.in_state(state)
    method, path, body, status = CONTENT_CHANGES[change]
    if state == "LOADING":
        api.send(method, path, body, status)
    else:
        expected, words = WORDS[change]
        assert api.refused(method, path, body) == (expected, words.format(state))


METADATA_CHANGES = {
    "put resolution": ("PUT", "resolutionValues", [1, 2, 3], 200),
    "delete resolution": ("DELETE", "resolutionValues", None, 200),
    "put builder": (
        "PUT",
        "mipmapPathBuilder",
        {"rootPath": "r", "numberOfLevels": 1, "extension": "png"},
        200,
    ),
    "delete builder": ("DELETE", "mipmapPathBuilder", None, 200),
    "put cycle": ("PUT", "cycle", {"number": 1}, 200),
    "delete cycle": ("DELETE", "cycle", None, 200),
    "delete channel": ("DELETE", "defaultChannel", None, 200),
    "delete path": ("DELETE", "materializedBoxRootPath", None, 200),
    "new version": ("POST", "", {}, 201),
    "delete": ("DELETE", "", None, 200),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("change", METADATA_CHANGES)
def test_which_state_allows_metadata_to_change(api, state, change):
    api.in_state(state)
    method, path, body, status = METADATA_CHANGES[change]
    if state == "READ_ONLY":
        assert api.refused(method, path, body) == (
            500,
            "Data for stack s cannot be modified because it is READ_ONLY.",
        )
    else:
        before = api.get("")["lastModifiedTimestamp"]
        api.send(method, path, body, status)
        if path:
            assert api.get("")["lastModifiedTimestamp"] == before


@pytest.mark.parametrize("state", STATES)
def test_which_state_allows_a_new_name(api, state):
    api.in_state(state)
    target = {"owner": "o2", "project": "p2", "stack": "s2"}
    if state in ("READ_ONLY", "OFFLINE"):
        assert api.refused("PUT", "stackId", target) == (
            400,
            f"{KEY} cannot be modified because it is {state}.",
        )
        return
    before = api.get("")
    api.send("PUT", "stackId", target)
    assert api.refused("GET", "") == (404, f"{KEY} does not exist")
    after = api.get("/owner/o2/project/p2/stack/s2")
    assert after["stackId"] == target
    for key in ("state", "currentVersionNumber", "currentVersion"):
        assert after[key] == before[key]
    assert after.get("stats") == before.get("stats")
    assert api.get("/owner/o2/project/p2/stack/s2/tileIds") == ["t"]
    if state == "COMPLETE":
        assert len(api.get("/owner/o2/project/p2/stack/s2/sectionData")) == 1


def test_names_that_cannot_be_given(api):
    api.create()
    api.create("other")
    taken = {"owner": "o", "project": "p", "stack": "other"}
    assert api.refused("PUT", "stackId", taken) == (
        400,
        "stack with owner 'o', project 'p', and name 'other' already exists",
    )
    assert api.refused("PUT", "stackId", {**taken, "stack": "s"})[0] == 400
    assert api.refused("PUT", "stackId", {"stack": "x"})[0] == 400
    nothing = (400, "toStackId value must be specified")
    assert api.refused("PUT", "stackId", data="null", content_type="application/json") == nothing
    assert (
        api.refused("PUT", "stackId", data="null", content_type="application/json", stack="gone") == nothing
    )
    assert api.refused("PUT", "stackId", {"stack": "x"}, stack="gone")[0] == 404
    assert api.refused("PUT", "stackId", {**taken, "stack": "x" * 100})[0] == 400
    assert api.refused("PUT", "stackId", taken, stack="gone")[0] == 404
    # only its length is asked for, as in the original: the stack is there but cannot be addressed any more
    api.send("PUT", "stackId", {**taken, "stack": "not-a-name"})
    assert [key["stack"] for key in api.get("/owner/o/project/p/stackIds")] == ["not-a-name", "other"]


def test_a_new_version_keeps_the_contents(api):
    api.in_state("COMPLETE")
    api.create(versionNotes="second")
    found = api.get("")
    assert (found["state"], found["currentVersionNumber"]) == ("LOADING", 1)
    assert found["currentVersion"] == {"versionNotes": "second"}
    assert "stats" not in found
    assert api.get("tileIds") == ["t"]


def test_an_offline_stack_lost_its_contents(api):
    api.in_state("OFFLINE")
    found = api.get("")
    assert found["state"] == "OFFLINE" and found["stats"]["tileCount"] == 1
    missing = (404, f"{KEY} does not exist")
    for path in (
        "z/1/tile-specs",
        "z/1/bounds",
        "z/1/tileBounds",
        "z/1/resolvedTiles",
        "sectionData",
    ):
        assert api.refused("GET", path) == missing
    assert api.get("tileIds") == [] and api.get("zValues") == []
    assert api.refused("GET", "tile/t")[1].startswith("tile spec with id 't' does not exist in the render.")
    words = f"no tile specifications found in {KEY} for Document{{{{}}}}"
    assert api.refused("GET", "resolvedTiles") == (404, words)
    assert api.get("layoutFile") == ""
    # a state that it cannot come back to leaves the stack empty instead
    assert api.refused("PUT", "state/COMPLETE")[0] == 500
    assert api.refused("GET", "z/1/tile-specs")[0] == 400
    api.create()
    assert api.get("z/1/tileBounds") == []
    wait_until(lambda: [rows(api, "tile"), rows(api, "stack")] == [0, 1])


def rows(api, table):
    with api.store.read() as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_deleting_a_stack(api):
    api.in_state("COMPLETE")
    api.put = None
    api.send("DELETE", "")
    assert api.refused("GET", "") == (404, f"{KEY} does not exist")
    api.send("DELETE", "")  # what is not there is deleted already
    wait_until(lambda: not any(rows(api, table) for table in ("stack", "tile", "transform", "section")))


def test_a_stack_version_is_needed(api):
    for options in (
        {"data": "", "content_type": "application/json"},
        {"data": "null", "content_type": "application/json"},
    ):
        assert api.refused("POST", "", **options) == (400, "no stack version provided")
        api.create("source")
        assert api.refused("PUT", "cloneTo/x", stack="source", **options) == (
            400,
            "no stack version provided",
        )


@pytest.mark.parametrize(
    "path", ["", "zValues", "bounds", "sectionData", "z/1/bounds", "cycle", "resolutionValues"]
)
def test_a_stack_that_is_not_there(api, path):
    assert api.refused("GET", path) == (404, f"{KEY} does not exist")


def test_a_stack_that_is_not_there_cannot_change(api):
    for method, path, body in [
        ("PUT", "state/COMPLETE", None),
        ("PUT", "resolvedTiles", {"tileIdToSpecMap": {"t": make_tile()}}),
        ("DELETE", "z/1", None),
        ("DELETE", "tile/t", None),
        ("PUT", "resolutionValues", [1]),
        ("PUT", "cloneTo/x", {}),
    ]:
        assert api.refused(method, path, body) == (404, f"{KEY} does not exist")


def test_bounds_need_stats(loading):
    assert loading.refused("GET", "bounds") == (
        400,
        f"Stats for {KEY} have not been stored.  If all data has been loaded for this stack, "
        "setting its state to COMPLETE will trigger derivation and storage of all the stack's stats.",
    )


def test_resolution(api):
    api.create()
    assert api.get("resolutionValues") == [None, None, None]
    api.send("PUT", "resolutionValues", [4, "4.5", 35, 99])
    assert api.get("resolutionValues") == [4.0, 4.5, 35.0]
    api.send("PUT", "resolutionValues", [8])
    assert api.get("resolutionValues") == [8.0, 4.5, 35.0]
    assert api.get("")["currentVersion"] == {
        "stackResolutionX": 8.0,
        "stackResolutionY": 4.5,
        "stackResolutionZ": 35.0,
    }
    api.send("DELETE", "resolutionValues")
    assert api.get("resolutionValues") == [None, None, None]
    assert (
        api.refused("PUT", "resolutionValues", None, data="null", content_type="application/json")[0] == 500
    )


def test_cycle(api):
    api.create()
    assert api.get("cycle") == GOLDEN["ReconstructionCycle_empty"]
    api.send("PUT", "cycle", {"number": 3, "stepNumber": 2, "x": 1})
    assert api.get("cycle") == {"number": 3, "stepNumber": 2}
    assert api.get("")["currentVersion"] == {"cycleNumber": 3, "cycleStepNumber": 2}
    api.send("DELETE", "cycle")
    assert api.get("cycle") == {}
    api.send("PUT", "cycle", {"number": 3})
    api.send("PUT", "cycle", None, data="null", content_type="application/json")
    assert api.get("cycle") == {}


def test_mipmap_path_builder(api):
    api.create()
    assert api("GET", "mipmapPathBuilder").status_code == 204
    api.send(
        "PUT", "mipmapPathBuilder", {"extension": "tif", "numberOfLevels": "3", "rootPath": "/mips", "x": 1}
    )
    assert api.get("mipmapPathBuilder") == {"rootPath": "/mips/", "numberOfLevels": 3, "extension": "tif"}
    api.send("DELETE", "mipmapPathBuilder")
    assert api("GET", "mipmapPathBuilder").status_code == 204
    for missing in ("rootPath", "numberOfLevels", "extension"):
        builder = {"rootPath": "/mips", "numberOfLevels": 3, "extension": "tif"}
        del builder[missing]
        assert api.refused("PUT", "mipmapPathBuilder", builder)[0] == 400


def test_texts_of_a_version_are_raw(api):
    api.create()
    assert api("GET", "materializedBoxRootPath").status_code == 204
    api.send("PUT", "materializedBoxRootPath", data="  /boxes/ü ", content_type="text/plain")
    answer = api("GET", "materializedBoxRootPath")
    assert (answer.text, answer.headers["Content-Type"]) == ("/boxes/ü", "text/plain;charset=UTF-8")
    api.send("PUT", "materializedBoxRootPath", data="  ", content_type="text/plain")
    assert api("GET", "materializedBoxRootPath").status_code == 204
    api.send("DELETE", "materializedBoxRootPath")
    # not decoded: quotes are part of the name
    api.send("PUT", "defaultChannel", data='"DAPI"', content_type="application/json")
    answer = api("GET", "defaultChannel")
    assert (answer.text, answer.headers["Content-Type"]) == ('"DAPI"', "application/json")
    api.send("DELETE", "defaultChannel")
    answer = api("GET", "defaultChannel")
    assert (answer.status_code, answer.data) == (204, b"")
    assert api.refused("PUT", "defaultChannel", data=b"\xff", content_type="application/json")[0] == 400


def test_lists(api):
    assert api.get("/owners") == [] and api.get("/owner/o/projects") == []
    assert api.get("/owner/o/stacks") == [] and api.get("/owner/o/project/p/stackIds") == []

    def create(owner, project, stack, **version):
        api.send("POST", f"/owner/{owner}/project/{project}/stack/{stack}", version, 201)

    create("b", "p", "x")
    create("o", "q", "y", cycleNumber=9)
    create("o", "p", "no_cycle")
    create("o", "p", "old", cycleNumber=1, cycleStepNumber=5)
    create("o", "p", "no_step", cycleNumber=2)
    create("o", "p", "new", cycleNumber=2, cycleStepNumber=1)
    assert api.get("/owners") == ["b", "o"]
    assert api.get("/owner/o/projects") == ["p", "q"]
    ids = api.get("/owner/o/stackIds")
    assert [key["stack"] for key in ids] == ["new", "no_step", "old", "no_cycle", "y"]
    assert api.get("/owner/o/project/p/stackIds") == ids[:4]
    assert [stack["stackId"] for stack in api.get("/owner/o/stacks")] == ids
    assert [stack["stackId"] for stack in api.get("/owner/o/project/q/stacks")] == ids[4:]


def test_likely_unique_ids(api):
    answers = {api.get("/likelyUniqueId") for _ in range(20)}
    assert len(answers) == 20
    assert all(re.fullmatch("[0-9a-f]{24}", answer) for answer in answers)


class TestClone:
    @pytest.fixture
    def source(self, api):
        api.create("from")
        api.put_tiles(
            make_tile("a", 1.0, specs=[{"type": "ref", "refId": "x"}]),
            make_tile("b", 2.0, (0, 0, 10, 1000)),
            make_tile("c", 2.5),
            transforms=[affine(id="x"), affine(id="y")],
            stack="from",
        )
        api.state("COMPLETE", "from")
        return api

    def clone(self, api, query="", body=None, status=201):
        api.send("PUT", "cloneTo/s" + query, body or {"versionNotes": "copy"}, status, stack="from")

    def test_everything_is_copied(self, source):
        self.clone(source)
        found = source.get("")
        assert (found["state"], found["currentVersionNumber"]) == ("LOADING", 0)
        assert found["currentVersion"] == {"versionNotes": "copy"} and "stats" not in found
        assert source.get("z/1/resolvedTiles") == source.get("z/1/resolvedTiles", stack="from")
        assert source.get("tileIds") == ["a", "b", "c"]
        assert source.get("transform/y")["id"] == "y"
        # the height that box queries rely on is copied as well
        assert source.get("z/2/box/0,990,1,1/tile-count") == 1

    def test_some_layers_are_copied_with_all_transforms(self, source):
        self.clone(source, "?z=2.5&z=1&z=1")
        assert source.get("tileIds") == ["a", "c"]
        assert source.get("transform/y")["id"] == "y"

    def test_transforms_can_be_left_out(self, source):
        self.clone(source, "?z=2&skipTransforms=true")
        assert source.refused("GET", "transform/y") == (
            404,
            f"transform spec with id 'y' does not exist in the {KEY}",
        )

    def test_into_another_project(self, source):
        self.clone(source, "?toProject=elsewhere")
        assert source.get("/owner/o/project/elsewhere/stack/s/tileIds") == ["a", "b", "c"]

    def test_a_loading_stack_is_added_to(self, source):
        source.create(versionNotes="before")
        source.put_tiles(make_tile("z", 9.0))
        self.clone(source, "?z=1")
        assert source.get("tileIds") == ["a", "z"]
        assert source.get("")["currentVersion"] == {"versionNotes": "copy"}

    def test_nothing_is_copied_if_something_is_there_already(self, source):
        source.create(versionNotes="before")
        source.put_tiles(make_tile("b", 9.0))
        assert source.refused("PUT", "cloneTo/s", {}, stack="from")[0] == 500
        assert source.get("tileIds") == ["b"]
        assert source.get("")["currentVersion"] == {"versionNotes": "before"}

    def test_a_whole_copy_must_be_one(self, source):
        source.create()
        source.put_tiles(make_tile("z", 9.0))
        assert source.refused("PUT", "cloneTo/s", {}, stack="from")[0] == 500
        assert source.get("tileIds") == ["z"]

    def test_bad_targets(self, source):
        assert source.refused("PUT", "cloneTo/a__b", {}, stack="from")[0] == 400
        assert source.refused("PUT", "cloneTo/s?toProject=a-b", {}, stack="from")[0] == 400
        assert source.refused("PUT", "cloneTo/s?z=one", {}, stack="from")[0] == 404
        source.state("OFFLINE", "from")
        # an OFFLINE stack is there, but empty
        source.send("PUT", "cloneTo/s", {}, stack="from", status=201)
        assert source.get("tileIds") == []


def test_tile_ids(api, monkeypatch):
    assert api.get("tileIds") == []  # no stack at all
    api.create()
    api.put_tiles(*(make_tile(name, z) for name, z in [("b1", 1.0), ("a1", 2.0), ('q"1', 3.0), ("B2", 3.0)]))
    assert api.get("tileIds") == ["B2", "a1", "b1", 'q"1']
    assert api.get("tileIds?minZ=2&maxZ=2.5") == ["a1"]
    assert api.get("tileIds?matchPattern=1$") == ["a1", "b1", 'q"1']
    assert api.get("tileIds?minZ=3&matchPattern=^B") == ["B2"]
    assert api.get("tileIds?matchPattern=nothing") == []
    monkeypatch.setattr("renderapi.server.services.stacks._PAGE", 2)
    assert api.get("tileIds") == ["B2", "a1", "b1", 'q"1']
    for odd in ("c\nd", "e\\f", "\t", "\x00g"):
        api.put_tiles(make_tile(odd, 4.0))
    assert api.get("tileIds") == sorted(["B2", "a1", "b1", 'q"1', "c\nd", "e\\f", "\t", "\x00g"])
    assert api.get("tileIds?minZ=4") == ["\x00g", "\t", "c\nd", "e\\f"]
    assert api.get("tileIds?matchPattern=2") == ["B2"]
    assert api.get("tileIds?matchPattern=q") == ['q"1']
    assert api.refused("GET", "tileIds?matchPattern=(")[0] == 400


def test_a_store_in_a_folder_keeps_everything(tmp_path):
    with Store(tmp_path) as store:
        Api(store).in_state("COMPLETE")
    with Store(tmp_path) as store:
        assert Api(store).get("tileIds") == ["t"]
        assert Api(store).get("")["state"] == "COMPLETE"
