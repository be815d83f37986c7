"""The clients that render images into files: in Java, or in Python."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from math import ceil, floor, isfinite
from typing import Any

from renderapi.client.calls.engine import ENGINE_OPTIONS, engineaccess, run_of
from renderapi.client.checks import (
    BOX,
    ClientArgumentError,
    as_list,
    boolean_word,
    check_compat,
    whole_number,
)
from renderapi.client.java.arguments import JavaRun, flag_option, get_param, stack_words
from renderapi.client.java.options import PACKAGE
from renderapi.client.java.script import RUN_OPTIONS
from renderapi.errors import RenderWarning
from renderapi.render import Render, accepts
from renderapi.utils import jbool

_RENDERER = "org.janelia.alignment.Render"
#: Sections that Python renders at a time: each is held whole.
_SECTIONS = 4
#: Formats that Java treats specially, and only when they are in lower case.
_LOWER_CASE_FORMATS = ("tif", "tiff", "jpg")


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
def renderSectionClient(
    stack: str,
    rootDirectory: str,
    zs: float | Sequence[float],
    scale: float | None = None,
    maxIntensity: int | None = None,
    minIntensity: int | None = None,
    bounds: Mapping[str, float] | None = None,
    format: str | None = None,
    channel: str | None = None,
    customOutputFolder: str | None = None,
    customSubFolder: str | None = None,
    padFileNamesWithZeros: bool | None = None,
    resolutionUnit: str | None = None,
    doFilter: bool | str | None = None,
    fillWithNoise: bool | str | None = None,
    convertToGray: bool | None = None,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    filterListName: str | None = None,
    renderTileLabels: bool | None = None,
    useStackBounds: bool | None = None,
    engine: str | None = None,
    compat: str = "master",
    threads: int | None = None,
    **kwargs: Any,
) -> None:
    """Render whole sections into image files.

    They go to ``ROOT/PROJECT/STACK/sections_at_SCALE/000/1/123.0.png`` (section 123).

    Parameters
    ----------
    stack : str
        Stack.
    rootDirectory : str
        Folder, on the machine that Java runs on; it is made if it is not there.
    zs : float or list of float
        Sections.
    scale : float, optional
        Java's default is 0.02.
    maxIntensity, minIntensity : int, optional
        Shown as white and black.
    bounds : dict, optional
        ``minX``, ``maxX``, ``minY``, ``maxY`` of the box to render, which is widened to whole pixels; default
        that of each section.
    format : str, optional
        ``"png"`` (the default), ``"jpg"`` (in Java others too) are written as 8 bit gray, ``"tif"`` as 24 bit
        RGB.
    channel : str, optional
        Channels: ``NAME``, or ``A__0.5__B__0.5``.
    customOutputFolder, customSubFolder : str, optional
        Folders below `rootDirectory` instead of those above; the second only together with the first.
    padFileNamesWithZeros : bool, optional
        ``00123.png`` instead of ``123.0.png``.
    resolutionUnit : str, optional
        For instance ``"nm"``, written into tif files with the resolution values of the stack.
    doFilter, fillWithNoise : bool, optional
        Apply the default filters, fill what no tile covers with noise. **The default is true for both**, in
        Python too; there the noise of a section is always the same.
    convertToGray : bool, optional
        Only for versions of the Java client that know it; Python takes it for what all formats but tif are.
    filterListName : str, optional
        Named filters of the server instead of the default ones.
    renderTileLabels : bool, optional
        Render each tile as an area of one value; only Java can.
    useStackBounds : bool, optional
        Give all sections the size of the stack.
    engine : {"java", "python"}, optional
        Who renders; by default Java where a client script is configured. Python takes from the server where
        the tiles are, and reads their images itself, so that they must be readable on this machine.
    compat : {"master", "newsolver"}
        In Python: branch of render whose pixels are drawn (see `renderapi.rendering.render`).
    threads : int, optional
        Sections that Python renders at a time; default up to 4, no more than there are cores.
    host, port, owner, project, client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`. In Python
        ``progress=`` as for `renderapi.client.import_tilespecs`, told of sections.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    RenderError
        In Python: the server refuses, or an image cannot be read or rendered; the text names the section.
    """
    if customSubFolder is not None and customOutputFolder is None:
        warnings.warn("customSubFolder has no effect without customOutputFolder", RenderWarning, stacklevel=3)
    box = None if bounds is None else _whole_box(bounds)
    low, high = whole_number(minIntensity, "minIntensity"), whole_number(maxIntensity, "maxIntensity")
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    if run.java is None:
        from renderapi.client.local.rendering import Sections, kind_named

        if renderTileLabels:
            raise ClientArgumentError("only Java knows renderTileLabels: leave it out, or give engine='java'")
        given = {
            "doFilter": boolean_word(doFilter) is None or jbool(doFilter) == "true",
            "fillWithNoise": boolean_word(fillWithNoise) is None or jbool(fillWithNoise) == "true",
            "channels": channel,
        }
        sections = Sections(
            run.project,
            stack,
            rootDirectory,
            box=box,
            stack_bounds=bool(useStackBounds),
            kind=kind_named(format or "png"),
            folders=None
            if customOutputFolder is None
            else tuple(filter(None, (customOutputFolder, customSubFolder))),
            padded=bool(padFileNamesWithZeros),
            unit=resolutionUnit,
            low=low,
            high=high,
            filter_list=filterListName,
            changes={key: value for key, value in given.items() if value is not None},
            compat=check_compat(compat),
            **({} if scale is None else {"scale": scale}),
        )
        sections.render(as_list(zs), threads or min(_SECTIONS, os.cpu_count() or 1), kwargs.get("progress"))
        return
    if filterListName is not None and (minIntensity is not None or maxIntensity is not None):
        raise ClientArgumentError(
            "RenderSectionClient cannot take filterListName together with minIntensity or maxIntensity: it "
            "asks the server for a filter list that does not exist"
        )
    if format is not None and format.lower() in _LOWER_CASE_FORMATS:
        format = format.lower()
    arguments = [
        *stack_words(run.project, stack),
        *("--rootDirectory", rootDirectory),
        *get_param(scale, "--scale"),
        *get_param(format, "--format"),
        *get_param(boolean_word(doFilter), "--doFilter"),
        *get_param(low, "--minIntensity"),
        *get_param(high, "--maxIntensity"),
        *get_param(boolean_word(fillWithNoise), "--fillWithNoise"),
        *get_param(customOutputFolder, "--customOutputFolder"),
        *flag_option(convertToGray, "--convertToGray"),
        *get_param(channel, "--channels"),
        *get_param(customSubFolder, "--customSubFolder"),
        *flag_option(padFileNamesWithZeros, "--padFileNamesWithZeros"),
        *get_param(resolutionUnit, "--resolutionUnit"),
        *get_param(filterListName, "--filterListName"),
        *flag_option(renderTileLabels, "--renderTileLabels"),
        *flag_option(useStackBounds, "--useStackBounds"),
        *get_param(None if box is None else ",".join(map(str, box)), "--bounds"),
        *as_list(zs),
    ]
    run.java.run(f"{PACKAGE}RenderSectionClient", arguments)


def _whole_box(bounds: Mapping[str, float]) -> tuple[int, int, int, int]:
    """Return minX, maxX, minY, maxY of a box in whole numbers, without cutting anything off."""
    if not isinstance(bounds, Mapping):
        raise ClientArgumentError(f"bounds must be a dict of {', '.join(BOX)}, not {bounds!r}")
    missing = [name for name in BOX if bounds.get(name) is None]
    if missing:
        raise ClientArgumentError(f"bounds needs {', '.join(BOX)}; missing: {', '.join(missing)}")
    minX, maxX, minY, maxY = (float(bounds[name]) for name in BOX)
    if not (all(map(isfinite, (minX, maxX, minY, maxY))) and minX < maxX and minY < maxY):
        raise ClientArgumentError(
            f"bounds must be a box with minX below maxX and minY below maxY: {dict(bounds)}"
        )
    return floor(minX), ceil(maxX), floor(minY), ceil(maxY)


@engineaccess
@accepts(*RUN_OPTIONS)
def renderClient(
    tile_spec_url: str | None = None,
    height: int | None = None,
    width: int | None = None,
    in_fn: str | None = None,
    out_fn: str | None = None,
    x: float | None = None,
    y: float | None = None,
    res: float | None = None,
    subprocess_mode: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    engine: str | None = None,
    compat: str = "master",
    **kwargs: Any,
) -> None:
    """Render tile specs into an image file; `rendererClient` has all options.

    Parameters
    ----------
    tile_spec_url : str
        File or URL of a JSON list of tile specs.
    height, width : int, optional
        Size of the box, at full scale; Java's default is 256.
    in_fn : str, optional
        Image to draw onto.
    out_fn : str
        Image file to write; its ending is the format.
    x, y : float, optional
        Upper left of the box, in the world; Java's default is 0.
    res : float, optional
        Size of the cells of the triangle mesh; Java's default is 64.
    engine : {"java", "python"}, optional
        Who renders; by default Java where a client script is configured. Python writes png, jpg and tif.
    compat : {"master", "newsolver"}
        In Python: branch of render whose pixels are drawn (see `renderapi.rendering.render`).
    client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    RenderError
        In Python: an image cannot be read, or what was given not be rendered.
    """
    if engine == "python":
        from renderapi.client.local.rendering import render_to_file

        options = {
            "tile_spec_url": tile_spec_url, "height": whole_number(height, "height"),
            "width": whole_number(width, "width"), "in_fn": in_fn, "out_fn": out_fn, "x": x, "y": y,
            "meshCellSize": res,
        }  # fmt: skip
        render_to_file(options, kwargs, check_compat(compat))
        return
    arguments = [
        *get_param(tile_spec_url, "--tile_spec_url"),
        *get_param(whole_number(height, "height"), "--height"),
        *get_param(whole_number(width, "width"), "--width"),
        *get_param(in_fn, "--in"),
        *get_param(out_fn, "--out"),
        *get_param(x, "--x"),
        *get_param(y, "--y"),
        *get_param(res, "--res"),
    ]
    JavaRun.of(client_script, memGB, subprocess_mode, **kwargs).run(_RENDERER, arguments)


@engineaccess
@accepts(*RUN_OPTIONS)
def rendererClient(
    tile_spec_url: str | None = None,
    meshCellSize: float | None = None,
    minMeshCellSize: float | None = None,
    in_fn: str | None = None,
    out_fn: str | None = None,
    x: float | None = None,
    y: float | None = None,
    width: int | None = None,
    height: int | None = None,
    scale: float | None = None,
    area_offset: bool | None = None,
    minIntensity: float | None = None,
    maxIntensity: float | None = None,
    gray: bool | None = None,
    quality: float | None = None,
    threads: int | None = None,
    skip_interpolation: bool | None = None,
    binary_mask: bool | None = None,
    exclude_mask: bool | None = None,
    parameters_url: str | None = None,
    do_filter: bool | None = None,
    background_color: int | None = None,
    fill_with_noise: bool | None = None,
    channels: str | None = None,
    subprocess_mode: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    engine: str | None = None,
    compat: str = "master",
    **kwargs: Any,
) -> None:
    """Render tile specs or render parameters into an image file.

    Parameters
    ----------
    tile_spec_url : str, optional
        File or URL of a JSON list of tile specs.
    meshCellSize, minMeshCellSize : float, optional
        Size of the cells of the triangle mesh, and its least size in rendered pixels; Java's defaults are
        64 and 0.
    in_fn : str, optional
        Image to draw onto, at its upper left; the result has its size.
    out_fn : str
        Image file to write; its ending is the format (tif: 24 bit RGB; png: with alpha).
    x, y : float, optional
        Upper left of the box, in the world; Java's default is 0.
    width, height : int, optional
        Size of the box, at full scale; Java's default is 256.
    scale : float, optional
        Java's default is 1.
    area_offset : bool, optional
        Shift by half a rendered pixel; only Java can.
    minIntensity, maxIntensity : float, optional
        Shown as black and white.
    gray : bool, optional
        Write 8 bit gray; without effect on tif.
    quality : float, optional
        Of jpg, 0 to 1; the default is 0.85.
    threads : int, optional
        Java's default is 1; Python has one always.
    skip_interpolation, binary_mask, exclude_mask : bool, optional
        Take the nearest pixel; masks without half tones; no masks.
    parameters_url : str, optional
        File or URL of render parameters. Where they differ from an option, the option counts unless it is the
        default; their minMeshCellSize, minIntensity and maxIntensity never count. That is how Java does it;
        Python does the same and warns.
    do_filter : bool, optional
        Apply the default filters.
    background_color : int, optional
        RGB value of what no tile covers.
    fill_with_noise : bool, optional
        Fill that with noise.
    channels : str, optional
        ``NAME``, or ``A__0.5__B__0.5``.
    engine : {"java", "python"}, optional
        Who renders; by default Java where a client script is configured. Python writes png, jpg and tif.
    compat : {"master", "newsolver"}
        In Python: branch of render whose pixels are drawn (see `renderapi.rendering.render`).
    client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    RenderError
        In Python: an image cannot be read, or what was given not be rendered.
    """
    if engine == "python":
        from renderapi.client.local.rendering import render_to_file

        flags = {
            "area_offset": area_offset, "gray": gray, "skip_interpolation": skip_interpolation,
            "binary_mask": binary_mask, "exclude_mask": exclude_mask, "do_filter": do_filter,
            "fill_with_noise": fill_with_noise,
        }  # fmt: skip
        options = {
            "tile_spec_url": tile_spec_url, "parameters_url": parameters_url, "in_fn": in_fn, "out_fn": out_fn,
            "meshCellSize": meshCellSize, "minMeshCellSize": minMeshCellSize, "x": x, "y": y, "scale": scale,
            "width": whole_number(width, "width"), "height": whole_number(height, "height"),
            "minIntensity": minIntensity, "maxIntensity": maxIntensity, "quality": quality,
            "background_color": whole_number(background_color, "background_color"), "channels": channels,
            **{name: None if value is None else jbool(value) == "true" for name, value in flags.items()},
        }  # fmt: skip
        render_to_file(options, kwargs, check_compat(compat))
        return
    arguments = [
        *get_param(tile_spec_url, "--tile_spec_url"),
        *get_param(whole_number(height, "height"), "--height"),
        *get_param(whole_number(width, "width"), "--width"),
        *get_param(in_fn, "--in"),
        *get_param(out_fn, "--out"),
        *get_param(x, "--x"),
        *get_param(y, "--y"),
        *get_param(meshCellSize, "--meshCellSize"),
        *get_param(minMeshCellSize, "--minMeshCellSize"),
        *get_param(scale, "--scale"),
        *flag_option(area_offset, "--area_offset"),
        *get_param(minIntensity, "--minIntensity"),
        *get_param(maxIntensity, "--maxIntensity"),
        *flag_option(gray, "--gray"),
        *get_param(quality, "--quality"),
        *get_param(whole_number(threads, "threads"), "--threads"),
        *flag_option(skip_interpolation, "--skip_interpolation"),
        *flag_option(binary_mask, "--binary_mask"),
        *flag_option(exclude_mask, "--exclude_mask"),
        *get_param(parameters_url, "--parameters_url"),
        *flag_option(do_filter, "--do_filter"),
        *get_param(whole_number(background_color, "background_color"), "--background_color"),
        *flag_option(fill_with_noise, "--fill_with_noise"),
        *get_param(channels, "--channels"),
    ]
    JavaRun.of(client_script, memGB, subprocess_mode, **kwargs).run(_RENDERER, arguments)
