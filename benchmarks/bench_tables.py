"""Rates of tables: into the embedded server and out of it, ``python benchmarks/bench_tables.py [TILES]``.

The server is a process of its own: with two cores, one for it and one for the table.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

import renderapi
from renderapi import tables

SIDE = 100
SERVER = """
import sys
from renderapi.server import serve_background
with serve_background(sys.argv[1] + "/tiles.sqlite") as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


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


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(count: int) -> None:
    table = made_up(count)
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", SERVER, folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            render = renderapi.connect(url=server.stdout.readline().strip(), owner="o", project="p")
            renderapi.stack.create_stack("tiles", render=render)
            start, own = time.perf_counter(), time.process_time()
            stored = tables.import_table("tiles", table, poolsize=2, render=render)
            seconds, own = time.perf_counter() - start, time.process_time() - own
            print(f"table of {stored:,} tiles into a server: {stored / seconds:,.0f} tiles/s "
                  f"(own processor time {own / stored * 1e6:.1f} us each)")  # fmt: skip
            del table
            start, own = time.perf_counter(), time.process_time()
            read = sum(layer.num_rows for layer in tables.stack_tables("tiles", kind="arrow", render=render))
            seconds, own = time.perf_counter() - start, time.process_time() - own
            print(f"stack of {read:,} tiles to tables: {read / seconds:,.0f} tiles/s "
                  f"(own processor time {own / read * 1e6:.1f} us each)")  # fmt: skip
            server.stdin.close()
            server.wait(30)
    of_server = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = of_server.ru_utime + of_server.ru_stime
    print(f"processor time of the server {seconds:.1f} s, peak memory {of_server.ru_maxrss // 1024:,} MB")
    print(f"peak memory {peak():,} MB, {before:,} MB of it before the import; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
