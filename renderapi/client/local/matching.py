"""What PointMatchClient does, in Python: every tile drawn once, its features found, then pair after pair."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from renderapi import _json
from renderapi._parallel import in_threads, progress_reporter
from renderapi._project import Project
from renderapi.client.checks import ClientArgumentError, check_choice
from renderapi.client.documents import Document
from renderapi.match import (
    Canvas,
    FeatureExtraction,
    FeatureRenderClip,
    Features,
    MatchDerivation,
    draw_canvas,
    extract_features,
    match_features,
)
from renderapi.pointmatch import import_matches
from renderapi.utils import get_json, java_double

logger = logging.getLogger("renderapi.client")

_OPPOSITE = {"TOP": "BOTTOM", "BOTTOM": "TOP", "LEFT": "RIGHT", "RIGHT": "LEFT"}
_GROUPS = ("FIRST_TILE_SECTION_ID", "FIRST_TILE_Z", "COLLECTION")
_IDS = ("FIRST_TILE_ID", "FIRST_TILE_Z", "CANVAS_NAME")


@dataclass(frozen=True)
class PointMatching:
    """What is asked of PointMatchClient.

    Attributes
    ----------
    collection : str
        Match collection.
    options : dict
        Attributes of `renderapi.client.params.SiftPointMatchOptions`.
    clip : FeatureRenderClip
        How much is left of the canvases.
    position : str or None
        Where the first canvas lies, seen from the second.
    group_algorithm, id_algorithm : str
        What canvases are called.
    debug_folder : str or None
        Where the canvases are kept.
    debug_format : str
        Format of these.
    """

    collection: str
    options: Mapping[str, Any]
    clip: FeatureRenderClip
    position: str | None
    group_algorithm: str
    id_algorithm: str
    debug_folder: str | None
    debug_format: str

    def __post_init__(self) -> None:
        check_choice(self.group_algorithm, _GROUPS, "canvasGroupIdAlgorithm")
        check_choice(self.id_algorithm, _IDS, "canvasIdAlgorithm")
        check_choice(self.position, tuple(_OPPOSITE), "firstCanvasPosition")

    def given(self, prefix: str) -> dict[str, Any]:
        """Return the options whose names begin so."""
        named = self.options.items()
        return {name: value for name, value in named if name.startswith(prefix) and value is not None}

    @property
    def extraction(self) -> FeatureExtraction:
        """Which features are found."""
        named = {name.removeprefix("SIFT"): value for name, value in self.given("SIFT").items()}
        return FeatureExtraction.of(named)

    @property
    def derivation(self) -> MatchDerivation:
        """Which candidates become matches; the Java client does not look at coverage."""
        return replace(MatchDerivation.of(self.given("match")), matchMinCoveragePercentage=None)

    @property
    def scale(self) -> float:
        """Scale of the canvases."""
        scale = self.options.get("renderScale")
        return 1.0 if scale is None else float(scale)

    def name(self, number: int, document: Document) -> tuple[str, str]:
        """Return group and id of a canvas."""
        tiles = document.get("tileSpecs") or [{}]
        tile, z = tiles[0], java_double(tiles[0].get("z") or 0.0)
        section = (tile.get("layout") or {}).get("sectionId")
        groups = {
            "FIRST_TILE_SECTION_ID": self.collection if section is None else section,
            "FIRST_TILE_Z": z,
            "COLLECTION": self.collection,
        }
        ids = {"FIRST_TILE_ID": tile.get("tileId"), "FIRST_TILE_Z": z, "CANVAS_NAME": f"c_{number:05d}"}
        return str(groups[self.group_algorithm]), str(ids[self.id_algorithm])


def match_urls(
    at: Project,
    to: Project,
    pairs: Sequence[tuple[str, str]],
    wanted: PointMatching,
    threads: int,
    storage: str | None = None,
    progress: Any = None,
) -> None:
    """Match pairs of canvases, and store what is found: nothing before all pairs were looked at.

    Parameters
    ----------
    at, to : Project
        Where render parameters come from, and where matches go to.
    pairs : list of (str, str)
        URLs of render parameters; each is drawn once.
    wanted : PointMatching
        How.
    threads : int
        How many at once.
    storage : str, optional
        File that gets the matches instead of the collection.
    progress : optional
        As for `progress_reporter`; it is told of canvases.

    Raises
    ------
    ClientArgumentError
        If more than one pair is to be clipped, or its position is not told.
    NotFoundError
        If a tile is not there.
    ImageSourceError
        If an image cannot be read.
    """
    extraction, derivation, scale = wanted.extraction, wanted.derivation, wanted.scale
    derivation.max_epsilon(scale)
    if wanted.clip and (len(pairs) != 1 or wanted.position is None):
        raise ClientArgumentError(
            f"clipWidth and clipHeight are for one pair, whose firstCanvasPosition is told; there are {len(pairs)}"
        )
    urls = list(dict.fromkeys(url for pair in pairs for url in pair))
    positions: list[str | None] = [None] * len(urls)
    if wanted.position is not None and len(urls) == 2:
        positions = [wanted.position, _OPPOSITE[wanted.position]]

    def look(number: int) -> tuple[tuple[str, str], Features]:
        document = get_json(at.thread_session(), urls[number])
        canvas = draw_canvas(document, scale, wanted.clip, positions[number])
        name = wanted.name(number, document)
        if wanted.debug_folder is not None:
            _keep(canvas, Path(wanted.debug_folder), name, wanted.debug_format)
        return name, extract_features(canvas, extraction)

    canvases: dict[str, tuple[tuple[str, str], Features]] = {}
    with progress_reporter(progress, len(urls), "finding features", " tiles") as advance:
        for url, found in zip(urls, in_threads(look, range(len(urls)), threads)):
            canvases[url] = found
            advance(1)

    def match(pair: tuple[str, str]) -> list[Document]:
        (p, p_features), (q, q_features) = canvases[pair[0]], canvases[pair[1]]
        result = match_features(p_features, q_features, derivation)
        if result.failure is not None:
            logger.info("%s and %s are not connected: %s", p[1], q[1], result.failure)
        return result.documents(p, q)

    documents = [document for found in in_threads(match, pairs, threads) for document in found]
    logger.info("%d pairs have %d match documents", len(pairs), len(documents))
    if storage is not None:
        Path(storage).write_bytes(_json.dumps(documents))
    elif documents:
        import_matches(wanted.collection, documents, **to.keywords())


def _keep(canvas: Canvas, folder: Path, name: tuple[str, str], kind: str) -> None:
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    shown = np.clip(np.rint(canvas.image * 255), 0, 255).astype(np.uint8)
    Image.fromarray(shown).save(folder / f"{quote('_'.join(name), safe='')}.{kind.lower()}")
