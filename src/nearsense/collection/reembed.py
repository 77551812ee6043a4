"""From one model to another: vectors are made beside those in use, compared, and swapped in one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.collection.binding import Binding
from nearsense.collection.checks import checked_vectors
from nearsense.store.sqlite import SQLiteStore
from nearsense.types import Reembedding

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["reembed"]

BATCH = 2048
SAMPLE, NEAREST = 2000, 10


def reembed(store: SQLiteStore, binding: Binding, progress: Progress) -> Reembedding:
    """Encode every document with another model, and take its vectors into use.

    Args:
        store: The collection's.
        binding: The new model.
        progress: As everywhere.
    """
    facts = binding.facts()
    with store.writing() as writer:
        state = writer.state()
        before = state.facts
        if before.get("next") != facts["fingerprint"]:
            writer.drop_next()
            writer.set_facts({"next": facts["fingerprint"]})
    if facts["fingerprint"] == before["fingerprint"]:
        return Reembedding(0, before["model"], facts["model"], None)
    with tracked(state.documents, "documents", progress) as update:
        done = 0
        while True:
            while missing := _some_missing(store):
                _encode(store, binding, *missing)
                done += len(missing[0])
                update(min(done, state.documents))
            with store.reading() as reader:
                agreement = _agreement(*reader.old_and_new(SAMPLE))
            with store.writing() as writer:
                if writer.without_next(1)[0]:
                    continue  # somebody added documents meanwhile
                writer.swap_next()
                writer.set_facts({**facts, "role": before["role"], "created": before["created"], "next": None})
                return Reembedding(writer.state().documents, before["model"], facts["model"], agreement)


def _some_missing(store: SQLiteStore) -> tuple[list[int], list[str]] | None:
    with store.reading() as reader:
        positions, texts = reader.without_next(BATCH)
    return (positions, texts) if positions else None


def _encode(store: SQLiteStore, binding: Binding, positions: list[int], texts: list[str]) -> None:
    facts = binding.facts()
    encoded = binding.encode(texts, role=facts["role"])
    vectors = checked_vectors(encoded, facts, len(texts), lambda row: f"the text {texts[row][:40]!r}")
    with store.writing() as writer:
        writer.insert_next(positions, vectors.data, vectors.truncated)


def _agreement(old: NDArray[np.float32], new: NDArray[np.float32]) -> float | None:
    """Of the ten nearest of each of a sample under the old model, the share that the new model finds."""
    from nearsense.metrics import top_k

    if len(old) <= NEAREST:
        return None
    before, after = (top_k(each, each, NEAREST + 1).ids for each in (old, new))
    rows = range(len(old))
    shared = [len((set(before[row]) & set(after[row])) - {row}) for row in rows]
    return min(1.0, sum(shared) / (NEAREST * len(old)))
