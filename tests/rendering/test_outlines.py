"""Boxes in the place of pixels."""

import numpy as np
import pytest

from renderapi.rendering import RenderParametersError
from renderapi.rendering.outlines import COLOUR, draw_outlines, image_size


def tile(box, tile_id=None):
    named = {} if tile_id is None else {"tileId": tile_id}
    return {**named, **dict(zip(("minX", "minY", "maxX", "maxY"), box))}


def parameters(*tiles, x=0, y=0, width=60, height=40, scale=1.0):
    return {"x": x, "y": y, "width": width, "height": height, "scale": scale, "tileSpecs": list(tiles)}


def drawn(*tiles, **more):
    """Return where something is drawn."""
    image = draw_outlines(parameters(*tiles, **more))
    inside = image[:, :, 3] > 0
    assert (image[inside] == COLOUR).all()
    assert not image[~inside].any()
    return inside


def frame(shape, left, top, right, bottom):
    expected = np.zeros(shape, bool)
    expected[top : bottom + 1, left : right + 1] = True
    expected[top + 1 : bottom, left + 1 : right] = False
    return expected


def test_an_outline_is_one_pixel_wide():
    assert np.array_equal(drawn(tile((10, 5, 50, 30))), frame((40, 60), 10, 5, 50, 30))


def test_no_tile_no_line():
    assert not drawn().any()
    assert not draw_outlines({"width": 5, "height": 5}).any()


def test_corner_and_size_of_a_scaled_box_are_truncated():
    inside = drawn(tile((110, 205, 150, 230)), x=100, y=200, scale=0.5)
    assert np.array_equal(inside, frame((20, 30), 5, 2, 25, 14))
    # 2.7 to 8.4: the size is that of the box, 5.7, not of its pixels
    assert np.array_equal(drawn(tile((2.7, 2.7, 8.4, 8.4))), frame((40, 60), 2, 2, 7, 7))
    assert np.array_equal(drawn(tile((-2.7, 2.7, 8.4, 8.4))), drawn(tile((-2, 2, 9, 7))))


def test_a_box_whose_ends_are_swapped_is_not_seen():
    assert not drawn(tile((30, 5, 20, 30))).any()


def test_what_is_beyond_the_image_is_cut_off():
    inside = drawn(tile((-10, -5, 30, 20)), tile((50, 30, 1e18, 1e18)), tile((1e30, 0, 1e30, 5)))
    expected = np.zeros((40, 60), bool)
    expected[20, :31] = expected[:21, 30] = expected[30, 50:] = expected[30:, 50] = True
    assert np.array_equal(inside, expected)


def test_a_box_around_the_whole_image_is_not_seen():
    assert not drawn(tile((-1e300, -1e300, 1e300, 1e300))).any()


def test_a_box_that_only_touches_the_image_is_seen():
    assert drawn(tile((-20, 0, 0, 39))).sum() == 40
    assert not drawn(tile((-20, 0, -1, 39))).any()
    assert not drawn(tile((60, 0, 90, 39))).any()


def test_ids_are_written_in_lines_of_twelve_characters():
    box = (0, 0, 150, 90)
    size = {"width": 151, "height": 91}

    def rows_of_text(tile_id, box=box):
        text = drawn(tile(box, tile_id), **size) & ~drawn(tile(box), **size)
        return np.flatnonzero(text.any(axis=1))

    one, two = rows_of_text("HHHHHHHHHHHH"), rows_of_text("HHHHHHHHHHHHHHH")
    assert 0 < len(one) < len(two) == 2 * len(one)
    assert one[0] > 1
    # only in boxes of more than 110 pixels, whatever their height
    assert len(rows_of_text("HHHHHHHHHHHH", (0, 0, 110, 90))) == 0
    assert len(rows_of_text("HHHHHHHHHHHH", (0, 0, 111, 90))) == len(one)
    assert rows_of_text("HHHHHHHHHHHHHHH", (0, 20, 150, 25))[-1] > 25


def test_ids_are_in_the_middle_on_a_quarter_of_the_height():
    box = (40, 20, 190, 140)
    size = {"width": 200, "height": 150}
    text = drawn(tile(box, "HHHHHHHHHHHH"), **size) & ~drawn(tile(box), **size)
    rows, columns = np.nonzero(text)
    # a line of the original is 84 pixels wide: (150 - 84) / 2 are left on either side
    assert 40 + 33 <= columns.min() < 40 + 36 and rows.max() < 20 + 30 <= rows.max() + 3
    moved = drawn(tile(box, "HHHHHHHHHHHH"), x=38, y=18, **size) & ~drawn(tile(box), x=38, y=18, **size)
    assert np.array_equal(moved[:-18, :-38], text[18:, 38:])


@pytest.mark.parametrize("box", [(-50, -10, 150, 90), (-500, 0, 500, 90), (0, -500, 150, 500)])
def test_ids_that_begin_outside(box):
    drawn(tile(box, "x" * 40), tile((59, 0, 300, 20), "y"), width=60, height=40)


@pytest.mark.parametrize("name", ["a\nb", "\0", "\u200f", "é漢", "\U0001f600", "\ud800"])
def test_ids_of_any_characters(name):
    assert drawn(tile((0, 0, 150, 90), name), width=151, height=91).any()


def test_the_size_is_truncated():
    assert image_size({"width": 99, "height": 67, "scale": 0.5}) == (49, 33)
    assert image_size({}) == (256, 256)
    assert draw_outlines(parameters(width=99, height=67, scale=0.5)).shape == (33, 49, 4)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"width": 10, "height": 10, "scale": 0.05}, r"Width \(0\) and height \(0\) must be > 0"),
        ({"width": 100, "height": 10, "scale": 0.05}, r"Width \(5\) and height \(0\) must be > 0"),
        ({"width": -5, "height": 10}, r"Width \(-5\) and height \(10\) must be > 0"),
        ({"width": 10, "height": 10, "scale": float("nan")}, "scale is nan"),
        ({"width": "ten", "height": 10}, "width is 'ten'"),
        ({"width": 10, "height": 10, "scale": 1e308}, "cannot have a scale"),
        ({"width": 10, "height": 10, "tileSpecs": [tile((0, 0, 1, None))]}, "tile .* has no maxY"),
        ({"width": 10, "height": 10, "tileSpecs": [{}]}, "has no minX, minY, maxX, maxY"),
    ],
)
def test_parameters_that_cannot_be_drawn(values, said):
    with pytest.raises(RenderParametersError, match=said):
        draw_outlines(values)
