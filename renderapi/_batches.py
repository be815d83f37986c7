"""What is said of batches that were sent, where some of them failed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import requests

from renderapi.errors import AccessDeniedError, ImportFailedError, NotFoundError, StackStateError

__all__ = ["failed", "is_fatal"]

_FATAL = (StackStateError, NotFoundError, AccessDeniedError, requests.ConnectionError)


def is_fatal(error: Exception) -> bool:
    """Tell whether every other batch would fail as well."""
    return isinstance(error, _FATAL)


def failed(
    failures: list[tuple[list[Any], Exception]],
    lost: list[list[Any]],
    stored: int,
    all_read: bool,
    what: str,
    where: str,
) -> Exception:
    """Return the error that says what was stored and what was not.

    Parameters
    ----------
    failures : list of (list, Exception)
        Names of what was in each batch that failed, and why.
    lost : list of list
        Of these batches those whose answer was lost.
    stored : int
        Number of documents that were stored.
    all_read : bool
        False if the source was given up.
    what, where : str
        What documents are called, and what they were to be stored in.

    Returns
    -------
    ImportFailedError
        Where the server could not be reached, the error of requests with the same attributes.
    """
    names, first = failures[0]
    shown = ", ".join(map(_name, names[:3])) + (" ..." if len(names) > 3 else "")
    unknown = [name for batch in lost for name in batch]
    count = sum(len(batch) for batch, _ in failures) - len(unknown)
    said = []
    if count:
        said.append(
            f"{count} {what} in {_batches(len(failures) - len(lost))} were not stored in {where} ({stored} were)."
        )
    if unknown:
        said.append(
            f"Of {len(unknown)} {what} in {_batches(len(lost))} it is unknown whether they are stored in {where}, "
            f"because the answer was lost" + ("." if count else f" ({stored} others were stored).")
        )
    summary = f"{' '.join(said)} First batch that failed: {shown}. The reason: {first}"
    if not all_read:
        summary += "\nWhat comes after them was neither read nor sent."
    if isinstance(first, requests.RequestException):
        # a server that cannot be reached is never a RenderError
        error: Exception = type(first)(summary)
        error.__dict__.update({**first.__dict__, "failures": failures, "stored": stored, "unknown": unknown})
        return error
    return ImportFailedError(
        summary,
        failures=failures,
        stored=stored,
        unknown=unknown,
        method=getattr(first, "method", None),
        url=getattr(first, "url", None),
        status_code=getattr(first, "status_code", None),
        server_text=getattr(first, "server_text", None),
    )


def _name(name: str | Iterable[Iterable[str]]) -> str:
    """Return how a message calls a tile, or a pair of two tiles that are named by group and id."""
    return name if isinstance(name, str) else " to ".join("/".join(tile) for tile in name)


def _batches(count: int) -> str:
    return f"{count} batch{'es' * (count > 1)}"
