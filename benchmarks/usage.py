"""What a process has used (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

from renderapi.server.http.process import ServerProcess


def cpu_seconds(server: ServerProcess | None = None) -> float:
    """Return the processor time of a server, or of this process, with that of the kernel for it."""
    fields = Path(f"/proc/{_name(server)}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(server: ServerProcess | None = None) -> float:
    """Return the most memory that a server, or this process, ever had, in MB; NaN where nobody says."""
    try:
        status = Path(f"/proc/{_name(server)}/status").read_text()
    except OSError:
        return float("nan")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _name(server: ServerProcess | None) -> int | str:
    return "self" if server is None else server._process.pid
