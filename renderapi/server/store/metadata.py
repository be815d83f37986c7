"""Stack metadata: its documents, its rows, and the state machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from renderapi import _json
from renderapi.server.documents.java_order import as_hash_set
from renderapi.server.documents.keys import StackKey, stack_missing
from renderapi.server.documents.problems import FailedError, InvalidError
from renderapi.server.documents.stacks import COMPLETE, LOADING, OFFLINE, READ_ONLY, STATES, VERSION_ORDER
from renderapi.server.documents.tiles import Document
from renderapi.server.store import sections
from renderapi.server.store.database import Transaction

_METADATA_KEYS = (
    "stackId",
    "state",
    "lastModifiedTimestamp",
    "currentVersionNumber",
    "currentVersion",
    "stats",
    "hierarchicalData",
)


@dataclass
class Stack:
    """A stack as it is in the database.

    Attributes
    ----------
    row : int
        Key of its tiles, transforms and sections.
    metadata : dict
        The document that is answered.
    """

    row: int
    key: StackKey
    state: str
    metadata: Document

    @property
    def version(self) -> Document:
        """The current version, for reading."""
        return self.metadata.get("currentVersion") or {}

    def set_version(self, **values: Any) -> None:
        """Change values of the current version; None removes one."""
        version = {**self.version, **values}
        self.metadata["currentVersion"] = {
            key: version[key]
            for key in sorted(version, key=VERSION_ORDER.__getitem__)
            if version[key] is not None
        }

    def must_be_writable(self) -> Stack:
        """Refuse a READ_ONLY stack."""
        if self.state == READ_ONLY:
            raise FailedError(f"Data for stack {self.key.stack} cannot be modified because it is READ_ONLY.")
        return self

    def save(self, connection: Transaction) -> None:
        """Write the row; the metadata keep their declared order."""
        self.metadata["state"] = self.state
        document = {key: self.metadata[key] for key in _METADATA_KEYS if self.metadata.get(key) is not None}
        connection.execute(
            "UPDATE stack SET owner = ?, project = ?, name = ?, state = ?, document = ? WHERE id = ?",
            (self.key.owner, self.key.project, self.key.stack, self.state, _json.dumps(document), self.row),
        )


def find(connection: Transaction, key: StackKey) -> Stack | None:
    """Look a stack up."""
    found = connection.execute(
        "SELECT id, state, document FROM stack WHERE owner = ? AND project = ? AND name = ?",
        (key.owner, key.project, key.stack),
    ).fetchone()
    return None if found is None else Stack(found[0], key, found[1], _json.loads(found[2]))


def document(connection: Transaction, key: StackKey) -> bytes:
    """Return the metadata of a stack as they are answered, refuse if there is none."""
    found = connection.execute(
        "SELECT document FROM stack WHERE owner = ? AND project = ? AND name = ?",
        (key.owner, key.project, key.stack),
    ).fetchone()
    if found is None:
        raise stack_missing(key)
    return bytes(found[0])


def documents(connection: Transaction, owner: str, project: str | None = None) -> list[bytes]:
    """Return the metadata of the stacks of an owner, or of one project, as they are answered."""
    rows = connection.execute(
        "SELECT document FROM stack WHERE owner = ?1 AND (?2 IS NULL OR project = ?2)", (owner, project)
    )
    return [found for (found,) in rows]


def owners(connection: Transaction) -> list[str]:
    """Return the owners of stacks, sorted."""
    rows = connection.execute("SELECT DISTINCT owner FROM stack WHERE owner IS NOT NULL ORDER BY owner")
    return [owner for (owner,) in rows]


def projects(connection: Transaction, owner: str) -> list[str]:
    """Return the projects of an owner, sorted."""
    rows = connection.execute("SELECT DISTINCT project FROM stack WHERE owner = ? ORDER BY project", (owner,))
    return [project for (project,) in rows]


def newest(connection: Transaction) -> StackKey | None:
    """Return the stack that was made last."""
    found = connection.execute(
        "SELECT owner, project, name FROM stack WHERE owner IS NOT NULL ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return None if found is None else StackKey(*found)


def get(connection: Transaction, key: StackKey) -> Stack:
    """Look a stack up, refuse if there is none."""
    stack = find(connection, key)
    if stack is None:
        raise stack_missing(key)
    return stack


def last_modified(connection: Transaction, key: StackKey) -> int:
    """Return when a stack was last modified, in ms since 1970; refuse if there is none.

    While tiles are loaded it does not change, as in render-ws.
    """
    text = get(connection, key).metadata["lastModifiedTimestamp"]
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)


def content_row(connection: Transaction, key: StackKey) -> int:
    """Return the row of a stack that has contents; refuse if there is none or it is OFFLINE.

    An OFFLINE stack that failed to become COMPLETE has contents, and nothing in them.
    """
    found = connection.execute(
        "SELECT id FROM stack WHERE owner = ? AND project = ? AND name = ? "
        "AND (state != 'OFFLINE' OR aggregated)",
        (key.owner, key.project, key.stack),
    ).fetchone()
    if found is None:
        raise stack_missing(key)
    return int(found[0])


def restore_contents(connection: Transaction, key: StackKey) -> None:
    """Let an OFFLINE stack have contents again, in which there is nothing."""
    connection.execute(
        "UPDATE stack SET aggregated = 1 WHERE id = ? AND state = ?", (get(connection, key).row, OFFLINE)
    )


def contents(connection: Transaction, key: StackKey) -> int | None:
    """Return the row of a stack, or None: for the queries that do not ask whether the stack exists."""
    found = connection.execute(
        "SELECT id FROM stack WHERE owner = ? AND project = ? AND name = ?",
        (key.owner, key.project, key.stack),
    ).fetchone()
    return None if found is None else int(found[0])


def must_be_loading(stack: Stack, what: str) -> Stack:
    """Refuse a stack in another state: render-ws fails at what is put, and takes nothing that is deleted for valid."""
    if stack.state == LOADING:
        return stack
    if what == "resolved tiles":
        raise FailedError(
            "Resolved tiles can only be saved to stacks in the LOADING state, "
            f"but this stack's state is {stack.state}.",
        )
    if what == "z":
        raise FailedError(
            "Z values can only be updated for stacks in the LOADING state, "
            f"but this stack's state is {stack.state}.",
        )
    raise InvalidError(f"stack state is {stack.state} but must be LOADING to delete data")


def create(connection: Transaction, key: StackKey, number: int, version: Document) -> Stack:
    """Insert a stack, or begin its next version: LOADING, without stats, tiles and transforms kept."""
    stack = find(connection, key)
    if stack is None:
        row = connection.execute(
            "INSERT INTO stack (owner, project, name, state, document) VALUES (?, ?, ?, ?, ?)",
            (key.owner, key.project, key.stack, LOADING, b"{}"),
        ).lastrowid
        stack = Stack(row or 0, key, LOADING, {})
    stack.state = LOADING
    stack.metadata = {
        "stackId": key.document(),
        "lastModifiedTimestamp": _json.timestamp(),
        "currentVersionNumber": number,
        "currentVersion": version,
    }
    stack.save(connection)
    return stack


def change_state(connection: Transaction, stack: Stack, state: str) -> bool:
    """Bring a stack into another state by the rules of render-ws; tell whether its contents must go.

    Raises
    ------
    InvalidError
        For a transition that there is not.
    FailedError
        Where COMPLETE finds no tiles.
    """
    before = stack.state
    allowed = (
        state
        in {
            LOADING: (LOADING, COMPLETE),
            COMPLETE: STATES,
            READ_ONLY: (COMPLETE, READ_ONLY, OFFLINE),
            OFFLINE: (COMPLETE, OFFLINE),
        }[before]
    )
    if not allowed:
        raise InvalidError(
            f"The {stack.key.stack} stack's state is currently {before} and must first be transitioned to "
            f"COMPLETE before transitioning it to {state}.",
        )
    stack.state = state
    if state == COMPLETE and before != READ_ONLY:
        stats = derive_stats(connection, stack)
        if before == OFFLINE:
            raise InvalidError("cannot set stats for OFFLINE stack")
        stack.metadata["stats"] = stats
        if before == LOADING:
            stack.metadata["lastModifiedTimestamp"] = _json.timestamp()
    elif before == COMPLETE and state == LOADING:
        stack.metadata.pop("stats", None)
        stack.metadata["currentVersionNumber"] += 1
        stack.metadata["lastModifiedTimestamp"] = _json.timestamp()
    elif state == OFFLINE:
        stack.metadata["lastModifiedTimestamp"] = _json.timestamp()
    stack.save(connection)
    return state == OFFLINE


def derive_stats(connection: Transaction, stack: Stack) -> Document:
    """Derive what COMPLETE derives: the section aggregate, replaced as a whole, and the stats.

    Widths and heights are those of the bounding boxes, truncated; sections are counted by z.
    """
    row = (stack.row,)
    sections.aggregate(connection, stack.row)
    count, min_x, min_y, min_z, max_x, max_y, max_z, *sizes = connection.execute(
        "SELECT count(*), min(min_x), min(min_y), min(z), max(max_x), max(max_y), max(z), "
        "min(max_x - min_x), max(max_x - min_x), min(max_y - min_y), max(max_y - min_y) "
        "FROM tile WHERE stack = ?",
        row,
    ).fetchone()
    if not count:
        raise FailedError(
            "Stack data aggregation returned no results because the stack has no tiles.  "
            f"The aggregation query was over the tiles of {stack.key}.",
        )
    layers = sections.z_values(connection, stack.row)
    (transforms,) = connection.execute("SELECT count(*) FROM transform WHERE stack = ?", row).fetchone()
    channels: set[str] = set()
    for (names,) in connection.execute(
        "SELECT DISTINCT channels FROM tile WHERE stack = ? AND channels IS NOT NULL", row
    ):
        channels.update(_json.loads(names))
    bounds = {"minX": min_x, "minY": min_y, "minZ": min_z, "maxX": max_x, "maxY": max_y, "maxZ": max_z}
    names_of_sizes = ("minTileWidth", "maxTileWidth", "minTileHeight", "maxTileHeight")
    return {
        "stackBounds": {key: value for key, value in bounds.items() if value is not None},
        "sectionCount": len(layers),
        "nonIntegralSectionCount": sum(z is not None and z > int(z) for z in layers),
        "tileCount": count,
        "transformCount": transforms,
        **{name: int(size) for name, size in zip(names_of_sizes, sizes)},
        "channelNames": as_hash_set(sorted(channels)),
    }


def bounds(stack: Stack) -> Document:
    """Return the bounds of a stack, refuse if its stats were not derived."""
    stats = stack.metadata.get("stats")
    if stats is None:
        raise InvalidError(
            f"Stats for {stack.key} have not been stored.  If all data has been loaded for this stack, "
            "setting its state to COMPLETE will trigger derivation and storage of all the stack's stats.",
        )
    return stats["stackBounds"]  # type: ignore[no-any-return]
