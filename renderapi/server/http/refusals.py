"""Answers other than success, and the words that a render-ws uses for them.

The statuses are the *actual* ones of render-ws, also where its documentation promises others: a state
violation is a 500. docs/server.rst lists them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

MAX_STORAGE_NAME = {"stack": 111, "match": 112}
_KINDS = {"stack": "render", "match": "match"}

_NAME = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*", re.ASCII)


class Refusal(Exception):  # noqa: N818 (it is an answer)
    """An answer with an error status; the message is the whole body, as plain text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.status, self.message))


class MeaningRefusal(Refusal):
    """A refusal that render-ws finds after it has looked at the stack, not while it reads the body."""


class QueryRefusal(Refusal):
    """A refusal of what a query asks for: 400, but 500 where render-ws reads it outside of its care."""


def check_name(kind: str, name: str) -> None:
    """Refuse (400) a name that render-ws does not take for an owner, project, stack or collection."""
    if not _NAME.fullmatch(name):
        raise Refusal(
            400,
            f"invalid {kind} '{name}' specified, names may only contain alphanumeric or underscore '_' "
            "characters and may not contain consecutive underscores '_'",
        )


def _check_length(kind: str, storage_name: str) -> None:
    limit = MAX_STORAGE_NAME[kind]
    if len(storage_name) > limit:
        raise Refusal(
            400,
            f"{_KINDS[kind]} collection name '{storage_name}' must be less than {limit} characters, therefore "
            "the length of one or more of the collection fields should be reduced",
        )


@dataclass(frozen=True)
class StackKey:
    """Owner, project and name of a stack."""

    owner: str
    project: str
    stack: str

    def __str__(self) -> str:
        return f"stack with owner '{self.owner}', project '{self.project}', and name '{self.stack}'"

    def checked(self) -> StackKey:
        """Return the key itself if render-ws would take its names, refuse (400) otherwise."""
        check_name("owner", self.owner)
        check_name("project", self.project)
        check_name("stack", self.stack)
        return self.short_enough()

    def short_enough(self) -> StackKey:
        """Refuse (400) only a key that is too long, which is all that is asked of the body of a rename."""
        _check_length("stack", f"{self.owner}__{self.project}__{self.stack}__transform")
        return self

    def document(self) -> dict[str, str]:
        """Return the key as the ``stackId`` of an answer."""
        return {"owner": self.owner, "project": self.project, "stack": self.stack}


@dataclass(frozen=True)
class CollectionKey:
    """Owner and name of a match collection."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"match collection with owner '{self.owner}', and name '{self.name}'"

    def checked(self) -> CollectionKey:
        """Return the key itself if render-ws would take its names, refuse (400) otherwise."""
        check_name("owner", self.owner)
        check_name("name", self.name)
        return self.short_enough()

    def short_enough(self) -> CollectionKey:
        """Refuse (400) only a key that is too long."""
        _check_length("match", f"{self.owner}__{self.name}")
        return self

    def document(self) -> dict[str, str]:
        """Return the key as the ``collectionId`` of an answer."""
        return {"owner": self.owner, "name": self.name}


def stack_missing(key: StackKey) -> Refusal:
    """404: there is no such stack, or it is OFFLINE and its data are looked for."""
    return Refusal(404, f"{key} does not exist")


def tile_missing(key: StackKey, tile_id: str) -> Refusal:
    """404: the stack has no such tile."""
    collection = f"render.{key.owner}__{key.project}__{key.stack}__tile"
    return Refusal(404, f"tile spec with id '{tile_id}' does not exist in the {collection} collection")


def transform_missing(key: StackKey, transform_id: str) -> Refusal:
    """404: the stack has no such shared transform."""
    return Refusal(404, f"transform spec with id '{transform_id}' does not exist in the {key}")


def section_missing(key: StackKey, section_id: str) -> Refusal:
    """404: no tile of the stack has this section id."""
    return Refusal(404, f"sectionId '{section_id}' does not exist in the {key}")


def collection_missing(key: CollectionKey) -> Refusal:
    """404: there is no such match collection."""
    return Refusal(404, f"match collection '{key.owner}__{key.name}' does not exist")


def read_only(stack: str) -> Refusal:
    """500: the stack is READ_ONLY."""
    return Refusal(500, f"Data for stack {stack} cannot be modified because it is READ_ONLY.")


def too_broad(query: str, most: int) -> Refusal:
    """400: more tiles than render-ws gives in one answer."""
    return Refusal(400, f"query too broad, over {most} tiles match {query}")


def not_built(what: str) -> Refusal:
    """501: an endpoint of render-ws that the embedded server does not have."""
    return Refusal(501, f"The embedded server does not offer {what}; use a full render-ws for it.")
