import sqlite3
import threading

import pytest
from embedded import wait_until

from renderapi.errors import RenderError
from renderapi.server.store.database import FILE_NAME, MIGRATIONS, Store, StoreError

INSERT = "INSERT INTO stack (owner, project, name, state, document) VALUES ('o', 'p', ?, 'LOADING', '{}')"


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    with Store(None if request.param == "memory" else tmp_path / "deep" / "folder") as store:
        yield store


def names(store):
    with store.read() as connection:
        return [name for (name,) in connection.execute("SELECT name FROM stack ORDER BY name")]


def test_a_write_is_done_or_not_at_all(store):
    with store.write() as connection:
        connection.execute(INSERT, ("a",))
    with pytest.raises(KeyError), store.write() as connection:
        connection.execute(INSERT, ("b",))
        raise KeyError
    assert names(store) == ["a"]


def test_reading_inside_of_reading_and_writing(store):
    with store.write() as connection:
        connection.execute(INSERT, ("a",))
        with store.read() as reader, store.read() as again:
            assert (reader is connection) == (again is connection) == (store.folder is None)
    assert names(store) == ["a"]


def test_readers_see_one_state_and_do_not_wait(tmp_path):
    with Store(tmp_path) as store:
        with store.read() as reader:
            assert reader.execute("SELECT count(*) FROM stack").fetchone() == (0,)
            writer = threading.Thread(target=lambda: write(store, "a"))
            writer.start()
            writer.join(10)
            assert not writer.is_alive()
            assert reader.execute("SELECT count(*) FROM stack").fetchone() == (0,)
        assert names(store) == ["a"]


def write(store, *new):
    with store.write() as connection:
        connection.executemany(INSERT, [(name,) for name in new])


def test_rows_come_in_batches(store):
    write(store, *map(str, range(10)))
    query = "SELECT name FROM stack WHERE id > ? ORDER BY id"
    batches = list(store.rows(query, (2,), size=3))
    assert [name for batch in batches for (name,) in batch] == list("23456789")
    assert len(batches) == (1 if store.folder is None else 3)
    # left half way
    started = store.rows(query, (0,), size=3)
    next(started)
    started.close()
    write(store, "x")
    assert list(store.rows("SELECT 1 WHERE 0")) in ([], [[]])


def test_many_threads_write_and_read(store):
    def work(number):
        for turn in range(10):
            write(store, f"{number}.{turn}")
            assert f"{number}.{turn}" in names(store)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(names(store)) == 60


def test_what_was_dropped_is_removed_even_if_the_server_ended_before(tmp_path, monkeypatch):
    monkeypatch.setattr("renderapi.server.store.database.BATCH", 2)
    with Store(tmp_path) as store:
        with store.write() as connection:
            connection.execute(INSERT, ("a",))
            connection.executemany(
                "INSERT INTO tile (stack, tile_id, min_y, max_y, min_x, max_x, document) "
                "VALUES (1, ?, 0, 0, 0, 0, '')",
                [(str(number),) for number in range(5)],
            )
            connection.execute("INSERT INTO transform (stack, transform_id, document) VALUES (1, 'x', '')")
            connection.execute("INSERT INTO collection (owner, name) VALUES ('o', 'c')")
        with store.write() as connection:
            store.drop(connection, "stack", 1)
            store.drop(connection, "collection", 1)
            write_again = connection.execute(INSERT, ("a",)).lastrowid
        assert write_again == 2
    with Store(tmp_path) as store:
        wait_until(
            lambda: (
                [count(store, table) for table in ("tile", "transform", "stack", "collection")]
                == [0, 0, 1, 0]
            )
        )


def count(store, table):
    with store.read() as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def add_stack(store, tiles=5):
    with store.write() as connection:
        row = connection.execute(INSERT, ("a",)).lastrowid
        connection.executemany(
            "INSERT INTO tile (stack, tile_id, min_y, max_y, min_x, max_x, document) "
            "VALUES (?, ?, 0, 0, 0, 0, '')",
            [(row, str(number)) for number in range(tiles)],
        )
    return row


def drop(store, row):
    with store.write() as connection:
        store.drop(connection, "stack", row)
    store.remove_dropped()


def test_nobody_waits_for_what_is_removed(store, monkeypatch):
    monkeypatch.setattr("renderapi.server.store.database.BATCH", 1)
    monkeypatch.setattr("renderapi.server.store.sweeping._LEAST_PAUSE", 0.02)
    drop(store, add_stack(store, 20))
    assert count(store, "tile") > 0
    # its name is free already, and what is dropped meanwhile is removed as well
    drop(store, add_stack(store, 2))
    add_stack(store, 3)
    wait_until(lambda: (count(store, "tile"), count(store, "stack")) == (3, 1))
    wait_until(lambda: not [t for t in threading.enumerate() if t.name == "renderapi-sweeper"])


def test_what_cannot_be_removed_is_logged_and_tried_again(store, monkeypatch, caplog):
    monkeypatch.setattr("renderapi.server.store.sweeping.RETRY_SECONDS", 0.01)
    remove, failures = (
        store._remove_batch,
        [sqlite3.OperationalError("database or disk is full"), KeyError("x")],
    )

    def failing(*values):
        if failures:
            raise failures.pop(0)
        return remove(*values)

    store._remove_batch = failing
    drop(store, add_stack(store))
    wait_until(lambda: len(caplog.messages) == 2)
    assert caplog.messages == [
        "cannot remove what was deleted: database or disk is full; later",
        "cannot remove what was deleted: 'x'; at the next start",
    ]
    assert count(store, "tile") == 5
    store.remove_dropped()
    wait_until(lambda: count(store, "tile") == 0)


def test_closing_waits_for_no_more_than_a_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("renderapi.server.store.database.BATCH", 1)
    monkeypatch.setattr("renderapi.server.store.sweeping._LEAST_PAUSE", 60)
    with Store(tmp_path) as store:
        drop(store, add_stack(store))
        wait_until(lambda: count(store, "tile") == 4)
    assert not [thread for thread in threading.enumerate() if thread.name == "renderapi-sweeper"]
    monkeypatch.setattr("renderapi.server.store.sweeping._LEAST_PAUSE", 0)
    with Store(tmp_path) as store:
        wait_until(lambda: count(store, "stack") == 0)
    # nothing is begun after the end
    store.remove_dropped()
    assert not [thread for thread in threading.enumerate() if thread.name == "renderapi-sweeper"]


def test_settings(tmp_path):
    def pragma(store, name):
        with store.read() as connection:
            return connection.execute(f"PRAGMA {name}").fetchone()[0]

    with Store(tmp_path / "a") as store:
        assert [pragma(store, name) for name in ("journal_mode", "synchronous", "foreign_keys")] == [
            "wal",
            1,
            1,
        ]
    with Store(tmp_path / "b", durable=True) as store:
        assert pragma(store, "synchronous") == 2
    with Store() as store:
        assert pragma(store, "foreign_keys") == 1


def test_versions(tmp_path):
    with Store(tmp_path) as store, store.read() as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="written by a later version of renderapi"):
        Store(tmp_path)


def test_later_migrations_are_applied(tmp_path, monkeypatch):
    with Store(tmp_path) as store:
        write(store, "a")
    monkeypatch.setattr(
        "renderapi.server.store.database.MIGRATIONS",
        (*MIGRATIONS, "ALTER TABLE stack ADD COLUMN more TEXT; "),
    )
    with Store(tmp_path) as store:
        assert names(store) == ["a"]
        with store.read() as connection:
            assert connection.execute("SELECT more FROM stack").fetchone() == (None,)


def test_folders_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used as a data folder"):
        Store(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / FILE_NAME).write_text("this is no database, " * 100)
    with pytest.raises(RenderError, match="cannot be used as a data folder: file is not a database"):
        Store(tmp_path / "folder")


def test_parts_of_an_answer_see_one_state(tmp_path):
    with Store(tmp_path) as store:
        write(store, "a")
        with store.held() as read:
            with read() as connection:
                assert connection.execute("SELECT count(*) FROM stack").fetchone() == (1,)
            write(store, "b")
            with read() as connection:
                assert connection.execute("SELECT count(*) FROM stack").fetchone() == (1,)
    with Store() as store, store.held() as read:
        # nobody keeps the one connection
        thread = threading.Thread(target=write, args=(store, "a"))
        thread.start()
        thread.join(10)
        with read() as connection:
            assert connection.execute("SELECT count(*) FROM stack").fetchone() == (1,)


def test_connections_are_used_again(tmp_path):
    with Store(tmp_path) as store:
        used = set()

        def look():
            with store.read() as connection:
                used.add(id(connection))

        for _ in range(5):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join(10)
        assert len(used) == 1


def test_a_reader_may_outlive_the_store(tmp_path):
    with Store(tmp_path) as store:
        write(store, *"abc")
        rows = store.rows("SELECT name FROM stack ORDER BY name", size=1)
        assert next(rows) == [("a",)]
    assert list(rows) == [[("b",)], [("c",)]]


def test_a_reader_does_not_wait_for_a_writer(tmp_path):
    with Store(tmp_path) as store, store.write():
        reader = threading.Thread(target=names, args=(store,))
        reader.start()
        reader.join(10)
        assert not reader.is_alive()


def test_after_the_end(store):
    store.close()
    store.close()
    for action in (store.read, store.write):
        with pytest.raises(StoreError, match="the store is closed"), action():
            pass


def test_nobody_reads_what_is_not_written_to_the_end(store):
    found = []
    reader = threading.Thread(target=lambda: found.append(names(store)))
    with pytest.raises(KeyError), store.write() as connection:
        connection.execute(INSERT, ("a",))
        reader.start()
        reader.join(0.2)  # from memory it waits, from a file it sees the state before
        assert found in ([], [[]])
        raise KeyError
    reader.join(10)
    assert found == [[]]
