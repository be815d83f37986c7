"""CoordinateService: from the pixels of a tile (local) to the world and back."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from renderapi.server import metadata
from renderapi.server.documents import Document, references, tile_spec
from renderapi.server.endpoint import OWNER, STACK, Answer, Context, Service, double, json_of, string
from renderapi.server.layers import LAYER, box_query
from renderapi.server.mapping import Points, is_singular, to_local, to_world
from renderapi.server.parameters import get_tile
from renderapi.server.refusals import Refusal, StackKey
from renderapi.server.resolving import SharedTransforms, flatten_tile
from renderapi.server.values import Rules, as_boolean, as_double, as_list, as_text, fields
from renderapi.utils import java_double

service = Service("CoordinateService", "Coordinate mapping")

POINT = "/{x:double},{y:double}"
# of a stack that there is not
_NO_ROW = -1
Item = Document


def _numbers(value: Any, where: str) -> Any:
    # in an array of Java's primitive numbers null is zero
    return as_list(value, where, lambda number, _: as_double(number, where) or 0.0)


_COORDINATES: Rules = {
    "tileId": as_text,
    "visible": as_boolean,
    "local": _numbers,
    "world": _numbers,
    "error": as_text,
}


def _items(body: Any) -> list[Item | None]:
    items = as_list(body, "coordinates", lambda item, where: fields(item, where, _COORDINATES))
    if items is None:
        raise Refusal(500, "the list of coordinates must not be null")
    return items


def _failed(item: Item | None, error: str) -> Item:
    """Echo an item with what is wrong with it, in the order of keys that render-ws has."""
    return {**{key: value for key, value in (item or {}).items() if key != "error"}, "error": error}


def _position(point: Sequence[float] | Points, z: float | None) -> list[float | str]:
    """Give a point as it is answered: infinities and NaN, which JSON has not, as words."""
    position = [as_double(_java(float(value)), "point") or 0.0 for value in point[:2]]
    return position if z is None else [*position, z]


def _java(value: float) -> float | str:
    return value if math.isfinite(value) else java_double(value)


def _point(values: Sequence[Any]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


class Layers:
    """Tiles of one stack for one request: each is decoded and resolved once."""

    def __init__(self, connection: sqlite3.Connection, key: StackKey) -> None:
        self.key = key
        self.connection = connection
        self._tiles: dict[str, Document | Refusal] = {}
        self._row: int | None = None

    def tile(self, tile_id: str) -> Document:
        """Give a tile resolved, refuse as the stack does if that is not possible."""
        found = self._tiles.get(tile_id)
        if found is None:
            try:
                found = get_tile(self.connection, self.key, tile_id)
            except Refusal as refusal:
                found = refusal
            self._tiles[tile_id] = found
        if isinstance(found, Refusal):
            raise found
        return found

    def ids(self, x: float, y: float, z: float) -> list[str]:
        """Give the ids of the tiles whose boxes contain a point, if there are any: nobody asks for the stack."""
        if self._row is None:
            self._row = metadata.contents(self.connection, self.key) or _NO_ROW
        if self._row == _NO_ROW:
            return []
        return box_query(self.connection, self._row, z, (x, y, 0, 0)).tile_ids(self.connection)

    def at(self, x: float, y: float, z: float) -> list[str]:
        """Give the ids of the tiles whose boxes contain a point, ascending."""
        rows = self.ids(x, y, z)
        if not rows:
            raise Refusal(
                400,
                f"no tile specifications found in {self.key} for world coordinates "
                f"x={java_double(x)}, y={java_double(y)}, z={java_double(z)}",
            )
        return rows


Mapping = Callable[[Sequence[Document], list[int], list[tuple[float, float]]], Points]


def _mapped(
    layers: Layers, requests: list[tuple[str, tuple[float, float]]], map_points: Mapping
) -> list[Points | Refusal]:
    """Map points, each of its own tile: all at once, or tile by tile if one of them is bad."""
    by_tile: dict[str, list[int]] = {}
    for index, (tile_id, _) in enumerate(requests):
        by_tile.setdefault(tile_id, []).append(index)
    answers: list[Points | Refusal] = [np.empty(2)] * len(requests)
    tiles: list[Document] = []
    places: list[list[int]] = []
    for tile_id, indices in by_tile.items():
        try:
            tiles.append(layers.tile(tile_id))
            places.append(indices)
        except Refusal as refusal:
            for index in indices:
                answers[index] = refusal

    def map_some(first: int, end: int) -> None:
        of = [number - first for number in range(first, end) for _ in places[number]]
        order = [index for number in range(first, end) for index in places[number]]
        points = map_points(tiles[first:end], of, [requests[index][1] for index in order])
        for index, point in zip(order, points):
            answers[index] = point

    try:
        map_some(0, len(tiles))
    except Refusal:
        for number, indices in enumerate(places):
            try:
                map_some(number, number + 1)
            except Refusal as refusal:
                for index in indices:
                    answers[index] = refusal
    return answers


def local_to_world(layers: Layers, items: list[Item | None]) -> list[Item]:
    """Map local points; what cannot be mapped is echoed with the reason."""
    answers: list[Item | None] = []
    requests = []
    for item in items:
        problem = _local_problem(item)
        answers.append(None if problem is None else _failed(item, problem))
        if item is not None and problem is None:
            requests.append((item["tileId"], _point(item["local"])))
    mapped = iter(_mapped(layers, requests, to_world))
    for index, answer in enumerate(answers):
        if answer is None:
            item, point = items[index], next(mapped)
            if isinstance(point, Refusal):
                answers[index] = _failed(item, point.message)
            else:
                tile_id = item["tileId"]  # type: ignore[index]
                z = layers.tile(tile_id).get("z")
                answers[index] = {"tileId": tile_id, "world": _position(point, z)}
    return answers  # type: ignore[return-value]


def _local_problem(item: Item | None) -> str | None:
    if item is None:
        return "coordinates are missing"
    if "tileId" not in item:
        return "tileId is missing"
    if "local" not in item:
        return "local values are missing"
    if len(item["local"]) < 2:
        return "local values must include both x and y"
    return None


def _world_problem(item: Item | None, z: float | None) -> str | None:
    if item is None:
        return "coordinates are missing"
    if "world" not in item:
        return "world values are missing"
    needed = 3 if z is None else 2
    if len(item["world"]) < needed:
        return (
            "world values must include x, y, and z" if z is None else "world values must include both x and y"
        )
    return None


def world_to_local(layers: Layers, items: list[Item | None], z: float | None) -> list[list[Item]]:
    """Map world points into all tiles that contain them; what cannot be mapped is echoed with the reason."""
    answers: list[list[Item]] = []
    requests: list[tuple[str, tuple[float, float]]] = []
    places: list[tuple[int, float, int]] = []
    for index, item in enumerate(items):
        problem = _world_problem(item, z)
        if item is None or problem is not None:
            answers.append([_failed(item, problem or "")])
            continue
        point = _point(item["world"])
        layer = float(item["world"][2]) if z is None else z
        try:
            tile_ids = layers.at(*point, layer)
        except Refusal as refusal:
            answers.append([_failed(item, refusal.message)])
            continue
        answers.append([])
        places.append((index, layer, len(tile_ids)))
        requests += [(tile_id, point) for tile_id in tile_ids]
    mapped = iter(zip(requests, _mapped(layers, requests, to_local)))
    for index, layer, count in places:
        answers[index] = _visible(items[index], layer, [next(mapped) for _ in range(count)])
    return answers


def _visible(
    item: Item | None, z: float, mapped: list[tuple[tuple[str, tuple[float, float]], Any]]
) -> list[Item]:
    """Answer one world point from its places in the tiles that contain it; the last one is on top."""
    answer: list[Item] = []
    for (tile_id, _), point in mapped:
        if isinstance(point, Refusal):
            return [_failed(item, point.message)]
        if np.isfinite(point).all():
            answer.append({"tileId": tile_id, "local": _position(point, z)})
    if not answer:
        (_, (x, y)), _ = mapped[0]
        tile_ids = ", ".join(tile_id for (tile_id, _), _ in mapped)
        return [
            _failed(
                item,
                f"world coordinate ({java_double(x)}, {java_double(y)}) found in tile id(s) [{tile_ids}] "
                "cannot be inverted",
            )
        ]
    last = answer[-1]
    answer[-1] = {"tileId": last["tileId"], "visible": True, "local": last["local"]}
    return answer


def _single_world_to_local(layers: Layers, x: float, y: float, z: float) -> list[Item]:
    layers.at(x, y, z)
    (answer,) = world_to_local(layers, [{"world": [x, y]}], z)
    if "error" in answer[0]:
        raise Refusal(500, answer[0]["error"])
    return answer


@service.get(STACK + "/tile/{tileId}/local-to-world-coordinates" + POINT)
def tile_to_world(server: Context, stack: StackKey, tileId: str, x: float, y: float) -> Answer:
    """Map a point of a tile to the world."""
    with server.store.read() as connection:
        tile = get_tile(connection, stack, tileId)
    (point,) = to_world([tile], [0], [(x, y)])
    return json_of({"tileId": tileId, "world": _position(point, tile.get("z"))})


@service.get(LAYER + "/world-to-local-coordinates" + POINT)
def layer_to_local(server: Context, stack: StackKey, z: float, x: float, y: float) -> Answer:
    """Map a point of the world into the tiles that contain it."""
    with server.store.read() as connection:
        return json_of(_single_world_to_local(Layers(connection, stack), x, y, z))


@service.put(STACK + "/local-to-world-coordinates", name_status=500)
@service.put(LAYER + "/local-to-world-coordinates", name_status=500)
def batch_to_world(server: Context, stack: StackKey, body: Any, z: float | None = None) -> Answer:
    """Map points of tiles to the world; the z of the path has no meaning."""
    items = _items(body)
    with server.store.read() as connection:
        return json_of(local_to_world(Layers(connection, stack), items))


@service.put(STACK + "/world-to-local-coordinates", name_status=500)
@service.put(LAYER + "/world-to-local-coordinates", name_status=500)
def batch_to_local(server: Context, stack: StackKey, body: Any, z: float | None = None) -> Answer:
    """Map points of the world into the tiles that contain them."""
    items = _items(body)
    with server.store.read() as connection:
        return json_of(world_to_local(Layers(connection, stack), items, z))


@service.put(STACK + "/tileIdsForCoordinates")
@service.put(LAYER + "/tileIdsForCoordinates")
def tile_ids_for_coordinates(server: Context, stack: StackKey, body: Any, z: float | None = None) -> Answer:
    """Tell which tiles contain points of the world, by their bounding boxes."""
    items = _items(body)
    answers: list[list[Item]] = []
    with server.store.read() as connection:
        layers = Layers(connection, stack)
        for item in items:
            problem = _world_problem(item, z)
            if item is None or problem is not None:
                raise Refusal(500, problem or "")
            x, y = _point(item["world"])
            layer = float(item["world"][2]) if z is None else z
            tile_ids = layers.ids(x, y, layer)
            rest = {key: value for key, value in item.items() if key != "tileId"}
            answers.append([{"tileId": tile_id, **rest} for tile_id in tile_ids] or [item])
    return json_of(answers)


@service.get(
    LAYER + "/world-coordinates" + POINT + "/mapped-to-stack/{toStack}",
    query={"toOwner": string, "toProject": string},
)
def mapped_to_stack(
    server: Context,
    stack: StackKey,
    z: float,
    x: float,
    y: float,
    toStack: str,
    toOwner: str | None,
    toProject: str | None,
) -> Answer:
    """Map a point of the world through its visible tile to the world of another stack."""
    with server.store.read() as connection:
        visible = _single_world_to_local(Layers(connection, stack), x, y, z)[-1]
        target = StackKey(toOwner or stack.owner, toProject or stack.project, toStack).checked()
        tile = get_tile(connection, target, visible["tileId"])
    (point,) = to_world([tile], [0], [visible["local"][:2]])
    return json_of({"tileId": visible["tileId"], "world": _position(point, tile.get("z"))})


def _sent_tile(body: Any) -> Document:
    if body is None:
        raise Refusal(500, "the tile spec must not be null")
    tile = tile_spec(body)
    missing = next(references(tile["transforms"]), None)
    if missing is not None:
        raise Refusal(400, f"spec reference to id '{missing}' has not been resolved")
    return flatten_tile(tile, SharedTransforms({}))


@service.put(OWNER + "/local-to-world-coordinates" + POINT)
def sent_tile_to_world(server: Context, owner: str, x: float, y: float, body: Any) -> Answer:
    """Map a point of a tile spec that is sent, with its transforms resolved, to the world."""
    tile = _sent_tile(body)
    (point,) = to_world([tile], [0], [(x, y)])
    return json_of(_position(point, tile.get("z")))


@service.put(OWNER + "/world-to-local-coordinates" + POINT, query={"meshCellSize": double})
def sent_tile_to_local(
    server: Context, owner: str, x: float, y: float, meshCellSize: float | None, body: Any
) -> Answer:
    """Map a point of the world into a tile spec that is sent, with its transforms resolved."""
    tile = _sent_tile(body)
    if meshCellSize is not None:
        tile["meshCellSize"] = meshCellSize
    if not tile["transforms"]["specList"]:
        # nothing to invert, whatever the tile's size
        return json_of(_position((x, y), tile.get("z")))
    if not tile["meshCellSize"]:
        raise Refusal(500, "a mesh cannot have a meshCellSize of 0.0")
    (point,) = to_local([tile], [0], [(x, y)])
    if not np.isfinite(point).all():
        if is_singular(tile):
            raise Refusal(500, "Model not invertible.")
        raise Refusal(500, f"Noninvertible location ( {java_double(x)}, {java_double(y)} )")
    return json_of(_position(point, tile.get("z")))
