"""The seam under a collection: what an engine that keeps documents has to do. Not how: sqlite.py and memory.py.

Above it nobody knows of folders, rows, indexes or snapshots: a question goes down, ranked documents come up. What
makes no sense for an engine it refuses, in words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from nearsense._forks import lock
from nearsense._progress import Progress
from nearsense.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.collection.model import CollectionModel
    from nearsense.filters import Filter
    from nearsense.records import Document, Mode, Vectors
    from nearsense.reports import Info, Reembedding, Verification

Facts = dict[str, Any]
"""What a collection says of itself at one moment: its model and how that reads texts, when it was made, perhaps a
calibration; `documents` counts them."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n checked documents that are written together, their metadata as JSON, and their vectors, shape (n, d)."""

    documents: Sequence[Document]
    metadata: Sequence[str]
    vectors: Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """q queries, each for its k best documents: texts and, but for lexical search, unit vectors of shape (q, d).

    `where` is a parsed filter; hits have to reach `min_score`; `exact` compares with every vector; `recipe` tells
    how the vectors were made: a collection of other vectors refuses them.
    """

    texts: Sequence[str]
    vectors: NDArray[np.float32] | None
    k: int
    mode: Mode
    recipe: Mapping[str, Any]
    where: Filter | None = None
    min_score: float | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """For each query its documents with their scores, best first; and what the collection said of itself then.

    `alike` has for each query, by a document's id, those of others with the same text, where these count once.
    """

    ranked: list[list[tuple[Document, float]]]
    facts: Facts
    alike: Sequence[Mapping[str, Sequence[str]]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """All documents as they are at one moment: how many, and with vectors, some at a time, as often as asked."""

    count: int
    parts: Callable[[], Iterator[tuple[list[Document], Vectors]]]


class Engine(ABC):
    """Keeps the documents of a collection with their vectors, and ranks them. Used by many threads at once.

    Every call sees one moment of the collection, and all that was written before it began. An engine whose model
    changed in the middle of a call raises ModelMismatch.
    """

    def __init__(self, name: str, model: CollectionModel) -> None:
        self.name, self.model = name, model
        self.reembed_lock = lock()
        """Held while the collection goes over to another model, and this engine to its encoder."""

    def bound(self) -> tuple[CollectionModel, Facts]:
        """The model and what the collection says of it; ModelMismatch where somebody else gave it another one."""
        with self.reembed_lock:
            facts = self.facts()
            self.model.require_unchanged(facts)
            return self.model, facts

    def address(self) -> str | None:
        """The path by which another process opens the same collection; None where there is none."""
        return None

    @abstractmethod
    def facts(self) -> Facts:
        """What the collection says of itself."""

    @abstractmethod
    def set_facts(self, facts: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
        """Replace some facts, if the collection still has the recipe."""

    @abstractmethod
    def write(self, batches: Iterable[Batch], recipe: Mapping[str, Any], *, replace: bool) -> None:
        """Keep documents, if the collection still has the recipe; only to replace may their ids be there already.

        Of a batch all is kept or nothing; it is durable when the next one is asked for.
        """

    @abstractmethod
    def delete(self, ids: Sequence[str] = (), where: Filter | None = None) -> int:
        """Delete documents by ids, unknown ones among them, or by a filter; returns how many there were."""

    @abstractmethod
    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """The documents with some ids; what is not there is left out."""

    @abstractmethod
    def stored(self, ids: Sequence[str] | None = None) -> Iterator[tuple[list[Document], Vectors]]:
        """Documents with their vectors, in the order in which they came in, some at a time; None for all."""

    @abstractmethod
    def moment(self) -> AbstractContextManager[Moment]:
        """Everything there is now, in the order in which it came in; what is changed meanwhile is not seen."""

    @abstractmethod
    def contents(self) -> Iterator[tuple[str, bytes, str]]:
        """Id, hash of the text (`text.content_hash`) and metadata as JSON of every document, in any order."""

    @abstractmethod
    def ranked(self, question: Question) -> Answer:
        """The best documents for each query; of those that score alike first the one written like the query."""

    @abstractmethod
    def count(self, where: Filter | None = None) -> int:
        """How many documents there are, or how many a filter lets pass."""

    @abstractmethod
    def sample(self, size: int) -> Vectors:
        """The vectors of at most so many documents, evenly over all."""

    @abstractmethod
    def info(self) -> Info:
        """What users are told of the collection."""

    @abstractmethod
    def reembed(self, model: CollectionModel, progress: Progress) -> Reembedding:
        """Encode everything with another model beside what is in use, then swap in one step."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back; every later call raises StoreError."""

    def build(self, index: str | None, *, if_needed: bool, progress: Progress) -> None:
        """Make what makes searching fast, with an index of some kind from now on; None leaves that as it is."""
        self.facts()  # one that is closed says so
        if index is not None:
            self._refuse("have an index", "it has no files to keep one in", "leave index out")

    def compact(self, progress: Progress) -> None:
        """Remove for good what was deleted."""
        self._refuse("be compacted", "it keeps nothing that was deleted", "leave compact out")

    def verify(self) -> Verification:
        """Read everything and check that it is what was written."""
        self._refuse("be verified", "it keeps no checksums", "leave verify out")

    def backup(self, target: Path) -> Path:
        """Write a consistent copy, a collection of its own, into a folder that does not exist."""
        self._refuse("be copied into a folder", "it lies in none", 'write its documents: export("all.jsonl")')

    def _info(self, facts: Facts, **own: Any) -> Info:
        """What users are told of the collection, of its facts and what is this engine's own."""
        from nearsense.querylog import HASHED
        from nearsense.reports import Info

        names = ("documents", "model", "fingerprint", "dimension", "role", "created")
        log = {True: "on", HASHED: HASHED}.get(facts.get("log"))
        return Info(path=self.name, **{name: facts[name] for name in names}, log=log, **own)

    def _refuse(self, what: str, why: str, fix: str) -> NoReturn:
        self.facts()  # one that is closed says so
        raise InputError(f"{self.name} cannot {what}", why=why, fix=fix)


def require_new(documents: Sequence[Document], taken: Iterable[str], name: str) -> None:
    """Refuse to add documents of which some ids are taken."""
    if there := {*taken}:
        id_ = next(document.id for document in documents if document.id in there)
        more = f", and {len(there) - 1:,} more" if len(there) > 1 else ""
        raise InputError(
            f"the document {id_!r} is in {name} already{more}",
            why="add never replaces",
            fix="use upsert to replace documents, or sync to follow a source",
        )
