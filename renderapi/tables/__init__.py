"""Tables of tiles and matches, pandas or Arrow: into stacks and match collections, and out of them.

A table of tiles has one row per tile. Its columns are called as in the documents of render::

    tileId z sectionId groupId width height minIntensity maxIntensity imageUrl maskUrl meshCellSize
    temca camera imageRow imageCol stageX stageY rotation pixelsize distanceZ     (the layout)
    m00 m10 m01 m11 m02 m12                                                       (an affine transform)
    minX minY maxX maxY                                                           (the bounding box)
    other                                                                         (JSON of all the rest)

A table of matches has one row for each pair of points, in pixels at scale 1::

    pGroupId pId qGroupId qId px py qx qy w

``x' = m00 x + m01 y + m02`` and ``y' = m10 x + m11 y + m12`` map the pixels of a tile into the world. Tables need
the extra ``tables`` (pandas and pyarrow), which is imported when a table is read or made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from itertools import groupby
from typing import TYPE_CHECKING, Any

from renderapi import _json
from renderapi._doubts import MOST_IMAGES, Doubts
from renderapi._parallel import in_threads, interrupt_says, progress_reporter, with_note
from renderapi._project import Project
from renderapi._slips import warn_caller
from renderapi.errors import SpecError, TableError
from renderapi.http import transport
from renderapi.pointmatch import UploadResult, select
from renderapi.pointmatch.uploading import BATCH_PAIRS, upload
from renderapi.render import Render, renderaccess
from renderapi.stack import get_z_values_for_stack, set_stack_state
from renderapi.tables._columns import KINDS, Columns, arrow, as_frame, check_kind
from renderapi.tables._documents import TileRows, tile_schema, tiles_table
from renderapi.tables._matches import MATCH_KINDS, MatchTable, match_table
from renderapi.tables.files import TABLE_FILES, is_table_file, read_table, write_table

if TYPE_CHECKING:
    import requests

    from renderapi.client.local.uploading import Batch, Import

__all__ = [
    "MATCH_COLUMNS",
    "TABLE_FILES",
    "TILE_COLUMNS",
    "import_match_table",
    "import_table",
    "is_table_file",
    "matches_tables",
    "matches_to_table",
    "read_table",
    "stack_tables",
    "stack_to_table",
    "table_to_matches",
    "table_to_tiles",
    "tiles_to_table",
    "write_table",
]

#: Columns of a table of tiles.
TILE_COLUMNS = tuple(KINDS)
#: Columns of a table of matches.
MATCH_COLUMNS = tuple(MATCH_KINDS)
_CHECKED_AT_ONCE = 500


def table_to_tiles(
    table: Any,
    *,
    columns: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    stage_scale: float = 1.0,
    derive: bool = True,
) -> list[dict[str, Any]]:
    """Return the rows of a table as tile documents.

    Parameters
    ----------
    table, columns, defaults, stage_scale
        As for `import_table`.
    derive : bool
        Derive bounding boxes of the affine transforms; rows with transforms in ``other`` keep what they have. Else
        boxes are taken from the table.

    Returns
    -------
    list of dict
        TileSpec documents in the order of the rows.

    Raises
    ------
    TableError
        If rows cannot be used; it names them all.

    Examples
    --------
    >>> import numpy as np
    >>> from renderapi.tables import table_to_tiles
    >>> table = {"tileId": ["a", "b"], "m02": np.array([0.0, 1800.0])}
    >>> tiles = table_to_tiles(table, defaults={"z": 1, "width": 2048, "height": 2048})
    >>> tiles[1]["tileId"], tiles[1]["maxX"]
    ('b', 3848.0)
    """
    rows = TileRows(Columns(table, KINDS, columns, defaults), stage_scale, derive)
    return rows.documents(range(rows.count))


@renderaccess
def import_table(
    stack: str,
    table: Any,
    *,
    columns: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    sharedTransforms: Iterable[Any] | None = None,
    stage_scale: float = 1.0,
    derive: bool = True,
    close_stack: bool = True,
    batch_size: int | None = None,
    poolsize: int | None = None,
    executor: Executor | None = None,
    progress: Any = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> int:
    """Import the tiles of a table into a stack; no object is made for a tile.

    Parameters
    ----------
    stack : str
        Stack; it is set LOADING first, when the table has been checked.
    table : pandas.DataFrame, pyarrow.Table, mapping of arrays, or iterator of them
        One row per tile, with columns of `TILE_COLUMNS`; others are left out. ``tileId``, ``z``, ``width`` and
        ``height`` must be there; affine columns that are missing are those of the identity. What pandas has for
        missing (NaN, None) is a value that a tile does not have. An iterator of tables, or a
        ``pyarrow.RecordBatchReader``, is read, checked and sent piece by piece, for what is larger than memory.
    columns : dict, optional
        What is called otherwise in the table: ``{"tileId": "name", "imageUrl": "path"}``.
    defaults : dict, optional
        Values for columns that the table does not have, and for rows without: ``{"width": 2048, "height": 2048}``.
    sharedTransforms : list of transform, optional
        Shared transforms that transforms in the column ``other`` refer to.
    stage_scale : float
        Where the table has no affine columns, tiles are placed at ``stageX`` and ``stageY`` times this. Default 1:
        stage coordinates are pixels.
    derive : bool
        Derive bounding boxes, exactly as render does. Else ``minX``, ``minY``, ``maxX`` and ``maxY`` of the table are
        stored.
    close_stack : bool
        Set the stack COMPLETE in the end, if everything was stored. Default True.
    batch_size : int, optional
        Most tiles of a request. Default 2000.
    poolsize : int, optional
        Most threads that send. Default: as many as there are cores, at most 8.
    executor : concurrent.futures.Executor, optional
        What sends the batches instead; it stays open.
    progress : optional
        True for a bar (extra ``progress``), or a function that is called with the number of tiles stored and their
        total.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    int
        Number of tiles that were stored.

    Raises
    ------
    TableError
        If rows cannot be used: values are missing, no numbers, or a tile is there twice. It names column, row and
        reason of all of them, and nothing was sent; of an iterator, the tables before it were.
    SpecError
        If the table has no such columns.
    ImportFailedError
        If batches were not stored; it lists their tile ids, and the stack stays LOADING.
    ImportError
        If pyarrow or pandas is not installed.

    Warns
    -----
    RenderWarning
        As the functions of `renderapi.client` that import; and for an unknown column that is nearly called as one is.
    """
    from renderapi.client.local import uploading

    connection = Project(host, port, owner, project, session, render)
    shared = uploading.shared_documents(sharedTransforms)
    job = uploading.Import(stack, connection, shared, "client" if derive else "none", executor=executor)
    threads = uploading.default_threads(poolsize)
    size = batch_size or uploading.BATCH_TILES

    def read(part: Any) -> TileRows:
        rows = TileRows(Columns(part, KINDS, columns, defaults), stage_scale, derive)
        _check_others(job, rows)
        job.look(_looked_at(rows))
        return rows

    def pieces() -> Iterator[Batch | None]:
        for part in table:
            yield None  # a tile may be in several tables: the later one counts
            try:
                rows = read(part)
            except TableError as error:
                raise with_note(error, f"({job.stored} tile specs of tables before it were stored)") from None
            yield from _batches(job, rows, size)

    with interrupt_says(lambda: f"the import into stack {stack} was interrupted: nothing was sent"):
        if isinstance(table, Iterator) or hasattr(table, "read_next_batch"):
            arrow()
            batches, total = pieces(), None
        else:
            rows = read(table)
            job.tell_doubts()
            batches, total = _batches(job, rows, size), rows.count
        uploading.make_loading(stack, connection)
    uploading.send_all(job, batches, threads, progress, total)
    if close_stack:
        set_stack_state(stack, "COMPLETE", **connection.keywords())
    return job.stored


def _check_others(job: Import, rows: TileRows) -> None:
    """Check tiles that are more than their columns as the import of tile specs does, but name their rows."""
    from renderapi.client.local.uploading import Import

    def check(some: list[int]) -> None:
        trial = Import(job.stack, job.connection, job.shared, job.derive, doubts=Doubts())
        for _ in trial.batches(rows.documents(some), len(some)):
            pass

    others = sorted(rows.others)
    for start in range(0, len(others), _CHECKED_AT_ONCE):
        some = others[start : start + _CHECKED_AT_ONCE]
        try:
            check(some)
        except SpecError:
            for row in some:
                try:
                    check([row])
                except SpecError as error:
                    rows.problems.add(row, "other", str(error))
    rows.problems.tell()


def _looked_at(rows: TileRows) -> Iterator[dict[str, Any]]:
    """Yield the documents that an import may have to warn of."""
    doubtful = rows.doubtful(MOST_IMAGES)
    for start in range(0, len(doubtful), _CHECKED_AT_ONCE):
        yield from rows.documents(doubtful[start : start + _CHECKED_AT_ONCE])


def _batches(job: Import, rows: TileRows, size: int) -> Iterator[Batch]:
    from renderapi.client.local.uploading import BATCH_BYTES, batch_of

    def of(ids: list[str], members: list[str]) -> Iterator[Batch]:
        content = ",".join(members).encode()
        if len(content) > BATCH_BYTES and len(ids) > 1:
            half = len(ids) // 2
            yield from of(ids[:half], members[:half])
            yield from of(ids[half:], members[half:])
            return
        shared, job.unsent_shared = job.unsent_shared, {}
        yield batch_of(ids, [content], shared)

    for start in range(0, rows.count, size):
        part = rows.plain(start, min(start + size, rows.count))
        ids = rows.ids(part)
        if ids:
            yield from of(ids, rows.members(part))
    others = sorted(rows.others)
    for start in range(0, len(others), size):
        yield from job.batches(rows.documents(others[start : start + size]), size)


# ------------------------------------------------------------------------------ tiles to tables


def tiles_to_table(tiles: Iterable[Any], *, other: bool = False, kind: str = "pandas") -> Any:
    """Make a table of tiles.

    Parameters
    ----------
    tiles : iterable of TileSpec or dict
        Tiles.
    other : bool
        Add the column ``other``: JSON of what the columns do not say (other transforms, channels, further mipmap
        levels, ...). With it the tiles can be made again without loss.
    kind : {"pandas", "arrow"}
        What is wanted.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        Columns of `TILE_COLUMNS`. Tiles with other transforms than one ``AffineModel2D`` have no affine columns.

    Raises
    ------
    SpecError
        If a value does not fit its column.
    ImportError
        If pyarrow or pandas is not installed.

    Warns
    -----
    RenderWarning
        If tiles have something that the columns do not say, and `other` is false.

    Examples
    --------
    >>> from renderapi.tables import tiles_to_table
    >>> table = tiles_to_table([{"tileId": "a", "z": 1.0, "layout": {"camera": "c0"}}], kind="arrow")
    >>> table.column("camera").to_pylist()
    ['c0']
    """
    check_kind(kind)
    left_out: Counter[str] = Counter()
    documents = (tile if isinstance(tile, Mapping) else tile.to_dict(bounds=True) for tile in tiles)
    table = tiles_table(documents, other, left_out)
    _warn_of(left_out, "the tiles")
    return as_frame(table, kind)


def _warn_of(left_out: Counter[str], whose: str) -> None:
    if left_out:
        counts = ", ".join(f"{key} of {number}" for key, number in sorted(left_out.items()))
        warn_caller(f"columns do not say everything of {whose}, left out is: {counts}. other=True keeps it")


@renderaccess
def stack_tables(
    stack: str,
    *,
    minZ: float | None = None,
    maxZ: float | None = None,
    other: bool = False,
    kind: str = "pandas",
    poolsize: int = 4,
    progress: Any = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> Iterator[Any]:
    """Yield a stack as tables, one for each layer; a few layers are read ahead.

    Parameters
    ----------
    stack : str
        Stack.
    minZ, maxZ : float, optional
        First and last layer.
    other, kind
        As for `tiles_to_table`.
    poolsize : int
        Layers that are asked for at a time.
    progress : optional
        True for a bar (extra ``progress``), or a function that is called with the number of layers and their total.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    iterator of pandas.DataFrame or pyarrow.Table
        Layers in ascending order, the tiles of each as `tiles_to_table` has them.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    ImportError
        If pyarrow or pandas is not installed.

    Warns
    -----
    RenderWarning
        After the last layer, as `tiles_to_table`.
    """
    check_kind(kind)
    arrow()
    left_out: Counter[str] = Counter()
    side = Project(host, port, owner, project, session, render)
    zs = sorted(get_z_values_for_stack(stack, minZ=minZ, maxZ=maxZ, **side.keywords()))

    def tables() -> Iterator[Any]:
        with progress_reporter(progress, len(zs), "reading layers", " layers") as advance:
            for documents in in_threads(lambda z: _layer(side, stack, z), zs, poolsize):
                yield as_frame(tiles_table(documents, other, left_out), kind)
                advance(1)
        _warn_of(left_out, f"the tiles of stack {stack}")

    return tables()


def _layer(side: Project, stack: str, z: float) -> Iterable[dict[str, Any]]:
    """Get the documents of a layer, which are decoded as they are taken."""
    answer = transport.send(side.thread_session(), "GET", side.stack_url(stack, "z", z, "resolvedTiles"))
    parts = _json.split_maps(answer.content)
    if parts is None:
        return (_json.loads(answer.content).get("tileIdToSpecMap") or {}).values()
    return map(_json.loads, parts.get("tileIdToSpecMap", {}).values())


@renderaccess
def stack_to_table(
    stack: str,
    *,
    minZ: float | None = None,
    maxZ: float | None = None,
    other: bool = False,
    kind: str = "pandas",
    poolsize: int = 4,
    progress: Any = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> Any:
    """Get the tiles of a stack as one table, which holds all of them in memory.

    Parameters
    ----------
    stack, minZ, maxZ, other, kind, poolsize, progress
        As for `stack_tables`, which gives one table per layer.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        As `tiles_to_table`, layers in ascending order.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    ImportError
        If pyarrow or pandas is not installed.

    Warns
    -----
    RenderWarning
        As `tiles_to_table`.
    """
    check_kind(kind)
    pa = arrow()
    keywords = Project(host, port, owner, project, session, render).keywords()
    layers = list(
        stack_tables(
            stack,
            minZ=minZ,
            maxZ=maxZ,
            other=other,
            kind="arrow",
            poolsize=poolsize,
            progress=progress,
            **keywords,
        )
    )
    return as_frame(pa.concat_tables(layers) if layers else tile_schema(other).empty_table(), kind)


# ------------------------------------------------------------------------------ matches


def table_to_matches(
    table: Any, *, columns: Mapping[str, str] | None = None, defaults: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a long table as match documents.

    Parameters
    ----------
    table, columns, defaults
        As for `import_match_table`.

    Returns
    -------
    list of dict
        One document for each pair, p and q and all of them in the order in which a server keeps them; points in the
        order of their rows.

    Raises
    ------
    TableError
        If rows cannot be used; it names them all.
    SpecError
        If the table has no such columns.

    Examples
    --------
    >>> from renderapi.tables import table_to_matches
    >>> table = {"pGroupId": ["1", "2"], "pId": ["a", "b"], "qGroupId": ["2", "1"], "qId": ["b", "a"],
    ...          "px": [0, 9], "py": [1, 8], "qx": [2, 7], "qy": [3, 6]}
    >>> (match,) = table_to_matches(table)
    >>> match["pId"], match["matches"]["p"]
    ('a', [[0.0, 7.0], [1.0, 6.0]])
    """
    return list(MatchTable(Columns(table, MATCH_KINDS, columns, defaults)).documents())


@renderaccess
def import_match_table(
    matchCollection: str,
    table: Any,
    *,
    columns: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    skip_existing: bool = False,
    batch_size: int = BATCH_PAIRS,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> UploadResult:
    """Import the matches of a long table into a match collection.

    Parameters
    ----------
    matchCollection : str
        Collection; made if it is not there. Pairs that it has are replaced, by all the rows of the pair.
    table : pandas.DataFrame, pyarrow.Table, or mapping of arrays
        One row for each pair of points, with columns of `MATCH_COLUMNS`; others are left out. Rows of a pair may be
        anywhere, also with p and q exchanged. Without a column ``w`` all weights are 1.
    columns, defaults
        As for `import_table`.
    skip_existing, batch_size, poolsize, executor, progress
        As for `renderapi.pointmatch.upload_matches`.
    owner, host, port, session, render
        Connection.

    Returns
    -------
    UploadResult
        Numbers of pairs.

    Raises
    ------
    TableError
        If rows cannot be used: ids are missing, or coordinates are no finite numbers. It names column, row and reason
        of all of them, and nothing was sent.
    SpecError
        If the table has no such columns.
    ImportFailedError, requests.RequestException
        As for `renderapi.pointmatch.upload_matches`.
    ImportError
        If pyarrow or pandas is not installed.
    """
    rows = MatchTable(Columns(table, MATCH_KINDS, columns, defaults))
    return upload(
        Project(host, port, owner, None, session, render),
        matchCollection,
        rows.documents(),
        total=rows.count,
        checked=True,
        skip_existing=skip_existing,
        batch_size=batch_size,
        poolsize=poolsize,
        executor=executor,
        progress=progress,
    )


@renderaccess
def matches_tables(
    matches: Any,
    *,
    kind: str = "pandas",
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> Iterator[Any]:
    """Yield matches as long tables, one for each group of p; a few groups are read ahead.

    Parameters
    ----------
    matches : str, MatchSelection, or iterable of dict
        Name of a match collection, what `renderapi.pointmatch.select` gives, or match documents. Documents of a group
        that do not follow one another make several tables.
    kind : {"pandas", "arrow"}
        What is wanted.
    owner, host, port, session, render
        Connection, for the name of a collection.

    Returns
    -------
    iterator of pandas.DataFrame or pyarrow.Table
        Columns of `MATCH_COLUMNS`, a row for each pair of points; pairs without points have none.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    SpecError
        If points of a pair are not parallel, not in the plane, or not finite.
    RenderError
        If the server refuses.
    ImportError
        If pyarrow or pandas is not installed.
    """
    check_kind(kind)
    arrow()
    found = _matches(matches, Project(host, port, owner, None, session, render))
    groups = groupby(found, lambda document: document.get("pGroupId"))
    return (as_frame(match_table(documents), kind) for _, documents in groups)


@renderaccess
def matches_to_table(
    matches: Any,
    *,
    kind: str = "pandas",
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> Any:
    """Get matches as one long table, which holds all of them in memory.

    Parameters
    ----------
    matches, kind
        As for `matches_tables`, which gives one table per group.
    owner, host, port, session, render
        Connection, for the name of a collection.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        Columns of `MATCH_COLUMNS`, a row for each pair of points; pairs without points have none.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    SpecError
        If points of a pair are not parallel, not in the plane, or not finite.
    RenderError
        If the server refuses.
    ImportError
        If pyarrow or pandas is not installed.
    """
    check_kind(kind)
    return as_frame(match_table(_matches(matches, Project(host, port, owner, None, session, render))), kind)


def _matches(matches: Any, side: Project) -> Iterable[Mapping[str, Any]]:
    if isinstance(matches, str):
        words = {name: value for name, value in side.keywords().items() if name != "project"}
        selection: Iterable[Mapping[str, Any]] = select(matches, **words)
        return selection
    if isinstance(matches, Mapping) or not isinstance(matches, Iterable):
        raise SpecError(
            f"matches are a collection, a selection or match documents, not a {type(matches).__name__}"
        )
    return matches
