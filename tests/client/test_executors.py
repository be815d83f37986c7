"""Bulk work in executors of the caller: threads, processes, a Dask cluster; and Ctrl-C."""

import gzip
import json
import multiprocessing
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import pytest

import renderapi
from renderapi.client import import_jsonfiles_and_transforms_parallel_by_z as import_by_z
from renderapi.client import import_jsonfiles_parallel, import_tilespecs_parallel, importing
from renderapi.errors import ClientScriptError, ImportFailedError, SpecError
from renderapi.external.processpools.stdlib_pool import WithThreadPool
from renderapi.server import serve_background
from renderapi.stack import create_stack, get_full_stack_metadata
from renderapi.tilespec import TileSpec, get_tile_specs_from_stack
from renderapi.transform import AffineModel, ReferenceTransform

TIMEOUT = 60


def tile(number, **changes):
    values = {"width": 100, "height": 80, "z": float(number // 10), "tforms": [AffineModel(B0=10.0 * number)]}
    return TileSpec(tileId=f"t{number}", **{**values, **changes})


@pytest.fixture(scope="module")
def server():
    with serve_background() as server:
        yield server


@pytest.fixture
def render(server, request):
    stack = re.sub(r"[\W_]+", "_", request.node.name).strip("_")
    with server.connect(owner="own", project="proj") as render:
        render.stack = stack
        create_stack(stack, render=render)
        yield render


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def dask():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


@pytest.fixture(params=["threads", "processes", pytest.param("dask", marks=pytest.mark.slow)])
def executor(request):
    return request.getfixturevalue(request.param)


def stored(render):
    return {spec.tileId: spec for spec in get_tile_specs_from_stack(render.stack, render=render)}


def state(render):
    return get_full_stack_metadata(render.stack, render=render)["state"]


# --------------------------------------------------------------------------------------------- in Python


@pytest.mark.parametrize("kind", ["list", "generator"])
def test_tiles_are_sent_by_the_executor(executor, render, kind):
    tiles = [tile(i) for i in range(40)]
    done = []
    import_tilespecs_parallel(
        render.stack,
        tiles if kind == "list" else iter(tiles),
        poolsize=2,
        mpPool=executor,
        max_tilespecs_per_group=7,
        render=render,
        progress=lambda n, total: done.append(n),
    )
    found = stored(render)
    assert {spec.tileId: spec.minX for spec in found.values()} == {f"t{i}": 10.0 * i for i in range(40)}
    assert done[-1] == 40
    assert state(render) == "COMPLETE"
    # it is the caller's, and stays open
    assert executor.submit(len, "abc").result(TIMEOUT) == 3


@pytest.mark.parametrize("poolsize", [1, 2])
def test_not_by_threads_of_its_own(executor, render, poolsize, monkeypatch):
    from renderapi.client.local import uploading

    monkeypatch.delattr(uploading, "DaemonExecutor")
    import_tilespecs_parallel(render.stack, [tile(0)], poolsize=poolsize, mpPool=executor, render=render)
    assert set(stored(render)) == {"t0"}


def test_files_are_sent_by_the_executor(executor, render, tmp_path):
    files, lenses = [], []
    for section in range(3):
        lens = AffineModel(B0=1000.0 * section, transformId=f"lens{section}")
        tforms = [ReferenceTransform(f"lens{section}")]
        tiles = [tile(10 * section + i, tforms=tforms).to_dict() for i in range(4)]
        for what, documents, paths in (("tiles", tiles, files), ("lens", [lens.to_dict()], lenses)):
            path = tmp_path / f"{what}{section}.json.gz"
            path.write_bytes(gzip.compress(json.dumps(documents).encode()))
            paths.append(str(path))
    import_by_z(render.stack, files, lenses, mpPool=executor, render=render)
    assert sorted(spec.minX for spec in stored(render).values()) == [0.0] * 4 + [1000.0] * 4 + [2000.0] * 4
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps([tile(90).to_dict()]))
    import_jsonfiles_parallel(render.stack, [str(plain)], mpPool=executor, render=render)
    assert len(stored(render)) == 13


def test_what_a_worker_is_told_arrives(executor, render):
    import_tilespecs_parallel(render.stack, [tile(90)], render=render)

    def tiles():
        # by now the import has opened the stack
        renderapi.stack.set_stack_state(render.stack, "COMPLETE", render=render)
        yield from (tile(i) for i in range(6))

    with pytest.raises(ImportFailedError, match=r"6 tile specs in 3 batches were not stored") as caught:
        import_tilespecs_parallel(
            render.stack, tiles(), mpPool=executor, max_tilespecs_per_group=2, render=render
        )
    assert caught.value.stored == 0
    assert sorted(tile_id for ids, _ in caught.value.failures for tile_id in ids) == [
        f"t{i}" for i in range(6)
    ]


def test_a_bad_tile_in_a_stream_stops_the_import_and_not_the_executor(executor, render):
    def tiles():
        yield from (tile(i) for i in range(6))
        yield tile(6, width=None)

    with pytest.raises(SpecError, match="6 tile specs before it were stored"):
        import_tilespecs_parallel(
            render.stack, tiles(), mpPool=executor, max_tilespecs_per_group=2, render=render
        )
    assert len(stored(render)) == 6
    assert executor.submit(len, "abc").result(TIMEOUT) == 3


def test_functions_of_a_connection_run_in_the_executor(executor, render):
    import_tilespecs_parallel(render.stack, [tile(i) for i in range(40)], render=render)
    read = partial(renderapi.tilespec.get_tile_specs_from_z, render.stack, render=render)
    layers = executor.map(read, [0.0, 1.0, 2.0, 3.0])
    assert [len(layer) for layer in layers] == [10, 10, 10, 10]


def test_an_executor_that_breaks_is_a_failure_of_its_batches(render):
    class Broken:
        def submit(self, function, *args):
            from concurrent.futures import Future

            future = Future()
            future.set_exception(BrokenProcessPool("a child died"))
            return future

    with pytest.raises(ImportFailedError, match=r"2 tile specs in 2 batches .* a child died"):
        import_tilespecs_parallel(
            render.stack, [tile(0), tile(1)], mpPool=Broken(), max_tilespecs_per_group=1, render=render
        )
    assert state(render) == "LOADING"


def test_classes_are_for_java(render):
    class Never:
        submit = map = None

        def __init__(self, *args):
            raise AssertionError("it was made")

    import_tilespecs_parallel(render.stack, [tile(0)], mpPool=Never, render=render)
    assert set(stored(render)) == {"t0"}


# ----------------------------------------------------------------------------------------------- by Java


def java(render, script):
    return {"render": render, "engine": "java", "client_script": str(script.path), "check": False}


@pytest.mark.parametrize("pool", ["executor", "class of executors", "class of pools"])
def test_java_runs_in_the_pool(pool, executor, render, script, tmp_path):
    chosen = {"executor": executor, "class of executors": ThreadPoolExecutor}.get(pool, WithThreadPool)
    script.write(f'cp "$(for last; do :; done; echo "$last")" {tmp_path}/seen.$$')
    import_tilespecs_parallel(
        render.stack,
        [tile(i) for i in range(9)],
        poolsize=3,
        mpPool=chosen,
        close_stack=False,
        **java(render, script),
    )
    documents = [json.loads(path.read_text()) for path in tmp_path.glob("seen.*")]
    assert sorted(spec["tileId"] for part in documents for spec in part) == [f"t{i}" for i in range(9)]
    assert len(script.calls) == 3


@pytest.mark.parametrize("pool", ["executor", "class of executors", "class of pools"])
def test_a_java_client_that_fails_is_reported_wherever_it_runs(pool, executor, render, script, tmp_path):
    chosen = {"executor": executor, "class of executors": ThreadPoolExecutor}.get(pool, WithThreadPool)
    script.write("echo no memory; exit 3")
    path = tmp_path / "tiles.json"
    path.write_text(json.dumps([tile(0).to_dict()]))
    for call in (
        partial(import_jsonfiles_parallel, render.stack, [str(path)] * 3),
        partial(import_by_z, render.stack, [str(path)] * 2, [str(path)] * 2),
        partial(import_tilespecs_parallel, render.stack, [tile(0), tile(1)]),
    ):
        with pytest.raises(ClientScriptError, match="no memory"):
            call(poolsize=2, mpPool=chosen, **java(render, script))
    assert state(render) == "LOADING"


# ------------------------------------------------------------------------------------------------ Ctrl-C


PROGRAM = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor

import renderapi
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec

def tiles():
    for i in range(100_000):
        time.sleep(0.0005)
        yield TileSpec(tileId=f"t{i}", z=0.0, width=10, height=10)

def tell(done, total):
    if done >= 200:
        print("under way", flush=True)

pool = {"own": None, "threads": ThreadPoolExecutor(2)}[sys.argv[1]]
with serve_background() as server, server.connect("o", "p") as render:
    renderapi.stack.create_stack("s", render=render)
    try:
        renderapi.client.import_tilespecs_parallel(
            "s", tiles(), poolsize=int(sys.argv[2]), mpPool=pool, max_tilespecs_per_group=50, render=render,
            progress=tell)
    except KeyboardInterrupt as interrupt:
        running = [t.name for t in threading.enumerate() if t.name.startswith("renderapi-import")]
        metadata = renderapi.stack.get_full_stack_metadata("s", render=render)
        renderapi.stack.set_stack_state("s", "COMPLETE", render=render)
        count = renderapi.stack.get_full_stack_metadata("s", render=render)["stats"]["tileCount"]
        print("\\n".join(["", str(interrupt), str(running), metadata["state"], str(count)]), flush=True)
if pool:
    pool.shutdown()
print([t.name for t in threading.enumerate()])
"""


@pytest.mark.parametrize(("pool", "poolsize"), [("own", 1), ("own", 2), ("threads", 2)])
def test_ctrl_c_stops_an_import_and_says_what_was_stored(tmp_path, pool, poolsize):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable, "-W", "error", str(program), pool, str(poolsize)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        try:
            assert process.stdout.readline() == "under way\n"
            time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            start = time.monotonic()
            output, errors = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
    assert time.monotonic() - start < 20
    assert (process.returncode, errors) == (0, "")
    *_, said, running, kept, count, left = output.strip().split("\n")
    number = int(
        re.fullmatch(
            r"the import into stack s was interrupted after (\d+) tile specs were stored(;.*)?", said
        )[1]
    )
    assert 200 <= number <= int(count) <= number + 50
    if poolsize > 1:
        assert number == int(count)
    assert kept == "LOADING"
    assert (running, left) == ("[]", "['MainThread']")


def test_what_is_said_of_an_interruption_already_is_kept(render):
    def tiles():
        yield tile(0)
        raise KeyboardInterrupt("by hand")

    with pytest.raises(KeyboardInterrupt, match="by hand"):
        import_tilespecs_parallel(render.stack, tiles(), render=render)
    assert not [t for t in threading.enumerate() if t.name.startswith("renderapi-import")]


def test_files_stay_as_long_as_somebody_reads_them():
    reading, go_on, done = threading.Event(), threading.Event(), []

    def work(item):
        if item == "fails":
            assert reading.wait(TIMEOUT)
            raise KeyError(item)
        reading.set()
        assert go_on.wait(TIMEOUT)
        done.append(item)

    with ThreadPoolExecutor(2) as executor:
        timer = threading.Timer(0.2, go_on.set)
        timer.start()
        with pytest.raises(KeyError):
            importing._map(executor, 2, work, ["fails", "reads"])
        assert done == ["reads"]
        timer.join()
