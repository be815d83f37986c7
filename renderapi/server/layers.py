"""RenderDataService: what a stack holds, by layer, section, box and group."""

# ruff: noqa: S608 - conditions and names of columns are put into queries, values never are

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from renderapi import _json
from renderapi.server import metadata
from renderapi.server.boxes import derive_boxes
from renderapi.server.collecting import reading
from renderapi.server.documents import Document, ResolvedTiles
from renderapi.server.endpoint import (
    CREATED,
    STACK,
    TEXT,
    Answer,
    Context,
    Service,
    array_of,
    boolean,
    double,
    json_bytes,
    json_of,
    string,
    text_of,
)
from renderapi.server.refusals import (
    MeaningRefusal,
    Refusal,
    StackKey,
    section_missing,
    stack_missing,
    transform_missing,
)
from renderapi.server.resolving import flatten_tile, load_transforms, resolved_content, shared_transforms
from renderapi.server.tile_rows import (
    TileBatch,
    TileQuery,
    check_boxes,
    max_height,
    transform_document,
)
from renderapi.server.values import as_list, as_number, as_text, parse_double
from renderapi.utils import java_double

service = Service("RenderDataService", "Tiles and shared transforms of a stack")

LAYER = STACK + "/z/{z:double}"
LAYER_BOX = LAYER + "/box/{x:double},{y:double},{width:int},{height:int}"
DVID_BOX = "/dvid/imagetile/raw/xy/{width:int}_{height:int}/{x:double}_{y:double}_{z:double}"
Z_RANGE = {"minZ": double, "maxZ": double}


def no_tiles_in_layer(key: StackKey, z: float) -> Refusal:
    """400: the layer has no tiles."""
    return Refusal(400, f"stack {key.stack} does not contain any tiles with a z value of {java_double(z)}")


def _z_values(server: Context, key: StackKey, min_z: float | None, max_z: float | None) -> list[float]:
    with server.store.read() as connection:
        query = TileQuery(metadata.contents(connection, key), min_z=min_z, max_z=max_z)
        if min_z is None and max_z is None:
            values = _distinct_layers(connection, query)
        else:
            values = [
                z
                for (z,) in connection.execute(
                    f"SELECT DISTINCT z FROM {query.source} WHERE {query.where} ORDER BY z",
                    query.values,
                )
            ]
        if not values:
            metadata.get(connection, key)
    return values


def _distinct_layers(connection: sqlite3.Connection, query: TileQuery) -> list[float]:
    # jumps from layer to layer in the index instead of walking over all tiles
    (row,) = query.values
    return [
        z
        for (z,) in connection.execute(
            "WITH RECURSIVE layer (z) AS ("
            "SELECT min(z) FROM tile WHERE stack = ?1 UNION ALL "
            "SELECT (SELECT min(z) FROM tile WHERE stack = ?1 AND z > layer.z) FROM layer "
            "WHERE layer.z IS NOT NULL"
            ") SELECT z FROM layer WHERE z IS NOT NULL",
            (row,),
        )
    ]


@service.get(STACK + "/zValues", query=Z_RANGE)
def z_values(server: Context, stack: StackKey, minZ: float | None, maxZ: float | None) -> Answer:
    """List the z values of a stack's layers."""
    return json_of(_z_values(server, stack, minZ, maxZ))


def _section_documents(rows: Any) -> list[Document]:
    return [
        {
            "sectionId": section_id,
            "z": z,
            "tileCount": count,
            "minX": min_x,
            "maxX": max_x,
            "minY": min_y,
            "maxY": max_y,
        }
        for section_id, z, count, min_x, max_x, min_y, max_y in rows
    ]


def _sections(server: Context, key: StackKey, min_z: float | None, max_z: float | None) -> list[Document]:
    with server.store.read() as connection:
        stack = metadata.get(connection, key)
        if stack.state == metadata.OFFLINE:
            raise stack_missing(key)
        (aggregated,) = connection.execute(
            "SELECT aggregated FROM stack WHERE id = ?", (stack.row,)
        ).fetchone()
        if not aggregated:
            raise Refusal(
                400,
                f"section data not aggregated for {key}, set stack state to COMPLETE "
                "to generate the aggregate collection",
            )
        return _section_documents(
            connection.execute(
                "SELECT section_id, z, tile_count, min_x, max_x, min_y, max_y FROM section WHERE stack = ?1 "
                "AND section_id IS NOT NULL AND z IS NOT NULL AND (?2 IS NULL OR z >= ?2) "
                "AND (?3 IS NULL OR z <= ?3) ORDER BY section_id, z",
                (stack.row, min_z, max_z),
            )
        )


@service.get(STACK + "/sectionData", query=Z_RANGE)
def section_data(server: Context, stack: StackKey, minZ: float | None, maxZ: float | None) -> Answer:
    """List the sections that were aggregated when the stack was last COMPLETE."""
    return json_of(_sections(server, stack, minZ, maxZ))


@service.get(LAYER + "/sectionData")
def layer_section_data(server: Context, stack: StackKey, z: float) -> Answer:
    """List the sections of a layer as they are now."""
    with server.store.read() as connection:
        row = metadata.content_row(connection, stack)
        return json_of(
            _section_documents(
                connection.execute(
                    "SELECT section_id, z, count(*), min(min_x), max(max_x), min(min_y), max(max_y) "
                    "FROM tile INDEXED BY tile_by_layer WHERE stack = ? AND z = ? AND section_id IS NOT NULL "
                    "GROUP BY section_id ORDER BY section_id",
                    (row, z),
                )
            )
        )


@service.get(STACK + "/reorderedSectionData", query=Z_RANGE)
def reordered_section_data(
    server: Context, stack: StackKey, minZ: float | None, maxZ: float | None
) -> Answer:
    """List the sections whose id, as a number, is not that of their layer."""
    reordered = []
    for section in _sections(server, stack, minZ, maxZ):
        try:
            number = int(parse_double(section["sectionId"]))
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
    """Give index and z of each fractional layer after those of the layer of its integral part."""
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


def layer_bounds(connection: sqlite3.Connection, key: StackKey, z: float) -> Document:
    """Give the bounds of the tiles of a layer."""
    row = metadata.content_row(connection, key)
    min_x, min_y, max_x, max_y = connection.execute(
        "SELECT min(min_x), min(min_y), max(max_x), max(max_y) FROM tile WHERE stack = ? AND z = ?", (row, z)
    ).fetchone()
    if min_x is None:
        raise no_tiles_in_layer(key, z)
    return {"minX": min_x, "minY": min_y, "minZ": z, "maxX": max_x, "maxY": max_y, "maxZ": z}


@service.get(LAYER + "/bounds")
def bounds_of_layer(server: Context, stack: StackKey, z: float) -> Answer:
    """Give the bounds of a layer."""
    with server.store.read() as connection:
        return json_of(layer_bounds(connection, stack, z))


@service.get(LAYER + "/tileBounds")
def layer_tile_bounds(server: Context, stack: StackKey, z: float) -> Answer:
    """List the bounds of the tiles of a layer."""
    with server.store.read() as connection:
        return json_of(TileQuery(metadata.content_row(connection, stack), z=z).tile_bounds(connection))


@service.get(STACK + "/section/{sectionId}/tileBounds")
def section_tile_bounds(server: Context, stack: StackKey, sectionId: str) -> Answer:
    """List the bounds of the tiles of a section."""
    with server.store.read() as connection:
        query = TileQuery(metadata.content_row(connection, stack), section=sectionId)
        return json_of(query.tile_bounds(connection))


@service.get(STACK + "/section/{sectionId}/z")
def section_z(server: Context, stack: StackKey, sectionId: str) -> Answer:
    """Give the z of a section."""
    with server.store.read() as connection:
        found = connection.execute(
            "SELECT z FROM tile INDEXED BY tile_by_section "
            "WHERE stack = ? AND section_id = ? ORDER BY id LIMIT 1",
            (metadata.content_row(connection, stack), sectionId),
        ).fetchone()
    if found is None or found[0] is None:
        raise section_missing(stack, sectionId)
    return json_of(found[0])


def _move_tiles(server: Context, key: StackKey, z: float, condition: str, value: str) -> Answer:
    with server.store.write() as connection:
        stack = metadata.must_be_loading(metadata.get(connection, key), "z")
        tiles = connection.execute(
            f"SELECT id, document FROM tile WHERE stack = ? AND {condition}",
            (stack.row, value),
        ).fetchall()
        connection.executemany(
            "UPDATE tile SET z = ?, document = ? WHERE id = ?",
            [(z, _with_z(document, z), row) for row, document in tiles],
        )
    return CREATED


def _with_z(document: bytes, z: float) -> bytes:
    tile: Document = {}
    for key, value in _json.loads(document).items():
        if "z" not in tile and key not in ("tileId", "layout", "groupId"):
            tile["z"] = z
        if key != "z":
            tile[key] = value
    return _json.dumps(tile)


@service.put(STACK + "/section/{sectionId}/z")
def save_section_z(server: Context, stack: StackKey, sectionId: str, body: Any) -> Answer:
    """Move the tiles of a section to another layer; their boxes stay."""
    z = as_number(body, "z")
    if z is None:
        raise Refusal(400, "z value must be specified")
    return _move_tiles(server, stack, z, "section_id = ?", sectionId)


@service.put(LAYER + "/tileIds")
def save_layer_tile_ids(server: Context, stack: StackKey, z: float, body: Any) -> Answer:
    """Move tiles to a layer; ids that there are not are ignored."""
    ids = as_list(body, "tile ids", as_text)
    if ids is None:
        raise Refusal(400, "tileIds value must be specified")
    condition = "tile_id IN (SELECT value FROM json_each(?))"
    return _move_tiles(server, stack, z, condition, _json.dumps(ids).decode())


@service.get(STACK + "/transform/{transformId}")
def stored_transform(server: Context, stack: StackKey, transformId: str) -> Answer:
    """Give a shared transform as it is stored."""
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


def _number_of_tiles(body: Any) -> int:
    tiles = body.get("tileIdToSpecMap") if isinstance(body, dict) else None
    return len(tiles) if isinstance(tiles, dict) else 0


def _read_tiles(server: Context, key: StackKey, z: float | None, derive: bool | None, body: Any) -> TileBatch:
    try:
        resolved = ResolvedTiles(body, bool(derive))
    except MeaningRefusal:
        _must_take_tiles(server, key)
        raise
    _must_take_tiles(server, key)
    resolved.check_references()
    if derive:
        derive_boxes(resolved.tiles, resolved.transforms)
    check_boxes(resolved.tiles, z)
    return TileBatch(resolved)


def _must_take_tiles(server: Context, key: StackKey) -> None:
    with server.store.read() as connection:
        metadata.must_be_loading(metadata.get(connection, key), "resolved tiles")


@service.put(STACK + "/resolvedTiles", query={"deriveData": boolean})
def save_tiles(server: Context, stack: StackKey, deriveData: bool | None, body: Any) -> Answer:
    """Store tile specs and shared transforms, of any layers."""
    return _save_tiles(server, stack, None, deriveData, body)


@service.put(LAYER + "/resolvedTiles", query={"deriveData": boolean})
def save_layer_tiles(
    server: Context, stack: StackKey, z: float, deriveData: bool | None, body: Any
) -> Answer:
    """Store tile specs, all of one layer, and shared transforms."""
    return _save_tiles(server, stack, z, deriveData, body)


def no_tile_specs(key: StackKey, wanted: str) -> Refusal:
    """404: no tile of the stack is what is looked for; the stack itself is not."""
    return Refusal(404, f"no tile specifications found in {key} for {wanted}")


def _conditions(
    min_z: float | None,
    max_z: float | None,
    group: str | None,
    min_x: float | None,
    max_x: float | None,
    min_y: float | None,
    max_y: float | None,
) -> str:
    """Describe a selection of tiles as the query that render-ws makes of it."""
    layers = [f"{word}={java_double(z)}" for word, z in (("$gte", min_z), ("$lte", max_z)) if z is not None]
    parts = [f"z=Document{{{{{', '.join(layers)}}}}}"] if layers else []
    if group is not None:
        parts.append(f"groupId={group}")
    edges = (
        ("maxX", "$gte", min_x),
        ("minX", "$lte", max_x),
        ("maxY", "$gte", min_y),
        ("minY", "$lte", max_y),
    )
    parts += [
        f"{key}=Document{{{{{word}={java_double(edge)}}}}}" for key, word, edge in edges if edge is not None
    ]
    return f"Document{{{{{', '.join(parts)}}}}}"


def _resolved_tiles(
    connection: sqlite3.Connection, key: StackKey, row: int, query: TileQuery, description: str
) -> Answer:
    tiles = query.selected(connection, keyed=True)
    if not tiles.number:
        raise no_tile_specs(key, description)
    transforms = load_transforms(connection, row, tiles.refs)
    entries = [_json.dumps(ident) + b":" + document for ident, document in sorted(transforms.items())]
    return json_bytes(
        b"".join(
            [
                b'{"transformIdToSpecMap":{',
                b",".join(entries),
                b'},"tileIdToSpecMap":{',
                tiles.content,
                b"}}",
            ]
        )
    )


@service.get(LAYER + "/resolvedTiles")
def layer_tiles(server: Context, stack: StackKey, z: float) -> Answer:
    """Give the tiles of a layer as they are stored, and the shared transforms that they use."""
    description = f"z={java_double(z)}"
    with server.store.read() as connection:
        row = metadata.content_row(connection, stack)
        return _resolved_tiles(connection, stack, row, TileQuery(row, z=z), description)


@service.get(
    STACK + "/resolvedTiles",
    query={**Z_RANGE, "groupId": string, "minX": double, "maxX": double, "minY": double, "maxY": double},
)
def stack_tiles(
    server: Context,
    stack: StackKey,
    minZ: float | None,
    maxZ: float | None,
    groupId: str | None,
    minX: float | None,
    maxX: float | None,
    minY: float | None,
    maxY: float | None,
) -> Answer:
    """Give the tiles of a range, group and box as they are stored, and their shared transforms."""
    description = _conditions(minZ, maxZ, groupId, minX, maxX, minY, maxY)
    with server.store.read() as connection:
        row = metadata.contents(connection, stack)
        if row is None:
            raise no_tile_specs(stack, description)
        query = TileQuery(
            row,
            min_z=minZ,
            max_z=maxZ,
            group=groupId,
            box=(minX, minY, maxX, maxY),
            max_height=max_height(connection, row),
        )
        return _resolved_tiles(connection, stack, row, query, description)


def box_query(
    connection: sqlite3.Connection,
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


@service.get(LAYER + "/tile-specs")
def tile_specs(server: Context, stack: StackKey, z: float) -> Answer:
    """Give the resolved tile specs of a layer."""
    with server.store.read() as connection:
        row = metadata.content_row(connection, stack)
        tiles = TileQuery(row, z=z).selected(connection)
        if not tiles.number:
            raise no_tiles_in_layer(stack, z)
        return array_of([resolved_content(connection, row, tiles)])


@service.get(LAYER + "/last-tile-transforms")
def last_tile_transforms(server: Context, stack: StackKey, z: float) -> Answer:
    """Give the last transform of each tile of a layer."""
    with server.store.read() as connection:
        row = metadata.content_row(connection, stack)
        tiles = TileQuery(row, z=z).selected(connection)
        if not tiles.number:
            raise no_tiles_in_layer(stack, z)
        shared = shared_transforms(connection, row, tiles.refs)
    answers = []
    for document in tiles.documents():
        tile = flatten_tile(_json.loads(document), shared)
        answer: Document = {"tileId": tile["tileId"]}
        if tile["transforms"]["specList"]:
            answer["lastTransform"] = tile["transforms"]["specList"][-1]
        answers.append(answer)
    return json_of(answers)
