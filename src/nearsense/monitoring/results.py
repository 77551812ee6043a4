"""What `drift` returns: tests, topics, what to do, and how a watch stands. Frozen; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.monitoring.topics import Topic
from nearsense.monitoring.watching import RULE, Check
from nearsense.records import Origin, Record, as_json, finite_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Action", "Drift", "DriftTest", "Group", "Repeated", "Spread"]

SAID = {
    "vectors": "what the texts are about",
    "classifier": "whether a classifier tells the sides apart",
    "topics": "shares of topics",
    "scores": "scores of the best hits",
    "unanswered": "share of questions without an answer",
    "language": "languages",
    "length": "length of the texts",
    "form": "capitals, digits, question marks, links",
    "calibration": "accepted hits beside their probability",
}
"""What each test looks at, in words."""


@dataclass(frozen=True, slots=True)
class DriftTest(Record):
    """One thing that was compared.

    Args:
        name: "vectors", "classifier", "topics", "scores", "unanswered", "language", "length", "form" or
            "calibration".
        p: How probable so much difference is where both sides are alike, in (0, 1]; of this test alone.
        adjusted: The same, corrected for all tests that were made together; this is what decides.
        drifted: Whether `adjusted` is within the level.
        value: How large the difference is; what it is in, `measure` says.
        measure: "MMD²", "AUC", "KS", "share", "mean gap" or "likelihood ratio".
        current: What was measured of the current side; None where there is nothing of one side alone.
        reference: Of the reference.
        n: How many units of both sides it rests on.
        more: Further figures, such as "psi", "low" and "high".
    """

    name: str
    p: float
    adjusted: float
    drifted: bool
    value: float
    measure: str
    current: float | None
    reference: float | None
    n: int
    more: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        said = "drifted" if self.drifted else "-"
        return f"{self.name:<12} p {self.adjusted:.4f}  {self.measure} {self.value:.4f}  {said}"


@dataclass(frozen=True, slots=True)
class Group(Record):
    """A language or a written form, and its share on both sides.

    Args:
        test: "language" or "form".
        name: The language's code, "" where it is not known; or what texts hold, such as "digit".
        current: How many units of the current side.
        reference: How many of the reference.
        share: Of the current side.
        share_before: Of the reference.
        low: The lower end of the 95 % interval of `share - share_before`.
        high: Its upper end.
        p: Corrected for all groups of the test.
    """

    test: str
    name: str
    current: int
    reference: int
    share: float
    share_before: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Repeated(Record):
    """A text that is there many times, in copies.

    Args:
        text: One of its copies; "" where only vectors are known.
        current: How many copies the current side has.
        reference: How many the reference has.
        share: Of the current side's rows.
        share_before: Of the reference's.
    """

    text: str
    current: int
    reference: int
    share: float
    share_before: float


@dataclass(frozen=True, slots=True)
class Action(Record):
    """What could be done.

    Args:
        what: In a few words: "recalibrate", "answer", "fine-tune", "re-embed", "look".
        why: What speaks for it.
        command: What to type.
    """

    what: str
    why: str
    command: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}\n  {self.command}"


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Numbers of both sides, for plots: of each unit of which they are known."""

    name: str
    current: NDArray[np.float64]
    reference: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Whether what comes in is still like what came before, and what is behind it.

    Args:
        drifted: Whether any test spoke: its adjusted p-value is within the level. In a watch, within what this
            check may spend.
        level: The chance with which `drifted` may be False alarm at most, in (0, 1); in a watch, of this check.
        tests: What was compared, the least p-value first.
        topics: What moved, where something did: the farthest first, those that are certain before the others.
        groups: Languages and written forms whose shares moved, where these tests spoke.
        repeated: Texts with many copies on one side, the most frequent first; copies count once, so they alone
            make no drift.
        rows: How many rows the current side and the reference had.
        drawn: How many of them were looked at.
        units: How many different texts that is on each side.
        notes: What a reader has to know, a sentence each.
        check: How the watch stands; None where there is none.
        calibration: Of each side that has labels, "current" and "reference", how many, the mean stated
            probability, the share that was accepted, and the calibration error.
        spreads: Numbers of both sides, for plots.
        origin: What produced the vectors.
        seed: What it was drawn with.
    """

    drifted: bool
    level: float
    tests: tuple[DriftTest, ...]
    topics: tuple[Topic, ...]
    groups: tuple[Group, ...]
    repeated: tuple[Repeated, ...]
    rows: tuple[int, int]
    drawn: tuple[int, int]
    units: tuple[int, int]
    notes: tuple[str, ...]
    check: Check | None
    calibration: Mapping[str, Mapping[str, float]]
    spreads: Sequence[Spread]
    origin: Origin
    seed: int

    def test(self, name: str) -> DriftTest | None:
        """The test of a name; None where it was not made."""
        return next((each for each in self.tests if each.name == name), None)

    @property
    def p(self) -> float:
        """The least adjusted p-value; 1 where nothing could be tested."""
        return min((each.adjusted for each in self.tests), default=1.0)

    @property
    def verdict(self) -> str:
        """The outcome as a sentence."""
        if not self.drifted:
            return f"no drift: as much difference is seen by chance (p {self.p:.3g}, level {self.level:.3g})"
        spoke = ", ".join(each.name for each in self.tests if each.drifted)
        return f"drift: {spoke} (p {self.p:.3g}, level {self.level:.3g})"

    def __str__(self) -> str:
        return "\n".join([self.verdict, *map(str, self.tests), *map(str, self.topics), *self.notes])

    def __repr__(self) -> str:
        return f"<Drift: {self.verdict}>"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, for alerting."""
        named = as_json(
            self, "drifted level p verdict tests topics groups repeated rows drawn units notes calibration seed"
        )
        watch = None if self.check is None else {"rule": RULE, **self.check.to_dict()}
        told: dict[str, Any] = finite_json({**named, "watch": watch} | self.origin.to_dict())
        return told
