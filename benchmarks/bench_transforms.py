"""Transforms and geometry, against render-python 2.4.2 and as rates.

``PEER_PYTHON`` names an interpreter with render-python 2.4.2; without, an environment is made for it.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import peer

TRANSFORMS = """
import numpy as np
from renderapi.transform import AffineModel, Polynomial2DTransform, ThinPlateSplineTransform

rng = np.random.default_rng(1)
million = rng.uniform(0, 4096, (1_000_000, 2))
affine = AffineModel(1.01, 0.02, -0.03, 0.99, 1234.5, -321.25)
params = np.zeros((2, 10))
params[0, 1] = params[1, 2] = 1
params += rng.normal(size=params.shape) * [1, 1e-3, 1e-3, 1e-7, 1e-7, 1e-7, 1e-11, 1e-11, 1e-11, 1e-11]
cubic = Polynomial2DTransform(params=params)
x, y = np.meshgrid(np.linspace(0, 4096, 15), np.linspace(0, 4096, 15))
knots = np.column_stack([x.ravel(), y.ravel()])
spline = ThinPlateSplineTransform()
spline.estimate(knots, knots + rng.normal(size=knots.shape))
few = million[:100_000]
target = affine.tform(few) + rng.normal(size=few.shape)
document = affine.to_dict()

report["affine"] = timed(lambda: affine.tform(million))
report["cubic"] = timed(lambda: cubic.tform(million))
report["spline"] = timed(lambda: spline.tform(few), 3)
started = time.process_time()
spline.tform(few)
report["spline cpu"] = time.process_time() - started
try:
    import numba
except ImportError:
    pass
spline.tform(few)
report["compiled"] = timed(lambda: spline.tform(few), 3)
started = time.process_time()
spline.tform(few)
report["compiled cpu"] = time.process_time() - started
report["fit"] = timed(lambda: AffineModel.fit(few, target), 3)
report["write"] = timed(lambda: [affine.to_dict() for _ in range(20_000)])
report["read"] = timed(lambda: [AffineModel(json=document) for _ in range(20_000)])
"""

# the fit of render-python needs memory that grows with the square of the number of pairs: it is given 2,000
POLYNOMIAL_FIT = """
import resource
import numpy as np
from renderapi.transform import Polynomial2DTransform

rng = np.random.default_rng(1)
src = rng.uniform(0, 1, (PAIRS, 2))
dst = src + 0.01 * src**2
report["fit"] = timed(lambda: Polynomial2DTransform.fit(src, dst, order=2), 3)
report["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""


def comparison() -> list[tuple[str, str, str, str, str]]:
    ours, theirs = peer.both(TRANSFORMS)
    rows = [
        peer.ratio_row("AffineModel.tform, 1,000,000 points", ours["affine"], theirs["affine"], ">= 3x"),
        peer.ratio_row(
            "Polynomial2DTransform.tform, order 3, 1,000,000 points", ours["cubic"], theirs["cubic"], ">= 3x"
        ),
        peer.ratio_row(
            "ThinPlateSplineTransform.tform, 225 knots, 100,000 points",
            ours["spline"],
            theirs["spline"],
            ">= 3x",
        ),
        peer.ratio_row("... after the compiler was loaded", ours["compiled"], theirs["spline"], ">= 3x"),
        peer.ratio_row(
            "... CPU time of it, all threads", ours["compiled cpu"], theirs["spline cpu"], ">= 3x"
        ),
        peer.ratio_row("AffineModel.fit, 100,000 pairs", ours["fit"], theirs["fit"], ">= 10x"),
        peer.ratio_row("AffineModel.to_dict, 20,000 times", ours["write"], theirs["write"], ""),
        peer.ratio_row("AffineModel(json=), 20,000 times", ours["read"], theirs["read"], ""),
    ]
    many = peer.run(sys.executable, f"PAIRS = 20_000\n{POLYNOMIAL_FIT}")
    same = peer.run(sys.executable, f"PAIRS = 2_000\n{POLYNOMIAL_FIT}")
    fewer = peer.run(peer.python(), f"PAIRS = 2_000\n{POLYNOMIAL_FIT}")
    rows.append(peer.ratio_row("Polynomial2DTransform.fit, 2,000 pairs", same["fit"], fewer["fit"], ""))
    rows.append(("... 20,000 pairs", peer.seconds(many["fit"]), "", "", ""))
    rows.append(
        ("... memory of the process", f"{many['memory']:.0f} MB", f"{fewer['memory']:.0f} MB", "", "< 1 GB")
    )
    return rows


def rate(function: Callable[[], object], items: int, repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return items / statistics.median(times)


def robust() -> list[tuple[str, float, str]]:
    """Pairs a second, of which 40 % do not belong; render-python has nothing of the kind."""
    import numpy as np

    from renderapi.transform import AffineModel, RigidModel

    rng = np.random.default_rng(3)
    rows = []
    for count in (200, 10_000):
        p = rng.uniform(0, 4096, (count, 2))
        q = p + rng.normal(size=p.shape) + np.where(rng.random((count, 1)) < 0.4, 500.0, 0.0)
        for model in (RigidModel, AffineModel):
            fitted = rate(lambda model=model, p=p, q=q: model.fit(p, q, ransac=True), count)
            rows.append((f"{model.__name__}.fit(ransac=True), {count:,} pairs, pairs/s", fitted, ""))
    return rows


def geometry() -> list[tuple[str, float, str]]:
    import numpy as np

    from renderapi.geometry import CoordinateMesh, bounding_boxes, points_to_local, points_to_world
    from renderapi.tilespec import TileSpec
    from renderapi.transform import AffineModel, NonLinearCoordinateTransform

    rng = np.random.default_rng(2)
    points = rng.uniform(0, 2048, (400, 2))
    lens = NonLinearCoordinateTransform(transformId="lens")
    lens.estimate(points, points + rng.normal(size=points.shape), ndim=5)
    affine, corrected = [], []
    for i in range(100_000):
        numbers = (rng.normal(size=6) * 1e-3 + [1, 0, 0, 1, i % 300 * 1900, i // 300 * 1900]).tolist()
        leaf = AffineModel(*numbers).to_dict()
        tile = {"tileId": str(i), "z": 1.0, "width": 2048.0, "height": 2048.0}
        affine.append({**tile, "transforms": {"type": "list", "specList": [leaf]}})
        reference = {"type": "ref", "refId": "lens"}
        corrected.append({**tile, "transforms": {"type": "list", "specList": [reference, leaf]}})
    read = [TileSpec(json=tile) for tile in affine]
    made = [TileSpec(json=tile) for tile in affine]
    for tile in made:
        tile.tforms[0].M[0, 2] += 1.0
    shared = [lens.to_dict()]
    mesh = CoordinateMesh(affine[0])
    world = mesh.local_to_world(rng.uniform(0, 2047, (500_000, 2)))
    mesh.world_to_local(world[:1000])
    n = len(affine)
    every = np.arange(n)
    inside = rng.uniform(1, 2046, (n, 2))
    alone = {
        "affine": (affine, points_to_world(affine, every, inside), None),
        "shared lens (5) and affine": (corrected, points_to_world(corrected, every, inside, shared), shared),
    }
    return [
        ("bounding_boxes, affine documents, tiles/s", rate(lambda: bounding_boxes(affine), n), ">= 150,000"),
        (
            "bounding_boxes, affine TileSpec objects as read",
            rate(lambda: bounding_boxes(read), n),
            ">= 150,000",
        ),
        (
            "bounding_boxes, affine TileSpec objects, edited",
            rate(lambda: bounding_boxes(made), n),
            ">= 150,000",
        ),
        (
            "bounding_boxes, shared lens (5) and affine",
            rate(lambda: bounding_boxes(corrected, shared), n),
            ">= 20,000",
        ),
        (
            "world_to_local, one affine tile, points/s",
            rate(lambda: mesh.world_to_local(world), 500_000),
            ">= 500,000",
        ),
        *(
            (
                f"points_to_local, one point in each tile, {kind}",
                rate(lambda of=of: points_to_local(of[0], every, of[1], of[2]), n),
                ">= 37,000",
            )
            for kind, of in alone.items()
        ),
        (
            "CoordinateMesh.world_to_local, one point, a mesh for each",
            rate(lambda: [CoordinateMesh(tile).world_to_local(world[:1]) for tile in affine[:300]], 300),
            "",
        ),
    ]


if __name__ == "__main__":
    peer.table(comparison())
    print()
    for what, value, wanted in [*robust(), *geometry()]:
        print(f"{what:60s} {value:12,.0f}   {wanted}")
