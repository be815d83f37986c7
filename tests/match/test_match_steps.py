"""The steps of matching, each against the answers of the original classes."""

import json

import numpy as np
import pytest
from golden import HOME, load, specs
from PIL import Image

from renderapi.match import (
    FeatureCache,
    FeatureExtraction,
    FeatureRenderClip,
    MatchDerivation,
    MatchParametersError,
    TooFewMatchesError,
    draw_canvas,
    extract_features,
    filter_candidates,
    match_quality,
    ratio_test,
)
from renderapi.match._consensus import _fitted
from renderapi.transform.flattening import normalized_for_matching
from renderapi.transform.least_squares import model_of


def parameters(name, **more):
    """Return render parameters as the server's normalizeForMatching makes them."""
    [tile] = [spec for spec in specs() if spec["tileId"] == name]
    transforms = tile["transforms"]["specList"]
    tile["transforms"]["specList"] = normalized_for_matching(transforms)
    return {"x": 0, "y": 0, "width": 340, "height": 340, "tileSpecs": [tile], **more}


# ------------------------------------------------------------------------------ canvases


@pytest.mark.parametrize(
    ("name", "scale", "more"),
    [("t0", 0.5, {}), ("t7", 1.0, {}), ("t7", 0.5, {}), ("t3", 1.0, {"width": 354, "height": 354})],
)
def test_canvases_are_those_of_the_java_client(name, scale, more):
    canvas = draw_canvas(parameters(name, **more), scale)
    kind = {1.0: "lens" if name == "t3" else "base", 0.5: "scale0.5"}[scale]
    want = np.asarray(Image.open(HOME / "canvases" / f"{name}_{kind}.png")).astype(float)
    assert canvas.image.shape == want.shape
    assert np.abs(canvas.image * 255 - want).max() <= 1.01  # rounding of an interpolation
    mask = HOME / "canvases" / f"{name}_{kind}_mask.png"
    assert (canvas.mask is not None) == mask.exists()
    if canvas.mask is not None:
        assert (canvas.mask == (np.asarray(Image.open(mask)) > 0)).mean() > 0.999


def test_the_range_is_that_of_the_tile_and_nothing_is_cut():
    whole = draw_canvas(parameters("t0")).image
    narrow = draw_canvas(parameters("t0", minIntensity=40, maxIntensity=200)).image
    np.testing.assert_allclose(narrow, (whole * 255 - 40) / 160, atol=1e-5)
    assert narrow.min() < 0 < 1 < narrow.max()


@pytest.mark.parametrize(
    ("position", "offset", "shape"),
    [
        ("LEFT", (190, 0), (340, 150)),
        ("RIGHT", (0, 0), (340, 150)),
        ("TOP", (0, 240), (100, 340)),
        ("BOTTOM", (0, 0), (100, 340)),
    ],
)
def test_of_a_canvas_the_side_to_its_partner_is_left(position, offset, shape):
    whole = draw_canvas(parameters("t0"))
    clip = FeatureRenderClip(clipWidth=150, clipHeight=100)
    part = draw_canvas(parameters("t0"), clip=clip, position=position)
    assert (part.offset, part.image.shape) == (offset, shape)
    x, y = offset
    # the last row and column of a tile are black
    np.testing.assert_array_equal(
        part.image[:-1, :-1], whole.image[y : y + shape[0] - 1, x : x + shape[1] - 1]
    )


def test_the_other_axis_is_not_clipped_and_no_position_is_an_error():
    clip = FeatureRenderClip(clipHeight=100)
    assert draw_canvas(parameters("t0"), clip=clip, position="LEFT").image.shape == (340, 340)
    with pytest.raises(MatchParametersError, match="relativePosition"):
        draw_canvas(parameters("t0"), clip=clip)


# ------------------------------------------------------------------------------ ratio test


@pytest.mark.parametrize("case", load("ratio")["cases"], ids=lambda case: case["name"])
def test_the_ratio_test_is_exactly_that_of_mpicbg(case):
    wide = len((case["p"] or case["q"])[0]["d"])
    descriptors = {s: np.array([f["d"] for f in case[s]]).reshape(-1, wide) for s in "pq"}
    points = {s: np.array([[f["x"], f["y"]] for f in case[s]]).reshape(-1, 2) for s in "pq"}
    p, q = ratio_test(descriptors["p"], descriptors["q"], points["q"], case["rod"])
    assert np.hstack([points["p"][p], points["q"][q]]).tolist() == case["matches"]


def test_bytes_and_numbers_give_the_same_candidates_in_blocks_of_any_size(monkeypatch):
    rng = np.random.default_rng(0)
    p, q = rng.integers(0, 256, (50, 128), np.uint8), rng.integers(0, 256, (60, 128), np.uint8)
    p[:20] = np.clip(q[:20].astype(int) + rng.integers(-9, 9, (20, 128)), 0, 255)
    points = rng.uniform(0, 100, (60, 2))
    want = ratio_test(p.astype(float), q.astype(float), points, 0.9)
    monkeypatch.setattr("renderapi.match._candidates._BLOCK", 100)
    np.testing.assert_array_equal(ratio_test(p, q, points, 0.9), want)
    assert want[0].tolist()[:20] == list(range(20))


# ------------------------------------------------------------------------------ consensus


RANSAC = load("ransac")
# so near to the noise that runs of the original differ by some points
NOISY = ("heavy_tail400", "translation800")


@pytest.mark.parametrize(
    "case",
    [c for c in RANSAC["cases"] if c["alwaysSame"] and not c["set"].startswith(NOISY) and "2000" not in c["set"]],
    ids=lambda case: case["name"],
)  # fmt: skip
def test_the_filter_keeps_what_the_original_always_keeps(case):
    points = np.array(RANSAC["sets"][case["set"]]).reshape(-1, 4)
    derivation = MatchDerivation.of(case["params"])
    found = filter_candidates(points[:, :2], points[:, 2:], derivation, case["renderScale"])
    want = [sorted(chosen) for chosen in case["inliers"] if chosen]
    got = [chosen.tolist() for chosen in found.sets]
    if derivation.matchFilter == "AGGREGATED_CONSENSUS_SETS":
        want = [[index for chosen in want for index in chosen]] if want else []
    assert got == want
    if derivation.matchFilter == "SINGLE_SET" and got:
        m00, m10, m01, m11, m02, m12 = case["models"][0][0]
        np.testing.assert_allclose(found.models[0], [[m00, m01, m02], [m10, m11, m12]], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "case",
    [c for c in RANSAC["cases"] if "ever" in c and "max" not in c["name"] and "2000" not in c["set"]],
    ids=lambda case: case["name"],
)
def test_where_the_original_varies_what_is_kept_is_about_the_same(case):
    points = np.array(RANSAC["sets"][case["set"]])
    found = filter_candidates(
        points[:, :2], points[:, 2:], MatchDerivation.of(case["params"]), case["renderScale"]
    )
    got = set(np.concatenate(found.sets).tolist()) if found.sets else set()
    allowed = 2 + len(case["ever"]) // 8
    assert len(set(case["always"]) - got) <= allowed
    assert len(got - set(case["ever"])) <= allowed


def test_at_most_so_many_are_kept_and_they_agree():
    case = next(c for c in RANSAC["cases"] if c["name"] == "rigid200_60pct|max30")
    points = np.array(RANSAC["sets"][case["set"]])
    [kept] = filter_candidates(points[:, :2], points[:, 2:], MatchDerivation.of(case["params"])).sets
    labels = np.array(RANSAC["labels"][case["set"]])
    assert len(kept) == 30
    assert (labels[kept] == 0).mean() > 0.9


def test_the_same_candidates_always_give_the_same_matches():
    points = np.array(RANSAC["sets"]["heavy_tail400"])
    derivation = MatchDerivation(matchModelType="TRANSLATION", matchMaxEpsilon=3)
    first, second = (filter_candidates(points[:, :2], points[:, 2:], derivation).sets for _ in range(2))
    np.testing.assert_array_equal(first, second)


# ------------------------------------------------------------------------------ coverage


@pytest.mark.parametrize("case", [c for c in load("coverage")["cases"] if any(c["sets"])])
def test_coverage_and_scatter_are_those_of_the_original(case):
    sets = [(np.array(s)[:, :2], np.array(s)[:, 2:]) for s in case["sets"]]
    moved = case.get("applyModel")
    models = [None if moved is None else _fitted(model_of(moved.lower()), p, q) for p, q in sets]
    masks = [None if case.get(f"{s}Mask") is None else np.array(case[f"{s}Mask"]) for s in "pq"]
    sizes = (case["pw"], case["ph"]), (case["qw"], case["qh"])
    want = case["result"]
    if "error" in want:
        with pytest.raises(TooFewMatchesError, match="insufficient"):
            match_quality(sets, models, *sizes, case["radius"], case["renderScale"], *masks)
        return
    got = match_quality(sets, models, *sizes, case["radius"], case["renderScale"], *masks)
    assert abs(got.overlap - want["overlappingImagePixels"]) <= 2
    assert abs(got.covered - want["overlappingCoveragePixels"]) <= 2
    np.testing.assert_allclose(
        np.transpose(got.deviations), [want["setStdX"], want["setStdY"]], rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(got.deviation, want["aggregateStd"], rtol=1e-9, atol=1e-9)
    assert [got.coverage >= least for least in (0, 25, 50, 75, 90, 100)] == want["sufficient"]


# ------------------------------------------------------------------------------ features


SIFT = {entry["key"]: entry for entry in load("sift")["features"]}


@pytest.mark.parametrize(
    "name", ["t0|base", "t1|base", "t7|base", "t0|defaults", "t0|max0.95", "t0|scale0.5", "t5|base"]
)
def test_features_are_found_where_mpicbg_finds_them(name):
    pytest.importorskip("cv2")
    want = SIFT[name]
    extraction = FeatureExtraction.of(want["featureExtraction"])
    got = extract_features(draw_canvas(parameters(want["tile"]), want["renderScale"]), extraction)
    assert want["count"] / 2 <= len(got) <= 2 * max(want["count"], 1)
    assert got.descriptors.shape == (len(got), 128)
    if want["count"]:
        low, *_, high = want["scaleQuantiles"]
        assert low / 1.3 < got.scales.min() and got.scales.max() < high * 1.6
    if want.get("list"):
        x, y, scale, _ = np.array(want["list"]).T
        near = np.hypot(got.points[:, :1] - x, got.points[:, 1:] - y) < 1.5
        alike = np.abs(np.log(got.scales[:, None] / scale)) < np.log(1.5)
        assert (near & alike).any(axis=0).mean() > 0.5


def test_a_canvas_that_is_too_small_or_blank_has_no_features():
    pytest.importorskip("cv2")
    small = extract_features(draw_canvas(parameters("t0"), 0.05))
    assert (len(small), small.blank) == (0, False)
    blank = extract_features(draw_canvas(parameters("t0", minIntensity=0, maxIntensity=0)))
    assert (len(blank), blank.blank) == (0, True)


# ------------------------------------------------------------------------------ cache


def features(count, blank=False):
    from renderapi.match import Features

    rng = np.random.default_rng(count)
    return Features(
        rng.uniform(0, 9, (count, 2)), rng.uniform(1, 9, count).astype(np.float32),
        rng.integers(0, 256, (count, 128), np.uint8), (30, 20), 0.5, (3.0, 0.0), (60, 40), blank,
        rng.random((20, 30)) > 0.5,
    )  # fmt: skip


def test_the_cache_holds_no_more_bytes_than_it_may():
    one = features(100)
    cache = FeatureCache(2 * one.nbytes)
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get(key, lambda: features(100))
    assert cache.found == 4  # b had to go for c, because a was used later
    FeatureCache(1).get("too large", lambda: one)


def test_what_cannot_be_found_is_told_to_everybody_and_tried_again():
    cache = FeatureCache()
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 / 0)
    assert len(cache.get("a", lambda: features(5))) == 5


def test_a_folder_keeps_features_for_others_and_damaged_files_are_found_anew(tmp_path):
    first = FeatureCache(folder=tmp_path / "features").get("a", lambda: features(7))
    other = FeatureCache(folder=tmp_path / "features")
    read = other.get("a", lambda: pytest.fail("it is there"))
    for name in ("points", "scales", "descriptors", "mask"):
        np.testing.assert_array_equal(getattr(read, name), getattr(first, name))
    assert (read.size, read.scale, read.offset, read.extent) == (
        first.size,
        first.scale,
        first.offset,
        first.extent,
    )
    [file] = (tmp_path / "features").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert len(FeatureCache(folder=tmp_path / "features").get("a", lambda: features(3))) == 3


def test_numbers_of_json_are_read_and_others_refused():
    assert MatchDerivation.of(json.loads('{"matchRod": 1, "matchMaxTrust": null}')).matchMaxTrust == 3.0
    for wrong in (
        {"matchRod": "x"}, {"matchIterations": 1.5}, {"matchModelType": "PROJECTIVE"}, {"matchFilter": "BEST"},
        {"matchInterpolatedModelLambda": 0.1}, {"matchMinNumInliers": 0}, {"matchMaxEpsilon": float("nan")}, [],
    ):  # fmt: skip
        with pytest.raises(MatchParametersError):
            MatchDerivation.of(wrong)
    with pytest.raises(MatchParametersError, match="matchMaxEpsilonFullScale"):
        filter_candidates([[0, 0]], [[0, 0]], MatchDerivation())
