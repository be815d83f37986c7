"""Stacks arrive whole on other servers and in files, and what was interrupted is carried on."""

import itertools
import json
import pickle
import re
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from renderapi import stack as stacks
from renderapi import transfer
from renderapi.client import import_tilespecs
from renderapi.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    ServerUnreachableError,
    StackStateError,
    TransferError,
)
from renderapi.layout import Layout
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec, get_tile_spec
from renderapi.transfer.files import Folder
from renderapi.transfer.servers import StackOnServer
from renderapi.transform import AffineModel, ReferenceTransform

LAYERS = [1.0, 2.0, 3.5]


@pytest.fixture(scope="module")
def servers():
    with serve_background() as one, serve_background() as two:
        yield one, two


@pytest.fixture
def sides(servers, counter=itertools.count()):
    project = f"p{next(counter)}"
    one, two = (server.connect(owner="own", project=project) for server in servers)
    with one, two:
        yield one, two


@pytest.fixture
def here(sides):
    stacks.create_stack("s", 1, 2, 4.0, 4.0, 35.0, versionNotes="raw", render=sides[0])
    put(sides[0], "s", *(tile(f"{z}-{n}", z, shared=n == 0) for z in LAYERS for n in range(3)))
    return sides[0]


@pytest.fixture
def there(sides):
    return sides[1]


def tile(tile_id, z=1.0, x=0.0, shared=False):
    transforms = [ReferenceTransform(refId="lens")] if shared else []
    layout = Layout(sectionId=f"{z}", stageX=x, stageY=1.5)
    return TileSpec(
        tileId=tile_id, z=z, width=10, height=10, layout=layout, tforms=[*transforms, AffineModel(B0=x)]
    )


def put(render, stack, *tiles, close=True):
    stacks.ensure_stack(stack, render=render)
    lens = AffineModel(B0=0.5, transformId="lens")
    with stacks.loading(stack, close, render=render):
        import_tilespecs(stack, list(tiles), sharedTransforms=[lens], render=render)


def state(render, stack="s"):
    return stacks.get_full_stack_metadata(stack, render=render)["state"]


def digest(render, stack="s"):
    return transfer.digest_stack(stack, render=render)


# ------------------------------------------------------------------------------------------- servers


def test_a_copy_on_another_server_has_tiles_transforms_and_description(here, there):
    seen = []
    done = transfer.copy_stack("s", to_render=there, progress=lambda *n: seen.append(n), render=here)
    assert (done.written, done.kept, done.removed, done.dry_run) == (LAYERS, [], [], False)
    assert done.content == digest(here) == digest(there)
    assert done.content.count == 9 and done.content.parts[3.5].count == 3
    assert seen[-1] == (9, 9)
    assert state(there) == "COMPLETE"
    assert stacks.get_stack_metadata("s", render=there) == stacks.get_stack_metadata("s", render=here)
    both = [get_tile_spec("s", "2.0-0", render=side).to_dict() for side in (here, there)]
    assert both[0] == both[1] and both[0]["transforms"]["specList"][0]["dataString"]


def test_a_copy_that_is_there_already_is_compared_and_not_sent(here, there, monkeypatch):
    first = transfer.copy_stack("s", to_render=there, render=here)
    monkeypatch.setattr(StackOnServer, "write", None)
    again = transfer.copy_stack("s", to_render=there, render=here)
    assert (again.written, again.kept, again.content) == ([], LAYERS, first.content)


def test_a_copy_goes_to_another_project_owner_and_name(here):
    transfer.copy_stack("s", "t", to_owner="you", to_project="other", close_stack=False, render=here)
    target = here.options(owner="you", project="other")
    assert digest(target, "t") == digest(here)
    assert state(target, "t") == "LOADING"
    with pytest.raises(BadRequestError, match="to itself"):
        transfer.copy_stack("s", render=here)


def test_a_copy_that_failed_in_the_middle_is_finished_by_the_same_call(here, there, monkeypatch):
    write = StackOnServer.write

    def breaks(self, key, part):
        if key == 2.0:
            part.documents.popitem()
        write(self, key, part)
        if key == 2.0:
            raise ServerUnreachableError("gone")

    monkeypatch.setattr(StackOnServer, "write", breaks)
    with pytest.raises(ServerUnreachableError, match="gone") as caught:
        transfer.copy_stack("s", to_render=there, poolsize=1, render=here)
    assert re.search(
        r"1 of 3 layers are in stack s .* is left LOADING\. The same call goes on", str(caught.value)
    )
    assert state(there) == "LOADING" and digest(there).count == 5
    monkeypatch.setattr(StackOnServer, "write", write)
    done = transfer.copy_stack("s", to_render=there, render=here)
    assert (done.kept, done.written) == ([1.0], [2.0, 3.5])
    assert digest(there) == digest(here) and state(there) == "COMPLETE"


def test_an_interrupted_copy_says_what_was_done(here, there, monkeypatch):
    def interrupted(self, key, part):
        raise KeyboardInterrupt

    monkeypatch.setattr(StackOnServer, "write", interrupted)
    with pytest.raises(KeyboardInterrupt, match="0 of 3 layers are in stack s"):
        transfer.copy_stack("s", to_render=there, render=here)


OTHERS = {
    "a layer": tile("x", 9.0),
    "a tile of a layer": tile("x", 2.0),
    "another document of a tile": tile("2.0-1", 2.0, x=5.0),
    "a tile in another layer": tile("2.0-1", 3.5),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_target_with_something_else_is_refused_and_stays_unless_overwritten(here, there, other):
    transfer.copy_stack("s", to_render=there, render=here)
    put(there, "s", other)
    before = digest(there)
    with pytest.raises(ConflictError, match=r"layer.* what stack s .* does not have.*Nothing was changed"):
        transfer.copy_stack("s", to_render=there, render=here)
    assert digest(there) == before and state(there) == "COMPLETE"
    done = transfer.copy_stack("s", to_render=there, overwrite=True, render=here)
    assert digest(there) == digest(here) == done.content
    assert done.removed == ([9.0] if other.z == 9.0 else [])
    assert state(there) == "COMPLETE"


def test_a_shared_transform_that_is_another_is_something_else(here, there):
    transfer.copy_stack("s", to_render=there, render=here)
    with stacks.loading("s", render=there):
        other = AffineModel(B0=0.75, transformId="lens")
        import_tilespecs("s", [tile("1.0-0", 1.0, shared=True)], sharedTransforms=[other], render=there)
    assert digest(there) != digest(here)
    with pytest.raises(ConflictError):
        transfer.copy_stack("s", to_render=there, render=here)
    transfer.copy_stack("s", to_render=there, overwrite=True, render=here)
    assert digest(there) == digest(here)


def test_a_target_with_another_resolution_is_refused_if_it_has_tiles(here, there):
    stacks.create_stack("s", stackResolutionX=8.0, render=there)
    transfer.copy_stack("s", to_render=there, render=here)
    assert stacks.get_stack_metadata("s", render=there).stackResolutionX == 4.0
    version = stacks.get_stack_metadata("s", render=there)
    version.stackResolutionX = 8.0
    stacks.set_stack_metadata("s", version, render=there)
    with pytest.raises(ConflictError, match=r"stackResolutionX is 8\.0, not 4\.0"):
        transfer.copy_stack("s", to_render=there, render=here)
    transfer.copy_stack("s", to_render=there, overwrite=True, render=here)
    assert stacks.get_stack_metadata("s", render=there).stackResolutionX == 4.0


def test_a_target_that_is_read_only_and_a_source_that_is_missing_are_refused(here, there):
    transfer.copy_stack("s", to_render=there, render=here)
    stacks.set_stack_state("s", "READ_ONLY", render=there)
    with pytest.raises(StackStateError, match="READ_ONLY: nothing was done"):
        transfer.copy_stack("s", to_render=there, overwrite=True, render=here)
    with pytest.raises(NotFoundError):
        transfer.copy_stack("nothing", to_render=there, render=here)


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(here, there):
    todo = transfer.copy_stack("s", to_render=there, dry_run=True, render=here)
    assert (todo.written, todo.content, todo.dry_run) == (LAYERS, None, True)
    with pytest.raises(NotFoundError):
        state(there)
    put(there, "s", tile("x", 9.0))
    todo = transfer.copy_stack("s", to_render=there, dry_run=True, overwrite=True, render=here)
    assert (todo.removed, digest(there).count) == ([9.0], 1)


def test_what_a_target_changes_when_it_stores_it_is_found(here, there, monkeypatch):
    write = StackOnServer.write

    def changes(self, key, part):
        lost = {
            key: document.replace(b'"width":10.0', b'"width":11.0')
            for key, document in part.documents.items()
        }
        write(self, key, type(part)(lost, part.shared))

    monkeypatch.setattr(StackOnServer, "write", changes)
    with pytest.raises(TransferError, match=r"layer 1\.0 of stack s .* is not what was carried to it"):
        transfer.copy_stack("s", to_render=there, poolsize=1, render=here)
    assert state(there) == "LOADING"


@pytest.mark.filterwarnings("ignore:.*z.*:renderapi.errors.RenderWarning")
def test_tiles_that_no_layer_holds_are_told_of(sides):
    here, there = sides
    put(here, "s", tile("a"), TileSpec(tileId="b", width=10, height=10))
    with pytest.raises(TransferError, match=r"said to hold 2, but 1 are in its parts.*tiles without z"):
        transfer.copy_stack("s", to_render=there, render=here)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_layers_are_carried_by_an_executor_of_the_caller(here, there, kind):
    made = (
        ThreadPoolExecutor(2)
        if kind == "threads"
        else ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    )
    with made as executor:
        done = transfer.copy_stack("s", to_render=there, executor=executor, render=here)
    assert done.content == digest(there) == digest(here)


def test_a_stack_without_tiles_is_copied_and_stays_loading(sides):
    here, there = sides
    stacks.create_stack("s", stackResolutionX=4.0, render=here)
    assert transfer.copy_stack("s", to_render=there, render=here).content.count == 0
    assert state(there) == "LOADING"


# ------------------------------------------------------------------------------------------- moving


def test_a_stack_is_moved_to_another_server_and_gone_from_this_one(here, there):
    before = digest(here)
    assert transfer.move_stack("s", "t", to_render=there, dry_run=True, render=here).written == LAYERS
    assert digest(here) == before
    assert transfer.move_stack("s", "t", to_render=there, render=here).content == before
    assert digest(there, "t") == before
    with pytest.raises(NotFoundError):
        state(here)


def test_a_stack_is_renamed_where_it_stays_on_its_server(here, monkeypatch):
    before = digest(here)
    monkeypatch.setattr(StackOnServer, "write", None)
    transfer.move_stack("s", "t", to_project="other", render=here)
    assert digest(here.options(project="other"), "t") == before
    with pytest.raises(NotFoundError):
        transfer.move_stack("s", "t", to_project="other", render=here)


def test_a_stack_that_changed_while_it_was_moved_is_not_deleted(here, there, monkeypatch):
    end = StackOnServer.end

    def later(self, content):
        end(self, content)
        put(here, "s", tile("late"))

    monkeypatch.setattr(StackOnServer, "end", later)
    with pytest.raises(ConflictError, match="holds 10 tiles, not the expected 9"):
        transfer.move_stack("s", to_render=there, render=here)
    assert digest(here).count == 10


# ------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("format", transfer.FORMATS)
def test_an_export_has_everything_and_comes_back(here, there, tmp_path, format):
    if format != "jsonl.gz":
        pytest.importorskip("pyarrow")
    done = transfer.export_stack("s", tmp_path / "e", format=format, render=here)
    assert done.content == digest(here) == transfer.digest_files(tmp_path / "e")
    assert sorted(path.name for path in (tmp_path / "e" / "tiles").iterdir()) == [
        f"z={z}.{format}" for z in LAYERS
    ]
    again = transfer.export_stack("s", tmp_path / "e", format=format, render=here)
    assert (again.kept, again.content) == (LAYERS, done.content)
    back = transfer.import_stack(tmp_path / "e", render=there)
    assert back.content == digest(there) == done.content
    assert state(there) == "COMPLETE"
    assert stacks.get_stack_metadata("s", render=there) == stacks.get_stack_metadata("s", render=here)
    manifest = json.loads((tmp_path / "e" / "manifest.json").read_bytes())
    assert manifest["complete"] is True and manifest["count"] == 9 and len(manifest["parts"]) == 3


def test_an_export_that_failed_in_the_middle_is_not_imported_but_finished(here, there, tmp_path, monkeypatch):
    write = Folder.write

    def breaks(self, key, part):
        if key == 2.0:
            raise TransferError("out of luck")
        write(self, key, part)

    monkeypatch.setattr(Folder, "write", breaks)
    with pytest.raises(TransferError, match=r"luck\n1 of 3 layers are in folder .*it is not complete"):
        transfer.export_stack("s", tmp_path, poolsize=1, render=here)
    for read in (
        lambda: transfer.import_stack(tmp_path, render=there),
        lambda: transfer.digest_files(tmp_path),
    ):
        with pytest.raises(TransferError, match="not finished: run it again"):
            read()
    monkeypatch.setattr(Folder, "write", write)
    done = transfer.export_stack("s", tmp_path, render=here)
    assert (done.kept, done.written) == ([1.0], [2.0, 3.5])
    assert transfer.digest_files(tmp_path) == digest(here)


def test_an_export_of_something_else_is_refused_unless_overwritten(here, tmp_path):
    transfer.export_stack("s", tmp_path / "e", render=here)
    put(here, "s", tile("1.0-1", 1.0, x=7.0))
    with pytest.raises(ConflictError, match=r"layer 1\.0 of it holds what"):
        transfer.export_stack("s", tmp_path / "e", render=here)
    transfer.export_stack("s", tmp_path / "e", overwrite=True, render=here)
    assert transfer.digest_files(tmp_path / "e") == digest(here)
    pytest.importorskip("pyarrow")
    with pytest.raises(ConflictError, match=r"files are jsonl\.gz, not parquet"):
        transfer.export_stack("s", tmp_path / "e", format="parquet", render=here)
    transfer.export_stack("s", tmp_path / "e", format="parquet", overwrite=True, render=here)
    assert transfer.digest_files(tmp_path / "e") == digest(here)
    assert not list(tmp_path.rglob("*.gz"))


def damaged(path, content):
    path.write_bytes(content)


DAMAGES = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "another content": lambda path: path.write_bytes((path.parent / "z=1.0.jsonl.gz").read_bytes()),
    "no content": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_found_before_it_is_sent(here, there, tmp_path, damage):
    transfer.export_stack("s", tmp_path, render=here)
    damage(tmp_path / "tiles" / "z=2.0.jsonl.gz")
    with pytest.raises(TransferError, match=r"2\.0"):
        transfer.digest_files(tmp_path)
    with pytest.raises(TransferError, match=r"2\.0"):
        transfer.import_stack(tmp_path, render=there)
    transfer.export_stack("s", tmp_path, overwrite=True, render=here)
    assert transfer.digest_files(tmp_path) == digest(here)


def test_what_a_killed_export_left_is_cleared_away(here, tmp_path):
    (tmp_path / ".manifest.json.1234.part").write_text("{")
    transfer.export_stack("s", tmp_path, render=here)
    (tmp_path / "tiles" / ".z=2.0.jsonl.gz.1234.part").write_text("x")
    transfer.export_stack("s", tmp_path, render=here)
    assert not list(tmp_path.rglob("*.part"))
    assert transfer.digest_files(tmp_path) == digest(here)


def test_folders_that_are_no_export_are_left_alone(here, there, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("x")
    with pytest.raises(FileExistsError, match="is no export"):
        transfer.export_stack("s", tmp_path / "mine", overwrite=True, render=here)
    with pytest.raises(NotFoundError, match=r"no manifest\.json"):
        transfer.import_stack(tmp_path / "mine", render=there)
    with pytest.raises(NotFoundError, match=r"no manifest\.json"):
        transfer.digest_files(tmp_path / "mine")
    with pytest.raises(BadRequestError, match=r"one of jsonl\.gz"):
        transfer.export_stack("s", tmp_path / "new", format="csv", render=here)
    transfer.export_stack("s", tmp_path / "e", render=here)
    with pytest.raises(BadRequestError, match="an export of stack, not of matches"):
        transfer.import_matches(tmp_path / "e", render=there)
    (tmp_path / "e" / "manifest.json").write_text("[]")
    with pytest.raises(TransferError, match="no manifest of an export"):
        transfer.digest_files(tmp_path / "e")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note"]


def test_parquet_without_pyarrow_says_what_to_install(here, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"render-python\[tables\]"):
        transfer.export_stack("s", tmp_path, format="parquet", render=here)
    assert transfer.export_stack("s", tmp_path, render=here).content.count == 9


def test_other_tools_read_the_parquet_files(here, tmp_path):
    pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    transfer.export_stack("s", tmp_path, format="parquet", render=here)
    table = parquet.read_table(tmp_path / "tiles").to_pydict()
    assert len(table["tileId"]) == 9
    row = table["tileId"].index("3.5-0")
    found = {name: values[row] for name, values in table.items()}
    document = json.loads(found.pop("document"))
    assert document["tileId"] == "3.5-0" and document["transforms"]["specList"][0]["refId"] == "lens"
    box = {name: document[name] for name in ("minX", "minY", "maxX", "maxY")}
    assert found == {
        **box, "tileId": "3.5-0", "z": 3.5, "sectionId": "3.5", "groupId": None, "width": 10.0, "height": 10.0,
        "stageX": 0.0, "stageY": 1.5, "imageRow": None, "imageCol": None, "camera": None, "imageUrl": None,
        "maskUrl": None, "transformRefs": ["lens"],
    }  # fmt: skip
    shared = parquet.read_table(tmp_path / "transforms" / "z=3.5.parquet").to_pydict()
    assert shared["id"] == ["lens"] and json.loads(shared["document"][0])["id"] == "lens"


# ------------------------------------------------------------------------------------------- digests


def test_the_digest_does_not_depend_on_order_or_spelling():
    part = transfer.parts.Part
    one = part({"a": b'{"tileId":"a","z":1.0}', "b": b'{"tileId":"b","z":1e10}'})
    same = part({"b": b'{"z": 10000000000.0, "tileId": "\\u0062"}', "a": b'{"z":1.00,"tileId":"a"}'})
    other = part({"a": b'{"tileId":"a","z":1.5}', "b": b'{"tileId":"b","z":1e10}'})
    assert one.digest() == same.digest() != other.digest()
    assert same.same_as(one, one.digest()) and not other.same_as(one, one.digest())
    assert part({"a": one.documents["a"]}).within(same) and not other.within(one)
    assert pickle.loads(pickle.dumps(one.digest())) == one.digest()


def test_the_digest_is_that_of_its_definition(here):
    import hashlib

    found = digest(here)

    def hashed(document):
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    parts = []
    project = transfer.stacks.Project("", None, "", "", None, here)
    place = StackOnServer(project.other(here), "s")
    for z in LAYERS:
        part = place.read(z)
        lists = [
            [json.loads(documents[key]) for key in sorted(documents)]
            for documents in (part.documents, part.shared)
        ]
        parts.append([z, 3, hashed(lists)])
    assert [[z, part.count, part.digest] for z, part in found.parts.items()] == parts
    assert found.digest == hashed(parts)
