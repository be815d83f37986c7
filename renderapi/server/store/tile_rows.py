"""Rows of tiles and shared transforms: selecting and saving them."""

# ruff: noqa: S608 - conditions and names of columns are put into queries, values never are

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy as shallow_copy
from itertools import chain
from operator import sub
from typing import TYPE_CHECKING, Any, NamedTuple

from renderapi import _json
from renderapi.server.documents.id_patterns import IdPattern
from renderapi.server.documents.problems import FailedError, InvalidError
from renderapi.server.documents.tiles import Document, ResolvedTiles, kinds_of_references
from renderapi.server.store.database import IntegrityError, Store, Transaction, insert
from renderapi.server.store.metadata import Stack
from renderapi.transform.trees import references
from renderapi.utils import java_double

if TYPE_CHECKING:
    from renderapi.server.documents.usual import UsualTiles

# the sign keeps the database from walking over all ids of a stack, which are sorted, for those of one layer
_SORTED_ID = "+tile_id"
#: Columns of tiles, beside that of the stack.
COLUMNS = "tile_id, z, min_y, max_y, min_x, max_x, section_id, group_id, channels, refs, nested, document"
# what must be written in another way in a string of JSON
_ESCAPED = bytes(range(32)) + b'"\\'


class StoredTiles(NamedTuple):
    """Stored tiles.

    Attributes
    ----------
    content : bytes
        Their documents by ascending id, separated by line feeds, of which a document has none.
    number : int
        How many there are.
    refs : set of str
        Ids of the shared transforms that they refer to.
    nested : bool
        Whether the transforms of some of them have to be flattened.
    """

    content: bytes
    number: int
    refs: set[str]
    nested: bool

    def documents(self) -> list[bytes]:
        """Return the document of each tile."""
        return self.content.split(b"\n") if self.number else []


class TileQuery:
    """A selection of tiles of a stack.

    Parameters
    ----------
    row : int or None
        Row of the stack; None selects nothing.
    z : float, optional
        Exactly this layer.
    min_z, max_z : float, optional
        Layers from and to, inclusive.
    box : tuple of (float or None), optional
        minX, minY, maxX, maxY; tiles that touch it count.
    max_height : float
        No tile of the stack is higher; only needed with a box.
    group, section, tile : str, optional
        Exactly this group id, this section id, this tile id.
    ids : list of str, optional
        Only tiles with these ids.
    """

    def __init__(
        self,
        row: int | None,
        *,
        z: float | None = None,
        min_z: float | None = None,
        max_z: float | None = None,
        box: tuple[float | None, ...] = (None, None, None, None),
        max_height: float = 0.0,
        group: str | None = None,
        section: str | None = None,
        tile: str | None = None,
        ids: list[str] | None = None,
    ) -> None:
        min_x, min_y, max_x, max_y = box
        conditions = {
            "z = ?": z,
            "z >= ?": min_z,
            "z <= ?": max_z,
            "section_id = ?": section,
            "group_id = ?": group,
            "tile_id = ?": tile,
            "min_y <= ?": max_y,
            "max_y >= ?": min_y,
            "min_x <= ?": max_x,
            "max_x >= ?": min_x,
        }
        chosen = {text: value for text, value in conditions.items() if value is not None}
        self.description = " and ".join(
            text.replace("?", value if isinstance(value, str) else java_double(value))
            for text, value in chosen.items()
        )
        if min_y is not None:
            # implied by max_y >= min_y; begins the range of the index
            chosen["min_y >= ?"] = _lowest(min_y, max_height)
        if ids is not None:
            chosen["tile_id IN (SELECT value FROM json_each(?))"] = _json.dumps(ids).decode()
            self.description = f"{len(ids)} tile ids"
        # told, because it would rather walk over all tiles of an index that has every column
        index = None
        if ids is not None:
            index = "tile_by_id"
        elif z is not None or min_z is not None or max_z is not None:
            index = "tile_by_layer"
        elif section is not None:
            index = "tile_by_section"
        self.source = f"tile INDEXED BY {index}" if index else "tile"
        self.where = " AND ".join(["stack = ?", *chosen])
        self.values: tuple[Any, ...] = (row, *chosen.values())

    def narrow(self, connection: Transaction, name: str, pattern: str | None) -> TileQuery:
        """Choose among the tiles by a pattern of their ids.

        Parameters
        ----------
        name : str
            What messages call the pattern.
        pattern : str or None
            Regular expression, of which an id contains a match.

        Returns
        -------
        TileQuery
            The narrower selection; this one without a pattern.

        Raises
        ------
        InvalidError
            For an expression that is not taken, or takes too long.
        """
        if pattern is None:
            return self
        narrowed = shallow_copy(self)
        narrowed.where += " AND tile_id IN (SELECT value FROM json_each(?))"
        ids = IdPattern(name, pattern).search(self.tile_ids(connection))
        narrowed.values = (*self.values, _json.dumps(ids).decode())
        return narrowed

    def bounds(self, connection: Transaction) -> tuple[float, float, float, float] | None:
        """Return minX, minY, maxX, maxY of all tiles together, None if there are none."""
        found: tuple[Any, ...] = connection.execute(
            f"SELECT min(min_x), min(min_y), max(max_x), max(max_y) FROM {self.source} WHERE {self.where}",
            self.values,
        ).fetchone()
        return None if found[0] is None else found

    def read(self, connection: Transaction, most: int, *, keyed: bool = False) -> StoredTiles:
        """Read the documents of the tiles.

        They are put together by the database: row by row, another thread could take the interpreter away
        each time.

        Parameters
        ----------
        most : int
            How many render-ws would give.
        keyed : bool
            Separate by commas, and put its id before each document, as in a JSON object.

        Returns
        -------
        StoredTiles
            All of them; none is no problem.

        Raises
        ------
        InvalidError
            If there are more.
        """
        document, separator = (
            ("json_quote(tile_id) || ':' || document", "','") if keyed else ("document", "char(10)")
        )
        self.check_breadth(connection, most)
        content, number, refs, nested = connection.execute(
            f"SELECT CAST(group_concat({document}, {separator}) AS BLOB), count(*), "
            "group_concat(DISTINCT refs), max(nested) FROM (SELECT tile_id, document, refs, nested FROM "
            f"{self.source} WHERE {self.where} ORDER BY {_SORTED_ID})",
            self.values,
        ).fetchone()
        return StoredTiles(content or b"", number, _all_refs(refs), bool(nested))

    def check_breadth(self, connection: Transaction, most: int) -> None:
        """Refuse more tiles than render-ws would give."""
        if self.count(connection, most + 1) > most:
            raise InvalidError(f"query too broad, over {most} tiles match {self.description}")

    def tile_ids(self, connection: Transaction) -> list[str]:
        """Return the ids of the tiles, ascending."""
        query = f"SELECT tile_id FROM {self.source} WHERE {self.where} ORDER BY {_SORTED_ID}"
        return [tile_id for (tile_id,) in connection.execute(query, self.values)]

    def array_of_ids(self, connection: Transaction) -> bytes:
        """Return the ids of the tiles, ascending, as a JSON array."""
        query = f"SELECT tile_id FROM {self.source} WHERE {self.where} ORDER BY {_SORTED_ID}"
        return _array_of_ids(connection, query, self.values)[0]

    def objects(self, connection: Transaction) -> list[tuple[str | None, str]]:
        """Return section id and tile id of the tiles, which are group and id in point matches."""
        query = f"SELECT section_id, tile_id FROM {self.source} WHERE {self.where}"
        return connection.execute(query, self.values).fetchall()

    def count(self, connection: Transaction, most: int = -1) -> int:
        """Count the tiles, perhaps only up to some number."""
        (number,) = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {self.source} WHERE {self.where} LIMIT {most})", self.values
        ).fetchone()
        return int(number)

    def tile_bounds(
        self, connection: Transaction, with_depth: bool = False, *, ordered: bool = False
    ) -> list[Document]:
        """Read the boxes of the tiles.

        Parameters
        ----------
        with_depth : bool
            Write minZ and maxZ too, as render's branch newsolver does.
        ordered : bool
            In the order of their ids.

        Returns
        -------
        list of Document
            TileBounds, as render-ws answers them.
        """
        order = f" ORDER BY {_SORTED_ID}" if ordered else ""
        rows = connection.execute(
            "SELECT min_x, min_y, max_x, max_y, tile_id, section_id, z "
            f"FROM {self.source} WHERE {self.where}{order}",
            self.values,
        )
        return [_tile_bounds(*row, with_depth=with_depth) for row in rows]

    def batches(
        self, store: Store, size: int, *, by_place: bool = False
    ) -> Iterator[tuple[set[str], list[bytes]]]:
        """Read the tiles some at a time, layer by layer, for answers that are too long to be held.

        Parameters
        ----------
        size : int
            How many at a time.
        by_place : bool
            In a layer from top to bottom and from left to right, otherwise by id.

        Returns
        -------
        iterator of (set of str, list of bytes)
            Ids of the shared transforms that the tiles of a batch refer to, and their documents.
        """
        order = "z, min_y, min_x" if by_place else "z, tile_id"
        query = f"SELECT refs, document FROM {self.source} WHERE {self.where} ORDER BY {order}"
        for batch in store.rows(query, self.values, size):
            refs = ",".join({refs for refs, _ in batch if refs is not None})
            yield _all_refs(refs), [document for _, document in batch]

    def z_values(self, connection: Transaction) -> list[float]:
        """Return the layers of the tiles, ascending."""
        rows = connection.execute(
            f"SELECT DISTINCT z FROM {self.source} WHERE {self.where} ORDER BY z", self.values
        )
        return [z for (z,) in rows]

    def move(self, connection: Transaction, z: float) -> None:
        """Move the tiles to another layer; their boxes stay."""
        tiles = connection.execute(
            f"SELECT id, document FROM {self.source} WHERE {self.where}", self.values
        ).fetchall()
        connection.executemany(
            "UPDATE tile SET z = ?, document = ? WHERE id = ?",
            [(z, _with_z(document, z), row) for row, document in tiles],
        )

    def delete(self, connection: Transaction) -> None:
        """Delete the tiles; shared transforms stay."""
        connection.execute(f"DELETE FROM {self.source} WHERE {self.where}", self.values)


def _with_z(document: bytes, z: float) -> bytes:
    tile: Document = {}
    for key, value in _json.loads(document).items():
        if "z" not in tile and key not in ("tileId", "layout", "groupId"):
            tile["z"] = z
        if key != "z":
            tile[key] = value
    return _json.dumps(tile)


def z_values(connection: Transaction, row: int | None) -> list[float]:
    """Return all layers of a stack, ascending: jumps from one to the next instead of walking over all tiles."""
    rows = connection.execute(
        "WITH RECURSIVE layer (z) AS ("
        "SELECT min(z) FROM tile WHERE stack = ?1 UNION ALL "
        "SELECT (SELECT min(z) FROM tile WHERE stack = ?1 AND z > layer.z) FROM layer "
        "WHERE layer.z IS NOT NULL"
        ") SELECT z FROM layer WHERE z IS NOT NULL",
        (row,),
    )
    return [z for (z,) in rows]


def page_of_ids(
    connection: Transaction, row: int | None, most: int, after: str | None
) -> tuple[bytes, str | None]:
    """Read some of the sorted ids of a stack.

    Parameters
    ----------
    most : int
        How many.
    after : str or None
        The last id of the page before.

    Returns
    -------
    bytes, str or None
        A JSON array, and the last id in it.
    """
    start = () if after is None else (after,)
    query = (
        f"SELECT tile_id FROM tile INDEXED BY tile_by_id WHERE stack = ?{' AND tile_id > ?' * len(start)} "
        f"ORDER BY tile_id LIMIT {most}"
    )
    return _array_of_ids(connection, query, (row, *start))


def _array_of_ids(connection: Transaction, query: str, values: Any) -> tuple[bytes, str | None]:
    """Return the ids that a query selects as a JSON array, and the last one of them.

    The database strings them together, and no id is looked at by itself unless one has a character that JSON
    writes in another way.
    """
    number, lines = connection.execute(
        f"SELECT count(*), CAST(group_concat(tile_id, char(10)) AS BLOB) FROM ({query})", values
    ).fetchone()
    if not number:
        return b"[]", None
    if len(lines) - len(lines.translate(None, _ESCAPED)) == number - 1:
        return b'["' + lines.replace(b"\n", b'","') + b'"]', lines[lines.rfind(b"\n") + 1 :].decode()
    (array,) = connection.execute(f"SELECT json_group_array(tile_id) FROM ({query})", values).fetchone()
    return array.encode(), _json.loads(array)[-1]


def ids_at_points(
    connection: Transaction, row: int, points: Sequence[tuple[float, float, float]]
) -> list[list[str]]:
    """Return the ids of the tiles of a stack whose boxes contain each point (x, y, z), ascending.

    The database looks for all of them in one query; it is left to the others meanwhile.
    """
    found: list[list[str]] = [[] for _ in points]
    if not points:
        return found
    highest = max_height(connection, row)
    values: list[float] = []
    for number, (x, y, z) in enumerate(points):
        values += (number, x, y, z, _lowest(y, highest))
    rows = connection.execute(
        f"WITH point (number, x, y, z, lowest) AS (VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(points))}) "
        "SELECT number, tile_id FROM point CROSS JOIN tile INDEXED BY tile_by_layer WHERE stack = ? "
        "AND tile.z = point.z AND min_y BETWEEN lowest AND y AND max_y >= y AND min_x <= x AND max_x >= x "
        "ORDER BY number, tile_id",
        (*values, row),
    )
    for number, tile_id in rows.fetchall():
        found[number].append(tile_id)
    return found


def _lowest(y: float, max_height: float) -> float:
    """Say where the highest tile that reaches down to y may begin, with a margin for rounding."""
    highest = y - max_height
    return highest - 1e-9 * abs(highest) - 1.0


def _tile_bounds(
    min_x: float,
    min_y: float,
    max_x: float,
    max_y: float,
    tile_id: str,
    section_id: str | None,
    z: float | None,
    *,
    with_depth: bool,
) -> Document:
    document: Document = {"minX": min_x, "minY": min_y, "maxX": max_x, "maxY": max_y, "tileId": tile_id}
    if with_depth and z is not None:
        document = {
            **{"minX": min_x, "minY": min_y, "minZ": z},
            **{"maxX": max_x, "maxY": max_y, "maxZ": z, "tileId": tile_id},
        }
    if section_id is not None:
        document["sectionId"] = section_id
    if z is not None:
        document["z"] = z
    return document


def _all_refs(refs: str | None) -> set[str]:
    """Read arrays of references that the database has strung together with commas."""
    return set(chain.from_iterable(_json.loads(f"[{refs}]"))) if refs else set()


def max_height(connection: Transaction, row: int) -> float:
    """Return the height that no tile of a stack exceeds."""
    (height,) = connection.execute("SELECT max_height FROM stack WHERE id = ?", (row,)).fetchone()
    return float(height)


def tile_document(connection: Transaction, row: int, tile_id: str) -> bytes | None:
    """Look a tile up by its id."""
    found = connection.execute(
        "SELECT document FROM tile WHERE stack = ? AND tile_id = ?", (row, tile_id)
    ).fetchone()
    return None if found is None else bytes(found[0])


def transform_document(connection: Transaction, row: int, transform_id: str) -> bytes | None:
    """Look a shared transform up by its id."""
    found = connection.execute(
        "SELECT document FROM transform WHERE stack = ? AND transform_id = ?", (row, transform_id)
    ).fetchone()
    return None if found is None else bytes(found[0])


def count(connection: Transaction, row: int) -> int:
    """Count the tiles of a stack."""
    (number,) = connection.execute("SELECT count(*) FROM tile WHERE stack = ?", (row,)).fetchone()
    return int(number)


def copy(
    connection: Transaction, source: Stack, target: Stack, layers: Sequence[float], with_transforms: bool
) -> None:
    """Copy tiles and shared transforms from stack to stack.

    Parameters
    ----------
    layers : sequence of float
        Which layers; all without any.
    with_transforms : bool
        Whether the shared transforms are copied, all of them.

    Raises
    ------
    FailedError
        If the other stack has some of them already, or others where all are copied.
    """
    try:
        _copy_rows(connection, source.row, target.row, layers, with_transforms)
    except IntegrityError:
        raise FailedError(
            f"Tiles cannot be cloned: some ids of {source.key} exist already in {target.key} (duplicate key)"
        ) from None
    if not layers:
        before, after = (count(connection, stack.row) for stack in (source, target))
        if before != after:
            raise FailedError(f"only {before} of {after} tiles of the target stack are in the source stack")


def _copy_rows(
    connection: Transaction, source: int, target: int, layers: Sequence[float], with_transforms: bool
) -> None:
    if with_transforms:
        connection.execute(
            "INSERT INTO transform (stack, transform_id, refs, document) "
            "SELECT ?, transform_id, refs, document FROM transform WHERE stack = ?",
            (target, source),
        )
    for layer in dict.fromkeys(layers) if layers else (None,):
        connection.execute(
            f"INSERT INTO tile (stack, {COLUMNS}) SELECT ?, {COLUMNS} FROM tile WHERE stack = ?"
            + ("" if layer is None else " AND z = ?"),
            (target, source) if layer is None else (target, source, layer),
        )
    connection.execute(
        "UPDATE stack SET max_height = max(max_height, (SELECT max_height FROM stack WHERE id = ?)) "
        "WHERE id = ?",
        (source, target),
    )


class TileBatch:
    """Tiles and shared transforms, encoded and ready to be written.

    Encoding needs no database, so that the write transaction is short.

    Parameters
    ----------
    transforms : dict of str to Document
        Shared transforms by id.
    columns : list of sequence
        Values of each column of the tiles, in the order of `COLUMNS`; none without tiles.
    """

    def __init__(self, transforms: dict[str, Document], columns: list[Sequence[Any]]) -> None:
        self.transforms = [
            (ident, _written(dict.fromkeys(references(spec))), _json.dumps(spec))
            for ident, spec in transforms.items()
        ]
        self.columns = columns
        _, _, low, high, *_ = columns or [()] * 4
        self.max_height = max(map(sub, high, low), default=0.0)

    @classmethod
    def of_resolved(cls, resolved: ResolvedTiles) -> TileBatch:
        """Encode what was read value by value."""
        contents = _json.dumps_each(resolved.tiles)
        return cls(resolved.transforms, list(zip(*map(_tile_values, resolved.tiles, contents))))

    @classmethod
    def of_usual(cls, usual: UsualTiles) -> TileBatch:
        """Encode usual tiles, which have no channels, and nothing nested."""
        none = [None] * len(usual.tiles)
        refs: Sequence[str | None] = none
        if usual.references is not None:
            written = {found: _written(found) for found in set(usual.references)}
            refs = list(map(written.__getitem__, usual.references))
        known = map(usual.column, ("tileId", "z", "minY", "maxY", "minX", "maxX"))
        sections = [None if tile.layout is None else tile.layout.sectionId for tile in usual.tiles]
        groups, nested = usual.column("groupId"), [0] * len(none)
        return cls(usual.transforms, [*known, sections, groups, none, refs, nested, usual.documents()])

    def save(self, connection: Transaction, row: int) -> None:
        """Write the batch; what has the same id is replaced as a whole."""
        insert(
            connection,
            "INSERT INTO transform (stack, transform_id, refs, document)",
            row,
            zip(*self.transforms),
            "ON CONFLICT (stack, transform_id) "
            "DO UPDATE SET refs = excluded.refs, document = excluded.document",
        )
        insert(
            connection,
            f"INSERT INTO tile (stack, {COLUMNS})",
            row,
            self.columns,
            "ON CONFLICT (stack, tile_id) DO UPDATE SET z = excluded.z, min_y = excluded.min_y, "
            "max_y = excluded.max_y, min_x = excluded.min_x, max_x = excluded.max_x, "
            "section_id = excluded.section_id, group_id = excluded.group_id, channels = excluded.channels, "
            "refs = excluded.refs, nested = excluded.nested, document = excluded.document",
        )
        connection.execute(
            "UPDATE stack SET max_height = ? WHERE id = ? AND max_height < ?",
            (self.max_height, row, self.max_height),
        )


def _written(refs: Iterable[str]) -> str | None:
    refs = list(refs)
    return _json.dumps(refs).decode() if refs else None


def _tile_values(tile: Document, content: bytes) -> tuple[Any, ...]:
    refs, nested = kinds_of_references(tile["transforms"])
    channels = None
    if tile.get("channels"):
        names = {channel["name"] for channel in tile["channels"] if "name" in channel}
        channels = _json.dumps(sorted(names)).decode() if names else None
    layout = tile.get("layout")
    return (
        tile["tileId"],
        tile.get("z"),
        tile["minY"],
        tile["maxY"],
        tile["minX"],
        tile["maxX"],
        None if layout is None else layout.get("sectionId"),
        tile.get("groupId"),
        channels,
        _written(refs),
        int(nested),
        content,
    )
