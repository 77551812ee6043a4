"""What every store can do, and the records that go in and out. Not how: sqlite.py is the one that lasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.records import Document

__all__ = ["Block", "Generation", "Reader", "State", "Store", "Writer"]


@dataclass(frozen=True, slots=True)
class State:
    """What is true of a collection at one commit.

    Args:
        sequence: The number of the commit; each change of anything adds one.
        position: The next position that a document will get.
        documents: How many there are.
        facts: What the collection keeps about itself: the model, the role, when it was made.
    """

    sequence: int
    position: int
    documents: int
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Generation:
    """A set of derived files, and the commit that they were made at."""

    name: str
    sequence: int
    position: int
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some documents with their vectors, in the order of their positions; all checked.

    Args:
        positions: int64, shape (n,).
        documents: n Documents.
        vectors: float32, shape (n, d).
        sums: int64, shape (n,): of the vectors.
    """

    positions: NDArray[np.int64]
    documents: list[Document]
    vectors: NDArray[np.float32]
    sums: NDArray[np.int64]


class Reader(Protocol):
    """One snapshot of a collection. Whatever is damaged raises DamagedCollection."""

    def state(self) -> State:
        """What is true at this snapshot."""
        ...  # pragma: no cover

    def sequence(self) -> int:
        """The number of the last commit; the cheapest question."""
        ...  # pragma: no cover

    def generation(self) -> Generation | None:
        """The derived files in use."""
        ...  # pragma: no cover

    def documents(self, positions: Sequence[int]) -> dict[int, Document]:
        """The documents at some positions; what is not there is left out."""
        ...  # pragma: no cover

    def positions(self, ids: Iterable[str]) -> dict[str, int]:
        """Where some ids are; what is not there is left out."""
        ...  # pragma: no cover

    def vectors(self, positions: Sequence[int]) -> NDArray[np.float32]:
        """The vectors at some positions, all of which exist; shape (n, d)."""
        ...  # pragma: no cover

    def blocks(self, after: int = -1, size: int = 4096) -> Iterator[Block]:
        """Everything beyond a position, in order."""
        ...  # pragma: no cover

    def contents(self) -> Iterator[tuple[str, int, bytes, str]]:
        """(id, position, content hash, metadata as JSON) of every document; what a sync compares."""
        ...  # pragma: no cover

    def removals(self, after: int) -> list[int]:
        """The positions that were removed after a commit."""
        ...  # pragma: no cover

    def ids(self) -> list[tuple[int, str]]:
        """(position, id) of every document, ascending; also where documents themselves cannot be read."""
        ...  # pragma: no cover

    def pending(self) -> tuple[int, int]:
        """(changes that the derived files lack, documents that they hold)."""
        ...  # pragma: no cover

    def truncated(self) -> int:
        """How many texts were cut at the model's limit."""
        ...  # pragma: no cover

    def truncated_at(self, positions: Sequence[int]) -> NDArray[np.bool_]:
        """Which texts at some positions were cut; shape (n,)."""
        ...  # pragma: no cover

    def truncated_rows(self) -> NDArray[np.bool_]:
        """Which texts were cut; shape (n,), in the order of positions."""
        ...  # pragma: no cover

    def without_next(self, limit: int) -> tuple[list[int], list[str]]:
        """Positions and texts of some documents that have no vector of the next model yet."""
        ...  # pragma: no cover

    def old_and_new(self, limit: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors of some documents under the model in use and under the next, each of shape (n, d)."""
        ...  # pragma: no cover


class Writer(Reader, Protocol):
    """One change: all of it is kept, or nothing."""

    def insert(
        self,
        documents: Sequence[Document],
        vectors: NDArray[np.float32],
        truncated: NDArray[np.bool_],
        metadata: Sequence[str] | None = None,
    ) -> None:
        """Add documents whose ids are free; vectors: shape (n, d); metadata: as JSON, where it is at hand."""
        ...  # pragma: no cover

    def remove(self, positions: Sequence[int]) -> None:
        """Remove the documents at some positions."""
        ...  # pragma: no cover

    def set_generation(self, generation: Generation | None) -> None:
        """From now on these derived files are in use, or none."""
        ...  # pragma: no cover

    def insert_next(
        self, positions: Sequence[int], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]
    ) -> None:
        """Keep vectors of the next model beside those in use, of documents that were not removed meanwhile."""
        ...  # pragma: no cover

    def drop_next(self) -> None:
        """Forget the vectors of the next model."""
        ...  # pragma: no cover

    def swap_next(self) -> None:
        """The next model's vectors take the place of those in use; every document has one."""
        ...  # pragma: no cover

    def set_facts(self, facts: dict[str, Any]) -> None:
        """Replace some facts."""
        ...  # pragma: no cover


class Store(Protocol):
    """What survives a restart."""

    folder: Path
    readonly: bool
    """Whether it may only be read: then what would change it raises StoreError."""

    def reading(self) -> AbstractContextManager[Reader]:
        """A snapshot: what is committed meanwhile is not seen; nobody is kept waiting."""
        ...  # pragma: no cover

    def writing(self) -> AbstractContextManager[Writer]:
        """A change, when it is one's turn; durable when it returns."""
        ...  # pragma: no cover

    def require_ready(self) -> None:
        """Raise StoreError where nothing can be changed: it was replaced, removed, or may only be read."""
        ...  # pragma: no cover

    def backup(self, folder: Path) -> None:
        """Write a consistent copy, a store of its own, into an empty folder; on the disk when it returns."""
        ...  # pragma: no cover

    def vacuum(self) -> None:
        """Remove from the disk what was deleted."""
        ...  # pragma: no cover

    def damaged_pages(self) -> list[int]:
        """Which pieces of the file are not what was written, by number."""
        ...  # pragma: no cover

    def integrity(self) -> list[str]:
        """What is wrong with the store as such; empty where nothing is."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Give everything back."""
        ...  # pragma: no cover
