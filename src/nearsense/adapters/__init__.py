"""A small map on frozen vectors, learnt from examples in seconds: `learn`. Not the encoder that applies it.

fitting.py   losses, gradients, Adam       lessons.py   examples as rows; folds; how good a map is
merging.py   the map put into its model    The encoder and its folder: encoders/adapted.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.adapters.fitting import fit, steps_of
from nearsense.adapters.lessons import Examples, Subject, subject_of, texts_by_role
from nearsense.checks import positive_int
from nearsense.encoders import Encoder, resolve, symmetric_role
from nearsense.encoders.adapted import AdaptedEncoder, VectorMap
from nearsense.errors import InputError
from nearsense.kinds import MapKind
from nearsense.metrics import Difference, paired_bootstrap, resample_counts
from nearsense.records import as_json, parse

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nearsense.calibration import Calibration
    from nearsense.metrics.resampling import Statistic

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]

__all__ = ["Adapter", "Fold", "learn"]

STRENGTHS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""How much of what was learnt is added to the identity."""
FOLDS = 5
FEWEST = 20
"""Examples without which nothing can be told apart from chance."""
RESAMPLES = 1000


class Fold(NamedTuple):
    """One part of the examples that was held out: the map of the others, and which are which."""

    map: VectorMap
    learnt: Places  # rows of the examples that it was learnt from
    held: Places


@dataclass(frozen=True, eq=False)
class Adapter:
    """A map that was learnt on frozen vectors, and how much better it is.

    Args:
        encoder: The parent with the map after it; the parent itself where no map is better.
        kind: The form of the map.
        strength: How much of what was learnt is added to the identity, from 0; 0: the identity is best.
        figure: What was measured, on examples that the map was not learnt on.
        before: That figure of the parent.
        after: That figure of the map, less what choosing its strength on the same examples flatters it by.
        difference: after - before, with its 95 % interval and p-value, examples resampled.
        by_strength: The figure of each strength that was tried.
        examples: How many there were.
        texts: How many distinct texts they hold.
        folds: The parts by which it was measured.
        calibration: What the scores of the encoder mean, which `save` writes beside the map; None where it is not
            known.

    Example:
        >>> import nearsense as ns
        >>> from nearsense.adapters import learn
        >>> from nearsense.training.examples import read_examples
        >>> rows = [(f"{word} {n}", word) for word in ("refund", "login", "parcel") for n in range(9)]
        >>> learn(read_examples(rows, kind="classes")).strength
        0.0
    """

    encoder: Encoder
    kind: MapKind
    strength: float
    figure: str
    before: float
    after: float
    difference: Difference
    by_strength: dict[float, float]
    examples: int
    texts: int
    folds: tuple[Fold, ...] = ()
    calibration: Calibration | None = None

    @property
    def better(self) -> bool:
        """Whether a map was found that is better than none."""
        return self.strength > 0

    @property
    def verdict(self) -> str:
        """What came of it, in one sentence."""
        if not self.better:
            return "The identity is best: no map does better on texts that it was not learnt on."
        if self.difference.low <= 0:
            return "Better, but that may be chance: its interval holds 0. More examples would tell."
        return "Better on texts that it was not learnt on."

    def __str__(self) -> str:
        change = f"{self.difference.value:+.4f} [{self.difference.low:+.4f}, {self.difference.high:+.4f}]"
        lines = [
            f"{self.figure}: {self.before:.4f} before, {self.after:.4f} after, {change}",
            f"{self.kind.value} map, strength {self.strength:g}, {self.examples:,} examples, cross-validated",
            self.verdict,
        ]
        if self.calibration is not None:
            off = f"{100 * self.calibration.figures.ece:.1f} points on average"
            lines.append(f"Its probabilities are off by {off}: {self.calibration.made_from}.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        names = "kind strength better verdict figure before after difference by_strength examples texts"
        known = self.calibration
        ece = None if known is None else known.figures.ece
        return {"model": self.encoder.name, **as_json(self, names), "ece": ece}

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the map into a folder that is not there yet: `ns.load(folder)` gives parent and map.

        From then on the encoder goes by the calibration that lies there, as one that is loaded does.

        Raises:
            InputError: The identity is best, so that there is nothing to keep; or the folder is there.
            FileError: It cannot be written; nothing is left behind.
        """
        from nearsense.encoders.adapted import write_adapter
        from nearsense.encoders.loading import CALIBRATION
        from nearsense.files import new_folder

        if not isinstance(self.encoder, AdaptedEncoder):
            why, fix = "the identity is best", f"go on with {self.encoder.name}, or give more examples"
            raise InputError("there is no map to keep", why=why, fix=fix)
        place = Path(folder)
        with new_folder(place) as draft:
            write_adapter(draft, self.encoder, {"learnt": self.to_dict()})
            if self.calibration is not None:
                self.calibration.save(draft / CALIBRATION)
        self.encoder.calibration_file = str(place / CALIBRATION)
        return place

    def export(self, folder: str | os.PathLike[str]) -> Path:
        """Write model and map as one model of its own, which sentence-transformers loads too.

        Its vectors are the same, and it takes the calibration along.

        Raises:
            InputError: The identity is best, so that there is nothing to put into the model.
            UnsupportedModel: The model is on a server, or a finished graph.
            FileError: The folder is there, or cannot be written; nothing is left behind.
        """
        from nearsense.adapters.merging import merge

        return merge(self.encoder, folder, self.calibration)


def learn(
    examples: Examples,
    encoder: Encoder | str | None = None,
    *,
    kind: str = MapKind.LINEAR,
    rank: int = 32,
    seed: int = 0,
    name: str = "adapter",
    progress: Progress = False,
) -> Adapter:
    """Learn a map of a model's vectors from examples. The model stays as it is; numpy alone learns, in seconds.

    Texts of a class, or that belong together, are drawn together against all others (supervised contrast); pairs
    with a number or label are put in order (RankNet). How much of that is taken is chosen by five-fold
    cross-validation in which no text, nor one that is worded alike, is on both sides. Where nothing is better than
    the parent by more than a standard error, the identity is best, and the parent stays.

    Args:
        examples: Of any kind; 20 at least.
        encoder: An Encoder or a model's name; the default model without it.
        kind: `"linear"`, `"low-rank"` or `"diagonal"`.
        rank: Of a low-rank map.
        seed: Of folds and order.
        name: What the encoder is called until it is saved and loaded by its folder.
        progress: True for a bar on stderr, or a function called with (done, total) steps.

    Raises:
        InputError: There are too few examples, or they say nothing of nearness.
    """
    form, rank = parse(MapKind, kind, name="kind"), positive_int(rank, "rank")
    subject = subject_of(examples)
    _require_enough(subject, examples.name)
    parent = resolve(encoder)
    vectors = _encoded(subject, parent)
    folds = [(learnt, held) for learnt, held in subject.folds(FOLDS, seed) if len(learnt) and len(held)]
    rows = np.sort(np.concatenate([held for _, held in folds] or [np.empty(0, np.int64)]))
    _require_measurable(subject, rows, examples.name)
    lessons = [subject.lesson(learnt, seed) for learnt in [*(each for each, _ in folds), np.arange(len(subject))]]
    steps = sum(steps_of(sum(1 for _ in each.batches(np.random.default_rng(seed)))) for each in lessons)
    numbers = np.zeros((len(STRENGTHS), len(subject)))
    parts: list[Floats] = []
    with tracked(steps, "steps", progress) as update:
        done = count(1)

        def step() -> None:
            update(next(done))

        for (learnt, held), lesson in zip(folds, lessons, strict=False):
            added = fit(vectors, lesson, form, rank=rank, seed=seed, update=step)
            parts.append(added)
            for place, strength in enumerate(STRENGTHS):
                mapped = map_of(form, added, strength, rank).unit(vectors)
                numbers[place, held] = subject.measured(mapped, learnt, held)
        tried = _Tried([subject.statistic(row[rows], rows) for row in numbers], len(rows), seed)
        best = tried.best()
        added = fit(vectors, lessons[-1], form, rank=rank, seed=seed, update=step)
    difference, strength = tried.difference(best), STRENGTHS[best]
    maps, rows = [map_of(form, each, strength, rank) for each in parts], subject.rows
    return Adapter(
        encoder=AdaptedEncoder(parent, map_of(form, added, strength, rank), name=name) if best else parent,
        kind=form,
        strength=strength,
        figure=subject.figure,
        before=tried.figures[0],
        after=tried.figures[0] + difference.value,
        difference=difference,
        by_strength=dict(zip(STRENGTHS, tried.figures, strict=True)),
        examples=len(subject),
        texts=len(subject.texts),
        folds=tuple(
            Fold(each, rows[learnt], rows[held]) for each, (learnt, held) in zip(maps, folds, strict=True)
        ),
    )


def map_of(kind: MapKind, added: Floats, strength: float, rank: int) -> VectorMap:
    """The identity and a part of what was learnt."""
    part = np.float32(strength) * added
    if kind is MapKind.DIAGONAL:
        return VectorMap(kind, {"scale": 1 + part})
    if kind is MapKind.LINEAR:
        return VectorMap(kind, {"weight": np.eye(len(part), dtype=np.float32) + part})
    left, sizes, right = np.linalg.svd(part)
    rank = min(rank, len(part))
    return VectorMap(kind, {"down": right[:rank].copy(), "up": left[:, :rank] * sizes[:rank]})


def _require_enough(subject: Subject, name: str) -> None:
    if len(subject) < FEWEST:
        why = f"{FEWEST} at least are needed to tell what is better from chance"
        raise InputError(f"{name}: {len(subject):,} examples", why=why, fix="give more examples")
    if subject.truth is not None and len(np.unique(subject.truth)) < 2:
        why, fix = "nothing is to be told apart", "add examples of another class or score"
        raise InputError(f"{name}: all examples say the same", why=why, fix=fix)


def _require_measurable(subject: Subject, rows: NDArray[np.int64], name: str) -> None:
    """Refuse examples of which too few can be held out without a text on both sides."""
    told = subject.truth is None or subject.kind == "classes" or len(np.unique(subject.truth[rows])) > 1
    if len(rows) < FEWEST // 2 or not told:
        why = "they share their texts: no part of them could be held out to see what is better"
        raise InputError(f"{name}: nothing can be measured", why=why, fix="add examples with other texts")


def _encoded(subject: Subject, encoder: Encoder) -> Floats:
    """Unit vectors of the distinct texts, through the cache."""
    from nearsense.cached import cached
    from nearsense.vectors.rows import ZeroRow, unit_rows

    known, data = cached(encoder), np.empty((len(subject.texts), encoder.dimension), np.float32)
    parts: Sequence[tuple[str | None, Places]] = [(symmetric_role(encoder), np.arange(len(data)))]
    for role, rows in texts_by_role(subject) if subject.searching and encoder.prompts else parts:
        if len(rows):
            data[rows] = known.encode([subject.texts[row] for row in rows], role=role, normalize=True).data
    return unit_rows(data, "vectors", ZeroRow.KEEP)


class _Tried:
    """The figure of each strength on examples that were held out, and which of them is best."""

    def __init__(self, statistics: list[Statistic], n: int, seed: int) -> None:
        self._statistics, self._n = statistics, n
        self._how: dict[str, Any] = {"resamples": RESAMPLES if n <= 2000 else RESAMPLES // 4, "seed": seed}
        self.figures = [float(each(np.ones((1, n)))[0]) for each in statistics]

    def best(self) -> int:
        """The place of the best; 0, the identity, unless it is better by more than a standard error."""
        best = int(np.argmax(self.figures))
        return best if best and self._against_identity(best, level=0.6827).low > 0 else 0

    def difference(self, best: int) -> Difference:
        """Of the best to the identity, less what choosing it flatters it by."""
        if not best:
            return Difference(0.0, 0.0, 0.0, 1.0)
        told, flattery = self._against_identity(best), self._flattery(best)
        value, low, high = (each - flattery for each in (told.value, told.low, told.high))
        return Difference(value, low, high, float(told.p))

    def _against_identity(self, best: int, level: float = 0.95) -> Difference:
        return paired_bootstrap(self._statistics[best], self._statistics[0], self._n, level=level, **self._how)

    def _flattery(self, best: int) -> float:
        """By how much the best looks better than it is because it was chosen on what it is measured on.

        In each resample of the examples the best is chosen again, and measured on those that were not drawn
        (Tsamardinos et al. 2018).
        """
        gains = []
        for counts in resample_counts(self._n, self._how["resamples"] // 5, self._how["seed"]):
            drawn = np.stack([each(counts) for each in self._statistics])
            chosen = np.nan_to_num(drawn, nan=-np.inf).argmax(axis=0)
            left = np.stack([each((counts == 0).astype(np.float64)) for each in self._statistics])
            gains.append(left[chosen, np.arange(len(chosen))] - left[0])
        return max(0.0, self.figures[best] - self.figures[0] - float(np.nanmean(np.concatenate(gains))))
