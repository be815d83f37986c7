"""Sections: what is aggregated of the tiles of a stack by section id and z."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from renderapi.server.documents.tiles import Document
from renderapi.server.store.database import Transaction


def aggregate(connection: Transaction, row: int) -> None:
    """Make the aggregate of a stack, in place of the one before."""
    connection.execute("DELETE FROM section WHERE stack = ?", (row,))
    connection.execute(
        "INSERT INTO section (stack, section_id, z, tile_count, min_x, max_x, min_y, max_y) "
        "SELECT stack, section_id, z, count(*), min(min_x), max(max_x), min(min_y), max(max_y) "
        "FROM tile INDEXED BY tile_by_layer WHERE stack = ? GROUP BY section_id, z",
        (row,),
    )
    connection.execute("UPDATE stack SET aggregated = 1 WHERE id = ?", (row,))


def is_aggregated(connection: Transaction, row: int) -> bool:
    """Tell whether a stack has an aggregate."""
    (done,) = connection.execute("SELECT aggregated FROM stack WHERE id = ?", (row,)).fetchone()
    return bool(done)


def z_values(connection: Transaction, row: int) -> list[float | None]:
    """Return the layers of the aggregate, in no order."""
    return [z for (z,) in connection.execute("SELECT DISTINCT z FROM section WHERE stack = ?", (row,))]


def of_stack(connection: Transaction, row: int, min_z: float | None, max_z: float | None) -> list[Document]:
    """Return the sections of the aggregate from one layer to another, as they are answered."""
    return _documents(
        connection.execute(
            "SELECT section_id, z, tile_count, min_x, max_x, min_y, max_y FROM section WHERE stack = ?1 "
            "AND section_id IS NOT NULL AND z IS NOT NULL AND (?2 IS NULL OR z >= ?2) "
            "AND (?3 IS NULL OR z <= ?3) ORDER BY section_id, z",
            (row, min_z, max_z),
        )
    )


def of_layer(connection: Transaction, row: int, z: float) -> list[Document]:
    """Return the sections of a layer as its tiles are now, as they are answered."""
    return _documents(
        connection.execute(
            "SELECT section_id, z, count(*), min(min_x), max(max_x), min(min_y), max(max_y) "
            "FROM tile INDEXED BY tile_by_layer WHERE stack = ? AND z = ? AND section_id IS NOT NULL "
            "GROUP BY section_id ORDER BY section_id",
            (row, z),
        )
    )


def _documents(rows: Iterable[Any]) -> list[Document]:
    keys = ("sectionId", "z", "tileCount", "minX", "maxX", "minY", "maxY")
    return [dict(zip(keys, row)) for row in rows]


def first_z(connection: Transaction, row: int, section_id: str) -> float | None:
    """Return the z of the first tile of a section that was stored, None if there is none."""
    found = connection.execute(
        "SELECT z FROM tile INDEXED BY tile_by_section WHERE stack = ? AND section_id = ? ORDER BY id LIMIT 1",
        (row, section_id),
    ).fetchone()
    return None if found is None else found[0]
