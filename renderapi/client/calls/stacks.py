"""The Java clients that change a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from renderapi.client.calls.engine import ENGINE_OPTIONS, engineaccess, run_of
from renderapi.client.checks import (
    ClientArgumentError,
    as_list,
    bounds_of,
    check_choice,
    whole_number,
)
from renderapi.client.java.arguments import box_words, flag_option, get_param, stack_words
from renderapi.client.java.options import PACKAGE, known_options
from renderapi.client.java.script import RUN_OPTIONS
from renderapi.render import Render, accepts
from renderapi.stack import set_stack_state

if TYPE_CHECKING:
    from renderapi.client.validation import TileSpecValidator

_METHODS = ("APPEND", "INSERT_AS_FIRST", "INSERT_BEFORE_LAST", "REPLACE_LAST", "PRE_CONCATENATE_LAST")
_CHANGE_MODES = ("APPEND", "REPLACE_LAST", "REPLACE_ALL", "CONCATENATE_TO_LAST")


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
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
    engine: str | None = None,
    check: bool = True,
    **kwargs: Any,
) -> list[str] | None:
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
        Java class that checks tiles, and its limits as ``"maxSize:9000,minSize:10"``; Python knows
        TemTileSpecValidator and WarpedTileSpecValidator (see `renderapi.client.validation`). **Java drops
        tiles that it finds invalid and says so only in its output**; Python logs them, warns of them and
        returns their ids.
    host, port, owner, project, client_script, memGB, render
        Connection and script, where they differ from those of `render`.
    engine : {"java", "python"}, optional
        Who does it; by default Java where a client script is configured.
    check : bool
        Look whether the tiles are in the stack when Java has ended well. With a validator, or
        ``subprocess_mode="call"``, what is missing is a warning.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`. In Python
        ``progress=`` and ``batch_size=`` as for `renderapi.client.import_tilespecs`.

    Returns
    -------
    list of str or None
        In Python with a validator: the ids of the tiles that it rejected.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    ImportFailedError
        Tiles are not in the stack; it lists their ids.
    """
    files = [] if tileFiles is None else as_list(tileFiles)
    if not files:
        raise ClientArgumentError("importJsonClient needs tileFiles, the JSON files to import")
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    if run.java is None:
        from renderapi.client.local.stacks import import_files

        validator = _validator(validatorClass, validatorData)
        rejected = import_files(run.project, stack, files, transformFile, validator, kwargs)
        return None if validator is None else rejected
    arguments = [
        *stack_words(run.project, stack),
        *get_param(validatorClass, "--validatorClass"),
        *get_param(validatorData, "--validatorData"),
        *get_param(transformFile, "--transformFile"),
        *files,
    ]
    run.java.run(f"{PACKAGE}ImportJsonClient", arguments)
    if check:
        from renderapi.client.java.stored import check_files_stored, why_lenient

        lenient = why_lenient(subprocess_mode, validatorClass is not None)
        check_files_stored(run.project, stack, files, lenient)
    return None


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
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
    engine: str | None = None,
    **kwargs: Any,
) -> list[str] | None:
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
    engine : {"java", "python"}, optional
        Who does it; by default Java where a client script is configured.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`. In Python
        ``progress=`` and ``batch_size=`` as for `renderapi.client.import_tilespecs`.

    Returns
    -------
    list of str or None
        In Python with a validator: the ids of the tiles that it rejected.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    NotFoundError
        In Python: the stack or a tile does not exist; nothing was stored.
    SpecError
        In Python: the file, or a tile with its new transforms, is bad; nothing was stored.
    """
    rejected: list[str] | None = None
    mode = check_choice(changeMode or "REPLACE_LAST", _CHANGE_MODES, "changeMode")
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    target = run.project.other(owner=targetOwner, project=targetProject)
    if run.java is None:
        from renderapi.client.local.stacks import change_transforms

        validator = _validator(validatorClass, validatorData)
        method = "PRE_CONCATENATE_LAST" if mode == "CONCATENATE_TO_LAST" else str(mode)
        found = change_transforms(
            run.project, stack, target, targetStack, transformFile, method, validator, kwargs
        )
        rejected = None if validator is None else found
    else:
        arguments = [
            *stack_words(run.project, stack),
            *("--targetStack", targetStack, "--transformFile", transformFile),
            *get_param(targetOwner, "--targetOwner"),
            *get_param(targetProject, "--targetProject"),
            *("--changeMode", mode),
            *get_param(validatorClass, "--validatorClass"),
            *get_param(validatorData, "--validatorData"),
        ]
        run.java.run(f"{PACKAGE}ImportTransformChangesClient", arguments)
    if close_stack:
        set_stack_state(targetStack, "COMPLETE", **target.keywords())
    return rejected


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
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
    engine: str | None = None,
    **kwargs: Any,
) -> list[str] | None:
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
    engine : {"java", "python"}, optional
        Who does it; by default Java where a client script is configured.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`. In Python
        ``progress=`` and ``batch_size=`` as for `renderapi.client.import_tilespecs`.

    Returns
    -------
    list of str or None
        In Python with a validator: the ids of the tiles that it rejected.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    NotFoundError
        In Python: the stack, a layer or a tile does not exist.
    SpecError
        In Python: the transform, or a tile with it, is bad; the layers before it are stored.
    """
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    if run.java is None:
        from renderapi.client.local.stacks import SectionTransform, between_tiles, transform_sections

        validator = _validator(validatorClass, validatorData)
        at, target = run.project, run.project.other(project=targetProject)
        method = _method(transformApplicationMethod, replaceLast)
        zs = [float(z) for z in as_list(zValues)]
        if fromTileId is not None and toTileId is not None:
            change, z = between_tiles(at, stack, fromTileId, toTileId, method)
            zs = [z]
        elif fromTileId is not None or toTileId is not None:
            raise ClientArgumentError("fromTileId and toTileId are needed both")
        else:
            minimum = whole_number(layerMinimumXAndYBound, "layerMinimumXAndYBound")
            change = SectionTransform(transformId, transformClass, transformData, method, minimum)
        change.bounds = bounds_of(bounds)
        rejected = transform_sections(at, stack, target, targetStack or stack, change, zs, validator, kwargs)
        if completeTargetStack:
            set_stack_state(targetStack or stack, "COMPLETE", **target.keywords())
        return None if validator is None else rejected
    className = f"{PACKAGE}TransformSectionClient"
    old_style: list[str] = []
    if replaceLast:
        known, _ = known_options(className, client_script)
        if "--replaceLast" in known:
            old_style = ["--replaceLast"]
        else:
            transformApplicationMethod = _method(transformApplicationMethod, replaceLast)
    arguments = [
        *stack_words(run.project, stack),
        *old_style,
        *get_param(targetProject, "--targetProject"),
        *get_param(targetStack, "--targetStack"),
        *get_param(transformApplicationMethod, "--transformApplicationMethod"),
        *get_param(
            whole_number(layerMinimumXAndYBound, "layerMinimumXAndYBound"), "--layerMinimumXAndYBound"
        ),
        *get_param(fromTileId, "--fromTileId"),
        *get_param(toTileId, "--toTileId"),
        *box_words(bounds),
        *get_param(validatorClass, "--validatorClass"),
        *get_param(validatorData, "--validatorData"),
        *flag_option(completeTargetStack, "--completeTargetStack"),
        # Java makes blanks of the commas; the script would make several arguments of the blanks
        *("--transformId", transformId, "--transformClass", transformClass),
        *("--transformData", ",".join(str(transformData).replace(",", " ").split())),
        *as_list(zValues),
    ]
    run.java.run(className, arguments)
    return None


def _method(transformApplicationMethod: str | None, replaceLast: bool | None) -> str:
    if replaceLast and transformApplicationMethod not in (None, "REPLACE_LAST"):
        raise ClientArgumentError(
            f"replaceLast and transformApplicationMethod={transformApplicationMethod!r} contradict"
        )
    method = "REPLACE_LAST" if replaceLast else transformApplicationMethod or "APPEND"
    return str(check_choice(method, _METHODS, "transformApplicationMethod"))


def _validator(validatorClass: str | None, validatorData: str | None) -> TileSpecValidator | None:
    from renderapi.client.validation import validator_of

    try:
        return validator_of(validatorClass, validatorData)
    except ValueError as error:
        raise ClientArgumentError(str(error)) from None
