"""Whether the tiles of an import are in the stack: a Java client ends well even where some are not."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import requests

from renderapi._project import Project
from renderapi.client.documents import read_documents, tiles_with_ids
from renderapi.errors import ClientScriptError, ImportFailedError, NotFoundError, RenderError, RenderWarning
from renderapi.stack import get_tilebounds_for_z

_SHOWN_IDS = 3


def why_lenient(subprocess_mode: str | None, validated: bool = False) -> str:
    """Say why tiles that are missing after an import are no error; empty where they are."""
    if validated:
        return "The validator may have rejected them; the client printed why."
    called = (subprocess_mode or "").lower() == "call"
    return "With subprocess_mode='call' nothing is raised." if called else ""


def check_stored(
    connection: Project, stack: str, expected: Mapping[str, float | None], only_warn: str = ""
) -> None:
    """Look whether tiles are in a stack.

    Parameters
    ----------
    connection, stack
        Where they should be.
    expected : dict of str to float
        The z of each tile, by its id.
    only_warn : str
        Why tiles may rightly be missing: then this is a warning.

    Warns
    -----
    RenderWarning
        If it cannot be found out.

    Raises
    ------
    ImportFailedError
        If tiles are missing.
    """
    try:
        missing = _missing(connection, stack, expected)
    except (RenderError, requests.RequestException, TypeError, KeyError) as error:
        _warn(
            f"the Java client ended well, but whether the {len(expected)} tile specs are in stack {stack} could "
            f"not be checked: {error}"
        )
        return
    if not missing:
        return
    shown = ", ".join(missing[:_SHOWN_IDS]) + (" ..." if len(missing) > _SHOWN_IDS else "")
    text = f"{len(missing)} of {len(expected)} tile specs are not in stack {stack}: {shown}"
    if only_warn:
        _warn(f"{text}. {only_warn}")
        return
    raise ImportFailedError(
        f"{text}. The Java client ended well all the same; what it printed may say why",
        failures=[(missing, ClientScriptError("not stored, though the client ended well", returncode=0))],
        stored=len(expected) - len(missing),
    )


def _missing(connection: Project, stack: str, expected: Mapping[str, float | None]) -> list[str]:
    layers: dict[float, set[str]] = {}
    elsewhere = {tile_id for tile_id, z in expected.items() if z is None}
    for tile_id, z in expected.items():
        if z is not None:
            layers.setdefault(z, set()).add(tile_id)
    try:
        for z, wanted in layers.items():
            boxes = get_tilebounds_for_z(stack, z, **connection.keywords())
            elsewhere |= wanted - {box["tileId"] for box in boxes}
        # of two tiles with one id the other may have come last, with another z
        found = {tile["tileId"] for tile in tiles_with_ids(connection, stack, sorted(elsewhere))}
    except NotFoundError:
        return sorted(expected)
    return sorted(elsewhere - found)


def check_files_stored(
    connection: Project, stack: str, files: Iterable[str | Path], only_warn: str = ""
) -> None:
    """Look whether the tiles of JSON files are in a stack, as `check_stored` does."""
    expected: dict[str, float | None] = {}
    try:
        for file in files:
            expected.update(layers_of(read_documents(file, "tile specs")))
    except (RenderError, OSError, ValueError) as error:
        _warn(
            f"the Java client ended well, but whether the tile specs are in stack {stack} could not be checked: "
            f"{error}"
        )
        return
    check_stored(connection, stack, expected, only_warn)


def layers_of(tiles: Sequence[Any]) -> dict[str, float | None]:
    """Return the z of tiles, or of their documents, by tile id."""
    found: dict[str, float | None] = {}
    for tile in tiles:
        if isinstance(tile, Mapping):
            found[str(tile.get("tileId"))] = tile.get("z")
        else:
            mine = copy(tile)  # what was read and not touched stays so
            found[str(mine.tileId)] = mine.z
    return found


def _warn(text: str) -> None:
    warnings.warn(text, RenderWarning, stacklevel=5)
