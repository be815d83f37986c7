"""Carrying a stack or a match collection from one place to another, part by part, so that it can be begun again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import requests

from renderapi._parallel import in_executor, in_threads, interrupt_says, progress_reporter, with_note
from renderapi.errors import BadRequestError, ConflictError, RenderError, TransferError
from renderapi.http.transport import alone
from renderapi.transfer.parts import Condense, ContentDigest, Key, Part, PartDigest

Item = TypeVar("Item")
Result = TypeVar("Result")

_SHOWN = 3
_UNITS = {"stack": ("layer", " tiles"), "matches": ("group", " pairs")}


class Place(Protocol):
    """Where documents are carried from or to. What goes to other threads or processes is the place itself."""

    @property
    def kind(self) -> str:
        """``stack`` or ``matches``."""

    @property
    def where(self) -> str:
        """What it is, and nothing else."""

    @property
    def condense(self) -> Condense | None:
        """What gathers of the documents of one part what is written here, None where their bytes are."""

    def description(self) -> dict[str, Any]:
        """Return what goes along beside the documents: ``name``, ``count`` (perhaps None), and ``version``."""

    def parts(self) -> list[Key]:
        """List the parts."""

    def expected(self, key: Key) -> PartDigest | None:
        """Return count and digest that a part should have, if that is known."""

    def read(self, key: Key) -> Part:
        """Read a part."""

    def write(self, key: Key, part: Part) -> None:
        """Store a part."""

    def remove(self, key: Key) -> None:
        """Remove a part."""

    def refusal(self, description: dict[str, Any]) -> str:
        """Say why what is so described cannot be carried here, unless what is here is overwritten."""

    def begin(self, description: dict[str, Any]) -> None:
        """Get ready for parts."""

    def end(self, content: ContentDigest) -> None:
        """Finish, and look whether everything is there."""

    def unfinished(self) -> str:
        """Say what was left where a transfer failed."""


@dataclass(frozen=True)
class TransferResult:
    """What a transfer did, or with ``dry_run=True`` would do.

    Attributes
    ----------
    source, target : str
        The two sides.
    content : ContentDigest or None
        Counts and digests of what both sides hold now; None of a dry run.
    written : list
        z of the layers, or ids of the groups, that were written.
    kept : list
        Those that were there already, equal.
    removed : list
        Those that only the target had.
    dry_run : bool
        Whether nothing was done.
    """

    source: str
    target: str
    content: ContentDigest | None
    written: list[Key]
    kept: list[Key]
    removed: list[Key]
    dry_run: bool = False


@dataclass
class Transfer:
    """A transfer under way.

    Parameters
    ----------
    source, target : Place
        From where and to where.
    overwrite : bool
        Replace and remove what the target holds of its own.
    poolsize : int
        Parts that are carried at the same time.
    executor : concurrent.futures.Executor, optional
        What carries them. Default: threads.
    progress : optional
        As for `renderapi._parallel.progress_reporter`.
    """

    source: Place
    target: Place
    overwrite: bool = False
    poolsize: int = 2
    executor: Executor | None = None
    progress: Any = None

    def run(self, dry_run: bool = False) -> TransferResult:
        """Carry everything that is not there yet.

        Raises
        ------
        ConflictError
            If the target holds something of its own; nothing was changed.
        TransferError
            If the target does not hold what was carried to it.
        """
        if self.source.where == self.target.where:
            raise BadRequestError(f"{self.source} cannot be carried to itself")
        description = self.source.description()
        keys = self.source.parts()
        there = set(self.target.parts())
        known = set(keys)
        foreign = sorted(there - known)
        self._must_agree(self.target.refusal(description), foreign)
        noun, unit = _UNITS[self.source.kind]
        done: dict[Key, PartDigest] = {}
        with progress_reporter(self.progress, description["count"], str(self.source), unit) as advance:
            other: list[Key] = []
            for key, digest, state in self._each(
                partial(_compare, self.source, self.target),
                [(key, self.source.expected(key)) for key in keys if key in there],
            ):
                if state == "same":
                    done[key] = digest
                    advance(digest.count)
                elif state == "other":
                    other.append(key)
            self._must_agree("", other)
            kept = list(done)
            waiting = [key for key in keys if key not in done]
            names = str(self.source), str(self.target)
            if dry_run:
                return TransferResult(*names, None, waiting, kept, foreign, dry_run=True)

            def so_far() -> str:
                return (
                    f"{len(done)} of {len(keys)} {noun}s are in {self.target}. {self.target.unfinished()}. The "
                    "same call goes on from there"
                )

            try:
                with interrupt_says(so_far):
                    self.target.begin(description)
                    for key in foreign:
                        self.target.remove(key)
                    differs = set(other)
                    work = [(key, self.source.expected(key), key in differs) for key in waiting]
                    for key, digest in self._each(partial(_carry, self.source, self.target), work):
                        done[key] = digest
                        advance(digest.count)
                    content = ContentDigest.of(done)
                    self._must_be_whole(description, content)
                    self.target.end(content)
            except (RenderError, requests.RequestException) as error:
                raise with_note(error, so_far()) from alone(error)
        return TransferResult(*names, content, waiting, kept, foreign)

    def _each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result, None, None]:
        if self.executor is not None:
            return in_executor(self.executor, work, items, 2 * self.poolsize)
        return in_threads(work, items, self.poolsize)

    def _must_agree(self, refusal: str, keys: list[Key]) -> None:
        """Raise `ConflictError` where the target has something of its own that is not to be overwritten."""
        if self.overwrite or not (refusal or keys):
            return
        noun, _ = _UNITS[self.source.kind]
        if keys:
            shown = ", ".join(map(str, keys[:_SHOWN])) + (" ..." if len(keys) > _SHOWN else "")
            also = f"{noun}{'s' * (len(keys) > 1)} {shown} of it hold{'s' * (len(keys) == 1)} what "
            refusal = also + f"{self.source} does not have"
        raise ConflictError(
            f"{self.target} is there, and is something else: {refusal}. Nothing was changed. Take another name, "
            "or overwrite=True to have it as the source is"
        )

    def _must_be_whole(self, description: dict[str, Any], content: ContentDigest) -> None:
        known = set(content.parts)
        if set(self.source.parts()) != known or description["count"] not in (None, content.count):
            raise TransferError(
                f"{self.source} was said to hold {description['count']}, but {content.count} are in its parts: it "
                "was changed meanwhile, or has tiles without z, which no layer holds"
            )
        if set(self.target.parts()) != known:
            raise TransferError(
                f"{self.target} was changed meanwhile: its parts are not those of {self.source}"
            )


def move(
    transfer: Transfer, rename: Callable[[], object] | None, delete: Callable[[int], object], dry_run: bool
) -> TransferResult:
    """Move what a transfer would copy; the same call finishes a move that was interrupted.

    Parameters
    ----------
    transfer : Transfer
        From where and to where.
    rename : callable, optional
        Gives the source the name of the target, where both are on one server and nothing is there.
    delete : callable
        Deletes the source, if it still holds as many documents as it is called with. It is called when the target
        holds all of them.
    dry_run : bool
        Only tell what would be done.

    Returns
    -------
    TransferResult
        Without content, where the source was renamed.
    """
    source, target = transfer.source, transfer.target
    if rename is not None and source.where != target.where:
        source.description()  # which must be there
        if not dry_run:
            rename()
        return TransferResult(str(source), str(target), None, [], [], [], dry_run)
    result = transfer.run(dry_run)
    if result.content is not None:
        delete(result.content.count)
    return result


def digests(place: Place, poolsize: int, executor: Executor | None, progress: Any) -> ContentDigest:
    """Count and digest everything at a place."""
    count = place.description()["count"]
    job = Transfer(place, place, poolsize=poolsize, executor=executor)
    found: dict[Key, PartDigest] = {}
    with progress_reporter(progress, count, str(place), _UNITS[place.kind][1]) as advance:
        items = [(key, place.expected(key)) for key in place.parts()]
        for key, digest in job._each(partial(_digest, place), items):
            found[key] = digest
            advance(digest.count)
    return ContentDigest.of(found)


# at module level, because processes unpickle them


def _digest(place: Place, item: tuple[Key, PartDigest | None]) -> tuple[Key, PartDigest]:
    key, expected = item
    return key, _read(place, key, expected)[1]


def _read(
    place: Place, key: Key, expected: PartDigest | None, condense: Condense | None = None
) -> tuple[Part, PartDigest]:
    part = place.read(key)
    digest = part.digest(condense)
    if expected not in (None, digest):
        raise TransferError(
            f"{_UNITS[place.kind][0]} {key} of {place} is not what was written there: export it again, with "
            "overwrite=True"
        )
    return part, digest


def _compare(
    source: Place, target: Place, item: tuple[Key, PartDigest | None]
) -> tuple[Key, PartDigest, str]:
    key, expected = item
    part, digest = _read(source, key, expected)
    try:
        there = target.read(key)
    except TransferError:
        return key, digest, "other"  # a damaged file
    if there.same_as(part, digest):
        return key, digest, "same"
    return key, digest, "less" if there.within(part) else "other"


def _carry(source: Place, target: Place, item: tuple[Key, PartDigest | None, bool]) -> tuple[Key, PartDigest]:
    key, expected, differs = item
    part, digest = _read(source, key, expected, target.condense)
    if differs:
        target.remove(key)
    target.write(key, part)
    part.condensed = None
    if not target.read(key).same_as(part, digest):
        raise TransferError(
            f"{_UNITS[source.kind][0]} {key} of {target} is not what was carried to it from {source}: that side "
            "changes documents when it stores them, or somebody else writes there"
        )
    return key, digest
