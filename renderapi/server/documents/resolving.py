"""Shared transforms in the place of references, and lists flattened, as render-ws answers them.

Reading follows references through up to ten steps; a reference that leads straight to another one stays
unresolved, as in render-ws. Labels of a list are added to all that it contains, in place: a shared
transform that got a label in the list of one tile shows it in all tiles of the same answer. What has no meta
data of its own gets those of the list, the very object; an interpolation is copied wherever it is used, without
its meta data.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from renderapi import _json
from renderapi.server.documents.tiles import Document
from renderapi.server.http.refusals import Refusal
from renderapi.server.store.tile_rows import Selected
from renderapi.transform.trees import references

MAX_STEPS = 10

_BEFORE = b'"transforms":'
_AFTER = b',"meshCellSize":'


class UnresolvedError(LookupError):
    """A reference that cannot be resolved."""

    def __init__(self, known: Iterable[str]) -> None:
        super().__init__()
        self.known = sorted(known)

    def refusal(self, tile_id: str | None) -> Refusal:
        """Say it as render-ws does of a tile."""
        return Refusal(
            500,
            f"tile spec {tile_id} is not fully resolved after applying the following transform specs: "
            f"[{', '.join(self.known)}]",
        )


class SharedTransforms:
    """Shared transforms of one stack, for one answer.

    Parameters
    ----------
    specs : dict of str to Document
        The transforms by id.
    """

    def __init__(self, specs: dict[str, Document]) -> None:
        self.specs = specs

    def flatten(self, transforms: Document) -> list[Document]:
        """Return the leaves and interpolations that a list comes to, in their order.

        Raises
        ------
        UnresolvedError
            If a reference cannot be resolved.
        """
        flat: list[Document] = []
        self._append(transforms, flat, ())
        return flat

    def of_id(self, ident: str) -> list[Document]:
        """Return what a reference comes to, as `flatten` does."""
        return self.flatten({"type": "ref", "refId": ident})

    def has_some(self, ident: str) -> bool:
        """Tell whether a reference can be resolved to one transform or more."""
        try:
            return bool(self.of_id(ident))
        except UnresolvedError:
            return False

    def _append(self, spec: Document, flat: list[Document], path: tuple[str, ...]) -> None:
        kind = spec["type"]
        if kind == "leaf":
            flat.append(spec)
        elif kind == "ref":
            ident = spec.get("refId", "")
            target = self.specs.get(ident)
            if target is None or target["type"] == "ref" or ident in path:
                raise UnresolvedError(self.specs)
            self._append(target, flat, (*path, ident))
        elif kind == "list":
            start = len(flat)
            for part in spec["specList"]:
                self._append(part, flat, path)
            own = spec.get("metaData")
            if own is not None:
                for part in flat[start:]:
                    _merge(part, own)
        else:
            flat.append({**spec, "a": self._part(spec["a"], path), "b": self._part(spec["b"], path)})

    def _part(self, spec: Document, path: tuple[str, ...]) -> Document:
        flat: list[Document] = []
        self._append(spec, flat, path)
        return flat[0] if len(flat) == 1 else {"type": "list", "specList": flat}


def labels_of(spec: Document) -> list[str]:
    """Return the labels of a transform."""
    return (spec.get("metaData") or {}).get("labels") or []


def _merge(spec: Document, of_list: Document) -> None:
    own = spec.get("metaData")
    if own is None:
        entries = [entry for entry in spec.items() if entry[0] != "metaData"]
        entries.insert(2 if "id" in spec else 1, ("metaData", of_list))
        spec.clear()
        spec.update(entries)
    elif own is not of_list and of_list.get("labels"):
        own["labels"] = list(dict.fromkeys([*labels_of(spec), *of_list["labels"]]))


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


def shared_transforms(connection: sqlite3.Connection, row: int, ids: Iterable[str]) -> SharedTransforms:
    """Load the shared transforms with some ids, and those that they refer to."""
    loaded = load_transforms(connection, row, ids)
    return SharedTransforms({ident: _json.loads(document) for ident, document in loaded.items()})


def resolved_content(connection: sqlite3.Connection, row: int, tiles: Selected) -> bytes:
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
        except UnresolvedError as problem:
            raise problem.refusal(_json.loads(document)["tileId"]) from None
        parts.append((document, start, end, flat))
    # encoded only now: a later tile may have added labels to a transform of an earlier one
    return [
        b"".join([document[:start], b'{"type":"list","specList":', _json.dumps(flat), b"}", document[end:]])
        for document, start, end, flat in parts
    ]


def resolved_tile(connection: sqlite3.Connection, row: int, content: bytes) -> Document:
    """Return a tile decoded, with its transforms resolved and flattened."""
    tile: Document = _json.loads(content)
    return flatten_tile(tile, shared_transforms(connection, row, references(tile["transforms"])))


def flatten_tile(tile: Document, shared: SharedTransforms) -> Document:
    """Resolve and flatten the transforms of a tile.

    Raises
    ------
    Refusal
        500 if a reference cannot be resolved.
    """
    try:
        flat = shared.flatten(tile["transforms"])
    except UnresolvedError as problem:
        raise problem.refusal(tile.get("tileId")) from None
    tile["transforms"] = {"type": "list", "specList": flat}
    return tile
