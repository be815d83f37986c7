"""render-python 2.4.2 in an environment of its own, to measure against; it is never imported beside ours."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import venv
from pathlib import Path

VERSION = "2.4.2"
_HOME = Path(__file__).resolve().parent / ".peer"


def python() -> str:
    """Return the interpreter of the peer: ``PEER_PYTHON``, or one made here at the first time."""
    if os.environ.get("PEER_PYTHON"):
        return os.environ["PEER_PYTHON"]
    interpreter = _HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not interpreter.exists():
        print(f"installing render-python {VERSION} into {_HOME} ...", file=sys.stderr)
        venv.create(_HOME, with_pip=True)
        subprocess.run([interpreter, "-m", "pip", "install", "-q", f"render-python=={VERSION}"], check=True)
    return str(interpreter)


_HARNESS = """
import json, time, statistics, sys

def timed(f, repeat=5):
    times = []
    for _ in range(repeat):
        start = time.process_time()  # what else runs on the machine does not count
        f()
        times.append(time.process_time() - start)
    return statistics.median(times)

report = {}
"""


def run(interpreter: str, code: str, timeout: float = 900) -> dict[str, float]:
    """Run code in an interpreter and give what it put into ``report``; ``timed(f)`` gives median seconds."""
    script = _HARNESS + textwrap.dedent(code) + "\nprint('REPORT' + json.dumps(report))\n"
    with tempfile.TemporaryDirectory() as elsewhere:  # not here: the checkout must not be on the path
        path = Path(elsewhere) / "benchmark.py"
        path.write_text(script)
        done = subprocess.run(
            [interpreter, "-W", "ignore", str(path)],
            capture_output=True, text=True, timeout=timeout, cwd=elsewhere,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"a benchmark failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.rpartition("REPORT")[2])


def both(code: str, ours: str = "", theirs: str = "", rounds: int = 3) -> tuple[dict, dict]:
    """Run code in both environments, in turn, and give the median of each number.

    `ours` and `theirs` stand in front of the code that both run.
    """
    reports: tuple[list, list] = ([], [])
    for _ in range(rounds):
        reports[0].append(run(sys.executable, textwrap.dedent(ours) + textwrap.dedent(code)))
        reports[1].append(run(python(), textwrap.dedent(theirs) + textwrap.dedent(code)))
    return tuple({name: statistics.median(r[name] for r in group) for name in group[0]} for group in reports)  # type: ignore[return-value]


def table(rows: list[tuple[str, str, str, str, str]]) -> None:
    """Print rows of what, ours, theirs, ratio, wanted."""
    head = ("", "ours", "2.4.2", "ratio", "wanted")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(5)]
    for row in [head, *rows]:
        cells = [f"{row[0]:<{widths[0]}}", *(f"{cell:>{w}}" for cell, w in zip(row[1:], widths[1:]))]
        print("  ".join(cells))


def ratio_row(what: str, ours: float, theirs: float, wanted: str) -> tuple[str, str, str, str, str]:
    """Make a row of seconds."""
    return what, seconds(ours), seconds(theirs), f"{theirs / ours:.1f}x", wanted


def seconds(value: float) -> str:
    """Write a time."""
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"
