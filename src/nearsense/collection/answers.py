"""From a question to hits: positions, then documents, in one snapshot. Not the finding: retrieve.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import filters
from nearsense._forks import computing
from nearsense.checks import positive_int
from nearsense.collection.binding import require_same_recipe
from nearsense.collection.live import Live
from nearsense.collection.retrieve import Asked, Ranked, ranked
from nearsense.collection.snapshot import Snapshot
from nearsense.errors import InputError
from nearsense.records import Document, Hit, Metric, Mode, Origin, Ranking, Results, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["answers", "as_score", "filtered"]

_SCORED: dict[Mode, Metric | Ranking] = {
    Mode.DENSE: Metric.COSINE,
    Mode.LEXICAL: Ranking.BM25,
    Mode.HYBRID: Ranking.FUSED,
}


def answers(
    live: Live,
    queries: Sequence[str],
    vectors: Vectors | None,
    made: Mapping[str, Any],
    k: int,
    *,
    where: filters.Where,
    min_score: float | None,
    mode: Mode,
    exact: bool,
) -> list[Results[Hit]]:
    """The hits of each query; see `Collection.search`. `made`: what is known of how the vectors were made."""
    k, min_score = positive_int(k, "k"), as_score(min_score)
    with live.seen() as (reader, snapshot):
        facts = snapshot.state.facts
        if vectors is not None:
            require_same_recipe(facts, made, live.path)
        k = min(k, max(snapshot.state.documents, 1))
        data = None if vectors is None else vectors.data

        def written(positions: NDArray[np.int64]) -> list[str]:
            there = reader.documents(positions.tolist())
            return [there[position].text for position in positions.tolist()]

        asked = Asked(queries, data, k, filtered(where, snapshot), exact, written)
        with computing():
            found = [each.at_least(min_score) for each in ranked(snapshot, asked, mode)]
        wanted = np.unique(np.concatenate([np.empty(0, np.int64), *(each.positions for each in found)]))
        documents = reader.documents(wanted.tolist())
    origin = Origin(facts["model"], facts["fingerprint"], _SCORED[mode])
    return [Results(_hits(each, documents), origin, query) for query, each in zip(queries, found, strict=True)]


def filtered(where: filters.Where, snapshot: Snapshot) -> filters.Filter | None:
    """A filter whose fields exist; None where everything passes.

    Raises:
        InputError: It is not well formed, or no document has a field of that name.
    """
    parsed = filters.parse(where)
    if parsed == filters.ALL:
        return None
    if snapshot.state.documents:
        filters.require_known(parsed, snapshot.fields())
    return parsed


def as_score(score: float | None) -> float | None:
    """What hits have to score: a number, or None.

    Raises:
        InputError: It is none.
    """
    if score is None or (isinstance(score, (int, float)) and score == score):
        return score
    raise InputError(f"min_score={score!r} is no number", fix="min_score=0.5, say")


def _hits(found: Ranked, documents: dict[int, Document]) -> Iterator[Hit]:
    best = zip(found.positions.tolist(), found.scores.tolist(), strict=True)
    for rank, (position, score) in enumerate(best, 1):
        document = documents[position]
        yield Hit(rank, document.id, score, None, document.text, document.metadata)
