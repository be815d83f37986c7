import gzip
import json
from pathlib import Path

import pytest
from embedded import affine, make_tile

GOLDEN = json.loads((Path(__file__).parents[1] / "data/golden/json_shapes.json").read_text())
KEY = "stack with owner 'o', project 'p', and name 's'"
REF = {"type": "ref", "refId": "x"}
TOO_MANY = 50_001


@pytest.mark.parametrize("case", GOLDEN["put_resolvedTiles_validation_z_2"], ids=lambda case: case["name"])
def test_saving_tiles_as_the_original_does(loading, case):
    # the original ran these against its classes for layer 2, except where the tile has another z and is saved
    path = f"z/2/resolvedTiles?deriveData={str(case['deriveData']).lower()}"
    answer = loading("PUT", path, case["body"])
    if case["result"] == "saved: a":
        assert (answer.status_code, answer.data) == (201, b"")
        assert loading.get("tileIds") == ["a"]
    else:
        kind, _, message = case["result"].partition(": ")
        assert answer.status_code == case["status"]
        if kind != "NullPointerException":
            assert answer.text == message
        assert loading.get("tileIds") == []


def test_order_of_checks(api):
    good = {"tileIdToSpecMap": {"a": make_tile("a")}}
    null_spec = {"tileIdToSpecMap": {"a": make_tile("a", specs=[None])}}
    no_body = (400, "no resolved tiles provided")
    assert api.refused("PUT", "resolvedTiles", data="", content_type="application/json") == no_body
    assert api.refused("PUT", "resolvedTiles", data="null", content_type="application/json") == no_body
    for body in (good, null_spec):
        assert api.refused("PUT", "resolvedTiles", body) == (404, f"{KEY} does not exist")
    api.in_state("COMPLETE")
    for body in (good, null_spec):
        status, text = api.refused("PUT", "resolvedTiles", body)
        assert status == 500 and text.startswith(
            "Resolved tiles can only be saved to stacks in the LOADING state"
        )
    api.state("LOADING")
    assert api.refused("PUT", "resolvedTiles", null_spec)[1].startswith(
        "A null spec is part of the transform"
    )


def test_nothing_is_stored_of_a_body_with_a_bad_tile(loading):
    body = {
        "transformIdToSpecMap": {"x": affine(id="x")},
        "tileIdToSpecMap": {"a": make_tile("a"), "b": make_tile("b", minX=None)},
    }
    assert loading.refused("PUT", "resolvedTiles", body) == (
        400,
        "tile with id 'b' is missing bounding box attributes (minX, minY, maxX, and/or maxY)",
    )
    assert loading.get("tileIds") == []
    assert loading.refused("GET", "transform/x")[0] == 404


def test_derived_boxes_replace_what_was_sent(loading):
    tile = make_tile("a", box=(None,) * 4, specs=[affine("1 0 0 1 10.5 -20.7")])
    other = make_tile("b", box=(1, 2, 3, 4), specs=[REF])
    body = {
        "transformIdToSpecMap": {"x": affine("1 0 0 1 -10.5 0", id="x")},
        "tileIdToSpecMap": {"a": tile, "b": other},
    }
    loading.send("PUT", "resolvedTiles?deriveData=True", body, 201)
    found = loading.get("tile/a")
    assert list(found)[:7] == ["tileId", "layout", "z", "minX", "minY", "maxX", "maxY"]
    assert [found[key] for key in ("minX", "minY", "maxX", "maxY")] == [10.0, -20.0, 110.0, 60.0]
    assert [loading.get("tile/b")[key] for key in ("minX", "minY", "maxX", "maxY")] == [
        -10.0,
        0.0,
        90.0,
        80.0,
    ]


def test_nothing_to_derive(loading):
    status, text = loading.refused("PUT", "resolvedTiles?deriveData=true", {})
    assert (status, text[:39]) == (400, "collection does not have any tiles (may")


def test_only_true_derives(loading):
    for word in ("false", "yes", ""):
        loading.put_tiles(make_tile("a", box=(1, 2, 3, 4)), path=f"resolvedTiles?deriveData={word}")
        assert loading.get("tile/a")["maxX"] == 3.0


@pytest.mark.parametrize("key, value", [("minX", "NaN"), ("maxY", "Infinity"), ("z", "NaN")])
def test_what_could_never_be_found_again_is_not_stored(loading, key, value):
    tiles = {"tileIdToSpecMap": {"a": make_tile("a", **{key: value})}}
    assert loading.refused("PUT", "resolvedTiles", tiles) == (400, f"tile with id 'a' has {value} as {key}")


def test_other_numbers_may_be_none(loading):
    loading.put_tiles(make_tile("a", minIntensity="NaN"))
    assert loading.get("tile/a")["minIntensity"] == "NaN"


def test_a_tile_is_replaced_as_a_whole(loading):
    loading.put_tiles(
        make_tile("a", groupId="g", labels=["l"], channels=[{"name": "c"}], specs=[REF]),
        transforms=[affine(id="x")],
    )
    loading.put_tiles(make_tile("a", 2.0, section="9"))
    assert loading.get("zValues") == [2.0]
    found = loading.get("tile/a")
    assert "groupId" not in found and "labels" not in found and "channels" not in found
    assert loading.get("section/9/z") == 2.0
    assert loading.refused("GET", "section/1.0/z") == (404, f"sectionId '1.0' does not exist in the {KEY}")
    assert loading.get("z/2/tile-specs") == [found]
    loading.state("COMPLETE")
    assert loading.get("")["stats"]["channelNames"] == []


def test_a_shared_transform_is_replaced_without_touching_boxes(loading):
    loading.put_tiles(make_tile("a", specs=[REF]), transforms=[affine(id="x")])
    loading.put_tiles(make_tile("b"), transforms=[affine("2 0 0 2 0 0", id="x")])
    assert loading.get("transform/x") == affine("2 0 0 2 0 0", id="x")
    (a, _) = loading.get("z/1/tile-specs")
    assert a["transforms"]["specList"] == [affine("2 0 0 2 0 0", id="x")]
    assert a["maxX"] == 100.0


def test_layers(loading):
    loading.put_tiles(
        *(make_tile(f"t{z}", z) for z in (3.0, 1.0, 2.5, -1.0, 2.0, 10.0)), make_tile("none", None)
    )
    assert loading.get("zValues") == [-1.0, 1.0, 2.0, 2.5, 3.0, 10.0]
    assert loading.get("zValues/?minZ=2&maxZ=3") == [2.0, 2.5, 3.0]
    assert loading.get("zValues?minZ=2.1") == [2.5, 3.0, 10.0]
    assert loading.get("zValues?minZ=99") == []
    assert loading.get("mergeableZValues") == [2.0, 2.5]
    assert loading.get("mergeableZValues?minZ=5") == []
    assert loading.get("mergeableData") == "2 < 3 : 2.0 < 2.5\n"
    assert loading.get("z/2.50/tileBounds")[0]["tileId"] == "t2.5"
    assert loading.refused("GET", "zValues?minZ=low")[0] == 404


def test_sections(api):
    api.create()
    assert api.refused("GET", "sectionData") == (
        400,
        f"section data not aggregated for {KEY}, set stack state to COMPLETE "
        "to generate the aggregate collection",
    )
    api.put_tiles(
        make_tile("a", 1.0, (0, 0, 10, 10), "1.0"),
        make_tile("b", 1.0, (5, -5, 20, 30), "1.0"),
        make_tile("c", 1.0, section="1.1"),
        make_tile("d", 2.0, section="10.0"),
        make_tile("e", 2.0, section=None),
        make_tile("f", None, section="4.0"),
        make_tile("g", 3.0, section="9.0"),
        make_tile("h", 4.0, section="9.0"),
    )
    live = api.get("z/1/sectionData")
    assert live == [
        {"sectionId": "1.0", "z": 1.0, "tileCount": 2, "minX": 0.0, "maxX": 20.0, "minY": -5.0, "maxY": 30.0},
        {"sectionId": "1.1", "z": 1.0, "tileCount": 1, "minX": 0.0, "maxX": 100.0, "minY": 0.0, "maxY": 80.0},
    ]
    assert list(live[0]) == list(GOLDEN["SectionData"])
    assert api.get("z/2/sectionData")[0]["sectionId"] == "10.0"
    assert api.get("z/99/sectionData") == []
    api.state("COMPLETE")
    sections = api.get("sectionData")
    # by section id as text
    assert [(section["sectionId"], section["z"]) for section in sections] == [
        ("1.0", 1.0),
        ("1.1", 1.0),
        ("10.0", 2.0),
        ("9.0", 3.0),
        ("9.0", 4.0),
    ]
    assert sections[:2] == live
    assert [section["z"] for section in api.get("sectionData?minZ=2&maxZ=3")] == [2.0, 3.0]
    assert api.get("mergedZValues") == [1.0]
    assert api.get("mergedZValues?minZ=2") == []
    reordered = api.get("reorderedSectionData?maxZ=2.5")
    assert [section["sectionId"] for section in reordered] == ["10.0"]
    assert api.get("")["stats"]["sectionCount"] == 5  # layers, and the one without z


@pytest.mark.parametrize("section", ["x", "NaN", ""])
def test_sections_whose_id_is_no_number_cannot_be_reordered(api, section):
    api.in_state("COMPLETE", make_tile(section=section))
    assert api.refused("GET", "reorderedSectionData") == (
        400,
        "reordered sections cannot be determined because stack contains non-standard sectionId "
        f"({section}) or z value (1.0)",
    )


def test_bounds_of_a_layer(loading):
    loading.put_tiles(make_tile("a", 1.0, (0, 0, 10, 10)), make_tile("b", 1.0, (5, -5, 20, 30)))
    bounds = loading.get("z/1/bounds")
    assert bounds == {"minX": 0.0, "minY": -5.0, "minZ": 1.0, "maxX": 20.0, "maxY": 30.0, "maxZ": 1.0}
    for path in ("bounds", "tile-specs", "render-parameters", "last-tile-transforms"):
        assert loading.refused("GET", f"z/9/{path}")[0] == 400
        assert loading.refused("GET", f"z/9/{path}", stack="gone")[0] == 404


def test_tile_bounds(loading):
    loading.put_tiles(make_tile("a"), make_tile("b", section=None), make_tile("c", 2.0), make_tile("d", None))
    (a, b) = sorted(loading.get("z/1/tileBounds"), key=lambda bounds: bounds["tileId"])
    assert list(a) == list(GOLDEN["TileBounds"])
    assert a == {
        "minX": 0.0,
        "minY": 0.0,
        "maxX": 100.0,
        "maxY": 80.0,
        "tileId": "a",
        "sectionId": "1.0",
        "z": 1.0,
    }
    assert "sectionId" not in b
    found = loading.get("section/1.0/tileBounds")
    assert sorted(bounds["tileId"] for bounds in found) == ["a", "c", "d"]
    assert loading.get("section/9/tileBounds") == [] and loading.get("z/9/tileBounds") == []
    assert loading.refused("GET", "section/9/tileBounds", stack="gone")[0] == 404
    assert loading.refused("GET", "section/9/z", stack="gone") == (
        404,
        "stack with owner 'o', project 'p', and name 'gone' does not exist",
    )


def test_tiles_are_moved_to_another_layer(loading):
    loading.put_tiles(
        make_tile("a", groupId="g"),
        make_tile("b"),
        make_tile("c", 5.0, section="5"),
        {**make_tile("d", None, section="6"), "layout": {"sectionId": "6"}},
    )
    loading.send("PUT", "section/1.0/z", 3, 201)
    assert loading.get("section/1.0/z") == 3.0
    assert loading.get("zValues") == [3.0, 5.0]
    found = loading.get("tile/a")
    assert found == make_tile("a", 3.0, groupId="g") and list(found)[:4] == [
        "tileId",
        "layout",
        "groupId",
        "z",
    ]
    loading.send("PUT", "z/7.5/tileIds", ["a", "c", "unknown"], 201)
    assert loading.get("zValues") == [3.0, 7.5]
    assert loading.get("tile/c")["z"] == 7.5
    loading.send("PUT", "section/6/z", "8", 201)
    assert list(loading.get("tile/d"))[:3] == ["tileId", "layout", "z"]
    loading.send("PUT", "section/none/z", 9, 201)
    loading.send("PUT", "z/9/tileIds", [], 201)
    assert loading.refused("PUT", "z/9/tileIds", data="null", content_type="application/json")[0] == 400
    assert loading.refused("PUT", "section/1.0/z", data="null", content_type="application/json")[0] == 400
    assert loading.refused("PUT", "section/1.0/z", "NaN")[0] == 400


def test_deleting_tiles(loading):
    loading.put_tiles(
        *(
            make_tile(name, z, section=section)
            for name, z, section in [("a", 1.0, "1"), ("b", 1.0, "1.1"), ("c", 2.0, "2"), ("d", 3.0, "3")]
        ),
        transforms=[affine(id="x")],
    )
    loading.send("DELETE", "section/1")
    assert loading.get("tileIds") == ["b", "c", "d"]
    loading.send("DELETE", "z/2.0")
    loading.send("DELETE", "tile/d")
    assert loading.get("tileIds") == ["b"]
    for path in ("section/1", "z/2.0", "tile/d"):
        loading.send("DELETE", path)
    assert loading.get("transform/x")["id"] == "x"


def test_stored_and_resolved_answers(loading):
    nested = {"type": "list", "id": "x", "specList": [affine("1 0 0 1 1 1", id="leaf")]}
    loading.put_tiles(
        make_tile("b", specs=[REF, affine("1 0 0 1 2 2")]),
        make_tile("a", specs=[affine()]),
        transforms=[nested, affine(id="unused")],
    )
    raw = loading.get("tile/b")
    assert raw["transforms"]["specList"] == [REF, affine("1 0 0 1 2 2")]
    resolved = loading.get("z/1/resolvedTiles")
    assert list(resolved) == list(GOLDEN["ResolvedTileSpecCollection"])
    assert resolved == {
        "transformIdToSpecMap": {"x": nested},
        "tileIdToSpecMap": {"a": make_tile("a", specs=[affine()]), "b": raw},
    }
    assert loading.get("resolvedTiles") == resolved
    specs = loading.get("z/1/tile-specs")
    assert [tile["tileId"] for tile in specs] == ["a", "b"]
    assert specs[0] == loading.get("tile/a")
    assert specs[1] == {
        **raw,
        "transforms": {"type": "list", "specList": [affine("1 0 0 1 1 1", id="leaf"), affine("1 0 0 1 2 2")]},
    }
    assert loading.get("z/1/last-tile-transforms") == [
        {"tileId": "a", "lastTransform": affine()},
        {"tileId": "b", "lastTransform": affine("1 0 0 1 2 2")},
    ]
    assert loading.get("transform/x") == nested


def test_a_tile_without_transforms_has_no_last_one(loading):
    loading.put_tiles(make_tile("a"))
    assert loading.get("z/1/last-tile-transforms") == [{"tileId": "a"}]


def test_selecting_resolved_tiles(loading):
    loading.put_tiles(
        make_tile("a", 1.0, (0, 0, 10, 10), groupId="g"),
        make_tile("b", 2.0, (10, 10, 20, 20), groupId="g"),
        make_tile("c", 3.0, (0, 100, 10, 1100)),
    )

    def selected(query):
        return list(loading.get(f"resolvedTiles?{query}")["tileIdToSpecMap"])

    assert selected("minZ=2") == ["b", "c"]
    assert selected("minZ=1&maxZ=2&groupId=g") == ["a", "b"]
    # what touches the box counts
    assert selected("minX=10&maxX=10") == ["a", "b", "c"]
    assert selected("minX=10.1") == ["b"]
    assert selected("maxY=9.9") == ["a"]
    assert selected("minY=1100") == ["c"]
    assert loading.refused("GET", "resolvedTiles?groupId=none")[0] == 404
    assert loading.refused("GET", "z/9/resolvedTiles")[0] == 404
    assert loading.refused("GET", "resolvedTiles?minX=a")[0] == 404


def test_tile_counts(loading):
    loading.put_tiles(
        make_tile("a", 1.0, (0, 0, 10, 10)), make_tile("b", 1.0, (10, 10, 20, 1000)), make_tile("c", 2.0)
    )
    assert loading.get("z/1/box/10,10,0,0/tile-count") == 2
    assert loading.get("z/1.0/box/-5.5,-5.5,5,5/tile-count") == 0
    assert loading.get("z/1/box/-5.5,-5.5,6,6/tile-count") == 1
    assert loading.get("z/1/box/0,999,30,1/tile-count") == 1
    assert loading.get("dvid/imagetile/raw/xy/30_1/0_999_1/tile-count") == 1
    assert loading.get("z/9/box/0,0,10,10/tile-count") == 0
    assert loading.refused("GET", "z/9/box/0,0,10,10/tile-count", stack="gone")[0] == 404
    for box in ("0,0,10.5,10", "0,0,10", "a,0,1,1", "0,0,3000000000,1"):
        assert loading.refused("GET", f"z/1/box/{box}/tile-count")[0] == 404
    # commas may be encoded
    assert loading.get("z/1/box/0%2C0%2C5%2c5/tile-count") == 1


def test_tile_specs_with_ids(loading):
    loading.put_tiles(make_tile("b", specs=[REF]), make_tile("a"), transforms=[affine(id="x")])
    body = ["b", "unknown", "a", "b", 5]
    found = loading("PUT", "tile-specs-with-ids", body).json
    assert [tile["tileId"] for tile in found] == ["a", "b"]
    assert found[1]["transforms"]["specList"] == [affine(id="x")]
    assert loading("PUT", "tile-specs-with-ids", body, stack="gone").json == []
    assert loading("PUT", "tile-specs-with-ids", []).json == []
    assert loading.refused("PUT", "tile-specs-with-ids", data="", content_type="application/json")[0] == 500


def test_more_tiles_than_one_answer_takes(loading):
    with loading.store.write() as connection:
        connection.executemany(
            "INSERT INTO tile (stack, tile_id, z, min_y, max_y, min_x, max_x, section_id, document) "
            "VALUES (1, ?, 1.0, 0, 1, 0, 1, '1.0', x'7b7d')",
            ((f"{number:05d}",) for number in range(TOO_MANY + 1)),
        )
    for path in (
        "z/1/resolvedTiles",
        "resolvedTiles",
        "z/1/tile-specs",
        "z/1/box/0,0,9,9,1/render-parameters",
    ):
        status, text = loading.refused("GET", path)
        assert (status, text[:42]) == (
            400,
            "query too broad, over 50001 tiles match z " if "z/1" in path else text[:42],
        )
        assert text.startswith("query too broad, over 50001 tiles match")
    # these are not limited
    assert loading.get("z/1/box/0,0,9,9/tile-count") == TOO_MANY + 1
    assert len(loading.get("tileIds")) == TOO_MANY + 1
    assert len(loading.get("z/1/tileBounds")) == TOO_MANY + 1
    loading.send("DELETE", "tile/00000")
    assert len(loading.get("z/1/resolvedTiles")["tileIdToSpecMap"]) == TOO_MANY


class TestLayoutFile:
    @pytest.fixture
    def tiles(self, loading):
        layout = {
            "sectionId": "1.0",
            "imageCol": 3,
            "imageRow": 4,
            "camera": "c5",
            "temca": "6",
            "rotation": 1.5,
            "stageX": 10.0,
            "stageY": 20.0,
        }
        channels = [{"name": "x", "mipmapLevels": {"0": {"imageUrl": "/raw/c.png"}}}]
        loading.put_tiles(
            make_tile("a", 1.0, (0, 5, 10, 10), layout=layout, specs=[REF, affine("1 2 3 4 5 6")]),
            make_tile("b", 1.0, (5, 0, 10, 10), layout=layout, specs=[REF]),
            make_tile("c", 2.0, (0, 0, 10, 10), section=None, channels=channels, width=None),
            transforms=[affine("0 1 2 3 4 5 6 7", id="x")],
        )
        return loading

    def test_karsh(self, tiles):
        url = "http://localhost/render-ws/v1/owner/o/project/p/stack/s/tile/{}/render-parameters"
        b, a, c = tiles.get("layoutFile").splitlines()
        assert a.split("\t") == [
            "1.0",
            "a",
            "1",
            "3",
            "5",
            "2",
            "4",
            "6",
            "3",
            "4",
            "c5",
            "/images/a.png",
            "6",
            "1.5",
            "1.0",
            url.format("a"),
        ]
        # a reference is no affine itself, whatever it leads to
        assert b.split("\t")[:8] == ["1.0", "b", "1.0", "0.0", "10.0", "0.0", "1.0", "20.0"]
        assert c.split("\t") == [
            "null",
            "c",
            "1.0",
            "0.0",
            "null",
            "0.0",
            "1.0",
            "null",
            "null",
            "null",
            "null",
            "/raw/c.png",
            "null",
            "null",
            "2.0",
            url.format("c"),
        ]
        assert tiles.get("layoutFile?format=KARSH&minZ=2").splitlines() == [c]
        assert tiles.get("z/1/layoutFile").splitlines() == [b, a]
        assert tiles.get("zRange/0.5,1.5/layoutFile").splitlines() == [b, a]

    def test_scheffer(self, tiles):
        header, a, *_ = tiles.get("layoutFile?format=SCHEFFER").splitlines()
        assert header == "BBOX "
        assert a == "TRANSFORM '/images/a.png' 1 3 5 2 4 6 100 80"
        tiles.state("COMPLETE")
        lines = tiles.get("layoutFile?format=SCHEFFER").splitlines()
        assert lines[0] == "BBOX 0.0 0.0 10.0 10.0"
        assert lines[3] == "TRANSFORM '/raw/c.png' null -1 80"

    def test_an_image_url_that_is_none(self, tiles):
        tiles.put_tiles(
            make_tile("u", 3.0, mipmapLevels={"0": {"imageUrl": "file:{{root}}/u.png"}}),
            make_tile("v", 4.0, mipmapLevels={"0": {"imageUrl": "file:///v/v.png"}}),
            make_tile("w", 4.0, mipmapLevels={"0": {"imageUrl": "http://x/w.png"}}),
        )
        assert tiles.refused("GET", "z/3/layoutFile") == (
            500,
            "failed to create URI for 'file:{{root}}/u.png'",
        )
        paths = [line.split("'")[1] for line in tiles.get("z/4/layoutFile?format=SCHEFFER").splitlines()[1:]]
        assert paths == ["/v/v.png", "http://x/w.png"]

    def test_refusals(self, tiles):
        assert tiles.refused("GET", "layoutFile?format=OTHER")[0] == 404
        assert tiles.refused("GET", "layoutFile", stack="gone")[0] == 404
        assert tiles.get("z/9/layoutFile") == ""


def test_boxes_of_the_original(loading):
    path = Path(__file__).parents[1] / "data/golden/original/boxes.json.gz"
    cases = [
        case
        for case in json.loads(gzip.decompress(path.read_bytes()))["cases"]
        if "box" in case and "extreme" not in case
    ]
    assert len(cases) > 100
    tiles = {
        f"{number:04d}": {**case["tileSpec"], "tileId": f"{number:04d}"} for number, case in enumerate(cases)
    }
    loading.send("PUT", "resolvedTiles?deriveData=true", {"tileIdToSpecMap": tiles}, 201)
    found = loading.get("resolvedTiles")["tileIdToSpecMap"]
    for tile, case in zip(found.values(), cases):
        assert [tile[key] for key in ("minX", "minY", "maxX", "maxY")] == case["box"]
