"""Points through lists of transforms, and one transform in place of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["RenderError", "estimate_dstpts", "estimate_transformsum", "resolve_references"]


def _by_id(reference_tforms: Any) -> dict[str, Any]:
    # transforms or their documents, as a mapping or in any other collection
    if isinstance(reference_tforms, Mapping):
        known = dict(reference_tforms)
    else:
        known = {
            (tform.get("id") if isinstance(tform, dict) else getattr(tform, "transformId", None)): tform
            for tform in reference_tforms
        }
    return {key: load_transform_json(t) if isinstance(t, dict) else t for key, t in known.items()}


def _several(transforms: Any) -> Any:
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
    known = None if reference_tforms is None else _by_id(reference_tforms)
    try:
        return list(_resolved(transforms, known, ()))
    except RecursionError:
        raise SpecError("transforms are nested too deeply to be evaluated") from None


def _resolved(
    transforms: Iterable[Any], known: dict[str, Any] | None, path: tuple[str, ...]
) -> Iterator[Any]:
    for transform in transforms:
        if isinstance(transform, (list, tuple)):
            yield from _resolved(transform, known, path)
        elif isinstance(transform, TransformList):
            yield from _resolved(transform.tforms, known, path)
        elif isinstance(transform, ReferenceTransform):
            if known is None:
                raise SpecError(
                    f"the transforms refer to a shared transform '{transform.refId}': "
                    "give the shared transforms (reference_tforms=)"
                )
            target = known.get(str(transform.refId))
            if target is None:
                raise SpecError(
                    f"the transforms refer to a shared transform '{transform.refId}' that is not given"
                )
            if transform.refId in path:
                raise SpecError(f"the shared transform '{transform.refId}' refers to itself")
            yield from _resolved([target], known, (*path, str(transform.refId)))
        elif isinstance(transform, InterpolatedTransform):
            parts = [list(_resolved([part], known, path)) for part in (transform.a, transform.b)]
            if parts == [[transform.a], [transform.b]]:
                yield transform
            else:
                a, b = (part[0] if len(part) == 1 else TransformList(part) for part in parts)
                yield InterpolatedTransform(a, b, transform.lambda_)
        else:
            yield transform


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
    transforms = _several(transformlist)
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
    transforms = _several(transformlist)
    leaves = resolve_references(transforms)
    if all(isinstance(leaf, AffineModel) for leaf in leaves):
        total = AffineModel()
        for leaf in leaves:
            total = leaf.concatenate(total)
        return total
    return Polynomial2DTransform(src=src, dst=estimate_dstpts(leaves, src), order=order)
