"""MatchService: match collections and the point matches in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from renderapi.server.documents.keys import CollectionKey
from renderapi.server.documents.matches import canvas_matches
from renderapi.server.documents.problems import Problem
from renderapi.server.documents.values import as_list, as_text, fields
from renderapi.server.endpoints.collecting import reading
from renderapi.server.endpoints.declaring import (
    COLLECTION,
    CREATED,
    OK,
    OWNER,
    Answer,
    Context,
    Service,
    decode,
    false_by_default,
    json_bytes,
    json_of,
    strings,
)
from renderapi.server.endpoints.refusals import Refusal
from renderapi.server.store import matches as rows

try:
    from renderapi.server.documents import usual_matches as usual
except ImportError:  # msgspec is not installed
    usual = None  # type: ignore[assignment]

service = Service("MatchService", "Point matches")

_MERGE = {"mergeCollection": strings}
_DETAILS = {"excludeMatchDetails": false_by_default, **_MERGE}


def matches_answer(
    server: Context,
    collection: CollectionKey,
    selection: rows.Selection,
    merge: Sequence[str] = (),
    exclude_details: bool = False,
) -> Answer:
    """Answer the selected pairs of one collection, or of several merged into one.

    The answer is sent while it is read, so everything that can be refused is looked for before.
    """
    names = dict.fromkeys([collection.name, *merge])
    keys = [CollectionKey(collection.owner, name).checked() for name in names]
    with server.store.read() as connection:
        found = [rows.get(connection, key) for key in keys]
    if len(found) == 1:
        return json_bytes(matches_content(server, found[0], selection, not exclude_details))
    if rows.lack_points_to_merge(server.store, found, selection, exclude_details):
        raise Refusal(500, "matches without their details cannot be merged")
    return json_bytes(_array(rows.merge_pages(server.store, found, selection, not exclude_details)))


def matches_content(
    server: Context, row: int, selection: rows.Selection, details: bool = True
) -> Iterator[bytes]:
    """Return the selected pairs of one collection as a JSON array, which is read while it is sent."""
    return _array(rows.pages(server.store, row, selection, details))


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
        return json_of(rows.owners(connection))


@service.get(OWNER + "/matchCollections")
def match_collections(server: Context, owner: str) -> Answer:
    """List the match collections of an owner and how many pairs each has."""
    with server.store.read() as connection:
        sizes = rows.sizes(connection, owner)
    return json_of(
        [{"collectionId": {"owner": owner, "name": name}, "pairCount": count} for name, count in sizes]
    )


def _groups(server: Context, collection: CollectionKey, sides: str, consensus: bool = False) -> Answer:
    with server.store.read() as connection:
        return json_of(rows.groups(connection, rows.get(connection, collection), sides, consensus))


@service.get(COLLECTION + "/pGroupIds")
def p_group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups that are p in some pair."""
    return _groups(server, collection, "p")


@service.get(COLLECTION + "/qGroupIds")
def q_group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups that are q in some pair."""
    return _groups(server, collection, "q")


@service.get(COLLECTION + "/groupIds")
def group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups of all pairs."""
    return _groups(server, collection, "pq")


@service.get(COLLECTION + "/multiConsensusPGroupIds")
def multi_consensus_p_group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups that are p in some pair with consensus sets."""
    return _groups(server, collection, "p", consensus=True)


@service.get(COLLECTION + "/multiConsensusGroupIds")
def multi_consensus_group_ids(server: Context, collection: CollectionKey) -> Answer:
    """List the groups of all pairs with consensus sets."""
    return _groups(server, collection, "pq", consensus=True)


@service.get(COLLECTION + "/pGroup/{pGroupId}/matches", query=_DETAILS)
def p_group_matches(
    server: Context,
    collection: CollectionKey,
    pGroupId: str,
    excludeMatchDetails: bool,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches whose p is in a group."""
    return matches_answer(server, collection, rows.of_p_group(pGroupId), mergeCollection, excludeMatchDetails)


@service.get(COLLECTION + "/pGroup/{pGroupId}/matchCounts")
def p_group_match_counts(server: Context, collection: CollectionKey, pGroupId: str) -> Answer:
    """Return the numbers of matches whose p is in a group."""
    return matches_answer(server, collection, rows.of_p_group(pGroupId), exclude_details=True)


@service.get(COLLECTION + "/group/{groupId}/matchesWithinGroup", query=_DETAILS)
def matches_within_group(
    server: Context,
    collection: CollectionKey,
    groupId: str,
    excludeMatchDetails: bool,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches inside of a group."""
    return matches_answer(
        server, collection, rows.within_group(groupId), mergeCollection, excludeMatchDetails
    )


@service.get(COLLECTION + "/group/{groupId}/matchesOutsideGroup", query=_DETAILS)
def matches_outside_group(
    server: Context,
    collection: CollectionKey,
    groupId: str,
    excludeMatchDetails: bool,
    mergeCollection: list[str],
) -> Answer:
    """Return the matches of a group with other groups."""
    return matches_answer(
        server, collection, rows.outside_group(groupId), mergeCollection, excludeMatchDetails
    )


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
        server, collection, rows.between_groups(pGroupId, qGroupId), mergeCollection, excludeMatchDetails
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
        server, collection, rows.between_objects((pGroupId, pId), (qGroupId, qId)), mergeCollection
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
    selection = rows.object_with_group(pGroupId, pId, qGroupId)
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
    return matches_answer(server, collection, rows.of_object(groupId, id), mergeCollection)


def _delete(server: Context, collection: CollectionKey, selection: rows.Selection) -> Answer:
    """Delete pairs; the collection stays even if it is empty then."""
    with server.store.write() as connection:
        rows.delete(connection, rows.get(connection, collection), selection)
    return OK


@service.delete(COLLECTION + "/pGroup/{pGroupId}/matches")
def delete_p_group_matches(server: Context, collection: CollectionKey, pGroupId: str) -> Answer:
    """Delete the matches whose p is in a group."""
    return _delete(server, collection, rows.of_p_group(pGroupId))


@service.delete(COLLECTION + "/group/{groupId}/matchesOutsideGroup")
def delete_matches_outside_group(server: Context, collection: CollectionKey, groupId: str) -> Answer:
    """Delete the matches of a group with other groups."""
    return _delete(server, collection, rows.outside_group(groupId))


@service.delete(COLLECTION + "/group/{pGroupId}/matchesWith/{qGroupId}")
def delete_matches_between_groups(
    server: Context, collection: CollectionKey, pGroupId: str, qGroupId: str
) -> Answer:
    """Delete the matches of two groups."""
    return _delete(server, collection, rows.between_groups(pGroupId, qGroupId))


@service.delete(COLLECTION + "/group/{pGroupId}/id/{pId}/matchesWith/{qGroupId}/id/{qId}")
def delete_matches_between_objects(
    server: Context, collection: CollectionKey, pGroupId: str, pId: str, qGroupId: str, qId: str
) -> Answer:
    """Delete the matches of two objects."""
    return _delete(server, collection, rows.between_objects((pGroupId, pId), (qGroupId, qId)))


@service.delete(COLLECTION + "/group/{groupId}/id/{id}")
def delete_matches_of_object(server: Context, collection: CollectionKey, groupId: str, id: str) -> Answer:
    """Delete the matches of an object."""
    return _delete(server, collection, rows.of_object(groupId, id))


def _decode_matches(content: bytes) -> Any:
    """Decode a body of matches: as usual ones, where all are."""
    pairs = None if usual is None else usual.usual_matches(content)
    return decode(content) if pairs is None else pairs


def _rows_of(body: Any) -> list[tuple[Any, ...]] | None:
    if usual is not None and isinstance(body, usual.UsualMatches):
        return body.rows()
    return as_list(body, "matches", lambda pair, _: rows.columns_of(canvas_matches(pair)))


@service.put(COLLECTION + "/matches", decodes=_decode_matches)
def save_matches(server: Context, collection: CollectionKey, body: Any) -> Answer:
    """Store matches, replacing those of the same pairs; the first ones create the collection."""
    try:
        with reading(len(body) if isinstance(body, list) else 0):
            pairs = _rows_of(body)
    except Problem as problem:
        if not problem.late:
            raise
        # to render-ws the collection is there as soon as it looks at the pairs
        with server.store.write() as connection:
            rows.make(connection, collection)
        raise
    if pairs is None:
        raise Refusal(400, "no matches provided")
    if not pairs:
        return CREATED
    with server.store.write() as connection:
        rows.save(connection, rows.make(connection, collection), pairs)
    return CREATED


@service.put(COLLECTION + "/pGroup/{pGroupId}/matchCounts", takes=None)
def update_match_counts(server: Context, collection: CollectionKey, pGroupId: str) -> Answer:
    """Make the numbers of matches of a group right; here they always are, so it is only looked for."""
    with server.store.read() as connection:
        row = rows.get(connection, collection)
        number, with_points = rows.count_of_p_group(connection, row, pGroupId)
    if not number:
        raise Refusal(400, "state should be: writes is not an empty list")
    if with_points < number:
        raise Refusal(500, f"{number - with_points} of the pairs with pGroupId '{pGroupId}' have no matches")
    return CREATED


@service.delete(COLLECTION)
def delete_collection(server: Context, collection: CollectionKey) -> Answer:
    """Delete a match collection."""
    with server.store.write() as connection:
        server.store.drop(connection, "collection", rows.get(connection, collection))
    server.store.remove_dropped()
    return OK


@service.put(COLLECTION + "/collectionId")
def rename_collection(server: Context, collection: CollectionKey, body: Any) -> Answer:
    """Rename a match collection, also to another owner."""
    named = fields(body, "collectionId", {"owner": as_text, "name": as_text})
    with server.store.write() as connection:
        row = rows.find(connection, collection)
        if row is None:
            raise Refusal(404, f"{collection} does not exist")
        if named is None:
            raise Refusal(500, "the new match collection id must not be null")
        if len(named) < 2:
            raise Refusal(400, "owner and name of the new match collection id must be provided")
        target = CollectionKey(**named).short_enough()
        if rows.find(connection, target) is not None:
            raise Refusal(400, f"{target} already exists")
        rows.rename(connection, row, target)
    return OK
