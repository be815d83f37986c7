"""A specimen, photographed into files."""

import numpy as np
import pytest
from photographed import HEIGHT, STEP, WIDTH
from PIL import Image


@pytest.fixture
def specimen():
    """Return an image of something in which no two places are alike."""
    rng = np.random.default_rng(5)
    return rng.integers(1, 256, (4 * STEP + HEIGHT, 4 * STEP + WIDTH)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, specimen):
    """Return a folder with a montage of 2 x 3 tiles that overlap by 20 pixels in x and 10 in y."""
    for row in range(2):
        for column in range(3):
            tile = specimen[row * STEP :, column * STEP :][:HEIGHT, :WIDTH]
            Image.fromarray(tile).save(tmp_path / f"s3_r{row}_c{column}.png")
    return tmp_path


@pytest.fixture
def table(folder):
    """Return a function that writes a table of positions of the montage."""

    def write(change=lambda lines: lines, name="stage.csv"):
        lines = ["path,x,y,z"]
        lines += [
            f"s3_r{row}_c{column}.png,{column * STEP},{row * STEP},3"
            for row in range(2)
            for column in range(3)
        ]
        path = folder / name
        path.write_text("\n".join(change(lines)) + "\n")
        return path

    return write
