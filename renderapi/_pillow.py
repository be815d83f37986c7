"""The decoders of Pillow, one by one, with a limit that looks at the file.

``PIL.Image.open`` takes every image of more than 0.09 gigapixels for an attack, unless that limit is lifted
for the whole program.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

#: No format holds more, not even of a black image of one bit (deflate reaches 1032 bytes per byte). A garbled
#: header is found by that before memory for it is taken.
_MOST_PIXELS_PER_BYTE = 8 * 1032


def decoder(start: bytes) -> Callable[[Any], ImageFile] | None:
    """Return what opens a file of an image by its first bytes; None if that is no kind of image known here."""
    return next((found for signature, found in _decoders().items() if start.startswith(signature)), None)


@lru_cache(maxsize=1)
def _decoders() -> dict[bytes, Callable[[Any], ImageFile]]:
    # Pillow is loaded when it is needed
    from PIL import ImageFile
    from PIL.BmpImagePlugin import BmpImageFile
    from PIL.GifImagePlugin import GifImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.PpmImagePlugin import PpmImageFile
    from PIL.TiffImagePlugin import TiffImageFile

    class UnlimitedTiff(TiffImageFile):
        def load_prepare(self) -> None:
            ImageFile.ImageFile.load_prepare(self)  # without the limit, which is asked for here too

    return {
        b"\x89PNG\r\n\x1a\n": PngImageFile,
        b"\xff\xd8\xff": JpegImageFile,
        b"II": UnlimitedTiff,
        b"MM": UnlimitedTiff,
        b"GIF8": GifImageFile,
        b"BM": BmpImageFile,
        b"P2": PpmImageFile,
        b"P3": PpmImageFile,
        b"P5": PpmImageFile,
        b"P6": PpmImageFile,
    }


def can_hold(size: int, width: int, height: int) -> bool:
    """Tell whether any compression can have packed so many pixels into so many bytes."""
    return width * height <= _MOST_PIXELS_PER_BYTE * size
