"""A collection into another engine: documents with their vectors, and what is known of them. Nothing is encoded.

Until all of it is there and was compared, the copy carries a mark by which nobody opens it. One that broke off
goes on where its documents still are the first of the source's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nearsense._paths import is_url
from nearsense._progress import Progress, tracked
from nearsense.collection.documents import as_folder
from nearsense.collection.engine import Batch, Engine, Facts
from nearsense.collection.model import COPYING, CollectionModel, recipe
from nearsense.errors import InputError, StoreError
from nearsense.records import Document, Vectors
from nearsense.store import is_made
from nearsense.text import as_json

BATCH = 2048
"""Documents that are written together."""
OWN = {"documents", "next", "built", "index", "log", COPYING}
"""Facts of an engine's own, or of where a collection lies: they stay behind."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied, and what the copy says of it.

    Args:
        documents: How many the source has, and the copy.
        checksum: Of all ids, texts, metadata and vectors, in their order: of the source, and of the copy.
        found: How many were there from a copy that broke off.
    """

    documents: tuple[int, int]
    checksum: tuple[str, str]
    found: int

    def __str__(self) -> str:
        (given, kept), (wanted, got) = self.documents, self.checksum
        return f"{given:,} documents with checksum {wanted} in the source, {kept:,} with {got} in the copy"


def copy_collection(source: str, target: str, *, network: bool = False, progress: Progress = False) -> Copied:
    """Copy a collection to a folder or an address where none is, or one that an earlier copy left.

    Raises:
        InputError: There is a collection already that is no copy of this one that broke off.
        StoreError: The copy is not what the source is; it is not opened.

    Example:
        >>> import tempfile, nearsense as ns
        >>> place = tempfile.mkdtemp()
        >>> with ns.open(f"{place}/a.nearsense") as notes:
        ...     notes.add(["Water the plants.", "Call the bank."])
        2
        >>> copied = copy_collection(f"{place}/a.nearsense", f"{place}/b.nearsense")
        >>> copied.documents, copied.checksum[0] == copied.checksum[1]
        ((2, 2), True)
        >>> with ns.open(f"{place}/b.nearsense") as notes:
        ...     notes.search("a phone call", k=1)[0].text
        'Call the bank.'
    """
    kept = _opened(source, CollectionModel(None, _named(source), role="passage"), network, create=False)
    try:
        facts = kept.facts()
        mark = {"source": kept.name, "created": facts["created"], "fingerprint": facts["fingerprint"]}
        there = is_made(target)
        copy = _opened(target, _Bound(_named(target), {**_moved(facts), COPYING: mark}), network, create=True)
        try:
            if there and copy.facts().get(COPYING) != mark:
                why = "a copy never goes over what is there"
                raise InputError(f"{copy.name} is there already", why=why, fix="name a place where nothing is")
            return _copied(kept, copy, facts, progress)
        finally:
            copy.close()
    finally:
        kept.close()


def _copied(source: Engine, copy: Engine, facts: Facts, progress: Progress) -> Copied:
    how = recipe(facts)
    wanted, found = _Sum(), 0
    there = _There(copy)
    with tracked(facts["documents"], "documents", progress) as update:
        for documents, vectors in source.stored():
            for start in range(0, len(documents), BATCH):
                part = _Part.of(documents, vectors, slice(start, start + BATCH))
                wanted.add(part)
                same = there.same(part)
                if same < len(part.documents):
                    copy.delete(there.rest())
                    copy.write([part.batch(same)], how, replace=False)
                found += same
                update(wanted.count)
    copy.delete(there.rest())
    got = _Sum()
    for documents, vectors in copy.stored():
        got.add(_Part.of(documents, vectors, slice(None)))
    done = Copied((wanted.count, got.count), (wanted.digest(), got.digest()), found)
    if done.documents[0] != done.documents[1] or done.checksum[0] != done.checksum[1]:
        fix = "remove the copy, and copy again"
        raise StoreError(f"{copy.name} is not what {source.name} is", why=str(done), fix=fix)
    copy.set_facts({**_moved(facts), COPYING: None}, how)
    return done


class _Bound(CollectionModel):
    """A model of which all is known that a copy has to know; nothing is loaded."""

    def __init__(self, name: str, facts: Facts) -> None:
        super().__init__(None, name, role=facts["role"])
        self._facts = facts

    def facts(self) -> Facts:
        self.known = self._facts
        return dict(self._facts)

    def require(self, facts: Any) -> None:
        """Anything is opened here, also what is not whole."""
        self.known = facts


class _Part(NamedTuple):
    """Some documents with their metadata as JSON and their vectors."""

    documents: list[Document]
    metadata: list[str]
    vectors: Vectors

    @classmethod
    def of(cls, documents: list[Document], vectors: Vectors, part: slice) -> _Part:
        """Some of a block."""
        some = documents[part]
        return cls(some, [as_json(each.metadata) for each in some], vectors.take(range(len(documents))[part]))

    def batch(self, start: int) -> Batch:
        """What is written of it, from a row on."""
        rows = self.vectors.take(range(start, len(self.documents)))
        return Batch(self.documents[start:], self.metadata[start:], rows)

    def row(self, row: int) -> tuple[bytes, ...]:
        """All that there is of one document."""
        document, vectors = self.documents[row], self.vectors
        vector = np.ascontiguousarray(vectors.data[row], np.float32).tobytes()
        texts = document.id.encode(), document.text.encode(), self.metadata[row].encode()
        return *texts, vector, bytes([int(vectors.truncated[row])])


class _Sum:
    """A checksum of documents in their order, each part of each behind its length."""

    def __init__(self) -> None:
        self._hash, self.count = blake2b(digest_size=16), 0

    def add(self, part: _Part) -> None:
        """Some more."""
        for row in range(len(part.documents)):
            for each in part.row(row):
                self._hash.update(len(each).to_bytes(8, "little"))
                self._hash.update(each)
        self.count += len(part.documents)

    def digest(self) -> str:
        """32 hexadecimal digits."""
        return self._hash.hexdigest()


class _There:
    """The documents of a copy that broke off, one at a time."""

    def __init__(self, engine: Engine) -> None:
        parts = (_Part.of(*each, slice(None)) for each in engine.stored())
        self._rows = ((part, row) for part in parts for row in range(len(part.documents)))
        self._next = next(self._rows, None)

    def same(self, part: _Part) -> int:
        """How many of the first of some are the next that are there."""
        for row in range(len(part.documents)):
            if self._next is None or self._next[0].row(self._next[1]) != part.row(row):
                return row
            self._next = next(self._rows, None)
        return len(part.documents)

    def rest(self) -> list[str]:
        """The ids of all others; then there is nothing more."""
        ids = []
        while self._next is not None:
            ids.append(self._next[0].documents[self._next[1]].id)
            self._next = next(self._rows, None)
        return ids


def _moved(facts: Facts) -> Facts:
    return {name: value for name, value in facts.items() if name not in OWN}


def _named(place: str) -> str:
    if not is_url(place):
        return place
    from nearsense.store.postgres import parse_address

    return parse_address(place).name


def _opened(place: str, model: CollectionModel, network: bool, *, create: bool) -> Engine:
    """The engine of a place."""
    if is_url(place):
        from nearsense.collection.postgres import PostgresEngine

        return PostgresEngine(place, model, create=create)
    from nearsense.collection.sqlite import SQLiteEngine

    return SQLiteEngine(
        Path(os.path.realpath(as_folder(place))), model, create=create, network=network, accept_losses=False
    )
