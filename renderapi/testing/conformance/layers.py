"""RenderDataService: layers, sections, boxes and the tiles in them."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

import re
from typing import Any

import pytest

from renderapi._names import BOX
from renderapi.testing.conformance._base import (
    MISSING,
    REF,
    RESOLVED_A,
    SHARED,
    STACK,
    A,
    B,
    C,
    Call,
    ServiceConformance,
    check,
    keys,
    rows,
)
from renderapi.testing.documents import affine, make_tile
from renderapi.testing.rest import Rest

BOUNDS = {"minX": 10.0, "minY": 20.0, "minZ": 1.0, "maxX": 160.0, "maxY": 100.0, "maxZ": 1.0}


def section(section_id: str, z: float, count: int, *box: float) -> dict[str, Any]:
    """Make section data of minX, maxX, minY, maxY."""
    return {
        "sectionId": section_id,
        "z": z,
        "tileCount": count,
        **dict(zip(("minX", "maxX", "minY", "maxY"), box)),
    }


def same_elements(*expected: Any) -> Any:
    """Expect a list in any order."""
    return lambda found, owner: sorted(found, key=repr) == sorted(expected, key=repr)


def tile_bounds(*tiles: dict[str, Any]) -> Any:
    """Expect the bounds of tiles with a section, in any order; those of newsolver have a depth too."""
    plain = {
        tile["tileId"]: {
            **{key: tile[key] for key in BOX},
            "tileId": tile["tileId"],
            "sectionId": tile["layout"]["sectionId"],
            "z": tile["z"],
        }
        for tile in tiles
    }

    def expected(found: Any, owner: str) -> bool:
        by_id = {bounds["tileId"]: bounds for bounds in found}
        return len(found) == len(plain) == len(by_id) and all(
            by_id[name] in (bounds, {**bounds, "minZ": bounds["z"], "maxZ": bounds["z"]})
            for name, bounds in plain.items()
        )

    return expected


def renders(*tile_ids: str, **values: Any) -> Any:
    """Expect render parameters of tiles, with some values."""
    return lambda found, owner: (
        [tile["tileId"] for tile in found["tileSpecs"]] == list(tile_ids) and values.items() <= found.items()
    )


DATA = {
    1.0: section("1.0", 1.0, 2, 10.0, 160.0, 20.0, 100.0),
    1.5: section("1.5", 1.5, 1, 0.0, 100.0, 0.0, 80.0),
}
BODY = {"transformIdToSpecMap": {}, "tileIdToSpecMap": {"d": make_tile("d")}}
RAW = {"transformIdToSpecMap": {"x": SHARED}, "tileIdToSpecMap": {"a": A, "b": B}}
BOX_OF_A = {"x": "0", "y": "0", "width": "50", "height": "50", "z": "1"}
G = {"groupId": "g"}
DVID = "/dvid/imagetile/raw/xy/{width}_{height}/{x}_{y}_{z}/"
IN_BOX = "/z/{z}/box/{x},{y},{width},{height}"
LINES = r"(?:[^\t\n]+\t)+http\S+/tile/{}/render-parameters\n"


def lines(*tile_ids: str) -> Any:
    """Expect a layout file with a line per tile."""
    return re.compile("".join(LINES.format(tile_id) for tile_id in tile_ids))


ENDPOINTS = [
    Call("GET", STACK + "/layoutFile", lines("a", "b", "c")),
    Call("GET", STACK + "/z/{z}/layoutFile", lines("c"), where={"z": "1.5"}),
    Call(
        "GET", STACK + "/zRange/{minZ},{maxZ}/layoutFile", lines("a", "b"), where={"minZ": "0.5", "maxZ": "1"}
    ),
    Call("GET", STACK + "/zValues", [1.0, 1.5]),
    Call("GET", STACK + "/sectionData", list(DATA.values()), state="COMPLETE"),
    Call("GET", STACK + "/z/{z}/sectionData", [DATA[1.0]], where={"z": "1"}),
    Call("GET", STACK + "/reorderedSectionData", [], state="COMPLETE"),
    Call("GET", STACK + "/mergedZValues", [], state="COMPLETE"),
    Call("GET", STACK + "/mergeableData", "0 < 1 : 1.0 < 1.5\n"),
    Call("GET", STACK + "/mergeableZValues", [1.0, 1.5]),
    Call("GET", STACK + "/z/{z}/bounds", BOUNDS, where={"z": "1"}),
    Call("GET", STACK + "/z/{z}/tileBounds", tile_bounds(A, B), where={"z": "1"}),
    Call("GET", STACK + "/section/{sectionId}/tileBounds", tile_bounds(C), where={"sectionId": "1.5"}),
    Call("GET", STACK + "/section/{sectionId}/z", 1.5, where={"sectionId": "1.5"}),
    Call("PUT", STACK + "/section/{sectionId}/z", body=7, status=201, where={"sectionId": "1.5"}),
    Call("PUT", STACK + "/z/{z}/tileIds", body=["a"], status=201, where={"z": "7"}),
    Call("GET", STACK + "/z/{z}/resolvedTiles", RAW, where={"z": "1"}),
    Call("GET", STACK + "/resolvedTiles", RAW, query="?maxZ=1"),
    Call("PUT", STACK + "/resolvedTiles", body=BODY, status=201, query="?deriveData=true"),
    Call("PUT", STACK + "/z/{z}/resolvedTiles", body=BODY, status=201, where={"z": "1"}),
    Call("GET", STACK + "/transform/{transformId}", SHARED, where={"transformId": "x"}),
    Call("GET", STACK + "/z/{z}/tile-specs", [RESOLVED_A, B], where={"z": "1"}),
    Call(
        "GET",
        STACK + "/z/{z}/last-tile-transforms",
        [
            {"tileId": "a", "lastTransform": SHARED},
            {"tileId": "b", "lastTransform": B["transforms"]["specList"][-1]},
        ],
        where={"z": "1"},
    ),
    Call(
        "GET",
        STACK + "/z/{z}/render-parameters",
        renders("a", "b", x=10.0, y=20.0, width=150),
        where={"z": "1"},
    ),
    Call(
        "GET",
        STACK + IN_BOX + ",{scale}/render-parameters",
        renders("a", x=0.0, width=50, height=50, scale=0.5),
        where={**BOX_OF_A, "scale": "0.5"},
    ),
    Call(
        "GET",
        STACK + "/group/{groupId}" + IN_BOX + ",{scale}/render-parameters",
        renders("b"),
        where={**BOX_OF_A, **G, "width": "90", "scale": "1"},
    ),
    Call("GET", STACK + DVID + "render-parameters", renders("a", scale=1.0), where=BOX_OF_A),
    Call("GET", STACK + "/group/{groupId}" + DVID + "render-parameters", renders(), where={**BOX_OF_A, **G}),
    Call("GET", STACK + IN_BOX + "/tile-count", 1, where=BOX_OF_A),
    Call("GET", STACK + DVID + "tile-count", 1, where=BOX_OF_A),
]

Z_VALUES = [
    ("", [-1.0, 1.0, 2.0, 2.5, 10.0]),
    ("?minZ=2&maxZ=2.5", [2.0, 2.5]),
    ("?minZ=2.1", [2.5, 10.0]),
    ("?maxZ=1", [-1.0, 1.0]),
    ("?minZ=99", []),
]

# x, y, width, height; whether the box touches the tile at 10, 10, 20, 20
TOUCHING = [
    ("0,0,9,9", 0),
    ("0,0,10,10", 1),
    ("20,20,5,5", 1),
    ("21,20,5,5", 0),
    ("12,12,0,0", 1),
    ("-5.5,-5.5,15,16", 0),
    ("-5.5,-5.5,16,16", 1),
]

SELECTED = [
    ("", ["a", "b", "c"]),
    ("?minZ=2", ["b", "c"]),
    ("?minZ=1&maxZ=2", ["a", "b"]),
    ("?groupId=g", ["a", "b"]),
    ("?minX=10&maxX=10", ["a", "b", "c"]),
    ("?minX=10.5", ["b"]),
    ("?maxY=9.5", ["a"]),
    ("?minY=1100", ["c"]),
    ("?minZ=2&maxZ=2&groupId=g&minX=0&maxX=99&minY=0&maxY=99", ["b"]),
]

# transform of a tile of 100 x 80 pixels, mesh cell size, the box that is derived
DERIVED = [
    ("identity", "1 0 0 1 0 0", 64.0, [0.0, 0.0, 100.0, 80.0]),
    ("towards zero", "1 0 0 1 -10.5 -20.7", 64.0, [-10.0, -20.0, 90.0, 60.0]),
    ("fraction", "1 0 0 1 10.5 20.7", 64.0, [10.0, 20.0, 110.0, 100.0]),
    ("finer", "2 0 0 2 0 0", 16.0, [0.0, 0.0, 200.0, 160.0]),
    ("mirrored", "-1 0 0 1 0 0", 64.0, [-100.0, 0.0, 0.0, 80.0]),
    ("a corner is not sampled", "1 1 0 1 0 0", 64.0, [0.0, 0.0, 100.0, 179.0]),
]

# section id and z of tiles, z values in which sections are merged, sections at another place
ORDERS = [
    ("in order", [("1.0", 1.0), ("2.0", 2.0)], [], []),
    ("merged", [("1.0", 1.0), ("1.1", 1.0), ("2.0", 2.0)], [1.0], []),
    ("moved", [("1.0", 1.0), ("5.0", 2.0), ("9.0", 3.0)], [], ["5.0", "9.0"]),
    ("by text", [("10.0", 9.0), ("9.0", 10.0)], [], ["10.0", "9.0"]),
]


class RenderDataConformance(ServiceConformance):
    """Layers and sections: sections 2.5, 3.1, 3.2 and 3.3 of the behaviour of render-ws."""

    @pytest.mark.parametrize("call", ENDPOINTS, ids=str)
    def test_endpoint(self, stack: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        stack.bring_to(call.state)
        check(stack, call)

    @pytest.mark.parametrize(("query", "expected"), Z_VALUES)
    def test_z_values(self, loading: Rest, query: str, expected: list[float]) -> None:
        """Layers of a range, both ends included."""
        loading.put_tiles(*(make_tile(f"t{z}", z) for z in (2.5, 1.0, -1.0, 2.0, 10.0)))
        assert loading.get("zValues" + query) == expected

    def test_layers_of_no_stack(self, api: Rest) -> None:
        """An empty stack has no layers; a stack that is not there is not found."""
        assert api.refused("GET", "zValues") == (404, api.fill(MISSING))
        api.create()
        assert api.get("zValues") == []

    def test_mergeable_layers(self, loading: Rest) -> None:
        """Layers at a fraction of z are mergeable with the layer before them."""
        loading.put_tiles(*(make_tile(f"t{z}", z) for z in (1.0, 2.0, 2.5, 3.0)))
        assert loading.get("mergeableZValues") == [2.0, 2.5]
        assert loading.get("mergeableZValues?minZ=3") == []
        assert loading("GET", "mergeableData").text == "1 < 2 : 2.0 < 2.5\n"

    @rows(*ORDERS, names="tiles, merged, reordered")
    def test_order_of_sections(
        self, loading: Rest, tiles: list[tuple[str, float]], merged: list[float], reordered: list[str]
    ) -> None:
        """Sections by id as text; several at one z are merged, those with another number are reordered."""
        loading.put_tiles(*(make_tile(f"t{name}", z, section=name) for name, z in tiles))
        loading.bring_to("COMPLETE")
        found = [(part["sectionId"], part["z"]) for part in loading.get("sectionData")]
        assert found == sorted(tiles)
        assert loading.get("mergedZValues") == merged
        assert [part["sectionId"] for part in loading.get("reorderedSectionData")] == reordered

    def test_sections_that_are_no_numbers(self, loading: Rest) -> None:
        """Sections whose ids are no numbers have no place."""
        loading.put_tiles(make_tile(section="one"))
        loading.bring_to("COMPLETE")
        assert loading.refused("GET", "reorderedSectionData") == (
            400,
            "reordered sections cannot be determined because stack contains non-standard sectionId (one) or z "
            "value (1.0)",
        )

    def test_section_data(self, loading: Rest) -> None:
        """Section data leave out tiles without section; those of a layer are always up to date."""
        loading.put_tiles(
            make_tile("a", 1.0, (0, 0, 10, 10)),
            make_tile("b", 1.0, (5, -5, 20, 30)),
            make_tile("c", 1.0, section=None),
            make_tile("d", 2.0, section="1.0"),
        )
        first = section("1.0", 1.0, 2, 0.0, 20.0, -5.0, 30.0)
        assert loading.get("z/1/sectionData") == [first]
        loading.bring_to("COMPLETE")
        found = sorted(loading.get("sectionData"), key=lambda part: part["z"])
        assert found == [first, section("1.0", 2.0, 1, 0.0, 100.0, 0.0, 80.0)]
        assert loading.get("sectionData?minZ=2&maxZ=3") == found[1:]

    def test_tile_bounds(self, stack: Rest) -> None:
        """Layers and sections that are not there have no tiles; a stack must be there."""
        assert stack.get("z/9/tileBounds") == stack.get("section/9/tileBounds") == []
        for path in ("z/9/tileBounds", "section/9/tileBounds"):
            assert stack.status("GET", path, stack="gone") == 404

    @pytest.mark.parametrize(("box", "expected"), TOUCHING)
    def test_boxes(self, loading: Rest, box: str, expected: int) -> None:
        """What touches the border of a box is in the box."""
        loading.put_tiles(make_tile("a", 1.0, (10, 10, 20, 20)), make_tile("b", 2.0, (10, 10, 20, 20)))
        assert loading.get(f"z/1/box/{box}/tile-count") == expected
        assert len(loading.get(f"z/1/box/{box},1/render-parameters")["tileSpecs"]) == expected

    def test_an_empty_box(self, stack: Rest) -> None:
        """A box without tiles is no mistake, a stack that is not there is."""
        for path in ("z/9/box/0,0,9,9/tile-count", "z/9/box/0,0,9,9,1/render-parameters"):
            assert stack.status("GET", path) == 200
            assert stack.status("GET", path, stack="gone") == 404

    @pytest.mark.parametrize(("query", "expected"), SELECTED)
    def test_selecting_tiles(self, loading: Rest, query: str, expected: list[str]) -> None:
        """Tiles by layers, by group and by box."""
        loading.put_tiles(
            make_tile("a", 1.0, (0, 0, 10, 10), groupId="g"),
            make_tile("b", 2.0, (10, 10, 20, 20), groupId="g"),
            make_tile("c", 3.0, (0, 100, 10, 1100)),
        )
        assert sorted(loading.get("resolvedTiles" + query)["tileIdToSpecMap"]) == expected

    @pytest.mark.parametrize("path", ["resolvedTiles?groupId=none", "z/9/resolvedTiles"])
    def test_nothing_selected(self, stack: Rest, path: str) -> None:
        """No tiles at all are not found."""
        assert stack.refused("GET", path)[0] == 404

    def test_moving_tiles(self, stack: Rest) -> None:
        """Tiles and sections get another z, and nothing else; what is not there does not matter."""
        stack.send("PUT", "z/7.5/tileIds", ["a", "unknown"], 201)
        assert stack.get("tile/a") == {**A, "z": 7.5}
        stack.send("PUT", "section/1.0/z", 8.0, 201)
        assert stack.get("tile/a") == {**A, "z": 8.0}
        assert stack.get("tile/b") == {**B, "z": 8.0}
        stack.send("PUT", "section/none/z", 9, 201)
        assert stack.get("zValues") == [1.5, 8.0]
        assert stack.refused("PUT", "z/7/tileIds", None)[0] == 400

    @pytest.mark.parametrize(
        ("path", "left"),
        [("z/1", ["c"]), ("section/1.5", ["a", "b"]), ("tile/a", ["b", "c"]), ("z/9", list("abc"))],
    )
    def test_deleting_tiles(self, stack: Rest, path: str, left: list[str]) -> None:
        """What is deleted may be gone already; shared transforms stay."""
        for _ in range(2):
            stack.send("DELETE", path)
            assert stack.get("tileIds") == left
        assert stack.get("transform/x") == SHARED

    @rows(*DERIVED, names="data, cell, box")
    def test_derived_boxes(self, loading: Rest, data: str, cell: float, box: list[float]) -> None:
        """Boxes are derived from samples of the border; what was sent is replaced."""
        tile = make_tile("a", box=(1, 2, 3, 4), specs=[affine(data)], meshCellSize=cell)
        loading.put_tiles(tile, path="z/1/resolvedTiles?deriveData=true")
        assert [loading.get("tile/a")[key] for key in BOX] == box

    def test_boxes_stay_when_a_shared_transform_changes(self, stack: Rest) -> None:
        """A shared transform is replaced without a look at the tiles that use it."""
        other = affine("1 0 0 1 500 500", id="x")
        stack.put_tiles(make_tile("d"), transforms=[other])
        found = stack.get("z/1/tile-specs")[0]
        assert found["transforms"]["specList"] == [other]
        assert [found[key] for key in BOX] == [A[key] for key in BOX]

    def test_layout_of_karsh(self, loading: Rest) -> None:
        """Tab separated: ids, affine by rows, place in the mosaic, image; what is missing is null."""
        layout = {
            "sectionId": "1.0",
            "imageCol": 3,
            "imageRow": 4,
            "camera": "c5",
            "temca": "6",
            "rotation": 1.5,
        }
        loading.put_tiles(
            make_tile("b", 1.0, (0, 5, 10, 10), layout=layout, specs=[affine("1 2 3 4 5 6")]),
            make_tile("a", 2.0, section=None),
        )
        b, a = (line.split("\t") for line in loading("GET", "layoutFile").text.splitlines())
        assert b[:-1] == [
            "1.0",
            "b",
            "1",
            "3",
            "5",
            "2",
            "4",
            "6",
            "3",
            "4",
            "c5",
            "/images/b.png",
            "6",
            "1.5",
            "1.0",
        ]
        assert a[:8] == ["null", "a", "1.0", "0.0", "null", "0.0", "1.0", "null"]
        assert b[-1].endswith(loading.fill("/owner/{owner}/project/p/stack/s/tile/b/render-parameters"))
        assert loading("GET", "layoutFile?minZ=2&format=KARSH").text.split("\t")[1] == "a"

    def test_layout_of_scheffer(self, stack: Rest) -> None:
        """A line with the bounds of the stack, if they are known, and one per tile."""
        first, *_, last = stack("GET", "layoutFile?format=SCHEFFER").text.splitlines()
        assert first == "BBOX "
        assert last == "TRANSFORM '/images/c.png' null 100 80"
        stack.bring_to("COMPLETE")
        first, second, *_ = stack("GET", "layoutFile?format=SCHEFFER").text.splitlines()
        assert first == "BBOX 0.0 0.0 160.0 100.0"
        assert second.startswith("TRANSFORM '/images/a.png' ")

    def test_raw_answers_have_the_transforms_that_they_need(self, stack: Rest) -> None:
        """Only those shared transforms are answered that the tiles refer to."""
        stack.put_tiles(make_tile("d", 4.0), transforms=[affine(id="unused")])
        assert stack.get("z/4/resolvedTiles")["transformIdToSpecMap"] == {}
        found = stack.get("resolvedTiles")
        assert found["transformIdToSpecMap"] == {"x": SHARED}
        assert found["tileIdToSpecMap"]["a"]["transforms"]["specList"] == [REF]
        assert keys("transformIdToSpecMap", "tileIdToSpecMap")(found, stack.owner)
