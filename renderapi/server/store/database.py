"""The SQLite database under the embedded server.

Tiles, transforms and matches are kept as the JSON bytes that will be answered, beside the columns that
queries need. One connection writes, under a lock, in short transactions; every thread reads through a
connection of its own, and with the write-ahead log neither waits for the other.

Tables
------
stack
    One row per stack: its name, state and metadata document. A row without owner is a stack that was
    deleted, which nobody finds any more; a thread removes its tiles, a few at a time, and then the row.
tile, transform, section
    The contents of stacks; ``section`` is the aggregate that COMPLETE makes. ``refs`` is the JSON array of
    the shared transforms that are referred to, NULL without any. A tile that is not ``nested`` has
    nothing but leaves and references in its list of transforms, so that the bytes of a resolved answer are
    the stored ones but for the references.
collection, pair
    Match collections. The document of a pair is ``head``, ``matches`` and ``match_count`` put together.
trial
    Match trials.
"""

# ruff: noqa: S608 - conditions and names of columns are put into queries, values never are

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

from renderapi.errors import RenderError
from renderapi.server.store.sweeping import Sweeper

#: What a transaction is passed through as, from `Store.read` and `Store.write` to what asks and writes.
Transaction: TypeAlias = sqlite3.Connection
IntegrityError = sqlite3.IntegrityError
SQLITE_VERSION = sqlite3.sqlite_version

FILE_NAME = "render-ws.sqlite3"
# rows that are removed in one transaction, for which others wait who write
BATCH = 1000
# how long a database is looked through when it is opened
CHECK_SECONDS = 1.0
CLOSE_SECONDS = 0.5

logger = logging.getLogger("renderapi.server")

# each entry brings the schema from the version of its index to the next; released ones never change
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE stack (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT,
        project TEXT NOT NULL,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        document BLOB NOT NULL,
        -- no tile is higher than this: lets a box query start its index range above the box
        max_height REAL NOT NULL DEFAULT 0,
        aggregated INTEGER NOT NULL DEFAULT 0,
        UNIQUE (owner, project, name)
    );
    CREATE TABLE tile (
        id INTEGER PRIMARY KEY,
        stack INTEGER NOT NULL REFERENCES stack (id),
        tile_id TEXT NOT NULL,
        z REAL,
        min_y REAL NOT NULL,
        max_y REAL NOT NULL,
        min_x REAL NOT NULL,
        max_x REAL NOT NULL,
        section_id TEXT,
        group_id TEXT,
        channels TEXT,
        refs TEXT,
        nested INTEGER NOT NULL DEFAULT 0,
        document BLOB NOT NULL
    );
    CREATE UNIQUE INDEX tile_by_id ON tile (stack, tile_id);
    CREATE INDEX tile_by_layer ON tile (stack, z, min_y, max_y, min_x, max_x, section_id, tile_id);
    CREATE INDEX tile_by_section ON tile (stack, section_id, z);
    CREATE INDEX tile_by_channels ON tile (stack, channels) WHERE channels IS NOT NULL;
    CREATE TABLE transform (
        id INTEGER PRIMARY KEY,
        stack INTEGER NOT NULL REFERENCES stack (id),
        transform_id TEXT NOT NULL,
        refs TEXT,
        document BLOB NOT NULL
    );
    CREATE UNIQUE INDEX transform_by_id ON transform (stack, transform_id);
    CREATE TABLE section (
        stack INTEGER NOT NULL REFERENCES stack (id),
        section_id TEXT,
        z REAL,
        tile_count INTEGER NOT NULL,
        min_x REAL NOT NULL,
        max_x REAL NOT NULL,
        min_y REAL NOT NULL,
        max_y REAL NOT NULL
    );
    CREATE INDEX section_by_id ON section (stack, section_id, z);
    CREATE TABLE collection (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT,
        name TEXT NOT NULL,
        UNIQUE (owner, name)
    );
    CREATE TABLE pair (
        id INTEGER PRIMARY KEY,
        collection INTEGER NOT NULL REFERENCES collection (id),
        p_group TEXT NOT NULL,
        q_group TEXT NOT NULL,
        p_id TEXT NOT NULL,
        q_id TEXT NOT NULL,
        consensus INTEGER NOT NULL,
        head BLOB NOT NULL,
        matches BLOB,
        match_count INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX pair_by_p ON pair (collection, p_group, q_group, p_id, q_id);
    -- in the order of answers for a fixed q group
    CREATE INDEX pair_by_q ON pair (collection, q_group, p_group, p_id, q_id);
    CREATE INDEX pair_by_consensus ON pair (collection, p_group, q_group) WHERE consensus;
    """,
    """
    CREATE TABLE trial (
        id TEXT PRIMARY KEY,
        document BLOB NOT NULL
    ) WITHOUT ROWID;
    """,
)

_CONTENTS = {"stack": ("tile", "transform", "section"), "collection": ("pair",)}


# rows of one INSERT statement; few sizes, so that the prepared statements are found again
_ROWS = (512, 64, 8, 1)


def insert(
    connection: Transaction, statement: str, owner: int, columns: Iterable[Sequence[Any]], end: str = ""
) -> None:
    """Insert many rows with few statements.

    Between the rows of ``executemany`` the interpreter lock is given away, and a thread that calculates
    keeps it for milliseconds each time. One statement for many rows gives it away once, and leaves it to
    the others while the rows are written.

    Parameters
    ----------
    statement : str
        ``INSERT INTO table (columns)``.
    owner : int
        Value of the first column of all rows.
    columns : iterable of sequence
        Values of each of the other columns, of as many rows; none for no rows.
    end : str
        What follows the values, such as an ``ON CONFLICT`` clause.
    """
    bound = list(map(_bindable, columns))
    given = [column for column in bound if column is not None]
    row = f"({', '.join([f'{owner:d}', *('NULL' if column is None else '?' for column in bound)])})"
    count, start = len(given[0]) if given else 0, 0
    for size in _ROWS:
        while count - start >= size:
            values = [None] * (size * len(given))
            for place, column in enumerate(given):
                values[place :: len(given)] = column[start : start + size]
            connection.execute(f"{statement} VALUES {', '.join([row] * size)} {end}", values)
            start += size


def _bindable(column: Sequence[Any]) -> Sequence[Any] | None:
    """Return the values of a column as they are bound fastest; None if there are none.

    Of anything but numbers, texts and bytearrays sqlite3 looks for adapters first, which takes longer than
    to store it.
    """
    kinds = set(map(type, column))
    if kinds <= {type(None)}:
        return None
    if bytes in kinds:
        return [bytearray(value) if type(value) is bytes else value for value in column]
    return column


class StoreError(RenderError, OSError):
    """The data folder cannot be used as a store."""


class DamagedError(StoreError):
    """The database is damaged: what can be read is, but nothing is written any more."""


def is_database_problem(problem: BaseException) -> bool:
    """Tell whether something failed in the database."""
    return isinstance(problem, sqlite3.Error)


def is_full(problem: BaseException) -> bool:
    """Tell whether something failed because there is no space left on the disk."""
    return isinstance(problem, sqlite3.OperationalError) and "disk is full" in str(problem)


def is_damaged(problem: BaseException) -> bool:
    """Tell whether something failed because the database is not as it was written."""
    words = ("malformed", "file is not a database")
    return isinstance(problem, sqlite3.DatabaseError) and any(word in str(problem) for word in words)


def _make_if_missing(path: Path) -> None:
    """Make an empty database, at once as a whole, so that a file without contents is never one of ours.

    Raises
    ------
    StoreError
        If there is a file, but an empty one.
    """
    if path.exists():
        # SQLite takes what is shorter than a page for a database without tables
        if path.stat().st_size < 512:
            raise StoreError(f"{path} is empty, so it is not a database any more: use a copy, or remove it")
        return
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        made = Path(folder) / path.name
        with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as connection:
            # a tile and its transforms are about a kilobyte
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA journal_mode = WAL")
        try:
            os.link(made, path)
        except FileExistsError:
            pass  # another process was faster
        except OSError:  # not every file system has links
            if not path.exists():
                made.replace(path)


def _first_dropped(connection: sqlite3.Connection, table: str) -> int | None:
    found = connection.execute(f"SELECT id FROM {table} WHERE owner IS NULL LIMIT 1").fetchone()
    return None if found is None else int(found[0])


class Store:
    """A database of stacks and match collections.

    Parameters
    ----------
    folder : str or path, optional
        Folder that holds, or will hold, the database. By default it is in memory and gone with the store.
    durable : bool
        Wait for the disk at every acknowledged write. Without, what was acknowledged survives the end of
        the process at any moment, but the last writes may be lost when the machine loses power; the
        database is intact either way.

    Raises
    ------
    StoreError
        If the folder or its database cannot be opened, or is of a later version.
    """

    def __init__(self, folder: str | Path | None = None, durable: bool = False) -> None:
        self.folder = None if folder is None else Path(folder)
        self.durable = durable
        self._writing = threading.RLock()
        # connections that nobody reads from just now; there are as many as ever read at once
        self._idle: list[sqlite3.Connection] = []
        self._waiting = threading.Lock()
        self._closed = False
        self._damage: str | None = None
        self._sweeper = Sweeper(self._remove_some, "remove what was deleted")
        # one connection for everything: of a database in memory, or where there is no space for the index
        # that several would share
        self._alone = folder is None
        try:
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                _make_if_missing(self.folder / FILE_NAME)
            self._writer = self._open()
        except (OSError, sqlite3.Error) as problem:
            raise StoreError(f"{folder} cannot be used as a data folder: {problem}") from problem
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        connection = self._connect(cache_megabytes=64)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as problem:
            connection.close()
            if self.folder is None or not (is_full(problem) or "disk I/O" in str(problem)):
                raise
            logger.warning("%s has no space left: it can be read, and hardly be written", self.folder)
            self._alone = True
            connection = self._connect(cache_megabytes=64)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, cache_megabytes: int = 16) -> sqlite3.Connection:
        connection = sqlite3.connect(
            ":memory:" if self.folder is None else self.folder / FILE_NAME,
            timeout=60,
            isolation_level=None,
            # a connection is used by one thread at a time, and closed by the thread that closes the store
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            # a tile and its transforms are about a kilobyte
            connection.execute("PRAGMA page_size = 8192")
            if self.folder is not None and self._alone:
                # keeps the index of the log in memory
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            if self.folder is not None:
                # a page that cannot be right is found when it is read
                connection.execute("PRAGMA cell_size_check = ON")
                if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    connection.execute("PRAGMA journal_mode = WAL")
                # in pages: batches of an import are moved from the log to the database a few at a time
                connection.execute("PRAGMA wal_autocheckpoint = 4000")
                connection.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{cache_megabytes * 1024}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self) -> None:
        try:
            (version,) = self._writer.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise StoreError(
                    f"{self.folder} was written by a later version of renderapi "
                    f"(schema {version}, this one knows {len(MIGRATIONS)})"
                )
            self._look_through()
            if version < len(MIGRATIONS):
                self._migrate(version)
            left = any(_first_dropped(self._writer, table) is not None for table in _CONTENTS)
        except sqlite3.Error as problem:
            raise StoreError(f"{self.folder} cannot be used as a data folder: {problem}") from problem
        if left:
            self.remove_dropped()

    def _migrate(self, version: int) -> None:
        with self.write() as connection:
            # another process may have done it meanwhile
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for migration in MIGRATIONS[version:]:
                # not executescript, which would commit the transaction
                for statement in migration.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _look_through(self) -> None:
        """Refuse a database that is found to be damaged within a second; a large one is not seen whole."""
        if self.folder is None:
            return
        end = time.monotonic() + CHECK_SECONDS
        self._writer.set_progress_handler(lambda: time.monotonic() > end, 10_000)
        try:
            found = self._writer.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as problem:
            if "interrupted" not in str(problem):
                raise
            return
        finally:
            self._writer.set_progress_handler(None, 0)
        if found != ("ok",):
            raise DamagedError(f"{self.folder / FILE_NAME} is damaged; use a copy of it ({found[0]:.200})")

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Note that the database is damaged when that comes out."""
        try:
            yield
        except sqlite3.DatabaseError as problem:
            if not is_damaged(problem):
                raise
            self._damage = (
                f"{self.folder or 'memory'} holds a damaged database ({problem}); stop and use a copy of it"
            )
            raise DamagedError(self._damage) from problem

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open the one write transaction: committed at the end, undone if anything is raised."""
        with self._writing, self._watched():
            self._check_open()
            if self._damage is not None:
                raise DamagedError(self._damage)
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException as problem:
                # a COMMIT that fails (disk full) may have rolled back by itself
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if is_full(problem):
                    # gives back what the log takes, if that needs no space in its turn
                    with contextlib.suppress(sqlite3.DatabaseError):
                        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                raise

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a read transaction: all queries in it see one state of the database, whatever is written."""
        self._check_open()
        if self._alone:
            with self._writing, self._watched():
                yield self._writer
            return
        with self._waiting:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        try:
            with self._watched():
                connection.execute("BEGIN")
                yield connection
        finally:
            # where BEGIN failed there is nothing to end, and a damaged database may not be read to the end
            with contextlib.suppress(sqlite3.DatabaseError):
                connection.execute("COMMIT")
            with self._waiting:
                if self._closed or connection.in_transaction:
                    connection.close()
                else:
                    self._idle.append(connection)

    @contextmanager
    def held(self) -> Iterator[Callable[[], AbstractContextManager[Transaction]]]:
        """Return a way of reading a part at a time, for answers that are sent while they are read.

        All parts see one state of the database if it is in a file. In memory there is one connection, which
        nobody may keep for as long as a client takes to read.
        """
        if self._alone:
            yield self.read
        else:
            with self.read() as connection:
                yield lambda: nullcontext(connection)

    def rows(self, query: str, values: Any = (), size: int = 1000) -> Iterator[list[Any]]:
        """Return the rows of a query in batches, for answers that are too long to be held.

        The state of the database is the one at the first batch. Answers from memory are read at once,
        because a write would change them under way.

        Parameters
        ----------
        query : str
            A SELECT.
        values : sequence or dict
            What stands for its parameters. Default: it has none.
        size : int
            Rows of a batch. Default 1000.

        Returns
        -------
        iterator of list of tuple
        """
        with self.read() as connection:
            if self._alone:
                batches = iter([connection.execute(query, values).fetchall()])
            else:
                cursor = connection.execute(query, values)
                yield from iter(lambda: cursor.fetchmany(size), [])
                return
        yield from batches

    def drop(self, connection: Transaction, table: str, row: int) -> None:
        """Take a stack or collection out of sight, within a write transaction; see `remove_dropped`.

        Parameters
        ----------
        connection : Transaction
            What `write` gave.
        table : {"stack", "collection"}
            What is dropped.
        row : int
            Its row.
        """
        connection.execute(f"UPDATE {table} SET owner = NULL WHERE id = ?", (row,))

    def remove_dropped(self) -> None:
        """Begin to remove what `drop` took out of sight; returns at once.

        A thread does it, a batch per transaction. What is left when the store is closed, or the process ends,
        is removed after the next start.
        """
        self._sweeper.wake()

    def _remove_some(self) -> bool:
        """Remove a batch of what was dropped; tell whether there may be more."""
        for table in _CONTENTS:
            # without a transaction that writes where there is nothing to do
            with self.read() as connection:
                dropped = _first_dropped(connection, table)
            if dropped is None:
                continue
            with self.write() as connection:
                # another process may have been faster
                dropped = _first_dropped(connection, table)
                if dropped is not None and not self._remove_batch(connection, table, dropped):
                    connection.execute(f"DELETE FROM {table} WHERE id = ?", (dropped,))
            return True
        return False

    def _remove_batch(self, connection: sqlite3.Connection, table: str, row: int) -> bool:
        for contents in _CONTENTS[table]:
            removed = connection.execute(
                f"DELETE FROM {contents} WHERE rowid IN "
                f"(SELECT rowid FROM {contents} WHERE {table} = ? LIMIT {BATCH})",
                (row,),
            ).rowcount
            if removed:
                return True
        return False

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def close(self) -> None:
        """Close every connection; waits a moment for a write in progress, not for who still reads."""
        self._sweeper.stop(CLOSE_SECONDS)
        self._closed = True
        # interrupted, it is undone: it was not acknowledged
        if not self._writing.acquire(timeout=CLOSE_SECONDS):
            self._writer.interrupt()
            if not self._writing.acquire(timeout=CLOSE_SECONDS):
                return
        try:
            with self._waiting:
                self._writer.close()
                while self._idle:
                    self._idle.pop().close()
        finally:
            self._writing.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
