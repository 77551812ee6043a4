"""A curve from scores to log-odds, and how sure it is of itself at each score. Not how it is fitted.

Each form is a row of `FEATURES`: what it makes of a score. The log-odds are a weighted sum of these, no weight but
the first is negative, so a higher score never means a lower probability.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.records import as_json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["FEATURES", "Curve", "Form", "finite", "logit", "sigmoid"]


_ODDS = 9.0
"""The greatest log-odds of a score that are told apart."""


class Form(StrEnum):
    """What shape a curve may have."""

    LOGISTIC = "logistic"
    """A straight line in the log-odds (Platt 1999): two parameters."""
    BETA = "beta"
    """Beta calibration (Kull et al. 2017) of a similarity in [-1, 1]: three parameters."""
    ISOTONIC = "isotonic"
    """Any curve that does not fall: straight in the log-odds between knots, smoothed a little. The steps of plain
    isotonic regression are surer than their data."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Log-odds as a function of the score.

    Args:
        form: Its shape.
        centre: The score that counts as zero.
        scale: The difference of scores that counts as one; above zero.
        knots: Scores, centred and scaled, between which an isotonic curve is straight; empty for other forms.
        weights: float64, shape (p,): what each feature counts; all but the first are zero or more.
        covariance: float64, shape (p, p): how uncertain the weights are.
    """

    form: Form
    centre: float
    scale: float
    knots: tuple[float, ...]
    weights: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def features(self, scores: ArrayLike) -> NDArray[np.float64]:
        """What the form makes of each score: shape (n, p)."""
        flat = np.asarray(scores, np.float64).ravel()
        return FEATURES[self.form](flat, self)

    def log_odds(self, scores: ArrayLike) -> NDArray[np.float64]:
        """The log-odds of each score: shape (n,).

        Added up one feature after the other: a matrix product rounds some rows otherwise than others, so that a
        higher score could get lower log-odds, and each processor others.
        """
        found = np.zeros(np.size(scores))
        for feature, weight in zip(self.features(scores).T, self.weights, strict=True):
            found += feature * weight
        return found

    def spread(self, scores: ArrayLike) -> NDArray[np.float64]:
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

    def draws(self, n: int, seed: int = 0) -> NDArray[np.float64]:
        """Weights that the data allow as well, shape (n, p): normally distributed, none below its bound."""
        values, directions = np.linalg.eigh(self.covariance)
        noise = np.random.default_rng(seed).standard_normal((n, len(self.weights)))
        drawn = self.weights + (noise * np.sqrt(np.maximum(values, 0.0))) @ directions.T
        drawn[:, 1:] = np.maximum(drawn[:, 1:], 0.0)
        return np.asarray(drawn)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Curve:
        """What `to_dict` gave, again a curve.

        Raises:
            KeyError: Something is missing.
            ValueError: Something is no number, or the shapes do not fit.
        """
        weights, covariance = (np.asarray(known[name], np.float64) for name in ("weights", "covariance"))
        curve = cls(
            Form(known["form"]),
            finite(known["centre"]),
            finite(known["scale"]),
            tuple(finite(knot) for knot in known["knots"]),
            weights,
            covariance,
        )
        if curve.form is Form.ISOTONIC and (not curve.knots or list(curve.knots) != sorted(set(curve.knots))):
            raise ValueError("an isotonic curve has knots, each above the one before")
        if covariance.shape != (len(weights), len(weights)) or not curve.scale > 0:
            raise ValueError("a curve has a covariance for each two weights, and a positive scale")
        if not (np.isfinite(weights).all() and np.isfinite(covariance).all() and (weights[1:] >= 0).all()):
            raise ValueError("a curve's weights must be finite, and none but the first negative")
        if curve.features([0.0]).shape[1] != len(weights):
            raise ValueError(f"a curve of the form {curve.form.value} has another number of weights")
        return curve


def finite(value: Any) -> float:
    """A finite number.

    Raises:
        ValueError: It is none.
    """
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(f"{number} is no finite number")
    return number


def logit(probability: ArrayLike) -> NDArray[np.float64]:
    """log(p / (1 - p)) of a probability within (0, 1)."""
    p = np.asarray(probability, np.float64)
    return np.asarray(np.log(p) - np.log1p(-p))


def sigmoid(log_odds: ArrayLike) -> NDArray[np.float64]:
    """The probability of these log-odds."""
    x = np.asarray(log_odds, np.float64)
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, small) / (1.0 + small))


_HALVINGS, _FARTHEST = 60, 60.0


def shift_to_share(probability: Callable[[float], NDArray[np.float64]], share: float) -> float:
    """What has to be added to the log-odds of some pairs so that their mean probability is `share`.

    Args:
        probability: The probability of each pair, by what is added; rising.
        share: Within (0, 1).

    Example:
        >>> round(shift_to_share(lambda shift: sigmoid(np.array([1.0, 1.0]) + shift), 0.5), 6)
        -1.0
    """
    low, high = -_FARTHEST, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle).mean() < share else (low, middle)
    return (low + high) / 2


def _logistic(scores: NDArray[np.float64], curve: Curve) -> NDArray[np.float64]:
    return np.stack([np.ones_like(scores), (scores - curve.centre) / curve.scale], axis=1)


_EDGE = 1e-3
"""How near to -1 and 1 a similarity counts: identical texts score 1, give or take a rounding."""


def _beta(scores: NDArray[np.float64], _curve: Curve) -> NDArray[np.float64]:
    share = np.clip((1.0 + scores) / 2.0, _EDGE, 1.0 - _EDGE)
    return np.stack([np.ones_like(scores), np.log(share), -np.log1p(-share)], axis=1)


def _isotonic(scores: NDArray[np.float64], curve: Curve) -> NDArray[np.float64]:
    z, knots = (scores - curve.centre) / curve.scale, curve.knots
    first, last = np.minimum(z, knots[0]) - knots[0], np.maximum(z, knots[-1]) - knots[-1]
    between = [np.clip(z, low, high) - low for low, high in itertools.pairwise(knots)]
    return np.stack([np.ones_like(z), first, *between, last], axis=1)


FEATURES: dict[Form, Callable[[NDArray[np.float64], Curve], NDArray[np.float64]]] = {
    Form.LOGISTIC: _logistic,
    Form.BETA: _beta,
    Form.ISOTONIC: _isotonic,
}
