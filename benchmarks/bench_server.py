"""How fast the embedded server is, beside what it should be at least.

The server runs in a process of its own, as ``renderapi serve`` does; this one sends bodies that were encoded
before, so that the figures are the server's. Run it on a machine with nothing else to do::

    python benchmarks/bench_server.py [--tiles 1000000] [--data DIR]
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

from usage import cpu_seconds, peak_memory

from renderapi import _json
from renderapi.server.http.process import ServerProcess

LAYER = 5_000
SPACING = 3_500.0
SIZE = 3_840.0
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
PAIRS, POINTS = 1_000, 100


def tile(number: int, z: int, rng: random.Random, specs: list[dict[str, str]]) -> dict[str, object]:
    """Make a tile spec like those of a real montage, without its bounding box."""
    row, column = divmod(number, 71)
    numbers = (
        1 + rng.gauss(0, 1e-3),
        rng.gauss(0, 1e-3),
        rng.gauss(0, 1e-3),
        1 + rng.gauss(0, 1e-3),
        column * SPACING + rng.uniform(-50, 50),
        row * SPACING + rng.uniform(-50, 50),
    )
    return {
        "tileId": f"{160102030405514543 + z}.{number}.{z}.0",
        "layout": {
            "sectionId": f"{z}.0",
            "temca": "4",
            "camera": "0",
            "imageRow": row,
            "imageCol": column,
            "stageX": column * SPACING,
            "stageY": row * SPACING,
            "rotation": 0.0,
            "pixelsize": 0.1,
        },
        "z": float(z),
        "width": SIZE,
        "height": SIZE,
        "minIntensity": 0.0,
        "maxIntensity": 255.0,
        "mipmapLevels": {
            "0": {
                "imageUrl": f"file:/data/em/{z:05d}/0/tile_{number:06d}.tif",
                "maskUrl": f"file:/data/em/masks/mask_{number % 4}.tif",
            }
        },
        "transforms": {
            "type": "list",
            "specList": [
                *specs,
                {
                    "type": "leaf",
                    "className": AFFINE,
                    "dataString": " ".join(f"{value:.10f}" for value in numbers),
                },
            ],
        },
    }


def layer(z: int, seed: int = 0, lens: bool = False, count: int = LAYER) -> bytes:
    """Write the body that stores a layer of tiles, affine or behind a shared lens correction."""
    rng = random.Random(seed)
    shared = {"lens": {"type": "leaf", "id": "lens", "className": AFFINE, "dataString": "1 0 0 1 0.5 0.5"}}
    specs = [{"type": "ref", "refId": "lens"}] if lens else []
    tiles = (tile(number, z, rng, specs) for number in range(count))
    return _json.dumps(
        {
            "transformIdToSpecMap": shared if lens else {},
            "tileIdToSpecMap": {str(spec["tileId"]): spec for spec in tiles},
        }
    )


class Client:
    """One connection, with as little work of its own as possible."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.base = f"{parts.path}/v1/owner/bench/project/p/stack/"
        self.owners = f"{parts.path}/v1/owners"
        self.matches = f"{parts.path}/v1/owner/bench/matchCollection/c/"
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)

    def __call__(self, method: str, path: str, body: bytes = b"") -> bytes:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content

    def close(self) -> None:
        self._connection.close()


@contextmanager
def clients(url: str, count: int) -> Iterator[list[Client]]:
    connections = [Client(url) for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median time of some work."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(name: str, value: float, unit: str, wanted: str) -> None:
    print(f"{name:62s} {value:12,.1f} {unit:9s} wanted {wanted}", flush=True)


def bench_storing(server: ServerProcess, layers: int) -> None:
    """Store the layers of stack ``many``, one connection after and two beside each other."""
    bodies = [layer(z, z % 10).replace(b"\n", b"") for z in range(min(layers, 10))]

    def renumbered(z: int) -> bytes:
        # other layers are copies of ten, with their own ids and z
        body = bodies[z % 10]
        old = z % 10
        return body.replace(f'"z":{float(old)}'.encode(), f'"z":{float(z)}'.encode()).replace(
            f".{old}.0".encode(), f".{z}.0".encode()
        )

    with clients(server.url, 2) as (one, two):
        one("POST", one.base + "many", b"{}")
        cpu = cpu_seconds(server)
        path = one.base + "many/resolvedTiles?deriveData=true"
        alone, z, count = 0.0, 0, min(10, layers // 2)
        for z in range(count):
            body = renumbered(z)
            start = time.perf_counter()
            one("PUT", path, body)
            alone += time.perf_counter() - start
        report("PUT resolvedTiles, deriveData, one connection", count * LAYER / alone, "tiles/s", ">= 40,000")

        busy = 0.0
        with ThreadPoolExecutor(2) as pool:
            for first in range(count, layers, 20):
                group = [renumbered(z) for z in range(first, min(first + 20, layers))]
                start = time.perf_counter()
                work = [
                    pool.submit(lambda c, bodies: [c("PUT", path, body) for body in bodies], c, group[n::2])
                    for n, c in enumerate((one, two))
                ]
                for done in work:
                    done.result()
                busy += time.perf_counter() - start
        cpu = (cpu_seconds(server) - cpu) / (layers * LAYER)
        report("... processor time of the server for each of them", cpu * 1e6, "us", "<= 25")
        rate = (layers - count) * LAYER / busy
        report("PUT resolvedTiles, deriveData, two connections", rate, "tiles/s", ">= 40,000")


def bench_reading(url: str) -> None:
    with clients(url, 1) as (client,):
        for stack, lens in (("affine", False), ("lens", True)):
            client("POST", client.base + stack, b"{}")
            path = f"{client.base}{stack}/resolvedTiles?deriveData=true"
            client("PUT", path, layer(1, lens=lens))
            for kind in ("resolvedTiles", "tile-specs", "tileBounds", "render-parameters"):
                path = f"{client.base}{stack}/z/1/{kind}"
                report(
                    f"GET {kind} of a layer of 5,000 tiles ({stack})",
                    seconds(lambda path=path: client("GET", path), 11) * 1e3,
                    "ms",
                    "<= 60",
                )
        ids = _json.loads(client("GET", client.base + "affine/tileIds"))[:2000]
        start = time.perf_counter()
        for tile_id in ids:
            client("GET", f"{client.base}affine/tile/{tile_id}")
        report("GET of single tiles", len(ids) / (time.perf_counter() - start), "/s", ">= 500")
        world = [{"world": [n * 10.0 % 2e5, n * 7.0 % 2e5]} for n in range(10_000)]
        local = [{"tileId": ids[n % 100], "local": [n % 3000, n % 2000]} for n in range(10_000)]
        for direction, points in (("world-to-local", world), ("local-to-world", local)):
            body = _json.dumps(points)
            path = f"{client.base}affine/z/1/{direction}-coordinates"
            took = seconds(lambda path=path, body=body: client("PUT", path, body), 3)
            report(f"PUT {direction}-coordinates of 10,000 points", took * 1e3, "ms", "-")


def bench_points(url: str) -> None:
    """Map a point in each of 10,000 tiles, and look how long others wait for batches of points."""
    with clients(url, 6) as (client, *others):
        stack = client.base + "points"
        client("POST", stack, b"{}")
        client("PUT", f"{stack}/resolvedTiles?deriveData=true", layer(1, count=10_000))
        boxes = _json.loads(client("GET", f"{stack}/z/1/tileBounds"))
        rng = random.Random(5)
        world = [
            {"world": [(box["minX"] + box["maxX"]) / 2, (box["minY"] + box["maxY"]) / 2]} for box in boxes
        ]
        path = f"{stack}/z/1/world-to-local-coordinates"
        body = _json.dumps(world)
        took = seconds(lambda: client("PUT", path, body), 3)
        report("world to local, 10,000 points over 10,000 tiles", took * 1e3, "ms", "<= 500")
        many = _json.dumps([{"world": [rng.uniform(0, 2e5), rng.uniform(0, 2e5)]} for _ in range(30_000)])
        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(other, "PUT", path, many) for other in others[:4]]
            waited = waits(lambda: client("GET", client.owners), lambda: all(done.done() for done in work))
            for done in work:
                done.result()
        report("GET owners beside 4 batches of 30,000 points, slowest", max(waited) * 1e3, "ms", "<= 200")


def bench_reading_beside_import(url: str) -> None:
    """Read layers with 8 clients, each twice a second, while another one imports."""
    bodies = [layer(z, z) for z in range(20)]
    with clients(url, 9) as (writer, *readers):
        writer("POST", writer.base + "beside", b"{}")
        path = f"{writer.base}beside/resolvedTiles?deriveData=true"
        writer("PUT", path, bodies[0])
        with ThreadPoolExecutor(9) as pool:
            work = pool.submit(lambda: [writer("PUT", path, body) for body in bodies])

            def read(reader: Client) -> list[float]:
                layer_path = f"{reader.base}beside/z/0/resolvedTiles"
                return waits(lambda: reader("GET", layer_path), work.done, pause=0.5)

            waited = [wait for found in pool.map(read, readers) for wait in found]
            work.result()
        report("GET of a layer by 8 clients beside an import, slowest", max(waited) * 1e3, "ms", "<= 200")


def waits(work: Callable[[], object], ended: Callable[[], bool], pause: float = 0.02) -> list[float]:
    """Do some work again and again until something has ended; give how long it took each time."""
    times = []
    while not ended() or not times:
        times.append(seconds(work, 1))
        time.sleep(pause)
    return times


def bench_matches(url: str) -> None:
    rng = random.Random(1)
    row = [[rng.uniform(0, SIZE) for _ in range(POINTS)] for _ in range(4)]
    pairs = _json.dumps(
        [
            {
                "pGroupId": "1.0",
                "pId": f"tile_{number}",
                "qGroupId": "2.0",
                "qId": f"tile_{number + 1}",
                "matches": {"p": row[:2], "q": row[2:], "w": [1.0] * POINTS},
            }
            for number in range(PAIRS)
        ]
    )
    with clients(url, 1) as (client,):
        took = seconds(lambda: client("PUT", client.matches + "matches", pairs))
        report("PUT of 1,000 pairs with 100 points", took * 1e3, "ms", "<= 500")
        took = seconds(lambda: client("GET", client.matches + "pGroup/1.0/matches"))
        report("GET of 1,000 pairs with 100 points", took * 1e3, "ms", "-")
        took = seconds(lambda: client("GET", client.matches + "pGroup/1.0/matches?excludeMatchDetails=true"))
        report("GET of 1,000 pairs without points", took * 1e3, "ms", "-")


def bench_large(url: str, layers: int) -> None:
    with clients(url, 1) as (client,):
        stack = client.base + "many"
        took = seconds(lambda: client("PUT", stack + "/state/COMPLETE"), 1)
        report(f"COMPLETE of {layers * LAYER:,} tiles", took, "s", "<= 20")
        times = []
        rng = random.Random(2)
        for _ in range(50):
            x, y = rng.uniform(0, 71 * SPACING), rng.uniform(0, 71 * SPACING)
            path = f"{stack}/z/{rng.randrange(layers)}/box/{x:.0f},{y:.0f},5000,5000,0.1/render-parameters"
            times.append(seconds(lambda path=path: client("GET", path), 1))
        report(f"box of {layers * LAYER:,} tiles, median", statistics.median(times) * 1e3, "ms", "<= 20")
        report(f"box of {layers * LAYER:,} tiles, slowest of 50", max(times) * 1e3, "ms", "-")
        for name in ("zValues", "sectionData", f"z/{layers // 2}/tile-specs"):
            took = seconds(lambda name=name: client("GET", f"{stack}/{name}"), 1)
            report(f"GET {name}", took * 1e3, "ms", "-")
        took = seconds(lambda: client("GET", f"{stack}/tileIds"))
        report(f"GET tileIds of {layers * LAYER:,} tiles", took * 1e3, "ms", "<= 300")
        client("PUT", stack + "/state/LOADING")
        took = seconds(lambda: client("DELETE", f"{stack}/z/0"), 1)
        report(f"DELETE of a layer of {LAYER:,} of them", took * 1e3, "ms", "-")
        took = seconds(lambda: client("DELETE", stack), 1)
        report(f"DELETE of {layers * LAYER:,} tiles", took * 1e3, "ms", "<= 50")


def main() -> None:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiles", type=int, default=1_000_000, help="size of the large stack")
    parser.add_argument("--data", help="folder for the data (default: a temporary one)")
    options = parser.parse_args()
    layers = max(2, options.tiles // LAYER)
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=options.data) as folder, ServerProcess(folder) as server:
        bench_reading(server.url)
        bench_points(server.url)
        bench_matches(server.url)
        bench_reading_beside_import(server.url)
        bench_storing(server, layers)
        bench_large(server.url, layers)
        report("memory of the server, at most", peak_memory(server), "MB", "<= 1,000")


if __name__ == "__main__":
    main()
