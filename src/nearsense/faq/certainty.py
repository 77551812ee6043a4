"""From scores to the probability that the best entry is the right one: an open-set model. Not the threshold.

Two logistic curves over the same features: that the FAQ knows the answer at all, and, where it does, that its
best entry is the right one. The probability is their product. A third, for "did you mean": that the right one is
among the best three. The share of questions that the FAQ can answer, the
prior, enters the first curve only, as a shift of its log odds. What other FAQs taught is in prior.json, apart for
those with one phrasing an entry; a FAQ whose entries have several corrects it by what it learns of itself (a
Gaussian prior around the general coefficients).
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.faq.scores import GONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float64 = NDArray[np.float64]
    Floats = NDArray[np.float32] | NDArray[np.float64]

__all__ = ["Curves", "Scale", "features", "fit_curve", "general", "spread_of"]

REFERENCE_SPREAD = 0.9035
"""1 minus the mean cosine of unrelated questions, in the model that prior.json was learnt with."""

NO_SECOND = 0.3
"""The margin of a FAQ of one entry, which has no second."""

UNITS = np.array([1.0, 0.2, 0.15, 0.08, 1.2, 0.5, 0.5, 0.2])
"""About one standard deviation of each feature, so that one strength of the prior suits all."""

STRENGTH = 5.0
"""How many questions of its own the general coefficients are worth to a FAQ."""

SHARPNESS = 20.0
"""How fast the probability falls from entry to entry with the score, beside the best one."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What scores mean in one FAQ by one model.

    Args:
        outside: The mean best score of questions that have nothing to do with it.
        spread: 1 minus the mean cosine of unrelated questions.
        phrasings: The geometric mean of phrasings an entry.
        answered: How much of the scores is the answers', in [0, 1].
        foreign: How near the most foreign word of questions that have nothing to do with it is to their best
            entry, on average; None where words are not compared.
    """

    outside: float
    spread: float
    phrasings: float
    answered: float = 0.0
    foreign: float | None = None

    @property
    def unit(self) -> float:
        """How far scores reach, beside the model that the general coefficients were learnt with."""
        return self.spread / REFERENCE_SPREAD


def spread_of(vectors: NDArray[np.float32]) -> float:
    """1 minus the mean cosine of unrelated texts, given as n unit vectors; at least 0.05."""
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    return max(1 - float(total @ total - n) / max(n * (n - 1), 1), 0.05)


def features(first: Floats, second: Floats, scale: Scale, least: Floats | None = None) -> Float64:
    """What the curves see of each question, shape (q, 8).

    A constant; how far the best score is above that of strangers; how far above the second best; their product;
    how many phrasings an entry has; how much of the scores is the answers'; whether words are compared, and how
    much nearer the question's most foreign word is to the best entry than those of strangers.

    Args:
        first: Each question's best score, shape (q,).
        second: Its second best; `GONE` where there is none. Of "did you mean" the fourth.
        scale: Of this FAQ.
        least: How near the most foreign word is to its nearest in the best entry; None where that is not known.
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
    """The curves: coefficients on the features, each in its unit, and how uncertain they are.

    Args:
        known: That the FAQ has an entry for the question, shape (8,).
        right: That the best entry is it, shape (8,).
        listed: That one of the best three is it, shape (8,): on the features of the best score and the fourth.
        known_covariance: Of `known`, shape (8, 8).
        right_covariance: Of `right`, shape (8, 8).
    """

    known: Float64
    right: Float64
    listed: Float64
    known_covariance: Float64 = field(default_factory=_general_covariance)
    right_covariance: Float64 = field(default_factory=_general_covariance)

    def probabilities(self, features: Float64, prior: float) -> tuple[Float64, Float64]:
        """That the FAQ knows the answer, and that its best entry is it, given that; both of shape (q,)."""
        known = _logistic(features / UNITS @ self.known + math.log(prior / (1 - prior)))
        return known, _logistic(features / UNITS @ self.right)

    def spreads(self, features: Float64) -> tuple[Float64, Float64]:
        """The standard errors of the log-odds of both, shape (q,)."""
        x = features / UNITS
        covariances = self.known_covariance, self.right_covariance
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
    """Between what the probabilities of a question's candidates lie, nineteen times in twenty.

    The delta method on the log-odds of a product: that the FAQ knows, times the candidate's share.

    Args:
        chances: The candidates' probabilities, the best entry's first.
        known: That the FAQ knows the answer.
        spreads: The standard errors of the log-odds that it knows, and that the best entry is the right one.

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


def among(scores: Floats, right: float, unit: float) -> Float64:
    """The probability of each of a question's entries, given that one of them is right.

    Args:
        scores: Of all entries, best first, shape (n,).
        right: That the best is it, by its curve.
        unit: As in `Scale`.

    Example:
        >>> among(np.array([0.8, 0.5, 0.5]), 0.9, 1.0).round(2).tolist()
        [0.9, 0.05, 0.05]
    """
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
    """Logistic regression around given coefficients: Newton's method, halving steps that lead uphill.

    Args:
        features: Shape (n, 6).
        target: 0 or 1, shape (n,).
        weights: How much each row counts, shape (n,).
        start: The coefficients that the prior is centred on.
        strength: The prior's precision; the larger, the nearer the result stays to `start`.

    Returns:
        The coefficients, shape (8,), and their covariance, shape (8, 8).
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
    text = (Path(__file__).with_name("prior.json")).read_text(encoding="utf-8")
    known: dict[str, Any] = json.loads(text)
    return known


def general_curves(phrasings: float = 1.0) -> Curves:
    """The curves before a FAQ has corrected them.

    Args:
        phrasings: As in `Scale`.
    """
    known = general()["curves"]["one" if phrasings == 1 else "several"]
    return Curves(*(np.array(known[name]) for name in ("known", "right", "listed")))


def _logistic(z: Float64) -> Float64:
    grown: Float64 = 1 / (1 + np.exp(-np.clip(z, -40, 40)))
    return grown
