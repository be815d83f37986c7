"""Trees of transform documents: lists, interpolations, and references to the shared transforms of a stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["referenced", "references"]


def references(spec: Any) -> Iterator[str]:
    """Find what a transform refers to, itself or in its parts.

    Parameters
    ----------
    spec : dict
        Document of a transform. What is no transform in it is passed over.

    Yields
    ------
    str
        Ids in the order in which they stand, as often as they do; ``"null"`` for one that is missing, as
        render-ws has it.

    Examples
    --------
    >>> list(references({"type": "list", "specList": [{"type": "ref", "refId": "lens"}, {"type": "leaf"}]}))
    ['lens']
    """
    rest = [spec]
    while rest:
        spec = rest.pop()
        if not isinstance(spec, Mapping):
            continue
        kind = spec.get("type")
        if kind == "ref":
            ident = spec.get("refId")
            yield "null" if ident is None else str(ident)
        elif kind == "interpolated":
            rest += (spec.get("b"), spec.get("a"))
        elif isinstance(parts := spec.get("specList"), (list, tuple)):
            rest += reversed(parts)


def referenced(specs: Iterable[Any], shared: Mapping[str, Any]) -> set[str]:
    """Find the shared transforms that transforms need, also through other shared transforms.

    Parameters
    ----------
    specs : iterable of dict
        Documents of transforms.
    shared : mapping
        Documents of the shared transforms by id.

    Returns
    -------
    set of str
        Those of their ids that are needed.

    Examples
    --------
    >>> lens = {"type": "list", "specList": [{"type": "ref", "refId": "b"}]}
    >>> sorted(referenced([{"type": "ref", "refId": "a"}], {"a": lens, "b": {"type": "leaf"}, "c": {}}))
    ['a', 'b']
    """
    found: set[str] = set()
    rest = list(specs)
    while rest:
        new = {ident for ident in references(rest.pop()) if ident in shared} - found
        found |= new
        rest += (shared[ident] for ident in new)
    return found
