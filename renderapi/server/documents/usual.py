"""Bodies of usual tiles, read at once: as `renderapi.server.documents.tiles` would, in a fraction of the time.

Nearly all tiles of an import have known keys with values of their declared types. msgspec reads a body of those
straight into structures whose fields stand in the order of render-ws, and writes them back as they are to be
stored. Whatever needs a coercion, a rule or an answer that says what is wrong with it (a null, a number as text,
an unknown key, channels, lists in lists) is none of this: the body is read again, value by value.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, field

from renderapi import _json
from renderapi.geometry import affine_bounding_boxes, bounding_boxes
from renderapi.geometry.chains import DEFAULT_MESH_CELL_SIZE
from renderapi.server.documents.boxes import NOT_CALCULABLE
from renderapi.server.documents.problems import Problem
from renderapi.server.documents.tiles import Document, LoaderType, transform, unresolved_references
from renderapi.transform.data_strings import parse_rows
from renderapi.transform.native import AFFINE

_Text: TypeAlias = str | None
_Double: TypeAlias = float | None
_Integer: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None


class _Known(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """An object that has no other keys than its fields; those that are missing, or null, are not written."""


class _Layout(_Known):
    sectionId: _Text = None
    temca: _Text = None
    camera: _Text = None
    imageRow: _Integer = None
    imageCol: _Integer = None
    stageX: _Double = None
    stageY: _Double = None
    rotation: _Double = None
    pixelsize: _Double = None
    distanceZ: _Double = None


class _Image(_Known):
    imageUrl: _Text = None
    imageLoaderType: LoaderType | None = None
    imageSliceNumber: _Integer = None
    maskUrl: _Text = None
    maskLoaderType: LoaderType | None = None
    maskSliceNumber: _Integer = None


# sorted as levels are, which only single digits are by themselves
_Levels = msgspec.defstruct(
    "_Levels",
    [(f"level{number}", _Image | None, None) for number in range(10)],
    bases=(_Known,),
    rename={f"level{number}": str(number) for number in range(10)},
)


class _MetaData(_Known):
    # several would have to be sorted
    labels: Annotated[list[str], Meta(max_length=1)] | None = None


class _Leaf(_Known, tag_field="type", tag="leaf"):
    id: _Text = None
    metaData: _MetaData | None = None
    className: _Text = None
    dataString: _Text = None


class _Reference(_Known, tag_field="type", tag="ref"):
    refId: str


# by functions, as the defaults that are written are


def _cell_size() -> float:
    return DEFAULT_MESH_CELL_SIZE


def _no_specs() -> list[_Leaf | _Reference]:
    return []


def _no_transforms() -> _Transforms:
    return _Transforms("list")


class _Transforms(_Known):
    type: Literal["list"]
    specList: list[_Leaf | _Reference] = field(default_factory=_no_specs)


class UsualTile(_Known):
    """A tile spec that is to be stored as it is read."""

    tileId: str
    layout: _Layout | None = None
    groupId: _Text = None
    z: _Double = None
    minX: _Double = None
    minY: _Double = None
    maxX: _Double = None
    maxY: _Double = None
    width: _Double = None
    height: _Double = None
    minIntensity: _Double = None
    maxIntensity: _Double = None
    mipmapLevels: _Levels = field(default_factory=_Levels)  # type: ignore[valid-type]
    transforms: _Transforms = field(default_factory=_no_transforms)
    meshCellSize: float = field(default_factory=_cell_size)

    def references(self) -> tuple[str, ...]:
        """Return the ids of shared transforms that it refers to, each once."""
        specs = self.transforms.specList
        return tuple(dict.fromkeys(spec.refId for spec in specs if type(spec) is _Reference))


class _Body(_Known):
    transformIdToSpecMap: dict[str, Raw] = {}
    tileIdToSpecMap: dict[str, UsualTile] = {}


_decoder = msgspec.json.Decoder(_Body)
_encoder = msgspec.json.Encoder()


class UsualTiles:
    """The body of a PUT of resolved tiles that are all usual ones.

    Attributes
    ----------
    content : bytes
        The body.
    transforms : dict of str to Document
        Shared transforms by their own id.
    tiles : list of UsualTile
        In the order of the body.
    references : list of tuple of str, or None
        The shared transforms that each tile refers to; None where no tile does.
    """

    def __init__(self, content: bytes, transforms: dict[str, Document], tiles: Iterable[UsualTile]) -> None:
        self.content, self.transforms, self.tiles = content, transforms, list(tiles)
        self.references: list[tuple[str, ...]] | None = None
        # the bytes may be a text, too; then the tiles are looked at for nothing
        if b'"ref"' in content or b"\\" in content:
            self.references = [tile.references() for tile in self.tiles]

    def is_settled(self, z: float | None, derive: bool) -> bool:
        """Derive boxes where that is wanted, and tell whether nothing is wrong with any tile.

        What is wrong, and of which tile, comes out where it is read value by value.

        Parameters
        ----------
        z : float or None
            The layer that all of them must be of.
        derive : bool
            Whether bounding boxes are derived.

        Returns
        -------
        bool
        """
        if not self.tiles:
            return False
        if self.references is not None:
            unresolved = unresolved_references(self.transforms)
            for ident in {ident for references in self.references for ident in references}:
                if unresolved.get(ident, [ident]):
                    return False
        if derive:
            try:
                if not self._derive_boxes():
                    return False
            except NOT_CALCULABLE:
                return False
        elif any(None in self.column(name) for name in ("minX", "minY", "maxX", "maxY")):
            return False
        return z is None or all(tile.z == z for tile in self.tiles)

    def column(self, name: str) -> list[Any]:
        """Return the values of a field of all tiles."""
        return list(map(attrgetter(name), self.tiles))

    def _derive_boxes(self) -> bool:
        widths, heights, cells = map(self.column, ("width", "height", "meshCellSize"))
        if None in widths or None in heights:
            return False
        texts = []
        for tile in self.tiles:
            specs = tile.transforms.specList
            if len(specs) != 1 or type(specs[0]) is not _Leaf or specs[0].className != AFFINE:
                break
            texts.append(specs[0].dataString)
        if len(texts) == len(self.tiles) and None not in texts:
            numbers = parse_rows(texts, 6)  # type: ignore[arg-type] # none is None
            matrices = numbers.reshape(-1, 3, 2).transpose(0, 2, 1)
            boxes = affine_bounding_boxes(matrices, widths, heights, cells)
        else:
            documents = [
                {
                    "tileId": tile.tileId,
                    "width": tile.width,
                    "height": tile.height,
                    "meshCellSize": tile.meshCellSize,
                    "transforms": msgspec.to_builtins(tile.transforms),
                }
                for tile in self.tiles
            ]
            boxes = bounding_boxes(documents, self.transforms, nested_references=False)
        for tile, box in zip(self.tiles, boxes.tolist()):
            tile.minX, tile.minY, tile.maxX, tile.maxY = box
        return True

    def documents(self) -> list[bytes]:
        """Write each tile as it is stored."""
        # no line feed is written inside of a document
        return _encoder.encode_lines(self.tiles).split(b"\n")[:-1]


def usual_tiles(content: bytes) -> UsualTiles | None:
    """Read the body of a PUT of resolved tiles, or give None where one of them is not usual."""
    try:
        body = _decoder.decode(content)
        if not content.isascii():
            content.decode()  # what is cut out has not been looked into
        transforms = [transform(_json.loads(memoryview(raw))) for raw in body.transformIdToSpecMap.values()]
    except (msgspec.DecodeError, ValueError, RecursionError, Problem):
        return None
    shared = {spec["id"]: spec for spec in transforms if "id" in spec}
    return UsualTiles(content, shared, body.tileIdToSpecMap.values())
