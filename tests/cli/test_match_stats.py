"""Summaries of match collections, against the embedded server."""

import numpy as np
import pytest

import renderapi


def pair(p, q, shift, count=6, group="1.0"):
    """Return matches of two tiles, of which one is off by a shift."""
    points = np.random.default_rng(len(p)).uniform(0, 100, (count, 2))
    other = points + 10.0
    other[0] += shift
    weights = {"w": [1.0] * count}
    matches = {"p": points.T.tolist(), "q": other.T.tolist(), **weights}
    return {"pGroupId": group, "pId": p, "qGroupId": group, "qId": q, "matches": matches}


@pytest.fixture
def collection(render):
    """Return the name of a collection of four pairs in two groups; one has too few matches for a fit."""
    found = [
        pair("a", "b", 0.0),
        pair("b", "c", 4.0),
        pair("d", "e", 0.0, 1),
        pair("x", "y", 0.0, group="2.0"),
    ]
    renderapi.pointmatch.import_matches("stats", found, render=render)
    yield "stats"
    renderapi.pointmatch.delete_collection("stats", render=render)


def test_pairs_matches_fits_and_clusters_are_told(read, run, collection):
    found = read("match-stats", collection, "--model", "translation")
    assert (found["pairs"], found["matches"], found["clusters"]) == (4, 19, [3, 2, 2])
    assert found["matchesOfPair"] == {"min": 1.0, "median": 6.0, "max": 6.0}
    assert (
        found["worst"][0]["qId"] == "c"
        and found["largestDistance"]["max"] == found["worst"][0]["largestDistance"] > 3
    )
    lines = run("match-stats", f"me/{collection}", "--model", "translation", "--worst", 1)[1].splitlines()
    assert lines[0] == "match collection   me/stats"
    assert "clusters           3, the largest of 3 tiles" in lines
    assert lines[-1].split()[:5] == ["1.0", "b", "1.0", "c", "6"]


def test_a_pair_without_a_fit_is_counted(read, collection):
    found = read("match-stats", collection)
    assert (found["model"], found["pairs"], found["fitted"]) == ("affine", 4, 3)


def test_groups_and_small_pairs_are_left_out(read, collection):
    assert read("match-stats", collection, "--group", "2.0")["pairs"] == 1
    assert read("match-stats", collection, "--min-matches", 2)["pairs"] == 3


def test_an_empty_selection_has_no_spread(read, run, collection):
    assert read("match-stats", collection, "--min-matches", 99)["meanDistance"] is None
    assert run("match-stats", collection, "--min-matches", 99)[0] == 0


def test_a_misspelt_collection_is_answered_with_what_there_is(run, collection):
    status, _, errors = run("match-stats", "stast")
    assert status == 1 and "did you mean 'stats'?" in errors
