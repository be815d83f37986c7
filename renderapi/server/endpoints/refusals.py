"""Answers other than success.

The statuses are the *actual* ones of render-ws, also where its documentation promises others: a state
violation is a 500. docs/server.rst lists them.
"""

from __future__ import annotations

from typing import Any

from renderapi.server.documents.problems import FailedError, InvalidError, MissingError, Problem

_STATUSES: dict[type[Problem], int] = {InvalidError: 400, MissingError: 404, FailedError: 500}


class Refusal(Problem):
    """An answer with an error status; the message is the whole body, as plain text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.status, self.message))


class QueryRefusal(Refusal):
    """A refusal of what a query asks for: 400, but 500 where render-ws reads it outside of its care."""


def status_of(problem: Problem) -> int:
    """Return the status of the answer to a problem."""
    return problem.status if isinstance(problem, Refusal) else _STATUSES[type(problem)]


def not_built(what: str) -> Refusal:
    """501: an endpoint of render-ws that the embedded server does not have."""
    return Refusal(501, f"The embedded server does not offer {what}; use a full render-ws for it.")
