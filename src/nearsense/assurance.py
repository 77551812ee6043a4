"""How sure a verb's results are: which calibration, which prior, who is left out. Not the curves themselves."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nearsense.calibration import ABROAD, Background, Calibration, Task, chosen, estimated_share
from nearsense.calibration.prior import checked_share
from nearsense.errors import InputError
from nearsense.types import CalibrationWarning, Hit, Metric, Origin, Ranking, Results

__all__ = ["ESTIMATE", "Assurance", "Calibrated"]

Calibrated = Calibration | str | os.PathLike[str] | None
"""What may be said as `calibration=`: one, its file, a task, "none", or None for what is shipped."""

ESTIMATE = "estimate"
"""What is said as `prior=` where the scores themselves shall tell it."""

NEAREST = 10
"""Among this many of the nearest texts a search expects one that answers it, where nothing else is known."""

_WEIGHT = 10.0
"""How many hits the expected share counts as when it is estimated."""


_REMEDY: dict[Metric | Ranking, str] = {
    Ranking.BM25: 'search by meaning: mode="dense"',
    Ranking.FUSED: 'search by meaning: mode="dense"',
    Ranking.CROSS: "make one of its scores: ns.calibrate(pairs, encoder=cross)",
}
"""What to do where a kind of score has no probability."""


@dataclass(frozen=True, slots=True)
class Assurance:
    """How a verb makes its results sure.

    Args:
        task: What the verb is about, where nothing is said.
        calibration: What the caller said.
        prior: The share of same pairs; "estimate" for what the scores tell; None for what the verb expects.
        min_probability: Leave out what is less probable.
    """

    task: Task
    calibration: Calibrated = None
    prior: float | str | None = None
    min_probability: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.prior, str) and self.prior != ESTIMATE:
            raise InputError(f"prior={self.prior!r} is not known", fix=f'a share like 0.5, or "{ESTIMATE}"')
        if self.prior is not None and not isinstance(self.prior, str):
            checked_share(self.prior)
        least = self.min_probability
        real = isinstance(least, (int, float, np.floating)) and not isinstance(least, bool)
        if least is not None and not (real and 0 <= least <= 1):
            raise InputError(f"min_probability={least!r} is no probability", fix="a number from 0 to 1: 0.9, say")

    def of(self, origin: Origin) -> Calibration | None:
        """The calibration for such scores; None where none is known.

        Raises:
            ModelMismatch: The caller's is of another model.
            InputError: A probability was asked for, and none can be told.
        """
        found = chosen(self.calibration, origin, self.task)
        asked = {"min_probability": self.min_probability, "prior": self.prior}
        if found is None and (names := [name for name, value in asked.items() if value is not None]):
            raise InputError(
                f"{' and '.join(names)}: no calibration is known for {origin.model} ({origin.metric.value})",
                why="without one a score is no probability",
                fix=_REMEDY.get(origin.metric, f"make one: nearsense calibrate PAIRS --model {origin.model}"),
            )
        return found

    def prior_of(
        self, calibration: Calibration, scores: np.ndarray, expected: float, shift: np.ndarray | float = 0.0
    ) -> float:
        """The share of same pairs that is assumed; `shift` is what else is known of each pair."""
        if self.prior is None:
            return expected if calibration.prior is None else calibration.prior
        if isinstance(self.prior, str):
            return estimated_share(calibration.log_ratio(scores) + shift, expected=expected, weight=_WEIGHT)
        return self.prior

    def hits(
        self,
        found: list[Results[Hit]],
        corpus: int,
        background: Callable[[], Background | None] = lambda: None,
    ) -> list[Results[Hit]]:
        """Hits with their probabilities.

        Args:
            found: One list a query; all of one origin.
            corpus: How many texts they were found among.
            background: The scores of random pairs of the corpus, where it is known; called only if it is needed.

        Raises:
            ModelMismatch, InputError: See `of`.
        """
        if not found or (calibration := self.of(found[0].origin)) is None:
            return found
        calibration = at_home(calibration, background)
        scores = np.array([hit.score for hits in found for hit in hits])
        prior = self.prior_of(calibration, scores, max(1 / NEAREST, min(0.5, 1 / max(corpus, 1))))
        values = calibration.probability(scores, prior=prior).tolist()
        ends = zip(*(each.tolist() for each in calibration.interval(scores, prior=prior)), strict=True)
        sure = iter(zip(values, ends, strict=True))
        least = -1.0 if self.min_probability is None else self.min_probability
        return [
            Results(
                [
                    replace(hit, probability=probability, interval=interval)
                    for hit, (probability, interval) in zip(hits, sure, strict=False)
                    if probability >= least
                ],
                replace(hits.origin, calibration=calibration.task, prior=prior),
                hits.query,
            )
            for hits in found
        ]


def at_home(calibration: Calibration, background: Callable[[], Background | None]) -> Calibration:
    """The calibration as it is used here; far from home its intervals are wider, and a warning says so."""
    if calibration.background is None:
        return calibration
    here = background()
    if here is None or (moved := calibration.at(here)).distance < ABROAD:
        return calibration if here is None else moved
    home = calibration.background
    warnings.warn(
        CalibrationWarning(
            f"these texts are unlike those that the probabilities were learnt on: random pairs score "
            f"{here.random[1]:.2f}, there {home.random[1]:.2f}; nearest pairs "
            f"{_nearest(here, home)}; intervals are wider"
        ),
        stacklevel=2,
    )
    return moved


def _nearest(here: Background, home: Background) -> str:
    size = max(size for size in here.nearest if size in home.nearest)
    return f"{here.nearest[size][1]:.2f}, there {home.nearest[size][1]:.2f}"
