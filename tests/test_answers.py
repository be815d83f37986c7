"""What the functions of endpoints answer is right: known small data, and what other functions say of it."""

import re

import endpoint_table
import numpy as np
import pytest
import responses
from PIL import Image

import renderapi
from renderapi import (
    coordinate,
    hierarchical,
    image,
    matchtrial,
    pointmatch,
    resolvedtiles,
    section,
    service,
    stackversion,
    tilespec,
)
from renderapi import stack as stacks
from renderapi.errors import BadRequestError, NotFoundError, RenderError, StackStateError
from renderapi.layout import Layout
from renderapi.render import (
    connect,
    get_projects,
    get_stack_ids_by_owner,
    get_stack_ids_by_project,
    get_stack_metadata_by_project,
)
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, ReferenceTransform

#: Tile -> z, section, group, left edge in the world. Every tile is 30 x 20 pixels, with its top at 0.
TILES = {
    "a0": (1.0, "1", "g0", 0), "a1": (1.0, "1", "g1", 25), "b0": (2.0, "2", "g0", 0),
    "c0": (2.0, "5", "g1", 25), "d0": (2.5, "2.5", "g0", 0),
}  # fmt: skip
LENS = AffineModel(B0=1.0, transformId="lens")
WIDTH, HEIGHT = 30, 20


def pixels(name):
    """Return the image of a tile, bright enough to be told from nothing, different for each tile."""
    ramp = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH) % 97
    return (ramp + 40 + 20 * list(TILES).index(name)).astype(np.uint8)


def half_mask():
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, : WIDTH // 2] = 255
    return mask


def made(folder, names, dx=0, dy=0):
    for name in names:
        z, section_id, group, left = TILES[name]
        own = AffineModel(B0=left - 1 + dx, B1=dy)
        mask = (folder / "mask.png").as_uri() if name == "d0" else None
        yield TileSpec(
            tileId=name, z=z, width=WIDTH, height=HEIGHT, groupId=group, minint=0, maxint=255, maskUrl=mask,
            imageUrl=(folder / f"{name}.png").as_uri(), layout=Layout(sectionId=section_id, stageX=7.0, stageY=8.0),
            tforms=[ReferenceTransform("lens"), own],
        )  # fmt: skip


def pair(p_group, p, q_group, q, count, consensus=False):
    points = [[i + 1.0 for i in range(count)], [2.0] * count]
    document = {"pGroupId": p_group, "pId": p, "qGroupId": q_group, "qId": q,
                "matches": {"p": points, "q": points, "w": [1.0] * count}}  # fmt: skip
    if consensus:
        document["consensusSetData"] = {"index": 0, "originalPId": p, "originalQId": q}
    return document


PAIRS = [
    pair("1", "a0", "1", "a1", 3), pair("1", "a0", "2", "b0", 4), pair("1", "a1", "2", "b0", 5, True),
    pair("2", "b0", "5", "c0", 6), pair("5", "c0", "5", "c1", 2),
]  # fmt: skip


def fill(render, folder):
    Image.fromarray(half_mask()).save(folder / "mask.png")
    for name in TILES:
        Image.fromarray(pixels(name)).save(folder / f"{name}.png")
    stacks.create_stack("st", stackResolutionX=4, stackResolutionY=4, stackResolutionZ=35, render=render)
    resolvedtiles.put_tilespecs("st", ResolvedTiles(list(made(folder, TILES)), [LENS]), render=render)
    stacks.clone_stack("st", "closed", close_stack=True, render=render)
    stacks.create_stack("moved", render=render)
    resolvedtiles.put_tilespecs(
        "moved", ResolvedTiles(list(made(folder, TILES, 100, 50)), [LENS]), render=render
    )
    pointmatch.import_matches("mc", PAIRS, render=render)


@pytest.fixture(scope="module")
def render(tmp_path_factory):
    """Return a connection to data that no test changes."""
    folder = tmp_path_factory.mktemp("images")
    with serve_background(image_roots=[folder]) as server:
        render = server.connect(owner="own", project="proj")
        fill(render, folder)
        yield render


@pytest.fixture
def changing(tmp_path):
    """Return a connection to data of one test, and the folder of the images."""
    with serve_background(image_roots=[tmp_path]) as server:
        render = server.connect(owner="own", project="proj")
        fill(render, tmp_path)
        yield render, tmp_path


@pytest.fixture
def described(render):
    """Make the stack ``meta``, which has nothing but what is said of it."""
    stacks.create_stack("meta", stackResolutionX=4, render=render)
    yield
    stacks.delete_stack("meta", render=render)


@pytest.fixture
def mine(render):
    """Make the collection ``mine`` of an owner of its own."""
    own = render.options(owner="me")
    pointmatch.import_matches("mine", PAIRS, render=own)
    yield own
    for found in pointmatch.get_matchcollections(render=own):
        pointmatch.delete_collection(found["collectionId"]["name"], render=own)


def keys(documents):
    return [(m["pId"], m["qId"]) for m in documents]


# ------------------------------------------------------------------------------------------- coordinates


def test_points_and_the_tiles_that_they_lie_in(render):
    local, world = {"tileId": "a1", "local": [5.0, 6.0]}, {"world": [27.0, 6.0, 1.0]}
    (found,) = coordinate.local_to_world_coordinates_of_stack("st", [local], render=render)
    assert (found["tileId"], found["world"]) == ("a1", [30.0, 6.0, 1.0])
    tile = tilespec.get_tile_specs_with_ids("st", ["a1"], render=render)[0]
    assert coordinate.local_to_world_coordinates_of_tilespec(tile, 5, 6, render=render) == [30.0, 6.0, 1.0]
    back = coordinate.world_to_local_coordinates_of_tilespec(tile, 30, 6, render=render)
    assert np.allclose(back, [5, 6, 1], rtol=0, atol=1e-9)
    ((under, over),) = coordinate.world_to_local_coordinates_of_stack("st", [world], render=render)
    assert (under["tileId"], over["tileId"], over["visible"]) == ("a0", "a1", True)
    assert np.allclose([under["local"][:2], over["local"][:2]], [[27, 6], [2, 6]], rtol=0, atol=1e-9)
    for found in (
        coordinate.get_tile_ids_for_coordinates("st", [world, {"world": [900, 0, 1]}], render=render),
        coordinate.get_tile_ids_for_coordinates_from_z("st", 1, [world, {"world": [900, 0]}], render=render),
    ):
        assert [[item.get("tileId") for item in items] for items in found] == [["a0", "a1"], [None]]


def test_a_point_of_the_world_is_mapped_to_another_stack(render):
    there = coordinate.map_world_coordinates_to_stack("st", 1, 30, 6, "moved", render=render)
    assert there["tileId"] == "a1" and np.allclose(there["world"], [130, 56, 1], rtol=0, atol=1e-9)
    with pytest.raises(BadRequestError, match="no tile specifications found"):
        coordinate.map_world_coordinates_to_stack("st", 1, 900, 6, "moved", render=render)


# ------------------------------------------------------------------------------------------- the server


def test_a_server_tells_its_filters_properties_and_version(render):
    lists = service.get_named_filter_spec_lists(render=render)["namedFilterSpecLists"]
    classes = [spec["className"].rpartition(".")[2] for spec in lists["default"]]
    assert classes == ["ValueToNoise", "ValueToNoise", "NormalizeLocalContrast"]
    assert service.get_server_properties(render=render)["filePath"] == ":memory:"
    assert service.get_version_info(render=render)["git.build.version"] == renderapi.__version__


@responses.activate
def test_a_server_without_a_version_tells_none():
    responses.get("http://h:1/render-ws/v1/versionInfo", status=204)
    assert service.get_version_info(host="http://h", port=1) is None


def test_images_that_changed_are_read_when_the_cache_is_deleted(changing):
    render, folder = changing

    def gray():
        return image.get_tile_source_image("st", "a0", render=render)[..., 0]

    assert np.array_equal(gray()[:-1, :-1], pixels("a0")[:-1, :-1])
    Image.fromarray(pixels("b0")).save(folder / "a0.png")
    service.delete_image_cache(render=render)
    assert np.array_equal(gray()[:-1, :-1], pixels("b0")[:-1, :-1])


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [("tile", "TileSpec", "a0"), ("tile-array", "TileSpec", "tile"), ("transform", "TransformSpec", "lens"),
     ("transform-array", "TransformSpec", ""), ("render", "RenderParameters", "")],
)  # fmt: skip
def test_a_server_checks_documents_without_storing_them(render, kind, name, shown):
    (tile,) = tilespec.get_tile_specs_with_ids("st", ["a0"], render=render)
    lens = LENS.to_dict()
    good = {"tile": tile, "tile-array": [tile], "transform": lens, "transform-array": [lens],
            "render": {"width": 5, "height": 5, "tileSpecs": [tile.to_dict()]}}[kind]  # fmt: skip
    text = service.validate_json(kind, good, render=render)
    assert text.startswith("Successfully parsed") and name in text and shown in text
    broken, lens = {"tileId": "x", "width": "wide"}, {**lens, "dataString": "x"}
    bad = {"tile": broken, "tile-array": [broken], "render": {"width": "wide"},
           "transform": lens, "transform-array": [lens]}[kind]  # fmt: skip
    with pytest.raises(BadRequestError, match="Failed to parse"):
        service.validate_json(kind, bad, render=render)


def test_stacks_are_listed_by_owner_and_project(render):
    mine = {"owner": "own", "project": "proj"}
    expected = [{**mine, "stack": name} for name in ("closed", "moved", "st")]
    for ids in (get_stack_ids_by_owner(render=render), get_stack_ids_by_project(render=render)):
        assert sorted(ids, key=lambda found: found["stack"]) == expected
    assert get_stack_ids_by_project(project="none", render=render) == []
    assert get_projects(render=render) == ["proj"]
    for metadata in get_stack_metadata_by_project(render=render):
        assert metadata == stacks.get_full_stack_metadata(metadata["stackId"]["stack"], render=render)


# ------------------------------------------------------------------------------------------- metadata


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("resolution_values", [1.5, 2.0, 30.0], "stackResolutionX"),
        (
            "mipmap_path_builder",
            {"rootPath": "/m/", "numberOfLevels": 3, "extension": "png"},
            "mipmapPathBuilder",
        ),
        ("cycle", {"number": 3, "stepNumber": 4}, "cycleNumber"),
        ("materialized_box_root_path", "/boxes", "materializedBoxRootPath"),
        ("default_channel", "DAPI", "defaultChannel"),
    ],
)
def test_what_is_said_of_a_stack_is_set_told_and_forgotten(render, described, name, value, key):
    get, put, delete = (getattr(stackversion, f"{verb}_{name}") for verb in ("get", "set", "delete"))
    put("meta", value, render=render)
    assert get("meta", render=render) == value
    stored = stacks.get_full_stack_metadata("meta", render=render)["currentVersion"][key]
    assert stored == {"resolution_values": 1.5, "cycle": 3}.get(name, value)
    delete("meta", render=render)
    assert get("meta", render=render) is None
    assert key not in stacks.get_full_stack_metadata("meta", render=render)["currentVersion"]
    for call in (get, delete):
        with pytest.raises(NotFoundError):
            call("nowhere", render=render)


def test_the_place_of_a_stack_in_a_hierarchy_is_set_told_and_forgotten(render, described):
    assert hierarchical.get_hierarchical_data("meta", render=render) is None
    hierarchical.set_hierarchical_data("meta", {"tier": 1, "scale": 0.5}, render=render)
    assert hierarchical.get_hierarchical_data("meta", render=render) == {"tier": 1, "scale": 0.5}
    hierarchical.delete_hierarchical_data("meta", render=render)
    assert hierarchical.get_hierarchical_data("meta", render=render) is None
    said = hierarchical.delete_tier_data(render=render)
    assert said == "removed 0 stacks and 0 match collections for project 'proj' owned by 'own'"
    assert hierarchical.get_missing_tier_match_layers_by_project(render=render) == []


@responses.activate
def test_what_only_a_full_server_answers_is_read():
    render = connect("http://h", 1, "own", "proj", web_only=True)
    root = "http://h:1/render-ws/v1/owner/own"
    responses.get(f"{root}/project/proj/stack/st/missingTierMatchLayers", json=[1.0, 3.0])
    assert hierarchical.get_missing_tier_match_layers("st", render=render) == [1.0, 3.0]
    missing = [{"stackId": {"owner": "own", "project": "proj", "stack": "st"}, "zValues": [2.0]}]
    responses.get(f"{root}/project/proj/missingTierMatchLayers", json=missing)
    assert hierarchical.get_missing_tier_match_layers_by_project(render=render) == missing
    field = {
        "type": "leaf",
        "className": "mpicbg.trakem2.transform.AffineModel2D",
        "dataString": "1 0 0 1 5 6",
    }
    responses.get(f"{root}/project/proj/z/2.0/affineWarpFieldTransform", json=field)
    assert hierarchical.get_affine_warp_field_transform(2.0, render=render) == field
    responses.get(
        f"{root}/project/proj/z/2.0/affineWarpFieldTransformDebug", body="rows: 2\nmöglich\n".encode()
    )
    assert hierarchical.get_affine_warp_field_transform_debug(2.0, render=render) == "rows: 2\nmöglich\n"
    trial = {
        "id": "0123456789abcdef01234567",
        "matches": [{"p": [[1.0], [2.0]], "q": [[3.0], [4.0]], "w": [1.0]}],
    }
    responses.post(f"{root}/matchTrial", json=trial)
    assert matchtrial.run_match_trial({"featureAndMatchParameters": {}}, render=render) == trial
    responses.get(f"{root}/matchTrial/{trial['id']}", json={"matches": trial["matches"]})
    assert matchtrial.get_match_trial(trial["id"], render=render) == {"matches": trial["matches"]}
    responses.delete(f"{root}/matchTrial/{trial['id']}")
    assert matchtrial.delete_match_trial(trial["id"], render=render).status_code == 200


# ------------------------------------------------------------------------------------------- layers


def test_sections_and_layers_that_differ_are_found(render):
    assert [s["sectionId"] for s in section.get_sectionData_from_z("st", 2, render=render)] == ["2", "5"]
    live = section.get_sectionData_from_z("closed", 1, render=render)
    assert live == stacks.get_stack_sectionData("closed", minZ=1, maxZ=1, render=render)
    assert (live[0]["tileCount"], live[0]["minX"], live[0]["maxX"]) == (2, 0.0, 55.0)
    (reordered,) = section.get_reordered_sectionData("closed", render=render)
    assert (reordered["sectionId"], reordered["z"]) == ("5", 2.0)
    assert section.get_reordered_sectionData("closed", maxZ=1, render=render) == []
    assert section.get_merged_z_values("closed", render=render) == [2.0]
    assert section.get_mergeable_z_values("closed", render=render) == [2.0, 2.5]
    assert section.get_mergeable_data("closed", render=render) == "1 < 2 : 2.0 < 2.5\n"
    assert section.get_mergeable_z_values("closed", maxZ=2, render=render) == []


def test_boxes_of_a_section_are_those_of_its_layer(render):
    layer = stacks.get_tilebounds_for_z("st", 2, render=render)
    found = section.get_tilebounds_for_section("st", "5", render=render)
    assert [box["tileId"] for box in found] == ["c0"]
    assert found == [box for box in layer if box["tileId"] == "c0"]
    assert section.get_tilebounds_for_section("st", "none", render=render) == []


@pytest.mark.parametrize(("x", "width", "count"), [(0, 10, 1), (26, 2, 2), (56, 20, 0), (-10, 10, 1)])
def test_tiles_of_a_box_are_counted(render, x, width, count):
    assert section.get_tile_count_of_box("st", 1, x, 0, width, 10, render=render) == count
    assert section.get_tile_count_of_dvid_box("st", 1, x, 0, width, 10, render=render) == count
    assert len(tilespec.get_tile_specs_from_box("st", 1, x, 0, width, 10, render=render)) == count


def test_layouts_have_a_line_for_each_tile(render):
    lines = section.get_layout_file("st", render=render).splitlines()
    assert [line.split("\t")[1] for line in lines] == ["a0", "a1", "b0", "c0", "d0"]
    fields = lines[1].split("\t")
    assert fields[0] == "1" and fields[2:8] == ["1.0", "0.0", "24.0", "0.0", "1.0", "0.0"]
    assert fields[-1].endswith("/owner/own/project/proj/stack/st/tile/a1/render-parameters")

    def names(text):
        return [line.split("\t")[1] for line in text.splitlines()]

    assert names(section.get_layout_file("st", minZ=2, maxZ=2, render=render)) == ["b0", "c0"]
    assert section.get_layout_file_from_z("st", 1, render=render).splitlines() == lines[:2]
    assert section.get_layout_file_from_z_range("st", 2, 3, render=render).splitlines() == lines[2:]
    scheffer = section.get_layout_file_from_z("closed", 1, format="SCHEFFER", render=render).splitlines()
    assert scheffer[0].startswith("BBOX 0.0 0.0 55.0 20.0") and len(scheffer) == 3
    assert re.fullmatch(
        r"TRANSFORM '/.*a0\.png' 1\.0 0\.0 -1\.0 0\.0 1\.0 0\.0 30(\.0)? 20(\.0)?", scheffer[1]
    )


def test_transforms_are_told_as_they_are_stored_and_resolved(render):
    assert resolvedtiles.get_shared_transform("st", "lens", render=render) == LENS
    with pytest.raises(NotFoundError, match="'none' does not exist"):
        resolvedtiles.get_shared_transform("st", "none", render=render)
    last = section.get_last_tile_transforms("st", 1, render=render)
    assert [found["tileId"] for found in last] == ["a0", "a1"]
    assert [AffineModel(json=found["lastTransform"]).B0 for found in last] == [-1.0, 24.0]


def test_tiles_are_told_by_id(render):
    found = tilespec.get_tile_specs_with_ids("st", ["c0", "none", "a0"], render=render)
    by_id = {tile.tileId: tile for tile in found}
    assert sorted(by_id) == ["a0", "c0"]
    assert by_id["a0"] == tilespec.get_tile_specs_from_z("st", 1, render=render)[0]
    assert tilespec.get_tile_validation_info("st", "a0", render=render) == ""


def test_a_tile_without_its_image_is_told_by_the_server(changing):
    render, folder = changing
    (folder / "a1.png").unlink()
    with pytest.raises(BadRequestError, match=r"a1\.png"):
        tilespec.get_tile_validation_info("st", "a1", render=render)


def test_tiles_and_sections_are_moved_stored_and_deleted(changing):
    render, folder = changing
    section.set_z_of_tiles("st", 9, ["a0", "none", "d0"], render=render)
    assert stacks.get_stack_tileIds("st", minZ=9, maxZ=9, render=render) == ["a0", "d0"]
    section.set_section_z_value("st", "5", 11, render=render)
    assert stacks.get_section_z_value("st", "5", render=render) == 11
    section.delete_section_by_id("st", "5", render=render)
    assert stacks.get_stack_tileIds("st", render=render) == ["a0", "a1", "b0", "d0"]
    tiles = ResolvedTiles(list(made(folder, ["c0"])), [LENS])
    resolvedtiles.put_tilespecs_of_z("st", 2, tiles, render=render)
    assert stacks.get_stack_tileIds("st", minZ=2, maxZ=2, render=render) == ["b0", "c0"]
    with pytest.raises(BadRequestError, match=r"all tiles must have a z value of 3\.0"):
        resolvedtiles.put_tilespecs_of_z("st", 3, tiles, render=render)
    for change in (
        lambda: section.set_z_of_tiles("closed", 9, ["a0"], render=render),
        lambda: section.set_section_z_value("closed", "1", 9, render=render),
        lambda: section.delete_section_by_id("closed", "1", render=render),
        lambda: resolvedtiles.put_tilespecs_of_z("closed", 2, tiles, render=render),
    ):
        with pytest.raises(StackStateError):
            change()
    assert len(stacks.get_stack_tileIds("closed", render=render)) == len(TILES)


# ------------------------------------------------------------------------------------------- matches


def test_matches_of_a_tile_with_a_group_and_counts(render):
    found = pointmatch.get_matches_from_tile_to_group("mc", "2", "b0", "1", render=render)
    assert keys(found) == [("a0", "b0"), ("a1", "b0")]
    assert found == pointmatch.get_matches_from_group_to_group("mc", "1", "2", render=render)
    counts = pointmatch.get_match_counts("mc", "1", render=render)
    assert [(m["qId"], m["matchCount"]) for m in counts] == [("a1", 3), ("b0", 4), ("b0", 5)]
    assert not any("matches" in m for m in counts)
    assert pointmatch.get_multiconsensus_groupIds_from_only("mc", render=render) == ["1"]
    assert pointmatch.get_multiconsensus_groupIds("mc", render=render) == ["1", "2"]


def remaining(mine):
    return keys(m for group in "125" for m in pointmatch.get_matches_with_group("mine", group, render=mine))


ALL = [("a0", "a1"), ("a0", "b0"), ("a1", "b0"), ("b0", "c0"), ("c0", "c1")]


@pytest.mark.parametrize(
    ("delete", "given", "gone"),
    [
        (pointmatch.delete_point_matches_of_tile, {"pgroup": "2", "pid": "b0"}, ALL[1:4]),
        (pointmatch.delete_point_matches_between_tiles,
         {"pgroup": "2", "pid": "b0", "qgroup": "1", "qid": "a1"}, ALL[2:3]),
        (pointmatch.delete_point_matches_with_group, {"pgroup": "1"}, ALL[:3]),
        (pointmatch.delete_point_matches_outside_group, {"groupId": "5"}, ALL[3:4]),
        (pointmatch.delete_point_matches_of_tile, {"pgroup": "1", "pid": "none"}, []),
    ],
)  # fmt: skip
def test_those_matches_are_deleted_and_no_others(mine, delete, given, gone):
    assert remaining(mine) == ALL
    delete("mine", **given, render=mine)
    assert remaining(mine) == [names for names in ALL if names not in gone]


def test_a_collection_is_counted_again_and_renamed(mine):
    pointmatch.set_match_counts("mine", "1", render=mine)
    assert [m["matchCount"] for m in pointmatch.get_match_counts("mine", "1", render=mine)] == [3, 4, 5]
    pointmatch.rename_collection("mine", "fine", render=mine)
    (found,) = pointmatch.get_matchcollections(render=mine)
    assert found == {"collectionId": {"owner": "me", "name": "fine"}, "pairCount": 5}
    pointmatch.rename_collection("fine", "fine", newOwner="other", render=mine)
    assert pointmatch.get_matchcollections(render=mine) == []
    assert len(pointmatch.get_matches_with_group("fine", "1", owner="other", render=mine)) == 3
    pointmatch.delete_collection("fine", owner="other", render=mine)


def test_clusters_and_residuals_are_those_of_the_matches(render):
    (cluster,) = hierarchical.get_clustered_tilebounds("st", 1, "mc", render=render)
    boxes = stacks.get_tilebounds_for_z("st", 1, render=render)
    assert sorted(box["tileId"] for box in cluster) == ["a0", "a1"]
    assert sorted(cluster, key=lambda b: b["tileId"]) == sorted(boxes, key=lambda b: b["tileId"])
    given = {"pTileId": "a0", "qTileId": "a1", "matchRenderStackId": {"owner": "own", "project": "proj", "stack": "st"},
             "matchCollectionId": {"owner": "own", "name": "mc"}, "includeDetails": True}  # fmt: skip
    residuals = hierarchical.get_pair_residuals("st", given, render=render)
    # the points of both are equal, the tiles 25 apart
    assert np.allclose([residuals["meanDistance"], residuals["maxDistance"]], 25, rtol=0, atol=1e-9)
    assert len(residuals["distanceList"]) == 3 and residuals["inputData"]["pTileId"] == "a0"


@pytest.mark.parametrize("compat", ["master", "newsolver"])
def test_tiles_with_their_matches_are_those_of_both_functions(tmp_path, compat):
    with serve_background(image_roots=[tmp_path], compat=compat) as server:
        render = server.connect(owner="own", project="proj")
        fill(render, tmp_path)
        tiles, pairs = resolvedtiles.get_resolved_tiles_with_matches("st", "mc", maxZ=1, render=render)
        expected = resolvedtiles.get_resolved_tiles("st", maxZ=1, render=render)
        assert tiles.to_dict(bounds=True) == expected.to_dict(bounds=True)
        assert sorted(keys(pairs)) == ALL[:3]


# ------------------------------------------------------------------------------------------- images


def test_boxes_of_a_group_hold_its_tiles_only(render):
    box = (1, 0, 0, 55, 20)
    parameters = image.get_group_bb_renderparams("st", "g1", *box, render=render)
    assert [tile["tileId"] for tile in parameters["tileSpecs"]] == ["a1"]
    assert parameters["width"] == 55
    both = image.get_bb_image("st", *box, img_format="png", render=render)
    alone = image.get_group_bb_image("st", "g1", *box, img_format="png", render=render)
    assert np.array_equal(both[:, 25:], alone[:, 25:])  # painted last, over the other
    assert not alone[:, :24, :3].any() and both[:-1, :24, 0].all()


def test_boxes_in_the_way_of_dvid_are_the_same_boxes(render):
    box = {"x": 3, "y": 2, "width": 40, "height": 15, "render": render}
    plain = image.get_bb_renderparams("st", 1, 3, 2, 40, 15, 1.0, render=render)
    assert image.get_dvid_renderparams("st", 1, **box) == plain
    assert [t["tileId"] for t in image.get_dvid_renderparams("st", 1, groupId="g0", **box)["tileSpecs"]] == [
        "a0"
    ]
    for img_format in ("png", "jpg", "tif"):
        wanted = {"jpg": "jpeg", "tif": "tiff"}.get(img_format, img_format)
        expected = image.get_bb_image("st", 1, 3, 2, 40, 15, img_format=wanted, render=render)
        assert np.array_equal(image.get_dvid_image("st", 1, img_format=img_format, **box), expected)
    expected = image.get_group_bb_image("st", "g0", 1, 3, 2, 40, 15, img_format="png", render=render)
    assert np.array_equal(image.get_dvid_image("st", 1, img_format="png", groupId="g0", **box), expected)


def test_tiles_of_large_data_are_boxes_at_the_scale_of_their_level(render):
    found = image.get_large_data_tile("closed", 1, 8, 6, 1, 1, 2, img_format="png", render=render)
    expected = image.get_bb_image("closed", 1, 2 * 16, 1 * 12, 16, 12, 0.5, img_format="png", render=render)
    assert found.shape == (6, 8, 4) and np.array_equal(found, expected)
    overview = image.get_large_data_overview(
        "closed", 1, 8, 6, img_format="png", maxOverviewWidthAndHeight=11, render=render
    )
    scaled = image.get_bb_image("closed", 1, 0, 0, 55, 20, 0.2, img_format="png", render=render)
    assert overview.shape == (4, 11, 4) and np.array_equal(overview, scaled)


def test_the_source_and_the_mask_of_a_tile_are_its_files(render):
    for name, read, expected in (
        ("a1", "source", pixels("a1")), ("d0", "source", pixels("d0")), ("d0", "mask", half_mask()),
    ):  # fmt: skip
        found = getattr(image, f"get_tile_{read}_image")("st", name, img_format="png", render=render)
        assert np.array_equal(found[:-1, :-1, 0], expected[:-1, :-1])
        parameters = getattr(image, f"get_tile_{read}_renderparams")("st", name, 0.5, render=render)
        assert (parameters["x"], parameters["y"], parameters["width"], parameters["height"]) == (0, 0, 30, 20)
        assert parameters["scale"] == 0.5
        (level,) = [channel["mipmapLevels"]["0"] for channel in parameters["tileSpecs"][0]["channels"]]
        assert level["imageUrl"].endswith("mask.png" if read == "mask" else f"{name}.png")
    with pytest.raises(RenderError):
        image.get_tile_mask_image("st", "a1", render=render)


def test_a_tile_with_its_neighbours_is_a_box_around_it(render):
    parameters = image.get_tile_with_neighbors_renderparams(
        "st", "a1", widthFactor=0.5, heightFactor=0.1, scale=1.0, render=render
    )
    assert [parameters[name] for name in ("x", "y", "width", "height")] == [10.0, -2.0, 60, 24]
    assert [tile["tileId"] for tile in parameters["tileSpecs"]] == ["a0", "a1"]
    found = image.get_tile_with_neighbors_image(
        "st", "a1", widthFactor=0.5, heightFactor=0.1, scale=1.0, render=render
    )
    assert np.array_equal(
        found, image.get_bb_image("st", 1, 10, -2, 60, 24, img_format="jpeg", render=render)
    )


def test_every_function_beyond_those_of_render_python_has_its_answer_looked_at():
    """A new endpoint needs a test of what it answers, here or where it is named."""
    text = "".join(path.read_text() for path in endpoint_table.PAGE.parents[1].glob("tests/test_[!e]*.py"))
    named = {name.partition(".")[2] for _, name, *_ in endpoint_table.ROWS}
    by_parts = {f"{verb}_{what}" for verb in ("get", "set", "delete") for what in VALUES}
    by_parts |= {
        f"get_tile_{what}_{kind}" for what in ("source", "mask") for kind in ("image", "renderparams")
    }
    assert not [name for name in named - by_parts if not re.search(rf"\b{name}\b", text)]


VALUES = (
    "resolution_values",
    "mipmap_path_builder",
    "cycle",
    "materialized_box_root_path",
    "default_channel",
)
