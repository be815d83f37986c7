"""Every fault of a network, for every kind of call: it did what it says, or says truly what happened.

A new operation is a line in `OPERATIONS`; a new fault a function in ``faults.FAULTS``.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from faults import FAULTS, FaultyProxy
from loopback import closed_port

import renderapi
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


def _collection(r):
    P.import_matches("c", [MATCH], render=r)


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
}
#: The cells that run by default.
QUICK_OPERATIONS = {"small json", "image", "rename", "import parallel"}
QUICK_FAULTS = {"reset_before", "reset_in_answer", "web_page", "done_then_504", "doubled", "redirect_here"}
NETWORK = (ServerUnreachableError, ServerTimeoutError)


@pytest.fixture(scope="module")
def server():
    with serve_background() as running, FaultyProxy(urlsplit(running.url).port) as proxy:
        yield running, proxy


@pytest.fixture
def clean(server):
    running, proxy = server
    proxy.arm(None)
    direct = running.connect("o", "p")
    for stack in ("s", "n", "renamed", "copy"):
        renderapi.stack.delete_stack(stack, render=direct)
    for collection in P.get_matchcollections(render=direct):
        P.delete_collection(collection["collectionId"]["name"], render=direct)
    S.create_stack("s", render=direct)
    layout = renderapi.layout.Layout(sectionId="sec")
    given = tiles()
    for tile in given:
        tile.layout = layout
    import_tilespecs("s", given, render=direct)
    return direct, proxy


def cells():
    for operation in OPERATIONS:
        for fault in FAULTS:
            quick = operation in QUICK_OPERATIONS and fault.__name__ in QUICK_FAULTS
            marks = () if quick else (pytest.mark.slow,)
            yield pytest.param(operation, fault, id=f"{operation}-{fault.__name__}", marks=marks)


@pytest.mark.parametrize(("operation", "fault"), list(cells()))
def test_a_call_did_what_it_says_or_says_what_happened(clean, operation, fault):
    direct, proxy = clean
    work = OPERATIONS[operation]
    if work.prepare:
        work.prepare(direct)
    right = None if work.done else work.call(direct)
    retries = renderapi.http.sessions.RetryPolicy.of(2).new(backoff_factor=0.01, backoff_jitter=0)
    with renderapi.connect(
        url=f"http://127.0.0.1:{proxy.port}/render-ws", owner="o", project="p", web_only=True, direct=True,
        timeout=(2, 0.4), total=3, retries=retries, headers={"X-Token": "secret"},
    ) as through:  # fmt: skip
        proxy.arm(fault)
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
    assert "secret" not in text
    name = fault.__name__
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
