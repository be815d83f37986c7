"""What an import warns of: tiles that a server stores, and that hardly can be meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from renderapi._pillow import decoder
from renderapi._slips import warn_caller
from renderapi.errors import SpecError
from renderapi.transform.data_strings import parse_rows
from renderapi.transform.native import AFFINE
from renderapi.transform.trees import members

_SHOWN = 3
#: Determinants below this part of their two products are rounding.
_ROUNDING = 1e-12
_NO_LAYER = "no z, so that they are in no layer"
_SINGULAR = "a singular affine transform, which draws them as a line or a point and has no inverse"
#: Images whose headers are read for an import; what stores them seldom changes its ways in between.
MOST_IMAGES = 100
#: A range so many times as wide as the values of an image leaves an eighth of the brightness.
_TOO_WIDE = 8
_DEFAULT_RANGE = (0, 65535)
_DARK = (
    "a display range that leaves their colour or floating point images dark (minint and maxint say "
    f"what is black and white; the first {MOST_IMAGES} images were looked at)"
)
_RELATIVE = "a relative imageUrl or maskUrl, which a server looks up in the folder that it was started in"


class Doubts:
    """The doubtful tiles of an import, told of in one warning for each kind."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, list[str]]] = {}
        self._images = MOST_IMAGES

    def look(self, tiles: Iterable[Mapping[str, Any]]) -> None:
        """Note what is doubtful about the documents of tiles."""
        places: list[Any] = []
        texts: list[str] = []
        for tile in tiles:
            tile_id = tile.get("tileId")
            if tile.get("z") is None:
                self._note(_NO_LAYER, tile_id)
            if _may_be_relative(tile):
                url = next(_relative_urls(tile), None)
                if url is not None:
                    self._note(_RELATIVE, tile_id, f" ({url:.60})")
            high = tile.get("maxIntensity")
            usual = "channels" not in tile and isinstance(high, (int, float)) and high <= 255
            if self._images > 0 and not usual:
                self._look_at_range(tile)
            for spec in (tile.get("transforms") or {}).get("specList") or ():
                # most are leaves, for which a generator each would cost as much as all the rest
                if spec.get("className") == AFFINE and type(text := spec.get("dataString")) is str:
                    places.append(tile_id)
                    texts.append(text)
                elif "specList" in spec:
                    found = list(_affine_texts(spec))
                    places += [tile_id] * len(found)
                    texts += found
        for index in _singular(texts):
            self._note(_SINGULAR, places[index])

    def _look_at_range(self, tile: Mapping[str, Any]) -> None:
        for images in _channels(tile):
            low, high = images.get("minIntensity") or 0, images.get("maxIntensity")
            if not isinstance(high, (int, float)) or not isinstance(low, (int, float)) or high <= 255:
                continue
            url = next((url for name, url in _urls(images) if name == "imageUrl"), None)
            if url is None:
                continue
            self._images -= 1
            most = _brightest(url)
            if most is None:
                continue
            if (low, high) == _DEFAULT_RANGE if np.isnan(most) else (most - low) * _TOO_WIDE < high - low:
                self._note(_DARK, tile.get("tileId"), f" ({low:g} to {high:g}, {url:.60})")
                return

    def look_at_shared(self, transforms: Mapping[str, Mapping[str, Any]]) -> None:
        """Note what is doubtful about the documents of shared transforms."""
        found = [(key, text) for key, spec in transforms.items() for text in _affine_texts(spec)]
        for index in _singular([text for _, text in found]):
            self._note(_SINGULAR, found[index][0], " (shared transform)")

    def _note(self, kind: str, name: Any, more: str = "") -> None:
        count, names = self._found.get(kind, (0, []))
        if len(names) < _SHOWN:
            names.append(f"{name!r}{more}")
        self._found[kind] = count + 1, names

    def warn(self) -> None:
        """Warn of what was noted since the last time."""
        found, self._found = self._found, {}
        for kind, (count, names) in found.items():
            others = f" and {count - len(names)} more" if count > len(names) else ""
            warn_caller(f"{count} of the tile specs imported have {kind}: {', '.join(names)}{others}")


def _channels(tile: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (images for images in (tile, *(tile.get("channels") or ())) if isinstance(images, Mapping))


def _urls(images: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    levels = images.get("mipmapLevels")
    for level in levels.values() if isinstance(levels, Mapping) else ():
        if isinstance(level, Mapping):
            for name in ("imageUrl", "maskUrl"):
                if (url := level.get(name)) and isinstance(url, str):
                    yield name, url


def _may_be_relative(tile: Mapping[str, Any]) -> bool:
    """Tell whether the images of a tile need a closer look: those of most tiles do not."""
    levels = tile.get("mipmapLevels")
    if "channels" in tile or type(levels) is not dict:
        return True
    for level in levels.values():
        if type(level) is not dict:
            return True
        for name in ("imageUrl", "maskUrl"):
            url = level.get(name)
            if url is not None and (type(url) is not str or (url[:1] != "/" and ":/" not in url)):
                return True
    return False


def _relative_urls(tile: Mapping[str, Any]) -> Iterator[str]:
    for images in _channels(tile):
        for _, url in _urls(images):
            if url[0] != "/" and not _is_absolute(url):
                yield url


def _brightest(url: str) -> float | None:
    """Return the largest value that a local image can have by its header; NaN if floating point may be anything.

    None for gray images of whole numbers, whose range is for whoever made it to choose, and for what is not
    there or no image.
    """
    from renderapi.rendering.locations import locate, open_regular  # which loads the renderer

    try:
        place = locate(url)
        if place.scheme != "file":
            return None
        with open_regular(place.path) as file:
            opened = decoder(file.read(16))
            if opened is None:
                return None
            file.seek(0)
            with opened(file) as image:
                if image.mode == "F":
                    return _brightest_of_float(str(getattr(image, "tag_v2", {}).get(270, "")))
                return 255.0 if image.mode in _COLOURS else None
    except Exception:  # whatever a garbled header does to a decoder: the server will say
        return None


_COLOURS = ("RGB", "RGBA", "CMYK", "YCbCr")


def _brightest_of_float(description: str) -> float:
    # ImageJ writes the range that it showed
    found = re.search(r"^max=([-+.0-9eE]+)$", description, re.MULTILINE)
    try:
        return float(found[1]) if found else np.nan
    except ValueError:
        return np.nan


def _is_absolute(url: str) -> bool:
    # file:/a, s3://a, C:/a, C:\a
    return ":/" in url or ":\\" in url


def _affine_texts(spec: Any) -> Iterator[str]:
    # not those in interpolations, which may be singular without harm
    for member in members(spec):
        if member.get("className") == AFFINE and isinstance(text := member.get("dataString"), str):
            yield text


def _singular(texts: list[str]) -> list[int]:
    if not texts:
        return []
    try:
        a, b, c, d = parse_rows(texts, 6)[:, :4].T
    except SpecError:
        return []  # the server says what is wrong
    with np.errstate(all="ignore"):
        left, right = a * d, b * c
        rows: list[int] = np.flatnonzero(
            np.abs(left - right) <= _ROUNDING * (np.abs(left) + np.abs(right))
        ).tolist()
    return rows
