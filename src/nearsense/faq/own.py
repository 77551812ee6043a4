"""A FAQ's own questions: which phrasing a question is, but for how it is written. No model is asked."""

from __future__ import annotations

from collections.abc import Sequence

from nearsense.wording import bare_form, likeness, unadorned

__all__ = ["SAME", "OwnQuestions"]

SAME = 0.999
"""How probable it is at least that an entry is meant whose question was asked."""


class OwnQuestions:
    """The phrasings of a FAQ, to be found by a question that is one of them.

    Args:
        phrasings: Of all entries.

    Example:
        >>> own = OwnQuestions(["Is the US plan free?", "Is it for us?", "Is it for US?"])
        >>> own.find("is the us plan free"), own.find("Is it for US"), own.find("is it for us")
        ((0, 3), (2, 2), (1, 3))
        >>> own.find("Is it free?") is None
        True
    """

    def __init__(self, phrasings: Sequence[str]) -> None:
        self._phrasings = phrasings
        self._rows: dict[str, list[int]] = {}
        for row, text in enumerate(phrasings):
            self._rows.setdefault(bare_form(text), []).append(row)

    def find(self, question: str) -> tuple[int, int] | None:
        """Which phrasing a question is, and how they are alike (`likeness`); of several the nearest by letters.

        Ornaments at its ends (praying hands) do not make it another question.
        """
        rows = self._rows.get(bare_form(question))
        if rows is None:
            plain = unadorned(question)
            return None if plain == question else self.find(plain)
        nearest = [
            (likeness(question, self._phrasings[row]), _changes(question, self._phrasings[row]), row)
            for row in rows
        ]
        level, _, row = min(nearest)
        return row, level


def _changes(a: str, b: str) -> int:
    """How many letters of two texts of one wording differ in case."""
    plain = [[each for each in text if each.isalnum()] for text in (a, b)]
    return sum(one != other for one, other in zip(*plain, strict=False))
