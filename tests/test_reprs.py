"""What notebooks show: everything escaped, nothing secret, no error, no request but those that count."""

import re
import threading

import numpy as np
import pytest
from PIL import Image

from renderapi import _pages, pointmatch, stack
from renderapi.client import import_tilespecs
from renderapi.http import transport
from renderapi.pointmatch import import_matches
from renderapi.render import Render, connect
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.server import serve_background
from renderapi.stack import StackInfo, StackVersion
from renderapi.tilespec import TileSpec
from renderapi.transform import (
    AffineModel,
    InterpolatedTransform,
    Polynomial2DTransform,
    ReferenceTransform,
    Transform,
    TransformList,
)

EVIL = "<script>alert('x')</script>\"&"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Wait for what a busy machine does slowly."""
    monkeypatch.setattr(_pages, "PATIENCE", 60)


def rows(html):
    """Return the names and values of the table."""
    return dict(re.findall(r"<tr><th[^>]*>(.*?)</th><td[^>]*>(.*?)</td></tr>", html))


def test_a_connection_shows_its_settings_and_no_secret():
    render = Render("http://me:secret@example.org", 8080, "o", EVIL)
    html = render._repr_html_()
    assert "secret" not in html and "secret" not in repr(render)
    assert rows(html)["host"] == "http://example.org" and rows(html)["owner"] == "o"
    assert "<script" not in html


def test_a_stack_shows_what_is_in_it():
    info = StackInfo(
        "v1", "o", "p", "COMPLETE", StackVersion(None, None, 4, 4, 35, versionNotes=EVIL), 1200,
        {"minX": 0, "maxX": 5000, "minY": -3, "maxY": 70, "minZ": 1, "maxZ": 5}, [], [1.0, 2.0, 3.0, 5.0],
    )  # fmt: skip
    shown = rows(info._repr_html_())
    assert (shown["tiles"], shown["layers"], shown["missing"]) == ("1,200", "4, z 1 to 5", "1: z 4")
    assert (shown["x"], shown["voxel"]) == ("0 to 5,000 pixels", "4 × 4 × 35 nm")
    assert "<script" not in info._repr_html_()
    assert repr(info) == "<stack o/p/v1: COMPLETE, 1,200 tiles in 4 layers>"


def test_a_stack_that_never_was_complete_shows_its_state():
    info = StackInfo("v1", "o", "p", "LOADING", StackVersion())
    assert rows(info._repr_html_())["state"] == "LOADING" and info.resolution is None and info.missing == []


@pytest.fixture
def tile(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((90, 180), 70, np.uint8)).save(path)
    return TileSpec(
        EVIL, 3.0, 180, 90, imageUrl=path.as_uri(), maxint=255, sectionId="3.0", imageRow=1, imageCol=2,
        tforms=[ReferenceTransform(EVIL), AffineModel(B0=5)],
    )  # fmt: skip


def test_a_tile_shows_its_image_and_what_is_known_of_it(tile):
    html = tile._repr_html_()
    assert "<script" not in html
    assert html.count("data:image/png;base64,") == 1 and len(html) < 60_000
    shown = rows(html)
    assert (shown["z"], shown["size"], shown["section"]) == ("3.0", "180 × 90 pixels", "3.0")
    assert shown["transforms"] == "ReferenceTransform, AffineModel"


def test_a_tile_whose_image_cannot_be_read_shows_the_rest(tile):
    tile.imageUrl = "file:/nowhere/a.tif"
    tile.ip["0"].imageUrl = "file:/nowhere/a.tif"
    html = tile._repr_html_()
    assert "<img" not in html and rows(html)["image"] == "file:/nowhere/a.tif"


def test_nothing_is_fetched_for_a_repr_and_passwords_of_urls_are_hidden(monkeypatch):
    asked = []
    monkeypatch.setattr("renderapi.rendering._remote.Remote.open", lambda self, url: asked.append(url))
    monkeypatch.setattr("renderapi.rendering._remote.Remote.exists", lambda self, url: asked.append(url))
    html = TileSpec("a", 1.0, 5, 5, imageUrl="http://me:secret@localhost:1/a.png")._repr_html_()
    assert asked == [] and "secret" not in html and "<img" not in html


def test_looking_at_a_tile_leaves_it_as_it_was_read(tile):
    read = TileSpec(json=tile.to_dict())
    read._repr_html_()
    assert read.to_dict() == tile.to_dict() and "tforms" not in read.__dict__


@pytest.mark.parametrize(
    "thing",
    [TileSpec(), TileSpec(json={"tileId": "a", "transforms": 5, "layout": 7}), ResolvedTiles([TileSpec()]),
     ResolvedTiles(), Transform(), AffineModel(labels=[EVIL]), Polynomial2DTransform(), TransformList(),
     InterpolatedTransform(AffineModel(), AffineModel(), "x"), ReferenceTransform(EVIL)],
    ids=lambda thing: type(thing).__name__,
)  # fmt: skip
def test_nothing_that_is_broken_or_empty_breaks_a_notebook(thing):
    html = thing._repr_html_()
    assert html is None or (html.startswith("<div") and "<script" not in html)


def test_a_collection_shows_a_map_of_its_tiles():
    tiles = [
        TileSpec(f"t{i}", 1.0, 10, 10, tforms=[ReferenceTransform("s"), AffineModel(B0=8 * i)])
        for i in range(4)
    ]
    html = ResolvedTiles(tiles, [AffineModel(B1=5, transformId="s")])._repr_html_()
    assert rows(html)["tile specs"] == "4" and rows(html)["tiles"] == "t0, t1, t2, ..."
    assert html.count("M") >= 4 and "<svg" in html


def test_a_transform_shows_a_grid_with_its_numbers_below():
    html = AffineModel(0.5, 0.25, 0, 1, 100, 7, transformId=EVIL)._repr_html_()
    assert html.index("<svg") < html.index(">0.5<") and ">0.25<" in html and ">100<" in html
    assert "currentColor" in html and "<script" not in html
    assert len(re.findall(r"<path", html)) == 2


def test_transforms_that_others_are_needed_for_have_no_grid():
    html = TransformList([ReferenceTransform("lens"), AffineModel()])._repr_html_()
    assert "<svg" not in html and rows(html)["parts"] == "ReferenceTransform, AffineModel"
    assert rows(Transform("a.B", EVIL)._repr_html_())["class"] == "a.B"


def test_selections_are_counted_without_reading_tiles_or_points(tile, monkeypatch):
    tile.tileId, tile.tforms = "a", []
    match = {"pGroupId": "1", "pId": "a", "qGroupId": "1", "qId": "b",
             "matches": {"p": [[1], [2]], "q": [[3], [4]], "w": [1]}}  # fmt: skip
    with serve_background() as server, server.connect(owner="o", project="p") as render:
        stack.create_stack("s", render=render)
        import_tilespecs("s", [tile], render=render)
        stack.set_stack_state("s", "COMPLETE", render=render)
        import_matches("c", [match], render=render)
        sent, send = [], transport.send

        def recording(session, method, url, **words):
            sent.append(url.partition("/v1")[2])
            return send(session, method, url, **words)

        monkeypatch.setattr(transport, "send", recording)
        assert rows(stack.tiles("s", render=render)._repr_html_())["number"] == "1"
        assert rows(pointmatch.select("c", render=render)._repr_html_())["number"] == "1"
        assert sent == ["/owner/o/project/p/stack/s", "/owner/o/matchCollections"]
        del sent[:]
        assert rows(stack.tiles("s", z=3, render=render)._repr_html_())["number"] == "1"
        assert not [path for path in sent if path.endswith(("tile-specs", "render-parameters"))]
        del sent[:]
        slow = stack.tiles("s", pattern=EVIL, render=render)._repr_html_()
        assert sent == [] and "count()" in slow and "<script" not in slow


def test_a_server_that_is_not_there_breaks_no_notebook():
    render = connect("http://127.0.0.1", 9, "o", "p", web_only=True)
    assert "count()" in stack.tiles("s", render=render)._repr_html_()


def test_nobody_waits_longer_than_a_little_for_a_repr():
    held = threading.Event()
    assert _pages.within(0.01, held.wait) is None
    held.set()
    assert _pages.within(5, lambda: 7) == 7
    assert _pages.within(5, lambda: 1 // 0) is None
