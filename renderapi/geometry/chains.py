"""From tile specs to chains of transforms that can be evaluated for many tiles at once.

A chain is a sequence of steps. A step that has numbers of its own in every tile (affine family,
polynomials) is described by its kind, with the numbers apart; any other step is an object that maps
points, one object for all tiles whose documents say the same. Tiles whose chains have equal steps are
evaluated together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from renderapi.errors import RenderError, SpecError
from renderapi.transform import data_strings
from renderapi.transform.leaf.affine_models import AffineModel
from renderapi.transform.leaf.common import term_count
from renderapi.transform.leaf.polynomial_models import Polynomial2DTransform, apply_polynomial
from renderapi.transform.leaf.thin_plate_spline import ThinPlateSplineTransform
from renderapi.transform.leaf.transform import Transform
from renderapi.transform.leaf.utils import SERVER_CLASSES, load_leaf_json, unknown_class
from renderapi.transform.native import AFFINE, NATIVE_COUNTS, TRANSLATION, native_matrix
from renderapi.transform.trees import TreeReader, UnresolvedError, fraction_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: meshCellSize of tile specs that do not say it, in pixels.
DEFAULT_MESH_CELL_SIZE = 64.0
# interpolations are evaluated one inside the other
_MOST_NESTED = 100
_TOO_DEEP = "its transforms are nested too deeply"
_MATRIX = ("matrix",)
# kinds of steps: the numbers are a text for the classes, an array for matrices, a list for polynomials
AFFINE_KINDS = frozenset([AFFINE, _MATRIX, *NATIVE_COUNTS])


# steps and numbers of a chain that grows
_Found: TypeAlias = tuple[list[Any], list[Any]]


class TileSpecError(SpecError):
    """A tile spec that cannot be used, and why.

    Attributes
    ----------
    tileId : str or None
        Id of the tile.
    reason : str
        What is wrong, in the words of render.
    """

    def __init__(self, *args: Any, tileId: Any = None, reason: str = "", **details: Any) -> None:
        super().__init__(*args, **details)
        self.tileId = tileId
        self.reason = reason

    @classmethod
    def of(cls, tile: Any, reason: object) -> TileSpecError:
        """Make the error of a tile; a reason that begins with the tile's name is not given it again.

        Parameters
        ----------
        tile : TileSpec or dict
            The tile.
        reason : object
            What is wrong with it: a text, or an error.

        Returns
        -------
        TileSpecError
        """
        tile_id, text = tile_id_of(tile), str(reason)
        named = text if text.startswith(f"tile {tile_id} ") else f"tile {tile_id}: {text}"
        return cls(named, tileId=tile_id, reason=text)


def tile_id_of(tile: Any) -> Any:
    """Return the id of a tile spec, a document or an object."""
    return tile.get("tileId") if isinstance(tile, Mapping) else getattr(tile, "tileId", None)


def document_of(tile: Any) -> Any:
    """Return the document of a tile that was read and not touched (which spares making transforms), else it."""
    read = getattr(tile, "_document", None)
    return tile if read is None else read() or tile


class _Step:
    """A step that is the same for all tiles that have it; compared by identity.

    ``depth`` is how often interpolations are nested in it.
    """

    def __init__(self, tform: Callable[[Array], Array], depth: int = 0) -> None:
        self.tform, self.depth = tform, depth


class Chain(NamedTuple):
    """Steps in order, and the numbers (or their text) of those that have any, in order."""

    steps: tuple[Any, ...]
    numbers: tuple[Any, ...]


class Chains(TreeReader[_Found]):
    """Makes chains of the transforms of tile specs.

    Parameters
    ----------
    shared_transforms : mapping or iterable, optional
        Shared transforms: a mapping from id, or a collection of documents with ``id`` or of objects with
        ``transformId``.
    nested_references : bool
        Follow references inside shared transforms, as a server does when it reads a tile. When it stores
        tiles it does not, and takes them for missing.
    compat : {"master", "newsolver"}
        Branch of render whose thin plate splines those of documents are.
    """

    def __init__(
        self, shared_transforms: Any = None, nested_references: bool = True, compat: str = "master"
    ) -> None:
        super().__init__(shared_transforms, most_steps=None if nested_references else 1)
        self._compat = compat
        self._resolved: dict[str, _Found] = {}
        self._steps: dict[Any, _Step] = {}

    def of_tile(self, tile: Any) -> Chain:
        """Read the chain of a tile spec.

        Parameters
        ----------
        tile : dict or TileSpec
            A document, or an object with ``tforms``.

        Returns
        -------
        Chain

        Raises
        ------
        TileSpecError
            If there is something in it that render would not evaluate.
        """
        try:
            if isinstance(tile, Mapping):
                transforms = tile.get("transforms")
                specs = () if transforms is None else transforms.get("specList") or ()
            else:
                specs = tile.tforms or ()
            return _chain(self.read(specs, ([], [])))
        except UnresolvedError as missing:
            ids = ", ".join(sorted(set(missing.ids)))
            reason = f"tile {tile_id_of(tile)} requires the following transform ids [{ids}]"
            raise TileSpecError.of(tile, reason) from None
        except RenderError as error:
            raise TileSpecError.of(tile, error) from None
        except RecursionError:
            raise TileSpecError.of(tile, _TOO_DEEP) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TileSpecError.of(tile, f"its transforms are no transform list: {error!r}") from None

    def nothing(self) -> _Found:
        """Return steps and numbers of no transform."""
        return [], []

    def listed(self, spec: Any, parts: _Found, found: _Found) -> None:
        """Add steps and numbers of a list to those that it is part of."""
        steps, numbers = found
        steps += parts[0]
        numbers += parts[1]

    def reference(self, ident: str, found: _Found, path: tuple[str, ...]) -> None:
        """Add what a reference comes to; of those of tiles it is kept for other tiles."""
        kept = None if path else self._resolved.get(ident)
        if kept is None:
            super().reference(ident, kept := self.nothing(), path)
            if not path:
                self._resolved[ident] = kept
        found[0].extend(kept[0])
        found[1].extend(kept[1])

    def between(self, spec: Any, a: _Found, b: _Found, found: _Found) -> None:
        """Add an interpolation, which is one step."""
        weight = float(fraction_of(spec))
        key = (tuple(a[0]), _hashable(a[1]), tuple(b[0]), _hashable(b[1]), weight)
        step = self._steps.get(key)
        if step is None:
            depth = 1 + max((one.depth for one in (*a[0], *b[0]) if isinstance(one, _Step)), default=0)
            if depth > _MOST_NESTED:
                raise SpecError(_TOO_DEEP)
            map_a, map_b = mapping(_chain(a)), mapping(_chain(b))

            def between(points: Array) -> Array:
                at_a, at_b = map_a(points), map_b(points)
                return at_a + weight * (at_b - at_a)

            step = self._steps[key] = _Step(between, depth)
        found[0].append(step)

    def leaf(self, spec: Any, found: _Found, path: tuple[str, ...]) -> None:
        """Add the step of a leaf, a document or an object, and its numbers if it has any."""
        # nearly all are affine
        if isinstance(spec, dict):
            class_name, text = spec.get("className"), spec.get("dataString")
            if class_name in AFFINE_KINDS and type(text) is str:
                found[0].append(class_name)
                found[1].append(text)
            else:
                self._add_document(spec, class_name, text, found)
        elif isinstance(spec, AffineModel) and type(spec).tform is AffineModel.tform:
            if spec.className not in AFFINE_KINDS:
                raise unknown_class(spec.className)
            found[0].append(_MATRIX)
            found[1].append(spec.M)
        else:
            self._add_object(spec, found, path)

    def _add_document(self, spec: dict[str, Any], class_name: Any, text: Any, found: _Found) -> None:
        # as on the server, any other type is a leaf
        for key, value in (("className", class_name), ("dataString", text)):
            if value is None:
                raise SpecError(
                    f"no {key} defined for leaf transform spec with id '{spec.get('id', 'null')}'"
                )
        known = SERVER_CLASSES.get(class_name)
        if known is None:
            raise unknown_class(class_name)
        if known is Polynomial2DTransform:
            self._add_polynomial(Polynomial2DTransform(json=spec), found)
            return
        step = self._steps.get((class_name, text))
        if step is None:
            transform: Any = load_leaf_json({**spec, "type": "leaf"})
            if known is ThinPlateSplineTransform:
                transform.compat = self._compat
            step = self._steps[class_name, text] = _Step(transform.tform)
        found[0].append(step)

    @staticmethod
    def _add_polynomial(transform: Polynomial2DTransform, found: _Found) -> None:
        steps, numbers = found
        steps.append(("polynomial", transform._checked_order()))
        numbers.append(transform._rows().ravel().tolist())

    def _add_object(self, transform: Any, found: _Found, path: tuple[str, ...]) -> None:
        kind = type(transform)
        if kind is Polynomial2DTransform:
            self._add_polynomial(transform, found)
        elif isinstance(transform, Transform) and SERVER_CLASSES.get(str(transform.className)) is kind:
            key = (transform.className, transform._values())
            step = self._steps.get(key)
            if step is None:
                # evaluated before the object can change, so it need not be copied
                step = self._steps[key] = _Step(transform.tform)  # type: ignore[attr-defined]
            found[0].append(step)
        elif hasattr(transform, "to_dict"):
            # what the server would make of the document
            self.read([transform.to_dict()], found, path)
        else:
            raise SpecError(f"a {kind.__name__} is no transform")


def _chain(found: _Found) -> Chain:
    steps, numbers = found
    return Chain(tuple(steps), tuple(numbers))


def _hashable(numbers: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(n if isinstance(n, str) else tuple(np.ravel(n).tolist()) for n in numbers)


class BadNumbersError(SpecError):
    """Numbers of a step that cannot be read; ``index`` says which of the given ones."""

    def __init__(self, *args: Any, index: int = 0, **details: Any) -> None:
        super().__init__(*args, **details)
        self.index = index


def read_numbers(step: Any, given: Sequence[Any]) -> Array:
    """Read the numbers of one step of many chains.

    Parameters
    ----------
    step : hashable
        A step that has numbers.
    given : sequence
        The numbers, or their text, of every chain.

    Returns
    -------
    (N, 6) or (N, k) array
        m00, m01, m10, m11, b0, b1 of affine steps, coefficients of polynomials.

    Raises
    ------
    BadNumbersError
        If a text cannot be read.
    """
    if step == _MATRIX:
        matrices = np.stack([np.asarray(M, dtype=np.float64)[:2] for M in given])
        return np.concatenate([matrices[:, 0, :2], matrices[:, 1, :2], matrices[:, :, 2]], axis=1)
    if step not in AFFINE_KINDS:
        return np.array(given)
    count = NATIVE_COUNTS.get(step)
    try:
        values = data_strings.parse_rows(given, count or 6, single=count is not None)
    except SpecError:
        for index, text in enumerate(given):
            try:
                AffineModel(json={"className": step, "dataString": text})
                data_strings.parse_rows([text], count or 6, single=count is not None)
            except SpecError as error:
                raise BadNumbersError(str(error), index=index) from None
        raise
    if count is None:
        return values[:, [0, 2, 1, 3, 4, 5]]
    return np.array([native_matrix(step, row) for row in values.tolist()])


def apply_step(step: Any, numbers: Array | None, x: Array, y: Array) -> tuple[Array, Array]:
    """Map points through one step of several chains.

    Parameters
    ----------
    step : hashable
        Step of a chain.
    numbers : (N, k) array or None
        What `read_numbers` gave for the N chains, None for a step without.
    x, y : (N, S) or (1, S) array
        S points of every chain, or the same points for all.

    Returns
    -------
    x, y : array
        (N, S), or (1, S) if neither points nor step depend on the chain.
    """
    if numbers is None:
        mapped = step.tform(np.column_stack([x.ravel(), y.ravel()]))
        return mapped[:, 0].reshape(x.shape), mapped[:, 1].reshape(x.shape)
    columns = [column[:, None] for column in numbers.T]
    if step in AFFINE_KINDS:
        m00, m01, m10, m11, b0, b1 = columns
        if step == TRANSLATION:
            # not 0 times what may be infinite
            return x + b0, y + b1
        return x * m00 + y * m01 + b0, x * m10 + y * m11 + b1
    order = step[1]
    terms = term_count(order)
    return apply_polynomial(
        columns[:terms], columns[terms:], order, *np.broadcast_arrays(x, y, columns[0])[:2]
    )


def has_numbers(step: Any) -> bool:
    """Say whether a step has numbers of its own in every chain."""
    return not isinstance(step, _Step)


def mapping(chain: Chain) -> Callable[[Array], Array]:
    """Return the function that maps points (S, 2) through one chain.

    Raises
    ------
    BadNumbersError
        If the numbers of a step cannot be read.
    """
    numbers = iter(chain.numbers)
    steps = [
        (step, read_numbers(step, [next(numbers)]) if has_numbers(step) else None) for step in chain.steps
    ]

    def apply(points: Array) -> Array:
        x, y = np.array(points.T, order="C")[:, None, :]
        for step, own in steps:
            x, y = apply_step(step, own, x, y)
        return np.column_stack([x[0], y[0]])

    return apply
