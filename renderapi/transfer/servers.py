"""Stacks and match collections of a server, as places that documents are carried from and to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from renderapi import _json
from renderapi._project import Project
from renderapi.errors import NotFoundError, StackStateError, TransferError
from renderapi.http import transport
from renderapi.stack import version_differences
from renderapi.transfer.parts import ContentDigest, Key, Part, PartDigest

#: A request to store holds no more documents ...
_BATCH = 2000
#: ... and no more bytes than this, unless one document is larger.
_BATCH_BYTES = 16 * 2**20
_PAIR_IDS = re.compile(
    rb'\{"pGroupId":"[^"\\]*","pId":"([^"\\]*)","qGroupId":"([^"\\]*)","qId":"([^"\\]*)"[,}]'
)
_PAIR = ("pId", "qGroupId", "qId")


def pair_key(document: bytes) -> str:
    """Return what names a pair among those of its group of p."""
    found = _PAIR_IDS.match(document)
    if found:
        return b"\0".join(found.groups()).decode()
    pair = _json.loads(document)
    return "\0".join(str(pair[name]) for name in _PAIR)


@dataclass
class _OnServer:
    project: Project
    name: str
    condense = None

    def expected(self, key: Key) -> PartDigest | None:
        """Nobody has said what a part should be."""
        return None

    def _send(self, method: str, url: str, document: bytes | None = None, **params: Any) -> Any:
        return transport.send(
            self.project.thread_session(), method, url, document=document, params=params or None
        )

    def _get(self, url: str) -> Any:
        return transport.decode_json(self._send("GET", url))

    def _change(self, method: str, url: str, document: bytes | None = None, **params: Any) -> None:
        transport.confirmed(self._send(method, url, document, **params))


@dataclass
class StackOnServer(_OnServer):
    """A stack of a server.

    Parameters
    ----------
    project : Project
        Where it is.
    name : str
        Its name.
    close : bool
        Set it COMPLETE when everything is there.
    """

    close: bool = True
    kind = "stack"

    def __str__(self) -> str:
        return f"stack {self.name} of project {self.project.project} of {self.project.owner}"

    @property
    def where(self) -> str:
        """What it is, and nothing else."""
        return self._url()

    def _url(self, *segments: object) -> str:
        return self.project.stack_url(self.name, *segments)

    def metadata(self) -> dict[str, Any] | None:
        """Return the StackMetaData document, None if there is no such stack."""
        try:
            found: dict[str, Any] = self._get(self._url())
        except NotFoundError:
            return None
        return found

    def description(self) -> dict[str, Any]:
        """Return what is said of the stack, and how many tiles it has, if that is known."""
        found = self._get(self._url())
        settled = found.get("state") in ("COMPLETE", "READ_ONLY")
        stats = found.get("stats") or {}
        return {
            "name": self.name,
            "version": found.get("currentVersion") or {},
            "count": stats.get("tileCount") if settled else None,
        }

    def parts(self) -> list[Key]:
        """List the z of all layers; of a stack that is not there none."""
        try:
            return [float(z) for z in self._get(self._url("zValues", ""))]
        except NotFoundError:
            return []

    def read(self, key: Key) -> Part:
        """Get a layer as it is stored."""
        response = self._send("GET", self._url("z", key, "resolvedTiles"))
        maps = _json.split_maps(response.content)
        if maps is None:
            document = transport.decode_json(response)
            maps = {
                name: {ident: _json.dumps(spec) for ident, spec in (document.get(name) or {}).items()}
                for name in ("tileIdToSpecMap", "transformIdToSpecMap")
            }
        return Part(maps.get("tileIdToSpecMap", {}), maps.get("transformIdToSpecMap", {}))

    def write(self, key: Key, part: Part) -> None:
        """Store tiles of a layer; those that are there already are replaced."""
        transforms = _members(part.shared)
        for batch in part.batches(_BATCH, _BATCH_BYTES):
            content = b'{"transformIdToSpecMap":{%b},"tileIdToSpecMap":{%b}}' % (transforms, _members(batch))
            self._change("PUT", self._url("resolvedTiles"), content, deriveData="false")

    def remove(self, key: Key) -> None:
        """Delete a layer."""
        self._change("DELETE", self._url("z", key))

    def refusal(self, description: dict[str, Any]) -> str:
        """Say why the stack is not one to carry what is so described to, if it is not."""
        found = self.metadata()
        if found is not None and found.get("state") == "READ_ONLY":
            raise StackStateError(
                f"{self} is READ_ONLY: nothing was done. To change it, set it COMPLETE first"
            )
        if found is None or not self.parts():
            return ""
        return version_differences(description["version"], found.get("currentVersion") or {})

    def begin(self, description: dict[str, Any]) -> None:
        """Make the stack, or describe it anew where it says something else, and see that it is LOADING."""
        found = self.metadata()
        version = description["version"]
        if found is None or version_differences(version, found.get("currentVersion") or {}):
            self._change("POST", self._url(), _json.dumps(version))
        elif found.get("state") != "LOADING":
            self._change("PUT", self._url("state", "LOADING"))

    def end(self, content: ContentDigest) -> None:
        """Set the stack COMPLETE, and look whether it has as many tiles as were carried to it."""
        if self.close and content.count:
            self._change("PUT", self._url("state", "COMPLETE"))
            held = self.description()["count"]
            if held != content.count:
                raise TransferError(f"{self} has {held} tiles, not the {content.count} of its layers")

    def unfinished(self) -> str:
        """Say what was left where a transfer failed."""
        return f"{self} is left LOADING"


def _members(documents: dict[str, bytes]) -> bytes:
    return b",".join(b"%b:%b" % (_json.dumps(key), document) for key, document in documents.items())


@dataclass
class MatchesOnServer(_OnServer):
    """A match collection of a server."""

    kind = "matches"

    def __str__(self) -> str:
        return f"match collection {self.name} of {self.project.owner}"

    @property
    def where(self) -> str:
        """What it is, and nothing else."""
        return self._url()

    def _url(self, *segments: object) -> str:
        return self.project.owner_url("matchCollection", self.name, *segments)

    def description(self) -> dict[str, Any]:
        """Return name and number of pairs."""
        for found in self._get(self.project.owner_url("matchCollections")):
            if found["collectionId"]["name"] == self.name:
                return {"name": self.name, "count": found.get("pairCount")}
        raise NotFoundError(f"there is no {self}", url=transport.redacted(self._url()))

    def parts(self) -> list[Key]:
        """List the groups that are p; of a collection that is not there none."""
        try:
            return list(self._get(self._url("pGroupIds")))
        except NotFoundError:
            return []

    def read(self, key: Key) -> Part:
        """Get the pairs of a group."""
        response = self._send("GET", self._url("pGroup", key, "matches"))
        pairs = _json.split_list(response.content)
        if pairs is None:
            pairs = _json.dumps_each(transport.decode_json(response))
        return Part({pair_key(pair): pair for pair in pairs})

    def write(self, key: Key, part: Part) -> None:
        """Store pairs; those that are there already are replaced."""
        for batch in part.batches(_BATCH, _BATCH_BYTES):
            self._change("PUT", self._url("matches"), b"[%b]" % b",".join(batch.values()))

    def remove(self, key: Key) -> None:
        """Delete the pairs of a group."""
        self._change("DELETE", self._url("pGroup", key, "matches"))

    def refusal(self, description: dict[str, Any]) -> str:
        """Nothing is said of a collection."""
        return ""

    def begin(self, description: dict[str, Any]) -> None:
        """The first matches make the collection."""

    def end(self, content: ContentDigest) -> None:
        """Look whether the collection has as many pairs as were carried to it."""
        held = self.description()["count"] if content.count else 0
        if held != content.count:
            raise TransferError(f"{self} has {held} pairs, not the {content.count} of its groups")

    def unfinished(self) -> str:
        """Say what was left where a transfer failed."""
        return f"{self} has some of the pairs"


def same_server(one: Project, other: Project) -> bool:
    """Tell whether two projects are on one server."""
    sides: Sequence[Project] = (one, other)
    here, there = (side.owner_url().partition("/owner")[0] for side in sides)
    return here == there
