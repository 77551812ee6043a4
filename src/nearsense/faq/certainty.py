"""From scores to the probability that the best entry is the right one: an open-set model. Not the threshold.

Two logistic curves over the same features: that the FAQ knows the answer at all, and, where it does, that its
best entry is the right one. The probability is their product. The share of questions that the FAQ can answer, the
prior, enters the first curve only, as a shift of its log odds. What other FAQs taught is in prior.json; a FAQ
whose entries have several phrasings corrects it by what it learns of itself (a Gaussian prior around the general
coefficients).
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
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

UNITS = np.array([1.0, 0.2, 0.15, 0.08, 1.2])
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
    """

    outside: float
    spread: float
    phrasings: float

    @property
    def unit(self) -> float:
        """How far scores reach, beside the model that the general coefficients were learnt with."""
        return self.spread / REFERENCE_SPREAD


def spread_of(vectors: NDArray[np.float32]) -> float:
    """1 minus the mean cosine of unrelated texts, given as n unit vectors; at least 0.05."""
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    return max(1 - float(total @ total - n) / max(n * (n - 1), 1), 0.05)


def features(first: Floats, second: Floats, scale: Scale) -> Float64:
    """What the curves see of each question, shape (q, 5).

    A constant; how far the best score is above that of strangers; how far above the second best; their product;
    and how many phrasings an entry has.

    Args:
        first: Each question's best score, shape (q,).
        second: Its second best; `GONE` where there is none.
        scale: Of this FAQ.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    above = (first - scale.outside) / scale.unit
    margin = np.where(second <= GONE / 2, NO_SECOND, (first - second) / scale.unit)
    many = np.full(len(first), math.log(scale.phrasings))
    return np.column_stack([np.ones(len(first)), above, margin, above * margin, many])


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The two curves: coefficients on the features, each in its unit.

    Args:
        known: That the FAQ has an entry for the question.
        right: That the best entry is it.
    """

    known: Float64
    right: Float64

    def probabilities(self, features: Float64, prior: float) -> tuple[Float64, Float64]:
        """That the FAQ knows the answer, and that its best entry is it, given that; both of shape (q,)."""
        known = _logistic(features / UNITS @ self.known + math.log(prior / (1 - prior)))
        return known, _logistic(features / UNITS @ self.right)

    def best(self, features: Float64, prior: float) -> Float64:
        """The probability that the best entry is the right one, shape (q,)."""
        known, right = self.probabilities(features, prior)
        return known * right


def among(scores: Floats, right: float, unit: float) -> Float64:
    """The probability of each of a question's entries, given that one of them is right.

    Args:
        scores: Of all entries, best first, shape (n,).
        right: That the best is it, by its curve.
        unit: As in `Scale`.

    Example:
        >>> among(np.array([0.8, 0.5, 0.5]), 0.9, 1.0).round(2).tolist()
        [1.0, 0.0, 0.0]
    """
    scores = np.asarray(scores, np.float64)
    weights = np.exp((scores - scores[0]) * (SHARPNESS / unit))
    others = weights[1:].sum()
    if not others:
        return np.array([1.0])
    share = max(right, 1 / (1 + others))
    return np.concatenate([[share], (1 - share) * weights[1:] / others])


def fit_curve(
    features: Float64, target: Float64, weights: Float64, start: Float64, strength: float = STRENGTH
) -> Float64:
    """Logistic regression around given coefficients: Newton's method, halving steps that lead uphill.

    Args:
        features: Shape (n, 5).
        target: 0 or 1, shape (n,).
        weights: How much each row counts, shape (n,).
        start: The coefficients that the prior is centred on.
        strength: The prior's precision; the larger, the nearer the result stays to `start`.
    """
    x, theta = features / UNITS, start.copy()

    def loss(at: Float64) -> float:
        z = x @ at
        return float(weights @ (np.logaddexp(0, z) - target * z) + strength / 2 * ((at - start) ** 2).sum())

    before = loss(theta)
    for _ in range(40):
        p = _logistic(x @ theta)
        slope = x.T @ (weights * (p - target)) + strength * (theta - start)
        bend = (x * (weights * p * (1 - p))[:, None]).T @ x + (strength + 1e-9) * np.eye(len(theta))
        step = np.linalg.solve(bend, slope)
        size = 1.0
        while (after := loss(theta - size * step)) > before and size > 1e-6:
            size /= 2
        if before - after < 1e-9 * max(before, 1):
            break
        theta, before = theta - size * step, after
    return theta


@functools.cache
def general() -> dict[str, Any]:
    """What other FAQs taught: see prior.json."""
    text = (Path(__file__).with_name("prior.json")).read_text(encoding="utf-8")
    known: dict[str, Any] = json.loads(text)
    return known


def general_curves() -> Curves:
    """The curves before a FAQ has corrected them."""
    known = general()["curves"]
    return Curves(np.array(known["known"]), np.array(known["right"]))


def _logistic(z: Float64) -> Float64:
    grown: Float64 = 1 / (1 + np.exp(-np.clip(z, -40, 40)))
    return grown
