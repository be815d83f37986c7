"""What a solver reports: how well tiles fit, before and after, and what is odd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Pair = tuple[str, str]


class Seam(NamedTuple):
    """How well two tiles fit.

    Attributes
    ----------
    p, q : str
        The tiles.
    matches : int
        Number of matches.
    before, after : float
        Root mean square of their distances in the world, in pixels.
    factor : float
        Factor of the weight of the pair in the end.
    """

    p: str
    q: str
    matches: int
    before: float
    after: float
    factor: float


@dataclass
class SolveReport:
    """What came out of solving.

    Residuals are root mean squares of the distances of the ends of matches in the world, weighted, in pixels.

    Attributes
    ----------
    model : str
        The model.
    tile_ids : list of str
        The tiles, n of them.
    layers : list of float
        Their layers, ascending.
    pairs : (m, 2) int array
        The pairs of tiles that were used, as indices of `tile_ids`: p and q.
    matches : (m,) int array
        Number of matches of each pair.
    pair_before, pair_after : (m,) array
        Residual of each pair.
    weights : (m,) array
        Sum of the weights of the matches of each pair, across layers times `cross_weight`.
    factors : (m,) array
        Factor of the weight of each pair in the end; 1 without robust weights.
    outliers : (m,) bool array
        Pairs whose residual is more than three scales; none without robust weights.
    scale : float or None
        Scale of residuals by which pairs were judged, in pixels.
    tile_before, tile_after : (n,) array
        Residual of each tile over all its pairs; NaN without any.
    components : list of list of str
        Ids of the tiles that matches connect, the largest component first.
    unmatched, placed : list of str
        Tiles without matches; those of them that were placed by their neighbours.
    few, unknown, elsewhere : list of (str, str)
        Pairs that were left out: with too few matches, with a tile that is not there, with points outside of
        their tiles.
    unknown_tiles : list of str
        The tiles that are not there.
    scales : (n, 2) array
        How much each tile is scaled along x and y.
    shears, rotations : (n,) array
        Its shear along x, and its rotation in radians.
    moved : (n,) array
        How far its centre moved, in pixels.
    method : {"direct", "iterative"}
        How it was solved.
    rounds, steps : int
        How often it was solved with new weights, and in how many steps of conjugate gradients.
    """

    model: str
    tile_ids: list[str]
    layers: list[float]
    pairs: Indices
    matches: Indices
    pair_before: Array
    pair_after: Array
    weights: Array
    factors: Array
    outliers: NDArray[np.bool_]
    scale: float | None
    tile_before: Array
    tile_after: Array
    components: list[list[str]]
    unmatched: list[str]
    placed: list[str]
    scales: Array
    shears: Array
    rotations: Array
    moved: Array
    method: str
    rounds: int
    steps: int
    few: list[Pair] = field(default_factory=list)
    unknown: list[Pair] = field(default_factory=list)
    unknown_tiles: list[str] = field(default_factory=list)
    elsewhere: list[Pair] = field(default_factory=list)

    @property
    def rms_before(self) -> float:
        """Residual of all pairs before, in pixels."""
        return _rms(self.pair_before, self.weights)

    @property
    def rms_after(self) -> float:
        """Residual of all pairs that are no outliers, in pixels."""
        kept = ~self.outliers
        return _rms(self.pair_after[kept], self.weights[kept])

    def worst_seams(self, count: int = 10) -> list[Seam]:
        """Return the pairs that fit worst, the worst first; outliers are among them.

        Parameters
        ----------
        count : int
            How many at most.

        Returns
        -------
        list of Seam
        """
        return [self._seam(index) for index in np.argsort(-self.pair_after, kind="stable")[:count]]

    def outlier_seams(self) -> list[Seam]:
        """Return the pairs that do not fit the others, the worst first."""
        order = np.argsort(-self.pair_after, kind="stable")
        return [self._seam(index) for index in order[self.outliers[order]]]

    def _seam(self, index: int) -> Seam:
        p, q = (self.tile_ids[tile] for tile in self.pairs[index])
        return Seam(
            p,
            q,
            int(self.matches[index]),
            float(self.pair_before[index]),
            float(self.pair_after[index]),
            float(self.factors[index]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a document for JSON: all statistics, lists of what is odd, no arrays."""
        return {
            "model": self.model,
            "layers": self.layers,
            "tiles": len(self.tile_ids),
            "pairs": len(self.pairs),
            "matches": int(self.matches.sum()),
            "residualBefore": self.rms_before,
            "residualAfter": self.rms_after,
            "pairResiduals": _statistics(self.pair_after),
            "tileResiduals": _statistics(self.tile_after),
            "scaleX": _statistics(self.scales[:, 0]),
            "scaleY": _statistics(self.scales[:, 1]),
            "shear": _statistics(self.shears),
            "rotation": _statistics(self.rotations),
            "moved": _statistics(self.moved),
            "worstSeams": [seam._asdict() for seam in self.worst_seams()],
            "outliers": [seam._asdict() for seam in self.outlier_seams()],
            "outlierScale": self.scale,
            "components": [len(component) for component in self.components],
            "unmatchedTiles": self.unmatched,
            "placedByNeighbors": self.placed,
            "pairsWithFewMatches": self.few,
            "pairsWithUnknownTiles": self.unknown,
            "unknownTiles": self.unknown_tiles,
            "pairsElsewhere": self.elsewhere,
            "method": self.method,
            "rounds": self.rounds,
            "steps": self.steps,
        }

    def __str__(self) -> str:
        """Say the most important figures in a few lines."""
        lines = [
            f"{len(self.tile_ids)} tiles, {len(self.pairs)} pairs, {self.matches.sum()} matches: {self.model}",
            f"residual {self.rms_before:.2f} -> {self.rms_after:.2f} px",
        ]
        for number, what in (
            (len(self.components) - 1, "more components than one"),
            (int(self.outliers.sum()), "pairs do not fit the others"),
            (len(self.unmatched), "tiles without matches"),
            (len(self.few), "pairs with too few matches"),
            (len(self.unknown), "pairs with tiles that are not there"),
            (len(self.elsewhere), "pairs with points outside of their tiles"),
        ):
            if number > 0:
                lines.append(f"{number} {what}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<SolveReport: {str(self).splitlines()[0]}>"


def _rms(residuals: Array, weights: Array) -> float:
    if not len(residuals):
        return float("nan")
    return float(np.sqrt(np.average(residuals**2, weights=weights)))


def _statistics(values: Array) -> Mapping[str, float | None]:
    there = values[np.isfinite(values)]
    if not len(there):
        return dict.fromkeys(("mean", "median", "deviation", "minimum", "maximum"))
    return {
        "mean": float(there.mean()),
        "median": float(np.median(there)),
        "deviation": float(there.std()),
        "minimum": float(there.min()),
        "maximum": float(there.max()),
    }
