"""The program beside the benchmarks that computes the residuals of a montage."""

import importlib.util
import json
from pathlib import Path

import made_montage
import numpy as np
import pytest

from renderapi.geometry import residual_statistics


@pytest.fixture(scope="module")
def program():
    path = Path(__file__).parents[2] / "benchmarks" / "montage.py"
    spec = importlib.util.spec_from_file_location("montage", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def montage(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("montage")
    for name in ("tiles", "matches"):
        (folder / f"{name}.json").write_text(json.dumps(getattr(made_montage, name)()))
    return program.read(folder / "tiles.json", folder / "matches.json")


def test_the_freer_the_model_the_smaller_the_residuals(program, montage):
    rms = {name: numbers[1] for name, *numbers in program.figures(*montage)}
    for way in ("each pair on its own", "all tiles together"):
        of = [rms[f"{model}, {way}"] for model in ("translation", "rigid", "affine")]
        assert rms["as acquired"] > 5 * of[0]
        assert of == sorted(of, reverse=True)
    assert rms["affine, all tiles together"] < 3 * made_montage.NOISE


def test_points_of_the_matches_are_pixels_after_the_lens_correction(program, montage):
    tiles, matches = montage
    true = program.placed(tiles, [made_montage.truth(*place) for place in np.ndindex(3, 3)])
    corrected = program.residuals(matches, true)
    assert residual_statistics(corrected.distances).rms[0] == pytest.approx(2 * made_montage.NOISE, rel=0.05)
    # corrected a second time they are far off
    twice = program.match_residuals(matches, true)
    assert residual_statistics(twice.distances).rms[0] > 10 * made_montage.NOISE
    assert len(corrected.p) == sum(len(match["matches"]["w"]) for match in matches)
