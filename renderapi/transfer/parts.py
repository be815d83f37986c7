"""What is carried: the documents of a layer or group as the bytes that they came as, and their digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from renderapi import _json

#: z of a layer, or id of the group of p.
Key = float | str

_DIGEST_BYTES = 16
#: Decoded documents are several times as large.
_KEPT = 20_000


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
        """Put the digests of parts together."""
        total = sum(int(part.digest, 16) for part in parts.values())
        return cls(sum(part.count for part in parts.values()), _hex(total), dict(sorted(parts.items())))


def document_digest(document: bytes) -> int:
    """Return the digest of a document: BLAKE2b of its canonical JSON, of 128 bits, as a number."""
    return _digest_of(_json.loads(document))


def _digest_of(decoded: Any) -> int:
    canonical = _json.canonical(decoded)
    return int.from_bytes(blake2b(canonical, digest_size=_DIGEST_BYTES).digest(), "big")


def _hex(number: int) -> str:
    return f"{number % 2 ** (8 * _DIGEST_BYTES):0{2 * _DIGEST_BYTES}x}"


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
    #: the documents decoded, where somebody wants them
    decoded: list[Any] | None = field(default=None, compare=False, repr=False)

    def digest(self, keep: bool = False) -> PartDigest:
        """Return count and digest: the sum of the digests of all documents, shared transforms too.

        Parameters
        ----------
        keep : bool
            Keep the documents decoded, unless they are too many.

        Returns
        -------
        PartDigest
        """
        total = sum(map(document_digest, self.shared.values()))
        if keep and len(self.documents) <= _KEPT:
            with _json.collector_paused():
                self.decoded = list(map(_json.loads, self.documents.values()))
                total += sum(map(_digest_of, self.decoded))
        else:
            total += sum(map(document_digest, self.documents.values()))
        return PartDigest(len(self.documents), _hex(total))

    def same_as(self, other: Part, digest: PartDigest) -> bool:
        """Tell whether this is the same as another part, whose digest is known."""
        # the same bytes are the same without a look at the digests
        return (self.documents == other.documents and self.shared == other.shared) or self.digest() == digest

    def within(self, other: Part) -> bool:
        """Tell whether there is nothing here that another part does not have."""
        pairs = ((self.documents, other.documents), (self.shared, other.shared))
        return all(
            key in theirs
            and (document == theirs[key] or document_digest(document) == document_digest(theirs[key]))
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
