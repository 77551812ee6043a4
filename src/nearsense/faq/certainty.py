"""How sure a FAQ is: from scores to the probability that the best entry is right, and from where on it answers.

Two logistic curves over the same features: that the FAQ knows the answer at all, and, where it does, that its best
entry is the right one. The probability is their product. A third, for "did you mean": that the right one is among
the best three. The share of questions that the FAQ can answer, the prior, enters the first curve only, as a shift
of its log-odds. What other FAQs taught is in prior.json, apart for those with one phrasing an entry.

A FAQ rehearses: it asks itself its phrasings with themselves left out, with their entries left out, and questions
from outside. The first say what right answers score, the second what strangers of the same field score, the third
what all others do. From these the nearness is chosen, the threshold is drawn, and a FAQ whose entries have several
phrasings corrects its curves (a Gaussian prior around the general coefficients).
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.faq.nearness import (
    GONE,
    MIXTURES,
    REFERENCE_SPREAD,
    EntryScores,
    Near,
    Nearness,
    Phrasebook,
    Questions,
    top_two,
)
from nearsense.records import as_json, percent
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    Floats = Float32 | Float64
    Int64 = NDArray[np.int64]

NO_SECOND = 0.3  # the margin of a FAQ of one entry, which has no second

UNITS = np.array([1.0, 0.2, 0.15, 0.08, 1.2, 0.5, 0.5, 0.2])
"""About one standard deviation of each feature, so that one strength of the prior suits all."""

STRENGTH = 5.0  # how many questions of its own the general coefficients are worth to a FAQ
SHARPNESS = 20.0  # how fast the probability falls from entry to entry with the score, beside the best one

MOST = 3000  # phrasings that are asked, evenly chosen; more tell nothing new
BLOCK = 256  # questions that are scored at once
STRANGEST = 0.25  # how far above the others a question from outside scores that counts as one the FAQ may know
AKIN, OUTSIDE = 0.5, 0.5  # which part of the strangers is of the FAQ's own field, and which is not

LOAN, LOAN_OF_CURVES = 50.0, 200.0
"""How many questions of its own those of other FAQs are worth, where a threshold is drawn; and where the general
curves, which have seen many more, say how right those are."""

LEAST = 0.25
"""Never answer below this probability, however rare strangers are: one answer in four right is no answer."""

SIZES = {"20": 20, "100": 100, "more": 1 << 62}  # classes of FAQs by the most entries of each


@dataclass(frozen=True, slots=True)
class Scale:
    """What scores mean in one FAQ by one model."""

    outside: float  # the mean best score of questions that have nothing to do with it
    spread: float  # 1 minus the mean cosine of unrelated questions
    phrasings: float  # the geometric mean of phrasings an entry
    answered: float = 0.0  # how much of the scores is the answers', in [0, 1]
    # how near the most foreign word of questions that have nothing to do with it is to their best entry, on
    # average; None where words are not compared
    foreign: float | None = None

    @property
    def unit(self) -> float:
        """How far scores reach, beside the model that the general coefficients were learnt with."""
        return self.spread / REFERENCE_SPREAD


def features(first: Floats, second: Floats, scale: Scale, least: Floats | None = None) -> Float64:
    """What the curves see of q questions with these best and second best scores (q,), or `GONE`: shape (q, 8).

    A constant; how far the best score is above that of strangers; how far above the second best (of "did you mean"
    the fourth); their product; how many phrasings an entry has; how much of the scores is the answers'; whether
    words are compared, and how much nearer the question's most foreign word is to the best entry, `least`, than
    those of strangers.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    above = (first - scale.outside) / scale.unit
    margin = np.where(second <= GONE / 2, NO_SECOND, (first - second) / scale.unit)
    many, said = (np.full(len(first), each) for each in (math.log(scale.phrasings), scale.answered))
    nearer = np.zeros(len(first))
    if least is not None and scale.foreign is not None:
        nearer = np.asarray(least, np.float64) - scale.foreign
    worded = np.full(len(first), float(scale.foreign is not None))
    return np.column_stack([np.ones(len(first)), above, margin, above * margin, many, said, worded, nearer])


def _general_covariance() -> Float64:
    """How uncertain the general coefficients are in a FAQ that has not corrected them: what `STRENGTH` says."""
    return np.eye(len(UNITS)) / STRENGTH


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Coefficients on the features, (8,), each in its unit, and how uncertain they are, (8, 8)."""

    known: Float64  # that the FAQ has an entry for the question
    right: Float64  # that the best entry is it
    listed: Float64  # that one of the best three is it: on the features of the best score and the fourth
    known_covariance: Float64 = field(default_factory=_general_covariance)
    right_covariance: Float64 = field(default_factory=_general_covariance)

    def probabilities(self, features: Float64, prior: float) -> tuple[Float64, Float64]:
        """That the FAQ knows the answer, and that its best entry is it, given that; both of shape (q,)."""
        known = _logistic(features / UNITS @ self.known + math.log(prior / (1 - prior)))
        return known, _logistic(features / UNITS @ self.right)

    def spreads(self, features: Float64) -> tuple[Float64, Float64]:
        """The standard errors of the log-odds of both, shape (q,)."""
        x, covariances = features / UNITS, (self.known_covariance, self.right_covariance)
        known, right = (np.sqrt(np.einsum("np,pq,nq->n", x, each, x)) for each in covariances)
        return known, right

    def among_three(self, features: Float64) -> Float64:
        """That one of the best three entries is the right one where the FAQ has it, shape (q,)."""
        return _logistic(features / UNITS @ self.listed)

    def best(self, features: Float64, prior: float) -> Float64:
        """The probability that the best entry is the right one, shape (q,)."""
        known, right = self.probabilities(features, prior)
        return known * right


def intervals(chances: Float64, known: float, spreads: tuple[float, float]) -> list[tuple[float, float]]:
    """Between what the probabilities of a question's candidates lie, the best first, nineteen times in twenty.

    The delta method on the log-odds of a product: that the FAQ knows, times the candidate's share. `spreads` are
    the standard errors of the log-odds that it knows, and that the best entry is the right one.

    Example:
        >>> [(round(low, 2), round(high, 2)) for low, high in intervals(np.array([0.8, 0.1]), 0.9, (0.5, 0.5))]
        [(0.66, 0.89), (0.04, 0.23)]
    """
    p = np.clip(chances, 1e-12, 1 - 1e-12)
    share = np.clip(chances[0] / max(known, 1e-12), 0.0, 1.0)
    moved = np.where(np.arange(len(p)) == 0, 1 - share, share)  # by the log-odds of the best, in the logarithm
    spread = np.hypot((1 - known) * spreads[0], moved * spreads[1]) / (1 - p)
    middle = np.log(p) - np.log1p(-p)
    ends = (_logistic(middle + sign * 1.96 * spread).tolist() for sign in (-1, 1))
    return list(zip(*ends, strict=True))


def entry_probabilities(scores: Floats, right: float, unit: float) -> Float64:
    """The probability of each of a question's entries, best first, given that one is; the best by `right`."""
    scores = np.asarray(scores, np.float64)
    weights = np.exp((scores - scores[0]) * (SHARPNESS / unit))
    others = weights[1:].sum()
    if not others:
        return np.array([1.0])
    share = max(right, weights[1] / (weights[1] + others))  # at least that of the second
    return np.concatenate([[share], np.minimum((1 - share) * weights[1:] / others, share)])


def fit_curve(
    features: Float64, target: Float64, weights: Float64, start: Float64, strength: float = STRENGTH
) -> tuple[Float64, Float64]:
    """Logistic regression around the coefficients `start`, (8,): new ones, and their covariance, (8, 8).

    Of n rows of features with a target, 0 or 1, and a weight; the greater the strength, the prior's precision, the
    nearer the result stays to `start`. Newton's method, halving steps that lead uphill.
    """
    x, theta = features / UNITS, start.copy()

    def loss(at: Float64) -> float:
        z = x @ at
        return float(weights @ (np.logaddexp(0, z) - target * z) + strength / 2 * ((at - start) ** 2).sum())

    def bend(at: Float64) -> Float64:
        p = _logistic(x @ at)
        bent: Float64 = (x * (weights * p * (1 - p))[:, None]).T @ x + (strength + 1e-9) * np.eye(len(at))
        return bent

    before = loss(theta)
    for _ in range(40):
        slope = x.T @ (weights * (_logistic(x @ theta) - target)) + strength * (theta - start)
        step = np.linalg.solve(bend(theta), slope)
        size = 1.0
        while (after := loss(theta - size * step)) > before and size > 1e-6:
            size /= 2
        if before - after < 1e-9 * max(before, 1):
            break
        theta, before = theta - size * step, after
    return theta, np.asarray(np.linalg.inv(bend(theta)), np.float64)


@functools.cache
def general() -> dict[str, Any]:
    """What other FAQs taught: see prior.json."""
    known: dict[str, Any] = json.loads(Path(__file__).with_name("prior.json").read_text(encoding="utf-8"))
    return known


def general_curves(phrasings: float = 1.0) -> Curves:
    """The curves before a FAQ of so many phrasings an entry has corrected them."""
    known = general()["curves"]["one" if phrasings == 1 else "several"]
    return Curves(*(np.array(known[name]) for name in ("known", "right", "listed")))


def _logistic(z: Float64) -> Float64:
    grown: Float64 = 1 / (1 + np.exp(-np.clip(z, -40, 40)))
    return grown


@dataclass(frozen=True, slots=True, eq=False)
class BestScores:
    """q questions whose right answer is known, and what they scored."""

    first: Float32  # (q,): the best entry's score
    second: Float32  # (q,): the second best's
    right: NDArray[np.bool_]  # (q,): whether the best entry was the right one; all False for strangers
    # (q,): how near the most foreign word is to its nearest in the best entry; None where words are not compared
    least: Float32 | None = None

    def __len__(self) -> int:
        return len(self.first)

    def features(self, scale: Scale) -> Float64:
        """As `features` makes them."""
        return features(self.first, self.second, scale, self.least)

    def take(self, rows: NDArray[np.bool_]) -> BestScores:
        """Some of them."""
        least = None if self.least is None else self.least[rows]
        return BestScores(self.first[rows], self.second[rows], self.right[rows], least)


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """What a FAQ knows of itself."""

    near: Near  # how it compares
    scale: Scale
    curves: Curves
    known: BestScores  # questions that it can answer: its phrasings, or labelled questions
    akin: BestScores  # strangers of its own field: questions whose entry was left out, or labelled strangers
    outside: BestScores  # questions that have nothing to do with it
    labelled: tuple[str, ...] = ()  # which of `known` and `akin` were given with labels
    # by each nearness, of the phrasings left out, the share that found their entry; empty where no entry has two
    accuracy: dict[Nearness, float] = field(default_factory=dict)


def rehearse(
    book: Phrasebook,
    strangers: Questions,
    spread: float,
    labelled: tuple[Questions, Int64] | None = None,
    progress: Progress = False,
) -> Rehearsal:
    """Let a FAQ of these phrasings ask itself, and strangers from outside; `spread` is as in `Scale`.

    Labelled questions, with their right entry or -1 for none, take the place of its own phrasings, and of the
    strangers of its field.
    """
    counts = book.counts
    phrasings = float(np.exp(np.log(counts).mean()))
    rows = np.unique(np.linspace(0, len(book.owner) - 1, min(MOST, len(book.owner))).astype(np.int64))
    mixtures = MIXTURES if book.answers is not None and len(book.owner) > len(counts) else (book.mixture,)
    tried: list[tuple[Near, BestScores, BestScores, BestScores]] = []
    with tracked(len(rows) * (len(book.kinds) + len(mixtures) - 1), "questions", progress) as update:

        def ask(near: Near) -> None:
            known, left = _asked_itself(near, rows, update, len(tried) * len(rows))
            tried.append((near, known, left, _all_asked(near, strangers, np.full(len(strangers), -1))))

        for kind in book.kinds:
            ask(book.near(kind))
        accuracy = {near.nearness: float(known.right.mean()) for near, known, _, _ in tried if len(known)}
        best = max(tried, key=lambda each: _merit(*each[1:]))[0].nearness
        tried = [each for each in tried if each[0].nearness == best]
        for mixture in mixtures[1:]:
            ask(book.near(best, mixture))
    near, known, left, outside = max(tried, key=lambda each: _merit(*each[1:]))
    outside, scale = strangers_of(outside, spread, phrasings, near.answered)
    given: tuple[str, ...] = ()
    if labelled is not None:
        questions, entries = labelled
        inside, foreign = np.flatnonzero(entries >= 0), np.flatnonzero(entries < 0)
        if len(inside):
            known, given = _all_asked(near, questions.take(inside), entries[inside]), ("known",)
        if len(foreign):
            left, given = _all_asked(near, questions.take(foreign), entries[foreign]), (*given, "akin")
    curves = _corrected(general_curves(phrasings), known, left, outside, scale)
    return Rehearsal(near, scale, curves, known, left, outside, given, accuracy)


def strangers_of(
    outside: BestScores, spread: float, phrasings: float, answered: float = 0.0
) -> tuple[BestScores, Scale]:
    """Questions from outside less those that this FAQ may well answer after all, and what scores mean beside them.

    The numbers are as in `Scale`.
    """

    def scaled(kept: BestScores, middle: float) -> Scale:
        foreign = None if kept.least is None else float(kept.least.mean())
        return Scale(middle, spread, phrasings, answered, foreign)

    scale, kept = scaled(outside, float(np.median(outside.first))), outside
    for _ in range(3):
        x = outside.features(scale)
        kept = outside.take((x[:, 1] < STRANGEST) | (x[:, 1] <= np.median(x[:, 1])))
        scale = scaled(kept, float(kept.first.mean()))
    return kept, scale


def best_scores_of(found: EntryScores, entries: Int64) -> BestScores:
    """What questions scored, and whether their best entry is the right one, -1 for none."""
    best, first, second = top_two(found.scores)
    least = None if found.least is None else found.least[np.arange(len(best)), best]
    return BestScores(first, second, (best == entries) & (entries >= 0), least)


def _all_asked(near: Near, questions: Questions, entries: Int64) -> BestScores:
    """As `best_scores_of`, a block at a time."""
    parts = blocks(len(questions), BLOCK)
    return _all([best_scores_of(near.scored(questions.take(part)), entries[part]) for part in parts])


def _asked_itself(
    near: Near, rows: Int64, update: Callable[[int], None], before: int
) -> tuple[BestScores, BestScores]:
    """Its phrasings with themselves left out, where their entry has others; and all with their entry left out."""
    known: list[BestScores] = []
    left: list[BestScores] = []
    answered = np.zeros(len(near.counts), bool)
    if near.book.answers is not None:
        answered[near.book.answers.entries] = True
    for part in blocks(len(rows), BLOCK):
        block = rows[part]
        found, owner = near.without(block), near.book.owner[block]
        # The question of an entry stands in its whole as well: where that has an answer, only the others can ask.
        several = (near.counts[owner] > 1) & ~(answered[owner] & (near.starts[owner] == block))
        known.append(best_scores_of(found, owner).take(several))
        if len(near.counts) > 1:
            found.scores[np.arange(len(block)), owner] = GONE
            left.append(best_scores_of(found, np.full(len(block), -1)))
        update(before + part.stop)
    return _all(known), _all(left)


def _all(parts: list[BestScores]) -> BestScores:
    if not parts:
        return BestScores(np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, bool))
    first, second, right = (np.concatenate([getattr(p, n) for p in parts]) for n in ("first", "second", "right"))
    least = [part.least for part in parts if part.least is not None]
    return BestScores(first, second, right, np.concatenate(least) if least else None)


def _merit(known: BestScores, left: BestScores, outside: BestScores) -> tuple[float, float]:
    """Accuracy to the percent, then how often a right question scores more than one whose entry was left out."""
    if not len(known):
        return 0.0, 0.0
    against = np.sort(left.first if len(left) else outside.first)
    return round(float(known.right.mean()), 2), float(np.searchsorted(against, known.first).mean() / len(against))


def _corrected(curves: Curves, known: BestScores, left: BestScores, outside: BestScores, scale: Scale) -> Curves:
    """The general curves, moved as far as this FAQ's own questions ask for it; where it has none, as they are."""
    if not len(known):
        return curves
    parts = [known, left, outside]
    shares = 0.5, *(share / 2 for share in _stranger_shares(len(left), len(outside)))
    x = [part.features(scale) for part in parts]
    target = np.concatenate([np.full(len(part), float(part is known)) for part in parts])
    weights = [
        np.full(len(part), len(known) * share / max(len(part), 1))
        for part, share in zip(parts, shares, strict=True)
    ]
    knows, knows_covariance = fit_curve(np.concatenate(x), target, np.concatenate(weights), curves.known)
    right, right_covariance = fit_curve(x[0], known.right.astype(np.float64), weights[0], curves.right)
    return Curves(knows, right, curves.listed, knows_covariance, right_covariance)


def _stranger_shares(akin: int, outside: int) -> tuple[float, float]:
    """How strangers of the field and from outside are weighed; all of it goes to the one kind that there is."""
    akin_share = AKIN * bool(akin) / (AKIN * bool(akin) + OUTSIDE * bool(outside) or 1)
    return akin_share, 1 - akin_share


def size_of(entries: int) -> str:
    """The class of a FAQ of so many entries.

    Example:
        >>> size_of(7)
        '20'
    """
    return next(name for name, most in SIZES.items() if entries <= most)


def _borrowed(kind: str, scale: Scale, entries: int) -> Float64:
    """Questions of other FAQs of about that size, (q, 9): eight features, and 1 where the best entry was right.

    The kind is "known", "akin" or "outside", the scale that of the FAQ that borrows.
    """
    lent = general()["borrowed"]["one" if scale.phrasings == 1 else "several"]
    above, margin, said, worded, nearer, right = np.array(lent[size_of(entries)][kind], np.float64).T
    zeros, ones = np.zeros(len(above)), np.ones(len(above))
    return np.column_stack([ones, above, margin, above * margin, zeros, said, worded, nearer, right])


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


def choose_threshold(rehearsal: Rehearsal, precision: float, prior: float) -> AnswerThreshold:
    """The lowest probability above which the wanted share of answers is right; the prior is in (0, 1)."""
    p, right, weights = _sample(rehearsal, prior)
    order = np.argsort(-p, kind="stable")
    p, right, weights = p[order], right[order], weights[order]
    if right[p >= LEAST].any():
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
        measured, answered = float(good[at] / total[at]), float(good[at] / prior)
        interval = _wilson(measured, float(effective))
    else:  # nothing is answered rightly: above all that was asked, and no lower than the wanted share
        line = max(precision, (1 + float(p[0])) / 2)
        measured, interval, answered = 0.0, (0.0, 1.0), 0.0
    score, on = _score_of(line, rehearsal, prior), _chosen_on(rehearsal)
    return AnswerThreshold(line, score, precision, measured, interval, answered, on)


def _sample(rehearsal: Rehearsal, prior: float) -> tuple[Float64, Float64, Float64]:
    """Probability, rightness and weight of every question: own ones, and a loan of other FAQs' ones.

    A lent question is as right as the general curves say, as long as those hold: they have seen many more than are
    lent. Where the FAQ has moved them, whether it was right decides.
    """
    general = not len(rehearsal.known)
    loan = LOAN_OF_CURVES if general else LOAN
    shares = _stranger_shares(max(len(rehearsal.akin), 1), len(rehearsal.outside))
    parts: list[tuple[Float64, Float64, Float64]] = []
    kinds = ("known", "akin", "outside")
    for kind, share in zip(kinds, (prior, *((1 - prior) * each for each in shares)), strict=True):
        own: BestScores = getattr(rehearsal, kind)
        other = _borrowed(kind, rehearsal.scale, len(rehearsal.near.counts))
        mine, lent = len(own) / (len(own) + loan), other[:, -1]
        for x, right, part in (
            (own.features(rehearsal.scale), own.right.astype(np.float64), mine),
            (other[:, :-1], lent, 1 - mine),
        ):
            if len(x):
                p = rehearsal.curves.best(x, prior)
                parts.append(
                    (p, p if general and right is lent else right, np.full(len(x), share * part / len(x)))
                )
    p, right, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return p, right, weights


def _score_of(probability: float, rehearsal: Rehearsal, prior: float) -> float:
    """The score with that probability, where the second entry scores as strangers do and words are as usual."""
    grid = np.linspace(rehearsal.scale.outside, 1.0, 512)
    x = features(grid, np.full(512, rehearsal.scale.outside), rehearsal.scale)
    x[:, -1] = np.median(_borrowed("known", rehearsal.scale, len(rehearsal.near.counts))[:, -2]) * x[:, -2]
    reached = np.flatnonzero(rehearsal.curves.best(x, prior) >= probability)
    return float(grid[reached[0]]) if len(reached) else 1.0


def _wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n."""
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _chosen_on(rehearsal: Rehearsal) -> str:
    """Which questions a threshold was chosen on."""
    known, left, outside = len(rehearsal.known), len(rehearsal.akin), len(rehearsal.outside)
    own = "labelled questions" if "known" in rehearsal.labelled else "phrasings, each left out in turn"
    akin = "labelled strangers" if "akin" in rehearsal.labelled else "questions whose entry was left out"
    parts = [f"{known:,} {own}"] if known else []
    parts += [f"{left:,} {akin}"] if left else []
    parts += [f"{outside:,} strangers from outside"]
    if known > LOAN:
        return f"{', '.join(parts)} and some questions of other FAQs"
    return f"{', '.join(parts)} and, for right answers, {'mostly' if known else 'only'} questions of other FAQs"
