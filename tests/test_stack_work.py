"""Work on whole stacks: made sure of, held open, derived, deleted by count, compared."""

import math
import re

import pytest

import renderapi
from renderapi.errors import ConflictError, NotFoundError, ServerUnreachableError, StackStateError
from renderapi.server import serve_background
from renderapi.stack import (
    compare_stacks,
    create_stack,
    delete_stack,
    derive_stack,
    ensure_stack,
    get_full_stack_metadata,
    get_stack_metadata,
    get_stack_tileIds,
    loading,
    rename_stack,
    set_stack_state,
)
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel


@pytest.fixture(scope="module")
def server():
    with serve_background() as server:
        yield server


@pytest.fixture
def render(server, request):
    with server.connect(owner="own", project=re.sub(r"[\W_]+", "_", request.node.name).strip("_")) as render:
        yield render


def tile(tile_id, z=0.0, x=0.0, y=0.0):
    return TileSpec(tileId=tile_id, z=z, width=10, height=10, tforms=[AffineModel(B0=x, B1=y)])


def put(render, stack, *tiles, close=True):
    ensure_stack(stack, render=render)
    with loading(stack, close, render=render):
        renderapi.client.import_tilespecs(stack, list(tiles), render=render)


def state(render, stack="s"):
    return get_full_stack_metadata(stack, render=render)["state"]


# ------------------------------------------------------------------------------------------- ensure, derive


def test_a_stack_that_is_not_there_is_made_as_described(render):
    assert ensure_stack("s", stackResolutionX=4, versionNotes="n", render=render) is True
    version = get_stack_metadata("s", render=render)
    assert (version.stackResolutionX, version.stackResolutionY, version.versionNotes) == (4.0, None, "n")
    assert state(render) == "LOADING"


def test_a_stack_that_is_there_keeps_tiles_version_and_state(render):
    create_stack("s", stackResolutionX=4, versionNotes="first", render=render)
    put(render, "s", tile("a"))
    before = get_full_stack_metadata("s", render=render)
    assert ensure_stack("s", stackResolutionX=4.0, versionNotes="other", render=render) is False
    assert get_full_stack_metadata("s", render=render) == before
    assert get_stack_tileIds("s", render=render) == ["a"]


@pytest.mark.parametrize("wanted", [{"stackResolutionX": 5.0}, {"cycleNumber": 1}])
def test_a_stack_that_says_something_else_is_refused_and_stays(render, wanted):
    create_stack("s", stackResolutionX=4, render=render)
    before = get_full_stack_metadata("s", render=render)
    [(key, value)] = wanted.items()
    with pytest.raises(ConflictError, match=rf"stack s is there.*{key} is (4.0|None), not {value}"):
        ensure_stack("s", **wanted, render=render)
    assert get_full_stack_metadata("s", render=render) == before


def test_a_derived_stack_has_the_description_of_its_origin_and_no_tiles(render):
    builder = {"rootPath": "/m", "numberOfLevels": 2, "extension": "jpg"}
    create_stack("s", 3, 4, 5.0, 6.0, 7.0, mipmapPathBuilder=builder, versionNotes="raw", render=render)
    put(render, "s", tile("a"))
    assert derive_stack("s", "d", stackResolutionZ=8.0, to_project="other", render=render) is True
    other = render.options(project="other")
    version = get_stack_metadata("d", render=other)
    assert (version.cycleNumber, version.cycleStepNumber) == (3, 4)
    assert (version.stackResolutionX, version.stackResolutionZ) == (5.0, 8.0)
    assert version.mipmapPathBuilder == builder
    assert version.versionNotes.startswith("derived from stack with owner 'own'")
    assert version.createTimestamp >= get_stack_metadata("s", render=render).createTimestamp
    assert get_stack_tileIds("d", render=other) == []
    assert derive_stack("s", "d", stackResolutionZ=8.0, to_project="other", render=render) is False
    with pytest.raises(NotFoundError):
        derive_stack("nothing", "d", render=render)


# ------------------------------------------------------------------------------------------- loading


def test_a_stack_is_loading_inside_and_complete_after(render):
    put(render, "s", tile("a"))
    assert state(render) == "COMPLETE"
    with loading("s", render=render):
        assert state(render) == "LOADING"
    assert state(render) == "COMPLETE"
    with loading("s", close=False, render=render):
        pass
    assert state(render) == "LOADING"


@pytest.mark.parametrize("failure", [KeyError("x"), KeyboardInterrupt()])
def test_a_stack_whose_loading_fails_is_left_loading_and_the_error_says_so(render, failure, caplog):
    put(render, "s", tile("a"))
    with pytest.raises(type(failure)) as caught, loading("s", render=render):
        raise failure
    assert caught.value is failure
    assert caught.value.__notes__ == ["stack s is left LOADING, because its loading did not end well"]
    assert "left LOADING" in caplog.text
    assert state(render) == "LOADING"


def test_a_stack_without_tiles_does_not_become_complete(render):
    ensure_stack("s", render=render)
    with pytest.raises(StackStateError, match="no tiles") as caught, loading("s", render=render):
        pass
    assert "left LOADING" in caught.value.__notes__[0]


def test_a_stack_that_is_read_only_or_missing_is_not_begun(render):
    put(render, "s", tile("a"))
    set_stack_state("s", "READ_ONLY", render=render)
    for stack, error in (("s", StackStateError), ("nothing", NotFoundError)):
        with pytest.raises(error), loading(stack, render=render):
            raise AssertionError
    assert state(render) == "READ_ONLY"


# ------------------------------------------------------------------------------------------- rename, delete


def test_a_name_that_is_taken_is_a_conflict(render):
    put(render, "s", tile("a"))
    put(render, "t", tile("b"))
    with pytest.raises(ConflictError):
        rename_stack("s", "t", render=render)
    assert get_stack_tileIds("t", render=render) == ["b"]


@pytest.mark.parametrize("close", [True, False])
def test_a_stack_is_deleted_only_if_it_holds_the_expected_number_of_tiles(render, close):
    put(render, "s", tile("a"), tile("b", 1.0), close=close)
    with pytest.raises(ConflictError, match="holds 2 tiles, not the expected 3: it was not deleted"):
        delete_stack("s", expected_tiles=3, render=render)
    assert get_stack_tileIds("s", render=render) == ["a", "b"]
    delete_stack("s", expected_tiles=2, render=render)
    with pytest.raises(NotFoundError):
        delete_stack("s", expected_tiles=0, render=render)


# ------------------------------------------------------------------------------------------- compare


def test_what_was_added_removed_and_moved_is_counted(render):
    put(render, "s", tile("a"), tile("b"), tile("c", 1.0), tile("d", 2.0), tile("e", 2.0))
    put(
        render, "t", tile("a"), tile("b", x=3.0, y=4.0), tile("d", 2.0, x=1.0), tile("f", 2.0), tile("g", 3.0)
    )
    seen = []
    found = compare_stacks("s", "t", progress=lambda *done: seen.append(done), render=render)
    assert (found.tiles, found.other_tiles) == (5, 5)
    assert (found.added, found.added_ids, found.layers_added) == (2, ["f", "g"], [3.0])
    assert (found.removed, found.removed_ids, found.layers_removed) == (2, ["c", "e"], [1.0])
    assert (found.moved, found.largest_shift) == (2, 5.0)
    assert list(found.moved_ids.items()) == [("b", 5.0), ("d", 1.0)]
    assert not found.equal and seen[-1] == (4, 4)
    assert compare_stacks("s", "t", tolerance=2.0, render=render).moved == 1
    few = compare_stacks("s", "t", sample=1, render=render)
    assert (few.added_ids, few.removed_ids, list(few.moved_ids)) == (["f"], ["c"], ["b"])
    assert compare_stacks("s", "s", render=render).equal


def test_a_box_that_grows_moves_its_corners(render):
    put(render, "s", tile("a"))
    put(render, "t", TileSpec(tileId="a", z=0.0, width=13, height=14))
    assert compare_stacks("s", "t", render=render).largest_shift == math.hypot(3, 4)


def test_stacks_of_two_servers_are_compared(render):
    put(render, "s", tile("a"))
    with serve_background() as other, other.connect(owner="o", project="p") as there:
        put(there, "t", tile("a", x=2.0))
        assert compare_stacks("s", "t", other_render=there, render=render).largest_shift == 2.0
        with pytest.raises(NotFoundError):
            compare_stacks("s", "nothing", other_render=there, render=render)
    with pytest.raises(ServerUnreachableError):
        compare_stacks("s", "t", other_render=there.options(retries=0), render=render)
