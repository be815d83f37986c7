"""The Java client that maps coordinates.

It stands alone, below all that works on tiles of stacks: `renderapi.coordinate` calls it.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from renderapi.client.calls.engine import ENGINE_OPTIONS, engineaccess, run_of
from renderapi.client.checks import ClientArgumentError, finite_number, whole_number
from renderapi.client.files import read_json, temporary_file
from renderapi.client.java.arguments import flag_option, get_param, stack_words
from renderapi.client.java.options import PACKAGE
from renderapi.client.java.script import RUN_OPTIONS
from renderapi.render import Render, accepts
from renderapi.utils import jbool


@engineaccess
@accepts(*RUN_OPTIONS, *ENGINE_OPTIONS)
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
    engine: str | None = None,
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
    engine : {"java", "python"}, optional
        Who does it; by default Java where a client script is configured.
    subprocess_mode, **kwargs
        How the script is run (``stdout=``, ``stderr=``, ``timeout=``): see `run_subprocess_mode`. In Python
        ``progress=`` and ``batch_size=`` as for `renderapi.client.import_tilespecs`.

    Returns
    -------
    list
        One entry per point, in their order: a list of the tiles it lies in (``visible`` marks the one on
        top), or with `localToWorld` a dict. A point that cannot be mapped carries an ``error``.

    Raises
    ------
    ClientScriptError
        The client failed (with the end of what it printed), or Java is asked for and no client script is
        configured.
    ClientArgumentError
        An argument would not reach Java, or not be understood; nothing was started.
    NotFoundError
        In Python: the stack does not exist.
    SpecError
        In Python: the file does not hold a JSON list, or a tile cannot be evaluated.
    """
    if fromJson is None:
        raise ClientArgumentError("coordinateClient needs fromJson, the file with the points")
    z = finite_number(z, "z")
    run = run_of(
        host, port, owner, project, render, client_script, memGB, subprocess_mode, engine=engine, **kwargs
    )
    if run.java is None:
        from renderapi.client.local.coordinates import Place, map_file

        whole_number(numberOfThreads, "numberOfThreads")
        target = None
        if toStack is not None:
            target = Place(run.project.other(owner=toOwner, project=toProject), toStack)
        place = Place(run.project, stack, z)
        from_local = jbool(localToWorld) == "true"
        return map_file(place, fromJson, toJson, from_local, target, kwargs.get("progress"))
    with ExitStack() as files:
        if toJson is None:
            toJson = files.enter_context(temporary_file(".json"))
        arguments = [
            *stack_words(run.project, stack),
            *get_param(z, "--z"),
            *("--fromJson", fromJson, "--toJson", toJson),
            *flag_option(localToWorld, "--localToWorld"),
            *get_param(whole_number(numberOfThreads, "numberOfThreads"), "--numberOfThreads"),
            *get_param(toOwner, "--toOwner"),
            *get_param(toProject, "--toProject"),
            *get_param(toStack, "--toStack"),
        ]
        run.java.awaited().run(f"{PACKAGE}CoordinateClient", arguments)
        answer: list[Any] = read_json(toJson)
    return answer
