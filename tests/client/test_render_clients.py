"""The Java clients that render: arguments."""

import numpy as np
import pytest

from renderapi.client import ClientArgumentError, renderClient, rendererClient, renderSectionClient
from renderapi.client.client_calls import get_param
from renderapi.errors import RenderWarning

ROOT = ["--rootDirectory", "/out"]


def arguments(script):
    return script.only_call()[10:]


@pytest.mark.parametrize("zs", [2.0, [2.0], (2.0,), np.array([2.0]), range(2, 3)])
def test_sections_in_any_form(script, connection, zs):
    renderSectionClient("stk", "/out", zs, **connection)
    assert arguments(script) in ([*ROOT, "2.0"], [*ROOT, "2"])


def test_filter_list(script, connection):
    renderSectionClient("stk", "/out", [1], filterListName="favourite", **connection)
    assert arguments(script) == [*ROOT, "--filterListName", "favourite", "1"]


def test_filter_list_with_an_intensity_range(script, connection):
    with pytest.raises(ClientArgumentError, match="filterListName together with minIntensity"):
        renderSectionClient("stk", "/out", [1], filterListName="favourite", minIntensity=3, **connection)


def test_bounds_are_widened_to_whole_pixels(script, connection):
    bounds = {"minX": -1.5, "minY": 3.2, "maxX": 2.2, "maxY": 4.0, "minZ": 0, "maxZ": 9}
    renderSectionClient("stk", "/out", [1], bounds=bounds, **connection)
    assert arguments(script) == [*ROOT, "--bounds", "-2,3,3,4", "1"]


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "missing: minX, maxX, minY, maxY"),
        ({"minX": 1, "maxX": 2, "minY": 3}, "missing: maxY"),
        ({"minX": 2, "maxX": 2, "minY": 3, "maxY": 4}, "minX below maxX"),
        ({"minX": 1, "maxX": 2, "minY": 5, "maxY": 4}, "minY below maxY"),
        ({"minX": 1, "maxX": float("nan"), "minY": 3, "maxY": 4}, "must be a box"),
        ([1, 2, 3, 4], "must be a dict"),
    ],
)
def test_bounds_that_are_none(script, connection, bounds, message):
    with pytest.raises(ClientArgumentError, match=message):
        renderSectionClient("stk", "/out", [1], bounds=bounds, **connection)
    assert script.calls == []


def test_flags_take_no_value(script, connection):
    renderSectionClient(
        "stk",
        "/out",
        [1],
        padFileNamesWithZeros=True,
        renderTileLabels=True,
        useStackBounds=True,
        **connection,
    )
    expected = [*ROOT, "--padFileNamesWithZeros", "--renderTileLabels", "--useStackBounds", "1"]
    assert arguments(script) == expected


def test_flags_that_are_false_are_left_out(script, connection):
    renderSectionClient("stk", "/out", [1], padFileNamesWithZeros=False, convertToGray=False, **connection)
    assert arguments(script) == [*ROOT, "1"]


def test_booleans_with_a_value(script, connection):
    renderSectionClient("stk", "/out", [1], doFilter=False, fillWithNoise="true", **connection)
    assert [word.lower() for word in arguments(script)] == [
        word.lower() for word in [*ROOT, "--doFilter", "false", "--fillWithNoise", "true", "1"]
    ]


def test_intensities_are_whole_numbers(script, connection):
    renderSectionClient("stk", "/out", [1], minIntensity=1.0, maxIntensity=np.float32(255), **connection)
    assert arguments(script) == [*ROOT, "--minIntensity", "1", "--maxIntensity", "255", "1"]
    with pytest.raises(ClientArgumentError, match=r"maxIntensity must be a whole number, not 200\.5"):
        renderSectionClient("stk", "/out", [1], maxIntensity=200.5, **connection)


@pytest.mark.parametrize(
    ("given", "expected"), [("TIFF", "tiff"), ("Jpg", "jpg"), ("png", "png"), ("PNG", "PNG")]
)
def test_formats_that_java_knows_in_lower_case_only(script, connection, given, expected):
    renderSectionClient("stk", "/out", [1], format=given, **connection)
    assert arguments(script) == [*ROOT, "--format", expected, "1"]


def test_gray_is_refused_where_java_does_not_know_it(script, connection):
    with pytest.raises(
        ClientArgumentError, match="does not know --convertToGray; leave it out: every format"
    ):
        renderSectionClient("stk", "/out", [1], convertToGray=True, **connection)
    assert script.calls == []


def test_a_folder_without_effect(script, connection):
    with pytest.warns(RenderWarning, match="no effect without customOutputFolder"):
        renderSectionClient("stk", "/out", [1], customSubFolder="sub", **connection)


FLAGS = (
    "area_offset", "gray", "skip_interpolation", "binary_mask", "exclude_mask", "do_filter",
    "fill_with_noise",
)  # fmt: skip


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(("value", "words"), [(True, 1), (False, 0), (None, 0), (np.True_, 1)])
def test_booleans_of_the_renderer_are_flags(script, connection, flag, value, words):
    rendererClient(out_fn="/o.png", **{flag: value}, **connection)
    assert script.only_call()[2:] == ["--out", "/o.png", *[f"--{flag}"] * words]


def test_all_options_of_the_renderer(script, connection):
    rendererClient(
        "tsu", 1, 2, "i", "o", 1.5, 2.5, 3.0, 4, 0.5, True, 6, 7, True, 0.9, 9, True, True, True, "pu", True,
        10, True, "ch", **connection,
    )  # fmt: skip
    assert script.only_call()[2:] == [
        "--tile_spec_url", "tsu", "--height", "4", "--width", "3", "--in", "i", "--out", "o", "--x", "1.5",
        "--y", "2.5", "--meshCellSize", "1", "--minMeshCellSize", "2", "--scale", "0.5", "--area_offset",
        "--minIntensity", "6", "--maxIntensity", "7", "--gray", "--quality", "0.9", "--threads", "9",
        "--skip_interpolation", "--binary_mask", "--exclude_mask", "--parameters_url", "pu", "--do_filter",
        "--background_color", "10", "--fill_with_noise", "--channels", "ch",
    ]  # fmt: skip


@pytest.mark.parametrize("function", [renderClient, rendererClient])
def test_sizes_are_whole_numbers(script, connection, function):
    function(out_fn="/o.png", width=10.0, **connection)
    assert script.only_call()[2:] == ["--width", "10", "--out", "/o.png"]
    with pytest.raises(ClientArgumentError, match="height must be a whole number"):
        function(out_fn="/o.png", height=10.5, **connection)


def test_single_options():
    assert get_param(None, "--x") == []
    assert get_param(0, "--x") == ["--x", 0]
