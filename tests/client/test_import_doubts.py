"""What an import warns of: tiles that a server stores, and that hardly can be meant."""

import gzip
import json
import os
import warnings

import numpy as np
import pytest
from PIL import Image

import renderapi
from renderapi import _doubts, _json, rendering
from renderapi.channel import Channel
from renderapi.client import importing
from renderapi.errors import ImportFailedError, RenderWarning, SpecError
from renderapi.image_pyramid import ImagePyramid, MipMap
from renderapi.resolvedtiles import put_tilespecs
from renderapi.server import serve_background
from renderapi.stack import create_stack
from renderapi.tilespec import TileSpec, read_tilespecs
from renderapi.transform import AffineModel, ReferenceTransform, TransformList


@pytest.fixture(scope="module")
def server():
    with serve_background() as server:
        yield server


@pytest.fixture
def render(server, request):
    with server.connect(owner="own", project="proj", retries=0) as render:
        render.stack = "s" + "".join(c for c in request.node.name if c.isalnum())[:60]
        create_stack(render.stack, render=render)
        yield render


def tile(tile_id, **changes):
    values = {
        "z": 1.0,
        "width": 10,
        "height": 10,
        "imageUrl": "file:/a.tif",
        "tforms": [AffineModel()],
        **changes,
    }
    return TileSpec(tileId=tile_id, **values)


def doubtful():
    return [
        tile("fine"),
        *(tile(f"lost{i}", z=None) for i in range(5)),
        tile("line", tforms=[AffineModel(1, 2, 2, 4)]),
        tile("here", imageUrl="images/a.tif"),
        tile("mask", maskUrl="m.png"),
        tile("unix", imageUrl="/a.tif"),
        tile("bucket", imageUrl="s3://b/a.tif"),
        tile("windows", imageUrl="C:\\a.tif"),
        tile("small", tforms=[AffineModel(1e-9, 0, 0, 1e-9)]),
    ]


def by_list(render, path):
    renderapi.client.import_tilespecs(render.stack, doubtful(), render=render)


def by_rest(render, path):
    renderapi.client.import_tilespecs(render.stack, doubtful(), use_rest=True, render=render)


def by_stream(render, path):
    renderapi.client.import_tilespecs(render.stack, iter(doubtful()), batch_size=2, render=render)


def by_threads(render, path):
    renderapi.client.import_tilespecs_parallel(
        render.stack, doubtful(), max_tilespecs_per_group=2, close_stack=False, render=render
    )


def by_file(render, path):
    renderapi.client.import_single_json_file(render.stack, str(path), render=render)


def by_files(render, path):
    renderapi.client.import_jsonfiles(render.stack, path, close_stack=False, render=render)


def by_files_in_threads(render, path):
    renderapi.client.import_jsonfiles_parallel(render.stack, [str(path)], close_stack=False, render=render)


def by_files_with_transforms(render, path):
    none = path.with_name("none.json")
    none.write_text("[]")
    documents = json.loads(gzip.decompress(path.read_bytes()))
    files = []
    for number in range(len(documents)):
        files.append(path.with_name(f"{number}.json"))
        files[-1].write_text(json.dumps(documents[number : number + 1]))
    importing.import_jsonfiles_and_transforms_parallel_by_z(
        render.stack, files, [none] * len(files), close_stack=False, render=render
    )


def by_put(render, path):
    put_tilespecs(render.stack, doubtful(), render=render)


WAYS = [
    by_list, by_rest, by_stream, by_threads, by_file, by_files, by_files_in_threads, by_files_with_transforms,
    by_put,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_each_kind_of_doubt_is_told_once_at_the_callers_line(render, tmp_path, way):
    path = tmp_path / "tiles.json.gz"
    path.write_bytes(gzip.compress(_json.dumps([t.to_dict() for t in doubtful()])))
    with pytest.warns(RenderWarning) as warned:
        way(render, path)
    texts = sorted(str(w.message) for w in warned)
    assert len(texts) == 3
    assert texts[0].startswith("1 of the tile specs imported have a singular affine transform")
    assert texts[0].endswith(": 'line'")
    assert texts[1].startswith("2 of the tile specs imported have a relative imageUrl or maskUrl")
    assert texts[1].endswith(": 'here' (images/a.tif), 'mask' (m.png)")
    assert texts[2].endswith("no z, so that they are in no layer: 'lost0', 'lost1', 'lost2' and 2 more")
    assert {w.filename for w in warned} == {__file__}


def pictures(folder):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).save(folder / "colour.png")
    Image.fromarray(rng.integers(0, 256, (4, 4), np.uint8)).save(folder / "gray.png")
    Image.fromarray(rng.random((4, 4)).astype(np.float32)).save(folder / "float.tif")
    fiji = {270: "ImageJ=1.53c\nmin=0.0\nmax=40000.0\n"}
    Image.fromarray(rng.random((4, 4)).astype(np.float32)).save(folder / "bright.tif", tiffinfo=fiji)
    (folder / "garbled.tif").write_bytes(b"II*\0" + bytes(5))
    os.mkfifo(folder / "pipe.png")


def test_a_range_that_leaves_colour_or_float_images_dark_is_told_once(render, tmp_path):
    pictures(tmp_path)
    names = ["gray.png", "colour.png", "float.tif", "bright.tif", "garbled.tif", "pipe.png", "none.png"]
    tiles = [tile(name, imageUrl=str(tmp_path / name)) for name in names]
    tiles.append(tile("file", imageUrl=f"file:{tmp_path / 'colour.png'}"))
    tiles.append(tile("fits", imageUrl=str(tmp_path / "colour.png"), maxint=255))
    tiles.append(tile("set", imageUrl=str(tmp_path / "float.tif"), maxint=30000))
    channel = Channel("red", 65535, 0, ImagePyramid({0: MipMap(str(tmp_path / "colour.png"))}))
    tiles.append(tile("channel", channels=[channel]))
    with pytest.warns(RenderWarning) as warned:
        renderapi.client.import_tilespecs(render.stack, tiles, render=render)
    (text,) = [str(w.message) for w in warned]
    assert text.startswith("4 of the tile specs imported have a display range that leaves their colour or")
    place = str(tmp_path / "colour.png")
    assert f": 'colour.png' (0 to 65535, {place:.60})" in text and "'float.tif'" in text
    assert warned[0].filename == __file__


def test_a_range_that_leaves_an_image_dark_does_so_in_the_renderer(tmp_path):
    pictures(tmp_path)
    for name, high, darkest in (("colour.png", 255, 200), ("colour.png", 65535, 0), ("float.tif", 65535, 0)):
        one = tile(name, imageUrl=str(tmp_path / name), maxint=high, width=4, height=4)
        drawn = rendering.render({"width": 4, "height": 4, "tileSpecs": [one]})
        assert drawn[..., :3].max() >= darkest
        assert high == 255 or not drawn[..., :3].any()


def test_of_many_images_a_hundred_are_looked_at(monkeypatch):
    looked = []
    monkeypatch.setattr(_doubts, "_brightest", looked.append)
    doubts = _doubts.Doubts()
    for _ in range(3):
        doubts.look([tile(str(i)).to_dict() for i in range(70)])
    assert len(looked) == 100


def test_of_a_list_it_is_told_before_anything_is_sent(render):
    with warnings.catch_warnings(), pytest.raises(RenderWarning, match="no z"):
        warnings.simplefilter("error")
        renderapi.client.import_tilespecs(render.stack, [tile("a", z=None)], render=render)
    assert renderapi.stack.get_z_values_for_stack(render.stack, render=render) == []


def test_a_shared_transform_that_is_singular_is_named(render):
    shared = AffineModel(0, 0, 0, 0, transformId="flat")
    with pytest.warns(RenderWarning, match=r"singular.*: 'flat' \(shared transform\)$") as warned:
        renderapi.client.import_tilespecs(
            render.stack, [tile("a", tforms=[ReferenceTransform("flat")])], [shared], render=render
        )
    assert len(warned) == 1


def test_java_is_given_the_same_tiles_with_the_same_doubts(tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(importing, "importJsonClient", lambda stack, **options: sent.append(options))
    monkeypatch.setattr(importing, "set_stack_state", lambda *args, **options: None)
    monkeypatch.setattr(importing, "_check_tiles", lambda *args: None)  # which asks the server
    connection = {
        "engine": "java",
        "check": False,
        "client_script": "run.sh",
        "host": "h",
        "port": 1,
        "owner": "o",
        "project": "p",
    }
    read = read_tilespecs(_json.dumps([tile("read").to_dict()]))
    with pytest.warns(RenderWarning) as warned:
        renderapi.client.import_tilespecs("s", [*read, *doubtful()], **connection)
    assert len(warned) == 3
    assert {w.filename for w in warned} == {__file__}
    assert vars(read[0]).keys() == {"_raw" if _json._HAS_MSGSPEC else "_doc"}
    for bad in (["a"], [tile("a", z="one")]):
        with pytest.raises(SpecError):
            renderapi.client.import_tilespecs_parallel("s", bad, **connection)
    assert len(sent) == 1


@pytest.mark.parametrize("z", ["one", True, [1], float("nan"), "inf"])
@pytest.mark.parametrize("stream", [list, iter])
def test_a_z_that_is_no_number_is_never_sent(render, z, stream):
    with pytest.raises(SpecError, match=r"z of tile 'a' is .*: it must be a finite number"):
        renderapi.client.import_tilespecs(render.stack, stream([tile("a", z=z)]), render=render)
    with pytest.raises(SpecError, match=r"z of tile 'a' is .*: it must be a finite number"):
        put_tilespecs(render.stack, [tile("a", z=z)], render=render)


def test_a_stream_of_something_else_says_which_item(render):
    with pytest.raises(SpecError, match=r"item 3 of tilespecs is 'x'.*not a tile spec \(2 tile specs before"):
        renderapi.client.import_tilespecs(
            render.stack, iter([tile("a"), tile("b"), tile("c"), "x"]), batch_size=2, render=render
        )


@pytest.mark.parametrize(
    "way", [renderapi.client.import_tilespecs, renderapi.client.import_tilespecs_parallel]
)
def test_stack_and_tiles_swapped(render, way):
    with pytest.raises(SpecError, match="swapped"):
        way([tile("a")], render.stack, render=render)
    with pytest.raises(SpecError, match="swapped"):
        put_tilespecs([tile("a")], render.stack, render=render)


@pytest.mark.parametrize("shared", [AffineModel(transformId="t"), "t", ["t"], [AffineModel], {"id": "t"}])
def test_shared_transforms_that_are_no_list_are_not_sent(render, shared):
    for way in (renderapi.client.import_tilespecs, renderapi.client.import_tilespecs_parallel):
        with pytest.raises(SpecError, match="sharedTransforms"):
            way(render.stack, [tile("a")], shared, render=render)
    with pytest.raises(SpecError, match="transforms"):
        put_tilespecs(render.stack, tilespecs=[tile("a")], shared_transforms=shared, render=render)


class Bar:
    def __init__(self):
        self.steps, self.texts = [], []

    def update(self, n):
        self.steps.append(n)

    def set_postfix_str(self, text):
        self.texts.append(text)


def test_checks_before_the_first_batch_are_shown(render, capsys):
    pytest.importorskip("tqdm")
    tiles = [tile(str(i)) for i in range(10)]
    renderapi.client.import_tilespecs(render.stack, tiles, render=render, progress=True)
    shown = capsys.readouterr().err
    assert shown.index("checking tile specs") < shown.index("importing tile specs")
    bar = Bar()
    renderapi.client.import_tilespecs(render.stack, tiles, render=render, progress=bar, batch_size=5)
    assert bar.texts == ["checking tile specs: 5 of 10", "checking tile specs: 10 of 10", ""]
    assert bar.steps == [5, 5]


def test_progress_of_reading_a_stack(render):
    renderapi.client.import_tilespecs_parallel(
        render.stack, [tile(str(i), z=float(i)) for i in range(3)], render=render
    )
    told = []
    tiles = renderapi.tilespec.get_tile_specs_from_stack(
        render.stack, render=render, progress=lambda done, total: told.append((done, total))
    )
    assert [t.tileId for t in tiles] == ["0", "1", "2"]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_progress_of_importing_matches(render):
    match = {"pGroupId": "1", "qGroupId": "2", "pId": "a", "qId": "b"}
    match["matches"] = {"p": [[1.0], [2.0]], "q": [[1.0], [2.0]], "w": [1.0]}
    told = []
    renderapi.pointmatch.import_matches(
        "coll", [match, {**match, "qId": "c"}], render=render, progress=lambda *done: told.append(done)
    )
    assert told == [(2, 2)]
    bar = Bar()
    renderapi.pointmatch.import_matches("coll", [match], render=render, progress=bar)
    assert (bar.steps, bar.texts) == ([1], ["checking matches: 1 of 1", ""])


def test_the_doubts_of_a_stream_that_fails_are_told_too(render):
    renderapi.stack.set_stack_state(render.stack, "LOADING", render=render)
    put_tilespecs(render.stack, [tile("x")], render=render)
    renderapi.stack.set_stack_state(render.stack, "COMPLETE", render=render)
    with pytest.warns(RenderWarning, match="no z"), pytest.raises(ImportFailedError):
        renderapi.client.import_tilespecs(
            render.stack, iter([tile("a", z=None)]), use_rest=True, render=render
        )


def test_a_singular_transform_in_a_nested_list_is_found(render):
    nested = TransformList([AffineModel(), TransformList([AffineModel(0, 0, 0, 0)])])
    with pytest.warns(RenderWarning, match=r"singular.*: 'a'$") as warned:
        put_tilespecs(render.stack, [tile("a", tforms=[nested])], render=render)
    assert len(warned) == 1
