"""HierarchicalDataService: clustered bounds and residuals; the bookkeeping of tiers is not offered."""

from __future__ import annotations

from typing import Any

import numpy as np

from renderapi.server import metadata
from renderapi.server.documents import Document
from renderapi.server.endpoint import (
    PROJECT,
    STACK,
    TEXT,
    Answer,
    Context,
    Service,
    integer,
    json_of,
    string,
)
from renderapi.server.layers import LAYER
from renderapi.server.mapping import to_local, to_world
from renderapi.server.match_documents import utf16_key
from renderapi.server.matches import between_objects, find_collection, select_documents
from renderapi.server.parameters import get_tile, normalized_for_matching
from renderapi.server.refusals import CollectionKey, Refusal, StackKey, not_built
from renderapi.server.tile_rows import TileQuery
from renderapi.server.values import as_boolean, as_text, fields

service = Service("HierarchicalDataService", "Hierarchical alignment")

_WARP = {"consensusRows": integer, "consensusColumns": integer, "consensusBuildMethod": string}


def _not_offered(server: Context, **values: Any) -> Answer:
    """Keep track of a hierarchical alignment (not offered)."""
    raise not_built("hierarchical alignment")


def _declare() -> None:
    service.delete(PROJECT + "/tierData", gives=TEXT)(_not_offered)
    service.get(STACK + "/missingTierMatchLayers")(_not_offered)
    service.get(PROJECT + "/missingTierMatchLayers")(_not_offered)
    service.get(STACK + "/hierarchicalData")(_not_offered)
    service.put(STACK + "/hierarchicalData")(_not_offered)
    service.delete(STACK + "/hierarchicalData")(_not_offered)
    service.get(PROJECT + "/z/{z:double}/affineWarpFieldTransform", query=_WARP)(_not_offered)
    service.get(PROJECT + "/z/{z:double}/affineWarpFieldTransformDebug", query=_WARP)(_not_offered)


_declare()


@service.get(LAYER + "/clusteredTileBoundsForCollection/{matches}", query={"matchOwner": string})
def clustered_tile_bounds(
    server: Context, stack: StackKey, z: float, matches: str, matchOwner: str | None
) -> Answer:
    """Give the bounds of a layer's tiles by clusters that matches connect, the largest first."""
    collection = CollectionKey(matchOwner or stack.owner, matches).checked()
    with server.store.read() as connection:
        bounds = TileQuery(metadata.content_row(connection, stack), z=z).tile_bounds(connection)
        row = find_collection(connection, collection)
        sections = sorted({tile["sectionId"] for tile in bounds if "sectionId" in tile}, key=utf16_key)
        pairs = [
            pair
            for place, p_group in enumerate(sections)
            for q_group in sections[place:]
            for pair in connection.execute(
                "SELECT p_id, q_id FROM pair WHERE collection = ? AND p_group = ? AND q_group = ?",
                (row, p_group, q_group),
            )
        ]
    return json_of(clusters(bounds, pairs))


def clusters(bounds: list[Document], pairs: list[tuple[str, str]]) -> list[list[Document]]:
    """Group tiles that pairs connect, however many others are between them; tiles without pairs are left out.

    Parameters
    ----------
    bounds : list of dict
        TileBounds.
    pairs : list of tuple of str
        Tile ids; pairs with tiles that are not in ``bounds`` do not count.

    Returns
    -------
    list of list of dict
        Largest cluster first, each by tile id.
    """
    tiles = {tile["tileId"]: tile for tile in bounds}
    root = {p: p for pair in pairs for p in pair if pair[0] in tiles and pair[1] in tiles}

    def find(tile_id: str) -> str:
        while root[tile_id] != tile_id:
            root[tile_id] = root[root[tile_id]]
            tile_id = root[tile_id]
        return tile_id

    for p, q in pairs:
        if p in root and q in root:
            root[find(p)] = find(q)
    groups: dict[str, list[Document]] = {}
    for tile_id in sorted(root):
        groups.setdefault(find(tile_id), []).append(tiles[tile_id])
    return sorted(groups.values(), key=len, reverse=True)


@service.post(STACK + "/pairResidualCalculation")
def pair_residual_calculation(server: Context, stack: StackKey, body: Any) -> Answer:
    """Measure how far apart the matches of two tiles lie in a stack."""
    names = {"owner": as_text, "project": as_text, "stack": as_text}
    given = fields(
        body,
        "input data",
        {
            "pTileId": as_text,
            "qTileId": as_text,
            "matchRenderStackId": lambda value, where: fields(value, where, names),
            "matchCollectionId": lambda value, where: fields(
                value, where, {"owner": as_text, "name": as_text}
            ),
            "includeDetails": as_boolean,
        },
    )
    if given is None or len(given) < 5:
        raise Refusal(
            500, "pTileId, qTileId, matchRenderStackId, matchCollectionId and includeDetails must be provided"
        )
    try:
        matched = StackKey(**given["matchRenderStackId"])
        collection = CollectionKey(**given["matchCollectionId"])
    except TypeError:
        raise Refusal(400, "owner, project, stack and name must be provided in full") from None
    tile_ids = (given["pTileId"], given["qTileId"])
    with server.store.read() as connection:
        raw = [get_tile(connection, matched, tile_id) for tile_id in tile_ids]
        aligned = [get_tile(connection, stack, tile_id) for tile_id in tile_ids]
        canvases = [((tile.get("layout") or {}).get("sectionId", ""), tile["tileId"]) for tile in raw]
        row = find_collection(connection, collection)
        selection = between_objects(canvases[0], canvases[1])
        found = select_documents(connection, row, selection)
    if not found or "matches" not in found[0]:
        raise Refusal(404, f"no matches found for tiles '{tile_ids[0]}' and '{tile_ids[1]}' in {collection}")
    sides = ["p", "q"] if (found[0]["pGroupId"], found[0]["pId"]) == canvases[0] else ["q", "p"]
    worlds = []
    for tile, target, side in zip(raw, aligned, sides):
        normalized = {
            **tile,
            "transforms": {
                "type": "list",
                "specList": normalized_for_matching(tile["transforms"]["specList"]),
            },
        }
        points = np.array(found[0]["matches"][side], dtype=float).reshape(2, -1).T
        worlds.append(to_world(target, to_local(normalized, points)))
    distances = np.hypot(*(worlds[0] - worlds[1]).T)
    distances = np.sort(distances[np.isfinite(distances)])
    if not distances.size:
        raise Refusal(400, f"none of the matches of tiles '{tile_ids[0]}' and '{tile_ids[1]}' is invertible")
    answer = {
        "alignedStackId": stack.document(),
        "inputData": given,
        "medianDistance": float(np.median(distances)),
        "meanDistance": float(distances.mean()),
        "maxDistance": float(distances[-1]),
        "rootMeanSquareError": float(np.sqrt(np.mean(distances**2))),
    }
    if given["includeDetails"]:
        answer["distanceList"] = distances.tolist()
    return json_of(answer)
