"""How long pictures of many tiles take, ``python benchmarks/bench_plot.py [TILES]``.

CPU seconds until the PNG is written.
"""

from __future__ import annotations

import io
import sys
import time

import numpy as np
from matplotlib.figure import Figure

from renderapi import plot

SIDE, STEP = 2048, 1843


def boxes(count: int):
    """Return the boxes of a square mosaic whose stage errs."""
    number = np.arange(count)
    side = int(np.ceil(np.sqrt(count)))
    low = np.column_stack([number % side, number // side]) * STEP + np.random.default_rng(1).uniform(
        -40, 40, (count, 2)
    )
    return np.hstack([low, low + SIDE])


def measured(name: str, draw) -> None:
    start = time.process_time()
    figure = Figure(layout="constrained")
    draw(figure.subplots())
    figure.savefig(io.BytesIO(), format="png")
    print(f"{name:44} {time.process_time() - start:6.2f} s")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    measured("an empty one, which loads fonts", lambda ax: None)
    tiles = boxes(count)
    rng = np.random.default_rng(2)
    values, cameras = rng.random(count), rng.choice(["a", "b", "c", "d"], count)
    measured("section_layout, 50,000 tiles, polygons", lambda ax: plot.section_layout(tiles[:50_000], ax=ax))
    measured(f"section_layout, {count:,} tiles", lambda ax: plot.section_layout(tiles, ax=ax))
    measured(
        f"section_layout, {count:,} tiles, by numbers", lambda ax: plot.section_layout(tiles, values, ax=ax)
    )
    measured(
        f"section_layout, {count:,} tiles, by texts", lambda ax: plot.section_layout(tiles, cameras, ax=ax)
    )
    layers = [{"z": z, "tileCount": 100, "minX": 0, "minY": 0, "maxX": 9, "maxY": 9} for z in range(20_000)]
    measured("stack_overview, 20,000 layers", lambda ax: plot.stack_overview(layers, ax=ax))


if __name__ == "__main__":
    main()
