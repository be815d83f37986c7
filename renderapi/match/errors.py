"""Why two tiles were not connected, and parameters that cannot be used."""

from __future__ import annotations

from typing import Any

from renderapi.errors import RenderError, SpecError


class MatchParametersError(SpecError):
    """Parameters, a file of stages, or a list of pairs that matches cannot be looked for with."""


class MatchError(RenderError):
    """Two tiles were not connected.

    Attributes
    ----------
    p, q : tuple of (str, str) or None
        Group and tile id of the two.
    stage : str or None
        Name of the last stage that was tried.
    """

    def __init__(
        self,
        *args: Any,
        p: tuple[str, str] | None = None,
        q: tuple[str, str] | None = None,
        stage: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(*args, **details)
        self.p, self.q, self.stage = p, q, stage


class CanvasError(MatchError):
    """A tile cannot be drawn: it or its image is missing, unreadable or not allowed."""


class BlankImageError(MatchError):
    """An image shows nothing that could be matched: it is of one gray, masked, or too small."""


class NoOverlapError(MatchError):
    """No matches were found, and the boxes of the two tiles do not touch either."""


class TooFewMatchesError(MatchError):
    """Fewer candidates agree on one transform than are asked for."""


class CoverageError(MatchError):
    """The matches cover less of the overlap than is asked for."""
