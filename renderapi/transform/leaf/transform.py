"""The transform that every leaf transform is: a class name and a data string, with id and labels."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._pages import never_failing
from renderapi.errors import ConversionError, SpecError
from renderapi.transform import _inverse
from renderapi.transform.data_strings import require_text
from renderapi.transform.leaf.common import as_points, read_extras, write_extras
from renderapi.utils import NullHandler

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

logger = logging.getLogger(__name__)
logger.addHandler(NullHandler())

__all__ = ["InvertedByIteration", "MapsPoints", "NullHandler", "ParsedTransform", "Transform", "logger"]


class Transform:
    """A leaf transform of any class that a render server knows, kept as it is written.

    The classes derived from it can also be evaluated. A plain `Transform` cannot; it carries a transform
    of a class that this package does not know from and to a server unchanged.

    Parameters
    ----------
    className : str, optional
        Java class of the transform.
    dataString : str, optional
        Its parameters in the format of that class.
    transformId : str, optional
        Id, needed by transforms that others refer to.
    labels : list of str, optional
        Labels (``metaData.labels`` of the document); ``lens`` means something to the server.
    json : dict, optional
        Document of the transform; everything else is ignored if it is given. Keys that are not known
        here are kept, and written back by `to_dict`.

    Attributes
    ----------
    className, dataString, transformId, labels
        As above; all may be changed at any time.

    Raises
    ------
    SpecError
        If the document is no leaf transform.
    """

    className: str | None = None
    _extras: dict[str, Any]
    transformId: str | None
    labels: list[str] | None

    def __init__(
        self,
        className: str | None = None,
        dataString: str | None = None,
        transformId: str | None = None,
        labels: list[str] | None = None,
        json: dict[str, Any] | None = None,
    ) -> None:
        if json is not None:
            self.from_dict(json)
            return
        self.className = className
        self.dataString = dataString
        self.transformId = transformId
        self.labels = labels

    def to_dict(self) -> dict[str, Any]:
        """Return the document of the transform.

        Returns
        -------
        dict
            ``type``, ``className``, ``dataString``, ``id`` and ``metaData`` if there are any, and what
            else the document had that this transform was read from.
        """
        d: dict[str, Any] = {"type": "leaf", "className": self.className, "dataString": self.dataString}
        if self.transformId is not None:
            d["id"] = self.transformId
        write_extras(self, d)
        return d

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything over from a document.

        Parameters
        ----------
        d : dict
            Document of a leaf transform; it is not changed.

        Raises
        ------
        SpecError
            If className or dataString is missing.
        """
        self.dataString = self._read(d)

    def _read(self, d: dict[str, Any]) -> Any:
        # everything but the parameters, whose text is the answer
        try:
            self.className = d["className"]
            text = d["dataString"]
        except (KeyError, TypeError) as error:
            if not isinstance(d, dict):
                raise SpecError(f"a transform must be a JSON object, not {d!r:.100}") from None
            raise SpecError(
                f"no {error.args[0]} defined for leaf transform spec with id '{d.get('id', 'null')}'"
            ) from None
        if len(d) == 3 and "type" in d:
            # most documents hold nothing else
            self.transformId = self.labels = None
            if "_extras" in self.__dict__:
                del self._extras
        else:
            self.transformId = d.get("id")
            read_extras(self, d, ("type", "className", "dataString", "id"))
        return text

    def _refusal(self, reason: object) -> SpecError:
        # what a data string that cannot be read raises
        name = f" with id '{self.transformId}'" if getattr(self, "transformId", None) is not None else ""
        return SpecError(f"Inappropriate parameters for {self.className}{name}: {reason}")

    def _values(self) -> Any:
        # what decides equality besides class, id and labels; hashable
        return self.dataString

    def _identity(self) -> tuple[Any, ...]:
        labels = getattr(self, "labels", None)
        return (
            self.className,
            self._values(),
            getattr(self, "transformId", None),
            frozenset(labels) if labels else None,
        )

    def __eq__(self, other: object) -> bool:
        """Compare class, parameters, id and labels exactly; labels are a set to the server."""
        if self is other:
            return True
        if type(self) is not type(other) or not isinstance(other, Transform):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        """Agree with equality, so the hash changes when the transform is edited."""
        return hash(self._identity())

    @never_failing
    def _repr_html_(self) -> str:
        from renderapi.transform._shown import transform_html

        return transform_html(self)

    def __str__(self) -> str:
        return f"className:{self.className}\ndataString:{self.dataString}"

    def __repr__(self) -> str:
        identity = (
            f", transformId={self.transformId!r}" if getattr(self, "transformId", None) is not None else ""
        )
        labels = f", labels={self.labels!r}" if getattr(self, "labels", None) else ""
        return f"{type(self).__name__}({self._summary()}{identity}{labels})"

    def _summary(self) -> str:
        # what the representation says of the parameters
        text = str(self.dataString)
        shown = text if len(text) <= 80 else f"{text[:60]}... {len(text)} characters"
        return f"className={self.className!r}, dataString={shown!r}"


_NOT_IN_TEXT = frozenset({"className", "transformId", "compat", "labels", "_extras", "_read_text"})


def _frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, (list, tuple)):
        return [_frozen(part) for part in value]
    return value


class MapsPoints:
    """What maps points."""

    def tform(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.

        Returns
        -------
        (N, 2) array
            The mapped points as render computes them.

        Raises
        ------
        ConversionError
            If the points have another shape.
        """
        raise NotImplementedError

    def residuals(self, src: ArrayLike, dst: ArrayLike) -> NDArray[np.float64]:
        """Return how far mapped points are from where they should be.

        Parameters
        ----------
        src, dst : (N, 2) array
            Points, and the points that they should be mapped to.

        Returns
        -------
        (N,) float64 array
            Distances in pixels; see `renderapi.geometry.residual_statistics`.

        Raises
        ------
        ConversionError
            If the points have another shape, or are not equally many.
        """
        p, q = as_points(src, "source points"), as_points(dst, "target points")
        if len(p) != len(q):
            raise ConversionError(f"{len(p)} source points need as many target points, {len(q)} given")
        distances: NDArray[np.float64] = np.hypot(*(self.tform(p) - q).T)
        return distances


class InvertedByIteration(MapsPoints):
    """What maps points but has no inverse in closed form."""

    def inverse_tform(
        self, points: ArrayLike, precision: float = 1e-6, max_iters: int = 100
    ) -> NDArray[np.float64]:
        """Map points backwards, by damped Newton iteration from the points themselves.

        Parameters
        ----------
        points : (N, 2) array
            Points x, y.
        precision : float
            Largest distance in pixels between a point and what its inverse is mapped to.
        max_iters : int
            Largest number of steps.

        Returns
        -------
        (N, 2) array

        Raises
        ------
        EstimationError
            If some point is not reached.
        """
        target = as_points(points)
        return _inverse.newton(
            self.tform,
            lambda p: _inverse.numeric_jacobians(self.tform, p),
            target,
            target.copy(),
            f"a {type(self).__name__}",
            precision=precision,
            max_iters=max_iters,
        )


class ParsedTransform(InvertedByIteration, Transform):
    """A leaf transform whose data string is read into attributes, and written from them.

    Parameters
    ----------
    dataString : str, optional
        Parameters in the format of the class. Without, the transform has none yet.
    json : dict, optional
        Document to read; everything else is ignored if it is given.
    transformId : str, optional
        Id.
    labels : list of str, optional
        Labels.

    Raises
    ------
    SpecError
        If the document or the data string cannot be read.
    """

    def __init__(
        self,
        dataString: str | None = None,
        json: dict[str, Any] | None = None,
        transformId: str | None = None,
        labels: list[str] | None = None,
    ) -> None:
        if json is not None:
            self.from_dict(json)
            return
        self.className = type(self).className
        self.transformId = transformId
        self.labels = labels
        if dataString is not None:
            self.dataString = dataString

    def _format_text(self) -> str | None:
        raise NotImplementedError

    def _parse_text(self, text: str) -> None:
        raise NotImplementedError

    @property
    def dataString(self) -> str | None:
        """Parameters as text: what was read, or the shortest that is read back as the same numbers.

        None while there are none.
        """
        text, state = self.__dict__.get("_read_text", (None, None))
        if state is not None and state == self._state():
            return text  # type: ignore[no-any-return]
        return self._format_text()

    @dataString.setter
    def dataString(self, text: str | None) -> None:
        try:
            self._parse_text(require_text(text))
        except SpecError as error:
            raise self._refusal(error) from None

    def from_dict(self, d: dict[str, Any]) -> None:
        """Take everything over from a document; see `Transform.from_dict`."""
        super().from_dict(d)
        self._read_text = d["dataString"], self._state()

    def _values(self) -> Any:
        return self._format_text()

    def _state(self) -> dict[str, Any]:
        # what the text is made from, to compare with later: attributes may be replaced and edited in place
        return {name: _frozen(value) for name, value in vars(self).items() if name not in _NOT_IN_TEXT}
