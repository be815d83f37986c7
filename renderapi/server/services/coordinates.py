"""CoordinateService: from the pixels of a tile (local) to the world and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from renderapi import _json
from renderapi.geometry.coordinate_documents import (
    failed,
    in_tiles,
    is_finite,
    local_problem,
    position,
    world_problem,
)
from renderapi.server.documents.keys import StackKey
from renderapi.server.documents.mapping import Points, is_singular, to_local, to_world
from renderapi.server.documents.problems import Problem
from renderapi.server.documents.resolving import SharedTransforms, flatten_tile
from renderapi.server.documents.tiles import Document, tile_spec
from renderapi.server.documents.values import Rules, as_boolean, as_double, as_list, as_text, fields
from renderapi.server.endpoints.declaring import (
    OWNER,
    STACK,
    Answer,
    Context,
    Service,
    array_of,
    double,
    json_of,
    string,
)
from renderapi.server.endpoints.refusals import Refusal
from renderapi.server.endpoints.turns import SLICE, by_slices
from renderapi.server.services.layers import LAYER
from renderapi.server.services.parameters import get_tile
from renderapi.server.store import metadata
from renderapi.server.store.database import Transaction
from renderapi.server.store.resolved import shared_transforms
from renderapi.server.store.tile_rows import TileQuery, ids_at_points
from renderapi.transform.trees import references
from renderapi.utils import java_double

service = Service("CoordinateService", "Coordinate mapping")

POINT = "/{x:double},{y:double}"
# resolved tiles that are kept for the rest of a batch
_KEPT = 2000
# what is kept of each
_USED = ("tileId", "z", "width", "height", "transforms", "meshCellSize")
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
    if body is None:
        raise Refusal(500, "the list of coordinates must not be null")

    def read(some: Any) -> Sequence[Item | None]:
        return as_list(some, "coordinates", lambda item, where: fields(item, where, _COORDINATES)) or ()

    if type(body) is not list:
        return list(read(body))
    return [item for some in by_slices(read, body, 10 * SLICE) for item in some]


def _position(point: Sequence[float], z: float | None) -> list[float | str]:
    return position(point, z, words=True)


def _point(values: Sequence[Any]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


class Layers:
    """Tiles of one stack for one request: each is decoded and resolved once.

    Parameters
    ----------
    read : callable
        Opens a transaction for one query after another, as `renderapi.server.Store.held` gives it.
    key : StackKey
        The stack.
    """

    def __init__(self, read: Callable[[], AbstractContextManager[Transaction]], key: StackKey) -> None:
        self.key = key
        self.read = read
        self._tiles: dict[str, Document | Problem] = {}

    def load(self, ids: Sequence[str]) -> None:
        """Resolve tiles beforehand, all with one query; what is wrong with one is said when it is asked for."""
        if len(self._tiles) > _KEPT:
            self._tiles.clear()
        wanted = [tile_id for tile_id in dict.fromkeys(ids) if tile_id not in self._tiles]
        with self.read() as connection:
            row = metadata.contents(connection, self.key)
            if row is None or not wanted:
                return
            found = TileQuery(row, ids=wanted).read(connection, len(wanted))
            shared = shared_transforms(connection, row, found.refs)
        for tile in _json.loads(b"[" + b",".join(found.documents()) + b"]"):
            try:
                self._tiles[tile["tileId"]] = flatten_tile(
                    {key: tile[key] for key in _USED if key in tile}, shared
                )
            except Problem:
                # which transforms there are, for the message, is a matter of the tile alone
                continue

    def tile(self, tile_id: str) -> Document:
        """Return a tile resolved, refuse as the stack does if that is not possible."""
        found = self._tiles.get(tile_id)
        if found is None:
            try:
                with self.read() as connection:
                    found = get_tile(connection, self.key, tile_id)
            except Problem as problem:
                found = problem
            self._tiles[tile_id] = found
        if isinstance(found, Problem):
            raise found
        return found

    def ids(self, points: Sequence[tuple[float, float, float]]) -> list[list[str]]:
        """Return the ids of the tiles whose boxes contain each point, ascending: nobody asks for the stack."""
        with self.read() as connection:
            row = metadata.contents(connection, self.key)
            if row is None:
                return [[] for _ in points]
            return ids_at_points(connection, row, points)

    def no_tiles(self, x: float, y: float, z: float) -> Refusal:
        """400: no box of a tile contains a point."""
        return Refusal(
            400,
            f"no tile specifications found in {self.key} for world coordinates "
            f"x={java_double(x)}, y={java_double(y)}, z={java_double(z)}",
        )


Mapping = Callable[[Sequence[Document], list[int], list[tuple[float, float]]], Points]


def _mapped(
    layers: Layers, requests: list[tuple[str, tuple[float, float]]], map_points: Mapping
) -> list[list[float] | Problem]:
    """Map points, each of its own tile: many at once, or tile by tile if one of them is bad."""

    def mapped(some: Sequence[tuple[str, tuple[float, float]]]) -> list[list[float] | Problem]:
        layers.load([tile_id for tile_id, _ in some])
        return _mapped_at_once(layers, some, map_points)

    # of a point in thousands of tiles there are as many requests
    return [answer for some in by_slices(mapped, requests) for answer in some]


def _mapped_at_once(
    layers: Layers, requests: Sequence[tuple[str, tuple[float, float]]], map_points: Mapping
) -> list[list[float] | Problem]:
    by_tile: dict[str, list[int]] = {}
    for index, (tile_id, _) in enumerate(requests):
        by_tile.setdefault(tile_id, []).append(index)
    answers: list[list[float] | Problem] = [[]] * len(requests)
    tiles: list[Document] = []
    places: list[list[int]] = []
    for tile_id, indices in by_tile.items():
        try:
            tiles.append(layers.tile(tile_id))
            places.append(indices)
        except Problem as problem:
            for index in indices:
                answers[index] = problem

    def map_some(first: int, end: int) -> None:
        of = [number - first for number in range(first, end) for _ in places[number]]
        order = [index for number in range(first, end) for index in places[number]]
        points = map_points(tiles[first:end], of, [requests[index][1] for index in order])
        for index, point in zip(order, points.tolist()):
            answers[index] = point

    try:
        map_some(0, len(tiles))
    except Problem:
        for number, indices in enumerate(places):
            try:
                map_some(number, number + 1)
            except Problem as problem:
                for index in indices:
                    answers[index] = problem
    return answers


def local_to_world(layers: Layers, items: Sequence[Item | None]) -> list[Item]:
    """Map local points; what cannot be mapped is echoed with the reason."""
    answers: list[Item | None] = []
    requests = []
    for item in items:
        problem = local_problem(item)
        answers.append(None if problem is None else failed(item, problem))
        if item is not None and problem is None:
            requests.append((item["tileId"], _point(item["local"])))
    mapped = iter(_mapped(layers, requests, to_world))
    for index, answer in enumerate(answers):
        if answer is None:
            item, point = items[index], next(mapped)
            if isinstance(point, Problem):
                answers[index] = failed(item, point.message)
            else:
                tile_id = item["tileId"]  # type: ignore[index]
                z = layers.tile(tile_id).get("z")
                answers[index] = {"tileId": tile_id, "world": _position(point, z)}
    return answers  # type: ignore[return-value]


def world_to_local(layers: Layers, items: Sequence[Item | None], z: float | None) -> list[list[Item]]:
    """Map world points into all tiles that contain them; what cannot be mapped is echoed with the reason."""
    answers: list[list[Item]] = []
    points: list[tuple[float, float, float]] = []
    asked: list[int] = []
    for index, item in enumerate(items):
        problem = world_problem(item, z)
        answers.append([] if problem is None else [failed(item, problem)])
        if item is not None and problem is None:
            points.append((*_point(item["world"]), float(item["world"][2]) if z is None else z))
            asked.append(index)
    requests: list[tuple[str, tuple[float, float]]] = []
    places: list[tuple[int, float, int]] = []
    for index, (x, y, layer), tile_ids in zip(asked, points, layers.ids(points)):
        if tile_ids:
            places.append((index, layer, len(tile_ids)))
            requests += [(tile_id, (x, y)) for tile_id in tile_ids]
        else:
            answers[index] = [failed(items[index], layers.no_tiles(x, y, layer).message)]
    mapped = iter(zip(requests, _mapped(layers, requests, to_local)))
    for index, layer, count in places:
        answers[index] = _visible(items[index], layer, [next(mapped) for _ in range(count)])
    return answers


def _visible(
    item: Item | None, z: float, mapped: list[tuple[tuple[str, tuple[float, float]], Any]]
) -> list[Item]:
    """Answer one world point from its places in the tiles that contain it."""
    for _, point in mapped:
        if isinstance(point, Problem):
            return [failed(item, point.message)]
    _, world = mapped[0][0]
    return in_tiles(((tile_id, point, z) for (tile_id, _), point in mapped), world, item)


def _single_world_to_local(layers: Layers, x: float, y: float, z: float) -> list[Item]:
    if layers.ids([(x, y, z)]) == [[]]:
        raise layers.no_tiles(x, y, z)
    (answer,) = world_to_local(layers, [{"world": [x, y]}], z)
    if "error" in answer[0]:
        raise Refusal(500, answer[0]["error"])
    return answer


@contextmanager
def layers_of(server: Context, key: StackKey) -> Iterator[Layers]:
    """Return the tiles of a stack; no store is kept from others while points are mapped."""
    with server.store.held() as read:
        yield Layers(read, key)


def _in_slices(items: list[Item | None], answer: Callable[[Sequence[Item | None]], list[Any]]) -> Answer:
    """Answer an array, whose elements are made and written some at a time."""
    return array_of(by_slices(lambda some: _json.dumps(answer(some))[1:-1], items))


@service.get(STACK + "/tile/{tileId}/local-to-world-coordinates" + POINT)
def tile_to_world(server: Context, stack: StackKey, tileId: str, x: float, y: float) -> Answer:
    """Map a point of a tile to the world."""
    with server.store.read() as connection:
        tile = get_tile(connection, stack, tileId)
    (point,) = to_world([tile], [0], [(x, y)]).tolist()
    return json_of({"tileId": tileId, "world": _position(point, tile.get("z"))})


@service.get(LAYER + "/world-to-local-coordinates" + POINT)
def layer_to_local(server: Context, stack: StackKey, z: float, x: float, y: float) -> Answer:
    """Map a point of the world into the tiles that contain it."""
    with layers_of(server, stack) as layers:
        return json_of(_single_world_to_local(layers, x, y, z))


@service.put(STACK + "/local-to-world-coordinates", name_status=500)
@service.put(LAYER + "/local-to-world-coordinates", name_status=500)
def batch_to_world(server: Context, stack: StackKey, body: Any, z: float | None = None) -> Answer:
    """Map points of tiles to the world; the z of the path has no meaning."""
    items = _items(body)
    with layers_of(server, stack) as layers:
        return _in_slices(items, lambda some: local_to_world(layers, some))


@service.put(STACK + "/world-to-local-coordinates", name_status=500)
@service.put(LAYER + "/world-to-local-coordinates", name_status=500)
def batch_to_local(server: Context, stack: StackKey, body: Any, z: float | None = None) -> Answer:
    """Map points of the world into the tiles that contain them."""
    items = _items(body)
    with layers_of(server, stack) as layers:
        return _in_slices(items, lambda some: world_to_local(layers, some, z))


@service.put(STACK + "/tileIdsForCoordinates")
@service.put(LAYER + "/tileIdsForCoordinates")
def tile_ids_for_coordinates(server: Context, stack: StackKey, body: Any, z: float | None = None) -> Answer:
    """Tell which tiles contain points of the world, by their bounding boxes."""
    items = _items(body)
    with layers_of(server, stack) as layers:
        return _in_slices(items, lambda some: _tile_ids(layers, some, z))


def _tile_ids(layers: Layers, items: Sequence[Item | None], z: float | None) -> list[list[Item]]:
    points, sent = [], []
    for item in items:
        problem = world_problem(item, z)
        if item is None or problem is not None:
            raise Refusal(500, problem or "")
        points.append((*_point(item["world"]), float(item["world"][2]) if z is None else z))
        sent.append(item)
    answers = []
    for item, tile_ids in zip(sent, layers.ids(points)):
        rest = {key: value for key, value in item.items() if key != "tileId"}
        answers.append([{"tileId": tile_id, **rest} for tile_id in tile_ids] or [item])
    return answers


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
    with layers_of(server, stack) as layers:
        visible = _single_world_to_local(layers, x, y, z)[-1]
        target = StackKey(toOwner or stack.owner, toProject or stack.project, toStack).checked()
        with layers.read() as connection:
            tile = get_tile(connection, target, visible["tileId"])
    (point,) = to_world([tile], [0], [visible["local"][:2]]).tolist()
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
    (point,) = to_world([tile], [0], [(x, y)]).tolist()
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
    (point,) = to_local([tile], [0], [(x, y)]).tolist()
    if not is_finite(point):
        if is_singular(tile):
            raise Refusal(500, "Model not invertible.")
        raise Refusal(500, f"Noninvertible location ( {java_double(x)}, {java_double(y)} )")
    return json_of(_position(point, tile.get("z")))
