"""The formats in which a server gives images: where they are asked for, and what they hold."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi import _pillow
from renderapi._parallel import with_note
from renderapi.errors import BadRequestError, NotFoundError
from renderapi.http import transport

if TYPE_CHECKING:
    import requests
    from numpy.typing import NDArray
    from PIL.Image import Image

_ENDINGS = {
    "png": "png-image",
    "jpg": "jpeg-image",
    "jpeg": "jpeg-image",
    "tif": "tiff-image",
    "tiff": "tiff-image",
    "tiff16": "tiff16-image",
    "png16": "png16-image",
    "raw": "raw-image",
    "raw16": "raw16-image",
}
#: What programs call an image format -> the end of the URL that gives it.
IMAGE_FORMATS: dict[str | None, str] = {
    None: "png-image",
    **{start + name: ending for name, ending in _ENDINGS.items() for start in ("", ".")},
}

_COMMON = ("png-image", "jpeg-image", "tiff-image")
#: What render-ws has paths for; a later version may have more.
_PATHS = {
    "a box": tuple(_ENDINGS.values()),
    "a tile": (*_COMMON, "tiff16-image"),
    "a layer": _COMMON,
    "render parameters": _COMMON,
    "a box of a group": _COMMON,
    "a box by DVID": _COMMON,
    "a tile of a pyramid": _COMMON[:2],
    "a source": _COMMON,
    "a tile with neighbors": ("jpeg-image",),
}
_RAW = ("raw-image", "raw16-image")

#: Rows of about this many pixels are made gray at once.
_GRAY_PIXELS = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """An image as it is asked for.

    Attributes
    ----------
    of : str
        ``"a box"``, ``"a tile"``, ``"a layer"`` or ``"render parameters"``.
    ending : str
        The end of the URL.
    gray : bool
        Whether it becomes (H, W).
    shape : (int, int), optional
        Its rows and columns, where the answer does not have them or they are to be checked.
    """

    of: str
    ending: str
    gray: bool = False
    shape: tuple[int, int] | None = None

    @classmethod
    def like(cls, img_format: str | None, of: str, gray: bool = False) -> Wanted:
        """Return an image in a format that a program names.

        Raises
        ------
        BadRequestError
            If there is no such format, or the size of an answer in it would not be known.
        """
        try:
            ending = IMAGE_FORMATS[img_format.lower() if isinstance(img_format, str) else img_format]
        except (KeyError, TypeError):
            raise BadRequestError(
                f"{img_format!r} is no image format of render; there are {', '.join(_ENDINGS)}"
            ) from None
        if ending in _RAW and of != "a box":
            raise BadRequestError(
                f"render-ws has no {img_format} image of {of}, only of a box (get_bb_image): such an image "
                "does not tell its size"
            )
        return cls(of, ending, gray)

    def sized(self, width: int, height: int, scale: float) -> Wanted:
        """Return the same with the shape that a box of this size has."""
        return replace(self, shape=(int(scale * height), int(scale * width)))

    @property
    def is_raw(self) -> bool:
        """Whether the answer is bare pixels, without their shape."""
        return self.ending in _RAW

    def explained(self, error: NotFoundError) -> NotFoundError:
        """Say it with an error where render-ws has no such path at all."""
        paths = _PATHS[self.of]
        if self.ending in paths:
            return error
        hint = f"render-ws 4 has no {self.ending} of {self.of}; it has {', '.join(paths)}."
        return with_note(error, hint)

    def decoded(self, response: requests.Response) -> NDArray[Any]:
        """Return the pixels of an answer as a new array, in the byte order of this machine.

        Raises
        ------
        BadAnswerError
            If the answer is no image, or not of the size that was asked for.
        """
        pixels = self._raw(response) if self.is_raw else _decoded(response)
        if self.shape is not None and pixels.shape[:2] != self.shape:
            height, width = self.shape
            raise transport.not_as_asked(
                response,
                f"an image of {width} x {height} pixels",
                f"the image has {pixels.shape[1]} x {pixels.shape[0]}",
            )
        return as_gray(pixels) if self.gray else pixels

    def _raw(self, response: requests.Response) -> NDArray[Any]:
        height, width = self.shape or (0, 0)
        size = 2 if self.ending == "raw16-image" else 4
        if len(response.content) != width * height * size:
            raise transport.not_as_asked(
                response,
                f"a raw image of {width} x {height} pixels",
                f"it would have {width * height * size} bytes",
            )
        if size == 2:
            return np.frombuffer(response.content, ">u2").reshape(height, width).astype(np.uint16)
        argb = np.frombuffer(response.content, np.uint8).reshape(height, width, 4)
        return np.take(argb, (1, 2, 3, 0), axis=2)


def as_gray(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return an image as (H, W): colours as render's ``convertToGray`` weighs them, over black.

    Parameters
    ----------
    pixels : (H, W), (H, W, 3) or (H, W, 4) array
        One channel stays as it is; of gray pixels, whose channels are equal, and that are opaque, this is
        the first channel.

    Returns
    -------
    (H, W) array
        8 bit gray; the very same array where it had one channel.
    """
    if pixels.ndim == 2:
        return pixels
    from renderapi.rendering import to_gray

    height, width, channels = pixels.shape
    gray = np.empty((height, width), np.uint8)
    step = max(1, _GRAY_PIXELS // max(1, width))
    for start in range(0, height, step):
        rows = slice(start, start + step)
        red, green, blue = (pixels[rows, :, channel] for channel in range(3))
        opaque = channels == 3 or bool((pixels[rows, :, 3] == 255).all())
        if opaque and np.array_equal(red, green) and np.array_equal(red, blue):
            gray[rows] = red
        else:
            alpha = np.full_like(red, 255) if channels == 3 else pixels[rows, :, 3]
            gray[rows] = to_gray(np.stack([red, green, blue, alpha], axis=2))
    return gray


def _decoded(response: requests.Response) -> NDArray[Any]:
    try:
        with _opened(response.content) as image:
            image.load()
            pixels = np.array(image)
            is_16_bit_png = image.format == "PNG" and image.mode == "I"  # by Pillow before 10.3
    except MemoryError:
        raise
    except Exception as error:  # over garbled bytes a decoder may stumble in any way
        raise transport.not_as_asked(response, "an image", str(error)) from None
    dtype = np.dtype(np.uint16) if is_16_bit_png else pixels.dtype.newbyteorder("=")
    return pixels.astype(dtype, copy=False)


def _opened(content: bytes) -> Image:
    made = _pillow.decoder(content[:8])
    if made is None:
        raise ValueError("neither PNG nor JPEG nor TIFF")
    image = made(io.BytesIO(content))
    if not _pillow.can_hold(len(content), image.width, image.height):
        raise ValueError(f"{image.width} x {image.height} pixels cannot be in {len(content)} bytes")
    return image
