"""Numbers of translation, rigid and similarity models, and the matrices that they stand for."""

import math

import pytest

from renderapi.transform.native import (
    AFFINE,
    NATIVE_COUNTS,
    RIGID,
    SIMILARITY,
    TRANSLATION,
    native_matrix,
    native_numbers,
)


@pytest.mark.parametrize(
    ("name", "numbers", "matrix"),
    [
        (TRANSLATION, [5.0, -3.5], (1.0, 0.0, 0.0, 1.0, 5.0, -3.5)),
        (RIGID, [0.0, 1.0, 2.0], (1.0, 0.0, 0.0, 1.0, 1.0, 2.0)),
        (SIMILARITY, [2.0, 0.5, 1.0, -1.0], (2.0, -0.5, 0.5, 2.0, 1.0, -1.0)),
    ],
)
def test_numbers_and_matrices_are_of_each_other(name, numbers, matrix):
    assert len(numbers) == NATIVE_COUNTS[name]
    assert native_matrix(name, numbers) == matrix
    assert native_numbers(name, matrix) == numbers


def test_a_rotation_turns_x_towards_y():
    m00, m01, m10, m11, b0, b1 = native_matrix(RIGID, [math.pi / 2, 0.0, 0.0])
    assert (m00, m01, m10, m11) == pytest.approx((0, -1, 1, 0), abs=1e-15)
    assert (b0, b1) == (0.0, 0.0)


def test_an_angle_that_is_none_makes_no_matrix():
    assert all(map(math.isnan, native_matrix(RIGID, [math.inf, 0.0, 0.0])[:4]))


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        (TRANSLATION, (2.0, 0.0, 0.0, 1.0, 5.0, -3.5)),
        (TRANSLATION, (1.0, 0.0, 0.0, 1.0, 0.1, 0.0)),
        (SIMILARITY, (2.0, 0.5, 0.5, 2.0, 1.0, -1.0)),
        (RIGID, (2.0, 0.0, 0.0, 2.0, 0.0, 0.0)),
    ],
    ids=["stretched", "no float32", "sheared", "scaled"],
)
def test_what_the_numbers_of_a_model_cannot_say_exactly_has_none(name, matrix):
    assert native_numbers(name, matrix) is None


def test_affine_models_have_numbers_of_their_own():
    assert AFFINE not in NATIVE_COUNTS
