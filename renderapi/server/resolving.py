"""Shared transforms in the place of references, and lists flattened, as render-ws answers them.

Reading follows references through up to ten steps; a reference that leads straight to another one stays
unresolved, as in render-ws. Labels of a list are added to all that it contains, in place: a shared
transform that got a label in the list of one tile shows it in all tiles of the same answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from renderapi import _json
from renderapi.server.documents import Document
from renderapi.server.refusals import Refusal
from renderapi.server.tile_rows import TileRow

MAX_STEPS = 10

_BEFORE = b'"transforms":'
_AFTER = b',"meshCellSize":'


class SharedTransforms:
    """Shared transforms of one stack, for one answer.

    Parameters
    ----------
    specs : dict of str to Document
        The transforms by id.
    """

    def __init__(self, specs: dict[str, Document]) -> None:
        self.specs = specs
        self._flat: dict[str, list[Document]] = {}

    def flatten(self, transforms: Document, tile_id: str) -> list[Document]:
        """Give the leaves and interpolations that a tile's list comes to, in their order.

        Raises
        ------
        Refusal
            500 if a reference cannot be resolved.
        """
        flat: list[Document] = []
        try:
            self._append(transforms, flat, ())
        except KeyError:
            known = ", ".join(sorted(self.specs))
            raise Refusal(
                500,
                f"tile spec {tile_id} is not fully resolved after applying the following transform specs: "
                f"[{known}]",
            ) from None
        return flat

    def _append(self, spec: Document, flat: list[Document], path: tuple[str, ...]) -> None:
        kind = spec["type"]
        if kind == "leaf":
            flat.append(spec)
        elif kind == "ref":
            flat.extend(self._of_reference(spec.get("refId", ""), path))
        elif kind == "list":
            inside: list[Document] = []
            for part in spec["specList"]:
                self._append(part, inside, path)
            labels = labels_of(spec)
            if labels:
                for part in inside:
                    _add_labels(part, labels)
            flat.extend(inside)
        else:
            flat.append({**spec, "a": self._part(spec["a"], path), "b": self._part(spec["b"], path)})

    def _of_reference(self, ident: str, path: tuple[str, ...]) -> list[Document]:
        flat = self._flat.get(ident)
        if flat is None:
            target = self.specs[ident]
            if target["type"] == "ref" or ident in path:
                raise KeyError(ident)
            flat = []
            self._append(target, flat, (*path, ident))
            self._flat[ident] = flat
        return flat

    def _part(self, spec: Document, path: tuple[str, ...]) -> Document:
        flat: list[Document] = []
        self._append(spec, flat, path)
        return flat[0] if len(flat) == 1 else {"type": "list", "specList": flat}


def labels_of(spec: Document) -> list[str]:
    """Give the labels of a transform."""
    return (spec.get("metaData") or {}).get("labels") or []


def _add_labels(spec: Document, labels: Iterable[str]) -> None:
    merged = {"labels": list(dict.fromkeys([*labels_of(spec), *labels]))}
    if "metaData" in spec:
        spec["metaData"] = merged
        return
    entries = list(spec.items())
    place = 2 if "id" in spec else 1
    entries.insert(place, ("metaData", merged))
    spec.clear()
    spec.update(entries)


def load_transforms(connection: sqlite3.Connection, row: int, ids: Iterable[str]) -> dict[str, bytes]:
    """Load shared transforms and those that they refer to, up to ten steps; missing ones are left out."""
    loaded: dict[str, bytes] = {}
    wanted = set(ids)
    for _ in range(MAX_STEPS):
        if not wanted:
            break
        found = connection.execute(
            "SELECT transform_id, refs, document FROM transform WHERE stack = ? "
            "AND transform_id IN (SELECT value FROM json_each(?))",
            (row, _json.dumps(sorted(wanted)).decode()),
        ).fetchall()
        wanted = set()
        for ident, refs, document in found:
            loaded[ident] = document
            if refs is not None:
                wanted.update(_json.loads(refs))
        wanted.difference_update(loaded)
    return loaded


def refs_of_rows(rows: Iterable[TileRow]) -> set[str]:
    """Give the ids of the shared transforms that some tiles refer to."""
    ids: set[str] = set()
    for text in {row.refs for row in rows if row.refs is not None}:
        ids.update(_json.loads(text))
    return ids


def shared_transforms(connection: sqlite3.Connection, row: int, rows: Iterable[TileRow]) -> SharedTransforms:
    """Load the shared transforms of some tiles."""
    loaded = load_transforms(connection, row, refs_of_rows(rows))
    return SharedTransforms({ident: _json.loads(document) for ident, document in loaded.items()})


def _cut(document: bytes) -> tuple[int, int]:
    # a quote inside of a string is escaped, so these bytes are the keys of the tile itself
    return document.index(_BEFORE) + len(_BEFORE), document.rindex(_AFTER)


def resolved_answers(connection: sqlite3.Connection, row: int, rows: Sequence[TileRow]) -> list[bytes]:
    """Give tiles as JSON with their transforms resolved and flattened.

    Tiles that are stored flat are copied. Of the others only the transforms are decoded.
    """
    if all(tile.refs is None for tile in rows):
        return [tile.document for tile in rows]
    shared = shared_transforms(connection, row, rows)
    answers: list[Any] = []
    for tile in rows:
        if tile.refs is None:
            answers.append(tile.document)
        else:
            start, end = _cut(tile.document)
            flat = shared.flatten(_json.loads(tile.document[start:end]), tile.tile_id)
            answers.append((tile.document, start, end, flat))
    # encoded only now: a later tile may have added labels to a transform of an earlier one
    return [answer if isinstance(answer, bytes) else _with_transforms(*answer) for answer in answers]


def _with_transforms(document: bytes, start: int, end: int, flat: list[Document]) -> bytes:
    return document[:start] + b'{"type":"list","specList":' + _json.dumps(flat) + b"}" + document[end:]


def resolved_tile(connection: sqlite3.Connection, row: int, tile: TileRow) -> Document:
    """Give a tile decoded, with its transforms resolved and flattened."""
    document: Document = _json.loads(tile.document)
    if tile.refs is not None:
        shared = shared_transforms(connection, row, [tile])
        document["transforms"] = {
            "type": "list",
            "specList": shared.flatten(document["transforms"], tile.tile_id),
        }
    return document


def flattened(transforms: Document, tile_id: str = "") -> list[Document]:
    """Flatten a list without references to shared transforms."""
    return SharedTransforms({}).flatten(transforms, tile_id)
