import gzip
import json
import math
import threading
from pathlib import Path

import pytest
from embedded import Api, affine, make_tile

from renderapi.server import Store
from renderapi.server.documents.mapping import to_local

GOLDEN = json.loads((Path(__file__).parents[1] / "data/golden/coordinates.json").read_text())
SHAPES = json.loads((Path(__file__).parents[1] / "data/golden/json_shapes.json").read_text())
KEY = "stack with owner 'o', project 'p', and name 's'"
MOVE = affine("1 0 0 1 10 20")


def golden_tile(case):
    names = case["transforms"]
    specs = [{"className": name, "dataString": data} for name, data in zip(names[::2], names[1::2])]
    tile = {"tileId": "t", "z": 3.0, "width": case["width"], "height": case["height"]}
    if "meshCellSize" in case:
        tile["meshCellSize"] = case["meshCellSize"]
    return {**tile, "transforms": {"type": "list", "specList": specs}}


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_points_of_the_original(loading, case):
    """Both ways, of a tile that is stored and of one that is sent; bit for bit."""
    tile = golden_tile(case)
    # whether a point is in the box is not what is asked here
    loading.put_tiles({**tile, "minX": -1e9, "minY": -1e9, "maxX": 1e9, "maxY": 1e9})
    body = json.dumps(tile)
    for point in case["points"]:
        x, y = point["local"]
        world = loading.get(f"tile/t/local-to-world-coordinates/{x},{y}")
        assert world == {"tileId": "t", "world": point["world"]}
        sent = loading(
            "PUT", f"/owner/o/local-to-world-coordinates/{x},{y}", data=body, content_type="application/json"
        )
        assert sent.json == point["world"]
        wx, wy, _ = point["world"]
        inverse = loading("GET", f"z/3/world-to-local-coordinates/{wx},{wy}")
        sent = loading(
            "PUT",
            f"/owner/o/world-to-local-coordinates/{wx},{wy}",
            data=body,
            content_type="application/json",
        )
        if "inverse_error" in point:
            assert inverse.status_code == sent.status_code == 500
            assert sent.text == point["inverse_error"].partition(": ")[2]
            assert inverse.text.endswith("found in tile id(s) [t] cannot be inverted")
        else:
            assert inverse.json == [{"tileId": "t", "visible": True, "local": point["back_to_local"]}]
            assert sent.json == point["back_to_local"]
    if "far_away_error" in case:
        expected = (500, case["far_away_error"].partition(": ")[2])
        assert loading.refused("GET", "z/3/world-to-local-coordinates/10000000,1e7") == expected


def test_shapes_of_the_original(loading):
    loading.put_tiles(make_tile("t", 3.0))
    (found,) = loading.get("z/3/world-to-local-coordinates/1,2")
    assert list(found.items()) == list(SHAPES["TileCoordinates_visible"].items())
    ((found,),) = loading(
        "PUT", "z/3/world-to-local-coordinates", [{"error": "old", "world": [999, 999]}]
    ).json
    assert list(found) == list(SHAPES["TileCoordinates_error"])


@pytest.fixture
def overlapping(loading):
    """Return tiles that overlap: a and b side by side, m mirrored over both."""
    loading.put_tiles(
        make_tile("b", 1.0, (60, 20, 160, 100), specs=[{"type": "ref", "refId": "x"}]),
        make_tile("a", 1.0, (10, 20, 110, 100), specs=[MOVE]),
        make_tile("m", 1.0, (0, 0, 200, 200), specs=[affine("-1 0 0 1 100 0")]),
        make_tile("other", 2.0, (10, 20, 110, 100), specs=[MOVE]),
        transforms=[affine("1 0 0 1 60 20", id="x")],
    )
    return loading


A, B = (
    {"tileId": "a", "local": [60.0, 10.0, 1.0]},
    {"tileId": "b", "visible": True, "local": [10.0, 10.0, 1.0]},
)


def test_the_last_tile_that_can_be_inverted_is_visible(overlapping):
    assert overlapping.get("z/1/world-to-local-coordinates/70,30") == [A, B]
    assert overlapping.get("z/1/world-to-local-coordinates/20,30") == [
        {"tileId": "a", "visible": True, "local": [10.0, 10.0, 1.0]}
    ]


def test_points_that_lie_nowhere(overlapping):
    assert overlapping.refused("GET", "z/1/world-to-local-coordinates/-5,1e7") == (
        400,
        f"no tile specifications found in {KEY} for world coordinates x=-5.0, y=1.0E7, z=1.0",
    )
    assert overlapping.refused("GET", "z/1/world-to-local-coordinates/160,30.25") == (
        500,
        "world coordinate (160.0, 30.25) found in tile id(s) [b, m] cannot be inverted",
    )
    assert overlapping.refused("GET", "z/1/world-to-local-coordinates/1,1", stack="gone")[0] == 400
    assert overlapping.refused("GET", "tile/x/local-to-world-coordinates/1,1")[0] == 404
    assert overlapping.refused("GET", "tile/a/local-to-world-coordinates/1,one")[0] == 404
    assert overlapping.refused("GET", "z/1/world-to-local-coordinates/1")[0] == 404


def batch(api, path, items, **options):
    answer = api("PUT", path, items, **options)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_many_local_points(overlapping):
    items = [
        {"tileId": "b", "local": [1, 2]},
        {"tileId": "a", "local": ["1", 2.5, 99]},
        {"tileId": "gone", "local": [1, 2], "visible": True, "unknown": 1, "error": "old"},
        None,
        {"local": [1, 2]},
        {"tileId": "a"},
        {"tileId": "a", "local": [1]},
        {"tileId": "b", "local": [3, 4]},
    ]
    expected = [
        {"tileId": "b", "world": [61.0, 22.0, 1.0]},
        {"tileId": "a", "world": [11.0, 22.5, 1.0]},
        {
            "tileId": "gone",
            "visible": True,
            "local": [1.0, 2.0],
            "error": "tile spec with id 'gone' does not exist in the render.o__p__s__tile collection",
        },
        {"error": "coordinates are missing"},
        {"local": [1.0, 2.0], "error": "tileId is missing"},
        {"tileId": "a", "error": "local values are missing"},
        {"tileId": "a", "local": [1.0], "error": "local values must include both x and y"},
        {"tileId": "b", "world": [63.0, 24.0, 1.0]},
    ]
    # the z of the path has no meaning
    for path in ("local-to-world-coordinates", "z/99/local-to-world-coordinates"):
        assert batch(overlapping, path, items) == expected
        assert batch(overlapping, path, []) == []
    (found,) = batch(overlapping, "local-to-world-coordinates", items[:1], stack="gone")
    assert found["error"] == "tile spec with id 'b' does not exist in the render.o__p__gone__tile collection"
    assert (
        overlapping.refused(
            "PUT", "local-to-world-coordinates", data="null", content_type="application/json"
        )[0]
        == 500
    )
    assert overlapping.refused("PUT", "local-to-world-coordinates", {})[0] == 400


def test_many_world_points_of_a_layer(overlapping):
    missing = f"no tile specifications found in {KEY} for world coordinates "
    items = [
        {"world": [70, 30]},
        {"world": [160, 30], "tileId": "kept", "error": "old"},
        {"world": [-5, 0]},
        None,
        {"tileId": "a"},
        {"world": [1]},
        {"world": [None, -5]},
        {"world": [70, 30, 99]},
    ]
    expected = [
        [A, B],
        [
            {
                "tileId": "kept",
                "world": [160.0, 30.0],
                "error": "world coordinate (160.0, 30.0) found in tile id(s) [b, m] cannot be inverted",
            }
        ],
        [{"world": [-5.0, 0.0], "error": missing + "x=-5.0, y=0.0, z=1.0"}],
        [{"error": "coordinates are missing"}],
        [{"tileId": "a", "error": "world values are missing"}],
        [{"world": [1.0], "error": "world values must include both x and y"}],
        # in an array of Java's numbers null is zero
        [{"world": [0.0, -5.0], "error": missing + "x=0.0, y=-5.0, z=1.0"}],
        [A, B],
    ]
    assert batch(overlapping, "z/1/world-to-local-coordinates", items) == expected
    ((found,),) = batch(overlapping, "z/1/world-to-local-coordinates", items[:1], stack="gone")
    assert found["error"].startswith("no tile specifications found in stack with owner 'o', project")


def test_many_world_points_of_a_stack(overlapping):
    found = batch(
        overlapping,
        "world-to-local-coordinates",
        [{"world": [70, 30, 1]}, {"world": [70, 30, 2]}, {"world": [70, 30]}],
    )
    assert found[0] == [A, B]
    assert found[1] == [{"tileId": "other", "visible": True, "local": [60.0, 10.0, 2.0]}]
    assert found[2] == [{"world": [70.0, 30.0], "error": "world values must include x, y, and z"}]


def test_which_tiles_contain_points(overlapping):
    items = [
        {"world": [70, 30], "tileId": "replaced", "error": "kept"},
        {"world": [110, 100]},
        {"world": [-5, 0], "local": [1]},
    ]
    found = batch(overlapping, "z/1/tileIdsForCoordinates", items)
    assert [[item.get("tileId") for item in row] for row in found] == [
        ["a", "b", "m"],
        ["a", "b", "m"],
        [None],
    ]
    assert list(found[0][0].items()) == [("tileId", "a"), ("world", [70.0, 30.0]), ("error", "kept")]
    assert found[2] == [{"local": [1.0], "world": [-5.0, 0.0]}]
    found = batch(overlapping, "tileIdsForCoordinates", [{"world": [70, 30, 2]}])
    assert found == [[{"tileId": "other", "world": [70.0, 30.0, 2.0]}]]
    for bad in (None, {}, {"world": [1, 2]}):
        assert overlapping.refused("PUT", "tileIdsForCoordinates", [bad])[0] == 500
    # nobody asks whether the stack is there
    assert batch(overlapping, "z/1/tileIdsForCoordinates", items[1:2], stack="gone") == [items[1:2]]
    assert overlapping.refused("PUT", "z/1/tileIdsForCoordinates", items, stack="a-b")[0] == 400


def test_a_point_is_carried_to_another_stack(overlapping):
    overlapping.create("target")
    overlapping.put_tiles(make_tile("b", 7.0, specs=[affine("2 0 0 2 0 0")]), stack="target")
    path = "z/1/world-coordinates/70,30/mapped-to-stack/"
    assert overlapping.get(path + "target") == {"tileId": "b", "world": [20.0, 20.0, 7.0]}
    assert overlapping.get(path + "target?toOwner=o&toProject=p")["world"] == [20.0, 20.0, 7.0]
    assert overlapping.refused("GET", path + "target?toProject=q")[0] == 404
    assert overlapping.refused("GET", path + "a-b")[0] == 400
    assert overlapping.refused("GET", "z/1/world-coordinates/20,30/mapped-to-stack/target") == (
        404,
        "tile spec with id 'a' does not exist in the render.o__p__target__tile collection",
    )
    assert overlapping.refused("GET", "z/1/world-coordinates/160,30/mapped-to-stack/target")[0] == 500


def test_a_tile_without_z(loading):
    loading.put_tiles(make_tile("t", None, specs=[MOVE]))
    assert loading.get("tile/t/local-to-world-coordinates/1,2")["world"] == [11.0, 22.0]
    assert batch(loading, "local-to-world-coordinates", [{"tileId": "t", "local": [1, 2]}])[0]["world"] == [
        11.0,
        22.0,
    ]
    assert loading("PUT", "/owner/o/local-to-world-coordinates/1,2", make_tile("t", None)).json == [1.0, 2.0]


def test_tiles_that_cannot_be_calculated_with(loading):
    bad = {"type": "leaf", "className": "x.Y", "dataString": ""}
    loading.put_tiles(make_tile("t", specs=[bad]), make_tile("u", 2.0, specs=[MOVE], width=None))
    reason = "transform class 'x.Y' cannot be found"
    assert loading.refused("GET", "tile/t/local-to-world-coordinates/1,2") == (400, reason)
    for path in ("local-to-world-coordinates", "z/1/world-to-local-coordinates"):
        item = {"tileId": "t", "local": [1.0, 2.0], "world": [1.0, 2.0]}
        (found,) = batch(loading, path, [item])
        assert found in ({**item, "error": reason}, [{**item, "error": reason}])
    status, text = loading.refused("GET", "z/2/world-to-local-coordinates/1,2")
    assert status == 500 and "width and height" in text
    path = "/owner/o/{}-coordinates/1,2"
    for direction in ("local-to-world", "world-to-local"):
        assert loading.refused("PUT", path.format(direction), make_tile("t", specs=[bad]))[0] == 400
        ref = [{"type": "ref", "refId": "x"}]
        assert loading.refused("PUT", path.format(direction), make_tile("t", specs=ref)) == (
            400,
            "spec reference to id 'x' has not been resolved",
        )
        assert (
            loading.refused("PUT", path.format(direction), data="null", content_type="application/json")[0]
            == 500
        )


@pytest.mark.parametrize(
    "change",
    [{"meshCellSize": 1e-3}, {"width": 1e30, "height": 1e-30}, {"height": "Infinity"}, {"width": "NaN"}],
)
def test_a_mesh_that_would_fill_the_memory_is_not_made(loading, change):
    tile = make_tile("t", specs=[MOVE], **change)
    for method, path, body in [
        ("PUT", "/owner/o/world-to-local-coordinates/11,22", tile),
        ("GET", "z/1/world-to-local-coordinates/11,22", None),
    ]:
        loading.put_tiles(tile)
        status, text = loading.refused(method, path, body)
        assert status in (400, 500) and "cannot have a mesh with a meshCellSize of" in text


def test_large_meshes_are_made_each_time(loading):
    tile = make_tile("t", specs=[MOVE], width=20_000.0, height=20_000.0)
    for _ in range(2):
        found = loading("PUT", "/owner/o/world-to-local-coordinates/11,22", tile).json
        assert found == pytest.approx([1.0, 2.0, 1.0])


def test_the_mesh_can_be_finer_than_the_tile_says(loading):
    quadratic = {
        "type": "leaf",
        "className": "mpicbg.trakem2.transform.PolynomialTransform2D",
        "dataString": "0 1 0 0.001 0 0 0 0 1 0 0 0.001",
    }
    tile = make_tile("t", specs=[quadratic], width=1000.0, height=1000.0)
    exact = 123.0
    world = exact + 0.001 * exact**2
    errors = []
    for cell in ("", "?meshCellSize=16", "?meshCellSize=4"):
        found = loading("PUT", f"/owner/o/world-to-local-coordinates/{world},{world}{cell}", tile).json
        errors.append(math.dist(found[:2], [exact, exact]))
    assert errors[0] > errors[1] > errors[2] > 0
    assert loading.refused("PUT", "/owner/o/world-to-local-coordinates/1,1?meshCellSize=x", tile)[0] == 404


def is_near(found, expected):
    # sums in the double precision moving least squares have no defined order
    return len(found) == len(expected) and all(abs(a - b) < 1e-8 for a, b in zip(found, expected))


def test_tiles_over_each_other_of_the_original(loading):
    path = Path(__file__).parents[1] / "data/golden/original/inverse.json.gz"
    cases = [
        case for case in json.loads(gzip.decompress(path.read_bytes()))["cases"] if case["kind"] == "list"
    ]
    assert len(cases) > 10
    for case in cases:
        z = case["tileSpecs"][0]["z"]
        tiles = {tile["tileId"]: tile for tile in case["tileSpecs"]}
        loading.send("PUT", "resolvedTiles?deriveData=true", {"tileIdToSpecMap": tiles}, 201)
        items = [{"world": point["world"][:2]} for point in case["points"]]
        contained = batch(loading, f"z/{z}/tileIdsForCoordinates", items)
        mapped = batch(loading, f"z/{z}/world-to-local-coordinates", items)
        for point, tile_ids, found in zip(case["points"], contained, mapped):
            assert [item.get("tileId") for item in tile_ids] == (point["containingTileIds"] or [None])
            if "local" in point:
                assert [(item["tileId"], item.get("visible")) for item in found] == [
                    (item["tileId"], item.get("visible")) for item in point["local"]
                ]
                for item, expected in zip(found, point["local"]):
                    assert is_near(item["local"], expected["local"])
            elif "error" in point:
                assert found[0]["error"] == point["error"].partition(": ")[2]
            else:
                assert found[0]["error"].startswith("no tile specifications found in")
        loading.send("DELETE", f"z/{z}")


def test_one_degenerate_tile_does_not_spoil_a_batch(loading):
    loading.put_tiles(
        make_tile("t", specs=[MOVE]),
        make_tile("huge", specs=[affine("1e308 0 0 1e308 1e308 1e308")]),
    )
    items = [{"tileId": "huge", "local": [10, -10]}, {"tileId": "t", "local": ["NaN", 1]}]
    items += [{"tileId": "t", "local": [None, 1]}]
    found = batch(loading, "local-to-world-coordinates", items)
    assert found[0] == {"tileId": "huge", "world": ["Infinity", "-Infinity", 1.0]}
    assert found[1]["world"][0] == "NaN"
    assert found[2] == batch(loading, "local-to-world-coordinates", [{"tileId": "t", "local": [0, 1]}])[0]
    assert loading.get("tile/huge/local-to-world-coordinates/10,10")["world"] == ["Infinity", "Infinity", 1.0]


def test_a_sent_tile_that_cannot_be_inverted(loading):
    path = "/owner/o/world-to-local-coordinates/10,12"
    # without transforms there is nothing to invert, whatever the size
    plain = make_tile("t", specs=[], width=None, height=None, z=None)
    assert batch(loading, path, plain) == [10.0, 12.0]
    flat = make_tile("t", specs=[affine("0 0 0 0 0 0")])
    assert loading.refused("PUT", path, flat) == (500, "Model not invertible.")
    moved = make_tile("t", specs=[affine("1 0 0 1 500 500")])
    assert loading.refused("PUT", path, moved) == (500, "Noninvertible location ( 10.0, 12.0 )")
    assert loading.refused("PUT", path + "?meshCellSize=0", moved)[0] == 500


LENS = (
    "2 6 11.0 0.185 -0.086 8.0 0.172 0.083 0.148 0.281 -0.004 -0.174 0.202 0.168 "
    "20.0 15.0 520.0 300.0 290.0 0.0 11.5 8.6 470.0 270.0 260.0 1.0 40 30 "
)


def test_the_lens_correction_of_trakem2_is_computed_as_its_successor(loading):
    """Tiles of TrakEM2 name a class that render has dropped."""
    names = {"old": "lenscorrection.NonLinearTransform"}
    names["new"] = "mpicbg.trakem2.transform.NonLinearCoordinateTransform"
    tiles = [
        make_tile(
            tile_id,
            width=40.0,
            height=30.0,
            specs=[{"type": "leaf", "className": name, "dataString": LENS}, affine("1 0 0 1 100 200")],
        )
        for tile_id, name in names.items()
    ]
    loading.put_tiles(*tiles, path="resolvedTiles?deriveData=true")
    old, new = (loading.get(f"tile/{tile_id}") for tile_id in names)
    assert old["transforms"]["specList"][0]["className"] == names["old"]
    for key in ("minX", "minY", "maxX", "maxY"):
        assert old[key] == new[key]
    assert (old["minX"], old["minY"]) != (100.0, 200.0)
    worlds = [loading.get(f"tile/{tile_id}/local-to-world-coordinates/19.5,14.5") for tile_id in names]
    x, y, _ = worlds[0]["world"]
    assert worlds[0]["world"] == worlds[1]["world"]
    assert (x, y) == pytest.approx((119.667367944764663, 216.337579363418591), abs=1e-12)
    found = loading.get(f"z/1/world-to-local-coordinates/{x},{y}")
    assert {item["tileId"] for item in found} == set(names)
    assert found[0]["local"] == found[1]["local"] == pytest.approx([19.5, 14.5, 1.0], abs=0.1)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("mpicbg.trakem2.transform.AfineModel2D", "mpicbg.trakem2.transform.AffineModel2D"),
        ("org.example.affinemodel2d", "mpicbg.trakem2.transform.AffineModel2D"),
        ("lenscorrection.NonlinearTransform", "lenscorrection.NonLinearTransform"),
        ("no.such.Class", None),
        ("", None),
    ],
)
def test_the_class_that_may_have_been_meant_is_named(loading, name, more):
    said = f"transform class '{name}' cannot be found" + (f"; the nearest is '{more}'" if more else "")
    spec = {"type": "leaf", "className": name, "dataString": "1 0 0 1 0 0"}
    body = {"tileIdToSpecMap": {"t": make_tile(specs=[spec])}}
    assert loading.refused("PUT", "resolvedTiles?deriveData=true", body) == (400, said)
    loading.send("PUT", "resolvedTiles", body, 201)
    assert loading.refused("GET", "tile/t/local-to-world-coordinates/1,1") == (400, said)


@pytest.fixture(params=["memory", "file"])
def many(request, tmp_path):
    """Return an application over a store of either kind, with tiles a to e side by side, some behind a reference."""
    with Store(tmp_path if request.param == "file" else None) as store:
        api = Api(store)
        api.create()
        lens = [{"type": "ref", "refId": "lens"}]
        api.put_tiles(
            *(
                make_tile(name, 1.0, (100.0 * n, 0, 100.0 * n + 100, 80), specs=[*lens * (n % 2), move])
                for n, (name, move) in enumerate(
                    (name, affine(f"1 0 0 1 {100 * n} 0")) for n, name in enumerate("abcde")
                )
            ),
            make_tile("bad", 1.0, (500, 0, 600, 80), specs=[{"type": "ref", "refId": "y"}]),
            make_tile("worse", 1.0, (600, 0, 700, 80), specs=[affine("1 2 x")]),
            transforms=[affine(id="lens"), affine(id="x"), affine(id="y")],
        )
        # a reference that leads straight to another one is not resolved
        api.put_tiles(make_tile("far", 9.0), transforms=[{"type": "ref", "id": "y", "refId": "x"}])
        yield api


def test_a_batch_in_slices_is_one_answer(many, monkeypatch):
    world = [{"world": [x * 7.0 % 750, x % 90]} for x in range(300)]
    world[7] = None
    world[20] = {"world": ["NaN", 1]}
    world[21] = {"world": [1]}
    paths = [f"z/1/{kind}" for kind in ("world-to-local-coordinates", "tileIdsForCoordinates")]
    bodies = [world, [item for item in world if item and len(item["world"]) > 1]]
    whole = [batch(many, path, body) for path, body in zip(paths, bodies)]
    back = [item for found in whole[0] for item in found if "local" in item]
    back += [{"tileId": name, "local": [1, 2]} for name in ("bad", "worse", "none")] + [None]
    local = batch(many, "local-to-world-coordinates", back)
    errors = {item.get("error") for found in [*whole[0], local] for item in found if "error" in item}
    assert {None} < errors | {None} and len(errors) > 5
    assert any(error and error.endswith("following transform specs: [x, y]") for error in errors)
    monkeypatch.setattr("renderapi.server.endpoints.turns.SLICE", 7)
    monkeypatch.setattr("renderapi.server.endpoints.turns.by_slices.__defaults__", (7,))
    monkeypatch.setattr("renderapi.server.services.coordinates._KEPT", 2)
    assert [batch(many, path, body) for path, body in zip(paths, bodies)] == whole
    assert batch(many, "local-to-world-coordinates", back) == local


def test_nobody_waits_for_points_that_are_mapped(many, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(*values):
        begun.set()
        assert go_on.wait(20)
        return to_local(*values)

    monkeypatch.setattr("renderapi.server.services.coordinates.to_local", slow)
    answers = []
    work = threading.Thread(
        target=lambda: answers.append(batch(many, "z/1/world-to-local-coordinates", [{"world": [1, 1]}] * 10))
    )
    work.start()
    assert begun.wait(20)
    others = threading.Thread(target=lambda: answers.append(many.get("/owners")))
    others.start()
    others.join(10)
    assert answers == [["o"]]
    # nor for the next slices, to write
    writing = threading.Thread(target=lambda: many.put_tiles(make_tile("new")))
    writing.start()
    writing.join(10)
    assert not writing.is_alive()
    go_on.set()
    work.join(20)
    assert len(answers[1]) == 10
