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
    """One thing that was compared."""

    name: str  # one of `SAID`
    p: float  # how probable so much difference is where both sides are alike, in (0, 1]; of this test alone
    adjusted: float  # the same, corrected for all tests that were made together; this is what decides
    drifted: bool  # whether `adjusted` is within the level
    value: float  # how large the difference is; what it is in, `measure` says
    measure: str  # "MMD²", "AUC", "KS", "share", "mean gap" or "likelihood ratio"
    current: float | None  # what was measured of the current side; None where there is nothing of one side alone
    reference: float | None  # of the reference
    n: int  # how many units of both sides it rests on
    more: Mapping[str, float] = field(default_factory=dict)  # further figures, such as "psi", "low" and "high"

    def __str__(self) -> str:
        said = "drifted" if self.drifted else "-"
        return f"{self.name:<12} p {self.adjusted:.4f}  {self.measure} {self.value:.4f}  {said}"


@dataclass(frozen=True, slots=True)
class Group(Record):
    """A language or a written form, and its share on both sides."""

    test: str  # "language" or "form"
    name: str  # the language's code, "" where it is not known; or what texts hold, such as "digit"
    current: int  # how many units of the current side
    reference: int  # how many of the reference
    share: float  # of the current side
    share_before: float  # of the reference
    low: float  # the lower end of the 95 % interval of `share - share_before`
    high: float  # its upper end
    p: float  # corrected for all groups of the test


@dataclass(frozen=True, slots=True)
class Repeated(Record):
    """A text that is there many times, in copies."""

    text: str  # one of its copies; "" where only vectors are known
    current: int  # how many copies the current side has
    reference: int  # how many the reference has
    share: float  # of the current side's rows
    share_before: float  # of the reference's


@dataclass(frozen=True, slots=True)
class Action(Record):
    """What could be done."""

    what: str  # in a few words: "recalibrate", "add FAQ entries", "fine-tune", "re-embed", "look"
    why: str  # what speaks for it
    command: str  # what to type

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
