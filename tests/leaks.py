"""A plugin that fails the last test of a module where threads, child processes, files or connections are left open.

What is there before the first test of a module must be all that is there after its last one, when the fixtures of
the module are gone. Things that go a moment later are waited for.
"""

import gc
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

#: Seconds that what was told to stop has for it.
PATIENCE = 5
#: What starts once and stays as long as the process, whoever uses it first.
STAYING = ("tqdm_monitor", "zarr_io", "fsspecIO", "asyncio_", "Dask-Offload")
#: pytest itself exchanges these.
CAPTURED = ("0", "1", "2")
STAYING_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


def _threads():
    return {
        thread
        for thread in threading.enumerate()
        if thread.is_alive() and not thread.name.startswith(STAYING)
    }


def _processes():
    own = str(os.getpid())
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if parent == own and not any(name in words for name in STAYING_PROCESSES):
            found.add(f"{folder.name} {words}")
    return found


def _connections():
    lines = []
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            lines += Path("/proc/self/net", table).read_text().splitlines()[1:]
    return {f"socket:[{line.split()[9]}]" for line in lines}


def _files():
    connections, found = _connections(), set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = str(entry.readlink())
            # pipes and pairs of sockets belong to threads and processes, which are seen themselves
            if entry.name in CAPTURED:
                continue
            # fonts, which matplotlib keeps open
            if "/mpl-data/fonts/" in target:
                continue
            if target in connections or (target.startswith("/") and not target.startswith(("/dev", "/proc"))):
                found.add(f"{entry.name} {target}")
    return found


def _here():
    return {"threads": _threads(), "processes": _processes(), "files": _files()}


class Leaks:
    """Compares what is there before and after the tests of a module."""

    def __init__(self):
        self.module = None
        self.before = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        if item.path != self.module:
            self.module, self.before = item.path, _here()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item, nextitem):
        result = yield
        if nextitem is None or nextitem.path != item.path:
            getattr(item, "funcargs", {}).clear()  # pytest lets go of them only afterwards
            end = time.monotonic() + PATIENCE
            while (left := self._left()) and time.monotonic() < end:
                gc.collect()
                time.sleep(0.05)
            if left:
                pytest.fail(f"left behind by {item.path.name}: {left}", pytrace=False)
        return result

    def _left(self):
        after = _here()
        return {kind: sorted(map(str, new)) for kind in after if (new := after[kind] - self.before[kind])}
