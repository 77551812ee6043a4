"""What it says of two texts that something differs between them, beyond their score. Not what differs: see guard/.

A logistic regression on top of the curve, whose log-odds are given: a weight for pairs without a difference, one
for pairs with any, one more for each kind, and two slopes: where something differs a high score says less, because
texts that differ in one word score high whatever it is; where that is a figure, a code, an opposite it says hardly
anything. With few pairs a prior speaks, from 20,000 public pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration.curve import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GENERAL", "NOTHING", "guard_shifts", "shifts_of"]

UNREAD = "unread"
"""The kind of what a model does not read: of that a score is no evidence, however high it is."""

NOTHING, ANY, SLOPE, HARD = "nothing", "any", "slope", "hard slope"
"""Pairs without a difference; with one of a kind that was not measured; what is left of a high score's own
say, and what where the difference is a hard one."""

_EXPECTED = {NOTHING: (0.0, 0.3), ANY: (-1.0, 0.7), SLOPE: (0.6, 0.3), HARD: (0.25, 0.2)}
"""Mean and spread before any label: see docs/calibration.md."""

_KIND = 0.7
"""How far the weight of one kind may lie from that of all."""

_WRITTEN = frozenset({"cause", "code", "colour", "comparison", "condition", "order", "ordinal", "side"})
_WRITTEN_MEAN = -1.0
"""Kinds that public pairs hardly have, and by how much their weight is expected to lie below that of all: of pairs
written to differ in them the guard names 160 of 160, of pairs written to say the same 1 of 110. Those were in view
when its rules were made, so this is a choice, well short of what they would say."""

_SOFT = frozenset({"name", "place", "modality"})
"""Kinds in which two texts often differ that still say the same: one is at fault, or loose."""


GENERAL: Mapping[str, float] = {
    **{name: _EXPECTED[name][0] for name in (ANY, SLOPE, HARD)},
    **dict.fromkeys(sorted(_WRITTEN), _EXPECTED[ANY][0] + _WRITTEN_MEAN),
}
"""What a difference says of two texts where nothing was measured for their model."""


def _hard(kinds: Sequence[str]) -> bool:
    """Whether one of the kinds leaves no doubt that something else is said."""
    return not _SOFT.issuperset(kinds)


def shifts_of(
    guard: Mapping[str, float], log_ratios: NDArray[np.float64], kinds: Sequence[Sequence[str]]
) -> NDArray[np.float64]:
    """What differences say of pairs beyond their scores, in the log-odds; the worst kind of each pair speaks.

    Where the model does not read what differs, no score makes it more probable that the two say the same than it
    was before.

    Args:
        guard: What `guard_shifts` gave.
        log_ratios: Shape (n,): what the score of each pair says.
        kinds: For each pair the kinds of difference that were seen.

    Returns:
        Shape (n,): at most zero where something differs, at least zero elsewhere.
    """
    unknown, nothing, slope = (guard.get(*each) for each in ((ANY, 0.0), (NOTHING, 0.0), (SLOPE, 1.0)))
    slopes = np.where([_hard(each) for each in kinds], guard.get(HARD, slope), slope)
    worst = np.array([min((guard.get(kind, unknown) for kind in each), default=nothing) for each in kinds])
    differs = np.array([bool(each) for each in kinds], bool)
    held = np.minimum((slopes - 1.0) * log_ratios, 0.0)
    shifts = worst + np.where(differs, held, 0.0)
    unread = np.array([UNREAD in each for each in kinds], bool)
    return np.asarray(np.where(unread, np.minimum(shifts, -log_ratios), shifts), np.float64)


def guard_shifts(
    log_odds: NDArray[np.float64],
    log_ratios: NDArray[np.float64],
    labels: NDArray[np.float64],
    kinds: Sequence[Sequence[str]],
) -> dict[str, float]:
    """What each kind of difference adds to the log-odds (at most 0), what none adds (at least 0), and the slope.

    Args:
        log_odds: Shape (n,): what the score of each pair says, at the share of same pairs among these.
        log_ratios: Shape (n,): the same without that share.
        labels: Shape (n,): 1 same, 0 not.
        kinds: For each pair the kinds of difference that were seen.
    """
    names = sorted(_WRITTEN.union(*kinds))
    features = np.zeros((len(labels), 4 + len(names)))
    high = np.maximum(log_ratios, 0.0)  # below even odds a score says what it says
    base = np.where([bool(each) for each in kinds], np.minimum(log_ratios, 0.0), log_ratios)
    for row, each in enumerate(kinds):
        features[row, 1 if each else 0] = 1.0
        features[row, 3 if _hard(each) else 2] = high[row] if each else 0.0
        for kind in each:
            features[row, 4 + names.index(kind)] = 1.0
    mean = np.array(
        [*(centre for centre, _ in _EXPECTED.values()), *(_WRITTEN_MEAN * (name in _WRITTEN) for name in names)]
    )
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
    nothing, any_, slope, hard, *own = weights.tolist()
    return {
        NOTHING: max(nothing, 0.0),
        ANY: min(any_, 0.0),
        SLOPE: min(max(slope, 0.0), 1.0),
        HARD: min(max(hard, 0.0), 1.0),
        **{name: min(any_ + each, 0.0) for name, each in zip(names, own, strict=True)},
    }
