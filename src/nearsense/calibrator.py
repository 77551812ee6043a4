"""Probabilities for the results of a verb: which calibration, which prior, who is left out. Not the curves."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense.calibration import ABROAD, Background, Calibration, Task, chosen, lent
from nearsense.calibration.curve import UNREAD, shift_to_share
from nearsense.calibration.population import ENOUGH
from nearsense.checks import is_number
from nearsense.errors import CalibrationWarning, InputError
from nearsense.records import Hit, Metric, Origin, Ranking, Results
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.guard import Difference

__all__ = [
    "SAME_AT_LEAST",
    "SAME_TEXT",
    "Calibrated",
    "Calibrator",
    "Judged",
    "at_home",
    "remedy",
    "unfamiliar_pairs",
]

Calibrated = Calibration | str | os.PathLike[str] | None
"""What may be said as `calibration=`: one, its file, a task, "none", or None for what is shipped."""

NEAREST = 10
"""Among this many of the nearest texts a search expects one that answers it, where nothing else is known."""

SAME_TEXT = 0.999
"""How probable it is at least that equal texts say the same: by rule, not by a curve."""

SAME_AT_LEAST = 0.99
"""Where the interval of that begins."""

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
        because: What made the probability other than its score alone would, in a few words.
    """

    origin: Origin
    probability: list[float | None]
    interval: list[tuple[float, float] | None]
    differs: list[tuple[str, ...] | None]
    unsure: list[str | None]
    because: list[tuple[str, ...]]

    def rows(self) -> Iterator[dict[str, Any]]:
        """The fields of a result, pair by pair: probability, interval, differs, unsure, because."""
        columns = self.probability, self.interval, self.differs, self.unsure, self.because
        names = "probability", "interval", "differs", "unsure", "because"
        return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


@dataclass(frozen=True, slots=True)
class Calibrator:
    """How a verb gives its results probabilities.

    Args:
        task: What the verb is about, where nothing is said.
        calibration: What the caller said.
        prior: The share of same pairs; None for what the verb expects.
        min_probability: Leave out what is less probable.
    """

    task: Task
    calibration: Calibrated = None
    prior: float | None = None
    min_probability: float | None = None

    def __post_init__(self) -> None:
        if self.prior is not None:
            checks.share(self.prior)
        least = self.min_probability
        if least is not None and not (is_number(least) and 0 <= least <= 1):
            raise InputError(f"min_probability={least!r} is no probability", fix="a number from 0 to 1: 0.9, say")

    def of(self, origin: Origin, encoder: Encoder | CrossEncoder | None = None) -> Calibration | None:
        """The calibration for such scores; None where none is known.

        A model that none comes with is tried on the probe, where it is at hand and runs here.

        Raises:
            ModelMismatch: The caller's is of another model.
            InputError: A probability was asked for, and none can be told.
        """
        found = chosen(self.calibration, origin, self.task, lambda task: borrowed(origin, task, encoder))
        asked = {"min_probability": self.min_probability, "prior": self.prior}
        if found is None and (names := [name for name, value in asked.items() if value is not None]):
            raise InputError(
                f"{' and '.join(names)}: no calibration is known for {origin.model} ({origin.metric.value})",
                why="without one a score is no probability",
                fix=remedy(origin),
            )
        return found

    def prior_of(self, calibration: Calibration, expected: float | None = None) -> float:
        """The share of same pairs that is assumed: stated, the calibration's own, or what the verb expects."""
        return self.prior or calibration.prior or expected or 0.5

    def judged(
        self,
        origin: Origin,
        pairs: Sequence[tuple[str, str]],
        scores: Sequence[float] | NDArray[np.floating],
        expected: float | None = None,
        *,
        encoder: Encoder | None = None,
        cross: CrossEncoder | None = None,
        background: Callable[[], Background | None] = lambda: None,
        random: tuple[float, float] | None = None,
        passages: bool = False,
        together: bool = False,
    ) -> Judged:
        """What differs between the texts of pairs, and how sure their scores, lowered by that, leave one.

        Args:
            origin: What gave the scores.
            pairs: Two texts each; where one is not known, and so empty, nobody looks.
            scores: One a pair.
            expected: The share of same pairs where neither the caller nor the calibration says one.
            encoder: The model that gave the scores: it tells what it does not read, and what it was made for.
            cross: The cross-encoder that gave them instead: it tells what it was made for.
            background: The scores of random pairs of the corpus, where it is known; called only if it is needed.
            random: Mean and standard deviation of the scores of random pairs of these texts, where they are known.
            passages: One text may be many times as long as the other; it does not look like it, and is not read.
            together: The pairs are a set: from 50 on, how they score tells how this set differs from others.

        Raises:
            ModelMismatch, InputError: See `of`.
        """
        calibration = self.of(origin, cross or encoder) if len(pairs) else None
        same = np.array([_equal(*pair) for pair in pairs], bool)
        known = np.asarray(scores, np.float64)
        if origin.metric is Metric.COSINE:
            known = np.where(same, 1.0, np.clip(known, -1.0, 1.0))  # whatever the model makes of their form
        looked = np.array([bool(a and b) for a, b in pairs], bool)
        seen, unsure = _looked_at(
            [pair for pair, look in zip(pairs, looked.tolist(), strict=True) if look],
            known[looked] if origin.metric is Metric.COSINE else None,
            encoder,
            cross,
            passages=passages,
        )
        kinds: list[list[str]] = [[] for _ in pairs]
        differs: list[tuple[str, ...] | None] = [None] * len(pairs)
        why: list[str | None] = [None] * len(pairs)
        for at, found, reason in zip(np.flatnonzero(looked).tolist(), seen, unsure, strict=True):
            differs[at], why[at], kinds[at] = tuple(map(str, found)), reason, [one.kind for one in found]
        if calibration is None:
            return Judged(origin, [None] * len(pairs), [None] * len(pairs), differs, why, [()] * len(pairs))
        told = np.array([each is None for each in why], bool)
        judgeable = told & ~same
        calibration = at_home(calibration, background).here(
            scores=known[judgeable] if together else None, random=random, share=self.prior, expected=expected
        )
        prior = self.prior_of(calibration, expected)
        shifts = np.zeros(len(pairs))
        shifts[looked] = calibration.guarded(known[looked], [kinds[at] for at in np.flatnonzero(looked)])
        set_of = int(judgeable.sum()) if together and calibration.population is not None else 0
        if set_of >= ENOUGH:
            shifts += _kept_share(calibration, known[judgeable], shifts[judgeable])
        values = calibration.probability(known, prior=prior, shift=shifts)
        lows, highs = calibration.interval(known, prior=prior, shift=shifts)
        equal = same & looked & np.array([not each for each in kinds], bool)
        values = np.where(equal, np.maximum(values, SAME_TEXT), values)
        lows, highs = (
            np.where(equal, np.maximum(lows, SAME_AT_LEAST), lows),
            np.where(equal, 1.0, np.maximum(highs, values)),
        )
        return Judged(
            replace(origin, calibration=calibration.task, prior=prior),
            [value if sure else None for value, sure in zip(values.tolist(), told, strict=True)],
            [
                (low, high) if sure else None
                for low, high, sure in zip(lows.tolist(), highs.tolist(), told, strict=True)
            ],
            differs,
            why,
            _because(calibration, kinds, told, equal, set_of),
        )

    def passes(self, probability: float | None) -> bool:
        """Whether a result is probable enough to be shown; without a probability only where none was asked for."""
        return self.min_probability is None or (probability is not None and probability >= self.min_probability)

    def hits(
        self,
        found: list[Results[Hit]],
        corpus: int | None,
        background: Callable[[], Background | None] = lambda: None,
        *,
        encoder: Encoder | None = None,
        cross: CrossEncoder | None = None,
    ) -> list[Results[Hit]]:
        """Hits with what differs between query and text, and with their probabilities, lowered by that.

        Args:
            found: One list a query; all of one origin. Their order stays.
            corpus: How many texts they were found among; None where somebody chose them.
            background: The scores of random pairs of the corpus, where it is known; called only if it is needed.
            encoder: The model that gave the scores: what it cannot read differs too.
            cross: The cross-encoder that gave them instead.

        Raises:
            ModelMismatch, InputError: See `of`.
        """
        if not found:
            return found
        judged = self.judged(
            found[0].origin,
            [(hits.query or "", hit.text or "") for hits in found for hit in hits],
            [hit.score for hits in found for hit in hits],
            None if corpus is None else max(1 / NEAREST, min(0.5, 1 / max(corpus, 1))),
            encoder=encoder,
            cross=cross,
            background=background,
            passages=True,
        )
        rows = iter(judged.rows())
        return [
            Results(
                [
                    replace(hit, **row)
                    for hit, row in zip(hits, rows, strict=False)
                    if self.passes(row["probability"])
                ],
                replace(hits.origin, calibration=judged.origin.calibration, prior=judged.origin.prior),
                hits.query,
            )
            for hits in found
        ]


def remedy(origin: Origin) -> str:
    """What to type where scores have no probability."""
    from nearsense.encoders import REMOTE

    if origin.model.startswith(REMOTE):
        return f"try it on the probe: nearsense models probe {origin.model}"
    return _REMEDY.get(origin.metric, f"make one: nearsense calibrate PAIRS --model {origin.model}")


def borrowed(origin: Origin, task: Task, model: Encoder | CrossEncoder | None) -> Calibration | None:
    """What other sets say of a model that no calibration comes with; None where nobody knows where it scores."""
    if model is None or model.fingerprint != origin.fingerprint:
        return None
    from nearsense.probing import probed

    found = probed(model, passages=task is Task.PASSAGE)
    if found is None or found.scale is None:
        return None
    return lent(origin, task, found.scale, squeezed=found.squeezed)


def _equal(a: str, b: str) -> bool:
    """Whether two texts are the same but for case, space, punctuation and the form of their characters."""
    return bool(a) and (a == b or normal_form(a) == normal_form(b))


def _kept_share(calibration: Calibration, scores: NDArray[np.float64], shifts: NDArray[np.float64]) -> float:
    """What is added to the log-odds so that what differs moves pairs, and not the share that all of them tell."""
    expected = float(calibration.probability(scores).mean())
    return shift_to_share(
        lambda shift: calibration.probability(scores, shift=shifts + shift), min(max(expected, 1e-6), 1 - 1e-6)
    )


def _because(
    calibration: Calibration,
    kinds: Sequence[Sequence[str]],
    told: NDArray[np.bool_],
    equal: NDArray[np.bool_],
    set_of: int,
) -> list[tuple[str, ...]]:
    """What made each probability other than its score alone would have made it, in a few words."""
    everywhere = [f"how these {set_of:,} pairs score"] if set_of >= ENOUGH else []
    if calibration.distance >= ABROAD:
        everywhere.append("texts unlike those it was learnt on")
    found: list[tuple[str, ...]] = []
    for own, sure, alike in zip(kinds, told.tolist(), equal.tolist(), strict=True):
        if alike or not sure:
            found.append(("the same text",) if sure else ("language",))
            continue
        unread = ["not read by the model"] if UNREAD in own else []
        found.append((*unread, *(["what differs"] if set(own) - {UNREAD} else []), *everywhere))
    return found


def _looked_at(
    pairs: Sequence[tuple[str, str]],
    cosines: NDArray[np.float64] | None,
    encoder: Encoder | None,
    cross: CrossEncoder | None,
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
    return differs, unfamiliar_pairs(lefts, rights, cross or encoder)


def _may_be_alike(a: str, b: str) -> bool:
    """Whether two texts may share half of their words: one of three times the other's words cannot."""
    short, long = sorted((len(a), len(b)))
    return long <= _TIMES * short + _GRACE


_TIMES, _GRACE = 4, 60
"""Characters by which a text may be longer, generously."""


def unfamiliar_pairs(
    lefts: Sequence[str], rights: Sequence[str], encoder: Encoder | CrossEncoder | None
) -> list[str | None]:
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
