"""Pairs matched in other processes, whose caches are their own."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

pytest.importorskip("cv2")

from test_match_pairs import FINE, neighbours

from renderapi.match import match_pairs


@pytest.mark.slow
def test_other_processes_find_the_same_and_share_a_folder(montage, tmp_path):
    tiles, _ = montage
    pairs = neighbours(tiles)
    here = match_pairs(pairs, FINE, tilespecs=tiles)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        there = match_pairs(
            pairs,
            FINE,
            tilespecs=tiles,
            executor=executor,
            pairs_at_once=4,
            cache_folder=tmp_path / "features",
        )
    assert there.documents == here.documents
    assert len(list((tmp_path / "features").iterdir())) == len(tiles)
