"""Tables in files: CSV, Parquet and Feather."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi._replacing import replacing
from renderapi.errors import TableError
from renderapi.tables._columns import KINDS, arrow
from renderapi.tables._matches import MATCH_KINDS

if TYPE_CHECKING:
    import os

__all__ = ["TABLE_FILES", "is_table_file", "read_table", "write_table"]

#: What the names of files of tables end in.
TABLE_FILES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".feather")
_TEXTS = tuple(name for name, kind in {**KINDS, **MATCH_KINDS}.items() if kind == "text")
#: What stands in CSV files for a value that is missing; nothing that an id could be.
_MISSING = ["", "nan", "NaN"]


def is_table_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is read as a table, by its name.

    Parameters
    ----------
    path : path
        The file; it need not be there.

    Returns
    -------
    bool
        Whether it ends in one of `TABLE_FILES`.

    Examples
    --------
    >>> is_table_file("tiles.csv.gz"), is_table_file("tiles.json")
    (True, False)
    """
    return _ending(path) is not None


def _ending(path: str | os.PathLike[str]) -> str | None:
    name = Path(path).name.lower()
    return next((ending for ending in TABLE_FILES if name.endswith(ending)), None)


def _known_ending(path: str | os.PathLike[str]) -> str:
    ending = _ending(path)
    if ending is None:
        raise TableError(f"{path} is no file of a table: its name must end in {', '.join(TABLE_FILES)}")
    return ending


def read_table(path: str | os.PathLike[str], *, columns: Mapping[str, str] | None = None) -> Any:
    r"""Read a table of tiles or matches from a file.

    Parameters
    ----------
    path : path
        The file; its name ends in one of `TABLE_FILES`. CSV files have a line of names at their head; an empty field
        is a value that is missing.
    columns : dict, optional
        As for `import_table`: what is called otherwise in the file. Ids of CSV files are read as text, so that
        ``0012`` stays ``0012``; this tells which columns they are.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    TableError
        If the file is none of these, or cannot be read as what its name says.
    FileNotFoundError
        If it is not there.
    ImportError
        If pyarrow is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tiles.csv")
    ...     _ = path.write_text("tileId,z,width,height,stageX,stageY\n007,1,100,100,90,0\n")
    ...     read_table(path).to_pylist()
    [{'tileId': '007', 'z': 1, 'width': 100, 'height': 100, 'stageX': 90, 'stageY': 0}]
    """
    pa = arrow()
    ending = _known_ending(path)
    file = Path(path)
    file.stat()
    try:
        if ending == ".parquet":
            import pyarrow.parquet

            return pyarrow.parquet.read_table(file)
        if ending == ".feather":
            import pyarrow.feather

            return pyarrow.feather.read_table(file)
        import pyarrow.csv as pacsv

        names = {name: name for name in _TEXTS} | {k: v for k, v in (columns or {}).items() if k in _TEXTS}
        return pacsv.read_csv(
            file,
            parse_options=pacsv.ParseOptions(delimiter="\t" if ".tsv" in ending else ","),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names.values(), pa.large_string()),
                null_values=_MISSING,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as error:
        raise TableError(f"{path} cannot be read as a table: {error}") from error


def write_table(tables: Any, path: str | os.PathLike[str]) -> int:
    """Write a table to a file, which is there as a whole or not at all.

    Parameters
    ----------
    tables : pandas.DataFrame, pyarrow.Table, or iterable of them
        One table, or its parts in order, with the columns of the first: what `stack_tables` and `matches_tables` give.
        Parts are written as they come, so that the whole need not fit into memory.
    path : path
        The file; its name ends in one of `TABLE_FILES`. What is there is replaced.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    TableError
        If the name is none of these, or there is no table at all.
    ImportError
        If pyarrow is not installed.
    """
    pa = arrow()
    ending = _known_ending(path)
    parts = iter([tables] if hasattr(tables, "columns") or isinstance(tables, pa.Table) else tables)
    first = next(parts, None)
    if first is None:
        raise TableError(f"{path} was not written: there is no table")
    first = _as_arrow(first)
    rows = 0
    with replacing(path) as temporary, _writer(temporary, ending, first.schema) as writer:
        for part in _all_of(first, parts):
            writer.write_table(part.cast(first.schema))
            rows += part.num_rows
    return rows


def _as_arrow(table: Any) -> Any:
    pa = arrow()
    return table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)


def _all_of(first: Any, parts: Iterable[Any]) -> Iterator[Any]:
    yield first
    for part in parts:
        yield _as_arrow(part)


@contextmanager
def _writer(path: Path, ending: str, schema: Any) -> Iterator[Any]:
    with ExitStack() as files:
        if ending == ".parquet":
            import pyarrow.parquet

            yield files.enter_context(pyarrow.parquet.ParquetWriter(path, schema, compression="zstd"))
        elif ending == ".feather":
            import pyarrow as pa

            file = files.enter_context(path.open("wb"))
            yield files.enter_context(pa.ipc.new_file(file, schema))
        else:
            import pyarrow.csv as pacsv

            if ending.endswith(".gz"):
                file = files.enter_context(gzip.open(path, "wb", compresslevel=6))  # type: ignore[arg-type]
            else:
                file = files.enter_context(path.open("wb"))
            options = pacsv.WriteOptions(delimiter="\t" if ".tsv" in ending else ",")
            yield files.enter_context(pacsv.CSVWriter(file, schema, write_options=options))
