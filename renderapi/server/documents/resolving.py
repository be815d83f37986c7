"""Shared transforms in the place of references, and lists flattened, as render-ws answers them.

A reference that leads straight to another one stays
unresolved, as in render-ws. Labels of a list are added to all that it contains, in place: a shared
transform that got a label in the list of one tile shows it in all tiles of the same answer. What has no meta
data of its own gets those of the list, the very object; an interpolation is copied wherever it is used, without
its meta data.
"""

from __future__ import annotations

from collections.abc import Iterable

from renderapi.server.documents.problems import FailedError
from renderapi.server.documents.tiles import Document


class UnresolvedError(LookupError):
    """A reference that cannot be resolved."""

    def __init__(self, known: Iterable[str]) -> None:
        super().__init__()
        self.known = sorted(known)

    def problem(self, tile_id: str | None) -> FailedError:
        """Say it as render-ws does of a tile."""
        return FailedError(
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


def flatten_tile(tile: Document, shared: SharedTransforms) -> Document:
    """Resolve and flatten the transforms of a tile.

    Raises
    ------
    FailedError
        If a reference cannot be resolved.
    """
    try:
        flat = shared.flatten(tile["transforms"])
    except UnresolvedError as unresolved:
        raise unresolved.problem(tile.get("tileId")) from None
    tile["transforms"] = {"type": "list", "specList": flat}
    return tile
