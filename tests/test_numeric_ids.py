"""Ids that are numbers are taken, and stored as their text, whoever brings them."""

import json

import numpy as np
import pytest

import renderapi
from renderapi.layout import Layout
from renderapi.resolvedtiles import ResolvedTiles, put_tilespecs
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec, get_tile_spec, get_tile_specs_from_stack
from renderapi.transform import AffineModel

client = renderapi.client


@pytest.fixture
def render():
    with (
        serve_background() as server,
        server.connect(owner="own", project="proj", web_only=True) as connection,
    ):
        renderapi.stack.create_stack("stk", render=connection)
        yield connection


def tile(tile_id):
    return TileSpec(
        tileId=tile_id,
        z=1,
        width=20,
        height=10,
        imageUrl="file:/image.png",
        groupId=7,
        layout=Layout(sectionId=3, scopeId=4, cameraId=5, imageRow=0, imageCol=0),
        tforms=[AffineModel()],
    )


def by_file(render, tmp_path, tiles):
    path = tmp_path / "tiles.json"
    path.write_text(json.dumps([one.to_dict() for one in tiles]))
    client.import_single_json_file("stk", str(path), render=render)


IMPORTS = {
    "tilespecs": lambda r, _, tiles: client.import_tilespecs("stk", tiles, render=r),
    "rest": lambda r, _, tiles: client.import_tilespecs("stk", tiles, use_rest=True, render=r),
    "parallel": lambda r, _, tiles: client.import_tilespecs_parallel(
        "stk", tiles, close_stack=False, render=r
    ),
    "resolved": lambda r, _, tiles: put_tilespecs("stk", ResolvedTiles(tiles), render=r),
    "documents": lambda r, _, tiles: put_tilespecs(
        "stk", ResolvedTiles([one.to_dict() for one in tiles]), render=r
    ),
    "file": by_file,
}


@pytest.mark.parametrize("way", IMPORTS)
def test_numeric_ids_of_tiles_groups_and_sections_are_stored_as_text(render, tmp_path, way):
    IMPORTS[way](render, tmp_path, [tile(11), tile("12")])
    renderapi.stack.set_stack_state("stk", "COMPLETE", render=render)
    found = get_tile_specs_from_stack("stk", render=render)
    assert sorted(one.tileId for one in found) == ["11", "12"]
    assert {(one.groupId, one.layout.sectionId, one.layout.scopeId) for one in found} == {("7", "3", "4")}
    assert get_tile_spec("stk", 11, render=render).tileId == "11"
    assert renderapi.stack.get_z_value_for_section("stk", 3, render=render) == 1


def test_an_id_and_its_text_are_one_tile(render):
    tiles = [tile(11), tile("11"), tile(np.int64(12))]
    tiles[1].z = 2
    with pytest.warns(renderapi.errors.RenderWarning, match="same tileId"):
        client.import_tilespecs("stk", tiles, render=render)
    assert get_tile_spec("stk", "11", render=render).z == 2
    assert get_tile_spec("stk", 12, render=render).z == 1


@pytest.mark.parametrize("tile_id", [None, "", True, [1]])
def test_what_is_no_id_is_refused(render, tile_id):
    with pytest.raises(renderapi.errors.SpecError, match="tileId"):
        client.import_tilespecs("stk", [tile(tile_id)], render=render)
    with pytest.raises(renderapi.errors.SpecError, match="tileId"):
        put_tilespecs("stk", ResolvedTiles([tile(tile_id)]), render=render)


def test_numeric_ids_of_matches_are_stored_as_text(render):
    matches = {"p": [[0, 1], [0, 1]], "q": [[0, 1], [0, 1]], "w": [1, 1]}
    given = {"pId": 1, "qId": 2, "pGroupId": 3, "qGroupId": 4, "matches": matches}
    renderapi.pointmatch.import_matches("col", [given], render=render)
    (found,) = renderapi.pointmatch.get_matches_from_tile_to_tile("col", 3, 1, 4, 2, render=render)
    ids = {key: found[key] for key in ("pId", "qId", "pGroupId", "qGroupId")}
    assert ids == {"pId": "1", "qId": "2", "pGroupId": "3", "qGroupId": "4"}
    assert renderapi.pointmatch.get_match_groupIds("col", render=render) == ["3", "4"]
