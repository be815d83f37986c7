"""What is said of points, by the embedded server and by the clients alike."""

import math

import pytest

from renderapi.geometry.coordinate_documents import (
    failed,
    in_tiles,
    is_finite,
    local_problem,
    position,
    world_problem,
)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (None, "coordinates are missing"),
        ({}, "tileId is missing"),
        ({"tileId": None, "local": [1, 2]}, "tileId is missing"),
        ({"tileId": "t"}, "local values are missing"),
        ({"tileId": "t", "local": [1]}, "local values must include both x and y"),
        ({"tileId": "t", "local": [1, None]}, "local values must include both x and y"),
        ({"tileId": "t", "local": [1, 2, None]}, None),
    ],
)
def test_a_local_point_has_a_tile_and_two_numbers(item, said):
    assert local_problem(item) == said


@pytest.mark.parametrize(
    ("item", "z", "said"),
    [
        (None, 1.0, "coordinates are missing"),
        ({"local": [1, 2]}, 1.0, "world values are missing"),
        ({"world": [1]}, 1.0, "world values must include both x and y"),
        ({"world": [1, 2]}, 1.0, None),
        ({"world": [1, 2]}, None, "world values must include x, y, and z"),
        ({"world": [1, 2, None]}, None, "world values must include x, y, and z"),
        ({"world": [1, 2, None]}, 0.0, None),
        ({"world": [1, 2, 3]}, None, None),
    ],
)
def test_a_point_of_the_world_has_its_layer_where_none_is_named(item, z, said):
    assert world_problem(item, z) == said


def test_a_point_comes_back_with_what_is_known_of_it_in_the_order_of_render():
    item = {"world": [1, None], "more": 5, "error": "old", "visible": False, "tileId": "t"}
    echo = failed(item, "new")
    assert list(echo.items()) == [
        ("tileId", "t"),
        ("visible", False),
        ("world", [1.0, 0.0]),
        ("error", "new"),
    ]
    assert failed({"local": ["NaN", 1]}, "new")["local"] == ["NaN", 1.0]
    assert failed(None, "new") == {"error": "new"}
    assert item["error"] == "old"


def test_positions_have_the_z_of_the_tile_and_no_negative_zero():
    assert position([1.5, 2.0], None) == [1.5, 2.0]
    assert position([1.5, 2.0], 3) == [1.5, 2.0, 3.0]
    assert [math.copysign(1, value) for value in position((-0.0, -0.0), None)] == [1, 1]


def test_what_json_has_not_is_written_as_words_if_that_is_wanted():
    assert position([math.inf, -0.0], 1.0, words=True) == ["Infinity", 0.0, 1.0]
    assert position([-math.inf, math.nan], None, words=True) == ["-Infinity", "NaN"]
    assert position([math.inf, 1.0], None) == [math.inf, 1.0]


@pytest.mark.parametrize(
    ("point", "expected"), [((1.0, 2.0), True), ((math.inf, 2.0), False), ((1.0, math.nan), False)]
)
def test_a_point_is_finite_if_both_its_numbers_are(point, expected):
    assert is_finite(point) is expected


def test_the_last_tile_that_covers_a_point_is_on_top():
    nowhere = (math.nan, math.nan)
    places = [("a", (1.0, 2.0), 3.0), ("b", nowhere, 3.0), ("c", (5.0, 6.0), None), ("d", nowhere, 3.0)]
    assert in_tiles(places, (10.0, 20.0), None) == [
        {"tileId": "a", "local": [1.0, 2.0, 3.0]},
        {"tileId": "c", "visible": True, "local": [5.0, 6.0]},
    ]


def test_a_point_that_no_tile_covers_names_the_tiles_that_were_tried():
    places = [("a", (math.nan, 1.0), 3.0), ("b", (1.0, math.inf), 3.0)]
    said = "world coordinate (1.0E7, 20.0) found in tile id(s) [a, b] cannot be inverted"
    assert in_tiles(places, (1e7, 20.0, 3.0), {"world": [1e7, 20.0]}) == [
        {"world": [1e7, 20.0], "error": said}
    ]
