"""Match collections between owners, servers and files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi._project import Project
from renderapi.errors import ConflictError
from renderapi.pointmatch import delete_collection, rename_collection
from renderapi.render import renderaccess
from renderapi.transfer.carrying import Transfer, TransferResult, move
from renderapi.transfer.files import Folder
from renderapi.transfer.servers import MatchesOnServer, same_server

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from os import PathLike

    import requests

    from renderapi.render import Render


def _collection(owner: str | None, host: str | None, port: int | None, session: Any, render: Any) -> Project:
    return Project(host, port, owner, None, session, render)


@renderaccess
def copy_matches(
    matchCollection: str,
    to_collection: str | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    to_render: Render | None = None,
    to_owner: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> TransferResult:
    """Copy a match collection, also to another server.

    Groups are read, stored and read back one after the other. A copy that was interrupted, wherever, is finished by
    the same call.

    Parameters
    ----------
    matchCollection : str
        Collection to copy.
    to_collection : str, optional
        Collection to make, or to go on with. Default: the same name.
    owner, host, port, session, render
        Connection.
    to_render : Render, optional
        Connection of the target, if it is on another server.
    to_owner : str, optional
        Owner of the target; default that of its connection.
    overwrite : bool
        Make the target what the source is: pairs of its own are removed or replaced. Default False: a target that
        holds anything that the source does not have is refused.
    dry_run : bool
        Only tell what would be done.
    poolsize : int
        Groups that are carried at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What carries them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of pairs done and of all
        (None if it is not known).

    Returns
    -------
    TransferResult

    Raises
    ------
    ConflictError
        If the target holds something of its own; nothing was changed.
    TransferError
        If the target does not hold what was carried to it.
    NotFoundError
        If there is no such collection.
    RenderError, requests.RequestException
        If a server refuses or cannot be reached. What was carried stays, and the same call goes on from there.
    """
    here = _collection(owner, host, port, session, render)
    there = here.other(to_render, owner=to_owner)
    source = MatchesOnServer(here.portable(), matchCollection)
    target = MatchesOnServer(there.portable(), to_collection or matchCollection)
    return Transfer(source, target, overwrite, poolsize, executor, progress).run(dry_run)


@renderaccess
def move_matches(
    matchCollection: str,
    to_collection: str | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    to_render: Render | None = None,
    to_owner: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> TransferResult:
    """Move a match collection to another server or owner: it is copied, proved, and deleted.

    On one server, where the target is not there, it is renamed, which is done at once. If it was interrupted the
    same call finishes it.

    Parameters
    ----------
    matchCollection : str
        Collection to move.
    to_collection : str, optional
        Its new name. Default: the same.
    owner, host, port, session, render
        Connection.
    to_render : Render, optional
        Connection of the target, if it is on another server.
    to_owner : str, optional
        Owner of the target; default that of its connection.
    overwrite : bool
        Make the target what the source is: pairs of its own are removed or replaced. Default False: a target that
        holds anything that the source does not have is refused.
    dry_run : bool
        Only tell what would be done.
    poolsize : int
        Groups that are carried at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What carries them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of pairs done and of all
        (None if it is not known).

    Returns
    -------
    TransferResult
        Without groups, if it was renamed.

    Raises
    ------
    ConflictError
        If the target holds something of its own; nothing was changed.
    TransferError
        If the target does not hold what was carried to it.
    NotFoundError
        If there is no such collection, perhaps because it was moved before.
    RenderError, requests.RequestException
        If a server refuses or cannot be reached. What was carried stays, and the same call goes on from there.
    """
    here = _collection(owner, host, port, session, render)
    there = here.other(to_render, owner=to_owner)
    source = MatchesOnServer(here.portable(), matchCollection)
    target = MatchesOnServer(there.portable(), to_collection or matchCollection)
    rename = partial(
        rename_collection,
        matchCollection,
        target.name,
        host,
        port,
        owner,
        session,
        render,
        newOwner=there.owner,
    )

    def delete(count: int) -> None:
        held = source.description()["count"]
        if held != count:
            raise ConflictError(
                f"{source} has {held} pairs, of which {count} were carried: it was not deleted"
            )
        delete_collection(matchCollection, owner, host, port, session, render)

    is_free = same_server(here, there) and not target.parts()
    return move(
        Transfer(source, target, overwrite, poolsize, executor, progress),
        rename if is_free else None,
        delete,
        dry_run,
    )


@renderaccess
def export_matches(
    matchCollection: str,
    path: str | PathLike[str],
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    format: str = "jsonl.gz",
    overwrite: bool = False,
    dry_run: bool = False,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> TransferResult:
    """Write a match collection to a folder: a file for each group of p, and a manifest with counts and digests.

    An export that was interrupted, wherever, is finished by the same call.

    Parameters
    ----------
    matchCollection : str
        Collection.
    path : path
        Folder; made if it is not there.
    owner, host, port, session, render
        Connection.
    format : {"jsonl.gz", "jsonl.zst", "parquet"}
        JSON lines packed by gzip or zstd, or Parquet; the last two need the extra ``tables``.
    overwrite : bool
        Replace an export of something else. Default False.
    dry_run : bool
        Only tell what would be done.
    poolsize : int
        Groups that are carried at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What carries them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of pairs done and of all
        (None if it is not known).

    Returns
    -------
    TransferResult

    Raises
    ------
    ConflictError
        If the target holds something of its own; nothing was changed.
    TransferError
        If the target does not hold what was carried to it.
    NotFoundError
        If there is no such collection.
    RenderError, requests.RequestException
        If a server refuses or cannot be reached. What was carried stays, and the same call goes on from there.
    FileExistsError
        If something else than an export is in the folder.
    ImportError
        If the format needs a package that is not installed.
    """
    source = MatchesOnServer(_collection(owner, host, port, session, render).portable(), matchCollection)
    target = Folder(Path(path), "matches", format)
    return Transfer(source, target, overwrite, poolsize, executor, progress).run(dry_run)


@renderaccess
def import_matches(
    path: str | PathLike[str],
    matchCollection: str | None = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> TransferResult:
    """Store a match collection that `export_matches` wrote.

    An import that was interrupted, wherever, is finished by the same call. Matches in memory are stored by
    `renderapi.pointmatch.import_matches`.

    Parameters
    ----------
    path : path
        Folder.
    matchCollection : str, optional
        Collection to make, or to go on with. Default: the name that it had.
    owner, host, port, session, render
        Connection.
    overwrite : bool
        Make the collection what the export is. Default False: one that holds anything else is refused.
    dry_run : bool
        Only tell what would be done.
    poolsize : int
        Groups that are carried at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What carries them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of pairs done and of all
        (None if it is not known).

    Returns
    -------
    TransferResult

    Raises
    ------
    ConflictError
        If the target holds something of its own; nothing was changed.
    TransferError
        If the target does not hold what was carried to it, or a file does not hold what was written.
    NotFoundError
        If there is no export.
    RenderError, requests.RequestException
        If a server refuses or cannot be reached. What was carried stays, and the same call goes on from there.
    ImportError
        If the format needs a package that is not installed.
    """
    source = Folder(Path(path), "matches")
    name = matchCollection or source.description()["name"]
    target = MatchesOnServer(_collection(owner, host, port, session, render).portable(), name)
    return Transfer(source, target, overwrite, poolsize, executor, progress).run(dry_run)
