"""Residuals out of reports of solving and aligning, and out of whatever else has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi.align import AlignReport, SectionReport, SectionsReport
from renderapi.errors import SpecError
from renderapi.geometry.residuals import MatchResiduals
from renderapi.plot._given import residuals_of
from renderapi.solve import Solution, SolveReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_WHEN = ("before", "after")
_OF = {"pairs": "pair", "tiles": "tile"}


def _reports(given: Any, when: str) -> list[tuple[SolveReport, str]] | None:
    """Return the reports of solving in another one, and which of their two residuals counts; None if it is none."""
    if isinstance(given, SectionReport):
        # of a section that nothing moves in, both are the same
        one = given.after if when == "after" else given.before
        return [] if one is None else [(one, "before")]
    if isinstance(given, SolveReport):
        found = [given]
    elif isinstance(given, Solution):
        found = [given.report]
    elif isinstance(given, SectionsReport):
        found = [given.solved]
    elif isinstance(given, AlignReport):
        found = [part.solved for part in given.sections if part.solved is not None]
    elif isinstance(given, (list, tuple)) and given and all(isinstance(one, SolveReport) for one in given):
        found = list(given)  # what `renderapi.solve.solve_stack` returns
    else:
        return None
    return [(report, when) for report in found]


def residuals_of_pairs(given: Any, when: str) -> tuple[list[tuple[str, str]], Array] | None:
    """Return ids and residuals of the pairs of a report; None if it is no report.

    Raises
    ------
    SpecError
        If it has no such residuals.
    """
    if when not in _WHEN:
        raise SpecError(f"when is {when!r}; it must be 'before' or 'after'")
    reports = _reports(given, when)
    if reports is None:
        return None
    if not reports:
        raise SpecError(f"the report has no residuals of {when}")
    names = [
        (report.tile_ids[p], report.tile_ids[q]) for report, _ in reports for p, q in report.pairs.tolist()
    ]
    return names, np.concatenate([getattr(report, f"pair_{which}") for report, which in reports])


def series_of(
    given: Any, tiles: Any, of: str, points: str | int = "matching"
) -> tuple[str, dict[str, Array]]:
    """Return of what residuals are, and the residuals of each name."""
    if of not in _OF:
        raise SpecError(f"of is {of!r}; it must be 'pairs' or 'tiles'")
    if isinstance(given, Mapping) and "pId" not in given:
        parts = {str(name): series_of(one, tiles, of, points) for name, one in given.items()}
        kinds = {what for what, _ in parts.values()}
        series = {
            " ".join(filter(None, (name, part))): values
            for name, (_, several) in parts.items()
            for part, values in several.items()
        }
        return kinds.pop() if len(kinds) == 1 else "", series
    if _reports(given, "after") is not None:
        found = {}
        for when in _WHEN:
            reports = _reports(given, when) or []
            if reports:
                found[when] = np.concatenate([getattr(one, f"{_OF[of]}_{which}") for one, which in reports])
        return f" of {of}", found
    if isinstance(given, MatchResiduals):
        return " of matches", {"": given.distances}
    if tiles is not None:
        return " of matches", {"": residuals_of(tiles, given, points).distances}
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise SpecError(
            f"these are no residuals: {given!r:.100} (give a report, numbers, or matches and their tiles=)"
        ) from None
    return "", {"": values.reshape(-1)}
