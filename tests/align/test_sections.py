"""Whole sections are placed by the sections beside them."""

import numpy as np
import pytest
import tissue_on_server
from PIL import Image
from scipy.ndimage import map_coordinates

import renderapi
from renderapi import align
from renderapi.demo.montage import tissue
from renderapi.errors import SpecError
from renderapi.solve import ComponentsError, SolveError
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, RigidModel

SIDE = 420


def turned(folder, count):
    """Write sections that are turned and shifted; return tile specs without that, and the transforms."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1).astype(float)
    specs, truth = [], []
    for z in range(count):
        angle, (dx, dy) = rng.uniform(-0.05, 0.05), rng.uniform(-20, 20, 2) + 60
        place = AffineModel(np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle), dx, dy)
        seen = place.tform(np.column_stack([x, y]))
        image = map_coordinates(
            tissue(0.1 * z, SIDE + 140, SIDE + 140), seen.T[::-1], order=1, mode="reflect"
        )
        path = folder / f"turned_{z}.png"
        noisy = image.reshape(SIDE, SIDE) + rng.normal(0, 4, (SIDE, SIDE))
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)
        specs.append(
            TileSpec(
                tileId=f"t{z}", z=float(z), width=SIDE, height=SIDE, sectionId=f"{z}.0", imageUrl=path.as_uri(),
                minint=0, maxint=255, tforms=[AffineModel()],
            )
        )  # fmt: skip
        truth.append(place)
    return specs, truth


def largest_distance(render, stack, truth):
    """Return how far from the truth a corner is, when the stack as a whole is moved onto it."""
    corners = np.array([[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]], float)
    solved, true = [], []
    for z, place in enumerate(truth):
        (tile,) = renderapi.tilespec.get_tile_specs_from_z(stack, z, render=render)
        points = corners
        for transform in tile.tforms:
            points = transform.tform(points)
        solved.append(points)
        true.append(place.tform(corners))
    whole = RigidModel()
    whole.estimate(np.concatenate(solved), np.concatenate(true))
    return float(np.hypot(*(whole.tform(np.concatenate(solved)) - np.concatenate(true)).T).max())


@pytest.fixture(scope="module")
def truth(render, images):
    """Store four sections as stack turned."""
    specs, places = turned(images, 4)
    tissue_on_server.stored(render, "turned", specs)
    return places


def test_sections_lie_on_each_other(render, truth, tmp_path):
    report = align.align_sections("turned", "rough", folder=tmp_path, render=render)
    assert report.matched.matched == 3
    assert largest_distance(render, "turned", truth) > 5
    assert largest_distance(render, "rough", truth) <= 2
    assert renderapi.stack.get_full_stack_metadata("rough", render=render)["state"] == "COMPLETE"


@pytest.mark.parametrize("step", ["draw_sections", "match_pairs", "solve_matches", "transformSectionClient"])
def test_after_an_end_in_any_step_the_same_call_goes_on(render, truth, tmp_path, monkeypatch, step):
    def ends(*args, **keywords):
        raise SolveError("no more")

    call = {"matchCollection": "rough_found", "folder": tmp_path, "render": render}
    with (
        monkeypatch.context() as patch,
        pytest.raises(SolveError, match=f"Stack left_{step} is left LOADING"),
    ):
        patch.setattr(f"renderapi.align.sections.{step}", ends)
        align.align_sections("turned", f"left_{step}", **call)
    assert renderapi.stack.get_full_stack_metadata(f"left_{step}", render=render)["state"] == "LOADING"
    report = align.align_sections("turned", f"left_{step}", **call)
    assert report.matched.passed_over == (0 if step == "draw_sections" else 3)
    assert largest_distance(render, f"left_{step}", truth) <= 2


def test_a_broken_chain_is_named(render, truth, images):
    specs = renderapi.tilespec.get_tile_specs_from_stack("turned", render=render)
    Image.new("L", (SIDE, SIDE), 90).save(images / "nothing.png")
    document = specs[2].to_dict()
    document["mipmapLevels"]["0"]["imageUrl"] = (images / "nothing.png").as_uri()
    specs[2] = TileSpec(json=document)
    tissue_on_server.stored(render, "broken", specs)
    with pytest.raises((ComponentsError, SolveError), match=r"z_2\.0_box"):
        align.align_sections("broken", "broken_rough", render=render)


def test_layers_that_are_not_there_cannot_be_fixed(render, truth):
    with pytest.raises(SpecError, match="fixed names layer 9"):
        align.align_sections("turned", "never", fixed=[9], render=render)


@pytest.mark.slow
def test_forty_sections_lie_on_each_other(render, images):
    specs, places = turned(images, 40)
    for tile in specs:
        tile.tileId = f"many_{tile.tileId}"
    tissue_on_server.stored(render, "many", specs)
    align.align_sections("many", "many_rough", neighbors=2, render=render)
    assert largest_distance(render, "many_rough", places) <= 2
