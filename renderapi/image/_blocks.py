"""A large image of a box, asked for in blocks.

Pixel (column, row) of an image of a box is the point ``x + column / scale``, ``y + row / scale`` of the
world. A block begins at such a point, so that its pixels are those of the whole image: tiles are painted within
the bounding boxes by which the server finds them, so a tile that is not in the answer has no pixel in the block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from renderapi._parallel import in_threads, progress_reporter, with_note
from renderapi.errors import BadRequestError, RenderError, ServerTimeoutError, ServerUnreachableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST_BLOCK = 8
_ALPHA, _OPAQUE = 3, 255


class Span(NamedTuple):
    """What a block is along one axis.

    Attributes
    ----------
    start, stop : int
        The pixels of the image that it gives.
    origin : float
        Where in the world its answer begins.
    size : int
        Size of what is asked for, at scale 1.
    """

    start: int
    stop: int
    origin: float
    size: int


class Block(NamedTuple):
    """One block of an image.

    Attributes
    ----------
    row, column : int
        Its place among the blocks.
    y, x : Span
        What it is in both directions.
    """

    row: int
    column: int
    y: Span
    x: Span

    @property
    def place(self) -> tuple[slice, slice]:
        """Its rows and columns in the image."""
        return slice(self.y.start, self.y.stop), slice(self.x.start, self.x.stop)

    def cut(self, answer: NDArray[Any]) -> NDArray[Any]:
        """Return what counts of an answer; at a scale above 1 it may have more."""
        return answer[: self.y.stop - self.y.start, : self.x.stop - self.x.start]


Fetch = Callable[[float, float, int, int], "NDArray[Any]"]


@dataclass
class Grid:
    """The blocks of an image of a box.

    Parameters
    ----------
    x, y : float
        Upper left corner of the box.
    width, height : int
        Its size at scale 1.
    scale : float
        Pixels of the image per unit of the world.
    block : int
        Most rows and columns of an answer.

    Raises
    ------
    BadRequestError
        If `block` or `scale` cannot be used.
    """

    x: float
    y: float
    width: int
    height: int
    scale: float
    block: int

    def __post_init__(self) -> None:
        """Divide both directions."""
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise BadRequestError(f"scale is {self.scale!r}; for an image in blocks it must be above 0")
        least = max(_SMALLEST_BLOCK, math.ceil(self.scale))
        if self.block < least:
            raise BadRequestError(f"block is {self.block!r}; it must be at least {least} pixels")
        step = self.block
        while int(self.scale * _asked(step, self.scale)) > self.block:
            step -= 1  # at a scale above 1 not every size can be asked for
        self._columns = _spans(self.x, self.width, self.scale, step)
        self._rows = _spans(self.y, self.height, self.scale, step)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return int(self.scale * self.height), int(self.scale * self.width)

    def __len__(self) -> int:
        return len(self._rows) * len(self._columns)

    def __iter__(self) -> Iterator[Block]:
        for row, y in enumerate(self._rows):
            for column, x in enumerate(self._columns):
                yield Block(row, column, y, x)

    def pieces(
        self, fetch: Fetch, threads: int, progress: Any
    ) -> Generator[tuple[Block, NDArray[Any]], None, None]:
        """Fetch the blocks, and give them row by row.

        Parameters
        ----------
        fetch : callable
            Called in the threads as ``fetch(x, y, width, height)`` with a box; gives its image.
        threads : int
            How many blocks are asked for at a time.
        progress : optional
            As for `renderapi._parallel.progress_reporter`, told of blocks.

        Yields
        ------
        block : Block
            Where the piece belongs.
        pixels : ndarray
            What is of the block alone, without the margin that it was fetched with.

        Raises
        ------
        Exception
            The first error of `fetch`, with the block in its text; the rest is not fetched.
        """

        def piece(block: Block) -> tuple[Block, NDArray[Any]]:
            box = block.x.origin, block.y.origin, block.x.size, block.y.size
            try:
                return block, block.cut(fetch(*box))
            except (RenderError, ServerUnreachableError, ServerTimeoutError) as error:
                raise with_note(error, self._place(block)) from error.__cause__

        reporter = progress_reporter(progress, len(self), "fetching blocks", " blocks")
        with reporter as advance, closing(in_threads(piece, self, threads)) as found:
            for block, pixels in found:
                yield block, pixels
                advance(1)

    def _place(self, block: Block) -> str:
        rows, columns = len(self._rows), len(self._columns)
        return (
            f"That was block {block.row * columns + block.column + 1} of {len(self)} (row {block.row + 1} of "
            f"{rows}, column {block.column + 1} of {columns}): columns {block.x.start}:{block.x.stop} and rows "
            f"{block.y.start}:{block.y.stop} of the image."
        )

    def assembled(self, fetch: Fetch, threads: int, progress: Any) -> NDArray[Any]:
        """Fetch the whole image; the parameters are those of `pieces`.

        Notes
        -----
        The server answers a box without any tile transparent, but draws the same place opaque and black in a
        box that has tiles, none of them with a mask. So blocks that are wholly transparent become opaque if
        everything else is.
        """
        image: NDArray[Any] | None = None
        empty: list[Block] = []
        opaque = True
        with closing(self.pieces(fetch, threads, progress)) as pieces:
            for block, pixels in pieces:
                if image is None:
                    image = self._allocated(pixels)
                image[block.place] = pixels
                if pixels.shape[2:] == (_ALPHA + 1,):
                    alpha = pixels[..., _ALPHA]
                    if not alpha.any():
                        empty.append(block)
                    else:
                        opaque = opaque and bool(alpha.min() == _OPAQUE)
        if image is None:
            raise BadRequestError(f"an image of {self.shape[1]} x {self.shape[0]} pixels has no blocks")
        if opaque and len(empty) < len(self):
            for block in empty:
                image[(*block.place, _ALPHA)] = _OPAQUE
        return image

    def _allocated(self, pixels: NDArray[Any]) -> NDArray[Any]:
        try:
            return np.empty((*self.shape, *pixels.shape[2:]), pixels.dtype)
        except MemoryError as error:
            raise MemoryError(
                f"there is no memory for an image of {self.shape[1]} x {self.shape[0]} pixels ({error}); "
                "renderapi.image.save_section writes it into a file"
            ) from None

    def rows(self, fetch: Fetch, threads: int, progress: Any) -> Generator[NDArray[Any], None, None]:
        """Fetch the image as bands over its whole width, from above; the parameters are those of `pieces`."""
        band: NDArray[Any] | None = None
        with closing(self.pieces(fetch, threads, progress)) as pieces:
            for block, pixels in pieces:
                if band is None:
                    band = np.empty((len(pixels), self.shape[1], *pixels.shape[2:]), pixels.dtype)
                band[:, block.place[1]] = pixels
                if block.x.stop == self.shape[1]:
                    yield band
                    band = None


def _spans(origin: float, size: int, scale: float, step: int) -> list[Span]:
    total = int(scale * size)
    # 0.1 and 1/3 are meant, not the nearest double
    exact = Fraction(scale).limit_denominator(10_000)
    exact = exact if float(exact) == scale else Fraction(scale)
    spans = []
    for start in range(0, total, step):
        stop = min(start + step, total)
        begin = origin + float(Fraction(start) / exact)
        spans.append(Span(start, stop, begin, _asked(stop - start, scale)))
    return spans


def _asked(pixels: int, scale: float) -> int:
    """Return the smallest size at scale 1 whose image, ``int(scale * size)``, has so many pixels at least.

    Up to scale 1 it has just so many.
    """
    size = max(1, int(pixels / scale) - 1)
    while int(scale * size) < pixels:
        size += 1
    return size
