"""Sections of a specimen that look like brain tissue in an electron microscope, cut into tiles; always the same."""

import math
import random

import numpy as np

from renderapi.demo import montage

ROWS, COLUMNS, LAYERS = 3, 4, 3
SIZE, STEP, BORDER = 512, 430, 40
SHAPE = (ROWS * STEP + SIZE + 2 * BORDER, COLUMNS * STEP + SIZE + 2 * BORDER)


def sections():
    """Make sections that differ a little from one to the next, with the noise of a camera."""
    chance = np.random.default_rng(11)
    for section in range(LAYERS):
        yield np.clip(montage.tissue(section, *SHAPE) + 7 * chance.standard_normal(SHAPE), 2, 250)


def _cut(section, linear, offset):
    """Take the tile that an affine transformation of its pixels puts at its place in a section."""
    columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    x, y = (linear[row][0] * columns + linear[row][1] * rows + offset[row] for row in range(2))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = x - left, y - top
    upper = section[top, left] * (1 - u) + section[top, left + 1] * u
    lower = section[top + 1, left] * (1 - u) + section[top + 1, left + 1] * u
    return upper * (1 - v) + lower * v


def tiles():
    """Return the tiles of all sections: z, row, column, image (uint8) and data string of the affine transform."""
    chance = random.Random(5)
    falloff = np.linspace(-1, 1, SIZE) ** 2
    shade = 1 - 0.05 * (falloff[:, None] + falloff[None])
    for z, section in enumerate(sections(), 1):
        for row in range(ROWS):
            for column in range(COLUMNS):
                angle = math.radians(chance.uniform(-2.5, 2.5))
                linear = ((math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle)))
                middle = [BORDER + place * STEP + SIZE / 2 + chance.uniform(-8, 8) for place in (column, row)]
                offset = [at - SIZE / 2 * sum(parts) for at, parts in zip(middle, linear)]
                image = _cut(section, linear, offset) * shade * chance.uniform(0.96, 1.04)
                numbers = (linear[0][0], linear[1][0], linear[0][1], linear[1][1], *offset)
                data = " ".join(f"{number:.9f}" for number in numbers)
                yield z, row, column, np.clip(image, 0, 255).astype(np.uint8), data
