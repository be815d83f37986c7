"""Where tiles belong, of their point matches: one least squares problem for all of them.

`solve_matches` takes tile specs and match documents, `solve_stack` a stack and a match collection of a server.
"""

from renderapi.solve.errors import (
    ComponentsError,
    MatchCoordinatesError,
    NoMatchesError,
    SingularSystemError,
    SolveError,
    TooFewMatchesError,
    UnknownTileError,
)
from renderapi.solve.matches import Solution, solve_matches
from renderapi.solve.report import Seam, SolveReport
from renderapi.solve.stacks import solve_stack

__all__ = [
    "ComponentsError",
    "MatchCoordinatesError",
    "NoMatchesError",
    "Seam",
    "SingularSystemError",
    "Solution",
    "SolveError",
    "SolveReport",
    "TooFewMatchesError",
    "UnknownTileError",
    "solve_matches",
    "solve_stack",
]
