import copy
import json
import random
from pathlib import Path

import pytest

from renderapi import _json
from renderapi.server.documents.problems import FailedError, InvalidError, Problem
from renderapi.server.documents.stacks import stack_version
from renderapi.server.documents.tiles import ResolvedTiles, is_nested, tile_spec, transform

GOLDEN = json.loads((Path(__file__).parents[1] / "data/golden/json_shapes.json").read_text())


def ordered(document):
    """Return a document with the order of its keys as part of it."""
    if isinstance(document, dict):
        return [(key, ordered(value)) for key, value in document.items()]
    if isinstance(document, list):
        return [ordered(value) for value in document]
    return document if isinstance(document, (str, type(None))) else (type(document), document)


def test_a_tile_spec_of_the_original_is_kept_as_it_is():
    assert ordered(tile_spec(GOLDEN["TileSpec_raw"])) == ordered(GOLDEN["TileSpec_raw"])


def test_keys_are_brought_into_the_declared_order_and_unknown_ones_dropped():
    golden = GOLDEN["TileSpec_raw"]

    def shuffled(value):
        if isinstance(value, dict):
            return {"unknown": 1, **{key: shuffled(value[key]) for key in reversed(value)}}
        return list(map(shuffled, value)) if isinstance(value, list) else value

    sent = shuffled(golden)
    for levels in (sent["mipmapLevels"], sent["channels"][0]["mipmapLevels"]):
        del levels["unknown"]
    sent["frameId"] = sent["mesh_cell_size"] = 5
    assert ordered(tile_spec(sent)) == ordered(golden)


def test_defaults_are_always_written():
    assert tile_spec({"tileId": "a", "channels": [{}]}) == {
        "tileId": "a",
        "mipmapLevels": {},
        "channels": [{"minIntensity": 0.0, "maxIntensity": 255.0, "mipmapLevels": {}}],
        "transforms": {"type": "list", "specList": []},
        "meshCellSize": 64.0,
    }


def test_nulls_are_left_out():
    sent = {
        "tileId": None,
        "layout": None,
        "groupId": None,
        "z": None,
        "width": "",
        "mipmapLevels": None,
        "channels": None,
        "mipmapPathBuilder": None,
        "meshCellSize": None,
        "labels": None,
    }
    assert tile_spec(sent) == {
        "mipmapLevels": {},
        "transforms": {"type": "list", "specList": []},
        "meshCellSize": 64.0,
    }
    assert tile_spec({"layout": {"sectionId": None, "stageX": "", "imageRow": ""}})["layout"] == {}
    # an explicit null is stored as absent, unlike a range that is not given
    assert tile_spec({"channels": [{"minIntensity": None}]})["channels"] == [
        {"maxIntensity": 255.0, "mipmapLevels": {}}
    ]


def test_values_are_coerced_to_what_is_declared():
    read = tile_spec(
        {
            "tileId": 5,
            "layout": {"sectionId": 5, "imageCol": 1.7, "imageRow": "2", "stageX": 3, "pixelsize": "4.5"},
            "groupId": 1.5,
            "z": "1.5",
            "minX": 1,
            "meshCellSize": "32",
            "mipmapLevels": {"10": {"imageUrl": 1}, "2": {"imageSliceNumber": "3"}, "-1": None, "0": {}},
            "labels": ["b", 1, "b"],
        }
    )
    assert ordered(read) == ordered(
        {
            "tileId": "5",
            "layout": {"sectionId": "5", "imageRow": 2, "imageCol": 1, "stageX": 3.0, "pixelsize": 4.5},
            "groupId": "1.5",
            "z": 1.5,
            "minX": 1.0,
            "mipmapLevels": {"0": {}, "2": {"imageSliceNumber": 3}, "10": {"imageUrl": "1"}},
            "transforms": {"type": "list", "specList": []},
            "meshCellSize": 32.0,
            "labels": ["1", "b"],  # as a hash set of Java has them
        }
    )


@pytest.mark.parametrize(
    "levels",
    [
        {"0": {"imageUrl": "a"}},
        {"0": {"imageUrl": "a", "maskUrl": "m"}},
        {"0": {"imageUrl": "a", "imageLoaderType": "IMAGEJ_TIFF_STACK", "imageSliceNumber": 3}},
        {"3": {"imageUrl": "a"}},
        {},
    ],
)
def test_usual_mipmaps_are_kept(levels):
    assert tile_spec({"mipmapLevels": levels})["mipmapLevels"] == levels


def test_the_usual_mipmap_keeps_known_keys_in_their_order():
    read = tile_spec({"mipmapLevels": {"0": {"maskUrl": "m", "x": 1, "imageUrl": "a"}}})["mipmapLevels"]["0"]
    assert list(read.items()) == [("imageUrl", "a"), ("maskUrl", "m")]
    read = tile_spec({"mipmapLevels": {"0": {"maskUrl": "m", "imageUrl": "a"}}})["mipmapLevels"]["0"]
    assert list(read) == ["imageUrl", "maskUrl"]


@pytest.mark.parametrize(
    "sent",
    [
        5,
        [],
        {"tileId": []},
        {"z": "x"},
        {"z": {}},
        {"layout": []},
        {"mipmapLevels": []},
        {"mipmapLevels": {"a": {}}},
        {"mipmapLevels": {"0": []}},
        {"mipmapLevels": {"0": {"imageLoaderType": "OTHER"}}},
        {"channels": {}},
        {"channels": [None]},
        {"labels": "a"},
        {"transforms": []},
        {"transforms": {"specList": []}},
        {"transforms": {"type": "leaf"}},
        {"transforms": {"type": "list", "specList": {}}},
        {"transforms": {"type": "list", "specList": ["x"]}},
        {"transforms": {"type": "list", "specList": [{"metaData": []}]}},
        {"transforms": {"type": "list", "specList": [{"metaData": {"labels": "a"}}]}},
    ],
)
def test_what_is_no_tile_spec_is_a_bad_request(sent):
    with pytest.raises(InvalidError):
        tile_spec(sent)


def test_paths_of_mipmaps_may_be_built():
    builder = {
        "rootPath": "/mips",
        "numberOfLevels": "3",
        "extension": "tif",
        "imageMipmapPatternString": "(.*)(/x)",
    }
    expected = {**builder, "numberOfLevels": 3}
    read = tile_spec({"mipmapPathBuilder": {**builder, "x": 1}, "channels": [{"mipmapPathBuilder": builder}]})
    assert read["mipmapPathBuilder"] == read["channels"][0]["mipmapPathBuilder"] == expected


def test_room_is_left_for_a_box_that_is_derived():
    sent = {"tileId": "a", "z": 1, "minX": "5", "maxX": None, "width": 3}
    assert list(tile_spec(sent, derive=True))[:7] == ["tileId", "z", "minX", "minY", "maxX", "maxY", "width"]
    assert "minY" not in tile_spec(sent) and "maxX" not in tile_spec(sent)
    assert tile_spec(sent)["minX"] == 5.0
    with pytest.raises(InvalidError):
        tile_spec({"minX": "five"}, derive=True)


def test_a_list_without_specs():
    assert transform({"type": "list"}) == transform({"type": "list", "specList": None})
    assert transform({"type": "list", "specList": [{"type": "leaf", "className": 1, "dataString": "d"}]})[
        "specList"
    ] == [{"type": "leaf", "className": "1", "dataString": "d"}]


@pytest.mark.parametrize("kind", [{}, {"type": "leaf"}, {"type": "other"}, {"type": 5}, {"type": None}])
def test_a_transform_of_unknown_type_is_a_leaf(kind):
    assert transform({**kind, "id": 1, "className": "c", "dataString": 5, "refId": "x"}) == {
        "type": "leaf",
        "id": "1",
        "className": "c",
        "dataString": "5",
    }


def test_only_labels_of_meta_data_survive():
    assert transform({"metaData": {"labels": ["lens"], "other": 1}})["metaData"] == {"labels": ["lens"]}
    assert transform({"metaData": {}}) == {"type": "leaf", "metaData": {}}
    assert transform({"type": "ref"}) == {"type": "ref"}
    assert transform({"type": "interpolated", "a": {}, "b": {}}) == {
        "type": "interpolated",
        "a": {"type": "leaf"},
        "b": {"type": "leaf"},
    }


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "list", "specList": [None]},
        {"type": "interpolated", "a": {}},
        {"type": "interpolated", "a": None, "b": {}},
    ],
)
def test_null_parts_of_transforms_mean_nothing_to_the_server(sent):
    with pytest.raises(FailedError) as failed:
        transform(sent)
    assert failed.value.late


def test_a_null_spec_names_its_list():
    with pytest.raises(FailedError, match=r"list with id 'x'\.  Check for an extraneous comma"):
        transform({"type": "list", "id": "x", "specList": [None]})


@pytest.mark.parametrize(
    "specs, nested",
    [
        ([], False),
        ([{"type": "leaf", "metaData": {"labels": ["a"]}}], False),
        ([{"type": "ref", "refId": "x"}], False),
        ([{"type": "interpolated", "a": {"type": "leaf"}, "b": {"type": "leaf"}}], False),
        ([{"type": "interpolated", "a": {"type": "leaf"}, "b": {"type": "ref", "refId": "x"}}], True),
        ([{"type": "interpolated", "a": {"type": "leaf"}, "b": {"type": "list", "specList": []}}], True),
        (
            [
                {
                    "type": "interpolated",
                    "a": {"type": "interpolated", "a": {"type": "leaf"}, "b": {"type": "leaf"}},
                    "b": {"type": "leaf"},
                }
            ],
            False,
        ),
        ([{"type": "list", "specList": []}], True),
        ([{"type": "ref"}], True),
        ([{"type": "ref", "id": "y", "refId": "x"}], True),
    ],
)
def test_nested_lists_are_known(specs, nested):
    assert is_nested({"type": "list", "specList": specs}) is nested
    assert is_nested({"type": "list", "id": "x", "specList": specs})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"tileIdToSpecMap": []},
        {"transformIdToSpecMap": []},
        {"tileIdToSpecMap": {"a": {}}},
    ],
)
def test_bodies_that_are_no_resolved_tiles(body):
    with pytest.raises(InvalidError):
        ResolvedTiles(body)


@pytest.mark.parametrize("body", [{"tileIdToSpecMap": {"a": None}}, {"tileIdToSpecMap": None}])
def test_null_tiles_are_refused_as_a_failure(body):
    with pytest.raises(FailedError, match="must not be null"):
        ResolvedTiles(body)


def test_shared_transforms_that_nothing_finds_are_passed_over():
    read = ResolvedTiles({"transformIdToSpecMap": {"a": {"className": "c"}, "b": None, "c": {"id": "d"}}})
    assert list(read.transforms) == ["d"]


def test_identity_comes_from_the_values_not_from_the_keys():
    read = ResolvedTiles(
        {"transformIdToSpecMap": {"k": {"id": "x"}}, "tileIdToSpecMap": {"k": {"tileId": "a"}}}
    )
    assert list(read.transforms) == ["x"]
    assert [tile["tileId"] for tile in read.tiles] == ["a"]


def test_a_stack_version_is_kept_as_posted():
    golden = GOLDEN["StackMetaData_LOADING"]["currentVersion"]
    assert ordered(stack_version({**dict(reversed(golden.items())), "x": 1})) == ordered(golden)
    assert stack_version({}) == {}
    with pytest.raises(InvalidError, match="no stack version provided"):
        stack_version(None)


def test_numbers_of_lists_are_written_as_numbers():
    values = json.loads(GOLDEN["fast_list_text"])
    assert json.loads(_json.dumps(values)) == values


def test_usual_tiles_are_read_as_all_others(monkeypatch):
    full = {
        "tileId": "t",
        "layout": {
            "sectionId": "1",
            "temca": "4",
            "imageRow": 1,
            "imageCol": 2,
            "stageX": 1.5,
            "rotation": 0.0,
        },
        "groupId": "g",
        "z": 1.0,
        "minX": 1.0,
        "maxY": 2.0,
        "width": 10.0,
        "maxIntensity": 255.0,
        "mipmapLevels": {"0": {"maskUrl": "m", "imageUrl": "i"}},
        "transforms": {"type": "list", "specList": [{"className": "c", "type": "leaf", "dataString": "1"}]},
        "meshCellSize": 32.0,
    }
    odd = [None, 1, "1", True, 1.5, {}, [], 1 << 40, "x"]
    rng = random.Random(3)

    def shuffled(document):
        keys = rng.sample(list(document), rng.randint(0, len(document)))
        return {key: rng.choice(odd) if rng.random() < 0.05 else document[key] for key in keys}

    def outcome(raw, derive):
        try:
            return ordered(tile_spec(copy.deepcopy(raw), derive))
        except Problem as problem:
            return type(problem), problem.message

    samples = [shuffled({**full, "layout": shuffled(full["layout"])}) for _ in range(2000)] + [full]
    samples = [(raw, rng.random() < 0.5) for raw in samples]
    found = [outcome(*sample) for sample in samples]
    monkeypatch.setattr("renderapi.server.documents.tiles._usual_tile", lambda *shape: None)
    monkeypatch.setattr("renderapi.server.documents.tiles._integers_of_layout", lambda *shape: None)
    assert found == [outcome(*sample) for sample in samples]
