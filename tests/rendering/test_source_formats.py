"""What becomes of image files."""

import io
import sys
import zlib

import numpy as np
import PIL.ImageFile
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from renderapi.rendering._formats import UnreadableImageError, decode

MOST = 1 << 20
RNG = np.random.default_rng(5)
GRAY = RNG.integers(0, 256, (13, 21), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (13, 21), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (13, 21, 3), dtype=np.uint8)
FLOAT = RNG.normal(size=(13, 21)).astype(np.float32)


def saved(image, kind, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def tiff(*pages, **options):
    file = io.BytesIO()
    with tifffile.TiffWriter(
        file,
        bigtiff=options.pop("bigtiff", False),
        byteorder=options.pop("byteorder", None),
        imagej=options.pop("imagej", False),
    ) as writer:
        for page in pages:
            writer.write(page, contiguous=False, **options)
    return file.getvalue()


def read(data, slice_number=None, most=MOST):
    image = decode(io.BytesIO(data), slice_number=slice_number, max_pixels=most)
    assert image.flags.c_contiguous
    assert image.dtype.isnative
    return image


def is_same(image, expected):
    assert image.dtype == expected.dtype
    assert np.array_equal(image, expected)


def refusal(data, slice_number=None, most=MOST):
    with pytest.raises(UnreadableImageError) as caught:
        read(data, slice_number, most)
    return str(caught.value)


@pytest.fixture(params=["tifffile", "Pillow"])
def tiff_reader(request, monkeypatch):
    """Read TIFFs with and without tifffile."""
    if request.param == "Pillow":
        monkeypatch.setitem(sys.modules, "tifffile", None)
    return request.param


# ---------------------------------------------------------------------------------- PNG, JPEG ...


@pytest.mark.parametrize("pixels", [GRAY, DEEP, COLOUR], ids=["gray", "16 bit", "colour"])
def test_png(pixels):
    is_same(read(saved(pixels, "PNG")), pixels)


def test_alpha_of_a_png_is_dropped():
    is_same(read(saved(np.dstack([COLOUR, GRAY]), "PNG")), COLOUR)
    is_same(read(saved(Image.merge("LA", [Image.fromarray(GRAY)] * 2), "PNG")), GRAY)


def png_of_bits(bits, rows):
    """Return a gray PNG of less than 8 bits, which Pillow does not write; rows are packed."""

    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = (
        (8 // bits * len(rows[0])).to_bytes(4, "big")
        + len(rows).to_bytes(4, "big")
        + bytes([bits, 0, 0, 0, 0])
    )
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "bits, packed, expected",
    [
        (1, 0b10110001, [255, 0, 255, 255, 0, 0, 0, 255]),
        (2, 0b00011011, [0, 85, 170, 255]),
        (4, 0x1F, [17, 255]),
    ],
)
def test_gray_pngs_of_few_bits_are_stretched_to_8(bits, packed, expected):
    is_same(read(png_of_bits(bits, [[packed]] * 2)), np.array([expected] * 2, np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_palette_becomes_its_colours(kind):
    indexed = Image.fromarray(GRAY % 4)
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
    palette = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [1, 2, 3]], np.uint8)
    is_same(read(saved(indexed, kind)), palette[GRAY % 4])


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_gray_palette_becomes_gray(kind):
    indexed = Image.fromarray(GRAY % 4)
    indexed.putpalette([200] * 3 + [100] * 3 + [50] * 3 + [7] * 3)
    is_same(read(saved(indexed, kind)), np.array([200, 100, 50, 7], np.uint8)[GRAY % 4])


@pytest.mark.parametrize("kind", ["GIF", "BMP", "PPM"])
def test_gray_images_of_other_formats(kind):
    is_same(read(saved(GRAY, kind)), GRAY)


def test_16_bit_pgm():
    is_same(read(b"P5 21 13 65535\n" + DEEP.astype(">u2").tobytes()), DEEP)


def test_colour_bmp():
    is_same(read(saved(COLOUR, "BMP")), COLOUR)


def test_gray_jpeg():
    image = read(saved(GRAY // 8 + 100, "JPEG", quality=95))
    assert image.shape == GRAY.shape and image.dtype == np.uint8
    assert np.abs(image.astype(int) - (GRAY // 8 + 100)).max() < 12


def test_a_jpeg_of_three_equal_channels_is_gray():
    flat = np.repeat(np.arange(0, 210, 10, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    assert read(saved(flat, "JPEG", quality=100)).shape == (40, 21)


def test_colour_jpeg():
    smooth = np.zeros((40, 32, 3), np.uint8)
    smooth[20:] = [200, 40, 90]  # gray above
    image = read(saved(smooth, "JPEG", quality=95))
    assert image.shape == (40, 32, 3)
    assert np.abs(image.astype(int) - smooth).max() < 30


def test_a_cmyk_jpeg_is_refused():
    assert refusal(saved(Image.new("CMYK", (8, 8)), "JPEG")) == "images of CMYK colour cannot be read"


def test_pillows_own_limit_does_not_count(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for data in (saved(GRAY, "PNG"), saved(GRAY, "GIF"), tiff(GRAY)):
        is_same(read(data), GRAY)


def test_tiff_by_pillow_without_its_limit(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    is_same(read(tiff(GRAY)), GRAY)


# ---------------------------------------------------------------------------------- TIFF


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("pixels", [GRAY, DEEP, COLOUR, FLOAT], ids=["gray", "16 bit", "colour", "float"])
def test_tiff(pixels, byteorder, bigtiff, tiff_reader):
    if tiff_reader == "Pillow" and bigtiff and byteorder == ">":
        return  # Pillow reads no such files
    colour = "rgb" if pixels.ndim == 3 else "minisblack"
    is_same(read(tiff(pixels, photometric=colour, byteorder=byteorder, bigtiff=bigtiff)), pixels)


@pytest.mark.parametrize(
    "options", [{"tile": (16, 16)}, {"rowsperstrip": 4}, {"compression": "zlib"}, {"compression": "lzw"}]
)
def test_tiff_of_tiles_strips_and_compressions(options, tiff_reader):
    is_same(read(tiff(DEEP, photometric="minisblack", **options)), DEEP)


def test_colour_tiff_of_planes_and_with_alpha():
    is_same(read(tiff(np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate")), COLOUR)
    with_alpha = np.dstack([COLOUR, GRAY])
    is_same(read(tiff(with_alpha, photometric="rgb", extrasamples=["unassalpha"])), COLOUR)
    gray_with_alpha = np.dstack([GRAY, GRAY // 2])
    is_same(
        read(tiff(gray_with_alpha, photometric="minisblack", planarconfig="contig", extrasamples=[0])), GRAY
    )


@pytest.mark.parametrize("pixels", [GRAY, DEEP, DEEP.astype(np.float32)])
def test_that_white_is_zero_is_for_display_only(pixels, tiff_reader):
    is_same(read(tiff(pixels, photometric="miniswhite")), pixels)


def test_bits_of_which_white_is_zero_are_taken_as_they_are(tiff_reader):
    stored = tiff(GRAY > 99, photometric="miniswhite", metadata=None)
    is_same(read(stored), np.where(GRAY > 99, 255, 0).astype(np.uint8))


@pytest.mark.parametrize("step", [-257, 257, 128])
def test_a_gray_palette_of_a_tiff_is_for_display_only(step, tiff_reader):
    # step -257 is what Fiji writes for a mask
    ramp = np.arange(256) * abs(step)
    colormap = np.stack([ramp[:: 1 if step > 0 else -1]] * 3).astype(np.uint16)
    is_same(read(tiff(GRAY, photometric="palette", colormap=colormap)), GRAY)


def test_bilevel_tiff(tiff_reader):
    is_same(read(saved(Image.fromarray(GRAY > 99), "TIFF")), np.where(GRAY > 99, 255, 0).astype(np.uint8))


def test_palette_tiff(tiff_reader):
    indexed = Image.fromarray(GRAY % 3)
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    palette = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8)
    is_same(read(saved(indexed, "TIFF")), palette[GRAY % 3])


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.float64, np.float16])
def test_other_numbers_become_float32_as_in_imagej(dtype):
    numbers = (DEEP % 1000).astype(dtype)
    is_same(read(tiff(numbers, photometric="minisblack")), numbers.astype(np.float32))


def test_32_bit_integers_by_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    is_same(read(tiff(DEEP.astype(np.int32), photometric="minisblack")), DEEP.astype(np.float32))


def test_signed_16_bit_is_raised_as_in_imagej():
    is_same(read(tiff((DEEP.astype(np.int32) - 32768).astype(np.int16))), DEEP)


@pytest.mark.parametrize("bits, factor", [(2, 85), (4, 17)])
def test_tiffs_of_few_bits_are_stretched_to_8(bits, factor, tiff_reader):
    small = GRAY[:, :16] % 2**bits
    packed = np.zeros((13, 16 * bits // 8), np.uint8)
    for n in range(8 // bits):
        packed |= small[:, n :: 8 // bits] << (8 - bits * (n + 1))
    data = bytearray(tiff(packed, photometric="minisblack", metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as opened:
        tags = opened.pages[0].tags
        for name, value in (("ImageWidth", 16), ("BitsPerSample", bits)):
            data[tags[name].valueoffset] = value
    is_same(read(bytes(data)), small * np.uint8(factor))


@pytest.mark.parametrize(
    "pixels, options, message",
    [
        (GRAY.astype(np.int8), {}, "pixels of type int8 cannot be read"),
        (DEEP[..., None].repeat(3, 2), {"photometric": "rgb"}, "only with 8 bits per colour"),
        (np.dstack([COLOUR, GRAY]), {"photometric": "separated"}, "photometric interpretation 5"),
        (GRAY.astype(np.complex64), {}, "pixels of type complex64 cannot be read"),
        (
            np.zeros((8, 8, 5), np.uint8),
            {"photometric": "minisblack", "planarconfig": "contig"},
            "5 samples of 8",
        ),
    ],
)
def test_kinds_of_tiff_that_are_not_read(pixels, options, message):
    assert message in refusal(tiff(pixels, **options))


def test_pages_are_slices_that_count_from_1(tiff_reader):
    stack = tiff(GRAY, GRAY[::-1], GRAY // 2, photometric="minisblack")
    is_same(read(stack), GRAY)
    for number, expected in enumerate([GRAY, GRAY[::-1], GRAY // 2], 1):
        is_same(read(stack, number), expected)
    for number in (0, -1, 4):
        assert refusal(stack, number) == f"there is no slice {number}: its slices are 1 to 3"


def test_a_stack_of_imagej_with_a_single_entry():
    stack = np.stack([DEEP, DEEP // 2, DEEP // 3])
    file = io.BytesIO()
    # as ImageJ writes stacks of 4 GB and more: all pixels behind each other, only the first page described
    tifffile.imwrite(
        file,
        DEEP.astype(">u2"),
        byteorder=">",
        metadata=None,
        description="ImageJ=1.53c\nimages=3\nslices=3\n",
    )
    data = file.getvalue() + stack[1:].astype(">u2").tobytes()
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        assert opened.pages[0].dataoffsets[0] + DEEP.nbytes == len(file.getvalue())
    for number in (1, 2, 3):
        is_same(read(data, number), stack[number - 1])
    assert refusal(data, 4) == "there is no slice 4: its slices are 1 to 3"
    assert refusal(data[:-1], 3) == "it is cut off"


def test_a_slice_of_what_is_no_stack():
    assert refusal(saved(GRAY, "PNG"), 1) == "it is not a TIFF stack"


def test_what_tifffile_cannot_decompress_is_tried_with_pillow(monkeypatch):
    def without_imagecodecs(page, **options):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    data = tiff(GRAY, compression="lzw")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", without_imagecodecs)
    is_same(read(data), GRAY)
    assert 'pip install "render-python[render]>=3" reads more kinds' in refusal(
        tiff(GRAY, compression="lerc")
    )


def test_what_pillow_cannot_read_names_the_extra(monkeypatch):
    data = tiff(DEEP.astype(np.int64), photometric="minisblack")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    message = refusal(data)
    assert message.startswith("Pillow cannot read this TIFF")
    assert 'pip install "render-python[render]>=3"' in message


# ---------------------------------------------------------------------------------- what is wrong


SMOOTH = np.add.outer(np.arange(90), np.arange(70)).astype(np.uint8)
FILES = {
    "png": saved(GRAY, "PNG"),
    "large png": saved(RNG.integers(0, 256, (300, 300), dtype=np.uint8), "PNG"),
    "jpeg": saved(SMOOTH, "JPEG"),
    "gif": saved(GRAY, "GIF"),
    "bmp": saved(COLOUR, "BMP"),
    "pgm": saved(GRAY, "PPM"),
    "tiff": tiff(DEEP),
    "lzw tiff": tiff(DEEP, compression="lzw"),
    "zlib tiff": tiff(DEEP, compression="zlib"),
    "tiles": tiff(SMOOTH, tile=(16, 16)),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("tolerant", [False, True], ids=["", "truncated images allowed"])
def test_half_an_image_is_never_given(name, tolerant, monkeypatch):
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    data = FILES[name]
    whole = read(data)
    for length in sorted({0, 1, 7, 8, 20, *np.linspace(30, len(data) - 1, 40).astype(int).tolist()}):
        try:
            image = read(data[:length])
        except UnreadableImageError:
            continue
        is_same(image, whole)  # only what follows the pixels is missing
        assert length > 0.8 * len(data) or name.endswith(("tiff", "tiles"))


@pytest.mark.parametrize("name", FILES)
def test_half_an_image_is_refused(name, tiff_reader):
    data = FILES[name]
    if not name.endswith(("tiff", "tiles")):
        assert "cut off" in refusal(data[: len(data) // 2])
    else:
        # pixels come first in some TIFFs
        assert refusal(data[: len(data) // 3])


def test_lists_of_strips_that_are_wrong():
    data = tiff(DEEP, rowsperstrip=4)
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        tags = opened.pages[0].tags
        offsets, counts = tags["StripOffsets"], tags["StripByteCounts"]
        places = {"offsets": offsets.valueoffset, "counts": counts.valueoffset}
        code = counts.dtype
        first = tags["StripOffsets"].value[0]
    width = {3: 2, 4: 4}[code]
    changed = bytearray(data)
    changed[places["counts"] : places["counts"] + width] = bytes(width)
    assert refusal(bytes(changed)) == "it is damaged or cut off (strips or tiles are empty)"
    changed[places["counts"]] = 1
    assert "there are fewer pixels than it says" in refusal(bytes(changed))
    assert first < len(data)


@pytest.mark.parametrize("name", FILES)
def test_an_image_with_too_many_pixels_is_refused(name, tiff_reader):
    height, width = read(FILES[name]).shape[:2]
    message = f"its {width} x {height} pixels are more than the {height * width - 1} allowed"
    assert refusal(FILES[name], most=height * width - 1) == message
    read(FILES[name], most=height * width)


def test_a_size_that_cannot_be_in_the_file_is_refused_before_memory_is_taken():
    header = bytearray(saved(GRAY, "PNG"))
    header[16:24] = (20_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    assert "20000 x 20000 pixels cannot be in" in refusal(bytes(header), most=1 << 40)


def test_a_tiff_whose_size_cannot_be_in_the_file():
    data = bytearray(tiff(GRAY, compression="zlib", metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as opened:
        tags = opened.pages[0].tags
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            data[tags[name].valueoffset : tags[name].valueoffset + 2] = (60_000).to_bytes(2, "little")
    assert "60000 x 60000 pixels cannot be in" in refusal(bytes(data), most=1 << 40)


def test_memory_that_is_not_there(monkeypatch):
    def full(self):
        raise MemoryError

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", full)
    assert refusal(saved(GRAY, "PNG")) == "there is not enough memory for it"


def test_what_is_no_image():
    assert refusal(b"hello, world").startswith("it is neither PNG nor JPEG")
    assert refusal(b"").startswith("it is neither PNG nor JPEG")
    assert "damaged" in refusal(b"II*\0" + b"\xff" * 100)
