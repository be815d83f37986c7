"""What was tried in vain is not tried again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from renderapi import _json
from renderapi.match._parameters import Pair, Stage
from renderapi.match._sources import Source
from renderapi.match.errors import (
    BlankImageError,
    CoverageError,
    MatchError,
    NoOverlapError,
    TooFewMatchesError,
)

# a tile that cannot be drawn may be there the next time
_LASTING = (BlankImageError, NoOverlapError, TooFewMatchesError, CoverageError)


class Tried:
    """Pairs that were not connected, with the stages that did not, in a file of JSON lines to which is added.

    Parameters
    ----------
    path : path
        The file; it need not be there.
    source : Source
        Where render parameters come from.
    stages : list of Stage
        Stages.
    """

    def __init__(self, path: str | os.PathLike[str], source: Source, stages: list[Stage]) -> None:
        self.path = Path(path)
        self._source = source
        self._stages = [repr(stage) for stage in stages]
        self._known: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                try:
                    entry = _json.loads(line)
                    self._known[entry["tried"]] = entry
                except (ValueError, KeyError, TypeError):
                    continue  # what was not written to its end

    def failure(self, pair: Pair) -> MatchError | None:
        """Return why a pair was not connected, None if it was not tried."""
        entry = self._known.get(self._key(pair)) if self._known else None
        if entry is None:
            return None
        kind = {kind.__name__: kind for kind in _LASTING}.get(entry["failure"], MatchError)
        return kind(entry["why"], p=pair.p.key, q=pair.q.key, stage=entry["stage"])

    def add(self, failed: Iterable[tuple[Pair, MatchError]]) -> None:
        """Note pairs that were not connected."""
        entries = [
            {
                "tried": self._key(pair),
                "p": pair.p.key,
                "q": pair.q.key,
                "failure": type(why).__name__,
                "stage": why.stage,
                "why": str(why),
            }
            for pair, why in failed
            if isinstance(why, _LASTING)
        ]
        if entries:
            # in one piece, because others may add to the file as well
            with self.path.open("ab") as file:
                file.write(b"".join(_json.dumps(entry) + b"\n" for entry in entries))

    def _key(self, pair: Pair) -> str:
        # all that the outcome depends on, but for the pixels
        sides = [(*side.key, side.relativePosition, self._source.identity(side)) for side in (pair.p, pair.q)]
        return hashlib.sha256(_json.dumps([self._stages, pair.absoluteDeltaZ, *sides])).hexdigest()
