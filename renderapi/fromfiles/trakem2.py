"""Tile specs of TrakEM2 projects, read as they stream by.

A patch is mapped to the world by its coordinate transforms, and then by an affine one that begins at the corner of
the box of what they make of the patch: ``ini.trakem2.display.Patch`` measures it with a mesh of ``mres`` columns, and
cuts the corner off to whole numbers toward zero.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote
from xml.parsers import expat

import numpy as np

from renderapi._parallel import progress_reporter
from renderapi.errors import SpecError
from renderapi.fromfiles.errors import FileProblem, refuse
from renderapi.fromfiles.names import absolute
from renderapi.fromfiles.tiles import TilesFromFiles
from renderapi.geometry.meshes import mesh_rows, mesh_vertices
from renderapi.image_pyramid import ImagePyramid, MipMap
from renderapi.layout import Layout
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel, Transform, load_leaf_json
from renderapi.transform.transform import apply_transforms

_CHUNK = 1 << 18
_LEAVES = ("ict_transform", "iict_transform")
_SLICE = "-----#slice="
_NM = {"nm": 1.0, "µm": 1e3, "um": 1e3, "micron": 1e3, "microns": 1e3, "mm": 1e6, "å": 0.1, "angstrom": 0.1}
#: Type of a patch -> its range; floating point pixels (2) have none.
_RANGES = {"0": (0.0, 255.0), "1": (0.0, 65535.0), "3": (0.0, 255.0), "4": (0.0, 255.0)}
#: What a project has around its patches, which is not lost.
_FRAME = {
    "trakem2", "project", "anything", "t2_layer_set", "t2_layer", "t2_patch", "t2_calibration", "t2_display",
    "t2_filter", "ict_transform", "iict_transform", "ict_transform_list", "t2_prop", "t2_annot",
    "t2_linked_prop",
}  # fmt: skip
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class _Patch(NamedTuple):
    attributes: dict[str, str]
    leaves: list[tuple[str, str]]
    filters: int
    layer: dict[str, str]
    line: int


class _FormatError(ValueError):
    """Why a file is no project; and the line, if it is known."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


class TrakEM2Project:
    """A project of TrakEM2: its patches as tile specs, one after the other.

    Iterating reads the file anew and holds one patch at a time, whatever the size of the project; what is
    wrong stops it. `check` goes through all of it first.

    Parameters
    ----------
    path : path
        The XML file, or one that is gzipped. Images and masks are beside it, where their paths are relative.
    tile_id : {"oid", "title"}, optional
        What tiles are called: the number of a patch in the project, or its title, which must be unique then.
    invisible : bool, optional
        Whether patches that are not visible become tiles. Default False, as with render's own converter.
    replace : mapping, optional
        Beginnings of paths -> what stands there here, such as ``{"C:/data": "/mnt/data"}``.

    Attributes
    ----------
    path : Path
        The file.
    notes : list of str
        What of the last run tile specs cannot hold.
    resolution : tuple of 3 float or None
        nm of a voxel, as the calibration says; None if it is in pixels.

    Notes
    -----
    Entities are refused, so that a file of others can neither read files of this machine nor grow without bound.

    Examples
    --------
    >>> import tempfile
    >>> xml = '''<trakem2><project unuid="1"/><t2_layer_set><t2_layer z="3.0"><t2_patch oid="7" type="0"
    ...   o_width="40" o_height="30" transform="matrix(1,0,0,1,30,7)" file_path="a.png"/></t2_layer>
    ...   </t2_layer_set></trakem2>'''
    >>> path = Path(tempfile.mkdtemp()) / "project.xml"
    >>> _ = path.write_text(xml)
    >>> [(tile.tileId, tile.z, tile.tforms[0].B0) for tile in TrakEM2Project(path)]
    [('7', 3.0, 30.0)]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        tile_id: str = "oid",
        invisible: bool = False,
        replace: Mapping[str, str] | None = None,
    ) -> None:
        if tile_id not in ("oid", "title"):
            raise ValueError(f"tile_id is {tile_id!r}; it must be 'oid' or 'title'")
        self.path = absolute(path)
        self.notes: list[str] = []
        self.resolution: tuple[float | None, float | None, float | None] | None = None
        self._tile_id, self._invisible = tile_id, invisible
        self._replace = dict(replace or {})

    def __iter__(self) -> Iterator[TileSpec]:
        problems: list[FileProblem] = []
        for tile in self._tiles(problems, None):
            refuse(problems)
            yield tile
        refuse(problems)

    def check(self, progress: Any = None) -> int:
        """Go through the project, and keep nothing.

        Parameters
        ----------
        progress : bool, str, callable or object with ``update``, optional
            Counts the bytes of the file.

        Returns
        -------
        int
            How many tiles there are.

        Raises
        ------
        TileFilesError
            With all that is wrong and its lines.
        """
        problems: list[FileProblem] = []
        count = sum(1 for _ in self._tiles(problems, progress))
        refuse(problems)
        return count

    def _tiles(self, problems: list[FileProblem], progress: Any) -> Iterator[TileSpec]:
        """Yield the tiles of good patches, and add what is wrong with others to the problems."""
        counts: Counter[str] = Counter()
        seen: dict[str, int] = {}
        self.notes, self.resolution = [], None
        masks: Path | None = None
        try:
            for kind, found in _events(self.path, counts, progress):
                if kind == "project":
                    masks = self._masks(found)
                elif kind == "calibration":
                    self.resolution = _resolution(found)
                elif kind == "layer":
                    if self.resolution is not None and self.resolution[2] is None:
                        self.resolution = _with_thickness(self.resolution, found)
                else:
                    yield from self._tile(found, masks, seen, counts, problems)
        except (_FormatError, expat.ExpatError) as error:
            line = error.line if isinstance(error, _FormatError) else error.lineno
            text = str(error) if isinstance(error, _FormatError) else f"it is no XML: {error}{_hint(error)}"
            problems.append(FileProblem(str(self.path), line, text))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            problems.append(FileProblem(str(self.path), None, f"it is damaged or cut off ({error})"))
        except OSError as error:
            text = f"it cannot be read ({error.strerror or error})"
            problems.append(FileProblem(str(self.path), None, text))
        self.notes = [f"{number} {what}" for what, number in sorted(counts.items()) if number]

    def _masks(self, project: dict[str, str]) -> Path | None:
        if not (unuid := project.get("unuid")):
            return None
        storage = Path(self._local(project["storage_folder"])) if project.get("storage_folder") else None
        # where the folder of the project is not there, TrakEM2 takes that of the file
        folder = storage if storage is not None and storage.is_dir() else self.path.parent
        return folder / f"trakem2.{unuid}" / "trakem2.masks"

    def _local(self, text: str) -> str:
        """Return a path as it is here."""
        text = text.replace("\\", "/")
        for before, here in self._replace.items():
            if text.startswith(before.replace("\\", "/")):
                return here + text[len(before) :]
        return text

    def _url(self, text: str, counts: Counter[str], what: str) -> str:
        text = self._local(text)
        if _DRIVE.match(text):
            counts[f"{what} on a drive of Windows (replace= says where they are here)"] += 1
            return f"file:///{quote(text, safe='/:')}"
        if _REMOTE.match(text):
            return text
        path = absolute(self.path.parent / text)
        if not path.exists():
            counts[f"{what} that are not there"] += 1
        return path.as_uri()

    def _tile(
        self,
        patch: _Patch,
        masks: Path | None,
        seen: dict[str, int],
        counts: Counter[str],
        problems: list[FileProblem],
    ) -> Iterator[TileSpec]:
        attributes = patch.attributes
        if attributes.get("visible") == "false":
            counts["patches are not visible" + ("" if self._invisible else ", and were left out")] += 1
            if not self._invisible:
                return
        try:
            tile = self._made(patch, masks, counts)
        except KeyError as error:
            text = f"patch {attributes.get('oid')} has no {error.args[0]}"
            problems.append(FileProblem(str(self.path), patch.line, text))
            return
        except ValueError as error:
            text = f"patch {attributes.get('oid')}: {error}"
            problems.append(FileProblem(str(self.path), patch.line, text))
            return
        if (earlier := seen.setdefault(str(tile.tileId), patch.line)) != patch.line:
            text = f"patch {attributes['oid']}: its tile id {tile.tileId} is in line {earlier} too"
            problems.append(FileProblem(str(self.path), patch.line, text))
            return
        yield tile

    def _made(self, patch: _Patch, masks: Path | None, counts: Counter[str]) -> TileSpec:
        attributes = patch.attributes
        oid = attributes["oid"]
        width, height = (_whole(attributes[name], name) for name in ("o_width", "o_height"))
        url, slice_mark, number = attributes["file_path"].partition(_SLICE)
        more: dict[str, Any] = {}
        if slice_mark:
            more = {"imageLoaderType": "IMAGEJ_TIFF_STACK", "imageSliceNumber": _whole(number, "slice")}
        mask = None
        if digits := attributes.get("alpha_mask_id"):
            mask = self._mask(masks, digits, oid, counts)
        spread = _RANGES.get(attributes.get("type", ""))
        if spread is None and not attributes.keys() >= {"min", "max"}:
            raise ValueError(f"it has no min and max, and type {attributes.get('type')!r} has no range")
        low, high = spread or (0.0, 0.0)
        self._count(patch, counts)
        z = _finite(patch.layer, "z")
        return TileSpec(
            tileId=oid if self._tile_id == "oid" else attributes["title"],
            z=z,
            width=width,
            height=height,
            minint=_finite(attributes, "min") if "min" in attributes else low,
            maxint=_finite(attributes, "max") if "max" in attributes else high,
            layout=Layout(sectionId=str(z), force_pixelsize=False),
            imagePyramid=ImagePyramid({0: MipMap(self._url(url, counts, "images"), mask, **more)}),
            tforms=_transforms(patch, width, height),
        )

    def _mask(self, masks: Path | None, digits: str, oid: str, counts: Counter[str]) -> str:
        if masks is None or not digits.isdigit():
            raise ValueError(f"nothing says where its mask {digits!r} is")
        pairs = [digits[i : i + 2] for i in range(0, len(digits), 2)]
        path = masks.joinpath(*pairs[:-1], f"{pairs[-1]}.{oid}.zip")
        if not path.exists():
            counts["masks that are not there"] += 1
        return path.as_uri()

    @staticmethod
    def _count(patch: _Patch, counts: Counter[str]) -> None:
        attributes = patch.attributes
        counts["filters of patches were left out"] += patch.filters
        counts["patches are locked, which tile specs do not say"] += attributes.get("locked") == "true"
        counts["patches are linked, which tile specs do not say"] += bool(attributes.get("links"))
        opacity = re.search(r"fill-opacity:\s*([0-9.]+)", attributes.get("style", ""))
        counts["patches are transparent, and become opaque"] += bool(opacity and float(opacity[1]) < 1)


def from_trakem2(
    path: str | os.PathLike[str],
    *,
    tile_id: str = "oid",
    invisible: bool = False,
    replace: Mapping[str, str] | None = None,
    progress: Any = None,
) -> TilesFromFiles:
    """Make tile specs of a TrakEM2 project; nothing is sent.

    Parameters
    ----------
    path, tile_id, invisible, replace
        As for `TrakEM2Project`, which streams projects that are larger than memory.
    progress : bool, str, callable or object with ``update``, optional
        Counts the bytes of the file.

    Returns
    -------
    TilesFromFiles
        A list of TileSpec in the order of the file, with ``preview()``. Its notes count what tile specs cannot hold.

    Raises
    ------
    TileFilesError
        With all that is wrong and its lines: what is no XML, entities, transforms of unknown classes, missing
        attributes, tile ids that are there twice.
    """
    project = TrakEM2Project(path, tile_id=tile_id, invisible=invisible, replace=replace)
    problems: list[FileProblem] = []
    tiles = list(project._tiles(problems, progress))
    refuse(problems)
    return TilesFromFiles(tiles, project.notes, project.resolution)


# ------------------------------------------------------------------------------- XML


def _events(path: Path, counts: Counter[str], progress: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a project has, as the file is read."""
    waiting: deque[tuple[str, Any]] = deque()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    layers: list[dict[str, str]] = []
    patch: _Patch | None = None
    root = True

    def entity(name: str, *_: Any) -> int:
        raise _FormatError(f"it declares an entity ({name}), which is refused", parser.CurrentLineNumber)

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal patch, root
        if root and name != "trakem2":
            raise _FormatError(
                f"it is no project of TrakEM2: it begins with <{name}>", parser.CurrentLineNumber
            )
        root = False
        if name == "t2_patch":
            if not layers:
                raise _FormatError("a patch is in no layer", parser.CurrentLineNumber)
            patch = _Patch(attributes, [], 0, layers[-1], parser.CurrentLineNumber)
        elif patch is not None and name in _LEAVES:
            patch.leaves.append((attributes.get("class", ""), attributes.get("data", "")))
        elif patch is not None and name == "t2_filter":
            patch = patch._replace(filters=patch.filters + 1)
        elif name == "t2_layer":
            layers.append(attributes)
            waiting.append(("layer", attributes))
        elif name in ("project", "t2_calibration"):
            waiting.append((name.removeprefix("t2_"), attributes))
        elif name.startswith("t2_") and name not in _FRAME:
            counts[f"{name} were left out"] += 1

    def end(name: str) -> None:
        nonlocal patch
        if name == "t2_patch" and patch is not None:
            waiting.append(("patch", patch))
            patch = None
        elif name == "t2_layer":
            layers.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.EntityDeclHandler = parser.ExternalEntityRefHandler = entity
    with path.open("rb") as raw:
        size = path.stat().st_size
        file: BinaryIO = raw
        if raw.read(2) == b"\x1f\x8b":  # by content: names say little
            file = gzip.GzipFile(fileobj=raw, mode="rb")  # type: ignore[assignment]
        raw.seek(0)
        with progress_reporter(progress, size, "reading the project", "B") as advance:
            before = 0
            while chunk := file.read(_CHUNK):
                parser.Parse(chunk, False)
                while waiting:
                    yield waiting.popleft()
                advance(raw.tell() - before)
                before = raw.tell()
            parser.Parse(b"", True)
            yield from waiting


def _hint(error: expat.ExpatError) -> str:
    well_formed = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
    if error.code == well_formed:
        return "; TrakEM2 does not escape & and < in titles: write &amp; and &lt; there"
    return ""


# ------------------------------------------------------------------------------- numbers


def _finite(attributes: Mapping[str, str], name: str) -> float:
    text = attributes[name]
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"its {name} is {text!r}, not a number")
    return number


def _whole(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError(f"its {name} is {text!r}, not a whole number from 1")
    return int(text)


def _resolution(
    calibration: Mapping[str, str],
) -> tuple[float | None, float | None, float | None] | None:
    unit = _NM.get(calibration.get("unit", "").lower())
    try:
        width, height = _finite(calibration, "pixelWidth"), _finite(calibration, "pixelHeight")
    except (KeyError, ValueError):
        return None
    return None if unit is None else (width * unit, height * unit, None)


def _with_thickness(
    resolution: tuple[float | None, float | None, float | None], layer: Mapping[str, str]
) -> tuple[float | None, float | None, float | None]:
    x, y, _ = resolution
    try:
        return x, y, _finite(layer, "thickness") * float(x or 0)  # it is in pixels of x
    except (KeyError, ValueError):
        return resolution


# ------------------------------------------------------------------------------- transforms


def _transforms(patch: _Patch, width: int, height: int) -> list[Transform]:
    text = patch.attributes["transform"]
    found = re.fullmatch(r"\s*matrix\(([^()]*)\)\s*", text)
    try:
        numbers = [float(number) for number in found[1].split(",")] if found else []
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"its transform is {text!r:.200}, not matrix(...) of six numbers")
    m00, m10, m01, m11, x, y = numbers
    if patch.leaves:
        mesh = _whole(patch.attributes.get("mres", "32"), "mres")
        left, top = _corner(tuple(patch.leaves), width, height, mesh)
        x, y = x - (m00 * left + m01 * top), y - (m10 * left + m11 * top)
    own = [_leaf(*leaf) for leaf in patch.leaves]
    return [*own, AffineModel(m00, m01, m10, m11, x, y)]


def _leaf(name: str, data: str) -> Transform:
    leaf: Transform = load_leaf_json({"className": name, "dataString": data})
    if type(leaf) is Transform:
        raise ValueError(f"transforms of the class {name!r} are not known")
    return leaf


@lru_cache(maxsize=256)  # many patches have the same lens
def _corner(leaves: tuple[tuple[str, str], ...], width: int, height: int, mesh: int) -> tuple[int, int]:
    """Return the corner of the box of a patch after its coordinate transforms, as TrakEM2 measures it."""
    columns = max(2, mesh)
    points = mesh_vertices(width, height, columns, mesh_rows(width, height, columns))
    try:
        mapped = apply_transforms([_leaf(*leaf) for leaf in leaves], points)
    except (ArithmeticError, SpecError) as error:
        raise ValueError(f"its transforms cannot be applied: {error}") from None
    # comparisons in Java leave out NaN, which some transforms give in single points
    low = np.fmin.reduce(mapped, axis=0).tolist()
    if not all(map(math.isfinite, low)):
        raise ValueError("its transforms lead nowhere")
    return int(low[0]), int(low[1])  # toward zero
