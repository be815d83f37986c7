"""``renderapi import`` of images, TrakEM2 projects and SerialEM stacks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import renderapi

GOLDEN = Path(__file__).parent.parent / "data" / "golden"


@pytest.fixture
def raw(tmp_path):
    """Return a folder of 2 x 2 images with a list of where the stage was, in um, y up."""
    lines = ["path,sx,sy"]
    for row in range(2):
        for col in range(2):
            name = f"s5_r{row}_c{col}.png"
            Image.fromarray(np.full((40, 50), 100 + 10 * col + row, np.uint8)).save(tmp_path / name)
            lines.append(f"{name},{col * 45 * 0.004},{-row * 36 * 0.004}")
    (tmp_path / "stage.csv").write_text("\n".join(lines))
    return tmp_path


def stage(raw):
    return (
        "--images", f"{raw}/*.png", "--positions", raw / "stage.csv", "--column", "sx=x", "--column", "sy=y",
        "--units", "um", "--pixel-size", 4, "--flip-y", "--z", 5,
    )  # fmt: skip


def test_images_are_imported_with_the_positions_of_a_stage(run, render, raw):
    status, output, errors = run("import", "from_stage", *stage(raw), "--create")
    assert status == 0, errors
    assert output.endswith("is COMPLETE, and holds 4 tiles\n")
    assert renderapi.stack.get_stack_bounds("from_stage", render=render) == {
        "minX": 0, "minY": 0, "minZ": 5, "maxX": 95, "maxY": 76, "maxZ": 5,
    }  # fmt: skip
    version = renderapi.stack.get_full_stack_metadata("from_stage", render=render)["currentVersion"]
    assert version["stackResolutionX"] == 4.0


@pytest.mark.parametrize(
    "words",
    [
        ("--pattern", "s{z}_r{row}_c{col}.png", "--overlap", "5,4"),
        ("--grid", "2x2", "--overlap", "0.1", "--z", "5"),
    ],
)
def test_a_dry_run_shows_tiles_and_stores_nothing(run, read, render, raw, words):
    status, output, _ = run("import", "not_made", "--images", f"{raw}/*.png", *words, "--create", "--dry-run")
    assert status == 0
    assert output.startswith("4 tiles in 1 layer")
    assert "me/p/not_made, which would be made" in output
    found = read("import", "not_made", "--images", f"{raw}/*.png", *words, "--create", "--dry-run")
    assert (found["tiles"], found["layers"][0]["bounds"]) == (4, [0, 0, 95, 76])
    with pytest.raises(renderapi.errors.NotFoundError):
        renderapi.stack.get_full_stack_metadata("not_made", render=render)


def test_sections_and_groups_are_called_as_asked(run, render, raw):
    words = ("--section-id", "S{z:.0f}", "--group-id", "row{row}", "--pattern", "s{z}_r{row}_c{col}.png")
    status, _, errors = run(
        "import", "called", "--images", f"{raw}/*.png", "--overlap", "5,4", *words, "--create"
    )
    assert status == 0, errors
    tiles = renderapi.tilespec.get_tile_specs_from_stack("called", render=render)
    assert {tile.layout.sectionId for tile in tiles} == {"S5"}
    assert sorted(tile.to_dict()["groupId"] for tile in tiles) == ["row0", "row0", "row1", "row1"]


def test_bad_images_are_named_and_nothing_is_stored(run, render, raw):
    (raw / "s5_r0_c0.png").write_bytes(b"no image")
    status, _, errors = run("import", "bad", *stage(raw), "--create")
    assert status == 1
    assert "stage.csv: row 2:" in errors
    with pytest.raises(renderapi.errors.NotFoundError):
        renderapi.stack.get_full_stack_metadata("bad", render=render)
    status, output, _ = run("import", "bad", *stage(raw), "--create", "--dry-run")
    assert status == 3
    assert "stage.csv: row 2:" in output


def test_a_trakem2_project_is_imported(run, render):
    path = GOLDEN / "trakem2" / "masks" / "masks.xml"
    assert run("import", "t2", "--trakem2", path, "--create", "--dry-run")[0] == 0
    status, _, errors = run("import", "t2", "--trakem2", path, "--create")
    assert status == 0, errors
    assert "filters of patches were left out" in errors
    tiles = renderapi.tilespec.get_tile_specs_from_z("t2", 3.0, render=render)
    assert {"1210", "1213"} <= {tile.tileId for tile in tiles}


def test_what_serialem_wrote_is_imported(run, render, tmp_path):
    pytest.importorskip("mrcfile")
    path = GOLDEN / "serialem" / "mode1_montage.mrc.mdoc"
    assert run("import", "sem", "--mdoc", path, "--create", "--dry-run")[0] == 0
    assert run("import", "sem", "--mdoc", path, "--create")[0] == 1  # where would the slices go?
    status, _, errors = run("import", "sem", "--mdoc", path, "--converted", tmp_path, "--create")
    assert status == 0, errors
    assert len(renderapi.tilespec.get_tile_specs_from_stack("sem", render=render)) == 6


@pytest.mark.parametrize(
    "words",
    [
        (), ("a.json", "--images", "b.png"), ("--images", "a.png", "--trakem2", "b.xml"),
        ("--images", "a.png", "--grid", "2"), ("--images", "a.png", "--overlap", "1,2,3"),
        ("--images", "a.png", "--column", "x"),
    ],
)  # fmt: skip
def test_sources_that_cannot_be_meant_are_refused(run, words):
    assert run("import", "full", *words)[0] == 2
