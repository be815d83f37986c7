"""The image endpoints: formats, boxes, caching, limits, and what may be opened for whom."""

import io
import json
import threading
import time

import numpy as np
import pytest
from embedded import Api, affine, make_tile
from PIL import Image

import renderapi.rendering
from renderapi.rendering import Sources, encoding, render, render16
from renderapi.rendering.outlines import draw_outlines
from renderapi.server import Store
from renderapi.server.endpoints import drawing
from renderapi.server.endpoints.refusals import Refusal

RNG = np.random.default_rng(3)
TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tiff": "image/tiff",
    "tiff16": "image/tiff",
    "png16": "image/png",
    "raw16": "application/octet-stream",
    "raw": "application/octet-stream",
}
BOX = "z/1/box/10,20,120,90,0.5"


@pytest.fixture
def folder(tmp_path):
    """Return a folder of images of 100 x 80 pixels, with a mask."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "b", "c"):
        pixels = RNG.integers(1, 256, (80, 100), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    mask = np.zeros((80, 100), np.uint8)
    mask[20:60, 30:70] = 255
    Image.fromarray(mask).save(folder / "m.png")
    return folder


def placed(folder, name, x, y, **more):
    levels = {"0": {"imageUrl": f"file:{folder}/{name}.png"}}
    box = (float(x), float(y), x + 100.0, y + 80.0)
    return make_tile(name, box=box, specs=[affine(f"1 0 0 1 {x} {y}")], mipmapLevels=levels, **more)


@pytest.fixture
def serving(folder):
    """Return a server that may open the images, with a stack of three tiles in a row."""
    with Store() as store:
        api = Api(store, image_roots=[folder])
        api.create()
        api.put_tiles(
            placed(folder, "a", 10, 20),
            placed(folder, "b", 90, 30, groupId="g"),
            placed(folder, "c", 170, 20),
        )
        yield api
        api.app.close()


def image(api, path, kind="png", **options):
    answer = api("GET", path, **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == TYPES[kind]
    return answer.data


def pixels(content):
    with Image.open(io.BytesIO(content)) as opened:
        return np.asarray(opened)


def expected(api, path, folder, kind="png", **changed):
    """Return the image that the render parameters of a path describe."""
    document = {**api.get(path), **changed}
    with Sources(roots=[folder]) as sources:
        draw = render16 if kind in encoding.SIXTEEN_BIT else render
        drawn = draw(document, sources=sources)
    return encoding.encode(drawn, kind, gray=document["convertToGray"])


# ------------------------------------------------------------------------------ formats and paths

FORMATS = {
    "z/1": ("jpeg", "png", "tiff"),
    BOX: tuple(TYPES),
    f"group/g/{BOX}": ("jpeg", "png", "tiff"),
    "tile/b": ("jpeg", "png", "tiff", "tiff16"),
    "tile/b/withNeighbors": ("jpeg",),
}


@pytest.mark.parametrize(
    ("path", "kind"), [(path, kind) for path, kinds in FORMATS.items() for kind in kinds]
)
def test_an_image_is_what_its_render_parameters_describe(serving, folder, path, kind):
    query = "?scale=0.7" if path == "z/1" else ""
    found = image(serving, f"{path}/{kind}-image{query}", kind)
    assert found == expected(serving, f"{path}/render-parameters{query}", folder, kind)


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"{path}/{kind}-image", kind in kinds) for path, kinds in FORMATS.items() for kind in TYPES],
)
def test_which_paths_exist(serving, path, status):
    assert (serving("GET", path).status_code != 404) == status


@pytest.mark.parametrize(("extension", "kind"), [("jpg", "jpeg"), ("png", "png"), ("tif", "tiff")])
@pytest.mark.parametrize("start", ["", "group/g/"])
def test_paths_of_dvid(serving, folder, start, extension, kind):
    found = image(serving, f"{start}dvid/imagetile/raw/xy/120_90/10_20_1/{extension}", kind)
    assert found == expected(serving, f"{start}z/1/box/10,20,120,90,1/render-parameters", folder, kind)


@pytest.mark.parametrize(
    "query",
    [
        "scale=0.25",
        "minIntensity=50&maxIntensity=200",
        "excludeMask=true&binaryMask=true",
        "fillWithNoise=true",
        "filter=true",
        "channels=none",
        "convertToGray=true",
    ],
)
def test_the_query_is_that_of_render_parameters(serving, folder, query):
    found = image(serving, f"{BOX}/jpeg-image?{query}", "jpeg")
    assert found == expected(serving, f"{BOX}/render-parameters?{query}", folder, "jpeg")


def test_only_jpeg_becomes_gray(serving):
    assert pixels(image(serving, BOX + "/jpeg-image?convertToGray=true", "jpeg")).shape == (45, 60)
    assert pixels(image(serving, BOX + "/jpeg-image", "jpeg")).shape == (45, 60, 3)
    assert pixels(image(serving, BOX + "/png-image?convertToGray=true")).shape == (45, 60, 4)
    assert pixels(image(serving, BOX + "/tiff-image?convertToGray=true", "tiff")).shape == (45, 60, 3)


def test_a_layer_is_small_unless_told_otherwise(serving):
    # 260 x 90 pixels at 0.01
    assert serving.refused("GET", "z/1/png-image") == (400, "Width (2) and height (0) must be > 0")
    assert pixels(image(serving, "z/1/png-image?scale=0.1")).shape == (9, 26, 4)
    assert serving.refused("GET", "z/2/png-image")[0] == 400


def test_a_tile_takes_its_own_query(serving, folder):
    query = "?normalizeForMatching=true&excludeAllTransforms=true&width=50&x=5&scale=0.5"
    found = image(serving, f"tile/a/png-image{query}")
    assert found == expected(serving, f"tile/a/render-parameters{query}", folder)
    assert pixels(found).shape == (40, 25, 4)


def test_a_box_without_tiles_is_transparent(serving):
    assert not pixels(image(serving, "z/1/box/1000,1000,20,10,1/png-image")).any()
    assert not pixels(image(serving, "z/7/box/0,0,20,10,1/png-image")).any()
    assert not pixels(image(serving, "z/7/box/0,0,20,10,1/tiff16-image", "tiff16")).any()


def test_bare_images_and_masks(serving, folder):
    tile = placed(folder, "a", 10, 20)
    tile["mipmapLevels"]["0"]["maskUrl"] = f"file:{folder}/m.png"
    serving.put_tiles(tile)
    for part, name in (("source", "a"), ("mask", "m")):
        found = pixels(image(serving, f"tile/a/{part}/png-image"))
        # the last row and column of a tile are never drawn
        assert np.array_equal(found[:-1, :-1, 0], pixels((folder / f"{name}.png").read_bytes())[:-1, :-1])
        small = image(serving, f"tile/a/{part}/jpeg-image?scale=0.5", "jpeg")
        assert small == expected(serving, f"tile/a/{part}/scale/0.5/render-parameters", folder, "jpeg")
        assert pixels(image(serving, f"tile/a/{part}/tiff-image", "tiff")).shape == (80, 100, 3)
    assert serving.refused("GET", "tile/b/mask/png-image")[0] == 400
    assert serving.refused("GET", "tile/none/source/png-image")[0] == 404


# ------------------------------------------------------------------------------ caching


def test_an_image_is_good_until_the_stack_is_modified(serving):
    answer = serving("GET", BOX + "/png-image")
    tag = answer.headers["ETag"]
    assert answer.headers["Cache-Control"] == "no-transform, max-age=3600"
    modified = serving.get("")["lastModifiedTimestamp"]
    stamp = np.datetime64(modified.removesuffix("Z"), "ms").astype("int64")
    assert tag == f'"{stamp}"'
    for known in (tag, f'"1", {tag}', f"W/{tag}", "*"):
        again = serving("GET", BOX + "/png-image", headers={"If-None-Match": known})
        assert (again.status_code, again.data) == (304, b"")
        assert (again.headers["ETag"], again.headers["Cache-Control"]) == (tag, "no-transform, max-age=3600")
    assert serving("GET", BOX + "/png-image", headers={"If-None-Match": '"1"'}).status_code == 200
    time.sleep(0.002)
    serving.state("COMPLETE")
    assert serving("GET", BOX + "/png-image", headers={"If-None-Match": tag}).status_code == 200


def test_what_is_known_is_not_drawn_again(serving, monkeypatch):
    tag = serving("GET", BOX + "/png-image").headers["ETag"]
    monkeypatch.setattr(renderapi.rendering, "render", None)
    assert serving("GET", "tile/a/png-image", headers={"If-None-Match": tag}).status_code == 304


def test_a_refusal_is_not_kept(serving):
    answer = serving("GET", "tile/none/png-image")
    assert answer.status_code == 404 and not {"ETag", "Cache-Control"} & set(answer.headers)
    assert "ETag" not in serving("GET", "z/1/render-parameters").headers


@pytest.mark.parametrize("path", [*FORMATS, "tile/none/source", "tile/none/withNeighbors"])
def test_the_stack_must_be_there_before_anything_else(serving, path):
    kind = "jpeg"
    for query in ("", "?maxTileSpecsToRender=-1"):
        status, text = serving.refused("GET", f"{path}/{kind}-image{query}", stack="none")
        assert (status, text) == (404, "stack with owner 'o', project 'p', and name 'none' does not exist")
    headers = {"If-None-Match": "*"}
    assert serving("GET", f"{path}/{kind}-image", stack="none", headers=headers).status_code == 404


# ------------------------------------------------------------------------------ boxes instead of pixels


def boxes(api, path, query=""):
    return encoding.encode(draw_outlines(api.get(f"{path}/render-parameters{query}")), "png")


def test_more_tiles_than_asked_for_are_boxes(serving):
    path = "z/1/box/0,0,300,120,1"
    assert len(serving.get(f"{path}/render-parameters")["tileSpecs"]) == 3
    outlines = boxes(serving, path)
    for limit, drawn in ((0, True), (2, True), (3, False)):
        found = image(serving, f"{path}/png-image?maxTileSpecsToRender={limit}")
        assert (found == outlines) == drawn
    assert image(serving, "z/1/png-image?scale=0.5&maxTileSpecsToRender=1") == boxes(
        serving, "z/1", "?scale=0.5"
    )
    # where there are no colours, they are white
    gray = pixels(image(serving, f"{path}/png16-image?maxTileSpecsToRender=0", "png16"))
    assert np.array_equal(
        gray, draw_outlines(serving.get(f"{path}/render-parameters"))[:, :, 3] * np.uint16(257)
    )


def test_boxes_need_no_images(api):
    api.create()
    api.put_tiles(make_tile("x", specs=[{"className": "no.such.Transform", "dataString": ""}]))
    assert pixels(image(api, "z/1/png-image?scale=1&maxTileSpecsToRender=0")).any()
    assert pixels(image(api, "tile/x/withNeighbors/jpeg-image?boundingBoxesOnly=true", "jpeg")).any()
    assert api("GET", "tile/x/withNeighbors/jpeg-image").status_code == 400


@pytest.mark.parametrize("limit", ["0", "2"])
def test_the_limit_of_the_server(folder, limit):
    with Store() as store:
        api = Api(store, image_roots=[folder], properties={"webService.maxTileSpecsToRender": limit})
        api.create()
        tiles = [placed(folder, "a", 10, 20), placed(folder, "b", 90, 30), placed(folder, "c", 170, 20)]
        api.put_tiles(*tiles)
        assert image(api, "z/1/png-image?scale=0.5") == boxes(api, "z/1", "?scale=0.5")
        own = image(api, "z/1/png-image?scale=0.5&maxTileSpecsToRender=9")
        assert own == expected(api, "z/1/render-parameters?scale=0.5", folder)
        # one tile is more than none
        drawn = boxes(api, "tile/a") if limit == "0" else expected(api, "tile/a/render-parameters", folder)
        assert image(api, "tile/a/png-image") == drawn
        body = api.get("z/1/render-parameters?scale=0.5")
        assert api("PUT", "/owner/o/png-image", body).data == boxes(api, "z/1", "?scale=0.5")
        near = api.get("tile/b/withNeighbors/render-parameters")
        assert len(near["tileSpecs"]) == 3
        around = api("GET", "tile/b/withNeighbors/jpeg-image").data
        assert around == encoding.encode(draw_outlines(near), "jpeg")
        api.app.close()


@pytest.mark.parametrize("limit", ["many", "-1", "1.5", ""])
def test_a_limit_that_is_none(limit):
    with Store() as store, pytest.raises(ValueError, match="maxTileSpecsToRender is "):
        Api(store, properties={"webService.maxTileSpecsToRender": limit})


def test_the_overlay_of_warp_fields_is_not_offered(serving):
    assert serving.refused("GET", BOX + "/png-image?maxTileSpecsToRender=-1")[0] == 501
    body = {**serving.get("tile/a/render-parameters"), "addWarpFieldDebugOverlay": True}
    status, text = serving.refused("PUT", "/owner/o/png-image", body)
    assert (status, text.split(";")[0]) == (
        501,
        "The embedded server does not offer the overlay of warp fields",
    )


def test_averages_of_channels_that_no_tile_has_are_an_internal_error(serving):
    """A render-ws stops there; a single channel that is not there, and no tile at all, are transparent."""
    refused = serving.refused("GET", BOX + "/png-image?channels=A__0.5__B__0.5")
    assert refused == (500, "no tile has anything to average: none shows a channel A or B")
    assert not pixels(image(serving, BOX + "/png-image?channels=A")).any()
    assert not pixels(image(serving, BOX.replace("/1/", "/9/") + "/png-image?channels=A__0.5__B__0.5")).any()


def test_bad_transforms_of_what_is_put_are_refused_in_the_words_of_render(serving):
    body = serving.get("tile/a/render-parameters")
    tile = body["tileSpecs"][0]
    for spec, words in [
        ({"type": "ref", "refId": "x"}, "spec 'null' has the following unresolved references: [x]"),
        (affine("x"), "Inappropriate parameters for mpicbg.trakem2.transform.AffineModel2D"),
    ]:
        tile["transforms"]["specList"] = [spec]
        for kind in ("png", "jpeg", "tiff"):
            assert serving.refused("PUT", f"/owner/o/{kind}-image", body) == (400, words)


def test_a_box_of_an_offline_stack_is_one_without_tiles(api):
    """Everything else of its layers is not there, as in render-ws."""
    api.in_state("OFFLINE")
    for path in ("z/1/box/0,0,9,9,1", "group/g/z/1/box/0,0,9,9,1"):
        assert api.get(path + "/render-parameters")["tileSpecs"] == []
        assert not pixels(image(api, path + "/png-image")).any()
    for path in ("z/1/box/0,0,9,9/tile-count", "z/1/png-image", "z/1/render-parameters"):
        assert api.refused("GET", path)[0] == 404


# ------------------------------------------------------------------------------ large data


def test_a_tile_of_a_pyramid(serving, folder):
    for level, row, column, box in [
        (0, 0, 0, "0,0,64,32,1"),
        (0, 1, 2, "128,32,64,32,1"),
        (1, 1, 1, "128,64,128,64,0.5"),
    ]:
        for extension, kind in (("jpg", "jpeg"), ("png", "png")):
            found = image(serving, f"largeDataTileSource/64/32/{level}/1/{row}/{column}.{extension}", kind)
            assert found == expected(serving, f"z/1/box/{box}/render-parameters", folder, kind)


def test_the_level_that_makes_the_shift_of_java_negative_is_an_empty_pixel(serving):
    for level in (-1, 31):
        assert pixels(image(serving, f"largeDataTileSource/64/32/{level}/1/0/0.png")).tolist() == [[[0] * 4]]


def test_a_tile_of_a_pyramid_has_at_most_forty_tiles(api):
    api.create()
    api.put_tiles(*[make_tile(f"t{number}") for number in range(41)])
    assert pixels(image(api, "largeDataTileSource/64/32/0/1/0/0.png")).any()
    assert api("GET", "largeDataTileSource/64/32/0/1/0/0.png?maxTileSpecsToRender=41").status_code == 400


def test_levels_that_there_cannot_be(serving):
    for level in (32, -32, 2**31 - 1, -(2**31)):
        status, _ = serving.refused("GET", f"largeDataTileSource/64/32/{level}/1/0/0.png")
        assert status == 400


def test_materialized_files_are_sent(serving, folder):
    place = folder / "boxes" / "64x32" / "1" / "1" / "2"
    place.mkdir(parents=True)
    (place / "3.jpg").write_bytes(b"a file")
    small = folder / "boxes" / "64x32" / "small"
    small.mkdir()
    (small / "-1.png").write_bytes(b"another")
    serving.send("PUT", "materializedBoxRootPath", data=str(folder / "boxes"), content_type="text/plain")
    tile = "largeDataTileSource/64/32/1/1.7/2/3.jpg"
    answer = serving("GET", tile)
    assert (answer.data, answer.headers["Content-Type"]) == (b"a file", "image/jpeg")
    headers = {"If-None-Match": answer.headers["ETag"]}
    assert serving("GET", tile, headers=headers).status_code == 304
    assert serving("GET", "largeDataTileSource/64/32/small/-1.9.png").data == b"another"
    assert serving("GET", tile + "?maxTileSpecsToRender=0").data != b"a file"
    # what is not there, is no file or cannot be read is drawn
    (place / "4.jpg").mkdir()
    for column in (4, 5):
        assert serving("GET", f"largeDataTileSource/64/32/1/1/2/{column}.jpg").data[:2] == b"\xff\xd8"
    serving.send("PUT", "materializedBoxRootPath", data="\0", content_type="text/plain")
    assert serving("GET", tile).data[:2] == b"\xff\xd8"


def test_no_materialized_file_outside_of_the_image_roots(serving, folder, tmp_path):
    outside = tmp_path / "outside"
    for root in (outside, folder / "boxes"):
        (root / "64x32" / "1" / "1" / "2").mkdir(parents=True)
    secret = outside / "64x32" / "1" / "1" / "2" / "3.jpg"
    secret.write_bytes(b"secret")
    (folder / "boxes" / "64x32" / "1" / "1" / "2" / "3.jpg").symlink_to(secret)
    (folder / "link").symlink_to(outside)
    for root in (outside, folder / "link", f"{folder}/../outside", folder / "boxes", "relative"):
        serving.send("PUT", "materializedBoxRootPath", data=str(root), content_type="text/plain")
        assert serving("GET", "largeDataTileSource/64/32/1/1/2/3.jpg").data[:2] == b"\xff\xd8"


def test_a_layer_in_small(serving, folder):
    """Stack bounds are 10, 20 to 270, 110."""
    small = "largeDataTileSource/64/32/small/1"
    # without stats
    found = image(serving, f"{small}.png")
    assert found == expected(serving, "z/1/box/0,0,1,1,192/render-parameters", folder)
    serving.state("COMPLETE")
    for query, box in [
        ("", "0,0,270,110,{}"),
        ("?maxOverviewWidthAndHeight=54", "0,0,270,110,0.2"),
        ("?translateOrigin=true", "10,20,260,90,{}"),
        ("?scale=0.5", "0,0,270,110,0.5"),
    ]:
        scale = 192 / (260 if "translate" in query else 270)
        for extension, kind in (("jpg", "jpeg"), ("png", "png")):
            found = image(serving, f"{small}.{extension}{query}", kind)
            wanted = f"z/1/box/{box.format(repr(scale))}/render-parameters"
            assert found == expected(serving, wanted, folder, kind)
    assert pixels(found).shape == (55, 135, 4)
    assert serving.refused("GET", f"{small}.png?maxOverviewWidthAndHeight=0")[0] == 400
    assert serving.refused("GET", f"{small}.png?maxOverviewWidthAndHeight=-5")[0] == 400


@pytest.mark.parametrize("corner", [(-10.0, 20.0), (10.0, -20.0)])
def test_a_layer_in_small_begins_at_a_negative_minimum(folder, corner):
    with Store() as store:
        api = Api(store, image_roots=[folder])
        api.create()
        api.put_tiles(placed(folder, "a", *corner))
        api.state("COMPLETE")
        x, y = corner
        found = image(api, "largeDataTileSource/64/32/small/1.png")
        assert found == expected(api, f"z/1/box/{x},{y},100,80,1.92/render-parameters", folder)
        api.app.close()


def test_a_layer_of_nothing_in_small(api):
    api.create()
    api.put_tiles(make_tile("t", box=(0.0, 0.0, 0.5, 0.5)))
    api.state("COMPLETE")
    assert api.refused("GET", "largeDataTileSource/64/32/small/1.png") == (
        400,
        "Width (0) and height (0) must be > 0",
    )


# ------------------------------------------------------------------------------ render parameters of a client


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff"])
def test_render_parameters_of_a_client(serving, folder, kind):
    body = serving.get(f"{BOX}/render-parameters?convertToGray=true")
    answer = serving("PUT", f"/owner/anybody/{kind}-image", body)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == TYPES[kind]
    assert not {"ETag", "Cache-Control"} & set(answer.headers)
    assert answer.data == expected(serving, f"{BOX}/render-parameters?convertToGray=true", folder, kind)


def test_render_parameters_are_read_as_java_reads_them(serving, folder):
    body = serving.get(f"{BOX}/render-parameters")
    body |= {
        "width": "120",
        "x": "10",
        "unknown": 1,
        "backgroundRGBColor": 255.0,
        "skipInterpolation": "true",
    }
    found = serving("PUT", "/owner/o/png-image", body)
    changed = {"backgroundRGBColor": 255, "skipInterpolation": True}
    assert found.data == expected(serving, f"{BOX}/render-parameters", folder, **changed)
    assert len(serving("PUT", "/owner/o/jpeg-image", {**body, "quality": 0.2}).data) < len(
        serving("PUT", "/owner/o/jpeg-image", body).data
    )
    empty = serving("PUT", "/owner/o/png-image", {})
    assert pixels(empty.data).shape == (256, 256, 4) and not pixels(empty.data).any()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "Cannot read [] as an object for render parameters"),
        ({"width": "wide"}, "Cannot read 'wide' as an integer for width"),
        ({"width": 2**31}, "Cannot read 2147483648 as an integer for width"),
        ({"scale": "NaN"}, "scale is nan; it must be a finite number"),
        ({"width": 0}, "Width (0) and height (256) must be > 0"),
        ({"scale": 0.001}, "Width (0) and height (0) must be > 0"),
        ({"tileSpecs": {}}, "Cannot read {} as an array for tileSpecs"),
        ({"tileSpecs": [None]}, "Cannot read None as a tile spec"),
        ({"tileSpecs": [{"tileId": "t"}]}, "tile 't' does not contain any mipmapLevel elements"),
        ({"tileSpecUrl": "http://localhost/"}, "tileSpecUrl is not followed"),
        ({"in": "/etc/passwd"}, "in is not followed"),
        ({"filterSpecs": [{"className": "no.Filter"}]}, "no.Filter"),
        ({"channels": "A__0.7__B__0.7"}, "Channel B weight 0.7 is too large."),
        ({"width": 20000, "height": 20000}, "an image of 20000 x 20000 pixels is larger than the 268435456"),
        ({"width": 70000, "height": 10}, "at most 65500 pixels in each direction"),
        ({"quality": "Infinity"}, "quality"),
    ],
)
def test_bodies_that_cannot_be_drawn(serving, body, said):
    data = json.dumps(body).encode()
    status, text = serving.refused("PUT", "/owner/o/jpeg-image", data=data, content_type="application/json")
    assert status == 400 and said in text, text


# ------------------------------------------------------------------------------ limits, files, memory


def test_absurd_sizes_are_refused_before_memory_is_taken(serving):
    started = time.perf_counter()
    for box in ("0,0,2147483647,2147483647,1", "0,0,100,100,1e9", "0,0,100,100,1e308", "0,0,1,1,Infinity"):
        for kind in ("png", "raw16", "tiff"):
            assert serving.refused("GET", f"z/1/box/{box}/{kind}-image")[0] == 400
    assert time.perf_counter() - started < 5


def test_the_limit_of_pixels(folder):
    with Store() as store:
        api = Api(store, max_pixels=200)
        api.create()
        assert api("GET", "z/1/box/0,0,20,10,1/png-image").status_code == 200
        status, text = api.refused("GET", "z/1/box/0,0,201,1,1/png-image")
        assert (status, text) == (
            400,
            "an image of 201 x 1 pixels is larger than the 200 pixels that this server draws (max_pixels)",
        )


def with_image(url, **more):
    return make_tile("x", mipmapLevels={"0": {"imageUrl": url, **more}})


def test_images_that_cannot_be_read(serving, folder):
    (folder / "empty.png").write_bytes(b"")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:200])
    for name, said in [
        ("none.png", f"cannot find imageUrl file '{folder}/none.png'"),
        ("empty.png", f"imageUrl file '{folder}/empty.png' is empty"),
        ("broken.png", "broken.png"),
    ]:
        serving.put_tiles(with_image(f"file:{folder}/{name}"))
        status, text = serving.refused("GET", "tile/x/png-image")
        assert status == 400 and said in text, text
    serving.put_tiles(with_image(f"file:{folder}/a.png", maskUrl=f"file:{folder}/none.png"))
    assert "cannot find maskUrl file" in serving.refused("GET", "tile/x/png-image")[1]


def test_no_file_outside_of_the_image_roots_is_read(serving, folder, tmp_path):
    secret = tmp_path / "secret.png"
    Image.fromarray(np.full((80, 100), 77, np.uint8)).save(secret)
    (folder / "link.png").symlink_to(secret)
    told = set()
    for url in (
        secret,
        f"file:{secret}",
        f"file://{secret}",
        folder / "link.png",
        folder / ".." / "secret.png",
    ):
        for part in ("imageUrl", "maskUrl"):
            levels = {"imageUrl": f"file:{folder}/a.png", part: str(url)}
            serving.put_tiles(make_tile("x", mipmapLevels={"0": levels}))
            for path in ("tile/x/png-image", "z/1/box/0,0,100,80,1/tiff16-image"):
                status, text = serving.refused("GET", path)
                assert status == 400 and "image" in text
                told.add(text.replace("maskUrl", "imageUrl"))
            body = serving.get("tile/x/render-parameters")
            assert serving.refused("PUT", "/owner/o/png-image", body)[0] == 400
    # a path builder leads nowhere else
    serving.put_tiles(with_image(f"file:{folder}/a.png"))
    builder = {"rootPath": str(tmp_path), "numberOfLevels": 3, "extension": "png"}
    body = serving.get("tile/x/render-parameters?scale=0.25") | {"mipmapPathBuilder": builder}
    (tmp_path / "1").mkdir()
    there = tmp_path / "2" / str(folder).lstrip("/")
    there.mkdir(parents=True)
    Image.fromarray(np.full((20, 25), 77, np.uint8)).save(there / "a.png.png")
    answer = serving("PUT", "/owner/o/png-image", body)
    assert answer.status_code == 400 or 77 not in np.unique(pixels(answer.data))


def test_a_server_without_image_roots_says_how_to_allow_them(api, folder):
    api.create()
    api.put_tiles(placed(folder, "a", 0, 0))
    texts = {api.refused("GET", "tile/a/png-image") for _ in range(2)}
    api.put_tiles(with_image(f"file:{folder}/none.png"))
    ((status, text),) = texts
    assert status == 400 and "--image-root" in text
    # whether there is such a file is not told
    other = api.refused("GET", "tile/x/png-image")[1]
    assert other.replace("none.png", "a.png") == text


def test_other_servers_are_not_asked_unless_that_is_allowed(serving):
    serving.put_tiles(with_image("http://127.0.0.1:9/a.png"))
    status, text = serving.refused("GET", "tile/x/png-image")
    assert status == 400 and "--image-http" in text


def test_images_are_kept_until_they_are_cleared(serving, folder):
    image(serving, "tile/a/png-image")
    sources = serving.app.server.drawing.sources
    reference = renderapi.rendering.ImageReference(f"file:{folder}/a.png")
    before = sources.image(reference)
    assert sources.image(reference) is before
    serving.send("DELETE", "/imageProcessorCache/allEntries")
    assert sources.image(reference) is not before


def test_clearing_and_closing_what_was_never_opened(api):
    api.send("DELETE", "/imageProcessorCache/allEntries")
    api.app.close()


def test_no_more_images_at_a_time_than_cores(monkeypatch):
    monkeypatch.setattr(drawing, "cores", lambda: 2)
    painter = drawing.Drawing()
    running, most = [], []
    lock = threading.Lock()

    def slow(parameters, **more):
        with lock:
            running.append(1)
            most.append(len(running))
        time.sleep(0.02)
        with lock:
            running.pop()
        return np.zeros((5, 5, 4), np.uint8)

    monkeypatch.setattr(renderapi.rendering, "render", slow)
    threads = [
        threading.Thread(target=painter.draw, args=({"width": 5, "height": 5}, "raw")) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(most) == 8 and max(most) == 2
    # what fails gives its place back
    monkeypatch.setattr(renderapi.rendering, "render", lambda *args, **more: [].pop())
    for _ in range(3):
        with pytest.raises(IndexError):
            painter.draw({"width": 5, "height": 5}, "raw")
    with pytest.raises(Refusal, match="larger than"):
        painter.draw({"width": 1 << 15, "height": 1 << 15}, "raw")
    painter.close()


def test_cores(monkeypatch):
    assert drawing.cores() >= 1
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert drawing.cores() >= 1


def test_many_images_at_once(serving, folder):
    paths = [f"z/1/box/{x},0,50,50,1/png-image" for x in range(0, 200, 10)]
    alone = [image(serving, path) for path in paths]
    serving.send("DELETE", "/imageProcessorCache/allEntries")
    found = {}

    def ask(number):
        found[number] = serving.app.test_client().get(serving.url(paths[number])).data

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [found[number] for number in range(len(paths))] == alone


def test_everything_works_without_numba(serving, folder, monkeypatch):
    path = BOX + "/png-image"
    before = image(serving, path)
    monkeypatch.setitem(__import__("sys").modules, "renderapi.rendering._compiled", None)
    assert image(serving, path) == before


# ------------------------------------------------------------------------------ the first image


@pytest.fixture
def engines(monkeypatch):
    """Return the engines that images were asked of."""
    asked = []

    def noted(parameters, *, sources, engine, **more):
        asked.append(engine)
        return render(parameters, sources=sources, **more)

    monkeypatch.setattr(renderapi.rendering, "render", noted)
    monkeypatch.setattr(drawing, "find_spec", lambda name: name)
    return asked


def wait_for_painter():
    for thread in threading.enumerate():
        if thread.name == "renderapi-painter":
            thread.join(30)
            assert not thread.is_alive()


def test_while_the_painter_is_compiled_numpy_paints(serving, engines, monkeypatch):
    compiled = threading.Event()
    monkeypatch.setattr(renderapi.rendering, "prepare", lambda: compiled.wait(30))
    serving.app.server.drawing.prepare()
    assert serving("GET", f"{BOX}/png-image").status_code == 200
    compiled.set()
    wait_for_painter()
    assert serving("GET", f"{BOX}/png-image").status_code == 200
    assert engines == ["numpy", None]


def test_a_painter_that_cannot_be_compiled_is_told_of_and_done_without(serving, engines, monkeypatch, caplog):
    def broken():
        raise RuntimeError("no compiler")

    monkeypatch.setattr(renderapi.rendering, "prepare", broken)
    serving.app.server.drawing.prepare()
    wait_for_painter()
    assert serving("GET", f"{BOX}/png-image").status_code == 200
    assert engines == ["numpy"]
    assert "the compiled painter cannot be used" in caplog.text and "no compiler" in caplog.text


def test_a_server_without_images_compiles_nothing(monkeypatch):
    prepared = []
    monkeypatch.setattr(renderapi.rendering, "prepare", lambda: prepared.append(True))
    drawing.Drawing().prepare()
    wait_for_painter()
    assert prepared == []


def test_without_numba_there_is_nothing_to_wait_for(serving, engines, monkeypatch):
    monkeypatch.setattr(drawing, "find_spec", lambda name: None)
    serving.app.server.drawing.prepare()
    assert serving("GET", f"{BOX}/png-image").status_code == 200
    assert engines == [None]
