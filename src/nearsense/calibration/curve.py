"""What a score, and what differs between two texts, adds to log-odds; how sure that is. Not how a curve is fitted.

Each form of curve is a row of `FEATURES`: what it makes of a score. The log-odds are a weighted sum of these, no
weight but the first is negative, so a higher score never means a lower probability.

What differs is a logistic regression on top of the curve: a weight for pairs without a difference, one for pairs
with any, one more for each kind, and two slopes: where something differs a high score says less, because texts
that differ in one word score high whatever it is; where that is a figure, a code, an opposite it says hardly
anything. With few pairs a prior speaks, from 20,000 public pairs. Which kinds there are says guard/.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.records import as_json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Float64 = NDArray[np.float64]


class Form(StrEnum):
    """What shape a curve may have."""

    LOGISTIC = "logistic"  # a straight line in the log-odds (Platt 1999): two parameters
    BETA = "beta"  # beta calibration (Kull et al. 2017) of a similarity in [-1, 1]: three parameters
    # any curve that does not fall: straight in the log-odds between knots, smoothed a little; the steps of plain
    # isotonic regression are surer than their data
    ISOTONIC = "isotonic"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Log-odds as a function of the score."""

    form: Form
    centre: float  # the score that counts as zero
    scale: float  # the difference of scores that counts as one; above zero
    knots: tuple[float, ...]  # centred, scaled scores between which an isotonic curve is straight; else empty
    weights: Float64  # (p,): what each feature counts; all but the first are zero or more
    covariance: Float64  # (p, p): how uncertain the weights are

    def features(self, scores: ArrayLike) -> Float64:
        """What the form makes of each score: shape (n, p)."""
        return FEATURES[self.form](np.asarray(scores, np.float64).ravel(), self)

    def log_odds(self, scores: ArrayLike) -> Float64:
        """The log-odds of each score: shape (n,).

        Added up one feature after the other: a matrix product rounds some rows otherwise than others, so that a
        higher score could get lower log-odds, and each processor others.
        """
        found = np.zeros(np.size(scores))
        for feature, weight in zip(self.features(scores).T, self.weights, strict=True):
            found += feature * weight
        return found

    def spread(self, scores: ArrayLike) -> Float64:
        """The standard error of these log-odds: shape (n,)."""
        features = self.features(scores)
        return np.asarray(np.sqrt(np.maximum(np.einsum("np,pq,nq->n", features, self.covariance, features), 0.0)))

    def of_squeezed(self) -> Curve:
        """This curve, of the log-odds of scores from 0 to 1, as one of the scores: straight between 37 of them."""
        odds = np.linspace(-_ODDS, _ODDS, 37)
        knots, values = sigmoid(odds), self.features(odds)
        steps = np.diff(values, axis=0) / np.diff(knots)[:, None]
        rows = np.vstack([values[:1], steps[:1], steps, steps[-1:]])
        covariance = rows @ self.covariance @ rows.T
        return Curve(Form.ISOTONIC, 0.0, 1.0, tuple(knots.tolist()), rows @ self.weights, covariance)

    def draws(self, n: int) -> Float64:
        """Weights that the data allow as well, shape (n, p): normally distributed, none below its bound."""
        values, directions = np.linalg.eigh(self.covariance)
        noise = np.random.default_rng(0).standard_normal((n, len(self.weights)))
        drawn = self.weights + (noise * np.sqrt(np.maximum(values, 0.0))) @ directions.T
        drawn[:, 1:] = np.maximum(drawn[:, 1:], 0.0)
        return np.asarray(drawn)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Curve:
        """What `to_dict` gave, again a curve; KeyError or ValueError where it is none."""
        weights, covariance = (np.asarray(known[name], np.float64) for name in ("weights", "covariance"))
        form, knots = Form(known["form"]), tuple(finite(knot) for knot in known["knots"])
        curve = cls(form, finite(known["centre"]), finite(known["scale"]), knots, weights, covariance)
        if form is Form.ISOTONIC and (not knots or list(knots) != sorted(set(knots))):
            raise ValueError("an isotonic curve has knots, each above the one before")
        if covariance.shape != (len(weights), len(weights)) or not curve.scale > 0:
            raise ValueError("a curve has a covariance for each two weights, and a positive scale")
        if not (np.isfinite(weights).all() and np.isfinite(covariance).all() and (weights[1:] >= 0).all()):
            raise ValueError("a curve's weights must be finite, and none but the first negative")
        if curve.features([0.0]).shape[1] != len(weights):
            raise ValueError(f"a curve of the form {form.value} has another number of weights")
        return curve


def finite(value: Any) -> float:
    """A finite number; ValueError where it is none."""
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(f"{number} is no finite number")
    return number


def logit(probability: ArrayLike) -> Float64:
    """log(p / (1 - p)) of a probability within (0, 1)."""
    p = np.asarray(probability, np.float64)
    return np.asarray(np.log(p) - np.log1p(-p))


def sigmoid(log_odds: ArrayLike) -> Float64:
    """The probability of these log-odds."""
    x = np.asarray(log_odds, np.float64)
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small))


_HALVINGS, _FARTHEST = 60, 60.0


def shift_to_share(probability: Callable[[float], Float64], share: float) -> float:
    """What has to be added to the log-odds of some pairs so that their mean probability is `share`.

    `probability` is that of each pair, by what is added; it rises.
    """
    low, high = -_FARTHEST, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle).mean() < share else (low, middle)
    return (low + high) / 2


_ODDS = 9.0  # the greatest log-odds of a score that are told apart
_EDGE = 1e-3  # how near to -1 and 1 a similarity counts: identical texts score 1, give or take a rounding


def _logistic(scores: Float64, curve: Curve) -> Float64:
    return np.stack([np.ones_like(scores), (scores - curve.centre) / curve.scale], axis=1)


def _beta(scores: Float64, _curve: Curve) -> Float64:
    share = np.clip((1.0 + scores) / 2.0, _EDGE, 1.0 - _EDGE)
    return np.stack([np.ones_like(scores), np.log(share), -np.log1p(-share)], axis=1)


def _isotonic(scores: Float64, curve: Curve) -> Float64:
    z, knots = (scores - curve.centre) / curve.scale, curve.knots
    first, last = np.minimum(z, knots[0]) - knots[0], np.maximum(z, knots[-1]) - knots[-1]
    between = [np.clip(z, low, high) - low for low, high in itertools.pairwise(knots)]
    return np.stack([np.ones_like(z), first, *between, last], axis=1)


FEATURES = {Form.LOGISTIC: _logistic, Form.BETA: _beta, Form.ISOTONIC: _isotonic}

UNREAD = "unread"  # the kind of what a model does not read: of that a score is no evidence, however high it is

NOTHING, ANY, SLOPE, HARD = "nothing", "any", "slope", "hard slope"
"""Pairs without a difference; with one of a kind that was not measured; what is left of a high score's own
say, and what where the difference is a hard one."""

_EXPECTED = {NOTHING: (0.0, 0.3), ANY: (-1.0, 0.7), SLOPE: (0.6, 0.3), HARD: (0.25, 0.2)}
"""Mean and standard deviation before any label: see docs/calibration.md."""

_KIND = 0.7  # how far the weight of one kind may lie from that of all

_WRITTEN = frozenset({"cause", "code", "colour", "comparison", "condition", "order", "ordinal", "side"})
_WRITTEN_MEAN = -1.0
"""Kinds that public pairs hardly have, and by how much their weight is expected to lie below that of all: of pairs
written to differ in them the guard names 160 of 160, of pairs written to say the same 1 of 110. Those were in view
when its rules were made, so this is a choice, well short of what they would say."""

_SOFT = frozenset({"name", "place", "modality"})
"""Kinds in which two texts often differ that still say the same: one is at fault or loose. The others are hard."""

GENERAL: Mapping[str, float] = {
    **{name: _EXPECTED[name][0] for name in (ANY, SLOPE, HARD)},
    **dict.fromkeys(sorted(_WRITTEN), _EXPECTED[ANY][0] + _WRITTEN_MEAN),
}
"""What a difference says of two texts where nothing was measured for their model."""


def shifts_of(guard: Mapping[str, float], log_ratios: Float64, kinds: Sequence[Sequence[str]]) -> Float64:
    """What differences add to the log-odds of the scores of n pairs, shape (n,): the worst kind of each speaks.

    `guard` is what `guard_shifts` gave. At most zero where something differs, at least zero elsewhere. Where the
    model does not read what differs, no score makes it more probable that the two say the same than it was before.
    """
    unknown, nothing, slope = (guard.get(*each) for each in ((ANY, 0.0), (NOTHING, 0.0), (SLOPE, 1.0)))
    slopes = np.where([not _SOFT.issuperset(each) for each in kinds], guard.get(HARD, slope), slope)
    worst = np.array([min((guard.get(kind, unknown) for kind in each), default=nothing) for each in kinds])
    differs = np.array([bool(each) for each in kinds], bool)
    shifts = worst + np.where(differs, np.minimum((slopes - 1.0) * log_ratios, 0.0), 0.0)
    unread = np.array([UNREAD in each for each in kinds], bool)
    return np.asarray(np.where(unread, np.minimum(shifts, -log_ratios), shifts), np.float64)


def guard_shifts(
    log_odds: Float64, log_ratios: Float64, labels: Float64, kinds: Sequence[Sequence[str]]
) -> dict[str, float]:
    """What each kind of difference adds to the log-odds (at most 0), what none adds (at least 0), and the slopes.

    Of n pairs: what their scores say at their share of same ones, and without it; 1 for same, 0 for not; the kinds
    of difference that were seen.
    """
    names = sorted(_WRITTEN.union(*kinds))
    features = np.zeros((len(labels), 4 + len(names)))
    high = np.maximum(log_ratios, 0.0)  # below even odds a score says what it says
    base = np.where([bool(each) for each in kinds], np.minimum(log_ratios, 0.0), log_ratios)
    for row, each in enumerate(kinds):
        features[row, 1 if each else 0] = 1.0
        features[row, 2 if _SOFT.issuperset(each) else 3] = high[row] if each else 0.0
        for kind in each:
            features[row, 4 + names.index(kind)] = 1.0
    written = [_WRITTEN_MEAN * (name in _WRITTEN) for name in names]
    mean = np.array([*(centre for centre, _ in _EXPECTED.values()), *written])
    precision = np.array([*(spread**-2 for _, spread in _EXPECTED.values()), *(_KIND**-2 for _ in names)])
    known = log_odds - log_ratios + base
    weights = mean.copy()
    for _ in range(50):
        p = sigmoid(known + features @ weights)
        gradient = features.T @ (p - labels) + precision * (weights - mean)
        curvature = (features * (p * (1 - p))[:, None]).T @ features + np.diag(precision)
        step = np.linalg.solve(curvature, gradient)
        weights -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-9))
        if np.abs(step).max() < 1e-8:
            break
    nothing, any_, *slopes = weights[:4].tolist()
    slope, hard = (min(max(each, 0.0), 1.0) for each in slopes)
    own = {name: min(any_ + each, 0.0) for name, each in zip(names, weights[4:].tolist(), strict=True)}
    return {NOTHING: max(nothing, 0.0), ANY: min(any_, 0.0), SLOPE: slope, HARD: hard, **own}
