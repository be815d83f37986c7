"""Bulk work again and again: memory, threads and files stay as they were.

``RENDERAPI_SOAK_SECONDS=1200 pytest -m slow tests/test_soak.py`` goes on for twenty minutes.
"""

import gc
import os
import threading
import time
from pathlib import Path

import pytest

from renderapi import connect, pointmatch, stack, transfer
from renderapi.client import import_tilespecs_parallel
from renderapi.server.http.process import ServerProcess
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc"),
]
SECONDS = float(os.environ.get("RENDERAPI_SOAK_SECONDS", "20"))
LAYERS, TILES = 6, 300
#: Bytes by which the memory of a process may differ between two rounds.
PLAY = 64 * 2**20


def tiles():
    for z in range(LAYERS):
        for number in range(TILES):
            yield TileSpec(
                tileId=f"z{z}_{number}", z=z, width=100, height=80, tforms=[AffineModel(B0=90.0 * number)]
            )


def matches():
    for z in range(LAYERS):
        yield [
            {
                "pGroupId": f"{z}.0", "pId": f"z{z}_{number}", "qGroupId": f"{z}.0", "qId": f"z{z}_{number + 1}",
                "matches": {"p": [[1.0, 2.0], [3.0, 4.0]], "q": [[5.0, 6.0], [7.0, 8.0]], "w": [1.0, 1.0]},
            }
            for number in range(TILES - 1)
        ]  # fmt: skip


def memory(pid="self"):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def held():
    gc.collect()
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def a_round(render, folder):
    """Do everything once, and leave nothing."""
    with stack.loading("s", render=render):
        import_tilespecs_parallel("s", tiles(), poolsize=2, close_stack=False, render=render)
    for some in matches():
        pointmatch.import_matches("c", some, render=render)
    assert transfer.copy_stack("s", "t", render=render).content == transfer.digest_stack("s", render=render)
    transfer.export_stack("s", folder / "s", overwrite=True, render=render)
    transfer.import_stack(folder / "s", "u", render=render)
    transfer.copy_matches("c", "d", render=render)
    assert stack.compare_stacks("t", "u", render=render).equal
    assert sum(1 for _ in stack.tiles("u", render=render)) == LAYERS * TILES
    assert sum(1 for _ in pointmatch.select("d", render=render)) == LAYERS * (TILES - 1)
    for name in "tu":
        stack.delete_stack(name, expected_tiles=LAYERS * TILES, render=render)
    for name in "cd":
        pointmatch.delete_collection(name, render=render)


def test_bulk_work_again_and_again_holds_no_more_than_once(tmp_path):
    with ServerProcess(str(tmp_path / "data")) as server:
        render = connect(url=server.url, owner="o", project="p", web_only=True)
        stack.create_stack("s", render=render)
        for _ in range(3):  # what loads on use is loaded
            a_round(render, tmp_path)
        pids = ["self", server._process.pid]
        before, held_before = [memory(pid) for pid in pids], held()
        end, rounds = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            a_round(render, tmp_path)
            rounds += 1
        after, held_after = [memory(pid) for pid in pids], held()
        print(f"{rounds} rounds: {[(b >> 20, a >> 20) for b, a in zip(before, after)]} MB, {held_after}")
        assert all(later - earlier < PLAY for earlier, later in zip(before, after)), (before, after)
        assert held_after[0] <= held_before[0] and held_after[1] <= held_before[1] + 2
        render.close()
