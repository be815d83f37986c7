"""Pairs of neighbouring tiles: the original's, and properties that hold for any layout."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderapi.errors import SpecError
from renderapi.geometry import obscured_tiles, tile_pairs
from renderapi.geometry.pairs import (
    POSITIONS,
    PairLayer,
    codes,
    layer_pairs,
    pairs_within,
    relative_positions,
    touching,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def read(branch):
    with gzip.open(GOLDEN / branch / "tile_pairs.json.gz") as file:
        return json.load(file)["cases"]


CASES = read("original")
# which tiles are paired does not depend on the branch, only how often those with one corner are
NEWSOLVER = read("newsolver")


def arguments(params):
    bounds = [params.get(name) for name in ("minX", "minY", "maxX", "maxY")]
    return {
        "xy_neighbor_factor": params["xyNeighborFactor"],
        "radius": params.get("explicitRadius"),
        "z_neighbor_distance": params["zNeighborDistance"],
        "exclude_corner_neighbors": params["excludeCornerNeighbors"],
        "exclude_completely_obscured_tiles": params["excludeCompletelyObscuredTiles"],
        "exclude_same_layer_neighbors": params["excludeSameLayerNeighbors"],
        "exclude_same_section_neighbors": params["excludeSameSectionNeighbors"],
        "exclude_same_layer_pairs_with_position": params.get("excludeSameLayerPairsWithPosition"),
        "bounds": None if bounds[0] is None else bounds,
    }


@pytest.mark.parametrize("case", CASES + NEWSOLVER, ids=lambda case: case["name"])
def test_pairs_are_those_of_the_original(case):
    tiles = [(layer["z"], *tile) for layer in case["layers"] for tile in layer["tiles"]]
    z, ids, sections = ([tile[column] for tile in tiles] for column in range(3))
    boxes = np.array([tile[3:] for tile in tiles])
    found = tile_pairs(boxes, z, ids=ids, sections=sections, **arguments(case["params"]))
    names = {tuple(sorted((sections[row], ids[row]) for row in pair)) for pair in found.tolist()}
    expected = {tuple(sorted([(p[0], p[1]), (p[3], p[4])])) for p in case["pairs"]}
    assert names == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_filtered_layers_are_those_of_the_original(case):
    keywords = arguments(case["params"])
    kept = []
    for layer in case["layers"]:
        boxes = np.array([tile[2:] for tile in layer["tiles"]])
        ids = [tile[0] for tile in layer["tiles"]]
        if keywords["bounds"] is not None:
            inside = touching(boxes, keywords["bounds"])
            boxes, ids = boxes[inside], [name for name, is_inside in zip(ids, inside) if is_inside]
        hidden = obscured_tiles(boxes, codes(ids))
        kept.append(len(boxes) - hidden.sum() * keywords["exclude_completely_obscured_tiles"])
    assert kept == case["tilesKept"]


# --------------------------------------------------------------------------------------- small layouts

GRID = np.array([[x, y, x + 100.0, y + 100.0] for y in (0.0, 90.0, 180.0) for x in (0.0, 90.0, 180.0)])


def test_neighbours_of_a_grid():
    assert tile_pairs(GRID, np.zeros(9)).tolist() == [
        [0, 1], [0, 3], [1, 2], [1, 4], [2, 5], [3, 4], [3, 6], [4, 5], [4, 7], [5, 8], [6, 7], [7, 8],
    ]  # fmt: skip
    assert len(tile_pairs(GRID, np.zeros(9), exclude_corner_neighbors=False)) == 20


def test_layers_in_any_order():
    boxes, z = np.tile(GRID[:1], (4, 1)), [3.0, 1.0, 2.0, 7.0]
    assert tile_pairs(boxes, z).tolist() == [[1, 2], [1, 0], [2, 0]]
    assert tile_pairs(boxes, z, z_neighbor_distance=1).tolist() == [[1, 2], [2, 0]]
    assert tile_pairs(boxes, z, z_neighbor_distance=0).tolist() == []


def test_only_the_lower_layer_is_searched_from():
    small, large = [0, 45, 10, 55], [45, 0, 145, 100]
    assert tile_pairs([small, large], [1, 2]).tolist() == []
    assert tile_pairs([large, small], [1, 2]).tolist() == [[0, 1]]


def test_within_a_layer_one_of_the_two_is_enough():
    small, large = [0, 45, 10, 55], [45, 0, 145, 100]
    assert tile_pairs([small, large], [1, 1]).tolist() == [[0, 1]]
    assert tile_pairs([small, large], [1, 1], sources=[True, False]).tolist() == []
    assert tile_pairs([small, large], [1, 1], sources=[False, True]).tolist() == [[0, 1]]


def test_tiles_that_touch_the_circle_are_neighbours():
    boxes = [[0, 0, 100, 100], [140, 0, 240, 100]]
    assert len(tile_pairs(boxes, [1, 1], radius=90)) == 1
    assert len(tile_pairs(boxes, [1, 1], radius=89.99)) == 0
    # 32 bit numbers do not know the difference
    assert len(tile_pairs(boxes, [1, 1], radius=90 - 1e-6)) == 1


def test_positions_can_be_left_out():
    for position, left in (("LEFT", 6), ("RIGHT", 6), ("TOP", 6), ("BOTTOM", 6)):
        pairs = tile_pairs(GRID, np.zeros(9), exclude_same_layer_pairs_with_position=position)
        across = np.ptp(GRID[pairs][:, :, 0], axis=1) > 0
        assert len(pairs) == left
        assert across.all() == (position in ("TOP", "BOTTOM"))


def test_sections_can_be_left_out():
    sections = ["a"] * 3 + ["b"] * 6
    pairs = tile_pairs(GRID, np.zeros(9), sections=sections, exclude_same_section_neighbors=True)
    assert pairs.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert len(tile_pairs(GRID, np.zeros(9), sections=sections)) == 12


def test_a_tile_is_no_neighbour_of_itself_in_another_layer():
    boxes = np.tile(GRID[:1], (2, 1))
    assert len(tile_pairs(boxes, [1, 2], ids=["a", "a"])) == 0
    assert len(tile_pairs(boxes, [1, 2], ids=["a", "b"])) == 1


def test_nothing_to_pair():
    assert tile_pairs([], []).shape == (0, 2)
    assert tile_pairs(GRID, np.zeros(9), bounds=[500, 500, 600, 600]).shape == (0, 2)
    assert tile_pairs(GRID, np.zeros(9), exclude_same_layer_neighbors=True).shape == (0, 2)
    assert tile_pairs(GRID, np.zeros(9), sources=np.zeros(9, bool)).shape == (0, 2)


def test_one_large_tile_among_small_ones():
    boxes = np.vstack([GRID, [[-1e6, -1e6, 1e6, 1e6]], GRID + 1e5])
    pairs = tile_pairs(boxes, np.zeros(19), exclude_completely_obscured_tiles=False)
    assert len(pairs) == 12 + 12 + 18
    assert (pairs == 9).sum() == 18


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": [[0, 0, 1]]}, r"shape \(N, 4\)"),
        ({"boxes": [[0, 0, 1, 1], [0, 0, np.nan, 1]]}, "box 1 is none"),
        ({"boxes": [[0, 0, 1, 1], [5, 0, 1, 1]]}, "box 1 is none"),
        ({"z": [1]}, "2 boxes need as many z, not 1"),
        ({"z": [1, np.nan]}, "z must be finite"),
        ({"ids": ["a"]}, "as many ids"),
        ({"sources": [True]}, "as many sources"),
        ({"radius": -1}, "radius must be a finite number"),
        ({"xy_neighbor_factor": np.nan}, "xy_neighbor_factor must be"),
        ({"exclude_same_layer_pairs_with_position": "UP"}, "a position is 'UP'; it must be one of TOP"),
        ({"exclude_same_section_neighbors": True}, "needs sections"),
        ({"exclude_same_section_neighbors": True, "sections": ["a", None]}, "a tile has no section"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(SpecError, match=message):
        tile_pairs(**{"boxes": [[0, 0, 1, 1], [0, 0, 1, 1]], "z": [1, 2], **change})


def test_layers_must_ascend():
    layers = [PairLayer(GRID, 2), PairLayer(GRID, 1)]
    with pytest.raises(SpecError, match=r"layer 1\.0 comes after layer 2\.0"):
        list(layer_pairs(layers))


def test_no_more_layers_are_held_than_are_within_the_distance():
    asked = []

    def layers():
        for z in range(6):
            asked.append(z)
            yield PairLayer(GRID[:1], z)

    seen = [(pairs[0].first.z, len(pairs), max(asked)) for pairs in layer_pairs(layers(), 2)]
    assert seen == [(0, 3, 3), (1, 3, 4), (2, 3, 5), (3, 3, 5), (4, 2, 5), (5, 1, 5)]


# --------------------------------------------------------------------------------------- positions, ids


@pytest.mark.parametrize(
    ("corner", "position"),
    [
        ((-5, 2), "LEFT"),
        ((5, -2), "RIGHT"),
        ((2, -5), "TOP"),
        ((2, 5), "BOTTOM"),
        ((5, 5), "BOTTOM"),
        ((5, -5), "TOP"),
        ((0, 0), "TOP"),
    ],
)
def test_relative_positions(corner, position):
    [code] = relative_positions([[*corner, 100, 100]], [[0, 0, 100, 100]])
    assert POSITIONS[code] == position


def test_ids_are_ordered_as_in_java():
    # characters beyond 16 bits come before the last ones of 16 bits
    assert codes(["b", "\uffee", "\U0001f600", "a", "b", "10.0", "9.0"]).tolist() == [3, 5, 4, 2, 3, 0, 1]


def test_both_directions_are_told():
    pairs = pairs_within(PairLayer([[0, 45, 10, 55], [45, 0, 145, 100], [40, 0, 140, 100]], 1))
    assert pairs.rows.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert (pairs.forward.tolist(), pairs.backward.tolist()) == ([False, False, True], [True, True, True])


# --------------------------------------------------------------------------------------- obscured tiles


def covers(*boxes):
    return obscured_tiles(np.array(boxes, float)).tolist()


def test_a_tile_under_another():
    assert covers([0, 0, 10, 10], [0, 0, 10, 10]) == [True, False]
    assert covers([1, 1, 9, 9], [0, 0, 10, 10]) == [True, False]
    assert covers([0, 0, 10, 10], [1, 1, 9, 9]) == [False, False]
    assert covers([0, 0, 10, 10], [10, 0, 20, 10]) == [False, False]


def test_a_tile_under_several():
    left, right = [0, 0, 6, 10], [5, 0, 10, 10]
    assert covers([0, 0, 10, 10], left, right) == [True, False, False]
    assert covers([0, 0, 10, 10], left, [6.5, 0, 10, 10]) == [False, False, False]
    # together they are large enough, but leave the upper left corner open
    assert covers([0, 0, 10, 10], right, [1, 0, 10, 10], [0, 1, 10, 10])[0] is False
    assert covers([0, 0, 10, 10], right, [1, 0, 10, 10], [0, 1, 10, 10], [0, 0, 1, 1])[0] is True


def test_a_tile_without_area_cannot_be_seen():
    assert covers([0, 0, 0, 10], [20, 20, 30, 30]) == [True, False]
    assert obscured_tiles([]).tolist() == []


def test_the_order_decides_which_tile_is_on_top():
    boxes = [[0, 0, 10, 10], [0, 0, 10, 10]]
    assert obscured_tiles(boxes, [2, 1]).tolist() == [False, True]
    assert tile_pairs(boxes, [1, 1], ids=["b", "a"]).tolist() == []


# --------------------------------------------------------------------------------------- properties

numbers = st.integers(0, 300).map(lambda n: n / 4)
box = st.tuples(numbers, numbers, st.integers(0, 40), st.integers(0, 40)).map(
    lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]
)
tiles = st.lists(st.tuples(box, st.integers(0, 3)), min_size=1, max_size=25)
rules = st.fixed_dictionaries(
    {
        "radius": st.sampled_from([None, 0.0, 12.5, 60.0]),
        "xy_neighbor_factor": st.sampled_from([0.1, 0.9, 2.0]),
        "exclude_corner_neighbors": st.booleans(),
        "exclude_completely_obscured_tiles": st.booleans(),
        "z_neighbor_distance": st.integers(0, 3),
    }
)


def one_by_one(boxes, z, ids, rules):
    """The rules again, a tile at a time and word by word."""
    shown = [
        not (rules["exclude_completely_obscured_tiles"] and is_hidden(boxes, z, ids, t))
        for t in range(len(boxes))
    ]
    found = set()
    for a in range(len(boxes)):
        for b in range(len(boxes)):
            if shown[a] and shown[b] and a != b and z[a] <= z[b] <= z[a] + rules["z_neighbor_distance"]:
                x, y = ((boxes[a][k] + (boxes[a][k + 2] - boxes[a][k]) / 2) for k in (0, 1))
                sides = boxes[a][2] - boxes[a][0], boxes[a][3] - boxes[a][1]
                r = rules["radius"]
                r = max(sides) * rules["xy_neighbor_factor"] if r is None else r
                dx, dy = (max(boxes[b][k] - c, c - boxes[b][k + 2], 0) for k, c in ((0, x), (1, y)))
                centre = [boxes[b][k] + (boxes[b][k + 2] - boxes[b][k]) / 2 for k in (0, 1)]
                beside = [not boxes[a][k] <= centre[k] <= boxes[a][k + 2] for k in (0, 1)]
                # 32 bits hold all coordinates here, but not every radius
                if np.sqrt(dx * dx + dy * dy) <= np.float64(np.float32(r)) and not (
                    rules["exclude_corner_neighbors"] and all(beside)
                ):
                    found.add((a, b) if z[a] != z[b] else (min(a, b), max(a, b)))
    return found


def is_hidden(boxes, z, ids, tile):
    x1, y1, x2, y2 = (int(4 * value) for value in boxes[tile])
    open_cells = np.ones((x2 - x1, y2 - y1), bool)
    for other in range(len(boxes)):
        if z[other] == z[tile] and ids[other] > ids[tile]:
            a1, b1, a2, b2 = (int(4 * value) for value in boxes[other])
            open_cells[max(a1 - x1, 0) : max(a2 - x1, 0), max(b1 - y1, 0) : max(b2 - y1, 0)] = False
    return not open_cells.any()


@settings(max_examples=60, deadline=None)
@given(tiles, rules)
def test_pairs_are_those_of_the_rules(tiles, rules):
    boxes, z = [tile[0] for tile in tiles], [tile[1] for tile in tiles]
    found = tile_pairs(boxes, z, **rules).tolist()
    assert len(found) == len({tuple(pair) for pair in found})
    assert {tuple(pair) for pair in found} == one_by_one(boxes, z, range(len(tiles)), rules)


@settings(max_examples=40, deadline=None)
@given(tiles, rules, st.randoms(use_true_random=False))
def test_pairs_do_not_depend_on_the_order_of_tiles(tiles, rules, random):
    ids = [f"tile_{index}" for index in range(len(tiles))]
    order = list(range(len(tiles)))
    random.shuffle(order)

    def named(order):
        pairs = tile_pairs(
            [tiles[k][0] for k in order], [tiles[k][1] for k in order], ids=[ids[k] for k in order], **rules
        )
        return {frozenset(order[row] for row in pair) for pair in pairs.tolist()}

    assert named(order) == named(range(len(tiles)))


@settings(max_examples=40, deadline=None)
@given(tiles, rules)
def test_pairs_do_not_depend_on_which_axis_is_which(tiles, rules):
    boxes, z = np.array([tile[0] for tile in tiles]), [tile[1] for tile in tiles]
    turned = boxes[:, [1, 0, 3, 2]]
    np.testing.assert_array_equal(tile_pairs(boxes, z, **rules), tile_pairs(turned, z, **rules))


@settings(max_examples=40, deadline=None)
@given(tiles, rules)
def test_pairs_are_the_same_each_time(tiles, rules):
    boxes, z = [tile[0] for tile in tiles], [tile[1] for tile in tiles]
    np.testing.assert_array_equal(tile_pairs(boxes, z, **rules), tile_pairs(boxes, z, **rules))
