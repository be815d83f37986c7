"""Tiles whose places are known, where a stage thought they were, and matches between them."""

import numpy as np

from renderapi.transform import AffineModel

SIDE, STEP = 1000, 880


class Planted:
    """A grid of tiles in layers.

    ``truth`` has the matrix of each tile, ``tiles`` documents with stage positions, ``matches`` documents of
    neighbours with noise in pixels.
    """

    def __init__(
        self, rows=3, columns=3, layers=1, *, noise=0.0, stage=15.0, kind="affine", points=40, seed=0, z0=1.0
    ):
        self.rng = np.random.default_rng(seed)
        self.noise, self.points = noise, points
        self.places = [(z, r, c) for z in range(layers) for r in range(rows) for c in range(columns)]
        self.z0 = z0
        self.truth = {self.name(place): self._truth(place, kind) for place in self.places}
        self.tiles = [self._tile(place, stage) for place in self.places]
        self.matches = [self._match(*pair) for pair in self._pairs()]

    def name(self, place):
        return "z{}_r{}_c{}".format(*place)

    def _truth(self, place, kind):
        _, row, column = place
        at = np.array([column, row]) * STEP + self.rng.normal(0, 10, 2)
        turn = self.rng.normal(0, 2e-3) if kind != "translation" else 0.0
        M = np.array([[np.cos(turn), -np.sin(turn), at[0]], [np.sin(turn), np.cos(turn), at[1]], [0, 0, 1]])
        if kind in ("similarity", "affine"):
            M[:2, :2] *= self.rng.normal(1, 2e-3)
        if kind == "affine":
            M[:2, :2] += self.rng.normal(0, 1e-3, (2, 2))
        return M

    def _tile(self, place, stage):
        z, row, column = place
        x, y = np.array([column, row]) * STEP + self.rng.normal(0, stage, 2)
        return {
            "tileId": self.name(place), "z": self.z0 + z, "width": float(SIDE), "height": float(SIDE),
            "layout": {"sectionId": f"{self.z0 + z}"},
            "transforms": {"type": "list", "specList": [AffineModel(B0=x, B1=y).to_dict()]},
        }  # fmt: skip

    def _pairs(self):
        there = set(self.places)
        for z, r, c in self.places:
            for other in ((z, r, c + 1), (z, r + 1, c), (z + 1, r, c), (z + 1, r, c + 1)):
                if other in there:
                    yield (z, r, c), other

    def local(self, name, world):
        M = self.truth[name]
        return (world - M[:2, 2]) @ np.linalg.inv(M[:2, :2]).T

    def _match(self, p, q):
        low = np.maximum(p[1:], q[1:])[::-1] * STEP + 50
        high = np.minimum(p[1:], q[1:])[::-1] * STEP + SIDE - 50
        world = self.rng.uniform(low, high, (self.points, 2))
        return self.document(self.name(p), self.name(q), world)

    def document(self, p, q, world):
        ends = [self.local(name, world) + self.rng.normal(0, self.noise, world.shape) for name in (p, q)]
        groups = [
            next(t["layout"]["sectionId"] for t in self.tiles if t["tileId"] == name) for name in (p, q)
        ]
        return {
            "pGroupId": groups[0], "pId": p, "qGroupId": groups[1], "qId": q,
            "matches": {"p": ends[0].T.tolist(), "q": ends[1].T.tolist(), "w": [1.0] * len(world)},
        }  # fmt: skip

    def error(self, transforms, ids=None):
        """Return how far corners of tiles are from the truth, rms, but for one affine motion of all of them."""
        corners = np.array([[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]], float)
        names = list(self.truth) if ids is None else ids
        here = np.concatenate([transforms(name).tform(corners) for name in names])
        there = np.concatenate([corners @ self.truth[n][:2, :2].T + self.truth[n][:2, 2] for n in names])
        middle = here.mean(axis=0)
        design = np.column_stack([here - middle, np.ones(len(here))])
        left = there - design @ np.linalg.lstsq(design, there, rcond=None)[0]
        return float(np.sqrt((left**2).sum(axis=1).mean()))
