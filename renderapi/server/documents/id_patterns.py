"""Patterns that clients send to choose tiles by their ids."""

from __future__ import annotations

import time

from renderapi._patterns import SECONDS, compiled
from renderapi.server.documents.problems import InvalidError


class IdPattern:
    """A regular expression that a client sends to choose tiles by their ids.

    Parameters
    ----------
    name : str
        What messages call it.
    text : str
        The expression.

    Raises
    ------
    InvalidError
        For one that this server does not take.
    """

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        try:
            self._find = compiled(text).search
        except ValueError as problem:
            raise InvalidError(
                f"{name} '{text:.100}' is no regular expression that this server takes: {problem}"
            ) from None

    def search(self, ids: list[str]) -> list[str]:
        """Return the ids that contain a match; refuse an expression that takes too long."""
        end = time.monotonic() + SECONDS
        found = []
        for tile_id in ids:
            try:
                if time.monotonic() > end:
                    raise TimeoutError
                if self._find(tile_id):
                    found.append(tile_id)
            except TimeoutError:
                raise InvalidError(
                    f"{self._name} takes too long: more than {SECONDS:g} s for {len(ids):,} ids"
                ) from None
        return found
