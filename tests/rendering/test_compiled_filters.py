"""Filters compiled by numba against those in numpy, pixel for pixel."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_golden_filters import CASES, pixels
from test_golden_filters import applied as golden

from renderapi.rendering.filters import filter_of, own_range

pytest.importorskip("numba")

FLAGS = st.sampled_from(["true", "false"])
SIZES = st.integers(0, 30)
CONTRAST = st.fixed_dictionaries(
    {
        "blockRadiusX": SIZES,
        "blockRadiusY": SIZES,
        "meanFactor": st.sampled_from([3.0, 0.1, 0.0]),
        "center": FLAGS,
    }
    | {"stretch": FLAGS}
)
RANK = st.fixed_dictionaries({"radius": st.floats(0, 9), "filterType": st.just(4)})
BALL = st.fixed_dictionaries({"radius": st.floats(0, 40)})
FILTERS = st.one_of(
    *(
        st.tuples(st.just(name), parameters)
        for name, parameters in (
            ("NormalizeLocalContrast", CONTRAST),
            ("Rank", RANK),
            ("RollingBallSubtraction", BALL),
        )
    )
)


@settings(max_examples=250, deadline=None)
@given(
    FILTERS,
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.sampled_from([1, 3, 200, 65536]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, (10.0, 200.0), (0.0, 65535.0)]),
)
def test_filters_are_the_same_with_and_without_the_compiler(spec, shape, dtype, values, seed, limits):
    name, parameters = spec
    top = 255 if dtype == np.uint8 else 65535
    image = np.random.default_rng(seed).integers(0, min(values, top + 1), shape).astype(dtype)
    if seed % 2:
        image = (top - image).astype(dtype)
    step = filter_of({"className": f"org.janelia.alignment.filter.{name}", "parameters": parameters})

    def applied():
        with np.errstate(all="ignore"):
            return step.apply(image, *(limits or own_range(image)), 1.0, np.random.default_rng(0))

    loaded = sys.modules["numba"]
    try:
        sys.modules["numba"] = None
        plain = applied()
    finally:
        sys.modules["numba"] = loaded
    fast = applied()
    assert fast.dtype == plain.dtype
    np.testing.assert_array_equal(fast, plain)


@pytest.mark.parametrize("number", [n for n, case in enumerate(CASES) if "error" not in case])
def test_filters_of_the_original_compiled(number):
    np.testing.assert_array_equal(golden(CASES[number]), pixels(CASES[number]["result"]))


def test_squares_of_the_first_column_are_not_single_precision():
    image = np.array([[65535], [65533]], np.uint16)
    contrast = {"blockRadiusX": 0, "blockRadiusY": 1, "meanFactor": 3, "center": True, "stretch": True}
    step = filter_of(
        {"className": "org.janelia.alignment.filter.NormalizeLocalContrast", "parameters": contrast}
    )
    filtered = step.apply(image, *own_range(image), 1.0, np.random.default_rng(0))
    assert filtered.ravel().tolist() == [65534, 65534]


def test_sums_of_a_large_image_are_those_of_numpy():
    waves = np.add.outer(np.sin(np.arange(300) / 17), np.cos(np.arange(700) / 23))
    image = (waves * 12_000 + 30_000 + np.random.default_rng(0).normal(0, 900, waves.shape)).astype(np.uint16)
    specs = [
        ("NormalizeLocalContrast", {"blockRadiusX": 90, "blockRadiusY": 400, "meanFactor": 3, "center": True})
    ]
    specs[0][1]["stretch"] = True
    specs.append(("Rank", {"radius": 7, "filterType": 4}))
    for name, parameters in specs:
        step = filter_of({"className": f"org.janelia.alignment.filter.{name}", "parameters": parameters})
        results = []
        loaded = sys.modules["numba"]
        for module in (loaded, None):
            sys.modules["numba"] = module
            try:
                results.append(step.apply(image, 0.0, 65535.0, 1.0, np.random.default_rng(0)))
            finally:
                sys.modules["numba"] = loaded
        np.testing.assert_array_equal(*results)
