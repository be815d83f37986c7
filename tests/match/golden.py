"""What the original's match clients answered for made-up tissue, and where its tiles really are."""

import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np

HOME = Path(__file__).resolve().parents[1] / "data" / "golden" / "matches"
# tiles with a pose that an affine transform describes
PLAIN = ("t0", "t1", "t2", "t4", "t5", "t6", "t7")


@cache
def load(name):
    return json.loads(gzip.decompress((HOME / f"{name}.json.gz").read_bytes()))


@cache
def _tiles():
    return json.loads((HOME / "tiles.json").read_text())


def specs():
    """Return tile specs of the nine tiles."""
    text = json.dumps(_tiles()["specs"]).replace('"tiles/', f'"file:{HOME.as_posix()}/tiles/')
    return json.loads(text)


def case(name, of="client"):
    [found] = [case for case in load(of)["cases"] if case["name"] == name]
    return found


def stage(options, query=""):
    """Return the options of PointMatchClient as a stage."""
    return {
        "featureRender": {
            "renderScale": options.get("renderScale", 1.0),
            "renderWithFilter": "filter=true" in query,
            "renderWithoutMask": "excludeMask=true" in query,
        },
        "featureExtraction": {k.removeprefix("SIFT"): v for k, v in options.items() if k.startswith("SIFT")},
        "featureMatchDerivation": {k: v for k, v in options.items() if k.startswith("match")},
    }


def residuals(document):
    """Return how far the matches of a document are from the truth, in pixels; None of warped tiles."""
    if not {document["pId"], document["qId"]} <= set(PLAIN):
        return None
    ends = []
    for side in "pq":
        m = _tiles()["tiles"][document[f"{side}Id"]]["m"]
        x, y = np.array(document["matches"][side])
        ends.append(np.stack([m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]]))
    return np.linalg.norm(ends[0] - ends[1], axis=0)
