"""Shared transforms in the place of references, and lists flattened, as render-ws answers them.

A reference that leads straight to another one stays unresolved, as in render-ws.
"""

from __future__ import annotations

from renderapi.server.documents.problems import FailedError
from renderapi.server.documents.tiles import Document
from renderapi.transform.flattening import Flattener
from renderapi.transform.trees import UnresolvedError


class SharedTransforms(Flattener):
    """Shared transforms of one stack, for one answer.

    Parameters
    ----------
    specs : dict of str to Document
        The transforms by id.
    """

    def __init__(self, specs: dict[str, Document]) -> None:
        super().__init__(specs, straight=False)

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
