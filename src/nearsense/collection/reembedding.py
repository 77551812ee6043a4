"""Another model for a collection that lasts: encoded beside what is in use, then swapped in one step.

What others add meanwhile is encoded in rounds; the last few documents while they wait. Interrupted, it goes on
where it was. Which tables that takes is the store's: see `Writer`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from nearsense._progress import Progress, tracked
from nearsense.collection.model import SAMPLE, CollectionModel, agreement, differing, read_as, recipe
from nearsense.errors import ModelMismatch
from nearsense.records import Vectors
from nearsense.reports import Reembedding

if TYPE_CHECKING:
    from _thread import LockType

    import numpy as np
    from numpy.typing import NDArray

    from nearsense.store.tables import Block

T = TypeVar("T")

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

    def swap_next(self, dimension: int) -> None:
        """The next model's vectors take the place of those in use; of such a dimension, where there are none."""
        ...  # pragma: no cover


class Lasting(Protocol):
    """What it takes of an engine: see `lasting.py`. An action may be called again where a connection breaks."""

    name: str
    model: CollectionModel
    reembed_lock: LockType

    def facts(self) -> dict[str, Any]:
        """What the collection says of itself."""
        ...  # pragma: no cover

    def read(self, action: Callable[[Any], T]) -> T:
        """What an action makes of a `Reader`."""
        ...  # pragma: no cover

    def change(self, action: Callable[[Any], int]) -> int:
        """Change something by a `Writer`, when it is one's turn: all of it or nothing."""
        ...  # pragma: no cover


def reembed(engine: Lasting, model: CollectionModel, progress: Progress) -> Reembedding:
    """Encode every document with another model, or read in another way, and take the vectors into use.

    What others add meanwhile is encoded in rounds; the last few documents while they wait, so that it ends beside
    any writer.
    """
    facts = model.facts()
    before = engine.facts()

    def begin(writer: Writer) -> int:
        nonlocal before
        before = writer.state().facts
        if not differing(facts, before):
            raise _There
        if before.get("next") != recipe(facts):
            writer.drop_next()
            writer.set_facts({"next": recipe(facts)})
        return writer.state().documents

    try:
        documents = engine.change(begin)
        mapped = model.map_after(before)
        with tracked(documents, "documents", progress) as update:
            done, rounds, after = 0, 0, -1
            while rounds < ROUNDS:
                missing = engine.read(partial(_missing, mapped=mapped, before=before, after=after))
                if not missing.positions:
                    break
                vectors = missing.vectors or model.encode_checked(missing.texts, facts)
                engine.change(partial(_keep, engine, facts, missing.positions, vectors))
                update(min(done := done + len(missing.positions), documents))
                after = missing.positions[-1]  # what comes later stands beyond
                rounds += len(missing.positions) < BATCH or done > 2 * documents
            shared = engine.read(lambda reader: agreement(*reader.old_and_new(SAMPLE)))
            documents = _swap(engine, model, before)
    except _There:
        engine.model = model
        return Reembedding(0, before["model"], facts["model"], None)
    return Reembedding(documents, before["model"], facts["model"], shared, mapped is not None)


def _keep(
    engine: Lasting, facts: Mapping[str, Any], positions: list[int], vectors: Vectors, writer: Writer
) -> int:
    """Keep some vectors of the next model."""
    _require_next(writer, facts, engine.name)
    writer.insert_next(positions, vectors.data, vectors.truncated)
    return 0


def _swap(engine: Lasting, model: CollectionModel, before: Mapping[str, Any]) -> int:
    """Encode the last documents, and change over in one commit; others wait. Returns how many there are."""
    facts = model.facts()
    with contextlib.ExitStack() as held:
        locked = False

        def swap(writer: Writer) -> int:
            nonlocal locked
            _require_next(writer, facts, engine.name)
            mapped = model.map_after(before)
            while (missing := _missing(writer, mapped, before)).positions:
                vectors = missing.vectors or model.encode_checked(missing.texts, facts)
                writer.insert_next(missing.positions, vectors.data, vectors.truncated)
            if not locked:
                held.enter_context(engine.reembed_lock)
                locked = True
            writer.swap_next(facts["dimension"])
            writer.set_facts({**facts, "role": before["role"], "created": before["created"], "next": None})
            return writer.state().documents

        documents = engine.change(swap)
        engine.model = model
    return documents


class _There(Exception):
    """The collection has this model, and reads as it does; perhaps somebody else has brought it there."""


def _require_next(writer: Writer, facts: Mapping[str, Any], name: str) -> None:
    """See that the collection is still on its way to this model."""
    now = writer.state().facts
    if not differing(facts, now):
        raise _There
    if now.get("next") != recipe(facts):
        raise ModelMismatch(
            f"{name} is on its way to another model than {facts['model']}, or to read in another way",
            why="somebody else began to reembed it meanwhile",
            fix="let that end first",
        )


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
