"""Tiles of a stack with the shared transforms that they refer to.

Reading follows references through up to ten steps, as in render-ws.
"""

from __future__ import annotations

from collections.abc import Iterable

from renderapi import _json
from renderapi.server.documents.resolving import SharedTransforms, flatten_tile
from renderapi.server.documents.tiles import Document
from renderapi.server.store.database import Transaction
from renderapi.server.store.tile_rows import StoredTiles
from renderapi.transform.trees import UnresolvedError, followed, references

#: In how many steps render-ws reads the shared transforms that a tile leads to.
MOST_PASSES = 10

_BEFORE = b'"transforms":'
_AFTER = b',"meshCellSize":'


def load_transforms(connection: Transaction, row: int, ids: Iterable[str]) -> dict[str, bytes]:
    """Load shared transforms and those that they refer to, up to ten steps; missing ones are left out."""
    loaded: dict[str, bytes] = {}

    def load(wanted: set[str]) -> dict[str, list[str]]:
        found = connection.execute(
            "SELECT transform_id, refs, document FROM transform WHERE stack = ? "
            "AND transform_id IN (SELECT value FROM json_each(?))",
            (row, _json.dumps(sorted(wanted)).decode()),
        ).fetchall()
        loaded.update((ident, document) for ident, _, document in found)
        return {ident: [] if refs is None else _json.loads(refs) for ident, refs, _ in found}

    followed(ids, load, most_passes=MOST_PASSES)
    return loaded


def shared_transforms(connection: Transaction, row: int, ids: Iterable[str]) -> SharedTransforms:
    """Load the shared transforms with some ids, and those that they refer to."""
    loaded = load_transforms(connection, row, ids)
    return SharedTransforms({ident: _json.loads(document) for ident, document in loaded.items()})


def resolved_content(connection: Transaction, row: int, tiles: StoredTiles) -> bytes:
    """Return tiles as JSON, separated by commas, with their transforms resolved and flattened.

    Tiles that have only leaves are copied, references are replaced in the bytes, and only where lists are in
    lists the transforms are decoded.
    """
    content = tiles.content
    if tiles.refs or tiles.nested:
        shared = shared_transforms(connection, row, tiles.refs)
        if tiles.nested or not all(shared.has_some(ident) for ident in tiles.refs):
            return b",".join(_flattened_documents(shared, tiles.documents()))
        for ident in tiles.refs:
            flat = _json.dumps(shared.of_id(ident))
            # a quote inside of a string is escaped, so that these bytes are a reference and nothing else
            content = content.replace(_json.dumps({"type": "ref", "refId": ident}), flat[1:-1])
    return content.replace(b"\n", b",")


def _flattened_documents(shared: SharedTransforms, documents: list[bytes]) -> list[bytes]:
    parts = []
    for document in documents:
        start, end = document.index(_BEFORE) + len(_BEFORE), document.rindex(_AFTER)
        try:
            flat = shared.flatten(_json.loads(document[start:end]))
        except UnresolvedError:
            raise shared.problem(_json.loads(document)["tileId"]) from None
        parts.append((document, start, end, flat))
    # encoded only now: a later tile may have added labels to a transform of an earlier one
    return [
        b"".join([document[:start], b'{"type":"list","specList":', _json.dumps(flat), b"}", document[end:]])
        for document, start, end, flat in parts
    ]


def resolved_tile(connection: Transaction, row: int, content: bytes) -> Document:
    """Return a tile decoded, with its transforms resolved and flattened."""
    tile: Document = _json.loads(content)
    return flatten_tile(tile, shared_transforms(connection, row, references(tile["transforms"])))
