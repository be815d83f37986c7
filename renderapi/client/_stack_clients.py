"""The Java clients that change a stack or map its coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from renderapi.client._call import (
    PACKAGE,
    box_words,
    call_run_ws_client,
    client_options,
    flag,
    get_param,
    needs_result,
    one_of,
    several,
    stack_words,
    whole,
)
from renderapi.client._files import read_json, temporary_file
from renderapi.client._java import known_options
from renderapi.client._script import RUN_OPTIONS, ClientArgumentError
from renderapi.client.utils import renderclientaccess
from renderapi.render import Render, accepts
from renderapi.stack import set_stack_state

_CHANGE_MODES = ("APPEND", "REPLACE_LAST", "REPLACE_ALL", "CONCATENATE_TO_LAST")


@renderclientaccess
@accepts(*RUN_OPTIONS)
def importJsonClient(
    stack: str,
    tileFiles: str | Sequence[str] | None = None,
    transformFile: str | None = None,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    validatorClass: str | None = None,
    validatorData: str | None = None,
    **kwargs: Any,
) -> None:
    """Import JSON files of tile specs; their bounding boxes are derived.

    Parameters
    ----------
    stack : str
        Stack; Java sets it LOADING and leaves it so.
    tileFiles : str or list of str
        Files that hold a JSON list of tile specs each; ``.gz`` is read too.
    transformFile : str, optional
        File with the JSON list of the shared transforms that the tile specs refer to.
    validatorClass, validatorData : str, optional
        Java class that checks tiles, and its limits. **Java drops tiles that it finds invalid and says so
        only in its output.**
    host, port, owner, project, client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or no client script is configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    """
    files = [] if tileFiles is None else several(tileFiles)
    if not files:
        raise ClientArgumentError("importJsonClient needs tileFiles, the JSON files to import")
    arguments = [
        *stack_words(host, port, owner, project, stack),
        *get_param(validatorClass, "--validatorClass"),
        *get_param(validatorData, "--validatorData"),
        *get_param(transformFile, "--transformFile"),
        *files,
    ]
    call_run_ws_client(
        f"{PACKAGE}ImportJsonClient",
        add_args=arguments,
        **client_options(kwargs, subprocess_mode, client_script=client_script, memGB=memGB),
    )


@renderclientaccess
@accepts(*RUN_OPTIONS)
def importTransformChangesClient(
    stack: str,
    targetStack: str,
    transformFile: str,
    targetOwner: str | None = None,
    targetProject: str | None = None,
    changeMode: str | None = None,
    close_stack: bool = True,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    validatorClass: str | None = None,
    validatorData: str | None = None,
    **kwargs: Any,
) -> None:
    """Change transforms of tiles, and store these tiles in another stack.

    Parameters
    ----------
    stack : str
        Stack that the tiles are read from.
    targetStack : str
        Stack that gets the changed tiles, **only those that the file names**; it is created if missing.
    transformFile : str
        File with a JSON list of ``{"tileId": ..., "transform": ...}``.
    targetOwner, targetProject : str, optional
        Where the target stack is; default those of `stack`.
    changeMode : {"REPLACE_LAST", "APPEND", "REPLACE_ALL", "CONCATENATE_TO_LAST"}
        What becomes of the transforms that a tile has; default ``"REPLACE_LAST"``.
    close_stack : bool
        Set the target stack COMPLETE afterwards.
    validatorClass, validatorData : str, optional
        As for `importJsonClient`.
    host, port, owner, project, client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or no client script is configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    """
    mode = one_of(changeMode or "REPLACE_LAST", _CHANGE_MODES, "changeMode")
    arguments = [
        *stack_words(host, port, owner, project, stack),
        *("--targetStack", targetStack, "--transformFile", transformFile),
        *get_param(targetOwner, "--targetOwner"),
        *get_param(targetProject, "--targetProject"),
        *("--changeMode", mode),
        *get_param(validatorClass, "--validatorClass"),
        *get_param(validatorData, "--validatorData"),
    ]
    call_run_ws_client(
        f"{PACKAGE}ImportTransformChangesClient",
        add_args=arguments,
        **client_options(kwargs, subprocess_mode, client_script=client_script, memGB=memGB),
    )
    if close_stack:
        set_stack_state(
            targetStack,
            "COMPLETE",
            host=host,
            port=port,
            owner=targetOwner or owner,
            project=targetProject or project,
            session=kwargs.get("session"),
            render=render,
        )


@renderclientaccess
@accepts(*RUN_OPTIONS)
def transformSectionClient(
    stack: str,
    transformId: str,
    transformClass: str,
    transformData: str,
    zValues: float | Sequence[float],
    targetProject: str | None = None,
    targetStack: str | None = None,
    replaceLast: bool | None = None,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    transformApplicationMethod: str | None = None,
    layerMinimumXAndYBound: int | None = None,
    fromTileId: str | None = None,
    toTileId: str | None = None,
    bounds: Mapping[str, float] | None = None,
    validatorClass: str | None = None,
    validatorData: str | None = None,
    completeTargetStack: bool | None = None,
    **kwargs: Any,
) -> None:
    """Add one transform to all tiles of some sections.

    Parameters
    ----------
    stack : str
        Stack that the tiles are read from, and stored in where there is no `targetStack`.
    transformId, transformClass, transformData : str
        The transform; its numbers may be separated by blanks or commas.
    zValues : float or list of float
        z of the sections.
    targetProject, targetStack : str, optional
        Where the changed tiles are stored.
    replaceLast : bool, optional
        Replace the last transform of each tile instead of adding one (in current Java versions
        ``transformApplicationMethod="REPLACE_LAST"``).
    transformApplicationMethod : str, optional
        APPEND (Java's default), INSERT_AS_FIRST, INSERT_BEFORE_LAST, REPLACE_LAST or PRE_CONCATENATE_LAST.
    layerMinimumXAndYBound : int, optional
        Instead of the transform, move each layer so that its smallest x and y are this.
    fromTileId, toTileId : str, optional
        Instead of the transform, move the first tile's layer so that it lies on the second tile.
    bounds : dict, optional
        minX, maxX, minY, maxY: only tiles that touch this box.
    validatorClass, validatorData : str, optional
        As for `importJsonClient`.
    completeTargetStack : bool, optional
        Set the target stack COMPLETE afterwards.
    host, port, owner, project, client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or no client script is configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    """
    className = f"{PACKAGE}TransformSectionClient"
    old_style: list[str] = []
    if replaceLast:
        known, _ = known_options(className, client_script)
        if "--replaceLast" in known:
            old_style = ["--replaceLast"]
        elif transformApplicationMethod not in (None, "REPLACE_LAST"):
            raise ClientArgumentError(
                f"replaceLast and transformApplicationMethod={transformApplicationMethod!r} contradict"
            )
        else:
            transformApplicationMethod = "REPLACE_LAST"
    arguments = [
        *stack_words(host, port, owner, project, stack),
        *old_style,
        *get_param(targetProject, "--targetProject"),
        *get_param(targetStack, "--targetStack"),
        *get_param(transformApplicationMethod, "--transformApplicationMethod"),
        *get_param(whole(layerMinimumXAndYBound, "layerMinimumXAndYBound"), "--layerMinimumXAndYBound"),
        *get_param(fromTileId, "--fromTileId"),
        *get_param(toTileId, "--toTileId"),
        *box_words(bounds),
        *get_param(validatorClass, "--validatorClass"),
        *get_param(validatorData, "--validatorData"),
        *flag(completeTargetStack, "--completeTargetStack"),
        # Java makes blanks of the commas; the script would make several arguments of the blanks
        *("--transformId", transformId, "--transformClass", transformClass),
        *("--transformData", ",".join(str(transformData).replace(",", " ").split())),
        *several(zValues),
    ]
    call_run_ws_client(
        className,
        add_args=arguments,
        **client_options(kwargs, subprocess_mode, client_script=client_script, memGB=memGB),
    )


@renderclientaccess
@accepts(*RUN_OPTIONS)
def coordinateClient(
    stack: str,
    z: float | None,
    fromJson: str | None = None,
    toJson: str | None = None,
    localToWorld: bool | None = None,
    numberOfThreads: int | None = None,
    subprocess_mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    owner: str | None = None,
    project: str | None = None,
    client_script: str | None = None,
    memGB: str | None = None,
    render: Render | None = None,
    *,
    toOwner: str | None = None,
    toProject: str | None = None,
    toStack: str | None = None,
    **kwargs: Any,
) -> list[Any]:
    """Map coordinates from world to local, or back.

    Parameters
    ----------
    stack : str
        Stack.
    z : float or None
        Layer; None takes it from the world coordinates.
    fromJson : str
        File with the points: a JSON list of ``{"world": [x, y, z]}``, or with `localToWorld` a list of
        lists of ``{"tileId": ..., "local": [x, y]}``.
    toJson : str, optional
        File that gets the result, gzipped if its name ends in ``.gz``; default a temporary one.
    localToWorld : bool, optional
        Map from local to world.
    numberOfThreads : int, optional
        Threads of Java; its default is 1.
    toOwner, toProject, toStack : str, optional
        Map world coordinates on to the world of this stack.
    host, port, owner, project, client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`.

    Returns
    -------
    list
        One entry per point, in their order: a list of the tiles it lies in (``visible`` marks the one on
        top), or with `localToWorld` a dict. A point that cannot be mapped carries an ``error``.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or no client script is configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    """
    if fromJson is None:
        raise ClientArgumentError("coordinateClient needs fromJson, the file with the points")
    with ExitStack() as files:
        if toJson is None:
            toJson = files.enter_context(temporary_file(".json"))
        arguments = [
            *stack_words(host, port, owner, project, stack),
            *get_param(z, "--z"),
            *("--fromJson", fromJson, "--toJson", toJson),
            *flag(localToWorld, "--localToWorld"),
            *get_param(whole(numberOfThreads, "numberOfThreads"), "--numberOfThreads"),
            *get_param(toOwner, "--toOwner"),
            *get_param(toProject, "--toProject"),
            *get_param(toStack, "--toStack"),
        ]
        call_run_ws_client(
            f"{PACKAGE}CoordinateClient",
            add_args=arguments,
            **client_options(kwargs, needs_result(subprocess_mode), client_script=client_script, memGB=memGB),
        )
        answer: list[Any] = read_json(toJson)
    return answer
