"""Importing tile specs without Java: boxes derived in numpy, batches sent over REST by threads.

This is what ``ImportJsonClient`` of render-ws-java-client does (derive every bounding box, send one
ResolvedTileSpecCollection), cut into batches by count and bytes.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from renderapi import _json
from renderapi._batches import failed, is_fatal
from renderapi._doubts import Doubts
from renderapi._parallel import DaemonExecutor, checks_reporter, interrupt_says, progress_reporter
from renderapi._project import Project
from renderapi._slips import check_tile_list, check_transform_list, warn_caller
from renderapi.client.documents import Document
from renderapi.errors import (
    SpecError,
    StackStateError,
)
from renderapi.geometry import bounding_boxes
from renderapi.http import transport
from renderapi.render import stack_url
from renderapi.resolvedtiles import check_finite, check_tiles, id_text
from renderapi.stack import get_full_stack_metadata, set_stack_state
from renderapi.transform.trees import referenced

if TYPE_CHECKING:
    from renderapi.tilespec import TileSpec

logger = logging.getLogger("renderapi.client")

#: A batch is sent when it holds this many tile specs ...
BATCH_TILES = 2000
#: ... or when its JSON would exceed about this many bytes.
BATCH_BYTES = 16 * 2**20
_ENCODED_AT_ONCE = 500
#: Seconds that batches on their way are given after a Ctrl-C, so that what is said of them is exact.
_LAST_WORDS = 0.5
#: More threads than this gain nothing: encoding is bound to one core, and a server has one writer.
MAX_THREADS = 8


@dataclass
class Batch:
    """Some tiles of an import, encoded."""

    tile_ids: list[str]
    content: bytes


@dataclass
class _Piece:
    """Part of a batch: the members of its ``tileIdToSpecMap``, and the shared transforms they need."""

    tile_ids: list[str]
    content: bytes
    shared: dict[str, Document]


def batch_of(ids: list[str], pieces: list[bytes], shared: dict[str, Document]) -> Batch:
    """Make a batch of members of a ``tileIdToSpecMap`` and the shared transforms that they need."""
    transforms = _json.dumps(shared)
    content = b'{"transformIdToSpecMap":%b,"tileIdToSpecMap":{%b}}' % (transforms, b",".join(pieces))
    return Batch(ids, content)


@dataclass
class Import:
    """An import under way: what it needs to know of all batches.

    Parameters
    ----------
    stack : str
        Stack, LOADING.
    connection : Project
        Where it goes.
    shared : dict
        Shared transform documents by id.
    derive : {"client", "server", "none"}
        Who derives the bounding boxes; with ``none`` the tiles bring theirs.
    executor : concurrent.futures.Executor, optional
        What sends the batches; it is left open. Default: threads of the import.
    doubts : Doubts, optional
        Those of a larger import, which tells of them. Default: its own, told of before the first batch of a
        list, and after the last one of a stream.
    """

    stack: str
    connection: Project
    shared: dict[str, Document] = field(default_factory=dict)
    derive: str = "client"
    executor: Executor | None = None
    doubts: Doubts | None = None
    stored: int = 0
    unknown: int = 0
    all_read: bool = True
    failures: list[tuple[list[str], Exception]] = field(default_factory=list)
    #: of the batches in `failures` those whose answer was lost
    lost: list[list[str]] = field(default_factory=list)
    unsent_shared: dict[str, Document] = field(init=False)

    def __post_init__(self) -> None:
        """Shared transforms that no tile refers to go with the first batch: Java stores them too."""
        self.unsent_shared = dict(self.shared)
        self._tells = self.doubts is None
        self._doubts = self.doubts or Doubts()
        self._doubts.look_at_shared(self.shared)

    def look(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Note what is doubtful about tiles that come as bytes."""
        self._doubts.look(documents)

    def tell_doubts(self) -> None:
        """Warn of doubtful tiles, unless a larger import does."""
        if self._tells:
            self._doubts.warn()

    def batches(self, tiles: Iterable[TileSpec | Mapping[str, Any]], size: int) -> Iterator[Batch]:
        """Check tiles, give them boxes, and encode them in batches of limited count and bytes.

        Raises
        ------
        SpecError
            If a tile has no id or size, a transform that cannot be evaluated, a reference to nowhere or a
            number that is not finite.
        """
        ids: list[str] = []
        pieces: list[bytes] = []
        used: dict[str, Document] = {}
        length = 0
        # few at a time: thousands of documents that live long are work for the garbage collector
        for group in grouped(tiles, min(size, _ENCODED_AT_ONCE)):
            for piece in self._pieces(self._documents(group)):
                if ids and (
                    len(ids) + len(piece.tile_ids) > size or length + len(piece.content) > BATCH_BYTES
                ):
                    yield batch_of(ids, pieces, used)
                    ids, pieces, used, length = [], [], {}, 0
                ids += piece.tile_ids
                pieces.append(piece.content)
                length += len(piece.content)
                used.update(piece.shared)
        if ids:
            yield batch_of(ids, pieces, used)

    def _documents(self, tiles: Iterable[TileSpec | Mapping[str, Any]]) -> list[Document]:
        documents = as_documents(tiles, bounds=self.derive == "none")
        check_tiles(documents, self.shared)
        self._doubts.look(documents)
        if self.derive == "client":
            boxes = bounding_boxes(documents, self.shared)
            for document, (min_x, min_y, max_x, max_y) in zip(documents, boxes.tolist()):
                document["minX"], document["minY"] = min_x, min_y
                document["maxX"], document["maxY"] = max_x, max_y
        return documents

    def _pieces(self, documents: list[Document]) -> Iterator[_Piece]:
        content = _json.dumps({document["tileId"]: document for document in documents})[1:-1]
        if len(content) > BATCH_BYTES and len(documents) > 1:
            half = len(documents) // 2
            yield from self._pieces(documents[:half])
            yield from self._pieces(documents[half:])
            return
        used: dict[str, Document] = {}
        if self.shared:
            needed = referenced((document.get("transforms") for document in documents), self.shared)
            used = {key: self.shared[key] for key in sorted(needed)}
            used.update(self.unsent_shared)
            self.unsent_shared = {}
        yield _Piece([document["tileId"] for document in documents], content, used)

    def sender(self) -> Callable[[Batch], Exception | None]:
        """Return the function that sends one batch; it pickles wherever the connection does."""
        return partial(_send, self.connection.portable(), self.stack, self.derive)

    def so_far(self) -> str:
        """Say what was stored, for an import that is interrupted."""
        said = (
            f"the import into stack {self.stack} was interrupted after {self.stored} tile specs were stored"
        )
        if self.unknown:
            said += f"; {self.unknown} more were on their way: whether they are stored is unknown"
        elif not self.stored:
            said += ": nothing was sent"
        return said

    def finish(self) -> None:
        """Raise what went wrong, if anything did."""
        if not self.failures:
            return
        raise failed(
            self.failures, self.lost, self.stored, self.all_read, "tile specs", f"stack {self.stack}"
        ) from transport.alone(self.failures[0][1])


def make_loading(stack: str, connection: Project) -> None:
    """Set a stack LOADING unless it is, as every Java import does.

    Raises
    ------
    NotFoundError
        If there is no such stack.
    StackStateError
        If it is read-only.
    """
    state = get_full_stack_metadata(stack, **connection.keywords()).get("state")
    if state == "READ_ONLY":
        raise StackStateError(
            f"stack {stack} is READ_ONLY: nothing was imported. To change it, set it COMPLETE, then LOADING"
        )
    if state != "LOADING":
        set_stack_state(stack, "LOADING", **connection.keywords())


def as_documents(tiles: Iterable[TileSpec | Mapping[str, Any]], bounds: bool = False) -> list[Document]:
    """Return the documents of tiles, which may be changed; their ids are text."""
    documents = [
        dict(tile) if isinstance(tile, Mapping) else (tile.to_dict(bounds=True) if bounds else tile.to_dict())
        for tile in tiles
    ]
    for document in documents:
        if type(tile_id := document.get("tileId")) is not str:
            document["tileId"] = id_text(tile_id)
    return documents


def shared_documents(transforms: Iterable[Any] | None) -> dict[str, Document]:
    """Return shared transforms as documents by id; of two with one id the later counts, as in Java.

    Raises
    ------
    SpecError
        If one has no id.
    """
    result: dict[str, Document] = {}
    if transforms is not None:
        check_transform_list(transforms, "sharedTransforms")
    for index, transform in enumerate(transforms or ()):
        document = dict(transform) if isinstance(transform, Mapping) else transform.to_dict()
        transform_id = document.get("id") or getattr(transform, "transformId", None)
        if not transform_id:
            raise SpecError(f"shared transform {index} has no id, so that no tile can refer to it")
        check_finite(document, f"the shared transform {transform_id!r}")
        result[transform_id] = {**document, "id": transform_id}
    return result


def import_all(
    job: Import, tiles: Sequence[TileSpec | Mapping[str, Any]], batch: int, threads: int, progress: Any
) -> None:
    """Import tiles that are all at hand: everything is checked and encoded before anything is sent.

    Raises
    ------
    SpecError
        If a tile is bad; nothing was sent.
    ImportFailedError
        If batches failed.
    """
    with interrupt_says(job.so_far):
        tiles = _without_duplicates(tiles)
        batches = []
        with checks_reporter(progress, len(tiles), "checking tile specs") as advance:
            for one in job.batches(tiles, batch):
                batches.append(one)
                advance(len(one.tile_ids))
        job.tell_doubts()
    send_all(job, batches, threads, progress, len(tiles))


def import_stream(
    job: Import,
    tiles: Iterable[TileSpec | Mapping[str, Any]],
    batch: int,
    threads: int,
    progress: Any,
    total: int | None = None,
) -> None:
    """Import tiles that come one after the other, holding a few batches at a time.

    A bad tile stops the import; the batches before it are stored, and the error says how many tiles that is.
    """

    def batches() -> Iterator[Batch | None]:
        # only what may still be on its way matters
        seen: deque[set[int]] = deque(maxlen=2 * MAX_THREADS + 2)
        drawn = 0
        for group in grouped(tiles, batch):
            try:
                check_tile_list(group, first=drawn)
            except SpecError as error:
                yield None
                raise SpecError(f"{error} ({job.stored} tile specs before it were stored)") from None
            drawn += len(group)
            group = list(_without_duplicates(group))
            hashes = {hash(_tile_id(tile)) for tile in group}
            if not all(hashes.isdisjoint(before) for before in seen):
                yield None  # a tile was sent before: the later one counts, so wait until that one is stored
            seen.append(hashes)
            try:
                yield from job.batches(group, batch)
            except SpecError as error:
                yield None
                raise SpecError(f"{error} ({job.stored} tile specs before it were stored)") from None

    send_all(job, batches(), threads, progress, total)


def grouped(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Cut items into lists of at most `size`."""
    group: list[Any] = []
    for item in items:
        group.append(item)
        if len(group) >= size:
            yield group
            group = []
    if group:
        yield group


def _without_duplicates(tiles: Sequence[Any]) -> Sequence[Any]:
    """Leave out tiles that a later one with the same id replaces, with a warning where they differ."""
    ids = [_tile_id(tile) for tile in tiles]
    try:
        if len(set(ids)) == len(ids):
            return tiles
    except TypeError:
        return tiles  # an id that is none: the checks name it
    last: dict[Any, Any] = {}
    different = []
    for tile_id, tile in zip(ids, tiles):
        if tile_id in last and as_documents([last[tile_id], tile])[0] != as_documents([tile])[0]:
            different.append(str(tile_id))
        last[tile_id] = tile
    if different:
        shown = ", ".join(different[:5]) + (f" and {len(different) - 5} more" if len(different) > 5 else "")
        warn_caller(f"different tile specs have the same tileId, the later one counts: {shown}")
    return list(last.values())


def _tile_id(tile: Any) -> Any:
    return id_text(tile.get("tileId") if isinstance(tile, Mapping) else tile.tileId)


def send_all(
    job: Import, batches: Iterable[Batch | None], threads: int, progress: Any, total: int | None
) -> None:
    """Send batches from several threads, with at most two for each waiting; None waits for all before it."""
    workers = max(1, min(threads, MAX_THREADS))
    alone = workers == 1 or (isinstance(batches, list) and len(batches) == 1)
    with progress_reporter(progress, total, "importing tile specs") as advance, interrupt_says(job.so_far):
        if alone and job.executor is None:
            _send_from_here(job, batches, advance)
        else:
            _send_from_executor(job, batches, workers, advance)
    job.tell_doubts()
    job.finish()


def _send_from_here(job: Import, batches: Iterable[Batch | None], advance: Callable[[int], None]) -> None:
    send = job.sender()
    for batch in batches:
        if batch is None:
            continue
        if _is_hopeless(job):
            _not_sent(job, batch)
        else:
            job.unknown = len(batch.tile_ids)
            error = send(batch)
            job.unknown = 0
            _count(job, batch, error, advance)
        if _is_hopeless(job) and not isinstance(batches, list):
            job.all_read = False
            return


def _not_sent(job: Import, batch: Batch) -> None:
    """Note a batch that was not even sent, because it would fail as the others did."""
    job.failures.append((batch.tile_ids, job.failures[0][1]))


def _send_from_executor(
    job: Import, batches: Iterable[Batch | None], workers: int, advance: Callable[[int], None]
) -> None:
    waiting: dict[Future[Exception | None], Batch] = {}
    send = job.sender()

    def collect(until: int) -> None:
        while len(waiting) > until:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                _count(job, waiting.pop(future), _outcome(future), advance)

    with ExitStack() as own:
        executor = job.executor
        if executor is None:
            executor = DaemonExecutor(workers)
            own.callback(executor.shutdown)
        try:
            for batch in batches:
                if batch is None:
                    collect(until=0)
                    continue
                collect(until=2 * workers - 1)
                if _is_hopeless(job):
                    _not_sent(job, batch)
                    if isinstance(batches, list):
                        continue
                    job.all_read = False
                    break
                waiting[executor.submit(send, batch)] = batch
            collect(until=0)
        except BaseException as error:
            # Ctrl-C, or a bad tile in a stream: what is not on its way yet stays here
            for future in list(waiting):
                if future.cancel():
                    del waiting[future]
            if isinstance(error, KeyboardInterrupt):
                # nobody waits long for a server that may never answer
                wait(waiting, timeout=_LAST_WORDS)
                for future in [future for future in waiting if future.done()]:
                    _count(job, waiting.pop(future), _outcome(future), advance)
                job.unknown = sum(len(batch.tile_ids) for batch in waiting.values())
            else:
                collect(until=0)
            raise


def _send(connection: Project, stack: str, derive: str, batch: Batch) -> Exception | None:
    """Send one batch, and give what went wrong; at module level, because processes unpickle it."""
    try:
        answer = transport.send(
            connection.thread_session(),
            "PUT",
            stack_url(
                connection.host, connection.port, connection.owner, connection.project, stack, "resolvedTiles"
            ),
            params={"deriveData": "true" if derive == "server" else "false"},
            document=batch.content,
        )
        transport.confirmed(answer)
    except Exception as error:
        return error
    return None


def _outcome(future: Future[Exception | None]) -> Exception | None:
    """Return what went wrong with a batch, also where the executor could not run it."""
    try:
        return future.result()
    except Exception as error:
        return error


def _count(job: Import, batch: Batch, error: Exception | None, advance: Callable[[int], None]) -> None:
    if error is None:
        job.stored += len(batch.tile_ids)
        advance(len(batch.tile_ids))
    else:
        lost = transport.outcome_is_unknown(error)
        outcome = "may not be stored" if lost else "was not stored"
        logger.error("a batch of %d tile specs %s: %s", len(batch.tile_ids), outcome, error)
        job.failures.append((batch.tile_ids, error))
        if lost:
            job.lost.append(batch.tile_ids)


def _is_hopeless(job: Import) -> bool:
    """Tell whether a failure means that every other batch would fail as well."""
    return any(is_fatal(error) for _, error in job.failures)


def default_threads(poolsize: int | None) -> int:
    """Return the number of threads that send, for the pool size that a caller asks for."""
    cores = os.cpu_count() or 1
    return max(1, min(poolsize or cores, 2 * cores, MAX_THREADS))
