"""Rough alignment: each section as a whole, placed by the sections beside it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi._parallel import progress_reporter
from renderapi._project import Project
from renderapi._replacing import replacing
from renderapi.align.montage import Job, duration, goes_on, measured, said
from renderapi.align.report import report_images
from renderapi.client import transformSectionClient
from renderapi.errors import SpecError
from renderapi.image import get_section_image
from renderapi.match import MatchReport, match_pairs, read_stages
from renderapi.pointmatch import get_match_counts, get_matches_with_group
from renderapi.render import renderaccess
from renderapi.resolvedtiles import ResolvedTiles
from renderapi.solve import SolveReport, solve_matches
from renderapi.solve.matches import check_arguments
from renderapi.stack import derive_stack, get_bounds_from_z, loading
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import requests

    from renderapi.render import Render

#: Longest side of the image of a section, in pixels.
_SIDE = 1024
_MODELS = ("rigid", "translation", "similarity", "affine")
_AFFINE = "mpicbg.trakem2.transform.AffineModel2D"


def section_stages(scale: float) -> list[dict[str, Any]]:
    """Return stages of matching for small images of sections.

    Parameters
    ----------
    scale : float
        Scale of the images; what sections may differ is five pixels of them.

    Returns
    -------
    list of dict
        See `renderapi.match.read_stages`.

    Examples
    --------
    >>> section_stages(0.25)[0]["featureMatchDerivation"]["matchModelType"]
    'RIGID'
    """
    return [
        {
            "stageName": f"sections at {scale:g}",
            "featureExtraction": {"minScale": 0.1, "maxScale": 1.0, "steps": 5},
            "featureMatchDerivation": {
                "matchModelType": "RIGID",
                "matchMaxEpsilon": 5.0,
                "matchMinNumInliers": 8,
                "matchIterations": 2000,
            },
        }
    ]


@dataclass(frozen=True)
class SectionsPlan:
    """What `align_sections` would do.

    Attributes
    ----------
    layers : list of float
        The sections.
    drawn : int
        Number of them whose small images are there already.
    pairs, stored : int
        Number of pairs of sections, and of those that the collection has matches of.
    target_state : str or None
        State of the target, None where it is not there. LOADING after a call that did not end.
    seconds_per_image, seconds_per_section, seconds_per_pair : float or None
        How long drawing a small image, its features, and candidates of a pair take on one thread: measured with
        one pair, or as given. None where nothing is to be matched.
    threads : int
        Number of threads that were counted on, for all but drawing.
    """

    layers: list[float]
    drawn: int
    pairs: int
    stored: int
    target_state: str | None
    seconds_per_image: float | None
    seconds_per_section: float | None
    seconds_per_pair: float | None
    threads: int

    @property
    def seconds(self) -> float:
        """How long drawing and matching take, roughly; solving takes little beside it."""
        left = self.pairs - self.stored
        drawing = (len(self.layers) - self.drawn) * (self.seconds_per_image or 0.0)
        sections = min(len(self.layers), 2 * left) * (self.seconds_per_section or 0.0)
        return drawing + (sections + left * (self.seconds_per_pair or 0.0)) / self.threads

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a document for JSON."""
        return {
            "layers": self.layers,
            "drawn": self.drawn,
            "pairs": self.pairs - self.stored,
            "stored": self.stored,
            "targetState": self.target_state,
            "seconds": self.seconds,
            "secondsPerImage": self.seconds_per_image,
            "secondsPerSection": self.seconds_per_section,
            "secondsPerPair": self.seconds_per_pair,
            "threads": self.threads,
        }

    def __str__(self) -> str:
        text = f"{len(self.layers)} sections, {self.pairs} pairs; {self.pairs - self.stored} pairs to match"
        if self.seconds_per_pair is not None:
            text += (
                f": about {duration(self.seconds)} with {self.threads} threads ({self.seconds_per_image or 0:.2f} s "
                f"an image, {self.seconds_per_section or 0:.2f} s a section, {self.seconds_per_pair:.2f} s a pair)"
            )
        return text + goes_on(self.target_state)


@dataclass
class SectionsReport:
    """What `align_sections` did.

    Attributes
    ----------
    stack, target_stack, collection : str
        What was read, and written.
    transforms : dict of float to AffineModel
        What was added to the tiles of each layer.
    matched : renderapi.match.MatchReport
        What matching gave.
    solved : renderapi.solve.SolveReport
        What solving gave; its tiles are the images of sections.
    report : path or None
        The page that was written.
    seconds : float
        How long it took.
    """

    stack: str
    target_stack: str
    collection: str
    transforms: dict[float, AffineModel]
    matched: MatchReport
    solved: SolveReport
    report: Path | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a document for JSON."""
        return {
            "stack": self.stack,
            "target": self.target_stack,
            "matches": self.collection,
            "seconds": self.seconds,
            "connected": self.matched.matched,
            "stored": self.matched.passed_over,
            "failures": [str(one) for one in self.matched.failures],
            "solved": self.solved.to_dict(),
            "transforms": {f"{z:g}": transform.dataString for z, transform in self.transforms.items()},
            "report": None if self.report is None else str(self.report),
        }

    def __str__(self) -> str:
        head = f"{self.stack} -> {self.target_stack}, {len(self.transforms)} sections in {duration(self.seconds)}"
        return "\n".join([head, str(self.matched), str(self.solved)])


class _Small:
    """Sections as they are drawn small, and which are neighbours."""

    def __init__(self, job: Job, neighbors: int, scale: float | None) -> None:
        if neighbors < 1:
            raise SpecError(f"neighbors is {neighbors!r}: a section is matched with one other at least")
        boxes = {layer: get_bounds_from_z(job.stack, layer, **job.at.keywords()) for layer in job.layers}
        self.boxes = {
            layer: (box["minX"], box["minY"], box["maxX"] - box["minX"], box["maxY"] - box["minY"])
            for layer, box in boxes.items()
        }
        if scale is None:
            scale = min(1.0, _SIDE / max(1, *(max(box[2:]) for box in self.boxes.values())))
        if not 0 < scale <= 1:
            raise SpecError(f"scale is {scale!r}: sections are drawn with a scale above 0, up to 1")
        self.scale = scale
        self.ids = {
            layer: f"z_{layer}_box_{x:.0f}_{y:.0f}_{width:.0f}_{height:.0f}_{scale:.6g}"
            for layer, (x, y, width, height) in self.boxes.items()
        }
        self.pairs = [
            (job.layers[i], job.layers[j])
            for i in range(len(job.layers))
            for j in range(i + 1, min(i + neighbors + 1, len(job.layers)))
        ]

    def of(self, layers: Iterable[float]) -> _Small:
        """Return some of them, with the same scale."""
        some = copy(self)
        some.ids = {layer: self.ids[layer] for layer in layers}
        return some


@renderaccess
def draw_sections(
    stack: str,
    folder: str | os.PathLike[str],
    z: float | Iterable[float] | None = None,
    scale: float | None = None,
    progress: Any = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[TileSpec]:
    """Have sections drawn small, each as one image, and describe those as tiles.

    Parameters
    ----------
    stack : str
        Stack.
    folder : path
        Where the images go, as PNG files. One that is there is not drawn again; give an empty folder after tiles
        have changed.
    z : float or iterable of float, optional
        Layers. Default all of the stack.
    scale : float, optional
        Scale. Default what makes the longest side of the largest section 1024 pixels.
    progress : optional
        As for `align_montage`.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    list of TileSpec
        One for each section, in the order of the layers; their transform puts the image where the section is.
        Ids say layer and box, as ``z_1.0_box_0_0_4096_4096_0.25``.

    Raises
    ------
    NotFoundError
        If there is no such stack or layer.
    RenderError
        If a section cannot be drawn.
    """
    job = Job(Project(host, port, owner, project, session, render), stack, None, z)
    small = _Small(job, 1, scale)
    return _drawn(job, small, Path(folder), progress)


def _drawn(job: Job, small: _Small, home: Path, progress: Any) -> list[TileSpec]:
    from PIL import Image

    home.mkdir(parents=True, exist_ok=True)
    tiles = []
    with progress_reporter(progress, len(job.layers), "drawing", " sections") as advance:
        for layer, name in small.ids.items():
            x, y, *_ = small.boxes[layer]
            path = home / f"{name}.png"
            if not path.exists():
                image = get_section_image(job.stack, layer, small.scale, gray=True, **job.at.keywords())
                with replacing(path) as part:
                    Image.fromarray(image).save(part, "PNG")
            with Image.open(path) as drawn:
                width, height = drawn.size
            tiles.append(
                TileSpec(
                    tileId=name,
                    z=layer,
                    width=width,
                    height=height,
                    imageUrl=path.resolve().as_uri(),
                    minint=0,
                    maxint=255,
                    sectionId=str(layer),
                    tforms=[AffineModel(1 / small.scale, 0, 0, 1 / small.scale, x, y)],
                )
            )
            advance(1)
    return tiles


@renderaccess
def plan_sections(
    stack: str,
    target_stack: str | None = None,
    z: float | Iterable[float] | None = None,
    matchCollection: str | None = None,
    stages: Any = None,
    neighbors: int = 1,
    scale: float | None = None,
    folder: str | os.PathLike[str] | None = None,
    rates: tuple[float, float, float] | None = None,
    threads: int | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> SectionsPlan:
    """Tell what `align_sections` would do, and how long that takes; nothing is written.

    Parameters
    ----------
    stack, target_stack, z, matchCollection, stages, neighbors, scale, folder, threads
        As for `align_sections`.
    rates : tuple of (float, float, float), optional
        Seconds for drawing an image, for its features, and for a pair. Default: two sections are drawn, matched and
        timed, in a temporary folder.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    SectionsPlan

    Raises
    ------
    NotFoundError
        If there is no such stack or layer.
    MatchParametersError, SpecError
        If an argument cannot be used.
    ImportError
        If OpenCV is not installed (extra ``match``) and no rates are given.
    """
    job = Job(Project(host, port, owner, project, session, render), stack, target_stack, z, matchCollection)
    how = stages if stages is None else read_stages(stages)
    small = _Small(job, neighbors, scale)
    there: set[tuple[str, str]] = set()
    if job.collection is not None and job.has_collection():
        for layer in job.layers:
            counts = get_match_counts(job.collection, str(layer), **job.at.keywords())
            there |= {(one["pId"], one["qId"]) for one in counts}
    left = [pair for pair in small.pairs if tuple(small.ids[layer] for layer in pair) not in there]
    drawn = (
        0 if folder is None else sum((Path(folder) / f"{name}.png").exists() for name in small.ids.values())
    )
    image, section, per_pair = rates or (
        _measured(job.of(left[0]), small, how or section_stages(small.scale)) if left else (None, None, None)
    )
    return SectionsPlan(
        job.layers,
        drawn,
        len(small.pairs),
        len(small.pairs) - len(left),
        job.target_state(),
        image,
        section,
        per_pair,
        threads or min(8, os.cpu_count() or 1),
    )


def _measured(job: Job, small: _Small, stages: Any) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        # the first image waits for what is compiled and read first
        seconds = []
        for layer in job.layers:
            began = time.perf_counter()
            _drawn(job, small.of([layer]), Path(folder), None)
            seconds.append(time.perf_counter() - began)
        sections = _drawn(job, small.of(job.layers), Path(folder), None)
        pair = [(str(sections[0].tileId), str(sections[1].tileId))]
        return (min(seconds), *measured(pair, stages, tilespecs=sections))


@renderaccess
def align_sections(
    stack: str,
    target_stack: str,
    z: float | Iterable[float] | None = None,
    matchCollection: str | None = None,
    stages: Any = None,
    model: str = "rigid",
    neighbors: int = 1,
    scale: float | None = None,
    folder: str | os.PathLike[str] | None = None,
    fixed: Iterable[float] = (),
    prior: float | Mapping[str, float] | None = None,
    report: str | os.PathLike[str] | None = None,
    again: bool = False,
    close_stack: bool = True,
    executor: Executor | None = None,
    threads: int | None = None,
    progress: Any = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> SectionsReport:
    """Place whole sections by the ones beside them: small images, matches, one transform each, another stack.

    The same call goes on where one before it ended: pairs of sections that the collection has matches of are not
    matched again, and with `folder` nothing is drawn again. All sections are solved and stored anew, because each
    of them depends on all others.

    Parameters
    ----------
    stack : str
        Stack of montages.
    target_stack : str
        Stack to write to; it is made like `stack` if it is not there.
    z : float or iterable of float, optional
        Layers. Default all of the stack.
    matchCollection : str, optional
        Where matches are kept. Default the name of the target with ``_matches``.
    stages : path, dict, renderapi.match.Stage, or iterable of them, optional
        How matches are found; scales are those of the small images. Default `section_stages`.
    model : {"rigid", "translation", "similarity", "affine"}
        What is found for each section.
    neighbors : int
        With how many of the sections behind it each is matched. Default 1, the next one; more hold the chain together
        where a section is bad.
    scale : float, optional
        Scale of the small images. Default what makes the longest side of the largest section 1024 pixels.
    folder : path, optional
        Where the small images are kept, for a call that goes on. Default a temporary one.
    fixed : iterable of float, optional
        Layers that stay where they are.
    prior : float or dict, optional
        As for `renderapi.solve.solve_matches`.
    report : path, optional
        Folder that gets a page ``sections.html``: residuals of sections and pairs, pairs that fit worst, components,
        histograms.
    again : bool
        Match also what is there already. Default False.
    close_stack : bool
        Set the target COMPLETE in the end. Default True.
    executor : concurrent.futures.Executor, optional
        What matches, for instance of `distributed`; it stays open. Processes on other machines have to see `folder`,
        which must be given then. Default threads of this process.
    threads, progress
        As for `align_montage`.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    SectionsReport

    Raises
    ------
    ComponentsError, NoMatchesError
        If the chain is broken: the message names sections and reasons. Their matches are stored.
    MatchParametersError, SpecError
        If an argument cannot be used; nothing was begun.
    NotFoundError
        If there is no such stack or layer.
    ImportError
        If OpenCV is not installed (extra ``match``).

    Notes
    -----
    After an error the target is left LOADING, and the message names the step.
    """
    began = time.perf_counter()
    job = Job(Project(host, port, owner, project, session, render), stack, target_stack, z, matchCollection)
    how = stages if stages is None else read_stages(stages)
    if model not in _MODELS:
        raise SpecError(f"model is {model!r}: sections are placed by one of {', '.join(_MODELS)}")
    check_arguments(model, prior=prior)
    small = _Small(job, neighbors, scale)
    stay = {float(layer) for layer in fixed}
    if stay - set(job.layers):
        raise SpecError(f"fixed names layer {min(stay - set(job.layers)):g}, which is not aligned")
    collection = matchCollection or f"{target_stack}_matches"
    shown = None if report is None else Path(report) / "sections.html"
    if shown is not None:
        shown.parent.mkdir(parents=True, exist_ok=True)
    at = job.at.keywords()
    derive_stack(stack, target_stack, **at)
    with ExitStack() as held:
        held.enter_context(loading(target_stack, close=close_stack, **at))
        home = Path(held.enter_context(tempfile.TemporaryDirectory()) if folder is None else folder)
        with said(f"stack {stack}, drawing sections", target_stack):
            sections = _drawn(job, small, home, progress)
        ids = small.ids
        with said(f"stack {stack}, matching sections", target_stack):
            matched = match_pairs(
                [(ids[one], ids[other]) for one, other in small.pairs], how or section_stages(small.scale),
                collection, tilespecs=sections, again=again, executor=executor, threads=threads,
                progress=progress, **at,
            )  # fmt: skip
        with said(f"stack {stack}, solving sections{_why(matched)}", target_stack):
            matches = _matches(sections, collection, at)
            solution = solve_matches(
                sections,
                matches,
                model,
                prior=prior,
                fixed=[name for layer, name in ids.items() if layer in stay],
                refuse=("components", "unmatched"),
            )
        transforms = {}
        with (
            said(f"stack {stack}, storing sections", target_stack),
            progress_reporter(progress, len(sections), "storing", " sections") as advance,
        ):
            for layer, section in zip(job.layers, sections):
                # from where the section is to the small image, and from there to where it belongs
                change = solution.transform(ids[layer]).concatenate(section.tforms[0].invert())
                transforms[layer] = change
                transformSectionClient(
                    stack, f"rough_{layer}", _AFFINE, change.dataString.replace(" ", ","), [layer],
                    targetStack=target_stack, engine="python", **at,
                )  # fmt: skip
                advance(1)
        if shown is not None:
            placed = {tile.tileId: tile for tile in solution.tilespecs()}
            with said(f"stack {stack}, reporting", target_stack):
                report_images(
                    f"{target_stack}, sections",
                    f"{job.at.owner}/{job.at.project}/{target_stack}, matches of {collection}",
                    ResolvedTiles(sections),
                    ResolvedTiles([placed[section.tileId] for section in sections]),
                    matches,
                    shown,
                    failures=matched.failures,
                )
    seconds = time.perf_counter() - began
    return SectionsReport(
        stack, target_stack, collection, transforms, matched, solution.report, shown, seconds
    )


def _matches(sections: list[TileSpec], collection: str, at: dict[str, Any]) -> list[dict[str, Any]]:
    # of sections that are drawn as they are now
    ids = {section.tileId for section in sections}
    return [
        match
        for section in sections
        for match in get_matches_with_group(collection, str(section.z), **at)
        if match["pId"] in ids and match["qId"] in ids
    ]


def _why(matched: MatchReport) -> str:
    if not matched.failures:
        return ""
    rest = f" and {len(matched.failures) - 1} more" if len(matched.failures) > 1 else ""
    return f" ({matched.failures[0]}{rest})"
