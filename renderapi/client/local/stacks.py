"""What the Java clients that change stacks do, in Python: import of files, changed and added transforms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from renderapi._names import BOX
from renderapi._parallel import progress_reporter
from renderapi._project import Project
from renderapi.client.checks import ClientArgumentError
from renderapi.client.documents import Document, read_documents, tiles_with_ids
from renderapi.client.local import uploading
from renderapi.client.validation import TileSpecValidator
from renderapi.errors import NotFoundError, SpecError
from renderapi.geometry.chains import AFFINE_KINDS, read_numbers
from renderapi.geometry.pairs import touching
from renderapi.render import stack_url
from renderapi.resolvedtiles import check_finite
from renderapi.stack import create_stack, get_full_stack_metadata, set_stack_metadata
from renderapi.transform.data_strings import format_doubles
from renderapi.transform.native import AFFINE, TRANSLATION
from renderapi.utils import get_json, java_double

#: How a transform is put among those that a tile has (the last of these is also called CONCATENATE_TO_LAST).
METHODS = (
    "APPEND", "INSERT_AS_FIRST", "INSERT_BEFORE_LAST", "REPLACE_LAST", "REPLACE_ALL", "PRE_CONCATENATE_LAST",
)  # fmt: skip
_METADATA = ("stackResolutionX", "stackResolutionY", "stackResolutionZ", "mipmapPathBuilder")


# ------------------------------------------------------------------------------------------- import


def import_files(
    connection: Project,
    stack: str,
    paths: Iterable[str | Path],
    transform_file: str | None,
    validator: TileSpecValidator | None,
    options: Mapping[str, Any],
    threads: int = 1,
) -> list[str]:
    """Import JSON files of tile specs, as ImportJsonClient does.

    Parameters
    ----------
    connection, stack
        Where the tiles go; the stack is set LOADING and left so.
    paths : iterable of path
        Files with a JSON list of TileSpec documents each.
    transform_file : path, optional
        File with a JSON list of shared transforms.
    validator : TileSpecValidator, optional
        Decides which tiles are taken.
    options : dict
        ``progress`` and ``batch_size``; ``executor``, if not threads of its own are to send.
    threads : int
        Threads that send.

    Returns
    -------
    list of str
        Ids of the tiles that the validator rejected.
    """
    transforms = [] if transform_file is None else read_documents(transform_file, "transform specs")
    shared = uploading.shared_documents(transforms)
    job = uploading.Import(
        stack, connection, shared, executor=options.get("executor"), doubts=options.get("doubts")
    )
    rejected: list[str] = []
    if validator is not None:
        # what only rejected tiles refer to is not stored either
        job.unsent_shared = {}

    def tiles() -> Iterator[Document]:
        for path in paths:
            documents = read_documents(path, "tile specs")
            if validator is not None:
                documents, problems = validator.split(documents, job.shared)
                rejected.extend(problems)
            yield from documents

    uploading.make_loading(stack, connection)
    uploading.import_stream(job, tiles(), _batch_size(options), threads, options.get("progress"))
    return rejected


def _batch_size(options: Mapping[str, Any]) -> int:
    return options.get("batch_size") or uploading.BATCH_TILES


# ------------------------------------------------------------------------------------------- layers


def derive_stack(source: Project, stack: str, target: Project, target_stack: str) -> None:
    """Make sure that there is a stack for what is derived from another, and that it is LOADING.

    Resolution and mipmap path builder are those of the other, unless it has some.

    Raises
    ------
    NotFoundError
        If the other does not exist.
    StackStateError
        If the stack is READ_ONLY.
    """
    version = get_full_stack_metadata(stack, **source.keywords()).get("currentVersion") or {}
    inherited = {name: version[name] for name in _METADATA if version.get(name) is not None}
    try:
        own = get_full_stack_metadata(target_stack, **target.keywords()).get("currentVersion") or {}
    except NotFoundError:
        origin = f"stack with owner '{source.owner}', project '{source.project}', and name '{stack}'"
        create_stack(
            target_stack,
            force_resolution=False,
            versionNotes=f"derived from {origin}",
            **inherited,
            **target.keywords(),
        )
        return
    missing = {name: value for name, value in inherited.items() if own.get(name) is None}
    if missing:
        set_stack_metadata(target_stack, {**own, **missing}, **target.keywords())
    uploading.make_loading(target_stack, target)


class Layer:
    """Tiles of a layer as they are stored, and the shared transforms that they refer to.

    Attributes
    ----------
    z : float
    tiles : list of dict
        TileSpec documents, by tile id.
    shared : dict
        Shared transform documents by id.
    """

    def __init__(self, connection: Project, stack: str, z: float) -> None:
        self.z = z
        url = stack_url(
            connection.host, connection.port, connection.owner, connection.project, stack, "z", z,
            "resolvedTiles",
        )  # fmt: skip
        document = get_json(connection.thread_session(), url)
        tiles = document.get("tileIdToSpecMap") or {}
        self.tiles: list[Document] = [{"tileId": key, **tiles[key]} for key in sorted(tiles)]
        self.shared = {
            key: {**spec, "id": key} for key, spec in (document.get("transformIdToSpecMap") or {}).items()
        }

    def boxes(self) -> Any:
        """Return the stored boxes of the tiles, (N, 4)."""
        names = BOX
        rows = [[tile[name] for name in names] for tile in self.tiles]
        return np.array(rows, dtype=np.float64).reshape(-1, 4)

    def put(self, specs: Sequence[Document], method: str) -> None:
        """Put a transform into each tile's list.

        Parameters
        ----------
        specs : list of dict
            One transform document for each tile.
        method : str
            One of `METHODS`.

        Raises
        ------
        SpecError
            If transforms are to be multiplied that are not affine.
        """
        if method == "PRE_CONCATENATE_LAST":
            self._multiply(specs)
            return
        for tile, spec in zip(self.tiles, specs):
            own = _specs(tile)
            if method in ("APPEND", "REPLACE_LAST", "REPLACE_ALL"):
                keep = {"APPEND": len(own), "REPLACE_LAST": max(len(own) - 1, 0), "REPLACE_ALL": 0}[method]
                own = [*own[:keep], spec]
            else:
                place = 0 if method == "INSERT_AS_FIRST" else max(len(own) - 1, 0)
                own = [*own[:place], spec, *own[place:]]
            _set_specs(tile, own)

    def _multiply(self, specs: Sequence[Document]) -> None:
        lasts = []
        for tile in self.tiles:
            own = _specs(tile)
            if not own:
                raise SpecError(f"tile {tile['tileId']} has no last transform to multiply with")
            lasts.append(own[-1])
        names = [f"tile {tile['tileId']}" for tile in self.tiles]
        n00, n01, n10, n11, n02, n12 = self._affine(specs, "new transform of", names).T
        l00, l01, l10, l11, l02, l12 = self._affine(lasts, "last transform of", names).T
        # in this order, because every other rounds otherwise
        product = np.column_stack(
            [
                n00 * l00 + n01 * l10,
                n10 * l00 + n11 * l10,
                n00 * l01 + n01 * l11,
                n10 * l01 + n11 * l11,
                n00 * l02 + n01 * l12 + n02,
                n10 * l02 + n11 * l12 + n12,
            ]
        )
        for tile, numbers in zip(self.tiles, product.tolist()):
            last = {"type": "leaf", "className": AFFINE, "dataString": format_doubles(numbers)}
            _set_specs(tile, [*_specs(tile)[:-1], last])

    def _affine(self, specs: Sequence[Document], what: str, names: Sequence[str]) -> Any:
        """Return m00, m01, m10, m11, m02, m12 of affine transforms, (N, 6)."""
        numbers = np.empty((len(specs), 6))
        rows: dict[str, list[int]] = {}
        texts: list[str] = []
        for row, spec in enumerate(specs):
            found: Document = (
                self.shared.get(spec.get("refId", ""), {}) if spec.get("type") == "ref" else spec
            )
            if found.get("className") not in AFFINE_KINDS or not isinstance(found.get("dataString"), str):
                kind = found.get("className") or found.get("type") or "missing"
                raise SpecError(
                    f"the {what} {names[row]} is not affine ({kind}), so that it is not multiplied"
                )
            rows.setdefault(found["className"], []).append(row)
            texts.append(found["dataString"])
        for kind, chosen in rows.items():
            numbers[chosen] = read_numbers(kind, [texts[row] for row in chosen])
        return numbers

    def send(
        self,
        target: Project,
        stack: str,
        validator: TileSpecValidator | None,
        options: Mapping[str, Any],
    ) -> list[str]:
        """Derive the boxes of the tiles, leave out those that are invalid, and store the others.

        Returns
        -------
        list of str
            Ids of the tiles that were left out.
        """
        tiles, rejected = self.tiles, list[str]()
        job = uploading.Import(stack, target, self.shared)
        if validator is not None:
            tiles, rejected = validator.split(tiles, self.shared)
            job.unsent_shared = {}
        if tiles:
            uploading.import_all(job, tiles, _batch_size(options), 1, None)
        return rejected


def _specs(tile: Document) -> list[Document]:
    return list((tile.get("transforms") or {}).get("specList") or ())


def _set_specs(tile: Document, specs: list[Document]) -> None:
    tile["transforms"] = {**(tile.get("transforms") or {}), "type": "list", "specList": specs}


# ------------------------------------------------------------------------------------------- changes


def change_transforms(
    source: Project,
    stack: str,
    target: Project,
    target_stack: str,
    path: str | Path,
    method: str,
    validator: TileSpecValidator | None,
    options: Mapping[str, Any],
) -> list[str]:
    """Change transforms of tiles, and store these in another stack, as ImportTransformChangesClient does.

    Every tile is changed and checked before the first is stored.

    Parameters
    ----------
    source, stack, target, target_stack
        Where tiles are read, and stored.
    path : path
        File with a JSON list of ``{"tileId": ..., "transform": ...}``.
    method : str
        One of `METHODS`.
    validator, options
        As for `import_files`.

    Returns
    -------
    list of str
        Ids of the tiles that the validator rejected.

    Raises
    ------
    SpecError
        If the file or a transform in it is bad.
    NotFoundError
        If the stack or a tile does not exist.
    """
    changes = _read_changes(path)
    derive_stack(source, stack, target, target_stack)
    found = tiles_with_ids(source, stack, list(changes))
    missing = changes.keys() - {tile["tileId"] for tile in found}
    if missing:
        shown = ", ".join(sorted(missing)[:5]) + (" ..." if len(missing) > 5 else "")
        raise NotFoundError(f"{len(missing)} tiles of {path} are not in stack {stack}: {shown}")
    tiles: list[Document] = []
    shared: dict[str, Document] = {}
    rejected: list[str] = []
    zs = sorted({float(tile["z"]) for tile in found})
    with progress_reporter(options.get("progress"), len(zs), "changing transforms") as advance:
        for z in zs:
            layer = Layer(source, stack, z)
            layer.tiles = [tile for tile in layer.tiles if tile["tileId"] in changes]
            layer.put([changes[tile["tileId"]] for tile in layer.tiles], method)
            kept = layer.tiles
            if validator is not None:
                kept, problems = validator.split(kept, layer.shared)
                rejected += problems
            tiles += kept
            shared.update(layer.shared)
            advance(1)
    job = uploading.Import(target_stack, target, shared)
    # render stores only those that a tile refers to
    job.unsent_shared = {}
    if tiles:
        uploading.import_all(job, tiles, _batch_size(options), 1, None)
    return rejected


def _read_changes(path: str | Path) -> dict[str, Document]:
    documents = read_documents(path, "tile ids and transforms")
    if not documents:
        raise SpecError(f"{path} holds no changes")
    changes: dict[str, Document] = {}
    for index, document in enumerate(documents):
        tile_id, transform = document.get("tileId"), document.get("transform")
        if not isinstance(tile_id, str) or not isinstance(transform, dict):
            raise SpecError(f"change {index} of {path} must have a tileId and a transform")
        if tile_id in changes:
            raise SpecError(f"{path} lists tile {tile_id} twice")
        check_finite(transform, f"the transform of tile {tile_id!r}")
        changes[tile_id] = transform
    return changes


# ------------------------------------------------------------------------------------------- sections


class SectionTransform:
    """A transform for all tiles of some layers, and how it is put among those that they have.

    Parameters
    ----------
    transform_id, class_name, data : str
        The transform; numbers may be separated by blanks or commas.
    method : str
        One of `METHODS` without REPLACE_ALL.
    minimum : float, optional
        Move each layer so that its smallest x and y are this, instead.
    bounds : sequence of 4 float, optional
        minX, minY, maxX, maxY: only tiles that touch this box.
    """

    def __init__(
        self,
        transform_id: str,
        class_name: str,
        data: str,
        method: str,
        minimum: float | None = None,
        bounds: Sequence[float] | None = None,
    ) -> None:
        self.spec = {
            "type": "leaf",
            "id": transform_id,
            "className": class_name,
            "dataString": " ".join(str(data).replace(",", " ").split()),
        }
        check_finite(self.spec, f"the transform {transform_id!r}")
        self.method = method
        self.minimum = minimum
        self.bounds = bounds

    def apply(self, layer: Layer) -> None:
        """Change the tiles of a layer, and forget those outside of the bounds."""
        spec = self.spec if self.minimum is None else self._shift(layer)
        if self.bounds is not None:
            inside = touching(layer.boxes(), self.bounds)
            layer.tiles = [tile for tile, keep in zip(layer.tiles, inside.tolist()) if keep]
        if self.method == "PRE_CONCATENATE_LAST":
            layer.put([spec] * len(layer.tiles), self.method)
            return
        layer.shared[spec["id"]] = spec
        reference = {"type": "ref", "refId": spec["id"]}
        layer.put([dict(reference) for _ in layer.tiles], self.method)

    def _shift(self, layer: Layer) -> Document:
        min_x, min_y = layer.boxes()[:, :2].min(axis=0).tolist()
        minimum = float(self.minimum or 0.0)
        return {
            **self.spec,
            "id": f"{self.spec['id']}_{java_double(layer.z)}",
            "className": AFFINE,
            "dataString": format_doubles([1.0, 0.0, 0.0, 1.0, minimum - min_x, minimum - min_y]),
        }


def between_tiles(
    connection: Project, stack: str, from_id: str, to_id: str, method: str
) -> tuple[SectionTransform, float]:
    """Return the translation that lays one tile's layer on another tile, and the z of that layer.

    Raises
    ------
    NotFoundError
        If a tile does not exist.
    """
    tiles = {tile["tileId"]: tile for tile in tiles_with_ids(connection, stack, [from_id, to_id])}
    for tile_id in (from_id, to_id):
        if tile_id not in tiles:
            raise NotFoundError(f"tile {tile_id} is not in stack {stack}")
    shift = [tiles[to_id][name] - tiles[from_id][name] for name in ("minX", "minY")]
    transform = SectionTransform(f"MOVE_{from_id}_TO_{to_id}", TRANSLATION, format_doubles(shift), method)
    return transform, float(tiles[from_id]["z"])


def transform_sections(
    source: Project,
    stack: str,
    target: Project,
    target_stack: str,
    transform: SectionTransform,
    zs: Sequence[float],
    validator: TileSpecValidator | None,
    options: Mapping[str, Any],
) -> list[str]:
    """Add a transform to all tiles of some layers, as TransformSectionClient does, one layer after the other.

    Parameters
    ----------
    source, stack, target, target_stack
        Where tiles are read, and stored.
    transform : SectionTransform
        The transform.
    zs : sequence of float
        The layers.
    validator, options
        As for `import_files`.

    Returns
    -------
    list of str
        Ids of the tiles that the validator rejected.

    Raises
    ------
    NotFoundError
        If the stack or a layer does not exist.
    SpecError
        If the transform, or the tile with it, is bad; the layers before it are stored.
    """
    if not zs:
        raise ClientArgumentError("transformSectionClient needs zValues, the layers to transform")
    derive_stack(source, stack, target, target_stack)
    rejected: list[str] = []
    with progress_reporter(options.get("progress"), len(zs), "transforming layers") as advance:
        for z in zs:
            layer = Layer(source, stack, float(z))
            transform.apply(layer)
            rejected += layer.send(target, target_stack, validator, options)
            advance(1)
    return rejected
