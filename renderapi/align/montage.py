"""Montages: the tiles of each section, placed by the matches with their neighbours."""

from __future__ import annotations

import inspect
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi._parallel import progress_reporter
from renderapi._project import Project
from renderapi.align.report import report_section
from renderapi.client import tilePairClient
from renderapi.errors import NotFoundError, RenderError, SpecError
from renderapi.match import MatchReport, match_pairs, read_stages
from renderapi.pointmatch import get_matchcollections
from renderapi.render import accepts, renderaccess
from renderapi.solve import SolveReport, solve_matches
from renderapi.solve.stacks import StackJob
from renderapi.stack import (
    derive_stack,
    get_full_stack_metadata,
    get_tilebounds_for_z,
    get_z_values_for_stack,
    loading,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import requests

    from renderapi.render import Render

#: Longest side of a tile as it is first looked at, in pixels.
_FIRST_SIDE = 1024
_SOLVE_OPTIONS = tuple(
    name
    for name, parameter in inspect.signature(solve_matches).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY and name != "shared_transforms"
)


def montage_stages(side: float) -> list[dict[str, Any]]:
    """Return stages of matching for tiles of a montage: reduced first, and what that does not connect once more, finer.

    Parameters
    ----------
    side : float
        Longer side of a tile in pixels.

    Returns
    -------
    list of dict
        Parameters as the match clients of render name them; see `renderapi.match.read_stages`.

    Examples
    --------
    >>> [stage["featureRender"]["renderScale"] for stage in montage_stages(4096)]
    [0.25, 0.5]
    """
    first = min(1.0, _FIRST_SIDE / max(side, 1))
    derivation = {
        "matchModelType": "SIMILARITY",
        "matchMaxEpsilonFullScale": max(3.0, 2 / first),
        "matchMinNumInliers": 8,
        "matchMaxTrust": 4.0,
    }
    return [
        {
            "stageName": name,
            "featureRender": {"renderScale": scale},
            "featureExtraction": {"minScale": smallest, "maxScale": 1.0, "steps": steps},
            "featureMatchDerivation": derivation,
        }
        for name, scale, smallest, steps in (
            ("first", first, 0.25, 3),
            ("finer", min(1.0, 2 * first), 0.05, 5),
        )
    ]


@dataclass(frozen=True)
class SectionPlan:
    """What there is to do for a section.

    Attributes
    ----------
    z : float
        Layer.
    tiles : int
        Number of tiles.
    pairs : int
        Number of pairs of neighbours.
    stored : int
        Number of them that the collection has matches of already.
    aligned : bool
        Whether the target has all tiles of the section, so that nothing is done.
    """

    z: float
    tiles: int
    pairs: int
    stored: int
    aligned: bool


@dataclass(frozen=True)
class AlignPlan:
    """What `align_montage` would do.

    Attributes
    ----------
    sections : list of SectionPlan
        The sections.
    seconds_per_tile, seconds_per_pair : float or None
        How long features of a tile and candidates of a pair take on one thread: measured with one pair, or as
        given. None where nothing is to be matched.
    threads : int
        Number of threads that were counted on.
    target_state : str or None
        State of the target, None where it is not there. LOADING after a call that did not end.
    """

    sections: list[SectionPlan]
    seconds_per_tile: float | None
    seconds_per_pair: float | None
    threads: int
    target_state: str | None = None

    @property
    def pairs(self) -> int:
        """Number of pairs that are to be matched."""
        return sum(part.pairs - part.stored for part in self.sections if not part.aligned)

    @property
    def seconds(self) -> float:
        """How long matching takes, roughly; solving takes little beside it."""
        tiles = sum(part.tiles for part in self.sections if not part.aligned and part.pairs > part.stored)
        work = tiles * (self.seconds_per_tile or 0.0) + self.pairs * (self.seconds_per_pair or 0.0)
        return work / self.threads

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a document for JSON."""
        return {
            "sections": [dict(part.__dict__) for part in self.sections],
            "pairs": self.pairs,
            "seconds": self.seconds,
            "secondsPerTile": self.seconds_per_tile,
            "secondsPerPair": self.seconds_per_pair,
            "threads": self.threads,
            "targetState": self.target_state,
        }

    def __str__(self) -> str:
        tiles = sum(part.tiles for part in self.sections)
        every = sum(part.pairs for part in self.sections)
        text = f"{len(self.sections)} sections, {tiles} tiles, {every} pairs; {self.pairs} pairs to match"
        if self.seconds_per_pair is None:
            return text + goes_on(self.target_state)
        return (
            f"{text}: about {duration(self.seconds)} with {self.threads} threads "
            f"({self.seconds_per_tile or 0:.2f} s a tile, {self.seconds_per_pair:.2f} s a pair)"
            f"{goes_on(self.target_state)}"
        )


def duration(seconds: float) -> str:
    """Write a duration for people."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


@dataclass
class SectionOutcome:
    """What became of a section.

    Attributes
    ----------
    z : float
        Layer.
    pairs : int
        Number of pairs of neighbours.
    matched : renderapi.match.MatchReport or None
        What matching gave; its failures say which pairs are not connected, and why.
    solved : renderapi.solve.SolveReport or None
        What solving gave.
    report : path or None
        The page that was written.
    passed_over : bool
        The target had all tiles of the section already.
    """

    z: float
    pairs: int = 0
    matched: MatchReport | None = None
    solved: SolveReport | None = None
    report: Path | None = None
    passed_over: bool = False

    def __str__(self) -> str:
        if self.passed_over:
            return f"z {self.z:g}: aligned already"
        said = [str(part).replace("\n", "; ") for part in (self.matched, self.solved) if part is not None]
        return f"z {self.z:g}: {'; '.join(said)}"


@dataclass
class AlignReport:
    """What `align_montage` did.

    Attributes
    ----------
    stack, target_stack, collection : str
        What was read, and written.
    sections : list of SectionOutcome
        The sections, in the order of their layers.
    seconds : float
        How long it took.
    """

    stack: str
    target_stack: str
    collection: str
    sections: list[SectionOutcome] = field(default_factory=list)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a document for JSON."""
        return {
            "stack": self.stack,
            "target": self.target_stack,
            "matches": self.collection,
            "seconds": self.seconds,
            "sections": [
                {
                    "z": part.z,
                    "pairs": part.pairs,
                    "alignedAlready": part.passed_over,
                    "connected": None if part.matched is None else part.matched.matched,
                    "stored": None if part.matched is None else part.matched.passed_over,
                    "failures": [] if part.matched is None else [str(one) for one in part.matched.failures],
                    "solved": None if part.solved is None else part.solved.to_dict(),
                    "report": None if part.report is None else str(part.report),
                }
                for part in self.sections
            ],
        }

    def __str__(self) -> str:
        head = (
            f"{self.stack} -> {self.target_stack}, {len(self.sections)} sections in {duration(self.seconds)}"
        )
        return "\n".join([head, *map(str, self.sections)])


@renderaccess
def find_pairs(
    stack: str,
    z: float,
    xyNeighborFactor: float | None = None,
    without: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Find the pairs of neighbours of a section that a montage is made by: no corners, no hidden tiles.

    Parameters
    ----------
    stack : str
        Stack.
    z : float
        Layer.
    xyNeighborFactor : float, optional
        Search radius as a part of the larger side of a tile. Default 0.9.
    without : str, optional
        Match collection whose pairs are left out.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    dict
        Pairs, as `renderapi.client.tilePairClient` gives them and `renderapi.match.match_pairs` takes them.

    Raises
    ------
    NotFoundError
        If there is no such stack or layer.
    SpecError
        If a tile has no section.
    """
    at = Project(host, port, owner, project, session, render)
    found: dict[str, Any] = tilePairClient(
        stack,
        z,
        z,
        zNeighborDistance=0,
        xyNeighborFactor=xyNeighborFactor,
        excludePairsInMatchCollection=without,
        delete_json=True,
        engine="python",
        **at.keywords(),
    )
    return found


@renderaccess
def plan_montage(
    stack: str,
    target_stack: str | None = None,
    z: float | Iterable[float] | None = None,
    matchCollection: str | None = None,
    stages: Any = None,
    xyNeighborFactor: float | None = None,
    rates: tuple[float, float] | None = None,
    threads: int | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> AlignPlan:
    """Tell what `align_montage` would do, and how long that takes; nothing is written.

    Parameters
    ----------
    stack, target_stack, z, matchCollection, stages, xyNeighborFactor, threads
        As for `align_montage`.
    rates : tuple of (float, float), optional
        Seconds for a tile and for a pair on one thread. Default: one pair is matched and timed.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    AlignPlan

    Raises
    ------
    NotFoundError
        If there is no such stack or layer.
    MatchParametersError
        If stages cannot be used.
    ImportError
        If OpenCV is not installed (extra ``match``) and no rates are given.
    """
    job = Job(Project(host, port, owner, project, session, render), stack, target_stack, z, matchCollection)
    how = stages if stages is None else read_stages(stages)
    plans, sample, there = [], None, job.has_collection()
    for layer in job.layers:
        tiles = job.tiles(layer)
        pairs = find_pairs(stack, layer, xyNeighborFactor, **job.at.keywords())
        left = pairs["neighborPairs"]
        if there:
            rest = find_pairs(stack, layer, xyNeighborFactor, job.collection, **job.at.keywords())
            left = rest["neighborPairs"]
        whole = job.aligned(layer, tiles)
        if left and not whole and sample is None:
            sample = {**pairs, "neighborPairs": left[:1]}, how or montage_stages(longest_side(tiles))
        stored = len(pairs["neighborPairs"]) - len(left)
        plans.append(SectionPlan(layer, len(tiles), len(pairs["neighborPairs"]), stored, whole))
    per_tile, per_pair = rates or (measured(*sample, **job.at.keywords()) if sample else (None, None))
    return AlignPlan(plans, per_tile, per_pair, threads or min(8, os.cpu_count() or 1), job.target_state())


def measured(pair: Any, stages: Any, **keywords: Any) -> tuple[float, float]:
    """Match a pair, and return how long features of one end take, and the rest; keywords as for `match_pairs`."""
    # once for what is compiled and read first; then features of both ends are found; then they are there
    match_pairs(pair, stages, threads=1, **keywords)
    with tempfile.TemporaryDirectory() as folder:
        first, second = (
            match_pairs(pair, stages, threads=1, cache_folder=folder, **keywords).seconds for _ in range(2)
        )
    return max(first - second, 0.0) / 2, second


def goes_on(target_state: str | None) -> str:
    """Say what the state of a target tells of an earlier call."""
    if target_state != "LOADING":
        return ""
    return "; the target is LOADING: the same call goes on where an earlier one did not end"


@renderaccess
@accepts(*_SOLVE_OPTIONS)
def align_montage(
    stack: str,
    target_stack: str,
    z: float | Iterable[float] | None = None,
    matchCollection: str | None = None,
    stages: Any = None,
    model: str = "affine",
    xyNeighborFactor: float | None = None,
    report: str | os.PathLike[str] | None = None,
    again: bool = False,
    close_stack: bool = True,
    executor: Executor | None = None,
    threads: int | None = None,
    cache_folder: str | os.PathLike[str] | None = None,
    progress: Any = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> AlignReport:
    """Place the tiles of sections by their images: pairs, matches, transforms, another stack, and a report.

    Sections are done one after the other. The same call goes on where one before it ended: sections that the target
    has all tiles of are passed over, and so are pairs that the collection has matches of.

    Parameters
    ----------
    stack : str
        Stack with the tiles where the stage was.
    target_stack : str
        Stack to write to; it is made like `stack` if it is not there.
    z : float or iterable of float, optional
        Layers. Default all of the stack.
    matchCollection : str, optional
        Where matches are kept. Default the name of the target with ``_matches``.
    stages : path, dict, renderapi.match.Stage, or iterable of them, optional
        How matches are found, see `renderapi.match.read_stages`. Default `montage_stages`.
    model : str
        What is found for each tile, as for `renderapi.solve.solve_matches`. Default affine.
    xyNeighborFactor : float, optional
        Search radius for neighbours as a part of the larger side of a tile. Default 0.9.
    report : path, optional
        Folder that gets a page ``z_Z.html`` for each section, see `report_section`.
    again : bool
        Also do what is there already: matches are found anew, and sections solved anew. Default False.
    close_stack : bool
        Set the target COMPLETE in the end. Default True.
    executor : concurrent.futures.Executor, optional
        What matches, for instance of `distributed`; it stays open. Default threads of this process.
    threads : int, optional
        How many; default one for each core, at most 8.
    cache_folder : path, optional
        Where features are kept for later runs, see `renderapi.match.FeatureCache`.
    progress : optional
        True for bars (extra ``progress``), or a function that is called with the number of sections that are
        done and their total.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        As for `renderapi.solve.solve_matches`: ``min_matches=``, ``robust=``, ``unmatched=``, ``refuse=``, ``prior=``
        ... Matches that agree on no transform are dropped when they are found, pairs with fewer than
        `min_matches` and those that do not fit the others when tiles are placed.

    Returns
    -------
    AlignReport
        Pairs that were not connected are in it, each with the reason; nothing of that raises.

    Raises
    ------
    MatchParametersError, SpecError
        If an argument cannot be used; nothing was begun.
    SolveError
        If tiles of a section cannot be placed; with ``refuse=("components", "unmatched")`` also if they are in
        several parts, or have no matches.
    NotFoundError
        If there is no such stack or layer.
    ConflictError
        If the target is there, and is described otherwise than `stack`.
    ImportError
        If OpenCV is not installed (extra ``match``).

    Notes
    -----
    After an error the target is left LOADING, and the message names section and step. The matches until then and
    the sections before it are stored.
    """
    began = time.perf_counter()
    job = Job(Project(host, port, owner, project, session, render), stack, target_stack, z, matchCollection)
    how = stages if stages is None else read_stages(stages)
    collection = matchCollection or f"{target_stack}_matches"
    options = {name: kwargs[name] for name in _SOLVE_OPTIONS if name in kwargs}
    solving = StackJob(
        job.at, job.at, stack, target_stack, collection, job.at.owner, None, model, dict(options)
    )
    solving.check_names(job.layers)
    folder = None if report is None else Path(report)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    done = AlignReport(stack, target_stack, collection)
    at = job.at.keywords()
    derive_stack(stack, target_stack, **at)
    with (
        loading(target_stack, close=close_stack, **at),
        progress_reporter(progress, len(job.layers), "aligning", " sections") as advance,
    ):
        for layer in job.layers:
            part = SectionOutcome(layer)
            tiles = job.tiles(layer)
            if not again and job.aligned(layer, tiles):
                part.passed_over = True
            else:
                with said(f"layer {layer:g} of stack {stack}, finding pairs", target_stack):
                    pairs = find_pairs(stack, layer, xyNeighborFactor, **at)
                part.pairs = len(pairs["neighborPairs"])
                with said(f"layer {layer:g} of stack {stack}, matching", target_stack):
                    part.matched = match_pairs(
                        pairs, how or montage_stages(longest_side(tiles)), collection, again=again,
                        executor=executor, threads=threads, cache_folder=cache_folder,
                        progress=f"z {layer:g}, matching" if progress is True else None, **at,
                    )  # fmt: skip
                with said(f"layer {layer:g} of stack {stack}, solving", target_stack):
                    (part.solved,) = solving.written(solving.montages([layer], None), close=False)
            part.report = None if folder is None else folder / f"z_{layer:g}.html"
            if part.report is not None and not (part.passed_over and part.report.exists()):
                failures = [] if part.matched is None else part.matched.failures
                with said(f"layer {layer:g} of stack {stack}, reporting", target_stack):
                    report_section(
                        target_stack, layer, collection, part.report, stack, failures=failures,
                        points=options.get("points", "matching"), **at,
                    )  # fmt: skip
            done.sections.append(part)
            advance(1)
    done.seconds = time.perf_counter() - began
    return done


@contextmanager
def said(where: str, target_stack: str) -> Iterator[None]:
    """Let an error say in which section and step it was, and what became of the target."""
    try:
        yield
    except RenderError as error:
        if error.args and isinstance(error.args[0], str):
            error.args = (
                f"{where}: {error.args[0]}. Stack {target_stack} is left LOADING; the same call goes on from here",
                *error.args[1:],
            )
        raise


class Job:
    """The layers that are worked on, and what is there of them."""

    def __init__(
        self,
        at: Project,
        stack: str,
        target_stack: str | None,
        z: float | Iterable[float] | None,
        collection: str | None = None,
    ) -> None:
        self.at, self.stack, self.target_stack = at, stack, target_stack
        self.collection = collection or (None if target_stack is None else f"{target_stack}_matches")
        if target_stack == stack:
            raise SpecError(f"the target is stack {stack} itself: its tiles would be lost. Give another name")
        there = sorted(get_z_values_for_stack(stack, **at.keywords()))
        wanted = there if z is None else [float(z)] if isinstance(z, (int, float)) else sorted(map(float, z))
        missing = sorted(set(wanted) - set(there))
        if missing:
            raise NotFoundError(f"stack {stack} has no layer {missing[0]:g}; nothing was done")
        if not wanted:
            raise NotFoundError(f"stack {stack} has no layers; nothing was done")
        self.layers = wanted

    def tiles(self, z: float) -> list[dict[str, Any]]:
        """Read ids and boxes of the tiles of a layer."""
        found: list[dict[str, Any]] = get_tilebounds_for_z(self.stack, z, **self.at.keywords())
        return found

    def aligned(self, z: float, tiles: list[dict[str, Any]]) -> bool:
        """Tell whether the target has all tiles of a layer."""
        if self.target_stack is None:
            return False
        with suppress(NotFoundError):
            there = get_tilebounds_for_z(self.target_stack, z, **self.at.keywords())
            return {tile["tileId"] for tile in tiles} <= {tile["tileId"] for tile in there}
        return False

    def of(self, layers: Iterable[float]) -> Job:
        """Return the work on some of the layers."""
        some = copy(self)
        some.layers = list(layers)
        return some

    def target_state(self) -> str | None:
        """Return the state of the target, None if it is not there."""
        if self.target_stack is None:
            return None
        with suppress(NotFoundError):
            found = get_full_stack_metadata(self.target_stack, **self.at.keywords())
            return str(found["state"])
        return None

    def has_collection(self) -> bool:
        """Tell whether there is the match collection."""
        with suppress(NotFoundError):
            known = get_matchcollections(**self.at.keywords())
            return any(one["collectionId"]["name"] == self.collection for one in known)
        return False


def longest_side(tiles: list[dict[str, Any]]) -> float:
    """Return the longest side of the boxes of tiles."""
    return max((max(tile["maxX"] - tile["minX"], tile["maxY"] - tile["minY"]) for tile in tiles), default=1.0)
