"""Planes of HDF5 and N5 volumes."""

import bz2
import gzip
import itertools
import json
import lzma
import os
import struct
import sys
import zlib

import h5py
import numpy as np
import pytest

from renderapi.rendering import ImageReference, ImageSourceError, Sources, render16

VOLUME = np.random.default_rng(3).integers(0, 256, (5, 30, 41)).astype(np.uint8)  # z, y, x


@pytest.fixture
def sources(tmp_path):
    with Sources(roots=[tmp_path / "data"]) as made:
        yield made


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def refused(function, place):
    with pytest.raises(ImageSourceError) as caught:
        function(place)
    return str(caught.value)


def h5(path, query):
    return ImageReference(f"file://{path}?{query}", "H5_SLICE")


def n5(path, query):
    return ImageReference(f"file://{path}?{query}", "N5_SLICE")


# ---------------------------------------------------------------------------------- HDF5


@pytest.fixture
def h5_file(data):
    path = data / "merlin.uint8.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("0-0-0/mipmap.0", data=VOLUME, chunks=(1, 16, 16), compression="gzip")
        file.create_dataset("flat", data=VOLUME[0].astype(">u2") * 200)
        file.create_dataset("real", data=VOLUME.astype(np.float32) / 7)
        file.create_dataset("whole", data=VOLUME.astype(np.int64))
        file.create_dataset("line", data=np.arange(5, dtype=np.uint8))
    return path


@pytest.mark.parametrize("name", ["/0-0-0/mipmap.0", "0-0-0/mipmap.0", "%2F0-0-0%2Fmipmap.0"])
def test_a_plane_of_an_hdf5_file(name, h5_file, sources):
    for z in range(5):
        place = h5(h5_file, f"dataSet={name}&z={z}")
        assert np.array_equal(sources.image(place), VOLUME[z])
    sources.check(place)
    assert sources.exists(place)


def test_a_box_of_a_plane(h5_file, sources):
    image = sources.image(h5(h5_file, "dataSet=/0-0-0/mipmap.0&x=5&y=7&z=2&w=20&h=11"))
    assert image.flags.c_contiguous and np.array_equal(image, VOLUME[2, 7:18, 5:25])
    place = ImageReference(f"{h5_file}?dataSet=/0-0-0/mipmap.0&z=1", "H5_SLICE")  # without scheme
    assert np.array_equal(sources.image(place, halvings=1).shape, (15, 20))


def test_other_types_and_dimensions_of_hdf5(h5_file, sources):
    flat = sources.image(h5(h5_file, "dataSet=/flat"))
    assert flat.dtype == np.uint16 and flat.dtype.isnative
    assert np.array_equal(flat, VOLUME[0].astype(np.uint16) * 200)
    real = sources.image(h5(h5_file, "dataSet=/real&z=4"))
    assert real.dtype == np.float32 and np.array_equal(real, VOLUME[4].astype(np.float32) / 7)


@pytest.mark.parametrize(
    "query, reason",
    [
        ("z=0", "its URL names no dataSet"),
        (
            "dataSet=/0-0-0/mipmap.0&z=5",
            "there is no such box in its data set of (41, 30, 5) pixels (x, y, z)",
        ),
        ("dataSet=/0-0-0/mipmap.0&x=30&w=12", "there is no such box"),
        ("dataSet=/0-0-0/mipmap.0&x=41", "there is no such box"),
        ("dataSet=/0-0-0/mipmap.0&h=0", "there is no such box"),
        ("dataSet=/0-0-0/mipmap.0&z=-1", "z of its URL is no whole number of pixels"),
        ("dataSet=/0-0-0/mipmap.0&x=1e3", "x of its URL is no whole number of pixels"),
        ("dataSet=/0-0-0", "there is no data set '0-0-0' in it"),
        ("dataSet=/0-0-0/mipmap.0/deeper", "there is no data set '0-0-0/mipmap.0/deeper' in it"),
        ("dataSet=/none", "there is no data set 'none' in it"),
        ("dataSet=/whole", "its pixels are int64, not one of uint8, uint16, int16, float32"),
        ("dataSet=/line", "its data set has 1 dimensions, not 2 or 3"),
    ],
)
def test_hdf5_planes_that_are_not_there(query, reason, h5_file, sources):
    message = refused(sources.image, h5(h5_file, query))
    assert message.startswith(f"failed to retrieve {{url: file://{h5_file}?{query}}} from cache: ")
    assert reason in message


def test_a_garbled_hdf5_file(h5_file, data, sources):
    (data / "text.h5").write_text("nothing")
    assert "it is damaged or cut off" in refused(sources.image, h5(data / "text.h5", "dataSet=/a"))
    (data / "cut.h5").write_bytes(h5_file.read_bytes()[:900])
    assert "it is damaged or cut off" in refused(sources.image, h5(data / "cut.h5", "dataSet=/a"))
    assert "there is no such file" in refused(sources.image, h5(data / "none.h5", "dataSet=/a"))
    assert refused(sources.check, h5(data / "none.h5", "dataSet=/a")) == (
        f"cannot find imageUrl file '{data}/none.h5'"
    )


def test_links_out_of_an_hdf5_file_are_not_followed(h5_file, data, tmp_path, sources):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["hidden"] = VOLUME
    (tmp_path / "secret.raw").write_bytes(VOLUME.tobytes())
    with h5py.File(data / "links.h5", "w") as file:
        file["own"] = VOLUME
        file["external"] = h5py.ExternalLink(str(secret), "/hidden")
        file["folder"] = h5py.ExternalLink(str(secret), "/")
        file["soft"] = h5py.SoftLink("/external")
        layout = h5py.VirtualLayout(VOLUME.shape, np.uint8)
        layout[...] = h5py.VirtualSource(str(secret), "hidden", VOLUME.shape)
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset(
            "raw", VOLUME.shape, np.uint8, external=[(str(tmp_path / "secret.raw"), 0, h5py.h5f.UNLIMITED)]
        )
    assert np.array_equal(sources.image(h5(data / "links.h5", "dataSet=own&z=1")), VOLUME[1])
    for name in ("external", "folder/hidden", "soft"):
        message = refused(sources.image, h5(data / "links.h5", f"dataSet={name}"))
        assert "is behind a link, which is not followed here" in message
    for name in ("virtual", "raw"):
        message = refused(sources.image, h5(data / "links.h5", f"dataSet={name}"))
        assert "is in other files, which are not read here" in message
    with Sources() as unlimited:  # a user's own program follows them
        assert np.array_equal(unlimited.image(h5(data / "links.h5", "dataSet=soft&z=2")), VOLUME[2])


def test_chunks_that_are_too_large(h5_file, data):
    with Sources(max_pixels=40) as sources:
        assert "its chunks of (1, 16, 16) pixels are more than" in refused(
            sources.image, h5(h5_file, "dataSet=/0-0-0/mipmap.0&w=4&h=4")
        )
        assert "41 x 30 pixels are more than the 40 allowed" in refused(
            sources.image, h5(h5_file, "dataSet=/0-0-0/mipmap.0")
        )


def test_hdf5_needs_h5py(h5_file, sources, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    message = refused(sources.image, h5(h5_file, "dataSet=/flat"))
    assert message.endswith('HDF5 files are read with h5py: pip install "render-python[sources]>=3"')


def test_a_changed_hdf5_file_is_read_again(h5_file, sources):
    place = h5(h5_file, "dataSet=/flat")
    sources.image(place)
    with h5py.File(h5_file, "a") as file:
        file["flat"][...] = 3
    os.utime(h5_file, ns=(5, 5))
    assert np.all(sources.image(place) == 3)


# ---------------------------------------------------------------------------------- N5


PACKERS = {
    "raw": bytes,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def write_n5(path, volume, block=(16, 12, 2), compression="gzip", skip=()):
    """Write a data set; `volume` is (z, y, x) or (y, x), `block` in the order x, y, z."""
    path.mkdir(parents=True)
    packing = {"type": "gzip", "useZlib": True} if compression == "zlib" else {"type": compression}
    attributes = {
        "dimensions": volume.shape[::-1],
        "blockSize": block[: volume.ndim],
        "dataType": volume.dtype.name,
        "compression": packing,
    }
    (path / "attributes.json").write_text(json.dumps(attributes))
    block = block[: volume.ndim]
    counts = [-(-size // side) for size, side in zip(volume.shape[::-1], block)]
    for place in itertools.product(*map(range, counts)):
        if place in skip:
            continue
        part = volume[tuple(slice(n * side, (n + 1) * side) for n, side in zip(place, block))[::-1]]
        header = struct.pack(f">HH{volume.ndim}I", 0, volume.ndim, *part.shape[::-1])
        file = path.joinpath(*map(str, place))
        file.parent.mkdir(parents=True, exist_ok=True)
        body = part.astype(part.dtype.newbyteorder(">")).tobytes()
        file.write_bytes(header + PACKERS[compression](body))


@pytest.mark.parametrize("compression", PACKERS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_box_of_an_n5_volume(compression, dtype, data, sources):
    volume = (VOLUME.astype(np.float64) * 1.7).astype(dtype)
    write_n5(data / "v.n5" / "align" / "s0", volume, compression=compression)
    for x, y, z, w, h in [(0, 0, 0, 41, 30), (3, 5, 4, 30, 20), (16, 12, 1, 16, 12), (40, 29, 2, 1, 1)]:
        place = n5(data / "v.n5", f"dataSet=/align/s0&x={x}&y={y}&z={z}&w={w}&h={h}")
        image = sources.image(place)
        assert image.dtype == dtype and np.array_equal(image, volume[z, y : y + h, x : x + w])
        sources.check(place)
        assert sources.exists(place)


def test_an_n5_plane(data, sources):
    write_n5(data / "v.n5" / "s0", VOLUME[0])
    assert np.array_equal(sources.image(n5(data / "v.n5", "dataSet=s0")), VOLUME[0])


def test_n5_needs_tensorstore(data, sources, monkeypatch):
    write_n5(data / "v.n5" / "s0", VOLUME)
    monkeypatch.setitem(sys.modules, "tensorstore", None)
    assert refused(sources.image, n5(data / "v.n5", "dataSet=s0")).endswith(
        'N5 volumes are read with tensorstore: pip install "render-python[sources]>=3"'
    )


SIGNED = np.array([[-32768, -32767, -1, 0], [1, 2, 32766, 32767]], np.int16)
UNSIGNED = {
    "master": [[32768, 32769, 65535, 0], [1, 2, 32766, 32767]],
    "newsolver": [[65535, 65535, 32769, 32768], [32767, 32766, 2, 1]],
}


@pytest.fixture(params=["h5", "n5"])
def signed(request, data):
    """Where a plane of signed pixels of 16 bits is."""
    if request.param == "n5":
        write_n5(data / "v.n5" / "s0", SIGNED)
        return n5(data / "v.n5", "dataSet=s0")
    with h5py.File(data / "v.h5", "w") as file:
        file.create_dataset("s0", data=SIGNED.astype(">i2"))
    return h5(data / "v.h5", "dataSet=s0")


def test_the_branch_decides_what_signed_pixels_become(signed, sources):
    for branch, wanted in UNSIGNED.items():
        image = sources.image(signed._replace(compat=branch))
        assert image.dtype == np.uint16 and image.dtype.isnative and image.tolist() == wanted
        # neither is taken for the other one that is in memory
        again = sources.image(signed._replace(compat=branch), halvings=1)
        assert again.shape == (1, 2)
    assert sources.image(signed).tolist() == UNSIGNED["master"]


def test_signed_pixels_are_drawn_as_the_branch_has_them(signed, sources):
    levels = {"0": {"imageUrl": signed.url, "imageLoaderType": signed.loader}}
    tile = {"tileId": "t", "width": 4, "height": 2, "mipmapLevels": levels}
    box = {"x": 0, "y": 0, "width": 4, "height": 2, "skipInterpolation": True, "tileSpecs": [tile]}
    for branch, wanted in UNSIGNED.items():
        drawn = render16(box, sources=sources, compat=branch)
        # with master the last row and column of a tile are black
        shown = (slice(None), slice(None)) if branch == "newsolver" else (slice(0, 1), slice(0, 3))
        assert drawn[shown].tolist() == np.array(wanted)[shown].tolist()


def test_missing_and_short_blocks_are_black(data, sources):
    write_n5(data / "v.n5" / "s0", VOLUME, skip={(1, 1, 0)})
    expected = VOLUME[0].copy()
    expected[12:24, 16:32] = 0
    assert np.array_equal(sources.image(n5(data / "v.n5", "dataSet=s0")), expected)
    # a block that ends before the plane
    block = data / "v.n5" / "s0" / "0" / "0" / "0"
    block.write_bytes(struct.pack(">HH3I", 0, 3, 16, 12, 1) + gzip.compress(bytes(16 * 12)))
    sources.clear()
    image = sources.image(n5(data / "v.n5", "dataSet=s0&z=1&w=16&h=12"))
    assert not image.any()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0\3",
        struct.pack(">HH3I", 2, 3, 16, 12, 2),
        struct.pack(">HH2I", 0, 2, 16, 12),
        struct.pack(">HH3I", 0, 3, 17, 12, 2),
        struct.pack(">HH3I", 0, 3, 16, 12, 2) + b"no gzip at all",
        struct.pack(">HH3I", 0, 3, 16, 12, 2) + gzip.compress(bytes(range(256)), mtime=0)[:100],
        struct.pack(">HH3I", 0, 3, 16, 12, 2) + gzip.compress(b"1234", mtime=0),
    ],
    ids=("empty", "cut", "mode", "dimensions", "size", "no gzip", "cut gzip", "short"),
)
def test_garbled_blocks(content, data, sources):
    write_n5(data / "v.n5" / "s0", VOLUME)
    (data / "v.n5" / "s0" / "0" / "0" / "0").write_bytes(content)
    assert "a block is damaged" in refused(sources.image, n5(data / "v.n5", "dataSet=s0"))


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "[]",
        "{}",
        '{"dimensions": [4, 4], "blockSize": [4], "dataType": "uint8"}',
        '{"dimensions": [4, 0], "blockSize": [4, 4], "dataType": "uint8"}',
        '{"dimensions": [4, "x"], "blockSize": [4, 4], "dataType": "uint8"}',
        '{"dimensions": [4, 1e999], "blockSize": [4, 4], "dataType": "uint8"}',
        "[" * 100_000,
    ],
)
def test_garbled_attributes(attributes, data, sources):
    (data / "v.n5").mkdir()
    (data / "v.n5" / "attributes.json").write_text(attributes)
    (data / "v.n5" / "s0").mkdir()
    (data / "v.n5" / "s0" / "attributes.json").write_text(attributes)
    assert "its attributes.json describes no data set" in refused(
        sources.image, n5(data / "v.n5", "dataSet=s0")
    )


def test_n5_volumes_that_cannot_be_read(data, sources):
    write_n5(data / "v.n5" / "long", VOLUME.astype(np.int64), compression="raw")
    assert "its pixels are int64" in refused(sources.image, n5(data / "v.n5", "dataSet=long"))
    attributes = json.loads((data / "v.n5" / "long" / "attributes.json").read_text())
    attributes.update(dataType="uint8", compression={"type": "magic"})
    (data / "v.n5" / "long" / "attributes.json").write_text(json.dumps(attributes))
    assert "describes no data set that can be read" in refused(
        sources.image, n5(data / "v.n5", "dataSet=long")
    )
    assert "there is no such file" in refused(sources.image, n5(data / "v.n5", "dataSet=none"))
    assert refused(sources.check, n5(data / "none.n5", "dataSet=s0")) == (
        f"cannot find imageUrl file '{data}/none.n5'"
    )
    assert not sources.exists(n5(data / "none.n5", "dataSet=s0"))
    for name in ("%00", "a%00b"):
        assert "failed to retrieve" in refused(sources.image, n5(data / "v.n5", f"dataSet={name}"))


def test_an_n5_volume_leads_nowhere_else(data, tmp_path, sources):
    write_n5(tmp_path / "secret.n5" / "s0", VOLUME)
    write_n5(data / "v.n5" / "s0", VOLUME)
    (data / "v.n5" / "link").symlink_to(tmp_path / "secret.n5" / "s0")
    for name in ("link", "../../secret.n5/s0", "%2e%2e/%2e%2e/secret.n5/s0"):
        message = refused(sources.image, n5(data / "v.n5", f"dataSet={name}"))
        assert "it refers to a file that is not in an allowed folder" in message
    block = data / "v.n5" / "s0" / "0" / "0" / "0"
    block.unlink()
    block.symlink_to(tmp_path / "secret.n5" / "s0" / "0" / "0" / "0")
    message = refused(sources.image, n5(data / "v.n5", "dataSet=s0"))
    assert "it refers to a file that is not in an allowed folder" in message
    for function in (sources.image, sources.check):
        assert "is not in an allowed folder" in refused(function, n5(tmp_path / "secret.n5", "dataSet=s0"))


def test_volumes_are_local(sources):
    for loader in ("H5_SLICE", "N5_SLICE"):
        with Sources() as unlimited:
            message = refused(unlimited.image, ImageReference("http://127.0.0.1/v?dataSet=a", loader))
        assert "images of the scheme 'http' cannot be read" in message
