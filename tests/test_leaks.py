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


@pytest.fixture
def judged(pytester):
    pytester.makeconftest(
        f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nimport leaks\nleaks.PATIENCE = 0.2\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(leaks.Leaks())\n"
    )

    def run(body):
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        pytester.makepyfile(f"kept = []\ndef test_first():\n{lines}\ndef test_last():\n    pass\n")
        return pytester.runpytest_subprocess("-p", "no:renderapi")

    return run


@pytest.mark.parametrize("kind", LEAKS)
def test_what_is_left_behind_fails_the_last_test_of_its_module(judged, kind):
    result = judged(LEAKS[kind])
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_last*", f"left behind by *{kind}*"])


def test_what_was_cleaned_up_is_no_leak(judged):
    judged(
        "import threading\nthread = threading.Thread(target=print)\nthread.start()\nthread.join()\n"
        "with open('closed.txt', 'w'):\n    pass"
    ).assert_outcomes(passed=2)
