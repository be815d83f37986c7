"""Paths and headers as Jetty and RESTEasy, the frameworks of render-ws, take them."""

from __future__ import annotations

import re

from renderapi.server.endpoints.refusals import Refusal

_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~,")


def _plain(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0]


def tidy_path(path: str) -> str:
    """Bring an encoded path to one form.

    A slash at the end and matrix parameters (``;a=b``) go, ``.`` and ``..`` are followed, letters are decoded;
    what is encoded for a reason, such as a slash in an id, stays.

    Raises
    ------
    Refusal
        400 for an empty segment, and for ``..`` that is encoded.
    """
    segments = path.split("/")[1:]
    if segments and not segments[-1]:
        segments.pop()
    kept: list[str] = []
    for segment in segments:
        bare = segment.partition(";")[0]
        if not bare:
            raise Refusal(400, "Ambiguous URI empty segment")
        if bare == "..":
            kept = kept[:-1]
        elif bare.lower().replace("%2e", ".") in (".", "..") and bare != ".":
            raise Refusal(400, "Ambiguous URI path segment")
        elif bare != ".":
            kept.append(_ENCODED.sub(_plain, bare))
    return "/" + "/".join(kept)


def check_accept(accept: str | None, gives: str | None) -> None:
    """Refuse a client that does not accept what would be answered: 406, and 400 for no media type at all."""
    if not accept or not accept.strip():
        return
    accepted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    wrong = next((part for part in accepted if part.count("/") != 1), None)
    if wrong is not None:
        raise Refusal(400, f"'{wrong}' is no media type (Accept)")
    if gives is None:
        return
    if not {"*/*", gives, gives.partition("/")[0] + "/*"}.intersection(accepted):
        raise Refusal(406, f"the answer would be {gives}, which is not among what is accepted: {accept}")
