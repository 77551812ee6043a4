"""Scores whose probabilities are known: what a calibration has to find again."""

from __future__ import annotations

import numpy as np

from nearsense.calibration.curve import sigmoid
from nearsense.records import Origin

ORIGIN = Origin("made", "0" * 64)


def truth(scores):
    """The probability that a pair of this score means the same."""
    return sigmoid(9.0 * (np.asarray(scores) - 0.6))


def sample(n, seed=0):
    """n scores between -0.1 and 1, and labels drawn by their true probability."""
    rng = np.random.default_rng(seed)
    scores = np.sqrt(rng.random(n)) * 1.1 - 0.1
    return scores, (rng.random(n) < truth(scores)).astype(int)
