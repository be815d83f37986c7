"""Points through lists of transforms, and one transform in place of many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._slips import check_list
from renderapi.errors import ConversionError, RenderError, SpecError
from renderapi.transform.leaf.affine_models import AffineModel
from renderapi.transform.leaf.common import as_points
from renderapi.transform.leaf.polynomial_models import Polynomial2DTransform
from renderapi.transform.transform import (
    InterpolatedTransform,
    ReferenceTransform,
    TransformList,
    apply_transforms,
    load_transform_json,
)
from renderapi.transform.trees import TreeReader, UnresolvedError, by_id, ends_of, fraction_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ReferenceTransform",
    "RenderError",
    "estimate_dstpts",
    "estimate_transformsum",
    "resolve_references",
]


def _as_list(transforms: Any) -> Any:
    if hasattr(transforms, "to_dict") and not isinstance(transforms, type):
        return [transforms]
    check_list(transforms, "transformlist", "transforms")
    return transforms


def resolve_references(transforms: Iterable[Any], reference_tforms: Any = None) -> list[Any]:
    """Replace references by the shared transforms that they stand for, and lists by what they hold.

    Parameters
    ----------
    transforms : iterable
        Transforms, lists of them, references.
    reference_tforms : iterable or mapping, optional
        Shared transforms with a ``transformId``, or a mapping from id to transform; documents will do.

    Returns
    -------
    list
        Leaf and interpolated transforms in the order in which they are applied. Interpolated transforms
        that hold references are replaced by new ones that do not.

    Raises
    ------
    SpecError
        If a shared transform is missing, or refers to itself.
    """
    shared = {
        ident: load_transform_json(transform) if isinstance(transform, dict) else transform
        for ident, transform in by_id(reference_tforms).items()
    }
    try:
        return _Leaves(shared).read(transforms)
    except RecursionError:
        raise SpecError("transforms are nested too deeply to be evaluated") from None
    except UnresolvedError as error:
        if reference_tforms is not None:
            raise
        raise SpecError(
            f"the transforms refer to a shared transform '{error.ids[0]}': "
            "give the shared transforms (reference_tforms=)"
        ) from None


class _Leaves(TreeReader[list[Any]]):
    """Lists become what they hold; an interpolation is made anew where it held a list or a reference."""

    def nothing(self) -> list[Any]:
        return []

    def leaf(self, spec: Any, found: list[Any], path: tuple[str, ...]) -> None:
        found.append(spec)

    def listed(self, spec: Any, parts: list[Any], found: list[Any]) -> None:
        found += parts

    def between(self, spec: Any, a: list[Any], b: list[Any], found: list[Any]) -> None:
        if [a, b] == [[end] for end in ends_of(spec)]:
            found.append(spec)
        else:
            at_a, at_b = (part[0] if len(part) == 1 else TransformList(part) for part in (a, b))
            found.append(InterpolatedTransform(at_a, at_b, fraction_of(spec)))


def estimate_dstpts(
    transformlist: Iterable[Any], src: ArrayLike | None = None, reference_tforms: Any = None
) -> NDArray[np.float64]:
    """Map points through transforms, first to last.

    Parameters
    ----------
    transformlist : iterable
        Transforms, or one; lists among them may be nested.
    src : (N, 2) array
        Points x, y.
    reference_tforms : iterable or mapping, optional
        Shared transforms that the others refer to, with a ``transformId``, or a mapping from id to transform.

    Returns
    -------
    (N, 2) array
        The mapped points.

    Raises
    ------
    SpecError
        If a shared transform is missing, or a transform cannot be evaluated.
    ConversionError
        If there are no points, or they have another shape.
    """
    if src is None:
        raise ConversionError("points to map are needed (src=)")
    transforms = _as_list(transformlist)
    return apply_transforms(resolve_references(transforms, reference_tforms), as_points(src).copy())


def estimate_transformsum(
    transformlist: Iterable[Any], src: ArrayLike | None = None, order: int = 2
) -> AffineModel | Polynomial2DTransform:
    """Return one transform that does what several do one after the other.

    Parameters
    ----------
    transformlist : iterable
        Transforms, or one; lists among them may be nested.
    src : (N, 2) array, optional
        Points at which the result is fitted; not needed if all transforms are affine.
    order : int
        Order of the polynomial, if they are not.

    Returns
    -------
    AffineModel or Polynomial2DTransform
        The exact composition of affine transforms; else the polynomial fitted to `src` and its mapped points.

    Raises
    ------
    SpecError
        If a transform cannot be evaluated.
    EstimationError
        If `src` does not determine a polynomial of that order.
    """
    transforms = _as_list(transformlist)
    leaves = resolve_references(transforms)
    if all(isinstance(leaf, AffineModel) for leaf in leaves):
        total = AffineModel()
        for leaf in leaves:
            total = leaf.concatenate(total)
        return total
    return Polynomial2DTransform(src=src, dst=estimate_dstpts(leaves, src), order=order)
