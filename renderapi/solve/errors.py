"""What can go wrong when tiles are placed by their point matches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from renderapi.errors import RenderError


class SolveError(RenderError, ValueError):
    """Tiles cannot be placed by these matches.

    Attributes
    ----------
    tile_ids : list of str
        The tiles that it is about.
    pairs : list of tuple (str, str)
        The pairs of tiles that it is about, p and q.
    """

    def __init__(
        self,
        *args: Any,
        tile_ids: Iterable[str] = (),
        pairs: Iterable[tuple[str, str]] = (),
        **details: Any,
    ) -> None:
        super().__init__(*args, **details)
        self.tile_ids = list(tile_ids)
        self.pairs = list(pairs)


class NoMatchesError(SolveError):
    """Tiles have no matches with any other: they do not overlap, or were not matched."""


class TooFewMatchesError(SolveError):
    """A pair has fewer matches than the model needs."""


class UnknownTileError(SolveError):
    """Matches are with tiles that are not there."""


class MatchCoordinatesError(SolveError):
    """Points of matches are not where their tiles have pixels: they are in other coordinates."""


class ComponentsError(SolveError):
    """Matches do not connect all tiles.

    Attributes
    ----------
    components : list of list of str
        The ids of the tiles that are connected, the largest component first.
    """

    def __init__(self, *args: Any, components: Iterable[list[str]] = (), **details: Any) -> None:
        super().__init__(*args, **details)
        self.components = list(components)


class SingularSystemError(SolveError):
    """Matches, priors and fixed tiles do not determine where tiles are."""


def some(names: Iterable[Any], most: int = 5) -> str:
    """Return a few names for a message, and how many more there are."""
    given = [" and ".join(name) if isinstance(name, tuple) else str(name) for name in names]
    rest = f" and {len(given) - most} more" if len(given) > most else ""
    return ", ".join(given[:most]) + rest
