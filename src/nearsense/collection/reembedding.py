"""Another model for a collection that lasts: encoded beside what is in use, then swapped in one step.

What others add meanwhile is encoded in rounds; the last few documents while they wait. Interrupted, it goes on
where it was. Which tables that takes is the store's: see `Store`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nearsense._progress import Progress, tracked
from nearsense.collection.engine import Engine
from nearsense.collection.model import SAMPLE, CollectionModel, agreement, differing, read_as, recipe
from nearsense.errors import ModelMismatch
from nearsense.records import Vectors
from nearsense.reports import Reembedding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nearsense.store.tables import Block

BATCH = 2048
ROUNDS = 3
"""So often what was added meanwhile is encoded while others go on to write; then they wait for the rest."""


class State(Protocol):
    """What is true at one moment."""

    @property
    def documents(self) -> int:
        """How many there are."""
        ...  # pragma: no cover

    @property
    def facts(self) -> dict[str, Any]:
        """What the collection says of itself."""
        ...  # pragma: no cover


class Reader(Protocol):
    """One moment of a store."""

    def state(self) -> State:
        """What is true then."""
        ...  # pragma: no cover

    def without_next(self, limit: int, after: int = -1) -> tuple[list[int], list[str]]:
        """Positions and texts of some documents beyond a position that have no vector of the next model."""
        ...  # pragma: no cover

    def block(self, positions: Sequence[int]) -> Block:
        """The documents with their vectors at some positions."""
        ...  # pragma: no cover

    def old_and_new(self, limit: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors of some documents under the model in use and under the next."""
        ...  # pragma: no cover


class Writer(Reader, Protocol):
    """One change of a store."""

    def set_facts(self, facts: dict[str, Any]) -> None:
        """Replace some facts."""
        ...  # pragma: no cover

    def insert_next(
        self, positions: Sequence[int], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]
    ) -> None:
        """Keep vectors of the next model beside those in use."""
        ...  # pragma: no cover

    def drop_next(self) -> None:
        """Forget the vectors of the next model."""
        ...  # pragma: no cover

    def swap_next(self) -> None:
        """The next model's vectors take the place of those in use."""
        ...  # pragma: no cover


class Store(Protocol):
    """Where the vectors of the next model lie beside those in use."""

    def reading(self) -> contextlib.AbstractContextManager[Reader]:
        """One moment."""
        ...  # pragma: no cover

    def writing(self) -> contextlib.AbstractContextManager[Writer]:
        """A change, when it is one's turn."""
        ...  # pragma: no cover


def reembed(engine: Engine, store: Store, model: CollectionModel, progress: Progress) -> Reembedding:
    """Encode every document with another model, or read in another way, and take the vectors into use.

    What others add meanwhile is encoded in rounds; the last few documents while they wait, so that it ends beside
    any writer.
    """
    facts = model.facts()
    before = engine.facts()
    try:
        with store.writing() as writer:
            state = writer.state()
            before = state.facts
            if not differing(facts, before):
                raise _There
            if before.get("next") != recipe(facts):
                writer.drop_next()
                writer.set_facts({"next": recipe(facts)})
        with tracked(state.documents, "documents", progress) as update:
            done, rounds, after, mapped = 0, 0, -1, model.map_after(before)
            while rounds < ROUNDS:
                with store.reading() as reader:
                    missing = _missing(reader, mapped, before, after)
                if not missing.positions:
                    break
                vectors = missing.vectors or model.encode_checked(missing.texts, facts)
                with _next_is(facts, engine, store) as writer:
                    writer.insert_next(missing.positions, vectors.data, vectors.truncated)
                update(min(done := done + len(missing.positions), state.documents))
                after = missing.positions[-1]  # what comes later stands beyond
                rounds += len(missing.positions) < BATCH or done > 2 * state.documents
            with store.reading() as reader:
                shared = agreement(*reader.old_and_new(SAMPLE))
            documents = _swap(engine, store, model, before)
    except _There:
        engine.model = model
        return Reembedding(0, before["model"], facts["model"], None)
    return Reembedding(documents, before["model"], facts["model"], shared, mapped is not None)


def _swap(engine: Engine, store: Store, model: CollectionModel, before: Mapping[str, Any]) -> int:
    """Encode the last documents, and change over in one commit; others wait. Returns how many there are."""
    facts = model.facts()
    with contextlib.ExitStack() as held:
        with _next_is(facts, engine, store) as writer:
            mapped = model.map_after(before)
            while (missing := _missing(writer, mapped, before)).positions:
                vectors = missing.vectors or model.encode_checked(missing.texts, facts)
                writer.insert_next(missing.positions, vectors.data, vectors.truncated)
            held.enter_context(engine.reembed_lock)
            writer.swap_next()
            writer.set_facts({**facts, "role": before["role"], "created": before["created"], "next": None})
            documents = writer.state().documents
        engine.model = model
    return documents


class _There(Exception):
    """The collection has this model, and reads as it does; perhaps somebody else has brought it there."""


@contextlib.contextmanager
def _next_is(facts: Mapping[str, Any], engine: Engine, store: Store) -> Iterator[Writer]:
    """A change, while the collection is still on its way to this model."""
    with store.writing() as writer:
        now = writer.state().facts
        if not differing(facts, now):
            raise _There
        if now.get("next") != recipe(facts):
            raise ModelMismatch(
                f"{engine.name} is on its way to another model than {facts['model']}, or to read in another way",
                why="somebody else began to reembed it meanwhile",
                fix="let that end first",
            )
        yield writer


class _Missing(NamedTuple):
    """Documents without a vector of the next model; those vectors, where they follow from the ones in use."""

    positions: list[int]
    texts: list[str]
    vectors: Vectors | None = None


def _missing(
    reader: Reader, mapped: Callable[[Vectors], Vectors] | None, before: Mapping[str, Any], after: int = -1
) -> _Missing:
    """The first of them beyond a position, a batch; mapped where the collection still is as it was."""
    positions, texts = reader.without_next(BATCH, after)
    facts = reader.state().facts
    if mapped is None or not positions or differing(facts, before):
        return _Missing(positions, texts)
    block = reader.block(positions)
    used = Vectors(block.vectors, facts["fingerprint"], block.truncated, facts["model"], read_as(facts))
    return _Missing(block.positions.tolist(), texts, mapped(used))
