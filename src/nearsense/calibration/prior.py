"""A share of same pairs: checked, and a curve moved until it predicts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["checked_share", "shift_to_share"]

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


def checked_share(share: float, name: str = "prior") -> float:
    """A share within (0, 1), as a float.

    Raises:
        InputError: It is none.
    """
    if isinstance(share, (int, float, np.number)) and not isinstance(share, bool) and 0 < share < 1:
        return float(share)
    raise InputError(
        f"{name}={share!r} is no share between 0 and 1",
        fix=f"say {name}=0.5, for instance",
    )
