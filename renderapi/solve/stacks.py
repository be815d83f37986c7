"""The tiles of a stack and the matches of a collection in, another stack out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from renderapi._parallel import in_executor
from renderapi._project import Project
from renderapi.client import import_tilespecs
from renderapi.errors import NotFoundError, SpecError
from renderapi.geometry.chains import document_of
from renderapi.pointmatch import get_matches_with_group, get_matches_within_group
from renderapi.render import Render, accepts, renderaccess
from renderapi.resolvedtiles import ResolvedTiles, combine_resolvedtiles, get_resolved_tiles_from_z
from renderapi.solve.errors import NoMatchesError, SolveError
from renderapi.solve.matches import check_arguments, solve_matches
from renderapi.solve.report import SolveReport
from renderapi.stack import derive_stack, get_tilebounds_for_z, get_z_values_for_stack, loading

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import requests

_OPTIONS = tuple(
    name
    for name, parameter in inspect.signature(solve_matches).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY and name != "shared_transforms"
)
_MOST_AT_A_TIME = 8


@renderaccess
@accepts(*_OPTIONS)
def solve_stack(
    stack: str,
    matchCollection: str,
    target_stack: str,
    model: str = "affine",
    zs: Iterable[float] | None = None,
    across: bool = False,
    block: int | None = None,
    overlap: int = 2,
    mergeCollections: Iterable[str] | str | None = None,
    match_owner: str | None = None,
    target_project: str | None = None,
    close_stack: bool = True,
    executor: Executor | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> list[SolveReport]:
    """Place the tiles of a stack by their point matches, and write them to another stack.

    Groups of the matches must be the section ids of the tiles, ids of tiles their tile ids.

    Parameters
    ----------
    stack : str
        Stack with the tiles where they are now.
    matchCollection : str
        Match collection.
    target_stack : str
        Stack to write to. It is made like `stack` if it is not there, when the first tiles are solved.
    model : str
        What is found for each tile, as for `solve_matches`.
    zs : iterable of float, optional
        Layers; default all of the stack.
    across : bool
        Solve layers together, by the matches between them too. Default False: each layer for itself, as a
        montage.
    block : int, optional
        With `across`: how many layers at most are solved together. Default all of them. Of a block the last
        `overlap` layers are solved once more with the next one, while as many before them stay fixed.
    overlap : int
        Layers that blocks have in common. Default 2.
    mergeCollections : str or iterable of str, optional
        Collections of the same owner that are merged with it.
    match_owner : str, optional
        Owner of the collections; default that of the stack.
    target_project : str, optional
        Project of the target; default that of the stack.
    close_stack : bool
        Set the target COMPLETE in the end. Default True.
    executor : concurrent.futures.Executor, optional
        What solves montages of layers side by side; it stays open.
    host, port, owner, project, session, render
        Connection.
    **kwargs
        As for `solve_matches`: ``points=``, ``place=``, ``prior=``, ``tile_priors=``, ``label_priors=``,
        ``fixed=``, ``robust=``, ``cross_weight=``, ``min_matches=``, ``unmatched=``, ``refuse=``, ``method=``.

    Returns
    -------
    list of SolveReport
        One for each layer, or for each block of layers.

    Raises
    ------
    SolveError
        If tiles of a layer cannot be placed; the message says which. A target that was begun is left LOADING.
    SpecError
        If an argument or a document is wrong.
    NotFoundError
        If there is no such stack, layer or collection.
    ConflictError
        If the target is there, and is described otherwise than `stack`.
    ImportFailedError
        If tiles were not stored; the target is left LOADING.

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
    ...          "matches": {"p": [[85, 95], [10, 90]], "q": [[5, 15], [12, 92]], "w": [1, 1]}}
    >>> with serve_background() as server:
    ...     render = server.connect(owner="me", project="p")
    ...     made = renderapi.stack.ensure_stack("raw", render=render)
    ...     renderapi.client.import_tilespecs("raw", tiles, render=render)
    ...     stored = renderapi.pointmatch.import_matches("matches", [match], render=render)
    ...     (report,) = renderapi.solve.solve_stack(
    ...         "raw", "matches", "montage", "translation", fixed=["a"], render=render
    ...     )
    ...     b = renderapi.tilespec.get_tile_spec("montage", "b", render=render)
    >>> [round(value, 3) for value in (b.tforms[0].B0, b.tforms[0].B1)]
    [80.0, -2.0]
    """
    source = Project(host, port, owner, project, session, render)
    if block is not None and not 0 <= overlap < block:
        raise SpecError(f"blocks of {block} layers cannot have {overlap} in common")
    target = source.other(project=target_project)
    if target_stack == stack and target.project == source.project:
        raise SpecError(f"the target is stack {stack} itself: its tiles would be lost. Give another name")
    job = StackJob(
        source,
        target,
        stack,
        target_stack,
        matchCollection,
        source.owner if match_owner is None else match_owner,
        mergeCollections,
        model,
        {name: kwargs[name] for name in _OPTIONS if name in kwargs},
    )
    there = set(get_z_values_for_stack(stack, **source.keywords()))
    layers = sorted(there if zs is None else {float(z) for z in zs})
    if not layers:
        raise SpecError(f"there are no layers to solve in stack {stack}")
    if missing := sorted(set(layers) - there):
        raise NotFoundError(f"stack {stack} has no layer {missing[0]:g}; nothing was done")
    job.check_names(layers)
    work = job.blocks(layers, block or len(layers), overlap) if across else job.montages(layers, executor)
    return job.written(work, close_stack)


@dataclass
class Solved:
    """Layers that are solved: what is written of them, and what is said."""

    tiles: list[Any]
    shared: list[Any]
    report: SolveReport


@dataclass
class StackJob:
    """What is solved, and how; it pickles, so that other processes can work on it."""

    source: Project
    target: Project
    stack: str
    target_stack: str
    collection: str
    match_owner: str | None
    merged: Iterable[str] | str | None
    model: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what can be checked without tiles."""
        check_arguments(self.model, **self.options)
        # each layer looks into it
        self.options["fixed"] = set(self.options.get("fixed", ()))

    def check_names(self, layers: Sequence[float]) -> None:
        """Check that tiles and labels that options name are somewhere in the layers.

        Raises
        ------
        SpecError
            If one is not.
        """
        options = self.options
        for name in ("fixed", "tile_priors"):
            missing = set(options.get(name) or ())
            for z in layers if missing else ():
                missing -= {
                    tile["tileId"] for tile in get_tilebounds_for_z(self.stack, z, **self.source.keywords())
                }
            if missing:
                raise SpecError(
                    f"{name} names the tile {min(missing)!r}, which is in none of the layers; nothing was done"
                )
        labels = set(options.get("label_priors") or ())
        for z in layers:
            if not labels:
                return
            labels -= _labels(self.read(z))
        if labels:
            raise SpecError(
                f"label_priors names the label {min(labels)!r}, which no tile of the layers has; nothing was done"
            )

    def montages(self, layers: Sequence[float], executor: Executor | None) -> Iterator[Solved]:
        """Solve every layer for itself."""
        if executor is None:
            return map(self.montage, layers)
        return in_executor(executor, partial(_montage, self), layers, _MOST_AT_A_TIME)

    def montage(self, z: float) -> Solved:
        """Solve a layer for itself."""
        tiles = self.read(z)
        matches = (
            match for group in _groups(tiles) for match in self.matches_of(get_matches_within_group, group)
        )
        return self.solve(tiles, matches, f"layer {z:g}")

    def blocks(self, layers: Sequence[float], size: int, overlap: int) -> Iterator[Solved]:
        """Solve layers together, so many at a time; what was written stays, the next ones are fitted to it."""
        done: list[ResolvedTiles] = []
        start = 0
        while start < len(layers):
            some = layers[start : start + size]
            last = start + size >= len(layers)
            written = len(some) if last else len(some) - overlap
            free = [self.read(z) for z in some]
            solved = self.block(done, free, f"layers {some[0]:g} to {some[-1]:g}")
            keep = {tile.tileId for tiles in free[:written] for tile in tiles.tilespecs}
            solved.tiles = [tile for tile in solved.tiles if tile.tileId in keep]
            yield solved
            if last:
                return
            wanted = {
                tile.tileId for tiles in free[max(written - overlap, 0) : written] for tile in tiles.tilespecs
            }
            done = [ResolvedTiles([t for t in solved.tiles if t.tileId in wanted], solved.shared)]
            start += written

    def block(self, done: list[ResolvedTiles], free: list[ResolvedTiles], what: str) -> Solved:
        """Solve some layers together with those before them, which stay."""
        stay = {str(tile.tileId) for tiles in done for tile in tiles.tilespecs}
        tiles = combine_resolvedtiles([*free, *done])
        groups = set(_groups(tiles))
        matches = (
            match
            for group in sorted(groups)
            for match in self.matches_of(get_matches_with_group, group)
            if match.get("qGroupId") in groups and not (match["pId"] in stay and match["qId"] in stay)
        )
        return self.solve(tiles, matches, what, stay)

    def read(self, z: float) -> ResolvedTiles:
        """Read the tiles of a layer."""
        found: ResolvedTiles = get_resolved_tiles_from_z(self.stack, z, **self.source.keywords())
        return found

    def matches_of(self, get: Any, group: str) -> Iterator[Mapping[str, Any]]:
        """Read the matches of a group."""
        connection = {**self.source.keywords(), "owner": self.match_owner}
        matches: Iterator[Mapping[str, Any]] = iter(
            get(self.collection, group, mergeCollections=self.merged, **connection)
        )
        return matches

    def solve(
        self, tiles: ResolvedTiles, matches: Iterable[Mapping[str, Any]], what: str, stay: Iterable[str] = ()
    ) -> Solved:
        """Solve some tiles."""
        ids = {tile.tileId for tile in tiles.tilespecs}
        options = dict(self.options)
        options["fixed"] = [*stay, *sorted(options["fixed"] & ids)]
        # of what options name, a layer has some
        for name in ("tile_priors", "label_priors"):
            if factors := options.get(name):
                here = ids if name == "tile_priors" else _labels(tiles)
                options[name] = {key: factor for key, factor in factors.items() if key in here}
        try:
            solution = solve_matches(tiles, matches, self.model, **options)
        except SolveError as error:
            text = f"{what} of stack {self.stack}: {error.args[0]}"
            if isinstance(error, NoMatchesError) and not error.pairs:
                # the group of a match is the section of its tile, as the maker of the matches wrote it
                groups = ", ".join(map(repr, _groups(tiles)[:3]))
                text += f" in the groups {groups} of collection {self.collection}"
            error.args = (text, *error.args[1:])
            raise
        return Solved(list(solution.tilespecs()), tiles.transforms, solution.report)

    def written(self, work: Iterator[Solved], close: bool) -> list[SolveReport]:
        """Write what is solved.

        The target is begun when the first tiles are solved: what is wrong with all of them changes nothing.
        """
        reports: list[SolveReport] = []
        target = self.target.keywords()
        with ExitStack() as held:
            for solved in work:
                if not reports:
                    derive_stack(
                        self.stack,
                        self.target_stack,
                        to_project=self.target.project,
                        **self.source.keywords(),
                    )
                    held.enter_context(loading(self.target_stack, close=close, **target))
                import_tilespecs(
                    self.target_stack, solved.tiles, sharedTransforms=solved.shared, engine="python", **target
                )
                reports.append(solved.report)
        return reports


def _montage(job: StackJob, z: float) -> Solved:
    return job.montage(z)


def _groups(tiles: ResolvedTiles) -> list[str]:
    # section ids, which are the groups of matches
    found = set()
    for tile in tiles.tilespecs:
        document = document_of(tile)
        if isinstance(document, Mapping):
            section = (document.get("layout") or {}).get("sectionId")
        else:
            section = getattr(tile.layout, "sectionId", None)
        if section is None:
            raise SpecError(f"tile {tile.tileId} has no section id, so that its matches cannot be found")
        found.add(str(section))
    return sorted(found)


def _labels(tiles: ResolvedTiles) -> set[str]:
    return {label for tile in tiles.tilespecs for label in getattr(tile, "labels", None) or ()}
