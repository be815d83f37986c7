"""Which function asks for which endpoint, and with what: the tests and the page of the documentation use it.

``python tests/endpoint_table.py`` writes the page.
"""

import importlib
import inspect
import re
from pathlib import Path

from PIL import Image

import renderapi
from renderapi.tilespec import TileSpec

PAGE = Path(__file__).parents[1] / "docs" / "endpoints.rst"
O, P = "/owner/{owner}", "/owner/{owner}/project/{project}"
S, M = P + "/stack/{stack}", O + "/matchCollection/{matchCollection}"
Z, T = S + "/z/{z}", S + "/tile/{tileId}"
GROUP, DVID = S + "/group/{groupId}", "/dvid/imagetile/raw/xy/{width}_{height}/{x}_{y}_{z}"
BOX = "/box/{x},{y},{width},{height},{scale}"
LARGE = S + "/largeDataTileSource/{width}/{height}"

#: What stands in paths, by the words of the server.
PATH = {
    "owner": "own", "project": "proj", "stack": "st", "fromProject": "proj", "fromStack": "st", "toStack": "to",
    "z": 7.5, "minZ": 7.5, "maxZ": 8.5, "x": 1.5, "y": 2.25, "width": 30, "height": 20, "scale": 0.5,
    "tileId": "t 1", "sectionId": "7.5", "groupId": "7.5", "pGroupId": "7.5", "qGroupId": "8.5", "pId": "t 1",
    "qId": "t 2", "id": "t 1", "transformId": "lens", "matchCollection": "mc", "fromMatchCollection": "mc",
    "state": "COMPLETE", "trialId": "0123456789abcdef01234567", "level": 1, "row": 2, "column": 3,
}  # fmt: skip
#: What stands in queries.
QUERY = {
    "minZ": "7.5", "maxZ": "8.5", "minX": "-10", "maxX": "1000", "minY": "-20", "maxY": "2000",
    "groupId": "7.5", "matchPattern": "^t", "tileIdPattern": "^t", "format": "KARSH", "deriveData": "true",
    "binaryMask": "true", "channels": "DAPI", "convertToGray": "true", "excludeMask": "true",
    "fillWithNoise": "false", "filter": "false", "filterListName": "list", "minIntensity": "3", "maxIntensity": "200",
    "scale": "0.5", "maxTileSpecsToRender": "9", "maxOverviewWidthAndHeight": "90", "translateOrigin": "true",
    "widthFactor": "0.25", "heightFactor": "0.75", "boundingBoxesOnly": "true", "meshCellSize": "32",
    "toOwner": "own", "toProject": "proj", "matchOwner": "own", "mergeCollection": "mc2",
    "excludeMatchDetails": "true", "consensusRows": "4", "consensusColumns": "5", "consensusBuildMethod": "SIMPLE",
    "x": "1", "y": "2", "width": "30", "height": "20", "normalizeForMatching": "true",
    "excludeTransformsAfterLast": "a", "excludeFirstTransformAndAllAfter": "b", "excludeAllTransforms": "true",
    "z": "7.5", "skipTransforms": "true",
}  # fmt: skip
VERSION = {"createTimestamp": "2020-01-01T00:00:00.000Z", "versionNotes": "n"}
TILE = {
    "tileId": "t 1", "groupId": "7.5", "layout": {"sectionId": "7.5"}, "z": 7.5, "width": 30.0, "height": 20.0,
    "minIntensity": 0.0, "maxIntensity": 255.0, "mipmapLevels": {"0": {"imageUrl": "file:/t.png"}},
    "transforms": {"type": "list", "specList": []},
}  # fmt: skip
MATCH = {
    "pGroupId": "7.5", "pId": "t 1", "qGroupId": "8.5", "qId": "t 2",
    "matches": {"p": [[1.0, 2.0], [3.0, 4.0]], "q": [[5.0, 6.0], [7.0, 8.0]], "w": [1.0, 1.0]},
}  # fmt: skip
WORLD, LOCAL = {"world": [5.0, 6.0, 7.5], "tileId": "t 1"}, {"tileId": "t 1", "local": [5.0, 6.0, 7.5]}
#: Arguments by the names that functions have for them.
ARGUMENTS = {
    **{name: float(QUERY[name]) for name in ("minX", "maxX", "minY", "maxY", "minZ", "maxZ")},
    **{name: int(QUERY[name]) for name in ("consensusRows", "consensusColumns", "maxOverviewWidthAndHeight")},
    **{name: float(QUERY[name]) for name in ("widthFactor", "heightFactor", "meshCellSize")},
    **{name: QUERY[name] for name in ("matchPattern", "tileIdPattern", "format", "toOwner", "toProject")},
    **{name: QUERY[name] for name in ("matchOwner", "consensusBuildMethod", "filterListName")},
    **{name: value for name, value in PATH.items() if name not in ("owner", "project")},
    **dict.fromkeys(("binaryMask", "convertToGray", "excludeMask", "translateOrigin", "deriveData"), True),
    "minIntensity": 3, "maxIntensity": 200, "maxTileSpecsToRender": 9, "channel": "DAPI", "fillWithNoise": False,
    "filter": False, "boundingBoxesOnly": True, "excludeMatchDetails": True, "mergeCollections": "mc2",
    "pgroup": "7.5", "qgroup": "8.5", "pid": "t 1", "qid": "t 2", "section": "7.5", "sectionid": "7.5", "tile": "t 1",
    "pgroupId": "7.5", "tileIds": ["t 1"], "resolved_tiles": [TileSpec(json=TILE)], "force_resolution": False,
    "normalizeForMatching": True, "excludeTransformsAfterLast": "a", "excludeFirstTransformAndAllAfter": "b",
    "excludeAllTransforms": True, "inputstack": "st", "outputstack": "to",
}  # fmt: skip

ROWS: list = []


def row(endpoint, function, body=None, **arguments):
    ROWS.append((endpoint, function, body, arguments))


def _images(path, function, formats=("jpeg", "png", "tiff"), **arguments):
    for name in formats:
        row(f"GET {path}/{name}-image", function, img_format=name, **arguments)


row(
    f"PUT {Z}/tileIdsForCoordinates",
    "coordinate.get_tile_ids_for_coordinates_from_z",
    [WORLD],
    coordinates=[WORLD],
)
row(f"PUT {S}/tileIdsForCoordinates", "coordinate.get_tile_ids_for_coordinates", [WORLD], coordinates=[WORLD])
for _way in ("local-to-world", "world-to-local"):
    _name, _points = _way.replace("-", "_"), [LOCAL if _way[0] == "l" else WORLD]
    row(
        f"PUT {O}/{_way}-coordinates/{{x}},{{y}}",
        f"coordinate.{_name}_coordinates_of_tilespec",
        TILE,
        tilespec=TILE,
    )
    row(
        f"PUT {S}/{_way}-coordinates",
        f"coordinate.{_name}_coordinates_of_stack",
        _points,
        coordinates=_points,
    )
    row(f"PUT {Z}/{_way}-coordinates", f"coordinate.{_name}_coordinates_batch", _points, d=_points)
row(f"GET {T}/local-to-world-coordinates/{{x}},{{y}}", "coordinate.local_to_world_coordinates")
row(f"GET {Z}/world-to-local-coordinates/{{x}},{{y}}", "coordinate.world_to_local_coordinates")
row(
    f"GET {Z}/world-coordinates/{{x}},{{y}}/mapped-to-stack/{{toStack}}",
    "coordinate.map_world_coordinates_to_stack",
)

row("GET /namedFilterSpecLists", "service.get_named_filter_spec_lists")
row("GET /serverProperties", "service.get_server_properties")
row("GET /versionInfo", "service.get_version_info")
row("DELETE /imageProcessorCache/allEntries", "service.delete_image_cache")
for _kind, _document in (("render", {"tileSpecs": [TILE]}), ("tile", TILE), ("tile-array", [TILE]),
                         ("transform", {"type": "list", "specList": []}), ("transform-array", [])):  # fmt: skip
    row(f"PUT {O}/validate-json/{_kind}", "service.validate_json", _document, kind=_kind, document=_document)

row(f"DELETE {P}/tierData", "hierarchical.delete_tier_data")
row(f"GET {S}/missingTierMatchLayers", "hierarchical.get_missing_tier_match_layers")
row(f"GET {P}/missingTierMatchLayers", "hierarchical.get_missing_tier_match_layers_by_project")
row(f"GET {S}/hierarchicalData", "hierarchical.get_hierarchical_data")
row(f"PUT {S}/hierarchicalData", "hierarchical.set_hierarchical_data", {"scale": 0.5}, data={"scale": 0.5})
row(f"DELETE {S}/hierarchicalData", "hierarchical.delete_hierarchical_data")
row(f"GET {P}/z/{{z}}/affineWarpFieldTransform", "hierarchical.get_affine_warp_field_transform")
row(f"GET {P}/z/{{z}}/affineWarpFieldTransformDebug", "hierarchical.get_affine_warp_field_transform_debug")
row(f"GET {Z}/clusteredTileBoundsForCollection/{{matchCollection}}", "hierarchical.get_clustered_tilebounds")
row(f"POST {S}/pairResidualCalculation", "hierarchical.get_pair_residuals", {"a": 1}, parameters={"a": 1})

row("GET /matchCollectionOwners", "pointmatch.get_matchcollection_owners")
row(f"GET {O}/matchCollections", "pointmatch.get_matchcollections")
row(f"GET {M}/pGroupIds", "pointmatch.get_match_groupIds_from_only", mergeCollections=None)
row(f"GET {M}/qGroupIds", "pointmatch.get_match_groupIds_to_only", mergeCollections=None)
row(f"GET {M}/groupIds", "pointmatch.get_match_groupIds", mergeCollections=None)
row(f"GET {M}/multiConsensusPGroupIds", "pointmatch.get_multiconsensus_groupIds_from_only")
row(f"GET {M}/multiConsensusGroupIds", "pointmatch.get_multiconsensus_groupIds")
row(f"GET {M}/pGroup/{{pGroupId}}/matches", "pointmatch.get_matches_with_group")
row(f"GET {M}/group/{{groupId}}/matchesWithinGroup", "pointmatch.get_matches_within_group")
row(f"GET {M}/group/{{groupId}}/matchesOutsideGroup", "pointmatch.get_matches_outside_group")
_PAIR = "/group/{pGroupId}/id/{pId}/matchesWith/{qGroupId}/id/{qId}"
row(f"GET {M}/group/{{pGroupId}}/matchesWith/{{qGroupId}}", "pointmatch.get_matches_from_group_to_group")
row(f"GET {M}{_PAIR}", "pointmatch.get_matches_from_tile_to_tile")
row(
    f"GET {M}/group/{{pGroupId}}/id/{{pId}}/matchesWith/{{qGroupId}}",
    "pointmatch.get_matches_from_tile_to_group",
)
row(f"GET {M}/group/{{groupId}}/id/{{id}}", "pointmatch.get_matches_involving_tile")
row(f"DELETE {M}/group/{{groupId}}/id/{{id}}", "pointmatch.delete_point_matches_of_tile")
row(f"DELETE {M}{_PAIR}", "pointmatch.delete_point_matches_between_tiles")
row(
    f"DELETE {M}/group/{{pGroupId}}/matchesWith/{{qGroupId}}",
    "pointmatch.delete_point_matches_between_groups",
)
row(f"DELETE {M}/pGroup/{{pGroupId}}/matches", "pointmatch.delete_point_matches_with_group")
row(f"DELETE {M}/group/{{groupId}}/matchesOutsideGroup", "pointmatch.delete_point_matches_outside_group")
row(f"PUT {M}/matches", "pointmatch.import_matches", [MATCH], data=[MATCH])
row(f"GET {M}/pGroup/{{pGroupId}}/matchCounts", "pointmatch.get_match_counts")
row(f"PUT {M}/pGroup/{{pGroupId}}/matchCounts", "pointmatch.set_match_counts")
row(f"DELETE {M}", "pointmatch.delete_collection")
row(
    f"PUT {O}/matchCollection/{{fromMatchCollection}}/collectionId", "pointmatch.rename_collection",
    {"owner": "own", "name": "mc3"}, newName="mc3",
)  # fmt: skip
row(f"GET {O}/matchTrial/{{trialId}}", "matchtrial.get_match_trial")
row(f"POST {O}/matchTrial", "matchtrial.run_match_trial", {"a": 1}, parameters={"a": 1})
row(f"DELETE {O}/matchTrial/{{trialId}}", "matchtrial.delete_match_trial")

row(f"GET {S}/layoutFile", "section.get_layout_file")
row(f"GET {Z}/layoutFile", "section.get_layout_file_from_z")
row(f"GET {S}/zRange/{{minZ}},{{maxZ}}/layoutFile", "section.get_layout_file_from_z_range")
row(f"GET {S}/zValues", "stack.get_z_values_for_stack")
row(f"GET {S}/sectionData", "stack.get_stack_sectionData")
row(f"GET {S}/reorderedSectionData", "section.get_reordered_sectionData")
row(f"GET {S}/mergedZValues", "section.get_merged_z_values")
row(f"GET {S}/mergeableData", "section.get_mergeable_data")
row(f"GET {S}/mergeableZValues", "section.get_mergeable_z_values")
row(f"GET {Z}/bounds", "stack.get_bounds_from_z")
row(f"GET {Z}/sectionData", "section.get_sectionData_from_z")
row(f"GET {Z}/tileBounds", "stack.get_tilebounds_for_z", tileIdPattern=None)
row(f"PUT {Z}/tileIds", "section.set_z_of_tiles", ["t 1"])
row(f"GET {Z}/resolvedTiles", "resolvedtiles.get_resolved_tiles_from_z", matchPattern=None)
row(f"GET {S}/resolvedTiles", "resolvedtiles.get_resolved_tiles", matchPattern=None)
row(f"PUT {S}/resolvedTiles", "resolvedtiles.put_tilespecs", ...)
row(f"PUT {Z}/resolvedTiles", "resolvedtiles.put_tilespecs_of_z", ...)
row(f"GET {S}/section/{{sectionId}}/z", "stack.get_section_z_value")
row(f"PUT {S}/section/{{sectionId}}/z", "section.set_section_z_value", 7.5)
row(f"GET {S}/section/{{sectionId}}/tileBounds", "section.get_tilebounds_for_section", tileIdPattern=None)
row(f"DELETE {S}/section/{{sectionId}}", "section.delete_section_by_id")
row(f"GET {S}/transform/{{transformId}}", "resolvedtiles.get_shared_transform")
row(f"GET {Z}/box/{{x}},{{y}},{{width}},{{height}}/tile-count", "section.get_tile_count_of_box")
row(f"GET {S}{DVID}/tile-count", "section.get_tile_count_of_dvid_box")
row(f"GET {Z}/tile-specs", "tilespec.get_tile_specs_from_z", tileIdPattern=None)
row(f"GET {Z}/last-tile-transforms", "section.get_last_tile_transforms", tileIdPattern=None)
row(f"PUT {S}/tile-specs-with-ids", "tilespec.get_tile_specs_with_ids", ["t 1"])
row(f"GET {S}/tileIds", "stack.get_stack_tileIds")

row(f"GET {Z}/render-parameters", "image.get_section_renderparams", tileIdPattern=None)
row(f"GET {Z}{BOX}/render-parameters", "image.get_bb_renderparams")
row(f"GET {GROUP}/z/{{z}}{BOX}/render-parameters", "image.get_group_bb_renderparams")
for _format in ("jpeg", "png", "tiff"):
    row(
        f"PUT {O}/{_format}-image",
        "image.get_renderparameters_image",
        {},
        renderparams={},
        img_format=_format,
    )
_images(Z, "image.get_section_image", tileIdPattern=None)
_images(Z + BOX, "image.get_bb_image", ("jpeg", "png", "tiff", "tiff16", "png16", "raw16", "raw"))
_images(f"{GROUP}/z/{{z}}{BOX}", "image.get_group_bb_image")
for _start, _group in ((S, None), (GROUP, "7.5")):
    row(f"GET {_start}{DVID}/render-parameters", "image.get_dvid_renderparams", groupId=_group)
    for _format in ("jpg", "png", "tif"):
        row(f"GET {_start}{DVID}/{_format}", "image.get_dvid_image", groupId=_group, img_format=_format)
for _format in ("jpg", "png"):
    row(
        f"GET {LARGE}/{{level}}/{{z}}/{{row}}/{{column}}.{_format}",
        "image.get_large_data_tile",
        img_format=_format,
    )
    row(f"GET {LARGE}/small/{{z}}.{_format}", "image.get_large_data_overview", img_format=_format)
row(f"GET {T}/render-parameters", "image.get_tile_renderparams")
_images(T, "image.get_tile_image_data", ("jpeg", "png", "tiff", "tiff16"))
for _what in ("source", "mask"):
    row(f"GET {T}/{_what}/scale/{{scale}}/render-parameters", f"image.get_tile_{_what}_renderparams")
    _images(f"{T}/{_what}", f"image.get_tile_{_what}_image")
row(f"GET {T}/withNeighbors/render-parameters", "image.get_tile_with_neighbors_renderparams")
row(f"GET {T}/withNeighbors/jpeg-image", "image.get_tile_with_neighbors_image")

row(f"GET {T}", "tilespec.get_tile_spec_raw")
row(f"DELETE {T}", "stack.delete_tile")
row(f"GET {T}/validation-info", "tilespec.get_tile_validation_info")
row("GET /likelyUniqueId", "stack.likelyUniqueId")
row("GET /owners", "render.get_owners")
row(f"GET {O}/projects", "render.get_projects")
row(f"GET {O}/stackIds", "render.get_stack_ids_by_owner")
row(f"GET {P}/stackIds", "render.get_stack_ids_by_project")
row(f"GET {O}/stacks", "render.get_stack_metadata_by_owner")
row(f"GET {P}/stacks", "render.get_stack_metadata_by_project")
row(f"GET {S}", "stack.get_full_stack_metadata")
row(
    f"PUT {O}/project/{{fromProject}}/stack/{{fromStack}}/stackId", "stack.rename_stack",
    {"owner": "own", "project": "proj", "stack": "st2"},
    stack="st", to_stack="st2",
)  # fmt: skip
row(
    f"PUT {O}/project/{{fromProject}}/stack/{{fromStack}}/cloneTo/{{toStack}}", "stack.clone_stack", ...,
    zs=[7.5], skipTransforms=True,
)  # fmt: skip
row(f"POST {S}", "stack.set_stack_metadata", VERSION, sv=VERSION)
row(f"DELETE {S}", "stack.delete_stack")
for _key, _name, _value in (
    ("resolutionValues", "resolution_values", [4.0, 4.0, 40.0]),
    ("mipmapPathBuilder", "mipmap_path_builder", {"rootPath": "/m", "numberOfLevels": 3, "extension": "png"}),
    ("cycle", "cycle", {"number": 1, "stepNumber": 2}),
    ("materializedBoxRootPath", "materialized_box_root_path", "/boxes"),
    ("defaultChannel", "default_channel", "DAPI"),
):
    row(f"GET {S}/{_key}", f"stackversion.get_{_name}")
    row(f"PUT {S}/{_key}", f"stackversion.set_{_name}", _value, value=_value)
    row(f"DELETE {S}/{_key}", f"stackversion.delete_{_name}")
row(f"DELETE {Z}", "stack.delete_section")
row(f"PUT {S}/state/{{state}}", "stack.set_stack_state")
row(f"GET {S}/bounds", "stack.get_stack_bounds")
row(
    f"GET {S}/resolvedTilesWithMatchesFrom/{{matchCollection}}",
    "resolvedtiles.get_resolved_tiles_with_matches",
)


#: Endpoints that only servers of newsolver have, with their queries.
NEWSOLVER = {
    f"GET {S}/resolvedTilesWithMatchesFrom/{{matchCollection}}": {
        "minZ",
        "maxZ",
        "groupId",
        "minX",
        "maxX",
        "minY",
        "maxY",
        "matchPattern",
    }
}


#: Words of the query that only newsolver knows.
NEWER_WORDS = {"tileIdPattern": "^t", "matchPattern": "^t", "tileSpecOrder": "DESCENDING_TILE_ID_ORDER",
               "maskMinX": "3", "maskMinY": "4"}  # fmt: skip
_BY_PATTERN = (
    f"{Z}/tileBounds",
    f"{S}/section/{{sectionId}}/tileBounds",
    f"{Z}/tile-specs",
    f"{Z}/last-tile-transforms",
)


def newer_words(endpoint):
    """Return the words that newsolver added to the query of an endpoint."""
    method, _, path = endpoint.partition(" ")
    if method != "GET":
        return []
    found = []
    picture = re.search(r"render-parameters$|-image$|/(jpg|png|tif)$|\.(jpg|png)$", path)
    if path in _BY_PATTERN or (picture and re.fullmatch(re.escape(Z) + "/[^/]*", path)):
        found.append("tileIdPattern")
    if path in (f"{S}/resolvedTiles", f"{Z}/resolvedTiles"):
        found.append("matchPattern")
    if picture:
        found += ["tileSpecOrder", "maskMinX", "maskMinY"]
    return found


def endpoints():
    """Return the names of the query of each endpoint."""
    found = dict(NEWSOLVER)
    for line in (Path(__file__).parent / "server" / "endpoints.txt").read_text().splitlines():
        _, method, path, *names = line.split()
        found[f"{method} {re.sub(r':[a-z]+}', '}', path)}"] = {name.rstrip("*") for name in names}
    return found


def function_of(name):
    """Return the function of a row."""
    module, _, function = name.partition(".")
    return getattr(importlib.import_module(f"renderapi.{module}"), function)


def arguments_of(function, given):
    """Return the arguments of a call: those of the row, and what all rows share."""
    connection = ("host", "port", "owner", "project", "session", "render")
    names = [*inspect.signature(function).parameters, *getattr(function, "accepts", ())]
    shared = {name: ARGUMENTS[name] for name in names if name in ARGUMENTS and name not in connection}
    return {name: value for name, value in {**shared, **given}.items() if value is not None}


#: Arguments that the stack of the test has nothing for.
NOT_THERE = {"channel", "filterListName", "mergeCollections", "excludeTransformsAfterLast"}
#: What the embedded server refuses of the calls below, and with which words.
REFUSED = {
    f"GET {S}/missingTierMatchLayers": "does not have hierarchical data",
    f"GET {P}/z/{{z}}/affineWarpFieldTransform": "No aligned stacks exist",
    f"GET {P}/z/{{z}}/affineWarpFieldTransformDebug": "No aligned stacks exist",
    f"GET {O}/matchTrial/{{trialId}}": "does not exist",
    f"POST {O}/matchTrial": "featureAndMatchParameters are not defined",
    f"POST {S}/pairResidualCalculation": "stackId value must be specified",
    f"PUT {O}/validate-json/tile": "is not in an allowed folder",
    f"PUT {O}/validate-json/tile-array": "is not in an allowed folder",
    f"PUT {O}/validate-json/render": "is not in an allowed folder",
}


def fill(render, folder):
    """Make two stacks of a tile in each of two layers, and a collection of a pair."""
    Image.new("L", (30, 20), 90).save(folder / "t.png")
    level = {"imageUrl": (folder / "t.png").as_uri(), "maskUrl": (folder / "t.png").as_uri()}
    lens = {"type": "leaf", "id": "lens", "className": "mpicbg.trakem2.transform.AffineModel2D",
            "dataString": "1 0 0 1 0 0"}  # fmt: skip
    transforms = {"type": "list", "specList": [{"type": "ref", "refId": "lens"}]}
    tiles = {
        name: {**TILE, "tileId": name, "z": z, "layout": {"sectionId": str(z)}, "groupId": str(z),
               "mipmapLevels": {"0": level}, "transforms": transforms}
        for name, z in (("t 1", 7.5), ("t 2", 8.5))
    }  # fmt: skip
    document = {"tileIdToSpecMap": tiles, "transformIdToSpecMap": {"lens": lens}}
    for stack in ("st", "to"):
        renderapi.stack.create_stack(stack, render=render)
        collection = renderapi.resolvedtiles.ResolvedTiles(json=document)
        renderapi.resolvedtiles.put_tilespecs(stack, collection, render=render)
    renderapi.stack.set_stack_state("st", "COMPLETE", render=render)
    renderapi.pointmatch.import_matches("mc", [MATCH], render=render)


def prepare(render, endpoint, folder):
    """Make the stacks and matches of `fill` anew, ready for one request that changes something."""
    for stack in renderapi.render.get_stacks_by_owner_project(render=render):
        renderapi.stack.delete_stack(stack, render=render)
    for collection in renderapi.pointmatch.get_matchcollections(render=render):
        renderapi.pointmatch.delete_collection(collection["collectionId"]["name"], render=render)
    fill(render, folder)
    if "cloneTo" in endpoint:
        renderapi.stack.delete_stack("to", render=render)
    if not re.search("cloneTo|cycle|Path|Channel|Values|Data", endpoint):
        renderapi.stack.set_stack_state("st", "LOADING", render=render)


def served_arguments(function, given):
    """Return the arguments of a call that the stacks of `fill` have something for."""
    return {name: value for name, value in arguments_of(function, given).items() if name not in NOT_THERE}


def page():
    """Return the page of the documentation."""
    lines = [
        "Endpoints", "=========", "",
        "Every endpoint of render-ws, below ``/render-ws/v1``, and the function that asks for it. This page is made by",
        "``tests/endpoint_table.py``. The last one only servers of render's branch newsolver have; those have none of",
        "the tiers and hierarchical data. A function for what a server does not have raises an",
        "`renderapi.errors.EndpointMissingError`; `renderapi.render.Render.server` tells what it has. The last column",
        "has words of the query that only newsolver knows, and others ignore; functions have keywords of their names.",
        "",
        ".. list-table::", "   :header-rows: 1", "",
        "   * - endpoint", "     - function", "     - only newsolver",
    ]  # fmt: skip
    for endpoint, function, _, _ in ROWS:
        words = "all" if endpoint in NEWSOLVER else ", ".join(f"``{word}``" for word in newer_words(endpoint))
        if function_of(function).__dict__.get("only_of") == "master":
            words = "does not have it"
        lines += [f"   * - ``{endpoint}``", f"     - `renderapi.{function}`", f"     - {words}".rstrip()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
