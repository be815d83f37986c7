"""Pools of the standard library that a ``with`` block closes and waits for."""

from __future__ import annotations

from multiprocessing.pool import Pool, ThreadPool
from typing import Any

__all__ = ["WithDummyMapPool", "WithMultiprocessingPool", "WithThreadPool"]


def _leave(pool: Pool, failed: bool) -> None:
    """End a pool: let it finish its work, or stop it when the block failed; nothing is left behind."""
    if failed:
        pool.terminate()
    else:
        pool.close()
    pool.join()


class WithMultiprocessingPool(Pool):
    """Processes: a `multiprocessing.pool.Pool` whose ``with`` block waits for its work.

    `multiprocessing` ends the processes at the end of a block at once; here they are closed and joined, so
    that work handed over with ``map_async`` is done. A block that is left by an exception ends them.

    Parameters
    ----------
    *args, **kwargs
        Those of `multiprocessing.pool.Pool`; first the number of processes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def __enter__(self) -> WithMultiprocessingPool:
        super().__enter__()
        return self

    def __exit__(self, *args: Any, **kwargs: Any) -> None:
        _leave(self, failed=bool(args) and args[0] is not None)


class WithThreadPool(ThreadPool):
    """Threads: a `multiprocessing.pool.ThreadPool` whose ``with`` block waits for its work.

    Parameters
    ----------
    *args, **kwargs
        Those of `multiprocessing.pool.ThreadPool`; first the number of threads.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def __enter__(self) -> WithThreadPool:
        super().__enter__()
        return self

    def __exit__(self, *args: Any, **kwargs: Any) -> None:
        _leave(self, failed=bool(args) and args[0] is not None)


class WithDummyMapPool:
    """No pool at all: ``map`` does the work here and now, for debugging and for pools inside pools."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> WithDummyMapPool:
        return self

    def __exit__(self, *args: Any, **kwargs: Any) -> None:
        pass

    @staticmethod
    def map(*args: Any, **kwargs: Any) -> list[Any]:
        """Apply a function to the items of an iterable (or of several, side by side), as a list.

        ``chunksize=`` is accepted, because pools take it, and has no effect.
        """
        kwargs.pop("chunksize", None)
        return list(map(*args, **kwargs))

    def close(self) -> None:
        """Do nothing, as there is nothing to close."""

    def join(self) -> None:
        """Do nothing: all work is done already."""

    def terminate(self) -> None:
        """Do nothing: no work is under way."""
