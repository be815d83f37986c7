"""Trees of transforms: lists, interpolations, and references to the shared transforms of a stack.

This is the one reader of such trees. `TreeReader` follows lists and references of documents and of objects, and
leaves to its subclasses what they make of the leaves. What only wants to know what a document has in it uses
`members`, `references`, `referenced` and `followed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from renderapi.errors import SpecError
from renderapi.transform.transform import (
    InterpolatedTransform,
    ReferenceTransform,
    TransformList,
    null_spec,
)

__all__ = [
    "TreeReader",
    "UnresolvedError",
    "by_id",
    "ends_of",
    "followed",
    "fraction_of",
    "labels_of",
    "matching_count",
    "members",
    "passed_count",
    "referenced",
    "references",
]

Found = TypeVar("Found")
_BRANCHES = frozenset(["list", "ref", "interpolated"])


class UnresolvedError(SpecError):
    """References to shared transforms that cannot be followed.

    Attributes
    ----------
    ids : list of str
        Ids of the shared transforms, in the order in which the references stand.
    circular : bool
        Whether the first of them is given, and refers to itself.
    """

    def __init__(self, *args: Any, ids: Iterable[str] = (), circular: bool = False, **details: Any) -> None:
        super().__init__(*args, **details)
        self.ids = list(ids)
        self.circular = circular

    @classmethod
    def of(cls, ids: list[str], circular: bool = False) -> UnresolvedError:
        """Make the error of one id or more."""
        if circular:
            text = f"the shared transform '{ids[0]}' refers to itself"
        elif len(ids) == 1:
            text = f"the transforms refer to a shared transform '{ids[0]}' that is not given"
        else:
            names = ", ".join(f"'{ident}'" for ident in ids)
            text = f"the transforms refer to shared transforms that are not given: {names}"
        return cls(text, ids=ids, circular=circular)


class TreeReader(Generic[Found]):
    """Reads transforms through lists, references and interpolations, documents and objects alike.

    A subclass says what it collects (`nothing`), and what it makes of a leaf, a list and an interpolation.

    Parameters
    ----------
    shared : mapping or iterable, optional
        The shared transforms, as `by_id` takes them.
    most_steps : int, optional
        How many references may lead on from one another: 1 follows none inside shared transforms, as render-ws
        when it stores tiles. Without it there is no bound but circles, which are taken for missing.
    straight : bool
        Whether a shared transform may be nothing but a reference to another one; when render-ws reads tiles,
        it may not.

    Examples
    --------
    >>> class Names(TreeReader):
    ...     def nothing(self):
    ...         return []
    ...     def leaf(self, spec, found, path):
    ...         found.append(spec["className"])
    ...     def listed(self, spec, parts, found):
    ...         found += parts
    >>> lens = {"type": "list", "specList": [{"className": "a"}, {"className": "b"}]}
    >>> Names({"lens": lens}).read([{"type": "ref", "refId": "lens"}, {"className": "c"}])
    ['a', 'b', 'c']
    """

    def __init__(self, shared: Any = None, *, most_steps: int | None = None, straight: bool = True) -> None:
        self.shared = by_id(shared)
        self.most_steps = most_steps
        self.straight = straight

    def nothing(self) -> Found:
        """Make what the transforms of a list are collected in, as yet empty."""
        raise NotImplementedError

    def leaf(self, spec: Any, found: Found, path: tuple[str, ...]) -> None:
        """Add a leaf, or whatever is none of the other kinds, to what was found.

        ``path`` has the ids of the shared transforms that it is part of.
        """
        raise NotImplementedError

    def listed(self, spec: Any, parts: Found, found: Found) -> None:
        """Add what the parts of a list came to."""
        raise NotImplementedError

    def between(self, spec: Any, a: Found, b: Found, found: Found) -> None:
        """Add an interpolation, of whose ends this was found."""
        raise NotImplementedError

    def reference(self, ident: str, found: Found, path: tuple[str, ...]) -> None:
        """Add what a reference comes to."""
        target = self.shared.get(ident)
        if target is None or ident in path or not self._may_follow(target, path):
            raise UnresolvedError.of([ident], circular=target is not None and ident in path)
        self.read([target], found, (*path, ident))

    def _may_follow(self, target: Any, path: tuple[str, ...]) -> bool:
        if self.most_steps is not None and len(path) >= self.most_steps:
            return False
        return self.straight or _kind(target) != "ref"

    def read(
        self,
        specs: Iterable[Any],
        found: Found | None = None,
        path: tuple[str, ...] = (),
        list_id: Any = None,
    ) -> Found:
        """Read transforms, first to last.

        Parameters
        ----------
        specs : iterable
            Documents or objects; Python lists of them too.
        found : optional
            What is added to; without, what `nothing` returns.
        path : tuple of str
            Ids of the shared transforms that they are part of.
        list_id : str, optional
            Id of the list that they are in, for messages.

        Returns
        -------
        Found
            What was collected.

        Raises
        ------
        UnresolvedError
            If references cannot be followed; it names all of them.
        SpecError
            If one of them is null.
        RecursionError
            If they are nested too deeply.
        """
        if found is None:
            found = self.nothing()
        missing: list[UnresolvedError] | None = None
        for spec in specs:
            kind = spec.get("type") if isinstance(spec, dict) else _kind_of_class(spec.__class__)
            try:
                # one frame a level: they may be nested as deeply as Python can call
                if kind not in _BRANCHES:
                    if spec is None:
                        raise SpecError(null_spec(list_id))
                    self.leaf(spec, found, path)
                elif kind == "list":
                    parts, ident = _parts_of_list(spec)
                    self.listed(spec, self.read(parts, None, path, ident), found)
                elif kind == "ref":
                    self.reference(_target_of(spec), found, path)
                else:
                    a, b = ends_of(spec)
                    self.between(spec, self.read([a], None, path), self.read([b], None, path), found)
            except UnresolvedError as problem:
                # go on, so that all of them are named
                missing = [*(missing or ()), problem]
        if missing is not None:
            ids = [ident for problem in missing for ident in problem.ids]
            raise UnresolvedError.of(ids, missing[0].circular)
        return found


@lru_cache(maxsize=256)
def _kind_of_class(kind: type) -> str | None:
    if issubclass(kind, (TransformList, list, tuple)):
        return "list"
    if issubclass(kind, ReferenceTransform):
        return "ref"
    return "interpolated" if issubclass(kind, InterpolatedTransform) else None


def _kind(spec: Any) -> Any:
    return spec.get("type") if isinstance(spec, dict) else _kind_of_class(spec.__class__)


def _parts_of_list(spec: Any) -> tuple[Iterable[Any], Any]:
    """Return what is in a list, and its id."""
    if isinstance(spec, dict):
        return spec["specList"], spec.get("id")
    if isinstance(spec, TransformList):
        return spec.tforms, getattr(spec, "transformId", None)
    return spec, None


def _target_of(spec: Any) -> str:
    ident = spec.refId if isinstance(spec, ReferenceTransform) else spec.get("refId")
    return "null" if ident is None else str(ident)


def ends_of(spec: Any) -> tuple[Any, Any]:
    """Return the transforms at lambda 0 and 1 of an interpolation, a document or an object."""
    return (spec["a"], spec["b"]) if isinstance(spec, dict) else (spec.a, spec.b)


def fraction_of(spec: Any) -> Any:
    """Return the lambda of an interpolation, a document or an object."""
    return spec["lambda"] if isinstance(spec, dict) else spec.lambda_


def by_id(transforms: Any) -> dict[str, Any]:
    """Find transforms by their ids.

    Parameters
    ----------
    transforms : mapping or iterable, optional
        A mapping from id, or a collection of documents with ``id`` or of objects with ``transformId``. What has
        no id is left out.

    Returns
    -------
    dict of str
        They themselves.

    Examples
    --------
    >>> by_id([{"id": "lens", "className": "a"}, {"className": "b"}])
    {'lens': {'id': 'lens', 'className': 'a'}}
    """
    if transforms is None:
        return {}
    if not isinstance(transforms, Mapping):
        named = (
            (t.get("id") if isinstance(t, Mapping) else getattr(t, "transformId", None), t)
            for t in transforms
        )
        return {str(ident): transform for ident, transform in named if ident is not None}
    return {str(ident): transform for ident, transform in transforms.items()}


def labels_of(spec: Mapping[str, Any]) -> list[str]:
    """Return the labels of a transform document, of a reference its own."""
    return (spec.get("metaData") or {}).get("labels") or []


def matching_count(labels: Sequence[Iterable[str]], keep_through: Iterable[str] = ("lens",)) -> int:
    """Count the first transforms of a tile that stay where it is drawn to be matched.

    Those are what ``normalizeForMatching`` leaves: through the last one with a label of `keep_through`; without
    such a label, all but the last and at most two. Point matches are stored in the space after them.

    Parameters
    ----------
    labels : sequence of iterable of str
        The labels of each transform of the tile, in order of application.
    keep_through : iterable of str
        Labels that count; render's branch newsolver takes ``include`` for ``lens`` too.

    Returns
    -------
    int
        Their number.

    Examples
    --------
    >>> matching_count([["lens"], [], []]), matching_count([[], [], [], []]), matching_count([[]])
    (1, 2, 0)
    """
    wanted = frozenset(keep_through)
    labelled = [place for place, found in enumerate(labels) if not wanted.isdisjoint(found)]
    return labelled[-1] + 1 if labelled else max(min(len(labels) - 1, 2), 0)


def passed_count(
    specs: Sequence[Any], points: str | int = "matching", shared: Mapping[str, Any] | None = None
) -> int:
    """Count the first transforms of a tile that the points of its matches have gone through.

    Parameters
    ----------
    specs : sequence of dict
        Documents of the transforms of the tile, in order of application.
    points : {"matching", "raw", "world"} or int
        Those that stay where it is drawn to be matched (`matching_count`), none, all, or the first so many.
    shared : dict, optional
        Shared transforms by id, documents or objects: a reference has the labels of what it refers to.

    Returns
    -------
    int
        Their number; -1 for other words.

    Examples
    --------
    >>> passed_count([{"type": "ref", "refId": "lens"}, {"type": "leaf"}], "matching")
    1
    """
    if isinstance(points, int):
        return points
    if points == "matching":
        return matching_count([_labels_of_target(spec, shared or {}) for spec in specs])
    return {"raw": 0, "world": len(specs)}.get(points, -1)


def _labels_of_target(spec: Any, shared: Mapping[str, Any]) -> list[str]:
    if spec.get("type") == "ref":
        target = shared.get(str(spec.get("refId")), {})
        labels = getattr(target, "labels", None)
        return (labels or []) if not isinstance(target, Mapping) else labels_of(target)
    return labels_of(spec)


def members(spec: Any, *, in_interpolations: bool = False) -> Iterator[Mapping[str, Any]]:
    """Find what a document of a transform has in it, itself or in the lists that it has.

    Parameters
    ----------
    spec : dict
        Document of a transform. What is no transform in it is passed over.
    in_interpolations : bool
        Look into interpolations too, instead of yielding them.

    Yields
    ------
    dict
        Leaves, references and interpolations in their order.

    Examples
    --------
    >>> list(members({"type": "list", "specList": [{"type": "ref", "refId": "lens"}, {"type": "leaf"}]}))
    [{'type': 'ref', 'refId': 'lens'}, {'type': 'leaf'}]
    """
    rest = [spec]
    while rest:
        spec = rest.pop()
        if not isinstance(spec, Mapping):
            continue
        kind = spec.get("type")
        if kind == "interpolated" and in_interpolations:
            rest += (spec.get("b"), spec.get("a"))
        elif kind not in ("ref", "interpolated") and isinstance(parts := spec.get("specList"), (list, tuple)):
            rest += reversed(parts)
        else:
            yield spec


def references(spec: Any) -> Iterator[str]:
    """Find what a document of a transform refers to, itself or in its parts.

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
    for member in members(spec, in_interpolations=True):
        if member.get("type") == "ref":
            yield _target_of(member)


def followed(
    ids: Iterable[str],
    load: Callable[[set[str]], Mapping[str, Iterable[str]]],
    *,
    most_passes: int | None = None,
) -> set[str]:
    """Find the shared transforms that some ids lead to, loading those of one step together.

    Parameters
    ----------
    ids : iterable of str
        What is referred to.
    load : callable
        Called with ids; returns what each of them refers to, without those that there are not.
    most_passes : int, optional
        How often it is called at most: render-ws reads shared transforms in ten passes.

    Returns
    -------
    set of str
        All that were loaded.

    Examples
    --------
    >>> shared = {"a": ["b"], "b": ["c"], "c": []}
    >>> sorted(followed(["a"], lambda ids: {ident: shared[ident] for ident in ids}, most_passes=2))
    ['a', 'b']
    """
    found: set[str] = set()
    wanted = set(ids)
    passes = 0
    while wanted and passes != most_passes:
        loaded = load(wanted)
        found.update(loaded)
        wanted = set().union(*loaded.values()) - found
        passes += 1
    return found


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
    return followed(
        (ident for spec in specs for ident in references(spec)),
        lambda ids: {ident: references(shared[ident]) for ident in ids if ident in shared},
    )
