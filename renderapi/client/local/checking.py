"""Looking at files of tile specs as an import does, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from renderapi._doubts import Doubts
from renderapi.client.documents import Document, read_documents
from renderapi.client.local.uploading import as_documents, grouped, shared_documents
from renderapi.client.validation import TileSpecValidator
from renderapi.errors import SpecError
from renderapi.geometry import bounding_boxes
from renderapi.resolvedtiles import check_tiles

_AT_ONCE = 2000


class TileProblem(NamedTuple):
    """What is wrong with a tile of a file.

    Attributes
    ----------
    path : str
        The file.
    tileId : str or None
        The tile; None if it is the file as a whole.
    text : str
        What is wrong.
    """

    path: str
    tileId: str | None
    text: str


@dataclass(frozen=True)
class CheckedFiles:
    """What was found in files of tile specs.

    Attributes
    ----------
    tiles : int
        Number of tile specs.
    zs : list of float
        z of the layers that they are in, ascending.
    problems : list of TileProblem
        What is wrong, in the order of the files.
    """

    tiles: int
    zs: list[float]
    problems: list[TileProblem]


def check_files(
    paths: Iterable[str | Path],
    transform_file: str | Path | None,
    validator: TileSpecValidator | None,
    advance: Callable[[int], None],
) -> CheckedFiles:
    """Look at tiles file by file, telling of each file that is done."""
    transforms = [] if transform_file is None else read_documents(transform_file, "transform specs")
    shared = shared_documents(transforms)
    doubts = Doubts()
    doubts.look_at_shared(shared)
    problems: list[TileProblem] = []
    zs: set[float] = set()
    # of 10^7 tiles the numbers need less room than the ids
    seen: set[int] = set()
    count = 0
    for path in map(str, paths):
        try:
            documents = read_documents(path, "tile specs")
        except SpecError as error:
            problems.append(TileProblem(path, None, str(error)))
            documents = []
        for group in grouped(documents, _AT_ONCE):
            tiles = as_documents(group)
            good = []
            for tile, problem in _judged(tiles, shared, validator):
                tile_id = tile.get("tileId")
                if problem is None and (number := hash(tile_id)) in seen:
                    problem = "it is there twice: of two with one id an import takes the later"
                elif problem is None:
                    seen.add(number)
                if problem is None:
                    good.append(tile)
                else:
                    problems.append(TileProblem(path, None if tile_id is None else str(tile_id), problem))
            doubts.look(good)
            zs.update(float(tile["z"]) for tile in good if tile.get("z") is not None)
        count += len(documents)
        advance(1)
    doubts.warn()
    return CheckedFiles(count, sorted(zs), problems)


def _judged(
    tiles: Sequence[Document], shared: Mapping[str, Document], validator: TileSpecValidator | None
) -> Iterator[tuple[Document, str | None]]:
    """Judge tiles all at once, and the halves of them where something is wrong."""
    try:
        check_tiles(tiles, shared)
        bounding_boxes(tiles, shared)
    except SpecError as error:
        if len(tiles) == 1:
            yield tiles[0], str(error)
            return
        half = len(tiles) // 2
        yield from _judged(tiles[:half], shared, validator)
        yield from _judged(tiles[half:], shared, validator)
        return
    verdicts = [None] * len(tiles) if validator is None else validator.judge(tiles, shared)
    yield from zip(tiles, verdicts)
