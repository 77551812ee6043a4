"""One pass over the database makes the derived files: vectors, index, columns, words. Not when: background.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from nearsense import index as indexes
from nearsense._progress import Progress, tracked
from nearsense.collection.binding import differing, recipe
from nearsense.collection.segments import INDEX, POSITIONS, SUMS, VECTORS, CheckedRows
from nearsense.filters import Columns, GrowingColumns
from nearsense.lexical import Postings
from nearsense.store.base import Generation, Reader, Store
from nearsense.store.generations import BUILDER, GENERATIONS, Draft, clean_up, named
from nearsense.store.locks import try_alone
from nearsense.store.points import reach

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GENERATIONS", "Cancelled", "derive"]

ENOUGH = 0.95
"""The recall below which a kind that nobody asked for is not taken: a cluster of near-duplicates does that."""


class Cancelled(Exception):
    """The collection is being closed; nothing was left behind."""


def derive(
    store: Store,
    *,
    wait: bool = True,
    progress: Progress = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Make a new generation of everything there is now, and take it into use.

    Args:
        store: The collection's.
        wait: Wait for another builder; else leave it to that one.
        progress: As everywhere.
        cancelled: Asked now and then; True gives up.

    Returns:
        False where another builder is at work, or the model, or how it reads, changed meanwhile.
    """
    store.require_ready()
    with try_alone(store.folder / BUILDER, wait=wait) as alone:
        if not alone:
            return False
        draft = Draft(store.folder)
        try:
            generation = _made(store, draft, progress, cancelled)
        finally:
            draft.discard()
        with store.writing() as writer:
            if differing(writer.state().facts, generation.manifest["recipe"]):
                return False
            writer.set_generation(generation)
        reach("generation.after-commit")
        clean_up(store.folder, generation.name)
        return True


def _made(store: Store, draft: Draft, progress: Progress, cancelled: Callable[[], bool]) -> Generation:
    with store.reading() as reader:
        state = reader.state()
        read = _Pass(reader, cancelled)
        with draft.opened(VECTORS) as file, tracked(state.documents, "documents", progress) as update:
            postings = Postings.build(read.texts(file, update))
    for prefix, arrays in (("columns", Columns.of(read.columns).arrays()), ("postings", postings.arrays())):
        for name, array in arrays.items():
            draft.save(f"{prefix}-{name}", array)
    positions, sums = read.positions(), read.sums()
    draft.save(POSITIONS, positions)
    draft.save(SUMS, sums)
    shape = (len(positions), int(state.facts["dimension"]))
    rows = CheckedRows(draft.path / VECTORS, shape, positions, sums)
    built = _indexed(rows, state.facts.get("index"), draft, cancelled)
    del rows  # only POSIX renames a folder while a file in it is mapped
    name = named(state.sequence)
    manifest = {
        "rows": shape[0],
        "dimension": shape[1],
        "index": built,
        "recipe": recipe(state.facts),
        "files": draft.finish(name),
    }
    return Generation(name, state.sequence, state.position, manifest)


def _indexed(
    rows: CheckedRows, kind: str | None, draft: Draft, cancelled: Callable[[], bool]
) -> dict[str, str | float]:
    """Make the index, of the kind that was asked for or the one that fits, and measure it."""
    if cancelled():
        raise Cancelled
    choice = indexes.choose(*rows.shape)
    if kind is not None:
        choice = indexes.Choice(indexes.parse_kind(kind), "It was asked for.")
    built = indexes.build(choice.kind, rows)
    recall = indexes.recall(built, rows)
    if kind is None and recall < ENOUGH:
        why = f"{choice.kind} finds {recall:.0%} of what is near here: every vector is looked at instead."
        choice, recall = indexes.Choice(indexes.Kind.EXACT, why), 1.0
        built = indexes.build(choice.kind, rows)
    with draft.file(INDEX) as file:
        built.save(file)
    if cancelled():
        raise Cancelled
    return {"kind": str(choice.kind), "why": choice.why, "recall": recall}


class _Pass:
    """Reads every document once: vectors go to their file, metadata to columns, and the texts come out."""

    def __init__(self, reader: Reader, cancelled: Callable[[], bool]) -> None:
        self._reader, self._cancelled = reader, cancelled
        self._positions: list[NDArray[np.int64]] = []
        self._sums: list[NDArray[np.int64]] = []
        self.columns = GrowingColumns()

    def texts(self, vectors: BinaryIO, update: Callable[[int], None]) -> Iterator[str]:
        done = 0
        for block in self._reader.blocks():
            if self._cancelled():
                raise Cancelled
            vectors.write(block.vectors.tobytes())
            self._positions.append(block.positions)
            self._sums.append(block.sums)
            self.columns.extend(document.metadata for document in block.documents)
            for document in block.documents:
                yield document.text
            update(done := done + len(block.documents))

    def positions(self) -> NDArray[np.int64]:
        return np.concatenate([np.empty(0, np.int64), *self._positions])

    def sums(self) -> NDArray[np.int64]:
        return np.concatenate([np.empty(0, np.int64), *self._sums])
