"""Bounding boxes that the server derives, from `renderapi.geometry`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from renderapi.errors import SpecError
from renderapi.server.documents.problems import FailedError, InvalidError, Problem
from renderapi.server.documents.tiles import Document

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
    # scipy is loaded with it, which a server that derives nothing does without
    from renderapi.geometry import bounding_boxes

    try:
        boxes = bounding_boxes(tiles, shared, nested_references=False).tolist()
    except NOT_CALCULABLE as problem:
        raise problem_of(problem) from problem
    for tile, box in zip(tiles, boxes):
        tile["minX"], tile["minY"], tile["maxX"], tile["maxY"] = box
