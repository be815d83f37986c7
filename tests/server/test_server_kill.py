"""What was acknowledged is there after the server was killed, and no batch is there in part."""

import random
import signal
import subprocess
import sys
import time

import pytest
from embedded import Api, make_tile, wait_until
from killing import SIZE, TIMEOUT, Importer, Server

from renderapi.server import Store


def kill_again_and_again(folder, times, seed):
    with Store(folder) as store:
        Api(store).create()
    rng = random.Random(seed)
    acknowledged, sent = set(), 0
    for _ in range(times):
        server = Server(folder)
        importer = Importer(server.url, sent + 1)
        importer.start()
        assert importer.progress.wait(TIMEOUT)
        time.sleep(rng.uniform(0, 0.15))
        server.kill()
        importer.join(TIMEOUT)
        acknowledged.update(importer.acknowledged)
        sent = importer.sent
    with Store(folder) as store, store.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        batches = dict(connection.execute("SELECT CAST(z AS INTEGER), count(*) FROM tile GROUP BY z"))
        pairs = dict(
            connection.execute("SELECT CAST(p_group AS INTEGER), count(*) FROM pair GROUP BY p_group")
        )
    for found in (batches, pairs):
        assert set(found) >= acknowledged
        assert set(found.values()) == {SIZE}
        # at most the batch that was under way each time is there without having been acknowledged
        assert len(set(found) - acknowledged) <= times
    assert len(acknowledged) >= times


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_few_kills(tmp_path):
    kill_again_and_again(tmp_path, 3, seed=1)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_hundred_kills(tmp_path):
    kill_again_and_again(tmp_path, 100, seed=2)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_deletion_that_was_cut_off_is_finished(tmp_path):
    with Store(tmp_path) as store:
        api = Api(store)
        api.create()
        api.put_tiles(*(make_tile(str(number)) for number in range(3000)))
    program = (
        "import os; import renderapi.server.store.database as store; store.BATCH = 1000\n"
        f"s = store.Store({str(tmp_path)!r})\n"
        "with s.write() as connection:\n    s.drop(connection, 'stack', 1)\n"
        "remove, done = s._remove_batch, []\n"
        "def slow(*values):\n    done.append(remove(*values))\n"
        "    if len(done) == 2: os.kill(os.getpid(), 9)\n    return done[-1]\n"
        "s._remove_batch = slow\n"
        "while s._remove_some(): pass\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    with Store(tmp_path) as store:
        # out of sight from the beginning
        api = Api(store)
        assert api.get("/owner/o/stacks") == [] and api("GET", "").status_code == 404
        assert api.get("tileIds") == []

        def left():
            with store.read() as connection:
                return [
                    connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in ("tile", "stack")
                ]

        wait_until(lambda: left() == [0, 0])
