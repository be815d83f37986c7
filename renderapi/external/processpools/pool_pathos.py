"""The process pool of pathos, whose dill pickles what the standard library cannot (lambdas, closures).

pathos is not required: this module can be imported without it, making a pool cannot.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["PathosWithPool"]


class PathosWithPool:
    """Processes of pathos that a ``with`` block closes and waits for.

    Everything that `pathos.multiprocessing.ProcessPool` has is there (``map``, ``imap``, ``amap``, ...).

    Parameters
    ----------
    *args, **kwargs
        Those of `pathos.multiprocessing.ProcessPool`; first the number of processes.

    Raises
    ------
    ImportError
        pathos is not installed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            pathos = import_module("pathos.multiprocessing")
        except ImportError as error:
            raise ImportError("PathosWithPool needs pathos: pip install pathos") from error
        self._pool = pathos.ProcessPool(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_pool":
            raise AttributeError(name)
        return getattr(self._pool, name)

    def __enter__(self) -> PathosWithPool:
        return self

    def __exit__(self, *args: Any, **kwargs: Any) -> None:
        if args and args[0] is not None:
            self._pool.terminate()
        else:
            self._pool.close()
        self._pool.join()
        # pathos keeps pools by their size: without this the next one would be this one, closed
        self._pool.clear()
