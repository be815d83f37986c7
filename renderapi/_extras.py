"""What to do where an optional dependency is missing: said in the same words everywhere."""

from __future__ import annotations

from typing import Any

__all__ = ["arrow", "install_line"]


def arrow(what: str, instead: str = "") -> Any:
    """Return pyarrow, or say how to install it, and what does without."""
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError as error:
        raise ImportError(f"{what}: {install_line('tables')}{instead}") from error
    return pyarrow


def install_line(extra: str) -> str:
    """Return the command that installs an optional dependency of this package.

    Examples
    --------
    >>> install_line("server")
    'pip install "render-python[server]>=3"'
    """
    # the bound keeps pip from render-python 2 on an index that has no later one; where this version is
    # installed, from wherever it came, pip keeps it and adds what the extra lacks
    return f'pip install "render-python[{extra}]>=3"'
