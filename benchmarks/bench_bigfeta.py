"""Solving against BigFeta, in one run: ``python benchmarks/bench_bigfeta.py PYTHON TILES MATCHES [MODEL [THROUGH]]``.

PYTHON is that of an environment with BigFeta (``pip install bigfeta``; it needs marshmallow 2), TILES a JSON list of
tile specs of one section, MATCHES one of match documents, MODEL affine or polynomial2, THROUGH how many transforms of
their tile the points of matches have gone through. Both read and write files; what they load of libraries does not
count, and seconds are those of the processor. Residuals are root mean squares over all matches, without robust weights,
divided by the mean scale of the tiles, because smaller tiles have smaller residuals. *Equal priors* are those of
BigFeta (``default_lambda`` 1000 for coefficients of pixels) in parts of the mean weight of a tile.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from renderapi import _json
from renderapi.geometry import match_residuals, points_to_world
from renderapi.solve import solve_matches

LAMBDA, OF_SHIFTS = 1000.0, 1e-5
_THEIRS = """
import json, resource, sys
from bigfeta.bigfeta import BigFeta
def cpu():
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
began = cpu()
BigFeta(input_data=json.load(open(sys.argv[1])), args=[]).run()
print("seconds", cpu() - began)
"""


def theirs(
    python: str, tiles: list[Any], matches: list[Any], model: str, home: Path
) -> tuple[list[Any], float]:
    """Solve with BigFeta; return tile specs and seconds."""
    resolved = {
        "tileIdToSpecMap": {tile["tileId"]: tile for tile in tiles}, "transformIdToSpecMap": {},
        "tileCount": len(tiles), "transformCount": 0,
    }  # fmt: skip
    (home / "tiles.json").write_text(json.dumps(resolved))
    (home / "matches.json").write_text(json.dumps(matches))
    common = {
        "owner": "o",
        "project": "p",
        "host": "h",
        "port": 1,
        "db_interface": "file",
        "client_scripts": "",
    }
    (home / "call.json").write_text(json.dumps({
        "first_section": int(tiles[0]["z"]), "last_section": int(tiles[0]["z"]), "n_parallel_jobs": 1,
        "solve_type": "montage", "close_stack": False, "output_mode": "stack", "log_level": "ERROR", "poly_order": 2,
        "transformation": "AffineModel" if model == "affine" else "Polynomial2DTransform",
        "input_stack": {**common, "name": "i", "input_file": str(home / "tiles.json")},
        "pointmatch": {**common, "name": "m", "input_file": str(home / "matches.json")},
        "output_stack": {**common, "name": "o", "output_file": str(home / "out.json"), "compress_output": False},
        "matrix_assembly": {"depth": [0], "npts_min": 3, "npts_max": 10**6},
        "regularization": {"default_lambda": LAMBDA, "translation_factor": OF_SHIFTS},
        "solve_implementation": "scipy",
    }))  # fmt: skip
    (home / "call.py").write_text(_THEIRS)
    ran = subprocess.run(
        [str(Path(python).absolute()), str(home / "call.py"), str(home / "call.json")],
        capture_output=True, text=True, check=True, cwd=home, timeout=3600,
    )  # fmt: skip
    solved = json.loads((home / "out.json").read_text())["tileIdToSpecMap"]
    return [solved[tile["tileId"]] for tile in tiles], float(ran.stdout.split()[-1])


def ours(home: Path, model: str, through: int, prior: Any) -> tuple[list[Any], float]:
    """Solve the same files; return tile specs and seconds."""
    began = time.process_time()
    tiles = list(_json.loads((home / "tiles.json").read_bytes())["tileIdToSpecMap"].values())
    matches = _json.loads((home / "matches.json").read_bytes())
    solution = solve_matches(tiles, matches, model, points=through, robust=None, prior=prior)
    solved = {tile["tileId"]: tile for tile in solution.tilespecs()}
    (home / "ours.json").write_text(json.dumps(solved))
    return [solved[tile["tileId"]] for tile in tiles], time.process_time() - began


def mean_scale(tiles: list[Any]) -> float:
    """Return by how much tiles are larger in the world, in their centres."""
    width, height, n = tiles[0]["width"], tiles[0]["height"], len(tiles)
    points = np.array([[width, height]]) / 2 + 10 * np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
    world = points_to_world(tiles, np.repeat(np.arange(n), 4), np.tile(points, (n, 1))).reshape(n, 4, 2)
    return float(np.hypot(*np.moveaxis(world[:, 1::2] - world[:, ::2], -1, 0)).mean() / 20)


def main(python: str, tiles_file: str, matches_file: str, model: str = "affine", through: int = 0) -> None:
    """Solve with both, and print residuals and seconds."""
    tiles, matches = (json.loads(Path(name).read_text()) for name in (tiles_file, matches_file))
    matched = [
        {**tile, "transforms": {"type": "list", "specList": tile["transforms"]["specList"][:through]}}
        for tile in tiles
    ]
    weight = 2 * sum(len(match["matches"]["w"]) for match in matches) / len(tiles)
    half = max(tiles[0]["width"], tiles[0]["height"]) / 2
    equal = {"translation": LAMBDA * OF_SHIFTS / weight} | {
        name: LAMBDA / weight / half ** (2 * degree) for degree, name in enumerate(("linear", "quadratic"), 1)
    }
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        solved = {"BigFeta": theirs(python, tiles, matches, model, home)}
        ours(home, model, through, None)  # what is loaded with the first one does not count
        solved["here"] = ours(home, model, through, None)
        solved["here, equal priors"] = ours(home, model, through, equal)
    before = mean_scale(tiles)
    for name, (found, seconds) in solved.items():
        distances = match_residuals(matches, found, matched=matched).distances
        rms, scale = float(np.sqrt((distances**2).mean())), mean_scale(found) / before
        print(f"{name}: residual {rms / scale:.4f} px (scale {scale:.4f}), {seconds:.3f} s")


if __name__ == "__main__":
    main(*[int(word) if word.isdigit() else word for word in sys.argv[1:]])  # type: ignore[arg-type]
