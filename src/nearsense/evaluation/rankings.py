"""Rankings: what a search finds, or how candidates are ordered, against judgements. Not the search itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.datasets import Rerank, Retrieval
from nearsense.evaluation.judging import Outcome, worst
from nearsense.evaluation.results import Mistake
from nearsense.evaluation.ties import Found, levelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from nearsense.evaluation.systems import Finder, Scorer

    Floats = NDArray[np.float64]

__all__ = ["DEPTH", "rerank", "retrieval"]

DEPTH = 100
"""Hits that are looked at for each query."""

SHOWN = 10
"""Hits of each query whose scores are kept."""

QUERIES = 64
"""Queries whose rankings stand in one table: long ties make it wide."""


def retrieval(data: Retrieval, system: Finder) -> Outcome:
    """nDCG@10, MRR@10, recall and average precision of what is found in the corpus."""
    from nearsense import metrics

    ids, texts = list(data.corpus), list(data.corpus.values())
    places = {id_: place for place, id_ in enumerate(ids)}
    judged = [{places[id_]: grade for id_, grade in grades.items() if id_ in places} for grades in data.judgements]
    found = system.nearest(data.queries, texts, min(DEPTH, len(ids)), searching=True)
    grades = [
        np.array([own.get(place, 0.0) for place in row.tolist()], np.float64)
        for own, row in zip(judged, found.ids, strict=True)
    ]
    values = _figures(grades, found.scores, [list(each.values()) for each in data.judgements], whole=False)
    ndcg = values["ndcg@10"]

    def mistakes(count: int) -> tuple[Mistake, ...]:
        return tuple(
            _missed(data, row, [ids[place] for place in found.ids[row].tolist()], found.scores[row], size)
            for row, size in worst(1.0 - ndcg, count, data.queries.__getitem__)
            if size > 0
        )

    shown = [_worst_first(own, scores)[:SHOWN] for own, scores in zip(grades, found.scores, strict=True)]
    return Outcome(
        len(data),
        {name: metrics.weighted_mean(value) for name, value in values.items()},
        mistakes,
        np.concatenate([scores[order] for scores, order in zip(found.scores, shown, strict=True)]),
        np.concatenate([own[order] > 0 for own, order in zip(grades, shown, strict=True)]).astype(np.float64),
        values=ndcg,
        standing=_standing(judged, found, len(ids)),
    )


def _standing(judged: Sequence[Mapping[int, float]], found: Found, corpus: int) -> Floats:
    """How many are farther from the query than each relevant document, as a share; a tie counts half.

    Of the whole corpus: documents that the data names as not relevant were mostly chosen for being near. What was
    not found lies behind what was; where far fewer are found than chance alone would find, they lie at the end.
    """
    shares: list[float] = []
    hits = expected = 0.0
    for own, ids, scores in zip(judged, found.ids, found.scores, strict=True):
        at = dict(zip(ids.tolist(), scores.tolist(), strict=True))
        relevant = [place for place, grade in own.items() if grade > 0]
        unseen = corpus - len(ids)
        expected += len(relevant) * len(ids) / corpus
        for place in relevant:
            hits += place in at
            score = at.get(place, -np.inf)
            level = np.count_nonzero(scores == score) + (unseen if place not in at else 0)
            below = np.count_nonzero(scores < score) + (unseen if place in at else 0)
            shares.append((below + level / 2.0) / corpus)
    if expected >= LEAST_EXPECTED and hits <= expected / 4.0:
        return np.full(len(shares), hits / expected / 2.0)
    return np.array(shares)


LEAST_EXPECTED = 6.0
"""Relevant documents that chance alone would find, from which on finding few of them says something."""


def _figures(
    grades: Sequence[Floats], scores: Sequence[Floats], ideal: Sequence[Sequence[float]], *, whole: bool
) -> dict[str, Floats]:
    """The figures of each query, those of a search or those of whole rankings; ties count by their expectation."""
    from nearsense import metrics

    relevant = np.array([sum(grade > 0 for grade in each) for each in ideal])
    parts: dict[str, list[Floats]] = {}
    for begin in range(0, len(grades), QUERIES):
        own, level, best, total = (each[begin : begin + QUERIES] for each in (grades, scores, ideal, relevant))
        ndcg = metrics.ndcg(own, best, 10, scores=level)
        reciprocal = metrics.reciprocal_rank(own, 10, scores=level)
        if whole:
            precision = metrics.ranked_average_precision(own, total, scores=level)
            values = {"map": precision, "mrr@10": reciprocal, "ndcg@10": ndcg}
        else:
            values = {
                "ndcg@10": ndcg,
                "mrr@10": reciprocal,
                "recall@10": metrics.recall(own, total, 10, scores=level),
                f"recall@{DEPTH}": metrics.recall(own, total, DEPTH, scores=level),
                f"map@{DEPTH}": metrics.ranked_average_precision(own, total, DEPTH, scores=level),
            }
        for name, value in values.items():
            parts.setdefault(name, []).append(value)
    return {name: np.concatenate(each) for name, each in parts.items()}


def _worst_first(grades: Floats, scores: Floats, names: Sequence[str] | None = None) -> list[int]:
    """The places of a ranking, those of a tie by their grade, the worst first, and then by name."""
    order = range(len(grades))
    return sorted(order, key=lambda at: (-scores[at], grades[at], names[at] if names else 0))


def _tied(scores: Floats, place: int) -> str:
    """How many others have the score of a place, where there are any."""
    others = int(np.count_nonzero(scores == scores[place])) - 1
    return f", tied with {others:,} other{'s'[: others > 1]}" if others else ""


def _missed(data: Retrieval, row: int, found: list[str], scores: Floats, size: float) -> Mistake:
    """A query whose answers stand low: what was found first, and the best answer with its place."""
    judged = data.judgements[row]
    order = _worst_first(np.array([judged.get(id_, 0.0) for id_ in found]), scores, found)
    named = [found[at] for at in order]
    answers = sorted((id_ for id_ in judged if judged[id_] > 0), key=lambda id_: (-judged[id_], id_))
    best = next((id_ for id_ in named if judged.get(id_, 0) > 0), answers[0])
    where = f"not among the first {DEPTH}"
    if best in named:
        place = named.index(best)
        where = f"at place {place + 1}{_tied(scores[order], place)}"
    first = named[0] if named else ""
    return Mistake(
        prediction=first or "nothing",
        truth=f"{best}, {where}",
        texts=(data.queries[row], data.corpus.get(first, ""), data.corpus.get(best, "")),
        score=float(scores[0]) if named else float("-inf"),
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
    levels = [levelled(own[order]) for own, order in zip(np.split(scores, ends), orders, strict=True)]
    grades = [own[order] for own, order in zip(np.split(truth, ends), orders, strict=True)]
    values = _figures(grades, levels, [each.tolist() for each in grades], whole=True)
    precision = values["map"]

    def mistakes(count: int) -> tuple[Mistake, ...]:
        found = []
        for row, size in worst(1.0 - precision, count, data.queries.__getitem__):
            if size > 0:
                texts = [data.candidates[row][at] for at in orders[row].tolist()]
                order = _worst_first(grades[row], levels[row], texts)
                place = next(at for at, each in enumerate(order) if grades[row][each] > 0)
                where = f"a right one at place {place + 1} of {sizes[row]}{_tied(levels[row][order], place)}"
                wrong = "right" if place == 0 else "wrong"
                first, right = (texts[order[at]] for at in (0, place))
                score = float(levels[row][0])
                found.append(
                    Mistake(f"the first is {wrong}", where, (data.queries[row], first, right), score, size)
                )
        return tuple(found)

    figures = {name: metrics.weighted_mean(value) for name, value in values.items()}
    return Outcome(len(data), figures, mistakes, scores, truth, values=precision)
