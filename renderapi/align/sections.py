"""Rough alignment: each section as a whole, placed by the sections beside it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderapi._parallel import progress_reporter
from renderapi._project import Project
from renderapi._replacing import replacing
from renderapi.align.montage import Job, said
from renderapi.client import transformSectionClient
from renderapi.errors import SpecError
from renderapi.image import get_section_image
from renderapi.match import MatchReport, match_pairs, read_stages
from renderapi.pointmatch import get_matches_with_group
from renderapi.render import renderaccess
from renderapi.solve import SolveReport, solve_matches
from renderapi.stack import derive_stack, get_bounds_from_z, loading
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

#: Longest side of the image of a section, in pixels.
_SIDE = 1024
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
    seconds : float
        How long it took.
    """

    stack: str
    target_stack: str
    collection: str
    transforms: dict[float, AffineModel]
    matched: MatchReport
    solved: SolveReport
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
        }

    def __str__(self) -> str:
        head = f"{self.stack} -> {self.target_stack}, {len(self.transforms)} sections"
        return "\n".join([head, str(self.matched), str(self.solved)])


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
    from PIL import Image

    at = Project(host, port, owner, project, session, render)
    job = Job(at, stack, None, z)
    bounds = {layer: get_bounds_from_z(stack, layer, **at.keywords()) for layer in job.layers}
    if scale is None:
        side = max(max(box["maxX"] - box["minX"], box["maxY"] - box["minY"]) for box in bounds.values())
        scale = min(1.0, _SIDE / max(side, 1))
    if not 0 < scale <= 1:
        raise SpecError(f"scale is {scale!r}: sections are drawn with a scale above 0, up to 1")
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    tiles = []
    with progress_reporter(progress, len(job.layers), "drawing", " sections") as advance:
        for layer, box in bounds.items():
            x, y = box["minX"], box["minY"]
            size = box["maxX"] - x, box["maxY"] - y
            name = f"z_{layer}_box_{x:.0f}_{y:.0f}_{size[0]:.0f}_{size[1]:.0f}_{scale:.6g}"
            path = home / f"{name}.png"
            if not path.exists():
                image = get_section_image(stack, layer, scale, gray=True, **at.keywords())
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
                    tforms=[AffineModel(1 / scale, 0, 0, 1 / scale, x, y)],
                )
            )
            advance(1)
    return tiles


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
    again: bool = False,
    close_stack: bool = True,
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
    again : bool
        Match also what is there already. Default False.
    close_stack : bool
        Set the target COMPLETE in the end. Default True.
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
    if neighbors < 1:
        raise SpecError(f"neighbors is {neighbors!r}: a section is matched with one other at least")
    stay = {float(layer) for layer in fixed}
    if stay - set(job.layers):
        raise SpecError(f"fixed names layer {min(stay - set(job.layers)):g}, which is not aligned")
    collection = matchCollection or f"{target_stack}_matches"
    at = job.at.keywords()
    derive_stack(stack, target_stack, **at)
    with ExitStack() as held:
        held.enter_context(loading(target_stack, close=close_stack, **at))
        home = held.enter_context(tempfile.TemporaryDirectory()) if folder is None else folder
        with said(f"stack {stack}, drawing sections", target_stack):
            sections = draw_sections(stack, home, job.layers, scale, progress, **at)
        ids = [str(section.tileId) for section in sections]
        pairs = [
            (ids[i], ids[j]) for i in range(len(ids)) for j in range(i + 1, min(i + neighbors + 1, len(ids)))
        ]
        drawn_at = 1 / sections[0].tforms[0].M[0, 0]
        with said(f"stack {stack}, matching sections", target_stack):
            matched = match_pairs(
                pairs, how or section_stages(drawn_at), collection, tilespecs=sections, again=again,
                threads=threads, progress=progress, **at,
            )  # fmt: skip
        with said(f"stack {stack}, solving sections{_why(matched)}", target_stack):
            solution = solve_matches(
                sections,
                _matches(sections, collection, at),
                model,
                prior=prior,
                fixed=[name for name, layer in zip(ids, job.layers) if layer in stay],
                refuse=("components", "unmatched"),
            )
        transforms = {}
        with (
            said(f"stack {stack}, storing sections", target_stack),
            progress_reporter(progress, len(sections), "storing", " sections") as advance,
        ):
            for layer, name, section in zip(job.layers, ids, sections):
                # from where the section is to the small image, and from there to where it belongs
                change = solution.transform(name).concatenate(section.tforms[0].invert())
                transforms[layer] = change
                transformSectionClient(
                    stack, f"rough_{layer}", _AFFINE, change.dataString.replace(" ", ","), [layer],
                    targetStack=target_stack, engine="python", **at,
                )  # fmt: skip
                advance(1)
    seconds = time.perf_counter() - began
    return SectionsReport(stack, target_stack, collection, transforms, matched, solution.report, seconds)


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
