"""Transforms made of others: lists, references, interpolations; documents of any transform to objects."""

from __future__ import annotations

import json as _stdlib_json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._pages import never_failing
from renderapi.errors import RenderError, SpecError
from renderapi.transform.leaf.common import as_points, read_extras, write_extras
from renderapi.transform.leaf.transform import InvertedByIteration, MapsPoints, NullHandler, Transform, logger
from renderapi.transform.leaf.utils import load_leaf_json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "InterpolatedTransform",
    "NullHandler",
    "ReferenceTransform",
    "RenderError",
    "Transform",
    "TransformList",
    "load_transform_json",
    "logger",
]


class _Composite:
    """What lists, references and interpolations share: id, labels, unknown keys, equality."""

    transformId: str | None
    labels: list[str] | None

    def _check(self, d: Any, *required: str) -> None:
        if not isinstance(d, dict):
            raise SpecError(f"a transform must be a JSON object, not {d!r:.100}")
        for key in required:
            if key not in d:
                raise SpecError(f"a transform of type '{d.get('type')}' needs {key}; id: {d.get('id')!r}")

    def _take_common(self, d: dict[str, Any], known: tuple[str, ...]) -> None:
        self.transformId = d.get("id")
        read_extras(self, d, ("type", "id", *known))

    def _write_common(self, d: dict[str, Any]) -> dict[str, Any]:
        transform_id = getattr(self, "transformId", None)
        if transform_id is not None:
            d["id"] = transform_id
        write_extras(self, d)
        return d

    def _parts(self) -> Any:
        raise NotImplementedError

    def _identity(self) -> tuple[Any, ...]:
        labels = getattr(self, "labels", None)
        return self._parts(), getattr(self, "transformId", None), frozenset(labels) if labels else None

    def __eq__(self, other: object) -> bool:
        """Compare class, parts, id and labels."""
        if type(self) is not type(other) or not isinstance(other, _Composite):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        """Agree with equality, so the hash changes when the transform is edited."""
        return hash((type(self), self._identity()))

    @never_failing
    def _repr_html_(self) -> str:
        from renderapi.transform._shown import transform_html

        return transform_html(self)

    def _annotations(self) -> str:
        transform_id, labels = getattr(self, "transformId", None), getattr(self, "labels", None)
        return (f", transformId={transform_id!r}" if transform_id is not None else "") + (
            f", labels={labels!r}" if labels else ""
        )


class TransformList(MapsPoints, _Composite):
    """Transforms that are applied one after the other.

    Parameters
    ----------
    tforms : list of Transform, optional
        The transforms, first to last; the list itself is kept, not a copy.
    transformId : str, optional
        Id, needed by lists that others refer to.
    json : dict, optional
        Document to read; everything else is ignored if it is given.

    Attributes
    ----------
    tforms : list
        The transforms.
    transformId : str or None
        Id.
    labels : list of str or None
        Labels.

    Raises
    ------
    SpecError
        If `tforms` is no list, or the document cannot be read.
    """

    def __init__(
        self,
        tforms: list[Any] | tuple[Any, ...] | None = None,
        transformId: str | None = None,
        json: dict[str, Any] | None = None,
    ) -> None:
        self.labels = None
        if json is not None:
            self.from_dict(json)
            return
        if tforms is None:
            self.tforms: list[Any] = []
        elif isinstance(tforms, list):
            self.tforms = tforms
        elif isinstance(tforms, tuple):
            self.tforms = list(tforms)
        else:
            raise SpecError(f"unexpected type {type(tforms)} for transforms!")
        self.transformId = transformId

    def to_dict(self) -> dict[str, Any]:
        """Return the document of the list, with those of its transforms."""
        try:
            specs = [tform.to_dict() for tform in self.tforms]
        except RecursionError:
            raise SpecError("the lists of a transform are nested too deeply to be written") from None
        return self._write_common({"type": "list", "specList": specs})

    @classmethod
    def identity(cls) -> TransformList:
        """Return the list that maps every point to itself: an empty one."""
        return cls()

    def concatenate(self, transform: Any) -> TransformList:
        """Return the list that applies another transform first and this list then.

        Parameters
        ----------
        transform : Transform, TransformList or ReferenceTransform
            What to apply first; of a list its transforms.

        Returns
        -------
        TransformList
            A new list without id or labels; the transforms in it are the same objects. For one transform in
            their place see `renderapi.transform.estimate_transformsum`.
        """
        first = transform.tforms if isinstance(transform, TransformList) else [transform]
        return TransformList([*first, *self.tforms])

    def to_json(self) -> str:
        """Return the document as JSON text."""
        return _stdlib_json.dumps(self.to_dict())

    def from_dict(self, d: dict[str, Any] | None) -> None:
        """Take everything over from a document.

        Parameters
        ----------
        d : dict or None
            Document of a list; it is not changed. None makes an empty list.

        Raises
        ------
        SpecError
            If it is none, or one of its transforms cannot be read.
        """
        if d is None:
            d = {"type": "list", "specList": []}
        self._check(d, "specList")
        specs = d["specList"]
        if not isinstance(specs, list):
            raise SpecError(f"specList of the transform list with id '{d.get('id', 'null')}' is no list")
        if any(spec is None for spec in specs):
            raise SpecError(null_spec(d.get("id")))
        self.tforms = [load_transform_json(spec) for spec in specs]
        self._take_common(d, ("specList",))

    def tform(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points through all transforms, first to last.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array

        Raises
        ------
        SpecError
            If one of the transforms cannot be evaluated, such as a reference.
        """
        return apply_transforms(self.tforms, as_points(points).copy())

    def inverse_tform(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points backwards through all transforms, last to first.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array

        Raises
        ------
        SpecError
            If one of the transforms cannot be evaluated backwards, such as a reference.
        EstimationError
            If a point has no inverse.
        """
        p = as_points(points).copy()
        for transform in reversed(self.tforms):
            if not hasattr(transform, "inverse_tform"):
                raise SpecError(f"{transform!r:.100} cannot be evaluated backwards")
            p = transform.inverse_tform(p)
        return p

    def _parts(self) -> Any:
        return tuple(self.tforms)

    def __repr__(self) -> str:
        return f"TransformList({self.tforms!r}{self._annotations()})"


class InterpolatedTransform(InvertedByIteration, _Composite):
    """Transform between two others: a(p) + lambda (b(p) - a(p)).

    Parameters
    ----------
    a, b : Transform or TransformList, optional
        The transforms at lambda 0 and 1.
    lambda_ : float, optional
        Where between them.
    json : dict, optional
        Document to read; everything else is ignored if it is given.

    Attributes
    ----------
    a, b, lambda_
        As above.
    transformId : str or None
        Id.
    labels : list of str or None
        Labels.
    """

    def __init__(
        self, a: Any = None, b: Any = None, lambda_: float | None = None, json: dict[str, Any] | None = None
    ) -> None:
        self.transformId = None
        self.labels = None
        if json is not None:
            self.from_dict(json)
            return
        self.a = a
        self.b = b
        self.lambda_ = lambda_

    def to_dict(self) -> dict[str, Any]:
        """Return the document of the transform."""
        return dict(self)

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything over from a document.

        Parameters
        ----------
        d : dict
            Document of an interpolation; it is not changed.

        Raises
        ------
        SpecError
            If a, b or lambda is missing or cannot be read.
        """
        self._check(d, "a", "b", "lambda")
        self.a = load_transform_json(d["a"])
        self.b = load_transform_json(d["b"])
        self.lambda_ = d["lambda"]
        self._take_common(d, ("a", "b", "lambda"))

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Return keys and values of the document, for ``dict(transform)``."""
        try:
            a, b = self.a.to_dict(), self.b.to_dict()
        except RecursionError:
            raise SpecError("interpolations are nested too deeply to be written") from None
        d = {"type": "interpolated", "a": a, "b": b, "lambda": self.lambda_}
        return iter(self._write_common(d).items())

    def tform(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array

        Raises
        ------
        SpecError
            If one of both transforms cannot be evaluated, or lambda is no number.
        """
        p = as_points(points)
        try:
            fraction = float(self.lambda_)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise SpecError(
                f"lambda of an interpolated transform is {self.lambda_!r}, not a number"
            ) from None
        at_a, at_b = apply_transforms([self.a], p), apply_transforms([self.b], p)
        return at_a + fraction * (at_b - at_a)

    def _parts(self) -> Any:
        return self.a, self.b, self.lambda_

    def __repr__(self) -> str:
        parts = f"a={self.a!r}, b={self.b!r}, lambda_={self.lambda_!r}"
        return f"InterpolatedTransform({parts}{self._annotations()})"


class ReferenceTransform(_Composite):
    """Reference to a shared transform by its id.

    It has no ``tform``, because it does not know the transform that it stands for:
    `renderapi.transform.estimate_dstpts` takes the shared transforms too.

    Parameters
    ----------
    refId : str, optional
        Id of the transform.
    json : dict, optional
        Document to read; `refId` is ignored if it is given.

    Attributes
    ----------
    refId : str
        As above.
    transformId : str or None
        Id of the reference itself, without meaning to the server.
    labels : list of str or None
        Labels of the reference itself, without meaning to the server.
    """

    def __init__(self, refId: str | None = None, json: dict[str, Any] | None = None) -> None:
        self.transformId = None
        self.labels = None
        if json is not None:
            self.from_dict(json)
            return
        self.refId = refId

    def to_dict(self) -> dict[str, Any]:
        """Return the document of the reference."""
        return dict(self)

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything over from a document.

        Parameters
        ----------
        d : dict
            Document of a reference; it is not changed.

        Raises
        ------
        SpecError
            If refId is missing.
        """
        self._check(d, "refId")
        self.refId = d["refId"]
        self._take_common(d, ("refId",))

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Return keys and values of the document, for ``dict(transform)``."""
        return iter(self._write_common({"type": "ref", "refId": self.refId}).items())

    def _parts(self) -> Any:
        return self.refId

    def __str__(self) -> str:
        return f"ReferenceTransform({self.refId})"

    def __repr__(self) -> str:
        return f"ReferenceTransform({self.refId}{self._annotations()})"


def null_spec(list_id: Any) -> str:
    """Say in the words of render that there is a null in a transform list."""
    name = "null" if list_id is None else list_id
    return (
        f"A null spec is part of the transform spec list with id '{name}'.  "
        "Check for an extraneous comma at the end of the list."
    )


def load_transform_json(d: dict[str, Any], default_type: str = "leaf") -> Any:
    """Make the transform of a document.

    Parameters
    ----------
    d : dict
        Document of a leaf, list, reference or interpolation.
    default_type : {'leaf', 'list', 'ref', 'interpolated'}
        What a document without ``type`` is.

    Returns
    -------
    Transform, TransformList, ReferenceTransform or InterpolatedTransform
        A leaf of a class that is not known here is a plain `Transform`, which keeps its data string as it is.

    Raises
    ------
    SpecError
        If the type is not known, something is missing, or the parameters cannot be read.
    """
    if not isinstance(d, dict):
        raise SpecError(f"a transform must be a JSON object, not {d!r:.100}")
    kind = d.get("type", default_type)
    if kind in ("list", "interpolated"):
        try:
            return TransformList(json=d) if kind == "list" else InterpolatedTransform(json=d)
        except RecursionError:
            raise SpecError("the lists of a transform are nested too deeply to be read") from None
    if kind == "ref":
        return ReferenceTransform(json=d)
    # render takes whatever it does not know for a leaf
    if kind == "leaf" or "className" in d:
        return load_leaf_json(d)
    raise SpecError(f"Unknown Transform Type {kind!r}")


def apply_transforms(transforms: Any, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points through transforms, first to last; lists among them may be nested.

    Parameters
    ----------
    transforms : iterable
        Anything with a ``tform`` method, and lists of it.
    points : (N, 2) float64 array
        Points x, y.

    Returns
    -------
    (N, 2) array

    Raises
    ------
    SpecError
        If one of them cannot be evaluated: a reference, or a class that is not known here.
    """
    for transform in transforms:
        many = isinstance(transform, (list, tuple))
        if many or hasattr(transform, "tform"):
            try:
                points = apply_transforms(transform, points) if many else transform.tform(points)
            except RecursionError:
                raise SpecError("transforms are nested too deeply to be evaluated") from None
        elif isinstance(transform, ReferenceTransform):
            raise SpecError(
                f"the transform with id '{transform.refId}' is needed to evaluate a reference to it: "
                "give the shared transforms (reference_tforms=)"
            )
        else:
            name = getattr(transform, "className", None) or type(transform).__name__
            raise SpecError(f"transform class '{name}' cannot be evaluated: it is not known here")
    return points
