"""Images that the server renders, as numpy arrays, and the render parameters that describe them."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi import _transport
from renderapi.errors import BadRequestError, RenderError, SpecError
from renderapi.render import (
    format_baseurl,
    format_number,
    format_preamble,
    owner_url,
    renderaccess,
    stack_url,
)
from renderapi.utils import NullHandler, get_json, jbool, put_json

if TYPE_CHECKING:
    import requests
    from numpy.typing import NDArray
    from PIL.Image import Image

    from renderapi.render import Render

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "IMAGE_FORMATS",
    "NullHandler",
    "RenderError",
    "format_baseurl",
    "format_preamble",
    "get_bb_image",
    "get_bb_renderparams",
    "get_json",
    "get_renderparameters_image",
    "get_section_image",
    "get_section_renderparams",
    "get_tile_image_data",
    "get_tile_renderparams",
    "jbool",
    "logger",
    "put_json",
]

#: What programs call an image format -> the end of the URL that gives it.
IMAGE_FORMATS: dict[str | None, str] = {
    None: "png-image",
    "png": "png-image",
    ".png": "png-image",
    "jpg": "jpeg-image",
    ".jpg": "jpeg-image",
    "jpeg": "jpeg-image",
    ".jpeg": "jpeg-image",
    "tif": "tiff-image",
    ".tif": "tiff-image",
    "tiff": "tiff-image",
    ".tiff": "tiff-image",
    "tiff16": "tiff16-image",
    ".tiff16": "tiff16-image",
    "png16": "png16-image",
    ".png16": "png16-image",
}

#: No format of the server holds more, not even of a black image (deflate reaches 1032 bytes per byte). A
#: garbled header is found by that before memory for it is taken.
_MOST_PIXELS_PER_BYTE = 2000

#: The array of an image, or, with ``errors="return"``, what went wrong.
ImageOrError = Any


# ------------------------------------------------------------------------------ requests and answers


def _endpoint(img_format: str | None) -> str:
    try:
        return IMAGE_FORMATS[img_format.lower() if isinstance(img_format, str) else img_format]
    except (KeyError, TypeError):
        known = ", ".join(name for name in IMAGE_FORMATS if name and not name.startswith("."))
        raise BadRequestError(f"{img_format!r} is no image format of render; there are {known}") from None


def _query(words: Mapping[str, Any], channels: str | None, **numbers: Any) -> dict[str, Any]:
    """Give the parameters of a query; what is None is left out when they are sent."""
    query = dict(words)
    for name, value in numbers.items():
        query[name] = value if value is None or isinstance(value, str) else format_number(value)
    query["channels"] = channels
    return query


def _flag(value: Any) -> str | None:
    return None if value is None else jbool(value)


def _box(x: float, y: float, width: float, height: float, scale: float) -> tuple[Any, ...]:
    return x, y, _whole("width", width), _whole("height", height), scale


def _whole(name: str, size: Any) -> int:
    # render-ws reads the size of a box as integers and answers 404 to a fraction
    try:
        return int(float(size))
    except (TypeError, ValueError, OverflowError):
        raise BadRequestError(f"{name} is {size!r}; it must be a number of pixels") from None


def _fetch(
    errors: str | None,
    session: requests.Session | None,
    method: str,
    url: str,
    params: Mapping[str, Any] | None = None,
    document: Any = None,
) -> ImageOrError:
    if errors not in (None, "raise", "return"):
        raise BadRequestError(f"errors is {errors!r}; it must be 'raise' or 'return'")
    try:
        return _decoded(_transport.send(session, method, url, params=params, document=document))
    except RenderError as error:
        if errors != "return" or isinstance(error, SpecError):
            raise
        logger.error("%s", error)
        # programs that ask for this compare the type exactly
        plain = RenderError(*error.args)
        plain.__dict__.update(error.__dict__)
        plain.__cause__ = error
        return plain


def _decoded(response: requests.Response) -> NDArray[Any]:
    """Give the pixels of an answer as a new array, in the byte order of this machine."""
    try:
        with _opened(response.content) as image:
            image.load()
            pixels = np.array(image)
            is_16_bit_png = image.format == "PNG" and image.mode == "I"  # by Pillow before 10.3
    except MemoryError:
        raise
    except Exception as error:  # over garbled bytes a decoder may stumble in any way
        raise _transport.not_as_asked(response, "an image", str(error)) from error
    dtype = np.dtype(np.uint16) if is_16_bit_png else pixels.dtype.newbyteorder("=")
    return pixels.astype(dtype, copy=False)


def _opened(content: bytes) -> Image:
    # The decoders themselves, not PIL.Image.open(): that one takes images of more than 0.09 gigapixels for
    # an attack unless a limit is lifted for the whole program. The server was asked for just this size.
    from PIL import ImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.TiffImagePlugin import TiffImageFile

    class UnlimitedTiff(TiffImageFile):
        def load_prepare(self) -> None:
            ImageFile.ImageFile.load_prepare(self)  # without the limit, which is asked for here too

    file = io.BytesIO(content)
    image: ImageFile.ImageFile
    if content.startswith(b"\x89PNG"):
        image = PngImageFile(file)
    elif content.startswith(b"\xff\xd8"):
        image = JpegImageFile(file)
    elif content.startswith((b"II", b"MM")):
        image = UnlimitedTiff(file)
    else:
        raise ValueError("neither PNG nor JPEG nor TIFF")
    if image.width * image.height > _MOST_PIXELS_PER_BYTE * len(content):
        raise ValueError(f"{image.width} x {image.height} pixels cannot be in {len(content)} bytes")
    return image


# ------------------------------------------------------------------------------ tiles


@renderaccess
def get_tile_image_data(
    stack: str,
    tileId: str,
    channel: str | None = None,
    normalizeForMatching: bool = True,
    excludeAllTransforms: bool = False,
    scale: float | None = None,
    minIntensity: float | None = None,
    maxIntensity: float | None = None,
    filter: bool | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    img_format: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    errors: str | None = None,
    **kwargs: Any,
) -> ImageOrError:
    """Get the image of one tile.

    Parameters
    ----------
    stack : str
        Name of the stack.
    tileId : str
        The tile.
    channel : str, optional
        Channel, or several with their weights: ``"DAPI__0.8__GFP__0.2"``.
    normalizeForMatching : bool
        Put the upper left corner of the tile at 0, 0, so that all tiles of a stack are cut alike.
    excludeAllTransforms : bool, optional
        Give the raw tile. Note that the server, given True *or* False here, does not leave out the last
        transforms for `normalizeForMatching`; with None it does.
    scale : float, optional
        Default 1.
    minIntensity, maxIntensity : float, optional
        Display range; default that of the tile.
    filter : bool, optional
        Apply the server's contrast filter, which adds random noise.
    host, port, owner, project, session, render
        Connection.
    img_format : str, optional
        A key of `IMAGE_FORMATS`; default PNG. The server has no png16 of a tile.
    errors : {"raise", "return"}, optional
        Whether a refusal or an answer that is no image is raised, or given back as a `RenderError` like
        render-python 2 did. Default that of the connection, which is to raise.

    Returns
    -------
    array
        PNG: (H, W, 4) uint8; TIFF: (H, W, 3) uint8; JPEG: (H, W, 3) or (H, W) uint8; 16-bit formats: (H, W)
        uint16.

    Raises
    ------
    NotFoundError
        If there is no such tile or stack.
    BadAnswerError
        If the answer is no image.
    RenderError
        If the server refuses.
    ValueError
        If there is no such format.
    """
    url = stack_url(host, port, owner, project, stack, "tile", tileId, _endpoint(img_format))
    flags = {
        "normalizeForMatching": _flag(normalizeForMatching or None),
        "filter": _flag(filter),
        "excludeAllTransforms": _flag(excludeAllTransforms),
    }
    query = _query(flags, channel, scale=scale, minIntensity=minIntensity, maxIntensity=maxIntensity)
    return _fetch(errors, session, "GET", url, query)


@renderaccess
def get_tile_renderparams(
    stack: str,
    tileId: str,
    channel: str | None = None,
    normalizeForMatching: bool | None = None,
    excludeAllTransforms: bool | None = None,
    excludeTransformsAfterLast: str | Iterable[str] | None = None,
    excludeFirstTransformAndAllAfter: str | Iterable[str] | None = None,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    minIntensity: float | None = None,
    maxIntensity: float | None = None,
    filter: bool | None = None,
    filterListName: str | None = None,
    excludeMask: bool | None = None,
    convertToGray: bool | None = None,
    binaryMask: bool | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    img_format: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the render parameters of one tile.

    Parameters
    ----------
    stack : str
        Name of the stack.
    tileId : str
        The tile.
    channel : str, optional
        Channel, or several with their weights: ``"DAPI__0.8__GFP__0.2"``.
    normalizeForMatching, excludeAllTransforms : bool, optional
        As for `get_tile_image_data`.
    excludeTransformsAfterLast : str or iterable of str, optional
        Labels: leave out what follows the last transform that has one of them.
    excludeFirstTransformAndAllAfter : str or iterable of str, optional
        Labels: leave out the first transform that has one of them, and what follows.
    scale : float, optional
        Default 1.
    width, height : int, optional
        Size of the box at scale 1; default that of the tile.
    minIntensity, maxIntensity : float, optional
        Display range; default that of the tile.
    filter : bool, optional
        Apply the server's contrast filter.
    filterListName : str, optional
        Apply this list of filters of the server instead.
    excludeMask, convertToGray, binaryMask : bool, optional
        Ignore masks; make the image gray; let masks be all or nothing.
    host, port, owner, project, session, render
        Connection.
    img_format : str, optional
        Accepted for old programs, without effect.

    Returns
    -------
    dict
        RenderParameters document; its ``tileSpecs`` are resolved.

    Raises
    ------
    NotFoundError
        If there is no such tile or stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "tile", tileId, "render-parameters")
    words = {
        "normalizeForMatching": normalizeForMatching,
        "excludeAllTransforms": excludeAllTransforms,
        "excludeTransformsAfterLast": excludeTransformsAfterLast,
        "excludeFirstTransformAndAllAfter": excludeFirstTransformAndAllAfter,
        "width": None if width is None else _whole("width", width),
        "height": None if height is None else _whole("height", height),
        "binaryMask": binaryMask,
        "filter": filter,
        "filterListName": filterListName,
        "convertToGray": convertToGray,
        "excludeMask": excludeMask,
    }
    query = _query(words, channel, scale=scale, minIntensity=minIntensity, maxIntensity=maxIntensity)
    parameters: dict[str, Any] = get_json(session, url, params=query)
    return parameters


# ------------------------------------------------------------------------------ boxes


@renderaccess
def get_bb_image(
    stack: str,
    z: float,
    x: float,
    y: float,
    width: float,
    height: float,
    scale: float = 1.0,
    channel: str | None = None,
    minIntensity: float | None = None,
    maxIntensity: float | None = None,
    binaryMask: bool | None = None,
    filter: bool | None = None,
    maxTileSpecsToRender: int | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    img_format: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    errors: str | None = None,
    **kwargs: Any,
) -> ImageOrError:
    """Get the image of a box in a layer.

    Parameters
    ----------
    stack : str
        Name of the stack.
    z : float
        The layer.
    x, y : float
        Upper left corner of the box, in world coordinates.
    width, height : int
        Size of the box at scale 1; a fraction of a pixel is cut off.
    scale : float
        The image has ``int(scale * height)`` rows and ``int(scale * width)`` columns.
    channel : str, optional
        Channel, or several with their weights: ``"DAPI__0.8__GFP__0.2"``.
    minIntensity, maxIntensity : float, optional
        Display range; default that of the tiles.
    binaryMask : bool, optional
        Let masks be all or nothing.
    filter : bool, optional
        Apply the server's contrast filter, which adds random noise.
    maxTileSpecsToRender : int, optional
        With more tiles in the box, their outlines are drawn instead. The server may have its own default.
    host, port, owner, project, session, render
        Connection.
    img_format : str, optional
        A key of `IMAGE_FORMATS`; default PNG.
    errors : {"raise", "return"}, optional
        As for `get_tile_image_data`.

    Returns
    -------
    array
        As for `get_tile_image_data`.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    ServerOutOfMemoryError
        If the image is too large for the server.
    BadAnswerError
        If the answer is no image.
    RenderError
        If the server refuses.
    ValueError
        If there is no such format, or a number is none.
    """
    box = _box(x, y, width, height, scale)
    url = stack_url(host, port, owner, project, stack, "z", z, "box", box, _endpoint(img_format))
    query = _query(
        {"binaryMask": _flag(binaryMask), "filter": _flag(filter)}, channel,
        minIntensity=minIntensity, maxIntensity=maxIntensity, maxTileSpecsToRender=maxTileSpecsToRender,
    )  # fmt: skip
    return _fetch(errors, session, "GET", url, query)


@renderaccess
def get_bb_renderparams(
    stack: str,
    z: float,
    x: float,
    y: float,
    width: float,
    height: float,
    scale: float = 1.0,
    channel: str | None = None,
    minIntensity: float | None = None,
    maxIntensity: float | None = None,
    binaryMask: bool | None = None,
    filter: bool | None = None,
    filterListName: str | None = None,
    convertToGray: bool | None = None,
    excludeMask: bool | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the render parameters of a box in a layer.

    Parameters
    ----------
    stack, z, x, y, width, height, scale, channel, minIntensity, maxIntensity, binaryMask, filter
        As for `get_bb_image`.
    filterListName, convertToGray, excludeMask
        As for `get_tile_renderparams`.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        RenderParameters document; its ``tileSpecs`` are resolved, and none where there is no tile.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    box = _box(x, y, width, height, scale)
    url = stack_url(host, port, owner, project, stack, "z", z, "box", box, "render-parameters")
    words = {
        "binaryMask": binaryMask,
        "filter": filter,
        "filterListName": filterListName,
        "convertToGray": convertToGray,
        "excludeMask": excludeMask,
    }
    query = _query(words, channel, minIntensity=minIntensity, maxIntensity=maxIntensity)
    parameters: dict[str, Any] = get_json(session, url, params=query)
    return parameters


# ------------------------------------------------------------------------------ layers


@renderaccess
def get_section_image(
    stack: str,
    z: float,
    scale: float = 1.0,
    channel: str | None = None,
    minIntensity: float | None = None,
    maxIntensity: float | None = None,
    filter: bool | None = False,
    maxTileSpecsToRender: int | None = None,
    img_format: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    errors: str | None = None,
    **kwargs: Any,
) -> ImageOrError:
    """Get the image of a layer, as large as the bounds of its tiles.

    Parameters
    ----------
    stack : str
        Name of the stack.
    z : float
        The layer.
    scale : float
        As for `get_bb_image`; give a small one for a layer of many tiles.
    channel, minIntensity, maxIntensity, filter, maxTileSpecsToRender
        As for `get_bb_image`.
    img_format : str, optional
        A key of `IMAGE_FORMATS`; default PNG. The server has no 16-bit image of a layer.
    host, port, owner, project, session, render
        Connection.
    errors : {"raise", "return"}, optional
        As for `get_tile_image_data`.

    Returns
    -------
    array
        As for `get_tile_image_data`.

    Raises
    ------
    BadRequestError
        If the layer has no tiles.
    NotFoundError
        If there is no such stack.
    ServerOutOfMemoryError
        If the image is too large for the server.
    BadAnswerError
        If the answer is no image.
    RenderError
        If the server refuses.
    ValueError
        If there is no such format.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, _endpoint(img_format))
    query = _query(
        {"filter": jbool(filter)}, channel, scale=scale,
        minIntensity=minIntensity, maxIntensity=maxIntensity, maxTileSpecsToRender=maxTileSpecsToRender,
    )  # fmt: skip
    return _fetch(errors, session, "GET", url, query)


@renderaccess
def get_section_renderparams(
    stack: str,
    z: float,
    binaryMask: bool | None = None,
    channel: str | None = None,
    convertToGray: bool | None = None,
    excludeMask: bool | None = None,
    filter: bool | None = None,
    filterListName: str | None = None,
    minIntensity: float | None = None,
    maxIntensity: float | None = None,
    scale: float | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Get the render parameters of a layer.

    Parameters
    ----------
    stack : str
        Name of the stack.
    z : float
        The layer.
    binaryMask, channel, convertToGray, excludeMask, filter, filterListName, minIntensity, maxIntensity, scale
        As for `get_tile_renderparams`.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        RenderParameters document of the bounds of the layer; its ``tileSpecs`` are resolved.

    Raises
    ------
    BadRequestError
        If the layer has no tiles.
    NotFoundError
        If there is no such stack.
    RenderError
        If the server refuses.
    """
    url = stack_url(host, port, owner, project, stack, "z", z, "render-parameters")
    words = {
        "binaryMask": binaryMask,
        "filter": filter,
        "filterListName": filterListName,
        "convertToGray": convertToGray,
        "excludeMask": excludeMask,
    }
    query = _query(words, channel, scale=scale, minIntensity=minIntensity, maxIntensity=maxIntensity)
    parameters: dict[str, Any] = get_json(session, url, params=query)
    return parameters


# ------------------------------------------------------------------------------ render parameters


@renderaccess
def get_renderparameters_image(
    renderparams: Mapping[str, Any],
    img_format: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    errors: str | None = None,
    **kwargs: Any,
) -> ImageOrError:
    """Have the server render tile specs that need not be in a stack.

    Parameters
    ----------
    renderparams : dict
        RenderParameters document; its ``tileSpecs`` may be `TileSpec` objects.
    img_format : str, optional
        A key of `IMAGE_FORMATS`; default PNG. The server has no 16-bit image here.
    host, port, owner, session, render
        Connection.
    errors : {"raise", "return"}, optional
        As for `get_tile_image_data`.

    Returns
    -------
    array
        As for `get_tile_image_data`.

    Raises
    ------
    BadAnswerError
        If the answer is no image.
    SpecError
        If a number is NaN or infinite; nothing is sent.
    RenderError
        If the server refuses.
    ValueError
        If there is no such format.
    """
    url = owner_url(host, port, owner, _endpoint(img_format))
    return _fetch(errors, session, "PUT", url, document=renderparams)
