"""A score that somebody asked for, and what it gives. Not how it is found: see threshold.py and proof.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Threshold", "in_ten"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score to ask for, and what it gives.

    Args:
        asked: "min_probability", "precision", "at_least" (a precision that is proven) or "false_positives".
        value: What was asked for.
        score: Pairs at or above it are taken.
        low: The least that this score may have to be (95 %); of a proof: down to where it goes.
        high: The most that it may have to be.
        reached: What the score is estimated to give: the precision, where that was asked for.
        reached_low: The least that it may give (95 %; of a proof: at its confidence).
        reached_high: The most that it may give.
        recall: The share of all same pairs that score so, where a precision was asked for.
        falls_short: The chance that it gives less than was asked for, where a precision was.
        labels: How many labelled pairs prove it, where a proof was asked for.
        wrong: How many of these are not the same.
    """

    asked: str
    value: float
    score: float
    low: float
    high: float
    reached: float | None = None
    reached_low: float | None = None
    reached_high: float | None = None
    recall: float | None = None
    falls_short: float | None = None
    labels: int | None = None
    wrong: int | None = None

    def __str__(self) -> str:
        if self.labels is not None and self.falls_short is not None:
            return (
                f"at least {self.value:.0%} precise: score >= {self.score:.4f}, {1 - self.falls_short:.0%} sure: "
                f"{self.labels:,} labels from {self.low:.4f} on, {self.wrong or 'none'} of them wrong"
            )
        name = self.asked.replace("_", " ")
        text = f"{name} {self.value:g}: score >= {self.score:.4f} (between {self.low:.4f} and {self.high:.4f})"
        if self.reached is None or self.reached_low is None or self.reached_high is None:
            return text
        text += f", reaches {self.reached:.1%} (between {self.reached_low:.1%} and {self.reached_high:.1%})"
        if self.falls_short is not None:
            text += f", may fall short in {in_ten(self.falls_short)} cases"
        return text if self.recall is None else f"{text}, finds {self.recall:.0%} of the same pairs"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


def in_ten(share: float) -> str:
    """A chance as people say it.

    Example:
        >>> in_ten(0.31), in_ten(0.02), in_ten(0.98)
        ('3 of 10', 'fewer than 1 of 10', 'more than 9 of 10')
    """
    tenths = round(10 * share)
    if 0 < tenths < 10:
        return f"{tenths} of 10"
    return "more than 9 of 10" if tenths else "fewer than 1 of 10"
