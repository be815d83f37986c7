"""What tile specs name becomes arrays."""

import os
import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from renderapi.errors import RenderError
from renderapi.rendering import ImageReference, ImageSourceError, Sources, default_sources
from renderapi.rendering import sources as sources_module

RNG = np.random.default_rng(11)
GRAY = RNG.integers(0, 256, (24, 37), dtype=np.uint8)
MASK_URL = "mask://outside-box?minX=10&minY=0&maxX=56&maxY=23&width=56&height=24"


def half(image):
    rows, columns = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    wide = image[:rows, :columns].astype(np.int64)
    return ((wide[0::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 0::2] + wide[1::2, 1::2]) // 4).astype(
        image.dtype
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with a gray image in it."""
    path = tmp_path / "images"
    path.mkdir()
    Image.fromarray(GRAY).save(path / "gray.png")
    return path


@pytest.fixture
def sources():
    with Sources() as made:
        yield made


def reference(path, *more):
    return ImageReference(str(path), *more)


def refused(function, *args, **options):
    with pytest.raises(ImageSourceError) as caught:
        function(*args, **options)
    return str(caught.value)


# ---------------------------------------------------------------------------------- places


def spellings(path):
    return [
        str(path),
        f"file:{path}",
        f"file://{path}",
        f"file://localhost{path}",
        f"FILE://LOCALHOST{path}",
        f"file:{str(path).replace('gray', '%67%72ay')}",
        f"file:{path}?anything#at-all",
    ]


@pytest.mark.parametrize("number", range(7))
def test_every_spelling_of_a_local_url(number, folder, sources):
    there = reference(spellings(folder / "gray.png")[number])
    assert np.array_equal(sources.image(there), GRAY)
    assert sources.check(there) is None
    assert sources.exists(there)


@pytest.mark.parametrize("name", ["sp ace.png", "perc%41ent.png", "a:b.png", "q?uestion.png", "ünï.png"])
def test_names_that_look_like_something_else_in_a_url(name, folder, sources):
    (folder / name).write_bytes((folder / "gray.png").read_bytes())
    assert np.array_equal(sources.image(reference(folder / name)), GRAY)


def test_relative_paths(folder, sources, monkeypatch):
    monkeypatch.chdir(folder.parent)
    for url in ("images/gray.png", "file:images/gray.png", "./images/../images/gray.png"):
        assert np.array_equal(sources.image(reference(url)), GRAY)


def test_check_speaks_as_render_ws(folder, sources, monkeypatch):
    (folder / "empty.png").touch()
    assert refused(sources.check, reference(f"file:{folder}/none.png")) == (
        f"cannot find imageUrl file '{folder}/none.png'"
    )
    assert refused(sources.check, reference(folder / "none.png"), "maskUrl") == (
        f"cannot find maskUrl file '{folder}/none.png'"
    )
    assert refused(sources.check, reference("file:render/none.png")) == (
        "cannot find imageUrl file 'render/none.png'"
    )
    assert refused(sources.check, reference(folder / "empty.png")) == (
        f"imageUrl file '{folder}/empty.png' is empty"
    )
    assert refused(sources.check, reference(folder)) == f"cannot find imageUrl file '{folder}'"

    def forbidden(*args, **options):
        raise PermissionError

    monkeypatch.setattr(sources_module, "open_regular", forbidden)
    there = reference(folder / "gray.png")
    assert refused(sources.check, there) == f"no read access for imageUrl file '{folder}/gray.png'"
    assert refused(sources.image, there) == (
        f"failed to retrieve {{url: {folder}/gray.png}} from cache: there is no read access"
    )


def test_check_looks_at_local_files_only(sources):
    for url in ("http://127.0.0.1:1/a.png", "s3://bucket/a.png", "gs://bucket/a.png"):
        sources.check(reference(url))
    sources.check(reference(MASK_URL, "DYNAMIC_MASK"), "maskUrl")


def test_errors_are_render_errors_with_the_url(sources):
    with pytest.raises(RenderError) as caught:
        sources.image(reference("/no/such/file.png"))
    assert isinstance(caught.value, ValueError)
    assert caught.value.image_url == "/no/such/file.png"
    assert str(caught.value) == (
        "failed to retrieve {url: /no/such/file.png} from cache: there is no such file"
    )


@pytest.mark.parametrize(
    "url, reason",
    [
        ("", "it is empty"),
        ("file:", "it is empty"),
        ("file://server/share/a.png", "file URLs of another host (server) are not read"),
        ("file:/a%00b.png", "there is a null character in its path"),
        ("a\0b.png", "there is a null character in its path"),
        ("/\ud800.png", "its path cannot be encoded"),
        ("ftp://example.org/a.png", "images of the scheme 'ftp' cannot be read"),
        ("gs://bucket/a.png", "images of the scheme 'gs' cannot be read"),
        (MASK_URL, "images of the scheme 'mask' cannot be read"),
        ("/" + "a/" * 9000 + "a.png", "it cannot be read (OSError: File name too long)"),
        ("/tmp", "there is no such file"),
        ("C:\\images\\a.png", "there is no such file"),
    ],
)
def test_urls_that_lead_nowhere(url, reason, sources):
    message = refused(sources.image, reference(url))
    assert message == f"failed to retrieve {{url: {url}}} from cache: {reason}"
    assert refused(sources.mask, reference(url)) == message
    assert not sources.exists(reference(url))
    if reason.startswith(("it is empty", "there is a null", "its path")):
        assert refused(sources.check, reference(url)) == f"imageUrl '{url}' cannot be used: {reason}"


def test_passwords_and_signatures_are_not_shown(sources):
    url = "ftp://anna:hunter2@host/a.png?X-Amz-Signature=abc123&token=t0p&page=4"
    with pytest.raises(ImageSourceError) as caught:
        sources.image(reference(url))
    for text in (str(caught.value), repr(caught.value), caught.value.image_url):
        assert not any(secret in text for secret in ("hunter2", "abc123", "t0p"))
    assert caught.value.image_url == "ftp://***@host/a.png?X-Amz-Signature=***&token=***&page=4"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_no_image_and_nobody_waits_for_it(folder, sources):
    os.mkfifo(folder / "pipe.png")
    pipe = reference(folder / "pipe.png")
    assert refused(sources.check, pipe) == f"cannot find imageUrl file '{folder}/pipe.png'"
    assert "there is no such file" in refused(sources.image, pipe)
    assert "there is no such file" in refused(sources.image, reference("/dev/zero"))
    with pytest.raises(FileNotFoundError):  # also if it took the place of a file just now
        sources_module.open_regular(str(folder / "pipe.png"))
    assert not sources.exists(pipe)


def test_files_are_closed_at_once(folder, sources):
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.is_dir() else None
    (folder / "bad.png").write_bytes((folder / "gray.png").read_bytes()[:60])
    Image.fromarray(GRAY).save(folder / "gray.tif")
    for name in ("gray.png", "gray.tif"):
        sources.image(reference(folder / name))
    refused(sources.image, reference(folder / "bad.png"))
    if before is not None:
        assert len(list(descriptors.iterdir())) == before


# ---------------------------------------------------------------------------------- allowed folders


def outside(function, place):
    message = refused(function, place)
    assert "is not in an allowed folder" in message
    return message


def test_only_files_below_the_roots(folder, tmp_path):
    (tmp_path / "images-too").mkdir()
    (tmp_path / "images-too" / "gray.png").write_bytes((folder / "gray.png").read_bytes())
    (tmp_path / "secret.png").write_bytes((folder / "gray.png").read_bytes())
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "up").symlink_to(tmp_path)
    (folder / "inner.png").symlink_to("gray.png")
    sources = Sources(roots=[folder])
    for url in (folder / "gray.png", folder / "inner.png", f"{folder}/../images/gray.png"):
        assert np.array_equal(sources.image(reference(url)), GRAY)
        assert sources.exists(reference(url))
        sources.check(reference(url))
    for url in (
        tmp_path / "secret.png",
        folder / "link.png",
        folder / "up" / "secret.png",
        f"{folder}/../secret.png",
        f"file:{folder}/%2e%2e/secret.png",
        f"file://{folder}/%2E%2E%2Fsecret.png",
        tmp_path / "images-too" / "gray.png",
        "secret.png",
        "/etc/passwd",
        "/dev/zero",
    ):
        for place in (reference(url), reference(url, "IMAGEJ_TIFF_STACK", 1)):
            for function in (sources.check, sources.image, sources.mask):
                outside(function, place)
            assert not sources.exists(place)


def test_what_lies_outside_cannot_be_probed(folder, tmp_path):
    sources = Sources(roots=[folder])
    (tmp_path / "there.png").write_bytes(b"x")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    for function in (sources.check, sources.image):
        messages = {
            outside(function, reference(tmp_path / f"{name}.png")).replace(f"{name}.png", "NAME.png")
            for name in ("there", "empty", "folder", "absent")
        }
        assert len(messages) == 1


def test_no_roots_at_all(folder):
    sources = Sources(roots=())
    outside(sources.check, reference(folder / "gray.png"))
    outside(sources.image, reference(folder / "gray.png"))


def test_a_root_that_is_a_link(folder, tmp_path):
    (tmp_path / "alias").symlink_to(folder)
    sources = Sources(roots=[tmp_path / "alias"])
    assert np.array_equal(sources.image(reference(tmp_path / "alias" / "gray.png")), GRAY)
    assert np.array_equal(sources.image(reference(folder / "gray.png")), GRAY)


def test_roots_are_a_list():
    with pytest.raises(TypeError, match="must be a list of folders"):
        Sources(roots="/data")


def test_a_file_that_becomes_a_link_while_it_is_opened(folder, tmp_path, monkeypatch):
    sources = Sources(roots=[folder])
    (tmp_path / "secret.png").write_bytes((folder / "gray.png").read_bytes())
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    # what realpath() said was right a moment ago
    monkeypatch.setattr(os.path, "realpath", str)
    message = refused(sources.image, reference(folder / "link.png"))
    assert "cannot be read (OSError" in message


# ---------------------------------------------------------------------------------- images


def test_images_are_read_only(folder, sources):
    there = reference(folder / "gray.png")
    for image in (sources.image(there), sources.image(there, halvings=1), sources.mask(there)):
        with pytest.raises(ValueError, match="read-only"):
            image[0, 0] = 1


def test_halvings(folder, sources):
    there = reference(folder / "gray.png")
    expected = GRAY
    for halvings in range(5):
        image = sources.image(there, halvings=halvings)
        assert image.dtype == np.uint8 and np.array_equal(image, expected)
        assert np.array_equal(sources.mask(there, halvings=halvings), expected)
        expected = half(expected)


def test_nothing_is_left_of_what_is_smaller_than_a_pixel(folder, sources):
    there = reference(folder / "gray.png")
    assert sources.image(there, halvings=5).shape == (0, 1)
    for halvings in (6, 32):
        assert sources.image(there, halvings=halvings).shape == (0, 0)
        assert sources.mask(there, halvings=halvings).shape == (0, 0)


@pytest.mark.parametrize("halvings", [33, 10**9, -1])
def test_more_halvings_than_make_sense(halvings, folder, sources):
    message = refused(sources.image, reference(folder / "gray.png"), halvings=halvings)
    assert message.endswith(f"it cannot be halved {halvings} times")


def test_a_wide_image_is_multiplied_after_it_was_halved_and_kept(folder, sources):
    there = reference(folder / "gray.png")
    narrow = GRAY
    for halvings in range(3):
        image = sources.image(there, halvings=halvings, wide=True)
        assert image.dtype == np.uint16 and np.array_equal(image, narrow.astype(np.uint16) * 256)
        assert sources.image(there, halvings=halvings, wide=True) is image
        narrow = half(narrow)


@pytest.mark.parametrize("kind", ["16 bit", "colour", "float"])
def test_other_images_are_as_wide_as_they_are(kind, folder, sources):
    pixels = {
        "16 bit": GRAY.astype(np.uint16) * 7,
        "colour": RNG.integers(0, 256, (10, 12, 3), dtype=np.uint8),
        "float": GRAY.astype(np.float32) / 3,
    }[kind]
    Image.fromarray(pixels).save(folder / "other.tif")
    image = sources.image(reference(folder / "other.tif"), wide=True)
    assert image.dtype == pixels.dtype and np.array_equal(image, pixels)


def test_slices_of_a_stack(folder, sources):
    pages = [Image.fromarray(GRAY + n) for n in range(3)]
    pages[0].save(folder / "stack.tif", save_all=True, append_images=pages[1:])
    for number in (1, 2, 3):
        image = sources.image(reference(folder / "stack.tif", "IMAGEJ_TIFF_STACK", number))
        assert np.array_equal(image, GRAY + np.uint8(number - 1))
    # only a stack has slices
    assert np.array_equal(sources.image(reference(folder / "stack.tif", "IMAGEJ_DEFAULT", 3)), GRAY)
    for number in (0, 4):
        message = refused(sources.image, reference(folder / "stack.tif", "IMAGEJ_TIFF_STACK", number))
        assert message.endswith(f"from cache: there is no slice {number}: its slices are 1 to 3")
    assert "slice number must be defined for IMAGEJ_TIFF_STACK loaders" in refused(
        sources.image, reference(folder / "stack.tif", "IMAGEJ_TIFF_STACK")
    )


@pytest.mark.parametrize("loader", ["IMAGEJ_COMPOSITE", "NONE", ""])
def test_loaders_that_are_not_supported(loader, folder, sources):
    message = refused(sources.image, reference(folder / "gray.png", loader))
    assert message.endswith(f"images of the loader type {loader!r} cannot be read")


def test_an_image_of_too_many_pixels(folder):
    sources = Sources(max_pixels=GRAY.size - 1)
    message = refused(sources.image, reference(folder / "gray.png"))
    assert message.endswith(f"its 37 x 24 pixels are more than the {GRAY.size - 1} allowed")


def test_garbled_files(folder, sources):
    whole = (folder / "gray.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("<html>not found</html>")
    cut = refused(sources.image, reference(folder / "cut.png"))
    assert cut == f"failed to retrieve {{url: {folder}/cut.png}} from cache: it is cut off"
    assert "it is neither PNG nor JPEG" in refused(sources.image, reference(folder / "text.png"))


def test_memory_that_is_not_there(folder, sources, monkeypatch):
    def full(image):
        raise MemoryError

    monkeypatch.setattr(sources_module, "halve", full)
    message = refused(sources.image, reference(folder / "gray.png"), halvings=1)
    assert message.endswith("there is not enough memory for it")


# ---------------------------------------------------------------------------------- masks


def stored(folder, pixels):
    Image.fromarray(pixels).save(folder / "mask.tif")
    return reference(folder / "mask.tif")


def test_a_16_bit_mask_is_stretched_as_in_imagej(folder, sources):
    pixels = RNG.integers(1000, 9000, (24, 37)).astype(np.uint16)
    low, high = int(pixels.min()), int(pixels.max())
    scale = 256.0 / (high - low + 1)
    expected = [[min(255, int((int(v) - low) * scale + 0.5)) for v in row] for row in pixels]
    assert np.array_equal(sources.mask(stored(folder, pixels)), np.array(expected, np.uint8))


@pytest.mark.parametrize("pixels", [[[0, 65535]], [[5, 5]], [[0, 1, 2, 3]], [[65535, 65534]]])
def test_16_bit_masks_of_few_values(pixels, folder, sources):
    pixels = np.array(pixels, np.uint16)
    low, high = int(pixels.min()), int(pixels.max())
    expected = [min(255, int((int(v) - low) * (256.0 / (high - low + 1)) + 0.5)) for v in pixels[0]]
    assert sources.mask(stored(folder, pixels)).tolist() == [expected]


def test_a_floating_point_mask_is_stretched_as_in_imagej(folder, sources):
    pixels = RNG.normal(size=(300, 37)).astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    scale = 255.0 / (high - low)
    expected = [[min(255, int((float(v) - low) * scale + 0.5)) for v in row] for row in pixels]
    assert np.array_equal(sources.mask(stored(folder, pixels)), np.array(expected, np.uint8))


@pytest.mark.parametrize(
    "pixels, expected",
    [
        ([3.5, 3.5], [0, 0]),
        ([np.nan, 1, 2], [0, 0, 255]),
        ([np.inf, -np.inf, 1, 2], [255, 0, 0, 255]),
        ([np.nan, np.nan], [0, 0]),
    ],
)
def test_floating_point_masks_of_odd_values(pixels, expected, folder, sources):
    assert sources.mask(stored(folder, np.array([pixels], np.float32))).tolist() == [expected]


def test_a_colour_mask_is_the_mean_of_its_colours(folder, sources):
    pixels = RNG.integers(0, 256, (90, 90, 3), dtype=np.uint8)
    pixels[0, :3] = [[255, 255, 255], [0, 0, 1], [0, 1, 1]]
    third = 1 / 3
    expected = [[int(r * third + g * third + b * third + 0.5) for r, g, b in row] for row in pixels.tolist()]
    assert np.array_equal(sources.mask(stored(folder, pixels)), np.array(expected, np.uint8))


def test_a_mask_becomes_8_bit_before_it_is_halved(folder, sources):
    pixels = RNG.integers(0, 5000, (24, 37)).astype(np.uint16)
    there = stored(folder, pixels)
    assert np.array_equal(sources.mask(there, halvings=2), half(half(sources.mask(there))))


def test_a_dynamic_mask(sources):
    there = reference(MASK_URL, "DYNAMIC_MASK")
    expected = np.zeros((24, 56), np.uint8)
    expected[0:23, 10:56] = 255
    assert np.array_equal(sources.mask(there), expected)
    assert np.array_equal(sources.image(there), expected)
    assert sources.exists(there)


def test_a_dynamic_mask_of_a_level_is_the_halved_mask(sources):
    whole = reference(MASK_URL.replace("minX=10", "minX=11"), "DYNAMIC_MASK")
    for level in range(4):
        derived = whole._replace(url=f"{whole.url}&level={level}")
        assert np.array_equal(sources.mask(derived), sources.mask(whole, halvings=level))
    first = sources.mask(whole._replace(url=f"{whole.url}&level=1"))
    assert first.shape == (12, 28)
    assert first[0, 4:7].tolist() == [0, 127, 255]  # a column of which half is inside
    assert sources.mask(whole._replace(url=f"{whole.url}&level=99999")).shape == (0, 0)


@pytest.mark.parametrize(
    "url",
    [
        "mask://outside-box",
        "mask://outside-box?minX=1",
        MASK_URL.replace("minX=10", "minX=-1"),
        MASK_URL.replace("minX=10", "minX=1.5"),
        MASK_URL.replace("minX=10", "minX=" + "9" * 40),
        MASK_URL.replace("outside-box", "outside-boxes"),
        MASK_URL.replace("mask:", "file:"),
    ],
)
def test_dynamic_masks_that_are_none(url, sources):
    there = reference(url, "DYNAMIC_MASK")
    message = refused(sources.mask, there)
    assert "failed to parse dynamic mask URL: " in message
    assert "it must look like mask://outside-box?minX=" in message
    assert not sources.exists(there)


def test_masks_of_several_boxes(sources):
    url = "mask://outside-boxes?width=9&height=6&count=2&boxes=0,1,3,2,6,4,9,9"
    mask = sources.mask(reference(url, "MULTI_BOX_DYNAMIC_MASK"))
    wanted = np.zeros((6, 9), np.uint8)
    # one pixel further right and down than the boxes say, as in the original
    wanted[2:4, 1:4] = wanted[5:, 7:] = 255
    np.testing.assert_array_equal(mask, wanted)
    half = sources.mask(reference(url + "&level=1", "MULTI_BOX_DYNAMIC_MASK"))
    assert half.shape == (3, 4) and half[1, 1] == 255
    assert sources.exists(reference(url, "MULTI_BOX_DYNAMIC_MASK"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "mask://outside-boxes?width=9&height=6&count=1&boxes=1,2,3,4,5",
            "expected 4 box values but found 5",
        ),
        ("mask://outside-boxes?width=9&height=6&count=1&boxes=-1,2,3,4", "failed to parse dynamic mask URL"),
        ("mask://outside-boxes?width=9&height=6", "failed to parse dynamic mask URL"),
        (MASK_URL, "failed to parse dynamic mask URL"),
    ],
)
def test_masks_of_several_boxes_that_are_none(url, words, sources):
    assert words in refused(sources.mask, reference(url, "MULTI_BOX_DYNAMIC_MASK"))


@pytest.mark.parametrize("size, word", [("0", "0 x 24 pixels"), ("999999999", "are more than")])
def test_dynamic_masks_of_no_size_or_too_large(size, word, sources):
    there = reference(MASK_URL.replace("width=56", f"width={size}"), "DYNAMIC_MASK")
    assert word in refused(sources.mask, there)


# ---------------------------------------------------------------------------------- memory


@pytest.fixture
def reads(monkeypatch):
    """The files that were decoded."""
    seen = []
    decode = sources_module._formats.decode

    def counted(file, **options):
        seen.append(Path(file.name).name)
        return decode(file, **options)

    monkeypatch.setattr(sources_module._formats, "decode", counted)
    return seen


def test_a_level_is_made_from_the_one_above(folder, sources, reads, monkeypatch):
    halvings = []
    made = sources_module.halve
    monkeypatch.setattr(sources_module, "halve", lambda image: halvings.append(image.shape) or made(image))
    there = reference(folder / "gray.png")
    sources.image(there, halvings=1)
    sources.image(there, halvings=3)
    sources.image(there, halvings=2)
    assert reads == ["gray.png"]
    assert halvings == [(24, 37), (12, 18), (6, 9)]


def test_a_file_that_changes_is_read_again(folder, sources, reads):
    there = reference(folder / "gray.png")
    sources.image(there, halvings=1)
    Image.fromarray(255 - GRAY).save(folder / "gray.png")
    os.utime(folder / "gray.png", ns=(1, 1))
    assert np.array_equal(sources.image(there), 255 - GRAY)
    assert np.array_equal(sources.image(there, halvings=1), half(255 - GRAY))
    assert reads == ["gray.png"] * 2
    (folder / "gray.png").unlink()
    refused(sources.image, there)


def test_clear_and_close_forget(folder, reads):
    with Sources() as sources:
        there = reference(folder / "gray.png")
        sources.image(there)
        sources.clear()
        sources.image(there)
    assert len(reads) == 2
    sources.image(there)  # it may be used again
    assert len(reads) == 3


def test_what_does_not_fit_is_given_but_not_kept(folder, reads):
    sources = Sources(cache_bytes=100)
    for _ in range(2):
        assert np.array_equal(sources.image(reference(folder / "gray.png"), halvings=1), half(GRAY))
    assert len(reads) == 2


def test_threads_that_want_the_same_image_read_it_once(folder, sources, reads):
    barrier, images = threading.Barrier(8), []

    def run():
        barrier.wait()
        images.append(sources.image(reference(folder / "gray.png"), halvings=2))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(images) == 8 and all(image is images[0] for image in images)
    assert reads == ["gray.png"]


def test_repr_and_pickle(folder):
    sources = Sources(roots=[folder], cache_bytes=1000, max_pixels=99, download_timeout=7.0)
    assert repr(sources) == (
        f"Sources(roots=['{folder}'], cache_bytes=1000, max_pixels=99, http=False, connect_timeout=10.0, "
        "download_timeout=7.0, max_download=1073741824)"
    )
    assert repr(pickle.loads(pickle.dumps(sources))) == repr(sources)


def test_default_sources_read_any_file(folder):
    assert default_sources() is default_sources()
    assert np.array_equal(default_sources().image(reference(folder / "gray.png")), GRAY)
    assert "roots=None" in repr(default_sources())
    assert "http=True" in repr(default_sources())


def test_windows_paths(monkeypatch):
    from renderapi.rendering import locations

    monkeypatch.setattr(locations, "_WINDOWS", True)
    assert locations.locate("C:\\a\\b.png") == ("file", "C:\\a\\b.png", "")
    assert locations.locate("c:/a/b.png").path == "c:/a/b.png"
    assert locations.locate("file:///C:/a%20b.png").path == "C:/a b.png"
    # only to look at a share would send credentials there
    limited = locations.Folders(["/"])
    assert limited.resolved("\\\\server\\share\\a.png") is None
    assert limited.resolved("//server/share/a.png") is None


@pytest.mark.skipif(sys.platform == "win32", reason="paths are text there")
def test_paths_that_are_not_utf_8(folder, sources):
    name = os.fsdecode(b"\xff.png")
    (folder / name).write_bytes((folder / "gray.png").read_bytes())
    assert np.array_equal(sources.image(reference(f"file:{folder}/%ff.png")), GRAY)
