"""The compiled painter against that in plain numpy, on thousands of requests, with every index checked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

_FUZZ = """
import sys
import numpy as np
from renderapi.rendering import _compiled, _numpy
from renderapi.rendering._warp import Triangles

seed, count = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(seed)
painted = 0
SPECIAL = [0.0, -0.0, 0.5, 1e-300, 1e18, -1e18, 1e300, np.nan, np.inf, -np.inf]


def numbers(*shape):
    kind = rng.integers(3)
    scale = [3.0, 12.0, 40.0][kind]
    values = rng.uniform(-scale, scale, shape)
    if rng.random() < 0.3:
        values = np.rint(values)
    odd = rng.random(shape) < rng.choice([0.0, 0.0, 0.05])
    values[odd] = rng.choice(SPECIAL, odd.sum())
    return values


def equal(a, b):
    assert np.array_equal(a, b), (seed, number)


def check_fits():
    vertices, mapped = numbers(9, 2), numbers(9, 2)
    if rng.random() < 0.3:
        vertices[:, rng.integers(2)] = 0.0  # on a line
    meshes = rng.integers(0, 9, (3, 8))
    with np.errstate(all="ignore"):
        reference, fast = (brush.fit_triangles(vertices, meshes, mapped, (9, 7)) for brush in (_numpy, _compiled))
        ones = [brush.affine(vertices, mapped) for brush in (_numpy, _compiled)]
    # the sign of a zero is no difference, but what is divided by it is not painted
    reference, fast = (fit._replace(inverse=fit.inverse[fit.det != 0]) for fit in (reference, fast))
    for a, b in (*zip(reference, fast), ones):
        assert np.array_equal(a, b, equal_nan=True), (seed, number)


for number in range(count):
    check_fits()
    dtype = [np.uint8, np.uint16][rng.integers(2)]
    planes = 3 if dtype == np.uint8 and rng.random() < 0.3 else 1
    size, shape = rng.integers(1, 14, 2), rng.integers(0, 12, 2)
    top = np.iinfo(dtype).max
    source = rng.integers(0, top, (planes, *shape), dtype, endpoint=True)
    mask = None if rng.random() < 0.3 else rng.choice(np.array([0, 1, 128, 254, 255], np.uint8), shape)
    corners, inverse = numbers(rng.integers(0, 5), 6), None
    inverse = numbers(len(corners), 6)
    if rng.random() < 0.3:  # moved by whole pixels
        inverse[:] = [1, 0, rng.integers(-3, 9), 0, 1, rng.integers(-3, 9)]
    triangles = Triangles(corners, inverse, bool(rng.integers(2)))
    canvas = rng.choice([0, 1, top], (planes, *size)).astype(dtype)
    alpha = rng.choice(np.array([0, 7, 255], np.uint8), size)
    nearest, over = bool(rng.integers(2)), bool(rng.integers(2))
    for way in range(3):
        results = []
        for brush in (_numpy, _compiled):
            c, a = canvas.copy(), alpha.copy()
            if way == 0:
                brush.paint(c, source, triangles, nearest)
            elif way == 1:
                brush.paint_with_mask(c, a, source, mask, triangles, nearest, over)
            else:
                brush.paint_with_binary_mask(c, a, source, mask, triangles, nearest)
            results.append((c, a))
        equal(results[0][0], results[1][0])
        equal(results[0][1], results[1][1])
        painted += not np.array_equal(results[0][0], canvas)
if sys.argv[3] == "1":  # that bounds are checked at all
    inside, nothing = np.array([[0.0, 0, 9, 0, 0, 9]]), np.zeros((0, 0), np.uint8)
    try:
        _compiled._paint(np.zeros((9, 9), np.uint8), nothing, inside, np.eye(2, 3).reshape(1, 6), False, True)
    except IndexError:
        pass
    else:
        raise AssertionError("no check of bounds")
assert _compiled._paint.signatures and painted > count / 4, painted
print("painted", painted)
"""


def _fuzz(folder: Path, count: int, checked: str) -> None:
    # compiled code that is kept knows nothing of the check of bounds: a folder of its own
    environment = os.environ | {"NUMBA_BOUNDSCHECK": checked}
    if checked == "1":
        environment["NUMBA_CACHE_DIR"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-c", _FUZZ, "1", str(count), checked],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("painted")


def test_both_painters_agree_on_odd_triangles(tmp_path):
    _fuzz(tmp_path, 300, "0")


@pytest.mark.slow
def test_both_painters_agree_with_every_index_checked(tmp_path):
    _fuzz(tmp_path, 10_000, "1")
