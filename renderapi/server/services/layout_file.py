"""Layout files: where each tile of a stack lies, as text, for stitching programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from flask import request

from renderapi import _json
from renderapi._names import BOX
from renderapi.server.documents.keys import StackKey
from renderapi.server.documents.resolving import SharedTransforms, flatten_tile
from renderapi.server.documents.tiles import Document
from renderapi.server.documents.values import as_int
from renderapi.server.endpoints.declaring import STACK, TEXT, Answer, Context, enumeration
from renderapi.server.endpoints.refusals import Refusal
from renderapi.server.services.layers import LAYER, Z_RANGE
from renderapi.server.services.layers import service as service  # noqa: PLC0414 - app takes it from here
from renderapi.server.store import metadata
from renderapi.server.store.resolved import shared_transforms
from renderapi.server.store.tile_rows import TileQuery
from renderapi.utils import java_double

KARSH, SCHEFFER = FORMATS = ("KARSH", "SCHEFFER")
_FORMAT = {"format": enumeration(*FORMATS, default=KARSH)}
_BATCH = 1000
_FILE = re.compile(r"^file:/+")
# what java.net.URI does not take: blanks, control characters, brackets, and a % without two digits
_NO_URI = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})")


def _word(value: Any) -> str:
    if value is None:
        return "null"
    return java_double(value) if isinstance(value, float) else str(value)


def affine_words(tile: Document) -> list[str]:
    """Return the numbers of a tile's last transform row by row; none if it is not an affine leaf itself.

    What the last of several nested transforms is does not count.
    """
    specs = tile["transforms"]["specList"]
    data = specs[-1].get("dataString", "").split() if specs and specs[-1]["type"] == "leaf" else []
    if len(data) == 6:
        return [data[place] for place in (0, 2, 4, 1, 3, 5)]
    if len(data) > 6:
        return [str(len(data)), *data]
    return []


def _raw_path(tile: Document) -> str:
    channels = tile.get("channels")
    levels = channels[0]["mipmapLevels"] if channels else tile["mipmapLevels"]
    first: Document = next(iter(levels.values()), {})
    url = first.get("imageUrl")
    return "null" if url is None else raw_path(url)


def raw_path(url: str) -> str:
    """Return the path of an image URL as render-ws writes it: one of another kind than ``file:`` stays.

    Raises
    ------
    Refusal
        500 for what is no URI.
    """
    if _NO_URI.search(url) is not None:
        raise Refusal(500, f"failed to create URI for '{url}'")
    if ":" not in url:
        return str(Path.cwd() / url)
    return _FILE.sub("/", url)


def _stage_position(layout: Document) -> list[str]:
    return ["1.0", "0.0", _word(layout.get("stageX")), "0.0", "1.0", _word(layout.get("stageY"))]


def karsh_line(tile: Document, stack_url: str) -> str:
    """Write the line of a tile in the KARSH format."""
    layout = tile.get("layout") or {}
    words = [
        _word(layout.get("sectionId")),
        tile["tileId"],
        *(affine_words(tile) or _stage_position(layout)),
        _word(layout.get("imageCol")),
        _word(layout.get("imageRow")),
        _word(layout.get("camera")),
        _raw_path(tile),
        _word(layout.get("temca")),
        _word(layout.get("rotation")),
        _word(tile.get("z")),
        f"{stack_url}/tile/{tile['tileId']}/render-parameters",
    ]
    return "\t".join(words) + "\n"


def scheffer_line(tile: Document, stack_url: str) -> str:
    """Write the line of a tile in the SCHEFFER format."""
    affine = " ".join(affine_words(tile)) or "null"
    width, height = (as_int(float(tile.get(key, -1))) for key in ("width", "height"))
    return f"TRANSFORM '{_raw_path(tile)}' {affine} {width} {height}\n"


def _header(stack: metadata.Stack) -> str:
    bounds = stack.metadata.get("stats", {}).get("stackBounds")
    if bounds is None:
        return "BBOX \n"
    return "BBOX " + " ".join(java_double(bounds[key]) for key in BOX) + "\n"


def _layout(server: Context, key: StackKey, min_z: float | None, max_z: float | None, style: str) -> Answer:
    with server.store.read() as connection:
        stack = metadata.get(connection, key)
    query = TileQuery(stack.row, min_z=min_z, max_z=max_z)
    batches = query.batches(server.store, _BATCH, by_place=style == KARSH)
    base, stack_path, _ = request.base_url.partition(f"/stack/{key.stack}")

    write_line = karsh_line if style == KARSH else scheffer_line

    def content() -> Iterator[bytes]:
        if style == SCHEFFER:
            yield _header(stack).encode()
        for refs, documents in batches:
            with server.store.read() as connection:
                shared = shared_transforms(connection, stack.row, refs)
            tiles = [_with_references(_json.loads(document), shared) for document in documents]
            yield "".join(write_line(tile, base + stack_path) for tile in tiles).encode()

    # what the first tiles are refused for is found before the answer begins
    lines = content()
    begin = list(islice(lines, 2))
    return Answer(chain(begin, lines), TEXT)


def _with_references(tile: Document, shared: SharedTransforms) -> Document:
    """Look whether the references of a tile can be resolved; where they lead to is not written."""
    flatten_tile(dict(tile), shared)
    return tile


@service.get(STACK + "/layoutFile", gives=TEXT, query={**Z_RANGE, **_FORMAT})
def stack_layout_file(
    server: Context,
    stack: StackKey,
    minZ: float | None,
    maxZ: float | None,
    format: str,
) -> Answer:
    """Write the layout of a stack."""
    return _layout(server, stack, minZ, maxZ, format)


@service.get(LAYER + "/layoutFile", gives=TEXT, query=_FORMAT)
def layer_layout_file(server: Context, stack: StackKey, z: float, format: str) -> Answer:
    """Write the layout of a layer."""
    return _layout(server, stack, z, z, format)


@service.get(STACK + "/zRange/{minZ:double},{maxZ:double}/layoutFile", gives=TEXT, query=_FORMAT)
def range_layout_file(server: Context, stack: StackKey, minZ: float, maxZ: float, format: str) -> Answer:
    """Write the layout of a range of layers."""
    return _layout(server, stack, minZ, maxZ, format)
