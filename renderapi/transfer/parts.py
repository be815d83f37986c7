"""What is carried: the documents of a layer or group as the bytes that they came as, and their digests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from renderapi import _json

try:
    from renderapi.transfer import usual as _usual
except ImportError:  # msgspec is not installed
    _usual = None  # type: ignore[assignment]

#: z of a layer, or id of the group of p.
Key = float | str

#: What gathers what is written of documents: it is called with their bytes and the same decoded, again and again; all
#: of a call are dicts, or all usual tiles.
Condense = Callable[[Sequence[bytes], Sequence[Any]], None]

_DIGEST_BYTES = 16
#: Documents that are decoded at a time: few enough to stay in the cache of a processor until they were written again.
_AT_ONCE = 100


@dataclass(frozen=True)
class PartDigest:
    """Count and digest of a layer of a stack, or of the matches of a group.

    Attributes
    ----------
    count : int
        Number of tiles, or of pairs.
    digest : str
        32 hexadecimal digits. Equal documents have equal digests, in whatever order and however they are spelt.
    """

    count: int
    digest: str


@dataclass(frozen=True)
class ContentDigest:
    """Count and digest of all of a stack or match collection, and of each of its parts.

    Attributes
    ----------
    count : int
        Number of tiles, or of pairs.
    digest : str
        32 hexadecimal digits.
    parts : dict
        `PartDigest` of each layer by z, or of each group by the id of p.
    """

    count: int
    digest: str
    parts: dict[Key, PartDigest]

    @classmethod
    def of(cls, parts: Mapping[Key, PartDigest]) -> ContentDigest:
        """Put the digests of parts together.

        Parameters
        ----------
        parts : dict of float or str to PartDigest
            Those of the layers by z, or of the groups by id.

        Returns
        -------
        ContentDigest
        """
        ordered = dict(sorted(parts.items()))
        listed = [[key, part.count, part.digest] for key, part in ordered.items()]
        digest = blake2b(_json.canonical(listed), digest_size=_DIGEST_BYTES).hexdigest()
        return cls(sum(part.count for part in parts.values()), digest, ordered)


def _canonical(document: bytes) -> bytes:
    return _json.canonical(_json.loads(document))


@dataclass
class Part:
    """A layer of a stack with the shared transforms that it refers to, or the pairs of a group.

    Attributes
    ----------
    documents : dict
        JSON of each tile by tile id, or of each pair by its ids.
    shared : dict
        JSON of each shared transform by id.
    """

    documents: dict[str, bytes]
    shared: dict[str, bytes] = field(default_factory=dict)
    #: what gathered the documents while they were decoded
    condensed: Condense | None = field(default=None, compare=False, repr=False)

    def digest(self, condense: Condense | None = None) -> PartDigest:
        """Return count and digest.

        That is BLAKE2b, of 128 bits, of the canonical JSON of two lists in a list: the documents in the order of their
        keys, and the shared transforms in that of theirs.

        Parameters
        ----------
        condense : callable, optional
            Gathers the documents in the order of their keys, and is kept as `condensed`.

        Returns
        -------
        PartDigest
        """
        digest = blake2b(b"[", digest_size=_DIGEST_BYTES)
        try_usual = _usual is not None
        with _json.collector_paused():
            for begin, documents, take in ((b"[", self.documents, condense), (b",[", self.shared, None)):
                digest.update(begin)
                for number, some in enumerate(portions(_in_order(documents))):
                    read = _usual.usual_tiles(some) if try_usual else None
                    decoded: list[Any]
                    if read is None:
                        try_usual = False  # the next ones will not be, either
                        decoded = list(map(_json.loads, some))
                        content = _json.canonical_list(decoded)
                    else:
                        decoded, content = read
                    if number:
                        digest.update(b",")
                    digest.update(memoryview(content)[1:-1])
                    if take is not None:
                        take(some, decoded)
                digest.update(b"]")
        digest.update(b"]")
        self.condensed = condense
        return PartDigest(len(self.documents), digest.hexdigest())

    def same_as(self, other: Part, digest: PartDigest) -> bool:
        """Tell whether this is the same as another part, whose digest is known."""
        # the same bytes are the same without a look at the digests
        return (self.documents == other.documents and self.shared == other.shared) or self.digest() == digest

    def within(self, other: Part) -> bool:
        """Tell whether there is nothing here that another part does not have."""
        pairs = ((self.documents, other.documents), (self.shared, other.shared))
        return all(
            key in theirs and (document == theirs[key] or _canonical(document) == _canonical(theirs[key]))
            for ours, theirs in pairs
            for key, document in ours.items()
        )

    def batches(self, count: int, size: int) -> Iterable[dict[str, bytes]]:
        """Cut the documents into batches of limited number and bytes."""
        batch: dict[str, bytes] = {}
        length = 0
        for key, document in self.documents.items():
            if batch and (len(batch) >= count or length + len(document) > size):
                yield batch
                batch, length = {}, 0
            batch[key] = document
            length += len(document)
        if batch:
            yield batch


def _in_order(documents: Mapping[str, bytes]) -> list[bytes]:
    return [documents[key] for key in sorted(documents)]


def portions(documents: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut documents into portions that are best decoded at a time."""
    for start in range(0, len(documents), _AT_ONCE):
        yield documents[start : start + _AT_ONCE]
