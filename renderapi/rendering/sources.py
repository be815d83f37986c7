"""Source images: what tile specs name becomes arrays, and the arrays that are used often stay in memory."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from renderapi.rendering import _formats, _volumes
from renderapi.rendering._cache import Array, ByteCache, halve
from renderapi.rendering._formats import UnreadableImageError
from renderapi.rendering._remote import REMOTE_SCHEMES, Remote
from renderapi.rendering.errors import ImageSourceError
from renderapi.rendering.locations import (
    Folders,
    Location,
    LocationError,
    Status,
    locate,
    open_regular,
    shown,
)

__all__ = ["ImageDescription", "ImageReference", "ImageSourceError", "Sources", "default_sources"]

_SLICE_LOADERS = {"H5_SLICE": _volumes.h5_slice, "N5_SLICE": _volumes.n5_slice}
_DESCRIBING = {"H5_SLICE": _volumes.h5_description, "N5_SLICE": _volumes.n5_description}
_FILE_LOADERS = ("IMAGEJ_DEFAULT", "IMAGEJ_DEFAULT_W_TIMEOUT", "IMAGEJ_TIFF_STACK")
_MASK_LOADERS = ("DYNAMIC_MASK", "MULTI_BOX_DYNAMIC_MASK")
_MOST_HALVINGS = 32
_BAND = 64  # rows that are converted at a time, so that little memory is taken

_GIBIBYTE = 1 << 30


class ImageReference(NamedTuple):
    """What a tile spec says of an image or a mask.

    Attributes
    ----------
    url : str
        ``imageUrl`` or ``maskUrl``: a path, or a URL with the scheme file, http, https, s3 or mask.
    loader : str
        ``imageLoaderType``: IMAGEJ_DEFAULT, IMAGEJ_DEFAULT_W_TIMEOUT, IMAGEJ_TIFF_STACK, H5_SLICE, N5_SLICE,
        DYNAMIC_MASK or MULTI_BOX_DYNAMIC_MASK.
    slice_number : int or None
        ``imageSliceNumber`` of an IMAGEJ_TIFF_STACK, counted from 1 as ImageJ does.
    compat : {"master", "newsolver"}
        Branch of render whose loaders read it: they differ in volumes of signed pixels of 16 bits.
    """

    url: str
    loader: str = "IMAGEJ_DEFAULT"
    slice_number: int | None = None
    compat: str = "master"


class ImageDescription(NamedTuple):
    """What is known of an image without its pixels.

    Attributes
    ----------
    width, height : int
        Size in pixels.
    dtype : {"uint8", "uint16", "float32"}
        Type of the pixels that `Sources.image` gives.
    colour : bool
        Whether they may be red, green and blue.
    slices : int
        How many images there are: pages of a TIFF stack, planes of a volume.
    """

    width: int
    height: int
    dtype: str
    colour: bool = False
    slices: int = 1


class Sources:
    """Reads the images and masks of tile specs, and keeps those that were used last.

    It may be used by any number of threads; a copy that is sent to another process begins empty.

    Parameters
    ----------
    roots : iterable of path, optional
        Only files below these folders are read, after symbolic links were followed. Default: any file.
    cache_bytes : int, optional
        Pixels kept in memory; default 512 MiB. 0 keeps nothing.
    max_pixels : int, optional
        Larger images are refused; default 2**30.
    http : bool, optional
        Whether images are fetched from ``http:``, ``https:`` and ``s3:`` URLs. Default: only where `roots`
        does not limit what is read.
    connect_timeout, download_timeout : float, optional
        Seconds until there must be a connection, and until an image must have arrived; default 10 and 300.
    max_download : int, optional
        Bytes of a fetched image file; default 1 GiB.

    Notes
    -----
    An image file that changes is read again: its modification time and size are part of what is
    remembered. What was fetched from elsewhere, and the blocks of an N5 volume, are taken to stay the same
    until `clear`.

    Loaders: IMAGEJ_DEFAULT reads PNG, JPEG, TIFF (the first page), GIF, BMP and PGM, also the first file
    of a ZIP archive. IMAGEJ_TIFF_STACK
    reads the page ``slice_number``. H5_SLICE and N5_SLICE read
    ``file:///volume.n5?dataSet=/path/in/it&x=0&y=0&z=0&w=100&h=100``, where x, y, z default to 0, w and h
    to all there is; signed pixels of 16 bits become unsigned ones. DYNAMIC_MASK makes
    ``mask://outside-box?minX=&minY=&maxX=&maxY=&width=&height=[&level=]``: 255 where minX <= x < maxX and
    minY <= y < maxY, 0 outside, halved ``level`` times. MULTI_BOX_DYNAMIC_MASK makes
    ``mask://outside-boxes?width=&height=&count=&boxes=x,y,width,height,...[&level=]`` of several boxes, each
    one pixel right of and below what its numbers say, as render does. IMAGEJ_COMPOSITE is not supported.
    """

    def __init__(
        self,
        *,
        roots: Iterable[str | os.PathLike[str]] | None = None,
        cache_bytes: int = _GIBIBYTE // 2,
        max_pixels: int = _GIBIBYTE,
        http: bool | None = None,
        connect_timeout: float = 10.0,
        download_timeout: float = 300.0,
        max_download: int = _GIBIBYTE,
    ) -> None:
        self._folders = Folders(roots)
        self._cache = ByteCache(cache_bytes)
        self._max_pixels = max_pixels
        self._http = self._folders.roots is None if http is None else bool(http)
        self._remote = Remote(connect_timeout, download_timeout, max_download)

    def __repr__(self) -> str:
        roots, remote = self._folders.roots, self._remote
        return (
            f"Sources(roots={roots if roots is None else list(roots)!r}, cache_bytes={self._cache.limit}, "
            f"max_pixels={self._max_pixels}, http={self._http}, "
            f"connect_timeout={remote.connect_timeout}, download_timeout={remote.download_timeout}, "
            f"max_download={remote.max_download})"
        )

    def __reduce__(self) -> tuple[Callable[..., Sources], tuple[Any, ...]]:
        roots, remote = self._folders.roots, self._remote
        limits = (remote.connect_timeout, remote.download_timeout, remote.max_download)
        return _rebuilt, (type(self), roots, self._cache.limit, self._max_pixels, self._http, *limits)

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget all images and close the connections; it may be used again all the same."""
        self.clear()
        self._remote.close()

    def clear(self) -> None:
        """Forget all images."""
        self._cache.clear()

    # ------------------------------------------------------------------------------ questions

    def check(self, reference: ImageReference, what: str = "imageUrl") -> None:
        """Refuse a local image that cannot be read, as render-ws does before it renders.

        Parameters
        ----------
        reference : ImageReference
            Image or mask, and what reads it.
        what : str, optional
            What it is called in the message: ``imageUrl`` or ``maskUrl``.

        Raises
        ------
        ImageSourceError
            If the file is missing, may not be read, or is empty. Images elsewhere are not looked at.
        """
        try:
            location = self._locate(reference)
        except LocationError as error:
            raise _error(reference, f"{what} '{shown(reference.url)}' cannot be used: {error}") from None
        if location.scheme != "file" or reference.loader in _MASK_LOADERS:
            return
        name = f"{what} file '{location.path}'"
        true = self._folders.resolved(location.path)
        if true is None:
            raise _error(reference, f"{name} is not in an allowed folder")
        try:
            if reference.loader == "N5_SLICE":
                _volumes.check_n5(true)
                return
            size = self._folders.status(true).size
            if size > 0:
                open_regular(true, follow=self._folders.roots is None).close()
        except PermissionError:
            raise _error(reference, f"no read access for {name}") from None
        except (OSError, ValueError):
            raise _error(reference, f"cannot find {name}") from None
        if size == 0:
            raise _error(reference, f"{name} is empty")

    def exists(self, reference: ImageReference) -> bool:
        """Tell whether there is such an image; what may not be read is not there.

        Parameters
        ----------
        reference : ImageReference
            Image or mask, and what reads it.

        Returns
        -------
        bool
        """
        try:
            location = self._locate(reference)
            if reference.loader in _MASK_LOADERS:
                return _mask_of(reference) is not None
            if location.scheme in REMOTE_SCHEMES:
                if not self._http:
                    return False
                url = location.path
                found = self._cache.get(("exists", url), lambda: np.array(self._remote.exists(url)))
                return bool(found)
            true = self._local(location)
            if reference.loader == "N5_SLICE":
                _volumes.check_n5(true)
            else:
                self._folders.status(true)
        except (OSError, ValueError):
            return False
        return True

    def describe(self, reference: ImageReference) -> ImageDescription:
        """Read the size of an image and the type of its pixels, of its header where it has one.

        Parameters
        ----------
        reference : ImageReference
            A file, or a volume with ``dataSet`` in its URL; the slice does not matter.

        Returns
        -------
        ImageDescription
            Of the whole plane for a volume.

        Raises
        ------
        ImageSourceError
            If it cannot be read.
        """
        with _reasons(reference, "{} cannot be described"):
            location = self._locate(reference)
            if reference.loader in _SLICE_LOADERS:
                described, box = _DESCRIBING[reference.loader], _volumes.Box.of(location.query)
                limited = self._folders.roots is not None
                size, dtype = described(self._local(location), box.dataset, self._open, limited)
                if not 2 <= len(size) <= 3:
                    raise UnreadableImageError(f"its data set has {len(size)} dimensions, not 2 or 3")
                return ImageDescription(size[0], size[1], dtype, slices=size[2] if len(size) == 3 else 1)
            if reference.loader not in _FILE_LOADERS:
                raise UnreadableImageError(f"images of the loader type {reference.loader!r} have no header")
            with self._open(self._local(location)) as file:
                return ImageDescription(*_formats.describe(file, max_pixels=self._max_pixels))

    # ------------------------------------------------------------------------------ images

    def image(self, reference: ImageReference, *, halvings: int = 0, wide: bool = False) -> Array:
        """Read an image.

        Parameters
        ----------
        reference : ImageReference
            Where it is, and what reads it.
        halvings : int, optional
            How often it is made half as large: each time to the mean of 2x2 pixels, truncated to an integer;
            an odd last row or column is dropped, also if it is the only one: nothing is left of a tile that is
            smaller than a pixel.
        wide : bool, optional
            Whether an 8-bit gray image becomes a 16-bit one of 256 times the values, after it was halved.

        Returns
        -------
        (H, W) uint8, uint16 or float32, or (H, W, 3) uint8 array
            Gray, or red, green and blue; read-only.

        Raises
        ------
        ImageSourceError
            If it cannot be read: ``failed to retrieve {url: ...} from cache`` and why.
        """
        return self._level(reference, "wide" if wide else "image", halvings)

    def mask(self, reference: ImageReference, *, halvings: int = 0) -> NDArray[np.uint8]:
        """Read a mask: an image as 8-bit gray.

        Parameters
        ----------
        reference : ImageReference
            Where it is, and what reads it.
        halvings : int, optional
            As for `image`, after it became 8-bit gray.

        Returns
        -------
        (H, W) uint8 array
            Read-only. 16-bit and floating point images are stretched from their least to their largest
            value, colour becomes the mean of red, green and blue, as in ImageJ's ``TypeConverter``.

        Raises
        ------
        ImageSourceError
            If it cannot be read.
        """
        return self._level(reference, "mask", halvings)

    def _level(self, reference: ImageReference, kind: str, halvings: int) -> Array:
        with _reasons(reference, "failed to retrieve {{url: {}}} from cache"):
            if not 0 <= halvings <= _MOST_HALVINGS:
                raise UnreadableImageError(f"it cannot be halved {halvings} times")
            key, read = self._reader(reference)
            return self._made(key, read, kind, halvings)

    def _made(self, key: Hashable, read: Callable[[], Array], kind: str, halvings: int) -> Array:
        def make() -> Array:
            if kind == "wide":
                image = self._made(key, read, "image", halvings)
                narrow = image.dtype == np.uint8 and image.ndim == 2
                return np.left_shift(image, 8, dtype=np.uint16) if narrow else image
            if halvings > 0:
                return halve(self._made(key, read, kind, halvings - 1))
            if kind == "image":
                return read()
            return _as_mask(self._made(key, read, "image", 0))

        return self._cache.get((key, kind, halvings), make)

    # ------------------------------------------------------------------------------ places

    def _locate(self, reference: ImageReference) -> Location:
        return locate(reference.url, has_query=reference.loader in _SLICE_LOADERS)

    def _local(self, location: Location) -> str:
        if location.scheme != "file":
            raise LocationError(f"images of the scheme {location.scheme[:30]!r} cannot be read")
        true = self._folders.resolved(location.path)
        if true is None:
            raise LocationError(f"file '{location.path}' is not in an allowed folder")
        return true

    def _reader(self, reference: ImageReference) -> tuple[Hashable, Callable[[], Array]]:
        """Return what tells the image from any other one, and a function that reads it."""
        loader, number = reference.loader, reference.slice_number
        if loader in _MASK_LOADERS:
            return reference, lambda: self._dynamic_mask(reference)
        if loader not in _FILE_LOADERS and loader not in _SLICE_LOADERS:
            raise UnreadableImageError(f"images of the loader type {loader!r} cannot be read")
        if loader == "IMAGEJ_TIFF_STACK":
            if number is None:
                raise UnreadableImageError("slice number must be defined for IMAGEJ_TIFF_STACK loaders")
        else:
            number = None
        location = self._locate(reference)
        if loader in _FILE_LOADERS and location.scheme in REMOTE_SCHEMES:
            if not self._http:
                raise LocationError("images are not fetched from elsewhere here (http is off)")
            return (location.path, number), lambda: self._fetched(location.path, number)
        true = self._local(location)
        if loader in _SLICE_LOADERS:
            return self._volume_reader(loader, true, location.query, reference.compat)
        status = self._folders.status(true)
        return (status, number), lambda: self._file(status, number)

    def _open(self, path: str) -> Any:
        """Open a file that lies in a folder which was allowed, if it does so itself."""
        true = self._folders.resolved(path)
        if true is None:
            raise LocationError("it refers to a file that is not in an allowed folder")
        return open_regular(true, follow=self._folders.roots is None)

    def _file(self, status: Status, number: int | None) -> Array:
        with self._open(status.path) as file:
            return _formats.decode(file, slice_number=number, max_pixels=self._max_pixels)

    def _fetched(self, url: str, number: int | None) -> Array:
        with self._remote.open(url) as file:
            return _formats.decode(file, slice_number=number, max_pixels=self._max_pixels)

    def _volume_reader(
        self, loader: str, path: str, query: str, compat: str
    ) -> tuple[Hashable, Callable[[], Array]]:
        box = _volumes.Box.of(query)
        described = path if loader == "H5_SLICE" else _volumes.attributes_path(path, box.dataset)
        true = self._folders.resolved(described)
        if true is None:
            raise LocationError("it refers to a file that is not in an allowed folder")
        status = self._folders.status(true)
        read, limited = _SLICE_LOADERS[loader], self._folders.roots is not None
        return (loader, status, box, compat), lambda: read(
            path, box, self._open, self._max_pixels, limited, compat
        )

    def _dynamic_mask(self, reference: ImageReference) -> Array:
        found = _mask_of(reference)
        if found is None:
            raise UnreadableImageError(
                f"failed to parse dynamic mask URL: {shown(reference.url)} (it must look like "
                f"{_MASK_FORMS[reference.loader]})"
            )
        _formats.check_size(found.height, found.width, self._max_pixels)
        mask: Array = np.zeros((found.height, found.width), np.uint8)
        for left, top, right, bottom in found.boxes:
            mask[top:bottom, left:right] = 255
        for _ in range(min(found.level, _MOST_HALVINGS)):
            mask = halve(mask)
        return mask


def _rebuilt(
    kind: type[Sources],
    roots: tuple[str, ...] | None,
    cache_bytes: int,
    max_pixels: int,
    http: bool,
    connect_timeout: float,
    download_timeout: float,
    max_download: int,
) -> Sources:
    return kind(
        roots=roots,
        cache_bytes=cache_bytes,
        max_pixels=max_pixels,
        http=http,
        connect_timeout=connect_timeout,
        download_timeout=download_timeout,
        max_download=max_download,
    )


@contextmanager
def _reasons(reference: ImageReference, failed: str) -> Iterator[None]:
    """Say why an image cannot be read, whatever stumbled over it."""
    try:
        yield
        return
    except (UnreadableImageError, LocationError) as error:
        reason = str(error)
    except PermissionError:
        reason = "there is no read access"
    except FileNotFoundError:
        reason = "there is no such file"
    except OSError as error:
        reason = f"it cannot be read ({type(error).__name__}: {error.strerror or 'no reason given'})"
    except ValueError as error:  # what the operating system cannot take for a path
        reason = f"it is no path ({error})"
    except MemoryError:
        reason = "there is not enough memory for it"
    raise _error(reference, f"{failed.format(shown(reference.url))}: {reason}") from None


def _error(reference: ImageReference, message: str) -> ImageSourceError:
    return ImageSourceError(message, image_url=shown(reference.url))


class _Mask(NamedTuple):
    """A mask that is computed: white boxes minX, minY, maxX, maxY, halved so many times."""

    width: int
    height: int
    boxes: list[tuple[int, int, int, int]]
    level: int


_MASK_NUMBERS = ("minX", "minY", "maxX", "maxY", "width", "height")
_MASK_FORMS = {
    "DYNAMIC_MASK": "mask://outside-box?minX=&minY=&maxX=&maxY=&width=&height=",
    "MULTI_BOX_DYNAMIC_MASK": "mask://outside-boxes?width=&height=&count=&boxes=x,y,width,height,...",
}
_BOXES = re.compile(
    r"mask://outside-boxes\?width=([0-9]+)&height=([0-9]+)&count=([0-9]+)&boxes=([0-9,]*)(?:&level=([0-9]+))?"
)


def _mask_of(reference: ImageReference) -> _Mask | None:
    """Read the URL of a dynamic mask; None if it is none of its loader."""
    boxes = reference.loader == "MULTI_BOX_DYNAMIC_MASK"
    return _mask_of_boxes(reference.url) if boxes else _mask_of_box(reference.url)


def _mask_of_box(url: str) -> _Mask | None:
    match = re.fullmatch(r"mask://outside-box\?([^#]*)", url)
    if match is None:
        return None
    try:
        values = {name: _number(text) for name, text in parse_qsl(match[1], keep_blank_values=True)}
        left, top, right, bottom, width, height = (values[name] for name in _MASK_NUMBERS)
    except (KeyError, ValueError):
        return None
    return _Mask(width, height, [(left, top, right, bottom)], values.get("level", 0))


def _mask_of_boxes(url: str) -> _Mask | None:
    match = _BOXES.fullmatch(url)
    if match is None:
        return None
    texts = match[4].split(",") if match[4] else []
    try:
        width, height, count, level = (_number(text) for text in (*match.groups()[:3], match[5] or "0"))
        numbers = [_number(text) for text in texts]
    except ValueError:
        return None
    if len(numbers) != 4 * count:
        raise UnreadableImageError(
            f"expected {4 * count} box values but found {len(numbers)} in dynamic mask URL: {shown(url)}"
        )
    # a slip of the original: each box lies one pixel further right and down
    boxes = [(x + 1, y + 1, x + 1 + w, y + 1 + h) for x, y, w, h in zip(*[iter(numbers)] * 4)]
    return _Mask(width, height, boxes, level)


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)


def _as_mask(image: Array) -> NDArray[np.uint8]:
    """Convert to 8 bits as ImageJ's ``TypeConverter.convertToByte`` with scaling.

    With the least and largest value of the image: uint16 becomes
    ``min(255, (int)((v - min) * (256.0 / (max - min + 1)) + 0.5))``, float32
    ``min(255, (int)((v - min) * (255.0 / (max - min)) + 0.5))`` with 0 for an image of one value, and colour
    ``(int)(r / 3 + g / 3 + b / 3 + 0.5)``. NaN is 0.
    """
    if image.dtype == np.uint8:
        if image.ndim == 2:
            return image
        # exact: the sum of three thirds never falls on a half
        total = image.sum(axis=-1, dtype=np.uint16)
        means: NDArray[np.uint8] = ((2 * total + 3) // 6).astype(np.uint8)
        return means
    result = np.empty(image.shape, np.uint8)
    if image.dtype == np.uint16:
        low, high = int(image.min()), int(image.max())
        scale = 256.0 / (high - low + 1)
        table = np.minimum(np.arange(high - low + 1) * scale + 0.5, 255).astype(np.uint8)
        for start in range(0, len(image), _BAND):
            result[start : start + _BAND] = table[image[start : start + _BAND] - np.uint16(low)]
        return result
    finite = np.isfinite(image)
    if not finite.any():
        result[...] = 0
        return result
    low_value = float(image.min(where=finite, initial=np.inf))
    high_value = float(image.max(where=finite, initial=-np.inf))
    if high_value == low_value:
        result[...] = 0
        return result
    scale = 255.0 / (high_value - low_value)
    for start in range(0, len(image), _BAND):
        band = image[start : start + _BAND].astype(np.float64)
        band = np.nan_to_num((band - low_value) * scale + 0.5, nan=0.0)
        result[start : start + _BAND] = np.clip(band, 0, 255).astype(np.uint8)
    return result


_default: Sources | None = None
_default_lock = threading.Lock()


def default_sources() -> Sources:
    """Return the sources of this process, for those who bring none: any file and any address, 512 MiB."""
    global _default  # noqa: PLW0603
    with _default_lock:
        if _default is None:
            _default = Sources()
        return _default
