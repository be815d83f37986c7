"""Documents of tiles, as files have them and as a stack has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from renderapi import _json
from renderapi._project import Project
from renderapi.errors import SpecError
from renderapi.http.transport import decode_json
from renderapi.render import stack_url
from renderapi.utils import open_text, put_json

Document = dict[str, Any]
# Java's clients ask for no more at once
_IDS_AT_ONCE = 50_000


def read_list(path: str | Path, what: str) -> list[Any]:
    """Read a JSON file, gzipped if its name says so, that must hold a list.

    Raises
    ------
    SpecError
        If it does not.
    FileNotFoundError
        If there is no such file.
    """
    with open_text(path) as file:
        content = file.read()
    try:
        documents = _json.loads(content)
    except ValueError as error:
        raise SpecError(f"{path} is not JSON: {error}") from None
    if not isinstance(documents, list):
        raise SpecError(f"{path} must hold a JSON list of {what}")
    return documents


def read_documents(path: str | Path, what: str) -> list[Document]:
    """Read a JSON file as `read_list` does; it must hold objects."""
    documents = read_list(path, what)
    if not all(isinstance(document, dict) for document in documents):
        raise SpecError(f"{path} must hold a JSON list of {what}")
    return documents


def tiles_with_ids(connection: Project, stack: str, tile_ids: Sequence[str]) -> list[Document]:
    """Get tiles by their ids, with references replaced; those that do not exist are absent."""
    url = stack_url(
        connection.host, connection.port, connection.owner, connection.project, stack, "tile-specs-with-ids"
    )
    found: list[Document] = []
    for start in range(0, len(tile_ids), _IDS_AT_ONCE):
        ids = list(tile_ids[start : start + _IDS_AT_ONCE])
        found += decode_json(put_json(connection.thread_session(), url, ids))
    return found
