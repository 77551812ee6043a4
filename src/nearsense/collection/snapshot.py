"""What a search sees, and how it ranks that: one commit of a collection, ready to be searched. Not where it lies.

A snapshot has two parts: a generation, frozen in files, and the tail that was added since. It is never changed;
the next one is made from it: what was removed is masked, what was added is appended to the tail, and only a new
generation, or another model, begins afresh.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nearsense._forks import computing, lock
from nearsense.collection.engine import Answer, Facts, Question
from nearsense.collection.model import differing, read_as, require_same_recipe
from nearsense.collection.ranking import Ranked, ranked
from nearsense.errors import InputError
from nearsense.filters import Columns, Exists, Filter, GrowingColumns, names, require_known
from nearsense.index import ArrayRows, ExactIndex, VectorIndex, open_index
from nearsense.lexical import GrowingPostings, Postings, Segment, bm25
from nearsense.records import Document, Vectors
from nearsense.store.generations import DamagedGeneration, Files, Generation
from nearsense.store.tables import SQLiteReader, State, vector_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.index import Rows
    from nearsense.ties import Best

S = TypeVar("S", bound=np.generic)

VECTORS, SUMS, INDEX, POSITIONS = "vectors.f32", "sums", "index.faiss", "positions"
MINIMUM, SHARE = 20_000, 0.05
"""Changes that a generation may lack: below both it is sooner searched beside them than made anew."""
BLOCK = 4096
"""Rows that are checked together when many are read."""
REMEMBERED = 16
"""Masks of filters that are kept; each is one byte a row."""


class CheckedRows:
    """The vectors of a generation, shape (n, d), in a mapped file; each is checked when it is first read."""

    def __init__(
        self, file: Path, shape: tuple[int, int], positions: NDArray[np.int64], sums: NDArray[np.int64]
    ) -> None:
        self.shape = shape
        self._file, self._positions, self._sums = file, positions, sums
        mapped = np.memmap(file, np.float32, "r", shape=shape) if shape[0] else np.empty(shape, np.float32)
        self._data = np.asarray(mapped)  # a plain array over the same memory: np.memmap is slow to index
        self._seen = np.zeros(shape[0], bool)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some vectors."""
        found = self._data[rows]
        new = ~self._seen[rows]
        if new.any():
            own = rows[new]
            self._check(found[new], self._positions[own], self._sums[own])
            self._seen[own] = True
        return found

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The vectors of rows start to stop."""
        for first in range(start // BLOCK * BLOCK, stop, BLOCK):
            part = slice(first, first + BLOCK)
            if not self._seen[part].all():
                self._check(self._data[part], self._positions[part], self._sums[part])
                self._seen[part] = True
        return self._data[start:stop]

    def _check(self, vectors: NDArray[np.float32], positions: NDArray[np.int64], sums: NDArray[np.int64]) -> None:
        if not np.array_equal(vector_sums(vectors, positions), sums):
            what, why = f"{self._file} is not what was written", "the sum of a row does not fit"
            raise DamagedGeneration(what, generation=self._file.parent.name, why=why)


class Frozen:
    """A generation in the folder of all, opened; each part is read, and checked, when it is first asked for."""

    def __init__(self, folder: Path, generation: Generation) -> None:
        self.generation = generation
        self._files = Files(folder / generation.name, generation.manifest["files"])
        self._kind = generation.manifest["index"]["kind"]
        shape = (generation.manifest["rows"], generation.manifest["dimension"])
        self.positions: NDArray[np.int64] = self._files.array(POSITIONS)
        self.rows = CheckedRows(self._files.unchecked(VECTORS), shape, self.positions, self._files.array(SUMS))
        self._masks: OrderedDict[Filter, NDArray[np.bool_]] = OrderedDict()
        self._guard = lock()

    def __len__(self) -> int:
        return self.rows.shape[0]

    @cached_property
    def index(self) -> VectorIndex:
        """The nearest neighbours of a vector."""
        file = self._files.checked(INDEX) if INDEX in self._files.names() else None
        with self._readable():
            return open_index(self._kind, file, self.rows)

    @cached_property
    def columns(self) -> Columns:
        """The metadata."""
        with self._readable():
            return Columns.from_arrays(self._files.arrays("columns-"))

    @cached_property
    def postings(self) -> Postings:
        """The words."""
        with self._readable():
            return Postings.from_arrays(self._files.arrays("postings-"))

    def mask(self, where: Filter) -> NDArray[np.bool_]:
        """Which rows a filter lets pass; shape (n,), not to be written to."""
        with self._guard:
            if where in self._masks:
                self._masks.move_to_end(where)
                return self._masks[where]
        mask = self.columns.mask(where)
        with self._guard:
            self._masks[where] = mask
            while len(self._masks) > REMEMBERED:
                self._masks.popitem(last=False)
        return mask

    def verify(self) -> list[str]:
        """Which files are not what was written."""
        wrong = []
        for name in self._files.names():
            try:
                self._files.checked(name)
            except DamagedGeneration as error:
                wrong.append(error.what)
        return wrong

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """What another version of nearsense wrote, and this one does not read, counts as damaged."""
        try:
            yield
        except InputError as error:
            raise DamagedGeneration(error.what, generation=self.generation.name, why=error.why) from None


class Tail:
    """What was added since the generation, in memory. It only grows: its first rows stay as they are.

    One that broke off while it grew, or was forked there, is never `whole` again: the vectors that it had are
    right, all else has to be made anew.
    """

    def __init__(self, dimension: int) -> None:
        self._vectors = np.empty((0, dimension), np.float32)
        self._positions = np.empty(0, np.int64)
        self._count = 0
        self._columns, self._postings = GrowingColumns(), GrowingPostings()
        self._texts: list[str] = []
        self._metadata: list[Mapping[str, Any]] = []
        self._guard, self._whole = lock(), True

    def __len__(self) -> int:
        return self._count

    def extend(
        self, positions: NDArray[np.int64], documents: Sequence[Document], vectors: NDArray[np.float32]
    ) -> None:
        """Add documents."""
        with self._guard:
            whole, self._whole = self._whole, False
            count = self._count + len(positions)
            if count > len(self._positions):
                room = max(count, 2 * len(self._positions), 64)
                self._positions = _larger(self._positions, room, self._count)
                self._vectors = _larger(self._vectors, room, self._count)
            self._positions[self._count : count] = positions
            self._vectors[self._count : count] = vectors
            self._texts.extend(document.text for document in documents)
            self._metadata.extend(document.metadata for document in documents)
            self._count, self._whole = count, whole

    @property
    def whole(self) -> bool:
        """Whether all of it can be used; also while somebody is at it, whom nobody waits for here."""
        return self._whole or self._guard.locked() or self._whole

    def positions(self, count: int) -> NDArray[np.int64]:
        """Of the first rows."""
        return self._positions[:count]

    def rows(self, count: int) -> ArrayRows:
        """The vectors of the first rows."""
        return ArrayRows(self._vectors[:count])

    def mask(self, where: Filter, count: int) -> NDArray[np.bool_]:
        """Which of the first rows a filter lets pass."""
        return self._grown().mask(where, count)

    def fields(self) -> set[str]:
        """The names of all metadata fields."""
        return {*self._grown().fields}

    def _grown(self) -> GrowingColumns:
        with self._guard:
            whole, self._whole = self._whole, False
            waiting, self._metadata = self._metadata, []
            self._columns.extend(waiting)
            self._whole = whole
        return self._columns

    def postings(self) -> GrowingPostings:
        """The words of all rows."""
        with self._guard:
            whole, self._whole = self._whole, False
            waiting, self._texts = self._texts, []
            self._postings.extend(waiting)
            self._whole = whole
        return self._postings


def _larger(array: NDArray[S], room: int, used: int) -> NDArray[S]:
    grown = np.empty((room, *array.shape[1:]), array.dtype)
    grown[:used] = array[:used]
    return grown


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One commit, ready to be searched: what is frozen, the first `count` rows of the tail, and who of them lives.

    Each mask is bool, shape (rows,), and None where no row was removed. Rows count from 0 within a part; positions
    hold everywhere.
    """

    state: State
    frozen: Frozen | None
    frozen_alive: NDArray[np.bool_] | None
    tail: Tail
    count: int
    tail_alive: NDArray[np.bool_] | None

    @property
    def facts(self) -> Facts:
        """What the collection says of itself."""
        return {**self.state.facts, "documents": self.state.documents}

    @property
    def living(self) -> int:
        """How many rows of both parts were not removed."""
        frozen = 0 if self.frozen is None else len(self.frozen)
        frozen = frozen if self.frozen_alive is None else int(self.frozen_alive.sum())
        return frozen + (self.count if self.tail_alive is None else int(self.tail_alive.sum()))

    @property
    def changes(self) -> int:
        """Rows that the generation lacks, or has too many."""
        dead = 0 if self.frozen_alive is None else int(len(self.frozen_alive) - self.frozen_alive.sum())
        return self.count + dead

    @property
    def is_overdue(self) -> bool:
        """Whether a new generation should be made."""
        return self.changes > limit(len(self.frozen) if self.frozen else 0)

    def sample(self, size: int) -> Vectors:
        """The vectors of living documents, evenly over all; at most `size`."""
        alive = self.mask(None)
        rows = np.arange(len(self.rows())) if alive is None else np.flatnonzero(alive)
        rows = rows[np.unique(np.linspace(0, max(len(rows) - 1, 0), min(size, len(rows))).astype(np.int64))]
        first = 0 if self.frozen is None else len(self.frozen)
        parts = [self.tail.rows(self.count).take(rows[rows >= first] - first)]
        if self.frozen is not None:
            parts.insert(0, self.frozen.rows.take(rows[rows < first]))
        facts, data = self.state.facts, np.concatenate(parts)
        return Vectors(data, facts["fingerprint"], np.zeros(len(data), bool), facts["model"], read_as(facts))

    @cached_property
    def segments(self) -> list[Segment]:
        """The words of both parts, in the order of positions."""
        parts = [Segment(self.frozen.postings, self.frozen_alive)] if self.frozen is not None else []
        return [*parts, Segment(self.tail.postings().first(self.count), self.tail_alive)]

    def known(self, where: Filter | None) -> Filter | None:
        """A filter whose fields exist."""
        if where is not None and self.state.documents and not all(map(self._has, names(where))):
            require_known(where, self.fields())
        return where

    def fields(self) -> set[str]:
        """The names of all metadata fields of living documents."""
        known = set(self.frozen.columns.fields) if self.frozen else set()
        return {name for name in known | self.tail.fields() if self._has(name)}

    @cached_property
    def _fields_there(self) -> dict[str, bool]:
        """What `_has` said before."""
        return {}

    def _has(self, name: str) -> bool:
        """Whether a living document has a field."""
        if name not in self._fields_there:
            self._fields_there[name] = self._has_now(name)
        return self._fields_there[name]

    def _has_now(self, name: str) -> bool:
        if self.frozen is not None and (rows := self.frozen.columns.counts.get(name)):
            alive = self.frozen_alive
            if alive is None or rows > len(alive) - alive.sum() or self.frozen.mask(Exists(name))[alive].any():
                return True
        there = self.tail.mask(Exists(name), self.count)
        return bool((there if self.tail_alive is None else there[self.tail_alive]).any())

    def allowed(self, where: Filter | None) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """Which rows of the generation and of the tail live and pass a filter; None for all."""
        frozen = tail = None
        if self.frozen is not None:
            frozen = _both(self.frozen_alive, self.frozen.mask(where) if where else None)
        tail = _both(self.tail_alive, self.tail.mask(where, self.count) if where else None)
        return frozen, tail

    def rows(self) -> NDArray[np.int64]:
        """The positions of all rows of both parts, dead ones as well."""
        parts = [] if self.frozen is None else [self.frozen.positions]
        return np.concatenate([*parts, self.tail.positions(self.count)])

    def positions(self, where: Filter | None) -> NDArray[np.int64]:
        """Of all living documents that a filter, whose fields exist, lets pass, ascending."""
        mask = self.mask(self.known(where))
        return self.rows() if mask is None else self.rows()[mask]

    def mask(self, where: Filter | None) -> NDArray[np.bool_] | None:
        """Which of all rows live and pass a filter; None for all."""
        frozen, tail = self.allowed(where)
        if frozen is None and tail is None:
            return None
        rows = len(self.frozen) if self.frozen is not None else 0
        return np.concatenate(
            [
                np.ones(rows, bool) if frozen is None else frozen,
                np.ones(self.count, bool) if tail is None else tail,
            ]
        )


def limit(rows: int) -> int:
    """How many changes a generation of some size may lack: below it they are scanned faster than it is made.

    Example:
        >>> limit(0), limit(1_000_000)
        (20000, 50000)
    """
    return max(MINIMUM, int(rows * SHARE))


def refreshed(
    reader: SQLiteReader, previous: Snapshot | None, generations: Path, distrusted: str | None = None
) -> Snapshot:
    """The snapshot of what a reader sees, made from an earlier one; without the generation that is distrusted."""
    state, generation = reader.state(), reader.generation()
    if generation is not None and generation.name == distrusted:
        generation = None
    if previous is not None and not previous.tail.whole:
        previous = None
    known = previous.frozen.generation if previous is not None and previous.frozen else None
    anew = previous is None or known != generation or differing(previous.state.facts, state.facts)
    if previous is None or anew:
        if generation:
            require_made_alike(generation, state.facts)
        frozen = Frozen(generations, generation) if generation else None
        previous = Snapshot(state, frozen, None, Tail(state.facts["dimension"]), 0, None)
        since = generation.sequence if generation else state.sequence
        last = generation.position - 1 if generation else -1
    else:
        since, last = previous.state.sequence, previous.state.position - 1
    removed = np.sort(np.asarray(reader.removals(since), np.int64))
    tail, added = previous.tail, list(reader.blocks(last))  # all of it is read before the tail grows, or nothing
    for block in added:
        tail.extend(block.positions, block.documents, block.vectors)
    count, frozen = len(tail), previous.frozen
    snapshot = Snapshot(
        state,
        frozen,
        _without(removed, frozen.positions, previous.frozen_alive) if frozen else None,
        tail,
        count,
        _without(removed, tail.positions(count), previous.tail_alive),
    )
    if not anew and snapshot.living != state.documents:
        return refreshed(reader, None, generations, distrusted)  # removals that a generation had were forgotten
    return snapshot


def require_made_alike(generation: Generation, facts: Mapping[str, Any]) -> None:
    """Refuse derived files of other vectors than the collection has now."""
    if parts := differing(generation.manifest.get("recipe", {}), facts):
        raise DamagedGeneration(
            f"the index was made of vectors that are no longer in use: another {' and '.join(parts)}",
            generation=generation.name,
            why="texts are read otherwise now",
        )


def _without(
    removed: NDArray[np.int64], positions: NDArray[np.int64], alive: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    """The mask of living rows when some positions are gone; rows beyond the old mask live."""
    places = np.searchsorted(positions, removed)
    places = places[places < len(positions)]
    dead = places[np.isin(positions[places], removed)]
    if alive is None and not dead.size:
        return None
    mask = np.ones(len(positions), bool)
    if alive is not None:
        mask[: len(alive)] = alive
    mask[dead] = False
    return mask


def _both(a: NDArray[np.bool_] | None, b: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Where both masks are true; None stands for a mask that is true everywhere."""
    if a is None or b is None:
        return b if a is None else a
    return np.logical_and(a, b)


# -- ranking


def answer(
    snapshot: Snapshot, question: Question, name: str, documents: Callable[[list[int]], Mapping[int, Document]]
) -> Answer:
    """The answer of a collection of some name; `documents` gives those at some positions."""
    if question.vectors is not None:
        require_same_recipe(snapshot.state.facts, question.recipe, name)
    where = snapshot.known(question.where)
    with computing():
        return ranked(_Ranked(snapshot, question.exact, where, documents), question, snapshot.facts)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked(Ranked):
    """A snapshot's own rankings."""

    snapshot: Snapshot
    exact: bool
    where: Filter | None
    documents: Callable[[list[int]], Mapping[int, Document]]

    def count(self) -> int:
        return self.snapshot.state.documents

    def nearest(self, vectors: NDArray[np.float32], depth: int) -> list[Best]:
        snapshot, frozen, parts = self.snapshot, self.snapshot.frozen, []
        allowed, tail_allowed = snapshot.allowed(self.where)
        if frozen is not None and len(frozen):
            index = frozen.index.exact if self.exact else frozen.index
            parts.append(_nearest(index, frozen.rows, frozen.positions, vectors, depth, allowed))
        if snapshot.count:
            rows, positions = snapshot.tail.rows(snapshot.count), snapshot.tail.positions(snapshot.count)
            parts.append(_nearest(ExactIndex(rows), rows, positions, vectors, depth, tail_allowed))
        return [_best([part[row] for part in parts], depth) for row in range(len(vectors))]

    def by_words(self, texts: Sequence[str], depth: int) -> list[Best]:
        allowed = self.snapshot.mask(self.where) if self.where is not None else None
        positions, answers = self.snapshot.rows(), []
        for text in texts:
            found = bm25(text, self.snapshot.segments, depth, allowed=allowed)
            count = int(found.counts[0])
            answers.append((positions[found.ids[0, :count]], found.scores[0, :count]))
        return answers

    def at(self, positions: list[int]) -> Mapping[int, Document]:
        return self.documents(positions)


def _nearest(
    index: VectorIndex,
    rows: Rows,
    positions: NDArray[np.int64],
    queries: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_] | None,
) -> list[Best]:
    """The answers of one part, their scores computed anew in one way for all parts and kinds of index."""
    found = index.search(queries, k, allowed=allowed)
    answers = []
    for query, ids, count in zip(queries, found.ids, found.counts.tolist(), strict=True):
        vectors = rows.take(ids[:count])
        scores = (vectors.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
        answers.append((positions[ids[:count]], scores))
    return answers


def _best(parts: list[Best], k: int) -> Best:
    """The k best of several answers; ties in the order of positions."""
    positions = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    scores = np.concatenate([np.empty(0, np.float32), *(part[1] for part in parts)])
    order = np.lexsort((positions, -scores))[:k]
    return positions[order], scores[order]
