"""HierarchicalDataService: clustered bounds, residuals, and what is known of tiers; aligning them is not offered."""

from __future__ import annotations

from typing import Any

from renderapi import _json
from renderapi._ordering import java_key
from renderapi.geometry import tile_clusters
from renderapi.server.documents.keys import CollectionKey, StackKey
from renderapi.server.documents.mapping import pair_distances
from renderapi.server.documents.tiles import Document
from renderapi.server.documents.values import (
    Rule,
    Rules,
    as_boolean,
    as_double,
    as_integer,
    as_labels,
    as_long,
    as_text,
    fields,
)
from renderapi.server.endpoints.declaring import (
    ABSENT,
    OK,
    PROJECT,
    STACK,
    TEXT,
    Answer,
    Context,
    Service,
    enumeration,
    integer,
    json_of,
    string,
    text_of,
)
from renderapi.server.endpoints.refusals import Refusal, not_built
from renderapi.server.services.layers import LAYER
from renderapi.server.services.parameters import get_tile
from renderapi.server.store import matches as match_rows
from renderapi.server.store import metadata
from renderapi.server.store.tile_rows import TileQuery
from renderapi.transform.flattening import normalized_for_matching

service = Service("HierarchicalDataService", "Hierarchical alignment")

_WARP = {
    "consensusRows": integer,
    "consensusColumns": integer,
    "consensusBuildMethod": enumeration("SIMPLE", "INTERPOLATE"),
}


def _parts(**rules: Rule) -> Rule:
    return lambda value, where: fields(value, where, rules)


_STACK_ID = _parts(owner=as_text, project=as_text, stack=as_text)
_COLLECTION_ID = _parts(owner=as_text, name=as_text)
_BOUNDS = ("minX", "minY", "minZ", "maxX", "maxY", "maxZ")
#: How the place of a stack in a hierarchical alignment is read.
_HIERARCHICAL_DATA: Rules = {
    "roughTilesStackId": _STACK_ID,
    "parentTierStackId": _STACK_ID,
    "alignedStackId": _STACK_ID,
    "warpTilesStackId": _STACK_ID,
    "tier": as_integer,
    "tierRow": as_integer,
    "tierColumn": as_integer,
    "totalTierRowCount": as_integer,
    "totalTierColumnCount": as_integer,
    "scale": as_double,
    "fullScaleBounds": _parts(**dict.fromkeys(_BOUNDS, as_double)),
    "matchCollectionId": _COLLECTION_ID,
    "savedMatchPairCount": as_long,
    "splitGroupIds": as_labels,
    "alignmentQuality": as_double,
}


# ------------------------------------------------------------------------------ the bookkeeping of tiers


@service.get(STACK + "/hierarchicalData", branch="master")
def hierarchical_data(server: Context, stack: StackKey) -> Answer:
    """Return the place of a stack in a hierarchical alignment."""
    with server.store.read() as connection:
        data = metadata.get(connection, stack).metadata.get("hierarchicalData")
    return ABSENT if data is None else json_of(data)


def _set_data(server: Context, stack: StackKey, data: Document | None) -> Answer:
    with server.store.write() as connection:
        found = metadata.get(connection, stack).must_be_writable()
        found.metadata["hierarchicalData"] = data
        found.save(connection)
    return OK


@service.put(STACK + "/hierarchicalData", branch="master")
def save_hierarchical_data(server: Context, stack: StackKey, body: Any) -> Answer:
    """Set the place of a stack in a hierarchical alignment; null removes it."""
    return _set_data(server, stack, fields(body, "hierarchical data", _HIERARCHICAL_DATA))


@service.delete(STACK + "/hierarchicalData", branch="master")
def delete_hierarchical_data(server: Context, stack: StackKey) -> Answer:
    """Take a stack out of a hierarchical alignment."""
    return _set_data(server, stack, None)


def _tiers(server: Context, owner: str, project: str) -> dict[str, Document | None]:
    """Return the hierarchical data of the stacks of a project by their names."""
    with server.store.read() as connection:
        stacks = map(_json.loads, metadata.documents(connection, owner, project))
        return {stack["stackId"]["stack"]: stack.get("hierarchicalData") for stack in stacks}


def _not_offered() -> Refusal:
    return not_built("hierarchical alignment")


@service.delete(PROJECT + "/tierData", gives=TEXT, branch="master")
def delete_tier_data(server: Context, owner: str, project: str) -> Answer:
    """Delete the stacks and matches of a tier (not offered where there are any)."""
    if any(data is not None for data in _tiers(server, owner, project).values()):
        raise _not_offered()
    return text_of(f"removed 0 stacks and 0 match collections for project '{project}' owned by '{owner}'")


@service.get(STACK + "/missingTierMatchLayers", branch="master")
def layers_without_matches(server: Context, stack: StackKey) -> Answer:
    """List the layers of a tier's stack that have no matches (not offered where there is a tier)."""
    with server.store.read() as connection:
        if metadata.get(connection, stack).metadata.get("hierarchicalData") is None:
            raise Refusal(400, f"{stack} does not have hierarchical data")
    raise _not_offered()


@service.get(PROJECT + "/missingTierMatchLayers", branch="master")
def stacks_without_matches(server: Context, owner: str, project: str) -> Answer:
    """List the stacks of a tier that have layers without matches (not offered where there are any matches)."""
    if any(
        data and data.get("savedMatchPairCount", 0) > 0 for data in _tiers(server, owner, project).values()
    ):
        raise _not_offered()
    return json_of([])


def _warp_field(server: Context, owner: str, project: str, **values: Any) -> Answer:
    """Build the warp field of a layer from the aligned stacks of a tier (not offered where there are any)."""
    tiers = _tiers(server, owner, project)
    if any(data and data.get("alignedStackId", {}).get("stack") in tiers for data in tiers.values()):
        raise _not_offered()
    raise Refusal(404, f"No aligned stacks exist for owner '{owner}' and project '{project}'.")


for _path in ("affineWarpFieldTransform", "affineWarpFieldTransformDebug"):
    service.get(f"{PROJECT}/z/{{z:double}}/{_path}", query=_WARP, branch="master")(_warp_field)


# ------------------------------------------------------------------------------ calculations with matches


@service.get(LAYER + "/clusteredTileBoundsForCollection/{matches}", query={"matchOwner": string})
def clustered_tile_bounds(
    server: Context, stack: StackKey, z: float, matches: str, matchOwner: str | None
) -> Answer:
    """Return the bounds of a layer's tiles by clusters that matches connect, the largest first."""
    collection = CollectionKey(matchOwner or stack.owner, matches).checked()
    with server.store.read() as connection:
        bounds = TileQuery(metadata.content_row(connection, stack), z=z).tile_bounds(
            connection, server.newsolver
        )
        row = match_rows.get(connection, collection)
        sections = sorted({tile["sectionId"] for tile in bounds if "sectionId" in tile}, key=java_key)
        pairs = [
            pair
            for place, p_group in enumerate(sections)
            for q_group in sections[place:]
            for pair in match_rows.ids_between(connection, row, p_group, q_group)
        ]
    tiles = {tile["tileId"]: tile for tile in bounds}
    return json_of([[tiles[tile_id] for tile_id in group] for group in tile_clusters(pairs, tiles)])


@service.post(STACK + "/pairResidualCalculation")
def pair_residual_calculation(server: Context, stack: StackKey, body: Any) -> Answer:
    """Measure how far apart the matches of two tiles lie in a stack."""
    given = fields(
        body,
        "input data",
        {
            "pTileId": as_text,
            "qTileId": as_text,
            "matchRenderStackId": _STACK_ID,
            "matchCollectionId": _COLLECTION_ID,
            "includeDetails": as_boolean,
        },
    )
    if given is not None and "matchRenderStackId" not in given:
        raise Refusal(400, "stackId value must be specified")
    if given is None or len(given) < 5:
        raise Refusal(
            500, "pTileId, qTileId, matchRenderStackId, matchCollectionId and includeDetails must be provided"
        )
    if server.newsolver and not given["includeDetails"]:
        raise Refusal(500, "without includeDetails the residuals cannot be summed up")
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
        row = match_rows.get(connection, collection)
        found = match_rows.documents(connection, row, match_rows.between_objects(canvases[0], canvases[1]))
    if not found or "matches" not in found[0]:
        raise Refusal(404, f"no matches found for tiles '{tile_ids[0]}' and '{tile_ids[1]}' in {collection}")
    normalized = [
        {
            **tile,
            "transforms": {
                "type": "list",
                "specList": normalized_for_matching(tile["transforms"]["specList"], server.newsolver),
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
