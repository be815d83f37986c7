"""Modules of tests that leave something behind are found."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")

LEAKS = {
    "threads": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
    "processes": "import subprocess, sys\n"
    "kept.append(subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE))",
    "files": "kept.append(open('left.txt', 'w'))",
}


CLEAN = (
    "import threading\nthread = threading.Thread(target=print)\nthread.start()\nthread.join()\n"
    "with open('closed.txt', 'w'):\n    pass"
)


def test_what_is_left_behind_fails_the_last_test_of_its_module_and_what_was_cleaned_up_does_not(pytester):
    # each is a module of one run: an interpreter that starts costs more than all of them
    pytester.makeconftest(
        f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nimport leaks\nleaks.PATIENCE = 0.2\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(leaks.Leaks())\n"
    )
    for kind, body in {**LEAKS, "clean": CLEAN}.items():
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        test = f"kept = []\ndef test_first():\n{lines}\ndef test_last():\n    pass\n"
        pytester.makepyfile(**{f"test_{kind}": test})
    result = pytester.runpytest_subprocess("-v", "-p", "no:renderapi", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2 * len(LEAKS) + 2, errors=len(LEAKS))
    for kind in LEAKS:
        result.stdout.fnmatch_lines([f"test_{kind}.py::test_last ERROR*"])
        result.stdout.fnmatch_lines([f"left behind by *{kind}*"])
