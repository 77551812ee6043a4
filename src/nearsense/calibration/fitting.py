"""Labelled scores to a curve: penalised likelihood, and the form that predicts unseen labels best. Not the labels.

With few labels a weak prior speaks: in units of the scores' own standard deviation the log-odds rise by about 2.5
a unit (1.4 to 5 on seven public sets). With hundreds of labels nobody hears it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration.curve import Curve, Form, logit, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float64 = NDArray[np.float64]

LEAST = 20  # labels from which on a curve can be fitted
FOLDS = 10  # parts of the labels; each is predicted from the others when forms are compared

_SLOPE, _SLOPE_SPREAD, _START_SPREAD = 2.5, 1.5, 4.0
"""What a standard deviation of the scores adds to the log-odds, and how far from that it may lie."""

_BEND = 2.0  # by how much the slopes of neighbouring parts of an isotonic curve may differ
_NARROWEST = (
    0.02  # the least standard deviation that scores count as, in parts of the greatest: rounding is no slope
)
_ENOUGH = {Form.LOGISTIC: LEAST, Form.BETA: 100, Form.ISOTONIC: 200}  # labels from which on a form is tried
_KNOTS, _LABELS_A_KNOT = 8, 40


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A curve, fitted to n labels, and how it did on labels that it had not seen."""

    curve: Curve
    losses: dict[Form, float]  # the cross-validated log loss of each form that was tried, in nats a pair
    predictions: Float64  # (n,): for each pair the probability that the chosen form gave it unseen


def fit(scores: Float64, labels: Float64, *, bounded: bool = True) -> Fitted:
    """The curve that predicts best whether a pair of a given score means the same, at the share of same ones here.

    Scores are finite, labels 1 (same) or 0 and both occur: shape (n,), n >= 20. Of two forms the one with the
    smaller cross-validated log loss is taken; beta calibration only where scores are `bounded` by -1 and 1.
    """
    parts, losses, unseen = parts_of(labels), {}, {}
    for form in Form:
        if len(scores) < _ENOUGH[form] or (form is Form.BETA and not bounded):
            continue
        unseen[form] = np.empty(len(scores))
        for part in range(FOLDS):
            own = parts == part
            unseen[form][own] = sigmoid(_fitted(form, scores[~own], labels[~own]).log_odds(scores[own]))
        losses[form] = log_loss(labels, unseen[form])
    best = min(losses, key=losses.__getitem__)
    return Fitted(_fitted(best, scores, labels), losses, unseen[best])


def plain_logistic(values: Float64, labels: Float64) -> tuple[float, float]:
    """Start and slope of the logistic curve of greatest likelihood, all but unpenalised."""
    features = np.stack([np.ones_like(values), values], axis=1)
    weights, _ = _most_likely(features, labels, np.array([0.0, 1.0]), np.diag([1e-4, 1e-3]))
    return float(weights[0]), float(weights[1])


def parts_of(labels: Float64) -> NDArray[np.int64]:
    """For each pair the part it belongs to; each has its share of same pairs."""
    parts = np.empty(len(labels), np.int64)
    mixed = np.random.default_rng(0).permutation(len(labels))
    order = mixed[np.argsort(labels[mixed], kind="stable")]
    parts[order] = np.arange(len(labels)) % FOLDS
    return parts


def log_loss(labels: Float64, probabilities: Float64) -> float:
    """In nats a pair."""
    p = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p)))


def _fitted(form: Form, scores: Float64, labels: Float64) -> Curve:
    centre, scale = float(scores.mean()), max(float(scores.std()), _NARROWEST * float(np.abs(scores).max()))
    knots: tuple[float, ...] = ()
    if form is Form.ISOTONIC:  # they part the scores evenly
        count = max(3, min(_KNOTS, len(scores) // _LABELS_A_KNOT))
        knots = tuple(np.unique(np.quantile((scores - centre) / scale, np.linspace(0.02, 0.98, count))).tolist())
    features = Curve(form, centre, scale, knots, np.zeros(0), np.zeros((0, 0))).features(scores)
    share = float((labels.sum() + 0.5) / (len(labels) + 1))
    weights, covariance = _most_likely(features, labels, *_prior(form, knots, share))
    return Curve(form, centre, scale, knots, weights, covariance)


def _prior(form: Form, knots: tuple[float, ...], share: float) -> tuple[Float64, Float64]:
    """What the weights are before any label: their mean, and the precision (inverse covariance) of that."""
    if form is Form.LOGISTIC:
        return np.array([float(logit(share)), _SLOPE]), np.diag([_START_SPREAD**-2, _SLOPE_SPREAD**-2])
    if form is Form.BETA:
        return np.array([0.0, 1.0, 1.0]), np.diag([1e-4, 1e-3, 1e-3])
    slopes = len(knots) + 1
    bends = np.diff(np.eye(slopes), axis=0) / _BEND
    precision = np.zeros((slopes + 1, slopes + 1))
    precision[0, 0] = 1e-4
    precision[1:, 1:] = bends.T @ bends + np.eye(slopes) * (_SLOPE_SPREAD * slopes) ** -2
    return np.concatenate([[float(logit(share))], np.full(slopes, _SLOPE)]), precision


def _most_likely(
    features: Float64, labels: Float64, expected: Float64, precision: Float64
) -> tuple[Float64, Float64]:
    """The weights of greatest posterior, by damped Newton steps, none but the first negative; their covariance."""

    def cost(weights: Float64) -> float:
        z, off = features @ weights, weights - expected
        return float(np.sum(np.logaddexp(0.0, z) - labels * z) + 0.5 * off @ precision @ off)

    weights = expected.copy()
    now = cost(weights)
    for _ in range(100):
        p = sigmoid(features @ weights)
        gradient = features.T @ (p - labels) + precision @ (weights - expected)
        curvature = (features * (p * (1 - p))[:, None]).T @ features + precision
        towards = _bounded_minimum(curvature, gradient, weights) - weights
        step = 1.0
        while (then := cost(weights + step * towards)) > now and step > 1e-6:
            step /= 2
        if now - then < 1e-9 * (1 + abs(now)):
            break
        weights, now = weights + step * towards, then
    return weights, np.asarray(np.linalg.inv(curvature), np.float64)


def _bounded_minimum(curvature: Float64, gradient: Float64, weights: Float64) -> Float64:
    """Where the quadratic around `weights` is smallest with no weight but the first below zero."""
    free = np.ones(len(weights), bool)
    target = curvature @ weights - gradient
    found = np.zeros_like(weights)
    for _ in range(2 * len(weights)):
        found[:] = 0.0
        found[free] = np.linalg.solve(curvature[np.ix_(free, free)], target[free])
        below = free & (found < 0)
        below[0] = False
        if not below.any():
            slack = curvature @ found - target
            stuck = ~free & (slack < -1e-9)
            if not stuck.any():
                break
            free[np.argmin(np.where(stuck, slack, np.inf))] = True
        else:
            free &= ~below
    return np.concatenate([found[:1], np.maximum(found[1:], 0.0)])
