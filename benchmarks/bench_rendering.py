"""How fast images are rendered, beside what the original Java renderer does on one warm thread.

render-python has no renderer. The figures of the original are megapixels of the image per second of
thread CPU time, on a two-core machine; ours are of thread CPU time too::

    python benchmarks/bench_rendering.py
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import renderapi
from renderapi import rendering
from renderapi.client import import_tilespecs
from renderapi.rendering.filters import filter_of, own_range
from renderapi.server.http.process import ServerProcess
from renderapi.tilespec import TileSpec

SIZE = 2048
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
TURNED = "0.999 0.01 -0.01 0.999"


def tile(folder: Path, name: str, matrix: str, masked: bool = False) -> dict[str, Any]:
    """Make a tile spec of the picture, or of a copy of it that is a file of its own."""
    level = {"imageUrl": str(folder / f"{name}.png")}
    if masked:
        level["maskUrl"] = str(folder / "mask.png")
    return {
        "tileId": name,
        "z": 1.0,
        "width": SIZE,
        "height": SIZE,
        "layout": {"sectionId": "1.0"},
        "mipmapLevels": {"0": level},
        "transforms": {
            "type": "list",
            "specList": [{"type": "leaf", "className": AFFINE, "dataString": matrix}],
        },
    }


def box(*tiles: dict[str, Any], width: int = SIZE, height: int = SIZE, **more: Any) -> dict[str, Any]:
    """Make render parameters."""
    return {"x": 0, "y": 0, "width": width, "height": height, "scale": 1.0, "tileSpecs": tiles, **more}


def cpu_seconds(call: Callable[[], object], repeat: int = 7) -> float:
    """Return the median of the CPU time of this thread; the first call, which compiles and reads, is not counted."""
    call()
    times = []
    for _ in range(repeat):
        start = time.thread_time()
        call()
        times.append(time.thread_time() - start)
    return statistics.median(times)


def pictures(folder: Path) -> None:
    """Write nine copies of a picture, and a mask."""
    rng = np.random.default_rng(0)
    waves = np.add.outer(np.sin(np.arange(SIZE) / 17), np.cos(np.arange(SIZE) / 23))
    pixels = np.clip(waves * 50 + 110 + rng.normal(0, 12, (SIZE, SIZE)), 0, 255).astype(np.uint8)
    for number in range(9):
        Image.fromarray(pixels).save(folder / f"t{number}.png", compress_level=1)
    Image.fromarray(np.full((SIZE, SIZE), 255, np.uint8)).save(folder / "mask.png")


def renderer(folder: Path) -> None:
    """Print the rates of both painters."""
    one = tile(folder, "t0", f"{TURNED} 3.3 -2.7")
    masked = tile(folder, "t0", f"{TURNED} 3.3 -2.7", masked=True)
    moved = tile(folder, "t0", "1 0 0 1 10 20")
    corners = [(-1000, -1000), (900, -1000), (-1000, 900), (900, 900)]
    four = [tile(folder, f"t{n}", f"{TURNED} {x} {y}") for n, (x, y) in enumerate(corners)]
    grid = [(x, y) for x in (-500, 1300, 3000) for y in (-500, 1300, 3000)]
    nine = [tile(folder, f"t{n}", f"{TURNED} {x} {y}") for n, (x, y) in enumerate(grid)]
    montage = box(*nine, width=4000, height=4000, scale=0.25)
    rows: list[tuple[str, Callable[..., object], dict[str, Any], float, float | None]] = [
        ("one affine tile, RGBA", rendering.render, box(one), SIZE**2, 76),
        ("one affine tile, 8 bit", rendering.render8, box(one), SIZE**2, 92),
        ("one masked tile, RGBA", rendering.render, box(masked), SIZE**2, 39),
        ("four tiles, RGBA", rendering.render, box(*four), SIZE**2, 46),
        ("moved by whole pixels, RGBA", rendering.render, box(moved), SIZE**2, None),
        ("4000 x 4000 over nine tiles, scale 0.25", rendering.render, montage, 1e6, None),
        (
            "512 x 512 of one tile",
            rendering.render,
            box(one, width=512, height=512, x=400, y=400),
            2**18,
            None,
        ),
    ]
    print(f"{'Mpixel/s':42}{'numba':>10}{'numpy':>10}{'original':>10}")
    for name, function, parameters, count, original in rows:
        rates = []
        for engine, repeat in (("numba", 7), ("numpy", 3)):
            seconds = cpu_seconds(lambda f=function, p=parameters, e=engine: f(p, engine=e), repeat)
            rates.append(count / seconds / 1e6)
        print(f"{name:42}{rates[0]:10.1f}{rates[1]:10.1f}{original or '-':>10}")


FILTERS: list[tuple[str, dict[str, Any]]] = [
    (
        "NormalizeLocalContrast",
        {"blockRadiusX": 250, "blockRadiusY": 250, "meanFactor": 3, "center": True, "stretch": True},
    ),
    ("CLAHE", {"fast": True, "blockRadius": 100, "bins": 256, "slope": 3}),
    ("ShadingCorrectionFilter", {"correctionMethod": "FOURTH_ORDER", "coefficients": "1,2,3,4,5,6,7,8,9"}),
    ("LinearIntensityMap8BitFilter", {"dataString": "8,8,2," + ",".join(["1.1,0.01"] * 64)}),
    (
        "BackgroundCorrectionFilter",
        {"radius": 100, "downSamplingFactor": 0.25, "smoothMethod": "GAUSSIAN"},
    ),
    ("EqualizeHistogram", {"saturatedPixels": 0.5}),
    ("Rank", {"radius": 4, "filterType": 1}),
    ("Rank", {"radius": 4, "filterType": 4}),
    ("RollingBallSubtraction", {"radius": 50}),
    ("RollingBallSubtraction", {"radius": 10}),
]


def filters() -> None:
    """Print the rates of filters, with the compiler loaded."""
    rendering.prepare()
    rng = np.random.default_rng(0)
    waves = np.add.outer(np.sin(np.arange(SIZE) / 17), np.cos(np.arange(SIZE) / 23)) * 50 + 110
    pixels = np.clip(waves + rng.normal(0, 12, waves.shape), 0, 255)
    print(f"{'Mpixel/s':42}{'8 bit':>10}{'16 bit':>10}")
    for name, parameters in FILTERS:
        step = filter_of({"className": f"org.janelia.alignment.filter.{name}", "parameters": parameters})
        rates = []
        for image in (pixels.astype(np.uint8), (pixels * 200).astype(np.uint16)):
            shown = own_range(image)
            seconds = cpu_seconds(lambda f=step, i=image, s=shown: f.apply(i, *s, 1.0, rng), 3)
            rates.append(SIZE**2 / seconds / 1e6)
        what = f"{name} {list(parameters.values())[:2]}"
        print(f"{what:42.41}{rates[0]:10.1f}{rates[1]:10.1f}")


def section(folder: Path, side: int = 100) -> None:
    """Print how long a section of many tiles takes at 1/32, from mipmaps of that size which are read for it."""
    rng = np.random.default_rng(1)
    waves = rng.integers(0, 256, (SIZE // 32, SIZE // 32), np.uint8)
    tiles = []
    (folder / "full.png").write_bytes(b"it is looked whether this is there, no more")
    for number in range(side * side):
        level = folder / f"level{number}.png"
        Image.fromarray(np.roll(waves, number, 1)).save(level, compress_level=1)
        row, column = divmod(number, side)
        spec = tile(folder, "t0", f"{TURNED} {column * 1900} {row * 1900}")
        levels = {"0": {"imageUrl": str(folder / "full.png")}, "5": {"imageUrl": str(level)}}
        tiles.append({**spec, "tileId": f"{number:06d}", "mipmapLevels": levels})
    whole = box(*tiles, width=side * 1900, height=side * 1900, scale=1 / 32)
    rendering.prepare()
    seconds = []
    for _ in range(3):
        start = time.thread_time()
        rendering.render(whole, sources=rendering.Sources())
        seconds.append(time.thread_time() - start)
    print(f"section of {side * side:,} tiles at 1/32, from mipmaps: {statistics.median(seconds):.1f} s")


def server(folder: Path) -> None:
    """Print how many images of 512 x 512 the embedded server gives in a second."""
    places = [(column, row) for row in range(3) for column in range(3)]
    tiles = [
        TileSpec(json=tile(folder, f"t{n}", f"{TURNED} {x * 1900} {y * 1900}"))
        for n, (x, y) in enumerate(places)
    ]
    with (
        tempfile.TemporaryDirectory() as data,
        ServerProcess(data, image_roots=[folder]) as service,
        service.connect(owner="bench", project="bench", web_only=True) as render,
    ):
        renderapi.stack.create_stack("montage", render=render)
        import_tilespecs("montage", tiles, render=render, engine="python")
        renderapi.stack.set_stack_state("montage", "COMPLETE", render=render)
        spots = [(300.0 + 450 * (n % 10), 300.0 + 450 * (n // 10)) for n in range(100)]

        for kind in ("jpg", "png", "raw"):

            def fetch(spot: tuple[float, float], kind: str = kind) -> object:
                return renderapi.image.get_bb_image(
                    "montage", 1.0, *spot, 512, 512, 1.0, img_format=kind, render=render
                )

            with ThreadPoolExecutor(4) as pool:
                list(pool.map(fetch, spots))  # compiles, and reads the pictures
                start = time.perf_counter()
                list(pool.map(fetch, spots))
                seconds = time.perf_counter() - start
            print(f"server, {kind} of 512 x 512, 4 clients: {len(spots) / seconds:.0f} images/s")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures(folder)
        renderer(folder)
        filters()
        section(folder)
        server(folder)


if __name__ == "__main__":
    main()
