"""Counts and digests of stacks, match collections and exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi import _json
from renderapi._project import Project
from renderapi.errors import NotFoundError, TransferError
from renderapi.render import renderaccess
from renderapi.transfer.carrying import digests
from renderapi.transfer.files import MANIFEST, Folder
from renderapi.transfer.parts import ContentDigest
from renderapi.transfer.servers import MatchesOnServer, StackOnServer

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from os import PathLike

    import requests

    from renderapi.render import Render


@renderaccess
def digest_stack(
    stack: str,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> ContentDigest:
    """Count and digest the tiles of each layer of a stack, with the shared transforms that they refer to.

    The digest of a layer is BLAKE2b, of 128 bits, of the JSON of two lists in a list: its tile specs in the order of
    their ids, and the shared transforms in that of theirs. Keys are sorted, there is no space, and a number with a
    fraction or an exponent is written as Python does; 1 and 1.0 differ. That of the stack is the same of the list of
    its layers, each ``[z, count, digest]``.

    Parameters
    ----------
    stack : str
        Stack.
    host, port, owner, project, session, render
        Connection.
    poolsize : int
        Layers that are read at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What reads them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of tiles done and of all
        (None if it is not known).

    Returns
    -------
    ContentDigest

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    place = StackOnServer(Project(host, port, owner, project, session, render).portable(), stack)
    return digests(place, poolsize, executor, progress)


@renderaccess
def digest_matches(
    matchCollection: str,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> ContentDigest:
    """Count and digest the pairs of each group of a match collection, as `digest_stack` does for tiles.

    Parameters
    ----------
    matchCollection : str
        Collection.
    owner, host, port, session, render
        Connection.
    poolsize : int
        Groups that are read at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What reads them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of pairs done and of all
        (None if it is not known).

    Returns
    -------
    ContentDigest

    Raises
    ------
    NotFoundError
        If there is no such collection.
    RenderError
        If the server refuses.
    """
    place = MatchesOnServer(Project(host, port, owner, None, session, render).portable(), matchCollection)
    return digests(place, poolsize, executor, progress)


def digest_files(
    path: str | PathLike[str],
    *,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
) -> ContentDigest:
    """Count and digest the documents in the files of an export, and compare that with its manifest.

    Parameters
    ----------
    path : path
        Folder that `export_stack` or `export_matches` wrote.
    poolsize : int
        Files that are read at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What reads them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of documents done and of all
        (None if it is not known).

    Returns
    -------
    ContentDigest
        That of the stack or collection when it was exported.

    Raises
    ------
    NotFoundError
        If there is no export.
    TransferError
        If it is not finished, or a file does not hold what was written to it.
    """
    folder = Path(path)
    try:
        kind = _json.loads((folder / MANIFEST).read_bytes())["renderapi"]
    except FileNotFoundError:
        raise NotFoundError(f"{folder} holds no export: there is no {MANIFEST}") from None
    except (KeyError, TypeError, ValueError):
        raise TransferError(f"{folder / MANIFEST} is no manifest of an export") from None
    return digests(Folder(folder, kind), poolsize, executor, progress)
