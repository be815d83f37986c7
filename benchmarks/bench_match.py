"""Point matching of a made-up montage, against OpenCV used without any care, in one run.

Tiles of tissue, made up; each step's time is that of one thread. ``python benchmarks/bench_match.py [COUNT [SIZE]]``
makes COUNT x COUNT tiles of SIZE pixels; default 3 and 640.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from renderapi.demo.montage import tissue
from renderapi.match import (
    FeatureExtraction,
    MatchDerivation,
    draw_canvas,
    extract_features,
    match_features,
)

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 3
SIZE = int(sys.argv[2]) if len(sys.argv) > 2 else 640
STEP, ERROR, NOISE = round(SIZE * 0.88), 25, 5
HOW = FeatureExtraction(minScale=0.02, maxScale=1.0)
DERIVATION = MatchDerivation(matchModelType="TRANSLATION", matchMaxEpsilonFullScale=3, matchMinNumInliers=12)


def tiles(folder: Path) -> tuple[list[dict], np.ndarray]:
    """Write tiles; return their render parameters and where they really are."""
    rng = np.random.default_rng(0)
    side = STEP * (COUNT - 1) + SIZE + 2 * ERROR + 2
    section = tissue(1, side, side)
    documents, places = [], []
    for number in range(COUNT * COUNT):
        at = np.array(divmod(number, COUNT))[::-1] * STEP + ERROR + rng.integers(-ERROR, ERROR + 1, 2)
        seen = section[at[1] : at[1] + SIZE, at[0] : at[0] + SIZE]
        image = np.clip(seen + rng.normal(0, NOISE, seen.shape), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / f"{number}.png", compress_level=1)
        level = {"0": {"imageUrl": f"file:{(folder / str(number)).as_posix()}.png"}}
        tile = {"tileId": str(number), "width": SIZE, "height": SIZE, "mipmapLevels": level}
        tile.update(minIntensity=0, maxIntensity=255, transforms={"type": "list", "specList": []})
        documents.append({"width": SIZE, "height": SIZE, "tileSpecs": [tile]})
        places.append(at)
    return documents, np.array(places)


def careless(p: tuple, q: tuple) -> np.ndarray | None:
    """Match as tutorials of OpenCV do."""
    found = cv2.BFMatcher(cv2.NORM_L2).knnMatch(p[1], q[1], k=2)
    good = [best for best, second in found if best.distance < 0.85 * second.distance]
    if len(good) < 12:
        return None
    ours = np.float32([p[0][match.queryIdx].pt for match in good])
    theirs = np.float32([q[0][match.trainIdx].pt for match in good])
    return cv2.estimateAffinePartial2D(ours, theirs, ransacReprojThreshold=3, maxIters=1000)[0]


def main() -> None:
    """Measure, and print a row for each step."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        documents, places = tiles(Path(name))
        draw_canvas(documents[0])  # compiled, or loaded
        canvases, features, plain = [], [], []
        spent = dict.fromkeys(("draw", "features", "careless features", "pair", "careless pair"), 0.0)

        def timed(step, work, *args):
            began = time.process_time()
            result = work(*args)
            spent[step] += time.process_time() - began
            return result

        for document in documents:
            canvases.append(timed("draw", draw_canvas, document))
            features.append(timed("features", extract_features, canvases[-1], HOW))
            gray = np.rint(canvases[-1].image * 255).astype(np.uint8)
            plain.append(timed("careless features", cv2.SIFT_create().detectAndCompute, gray, None))
    number = np.arange(COUNT * COUNT).reshape(COUNT, COUNT)
    pairs = [*zip(number[:, :-1].flat, number[:, 1:].flat), *zip(number[:-1].flat, number[1:].flat)]
    misses, connected, others = [], 0, 0
    for i, j in pairs:
        found = timed("pair", match_features, features[i], features[j], DERIVATION)
        if found.failure is None:
            connected += 1
            p, q = found.sets[0]
            misses.append((p - q).mean(axis=0) - (places[j] - places[i]))
        others += timed("careless pair", careless, plain[i], plain[j]) is not None
    counts = np.mean([len(f) for f in features]), np.mean([len(k) for k, _ in plain])
    print(f"{len(documents)} tiles of {SIZE} pixels, {len(pairs)} pairs; seconds of one core")
    print(f"draw               {spent['draw'] / len(documents):.3f} a tile")
    print(f"features           {spent['features'] / len(documents):.3f} a tile, {counts[0]:.0f} of them")
    print(
        f"... without care   {spent['careless features'] / len(documents):.3f} a tile, {counts[1]:.0f} of them"
    )
    print(f"match              {spent['pair'] / len(pairs):.3f} a pair, {connected} connected")
    print(f"... without care   {spent['careless pair'] / len(pairs):.3f} a pair, {others} connected")
    print(
        f"shift of a pair    {np.sqrt((np.array(misses) ** 2).sum(axis=1).mean()):.3f} pixels from the truth (rms)"
    )


if __name__ == "__main__":
    main()
