"""How sure a verb's results are: which calibration, which prior, who is left out. Not the curves themselves."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense.calibration import ABROAD, Background, Calibration, Task, chosen, estimated_share
from nearsense.calibration.prior import checked_share
from nearsense.errors import InputError
from nearsense.types import CalibrationWarning, Hit, Metric, Origin, Ranking, Results
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder
    from nearsense.guard import Difference

__all__ = ["ESTIMATE", "Assurance", "Calibrated", "Judged", "at_home", "unfamiliar_pairs"]

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


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """How sure some pairs are: one entry a pair, in their order.

    Args:
        origin: What gave the scores, with the calibration and the prior of the probabilities.
        probability: That the two mean the same; None where no calibration is known, or the model cannot judge.
        interval: Between what it lies, nineteen times in twenty.
        differs: What differs between the texts, in words; None where nobody has looked.
        unsure: Why the model cannot judge the pair.
    """

    origin: Origin
    probability: list[float | None]
    interval: list[tuple[float, float] | None]
    differs: list[tuple[str, ...] | None]
    unsure: list[str | None]

    def rows(
        self,
    ) -> Iterator[tuple[float | None, tuple[float, float] | None, tuple[str, ...] | None, str | None]]:
        """Probability, interval, differences and what stands in the way, pair by pair."""
        return zip(self.probability, self.interval, self.differs, self.unsure, strict=True)


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

    def judged(
        self,
        origin: Origin,
        pairs: Sequence[tuple[str, str]],
        scores: Sequence[float] | NDArray[np.floating],
        expected: float,
        *,
        encoder: Encoder | None = None,
        background: Callable[[], Background | None] = lambda: None,
        passages: bool = False,
    ) -> Judged:
        """What differs between the texts of pairs, and how sure their scores, lowered by that, leave one.

        Args:
            origin: What gave the scores.
            pairs: Two texts each; where one is not known, and so empty, nobody looks.
            scores: One a pair.
            expected: The share of same pairs where neither the caller nor the calibration says one.
            encoder: The model that gave the scores: it tells what it does not read, and what it was made for.
            background: The scores of random pairs of the corpus, where it is known; called only if it is needed.
            passages: One text may be many times as long as the other; it does not look like it, and is not read.

        Raises:
            ModelMismatch, InputError: See `of`.
        """
        calibration = self.of(origin) if len(pairs) else None
        known = np.asarray(scores, np.float64)
        if origin.metric is Metric.COSINE:
            same = [bool(a) and a != b and normal_form(a) == normal_form(b) for a, b in pairs]
            known = np.where(same, 1.0, np.clip(known, -1.0, 1.0))  # whatever the model makes of their form
        looked = np.array([bool(a and b) for a, b in pairs], bool)
        seen, unsure = _looked_at(
            [pair for pair, look in zip(pairs, looked.tolist(), strict=True) if look],
            known[looked] if origin.metric is Metric.COSINE else None,
            encoder,
            passages=passages,
        )
        differs: list[tuple[str, ...] | None] = [None] * len(pairs)
        why: list[str | None] = [None] * len(pairs)
        for at, found, reason in zip(np.flatnonzero(looked).tolist(), seen, unsure, strict=True):
            differs[at], why[at] = tuple(str(each) for each in found), reason
        if calibration is None:
            return Judged(origin, [None] * len(pairs), [None] * len(pairs), differs, why)
        calibration, shifts = at_home(calibration, background), np.zeros(len(pairs))
        shifts[looked] = calibration.guarded(known[looked], [[one.kind for one in each] for each in seen])
        told = [each is None for each in why]
        prior = self.prior_of(calibration, known[told], expected, shifts[told])
        values = calibration.probability(known, prior=prior, shift=shifts).tolist()
        lows, highs = (each.tolist() for each in calibration.interval(known, prior=prior, shift=shifts))
        return Judged(
            replace(origin, calibration=calibration.task, prior=prior),
            [value if sure else None for value, sure in zip(values, told, strict=True)],
            [(low, high) if sure else None for low, high, sure in zip(lows, highs, told, strict=True)],
            differs,
            why,
        )

    def passes(self, probability: float | None) -> bool:
        """Whether a result is probable enough to be shown; without a probability only where none was asked for."""
        return self.min_probability is None or (probability is not None and probability >= self.min_probability)

    def hits(
        self,
        found: list[Results[Hit]],
        corpus: int,
        background: Callable[[], Background | None] = lambda: None,
        *,
        encoder: Encoder | None = None,
    ) -> list[Results[Hit]]:
        """Hits with what differs between query and text, and with their probabilities, lowered by that.

        Args:
            found: One list a query; all of one origin. Their order stays.
            corpus: How many texts they were found among.
            background: The scores of random pairs of the corpus, where it is known; called only if it is needed.
            encoder: The model that gave the scores: what it cannot read differs too.

        Raises:
            ModelMismatch, InputError: See `of`.
        """
        if not found:
            return found
        judged = self.judged(
            found[0].origin,
            [(hits.query or "", hit.text or "") for hits in found for hit in hits],
            [hit.score for hits in found for hit in hits],
            max(1 / NEAREST, min(0.5, 1 / max(corpus, 1))),
            encoder=encoder,
            background=background,
            passages=True,
        )
        rows = iter(judged.rows())
        return [
            Results(
                [
                    replace(hit, probability=probability, interval=interval, differs=differs, unsure=why)
                    for hit, (probability, interval, differs, why) in zip(hits, rows, strict=False)
                    if self.passes(probability)
                ],
                replace(hits.origin, calibration=judged.origin.calibration, prior=judged.origin.prior),
                hits.query,
            )
            for hits in found
        ]


def _looked_at(
    pairs: Sequence[tuple[str, str]],
    cosines: NDArray[np.float64] | None,
    encoder: Encoder | None,
    *,
    passages: bool,
) -> tuple[Sequence[Sequence[Difference]], Sequence[str | None]]:
    """What differs between the texts of each pair, and why it cannot be judged."""
    if not pairs:
        return [], []
    from nearsense.pair_differences import pair_differences

    lefts, rights = zip(*pairs, strict=True)
    near = [at for at, pair in enumerate(pairs) if not passages or _may_be_alike(*pair)]
    found = pair_differences(
        [lefts[at] for at in near],
        [rights[at] for at in near],
        encoder=encoder,
        scores=None if cosines is None else cosines[near],
    )
    differs: list[Sequence[Difference]] = [()] * len(pairs)
    for at, each in zip(near, found, strict=True):
        differs[at] = each
    return differs, unfamiliar_pairs(lefts, rights, encoder)


def _may_be_alike(a: str, b: str) -> bool:
    """Whether two texts may share half of their words: one of three times the other's words cannot."""
    short, long = sorted((len(a), len(b)))
    return long <= _TIMES * short + _GRACE


_TIMES, _GRACE = 4, 60
"""Characters by which a text may be longer, generously."""


def unfamiliar_pairs(lefts: Sequence[str], rights: Sequence[str], encoder: Encoder | None) -> list[str | None]:
    """For each pair why the model cannot judge it: its texts differ, and it was not made for one of them."""
    from nearsense.pair_differences import unfamiliar

    if encoder is None:
        return [None] * len(lefts)
    texts = list(dict.fromkeys([*lefts, *rights]))
    why = dict(zip(texts, unfamiliar(texts, encoder), strict=True))
    return [
        None if a == b or not (reason := why[a] or why[b]) or normal_form(a) == normal_form(b) else reason
        for a, b in zip(lefts, rights, strict=True)
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
