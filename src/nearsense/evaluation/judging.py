"""Scores against what is true: pairs, triplets, rankings, and texts with labels, each to its figures and errors.

Every judge takes a data set and a system and gives an `Outcome`; `JUDGES` names the one of each task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import metrics
from nearsense.datasets import Clustering, GradedPairs, Intents, LabelledPairs, Rerank, Retrieval, Task, Triplets
from nearsense.evaluation.results import FIGURES, Mistake
from nearsense.evaluation.systems import ROUNDING, Found, level_ties
from nearsense.metrics.agreement import weighted_adjusted_rand, weighted_v_measure
from nearsense.metrics.classification import weighted_best_accuracy, weighted_best_f1, weighted_false_accepts
from nearsense.metrics.resampling import weighted_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.evaluation.systems import System
    from nearsense.metrics.resampling import Statistic

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

DEPTH = 100  # hits that are looked at for each query
SHOWN = 10  # hits of each query whose scores are kept
QUERIES = 64  # queries whose rankings stand in one table: long ties make it wide

LEAST_EXPECTED = 6.0
"""Relevant documents that chance alone would find, from which on finding few of them says something."""

STRANGER = "out of scope"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a system did on a data set."""

    n: int  # how many items are resampled
    figures: Mapping[str, Statistic]  # from how often each item was drawn, to each figure; the main one first
    mistakes: Callable[[int], tuple[Mistake, ...]]  # the worst errors, of which so many are wanted
    scores: Floats = field(default_factory=lambda: np.zeros(0))  # the raw score of each item
    labels: Floats = field(default_factory=lambda: np.zeros(0))  # what is true of it
    thresholds: Mapping[str, float] = field(default_factory=dict)  # of the figures that need one
    centred: frozenset[str] = frozenset()
    """Figures whose resamples are off on one side: intervals move to the figure."""
    values: Floats = field(default_factory=lambda: np.zeros(0))
    """The main figure of each query, where it is their mean."""
    standing: Floats = field(default_factory=lambda: np.zeros(0))
    """Of each relevant document of a search the share of the corpus that is farther from the query."""


def judge_graded(data: GradedPairs, system: System) -> Outcome:
    """How well scores follow those of the data: Spearman and Pearson."""
    truth = np.array(data.scores, np.float64)
    scores = system.pairs(*_sides(data.pairs))

    def mistakes(count: int) -> tuple[Mistake, ...]:
        fitted = np.clip(_fitted(scores, truth), *(data.scale or (-np.inf, np.inf)))
        return tuple(
            Mistake(f"{fitted[row]:.2f}", f"{truth[row]:g}", data.pairs[row], float(scores[row]), float(off))
            for row, off in worst_rows(np.abs(fitted - truth), count, data.pairs.__getitem__)
        )

    spearman, pearson = metrics.weighted_spearman(truth, scores), metrics.weighted_pearson(truth, scores)
    return Outcome(len(data), {"spearman": spearman, "pearson": pearson}, mistakes, scores, truth)


def judge_labelled(data: LabelledPairs, system: System) -> Outcome:
    """How well scores part the same from the different."""
    truth = np.array(data.labels, np.float64)
    scores = system.pairs(*_sides(data.pairs))
    f1, accuracy = metrics.best_f1(truth, scores), metrics.best_accuracy(truth, scores)

    def mistakes(count: int) -> tuple[Mistake, ...]:
        over = scores - f1.threshold
        said, right = ([data.words[int(each)] for each in which] for which in (over >= 0, truth))
        return tuple(
            Mistake(said[row], right[row], data.pairs[row], float(scores[row]), float(off))
            for row, off in worst_rows(np.where(truth > 0, -over, over), count, data.pairs.__getitem__)
            if off > 0 or (off == 0 and not truth[row])
        )

    figures = {
        "average_precision": metrics.weighted_average_precision(truth, scores),
        "roc_auc": metrics.weighted_roc_auc(truth, scores),
        "best_f1": weighted_best_f1(truth, scores),
        "best_accuracy": weighted_best_accuracy(truth, scores),
    }
    thresholds = {"best_f1": f1.threshold, "best_accuracy": accuracy.threshold}
    return Outcome(len(data), figures, mistakes, scores, truth, thresholds)


def judge_triplets(data: Triplets, system: System) -> Outcome:
    """How often the anchor is nearer to the positive than to the negative; as near to both counts half."""
    anchors, positives, negatives = ([each[place] for each in data.triplets] for place in range(3))
    scores = system.pairs(anchors + anchors, positives + negatives)
    near, far = scores[: len(data)], scores[len(data) :]
    gaps = far - near

    def mistakes(count: int) -> tuple[Mistake, ...]:
        return tuple(
            Mistake("the negative is nearer", "the positive is nearer", data.triplets[row], float(gap), float(gap))
            for row, gap in worst_rows(gaps, count, data.triplets.__getitem__)
            if gap >= 0
        )

    labels = np.repeat([1.0, 0.0], len(data))
    tied = np.abs(gaps) <= ROUNDING * np.maximum(np.abs(near), np.abs(far))
    nearer = np.where(tied, 0.5, (gaps < 0).astype(float))
    return Outcome(len(data), {"accuracy": metrics.weighted_mean(nearer)}, mistakes, scores, labels)


def worst_rows(sizes: Floats, count: int, key: Callable[[int], Any]) -> list[tuple[int, float]]:
    """The rows with the largest sizes, largest first, and their sizes; equal ones by what they hold."""
    if not count or not len(sizes):
        return []
    rounded = np.round(sizes, 9)
    least = np.partition(rounded, -count)[-count] if count < len(sizes) else -np.inf
    rows = sorted(np.flatnonzero(rounded >= least).tolist(), key=lambda row: (-rounded[row], key(row)))
    return [(row, float(sizes[row])) for row in rows[:count]]


def _sides(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [a for a, _ in pairs], [b for _, b in pairs]


def _fitted(scores: Floats, truth: Floats) -> Floats:
    """Scores on the scale of the truth, by the straight line of least squares."""
    centred = scores - scores.mean()
    spread = float(centred @ centred)
    slope = float(centred @ (truth - truth.mean())) / spread if spread else 0.0
    fitted: Floats = truth.mean() + slope * centred
    return fitted


def judge_retrieval(data: Retrieval, system: System) -> Outcome:
    """nDCG@10, MRR@10, recall and average precision of what is found in the corpus."""
    ids, texts = list(data.corpus), list(data.corpus.values())
    places = {id_: place for place, id_ in enumerate(ids)}
    judged = [{places[id_]: grade for id_, grade in grades.items() if id_ in places} for grades in data.judgements]
    found = system.nearest(data.queries, texts, min(DEPTH, len(ids)), searching=True)
    grades = [
        np.array([own.get(place, 0.0) for place in row.tolist()], np.float64)
        for own, row in zip(judged, found.ids, strict=True)
    ]
    ideal = [list(each.values()) for each in data.judgements]
    values = _figures(FIGURES[Task.RETRIEVAL], grades, found.scores, ideal)
    ndcg = values["ndcg@10"]

    def mistakes(count: int) -> tuple[Mistake, ...]:
        return tuple(
            _badly_answered(data, row, [ids[place] for place in found.ids[row].tolist()], found.scores[row], size)
            for row, size in worst_rows(1.0 - ndcg, count, data.queries.__getitem__)
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


def _figures(
    names: Sequence[str], grades: Sequence[Floats], scores: Sequence[Floats], ideal: Sequence[Sequence[float]]
) -> dict[str, Floats]:
    """The figures of each query by their names, such as "recall@10"; ties count by their expectation."""
    relevant = np.array([sum(grade > 0 for grade in each) for each in ideal])
    parts: dict[str, list[Floats]] = {name: [] for name in names}
    for begin in range(0, len(grades), QUERIES):
        own, level, best, total = (each[begin : begin + QUERIES] for each in (grades, scores, ideal, relevant))
        for name, values in parts.items():
            what, _, depth = name.partition("@")
            k = int(depth) if depth else None
            if what == "ndcg":
                values.append(metrics.ndcg(own, best, k, scores=level))
            elif what == "mrr":
                values.append(metrics.reciprocal_rank(own, k, scores=level))
            else:
                measured = metrics.recall if what == "recall" else metrics.ranked_average_precision
                values.append(measured(own, total, k, scores=level))
    return {name: np.concatenate(each) for name, each in parts.items()}


def _worst_first(grades: Floats, scores: Floats, names: Sequence[str] | None = None) -> list[int]:
    """The places of a ranking, those of a tie by their grade, the worst first, and then by name."""
    order = range(len(grades))
    return sorted(order, key=lambda at: (-scores[at], grades[at], names[at] if names else 0))


def _tied(scores: Floats, place: int) -> str:
    """How many others have the score of a place, where there are any."""
    others = int(np.count_nonzero(scores == scores[place])) - 1
    return f", tied with {others:,} other{'s'[: others > 1]}" if others else ""


def _badly_answered(data: Retrieval, row: int, found: list[str], scores: Floats, size: float) -> Mistake:
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


def judge_rerank(data: Rerank, system: System) -> Outcome:
    """MAP, MRR@10 and nDCG@10 of each query's own candidates, put in order."""
    sizes = [len(each) for each in data.candidates]
    queries = [query for query, size in zip(data.queries, sizes, strict=True) for _ in range(size)]
    flat = [text for each in data.candidates for text in each]
    truth = np.array([float(label) for each in data.labels for label in each])
    scores = system.pairs(queries, flat, searching=True)
    ends = np.cumsum(sizes)[:-1]
    orders = [np.argsort(-own, kind="stable") for own in np.split(scores, ends)]
    levels = [level_ties(own[order]) for own, order in zip(np.split(scores, ends), orders, strict=True)]
    grades = [own[order] for own, order in zip(np.split(truth, ends), orders, strict=True)]
    values = _figures(FIGURES[Task.RERANK], grades, levels, [each.tolist() for each in grades])
    precision = values["map"]

    def mistakes(count: int) -> tuple[Mistake, ...]:
        found = []
        for row, size in worst_rows(1.0 - precision, count, data.queries.__getitem__):
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


def judge_intents(data: Intents, system: System) -> Outcome:
    """How often the nearest known text has the right label, and how well its score tells strangers."""
    known, labels, own = _known_texts(data)
    found = system.nearest(data.texts, known, 1 if own is None else 2)
    selves = [-2] * len(data) if own is None else own.tolist()
    tops = [_top(*each) for each in zip(found.ids, found.scores, selves, strict=True)]
    scores = np.array([score for _, score in tops])
    pairs = [(rows, label) for (rows, _), label in zip(tops, data.labels, strict=True)]
    right = ([labels[place] == label for place in rows] for rows, label in pairs)
    shares = np.array([np.mean(each) if each else 0.0 for each in right])  # of a tie's labels
    nearest = [_shown_of(rows, labels, known, label) for rows, label in pairs]
    answers = [labels[place] if place >= 0 else None for place in nearest]
    inside = np.array([label is not None for label in data.labels], np.float64)
    figures: dict[str, Statistic] = {"accuracy": weighted_share(shares, inside)}
    thresholds = {}
    if not inside.all():
        figures["auroc"] = metrics.weighted_roc_auc(inside, scores)
        figures["false_accepts@95"] = weighted_false_accepts(inside, scores)
        thresholds["false_accepts@95"] = _accepting(scores[inside > 0], 0.95)

    def mistakes(count: int) -> tuple[Mistake, ...]:
        sure = np.where((shares == 1) & (inside > 0), -np.inf, scores)
        return tuple(
            Mistake(
                prediction=answers[row] or "nothing",
                truth=data.labels[row] or STRANGER,
                texts=(data.texts[row], known[nearest[row]] if nearest[row] >= 0 else ""),
                score=float(scores[row]),
                size=size,
            )
            for row, size in worst_rows(sure, count, data.texts.__getitem__)
            if np.isfinite(size)
        )

    return Outcome(len(data), figures, mistakes, scores, inside, thresholds)


def _top(ids: Ints, scores: Floats, own: int) -> tuple[list[int], float]:
    """The rows that are nearest, several where they are tied, and their score; a text is not near itself."""
    others = ids != own
    ids, scores = ids[others], scores[others]
    return (ids[scores == scores[0]].tolist(), float(scores[0])) if len(ids) else ([], 0.0)


def _shown_of(rows: list[int], labels: Sequence[str], known: Sequence[str], right: str | None) -> int:
    """The one of several tied rows that is shown, whatever their order: one with a wrong label if there is any."""
    return min(rows, key=lambda row: (labels[row] == right, known[row], labels[row]), default=-1)


def _known_texts(data: Intents) -> tuple[list[str], list[str], Ints | None]:
    """The texts that answers come from, their labels, and, where they are the same texts, which is whose own."""
    if data.known is not None:
        return list(data.known), list(data.known_labels), None
    rows = [(row, label) for row, label in enumerate(data.labels) if label is not None]
    own = np.full(len(data), -2, np.int64)  # no row of what is found, and not what stands for nothing found
    own[[row for row, _ in rows]] = np.arange(len(rows))
    return [data.texts[row] for row, _ in rows], [label for _, label in rows], own


def _accepting(scores: Floats, share: float) -> float:
    """The highest score at which a share of all are at least as high."""
    falling = np.sort(scores)[::-1]
    return float(falling[max(0, int(np.ceil(share * len(falling) - 1e-9)) - 1)])


def judge_clustering(data: Clustering, system: System) -> Outcome:
    """How well as many groups as there are labels agree with them: V-measure and adjusted Rand index."""
    groups = system.groups(data.texts, len(set(data.labels)))
    figures = {
        "v_measure": weighted_v_measure(data.labels, groups),
        "adjusted_rand": weighted_adjusted_rand(data.labels, groups),
    }

    def mistakes(count: int) -> tuple[Mistake, ...]:
        """Texts whose neighbours have mostly one other label."""
        members = [Counter[str]() for _ in range(int(groups.max()) + 1)]
        for label, group in zip(data.labels, groups.tolist(), strict=True):
            members[group][label] += 1
        leaders = [each.most_common(1)[0] if each else ("", 0) for each in members]
        said = [leaders[group][0] for group in groups.tolist()]
        shares = np.array([leaders[group][1] / members[group].total() for group in groups.tolist()])
        astray = np.where([one != label for one, label in zip(said, data.labels, strict=True)], shares, -1.0)
        return tuple(
            Mistake(said[row], data.labels[row], (data.texts[row],), share, share)
            for row, share in worst_rows(astray, count, data.texts.__getitem__)
            if share > 0
        )

    return Outcome(len(data), figures, mistakes, centred=frozenset(figures))


JUDGES: Mapping[Task, Callable[[Any, Any], Outcome]] = {
    Task.GRADED: judge_graded,
    Task.LABELLED: judge_labelled,
    Task.TRIPLETS: judge_triplets,
    Task.RETRIEVAL: judge_retrieval,
    Task.RERANK: judge_rerank,
    Task.INTENTS: judge_intents,
    Task.CLUSTERING: judge_clustering,
}
