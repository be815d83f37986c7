"""Every format in which render-ws gives images, read back."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from renderapi.rendering import RenderParametersError, encoding

RNG = np.random.default_rng(5)


def rgba(height=13, width=17):
    """Make an image of every alpha."""
    return RNG.integers(0, 256, (height, width, 4), np.uint8)


def opaque(height=13, width=17):
    """Make a smooth image, such as JPEG keeps."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x * 3 % 256, y * 5 % 256, (x + y) % 256, np.full_like(x, 255)]).astype(np.uint8)


def gray16(height=13, width=17):
    return RNG.integers(0, 65536, (height, width), np.uint16)


def read(content):
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.format, image.mode, np.asarray(image)


@pytest.mark.parametrize("size", [(13, 17), (1, 1), (700, 1000)])
def test_png_holds_every_rgba_value(size):
    pixels = rgba(*size)
    kind, mode, read_back = read(encoding.encode(pixels, "png", gray=True))
    assert (kind, mode) == ("PNG", "RGBA")
    assert np.array_equal(read_back, pixels)


@pytest.mark.parametrize("size", [(13, 17), (1, 1), (700, 1000)])
@pytest.mark.parametrize(("kind", "name"), [("png16", "PNG"), ("tiff16", "TIFF")])
def test_formats_of_16_bits(kind, name, size):
    pixels = gray16(*size)
    found, mode, read_back = read(encoding.encode(pixels, kind))
    assert found == name
    assert mode.startswith("I;16")
    assert np.array_equal(read_back, pixels)


@pytest.mark.parametrize("size", [(13, 17), (1, 1), (700, 1000)])
def test_tiff_drops_alpha(size):
    pixels = rgba(*size)
    content = encoding.encode(pixels, "tiff", gray=True)
    kind, mode, read_back = read(content)
    assert (kind, mode) == ("TIFF", "RGB")
    assert np.array_equal(read_back, pixels[:, :, :3])
    with Image.open(io.BytesIO(content)) as image:
        assert image.tag_v2[259] == 1  # not compressed


def test_tiff_files_are_what_tifffile_reads():
    tifffile = pytest.importorskip("tifffile")
    colour, gray = rgba(), gray16()
    assert np.array_equal(tifffile.imread(io.BytesIO(encoding.encode(colour, "tiff"))), colour[:, :, :3])
    assert np.array_equal(tifffile.imread(io.BytesIO(encoding.encode(gray, "tiff16"))), gray)


def test_raw_is_argb_and_big_endian():
    pixels = np.array([[[1, 2, 3, 4], [5, 6, 7, 8]], [[9, 10, 11, 12], [13, 14, 15, 16]]], np.uint8)
    assert encoding.encode(pixels, "raw") == bytes([4, 1, 2, 3, 8, 5, 6, 7, 12, 9, 10, 11, 16, 13, 14, 15])
    assert encoding.encode(np.array([[1, 258], [65535, 0]], np.uint16), "raw16") == struct.pack(
        ">4H", 1, 258, 65535, 0
    )


def test_raw_of_more_than_one_band():
    pixels = rgba(700, 1000)
    read_back = np.frombuffer(encoding.encode(pixels, "raw"), np.uint8).reshape(pixels.shape)
    assert np.array_equal(read_back, pixels[:, :, [3, 0, 1, 2]])


def test_views_are_encoded_as_what_they_show():
    pixels = rgba(20, 30)
    view = pixels[::-1, ::2]
    for kind in ("png", "tiff", "raw", "jpeg"):
        assert encoding.encode(view, kind) == encoding.encode(view.copy(), kind)


def test_jpeg_is_rgb_over_black():
    pixels = opaque(64, 96)
    pixels[:, 48:, 3] = 0
    pixels[32:, :48, 3] = 128
    kind, mode, read_back = read(encoding.encode(pixels, "jpeg", quality=1.0))
    assert (kind, mode) == ("JPEG", "RGB")
    inside = np.s_[2:-2, 2:46]
    difference = read_back.astype(int) - encoding.over_black(pixels)[:, :, :3]
    assert np.abs(difference[inside]).max() < 30
    assert read_back[:, 64:].max() < 5


def test_jpeg_of_an_opaque_image_is_that_of_its_colours():
    pixels = opaque(64, 96)
    colours = io.BytesIO()
    tables = encoding.jpeg_tables(0.85)
    Image.fromarray(pixels[:, :, :3].copy()).save(colours, "JPEG", qtables=tables, subsampling="4:2:0")
    assert encoding.encode(pixels, "jpeg") == colours.getvalue()


def test_quantisation_is_scaled_in_single_precision():
    luminance, chrominance = encoding.jpeg_tables(0.85)
    # one less than those of libjpeg
    assert [luminance[place] for place in (15, 41, 42, 58)] == [16, 10, 16, 28]
    assert (luminance[0], chrominance[0]) == (5, 5)
    assert set(encoding.jpeg_tables(1.0)[0]) == {1} and encoding.jpeg_tables(0.0, gray=True)[0][0] == 255
    found = Image.open(io.BytesIO(encoding.encode(opaque(16, 16), "jpeg")))
    assert [list(table) for table in found.quantization.values()] == [luminance, chrominance]


def test_tiff_of_16_bits_is_big_endian():
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    content = encoding.encode(pixels, "tiff16")
    assert content[:2] == b"MM"
    assert np.array_equal(np.array(Image.open(io.BytesIO(content))), pixels)


def test_jpeg_quality():
    pixels = opaque(64, 96)
    sizes = [len(encoding.encode(pixels, "jpeg", quality=quality)) for quality in (0.0, 0.5, 0.85, 1.0)]
    assert sizes == sorted(sizes)
    assert sizes[1] < sizes[2] < sizes[3]
    for quality in (-0.1, 1.1, float("nan"), float("inf")):
        with pytest.raises(RenderParametersError, match=r"quality is .*; it must be from 0 to 1"):
            encoding.encode(pixels, "jpeg", quality=quality)


def test_over_black_rounds_as_java2d():
    values = np.arange(256, dtype=np.uint8)
    table = np.empty((256, 256, 4), np.uint8)
    table[:, :, :3] = values[None, :, None]
    table[:, :, 3] = values[:, None]
    drawn = encoding.over_black(table)
    exact = values[:, None].astype(int) * values[None, :] / 255
    assert np.array_equal(drawn[:, :, 0], np.floor(exact + 0.5))
    assert np.array_equal(drawn[:, :, 0], drawn[:, :, 2])
    assert (drawn[:, :, 3] == 255).all()


@pytest.mark.parametrize(
    ("pixels", "kind", "said"),
    [
        (rgba(), "webp", "not one of jpeg, png"),
        (rgba(), "tiff16", "tiff16 cannot hold an array of shape"),
        (gray16(), "png", "png cannot hold an array of shape"),
        (rgba().astype(np.uint16), "png", "uint16"),
        (rgba()[:, :, :3], "jpeg", "shape"),
        (np.zeros((0, 5, 4), np.uint8), "raw", "shape"),
    ],
)
def test_pixels_that_do_not_fit(pixels, kind, said):
    with pytest.raises(ValueError, match=said):
        encoding.encode(pixels, kind)


def test_images_too_large_for_their_format():
    row = np.broadcast_to(np.zeros(4, np.uint8), (1, 65501, 4))
    with pytest.raises(RenderParametersError, match="at most 65500 pixels in each direction, not 65501 x 1"):
        encoding.encode(row, "jpeg")
    # nothing of this size is ever held
    huge = np.broadcast_to(np.zeros(4, np.uint8), (40000, 40000, 4))
    with pytest.raises(RenderParametersError, match="too large for a TIFF"):
        encoding.encode(huge, "tiff")


@pytest.mark.parametrize("kind", ["png", "tiff", "raw"])
def test_large_images_are_copied_once_at_most(kind):
    pixels = np.zeros((2048, 2048, 4), np.uint8)
    tracemalloc.start()
    try:
        content = encoding.encode(pixels, kind)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(content) + 1.2 * pixels.nbytes
