"""Requests for images, and what their numbers must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from renderapi._names import TILE_ORDERS
from renderapi._parallel import thread_session
from renderapi.errors import BadRequestError, NotFoundError
from renderapi.http import transport
from renderapi.http.urls import format_number, join_url, whole_pixels
from renderapi.image._formats import Wanted
from renderapi.utils import jbool

if TYPE_CHECKING:
    import requests
    from numpy.typing import NDArray

    from renderapi.image._blocks import Grid


_FLAGS = ("binaryMask", "convertToGray", "excludeMask", "fillWithNoise", "filter")
_NUMBERS = ("scale", "minIntensity", "maxIntensity")
_KEPT_TRANSFORMS = ("excludeTransformsAfterLast", "excludeFirstTransformAndAllAfter")
#: Keywords of how an image is drawn.
DRAWING = (*_FLAGS, *_NUMBERS, "channel", "filterListName", "maskMinX", "maskMinY", "tileSpecOrder")

Box = tuple[float, float, int, int]


def query_of(words: Mapping[str, Any], channels: str | None, **numbers: Any) -> dict[str, Any]:
    """Return the parameters of a query; what is None is left out when they are sent."""
    query = dict(words)
    for name, value in numbers.items():
        query[name] = value if value is None or isinstance(value, str) else format_number(value)
    query["channels"] = channels
    return query


def drawing_query(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a query of the `DRAWING` keywords of a call, which may hold others too."""
    words = {name: query_boolean(given.get(name)) for name in _FLAGS}
    words["filterListName"] = given.get("filterListName")
    newer = newer_query(*(given.get(name) for name in ("maskMinX", "maskMinY", "tileSpecOrder")))
    return query_of(
        {**words, **newer},
        given.get("channel"),
        **{name: given.get(name) for name in (*_NUMBERS, "maxTileSpecsToRender")},
    )


def further_query(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a query of the keywords of a call that its signature does not name."""
    query = {name: value for name, value in drawing_query(given).items() if value is not None}
    query |= {name: given[name] for name in _KEPT_TRANSFORMS if name in given}
    return query | {
        name: whole_pixels(name, given[name]) for name in ("x", "y", "width", "height") if name in given
    }


def newer_query(
    mask_x: float | None, mask_y: float | None, order: str | None = None, pattern: str | None = None
) -> dict[str, Any]:
    """Return the parameters that only servers of render's branch newsolver know."""
    if order not in (None, *TILE_ORDERS):
        raise BadRequestError(f"tileSpecOrder is {order!r}; it must be one of {', '.join(TILE_ORDERS)}")
    return {
        "maskMinX": None if mask_x is None else whole_pixels("maskMinX", mask_x),
        "maskMinY": None if mask_y is None else whole_pixels("maskMinY", mask_y),
        "tileSpecOrder": order,
        "tileIdPattern": pattern,
    }


def query_boolean(value: Any) -> str | None:
    """Write a boolean as the server reads it in a query; None stays away from the query."""
    return None if value is None else jbool(value)


def box_of(x: float, y: float, width: float, height: float) -> tuple[float, float, int, int]:
    return x, y, whole_pixels("width", width), whole_pixels("height", height)


def fetched(
    wanted: Wanted,
    session: requests.Session | None,
    method: str,
    url: str,
    params: Mapping[str, Any] | None = None,
    document: Any = None,
) -> NDArray[Any]:
    try:
        response = transport.send(session, method, url, params=params, document=document)
    except NotFoundError as error:
        raise wanted.explained(error) from error.__cause__
    return wanted.decoded(response)


@dataclass(frozen=True)
class Boxes:
    """Images of boxes in one layer.

    Attributes
    ----------
    layer : str
        URL of the layer.
    query : dict
        Parameters of every request.
    scale : float
        Pixels per unit of the world.
    wanted : Wanted
        Format of the images.
    session : requests.Session, optional
        Session of the call.
    render : Render, optional
        Connection of the call.
    """

    layer: str
    query: Mapping[str, Any]
    scale: float
    wanted: Wanted
    session: requests.Session | None
    render: Any

    def image(self, x: float, y: float, width: int, height: int, check: bool = False) -> NDArray[Any]:
        """Get the image of one box; with `check` it must have the size that was asked for."""
        url = join_url(self.layer, "box", (x, y, width, height, self.scale), self.wanted.ending)
        wanted = self.wanted
        if check or wanted.is_raw:
            wanted = wanted.sized(width, height, float(self.scale))
        return fetched(wanted, self.session, "GET", url, self.query)

    def block(self, x: float, y: float, width: int, height: int) -> NDArray[Any]:
        """Get the image of one box from any thread."""
        at_hand = replace(self, session=thread_session(self.session, self.render))
        return at_hand.image(x, y, width, height, check=True)

    def grid(self, box: Box, block: Any) -> Grid:
        """Divide a box into blocks.

        Raises
        ------
        BadRequestError
            If the block is no number of pixels, or too few.
        SpecError
            If another number is none.
        """
        from renderapi.image._blocks import Grid

        x, y, scale = (float(format_number(number)) for number in (*box[:2], self.scale))
        return Grid(x, y, box[2], box[3], scale, whole_pixels("block", block))
