"""Store point matches from a CSV file, read them back, and say how well the tiles are aligned.

Each line of the file is one match: the ids of both tiles, the point in the raw image of each, and a
weight; see ``matches.csv``. The tiles must be in the stack (``import_section.py`` with
``tile_positions.csv`` puts them there). Group ids are section ids, taken from the tiles. The connection
comes from the environment.

    python point_matches.py matches.csv --stack montage --collection montage_matches
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

import renderapi
from renderapi.transform import estimate_dstpts


def main():
    """Read the command line, store the matches, and print the residual of each pair."""
    parser = argparse.ArgumentParser(description="Store point matches and print residuals.")
    parser.add_argument("csv", help="file of matches")
    parser.add_argument("--stack", required=True)
    parser.add_argument("--collection", required=True)
    options = parser.parse_args()

    render = renderapi.connect()
    pairs = defaultdict(list)
    with Path(options.csv).open(newline="") as file:
        for row in csv.DictReader(file):
            pairs[row["pId"], row["qId"]].append(
                [float(row[key]) for key in ("px", "py", "qx", "qy", "weight")]
            )

    ids = {tile_id for pair in pairs for tile_id in pair}
    tiles = {i: renderapi.tilespec.get_tile_spec(options.stack, i, render=render) for i in ids}
    missing = sorted(i for i, tile in tiles.items() if tile is None)
    if missing:
        raise SystemExit(f"not in {options.stack}: {', '.join(missing)}")

    documents = []
    for (p_id, q_id), rows in pairs.items():
        px, py, qx, qy, weight = np.array(rows).T
        documents.append(
            {
                "pGroupId": tiles[p_id].layout.sectionId,
                "pId": p_id,
                "qGroupId": tiles[q_id].layout.sectionId,
                "qId": q_id,
                "matches": {"p": [px, py], "q": [qx, qy], "w": weight},
            }
        )
    renderapi.pointmatch.import_matches(options.collection, documents, render=render)

    for group in sorted({document["pGroupId"] for document in documents}):
        stored = renderapi.pointmatch.get_matches_with_group(options.collection, group, render=render)
        for match in stored:
            p = estimate_dstpts(tiles[match["pId"]].tforms, np.transpose(match["matches"]["p"]))
            q = estimate_dstpts(tiles[match["qId"]].tforms, np.transpose(match["matches"]["q"]))
            residuals = np.linalg.norm(p - q, axis=1)
            print(
                f"{match['pId']} - {match['qId']}: {len(p)} matches, mean residual {residuals.mean():.2f} px"
            )


if __name__ == "__main__":
    main()
