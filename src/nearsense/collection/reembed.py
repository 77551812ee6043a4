"""From one model to another: vectors are made beside those in use, compared, and swapped in one commit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.collection.binding import Binding
from nearsense.collection.checks import checked_vectors
from nearsense.collection.live import Live
from nearsense.errors import ModelMismatch
from nearsense.reports import Reembedding
from nearsense.store import Store, Writer

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["reembed"]

BATCH = 2048
SAMPLE, NEAREST = 2000, 10


def reembed(live: Live, binding: Binding, progress: Progress) -> Reembedding:
    """Encode every document with another model, and take its vectors into use.

    Args:
        live: The collection.
        binding: The new model.
        progress: As everywhere.

    Raises:
        ModelMismatch: Somebody else began to go over to a third model meanwhile.
    """
    store, facts = live.store, binding.facts()
    with store.writing() as writer:
        state = writer.state()
        before = state.facts
        if _way(facts) == _way(before):
            return Reembedding(0, before["model"], facts["model"], None)
        if before.get("next") != _way(facts):
            writer.drop_next()
            writer.set_facts({"next": _way(facts)})
    with tracked(state.documents, "documents", progress) as update:
        done = 0
        while True:
            while missing := _some_missing(store):
                _encode(live, binding, *missing)
                done += len(missing[0])
                update(min(done, state.documents))
            with store.reading() as reader:
                agreement = _agreement(*reader.old_and_new(SAMPLE))
            with live.going_over, _next_is(facts, live) as writer:
                if writer.without_next(1)[0]:
                    continue  # somebody added documents meanwhile
                writer.swap_next()
                writer.set_facts({**facts, "role": before["role"], "created": before["created"], "next": None})
                documents = writer.state().documents
            live.binding = binding
            return Reembedding(documents, before["model"], facts["model"], agreement)


@contextlib.contextmanager
def _next_is(facts: Mapping[str, Any], live: Live) -> Iterator[Writer]:
    """A change, while the collection is still on its way to this model."""
    with live.store.writing() as writer:
        if writer.state().facts.get("next") != _way(facts):
            raise ModelMismatch(
                f"{live.path} is on its way to another model than {facts['model']}",
                why="somebody else began to reembed it meanwhile",
                fix="let that end first",
            )
        yield writer


def _way(facts: Mapping[str, Any]) -> str:
    """What makes the vectors what they are: the model, and whether it reads long texts in windows."""
    return f"{facts['fingerprint']}{' in windows' if facts.get('windows') else ''}"


def _some_missing(store: Store) -> tuple[list[int], list[str]] | None:
    with store.reading() as reader:
        positions, texts = reader.without_next(BATCH)
    return (positions, texts) if positions else None


def _encode(live: Live, binding: Binding, positions: list[int], texts: list[str]) -> None:
    facts = binding.facts()
    encoded = binding.encode(texts, role=facts["role"])
    vectors = checked_vectors(encoded, facts, len(texts), lambda row: f"the text {texts[row][:40]!r}")
    with _next_is(facts, live) as writer:
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
