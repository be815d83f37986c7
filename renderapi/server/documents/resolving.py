"""Shared transforms in the place of references, and lists flattened, as render-ws answers them.

A reference that leads straight to another one stays
unresolved, as in render-ws. Labels of a list are added to all that it contains, in place: a shared
transform that got a label in the list of one tile shows it in all tiles of the same answer. What has no meta
data of its own gets those of the list, the very object; an interpolation is copied wherever it is used, without
its meta data.
"""

from __future__ import annotations

from renderapi.server.documents.problems import FailedError
from renderapi.server.documents.tiles import Document
from renderapi.transform.trees import TreeReader, UnresolvedError, labels_of


class SharedTransforms(TreeReader[list[Document]]):
    """Shared transforms of one stack, for one answer.

    Parameters
    ----------
    specs : dict of str to Document
        The transforms by id.
    """

    def __init__(self, specs: dict[str, Document]) -> None:
        super().__init__(specs, straight=False)

    def flatten(self, transforms: Document) -> list[Document]:
        """Follow the references of a list, and take lists in it apart.

        Returns
        -------
        list of Document
            The leaves and interpolations that it comes to, in their order.

        Raises
        ------
        UnresolvedError
            If a reference cannot be resolved.
        """
        return self.read([transforms])

    def of_id(self, ident: str) -> list[Document]:
        """Flatten a reference, as `flatten` does a list."""
        return self.flatten({"type": "ref", "refId": ident})

    def has_some(self, ident: str) -> bool:
        """Tell whether a reference can be resolved to one transform or more."""
        try:
            return bool(self.of_id(ident))
        except UnresolvedError:
            return False

    def problem(self, tile_id: str | None) -> FailedError:
        """Say of a tile, as render-ws does, that a reference cannot be resolved."""
        return FailedError(
            f"tile spec {tile_id} is not fully resolved after applying the following transform specs: "
            f"[{', '.join(sorted(self.shared))}]"
        )

    def nothing(self) -> list[Document]:
        """Return a list of no transforms."""
        return []

    def leaf(self, spec: Document, found: list[Document], path: tuple[str, ...]) -> None:
        """Add a leaf as it is."""
        found.append(spec)

    def listed(self, spec: Document, parts: list[Document], found: list[Document]) -> None:
        """Add the parts of a list, which get its labels."""
        own = spec.get("metaData")
        if own is not None:
            for part in parts:
                _merge(part, own)
        found += parts

    def between(self, spec: Document, a: list[Document], b: list[Document], found: list[Document]) -> None:
        """Add an interpolation between what its ends come to."""
        found.append({**spec, "a": _as_one(a), "b": _as_one(b)})


def _as_one(parts: list[Document]) -> Document:
    return parts[0] if len(parts) == 1 else {"type": "list", "specList": parts}


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
    except UnresolvedError:
        raise shared.problem(tile.get("tileId")) from None
    tile["transforms"] = {"type": "list", "specList": flat}
    return tile
