"""CoordinateService: points of tiles and points of the world."""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

from typing import Any

import pytest

from renderapi.testing.conformance._base import (
    KEY,
    RESOLVED_A,
    STACK,
    Call,
    ServiceConformance,
    check,
    rows,
)
from renderapi.testing.documents import affine, make_tile
from renderapi.testing.rest import Rest

XY = {"x": "70", "y": "30", "z": "1"}
LOCAL_A = {"tileId": "a", "local": [60.0, 10.0, 1.0]}
LOCAL_B = {"tileId": "b", "visible": True, "local": [10.0, 10.0, 1.0]}
IN_LAYER = [{"world": [70, 30]}]
IN_STACK = [{"world": [70, 30, 1]}]
POINTS = [{"tileId": "a", "local": [1, 2]}]
WORLD = [{"tileId": "a", "world": [11.0, 22.0, 1.0]}]


def containing(*world: float) -> list[list[dict[str, Any]]]:
    """Return what is answered of a point in a and b."""
    return [[{"tileId": tile_id, "world": list(world)} for tile_id in "ab"]]


ENDPOINTS = [
    Call(
        "GET",
        STACK + "/tile/{tileId}/local-to-world-coordinates/{x},{y}",
        WORLD[0],
        where={"tileId": "a", "x": "1", "y": "2"},
    ),
    Call("PUT", STACK + "/local-to-world-coordinates", WORLD, POINTS),
    Call("PUT", STACK + "/z/{z}/local-to-world-coordinates", WORLD, POINTS, where={"z": "99"}),
    Call("GET", STACK + "/z/{z}/world-to-local-coordinates/{x},{y}", [LOCAL_A, LOCAL_B], where=XY),
    Call("PUT", STACK + "/world-to-local-coordinates", [[LOCAL_A, LOCAL_B]], IN_STACK),
    Call("PUT", STACK + "/z/{z}/world-to-local-coordinates", [[LOCAL_A, LOCAL_B]], IN_LAYER, where=XY),
    Call("PUT", STACK + "/tileIdsForCoordinates", containing(70.0, 30.0, 1.0), IN_STACK),
    Call("PUT", STACK + "/z/{z}/tileIdsForCoordinates", containing(70.0, 30.0), IN_LAYER, where=XY),
    Call(
        "GET",
        STACK + "/z/{z}/world-coordinates/{x},{y}/mapped-to-stack/{toStack}",
        {"tileId": "b", "world": [70.0, 30.0, 1.0]},
        where={**XY, "toStack": "s"},
    ),
    Call("PUT", "/owner/{owner}/local-to-world-coordinates/{x},{y}", [80.0, 50.0, 1.0], RESOLVED_A, where=XY),
    Call("PUT", "/owner/{owner}/world-to-local-coordinates/{x},{y}", [60.0, 10.0, 1.0], RESOLVED_A, where=XY),
]

NOWHERE = f"no tile specifications found in {KEY} for world coordinates "
NOT_INVERTED = "world coordinate (5.0, 5.0) found in tile id(s) [m] cannot be inverted"
NO_TILE = "tile spec with id 'gone' does not exist in the render.{owner}__p__s__tile collection"

# an item, and the error that it is answered with
BAD_LOCAL: list[tuple[str, Any, str]] = [
    ("null", None, "coordinates are missing"),
    ("no tile", {"local": [1.0, 2.0]}, "tileId is missing"),
    ("no point", {"tileId": "a"}, "local values are missing"),
    ("half a point", {"tileId": "a", "local": [1.0]}, "local values must include both x and y"),
    ("unknown tile", {"tileId": "gone", "local": [1.0, 2.0]}, NO_TILE),
]
BAD_WORLD: list[tuple[str, str, Any, str]] = [
    ("null", "z/1/", None, "coordinates are missing"),
    ("no point", "z/1/", {"tileId": "a"}, "world values are missing"),
    ("half a point", "z/1/", {"world": [1.0]}, "world values must include both x and y"),
    ("nowhere", "z/1/", {"world": [-5.0, 0.0]}, NOWHERE + "x=-5.0, y=0.0, z=1.0"),
    ("not invertible", "z/1/", {"world": [5.0, 5.0]}, NOT_INVERTED),
    ("no z", "", {"world": [70.0, 30.0]}, "world values must include x, y, and z"),
    ("no point, no z", "", {}, "world values are missing"),
    ("another layer", "", {"world": [70.0, 30.0, 9.0]}, NOWHERE + "x=70.0, y=30.0, z=9.0"),
]

# why a point cannot be inverted, transform of a tile of 100 x 80 pixels, point of the world
OUTSIDE_THE_MESH = [
    ("last column", "1 0 0 1 0 0", 99.5, 10.0),
    ("last row", "1 0 0 1 0 0", 10.0, 79.5),
    ("outside", "1 0 0 1 0 0", -1.0, -1.0),
    ("mirrored", "-1 0 0 1 0 0", -50.0, 40.0),
    ("mirrored in y", "1 0 0 -1 0 0", 50.0, -40.0),
]

QUADRATIC = {
    "type": "leaf",
    "className": "mpicbg.trakem2.transform.PolynomialTransform2D",
    "dataString": "0 1 0 0.001 0 0 0 0 1 0 0 0.001",
}


class CoordinateConformance(ServiceConformance):
    """Coordinates, section 4 of the behaviour of render-ws."""

    @pytest.fixture
    def overlapping(self, stack: Rest) -> Rest:
        """Return a stack in which also a mirrored tile, m, covers a and b."""
        stack.put_tiles(make_tile("m", 1.0, (0, 0, 200, 200), specs=[affine("-1 0 0 1 100 0")]))
        return stack

    @pytest.mark.parametrize("call", ENDPOINTS, ids=str)
    def test_endpoint(self, stack: Rest, call: Call) -> None:
        """Every endpoint answers as it should."""
        check(stack, call)

    def test_the_last_tile_that_can_be_inverted_is_visible(self, overlapping: Rest) -> None:
        """Of the tiles at a point, by id, those count that can be inverted there."""
        assert overlapping.get("z/1/world-to-local-coordinates/70,30") == [LOCAL_A, LOCAL_B]
        alone = {"tileId": "a", "visible": True, "local": [10.0, 10.0, 1.0]}
        assert overlapping.get("z/1/world-to-local-coordinates/20,30") == [alone]

    def test_points_outside_of_a_tile(self, stack: Rest) -> None:
        """Any point of a tile can be brought to the world."""
        found = stack.get("tile/a/local-to-world-coordinates/-1000,1e3")
        assert found == {"tileId": "a", "world": [-990.0, 1020.0, 1.0]}

    def test_refusals_of_single_points(self, overlapping: Rest) -> None:
        """A point without tile is a bad request, a point that cannot be inverted a failure."""
        path = "z/1/world-to-local-coordinates/"
        text = overlapping.fill(NOWHERE + "x=-5.0, y=1.0E7, z=1.0")
        assert overlapping.refused("GET", path + "-5,1e7") == (400, text)
        assert overlapping.refused("GET", path + "5,5") == (500, NOT_INVERTED)
        assert overlapping.refused("GET", path + "5,5", stack="gone")[0] == 400
        assert overlapping.refused("GET", "tile/gone/local-to-world-coordinates/1,1") == (
            404,
            overlapping.fill(NO_TILE),
        )

    @pytest.mark.parametrize("prefix", ["", "z/1/"])
    @rows(*BAD_LOCAL, names="item, error")
    def test_refusals_of_local_points(self, stack: Rest, prefix: str, item: Any, error: str) -> None:
        """A bad item is answered with what is wrong with it; the others do not mind."""
        found = stack.ask("PUT", prefix + "local-to-world-coordinates", [*POINTS, item, *POINTS])
        assert found == [*WORLD, {**(item or {}), "error": stack.fill(error)}, *WORLD]

    @rows(*BAD_WORLD, names="prefix, item, error")
    def test_refusals_of_world_points(self, overlapping: Rest, prefix: str, item: Any, error: str) -> None:
        """A bad item is answered with a list of itself and what is wrong with it."""
        good = IN_LAYER[0] if prefix else IN_STACK[0]
        found = overlapping.ask("PUT", prefix + "world-to-local-coordinates", [good, item, good])
        expected = {**(item or {}), "error": overlapping.fill(error)}
        assert found == [[LOCAL_A, LOCAL_B], [expected], [LOCAL_A, LOCAL_B]]

    @pytest.mark.parametrize("path", ["local-to-world", "world-to-local", "z/1/world-to-local"])
    def test_no_points(self, stack: Rest, path: str) -> None:
        """No points in, no points out."""
        assert stack.ask("PUT", path + "-coordinates", []) == []

    def test_ids_of_tiles_at_points(self, overlapping: Rest) -> None:
        """Only boxes are looked at; an item is repeated for each tile, and keeps what it holds."""
        items = [{"world": [5, 5], "error": "kept"}, {"world": [110, 100]}, {"world": [-5, 0]}]
        found = overlapping.ask("PUT", "z/1/tileIdsForCoordinates", items)
        assert found == [
            [{"tileId": "m", "world": [5.0, 5.0], "error": "kept"}],
            [{"tileId": tile_id, "world": [110.0, 100.0]} for tile_id in "abm"],
            [{"world": [-5.0, 0.0]}],
        ]
        # nobody asks whether the stack is there
        assert overlapping.status("PUT", "z/1/tileIdsForCoordinates", items, stack="gone") == 200

    def test_mapping_to_another_stack(self, overlapping: Rest) -> None:
        """The point of the visible tile is brought to the world of the other stack."""
        overlapping.create("t")
        overlapping.put_tiles(make_tile("b", 7.0, specs=[affine("2 0 0 2 0 0")]), stack="t")
        path = "z/1/world-coordinates/{},30/mapped-to-stack/t"
        expected = {"tileId": "b", "world": [20.0, 20.0, 7.0]}
        assert overlapping.get(path.format(70)) == expected
        assert overlapping.get(path.format(70) + "?toOwner={owner}&toProject=p") == expected
        text = "tile spec with id 'a' does not exist in the render.{owner}__p__t__tile collection"
        assert overlapping.refused("GET", path.format(20)) == (404, overlapping.fill(text))
        assert overlapping.refused("GET", path.format(70) + "?toProject=q")[0] == 404
        assert overlapping.refused("GET", path.format(500))[0] == 400

    @rows(*OUTSIDE_THE_MESH, names="data, x, y")
    def test_points_outside_of_the_mesh(self, api: Rest, data: str, x: float, y: float) -> None:
        """Triangles cover all but the last pixels, and no mirrored tile."""
        status, text = api.refused(
            "PUT",
            f"/owner/{{owner}}/world-to-local-coordinates/{x},{y}",
            make_tile("t", specs=[affine(data)]),
        )
        assert status == 500
        assert text.startswith("Noninvertible location ( ")

    def test_a_tile_without_transforms(self, api: Rest) -> None:
        """A tile without transforms is the identity at any point."""
        path = "/owner/{owner}/world-to-local-coordinates/-1000,1e6"
        assert api.ask("PUT", path, make_tile("t")) == [-1000.0, 1e6, 1.0]

    def test_a_tile_without_z(self, loading: Rest) -> None:
        """Without z there is none in the answer."""
        tile = make_tile("t", None, specs=[affine("1 0 0 1 5 5")])
        loading.put_tiles(tile)
        assert loading.get("tile/t/local-to-world-coordinates/1,2")["world"] == [6.0, 7.0]
        assert loading.ask("PUT", "/owner/{owner}/local-to-world-coordinates/1,2", tile) == [6.0, 7.0]

    def test_a_finer_mesh_is_more_exact(self, api: Rest) -> None:
        """The size of mesh cells can be given; the inverse is that of the triangle, not of the curve."""
        tile = make_tile("t", specs=[QUADRATIC], width=1000.0, height=1000.0)
        world = 123.0 + 0.001 * 123.0**2
        errors = []
        for query in ("", "?meshCellSize=16", "?meshCellSize=4"):
            path = f"/owner/{{owner}}/world-to-local-coordinates/{world},{world}{query}"
            errors.append(abs(api.ask("PUT", path, tile)[0] - 123.0))
        assert errors[0] > errors[1] > errors[2] > 0

    def test_there_and_back(self, loading: Rest) -> None:
        """Points of an affine tile come back to where they were."""
        loading.put_tiles(
            make_tile("t", specs=[affine("0.9 0.1 -0.1 0.9 10 20")]), path="resolvedTiles?deriveData=true"
        )
        items = [{"tileId": "t", "local": [x, y]} for x in (0.5, 12.5, 98.0) for y in (0.5, 33.3, 78.0)]
        world = loading.ask("PUT", "local-to-world-coordinates", items)
        back = loading.ask("PUT", "world-to-local-coordinates", [{"world": item["world"]} for item in world])
        for item, (found,) in zip(items, back):
            assert found["local"] == pytest.approx([*item["local"], 1.0], abs=1e-9)
