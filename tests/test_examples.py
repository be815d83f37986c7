"""Each script of ``examples/`` runs as its header says, and prints what it should."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import renderapi
from renderapi.layout import Layout
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

EXAMPLES = Path(__file__).parent.parent / "examples"
DOCS = Path(__file__).parent.parent / "docs"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
OWNER, PROJECT = "examples", "tests"


@pytest.fixture(scope="module")
def server():
    with serve_background() as running:
        yield running


@pytest.fixture
def render(server):
    with server.connect(owner=OWNER, project=PROJECT) as connection:
        yield connection


@pytest.fixture
def run(server):
    def run_script(name, *words, status=0, **more):
        host, _, port = server.url.removesuffix("/render-ws").rpartition(":")
        environment = {
            **os.environ,
            "RENDER_HOST": host,
            "RENDER_PORT": port,
            "RENDER_OWNER": OWNER,
            "RENDER_PROJECT": PROJECT,
        }
        done = subprocess.run(
            [sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, words)],
            env=environment | more,
            cwd=EXAMPLES,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    return run_script


def test_a_section_is_imported_and_matches_are_stored_for_it(run, render):
    shown = run("import_section.py", "tile_positions.csv", "--stack", "montage", "--z", 1)
    assert shown.splitlines() == [
        "6 tiles imported into montage",
        "section 1 spans x 0 to 5328, y -2 to 3689",
    ]
    # tiles with the ids of stored ones take their places, here in another section
    assert "section 2 spans" in run("import_section.py", "tile_positions.csv", "--stack", "montage", "--z", 2)
    assert renderapi.stack.get_z_values_for_stack("montage", render=render) == [2.0]

    shown = run("point_matches.py", "matches.csv", "--stack", "montage", "--collection", "montage_matches")
    residuals = dict(re.findall(r"(\S+ - \S+): \d matches, mean residual ([\d.]+) px", shown))
    assert residuals.keys() == {"s1_0_0 - s1_0_1", "s1_0_0 - s1_1_0"}
    assert all(0 < float(value) < 2 for value in residuals.values())
    assert len(renderapi.pointmatch.get_matches_with_group("montage_matches", "2.0", render=render)) == 2


def test_matches_of_tiles_that_are_not_there_are_refused(run, render, tmp_path):
    renderapi.stack.create_stack("empty", render=render)
    complaint = run("point_matches.py", "matches.csv", "--stack", "empty", "--collection", "none", status=1)
    assert complaint.strip() == "not in empty: s1_0_0, s1_0_1, s1_1_0"


def test_a_lens_correction_is_stored_once(run, render):
    shown = run("lens_correction.py", "--stack", "corrected").splitlines()
    before, after = map(float, re.findall(r"[\d.e-]+(?= px)", shown[0]))
    assert before > 2 and after < 0.01
    assert shown[1:] == [
        "stored:   ReferenceTransform, AffineModel",
        "resolved: Polynomial2DTransform, AffineModel",
    ]
    layer = renderapi.resolvedtiles.get_resolved_tiles_from_z("corrected", 1.0, render=render)
    assert len(layer.tilespecs) == 12
    assert [tform.transformId for tform in layer.transforms] == ["lens_2026_03"]


def test_the_embedded_server_is_tried(run):
    assert run("try_embedded_server.py").splitlines() == [
        "state:  COMPLETE",
        "layers: [0.0, 1.0, 2.0]",
        "bounds: {'minX': 0.0, 'minY': 0.0, 'minZ': 0.0, 'maxX': 3724.0, 'maxY': 1024.0, 'maxZ': 2.0}",
        "in box: ['1_0', '1_1']",
    ]


@pytest.mark.parametrize("how", [(), ("--session",)], ids=["settings", "session"])
def test_a_connection_with_settings_of_its_own(run, server, render, how):
    renderapi.stack.create_stack("v1", render=render)
    words = (server.url, "--owner", OWNER, "--project", PROJECT, *how)
    secret = {"RENDER_USER": "me", "RENDER_PASSWORD": "secret"}
    assert run("own_session.py", *words, "--stack", "v1", **secret).splitlines() == [
        "v1 is LOADING",
        f"owners: {OWNER}",
    ]
    assert "there is no stack v2" in run("own_session.py", *words, "--stack", "v2")


def test_a_server_that_is_not_there_is_told_apart(run):
    words = ("http://127.0.0.1:1/render-ws", "--owner", OWNER, "--project", PROJECT, "--stack", "v1")
    assert run("own_session.py", *words, "--session", status=1).startswith(
        "no answer: GET http://127.0.0.1:1/"
    )


@pytest.mark.parametrize("how", [(), ("--processes",)], ids=["threads", "processes"])
def test_sections_are_worked_on_side_by_side(run, render, how):
    renderapi.stack.create_stack("layers", render=render)
    tiles = [
        TileSpec(tileId=f"{z}_{c}", z=z, width=1000, height=1000, layout=Layout(sectionId=str(z)),
                 tforms=[AffineModel(B0=800.0 * c)])
        for z in (1.0, 2.0)
        for c in range(2)
    ]  # fmt: skip
    renderapi.client.import_tilespecs_parallel("layers", tiles, render=render)
    assert run("sections_in_parallel.py", "--stack", "layers", "--workers", 2, *how).splitlines() == [
        "z 1: 2 tiles, 11.1 % more area than their box",
        "z 2: 2 tiles, 11.1 % more area than their box",
    ]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_tried_here_and_listed_in_the_docs(script):
    assert f'"{script.name}"' in Path(__file__).read_text(encoding="utf-8")
    assert f"examples/{script.name}" in (DOCS / "examples.rst").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_stack_is_copied_by_a_cluster(run, render):
    pytest.importorskip("distributed")
    renderapi.stack.create_stack("spread", render=render)
    tiles = [TileSpec(tileId=f"t{n}", z=n // 3, width=9, height=9) for n in range(6)]
    renderapi.client.import_tilespecs("spread", tiles, render=render)
    renderapi.stack.set_stack_state("spread", "COMPLETE", render=render)
    assert run("on_a_cluster.py", "spread", "spread_copy").splitlines() == [
        "6 tiles are in spread_copy", "z 0.0: 3 tiles", "z 1.0: 3 tiles",
    ]  # fmt: skip
