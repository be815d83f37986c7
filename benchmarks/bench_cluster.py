"""How much a second worker of a Dask cluster brings: a stack copied within a server, and files imported.

Without ``--url`` the server is an embedded one in a process of its own, on the cores of the workers. Run it on a
machine with nothing else to do::

    python benchmarks/bench_cluster.py [--tiles 100000] [--workers 1 2] [--url http://HOST:PORT/render-ws]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench_server import LAYER, layer
from distributed import Client, LocalCluster

import renderapi
from renderapi.client import import_jsonfiles_parallel
from renderapi.http import transport
from renderapi.server.http.process import ServerProcess
from renderapi.stack import create_stack, delete_stack, set_stack_state
from renderapi.transfer import copy_stack


def fill(render: renderapi.Render, url: str, tiles: int, folder: Path) -> list[str]:
    """Make the stack that is copied, and the files that are imported, one for each layer."""
    create_stack("s", render=render)
    body = layer(0, 0, lens=False)
    files = []
    for z in range(tiles // LAYER):
        of_layer = body.replace(b'.0.0"', b'.%d.0"' % z).replace(b'"z":0.0', b'"z":%d.0' % z)
        target = f"{url}/v1/owner/bench/project/p/stack/s/resolvedTiles"
        transport.send(render.session, "PUT", target, document=of_layer, params={"deriveData": "true"})
        files.append(str(folder / f"{z}.json"))
        specs = renderapi.tilespec.get_tile_specs_from_z("s", float(z), render=render)
        Path(files[-1]).write_text(renderapi.utils.renderdumps(specs))
    set_stack_state("s", "COMPLETE", render=render)
    return files


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=100_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--url")
    options = parser.parse_args()
    print(f"load {os.getloadavg()}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = options.url or stack.enter_context(ServerProcess(str(folder / "data"))).url
        render = renderapi.connect(url=url, owner="bench", project="p", web_only=True)
        files = fill(render, url, options.tiles, folder)
        for workers in options.workers:
            with (
                LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
                Client(cluster) as client,
            ):
                client.run(lambda: __import__("renderapi.transfer"))
                executor = client.get_executor()
                start = time.perf_counter()
                copied = copy_stack("s", "copy", executor=executor, render=render)
                print(
                    f"{workers} workers, copy: {copied.content.count / (time.perf_counter() - start):,.0f} tiles/s"
                )
                create_stack("imported", render=render)
                start = time.perf_counter()
                import_jsonfiles_parallel("imported", files, mpPool=executor, render=render)
                print(
                    f"{workers} workers, import: {options.tiles / (time.perf_counter() - start):,.0f} tiles/s"
                )
                for name in ("copy", "imported"):
                    delete_stack(name, render=render)
        delete_stack("s", render=render)


if __name__ == "__main__":
    main()
