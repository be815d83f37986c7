"""The statement of the documentation about the answers of the original: every file, every case."""

import gzip
import json
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
GOLDEN = TESTS / "data" / "golden"
PAGE = TESTS.parent / "docs" / "golden.rst"
# recorded from programs, or made to the description of a format: not from Java
NOT_JAVA = {"requests.json", "serialem/expected.json"}
ROW = re.compile(r"^   \* - (\S+\.json(?:\.gz)?)\n     - (\d+)\n     - (\d+)\n     - (\S+)$", re.MULTILINE)
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "count", "refused", "module"), ROWS, ids=[row[0] for row in ROWS])
def test_a_file_of_answers_has_what_the_statement_says(name, count, refused, module):
    content = (GOLDEN / name).read_bytes()
    document = json.loads(gzip.decompress(content) if name.endswith(".gz") else content)
    cases = document.get("cases", document) if isinstance(document, dict) else document
    assert len(cases) == int(count)
    values = cases.values() if isinstance(cases, dict) else cases
    assert sum("error" in case for case in values if isinstance(case, dict)) == int(refused)
    # the tests that compare it read it
    stem = Path(name).name.split(".")[0]
    assert stem in (TESTS / module).read_text(encoding="utf-8")


def test_the_statement_has_every_file():
    files = {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*.json*")}
    assert {row[0] for row in ROWS} == files - NOT_JAVA
