"""What is wrong with what a client sends or asks for, in the words of render-ws.

Which statuses the answers get is a matter of `renderapi.server.endpoints.refusals`.
"""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 (one of the kinds below, or an answer)
    """What is not done, and why.

    Parameters
    ----------
    message : str
        What render-ws says of it.
    late : bool
        Whether render-ws finds it only after it has looked for the stack or collection, not while it reads.
    """

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.late = late


class InvalidError(Problem):
    """What is sent or asked for is wrong."""


class MissingError(Problem):
    """What is asked for is not there."""


class FailedError(Problem):
    """Render-ws does not look for it and fails, or says that it failed."""
