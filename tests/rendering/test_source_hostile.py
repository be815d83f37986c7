"""Whatever is given, there is an image or an ImageSourceError, and nothing outside of the roots is opened."""

import builtins
import io
import os
import struct
from urllib.parse import quote

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from renderapi.rendering import ImageReference, ImageSourceError, Sources

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LOADERS = ("IMAGEJ_DEFAULT", "IMAGEJ_TIFF_STACK", "H5_SLICE", "N5_SLICE", "DYNAMIC_MASK", "IMAGEJ_COMPOSITE")
SMOOTH = np.add.outer(np.arange(24), np.arange(31)).astype(np.uint8)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that may be read, and a secret beside it."""
    top = tmp_path_factory.mktemp("hostile")
    root = top / "root"
    (root / "deep").mkdir(parents=True)
    Image.fromarray(SMOOTH).save(root / "a.png")
    Image.fromarray(SMOOTH).save(top / "secret.png")
    (root / "link.png").symlink_to(top / "secret.png")
    (root / "out").symlink_to(top)
    (root / "loop").symlink_to(root / "loop")
    with h5py.File(root / "a.h5", "w") as file:
        file["a"] = SMOOTH
    return top


@pytest.fixture
def opened(place, monkeypatch):
    """The paths that were opened, by any means, while images were asked for."""
    seen = []
    os_open, built_in = os.open, builtins.open

    def watched(path, *args, **options):
        if not isinstance(path, int):
            seen.append(os.fsdecode(path))
        return os_open(path, *args, **options)

    def watched_built_in(path, *args, **options):
        if not isinstance(path, int):
            seen.append(os.fsdecode(path))
        return built_in(path, *args, **options)

    monkeypatch.setattr(os, "open", watched)
    monkeypatch.setattr(builtins, "open", watched_built_in)
    return seen


PARTS = st.sampled_from(
    ["a.png", "a.h5", "link.png", "out", "loop", "deep", "..", ".", "", "secret.png", "%2e%2e", "%2F", "%00"]
    + ["\\", "..\\", "?", "#", "dataSet=a", "&z=0", "\0", "\ud800", "ü", " ", "~", "%zz", "::", "//"]
)
PREFIXES = [
    "",
    "file:",
    "file:/",
    "file://",
    "file:///",
    "file://localhost/",
    "FILE:",
    "s3://",
    "http:",
    "C:\\",
]


@st.composite
def urls(draw):
    prefix = draw(st.sampled_from([*PREFIXES, "ROOT/", "file:ROOT/", "file://ROOT/"]))
    return prefix + draw(st.sampled_from(["/", ""])).join(draw(st.lists(PARTS, max_size=6)))


def ask(sources, reference):
    """Ask everything that can be asked."""
    sources.exists(reference)
    for function in (sources.check, sources.image, sources.mask):
        try:
            function(reference)
        except ImageSourceError as error:
            str(error).encode("utf-8", "surrogatepass")


@QUICK
@given(
    url=st.one_of(urls(), st.text(max_size=40), st.text(max_size=30).map("file:".__add__)),
    loader=st.sampled_from(LOADERS),
    number=st.none() | st.integers(-2, 9),
)
@example(url="file:ROOT/%2e%2e/secret.png", loader="IMAGEJ_DEFAULT", number=None)
@example(url="ROOT/out/secret.png", loader="IMAGEJ_TIFF_STACK", number=1)
@example(url="ROOT/a.h5?dataSet=../../secret", loader="H5_SLICE", number=None)
@example(url="ROOT/?dataSet=../out", loader="N5_SLICE", number=None)
@example(url="ROOT/loop", loader="IMAGEJ_DEFAULT", number=None)
def test_any_url(url, loader, number, place, opened):
    root = place / "root"
    del opened[:]
    with Sources(roots=[root], http=False) as sources:
        ask(sources, ImageReference(url.replace("ROOT", str(root)), loader, number))
    allowed = os.path.realpath(root)
    for path in opened:
        path = os.path.realpath(path)
        inside = path == allowed or path.startswith(allowed + os.sep)
        # what Python itself loads at first use is no image
        assert inside or path.endswith((".py", ".pyc", ".so", ".dist-info", "METADATA")), path


def files():
    def saved(kind, **options):
        file = io.BytesIO()
        Image.fromarray(SMOOTH).save(file, kind, **options)
        return file.getvalue()

    def tiff(**options):
        file = io.BytesIO()
        tifffile.imwrite(file, SMOOTH, **options)
        return file.getvalue()

    volume = io.BytesIO()
    with h5py.File(volume, "w") as file:
        file.create_dataset("a", data=SMOOTH, chunks=(8, 8), compression="gzip")
    return {
        "h5": volume.getvalue(),
        "png": saved("PNG"),
        "jpeg": saved("JPEG"),
        "gif": saved("GIF"),
        "bmp": saved("BMP"),
        "pgm": saved("PPM"),
        "tiff": tiff(),
        "tiles": tiff(tile=(16, 16), compression="zlib"),
        "lzw": tiff(compression="lzw", rowsperstrip=5),
        "big": tiff(bigtiff=True, byteorder=">"),
        "imagej": tiff(imagej=True),
    }


FILES = files()


@pytest.mark.filterwarnings("ignore")  # Pillow and tifffile warn of what they find odd
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_garbled_files(name, data, tmp_path):
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        # headers are at the beginning, the lists of some TIFFs at the end
        limit = data.draw(st.sampled_from([16, 64, len(content)]))
        at = data.draw(st.integers(0, min(limit, len(content)) - 1))
        content[at] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(content)))
    content = content[: data.draw(st.sampled_from([length, len(content)]))]
    path = tmp_path / "garbled"
    path.write_bytes(content)
    with Sources(max_pixels=1 << 20) as sources:
        ask(sources, ImageReference(str(path)))
        ask(sources, ImageReference(f"{path}?dataSet=a", "H5_SLICE"))
        ask(sources, ImageReference(str(path), "IMAGEJ_TIFF_STACK", data.draw(st.integers(0, 3))))


@QUICK
@given(
    content=st.binary(max_size=60),
    start=st.sampled_from(
        [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"P5 ", b"P2 ", b"II*\0", b"MM\0+"]
    ),
)
@pytest.mark.filterwarnings("ignore")
def test_arbitrary_bytes(content, start, tmp_path):
    path = tmp_path / "arbitrary"
    path.write_bytes(start + content)
    with Sources(max_pixels=1 << 20) as sources:
        for loader in LOADERS:
            ask(sources, ImageReference(f"{path}?dataSet=a" if loader[:2] == "H5" else str(path), loader, 1))


@QUICK
@given(
    attributes=st.one_of(
        st.binary(max_size=80),
        st.sampled_from(
            [
                b'{"dimensions":[31,24],"blockSize":[16,16],"dataType":"uint8","compression":{"type":"gzip"}}',
                b'{"dimensions":[31,24],"blockSize":[16,16],"dataType":"uint8","compression":{"type":"blosc"}}',
                b'{"dimensions":[31,24],"blockSize":[16,16],"dataType":"float32","compression":{"type":"xz"}}',
                b'{"dimensions":[31,24],"blockSize":[4e9,1e18],"dataType":"uint8","compression":[1]}',
                b'{"dimensions":null,"blockSize":{},"dataType":3}',
            ]
        ),
    ),
    block=st.binary(max_size=90),
    query=st.sampled_from(["dataSet=s", "dataSet=s&x=3&y=2&w=5", "dataSet=s&z=7", "z"]),
)
def test_arbitrary_n5(attributes, block, query, tmp_path):
    folder = tmp_path / "v.n5" / "s" / "0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "attributes.json").write_bytes(attributes)
    (folder / "0").write_bytes(struct.pack(">HHII", 0, 2, 16, 16) + block)
    with Sources(max_pixels=1 << 20) as sources:
        ask(sources, ImageReference(f"file:{quote(str(tmp_path))}/v.n5?{query}", "N5_SLICE"))


@QUICK
@given(
    query=st.text(max_size=60) | st.sampled_from(["minX=1&minY=1&maxX=9&maxY=9&width=20&height=20&level=40"])
)
def test_arbitrary_dynamic_masks(query):
    with Sources(max_pixels=1 << 20) as sources:
        ask(sources, ImageReference(f"mask://outside-box?{query}", "DYNAMIC_MASK"))
