"""What users hold of duplicates: a pair, a row that goes and why, a group. Not how they are found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nearsense.records import Document, as_json, percent


class Tier(StrEnum):
    """In what way two rows say the same."""

    EXACT = "exact"
    """Character for character; of vectors without texts, number for number."""
    NORMALIZED = "normalized"
    """Except for case, white space, punctuation and how characters are encoded."""
    SEMANTIC = "semantic"
    """In other words: their vectors are near."""


TIERS = tuple(Tier)
"""The tiers by their number in a column."""

EXACT, NORMALIZED, SEMANTIC = range(3)

_WHY = {Tier.EXACT: "the same text", Tier.NORMALIZED: "the same but for case, space or punctuation"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows that say the same, or nearly.

    Args:
        left: The id of one row: the earlier one, or the new one where an archive is compared with.
        right: The id of the other.
        score: Cosine similarity in [-1, 1].
        probability: That the two say the same, in [0, 1]; 1 for equal texts; None where no calibration is known.
        differs: What differs between them, from left to right: "number: 15 → 51"; empty where nothing was seen,
            None where nobody has looked.
        tier: In what way they say the same.
        a: The text of `left`; empty where only its vector is known.
        b: The text of `right`.
        interval: Between what the probability lies, nineteen times in twenty.
        unsure: Why there is no probability though a calibration is known: the model was not made for the language
            of a text.
        because: What made the probability other than its score alone would: "the same text", "what differs".
    """

    left: str
    right: str
    score: float
    probability: float | None
    differs: tuple[str, ...] | None
    tier: Tier
    a: str
    b: str
    interval: tuple[float, float] | None = None
    unsure: str | None = None
    because: tuple[str, ...] = ()

    def __str__(self) -> str:
        sure = "" if self.probability is None else f"{percent(self.probability):>5}  "
        names = f"{self.a} | {self.b}" if self.a or self.b else f"{self.left} | {self.right}"
        line = f"{self.score:.4f}  {sure}{self.tier:<10}  {names}"
        return f"{line}; differs: {', '.join(self.differs)}" if self.differs else line

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "left right score probability interval unsure because tier differs a b")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that goes, and what it has in common with the row that stays in its place.

    Args:
        id: The row's id.
        kept: The id of the row that stays.
        text: The row's text; empty where only its vector is known.
        tier: In what way the two say the same.
        score: Their cosine similarity, measured between these very two.
        probability: That they say the same; None where no calibration is known.
        differs: What differs all the same, where such pairs are allowed: from this row to the one that stays.
        interval: Between what the probability lies, nineteen times in twenty.
    """

    id: str
    kept: str
    text: str
    tier: Tier
    score: float
    probability: float | None
    differs: tuple[str, ...] | None = None
    interval: tuple[float, float] | None = None

    @property
    def reason(self) -> str:
        """Why it goes, in words."""
        if self.tier in _WHY:
            return _WHY[self.tier]
        sure = f"score {self.score:.2f}" if self.probability is None else percent(self.probability)
        return f"says the same ({sure})"

    def __str__(self) -> str:
        return f"{self.text or self.id}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return as_json(self, "id kept tier score probability interval reason differs text")


@dataclass(frozen=True, slots=True)
class Group:
    """A row that stays, and those that go because of it: each was compared with it directly.

    Args:
        kept: The row that stays; of an archive where there is one and it says the same.
        dropped: The rows that go, nearest first.
    """

    kept: Document
    dropped: tuple[Dropped, ...]

    def __len__(self) -> int:
        """How many rows say this, the kept one included."""
        return 1 + len(self.dropped)

    def __str__(self) -> str:
        return "\n".join([self.kept.text or self.kept.id, *(f"    {each}" for each in self.dropped)])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kept": self.kept.id,
            "text": self.kept.text,
            "size": len(self),
            "dropped": [each.to_dict() for each in self.dropped],
        }
