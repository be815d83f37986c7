"""Rates of tables and objects: into the embedded server and out of it, ``python benchmarks/bench_tables.py [TILES]``.

The server is a process of its own: with two cores, one for it and one for the table. Where others use the machine
too, the processor time of a tile says more than the rate.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from usage import cpu_seconds, peak_memory

import renderapi
from renderapi import tables
from renderapi.client import import_tilespecs_parallel
from renderapi.layout import Layout
from renderapi.server.http.process import ServerProcess
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

SIDE = 100


def made_up(count: int):
    import pyarrow as pa

    number = np.arange(count)
    section, row, column = number // SIDE**2, number % SIDE**2 // SIDE, number % SIDE
    ids = [f"{s:05d}_{r:03d}_{c:03d}" for s, r, c in zip(section.tolist(), row.tolist(), column.tolist())]
    jitter = np.random.default_rng(1).uniform(-40, 40, (count, 2))
    return pa.table(
        {
            "tileId": ids,
            "z": section.astype(float),
            "sectionId": [f"{s}.0" for s in section.tolist()],
            "camera": np.array(["c0", "c1"])[number % 2],
            "imageRow": row.astype(np.int32),
            "imageCol": column.astype(np.int32),
            "stageX": column * 1843.0,
            "stageY": row * 1843.0,
            "width": np.full(count, 2048.0),
            "height": np.full(count, 2048.0),
            "minIntensity": np.zeros(count),
            "maxIntensity": np.full(count, 255.0),
            "imageUrl": [f"file:/data/images/{name}.tif" for name in ids],
            "m00": 1.0 + 1e-3 * np.sin(number),
            "m10": 1e-3 * np.cos(number),
            "m01": -1e-3 * np.cos(number),
            "m11": 1.0 + 1e-3 * np.sin(number),
            "m02": column * 1843.0 + jitter[:, 0],
            "m12": row * 1843.0 + jitter[:, 1],
        }
    )


def objects(count: int) -> Iterator[TileSpec]:
    """Yield tile specs, those of a layer after the other; the same objects again, which are not made meanwhile."""
    layer = []
    for row in made_up(SIDE**2).to_pylist():
        place = {key: row[key] for key in ("sectionId", "imageRow", "imageCol", "stageX", "stageY")}
        layout = Layout(cameraId=row["camera"], **place)
        tforms = [AffineModel(row["m00"], row["m01"], row["m10"], row["m11"], row["m02"], row["m12"])]
        keys = {key: row[key] for key in ("tileId", "z", "width", "height")}
        tile = TileSpec(**keys, imageUrl=row["imageUrl"], layout=layout, tforms=tforms, minint=0, maxint=255)
        layer.append(tile)
    for section in range(-(-count // SIDE**2)):
        for tile in layer[: count - section * SIDE**2]:
            tile.tileId = f"{section:05d}{tile.tileId[5:]}"
            tile.z = float(section)
            yield tile


def measured(what: str, work: Callable[[], int], server: ServerProcess, wanted: str) -> None:
    """Do some work, and print its rate and the processor time of both sides."""
    start, own, of_server = time.perf_counter(), time.process_time(), cpu_seconds(server)
    done = work()
    seconds, own, of_server = (
        time.perf_counter() - start,
        time.process_time() - own,
        cpu_seconds(server) - of_server,
    )
    print(
        f"{what:28} {done / seconds:>9,.0f} tiles/s  cpu {own / done * 1e6:4.1f} + {of_server / done * 1e6:4.1f} us"
        f"  peak {peak_memory():,.0f} + {peak_memory(server):,.0f} MB  {wanted}",
        flush=True,
    )


def import_rows(count: int, server: ServerProcess, render: renderapi.render.Render) -> None:
    """Measure the import of a table, which is gone afterwards."""
    table = made_up(count)
    renderapi.stack.create_stack("tiles", render=render)
    work = lambda: tables.import_table("tiles", table, poolsize=2, render=render)  # noqa: E731
    measured("table into a server", work, server, ">= 40,000")


def main(count: int) -> None:
    print(
        f"{count:,} tiles; processor time and memory of the client + of the server; load {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory() as folder, ServerProcess(folder) as server:
        render = server.connect(owner="o", project="p")
        import_rows(count, server, render)
        renderapi.stack.create_stack("objects", render=render)

        def import_objects() -> int:
            import_tilespecs_parallel(
                "objects", objects(count), close_stack=False, render=render, engine="python"
            )
            return count

        measured("objects into a server", import_objects, server, ">= 20,000")
        read = lambda: sum(  # noqa: E731
            layer.num_rows for layer in tables.stack_tables("tiles", kind="arrow", render=render)
        )
        measured("stack to tables", read, server, "")
        render.close()
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
