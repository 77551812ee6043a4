"""What training made of a model: better, not proven or worse, on what, and what it cost. Frozen types.

Not how it is measured (training/judging.py), nor how it is written (training/report.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nearsense._version import __version__
from nearsense.evaluation.results import Figure, Mistake, Stated, finite_fields
from nearsense.records import as_json

SURE = 0.05
"""The p-value below which a difference counts as proven."""

SMALL = 0.05
"""Where a change of the main figure by so much would not show for certain, too few examples were held out."""

FEW = 50
"""Held-out examples below which a figure says little, however narrow its interval."""

POWER = 1.43
"""Half widths of an interval that a change needs to show in four of five such samples: (1.96 + 0.84) / 1.96."""

FIGURE_NAMES = {
    "spearman": "Spearman", "pearson": "Pearson", "roc_auc": "ROC AUC", "average_precision": "average precision",
    "best_f1": "best F1", "best_accuracy": "best accuracy", "mrr@10": "MRR@10", "ndcg@10": "nDCG@10",
    "seen": "accuracy (known classes)", "unseen": "accuracy (new classes)",
}  # fmt: skip
"""What figures are called; others by their own name."""

ITEMS = {
    "graded": "pairs", "labelled": "pairs", "entailment": "pairs", "triplets": "triplets", "positives": "queries",
    "classes": "texts",
}  # fmt: skip
"""What the examples of a kind are."""


class Verdict(StrEnum):
    """Whether something became better."""

    BETTER = "better"
    NOT_PROVEN = "not proven"
    """The interval of the difference holds 0: it may have become better or worse, or neither."""
    WORSE = "worse"


def verdict_of(difference: float, p: float) -> Verdict:
    """What a difference (after less before) and its p-value say.

    Example:
        >>> [str(verdict_of(*each)) for each in [(0.1, 0.001), (0.1, 0.2), (-0.1, 0.001)]]
        ['better', 'not proven', 'worse']
    """
    if not p < SURE or not difference:
        return Verdict.NOT_PROVEN
    return Verdict.BETTER if difference > 0 else Verdict.WORSE


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and after, on the same examples."""

    name: str  # which figure
    items: int  # how many examples it is measured on
    before: Figure  # with the 95 % interval of the bootstrap
    after: Figure  # the same, of the trained model
    difference: Figure  # after less before, with the interval of the paired bootstrap
    p: float  # two-sided p-value of "it did not change"

    @property
    def title(self) -> str:
        """What the figure is called."""
        return FIGURE_NAMES.get(self.name, self.name.replace("_", " "))

    @property
    def verdict(self) -> Verdict:
        """Better or worse where the interval leaves 0 out and the test says so too."""
        found = verdict_of(self.difference.value, self.p)
        sure = self.difference.low > 0 or self.difference.high < 0
        return found if sure else Verdict.NOT_PROVEN

    def __str__(self) -> str:
        values = f"{hundred(self.before.value)} before, {hundred(self.after.value)} after"
        return f"{self.title} on {self.items:,}: {values}, {signed(self.difference)}, p {p_value(self.p)}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**finite_fields(self), "verdict": self.verdict.value}


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the general check set: how well scores tell pairs that say the same from all others there."""

    what: str  # by what it is cut out: "form", "domain", "language"
    name: str  # which: "questions", "banking", "de"
    pairs: int  # how many pairs it holds
    before: float  # ROC AUC
    after: float  # of the trained model
    p: float  # two-sided p-value of "it did not change", corrected for all slices that are looked at

    @property
    def verdict(self) -> Verdict:
        """Better or worse where the corrected test says so."""
        return verdict_of(self.after - self.before, self.p)

    def __str__(self) -> str:
        return f"{self.what} {self.name} (ROC AUC {hundred(self.before)} to {hundred(self.after)})"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**as_json(self), "verdict": self.verdict.value}


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Whether a model became better, on examples that training did not see and on a general check set."""

    before: str  # the model's name before
    after: str  # the trained one's
    kind: str  # the kind of the held-out examples
    items: int  # how many are held out
    changes: tuple[Change, ...]  # figures before and after; the first decides
    slices: tuple[Slice, ...] = ()  # parts of the general check set, the whole of each language among them
    errors_before: tuple[Mistake, ...] = ()  # the worst errors of the model before
    errors_after: tuple[Mistake, ...] = ()  # those of the trained model
    stated_before: Stated | None = None
    """How true its probabilities are, of pairs drawn from the held-out examples; None where nobody could say."""
    stated_after: Stated | None = None  # of the trained model, with the calibration that its folder carries
    pairs: str = ""  # how these pairs were drawn, in words
    notes: tuple[str, ...] = ()  # what a reader of the figures has to know
    seed: int = 0  # of the resamples

    @property
    def main(self) -> Change:
        """The figure that decides."""
        return self.changes[0]

    @property
    def verdict(self) -> Verdict:
        """What the figure that decides says."""
        return self.main.verdict

    @property
    def shows(self) -> float:
        """By how much the figure that decides has to change so that four of five such sets would show it."""
        return POWER * (self.main.difference.high - self.main.difference.low) / 2

    @property
    def worse(self) -> tuple[Change | Slice, ...]:
        """What became worse beside the figure that decides."""
        others: tuple[Change | Slice, ...] = (*self.changes[1:], *self.slices)
        return tuple(each for each in others if each.verdict is Verdict.WORSE)

    @property
    def sentence(self) -> str:
        """The verdict in words: better or not, by how much, where worse, and what could not have shown."""
        main, items = self.main, ITEMS.get(self.kind, "examples")
        moved = f"stayed at {hundred(main.before.value)}"
        if main.difference.value:
            moved = f"went from {hundred(main.before.value)} to {hundred(main.after.value)}"
            moved += f" ({signed(main.difference)}, p {p_value(main.p)})"
        seen = f"{main.title} on {main.items:,} {items} that training did not see"
        head = f"{self.verdict.value.capitalize()}: {seen} {moved}."
        return " ".join([head, *self._others(), *self._small()])

    def _others(self) -> list[str]:
        said = []
        for each in self.changes[1:]:
            if each.verdict is Verdict.WORSE:
                values = f"{hundred(each.before.value)} to {hundred(each.after.value)}"
                said.append(f"Worse: {each.title}, {values} ({signed(each.difference)}).")
        if not self.slices:
            return said
        worse = [str(each) for each in self.slices if each.verdict is Verdict.WORSE]
        if worse:
            return [*said, f"Worse on the general check set: {listed(worse)}."]
        parts = f"{len(self.slices)} part{'s'[: len(self.slices) != 1]}"
        return [*said, f"On the general check set nothing is proven to be worse ({parts} looked at)."]

    def _small(self) -> list[str]:
        said = f"The held-out set is small, {self.items:,} {ITEMS.get(self.kind, 'examples')}"
        if self.shows > SMALL:
            return [f"{said}: a change by less than {hundred(self.shows)} points would often not have shown."]
        return [f"{said}: it says little."] if self.items < FEW else []

    def __str__(self) -> str:
        lines = [self.sentence, *(f"  {each}" for each in self.changes)]
        for name, stated in ((self.before, self.stated_before), (self.after, self.stated_after)):
            if stated is not None:
                lines.append(f"  {name}: {stated}.")
        return "\n".join([*lines, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; figures are fractions."""
        told = {"verdict": self.verdict.value, "sentence": self.sentence, "shows": self.shows}
        return told | finite_fields(self)


@dataclass(frozen=True, slots=True)
class Point:
    """Where training stood after so many steps."""

    step: int  # how many batches were learnt from
    loss: float | None = None  # the mean loss of training since the point before; None where it was not written
    held_loss: float | None = None  # the loss on what was held out to stop in time
    figure: float | None = None  # the figure by which the best step is chosen; higher is better


@dataclass(frozen=True, slots=True)
class Carried:
    """The calibration that a trained model's folder carries, in a few words and numbers."""

    task: str  # what it calls the same
    labels: int  # pairs that it was fitted to
    same: int  # how many of them are the same
    prior: float | None  # the share of same pairs that it expects
    ece: float  # expected calibration error on labels that it had not seen
    made_from: str  # what the pairs were, in words


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainingReport:
    """What `ns.train` did: whether the model became better, where it became worse, what it cost.

    Args:
        model: The trained model's name.
        folder: Where it lies; `ns.load(folder)` opens it.
        fingerprint: Of the trained model.
        parent: The model that it was made of.
        parent_fingerprint: Of that.
        licence: Of the parent's weights, as its card says: SPDX identifier, "" where nobody says.
        method: What was trained: "fine-tuning", "LoRA", "adapter", ...
        cross: Whether it is a cross-encoder.
        loss: What was made small.
        kind: The kind of the examples.
        examples: How many were learnt from.
        texts: How many different texts that were.
        held_out: How many examples were held out of training.
        steps: Batches learnt from.
        best_step: The step whose weights were kept.
        stopped: Why it ended there, in words.
        seconds: What it took, measuring included.
        seed: Of everything drawn by chance.
        curve: Loss and figure over the steps.
        judgement: Before and after; None where nothing was held out.
        calibration: What the folder carries; None where it carries none.
        options: What else was chosen: batch size, learning rate, precision, ...
        notes: What a reader has to know.
        version: Of nearsense.
    """

    model: str
    folder: str
    fingerprint: str
    parent: str
    parent_fingerprint: str
    licence: str = ""
    method: str = "fine-tuning"
    cross: bool = False
    loss: str = ""
    kind: str
    examples: int
    texts: int
    held_out: int = 0
    steps: int = 0
    best_step: int = 0
    stopped: str = ""
    seconds: float = 0.0
    seed: int = 0
    curve: tuple[Point, ...] = ()
    judgement: Judgement | None = None
    calibration: Carried | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    version: str = __version__

    @property
    def sentence(self) -> str:
        """Whether it became better, in words."""
        if self.judgement is None:
            return "Nothing was held out, so nobody knows whether it became better."
        return self.judgement.sentence

    @property
    def cost(self) -> str:
        """What it cost, in words.

        Example:
            >>> TrainingReport(model="mine", folder="mine", fingerprint="", parent="p", parent_fingerprint="",
            ...     kind="classes", examples=770, texts=770, steps=120, best_step=90, seconds=200).cost
            '3.3 minutes, 770 examples (770 different texts), 120 steps; step 90 was kept'
        """
        kept = f"; step {self.best_step:,} was kept" if self.best_step and self.best_step != self.steps else ""
        texts = f"{self.examples:,} examples ({self.texts:,} different texts)"
        return f"{duration(self.seconds)}, {texts}, {self.steps:,} steps{kept}"

    @property
    def usage(self) -> tuple[str, ...]:
        """Three lines of Python to paste.

        Example:
            >>> TrainingReport(model="mine", folder="mine", fingerprint="", parent="p", parent_fingerprint="",
            ...     kind="classes", examples=770, texts=770).usage[1]
            'encoder = ns.load("mine")'
        """
        folder = json.dumps(self.folder, ensure_ascii=False)
        if self.cross:
            use = 'print(ns.rerank("a question", ["a passage", "another"], cross=cross))'
            return ("import nearsense as ns", f"cross = ns.load_cross({folder})", use)
        use = 'print(ns.compare("one text", "another", encoder=encoder))'
        return ("import nearsense as ns", f"encoder = ns.load({folder})", use)

    def __str__(self) -> str:
        lines = [self.sentence, f"{self.folder}: {self.method} of {self.parent} in {self.cost}."]
        if self.calibration is not None:
            off = f"{hundred(self.calibration.ece)} points on average"
            lines.append(f"Its probabilities are off by {off}: {self.calibration.made_from}.")
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        """As plain text, for notebooks."""
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; figures are fractions."""
        verdict = None if self.judgement is None else self.judgement.verdict.value
        return {"verdict": verdict, "sentence": self.sentence, **finite_fields(self)}


def hundred(value: float) -> str:
    """A fraction times 100, with one digit.

    Example:
        >>> hundred(0.7214), hundred(float("nan"))
        ('72.1', '-')
    """
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def signed(difference: Figure) -> str:
    """A difference times 100, with its sign and its interval.

    Example:
        >>> signed(Figure(0.08, 0.061, 0.104))
        '+8.0 [+6.1, +10.4]'
    """
    if not difference.defined:
        return "-"
    return f"{100 * difference.value:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def p_value(p: float) -> str:
    """A p-value for a reader.

    Example:
        >>> p_value(0.0004), p_value(0.0312)
        ('< 0.001', '0.031')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def duration(seconds: float) -> str:
    """A time for a reader.

    Example:
        >>> duration(42.0), duration(200.0), duration(7_500.0)
        ('42 seconds', '3.3 minutes', '2.1 hours')
    """
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 5_400 else f"{seconds / 3_600:.1f} hours"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names one after the other, the first few.

    Example:
        >>> listed(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
