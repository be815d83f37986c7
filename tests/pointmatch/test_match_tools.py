"""Work on match documents: arrays, order, merging, filters, statistics, clusters."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderapi import pointmatch
from renderapi.errors import SpecError
from renderapi.server import serve_background
from renderapi.transform import AffineModel, Ransac

IDS = ("pGroupId", "pId", "qGroupId", "qId")


def made(p_id="a", q_id="b", count=3, start=0.0, p_group="1.0", q_group="2.0"):
    p = np.column_stack([np.arange(count) + start, np.arange(count) ** 2.0])
    return pointmatch.match_from_arrays(p_group, p_id, q_group, q_id, p, p + [10, 20], np.arange(count) + 1.0)


names = st.text(max_size=3)
numbers = st.floats(-1e6, 1e6)
rows = st.lists(st.tuples(numbers, numbers, numbers, numbers, numbers), max_size=4)


@given(names, names, names, names, rows)
def test_arrays_survive_a_document_and_keep_their_tile(p_group, p_id, q_group, q_id, points):
    table = np.array(points, dtype=float).reshape(-1, 5)
    match = pointmatch.match_from_arrays(
        p_group, p_id, q_group, q_id, table[:, :2], table[:, 2:4], table[:, 4]
    )
    back = pointmatch.match_arrays(match)
    sides = [back.p, back.q]
    if (match["pGroupId"], match["pId"]) != (p_group, p_id):
        sides.reverse()
    np.testing.assert_array_equal(sides[0], table[:, :2])
    np.testing.assert_array_equal(sides[1], table[:, 2:4])
    np.testing.assert_array_equal(back.w, table[:, 4])
    assert pointmatch.order_matchpair(match) == match


@pytest.mark.parametrize(
    ("p", "q", "w", "problem"),
    [
        ([[1, 2, 3]], [[1, 2, 3]], None, r"shape \(N, 2\)"),
        ([[1, 2]], [[1, 2], [3, 4]], None, r"not \(1, 2\), \(2, 2\)"),
        ([[1, 2]], [[1, 2]], [1, 2], r"and \(2,\)"),
        ([[1, np.nan]], [[1, 2]], None, "1/a to 1/b.* is nan.* finite"),
    ],
)
def test_arrays_that_make_no_document_are_refused(p, q, w, problem):
    with pytest.raises(SpecError, match=problem):
        pointmatch.match_from_arrays("1", "a", "1", "b", p, q, w)


def test_arrays_of_a_document_without_points_are_empty():
    match = {"pGroupId": "1", "pId": "a", "qGroupId": "1", "qId": "b"}
    assert [part.shape for part in pointmatch.match_arrays(match)] == [(0, 2), (0, 2), (0,)]
    solid = {**match, "matches": {"p": [[1], [2], [3]], "q": [[1], [2], [3]], "w": [1]}}
    with pytest.raises(SpecError, match="in the plane"):
        pointmatch.match_arrays(solid)


def test_merging_does_what_a_server_does_for_merged_collections():
    one = [made(), made("c", "d")]
    two = [pointmatch.swap_matchpair(made(start=5)), made("e", "f", p_group="9", q_group="10")]
    before = copy.deepcopy((one, two))
    with serve_background() as server, server.connect(owner="o", project="p") as render:
        pointmatch.import_matches("one", one, render=render)
        pointmatch.import_matches("two", two, render=render)
        stored = [
            match
            for group in ("1.0", "10")
            for match in pointmatch.get_matches_with_group(
                "one", group, mergeCollections="two", render=render
            )
        ]
    merged = pointmatch.merge_matches(one, two)
    key = lambda match: [match[name] for name in IDS]  # noqa: E731
    assert sorted(merged, key=key) == sorted(stored, key=key)
    assert (one, two) == before


def test_merging_without_points_names_the_pair():
    with pytest.raises(SpecError, match="matches of a and b without their details"):
        pointmatch.merge_matches([made(), {name: made()[name] for name in IDS}])


def test_matches_of_little_weight_are_dropped():
    (kept,) = pointmatch.filter_matches([made()], min_weight=2)
    assert kept["matches"] == {
        "p": [[1.0, 2.0], [1.0, 4.0]],
        "q": [[11.0, 12.0], [21.0, 24.0]],
        "w": [2.0, 3.0],
    }
    assert kept["matchCount"] == 2
    assert pointmatch.filter_matches([made()], min_weight=2, min_count=3) == []


@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
def test_matches_that_do_not_agree_are_dropped(model):
    rng = np.random.default_rng(5)
    p = rng.uniform(0, 2000, (40, 2))
    q = AffineModel(B0=30, B1=-4).tform(p)
    wrong = np.arange(40) % 4 == 0
    q[wrong] += rng.uniform(200, 900, (10, 2))
    match = pointmatch.match_from_arrays("1", "a", "1", "b", p, q)
    (kept,) = pointmatch.filter_matches([match], model=model, ransac=Ransac(max_epsilon=5))
    np.testing.assert_array_equal(pointmatch.match_arrays(kept).p, p[~wrong])
    assert pointmatch.match_statistics([kept], model).maximum[0] < 1e-6
    assert pointmatch.match_statistics([match], model).mean[0] > 10


def test_a_pair_without_consensus_is_left_out():
    assert pointmatch.filter_matches([made(count=2)], model="affine") == []
    with pytest.raises(ValueError, match="model must be one of"):
        pointmatch.filter_matches([], model="spline")


def test_statistics_have_a_row_for_every_pair():
    found = pointmatch.match_statistics([made(), made(count=1)], "affine")
    assert found.number.tolist() == [3, 1]
    assert found.weight.tolist() == [2.0, 1.0]
    assert found.mean[0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(found.mean[1]) and np.isnan(found.maximum[1])
    assert pointmatch.match_statistics([]).number.tolist() == []


def test_clusters_are_of_groups_and_ids():
    matches = [made(), made("b", "c", p_group="2.0", q_group="3.0"), made("x", "y"), made("c", "x", count=1)]
    assert pointmatch.match_clusters(matches, min_count=2) == [
        [("1.0", "a"), ("2.0", "b"), ("3.0", "c")],
        [("1.0", "x"), ("2.0", "y")],
    ]
