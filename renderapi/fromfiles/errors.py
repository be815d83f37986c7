"""What is wrong with files that should become tiles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from renderapi.errors import RenderError

_SHOWN = 10


class FileProblem(NamedTuple):
    """What is wrong with a file, or a row of a table.

    Attributes
    ----------
    path : str
        The file.
    row : object
        Line of a text file, or index of a table in memory; None for the file as a whole.
    text : str
        What is wrong.
    """

    path: str
    row: Any
    text: str

    def __str__(self) -> str:
        where = self.path if self.row is None else f"{self.path}: row {self.row}"
        return f"{where}: {self.text}"


class TileFilesError(RenderError, ValueError):
    """Files cannot become tiles; no tile was made.

    Attributes
    ----------
    problems : list of FileProblem
        Everything that is wrong, not only the first.
    """

    problems: list[FileProblem]

    def __init__(self, *args: Any, problems: Iterable[FileProblem] = (), **details: Any) -> None:
        super().__init__(*args, **details)
        self.problems = list(problems)


def refuse(problems: Iterable[FileProblem]) -> None:
    """Raise an error of everything that is wrong, if anything is."""
    found = list(problems)
    if not found:
        return
    lines = "".join(f"\n{problem}" for problem in found[:_SHOWN])
    more = f"\n... and {len(found) - _SHOWN} more (problems has all)" if len(found) > _SHOWN else ""
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    raise TileFilesError(f"no tiles were made: {count}{lines}{more}", problems=found)
