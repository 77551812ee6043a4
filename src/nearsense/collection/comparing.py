"""What another model would find for the queries of a collection, before it is taken. Nothing is written.

Every document is looked at once under both models, some at a time; its vectors under the other are mapped where
that is an adapter of the one in use, else encoded through the cache, where `reembed` finds them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int
from nearsense.collection.engine import Engine
from nearsense.collection.model import CollectionModel, checked_vectors
from nearsense.errors import InputError
from nearsense.metrics import bootstrap_mean, paired_bootstrap, weighted_mean
from nearsense.querylog import LoggedQuery
from nearsense.reports import ModelChange, Moved, RankChange
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.querylog import QueryLog
    from nearsense.records import Vectors

MOST = 1000
"""Different queries that are looked at, the latest."""
SHOWN = 10
"""Queries that are named: those of which the fewest hits stay."""
FEWEST = 10
"""Chosen hits from which a figure has an interval."""

Queries = Iterable[str | tuple[str, str | None] | LoggedQuery]


def read_queries(queries: Queries | None, log: QueryLog | None) -> dict[str, set[str]]:
    """Different queries with the ids that were chosen for them; of a log where none are given.

    Raises:
        InputError: There are none.
    """
    known: dict[str, tuple[str, set[str]]] = {}
    said = queries if queries is not None else () if log is None else log.entries()
    for each in said:
        text, chosen = _asked(each)
        if text is None or not text.strip():
            continue
        form = normal_form(text)
        before = known.pop(form, (text, set()))[1]
        known[form] = text, before | ({chosen} if chosen is not None else set())
    if not known:
        why = "the log holds none, or only hashes" if queries is None and log is not None else "none were given"
        fix = 'give them: compare_models(model, ["how do I ..."]), or open the collection with log=True'
        raise InputError("there are no queries to compare the models on", why=why, fix=fix)
    return dict(list(known.values())[-MOST:])


def _asked(each: Any) -> tuple[str | None, str | None]:
    """A query's text and the id that was chosen for it."""
    if isinstance(each, LoggedQuery):
        return (each.query if each.mode != "vector" else None), each.chosen
    given = (each, None) if isinstance(each, str) else each
    if not isinstance(given, tuple) or len(given) != 2 or not isinstance(given[0], str):
        raise InputError(f"{each!r} is no query", fix='give strings, or ("a query", "id of the right document")')
    text, chosen = given
    return text, None if chosen is None else str(chosen)


def compare_models(
    engine: Engine, new: CollectionModel, asked: dict[str, set[str]], k: int, progress: Progress
) -> ModelChange:
    """What both models find for queries, and where each puts what was chosen."""
    k = positive_int(k, "k")
    old, facts = engine.bound()
    after = new.facts()
    texts = list(asked)
    mapped = new.map_after(facts)
    encoded = old.encode(texts, role="query")
    others = mapped(encoded) if mapped else new.encode(texts, role="query")
    questions = [
        checked_vectors(vectors, of, None, lambda row: f"the query {texts[row][:40]!r}").data
        for vectors, of in ((encoded, facts), (others, after))
    ]

    def under_both(vectors: Vectors, of: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return vectors.data, (mapped(vectors) if mapped else new.encode_checked(of, after)).data

    chosen = sorted(set().union(*asked.values()))
    wanted = _chosen_scores(engine, questions, texts, asked, chosen, under_both)
    best = [_Best(len(texts), k) for _ in questions]
    above = np.zeros((2, len(texts)), np.int64)
    with tracked(facts["documents"], "documents", progress) as update:
        done = 0
        for documents, vectors in engine.stored():
            rows = under_both(vectors, [each.text for each in documents])
            ids = np.array([each.id for each in documents], object)
            for side, (question, row) in enumerate(zip(questions, rows, strict=True)):
                scores = question @ row.T
                best[side].take(ids, scores)
                above[side] += (scores > wanted[side][:, None] + 1e-6).sum(axis=1)
            update(done := done + len(documents))
    return _model_change(facts, after, texts, best, above, wanted, k, mapped is not None)


def _chosen_scores(
    engine: Engine,
    questions: Sequence[Any],
    texts: list[str],
    asked: dict[str, set[str]],
    chosen: list[str],
    both: Any,
) -> NDArray[np.float64]:
    """What the best of the chosen documents scores for each query under both, shape (2, q); NaN for none."""
    wanted = np.full((2, len(texts)), np.nan)
    for documents, vectors in engine.stored(chosen) if chosen else ():
        rows = both(vectors, [each.text for each in documents])
        right = np.array([[each.id in asked[text] for each in documents] for text in texts])
        for side, (question, row) in enumerate(zip(questions, rows, strict=True)):
            scores = np.where(right, question @ row.T, -np.inf).max(axis=1)
            wanted[side] = np.fmax(wanted[side], np.where(np.isfinite(scores), scores, np.nan))
    return wanted


class _Best:
    """The k best documents of each of q queries so far, of ids and scores."""

    def __init__(self, queries: int, k: int) -> None:
        self.k = k
        self.ids = np.empty((queries, 0), object)
        self.scores = np.empty((queries, 0), np.float32)

    def take(self, ids: NDArray[Any], scores: NDArray[np.float32]) -> None:
        """Look at some documents; scores: shape (q, n)."""
        scores = np.concatenate([self.scores, scores], axis=1)
        ids = np.concatenate([self.ids, np.broadcast_to(ids, (len(scores), len(ids)))], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self.k]
        self.ids, self.scores = np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1)


def _model_change(
    before: dict[str, Any],
    after: dict[str, Any],
    texts: list[str],
    best: Sequence[_Best],
    above: NDArray[np.int64],
    wanted: NDArray[np.float64],
    k: int,
    mapped: bool,
) -> ModelChange:
    """What was found, in figures."""
    pairs = [({*one}, {*other}) for one, other in zip(best[0].ids.tolist(), best[1].ids.tolist(), strict=True)]
    shared = np.array([len(one & other) / len(one) if one else 1.0 for one, other in pairs])
    firsts = [[row[0] if row else None for row in side.ids.tolist()] for side in best]
    order = sorted(range(len(texts)), key=lambda row: (shared[row], texts[row]))
    changed = (row for row in order if shared[row] < 1 or firsts[0][row] != firsts[1][row])
    moved = tuple(
        Moved(texts[row], float(shared[row]), *(tuple(side.ids[row].tolist()[:3]) for side in best))
        for row in islice(changed, SHOWN)
    )
    overlap = bootstrap_mean(shared)
    return ModelChange(
        before=before["model"],
        after=after["model"],
        documents=before["documents"],
        queries=len(texts),
        k=k,
        mapped=mapped,
        overlap=float(shared.mean()),
        interval=(overlap.low, overlap.high),
        other_first=sum(one != other for one, other in zip(*firsts, strict=True)),
        moved=moved,
        chosen=_rank_change(above, wanted),
    )


def _rank_change(above: NDArray[np.int64], wanted: NDArray[np.float64]) -> RankChange | None:
    """Where what was chosen stands under both, where enough was."""
    told = ~np.isnan(wanted[0])
    if (count := int(told.sum())) < FEWEST:
        return None
    old, new = 1 / (1 + above[:, told])
    change = paired_bootstrap(weighted_mean(new), weighted_mean(old), count)
    first = (above[:, told] == 0).mean(axis=1).tolist()
    return RankChange(
        count,
        float(old.mean()),
        float(new.mean()),
        change.value,
        (change.low, change.high),
        float(change.p),
        *first,
    )
