"""Stacks are aligned from the command line."""

import json

import pytest
import tissue_on_server
import turned_sections

import renderapi


@pytest.fixture
def run(render, capsys, monkeypatch):
    """Call the command, and return how it ended, its output and its errors."""
    from renderapi import cli

    for name, value in {
        "HOST": render.DEFAULT_HOST,
        "PORT": render.DEFAULT_PORT,
        "OWNER": "me",
        "PROJECT": "p",
    }.items():
        monkeypatch.setenv(f"RENDER_{name}", str(value))

    def called(*words):
        try:
            status = cli.main([str(word) for word in words])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        shown = capsys.readouterr()
        return int(status), shown.out, shown.err

    return called


def test_align_and_report_go_from_images_to_a_page(run, render, images, tmp_path):
    specs, truth = tissue_on_server.photographed(images, 2, z=11)
    tissue_on_server.stored(render, "worded", specs)
    status, output, errors = run("align", "worded", "worded_montage", "--dry-run")
    assert (status, errors) == (0, "")
    assert "4 pairs to match" in output
    assert run("align", "worded", "worded_montage", "--z", "11")[0] == 0
    solved = renderapi.tilespec.get_tile_specs_from_z("worded_montage", 11, render=render)
    assert tissue_on_server.distance_to_truth(solved, truth) <= 0.3
    page = tmp_path / "page.html"
    words = (
        "report",
        "worded_montage",
        11,
        "--collection",
        "worded_montage_matches",
        "-o",
        page,
        "--before",
        "worded",
    )
    status, output, _ = run(*words)
    assert status == 0 and "4 tiles, 4 pairs" in output and page.exists()
    assert run(*words)[0] == 1  # it is there already


def test_options_that_do_not_go_together_are_refused(run):
    assert run("align", "raw", "new", "--neighbors", "2")[0] == 2
    assert run("align", "raw", "new", "--folder", "small")[0] == 2


def test_sections_are_planned_and_aligned_with_a_page(run, render, images, tmp_path):
    specs, _ = turned_sections.turned(images, 2, name="cli")
    tissue_on_server.stored(render, "cli_turned", specs)
    words = (
        "align",
        "cli_turned",
        "cli_rough",
        "--sections",
        "--scale",
        "0.9",
        "--folder",
        tmp_path / "small",
    )
    status, output, errors = run(*words, "--dry-run", "--json")
    assert (status, errors) == (0, "")
    plan = json.loads(output)
    assert (plan["layers"], plan["pairs"], plan["targetState"], plan["dryRun"]) == ([0.0, 1.0], 1, None, True)
    assert not (tmp_path / "small").exists()
    status, output, _ = run(*words, "--report", tmp_path / "pages")
    assert status == 0 and "1 of 1 pairs connected" in output
    assert len(list((tmp_path / "small").glob("z_*.png"))) == 2
    assert (tmp_path / "pages" / "sections.html").exists()
    status, output, _ = run(*words, "--dry-run")
    assert "0 pairs to match" in output
