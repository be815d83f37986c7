"""Stacks and match collections in files: a folder with a manifest, and one file for each layer or group.

``manifest.json`` says what is in the folder, its ``metadata``, and count and digest of each part; it says
``"complete": true`` once everything is there. Of a stack each layer is ``tiles/z=1.0.jsonl.gz``, and the shared
transforms that its tiles refer to are ``transforms/z=1.0.jsonl.gz``; of a collection each group is
``matches/pGroupId=1.0.jsonl.gz``. A file appears with its whole content or not at all.
"""

from __future__ import annotations

import gzip
import re
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from renderapi import _json
from renderapi._extras import arrow
from renderapi._replacing import replacing
from renderapi.errors import BadRequestError, NotFoundError, TransferError
from renderapi.http.urls import format_number
from renderapi.transfer.parts import ContentDigest, Key, Part, PartDigest
from renderapi.transfer.servers import pair_key

#: Format of files, by the end of their names.
FORMATS = ("jsonl.gz", "jsonl.zst", "parquet")
MANIFEST = "manifest.json"
_VERSION = 1
_PREFIXES = {"stack": "z=", "matches": "pGroupId="}
_FOLDERS = {"stack": "tiles", "matches": "matches"}
_NAMES = {"stack": "z", "matches": "pGroupId"}
_GZIP_LEVEL = 4
#: Columns of Parquet whose values occur again and again.
_REPEATED = ("sectionId", "groupId", "camera", "maskUrl", "className", "pGroupId", "qGroupId")
#: Rows of a row group of Parquet.
_ROWS = 10_000
_TILE_ID = re.compile(rb'\{"tileId":"([^"\\]*)"')
_SHARED_ID = re.compile(rb'\{(?:"type":"[^"\\]*",)?"id":"([^"\\]*)"')
_SIDES = ("px", "py", "qx", "qy")


def _arrow() -> Any:
    pyarrow = arrow("files of zstd and Parquet need pyarrow", ". Format 'jsonl.gz' needs nothing")
    import_module("pyarrow.parquet")
    return pyarrow


# ------------------------------------------------------------------------------------------- JSON lines


def _write_lines(path: Path, documents: Sequence[bytes], compress: str) -> None:
    content = b"\n".join([*documents, b""])
    if content.count(b"\n") != len(documents):  # written by somebody who breaks lines
        content = b"\n".join([*(_json.dumps(_json.loads(document)) for document in documents), b""])
    if compress == "gz":
        path.write_bytes(gzip.compress(content, _GZIP_LEVEL, mtime=0))
    else:
        with _arrow().output_stream(str(path), compression="zstd") as stream:
            stream.write(content)


def _read_lines(path: Path, compress: str) -> list[bytes]:
    if compress == "gz":
        content = gzip.decompress(path.read_bytes())
    else:
        with _arrow().input_stream(str(path), compression="zstd") as stream:
            content = stream.read()
    return content.split(b"\n")[:-1]


# ------------------------------------------------------------------------------------------- Parquet


def _columns_of_tiles(documents: Sequence[bytes], tiles: Sequence[Any]) -> dict[str, Any]:
    pa = _arrow()
    layouts = [tile.get("layout") or {} for tile in tiles]
    images = [(tile.get("mipmapLevels") or {}).get("0") or {} for tile in tiles]
    numbers = ("minX", "minY", "maxX", "maxY", "width", "height")
    text, number, whole = pa.string(), pa.float64(), pa.int64()
    return {
        "tileId": pa.array([tile["tileId"] for tile in tiles], text),
        "z": pa.array([tile.get("z") for tile in tiles], number),
        "sectionId": pa.array([layout.get("sectionId") for layout in layouts], text),
        "groupId": pa.array([tile.get("groupId") for tile in tiles], text),
        **{name: pa.array([tile.get(name) for tile in tiles], number) for name in numbers},
        **{
            name: pa.array([layout.get(name) for layout in layouts], kind)
            for name, kind in (
                ("stageX", number),
                ("stageY", number),
                ("imageRow", whole),
                ("imageCol", whole),
            )
        },
        "camera": pa.array([layout.get("camera") for layout in layouts], text),
        "imageUrl": pa.array([image.get("imageUrl") for image in images], text),
        "maskUrl": pa.array([image.get("maskUrl") for image in images], text),
        "transformRefs": pa.array(list(map(_references, tiles)), pa.list_(text)),
        "document": pa.array(documents, pa.binary()).cast(text),
    }


def _references(tile: dict[str, Any]) -> list[str]:
    specs = (tile.get("transforms") or {}).get("specList") or ()
    return [spec["refId"] for spec in specs if spec.get("type") == "ref"]


def _columns_of_transforms(documents: Sequence[bytes], specs: Sequence[Any]) -> dict[str, Any]:
    pa = _arrow()
    return {
        "id": pa.array([spec.get("id") for spec in specs], pa.string()),
        "className": pa.array([spec.get("className") for spec in specs], pa.string()),
        "document": pa.array(documents, pa.binary()).cast(pa.string()),
    }


def _columns_of_matches(documents: Sequence[bytes], pairs: Sequence[Any]) -> dict[str, Any]:
    import numpy as np

    pa = _arrow()
    points = [_point_rows(pair) for pair in pairs]
    columns: dict[str, Any] = {
        name: pa.array([pair[name] for pair in pairs], pa.string())
        for name in ("pGroupId", "pId", "qGroupId", "qId")
    }
    sizes = [0 if rows is None else len(rows[0]) for rows in points]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    missing = pa.array([rows is None for rows in points])
    for place, name in enumerate((*_SIDES, "w")):
        flat = np.fromiter(
            chain.from_iterable(rows[place] for rows in points if rows is not None), np.float64, offsets[-1]
        )
        columns[name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat), mask=missing)
    # what the columns cannot say is kept as it is
    columns["document"] = pa.array(
        [document.decode() if rows is None else None for document, rows in zip(documents, points)],
        pa.string(),
    )
    return columns


def _point_rows(pair: dict[str, Any]) -> tuple[list[float], ...] | None:
    """Return x and y of p, x and y of q, and the weights; None of a pair that has more or less than these."""
    matches = pair.get("matches")
    if len(pair) != 6 or "matchCount" not in pair or not isinstance(matches, dict) or len(matches) != 3:
        return None
    try:
        (px, py), (qx, qy), w = matches["p"], matches["q"], matches["w"]
        rows = (px, py, qx, qy, w)
        plain = all(len(row) == pair["matchCount"] and set(map(type, row)) <= {float} for row in rows)
    except (KeyError, TypeError, ValueError):
        return None
    return rows if plain else None


def _pairs_of(table: Any) -> list[bytes]:
    columns = {name: table[name].to_pylist() for name in ("pGroupId", "pId", "qGroupId", "qId", "document")}
    rows: dict[str, Any] = {}
    for name in (*_SIDES, "w"):
        column = table[name].combine_chunks()
        rows[name] = column.flatten().to_numpy(zero_copy_only=False).tolist()
    ends = table["w"].combine_chunks().value_lengths().fill_null(0).to_pylist()
    pairs = []
    start = 0
    for row, size in enumerate(ends):
        stop = start + size
        if columns["document"][row] is not None:
            pairs.append(columns["document"][row].encode())
        else:
            px, py, qx, qy, w = (rows[name][start:stop] for name in (*_SIDES, "w"))
            pair = {name: columns[name][row] for name in ("pGroupId", "pId", "qGroupId", "qId")}
            matches = {"p": [px, py], "q": [qx, qy], "w": w}
            pairs.append(_json.dumps({**pair, "matches": matches, "matchCount": size}))
        start = stop
    return pairs


_COLUMNS: dict[str, Callable[[Sequence[bytes], Sequence[Any]], dict[str, Any]]] = {
    "tiles": _columns_of_tiles,
    "transforms": _columns_of_transforms,
    "matches": _columns_of_matches,
}


def _write_parquet(path: Path, documents: Sequence[bytes], what: str, decoded: Sequence[Any] | None) -> None:
    pa = _arrow()
    writer = None
    try:
        # some at a time, because decoded documents are large
        for start in range(0, max(len(documents), 1), _ROWS):
            part = documents[start : start + _ROWS]
            with _json.collector_paused():
                objects = list(map(_json.loads, part)) if decoded is None else decoded[start : start + _ROWS]
                table = pa.table(_COLUMNS[what](part, objects))
            writer = writer or pa.parquet.ParquetWriter(
                path, table.schema, compression="zstd", use_dictionary=[*_REPEATED]
            )
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _read_parquet(path: Path, what: str) -> list[bytes]:
    pa = _arrow()
    # not read_table, which takes a folder called a=b for a column
    with pa.parquet.ParquetFile(path) as file:
        if what == "matches":
            return _pairs_of(file.read())
        documents: list[bytes] = file.read(["document"])["document"].cast(pa.binary()).to_pylist()
        return documents


# ------------------------------------------------------------------------------------------- folders


def _key_of(documents: list[bytes], pattern: re.Pattern[bytes], name: str) -> dict[str, bytes]:
    keyed = {}
    for document in documents:
        found = pattern.match(document)
        keyed[found[1].decode() if found else str(_json.loads(document)[name])] = document
    return keyed


def _is_left(path: Path) -> bool:
    """Tell whether a file is what a program that was killed was writing."""
    return path.name.startswith(".") and path.name.endswith(".part")


@dataclass
class Folder:
    """A folder with a stack or a match collection.

    Parameters
    ----------
    path : path
        The folder; made if it is not there.
    kind : {"stack", "matches"}
        What is in it.
    format : {"jsonl.gz", "jsonl.zst", "parquet"}, optional
        How it is written. Default: as it is.
    """

    path: Path
    kind: str
    format: str | None = None
    _manifest: dict[str, Any] = field(init=False, default_factory=dict)
    _parts: dict[Key, PartDigest] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read the manifest, if there is one."""
        if self.format is not None and self.format not in FORMATS:
            raise BadRequestError(f"format is {self.format!r}; it must be one of {', '.join(FORMATS)}")
        manifest = self.path / MANIFEST
        if manifest.exists():
            try:
                self._manifest = _json.loads(manifest.read_bytes())
                kind, version = self._manifest["renderapi"], self._manifest["version"]
                name = _NAMES[kind]
                self._parts = {
                    part[name]: PartDigest(part["count"], part["digest"])
                    for part in self._manifest.pop("parts", ())
                }
            except (KeyError, TypeError, ValueError):
                raise TransferError(f"{manifest} is no manifest of an export") from None
            if version != _VERSION:
                raise TransferError(f"{manifest} is of version {version}, which is not known here")
            if kind != self.kind:
                raise BadRequestError(f"{self.path} holds an export of {kind}, not of {self.kind}")
        elif self.format is None:
            raise NotFoundError(f"{self.path} holds no export: there is no {MANIFEST}")
        elif self.path.exists() and not (self.path.is_dir() and all(map(_is_left, self.path.iterdir()))):
            raise FileExistsError(f"{self.path} is there, and is no export: nothing was written")
        if self.format is None:
            self.format = str(self._manifest["format"])
        if self.format != "jsonl.gz":
            _arrow()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is long and not needed elsewhere."""
        return {**self.__dict__, "_parts": {}}

    def __str__(self) -> str:
        return f"folder {self.path}"

    @property
    def where(self) -> str:
        """What it is, and nothing else."""
        return str(self.path.absolute())

    @property
    def takes_decoded(self) -> bool:
        """Whether it needs the documents decoded to write them."""
        return self.format == "parquet"

    # ------------------------------------------------------------------------------- the manifest

    def description(self) -> dict[str, Any]:
        """Return what the manifest says, beside the parts.

        Raises
        ------
        TransferError
            If the export was not finished, or files are missing.
        """
        if not self._manifest.get("complete"):
            raise TransferError(f"the export in {self.path} is not finished: run it again")
        different = self._parts.keys() ^ set(self.parts())
        if different:
            shown = ", ".join(map(str, sorted(different)[:3]))
            raise TransferError(f"{self} and its manifest disagree about {shown}: run the export again")
        return {**self._manifest["metadata"], "count": self._manifest["count"]}

    def parts(self) -> list[Key]:
        """List the parts whose files are there."""
        ending = f".{self.format}"
        prefix = _PREFIXES[self.kind]
        names = [path.name for path in (self.path / _FOLDERS[self.kind]).glob(f"*{ending}")]
        texts = sorted(unquote(name[len(prefix) : -len(ending)]) for name in names if name.startswith(prefix))
        return sorted(map(float, texts)) if self.kind == "stack" else list(texts)

    def refusal(self, description: dict[str, Any]) -> str:
        """Say why what is so described cannot be carried here, unless what is here is overwritten."""
        if self._manifest and self._manifest["format"] != self.format:
            return f"its files are {self._manifest['format']}, not {self.format}"
        there = {key: value for key, value in self._manifest.get("metadata", {}).items() if key != "name"}
        wanted = {key: value for key, value in description.items() if key not in ("name", "count")}
        if self._manifest and there != wanted:
            return "its manifest describes another stack"
        return ""

    def begin(self, description: dict[str, Any]) -> None:
        """Make the folder, and a manifest that says that it is not complete."""
        if self._manifest and self._manifest["format"] != self.format:
            for folder in ("tiles", "transforms", "matches"):
                shutil.rmtree(self.path / folder, ignore_errors=True)
        for path in filter(_is_left, self.path.rglob(".*")):
            path.unlink(missing_ok=True)
        metadata = {key: value for key, value in description.items() if key != "count"}
        self._parts = {}
        self._save_manifest({"complete": False, "metadata": metadata})

    def end(self, content: ContentDigest) -> None:
        """Write the manifest with all counts and digests."""
        self._parts = content.parts
        self._save_manifest(
            {
                "complete": True,
                "metadata": self._manifest["metadata"],
                "count": content.count,
                "digest": content.digest,
            }
        )

    def _save_manifest(self, values: dict[str, Any]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._manifest = {"renderapi": self.kind, "version": _VERSION, "format": self.format, **values}
        name = _NAMES[self.kind]
        parts = [{name: key, "count": part.count, "digest": part.digest} for key, part in self._parts.items()]
        with replacing(self.path / MANIFEST) as temporary:
            temporary.write_bytes(_json.dumps({**self._manifest, "parts": parts}))

    def expected(self, key: Key) -> PartDigest | None:
        """Return what the manifest says of a part."""
        return self._parts.get(key)

    # ------------------------------------------------------------------------------- the parts

    def _file(self, folder: str, key: Key) -> Path:
        text = quote(key, safe="") if isinstance(key, str) else format_number(key)
        return self.path / folder / f"{_PREFIXES[self.kind]}{text}.{self.format}"

    def read(self, key: Key) -> Part:
        """Read a part."""
        documents = self._read(_FOLDERS[self.kind], key)
        if self.kind == "matches":
            return Part({pair_key(document): document for document in documents})
        shared: dict[str, bytes] = {}
        if self._file("transforms", key).exists():
            shared = _key_of(self._read("transforms", key), _SHARED_ID, "id")
        return Part(_key_of(documents, _TILE_ID, "tileId"), shared)

    def write(self, key: Key, part: Part) -> None:
        """Write a part; a file appears with its whole content."""
        # the tiles last: a layer is there when they are
        if part.shared:
            self._write("transforms", key, list(part.shared.values()))
        else:
            self._file("transforms", key).unlink(missing_ok=True)
        self._write(_FOLDERS[self.kind], key, list(part.documents.values()), part.decoded)

    def remove(self, key: Key) -> None:
        """Remove the files of a part."""
        for folder in (_FOLDERS[self.kind], "transforms"):
            self._file(folder, key).unlink(missing_ok=True)

    def unfinished(self) -> str:
        """Say what was left where a transfer failed."""
        return f"the manifest in {self.path} says that it is not complete"

    def _write(self, what: str, key: Key, documents: list[bytes], decoded: list[Any] | None = None) -> None:
        path = self._file(what, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            if self.format == "parquet":
                _write_parquet(temporary, documents, what, decoded)
            else:
                _write_lines(temporary, documents, str(self.format).rpartition(".")[2])

    def _read(self, what: str, key: Key) -> list[bytes]:
        path = self._file(what, key)
        try:
            if self.format == "parquet":
                return _read_parquet(path, what)
            return _read_lines(path, str(self.format).rpartition(".")[2])
        except FileNotFoundError:
            raise
        except (OSError, EOFError, ValueError, KeyError, zlib.error) as error:
            raise TransferError(f"{path} cannot be read, it is damaged: {error}") from None
