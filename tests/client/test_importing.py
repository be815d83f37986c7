"""Imports without Java: everything arrives with the boxes that Java derives, or is reported."""

import gzip
import inspect
import json
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import responses
from loopback import Loopback, answer

import renderapi
from renderapi._project import Project
from renderapi.client import importing
from renderapi.client.local import uploading
from renderapi.errors import (
    ClientScriptError,
    ImportFailedError,
    NotFoundError,
    RenderError,
    RenderWarning,
    ServerUnreachableError,
    SpecError,
    StackStateError,
)
from renderapi.layout import Layout
from renderapi.resolvedtiles import ResolvedTiles, get_resolved_tiles_from_z
from renderapi.server import serve_background
from renderapi.stack import create_stack, get_full_stack_metadata, set_stack_state
from renderapi.tilespec import TileSpec, get_tile_specs_from_stack, get_tile_specs_from_z
from renderapi.transform import AffineModel, ReferenceTransform, TransformList

BASE = "http://render.example:8080/render-ws/v1/owner/own/project/proj/stack/stk"


def tile(number, z=0.0, **changes):
    values = {
        "tileId": f"tile {number}/x",  # ids may hold blanks and slashes
        "z": z,
        "width": 100,
        "height": 80,
        "layout": Layout(sectionId=f"{z}", pixelsize=4.0),
        "imageUrl": f"/data/{number}.tif",
        "tforms": [AffineModel(B0=100.5 * number, B1=-3.25)],
        **changes,
    }
    return TileSpec(**values)


@pytest.fixture
def http():
    """Answer requests as the test says, and no other."""
    with responses.mock:
        yield


@pytest.fixture(scope="module")
def server():
    with serve_background() as server:
        yield server


@pytest.fixture
def render(server, request):
    render = server.connect(owner="own", project="proj", retries=0)
    stack = "s" + "".join(c for c in request.node.name if c.isalnum())[:60]
    create_stack(stack, render=render)
    render.stack = stack
    with render:
        yield render


def state(render):
    return get_full_stack_metadata(render.stack, render=render)["state"]


def stored(render):
    return {t.tileId: t.to_dict(bounds=True) for t in get_tile_specs_from_stack(render.stack, render=render)}


class TestTiles:
    def test_everything_arrives_with_its_box(self, render):
        tiles = [tile(i) for i in range(3)]
        assert renderapi.client.import_tilespecs(render.stack, tiles, render=render) is None
        found = stored(render)
        assert list(found) == ["tile 0/x", "tile 1/x", "tile 2/x"]
        assert [found[t][k] for t in found for k in ("minX", "minY", "maxX", "maxY")] == [
            0, -3, 100, 77, 100, -3, 200, 77, 201, -3, 301, 77,
        ]  # fmt: skip
        assert [t["transforms"] for t in found.values()] == [t.to_dict()["transforms"] for t in tiles]
        assert [t["layout"] for t in found.values()] == [t.to_dict()["layout"] for t in tiles]
        assert state(render) == "LOADING"

    def test_the_tiles_that_were_given_stay_as_they_are(self, render):
        one = tile(1)
        renderapi.client.import_tilespecs(render.stack, [one], render=render)
        assert one.bbox == (None, None, None, None)

    def test_a_complete_stack_is_set_loading_as_java_does(self, render):
        renderapi.client.import_tilespecs(render.stack, [tile(0)], render=render)
        set_stack_state(render.stack, "COMPLETE", render=render)
        renderapi.client.import_tilespecs(render.stack, [tile(1)], render=render)
        assert state(render) == "LOADING"
        assert len(stored(render)) == 2

    def test_a_read_only_stack_is_refused(self, render):
        renderapi.client.import_tilespecs(render.stack, [tile(0)], render=render)
        for step in ("COMPLETE", "READ_ONLY"):
            set_stack_state(render.stack, step, render=render)
        with pytest.raises(StackStateError, match="nothing was imported"):
            renderapi.client.import_tilespecs(render.stack, [tile(1)], render=render)
        set_stack_state(render.stack, "COMPLETE", render=render)

    def test_a_stack_that_does_not_exist(self, render):
        with pytest.raises(NotFoundError, match="does not exist"):
            renderapi.client.import_tilespecs("no_such_stack", [tile(0)], render=render)

    def test_shared_transforms_go_along_also_those_that_no_tile_uses(self, render):
        lens = AffineModel(B0=1000, transformId="lens")
        spare = AffineModel(B1=5, transformId="spare")
        tiles = [tile(i, tforms=[ReferenceTransform("lens"), AffineModel(B0=i)]) for i in range(5)]
        renderapi.client.import_tilespecs(render.stack, tiles, [lens, spare], render=render, batch_size=2)
        resolved = get_resolved_tiles_from_z(render.stack, 0.0, render=render)
        assert [t.transformId for t in resolved.transforms] == ["lens"]
        assert sorted(t.minX for t in resolved.tilespecs) == [1000, 1001, 1002, 1003, 1004]
        found = render.request("GET", f"owner/own/project/proj/stack/{render.stack}/transform/spare").json()
        assert found["id"] == "spare"

    def test_of_two_tiles_with_one_id_the_later_counts_with_a_warning(self, render):
        tiles = [tile(1), tile(2), tile(1, z=5.0)]
        with pytest.warns(RenderWarning, match="the later one counts: tile 1/x"):
            renderapi.client.import_tilespecs(render.stack, tiles, render=render)
        assert {t: spec["z"] for t, spec in stored(render).items()} == {"tile 1/x": 5.0, "tile 2/x": 0.0}

    def test_the_same_tile_twice_needs_no_warning(self, render):
        renderapi.client.import_tilespecs(render.stack, [tile(1), tile(1)], render=render)
        assert len(stored(render)) == 1

    @pytest.mark.parametrize(
        ("bad", "text"),
        [
            ({"tileId": None}, "has the tileId None"),
            ({"width": None}, "has no width or height"),
            ({"tforms": [ReferenceTransform("gone")]}, r"requires the following transform ids \[gone\]"),
            ({"tforms": [AffineModel(B0=float("nan"))]}, "a transform of tile 'tile 7/x' holds NaN"),
            ({"tforms": [TransformList([AffineModel(M00=float("inf"))])]}, "tile 7/x' holds Infinity"),
            ({"z": float("inf")}, "z of tile 'tile 7/x' is inf"),
            ({"tforms": [renderapi.transform.leaf.Transform("no.such.Class", "1 2")]}, "no.such.Class"),
        ],
        ids=["id", "size", "reference", "nan transform", "nested", "infinite z", "unknown class"],
    )
    @pytest.mark.parametrize("name", ["import_tilespecs", "import_tilespecs_parallel"])
    def test_one_bad_tile_and_nothing_is_sent(self, render, name, bad, text):
        tiles = [*(tile(i) for i in range(7)), tile(7, **bad)]
        with pytest.raises(SpecError, match=text):
            getattr(renderapi.client, name)(render.stack, tiles, render=render, batch_size=2)
        assert stored(render) == {}

    def test_shared_transforms_need_an_id(self, render):
        with pytest.raises(SpecError, match="shared transform 0 has no id"):
            renderapi.client.import_tilespecs(render.stack, [tile(0)], [AffineModel()], render=render)

    def test_shared_transforms_must_be_finite(self, render):
        lens = AffineModel(B0=float("inf"), transformId="lens")
        with pytest.raises(SpecError, match="the shared transform 'lens' holds Infinity"):
            renderapi.client.import_tilespecs(render.stack, [tile(0)], [lens], render=render)

    def test_no_tiles_is_nothing_to_do(self, render):
        renderapi.client.import_tilespecs(render.stack, [], render=render)
        assert stored(render) == {}

    def test_neither_tiles_nor_resolved_tiles(self, render):
        with pytest.raises(ValueError, match="needs tilespecs"):
            renderapi.client.import_tilespecs(render.stack, None, render=render)

    def test_unknown_engine(self, render):
        with pytest.raises(ValueError, match="'java' or 'python'"):
            renderapi.client.import_tilespecs(render.stack, [tile(0)], render=render, engine="rust")

    def test_java_without_a_script_says_how_to_configure_one(self, render):
        with pytest.raises(ClientScriptError, match="client_scripts"):
            renderapi.client.import_tilespecs(render.stack, [tile(0)], render=render, engine="java")


class TestStreams:
    def test_a_generator_is_sent_as_it_comes(self, render):
        done = []
        renderapi.client.import_tilespecs_parallel(
            render.stack,
            (tile(i) for i in range(25)),
            max_tilespecs_per_group=4,
            render=render,
            progress=lambda n, total: done.append((n, total)),
        )
        assert len(stored(render)) == 25
        assert done[-1] == (25, None)
        assert state(render) == "COMPLETE"

    def test_a_bad_tile_stops_it_and_the_error_says_what_was_stored(self, render):
        def tiles():
            yield from (tile(i) for i in range(6))
            yield tile(6, width=None)

        with pytest.raises(SpecError, match=r"6 tile specs before it were stored"):
            renderapi.client.import_tilespecs_parallel(
                render.stack, tiles(), max_tilespecs_per_group=2, render=render
            )
        assert len(stored(render)) == 6
        assert state(render) == "LOADING"

    def test_a_tile_that_comes_again_much_later_counts(self, render):
        tiles = (tile(i % 10, z=float(i)) for i in range(20))
        renderapi.client.import_tilespecs_parallel(
            render.stack, tiles, max_tilespecs_per_group=1, render=render, close_stack=False
        )
        assert {spec["z"] for spec in stored(render).values()} == set(range(10, 20))

    def test_a_tile_that_comes_again_is_sent_when_the_earlier_one_is_stored(self, render):
        events = []

        class Recording(ThreadPoolExecutor):
            def submit(self, send, batch):
                def run():
                    time.sleep(0.1)  # time to send the others too early
                    outcome = send(batch)
                    events.append(("stored", *batch.tile_ids))
                    return outcome

                events.append(("sent", *batch.tile_ids))
                return super().submit(run)

        with Recording(4) as executor:
            renderapi.client.import_tilespecs_parallel(
                render.stack,
                map(tile, [0, 1, 0, 2]),
                max_tilespecs_per_group=1,
                render=render,
                mpPool=executor,
            )
        first, again = (i for i, event in enumerate(events) if event == ("sent", "tile 0/x"))
        assert first < events.index(("stored", "tile 0/x")) < again
        assert ("sent", "tile 1/x") in events[: events.index(("stored", "tile 0/x"))]

    def test_duplicates_within_a_batch_of_a_generator(self, render):
        with pytest.warns(RenderWarning, match="tile 0/x"):
            renderapi.client.import_tilespecs(render.stack, iter([tile(0), tile(0, z=3.0)]), render=render)
        assert [spec["z"] for spec in stored(render).values()] == [3.0]

    def test_an_exception_of_the_generator_arrives(self, render):
        def tiles():
            yield tile(0)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            renderapi.client.import_tilespecs_parallel(render.stack, tiles(), render=render)
        assert state(render) == "LOADING"
        assert not [t for t in threading.enumerate() if t.name.startswith("renderapi-import")]


class TestParallel:
    def test_the_guide_runs_where_its_client_scripts_are_not(self, render, server):
        host, port = server.url.removesuffix("/render-ws").rsplit(":", 1)
        with pytest.warns(RenderWarning, match="no Java clients on this connection"):
            connected = renderapi.connect(
                host=host, port=port, owner="own", project="proj",
                client_scripts="/usr/local/render/render-ws-java-client/src/scripts", memGB="2G",
            )  # fmt: skip
        with connected:
            renderapi.client.import_tilespecs_parallel(render.stack, [tile(1)], render=connected)
        assert state(render) == "COMPLETE"

    def test_many_batches(self, render):
        tiles = [tile(i, z=float(i // 10)) for i in range(100)]
        renderapi.client.import_tilespecs_parallel(
            render.stack, tiles, poolsize=3, max_tilespecs_per_group=7, render=render
        )
        assert len(stored(render)) == 100
        assert state(render) == "COMPLETE"

    def test_the_stack_can_stay_open(self, render):
        renderapi.client.import_tilespecs_parallel(render.stack, [tile(0)], close_stack=False, render=render)
        assert state(render) == "LOADING"

    def test_progress_is_told_of_every_tile(self, render):
        done = []

        class Bar:
            def update(self, n):
                done.append(n)

        renderapi.client.import_tilespecs_parallel(
            render.stack,
            [tile(i) for i in range(10)],
            max_tilespecs_per_group=4,
            render=render,
            progress=Bar(),
        )
        assert sorted(done) == [2, 4, 4]

    def test_a_bar_of_tqdm(self, render, capsys):
        pytest.importorskip("tqdm")
        renderapi.client.import_tilespecs_parallel(
            render.stack, [tile(i) for i in range(4)], render=render, progress="my tiles"
        )
        assert "my tiles" in capsys.readouterr().err

    def test_without_tqdm_the_error_says_what_to_install(self, render, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
        with pytest.raises(ImportError, match=r'pip install "render-python\[progress\]>=3"'):
            renderapi.client.import_tilespecs(render.stack, [tile(0)], render=render, progress=True)

    def test_batches_are_limited_in_bytes(self, render, monkeypatch):
        monkeypatch.setattr(uploading, "BATCH_BYTES", 3000)
        job = uploading.Import(render.stack, None)
        batches = list(job.batches([tile(i) for i in range(50)], 5000))
        assert len(batches) >= 8
        assert max(len(batch.content) for batch in batches) < 3500
        assert [i for batch in batches for i in batch.tile_ids] == [f"tile {i}/x" for i in range(50)]
        renderapi.client.import_tilespecs_parallel(render.stack, [tile(i) for i in range(50)], render=render)
        assert len(stored(render)) == 50


def put_answers(*statuses):
    """Answer the state requests, and the given statuses to one import after the other."""
    responses.put(f"{BASE}/state/LOADING", status=201)
    responses.put(f"{BASE}/state/COMPLETE", status=201)
    responses.get(BASE, json={"state": "LOADING"})
    for status in statuses:
        body = "" if status == 201 else f"trouble {status}"
        responses.put(f"{BASE}/resolvedTiles", status=status, body=body)


@pytest.fixture
def mocked():
    return renderapi.connect("render.example", 8080, "own", "proj", web_only=True, retries=0)


class TestFailures:
    @responses.activate(registry=responses.registries.OrderedRegistry)
    def test_failed_batches_are_reported_and_the_others_are_stored(self, mocked):
        responses.put(f"{BASE}/state/LOADING", status=201)
        for status in (201, 500, 201, 400, 201):
            body = "" if status == 201 else f"trouble {status}"
            responses.put(f"{BASE}/resolvedTiles", status=status, body=body)
        with pytest.raises(ImportFailedError) as caught:
            renderapi.client.import_tilespecs_parallel(
                "stk", [tile(i) for i in range(10)], poolsize=1, max_tilespecs_per_group=2, render=mocked
            )
        error = caught.value
        assert error.stored == 6
        assert [ids for ids, _ in error.failures] == [["tile 2/x", "tile 3/x"], ["tile 6/x", "tile 7/x"]]
        assert [e.status_code for _, e in error.failures] == [500, 400]
        assert "4 tile specs in 2 batches were not stored in stack stk (6 were)" in str(error)
        assert "trouble 500" in str(error)
        assert (error.status_code, error.method) == (500, "PUT")
        # the stack was not closed
        assert responses.calls[-1].request.url.startswith(f"{BASE}/resolvedTiles")

    @responses.activate(registry=responses.registries.OrderedRegistry)
    @pytest.mark.parametrize("also_refused", [True, False])
    def test_a_batch_whose_answer_was_lost_is_counted_apart(self, mocked, also_refused):
        responses.put(f"{BASE}/state/LOADING", status=201)
        responses.put(f"{BASE}/resolvedTiles", status=504, body="gateway")
        responses.put(f"{BASE}/resolvedTiles", status=400 if also_refused else 201)
        responses.put(f"{BASE}/resolvedTiles", status=201)
        with pytest.raises(ImportFailedError) as caught:
            renderapi.client.import_tilespecs_parallel(
                "stk", [tile(i) for i in range(6)], poolsize=1, max_tilespecs_per_group=2, render=mocked
            )
        error = pickle.loads(pickle.dumps(caught.value))
        assert error.unknown == ["tile 0/x", "tile 1/x"]
        assert error.stored == 6 - 2 * len(error.failures)
        assert "Of 2 tile specs in 1 batch it is unknown whether they are stored in stack stk" in str(error)
        assert ("2 tile specs in 1 batch were not stored" in str(error)) == also_refused
        assert str(error).count("were not stored") == also_refused

    @responses.activate
    def test_batches_that_were_never_sent_are_not_unknown(self, mocked):
        put_answers()
        responses.put(f"{BASE}/resolvedTiles", body=requests.exceptions.ChunkedEncodingError("cut"))
        with pytest.raises(requests.ConnectionError) as caught:
            renderapi.client.import_tilespecs("stk", [tile(i) for i in range(6)], batch_size=2, render=mocked)
        assert caught.value.unknown == ["tile 0/x", "tile 1/x"]
        assert "4 tile specs in 2 batches were not stored" in str(caught.value)

    @responses.activate
    @pytest.mark.parametrize("poolsize", [1, 4])
    def test_what_cannot_succeed_is_not_tried_with_every_batch(self, mocked, poolsize):
        put_answers(404)
        with pytest.raises(ImportFailedError) as caught:
            renderapi.client.import_tilespecs_parallel(
                "stk",
                [tile(i) for i in range(100)],
                poolsize=poolsize,
                max_tilespecs_per_group=1,
                render=mocked,
            )
        assert sum(len(ids) for ids, _ in caught.value.failures) == 100
        assert len(responses.calls) < 30
        assert isinstance(caught.value.__cause__, NotFoundError)

    @responses.activate
    def test_a_server_that_is_gone_is_no_render_error(self, mocked):
        put_answers()
        responses.put(f"{BASE}/resolvedTiles", body=requests.ConnectionError("gone"))
        with pytest.raises(requests.ConnectionError) as caught:
            renderapi.client.import_tilespecs("stk", [tile(0)], render=mocked)
        assert isinstance(caught.value, ServerUnreachableError)
        assert not isinstance(caught.value, RenderError)
        assert caught.value.failures[0][0] == ["tile 0/x"]
        assert "1 tile specs in 1 batch were not stored" in str(caught.value)

    @responses.activate
    def test_every_request_uses_the_callers_session(self, mocked):
        put_answers(201)
        session = requests.Session()
        session.headers["X-Mine"] = "yes"
        renderapi.client.import_tilespecs_parallel(
            "stk", [tile(i) for i in range(9)], max_tilespecs_per_group=2, render=mocked, session=session
        )
        assert {call.request.headers.get("X-Mine") for call in responses.calls} == {"yes"}
        assert len(responses.calls) == 7


class TestRest:
    def test_use_rest_lets_the_server_derive(self, render):
        renderapi.client.import_tilespecs(render.stack, [tile(1)], use_rest=True, render=render)
        assert stored(render)["tile 1/x"]["minX"] == 100.0

    def test_without_deriveData_the_tiles_own_boxes_are_stored(self, render):
        renderapi.client.import_tilespecs(
            render.stack,
            [tile(1, minX=1.5, minY=2.5, maxX=3.5, maxY=4.5)],
            use_rest=True,
            deriveData=False,
            render=render,
        )
        assert stored(render)["tile 1/x"]["minX"] == 1.5

    @responses.activate
    def test_the_undecorated_function_with_a_session_and_resolved_tiles(self):
        class Own(ResolvedTiles):
            def to_dict(self):
                return {**super().to_dict(), "own": True}

        responses.put(
            "https://em.example:443/render-ws/v1/owner/o/project/p/stack/s/resolvedTiles", status=201
        )
        with requests.Session() as session:
            session.auth = ("user", "password")
            renderapi.client.import_tilespecs.__wrapped__(
                stack="s", tilespecs=None, resolved_tiles=Own([tile(0)]), use_rest=True, deriveData=False,
                host="https://em.example", port=443, owner="o", project="p", session=session,
            )  # fmt: skip
        request = responses.calls[0].request
        assert json.loads(request.body)["own"] is True
        assert request.headers["Authorization"].startswith("Basic ")


@pytest.fixture
def files(tmp_path):
    """Three files of tiles, one of them gzipped, and one of shared transforms."""
    paths = []
    for index in range(3):
        documents = [
            tile(10 * index + i, z=float(index), tforms=[ReferenceTransform("lens")]).to_dict()
            for i in range(4)
        ]
        path = tmp_path / f"tiles {index}.json{'.gz' if index == 2 else ''}"
        content = json.dumps(documents).encode()
        path.write_bytes(gzip.compress(content) if index == 2 else content)
        paths.append(str(path))
    transforms = tmp_path / "lens.json"
    transforms.write_text(json.dumps([AffineModel(B0=50, transformId="lens").to_dict()]))
    return paths, str(transforms)


class TestFiles:
    def test_one_file(self, render, files):
        renderapi.client.import_single_json_file(render.stack, files[0][0], files[1], render=render)
        assert len(stored(render)) == 4
        assert state(render) == "LOADING"

    @pytest.mark.parametrize("name", ["import_jsonfiles", "import_jsonfiles_parallel"])
    def test_several_files(self, render, files, name):
        getattr(renderapi.client, name)(render.stack, files[0], transformFile=files[1], render=render)
        assert len(stored(render)) == 12
        assert {spec["minX"] for spec in stored(render).values()} == {50.0}
        assert state(render) == "COMPLETE"

    def test_the_stack_can_stay_open(self, render, files):
        renderapi.client.import_jsonfiles(render.stack, files[0], files[1], render=render, close_stack=False)
        assert state(render) == "LOADING"

    def test_positional_as_old_programs_write_it(self, render, files):
        renderapi.client.import_jsonfiles_parallel(render.stack, files[0], 3, files[1], render=render)
        assert len(stored(render)) == 12

    def test_files_with_transforms_of_their_own(self, render, files):
        renderapi.client.import_jsonfiles_and_transforms_parallel_by_z(
            render.stack, files[0], [files[1]] * 3, render=render
        )
        assert len(stored(render)) == 12
        assert state(render) == "COMPLETE"

    def test_as_many_transform_files_as_tile_files(self, render, files):
        with pytest.raises(ValueError, match="3 tile files need as many transform files, not 1"):
            renderapi.client.import_jsonfiles_and_transforms_parallel_by_z(
                render.stack, files[0], [files[1]], render=render
            )

    @pytest.mark.parametrize(
        ("content", "text"),
        [("{", "is not JSON"), ("{}", "JSON list of tile specs"), ("[1]", "list of tile specs")],
    )
    def test_a_bad_file_is_named(self, render, tmp_path, content, text):
        path = tmp_path / "bad.json"
        path.write_text(content)
        with pytest.raises(SpecError, match=text) as caught:
            renderapi.client.import_single_json_file(render.stack, str(path), render=render)
        assert "bad.json" in str(caught.value)

    def test_a_file_that_is_not_there(self, render):
        with pytest.raises(FileNotFoundError):
            renderapi.client.import_jsonfiles(render.stack, ["/no/such/file.json"], render=render)

    def test_validation_leaves_out_bad_tiles_and_says_so(self, render, tmp_path):
        image = tmp_path / "image.tif"
        image.write_bytes(b"x")
        good = tile(1, width=1000, height=1000, imageUrl=str(image)).to_dict()
        small = tile(2, width=100, height=1000, imageUrl=str(image)).to_dict()
        missing = tile(3, width=1000, height=1000, imageUrl="/no/such/image.tif").to_dict()
        path = tmp_path / "tiles.json"
        path.write_text(json.dumps([good, small, missing]))
        with pytest.warns(RenderWarning, match="leaves out 2 of 3 tiles: tile 2/x: width 100 is not between"):
            renderapi.client.import_jsonfiles_validate_client(render.stack, [str(path)], render=render)
        assert list(stored(render)) == ["tile 1/x"]
        assert state(render) == "COMPLETE"


def java_answers():
    responses.put(f"{BASE}/state/LOADING", status=201)
    responses.put(f"{BASE}/state/COMPLETE", status=201)


def states():
    urls = [call.request.url for call in responses.calls]
    return [url.rpartition("/")[2] for url in urls if "/state/" in url]


#: Body of a stand-in that keeps what the files hold, which are gone afterwards.
KEEP = """
for word; do case "$word" in *.json) cp "$word" "$(dirname "$0")/seen_$(basename "$word")";; esac; done
"""


@pytest.mark.usefixtures("http")
@pytest.mark.filterwarnings("ignore:the Java client ended well, but whether:renderapi.errors.RenderWarning")
class TestJava:
    """With a client script configured Java does the work."""

    def seen(self, script):
        return [json.loads(path.read_text()) for path in sorted(script.path.parent.glob("seen_*"))]

    def test_tiles_go_through_temporary_files(self, script, connection, temporary_folder):
        script.write(KEEP)
        lens = AffineModel(B0=5, transformId="lens")
        tiles = [tile(1, tforms=[ReferenceTransform("lens")])]
        renderapi.client.import_tilespecs("stk", tiles, [lens], **connection)
        call = script.only_call()
        assert call[:2] == ["1G", "org.janelia.render.client.ImportJsonClient"]
        assert "--transformFile" in call
        assert sorted(self.seen(script), key=str) == sorted([[tiles[0].to_dict()], [lens.to_dict()]], key=str)
        assert list(temporary_folder.iterdir()) == []
        assert states() == []

    @pytest.mark.parametrize("name", ["import_tilespecs", "import_tilespecs_parallel"])
    def test_no_temporary_file_is_left_when_java_fails(self, script, connection, temporary_folder, name):
        java_answers()
        script.write("echo no heap today; exit 1")
        with pytest.raises(ClientScriptError, match="no heap today"):
            getattr(renderapi.client, name)("stk", [tile(1)], [AffineModel(transformId="t")], **connection)
        assert list(temporary_folder.iterdir()) == []
        assert "COMPLETE" not in states()

    def test_nor_when_a_tile_cannot_be_written(self, script, connection, temporary_folder):
        with pytest.raises(SpecError, match="z of tile 'tile 1/x' is nan"):
            renderapi.client.import_tilespecs("stk", [tile(1, z=float("nan"))], **connection)
        assert list(temporary_folder.iterdir()) == []
        assert script.calls == []

    @pytest.mark.parametrize(
        ("options", "sizes"), [({"poolsize": 3}, [3, 3, 1]), ({"max_tilespecs_per_group": 2}, [1, 2, 2, 2])]
    )
    def test_tiles_are_shared_out_to_several_java_clients(
        self, script, connection, temporary_folder, options, sizes
    ):
        java_answers()
        script.write(KEEP)
        pool = renderapi.external.processpools.stdlib_pool.WithThreadPool
        renderapi.client.import_tilespecs_parallel(
            "stk", (tile(i) for i in range(7)), mpPool=pool, **{**connection, **options}
        )
        assert sorted(len(group) for group in self.seen(script)) == sorted(sizes)
        assert states() == ["LOADING", "COMPLETE"]
        assert list(temporary_folder.iterdir()) == []

    def test_files_with_transforms_of_their_own_by_the_default_pool(self, script, connection, tmp_path):
        java_answers()
        names = [str(tmp_path / name) for name in ("a.json", "b.json", "ta.json", "tb.json")]
        for name in names:
            with open(name, "w") as file:  # noqa: PTH123
                file.write("[]")
        renderapi.client.import_jsonfiles_and_transforms_parallel_by_z(
            "stk", names[:2], names[2:], poolsize=2, **connection
        )
        pairs = {(call[-1], call[call.index("--transformFile") + 1]) for call in script.calls}
        assert pairs == {(names[0], names[2]), (names[1], names[3])}
        assert states() == ["LOADING", "COMPLETE"]

    def test_python_can_be_chosen_all_the_same(self, script, connection):
        put_answers(201)
        renderapi.client.import_tilespecs("stk", [tile(1)], engine="python", **connection)
        assert script.calls == []
        assert responses.calls[-1].request.url.endswith("resolvedTiles?deriveData=false")

    def test_a_folder_of_scripts_is_enough(self, script, connection):
        del connection["client_script"]
        folder = str(script.path.parent)
        renderapi.client.import_tilespecs("stk", [tile(1)], client_scripts=folder, **connection)
        assert len(script.calls) == 1


class TestSignatures:
    @pytest.mark.parametrize("name", [n for n in importing.__all__ if n.startswith("import_")])
    def test_every_function_has_its_bare_form_and_takes_any_keyword(self, name):
        bare = getattr(renderapi.client, name).__wrapped__
        assert inspect.signature(bare).parameters["kwargs"].kind is inspect.Parameter.VAR_KEYWORD

    def test_a_misspelt_keyword_gets_a_warning(self, render):
        with pytest.warns(RenderWarning, match="'pool_size', which is ignored; did you mean poolsize"):
            renderapi.client.import_tilespecs_parallel(render.stack, [tile(0)], render=render, pool_size=3)

    def test_the_layer_reads_back_field_by_field(self, render):
        sent = tile(4, z=1.5, labels=["a"], groupId="g", minint=3, maxint=99)
        renderapi.client.import_tilespecs(render.stack, [sent], render=render)
        [found] = get_tile_specs_from_z(render.stack, 1.5, render=render)
        expected = sent.to_dict()
        actual = found.to_dict()
        assert {key: actual[key] for key in expected} == expected


def silent_import(url, tiles, signal_after):
    """Run an import in a program of its own, send it one SIGINT, and give how long it took and what it said."""
    code = (
        "import sys, renderapi\n"
        "from renderapi.tilespec import TileSpec\n"
        "r = renderapi.connect(url=sys.argv[1], owner='o', project='p', web_only=True)\n"
        "tiles = [TileSpec(tileId=f't{i}', z=1, width=9, height=9) for i in range(int(sys.argv[2]))]\n"
        "print('begin', flush=True)\n"
        "renderapi.client.import_tilespecs_parallel('s', tiles, poolsize=4, max_tilespecs_per_group=2, render=r)\n"
    )
    command = [sys.executable, "-c", code, url, str(tiles)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "begin\n"
            assert signal_after.wait(20)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            return process.communicate(timeout=10)[1]
        finally:
            process.kill()


@pytest.mark.parametrize("state", [False, True], ids=["before the first batch", "batches on their way"])
def test_one_interrupt_ends_an_import_to_a_silent_server(state):
    asked, over = threading.Event(), threading.Event()

    def silent(connection):
        asked.set()
        over.wait(20)

    with Loopback(*([answer(201)] if state else []), silent) as server:
        said = silent_import(server.url, 40, asked)
        over.set()
    assert "KeyboardInterrupt: the import into stack s was interrupted" in said
    assert ("whether they are stored is unknown" if state else "nothing was sent") in said


def test_a_generator_is_not_drawn_from_when_its_stack_is_gone():
    drawn = []

    def tiles():
        for i in range(3000):
            drawn.append(i)
            yield tile(i)

    with serve_background() as server:
        render = server.connect("o", "p")
        renderapi.stack.create_stack("s", render=render)
        job = uploading.Import("gone", Project(render=render, host=render.DEFAULT_HOST,
                           port=render.DEFAULT_PORT, owner="o", project="p", session=render.session))  # fmt: skip
        for threads in (1, 4):
            drawn.clear()
            job.failures.clear()
            with pytest.raises(ImportFailedError, match="neither read nor sent"):
                uploading.import_stream(job, tiles(), 10, threads, None)
            assert len(drawn) <= 10 * (2 * threads + 1)


@pytest.mark.parametrize("function", ["import_tilespecs_parallel", "import_single_json_file"])
def test_use_rest_runs_no_script(function, tmp_path, monkeypatch):
    from renderapi.client import importing
    from renderapi.client.local import uploading

    seen = []
    monkeypatch.setattr(importing, "_import_by_java", lambda *args, **kwargs: seen.append("java"))
    monkeypatch.setattr(importing, "_import_tiles", lambda *args, **kwargs: seen.append("python"))
    monkeypatch.setattr(importing, "_import_files", lambda *args, **kwargs: seen.append("python"))
    monkeypatch.setattr(importing, "set_stack_state", lambda *args, **kwargs: None)
    monkeypatch.setattr(uploading, "make_loading", lambda *args, **kwargs: None)
    script = tmp_path / "run_ws_client.sh"
    script.touch(0o700)
    render = renderapi.render.RenderClient(str(script), None, True, "http://h", 1, "o", "p")
    given = [] if function == "import_tilespecs_parallel" else "tiles.json"
    getattr(renderapi.client, function)("s", given, use_rest=True, render=render)
    assert seen == ["python"]
