"""Whole sections are placed by the sections beside them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tissue_on_server
from PIL import Image
from turned_sections import SIDE, turned

import renderapi
from renderapi import align
from renderapi.errors import NotFoundError, SpecError
from renderapi.solve import ComponentsError, SolveError
from renderapi.tilespec import TileSpec
from renderapi.transform import RigidModel


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


@pytest.fixture(scope="module")
def rough(render, truth, tmp_path_factory):
    """Align the sections on two threads of an executor; return the report and the folder of the images."""
    folder = tmp_path_factory.mktemp("small")
    with ThreadPoolExecutor(2) as executor:
        return align.align_sections(
            "turned", "rough", neighbors=2, folder=folder, report=folder, executor=executor, render=render
        ), folder


def test_sections_lie_on_each_other(render, truth, rough):
    assert rough[0].matched.matched == 5
    assert largest_distance(render, "turned", truth) > 5
    assert largest_distance(render, "rough", truth) <= 2
    assert renderapi.stack.get_full_stack_metadata("rough", render=render)["state"] == "COMPLETE"


def test_the_page_shows_sections_beside_each_other_and_pairs_on_each_other(rough):
    assert rough[0].report == rough[1] / "sections.html"
    text = rough[0].report.read_text(encoding="utf-8")
    assert (text.count("<line "), text.count("data:image/png;base64,")) == (5, 15)
    for words in ("residual before", "residual of matches, pixels", "4 sections: z_0.0_box", "laid out"):
        assert words in text
    assert "http:" not in text and 'src="file' not in text


def test_a_dry_run_counts_and_measures_pairs_of_sections_and_writes_nothing(render, rough, tmp_path):
    before = renderapi.render.get_stacks_by_owner_project(render=render)
    plan = align.plan_sections(
        "turned", "planned", neighbors=2, rates=(3.0, 2.0, 1.0), threads=2, render=render
    )
    assert (plan.pairs, plan.stored, plan.target_state) == (5, 0, None)
    assert plan.seconds == 4 * 3.0 + (4 * 2.0 + 5 * 1.0) / 2
    done = align.plan_sections("turned", "rough", neighbors=2, folder=rough[1], render=render)
    assert (done.drawn, done.stored, done.seconds, done.target_state) == (4, 5, 0, "COMPLETE")
    measured = align.plan_sections("turned", folder=tmp_path, z=[0, 1], render=render)
    assert measured.seconds_per_image > 0 and "1 pairs to match: about" in str(measured)
    assert list(tmp_path.iterdir()) == []
    assert renderapi.render.get_stacks_by_owner_project(render=render) == before


@pytest.mark.parametrize("step", ["_drawn", "match_pairs", "solve_matches", "transformSectionClient"])
def test_after_an_end_in_any_step_the_same_call_goes_on(render, truth, tmp_path, monkeypatch, step):
    def ends(*args, **keywords):
        raise SolveError("no more")

    target = f"left_{step.strip('_')}"
    call = {"matchCollection": "rough_found", "folder": tmp_path, "render": render}
    with (
        monkeypatch.context() as patch,
        pytest.raises(SolveError, match=f"Stack {target} is left LOADING"),
    ):
        patch.setattr(f"renderapi.align.sections.{step}", ends)
        align.align_sections("turned", target, **call)
    assert renderapi.stack.get_full_stack_metadata(target, render=render)["state"] == "LOADING"
    report = align.align_sections("turned", target, **call)
    assert report.matched.passed_over == (0 if step == "_drawn" else 3)
    assert largest_distance(render, target, truth) <= 2


def test_a_broken_chain_is_named(render, truth, images):
    specs = renderapi.tilespec.get_tile_specs_from_stack("turned", render=render)
    Image.new("L", (SIDE, SIDE), 90).save(images / "nothing.png")
    document = specs[2].to_dict()
    document["mipmapLevels"]["0"]["imageUrl"] = (images / "nothing.png").as_uri()
    specs[2] = TileSpec(json=document)
    tissue_on_server.stored(render, "broken", specs)
    with pytest.raises((ComponentsError, SolveError), match=r"z_2\.0_box"):
        align.align_sections("broken", "broken_rough", render=render)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"fixed": [9]}, "fixed names layer 9"),
        ({"model": "polynomial2"}, "model is 'polynomial2'"),
        ({"prior": -1.0}, "prior is -1.0"),
        ({"scale": 2.0}, "scale is 2.0"),
        ({"neighbors": 0}, "neighbors is 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(render, truth, wrong, text):
    with pytest.raises(SpecError, match=text):
        align.align_sections("turned", "never", render=render, **wrong)
    with pytest.raises(NotFoundError):
        renderapi.stack.get_full_stack_metadata("never", render=render)


@pytest.mark.slow
def test_forty_sections_lie_on_each_other(render, images):
    specs, places = turned(images, 40, name="many")
    tissue_on_server.stored(render, "many", specs)
    align.align_sections("many", "many_rough", neighbors=2, render=render)
    assert largest_distance(render, "many_rough", places) <= 2
