"""What draws the images of a server: sources that may be read, cores that may be used, sizes that are allowed."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._names import BRANCHES
from renderapi.errors import SpecError
from renderapi.server.documents.boxes import problem_of
from renderapi.server.documents.problems import Problem
from renderapi.server.documents.tiles import Document
from renderapi.server.endpoints import turns
from renderapi.server.endpoints.refusals import Refusal, not_built

if TYPE_CHECKING:
    from renderapi.rendering import Sources

logger = logging.getLogger("renderapi.server")

MAX_PIXELS = 1 << 28
CACHE_BYTES = 512 << 20
# what the sources say of images that the options of the server would allow
_HINTS = {
    "allowed folder": " (this server opens files below its image roots only: --image-root, image_roots)",
    "http is off": " (this server asks no other: --image-http, image_http)",
}
# render-ws looks for the transforms of what it draws by themselves, and has no name for the tile there
_UNRESOLVED = re.compile(r"tile .* requires the following transform ids (\[.*\])", re.DOTALL)


def cores() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


class Drawing:
    """Draws images, no more at a time than there are cores, so that memory is bounded.

    Parameters
    ----------
    roots : iterable of path
        Folders whose files may be opened.
    http : bool
        Whether images may be fetched from other servers.
    max_pixels : int
        Most pixels of an image.
    cache_bytes : int
        Memory for source images.
    compat : {"master", "newsolver"}
        Branch of render that is followed where the two contradict each other, in pixels and in what else
        the server answers.

    Raises
    ------
    ValueError
        If there is no such branch.
    """

    def __init__(
        self,
        roots: Iterable[str | Path] = (),
        http: bool = False,
        max_pixels: int = MAX_PIXELS,
        cache_bytes: int = CACHE_BYTES,
        compat: str = "master",
    ) -> None:
        if compat not in BRANCHES:
            raise ValueError(f"compat is {compat!r}; it must be 'master' or 'newsolver'")
        self.compat = compat
        self.roots = tuple(Path(root).resolve() for root in roots)
        self.http = http
        self.max_pixels = max_pixels
        self._cache_bytes = cache_bytes
        self._free = threading.BoundedSemaphore(cores())
        self._lock = threading.Lock()
        self._sources: Sources | None = None
        self._engine: str | None = None

    def prepare(self) -> None:
        """Get the compiled painter ready in the background; until it is, numpy paints the same pixels.

        Compiling takes seconds, once a machine; loading what was compiled most of a second. A server that may
        read no images does without.
        """
        if (self.roots or self.http) and find_spec("numba") is not None:
            self._engine = "numpy"
            threading.Thread(target=self._load_painter, name="renderapi-painter", daemon=True).start()

    def _load_painter(self) -> None:
        from renderapi.rendering import prepare

        try:
            prepare()
        except Exception:
            logger.exception("the compiled painter cannot be used, numpy paints in its place")
        else:
            self._engine = None

    @property
    def sources(self) -> Sources:
        """Where images are read from; the modules that read them are loaded with the first image."""
        from renderapi.rendering import Sources

        with self._lock:
            if self._sources is None:
                self._sources = Sources(roots=self.roots, http=self.http, cache_bytes=self._cache_bytes)
            return self._sources

    def clear(self) -> None:
        """Forget the images that are kept in memory."""
        with self._lock:
            if self._sources is not None:
                self._sources.clear()

    def close(self) -> None:
        """Release what the sources hold; an image that is asked for afterwards opens them again."""
        with self._lock:
            sources, self._sources = self._sources, None
        if sources is not None:
            sources.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Refuse what is wrong with an image that is read or drawn inside; say which option allows it."""
        from renderapi.rendering import ImageSourceError
        from renderapi.rendering.errors import ChannelsError

        try:
            yield
        except ChannelsError as problem:
            raise Refusal(500, str(problem)) from None
        except SpecError as problem:
            said = problem_of(problem)
            said.message = _UNRESOLVED.sub(
                r"spec 'null' has the following unresolved references: \1", said.message
            )
            raise said from None
        except ImageSourceError as problem:
            text = str(problem)
            hint = next((hint for words, hint in _HINTS.items() if words in text), "")
            raise Refusal(400, text + hint) from None
        except ArithmeticError as problem:
            raise Refusal(400, f"numbers that are too large to draw with: {problem}") from None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a core, and keep it while what is inside draws; refuse (499) for who did not wait as long."""
        with self._free:
            turns.check()
            with self.reading():
                yield

    def _refuse_missing(self, tile: Document) -> None:
        """Refuse what `check_images` does, but for what only the options of this server forbid."""
        try:
            self.check_images(tile)
        except Problem as problem:
            if not any(words in problem.message for words in _HINTS):
                raise

    def check_images(self, tile: Document) -> None:
        """Refuse (400) a tile without images, or with local ones that are not there, not readable or empty."""
        from renderapi.rendering import ImageReference

        for channel in tile.get("channels") or [tile]:
            if not channel["mipmapLevels"]:
                raise Refusal(
                    400, f"tile '{tile.get('tileId', 'null')}' does not contain any mipmapLevel elements"
                )
            for image in channel["mipmapLevels"].values():
                for part in ("image", "mask"):
                    if f"{part}Url" in image:
                        loader = image.get(f"{part}LoaderType", "IMAGEJ_DEFAULT")
                        reference = ImageReference(
                            image[f"{part}Url"], loader, image.get(f"{part}SliceNumber")
                        )
                        with self.reading():
                            self.sources.check(reference, f"{part}Url")

    def draw(self, parameters: Document, kind: str, only_boxes: bool = False) -> bytes:
        """Draw an image.

        Parameters
        ----------
        parameters : dict
            A RenderParameters document.
        kind : str
            Format, as for `renderapi.rendering.encoding.encode`.
        only_boxes : bool
            Whether the outlines of the tiles are drawn instead of their pixels.

        Returns
        -------
        bytes
            The encoded image.

        Raises
        ------
        Refusal
            400 if the image is too large or a source cannot be read, 501 for what is not offered.
        RenderParametersError
            If the parameters cannot be drawn.
        """
        from renderapi.rendering import encoding, outlines

        if parameters.get("addWarpFieldDebugOverlay"):
            raise not_built("the overlay of warp fields")
        try:
            width, height = outlines.image_size(parameters)
        except SpecError:
            # what is wrong with the images is said first
            for tile in () if only_boxes else parameters.get("tileSpecs") or ():
                self._refuse_missing(tile)
            raise
        if width * height > self.max_pixels:
            raise Refusal(
                400,
                f"an image of {width} x {height} pixels is larger than the {self.max_pixels} pixels "
                "that this server draws (max_pixels)",
            )
        encoding.check_size(width, height, kind)
        with self.turn():
            pixels = self._outlines(parameters, kind) if only_boxes else self._pixels(parameters, kind)
            if kind == "png" and pixels.ndim == 2:
                raise Refusal(500, "render's branch newsolver makes no PNG image with convertToGray")
            return encoding.encode(
                pixels,
                kind,
                quality=parameters.get("quality", encoding.JPEG_QUALITY),
                gray=bool(parameters.get("convertToGray")),
            )

    def _pixels(self, parameters: Document, kind: str) -> np.ndarray[Any, Any]:
        from renderapi.rendering import encoding, render, render8, render16

        draw = render16 if kind in encoding.SIXTEEN_BIT else render
        if draw is render and parameters.get("convertToGray") and self.compat == "newsolver":
            draw = render8
        return draw(parameters, sources=self.sources, engine=self._engine, compat=self.compat)

    @staticmethod
    def _outlines(parameters: Document, kind: str) -> np.ndarray[Any, Any]:
        from renderapi.rendering import encoding, outlines

        drawn = outlines.draw_outlines(parameters)
        # where there are no colours, what is drawn is white
        return drawn[:, :, 3].astype(np.uint16) * 257 if kind in encoding.SIXTEEN_BIT else drawn
