"""Functions compiled by numba, which this module loads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function when it is first called; it lets other threads run, and is kept for later processes."""
    # No fastmath: a fused multiply-add has another last bit. Errors as in numpy: 1 / 0 is infinite.
    compiler: Any = partial(numba.njit, nogil=True, error_model="numpy")
    try:
        return compiler(cache=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # there is no folder to keep the compiled code in
        return compiler()(function)  # type: ignore[no-any-return]
