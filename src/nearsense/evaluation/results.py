"""What an evaluation says: frozen types. Not how it is measured, see judging.py; nor how it is printed.

All figures are fractions, as in JSON; tables for people show them times 100, as benchmarks do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._version import __version__
from nearsense.datasets import Dataset, Intents, Task
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.evaluation.probabilities import Stated

__all__ = [
    "FIGURES",
    "LOWER_IS_BETTER",
    "MAIN",
    "UNDEFINED",
    "Evaluation",
    "Figure",
    "Kind",
    "Mistake",
    "PairedTest",
    "SystemResult",
    "jsonable",
    "limits",
    "require_figure",
]

MAIN: Mapping[Task, str] = {
    Task.GRADED: "spearman",
    Task.LABELLED: "average_precision",
    Task.TRIPLETS: "accuracy",
    Task.RETRIEVAL: "ndcg@10",
    Task.RERANK: "map",
    Task.INTENTS: "accuracy",
    Task.CLUSTERING: "v_measure",
}
"""The figure by which systems are compared, of each task."""

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


def require_figure(name: str, data: Dataset) -> None:
    """Refuse the name of a figure that a data set does not give.

    Args:
        name: The figure.
        data: The data set.

    Raises:
        InputError: It has no such figure; those that it has are named.
    """
    strangers = isinstance(data, Intents) and None in data.labels
    known = FIGURES[data.task] if strangers or not isinstance(data, Intents) else FIGURES[data.task][:1]
    if name not in known:
        why = "" if name not in FIGURES[data.task] else f"none of the {len(data):,} judged texts is out of scope"
        raise _no_figure(name, data.task, known, why)


_AN = {Task.INTENTS: "an"}


def _no_figure(name: str, task: Task, known: Iterable[str], why: str = "") -> InputError:
    without = " without strangers" if why else ""
    return InputError(
        f"{name!r} is no figure of {_AN.get(task, 'a')} {task.value} data set{without}",
        why=why,
        fix=f"{'judge more texts (limit); else ' if why else ''}the figures are {', '.join(known)}",
    )


LOWER_IS_BETTER = frozenset({"false_accepts@95"})
"""All other figures are better the higher they are."""


SIGNED: Mapping[str, tuple[float, float]] = {
    "spearman": (-1.0, 1.0),
    "pearson": (-1.0, 1.0),
    "adjusted_rand": (-0.5, 1.0),
}


def limits(name: str) -> tuple[float, float]:
    """The least and the greatest value that a figure can have.

    Example:
        >>> limits("spearman"), limits("map")
        ((-1.0, 1.0), (0.0, 1.0))
    """
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


def jsonable(value: Any) -> Any:
    """What JSON can say: None for a number that is not finite.

    Example:
        >>> jsonable({"value": UNDEFINED, "others": [0.5, float("inf")]})
        {'value': None, 'others': [0.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: jsonable(each) for name, each in value.items()}
    return [jsonable(each) for each in value] if isinstance(value, (list, tuple)) else value


class Kind(StrEnum):
    """What was measured."""

    MODEL = "model"
    FUSION = "fusion"
    """A model and BM25 together."""
    BASELINE = "baseline"
    """Words without a model."""
    POOLING = "pooling"
    """A model with another pooling than its own."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and the 95 % interval of the bootstrap over items.

    Args:
        value: As it was measured; NaN, shown as "-", where the scores do not give it. JSON has null then.
        low: The interval's lower end.
        high: Its upper end.
    """

    value: float
    low: float
    high: float

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    def __str__(self) -> str:
        if not self.defined:
            return "-"
        return f"{100 * self.value:.2f} [{100 * self.low:.2f}, {100 * self.high:.2f}]"


@dataclass(frozen=True, slots=True)
class Mistake:
    """An item on which a model was far off.

    Args:
        prediction: What it says, in the words or the scale of the data.
        truth: What is right.
        texts: The texts: a pair; anchor, positive and negative; a query, what was found first and what should
            have been; a text and its nearest.
        score: The model's score; of triplets, negative less positive.
        size: By how much it is off; the larger, the worse.
        differs: Of a pair what differs between its texts, what the model does not read among it.
    """

    prediction: str
    truth: str
    texts: tuple[str, ...]
    score: float
    size: float
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SystemResult:
    """What one model, baseline or fusion reached.

    Args:
        name: What it is called.
        kind: A model, a baseline, a model with another pooling, or a fusion.
        figures: Each figure by its name.
        thresholds: The score from which on a pair counts as the same, for the figures that need one.
        seconds: What it took to encode and to compare; loading is not in it.
        texts: How many different texts were read.
        texts_per_second: How many of them were encoded in a second.
        truncated: How many of them are longer than the model reads.
        fingerprint: Of the model; `""` of a baseline.
        mistakes: The worst errors of a model, worst first.
        scores: float64, the raw score of each item: pair, positive then negative of each triplet, candidate, hit
            (the ten best of each query), nearest text; empty for clusters.
        labels: float64, as many: what is true of it.
        values: float64, the main figure of each query; empty where the figure is no mean over queries.
        probabilities: How true those are that nearsense gives to these pairs; None where none were judged: the
            notes of the evaluation say why.
    """

    name: str
    kind: Kind
    figures: Mapping[str, Figure]
    thresholds: Mapping[str, float]
    seconds: float
    texts: int
    texts_per_second: float
    truncated: int
    fingerprint: str
    mistakes: tuple[Mistake, ...]
    scores: NDArray[np.float64]
    labels: NDArray[np.float64]
    values: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    probabilities: Stated | None = None

    def to_dict(self, *, raw: bool = False) -> dict[str, Any]:
        """As JSON values.

        Args:
            raw: With the scores and labels of all items.
        """
        known = {
            "name": self.name,
            "kind": self.kind.value,
            "figures": {name: asdict(figure) for name, figure in self.figures.items()},
            "thresholds": dict(self.thresholds),
            "seconds": self.seconds,
            "texts": self.texts,
            "texts_per_second": self.texts_per_second,
            "truncated": self.truncated,
            "fingerprint": self.fingerprint,
            "mistakes": [
                {**asdict(each), "texts": list(each.texts), "differs": list(each.differs)}
                for each in self.mistakes
            ],
            "probabilities": None if self.probabilities is None else self.probabilities.to_dict(),
        }
        items = {"scores": self.scores.tolist(), "labels": self.labels.tolist()} if raw else {}
        return {name: jsonable(value) for name, value in (known | items).items()}


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two systems on the same items: by how much the first is better in the main figure.

    Args:
        first: The one.
        second: The other.
        figure: Which figure.
        difference: The first's less the second's, with the interval of the paired bootstrap.
        p: Two-sided p-value of "they are equally good".
    """

    first: str
    second: str
    figure: str
    difference: Figure
    p: float

    def __str__(self) -> str:
        low, high = 100 * self.difference.low, 100 * self.difference.high
        value = f"{100 * self.difference.value:+.2f} [{low:+.2f}, {high:+.2f}], p {self.p:.3f}"
        return f"{self.figure}: {self.first} less {self.second}: {value}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: jsonable(value) for name, value in asdict(self).items()}


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
        return {
            "dataset": self.dataset,
            "task": self.task.value,
            "items": self.items,
            "main": self.main,
            "systems": [each.to_dict(raw=raw) for each in self.systems],
            "comparisons": [each.to_dict() for each in self.comparisons],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "scale": None if self.scale is None else list(self.scale),
            "words": None if self.words is None else list(self.words),
            "seconds": self.seconds,
            "version": self.version,
        }
