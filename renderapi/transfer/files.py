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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from renderapi import _json
from renderapi._extras import arrow
from renderapi._replacing import replacing
from renderapi.errors import BadRequestError, NotFoundError, TransferError
from renderapi.http.urls import format_number
from renderapi.pointmatch.rows import PAIR
from renderapi.transfer.parts import Condense, ContentDigest, Key, Part, PartDigest, portions
from renderapi.transfer.servers import pair_key

if TYPE_CHECKING:
    from renderapi.transfer import usual

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
#: Rows of a row group of Parquet, at most.
_ROWS = 50_000
#: Rows that are gathered as objects, before they are condensed to columns: a call for fewer takes longer.
_GATHERED = 2_000
_TILE_ID = re.compile(rb'\{"tileId":"([^"\\]*)"')
_SHARED_ID = re.compile(rb'\{(?:"type":"[^"\\]*",)?"id":"([^"\\]*)"')
#: Columns of x and y of p, x and y of q, and of weights.
POINTS = ("px", "py", "qx", "qy", "w")


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


_NOTHING: dict[str, Any] = {}
_OF_LAYOUT = ("sectionId", "stageX", "stageY", "imageRow", "imageCol", "camera")
_OF_IMAGE = ("imageUrl", "maskUrl")
_BOX = ("minX", "minY", "maxX", "maxY")


@cache
def _schema(what: str) -> Any:
    """Return the columns of the files of tiles, shared transforms, or matches."""
    pa = _arrow()
    text, number, whole = pa.string(), pa.float64(), pa.int64()
    if what == "transforms":
        return pa.schema([("id", text), ("className", text), ("document", text)])
    if what == "matches":
        ids = [(name, text) for name in PAIR]
        return pa.schema([*ids, *((name, pa.list_(number)) for name in POINTS), ("document", text)])
    return pa.schema(
        [
            ("tileId", text), ("z", number), ("sectionId", text), ("groupId", text),
            *((name, number) for name in (*_BOX, "width", "height", "stageX", "stageY")),
            ("imageRow", whole), ("imageCol", whole), ("camera", text), ("imageUrl", text), ("maskUrl", text),
            ("transformRefs", pa.list_(text)), ("document", text),
        ]
    )  # fmt: skip


class _Rows:
    """Rows of a file of Parquet, gathered of documents while these are decoded.

    Parameters
    ----------
    what : {"tiles", "transforms", "matches"}
        What they are rows of.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._schema = _schema(what)
        self._batches: list[Any] = []
        self._columns: list[list[Any]] = [[] for _ in self._schema]

    def __call__(self, documents: Sequence[bytes], decoded: Sequence[Any]) -> None:
        """Add rows."""
        for column, values in zip(self._columns, _VALUES_OF[self._what](documents, decoded)):
            column.extend(values)
        if len(self._columns[0]) >= _GATHERED:
            self._condense()

    def table(self) -> Any:
        """Return all rows."""
        self._condense()
        return _arrow().Table.from_batches(self._batches, self._schema)

    def _condense(self) -> None:
        pa = _arrow()
        # bytes of JSON are UTF-8, which the cast makes sure of
        *columns, documents = self._columns
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema)]
        arrays.append(pa.array(documents, pa.binary()).cast(pa.string()))
        self._batches.append(pa.record_batch(arrays, schema=self._schema))
        self._columns = [[] for _ in self._schema]


_Values = Iterable[Sequence[Any]]


def _values_of_tiles(documents: Sequence[bytes], tiles: Sequence[Any]) -> _Values:
    if not isinstance(tiles[0], dict):
        yield from _values_of_usual_tiles(documents, tiles)
        return
    layouts = [tile.get("layout") or _NOTHING for tile in tiles]
    images = [(tile.get("mipmapLevels") or _NOTHING).get("0") or _NOTHING for tile in tiles]
    specs = [(tile.get("transforms") or _NOTHING).get("specList") or () for tile in tiles]
    parts = dict.fromkeys(_OF_LAYOUT, layouts) | dict.fromkeys(_OF_IMAGE, images)
    for name in _schema("tiles").names[:-2]:
        yield [part.get(name) for part in parts.get(name, tiles)]
    yield list(map(_references, specs))
    yield documents


def _values_of_usual_tiles(documents: Sequence[bytes], tiles: Sequence[usual.Tile]) -> _Values:
    from renderapi.transfer.usual import NO_IMAGE, NO_LAYOUT, NO_LEVELS, NO_TRANSFORMS

    layouts = [tile.layout or NO_LAYOUT for tile in tiles]
    images = [(tile.mipmapLevels or NO_LEVELS).level0 or NO_IMAGE for tile in tiles]
    specs = [(tile.transforms or NO_TRANSFORMS).specList or () for tile in tiles]
    parts: dict[str, Sequence[Any]] = dict.fromkeys(_OF_LAYOUT, layouts) | dict.fromkeys(_OF_IMAGE, images)
    for name in _schema("tiles").names[:-2]:
        yield list(map(attrgetter(name), parts.get(name, tiles)))
    yield [[spec.refId for spec in some if spec.type == "ref"] for some in specs]
    yield documents


def _references(specs: Sequence[dict[str, Any]]) -> Sequence[str]:
    if len(specs) == 1 and "refId" not in specs[0]:
        return ()
    return [spec["refId"] for spec in specs if spec.get("type") == "ref"]


def _values_of_transforms(documents: Sequence[bytes], specs: Sequence[Any]) -> _Values:
    yield [spec.get("id") for spec in specs]
    yield [spec.get("className") for spec in specs]
    yield documents


def _values_of_matches(documents: Sequence[bytes], pairs: Sequence[Any]) -> _Values:
    points = list(map(_point_rows, pairs))
    if not set(map(type, chain.from_iterable(chain.from_iterable(points)))) <= {float}:
        # 1 and 1.0 are not the same, and null is no number
        points = [rows if set(map(type, chain.from_iterable(rows))) <= {float} else () for rows in points]
    for name in PAIR:
        yield [pair[name] for pair in pairs]
    for place in range(len(POINTS)):
        yield [rows[place] if rows else None for rows in points]
    # what the columns cannot say is kept as it is
    yield [None if rows else document for document, rows in zip(documents, points)]


def _point_rows(pair: dict[str, Any]) -> tuple[list[Any], ...]:
    """Return x and y of p, x and y of q, and the weights; nothing of a pair that has more or less than these."""
    matches = pair.get("matches")
    if len(pair) != 6 or "matchCount" not in pair or not isinstance(matches, dict) or len(matches) != 3:
        return ()
    try:
        (px, py), (qx, qy), w = matches["p"], matches["q"], matches["w"]
        if len(px) == len(py) == len(qx) == len(qy) == len(w) == pair["matchCount"]:
            return px, py, qx, qy, w
    except (KeyError, TypeError, ValueError):
        pass
    return ()


_VALUES_OF: dict[str, Callable[[Sequence[bytes], Sequence[Any]], _Values]] = {
    "tiles": _values_of_tiles,
    "transforms": _values_of_transforms,
    "matches": _values_of_matches,
}


def _pairs_of(table: Any) -> Iterator[bytes]:
    ids = [table[name].to_pylist() for name in PAIR]
    kept = table["document"].to_pylist()
    ends = table["w"].combine_chunks().value_lengths().fill_null(0).to_numpy().cumsum().tolist()
    px, py, qx, qy, w = (
        table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False) for name in POINTS
    )
    start = 0
    for document, stop, *names in zip(kept, ends, *ids):
        if document is not None:
            yield document.encode()
        else:
            part = slice(start, stop)
            matches = {"p": [px[part], py[part]], "q": [qx[part], qy[part]], "w": w[part]}
            yield _json.dumps({**dict(zip(PAIR, names)), "matches": matches, "matchCount": stop - start})
        start = stop


def _write_parquet(path: Path, table: Any) -> None:
    repeated = [name for name in table.column_names if name in _REPEATED]
    options = {"compression": "zstd", "use_dictionary": repeated}
    with _arrow().parquet.ParquetWriter(path, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=_ROWS)


def _read_parquet(path: Path, what: str) -> list[bytes]:
    pa = _arrow()
    # not read_table, which takes a folder called a=b for a column
    with pa.parquet.ParquetFile(path) as file:
        if what == "matches":
            return list(_pairs_of(file.read()))
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
    def condense(self) -> Condense | None:
        """What makes rows of Parquet of the documents of a part."""
        return _Rows(_FOLDERS[self.kind]) if self.format == "parquet" else None

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
        self._write(_FOLDERS[self.kind], key, list(part.documents.values()), part.condensed)

    def remove(self, key: Key) -> None:
        """Remove the files of a part."""
        for folder in (_FOLDERS[self.kind], "transforms"):
            self._file(folder, key).unlink(missing_ok=True)

    def unfinished(self) -> str:
        """Say what was left where a transfer failed."""
        return f"the manifest in {self.path} says that it is not complete"

    def _write(self, what: str, key: Key, documents: list[bytes], rows: Any = None) -> None:
        path = self._file(what, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            if self.format == "parquet":
                if rows is None:
                    rows = _Rows(what)
                    for some in portions(documents):
                        rows(some, list(map(_json.loads, some)))
                _write_parquet(temporary, rows.table())
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
