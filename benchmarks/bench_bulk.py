"""Rates of bulk work without Java: tile pairs, clusters, residuals, transforms, coordinates.

Of the original Java, one warm thread of such a machine: same-layer pairs 339,000 tiles/s, inversion 37,000
points/s with the mesh kept.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIDE, STEP, SIZE = 100, 1843.0, 2048.0
LAYERS = 100
Row = tuple[str, str, str]


def layer_boxes(rng: np.random.Generator) -> np.ndarray:
    """Boxes of a layer of 100 x 100 tiles that overlap by a tenth, a little out of place."""
    x, y = np.meshgrid(np.arange(SIDE) * STEP, np.arange(SIDE) * STEP)
    corners = np.round(np.column_stack([x.ravel(), y.ravel()]) + rng.uniform(-40, 40, (SIDE * SIDE, 2)))
    return np.hstack([corners, corners + SIZE])


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def pairs() -> list[Row]:
    from renderapi.geometry import cluster_labels, tile_pairs

    rng = np.random.default_rng(1)
    boxes = np.concatenate([layer_boxes(rng) for _ in range(LAYERS)])
    z = np.repeat(np.arange(float(LAYERS)), SIDE * SIDE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, found = timed(lambda: tile_pairs(boxes, z, z_neighbor_distance=2))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rows = [
        (
            f"tile_pairs, {LAYERS} layers of {SIDE * SIDE:,} tiles, distance 2 ({len(found):,} pairs)",
            f"{len(z) / seconds:,.0f} tiles/s",
            ">= 50,000 tiles/s",
        ),
        (
            "... memory beside the boxes",
            f"{grown:,.0f} MB, {found.nbytes / 2**20:,.0f} MB of it the pairs",
            "",
        ),
    ]
    seconds, found = timed(lambda: tile_pairs(boxes, z, z_neighbor_distance=0))
    rows.append(("... same layer only", f"{len(z) / seconds:,.0f} tiles/s", ""))
    seconds, _ = timed(lambda: cluster_labels(found, len(z)))
    rows.append((f"cluster_labels, {len(found):,} pairs", f"{len(found) / seconds:,.0f} pairs/s", ""))
    return rows


def tile(tile_id: str, z: float, x: float, y: float) -> dict[str, Any]:
    affine = {
        "type": "leaf",
        "className": "mpicbg.trakem2.transform.AffineModel2D",
        "dataString": f"1.0 0.001 -0.001 1.0 {x!r} {y!r}",
    }
    return {
        "tileId": tile_id,
        "z": z,
        "layout": {"sectionId": f"{z}"},
        "width": SIZE,
        "height": SIZE,
        "mipmapLevels": {"0": {"imageUrl": f"file:/images/{tile_id}.tif"}},
        "transforms": {"type": "list", "specList": [affine]},
    }


def residuals() -> list[Row]:
    from renderapi.geometry import match_residuals

    rng = np.random.default_rng(2)
    boxes = layer_boxes(rng)
    tiles = [tile(str(number), 1.0, *corner) for number, corner in enumerate(boxes[:, :2].tolist())]
    matches = []
    for number in range(len(tiles) - 1):
        points = rng.uniform(0, SIZE, (2, 100)).tolist()
        content = {"p": points, "q": points, "w": [1.0] * 100}
        matches.append({"pId": str(number), "qId": str(number + 1), "matches": content})
    seconds, found = timed(lambda: match_residuals(matches, tiles).distances)
    return [
        (f"match_residuals, {len(matches):,} documents of 100", f"{len(found) / seconds:,.0f} matches/s", "")
    ]


def clients(layers: int = 6) -> list[Row]:
    """The functions that used to need Java, with the embedded server on the same machine."""
    from renderapi.client import (
        import_tilespecs_parallel,
        importTransformChangesClient,
        local_to_world_array,
        tilePairClient,
        transformSectionClient,
        world_to_local_array,
    )
    from renderapi.server import serve_background
    from renderapi.stack import create_stack
    from renderapi.tilespec import TileSpec
    from renderapi.utils import renderdump_temp

    rng = np.random.default_rng(3)
    rows: list[Row] = []
    with serve_background() as server, server.connect(owner="bench", project="bulk") as render:
        create_stack("raw", render=render)
        tiles = [
            tile(f"{z}_{number}", float(z), *corner)
            for z in range(layers)
            for number, corner in enumerate(layer_boxes(rng)[:, :2].tolist())
        ]
        import_tilespecs_parallel("raw", [TileSpec(json=t) for t in tiles], poolsize=2, render=render)

        seconds, found = timed(
            lambda: tilePairClient(
                "raw", 0, layers, return_jsondata=False, return_jsonfiles=True, render=render
            )
        )
        rows.append(
            (
                f"tilePairClient, {len(tiles):,} tiles, {len(found)} files",
                f"{len(tiles) / seconds:,.0f} tiles/s",
                "",
            )
        )
        shift = {**tiles[0]["transforms"]["specList"][0], "dataString": "1 0 0 1 5.5 0"}
        changes = renderdump_temp([{"tileId": t["tileId"], "transform": shift} for t in tiles[:20_000]])
        for mode in ("REPLACE_LAST", "CONCATENATE_TO_LAST"):
            seconds, _ = timed(
                lambda mode=mode: importTransformChangesClient(
                    "raw", "changed", changes, changeMode=mode, render=render
                )
            )
            rows.append(
                (
                    f"importTransformChangesClient, {mode}, 20,000 tiles",
                    f"{20_000 / seconds:,.0f} tiles/s",
                    "",
                )
            )
        seconds, _ = timed(
            lambda: transformSectionClient(
                "raw", "move", shift["className"], "1,0,0,1,5,5", [0, 1], targetStack="moved", render=render
            )
        )
        rows.append(("transformSectionClient, 2 layers", f"{2 * SIDE * SIDE / seconds:,.0f} tiles/s", ""))
        points = rng.uniform(0, SIZE, (100_000, 2))
        seconds, world = timed(lambda: local_to_world_array("raw", points, "0_0", render=render))
        rows.append(
            ("local_to_world_array, 100,000 points of a tile", f"{len(points) / seconds:,.0f} points/s", "")
        )
        spread = rng.uniform(100, SIDE * STEP, (20_000, 2))
        seconds, _ = timed(lambda: world_to_local_array("raw", spread, z=1.0, render=render))
        rows.append(
            (
                "world_to_local_array, 20,000 points in 10,000 tiles",
                f"{len(spread) / seconds:,.0f} points/s",
                "",
            )
        )
        seconds, _ = timed(lambda: world_to_local_array("raw", world[:20_000] * 0.5, z=0.0, render=render))
        rows.append(("... 20,000 points in a few tiles", f"{20_000 / seconds:,.0f} points/s", ""))
    return rows


if __name__ == "__main__":
    for name, rate, wanted in [*pairs(), *residuals(), *clients()]:
        print(f"{name:75} {rate:>32}  {wanted}")
