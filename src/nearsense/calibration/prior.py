"""A share of same pairs: checked, and a curve moved until it predicts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["shift_to_share"]

_HALVINGS, _FARTHEST = 60, 60.0


def shift_to_share(probability: Callable[[float], NDArray[np.float64]], share: float) -> float:
    """What has to be added to the log-odds of some pairs so that their mean probability is `share`.

    Args:
        probability: The probability of each pair, by what is added; rising.
        share: Within (0, 1).

    Example:
        >>> from nearsense.calibration.curve import sigmoid
        >>> round(shift_to_share(lambda shift: sigmoid(np.array([1.0, 1.0]) + shift), 0.5), 6)
        -1.0
    """
    low, high = -_FARTHEST, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle).mean() < share else (low, middle)
    return (low + high) / 2
