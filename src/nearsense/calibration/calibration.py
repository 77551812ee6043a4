"""From a score to the probability that two texts mean the same: a calibration, and those that come with nearsense.

What is learnt is the likelihood ratio of a score: how much more often pairs that mean the same score so than pairs
that do not. The probability follows from it and from a prior: 0.8 among a million random pairs is not 0.8 between
two texts that a person chose. Not the fitting (fitting.py), and not the encoding.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from nearsense import checks
from nearsense._version import __version__
from nearsense.calibration.background import Background
from nearsense.calibration.curve import Curve, finite, logit, shift_to_share, sigmoid
from nearsense.calibration.guarding import GENERAL, NOTHING, shifts_of
from nearsense.calibration.population import Population, Scale
from nearsense.calibration.threshold import (
    Labelled,
    Threshold,
    at_least_precision,
    reaching_precision,
    reaching_probability,
)
from nearsense.errors import InputError, ModelMismatch
from nearsense.kinds import Metric, Ranking, Task
from nearsense.records import Origin, as_json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_FOLDER = Path(__file__).parent / "shipped"

_DRAWS = 1_000
"""Curves that are drawn for the interval of a threshold."""

_TENTH_TO_NINETIETH = 2.563
"""Standard deviations between these percentiles of a normal distribution."""

ABROAD = 1.0
"""The distance of two backgrounds from which on a calibration is told to be far from home."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How a calibration did on labels that it had not seen (cross-validation).

    Args:
        labels: How many.
        same: How many of them are of pairs that mean the same.
        log_loss: In nats a pair.
        brier: Brier score in [0, 1].
        ece: Expected calibration error in [0, 1], 15 bins of equal width.
        forms: The log loss of each form of curve that was tried.
    """

    labels: int
    same: int
    log_loss: float
    brier: float
    ece: float
    forms: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Figures:
        """What `to_dict` gave, again figures."""
        loss, brier, ece = (finite(known[name]) for name in ("log_loss", "brier", "ece"))
        forms = {str(form): finite(each) for form, each in known["forms"].items()}
        return cls(int(known["labels"]), int(known["same"]), loss, brier, ece, forms)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What a model's scores say about one kind of sameness. Made by `ns.calibrate`, or shipped with a model.

    Args:
        model: The model's name.
        fingerprint: The model's fingerprint; scores of another model are refused.
        task: What "the same" means here: "paraphrase", "question", "passage", or a name of your own.
        metric: What the scores are.
        curve: Log-odds by score, at the share of same pairs that it was fitted at.
        share: That share.
        prior: The share that is assumed where nothing else is said; None where each verb knows better.
        reference: Scores of the pairs it was fitted on, or moved to, ordered: at most 512.
        seen: How many pairs these stand for.
        figures: How it did on unseen labels.
        background: The scores of random and of nearest pairs at home; None where no corpus was given.
        strangeness: How much the log-odds of this kind of task differ from set to set (standard deviation).
        distance: How far from home it is used; the intervals widen with it.
        made_from: What it was fitted on, in words.
        guard: What each kind of difference between two texts adds to the log-odds.
        population: The sets of its task, of which the pairs at hand are one more; None where it was fitted to
            labels of their own kind.
        version: The version of nearsense that made it.
        labelled: The scores and labels it was fitted to, for what labels have to prove; None where it has none.
    """

    model: str
    fingerprint: str
    task: str
    metric: Metric | Ranking
    curve: Curve
    share: float
    prior: float | None
    reference: NDArray[np.float64]
    seen: int
    figures: Figures
    background: Background | None = None
    strangeness: float = 0.0
    distance: float = 0.0
    made_from: str = ""
    guard: Mapping[str, float] = field(default_factory=dict)
    population: Population | None = None
    version: str = field(default=__version__)
    labelled: Labelled | None = None

    def log_ratio(self, scores: ArrayLike) -> NDArray[np.float64]:
        """The log likelihood ratio of each score, same against not: what one learns from it whatever the prior."""
        return np.asarray(self.curve.log_odds(scores) - logit(self.share)).reshape(np.shape(scores))

    @overload
    def probability(self, scores: float, *, prior: float | None = None, shift: float = 0.0) -> float: ...
    @overload
    def probability(
        self, scores: NDArray[np.floating], *, prior: float | None = None, shift: ArrayLike = 0.0
    ) -> NDArray[np.float64]: ...
    def probability(
        self, scores: float | NDArray[np.floating], *, prior: float | None = None, shift: ArrayLike = 0.0
    ) -> float | NDArray[np.float64]:
        """The probability that two texts of this score mean the same.

        Args:
            scores: A score, or an array of any shape.
            prior: The share of same pairs where these scores come from; the calibration's own without it.
            shift: What else is known of the pairs, as log likelihood ratios: see `guarded`.

        Returns:
            A probability in [0, 1] for a score, an array of the same shape for an array. A higher score never has
            a lower probability.

        Raises:
            InputError: A score is no number, or lies outside what the metric can give.
        """
        known = _checked(scores, self.metric)
        found = sigmoid(self.log_ratio(known) + logit(self._prior(prior)) + np.asarray(shift, np.float64))
        return float(found) if np.ndim(scores) == 0 else found

    def interval(
        self, scores: ArrayLike, *, prior: float | None = None, shift: ArrayLike = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Between what the probability lies, nineteen times in twenty: wider where labels are few or home is far.

        Args:
            scores: Scores, any shape.
            prior: As for `probability`.
            shift: As for `probability`.

        Returns:
            The lower and the upper ends, each of the shape of `scores`.
        """
        known = _checked(scores, self.metric)
        middle = self.log_ratio(known) + logit(self._prior(prior)) + np.asarray(shift, np.float64)
        wide = 1.96 * self.spread(known)
        return sigmoid(middle - wide), sigmoid(middle + wide)

    def spread(self, scores: ArrayLike) -> NDArray[np.float64]:
        """The standard error of the log-odds of each score: of few labels, and of being far from home."""
        own = self.curve.spread(scores).reshape(np.shape(scores))
        return np.asarray(np.hypot(own, self.strangeness * min(self.distance / ABROAD, 1.0)))

    def guarded(self, scores: ArrayLike, kinds: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """What the guard says of pairs beyond their scores, as log likelihood ratios: a `shift` for `probability`.

        Where something differs the worst kind speaks, and a high score says less than elsewhere. A calibration
        that never looked (that of passages, one made of scores alone) lowers by what was learnt of paraphrases,
        until what differs is no more probable than there, and never raises.

        Args:
            scores: Shape (n,).
            kinds: For each pair the kinds of difference that `nearsense.guard` saw.

        Returns:
            Shape (n,): zero or a little above where the guard saw nothing, at most zero elsewhere.
        """
        ratios = self.log_ratio(scores)
        return shifts_of(self.guard, ratios, kinds) if self.guard else self._lowered(scores, ratios, kinds)

    def _lowered(
        self, scores: ArrayLike, ratios: NDArray[np.float64], kinds: Sequence[Sequence[str]]
    ) -> NDArray[np.float64]:
        """The shifts where none were learnt: those of paraphrases, and at most as probable as they are."""
        lent = shipped(Origin(self.model, self.fingerprint, self.metric), Task.PARAPHRASE)
        if lent is None:
            return shifts_of(GENERAL, ratios, kinds)
        shifts = shifts_of({**lent.guard, NOTHING: 0.0}, ratios, kinds)
        bounds = lent.log_ratio(scores) + lent.guarded(scores, kinds) - ratios
        return np.where([bool(each) for each in kinds], np.minimum(shifts, bounds), shifts)

    def threshold(
        self,
        *,
        min_probability: float | None = None,
        precision: float | None = None,
        false_positives: float | None = None,
        prior: float | None = None,
        at_least: bool = False,
    ) -> Threshold:
        """The score to ask for, from what is meant by it. Exactly one of the first three is given.

        Args:
            min_probability: Each single pair at or above the score is at least this probable to mean the same.
            precision: Of all pairs at or above the score this share means the same, among pairs as those that
                were labelled.
            false_positives: At most this share of random pairs scores so; no labels are needed for that.
            prior: As for `probability`.
            at_least: The labels have to prove that precision, 90 % sure, whatever the curve says: see
                calibration/threshold.py. Among pairs as those that were labelled, so no prior is heard.

        Returns:
            The score, what is reached there, and between what both lie nineteen times in twenty.

        Raises:
            InputError: None or several were given, one is out of its range, no score reaches it, or the labels
                are too few to prove it.
        """
        asked = {"min_probability": min_probability, "precision": precision, "false_positives": false_positives}
        given = {name: value for name, value in asked.items() if value is not None}
        if len(given) != 1:
            raise InputError(
                f"a threshold is asked for by {' and '.join(given) or 'nothing'}",
                fix="give one of min_probability=0.9, precision=0.95, false_positives=1e-4",
            )
        if at_least:
            return self._proven(precision, prior)
        if min_probability is not None:
            grid, wanted = self._grid(), checks.share(min_probability, "min_probability")
            return reaching_probability(
                grid, self.log_ratio(grid) + logit(self._prior(prior)), self.spread(grid), wanted
            )
        if precision is not None:
            wanted, (scores, counts) = checks.share(precision, "precision"), self._population()
            ratios, drawn = self.log_ratio(scores), self._drawn(scores)
            return reaching_precision(
                scores, ratios, drawn, counts, self.share, wanted=wanted, prior=self._prior(prior)
            )
        if self.background is None:
            raise InputError(
                "false positives cannot be told without random pairs",
                why="this calibration knows labelled pairs only",
                fix="calibrate with texts=..., the corpus whose pairs are random",
            )
        score, low, high = self.background.score_at(false_positives or 0.0)
        return Threshold("false_positives", false_positives or 0.0, score, low, high)

    def _proven(self, precision: float | None, prior: float | None) -> Threshold:
        """What the labels prove of a precision."""
        if precision is None or prior is not None:
            raise InputError(
                "at_least says how sure a precision shall be, among pairs as those that were labelled",
                fix="give precision=0.95, at_least=True, and no prior",
            )
        if self.labelled is None:
            raise InputError(
                "nothing can be proven of a precision",
                why="this calibration keeps no labels",
                fix="label pairs of your own: nearsense calibrate --ask FILE --precision 0.95 --at-least",
            )
        return at_least_precision(self.labelled, checks.share(precision, "precision"))

    def at(self, background: Background | None) -> Calibration:
        """The same, used on a corpus with this background: intervals widen with the distance from home.

        One of other sets of its task is moved instead to where random pairs of this corpus score.
        """
        if background is None or self.background is None:
            return self
        moved = replace(self, distance=background.distance(self.background))
        if self.population is None or not self.population.symmetric:
            return moved
        low, middle, high = background.random
        return moved.here(random=(middle, (high - low) / _TENTH_TO_NINETIETH), expected=self.prior)

    def here(
        self,
        *,
        scores: ArrayLike | None = None,
        random: tuple[float, float] | None = None,
        share: float | None = None,
        expected: float | None = None,
    ) -> Calibration:
        """The same for the pairs at hand, where it was learnt on other sets of its task; else as it is.

        Args:
            scores: The scores of all pairs at hand: from 50 on they tell of the share of same pairs, and how this
                set differs from others.
            random: Mean and standard deviation of the scores of random pairs of these texts, where they are known.
            share: The share of same pairs, where it is known.
            expected: The share that is expected where it is not known.
        """
        if self.population is None:
            known_share = share or (expected and (self.prior or expected))
            return replace(self, prior=checks.share(known_share)) if known_share else self
        scale = Scale(self.curve.centre, self.curve.scale)
        if random is not None:
            mean = min(random[0], 0.95)
            scale = Scale(mean, scale.unit * (1 - mean) / (1 - scale.random))
        known = None if scores is None else _checked(scores, self.metric).ravel()
        spread = None if random is None else random[1]
        likely = self.population.likely(scale, scores=known, random_spread=spread, share=share, expected=expected)
        share = likely.share if share is None else share
        return replace(self, curve=likely.curve, share=likely.share, prior=share)

    def adapted(
        self, scores: ArrayLike, *, share: float, kinds: Sequence[Sequence[str]] | None = None
    ) -> Calibration:
        """The same, moved to unlabelled pairs of another kind: no labels, but the share of same pairs is known.

        The curve is shifted until its mean probability over these pairs is that share.

        Args:
            scores: The scores of unlabelled pairs, at least 30.
            share: What share of these pairs means the same, within (0, 1): a guess after reading twenty of them
                is better than none.
            kinds: For each pair the kinds of difference that the guard saw; None where it has not looked.

        Raises:
            InputError: There are fewer than 30 scores, or one is no number.
        """
        known, share = _checked(scores, self.metric).ravel(), checks.share(share, "share")
        if len(known) < 30:
            raise InputError(f"{len(known)} scores are too few to adapt to", fix="give 30 or more")
        if self.population is not None:
            return replace(self.here(scores=known, share=share), population=None)._shifted(known, share, kinds)
        return self._shifted(known, share, kinds)

    def _shifted(
        self, known: NDArray[np.float64], share: float, kinds: Sequence[Sequence[str]] | None
    ) -> Calibration:
        """The curve moved until its mean probability over these pairs is that share."""
        ratios, guard = self.log_ratio(known), self.guard if kinds is not None else {}
        looked = [()] * len(known) if kinds is None else kinds

        def probability(shift: float) -> NDArray[np.float64]:
            moved = ratios + shift
            return sigmoid(moved + logit(share) + shifts_of(guard, moved, looked))

        weights = self.curve.weights.copy()
        weights[0] += shift_to_share(probability, share) + float(logit(share) - logit(self.share))
        return replace(
            self,
            curve=replace(self.curve, weights=weights),
            share=share,
            prior=share,
            reference=np.quantile(known, np.linspace(0, 1, min(len(known), 512))),
            seen=len(known),
            distance=max(self.distance, ABROAD),
            labelled=None,
            made_from=f"{self.made_from}; moved to {len(known):,} unlabelled pairs, {share:.0%} of them the same",
        )

    def fits(self, origin: Origin) -> bool:
        """Whether it is of the model and the kind of score of a result."""
        return (self.fingerprint, self.metric) == (origin.fingerprint, origin.metric)

    def require(self, model: str, fingerprint: str, metric: Metric | Ranking = Metric.COSINE) -> None:
        """Refuse scores of another model, or of another kind.

        Raises:
            ModelMismatch: Another model gave them.
            InputError: They are no scores of this metric.
        """
        if fingerprint != self.fingerprint or not fingerprint:
            own, other = (each[:12] or "no fingerprint" for each in (self.fingerprint, fingerprint))
            raise ModelMismatch(
                f"a calibration of {self.model} ({own}), scores of {model} ({other})",
                why="the same score means something else in each model",
                fix=f"calibrate {model} on the same pairs: nearsense calibrate PAIRS --model {model}",
            )
        if metric != self.metric:
            raise InputError(
                f"a calibration of {self.metric.value}, scores are {metric.value}",
                why="a probability follows from the kind of score it was learnt on",
                fix="search by meaning (mode dense), or calibrate that kind of score",
            )

    def _prior(self, prior: float | None) -> float:
        if prior is not None:
            return checks.share(prior)
        return 0.5 if self.prior is None else self.prior

    def _population(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores as they occur, falling, and for how many labelled pairs each stands.

        Above the highest that was seen lies, for want of knowledge, half a pair.
        """
        seen, grid = np.sort(self.reference)[::-1], self._grid()[::-1]
        above = grid[grid > seen[0]]
        each = np.full(len(seen), self.seen / len(seen))
        return np.concatenate([above, seen]), np.concatenate([np.full(len(above), 0.5 / max(len(above), 1)), each])

    def _drawn(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log likelihood ratios that the labels allow as well: shape (draws, n)."""
        drawn = self.curve.draws(_DRAWS) @ self.curve.features(scores).T - logit(self.share)
        abroad = self.strangeness * min(self.distance / ABROAD, 1.0)
        return np.asarray(drawn + abroad * np.random.default_rng(2).standard_normal((_DRAWS, 1)))

    def _grid(self) -> NDArray[np.float64]:
        """Every score that is worth asking about, rising."""
        if self.metric is Metric.COSINE:
            return np.linspace(-1.0, 1.0, 2_001)
        low, high = float(self.reference.min()), float(self.reference.max())
        margin = max(high - low, 1.0)
        return np.linspace(low - margin, high + margin, 3_001)

    def __str__(self) -> str:
        f = self.figures
        return (
            f"{self.model}, {self.task}: {self.curve.form.value} curve from {f.labels:,} labels "
            f"({f.same:,} same), calibration error {f.ece:.3f}"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it into a JSON file; `load_calibration` reads it, and every verb takes the file's name.

        Raises:
            FileError: The file cannot be written; one that was there is as it was.
        """
        from nearsense.files import atomic_write

        with atomic_write(path) as stream:
            stream.write((json.dumps(self.to_dict(), ensure_ascii=False) + "\n").encode())

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"nearsense calibration": 1, **as_json(self)}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Calibration:
        """What `to_dict` gave, again a calibration.

        Raises:
            InputError: It is none.
        """
        try:
            if known["nearsense calibration"] != 1:
                raise ValueError("it is of a later version of nearsense")
            metrics: dict[str, Metric | Ranking] = {each.value: each for each in (*Metric, *Ranking)}
            figures, background = known["figures"], known["background"]
            reference = np.asarray(known["reference"], np.float64)
            if reference.ndim != 1 or not len(reference) or not np.isfinite(reference).all():
                raise ValueError("its reference must be a list of numbers")
            return cls(
                str(known["model"]),
                str(known["fingerprint"]),
                str(known["task"]),
                metrics[known["metric"]],
                Curve.from_dict(known["curve"]),
                checks.share(known["share"], "share"),
                None if known["prior"] is None else checks.share(known["prior"]),
                reference,
                int(known["seen"]),
                Figures.from_dict(figures),
                None if background is None else Background.from_dict(background),
                abs(finite(known["strangeness"])),
                abs(finite(known["distance"])),
                str(known["made_from"]),
                {str(kind): finite(shift) for kind, shift in known["guard"].items()},
                None if known.get("population") is None else Population.from_dict(known["population"]),
                str(known["version"]),
                None if known.get("labelled") is None else Labelled.from_dict(known["labelled"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(
                "this is no calibration",
                why=f"{type(error).__name__}: {error}",
                fix="make one: nearsense calibrate PAIRS -o calibration.json",
            ) from None


def _checked(scores: ArrayLike, metric: Metric | Ranking) -> NDArray[np.float64]:
    """Scores that the metric can give."""
    known = np.asarray(scores, np.float64)
    bad = ~np.isfinite(known)
    if metric is Metric.COSINE:
        bad |= np.abs(known) > 1.0 + 1e-3
    if bad.any():
        worst = known[bad].ravel()[0]
        raise InputError(
            f"a score is {float(worst)!r}"
            if not np.isfinite(worst)
            else f"a score is {worst:.4g}, outside of -1 and 1",
            why=f"scores are {metric.value}",
        )
    return known


def shipped(origin: Origin, task: Task) -> Calibration | None:
    """The calibration that comes with a model; None where there is none for these very weights and this metric."""
    if origin.metric is not Metric.COSINE:
        return None
    return built(origin.fingerprint, task.value)


@functools.cache
def all_shipped() -> dict[tuple[str, str], dict[str, Any]]:
    """The calibrations that come with nearsense as JSON values, by fingerprint and task."""
    files = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(_FOLDER.glob("*.json"))]
    return {(known["fingerprint"], task): known for file in files for task, known in file["tasks"].items()}


@functools.cache
def built(fingerprint: str, task: str) -> Calibration | None:
    """One of them as a Calibration."""
    known = all_shipped().get((fingerprint, task))
    return None if known is None else Calibration.from_dict(known)
