"""Axes to draw into, and a grid of tiles with matches."""

import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from renderapi.transform import AffineModel

SIDE, STEP = 100, 90


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


def tile(row, column, **more):
    """Return a tile of a grid, as a document."""
    shift = AffineModel(B0=column * STEP, B1=row * STEP)
    return {
        "tileId": f"r{row}c{column}", "z": 3.0, "width": SIDE, "height": SIDE,
        "layout": {"sectionId": "3.0", "stageX": 10.0 * column, "camera": f"cam{column % 2}"},
        "transforms": {"type": "list", "specList": [shift.to_dict()]}, **more,
    }  # fmt: skip


@pytest.fixture
def tiles():
    """Return 2 x 3 tiles of 100 pixels, 90 apart."""
    return [tile(row, column) for row in range(2) for column in range(3)]


@pytest.fixture
def match():
    """Return a match of the first two tiles, whose ends are 3 pixels apart along y."""
    return {
        "pGroupId": "3.0", "pId": "r0c0", "qGroupId": "3.0", "qId": "r0c1",
        "matches": {"p": [[95, 97], [10, 50]], "q": [[5, 7], [13, 53]], "w": [1.0, 0.5]},
    }  # fmt: skip
