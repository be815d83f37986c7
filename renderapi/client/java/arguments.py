"""Building the command line of a Java client, and running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from renderapi._project import Project, make_stack_params
from renderapi.client.checks import BOX, checked_box
from renderapi.client.java.options import check_jar, check_options
from renderapi.client.java.script import RUN_OPTIONS, as_words, check_words, failure, run_subprocess_mode
from renderapi.client.utils import find_client_script
from renderapi.http.urls import required
from renderapi.render import Render, check_client_script
from renderapi.utils import jbool

_DEFAULT_MEMORY = "1G"


def call_run_ws_client(
    className: str,
    add_args: Sequence[Any] | None = None,
    renderclient: Render | None = None,
    memGB: str | None = None,
    client_script: str | None = None,
    **kwargs: Any,
) -> Any:
    """Run any Java client.

    Parameters
    ----------
    className : str
        Full name of the class, for instance ``org.janelia.render.client.ImportJsonClient``.
    add_args : list
        Its arguments; numbers and paths are made text.
    renderclient : Render, optional
        Connection whose client script and memory are used.
    memGB : str, optional
        Memory for Java; default that of the connection, else 1G.
    client_script : str, optional
        Script to run; default that of the connection, else that of the environment.
    **kwargs
        ``subprocess_mode=``, ``stdout=``, ``stderr=``, ``timeout=`` as for `run_subprocess_mode`.

    Returns
    -------
    int or bytes
        As `run_subprocess_mode`.

    Raises
    ------
    ClientScriptError
        The client fails, or there is no script.
    ClientArgumentError
        An argument would not reach Java as it is.
    """
    import subprocess

    render = renderclient if renderclient is not None else kwargs.get("render")
    script = find_client_script(
        render, client_script=client_script, client_scripts=kwargs.get("client_scripts")
    )
    if script is None:
        check_client_script(script)
    check_jar()
    memory = memGB or getattr(render, "memGB", None) or _DEFAULT_MEMORY
    words = as_words([script, memory, className, *(add_args or [])])
    check_words(words[1:])
    check_options(className, words[3:], script)
    try:
        return run_subprocess_mode(
            words,
            subprocess_mode=kwargs.get("subprocess_mode"),
            **{name: kwargs[name] for name in RUN_OPTIONS if name in kwargs},
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise failure(error, words) from error


@dataclass(frozen=True)
class JavaRun:
    """How a Java client is run: with which script and memory, and what becomes of its output.

    Attributes
    ----------
    client_script, memGB, subprocess_mode : str, optional
        As for `call_run_ws_client`.
    streams : dict
        Those of `RUN_OPTIONS` that were given.
    """

    client_script: str | None = None
    memGB: str | None = None
    subprocess_mode: str | None = None
    streams: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        client_script: str | None = None,
        memGB: str | None = None,
        subprocess_mode: str | None = None,
        **options: Any,
    ) -> JavaRun:
        """Take how Java is run from the keywords of a call; options of other kinds are left alone."""
        streams = {name: options[name] for name in RUN_OPTIONS if name in options}
        return cls(client_script, memGB, subprocess_mode, streams)

    def awaited(self) -> JavaRun:
        """Return this for a client whose result is read: see `needs_result`."""
        return replace(self, subprocess_mode=needs_result(self.subprocess_mode))

    def keywords(self) -> dict[str, Any]:
        """Return the keywords with which a function of a client is told the same."""
        return {
            "client_script": self.client_script,
            "memGB": self.memGB,
            "subprocess_mode": self.subprocess_mode,
            **self.streams,
        }

    def run(self, className: str, arguments: Sequence[Any]) -> None:
        """Run a Java client, as `call_run_ws_client` does."""
        call_run_ws_client(className, add_args=arguments, **self.keywords())


# ------------------------------------------------------------------------------------------------- words


def get_param(var: Any, flag: str) -> list[Any]:
    """Return option and value as a list, or an empty list where the value is None.

    Parameters
    ----------
    var : object
        Value of the option, or None.
    flag : str
        The option, such as ``--stack``.

    Returns
    -------
    list
        The words.
    """
    return [] if var is None else [flag, var]


def flag_option(value: Any, flag: str) -> list[str]:
    """Return an option that Java takes without a value, or nothing where the value is not true."""
    return [flag] if value is not None and jbool(value) == "true" else []


def stack_words(at: Project, stack: str) -> list[Any]:
    """Build the options that name a stack and its server."""
    return make_stack_params(
        required("host", at.host),
        at.port,
        required("owner", at.owner),
        required("project", at.project),
        stack,
    )


def needs_result(subprocess_mode: str | None) -> str | None:
    """Replace the mode in which a failed client would look like one that found nothing."""
    return None if subprocess_mode == "call" else subprocess_mode


def box_words(box: Mapping[str, Any] | None) -> list[Any]:
    """Options of a box in a layer: all four of its sides, or none."""
    given = checked_box(box)
    return [] if given is None else [word for name in BOX for word in (f"--{name}", given[name])]
