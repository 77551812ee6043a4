"""How probable it is that the two of a pair say the same, and how low a score may be for it. No mining."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration import Background, Calibration
from nearsense.calibrator import Calibrator, at_home
from nearsense.errors import InputError
from nearsense.records import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nearsense.encoders import Encoder


@dataclass(frozen=True, slots=True, eq=False)
class PairProbability:
    """Scores to probabilities, for pairs of one corpus.

    Args:
        calibration: The curve.
        prior: The share of same pairs that is assumed.
        guarded: Whether somebody looks at what differs.
    """

    calibration: Calibration
    prior: float
    guarded: bool

    @property
    def _best(self) -> float:
        """What is added at most to what the score says: that nothing differs."""
        if not self.guarded:
            return 0.0
        return max(0.0, float(self.calibration.guarded(np.zeros(1), [()])[0]))

    def shifts(self, scores: NDArray[np.float64], kinds: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """What the guard says of pairs beyond their scores."""
        return self.calibration.guarded(scores, kinds) if self.guarded else np.zeros(len(scores))

    def of(self, scores: NDArray[np.float64], shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        """That the two of each pair say the same."""
        return self.calibration.probability(scores, prior=self.prior, shift=shifts)

    def interval(
        self, scores: NDArray[np.float32], shifts: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Between what the probabilities lie, nineteen times in twenty."""
        known = np.clip(scores.astype(np.float64), -1.0, 1.0)
        return self.calibration.interval(known, prior=self.prior, shift=shifts.astype(np.float64))

    def lowest(self, min_probability: float) -> float:
        """The lowest score at which a pair in which nothing differs may be so probable; above 1 where none may.

        Found by halving: a higher score never is less probable.
        """
        best = self._best
        low, high = -1.0, 1.0
        if self.calibration.probability(high, prior=self.prior, shift=best) < min_probability:
            return 2.0
        if self.calibration.probability(low, prior=self.prior, shift=best) >= min_probability:
            return low
        for _ in range(40):
            middle = (low + high) / 2
            reached = self.calibration.probability(middle, prior=self.prior, shift=best) >= min_probability
            low, high = (low, middle) if reached else (middle, high)
        return low - 1e-6  # scores are rounded to float32


def pair_probability(
    calibrator: Calibrator,
    origin: Origin,
    background: Callable[[], Background | None],
    *,
    guarded: bool,
    encoder: Encoder | None = None,
) -> PairProbability | None:
    """How probable the pairs of a corpus are; None where no calibration is known and no probability asked for.

    `background` gives random pairs of the corpus: far from home the intervals are wider, and a warning says so.
    """
    try:
        calibration = calibrator.of(origin, encoder)
    except InputError as error:
        if (
            calibrator.min_probability is None
            or calibrator.prior is not None
            or "no calibration" not in error.what
        ):
            raise
        raise InputError(
            error.what, why=error.why, fix=f"give a score instead: min_score=0.9; or {error.fix}"
        ) from None
    if calibration is None:
        return None
    calibration = at_home(calibration, background)
    calibration = calibration.here(share=calibrator.prior)
    return PairProbability(calibration, calibrator.prior_of(calibration), guarded)
