"""Usual tiles are digested as all others are, only faster."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderapi import _json
from renderapi.transfer import parts
from renderapi.transfer.parts import Part

pytest.importorskip("msgspec")

from renderapi.transfer.usual import usual_tiles

TILE = {
    "tileId": "a",
    "layout": {"sectionId": "1.0", "imageRow": 3, "stageX": 1.5},
    "z": 1.0,
    "minX": 0,
    "width": 100.0,
    "mipmapLevels": {"0": {"imageUrl": "file:/a.tif"}, "1": {"imageUrl": "b"}},
    "transforms": {
        "type": "list",
        "specList": [
            {"type": "ref", "refId": "lens"},
            {"type": "leaf", "className": "c", "dataString": "1 0"},
        ],
    },
    "meshCellSize": 64.0,
}
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.sampled_from(
        [1, 1.0, -0.0, 0.1, 1e-5, 1e15, 1e16, 1e17, 123456789012345680.0, 5e-324, 2**53, 2**63, 2**64]
    ),
)
words = st.text()
tiles = st.fixed_dictionaries(
    {"tileId": words},
    optional={
        "z": numbers,
        "minX": numbers,
        "groupId": words,
        "layout": st.fixed_dictionaries(
            {}, optional={"sectionId": words, "stageX": numbers, "imageRow": st.integers()}
        ),
        "mipmapLevels": st.dictionaries(
            st.sampled_from(["0", "3", "10", "x"]),
            st.fixed_dictionaries({}, optional={"imageUrl": words, "maskUrl": words}),
        ),
        "transforms": st.just(TILE["transforms"]),
        "other": st.none(),
        "height": st.one_of(numbers, st.none(), words),
    },
)


def slowly(documents):
    return _json.canonical_list([_json.loads(document) for document in documents])


def test_a_usual_tile_is_read_at_once():
    found, content = usual_tiles([json.dumps(TILE).encode()] * 2)
    assert content == slowly([json.dumps(TILE).encode()] * 2)
    assert (found[0].tileId, found[0].layout.stageX, found[0].maxX) == ("a", 1.5, None)


@pytest.mark.parametrize("text", ["1.0 2.9e-05 0 1", "-3e5", "a,1e5", ":1e-7", "[-2.5e300"])
def test_exponents_in_texts_are_no_numbers(text):
    tile = {**TILE, "transforms": {"type": "list", "specList": [{"className": "c", "dataString": text}]}}
    contents = [json.dumps(document).encode() for document in (tile, {**tile, "minY": 1.5e-9})]
    assert usual_tiles(contents[:1])[1] == slowly(contents[:1])
    assert b'"minY":1.5e-09' in slowly(contents)
    assert usual_tiles(contents) is None


@given(st.lists(tiles, min_size=1, max_size=4))
def test_it_is_written_as_dicts_are_or_not_at_all(documents):
    contents = [json.dumps(document).encode() for document in documents]
    found = usual_tiles(contents)
    if found is not None:
        assert found[1] == slowly(contents)


@pytest.mark.parametrize(
    "change",
    [
        {"z": None},
        {"unknown": 1},
        {"channels": []},
        {"z": "1.0"},
        {"layout": {"sectionId": 1}},
        {"mipmapLevels": {"10": {}}},
        {"z": 1e-7},
        {"z": 2**70},
    ],
)
def test_what_is_not_usual_is_left_to_others(change):
    contents = [json.dumps({**TILE, **change}).encode()]
    assert usual_tiles(contents) is None or usual_tiles(contents)[1] == slowly(contents)
    assert usual_tiles([json.dumps({**TILE, "unknown": math.pi}).encode()]) is None


def test_the_digest_does_not_depend_on_how_it_is_found(monkeypatch):
    documents = {
        f"t{i:03d}": json.dumps({**TILE, "tileId": f"t{i:03d}", "z": i / 3}).encode() for i in range(250)
    }
    documents["t150"] = json.dumps({**TILE, "tileId": "t150", "more": 1}).encode()
    part = Part(documents, {"lens": b'{"id":"lens","className":"c"}'})
    fast = part.digest()
    monkeypatch.setattr(parts, "_usual", None)
    assert part.digest() == fast
