"""The figures of a real montage in the docs are those that the program beside the benchmarks computes."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from renderapi.geometry import residual_statistics
from renderapi.transform import AffineModel, NonLinearCoordinateTransform

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
TILES, MATCHES = DATA / "montage_raw_tilespecs.json", DATA / "montage_pointmatches.json"

pytestmark = pytest.mark.skipif(not TILES.exists(), reason="the montage is not part of the project")


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("montage", ROOT / "benchmarks" / "montage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def montage(program):
    return program.read(TILES, MATCHES)


def shown(title):
    """Give the rows of the table under a title of the page: name, and numbers."""
    page = (ROOT / "docs" / "measurements.rst").read_text()
    table = page[page.index(f"{title}\n---") :].split("\n=")[1:3]
    rows = [re.split(r"\s{2,}", line.strip()) for line in "\n".join(table).splitlines()]
    return {
        row[0]: [float(cell) for cell in row[1:]] for row in rows if len(row) == 4 and row[1][0].isdigit()
    }


def test_the_residuals_in_the_docs(program, montage):
    figures = program.figures(*montage)
    rows = shown("A real montage")
    assert list(rows) == [name for name, *_ in figures]
    for name, *numbers in figures:
        np.testing.assert_allclose(rows[name], numbers, atol=0.0051, err_msg=name)


def test_points_of_the_matches_are_pixels_after_the_lens_correction(program, montage):
    tiles, matches = montage
    assert all(
        [type(t) for t in tile.tforms] == [NonLinearCoordinateTransform, AffineModel] for tile in tiles
    )
    corrected = program.residuals(matches, tiles)
    # corrected a second time they fit far worse
    twice = program.match_residuals(matches, tiles)
    rms = [
        residual_statistics(program.by_pair(program.MODELS["rigid"], ends, len(matches))).rms[0]
        for ends in (corrected, twice)
    ]
    assert rms[0] < 4 < 10 < rms[1]
    assert len(corrected.p) == 2366
