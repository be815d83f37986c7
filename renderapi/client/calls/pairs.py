"""The Java clients that find pairs of tiles and their point matches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, urlencode

from renderapi.client.calls.engine import ENGINE_OPTIONS, engineaccess, run_of
from renderapi.client.checks import (
    BOX,
    ClientArgumentError,
    as_list,
    boolean_word,
    finite_number,
    whole_number,
)
from renderapi.client.files import TilePairFiles, read_tile_pairs, temporary_file
from renderapi.client.java.arguments import box_words, flag_option, get_param, stack_words
from renderapi.client.java.options import PACKAGE, known_options
from renderapi.client.java.script import RUN_OPTIONS, as_words
from renderapi.client.params import ArgumentParameters, SiftPointMatchOptions
from renderapi.http.urls import required
from renderapi.render import Render, accepts, format_baseurl, format_preamble, renderaccess
from renderapi.utils import jbool

# the server fills in {baseDataUrl} and {id}, so they stay as they are
_URL_TEMPLATE = "{{baseDataUrl}}/owner/{}/project/{}/stack/{}/tile/{{id}}/render-parameters"


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
def tilePairClient(
    stack: str,
    minz: float,
    maxz: float,
    outjson: str | None = None,
    delete_json: bool = False,
    baseowner: str | None = None,
    baseproject: str | None = None,
    basestack: str | None = None,
    xyNeighborFactor: float | None = None,
    zNeighborDistance: int | None = None,
    excludeCornerNeighbors: bool | None = None,
    excludeCompletelyObscuredTiles: bool | None = None,
    excludeSameLayerNeighbors: bool | None = None,
    excludeSameSectionNeighbors: bool | None = None,
    excludePairsInMatchCollection: str | None = None,
    minx: float | None = None,
    maxx: float | None = None,
    miny: float | None = None,
    maxy: float | None = None,
    useRowColPositions: bool | None = None,
    existingMatchOwner: str | None = None,
    minExistingMatchCount: int | None = None,
    onlyIncludeTilesFromStack: str | None = None,
    onlyIncludeTilesNearTileIdsJson: str | None = None,
    maxPairsPerFile: int | None = None,
    return_jsondata: bool = True,
    return_jsonfiles: bool = False,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    z: float | Sequence[float] | None = None,
    explicitRadius: float | None = None,
    excludeSameLayerPairsWithPosition: str | None = None,
    engine: str | None = None,
    compat: str = "master",
    **kwargs: Any,
) -> Any:
    """Find pairs of neighbouring tiles, with Java where a client script is configured, else in Python.

    Both find the same pairs and write the same files; Java leaves the order open where pairs of one layer and
    of several are mixed, Python sorts those of several first.

    Parameters
    ----------
    stack : str
        Stack.
    minz, maxz : float
        First and last layer, for both tiles of a pair.
    outjson : str, optional
        File that gets the pairs (``.json`` or ``.json.gz``); with more than `maxPairsPerFile` of them
        ``NAME_p000.json``, ``NAME_p001.json`` ... Default a temporary one.
    delete_json : bool
        Remove the files after they were read.
    baseowner, baseproject, basestack : str, optional
        Stack that the answer's URL template names; default `stack`.
    xyNeighborFactor : float, optional
        Search radius as a part of the larger side of a tile; Java's default is 0.9.
    zNeighborDistance : int, optional
        How many layers apart; Java's default is 2.
    excludeCornerNeighbors, excludeCompletelyObscuredTiles : bool, optional
        Leave these out; Java's default is true.
    excludeSameLayerNeighbors, excludeSameSectionNeighbors : bool, optional
        Leave these out; Java's default is false.
    excludePairsInMatchCollection : str, optional
        Leave out pairs that have matches in this collection.
    minx, maxx, miny, maxy : float, optional
        Only tiles that touch this box; all four or none.
    useRowColPositions : bool, optional
        Neighbours by row and column of the layout (only with ``zNeighborDistance=0``).
    existingMatchOwner : str, optional
        Owner of that collection.
    minExistingMatchCount : int, optional
        More matches than this count as existing.
    onlyIncludeTilesFromStack : str, optional
        Only tiles that this stack has too.
    onlyIncludeTilesNearTileIdsJson : str, optional
        File with a JSON list of tile ids; only pairs of one of them.
    maxPairsPerFile : int, optional
        Java's default is 100,000.
    return_jsondata, return_jsonfiles : bool
        What is returned.
    z : float or list of float, optional
        Only these layers.
    explicitRadius : float, optional
        Search radius in pixels, instead of `xyNeighborFactor`.
    excludeSameLayerPairsWithPosition : {"TOP", "BOTTOM", "LEFT", "RIGHT"}, optional
        Leave out pairs in a layer in which a tile has this position.
    engine : {"java", "python"}, optional
        Who searches; by default Java where a client script is configured.
    compat : {"master", "newsolver"}
        In Python: tiles with one upper left corner are two pairs with master, each of them at the top once, and
        one with newsolver, the smaller (by section, then tile id) at the top.
    host, port, owner, project, client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`. In Python
        ``progress=`` (True for a bar of tqdm, a function, or a bar) tells of layers.

    Returns
    -------
    dict, list of str, tuple or None
        The pairs, ``{"renderParametersUrlTemplate": ..., "neighborPairs": [{"p": ..., "q": ...}, ...]}``
        with an empty list where there are none; with `return_jsonfiles` a tuple of that and the files that
        were written, or only the files without `return_jsondata`. A temporary file that is returned is the
        caller's to remove.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    NotFoundError
        In Python: there is no such stack, or it has no layers there.
    SpecError
        In Python: a tile has no section, or no row and column where those are asked for.

    Notes
    -----
    In Python `z` may be given with any `zNeighborDistance`, and pairs of `excludePairsInMatchCollection` are
    left out in every layer (Java forgets those of a layer after a gap).

    The client of render's branch newsolver cuts the layers where more than `zNeighborDistance` lies between two
    of them, leaves out parts of one layer, and writes each part over the one before: of a stack with a gap only
    the pairs behind the last gap are found in the file. In Python all of them are there, with either `compat`.
    """
    minz, maxz = finite_number(minz, "minz"), finite_number(maxz, "maxz")
    if z is not None:
        z = [finite_number(value, "z") for value in as_list(z)]
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    with ExitStack() as cleanup:
        temporary = outjson is None
        if outjson is None:
            outjson = cleanup.enter_context(temporary_file(".json"))
        files = TilePairFiles(outjson)
        if temporary:
            cleanup.callback(files.remove)
        template = _URL_TEMPLATE.format(baseowner or owner, baseproject or project, basestack or stack)
        if run.java is None:
            from renderapi.client.local.pairs import find_tile_pairs

            find_tile_pairs(
                run.project,
                stack,
                outjson,
                template,
                minz=minz,
                maxz=maxz,
                z=z,
                xyNeighborFactor=xyNeighborFactor,
                explicitRadius=explicitRadius,
                zNeighborDistance=zNeighborDistance,
                excludeCornerNeighbors=excludeCornerNeighbors,
                excludeCompletelyObscuredTiles=excludeCompletelyObscuredTiles,
                excludeSameLayerNeighbors=excludeSameLayerNeighbors,
                excludeSameSectionNeighbors=excludeSameSectionNeighbors,
                excludeSameLayerPairsWithPosition=excludeSameLayerPairsWithPosition,
                excludePairsInMatchCollection=excludePairsInMatchCollection,
                existingMatchOwner=existingMatchOwner,
                minExistingMatchCount=minExistingMatchCount,
                onlyIncludeTilesFromStack=onlyIncludeTilesFromStack,
                onlyIncludeTilesNearTileIdsJson=onlyIncludeTilesNearTileIdsJson,
                useRowColPositions=useRowColPositions,
                box=dict(zip(BOX, (minx, maxx, miny, maxy))),
                maxPairsPerFile=maxPairsPerFile,
                compat=compat,
                progress=kwargs.get("progress"),
            )
        else:
            arguments = [
                *stack_words(run.project, stack),
                *get_param(baseowner, "--baseOwner"),
                *get_param(baseproject, "--baseProject"),
                *get_param(basestack, "--baseStack"),
                *("--minZ", minz, "--maxZ", maxz),
                *get_param(xyNeighborFactor, "--xyNeighborFactor"),
                *get_param(whole_number(zNeighborDistance, "zNeighborDistance"), "--zNeighborDistance"),
                *get_param(boolean_word(excludeCornerNeighbors), "--excludeCornerNeighbors"),
                *get_param(boolean_word(excludeCompletelyObscuredTiles), "--excludeCompletelyObscuredTiles"),
                *get_param(boolean_word(excludeSameLayerNeighbors), "--excludeSameLayerNeighbors"),
                *get_param(boolean_word(excludeSameSectionNeighbors), "--excludeSameSectionNeighbors"),
                *get_param(excludePairsInMatchCollection, "--excludePairsInMatchCollection"),
                *flag_option(useRowColPositions, "--useRowColPositions"),
                *get_param(existingMatchOwner, "--existingMatchOwner"),
                *get_param(
                    whole_number(minExistingMatchCount, "minExistingMatchCount"), "--minExistingMatchCount"
                ),
                *get_param(onlyIncludeTilesFromStack, "--onlyIncludeTilesFromStack"),
                *get_param(onlyIncludeTilesNearTileIdsJson, "--onlyIncludeTilesNearTileIdsJson"),
                *get_param(whole_number(maxPairsPerFile, "maxPairsPerFile"), "--maxPairsPerFile"),
                *get_param(None if z is None else ",".join(as_words(as_list(z))), "--z"),
                *get_param(explicitRadius, "--explicitRadius"),
                *get_param(excludeSameLayerPairsWithPosition, "--excludeSameLayerPairsWithPosition"),
                *("--toJson", outjson),
                *box_words(dict(zip(BOX, (minx, maxx, miny, maxy)))),
            ]
            run.java.awaited().run(f"{PACKAGE}TilePairClient", arguments)
        written = files.written()
        jsondata = read_tile_pairs(written, template) if return_jsondata else None
        if delete_json:
            files.remove()
        elif temporary and return_jsonfiles and written:
            cleanup.pop_all()
            files.keep_only(written)
    names = [str(path) for path in written]
    if return_jsondata:
        return (jsondata, names) if return_jsonfiles else jsondata
    return names if return_jsonfiles else None


# ----------------------------------------------------------------------------------------- point matches


@renderaccess
def get_canvas_url_template(
    stack: str,
    filter: bool = False,
    renderWithoutMask: bool = False,
    normalizeForMatching: bool = True,
    excludeTransformsAfterLast: str | None = None,
    excludeFirstTransformAndAllAfter: str | None = None,
    excludeAllTransforms: bool = False,
    channels: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    render: Render | None = None,
    **kwargs: Any,
) -> str:
    """Return the URL of the render parameters of a tile, with ``{}`` in the place of its id.

    Parameters
    ----------
    stack : str
        Stack.
    filter : bool
        Apply the server's default filters.
    renderWithoutMask : bool
        Leave masks out. (The server's name for it is ``excludeMask``; both are in the URL.)
    normalizeForMatching : bool
        Without the last transforms, and moved to the origin.
    excludeTransformsAfterLast, excludeFirstTransformAndAllAfter : str, optional
        Label of the last transform to keep, or of the first to leave out.
    excludeAllTransforms : bool
        Without any transform.
    channels : str, optional
        ``NAME``, or ``A__0.5__B__0.5``.
    host, port, owner, project, render
        Connection.
    client_script
        Not used.

    Returns
    -------
    str
        Fill in a tile id with ``.format(quote(tileId, safe=""))``.
    """
    url = format_preamble(host, port, owner, project, stack)  # type: ignore[arg-type]
    query = [
        ("filter", jbool(filter)),
        ("normalizeForMatching", jbool(normalizeForMatching)),
        ("renderWithoutMask", jbool(renderWithoutMask)),
    ]
    if jbool(renderWithoutMask) == "true":
        query.append(("excludeMask", "true"))
    if excludeTransformsAfterLast is not None:
        query.append(("excludeTransformsAfterLast", excludeTransformsAfterLast))
    if excludeFirstTransformAndAllAfter is not None:
        query.append(("excludeFirstTransformAndAllAfter", excludeFirstTransformAndAllAfter))
    if jbool(excludeAllTransforms) == "true":
        query.append(("excludeAllTransforms", "true"))
    if channels is not None:
        query.append(("channels", channels))
    return f"{url}/tile/{{}}/render-parameters?{urlencode(query, quote_via=quote, safe='')}"


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
def pointMatchClient(
    stack: str,
    collection: str,
    tile_pairs: Iterable[Sequence[str]],
    stack2: str | None = None,
    sift_options: ArgumentParameters | Mapping[str, Any] | None = None,
    pointMatchRender: Render | None = None,
    debugDirectory: str | None = None,
    filter: bool = False,
    renderWithoutMask: bool = False,
    normalizeForMatching: bool = True,
    excludeTransformsAfterLast: str | None = None,
    excludeAllTransforms: bool | None = None,
    excludeFirstTransformAndAllAfter: str | None = None,
    stackChannels: str | None = None,
    stack2Channels: str | None = None,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    numberOfThreads: int | None = None,
    matchStorageFile: str | None = None,
    clipWidth: int | None = None,
    clipHeight: int | None = None,
    firstCanvasPosition: str | None = None,
    renderFileFormat: str | None = None,
    canvasGroupIdAlgorithm: str | None = None,
    canvasIdAlgorithm: str | None = None,
    engine: str | None = None,
    **kwargs: Any,
) -> None:
    """Find SIFT point matches of tile pairs, with Java where a client script is configured, else in Python.

    Both store them in a match collection, in one request. For many pairs see `renderapi.match.match_pairs`.

    Parameters
    ----------
    stack : str
        Stack of the first tile of each pair, and of the second where there is no `stack2`.
    collection : str
        Match collection.
    tile_pairs : iterable of (str, str)
        Tile ids of p and q. All pairs go onto one command line, and all their images into one Java (in Python
        their features into memory): give some hundreds at a time. Without any pair nothing is run.
    stack2 : str, optional
        Stack of the second tile of each pair.
    sift_options : SiftPointMatchOptions or dict
        How features and matches are found. ``matchMaxEpsilon`` or ``matchMaxEpsilonFullScale`` has to be
        given: Java has had no default for it since May 2022, and Python has none.
    pointMatchRender : Render, optional
        Connection of the match collection, where it differs.
    debugDirectory : str, optional
        Where the rendered tiles are kept.
    filter, renderWithoutMask, normalizeForMatching : bool
        As for `get_canvas_url_template`.
    excludeTransformsAfterLast, excludeFirstTransformAndAllAfter : str, optional
        As for `get_canvas_url_template`.
    excludeAllTransforms : bool, optional
        As for `get_canvas_url_template`.
    stackChannels, stack2Channels : str, optional
        Channels of the first, and of the second tile.
    numberOfThreads : int, optional
        More than 1 makes Java start one thread for each tile, and for each pair, at once. In Python so many;
        default one for each core, at most 8.
    matchStorageFile : str, optional
        JSON file that gets the matches instead of the collection.
    clipWidth, clipHeight, firstCanvasPosition : int, int, str, optional
        Clip the tiles to their overlap; for exactly one pair.
    renderFileFormat, canvasGroupIdAlgorithm, canvasIdAlgorithm : str, optional
        As the Java client has them.
    engine : {"java", "python"}, optional
        Who searches; by default Java where a client script is configured. Python needs OpenCV (extra ``match``), and
        reads the images of the tiles itself.
    host, port, owner, project, client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`. In Python
        ``progress=`` (True for a bar of tqdm, a function, or a bar) tells of tiles.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    MatchParametersError
        In Python: an option is out of range.
    NotFoundError
        In Python: there is no such tile. Nothing is stored.
    ImageSourceError
        In Python: an image cannot be read. Nothing is stored.
    ImportError
        In Python: OpenCV is not installed.
    """
    className = f"{PACKAGE}PointMatchClient"
    pairs = [_pair(pair) for pair in tile_pairs]
    if not pairs:
        return
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    given = _match_options(sift_options)
    options = [] if given is None else list(given.to_java_args())
    known, source = known_options(className, client_script) if run.java else (_EPSILON, "Python")
    if "--matchMaxEpsilonFullScale" in known and not any(w.startswith("--matchMaxEpsilon") for w in options):
        raise ClientArgumentError(
            f"PointMatchClient of {source} has no default for the largest error of a match and would fail: "
            "give sift_options=SiftPointMatchOptions(matchMaxEpsilon=PIXELS) (at renderScale), or "
            "matchMaxEpsilonFullScale="
        )
    view: dict[str, Any] = {
        "filter": filter,
        "renderWithoutMask": renderWithoutMask,
        "normalizeForMatching": normalizeForMatching,
        "excludeTransformsAfterLast": excludeTransformsAfterLast,
        "excludeFirstTransformAndAllAfter": excludeFirstTransformAndAllAfter,
        "excludeAllTransforms": bool(excludeAllTransforms),
        **{"host": host, "port": port, "owner": owner, "project": project, "client_script": client_script},
    }
    templates = (
        get_canvas_url_template(stack, channels=stackChannels, **view),
        get_canvas_url_template(stack2 or stack, channels=stack2Channels, **view),
    )
    urls = [
        (templates[0].format(quote(p, safe="")), templates[1].format(quote(q, safe=""))) for p, q in pairs
    ]
    if run.java is None:
        from renderapi.client.local.matching import PointMatching, match_urls
        from renderapi.match import FeatureRenderClip

        wanted = PointMatching(
            collection,
            {} if given is None else vars(given),
            FeatureRenderClip(whole_number(clipWidth, "clipWidth"), whole_number(clipHeight, "clipHeight")),
            firstCanvasPosition,
            canvasGroupIdAlgorithm or "FIRST_TILE_SECTION_ID",
            canvasIdAlgorithm or "FIRST_TILE_ID",
            debugDirectory,
            renderFileFormat or "JPG",
        )
        threads = whole_number(numberOfThreads, "numberOfThreads") or min(8, os.cpu_count() or 1)
        to = run.project.other(pointMatchRender)
        match_urls(run.project, to, urls, wanted, threads, matchStorageFile, kwargs.get("progress"))
        return
    if pointMatchRender is not None:
        host, port = pointMatchRender.DEFAULT_HOST, pointMatchRender.DEFAULT_PORT
        owner = pointMatchRender.DEFAULT_OWNER
    arguments = [
        *("--baseDataUrl", format_baseurl(required("host", host), port)),
        *("--owner", required("owner", owner)),
        *("--collection", collection),
        *get_param(debugDirectory, "--debugDirectory"),
        *options,
        *get_param(whole_number(numberOfThreads, "numberOfThreads"), "--numberOfThreads"),
        *get_param(matchStorageFile, "--matchStorageFile"),
        *get_param(whole_number(clipWidth, "clipWidth"), "--clipWidth"),
        *get_param(whole_number(clipHeight, "clipHeight"), "--clipHeight"),
        *get_param(firstCanvasPosition, "--firstCanvasPosition"),
        *get_param(renderFileFormat, "--renderFileFormat"),
        *get_param(canvasGroupIdAlgorithm, "--canvasGroupIdAlgorithm"),
        *get_param(canvasIdAlgorithm, "--canvasIdAlgorithm"),
        *(url for pair in urls for url in pair),
    ]
    run.java.run(className, arguments)


def _pair(pair: Sequence[str]) -> tuple[str, str]:
    if isinstance(pair, str) or len(pair) != 2:
        raise ClientArgumentError(f"a tile pair must be two tile ids, not {pair!r}")
    return str(pair[0]), str(pair[1])


# in Python the largest error has no default either
_EPSILON = frozenset(["--matchMaxEpsilonFullScale"])


def _match_options(
    sift_options: ArgumentParameters | Mapping[str, Any] | None,
) -> ArgumentParameters | None:
    return SiftPointMatchOptions(**sift_options) if isinstance(sift_options, Mapping) else sift_options
