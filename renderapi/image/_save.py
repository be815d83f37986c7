"""Saving the image of a layer, however large it is."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi.errors import BadRequestError
from renderapi.image import _files
from renderapi.image._formats import Wanted
from renderapi.image._requests import Boxes, box_of, query_boolean, query_of
from renderapi.render import format_number, renderaccess, stack_url
from renderapi.utils import get_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from renderapi.render import Render


@renderaccess
def save_section(
    stack: str,
    z: float,
    path: str | os.PathLike[str],
    scale: float = 1.0,
    x: float | None = None,
    y: float | None = None,
    width: float | None = None,
    height: float | None = None,
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
    gray: bool = True,
    block: int = 2048,
    threads: int = 4,
    progress: Any = None,
    **kwargs: Any,
) -> Path:
    """Save the image of a layer, or of a box in it, into a TIFF or PNG file or a Zarr array.

    The image is fetched in blocks and written as they come, a few rows of blocks at a time, so that it may
    be larger than the memory. What is at `path` is replaced when all is written, and stays after an error.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        The layer.
    path : path
        ``.tif`` or ``.tiff``: one image in compressed tiles of 512 x 512, BigTIFF where it must be (extra
        ``render``). ``.zarr``: an array in chunks of 512 x 512 (extra ``sources``). ``.png``: for what is looked
        at, because it is held in memory. Its folder must exist.
    scale : float
        Pixels per unit of the world.
    x, y, width, height : float, optional
        Box, as for `get_bb_image`; default the bounds of the layer, as for `get_section_image`.
    channel, minIntensity, maxIntensity, binaryMask, filter, maxTileSpecsToRender
        As for `get_bb_image`; the last counts the tiles of each block.
    host, port, owner, project, session, render
        Connection.
    img_format : str, optional
        How blocks are fetched, a key of `IMAGE_FORMATS`; default PNG. ``"tiff16"``, ``"png16"`` and
        ``"raw16"`` make an image of 16 bits. JPEG loses detail, and shows the edges of the blocks.
    gray : bool
        Write one channel, as ``gray`` of `get_bb_image` gives it; else red, green and blue.
    block, threads, progress
        As for `get_bb_image`.

    Returns
    -------
    Path
        What was written: (H, W) or, with ``gray=False``, (H, W, 3), uint8 or uint16. It has the stack, z and
        box as text (description of the file, attributes of the array), and the size of a pixel where the
        stack has resolution values (resolution tags; ``pixel_nm``, height and width).

    Raises
    ------
    BadRequestError
        If the ending is none of those, only a part of the box is given, the image would have no pixels, or
        the layer has no tiles.
    RenderError
        If the server refuses; the text names the block.
    FileExistsError
        If a folder that is no Zarr array is at `path`.
    ImportError
        If the package that writes the file is not installed.
    """
    target = Path(path)
    _files.check_target(target)
    wanted = Wanted.like(img_format, "a box", gray)
    here = stack_url(host, port, owner, project, stack)
    layer = stack_url(host, port, owner, project, stack, "z", z)
    if x is not None and y is not None and width is not None and height is not None:
        box = box_of(x, y, width, height)
    elif (x, y, width, height) != (None,) * 4:
        raise BadRequestError("a box needs all of x, y, width and height")
    else:
        bounds: Mapping[str, float] = get_json(session, f"{layer}/bounds")
        low, high = (bounds["minX"], bounds["minY"]), (bounds["maxX"], bounds["maxY"])
        box = box_of(*low, high[0] - low[0], high[1] - low[1])
    query = query_of(
        {"binaryMask": query_boolean(binaryMask), "filter": query_boolean(filter)}, channel,
        minIntensity=minIntensity, maxIntensity=maxIntensity, maxTileSpecsToRender=maxTileSpecsToRender,
    )  # fmt: skip
    source = Boxes(layer, query, scale, wanted, session, render)
    grid = source.grid(box, block)
    if not len(grid):
        raise BadRequestError(
            f"an image of {box[2]} x {box[3]} at scale {scale} has {grid.shape[1]} x {grid.shape[0]} pixels"
        )
    pixel = _pixel_size(get_json(session, here), grid.scale)
    about = {"stack": stack, "z": float(format_number(z)), "x": grid.x, "y": grid.y, "scale": grid.scale}
    with closing(grid.rows(source.block, threads, progress)) as bands:
        colours = (band if band.ndim == 2 else band[..., :3] for band in bands)
        _files.write(target, grid.shape, colours, pixel, about)
    return target


def _pixel_size(metadata: Mapping[str, Any], scale: float) -> tuple[float, float] | None:
    """Return width and height of a pixel in nanometers, None where the stack does not tell."""
    version: Mapping[str, Any] = metadata.get("currentVersion") or {}
    x, y = version.get("stackResolutionX"), version.get("stackResolutionY")
    return (x / scale, y / scale) if x and y else None
