"""From what a person means (this precise, this probable) to a score, by a curve or by labels alone.

A precision proven by labels believes no curve. They are looked at from the highest score downwards: given where it
lies, those above a score are draws from all pairs above it, so how many of them are wrong is binomial (Clopper,
Pearson 1934). Scores are tried one after the other until one fails (fixed-sequence testing; Angelopoulos, Bates et
al. 2021, "Learn then Test"): so the bound holds although the threshold is chosen by the same labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.calibration.curve import finite, logit, sigmoid
from nearsense.errors import InputError
from nearsense.records import as_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float64 = NDArray[np.float64]

CONFIDENCE = 0.9  # in how many of cases a proven precision holds, at least
_STRICTER = 10.0  # how much rarer a mistake has to be for a threshold at the very end of its proof


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score to ask for, and what it gives.

    Args:
        asked: "min_probability", "precision", "at_least" (a precision that is proven) or "false_positives".
        value: What was asked for.
        score: Pairs at or above it are taken.
        low: The least that this score may have to be (95 %); of a proof: down to where it goes.
        high: The most that it may have to be.
        reached: What the score is estimated to give: the precision, where that was asked for.
        reached_low: The least that it may give (95 %; of a proof: at its confidence).
        reached_high: The most that it may give.
        recall: The share of all same pairs that score so, where a precision was asked for.
        falls_short: The chance that it gives less than was asked for, where a precision was.
        labels: How many labelled pairs prove it, where a proof was asked for.
        wrong: How many of these are not the same.
    """

    asked: str
    value: float
    score: float
    low: float
    high: float
    reached: float | None = None
    reached_low: float | None = None
    reached_high: float | None = None
    recall: float | None = None
    falls_short: float | None = None
    labels: int | None = None
    wrong: int | None = None

    def __str__(self) -> str:
        if self.labels is not None and self.falls_short is not None:
            return (
                f"at least {self.value:.0%} precise: score >= {self.score:.4f}, {1 - self.falls_short:.0%} sure: "
                f"{self.labels:,} labels from {self.low:.4f} on, {self.wrong or 'none'} of them wrong"
            )
        name = self.asked.replace("_", " ")
        text = f"{name} {self.value:g}: score >= {self.score:.4f} (between {self.low:.4f} and {self.high:.4f})"
        if self.reached is None or self.reached_low is None or self.reached_high is None:
            return text
        text += f", reaches {self.reached:.1%} (between {self.reached_low:.1%} and {self.reached_high:.1%})"
        if self.falls_short is not None:
            text += f", may fall short in {in_ten(self.falls_short)} cases"
        return text if self.recall is None else f"{text}, finds {self.recall:.0%} of the same pairs"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)


def in_ten(share: float) -> str:
    """A chance as people say it.

    Example:
        >>> in_ten(0.31), in_ten(0.02), in_ten(0.98)
        ('3 of 10', 'fewer than 1 of 10', 'more than 9 of 10')
    """
    tenths = round(10 * share)
    if 0 < tenths < 10:
        return f"{tenths} of 10"
    return "more than 9 of 10" if tenths else "fewer than 1 of 10"


def reaching_probability(grid: Float64, log_odds: Float64, spread: Float64, wanted: float) -> Threshold:
    """The lowest score of a rising grid, (n,), at which a pair is at least this probable to mean the same."""

    def first(reached: NDArray[np.bool_]) -> float | None:
        places = np.flatnonzero(reached)
        return float(grid[places[0]]) if len(places) else None

    goal = float(logit(wanted))
    score = first(log_odds >= goal)
    if score is None:
        most = float(sigmoid(log_odds[-1]))
        raise InputError(
            f"no score is {wanted:.0%} probable to mean the same",
            why=f"the highest score reaches {most:.1%} with this prior",
            fix=f"ask for less than {most:.2f}, or state a higher prior",
        )
    sure, possible = first(log_odds - 1.96 * spread >= goal), first(log_odds + 1.96 * spread >= goal)
    low, high = (float(grid[0]) if possible is None else possible), (float(grid[-1]) if sure is None else sure)
    return Threshold("min_probability", wanted, score, low, high)


def reaching_precision(
    scores: Float64,
    ratios: Float64,
    drawn: Float64,
    counts: Float64,
    share: float,
    *,
    wanted: float,
    prior: float,
) -> Threshold:
    """The lowest score at or above which this share of pairs means the same.

    The interval holds what the labels leave open: the curve, how many pairs score how high (Bayesian bootstrap,
    Rubin 1981), and, where few labelled pairs score so high, that the curve may bend there unseen.

    `scores`, falling, are those of pairs as they occur, each standing for `counts` labelled pairs of which `share`
    are the same; `ratios` their log likelihood ratios, `drawn` (draws, n) others that the labels allow as well.
    """
    precisions, recalls = (each[0] for each in _above(ratios[None], counts[None], share, prior))
    reached = np.flatnonzero(precisions >= wanted)
    if not len(reached):
        best = int(precisions.argmax())
        raise InputError(
            f"no score reaches a precision of {wanted:.0%}",
            why=f"the best is {precisions[best]:.1%}, from {scores[best]:.4f} on, with a prior of {prior:.2g}",
            fix="ask for less, state a higher prior, or label more pairs",
        )
    place = int(reached[-1])
    score, precision, recall = float(scores[place]), float(precisions[place]), float(recalls[place])
    weights = np.random.default_rng(1).standard_gamma(counts, drawn.shape)
    possible, _ = _above(drawn, weights, share, prior)
    count = float(counts[: place + 1].sum())  # what the share may be by the labels alone (Jeffreys 1946), no curve
    alone = np.random.default_rng(3).beta(precision * count + 0.5, (1 - precision) * count + 0.5, len(drawn))
    both = possible[:, place], alone
    lows, highs = zip(*(np.quantile(each, [0.025, 0.975]).tolist() for each in both), strict=True)
    short = max(float((each < wanted).mean()) for each in both)
    lasts = possible.shape[1] - 1 - np.argmax((possible >= wanted)[:, ::-1], axis=1)
    places = np.where((possible >= wanted).any(axis=1), lasts, 0)
    least, most = np.quantile(scores[places], [0.025, 0.975]).tolist()
    least, most, low, high = min(least, score), max(most, score), min(*lows, precision), max(*highs, precision)
    return Threshold("precision", wanted, score, least, most, precision, low, high, recall, short)


def _above(ratios: Float64, weights: Float64, share: float, prior: float) -> tuple[Float64, Float64]:
    """Precision and recall at and above each of some scores, highest first, of each of some curves.

    Pairs were seen at one share of same ones; at another prior each counts as much more or less as its kind does.
    """
    at_home = sigmoid(ratios + logit(share))
    same = weights * at_home * (prior / share)
    other = weights * (1 - at_home) * ((1 - prior) / (1 - share))
    found, wrong = np.cumsum(same, axis=1), np.cumsum(other, axis=1)
    return found / np.maximum(found + wrong, 1e-300), found / np.maximum(found[:, -1:], 1e-300)


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Scores of n pairs that somebody has judged."""

    scores: Float64  # (n,)
    labels: NDArray[np.bool_]  # (n,): whether each pair means the same
    # (n,), above zero: for how many pairs each stands, where they were not drawn evenly (`--ask` spreads them over
    # the scores); None where all are alike
    weights: Float64 | None = None

    def __post_init__(self) -> None:
        fields = [self.scores, self.labels, *([] if self.weights is None else [self.weights])]
        if any(each.ndim != 1 or len(each) != len(self.scores) for each in fields):
            raise ValueError("there are as many scores as labels, and as weights where there are any")
        if not np.isfinite(self.scores).all():
            raise ValueError("a score is no finite number")
        if self.weights is not None and not (np.isfinite(self.weights) & (self.weights > 0)).all():
            raise ValueError("a weight is above zero")

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        weights = {} if self.weights is None else {"weights": self.weights.tolist()}
        return {"scores": self.scores.tolist(), "labels": self.labels.astype(int).tolist(), **weights}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Labelled:
        """What `to_dict` gave, again scores and labels."""

        def numbers(name: str) -> Float64:
            return np.array([finite(each) for each in known[name]], np.float64)

        labels = numbers("labels")
        if not set(labels.tolist()) <= {0.0, 1.0}:
            raise ValueError("a label is 1 or 0")
        weights = None if known.get("weights") is None else numbers("weights")
        return cls(numbers("scores"), labels.astype(bool), weights)


def labels_needed(wanted: float, confidence: float = CONFIDENCE) -> int:
    """How many labels, all of them right, prove that a share of at least `wanted` is right."""
    return int(np.ceil(np.log(1 - confidence) / np.log(wanted) - 1e-9))


def at_least_precision(labelled: Labelled, wanted: float, confidence: float = CONFIDENCE) -> Threshold:
    """A score at or above which at least this share of pairs means the same, proven by labels.

    Where a bound is only just reached, luck had its share: of the draws of fifty labels that prove it on public
    sets, most come from sets that are less precise there. So the threshold is put half-way up the labels of the
    proof, unless a bound with a tenth of the doubt goes lower; a higher score is taken to be no less precise.
    """
    order = np.argsort(-labelled.scores, kind="stable")
    scores, wrong = labelled.scores[order], ~labelled.labels[order]
    weights = np.ones(len(scores)) if labelled.weights is None else labelled.weights[order]
    counts, errors = _counted(wrong, weights)
    cuts = np.flatnonzero(scores[:-1] > scores[1:])  # the lowest place above a threshold
    doubt = round(1 - confidence, 12)
    most = int(counts.max(initial=0))
    chains = max(1, int(np.log(max(most, 1) / labels_needed(wanted, confidence)) / np.log(4)))
    allowed, strictly = (_allowed(most, wanted, each / chains) for each in (doubt, doubt / _STRICTER))
    best: tuple[int, int] | None = None
    for chain in range(chains):
        start = int(np.flatnonzero(allowed >= 0)[0]) * 4**chain if (allowed >= 0).any() else most + 1
        proven = surely = -1
        for cut in cuts[counts[cuts] >= start].tolist():
            if errors[cut] > allowed[counts[cut]]:
                break
            proven, surely = cut, cut if errors[cut] <= strictly[counts[cut]] else surely
        if proven >= 0:
            best = max(best or (-1, -1), (max(proven // 2, surely), proven))
    if best is None:
        raise _unproven(scores, errors, counts, wanted, confidence, labelled.weights is not None)
    place, proven = best
    tried, missed = int(counts[proven]), int(errors[proven])
    score, low = _score_above(scores, place), _score_above(scores, proven)
    same = weights * ~wrong
    recall = float(same[scores >= score].sum() / same.sum())
    precision, least = 1 - missed / tried, _least_share(missed, tried, doubt / chains)
    return Threshold("at_least", wanted, score, low, score, precision, least, 1.0, recall, doubt, tried, missed)


def _counted(wrong: NDArray[np.bool_], weights: Float64) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each place, how many labels count down to there, and how many of them are wrong.

    Where some scores were labelled more thickly than others, those count only as often as if all had been labelled
    as thinly as the thinnest so far: what counts is drawn evenly then. Which do is chance, and no label has a say.
    """
    if not len(weights) or weights.min() == weights.max():
        return np.arange(1, len(wrong) + 1), np.cumsum(wrong)
    chance, thinnest = np.random.default_rng(4).random(len(wrong)), np.maximum.accumulate(weights)
    found = np.zeros((2, len(wrong)), np.int64)
    for place in range(len(wrong)):
        counting = chance[: place + 1] * thinnest[place] <= weights[: place + 1]
        found[:, place] = counting.sum(), (counting & wrong[: place + 1]).sum()
    return found[0], found[1]


def _allowed(most: int, wanted: float, doubt: float) -> NDArray[np.int64]:
    """Of 0 to `most` labels, how many may be wrong; -1 where even none is too many.

    The chance of so few wrong ones, were the share right just what is wanted, is at most `doubt`. It goes from one
    count of labels to the next by what the binomial distribution does, a step each.
    """
    found = np.full(most + 1, -1, np.int64)
    failing, chance, term = 0, 1.0, 1.0  # the least count that fails, the chance of so many or fewer, of so many
    for count in range(most + 1):
        while chance <= doubt:
            failing += 1
            term *= (count - failing + 1) / failing * (1 - wanted) / wanted
            chance += term
        found[count] = failing - 1
        chance -= (1 - wanted) * term
        term *= (count + 1) / (count + 1 - failing) * wanted
    return found


def _least_share(missed: int, tried: int, doubt: float) -> float:
    """The lower bound of the share that is right (Clopper, Pearson 1934), to six places, rounded down."""
    low, high = 0.0, 1.0
    for _ in range(22):
        middle = (low + high) / 2
        low, high = (middle, high) if _allowed(tried, middle, doubt)[tried] >= missed else (low, middle)
    return float(np.floor(low * 1e6) / 1e6)


def _score_above(scores: Float64, place: int) -> float:
    """A score between that of a place and the next lower one, with four digits where one fits."""
    upper, lower = float(scores[place]), float(scores[place + 1])
    short = float(np.floor(lower * 1e4) + 1) / 1e4
    return short if lower < short <= upper else float(np.nextafter(lower, np.inf))


def _unproven(
    scores: Float64,
    errors: NDArray[np.int64],
    counts: NDArray[np.int64],
    wanted: float,
    confidence: float,
    uneven: bool,
) -> InputError:
    """What is lacking, and how many labels it takes where the fewest are."""
    needed = labels_needed(wanted, confidence)
    missing = np.searchsorted(_allowed(50 * needed, wanted, 1 - confidence), errors) - counts
    promising = errors <= (1 - wanted) * counts
    if not promising.any():
        return InputError(
            f"{len(scores):,} labels prove a precision of {wanted:.0%} for no score",
            why=f"it takes {needed:,} labels above a threshold, all of them right; too many of the highest are "
            f"wrong, {errors[-1]:,} of {counts[-1]:,} in all",
            fix="ask for less: without --at-least the best precision there is, is named",
        )
    place = int(np.where(promising, missing, missing.max() + needed).argmin())
    more, wrong, count = max(int(missing[place]), 1), int(errors[place]), int(counts[place])
    whole = int(np.ceil(more * len(scores) / max(count, 1)))
    seen = "labels that are drawn evenly and lie" if uneven else "labels"
    return InputError(
        f"{len(scores):,} labels are too few to prove a precision of {wanted:.0%}",
        why=f"{needed:,} {seen} above a threshold prove it, all right; "
        f"{count:,} {'scores' if count == 1 else 'score'} {scores[place]:.4f} and more, {wrong or 'none'} wrong",
        fix=f"label {more:,} more pairs that score so much (about {whole:,} in all, if they are as these), "
        "or ask for less",
    )
