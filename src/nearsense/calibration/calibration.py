"""From a score to the probability that two texts mean the same: a calibration, those that come, which is meant.

What is learnt is the likelihood ratio of a score: how much more often pairs that mean the same score so than pairs
that do not. The probability follows from it and from a prior: 0.8 among a million random pairs is not 0.8 between
two texts that a person chose. Not the fitting (fitting.py), and not the encoding.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from nearsense import checks
from nearsense._version import __version__
from nearsense.calibration.background import Background
from nearsense.calibration.curve import (
    GENERAL,
    NOTHING,
    Curve,
    finite,
    logit,
    shift_to_share,
    shifts_of,
    sigmoid,
)
from nearsense.calibration.population import Population, Scale, pool_sets
from nearsense.calibration.threshold import (
    Labelled,
    Threshold,
    at_least_precision,
    reaching_precision,
    reaching_probability,
)
from nearsense.errors import FileError, InputError, ModelMismatch
from nearsense.kinds import Metric, Ranking, Task
from nearsense.records import Origin, as_json

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Float64 = NDArray[np.float64]

NONE = "none"  # what is said instead of a calibration where no probabilities are wanted
ABROAD = 1.0  # the distance of two backgrounds from which on a calibration is told to be far from home
_DRAWS = 1_000  # curves that are drawn for the interval of a threshold
_TENTH_TO_NINETIETH = 2.563  # standard deviations between these percentiles of a normal distribution


@dataclass(frozen=True, slots=True)
class Figures:
    """How a calibration did on labels that it had not seen (cross-validation)."""

    labels: int
    same: int  # how many of the labels are of pairs that mean the same
    log_loss: float  # in nats a pair
    brier: float  # Brier score in [0, 1]
    ece: float  # expected calibration error in [0, 1], 15 bins of equal width
    forms: Mapping[str, float]  # the log loss of each form of curve that was tried

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
    reference: Float64
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

    def log_ratio(self, scores: ArrayLike) -> Float64:
        """The log likelihood ratio of each score, same against not: what one learns from it whatever the prior."""
        return np.asarray(self.curve.log_odds(scores) - logit(self.share)).reshape(np.shape(scores))

    @overload
    def probability(self, scores: float, *, prior: float | None = None, shift: float = 0.0) -> float: ...
    @overload
    def probability(
        self, scores: NDArray[np.floating], *, prior: float | None = None, shift: ArrayLike = 0.0
    ) -> Float64: ...
    def probability(
        self, scores: float | NDArray[np.floating], *, prior: float | None = None, shift: ArrayLike = 0.0
    ) -> float | Float64:
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
    ) -> tuple[Float64, Float64]:
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

    def spread(self, scores: ArrayLike) -> Float64:
        """The standard error of the log-odds of each score: of few labels, and of being far from home."""
        own = self.curve.spread(scores).reshape(np.shape(scores))
        return np.asarray(np.hypot(own, self.strangeness * min(self.distance / ABROAD, 1.0)))

    def guarded(self, scores: ArrayLike, kinds: Sequence[Sequence[str]]) -> Float64:
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
        if self.guard:
            return shifts_of(self.guard, ratios, kinds)
        lent = shipped_calibration(Origin(self.model, self.fingerprint, self.metric), Task.PARAPHRASE)
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
            fix = "give one of min_probability=0.9, precision=0.95, false_positives=1e-4"
            raise InputError(f"a threshold is asked for by {' and '.join(given) or 'nothing'}", fix=fix)
        if at_least:
            return self._proven(precision, prior)
        if min_probability is not None:
            grid, wanted = self._grid(), checks.share(min_probability, "min_probability")
            log_odds = self.log_ratio(grid) + logit(self._prior(prior))
            return reaching_probability(grid, log_odds, self.spread(grid), wanted)
        if precision is not None:
            wanted, prior = checks.share(precision, "precision"), self._prior(prior)
            known = self._scores_with_ratios()
            return reaching_precision(*known, self.share, wanted=wanted, prior=prior)
        if self.background is None:
            raise InputError(
                "false positives cannot be told without random pairs",
                why="this calibration knows labelled pairs only",
                fix="calibrate with texts=..., the corpus whose pairs are random",
            )
        rate = false_positives or 0.0
        return Threshold("false_positives", rate, *self.background.score_at(rate))

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
        home = self if self.population is None else replace(self.here(scores=known, share=share), population=None)
        ratios, guard = home.log_ratio(known), self.guard if kinds is not None else {}
        looked = [()] * len(known) if kinds is None else kinds

        def probability(shift: float) -> Float64:
            moved = ratios + shift
            return sigmoid(moved + logit(share) + shifts_of(guard, moved, looked))

        weights = home.curve.weights.copy()
        weights[0] += shift_to_share(probability, share) + float(logit(share) - logit(home.share))
        return replace(
            home,
            curve=replace(home.curve, weights=weights),
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

    def _scores_with_ratios(self) -> tuple[Float64, Float64, Float64, Float64]:
        """Scores as they occur, falling; their log likelihood ratios; (draws, n) others; how many pairs each is.

        Those above the highest that was seen stand for half a labelled pair together.
        """
        seen, grid = np.sort(self.reference)[::-1], self._grid()[::-1]
        above = grid[grid > seen[0]]
        scores, each = np.concatenate([above, seen]), np.full(len(seen), self.seen / len(seen))
        drawn = self.curve.draws(_DRAWS) @ self.curve.features(scores).T - logit(self.share)
        abroad = self.strangeness * min(self.distance / ABROAD, 1.0)
        drawn = np.asarray(drawn + abroad * np.random.default_rng(2).standard_normal((_DRAWS, 1)))
        counts = np.concatenate([np.full(len(above), 0.5 / max(len(above), 1)), each])
        return scores, self.log_ratio(scores), drawn, counts

    def _grid(self) -> Float64:
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
        kinds: dict[str, Any] = {"background": Background, "population": Population, "labelled": Labelled}
        try:
            if known["nearsense calibration"] != 1:
                raise ValueError("it is of a later version of nearsense")
            metrics: dict[str, Metric | Ranking] = {each.value: each for each in (*Metric, *Ranking)}
            reference = np.asarray(known["reference"], np.float64)
            if reference.ndim != 1 or not len(reference) or not np.isfinite(reference).all():
                raise ValueError("its reference must be a list of numbers")
            parts = {name: known[name] if name == "background" else known.get(name) for name in kinds}
            fields: dict[str, Any] = {
                **{name: str(known[name]) for name in ("model", "fingerprint", "task", "made_from", "version")},
                **{name: abs(finite(known[name])) for name in ("strangeness", "distance")},
                **{name: kinds[name].from_dict(part) for name, part in parts.items() if part is not None},
            }
            return cls(
                metric=metrics[known["metric"]],
                curve=Curve.from_dict(known["curve"]),
                share=checks.share(known["share"], "share"),
                prior=None if known["prior"] is None else checks.share(known["prior"]),
                reference=reference,
                seen=int(known["seen"]),
                figures=Figures.from_dict(known["figures"]),
                guard={str(kind): finite(shift) for kind, shift in known["guard"].items()},
                **fields,
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            fix = "make one: nearsense calibrate PAIRS -o calibration.json"
            raise InputError("this is no calibration", why=f"{type(error).__name__}: {error}", fix=fix) from None


def _checked(scores: ArrayLike, metric: Metric | Ranking) -> Float64:
    """Scores that the metric can give."""
    known = np.asarray(scores, np.float64)
    bad = ~np.isfinite(known)
    if metric is Metric.COSINE:
        bad |= np.abs(known) > 1.0 + 1e-3
    if bad.any():
        worst = float(known[bad].ravel()[0])
        said = f"{worst:.4g}, outside of -1 and 1" if np.isfinite(worst) else f"{worst!r}"
        raise InputError(f"a score is {said}", why=f"scores are {metric.value}")
    return known


def shipped_calibration(origin: Origin, task: Task) -> Calibration | None:
    """The calibration that comes with a model; None where there is none for these very weights and this metric."""
    return _built(origin.fingerprint, task.value) if origin.metric is Metric.COSINE else None


@functools.cache
def _all_shipped() -> dict[tuple[str, str], dict[str, Any]]:
    """The calibrations that come with nearsense as JSON values, by fingerprint and task."""
    folder = Path(__file__).parent / "shipped"
    files = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    return {(known["fingerprint"], task): known for file in files for task, known in file["tasks"].items()}


@functools.cache
def _built(fingerprint: str, task: str) -> Calibration | None:
    """One of them as a Calibration."""
    known = _all_shipped().get((fingerprint, task))
    return None if known is None else Calibration.from_dict(known)


def lend_calibration(origin: Origin, task: Task, scale: Scale, *, squeezed: bool = False) -> Calibration | None:
    """A calibration for a model that none comes with: the sets of the default model, on the scale of this one.

    Where scores are `squeezed`, from 0 to 1, the scale is that of their log-odds, and pairs at hand move nothing.
    """
    own = next((_built(*key) for key in _all_shipped() if key[1] == task.value), None)
    if origin.metric not in (Metric.COSINE, Ranking.CROSS) or own is None or own.population is None:
        return None
    likely = own.population.likely(scale)
    reference = scale.random + scale.unit * Scale(own.curve.centre, own.curve.scale).nearness(own.reference)
    if origin.metric is Metric.COSINE:
        reference = np.clip(reference, -1.0, 1.0)
    return replace(
        own,
        model=origin.model,
        fingerprint=origin.fingerprint,
        metric=origin.metric,
        curve=likely.curve.of_squeezed() if squeezed else likely.curve,
        share=likely.share,
        reference=sigmoid(reference) if squeezed else reference,
        background=None,
        population=None if squeezed else own.population,
        made_from=f"sets by {own.model}; where {origin.model} scores such pairs was found on the probe",
    )


def starting_sets(
    origin: Origin, task: str, lend: Callable[[Task], Calibration | None] = lambda task: None
) -> tuple[Population, Scale] | None:
    """What few labels start from: the sets of a known task, of all where it is none, and the model's scale.

    Where no calibration comes with the model, `lend` gives one for a task.
    """
    tasks = [Task(task)] if task in set(Task) else list(Task)
    found = [known for each in tasks if (known := shipped_calibration(origin, each) or lend(each)) is not None]
    populations = [each.population for each in found if each.population is not None]
    return (pool_sets(populations), Scale(found[0].curve.centre, found[0].curve.scale)) if populations else None


def resolve_calibration(
    calibration: Calibration | str | os.PathLike[str] | None,
    origin: Origin,
    task: Task,
    lend: Callable[[Task], Calibration | None] = lambda task: None,
) -> Calibration | None:
    """The calibration that a caller means: a Calibration, its file, a task, "none", or None for what is shipped.

    Where none comes with the model, `lend` gives one for a task. None where nothing is known, or wanted.
    """
    if calibration is None:
        return shipped_calibration(origin, task) or lend(task)
    if calibration == NONE:
        return None
    if isinstance(calibration, str) and calibration in set(Task):
        known = shipped_calibration(origin, Task(calibration)) or lend(Task(calibration))
        if known is None:
            raise InputError(
                f"no calibration for {calibration!r} comes with {origin.model} ({origin.metric.value})",
                why="shipped calibrations are of cosine similarities by all-MiniLM-L6-v2",
                fix=f"make one: nearsense calibrate PAIRS --model {origin.model}",
            )
        return known
    found = calibration if isinstance(calibration, Calibration) else load_calibration(calibration)
    found.require(origin.model, origin.fingerprint, origin.metric)
    return found


def load_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Read a calibration from its file.

    Args:
        path: A JSON file that `Calibration.save` wrote.

    Raises:
        FileError: There is no such file, or it cannot be read.
        InputError: It holds no calibration.

    Example:
        >>> load_calibration("missing.json")
        Traceback (most recent call last):
        ...
        nearsense.errors.FileError: missing.json cannot be read...
    """
    try:
        known = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        names = ", ".join(Task)
        fix = f"give a calibration's file, one of {names}, or {NONE}"
        raise FileError(f"{os.fspath(path)} cannot be read", why=error.strerror or str(error), fix=fix) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{os.fspath(path)} is no calibration", why=f"it is no JSON: {error}") from None
    try:
        return Calibration.from_dict(known if isinstance(known, dict) else {})
    except InputError as error:
        raise InputError(f"{os.fspath(path)} is no calibration", why=error.why, fix=error.fix) from None
