"""Transforms of tiles as flat lists of documents: references followed, lists taken apart, and cut by labels.

Labels of a list are added to all that it contains, in place: a shared transform that got a label in the list of
one tile shows it in all tiles that are read together. What has no meta data of its own gets those of the list,
the very object; an interpolation is copied wherever it is used, without its meta data.
"""

from __future__ import annotations

from typing import Any

from renderapi.transform.trees import TreeReader, labels_of, matching_count

Document = dict[str, Any]


class Flattener(TreeReader[list[Document]]):
    """Takes trees of transform documents apart, into the leaves and interpolations that they come to.

    Parameters
    ----------
    shared : dict of str to dict, or iterable, optional
        Shared transforms.
    straight : bool
        Whether a reference may lead straight to another one.
    """

    def flatten(self, transforms: Document) -> list[Document]:
        """Follow the references of a list, and take lists in it apart.

        Returns
        -------
        list of dict
            The leaves and interpolations that it comes to, in their order.

        Raises
        ------
        UnresolvedError
            If a reference cannot be resolved.
        """
        return self.read([transforms])

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


def cut_by_labels(
    transforms: list[Document], exclude_all: bool, keep_through: set[str], cut_from: set[str]
) -> list[Document]:
    """Cut a flat list of transforms by labels.

    Parameters
    ----------
    exclude_all : bool
        Leave nothing.
    keep_through : set of str
        Keep everything up to the last transform that has one of these labels.
    cut_from : set of str
        Then remove the first transform that has one of these labels, and all after it.

    Returns
    -------
    list of Document
        What is left, the same objects.
    """
    if exclude_all:
        return []
    kept = transforms
    last = [place for place, spec in enumerate(kept) if keep_through.intersection(labels_of(spec))]
    if last:
        kept = kept[: last[-1] + 1]
    first = [place for place, spec in enumerate(kept) if cut_from.intersection(labels_of(spec))]
    if first:
        kept = kept[: first[0]]
    return kept


def normalized_for_matching(transforms: list[Document], newsolver: bool = False) -> list[Document]:
    """Leave the transforms before which point matches are given.

    Through the last one labelled ``lens``, with render's branch newsolver also ``include``; without such a
    label, all but the last and at most two.
    """
    keep_through = ("lens", "include") if newsolver else ("lens",)
    return transforms[: matching_count([labels_of(spec) for spec in transforms], keep_through)]
