"""Importing tile specs into a stack, by Java where client scripts are configured, else in Python.

Both ways derive every bounding box on this side and store the same documents. ``engine="java"`` or
``engine="python"`` chooses explicitly.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi._doubts import Doubts
from renderapi._parallel import interrupt_says, progress_reporter
from renderapi._project import Project
from renderapi._slips import check_tile_list, check_transform_list
from renderapi.client.calls.engine import java_keywords, run_of
from renderapi.client.calls.stacks import importJsonClient
from renderapi.client.java.arguments import JavaRun
from renderapi.client.java.script import RUN_OPTIONS
from renderapi.render import Render, accepts, renderaccess
from renderapi.resolvedtiles import check_layer, put_tilespecs
from renderapi.stack import set_stack_state
from renderapi.utils import renderdump_temp

# what does the work in Python, and the pools for Java, load when they are called for
if TYPE_CHECKING:
    from concurrent.futures import Executor

    from renderapi.client.local.checking import CheckedFiles
    from renderapi.client.validation import TileSpecValidator
    from renderapi.tilespec import TileSpec

logger = logging.getLogger("renderapi.client")

__all__ = [
    "check_jsonfiles",
    "import_jsonfiles",
    "import_jsonfiles_and_transforms_parallel_by_z",
    "import_jsonfiles_parallel",
    "import_jsonfiles_validate_client",
    "import_single_json_file",
    "import_tilespecs",
    "import_tilespecs_parallel",
]

#: Keywords that the import functions read beside those of their signature.
_OPTIONS = (
    "engine", "progress", "batch_size", "session", "validator", "use_rest", "subprocess_mode", "check",
    *RUN_OPTIONS,
)  # fmt: skip
#: What ``import_jsonfiles_validate_client`` has always asked of tiles.
_VALIDATOR_DATA = "minCoordinate:-500,maxCoordinate:100000,minSize:500,maxSize:10000"


def _check_tiles(at: Project, java: JavaRun, stack: str, tiles: Iterable[TileSpec]) -> None:
    """Look whether the tiles that Java was given are in the stack."""
    from renderapi.client.java.stored import check_stored, layers_of, why_lenient

    check_stored(at, stack, layers_of(list(tiles)), why_lenient(java.subprocess_mode))


def _check_files(
    at: Project, java: JavaRun, stack: str, files: Iterable[str], validated: bool = False
) -> None:
    """Look whether the tiles of files that Java was given are in the stack."""
    from renderapi.client.java.stored import check_files_stored, why_lenient

    check_files_stored(at, stack, files, why_lenient(java.subprocess_mode, validated))


def _import_files(
    at: Project,
    stack: str,
    jsonfiles: Sequence[str],
    transformFile: str | None,
    options: dict[str, Any],
    poolsize: int = 1,
    validator: TileSpecValidator | None = None,
) -> list[str]:
    """Import JSON files in Python, and give the ids of the tiles that the validator rejected."""
    from renderapi.client.local.stacks import import_files
    from renderapi.client.local.uploading import default_threads

    threads = default_threads(poolsize)
    return import_files(at, stack, jsonfiles, transformFile, validator, options, threads)


def _as_paths(files: Any) -> list[Any]:
    """Return paths as a list, also one that is given for itself."""
    return [files] if isinstance(files, (str, os.PathLike)) else list(files)


def _make_loading(at: Project, stack: str) -> None:
    """Set the stack of an import LOADING, before anything is sent."""
    with interrupt_says(lambda: f"the import into stack {stack} was interrupted: nothing was sent"):
        set_stack_state(stack, "LOADING", **at.keywords())


def _executor(mpPool: Any) -> Executor | None:
    """Return what a caller runs work in; None for classes, of which pools for Java are made."""
    return mpPool if hasattr(mpPool, "submit") and not isinstance(mpPool, type) else None


def _map(mpPool: Any, poolsize: int, function: Callable[[Any], None], work: Sequence[Any]) -> None:
    """Apply a function to items of work in an executor, which stays open, or in a pool made for it."""
    executor = _executor(mpPool)
    if executor is not None:
        from concurrent.futures import wait

        futures = [executor.submit(function, item) for item in work]
        try:
            for future in futures:
                future.result()
        finally:
            # nobody's files are removed while they are read
            wait([future for future in futures if not future.cancel()])
        return
    if mpPool is None:
        from renderapi.external.processpools.stdlib_pool import WithMultiprocessingPool

        mpPool = WithMultiprocessingPool
    with mpPool(poolsize) as pool:
        # executors give an iterator, which raises what went wrong when it is read
        list(pool.map(function, work) or ())


def check_jsonfiles(
    jsonfiles: Sequence[str],
    transformFile: str | None = None,
    *,
    validator: TileSpecValidator | None = None,
    progress: Any = None,
) -> CheckedFiles:
    """Look at JSON files of tile specs as an import does; no server is asked, nothing is sent.

    Parameters
    ----------
    jsonfiles : list of str
        Files (or one) with a JSON list of TileSpec documents each; ``.gz`` is read too.
    transformFile : str, optional
        File with a JSON list of the shared transforms that the tiles refer to.
    validator : TileSpecValidator, optional
        What tiles have to be beside, see `renderapi.client.validation`.
    progress : bool, str, callable, optional
        True for a bar (extra ``progress``), or a function that is called with the number of files done and of all.

    Returns
    -------
    CheckedFiles
        ``tiles`` (their number), ``zs`` (their layers) and ``problems`` (``path``, ``tileId``, ``text`` of each tile
        that an import would refuse, or that is there twice, and of each file that cannot be read).

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL.

    Raises
    ------
    SpecError
        If the file of transforms is bad.
    FileNotFoundError
        If a file is not there.

    Examples
    --------
    >>> from renderapi.client import check_jsonfiles
    >>> from renderapi.utils import renderdump_temp
    >>> path = renderdump_temp([{"tileId": "a", "z": 1.0, "width": 10, "height": 10}, {"tileId": "b", "z": 1.0}])
    >>> found = check_jsonfiles([path])
    >>> found.tiles, found.zs, [problem.text for problem in found.problems]
    (2, [1.0], ["tile 'b' has no width or height"])
    """
    from renderapi.client.local.checking import check_files

    files = _as_paths(jsonfiles)
    with progress_reporter(progress, len(files), "checking files", " files") as advance:
        return check_files(files, transformFile, validator, advance)


@renderaccess
@accepts(*_OPTIONS)
def import_single_json_file(
    stack: str,
    jsonfile: str,
    transformFile: str | None = None,
    subprocess_mode: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> None:
    """Import one JSON file of tile specs; the stack is left LOADING.

    Parameters
    ----------
    stack : str
        Stack; it is set LOADING if it is not.
    jsonfile : str
        File with a JSON list of TileSpec documents; ``.gz`` is read too.
    transformFile : str, optional
        File with a JSON list of the shared transforms that the tiles refer to.
    subprocess_mode : str, optional
        How a Java client is run, see `renderapi.client.run_subprocess_mode`.
    client_script, memGB, host, port, owner, project, render
        Connection.
    **kwargs
        ``stdout=``, ``stderr=`` and ``timeout=`` (seconds) of each Java client, see
        `renderapi.client.run_subprocess_mode`; ``check=False`` not to look whether their tiles are there;
        ``engine=`` ("java" or "python"), ``progress=``, ``batch_size=`` (tiles in a request, default 2000).

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL, or several have one id: one
        warning for each kind, for a list before anything is sent, else in the end.

    Raises
    ------
    SpecError
        If a file or tile is bad.
    ImportFailedError
        If batches were not stored, or tiles are not there after Java ended well; it lists their tile ids.
    ClientScriptError
        If the Java client failed.
    """
    run = run_of(host, port, owner, project, render, client_script, memGB, subprocess_mode, **kwargs)
    if run.java is not None:
        _import_one((jsonfile, transformFile), stack, java_keywords(run.project, run.java))
        if kwargs.get("check", True):
            _check_files(run.project, run.java, stack, [jsonfile])
    else:
        _import_files(run.project, stack, [jsonfile], transformFile, kwargs)


@renderaccess
@accepts(*_OPTIONS)
def import_jsonfiles(
    stack: str,
    jsonfiles: Sequence[str],
    transformFile: str | None = None,
    subprocess_mode: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    close_stack: bool = True,
    render: Render | None = None,
    **kwargs: Any,
) -> None:
    """Import JSON files of tile specs, one after the other.

    Parameters
    ----------
    stack : str
        Stack; it is set LOADING first.
    jsonfiles : list of str
        Files (or one) with a JSON list of TileSpec documents each; ``.gz`` is read too.
    transformFile : str, optional
        File with a JSON list of the shared transforms that the tiles refer to.
    subprocess_mode : str, optional
        How a Java client is run, see `renderapi.client.run_subprocess_mode`.
    close_stack : bool
        Set the stack COMPLETE in the end. Default True.
    client_script, memGB, host, port, owner, project, render
        Connection.
    **kwargs
        ``stdout=``, ``stderr=`` and ``timeout=`` (seconds) of each Java client, see
        `renderapi.client.run_subprocess_mode`; ``check=False`` not to look whether their tiles are there;
        ``engine=`` ("java" or "python"), ``progress=``, ``batch_size=`` (tiles in a request, default 2000).

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL, or several have one id: one
        warning for each kind, for a list before anything is sent, else in the end.

    Raises
    ------
    SpecError
        If a file or tile is bad; the batches before it are stored.
    ImportFailedError
        If batches were not stored, or tiles are not there after Java ended well; it lists their tile ids.
    ClientScriptError
        If the Java client failed.
    """
    run = run_of(host, port, owner, project, render, client_script, memGB, subprocess_mode, **kwargs)
    _make_loading(run.project, stack)
    if run.java is not None:
        files = _as_paths(jsonfiles)
        by_java = java_keywords(run.project, run.java)
        importJsonClient(stack, tileFiles=files, transformFile=transformFile, check=False, **by_java)
        if kwargs.get("check", True):
            _check_files(run.project, run.java, stack, files)
    else:
        _import_files(run.project, stack, _as_paths(jsonfiles), transformFile, kwargs)
    if close_stack:
        set_stack_state(stack, "COMPLETE", **run.project.keywords())


@renderaccess
@accepts(*_OPTIONS)
def import_jsonfiles_validate_client(
    stack: str,
    jsonfiles: Sequence[str],
    transformFile: str | None = None,
    client_script: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    close_stack: bool = True,
    mem: int = 6,
    validator: str | TileSpecValidator | None = None,
    subprocess_mode: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[str] | None:
    """Import JSON files of tile specs, leaving out tiles that a validator rejects.

    Parameters
    ----------
    stack : str
        Stack; it is set LOADING first.
    jsonfiles : list of str
        Files (or one) with a JSON list of TileSpec documents each; ``.gz`` is read too.
    transformFile : str, optional
        File with a JSON list of the shared transforms that the tiles refer to.
    close_stack : bool
        Set the stack COMPLETE in the end. Default True.
    mem : int
        Ignored, as it always was: see `memGB`.
    validator : str, optional
        Settings of the ``TemTileSpecValidator``, as ``"minCoordinate:-500,maxSize:9000"``. Default:
        coordinates from -500 to 100,000 and sizes from 500 to 10,000 pixels.
    subprocess_mode : str, optional
        How a Java client is run, see `renderapi.client.run_subprocess_mode`.
    client_script, memGB, host, port, owner, project, render
        Connection.
    **kwargs
        ``stdout=``, ``stderr=`` and ``timeout=`` (seconds) of each Java client, see
        `renderapi.client.run_subprocess_mode`; ``check=False`` not to look whether their tiles are there;
        ``engine=`` ("java" or "python"), ``progress=``, ``batch_size=`` (tiles in a request, default 2000).

    Returns
    -------
    list of str or None
        In Python: the ids of the tiles that were rejected.

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL, or several have one id: one
        warning for each kind, for a list before anything is sent, else in the end.
    RenderWarning
        If tiles were rejected: it names them and why. (Java only logs them.)

    Raises
    ------
    SpecError
        If a file or tile is bad; the batches before it are stored.
    ImportFailedError
        If batches were not stored, or tiles are not there after Java ended well; it lists their tile ids.
    ClientScriptError
        If the Java client failed.
    """
    from renderapi.client.validation import TemTileSpecValidator, TileSpecValidator

    run = run_of(host, port, owner, project, render, client_script, memGB, subprocess_mode, **kwargs)
    data = _VALIDATOR_DATA if validator is None else validator
    checker = data if isinstance(data, TileSpecValidator) else TemTileSpecValidator.from_data(data)
    rejected: list[str] | None = None
    _make_loading(run.project, stack)
    if run.java is not None:
        files = _as_paths(jsonfiles)
        importJsonClient(
            stack,
            tileFiles=files,
            transformFile=transformFile,
            validatorClass=f"org.janelia.alignment.spec.validator.{type(checker).__name__}",
            validatorData=checker.data(),
            check=False,
            **java_keywords(run.project, run.java),
        )
        if kwargs.get("check", True):
            _check_files(run.project, run.java, stack, files, validated=True)
    else:
        rejected = _import_files(
            run.project, stack, _as_paths(jsonfiles), transformFile, kwargs, validator=checker
        )
    if close_stack:
        set_stack_state(stack, "COMPLETE", **run.project.keywords())
    return rejected


@renderaccess
@accepts(*_OPTIONS)
def import_jsonfiles_parallel(
    stack: str,
    jsonfiles: Sequence[str],
    poolsize: int = 20,
    transformFile: str | None = None,
    mpPool: Any = None,
    client_scripts: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    close_stack: bool = True,
    render: Render | None = None,
    **kwargs: Any,
) -> None:
    """Import JSON files of tile specs, several at a time.

    Parameters
    ----------
    stack : str
        Stack; it is set LOADING first.
    jsonfiles : list of str
        Files (or one) with a JSON list of TileSpec documents each; ``.gz`` is read too.
    poolsize : int
        Number of Java clients at a time; in Python, the most threads that send.
    transformFile : str, optional
        File with a JSON list of the shared transforms that the tiles refer to.
    mpPool : type or concurrent.futures.Executor, optional
        Class of the pool that the Java clients are started from. Default: processes of the standard library
        (`renderapi.external.processpools.stdlib_pool.WithMultiprocessingPool`). Or an executor (threads,
        processes, ``Client.get_executor()`` of Dask) that runs the Java clients, and in Python sends the
        batches; it is left open. Its workers must reach the server, and for Java the files.
    close_stack : bool
        Set the stack COMPLETE in the end. Default True.
    client_scripts, host, port, owner, project, render
        Connection.
    **kwargs
        ``stdout=``, ``stderr=`` and ``timeout=`` (seconds) of each Java client, see
        `renderapi.client.run_subprocess_mode`; ``check=False`` not to look whether their tiles are there;
        ``engine=`` ("java" or "python"), ``progress=``, ``batch_size=`` (tiles in a request, default 2000).

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL, or several have one id: one
        warning for each kind, for a list before anything is sent, else in the end.

    Raises
    ------
    SpecError
        If a file or tile is bad; the batches before it are stored.
    ImportFailedError
        If batches were not stored, or tiles are not there after Java ended well; it lists their tile ids.
    ClientScriptError
        If a Java client failed; the stack stays LOADING.
    """
    run = run_of(host, port, owner, project, render, client_scripts=client_scripts, **kwargs)
    _make_loading(run.project, stack)
    if run.java is not None:
        import_one = partial(_import_one, stack=stack, java=java_keywords(run.project, run.java))
        files = _as_paths(jsonfiles)
        _map(mpPool, poolsize, import_one, [(jsonfile, transformFile) for jsonfile in files])
        if kwargs.get("check", True):
            _check_files(run.project, run.java, stack, files)
    else:
        options = {**kwargs, "executor": _executor(mpPool)}
        _import_files(run.project, stack, _as_paths(jsonfiles), transformFile, options, poolsize)
    if close_stack:
        set_stack_state(stack, "COMPLETE", **run.project.keywords())


def _import_one(files: tuple[str, str | None], stack: str, java: dict[str, Any]) -> None:
    """Run one Java import; at module level, because process pools pickle it.

    Whether its tiles are there is looked at once, by the connection of the caller, when all clients have ended.
    """
    jsonfile, transformfile = files
    importJsonClient(stack, tileFiles=[jsonfile], transformFile=transformfile, check=False, **java)


@renderaccess
@accepts(*_OPTIONS)
def import_jsonfiles_and_transforms_parallel_by_z(
    stack: str,
    jsonfiles: Sequence[str],
    transformfiles: Sequence[str],
    poolsize: int = 20,
    mpPool: Any = None,
    client_scripts: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    close_stack: bool = True,
    render: Render | None = None,
    **kwargs: Any,
) -> None:
    """Import JSON files of tile specs that have a file of shared transforms each.

    Parameters
    ----------
    stack : str
        Stack; it is set LOADING first.
    jsonfiles : list of str
        Files (or one) with a JSON list of TileSpec documents each; ``.gz`` is read too.
    transformfiles : list of str
        For each of them the file with a JSON list of shared transforms.
    poolsize : int
        Number of Java clients at a time; in Python the files are taken in order.
    mpPool : type or concurrent.futures.Executor, optional
        Class of the pool that the Java clients are started from. Default: processes of the standard library
        (`renderapi.external.processpools.stdlib_pool.WithMultiprocessingPool`). Or an executor (threads,
        processes, ``Client.get_executor()`` of Dask) that runs the Java clients, and in Python sends the
        batches; it is left open. Its workers must reach the server, and for Java the files.
    close_stack : bool
        Set the stack COMPLETE in the end. Default True.
    client_scripts, host, port, owner, project, render
        Connection.
    **kwargs
        ``stdout=``, ``stderr=`` and ``timeout=`` (seconds) of each Java client, see
        `renderapi.client.run_subprocess_mode`; ``check=False`` not to look whether their tiles are there;
        ``engine=`` ("java" or "python"), ``batch_size=`` (tiles in a request, default 2000).

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL, or several have one id: one
        warning for each kind, for a list before anything is sent, else in the end.

    Raises
    ------
    ValueError
        If there are not as many transform files as tile files; nothing is sent.
    SpecError
        If a file or tile is bad; the batches before it are stored.
    ImportFailedError
        If batches were not stored, or tiles are not there after Java ended well; it lists their tile ids.
    ClientScriptError
        If a Java client failed; the stack stays LOADING.
    """
    jsonfiles, transformfiles = _as_paths(jsonfiles), _as_paths(transformfiles)
    if len(jsonfiles) != len(transformfiles):
        raise ValueError(
            f"{len(jsonfiles)} tile files need as many transform files, not {len(transformfiles)}"
        )
    run = run_of(host, port, owner, project, render, client_scripts=client_scripts, **kwargs)
    _make_loading(run.project, stack)
    if run.java is not None:
        import_one = partial(_import_one, stack=stack, java=java_keywords(run.project, run.java))
        _map(mpPool, poolsize, import_one, list(zip(jsonfiles, transformfiles)))
        if kwargs.get("check", True):
            _check_files(run.project, run.java, stack, jsonfiles)
    else:
        doubts = Doubts()
        options = {**kwargs, "executor": _executor(mpPool), "doubts": doubts}
        for jsonfile, transformfile in zip(jsonfiles, transformfiles):
            _import_files(run.project, stack, [jsonfile], transformfile, options)
        doubts.warn()
    if close_stack:
        set_stack_state(stack, "COMPLETE", **run.project.keywords())


@renderaccess
@accepts(*_OPTIONS, "resolved_tiles", "poolsize")
def import_tilespecs(
    stack: str,
    tilespecs: Iterable[TileSpec] | None,
    sharedTransforms: list[Any] | None = None,
    use_rest: bool = False,
    deriveData: bool = True,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> None:
    """Import tile specs; the stack is left LOADING.

    Parameters
    ----------
    stack : str
        Stack; unless `use_rest` is set, it is set LOADING if it is not.
    tilespecs : iterable of TileSpec
        Tiles. Of a list every tile is checked before anything is sent; other iterables are sent as they come.
    sharedTransforms : list of transform, optional
        Every shared transform that the tiles refer to, also those that the stack has already.
    use_rest : bool
        Send the tiles as they are, as `renderapi.resolvedtiles.put_tilespecs` does.
    deriveData : bool
        With `use_rest`: let the server derive the bounding boxes; without, the tiles' own are sent.
    subprocess_mode : str, optional
        How a Java client is run, see `renderapi.client.run_subprocess_mode`.
    host, port, owner, project, client_script, memGB, render
        Connection.
    **kwargs
        ``stdout=``, ``stderr=`` and ``timeout=`` (seconds) of each Java client, see
        `renderapi.client.run_subprocess_mode`; ``check=False`` not to look whether their tiles are there;
        ``engine=`` ("java" or "python"), ``progress=``, ``batch_size=`` (tiles in a request, default 2000),
        ``poolsize=`` (threads that send, default 1), ``resolved_tiles=`` (with `use_rest`, instead of tiles).

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL, or several have one id: one
        warning for each kind, for a list before anything is sent, else in the end.

    Raises
    ------
    SpecError
        If a tile is bad: no id or size, a reference to nowhere, a number that is not finite.
    ImportFailedError
        If batches were not stored, or tiles are not there after Java ended well; it lists their tile ids.
    ClientScriptError
        If the Java client failed.
    """
    run = run_of(host, port, owner, project, render, client_script, memGB, subprocess_mode, **kwargs)
    if use_rest and kwargs.get("resolved_tiles") is not None:
        put_tilespecs(stack, kwargs["resolved_tiles"], deriveData, **run.project.keywords())
        return
    if tilespecs is None:
        raise ValueError("import_tilespecs needs tilespecs (or resolved_tiles= together with use_rest=True)")
    check_tile_list(tilespecs, stack)
    if sharedTransforms is not None:
        check_transform_list(sharedTransforms, "sharedTransforms")
    if use_rest:
        derive = "server" if deriveData else "none"
        _import_tiles(run.project, stack, tilespecs, sharedTransforms, derive, 1, kwargs)
    elif run.java is not None:
        _import_by_java(
            run.project, run.java, stack, [list(tilespecs)], sharedTransforms, check=kwargs.get("check", True)
        )
    else:
        from renderapi.client.local.uploading import make_loading

        with interrupt_says(lambda: f"the import into stack {stack} was interrupted: nothing was sent"):
            make_loading(stack, run.project)
        poolsize = kwargs.get("poolsize") or 1
        _import_tiles(run.project, stack, tilespecs, sharedTransforms, "client", poolsize, kwargs)


def _import_tiles(
    at: Project,
    stack: str,
    tilespecs: Iterable[TileSpec],
    sharedTransforms: list[Any] | None,
    derive: str,
    poolsize: int,
    options: dict[str, Any],
) -> None:
    """Import tile specs in Python: of a list all are checked first, others are sent as they come."""
    from renderapi.client.local import uploading

    threads = uploading.default_threads(poolsize)
    shared = uploading.shared_documents(sharedTransforms)
    job = uploading.Import(stack, at, shared, derive, executor=options.get("executor"))
    batch = options.get("batch_size") or uploading.BATCH_TILES
    if isinstance(tilespecs, (list, tuple)):
        uploading.import_all(job, tilespecs, batch, threads, options.get("progress"))
    else:
        uploading.import_stream(job, tilespecs, batch, threads, options.get("progress"))


def _import_by_java(
    at: Project,
    java: JavaRun,
    stack: str,
    groups: list[list[TileSpec]],
    sharedTransforms: list[Any] | None,
    run_all: Callable[[Callable[[Any], None], Sequence[Any]], None] | None = None,
    check: bool = True,
) -> None:
    """Write tiles to temporary files, run Java on them, and remove the files whatever happens."""
    doubts = Doubts()
    with ExitStack() as files:

        def temporary(documents: Any) -> str:
            path = renderdump_temp(documents)
            files.callback(Path(path).unlink, missing_ok=True)
            return path

        transform_file = temporary(list(sharedTransforms)) if sharedTransforms else None
        import_one = partial(_import_one, stack=stack, java=java_keywords(at, java))
        work = [(temporary(_looked_at(group, doubts)), transform_file) for group in groups]
        doubts.warn()
        if run_all is None:
            for item in work:
                import_one(item)
        else:
            run_all(import_one, work)
    if check:
        _check_tiles(at, java, stack, chain.from_iterable(groups))


def _looked_at(tiles: list[TileSpec], doubts: Doubts) -> list[TileSpec]:
    """Check tiles that go to Java; what was read and not touched since is not decoded for that."""
    check_tile_list(tiles)
    documents = [
        tile if isinstance(tile, Mapping) else tile.to_dict()
        for tile in tiles
        if getattr(tile, "__dict__", {}).keys() != {"_raw"}
    ]
    for document in documents:
        check_layer(document.get("tileId"), document.get("z"))
    doubts.look(documents)
    return tiles


@renderaccess
@accepts(*_OPTIONS)
def import_tilespecs_parallel(
    stack: str,
    tilespecs: Iterable[TileSpec],
    sharedTransforms: list[Any] | None = None,
    subprocess_mode: str | None = None,
    poolsize: int = 20,
    mpPool: Any = None,
    close_stack: bool = True,
    max_tilespecs_per_group: int | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> None:
    """Import tile specs, several batches at a time.

    Parameters
    ----------
    stack : str
        Stack; it is set LOADING first.
    tilespecs : iterable of TileSpec
        Tiles. Of a list every tile is checked before anything is sent; other iterables are sent as they come.
    sharedTransforms : list of transform, optional
        Every shared transform that the tiles refer to, also those that the stack has already.
    subprocess_mode : str, optional
        How a Java client is run, see `renderapi.client.run_subprocess_mode`.
    poolsize : int
        Number of Java clients at a time; in Python, the most threads that send.
    mpPool : type or concurrent.futures.Executor, optional
        Class of the pool that the Java clients are started from. Default: processes of the standard library
        (`renderapi.external.processpools.stdlib_pool.WithMultiprocessingPool`). Or an executor (threads,
        processes, ``Client.get_executor()`` of Dask) that runs the Java clients, and in Python sends the
        batches; it is left open. Its workers must reach the server, and for Java the files.
    close_stack : bool
        Set the stack COMPLETE in the end, if everything was stored. Default True.
    max_tilespecs_per_group : int, optional
        Most tiles of a Java client, or of a request. Default: an equal share for each client; 2000 for a
        request.
    host, port, owner, project, client_script, memGB, render
        Connection.
    **kwargs
        ``stdout=``, ``stderr=`` and ``timeout=`` (seconds) of each Java client, see
        `renderapi.client.run_subprocess_mode`; ``check=False`` not to look whether their tiles are there;
        ``engine=`` ("java" or "python") and ``progress=`` (True for a bar of tqdm, a function, or a bar).

    Warns
    -----
    RenderWarning
        If tiles have no z, a singular affine transform or a relative image URL, or several have one id: one
        warning for each kind, for a list before anything is sent, else in the end.

    Raises
    ------
    SpecError
        If a tile is bad: no id or size, a reference to nowhere, a number that is not finite.
    ImportFailedError
        If batches were not stored, or tiles are not there after Java ended well; it lists their tile ids, and
        the stack stays LOADING.
    ClientScriptError
        If a Java client failed; the stack stays LOADING.
    """
    run = run_of(host, port, owner, project, render, client_script, memGB, subprocess_mode, **kwargs)
    check_tile_list(tilespecs, stack)
    if sharedTransforms is not None:
        check_transform_list(sharedTransforms, "sharedTransforms")
    _make_loading(run.project, stack)
    if run.java is not None:
        tiles = list(tilespecs)
        size = max_tilespecs_per_group or max(1, math.ceil(len(tiles) / poolsize))
        groups = [tiles[start : start + size] for start in range(0, len(tiles), size)]
        _import_by_java(
            run.project,
            run.java,
            stack,
            groups,
            sharedTransforms,
            partial(_map, mpPool, poolsize),
            kwargs.get("check", True),
        )
    else:
        batch_size = max_tilespecs_per_group or kwargs.get("batch_size")
        options = {**kwargs, "batch_size": batch_size, "executor": _executor(mpPool)}
        _import_tiles(run.project, stack, tilespecs, sharedTransforms, "client", poolsize, options)
    if close_stack:
        set_stack_state(stack, "COMPLETE", **run.project.keywords())
