"""NonLinearCoordinateTransform: the lens correction of TrakEM2."""

import numpy as np
import pytest

from renderapi.errors import EstimationError, SpecError
from renderapi.transform import (
    LensCorrection,
    NonLinearCoordinateTransform,
    NonLinearTransform,
    load_transform_json,
)

NAME = "mpicbg.trakem2.transform.NonLinearCoordinateTransform"
TEXT = (
    "2 6 1.0 0.1 0.2 2.0 0.3 0.4 0.5 0.6 0.7 0.8 0.123456789012345 5.5 "
    "1.0 2.0 3.0 4.0 5.0 100.0 2.0 3.0 4.0 5.0 6.0 1.0 2048 1536"
)
RNG = np.random.default_rng(0)
SRC = RNG.uniform(0, 2048, (200, 2))
DST = SRC + 1e-6 * SRC**2 + RNG.normal(size=SRC.shape) * 0.01

# an image of TrakEM2 with its own lens correction, and where TrakEM2 maps points of it
PLUGIN = (
    "2 6 11.0 0.185 -0.086 8.0 0.172 0.083 0.148 0.281 -0.004 -0.174 0.202 0.168 "
    "20.0 15.0 520.0 300.0 290.0 0.0 11.5 8.6 470.0 270.0 260.0 1.0 40 30 "
)
PLUGIN_POINTS = [
    ((0.0, 0.0), (0.8692844390679717, 0.31479741109285264)),
    ((39.0, 0.0), (38.73025354175067, 1.210790843100252)),
    ((19.5, 14.5), (19.667367944764663, 14.337579363418591)),
    ((0.0, 29.0), (0.5663459775295117, 26.72871852021629)),
    ((39.0, 29.0), (39.047270635767774, 28.801789730001467)),
]


def test_the_class_of_the_plugin_maps_as_its_successor_does():
    """Render dropped the class; the numbers are those of TrakEM2 (its box begins at 0, 2)."""
    points, expected = map(np.array, zip(*PLUGIN_POINTS))
    found = LensCorrection(PLUGIN).tform(points)
    np.testing.assert_allclose(found - [0, 2], expected, atol=1e-12)
    np.testing.assert_array_equal(found, NonLinearCoordinateTransform(PLUGIN).tform(points))


def test_width_and_height_are_not_swapped():
    transform = NonLinearCoordinateTransform(dataString=TEXT)
    assert (transform.width, transform.height) == (2048, 1536)
    assert transform.dataString.split()[-2:] == ["2048", "1536"]


def test_coefficients_are_exact():
    transform = NonLinearCoordinateTransform(dataString=TEXT)
    assert transform.beta.dtype == transform.normMean.dtype == transform.normVar.dtype == np.float64
    assert transform.dataString == TEXT
    assert transform.beta[5, 0] == 0.123456789012345


def test_a_data_string_alone_will_do():
    transform = NonLinearCoordinateTransform(dataString=TEXT, transformId="lens")
    assert transform.labels is None
    assert transform.to_dict() == {"type": "leaf", "className": NAME, "dataString": TEXT, "id": "lens"}
    for cls in (NonLinearTransform, LensCorrection):
        document = cls(TEXT, labels=["a"]).to_dict()
        assert document["className"] == cls.className
        assert type(load_transform_json(document)) is cls


def test_integer_points_are_mapped_like_others():
    transform = NonLinearCoordinateTransform(dataString=TEXT)
    points = np.array([[1, 2], [30, 40]])
    got = transform.tform(points)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, transform.tform(points.astype(float)))
    assert (got != np.floor(got)).all()
    features = transform.kernelExpand(points)
    assert features.shape == (2, 6)
    assert (features[:, -1] == 100).all()
    np.testing.assert_allclose(features @ transform.beta, got, rtol=1e-12)
    plain = transform.kernelExpand(points, normMean=np.zeros(6), normVar=np.ones(6))
    assert plain[1].tolist() == [30, 40, 900, 1200, 1600, 100]


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace(" ", "  ", 1),
        " " + TEXT,
        TEXT.replace(" ", "\t", 1),
        TEXT.replace("2 6", "3 6", 1),
        TEXT.replace("2048", "2048.0"),
        TEXT + " 1",
        "2",
        "",
        None,
    ],
)
def test_the_format_is_strict_as_in_java(text):
    with pytest.raises(SpecError, match="Inappropriate parameters"):
        load_transform_json({"className": NAME, "dataString": text})


def test_a_trailing_blank_is_read():
    assert NonLinearCoordinateTransform(dataString=TEXT + " ").dataString == TEXT


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_estimates(dimension):
    transform = NonLinearCoordinateTransform()
    text = transform.estimate(SRC, DST, ndim=dimension)
    assert text == transform.dataString
    assert transform.length == (dimension + 1) * (dimension + 2) // 2
    limit = 0.1 if dimension > 1 else 2.0
    assert np.abs(transform.tform(SRC) - DST).max() < limit
    again = NonLinearCoordinateTransform(dataString=text)
    np.testing.assert_array_equal(again.tform(SRC), transform.tform(SRC))
    assert again == NonLinearCoordinateTransform(dataString=text)
    np.testing.assert_allclose(transform.inverse_tform(transform.tform(SRC)), SRC, atol=1e-5)


def test_estimates_keep_the_dimension_and_take_weights():
    transform = NonLinearCoordinateTransform(TEXT)
    transform.estimate(SRC, DST, return_params=False)
    assert (transform.dimension, transform.width) == (2, 2048)
    weights = np.r_[np.ones(100), np.zeros(100)]
    transform.estimate(SRC, DST, weights=weights)
    alone = NonLinearCoordinateTransform(TEXT)
    alone.estimate(SRC[:100], DST[:100])
    np.testing.assert_allclose(transform.tform(SRC), alone.tform(SRC), atol=1e-6)
    fresh = NonLinearCoordinateTransform()
    fresh.estimate(SRC, DST)
    assert (fresh.dimension, fresh.width, fresh.height) == (5, 0, 0)


def test_what_does_not_determine_a_correction():
    fresh = NonLinearCoordinateTransform()
    with pytest.raises(EstimationError, match="no dimension yet"):
        fresh.fit(SRC, DST)
    with pytest.raises(EstimationError, match="at least 21 point pairs"):
        fresh.estimate(SRC[:20], DST[:20])
    assert not hasattr(fresh, "dimension")
    transform = NonLinearCoordinateTransform(TEXT)
    with pytest.raises(EstimationError, match="same x or y"):
        transform.estimate(SRC * [1, 0], DST)
    with pytest.raises(EstimationError, match="determine only"):
        transform.estimate(np.repeat(SRC[:4], 5, axis=0), np.repeat(DST[:4], 5, axis=0), ndim=3)
    assert transform.dataString == TEXT


def test_representation():
    assert (
        repr(NonLinearCoordinateTransform(TEXT))
        == "NonLinearCoordinateTransform(dimension=2, width=2048, height=1536)"
    )
    assert repr(NonLinearCoordinateTransform()) == "NonLinearCoordinateTransform()"
    assert NonLinearCoordinateTransform().to_dict()["dataString"] is None
