"""Polynomial2DTransform."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from renderapi.errors import ConversionError, EstimationError, SpecError
from renderapi.transform import (
    AffineModel,
    Polynomial2DTransform,
    Transform,
    TranslationModel,
    load_transform_json,
)

NAME = "mpicbg.trakem2.transform.PolynomialTransform2D"
POINTS = np.array([[1.0, 2.0], [-3.0, 0.5], [100.0, 200.0]])


def grid(low, high, n=12):
    x, y = np.meshgrid(np.linspace(low, high, n), np.linspace(low, high, n))
    return np.column_stack([x.ravel(), y.ravel()])


def expected(params, points):
    x, y = np.asarray(points).T
    order = Polynomial2DTransform(params=params).order
    terms = [x ** (n - j) * y**j for n in range(order + 1) for j in range(n + 1)]
    return np.column_stack([sum(c * t for c, t in zip(row, terms)) for row in params])


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_no_more_points_are_needed_than_coefficients(order):
    count = (order + 1) * (order + 2) // 2
    rng = np.random.default_rng(order)
    src, dst = rng.uniform(0, 10, (count, 2)), rng.uniform(0, 10, (count, 2))
    fitted = Polynomial2DTransform.fit(src, dst, order=order)
    np.testing.assert_allclose(Polynomial2DTransform(params=fitted).tform(src), dst, atol=1e-6)
    if count > 1:
        with pytest.raises(EstimationError, match=f"needs at least {count} point pairs, {count - 1} given"):
            Polynomial2DTransform.fit(src[1:], dst[1:], order=order)


def test_fits_real_pixel_coordinates_with_noise():
    rng = np.random.default_rng(8)
    src = rng.uniform(150_000, 154_000, (500, 2))
    params = np.array([[3.0, 1.01, 0.02, 1e-6, -2e-6, 1e-6], [-7.0, -0.03, 0.99, 2e-6, 1e-6, -1e-6]])
    dst = expected(params, src)
    transform = Polynomial2DTransform(src=src, dst=dst, order=2)
    np.testing.assert_allclose(transform.tform(src), dst, atol=1e-5, rtol=0)
    noisy = dst + rng.normal(size=dst.shape)
    transform.estimate(src, noisy, order=2)
    assert np.sqrt(((transform.tform(src) - noisy) ** 2).mean()) < 1.1
    # least squares: no other polynomial is nearer
    centred = (src - src.mean(axis=0)) / 2000
    design = np.column_stack(
        [centred[:, 0] ** i * centred[:, 1] ** j for i in range(3) for j in range(3 - i)]
    )
    best, *_ = np.linalg.lstsq(design, noisy, rcond=None)
    np.testing.assert_allclose(transform.tform(src), design @ best, atol=1e-5, rtol=0)


def test_a_fit_of_many_points_takes_little_memory():
    import tracemalloc

    rng = np.random.default_rng(9)
    src = rng.uniform(0, 5000, (20_000, 2))
    tracemalloc.start()
    try:
        fitted = Polynomial2DTransform.fit(src, src * 1.5 + 3, order=3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100e6
    np.testing.assert_allclose(fitted[:, :3], [[3, 1.5, 0], [3, 0, 1.5]], atol=1e-6)


@pytest.mark.parametrize("text", ["1  2 3\t4 5 6", "1 2 3 4 5 6 ", "1 2 3 4 5 6\n", "1f 2d 3 4 5 0x1.8p2"])
def test_the_data_string_is_split_as_in_java(text):
    np.testing.assert_array_equal(Polynomial2DTransform(dataString=text).params, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("text", ["", " 1 2 3 4 5 6", "1", "a b", None])
def test_bad_data_strings(text):
    with pytest.raises(SpecError, match=f"Inappropriate parameters for {NAME}"):
        Polynomial2DTransform(json={"type": "leaf", "className": NAME, "dataString": text})


def test_a_count_that_fits_no_order_is_read_as_in_java():
    transform = Polynomial2DTransform(dataString="1 2 3 4 5 6 7 8")
    np.testing.assert_array_equal(transform.params, [[1, 2, 3], [4, 5, 6]])
    assert Polynomial2DTransform(dataString="1 2 3 4").params.tolist() == [[1.0], [2.0]]
    assert Polynomial2DTransform(dataString="1 2 3 4 5 6 7").params.tolist() == [[1, 2, 3], [4, 5, 6]]


@given(
    st.integers(0, 3).flatmap(
        lambda n: arrays(float, (2, (n + 1) * (n + 2) // 2), elements=st.floats(-1e9, 1e9))
    )
)
def test_reading_what_was_written_changes_nothing(params):
    transform = Polynomial2DTransform(params=params, transformId="p", labels=["x"])
    again = load_transform_json(transform.to_dict())
    np.testing.assert_array_equal(again.params, params)
    assert again == transform
    assert hash(again) == hash(transform)


def test_sources_of_parameters():
    identity = Polynomial2DTransform(identity=True, order=3)
    assert identity.to_dict() == {"type": "leaf", "className": NAME, "dataString": "0.0 1.0 0.0 0.0 0.0 1.0"}
    np.testing.assert_array_equal(identity.tform(POINTS), POINTS)
    given_params = np.arange(6.0).reshape(2, 3)
    transform = Polynomial2DTransform(params=given_params, force_polynomial=False, force_shear="y")
    given_params[:] = 0
    assert transform.params[1, 2] == 5.0
    assert transform.force_shear == "y"
    estimated = Polynomial2DTransform(src=POINTS, dst=POINTS + 1, order=1, weights=[1, 2, 3])
    np.testing.assert_allclose(estimated.tform(POINTS), POINTS + 1)
    other = {"type": "leaf", "className": "c", "dataString": "1.0 2.0 3.0 4.0 5.0 6.0"}
    assert Polynomial2DTransform(json=other).to_dict() == other


def test_the_parameters_are_what_counts():
    transform = Polynomial2DTransform(identity=True)
    transform.params = [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(transform.tform([[1.0, 1.0]]), [[6.0, 15.0]])
    transform.dataString = "0 1 0 0 0 2"
    assert transform.params[1, 2] == 2.0
    empty = Polynomial2DTransform()
    assert repr(empty) == "Polynomial2DTransform()"
    assert str(empty) == f"className:{NAME}\ndataString:None"
    assert empty == Polynomial2DTransform() != transform
    for wrong in (np.zeros((2, 4)), np.zeros(6), np.zeros((3, 3))):
        transform.params = wrong
        with pytest.raises(SpecError, match="2 x 1, 2 x 3, 2 x 6"):
            transform.tform(POINTS)
        with pytest.raises(SpecError):
            transform.to_dict()


@pytest.mark.parametrize("order", range(4))
def test_a_row_per_term_as_solvers_have_them_means_the_same(order):
    rows = np.arange(1.0, (order + 1) * (order + 2) + 1).reshape(2, -1)
    usual, solved = Polynomial2DTransform(params=rows), Polynomial2DTransform(params=rows.T)
    np.testing.assert_array_equal(solved.params, rows.T)
    assert solved.order == order
    assert solved.to_dict() == usual.to_dict()
    assert solved == usual == load_transform_json(solved.to_dict())
    assert hash(solved) == hash(usual)
    assert (solved.translation, solved.scale, solved.rotation) == (
        usual.translation,
        usual.scale,
        usual.rotation,
    )
    np.testing.assert_array_equal(solved.tform(POINTS), usual.tform(POINTS))
    np.testing.assert_array_equal(solved.asorder(4).params, usual.asorder(4).params)


def test_a_row_per_term_that_replaces_what_was_read_is_written_anew():
    transform = load_transform_json({"className": NAME, "dataString": "1 2 3 4 5 6"})
    transform.params = np.reshape(transform.params, (3, 2))
    assert transform.dataString == "1.0 3.0 5.0 2.0 4.0 6.0"


def test_orders_and_counts():
    transform = Polynomial2DTransform(params=np.arange(12.0).reshape(2, 6))
    assert (transform.order, transform.coefficients(), transform.coefficients(3)) == (2, 12, 20)
    assert not transform.is_affine
    higher = transform.asorder(4)
    assert higher.order == 4
    np.testing.assert_array_equal(higher.tform(POINTS), transform.tform(POINTS))
    with pytest.raises(ConversionError, match="conversion to order 1 not supported"):
        transform.asorder(1)


def test_from_affine():
    affine = AffineModel(1, 2, 3, 4, 5, 6)
    transform = Polynomial2DTransform.fromAffine(affine)
    assert transform.is_affine
    np.testing.assert_array_equal(transform.tform(POINTS), affine.tform(POINTS))
    assert transform.calc_properties() == affine.calc_properties()
    assert (transform.scale, transform.shear, transform.rotation) == (
        affine.scale,
        affine.shear,
        affine.rotation,
    )
    assert transform.translation == (5.0, 6.0)
    assert Polynomial2DTransform.fromAffine(TranslationModel(B0=1)).params[0, 0] == 1.0
    for other in (Transform("c", "d"), transform):
        with pytest.raises(ConversionError, match="nonaffine"):
            Polynomial2DTransform.fromAffine(other)
    constant = Polynomial2DTransform(params=[[1.0], [2.0]], force_shear="y")
    assert np.isnan(constant.shear)


def test_points_are_mapped_in_blocks_alike():
    rng = np.random.default_rng(1)
    transform = Polynomial2DTransform(params=rng.normal(size=(2, 10)))
    many = rng.uniform(-1, 1, (10_001, 2))
    got = transform.tform(many)
    np.testing.assert_allclose(got, expected(transform.params, many), atol=1e-13)
    np.testing.assert_array_equal(got[::1000], transform.tform(many[::1000]))
    assert transform.tform(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("src", "order", "message"),
    [
        (np.repeat(POINTS, 3, axis=0), 2, "determine only 3 of 6 coefficients"),
        (np.column_stack([np.arange(10.0), np.arange(10.0)]), 1, "determine only 2 of 3"),
        (grid(0, 1), -1, "cannot have the order -1"),
        (grid(0, 1) * 1e160, 2, "too large"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_does_not_determine_a_polynomial(src, order, message):
    before = Polynomial2DTransform(identity=True)
    with pytest.raises(EstimationError, match=message):
        before.estimate(src, src, order=order)
    assert before == Polynomial2DTransform(identity=True)


def test_estimate_answers():
    transform = Polynomial2DTransform()
    src = grid(0, 10)
    params = transform.estimate(src, src, order=1, test_coords=False, max_tries=3)
    assert params is transform.params
    assert transform.estimate(src, src, order=1, return_params=False) is None


def test_inverse_by_iteration():
    params = np.array([[5.0, 1.01, 0.02, 1e-6, 2e-6, 1e-6], [6.0, -0.02, 0.99, 1e-6, 1e-6, 2e-6]])
    transform = Polynomial2DTransform(params=params)
    src = grid(0, 4000)
    np.testing.assert_allclose(transform.inverse_tform(transform.tform(src)), src, atol=1e-8)
    folded = Polynomial2DTransform(params=[[0.0, 0, 0, 1, 0, 0], [0.0, 0, 1, 0, 0, 0]])
    with pytest.raises(EstimationError, match="cannot be mapped backwards"):
        folded.inverse_tform([[-1.0, 0.0]])


def test_copies_and_module_names():
    transform = Polynomial2DTransform(params=np.arange(6.0).reshape(2, 3), transformId="q")
    for other in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        assert other == transform
        other.params[0, 0] = 9
        assert other != transform
    assert (
        repr(transform) == "Polynomial2DTransform(params=[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], transformId='q')"
    )


def test_one_coefficient_each_may_stand_in_a_row():
    transform = Polynomial2DTransform(params=[[1.5, 2.5]])
    assert (transform.order, transform.dataString, transform.scale) == (0, "1.5 2.5", (1.0, 1.0))
    assert transform.to_dict() == {
        "type": "leaf",
        "className": "mpicbg.trakem2.transform.PolynomialTransform2D",
        "dataString": "1.5 2.5",
    }
    np.testing.assert_array_equal(transform.tform([[7.0, 8.0]]), [[1.5, 2.5]])
    assert transform.asorder(1).params.tolist() == [[1.5, 0, 0], [2.5, 0, 0]]
    assert Polynomial2DTransform(params=[[1.5], [2.5]]).scale == (1.0, 1.0)
