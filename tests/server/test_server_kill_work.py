"""Other work than storing is done as a whole or not at all when the server is killed, also on a full disk."""

import contextlib
import random
import signal
import threading
import time

import pytest
import requests
from embedded import Api, affine, make_tile, small_disk, wait_until
from killing import SIZE, TIMEOUT, Importer, Server

from renderapi.server import Store

TILES = 6000
LAYERS = 3


def fill(api, stack):
    """Make a stack of some thousand tiles, of which a third refers to a shared transform."""
    api.create(stack)
    for z in range(LAYERS):
        specs = [{"type": "ref", "refId": "x"}] if z == 0 else []
        tiles = (make_tile(f"{z}-{n}", float(z), specs=specs) for n in range(TILES // LAYERS))
        api.put_tiles(*tiles, transforms=[affine(id="x")], stack=stack)


def whole(api, stack):
    """Tell whether a stack is there; as a whole, or nothing of it is to be seen."""
    ids = api.get("tileIds", stack=stack)
    listed = [document["stack"] for document in api.get("/owner/o/stackIds")]
    answer = api("GET", "", stack=stack)
    if stack not in listed:
        assert (answer.status_code, ids) == (404, [])
        return False
    assert answer.status_code == 200
    assert len(ids) == TILES and api.get("zValues", stack=stack) == [float(z) for z in range(LAYERS)]
    assert len(api.get("z/0/resolvedTiles", stack=stack)["transformIdToSpecMap"]) == 1
    return True


class Cloning:
    request = ("PUT", "s/cloneTo/copy", {})

    def prepare(self, api):
        api("DELETE", "", stack="copy")

    def check(self, api, acknowledged):
        assert whole(api, "s")
        assert whole(api, "copy") or not acknowledged


class Completing:
    request = ("PUT", "s/state/COMPLETE", None)

    def prepare(self, api):
        if api.get("")["state"] != "LOADING":
            api.state("LOADING")

    def check(self, api, acknowledged):
        assert whole(api, "s")
        found = api.get("")
        assert (found["state"], "stats" in found) in [("LOADING", False), ("COMPLETE", True)]
        if found["state"] == "COMPLETE":
            assert found["stats"]["tileCount"] == TILES
            assert sum(section["tileCount"] for section in api.get("sectionData")) == TILES
        else:
            assert not acknowledged


class Deleting:
    request = ("DELETE", "copy", None)

    def prepare(self, api):
        if not whole(api, "copy"):
            api.send("PUT", "cloneTo/copy", {}, 201)

    def check(self, api, acknowledged):
        assert whole(api, "s")
        assert not (whole(api, "copy") and acknowledged)


def kill_during(work, folder, times, seed):
    with Store(folder) as store:
        fill(Api(store), "s")
    rng = random.Random(seed)
    method, path, body = work.request
    statuses = []

    def send(url):
        with contextlib.suppress(requests.RequestException):
            path_of_stack = f"{url}/v1/owner/o/project/p/stack/{path}"
            statuses.append(requests.request(method, path_of_stack, json=body, timeout=TIMEOUT).status_code)

    acknowledged = 0
    for _ in range(times):
        with Store(folder) as store:
            work.prepare(Api(store))
        server = Server(folder)
        statuses.clear()
        client = threading.Thread(target=send, args=(server.url,))
        client.start()
        time.sleep(rng.uniform(0, 0.25))
        server.kill()
        client.join(TIMEOUT)
        acknowledged += len(statuses)
        assert statuses in ([], [200], [201])
        with Store(folder) as store:
            work.check(Api(store), bool(statuses))
            wait_until(lambda: not left_over(store))
            with store.read() as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return acknowledged


def left_over(store):
    with store.read() as connection:
        return connection.execute("SELECT count(*) FROM stack WHERE owner IS NULL").fetchone()[0]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("times", [2, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize("work", [Cloning, Completing, Deleting])
def test_kills_during_other_work(tmp_path, work, times):
    kill_during(work(), tmp_path, times, seed=times)


class Filler(Importer):
    """Goes on where there is no space left."""

    def run(self):
        self.full, self.others = 0, []
        base = f"{self.base}/project/p/stack/s/resolvedTiles"
        with requests.Session() as session, contextlib.suppress(requests.RequestException):
            while True:
                self.sent += 1
                tiles = [make_tile(f"{self.sent}-{n}", float(self.sent)) for n in range(SIZE)]
                body = {"tileIdToSpecMap": {tile["tileId"]: tile for tile in tiles}}
                answer = session.put(base, json=body, timeout=TIMEOUT)
                if answer.status_code == 201:
                    self.acknowledged.append(self.sent)
                elif answer.status_code == 507:
                    self.full += 1
                else:
                    self.others.append(answer.text)
                if self.full > 3:
                    self.progress.set()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("times", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_kills_on_a_nearly_full_disk(tmp_path, times):
    rng = random.Random(times)
    with small_disk(tmp_path / "disk", "6m") as disk:
        with Store(disk) as store:
            Api(store).create()
        for _ in range(times):
            server = Server(disk)
            importer = Filler(server.url, 1)
            importer.start()
            assert importer.progress.wait(TIMEOUT)
            time.sleep(rng.uniform(0, 0.1))
            server.kill()
            importer.join(TIMEOUT)
            assert importer.others == []
            with Store(disk) as store:
                with store.read() as connection:
                    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                    batches = dict(
                        connection.execute(
                            "SELECT CAST(z AS INTEGER), count(*) FROM tile WHERE stack IN "
                            "(SELECT id FROM stack WHERE owner IS NOT NULL) GROUP BY z"
                        )
                    )
                assert set(batches) >= set(importer.acknowledged)
                assert set(batches.values()) <= {SIZE}
            # space is made for the next time
            for file in disk.iterdir():
                file.unlink()
            with Store(disk) as store:
                Api(store).create()
