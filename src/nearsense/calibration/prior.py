"""How many pairs of a set mean the same, told from their scores alone. Not what a single pair does.

Two questions, two answers. Where the curve holds and the share is unknown, `estimated_share` finds it. Where the
share is known and the curve may not hold, `shift_to_share` moves the curve until it predicts that share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration.curve import logit, sigmoid
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["checked_share", "estimated_share", "shift_to_share"]

_LEAST, _HALVINGS, _FARTHEST = 1e-9, 60, 60.0


def estimated_share(log_ratios: ArrayLike, *, expected: float = 0.5, weight: float = 1.0) -> float:
    """The share of pairs that mean the same, by maximum likelihood (Saerens, Latinne, Decaestecker 2002).

    It is where expectation maximisation comes to rest: the mean probability is the share. The likelihood is
    concave in the share, so halving finds it.

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
    if not np.isfinite(ratios).all():
        raise InputError("a log likelihood ratio is no finite number", fix="give those of Calibration.log_ratio")
    if not len(ratios):
        return expected
    low, high = _LEAST, 1 - _LEAST
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        gained = float((sigmoid(ratios + logit(share)) - share).sum()) + weight * (expected - share)
        low, high = (share, high) if gained > 0 else (low, share)
    return (low + high) / 2


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
