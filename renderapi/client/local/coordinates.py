"""What CoordinateClient does, in Python: many points between world and local coordinates.

The server says which tiles contain a point, and gives their specs; they are evaluated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderapi import _json
from renderapi._parallel import progress_reporter
from renderapi._project import Project
from renderapi.client.documents import Document, read_list, tiles_with_ids
from renderapi.errors import BadAnswerError
from renderapi.geometry import points_to_local, points_to_world
from renderapi.geometry.coordinate_documents import failed, in_tiles, local_problem, position, world_problem
from renderapi.http.transport import decode_json
from renderapi.render import stack_url
from renderapi.utils import java_double, open_text, put_json

Item = Mapping[str, Any]

#: Points that Java's client asks for at once.
BATCH_POINTS = 25_000


@dataclass
class Place:
    """A stack, or one layer of it.

    Parameters
    ----------
    connection : Project
        Where the stack is.
    stack : str
        Stack.
    z : float, optional
        Layer; without, the z of each point counts.
    """

    connection: Project
    stack: str
    z: float | None = None

    def tile_ids(self, items: Sequence[Item]) -> list[list[str]]:
        """Ask for the ids of the tiles whose boxes contain points, ascending."""
        at = self.connection
        layer = () if self.z is None else ("z", self.z)
        url = stack_url(at.host, at.port, at.owner, at.project, self.stack, *layer, "tileIdsForCoordinates")
        # no other key: a tile id that is sent comes back where there is no tile
        points = [{"world": item["world"]} for item in items]
        answer: list[list[Document]] = decode_json(put_json(at.thread_session(), url, points))
        if len(answer) != len(items):
            raise BadAnswerError(f"{len(items)} points were sent, and {len(answer)} came back")
        return [[tile["tileId"] for tile in tiles if tile.get("tileId")] for tiles in answer]

    def tiles(self, tile_ids: Iterable[str]) -> dict[str, Document]:
        """Get tiles by their ids."""
        ids = sorted(set(tile_ids))
        return {tile["tileId"]: tile for tile in tiles_with_ids(self.connection, self.stack, ids)}

    def __str__(self) -> str:
        return f"layer {'null' if self.z is None else java_double(self.z)} of stack {self.stack}"


def map_coordinates(
    place: Place,
    points: Sequence[Any],
    local_to_world: bool = False,
    target: Place | None = None,
    progress: Any = None,
) -> list[Any]:
    """Map points as CoordinateClient does, 25,000 at a time.

    Parameters
    ----------
    place : Place
        Where the tiles are.
    points : list
        ``{"world": [x, y, z]}``, or with `local_to_world` lists of ``{"tileId": ..., "local": [x, y]}``.
    local_to_world : bool
        From local to world.
    target : Place, optional
        Map world points on to the world of this stack.
    progress : optional
        As for `renderapi.client.import_tilespecs`, told of points.

    Returns
    -------
    list
        One entry per point, in their order: a list of the tiles it lies in, or with `local_to_world` or
        `target` a dict. A point that cannot be mapped carries an ``error``.

    Raises
    ------
    SpecError
        If a tile cannot be evaluated.
    RenderError
        If the server refuses.
    """
    answers: list[Any] = []
    with progress_reporter(progress, len(points), "mapping points") as advance:
        for start in range(0, len(points), BATCH_POINTS):
            batch = points[start : start + BATCH_POINTS]
            if local_to_world:
                answers += to_world(place, batch)
            elif target is not None:
                local = to_local(place, batch)
                # Java says of what failed on the way only that the tile is missing
                answers += [
                    {**answer, "error": tiles[0]["error"]} if "error" in tiles[0] else answer
                    for tiles, answer in zip(local, to_world(target, local))
                ]
            else:
                answers += to_local(place, batch)
            advance(len(batch))
    return answers


def map_file(
    place: Place,
    source: str | Path,
    to: str | Path | None,
    local_to_world: bool = False,
    target: Place | None = None,
    progress: Any = None,
) -> list[Any]:
    """Map the points of a JSON file as `map_coordinates` does, and write the answer to another.

    Parameters
    ----------
    source : path
        File with the points, gzipped if its name ends in ``.gz``.
    to : path, optional
        File that gets the answer.
    place, local_to_world, target, progress
        As for `map_coordinates`.

    Returns
    -------
    list
        The answer.
    """
    answer = map_coordinates(place, read_list(source, "points"), local_to_world, target, progress)
    if to is not None:
        content = _json.dumps(answer).decode()
        with open_text(to, "w") as file:
            file.write(content)
    return answer


def to_world(place: Place, items: Sequence[Any]) -> list[Document]:
    """Map local points, each the visible one of its list or else the first, to the world."""
    chosen = [_on_top(item) for item in items]
    answers = [failed(item, problem) if (problem := local_problem(item)) else None for item in chosen]
    asked = [index for index, answer in enumerate(answers) if answer is None]
    tiles = place.tiles(chosen[index]["tileId"] for index in asked)
    for index in asked:
        tile_id = chosen[index]["tileId"]
        if tile_id not in tiles:
            answers[index] = failed(chosen[index], f"tileId {tile_id} cannot be found in {place}")
    asked = [index for index in asked if answers[index] is None]
    requests = [(chosen[index]["tileId"], chosen[index]["local"]) for index in asked]
    for index, point in zip(asked, _mapped(points_to_world, tiles, requests).tolist()):
        tile_id = chosen[index]["tileId"]
        answers[index] = {"tileId": tile_id, "world": position(point, tiles[tile_id].get("z"))}
    return answers  # type: ignore[return-value]


def to_local(place: Place, items: Sequence[Any]) -> list[list[Document]]:
    """Map world points into all tiles that contain them; the last of these is on top."""
    answers: list[list[Document]] = [
        [failed(item, problem)] if (problem := world_problem(item, place.z)) else [] for item in items
    ]
    asked = [index for index, answer in enumerate(answers) if not answer]
    ids = place.tile_ids([items[index] for index in asked]) if asked else []
    tiles = place.tiles(chain.from_iterable(ids))
    requests = [
        (tile_id, items[index]["world"])
        for index, tile_ids in zip(asked, ids)
        for tile_id in tile_ids
        if tile_id in tiles
    ]
    mapped = iter(_mapped(points_to_local, tiles, requests).tolist())
    for index, tile_ids in zip(asked, ids):
        answers[index] = _inverted(place, items[index], tile_ids, tiles, mapped)
    return answers


def tile_to_world(place: Place, tile_id: str, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Map points (N, 2) of one tile to the world; None if there is no such tile."""
    tiles = place.tiles([tile_id])
    if tile_id not in tiles:
        return None
    return points_to_world([tiles[tile_id]], np.zeros(len(points), np.intp), points)


def _inverted(
    place: Place, item: Item, tile_ids: list[str], tiles: dict[str, Document], mapped: Any
) -> list[Document]:
    world = [float(value) for value in item["world"]]
    places = {tile_id: next(mapped) for tile_id in tile_ids if tile_id in tiles}
    if not places:
        where = place if place.z is not None else f"stack {place.stack}"
        shown = ", ".join(map(java_double, world))
        # Java has forgotten the point itself by then
        return [{"error": f"no tile specifications found in {where} for [{shown}]"}]
    found = ((tile_id, point, tiles[tile_id].get("z")) for tile_id, point in places.items())
    return in_tiles(found, world, {"world": world, "tileId": tile_ids[0]})


def _mapped(
    map_points: Callable[..., NDArray[np.float64]],
    tiles: dict[str, Document],
    requests: Sequence[tuple[str, Sequence[float]]],
) -> NDArray[np.float64]:
    number = {tile_id: index for index, tile_id in enumerate(tiles)}
    points = np.array([point[:2] for _, point in requests], dtype=np.float64).reshape(-1, 2)
    return map_points(list(tiles.values()), [number[tile_id] for tile_id, _ in requests], points)


def _on_top(item: Any) -> Any:
    if isinstance(item, Mapping) or not item:
        return item or None
    return next((tile for tile in item if tile and tile.get("visible")), item[0])
