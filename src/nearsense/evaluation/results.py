"""What an evaluation says: frozen types. Not how it is measured, see judging.py; nor how it is printed.

All figures are fractions, as in JSON; tables for people show them times 100, as benchmarks do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._version import __version__
from nearsense.datasets import Dataset, Intents, Task
from nearsense.errors import InputError
from nearsense.records import Record, as_json, finite_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIGURES: Mapping[Task, tuple[str, ...]] = {
    Task.GRADED: ("spearman", "pearson"),
    Task.LABELLED: ("average_precision", "roc_auc", "best_f1", "best_accuracy"),
    Task.TRIPLETS: ("accuracy",),
    Task.RETRIEVAL: ("ndcg@10", "mrr@10", "recall@10", "recall@100", "map@100"),
    Task.RERANK: ("map", "mrr@10", "ndcg@10"),
    Task.INTENTS: ("accuracy", "auroc", "false_accepts@95"),
    Task.CLUSTERING: ("v_measure", "adjusted_rand"),
}
"""What is measured, of each task; of intents the last two where some texts are out of scope."""

MAIN: Mapping[Task, str] = {task: names[0] for task, names in FIGURES.items()}
"""The figure by which systems are compared, of each task."""


def require_figure(name: str, data: Dataset) -> None:
    """Refuse the name of a figure that a data set does not give, and name those that it gives."""
    strangers = isinstance(data, Intents) and None in data.labels
    known = FIGURES[data.task] if strangers or not isinstance(data, Intents) else FIGURES[data.task][:1]
    if name not in known:
        why = "" if name not in FIGURES[data.task] else f"none of the {len(data):,} judged texts is out of scope"
        raise _no_figure(name, data.task, known, why)


def _no_figure(name: str, task: Task, known: Iterable[str], why: str = "") -> InputError:
    article, without = "an" if task is Task.INTENTS else "a", " without strangers" if why else ""
    fix = f"{'judge more texts (limit); else ' if why else ''}the figures are {', '.join(known)}"
    return InputError(f"{name!r} is no figure of {article} {task.value} data set{without}", why=why, fix=fix)


LOWER_IS_BETTER = frozenset({"false_accepts@95"})  # all other figures are better the higher they are
BAND_COLUMNS = ("probability>", "pairs>", "the same>", "stated interval>", "holds it")
"""What a table shows of a band."""

SIGNED = {"spearman": (-1.0, 1.0), "pearson": (-1.0, 1.0), "adjusted_rand": (-0.5, 1.0)}


def limits(name: str) -> tuple[float, float]:
    """The least and the greatest value that a figure can have."""
    return SIGNED.get(name, (0.0, 1.0))


class _Undefined(float):
    """A figure that cannot be given: NaN in comparisons, "-" wherever it is shown, times 100 too."""

    def __mul__(self, other: object) -> _Undefined:
        return self

    __rmul__ = __mul__

    def __format__(self, how: str) -> str:
        return "-"


UNDEFINED = _Undefined("nan")
"""The value of a figure that scores do not give: a correlation of scores that are all equal."""


def finite_fields(record: object, names: str = "") -> dict[str, Any]:
    """The fields of a record, or some of them, as JSON values; None for a number that is not finite."""
    return {name: finite_json(value) for name, value in as_json(record, names).items()}


class Kind(StrEnum):
    """What was measured."""

    MODEL = "model"
    FUSION = "fusion"  # a model and BM25 together
    BASELINE = "baseline"  # words without a model
    POOLING = "pooling"  # a model with another pooling than its own


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and the 95 % interval of the bootstrap over items."""

    value: float  # as it was measured; NaN, shown as "-", where the scores do not give it. JSON has null then
    low: float  # the interval's lower end
    high: float  # its upper end

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    def __str__(self) -> str:
        if not self.defined:
            return "-"
        return f"{100 * self.value:.2f} [{100 * self.low:.2f}, {100 * self.high:.2f}]"


def figure_of(drawn: NDArray[np.float64], bounds: tuple[float, float], *, centred: bool = False) -> Figure:
    """The figure, and the middle 95 % of its resamples; within what is possible, and with the figure in it.

    Of partitions the resamples lie higher than the figure, because items that are drawn twice always agree; their
    interval is moved so that its middle is the figure.
    """
    if np.isnan(drawn[0]):
        return Figure(UNDEFINED, UNDEFINED, UNDEFINED)
    value, others = float(np.clip(drawn[0], *bounds)), drawn[1:][~np.isnan(drawn[1:])]
    if not len(others):
        return Figure(value, value, value)
    ends = np.quantile(others, [0.025, 0.975]) + (value - others.mean() if centred else 0.0)
    low, high = np.clip(ends, *bounds)
    return Figure(value, min(float(low), value), max(float(high), value))


@dataclass(frozen=True, slots=True)
class Mistake:
    """An item on which a model was far off."""

    prediction: str  # what it says, in the words or the scale of the data
    truth: str  # what is right
    texts: tuple[str, ...]
    """The texts: a pair; anchor, positive and negative; a query, what was found first and what should have been; a
    text and its nearest."""
    score: float  # the model's score; of triplets, negative less positive
    size: float  # by how much it is off; the larger, the worse
    differs: tuple[str, ...] = ()
    """Of a pair what differs between its texts, what the model does not read among it."""


@dataclass(frozen=True, slots=True)
class Band:
    """The pairs of which much the same was said."""

    above: float  # the least probability of the band; only the first band holds it
    up_to: float  # the greatest, held
    pairs: int  # how many pairs have one of these
    stated: float  # the mean probability of these pairs
    share: float  # the share of them that is the same
    low: float  # the mean lower end of their intervals
    high: float  # the mean upper end
    held: bool | None  # whether the share lies in between; None of fewer than ten pairs, which tell little


@dataclass(frozen=True, slots=True)
class Stated(Record):
    """How true the probabilities are that `compare_pairs` gives, all pairs together, without the labels."""

    task: str  # what "the same" was taken to mean: "paraphrase", or what was asked for
    prior: float | None  # the share of same pairs that was assumed, or found from how the pairs score
    pairs: int  # how many have a probability
    left_out: int  # how many have none: a text is in a language that the model was not made for
    ece: float  # expected calibration error, 15 bands of equal width: by how much probabilities are off on average
    coverage: float
    """The share of bands of ten pairs and more whose stated interval holds the share of same pairs; else NaN."""
    width: float  # how wide the stated intervals are on average
    bands: tuple[Band, ...]  # the bands that hold pairs, from 0 up

    def __str__(self) -> str:
        known = [each.held for each in self.bands if each.held is not None]
        without = f" ({self.left_out:,} more pairs have none)" if self.left_out else ""
        return (
            f"Probabilities of {self.pairs:,} pairs{without} are off by {100 * self.ece:.1f} points on average "
            f"(ECE), and the stated interval, {100 * self.width:.0f} points wide, holds the truth in "
            f"{sum(known)} of {len(known)} bands"
        )

    def rows(self) -> list[tuple[str, ...]]:
        """The bands as cells of a table, see `BAND_COLUMNS`."""
        words = {True: "yes", False: "no", None: "too few"}
        return [
            (
                f"{100 * each.above:.0f} to {100 * each.up_to:.0f} %",
                f"{each.pairs:,}",
                f"{100 * each.share:.0f} %",
                f"{_end(each.low)} to {_end(each.high)} %",
                words[each.held],
            )
            for each in self.bands
        ]


def _end(value: float) -> str:
    """An end of an interval, times 100: finer near 0 and 1, as the share of a few pairs may be just that."""
    digits = 0 if 0.01 <= value <= 0.99 or value in (0.0, 1.0) else 2
    return f"{100 * value:.{digits}f}"


@dataclass(frozen=True, slots=True, eq=False)
class SystemResult:
    """What one model, baseline or fusion reached."""

    name: str  # what it is called
    kind: Kind  # a model, a baseline, a model with another pooling, or a fusion
    figures: Mapping[str, Figure]  # each figure by its name
    thresholds: Mapping[str, float]
    """The score from which on a pair counts as the same, for the figures that need one."""
    seconds: float  # what it took to encode and to compare; loading is not in it
    texts: int  # how many different texts were read
    texts_per_second: float  # how many of them were encoded in a second
    truncated: int  # how many of them are longer than the model reads
    fingerprint: str  # of the model; `""` of a baseline
    mistakes: tuple[Mistake, ...]  # the worst errors of a model, worst first
    scores: NDArray[np.float64]
    """float64, the raw score of each item: pair, positive then negative of each triplet, candidate, hit (the ten
    best of each query), nearest text; empty for clusters."""
    labels: NDArray[np.float64]  # float64, as many: what is true of it
    values: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """float64, the main figure of each query; empty where the figure is no mean over queries."""
    probabilities: Stated | None = None
    """How true those are that nearsense gives to these pairs; None where none were judged: the notes of the
    evaluation say why."""

    def to_dict(self, *, raw: bool = False) -> dict[str, Any]:
        """As JSON values.

        Args:
            raw: With the scores and labels of all items.
        """
        names = "name kind figures thresholds seconds texts texts_per_second truncated fingerprint mistakes"
        return finite_fields(self, f"{names} probabilities {'scores labels' if raw else ''}")


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two systems on the same items: by how much the first is better in the main figure."""

    first: str  # the one
    second: str  # the other
    figure: str  # which figure
    difference: Figure  # the first's less the second's, with the interval of the paired bootstrap
    p: float  # two-sided p-value of "they are equally good"

    def __str__(self) -> str:
        low, high = 100 * self.difference.low, 100 * self.difference.high
        value = f"{100 * self.difference.value:+.2f} [{low:+.2f}, {high:+.2f}], p {self.p:.3f}"
        return f"{self.figure}: {self.first} less {self.second}: {value}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return finite_fields(self)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How good models are on a data set, beside what words alone reach.

    Args:
        dataset: The data set's name.
        task: What was asked.
        items: How many pairs, triplets, queries or texts were judged.
        main: The figure by which systems are compared.
        systems: Models, fusions and baselines, in the order in which they were given.
        comparisons: Each model against each other, and against the best baseline.
        notes: What a reader of the figures has to know.
        warnings: Those of the notes that say that something looks wrong with the data.
        scale: Of graded pairs, the least and the greatest score.
        words: Of labelled pairs, what the data calls "different" and "same".
        seconds: What all of it took, reading aside.
        version: Of nearsense.
    """

    dataset: str
    task: Task
    items: int
    main: str
    systems: tuple[SystemResult, ...]
    comparisons: tuple[PairedTest, ...]
    notes: tuple[str, ...]
    seconds: float
    scale: tuple[float, float] | None = None
    words: tuple[str, str] | None = None
    warnings: tuple[str, ...] = ()
    version: str = __version__

    def system(self, name: str | None = None) -> SystemResult:
        """One system's result; without a name the first model's.

        Raises:
            InputError: None is called so.
        """
        found = next((each for each in self.systems if name in (None, each.name)), None)
        if found is None:
            known = ", ".join(each.name for each in self.systems)
            raise InputError(f"no system is called {name!r}", fix=f"the systems are {known}")
        return found

    def figure(self, name: str | None = None, system: str | None = None) -> Figure:
        """One figure of a system; without names the main one of the first model.

        Raises:
            InputError: There is no such figure or system.
        """
        figures = self.system(system).figures
        wanted = self.main if name is None else name
        if wanted not in figures:
            raise _no_figure(wanted, self.task, figures)
        return figures[wanted]

    def __str__(self) -> str:
        head = f"{self.dataset}: {self.task.value}, {self.items:,} items"
        lines = (
            f"  {each.name}: " + ", ".join(f"{name} {figure}" for name, figure in each.figures.items())
            for each in self.systems
        )
        stated = (f"  {each.name}: {each.probabilities}." for each in self.systems if each.probabilities)
        return "\n".join([head, *lines, *stated, *(f"  {each}" for each in self.comparisons), *self.notes])

    def _repr_html_(self) -> str:
        """As plain text, for notebooks."""
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"

    def to_dict(self, *, raw: bool = False) -> dict[str, Any]:
        """As JSON values; figures are fractions.

        Args:
            raw: With the scores and labels of all items.
        """
        told = as_json(self, "dataset task items main")
        told["systems"] = [each.to_dict(raw=raw) for each in self.systems]
        return told | as_json(self, "comparisons notes warnings scale words seconds version")
