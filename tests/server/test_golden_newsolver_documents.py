"""Documents as render's branch newsolver reads and writes them: the server's reading, and the client's."""

import gzip
import json
from pathlib import Path

import pytest

from renderapi import schemas
from renderapi.errors import SpecError
from renderapi.server.documents.problems import InvalidError
from renderapi.server.documents.tiles import tile_spec
from renderapi.server.documents.values import fields
from renderapi.server.services.parameters import RENDER_PARAMETERS, in_order
from renderapi.tilespec import TileSpec, combined_filter_specs

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "newsolver" / "documents.json.gz"
with gzip.open(GOLDEN) as file:
    CASES = json.load(file)["cases"]


def of_kind(*names):
    return [case for case in CASES if case.get("document", case["kind"]) in names]


def with_parsed_filters(document):
    """Replace the JSON texts of CompositeFilters by what they say: they are laid out in another way."""
    if isinstance(document, list):
        return [with_parsed_filters(item) for item in document]
    if not isinstance(document, dict):
        return document
    return {
        key: json.loads(value)
        if key.startswith("filter") and isinstance(value, str)
        else with_parsed_filters(value)
        for key, value in document.items()
    }


@pytest.mark.parametrize("case", of_kind("TileSpec"))
def test_tile_specs_are_read_and_written_alike(case):
    if "error" in case:
        with pytest.raises(InvalidError):
            tile_spec(case["in"])
        with pytest.raises(SpecError):
            schemas.validate("tilespec", case["in"])
        return
    schemas.validate("tilespec", case["in"])
    assert json.dumps(tile_spec(case["in"])) == json.dumps(case["out"])
    # what was read is read again, and kept by the client
    assert tile_spec(case["out"]) == case["out"]
    read = TileSpec(json=case["out"])
    assert tile_spec(read.to_dict(bounds=True)) == case["out"]
    assert read.filterSpec == case["out"].get("filterSpec")


@pytest.mark.parametrize("case", of_kind("RenderParameters"))
def test_render_parameters_are_read_alike(case):
    read = fields(case["in"], "render parameters", RENDER_PARAMETERS)
    assert {key: case["out"].get(key) for key in read} == read
    assert {"maskMinX", "maskMinY"} & case["out"].keys() == {"maskMinX", "maskMinY"} & read.keys()


@pytest.mark.parametrize("case", of_kind("setFilterSpec", "addFilterSpec"))
def test_filters_of_a_tile_are_set_and_added_alike(case):
    tile = TileSpec(json=case["in"])
    change = tile.set_filter_spec if case["document"] == "setFilterSpec" else tile.add_filter_spec
    change(case["filterSpec"])
    got = tile_spec(tile.to_dict(bounds=True))
    assert with_parsed_filters(got) == with_parsed_filters(case["out"])


@pytest.mark.parametrize("case", of_kind("combine"))
def test_filters_are_combined_alike(case):
    found = combined_filter_specs(case["first"], case["second"])
    assert with_parsed_filters(found) == with_parsed_filters(case["result"])


@pytest.mark.parametrize("case", of_kind("sort"))
def test_tiles_are_painted_in_the_same_order(case):
    tiles = [tile_spec(tile) for tile in case["tileSpecs"]]
    assert [tile["tileId"] for tile in in_order(tiles, case["order"])] == case["result"]


def test_what_is_left_out():
    # TileBounds are asked of the server (`test_golden_newsolver_rest`); it is sent no StackMetaData, whose
    # hierarchicalData of master are kept where they are read; no function makes a channel of a tile's images
    left = {"TileBounds": 2, "StackMetaData": 1, "convertLegacyToChannel": 1}
    assert {name: len(of_kind(name)) for name in left} == left
    known = ("TileSpec", "RenderParameters", "setFilterSpec", "addFilterSpec", "combine", "sort")
    assert len(of_kind(*known)) + sum(left.values()) == len(CASES) == 63
