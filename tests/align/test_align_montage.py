"""Sections are aligned from their images alone, and what was interrupted goes on."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
import tissue_on_server
from PIL import Image

import renderapi
from renderapi import align
from renderapi.errors import NotFoundError, SpecError
from renderapi.match import CanvasError, MatchParametersError
from renderapi.solve import NoMatchesError
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel


def state(render, stack):
    return renderapi.stack.get_full_stack_metadata(stack, render=render)["state"]


@pytest.fixture(scope="module")
def aligned(render, tmp_path_factory):
    """Return what aligning the section reported, and the folder of its page."""
    folder = tmp_path_factory.mktemp("report")
    return align.align_montage(
        "raw", "montage", matchCollection="found", report=folder, render=render
    ), folder


def test_every_pair_of_neighbours_is_connected(aligned):
    (part,) = aligned[0].sections
    assert part.pairs == 4
    assert part.matched.matched == 4
    assert [len(component) for component in part.solved.components] == [4]


def test_tiles_lie_where_they_were_photographed(render, section, aligned):
    solved = renderapi.tilespec.get_tile_specs_from_z("montage", 1, render=render)
    assert len(solved) == 4
    assert tissue_on_server.distance_to_truth(section[0], section[1]) > 5
    assert tissue_on_server.distance_to_truth(solved, section[1]) <= 0.3
    assert state(render, "montage") == "COMPLETE"


def test_the_page_shows_map_seams_and_figures_and_needs_no_other_file(aligned):
    text = (aligned[1] / "z_1.html").read_text(encoding="utf-8")
    assert text.count("<line ") == 4
    assert text.count("data:image/png;base64,") == 12
    assert "residual before" in text
    assert "http:" not in text and 'src="file' not in text


def test_what_is_aligned_is_not_done_again(render, aligned, monkeypatch):
    monkeypatch.setattr("renderapi.align.montage.match_pairs", None)
    again = align.align_montage("raw", "montage", matchCollection="found", render=render)
    assert [part.passed_over for part in again.sections] == [True]
    assert "aligned already" in str(again)


def test_again_finds_matches_anew_and_solves_anew(render, aligned):
    call = {"matchCollection": "found", "again": True, "render": render}
    (part,) = align.align_montage("raw", "montage", **call).sections
    assert (part.matched.passed_over, part.matched.matched) == (0, 4)
    assert part.solved is not None


@pytest.mark.parametrize("step", ["find_pairs", "match_pairs", "StackJob.written", "report_section"])
@pytest.mark.parametrize("kind", [NotFoundError, KeyboardInterrupt])
def test_after_an_end_in_any_step_the_same_call_goes_on(render, aligned, tmp_path, monkeypatch, step, kind):
    target = f"after_{step.replace('.', '_')}_{kind.__name__}"

    def ends(*args, **keywords):
        raise kind("no more")

    with monkeypatch.context() as patch, pytest.raises(kind) as ended:
        patch.setattr(f"renderapi.align.montage.{step}", ends)
        align.align_montage("raw", target, matchCollection="found", report=tmp_path, render=render)
    assert state(render, target) == "LOADING"
    if kind is NotFoundError:
        assert "layer 1 of stack raw" in str(ended.value) and f"Stack {target} is left LOADING" in str(
            ended.value
        )
    (part,) = align.align_montage(
        "raw", target, matchCollection="found", report=tmp_path, render=render
    ).sections
    assert part.passed_over == (step == "report_section")
    assert part.passed_over or part.matched.passed_over == 4  # of what was matched, nothing is matched again
    assert part.report.exists()
    assert state(render, target) == "COMPLETE"


def test_matches_that_were_stored_before_a_kill_are_not_found_again(render, monkeypatch):
    monkeypatch.setattr(
        "renderapi.align.montage.match_pairs", partial(renderapi.match.match_pairs, pairs_at_once=1)
    )
    store, stored = renderapi.pointmatch.import_matches, []

    def dies_later(collection, documents, **keywords):
        if len(stored) == 3:
            raise KeyboardInterrupt
        stored.append(documents)
        return store(collection, documents, **keywords)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(renderapi.pointmatch, "import_matches", dies_later)
        align.align_montage("raw", "killed", render=render)
    (part,) = align.align_montage("raw", "killed", render=render).sections
    assert (part.matched.passed_over, part.matched.matched) == (3, 1)


def test_a_dry_run_counts_pairs_and_writes_nothing(render, aligned):
    before = renderapi.render.get_stacks_by_owner_project(render=render)
    plan = align.plan_montage("raw", "planned", rates=(2.0, 0.5), threads=2, render=render)
    assert (plan.pairs, plan.seconds) == (4, (4 * 2.0 + 4 * 0.5) / 2)
    assert "4 pairs to match: about 5 seconds" in str(plan)
    stored = align.plan_montage("raw", "planned", matchCollection="found", rates=(2.0, 0.5), render=render)
    assert (stored.pairs, stored.seconds) == (0, 0)
    assert renderapi.render.get_stacks_by_owner_project(render=render) == before


def test_a_dry_run_measures_one_pair(render, aligned):
    plan = align.plan_montage("raw", "planned", render=render)
    assert plan.seconds_per_pair > 0 and plan.seconds > 0
    assert align.plan_montage("raw", "montage", matchCollection="found", render=render).seconds == 0


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("raw", "raw"), SpecError, "the target is stack raw itself"),
        (("raw", "new", 7), NotFoundError, "no layer 7"),
        (("nowhere", "new"), NotFoundError, "nowhere"),
        (("raw", "new", 1, "found", {"featureMatchDerivation": {"matchRod": -1}}), MatchParametersError, "matchRod"),
        (("raw", "new", 1, "found", None, "warp"), SpecError, "no model 'warp'"),
        (("raw", "new", {"prior": -1.0}), SpecError, "prior is -1.0"),
        (("raw", "new", {"fixed": ["nobody"]}), SpecError, "fixed names the tile 'nobody'"),
        (("raw", "new", {"tile_priors": {"nobody": 2.0}}), SpecError, "tile_priors names the tile 'nobody'"),
        (("raw", "new", {"label_priors": {"nothing": 2.0}}), SpecError, "label 'nothing'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_anything_is_made(render, arguments, error, text):
    keywords = arguments[-1] if isinstance(arguments[-1], dict) and len(arguments) == 3 else {}
    with pytest.raises(error, match=text):
        align.align_montage(*arguments[: 2 if keywords else None], **keywords, render=render)
    with pytest.raises(NotFoundError):
        state(render, "new")


@pytest.fixture(scope="module")
def bad(render, images):
    """Store a section whose tiles are: two that fit, a blank one, one without a file, one far away."""
    specs, _ = tissue_on_server.photographed(images, 2, z=5)
    Image.new("L", (tissue_on_server.SIZE, tissue_on_server.SIZE), 90).save(images / "blank.png")
    far = TileSpec(
        tileId="far", z=5.0, width=100, height=100, sectionId="5.0", tforms=[AffineModel(B0=9000.0)],
        imageUrl=specs[0].to_dict()["mipmapLevels"]["0"]["imageUrl"],
    )  # fmt: skip
    for number, name in ((2, "blank.png"), (3, "missing.png")):
        document = specs[number].to_dict()
        document["mipmapLevels"]["0"]["imageUrl"] = (images / name).as_uri()
        specs[number] = TileSpec(json=document)
    tissue_on_server.stored(render, "bad", [*specs, far])


def test_blank_and_missing_images_are_named_and_do_not_stop_the_others(render, bad, tmp_path):
    (part,) = align.align_montage(
        "bad", "bad_montage", matchCollection="bad", report=tmp_path, render=render
    ).sections
    failures = part.matched.failures
    assert any(isinstance(failure, CanvasError) and "missing.png" in str(failure) for failure in failures)
    assert any("5_1_0" in (failure.p[1], failure.q[1]) for failure in failures)
    assert set(part.solved.unmatched) == {"5_1_0", "5_1_1", "far"}
    page = part.report.read_text(encoding="utf-8")
    for name in ("5_1_0", "missing.png", "far"):
        assert name in page


def test_what_is_refused_leaves_the_target_loading(render, bad):
    with pytest.raises(NoMatchesError, match="Stack refused is left LOADING") as refused:
        align.align_montage("bad", "refused", matchCollection="bad", refuse=["unmatched"], render=render)
    assert "solving" in str(refused.value) and "far" in refused.value.tile_ids
    assert state(render, "refused") == "LOADING"
    plan = align.plan_montage("bad", "refused", matchCollection="bad", rates=(1, 1), render=render)
    assert plan.target_state == "LOADING" and "the target is LOADING" in str(plan)
    assert renderapi.tilespec.get_tile_specs_from_stack("refused", render=render) == []


# ------------------------------------------------------------------------------------- larger


@pytest.mark.slow
def test_six_by_six_tiles_lie_where_they_were_photographed(render, images):
    specs, truth = tissue_on_server.photographed(images, 6, z=9, size=512, overlap=100)
    tissue_on_server.stored(render, "large", specs)
    (part,) = align.align_montage("large", "large_montage", render=render).sections
    assert (part.pairs, part.matched.matched) == (60, 60)
    solved = renderapi.tilespec.get_tile_specs_from_z("large_montage", 9, render=render)
    assert tissue_on_server.distance_to_truth(solved, truth) <= 0.3


# ------------------------------------------------------------------------------------- killed

_CALL = """
import renderapi
render = renderapi.connect(host={host!r}, port={port}, owner="me", project="p", client_scripts="", web_only=True)
renderapi.align.align_montage("two", {target!r}, report={pages!r}, render=render)
"""


def started(render, target, pages):
    """Align stack two in a process of its own."""
    call = _CALL.format(host=render.DEFAULT_HOST, port=render.DEFAULT_PORT, target=target, pages=str(pages))
    return subprocess.Popen([sys.executable, "-c", call])


def solved_in(render, stack):
    tiles = renderapi.tilespec.get_tile_specs_from_stack(stack, render=render)
    return {tile.tileId: tile.tforms[-1].M for tile in tiles}


@pytest.mark.slow
def test_after_kills_at_any_moment_the_same_call_gives_the_same(render, images, tmp_path):
    specs = [spec for z in (21, 22) for spec in tissue_on_server.photographed(images, 2, z=z)[0]]
    tissue_on_server.stored(render, "two", specs)
    began = time.monotonic()
    assert started(render, "unharmed", tmp_path / "unharmed").wait(300) == 0
    whole, rng = time.monotonic() - began, np.random.default_rng(5)
    pages, killed, loading = tmp_path / "killed", 0, 0
    # the first half of a run is imports
    for part in (0.35, *rng.uniform(0.5, 1.0, 7)):
        process = started(render, "often_killed", pages)
        try:
            process.wait(part * whole)
        except subprocess.TimeoutExpired:
            process.kill()
            killed += process.wait(60) == -signal.SIGKILL
        with suppress(NotFoundError):  # it may have been killed before it made the stack
            now = state(render, "often_killed")
            assert now == "COMPLETE" or len(solved_in(render, "often_killed")) in (0, 4, 8)
            loading += now == "LOADING"
        for page in pages.glob("*.html"):
            assert page.read_text(encoding="utf-8").endswith("</html>\n")
    assert killed > 0 and loading > 0
    assert started(render, "often_killed", pages).wait(300) == 0
    assert state(render, "often_killed") == "COMPLETE"
    one, other = (solved_in(render, stack) for stack in ("unharmed", "often_killed"))
    assert one.keys() == other.keys()
    assert all(np.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert [len(list(folder.glob("z_*.html"))) for folder in (tmp_path / "unharmed", pages)] == [2, 2]
