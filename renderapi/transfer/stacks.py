"""Stacks between projects, owners, servers and files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi._project import Project
from renderapi.render import renderaccess
from renderapi.stack import delete_stack, rename_stack
from renderapi.transfer.carrying import Transfer, TransferResult, move
from renderapi.transfer.files import Folder
from renderapi.transfer.servers import StackOnServer, same_server

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from os import PathLike

    import requests

    from renderapi.render import Render


@renderaccess
def copy_stack(
    stack: str,
    to_stack: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    to_render: Render | None = None,
    to_owner: str | None = None,
    to_project: str | None = None,
    overwrite: bool = False,
    close_stack: bool = True,
    dry_run: bool = False,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> TransferResult:
    """Copy a stack with its shared transforms and its description, also to another server.

    Layers are read, stored and read back one after the other. A copy that was interrupted, wherever, is finished by
    the same call: layers that are there already are compared, not sent again.

    Parameters
    ----------
    stack : str
        Stack to copy.
    to_stack : str, optional
        Stack to make, or to go on with. Default: the same name.
    host, port, owner, project, session, render
        Connection.
    to_render : Render, optional
        Connection of the target, if it is on another server.
    to_owner, to_project : str, optional
        Owner and project of the target; default those of its connection.
    overwrite : bool
        Make the target what the source is: layers and tiles of its own are removed or replaced. Default False: a
        target that holds anything that the source does not have is refused.
    close_stack : bool
        Set the target COMPLETE in the end. Default True.
    dry_run : bool
        Only tell what would be done.
    poolsize : int
        Layers that are carried at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What carries them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of tiles done and of all
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
        If there is no such stack.
    RenderError, requests.RequestException
        If a server refuses or cannot be reached. What was carried stays, and the same call goes on from there.
    StackStateError
        If the target is READ_ONLY.

    Examples
    --------
    >>> import renderapi
    >>> from renderapi.server import serve_background
    >>> from renderapi.tilespec import TileSpec
    >>> with serve_background() as server:
    ...     render = server.connect(owner="me", project="p")
    ...     made = renderapi.stack.ensure_stack("raw", render=render)
    ...     tiles = [TileSpec(tileId="a", z=1.0, width=10, height=10)]
    ...     renderapi.client.import_tilespecs("raw", tiles, render=render)
    ...     renderapi.transfer.copy_stack("raw", "copy", render=render).written
    [1.0]
    """
    here = Project(host, port, owner, project, session, render)
    there = here.other(to_render, owner=to_owner, project=to_project)
    source = StackOnServer(here.portable(), stack)
    target = StackOnServer(there.portable(), to_stack or stack, close_stack)
    return Transfer(source, target, overwrite, poolsize, executor, progress).run(dry_run)


@renderaccess
def move_stack(
    stack: str,
    to_stack: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    to_render: Render | None = None,
    to_owner: str | None = None,
    to_project: str | None = None,
    overwrite: bool = False,
    close_stack: bool = True,
    dry_run: bool = False,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> TransferResult:
    """Move a stack to another server, project or owner: it is copied, proved, and deleted.

    On one server, where the target is not there, it is renamed, which is done at once. Else the source is deleted only
    when the target holds all of it, and only if it still has that number of tiles. If it was interrupted the same
    call finishes it.

    Parameters
    ----------
    stack : str
        Stack to move.
    to_stack : str, optional
        Its new name. Default: the same.
    host, port, owner, project, session, render
        Connection.
    to_render : Render, optional
        Connection of the target, if it is on another server.
    to_owner, to_project : str, optional
        Owner and project of the target; default those of its connection.
    overwrite : bool
        Make the target what the source is: layers and tiles of its own are removed or replaced. Default False: a
        target that holds anything that the source does not have is refused.
    close_stack : bool
        Set the target COMPLETE in the end. Default True. A stack that is only renamed keeps its state.
    dry_run : bool
        Only tell what would be done.
    poolsize : int
        Layers that are carried at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What carries them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of tiles done and of all
        (None if it is not known).

    Returns
    -------
    TransferResult
        Without layers, if it was renamed.

    Raises
    ------
    ConflictError
        If the target holds something of its own; nothing was changed.
    TransferError
        If the target does not hold what was carried to it.
    NotFoundError
        If there is no such stack, perhaps because it was moved before.
    RenderError, requests.RequestException
        If a server refuses or cannot be reached. What was carried stays, and the same call goes on from there.
    StackStateError
        If one of them is READ_ONLY.
    """
    here = Project(host, port, owner, project, session, render)
    there = here.other(to_render, owner=to_owner, project=to_project)
    source = StackOnServer(here.portable(), stack)
    target = StackOnServer(there.portable(), to_stack or stack, close_stack)
    words = here.keywords()
    rename = partial(rename_stack, stack, target.name, there.project, there.owner, **words)
    is_free = same_server(here, there) and target.metadata() is None
    return move(
        Transfer(source, target, overwrite, poolsize, executor, progress),
        rename if is_free else None,
        lambda count: delete_stack(stack, expected_tiles=count, **words),
        dry_run,
    )


@renderaccess
def export_stack(
    stack: str,
    path: str | PathLike[str],
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
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
    """Write a stack to a folder: a file for each layer, and a manifest with counts and digests.

    An export that was interrupted, wherever, is finished by the same call: files that are there already are
    compared with the stack, not written again.

    Parameters
    ----------
    stack : str
        Stack.
    path : path
        Folder; made if it is not there.
    host, port, owner, project, session, render
        Connection.
    format : {"jsonl.gz", "jsonl.zst", "parquet"}
        JSON lines packed by gzip or zstd, or Parquet; the last two need the extra ``tables``.
    overwrite : bool
        Replace an export of something else. Default False.
    dry_run : bool
        Only tell what would be done.
    poolsize : int
        Layers that are carried at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What carries them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of tiles done and of all
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
        If there is no such stack.
    RenderError, requests.RequestException
        If a server refuses or cannot be reached. What was carried stays, and the same call goes on from there.
    FileExistsError
        If something else than an export is in the folder.
    ImportError
        If the format needs a package that is not installed.
    """
    source = StackOnServer(Project(host, port, owner, project, session, render).portable(), stack)
    return Transfer(source, Folder(Path(path), "stack", format), overwrite, poolsize, executor, progress).run(
        dry_run
    )


@renderaccess
def import_stack(
    path: str | PathLike[str],
    stack: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    overwrite: bool = False,
    close_stack: bool = True,
    dry_run: bool = False,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> TransferResult:
    """Store a stack that `export_stack` wrote, with its shared transforms and its description.

    An import that was interrupted, wherever, is finished by the same call.

    Parameters
    ----------
    path : path
        Folder.
    stack : str, optional
        Stack to make, or to go on with. Default: the name that it had.
    host, port, owner, project, session, render
        Connection.
    overwrite : bool
        Make the stack what the export is. Default False: a stack that holds anything else is refused.
    close_stack : bool
        Set the target COMPLETE in the end. Default True.
    dry_run : bool
        Only tell what would be done.
    poolsize : int
        Layers that are carried at the same time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What carries them instead, also that of processes or of a Dask cluster; it stays open.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of tiles done and of all
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
    StackStateError
        If the stack is READ_ONLY.
    ImportError
        If the format needs a package that is not installed.
    """
    source = Folder(Path(path), "stack")
    name = stack or source.description()["name"]
    target = StackOnServer(Project(host, port, owner, project, session, render).portable(), name, close_stack)
    return Transfer(source, target, overwrite, poolsize, executor, progress).run(dry_run)
