"""HierarchicalDataService: clustered bounds and residuals; the bookkeeping of tiers is not offered."""

from __future__ import annotations

from typing import Any

from renderapi.server import metadata
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
from renderapi.server.mapping import pair_distances
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
    # scipy is loaded with it
    from renderapi.geometry import tile_clusters

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
    tiles = {tile["tileId"]: tile for tile in bounds}
    return json_of([[tiles[tile_id] for tile_id in group] for group in tile_clusters(pairs, tiles)])


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
    if given is not None and "matchRenderStackId" not in given:
        raise Refusal(400, "stackId value must be specified")
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
    normalized = [
        {
            **tile,
            "transforms": {
                "type": "list",
                "specList": normalized_for_matching(tile["transforms"]["specList"]),
            },
        }
        for tile in raw
    ]
    statistics, distances = pair_distances(found[0], normalized, aligned)
    if not distances.size:
        raise Refusal(400, f"none of the matches of tiles '{tile_ids[0]}' and '{tile_ids[1]}' is invertible")
    answer = {
        "alignedStackId": stack.document(),
        "inputData": given,
        "medianDistance": float(statistics.median[0]),
        "meanDistance": float(statistics.mean[0]),
        "maxDistance": float(statistics.maximum[0]),
        "rootMeanSquareError": float(statistics.rms[0]),
    }
    if given["includeDetails"]:
        answer["distanceList"] = distances.tolist()
    return json_of(answer)
