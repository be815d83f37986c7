"""Files and folders that are there as a whole or not at all, whatever ends the program that writes them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def _ended_in_order() -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Let SIGTERM, where nobody else handles it, end the program with its clean-up instead of at once.

    The block gets two functions. Once the first was called, SIGTERM waits for the end of the block; the second ends the
    program if there was a SIGTERM whose exception got lost, as it does where it meets a finalizer.
    """
    import signal

    waits = False
    came: list[int] = []

    def hold() -> None:
        nonlocal waits
        waits = True

    def end(number: int, frame: Any) -> None:
        came.append(number)
        if not waits:
            hold()  # a second one does not break off the clean-up
            raise SystemExit(128 + number)

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if ours:
        signal.signal(signal.SIGTERM, end)

    def check() -> None:
        if came:
            raise SystemExit(128 + came[0])

    try:
        yield hold, check
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        check()


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file or folder under a temporary name beside it, which replaces it when the block ends well.

    After an error, Ctrl-C or SIGTERM nothing is left of it, and what was there before stays.

    Parameters
    ----------
    path : path
        The file or folder.

    Yields
    ------
    Path
        The temporary name, in the same folder.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}.part")
    old = temporary.with_suffix(".old")
    with _ended_in_order() as (hold, check):
        try:
            yield temporary
            check()
            hold()
            if temporary.is_dir() and target.is_dir():
                target.rename(old)
                temporary.rename(target)
                shutil.rmtree(old)
            else:
                temporary.replace(target)
        except BaseException:
            hold()
            if old.is_dir() and not target.exists():
                old.rename(target)
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
            raise
