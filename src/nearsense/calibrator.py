"""Probabilities for the results of a verb: which calibration, which prior, who is left out. Not the curves."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense.calibration import (
    ABROAD,
    Background,
    Calibration,
    Task,
    lend_calibration,
    load_calibration,
    resolve_calibration,
)
from nearsense.calibration.curve import UNREAD, shift_to_share
from nearsense.calibration.population import ENOUGH
from nearsense.checks import is_number
from nearsense.errors import CalibrationWarning, InputError, ModelMismatch
from nearsense.records import Hit, Metric, Origin, Ranking, Results
from nearsense.wording import normal_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder, Encoder
    from nearsense.guard import Difference

Calibrated = Calibration | str | os.PathLike[str] | None
"""What may be said as `calibration=`: one, its file, a task, "none", or None for what comes with the model."""

NEAREST = (
    10  # among so many of the nearest texts a search expects one that answers it, where nothing else is known
)
SAME_TEXT = 0.999  # how probable it is at least that equal texts say the same: by rule, not by a curve
SAME_AT_LEAST = 0.99  # where the interval of that begins
_TIMES, _GRACE = 4, 60  # characters by which a text may be longer than one that is alike, generously

_REMEDY: dict[Metric | Ranking, str] = {
    Ranking.BM25: 'search by meaning: mode="dense"',
    Ranking.FUSED: 'search by meaning: mode="dense"',
    Ranking.CROSS: "make one of its scores: ns.calibrate(pairs, encoder=cross)",
}
"""What to do where a kind of score has no probability."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """How sure some pairs are: one entry a pair, in their order."""

    origin: Origin  # what gave the scores, with the calibration and the prior of the probabilities
    probability: list[float | None]  # that the two mean the same; None: no calibration, or the model cannot judge
    interval: list[tuple[float, float] | None]  # between what it lies, nineteen times in twenty
    differs: list[tuple[str, ...] | None]  # what differs between the texts, in words; None: nobody has looked
    unsure: list[str | None]  # why the model cannot judge the pair
    because: list[tuple[str, ...]]  # what made the probability other than its score alone would, in a few words

    def rows(self) -> Iterator[dict[str, Any]]:
        """The fields of a result, pair by pair: probability, interval, differs, unsure, because."""
        columns = self.probability, self.interval, self.differs, self.unsure, self.because
        names = "probability", "interval", "differs", "unsure", "because"
        return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


@dataclass(frozen=True, slots=True)
class Calibrator:
    """How a verb gives its results probabilities."""

    task: Task  # what the verb is about, where nothing is said
    calibration: Calibrated = None  # what the caller said
    prior: float | None = None  # the share of same pairs; None for what the verb expects
    min_probability: float | None = None  # what is less probable is left out

    def __post_init__(self) -> None:
        if self.prior is not None:
            checks.share(self.prior)
        least = self.min_probability
        if least is not None and not (is_number(least) and 0 <= least <= 1):
            raise InputError(f"min_probability={least!r} is no probability", fix="a number from 0 to 1: 0.9, say")

    def of(self, origin: Origin, encoder: Encoder | CrossEncoder | None = None) -> Calibration | None:
        """The calibration for such scores; None where none is known, and no probability was asked for.

        What the model's folder carries goes before what is shipped; a model that none comes with is tried on the
        probe, where it is at hand and runs here.
        """
        said = self.calibration
        if said is None and encoder is not None and encoder.fingerprint == origin.fingerprint:
            carried = carried_calibration(encoder)
            said = carried if carried is not None and carried.metric == origin.metric else None
        found = resolve_calibration(
            said, origin, self.task, lambda task: calibration_by_probe(origin, task, encoder)
        )
        asked = {"min_probability": self.min_probability, "prior": self.prior}
        if found is None and (names := [name for name, value in asked.items() if value is not None]):
            what = f"{' and '.join(names)}: no calibration is known for {origin.model} ({origin.metric.value})"
            raise InputError(what, why="without one a score is no probability", fix=remedy(origin))
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
        """What differs between the texts of n pairs, and how sure their scores, lowered by that, leave one.

        Where one text is not known, and so empty, nobody looks. `expected` is the share of same pairs where
        neither the caller nor the calibration says one. The encoder or cross-encoder that gave the scores tells
        what it does not read, and what it was made for. `background`, the scores of random pairs of the corpus, is
        called only where it is needed; `random` is the mean and standard deviation of such scores of these texts.
        Of `passages` one text may be many times as long as the other; it does not look like it, and is not read.
        Pairs that are a set, `together`, tell from 50 on by how they score how this set differs from others.
        """
        calibration = self.of(origin, cross or encoder) if len(pairs) else None
        same = np.array([bool(a) and (a == b or normal_form(a) == normal_form(b)) for a, b in pairs], bool)
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
        sure = np.array([each is None for each in why], bool)
        judgeable = sure & ~same
        calibration = at_home(calibration, background).here(
            scores=known[judgeable] if together else None, random=random, share=self.prior, expected=expected
        )
        prior = self.prior_of(calibration, expected)
        shifts = np.zeros(len(pairs))
        shifts[looked] = calibration.guarded(known[looked], [kinds[at] for at in np.flatnonzero(looked)])
        set_of = int(judgeable.sum()) if together and calibration.population is not None else 0
        if set_of >= ENOUGH:  # what differs moves pairs, and not the share that all of them tell
            own, shift = known[judgeable], shifts[judgeable]
            share = min(max(float(calibration.probability(own).mean()), 1e-6), 1 - 1e-6)
            shifts += shift_to_share(lambda more: calibration.probability(own, shift=shift + more), share)
        values = calibration.probability(known, prior=prior, shift=shifts)
        lows, highs = calibration.interval(known, prior=prior, shift=shifts)
        equal = same & looked & np.array([not each for each in kinds], bool)
        values = np.where(equal, np.maximum(values, SAME_TEXT), values)
        lows = np.where(equal, np.maximum(lows, SAME_AT_LEAST), lows)
        highs = np.where(equal, 1.0, np.maximum(highs, values))
        rows = zip(values.tolist(), lows.tolist(), highs.tolist(), sure.tolist(), strict=True)
        judged = [(value, (low, high)) if known else (None, None) for value, low, high, known in rows]
        because = _because(calibration, kinds, sure, equal, set_of)
        origin = replace(origin, calibration=calibration.task, prior=prior)
        return Judged(origin, [value for value, _ in judged], [ends for _, ends in judged], differs, why, because)

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

        One list a query, all of one origin; their order stays. `corpus` is how many texts they were found among,
        None where somebody chose them. The rest is as for `judged`.
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
        rows, results = judged.rows(), []
        for hits in found:
            sure = [replace(hit, **row) for hit, row in zip(hits, rows, strict=False)]
            origin = replace(hits.origin, calibration=judged.origin.calibration, prior=judged.origin.prior)
            results.append(Results([hit for hit in sure if self.passes(hit.probability)], origin, hits.query))
        return results


def carried_calibration(model: Encoder | CrossEncoder) -> Calibration | None:
    """The calibration that a model's folder carries; None where there is none.

    Raises:
        InputError: The file holds no calibration; it is named.
        ModelMismatch: The calibration is of another model: its folder was changed after it was made.
    """
    file = model.calibration_file
    try:
        stat = Path(file).stat() if file else None
    except OSError:
        stat = None
    if stat is None:
        return None
    found = _read_carried(file, stat.st_mtime_ns, stat.st_size)
    if found.fingerprint != model.fingerprint:
        raise ModelMismatch(
            f"{file} is of another model ({found.fingerprint[:12]}) than its folder ({model.fingerprint[:12]})",
            why="the model was changed after its scores were calibrated, and they mean something else now",
            fix=f"remove the file, or make it anew: {_anew(file)}",
        )
    return found


@functools.lru_cache(maxsize=8)
def _read_carried(file: str, changed: int, size: int) -> Calibration:
    """A calibration's file as it was at that time."""
    try:
        return load_calibration(file)
    except InputError as error:
        fix = f"remove it, or make it anew: {_anew(file)}"
        raise InputError(f"{file} is no calibration", why=error.why, fix=fix) from None


def _anew(file: str) -> str:
    return f"nearsense calibrate PAIRS --model {Path(file).parent} -o {file}"


def remedy(origin: Origin) -> str:
    """What to type where scores have no probability."""
    from nearsense.encoders import REMOTE

    if origin.model.startswith(REMOTE):
        return f"try it on the probe: nearsense models probe {origin.model}"
    return _REMEDY.get(origin.metric, f"make one: nearsense calibrate PAIRS --model {origin.model}")


def calibration_by_probe(origin: Origin, task: Task, model: Encoder | CrossEncoder | None) -> Calibration | None:
    """What other sets say of a model that no calibration comes with; None where nobody knows where it scores."""
    if model is None or model.fingerprint != origin.fingerprint:
        return None
    from nearsense.probing import probe_result

    found = probe_result(model, passages=task is Task.PASSAGE)
    if found is None or found.scale is None:
        return None
    return lend_calibration(origin, task, found.scale, squeezed=found.squeezed)


def _because(
    calibration: Calibration,
    kinds: Sequence[Sequence[str]],
    sure: NDArray[np.bool_],
    equal: NDArray[np.bool_],
    set_of: int,
) -> list[tuple[str, ...]]:
    """What made each probability other than its score alone would have made it, in a few words."""
    everywhere = [f"how these {set_of:,} pairs score"] if set_of >= ENOUGH else []
    if calibration.distance >= ABROAD:
        everywhere.append("texts unlike those it was learnt on")
    found: list[tuple[str, ...]] = []
    for own, known, alike in zip(kinds, sure.tolist(), equal.tolist(), strict=True):
        if not known or alike:
            found.append(("the same text",) if known else ("language",))
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
    # Two texts may share half of their words; one of three times the other's words cannot.
    sizes = [sorted((len(a), len(b))) for a, b in pairs]
    near = [at for at, (short, long) in enumerate(sizes) if not passages or long <= _TIMES * short + _GRACE]
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
    size = max(size for size in here.nearest if size in home.nearest)
    text = (
        f"these texts are unlike those that the probabilities were learnt on: random pairs score "
        f"{here.random[1]:.2f}, there {home.random[1]:.2f}; nearest pairs "
        f"{here.nearest[size][1]:.2f}, there {home.nearest[size][1]:.2f}; intervals are wider"
    )
    warnings.warn(CalibrationWarning(text), stacklevel=2)
    return moved
