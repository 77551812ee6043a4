"""From what a person means (this precise, this probable, this rarely by chance) to a score, with its interval.

What is to be proven by the labels alone, without believing the curve, stands in proof.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration.asked import Threshold
from nearsense.calibration.curve import logit, sigmoid
from nearsense.calibration.proof import Labelled, at_least_precision
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Labelled", "Threshold", "at_least_precision", "reaching_precision", "reaching_probability"]


def reaching_probability(
    grid: NDArray[np.float64], log_odds: NDArray[np.float64], spread: NDArray[np.float64], wanted: float
) -> Threshold:
    """The lowest score at which a pair is at least this probable to mean the same.

    Args:
        grid: Every score that is worth asking about, rising.
        log_odds: What each says.
        spread: The standard error of that.
        wanted: A probability within (0, 1).

    Raises:
        InputError: No score is so probable.
    """
    goal = float(logit(wanted))
    score = _first(grid, log_odds >= goal)
    if score is None:
        most = float(sigmoid(log_odds[-1]))
        raise InputError(
            f"no score is {wanted:.0%} probable to mean the same",
            why=f"the highest score reaches {most:.1%} with this prior",
            fix=f"ask for less than {most:.2f}, or state a higher prior",
        )
    sure, possible = _first(grid, log_odds - 1.96 * spread >= goal), _first(grid, log_odds + 1.96 * spread >= goal)
    low, high = (float(grid[0]) if possible is None else possible), (float(grid[-1]) if sure is None else sure)
    return Threshold("min_probability", wanted, score, low, high)


def reaching_precision(
    scores: NDArray[np.float64],
    ratios: NDArray[np.float64],
    drawn: NDArray[np.float64],
    counts: NDArray[np.float64],
    share: float,
    *,
    wanted: float,
    prior: float,
) -> Threshold:
    """The lowest score at or above which this share of pairs means the same.

    The interval holds what the labels leave open: the curve, how many pairs score how high (Bayesian bootstrap,
    Rubin 1981), and, where few labelled pairs score so high, that the curve may bend there unseen.

    Args:
        scores: Shape (n,), falling: those of pairs as they occur.
        ratios: The log likelihood ratio of each.
        drawn: Shape (draws, n): other ratios that the labels allow as well.
        counts: For how many labelled pairs each stands.
        share: The share of same pairs among them.
        wanted: A precision within (0, 1).
        prior: The share of same pairs where the threshold is to be used.

    Raises:
        InputError: No score is so precise.
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
    weights = np.random.default_rng(1).standard_gamma(counts, drawn.shape)
    possible, _ = _above(drawn, weights, share, prior)
    curve = np.quantile(possible[:, place], [0.025, 0.975]).tolist()
    alone = _binomial(float(precisions[place]), float(counts[: place + 1].sum()), len(drawn))
    bare = np.quantile(alone, [0.025, 0.975]).tolist()
    low, high = min(curve[0], bare[0]), max(curve[1], bare[1])
    short = max(float((each < wanted).mean()) for each in (possible[:, place], alone))
    lasts = possible.shape[1] - 1 - np.argmax((possible >= wanted)[:, ::-1], axis=1)
    places = np.where((possible >= wanted).any(axis=1), lasts, 0)
    least, most = np.quantile(scores[places], [0.025, 0.975]).tolist()
    score, precision = float(scores[place]), float(precisions[place])
    return Threshold(
        "precision",
        wanted,
        score,
        min(least, score),
        max(most, score),
        precision,
        min(low, precision),
        max(high, precision),
        float(recalls[place]),
        short,
    )


def _binomial(share: float, count: float, draws: int) -> NDArray[np.float64]:
    """What a share may be that was seen among so many (Jeffreys 1946): no curve is believed for that."""
    return np.random.default_rng(3).beta(share * count + 0.5, (1 - share) * count + 0.5, draws)


def _above(
    ratios: NDArray[np.float64], weights: NDArray[np.float64], share: float, prior: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall at and above each of some scores, highest first, of each of some curves.

    Pairs were seen at one share of same ones; at another prior each counts as much more or less as its kind does.
    """
    at_home = sigmoid(ratios + logit(share))
    same = weights * at_home * (prior / share)
    other = weights * (1 - at_home) * ((1 - prior) / (1 - share))
    found, wrong = np.cumsum(same, axis=1), np.cumsum(other, axis=1)
    return found / np.maximum(found + wrong, 1e-300), found / np.maximum(found[:, -1:], 1e-300)


def _first(grid: NDArray[np.float64], reached: NDArray[np.bool_]) -> float | None:
    places = np.flatnonzero(reached)
    return float(grid[places[0]]) if len(places) else None
