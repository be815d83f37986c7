"""A server for the command, and a way to call it."""

import json
from pathlib import Path

import pytest

import renderapi
from renderapi import cli, demo
from renderapi.server import serve_background


@pytest.fixture(scope="module")
def server():
    """Return a server with a stack of 200 tiles in two layers, and an empty one."""
    with serve_background() as running:
        render = running.connect(owner="me", project="p", web_only=True)
        renderapi.stack.create_stack(
            "full", stackResolutionX=3, stackResolutionY=3, stackResolutionZ=35, versionNotes="of two layers",
            render=render,
        )  # fmt: skip
        tiles = [tile for number in range(2) for tile in demo.section(number)[:100]]
        renderapi.client.import_tilespecs("full", tiles, render=render)
        renderapi.stack.set_stack_state("full", "COMPLETE", render=render)
        renderapi.stack.create_stack("empty", render=render)
        renderapi.pointmatch.import_matches("pairs", [demo.MATCHES], render=render)
        yield running


@pytest.fixture
def render(server):
    """Return a connection to that server."""
    with server.connect(owner="me", project="p", web_only=True) as connection:
        yield connection


@pytest.fixture
def run(server, capsys, monkeypatch):
    """Call the command, and return how it ended, its output and its errors."""
    host, port = server.url.removesuffix("/render-ws").rsplit(":", 1)
    for name, value in {"HOST": host, "PORT": port, "OWNER": "me", "PROJECT": "p"}.items():
        monkeypatch.setenv(f"RENDER_{name}", value)

    def called(*words):
        try:
            status = cli.main([str(word) for word in words])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        shown = capsys.readouterr()
        return int(status), shown.out, shown.err

    return called


@pytest.fixture
def read(run):
    """Call the command with ``--json``, and return what it prints."""

    def called(*words):
        status, output, errors = run(*words, "--json")
        assert status == 0, errors
        return json.loads(output)

    return called


@pytest.fixture
def tile_file(tmp_path):
    """Return a file with the tile specs of a layer."""
    path = Path(tmp_path) / "tiles.json"
    path.write_text(renderapi.utils.renderdumps(demo.section(7)[:20]))
    return path
