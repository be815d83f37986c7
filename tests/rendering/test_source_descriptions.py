"""What headers say of images is what their pixels turn out to be."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from renderapi.rendering import ImageReference, ImageSourceError, Sources

GOLDEN = Path(__file__).parent.parent / "data" / "golden"
FILES = sorted(
    path
    for folder in ("render", "original/render_src", "newsolver/render_src")
    for path in (GOLDEN / folder).iterdir()
    if path.suffix in (".png", ".tif", ".jpg")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_a_header_says_what_the_pixels_are(path):
    sources, reference = Sources(), ImageReference(str(path))
    described, image = sources.describe(reference), sources.image(reference)
    assert (described.height, described.width, described.dtype) == (*image.shape[:2], image.dtype.name)
    assert described.colour or image.ndim == 2


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_a_tiff_stack_says_how_many_pages_it_has(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((7, 4, 5), dtype), photometric="minisblack")
    reference = ImageReference(str(tmp_path / "s.tif"))
    described = Sources().describe(reference)
    assert described.slices == 7
    assert described.dtype == Sources().image(reference).dtype.name


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "F"])
def test_without_tifffile_headers_say_the_same(tmp_path, mode, monkeypatch):
    pages = [Image.new(mode, (5, 4))] * 2
    pages[0].save(tmp_path / "s.tif", save_all=True, append_images=pages[1:])
    reference = ImageReference(str(tmp_path / "s.tif"))
    with_it = Sources().describe(reference)
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    assert Sources().describe(reference) == with_it


def test_what_has_no_header_is_refused(tmp_path):
    with pytest.raises(ImageSourceError, match=r"cannot be described: .* have no header"):
        Sources().describe(ImageReference("mask://outside-box?minX=0", "DYNAMIC_MASK"))
    with pytest.raises(ImageSourceError, match="there is no such file"):
        Sources().describe(ImageReference(str(tmp_path / "none.png")))
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ImageSourceError, match="cannot be described"):
        Sources(roots=[tmp_path]).describe(ImageReference(str(tmp_path / "cut.png")))
    with pytest.raises(ImageSourceError, match="allowed folder"):
        Sources(roots=[tmp_path / "other"]).describe(ImageReference(str(tmp_path / "cut.png")))
