"""Images that the server renders, as numpy arrays, and the render parameters that describe them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from renderapi.errors import BadRequestError, RenderError, SpecError
from renderapi.http.urls import whole_pixels
from renderapi.image._formats import IMAGE_FORMATS, Wanted
from renderapi.image._requests import (
    DRAWING,
    Boxes,
    box_of,
    fetched,
    further_query,
    newer_query,
    query_boolean,
    query_of,
)
from renderapi.image._save import save_section
from renderapi.image._views import (
    get_dvid_image,
    get_dvid_renderparams,
    get_group_bb_image,
    get_group_bb_renderparams,
    get_large_data_overview,
    get_large_data_tile,
    get_tile_mask_image,
    get_tile_mask_renderparams,
    get_tile_source_image,
    get_tile_source_renderparams,
    get_tile_with_neighbors_image,
    get_tile_with_neighbors_renderparams,
)
from renderapi.render import (
    accepts,
    format_baseurl,
    format_preamble,
    owner_url,
    renderaccess,
    stack_url,
)
from renderapi.utils import NullHandler, get_json, jbool, put_json

if TYPE_CHECKING:
    import requests
    from numpy.typing import NDArray

    from renderapi.render import Render

    #: The array of an image. With ``errors="return"`` it may be what went wrong: who asks for that tells them apart.
    ImageOrError = NDArray[Any]

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = [
    "DRAWING",
    "IMAGE_FORMATS",
    "NullHandler",
    "RenderError",
    "format_baseurl",
    "format_preamble",
    "get_bb_image",
    "get_bb_renderparams",
    "get_dvid_image",
    "get_dvid_renderparams",
    "get_group_bb_image",
    "get_group_bb_renderparams",
    "get_json",
    "get_large_data_overview",
    "get_large_data_tile",
    "get_renderparameters_image",
    "get_section_image",
    "get_section_renderparams",
    "get_tile_image_data",
    "get_tile_mask_image",
    "get_tile_mask_renderparams",
    "get_tile_renderparams",
    "get_tile_source_image",
    "get_tile_source_renderparams",
    "get_tile_with_neighbors_image",
    "get_tile_with_neighbors_renderparams",
    "jbool",
    "logger",
    "put_json",
    "save_section",
]


# ------------------------------------------------------------------------------ requests and answers


def _answered(errors: str | None, fetch: Callable[[], NDArray[Any]]) -> ImageOrError:
    if errors not in (None, "raise", "return"):
        raise BadRequestError(f"errors is {errors!r}; it must be 'raise' or 'return'")
    try:
        return fetch()
    except RenderError as error:
        if errors != "return" or isinstance(error, SpecError):
            raise
        logger.error("%s", error)
        # programs that ask for this compare the type exactly
        plain = RenderError(*error.args)
        plain.__dict__.update(error.__dict__)
        plain.__cause__ = error
        return cast("ImageOrError", plain)


# ------------------------------------------------------------------------------ tiles


@renderaccess
@accepts(
    "binaryMask",
    "convertToGray",
    "excludeFirstTransformAndAllAfter",
    "excludeMask",
    "excludeTransformsAfterLast",
    "fillWithNoise",
    "filterListName",
    "height",
    "tileSpecOrder",
    "width",
    "x",
    "y",
)
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
    gray: bool = False,
    errors: str | None = None,
    maskMinX: int | None = None,
    maskMinY: int | None = None,
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
        Put the upper left corner of the tile at 0, 0, so that all tiles of a stack are cut alike. (Servers of
        render's branch newsolver leave it where the transforms that are kept put it.)
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
        A key of `IMAGE_FORMATS`; default PNG. Of a tile render-ws has png, jpeg, tiff and tiff16.
    gray : bool
        Give (H, W): colours weighed as the server's ``convertToGray`` does, over black where the image is
        transparent; of gray tiles their values.
    errors : {"raise", "return"}, optional
        Whether a refusal or an answer that is no image is raised, or given back as a `RenderError` like
        render-python 2 did. Default that of the connection, which is to raise.
    maskMinX, maskMinY : int, optional
        Left and top of computed masks (``DYNAMIC_MASK``), instead of those in their URLs. Servers of render's
        branch newsolver know them, others ignore them (`renderapi.render.get_branch`).
    **kwargs
        Also ``binaryMask``, ``convertToGray``, ``excludeFirstTransformAndAllAfter``, ``excludeMask``,
        ``excludeTransformsAfterLast``, ``fillWithNoise``, ``filterListName``, ``height``,
        ``tileSpecOrder``, ``width``, ``x`` and ``y``, as they are sent to the server.

    Returns
    -------
    array
        PNG and raw: (H, W, 4) uint8, red, green, blue and alpha, not premultiplied; TIFF: (H, W, 3) uint8,
        alpha is dropped; JPEG: (H, W, 3) uint8, drawn over black, or (H, W); tiff16, png16 and raw16: (H, W)
        uint16. With `gray` (H, W).

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
    wanted = Wanted.like(img_format, "a tile", gray)
    url = stack_url(host, port, owner, project, stack, "tile", tileId, wanted.ending)
    flags = {
        "normalizeForMatching": query_boolean(normalizeForMatching or None),
        "filter": query_boolean(filter),
        "excludeAllTransforms": query_boolean(excludeAllTransforms),
        **newer_query(maskMinX, maskMinY),
    }
    query = query_of(flags, channel, scale=scale, minIntensity=minIntensity, maxIntensity=maxIntensity)
    query |= further_query(kwargs)
    return _answered(errors, lambda: fetched(wanted, session, "GET", url, query))


@renderaccess
@accepts("fillWithNoise", "tileSpecOrder", "x", "y")
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
    *,
    maskMinX: int | None = None,
    maskMinY: int | None = None,
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
    maskMinX, maskMinY
        As for `get_tile_image_data`.
    **kwargs
        Also ``fillWithNoise``, ``tileSpecOrder``, ``x`` and ``y``, as they are sent to the server.

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
        "width": None if width is None else whole_pixels("width", width),
        "height": None if height is None else whole_pixels("height", height),
        "binaryMask": binaryMask,
        "filter": filter,
        "filterListName": filterListName,
        "convertToGray": convertToGray,
        "excludeMask": excludeMask,
        **newer_query(maskMinX, maskMinY),
    }
    query = query_of(words, channel, scale=scale, minIntensity=minIntensity, maxIntensity=maxIntensity)
    query |= further_query(kwargs)
    parameters: dict[str, Any] = get_json(session, url, params=query)
    return parameters


# ------------------------------------------------------------------------------ boxes


@renderaccess
@accepts("convertToGray", "excludeMask", "fillWithNoise", "filterListName")
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
    gray: bool = False,
    block: int | None = None,
    threads: int = 4,
    progress: Any = None,
    errors: str | None = None,
    maskMinX: int | None = None,
    maskMinY: int | None = None,
    tileSpecOrder: str | None = None,
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
    gray : bool
        As for `get_tile_image_data`.
    block : int, optional
        Fetch an image of more rows or columns than this in blocks, none of them larger: 2048 for instance.
        Needed beyond the memory of the server, or the 2 GB of a Java array.
    threads : int
        How many blocks are asked for at a time.
    progress : optional
        True for a bar (extra ``progress``), or a function that is called with the number of blocks that have
        come and their total.
    errors : {"raise", "return"}, optional
        As for `get_tile_image_data`.
    maskMinX, maskMinY
        As for `get_tile_image_data`.
    tileSpecOrder : {"ASCENDING_TILE_ID_ORDER", "DESCENDING_TILE_ID_ORDER", "CLUSTER_GROUP_ID_ORDER"}, optional
        Order in which tiles are painted, later ones over earlier: by tile id, or by descending group id with
        tiles without a group last. As `maskMinX` for servers of newsolver only.
    **kwargs
        Also ``convertToGray``, ``excludeMask``, ``fillWithNoise`` and ``filterListName``, as they are sent to
        the server.

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

    Notes
    -----
    An image in blocks is that of one request, pixel for pixel, where render decides by tile. It may differ

    - where some tiles of the box have masks and others not (one mask makes a whole request transparent where
      there is no tile, and changes the seams), or tiles differ in bit depth or display range;
    - in noise, and at the edges of the blocks of a JPEG;
    - where the last bit of a coordinate decides, as it does between any two boxes: at the edges of tiles that
      begin on whole pixels, by one gray level at half pixels, and in the mipmap level of a tile whose scale
      is 1/2, 1/4, ... to the last bit.

    `maxTileSpecsToRender` counts the tiles of each block. After an error no further block is asked for; its
    text names the block.
    """
    wanted = Wanted.like(img_format, "a box", gray)
    query = query_of(
        {
            "binaryMask": query_boolean(binaryMask), "filter": query_boolean(filter),
            **newer_query(maskMinX, maskMinY, tileSpecOrder),
        },
        channel,
        minIntensity=minIntensity, maxIntensity=maxIntensity, maxTileSpecsToRender=maxTileSpecsToRender,
    )  # fmt: skip
    query |= further_query(kwargs)
    layer = stack_url(host, port, owner, project, stack, "z", z)
    source = Boxes(layer, query, scale, wanted, session, render)
    box = box_of(x, y, width, height)
    if block is not None:
        grid = source.grid(box, block)
        if len(grid) > 1:
            return _answered(errors, lambda: grid.assembled(source.block, threads, progress))
    return _answered(errors, lambda: source.image(*box))


@renderaccess
@accepts("fillWithNoise")
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
    *,
    maskMinX: int | None = None,
    maskMinY: int | None = None,
    tileSpecOrder: str | None = None,
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
    maskMinX, maskMinY, tileSpecOrder
        As for `get_bb_image`.
    **kwargs
        Also ``fillWithNoise``, as they are sent to the server.

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
    box = (*box_of(x, y, width, height), scale)
    url = stack_url(host, port, owner, project, stack, "z", z, "box", box, "render-parameters")
    words = {
        "binaryMask": binaryMask,
        "filter": filter,
        "filterListName": filterListName,
        "convertToGray": convertToGray,
        "excludeMask": excludeMask,
        **newer_query(maskMinX, maskMinY, tileSpecOrder),
    }
    query = query_of(words, channel, minIntensity=minIntensity, maxIntensity=maxIntensity)
    query |= further_query(kwargs)
    parameters: dict[str, Any] = get_json(session, url, params=query)
    return parameters


# ------------------------------------------------------------------------------ layers


@renderaccess
@accepts("binaryMask", "convertToGray", "excludeMask", "fillWithNoise", "filterListName")
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
    gray: bool = False,
    errors: str | None = None,
    maskMinX: int | None = None,
    maskMinY: int | None = None,
    tileSpecOrder: str | None = None,
    tileIdPattern: str | None = None,
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
        A key of `IMAGE_FORMATS`; default PNG. Of a layer render-ws has png, jpeg and tiff.
    host, port, owner, project, session, render
        Connection.
    gray : bool
        As for `get_tile_image_data`.
    errors : {"raise", "return"}, optional
        As for `get_tile_image_data`.
    maskMinX, maskMinY, tileSpecOrder
        As for `get_bb_image`.
    tileIdPattern : str, optional
        Only tiles whose id contains a match of this regular expression; the layer is as large as they are. As
        `maskMinX` for servers of newsolver only.
    **kwargs
        Also ``binaryMask``, ``convertToGray``, ``excludeMask``, ``fillWithNoise`` and ``filterListName``, as
        they are sent to the server.

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
    wanted = Wanted.like(img_format, "a layer", gray)
    url = stack_url(host, port, owner, project, stack, "z", z, wanted.ending)
    query = query_of(
        {"filter": jbool(filter), **newer_query(maskMinX, maskMinY, tileSpecOrder, tileIdPattern)},
        channel, scale=scale,
        minIntensity=minIntensity, maxIntensity=maxIntensity, maxTileSpecsToRender=maxTileSpecsToRender,
    )  # fmt: skip
    query |= further_query(kwargs)
    return _answered(errors, lambda: fetched(wanted, session, "GET", url, query))


@renderaccess
@accepts("fillWithNoise")
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
    *,
    maskMinX: int | None = None,
    maskMinY: int | None = None,
    tileSpecOrder: str | None = None,
    tileIdPattern: str | None = None,
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
    maskMinX, maskMinY, tileSpecOrder, tileIdPattern
        As for `get_section_image`.
    **kwargs
        Also ``fillWithNoise``, as they are sent to the server.

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
        **newer_query(maskMinX, maskMinY, tileSpecOrder, tileIdPattern),
    }
    query = query_of(words, channel, scale=scale, minIntensity=minIntensity, maxIntensity=maxIntensity)
    query |= further_query(kwargs)
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
    gray: bool = False,
    errors: str | None = None,
    **kwargs: Any,
) -> ImageOrError:
    """Have the server render tile specs that need not be in a stack.

    Parameters
    ----------
    renderparams : dict
        RenderParameters document; its ``tileSpecs`` may be `TileSpec` objects.
    img_format : str, optional
        A key of `IMAGE_FORMATS`; default PNG. Of render parameters render-ws has png, jpeg and tiff.
    host, port, owner, session, render
        Connection.
    gray : bool
        As for `get_tile_image_data`.
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
    wanted = Wanted.like(img_format, "render parameters", gray)
    url = owner_url(host, port, owner, wanted.ending)
    return _answered(errors, lambda: fetched(wanted, session, "PUT", url, document=renderparams))
