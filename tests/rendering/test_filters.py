"""Filters of source images: golden renders, plain restatements of the rules, properties, errors."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from renderapi.rendering import RenderParametersError, _clahe, filters
from renderapi.rendering.filters import CLAHE, NormalizeLocalContrast, ValueToNoise, filters_of

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "original"
PACKAGE = "org.janelia.alignment.filter."
F32 = np.float32


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def made(class_name: str, **parameters: Any) -> filters.Filter:
    (found,) = filters_of({"filterSpecs": [{"className": PACKAGE + class_name, "parameters": parameters}]})
    return found


def filtered(
    found: filters.Filter, image: np.ndarray, low=0.0, high=255.0, scale=1.0, rng=None
) -> np.ndarray:
    before = image.copy()
    result = found.apply(image, low, high, scale, rng or seeded())
    np.testing.assert_array_equal(image, before)
    assert result is not image and not np.shares_memory(result, image)
    assert result.dtype == image.dtype and result.shape == image.shape
    return result


def noisy(shape: tuple[int, ...], dtype: type = np.uint8, seed: int = 1, most: int = 255) -> np.ndarray:
    # dark on one side, bright on the other, so that histograms differ from place to place
    ramp = np.add.outer(np.arange(shape[0]), 2 * np.arange(shape[1])).astype(float)
    ramp = ramp.reshape(ramp.shape + (1,) * (len(shape) - 2)) / ramp.max()
    noise = seeded(seed).normal(0, 0.15, shape)
    return (np.clip(0.15 + 0.7 * ramp + noise, 0, 1) * most).astype(dtype)


# --- golden renders ------------------------------------------------------------------------------------------


def golden_cases() -> list[dict[str, Any]]:
    cases = json.loads(gzip.decompress((GOLDEN / "render.json.gz").read_bytes()))["cases"]
    return [case for case in cases if case["category"] == "filters"]


def rendered(source: np.ndarray, parameters: dict[str, Any], tile: dict[str, Any]) -> np.ndarray:
    # bilinear, ties up, 0 outside the pixel centres; the tiles of these cases are only shifted
    affine = [float(part) for part in tile["transforms"]["specList"][0]["dataString"].split()]
    y, x = np.mgrid[: parameters["height"], : parameters["width"]].astype(float)
    x, y = x - (affine[4] - parameters["x"]), y - (affine[5] - parameters["y"])
    height, width = source.shape
    inside = (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1)
    x, y = np.where(inside, x, 0), np.where(inside, y, 0)
    column, row = x.astype(int), y.astype(int)
    x, y, pixels = x - column, y - row, source.astype(float)
    above = pixels[row, column] + x * (pixels[row, column + 1] - pixels[row, column])
    below = pixels[row + 1, column] + x * (pixels[row + 1, column + 1] - pixels[row + 1, column])
    return np.where(inside, np.floor(above + y * (below - above) + 0.5), 0).astype(int)


@pytest.mark.parametrize("number", range(3))  # two of local contrast, one of CLAHE
def test_pixels_of_the_original(number: int) -> None:
    case = golden_cases()[number]
    parameters = case["renderParameters"]
    (tile,) = parameters["tileSpecs"]
    with Image.open(GOLDEN / tile["mipmapLevels"]["0"]["imageUrl"]) as opened:
        source = np.array(opened).astype(np.uint16 if opened.mode.startswith("I") else np.uint8)
    content = zlib.decompress(base64.b64decode(case["pixels"]))
    expected = np.frombuffer(content, ">u2" if case["format"] == "L16be" else "u1").reshape(
        case["height"], -1
    )
    (found,) = filters_of(parameters)
    result = filtered(found, source, tile.get("minIntensity", 0.0), tile.get("maxIntensity", 255.0))
    np.testing.assert_array_equal(rendered(result, parameters, tile), expected)
    assert np.any(result != source)


# --- which filters -------------------------------------------------------------------------------------------


def test_no_filters_unless_asked_for() -> None:
    assert filters_of({}) == []
    assert filters_of({"doFilter": False, "filterSpecs": None}) == []
    assert filters_of({"doFilter": "false", "filterSpecs": []}) == []


@pytest.mark.parametrize("parameters", [{"doFilter": True}, {"doFilter": "true", "filterSpecs": []}])
def test_default_filters(parameters: dict[str, Any]) -> None:
    dark, bright, contrast = filters_of(parameters)
    assert isinstance(dark, ValueToNoise) and isinstance(bright, ValueToNoise)
    assert (dark.value, dark.least, dark.most) == (0, 64, 191)
    assert (bright.value, bright.least, bright.most) == (255, 64, 191)
    assert isinstance(contrast, NormalizeLocalContrast)
    assert (contrast.radius_x, contrast.radius_y, contrast.factor) == (500, 500, 3.0)
    assert contrast.center and contrast.stretch


def test_filter_specs_come_in_their_order_and_win_over_the_default_list() -> None:
    specs = [
        {
            "className": PACKAGE + "CLAHE",
            "parameters": {"fast": "TRUE", "blockRadius": "9", "bins": "64", "slope": "3"},
        },
        {"className": PACKAGE + "ValueToNoise", "parameters": {"value": "1", "min": "2", "max": "3"}},
    ]
    found = filters_of({"doFilter": True, "filterSpecs": specs})
    assert [type(each) for each in found] == [CLAHE, ValueToNoise]


def test_parameters_are_text_or_json_values() -> None:
    text = {
        "blockRadiusX": "7",
        "blockRadiusY": "3",
        "meanFactor": "2.5f",
        "center": "true",
        "stretch": "False",
    }
    values = {"blockRadiusX": 7, "blockRadiusY": 3.0, "meanFactor": 2.5, "center": True, "stretch": False}
    for parameters in (text, values):
        found = made("NormalizeLocalContrast", **parameters)
        assert (found.radius_x, found.radius_y, found.factor) == (7, 3, 2.5)
        assert found.center is True and found.stretch is False


def test_floats_have_single_precision() -> None:
    contrast = {"blockRadiusX": 1, "blockRadiusY": 1, "meanFactor": "2.3", "center": True, "stretch": True}
    assert made("NormalizeLocalContrast", **contrast).factor == float(F32(2.3)) != 2.3
    assert made("CLAHE", fast=True, blockRadius=1, bins=4, slope=2.3).slope == float(F32(2.3))


CLAHE_PARAMETERS = {"fast": "true", "blockRadius": "50", "bins": "256", "slope": "2.5"}
NOISE_PARAMETERS = {"value": "0", "min": "64", "max": "191"}


@pytest.mark.parametrize(
    ("class_name", "changed", "message"),
    [
        ("CLAHE", {"bins": None}, "'bins' is not defined"),
        ("CLAHE", {"slope": "steep"}, r"slope of the filter \S+CLAHE is 'steep'; it must be a number"),
        ("CLAHE", {"slope": "NaN"}, r"slope .* must be a number"),
        ("CLAHE", {"slope": True}, r"slope .* must be a number"),
        ("CLAHE", {"slope": [1]}, r"slope .* must be a number"),
        ("CLAHE", {"slope": 10**400}, r"slope .* must be a number"),
        ("CLAHE", {"slope": "-1"}, r"slope -1.0 of CLAHE is negative"),
        ("CLAHE", {"fast": "yes"}, r"fast of the filter \S+CLAHE is 'yes'; it must be true or false"),
        ("CLAHE", {"fast": 1}, r"fast .* must be true or false"),
        ("CLAHE", {"bins": "256.5"}, r"bins .* is '256.5'; it must be a whole number"),
        ("CLAHE", {"bins": 25.5}, r"bins .* must be a whole number"),
        ("CLAHE", {"bins": True}, r"bins .* must be a whole number"),
        ("CLAHE", {"bins": {}}, r"bins .* must be a whole number"),
        ("CLAHE", {"bins": "0"}, r"bins .* must be from 1 to 4096"),
        ("CLAHE", {"blockRadius": "-1"}, r"blockRadius .* must be from 0 to"),
        ("NormalizeLocalContrast", {"blockRadiusX": None}, "'blockRadiusX' is not defined"),
        ("ValueToNoise", {"min": None}, "'min' is not defined"),
        ("ValueToNoise", {"max": "10"}, r"no noise from 64.0 to 10.0"),
        ("ValueToNoise", {"max": "1e12"}, r"out of range"),
    ],
)
def test_wrong_parameters(class_name: str, changed: dict[str, Any], message: str) -> None:
    start = {"CLAHE": CLAHE_PARAMETERS, "ValueToNoise": NOISE_PARAMETERS}.get(class_name, {})
    with pytest.raises(RenderParametersError, match=message):
        made(class_name, **{**start, **changed})


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ("CLAHE", "filterSpecs must be a JSON array"),
        ({"className": "CLAHE"}, "filterSpecs must be a JSON array"),
        (["CLAHE"], "a filter spec must be a JSON object, not 'CLAHE'"),
        ([{}], "no className defined for filter spec"),
        ([{"className": []}], r"className of a filter spec is \[\]"),
        ([{"className": PACKAGE + "Sharpen"}], r"filter class 'org\S+Sharpen' cannot be found"),
        ([{"className": PACKAGE + "CLAHE"}], "has no parameters"),
        ([{"className": PACKAGE + "CLAHE", "parameters": [1]}], "parameters of .* must be a JSON object"),
    ],
)
def test_wrong_specs(specs: Any, message: str) -> None:
    with pytest.raises(RenderParametersError, match=message):
        filters_of({"filterSpecs": specs})


def test_do_filter_must_be_true_or_false() -> None:
    with pytest.raises(RenderParametersError, match="doFilter is 'perhaps'"):
        filters_of({"doFilter": "perhaps"})


# --- ValueToNoise --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_noise_replaces_one_value_only(dtype: type) -> None:
    image = seeded(3).integers(0, 4, (90, 110)).astype(dtype)
    result = filtered(ValueToNoise(2, 64, 191), image)
    hit = image == 2
    np.testing.assert_array_equal(result[~hit], image[~hit])
    noise = result[hit]
    assert np.all(noise == np.floor(noise))
    assert (noise.min(), noise.max()) == (64, 191)
    counts = np.bincount(noise.astype(int) - 64, minlength=128)
    expected = len(noise) / 128
    chi = ((counts - expected) ** 2 / expected).sum()
    assert chi < 127 + 5 * math.sqrt(2 * 127)  # equally likely, five standard deviations


def test_noise_is_that_of_its_generator() -> None:
    image = np.zeros((20, 30), np.uint8)
    noise = ValueToNoise(0, 1, 250)
    first = filtered(noise, image, rng=seeded(7))
    np.testing.assert_array_equal(first, filtered(noise, image, rng=seeded(7)))
    assert np.any(first != filtered(noise, image, rng=seeded(8)))


def test_noise_of_colours_is_gray() -> None:
    image = np.zeros((8, 9, 3), np.uint8)
    image[:4, :, 1] = 5
    result = filtered(ValueToNoise(0, 64, 191), image)
    np.testing.assert_array_equal(result[:4], image[:4])
    assert result[4:].min() >= 64 and len(np.unique(result[4:, :, 0])) > 10
    assert np.all(result[4:] == result[4:, :, :1])


def test_noise_limits() -> None:
    assert np.all(filtered(ValueToNoise(0, 7, 7), np.zeros((3, 3), np.uint8)) == 7)
    assert np.all(filtered(ValueToNoise(0, 6.5, 7.5), np.zeros((3, 3), np.uint16)) == 7)
    assert np.all(filtered(ValueToNoise(0, 258, 258), np.zeros((3, 3), np.uint8)) == 2)
    assert np.all(filtered(ValueToNoise(0.5, 9, 9), np.zeros((3, 3), np.uint8)) == 0)


# --- NormalizeLocalContrast ----------------------------------------------------------------------------------


def contrast_of(image: np.ndarray, rx: int, ry: int, factor: float, center: bool, stretch: bool, low, high):
    """The formulas, pixel by pixel, in the order of operations of the original."""
    height, width = image.shape
    values = image.astype(F32)
    squares = (values * values).astype(float)
    squares[:, 0] = values[:, 0].astype(float) ** 2
    values = values.astype(float)
    result = np.empty(image.shape)
    with np.errstate(all="ignore"):
        for y in range(height):
            for x in range(width):
                window = np.s_[max(y - ry, 0) : y + ry + 1, max(x - rx, 0) : x + rx + 1]
                n = F32(values[window].size).astype(float)
                total, second = values[window].sum(), squares[window].sum()
                mean = total * (1 / n)
                variance = 1 / (n - 1) * second - 1 / (n * n - n) * total * total
                spread = factor * np.sqrt(0.0 if variance < 0 else variance)
                middle, v = (high - low) / 2 + low, values[y, x]
                if center and stretch:
                    v = (v - (mean - spread)) / 2 / spread * (high - low) + low
                elif center:
                    v = v - mean + middle
                else:
                    v = (v - middle) / 2 / spread * (high - low) + middle
                result[y, x] = F32(v)
        if image.dtype == np.float32:
            return result.astype(F32)
        result = np.clip(np.floor(result + 0.5), 0, np.iinfo(image.dtype).max)
        return np.where(np.isnan(result), 0, result).astype(image.dtype)


@pytest.mark.parametrize(("center", "stretch"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 4095)])
def test_contrast_follows_its_formula(center: bool, stretch: bool, dtype: type, most: int) -> None:
    image = noisy((23, 31), dtype, most=most)
    image[5:12, 8:20] = 77  # an area in which some windows are constant
    found = NormalizeLocalContrast(4, 2, 2.5, center=center, stretch=stretch)
    result = filtered(found, image, 0, most)
    expected = contrast_of(image, 4, 2, 2.5, center, stretch, 0, most)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("radii", [(0, 3), (2, 0), (1, 1), (30, 2), (5, 200), (2**31 - 1, 2**31 - 1)])
def test_contrast_windows_end_at_the_image(radii: tuple[int, int]) -> None:
    image = noisy((19, 14), np.uint16, most=3000)
    found = NormalizeLocalContrast(*radii, 1.5, center=True, stretch=True)
    expected = contrast_of(image, min(radii[0], 99), min(radii[1], 99), 1.5, True, True, 0, 65535)
    np.testing.assert_array_equal(filtered(found, image, 0, 65535), expected)


def test_contrast_does_not_depend_on_how_many_rows_are_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noisy((61, 47))
    found = NormalizeLocalContrast(6, 9, 3.0, center=True, stretch=True)
    whole = filtered(found, image)
    for pixels in (1, 100, 500):
        monkeypatch.setattr(filters, "_PIXELS_AT_ONCE", pixels)
        np.testing.assert_array_equal(filtered(found, image), whole)


def test_contrast_makes_mean_and_deviation_equal() -> None:
    image = noisy((120, 160))
    result = filtered(NormalizeLocalContrast(15, 15, 3.0, center=True, stretch=True), image).astype(float)
    corners = [result[:40, :40], result[-40:, -40:]]
    assert abs(image[:40, :40].mean() - image[-40:, -40:].mean()) > 60
    for corner in corners:
        assert corner.mean() == pytest.approx(127.5, abs=6)
        assert corner.std() == pytest.approx(255 / 6, rel=0.1)


def test_contrast_of_a_slope_and_of_a_constant_image() -> None:
    center = NormalizeLocalContrast(3, 3, 1.0, center=True, stretch=False)
    slope = np.add.outer(np.arange(40), np.arange(30)).astype(np.uint8)
    assert np.all(filtered(center, slope)[3:-3, 3:-3] == 128)
    assert np.all(filtered(center, np.full((9, 9), 200, np.uint8), 0, 254) == 127)


def test_contrast_of_single_pixels() -> None:
    image = noisy((6, 7))
    stretched = NormalizeLocalContrast(0, 0, 3.0, center=True, stretch=True)
    assert np.all(filtered(stretched, image) == 0)
    assert np.all(np.isnan(filtered(stretched, image.astype(np.float32))))
    assert np.all(filtered(NormalizeLocalContrast(0, 0, 3.0, center=True, stretch=False), image) == 128)


def test_contrast_without_center_and_stretch_changes_nothing() -> None:
    image = noisy((6, 7))
    same = NormalizeLocalContrast(2, 2, 3.0, center=False, stretch=False)
    np.testing.assert_array_equal(filtered(same, image), image)


def test_contrast_of_colours_is_that_of_each() -> None:
    image = noisy((21, 17, 3))
    found = NormalizeLocalContrast(4, 4, 2.0, center=True, stretch=True)
    result = filtered(found, image)
    for channel in range(3):
        np.testing.assert_array_equal(
            result[..., channel], filtered(found, np.ascontiguousarray(image[..., channel]))
        )


def test_float_pixels_are_not_clamped() -> None:
    image = noisy((20, 20), np.float32)
    image[10, 10] = 5000
    result = filtered(NormalizeLocalContrast(9, 9, 1.0, center=True, stretch=True), image)
    assert result.max() > 1000 and np.any(result != np.floor(result))


@pytest.mark.parametrize(
    ("radius", "scale", "scaled"), [(8, 0.5, 4), (5, 0.5, 3), (5, 0.25, 1), (3, 0.0625, 0)]
)
def test_radii_are_scaled_and_rounded(radius: int, scale: float, scaled: int) -> None:
    image = noisy((40, 40))
    by_scale = NormalizeLocalContrast(radius, radius, 3.0, center=True, stretch=True)
    by_radius = NormalizeLocalContrast(scaled, scaled, 3.0, center=True, stretch=True)
    np.testing.assert_array_equal(filtered(by_scale, image, scale=scale), filtered(by_radius, image))
    blocks = CLAHE(radius, 64, 3.0, fast=True)
    same = CLAHE(scaled, 64, 3.0, fast=True)
    np.testing.assert_array_equal(filtered(blocks, image, scale=scale), filtered(same, image))


@pytest.mark.parametrize(
    ("dtype", "given", "meant"),
    [
        (np.uint8, (10.4, 200.5), (10, 201)),
        (np.uint8, (200, 100), (0, 255)),
        (np.uint16, (-5, 70000.0), (0, 65535)),
        (np.uint16, (10.9, 3000.9), (10, 3000)),
        (np.float32, (0.1, 3000.3), (float(F32(0.1)), float(F32(3000.3)))),
    ],
)
def test_display_range_is_what_imagej_remembers(dtype: type, given: Any, meant: Any) -> None:
    image = noisy((20, 20), dtype)
    found = NormalizeLocalContrast(4, 4, 2.5, center=True, stretch=True)
    expected = contrast_of(image, 4, 4, 2.5, True, True, *meant)
    np.testing.assert_array_equal(filtered(found, image, *given), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_display_range_of_zero_is_that_of_the_pixels(dtype: type) -> None:
    image = noisy((20, 20), dtype) // 2 + dtype(20)
    found = NormalizeLocalContrast(4, 4, 2.5, center=True, stretch=True)
    by_pixels = filtered(found, image, float(image.min()), float(image.max()))
    np.testing.assert_array_equal(filtered(found, image, 0, 0), by_pixels)


def test_display_range_of_pixels_without_a_number() -> None:
    found = NormalizeLocalContrast(1, 1, 2.5, center=True, stretch=False)
    assert np.all(np.isnan(filtered(found, np.full((3, 3), np.nan, np.float32), 0, 0)))


# --- CLAHE ---------------------------------------------------------------------------------------------------


def clipped(histogram: list[int], limit: int) -> list[int]:
    size, before = len(histogram), 0
    while True:
        cut = sum(max(count - limit, 0) for count in histogram)
        histogram = [min(count, limit) + cut // size for count in histogram]
        if cut % size:
            step = (size - 1) // (cut % size)
            for index in range(step // 2, size, step):
                histogram[index] += 1
        if cut == before:
            return histogram
        before = cut


def transfer(values: np.ndarray, bins: int, limit: int) -> list[np.float32]:
    histogram = clipped(np.bincount(values.ravel(), minlength=bins + 1).tolist(), limit)
    first = next((index for index, count in enumerate(histogram[:-1]) if count), bins)
    sums = np.cumsum(histogram)
    return [F32(total - sums[first]) / F32(sums[-1] - sums[first]) for total in sums]


def rounded(value: np.float32) -> int:
    # Java's (int)(value + 0.5f)
    return 0 if np.isnan(value) else int(np.clip(value + F32(0.5), -(2.0**31), 2.0**31 - 256))


def binned(image: np.ndarray, bins: int) -> np.ndarray:
    return (image.astype(F32) / F32(255) * F32(bins) + F32(0.5)).astype(int)


def window(values: np.ndarray, y: int, x: int, radius: int) -> np.ndarray:
    return values[max(y - radius, 0) : max(y + radius + 1, 0), max(x - radius, 0) : max(x + radius + 1, 0)]


def equalized_by_pixels(image: np.ndarray, radius: int, bins: int, slope: float) -> np.ndarray:
    values, result = binned(image, bins), image.copy()
    with np.errstate(all="ignore"):
        for y, x in np.ndindex(image.shape):
            around = window(values, y, x, radius)
            limit = int(F32(slope) * F32(around.size) / F32(bins) + F32(0.5))
            result[y, x] = rounded(transfer(around, bins, limit)[values[y, x]] * F32(255)) & 255
    return result


def block_centres(size: int, radius: int) -> list[int]:
    side = 2 * radius + 1
    rest = size % side
    regular = [
        radius + 1 + start + (rest // 2 if rest > 1 else 0) for start in range(0, size - side + 1, side)
    ]
    ends = [] if rest == 0 else [size - radius - 1]
    return ([radius + 1] if rest > 1 else []) + regular + ends


def equalized_by_blocks(image: np.ndarray, radius: int, bins: int, slope: float) -> np.ndarray:
    values, result = binned(image, bins), image.copy()
    side = F32(2 * radius + 1)
    limit = int(F32(slope) * side * side / F32(bins) + F32(0.5))
    rows, columns = (block_centres(size, radius) for size in image.shape)

    def cells(centres: list[int], size: int) -> list[tuple[int, int, int, int]]:
        inner = [(first, second, first, second) for first, second in itertools.pairwise(centres)]
        edges = (0, centres[0], centres[0], centres[0]), (centres[-1], size - 1, centres[-1], centres[-1])
        return [edges[0], *inner, edges[1]]

    def mixed(position: int, first: int, second: int, one: np.float32, other: np.float32) -> np.float32:
        if first == second:
            return one
        weight = F32(second - position) / F32(second - first)
        return weight * one + (F32(1) - weight) * other

    with np.errstate(all="ignore"):
        for top, bottom, y0, y1 in cells(rows, image.shape[0]):
            for left, right, x0, x1 in cells(columns, image.shape[1]):
                corner = [
                    [transfer(window(values, y, x, radius), bins, limit) for x in (x0, x1)] for y in (y0, y1)
                ]
                for y in range(top, bottom):
                    for x in range(left, right):
                        v = values[y, x]
                        upper, lower = (mixed(x, x0, x1, one[v], two[v]) for one, two in corner)
                        level = rounded(mixed(y, y0, y1, upper, lower) * F32(255))
                        result[y, x] = min(max(level, 0), 255)
    return result


@pytest.mark.parametrize(
    ("shape", "radius", "bins", "slope"),
    [
        ((33, 33), 5, 256, 2.5),  # whole blocks
        ((34, 45), 5, 64, 3.0),  # one pixel more
        ((37, 43), 5, 100, 1.7),
        ((26, 31), 7, 16, 1.0),
        ((20, 12), 9, 32, 4.0),  # lower than a block in one direction
        ((11, 19), 10, 32, 4.0),  # one more than the radius
        ((16, 16), 10, 256, 2.0),
        ((9, 14), 1, 8, 2.0),
        ((5, 6), 0, 4, 3.0),  # blocks of one pixel
        ((30, 30), 6, 256, 0.001),  # the limit is 0
        ((30, 30), 6, 1, 1e9),
    ],
)
def test_clahe_by_blocks(shape: tuple[int, int], radius: int, bins: int, slope: float) -> None:
    image = noisy(shape)
    result = filtered(CLAHE(radius, bins, slope, fast=True), image)
    np.testing.assert_array_equal(result, equalized_by_blocks(image, radius, bins, slope))


@pytest.mark.parametrize(
    ("shape", "radius", "bins", "slope"),
    [
        ((17, 21), 4, 256, 2.5),
        ((12, 19), 30, 64, 3.0),
        ((13, 9), 0, 16, 2.0),
        ((14, 14), 3, 256, 0.5),
        ((14, 11), 2, 7, 1.3),
        ((1, 9), 3, 20, 2.0),
    ],
)
def test_clahe_by_pixels(shape: tuple[int, int], radius: int, bins: int, slope: float) -> None:
    image = noisy(shape)
    result = filtered(CLAHE(radius, bins, slope, fast=False), image)
    np.testing.assert_array_equal(result, equalized_by_pixels(image, radius, bins, slope))


def test_clahe_does_not_depend_on_how_many_rows_are_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noisy((50, 41))
    found = CLAHE(6, 64, 3.0, fast=True)
    whole = filtered(found, image)
    for pixels in (1, 150):
        monkeypatch.setattr(_clahe, "_PIXELS_AT_ONCE", pixels)
        np.testing.assert_array_equal(filtered(found, image), whole)


@pytest.mark.parametrize("fast", [True, False])
def test_clahe_raises_local_contrast(fast: bool) -> None:
    image = noisy((60, 70)) // 8 + 100
    result = filtered(CLAHE(12, 256, 6.0, fast=fast), image.astype(np.uint8))
    assert result[:30, :30].std() > 3 * image[:30, :30].std()


def test_fast_clahe_leaves_the_last_row_and_column() -> None:
    image = noisy((40, 40))
    result = filtered(CLAHE(5, 256, 2.5, fast=True), image)
    np.testing.assert_array_equal(result[-1], image[-1])
    np.testing.assert_array_equal(result[:, -1], image[:, -1])
    assert np.any(result[-2] != image[-2])


@pytest.mark.parametrize("fast", [True, False])
def test_clahe_of_16_bits_scales_the_distance_from_the_low_end(fast: bool) -> None:
    image = noisy((40, 44), np.uint16, most=9000)
    low, high = 500, 8000
    found = CLAHE(6, 128, 3.0, fast=fast)
    before = np.clip((np.maximum(image - 500.0, 0) * (256 / 7501) + 0.5).astype(int), 0, 255).astype(np.uint8)
    after = filtered(found, before).astype(F32)
    ratio = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    expected = (image - 500.0) * ratio + 500
    result = filtered(found, image, low, high).astype(float)
    np.testing.assert_allclose(result, np.clip(expected, 0, 65535), atol=0.51)
    assert np.all(result[before == 0] == image[before == 0])
    assert np.any(image < low)


def test_clahe_of_floats() -> None:
    image = noisy((40, 44), np.float32, most=1000) / F32(1000)
    found = CLAHE(6, 128, 3.0, fast=True)
    before = np.minimum(image * F32(255) + F32(0.5), 255).astype(np.uint8)
    after = filtered(found, before).astype(float)
    ratio = np.divide(after, before, out=np.ones_like(after), where=before > 0)
    np.testing.assert_allclose(filtered(found, image, 0, 1), image * ratio, rtol=1e-5, atol=1e-6)


def test_clahe_of_colours_keeps_the_hue() -> None:
    image = noisy((40, 44, 3)) // 2 + 20
    found = CLAHE(6, 128, 3.0, fast=True)
    before = np.floor(image.sum(axis=2) / 3 + 0.5).astype(np.uint8)
    ratio = filtered(found, before).astype(float) / before
    expected = np.clip(np.floor(image * ratio[..., None] + 0.5), 0, 255)
    result = filtered(found, image.astype(np.uint8)).astype(float)
    assert np.abs(result - expected).max() <= 1  # single precision at ties
    assert np.mean(result == expected) > 0.999


@pytest.mark.parametrize("value", [0, 90, 255])
def test_fast_clahe_of_a_constant_image_is_constant_inside(value: int) -> None:
    result = filtered(CLAHE(5, 256, 2.5, fast=True), np.full((30, 30), value, np.uint8))
    assert len(np.unique(result[:-1, :-1])) == 1


@pytest.mark.parametrize("shape", [(10, 40), (40, 10), (1, 1)])
def test_fast_clahe_needs_an_image_larger_than_the_radius(shape: tuple[int, int]) -> None:
    found = CLAHE(10, 256, 2.5, fast=True)
    with pytest.raises(
        RenderParametersError, match=f"radius of 10 pixels; this one is {shape[1]} x {shape[0]}"
    ):
        found.apply(np.zeros(shape, np.uint8), 0, 255, 1.0, seeded())
    assert filtered(CLAHE(10, 256, 2.5, fast=False), noisy((3, 4))).shape == (3, 4)
