"""What the Java clients that render do, in Python: ArgbRenderer and RenderSectionClient.

Images are read, and pixels made, on this machine; from the server come render parameters only.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from renderapi import _json
from renderapi._parallel import in_threads, progress_reporter, with_note
from renderapi._project import Project
from renderapi._replacing import replacing
from renderapi.client.checks import ClientArgumentError
from renderapi.client.documents import Document
from renderapi.errors import RenderError, RenderWarning, SpecError
from renderapi.geometry.chains import DEFAULT_MESH_CELL_SIZE
from renderapi.http import transport
from renderapi.image import get_bb_renderparams
from renderapi.render import format_baseurl, stack_url
from renderapi.utils import get_json, java_double, open_text

if TYPE_CHECKING:
    from numpy.typing import NDArray


_TIFF = ("tif", "tiff")
_JPEG = ("jpg", "jpeg")
_FORMATS = ("png", *_JPEG, *_TIFF)
#: Options of the renderer: their key in render parameters, and their value where they are not given.
_OPTIONS: dict[str, tuple[str, Any]] = {
    "tile_spec_url": ("tileSpecUrl", None),
    "meshCellSize": ("meshCellSize", DEFAULT_MESH_CELL_SIZE),
    "minMeshCellSize": ("minMeshCellSize", 0.0),
    "in_fn": ("in", None),
    "x": ("x", 0.0),
    "y": ("y", 0.0),
    "width": ("width", 256),
    "height": ("height", 256),
    "scale": ("scale", 1.0),
    "area_offset": ("areaOffset", False),
    "minIntensity": ("minIntensity", None),
    "maxIntensity": ("maxIntensity", None),
    "gray": ("convertToGray", False),
    "quality": ("quality", 0.85),
    "skip_interpolation": ("skipInterpolation", False),
    "binary_mask": ("binaryMask", False),
    "exclude_mask": ("excludeMask", False),
    "do_filter": ("doFilter", False),
    "background_color": ("backgroundRGBColor", None),
    "fill_with_noise": ("fillWithNoise", False),
    "channels": ("channels", None),
}
#: Java does not take these from a file of render parameters.
_NOT_MERGED = ("minMeshCellSize", "minIntensity", "maxIntensity")
#: No options: they come from the file alone.
_FROM_FILE = ("tileSpecs", "mipmapPathBuilder", "filterSpecs", "maskMinX", "maskMinY")


# ------------------------------------------------------------------------------ image files


@dataclass
class ImageInMemory:
    """What is made in place of an image file.

    Attributes
    ----------
    kind : str
        The ending that the file would have.
    pixels : array
        What it would hold.
    """

    kind: str
    pixels: NDArray[Any] = field(default_factory=lambda: np.empty((0, 0), np.uint8))


def kind_named(name: str) -> str:
    """Return the format of an image file, by its name.

    Raises
    ------
    ClientArgumentError
        If Python does not write it.
    """
    kind = name.lower()
    if kind not in _FORMATS:
        raise ClientArgumentError(f"format is {name!r}; it must be one of {', '.join(_FORMATS)}")
    return kind


def kind_of(out: str | os.PathLike[str] | ImageInMemory | None) -> str:
    """Return the format of an image file, by its ending.

    Raises
    ------
    ClientArgumentError
        If there is no file, or it has no ending that Python writes.
    """
    if isinstance(out, ImageInMemory):
        return out.kind
    if out is None:
        raise ClientArgumentError("out_fn, the image file to write, is needed")
    kind = Path(out).suffix[1:].lower()
    if kind not in _FORMATS:
        raise ClientArgumentError(f"{out} must end in one of {', '.join(_FORMATS)}")
    return kind


def save(
    rgba: NDArray[np.uint8],
    out: str | os.PathLike[str] | ImageInMemory,
    kind: str,
    gray: bool = False,
    quality: float = 0.85,
    calibration: Calibration | None = None,
) -> None:
    """Write pixels into a file as ArgbRenderer does, whole or not at all; its folders are made."""
    from renderapi.rendering import to_gray
    from renderapi.rendering.encoding import encode

    if isinstance(out, ImageInMemory):
        flat = to_gray(rgba) if gray and kind not in _TIFF else None
        out.pixels = flat if flat is not None else rgba[..., :3].copy() if kind in _TIFF else rgba
        return
    if kind in _TIFF:
        content = encode(rgba, "tiff") if calibration is None else calibration.tiff(rgba)
    elif kind in _JPEG:
        content = encode(rgba, "jpeg", quality=quality, gray=gray)
    elif gray:
        content = _gray_png(to_gray(rgba))
    else:
        content = encode(rgba, "png")
    path = _local_path(os.fspath(out))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _gray_png(gray: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(gray).save(file, "PNG", compress_level=1)
    return file.getvalue()


@dataclass(frozen=True)
class Calibration:
    """Size of a pixel, for a TIFF that ImageJ reads.

    Attributes
    ----------
    width, height : float
        Size in units.
    unit : str
        For instance ``"nm"``.
    """

    width: float
    height: float
    unit: str

    def tiff(self, rgba: NDArray[np.uint8]) -> bytes:
        """Return a 24-bit TIFF with resolution tags, and the unit where ImageJ looks for it."""
        from PIL import Image
        from PIL.TiffImagePlugin import ImageFileDirectory_v2

        tags = ImageFileDirectory_v2()
        tags[270] = f"ImageJ=1.53f\nunit={self.unit}\n"
        tags[282], tags[283] = 1 / self.width, 1 / self.height
        tags[296] = 1  # the unit is not one of TIFF's
        file = BytesIO()
        Image.fromarray(np.ascontiguousarray(rgba[..., :3])).save(file, "TIFF", tiffinfo=tags)
        return file.getvalue()


# ------------------------------------------------------------------------------ the renderer


def render_to_file(options: Mapping[str, Any], connection: Mapping[str, Any], compat: str) -> None:
    """Do what ArgbRenderer does.

    Parameters
    ----------
    options : dict
        Options of `renderapi.client.rendererClient`, None where they are not given.
    connection : dict
        ``host``, ``port`` and ``session`` of the call, if it has any.
    compat : {"master", "newsolver"}
        Branch of render whose pixels are drawn.

    Raises
    ------
    ClientArgumentError
        If an option cannot be used.
    SpecError
        If a file does not hold what it should, or it cannot be rendered.
    RenderError
        If an image cannot be read, or a server refuses.
    OSError
        If a file cannot be read or written.
    """
    from renderapi.rendering import render

    kind = kind_of(options.get("out_fn"))
    url = options.get("parameters_url")
    parameters = {} if url is None else _read(url, connection)
    if not isinstance(parameters, Mapping):
        raise SpecError(f"{url} must hold a JSON object of render parameters")
    document = merged(options, parameters)
    if document["areaOffset"]:
        raise ClientArgumentError("only Java knows area_offset: leave it out, or give engine='java'")
    if not document.get("tileSpecs") and document["tileSpecUrl"] is not None:
        document["tileSpecs"] = _read(document["tileSpecUrl"], connection)
        if not isinstance(document["tileSpecs"], list):
            raise SpecError(f"{document['tileSpecUrl']} must hold a JSON list of tile specs")
    pixels = render(document, compat=compat)
    if document["in"] is not None:
        pixels = _over(pixels, document["in"])
    save(pixels, options["out_fn"], kind, document["convertToGray"], document["quality"])


def merged(options: Mapping[str, Any], parameters: Mapping[str, Any]) -> Document:
    """Lay options over render parameters as Java does: what has its default gives way.

    Warns where that is not what the caller may think.
    """
    document: Document = {key: parameters[key] for key in _FROM_FILE if parameters.get(key) is not None}
    for option, (key, default) in _OPTIONS.items():
        given, stored = options.get(option), parameters.get(key)
        value = default if given is None else given
        document[key] = value
        if stored is None or stored == value:
            continue
        if key in _NOT_MERGED:
            if given is None:
                _warn(f"{key} {stored!r} of the render parameters is not used: give {option}= for it")
        elif value == default:
            document[key] = stored
            if given is not None:
                _warn(
                    f"{option}={given!r} is the default, which gives way to {stored!r} of the render parameters"
                )
    return document


def _warn(text: str) -> None:
    warnings.warn(f"{text} (as in the Java client)", RenderWarning, stacklevel=6)


def _read(url: str, connection: Mapping[str, Any]) -> Any:
    """Read JSON from a file or URL."""
    if re.match(r"https?:", url, re.IGNORECASE):
        host = connection.get("host")
        own = host is not None and url.startswith(format_baseurl(host, connection.get("port")))
        # credentials are for the server of the connection alone
        session = connection.get("session") if own else None
        return transport.decode_json(transport.send(session, "GET", url))
    with open_text(_local_path(url)) as file:
        try:
            return _json.loads(file.read())
        except ValueError as error:
            raise SpecError(f"{url} is not JSON: {error}") from None


def _local_path(url: str) -> Path:
    scheme = urlsplit(url).scheme
    if len(scheme) > 1 and url[len(scheme) + 1 :].startswith("/"):
        if scheme != "file":
            raise ClientArgumentError(f"{url} cannot be used: Python knows paths, file: and http(s):")
        return Path(url2pathname(urlsplit(url).path))
    return Path(url)


def _over(rgba: NDArray[np.uint8], url: str) -> NDArray[np.uint8]:
    """Draw an image onto the one in a file, at its upper left; the result has the size of that."""
    from renderapi.rendering.encoding import over_black
    from renderapi.rendering.sources import ImageReference, default_sources

    below = default_sources().image(ImageReference(url))
    if below.dtype != np.uint8:
        raise ClientArgumentError(f"in_fn {url} must be an image of 8 bits, not of type {below.dtype}")
    drawn = np.full((*below.shape[:2], 4), 255, np.uint8)
    drawn[..., :3] = below if below.ndim == 3 else below[..., None]
    height, width = (min(sizes) for sizes in zip(drawn.shape[:2], rgba.shape[:2]))
    above, part = rgba[:height, :width], drawn[:height, :width]
    under = part.copy()
    under[..., 3] = 255 - above[..., 3]
    part[..., :3] = over_black(above)[..., :3] + over_black(under)[..., :3]
    return drawn


# ------------------------------------------------------------------------------ sections


@dataclass(frozen=True)
class Sections:
    """Sections that are rendered into files.

    Attributes
    ----------
    connection : Project
        Where the stack is.
    stack : str
        Stack.
    root : path
        Folder of the files.
    box : tuple of int, optional
        minX, maxX, minY, maxY; default the bounds of each section, with `stack_bounds` those of the stack.
    scale : float
        Pixels per unit of the world.
    kind : str
        Ending of the files.
    folders : tuple of str, optional
        Folders below the root, in place of those that Java makes for stack, scale and z.
    padded : bool
        ``00123.png`` instead of ``123.0.png``.
    unit : str, optional
        Unit of the resolution values of the stack, for TIFF.
    low, high : int, optional
        Shown as black and white.
    filter_list : str, optional
        Named filters of the server.
    changes : dict
        What is set in the render parameters that the server gives.
    compat : {"master", "newsolver"}
        Branch of render whose pixels are drawn.
    """

    connection: Project
    stack: str
    root: str | os.PathLike[str]
    box: tuple[int, int, int, int] | None = None
    stack_bounds: bool = False
    scale: float = 0.02
    kind: str = "png"
    folders: tuple[str, ...] | None = None
    padded: bool = False
    unit: str | None = None
    low: int | None = None
    high: int | None = None
    filter_list: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    compat: str = "master"

    def render(self, zs: Iterable[float], threads: int, progress: Any = None) -> None:
        """Render sections, several at a time; an error names the section, and no other is begun after it."""
        layers = [float(z) for z in zs]
        calibration = self._calibration() if self.unit is not None and self.kind in _TIFF else None
        bounds = self._bounds("bounds") if self.stack_bounds and self.box is None else None

        def one(z: float) -> None:
            try:
                self._render(z, bounds, calibration)
            except RenderError as error:
                raise with_note(
                    error, f"That was section {java_double(z)} of stack {self.stack}."
                ) from error.__cause__

        reporter = progress_reporter(progress, len(layers), "rendering sections", " sections")
        with reporter as advance:
            for _ in in_threads(one, layers, min(threads, len(layers))):
                advance(1)

    def path(self, z: float) -> Path:
        """Return the file of a section."""
        root = Path(self.root)
        number = int(z)
        name = f"{number:05d}" if self.padded else java_double(z)
        folder = (
            root.joinpath(*self.folders)
            if self.folders is not None
            else root / str(self.connection.project) / self.stack / f"sections_at_{java_double(self.scale)}"
            / f"{int(number / 1000):03d}" / str(int(number % 1000 / 100))
        )  # fmt: skip
        return folder / f"{name}.{self.kind}"

    def _render(self, z: float, bounds: Mapping[str, float] | None, calibration: Calibration | None) -> None:
        from renderapi.rendering import render

        at = self.connection
        if self.box is not None:
            low_x, high_x, low_y, high_y = self.box
            box: tuple[float, float, int, int] = low_x, low_y, high_x - low_x, high_y - low_y
        else:
            found = bounds or self._bounds("z", z, "bounds")
            size = (int(found[f"max{axis}"] - found[f"min{axis}"] + 0.5) for axis in "XY")
            box = (found["minX"], found["minY"], *size)  # type: ignore[assignment]
        parameters = get_bb_renderparams(
            self.stack, z, *box, self.scale,
            minIntensity=self.low, maxIntensity=self.high, filterListName=self.filter_list,
            host=at.host, port=at.port, owner=at.owner, project=at.project, session=at.thread_session(),
        )  # fmt: skip
        pixels = render({**parameters, **self.changes}, compat=self.compat)
        save(pixels, self.path(z), self.kind, gray=True, calibration=calibration)

    def _get(self, *segments: Any) -> dict[str, Any]:
        at = self.connection
        url = stack_url(at.host, at.port, at.owner, at.project, self.stack, *segments)
        document: dict[str, Any] = get_json(at.thread_session(), url)
        return document

    def _bounds(self, *segments: Any) -> Mapping[str, float]:
        return self._get(*segments)

    def _calibration(self) -> Calibration | None:
        version = self._get().get("currentVersion") or {}
        x, y = version.get("stackResolutionX"), version.get("stackResolutionY")
        if not (x and y):
            _warn(f"stack {self.stack} has no resolution values, so that resolutionUnit has no effect")
            return None
        return Calibration(x / self.scale, y / self.scale, str(self.unit))
