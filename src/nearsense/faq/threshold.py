"""From which probability on a FAQ answers, so that a wanted share of its answers is right. Not the probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.faq.certainty import features
from nearsense.faq.rehearsal import Asked, Rehearsal, borrowed, stranger_shares
from nearsense.records import as_json, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float64 = NDArray[np.float64]

__all__ = ["AnswerThreshold", "choose"]

LOAN, LOAN_OF_CURVES = 50.0, 200.0
"""How many questions of its own those of other FAQs are worth, where a threshold is drawn; and where the general
curves, which have seen many more, say how right those are."""

LEAST = 0.25
"""Never answer below this probability, however rare strangers are: one answer in four right is no answer."""


@dataclass(frozen=True, slots=True)
class AnswerThreshold:
    """From where on a FAQ answers, and how that was found.

    Args:
        probability: The least that an answer must have.
        score: About the score that has it, beside a second entry that scores as strangers do.
        wanted: The precision that was asked for.
        precision: What was measured among the questions that it was chosen on, weighted by the prior; 0 where none
            is answered.
        interval: 95 % interval of that.
        answered: The share of the questions with an entry that are answered rightly at it.
        chosen_on: Which questions those were, and how many.
    """

    probability: float
    score: float
    wanted: float
    precision: float
    interval: tuple[float, float]
    answered: float
    chosen_on: str

    def __str__(self) -> str:
        if not self.answered:
            return (
                f"answers from {percent(self.probability)} on, since none of the questions that it was chosen on "
                f"is answered rightly with any certainty: {self.chosen_on}"
            )
        low, high = (percent(each) for each in self.interval)
        short = f", not the {percent(self.wanted)} that were wanted" if self.precision < self.wanted else ""
        return (
            f"answers from {percent(self.probability)} on (score about {self.score:.2f}): "
            f"{percent(self.precision)} of the answers right ({low} to {high}{short}), "
            f"{percent(self.answered)} of the questions with an entry answered; chosen on {self.chosen_on}"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


def choose(rehearsal: Rehearsal, precision: float, prior: float) -> AnswerThreshold:
    """The lowest probability above which the wanted share of answers is right.

    Args:
        rehearsal: What the FAQ knows of itself.
        precision: The share that is wanted, in (0, 1).
        prior: Which share of the questions it can answer, in (0, 1).
    """
    p, right, weights = _sample(rehearsal, prior)
    order = np.argsort(-p, kind="stable")
    p, right, weights = p[order], right[order], weights[order]
    if not right[p >= LEAST].any():
        return _silent(rehearsal, precision, prior, float(p[0]))
    total, good = np.cumsum(weights), np.cumsum(weights * right)
    last = np.append(p[1:] < p[:-1], True) & (p >= LEAST)  # equal probabilities are answered together
    share = np.where(last, good / total, -1.0)
    enough = np.flatnonzero(share >= precision)
    at = int(enough[-1]) if len(enough) else int(share.argmax())
    # Phrasings of one entry go right or wrong together: no more independent cases than entries.
    effective = min(total[at] ** 2 / (weights[: at + 1] ** 2).sum(), len(rehearsal.near.counts) + LOAN)
    # Halfway to the next one that was asked: what lies between is as far from the one as from the other.
    below = max(float(p[at + 1]), LEAST) if at + 1 < len(p) else LEAST
    line = (float(p[at]) + min(below, float(p[at]))) / 2
    return AnswerThreshold(
        probability=line,
        score=_score_of(line, rehearsal, prior),
        wanted=precision,
        precision=float(good[at] / total[at]),
        interval=_wilson(float(good[at] / total[at]), float(effective)),
        answered=float(good[at] / prior),
        chosen_on=_told(rehearsal),
    )


def _silent(rehearsal: Rehearsal, precision: float, prior: float, surest: float) -> AnswerThreshold:
    """Where nothing is answered rightly: above all that was asked, and no lower than the wanted share."""
    line = max(precision, (1 + surest) / 2)
    return AnswerThreshold(
        probability=line,
        score=_score_of(line, rehearsal, prior),
        wanted=precision,
        precision=0.0,
        interval=(0.0, 1.0),
        answered=0.0,
        chosen_on=_told(rehearsal),
    )


def _sample(rehearsal: Rehearsal, prior: float) -> tuple[Float64, Float64, Float64]:
    """Probability, rightness and weight of every question: own ones, and a loan of other FAQs' ones.

    A lent question is as right as the general curves say, as long as those hold: they have seen many more than are
    lent. Where the FAQ has moved them, whether it was right decides.
    """
    general = not len(rehearsal.known)
    loan = LOAN_OF_CURVES if general else LOAN
    shares = stranger_shares(max(len(rehearsal.akin), 1), len(rehearsal.outside))
    parts: list[tuple[Float64, Float64, Float64]] = []
    kinds = ("known", "akin", "outside")
    for kind, share in zip(kinds, (prior, *((1 - prior) * each for each in shares)), strict=True):
        own: Asked = getattr(rehearsal, kind)
        other = borrowed(kind, rehearsal.scale, len(rehearsal.near.counts))
        mine, lent = len(own) / (len(own) + loan), other[:, -1]
        for x, right, part in (
            (own.features(rehearsal.scale), own.right.astype(np.float64), mine),
            (other[:, :-1], lent, 1 - mine),
        ):
            if len(x):
                each = np.full(len(x), share * part / len(x))
                p = rehearsal.curves.best(x, prior)
                parts.append((p, p if general and right is lent else right, each))
    p, right, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return p, right, weights


def _score_of(probability: float, rehearsal: Rehearsal, prior: float) -> float:
    """The score with that probability, where the second entry scores as strangers do and words are as usual."""
    grid = np.linspace(rehearsal.scale.outside, 1.0, 512)
    x = features(grid, np.full(512, rehearsal.scale.outside), rehearsal.scale)
    x[:, -1] = np.median(borrowed("known", rehearsal.scale, len(rehearsal.near.counts))[:, -2]) * x[:, -2]
    reached = np.flatnonzero(rehearsal.curves.best(x, prior) >= probability)
    return float(grid[reached[0]]) if len(reached) else 1.0


def _wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n."""
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _told(rehearsal: Rehearsal) -> str:
    """Which questions a threshold was chosen on."""
    known, left, outside = len(rehearsal.known), len(rehearsal.akin), len(rehearsal.outside)
    names = {
        "known": "labelled questions" if "known" in rehearsal.labelled else "phrasings, each left out in turn",
        "akin": "labelled strangers" if "akin" in rehearsal.labelled else "questions whose entry was left out",
    }
    told = [f"{known:,} {names['known']}"] if known else []
    told += [f"{left:,} {names['akin']}"] if left else []
    told += [f"{outside:,} strangers from outside"]
    if known > LOAN:
        return f"{', '.join(told)} and some questions of other FAQs"
    return f"{', '.join(told)} and, for right answers, {'mostly' if known else 'only'} questions of other FAQs"
