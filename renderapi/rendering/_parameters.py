"""Render parameters as the renderer needs them: read once, checked, with the defaults of render-ws."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from renderapi.geometry.chains import DEFAULT_MESH_CELL_SIZE
from renderapi.rendering.channels import channel_weights
from renderapi.rendering.errors import RenderParametersError
from renderapi.rendering.sources import ImageReference

_MOST_INT = 2**31 - 1
# no machine has the memory for more
_MOST_PIXELS = 2**38


class Level(NamedTuple):
    """Image and mask of one mipmap level."""

    image: ImageReference
    mask: ImageReference | None


@dataclass(frozen=True)
class Channel:
    """One channel of a tile; ``levels`` is sorted, the deepest level last.

    ``filter_spec`` is its own filter as the document has it: one that is wrong is told of when it is drawn.
    """

    name: str | None
    low: float
    high: float
    levels: dict[int, Level]
    filter_spec: Any = None


@dataclass(frozen=True)
class Tile:
    """A tile: ``document`` is its tile spec, sizes are None where it does not say them."""

    document: Mapping[str, Any]
    tile_id: str | None
    width: int | None
    height: int | None
    channels: tuple[Channel, ...]

    def channel(self, name: str | None) -> Channel | None:
        """Return the channel of that name; None is the one channel of a tile that names none."""
        return next((channel for channel in self.channels if channel.name == name), None)


@dataclass(frozen=True)
class PathBuilder:
    """Where mipmaps lie that a tile spec does not list."""

    root: str
    levels: int
    extension: str
    pattern: str | None


@dataclass(frozen=True)
class Parameters:
    """What is to be rendered, and how; see RenderParameters of the data model of render-ws."""

    x: float
    y: float
    width: int
    height: int
    scale: float
    cell: float
    low: float | None
    high: float | None
    nearest: bool
    binary_mask: bool
    exclude_mask: bool
    background: int | None
    noise: bool
    channels: tuple[tuple[str | None, float], ...]
    builder: PathBuilder | None
    tiles: tuple[Tile, ...]
    compat: str = "master"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image: truncated."""
        width, height = image_size(self.scale, self.width, self.height)
        return height, width

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Height and width of what is painted before it is cut to `size`: rounded."""
        return int(self.scale * self.height + 0.5), int(self.scale * self.width + 0.5)

    @property
    def masked(self) -> bool:
        """Whether any tile has a mask, which gives the whole image an alpha channel."""
        return not self.exclude_mask and any(
            next(iter(channel.levels.values())).mask is not None
            for tile in self.tiles
            for channel in tile.channels
        )

    def references(self) -> Iterator[tuple[ImageReference, str]]:
        """Return every image and mask of every level of every tile, with the word for it in messages."""
        for tile in self.tiles:
            for channel in tile.channels:
                for level in channel.levels.values():
                    yield level.image, "imageUrl"
                    if level.mask is not None:
                        yield level.mask, "maskUrl"


def read(render_parameters: Mapping[str, Any], compat: str = "master") -> Parameters:
    """Read a RenderParameters document, to be drawn as that branch of render does.

    Raises
    ------
    RenderParametersError
        If a value is not of its kind, or the image would have no pixels.
    """
    document = _mapping(render_parameters, "render parameters")
    if "mipmapLevels" in document and "tileSpecs" not in document:
        raise RenderParametersError("this is a tile spec: render parameters have a list of them as tileSpecs")
    scale = number_of(document, "scale", 1.0)
    tiles = tuple(
        _with_mask_at(_tile(spec, index), document)
        for index, spec in enumerate(_sequence(document.get("tileSpecs"), "tileSpecs"))
    )
    # the service looks at the cells at the scale of the image
    least_cell = number_of(document, "minMeshCellSize", 0.0)
    parameters = Parameters(
        x=number_of(document, "x", 0.0),
        y=number_of(document, "y", 0.0),
        width=_integer(document, "width", 256),
        height=_integer(document, "height", 256),
        scale=scale,
        cell=max(
            number_of(document, "meshCellSize", DEFAULT_MESH_CELL_SIZE),
            least_cell / scale if least_cell and scale else 0.0,
        ),
        low=_optional_number(document, "minIntensity"),
        high=_optional_number(document, "maxIntensity"),
        nearest=boolean_of(document.get("skipInterpolation"), "skipInterpolation"),
        binary_mask=boolean_of(document.get("binaryMask"), "binaryMask"),
        exclude_mask=boolean_of(document.get("excludeMask"), "excludeMask"),
        background=_optional_integer(document, "backgroundRGBColor"),
        noise=boolean_of(document.get("fillWithNoise"), "fillWithNoise"),
        channels=_channels(document.get("channels"), tiles),
        builder=_builder(document.get("mipmapPathBuilder")),
        tiles=tiles,
        compat=compat,
    )
    image_size(parameters.scale, parameters.width, parameters.height)
    if not parameters.cell > 0:
        raise RenderParametersError(f"meshCellSize is {parameters.cell}; it must be above 0")
    return parameters


def image_size(scale: float, width: int, height: int) -> tuple[int, int]:
    """Return width and height of the image of a box: scaled, and truncated.

    Raises
    ------
    RenderParametersError
        If there would be no pixel in one direction, or more than any machine can hold.
    """
    try:
        columns, rows = int(scale * width), int(scale * height)
    except OverflowError:
        raise RenderParametersError(
            f"a box of {width} x {height} pixels cannot have a scale of {scale}"
        ) from None
    if columns <= 0 or rows <= 0:
        raise RenderParametersError(f"Width ({columns}) and height ({rows}) must be > 0")
    if columns * rows > _MOST_PIXELS:
        raise RenderParametersError(
            f"an image of {columns} x {rows} pixels is too large; ask for parts of it"
        )
    return columns, rows


# ------------------------------------------------------------------------------ tiles


def _tile(spec: Any, index: int) -> Tile:
    if not isinstance(spec, Mapping) and hasattr(spec, "to_dict"):
        spec = spec.to_dict()
    document = _mapping(spec, f"tileSpecs[{index}]")
    tile_id = document.get("tileId")
    try:
        width, height = (_optional_integer(document, name) for name in ("width", "height"))
        channels = tuple(_tile_channels(document))
    except RenderParametersError as error:
        raise RenderParametersError(f"tile {tile_id}: {error}") from None
    if not all(channel.levels for channel in channels):
        raise RenderParametersError(f"tile '{tile_id}' does not contain any mipmapLevel elements")
    return Tile(document, tile_id, width, height, channels)


_MASK_URL = re.compile(r"mask://outside-box\?minX=([0-9]+)&minY=([0-9]+)&(.*?)(?:&level=[0-9]+)?")


def _with_mask_at(tile: Tile, document: Mapping[str, Any]) -> Tile:
    """Return a tile whose computed mask, of the first channel, begins at maskMinX and maskMinY."""
    left, top = (_optional_integer(document, name) for name in ("maskMinX", "maskMinY"))
    if left is None and top is None:
        return tile
    first = tile.channels[0]
    levels = {}
    for number, level in first.levels.items():
        mask = level.mask
        if mask is not None and mask.loader == "DYNAMIC_MASK":
            found = _MASK_URL.fullmatch(mask.url)
            if found is not None:
                x, y = found[1] if left is None else left, found[2] if top is None else top
                # as in the original, a level of the URL is lost
                mask = mask._replace(url=f"mask://outside-box?minX={x}&minY={y}&{found[3]}")
        levels[number] = level._replace(mask=mask)
    return replace(tile, channels=(replace(first, levels=levels), *tile.channels[1:]))


def _tile_channels(document: Mapping[str, Any]) -> Iterator[Channel]:
    specs = _sequence(document.get("channels"), "channels")
    if not specs:
        specs = [{key: value for key, value in document.items() if key != "name"}]
    for spec in specs:
        channel = _mapping(spec, "channels")
        levels = _levels(channel.get("mipmapLevels"))
        low, high = _optional_number(channel, "minIntensity"), _optional_number(channel, "maxIntensity")
        name = channel.get("name")
        if name is not None and not isinstance(name, str):
            raise RenderParametersError(f"the name of a channel is {name!r:.100}; it must be a text")
        yield Channel(
            name,
            0.0 if low is None else low,
            255.0 if high is None else high,
            levels,
            channel.get("filterSpec"),
        )


def _levels(mipmaps: Any) -> dict[int, Level]:
    levels = {}
    for key, entry in _mapping({} if mipmaps is None else mipmaps, "mipmapLevels").items():
        try:
            number = int(key)
        except (TypeError, ValueError):
            raise RenderParametersError(f"mipmap level {key!r:.100} is no whole number") from None
        if not 0 <= number <= _MOST_INT:
            raise RenderParametersError(f"mipmap level {number} is out of range")
        parts = _mapping(entry, f"mipmap level {number}")
        image = _reference(parts, "image")
        if image is None:
            raise RenderParametersError(f"mipmap level {number} has no imageUrl")
        levels[number] = Level(image, _reference(parts, "mask"))
    return dict(sorted(levels.items()))


def _reference(parts: Mapping[str, Any], what: str) -> ImageReference | None:
    url = parts.get(f"{what}Url")
    if url is None:
        return None
    loader = parts.get(f"{what}LoaderType")
    for text in (url, loader):
        if text is not None and not isinstance(text, str):
            raise RenderParametersError(f"{what} {text!r:.100} must be a text")
    return ImageReference(url, loader or "IMAGEJ_DEFAULT", _optional_integer(parts, f"{what}SliceNumber"))


def _builder(document: Any) -> PathBuilder | None:
    if document is None:
        return None
    parts = _mapping(document, "mipmapPathBuilder")
    root, extension, pattern = (
        parts.get(name) for name in ("rootPath", "extension", "imageMipmapPatternString")
    )
    if not isinstance(root, str) or not isinstance(extension, str):
        raise RenderParametersError("a mipmapPathBuilder needs rootPath and extension")
    if pattern is not None and not isinstance(pattern, str):
        raise RenderParametersError("imageMipmapPatternString must be a text")
    root = root if root.endswith("/") else root + "/"
    return PathBuilder(root, _integer(parts, "numberOfLevels", 0), extension, pattern)


# ------------------------------------------------------------------------------ channels


def _channels(text: Any, tiles: Sequence[Tile]) -> tuple[tuple[str | None, float], ...]:
    """Read ``NAME`` or ``NAME__weight__NAME__weight``; without any, the first channel of the first tile."""
    if text is None:
        name = tiles[0].channels[0].name if tiles else None
        return ((name, 1.0),)
    if not isinstance(text, str):
        raise RenderParametersError(f"channels are {text!r:.100}; they must be a text")
    return tuple(channel_weights(text).items())


# ------------------------------------------------------------------------------ values


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RenderParametersError(f"{what} must be a JSON object, not {value!r:.100}")
    return value


def _sequence(value: Any, what: str) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
        raise RenderParametersError(f"{what} must be a JSON array, not {value!r:.100}")
    return value


def _optional_number(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise RenderParametersError(f"{name} is {value!r:.100}; it must be a finite number")
    return number


def number_of(document: Mapping[str, Any], name: str, default: float) -> float:
    """Return a number of a document; one that is not finite is refused."""
    number = _optional_number(document, name)
    return default if number is None else number


def _optional_integer(document: Mapping[str, Any], name: str) -> int | None:
    number = _optional_number(document, name)
    if number is None:
        return None
    if not -_MOST_INT <= number + 1 <= _MOST_INT + 1:
        raise RenderParametersError(f"{name} is {number}; that is out of range")
    return int(number)


def _integer(document: Mapping[str, Any], name: str, default: int) -> int:
    number = _optional_integer(document, name)
    return default if number is None else number


def boolean_of(value: Any, name: str) -> bool:
    """Read true or false, or the word for one of them; what is not there is false.

    Raises
    ------
    RenderParametersError
        If it is anything else.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise RenderParametersError(f"{name} is {value!r:.100}; it must be true or false")
