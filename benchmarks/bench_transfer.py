"""How fast stacks and matches are carried, beside what it should be at least, and the memory it takes.

Each server runs in a process of its own. Run it on a machine with nothing else to do::

    python benchmarks/bench_transfer.py [--tiles 1000000] [--pairs 1000000] [--data DIR]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_server import LAYER, layer

from renderapi import _json
from renderapi.http import transport
from renderapi.server.http.process import ServerProcess
from renderapi.stack import create_stack, set_stack_state

GROUP, POINTS = 5_000, 20


def fill(server: ServerProcess, tiles: int, pairs: int) -> None:
    render = server.connect(owner="bench", project="p")
    base = f"{server.url}/v1/owner/bench"
    create_stack("s", render=render)
    layers = [layer(0, seed, lens=seed % 2 == 0) for seed in range(2)]
    for z in range(tiles // LAYER):
        # the same numbers in other layers: writing them anew would take longer than storing them
        body = layers[z % 2].replace(b'.0.0"', b'.%d.0"' % z).replace(b'"z":0.0', b'"z":%d.0' % z)
        url = f"{base}/project/p/stack/s/resolvedTiles"
        transport.send(render.session, "PUT", url, document=body, params={"deriveData": "true"})
    set_stack_state("s", "COMPLETE", render=render)
    rng = random.Random(1)
    points = [[[round(rng.uniform(0, 3840), 6) for _ in range(POINTS)] for _ in "xy"] for _ in range(100)]
    for group in range(pairs // GROUP):
        body = [
            {
                "pGroupId": f"{group:05d}.0", "pId": f"tile_{number}", "qGroupId": f"{group + 1:05d}.0",
                "qId": f"tile_{number % 71}",
                "matches": {"p": points[number % 100], "q": points[number % 99], "w": [1.0] * POINTS},
            }
            for number in range(GROUP)
        ]  # fmt: skip
        transport.send(render.session, "PUT", f"{base}/matchCollection/c/matches", document=_json.dumps(body))


def cpu_seconds(server: ServerProcess) -> float:
    """Return the time that a server has worked (Linux)."""
    fields = Path(f"/proc/{server._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


CALLS = {
    "stack, server to server": ("copy_stack('s', to_render=there, render=here, **how)", "tiles", 15_000),
    "... again, nothing to do": ("copy_stack('s', to_render=there, render=here, **how)", "tiles", 0),
    "stack to Parquet": (
        "export_stack('s', folder + '/p', format='parquet', render=here, **how)",
        "tiles",
        100_000,
    ),
    "stack to JSON lines, gzip": ("export_stack('s', folder + '/j', render=here, **how)", "tiles", 0),
    "Parquet to stack": ("import_stack(folder + '/p', 'p', render=there, **how)", "tiles", 0),
    "matches to Parquet": (
        "export_matches('c', folder + '/m', format='parquet', render=here, **how)",
        "pairs",
        20_000,
    ),
    "Parquet to matches": ("import_matches(folder + '/m', 'c', render=there, **how)", "pairs", 20_000),
}
# in a process of its own, so that memory is that of the call
PROGRAM = """
import resource, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import renderapi, renderapi.transfer
from renderapi.transfer import *
def warm(number):
    import renderapi.transfer, pandas, pyarrow.parquet, msgspec
    time.sleep(0.5)
if __name__ == "__main__":
    here, there = (renderapi.connect(url=url, owner="bench", project="p") for url in sys.argv[1:3])
    folder, call, processes = sys.argv[3:]
    how = {}
    if int(processes):
        how = {"executor": ProcessPoolExecutor(int(processes), mp_context=get_context("spawn"))}
        list(how["executor"].map(warm, range(int(processes))))
    warm(0)
    start, before = time.perf_counter(), time.process_time()
    result = eval(call)
    seconds, cpu = time.perf_counter() - start, time.process_time() - before
    for executor in how.values():
        executor.shutdown()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(seconds, cpu, (own + child * int(processes)) / 1024, result.content.count)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--data", default=None)
    options = parser.parse_args()
    print(f"load {os.getloadavg()}")
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        program = Path(folder) / "program.py"
        program.write_text(PROGRAM)
        with ServerProcess(f"{folder}/a") as here, ServerProcess(f"{folder}/b") as there:
            start = time.perf_counter()
            fill(here, options.tiles, options.pairs)
            print(f"filled in {time.perf_counter() - start:.0f} s")
            for processes in (0, 2):
                for name, (call, unit, wanted) in CALLS.items():
                    if processes:
                        call = call.replace("folder + '/", "folder + '/2").replace("'s', to", "'s', 't', to")
                        call = call.replace("'p', render", "'p2', render").replace(
                            "'c', render=there", "'c2', render=there"
                        )
                    words = [sys.executable, str(program), here.url, there.url, folder, call, str(processes)]
                    before = cpu_seconds(here) + cpu_seconds(there)
                    done = subprocess.run(words, capture_output=True, text=True, check=False)
                    if done.returncode:
                        raise RuntimeError(done.stderr)
                    servers = cpu_seconds(here) + cpu_seconds(there) - before
                    seconds, cpu, memory, count = map(float, done.stdout.split())
                    each = f"cpu {'' if processes else f'{cpu / count * 1e6:.0f} + '}{servers / count * 1e6:.0f} us"
                    how = f"{processes} processes" if processes else "2 threads"
                    rate = f"{count / seconds:>10,.0f} {unit}/s"
                    print(
                        f"{name:30} {how:12} {rate} {memory:6.0f} MB  {each:18} {f'>= {wanted:,}' if wanted else ''}"
                    )
    print(f"load {os.getloadavg()}")


if __name__ == "__main__":
    main()
