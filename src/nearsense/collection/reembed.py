"""From one model to another: vectors are made beside those in use, compared, and swapped in one commit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.collection.binding import Binding, differing, recipe
from nearsense.collection.checks import checked_vectors
from nearsense.collection.live import Live
from nearsense.errors import ModelMismatch
from nearsense.reports import Reembedding
from nearsense.store import Store, Writer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.records import Vectors

__all__ = ["reembed"]

BATCH = 2048
SAMPLE, NEAREST = 2000, 10
ROUNDS = 3
"""So often what was added meanwhile is encoded while others go on to write; then they wait for the rest."""


def reembed(live: Live, binding: Binding, progress: Progress) -> Reembedding:
    """Encode every document with another model, or read in another way, and take the vectors into use.

    What others add meanwhile is encoded in rounds; the last few documents while they wait, so that it ends beside
    any writer.

    Args:
        live: The collection.
        binding: The new model.
        progress: As everywhere.

    Raises:
        ModelMismatch: Somebody else began to go over to a third model meanwhile.
    """
    store, facts = live.store, binding.facts()
    before = live.facts()
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
            done, rounds = 0, 0
            while rounds < ROUNDS and (missing := _missing(store)):
                vectors = _encoded(binding, *missing)
                with _next_is(facts, live) as writer:
                    writer.insert_next(missing[0], vectors.data, vectors.truncated)
                update(min(done := done + len(missing[0]), state.documents))
                rounds += len(missing[0]) < BATCH or done > 2 * state.documents
            with store.reading() as reader:
                agreement = _agreement(*reader.old_and_new(SAMPLE))
            documents = _swap(live, binding, before)
    except _There:
        live.binding = binding
        return Reembedding(0, before["model"], facts["model"], None)
    return Reembedding(documents, before["model"], facts["model"], agreement)


def _swap(live: Live, binding: Binding, before: Mapping[str, Any]) -> int:
    """Encode the last documents, and change over in one commit; others wait. Returns how many there are."""
    facts = binding.facts()
    with contextlib.ExitStack() as held:
        with _next_is(facts, live) as writer:
            while (missing := writer.without_next(BATCH))[0]:
                vectors = _encoded(binding, *missing)
                writer.insert_next(missing[0], vectors.data, vectors.truncated)
            held.enter_context(live.going_over)
            writer.swap_next()
            writer.set_facts({**facts, "role": before["role"], "created": before["created"], "next": None})
            documents = writer.state().documents
        live.binding = binding
    return documents


class _There(Exception):
    """The collection has this model, and reads as it does; perhaps somebody else has brought it there."""


@contextlib.contextmanager
def _next_is(facts: Mapping[str, Any], live: Live) -> Iterator[Writer]:
    """A change, while the collection is still on its way to this model."""
    with live.store.writing() as writer:
        now = writer.state().facts
        if not differing(facts, now):
            raise _There
        if now.get("next") != recipe(facts):
            raise ModelMismatch(
                f"{live.path} is on its way to another model than {facts['model']}, or to read in another way",
                why="somebody else began to reembed it meanwhile",
                fix="let that end first",
            )
        yield writer


def _missing(store: Store) -> tuple[list[int], list[str]] | None:
    with store.reading() as reader:
        positions, texts = reader.without_next(BATCH)
    return (positions, texts) if positions else None


def _encoded(binding: Binding, positions: list[int], texts: list[str]) -> Vectors:
    facts = binding.facts()
    encoded = binding.encode(texts, role=facts["role"])
    return checked_vectors(encoded, facts, len(positions), lambda row: f"the text {texts[row][:40]!r}")


def _agreement(old: NDArray[np.float32], new: NDArray[np.float32]) -> float | None:
    """Of the ten nearest of each of a sample under the old model, the share that the new model finds."""
    from nearsense.vectors.topk import top_k

    if len(old) <= NEAREST:
        return None
    before, after = (top_k(each, each, NEAREST + 1).ids for each in (old, new))
    rows = range(len(old))
    shared = [len((set(before[row]) & set(after[row])) - {row}) for row in rows]
    return min(1.0, sum(shared) / (NEAREST * len(old)))
