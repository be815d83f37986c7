"""Tile specs of image files: where tiles lie is said by a table, by their names, or by a grid."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from renderapi.fromfiles.errors import FileProblem, refuse
from renderapi.fromfiles.headers import (
    RANGES,
    VOLUME_LOADERS,
    read_headers,
    read_ranges,
    reference_of,
    volume_url,
)
from renderapi.fromfiles.names import Images, NamePattern, absolute, filled, listed
from renderapi.fromfiles.tables import Positions, Row, Table, read_table
from renderapi.fromfiles.tiles import TilesFromFiles
from renderapi.image_pyramid import ImagePyramid, MipMap
from renderapi.layout import Layout
from renderapi.rendering import ImageDescription, ImageReference, Sources
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

_UNITS = {"pixel": None, "nm": 1.0, "um": 1e3, "mm": 1e6, "m": 1e9}
_INTENSITIES = ("type", "measured", "section", "tile")
_MOST_LEVELS = 30
#: A mipmap may be rounded either way.
_ROUNDED = 1.0

Z = float | Mapping[float, float] | Callable[[float], float]


@dataclass(slots=True)
class _Image:
    """An image that becomes a tile: a file, or a page of one, and what is known of it."""

    path: Path
    header: ImageDescription
    values: dict[str, Any]
    #: A page of a stack from 1, or a plane of a volume from 0.
    page: int | None = None
    row: Any = None
    z: float = 0.0
    x: float = 0.0
    y: float = 0.0
    spread: tuple[float, float] | None = None
    levels: dict[int, MipMap] = field(default_factory=dict)

    def reference(self, dataset: str | None) -> ImageReference:
        """Return what names this image to the renderer."""
        if self.page is None:
            return reference_of(self.path, dataset)
        if loader := VOLUME_LOADERS.get(self.path.suffix.lower()):
            return ImageReference(volume_url(self.path, str(dataset), self.page), loader)
        return ImageReference(self.path.as_uri(), "IMAGEJ_TIFF_STACK", self.page)

    def names(self) -> dict[str, Any]:
        """Return the fields of templates."""
        path = self.path
        names = {"stem": path.stem, "name": path.name, "folder": path.parent.as_posix(), "z": self.z}
        return {**self.values, **names} if self.page is None else {**self.values, **names, "page": self.page}


def from_images(
    images: Images | None = None,
    positions: Positions = None,
    *,
    columns: Mapping[str, str] | None = None,
    pattern: str | re.Pattern[str] | None = None,
    grid: tuple[int, int] | None = None,
    order: str = "rows",
    snake: bool = False,
    overlap: float | tuple[float, float] | None = None,
    units: str = "pixel",
    pixel_size: float | None = None,
    flip_x: bool = False,
    flip_y: bool = False,
    rotation: float = 0.0,
    to_origin: bool | None = None,
    z: Z = 0.0,
    section_id: str | None = None,
    group_id: str | None = None,
    tile_id: str | None = None,
    intensity: str | tuple[float, float] = "type",
    masks: str | None = None,
    mipmaps: str | None = None,
    dataset: str | None = None,
    threads: int = 4,
    progress: Any = None,
    sources: Sources | None = None,
) -> TilesFromFiles:
    """Make tile specs of image files; nothing is sent.

    Size and type of pixels are read from the headers of the files. Where the tiles lie is said by `positions`,
    else by ``{x}`` and ``{y}`` or by ``{row}`` and ``{col}`` of `pattern` together with `overlap`, else by
    `grid` and `overlap`. Without any of them a layer may have one tile, at 0, 0.

    Parameters
    ----------
    images : path, glob pattern, or iterable of them, optional
        PNG, JPEG, TIFF, GIF, BMP and PGM files, HDF5 files, N5 folders. Pages of TIFF stacks and planes of volumes
        become a tile each, in one layer each. Default: the files that `positions` names.
    positions : path, DataFrame or iterable of dict, optional
        A CSV or TSV file, or a table. Columns: ``path, x, y``, and optionally ``z, page, tileId, width, height,
        minIntensity, maxIntensity, mask, sectionId, groupId, row, col, stageX, stageY, rotation,
        pixelsize``. Paths begin in the folder of the file; names without folders will
        do where they are unique. ``x, y`` is the upper left corner.
    columns : mapping, optional
        Names of columns of `positions` -> one of those above.
    pattern : str or re.Pattern, optional
        What the names of the files say: ``"s{z}_r{row}_c{col}.tif"``, with ``*`` for anything; or a regular expression
        with named groups. Fields have the names of columns; others are for the templates below.
        What a table says counts more.
    grid : tuple (int, int), optional
        Rows and columns of every layer: its files in the order of their names fill it.
    order : {"rows", "columns"}, optional
        Whether `grid` is filled row by row, or column by column.
    snake : bool, optional
        Whether every second row (or column) of `grid` runs backwards.
    overlap : float or tuple (float, float), optional
        By how much neighbours in a grid overlap, in x and y: a part of the size below 1, pixels from 1 on.
    units : {"pixel", "nm", "um", "mm", "m"}, optional
        Unit of x and y.
    pixel_size : float, optional
        nm of a pixel; needed for units other than pixels.
    flip_x, flip_y : bool, optional
        Whether x, or y, of the positions runs against that of the images, which is right and down.
    rotation : float, optional
        Degrees by which positions are turned after that: x cos - y sin, x sin + y cos.
    to_origin : bool, optional
        Whether the least x and y of all tiles become 0. Default: where units are not pixels.
    z : float, mapping or callable, optional
        Layer of what has no z; or what turns the z of the files into that of the stack. Default 0.
    section_id, group_id, tile_id : str, optional
        Templates with ``{stem}``, ``{name}``, ``{folder}``, ``{page}``, ``{z}``, and the fields of `pattern`
        and columns. Default: the z as text, none, and ``{stem}`` or ``{stem}.s{page:05d}``.
    intensity : {"type", "measured", "section", "tile"} or tuple of 2 float, optional
        Display range: that of the type of pixels (0-255, 0-65535; floating point ones are measured), the least and
        largest of all pixels, of those of a layer or of a tile (which makes seams visible); or the range itself.
    masks, mipmaps : str, optional
        Templates of further files, as for `tile_id`. In `mipmaps` ``{level}`` counts from 1, as far as there
        are files; masks may have it too, from 0, and count where there is a mipmap of the level.
    dataset : str, optional
        Data set of volumes.
    threads : int, optional
        How many files are read at a time; default 4.
    progress : bool, str, callable or object with ``update``, optional
        As everywhere: True for a bar.
    sources : Sources, optional
        Reads the files. Default: one of its own.

    Returns
    -------
    TilesFromFiles
        A list of TileSpec in the order of z and files, with ``preview()``.

    Raises
    ------
    TileFilesError
        With all problems, each with its file and row: missing and unreadable files, other sizes than said, rows
        without a file and files without a row, cells that are no numbers, tile ids that are there twice.
    ValueError
        If parameters contradict each other.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for column in range(3):
    ...     Image.new("L", (100, 80)).save(folder / f"s7_r0_c{column}.png")
    >>> tiles = from_images(f"{folder}/*.png", pattern="s{z}_r{row}_c{col}.png", overlap=0.1)
    >>> [(tile.tileId, tile.z, tile.tforms[0].B0) for tile in tiles]
    [('s7_r0_c0', 7.0, 0.0), ('s7_r0_c1', 7.0, 90.0), ('s7_r0_c2', 7.0, 180.0)]
    """
    _check(units, pixel_size, intensity, order, grid, overlap)
    problems: list[FileProblem] = []
    named = None if pattern is None else NamePattern(pattern)
    table = None if positions is None else read_table(positions, columns, problems)
    if images is None and table is None:
        raise ValueError("there are neither images nor positions that name them")
    files = None if images is None else listed(images)
    if files is not None and not files:
        raise ValueError(f"no file fits {images!r}")
    rows = _rows_of_files(files, table, problems)
    with sources or Sources(cache_bytes=0) as reader:
        headers = read_headers((path for path, _ in rows), dataset, reader, threads, progress)
        found = _images(rows, headers, table, named, problems)
        _place_in_z(found, z, problems)
        if grid is not None:
            _fill_grid(found, grid, order, snake, problems)
        _place(found, overlap, problems)
        _add_files(found, masks, mipmaps, table, reader, threads, problems)
        found.sort(key=lambda image: image.z)
        ids = _ids(found, tile_id, problems)
        refuse(problems)
        notes = _set_ranges(found, intensity, dataset, reader, threads, progress, problems)
    stage = [(image.x, image.y) for image in found] if units != "pixel" else None
    _turn(
        found,
        units,
        pixel_size,
        flip_x,
        flip_y,
        rotation,
        units != "pixel" if to_origin is None else to_origin,
    )
    tiles = []
    for i, image in enumerate(found):
        try:
            layout = _layout(image, section_id, pixel_size, rotation, None if stage is None else stage[i])
            group = image.values.get("groupId") if group_id is None else filled(group_id, image.names())
        except ValueError as error:
            problems.append(FileProblem(str(image.path), image.row, str(error)))
            continue
        tiles.append(_tile(image, ids[i], group, layout, dataset))
    refuse(problems)
    resolution = None if pixel_size is None else (pixel_size, pixel_size, None)
    return TilesFromFiles(tiles, notes, resolution)


def _check(units: str, pixel_size: float | None, intensity: Any, order: str, grid: Any, overlap: Any) -> None:
    if units not in _UNITS:
        raise ValueError(f"units is {units!r}; it must be one of {', '.join(_UNITS)}")
    if pixel_size is not None and not 0 < pixel_size < math.inf:
        raise ValueError(f"pixel_size is {pixel_size!r}; it must be nm, more than 0")
    if _UNITS[units] is not None and pixel_size is None:
        raise ValueError(f"positions in {units} need the size of a pixel: pixel_size=, in nm")
    if isinstance(intensity, str) and intensity not in _INTENSITIES:
        raise ValueError(
            f"intensity is {intensity!r}; it must be a range, or one of {', '.join(_INTENSITIES)}"
        )
    if order not in ("rows", "columns"):
        raise ValueError(f"order is {order!r}; it must be 'rows' or 'columns'")
    if grid is not None and (len(grid) != 2 or min(grid) < 1):
        raise ValueError(f"grid is {grid!r}; it must be the numbers of rows and columns")
    if grid is not None and overlap is None:
        raise ValueError("a grid needs overlap=, 0 for none")


# ------------------------------------------------------------------------------- files and rows


def _rows_of_files(
    files: list[Path] | None, table: Table | None, problems: list[FileProblem]
) -> list[tuple[Path, Row | None]]:
    """Say which row of the table belongs to which file."""
    if table is None:
        return [(path, None) for path in files or []]
    by_name: dict[str, list[Path]] = defaultdict(list)
    for file in files or []:
        by_name[file.name].append(file)
    known = set(files or [])
    pairs: list[tuple[Path, Row | None]] = []
    taken: dict[tuple[Path, Any], Any] = {}
    for row in table.rows:
        text = row.values.get("path")
        if text is None:
            problems.append(FileProblem(table.name, row.number, "it names no file (column path)"))
            continue
        meant = _below(text, table.folder) if files is None else _meant(text, table.folder, known, by_name)
        if isinstance(meant, str):
            problems.append(FileProblem(table.name, row.number, meant))
            continue
        key = meant, row.values.get("page")
        if (earlier := taken.setdefault(key, row.number)) != row.number:
            problems.append(FileProblem(table.name, row.number, f"{text} is in row {earlier} too"))
            continue
        pairs.append((meant, row))
    given = {path for path, _ in pairs}
    problems += [
        FileProblem(str(path), None, f"it has no row in {table.name}")
        for path in files or []
        if path not in given
    ]
    return pairs


def _below(text: str, folder: Path) -> Path:
    return absolute(folder / text.replace("\\", "/"))


def _meant(text: str, folder: Path, known: set[Path], by_name: dict[str, list[Path]]) -> Path | str:
    """Return which of the files a table names; why it is none, otherwise."""
    for start in (folder, Path.cwd()):
        if (path := _below(text, start)) in known:
            return path
    parts = Path(text.replace("\\", "/")).parts
    near = [
        path for path in by_name.get(parts[-1] if parts else "", ()) if path.parts[-len(parts) :] == parts
    ]
    if len(near) == 1:
        return near[0]
    if near:
        return f"{text} may be {near[0]} or {near[1]}"
    return f"{text} is not among the images"


def _images(
    rows: list[tuple[Path, Row | None]],
    headers: Mapping[Path, ImageDescription | str],
    table: Table | None,
    named: NamePattern | None,
    problems: list[FileProblem],
) -> list[_Image]:
    found: list[_Image] = []
    unreadable = set()
    for path, row in rows:
        header, number = headers[path], None if row is None else row.number
        where = (str(path), None) if row is None or table is None else (table.name, number)
        if isinstance(header, str):
            if path not in unreadable:
                unreadable.add(path)
                text = header if row is None else f"{path}: {header}"
                problems.append(FileProblem(*where, text))
            continue
        values: dict[str, Any] = {}
        if named is not None:
            said = named.read(path)
            if said is None:
                problems.append(FileProblem(str(path), None, f"its name does not fit {named.text!r}"))
                continue
            values.update(said)
        if row is not None:
            values.update(row.values)
        for name, size in (("width", header.width), ("height", header.height)):
            if values.get(name, size) != size:
                text = f"{path.name} has {header.width} x {header.height} pixels, not the {name} {values[name]:g}"
                problems.append(FileProblem(*where, text))
        found += _pages(path, header, values, number, where, problems)
    return found


def _pages(
    path: Path,
    header: ImageDescription,
    values: dict[str, Any],
    row: Any,
    where: tuple[str, Any],
    problems: list[FileProblem],
) -> list[_Image]:
    """Make an image of each page that is meant."""
    first = 0 if path.suffix.lower() in VOLUME_LOADERS else 1
    if (page := values.get("page")) is not None:
        if not first <= page < first + header.slices:
            text = f"there is no page {page} in {path.name}: its pages are {first} to {first + header.slices - 1}"
            problems.append(FileProblem(*where, text))
            return []
        if header.slices > 1 or first == 0:
            return [_Image(path, header, values, page, row)]
    if header.slices == 1 and first == 1:
        return [_Image(path, header, values, None, row)]
    return [_Image(path, header, dict(values), first + i, row) for i in range(header.slices)]


# ------------------------------------------------------------------------------- places


def _place_in_z(images: list[_Image], z: Z, problems: list[FileProblem]) -> None:
    otherwise = 0.0 if callable(z) or isinstance(z, Mapping) else float(z)
    for image in images:
        own = image.values.get("z", otherwise)
        if image.page is not None and "page" not in image.values:  # each page is a layer of its own
            own += image.page - (0 if image.path.suffix.lower() in VOLUME_LOADERS else 1)
        try:
            if callable(z):
                own = z(own)
            elif isinstance(z, Mapping):
                own = z[own]
            image.z = float(own)
        except (KeyError, TypeError, ValueError) as error:
            text = f"z= has no layer for its z {own:g} ({type(error).__name__}: {error})"
            problems.append(FileProblem(str(image.path), image.row, text))


def _by_layer(images: list[_Image]) -> dict[float, list[_Image]]:
    layers: dict[float, list[_Image]] = defaultdict(list)
    for image in images:
        layers[image.z].append(image)
    return layers


def _fill_grid(
    images: list[_Image], grid: tuple[int, int], order: str, snake: bool, problems: list[FileProblem]
) -> None:
    rows, columns = grid
    for z, layer in _by_layer(images).items():
        if len(layer) > rows * columns:
            text = f"layer {z:g} has {len(layer)} images, more than a grid of {rows} x {columns}"
            problems.append(FileProblem(str(layer[rows * columns].path), layer[rows * columns].row, text))
            continue
        for i, image in enumerate(layer):
            line, place = divmod(i, columns if order == "rows" else rows)
            if snake and line % 2:
                place = (columns if order == "rows" else rows) - 1 - place
            row, column = (line, place) if order == "rows" else (place, line)
            image.values.update(row=row, col=column)


def _place(
    images: list[_Image], overlap: float | tuple[float, float] | None, problems: list[FileProblem]
) -> None:
    said = {problem.row for problem in problems if problem.row is not None}
    for z, layer in _by_layer(images).items():
        steps = None
        if overlap is not None:
            both = overlap if isinstance(overlap, tuple) else (overlap, overlap)
            sizes = (max(i.header.width for i in layer), max(i.header.height for i in layer))
            steps = [size * (1 - part) if 0 <= part < 1 else size - part for size, part in zip(sizes, both)]
            if min(steps) <= 0 or min(both) < 0:
                raise ValueError(
                    f"overlap is {overlap!r}, which leaves nothing of {sizes[0]} x {sizes[1]} pixels"
                )
        for image in layer:
            values = image.values
            if "x" in values and "y" in values:
                image.x, image.y = values["x"], values["y"]
            elif steps is not None and "row" in values and "col" in values:
                image.x, image.y = values["col"] * steps[0], values["row"] * steps[1]
            elif len(layer) > 1 and image.row not in said:  # whose cells are no numbers
                text = (
                    f"nothing says where it lies, and layer {z:g} has {len(layer)} images: positions= with x and y, "
                    "or overlap= with {row} and {col} in pattern=, or with grid="
                )
                problems.append(FileProblem(str(image.path), image.row, text))


def _turn(
    images: list[_Image],
    units: str,
    pixel_size: float | None,
    flip_x: bool,
    flip_y: bool,
    rotation: float,
    to_origin: bool,
) -> None:
    """Turn the places of tiles into pixels of the world, all at once."""
    places = np.array([(image.x, image.y) for image in images], np.float64).reshape(-1, 2)
    if (unit := _UNITS[units]) is not None:
        places *= unit / float(pixel_size or 1.0)
    places *= [-1.0 if flip_x else 1.0, -1.0 if flip_y else 1.0]
    if rotation:
        angle = math.radians(rotation)
        cos, sin = math.cos(angle), math.sin(angle)
        places = places @ np.array([[cos, sin], [-sin, cos]])
    if to_origin and len(places):
        places -= places.min(axis=0)
    for image, (x, y) in zip(images, (places + 0.0).tolist()):  # no -0
        image.x, image.y = x, y


# ------------------------------------------------------------------------------- further files


def _add_files(
    images: list[_Image],
    masks: str | None,
    mipmaps: str | None,
    table: Table | None,
    reader: Sources,
    threads: int,
    problems: list[FileProblem],
) -> None:
    """Find masks and mipmaps, and look at their sizes."""
    files: list[tuple[_Image, int, str, Path]] = []
    for image in images:
        try:
            if table is not None and "mask" in image.values:
                files.append((image, 0, "mask", _below(image.values["mask"], table.folder)))
            elif masks is not None:
                files += [(image, level, "mask", path) for level, path in _levels(masks, image, 0)]
            if mipmaps is not None:
                files += [(image, level, "mipmap", path) for level, path in _levels(mipmaps, image, 1)]
        except ValueError as error:
            problems.append(FileProblem(str(image.path), image.row, str(error)))
    headers = read_headers((path for *_, path in files), None, reader, threads, None)
    for image, level, what, path in files:
        header = headers[path]
        if isinstance(header, str):
            problems.append(FileProblem(str(image.path), image.row, f"its {what} {path}: {header}"))
            continue
        width, height = image.header.width / 2**level, image.header.height / 2**level
        slack = 0 if level == 0 else _ROUNDED
        if abs(header.width - width) > slack or abs(header.height - height) > slack:
            text = (
                f"its {what} {path} has {header.width} x {header.height} pixels, not the {width:g} x {height:g} "
                f"of level {level}"
            )
            problems.append(FileProblem(str(image.path), image.row, text))
        mipmap = image.levels.setdefault(level, MipMap())
        setattr(mipmap, "maskUrl" if what == "mask" else "imageUrl", path.as_uri())


def _levels(template: str, image: _Image, first: int) -> list[tuple[int, Path]]:
    """Return the files of a template, level by level, as far as there are any; of level 0 always."""
    if "{level" not in template:
        if first:
            raise ValueError(f"mipmaps is {template!r}, which does not say where the {{level}} stands")
        return [(0, absolute(filled(template, image.names())))]
    found = []
    for level in range(first, _MOST_LEVELS):
        path = absolute(filled(template, {**image.names(), "level": level}))
        if level and not path.exists():
            break
        found.append((level, path))
    return found


# ------------------------------------------------------------------------------- tiles


def _ids(images: list[_Image], template: str | None, problems: list[FileProblem]) -> list[str]:
    ids: list[str] = []
    seen: dict[str, _Image] = {}
    for image in images:
        otherwise = template or ("{stem}" if image.page is None else "{stem}.s{page:05d}")
        try:
            own = image.values.get("tileId") or filled(otherwise, image.names())
        except ValueError as error:
            problems.append(FileProblem(str(image.path), image.row, str(error)))
            own = ""
        ids.append(own)
        if own and (earlier := seen.setdefault(own, image)) is not image:
            text = f"its tile id {own} is that of {earlier.path} too: say with tile_id= what they are called"
            problems.append(FileProblem(str(image.path), image.row, text))
    return ids


def _set_ranges(
    images: list[_Image],
    intensity: str | tuple[float, float],
    dataset: str | None,
    reader: Sources,
    threads: int,
    progress: Any,
    problems: list[FileProblem],
) -> list[str]:
    """Set the display ranges, and return what was decided."""
    if not isinstance(intensity, str):
        low, high = map(float, intensity)
        for image in images:
            image.spread = low, high
        return []
    measured = images
    if intensity == "type":
        for image in images:
            image.spread = RANGES.get(image.header.dtype)
        measured = [image for image in images if image.spread is None]
    if not measured:
        return []
    spreads = read_ranges([image.reference(dataset) for image in measured], reader, threads, progress)
    groups: dict[Any, list[tuple[float, float]]] = defaultdict(list)
    keys = [
        image.z if intensity == "section" else i if intensity == "tile" else 0
        for i, image in enumerate(measured)
    ]
    for key, image, spread in zip(keys, measured, spreads):
        if isinstance(spread, str):
            problems.append(FileProblem(str(image.path), image.row, spread))
        else:
            groups[key].append(spread)
    refuse(problems)
    ends = {key: (min(low for low, _ in some), max(high for _, high in some)) for key, some in groups.items()}
    for key, image in zip(keys, measured):
        image.spread = ends[key]
    if intensity == "type":
        return [
            f"pixels of floating point numbers have the range that was measured, {ends[0][0]:g} to {ends[0][1]:g}"
        ]
    return []


def _layout(
    image: _Image,
    section_id: str | None,
    pixel_size: float | None,
    rotation: float,
    stage: tuple[float, float] | None,
) -> Layout:
    values = image.values
    section = values.get("sectionId") or values.get("section") or str(image.z)
    return Layout(
        sectionId=section if section_id is None else filled(section_id, image.names()),
        scopeId=values.get("scope"),
        cameraId=values.get("camera"),
        imageRow=values.get("row"),
        imageCol=values.get("col"),
        stageX=values.get("stageX", None if stage is None else stage[0]),
        stageY=values.get("stageY", None if stage is None else stage[1]),
        rotation=values.get("rotation", rotation or None),
        pixelsize=values.get("pixelsize", pixel_size),
        force_pixelsize=False,
    )


def _tile(image: _Image, tile_id: str, group: str | None, layout: Layout, dataset: str | None) -> TileSpec:
    reference, levels = image.reference(dataset), image.levels
    more: dict[str, Any] = {}
    if reference.loader != "IMAGEJ_DEFAULT":
        more["imageLoaderType"] = reference.loader
    if reference.slice_number is not None:
        more["imageSliceNumber"] = reference.slice_number
    mask = levels.pop(0).maskUrl if 0 in levels else None
    pyramid = {0: MipMap(reference.url, mask, **more)}
    pyramid.update((level, mipmap) for level, mipmap in levels.items() if mipmap.imageUrl)
    low, high = image.spread or (0.0, 0.0)
    return TileSpec(
        tileId=tile_id,
        z=image.z,
        width=image.header.width,
        height=image.header.height,
        minint=image.values.get("minIntensity", low),
        maxint=image.values.get("maxIntensity", high),
        layout=layout,
        groupId=group,
        imagePyramid=ImagePyramid(pyramid),
        tforms=[AffineModel(B0=image.x, B1=image.y)],
    )
