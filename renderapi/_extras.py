"""What to do where an optional dependency is missing: said in the same words everywhere."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["arrow", "install_line", "sparse"]


def arrow(what: str, instead: str = "") -> Any:
    """Return pyarrow, or say how to install it, and what does without."""
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError as error:
        raise ImportError(f"{what}: {install_line('tables')}{instead}") from error
    return pyarrow


def sparse(part: str) -> Any:
    """Return a module of scipy that the solver needs, or say how to install it.

    Examples
    --------
    >>> sparse("sparse.linalg").splu.__name__
    'splu'
    """
    try:
        return importlib.import_module(f"scipy.{part}")
    except ImportError as error:
        raise ImportError(f"solving needs scipy: {install_line('solve')}") from error


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
