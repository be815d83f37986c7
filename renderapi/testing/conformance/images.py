"""RenderImageService and TileImageService: pixels, formats, boxes, and what a client may keep.

The images of the tiles are computed (``DYNAMIC_MASK``), so that no server needs a file for these tests.
"""

# ruff: noqa: S101 (these are tests)
from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from renderapi.testing.conformance._base import (
    MISSING,
    STACK,
    Call,
    ServiceConformance,
    configurable,
    inferred,
    of_master,
    rows,
)
from renderapi.testing.documents import affine, make_tile
from renderapi.testing.rest import Rest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[Any]

JPEG, PNG, TIFF, RAW = "image/jpeg", "image/png", "image/tiff", "application/octet-stream"
TYPES = {"jpeg": JPEG, "png": PNG, "tiff": TIFF, "tiff16": TIFF, "png16": PNG, "raw16": RAW, "raw": RAW}
COMMON = ("jpeg", "png", "tiff")
EXTENSIONS = {"jpg": "jpeg", "png": "png", "tif": "tiff"}


def white_box(left: int, top: int, right: int, bottom: int, **more: Any) -> dict[str, Any]:
    """Make a mipmap of 100 x 80 pixels that is white in a box, and black around it."""
    url = f"mask://outside-box?minX={left}&minY={top}&maxX={right}&maxY={bottom}&width=100&height=80"
    return {"imageUrl": url, "imageLoaderType": "DYNAMIC_MASK", **more}


def pictured(name: str, x: float, y: float, mipmap: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Make a tile at a place."""
    return make_tile(
        name,
        1.0,
        (x, y, x + 100.0, y + 80.0),
        specs=[affine(f"1 0 0 1 {x} {y}")],
        mipmapLevels={"0": mipmap},
        **more,
    )


WHITE = white_box(0, 0, 100, 80)
BLACK = white_box(0, 0, 0, 0)
MASKED = {
    **WHITE,
    "maskUrl": white_box(0, 0, 50, 80)["imageUrl"],
    "maskLoaderType": "DYNAMIC_MASK",
}
A = pictured("a", 10.0, 20.0, white_box(20, 10, 60, 50))
B = pictured("b", 90.0, 20.0, WHITE, groupId="g")

BOX_PATH = "/z/{z}/box/{x},{y},{width},{height},{scale}"
DVID_PATH = "/dvid/imagetile/raw/xy/{width}_{height}/{x}_{y}_{z}"
LARGE_PATH = STACK + "/largeDataTileSource/{width}/{height}"
AREA = {"z": "1", "x": "0", "y": "0", "width": "60", "height": "40", "scale": "0.5", "groupId": "g"}
PLACE = {**AREA, "level": "0", "row": "0", "column": "0"}
OF_A = {"tileId": "a"}
BODY = {"width": 60, "height": 40, "scale": 0.5}


def calls() -> list[tuple[Call, str, tuple[int, int]]]:
    """Return a call of every endpoint, the kind of its image, and width and height."""
    listed: list[tuple[Call, str, tuple[int, int]]] = []
    for kind in COMMON:
        listed += [
            (Call("PUT", f"/owner/{{owner}}/{kind}-image", body=BODY), kind, (30, 20)),
            (Call("GET", f"{STACK}/z/{{z}}/{kind}-image", where=AREA, query="?scale=0.1"), kind, (18, 8)),
            (Call("GET", f"{STACK}/group/{{groupId}}{BOX_PATH}/{kind}-image", where=AREA), kind, (30, 20)),
            (Call("GET", f"{STACK}/tile/{{tileId}}/source/{kind}-image", where=OF_A), kind, (100, 80)),
            (
                Call("GET", f"{STACK}/tile/{{tileId}}/mask/{kind}-image", where={"tileId": "m"}),
                kind,
                (100, 80),
            ),
        ]
    for kind in TYPES:
        listed.append((Call("GET", f"{STACK}{BOX_PATH}/{kind}-image", where=AREA), kind, (30, 20)))
    for extension, kind in EXTENSIONS.items():
        for start in (STACK, STACK + "/group/{groupId}"):
            listed.append((Call("GET", f"{start}{DVID_PATH}/{extension}", where=AREA), kind, (60, 40)))
        if kind != "tiff":
            tile = LARGE_PATH + f"/{{level}}/{{z}}/{{row}}/{{column}}.{extension}"
            listed.append((Call("GET", tile, where=PLACE), kind, (60, 40)))
            small = Call("GET", f"{LARGE_PATH}/small/{{z}}.{extension}", where=AREA, state="COMPLETE")
            listed.append((small, kind, (192, 101)))
    for kind in (*COMMON, "tiff16"):
        listed.append((Call("GET", f"{STACK}/tile/{{tileId}}/{kind}-image", where=OF_A), kind, (100, 80)))
    near = f"{STACK}/tile/{{tileId}}/withNeighbors/jpeg-image"
    return [*listed, (Call("GET", near, where=OF_A), "jpeg", (160, 128))]


CALLS = calls()
ENDPOINTS = [call for call, _, _ in CALLS]

# path below a stack that there is not
PATHS_OF_STACKS = [
    ("layer", "z/1/jpeg-image"),
    ("box", "z/1/box/0,0,9,9,1/png-image"),
    ("group", "group/g/z/1/box/0,0,9,9,1/png-image"),
    ("tile", "tile/a/png-image"),
    ("source", "tile/a/source/png-image"),
    ("neighbours", "tile/a/withNeighbors/jpeg-image"),
    ("large data", "largeDataTileSource/9/9/0/1/0/0.jpg"),
]

# path, value inside of the white box, outside of it
RANGES = [
    ("default", "", 255, 0),
    ("whole", "?minIntensity=0&maxIntensity=255", 255, 0),
    ("twice", "?minIntensity=0&maxIntensity=510", 128, 0),
    ("narrow", "?minIntensity=100&maxIntensity=200", 255, 0),
]


def decoded(answer: Any) -> Pixels:
    """Decode an image file."""
    from PIL import Image

    assert answer.status_code == 200, (answer.status_code, answer.text)
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.array(image)


class ImageConformance(ServiceConformance):
    """Images, section 6 of the behaviour of render-ws."""

    @pytest.fixture
    def pictures(self, loading: Rest) -> Rest:
        """Return a stack with a tile a of 100 x 80 pixels at 10, 20, and b, white, of group g, to its right."""
        loading.put_tiles(A, B)
        return loading

    @inferred
    @pytest.mark.parametrize(("call", "kind", "size"), CALLS, ids=[str(call) for call in ENDPOINTS])
    def test_endpoint(self, pictures: Rest, call: Call, kind: str, size: tuple[int, int]) -> None:
        """Every endpoint gives an image of its type and size."""
        pictures.put_tiles(make_tile("m", 2.0, mipmapLevels={"0": MASKED}))
        pictures.bring_to(call.state)
        answer = pictures(call.method, call.filled_path, call.body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == TYPES[kind]
        width, height = size
        if kind.startswith("raw"):
            assert len(answer.content) == width * height * (2 if kind == "raw16" else 4)
            return
        depth = () if kind in ("tiff16", "png16") else (4,) if kind == "png" else (3,)
        assert decoded(answer).shape == (height, width, *depth)

    @inferred
    def test_pixels_of_a_box(self, pictures: Rest) -> None:
        """Where a tile is there are its values, elsewhere black; all opaque."""
        found = decoded(pictures("GET", "z/1/box/0,0,80,80,1/png-image"))
        assert (found[:, :, 3] == 255).all()
        assert np.array_equal(found[:, :, 0], found[:, :, 2])
        expected = np.zeros((80, 80), np.uint8)
        # white from 20, 10 to 60, 50 of a tile at 10, 20
        expected[30:70, 30:70] = 255
        assert np.array_equal(found[:, :, 0], expected)

    @inferred
    def test_formats_hold_the_same_pixels(self, pictures: Rest) -> None:
        """TIFF drops alpha, raw begins with it, 16 bits keep the values of the source."""
        box = "z/1/box/0,0,80,80,1"
        png = decoded(pictures("GET", f"{box}/png-image"))
        assert np.array_equal(decoded(pictures("GET", f"{box}/tiff-image")), png[:, :, :3])
        raw = np.frombuffer(pictures("GET", f"{box}/raw-image").content, np.uint8).reshape(80, 80, 4)
        assert np.array_equal(raw, png[:, :, [3, 0, 1, 2]])
        gray = png[:, :, 0].astype(np.uint16)
        for kind in ("tiff16", "png16"):
            assert np.array_equal(decoded(pictures("GET", f"{box}/{kind}-image")), gray)
        raw16 = np.frombuffer(pictures("GET", f"{box}/raw16-image").content, ">u2").reshape(80, 80)
        assert np.array_equal(raw16, gray)
        jpeg = decoded(pictures("GET", f"{box}/jpeg-image")).astype(int)
        assert np.abs(jpeg[35:65, 35:65] - 255).max() < 5 and jpeg[:20].max() < 5

    @inferred
    def test_later_ids_are_painted_over_earlier_ones(self, pictures: Rest) -> None:
        """Tiles are painted by ascending id."""
        pictures.put_tiles(pictured("c", 40.0, 40.0, BLACK))
        found = decoded(pictures("GET", "z/1/box/30,30,40,40,1/png-image"))[:, :, 0]
        assert (found[:10] == 255).all() and (found[10:, 11:] == 0).all()

    @inferred
    @of_master
    def test_the_last_row_and_column_of_a_tile_are_black(self, pictures: Rest) -> None:
        """Where it lies on whole pixels."""
        found = decoded(pictures("GET", "z/1/box/90,20,100,80,1/png-image"))[:, :, 0]
        assert (found[-1] == 0).all() and (found[:, -1] == 0).all()

    @inferred
    @rows(*RANGES, names="query, inside, outside")
    def test_intensities(self, pictures: Rest, query: str, inside: int, outside: int) -> None:
        """Minimum and maximum intensity are a display range."""
        found = decoded(pictures("GET", f"tile/a/png-image{query}"))[:, :, 0]
        assert (found[15:45, 25:55] == inside).all() and (found[55:79, 2:98] == outside).all()

    @inferred
    def test_masks(self, pictures: Rest) -> None:
        """What a mask covers is transparent, unless masks are left out; JPEG shows black there."""
        pictures.put_tiles(pictured("m", 0.0, 500.0, MASKED))
        found = decoded(pictures("GET", "tile/m/png-image"))
        assert (found[2:78, 2:48] == 255).all() and (found[2:78, 52:98, 3] == 0).all()
        found = decoded(pictures("GET", "tile/m/png-image?excludeMask=true"))
        assert (found[2:78, 2:98] == 255).all()
        assert decoded(pictures("GET", "tile/m/jpeg-image"))[16:64, 66:].max() < 5

    @inferred
    def test_bare_image_and_mask(self, pictures: Rest) -> None:
        """The image as it is, without its mask, and the mask as an image."""
        pictures.put_tiles(pictured("m", 0.0, 500.0, MASKED))
        assert (decoded(pictures("GET", "tile/m/source/png-image"))[2:78, 2:98] == 255).all()
        mask = decoded(pictures("GET", "tile/m/mask/png-image"))
        assert (mask[2:78, 2:48, 0] == 255).all() and (mask[2:78, 52:98, 0] == 0).all()
        assert (mask[:, :, 3] == 255).all()

    def test_a_box_without_tiles(self, loading: Rest) -> None:
        """No tile, no pixel: transparent, black in JPEG."""
        assert not decoded(loading("GET", "z/1/box/0,0,20,10,1/png-image")).any()
        assert decoded(loading("GET", "z/1/box/0,0,20,10,1/jpeg-image")).max() < 5

    @inferred
    def test_a_channel_that_no_tile_has(self, pictures: Rest) -> None:
        """Nothing is drawn, and that is no error."""
        assert not decoded(pictures("GET", "tile/a/png-image?channels=DAPI")).any()

    @of_master
    def test_gray(self, loading: Rest) -> None:
        """Only JPEG becomes gray."""
        box = "z/1/box/0,0,20,10,1"
        for kind, shape in (("jpeg", (10, 20)), ("png", (10, 20, 4)), ("tiff", (10, 20, 3))):
            assert decoded(loading("GET", f"{box}/{kind}-image?convertToGray=true")).shape == shape

    @rows(
        ("a third", "0,0,100,50,0.33", "", (16, 33)),
        ("the query wins", "0,0,100,50,0.33", "?scale=0.5", (25, 50)),
        ("enlarged", "0,0,10,5,2.5", "", (12, 25)),
        names="box, query, shape",
    )
    def test_sizes_are_truncated(self, loading: Rest, box: str, query: str, shape: tuple[int, int]) -> None:
        """Width and height are cut off."""
        assert decoded(loading("GET", f"z/1/box/{box}/png-image{query}")).shape[:2] == shape

    @inferred
    @pytest.mark.parametrize(
        ("box", "width", "height"), [("0,0,10,10,0.05", 0, 0), ("0,0,10,100,0.05", 0, 5)]
    )
    def test_no_pixel(self, loading: Rest, box: str, width: int, height: int) -> None:
        """An image must have a pixel."""
        status, text = loading.refused("GET", f"z/1/box/{box}/png-image")
        # the words are those of the version of Java
        words = {
            f"Width ({width}) and height ({height}) {words}" for words in ("must be > 0", "cannot be <= 0")
        }
        assert status == 400 and text in words

    def test_what_is_not_there(self, pictures: Rest) -> None:
        """A layer without tiles is a bad request, a tile that is not there is not found."""
        assert pictures.status("GET", "z/7/png-image") == 400
        for path in ("tile/none/png-image", "tile/none/source/png-image", "tile/none/mask/png-image"):
            assert pictures.status("GET", path) == 404

    @inferred
    @rows(*PATHS_OF_STACKS, names="path")
    def test_the_stack_must_be_there(self, api: Rest, path: str) -> None:
        """The stack is looked up before anything else."""
        status, text = api.refused("GET", path)
        assert (status, text) == (404, api.fill(MISSING))

    def test_what_a_client_may_keep(self, pictures: Rest) -> None:
        """Images may be kept for an hour, and are good as long as the stack is not modified."""
        path = "z/1/box/0,0,20,10,1/png-image"
        answer = pictures("GET", path)
        text = pictures.get("")["lastModifiedTimestamp"]
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        tag = f'"{round(moment.timestamp() * 1000)}"'
        assert answer.headers["ETag"] == tag
        assert "max-age=3600" in answer.headers["Cache-Control"]
        again = pictures.session.get(
            pictures.url(path), headers={"If-None-Match": tag}, timeout=pictures.timeout
        )
        assert (again.status_code, again.content) == (304, b"")
        changed = pictures.session.get(
            pictures.url(path), headers={"If-None-Match": '"1"'}, timeout=pictures.timeout
        )
        assert changed.status_code == 200

    def test_images_of_a_body_are_not_kept(self, api: Rest) -> None:
        """What was put has no stack that could be modified."""
        answer = api("PUT", "/owner/{owner}/png-image", BODY)
        assert answer.status_code == 200
        assert not {"ETag", "Cache-Control"} & set(answer.headers)

    @inferred
    def test_tiles_of_a_body(self, api: Rest) -> None:
        """Tiles of a body are painted in its order, over its background."""
        body = {"x": 0, "y": 0, "width": 150, "height": 80, "backgroundRGBColor": 0x0000FF}
        first, second = pictured("b", 0.0, 0.0, MASKED), pictured("a", 20.0, 0.0, BLACK)
        found = decoded(api("PUT", "/owner/{owner}/png-image", {**body, "tileSpecs": [first, second]}))
        assert (found[2:78, 2:18] == 255).all()
        assert (found[2:78, 22:118] == [0, 0, 0, 255]).all()
        assert (found[2:78, 125:] == [0, 0, 255, 255]).all()

    @inferred
    @pytest.mark.parametrize("body", ["{", '{"width": "wide"}', '{"tileSpecs": {}}'])
    def test_bodies_that_are_none(self, api: Rest, body: str) -> None:
        """What are no render parameters is a bad request."""
        assert api("PUT", "/owner/{owner}/png-image", data=body).status_code == 400

    @inferred
    def test_boxes_of_tiles(self, loading: Rest) -> None:
        """More tiles than were asked for are drawn as boxes, whether they have images or not."""
        loading.put_tiles(make_tile("a", 1.0, (10.0, 5.0, 90.0, 60.0)), make_tile("b", 1.0))
        path = "z/1/box/0,0,100,80,1/png-image"
        found = decoded(loading("GET", path + "?maxTileSpecsToRender=1"))
        painted = found[:, :, 3] > 0
        assert painted[5, 15:85].all() and painted[10:55, 10].all() and not painted.all()
        assert (found[5, 15:85, :3] == [0, 255, 0]).all()
        near = loading("GET", "tile/a/withNeighbors/jpeg-image?boundingBoxesOnly=true")
        assert decoded(near)[:, :, 1].max() > 150

    @configurable
    def test_images_that_are_nowhere(self, loading: Rest) -> None:
        """An image that cannot be read is a bad request that names it."""
        loading.put_tiles(make_tile("t"))
        status, text = loading.refused("GET", "tile/t/png-image")
        assert status == 400 and "/images/t.png" in text

    @inferred
    def test_tiles_of_a_pyramid(self, pictures: Rest) -> None:
        """Row and column count tiles of a level, which halves the scale."""
        for place, box in (("0/1/1/2", "80,20,40,20,1"), ("1/1/1/0", "0,40,80,40,0.5")):
            found = decoded(pictures("GET", f"largeDataTileSource/40/20/{place}.png"))
            assert np.array_equal(found, decoded(pictures("GET", f"z/1/box/{box}/png-image")))

    @inferred
    def test_overviews(self, pictures: Rest) -> None:
        """A layer in small begins at the origin, or where the stack does."""
        pictures.bring_to("COMPLETE")
        small = "largeDataTileSource/9/9/small/1.png"
        for query, box in (
            ("", f"0,0,190,100,{192 / 190!r}"),
            ("?maxOverviewWidthAndHeight=95", "0,0,190,100,0.5"),
            ("?maxOverviewWidthAndHeight=90&translateOrigin=true", "10,20,180,80,0.5"),
        ):
            found = decoded(pictures("GET", small + query))
            assert np.array_equal(found, decoded(pictures("GET", f"z/1/box/{box}/png-image")))
