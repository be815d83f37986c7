"""Names of stacks and match collections, and the words for what they do not have."""

from __future__ import annotations

import re
from dataclasses import dataclass

from renderapi.server.documents.problems import InvalidError, MissingError

MAX_STORAGE_NAME = {"stack": 111, "match": 112}
_KINDS = {"stack": "render", "match": "match"}

_NAME = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*", re.ASCII)


def check_name(kind: str, name: str) -> None:
    """Refuse a name that render-ws does not take for an owner, project, stack or collection."""
    if not _NAME.fullmatch(name):
        raise InvalidError(
            f"invalid {kind} '{name}' specified, names may only contain alphanumeric or underscore '_' "
            "characters and may not contain consecutive underscores '_'",
        )


def _check_length(kind: str, storage_name: str) -> None:
    limit = MAX_STORAGE_NAME[kind]
    if len(storage_name) > limit:
        raise InvalidError(
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
        """Refuse names that render-ws would not take; the key comes back."""
        check_name("owner", self.owner)
        check_name("project", self.project)
        check_name("stack", self.stack)
        return self.short_enough()

    def short_enough(self) -> StackKey:
        """Refuse only a key that is too long, which is all that is asked of the body of a rename."""
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
        """Refuse names that render-ws would not take; the key comes back."""
        check_name("owner", self.owner)
        check_name("name", self.name)
        return self.short_enough()

    def short_enough(self) -> CollectionKey:
        """Refuse only a key that is too long."""
        _check_length("match", f"{self.owner}__{self.name}")
        return self

    def document(self) -> dict[str, str]:
        """Return the key as the ``collectionId`` of an answer."""
        return {"owner": self.owner, "name": self.name}


def stack_missing(key: StackKey) -> MissingError:
    """Say that there is no such stack, or it is OFFLINE and its data are looked for."""
    return MissingError(f"{key} does not exist")


def tile_missing(key: StackKey, tile_id: str) -> MissingError:
    """Say that the stack has no such tile."""
    collection = f"render.{key.owner}__{key.project}__{key.stack}__tile"
    return MissingError(f"tile spec with id '{tile_id}' does not exist in the {collection} collection")


def transform_missing(key: StackKey, transform_id: str) -> MissingError:
    """Say that the stack has no such shared transform."""
    return MissingError(f"transform spec with id '{transform_id}' does not exist in the {key}")


def section_missing(key: StackKey, section_id: str) -> MissingError:
    """Say that no tile of the stack has this section id."""
    return MissingError(f"sectionId '{section_id}' does not exist in the {key}")


def collection_missing(key: CollectionKey) -> MissingError:
    """Say that there is no such match collection."""
    return MissingError(f"match collection '{key.owner}__{key.name}' does not exist")
