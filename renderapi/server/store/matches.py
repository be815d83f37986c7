"""Match collections and their pairs of canvases: selecting, merging and saving them."""

# ruff: noqa: S608 - conditions and names of columns are put into queries, values never are

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

from renderapi import _json
from renderapi._ordering import java_key
from renderapi.server.documents.keys import CollectionKey, collection_missing
from renderapi.server.documents.matches import merge_pairs
from renderapi.server.documents.tiles import Document
from renderapi.server.store.database import Store, Transaction, insert

_ORDER = "p_group, q_group, p_id, q_id"
_key = itemgetter(slice(0, 4))
_PAGE = 250


def find(connection: Transaction, key: CollectionKey) -> int | None:
    """Look a collection up, for its row."""
    found = connection.execute(
        "SELECT id FROM collection WHERE owner = ? AND name = ?", (key.owner, key.name)
    ).fetchone()
    return None if found is None else int(found[0])


def get(connection: Transaction, key: CollectionKey) -> int:
    """Return the row of a collection, refuse if there is none."""
    row = find(connection, key)
    if row is None:
        raise collection_missing(key)
    return row


def make(connection: Transaction, key: CollectionKey) -> int:
    """Return the row of a collection, which is made if there is none."""
    connection.execute(
        "INSERT INTO collection (owner, name) VALUES (?, ?) ON CONFLICT DO NOTHING", (key.owner, key.name)
    )
    return get(connection, key)


def rename(connection: Transaction, row: int, key: CollectionKey) -> None:
    """Rename a collection; the new name must be free."""
    connection.execute("UPDATE collection SET owner = ?, name = ? WHERE id = ?", (key.owner, key.name, row))


def owners(connection: Transaction) -> list[str]:
    """Return the owners of collections, sorted."""
    rows = connection.execute("SELECT DISTINCT owner FROM collection WHERE owner IS NOT NULL ORDER BY owner")
    return [owner for (owner,) in rows]


def sizes(connection: Transaction, owner: str) -> list[tuple[str, int]]:
    """Return names of an owner's collections, sorted, and the number of pairs of each."""
    return connection.execute(
        "SELECT name, (SELECT count(*) FROM pair WHERE collection = collection.id) FROM collection "
        "WHERE owner = ? ORDER BY name",
        (owner,),
    ).fetchall()


def groups(connection: Transaction, row: int, sides: str, consensus: bool = False) -> list[str]:
    """Return the groups of a collection, sorted.

    Parameters
    ----------
    sides : {"p", "q", "pq"}
        Which canvases of the pairs are looked at.
    consensus : bool
        Only pairs with consensus sets.

    Returns
    -------
    list of str
        Each group once.
    """
    source = "pair WHERE collection = ?"
    if consensus:
        source = "pair INDEXED BY pair_by_consensus WHERE collection = ? AND consensus"
    found: set[str] = set()
    for side in sides:
        rows = connection.execute(f"SELECT DISTINCT {side}_group FROM {source}", (row,))
        found.update(group for (group,) in rows)
    return sorted(found)


def count_of_p_group(connection: Transaction, row: int, group: str) -> tuple[int, int]:
    """Count the pairs whose p is in a group, and those of them that have points."""
    number, with_points = connection.execute(
        "SELECT count(*), count(matches) FROM pair WHERE collection = ? AND p_group = ?", (row, group)
    ).fetchone()
    return number, with_points


def ids_between(connection: Transaction, row: int, p_group: str, q_group: str) -> list[tuple[str, str]]:
    """Return p and q id of the pairs of two groups."""
    return connection.execute(
        "SELECT p_id, q_id FROM pair WHERE collection = ? AND p_group = ? AND q_group = ?",
        (row, p_group, q_group),
    ).fetchall()


@dataclass(frozen=True)
class Selection:
    """Pairs of a collection: conditions of which at most one holds for a pair, and values by name."""

    conditions: tuple[str, ...]
    values: dict[str, str]


def of_p_group(group: str) -> Selection:
    """Select pairs whose p is in a group."""
    return Selection(("p_group = :g",), {"g": group})


def within_group(group: str) -> Selection:
    """Select pairs inside of a group."""
    return Selection(("p_group = :g AND q_group = :g",), {"g": group})


def outside_group(group: str) -> Selection:
    """Select pairs of a group with other groups."""
    return Selection(("p_group = :g AND q_group != :g", "q_group = :g AND p_group != :g"), {"g": group})


def between_groups(one: str, other: str) -> Selection:
    """Select pairs of two groups, whichever of them is p."""
    p, q = sorted((one, other), key=java_key)
    return Selection(("p_group = :p AND q_group = :q",), {"p": p, "q": q})


def between_objects(one: tuple[str, str], other: tuple[str, str]) -> Selection:
    """Select the pair of two objects, given by group and id, whichever of them is p."""
    p, q = sorted((one, other), key=lambda canvas: (java_key(canvas[0]), java_key(canvas[1])))
    return Selection(
        ("p_group = :pg AND q_group = :qg AND p_id = :p AND q_id = :q",),
        {"pg": p[0], "p": p[1], "qg": q[0], "q": q[1]},
    )


def of_object(group: str, ident: str) -> Selection:
    """Select the pairs of an object."""
    return Selection(
        ("p_group = :g AND p_id = :i", "q_group = :g AND q_id = :i AND NOT (p_group = :g AND p_id = :i)"),
        {"g": group, "i": ident},
    )


def of_objects(objects: Sequence[tuple[str | None, str]]) -> Selection:
    """Select the pairs of any of many objects, given by group and id; what has no group is part of no pair."""
    groups = "(SELECT value FROM json_each(:groups))"
    known = "(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:objects))"
    # told, because it would rather walk over all pairs in the order of answers
    found = " UNION ".join(
        f"SELECT id FROM pair INDEXED BY pair_by_{part} WHERE collection = :collection "
        f"AND {part}_group IN {groups} AND ({part}_group, {part}_id) IN {known}"
        for part in "pq"
    )
    in_groups = [pair for pair in objects if pair[0] is not None]
    return Selection(
        (f"id IN ({found})",),
        {
            "objects": _json.dumps(in_groups).decode(),
            "groups": _json.dumps(sorted({str(group) for group, _ in in_groups})).decode(),
        },
    )


def object_with_group(group: str, ident: str, other: str) -> Selection:
    """Select the pairs of an object with the members of a group."""
    return Selection(
        (
            "p_group = :g AND p_id = :i AND q_group = :o",
            "q_group = :g AND q_id = :i AND p_group = :o "
            "AND NOT (p_group = :g AND p_id = :i AND q_group = :o)",
        ),
        {"g": group, "i": ident, "o": other},
    )


def columns_of(document: Document) -> tuple[Any, ...]:
    """Encode normalised matches as the columns of their row.

    p group, q group, p id and q id - what answers are ordered by -, whether there is a consensus set, the
    bytes before the matches, the matches, and their number.
    """
    head = {key: value for key, value in document.items() if key not in ("matches", "matchCount")}
    matches = document.get("matches")
    return (
        document["pGroupId"],
        document["qGroupId"],
        document["pId"],
        document["qId"],
        int("consensusSetData" in document),
        _json.dumps(head)[:-1],
        None if matches is None else _json.dumps(matches),
        document["matchCount"],
    )


def _document_of(details: bool = True) -> str:
    """Return the SQL expression that puts the JSON of a pair together."""
    matches = """ || CASE WHEN matches IS NULL THEN '' ELSE ',"matches":' || matches END""" if details else ""
    return f"""head{matches} || ',"matchCount":' || match_count || '}}'"""


def _query(selection: Selection, columns: str) -> str:
    """Write the query for selected pairs in the order of answers."""
    parts = [
        f"SELECT {_ORDER}, {columns} FROM pair WHERE collection = :collection AND {condition}"
        for condition in selection.conditions
    ]
    return f"{' UNION ALL '.join(parts)} ORDER BY {_ORDER}"


def documents(connection: Transaction, row: int, selection: Selection) -> list[Document]:
    """Return the selected pairs of a collection decoded, for few of them."""
    query = _query(selection, f"{_document_of()} AS document")
    rows = connection.execute(query, {"collection": row, **selection.values})
    return [_json.loads(found[4]) for found in rows]


def pages(store: Store, row: int, selection: Selection, details: bool) -> Iterator[bytes]:
    """Return the JSON of the selected pairs of a collection, some at a time, which the database puts together.

    Row by row, another thread could take the interpreter away each time.

    Parameters
    ----------
    store : Store
        Where they are; they are read while they are sent.
    details : bool
        Whether the points are given.

    Returns
    -------
    iterator of bytes
        Documents, separated by commas.
    """
    with store.held() as read:
        with read() as connection:
            (found,) = connection.execute(
                f"SELECT json_group_array(id) FROM ({_query(selection, 'id')})",
                {"collection": row, **selection.values},
            ).fetchone()
        ids = _json.loads(found)
        for start in range(0, len(ids), _PAGE):
            with read() as connection:
                (content,) = connection.execute(
                    "SELECT CAST(group_concat(document, ',' || char(10)) AS BLOB) FROM "
                    f"(SELECT {_document_of(details)} AS document FROM json_each(?) AS wanted "
                    "JOIN pair ON pair.id = wanted.value ORDER BY wanted.key)",
                    (_json.dumps(ids[start : start + _PAGE]).decode(),),
                ).fetchone()
            # all of them may have been deleted since, where reading holds no state
            if content is not None:
                yield content


def _pairs(store: Store, rows: list[int], selection: Selection, column: str) -> Iterator[list[Any]]:
    """Return a value of each pair of several collections, those of equal pairs together."""
    streams = [
        chain.from_iterable(
            store.rows(_query(selection, column), {"collection": row, **selection.values}, _PAGE)
        )
        for row in rows
    ]
    for _, same in groupby(heapq.merge(*streams, key=_key), _key):
        yield [pair[4] for pair in same]


def lack_points_to_merge(store: Store, rows: list[int], selection: Selection, exclude_details: bool) -> bool:
    """Tell whether of a pair that several collections have another than the first is without points.

    Parameters
    ----------
    exclude_details : bool
        Whether no points are looked at in any case.

    Returns
    -------
    bool
        Whether there is nothing to append to the first.
    """
    # the first one takes over what there is to append
    column = "1" if exclude_details else "matches IS NULL"
    return any(any(same[1:]) for same in _pairs(store, rows, selection, column))


def merge_pages(store: Store, rows: list[int], selection: Selection, details: bool) -> Iterator[bytes]:
    """Return the JSON of the pairs of several collections, merged into one, some pairs at a time.

    Returns
    -------
    iterator of bytes
        Documents, separated by commas.
    """
    column = f"CAST({_document_of(details)} AS BLOB)"
    found = (
        same[0] if len(same) == 1 else _json.dumps(merge_pairs(list(map(_json.loads, same))))
        for same in _pairs(store, rows, selection, column)
    )
    while page := b",\n".join(islice(found, _PAGE)):
        yield page


def save(connection: Transaction, row: int, pairs: Sequence[tuple[Any, ...]]) -> None:
    """Write pairs, as `columns_of` encodes them; what is there of the same canvases is replaced."""
    insert(
        connection,
        "INSERT INTO pair (collection, p_group, q_group, p_id, q_id, consensus, head, matches, match_count)",
        row,
        zip(*pairs),
        "ON CONFLICT (collection, p_group, q_group, p_id, q_id) DO UPDATE SET "
        "consensus = excluded.consensus, head = excluded.head, matches = excluded.matches, "
        "match_count = excluded.match_count",
    )


def delete(connection: Transaction, row: int, selection: Selection) -> None:
    """Delete the selected pairs of a collection."""
    for condition in selection.conditions:
        connection.execute(
            f"DELETE FROM pair WHERE collection = :collection AND {condition}",
            {"collection": row, **selection.values},
        )
