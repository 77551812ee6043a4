"""The answer of a FAQ, silence included, and the sentence that says why. Not how it was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nearsense.types import Hit, Results, percent
from nearsense.wording import UNLIKE

__all__ = ["Answer", "Outcome", "reason_of"]


class Outcome(StrEnum):
    """What a FAQ does with a question."""

    ANSWER = "answer"
    DID_YOU_MEAN = "did you mean"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a FAQ says to a question. No answer is an ordinary value: `hit` is None, the near misses are there.

    Args:
        question: What was asked.
        hit: The entry that answers: `hit.text` is its question, `hit.metadata["answer"]` its answer; None where no
            entry is likely enough.
        probability: That the best entry is the right one, in [0, 1], whether it is given as an answer or not; None
            where the model cannot judge the question.
        threshold: The probability from which on the FAQ answers.
        candidates: The best entries, best first, each with its probability.
        reason: One sentence: why this answer, or why none and what would help.
        differs: What differs between the question and the phrasing of the best candidate that it matched.
        interval: Between what the probability lies, nineteen times in twenty.
        unsure: Why there is no probability: a language that the model was not made for, say.
        outcome: "answer"; "did you mean" where there is none but the right entry is probably one of `suggestions`;
            else "none".
        suggestions: With "did you mean" the entries to ask back with, three at most, the likeliest first.
    """

    question: str
    hit: Hit | None
    probability: float | None
    threshold: float
    candidates: Results[Hit]
    reason: str
    differs: tuple[str, ...] = ()
    interval: tuple[float, float] | None = None
    unsure: str | None = None
    outcome: Outcome = Outcome.NONE
    suggestions: tuple[Hit, ...] = ()

    def __bool__(self) -> bool:
        return self.hit is not None

    @property
    def text(self) -> str | None:
        """The answer itself; None where there is none, or the entry has a question only."""
        return None if self.hit is None else self.hit.metadata.get("answer")

    def __str__(self) -> str:
        if self.suggestions:
            return "no answer; did you mean " + " or ".join(f"“{hit.text}”" for hit in self.suggestions) + "?"
        if self.hit is None:
            return f"no answer: {self.reason}"
        return f"{percent(self.probability or 0.0)}  {self.hit.text}" + (
            f"\n     {self.text}" if self.text else ""
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "question": self.question,
            "outcome": self.outcome.value,
            "answered": self.hit is not None,
            "answer": self.text,
            "hit": None if self.hit is None else self.hit.to_dict(),
            "probability": self.probability,
            "interval": None if self.interval is None else list(self.interval),
            "threshold": self.threshold,
            "reason": self.reason,
            "differs": list(self.differs),
            "unsure": self.unsure,
            "suggestions": [hit.to_dict() for hit in self.suggestions],
            "candidates": self.candidates.to_dicts(),
            **self.candidates.origin.to_dict(),
        }


STRANGE = 0.25
"""Below this probability nothing in a FAQ is like the question."""

TORN = 0.5
"""Two entries between which a question is torn: the second has at least this share of the first's probability."""


def reason_of(candidates: Results[Hit], threshold: float, own: int | None = None) -> str:
    """One sentence: why the best candidate is the answer, or why none is and what would help.

    Args:
        candidates: The best entries.
        threshold: From where on is answered.
        own: How the best one's phrasing is like the question where it is the same: see `likeness`.
    """
    best, chance = candidates[0], candidates[0].probability
    if chance is None:
        return f"nearest: “{best.text}”, but the model cannot judge it: {best.unsure}"
    here = f"“{best.text}” at {percent(chance)}"
    if own is not None:
        return f"{here}: the question is its own, {_ALIKE[own]}"
    if chance >= threshold:
        return f"{here}, {percent(threshold)} is enough"
    needed = f"{percent(threshold)} is needed"
    differs = ", ".join(best.differs or ())
    if any(each.startswith("unread: ") for each in best.differs or ()):
        return (
            f"nearest: {here}, {needed}, and the model cannot read what differs ({differs}); "
            "add an entry for this question"
        )
    if chance < STRANGE and not differs:
        return f"nothing here is like it (nearest: {here}, {needed}); add an entry if the FAQ should answer it"
    second = candidates[1] if len(candidates) > 1 else None
    if second is not None and (second.probability or 0.0) >= TORN * chance:
        return (
            f"torn between {here} and “{second.text}” at {percent(second.probability or 0.0)}, {needed}; "
            "ask which is meant, or add this question as a phrasing of the right one"
        )
    if differs:
        return f"nearest: {here}, {needed}, and it differs ({differs}); add an entry for this question"
    return f"nearest: {here}, {needed}; add this question as a phrasing of it, or a new entry"


_ALIKE = ("word for word", *["but for how it is written"] * (UNLIKE - 1))
