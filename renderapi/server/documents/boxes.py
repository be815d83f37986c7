"""Bounding boxes that the server derives, from `renderapi.geometry`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from renderapi.errors import SpecError
from renderapi.geometry import bounding_boxes
from renderapi.server.documents.problems import FailedError, InvalidError, Problem
from renderapi.server.documents.tiles import Document
from renderapi.server.documents.values import as_number
from renderapi.utils import java_double

_BAD_NUMBERS = re.compile(r"Inappropriate parameters for ([\w.$]+)")
_NO_NUMBER = re.compile(r': (For input string: ".*"|empty String)')
# classes that let the words of a number that cannot be read through; others have words of their own
_PLAIN = re.compile(r".*\.((Affine|Translation|Rigid|Similarity|Homography)Model2D|Polynomial.*|NonLinear.*)")
NO_SIZE = "width and height must be set to create a bounding box"


# beside what render would refuse: sizes that are no number, or too large for any calculation
NOT_CALCULABLE = (SpecError, ArithmeticError, ValueError, MemoryError)


def problem_of(problem: BaseException) -> Problem:
    """Say in the words of render-ws why a tile cannot be calculated with."""
    reason = str(getattr(problem, "reason", None) or problem).replace("with id 'None'", "with id 'null'")
    if reason == NO_SIZE:
        return FailedError(reason)
    # render-ws does not say more of the numbers than that one cannot be read
    bare = _BAD_NUMBERS.match(reason)
    if bare is None:
        return InvalidError(reason)
    number = _NO_NUMBER.search(reason) if _PLAIN.fullmatch(bare[1]) else None
    return InvalidError(number[1] if number else bare[0])


def derive_boxes(tiles: Sequence[Document], shared: dict[str, Document]) -> None:
    """Set the bounding boxes of tiles, whose transforms may refer to shared ones.

    Raises
    ------
    FailedError
        For a tile without width or height.
    InvalidError
        For a transform that cannot be made.
    """
    if not tiles:
        return
    try:
        boxes = bounding_boxes(tiles, shared, nested_references=False).tolist()
    except NOT_CALCULABLE as problem:
        raise problem_of(problem) from problem
    for tile, box in zip(tiles, boxes):
        tile["minX"], tile["minY"], tile["maxX"], tile["maxY"] = box


def check_boxes(tiles: Iterable[Document], z: float | None) -> None:
    """Refuse tiles without a bounding box, or of another layer than they are sent to.

    What render-ws would store and never find again, a box or a layer that is no number, is refused too.
    """
    empty = True
    for tile in tiles:
        empty = False
        if not ("minX" in tile and "minY" in tile and "maxX" in tile and "maxY" in tile):
            raise InvalidError(
                f"tile with id '{tile['tileId']}' is missing bounding box attributes "
                "(minX, minY, maxX, and/or maxY)",
            )
        for key in ("minX", "minY", "maxX", "maxY", "z"):
            if type(tile.get(key)) is str:
                raise InvalidError(f"tile with id '{tile['tileId']}' has {tile[key]} as {key}")
        if z is not None and tile.get("z") != z:
            own = as_number(tile.get("z"), "z")
            raise InvalidError(
                f"all tiles must have a z value of {java_double(z)} but tile with id '{tile['tileId']}' "
                f"has a z value of {'null' if own is None else java_double(own)}",
            )
    if empty:
        raise InvalidError(
            "collection does not have any tiles (maybe they were removed by a prior validation process)"
        )
