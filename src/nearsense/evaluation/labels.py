"""Texts with labels: answered by the nearest known text, or put into groups. Not pairs, not rankings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from nearsense.datasets import Clustering, Intents
from nearsense.evaluation.judging import Outcome, worst
from nearsense.evaluation.results import Mistake
from nearsense.metrics.agreement import weighted_adjusted_rand, weighted_v_measure
from nearsense.metrics.classification import weighted_false_accepts, weighted_roc_auc
from nearsense.metrics.resampling import mean_of, weighted_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nearsense.evaluation.systems import Finder, Grouper
    from nearsense.metrics.resampling import Statistic

__all__ = ["SEEDS", "clustering", "intents"]

SEEDS = (0, 1, 2, 3, 4)
"""k-means begins at chance: figures are means over so many beginnings."""

STRANGER = "out of scope"


def intents(data: Intents, system: Finder) -> Outcome:
    """How often the nearest known text has the right label, and how well its score tells strangers."""
    known, labels, own = _known(data)
    found = system.nearest(data.texts, known, 1 if own is None else 2)
    selves = [-2] * len(data) if own is None else own.tolist()
    tops = [_top(*each) for each in zip(found.ids, found.scores, selves, strict=True)]
    scores = np.array([score for _, score in tops])
    shares = np.array(
        [
            np.mean([labels[place] == label for place in rows]) if len(rows) else 0.0
            for (rows, _), label in zip(tops, data.labels, strict=True)
        ]
    )  # of a tie's labels, how many are right
    nearest = [_shown(rows, labels, known, label) for (rows, _), label in zip(tops, data.labels, strict=True)]
    answers = [labels[place] if place >= 0 else None for place in nearest]
    inside = np.array([label is not None for label in data.labels], np.float64)
    figures: dict[str, Statistic] = {"accuracy": weighted_share(shares, inside)}
    thresholds = {}
    if not inside.all():
        figures["auroc"] = weighted_roc_auc(inside, scores)
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
            for row, size in worst(sure, count, data.texts.__getitem__)
            if np.isfinite(size)
        )

    return Outcome(len(data), figures, mistakes, scores, inside, thresholds)


def _top(ids: NDArray[np.int64], scores: NDArray[np.float64], own: int) -> tuple[list[int], float]:
    """The rows that are nearest, several where they are tied, and their score; a text is not near itself."""
    others = ids != own
    ids, scores = ids[others], scores[others]
    return (ids[scores == scores[0]].tolist(), float(scores[0])) if len(ids) else ([], 0.0)


def _shown(rows: list[int], labels: Sequence[str], known: Sequence[str], right: str | None) -> int:
    """The one of several tied rows that is shown, whatever their order: one with a wrong label if there is any."""
    return min(rows, key=lambda row: (labels[row] == right, known[row], labels[row]), default=-1)


def _known(data: Intents) -> tuple[list[str], list[str], NDArray[np.int64] | None]:
    """The texts that answers come from, their labels, and, where they are the same texts, which is whose own."""
    if data.known is not None:
        return list(data.known), list(data.known_labels), None
    rows = [(row, label) for row, label in enumerate(data.labels) if label is not None]
    own = np.full(len(data), -2, np.int64)  # no row of what is found, and not what stands for nothing found
    own[[row for row, _ in rows]] = np.arange(len(rows))
    return [data.texts[row] for row, _ in rows], [label for _, label in rows], own


def _accepting(scores: NDArray[np.float64], share: float) -> float:
    """The highest score at which a share of all are at least as high."""
    falling = np.sort(scores)[::-1]
    return float(falling[max(0, int(np.ceil(share * len(falling) - 1e-9)) - 1)])


def clustering(data: Clustering, system: Grouper) -> Outcome:
    """How well as many groups as there are labels agree with them: V-measure and adjusted Rand index."""
    groups = system.groups(data.texts, len(set(data.labels)), SEEDS)
    figures = {
        "v_measure": mean_of([weighted_v_measure(data.labels, each) for each in groups]),
        "adjusted_rand": mean_of([weighted_adjusted_rand(data.labels, each) for each in groups]),
    }

    def mistakes(count: int) -> tuple[Mistake, ...]:
        """Texts of the first grouping whose neighbours have mostly one other label."""
        members = [Counter[str]() for _ in range(int(groups[0].max()) + 1)]
        for label, group in zip(data.labels, groups[0].tolist(), strict=True):
            members[group][label] += 1
        leaders = [each.most_common(1)[0] if each else ("", 0) for each in members]
        shares = np.array(
            [count / max(sum(each.values()), 1) for (_, count), each in zip(leaders, members, strict=True)]
        )
        astray = np.array(
            [shares[group] if leaders[group][0] != label else -1.0
             for label, group in zip(data.labels, groups[0].tolist(), strict=True)]
        )  # fmt: skip
        return tuple(
            Mistake(leaders[groups[0][row]][0], data.labels[row], (data.texts[row],), share, share)
            for row, share in worst(astray, count, data.texts.__getitem__)
            if share > 0
        )

    return Outcome(len(data), figures, mistakes, centred=frozenset(figures))
