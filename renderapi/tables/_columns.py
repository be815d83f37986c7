"""The columns of tables of tiles: what they are called, what they hold, and reading them out of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi import _extras
from renderapi._slips import warn_caller
from renderapi.errors import SpecError, TableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Columns that hold the affine transform, in the order of a data string.
AFFINE = ("m00", "m10", "m01", "m11", "m02", "m12")
_IDENTITY = dict(zip(AFFINE, (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)))
BOX = ("minX", "minY", "maxX", "maxY")
#: Columns that are keys of the layout of a tile.
LAYOUT = (
    "sectionId", "temca", "camera", "imageRow", "imageCol", "stageX", "stageY", "rotation", "pixelsize", "distanceZ",
)  # fmt: skip
IMAGES = ("imageUrl", "maskUrl")
#: Every column and its kind, in the order in which render writes what they hold.
KINDS: dict[str, str] = {
    "tileId": "text",
    **dict.fromkeys(LAYOUT, "double"),
    **{"sectionId": "text", "temca": "text", "camera": "text", "imageRow": "int", "imageCol": "int"},
    "groupId": "text",
    "z": "double",
    **dict.fromkeys(BOX, "double"),
    **dict.fromkeys(("width", "height", "minIntensity", "maxIntensity"), "double"),
    **dict.fromkeys(IMAGES, "text"),
    **dict.fromkeys(AFFINE, "double"),
    "meshCellSize": "double",
    "other": "text",
}
REQUIRED = ("tileId", "z", "width", "height")
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_SHOWN = 10


def arrow() -> Any:
    """Return pyarrow, or say how to install it."""
    return _extras.arrow("tables need pyarrow and pandas")


def as_frame(table: Any, kind: str) -> Any:
    """Return an Arrow table as what a caller asks for: ``"pandas"`` or ``"arrow"``."""
    if kind == "arrow":
        return table
    try:
        return table.to_pandas()
    except ImportError as error:
        raise ImportError(f"tables need pyarrow and pandas: {_extras.install_line('tables')}") from error


def check_kind(kind: str) -> None:
    """Raise `ValueError` for what is no kind of table."""
    if kind not in ("pandas", "arrow"):
        raise ValueError(f"kind must be 'pandas' or 'arrow', not {kind!r}")


class Problems:
    """What is wrong with a table, gathered so that all of it is told at once."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.found: list[tuple[int | None, str, str]] = []

    def add(self, row: int | None, column: str, reason: str) -> None:
        """Note what is wrong with a row, or with a whole column (row None)."""
        self.found.append((row, column, reason))

    def rows(self, bad: Any, column: str, reason: Callable[[int], str]) -> None:
        """Note the rows that a mask names."""
        for row in np.flatnonzero(bad).tolist():
            self.add(row, column, reason(row))

    def tell(self) -> None:
        """Raise what was found, if anything was."""
        if not self.found:
            return
        lines = [
            f"{'' if row is None else f'row {row}, '}column {column!r}: {reason}"
            for row, column, reason in self.found[:_SHOWN]
        ]
        if len(self.found) > _SHOWN:
            lines.append(f"... and {len(self.found) - _SHOWN} more (problems of this error)")
        rows = len({row for row, _, _ in self.found if row is not None})
        which = f"{rows} row{'s' * (rows != 1)} of it" if rows else "it"
        raise TableError(
            f"{self._what} cannot be imported, {which} cannot be used; nothing of it was sent.\n"
            + "\n".join(lines),
            problems=self.found,
        )


class Columns:
    """The columns of a table, by what they hold.

    Parameters
    ----------
    table : pandas.DataFrame, pyarrow.Table, or mapping of arrays
        The table.
    kinds : dict
        Kind of each column that is looked for.
    names : mapping
        What is called otherwise in the table: column of `kinds` -> its name there.
    defaults : mapping
        Values for columns that are not there, and for rows without.
    what : str
        What errors call the table.
    """

    def __init__(
        self,
        table: Any,
        kinds: Mapping[str, str],
        names: Mapping[str, str] | None = None,
        defaults: Mapping[str, Any] | None = None,
        what: str = "the table",
    ) -> None:
        self._pa = arrow()
        self.problems = Problems(what)
        self._kinds = kinds
        names, defaults = names or {}, defaults or {}
        for given, word in ((names, "columns"), (defaults, "defaults")):
            unknown = sorted(set(given) - set(kinds))
            if unknown:
                raise SpecError(f"{word} names {unknown}, which is none of {', '.join(kinds)}")
        there, self.count, get = self._source(table)
        called = {name: names.get(name, name) for name in kinds}
        missing = sorted(name for key, name in names.items() if name not in there)
        if missing:
            raise SpecError(f"the table has no column {missing}; its columns are {there}")
        self._warn_of_slips(set(there) - set(called.values()), set(called) - set(there))
        self.called = called
        self.texts: dict[str, Any] = {}
        self.numbers: dict[str, Array] = {}
        for name, kind in kinds.items():
            if called[name] in there:
                self._read(name, kind, get(called[name]))
            if name in defaults and defaults[name] is not None:
                self._fill(name, kind, defaults[name])

    @staticmethod
    def _warn_of_slips(unused: set[str], free: set[str]) -> None:
        from difflib import get_close_matches

        for name in sorted(unused):
            if close := get_close_matches(name, free, n=1, cutoff=0.85):
                warn_caller(f"the column {name!r} of the table is left out; is {close[0]} meant?")

    def _source(self, table: Any) -> tuple[list[str], int, Callable[[str], Any]]:
        """Return the names of the columns, the number of rows, and what reads one column as Arrow."""
        pa = self._pa
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        elif (
            not isinstance(table, pa.Table)
            and not hasattr(table, "iloc")
            and hasattr(table, "__arrow_c_stream__")
        ):
            table = pa.table(table)
        if isinstance(table, pa.Table):
            return self._distinct(table.column_names), table.num_rows, table.column
        if hasattr(table, "iloc") and hasattr(table, "columns"):
            return self._distinct(list(map(str, table.columns))), len(table), self._from_pandas(table)
        if isinstance(table, Mapping):
            lengths = {len(values) for values in table.values()}
            if len(lengths) > 1:
                raise SpecError(f"the columns of the table have different lengths: {sorted(lengths)}")
            return list(table), lengths.pop() if lengths else 0, self._from_pandas(table)
        raise SpecError(
            f"a table is a pandas DataFrame, an Arrow table or a mapping of arrays, not a {type(table).__name__}"
        )

    @staticmethod
    def _distinct(names: list[str]) -> list[str]:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SpecError(f"several columns of the table are called {twice}")
        return names

    def _from_pandas(self, table: Any) -> Callable[[str], Any]:
        def get(name: str) -> Any:
            pa = self._pa
            values = table[name]
            try:
                column = pa.array(values, from_pandas=True)
                return pa.chunked_array([column]) if isinstance(column, pa.Array) else column
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):
                # several types in one column: each value by itself, as its text
                texts = [None if value is None or value != value else str(value) for value in values]  # noqa: PLR0124
                return pa.chunked_array([pa.array(texts, pa.large_string())])

        return get

    def _read(self, name: str, kind: str, column: Any) -> None:
        pa = self._pa
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_null(column.type):
            return
        if kind == "text":
            self.texts[name] = self._as_text(name, column)
        else:
            self.numbers[name] = self._as_numbers(name, column, whole=kind == "int")

    def _as_text(self, name: str, column: Any) -> Any:
        pa = self._pa
        if pa.types.is_floating(column.type):
            # as Python and Java write them: a section is "1.0"
            column = pa.chunked_array(
                [pa.array([None if v is None else repr(v) for v in column.to_pylist()])]
            )
        elif not (
            pa.types.is_integer(column.type)
            or pa.types.is_string(column.type)
            or pa.types.is_large_string(column.type)
            or str(column.type) == "string_view"
        ):
            self.problems.add(None, self.called[name], f"holds {column.type}, not text")
            return pa.chunked_array([pa.nulls(self.count, pa.large_string())])
        return column.cast(pa.large_string())

    def _as_numbers(self, name: str, column: Any, whole: bool) -> Array:
        pa, called = self._pa, self.called[name]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            values = np.array(
                [self._number(row, called, text) for row, text in enumerate(column.to_pylist())]
            )
        elif not (
            pa.types.is_integer(column.type)
            or pa.types.is_floating(column.type)
            or pa.types.is_decimal(column.type)
        ):
            self.problems.add(None, called, f"holds {column.type}, not numbers")
            return np.full(self.count, np.nan)
        else:
            nulls = column.is_null().to_numpy()
            # whatever is no number in a DataFrame is a value that is missing; in an Arrow table it is NaN
            values = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
            self.problems.rows(
                ~np.isfinite(values) & ~nulls, called, lambda row: f"{values[row]} is no finite number"
            )
        if whole:
            with np.errstate(invalid="ignore"):
                bad = (values != np.trunc(values)) | (values < _INT_MIN) | (values > _INT_MAX)
            self.problems.rows(
                bad & np.isfinite(values), called, lambda row: f"{values[row]} is no whole number of 32 bits"
            )
        return values

    def _number(self, row: int, called: str, text: str | None) -> float:
        if text is None:
            return np.nan
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            self.problems.add(row, called, f"{text!r:.60} is no finite number")
        return value

    def _fill(self, name: str, kind: str, value: Any) -> None:
        if kind == "text":
            text = str(value)
            if name in self.texts:
                self.texts[name] = self._pa.compute.fill_null(self.texts[name], text)
            else:
                self.texts[name] = self._repeated(text)
        else:
            try:
                number = float(value)
            except (TypeError, ValueError):
                raise SpecError(f"the default of {name} is {value!r:.60}, not a number") from None
            if not np.isfinite(number) or (kind == "int" and number != int(number)):
                raise SpecError(f"the default of {name} is {value!r:.60}, which it cannot be")
            known = self.numbers.get(name)
            self.numbers[name] = (
                np.full(self.count, number) if known is None else np.where(np.isnan(known), number, known)
            )

    def _repeated(self, text: str) -> Any:
        pa = self._pa
        indices = pa.array(np.zeros(self.count, np.int32))
        column = pa.DictionaryArray.from_arrays(indices, pa.array([text], pa.large_string()))
        return pa.chunked_array([column.cast(pa.large_string())])

    def required(self, name: str) -> None:
        """Note the rows that lack a value which they must have."""
        called = self.called[name]
        if name in self.numbers:
            lacking = np.isnan(self.numbers[name])
        elif name in self.texts:
            compute = self._pa.compute
            empty = compute.fill_null(compute.equal(self.texts[name], ""), True)
            lacking = np.asarray(empty.to_numpy(), dtype=bool)
        else:
            if self.count:
                reason = "is missing: name it by columns=, or give a value by defaults="
                self.problems.add(None, called, reason)
            return
        told = {row for row, column, _ in self.problems.found if column == called}
        if None not in told:
            for row in np.flatnonzero(lacking).tolist():
                if row not in told:
                    self.problems.add(row, called, "is missing")


def affine_of(columns: Columns, stage_scale: float) -> Array | None:
    """Return the affine transforms of the rows, (N, 6) in the order of `AFFINE`, NaN for rows without.

    They are placed by their stage coordinates where the table has no affine columns.
    """
    known = [name for name in AFFINE if name in columns.numbers]
    if not known:
        if not {"stageX", "stageY"} <= columns.numbers.keys():
            return None
        identity = [np.full(columns.count, _IDENTITY[name]) for name in AFFINE[:4]]
        x, y = columns.numbers["stageX"] * stage_scale, columns.numbers["stageY"] * stage_scale
        rows = np.column_stack([*identity, x, y])
        rows[np.isnan(rows).any(axis=1)] = np.nan
        return rows
    given = np.column_stack([columns.numbers[name] for name in known])
    lacking = np.isnan(given)
    some = lacking.any(axis=1) & ~lacking.all(axis=1)
    bad = {row for row, column, _ in columns.problems.found if column in map(columns.called.get, AFFINE)}
    for row in np.flatnonzero(some).tolist():
        if row not in bad:
            name = known[int(np.flatnonzero(lacking[row])[0])]
            columns.problems.add(row, columns.called[name], "is missing, but other affine columns are there")
    rows = np.column_stack(
        [columns.numbers.get(name, np.full(columns.count, _IDENTITY[name])) for name in AFFINE]
    )
    rows[lacking.all(axis=1)] = np.nan
    return rows
