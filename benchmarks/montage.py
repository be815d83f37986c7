"""Residuals of a real montage: as acquired, and after fitting models to its point matches.

    python montage.py TILES.json MATCHES.json

The files hold a JSON list of TileSpec documents and one of match documents. Every tile has a lens correction
and then its place on the stage; points of matches are pixels after the lens correction.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from renderapi.geometry import match_residuals, residual_statistics
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, RigidModel, TranslationModel

MODELS = {"translation": TranslationModel, "rigid": RigidModel, "affine": AffineModel}
#: Rounds in which every tile but the middle one is fitted to its neighbours.
ROUNDS = 1000


def placed(tiles: list[TileSpec], models: list[Any]) -> list[TileSpec]:
    """Return tiles with models in place of what follows the lens correction."""
    return [
        TileSpec(tileId=t.tileId, z=t.z, width=t.width, height=t.height, tforms=[t.tforms[0], model])
        for t, model in zip(tiles, models)
    ]


def residuals(matches: list[dict[str, Any]], tiles: list[TileSpec]) -> Any:
    """Map the points of matches to the world."""
    lens = [
        TileSpec(tileId=t.tileId, z=t.z, width=t.width, height=t.height, tforms=[t.tforms[0]]) for t in tiles
    ]
    return match_residuals(matches, tiles, matched=lens)


def by_pair(kind: Any, ends: Any, pairs: int) -> np.ndarray[Any, Any]:
    """Fit a model to each pair of tiles on its own, and give what it leaves of each match."""
    left = np.empty(len(ends.p))
    for document in range(pairs):
        of = ends.document == document
        model = kind()
        model.estimate(ends.p[of], ends.q[of])
        left[of] = model.residuals(ends.p[of], ends.q[of])
    return left


def together(kind: Any, matches: list[dict[str, Any]], tiles: list[TileSpec]) -> list[Any]:
    """Fit a model for each tile to where its neighbours have the same points, again and again.

    The tile in the middle of the list stays where it is. Models begin where the stage was.
    """
    number = {tile.tileId: index for index, tile in enumerate(tiles)}
    models = [kind(*tile.tforms[1].M[:2, [0, 1]].ravel(), *tile.tforms[1].M[:2, 2]) for tile in tiles]
    own: list[list[Any]] = [[] for _ in tiles]
    for match in matches:
        p, q = (np.array(match["matches"][side]).T for side in "pq")
        a, b = number[match["pId"]], number[match["qId"]]
        own[a].append((p, b, q))
        own[b].append((q, a, p))
    for _ in range(ROUNDS):
        for index, ends in enumerate(own):
            if index != len(tiles) // 2:
                there = np.concatenate([models[other].tform(points) for _, other, points in ends])
                models[index].estimate(np.concatenate([points for points, _, _ in ends]), there)
    return models


def figures(tiles: list[TileSpec], matches: list[dict[str, Any]]) -> list[tuple[str, float, float, float]]:
    """Return median, rms and maximum in pixels for each way to place the tiles."""
    acquired = residuals(matches, tiles)
    found = [("as acquired", acquired.distances)]
    for name, kind in MODELS.items():
        found.append((f"{name}, each pair on its own", by_pair(kind, acquired, len(matches))))
    for name, kind in MODELS.items():
        models = together(kind, matches, tiles)
        found.append((f"{name}, all tiles together", residuals(matches, placed(tiles, models)).distances))
    rows = []
    for name, distances in found:
        of = residual_statistics(distances)
        rows.append((name, float(of.median[0]), float(of.rms[0]), float(of.maximum[0])))
    return rows


def read(tiles: Path, matches: Path) -> tuple[list[TileSpec], list[dict[str, Any]]]:
    """Read the files of a montage."""
    return [TileSpec(json=document) for document in json.loads(tiles.read_text())], json.loads(
        matches.read_text()
    )


if __name__ == "__main__":
    for name, median, rms, maximum in figures(*read(Path(sys.argv[1]), Path(sys.argv[2]))):
        print(f"{name:36s} {median:8.2f} {rms:8.2f} {maximum:8.2f}")
