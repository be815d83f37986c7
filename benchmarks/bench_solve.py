"""Time, memory and truth of solving made-up montages: ``python benchmarks/bench_solve.py [TILES [POINTS [LAYERS]]]``.

Default 20,000 tiles in 67,000 pairs of 49 matches, in one layer, affine transforms; ``OMP_NUM_THREADS=1`` keeps it
to one core. A million tiles with 10 matches a pair: ``python benchmarks/bench_solve.py 1000000 10``. Match documents
are made as they are asked for, as they come from a server; how long that takes is said apart. The error is how far
apart neighbours put places that they share.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from renderapi.solve import solve_matches

SIDE, STEP = 2048, 1840
#: Pixels by which the stage errs, and by which each end of a match does, along each axis.
STAGE_ERROR, NOISE = 25.0, 0.3


class Montage:
    """Tiles whose places are known."""

    def __init__(self, tiles: int, points: int, layers: int) -> None:
        rng = np.random.default_rng(0)
        rows = int((tiles / layers) ** 0.5)
        columns = -(-tiles // (rows * layers))
        self.points = points
        grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(
            -1, 2
        )
        self.z = np.repeat(np.arange(layers, dtype=float), len(grid))
        where = np.tile(grid, (layers, 1))
        n = len(where)
        self.linear = np.eye(2) + rng.normal(0, 1e-3, (n, 2, 2))
        self.shift = where[:, ::-1] * STEP + rng.normal(0, 10, (n, 2))
        self.stage = where[:, ::-1] * STEP + rng.normal(0, STAGE_ERROR, (n, 2))
        index = np.arange(n).reshape(layers, rows, columns)
        # two neighbours for each, two more at corners for two thirds of the tiles, those of the next layer
        corners = np.concatenate([
            np.stack([index[:, :-1, :-1].ravel(), index[:, 1:, 1:].ravel()], axis=1),
            np.stack([index[:, :-1, 1:].ravel(), index[:, 1:, :-1].ravel()], axis=1),
        ])  # fmt: skip
        self.pairs = np.concatenate([
            np.stack([index[:, :, :-1].ravel(), index[:, :, 1:].ravel()], axis=1),
            np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=1),
            np.stack([index[:-1].ravel(), index[1:].ravel()], axis=1),
            corners[rng.permutation(len(corners))[: int(len(corners) * 0.68)]],
        ])  # fmt: skip
        self.pairs = self.pairs[np.argsort(self.pairs[:, 0], kind="stable")]
        self.where = where

    def tiles(self) -> Iterator[dict[str, Any]]:
        """Make the tile specs, placed where the stage was."""
        for number, (x, y) in enumerate(self.stage.tolist()):
            spec = {
                "type": "leaf",
                "className": "mpicbg.trakem2.transform.AffineModel2D",
                "dataString": f"1.0 0.0 0.0 1.0 {x!r} {y!r}",
            }
            yield {
                "tileId": str(number), "z": float(self.z[number]), "width": float(SIDE), "height": float(SIDE),
                "layout": {"sectionId": str(self.z[number])},
                "transforms": {"type": "list", "specList": [spec]},
            }  # fmt: skip

    def truth(self, tile: Any, local: Any) -> Any:
        """Map local points to where they belong."""
        return (self.linear[tile] @ local[..., None])[..., 0] + self.shift[tile]

    def local(self, tile: Any, world: Any) -> Any:
        """Map points to where they are in a tile."""
        return np.linalg.solve(self.linear[tile], (world - self.shift[tile])[..., None])[..., 0]

    def world(self, pairs: Any, rng: Any) -> Any:
        """Make up points in the overlap of pairs."""
        at = self.where[pairs][:, :, ::-1] * STEP
        low, high = at.max(axis=1) + 20, at.min(axis=1) + SIDE - 20
        return rng.uniform(low[:, None], high[:, None], (len(pairs), self.points, 2))

    def matches(self) -> Iterator[dict[str, Any]]:
        """Make the match documents."""
        rng = np.random.default_rng(1)
        weights = [1.0] * self.points
        for start in range(0, len(self.pairs), 2000):
            pairs = self.pairs[start : start + 2000]
            world = self.world(pairs, rng)
            ends = [self.local(pairs[:, side, None], world) for side in (0, 1)]
            ends = [(end + rng.normal(0, NOISE, end.shape)).swapaxes(1, 2).tolist() for end in ends]
            for (p, q), at_p, at_q in zip(pairs.tolist(), *ends):
                yield {
                    "pGroupId": str(self.z[p]), "pId": str(p), "qGroupId": str(self.z[q]), "qId": str(q),
                    "matches": {"p": at_p, "q": at_q, "w": weights},
                }  # fmt: skip

    def seam_error(self, solution: Any) -> float:
        """Return how far apart the tiles put places that they share, rms in pixels; 0 is the truth."""
        world = self.world(self.pairs, np.random.default_rng(2))[:, :4]
        ends = []
        for side in (0, 1):
            tile = self.pairs[:, side, None]
            local = np.concatenate([np.ones((*world.shape[:2], 1)), self.local(tile, world)], axis=-1)
            ends.append(np.einsum("mdk,msk->msd", solution.coefficients[tile[:, 0]], local))
        return float(np.sqrt(((ends[0] - ends[1]) ** 2).sum(axis=-1).mean()))


def main(
    tiles: int = 20_000, points: int = 49, layers: int = 1, model: str = "affine", method: str = "auto"
) -> None:
    """Solve a montage, and print how it went."""
    made = Montage(tiles, points, layers)
    documents = list(made.tiles())
    start, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in made.matches())
    making, making_cpu = time.perf_counter() - start, time.process_time() - cpu
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(documents)} tiles, {count} pairs, {count * points} matches, {model}; making them {making:.1f} s"
    )
    start, cpu = time.perf_counter(), time.process_time()
    solution = solve_matches(documents, made.matches(), model, method=method)
    took, cpu = time.perf_counter() - start - making, time.process_time() - cpu - making_cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{took:.1f} s ({cpu:.1f} s of the processor), {memory:.2f} GB at most ({before:.2f} GB before)")
    report = solution.report
    print(report, f"\n{report.method}, {report.rounds} rounds, {report.steps} steps")
    print(f"error at seams {made.seam_error(solution):.3f} px, noise {NOISE * 2:.2f} px")


if __name__ == "__main__":
    given = [int(word) if word.isdigit() else word for word in sys.argv[1:]]
    main(*given)  # type: ignore[arg-type]
