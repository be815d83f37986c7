"""Each notebook of ``examples/`` runs from its first cell to its last, and comes out as it should."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
NOTEBOOKS = sorted((HOME / "examples").glob("*.ipynb"))
#: What is printed, and how many pictures are shown.
SHOWN = {
    "tutorial.ipynb": (r"12 tiles\n.*1_0_1 .*and back: \[700, 500\]\n.*pixels: 702 927\n", 1),
    "own_images_to_aligned_section.ipynb": (r"4 tiles in 1 layer\n.*4 of 4 pairs connected", 2),
    "point_matches.ipynb": (
        r"4 of 4 pairs connected .*\n4 tiles, 4 pairs, .*residual \d+\.\d+ -> 0\.\d+ px",
        2,
    ),
}
# in an interpreter of its own: a kernel leaves threads and sockets behind
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=400, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(notebook, tmp_path):
    done = tmp_path / notebook.name
    subprocess.run(
        [sys.executable, "-c", RUN, notebook, done],
        cwd=tmp_path,
        check=True,
        timeout=600,
        capture_output=True,
    )
    outputs = [output for cell in json.loads(done.read_text())["cells"] for output in cell.get("outputs", ())]
    printed = "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")
    text, pictures = SHOWN[notebook.name]
    assert re.search(text, printed, re.DOTALL), printed
    assert sum("image/png" in output.get("data", ()) for output in outputs) == pictures


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_what_it_printed_and_named_in_the_docs(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert notebook.name in SHOWN
    assert f"examples/{notebook.name}" in (HOME / "docs" / "examples.rst").read_text(encoding="utf-8")
