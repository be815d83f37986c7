"""The tests themselves: however and wherever they are started."""

import importlib.metadata
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
TIMEOUT = 120


def run_tests(*words, ignored=False):
    """Run tests as a shell does in the background (SIGINT ignored), or as in the foreground."""
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " if ignored else ""
    code = f"{ignore}import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", *words],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip


def test_tests_of_ctrl_c_pass_where_the_shell_ignores_it():
    test = "tests/test_parallel.py::test_ctrl_c_is_noticed_while_results_are_awaited"
    done = run_tests(test, ignored=True)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inside", "words", "shared"), [(False, (), True), (True, (), False), (False, ("--cov",), False)]
)
def test_a_whole_run_is_shared_out_but_by_none_of_its_own_processes(
    inside, words, shared, monkeypatch, tmp_path
):
    for plugin in ("xdist", "pytest_cov"):
        pytest.importorskip(plugin)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("COVERAGE_FILE", str(tmp_path / "coverage"))
    if inside:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    done = run_tests("-o", "testpaths=tests/test_numeric_ids.py", *words)
    assert done.returncode == 0, done.stdout
    assert ("bringing up nodes" in done.stdout) is (shared and (os.cpu_count() or 1) > 1)


def test_properties_have_no_deadline():
    hypothesis = pytest.importorskip("hypothesis")
    assert hypothesis.settings().deadline is None


def test_the_plugin_loads_nothing_until_its_fixture_is_used(tmp_path):
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(
            """
            import sys

            def test_before():
                assert not {"renderapi", "numpy", "requests", "flask"} & set(sys.modules)

            def test_the_fixture(render_server):
                import renderapi

                render = render_server.connect("o", "p")
                assert renderapi.render.get_owners(render=render) == []
            """
        )
    )
    [entry] = importlib.metadata.entry_points(group="pytest11", name="renderapi")
    assert entry.value == "pytest_renderapi"
    # other plugins that happen to be installed may load anything
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", entry.value, str(tmp_path)],
        cwd=tmp_path, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_no_two_files_of_the_tests_have_one_name():
    # they are imported by their names alone
    names = [path.name for path in (CHECKOUT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
