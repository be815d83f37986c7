"""What the command shows: tables for people, JSON for programs, how far it is, and questions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from renderapi.cli.options import UsageError


def show(options: argparse.Namespace, document: Any, text: str) -> None:
    """Print a result: the document with ``--json``, else the text."""
    if options.json:
        from renderapi.utils import renderdumps

        print(renderdumps(document, indent=1))
    else:
        print(text)


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lay out rows below their headings; numbers end at one line, texts begin at one."""
    if not rows:
        return ""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells)]
    right = [
        all(isinstance(row[i], (int, float)) or row[i] is None for row in rows) for i in range(len(widths))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if end else cell.ljust(width) for cell, width, end in zip(line, widths, right)
        )
        for line in ([*headings], *cells)
    ]
    return "\n".join(line.rstrip() for line in lines)


def pairs(values: Sequence[tuple[str, Any]]) -> str:
    """Lay out names and what they stand for; what is None or empty is left out."""
    shown = [(name, _cell(value)) for name, value in values if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name:{width}}  {value}" for name, value in shown)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:,.12g}"
    return str(value)


def note(text: str) -> None:
    """Tell a person something that is not the result."""
    print(text, file=sys.stderr, flush=True)


def progress(text: str) -> str | None:
    """Return what ``progress=`` of the library takes: a bar with a text for a person at a terminal, else none."""
    return text if sys.stderr.isatty() and find_spec("tqdm") else None


def check_output(path: str, force: bool) -> None:
    """Refuse to write over a file, unless that is wanted.

    Raises
    ------
    FileExistsError
        If there is one.
    """
    if not force and Path(path).exists():
        raise FileExistsError(f"{path} is there already: give --force to write over it")


def confirm(question: str, answer: str, instead: str) -> bool:
    """Ask the person at the terminal to type an answer.

    Parameters
    ----------
    question : str
        What is asked.
    answer : str
        What has to be typed.
    instead : str
        The option for where there is nobody to ask.

    Returns
    -------
    bool
        Whether it was typed.

    Raises
    ------
    UsageError
        If there is nobody.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"there is nobody to ask: give {instead}")
    note(question)
    try:
        typed = input()
    except EOFError:
        typed = ""
    return typed.strip().replace(",", "") == answer
