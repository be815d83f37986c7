"""Clusters of tiles that matches connect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderapi.errors import SpecError
from renderapi.geometry import cluster_labels, clusters, tile_clusters


def test_the_largest_cluster_comes_first():
    pairs = [[0, 1], [5, 3], [3, 4], [7, 8]]
    assert cluster_labels(pairs, 10).tolist() == [1, 1, -1, 0, 0, 0, -1, 2, 2, -1]
    assert [group.tolist() for group in clusters(pairs, 10)] == [[3, 4, 5], [0, 1], [7, 8]]


def test_no_pairs():
    assert cluster_labels([], 3).tolist() == [-1, -1, -1]
    assert clusters([], 3) == []
    assert cluster_labels(np.empty((0, 2)), 0).tolist() == []
    assert tile_clusters([]) == []


def test_a_tile_that_is_paired_with_itself_is_a_cluster():
    assert cluster_labels([[1, 1]], 3).tolist() == [-1, 0, -1]


@pytest.mark.parametrize("pairs", [[[0, 3]], [[-1, 0]]])
def test_indices_that_are_none(pairs):
    with pytest.raises(SpecError, match="indices of 3 tiles"):
        cluster_labels(pairs, 3)


def test_ids_and_tiles_that_do_not_count():
    pairs = [("c", "b"), ("b", "x"), ("d", "e"), ("x", "d"), ("\U0001f600", "\uffee")]
    assert tile_clusters(pairs) == [["b", "c", "d", "e", "x"], ["\U0001f600", "\uffee"]]
    assert tile_clusters(pairs, "bcde") == [["b", "c"], ["d", "e"]]


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklm"), st.sampled_from("abcdefghijklm")), max_size=20))
def test_clusters_are_those_of_joining_one_pair_after_the_other(pairs):
    groups = []
    for pair in pairs:
        if set(pair) <= set("abcdefghi"):
            joined = [group for group in groups if group & set(pair)]
            groups = [group for group in groups if group not in joined]
            groups.append(set(pair).union(*joined))
    expected = sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group[0]))
    assert tile_clusters(pairs, "abcdefghi") == expected


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_labels_are_the_same_for_tiles_of_a_pair_and_ordered_by_size(pairs):
    labels = cluster_labels(pairs, 31)
    for p, q in pairs:
        assert labels[p] == labels[q] >= 0
    sizes = np.bincount(labels[labels >= 0])
    assert (np.diff(sizes) <= 0).all()
    assert set(np.flatnonzero(labels >= 0).tolist()) == {tile for pair in pairs for tile in pair}
    backwards = cluster_labels([(q, p) for p, q in reversed(pairs)], 31)
    np.testing.assert_array_equal(labels, backwards)
