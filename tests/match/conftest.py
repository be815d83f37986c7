import sys
from pathlib import Path

import pytest
from stage_montage import make_montage

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def montage(tmp_path_factory):
    """Make 3 x 3 tiles of tissue that overlap, where the stage was not quite where it should be."""
    return make_montage(tmp_path_factory.mktemp("montage"), 3, 300, 230, 12)
