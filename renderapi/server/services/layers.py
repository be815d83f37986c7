"""RenderDataService: what a stack holds, by layer, section, box and group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renderapi import _json
from renderapi.server.documents.boxes import check_boxes, derive_boxes
from renderapi.server.documents.keys import StackKey, section_missing, stack_missing, transform_missing
from renderapi.server.documents.problems import Problem
from renderapi.server.documents.resolving import flatten_tile
from renderapi.server.documents.stacks import OFFLINE
from renderapi.server.documents.tiles import Document, ResolvedTiles
from renderapi.server.documents.values import as_list, as_number, as_text, double_of_text
from renderapi.server.endpoints.collecting import reading
from renderapi.server.endpoints.declaring import (
    CREATED,
    STACK,
    TEXT,
    Answer,
    Context,
    Service,
    array_of,
    boolean,
    decode,
    double,
    json_bytes,
    json_of,
    newer,
    string,
    text_of,
)
from renderapi.server.endpoints.refusals import Refusal
from renderapi.server.store import metadata, sections
from renderapi.server.store.database import Transaction
from renderapi.server.store.resolved import load_transforms, resolved_content, shared_transforms
from renderapi.server.store.tile_rows import (
    StoredTiles,
    TileBatch,
    TileQuery,
    max_height,
    transform_document,
)
from renderapi.server.store.tile_rows import z_values as z_values_of
from renderapi.utils import java_double

try:
    from renderapi.server.documents import usual
except ImportError:  # msgspec is not installed
    usual = None  # type: ignore[assignment]

service = Service("RenderDataService", "Tiles and shared transforms of a stack")

LAYER = STACK + "/z/{z:double}"
LAYER_BOX = LAYER + "/box/{x:double},{y:double},{width:int},{height:int}"
DVID_BOX = "/dvid/imagetile/raw/xy/{width:int}_{height:int}/{x:double}_{y:double}_{z:double}"
Z_RANGE = {"minZ": double, "maxZ": double}
# of whole layers and sections
ID_PATTERN = {"tileIdPattern": newer(string)}
# how tiles of a stack are chosen
SELECTION = {
    **Z_RANGE,
    "groupId": string,
    **{"minX": double, "maxX": double, "minY": double, "maxY": double},
    "matchPattern": newer(string),
}


def no_tiles_in_layer(key: StackKey, z: float) -> Refusal:
    """400: the layer has no tiles."""
    return Refusal(400, f"stack {key.stack} does not contain any tiles with a z value of {java_double(z)}")


def _z_values(server: Context, key: StackKey, min_z: float | None, max_z: float | None) -> list[float]:
    with server.store.read() as connection:
        row = metadata.contents(connection, key)
        if min_z is None and max_z is None:
            values = z_values_of(connection, row)
        else:
            values = TileQuery(row, min_z=min_z, max_z=max_z).z_values(connection)
        if not values:
            metadata.get(connection, key)
    return values


@service.get(STACK + "/zValues", query=Z_RANGE)
def z_values(server: Context, stack: StackKey, minZ: float | None, maxZ: float | None) -> Answer:
    """List the z values of a stack's layers."""
    return json_of(_z_values(server, stack, minZ, maxZ))


def _sections(server: Context, key: StackKey, min_z: float | None, max_z: float | None) -> list[Document]:
    with server.store.read() as connection:
        stack = metadata.get(connection, key)
        if stack.state == OFFLINE:
            raise stack_missing(key)
        if not sections.is_aggregated(connection, stack.row):
            raise Refusal(
                400,
                f"section data not aggregated for {key}, set stack state to COMPLETE "
                "to generate the aggregate collection",
            )
        return sections.of_stack(connection, stack.row, min_z, max_z)


@service.get(STACK + "/sectionData", query=Z_RANGE)
def section_data(server: Context, stack: StackKey, minZ: float | None, maxZ: float | None) -> Answer:
    """List the sections that were aggregated when the stack was last COMPLETE."""
    return json_of(_sections(server, stack, minZ, maxZ))


@service.get(LAYER + "/sectionData")
def layer_section_data(server: Context, stack: StackKey, z: float) -> Answer:
    """List the sections of a layer as they are now."""
    with server.store.read() as connection:
        row = metadata.content_row(connection, stack)
        return json_of(sections.of_layer(connection, row, z))


@service.get(STACK + "/reorderedSectionData", query=Z_RANGE)
def reordered_section_data(
    server: Context, stack: StackKey, minZ: float | None, maxZ: float | None
) -> Answer:
    """List the sections whose id, as a number, is not that of their layer."""
    reordered = []
    for section in _sections(server, stack, minZ, maxZ):
        try:
            number = int(double_of_text(section["sectionId"]))
        except (ValueError, OverflowError):
            raise Refusal(
                400,
                "reordered sections cannot be determined because stack contains non-standard sectionId "
                f"({section['sectionId']}) or z value ({java_double(section['z'])})",
            ) from None
        if number != int(section["z"]):
            reordered.append(section)
    return json_of(reordered)


@service.get(STACK + "/mergedZValues", query=Z_RANGE)
def merged_z_values(server: Context, stack: StackKey, minZ: float | None, maxZ: float | None) -> Answer:
    """List the layers that more than one section was merged into."""
    seen: set[float] = set()
    merged: set[float] = set()
    for section in _sections(server, stack, minZ, maxZ):
        (merged if section["z"] in seen else seen).add(section["z"])
    return json_of(sorted(merged))


def _mergeable(values: list[float]) -> Iterator[tuple[int, float, int, float]]:
    """Return index and z of each fractional layer after those of the layer of its integral part."""
    last = None
    for index, z in enumerate(values):
        if z.is_integer():
            last = (index, z)
        elif last is not None and int(last[1]) == int(z):
            yield (*last, index, z)


@service.get(STACK + "/mergeableData", query=Z_RANGE, gives=TEXT)
def mergeable_data(server: Context, stack: StackKey, minZ: float | None, maxZ: float | None) -> Answer:
    """Describe, line by line, the layers that could be merged into the one before them."""
    lines = [
        f"{last_index} < {index} : {java_double(last_z)} < {java_double(z)}\n"
        for last_index, last_z, index, z in _mergeable(_z_values(server, stack, minZ, maxZ))
    ]
    return text_of("".join(lines))


@service.get(STACK + "/mergeableZValues", query=Z_RANGE)
def mergeable_z_values(server: Context, stack: StackKey, minZ: float | None, maxZ: float | None) -> Answer:
    """List the layers that could be merged, each after the one that it could be merged into."""
    values: dict[float, None] = {}
    for _, last_z, _, z in _mergeable(_z_values(server, stack, minZ, maxZ)):
        values[last_z] = values[z] = None
    return json_of(list(values))


@service.get(LAYER + "/bounds")
def bounds_of_layer(server: Context, stack: StackKey, z: float) -> Answer:
    """Return the bounds of a layer."""
    with server.store.read() as connection:
        found = TileQuery(metadata.content_row(connection, stack), z=z).bounds(connection)
    if found is None:
        raise no_tiles_in_layer(stack, z)
    min_x, min_y, max_x, max_y = found
    return json_of({"minX": min_x, "minY": min_y, "minZ": z, "maxX": max_x, "maxY": max_y, "maxZ": z})


@service.get(LAYER + "/tileBounds", query=ID_PATTERN)
def layer_tile_bounds(server: Context, stack: StackKey, z: float, tileIdPattern: str | None) -> Answer:
    """List the bounds of the tiles of a layer."""
    with server.store.read() as connection:
        query = TileQuery(metadata.content_row(connection, stack), z=z)
        return _tile_bounds(server, connection, query, tileIdPattern)


@service.get(STACK + "/section/{sectionId}/tileBounds", query=ID_PATTERN)
def section_tile_bounds(
    server: Context, stack: StackKey, sectionId: str, tileIdPattern: str | None
) -> Answer:
    """List the bounds of the tiles of a section."""
    with server.store.read() as connection:
        query = TileQuery(metadata.content_row(connection, stack), section=sectionId)
        return _tile_bounds(server, connection, query, tileIdPattern)


def _tile_bounds(server: Context, connection: Transaction, query: TileQuery, pattern: str | None) -> Answer:
    chosen = query.narrow(connection, "tileIdPattern", pattern)
    return json_of(chosen.tile_bounds(connection, server.newsolver))


@service.get(STACK + "/section/{sectionId}/z")
def section_z(server: Context, stack: StackKey, sectionId: str) -> Answer:
    """Return the z of a section."""
    with server.store.read() as connection:
        z = sections.first_z(connection, metadata.content_row(connection, stack), sectionId)
    if z is None:
        raise section_missing(stack, sectionId)
    return json_of(z)


def _move_tiles(server: Context, key: StackKey, z: float, **choice: Any) -> Answer:
    with server.store.write() as connection:
        stack = metadata.must_be_loading(metadata.get(connection, key), "z")
        TileQuery(stack.row, **choice).move(connection, z)
    return CREATED


@service.put(STACK + "/section/{sectionId}/z")
def save_section_z(server: Context, stack: StackKey, sectionId: str, body: Any) -> Answer:
    """Move the tiles of a section to another layer; their boxes stay."""
    z = as_number(body, "z")
    if z is None:
        raise Refusal(400, "z value must be specified")
    return _move_tiles(server, stack, z, section=sectionId)


@service.put(LAYER + "/tileIds")
def save_layer_tile_ids(server: Context, stack: StackKey, z: float, body: Any) -> Answer:
    """Move tiles to a layer; ids that there are not are ignored."""
    ids = as_list(body, "tile ids", as_text)
    if ids is None:
        raise Refusal(400, "tileIds value must be specified")
    return _move_tiles(server, stack, z, ids=ids)


@service.get(STACK + "/transform/{transformId}")
def stored_transform(server: Context, stack: StackKey, transformId: str) -> Answer:
    """Return a shared transform as it is stored."""
    with server.store.read() as connection:
        document = transform_document(connection, metadata.content_row(connection, stack), transformId)
    if document is None:
        raise transform_missing(stack, transformId)
    return json_bytes(document)


def _save_tiles(server: Context, key: StackKey, z: float | None, derive: bool | None, body: Any) -> Answer:
    """Store the tiles and transforms of a body, all of them or none.

    Reading, boxes and encoding are done before the write transaction begins; whether the stack is there and
    LOADING is asked before that work, and again when it is written.
    """
    with reading(_number_of_tiles(body)):
        batch = _read_tiles(server, key, z, derive, body)
    with server.store.write() as connection:
        stack = metadata.must_be_loading(metadata.get(connection, key), "resolved tiles")
        batch.save(connection, stack.row)
    return CREATED


def _decode_tiles(content: bytes) -> Any:
    """Decode a body of resolved tiles: as usual ones, where all are."""
    tiles = None if usual is None else usual.usual_tiles(content)
    return decode(content) if tiles is None else tiles


def _number_of_tiles(body: Any) -> int:
    if usual is not None and isinstance(body, usual.UsualTiles):
        return len(body.tiles)
    tiles = body.get("tileIdToSpecMap") if isinstance(body, dict) else None
    return len(tiles) if isinstance(tiles, dict) else 0


def _read_tiles(server: Context, key: StackKey, z: float | None, derive: bool | None, body: Any) -> TileBatch:
    if usual is not None and isinstance(body, usual.UsualTiles):
        _must_take_tiles(server, key)
        if body.is_settled(z, bool(derive)):
            return TileBatch.of_usual(body)
        body = decode(body.content)
    try:
        resolved = ResolvedTiles(body, bool(derive))
    except Problem as problem:
        if not problem.late:
            raise
        _must_take_tiles(server, key)
        raise
    _must_take_tiles(server, key)
    resolved.check_references()
    if derive:
        derive_boxes(resolved.tiles, resolved.transforms)
    check_boxes(resolved.tiles, z)
    return TileBatch.of_resolved(resolved)


def _must_take_tiles(server: Context, key: StackKey) -> None:
    with server.store.read() as connection:
        metadata.must_be_loading(metadata.get(connection, key), "resolved tiles")


@service.put(STACK + "/resolvedTiles", query={"deriveData": boolean}, decodes=_decode_tiles)
def save_tiles(server: Context, stack: StackKey, deriveData: bool | None, body: Any) -> Answer:
    """Store tile specs and shared transforms, of any layers."""
    return _save_tiles(server, stack, None, deriveData, body)


@service.put(LAYER + "/resolvedTiles", query={"deriveData": boolean}, decodes=_decode_tiles)
def save_layer_tiles(
    server: Context, stack: StackKey, z: float, deriveData: bool | None, body: Any
) -> Answer:
    """Store tile specs, all of one layer, and shared transforms."""
    return _save_tiles(server, stack, z, deriveData, body)


def no_tile_specs(key: StackKey, wanted: str) -> Refusal:
    """404: no tile of the stack is what is looked for; the stack itself is not."""
    return Refusal(404, f"no tile specifications found in {key} for {wanted}")


class SelectedTiles:
    """A choice among the tiles of a stack, by the values of `SELECTION`.

    Attributes
    ----------
    query : TileQuery
        The choice; of nothing if there is no such stack.
    description : str
        The query that render-ws makes of it.
    """

    def __init__(
        self,
        connection: Transaction,
        key: StackKey,
        minZ: float | None,
        maxZ: float | None,
        groupId: str | None,
        minX: float | None,
        maxX: float | None,
        minY: float | None,
        maxY: float | None,
        matchPattern: str | None,
    ) -> None:
        row = metadata.contents(connection, key)
        self.query = TileQuery(
            row,
            min_z=minZ,
            max_z=maxZ,
            group=groupId,
            box=(minX, minY, maxX, maxY),
            max_height=0.0 if row is None else max_height(connection, row),
        ).narrow(connection, "matchPattern", matchPattern)
        layers = [f"{word}={java_double(z)}" for word, z in (("$gte", minZ), ("$lte", maxZ)) if z is not None]
        parts = [f"z=Document{{{{{', '.join(layers)}}}}}"] if layers else []
        if groupId is not None:
            parts.append(f"groupId={groupId}")
        edges = (
            ("maxX", "$gte", minX),
            ("minX", "$lte", maxX),
            ("maxY", "$gte", minY),
            ("minY", "$lte", maxY),
        )
        parts += [
            f"{name}=Document{{{{{word}={java_double(edge)}}}}}"
            for name, word, edge in edges
            if edge is not None
        ]
        if matchPattern is not None:
            parts.append(f"tileId=Document{{{{$regex={matchPattern}}}}}")
        self.description = f"Document{{{{{', '.join(parts)}}}}}"


def resolved_tiles(
    connection: Transaction, key: StackKey, query: TileQuery, description: str, most: int
) -> list[bytes]:
    """Return chosen tiles as they are stored, and the shared transforms that they use, as parts of a document.

    Raises
    ------
    Refusal
        404 if there are none.
    """
    tiles = query.read(connection, most, keyed=True)
    if not tiles.number:
        raise no_tile_specs(key, description)
    transforms = load_transforms(connection, metadata.content_row(connection, key), tiles.refs)
    entries = [_json.dumps(ident) + b":" + document for ident, document in sorted(transforms.items())]
    return [
        b'{"transformIdToSpecMap":{',
        b",".join(entries),
        b'},"tileIdToSpecMap":{',
        tiles.content,
        b"}}",
    ]


@service.get(LAYER + "/resolvedTiles", query={"matchPattern": newer(string)})
def layer_tiles(server: Context, stack: StackKey, z: float, matchPattern: str | None) -> Answer:
    """Return the tiles of a layer as they are stored, and the shared transforms that they use."""
    with server.store.read() as connection:
        query = TileQuery(metadata.content_row(connection, stack), z=z)
        query = query.narrow(connection, "matchPattern", matchPattern)
        parts = resolved_tiles(connection, stack, query, f"z={java_double(z)}", server.most_tiles)
    return json_bytes(b"".join(parts))


@service.get(STACK + "/resolvedTiles", query=SELECTION)
def stack_tiles(server: Context, stack: StackKey, **selection: Any) -> Answer:
    """Return the tiles of a range, group and box as they are stored, and their shared transforms."""
    with server.store.read() as connection:
        chosen = SelectedTiles(connection, stack, **selection)
        parts = resolved_tiles(connection, stack, chosen.query, chosen.description, server.most_tiles)
    return json_bytes(b"".join(parts))


def box_query(
    connection: Transaction,
    row: int,
    z: float,
    box: tuple[float, float, int, int],
    group: str | None = None,
) -> TileQuery:
    """Select the tiles of a layer, perhaps of one group, that touch a box of x, y, width and height."""
    x, y, width, height = box
    return TileQuery(
        row, z=z, group=group, box=(x, y, x + width, y + height), max_height=max_height(connection, row)
    )


@service.get(LAYER_BOX + "/tile-count")
@service.get(STACK + DVID_BOX + "/tile-count")
def tile_count(
    server: Context, stack: StackKey, z: float, x: float, y: float, width: int, height: int
) -> Answer:
    """Count the tiles of a box."""
    with server.store.read() as connection:
        row = metadata.content_row(connection, stack)
        return json_of(box_query(connection, row, z, (x, y, width, height)).count(connection))


def _layer(
    server: Context, connection: Transaction, stack: StackKey, z: float, pattern: str | None
) -> StoredTiles:
    """Return the tiles of a layer; without a pattern refuse (400) one without any."""
    query = TileQuery(metadata.content_row(connection, stack), z=z)
    tiles = query.narrow(connection, "tileIdPattern", pattern).read(connection, server.most_tiles)
    if not tiles.number and pattern is None:
        raise no_tiles_in_layer(stack, z)
    return tiles


@service.get(LAYER + "/tile-specs", query=ID_PATTERN)
def tile_specs(server: Context, stack: StackKey, z: float, tileIdPattern: str | None) -> Answer:
    """Return the resolved tile specs of a layer."""
    with server.store.read() as connection:
        tiles = _layer(server, connection, stack, z, tileIdPattern)
        return array_of([resolved_content(connection, metadata.content_row(connection, stack), tiles)])


@service.get(LAYER + "/last-tile-transforms", query=ID_PATTERN)
def last_tile_transforms(server: Context, stack: StackKey, z: float, tileIdPattern: str | None) -> Answer:
    """Return the last transform of each tile of a layer."""
    with server.store.read() as connection:
        tiles = _layer(server, connection, stack, z, tileIdPattern)
        shared = shared_transforms(connection, metadata.content_row(connection, stack), tiles.refs)
    answers = []
    for document in tiles.documents():
        tile = flatten_tile(_json.loads(document), shared)
        answer: Document = {"tileId": tile["tileId"]}
        if tile["transforms"]["specList"]:
            answer["lastTransform"] = tile["transforms"]["specList"][-1]
        answers.append(answer)
    return json_of(answers)
