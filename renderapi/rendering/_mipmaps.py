"""Which stored image a tile is drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi._patterns import compiled
from renderapi.rendering._parameters import Channel, Level, PathBuilder
from renderapi.rendering.errors import RenderParametersError
from renderapi.rendering.sources import ImageReference, Sources

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Mipmap(NamedTuple):
    """Image and mask of a tile at the level that it is drawn from; ``mask`` is None where there is none."""

    image: NDArray[Any]
    mask: NDArray[np.uint8] | None


def load(
    channel: Channel,
    level: int,
    builder: PathBuilder | None,
    exclude_mask: bool,
    sources: Sources,
    compat: str,
    strict: str | None = None,
) -> Mipmap:
    """Read image and mask of a channel at a level; what is not stored is made from the level above.

    The branch `compat` of render decides how it is read. With a tile id as ``strict`` a mask of another size
    than the image is an error; else it does not count.

    Raises
    ------
    RenderParametersError
        If only deeper levels are stored.
    ImageSourceError
        If the image or mask cannot be read.
    """
    stored, entry = _stored_level(channel, level, builder, sources)
    halvings = level - stored
    # a channel with a wide display range is a 16-bit one, whatever its images are
    image = sources.image(entry.image._replace(compat=compat), halvings=halvings, wide=channel.high > 255)
    if exclude_mask or entry.mask is None:
        return Mipmap(image, None)
    mask = sources.mask(entry.mask._replace(compat=compat), halvings=halvings)
    for size, of_image, of_mask in zip(("height", "width"), image.shape, mask.shape):
        if strict is not None and of_image != of_mask:
            raise RenderParametersError(
                f"imageProcessor {size} {of_image} differs from maskProcessor {size} {of_mask} "
                f"for tile '{strict}'"
            )
    return Mipmap(image, mask if mask.shape == image.shape[:2] else None)


def _stored_level(
    channel: Channel, level: int, builder: PathBuilder | None, sources: Sources
) -> tuple[int, Level]:
    first = next(iter(channel.levels))
    usable = [number for number in channel.levels if number <= level]
    if not usable:
        raise RenderParametersError(
            f"The highest resolution mipmap for {channel.levels[first].image.url} is level {first} but a "
            f"level {level} mipmap is needed.  Upscaling is not currently supported."
        )
    stored = usable[-1]
    if stored < level and builder is not None:
        derived_level = min(level, builder.levels)
        if derived_level > stored:
            derived = derived_entry(channel.levels[first], builder, derived_level)
            if derived is not None and sources.exists(derived.image):
                return derived_level, derived
            return first, channel.levels[first]
    return stored, channel.levels[stored]


def derived_entry(entry: Level, builder: PathBuilder, level: int) -> Level | None:
    """Return where a builder says that a level lies; None if its pattern does not fit."""
    image = _derived(entry.image, builder, level, builder.pattern)
    if image is None:
        return None
    # the pattern is for images; masks follow the folders
    mask = None if entry.mask is None else _derived(entry.mask, builder, level, None)
    return Level(image, mask)


def _derived(
    reference: ImageReference, builder: PathBuilder, level: int, pattern: str | None
) -> ImageReference | None:
    url = reference.url
    if url.startswith("mask://"):
        return reference._replace(url=f"{url}&level={level}")
    if pattern is not None:
        try:
            expression = compiled(pattern)
            found = expression.fullmatch(url)
        except ValueError as error:
            raise RenderParametersError(f"imageMipmapPatternString {pattern!r}: {error}") from None
        except TimeoutError:
            raise RenderParametersError(f"imageMipmapPatternString {pattern!r} takes too long") from None
        if found is None or expression.groups < 2:
            return None
        return reference._replace(url=f"{found[1]}{level}{found[2]}")
    path = url.partition(":")[2] if ":" in url else url if url.startswith("/") else "/" + url
    # what is derived is always a plain image file
    return ImageReference(f"{builder.root}{level}{path}.{builder.extension}")
