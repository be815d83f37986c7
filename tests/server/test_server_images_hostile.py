"""Whatever render parameters say, the server draws them or tells why not, and opens nothing that it may not."""

import io
import json
import os
import sys
import threading
import time

import numpy as np
import pytest
from embedded import affine, make_tile
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from test_server_hostile import variants

from renderapi.server import serve_background

# what the specification lets end with 500, and what is not offered
EXPECTED = (
    "A null spec is part of the transform spec list",
    "an interpolated transform has no ",
    "the transforms of a tile spec must not be null",
    "the render parameters must not be null",
    "the tileSpecs must not be null",
    "The embedded server does not offer",
    "tile 'a' has no ",
    "tile 'b' has no ",
)
SECONDS = 20


class Watch:
    """Notes every file that is opened inside of the statement."""

    watching = []

    def __enter__(self):
        self.paths = []
        self.watching.append(self)
        return self

    def __exit__(self, *exception):
        self.watching.remove(self)

    @classmethod
    def hear(cls, event, arguments):
        if cls.watching and event in ("open", "os.listdir", "os.scandir") and arguments:
            path = arguments[0]
            if isinstance(path, (str, bytes, os.PathLike)):
                for watch in cls.watching:
                    watch.paths.append(os.path.realpath(os.fsdecode(path)))


# a hook cannot be taken away again
sys.addaudithook(Watch.hear)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with an image root, in which links lead out of it, and secrets beside it."""
    folder = tmp_path_factory.mktemp("hostile")
    root, secret = folder / "root", folder / "secret"
    for made in (root, secret, secret / "1", secret / "boxes"):
        made.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (40, 50), np.uint8)
    for name in ("a.png", "m.png", "t.tif"):
        Image.fromarray(pixels).save(root / name)
    Image.fromarray(pixels).save(secret / "s.png")
    (root / "link.png").symlink_to(secret / "s.png")
    (root / "folder").symlink_to(secret)
    (root / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(500))
    (root / "half.png").write_bytes((root / "a.png").read_bytes()[:300])
    (root / "text.tif").write_bytes(b"II*\0" + b"\xff" * 100)
    os.mkfifo(root / "pipe.png")
    return folder


@pytest.fixture(scope="module")
def server(place):
    with (
        serve_background(
            transport="memory", image_roots=[place / "root"], max_pixels=1 << 18, image_cache=1 << 24
        ) as server,
        server.session() as session,
    ):
        yield server.url + "/v1", session


def must_know_why(answer, sent):
    text = answer.text if answer.headers.get("Content-Type", "").startswith("text") else ""
    assert answer.status_code < 500 or text.startswith(EXPECTED), (answer.status_code, text, sent)
    assert answer.status_code not in (200, 304) or not text
    assert answer.status_code in (200, 304) or text, sent


def ask(server, place, method, path, body=None, data=None):
    """Send a request that must be answered in time, by opening nothing that is secret."""
    url, session = server
    if body is not None:
        data = json.dumps(body).encode()
    started = time.perf_counter()
    with Watch() as files:
        answer = session.request(method, url + path, data=data, headers={"Content-Type": "application/json"})
    assert time.perf_counter() - started < SECONDS, (path, body)
    secret = str(place / "secret")
    outside = [path for path in files.paths if path.startswith(secret) or path.startswith("/etc/")]
    assert not outside, (outside, path, body)
    must_know_why(answer, (path, body))
    return answer


def document(place, **more):
    root = place / "root"
    first = make_tile(
        "a",
        box=(0.0, 0.0, 50.0, 40.0),
        width=50.0,
        height=40.0,
        specs=[
            affine("1 0 0 1 0.5 0"),
            {"type": "interpolated", "a": affine(), "b": affine(), "lambda": 0.5},
        ],
        mipmapLevels={"0": {"imageUrl": f"file:{root}/a.png", "maskUrl": f"file:{root}/m.png"}},
    )
    second = make_tile(
        "b",
        width=50.0,
        height=40.0,
        channels=[
            {
                "name": "c",
                "minIntensity": 0.0,
                "maxIntensity": 300.0,
                "mipmapLevels": {
                    "0": {
                        "imageUrl": f"{root}/t.tif",
                        "imageLoaderType": "IMAGEJ_TIFF_STACK",
                        "imageSliceNumber": 1,
                    }
                },
            }
        ],
    )
    return {
        "meshCellSize": 64.0,
        "minMeshCellSize": 0.0,
        "x": 0.0,
        "y": 0.0,
        "width": 60,
        "height": 50,
        "scale": 0.5,
        "minIntensity": 0.0,
        "maxIntensity": 255.0,
        "convertToGray": False,
        "quality": 0.85,
        "skipInterpolation": False,
        "backgroundRGBColor": 255,
        "channels": "c",
        "mipmapPathBuilder": {"rootPath": str(root), "numberOfLevels": 2, "extension": "png"},
        "filterSpecs": [
            {
                "className": "org.janelia.alignment.filter.ValueToNoise",
                "parameters": {"value": "0", "min": "64", "max": "191"},
            }
        ],
        "tileSpecs": [first, second],
        **more,
    }


def bodies(place):
    whole = document(place)
    yield from variants(whole)
    # the channel of the first tile, too
    del whole["channels"]
    yield from variants({**whole, "tileSpecs": whole["tileSpecs"][:1]})


def test_some_documents_with_a_part_that_is_wrong(server, place):
    for number, body in enumerate(list(bodies(place))[::9]):
        kind = ("png", "jpeg", "tiff")[number % 3]
        ask(server, place, "PUT", f"/owner/o/{kind}-image", data=json.dumps(body).encode())


@pytest.mark.slow
def test_all_documents_with_a_part_that_is_wrong(server, place):
    for body in bodies(place):
        ask(server, place, "PUT", "/owner/o/png-image", data=json.dumps(body).encode())


# ------------------------------------------------------------------------------ numbers and transforms

NUMBERS = st.sampled_from(
    [0, -1, 1, 0.5, 1e-9, -1e-300, 1e9, 1e18, 1e300, -1e300, 2**31 - 1, -(2**31), 2**31, 1e308, 5e-324]
) | st.floats(-1000, 1000)
WORDS = st.sampled_from(["", " ", "NaN", "-Infinity", "1e999", "x", "1,2", "\0", "@", "@@AAAA"])
CLASSES = st.sampled_from(
    [
        "mpicbg.trakem2.transform.AffineModel2D",
        "mpicbg.trakem2.transform.TranslationModel2D",
        "mpicbg.trakem2.transform.RigidModel2D",
        "mpicbg.trakem2.transform.SimilarityModel2D",
        "mpicbg.trakem2.transform.HomographyModel2D",
        "mpicbg.trakem2.transform.PolynomialTransform2D",
        "mpicbg.trakem2.transform.NonLinearCoordinateTransform",
        "mpicbg.trakem2.transform.ThinPlateSplineTransform",
        "mpicbg.trakem2.transform.MovingLeastSquaresTransform2",
        "mpicbg.trakem2.transform.MovingLeastSquaresTransform",
        "org.janelia.alignment.transform.ExponentialFunctionOffsetTransform",
        "org.janelia.alignment.transform.SEMDistortionTransformA",
        "org.janelia.alignment.transform.AffineWarpFieldTransform",
        "no.such.Transform",
        "",
    ]
)
DATA = WORDS | st.lists(NUMBERS | WORDS, max_size=14).map(lambda values: " ".join(map(str, values)))
LEAVES = st.builds(lambda name, data: {"type": "leaf", "className": name, "dataString": data}, CLASSES, DATA)
SPECS = st.recursive(
    LEAVES | st.just({"type": "ref", "refId": "x"}),
    lambda inner: (
        st.builds(lambda specs: {"type": "list", "specList": specs}, st.lists(inner, max_size=3))
        | st.builds(
            lambda a, b, by: {"type": "interpolated", "a": a, "b": b, "lambda": by}, inner, inner, NUMBERS
        )
    ),
    max_leaves=4,
)
FILTERS = st.builds(
    lambda name, parameters: {"className": "org.janelia.alignment.filter." + name, "parameters": parameters},
    st.sampled_from(
        ["ValueToNoise", "NormalizeLocalContrast", "CLAHE", "RollingBallSubtraction", "Rank", "None", ""]
    ),
    st.dictionaries(
        st.sampled_from(
            ["value", "min", "max", "blockRadiusX", "blockRadiusY", "meanFactor", "center", "stretch", "fast"]
            + ["blockRadius", "bins", "slope"]
        ),
        (NUMBERS | WORDS | st.sampled_from(["true", "false", "5", "500"])).map(str),
        max_size=6,
    ),
)


def urls(place):
    root, secret = place / "root", place / "secret"
    names = ["a.png", "m.png", "t.tif", "link.png", "folder/s.png", "../secret/s.png", "none.png"]
    names += ["noise.png", "half.png", "text.tif", "pipe.png", "", ".", "a.png/x", "%2e%2e/secret/s.png"]
    local = [f"{root}/{name}" for name in names] + [
        str(secret / "s.png"),
        "/etc/passwd",
        "/dev/zero",
        "relative",
    ]
    schemes = [f"{scheme}{path}" for path in local for scheme in ("", "file:", "file://", "file://localhost")]
    masks = [
        "mask://outside-box?minX=5&minY=5&maxX=20&maxY=30&width=50&height=40",
        "mask://outside-box?minX=5&minY=5&maxX=20&maxY=30&width=999999999&height=999999999",
        "mask://outside-box?minX=0&minY=0&maxX=1&maxY=1&width=0&height=0",
        "mask://outside-box?minX=0&minY=0&maxX=1&maxY=1&width=50&height=40&level=99",
        "mask://",
    ]
    other = [
        "http://127.0.0.1:1/a.png",
        "s3://bucket/a.png",
        "ftp://x/y",
        "C:\\x.png",
        "\0",
        "a" * 5000,
        ":",
        "é",
    ]
    return st.sampled_from(schemes + masks + other)


LOADERS = st.sampled_from(
    ["IMAGEJ_DEFAULT", "IMAGEJ_TIFF_STACK", "H5_SLICE", "N5_SLICE", "IMAGEJ_COMPOSITE", "DYNAMIC_MASK"]
)


@st.composite
def documents(draw, place):
    """Make render parameters in which a few things are as nobody expects them."""
    body = document(place)
    for _ in range(draw(st.integers(1, 4))):
        tile = draw(st.sampled_from(body["tileSpecs"]))
        what = draw(st.integers(0, 8))
        if what == 0:
            key = draw(
                st.sampled_from(["x", "y", "width", "height", "scale", "meshCellSize", "minMeshCellSize"])
            )
            body[key] = draw(NUMBERS | WORDS)
        elif what == 1:
            key = draw(st.sampled_from(["width", "height", "meshCellSize", "minX", "maxX", "z"]))
            tile[key] = draw(NUMBERS | WORDS)
        elif what == 2:
            tile["transforms"] = {"type": "list", "specList": draw(st.lists(SPECS, max_size=3))}
        elif what == 3:
            levels = (tile.get("channels") or [tile])[0]["mipmapLevels"]
            part = draw(st.sampled_from(["image", "mask"]))
            image = {f"{part}Url": draw(urls(place))}
            if draw(st.booleans()):
                image[f"{part}LoaderType"] = draw(LOADERS)
                image[f"{part}SliceNumber"] = draw(st.integers(-3, 3) | NUMBERS)
            base = levels.get("0") or {}
            key = draw(st.sampled_from(["0", "0", "0", "1", "7", "-1", "31", "2147483647", "x", ""]))
            if draw(st.integers(0, 3)) == 0:
                levels.clear()
            levels[key] = {**base, **image}
        elif what == 4:
            body["filterSpecs"] = draw(st.lists(FILTERS, max_size=2))
        elif what == 5:
            body["channels"] = draw(
                st.sampled_from(["", "c", "none", "c__0.5__d__0.5", "c__", "__", "c__0.7__d__0.7", "c__NaN"])
            )
        elif what == 6:
            root = draw(st.sampled_from([place / "root", place / "secret", place / "root" / "..", "", "/"]))
            body["mipmapPathBuilder"] = {
                "rootPath": str(root),
                "numberOfLevels": draw(st.sampled_from([0, 1, 5, -1, 2**31 - 1])),
                "extension": draw(st.sampled_from(["png", "", "/../../secret/s.png", "tif"])),
                "imageMipmapPatternString": draw(st.sampled_from(["(.*)(.*)", "((a+)+)+$", "(", "", "(.*)"])),
            }
        elif what == 7:
            key = draw(st.sampled_from(["minIntensity", "maxIntensity", "backgroundRGBColor", "quality"]))
            body[key] = draw(NUMBERS | WORDS)
        else:
            for flag in ("doFilter", "fillWithNoise", "binaryMask", "excludeMask", "convertToGray"):
                body[flag] = draw(st.booleans())
    return body


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@seed(11)
@given(data=st.data())
def test_documents_that_nobody_expects(server, place, data):
    body = data.draw(documents(place))
    kind = data.draw(st.sampled_from(["png", "jpeg", "tiff"]))
    answer = ask(server, place, "PUT", f"/owner/o/{kind}-image", body)
    if answer.status_code == 200:
        with Image.open(io.BytesIO(answer.content)) as image:
            image.load()


# ------------------------------------------------------------------------------ stored tiles, and their paths

STACK = "/owner/o/project/p/stack/s"
TEXT_NUMBERS = NUMBERS.map(repr) | st.sampled_from(["NaN", "Infinity", "x", "", "-0", "0x10"])
QUERY = st.dictionaries(
    st.sampled_from(
        ["scale", "minIntensity", "maxIntensity", "width", "height", "x", "y", "maxTileSpecsToRender"]
        + ["widthFactor", "heightFactor", "maxOverviewWidthAndHeight"]
    ),
    TEXT_NUMBERS,
    max_size=3,
)


@settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@seed(12)
@given(data=st.data())
def test_images_of_whatever_was_stored(server, place, data):
    url, session = server
    session.delete(url + STACK)
    builder = document(place)["mipmapPathBuilder"]
    version = {
        "materializedBoxRootPath": str(
            data.draw(st.sampled_from([place / "root", place / "secret" / "boxes", "../..", ""]))
        ),
        "mipmapPathBuilder": builder,
    }
    assert session.post(url + STACK, json=version).status_code == 201
    tiles = {"tileIdToSpecMap": {tile["tileId"]: tile for tile in data.draw(documents(place))["tileSpecs"]}}
    for tile in tiles["tileIdToSpecMap"].values():
        tile.setdefault("maxX", 50.0)
    session.put(url + STACK + "/resolvedTiles", json=tiles)
    session.put(url + STACK + "/state/COMPLETE")
    numbers = st.lists(TEXT_NUMBERS | st.integers(-3, 60).map(str), min_size=5, max_size=5)
    a, b, c, d, e = data.draw(numbers)
    path = data.draw(
        st.sampled_from(
            [
                f"/z/1/box/{a},{b},{c},{d},{e}/png-image",
                f"/z/1/box/0,0,{c},{d},{e}/tiff16-image",
                "/z/1/box/0,0,60,50,0.5/raw-image",
                "/z/1/jpeg-image",
                f"/dvid/imagetile/raw/xy/{a}_{b}/{c}_{d}_1/jpg",
                f"/largeDataTileSource/{a}/{b}/{c}/1/{d}/{e}.png",
                f"/largeDataTileSource/{a}/{b}/small/1.jpg",
                "/tile/a/png-image",
                "/tile/b/tiff16-image",
                "/tile/a/source/png-image",
                "/tile/a/mask/jpeg-image",
                "/tile/b/withNeighbors/jpeg-image",
            ]
        )
    )
    query = data.draw(QUERY)
    ask(server, place, "GET", STACK + path + "?" + "&".join(f"{key}={value}" for key, value in query.items()))


def test_a_server_under_attack_still_answers(server, place):
    url, session = server
    body = json.dumps(document(place)).encode()
    done = []

    def attack(number):
        nasty = body if number % 2 else body.replace(b'"width": 60', b'"width": 2000000000')
        for _ in range(5):
            answer = session.put(
                url + "/owner/o/png-image", data=nasty, headers={"Content-Type": "application/json"}
            )
            done.append(answer.status_code)

    threads = [threading.Thread(target=attack, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    assert session.get(url + "/owners").status_code == 200
    for thread in threads:
        thread.join(60)
    assert sorted(done) == [200] * 20 + [400] * 20
