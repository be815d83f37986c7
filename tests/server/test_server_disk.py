"""A disk without space, and a database that is not as it was written."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading

import pytest
import requests
from embedded import Api, make_tile, small_disk, wait_until

from renderapi.server import Store, StoreError
from renderapi.server.store.database import FILE_NAME


def fill_disk(folder):
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def fill_stack(api, stack, size=4000):
    for number in range(1000):
        tiles = [make_tile(f"{number}-{n}", versionNotes="x") for n in range(size // 10)]
        answer = api(
            "PUT", "resolvedTiles", {"tileIdToSpecMap": {tile["tileId"]: tile for tile in tiles}}, stack=stack
        )
        if answer.status_code != 201:
            return answer
    raise AssertionError("the disk never was full")


def test_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", "8m") as disk:
        with Store(disk) as store:
            api = Api(store)
            api.in_state("COMPLETE", stack="kept")
            api.create("large")
            answer = fill_stack(api, "large")
            assert (answer.status_code, answer.mimetype) == (507, "text/plain")
            assert "no space left" in answer.text
            fill_disk(disk)
            assert api.get("tileIds", stack="kept") == ["t"]
            there = api.get("tileIds", stack="large")
            # an answer is given, and what was acknowledged is so
            assert api("DELETE", "", stack="large").status_code in (200, 507)
        for _ in range(2):
            # the last space is gone as well
            fill_disk(disk)
            with Store(disk) as store:
                api = Api(store)
                assert api.get("tileIds", stack="kept") == ["t"]
                assert api.get("tileIds", stack="large") in (there, [])
                status = api("PUT", "tile-specs-with-ids", ["t"], stack="kept").status_code
                assert status == 200
                for _ in range(3):
                    assert api("POST", "", {"versionNotes": "x" * 100_000}, stack="new").status_code in (
                        201,
                        507,
                    )
        (disk / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        with Store(disk) as store:
            api = Api(store)
            assert api("DELETE", "", stack="large").status_code == 200
            api.create("after")
            wait_until(lambda: tiles_in(store) == 1)
            with store.read() as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def tiles_in(store):
    with store.read() as connection:
        return connection.execute("SELECT count(*) FROM tile").fetchone()[0]


def test_writing_without_space_is_507_and_deletion_is_finished_later(tmp_path):
    with Store(tmp_path) as store:
        api = Api(store)
        api.in_state("LOADING", *(make_tile(str(number)) for number in range(2000)))
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        answer = fill_stack(api, "s")
        assert answer.status_code == 507 and "nothing was stored" in answer.text
        assert len(api.get("tileIds")) >= 2000
        remove = store._remove_batch

        def full(*values):
            remove(*values)
            raise sqlite3.OperationalError("database or disk is full")

        store._remove_batch = full
        assert api("DELETE", "").status_code == 200
        assert api("GET", "").status_code == 404
    with Store(tmp_path) as store:
        wait_until(lambda: tiles_in(store) == 0)


def make(folder, tiles=3000):
    with Store(folder) as store:
        Api(store).in_state("LOADING", *(make_tile(f"{number:05d}") for number in range(tiles)))
    return folder / FILE_NAME


@pytest.mark.parametrize("content", [b"", b"x", b"no database" * 1000])
def test_a_file_that_is_no_database(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StoreError, match="not a database"):
        Store(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off(tmp_path, part):
    path = make(tmp_path)
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(StoreError):
        Store(tmp_path)


@pytest.mark.parametrize("page", [1, 5, 40, -1])
def test_a_page_that_was_overwritten_is_found_at_the_start(tmp_path, page):
    path = make(tmp_path)
    overwrite(path, page)
    with pytest.raises(StoreError):
        Store(tmp_path)


def overwrite(path, page):
    with path.open("r+b") as file:
        pages = path.stat().st_size // 8192
        file.seek(page % pages * 8192)
        file.write(os.urandom(8192))


def test_what_is_damaged_while_it_is_open_is_500_and_nothing_is_written_any_more(tmp_path):
    path = make(tmp_path)
    with Store(tmp_path) as store:
        api = Api(store)
        for page in range(4, path.stat().st_size // 8192):
            overwrite(path, page)
        status, text = api.refused("GET", "z/1/tile-specs")
        assert status == 500 and "damaged" in text
        for _ in range(2):
            status, text = api.refused("PUT", "resolvedTiles", {"tileIdToSpecMap": {"a": make_tile("a")}})
            assert status == 500 and "damaged" in text
        assert api.refused("POST", "", {}, stack="new")[0] == 500
    with pytest.raises(StoreError):
        Store(tmp_path)


def test_two_stores_over_one_folder_lose_nothing(tmp_path):
    program = (
        "import sys; from renderapi.server import serve_background\n"
        "with serve_background(sys.argv[1]) as server:\n    print(server.url, flush=True)\n    sys.stdin.read()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        urls = [process.stdout.readline().strip() for process in processes]
        base = "/v1/owner/o/project/p/stack/s"
        assert requests.post(urls[0] + base, json={}, timeout=60).status_code == 201
        statuses = []

        def send(number):
            tiles = [make_tile(f"{number}-{n}") for n in range(50)]
            body = {"tileIdToSpecMap": {tile["tileId"]: tile for tile in tiles}}
            statuses.append(
                requests.put(urls[number % 2] + base + "/resolvedTiles", json=body, timeout=90).status_code
            )

        threads = [threading.Thread(target=send, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert statuses == [201] * 40
        for url in urls:
            assert len(requests.get(url + base + "/tileIds", timeout=60).json()) == 2000
    finally:
        for process in processes:
            process.communicate(timeout=60)
    with Store(tmp_path) as store, store.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
