"""Which options a Java client knows: read from the jar that the script will run, else from a table.

JCommander takes an option that it does not know for a file name or a number, and the client fails late or,
worse, works on something else. So options are looked up before Java is started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from renderapi.client.checks import BOX, ClientArgumentError
from renderapi.errors import ClientScriptError

_STACK = ("baseDataUrl", "owner", "project", "stack")
_VALIDATOR = ("validatorClass", "validatorData")
PACKAGE = "org.janelia.render.client."


def _options(*names: str) -> frozenset[str]:
    return frozenset(f"--{name}" for name in ("help", *names))


#: Options of the clients that have a function here, in the master branch of render of March 2026.
MASTER = {
    f"{PACKAGE}CoordinateClient": _options(
        *_STACK, "toOwner", "toProject", "toStack", "z", "fromJson", "toJson", "localToWorld",
        "fromSwcDirectory", "toSwcDirectory", "numberOfThreads",
    ),
    f"{PACKAGE}ImportJsonClient": _options(*_STACK, *_VALIDATOR, "transformFile"),
    f"{PACKAGE}ImportTransformChangesClient": _options(
        *_STACK, *_VALIDATOR, "targetOwner", "targetProject", "targetStack", "transformFile", "changeMode",
    ),
    f"{PACKAGE}PointMatchClient": _options(
        "baseDataUrl", "owner", "collection", "matchRod", "matchModelType", "matchRegularizerModelType",
        "matchInterpolatedModelLambda", "matchIterations", "matchMaxEpsilon", "matchMaxEpsilonFullScale",
        "matchMinInlierRatio", "matchMinNumInliers", "matchMaxNumInliers", "matchMaxTrust", "matchFilter",
        "matchFullScaleCoverageRadius", "matchMinCoveragePercentage", "SIFTfdSize", "SIFTminScale",
        "SIFTmaxScale", "SIFTsteps", "clipWidth", "clipHeight", "firstCanvasPosition", "renderScale",
        "fillWithNoise", "renderFileFormat", "numberOfThreads", "matchStorageFile",
        "canvasGroupIdAlgorithm", "canvasIdAlgorithm", "debugDirectory",
    ),
    f"{PACKAGE}RenderSectionClient": _options(
        *_STACK, "rootDirectory", "scale", "format", "resolutionUnit", "doFilter", "filterListName",
        "channels", "fillWithNoise", "bounds", "customOutputFolder", "customSubFolder",
        "padFileNamesWithZeros", "maxIntensity", "minIntensity", "renderTileLabels", "useStackBounds",
    ),
    f"{PACKAGE}TilePairClient": _options(
        *_STACK, *BOX, "minZ", "maxZ", "baseOwner", "baseProject", "baseStack", "z", "xyNeighborFactor",
        "explicitRadius", "useRowColPositions", "zNeighborDistance", "excludeCornerNeighbors",
        "excludeCompletelyObscuredTiles", "excludeSameLayerNeighbors", "excludeSameSectionNeighbors",
        "excludePairsInMatchCollection", "excludeSameLayerPairsWithPosition", "existingMatchOwner",
        "minExistingMatchCount", "onlyIncludeTilesFromStack", "onlyIncludeTilesNearTileIdsJson", "toJson",
        "maxPairsPerFile",
    ),
    f"{PACKAGE}TransformSectionClient": _options(
        *_STACK, *_VALIDATOR, *BOX, "targetProject", "targetStack", "transformId", "transformClass",
        "transformData", "transformApplicationMethod", "layerMinimumXAndYBound", "fromTileId", "toTileId",
        "completeTargetStack",
    ),
    "org.janelia.alignment.Render": _options(
        "tile_spec_url", "res", "meshCellSize", "min_res", "minMeshCellSize", "in", "out", "x", "y", "width",
        "height", "scale", "area_offset", "minIntensity", "maxIntensity", "gray", "quality", "threads",
        "skip_interpolation", "binary_mask", "exclude_mask", "parameters_url", "do_filter",
        "addWarpFieldDebugOverlay", "background_color", "fill_with_noise", "channels",
    ),
}  # fmt: skip
#: What to do instead, by option.
_INSTEAD = {
    "--convertToGray": "leave it out: every format but tif is written as 8 bit gray anyway",
    "--replaceLast": "use transformApplicationMethod='REPLACE_LAST'",
}
_OPTION = re.compile(r"--[A-Za-z]\w*")
# a text in the constant pool of a class file: tag 1, its length in two bytes, its bytes
_POOLED_OPTION = re.compile(rb"\x01(..)(--[A-Za-z]\w*)", re.DOTALL)
_PARAMETER_CLASS = re.compile(rb"org/janelia/[\w/$]*(?:Parameters[\w$]*|ArgbRenderer)")


def check_options(class_name: str, words: Iterable[str], client_script: str | None) -> None:
    """Refuse options that a Java client does not know; clients without a function here are not looked at.

    Raises
    ------
    ClientArgumentError
        Names the option, and what to use instead.
    """
    if class_name not in MASTER:
        return
    known, source = known_options(class_name, client_script)
    for word in words:
        if _OPTION.fullmatch(word) and word not in known:
            raise ClientArgumentError(
                f"{class_name.rpartition('.')[2]} of {source} does not know {word}; {_advice(word, known)}"
            )


def _advice(word: str, known: frozenset[str]) -> str:
    if word in _INSTEAD:
        return _INSTEAD[word]
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return "set RENDER_CLIENT_JAR to a jar that does, or leave it out"


def known_options(class_name: str, client_script: str | None) -> tuple[frozenset[str], str]:
    """Return the options of a client, with leading dashes, and what they were read from."""
    jar = find_jar(client_script)
    if jar is not None:
        state = jar.stat()
        options = _options_in_jar(jar, class_name, (state.st_mtime_ns, state.st_size))
        if options:
            return options, jar.name
    return MASTER[class_name], "render's master branch (no jar found to look into)"


def check_jar() -> None:
    """Raise `ClientScriptError` if ``RENDER_CLIENT_JAR`` names no file."""
    named = os.environ.get("RENDER_CLIENT_JAR")
    # a class path of several entries, or a pattern, is Java's to judge
    if named and os.pathsep not in named and "*" not in named and not Path(named).is_file():
        raise ClientScriptError(
            f"the environment variable RENDER_CLIENT_JAR is {named!r}, which is no file: nothing was started"
        )


def find_jar(client_script: str | None) -> Path | None:
    """Return the jar that a client script runs, by the rules of the script; None if that cannot be told."""
    named = os.environ.get("RENDER_CLIENT_JAR")
    if named:
        return Path(named) if Path(named).is_file() else None
    if not client_script:
        return None
    # <repository>/render-ws-java-client/src/main/scripts/run_ws_client.sh
    folders = Path(client_script).resolve().parents
    if len(folders) < 5:
        return None
    jars = list(
        (folders[4] / "render-ws-java-client" / "target").glob("render-ws-java-client-*-standalone.jar")
    )
    return jars[0] if len(jars) == 1 else None


@lru_cache(maxsize=64)
def _options_in_jar(jar: Path, class_name: str, state: tuple[int, int]) -> frozenset[str]:
    """Options in the parameter classes of a client; empty if the jar does not have them."""
    import zipfile

    path = class_name.replace(".", "/")
    options: set[str] = set()
    try:
        with zipfile.ZipFile(jar) as archive:
            names = set(archive.namelist())
            # the client class itself also refers to parameters of what it calls
            start = f"{path}$Parameters" if f"{path}$Parameters.class" in names else path
            todo, seen = [start], {start}
            while todo:
                entry = f"{todo.pop()}.class"
                if entry not in names:
                    continue
                content = archive.read(entry)
                options |= {
                    name.decode()
                    for length, name in _POOLED_OPTION.findall(content)
                    if int.from_bytes(length, "big") == len(name)
                }
                more = {name.decode() for name in _PARAMETER_CLASS.findall(content)} - seen
                todo += more
                seen |= more
    except (OSError, zipfile.BadZipFile):
        return frozenset()
    return frozenset(options)
