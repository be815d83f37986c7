"""Coverage: which share of tiles, pairs and overlaps have matches."""

import numpy as np
import pytest

from renderapi.pointmatch import match_coverage, match_from_arrays, swap_matchpair

AFFINE = "mpicbg.trakem2.transform.AffineModel2D"


def tile(name, x, y=0, z=1.0):
    moved = {"className": AFFINE, "dataString": f"1 0 0 1 {x} {y}"}
    return {
        "tileId": name,
        "z": z,
        "layout": {"sectionId": str(z)},
        "width": 100,
        "height": 100,
        "transforms": {"type": "list", "specList": [moved]},
    }


def match(p, q, points):
    return match_from_arrays("1.0", p, "1.0", q, points, points)


ROW = [tile("a", 0), tile("b", 80), tile("c", 160), tile("d", 240)]


def test_shares_of_tiles_and_of_expected_pairs():
    found = match_coverage([match("a", "b", [[90, 50]])], ROW)
    assert (found.tiles, found.pairs) == (2 / 4, 1 / 3)
    assert found.expected[found.matched].tolist() == [[0, 1]]


def test_spread_is_the_share_of_cells_of_the_overlap_that_hold_a_point():
    corners = [[81, 1], [81, 99], [99, 1], [99, 99], [99, 98]]
    assert match_coverage([match("a", "b", corners)], ROW, grid=4).spread[0] == 4 / 16


def test_points_outside_of_the_overlap_do_not_count():
    found = match_coverage([match("a", "b", [[10, 50], [90, 50]])], ROW, grid=1)
    assert found.spread.tolist() == [1, 0, 0]
    assert match_coverage([match("a", "b", [[10, 50]])], ROW).spread[0] == 0


def test_p_and_q_may_be_exchanged():
    one = match("a", "b", [[90, 50]])
    turned = {**swap_matchpair(one)}
    turned["matches"] = {**turned["matches"], "p": [[10.0], [50.0]]}
    one_way, other_way = (match_coverage([m], ROW) for m in (one, turned))
    assert one_way.matched.tolist() == other_way.matched.tolist()
    np.testing.assert_array_equal(one_way.spread, other_way.spread)


def test_other_tiles_and_pairs_without_points_do_not_count():
    found = match_coverage([match("a", "x", [[1, 1]]), match("a", "b", np.empty((0, 2)))], ROW)
    assert (found.tiles, found.pairs) == (0, 0)


def test_pairs_that_are_not_expected_count_for_tiles_alone():
    found = match_coverage([match("a", "d", [[1, 1]])], ROW)
    assert (found.tiles, found.pairs) == (0.5, 0)


def test_the_rules_of_pairs_are_those_of_tile_pairs():
    stack = [tile("a", 0), tile("b", 0, z=2.0), tile("c", 0, z=3.0)]
    assert len(match_coverage([], stack, z_neighbor_distance=1).expected) == 2
    assert len(match_coverage([], stack, z_neighbor_distance=2).expected) == 3


def test_nothing_is_covered_where_nothing_is():
    found = match_coverage([], [])
    assert np.isnan([found.tiles, found.pairs]).all()
    assert len(found.spread) == 0


def test_pairs_beside_each_other_have_no_spread():
    found = match_coverage([], [tile("a", 0), tile("b", 110)])
    assert np.isnan(found.spread).tolist() == [True]


def test_a_grid_without_cells_is_refused():
    with pytest.raises(ValueError, match="grid is 0"):
        match_coverage([], ROW, grid=0)
