"""Pages about what is aligned: how well the tiles of a section fit, or sections as a whole, and where they do not."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from renderapi._project import Project
from renderapi._replacing import replacing
from renderapi.align._page import Picture, page
from renderapi.errors import NotFoundError
from renderapi.geometry import bounding_boxes, match_residuals
from renderapi.image import get_bb_renderparams
from renderapi.pointmatch import get_matches_within_group
from renderapi.render import renderaccess
from renderapi.rendering import ImageSourceError, RenderParametersError, render8
from renderapi.resolvedtiles import ResolvedTiles, get_resolved_tiles_from_z
from renderapi.solve import Seam, SolveError, SolveReport, solve_matches
from renderapi.solve.models import model_of
from renderapi.solve.tiles import Tiles, specs_of

if TYPE_CHECKING:
    import requests
    from numpy.typing import NDArray

    from renderapi.render import Render

#: Side of what is shown of a seam, in pixels of the world.
_SHOWN = 320


@dataclass
class SectionReport:
    """How well the tiles of a section fit.

    Attributes
    ----------
    stack : str
        The stack.
    z : float
        The layer.
    after : renderapi.solve.SolveReport
        Residuals of the tiles where they are; of its figures those called *before* and *after* are the same.
    before : renderapi.solve.SolveReport or None
        The same of another stack, in which the tiles are where they were before.
    html : str
        The page: one file that needs no other.
    failures : list of str
        Pairs that could not be connected, and why.
    """

    stack: str
    z: float
    after: SolveReport
    before: SolveReport | None
    html: str = field(repr=False)
    failures: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a document for JSON."""
        return {
            "stack": self.stack,
            "z": self.z,
            "tiles": len(self.after.tile_ids),
            "pairs": len(self.after.pairs),
            "matches": int(self.after.matches.sum()),
            "residual": _finite(self.after.rms_before),
            "residualBefore": None if self.before is None else _finite(self.before.rms_before),
            "components": [len(component) for component in self.after.components],
            "unmatchedTiles": self.after.unmatched,
            "worstSeams": [
                {"p": seam.p, "q": seam.q, "matches": seam.matches, "residual": seam.before}
                for seam in worst_seams(self.after, 10)
            ],
            "failures": self.failures,
        }


def _finite(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


@renderaccess
def report_section(
    stack: str,
    z: float,
    matchCollection: str,
    path: str | os.PathLike[str] | None = None,
    before: str | None = None,
    seams: int = 6,
    failures: Iterable[Any] = (),
    points: str | int = "matching",
    mergeCollections: Iterable[str] | str | None = None,
    match_owner: str | None = None,
    before_project: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> SectionReport:
    """Report how well the tiles of a section fit, by their point matches.

    Parameters
    ----------
    stack : str
        Stack of the tiles.
    z : float
        Layer.
    matchCollection : str
        Matches of the tiles; their groups are the section ids.
    path : path, optional
        HTML file that is written: map of residuals, worst seams, components, histograms, in one file.
    before : str, optional
        Stack that has the tiles where they were, to compare with.
    seams : int
        How many of the seams that fit worst are drawn. Their images are read here, as `renderapi.rendering` does.
    failures : iterable, optional
        What is to be listed of pairs that were not connected: errors of `renderapi.match`, or texts.
    points : {"matching", "raw", "world"} or int
        Coordinates of the matches, as for `renderapi.solve.solve_matches`.
    mergeCollections : str or iterable of str, optional
        Collections that are merged with it.
    match_owner : str, optional
        Owner of the collection; default that of the stack.
    before_project : str, optional
        Project of `before`; default that of the stack.
    host, port, owner, project, session, render
        Connection.

    Returns
    -------
    SectionReport

    Raises
    ------
    NotFoundError
        If there is no such stack, layer or collection.
    SolveError
        If no tile has matches that can be used.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import renderapi
    >>> from renderapi.server import serve_background
    >>> from renderapi.tilespec import TileSpec
    >>> from renderapi.transform import AffineModel
    >>> tiles = [
    ...     TileSpec(tileId=name, z=1.0, width=100, height=100, sectionId="1.0", tforms=[AffineModel(B0=x)])
    ...     for name, x in (("a", 0.0), ("b", 90.0))
    ... ]
    >>> match = {"pGroupId": "1.0", "pId": "a", "qGroupId": "1.0", "qId": "b",
    ...          "matches": {"p": [[95, 93], [10, 90]], "q": [[5, 3], [12, 92]], "w": [1, 1]}}
    >>> with serve_background() as server:
    ...     render = server.connect(owner="me", project="p")
    ...     made = renderapi.stack.ensure_stack("montage", render=render)
    ...     renderapi.client.import_tilespecs("montage", tiles, render=render)
    ...     stored = renderapi.pointmatch.import_matches("matches", [match], render=render)
    ...     report = renderapi.align.report_section("montage", 1, "matches", seams=0, render=render)
    >>> round(report.to_dict()["residual"], 3)
    2.0
    """
    at = Project(host, port, owner, project, session, render)
    tiles = _read(stack, z, at)
    matches = _matches(tiles, matchCollection, match_owner or at.owner, mergeCollections, at)
    after = _where_they_are(tiles, matches, points, f"layer {z:g} of stack {stack}")
    earlier = None
    if before is not None:
        old = _read(before, z, at.other(project=before_project))
        earlier = _where_they_are(old, matches, points, f"layer {z:g} of stack {before}")
    boxes = bounding_boxes(tiles.tilespecs, tiles.transforms)
    place = dict(zip(after.tile_ids, boxes))

    def parameters(x: int, y: int, width: int, height: int) -> dict[str, Any]:
        found: dict[str, Any] = get_bb_renderparams(stack, z, x, y, width, height, **at.keywords())
        return found

    said = [str(failure) for failure in failures]
    shown = page(
        f"{stack}, z {z:g}",
        f"{at.owner}/{at.project}/{stack}, matches of {matchCollection}",
        after,
        earlier,
        boxes,
        [_drawn(seam, place, parameters, _SHOWN) for seam in worst_seams(after, seams)],
        said,
        _distances(tiles, matches, points),
    )
    _write(shown, path)
    return SectionReport(stack, float(z), after, earlier, shown, said)


def report_images(
    title: str,
    source: str,
    before: ResolvedTiles,
    tiles: ResolvedTiles,
    matches: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    seams: int = 6,
    failures: Iterable[Any] = (),
) -> None:
    """Report how well images fit that each are a whole section.

    Parameters
    ----------
    title, source : str
        What it is about, and where that is.
    before, tiles : ResolvedTiles
        The images in the order of their sections, where they were and where they are.
    matches : list of dict
        Their matches, in pixels.
    path : path
        HTML file that is written.
    seams : int
        How many of the pairs that fit worst are drawn.
    failures : iterable, optional
        What is to be listed of pairs that were not connected.
    """
    after, earlier = (_where_they_are(some, matches, "raw", title) for some in (tiles, before))
    boxes = bounding_boxes(tiles.tilespecs)
    place = dict(zip(after.tile_ids, boxes))
    documents = [tile.to_dict() for tile in tiles.tilespecs]
    side = float((boxes[:, 2:] - boxes[:, :2]).max())

    def parameters(x: int, y: int, width: int, height: int) -> dict[str, Any]:
        scale = min(1.0, _SHOWN / max(width, height))
        return {"x": x, "y": y, "width": width, "height": height, "scale": scale, "tileSpecs": documents}

    # sections lie on each other: to be seen they are laid out to and fro, so that neighbours stay neighbours
    columns = math.ceil(math.sqrt(2 * len(boxes)))
    row, column = np.divmod(np.arange(len(boxes)), columns)
    column = np.where(row % 2, columns - 1 - column, column)
    # every other one lower, so that a line to the next but one does not hide those to the next
    corner = np.column_stack([column * 1.25, row * 1.5 + 0.25 * (column % 2)]) * side
    shown = page(
        title,
        source,
        after,
        earlier,
        np.concatenate([corner, corner + boxes[:, 2:] - boxes[:, :2]], axis=1),
        [_drawn(seam, place, parameters, side) for seam in worst_seams(after, seams)],
        [str(failure) for failure in failures],
        _distances(tiles, matches, "raw"),
        "sections",
    )
    _write(shown, path)


def _write(shown: str, path: str | os.PathLike[str] | None) -> None:
    if path is not None:
        with replacing(Path(path)) as part:
            part.write_text(shown, encoding="utf-8")


def worst_seams(report: SolveReport, count: int) -> list[Seam]:
    """Return the pairs that fit worst where their tiles are."""
    order = np.argsort(-report.pair_before, kind="stable")[:count]
    return [
        Seam(
            report.tile_ids[report.pairs[row, 0]],
            report.tile_ids[report.pairs[row, 1]],
            int(report.matches[row]),
            float(report.pair_before[row]),
            float(report.pair_before[row]),
            1.0,
        )
        for row in order.tolist()
    ]


def _read(stack: str, z: float, at: Project) -> ResolvedTiles:
    tiles: ResolvedTiles = get_resolved_tiles_from_z(stack, z, **at.keywords())
    if not len(tiles.tilespecs):
        raise NotFoundError(f"stack {stack} has no tiles in layer {z:g}")
    return tiles


def _matches(
    tiles: ResolvedTiles,
    collection: str,
    match_owner: str | None,
    merged: Iterable[str] | str | None,
    at: Project,
) -> list[dict[str, Any]]:
    groups = {str(tile.layout.sectionId) for tile in tiles.tilespecs if tile.layout is not None}
    keywords = {**at.keywords(), "owner": match_owner}
    return [
        match
        for group in sorted(groups)
        for match in get_matches_within_group(collection, group, mergeCollections=merged, **keywords)
    ]


def _where_they_are(tiles: ResolvedTiles, matches: Any, points: str | int, what: str) -> SolveReport:
    # a solution in which nothing may move has the residuals of where everything is
    ids = [str(tile.tileId) for tile in tiles.tilespecs]
    try:
        return solve_matches(tiles, matches, points=points, fixed=ids, min_matches=1).report
    except SolveError as error:
        error.args = (f"{what}: {error.args[0]}", *error.args[1:])
        raise


def _distances(tiles: ResolvedTiles, matches: Any, points: str | int) -> NDArray[np.float64]:
    # how far the ends of each match are apart
    documents = [tile.to_dict() for tile in tiles.tilespecs]
    through = Tiles(documents, tiles.transforms, model_of("affine"), points, "append").matched
    matched = [
        {**tile, "transforms": {"type": "list", "specList": specs_of(tile)[:count]}}
        for tile, count in zip(documents, through.tolist())
    ]
    found = match_residuals(matches, documents, tiles.transforms, matched=matched)
    distances: NDArray[np.float64] = found.distances[found.weights > 0]
    return distances


# ------------------------------------------------------------------------------------------- seams


def _drawn(
    seam: Seam,
    boxes: dict[str, NDArray[np.float64]],
    parameters_of: Callable[[int, int, int, int], dict[str, Any]],
    most: float,
) -> Picture:
    p, q = boxes[seam.p], boxes[seam.q]
    low, high = np.maximum(p[:2], q[:2]), np.minimum(p[2:], q[2:])
    centre = (low + high) / 2
    half = np.minimum(np.maximum(np.abs(high - low), 120), most) / 2
    x, y = np.floor(centre - half)
    width, height = np.ceil(2 * half)
    parameters = parameters_of(int(x), int(y), int(width), int(height))
    try:
        one, other = (_alone(parameters, tile_id) for tile_id in (seam.p, seam.q))
    except (ImageSourceError, RenderParametersError) as error:
        return Picture(seam, None, f"it cannot be drawn: {error}")
    return Picture(seam, (one, other, np.dstack([one, other, other])), f"x {x:g}, y {y:g}")


def _alone(parameters: dict[str, Any], tile_id: str) -> NDArray[np.uint8]:
    tiles = [tile for tile in parameters.get("tileSpecs", []) if tile.get("tileId") == tile_id]
    return render8({**parameters, "tileSpecs": tiles})
