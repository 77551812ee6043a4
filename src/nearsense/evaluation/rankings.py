"""Rankings: what a search finds, or how candidates are ordered, against judgements. Not the search itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.datasets import Rerank, Retrieval
from nearsense.evaluation.judging import Outcome, worst
from nearsense.evaluation.results import Mistake

if TYPE_CHECKING:
    from nearsense.evaluation.systems import Finder, Scorer

__all__ = ["DEPTH", "rerank", "retrieval"]

DEPTH = 100
"""Hits that are looked at for each query."""

SHOWN = 10
"""Hits of each query whose scores are kept."""


def retrieval(data: Retrieval, system: Finder) -> Outcome:
    """nDCG@10, MRR@10, recall and average precision of what is found in the corpus."""
    from nearsense import metrics

    ids, texts = list(data.corpus), list(data.corpus.values())
    places = {id_: place for place, id_ in enumerate(ids)}
    judged = [{places[id_]: grade for id_, grade in grades.items() if id_ in places} for grades in data.judgements]
    found = system.nearest(data.queries, texts, min(DEPTH, len(ids)), searching=True)
    grades = np.array(
        [[own.get(place, 0.0) for place in row] for own, row in zip(judged, found.ids.tolist(), strict=True)]
    )
    ideal = [list(each.values()) for each in data.judgements]
    relevant = np.array([sum(grade > 0 for grade in each) for each in ideal])
    ndcg = metrics.ndcg(grades, ideal, 10)
    values = {
        "ndcg@10": ndcg,
        "mrr@10": metrics.reciprocal_rank(grades, 10),
        "recall@10": metrics.recall(grades, relevant, 10),
        f"recall@{DEPTH}": metrics.recall(grades, relevant, DEPTH),
        f"map@{DEPTH}": metrics.ranked_average_precision(grades, relevant, DEPTH),
    }

    def mistakes(count: int) -> tuple[Mistake, ...]:
        return tuple(_missed(data, ids, row, found.ids[row].tolist(), found.scores[row, 0], size)
                     for row, size in worst(1.0 - ndcg, count) if size > 0)  # fmt: skip

    shown = found.ids[:, :SHOWN] >= 0
    return Outcome(
        len(data),
        {name: metrics.weighted_mean(value) for name, value in values.items()},
        mistakes,
        found.scores[:, :SHOWN][shown],
        (grades[:, :SHOWN][shown] > 0).astype(np.float64),
        values=ndcg,
    )


def _missed(data: Retrieval, ids: list[str], row: int, found: list[int], score: float, size: float) -> Mistake:
    """A query whose answers stand low: what was found first, and the best answer with its place."""
    judged = data.judgements[row]
    answers = sorted((id_ for id_ in judged if judged[id_] > 0), key=lambda id_: -judged[id_])
    best = next((ids[place] for place in found if place >= 0 and judged.get(ids[place], 0) > 0), answers[0])
    named = [ids[place] if place >= 0 else "" for place in found]
    where = f"at place {named.index(best) + 1}" if best in named else f"not among the first {len(found)}"
    first = named[0]
    return Mistake(
        prediction=first or "nothing",
        truth=f"{best}, {where}",
        texts=(data.queries[row], data.corpus.get(first, ""), data.corpus.get(best, "")),
        score=float(score),
        size=size,
    )


def rerank(data: Rerank, system: Scorer) -> Outcome:
    """MAP, MRR@10 and nDCG@10 of each query's own candidates, put in order."""
    from nearsense import metrics

    sizes = [len(each) for each in data.candidates]
    queries = [query for query, size in zip(data.queries, sizes, strict=True) for _ in range(size)]
    flat = [text for each in data.candidates for text in each]
    truth = np.array([float(label) for each in data.labels for label in each])
    scores = system.pairs(queries, flat, searching=True)
    ends = np.cumsum(sizes)[:-1]
    orders = [np.argsort(-own, kind="stable") for own in np.split(scores, ends)]
    grades = [own[order] for own, order in zip(np.split(truth, ends), orders, strict=True)]
    relevant = np.array([own.sum() for own in grades])
    precision = metrics.ranked_average_precision(grades, relevant)
    values = {
        "map": precision,
        "mrr@10": metrics.reciprocal_rank(grades, 10),
        "ndcg@10": metrics.ndcg(grades, grades, 10),
    }

    def mistakes(count: int) -> tuple[Mistake, ...]:
        found = []
        for row, size in worst(1.0 - precision, count):
            if size > 0:
                place = int(np.argmax(grades[row] > 0))
                first, right = (data.candidates[row][int(orders[row][at])] for at in (0, place))
                score = float(np.split(scores, ends)[row].max())
                truth = f"a right one at place {place + 1} of {sizes[row]}"
                wrong = "right" if place == 0 else "wrong"
                found.append(
                    Mistake(f"the first is {wrong}", truth, (data.queries[row], first, right), score, size)
                )
        return tuple(found)

    figures = {name: metrics.weighted_mean(value) for name, value in values.items()}
    return Outcome(len(data), figures, mistakes, scores, truth, values=precision)
