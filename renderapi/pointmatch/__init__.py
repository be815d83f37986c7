"""Point matches: which points of two tiles show the same thing.

Matches live in collections. Each document holds the matches of one pair of tiles, which are named by group
and id (by convention section id and tile id)::

    {"pGroupId": "1.0", "pId": "tile_1", "qGroupId": "2.0", "qId": "tile_2",
     "matches": {"p": [[x, ...], [y, ...]], "q": [[x, ...], [y, ...]], "w": [weight, ...]}}

``p``, ``q`` and ``w`` are parallel: one list per dimension, in pixels at scale 1, and one weight per match.
The server orders each pair by group and id (as text, not as numbers), so that p and q may come back swapped.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from renderapi._parallel import checks_reporter, progress_reporter
from renderapi.errors import RenderWarning, SpecError
from renderapi.http.transport import confirmed
from renderapi.http.urls import server_url
from renderapi.pointmatch._coverage import MatchCoverage, match_coverage
from renderapi.pointmatch._documents import (
    copy_match_explicit,
    copy_matches_explicit,
    is_per_dimension,
    pair_name,
    swap_matchpair,
)
from renderapi.pointmatch._tools import (
    MatchArrays,
    MatchStatistics,
    filter_matches,
    match_arrays,
    match_clusters,
    match_from_arrays,
    match_statistics,
    merge_matches,
    order_matchpair,
)
from renderapi.pointmatch.uploading import UploadResult, upload_matches
from renderapi.render import format_baseurl, owner_url, renderaccess
from renderapi.utils import NullHandler, get_json, jbool, put_json, rest_delete

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "MatchArrays",
    "MatchCoverage",
    "MatchStatistics",
    "NullHandler",
    "UploadResult",
    "add_merge_collections",
    "copy_match_explicit",
    "copy_matches_explicit",
    "delete_collection",
    "delete_point_matches_between_groups",
    "delete_point_matches_between_tiles",
    "delete_point_matches_of_tile",
    "delete_point_matches_outside_group",
    "delete_point_matches_with_group",
    "filter_matches",
    "format_baseurl",
    "get_json",
    "get_match_counts",
    "get_match_groupIds",
    "get_match_groupIds_from_only",
    "get_match_groupIds_to_only",
    "get_matchcollection_owners",
    "get_matchcollections",
    "get_matches_from_group_to_group",
    "get_matches_from_tile_to_group",
    "get_matches_from_tile_to_tile",
    "get_matches_involving_tile",
    "get_matches_outside_group",
    "get_matches_with_group",
    "get_matches_within_group",
    "get_multiconsensus_groupIds",
    "get_multiconsensus_groupIds_from_only",
    "import_matches",
    "logger",
    "match_arrays",
    "match_clusters",
    "match_coverage",
    "match_from_arrays",
    "match_statistics",
    "merge_matches",
    "order_matchpair",
    "put_json",
    "rename_collection",
    "rest_delete",
    "select",
    "set_match_counts",
    "swap_matchpair",
    "upload_matches",
]

MergeCollections = Iterable[str] | str | None
_CHECKED_AT_ONCE = 1000


# ------------------------------------------------------------------------------ collections


def add_merge_collections(request_url: str, mcs: MergeCollections) -> str:
    """Append the collections that are to be merged to a URL.

    Parameters
    ----------
    request_url : str
        URL, with or without a query.
    mcs : str or iterable of str, optional
        One collection, or several; None for none.

    Returns
    -------
    str
    """
    query = "&".join(f"mergeCollection={quote(name, safe='')}" for name in _collection_names(mcs))
    if not query:
        return request_url
    return f"{request_url}{'&' if '?' in request_url else '?'}{query}"


def _collection_names(collections: MergeCollections) -> list[str]:
    if collections is None:
        return []
    return [collections] if isinstance(collections, str) else [str(name) for name in collections]


def _read(
    session: requests.Session | None,
    url: str,
    merge: MergeCollections = None,
    exclude_details: bool | None = None,
) -> Any:
    params = None if exclude_details is None else {"excludeMatchDetails": jbool(exclude_details)}
    return get_json(session, add_merge_collections(url, merge), params=params)


@renderaccess
def get_matchcollection_owners(
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the owners of match collections.

    Parameters
    ----------
    host, port, session, render
        Connection.

    Returns
    -------
    list of str

    Raises
    ------
    RenderError
        If the server refuses.
    """
    url = server_url(host, port, "matchCollectionOwners")
    owners: list[str] = get_json(session, url)
    return owners


@renderaccess
def get_matchcollections(
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """List the match collections of an owner.

    Parameters
    ----------
    owner : str, optional
        Owner; one without collections gives an empty list.
    host, port, session, render
        Connection.

    Returns
    -------
    list of dict
        ``{"collectionId": {"owner": ..., "name": ...}, "pairCount": ...}``

    Raises
    ------
    RenderError
        If the server refuses.
    """
    collections: list[dict[str, Any]] = get_json(session, owner_url(host, port, owner, "matchCollections"))
    return collections


@renderaccess
def delete_collection(
    matchCollection: str,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete a match collection with all its matches.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    owner, host, port, session, render
        Connection.

    Returns
    -------
    requests.Response
        Status 200.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    return confirmed(rest_delete(session, owner_url(host, port, owner, "matchCollection", matchCollection)))


# ------------------------------------------------------------------------------ groups


@renderaccess
def get_match_groupIds(
    matchCollection: str,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the groups (sections) of a collection.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    owner, host, port, session, render
        Connection.

    Returns
    -------
    list of str
        Sorted as text.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    ids: list[str] = get_json(
        session, owner_url(host, port, owner, "matchCollection", matchCollection, "groupIds")
    )
    return ids


@renderaccess
def get_match_groupIds_from_only(
    matchCollection: str,
    mergeCollections: MergeCollections = None,
    render: Render | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the groups that are p of a match in a collection.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    mergeCollections : str or iterable of str, optional
        Sent along; render-ws 4.0 does not look at it here.
    render, owner, host, port, session
        Connection.

    Returns
    -------
    list of str

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchCollection", matchCollection, "pGroupIds")
    ids: list[str] = _read(session, url, mergeCollections)
    return ids


@renderaccess
def get_match_groupIds_to_only(
    matchCollection: str,
    mergeCollections: MergeCollections = None,
    render: Render | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the groups that are q of a match in a collection.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    mergeCollections : str or iterable of str, optional
        Sent along; render-ws 4.0 does not look at it here.
    render, owner, host, port, session
        Connection.

    Returns
    -------
    list of str

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchCollection", matchCollection, "qGroupIds")
    ids: list[str] = _read(session, url, mergeCollections)
    return ids


# ------------------------------------------------------------------------------ reading matches


@renderaccess
def get_matches_with_group(
    matchCollection: str,
    pgroup: str,
    mergeCollections: MergeCollections = None,
    stream: bool = True,
    render: Render | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    *,
    excludeMatchDetails: bool | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Get the matches whose p is in a group (section).

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup : str
        The group.
    mergeCollections : str or iterable of str, optional
        Collections of the same owner to be merged with it: the points of equal pairs are joined.
    stream : bool
        Accepted for old programs, without effect.
    render, owner, host, port, session
        Connection.
    excludeMatchDetails : bool, optional
        Leave the points out, and give ids and ``matchCount`` only.

    Returns
    -------
    list of dict
        Match documents, ordered by pGroupId, qGroupId, pId, qId; empty if there are none.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchCollection", matchCollection, "pGroup", pgroup, "matches", "")
    matches: list[dict[str, Any]] = _read(session, url, mergeCollections, excludeMatchDetails)
    return matches


@renderaccess
def get_matches_within_group(
    matchCollection: str,
    groupId: str,
    mergeCollections: MergeCollections = None,
    stream: bool = True,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    excludeMatchDetails: bool | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Get the matches between tiles of one group (section): those of a montage.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    groupId : str
        The group.
    mergeCollections, stream, excludeMatchDetails
        As for `get_matches_with_group`.
    owner, host, port, session, render
        Connection.

    Returns
    -------
    list of dict
        Match documents, ordered by pId, qId; empty if there are none.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(
        host, port, owner, "matchCollection", matchCollection, "group", groupId, "matchesWithinGroup"
    )
    matches: list[dict[str, Any]] = _read(session, url, mergeCollections, excludeMatchDetails)
    return matches


@renderaccess
def get_matches_outside_group(
    matchCollection: str,
    groupId: str,
    mergeCollections: MergeCollections = None,
    stream: bool = True,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    excludeMatchDetails: bool | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Get the matches between a group (section) and all others.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    groupId : str
        The group.
    mergeCollections, stream, excludeMatchDetails
        As for `get_matches_with_group`.
    owner, host, port, session, render
        Connection.

    Returns
    -------
    list of dict
        Match documents, ordered by pGroupId, qGroupId, pId, qId; empty if there are none.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(
        host, port, owner, "matchCollection", matchCollection, "group", groupId, "matchesOutsideGroup"
    )
    matches: list[dict[str, Any]] = _read(session, url, mergeCollections, excludeMatchDetails)
    return matches


@renderaccess
def get_matches_from_group_to_group(
    matchCollection: str,
    pgroup: str,
    qgroup: str,
    mergeCollections: MergeCollections = None,
    stream: bool = True,
    render: Render | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    *,
    excludeMatchDetails: bool | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Get the matches between two groups (sections).

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup, qgroup : str
        The groups, in any order.
    mergeCollections, stream, excludeMatchDetails
        As for `get_matches_with_group`.
    render, owner, host, port, session
        Connection.

    Returns
    -------
    list of dict
        Match documents, ordered by pId, qId; empty if there are none. Which group is p, the server decides.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = _between_groups(host, port, owner, matchCollection, pgroup, qgroup)
    matches: list[dict[str, Any]] = _read(session, url, mergeCollections, excludeMatchDetails)
    return matches


@renderaccess
def get_matches_from_tile_to_tile(
    matchCollection: str,
    pgroup: str,
    pid: str,
    qgroup: str,
    qid: str,
    mergeCollections: MergeCollections = None,
    render: Render | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Get the matches between two tiles.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup, pid, qgroup, qid : str
        Group and id of the tiles, in any order.
    mergeCollections : str or iterable of str, optional
        As for `get_matches_with_group`.
    render, owner, host, port, session
        Connection.

    Returns
    -------
    list of dict
        One match document, or none. Which tile is p is the server's choice.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = _between_tiles(host, port, owner, matchCollection, (pgroup, pid), (qgroup, qid))
    matches: list[dict[str, Any]] = _read(session, url, mergeCollections)
    return matches


@renderaccess
def get_matches_involving_tile(
    matchCollection: str,
    groupId: str,
    id: str,
    mergeCollections: MergeCollections = None,
    stream: bool = True,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Get the matches between a tile and all others.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    groupId, id : str
        Group and id of the tile.
    mergeCollections, stream
        As for `get_matches_with_group`.
    owner, host, port, session, render
        Connection.

    Returns
    -------
    list of dict
        Match documents, in which the tile is p or q; empty if there are none.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchCollection", matchCollection, "group", groupId, "id", id, "")
    matches: list[dict[str, Any]] = _read(session, url, mergeCollections)
    return matches


@renderaccess
def select(
    matchCollection: str,
    group: Iterable[str] | str | None = None,
    pgroup: Iterable[str] | str | None = None,
    qgroup: Iterable[str] | str | None = None,
    pairs: Iterable[Any] | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    min_matches: int = 0,
    threads: int = 4,
    **kwargs: Any,
) -> Any:
    """Select pairs of a collection, to count them, list them, or read their matches a group at a time.

    Nothing is sent before that.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    group : str or iterable of str, optional
        All pairs of which a tile is in one of these groups (sections).
    pgroup, qgroup : str or iterable of str, optional
        Pairs whose p, or q, is in one of these groups. Of both, the pairs between them, whichever is p: that is the
        server's choice.
    pairs : iterable, optional
        Pairs by name: ``((pGroupId, pId), (qGroupId, qId))``, four texts, or anything with the keys of a match
        document. Those that are not there are passed over.
    owner, host, port, session, render
        Connection.
    min_matches : int
        Only pairs with as many matches. Default 0.
    threads : int
        Threads that read ahead. Default 4.

    Returns
    -------
    renderapi.selections.MatchSelection

    Raises
    ------
    SpecError
        If a pair is none; nothing is sent.
    BadRequestError
        If what was chosen does not go together; nothing is sent.

    Examples
    --------
    >>> import renderapi
    >>> render = renderapi.Render("http://localhost", 8080, "me", "project")
    >>> renderapi.pointmatch.select("raw", group="1.0", min_matches=10, render=render)
    <pairs of match collection 'raw' of me: group '1.0'; at least 10 matches>
    """
    from renderapi.selections import MatchSelection

    return MatchSelection(
        matchCollection, group=group, pgroup=pgroup, qgroup=qgroup, pairs=pairs, min_matches=min_matches,
        threads=threads, owner=owner, host=host, port=port, session=session, render=render,
    )  # fmt: skip


@renderaccess
def get_match_counts(
    matchCollection: str,
    pgroup: str,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Count the matches of each pair whose p is in a group (section).

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup : str
        The group.
    owner, host, port, session, render
        Connection.

    Returns
    -------
    list of dict
        Match documents without points, with ``matchCount``.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchCollection", matchCollection, "pGroup", pgroup, "matchCounts")
    counts: list[dict[str, Any]] = _read(session, url)
    return counts


def _between_groups(
    host: str | None, port: int | None, owner: str | None, collection: str, pgroup: str, qgroup: str
) -> str:
    return owner_url(host, port, owner, "matchCollection", collection, "group", pgroup, "matchesWith", qgroup)


def _between_tiles(
    host: str | None,
    port: int | None,
    owner: str | None,
    collection: str,
    p: tuple[str, str],
    q: tuple[str, str],
) -> str:
    return owner_url(
        host, port, owner,
        "matchCollection", collection, "group", p[0], "id", p[1], "matchesWith", q[0], "id", q[1],
    )  # fmt: skip


# ------------------------------------------------------------------------------ writing matches


@renderaccess
def import_matches(
    matchCollection: str,
    data: Iterable[Mapping[str, Any]],
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> requests.Response:
    """Store matches. A pair that is there already is replaced; a collection that is not there is made.

    Parameters
    ----------
    matchCollection : str
        Name of the collection: letters, digits and single underscores.
    data : iterable of dict
        Match documents, as at the top of this module; points may be numpy arrays of shape (2, N).
    owner, host, port, session, render
        Connection.
    progress : optional
        True for a bar (extra ``progress``), which shows the checks and then what is stored, or a function that
        is called with the number of documents that are stored and their total. They are one request.

    Returns
    -------
    requests.Response
        Status 201.

    Raises
    ------
    SpecError
        If a document lacks an id, its ``p``, ``q`` and ``w`` are not parallel, or a number is NaN or infinite
        (also a `ValueError`); nothing is sent. The message names the pair.
    RenderError
        If the server refuses.

    Warns
    -----
    RenderWarning
        If points seem to be given one by one (``[[x, y], ...]``) instead of one list per dimension.
    """
    if isinstance(data, (Mapping, str, bytes)) or not isinstance(data, Iterable):
        raise SpecError(f"matches must be a list of match documents, not a {type(data).__name__}")
    documents = list(data)
    doubtful = []
    with checks_reporter(progress, len(documents), "checking matches", " pairs") as advance:
        for start in range(0, len(documents), _CHECKED_AT_ONCE):
            part = documents[start : start + _CHECKED_AT_ONCE]
            doubtful += [i for i, document in enumerate(part, start) if not is_per_dimension(i, document)]
            advance(len(part))
    if doubtful:
        warnings.warn(
            f"the points of {pair_name(doubtful[0], documents[doubtful[0]])} seem to be given one by one, "
            f"[[x, y], ...] (as in {len(doubtful)} of {len(documents)} documents); they are stored like "
            f"that, but render takes them for one list per dimension, [[x, ...], [y, ...]]",
            RenderWarning,
            stacklevel=3,
        )
    url = owner_url(host, port, owner, "matchCollection", matchCollection, "matches")
    with progress_reporter(progress, len(documents), "importing matches", " pairs") as advance:
        answer = confirmed(put_json(session, url, documents))
        advance(len(documents))
    return answer


@renderaccess
def delete_point_matches_between_groups(
    matchCollection: str,
    pGroupId: str,
    qGroupId: str,
    render: Render | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete the matches between two groups (sections).

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pGroupId, qGroupId : str
        The groups, in any order; without matches it is no error.
    render, owner, host, port, session
        Connection.

    Returns
    -------
    requests.Response
        Status 200.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    return confirmed(
        rest_delete(session, _between_groups(host, port, owner, matchCollection, pGroupId, qGroupId))
    )


@renderaccess
def delete_point_matches_between_tiles(
    matchCollection: str,
    pgroup: str,
    pid: str,
    qgroup: str,
    qid: str,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete the matches between two tiles.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup, pid, qgroup, qid : str
        Group and id of the tiles, in any order; without matches it is no error.
    owner, host, port, session, render
        Connection.

    Returns
    -------
    requests.Response
        Status 200.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = _between_tiles(host, port, owner, matchCollection, (pgroup, pid), (qgroup, qid))
    return confirmed(rest_delete(session, url))


@renderaccess
def get_multiconsensus_groupIds_from_only(
    matchCollection: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the groups that are p of a pair with several sets of matches.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    list of str

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchCollection", matchCollection, "multiConsensusPGroupIds")
    answer: list[str] = get_json(session, url)
    return answer


@renderaccess
def get_multiconsensus_groupIds(
    matchCollection: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str]:
    """List the groups of pairs with several sets of matches.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    list of str

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(host, port, owner, "matchCollection", matchCollection, "multiConsensusGroupIds")
    answer: list[str] = get_json(session, url)
    return answer


@renderaccess
def get_matches_from_tile_to_group(
    matchCollection: str,
    pgroup: str,
    pid: str,
    qgroup: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    mergeCollections: MergeCollections = None,
    excludeMatchDetails: bool | None = None,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Get the matches between a tile and the tiles of a group (section).

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup, pid : str
        Group and id of the tile.
    qgroup : str
        The group.
    host, port, owner, session, render
        Connection.
    mergeCollections, excludeMatchDetails
        As for `get_matches_with_group`.

    Returns
    -------
    list of dict
        Match documents.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    url = owner_url(
        host,
        port,
        owner,
        "matchCollection",
        matchCollection,
        "group",
        pgroup,
        "id",
        pid,
        "matchesWith",
        qgroup,
    )
    matches: list[dict[str, Any]] = _read(session, url, mergeCollections, exclude_details=excludeMatchDetails)
    return matches


@renderaccess
def delete_point_matches_of_tile(
    matchCollection: str,
    pgroup: str,
    pid: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete the matches of a tile.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup, pid : str
        Group and id of the tile.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    return confirmed(
        rest_delete(
            session,
            owner_url(host, port, owner, "matchCollection", matchCollection, "group", pgroup, "id", pid),
        )
    )


@renderaccess
def delete_point_matches_with_group(
    matchCollection: str,
    pgroup: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete the matches whose p is in a group (section).

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup : str
        The group.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    return confirmed(
        rest_delete(
            session,
            owner_url(host, port, owner, "matchCollection", matchCollection, "pGroup", pgroup, "matches"),
        )
    )


@renderaccess
def delete_point_matches_outside_group(
    matchCollection: str,
    groupId: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Delete the matches between a group (section) and others.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    groupId : str
        The group.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    return confirmed(
        rest_delete(
            session,
            owner_url(
                host, port, owner, "matchCollection", matchCollection, "group", groupId, "matchesOutsideGroup"
            ),
        )
    )


@renderaccess
def set_match_counts(
    matchCollection: str,
    pgroup: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Have the server count the matches of each pair whose p is in a group (section) again.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    pgroup : str
        The group.
    host, port, owner, session, render
        Connection.

    Returns
    -------
    requests.Response

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    return confirmed(
        put_json(
            session,
            owner_url(host, port, owner, "matchCollection", matchCollection, "pGroup", pgroup, "matchCounts"),
            None,
        )
    )


@renderaccess
def rename_collection(
    matchCollection: str,
    newName: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    newOwner: str | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Rename a collection.

    Parameters
    ----------
    matchCollection : str
        Name of the collection.
    newName : str
        Its new name.
    host, port, owner, session, render
        Connection.
    newOwner : str, optional
        Owner of the new name; default: the same.

    Returns
    -------
    requests.Response

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    document = {"owner": newOwner or owner, "name": newName}
    return confirmed(
        put_json(
            session,
            owner_url(host, port, owner, "matchCollection", matchCollection, "collectionId"),
            document,
        )
    )
