"""Settings from the environment, and from the person at the keyboard."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from renderapi.errors import ConnectionSettingsError

#: Environment variables of each setting, the first that is set counts.
ENVIRONMENT = {
    "host": ("DEFAULT_RENDER_HOST", "RENDER_HOST"),
    "port": ("DEFAULT_RENDER_PORT", "RENDER_PORT"),
    "owner": ("DEFAULT_RENDER_OWNER", "RENDER_OWNER"),
    "project": ("DEFAULT_RENDER_PROJECT", "RENDER_PROJECT"),
    "client_scripts": ("DEFAULT_RENDER_CLIENT_SCRIPTS", "RENDER_CLIENT_SCRIPTS"),
    "client_script": ("RENDER_CLIENT_SCRIPT",),
    "memGB": ("RENDER_CLIENT_HEAP",),
}


_HEAP = re.compile(r"\d+[kKmMgGtT]?")


def environment_setting(name: str) -> str | None:
    """Return a setting from the environment variables that stand for it, or None.

    Parameters
    ----------
    name : str
        Name of the setting: ``host``, ``port``, ``owner``, ``project``, ``client_scripts``, ...

    Returns
    -------
    str or None

    Raises
    ------
    ConnectionSettingsError
        If it cannot be: it names the variable.
    """
    for variable in ENVIRONMENT[name]:
        if value := os.environ.get(variable):
            _check(name, variable, value)
            return value
    return None


def _check(name: str, variable: str, value: str) -> None:
    if name == "port":
        try:
            as_port(value)
        except ConnectionSettingsError as error:
            raise ConnectionSettingsError(f"the environment variable {variable} is wrong: {error}") from None
    elif name == "memGB" and not _HEAP.fullmatch(value):
        raise ConnectionSettingsError(
            f"the environment variable {variable} is {value!r}; it must be a memory size as '2G' or '512m'"
        )


def set_by(name: str, value: str) -> str:
    """Say which environment variable a setting is from, or nothing if it is from none."""
    for variable in ENVIRONMENT[name]:
        if os.environ.get(variable) == value:
            return f" (set by the environment variable {variable})"
    return ""


def as_port(port: Any) -> int | None:
    """Return a port as a number; None and an empty text leave it to the scheme."""
    if port in (None, ""):
        return None
    try:
        number = int(port)
        whole = isinstance(port, str) or number == port
    except (TypeError, ValueError, OverflowError):
        number, whole = 0, False
    if not whole or not 0 < number < 65536:
        raise ConnectionSettingsError(f"port is {port!r}; it must be a whole number from 1 to 65535")
    return number


_ATTEMPTS = 5


def ask_for(missing: list[str], checks: Mapping[str, Callable[[str], Any]] | None = None) -> dict[str, str]:
    """Ask the person at the keyboard, or raise one error that lists everything that is missing.

    Parameters
    ----------
    missing : list of str
        Names of settings.
    checks : dict, optional
        What raises `ConnectionSettingsError` for an answer that cannot be: it is shown, and asked again.

    Returns
    -------
    dict of str to str
        The answer for each of them.
    """
    if _somebody_is_there():
        try:
            return {name: _answer(name, (checks or {}).get(name)) for name in missing}
        except (EOFError, NotImplementedError):
            pass  # the terminal was closed, or the notebook runs by itself
    lines = [f"  {name}=  or  {' / '.join(ENVIRONMENT[name])}" for name in missing]
    raise ConnectionSettingsError(
        "cannot connect to a render server: settings are missing (keyword or environment variable)\n"
        + "\n".join(lines)
        + "\nFor a server of your own without installation see: renderapi serve --help"
    )


def _answer(name: str, check: Callable[[str], Any] | None) -> str:
    for attempt in range(1, _ATTEMPTS + 1):
        answer = input(f"render {name}: ").strip()
        if check is None:
            break
        try:
            check(answer)
            break
        except ConnectionSettingsError as error:
            if attempt == _ATTEMPTS:
                raise
            print(error, file=sys.stderr)
    return answer


def _somebody_is_there() -> bool:
    try:
        if sys.stdin.isatty():
            return True
    except (AttributeError, ValueError):
        pass  # no standard input, or a closed one
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
