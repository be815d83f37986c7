"""Uploading many match documents: in batches, by several threads or an executor, going on where one ended."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from renderapi import _json
from renderapi._batches import failed, is_fatal
from renderapi._parallel import in_executor, in_threads, interrupt_says, progress_reporter, with_note
from renderapi._project import Project
from renderapi.errors import NotFoundError, SpecError
from renderapi.http import transport
from renderapi.pointmatch._documents import is_per_dimension, pair_name
from renderapi.pointmatch._tools import order_matchpair
from renderapi.render import renderaccess

if TYPE_CHECKING:
    import requests

    from renderapi.render import Render

__all__ = ["UploadResult", "upload", "upload_matches"]

Canvas = tuple[str, str]
Pair = tuple[Canvas, Canvas]

BATCH_PAIRS = 2000
BATCH_BYTES = 16 * 2**20
#: Groups whose pairs are remembered for ``skip_existing``.
_GROUPS = 64


class UploadResult(NamedTuple):
    """What became of an upload.

    Attributes
    ----------
    stored : int
        Pairs that were stored.
    skipped : int
        Pairs that were left out, because the collection has them.
    """

    stored: int
    skipped: int


@renderaccess
def upload_matches(
    matchCollection: str,
    data: Iterable[Mapping[str, Any]],
    owner: str | None = None,
    host: str | None = None,
    port: int | None = None,
    session: requests.Session | None = None,
    render: Render | None = None,
    *,
    skip_existing: bool = False,
    batch_size: int = BATCH_PAIRS,
    batch_bytes: int = BATCH_BYTES,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> UploadResult:
    """Store any number of matches, in batches of limited count and bytes.

    A pair that is there already is replaced, so that the same call may be made again after a failure;
    with `skip_existing` it sends only what is missing.

    Parameters
    ----------
    matchCollection : str
        Collection; made if it is not there.
    data : iterable of dict
        Match documents. A list is checked before anything is sent; what comes from an iterator is read, checked and
        sent batch by batch. Of a pair that occurs twice the later document counts.
    owner, host, port, session, render
        Connection.
    skip_existing : bool
        Leave out pairs that the collection has, whatever their points. They are asked for group by group, without
        points: give documents group by group.
    batch_size : int
        Most pairs of a request. Default 2000.
    batch_bytes : int
        Most bytes of a request, unless one pair is larger. Default 16 MiB.
    poolsize : int
        Batches on their way at a time, each by a thread. Default 2.
    executor : concurrent.futures.Executor, optional
        What sends them instead, also that of processes or of a Dask cluster; it stays open.
    progress : optional
        True for a bar (extra ``progress``), or a function that is called with the number of pairs done and their
        total (None if it is not known).

    Returns
    -------
    UploadResult

    Raises
    ------
    SpecError
        If a document is wrong, as for `import_matches`, or gives its points one by one. Of a list nothing was sent;
        of an iterator the message says how many pairs before it were stored.
    ImportFailedError
        If batches were not stored. ``failures`` has their pairs and reasons.
    requests.RequestException
        If the server cannot be reached, with the same attributes.
    """
    if isinstance(data, (Mapping, str, bytes)) or not isinstance(data, Iterable):
        raise SpecError(f"matches must be a list of match documents, not a {type(data).__name__}")
    total = len(data) if isinstance(data, Sequence) else None
    if total is not None:
        for index, document in enumerate(data):
            _check(index, document)
    return upload(
        Project(host, port, owner, None, session, render),
        matchCollection,
        data,
        total=total,
        checked=total is not None,
        skip_existing=skip_existing,
        batch_size=batch_size,
        batch_bytes=batch_bytes,
        poolsize=poolsize,
        executor=executor,
        progress=progress,
    )


def _check(index: int, document: Mapping[str, Any]) -> None:
    if not is_per_dimension(index, document):
        raise SpecError(
            f"the points of {pair_name(index, document)} are given one by one, [[x, y], ...]; they must be "
            f"[[x, ...], [y, ...]]"
        )


def upload(
    project: Project,
    collection: str,
    documents: Iterable[Mapping[str, Any]],
    *,
    total: int | None = None,
    checked: bool = False,
    skip_existing: bool = False,
    batch_size: int = BATCH_PAIRS,
    batch_bytes: int = BATCH_BYTES,
    poolsize: int = 2,
    executor: Executor | None = None,
    progress: Any = None,
) -> UploadResult:
    """Do what `upload_matches` does; documents may have been checked."""
    for name, value in (("batch_size", batch_size), ("batch_bytes", batch_bytes), ("poolsize", poolsize)):
        if type(value) is not int or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a count of at least 1")
    job = _Upload(project.portable(), collection, checked, skip_existing, batch_size, batch_bytes)
    with (
        progress_reporter(progress, total, "importing matches", " pairs") as advance,
        interrupt_says(job.so_far),
    ):
        job.run(iter(documents), poolsize, executor, advance)
    return job.result()


@dataclass
class _Batch:
    pairs: list[Pair]
    content: bytes


@dataclass
class _Upload:
    """An upload under way."""

    project: Project
    collection: str
    checked: bool
    skips: bool
    size: int
    bytes: int
    stored: int = 0
    skipped: int = 0
    all_read: bool = True
    failures: list[tuple[list[Pair], Exception]] = field(default_factory=list)
    lost: list[list[Pair]] = field(default_factory=list)
    under_way: deque[list[Pair]] = field(default_factory=deque)
    there: OrderedDict[str, set[Pair]] = field(default_factory=OrderedDict)
    wrong: Exception | None = None

    def run(self, documents: Iterator[Mapping[str, Any]], poolsize: int, executor: Any, advance: Any) -> None:
        send = partial(_send, self.project, self.collection)
        batches = self.batches(documents, advance)
        held = next(batches, None)

        def until_a_pair_comes_again() -> Iterator[_Batch]:
            nonlocal held
            while held is not None and not self.is_hopeless():
                if not all(set(held.pairs).isdisjoint(pairs) for pairs in self.under_way):
                    return  # the later document counts: it is sent when the earlier one is stored
                batch = held
                self.under_way.append(batch.pairs)
                yield batch
                held = next(batches, None)

        while held is not None and not self.is_hopeless():
            run = until_a_pair_comes_again()
            outcomes = (
                in_threads(send, run, poolsize)
                if executor is None
                else in_executor(executor, send, run, 2 * poolsize)
            )
            try:
                for error in outcomes:
                    self.count(self.under_way.popleft(), error, advance)
            except Exception as error:  # of the executor, or of reading
                raise with_note(error, f"({self.so_far()})") from None
        self.all_read = held is None
        if self.wrong is not None and not self.failures:
            raise with_note(self.wrong, f"({self.stored} pairs before it were stored)") from None

    def batches(self, documents: Iterator[Mapping[str, Any]], advance: Any) -> Iterator[_Batch]:
        """Check, order and encode documents; what is wrong with one is kept until what is under way has ended."""
        members: dict[Pair, bytes] = {}
        length = 0
        try:
            for index, document in enumerate(documents):
                if not self.checked:
                    _check(index, document)
                ordered = order_matchpair(document)
                pair = _pair(ordered)
                if self.skips and pair in self.existing(pair[0][0]):
                    self.skipped += 1
                    advance(1)
                    continue
                content = _json.dumps(ordered)
                if members and (len(members) >= self.size or length + len(content) > self.bytes):
                    yield _Batch(list(members), b"[%b]" % b",".join(members.values()))
                    members, length = {}, 0
                members[pair] = content
                length += len(content)
        except SpecError as error:
            self.wrong = error
        if members:
            yield _Batch(list(members), b"[%b]" % b",".join(members.values()))

    def existing(self, group: str) -> set[Pair]:
        """Return the pairs that the collection had of a group of p."""
        if group not in self.there:
            url = self.project.owner_url("matchCollection", self.collection, "pGroup", group, "matches")
            try:
                answer = transport.send(
                    self.project.thread_session(), "GET", url, params={"excludeMatchDetails": "true"}
                )
                found = {_pair(document) for document in transport.decode_json(answer)}
            except NotFoundError:
                found = set()
            self.there[group] = found
            if len(self.there) > _GROUPS:
                self.there.popitem(last=False)
        self.there.move_to_end(group)
        return self.there[group]

    def count(self, pairs: list[Pair], error: Exception | None, advance: Any) -> None:
        if error is None:
            self.stored += len(pairs)
            advance(len(pairs))
            return
        self.failures.append((pairs, error))
        if transport.outcome_is_unknown(error):
            self.lost.append(pairs)

    def is_hopeless(self) -> bool:
        return any(is_fatal(error) for _, error in self.failures)

    def so_far(self) -> str:
        said = (
            f"the import into match collection {self.collection} was interrupted after {self.stored} pairs "
            f"were stored"
        )
        unknown = sum(map(len, self.under_way))
        if unknown:
            said += f"; {unknown} more were on their way: whether they are stored is unknown"
        return said

    def result(self) -> UploadResult:
        if self.failures:
            raise failed(
                self.failures,
                self.lost,
                self.stored,
                self.all_read,
                "pairs",
                f"match collection {self.collection}",
            ) from transport.alone(self.failures[0][1])
        return UploadResult(self.stored, self.skipped)


def _pair(document: Mapping[str, Any]) -> Pair:
    return (
        (str(document["pGroupId"]), str(document["pId"])),
        (str(document["qGroupId"]), str(document["qId"])),
    )


def _send(project: Project, collection: str, batch: _Batch) -> Exception | None:
    """Send one batch, and give what went wrong; at module level, because processes unpickle it."""
    try:
        url = project.owner_url("matchCollection", collection, "matches")
        transport.confirmed(transport.send(project.thread_session(), "PUT", url, document=batch.content))
    except Exception as error:
        return error
    return None
