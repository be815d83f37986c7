"""Pairs of tiles matched: as Java does it, of a montage with known truth, and with whatever may be wrong."""

import gzip
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("cv2")

from golden import case, load, residuals, specs, stage

import renderapi
from renderapi.errors import RenderWarning
from renderapi.match import (
    BlankImageError,
    CanvasError,
    CoverageError,
    MatchParametersError,
    NoOverlapError,
    Stage,
    TooFewMatchesError,
    match_canvases,
    match_pairs,
    read_pairs,
    read_stages,
)
from renderapi.server import serve_background

FINE = Stage(
    featureRender={"renderWithFilter": False},
    featureExtraction={"minScale": 0.25, "maxScale": 1.0},
    featureMatchDerivation={
        "matchModelType": "TRANSLATION", "matchMaxEpsilonFullScale": 3, "matchMinNumInliers": 8
    },
)  # fmt: skip


def neighbours(tiles):
    """Return the pairs of tiles side by side."""
    at = {spec["tileId"]: tuple(map(int, spec["tileId"].split("_"))) for spec in tiles}
    return [(a, b) for a, b in combinations(at, 2) if sum(abs(i - j) for i, j in zip(at[a], at[b])) == 1]


def errors(documents, truth):
    """Return what the matches of each pair miss the truth by, as (2, N)."""
    found = []
    for document in documents:
        p, q = (np.array(document["matches"][side]) for side in "pq")
        found.append(p - q - (truth[document["qId"]] - truth[document["pId"]])[:, None])
    return found


# ------------------------------------------------------------------------------ as Java does it


@pytest.mark.parametrize(
    "name",
    ["defaults_eps", "base", "scale_half", "max095_octave_dropped", "exclude_mask", "affine_regularized"],
)
def test_the_same_pairs_are_connected_as_by_java_and_as_well(name):
    want = case(name)
    report = match_pairs(
        map(tuple, want["pairs"]), stage(want["options"], want["query"]), tilespecs=specs(), threads=1
    )
    java = {(d["pId"], d["qId"]): d for d in want["runs"][0]["docs"]}
    ours = {(d["pId"], d["qId"]): d for d in report.documents}
    assert ours.keys() == java.keys()
    for pair, document in ours.items():
        assert document["matchCount"] >= java[pair]["matchCount"] / 2
        if residuals(document) is not None:
            assert np.median(residuals(document)) <= np.median(residuals(java[pair])) + 0.2
    assert {type(failure) for failure in report.failures} == {BlankImageError, NoOverlapError}


def test_a_fold_is_two_sets_with_names_of_their_own():
    want = case("consensus")
    report = match_pairs([("t0", "t8")], stage(want["options"]), tilespecs=specs())
    java = [
        d for d in want["runs"][0]["docs"] if d["pId"].startswith("t0_set") and d["qId"].startswith("t8_set")
    ]
    for ours, theirs in zip(report.documents, sorted(java, key=lambda d: d["consensusSetData"]["index"])[:2]):
        ids = ("pId", "qId", "pGroupId", "qGroupId", "consensusSetData")
        assert [ours[key] for key in ids] == [theirs[key] for key in ids]
        assert abs(ours["matchCount"] - theirs["matchCount"]) < 30


@pytest.mark.parametrize("name", ["clip_left", "clip_left_half", "clip_top", "clip_bottom_swapped"])
def test_clipped_canvases_give_points_of_whole_ones(name):
    want = case(name)
    options, [(p, q)] = want["options"], want["pairs"]
    how = {
        **stage(options),
        "featureRenderClip": {k: options[k] for k in ("clipWidth", "clipHeight") if k in options},
    }
    first = options["firstCanvasPosition"]
    second = {"LEFT": "RIGHT", "TOP": "BOTTOM", "BOTTOM": "TOP"}[first]
    sides = [{"groupId": "1.0", "id": i, "relativePosition": w} for i, w in ((p, first), (q, second))]
    [ours] = match_pairs([{"p": sides[0], "q": sides[1]}], how, tilespecs=specs()).documents
    [java] = want["runs"][0]["docs"]
    if (p, q) == ("t0", "t1"):  # that is a mere shift
        shifts = [np.subtract(d["matches"]["p"], d["matches"]["q"]).mean(axis=1) for d in (ours, java)]
        np.testing.assert_allclose(shifts[0], shifts[1], atol=0.3)
    assert np.median(residuals(ours)) <= np.median(residuals(java)) + 0.2


@pytest.mark.parametrize("wanted", load("multistage")["cases"], ids=lambda case: case["name"])
def test_stages_connect_what_they_connect_in_java(wanted):
    report = match_pairs(
        {"renderParametersUrlTemplate": "{id}", "neighborPairs": wanted["pairs"]},
        wanted["stages"],
        tilespecs=specs(),
    )
    failed = wanted["runs"][0]["failedPairs"]
    java = {(p["p"]["id"], p["q"]["id"]) for p in (failed or {"neighborPairs": []})["neighborPairs"]}
    # what Java connects is connected; that a little more is has to do with numbers near the limits
    ours = {(f.p[1], f.q[1]) for f in report.failures}
    assert ours <= java
    assert {pair for pair in java if {"t5", "t6"} & set(pair)} <= ours


# ------------------------------------------------------------------------------ truth


def test_every_pair_of_a_montage_is_connected_near_to_the_truth(montage):
    tiles, truth = montage
    report = match_pairs(neighbours(tiles), FINE, tilespecs=tiles)
    assert (report.matched, report.failures) == (12, [])
    found = errors(report.documents, truth)
    assert np.sqrt((np.hstack(found) ** 2).sum(axis=0).mean()) < 0.5
    assert max(np.hypot(*pair.mean(axis=1)) for pair in found) < 0.3


@pytest.mark.slow
def test_a_montage_of_36_tiles_lies_within_a_third_of_a_pixel(tmp_path):
    from stage_montage import make_montage

    tiles, truth = make_montage(tmp_path, 6, 512, 420, 25)
    report = match_pairs(neighbours(tiles), FINE, tilespecs=tiles)
    assert (report.matched, report.failures) == (60, [])
    found = errors(report.documents, truth)
    means = np.array([pair.mean(axis=1) for pair in found])
    assert np.sqrt((means**2).sum(axis=1).mean()) < 0.15
    # what a least squares montage of translations makes of it
    ids = [spec["tileId"] for spec in tiles]
    rows = np.zeros((len(found) + 1, len(ids)))
    for number, document in enumerate(report.documents):
        rows[number, ids.index(document["pId"])], rows[number, ids.index(document["qId"])] = 1, -1
    rows[-1] = 1
    right = np.vstack(
        [
            -np.array(
                [
                    np.subtract(*np.array([d["matches"]["p"], d["matches"]["q"]])).mean(axis=1)
                    for d in report.documents
                ]
            ),
            [0, 0],
        ]
    )
    placed = np.linalg.lstsq(rows, right, rcond=None)[0]
    real = np.array([truth[name] for name in ids])
    assert np.sqrt(((placed - real + real.mean(axis=0)) ** 2).sum(axis=1).mean()) < 0.3


def test_threads_and_executors_find_the_same(montage):
    tiles, _ = montage
    pairs = neighbours(tiles)
    one = match_pairs(pairs, FINE, tilespecs=tiles, threads=1)
    several = match_pairs(pairs, FINE, tilespecs=tiles, threads=3, pairs_at_once=5)
    with ThreadPoolExecutor(2) as executor:
        others = match_pairs(pairs, FINE, tilespecs=tiles, executor=executor, pairs_at_once=4)
    assert one.documents == several.documents == others.documents


def test_features_are_found_once_for_each_tile(montage, monkeypatch):
    tiles, _ = montage
    counted = []
    from renderapi.match import _pairs

    real = _pairs.extract_features
    monkeypatch.setattr(_pairs, "extract_features", lambda *args: counted.append(1) or real(*args))
    match_pairs(neighbours(tiles), FINE, tilespecs=tiles, threads=3)
    assert len(counted) == len(tiles)


# ------------------------------------------------------------------------------ a server


@pytest.fixture
def server(montage, tmp_path):
    tiles, _ = montage
    with serve_background() as running:
        render = running.connect(owner="me", project="p")
        renderapi.stack.create_stack("raw", render=render)
        renderapi.client.import_tilespecs(
            "raw", [renderapi.tilespec.TileSpec(json=tile) for tile in tiles], render=render
        )
        yield render


def test_tiles_of_a_server_are_matched_stored_and_not_matched_again(montage, server):
    tiles, _ = montage
    pairs = renderapi.client.tilePairClient("raw", 1, 1, zNeighborDistance=0, render=server)
    report = match_pairs(pairs, FINE, "found", render=server)
    assert (report.matched, report.documents) == (12, [])
    local = match_pairs(neighbours(tiles), FINE, tilespecs=tiles).documents
    stored = renderapi.pointmatch.get_matches_within_group("found", "1.0", render=server)
    name = lambda d: (d["pId"], d["qId"])  # noqa: E731
    assert [d["matches"] for d in sorted(stored, key=name)] == [d["matches"] for d in sorted(local, key=name)]
    renderapi.pointmatch.delete_point_matches_between_tiles(
        "found", "1.0", "0_0", "1.0", "0_1", render=server
    )
    rest = match_pairs(pairs, FINE, "found", render=server)
    assert (rest.matched, rest.passed_over) == (1, 11)
    assert match_pairs(pairs, FINE, "found", again=True, render=server).matched == 12


def test_pairs_without_a_template_are_of_the_stack_that_is_named(server):
    report = match_pairs(
        [(("1.0", "0_0"), ("1.0", "0_1")), (("1.0", "0_0"), ("1.0", "none"))],
        FINE,
        stack="raw",
        render=server,
    )
    assert report.matched == 1
    [failure] = report.failures
    assert isinstance(failure, CanvasError)
    assert "none" in str(failure)


# ------------------------------------------------------------------------------ what may be wrong


def changed(tiles, name, **more):
    return [{**tile, **more} if tile["tileId"] == name else tile for tile in tiles]


def test_a_missing_image_leaves_out_its_pairs_only(montage):
    tiles, _ = montage
    tiles = changed(tiles, "1_1", mipmapLevels={"0": {"imageUrl": "file:/nowhere/at/all.png"}})
    report = match_pairs(neighbours(tiles), FINE, tilespecs=tiles)
    assert report.matched == 8
    assert all(
        isinstance(f, CanvasError) and "all.png" in str(f) and "1_1" in (f.p[1], f.q[1])
        for f in report.failures
    )
    again = match_pairs(report.failed_pairs(), FINE, tilespecs=montage[0])
    assert again.matched == 4


def test_blank_images_too_few_matches_and_no_overlap_are_told_apart(montage, tmp_path):
    from PIL import Image

    tiles, _ = montage
    Image.new("L", (300, 300), 90).save(tmp_path / "blank.png")
    tiles = changed(
        tiles, "0_2", mipmapLevels={"0": {"imageUrl": f"file:{tmp_path}/blank.png"}}, minIntensity=0
    )
    pairs = [("0_0", "0_1"), ("0_1", "0_2"), ("0_0", "2_2"), ("0_0", "1_1")]
    strict = Stage(
        "strict", FINE.featureRender, None, FINE.featureExtraction,
        {"matchMaxEpsilonFullScale": 3, "matchMinNumInliers": 10**5},
    )  # fmt: skip
    report = match_pairs(pairs, strict, tilespecs=tiles)
    kinds = [TooFewMatchesError, BlankImageError, NoOverlapError, TooFewMatchesError]
    assert [type(failure) for failure in report.failures] == kinds
    assert all(failure.stage == "strict" and failure.p[1] in str(failure) for failure in report.failures)
    assert "2 TooFewMatchesError" in str(report)


@pytest.mark.parametrize("gray", [0, 90, 255])
def test_a_blank_image_is_one_whatever_filters_and_borders_make_of_it(montage, tmp_path, gray):
    from PIL import Image

    tiles, _ = montage
    Image.new("L", (290, 280), gray).save(tmp_path / "blank.png")
    tiles = changed(tiles, "0_1", mipmapLevels={"0": {"imageUrl": f"file:{tmp_path}/blank.png"}})
    lenient = {"featureMatchDerivation": {"matchMaxEpsilonFullScale": 20, "matchMinNumInliers": 1}}
    [failure] = match_pairs([("0_0", "0_1")], lenient, tilespecs=tiles).failures
    assert type(failure) is BlankImageError
    assert "0_1" in str(failure) and "one gray only" in str(failure)


def test_what_was_tried_in_vain_is_not_tried_again(montage, tmp_path, monkeypatch):
    tiles, _ = montage
    missing = changed(tiles, "1_1", mipmapLevels={"0": {"imageUrl": "file:/nowhere/at/all.png"}})
    pairs = [("0_0", "0_1"), ("0_0", "2_2"), ("1_1", "1_2")]
    folder = tmp_path / "features"
    first = match_pairs(pairs, FINE, tilespecs=missing, cache_folder=folder)
    kinds = [NoOverlapError, CanvasError]
    assert ([type(why) for why in first.failures], first.tried_before) == (kinds, 0)
    with (folder / "tried.jsonl").open("ab") as file:
        file.write(b'{"tried": "half a li')
    counted = []
    from renderapi.match import _pairs

    real = _pairs.match_features
    monkeypatch.setattr(_pairs, "match_features", lambda *args: counted.append(1) or real(*args))
    # what is not there now may be the next time
    again = match_pairs(pairs, FINE, tilespecs=tiles, cache_folder=folder)
    assert (len(counted), again.tried_before, again.matched) == (2, 1, 2)
    [why] = again.failures
    assert (type(why), str(why), why.p, why.q, why.stage) == (
        NoOverlapError, str(first.failures[0]), ("1.0", "0_0"), ("1.0", "2_2"), "stage",
    )  # fmt: skip
    assert "1 were tried before" in str(again)
    # other stages, other tiles, or to be tried again
    coarse = Stage("coarse", *[getattr(FINE, name) for name in list(vars(FINE))[1:]])
    moved = changed(tiles, "2_2", maxIntensity=200)
    for how in ({"stages": coarse}, {"tilespecs": moved}, {"again": True}):
        call = {"stages": FINE, "tilespecs": tiles, **how}
        assert match_pairs(pairs[1:2], tried=folder / "tried.jsonl", **call).tried_before == 0
    assert match_pairs(pairs[1:2], FINE, tilespecs=tiles, tried=folder / "tried.jsonl").tried_before == 1


def test_too_little_coverage_is_no_connection(montage):
    tiles, _ = montage
    derivation = {
        "matchMaxEpsilonFullScale": 3,
        "matchFullScaleCoverageRadius": 1,
        "matchMinCoveragePercentage": 90,
    }
    how = Stage("covered", FINE.featureRender, None, FINE.featureExtraction, derivation)
    [failure] = match_pairs([("0_0", "0_1")], how, tilespecs=tiles).failures
    assert isinstance(failure, CoverageError)


def test_far_sections_are_left_to_no_stage():
    pair = {"p": {"groupId": "1.0", "id": "t0"}, "q": {"groupId": "1.0", "id": "t1"}, "absoluteDeltaZ": 3}
    near = {**stage(case("base")["options"]), "maxNeighborDistance": 2}
    [failure] = match_pairs([pair], near, tilespecs=specs()).failures
    assert "so far apart" in str(failure)
    assert match_pairs([pair], {**near, "maxNeighborDistance": 3}, tilespecs=specs()).matched == 1


def test_without_opencv_the_error_says_how_to_install_it(monkeypatch, montage):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"render-python\[match\]"):
        match_pairs([("0_0", "0_1")], FINE, tilespecs=montage[0])


# ------------------------------------------------------------------------------ stages and pairs


def test_files_of_stages_and_pairs_are_read_as_they_are(tmp_path):
    stages = [
        {
            "stageName": "a",
            "featureRender": {"renderScale": 0.4},
            "featureMatchDerivation": {"matchMaxEpsilonFullScale": 5},
        }
    ]
    (tmp_path / "stages.json").write_text(json.dumps(stages))
    (tmp_path / "run.json.gz").write_bytes(
        gzip.compress(json.dumps({"matchStageParametersList": stages}).encode())
    )
    for name in ("stages.json", "run.json.gz"):
        [read] = read_stages(tmp_path / name)
        assert (read.stageName, read.featureRender.renderScale, read.featureExtraction.fdSize) == (
            "a",
            0.4,
            8,
        )
    pairs = {
        "renderParametersUrlTemplate": "x/{id}",
        "neighborPairs": [{"p": {"groupId": "2", "id": "a"}, "q": {"groupId": "1", "id": "b"}}],
    }
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    listed = read_pairs([tmp_path / "pairs.json", tmp_path / "pairs.json"])
    assert ([(p.p.key, p.q.key) for p in listed.pairs], listed.template) == (
        [(("1", "b"), ("2", "a"))],
        "x/{id}",
    )


def test_what_stages_do_not_know_is_told_and_geometric_descriptors_are_not_used():
    how = stage(case("base")["options"])
    with pytest.warns(RenderWarning, match="overlapPercent"):
        read_stages([{**how, "overlapPercent": 5}])
    with pytest.warns(RenderWarning, match="geometric descriptors"):
        read_stages([{**how, "geometricDescriptorAndMatch": {"gdEnabled": True}}])


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([], "no stage"),
        ("none.json", "none.json"),
        ([3], "stage 0"),
        ([{"featureRender": {"renderScale": 0}}], "renderScale"),
        ([{}], "matchMaxEpsilonFullScale"),
    ],
)
def test_stages_that_cannot_be_used_are_named(stages, words):
    with pytest.raises(MatchParametersError, match=words):
        read_stages(stages)


@pytest.mark.parametrize(
    "pair", [3, ("a",), ("a", "nobody"), ("a", "a"), {"p": {"id": "a"}, "q": {"id": "b"}}]
)
def test_pairs_that_are_none_are_named(pair):
    with pytest.raises(MatchParametersError):
        read_pairs([pair], {"a": "1", "b": "1"})


def test_two_canvases_are_matched_without_anything_else(montage):
    tiles, truth = montage
    p, q = (
        {"width": 300, "height": 300, "tileSpecs": [{**tile, "transforms": {"type": "list", "specList": []}}]}
        for tile in tiles[:2]
    )
    found = match_canvases(p, q, FINE, quality=True)
    [(here, there)] = found.sets
    np.testing.assert_allclose((here - there).mean(axis=0), truth["0_1"] - truth["0_0"], atol=0.3)
    assert 0 < found.quality.coverage <= 100
    assert found.documents(("2.0", "b"), ("1.0", "a"))[0]["pId"] == "a"
