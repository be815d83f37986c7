"""MatchService: match collections and the point matches in them."""

# ruff: noqa: S608 - conditions and names of columns are put into queries, values never are

from __future__ import annotations

import heapq
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

from renderapi import _json
from renderapi.server.documents.keys import CollectionKey, collection_missing
from renderapi.server.documents.matches import canvas_matches, merged, pair_columns, pair_document, utf16_key
from renderapi.server.documents.problems import MissingError, Problem
from renderapi.server.documents.tiles import Document
from renderapi.server.documents.values import as_list, as_object, as_text, fields
from renderapi.server.http.collecting import reading
from renderapi.server.http.endpoint import (
    COLLECTION,
    CREATED,
    OK,
    OWNER,
    Answer,
    Context,
    Service,
    flag,
    json_bytes,
    json_of,
    strings,
)
from renderapi.server.http.refusals import Refusal, not_built
from renderapi.server.store.database import insert

service = Service("MatchService", "Point matches")

_MERGE = {"mergeCollection": strings}
_DETAILS = {"excludeMatchDetails": flag, **_MERGE}
_ORDER = "p_group, q_group, p_id, q_id"
_key = itemgetter(slice(0, 4))
_PAGE = 250
# the key of a trial in the data base of render-ws
_OBJECT_ID = re.compile(r"[0-9A-Fa-f]{24}")


@dataclass(frozen=True)
class Selection:
    """Pairs of a collection: conditions of which at most one holds for a pair, and values by name."""

    conditions: tuple[str, ...]
    values: dict[str, str]


def of_p_group(group: str) -> Selection:
    """Select pairs whose p is in a group."""
    return Selection(("p_group = :g",), {"g": group})


def within(group: str) -> Selection:
    """Select pairs inside of a group."""
    return Selection(("p_group = :g AND q_group = :g",), {"g": group})


def outside(group: str) -> Selection:
    """Select pairs of a group with other groups."""
    return Selection(("p_group = :g AND q_group != :g", "q_group = :g AND p_group != :g"), {"g": group})


def between_groups(one: str, other: str) -> Selection:
    """Select pairs of two groups, whichever of them is p."""
    p, q = sorted((one, other), key=utf16_key)
    return Selection(("p_group = :p AND q_group = :q",), {"p": p, "q": q})


def between_objects(one: tuple[str, str], other: tuple[str, str]) -> Selection:
    """Select the pair of two objects, given by group and id, whichever of them is p."""
    p, q = sorted((one, other), key=lambda canvas: (utf16_key(canvas[0]), utf16_key(canvas[1])))
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


def find_collection(connection: sqlite3.Connection, key: CollectionKey) -> int:
    """Return the row of a collection, refuse (404) if there is none."""
    found = connection.execute(
        "SELECT id FROM collection WHERE owner = ? AND name = ?", (key.owner, key.name)
    ).fetchone()
    if found is None:
        raise collection_missing(key)
    return int(found[0])


def _query(selection: Selection, columns: str) -> str:
    """Write the query for selected pairs in the order of answers."""
    parts = [
        f"SELECT {_ORDER}, {columns} FROM pair WHERE collection = :collection AND {condition}"
        for condition in selection.conditions
    ]
    return f"{' UNION ALL '.join(parts)} ORDER BY {_ORDER}"


def select_documents(connection: sqlite3.Connection, row: int, selection: Selection) -> list[Document]:
    """Return the selected pairs of a collection decoded, for few of them."""
    query = _query(selection, f"{pair_document()} AS document")
    rows = connection.execute(query, {"collection": row, **selection.values})
    return [_json.loads(found[4]) for found in rows]


def matches_answer(
    server: Context,
    collection: CollectionKey,
    selection: Selection,
    merge: Sequence[str] = (),
    exclude_details: bool = False,
) -> Answer:
    """Answer the selected pairs of one collection, or of several merged into one.

    The answer is sent while it is read, so everything that can be refused is looked for before.
    """
    names = dict.fromkeys([collection.name, *merge])
    keys = [CollectionKey(collection.owner, name).checked() for name in names]
    with server.store.read() as connection:
        rows = [find_collection(connection, key) for key in keys]
    if len(rows) == 1:
        return json_bytes(matches_content(server, rows[0], selection, not exclude_details))
    if _equal_pairs_without_points(server, rows, selection, exclude_details):
        raise Refusal(500, "matches without their details cannot be merged")
    return json_bytes(_array(_merged_pairs(server, rows, selection, not exclude_details)))


def matches_content(server: Context, row: int, selection: Selection, details: bool = True) -> Iterator[bytes]:
    """Return the selected pairs of one collection as a JSON array, which is read while it is sent."""
    return _array(_pages(server, row, selection, details))


def _pages(server: Context, row: int, selection: Selection, details: bool) -> Iterator[bytes]:
    """Return the JSON of pairs, some at a time, which the database puts together.

    Row by row, another thread could take the interpreter away each time.
    """
    with server.store.held() as read:
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
                    f"(SELECT {pair_document(details)} AS document FROM json_each(?) AS wanted "
                    "JOIN pair ON pair.id = wanted.value ORDER BY wanted.key)",
                    (_json.dumps(ids[start : start + _PAGE]).decode(),),
                ).fetchone()
            # all of them may have been deleted since, where reading holds no state
            if content is not None:
                yield content


def _pairs(server: Context, rows: list[int], selection: Selection, column: str) -> Iterator[list[Any]]:
    """Return a value of each pair of several collections, those of equal pairs together."""
    streams = [
        chain.from_iterable(
            server.store.rows(_query(selection, column), {"collection": row, **selection.values}, _PAGE)
        )
        for row in rows
    ]
    for _, same in groupby(heapq.merge(*streams, key=_key), _key):
        yield [pair[4] for pair in same]


def _equal_pairs_without_points(
    server: Context, rows: list[int], selection: Selection, exclude_details: bool
) -> bool:
    # the first one takes over what there is to append
    column = "1" if exclude_details else "matches IS NULL"
    return any(any(same[1:]) for same in _pairs(server, rows, selection, column))


def _merged_pairs(server: Context, rows: list[int], selection: Selection, details: bool) -> Iterator[bytes]:
    column = f"CAST({pair_document(details)} AS BLOB)"
    found = (
        same[0] if len(same) == 1 else _json.dumps(merged(list(map(_json.loads, same))))
        for same in _pairs(server, rows, selection, column)
    )
    while page := b",\n".join(islice(found, _PAGE)):
        yield page


def _array(pages: Iterator[bytes]) -> Iterator[bytes]:
    start = b"["
    for page in pages:
        yield start + page
        start = b",\n"
    yield b"[]" if start == b"[" else b"]"


@service.get("/matchCollectionOwners")
def match_collection_owners(server: Context) -> Answer:
    """List the owners of match collections."""
    with server.store.read() as connection:
        rows = connection.execute(
            "SELECT DISTINCT owner FROM collection WHERE owner IS NOT NULL ORDER BY owner"
        )
        return json_of([owner for (owner,) in rows])


@service.get(OWNER + "/matchCollections")
def match_collections(server: Context, owner: str) -> Answer:
    """List the match collections of an owner and how many pairs each has."""
    with server.store.read() as connection:
        rows = connection.execute(
            "SELECT name, (SELECT count(*) FROM pair WHERE collection = collection.id) FROM collection "
            "WHERE owner = ? ORDER BY name",
            (owner,),
        )
        return json_of(
            [{"collectionId": {"owner": owner, "name": name}, "pairCount": count} for name, count in rows]
        )


def _groups(
    server: Context, collection: CollectionKey, columns: tuple[str, ...], consensus: bool = False
) -> Answer:
    groups: set[str] = set()
    source = "pair WHERE collection = ?"
    if consensus:
        source = "pair INDEXED BY pair_by_consensus WHERE collection = ? AND consensus"
    with server.store.read() as connection:
        row = find_collection(connection, collection)
        for column in columns:
            rows = connection.execute(f"SELECT DISTINCT {column} FROM {source}", (row,))
            groups.update(group for (group,) in rows)
    return json_of(sorted(groups))


@service.get(COLLECTION + "/pGroupIds")
def p_group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups that are p in some pair."""
    return _groups(server, collection, ("p_group",))


@service.get(COLLECTION + "/qGroupIds")
def q_group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups that are q in some pair."""
    return _groups(server, collection, ("q_group",))


@service.get(COLLECTION + "/groupIds")
def group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups of all pairs."""
    return _groups(server, collection, ("p_group", "q_group"))


@service.get(COLLECTION + "/multiConsensusPGroupIds")
def multi_consensus_p_group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups that are p in some pair with consensus sets."""
    return _groups(server, collection, ("p_group",), consensus=True)


@service.get(COLLECTION + "/multiConsensusGroupIds")
def multi_consensus_group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups of all pairs with consensus sets."""
    return _groups(server, collection, ("p_group", "q_group"), consensus=True)


@service.get(COLLECTION + "/pGroup/{pGroupId}/matches", query=_DETAILS)
def p_group_matches(
    server: Context,
    collection: CollectionKey,
    pGroupId: str,
    excludeMatchDetails: bool,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches whose p is in a group."""
    return matches_answer(server, collection, of_p_group(pGroupId), mergeCollection, excludeMatchDetails)


@service.get(COLLECTION + "/pGroup/{pGroupId}/matchCounts")
def p_group_match_counts(server: Context, collection: CollectionKey, pGroupId: str) -> Answer:
    """Return the numbers of matches whose p is in a group."""
    return matches_answer(server, collection, of_p_group(pGroupId), exclude_details=True)


@service.get(COLLECTION + "/group/{groupId}/matchesWithinGroup", query=_DETAILS)
def matches_within_group(
    server: Context,
    collection: CollectionKey,
    groupId: str,
    excludeMatchDetails: bool,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches inside of a group."""
    return matches_answer(server, collection, within(groupId), mergeCollection, excludeMatchDetails)


@service.get(COLLECTION + "/group/{groupId}/matchesOutsideGroup", query=_DETAILS)
def matches_outside_group(
    server: Context,
    collection: CollectionKey,
    groupId: str,
    excludeMatchDetails: bool,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches of a group with other groups."""
    return matches_answer(server, collection, outside(groupId), mergeCollection, excludeMatchDetails)


@service.get(COLLECTION + "/group/{pGroupId}/matchesWith/{qGroupId}", query=_DETAILS)
def matches_between_groups(
    server: Context,
    collection: CollectionKey,
    pGroupId: str,
    qGroupId: str,
    excludeMatchDetails: bool,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches of two groups."""
    return matches_answer(
        server, collection, between_groups(pGroupId, qGroupId), mergeCollection, excludeMatchDetails
    )


@service.get(COLLECTION + "/group/{pGroupId}/id/{pId}/matchesWith/{qGroupId}/id/{qId}", query=_MERGE)
def matches_between_objects(
    server: Context,
    collection: CollectionKey,
    pGroupId: str,
    pId: str,
    qGroupId: str,
    qId: str,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches of two objects, as a list of none or one."""
    return matches_answer(
        server, collection, between_objects((pGroupId, pId), (qGroupId, qId)), mergeCollection
    )


@service.get(COLLECTION + "/group/{pGroupId}/id/{pId}/matchesWith/{qGroupId}", query=_DETAILS)
def matches_of_object_with_group(
    server: Context,
    collection: CollectionKey,
    pGroupId: str,
    pId: str,
    qGroupId: str,
    excludeMatchDetails: bool,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches of an object with the members of a group."""
    selection = object_with_group(pGroupId, pId, qGroupId)
    return matches_answer(server, collection, selection, mergeCollection, excludeMatchDetails)


@service.get(COLLECTION + "/group/{groupId}/id/{id}", query=_MERGE)
def matches_of_object(
    server: Context,
    collection: CollectionKey,
    groupId: str,
    id: str,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches of an object."""
    return matches_answer(server, collection, of_object(groupId, id), mergeCollection)


def _delete(server: Context, collection: CollectionKey, selection: Selection) -> Answer:
    """Delete pairs; the collection stays even if it is empty then."""
    with server.store.write() as connection:
        row = find_collection(connection, collection)
        for condition in selection.conditions:
            connection.execute(
                f"DELETE FROM pair WHERE collection = :collection AND {condition}",
                {"collection": row, **selection.values},
            )
    return OK


@service.delete(COLLECTION + "/pGroup/{pGroupId}/matches")
def delete_p_group_matches(server: Context, collection: CollectionKey, pGroupId: str) -> Answer:
    """Delete the matches whose p is in a group."""
    return _delete(server, collection, of_p_group(pGroupId))


@service.delete(COLLECTION + "/group/{groupId}/matchesOutsideGroup")
def delete_matches_outside_group(server: Context, collection: CollectionKey, groupId: str) -> Answer:
    """Delete the matches of a group with other groups."""
    return _delete(server, collection, outside(groupId))


@service.delete(COLLECTION + "/group/{pGroupId}/matchesWith/{qGroupId}")
def delete_matches_between_groups(
    server: Context, collection: CollectionKey, pGroupId: str, qGroupId: str
) -> Answer:
    """Delete the matches of two groups."""
    return _delete(server, collection, between_groups(pGroupId, qGroupId))


@service.delete(COLLECTION + "/group/{pGroupId}/id/{pId}/matchesWith/{qGroupId}/id/{qId}")
def delete_matches_between_objects(
    server: Context, collection: CollectionKey, pGroupId: str, pId: str, qGroupId: str, qId: str
) -> Answer:
    """Delete the matches of two objects."""
    return _delete(server, collection, between_objects((pGroupId, pId), (qGroupId, qId)))


@service.delete(COLLECTION + "/group/{groupId}/id/{id}")
def delete_matches_of_object(server: Context, collection: CollectionKey, groupId: str, id: str) -> Answer:
    """Delete the matches of an object."""
    return _delete(server, collection, of_object(groupId, id))


def _make_collection(connection: sqlite3.Connection, key: CollectionKey) -> int:
    connection.execute(
        "INSERT INTO collection (owner, name) VALUES (?, ?) ON CONFLICT DO NOTHING", (key.owner, key.name)
    )
    return find_collection(connection, key)


@service.put(COLLECTION + "/matches")
def save_matches(server: Context, collection: CollectionKey, body: Any) -> Answer:
    """Store matches, replacing those of the same pairs; the first ones create the collection."""
    try:
        with reading(len(body) if isinstance(body, list) else 0):
            pairs = as_list(body, "matches", lambda pair, _: pair_columns(canvas_matches(pair)))
    except Problem as problem:
        if not problem.late:
            raise
        # to render-ws the collection is there as soon as it looks at the pairs
        with server.store.write() as connection:
            _make_collection(connection, collection)
        raise
    if pairs is None:
        raise Refusal(400, "no matches provided")
    if not pairs:
        return CREATED
    with server.store.write() as connection:
        row = _make_collection(connection, collection)
        insert(
            connection,
            "INSERT INTO pair (collection, p_group, q_group, p_id, q_id, consensus, head, matches, "
            "match_count)",
            row,
            pairs,
            "ON CONFLICT (collection, p_group, q_group, p_id, q_id) DO UPDATE SET "
            "consensus = excluded.consensus, head = excluded.head, matches = excluded.matches, "
            "match_count = excluded.match_count",
        )
    return CREATED


@service.put(COLLECTION + "/pGroup/{pGroupId}/matchCounts", takes=None)
def update_match_counts(server: Context, collection: CollectionKey, pGroupId: str) -> Answer:
    """Make the numbers of matches of a group right; here they always are, so it is only looked for."""
    with server.store.read() as connection:
        row = find_collection(connection, collection)
        (number, with_points) = connection.execute(
            "SELECT count(*), count(matches) FROM pair WHERE collection = ? AND p_group = ?", (row, pGroupId)
        ).fetchone()
    if not number:
        raise Refusal(400, "state should be: writes is not an empty list")
    if with_points < number:
        raise Refusal(500, f"{number - with_points} of the pairs with pGroupId '{pGroupId}' have no matches")
    return CREATED


@service.delete(COLLECTION)
def delete_collection(server: Context, collection: CollectionKey) -> Answer:
    """Delete a match collection."""
    with server.store.write() as connection:
        server.store.drop(connection, "collection", find_collection(connection, collection))
    server.store.remove_dropped()
    return OK


@service.put(COLLECTION + "/collectionId")
def rename_collection(server: Context, collection: CollectionKey, body: Any) -> Answer:
    """Rename a match collection, also to another owner."""
    named = fields(body, "collectionId", {"owner": as_text, "name": as_text})
    with server.store.write() as connection:
        try:
            row = find_collection(connection, collection)
        except MissingError:
            raise Refusal(404, f"{collection} does not exist") from None
        if named is None:
            raise Refusal(500, "the new match collection id must not be null")
        if len(named) < 2:
            raise Refusal(400, "owner and name of the new match collection id must be provided")
        target = CollectionKey(**named).short_enough()
        taken = connection.execute(
            "SELECT 1 FROM collection WHERE owner = ? AND name = ?", (target.owner, target.name)
        ).fetchone()
        if taken is not None:
            raise Refusal(400, f"{target} already exists")
        connection.execute(
            "UPDATE collection SET owner = ?, name = ? WHERE id = ?", (target.owner, target.name, row)
        )
    return OK


# ------------------------------------------------------------------------------ trials


@service.post(OWNER + "/matchTrial")
def run_match_trial(server: Context, owner: str, body: Any) -> Answer:
    """Derive the matches of two tiles and keep them as a trial (not offered, once its parameters are right)."""
    given = as_object(body, "match trial parameters")
    if given is None:
        raise Refusal(400, "no parameters provided")
    how = as_object(given.get("featureAndMatchParameters"), "featureAndMatchParameters")
    if how is None:
        raise Refusal(400, "featureAndMatchParameters are not defined")
    if how.get("siftFeatureParameters") is None:
        raise Refusal(400, "siftFeatureParameters must be defined")
    derivation = as_object(how.get("matchDerivationParameters"), "matchDerivationParameters")
    if derivation is None:
        raise Refusal(400, "feature matchDerivationParameters must be defined")
    regularizer = ("matchRegularizerModelType", "matchInterpolatedModelLambda")
    for names, place, words in (
        (regularizer, derivation, "feature {} must be defined since {} is defined"),
        (("clipPixels", "pClipPosition"), how, "{} must be defined when {} is defined"),
    ):
        for missing, present in (names, names[::-1]):
            if place.get(missing) is None and place.get(present) is not None:
                raise Refusal(400, words.format(missing, present))
    for name in ("pRenderParametersUrl", "qRenderParametersUrl"):
        if given.get(name) is None:
            raise Refusal(400, f"{name} is not defined")
    raise not_built("match trials")


def _check_trial_id(trial_id: str) -> None:
    if not _OBJECT_ID.fullmatch(trial_id):
        raise Refusal(400, f"invalid hexadecimal representation of an ObjectId: [{trial_id}]")


@service.get(OWNER + "/matchTrial/{trialId}")
def match_trial(server: Context, owner: str, trialId: str) -> Answer:
    """Return a match trial, of which there is none (404)."""
    _check_trial_id(trialId)
    where = "match.aaa_match_trial collection"
    raise Refusal(404, f"match trial with id '{trialId}' does not exist in the {where}")


@service.delete(OWNER + "/matchTrial/{trialId}")
def delete_match_trial(server: Context, owner: str, trialId: str) -> Answer:
    """Delete a match trial; one that does not exist is deleted already."""
    _check_trial_id(trialId)
    return OK
