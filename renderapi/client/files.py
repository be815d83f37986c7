"""Files that pass between programs and bulk work: temporary ones, and those of tile pairs."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from renderapi import _json
from renderapi.client.checks import ClientArgumentError
from renderapi.errors import ClientScriptError
from renderapi.utils import open_text, renderdump_temp

logger = logging.getLogger("renderapi.client.client_calls")

#: Endings that Java takes off a file name before it counts parts, longest first.
_ENDINGS = (".json.gz", ".json", ".gz")


@contextmanager
def temporary_json(document: Any) -> Iterator[str]:
    """Write a document to a temporary JSON file that is gone after the block, however that ends."""
    path = renderdump_temp(document)
    try:
        yield path
    finally:
        Path(path).unlink(missing_ok=True)


@contextmanager
def temporary_file(suffix: str) -> Iterator[str]:
    """Make an empty temporary file that is gone after the block, however that ends."""
    handle, path = tempfile.mkstemp(suffix=suffix)
    os.close(handle)
    try:
        yield path
    finally:
        Path(path).unlink(missing_ok=True)


def read_json(path: str | Path) -> Any:
    """Read a JSON file that a Java client wrote, gzipped if its name says so.

    Raises
    ------
    ClientScriptError
        There is none, or it is not JSON.
    """
    try:
        with open_text(path) as file:
            return _json.loads(file.read())
    except FileNotFoundError:
        raise ClientScriptError(f"the Java client ended without an error and did not write {path}") from None
    except (ValueError, EOFError, OSError) as error:
        raise ClientScriptError(f"{path}, which the Java client wrote, cannot be read: {error}") from None


def stem_and_ending(name: str) -> tuple[str, str]:
    """Take the name of a file of tile pairs apart: the numbers of parts stand between."""
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending), ending


class TilePairFiles:
    """The files that TilePairClient writes for one ``--toJson``: that one, or numbered parts beside it.

    Made before the client runs, it remembers what was there already: parts of an earlier run with more pairs
    are not taken for parts of this one.

    Parameters
    ----------
    outjson : path
        The ``--toJson`` of the client.

    Raises
    ------
    ClientArgumentError
        Java could not write there, or Python not read it.
    """

    def __init__(self, outjson: str | os.PathLike[str]) -> None:
        self.path = Path(outjson)
        if self.path.name.endswith(".zip"):
            raise ClientArgumentError(
                f"outjson {outjson} cannot be written as zip: Java never can; use .json.gz"
            )
        if not self.path.parent.is_dir():
            raise ClientArgumentError(
                f"outjson {outjson} cannot be written: there is no folder {self.path.parent}"
            )
        stem, ending = stem_and_ending(self.path.name)
        self._part = re.compile(f"{re.escape(stem)}_p([0-9]{{3,}}){re.escape(ending)}")
        self._before = dict(self._states())

    def _states(self) -> Iterable[tuple[Path, tuple[int, int, int]]]:
        for entry in self.path.parent.iterdir():
            if entry.name == self.path.name or self._part.fullmatch(entry.name):
                state = entry.stat()
                yield entry, (state.st_mtime_ns, state.st_size, state.st_ino)

    def written(self) -> list[Path]:
        """Return the files that the client wrote, in the order of the pairs; none if it found no pair."""
        new: list[Path] = []
        stale: list[Path] = []
        for path, state in self._states():
            (stale if self._before.get(path) == state or not state[1] else new).append(path)
        if stale:
            logger.debug("not read, because they are not of this run: %s", sorted(map(str, stale)))
        return sorted(new, key=self._number)

    def remove(self) -> None:
        """Remove the file and all parts beside it."""
        for path, _ in list(self._states()):
            path.unlink(missing_ok=True)

    def keep_only(self, written: Iterable[Path]) -> None:
        """Remove the file and the parts beside it that are not among those."""
        wanted = set(written)
        for path, _ in list(self._states()):
            if path not in wanted:
                path.unlink(missing_ok=True)

    def _number(self, path: Path) -> int:
        part = self._part.fullmatch(path.name)
        return int(part[1]) if part else -1


def read_tile_pairs(paths: Iterable[Path], template: str) -> dict[str, Any]:
    """Read files of tile pairs into one document.

    Parameters
    ----------
    paths : iterable of Path
        The files.
    template : str
        The ``renderParametersUrlTemplate`` where there is no file.

    Returns
    -------
    dict
        ``renderParametersUrlTemplate``, and ``neighborPairs`` of all files in their order.

    Raises
    ------
    ClientScriptError
        A file is not what TilePairClient writes, or is not of the same stack as the others.
    """
    templates: dict[str, Path] = {}
    pairs: list[Any] = []
    for path in paths:
        document = read_json(path)
        try:
            templates.setdefault(document["renderParametersUrlTemplate"], path)
            pairs += document["neighborPairs"]
        except (KeyError, TypeError):
            raise ClientScriptError(f"{path} does not hold tile pairs") from None
    if len(templates) > 1:
        listing = ", ".join(f"{path}: {found}" for found, path in templates.items())
        raise ClientScriptError(f"files of tile pairs differ in their renderParametersUrlTemplate: {listing}")
    return {"renderParametersUrlTemplate": next(iter(templates), template), "neighborPairs": pairs}
