"""Pools of processes and threads for the ``mpPool=`` of the bulk functions.

`stdlib_pool` has those of the standard library, `pool_pathos` that of pathos (not required).
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["pool_pathos", "stdlib_pool"]


def __getattr__(name: str) -> ModuleType:
    # multiprocessing.pool is slow to import, and most programs never make a pool
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
