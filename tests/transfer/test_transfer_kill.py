"""A transfer whose client or server is killed at any moment is finished by the same call, and both sides are equal.

``RENDERAPI_TRANSFER_TILES`` is the number of tiles, by default 30,000.
"""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
import requests

from renderapi import connect, transfer
from renderapi.errors import NotFoundError
from renderapi.stack import create_stack, get_full_stack_metadata, set_stack_state

LAYER = 1000
_LAYER_HERE = 7_654_320
TIMEOUT = 120

CLIENT = """
import sys, renderapi
here, there = (renderapi.connect(url=url, owner="o", project="p", retries=0) for url in sys.argv[1:])
seen = [0]
def tell(done, total):
    print(seen[0] + done, flush=True)
    seen.append(done)
renderapi.transfer.copy_stack("s", to_render=there, progress=tell, render=here)
seen = [seen[-1]]
renderapi.transfer.copy_matches("c", to_render=there, progress=tell, render=here)
"""

WORK = """
import sys, renderapi
from renderapi.transfer import *
here, there = (renderapi.connect(url=url, owner="o", project="p", retries=0) for url in sys.argv[1:3])
folder = sys.argv[3]
how = {"poolsize": 1, "progress": lambda done, total: print(done, flush=True)}
"""
CALLS = {
    "stack to files": "export_stack('s', folder, render=here, **how)",
    "matches to files": "export_matches('c', folder, format='parquet', render=here, **how)",
    "files to stack": "import_stack(folder, render=there, **how)",
    "files to matches": "import_matches(folder, render=there, **how)",
    "stack moved": "move_stack('s', to_render=there, render=here, **how)",
    "matches moved": "move_matches('c', to_render=there, render=here, **how)",
}


class Server:
    """A server in a process of its own, which starts again where it was killed."""

    def __init__(self, folder):
        self.folder = folder
        self.start()

    def start(self):
        program = f"from renderapi.server import serve; serve({str(self.folder)!r}, port=0)"
        self.process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        self.url = re.match(r"render-ws at (\S+),", self.process.stdout.readline())[1]

    def connect(self):
        return connect(url=self.url, owner="o", project="p")

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        with self.process:
            pass


def fill(server, layers):
    render = server.connect()
    create_stack("s", stackResolutionX=4.0, stackResolutionZ=35.0, render=render)
    lens = {"type": "leaf", "id": "lens", "className": "mpicbg.trakem2.transform.AffineModel2D"}
    made = {tile["tileId"]: tile for tile in (tile(_LAYER_HERE, number) for number in range(LAYER))}
    shared = {"lens": {**lens, "dataString": "1 0 0 1 0.5 0.5"}}
    tiles = json.dumps({"transformIdToSpecMap": shared, "tileIdToSpecMap": made})
    pairs = json.dumps([pair(_LAYER_HERE, number) for number in range(LAYER // 10)])
    url = f"{server.url}/v1/owner/o"
    with requests.Session() as session:
        session.headers["Content-Type"] = "application/json"
        for z in range(layers):
            for path, body in (
                ("project/p/stack/s/resolvedTiles", tiles),
                ("matchCollection/c/matches", pairs),
            ):
                # writing a million tiles anew would take longer than storing them
                body = body.replace(str(_LAYER_HERE + 1), str(z + 1)).replace(str(_LAYER_HERE), str(z))
                session.put(f"{url}/{path}", data=body, timeout=TIMEOUT).raise_for_status()
    set_stack_state("s", "COMPLETE", render=render)


def tile(z, number):
    x, y = 90.0 * (number % 40), 90.0 * (number // 40)
    move = {
        "type": "leaf",
        "className": "mpicbg.trakem2.transform.AffineModel2D",
        "dataString": f"1 0 0 1 {x} {y}",
    }
    return {
        "tileId": f"{z}-{number}", "z": float(z), "layout": {"sectionId": f"{z}.0", "stageX": x, "stageY": y},
        "minX": x, "minY": y, "maxX": x + 100, "maxY": y + 100, "width": 100.0, "height": 100.0,
        "mipmapLevels": {"0": {"imageUrl": f"file:/images/{z}/{number}.tif"}},
        "transforms": {"type": "list", "specList": [{"type": "ref", "refId": "lens"}, move]},
    }  # fmt: skip


def pair(z, number):
    points = [[float(number), 1.5, 2.0], [3.0, 4.0, 5.0]]
    ids = {"pGroupId": f"{z}.0", "pId": f"{z}-{number}", "qGroupId": f"{z + 1}.0", "qId": f"{z + 1}-{number}"}
    return {**ids, "matches": {"p": points, "q": points, "w": [1.0, 0.5, 0.25]}}


def transfer_until(here, there, moment, rng, victim):
    """Begin a transfer, and kill somebody when it has come so far."""
    command = [sys.executable, "-c", CLIENT, here.url, there.url]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with client:
        for line in client.stdout:
            if int(line) >= moment:
                break
        time.sleep(rng.uniform(0, 0.1))
        if victim == "client":
            with contextlib.suppress(ProcessLookupError):
                client.kill()
        else:
            victim.kill()
        _, errors = client.communicate(timeout=TIMEOUT)
    if victim != "client":
        victim.start()
        # what it had to say of a server that is gone says how to go on; it may just have ended well
        assert client.returncode == 0 or "The same call goes on" in errors or "ServerUnreachable" in errors, (
            errors
        )


def kill_again_and_again(tmp_path, tiles, times, seed):
    here, there = Server(tmp_path / "here"), Server(tmp_path / "there")
    try:
        fill(here, tiles // LAYER)
        before = transfer.digest_stack("s", render=here.connect())
        pairs = transfer.digest_matches("c", render=here.connect())
        assert (before.count, pairs.count) == (tiles, tiles // 10)
        rng = random.Random(seed)
        for number in range(times):
            victim = ("client", here, there)[number % 3]
            transfer_until(here, there, rng.uniform(0, 1.1 * tiles), rng, victim)
        done = transfer.copy_stack("s", to_render=there.connect(), render=here.connect())
        moved = transfer.copy_matches("c", to_render=there.connect(), render=here.connect())
        assert before == done.content == transfer.digest_stack("s", render=there.connect())
        assert pairs == moved.content == transfer.digest_matches("c", render=there.connect())
        assert before == transfer.digest_stack("s", render=here.connect())
        sides = [get_full_stack_metadata("s", render=server.connect()) for server in (here, there)]
        assert [side["state"] for side in sides] == ["COMPLETE", "COMPLETE"]
        assert sides[0]["stats"] == sides[1]["stats"]
        assert sides[0]["currentVersion"] == sides[1]["currentVersion"]
    finally:
        for server in (here, there):
            server.kill()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_twenty_kills(tmp_path):
    tiles = int(os.environ.get("RENDERAPI_TRANSFER_TILES", "30000"))
    kill_again_and_again(tmp_path, tiles, 20, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("what", CALLS)
def test_work_that_is_killed_again_and_again_is_finished_by_the_same_call(tmp_path, what):
    here, there, folder = Server(tmp_path / "here"), Server(tmp_path / "there"), tmp_path / "export"
    kind, name, total = ("matches", "c", 600) if "matches" in what else ("stack", "s", 6000)
    digest, export = (getattr(transfer, f"{verb}_{kind}") for verb in ("digest", "export"))
    try:
        fill(here, 6)
        before = digest(name, render=here.connect())
        if what.startswith("files"):
            export(name, folder, render=here.connect())
        rng = random.Random(what)
        command = [sys.executable, "-c", WORK + CALLS[what], here.url, there.url, str(folder)]
        for _ in range(5):
            moment = rng.uniform(0, total)
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as client:
                for line in client.stdout:
                    if int(line) >= moment:
                        break
                time.sleep(rng.uniform(0, 0.05))
                client.kill()
        last = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        if last.returncode:  # the one before was killed when all was done
            assert "moved" in what and "NotFoundError" in last.stderr
        assert before == (
            transfer.digest_files(folder) if "to files" in what else digest(name, render=there.connect())
        )
        assert not list(folder.rglob("*.part"))
        if "moved" in what:
            with pytest.raises(NotFoundError):
                digest(name, render=here.connect())
    finally:
        for server in (here, there):
            server.kill()
