import gzip
import json
from pathlib import Path

import pytest
from embedded import affine, make_tile

from renderapi.server.documents.problems import FailedError
from renderapi.server.documents.resolving import SharedTransforms, flatten_tile
from renderapi.server.documents.tiles import transform
from renderapi.transform.trees import UnresolvedError

GOLDEN = json.loads((Path(__file__).parents[1] / "data/golden/json_shapes.json").read_text())
REF = {"type": "ref", "refId": "x"}


def labels_as_sets(value):
    if isinstance(value, list):
        return list(map(labels_as_sets, value))
    if isinstance(value, dict):
        return {key: sorted(part) if key == "labels" else labels_as_sets(part) for key, part in value.items()}
    return value


def test_flattening_as_the_original_does():
    shared = SharedTransforms({"r1": affine("2 0 0 2 0 0", id="r1", metaData={"labels": ["lens"]})})
    flat = shared.flatten(transform(GOLDEN["TileSpec_raw"]["transforms"]))
    expected = GOLDEN["TileSpec_flattened"]["transforms"]["specList"]
    assert labels_as_sets(flat) == labels_as_sets(expected)
    assert [list(spec) for spec in flat] == [list(spec) for spec in expected]


def test_lists_vanish_but_for_their_labels():
    inner = {
        "type": "list",
        "metaData": {"labels": ["b"]},
        "specList": [affine(), affine(metaData={"labels": ["c", "b"]})],
    }
    outer = {
        "type": "list",
        "metaData": {"labels": ["a"]},
        "specList": [inner, affine(), {"type": "list", "specList": []}],
    }
    flat = SharedTransforms({}).flatten({"type": "list", "specList": [outer, affine()]})
    assert [spec.get("metaData", {}).get("labels") for spec in flat] == [
        ["b", "a"],
        ["c", "b", "a"],
        ["a"],
        None,
    ]


def test_parts_of_interpolations():
    both = {"type": "list", "specList": [affine("1 0 0 1 1 0"), affine("1 0 0 1 2 0")]}
    spec = {"type": "interpolated", "a": both, "b": {"type": "list", "specList": [REF]}, "lambda": 0.5}
    (flat,) = SharedTransforms({"x": affine(id="x")}).flatten({"type": "list", "specList": [spec]})
    assert flat == {"type": "interpolated", "a": both, "b": affine(id="x"), "lambda": 0.5}


def test_a_label_inherited_in_one_tile_shows_in_the_others(loading):
    labelled = {"type": "list", "metaData": {"labels": ["z-correction"]}, "specList": [REF]}
    loading.put_tiles(
        make_tile("a", specs=[REF]), make_tile("b", specs=[labelled]), transforms=[affine(id="x")]
    )
    a, b = loading.get("z/1/tile-specs")
    assert a["transforms"] == b["transforms"]
    assert a["transforms"]["specList"][0]["metaData"] == {"labels": ["z-correction"]}
    # but only within one answer
    assert (
        "metaData" not in loading.get("tile/a/render-parameters")["tileSpecs"][0]["transforms"]["specList"][0]
    )
    assert "metaData" not in loading.get("transform/x")


def interpolated(**more):
    return {"type": "interpolated", "a": affine(), "b": affine("1 0 0 1 2 0"), "lambda": 0.5, **more}


def in_list(*labels):
    return {"type": "list", "metaData": {"labels": list(labels)}, "specList": [REF]}


def labels_in(api):
    tiles = api.get("z/1/tile-specs")
    return [tile["transforms"]["specList"][-1].get("metaData", {}).get("labels") for tile in tiles]


def test_an_interpolation_without_labels_is_copied_wherever_it_is_used(loading):
    loading.put_tiles(
        make_tile("a", specs=[in_list("first")]),
        make_tile("b", specs=[REF]),
        make_tile("c", specs=[in_list("second")]),
        transforms=[interpolated(id="x")],
    )
    assert labels_in(loading) == [["first"], None, ["second"]]


def test_the_labels_of_an_interpolation_are_shared(loading):
    loading.put_tiles(
        make_tile("a", specs=[in_list("first")]),
        make_tile("b", specs=[REF]),
        transforms=[interpolated(id="x", metaData={"labels": ["own"]})],
    )
    assert labels_in(loading) == [["own", "first"]] * 2


def test_what_has_no_meta_data_shares_those_of_its_list():
    shared = SharedTransforms({"x": affine(id="x")})
    listed = {"type": "list", "metaData": {"labels": ["a"]}, "specList": [REF, affine()]}
    first = shared.flatten({"type": "list", "specList": [listed]})
    shared.flatten({"type": "list", "specList": [in_list("b")]})
    assert [spec["metaData"]["labels"] for spec in first] == [["a", "b"]] * 2


def put_transform(api, **spec):
    api.put_tiles(make_tile("filler", 99.0), transforms=[spec])


def chain(api, length):
    """Make transform x lead to a leaf through so many lists."""
    put_transform(api, **affine(id=f"x{length}"))
    for step in range(length, 0, -1):
        specs = [{"type": "ref", "refId": f"x{step}"}]
        put_transform(api, id=f"x{step - 1}" if step > 1 else "x", type="list", specList=specs)


def test_references_are_followed_through_lists_when_they_are_read(loading):
    loading.put_tiles(make_tile("a", specs=[REF]), transforms=[affine(id="x")])
    chain(loading, 9)
    (a,) = loading.get("z/1/tile-specs")
    assert a["transforms"]["specList"] == [affine(id="x9")]
    assert len(loading.get("z/1/resolvedTiles")["transformIdToSpecMap"]) == 10
    chain(loading, 10)
    assert loading.refused("GET", "z/1/tile-specs")[0] == 500


@pytest.mark.parametrize(
    "target",
    [
        {"type": "ref", "refId": "y"},
        {"type": "list", "specList": [{"type": "ref", "refId": "nowhere"}]},
        {"type": "list", "specList": [{"type": "ref", "refId": "x"}]},
        {"type": "list", "specList": [{"type": "ref"}]},
    ],
    ids=["reference to a reference", "missing", "cycle", "no id"],
)
def test_what_cannot_be_resolved_fails_when_it_is_read(loading, target):
    loading.put_tiles(make_tile("a", specs=[REF]), transforms=[affine(id="x"), affine(id="y")])
    put_transform(loading, id="x", **target)
    for path in ("z/1/tile-specs", "tile/a/render-parameters", "z/1/last-tile-transforms"):
        status, text = loading.refused("GET", path)
        assert status == 500
        assert text.startswith(
            "tile spec a is not fully resolved after applying the following transform specs: [x"
        )
    assert loading.get("tile/a")["transforms"]["specList"] == [REF]
    assert "x" in loading.get("z/1/resolvedTiles")["transformIdToSpecMap"]


def test_a_missing_reference_is_named():
    shared = SharedTransforms({"y": affine(), "x": affine()})
    with pytest.raises(FailedError, match=r"tile spec t is not fully resolved .* specs: \[x, y\]"):
        flatten_tile(make_tile("t", specs=[{"type": "ref", "refId": "z"}]), shared)


def test_a_reference_to_nothing_vanishes(loading):
    loading.put_tiles(
        make_tile("a", specs=[REF, affine("1 0 0 1 5 5")]),
        transforms=[{"type": "list", "specList": [], "id": "x"}],
    )
    assert loading.get("z/1/tile-specs")[0]["transforms"]["specList"] == [affine("1 0 0 1 5 5")]


def test_what_looks_like_a_reference_is_none(loading):
    text = '{"type":"ref","refId":"x"}'
    tile = make_tile(text, specs=[affine(id=text, metaData={"labels": [text]}), REF], labels=[text])
    loading.put_tiles(tile, transforms=[affine(id="x"), affine(id='"\\\n')])
    (found,) = loading.get("z/1/tile-specs")
    assert found == {
        **tile,
        "transforms": {"type": "list", "specList": [tile["transforms"]["specList"][0], affine(id="x")]},
    }


def test_ids_of_every_kind(loading):
    ident = '"\\\n,é'
    loading.put_tiles(
        make_tile(ident, specs=[{"type": "ref", "refId": ident}]),
        make_tile("z"),
        transforms=[affine(id=ident)],
    )
    assert set(loading.get("z/1/resolvedTiles")["tileIdToSpecMap"]) == {ident, "z"}
    assert [tile["tileId"] for tile in loading.get("z/1/tile-specs")] == [ident, "z"]
    assert loading.get("z/1/tile-specs")[0]["transforms"]["specList"] == [affine(id=ident)]
    assert loading.get("tileIds") == [ident, "z"]


GOLDEN_TRANSFORMS = Path(__file__).parents[1] / "data/golden/original/transforms.json.gz"


def test_flattened_tiles_of_the_original():
    cases = json.loads(gzip.decompress(GOLDEN_TRANSFORMS.read_bytes()))["cases"]
    compared = 0
    for case in cases:
        if case["kind"] != "tileSpec":
            continue
        shared = {spec["id"]: transform(spec) for spec in case["sharedTransforms"]}
        tile = transform(case["tileSpec"]["transforms"])
        if "error" in case:
            with pytest.raises(UnresolvedError):
                SharedTransforms(shared).flatten(tile)
            continue
        flat = SharedTransforms(shared).flatten(tile)
        assert labels_as_sets(flat) == labels_as_sets(case["flattened"]["specList"])
        compared += 1
    assert compared > 30
