"""A section of a montage: imported, read back, compared field by field."""

import json

import made_montage
import pytest

import renderapi
from renderapi.pointmatch import get_match_groupIds, get_matches_within_group, import_matches
from renderapi.resolvedtiles import get_resolved_tiles_from_z
from renderapi.server import serve_background
from renderapi.stack import create_stack, get_full_stack_metadata, set_stack_state
from renderapi.tilespec import TileSpec, get_tile_specs_from_z, read_tilespecs


@pytest.fixture(scope="module")
def render():
    with serve_background() as server, server.connect(owner="own", project="montage") as render:
        yield render


@pytest.fixture(scope="module")
def documents():
    return made_montage.tiles()


def with_numbers(document):
    """Return a tile document with the numbers of its dataStrings, which may be spelled in several ways."""
    specs = document["transforms"]["specList"]
    specs = [{**spec, "dataString": [float(word) for word in spec["dataString"].split()]} for spec in specs]
    return {**document, "transforms": {**document["transforms"], "specList": specs}}


def test_reading_and_writing_loses_nothing(documents):
    for tiles in (read_tilespecs(json.dumps(documents).encode()), [TileSpec(json=d) for d in documents]):
        for tile, document in zip(tiles, documents):
            assert tile.to_dict(bounds=True) == document
            assert json.loads(renderapi.utils.renderdumps([tile])) == [document]
            assert (tile.layout, tile.ip, tile.tforms, tile.channels) is not None
            assert with_numbers(tile.to_dict(bounds=True)) == with_numbers(document)


@pytest.mark.parametrize("source", ["tiles", "file"])
def test_import_and_read_back(render, documents, source, tmp_path):
    stack = f"raw_{source}"
    create_stack(stack, stackResolutionX=4.0, stackResolutionY=4.0, stackResolutionZ=40.0, render=render)
    if source == "tiles":
        tiles = read_tilespecs(json.dumps(documents).encode())
        renderapi.client.import_tilespecs_parallel(stack, tiles, render=render)
    else:
        path = tmp_path / "tiles.json"
        path.write_text(json.dumps(documents))
        renderapi.client.import_jsonfiles_parallel(stack, [str(path)], render=render)
    assert get_full_stack_metadata(stack, render=render)["stats"]["tileCount"] == len(documents)
    expected = {document["tileId"]: document for document in documents}
    [z] = {document["z"] for document in documents}
    raw = get_resolved_tiles_from_z(stack, z, render=render).tilespecs
    resolved = get_tile_specs_from_z(stack, z, render=render)
    for found in (raw, resolved):
        assert {tile.tileId for tile in found} == set(expected)
        for tile in found:
            document, sent = tile.to_dict(), expected[tile.tileId]
            # a server keeps the keys it knows, and adds the default mesh
            known = {key: sent[key] for key in sent.keys() & document.keys()}
            assert {key: document[key] for key in known} == known
            assert document.keys() - sent.keys() <= {"meshCellSize"}
            assert sent.keys() <= document.keys()


def test_the_pairs_of_neighbours_are_those_that_have_matches(render):
    found = renderapi.client.tilePairClient(
        "raw_tiles", 1015, 1015, zNeighborDistance=0, excludeCornerNeighbors=True, render=render
    )
    pairs = {(pair["p"]["id"], pair["q"]["id"]) for pair in found["neighborPairs"]}
    matched = {(match["pId"], match["qId"]) for match in made_montage.matches()}
    assert {frozenset(pair) for pair in pairs} == {frozenset(pair) for pair in matched}


def test_matches_read_back(render):
    matches = made_montage.matches()
    import_matches("montage", matches, render=render)
    found = []
    for group in get_match_groupIds("montage", render=render):
        found += get_matches_within_group("montage", group, render=render)
    key = ("pGroupId", "pId", "qGroupId", "qId")
    by_pair = {tuple(match[k] for k in key): match["matches"] for match in found}
    assert len(found) == len(matches)
    for match in matches:
        assert by_pair[tuple(match[k] for k in key)] == match["matches"]


def test_the_stack_can_be_loaded_again(render, documents):
    set_stack_state("raw_tiles", "LOADING", render=render)
    renderapi.client.import_tilespecs("raw_tiles", [TileSpec(json=documents[0])], render=render)
    set_stack_state("raw_tiles", "COMPLETE", render=render)
    assert get_full_stack_metadata("raw_tiles", render=render)["stats"]["tileCount"] == len(documents)
