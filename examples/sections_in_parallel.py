"""Work on all sections of a stack side by side, in threads or processes, or on a cluster.

The work here is to measure how much of each section its tiles cover more than once. It is an ordinary
function of a connection, a stack and a z: connections pickle, so any executor can run it,
``distributed.Client(...).get_executor()`` of Dask too. The connection comes from the environment.

    python sections_in_parallel.py --stack montage --workers 4 --processes
"""

import argparse
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import renderapi


def overlap(render, stack, z):
    """Give z, the number of tiles, and the area of all tiles over the area of their common box."""
    boxes = renderapi.stack.get_tilebounds_for_z(stack, z, render=render)
    area = sum((box["maxX"] - box["minX"]) * (box["maxY"] - box["minY"]) for box in boxes)
    whole = renderapi.stack.get_bounds_from_z(stack, z, render=render)
    return z, len(boxes), area / ((whole["maxX"] - whole["minX"]) * (whole["maxY"] - whole["minY"]))


def main():
    """Read the command line and print a line for each section."""
    parser = argparse.ArgumentParser(description="Measure the overlap of tiles, section by section.")
    parser.add_argument("--stack", required=True)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--processes", action="store_true", help="processes instead of threads")
    options = parser.parse_args()

    render = renderapi.connect()
    zs = renderapi.stack.get_z_values_for_stack(options.stack, render=render)
    if options.processes:
        # "spawn" works everywhere, and is safe in programs that have threads
        executor = ProcessPoolExecutor(options.workers, mp_context=get_context("spawn"))
    else:
        executor = ThreadPoolExecutor(options.workers)
    with executor:
        for z, tiles, ratio in executor.map(partial(overlap, render, options.stack), zs):
            print(f"z {z:g}: {tiles} tiles, {100 * (ratio - 1):.1f} % more area than their box")


if __name__ == "__main__":
    main()
