"""Speed of the client against render-python 2.4.2, both in one run: ``python benchmarks/bench_client.py``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

import peer

DOCUMENTS = """
def document(i):
    section, row, column = i // 200, i % 200 // 20, i % 20
    x, y = column * 1638.4, row * 1638.4
    tile_id = "%d_%d_%d" % (section, row, column)
    return {
        "tileId": tile_id,
        "layout": {"sectionId": "%05d" % section, "temca": "myscope", "camera": "mycamera", "imageRow": row,
                   "imageCol": column, "stageX": x * 3, "stageY": y * 3, "rotation": 0.0, "pixelsize": 3.0},
        "z": float(section), "minX": float(int(x)), "minY": float(int(y)), "maxX": int(x) + 2048.0,
        "maxY": int(y) + 2048.0, "width": 2048.0, "height": 2048.0, "minIntensity": 0.0,
        "maxIntensity": 65535.0,
        "mipmapLevels": {"0": {"imageUrl": "/data/images/%s.tif" % tile_id}},
        "transforms": {"type": "list", "specList": [
            {"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D",
             "dataString": "1.0 0.0 0.0 1.0 %r %r" % (x, y)}]},
        "meshCellSize": 64.0,
    }
documents = [document(i) for i in range(20000)]
content = json.dumps({"transformIdToSpecMap": {}, "tileIdToSpecMap": {d["tileId"]: d for d in documents}},
                     separators=(",", ":")).encode()
from renderapi.tilespec import TileSpec
from renderapi.layout import Layout
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.transform import AffineModel
from renderapi.utils import renderdumps
import renderapi
"""

TILES = """
report["read"] = timed(read)
tiles = read().tilespecs
report["dump untouched"] = timed(lambda: renderdumps(tiles))
for tile in tiles:
    tile.z, tile.layout, tile.ip, tile.tforms
report["dump read"] = timed(lambda: renderdumps(tiles))
def make(d):
    layout = Layout(sectionId=d["layout"]["sectionId"], scopeId="myscope", cameraId="mycamera", imageRow=0,
                    imageCol=0, stageX=d["layout"]["stageX"], stageY=d["layout"]["stageY"], rotation=0.0,
                    pixelsize=3.0)
    return TileSpec(tileId=d["tileId"], z=d["z"], width=2048, height=2048,
                    imageUrl=d["mipmapLevels"]["0"]["imageUrl"], layout=layout,
                    tforms=[AffineModel(B0=d["minX"] + 0.4, B1=d["minY"] + 0.4)])
report["json"] = timed(lambda: [TileSpec(json=d) for d in documents])
report["make"] = timed(lambda: [make(d) for d in documents])
tiles = [TileSpec(json=d) for d in documents]
report["dump json"] = timed(lambda: renderdumps(tiles))
tiles = [make(d) for d in documents]
report["dump made"] = timed(lambda: renderdumps(tiles))
"""

CALLS = """
import renderapi
from renderapi.render import renderaccess
render = renderapi.connect("localhost", 8080, "owner", "project", client_scripts="none", web_only=True)
@renderaccess
def nothing(stack, host=None, port=None, owner=None, project=None, session=None, render=None, **kwargs):
    pass
def calls():
    for _ in range(20000):
        nothing("stack", render=render)
report["calls"] = timed(calls)
"""

FITS = """
import numpy as np
from renderapi.transform import AffineModel, Polynomial2DTransform
rng = np.random.default_rng(1)
src = rng.uniform(0, 20000, (100000, 2))
dst = src @ [[1.01, 0.02], [-0.03, 0.99]] + [100, -50] + rng.normal(0, 0.1, src.shape)
report["affine"] = timed(lambda: AffineModel().estimate(src, dst), 3)
"""

POLYNOMIAL = """
import resource
import numpy as np
from renderapi.transform import Polynomial2DTransform
rng = np.random.default_rng(1)
src = rng.uniform(0, 20000, (20000, 2))
dst = src + 1e-6 * src ** 2 + rng.normal(0, 0.1, src.shape)
tform = Polynomial2DTransform()
report["polynomial"] = timed(lambda: tform.estimate(src, dst, order=2), 1)
report["residual"] = float(np.abs(tform.tform(src) - dst).max())
report["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
"""


def import_times() -> tuple[float, float]:
    """Return the median seconds of ``import requests, numpy`` and of those with renderapi."""
    times: tuple[list[float], list[float]] = ([], [])
    code = "import time; s = time.perf_counter(); import {}; print(time.perf_counter() - s)"
    with tempfile.TemporaryDirectory() as cache:
        # as installed packages are: compiled
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(12):
            for modules, found in zip(("requests, numpy", "requests, numpy, renderapi"), times):
                done = subprocess.run(
                    [sys.executable, "-c", code.format(modules)],
                    capture_output=True, text=True, check=True, env=environment,
                )  # fmt: skip
                found.append(float(done.stdout))
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def demo_rate() -> float:
    """Return the tile specs a second of the demonstration's import, client and server on two cores."""
    import renderapi
    from renderapi import demo
    from renderapi.server.http.process import ServerProcess

    tiles = [tile for number in range(500) for tile in demo.section(number)]
    rates = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder, ServerProcess(folder) as server:
            render = server.connect(owner="owner", project="project", web_only=True)
            renderapi.stack.create_stack("stack", render=render)
            start = time.perf_counter()
            renderapi.client.import_tilespecs_parallel(
                "stack", tiles, close_stack=False, render=render, engine="python"
            )
            rates.append(len(tiles) / (time.perf_counter() - start))
            render.close()
    return statistics.median(rates)


def main() -> None:
    """Measure everything and print the table."""
    rows = []
    ours, theirs = peer.both(
        TILES,
        ours=DOCUMENTS + "read = lambda: ResolvedTiles.from_json(content)\n",
        theirs=DOCUMENTS + "read = lambda: ResolvedTiles(json=json.loads(content))\n",
    )
    for what, key, wanted in (
        ("20,000 resolved tile specs, JSON bytes to TileSpec", "read", ">= 10x"),
        ("20,000 decoded documents, TileSpec(json=...)", "json", ">= 8x"),
        ("20,000 tile specs made in Python", "make", ">= 1.5x"),
        ("renderdumps of 20,000, TileSpec(json=...)", "dump json", ">= 3x"),
        ("renderdumps of 20,000, made in Python", "dump made", ">= 3x"),
        ("renderdumps of 20,000, read, every part touched", "dump read", ">= 2x"),
        ("renderdumps of 20,000, read, not touched", "dump untouched", ">= 12x"),
    ):
        rows.append(peer.ratio_row(what, ours[key], theirs[key], wanted))
    ours, theirs = peer.both(CALLS)
    rows.append(peer.ratio_row("20,000 decorated calls", ours["calls"], theirs["calls"], ">= 10x"))
    ours, theirs = peer.both(FITS)
    rows.append(
        peer.ratio_row("AffineModel.fit of 100,000 pairs", ours["affine"], theirs["affine"], ">= 10x")
    )
    fit = peer.run(sys.executable, POLYNOMIAL)
    what = f"Polynomial2DTransform.fit of 20,000 pairs (process: {fit['memory']:.2f} GB)"
    rows.append((what, peer.seconds(fit["polynomial"]), "needs > 20 GB", "", "< 1 GB"))
    bare, full = import_times()
    what = f"import renderapi, beyond requests and numpy ({peer.seconds(bare)})"
    rows.append((what, peer.seconds(full - bare), "", "", "<= 30 ms"))
    what = "import of 100,000 tile specs, client and server"
    rows.append((what, f"{demo_rate():,.0f}/s", "", "", ">= 20,000/s"))
    peer.table(rows)


if __name__ == "__main__":
    main()
