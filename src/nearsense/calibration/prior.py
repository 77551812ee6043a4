"""How many pairs of a set mean the same, told from their scores alone. Not what a single pair does.

Two questions, two answers. Where the curve holds and the share is unknown, `estimated_share` finds it. Where the
share is known and the curve may not hold, `shift_to_share` moves the curve until it predicts that share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration.curve import logit, sigmoid
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["checked_share", "estimated_share", "shift_to_share"]

_STEPS = 2_000


def estimated_share(log_ratios: ArrayLike, *, expected: float = 0.5, weight: float = 1.0) -> float:
    """The share of pairs that mean the same, by expectation maximisation (Saerens, Latinne, Decaestecker 2002).

    It is right where the likelihood ratios are: among pairs that look alike as those did which the curve was
    learnt on.

    Args:
        log_ratios: Shape (n,): for each pair the log likelihood ratio of its score, same against not.
        expected: What is expected before any score is seen, within (0, 1).
        weight: How many pairs this expectation counts as; 0 for none.

    Returns:
        A share within (0, 1).

    Example:
        >>> round(estimated_share([4.0, 4.0, -4.0, -4.0], weight=0), 2)
        0.5
    """
    ratios = np.asarray(log_ratios, np.float64).ravel()
    if not len(ratios):
        return expected
    share = expected
    for _ in range(_STEPS):
        found = float(sigmoid(ratios + logit(share)).sum())
        new = (found + weight * expected) / (len(ratios) + weight)
        new = min(max(new, 1e-9), 1 - 1e-9)
        if abs(new - share) < 1e-10:
            break
        share = new
    return share


def shift_to_share(log_odds: ArrayLike, share: float) -> float:
    """What has to be added to the log-odds of some pairs so that their mean probability is `share`.

    Args:
        log_odds: Shape (n,), n >= 1.
        share: Within (0, 1).

    Example:
        >>> round(shift_to_share([1.0, 1.0], 0.5), 6)
        -1.0
    """
    odds = np.asarray(log_odds, np.float64).ravel()
    low, high = float(logit(share)) - float(odds.max()), float(logit(share)) - float(odds.min())
    for _ in range(100):
        middle = (low + high) / 2
        if sigmoid(odds + middle).mean() < share:
            low = middle
        else:
            high = middle
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
        why="it is the part of the pairs that mean the same, before their scores are looked at",
        fix=f"say {name}=0.5 where half of them do",
    )
