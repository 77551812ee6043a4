"""What a search sees: one commit of a collection, its two parts and which of their rows still live.

A snapshot is never changed. The next one is made from it: what was removed is masked, what was added is appended
to the tail, and only a new generation, or another model, begins afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.collection.binding import differing
from nearsense.collection.segments import Frozen, Tail
from nearsense.filters import Filter
from nearsense.lexical import Segment
from nearsense.records import Vectors
from nearsense.store.base import Generation, Reader, State
from nearsense.store.generations import DamagedGeneration

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Snapshot", "refreshed", "require_made_alike"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One commit, ready to be searched.

    Args:
        state: Of the commit.
        frozen: The generation; None where there is none yet.
        frozen_alive: bool, shape (n,): its rows that were not removed; None where none was.
        tail: What was added since; longer than `count` where a later snapshot has made it grow.
        count: How many rows of the tail belong to this snapshot.
        tail_alive: bool, shape (count,); None where none was removed.
    """

    state: State
    frozen: Frozen | None
    frozen_alive: NDArray[np.bool_] | None
    tail: Tail
    count: int
    tail_alive: NDArray[np.bool_] | None

    @property
    def changes(self) -> int:
        """Rows that the generation lacks, or has too many."""
        dead = 0 if self.frozen_alive is None else int(len(self.frozen_alive) - self.frozen_alive.sum())
        return self.count + dead

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
        return Vectors(data, facts["fingerprint"], np.zeros(len(data), bool), facts["model"])

    @cached_property
    def segments(self) -> list[Segment]:
        """The words of both parts, in the order of positions."""
        parts = [Segment(self.frozen.postings, self.frozen_alive)] if self.frozen is not None else []
        return [*parts, Segment(self.tail.postings().first(self.count), self.tail_alive)]

    def fields(self) -> set[str]:
        """The names of all metadata fields."""
        known = set(self.frozen.columns.fields) if self.frozen else set()
        return known | self.tail.fields()

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
        """Of all living documents that a filter lets pass, ascending."""
        mask = self.mask(where)
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


def refreshed(
    reader: Reader, previous: Snapshot | None, generations: Path, distrusted: str | None = None
) -> Snapshot:
    """The snapshot of what a reader sees.

    Args:
        reader: At the commit that is wanted.
        previous: An earlier snapshot of the same collection, or None.
        generations: The folder of the derived files.
        distrusted: The generation that is known to be damaged; everything is read from the database instead.

    Raises:
        DamagedGeneration: The derived files are not in order.
        DamagedCollection: The database is not.
    """
    if previous is not None and reader.sequence() == previous.state.sequence:
        return previous
    state, generation = reader.state(), reader.generation()
    if generation is not None and generation.name == distrusted:
        generation = None
    if previous is None or not _continues(previous, state, generation.name if generation else None):
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
        tail.extend(block)
    count, frozen = len(tail), previous.frozen
    return Snapshot(
        state,
        frozen,
        _without(removed, frozen.positions, previous.frozen_alive) if frozen else None,
        tail,
        count,
        _without(removed, tail.positions(count), previous.tail_alive),
    )


def require_made_alike(generation: Generation, facts: Mapping[str, Any]) -> None:
    """Refuse derived files of other vectors than the collection has now.

    Raises:
        DamagedGeneration: They are.
    """
    if parts := differing(generation.manifest.get("recipe", {}), facts):
        raise DamagedGeneration(
            f"the index was made of vectors that are no longer in use: another {' and '.join(parts)}",
            why="texts are read otherwise now",
        )


def _continues(previous: Snapshot, state: State, generation: str | None) -> bool:
    known = previous.frozen.generation.name if previous.frozen else None
    same = not differing(previous.state.facts, state.facts)
    return known == generation and same and previous.state.sequence <= state.sequence


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
