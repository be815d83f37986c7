"""Every fault of a network, for every kind of call: it did what it says, or says truly what happened.

A new operation is a line in `OPERATIONS`; a new fault a function in ``faults.FAULTS``.
"""

import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from endpoint_table import ROWS, function_of, prepare, served_arguments
from faults import FAULTS, FaultyProxy, silent, trickled
from loopback import closed_port

import renderapi
import renderapi.tables
import renderapi.transfer
from renderapi.client import import_tilespecs, import_tilespecs_parallel
from renderapi.errors import (
    BadAnswerError,
    BadRequestError,
    ImportFailedError,
    RenderError,
    ServerError,
    ServerTimeoutError,
    ServerUnreachableError,
)
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec

MATCH = {"pGroupId": "1", "pId": "a", "qGroupId": "1", "qId": "b",
         "matches": {"p": [[1], [2]], "q": [[3], [4]], "w": [1]}}  # fmt: skip


def tiles(first=0, count=6):
    return [TileSpec(tileId=f"t{first + i}", z=1, width=50, height=40, minX=0) for i in range(count)]


def exists(stack):
    def check(r):
        with suppress(RenderError):
            renderapi.stack.get_full_stack_metadata(stack, render=r)
            return True
        return False

    return check


def state_is(state):
    return lambda r: renderapi.stack.get_full_stack_metadata("s", render=r)["state"] == state


def has_tiles(count):
    return lambda r: len(renderapi.stack.get_stack_tileIds("s", render=r)) == count


def has_matches(r):
    with suppress(RenderError):
        return len(renderapi.pointmatch.get_matches_within_group("c", "1", render=r)) == 1
    return False


@dataclass
class Operation:
    """A call; how to tell at the server that it was done, or, of one that reads, the right result."""

    call: Callable[[Any], Any]
    done: Callable[[Any], bool] | None = None
    prepare: Callable[[Any], Any] | None = None


S, P, C, T = renderapi.stack, renderapi.pointmatch, renderapi.coordinate, renderapi.tilespec
B, X = renderapi.tables, renderapi.transfer


def _collection(r):
    P.import_matches("c", [MATCH], render=r)


def pairs_of(*names):
    return lambda r: (
        [c["collectionId"]["name"] for c in P.get_matchcollections(render=r)] == list(names)
        and all(len(list(P.select(name, threads=1, render=r))) == 1 for name in names)
    )


def is_complete(stack):
    def check(r):
        return (
            exists(stack)(r)
            and S.get_full_stack_metadata(stack, render=r).get("stats", {}).get("tileCount") == 6
        )

    return check


def loaded(r):
    with S.loading("s", close=True, render=r):
        pass


def exported(export, *name):
    def call(r):
        with tempfile.TemporaryDirectory() as folder:
            return export(*name, folder + "/x", render=r, poolsize=1).content

    return call


#: Exports to import, by what they are of.
EXPORTS = {}
TILE_TABLE = {
    "tileId": [f"t{number}" for number in range(6, 12)], "z": [1.0] * 6, "width": [50.0] * 6, "height": [40.0] * 6,
}  # fmt: skip
MATCH_TABLE = {
    "pGroupId": ["1"], "pId": ["a"], "qGroupId": ["1"], "qId": ["b"], "px": [1.0], "py": [2.0], "qx": [3.0],
    "qy": [4.0], "w": [1.0],
}  # fmt: skip

OPERATIONS = {
    "small json": Operation(lambda r: S.get_full_stack_metadata("s", render=r)["stackId"]),
    "list": Operation(lambda r: S.get_stack_tileIds("s", render=r)),
    "number": Operation(lambda r: S.get_section_z_value("s", "sec", render=r)),
    "tile": Operation(lambda r: T.get_tile_spec("s", "t0", render=r).to_dict()),
    "lazy tiles": Operation(lambda r: [t.tileId for t in T.get_tile_specs_from_z("s", 1, render=r)]),
    "stream of tiles": Operation(
        lambda r: sorted(t.tileId for t in T.get_tile_specs_from_stack("s", render=r))
    ),
    "resolved tiles": Operation(
        lambda r: len(renderapi.resolvedtiles.get_resolved_tiles_from_z("s", 1, render=r).tilespecs)
    ),
    "image": Operation(
        lambda r: np.asarray(renderapi.image.get_bb_image("s", 1, 900, 900, 40, 30, render=r)).tolist()
    ),
    "coordinates": Operation(
        lambda r: C.world_to_local_coordinates_batch("s", [{"tileId": "t0", "world": [1, 1]}], 1, render=r)
    ),
    "selected tiles": Operation(lambda r: [t.tileId for t in S.tiles("s", pattern="t", render=r)]),
    "count of tiles": Operation(lambda r: S.tiles("s", z=1, render=r).count()),
    "selected pairs": Operation(lambda r: list(P.select("c", group="1", render=r)), prepare=_collection),
    "create": Operation(lambda r: S.create_stack("n", render=r), exists("n")),
    "state": Operation(lambda r: S.set_stack_state("s", "COMPLETE", render=r), state_is("COMPLETE")),
    "rename": Operation(
        lambda r: S.rename_stack("s", "renamed", render=r),
        lambda r: exists("renamed")(r) and not exists("s")(r),
    ),
    "clone": Operation(lambda r: S.clone_stack("s", "copy", close_stack=False, render=r), exists("copy")),
    "rename collection": Operation(
        lambda r: renderapi.http.transport.confirmed(
            r.request("PUT", "owner/o/matchCollection/c/collectionId", document={"owner": "o", "name": "d"})
        ),
        lambda r: [c["collectionId"]["name"] for c in P.get_matchcollections(render=r)] == ["d"],
        _collection,
    ),
    "delete collection": Operation(
        lambda r: P.delete_collection("c", render=r),
        lambda r: P.get_matchcollections(render=r) == [],
        _collection,
    ),
    "delete stack": Operation(lambda r: S.delete_stack("s", render=r), lambda r: not exists("s")(r)),
    "delete section": Operation(lambda r: S.delete_section("s", 1, render=r), has_tiles(0)),
    "put tiles": Operation(
        lambda r: renderapi.resolvedtiles.put_tilespecs("s", tiles(6), render=r), has_tiles(12)
    ),
    "import": Operation(lambda r: import_tilespecs("s", tiles(6), render=r), has_tiles(12)),
    "import parallel": Operation(
        lambda r: import_tilespecs_parallel(
            "s", tiles(6), poolsize=3, max_tilespecs_per_group=2, close_stack=False, render=r
        ),
        has_tiles(12),
    ),
    "import matches": Operation(lambda r: P.import_matches("c", [MATCH], render=r), has_matches),
    "upload matches": Operation(lambda r: P.upload_matches("c", [MATCH], render=r), has_matches),
    "upload missing matches": Operation(
        lambda r: P.upload_matches("c", [MATCH], skip_existing=True, render=r), has_matches
    ),
    "match table": Operation(lambda r: B.import_match_table("c", MATCH_TABLE, render=r), has_matches),
    "table": Operation(
        lambda r: B.import_table("s", TILE_TABLE, batch_size=2, close_stack=False, render=r), has_tiles(12)
    ),
    "stack to table": Operation(lambda r: B.stack_to_table("s", kind="arrow", render=r).to_pydict()),
    "matches to table": Operation(
        lambda r: B.matches_to_table(P.select("c", render=r), kind="arrow").to_pydict(), prepare=_collection
    ),
    "ensure stack": Operation(lambda r: S.ensure_stack("n", render=r), exists("n")),
    "loading": Operation(loaded, state_is("COMPLETE")),
    "derive stack": Operation(lambda r: S.derive_stack("s", "n", render=r), exists("n")),
    "compare stacks": Operation(lambda r: S.compare_stacks("s", "s", poolsize=1, render=r)),
    "digest": Operation(lambda r: X.digest_stack("s", render=r)),
    "digest matches": Operation(lambda r: X.digest_matches("c", render=r), prepare=_collection),
    "copy stack": Operation(
        lambda r: X.copy_stack("s", "copy", poolsize=1, render=r),
        is_complete("copy"),
    ),
    "move stack": Operation(
        lambda r: X.move_stack("s", "copy", poolsize=1, render=r),
        lambda r: exists("copy")(r) and not exists("s")(r),
    ),
    "copy matches": Operation(
        lambda r: X.copy_matches("c", "d", poolsize=1, render=r), pairs_of("c", "d"), _collection
    ),
    "move matches": Operation(
        lambda r: X.move_matches("c", "d", poolsize=1, render=r), pairs_of("d"), _collection
    ),
    "export stack": Operation(exported(X.export_stack, "s")),
    "export matches": Operation(exported(X.export_matches, "c"), prepare=_collection),
    "import stack files": Operation(
        lambda r: X.import_stack(EXPORTS["stack"], "copy", poolsize=1, render=r), is_complete("copy")
    ),
    "import match files": Operation(
        lambda r: X.import_matches(EXPORTS["matches"], "c", poolsize=1, render=r), pairs_of("c")
    ),
}
#: The cells that run by default.
QUICK_OPERATIONS = {"small json", "image", "rename", "import parallel"}
QUICK_FAULTS = {"reset_before", "reset_in_answer", "web_page", "done_then_504", "doubled", "redirect_here"}
NETWORK = (ServerUnreachableError, ServerTimeoutError)


@pytest.fixture(scope="module")
def server():
    with serve_background() as running, FaultyProxy(urlsplit(running.url).port) as proxy:
        yield running, proxy


@pytest.fixture(scope="module", autouse=True)
def _exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    with serve_background(transport="memory") as running:
        fill(render := running.connect("o", "p"))
        _collection(render)
        X.export_stack("s", folder / "stack", poolsize=1, render=render)
        X.export_matches("c", folder / "matches", poolsize=1, render=render)
    EXPORTS.update(stack=folder / "stack", matches=folder / "matches")


def fill(render):
    S.create_stack("s", render=render)
    given = tiles()
    for tile in given:
        tile.layout = renderapi.layout.Layout(sectionId="sec")
    import_tilespecs("s", given, render=render)


@pytest.fixture
def clean(server):
    running, proxy = server
    proxy.arm(None)
    direct = running.connect("o", "p")
    for stack in ("s", "n", "renamed", "copy"):
        renderapi.stack.delete_stack(stack, render=direct)
    for collection in P.get_matchcollections(render=direct):
        P.delete_collection(collection["collectionId"]["name"], render=direct)
    fill(direct)
    return direct, proxy


def cells():
    for operation in OPERATIONS:
        for fault in FAULTS:
            quick = operation in QUICK_OPERATIONS and fault.__name__ in QUICK_FAULTS
            marks = () if quick else (pytest.mark.slow,)
            yield pytest.param(operation, fault, id=f"{operation}-{fault.__name__}", marks=marks)


def through_proxy(proxy, owner="o", project="p", patience=0.4, total=3):
    """Return a connection through the proxy, which does not wait for long."""
    retries = renderapi.http.sessions.RetryPolicy.of(2).new(backoff_factor=0.01, backoff_jitter=0)
    return renderapi.connect(
        url=f"http://127.0.0.1:{proxy.port}/render-ws", owner=owner, project=project, web_only=True, direct=True,
        timeout=(2, patience), total=total, retries=retries, headers={"X-Token": "secret"},
    )  # fmt: skip


def check_kind(error, name):
    """Check that an error is of the kind that a fault stands for."""
    text = str(error)
    assert "secret" not in text
    if name in ("reset_before", "reset_after", "reset_in_answer", "closed_after", "half_closed", "too_long",
                "huge_header", "many_headers"):  # fmt: skip
        assert isinstance(error, ServerUnreachableError), text
        assert not isinstance(error, RenderError)
    elif name in ("silent", "trickled"):
        assert isinstance(error, NETWORK), text
    elif name.startswith("status_") or name == "done_then_504":
        assert isinstance(error, (ServerError, ImportFailedError)), text
    elif name.startswith("redirect"):
        assert isinstance(error, (BadAnswerError, BadRequestError, ImportFailedError)), text
    else:
        assert isinstance(error, (BadAnswerError, ImportFailedError)), text


@pytest.mark.parametrize(("operation", "fault"), list(cells()))
def test_a_call_did_what_it_says_or_says_what_happened(clean, operation, fault):
    check(clean, operation, fault)


#: What makes several requests, of which the first ones only read.
BULK = [
    *(
        "upload missing matches",
        "table",
        "ensure stack",
        "loading",
        "derive stack",
        "copy stack",
        "move stack",
    ),
    *("copy matches", "move matches", "import stack files", "import match files"),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("operation", BULK)
def test_bulk_work_whose_changes_fail_did_what_it_says_or_says_what_happened(clean, operation, fault):
    check(clean, operation, fault, lambda method, path: method != "GET")


def check(clean, operation, fault, applies=lambda method, path: True):
    direct, proxy = clean
    work = OPERATIONS[operation]
    if work.prepare:
        work.prepare(direct)
    right = None if work.done else work.call(direct)
    # only these make a call wait for as long as it may; a busy machine may take its time for all others
    slow = fault in (silent, trickled)
    with through_proxy(proxy, patience=0.4 if slow else 5, total=1.5 if slow else 10) as through:
        proxy.arm(fault, applies)
        start = time.monotonic()
        error = result = None
        try:
            result = work.call(through)
        except (RenderError, requests.RequestException) as caught:
            error = caught
        took = time.monotonic() - start
        proxy.arm(None)
    assert took < 30  # several calls, each of them bounded by three seconds
    if error is None:
        if work.done:
            assert work.done(direct), "it said that it was done"
        else:
            assert result == right
        return
    text = str(error)
    check_kind(error, fault.__name__)
    if work.done and work.done(direct):
        # the work was done and the call failed: it must not say that it was not
        assert "unknown" in text or "may have been done" in text, text


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_refused_connection_is_never_a_render_error(operation):
    address = f"http://127.0.0.1:{closed_port()}"
    with (
        renderapi.connect(url=address, owner="o", project="p", web_only=True, retries=0) as nowhere,
        pytest.raises(ServerUnreachableError, match="no connection to"),
    ):
        OPERATIONS[operation].call(nowhere)


# ------------------------------------------------------------------------ every function of an endpoint

#: Faults that depend on how a function reads its answer; the others are those of the transport that all share.
OF_ANSWERS = (
    "reset_in_answer",
    "done_then_504",
    "web_page",
    "truncated",
    "too_short",
    "doubled",
    "broken_gzip",
)
#: Functions whose answer is text or a number: a piece of it is one too, and nobody can tell.
PLAIN = re.compile(
    r"\.(get_layout_file\w*|get_mergeable_data|validate_json|get_tile_validation_info|delete_tier_data|likelyUniqueId|"
    r"get_tile_count_\w+|get_section_z_value|get_materialized_box_root_path|get_default_channel|\w+_debug)$"
)


#: What stands for the result of a function that the embedded server refuses.
NOT_OFFERED = object()


def one_row_of_each_function():
    rows = {}
    for endpoint, name, _, given in ROWS:
        rows.setdefault(name, (endpoint, name, given))
    for endpoint, name, given in rows.values():
        for fault in FAULTS:
            cut = fault.__name__ in ("truncated", "too_short") and PLAIN.search(name)
            if fault.__name__ in OF_ANSWERS and not cut:
                yield pytest.param(endpoint, name, given, fault, id=f"{name}-{fault.__name__}")


def plain(value):
    """Return what a function gave in plain types, to be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def everything(render):
    """Return all that a server holds of an owner, but for when it was made."""
    held = {}
    for metadata in renderapi.render.get_stack_metadata_by_owner(render=render):
        name = metadata["stackId"]["stack"]
        version = {k: v for k, v in metadata["currentVersion"].items() if k != "createTimestamp"}
        held["stack", name] = metadata["state"], version, metadata.get("hierarchicalData")
        with suppress(RenderError):
            found = renderapi.resolvedtiles.get_resolved_tiles(name, render=render)
            held["tiles", name] = found.to_dict(bounds=True)
    for found in P.get_matchcollections(render=render):
        name = found["collectionId"]["name"]
        held["matches", name] = list(P.select(name, threads=1, render=render))
    return held


@pytest.fixture(scope="module")
def filled(server, tmp_path_factory):
    """Return a connection to data of the functions that read, another to those that are changed, and the folder."""
    folder = tmp_path_factory.mktemp("images")
    with serve_background(image_roots=[folder]) as running, FaultyProxy(urlsplit(running.url).port) as proxy:
        direct = running.connect("own", "proj", web_only=True)
        yield direct, proxy, folder, {}


@pytest.mark.slow
@pytest.mark.parametrize(("endpoint", "name", "given", "fault"), list(one_row_of_each_function()))
def test_a_function_of_an_endpoint_did_what_it_says_or_says_what_happened(
    filled, endpoint, name, given, fault
):
    direct, proxy, folder, known = filled
    function = function_of(name)
    arguments = served_arguments(function, given)
    reads = endpoint.startswith("GET")
    if known.get("at") != "GET" or not reads:
        prepare(direct, endpoint, folder)
        if reads:
            S.set_stack_state("st", "COMPLETE", render=direct)
        known["at"] = "GET" if reads else endpoint
    before = None if reads else everything(direct)
    # none of these faults is silence, and a first image may take its time
    with through_proxy(proxy, "own", "proj", patience=20, total=60) as through:
        if name not in known:
            try:
                right = plain(function(**arguments, render=through))
                known[name] = right if reads else everything(direct)
            except RenderError:
                known[name] = NOT_OFFERED
            if not reads:
                prepare(direct, endpoint, folder)
        proxy.arm(fault)
        error = result = None
        try:
            result = plain(function(**arguments, render=through))
        except (RenderError, requests.RequestException) as caught:
            error = caught
        proxy.arm(None)
    if error is None:
        assert known[name] is not NOT_OFFERED, "it should have been refused"
        if name != "stack.likelyUniqueId":
            assert (result if reads else everything(direct)) == known[name]
        return
    if known[name] is not NOT_OFFERED:
        check_kind(error, fault.__name__)
    if not reads and everything(direct) != before:
        assert "unknown" in str(error) or "may have been done" in str(error), str(error)
