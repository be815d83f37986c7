"""Many pairs: features found once, matches stored as they are found, and what became of the rest."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from renderapi import _json, pointmatch
from renderapi._parallel import in_executor, in_threads, interrupt_says, progress_reporter
from renderapi._project import Project
from renderapi.errors import BadRequestError, NotFoundError, SpecError
from renderapi.match._cache import FeatureCache
from renderapi.match._canvas import clipped, draw_canvas
from renderapi.match._features import Features, extract_features, opencv
from renderapi.match._pair import PairMatches, match_features
from renderapi.match._parameters import CanvasId, FeatureRenderClip, Pair, Stage, read_pairs, read_stages
from renderapi.match._sources import DocumentSource, ServerSource, Source, TileSource
from renderapi.match._tried import Tried
from renderapi.match.errors import (
    BlankImageError,
    CanvasError,
    MatchError,
    MatchParametersError,
    NoOverlapError,
    TooFewMatchesError,
)
from renderapi.render import renderaccess
from renderapi.rendering import ImageSourceError
from renderapi.rendering import prepare as prepare_painter

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

# documents of render parameters that are kept
_DOCUMENTS = 1000


@dataclass
class MatchReport:
    """What became of many pairs.

    Attributes
    ----------
    pairs : int
        Number of pairs that were given.
    matched : int
        Number of pairs that were connected.
    passed_over : int
        Number of pairs that the collection had already.
    tried_before : int
        Number of pairs that are known not to be connected by these stages; why is among `failures`.
    matches : int
        Number of matches that were found.
    failures : list of MatchError
        Why the others were not connected; each names its pair (`p`, `q`) and the last stage.
    documents : list of dict
        Match documents, where no collection was named.
    template : str or None
        URL template of the pairs.
    seconds : float
        How long it took.
    """

    pairs: int = 0
    matched: int = 0
    passed_over: int = 0
    tried_before: int = 0
    matches: int = 0
    failures: list[MatchError] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    template: str | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        kinds: dict[str, int] = {}
        for failure in self.failures:
            kinds[type(failure).__name__] = kinds.get(type(failure).__name__, 0) + 1
        why = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        parts = [f"{self.matched} of {self.pairs} pairs connected by {self.matches} matches"]
        if self.passed_over:
            parts.append(f"{self.passed_over} were stored already")
        if self.tried_before:
            parts.append(f"{self.tried_before} were tried before")
        if why:
            parts.append(f"not connected: {why}")
        return "; ".join(parts)

    def failed_pairs(self) -> dict[str, Any]:
        """Return the pairs that were not connected, as a document that `match_pairs` reads again."""
        pairs = [
            {"p": {"groupId": f.p[0], "id": f.p[1]}, "q": {"groupId": f.q[0], "id": f.q[1]}}
            for f in self.failures
            if f.p is not None and f.q is not None
        ]
        return {"renderParametersUrlTemplate": self.template, "neighborPairs": pairs}


@renderaccess
def match_pairs(
    pairs: Any,
    stages: Any,
    matchCollection: str | None = None,
    *,
    tilespecs: Iterable[Any] | None = None,
    transforms: Any = None,
    canvases: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    stack: str | None = None,
    again: bool = False,
    executor: Executor | None = None,
    threads: int | None = None,
    pairs_at_once: int = 100,
    cache_bytes: int = 10**9,
    cache_folder: str | os.PathLike[str] | None = None,
    tried: str | os.PathLike[str] | None = None,
    progress: Any = None,
    owner: str | None = None,
    project: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> MatchReport:
    """Find the matches of many pairs of tiles, and store them as they are found.

    Parameters
    ----------
    pairs : path, iterable of paths, dict, or iterable
        Files or a document of `renderapi.client.tilePairClient`; or pairs: as such a document has them, or two
        of (group id, tile id), or with `tilespecs` two tile ids.
    stages : path, dict, Stage, or iterable of them
        How: tried in order until one connects a pair. See `read_stages`.
    matchCollection : str, optional
        Where matches are stored, by each `pairs_at_once` of pairs; without it the report has them. Of pairs that are
        there already nothing is done, so that work that ended early goes on where it ended; see also `tried`.
    tilespecs : iterable of TileSpec or dict, optional
        The tiles, where no server is to be asked.
    transforms : iterable of Transform or dict, optional
        Shared transforms that `tilespecs` refer to.
    canvases : dict, optional
        RenderParameters documents by (group id, id), where what is matched are no tiles; their filters and masks
        count, not those of `stages`.
    stack : str, optional
        Stack of the tiles, for pairs that come without the URL template of a file.
    again : bool
        Also look at pairs that the collection has already, and at those that were `tried`; what is found replaces
        what is there.
    executor : concurrent.futures.Executor, optional
        What does the work, for instance of `distributed`; it stays open. Default threads of this process.
    threads : int, optional
        How many; default one for each core, at most 8.
    pairs_at_once : int
        Pairs that are handed out, and stored, together. Tiles are drawn once for these at least.
    cache_bytes : int
        Memory for features, in each process.
    cache_folder : path, optional
        Where features are kept for other processes and later runs, see `FeatureCache`.
    tried : path, optional
        File that pairs are noted in which were not connected, and with what stages, so that the same call does not
        try them again; default ``tried.jsonl`` in `cache_folder`, if there is one. What could not be drawn is
        always tried. As with features, whether an image has changed is not looked at.
    progress : optional
        True for a bar (extra ``progress``), or a function that is called with the number of pairs that are done
        and their total.
    owner, project, host, port, session, render
        Connection; not needed without a collection for tiles or documents in memory.

    Returns
    -------
    MatchReport
        With the reason for each pair that was not connected: nothing of that raises.

    Raises
    ------
    MatchParametersError
        If pairs or stages cannot be used; nothing was begun.
    ImportError
        If OpenCV is not installed (extra ``match``).
    RenderError
        If the server refuses to store; what was stored until then stays.
    """
    began = time.perf_counter()
    opencv()
    at = Project(host, port, owner, project, session, render)
    how = read_stages(stages)
    source: Source | None = None
    groups = None
    if tilespecs is not None:
        source = tiles = TileSource.of_tiles(tilespecs, transforms)
        groups = tiles.groups()
    elif canvases is not None:
        source = DocumentSource({key: dict(document) for key, document in canvases.items()})
    listed = read_pairs(pairs, groups)
    report = MatchReport(pairs=len(listed.pairs), template=listed.template)
    if source is None:
        template = (
            listed.template if stack is None else f"{at.stack_url(stack)}/tile/{{id}}/render-parameters"
        )
        if template is None:
            raise MatchParametersError(
                "these pairs name no URL template: give stack= for tiles of a server, or tilespecs= or canvases="
            )
        source = ServerSource(at, template)
    todo = listed.pairs
    if matchCollection is not None and not again:
        there = _stored(at, matchCollection, {pair.p.groupId for pair in todo})
        todo = [pair for pair in todo if (pair.p.key, pair.q.key) not in there]
        report.passed_over = report.pairs - len(todo)
    matcher = Matcher(source, how, cache_bytes, cache_folder)
    noted: Tried | None = None
    if tried is not None or cache_folder is not None:
        noted = Tried(tried or Path(cache_folder or "", "tried.jsonl"), source, how)
        if not again:
            known = [(pair, noted.failure(pair)) for pair in todo]
            report.failures += [why for _, why in known if why is not None]
            report.tried_before = len(report.failures)
            todo = [pair for pair, why in known if why is None]
    parts = (todo[i : i + pairs_at_once] for i in range(0, len(todo), pairs_at_once))
    if executor is None:
        count = threads or min(8, os.cpu_count() or 1)
        done = _in_threads(matcher, parts, count)
    else:
        work = ((matcher.of(part), part) for part in parts)
        done = in_executor(executor, _match_elsewhere, work, 2 * (threads or os.cpu_count() or 1))
    try:
        with (
            progress_reporter(progress, len(todo), "matching", " pairs") as advance,
            interrupt_says(
                lambda: (
                    f"interrupted after {report.matched + len(report.failures) - report.tried_before} pairs: {report}"
                )
            ),
        ):
            for found in done:
                _take(report, found, at, matchCollection)
                if noted is not None:
                    noted.add((pair, of.failure) for pair, of in found if of.failure is not None)
                advance(len(found))
    finally:
        done.close()
        matcher.close()
    report.seconds = time.perf_counter() - began
    return report


def _take(
    report: MatchReport, found: list[tuple[Pair, PairMatches]], at: Project, collection: str | None
) -> None:
    documents = [document for pair, matches in found for document in matches.documents(pair.p, pair.q)]
    if collection is None:
        report.documents += documents
    elif documents:
        pointmatch.import_matches(collection, documents, **at.keywords())
    for _, matches in found:
        report.matches += matches.count
        if matches.failure is None:
            report.matched += 1
        else:
            report.failures.append(matches.failure)


def _stored(at: Project, collection: str, groups: set[str]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    # pairs that are there, those of several sets by the ids without the endings
    there = set()
    for group in sorted(groups):
        try:
            counts = pointmatch.get_match_counts(collection, group, **at.keywords())
        except NotFoundError:
            return set()
        for document in counts:
            sets = document.get("consensusSetData") or {}
            p = document["pGroupId"], sets.get("originalPId", document["pId"])
            q = document["qGroupId"], sets.get("originalQId", document["qId"])
            there.add((p, q))
    return there


def _in_threads(
    matcher: Matcher, parts: Iterable[list[Pair]], threads: int
) -> Generator[list[tuple[Pair, PairMatches]], None, None]:
    # threads share pairs of a part, so that a part is stored as soon as it can be
    for part in parts:
        yield list(zip(part, in_threads(matcher.match, part, threads)))


# the caches of this process, for parts of work that come one after the other
_caches: dict[str, FeatureCache] = {}
_caches_lock = threading.Lock()


class Matcher:
    """Matches pairs by stages. Pickles; in another process it has a cache of its own, which is kept there.

    Parameters
    ----------
    source : Source
        Where render parameters come from.
    stages : list of Stage
        Stages.
    cache_bytes, cache_folder
        As for `FeatureCache`.
    """

    def __init__(
        self,
        source: Source,
        stages: list[Stage],
        cache_bytes: int = 10**9,
        cache_folder: str | os.PathLike[str] | None = None,
        name: str | None = None,
    ) -> None:
        self.source, self.stages = source, stages
        self.cache_bytes, self.cache_folder = cache_bytes, cache_folder
        self.name = name or uuid4().hex
        prepare_painter()
        self._canvas = lru_cache(_DOCUMENTS)(self._canvas_of)

    def __reduce__(self) -> tuple[Any, ...]:
        return Matcher, (self.source, self.stages, self.cache_bytes, self.cache_folder, self.name)

    def of(self, pairs: Iterable[Pair]) -> Matcher:
        """Return what matches those pairs, to be sent elsewhere."""
        source = self.source.of(side for pair in pairs for side in (pair.p, pair.q))
        return Matcher(source, self.stages, self.cache_bytes, self.cache_folder, self.name)

    @property
    def cache(self) -> FeatureCache:
        """The cache of this work in this process; that of earlier work goes."""
        with _caches_lock:
            if self.name not in _caches:
                _caches.clear()
                _caches[self.name] = FeatureCache(self.cache_bytes, self.cache_folder)
            return _caches[self.name]

    def close(self) -> None:
        """Let the cache go."""
        with _caches_lock:
            _caches.pop(self.name, None)

    def match(self, pair: Pair) -> PairMatches:
        """Match a pair, stage by stage until one connects it."""
        last, result = None, PairMatches([], (0, 0), 0)
        for stage in self.stages:
            most, apart = stage.maxNeighborDistance, pair.absoluteDeltaZ
            if most is not None and apart is not None and apart > most:
                break
            last, result = stage, self._by_stage(pair, stage)
            if result.failure is None:
                return result
        why = result.failure or TooFewMatchesError("no stage is for sections so far apart")
        if isinstance(why, TooFewMatchesError) and self.source.apart(pair.p, pair.q):
            why = NoOverlapError(f"the boxes of the tiles do not touch, and {why}")
        named = type(why)(
            f"{pair.p.id} and {pair.q.id} are not connected: {why}",
            p=pair.p.key,
            q=pair.q.key,
            stage=None if last is None else last.stageName,
        )
        named.__cause__ = why.__cause__
        return replace(result, failure=named)

    def _by_stage(self, pair: Pair, stage: Stage) -> PairMatches:
        found = []
        for side in (pair.p, pair.q):
            try:
                found.append(self._features(side, stage))
            except CanvasError as error:
                return PairMatches([], (0, 0), 0, failure=error)
        result = match_features(found[0], found[1], stage.featureMatchDerivation)
        if isinstance(result.failure, BlankImageError):
            side = pair.q if len(found[0]) else pair.p
            return replace(result, failure=BlankImageError(f"tile {side.id}: {result.failure}"))
        return result

    def _features(self, canvas: CanvasId, stage: Stage) -> Features:
        position = canvas.relativePosition
        try:
            document, key = self._canvas(canvas, stage)

            def find() -> Features:
                drawn = draw_canvas(
                    document, stage.featureRender.renderScale, stage.featureRenderClip, position
                )
                return extract_features(drawn, stage.featureExtraction)

            return self.cache.get(key, find)
        except (MatchParametersError, CanvasError):
            raise
        except (NotFoundError, BadRequestError, SpecError, ImageSourceError) as error:
            raise CanvasError(f"tile {canvas.id} cannot be drawn: {error}") from error

    def _canvas_of(self, canvas: CanvasId, stage: Stage) -> tuple[Mapping[str, Any], str]:
        # render parameters, and what the features of it are known by: all that they depend on
        document = self.source.parameters(canvas, stage.featureRender)
        clip: FeatureRenderClip = stage.featureRenderClip
        shown, _ = clipped(
            {**document, "scale": stage.featureRender.renderScale}, clip, canvas.relativePosition
        )
        how = stage.featureExtraction
        words = [shown, how.minScale, how.maxScale, how.steps, clip.clipWidth, clip.clipHeight]
        return document, hashlib.sha256(
            _json.dumps([*words, canvas.relativePosition if clip else None])
        ).hexdigest()


def _match_elsewhere(work: tuple[Matcher, list[Pair]]) -> list[tuple[Pair, PairMatches]]:
    matcher, part = work
    return [(pair, matcher.match(pair)) for pair in part]
