"""Usual tile specs, read and written in canonical JSON at once, in a fraction of the time that dicts take.

Nearly all tiles have known keys with values of their declared types. msgspec reads those into structures whose fields
are sorted as canonical JSON sorts keys. What has anything else (a null, an unknown key, channels) is none of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from renderapi import _json

#: What is larger becomes a number with an exponent elsewhere.
_Integer: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
#: Numbers stay what they are: 1 and 1.0 differ.
_Number: TypeAlias = _Integer | float


class _Sorted(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """An object without other keys than its fields; None, which no value is, stands for those that are missing."""


class Layout(_Sorted):
    """The layout of a tile."""

    camera: str = None  # type: ignore[assignment]
    distanceZ: _Number = None  # type: ignore[assignment]
    imageCol: _Integer = None  # type: ignore[assignment]
    imageRow: _Integer = None  # type: ignore[assignment]
    pixelsize: _Number = None  # type: ignore[assignment]
    rotation: _Number = None  # type: ignore[assignment]
    sectionId: str = None  # type: ignore[assignment]
    stageX: _Number = None  # type: ignore[assignment]
    stageY: _Number = None  # type: ignore[assignment]
    temca: str = None  # type: ignore[assignment]


class Image(_Sorted):
    """Image and mask of a level."""

    imageUrl: str = None  # type: ignore[assignment]
    maskUrl: str = None  # type: ignore[assignment]


class Levels(_Sorted, rename={f"level{number}": str(number) for number in range(10)}):
    """Levels of single digits, which are sorted as texts and as numbers."""

    level0: Image = None  # type: ignore[assignment]
    level1: Image = None  # type: ignore[assignment]
    level2: Image = None  # type: ignore[assignment]
    level3: Image = None  # type: ignore[assignment]
    level4: Image = None  # type: ignore[assignment]
    level5: Image = None  # type: ignore[assignment]
    level6: Image = None  # type: ignore[assignment]
    level7: Image = None  # type: ignore[assignment]
    level8: Image = None  # type: ignore[assignment]
    level9: Image = None  # type: ignore[assignment]


class Transform(_Sorted):
    """A leaf or a reference."""

    className: str = None  # type: ignore[assignment]
    dataString: str = None  # type: ignore[assignment]
    id: str = None  # type: ignore[assignment]
    refId: str = None  # type: ignore[assignment]
    type: str = None  # type: ignore[assignment]


class Transforms(_Sorted):
    """The transforms of a tile."""

    specList: list[Transform] = None  # type: ignore[assignment]
    type: str = None  # type: ignore[assignment]


class Tile(_Sorted):
    """A tile spec."""

    groupId: str = None  # type: ignore[assignment]
    height: _Number = None  # type: ignore[assignment]
    layout: Layout = None  # type: ignore[assignment]
    maxIntensity: _Number = None  # type: ignore[assignment]
    maxX: _Number = None  # type: ignore[assignment]
    maxY: _Number = None  # type: ignore[assignment]
    meshCellSize: _Number = None  # type: ignore[assignment]
    minIntensity: _Number = None  # type: ignore[assignment]
    minX: _Number = None  # type: ignore[assignment]
    minY: _Number = None  # type: ignore[assignment]
    mipmapLevels: Levels = None  # type: ignore[assignment]
    tileId: str = None  # type: ignore[assignment]
    transforms: Transforms = None  # type: ignore[assignment]
    width: _Number = None  # type: ignore[assignment]
    z: _Number = None  # type: ignore[assignment]


NO_LAYOUT, NO_LEVELS, NO_IMAGE, NO_TRANSFORMS = Layout(), Levels(), Image(), Transforms(specList=[])

_decoder = msgspec.json.Decoder(list[Tile])
_encoder = msgspec.json.Encoder()


def usual_tiles(documents: Sequence[bytes]) -> tuple[list[Tile], bytes] | None:
    """Read tile specs, and write the list of them in canonical JSON.

    Parameters
    ----------
    documents : sequence of bytes
        JSON of each.

    Returns
    -------
    (list of Tile, bytes) or None
        None where one of them is not usual, or has a number that writers spell in different ways.
    """
    content = b"[%b]" % b",".join(documents)
    try:
        tiles = _decoder.decode(content)
    except (msgspec.DecodeError, ValueError):  # not strict JSON, or another type
        return None
    written = _encoder.encode(tiles)
    return (tiles, written) if _json.is_spelt_alike(written) else None
